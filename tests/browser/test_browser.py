#!/usr/bin/env python3
"""A real browser: Debian's chromium reads a run's stream with EventSource, through nginx.

Skipped where node, chromium or playwright-core (`make browser-modules`) is missing, unless
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
    if not os.path.isdir(os.path.join(MODULES, "node_modules", "playwright-core")):
        return "playwright-core is not installed: make browser-modules"
    return None


class Browser:
    def __init__(self, server):
        self.seen = []
        self.queue = queue.Queue()
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "browser.mjs"), "http://127.0.0.1:%d/" % server.port],
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


class EventSource(harness.TestCase):
    config = {"api": {"sse": {"heartbeat_interval_s": 1}}}

    @classmethod
    def setUpClass(cls):
        reason = missing()
        if reason and os.environ.get("RUNSTREAM_BROWSER_REQUIRED"):
            raise AssertionError(reason)
        if reason:
            raise unittest.SkipTest(reason)
        super().setUpClass()
        cls.browser = Browser(cls.server)
        cls.stack.callback(cls.browser.close)

    def setUp(self):
        self.browser.seen.clear()

    def open(self, run, name="run"):
        self.browser.tell(open=name, url="/api/v1/runs/%s/stream" % run.id)

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
            index = harness.wait_for("somebody serves it", lambda: [
                i for i, w in enumerate(self.server.status()["workers"])
                if w["counters"]["clients"]])[0]
            pid = self.server.worker_pids()[index]
            run.out("".join("line %d\n" % n for n in range(written + 1, written + 101)))
            os.kill(pid, signal.SIGKILL)
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


if __name__ == "__main__":
    harness.main()
