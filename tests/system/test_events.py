#!/usr/bin/env python3
"""Streams of recorded events, of files that somebody else writes: the state, events by their seq,
and the end."""

import json
import os

import harness

ALL = "/api/stream"


class Events(harness.Stream):
    def seqs(self, run=None):
        return [e.data["seq"] for e in self.events if e.name == "event" and
                (run is None or e.data["run_id"] == run.id)]

    def until_seq(self, seq, run=None, within_s=15):
        if seq not in self.seqs(run):
            self.wait("event", within_s, seq=seq, **({"run_id": run.id} if run else {}))
        return self.seqs(run)

    def states(self):
        return [e.data for e in self.events if e.name == "state"]

    def gaps(self):
        return [e.data["reason"] for e in self.events if e.name == "gap"]


def line(kind, **members):
    return json.dumps({"time": "2026-02-04T18:30:42Z", "type": kind, **members}) + "\n"


def notes(count, start=1):
    return "".join(line("note", number=n) for n in range(start, start + count))


class TestCase(harness.TestCase):
    def events_run(self, text="", **options):
        run = self.server.run(**options)
        run.events = os.path.join(run.path, "events.jsonl")
        if text is not None:
            self.write(run, text)
        return run

    def write(self, run, text):
        with open(run.events, "ab") as f:
            f.write(text if isinstance(text, bytes) else text.encode())

    def url(self, run):
        return "/api/runs/%s/stream" % run.id

    def follow(self, run_or_url, query="", **options):
        url = run_or_url if isinstance(run_or_url, str) else self.url(run_or_url)
        return self.open(url + query, kind=Events, **options)


WORK = (line("run.started", total_units=12, repo="r") + line("unit.started", unit="a") +
        line("unit.completed", unit="a") + line("unit.failed", unit="b", error="e") +
        line("unit.blocked", unit="c") + line("unit.started", unit="d"))


