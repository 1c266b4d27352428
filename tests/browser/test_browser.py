#!/usr/bin/env python3
"""A real browser: Debian's chromium reads streams with EventSource, through nginx; and so does the
npm package "eventsource".

Skipped where node, chromium or a module (`make browser-modules`) is missing, unless
RUNSTREAM_BROWSER_REQUIRED is set: then that is a failure.
"""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import harness  # noqa: E402

MODULES = os.path.join(harness.BUILD, "tests", "browser")


def missing():
    if not shutil.which("node"):
        return "node is not installed"
    if not (shutil.which("chromium") or os.environ.get("CHROMIUM")):
        return "chromium is not installed"
    for module in ("playwright-core", "eventsource"):
        if not os.path.isdir(os.path.join(MODULES, "node_modules", module)):
            return module + " is not installed: make browser-modules"
    return None


class Browser:
    def __init__(self, server, program="browser.mjs"):
        self.seen = []
        self.queue = queue.Queue()
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, program), "http://127.0.0.1:%d/" % server.port],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=dict(server.environment, NODE_MODULES=MODULES, HOME=server.dir))
        threading.Thread(target=self.read, daemon=True).start()
        self.wait("the browser is up", lambda e: e["type"] == "ready", 60)

    def read(self):
        for line in self.process.stdout:
            self.queue.put(json.loads(line))
        self.queue.put(None)

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def wait(self, what, condition, within_s=20):
        """The next thing seen for which condition is true."""
        until = time.monotonic() + harness.seconds(within_s)
        while True:
            try:
                entry = self.queue.get(timeout=max(0.001, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError("waited in vain: %s; seen: %s" % (what, self.seen[-10:])) \
                    from None
            if entry is None:
                raise AssertionError("the browser ended; seen: %s" % self.seen[-10:])
            self.seen.append(entry)
            if condition(entry):
                return entry

    def event(self, event, name="run", **data):
        return self.wait("%s %s" % (event, data), lambda e: (
            e["type"] == "event" and e["name"] == name and e["event"] == event and
            all(e["data"].get(k) == v for k, v in data.items())))

    def numbers(self, name="run"):
        return [e["data"]["n"] for e in self.seen
                if e["type"] == "event" and e["event"] == "log" and e["name"] == name]

    def events(self, event, name="run"):
        return [e for e in self.seen
                if e["type"] == "event" and e["event"] == event and e["name"] == name]

    def requests(self, run):
        return [e for e in self.seen if e["type"] == "request" and "/%s/" % run.id in e["url"]]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(harness.seconds(20))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class TestCase(harness.TestCase):
    config = {"api": {"sse": {"heartbeat_interval_s": 1}}}
    program = "browser.mjs"

    @classmethod
    def setUpClass(cls):
        reason = missing()
        if reason and os.environ.get("RUNSTREAM_BROWSER_REQUIRED"):
            raise AssertionError(reason)
        if reason:
            raise unittest.SkipTest(reason)
        super().setUpClass()
        cls.browser = Browser(cls.server, cls.program)
        cls.stack.callback(cls.browser.close)

    def setUp(self):
        self.browser.seen.clear()

    def open(self, run, name="run"):
        self.browser.tell(open=name, url="/api/v1/runs/%s/stream" % run.id)

    def kill_who_serves(self):
        index = harness.wait_for("somebody serves it", lambda: [
            i for i, w in enumerate(self.server.status()["workers"])
            if sum(w["counters"]["clients"].values())])[0]
        os.kill(self.server.worker_pids()[index], signal.SIGKILL)


class EventSource(TestCase):
    def test_it_follows_live_survives_a_killed_worker_and_stops_after_complete(self):
        browser, run = self.browser, self.server.run(lines=10)
        self.open(run)
        browser.event("status", status="running")
        browser.event("log", line="line 10")
        written = 10
        for n in range(11, 21):
            run.out("line %d\n" % n)
            browser.event("log", line="line %d" % n)
            written = n
        for _ in range(3):  # whoever serves it dies, and the browser comes back by its id
            run.out("".join("line %d\n" % n for n in range(written + 1, written + 101)))
            self.kill_who_serves()
            run.out("".join("line %d\n" % n for n in range(written + 101, written + 201)))
            written += 200
            browser.wait("the browser notices", lambda e: e["type"] == "error")
            browser.event("log", line="line %d" % written)
        self.assertEqual(browser.numbers(), list(range(1, written + 1)))
        self.assertNotIn("gap", [e.get("event") for e in browser.seen])

        run.finish("completed", 0)
        browser.event("complete", status="completed")
        end = browser.wait("204", lambda e: e["type"] == "response" and e["status"] == 204)
        self.assertIn(run.id, end["url"])
        closed = browser.wait("EventSource gives up", lambda e: (
            e["type"] == "error" and e["state"] == 2))
        self.assertEqual(closed["name"], "run")
        asked = len(browser.requests(run))
        # Ten times the retry that it was told, by another stream's clock.
        other = self.server.run()
        self.open(other, "clock")
        browser.event("heartbeat", "clock")
        browser.event("heartbeat", "clock")
        self.assertEqual(len(browser.requests(run)), asked)
        self.assertEqual(browser.numbers(), list(range(1, written + 1)))
        browser.tell(close="clock")

    def test_it_reads_strange_text_as_it_was_written(self):
        browser, run = self.browser, self.server.run()
        text = "žluťoučký 🐎 \x1b[31mred\x1b[0m \"quoted\" \\ <b>&amp;</b> \u2028 \0 data: x"
        run.out(text + "\nnext\n")
        self.open(run, "strange")
        event = browser.wait("the line", lambda e: e.get("event") == "log")
        self.assertEqual(event["data"]["line"], text)
        run.finish()
        browser.event("complete", "strange")

    def test_a_refused_browser_comes_back_and_gets_in(self):
        config = {"api": {"sse": {"max_clients_per_run": 1, "refused_retry_s": 1}}}
        with harness.Server(config=config, workers=1) as server:
            run = server.run(lines=1)
            with server.stream(run) as first:
                first.wait_lines(1)
                browser = Browser(server)
                try:
                    browser.tell(open="run", url="/api/v1/runs/%s/stream" % run.id)
                    browser.event("refused")
                    first.close()
                    browser.event("log", line="line 1")
                finally:
                    browser.close()


class Kinds:
    """Each kind of stream, opened by an EventSource and cut off again and again: whoever serves it
    is killed, nginx is restarted."""

    def cut_off(self, write, until):
        """write() gives the next piece, until(piece) waits for it. Returns all pieces."""
        browser, pieces = self.browser, []

        def next_piece():
            pieces.append(write(len(pieces) + 1))
        next_piece()
        until(pieces[-1])
        for cut in (self.server.restart_nginx, self.kill_who_serves, self.server.restart_nginx):
            next_piece()
            cut()
            next_piece()
            browser.wait("it is cut off", lambda e: e["type"] == "error")
            next_piece()
            until(pieces[-1])
        return pieces

    def stops(self, run):
        """It came back with the id of the end, was told so, and comes no more."""
        browser = self.browser
        browser.wait("204", lambda e: e["type"] == "response" and e["status"] == 204)
        browser.wait("it gives up", lambda e: (
            e["type"] == "error" and e["name"] == "run" and e["state"] == 2))
        asked = len(browser.requests(run))
        self.open(self.server.run(), "clock")
        browser.event("heartbeat", "clock")
        self.assertEqual(len(browser.requests(run)), asked)
        browser.tell(close="clock")

    def assert_no_gap(self):
        self.assertEqual(self.browser.events("gap"), [])

    def wait_nobody(self):
        harness.wait_for("nobody is left", lambda: self.server.counters()["clients"] == 0)

    def tearDown(self):
        self.wait_nobody()

    def test_log(self):
        run = self.server.run()
        self.open(run)
        self.browser.event("status")

        def write(n):
            run.out("".join("line %d\n" % i for i in range(100 * n - 99, 100 * n + 1)))
            return n
        pieces = self.cut_off(write, lambda n: self.browser.event("log", n=100 * n))
        run.finish()
        self.browser.event("complete", status="completed")
        self.stops(run)
        self.assertEqual(self.browser.numbers(), list(range(1, 100 * len(pieces) + 1)))
        self.assert_no_gap()

    def test_recorded_events(self):
        run = self.server.run()

        def write(n):
            with open(os.path.join(run.path, "events.jsonl"), "a") as f:
                f.write('{"type":"unit.completed"}\n' * 20)
            return 20 * n
        self.browser.tell(open="run", url="/api/runs/%s/stream" % run.id)
        self.browser.event("state")
        pieces = self.cut_off(write, lambda seq: self.browser.event("event", seq=seq))
        run.finish()
        self.browser.event("complete", status="completed")
        self.stops(run)
        self.assertEqual([e["data"]["seq"] for e in self.browser.events("event")],
                         list(range(1, pieces[-1] + 1)))
        self.assertEqual(self.browser.events("state")[-1]["data"]["completed_units"], pieces[-1])
        self.assert_no_gap()

    def test_file(self):
        run, written = self.server.run(project="of-file", task="t"), []

        def write(n):
            written.append("".join("řádek %d-%d\r\n" % (n, i) for i in range(50)) + "end %d " % n)
            run.out(written[-1])
            return n
        self.browser.tell(open="run", raw=True, url=(
            "/api/projects/of-file/tasks/t/runs/%s/stream?name=stdout" % run.id))

        def until(n):
            self.browser.wait("piece %d" % n, lambda e: e["type"] == "event" and
                              e["event"] == "message" and ("end %d " % n) in e["data"])
        self.cut_off(write, until)
        run.finish()
        self.browser.event("done")
        self.stops(run)
        self.assertEqual("".join(e["data"] for e in self.browser.events("message")),
                         "".join(written).replace("\r", ""))
        self.assert_no_gap()

    def test_messages(self):
        folder = os.path.join(self.server.runs_dir, "of-messages")
        os.makedirs(folder, exist_ok=True)

        def write(n):
            with open(os.path.join(folder, "PROJECT-MESSAGE-BUS.md"), "a") as f:
                for i in range(10):
                    f.write("---\nmsg_id: %s-%d-%d\ntype: FACT\n---\nbody\n" % (
                        self.id(), n, i))
            return n
        self.browser.tell(open="run", url="/api/projects/of-messages/messages/stream?from=end")
        self.browser.wait("it is open", lambda e: e["type"] == "open")
        pieces = self.cut_off(write, lambda n: self.browser.event(
            "message", msg_id="%s-%d-9" % (self.id(), n)))
        self.assertEqual([e["data"]["msg_id"] for e in self.browser.events("message")],
                         ["%s-%d-%d" % (self.id(), n, i) for n in pieces for i in range(10)])
        self.assert_no_gap()
        self.browser.tell(close="run")

    def of_many(self, url, told, write, event, **data):
        """Streams of many: cut off they are resumed, without a gap."""
        self.browser.tell(open="run", url=url)
        told()
        for cut in (None, self.kill_who_serves, self.server.restart_nginx):
            if cut:
                cut()
                self.browser.wait("it is cut off", lambda e: e["type"] == "error")
                told()
            write()
            self.browser.event(event, **data)
        self.assert_no_gap()
        self.browser.tell(close="run")

    def test_logs_of_many(self):
        run = self.server.run(project="of-many", task="t")
        for url in ("/api/v1/runs/stream/all", "/api/projects/of-many/tasks/t/runs/stream"):
            self.of_many(url, lambda: self.browser.event("status", run_id=run.id),
                         lambda: run.out("a line\n"), "log", run_id=run.id, line="a line")
            self.wait_nobody()

    def test_events_of_many(self):
        run = self.server.run()

        def write():
            with open(os.path.join(run.path, "events.jsonl"), "a") as f:
                f.write('{"type":"note"}\n')
        write()
        self.of_many("/api/stream", lambda: self.browser.event("state", id=run.id), write,
                     "event", run_id=run.id, type="note")

    def test_messages_of_many(self):
        folder = os.path.join(self.server.runs_dir, "all-messages")
        os.makedirs(folder, exist_ok=True)

        def write():
            with open(os.path.join(folder, "PROJECT-MESSAGE-BUS.md"), "a") as f:
                f.write("---\nmsg_id: %d\ntype: FACT\n---\nbody\n" % time.monotonic_ns())
        write()
        # (It is told nothing at connecting but messages.)
        self.of_many("/api/v1/messages/stream", lambda: None, write, "message",
                     project_id="all-messages")


class KindsInTheBrowser(Kinds, TestCase):
    pass


class KindsInThePackage(Kinds, TestCase):
    program = "package_client.mjs"


if __name__ == "__main__":
    harness.main()
