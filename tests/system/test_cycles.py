#!/usr/bin/env python3
"""Connecting and leaving, a thousand times over, leaves everything as it was.

RUNSTREAM_TEST_CYCLES: how many times (1,000).
"""

import os
import socket

import harness

CYCLES = int(os.environ.get("RUNSTREAM_TEST_CYCLES", "1000"))


class Cycles(harness.TestCase):
    def cycle(self, run, n):
        """Leaves at one of several points: unread, after the head, an event, or all lines."""
        if n % 4 == 0:
            with socket.create_connection(("127.0.0.1", self.server.port), 10) as s:
                s.sendall(("GET /api/v1/runs/%s/stream HTTP/1.1\r\nHost: x\r\n\r\n"
                           % run.id).encode())
            return
        with self.server.stream(run) as stream:
            if n % 4 == 2:
                stream.next()
            if n % 4 == 3:
                stream.wait_lines(5)

    def settled(self):
        return harness.wait_for("all clients are gone", lambda: (
            self.server.counters()["clients"] == 0 and
            self.server.counters()["followers"] == 0 and self.state()))

    def state(self):
        pids = self.server.worker_pids()
        return ([harness.descriptors(pid) for pid in pids],
                [harness.resident_kib(pid) for pid in pids])

    def test_cycles_leave_descriptors_memory_and_followers_as_they_were(self):
        runs = [self.server.run(lines=5) for _ in range(3)]
        for n in range(max(100, CYCLES // 5)):  # whatever is kept for later is there after these
            self.cycle(runs[n % 3], n)
        before_fds, before_kib = self.settled()
        for n in range(CYCLES):
            self.cycle(runs[n % 3], n)
        harness.wait_for("descriptors are as before", lambda: self.settled()[0] == before_fds)
        after_kib = self.settled()[1]
        for before, after in zip(before_kib, after_kib):
            # A leak of a kilobyte a client would be CYCLES / 2 KiB in each of two workers.
            if harness.MEMORY_TELLS:
                self.assertLess(after - before, max(200, CYCLES // 5))
        counters = self.server.counters()
        self.assertEqual((counters["files_open"], counters["channels"]), (0, 0))
        self.assertGreaterEqual(counters["requests"], CYCLES)


if __name__ == "__main__":
    harness.main()
