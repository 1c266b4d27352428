#!/usr/bin/env python3
"""Multiple clients: one follower for all, limits, and those who are slow."""

import os
import socket
import time

import harness


class OneFollower(harness.TestCase):
    workers = 1

    def test_all_clients_get_all_and_share_one_follower(self):
        run = self.server.run(lines=3)
        run.err("e\n")
        streams = [self.stream(run) for _ in range(8)]
        for stream in streams:
            stream.wait_lines(3)
            stream.wait_lines(1, "stderr")
        self.assertEqual(self.server.counters()["clients"], 8)
        harness.wait_for("one follower for each of stdout and stderr, one channel", lambda: [
            self.server.counters()[name] for name in ("followers", "channels")] == [2, 1])
        run.out("live\n")
        for stream in streams:
            self.assertEqual(stream.wait_lines(4)[-1], "live")
        for stream in streams[1:]:
            stream.close()
        harness.wait_for("one is left", lambda: self.server.counters()["clients"] == 1)
        self.assertEqual(self.server.counters()["followers"], 2)
        streams[0].close()
        harness.wait_for("the followers are gone with the last", lambda: [
            self.server.counters()[name]
            for name in ("clients", "followers", "files_open", "channels")] == [0, 0, 0, 0])

    def test_clients_at_different_places_get_the_same_lines(self):
        run = self.server.run(lines=2000)
        streams = [self.stream(run, last_id=str(n)) for n in (0, 500, 1000, 1999, 2000)]
        run.out("".join("line %d\n" % n for n in range(2001, 2101)))
        run.finish()
        for stream, start in zip(streams, (0, 500, 1000, 1999, 2000)):
            stream.read_until_complete()
            self.assertEqual([e.data["n"] for e in stream.logs()], list(range(start + 1, 2101)))


class Limit(harness.TestCase):
    config = {"api": {"sse": {"max_clients_per_run": 4, "refused_retry_s": 7}}}

    def opened(self, run, most=10):
        """Streams of the run until one is refused, and that one."""
        streams = []
        for _ in range(most):
            stream = self.stream(run)
            event = stream.next()
            if event.name == "refused":
                return streams, stream, event
            self.assertEqual(event.name, "status")
            streams.append(stream)
        self.fail("%d clients were let in" % most)

    def test_an_event_source_over_the_limit_is_refused_with_200_and_a_long_retry(self):
        run = self.server.run(lines=1)
        streams, refused, event = self.opened(run)
        self.assertIn(len(streams), (4, 5))  # an overshoot of workers - 1
        self.assertTrue(event.data["code"])
        self.assertTrue(event.data["message"])
        self.assertGreaterEqual(event.data["retry_after_s"], 1)
        self.assertGreaterEqual(max(refused.retries), 3000)
        self.assertIsNone(refused.next())

    def test_others_over_the_limit_get_429_with_retry_after(self):
        run = self.server.run(lines=1)
        streams, _, _ = self.opened(run)
        answer = self.server.get("/api/v1/runs/%s/stream" % run.id, {"Accept": "*/*"})
        self.assert_error(answer, 429)
        self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)

    def test_a_place_is_free_again_when_a_client_leaves(self):
        run = self.server.run(lines=1)
        streams, _, _ = self.opened(run)
        for stream in streams[:2]:
            stream.close()

        def admitted():
            with self.server.stream(run) as stream:
                return stream.next().name == "status"
        harness.wait_for("a place is free", admitted)

    def test_the_limit_is_each_runs_own(self):
        run, other = self.server.run(lines=1), self.server.run(lines=1)
        self.opened(run)
        self.assertEqual(self.stream(other).next().name, "status")

    def test_head_takes_no_place(self):
        run = self.server.run(lines=1)
        for _ in range(20):
            answer = self.server.get("/api/v1/runs/%s/stream" % run.id, method="HEAD")
            self.assertEqual(answer.status, 200)
        self.assertEqual(self.stream(run).next().name, "status")

    def test_the_number_of_clients_on_a_run_is_told(self):
        run = self.server.run(lines=1)
        self.stream(run).next()
        self.stream(run).next()
        self.assertEqual(self.server.get("/api/v1/runs/" + run.id).json()["clients"], 2)

    def test_the_limit_holds_after_a_worker_was_killed(self):
        run = self.server.run(lines=1)
        self.opened(run)
        pids = self.server.worker_pids()
        os.kill(pids[0], 9)
        harness.wait_for("it is restarted", lambda: (
            0 not in self.server.worker_pids() and self.server.worker_pids()[0] != pids[0]))

        def counted():
            """What the dead one had is free, what the living one has is not."""
            self.opened(run)
            return self.server.get("/api/v1/runs/" + run.id).json()["clients"] in (4, 5)
        harness.wait_for("the places are right", counted)


