#!/usr/bin/env python3
"""Streams of message buses: each entry whole, once and in order, whoever writes and rotates."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading

import harness

ALL = "/api/v1/messages/stream"
PROJECT_BUS, TASK_BUS = "PROJECT-MESSAGE-BUS.md", "TASK-MESSAGE-BUS.md"


def entry(msg_id, body, **keys):
    """An entry with a front matter, as today's writers append it."""
    head = "".join("%s: %s\n" % item for item in {"msg_id": msg_id, **keys}.items())
    return "---\n%s---\n%s\n" % (head, body)


def entries(ids):
    return "".join(entry(msg_id, "body of " + msg_id, type="FACT") for msg_id in ids)


def ids(count, start=1, word="m"):
    return ["%s-%05d" % (word, n) for n in range(start, start + count)]


class Bus:
    def __init__(self, server, project, task=None, text=""):
        self.server, self.project, self.task = server, project, task
        folder = os.path.join(server.runs_dir, project, *([task] if task else []))
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, TASK_BUS if task else PROJECT_BUS)
        self.url = "/api/projects/%s%s/messages/stream" % (
            project, "/tasks/" + task if task else "")
        if text:
            self.append(text)

    @contextlib.contextmanager
    def locked(self):
        with open(self.path, "ab", buffering=0) as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            yield f

    def append(self, text):
        with self.locked() as f:
            f.write(text if isinstance(text, bytes) else text.encode())

    def rotate(self, stamp="20260220T155454Z"):
        os.rename(self.path, "%s.%s.archived" % (self.path, stamp))


class Messages(harness.Stream):
    project = None  # of the messages that count; None: all

    def messages(self):
        return [e.data for e in self.events if e.name == "message" and
                self.project in (None, e.data["project_id"])]

    def ids(self):
        return [message["msg_id"] for message in self.messages()]

    def read_until(self, msg_id, within_s=15):
        """All ids that came, up to this one."""
        if msg_id not in self.ids():
            try:
                values = {"project_id": self.project} if self.project else {}
                self.wait("message", within_s, msg_id=msg_id, **values)
            except AssertionError as e:
                raise AssertionError("%s, waiting for %s; have %d: …%s" % (
                    e, msg_id, len(self.ids()), self.ids()[-3:])) from None
        return self.ids()

    def gaps(self):
        return [e.data["reason"] for e in self.events if e.name == "gap"]


class TestCase(harness.TestCase):
    def follow(self, url, project=None, **options):
        stream = self.open(url, kind=Messages, **options)
        stream.project = project
        return stream

    def is_listed(self, *buses):
        """Waits until discovery knows them: a stream of all buses has them then."""
        for bus in buses:
            with self.follow(ALL + "?from=start", bus.project) as stream:
                stream.wait("message", project_id=bus.project)


