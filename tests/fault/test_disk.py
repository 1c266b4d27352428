#!/usr/bin/env python3
"""A disk that is full, or fails, where runstream itself writes: recording, exec, the pid file."""

import contextlib
import errno
import http.client
import json
import os
import signal
import subprocess
import tempfile
import shutil
import unittest

import faults
from faults import harness


class Recording(faults.TestCase):
    config = {"recording": {"allow_from": ["127.0.0.1"]}}
    workers = 1

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port,
                                                timeout=harness.seconds(20))
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def record(self, run, n):
        return self.post("/api/runs/%s/events" % run,
                         {"events": [{"type": "t", "n": n, "key": "key-%d" % n}]})

    def check_all_once(self, run, count):
        """A client that tries again with its keys has every event recorded once."""
        for n in range(1, count + 1):
            self.assertEqual(self.record(run, n), 202)
        with open(os.path.join(self.server.runs_dir, run, "events.jsonl")) as f:
            numbers = [json.loads(line).get("n") for line in f if line.strip()]
        self.assertEqual(sorted(n for n in numbers if n), list(range(1, count + 1)))
        stream = self.open("/api/runs/%s/stream" % run)
        seen = [stream.wait("event", n=n).data["n"] for n in sorted(
            range(1, count + 1), key=numbers.index)]
        self.assertEqual(len(seen), count)

    def check_fault(self, run, call, error, **about):
        self.assertEqual(self.post("/api/runs", {"run_id": run}), 201)
        self.assertEqual(self.record(run, 1), 202)
        before = self.server.counters()["posts_refused"]
        with self.faults.rule(call, error, path="*/%s/*" % run, **about) as rule:
            for n in range(2, 7):
                self.assertGreaterEqual(self.record(run, n), 500)
            self.assertGreater(rule.hits, 0)
        self.assertGreater(self.server.counters()["posts_refused"], before)
        self.check_all_once(run, 6)

    def test_a_full_disk_refuses_events_until_there_is_room(self):
        self.check_fault("full", "write", errno.ENOSPC)

    def test_events_that_cannot_be_synced_are_not_acknowledged(self):
        self.check_fault("unsynced", "sync", errno.EIO)

    def test_a_disk_that_takes_a_part_leaves_no_broken_event(self):
        run = "torn"
        self.assertEqual(self.post("/api/runs", {"run_id": run}), 201)
        for n in range(1, 5):
            with self.faults.rule("write", effect="short", value=20, times=1,
                                  path="*/torn/events.jsonl"), \
                    self.faults.rule("write", errno.ENOSPC, every=2, path="*/torn/events.jsonl"):
                self.record(run, n)
        self.check_all_once(run, 4)

    def test_no_run_can_be_made_on_a_full_disk_and_then_it_can(self):
        wanted = {"run_id": "made", "key": "the-same"}
        with self.faults.rule("write", errno.ENOSPC, path="*/made/*"):
            for _ in range(3):
                self.assertGreaterEqual(self.post("/api/runs", wanted), 500)
        self.assertIn(self.post("/api/runs", wanted), (200, 201))
        self.check_all_once("made", 3)

    def test_what_could_not_be_made_without_a_key_is_taken_away_again(self):
        for n, (call, error, name) in enumerate((("write", errno.ENOSPC, "*"),
                                                 ("write", errno.ENOSPC, "events.jsonl"),
                                                 ("sync", errno.EIO, "events.jsonl"))):
            for place in ({}, {"project_id": "p", "task_id": "t"}):
                run = "keyless-%d%s" % (n, "-in-task" if place else "")
                wanted = dict(place, run_id=run)
                with self.faults.rule(call, error, path="*/%s/%s" % (run, name)) as rule:
                    self.assertGreaterEqual(self.post("/api/runs", wanted), 500)
                    self.assertGreater(rule.hits, 0)
                self.assertFalse(os.path.exists(os.path.join(
                    self.server.runs_dir, "p/t/runs" if place else "", run)))
                self.assertEqual(self.post("/api/runs", wanted), 201)
                self.assertEqual(self.post("/api/runs", wanted), 409)
                self.assertEqual(self.record(run, 1), 202)

    def test_other_runs_are_recorded_while_one_hangs(self):
        for run in ("hangs", "goes-on"):
            self.assertEqual(self.post("/api/runs", {"run_id": run}), 201)
        with self.faults.hang("sync", path="*/hangs/events.jsonl") as rule:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
            connection.request("POST", "/api/runs/hangs/events",
                               json.dumps({"type": "t", "n": 1, "key": "key-1"}),
                               {"Content-Type": "application/json"})
            harness.wait_for("it hangs", lambda: rule.hanging)
            for n in range(1, 20):
                self.assertEqual(self.record("goes-on", n), 202)
        self.assertEqual(connection.getresponse().status, 202)
        connection.close()
        self.check_all_once("hangs", 3)


