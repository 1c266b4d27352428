#!/usr/bin/env python3
"""Folders whose calls hang while runs are looked for: a mount that does not answer."""

import os
import shutil
import signal
import time

import faults
from faults import harness

CALLS = ("open", "stat", "list", "watch", "read")
INTERVAL_MS = 400


class HungFolders(faults.TestCase):
    config = {"api": {"sse": {"discovery_interval_ms": INTERVAL_MS}}}
    workers = 1

    def setUp(self):
        # Each test has a tree and a log of its own.
        self.server.stop_daemon()
        shutil.rmtree(self.server.runs_dir)
        os.mkdir(self.server.runs_dir)
        self.server.write_config(self.config)
        open(self.server.log_path, "w").close()
        self.server.start_daemon()

    def discovery(self):
        return self.server.status()["discovery"]

    def knows(self, run):
        return self.server.ctl("runs", run.id, check=False).returncode == 0

    def wait_known(self, *runs, within_s=10):
        for run in runs:
            harness.wait_for("%s is known" % run.id, lambda r=run: self.knows(r), within_s)

    def task_run(self, name, project, task):
        return self.server.run(name, project=project, task=task, lines=1)

    def hang(self, *patterns, calls=CALLS):
        """In discovery alone."""
        rules = [self.faults.hang(call, pid=self.discovery()["pid"], path=pattern)
                 for call in calls for pattern in patterns]
        for rule in rules:
            self.addCleanup(rule.remove)
        return rules

    def release(self, rules):
        for rule in rules:
            rule.remove()

    def wait_hung(self, rules, count=1):
        harness.wait_for("%d calls hang" % count, lambda: sum(r.hanging for r in rules) >= count)

    def check_others(self, make, count=5):
        """What is made elsewhere is known in time."""
        took = []
        for n in range(count):
            run = make(n)
            began = time.monotonic()
            self.wait_known(run)
            took.append(time.monotonic() - began)
        # In the middle of the measurements, where a busy machine shows least.
        self.assertLess(sorted(took)[count // 2], harness.seconds(INTERVAL_MS / 1000 + 0.5), took)

    def check_task_that_hangs(self):
        self.wait_known(self.task_run("first", "p", "hung"), self.task_run("beside", "p", "good"))
        pid = self.discovery()["pid"]
        rules = self.hang("*/p/hung*")
        hidden = self.task_run("hidden", "p", "hung")
        self.wait_hung(rules)
        self.check_others(lambda n: self.task_run("new-%d" % n, "p", "good"))
        self.check_others(lambda n: self.task_run("other-%d" % n, "q", "t%d" % n))
        self.wait_log('folder_hangs folder="p/hung')
        self.wait_fault_counted("stuck")
        # The runs in it, their folder "runs" and the bus beside that may each hang for themselves.
        self.assertLessEqual(len(os.listdir("/proc/%d/task" % pid)), 2 + 4)
        self.assertFalse(self.knows(hidden))
        self.assertLessEqual(self.count_log("folder_hangs folder"), 4)
        self.release(rules)
        self.wait_known(hidden)
        self.wait_log("folder_hangs over=1")
        self.assertEqual(self.discovery()["pid"], pid)
        self.assertEqual(self.count_log("role=discovery event=folder_unreadable"), 0)

    def test_a_task_that_hangs_delays_only_what_lies_beneath_it(self):
        self.check_task_that_hangs()

    def test_a_task_that_hangs_delays_only_what_lies_beneath_it_by_polling(self):
        self.server.stop_daemon()
        self.server.write_config(harness.merged(self.config, {"following": {"inotify": False}}))
        self.server.start_daemon()
        self.check_task_that_hangs()

    def test_a_run_that_hangs_delays_no_other_in_its_folder(self):
        for project, task in ((None, None), ("p", "t")):
            name = "flat" if project is None else "deep"
            self.wait_known(self.task_run(name + "-first", project, task))
            rules = self.hang("*/%s-hung*" % name)
            hung = self.task_run(name + "-hung", project, task)
            self.wait_hung(rules)
            self.check_others(lambda n: self.task_run("%s-%d" % (name, n), project, task))
            self.assertFalse(self.knows(hung))
            self.release(rules)
            self.wait_known(hung)

    def test_runs_beneath_a_folder_that_hangs_stay_known(self):
        """Also to a discovery that finds it hanging when it starts."""
        runs = [self.task_run("r-%d" % n, "p", "hung") for n in range(3)]
        self.wait_known(*runs)
        rules = [self.faults.hang(call, path="*/p/hung*", not_pid=self.server.worker_pids()[0])
                 for call in CALLS]
        for rule in rules:
            self.addCleanup(rule.remove)
        os.kill(self.discovery()["pid"], signal.SIGKILL)
        harness.wait_for("another discovery", lambda: self.discovery()["restarts"] == 1)
        self.wait_hung(rules)
        self.check_others(lambda n: self.task_run("new-%d" % n, "p", "good"))
        self.wait_log("folder_hangs folder")
        self.wait_known(*runs, within_s=1)
        shutil.rmtree(runs[0].path)
        self.release(rules)
        harness.wait_for("the one that was deleted is gone", lambda: '"is_deleted":true' in
                         self.server.ctl("--json", "runs", runs[0].id, check=False).stdout.replace(
                             " ", "") or not self.knows(runs[0]))
        self.wait_known(*runs[1:])

    def test_a_run_that_may_lie_in_what_hangs_is_not_said_to_be_missing(self):
        """Where discovery began with it: who records would give up at a 404."""
        run = self.task_run("first", "p", "hung")
        self.wait_known(run)
        self.server.stop_daemon()
        rules = [self.faults.hang(call, path="*/p/hung*") for call in CALLS]
        for rule in rules:
            self.addCleanup(rule.remove)
        self.server.start_daemon()
        self.wait_hung(rules)
        answers = [self.server.get("/api/v1/runs/" + name) for name in (run.id, "nowhere")]
        self.assertEqual([answer.status for answer in answers], [503, 503])
        self.release(rules)
        harness.wait_for("it is found", lambda: self.server.get(
            "/api/v1/runs/" + run.id).status == 200)
        self.assertEqual(self.server.get("/api/v1/runs/nowhere").status, 404)

    def test_a_run_that_may_have_gone_on_in_what_hangs_is_not_said_to_be_over(self):
        """A look that left it out says nothing of it."""
        run = self.task_run("goes-on", "p", "hung")
        run.finish()
        harness.wait_for("its end is known", lambda: self.server.get(
            "/api/v1/runs/" + run.id).json()["status"] == "completed")
        rules = self.hang("*/p/hung*")
        run.info("running")
        run.out("line 2\n")
        stream = self.stream(run)
        stream.wait_lines(2)
        self.wait_hung(rules)
        # Looks go on meanwhile, and end.
        self.check_others(lambda n: self.task_run("new-%d" % n, "p", "good"))
        self.wait_log('folder_hangs folder="p/hung')
        self.release(rules)
        stream.wait("status", status="running")
        self.assertNotIn("complete", stream.names())
        run.out("line 3\n")
        stream.wait_lines(3)
        run.finish()
        stream.wait("complete")

    def test_more_folders_that_hang_than_there_may_be_threads_are_said_and_waited_for(self):
        self.wait_known(self.task_run("first", "p", "good"))
        pid = self.discovery()["pid"]
        rules = self.hang("*/p/hung-*")
        hidden = [self.task_run("hidden-%d" % n, "p", "hung-%d" % n) for n in range(20)]
        self.wait_log("discovery_waits", within_s=30)
        self.assertLessEqual(len(os.listdir("/proc/%d/task" % pid)), 2 + 17)
        late = self.task_run("late", "p", "good")
        self.assertEqual(self.count_log("child_silent"), 0)
        self.release(rules)
        self.wait_known(late, *hidden)
        self.assertEqual(self.count_log("discovery_waits"), 1)
        self.assertEqual(self.discovery()["pid"], pid)

    def test_a_folder_that_is_slow_is_found_all_the_same(self):
        self.wait_known(self.task_run("first", "p", "good"))
        with self.faults.rule("open", effect="delay", value=700, pid=self.discovery()["pid"],
                              path="*/p/slow*") as rule:
            slow = self.task_run("slow", "p", "slow")
            self.wait_known(slow, within_s=30)
            self.assertGreater(rule.hits, 1)

    def test_a_hung_runs_directory_leaves_discovery_alive_and_is_waited_for(self):
        self.wait_known(self.task_run("first", "p", "good"))
        pid = self.discovery()["pid"]
        rules = self.hang(self.server.runs_dir, self.server.runs_dir + "/*")
        self.wait_hung(rules)
        self.wait_log('folder_hangs folder="."')
        run = self.task_run("second", "p", "good")
        self.release(rules)
        self.wait_known(run)
        self.assertEqual(self.discovery()["pid"], pid)

    def test_discovery_ends_and_takes_settings_although_a_folder_hangs(self):
        self.wait_known(self.task_run("first", "p", "hung"))
        rules = self.hang("*/p/hung*")
        self.wait_hung(rules)
        self.server.write_config(harness.merged(self.config, {"following": {"inotify": False}}))
        self.server.ctl("reload")
        self.wait_known(self.task_run("later", "p", "good"))
        began = time.monotonic()
        self.server.stop_daemon()
        self.assertLess(time.monotonic() - began, harness.seconds(5))
        self.release(rules)
        self.server.start_daemon()


if __name__ == "__main__":
    faults.main()
