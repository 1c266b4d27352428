#!/usr/bin/env python3
"""inotify that is not to be had, runs out of watches, or of room in its queue."""

import errno
import os
import re
import shutil
import signal
import subprocess
import time

import faults
from faults import harness


class Inotify(faults.TestCase):
    # Long enough that what is seen sooner was told.
    config = {"api": {"sse": {"poll_interval_ms": 50}},
              "following": {"healthy_poll_interval_ms": 2000}}
    workers = 1
    wants_restart = True

    def check_stream(self, run, stream, count):
        for _ in range(5):
            count += 1
            run.out("line %d\n" % count)
            stream.wait("log", line="line %d" % count)
        self.assertEqual(stream.lines(), ["line %d" % n for n in range(1, count + 1)])
        return count

    def watched(self, pid):
        """How many watches the process has."""
        count = 0
        for fd in os.listdir("/proc/%d/fdinfo" % pid):
            try:
                with open("/proc/%d/fdinfo/%s" % (pid, fd)) as f:
                    count += sum(line.startswith("inotify wd") for line in f)
            except OSError:
                pass
        return count

    def pids(self):
        status = self.server.status()
        return status["discovery"]["pid"], status["workers"][0]["pid"]

    def test_without_watches_files_and_folders_are_polled_until_there_are_some(self):
        discovery, worker = self.pids()
        known = self.server.run("known", project="p", task="t")  # a folder that is not watched yet
        with self.faults.rule("watch", errno.ENOSPC):
            run = self.server.run(lines=1, project="p", task="u")
            stream = self.stream(run, "wait_s=10")
            count = self.check_stream(run, stream, 1)
            run.info("paused")
            stream.wait("status", status="paused")
            for process in ("worker-1", "discovery"):
                self.wait_log("role=" + process + " event=inotify_refused error=\"No space left")
            self.assertEqual(self.watched(worker), 0)
        harness.wait_for("the worker watches again", lambda: self.watched(worker) > 0, 20)
        harness.wait_for("discovery watches what it could not", lambda: self.watched(discovery) > 3,
                         20)
        self.check_stream(run, stream, count)
        for process in ("worker-1", "discovery"):
            self.wait_log("role=" + process + " event=inotify_refused over=1", 0, 30)
            self.assertEqual(self.count_log("role=" + process + " event=inotify_refused"), 2)
        self.wait_fault_counted("inotify", 1)
        known.finish()

    def test_without_an_instance_all_is_polled_until_there_is_one(self):
        with self.faults.rule("inotify", errno.EMFILE):
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
            harness.wait_for("both are restarted", lambda: all(
                p["restarts"] == 1 and harness.alive(p["pid"])
                for p in (self.server.status()["discovery"], self.server.status()["workers"][0])))
            run = self.server.run(lines=1)
            stream = self.stream(run, "wait_s=10")
            count = self.check_stream(run, stream, 1)
            for process in ("worker-1", "discovery"):
                self.wait_log("role=" + process + " event=inotify_refused error=\"Too many")
        for pid in self.pids():
            harness.wait_for("it watches", lambda p=pid: self.watched(p) > 0, 20)
        self.check_stream(run, stream, count)

    def test_a_queue_that_overflowed_costs_nothing(self):
        with open("/proc/sys/fs/inotify/max_queued_events") as f:
            most = int(f.read())
        if most > 100000:
            self.skipTest("the queue is too long to be filled")
        discovery, worker = self.pids()
        runs = [self.server.run(lines=1) for _ in range(3)]
        streams = [self.stream(run) for run in runs]
        for stream in streams:
            stream.wait_lines(1)
        os.kill(worker, signal.SIGSTOP)
        os.kill(discovery, signal.SIGSTOP)
        try:
            # Of another name each time: the kernel joins events that are alike.
            paths = [os.path.join(runs[0].path, "noise-%d" % n) for n in range(2)]
            root = [os.path.join(self.server.runs_dir, ".noise-%d" % n) for n in range(2)]
            for pair in (paths, root):
                open(pair[0], "w").close()
                for n in range(most // 2 + 10):
                    os.rename(pair[n % 2], pair[1 - n % 2])
            new = self.server.run(lines=2)
            for run in runs:
                run.out("line 2\n")
        finally:
            os.kill(worker, signal.SIGCONT)
            os.kill(discovery, signal.SIGCONT)
        began = time.monotonic()
        for stream in streams:
            stream.wait_lines(2)
            self.assertEqual(stream.lines(), ["line 1", "line 2"])
        stream = self.stream(new, "wait_s=10")
        stream.wait_lines(2)
        self.wait_log("role=worker-1 event=inotify_overflow")
        self.wait_log("role=discovery event=inotify_overflow")
        self.wait_fault_counted("inotify_overflow", 1)
        self.assertLess(time.monotonic() - began, harness.seconds(15))


class Mounted(faults.TestCase):
    """A file system that tells nothing of what others do, mounted beneath one that does."""

    config = {"api": {"sse": {"discovery_interval_ms": 300}}}
    workers = 1
    wants_restart = True

    def devices_watched(self):
        pid = self.server.status()["discovery"]["pid"]
        found = set()
        for fd in os.listdir("/proc/%d/fdinfo" % pid):
            with open("/proc/%d/fdinfo/%s" % (pid, fd), encoding="ascii") as f:
                found |= set(re.findall(r"^inotify .*sdev:([0-9a-f]+)", f.read(), re.M))
        return {int(device, 16) for device in found}

    def test_folders_in_it_are_polled(self):
        mount = os.path.join(self.server.runs_dir, "mounted")
        os.mkdir(mount)
        if subprocess.run(["mount", "-t", "tmpfs", "none", mount], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", mount], check=True)
        device = os.stat(mount).st_dev
        # As the kernel writes it there: 12 bits and 20.
        device = os.major(device) << 20 | os.minor(device)
        with self.faults.rule("kind", 0x6969, path="*/mounted*") as rule:  # NFS
            for n in range(3):
                run = self.server.run("mounted-%d" % n, project="mounted", task="t", lines=1)
                harness.wait_for("it is known", lambda r=run: self.server.ctl(
                    "runs", r.id, check=False).returncode == 0)
            rule.wait()
            # Runs and what may become one are looked at each time, whether watched or not.
            shutil.rmtree(os.path.join(mount, "t"))
            os.makedirs(os.path.join(mount, "empty", "runs"))
            beside = self.server.run("beside", project="p", task="t", lines=1)
            harness.wait_for("both are seen", lambda: self.server.ctl(
                "runs", beside.id, check=False).returncode == 0)
            harness.wait_for("no folder in it is watched",
                             lambda: device not in self.devices_watched())
            self.assertTrue(self.devices_watched())


if __name__ == "__main__":
    faults.main()
