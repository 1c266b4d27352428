#!/usr/bin/env python3
"""The runs directory: removed, replaced, not mounted, and back again."""

import errno
import os
import shutil

import faults
from faults import harness


class RunsDirectory(faults.TestCase):
    workers = 2

    def setUp(self):
        self.server.stop_nginx()
        self.server.stop_daemon()
        shutil.rmtree(self.server.runs_dir, ignore_errors=True)
        os.mkdir(self.server.runs_dir)
        open(self.server.log_path, "w").close()
        self.server.start()

    def aside(self):
        path = self.server.runs_dir + ".aside"
        os.rename(self.server.runs_dir, path)
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def followed(self, count=3):
        run = self.server.run(lines=count)
        stream = self.stream(run)
        stream.wait_lines(count)
        return run, stream

    def check_served(self, directory_fd_of=None):
        """A new run is found and streamed, by whichever worker."""
        run = self.server.run(lines=2)
        for _ in range(4):
            stream = self.stream(run, "wait_s=10")
            stream.wait_lines(2)
            run.out("")
            stream.close()
        return run

    def test_gone_and_back_as_it_was(self):
        run, stream = self.followed()
        aside = self.aside()
        self.wait_log("runs_dir_missing")
        # Who follows goes on: the file is open.
        with open(os.path.join(aside, run.id, "agent-stdout.txt"), "a") as f:
            f.write("line 4\n")
        stream.wait_lines(4)
        os.rename(aside, self.server.runs_dir)
        self.wait_log("runs_dir .*back=yes")
        run.out("line 5\n")
        run.finish()
        stream.read_until_complete()
        self.assertEqual(stream.lines(), ["line %d" % n for n in range(1, 6)])
        self.assertNotIn("gap", stream.names())
        self.assertEqual(self.count_log("runs_dir_missing"), 1)
        self.check_served()

    def test_replaced_by_another_that_holds_other_runs(self):
        run, stream = self.followed()
        new = self.server.runs_dir + ".new"
        os.mkdir(new)
        os.mkdir(os.path.join(new, "run-new"))
        with open(os.path.join(new, "run-new", "agent-stdout.txt"), "w") as f:
            f.write("line 1\nline 2\n")
        self.aside()
        os.rename(new, self.server.runs_dir)
        stream.wait("gone")
        for _ in range(4):
            other = self.stream("run-new", "wait_s=10")
            other.wait_lines(2)
            other.close()
        self.assertEqual(self.server.get("/api/v1/runs/%s/stream" % run.id).status, 410)
        self.check_served()

    def test_replaced_by_a_copy_of_itself(self):
        run, stream = self.followed()
        new = self.server.runs_dir + ".new"
        shutil.copytree(self.server.runs_dir, new)
        self.aside()
        os.rename(new, self.server.runs_dir)
        self.wait_log("role=worker-. event=runs_dir ", more_than=1)
        run.out("line 4\n")
        stream.wait("log", line="line 4")
        again = self.stream(run, last_id=stream.logs()[-1].id)
        run.out("line 5\n")
        again.wait("log", line="line 5")
        self.assertEqual(again.lines(), ["line 5"])
        # And watched where it is now: not only polled.
        self.check_served()

    def test_an_empty_one_in_its_place_is_one_that_is_not_mounted(self):
        run, stream = self.followed()
        aside = self.aside()
        os.mkdir(self.server.runs_dir)
        self.wait_log("runs_dir_empty")
        self.assertEqual(self.server.get("/api/v1/runs/" + run.id).status, 200)
        os.rmdir(self.server.runs_dir)
        os.rename(aside, self.server.runs_dir)
        self.wait_log("runs_dir .*back=yes")
        run.out("line 4\n")
        run.finish()
        stream.read_until_complete()
        self.assertEqual(stream.lines(), ["line %d" % n for n in range(1, 5)])
        self.assertFalse({"gap", "gone"} & set(stream.names()))
        self.assertEqual(self.count_log("runs_dir_empty"), 1)

    def test_an_empty_one_to_which_runs_come_is_a_new_one(self):
        run, stream = self.followed()
        self.aside()
        os.mkdir(self.server.runs_dir)
        self.wait_log("runs_dir_empty")
        self.check_served()
        stream.wait("gone")
        self.assertEqual(self.server.get("/api/v1/runs/%s/stream" % run.id).status, 410)

    def test_runs_deleted_one_by_one_are_gone_also_the_last(self):
        run, stream = self.followed()
        shutil.rmtree(run.path)
        stream.wait("gone")
        self.assertEqual(self.server.get("/api/v1/runs/%s/stream" % run.id).status, 410)

    def test_it_comes_late(self):
        self.server.stop_nginx()
        self.server.stop_daemon()
        os.rmdir(self.server.runs_dir)
        self.server.start_daemon()
        self.server.start_nginx()
        harness.wait_for("it says why it is not ready", lambda: (
            self.server.get("/api/v1/ready").json()["error"]["details"]["reason"]) ==
            "runs_dir_missing")
        os.mkdir(self.server.runs_dir)
        self.wait_log("role=discovery event=runs_dir .*back=yes")
        harness.wait_for("ready", lambda: self.server.get("/api/v1/ready").status == 200)
        self.check_served()

    def test_it_comes_back_while_everything_that_knew_it_was_restarted(self):
        run, stream = self.followed()
        aside = self.aside()
        self.wait_log("runs_dir_missing")
        status = self.server.status()
        for process in [status["discovery"], *status["workers"]]:
            os.kill(process["pid"], 9)
        harness.wait_for("all are restarted", lambda: all(
            p["restarts"] > 0 and harness.alive(p["pid"]) for p in
            [self.server.status()["discovery"], *self.server.status()["workers"]]))
        os.rename(aside, self.server.runs_dir)
        again = self.stream(run, last_id=stream.logs()[-1].id)
        run.out("line 4\n")
        run.finish()
        again.read_until_complete()
        self.assertEqual(again.lines(), ["line 4"])
        self.assertNotIn("gap", again.names())

    def test_permission_lost_and_given_back(self):
        """Of a run's file, as it is for who is not root: by a fault."""
        run = self.server.run(lines=3)
        with self.faults.rule("open", errno.EACCES, path="*/%s/agent-stdout.txt" % run.id) as rule:
            stream = self.stream(run)
            rule.wait(3)
            stream.wait("status")
        stream.wait_lines(3)
        run.finish()
        stream.read_until_complete()
        self.assertEqual(stream.lines(), ["line 1", "line 2", "line 3"])

    def test_a_listing_that_hangs_makes_workers_say_that_they_are_not_ready_and_serve_what_is_known(self):
        run, stream = self.followed()
        workers = self.server.worker_pids()

        def reason():
            answer = self.server.get("/api/v1/ready")
            return answer.status == 503 and \
                self.assert_error(answer, 503)["details"]["reason"]
        with self.faults.hang("list", pid=self.server.status()["discovery"]["pid"]) as rule:
            self.server.run(project="new", task="t")  # something to be looked through
            rule.wait()
            self.assertEqual(self.server.get("/api/v1/ready").status, 200)
            # A minute later, by the workers' clocks.
            clocks = [self.faults.rule("clock", value=70000, pid=pid) for pid in workers]
            harness.wait_for("they say so", lambda: reason() == "discovery_stale")
            self.assertEqual(self.server.get("/api/v1/health").status, 200)
            run.out("line 4\n")
            stream.wait_lines(4)
        # Discovery has looked since, and says so: it is the clocks that are wrong now.
        for clock in clocks:
            clock.remove()
        harness.wait_for("it is ready again", lambda: not reason())


if __name__ == "__main__":
    faults.main()
