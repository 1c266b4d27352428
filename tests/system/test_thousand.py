#!/usr/bin/env python3
"""A thousand streams at once, through nginx: opened, fed, closed, and nothing lost or left over. Nine
thousand are a benchmark (tests/bench/many_streams.py).
"""

import json
import os
import subprocess

import harness

STREAMS = 1000
LINES = 30
MOST_KIB = 8  # a stream, all that a worker keeps of it, and what malloc rounds up


def program(name):
    return os.path.join(harness.BUILD, "tests", "bench", name)


class Thousand(harness.TestCase):
    config = {"api": {"sse": {"max_clients_per_run": STREAMS}}}

    def state(self):
        pids = self.server.worker_pids()
        return (sum(harness.descriptors(pid) for pid in pids),
                sum(harness.resident_kib(pid) for pid in pids))

    def test_all_have_every_line_and_leave_nothing_behind(self):
        run = self.server.run()
        with self.stream(run, "wait_s=10") as stream:
            stream.wait("status")
        before_fds, before_kib = harness.wait_for("nobody is there", lambda: (
            self.server.counters()["clients"] == 0 and self.state()))
        load = subprocess.Popen(
            [program("sse_load"), "--clients=%d" % STREAMS, "--lines=%d" % LINES, "--hold",
             "--deadline-s=%d" % harness.seconds(60),
             "http://127.0.0.1:%d/api/v1/runs/%s/stream" % (self.server.port, run.id)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(load.wait)
        self.addCleanup(load.kill)
        self.assertEqual(load.stdout.readline(), "ready\n")
        subprocess.run([program("log_writer"), "--lines=%d" % LINES, "--rate=30", run.stdout],
                       check=True)
        self.assertEqual(load.stdout.readline(), "done\n")
        counters = self.server.counters()
        self.assertEqual(counters["clients"], STREAMS)
        self.assertEqual(len(self.server.ctl_json("clients")["clients"]), STREAMS)
        fds, kib = self.state()
        self.assertLessEqual(fds - before_fds, STREAMS + 20)
        if harness.MEMORY_TELLS:
            self.assertLess(kib - before_kib, STREAMS * MOST_KIB)
        result = json.loads(load.communicate()[0])
        self.assertEqual(result["lines"], STREAMS * LINES, result)
        for fault in ("missing", "repeated", "disordered", "foreign", "gaps", "refusals",
                      "refused_connections", "ended_early"):
            self.assertEqual(result[fault], 0, result)
        harness.wait_for("all are closed", lambda: self.server.counters()["clients"] == 0)
        left = harness.wait_for("descriptors are as before", lambda: (
            self.state()[0] <= before_fds and self.state()))
        told = self.server.log().count("event=stream_ended")
        self.assertEqual(told, STREAMS + 1)
        print("# %d streams: %d descriptors and %.1f KiB each; %d descriptors left over"
              % (STREAMS, fds - before_fds, (kib - before_kib) / STREAMS, left[0] - before_fds))


if __name__ == "__main__":
    harness.main()