class OneRun(TestCase):
    def test_state_comes_at_once_then_events_with_their_seq(self):
        run = self.events_run(WORK)
        stream = self.follow(run)
        self.assertEqual(stream.headers["content-type"].partition(";")[0], "text/event-stream")
        state = stream.next()
        self.assertEqual(state.name, "state")
        self.assertEqual({key: state.data[key] for key in (
            "id", "status", "seq", "total_units", "completed_units", "failed_units",
            "blocked_units")}, {"id": run.id, "status": "running", "seq": 6, "total_units": 12,
                                "completed_units": 1, "failed_units": 1, "blocked_units": 1})
        self.assertEqual(stream.until_seq(6), [1, 2, 3, 4, 5, 6])
        for event in stream.events[1:]:
            self.assertEqual(event.name, "event")
            self.assertEqual(event.id, str(event.data["seq"]))
            self.assertEqual(event.data["run_id"], run.id)
            self.assertEqual(event.data["time"], "2026-02-04T18:30:42Z")
        self.assertEqual(stream.events[4].data["type"], "unit.failed")
        self.assertEqual((stream.events[4].data["unit"], stream.events[4].data["error"]),
                         ("b", "e"))

    def test_members_come_as_they_were_written(self):
        odd = ('{"type":"x","n":1.50e+10,"big":123456789012345678901234567890,"s":"\\u00e9é",'
               '"o":{"a":[1,null,true]},"seq":99,"run_id":"not mine"}\n')
        run = self.events_run(odd)
        stream = self.follow(run)
        event = stream.wait("event")
        self.assertEqual((event.data["seq"], event.data["run_id"]), (1, run.id))
        for text in ("1.50e+10", "123456789012345678901234567890", '"o":{"a":[1,null,true]}'):
            self.assertIn(text, event.text)
        self.assertNotIn("99,", event.text)
        self.assertNotIn("not mine", event.text)

    def test_state_comes_again_behind_what_changed_it(self):
        run = self.events_run(WORK)
        stream = self.follow(run)
        stream.until_seq(6)
        self.write(run, line("unit.completed", unit="d"))
        stream.until_seq(7)
        state = stream.wait("state", completed_units=2)
        self.assertEqual(state.data["seq"], 7)
        self.write(run, line("unit.retried", unit="b"))
        state = stream.wait("state", failed_units=0)
        self.assertEqual(state.data["seq"], 8)
        run.info("paused")
        stream.wait("state")
        self.assertEqual(stream.seqs(), list(range(1, 9)))

    def test_no_change_of_state_is_missed_however_soon_it_follows_what_changes_nothing(self):
        run = self.events_run()
        stream = self.follow(run)
        stream.wait("state")
        for n in range(1, 101):
            self.write(run, notes(1))
            stream.wait("event", type="note")
            self.write(run, line("unit.completed", unit="u-%d" % n))
            stream.wait("state", completed_units=n)

    def test_state_is_the_newest_and_is_not_repeated_while_a_client_catches_up(self):
        count = 20000
        run = self.events_run("".join(line("unit.completed", unit="u-%d" % n)
                                      for n in range(count)))
        stream = self.follow(run)
        self.assertEqual(stream.next().data["seq"], count)
        self.assertEqual(stream.until_seq(count, within_s=30), list(range(1, count + 1)))
        self.assertEqual([s["completed_units"] for s in stream.states()], [count])

    def test_a_run_without_events_has_a_state_and_its_events_come_when_they_do(self):
        run = self.events_run(None)
        stream = self.follow(run)
        state = stream.next()
        self.assertEqual((state.name, state.data["id"], state.data["seq"]), ("state", run.id, 0))
        self.write(run, notes(3))
        self.assertEqual(stream.until_seq(3), [1, 2, 3])

    def test_live_events_come_in_order(self):
        run = self.events_run()
        streams = [self.follow(run) for _ in range(3)]
        for stream in streams:
            stream.wait("state")
        for n in range(1, 301):
            self.write(run, notes(1, n))
        for stream in streams:
            self.assertEqual(stream.until_seq(300), list(range(1, 301)))
            numbers = [e.data["number"] for e in stream.events if e.name == "event"]
            self.assertEqual(numbers, list(range(1, 301)))

    def test_from_and_tail(self):
        run = self.events_run(notes(50))
        for query, first in (("?tail=5", 46), ("?tail=0", 51), ("?from=end", 51),
                             ("?from=start", 1), ("?tail=500", 1)):
            stream = self.follow(run, query)
            self.assertEqual(stream.next().name, "state")
            if first <= 50:
                self.assertEqual(stream.until_seq(50), list(range(first, 51)), query)
        stream = self.follow(run, "?from=end")
        stream.wait("state")
        self.write(run, notes(1, 51))
        self.assertEqual(stream.until_seq(51), [51])

    def test_errors(self):
        run = self.events_run()
        self.assert_error(self.server.get("/api/runs/nobody/stream"), 404, "NOT_FOUND")
        for path in ("/api/runs/../stream", "/api/runs/a%2fb/stream", self.url(run) + "?tail=x",
                     self.url(run) + "?from=x", ALL + "?from=x"):
            self.assertEqual(self.server.get(path).status, 400, path)
        for path in (self.url(run), ALL):
            self.assert_error(self.server.get(path, method="PUT"), 405)
            self.assertEqual(self.server.get(path, method="HEAD").status, 200)

    def test_a_run_that_does_not_exist_yet_is_waited_for(self):
        stream = self.follow("/api/runs/later-events/stream?wait_s=20")
        run = self.events_run(notes(2), run_id="later-events")
        stream.wait("state", id=run.id)
        self.assertEqual(stream.until_seq(2), [1, 2])