class Entries(TestCase):
    def got(self, name, text):
        """The messages that a bus with this text has."""
        bus = Bus(self.server, name, text=text + entry("the-end", "end"))
        stream = self.follow(bus.url + "?from=start")
        stream.read_until("the-end")
        return stream.messages()[:-1]

    def test_each_key_of_a_front_matter(self):
        message, = self.got("keys", """---
msg_id: MSG-20260220-155454-390970000-PID30154-0001
ts: 2026-02-20T15:54:54.390976Z
type: DECISION
project_id: conductor
task_id: docker-fix
run_id: 20260220-1554540000-30154
issue_id: I-7
parents: [MSG-1, {msg_id: MSG-2, kind: answers, meta: {a: b}}]
links:
  - {url: "https://example.org/?a=b", label: L, kind: doc}
meta: {model: x, tries: "3"}
---
several words
""")
        self.assertEqual(message["content"], "several words")
        self.assertEqual(message["body"], message["content"])
        self.assertEqual(message["msg_id"], "MSG-20260220-155454-390970000-PID30154-0001")
        self.assertEqual(message["timestamp"], "2026-02-20T15:54:54.390976Z")
        self.assertEqual([message[key] for key in (
            "type", "project_id", "task_id", "run_id", "issue_id")],
            ["DECISION", "conductor", "docker-fix", "20260220-1554540000-30154", "I-7"])
        self.assertEqual(message["parents"], ["MSG-1", "MSG-2"])
        self.assertEqual(message["links"],
                         [{"url": "https://example.org/?a=b", "label": "L", "kind": "doc"}])
        self.assertEqual(message["meta"], {"model": "x", "tries": "3"})

    def test_old_entries_of_one_line(self):
        messages = self.got("old", "# A heading\n\n"
                            "[2026-02-05 12:51:53] DECISION: begin\n"
                            "[2026-02-05 12:51:54] no type\n"
                            "[2026-02-05 12:51:55] A-b_c/1: text\n  and more\n\n"
                            "[2026-02-05 12:51:56] ====\n")
        self.assertEqual([(m["msg_id"], m["type"], m["body"]) for m in messages], [
            ("LEGACY-LINE-000000003", "DECISION", "begin"),
            ("LEGACY-LINE-000000004", "INFO", "no type"),
            ("LEGACY-LINE-000000005", "A-b_c/1", "text\n  and more"),
            ("LEGACY-LINE-000000008", "INFO", "====")])

    def test_both_forms_mixed_end_each_others_bodies(self):
        messages = self.got("mixed", "[2026-02-05 12:51:53] FACT: one\n" + entry("two", "body 2") +
                            "[2026-02-05 12:51:54] FACT: three\n" + entry("four", "") +
                            entry("five", "a\nb") + "[2026-02-05 12:51:55] six\n")
        self.assertEqual([m["body"] for m in messages],
                         ["one", "body 2", "three", "", "a\nb", "six"])
        self.assertEqual([m["msg_id"] for m in messages], [
            "LEGACY-LINE-000000001", "two", "LEGACY-LINE-000000006", "four", "five",
            "LEGACY-LINE-000000016"])

    def test_rules_in_a_body_are_text(self):
        bodies = ["above\n---\nbelow", "---", "---\n---\n---", "---\nkey: value\n---\nno id here",
                  "a table\n--- | ---\n1 | 2", " ---\nmsg_id: indented\n ---"]
        messages = self.got("rules", "".join(
            entry("r-%d" % n, body) for n, body in enumerate(bodies)))
        self.assertEqual([m["msg_id"] for m in messages], ["r-%d" % n for n in range(len(bodies))])
        self.assertEqual([m["body"] for m in messages], bodies)

    def test_strange_text_comes_as_it_is(self):
        body = "žluťoučký 🐎 \x1b[31mred\x1b[0m \"q\" \\ data: x\tend\x00."
        messages = self.got("strange", entry("s-1", body) + entry("s-2", "crlf\r\nlines"))
        self.assertEqual(messages[0]["body"], body)
        self.assertEqual(messages[1]["body"], "crlf\r\nlines")

    def test_malformed_entries_are_skipped_and_counted_and_the_next_one_comes(self):
        before = self.server.counters()["entries_malformed"]
        messages = self.got("malformed", (
            entry("good-1", "x") +
            "---\nmsg_id: [not, a, name]\n---\nbad\n" + entry("good-2", "x") +
            "---\nmsg_id: a: b: c\n  - {\n---\nbad\n" + entry("good-3", "x") +
            "---\nmsg_id: \"\"\n---\nbad\n" + entry("good-4", "x") +
            "---\nmsg_id: \"with\\nnewline\"\n---\nbad\n" + entry("good-5", "x") +
            entry("too-long", "y" * (2 << 20)) + entry("good-6", "x")))
        self.assertEqual([m["msg_id"] for m in messages], ["good-%d" % n for n in range(1, 7)])
        self.assertEqual({m["body"] for m in messages}, {"x"})
        harness.wait_for("they are counted", lambda: (
            self.server.counters()["entries_malformed"] - before >= 5))

    def test_an_entry_that_does_not_say_where_it_belongs_belongs_where_it_stands(self):
        Bus(self.server, "where", "t", entry("w-1", "x") + entry("w-2", "x", task_id="other"))
        stream = self.follow("/api/projects/where/tasks/t/messages/stream")
        stream.read_until("w-2")
        self.assertEqual([(m["project_id"], m["task_id"]) for m in stream.messages()],
                         [("where", "t"), ("where", "other")])


