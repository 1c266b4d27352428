#!/usr/bin/env python3
"""Run discovery: both layouts, in time, and what is not a run."""

import concurrent.futures
import os
import shutil
import signal
import time

import harness


class Discovery(harness.TestCase):
    config = {"api": {"sse": {"discovery_interval_ms": 300}}}

    def known(self, run_id):
        answer = self.server.get("/api/v1/runs?limit=1000")
        return run_id in [r["run_id"] for r in answer.json()["runs"]]

    def test_a_run_is_listed_within_the_interval_in_either_layout(self):
        for options in ({}, {"project": "proj", "task": "task"}):
            run = self.server.run(**options)
            harness.wait_for("it is listed", lambda: self.known(run.id), 2)

    def test_a_new_run_is_streamable_at_once(self):
        for n in range(5):
            run = self.server.run("at-once-%d" % n, project="p%d" % n, task="t", lines=1)
            self.stream(run).wait_lines(1)

    def test_an_immediate_request_waits_for_a_look_instead_of_404(self):
        """Also where the next look of its own would be far away."""
        config = {"api": {"sse": {"discovery_interval_ms": 3600000}},
                  "following": {"inotify": False}}
        with harness.Server(config=config) as server:
            for options in ({}, {"project": "a", "task": "b"}, {"project": "a", "task": "c"},
                            {"project": "a", "task": "b"}):
                run = server.run(lines=1, **options)
                with server.stream(run) as stream:
                    self.assertEqual(stream.status, 200)
                    stream.wait_lines(1)

    def test_a_deleted_run_that_was_made_again_a_moment_ago_is_found(self):
        config = {"api": {"sse": {"discovery_interval_ms": 3600000}},
                  "following": {"inotify": False}}
        with harness.Server(config=config) as server:
            run = server.run("again", lines=1)
            self.assertEqual(server.get("/api/v1/runs/again").status, 200)
            shutil.rmtree(run.path)
            self.assertEqual(server.get("/api/v1/runs/unknown").status, 404)  # for its look
            self.assertEqual(server.get("/api/v1/runs/again").status, 410)
            run = server.run("again", lines=1)
            with server.stream(run) as stream:
                self.assertEqual(stream.status, 200)
                stream.wait_lines(1)

    def test_many_requests_for_unknown_runs_share_a_look(self):
        before = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(
                lambda n: self.server.get("/api/v1/runs/unknown-%d/stream" % n), range(60)))
        self.assertEqual({a.status for a in answers}, {404})
        self.assertLess(time.monotonic() - before, harness.seconds(10))

    def test_any_of_the_files_makes_a_run(self):
        for name in ("run-info.yaml", "agent-stdout.txt", "agent-stderr.txt", "events.jsonl"):
            run = self.server.run("by-" + name.replace(".", "-"), status=None)
            with open(os.path.join(run.path, name), "w") as f:
                f.write("version: 1\nstatus: running\nexit_code: -1\n" if name.endswith("yaml")
                        else "text\n")
            answer = self.server.get("/api/v1/runs/" + run.id)
            self.assertEqual(answer.status, 200, name)
            self.assertEqual(answer.json()["run_id"], run.id)

    def test_an_empty_folder_is_no_run_until_a_file_comes(self):
        run = self.server.run(status=None)
        self.assert_error(self.server.get("/api/v1/runs/" + run.id), 404)
        run.out("now\n")
        self.stream(run).wait_lines(1)

    def test_without_run_info_the_status_is_unknown_and_names_come_from_the_path(self):
        run = self.server.run(project="from", task="path", status=None, lines=1)
        answer = self.server.get("/api/v1/runs/" + run.id).json()
        self.assertEqual((answer["status"], answer["project_id"], answer["task_id"]),
                         ("unknown", "from", "path"))
        event = self.stream(run).wait("status")
        self.assertEqual(event.data["status"], "unknown")

    def test_run_info_is_seen_when_it_comes_later(self):
        run = self.server.run(status=None, lines=1)
        stream = self.stream(run)
        stream.wait("status", status="unknown")
        run.info("running")
        stream.wait("status", status="running")

    def test_a_broken_or_newer_run_info_does_not_hide_the_logs(self):
        for n, text in enumerate(("{", "version: 99\nstatus: completed\n", "- a\n- b\n", "\0\xff",
                                  "a: &a [*a, *a]\n", "status: [running]\n")):
            run = self.server.run("broken-info-%d" % n, status=None, lines=2)
            run.replace("run-info.yaml", text.encode("latin-1"))
            stream = self.stream(run)
            stream.wait_lines(2)
            run.finish()
            stream.wait("status", status="completed")
            stream.wait("complete")

    def test_a_deleted_run_is_410(self):
        run = self.server.run(lines=1)
        self.stream(run).wait_lines(1)
        shutil.rmtree(run.path)
        harness.wait_for("it is gone", lambda: self.server.get(
            "/api/v1/runs/" + run.id).status == 410)
        answer = self.server.get("/api/v1/runs/%s/stream" % run.id)
        self.assert_error(answer, 410)

    def test_a_run_deleted_under_a_stream_is_gone_and_the_stream_ends(self):
        run = self.server.run(lines=1)
        stream = self.stream(run)
        stream.wait_lines(1)
        shutil.rmtree(run.path)
        event = stream.wait("gone")
        self.assertEqual(event.data, {"run_id": run.id})
        self.assertIsNone(stream.next())

    def test_two_folders_that_claim_an_id_are_reported_and_the_first_wins(self):
        first = self.server.run("twice", project="first", task="t", lines=1)
        self.stream(first).wait_lines(1)
        second = self.server.run("twice", project="second", task="t", status=None)
        second.out("of the second\n")
        harness.wait_for("it is reported", lambda: [
            l for l in self.server.log().splitlines() if "twice" in l and "second" in l])
        stream = self.stream(first)
        self.assertEqual(stream.wait_lines(1), ["line 1"])

    def test_names_that_are_no_ids_are_passed_over(self):
        for name in (".hidden", "with space", "new\nline", "ünï", "a" * 200):
            os.makedirs(os.path.join(self.server.runs_dir, name), exist_ok=True)
            with open(os.path.join(self.server.runs_dir, name, "agent-stdout.txt"), "w") as f:
                f.write("x\n")
        with open(os.path.join(self.server.runs_dir, "a-file"), "w") as f:
            f.write("x\n")
        run = self.server.run()
        harness.wait_for("a good one is found", lambda: self.known(run.id))
        listed = [r["run_id"] for r in self.server.get("/api/v1/runs?limit=1000").json()["runs"]]
        for name in (".hidden", "new\nline", "a" * 200, "a-file"):
            self.assertNotIn(name, listed)

    def test_hundreds_of_runs_at_once(self):
        for n in range(300):
            self.server.run("crowd-%03d" % n, project="crowd", task="t%d" % (n % 10))
        harness.wait_for("all are known", lambda: len([
            r for r in self.server.get("/api/v1/runs?project_id=crowd&limit=1000").json()["runs"]
        ]) == 300)
        self.assertEqual(self.server.get("/api/v1/runs/crowd-137").json()["task_id"], "t7")

    def test_a_runs_directory_that_appears_later(self):
        with harness.Server() as server:
            os.rename(server.runs_dir, server.runs_dir + ".away")
            harness.wait_for("it still answers", lambda: server.get(
                "/api/v1/health").status == 200)
            os.rename(server.runs_dir + ".away", server.runs_dir)
            run = server.run(lines=1)
            harness.wait_for("the run is found", lambda: server.get(
                "/api/v1/runs/" + run.id).status == 200)


