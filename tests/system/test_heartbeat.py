#!/usr/bin/env python3
"""Heartbeats: to a stream that is silent, and to no other."""

import time

import harness


class Heartbeat(harness.TestCase):
    config = {"api": {"sse": {"heartbeat_interval_s": 1}}}

    def test_a_silent_stream_gets_one_each_interval(self):
        run = self.server.run()
        stream = self.stream(run)
        stream.wait("status")
        began = time.monotonic()
        for _ in range(2):
            event = stream.wait("heartbeat")
            self.assertEqual(event.data, {})
            self.assertIsNone(event.id)
        took = time.monotonic() - began
        self.assertGreater(took, 1)
        self.assertLess(took, harness.seconds(5))

    def test_a_heartbeat_does_not_move_the_position(self):
        run = self.server.run(lines=3)
        stream = self.stream(run)
        stream.wait_lines(3)
        last = stream.last_id
        stream.wait("heartbeat")
        self.assertEqual(stream.last_id, last)

    def test_a_stream_that_speaks_gets_none(self):
        run = self.server.run()
        stream = self.stream(run)
        stream.wait("status")
        until, n, silences = time.monotonic() + 2.5, 0, 0
        began = time.monotonic()  # before what was sent last
        while time.monotonic() < until:
            n += 1
            next_began = time.monotonic()
            run.out("%d\n" % n)
            stream.wait_lines(n)
            # As many as there may have been seconds without a word on a busy machine.
            silences += int(time.monotonic() - began)
            began = next_began
        self.assertLessEqual(stream.names().count("heartbeat"), silences)

    def test_each_client_has_its_own_silence(self):
        run = self.server.run()
        first = self.stream(run)
        second = self.stream(run)
        first.wait("heartbeat")
        second.wait("heartbeat")

    def test_one_that_comes_back_behind_an_end_to_a_run_that_goes_on_gets_them(self):
        run = self.server.run(lines=1)
        run.finish()
        with self.stream(run) as stream:
            stream.read_until_complete()
        run.info("running")
        run.out("line 2\n")
        again = self.stream(run, last_id=stream.last_id)
        again.wait("log", line="line 2")
        again.wait("heartbeat")


if __name__ == "__main__":
    harness.main()
