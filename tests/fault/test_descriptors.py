#!/usr/bin/env python3
"""No descriptors are left: none for those who come, none for their files."""

import errno
import threading

import faults
from faults import harness


class Accepting(faults.TestCase):
    workers = 1
    wants_restart = True

    def test_who_cannot_be_accepted_waits_and_is_served(self):
        run = self.server.run(lines=3)
        streams = []
        with self.faults.rule("accept", errno.ENFILE, pid=self.server.worker_pids()[0]) as rule:
            clients = [threading.Thread(target=lambda: streams.append(self.server.stream(run)))
                       for _ in range(5)]
            for client in clients:
                client.start()
            rule.wait(5)
            self.wait_log("accept_failed")
        for client in clients:
            client.join()
        for stream in streams:
            stream.wait_lines(3)
            self.assertEqual(stream.lines(), ["line 1", "line 2", "line 3"])
            stream.close()
        self.assertEqual(len(streams), 5)
        self.assertEqual(self.count_log("accept_failed"), 1)
        self.wait_fault_counted("accept")

    def test_an_event_loop_that_takes_no_more_refuses_and_recovers(self):
        run = self.server.run(lines=3)
        with self.stream(run, "wait_s=10") as stream:
            stream.wait_lines(3)
        with self.faults.rule("epoll", errno.ENOSPC, pid=self.server.worker_pids()[0],
                              path="socket:*") as rule:
            self.server.get("/api/v1/runs/" + run.id)
            rule.wait()
        with self.stream(run) as stream:
            stream.wait_lines(3)


class Limit(faults.TestCase):
    """Really: of a process that may have but 100."""

    workers = 1

    @classmethod
    def make_server(cls):
        return harness.Server(config={"api": {"sse": {"max_clients_per_run": 200}}},
                              workers=cls.workers, before=["sh", "-c", "ulimit -n 100; exec \"$@\"",
                                                           "sh"])

    def test_more_clients_than_descriptors_are_refused_or_wait_and_none_misses_a_line(self):
        runs = [self.server.run(lines=3) for _ in range(40)]
        streams = []
        for run in runs:
            stream = self.server.stream(run, "wait_s=5")
            self.addCleanup(stream.close)
            streams.append((run, stream))
        served = 0
        for run, stream in streams:
            if stream.status != 200:
                continue
            event = stream.next()
            if event is None or event.name == "refused":
                continue
            run.finish()
            if event.name != "log":
                stream.wait("log", 30)
            stream.read_until_complete(30)
            self.assertEqual(stream.lines(), ["line 1", "line 2", "line 3"])
            served += 1
        self.assertGreater(served, 5)
        for run in runs:
            with self.server.stream(run, "wait_s=5") as again:
                self.assertEqual(again.status, 200)
                run.finish()
                again.read_until_complete(30)
                self.assertEqual(again.lines(), ["line 1", "line 2", "line 3"])


if __name__ == "__main__":
    faults.main()