class Buses(harness.TestCase):
    PROJECT, TASK = "PROJECT-MESSAGE-BUS.md", "TASK-MESSAGE-BUS.md"
    HINTED = {"api": {"sse": {"discovery_interval_ms": 3600000}}}  # inotify alone is in time
    POLLED = {"api": {"sse": {"discovery_interval_ms": 300}}, "following": {"inotify": False}}

    @staticmethod
    def touch(server, *path):
        path = os.path.join(server.runs_dir, *path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8"):
            pass

    def wait_buses(self, server, count):
        harness.wait_for("%d buses are known" % count,
                         lambda: server.status()["buses"]["total"] == count, 5)

    def test_buses_come_and_go_with_inotify_and_without(self):
        for config in (self.HINTED, self.POLLED):
            with harness.Server(config=config) as server:
                run = server.run(project="p", task="t")
                harness.wait_for("the run is listed", lambda: server.status()["runs"]["total"] == 1)
                self.touch(server, "p", "t", self.TASK)
                self.wait_buses(server, 1)
                self.touch(server, "p", self.PROJECT)
                self.touch(server, "no-runs", self.PROJECT)
                self.touch(server, "no-runs", "task", self.TASK)
                self.wait_buses(server, 4)
                bus = os.path.join(server.runs_dir, "p", self.PROJECT)
                os.rename(bus, bus + ".20260204T183042Z.archived")
                shutil.rmtree(os.path.join(server.runs_dir, "no-runs"))
                self.wait_buses(server, 2)
                shutil.rmtree(os.path.dirname(os.path.dirname(run.path)))
                self.wait_buses(server, 1)
                self.assertIn("buses:\n  total:            1\n", server.ctl("status").stdout)

    def test_buses_outlive_a_killed_discovery_but_not_their_folders(self):
        with harness.Server(config=self.POLLED) as server:
            self.touch(server, "p", self.PROJECT)
            self.touch(server, "p", "t", self.TASK)
            self.touch(server, "q", self.PROJECT)
            self.wait_buses(server, 3)
            os.kill(server.status()["discovery"]["pid"], signal.SIGKILL)
            shutil.rmtree(os.path.join(server.runs_dir, "q"))
            self.wait_buses(server, 2)
            self.touch(server, "r", self.PROJECT)
            self.wait_buses(server, 3)

    def test_names_and_room_are_settings(self):
        config = harness.merged(self.POLLED, {"storage": {
            "max_buses": 1, "files": {"project_bus": "p.md", "task_bus": "t.md"}}})
        with harness.Server(config=config) as server:
            self.touch(server, "p", self.PROJECT)
            self.touch(server, "p", "t.md")
            self.touch(server, "p", "t", "t.md")
            self.wait_buses(server, 1)
            self.assertEqual(server.status()["buses"]["capacity"], 1)
            self.touch(server, "p", "p.md")
            harness.wait_for("it is reported", lambda: "buses_full" in server.log())
            self.assertEqual(server.status()["buses"]["total"], 1)


if __name__ == "__main__":
    harness.main()