class Paths(TestCase):
    def test_each_path_has_its_bus(self):
        project = Bus(self.server, "shop", text=entry("of-project", "x"))
        task = Bus(self.server, "shop", "paint", entry("of-task", "x"))
        other = Bus(self.server, "house", text=entry("of-other", "x"))
        self.is_listed(project, task, other)
        for url, expected in (
                (project.url, ["of-project"]), (task.url, ["of-task"]), (other.url, ["of-other"]),
                (ALL + "?project_id=shop", ["of-project"]),
                (ALL + "?project_id=shop&task_id=paint", ["of-task"]),
                (ALL + "?project_id=house", ["of-other"])):
            stream = self.follow(url)
            self.assertEqual(stream.headers["content-type"].partition(";")[0],
                             "text/event-stream")
            self.assertEqual(stream.read_until(expected[-1]), expected, url)
        every = self.follow(ALL)
        for msg_id in ("of-project", "of-task", "of-other"):
            every.read_until(msg_id)
        project.append(entry("more", "x"))
        self.assertEqual(every.read_until("more").count("more"), 1)

    def test_errors(self):
        Bus(self.server, "known", text=entry("k", "x"))
        for url in ("/api/projects/unknown/messages/stream",
                    "/api/projects/known/tasks/unknown/messages/stream",
                    ALL + "?project_id=unknown", ALL + "?project_id=known&task_id=unknown"):
            self.assert_error(self.server.get(url), 404, "NOT_FOUND")
        for url in ("/api/projects/../messages/stream", "/api/projects/a%2fb/messages/stream",
                    ALL + "?project_id=..", ALL + "?project_id=a%2fb",
                    ALL + "?task_id=t", ALL + "?project_id=known&task_id=..",
                    ALL + "?project_id=%zz", ALL + "?tail=x", ALL + "?from=here",
                    "/api/projects/known/messages/stream?tail=-1"):
            error = self.assert_error(self.server.get(url), 400)
            self.assertEqual(error["code"], "BAD_REQUEST", url)
        for url in (ALL, "/api/projects/known/messages/stream"):
            self.assert_error(self.server.get(url, method="DELETE"), 405)
            self.assertEqual(self.server.get(url, method="HEAD").status, 200)
        self.assertEqual(self.server.get("/api/projects/nobody/messages/stream",
                                         method="HEAD").status, 404)

    def test_a_bus_that_appears_later(self):
        every = self.follow(ALL, "later")
        every.text += every.chunk()
        bus = Bus(self.server, "later", text=entries(ids(3)))
        self.assertEqual(every.read_until("m-00003", within_s=3), ids(3))
        task = Bus(self.server, "later", "t", entries(ids(2, word="t")))
        every.read_until("t-00002", within_s=3)
        bus.append(entry("live", "x"))
        every.read_until("live")

    def test_a_bus_whose_folder_is_there_and_it_is_not_yet(self):
        os.makedirs(os.path.join(self.server.runs_dir, "empty", "t"))
        streams = [self.follow("/api/projects/empty/messages/stream"),
                   self.follow("/api/projects/empty/tasks/t/messages/stream"),
                   self.follow(ALL + "?project_id=empty")]
        for stream in streams:
            stream.text += stream.chunk()
        Bus(self.server, "empty", text=entries(ids(3, word="p")))
        Bus(self.server, "empty", "t", entries(ids(3, word="t")))
        for stream, word in zip(streams, "ptp"):
            self.assertEqual(stream.read_until(word + "-00003"), ids(3, word=word))