class Resuming(TestCase):
    def test_after_each_seq_comes_the_rest_once(self):
        run = self.events_run(notes(100))
        for seq in (0, 1, 50, 99):
            for options in ({"last_id": str(seq)}, {"query": "?last_event_id=%d" % seq},
                            {"query": "?tail=1&last_event_id=7", "last_id": str(seq)}):
                stream = self.follow(run, **options)
                # Who comes back has a state, too.
                self.assertEqual(stream.next().name, "state")
                self.assertEqual(stream.until_seq(100), list(range(seq + 1, 101)))
                self.assertEqual(stream.gaps(), [])
                stream.close()
        stream = self.follow(run, last_id="100")
        stream.wait("state")
        self.write(run, notes(1, 101))
        self.assertEqual(stream.until_seq(101), [101])

    def test_ids_that_none_can_be_are_a_gap_and_the_start(self):
        run = self.events_run(notes(10))
        for last_id in ("x", "-1", "11", "s=3;e=0", "99999999999999999999999"):
            stream = self.follow(run, last_id=last_id)
            self.assertEqual(stream.next().name, "gap", last_id)
            self.assertEqual(stream.until_seq(10), list(range(1, 11)), last_id)

    def test_reconnecting_again_and_again_under_a_writer(self):
        run = self.events_run()
        got, last_id, written = [], None, 0
        while len(got) < 300:
            stream = self.follow(run, last_id=last_id)
            self.write(run, notes(20, written + 1))
            written += 20
            for _ in range(13):
                event = stream.wait("event")
                got.append((event.data["seq"], event.data["number"]))
                last_id = event.id
            self.assertEqual(stream.gaps(), [])
            stream.close()
        self.assertEqual(got, [(n, n) for n in range(1, len(got) + 1)])

    def test_complete_ends_it_and_who_comes_back_with_its_id_gets_204(self):
        run = self.events_run(WORK)
        stream = self.follow(run)
        stream.wait("state")
        self.write(run, line("run.completed", status="completed"))
        run.finish("completed", 0)
        stream.read_until_complete()
        self.assertEqual(stream.seqs(), list(range(1, 8)))
        complete = stream.events[-1]
        self.assertEqual({key: complete.data[key] for key in ("id", "run_id", "status",
                                                              "exit_code")},
                         {"id": run.id, "run_id": run.id, "status": "completed", "exit_code": 0})
        self.assertEqual(stream.states()[-1]["status"], "completed")
        self.assertRegex(complete.id, r"^7;.*end=1$|^7;end=1$")
        again = self.server.open(self.url(run), last_id=complete.id)
        self.assertEqual(again.status, 204)
        again = self.server.open(self.url(run) + "?last_event_id=" +
                                 complete.id.replace(";", "%3B"))
        self.assertEqual(again.status, 204)
        # The same position, but not that of the end.
        self.assertEqual(self.follow(run, last_id="7").wait("complete").id, complete.id)

    def test_the_id_of_an_end_does_not_hold_when_there_is_more(self):
        run = self.events_run(notes(3))
        run.finish()
        stream = self.follow(run)
        stream.read_until_complete()
        self.write(run, notes(1, 4))
        again = self.follow(run, last_id=stream.last_id)
        self.assertEqual(again.until_seq(4), [4])
        end = again.wait("complete")
        run.info("running")
        self.write(run, notes(1, 5))
        harness.wait_for("it is running again", lambda: (
            self.server.get("/api/v1/runs/" + run.id).json()["status"] == "running"))
        again = self.follow(run, last_id=end.id)
        self.assertEqual(again.until_seq(5), [5])
        self.assertEqual(again.gaps(), [])

    def test_run_info_is_the_authority_on_the_status(self):
        run = self.events_run(line("run.started") + line("run.completed", status="completed"))
        run.finish("failed", 2)
        stream = self.follow(run)
        events = stream.read_until_complete()
        self.assertEqual((events[-1].data["status"], events[-1].data["exit_code"]), ("failed", 2))
        self.assertEqual(stream.states()[-1]["status"], "failed")

    def test_truncated_is_a_gap_and_the_start_of_what_is_there(self):
        run = self.events_run(WORK)
        stream = self.follow(run)
        stream.until_seq(6)
        os.truncate(run.events, 0)
        stream.wait("gap", reason="truncated")
        self.write(run, notes(2))
        stream.wait("event", seq=2)
        self.assertEqual(stream.seqs(), [1, 2, 3, 4, 5, 6, 1, 2])
        self.write(run, line("unit.failed", unit="z"))
        state = stream.wait("state", seq=3, failed_units=1).data
        self.assertEqual((state["completed_units"], state.get("total_units")), (0, None))
        # And for one that was away.
        away = self.follow(run, last_id="6")
        self.assertEqual(away.next().name, "gap")
        self.assertEqual(away.until_seq(3), [1, 2, 3])

    def test_rotated_away_is_read_to_its_end_and_then_the_new_one(self):
        run = self.events_run(notes(3))
        stream = self.follow(run)
        stream.until_seq(3)
        self.write(run, notes(2, 4))
        os.rename(run.events, run.events + ".1")
        self.write(run, notes(2, 100))
        stream.wait("event", number=101)
        self.assertEqual([e.data["number"] for e in stream.events if e.name == "event"],
                         [1, 2, 3, 4, 5, 100, 101])


