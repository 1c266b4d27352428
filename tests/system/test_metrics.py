#!/usr/bin/env python3
"""/metrics: that Prometheus can read it, and that it tells what happened, of all workers."""

import os
import re
import shutil
import signal
import subprocess
import unittest

import harness
from test_peers import STDIN, Peer, head, record

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r'(%s)(?:\{([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"\})? (\d+)' % NAME)


def parsed(text):
    """{name: {label's value, or None: number}} of the exposition format, strictly read."""
    metrics, kinds, current = {}, {}, None
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    while lines:
        line = lines.pop(0)
        told = re.fullmatch(r"# HELP (%s) (?:[^\\]|\\[\\n])+" % NAME, line)
        if told:
            current = told.group(1)
            assert current not in metrics, "told twice: " + current
            kind = re.fullmatch(r"# TYPE %s (counter|gauge)" % current, lines.pop(0))
            assert kind, current
            kinds[current] = kind.group(1)
            assert current.endswith("_total") == (kind.group(1) == "counter"), current
            metrics[current] = {}
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, "not a sample: " + line
        name, _, value, number = sample.groups()
        assert name == current, "not in one piece: " + line
        assert value not in metrics[name], "twice: " + line
        metrics[name][value] = int(number)
    for name, samples in metrics.items():
        assert name.startswith("runstream_") and samples, name
    return metrics


class TestCase(harness.TestCase):
    def text(self):
        answer = self.server.get("/metrics")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.body.decode()

    def metrics(self):
        return parsed(self.text())

    def asked_of(self, worker):
        """The same from one worker."""
        with Peer(self.server, head("/metrics") + record(STDIN), worker) as peer:
            headers, _, body = peer.all().decode().partition("\r\n\r\n")
            self.assertTrue(headers.startswith("Status: 200"), headers)
            return parsed(body)


class Metrics(TestCase):
    def test_prometheus_is_told_how_to_read_it(self):
        answer = self.server.get("/metrics")
        self.assertEqual(answer.headers["content-type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(answer.headers["cache-control"], "no-store")
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
        answer = self.server.get("/metrics", method="HEAD")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(answer.headers["content-type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        answer = self.server.get("/metrics", {"Content-Length": "0"}, "POST")
        self.assert_error(answer, 405)
        self.assertEqual(answer.headers["allow"], "GET, HEAD, OPTIONS")

    def test_other_ways_to_write_the_path_lead_nowhere(self):
        self.assertEqual(self.server.get("/metrics?name=x").status, 200)
        for path in ("//metrics", "/metric%73", "/api/metrics", "/api/v1/metrics"):
            self.assertEqual(self.server.get(path).status, 404, path)

    def test_each_counter_of_the_status_is_there_for_each_worker(self):
        metrics = self.metrics()
        for name in self.server.counters():
            samples = metrics.get("runstream_" + name) or metrics["runstream_%s_total" % name]
            self.assertEqual(set(samples), {"1", "2"}, name)

    def test_the_others_are_those_of_the_page(self):
        metrics = self.metrics()
        counters = self.server.counters()
        others = {name for name in metrics
                  if name.removeprefix("runstream_").removesuffix("_total") not in counters}
        with open(os.path.join(harness.SOURCE, "man", "runstream-http.7")) as f:
            self.assertEqual(others, set(re.findall(r"\brunstream_[a-z_]+", f.read())))
        self.assertEqual(metrics["runstream_up"], {"discovery": 1, "worker-1": 1, "worker-2": 1})
        version = self.server.get("/api/v1/version").json()["version"]
        self.assertEqual(metrics["runstream_build_info"], {version: 1})

    def test_lines_of_a_stream_show_in_the_sum(self):
        sent = "runstream_lines_sent_total"
        before = self.metrics()
        run = self.server.run(lines=20)
        with self.server.stream(run) as stream:
            stream.wait_lines(20)
            self.assertEqual(sum(self.metrics()["runstream_clients"].values()), 1)
        for worker in (1, 2):
            after = self.asked_of(worker)
            self.assertEqual(sum(after[sent].values()) - sum(before[sent].values()), 20)
            self.assertEqual(after["runstream_runs"][None], before["runstream_runs"][None] + 1)
        harness.wait_for("the client is gone", lambda: not any(
            self.metrics()["runstream_clients"].values()))

    def test_promtool_has_nothing_to_say(self):
        promtool = shutil.which("promtool")
        if not promtool:
            self.skipTest("promtool is not installed")
        result = subprocess.run([promtool, "check", "metrics"], input=self.text(), text=True,
                                capture_output=True)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))


class Killed(TestCase):
    """A worker that is dead has no samples; the next one begins anew."""

    def test_a_killed_worker_s_samples_vanish_and_begin_anew(self):
        requests = "runstream_requests_total"
        for _ in range(50):
            self.asked_of(1)
        self.assertGreaterEqual(self.asked_of(2)[requests]["1"], 50)
        kills = 0
        # Killed again and again it is away for longer each time.
        while True:
            pid = harness.wait_for("it lives", lambda: self.server.worker_pids()[0])
            os.kill(pid, signal.SIGKILL)
            kills += 1
            harness.wait_for("it is noticed", lambda: self.server.worker_pids()[0] != pid)
            metrics = self.asked_of(2)
            if metrics["runstream_up"]["worker-1"] == 0:
                break
            self.assertLess(kills, 10)
        for name, samples in metrics.items():
            self.assertNotIn("1", samples, name)
        self.assertEqual(metrics["runstream_up"], {"discovery": 1, "worker-1": 0, "worker-2": 1})
        harness.wait_for("it is back", lambda: self.server.worker_pids()[0], 30)
        self.asked_of(1)  # which it answers when it has begun
        metrics = self.asked_of(2)
        self.assertLess(metrics[requests]["1"], 50)
        self.assertEqual(metrics["runstream_restarts_total"],
                         {"discovery": 0, "worker-1": kills, "worker-2": 0})


class Prefix(unittest.TestCase):
    def status(self, server, path):
        with Peer(server, head(path) + record(STDIN)) as peer:
            return peer.all().split(b"\r\n")[0]

    def test_it_is_beneath_no_prefix(self):
        for prefix in ("/metrics", "/a/b"):
            with self.subTest(prefix), harness.Server({"api": {"prefix": prefix}}, workers=1,
                                                      nginx=False) as server:
                for path in (prefix + "/v1/health", "/metrics", "/metrics?x=1"):
                    self.assertEqual(self.status(server, path), b"Status: 200 OK", path)
                for path in (prefix + "/metrics/x", "/metrics/", "/metrics/metrics", "/v2/metrics"):
                    self.assertEqual(self.status(server, path), b"Status: 404 Not Found", path)


if __name__ == "__main__":
    harness.tap.main()
