#!/usr/bin/env python3
"""/metrics: that Prometheus can read it, and that it tells what happened, of all workers."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import unittest

import harness
from test_clients import stuck_client
from test_peers import STDIN, Peer, head, record

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"'
SAMPLE = re.compile(r"(%s)(?:\{(%s(?:,%s)*)\})? (\d+(?:\.\d+)?)" % (NAME, LABEL, LABEL))


def key_of(labels):
    """The values of the labels, in order: of one alone its value, None without any."""
    values = tuple(value for _, value in re.findall(LABEL, labels or ""))
    return values[0] if len(values) == 1 else values or None


def check_histogram(name, samples):
    """Of each set of labels: the buckets add up to the count, which is the last one's."""
    buckets = {}
    for (suffix, *values), number in samples.items():
        if suffix == "_bucket":
            buckets.setdefault(tuple(values[:-1]), []).append((values[-1], number))
    assert buckets, name
    for values, found in buckets.items():
        bounds = [float(bound) for bound, _ in found]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf"), found
        numbers = [number for _, number in found]
        assert numbers == sorted(numbers), found
        assert samples[("_count", *values)] == numbers[-1], found
        assert ("_sum", *values) in samples, name


def parsed(text):
    """{name: {labels' values (key_of()): number}} of the exposition format, strictly read; those of
    a histogram with the suffix before them."""
    metrics, kinds, current = {}, {}, None
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    while lines:
        line = lines.pop(0)
        told = re.fullmatch(r"# HELP (%s) (?:[^\\]|\\[\\n])+" % NAME, line)
        if told:
            current = told.group(1)
            assert current not in metrics, "told twice: " + current
            kind = re.fullmatch(r"# TYPE %s (counter|gauge|histogram)" % current, lines.pop(0))
            assert kind, current
            kinds[current] = kind.group(1)
            assert current.endswith("_total") == (kind.group(1) == "counter"), current
            metrics[current] = {}
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, "not a sample: " + line
        name, labels, number = sample.group(1), sample.group(2), sample.groups()[-1]
        key = key_of(labels)
        if kinds[current] == "histogram":
            suffix = name.removeprefix(current)
            assert suffix in ("_bucket", "_sum", "_count"), line
            key = (suffix, *(key if isinstance(key, tuple) else (key,) if key else ()))
        else:
            assert name == current, "not in one piece: " + line
        assert key not in metrics[current], "twice: " + line
        metrics[current][key] = float(number) if "." in number else int(number)
    for name, samples in metrics.items():
        assert name.startswith("runstream_") and samples, name
        if kinds[name] == "histogram":
            check_histogram(name, samples)
    return metrics