class PidFile(faults.TestCase):
    workers = 1

    def test_an_instance_that_cannot_write_its_pid_file_says_so_and_leaves_nothing(self):
        self.server.stop_nginx()
        self.server.stop_daemon()
        with self.faults.rule("write", errno.ENOSPC, path="*runstreamd.pid*") as rule:
            with self.assertRaises(AssertionError):
                self.server.start_daemon()
            self.assertGreater(rule.hits, 0)
        self.assertIn("No space left", self.server.log())
        self.assertEqual(os.listdir(self.server.runtime_dir), ["state"])  # which outlives all
        self.server.start()


class StateDirectory(faults.TestCase):
    workers = 1

    def test_a_full_state_directory_is_told_and_costs_streams_of_many_runs_no_line(self):
        run = self.server.run(lines=1)
        stream = self.open("/api/v1/runs/stream/all")
        stream.wait("status")  # from here on it is followed
        run.out("before\n")
        stream.wait("log", line="before")
        with self.faults.rule("write", errno.ENOSPC, path="*/state/trail-*") as rule:
            for n in range(20):
                run.out("while it is full %d\n" % n)
                last = stream.wait("log", line="while it is full %d" % n)
                if rule.hits > 2:
                    break
            rule.wait()
            self.wait_log("trail_failed error=\"No space left on device\"")
            self.wait_fault_counted("trail")
            # Who comes back has what came since; some of it perhaps again.
            run.out("and after that\n")
            with self.server.open("/api/v1/runs/stream/all", last_id=last.id) as again:
                again.wait("log", line="and after that")
                self.assertNotIn("gap", again.names())
        self.wait_log("trail_failed over=1", 0, 30)
        self.assertEqual(self.count_log("trail_failed error="), 1)
        run.out("when there is room\n")
        last = stream.wait("log", line="when there is room")
        run.out("the last\n")
        with self.server.open("/api/v1/runs/stream/all", last_id=last.id) as again:
            again.wait("log", line="the last")