class Malformed(TestCase):
    def test_lines_that_are_no_events_are_passed_over_and_use_up_their_seq(self):
        before = self.server.counters()["entries_malformed"]
        run = self.events_run(
            line("first") + "not json\n" + "\n" + "[1,2]\n" + '"text"\n' + '{"type":\n' +
            '{"a":1}}\n' + line("eighth") + '{"type":"huge","x":"' + "y" * (3 << 20) + '"}\n' +
            line("tenth") + "\xff\xfe{}\n" + line("twelfth"))
        stream = self.follow(run)
        self.assertEqual(stream.next().data["seq"], 12)
        self.assertEqual(stream.until_seq(12), [1, 8, 10, 12])
        self.write(run, line("live"))
        self.assertEqual(stream.until_seq(13), [1, 8, 10, 12, 13])
        for last_id, rest in (("2", [8, 10, 12, 13]), ("9", [10, 12, 13])):
            again = self.follow(run, last_id=last_id)
            self.assertEqual(again.until_seq(13), rest)
            self.assertEqual(again.gaps(), [])
        harness.wait_for("they are counted", lambda: (
            self.server.counters()["entries_malformed"] - before >= 8))

    def test_crlf(self):
        run = self.events_run(line("a").replace("\n", "\r\n") + line("b").replace("\n", "\r\n"))
        stream = self.follow(run)
        self.assertEqual(stream.until_seq(2), [1, 2])
        self.assertEqual([e.data["type"] for e in stream.events if e.name == "event"], ["a", "b"])

    def test_a_torn_last_line_comes_when_it_is_finished(self):
        run, clock = self.events_run(notes(1)), self.events_run()
        stream, ticks = self.follow(run), self.follow(clock)
        stream.until_seq(1)
        text = line("torn", unit="u").encode()
        for n, piece in enumerate((text[:10], text[10:40], text[40:-1]), 1):
            self.write(run, piece)
            self.write(clock, notes(1, n))
            ticks.until_seq(n)
        self.write(run, text[-1:])
        event = stream.wait("event")
        self.assertEqual((event.data["seq"], event.data["type"], event.data["unit"]),
                         (2, "torn", "u"))

    def test_a_last_line_without_an_end_comes_at_the_end_of_the_run(self):
        run = self.events_run(notes(2) + line("last").rstrip())
        run.finish()
        stream = self.follow(run)
        stream.read_until_complete()
        self.assertEqual(stream.seqs(), [1, 2, 3])


    def test_a_last_line_without_an_end_is_counted_wherever_it_is_read(self):
        run = self.events_run(notes(2) + line("unit.completed", unit="u").rstrip())
        run.finish()
        stream = self.follow(run)
        stream.read_until_complete()
        self.assertEqual(stream.seqs(), [1, 2, 3])
        states = [e.data for e in stream.events if e.name == "state"]
        states.append(self.server.get("/api/runs/" + run.id).json())
        for state in states:
            self.assertEqual((state["seq"], state["completed_units"]), (3, 1))
        page = self.server.get("/api/runs/%s/events?after=2" % run.id).json()
        self.assertEqual([e["seq"] for e in page["events"]], [3])
        # Who has seen it is not sent it again, also when its end comes and the run goes on.
        run.info("running")
        self.write(run, "\n" + notes(1, 4))
        stream = self.follow(run, last_id="3")
        stream.until_seq(4)
        self.assertEqual(stream.seqs(), [4])


class AllRuns(TestCase):
    def test_state_events_and_complete_of_every_run(self):
        runs = [self.events_run(WORK) for _ in range(3)]
        for run in runs:
            harness.wait_for("it is known", lambda: (
                self.server.get("/api/v1/runs/" + run.id).status == 200))
        stream = self.follow(ALL)
        for run in runs:
            state = next((e for e in stream.events if e.name == "state" and
                          e.data["id"] == run.id), None) or stream.wait("state", id=run.id)
            self.assertEqual((state.data["seq"], state.data["total_units"]), (6, 12))
        self.assertEqual(stream.seqs(), [])
        for run in runs:
            self.write(run, line("unit.completed", unit="d"))
        for run in runs:
            self.assertEqual(stream.until_seq(7, run), [7])
        later = self.events_run(WORK)
        self.assertEqual(stream.until_seq(6, later, 3), [1, 2, 3, 4, 5, 6])
        runs[0].finish("failed", 1)
        stream.wait("complete", run_id=runs[0].id, status="failed")
        self.write(runs[1], notes(1))
        self.assertEqual(stream.until_seq(8, runs[1]), [7, 8])
        ids = [e.id for e in stream.events if e.name == "event"]
        self.assertEqual(len(set(ids)), len(ids))

    def test_from_the_start(self):
        runs = [self.events_run(notes(200)) for _ in range(3)]
        over = self.events_run(notes(20))
        over.finish()
        for run in runs + [over]:
            harness.wait_for("it is known", lambda: (
                self.server.get("/api/v1/runs/" + run.id).json().get("status") == run.status))
        stream = self.follow(ALL, "?from=start")
        self.assertEqual(stream.until_seq(20, over), list(range(1, 21)))
        for run in runs:
            self.assertEqual(stream.until_seq(200, run), list(range(1, 201)))
            self.write(run, notes(1))
            self.assertEqual(stream.until_seq(201, run), list(range(1, 202)))

    def test_an_id_is_a_gap(self):
        self.events_run(notes(1))
        self.assertEqual(self.follow(ALL, last_id="7").next().name, "gap")


if __name__ == "__main__":
    harness.main()