class Start(TestCase):
    def test_the_last_20_more_all_or_none(self):
        bus = Bus(self.server, "start", text=entries(ids(300)))
        self.is_listed(bus)
        for query, expected in (
                ("", 20), ("?tail=50", 50), ("?tail=3", 3), ("?tail=5000", 300),
                ("?from=start", 300), ("?from=end", 0), ("?tail=0", 0)):
            for url in (bus.url, ALL):
                stream = self.follow(url + query, "start")
                stream.text += stream.chunk()
                if expected:
                    stream.read_until("m-00300")
                    self.assertEqual(stream.ids(), ids(expected, 301 - expected), url + query)
        # Entries of long ago stay where they are for those who come for what is new.
        streams = [self.follow(url + query, "start") for url in (bus.url, ALL)
                   for query in ("?from=end", "?tail=0", "?from=start", "")]
        harness.wait_for("all are in", lambda: self.server.counters()["clients"] >= 8)
        for stream in streams[2:4] + streams[6:]:
            stream.read_until("m-00300")
        bus.append(entry("new", "x"))
        for at, stream in enumerate(streams):
            counts = ((1, 2), (1,), (301,), (21,))[at % 4]  # an end that is fresh is shown whole
            stream.read_until("new")
            self.assertIn(len(stream.ids()), counts, at)

    def test_an_id_wins_and_what_follows_it_comes(self):
        bus = Bus(self.server, "resume", text=entries(ids(100)))
        first = self.follow(bus.url + "?from=start")
        first.read_until("m-00100")
        full = {e.data["msg_id"]: e.id for e in first.events}
        for msg_id in ("m-00001", "m-00057", "m-00099"):
            rest = ids(100)[int(msg_id[2:]):]
            self.assertTrue(full[msg_id].startswith(msg_id))
            for last_id in (full[msg_id], msg_id):
                for url in (bus.url, bus.url + "?tail=2", ALL + "?project_id=resume&from=end"):
                    stream = self.follow(url, last_id=last_id)
                    stream.read_until("m-00100")
                    self.assertEqual((stream.ids(), stream.gaps()), (rest, []))
            stream = self.follow(bus.url + "?last_event_id=" + msg_id)
            stream.read_until("m-00100")
            self.assertEqual(stream.ids(), rest)
        stream = self.follow(bus.url, last_id=full["m-00100"])
        bus.append(entry("new", "x"))
        self.assertEqual(stream.read_until("new"), ["new"])

    def test_an_unknown_id_is_a_gap_and_the_last_20(self):
        bus = Bus(self.server, "unknown", text=entries(ids(100)))
        for last_id in ("m-99999", "MSG-20260220-155454-390970000-PID30154-0001", "7",
                        "m-00001;x=y;z", "m-0000", ";;;", "é" * 3, "x" * 3000):
            stream = self.follow(bus.url, last_id=last_id.encode().decode("latin-1"))
            if last_id.startswith("m-00001"):
                continue  # parts that are not known are passed over
            self.assertEqual(stream.next().name, "gap", last_id)
            stream.read_until("m-00100")
            self.assertEqual(stream.ids(), ids(20, 81), last_id)

    def test_old_entries_are_resumed_by_their_ids(self):
        bus = Bus(self.server, "old-ids", text="".join(
            "[2026-02-05 12:51:%02d] FACT: %d\n" % (n % 60, n) for n in range(50)))
        for last_id in ("LEGACY-LINE-000000030",):
            stream = self.follow(bus.url, last_id=last_id)
            stream.read_until("LEGACY-LINE-000000050")
            self.assertEqual([m["body"] for m in stream.messages()],
                             [str(n) for n in range(30, 50)])
            self.assertEqual(stream.gaps(), [])

    def test_each_id_is_an_id_to_resume_from_under_a_writer(self):
        bus = Bus(self.server, "writer", text=entries(ids(1)))
        got, last_id, written = [], None, 1
        while len(got) < 200:
            stream = self.follow(bus.url + "?from=start", last_id=last_id)
            bus.append(entries(ids(20, written + 1)))
            written += 20
            for _ in range(13):
                event = stream.wait("message")
                got.append(event.data["msg_id"])
                last_id = event.id
            self.assertEqual(stream.gaps(), [])
            stream.close()
        self.assertEqual(got, ids(len(got)))


