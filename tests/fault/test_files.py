#!/usr/bin/env python3
"""Files that cannot be read, or not yet: EIO, ESTALE, no descriptors, a mount that hangs."""

import errno
import os
import threading
import time

import faults
from faults import harness


class Files(faults.TestCase):
    workers = 1
    wants_restart = True

    def setUp(self):
        super().setUp()
        self.worker = self.server.worker_pids()[0]

    def rule(self, call, error, **about):
        return self.faults.rule(call, error, pid=self.worker, **about)

    def check_late_but_once(self, run, fault, event, what, written=3):
        """With the fault a stream waits; without it every line comes, once."""
        with fault:
            stream = self.stream(run)
            fault.wait(3)
            self.wait_log(event)
            self.assertEqual(stream.logs(), [])
        stream.wait_lines(written)
        run.out("more\n")
        run.finish()
        stream.read_until_complete()
        self.assertEqual(stream.lines(), ["line %d" % n for n in range(1, written + 1)] + ["more"])
        self.assertNotIn("gap", stream.names())
        self.assertEqual(self.count_log(event), 1)
        self.wait_fault_counted(what)

    def test_a_log_that_cannot_be_read_is_streamed_when_it_can(self):
        run = self.server.run(lines=3)
        self.check_late_but_once(run, self.rule("read", errno.EIO, path="*/%s/*" % run.id),
                                 "read_failed", "read")
        self.wait_log("read_failed over=1", 0, 30)

    def test_a_stale_handle_at_reading_is_a_delay(self):
        run = self.server.run(lines=3)
        self.check_late_but_once(run, self.rule("read", errno.ESTALE, path="*/%s/*" % run.id),
                                 "read_failed", "read")

    def test_a_file_server_that_replaced_a_file_gives_a_gap_and_what_is_there(self):
        run = self.server.run(lines=3)
        with self.rule("read", errno.ESTALE, path="*/%s/agent-stdout.txt" % run.id) as fault:
            stream = self.stream(run)
            stream.wait("status")  # so it has begun in the old file
            fault.wait(1)
            run.replace("agent-stdout.txt", "new 1\nnew 2\n")
            # Given up, that is; before, what was replaced would be read to its end.
            stream.wait("gap", reason="replaced")
        stream.wait_lines(2)
        run.finish()
        stream.read_until_complete()
        self.assertEqual(stream.lines(), ["new 1", "new 2"])
        self.assertEqual([e.data["reason"] for e in stream.events if e.name == "gap"], ["replaced"])

    def test_a_stale_handle_at_looking_is_a_delay(self):
        run = self.server.run(lines=3)
        self.check_late_but_once(
            run, self.rule("stat", errno.ESTALE, path="*/%s/agent-*" % run.id),
            "file_unreachable", "look")

    def test_without_descriptors_logs_are_opened_when_there_are_some(self):
        run = self.server.run(lines=3)
        self.check_late_but_once(
            run, self.rule("open", errno.EMFILE, path="*/%s/agent-*" % run.id), "file_unreachable",
            "look")

    def test_a_log_that_may_not_be_opened_is_said(self):
        run = self.server.run(lines=3)
        self.check_late_but_once(
            run, self.rule("open", errno.EACCES, path="*/%s/agent-stdout.txt" % run.id),
            "file_unreachable", "look")

    def test_a_fault_in_the_middle_of_a_stream_costs_nothing(self):
        run = self.server.run(lines=1000)
        stream = self.stream(run)
        with self.rule("read", errno.EIO, path="*/%s/*" % run.id, per_mille=300), \
                self.rule("stat", errno.ESTALE, path="*/%s/*" % run.id, per_mille=300):
            for n in range(1001, 3001):
                run.out("line %d\n" % n)
        run.finish()
        stream.read_until_complete(40)
        self.assertEqual(stream.whole_lines(), ["line %d" % n for n in range(1, 3001)])
        self.assertNotIn("gap", stream.names())


class Hanging(faults.TestCase):
    """What lies on a mount that does not answer is delayed, and nothing else."""

    workers = 1
    wants_restart = True

    def latencies(self, run, stream, count=100):
        out = []
        for n in range(count):
            began = time.monotonic()
            run.out("tick %d\n" % n)
            stream.wait("log", line="tick %d" % n)
            out.append(time.monotonic() - began)
        return sorted(out)

    def test_a_run_that_hangs_delays_no_other(self):
        good = self.server.run()
        stream = self.stream(good)
        before = self.latencies(good, stream)
        worker = self.server.worker_pids()[0]
        bad = [self.server.run(lines=5) for _ in range(20)]
        for run in bad:  # known, before it hangs
            with self.stream(run) as s:
                s.wait_lines(5)
        threads_before = len(os.listdir("/proc/%d/task" % worker))
        rules = [self.faults.hang(call, pid=worker, path="*/%s*" % run.id)
                 for run in bad[:1] for call in ("open", "stat", "read")]
        hanging = [self.stream(bad[0]) for _ in range(10)]
        harness.wait_for("a call hangs", lambda: any(rule.hanging for rule in rules))
        during = self.latencies(good, stream)
        other = self.stream(bad[1])
        other.wait_lines(5)
        self.assertLess(len(os.listdir("/proc/%d/task" % worker)), threads_before + 16)
        self.wait_log("helpers_stuck")
        for rule in rules:
            rule.remove()
        for s in hanging:
            s.wait_lines(5)
            self.assertEqual(s.lines(), ["line %d" % n for n in range(1, 6)])
        # In the middle of the measurements, where a busy machine shows least.
        self.assertLess(during[50], 5 * before[50] + 0.02, (before[50], during[50]))
        self.wait_fault_counted("stuck")
        self.wait_log("helpers_stuck over=1", 0, 30)

    def test_more_runs_that_hang_than_there_are_helpers_delay_no_other(self):
        worker = self.server.worker_pids()[0]
        bad = [self.server.run("hung-%d" % n, lines=3) for n in range(40)]
        good = self.server.run("good", lines=3)
        harness.wait_for("all are known", lambda: all(
            self.server.get("/api/v1/runs/" + run.id).status == 200 for run in bad + [good]))
        rules = [self.faults.hang(call, pid=worker, path="*/hung-*") for call in ("open", "stat")]
        streams = [self.stream(run) for run in bad]
        harness.wait_for("all helpers hang", lambda: sum(r.hanging for r in rules) >= 32)
        stream = self.stream(good)
        stream.wait_lines(3)
        tasks = len(os.listdir("/proc/%d/task" % worker))
        self.assertLessEqual(tasks, 4 * 32 + 40 + 2)
        for rule in rules:
            rule.remove()
        for run, s in zip(bad, streams):
            run.finish()
            s.read_until_complete()
            self.assertEqual(s.lines(), ["line 1", "line 2", "line 3"])

    def test_a_worker_ends_although_a_call_hangs(self):
        run = self.server.run(lines=3)
        worker = self.server.worker_pids()[0]
        with self.stream(run) as s:
            s.wait_lines(3)
        with self.faults.hang("open", pid=worker, path="*/%s/agent*" % run.id) as rule:
            stream = self.stream(run)
            harness.wait_for("it hangs", lambda: rule.hanging)
            os.kill(worker, 15)
            harness.wait_for("another worker", lambda: self.server.worker_pids()[0] != worker)
            stream.close()
        again = self.stream(run)
        again.wait_lines(3)


if __name__ == "__main__":
    faults.main()
