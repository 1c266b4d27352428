#!/usr/bin/env python3
"""The log: access lines, what strange names cannot do, a stderr that nobody reads."""

import os
import re
import shutil
import threading
import time
import unittest

import harness
from test_clients import stuck_client

PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)')


def parsed(line):
    """{key: value} of a line, which must be nothing but pairs, each key once."""
    pairs, at = {}, 0
    while at < len(line):
        found = PAIR.match(line, at)
        assert found, "not key=value at %d: %s" % (at, line)
        assert found.group(1) not in pairs, "twice: " + line
        pairs[found.group(1)] = found.group(2)
        at = found.end()
    return pairs


def lines_of(server, event):
    return [line for line in map(parsed, server.log().splitlines()) if line["event"] == event]


class AccessCase(harness.TestCase):
    def wait_line(self, run_id, how):
        return harness.wait_for("a line of %s, %s" % (run_id, how), lambda: next(
            (line for line in lines_of(self.server, "stream_ended")
             if line["run_id"] == run_id and line["how"] == how), None))


class Access(AccessCase):
    def test_each_stream_leaves_a_line_that_says_how_it_ended(self):
        run = self.server.run(lines=20)
        with self.server.stream(run) as stream:
            stream.wait_lines(20)
        line = self.wait_line(run.id, "client_gone")
        self.assertEqual((line["kind"], line["status"], line["lines"], line["address"]),
                         ("log", "200", "20", "127.0.0.1"))
        self.assertGreater(int(line["bytes"]), 1000)
        self.assertRegex(line["client"], r"^[12]-\d+$")
        self.assertRegex(line["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(line["role"], r"^worker-[12]$")
        run.finish()
        with self.server.stream(run) as stream:
            stream.read_until_complete()
            last_id = stream.last_id
        self.wait_line(run.id, "complete")
        self.assertEqual(self.server.stream(run, last_id=last_id).status, 204)
        self.assertEqual(self.wait_line(run.id, "nothing_more")["status"], "204")
        self.assertEqual(self.server.stream("nobody").status, 404)
        self.assertEqual(self.wait_line("nobody", "refused")["status"], "404")

    def test_one_that_was_kicked_says_so(self):
        run = self.server.run(lines=1)
        with self.server.stream(run) as stream:
            stream.wait_lines(1)
            client = harness.wait_for("it is listed", lambda: next(
                (c for c in self.server.ctl_json("clients")["clients"] if c["run_id"] == run.id), None))
            self.server.ctl("kick", client["client"])
            self.assertIsNone(stream.next())
        self.assertEqual(self.wait_line(run.id, "kicked")["client"], client["client"])

    def test_no_name_forges_a_line_or_a_key(self):
        name = 'a" event=forged x=" \u00e9=1'
        folder = os.path.join(self.server.runs_dir, "p", "t", "runs", name)
        os.makedirs(folder)
        with open(os.path.join(folder, "run-info.yaml"), "w") as f:
            f.write("version: 99\n")
        line = harness.wait_for("the one that is too new is told", lambda: next(
            iter(lines_of(self.server, "run_info_version")), None))
        self.assertIn(r'a\" event=forged x=\" \xc3\xa9=1', line["path"])
        self.assertEqual(lines_of(self.server, "forged"), [])


class Ends(AccessCase):
    """The rest of the ways to end; "failed" needs a fault (tests/fault/test_memory.py)."""

    config = {"api": {"sse": {"client_timeout_s": 1}}, "server": {"drain_ms": 300}}

    def test_one_whose_run_was_deleted_says_so(self):
        run = self.server.run(lines=2)
        with self.server.stream(run) as stream:
            stream.wait_lines(2)
            shutil.rmtree(run.path)
            stream.wait("gone")
            self.assertIsNone(stream.next())
        line = self.wait_line(run.id, "gone")
        self.assertEqual((line["status"], line["lines"]), ("200", "2"))

    def test_one_that_took_nothing_says_so(self):
        run = self.server.run()
        self.addCleanup(stuck_client(self.server, run).close)
        run.out(("x" * 1000 + "\n") * 10000)
        line = self.wait_line(run.id, "timeout")
        self.assertGreaterEqual(int(line["lasted_ms"]), 1000)

    def test_one_whose_worker_was_drained_says_so(self):
        run = self.server.run(lines=2)
        with self.server.stream(run) as stream:
            stream.wait_lines(2)
            while "status" not in stream.names():  # before or behind the lines
                stream.next()
            self.server.ctl("drain")
            self.assertIsNone(stream.next())
            self.assertTrue(stream.clean)
        self.assertEqual(self.wait_line(run.id, "drained")["lines"], "2")


class Quiet(harness.TestCase):
    config = {"log": {"access": False}}

    def test_access_lines_can_be_left_out(self):
        run = self.server.run(lines=1)
        with self.server.stream(run) as stream:
            stream.wait_lines(1)
        harness.wait_for("it is over", lambda: self.server.counters()["clients"] == 0)
        self.assertEqual(lines_of(self.server, "stream_ended"), [])


class Stuck(unittest.TestCase):
    def test_a_stderr_that_nobody_reads_keeps_no_stream_waiting(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)

        class Server(harness.Server):
            def popen(self, command, **options):
                if harness.RUNSTREAMD in command:
                    options.update(stderr=writer)
                return super().popen(command, **options)
        with Server(workers=1) as server:
            os.close(writer)
            run = server.run(lines=1)

            def dropped():
                return server.counters()["log_lines_dropped"]
            # Each leaves a line, of more than 200 bytes: a pipe has room for 64 KiB.
            for _ in range(600):
                self.assertEqual(server.stream("nobody").status, 404)
                if dropped() > 0:
                    break
            self.assertGreater(dropped(), 0)
            with server.stream(run) as stream:
                stream.wait_lines(1)
                run.out("more\n")
                stream.wait_lines(2)
            # Once somebody reads again, it is told how many were lost.
            text, told = b"", threading.Event()

            def read():
                nonlocal text
                while b"event=lines_dropped" not in text:
                    text += os.read(reader, 65536)
                told.set()
                while os.read(reader, 65536):
                    pass
            thread = threading.Thread(target=read, daemon=True)
            thread.start()
            until = time.monotonic() + harness.seconds(10)
            while not told.is_set() and time.monotonic() < until:
                server.stream("nobody").close()
            self.assertTrue(told.is_set())


if __name__ == "__main__":
    harness.main()