class Writing(TestCase):
    def whole(self, stream, msg_id, body):
        stream.read_until(msg_id)
        self.assertEqual(stream.messages()[-1]["body"], body)

    def pieces(self, bus, stream, pieces, lock):
        """Writes them one by one, each after something else went through the stream."""
        clock = Bus(self.server, "clock", text="")
        ticks = self.follow(clock.url)
        with contextlib.ExitStack() as stack:
            f = stack.enter_context(bus.locked() if lock else open(bus.path, "ab", buffering=0))
            for n, piece in enumerate(pieces):
                f.write(piece)
                # Time enough for several looks.
                tick = "%s-%d" % (self.id(), n)
                clock.append(entry(tick.split(".")[-1], "x"))
                ticks.read_until(tick.split(".")[-1])

    def test_an_entry_in_several_writes_under_a_lock_comes_whole(self):
        bus = Bus(self.server, "locked", text=entry("first", "x"))
        stream = self.follow(bus.url)
        stream.read_until("first")
        self.pieces(bus, stream, [b"---\n", b"msg_id: in-", b"pieces\ntype: FA", b"CT\n---", b"\n",
                                  b"a body\n", b"in several ", b"writes\n"], lock=True)
        self.whole(stream, "in-pieces", "a body\nin several writes")
        self.pieces(bus, stream, [b"---\nmsg_id: second\n---\n", b"one\n", b"---\n", b"two\n"],
                    lock=True)
        self.whole(stream, "second", "one\n---\ntwo")
        self.assertEqual(stream.ids(), ["first", "in-pieces", "second"])

    def test_an_entry_under_a_lock_does_not_come_before_it_is_free(self):
        bus = Bus(self.server, "held", text=entry("first", "x"))
        stream = self.follow(bus.url)
        stream.read_until("first")
        other = Bus(self.server, "other", text=entry("x", "x"))
        clock = self.follow(other.url)
        with bus.locked() as f:
            f.write(b"---\nmsg_id: held\n---\nbegun\n")
            for n in range(10):  # ten entries of another bus, each a look or more apart
                other.append(entry("tick-%d" % n, "x"))
                clock.read_until("tick-%d" % n)
            f.write(b"and ended\n")
        self.whole(stream, "held", "begun\nand ended")

    def test_a_bus_that_no_discovery_knew_outlives_the_one_that_comes_to_know_it(self):
        """Whoever comes first follows it without the registry, in which it is then."""
        with harness.Server(workers=1) as server:
            bus = Bus(server, "early")  # a folder alone
            with server.open(bus.url, kind=Messages) as stream:
                for n in range(3):
                    bus.append(entry("m-%d" % n, "x"))
                    stream.read_until("m-%d" % n)
                    pid = server.status()["discovery"]["pid"]
                    os.kill(pid, signal.SIGKILL)
                    harness.wait_for("another discovery has looked", lambda: (
                        server.status()["discovery"]["pid"] not in (0, pid) and
                        server.status()["buses"]["total"] == 1), 20)
                    self.assertNotIn("gone", stream.names())
                bus.append(entry("last", "x"))
                stream.read_until("last")

    def test_an_entry_written_in_pieces_without_a_lock_comes_through(self):
        bus = Bus(self.server, "unlocked", text=entry("first", "x"))
        stream = self.follow(bus.url)
        stream.read_until("first")
        self.pieces(bus, stream, [b"---\nmsg_id: second\n", b"type: FACT\n---\nbo", b"dy\n"],
                    lock=False)
        stream.read_until("second")
        bus.append(entry("third", "x"))
        stream.read_until("third")
        self.assertEqual(stream.ids(), ["first", "second", "third"])
        self.assertEqual(stream.gaps(), [])

    def test_concurrent_writers_each_entry_once_and_in_file_order(self):
        bus = Bus(self.server, "concurrent", text=entry("first", "x"))
        self.is_listed(bus)
        streams = [self.follow(bus.url), self.follow(ALL, bus.project),
                   self.follow(bus.url + "?from=start")]
        for stream in streams:
            stream.read_until("first")
        program = """
import fcntl, os, sys
path, word, count = sys.argv[1:]
for n in range(int(count)):
    with open(path, "ab", buffering=0) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.write(b"---\\nmsg_id: %s-%05d\\ntype: FACT\\n" % (word.encode(), n + 1))
        f.write(b"---\\nbody %d\\n" % n)
        f.write(b"---\\nof %s\\n" % word.encode())
"""
        writers = [subprocess.Popen([sys.executable, "-c", program, bus.path, "w%d" % n, "200"])
                   for n in range(4)]
        for writer in writers:
            self.addCleanup(writer.wait)
        for writer in writers:
            self.assertEqual(writer.wait(harness.seconds(60)), 0)
        bus.append(entry("last", "x"))
        with open(bus.path) as f:
            written = [line[len("msg_id: "):-1] for line in f if line.startswith("msg_id: ")]
        self.assertEqual(len(written), 802)
        for stream in streams:
            stream.read_until("last")
            self.assertEqual(stream.ids(), written)
            for message in stream.messages():
                if message["msg_id"].startswith("w"):
                    word, n = message["msg_id"].split("-")
                    self.assertEqual(message["body"], "body %d\n---\nof %s" % (int(n) - 1, word))

    def test_a_large_bus_does_not_hold_up_others(self):
        big = Bus(self.server, "big", text="".join(
            entry("b-%05d" % n, "x" * 2000) for n in range(1, 10001)))
        small = Bus(self.server, "small", text=entry("small", "x"))
        stream = self.follow(big.url)
        self.assertEqual(stream.read_until("b-10000"), ids(20, 9981, "b"))
        whole, other = self.follow(big.url + "?from=start"), self.follow(small.url)
        other.read_until("small", 5)
        self.assertEqual(whole.read_until("b-10000", 30), ids(10000, word="b"))