class Exec(unittest.TestCase):
    def setUp(self):
        if harness.WRAPPER:
            self.skipTest("faults are not for valgrind")
        self.faults = faults.Faults()
        self.addCleanup(self.faults.close)
        self.dir = tempfile.mkdtemp(prefix="runstream-faults-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def test_a_command_is_not_disturbed_by_a_full_disk_and_what_is_missing_is_marked(self):
        script = ("i=0; while [ $i -lt 50 ]; do echo line $i; i=$((i+1)); "
                  "sleep 0.02; done; exit 7")
        rule = self.faults.rule("write", errno.ENOSPC, path="*/agent-stdout.txt")
        process = subprocess.Popen(
            self.faults.before() + [harness.RUNSTREAMCTL, "--runs-dir", self.dir, "exec", "--run-id",
                                    "r", "--", "sh", "-c", script],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=harness.clean_environment())
        rule.wait(5)
        rule.remove()
        out, err = process.communicate(timeout=harness.seconds(30))
        self.assertEqual(process.returncode, 7, err)
        self.assertEqual(out, "".join("line %d\n" % n for n in range(50)))
        self.assertEqual(err.count("No space left"), 1, err)
        with open(os.path.join(self.dir, "r", "agent-stdout.txt")) as f:
            log = f.read()
        self.assertTrue(log.endswith("line 49\n"), log)
        with open(os.path.join(self.dir, "r", "run-info.yaml")) as f:
            self.assertIn("exit_code: 7", f.read())


class Processes(faults.TestCase):
    workers = 1
    wants_restart = True

    def test_a_worker_that_cannot_be_forked_is_started_when_it_can(self):
        run = self.server.run(lines=2)
        with self.faults.rule("fork", errno.EAGAIN, pid=self.server.daemon.pid) as rule:
            old = self.server.worker_pids()[0]
            os.kill(old, signal.SIGKILL)
            rule.wait(2)
            self.wait_log("restart_failed")
            self.wait_fault_counted("start")
        harness.wait_for("it is started", lambda: self.server.worker_pids()[0] not in (0, old))
        stream = self.stream(run)
        stream.wait_lines(2)
        self.assertLess(self.count_log("restart_failed"), 10)

    def test_a_clock_that_is_set_back_or_forward_costs_nothing(self):
        for off_s in (-86400, 86400, -3600):
            run = self.server.run(lines=3)
            stream = self.stream(run)
            stream.wait_lines(3)
            with self.faults.rule("clock", value=off_s * 1000):
                run.out("line 4\n")
                stream.wait("log", line="line 4")
                new = self.server.run(lines=1)
                with self.stream(new, "wait_s=10") as other:
                    other.wait_lines(1)
                    new.finish()
                    other.read_until_complete()
                run.info("paused")
                stream.wait("status", status="paused")
                run.finish()
                stream.read_until_complete()
            self.assertEqual(stream.lines(), ["line %d" % n for n in range(1, 5)])
            again = self.server.stream(run, last_id=stream.last_id)
            self.assertEqual(again.status, 204)
            again.close()


class SharedMemory(faults.TestCase):
    config = {"storage": {"max_runs": 20}}
    workers = 1
    wants_restart = True

    def test_without_memory_for_runs_no_process_is_harmed_and_they_come_when_there_is(self):
        """Memory that is reserved is never touched before: there is no SIGBUS."""
        shutil.rmtree(self.server.runs_dir)
        os.mkdir(self.server.runs_dir)
        self.restart()
        with self.faults.rule("allocate", errno.ENOSPC, path="*runstream-*",
                              not_pid=self.server.daemon.pid) as rule:
            run = self.server.run("first", lines=1)
            rule.wait()
            self.wait_log("registry_full run=\"first\"")
            self.assertEqual(self.server.get("/api/v1/runs/first").status, 503)
        stream = self.stream(run, "wait_s=30")
        stream.wait_lines(1, within_s=30)
        status = self.server.status()
        self.assertEqual([status["discovery"]["restarts"], status["workers"][0]["restarts"]], [0, 0])
        self.wait_log("registry_full over=1")

    def test_without_memory_for_the_list_of_clients_they_are_served_all_the_same(self):
        run = self.server.run("known", lines=1)
        with self.stream(run, "wait_s=10") as stream:
            stream.wait_lines(1)
        self.restart()
        with self.faults.rule("allocate", errno.ENOSPC, path="*runstream-*",
                              pid=self.server.worker_pids()[0]) as rule:
            stream = self.stream(run, "wait_s=10")
            stream.wait_lines(1)
            rule.wait()
        self.assertGreater(self.server.counters()["clients_unlisted"], 0)
        self.assertEqual(self.server.status()["workers"][0]["restarts"], 0)

    def test_a_full_registry_says_so_once_and_takes_runs_when_there_is_room(self):
        runs = [self.server.run("r-%02d" % n, lines=1) for n in range(25)]
        self.wait_log("registry_full run=")
        self.wait_fault_counted("registry_full")

        def known():
            return [run for run in runs
                    if self.server.get("/api/v1/runs/" + run.id).status == 200]
        harness.wait_for("20 are known", lambda: len(known()) == 20)
        first = known()
        left = [run for run in runs if run not in first]
        self.assertEqual({self.server.get("/api/v1/runs/" + run.id).status for run in left}, {503})
        with self.stream(left[0]) as stream:
            stream.wait("refused")
        stream = self.stream(first[0])
        stream.wait_lines(1)
        for run in first[10:]:
            shutil.rmtree(run.path)
        harness.wait_for("the others are let in", lambda: all(
            self.server.get("/api/v1/runs/" + run.id).status == 200 for run in left))
        self.wait_log("registry_full over=1")
        self.assertEqual(self.server.get("/api/v1/runs/none").status, 404)
        self.assertEqual(self.count_log("registry_full run="), 1)
        first[0].out("line 2\n")
        stream.wait("log", line="line 2")


if __name__ == "__main__":
    faults.main()