class Full(harness.TestCase):
    config = {"server": {"max_clients_per_worker": 2}, "api": {"sse": {"max_clients_per_run": 100}}}

    def test_a_full_worker_overflows_to_the_next_and_full_ones_are_busy(self):
        run = self.server.run(lines=1)
        streams = [self.stream(run) for _ in range(4)]
        for stream in streams:
            self.assertEqual(stream.next().name, "status")
        busy = self.stream(run)
        self.assertEqual(busy.next().name, "refused")
        self.assertTrue(busy.retries)
        self.assertIsNone(busy.next())
        answer = self.server.get("/api/v1/runs/%s/stream" % run.id, {"Accept": "*/*"})
        self.assertEqual(answer.status, 503)
        self.assertEqual(self.server.get("/api/v1/runs/" + run.id).status, 200)


def stuck_client(server, run):
    """A client that never reads, with as small a window as there is."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.connect(("127.0.0.1", server.port))
    s.sendall(("GET /api/v1/runs/%s/stream HTTP/1.1\r\nHost: localhost\r\n"
               "Accept: text/event-stream\r\n\r\n" % run.id).encode())
    return s


class Slow(harness.TestCase):
    workers = 1
    config = {"following": {"cache_bytes": 1 << 20}}

    def test_those_that_never_read_are_in_nobodys_way_and_take_no_memory(self):
        run = self.server.run()
        for _ in range(3):
            self.addCleanup(stuck_client(self.server, run).close)
        streams = [self.stream(run) for _ in range(2)]
        for stream in streams:
            stream.wait("status")
        harness.wait_for("all are in", lambda: self.server.counters()["clients"] == 5)
        pid = self.server.worker_pids()[0]
        before_kib = harness.resident_kib(pid)
        line = "x" * 1000 + "\n"
        for _ in range(12):
            run.out(line * 1000)
            for stream in streams:
                stream.events.clear()
                stream.wait_lines(1000, within_s=10)
        # What the stuck ones have not taken is 36 MB; it is in the file and nowhere else.
        if harness.MEMORY_TELLS:
            self.assertLess(harness.resident_kib(pid) - before_kib, 12 * 1024)
        self.assertEqual(self.server.counters()["clients"], 5)

    def test_each_that_never_reads_takes_a_bounded_part_of_memory(self):
        """Each at a place of its own, so that nothing is shared."""
        pid = self.server.worker_pids()[0]
        count, runs = 60, []
        for n in range(count):
            run = self.server.run()
            run.out(("%d " % n + "x" * 500 + "\n") * 4000)  # much more than is on its way
            runs.append(run)
        before_kib = harness.resident_kib(pid)
        for run in runs:
            self.addCleanup(stuck_client(self.server, run).close)

        def all_are_stuck():
            sent = self.server.counters()["bytes_sent"]
            time.sleep(0.2)
            return (self.server.counters()["clients"] == count and
                    self.server.counters()["bytes_sent"] == sent)
        harness.wait_for("nothing moves", all_are_stuck)
        grown_kib = (harness.resident_kib(pid) - before_kib) / count
        print("# %.1f KiB a stuck client" % grown_kib)
        if harness.MEMORY_TELLS:
            self.assertLess(grown_kib, 192)

    def test_one_that_reads_late_gets_every_line(self):
        run = self.server.run()
        late = self.stream(run)
        run.out("".join("%06d %s\n" % (n, "x" * 500) for n in range(20000)))
        prompt = self.stream(run)
        prompt.wait_lines(20000, within_s=30)
        run.finish()
        late.read_until_complete(30)
        self.assertEqual([e.data["n"] for e in late.logs()], list(range(1, 20001)))
        self.assertEqual(late.lines(), prompt.lines())


class Stuck(harness.TestCase):
    config = {"api": {"sse": {"client_timeout_s": 1}}}

    def test_one_that_takes_nothing_is_ended_after_a_while(self):
        run = self.server.run()
        self.addCleanup(stuck_client(self.server, run).close)
        run.out(("x" * 1000 + "\n") * 10000)
        harness.wait_for("it is ended", lambda: (
            self.server.counters_by_word()["streams_ended"]["timeout"] >= 1), 15)


if __name__ == "__main__":
    harness.main()