def summed(samples, *labels):
    """Of those samples whose labels' values include these."""
    return sum(number for key, number in samples.items()
               if set(labels) <= set(key if isinstance(key, tuple) else (key,)))


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

    def test_each_figure_of_the_status_is_there(self):
        metrics = self.metrics()
        told = {name.removeprefix("runstream_").removesuffix("_total").removesuffix("_seconds")
                for name in metrics}
        counted = {re.sub("_[um]s$", "", name) for name in self.server.counters_by_word()}
        self.assertEqual(told - counted, {"up", "restarts", "replacements", "runs_capacity", "buses_capacity",
                                          "build_info"})
        self.assertEqual(counted - told, set())

    def test_processes_and_version_are_told(self):
        metrics = self.metrics()
        self.assertEqual(metrics["runstream_up"],
                         {"discovery": 1, ("worker", "1"): 1, ("worker", "2"): 1})
        version = self.server.get("/api/v1/version").json()["version"]
        self.assertEqual(metrics["runstream_build_info"], {version: 1})

    def test_runs_are_told_by_status_and_looks_go_on(self):
        before = self.metrics()
        self.server.run(status="queued")
        self.server.run(status="strange")
        harness.wait_for("they are known", lambda: all(
            self.metrics()["runstream_runs"][status] == before["runstream_runs"][status] + 1
            for status in ("queued", "other")))
        for name, key in (("last_look_timestamp_seconds", None), ("look_seconds", ("_count",))):
            harness.wait_for(name, lambda name=name, key=key: self.metrics()[
                "runstream_" + name][key] > before["runstream_" + name][key])

    def test_every_process_tells_how_long_the_turns_of_its_loop_are(self):
        turns = self.metrics()["runstream_loop_turn_seconds"]
        for labels in (("worker", "1"), ("worker", "2"), ("discovery",), ("supervisor",)):
            self.assertGreater(turns[("_count", *labels)], 0, labels)

    def test_streams_are_told_by_kind_and_by_how_they_end(self):
        before = self.metrics()
        run = self.server.run(lines=1)
        run.finish()
        with self.server.stream(run) as stream:
            stream.read_until_complete()
        with self.server.open("/api/v1/runs/stream/all"):
            harness.wait_for("it is counted", lambda: summed(
                self.metrics()["runstream_clients"], "all") == 1)
        self.assertEqual(self.server.get("/api/v1/runs/nobody/stream").status, 404)

        def grown(name, word):
            return summed(self.metrics()[name], word) - summed(before[name], word)
        for how in ("complete", "client_gone", "refused"):
            harness.wait_for(how, lambda how=how: grown("runstream_streams_ended_total", how) >= 1)
        self.assertEqual(grown("runstream_streams_begun_total", "log"), 2)
        self.assertEqual(grown("runstream_streams_begun_total", "all"), 1)
        self.assertEqual(grown("runstream_streams_begun_total", "file"), 0)

    def count_sent(self):
        # Whoever serves the stream has been through a turn when it answers: who was given all that
        # there is waits for what comes next, and that is measured.
        return [sum(number for key, number in
                    self.asked_of(worker)["runstream_append_to_send_seconds"].items()
                    if key[0] == "_count") for worker in (1, 2)][1]

    def wait_sent(self, count):
        harness.wait_for("%d are counted" % count, lambda: self.count_sent() >= count)
        self.assertEqual(self.count_sent(), count)

    def test_what_is_appended_is_measured_once_until_it_is_sent(self):
        run = self.server.run(lines=3)
        with self.server.stream(run) as stream:
            stream.wait_lines(3)
            before, waited = self.count_sent(), summed(
                self.metrics()["runstream_append_to_send_seconds"], "_sum")
            for n in range(5):
                run.out("one more\nand one\n")
                stream.wait_lines(5 + 2 * n)
                self.wait_sent(before + 1 + n)
            took = summed(self.metrics()["runstream_append_to_send_seconds"], "_sum") - waited
            self.assertLess(took, 5 * harness.seconds(2))
            self.assertGreater(took, 0)
            # A line that is waited for on purpose says nothing about us; its end does.
            run.out("unfinished")
            stream.wait("log", partial=True)
            self.assertEqual(self.count_sent(), before + 5)
            run.out("\n")
            stream.wait_lines(14)
            self.wait_sent(before + 6)
            # Who comes later and reads what was there is not late.
            with self.server.stream(run) as other:
                other.wait_lines(14)
            self.assertEqual(self.count_sent(), before + 6)

    def test_the_times_that_files_bear_are_not_believed_blindly(self):
        run = self.server.run(lines=1)
        with self.server.stream(run) as stream:
            stream.wait_lines(1)
            before = self.metrics()["runstream_append_to_send_seconds"]
            for n, age_s in enumerate((1000000, -1000000)):
                copy = run.stdout + ".copy"
                with open(run.stdout, "rb") as f, open(copy, "wb") as g:
                    g.write(f.read() + b"again\n")
                os.utime(copy, (time.time() - age_s,) * 2)
                os.rename(copy, run.stdout)
                stream.wait_lines(2 + 3 * n)
            after = self.metrics()["runstream_append_to_send_seconds"]
            self.assertLess(summed(after, "_sum") - summed(before, "_sum"), harness.seconds(20))

    def test_gaps_are_told_by_reason(self):
        run = self.server.run(lines=3)
        before = self.metrics()["runstream_gaps_total"]
        with self.server.stream(run, last_id="what?") as stream:
            stream.wait_lines(3)
        harness.wait_for("it is counted", lambda: summed(
            self.metrics()["runstream_gaps_total"], "cursor_invalid") ==
            summed(before, "cursor_invalid") + 1)

    def test_who_is_refused_is_told_by_reason(self):
        run = self.server.run(lines=1)
        before = self.metrics()["runstream_clients_refused_total"]
        streams = [self.server.stream(run) for _ in range(10)]
        for stream in streams:
            stream.wait_lines(1)
        self.assertEqual(self.server.get("/api/v1/runs/%s/stream" % run.id).status, 429)
        self.assertEqual(summed(self.metrics()["runstream_clients_refused_total"], "run_full"),
                         summed(before, "run_full") + 1)
        for stream in streams:
            stream.close()

    def test_lines_of_a_stream_show_in_the_sum(self):
        sent = "runstream_lines_sent_total"
        before = self.metrics()
        run = self.server.run(lines=20)
        with self.server.stream(run) as stream:
            stream.wait_lines(20)
            self.assertEqual(sum(self.metrics()["runstream_clients"].values()), 1)
            harness.wait_for("they are counted", lambda: sum(
                self.metrics()[sent].values()) - sum(before[sent].values()) >= 20)
        for worker in (1, 2):
            after = self.asked_of(worker)
            self.assertEqual(sum(after[sent].values()) - sum(before[sent].values()), 20)
            self.assertEqual(summed(after["runstream_runs"]), summed(before["runstream_runs"]) + 1)
        harness.wait_for("the client is gone", lambda: not any(
            self.metrics()["runstream_clients"].values()))


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
class Load(TestCase):
    """Prometheus' own tool has nothing to say of an instance that has much to do and to bear."""

    config = {"recording": {"allow_from": ["127.0.0.1"]}, "server": {"drain_ms": 300}}

    def check(self):
        text = self.text()
        result = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                capture_output=True)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""), text)
        return parsed(text)

    def write(self, runs):
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(open(run.stdout, "a")) for run in runs]
            while not self.is_over.wait(0.005):
                for f in files:
                    f.write("one more line\n")
                    f.flush()

    def test_promtool_has_nothing_to_say(self):
        self.check()
        self.is_over = threading.Event()
        runs = [self.server.run(project="p", task="t", lines=50) for _ in range(12)]
        for run in runs:
            self.server.stream(run, "wait_s=10").close()
        writer = threading.Thread(target=self.write, args=(runs,))
        writer.start()
        self.addCleanup(writer.join)
        self.addCleanup(self.is_over.set)
        for n, run in enumerate(runs):
            for _ in range(11 if n == 0 else 8):  # to one more than there is room for
                stream = self.server.stream(run, last_id="what?")
                self.addCleanup(stream.close)
            self.open("/api/projects/p/tasks/t/runs/%s/stream" % run.id)
            self.open("/api/runs/%s/stream" % run.id)
        for path in ("/api/v1/runs/stream/all", "/api/v1/messages/stream", "/api/stream",
                     "/api/projects/p/tasks/t/runs/stream"):
            self.open(path)
        self.addCleanup(stuck_client(self.server, runs[1]).close)
        # Before its workers are replaced, whose figures go with them.
        harness.wait_for("what is sent is measured", lambda: summed(
            self.check()["runstream_append_to_send_seconds"], "_count"))
        # What may fail, fails.
        for run in runs[:3]:
            run.replace("agent-stdout.txt", "another\n")
        elsewhere = self.server.runs_dir + ".elsewhere"
        os.rename(self.server.runs_dir, elsewhere)
        harness.wait_for("it is missed", lambda: self.check()["runstream_runs_dir_missing"][None])
        os.rename(elsewhere, self.server.runs_dir)
        self.assertNotEqual(self.server.ctl("kick", "9-9", check=False).returncode, 0)
        os.kill(self.server.worker_pids()[1], signal.SIGKILL)
        self.check()
        self.server.ctl("drain", "1")
        metrics = self.check()
        self.assertGreater(summed(metrics["runstream_faults_total"], "runs_dir"), 0)
        self.assertGreater(summed(metrics["runstream_replacements_total"]), 0)
        harness.wait_for("the killed one is counted", lambda: summed(
            self.metrics()["runstream_restarts_total"]))


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
            if metrics["runstream_up"][("worker", "1")] == 0:
                break
            self.assertLess(kills, 10)
        for name, samples in metrics.items():
            for key in samples:
                labels = key if isinstance(key, tuple) else (key,)
                if labels[0] == "_bucket":
                    labels = labels[:-1]
                if name not in ("runstream_up", "runstream_restarts_total",
                                "runstream_replacements_total"):
                    self.assertNotIn("1", labels, name)
        self.assertEqual(metrics["runstream_up"],
                         {"discovery": 1, ("worker", "1"): 0, ("worker", "2"): 1})
        harness.wait_for("it is back", lambda: self.server.worker_pids()[0], 30)
        self.asked_of(1)  # which it answers when it has begun
        metrics = self.asked_of(2)
        self.assertLess(metrics[requests]["1"], 50)
        self.assertEqual(metrics["runstream_restarts_total"],
                         {"discovery": 0, ("worker", "1"): kills, ("worker", "2"): 0})


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