class Rotation(TestCase):
    def rotated(self, name):
        """A bus of which one client has read the half, and which is rotated then; the client's
        last id, and what it has yet to get."""
        bus = Bus(self.server, name, text=entries(ids(50)))
        first = self.follow(bus.url + "?from=start")
        first.read_until("m-00050")
        last_id = first.events[24].id
        first.close()
        bus.rotate()
        bus.append(entries(ids(10, 51)))
        return bus, last_id, ids(35, 26)

    def test_a_client_that_is_connected_loses_nothing(self):
        bus = Bus(self.server, "rotating", text=entries(ids(10)))
        self.is_listed(bus)
        streams = [self.follow(bus.url), self.follow(ALL, bus.project),
                   self.follow(bus.url + "?from=start")]
        for stream in streams:
            stream.read_until("m-00010")
        at = 10
        for round in range(5):
            bus.append(entries(ids(10, at + 1)))
            bus.rotate("2026022%dT000000Z" % round)
            bus.append(entries(ids(10, at + 11)))
            at += 20
            for stream in streams:
                stream.read_until("m-%05d" % at)
        for stream in streams:
            self.assertEqual(stream.ids(), ids(at))
            self.assertEqual(stream.gaps(), [])

    def test_one_that_is_behind_loses_nothing(self):
        bus = Bus(self.server, "behind", text=entries(ids(1)))
        slow = self.follow(bus.url, window_bytes=4096)
        slow.read_until("m-00001")
        prompt = self.follow(bus.url)
        at = 1
        for round in range(3):
            bus.append("".join(entry(i, "x" * 4000) for i in ids(500, at + 1)))
            at += 500
            prompt.read_until("m-%05d" % at)
            bus.rotate("2026022%dT000000Z" % round)
        bus.append(entries(ids(1, at + 1)))
        for stream in (prompt, slow):
            stream.read_until("m-%05d" % (at + 1), 30)
            self.assertEqual(stream.ids(), ids(at + 1))
            self.assertEqual(stream.gaps(), [])

    def test_one_that_was_away_resumes_by_the_id_of_an_event(self):
        bus, last_id, rest = self.rotated("away")
        stream = self.follow(bus.url, last_id=last_id)
        stream.read_until(rest[-1])
        self.assertEqual((stream.ids(), stream.gaps()), (rest, []))

    def test_a_bare_msg_id_says_nothing_of_the_file_and_is_unknown_once_that_was_rotated(self):
        bus, last_id, rest = self.rotated("bare")
        stream = self.follow(bus.url, last_id=last_id.partition(";")[0])
        stream.read_until(rest[-1])
        self.assertEqual((stream.ids(), stream.gaps()), (rest[-10:], ["cursor_invalid"]))

    def test_one_that_was_away_for_several_rotations_resumes(self):
        bus, last_id, rest = self.rotated("several")
        bus.rotate("20260221T000000Z")
        bus.append(entries(ids(10, 61)))
        stream = self.follow(bus.url, last_id=last_id)
        stream.read_until("m-00070")
        missed = [i for i in rest + ids(10, 61) if i not in stream.ids()]
        self.assertTrue(not missed or stream.gaps(), missed)
        self.assertEqual(len(stream.ids()), len(set(stream.ids())))

    def test_the_last_entry_of_a_file_that_is_rotated_at_once_comes(self):
        bus = Bus(self.server, "at-once", text=entries(ids(1)))
        stream = self.follow(bus.url)
        stream.read_until("m-00001")
        for n in range(2, 12):
            bus.append(entries(ids(1, n)))
            bus.rotate("202602%02dT000000Z" % n)
            bus.append("")  # and nothing in the new one
            stream.read_until("m-%05d" % n)
        self.assertEqual(stream.ids(), ids(11))

    def test_truncated_is_a_gap_and_what_is_there_now(self):
        bus = Bus(self.server, "truncated", text=entries(ids(50)))
        stream = self.follow(bus.url)
        stream.read_until("m-00050")
        os.truncate(bus.path, 0)
        stream.wait("gap")
        bus.append(entries(ids(3, word="n")))
        stream.read_until("n-00003")
        self.assertEqual(stream.ids()[20:], ids(3, word="n"))


if __name__ == "__main__":
    harness.main()
