#!/usr/bin/env python3
"""The soak notices what it is there to notice: its verdict on clients with known faults."""

import json
import os
import random
import shutil
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import tap  # noqa: E402
import clients  # noqa: E402
import lines  # noqa: E402
import verdict  # noqa: E402

COUNT = 20
RUN, SOURCE, BUS = "r1", "r1/o", "bus-p"


class World:
    """As much of one as a client needs that is told by the test what comes."""

    def __init__(self):
        self.numbers = iter(range(1000))
        self.rng = random.Random(1)
        self.events = 0
        self.records = []

    def is_expired(self, client):
        return getattr(client, "expired_at", None) is not None

    def unwatch(self, client):
        pass

    def finished(self, client, why):
        self.records.append(json.loads(json.dumps(client.record(why))))


class NoSocket:
    def close(self):
        pass


def line(seq, source=SOURCE):
    return lines.make(source, seq, random.Random(seq)).decode()


def source_truth(last, starts=((0, 1),), samples=((0, 1),)):
    return {"last": last, "starts": starts, "samples": samples}


class Verdicts(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="soak-verdict-")
        self.addCleanup(shutil.rmtree, self.work)
        self.events_path = os.path.join(self.work, "events.jsonl")
        self.write_events(range(1, COUNT + 1))
        self.truth = {
            "runs": {RUN: {"ends": [[1, COUNT, 0]], "copies": False, "project": "p", "task": "t",
                           "logs": {SOURCE: source_truth(COUNT), "r1/e": source_truth(0)}}},
            "buses": {BUS: source_truth(COUNT)},
            "recorded": {"e1": {"path": "events.jsonl", "bad": [], "tries": 1,
                                "acknowledged": list(range(1, COUNT + 1))}}}
        self.world = World()

    def write_events(self, numbers):
        with open(self.events_path, "w") as f:
            for n in numbers:
                f.write(json.dumps({"type": "note", "n": n}) + "\n")

    def client(self, kind="log", start="", **options):
        target = {"log": {"id": RUN}, "file": {"id": RUN, "stream": "stdout"},
                  "bus": {"id": BUS}, "events": {"id": "e1"}}.get(kind)
        c = clients.Client(self.world, kind, "/", "fast", start, target, **options)
        c.opened_at = c.first_event_at = 0.5
        c.socket = NoSocket()
        return c

    def log(self, client, seqs, positions=True):
        for seq in seqs:
            data = {"run_id": RUN, "stream": "stdout", "line": line(seq)}
            if client.of_many:
                data["pos"] = "p%d" % seq if positions else "p%d-%d" % (seq, self.world.events)
            else:
                data["n"] = seq
            self.world.events += 1
            client.take("log", json.dumps(data), "id")

    def events(self, client, seqs, change=None):
        for seq in seqs:
            data = {"run_id": "e1", "seq": seq, "type": "note", "n": change or seq}
            client.take("event", json.dumps(data), str(seq))

    def judge(self, client=None, why="204"):
        if client:
            client.no_content_asked_at = 5
            client.finish(why)
        with open(os.path.join(self.work, "truth.json"), "w") as f:
            json.dump(self.truth, f)
        with open(os.path.join(self.work, "records-0.jsonl"), "w") as f:
            f.writelines(json.dumps(record) + "\n" for record in self.world.records)
        self.verdict = verdict.Verdict(self.work, self.work)
        self.verdict.take_all()
        row = self.verdict.rows[client.kind if client else "recording"]
        return {name: row[name] for name in verdict.MUST_BE_ZERO if row[name]}

    def judge_lines(self, seqs, **options):
        client = self.client(**options)
        self.log(client, seqs)
        return self.judge(client)

    def test_what_is_right_is_clean(self):
        client = self.client()
        self.log(client, range(1, COUNT + 1))
        self.assertEqual(self.judge(client), {})
        self.assertTrue(self.verdict.is_clean())

    def test_a_line_that_is_missing(self):
        self.assertEqual(self.judge_lines([n for n in range(1, COUNT + 1) if n != 7])["lost"], 1)
        self.assertFalse(self.verdict.is_clean())
        self.assertIn("line 8 after 6", self.verdict.describe())

    def test_lines_that_are_missing_at_the_end_or_the_beginning(self):
        self.assertEqual(self.judge_lines(range(1, COUNT - 2)), {"lost": 3})
        self.world.records.clear()
        self.assertEqual(self.judge_lines(range(4, COUNT + 1)), {"lost": 3})
        self.world.records.clear()
        self.assertEqual(self.judge_lines([]), {"lost": COUNT})

    def test_a_line_that_comes_twice(self):
        self.assertEqual(self.judge_lines([1, 2, 3, 3] + list(range(4, COUNT + 1))),
                         {"repeated": 1})

    def test_lines_out_of_order(self):
        seqs = list(range(1, COUNT + 1))
        seqs[4], seqs[5] = seqs[5], seqs[4]
        self.assertEqual(self.judge_lines(seqs)["out_of_order"], 1)

    def test_a_line_that_is_not_as_it_was_written(self):
        client = self.client()
        self.log(client, range(1, 5))
        client.take("log", json.dumps({"run_id": RUN, "stream": "stdout",
                                       "line": line(5).replace(" ", "  ")}), "id")
        self.log(client, range(6, COUNT + 1))
        self.assertEqual(self.judge(client)["wrong_content"], 1)

    def test_parts_make_a_line_also_across_connections(self):
        client = self.client()
        text = line(1)
        for at, part in enumerate((text[:3], text[3:9], text[9:])):
            client.take("log", json.dumps({"run_id": RUN, "stream": "stdout", "line": part, "n": 1,
                                           "partial": at < 2}), "id")
        self.log(client, range(2, COUNT + 1))
        self.assertEqual(self.judge(client), {})

    def test_a_gap_where_nothing_was_lost(self):
        client = self.client()
        self.log(client, range(1, COUNT + 1))
        client.take("gap", json.dumps({"run_id": RUN, "stream": "stdout", "reason": "replaced"}),
                    "id")
        self.assertEqual(self.judge(client), {"false_gaps": 1})

    def test_a_tail_that_is_too_short_or_too_long(self):
        self.assertEqual(self.judge_lines(range(COUNT - 4, COUNT + 1), start="tail=5"), {})
        self.world.records.clear()
        self.assertEqual(self.judge_lines(range(COUNT - 2, COUNT + 1), start="tail=5"), {"lost": 2})
        self.world.records.clear()
        self.truth["runs"][RUN]["logs"][SOURCE] = source_truth(COUNT, samples=((0, 1), (0.1, 21)))
        self.assertEqual(self.judge_lines(range(5, COUNT + 1), start="tail=5"),
                         {"wrong_content": 1})

    def test_of_many_a_line_may_come_again_where_its_position_tells(self):
        client = self.client("all", of_many=True)
        self.log(client, list(range(1, 11)) + list(range(8, COUNT + 1)))
        self.assertEqual(self.judge(client, "idle"), {})
        self.assertEqual(self.verdict.rows["all"]["told_repeats"], 3)
        self.world.records.clear()
        client = self.client("all", of_many=True)
        self.log(client, list(range(1, 11)) + list(range(8, COUNT + 1)), positions=False)
        self.assertEqual(self.judge(client, "idle"), {"repeated": 3})

    def test_of_many_lines_from_before_the_first_may_come_later_but_once(self):
        c = self.client("all", of_many=True)
        self.log(c, [4, 5, 6])
        self.log(c, range(1, COUNT + 1))
        self.assertEqual(self.judge(c, "has all"), {})
        c = self.client("all", of_many=True)
        self.log(c, [4, 5, 6])
        self.log(c, [1, 2, 3])
        self.log(c, range(1, COUNT + 1), positions=False)
        self.assertEqual(self.judge(c, "has all"), {"repeated": 6})

    def test_of_many_a_run_that_never_came(self):
        client = self.client("all", of_many=True, start="from=start")
        self.assertEqual(self.judge(client, "idle"), {"lost": COUNT})

    def test_a_message_that_is_missing(self):
        client = self.client("bus", start="from=start")
        for seq in range(1, COUNT + 1):
            if seq != 5:
                client.take("message", json.dumps({
                    "body": line(seq, BUS), "msg_id": "MSG-20260101-000000-%09d-PID00001-0001" % seq
                }), "id")
        self.assertEqual(self.judge(client, "has all")["lost"], 1)

    def test_the_raw_text_of_a_file(self):
        text = "".join(line(seq) + "\n" for seq in range(1, COUNT)) + line(COUNT)
        client = self.client("file")
        for at in range(0, len(text), 50):
            client.take("message", text[at:at + 50], "id")
        self.assertEqual(self.judge(client), {})
        self.world.records.clear()
        client = self.client("file")
        client.take("message", text[:200] + text[201:], "id")
        self.assertTrue(self.judge(client)["wrong_content"])

    def test_events_against_the_file(self):
        client = self.client("events")
        self.events(client, range(1, COUNT + 1))
        self.assertEqual(self.judge(client), {})
        for seqs, change, wrong in (
                ([n for n in range(1, COUNT + 1) if n != 9], None, {"lost": 1}),
                (range(1, COUNT), None, {"lost": 1}),
                ([1, 2, 2] + list(range(3, COUNT + 1)), None, {"repeated": 1}),
                (range(1, COUNT + 1), 99, {"wrong_content": COUNT})):
            self.world.records.clear()
            client = self.client("events")
            self.events(client, seqs, change)
            self.assertEqual(self.judge(client), wrong)

    def test_an_acknowledged_event_that_is_not_on_record_or_twice(self):
        self.write_events(range(1, COUNT))
        self.assertEqual(self.judge(), {"lost": 1})
        self.write_events(list(range(1, COUNT + 1)) + [COUNT])
        self.assertEqual(self.judge(), {"repeated": 1})


if __name__ == "__main__":
    tap.main()
