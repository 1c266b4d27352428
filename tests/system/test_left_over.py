#!/usr/bin/env python3
"""When clients of all kinds came and went, however they went, nothing of them is left."""

import os
import shutil
import socket
import struct

import harness

GAUGES = ("clients", "followers", "files_open", "channels", "cache_bytes")


class TestCase(harness.TestCase):
    # Who reads nothing for a while here is not ended for it.
    config = {"api": {"sse": {"client_timeout_s": 600, "max_clients_per_run": 1000}}}

    def setUp(self):
        self.runs = [self.server.run(project="p", task="t", lines=50) for _ in range(3)]
        for run in self.runs:
            with open(os.path.join(run.path, "events.jsonl"), "w") as f:
                f.write('{"type":"run.started"}\n' * 20)
        for folder, name in (("p", "PROJECT-MESSAGE-BUS.md"), ("p/t", "TASK-MESSAGE-BUS.md")):
            with open(os.path.join(self.server.runs_dir, folder, name), "a") as f:
                f.write("---\nmsg_id: m\n---\nbody\n")
        for run in self.runs:
            harness.wait_for("it is known", lambda: (
                self.server.get("/api/v1/runs/" + run.id).status == 200))
        # Descriptors of each worker that are there for good: measured when nobody is.
        self.assert_nothing_is_left()
        self.descriptors = self.count_descriptors()

    def paths(self):
        of_task = "/api/projects/p/tasks/t/"
        run = self.runs[0].id
        return ["/api/v1/runs/%s/stream" % run, "/api/v1/runs/stream/all",
                "/api/v1/runs/stream/all?from=start", "/api/v1/runs/stream/all?tail=5",
                of_task + "runs/stream", of_task + "runs/stream?from=start",
                of_task + "runs/%s/stream?name=stdout" % run,
                of_task + "runs/%s/stream?name=output.md" % run,
                "/api/runs/%s/stream" % run, "/api/stream", "/api/stream?from=start",
                "/api/v1/messages/stream", "/api/v1/messages/stream?project_id=p&from=start",
                "/api/projects/p/messages/stream", of_task + "messages/stream",
                "/api/v1/runs/not-there/stream?wait_s=60"]

    def open_all(self, times=2, **options):
        streams = [self.open(path, **options)
                   for path in self.paths() for _ in range(times)]
        for stream in streams:
            stream.chunk()
        # The figures are told from time to time: those of before have to be over, too.
        harness.wait_for("all are in", lambda: (
            len(self.listed()) == len(streams) and self.figures()["channels"] > 0))
        return streams

    def listed(self):
        return self.server.ctl_json("clients")["clients"]

    def figures(self):
        counters = self.server.counters()
        return {name: counters[name] for name in GAUGES}

    def count_descriptors(self):
        return [harness.descriptors(pid) for pid in self.server.worker_pids()]

    def assert_nothing_is_left(self):
        try:
            harness.wait_for("nothing is left", lambda: not any(self.figures().values()), 15)
        except AssertionError as e:
            raise AssertionError("%s: %s" % (e, self.figures())) from None
        self.assertEqual(self.listed(), [])
        for run in self.runs:
            answer = self.server.get("/api/v1/runs/" + run.id)
            if answer.status == 200:
                self.assertEqual(answer.json()["clients"], 0)

    def tearDown(self):
        self.doCleanups()
        self.assert_nothing_is_left()
        harness.wait_for("descriptors are closed", lambda: all(
            now <= then + 2 for now, then in zip(self.count_descriptors(), self.descriptors)))
        # Nobody is held up by what was.
        run = self.server.run(lines=3)
        with self.server.stream(run) as stream:
            self.assertEqual(stream.wait_lines(3), ["line 1", "line 2", "line 3"])
        self.assert_nothing_is_left()


class LeftOver(TestCase):
    def test_closed_by_the_client(self):
        for _ in range(3):
            streams = self.open_all()
            for run in self.runs:
                run.out("more\n" * 100)
            for stream in streams:
                stream.close()
            self.assert_nothing_is_left()

    def test_closed_at_once(self):
        for _ in range(5):
            for path in self.paths():
                self.server.open(path).close()

    def test_closed_in_the_middle_of_much(self):
        for run in self.runs:
            run.out(("x" * 1000 + "\n") * 5000)
        for stream in self.open_all(window_bytes=4096):
            stream.close()

    def test_kicked(self):
        streams = self.open_all(times=1)
        for client in self.listed():
            self.server.ctl("kick", client["client"])
        for stream in streams:
            while stream.chunk():
                pass
            self.assertTrue(stream.clean)
        self.assert_nothing_is_left()

    def test_ended_with_their_runs(self):
        self.open_all(times=1)
        for run in self.runs:
            run.out("the end\n")
            run.finish()
        harness.wait_for("the streams of the run have ended", lambda: not [
            client for client in self.listed() if client["run_id"] == self.runs[0].id])

    def test_their_runs_were_deleted(self):
        streams = self.open_all(times=1)
        for run in self.runs:
            shutil.rmtree(run.path)
        harness.wait_for("the streams of the run have ended", lambda: not [
            client for client in self.listed() if client["run_id"] == self.runs[0].id])
        for stream in streams:
            stream.close()

    def test_reset_by_the_client(self):
        for stream in self.open_all():
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))
            stream.close()

    def test_the_web_server_ended(self):
        self.open_all(times=1)
        self.server.stop_nginx()
        self.server.start_nginx()


class TimedOut(TestCase):
    config = {"api": {"sse": {"client_timeout_s": 1, "max_clients_per_run": 1000}}}

    def test_timed_out(self):
        before = self.server.counters_by_word()["streams_ended"]["timeout"]
        for run in self.runs:
            run.out(("x" * 1000 + "\n") * 20000)
        logs = [path for path in self.paths() if path.endswith(("from=start", "name=stdout")) and
                "messages" not in path and not path.startswith("/api/stream")]
        self.assertEqual(len(logs), 3)
        for path in logs:
            self.open(path, window_bytes=4096)
        harness.wait_for("all have timed out", lambda: (
            self.server.counters_by_word()["streams_ended"]["timeout"] - before >= len(logs)), 30)
        self.assert_nothing_is_left()


if __name__ == "__main__":
    harness.main()
