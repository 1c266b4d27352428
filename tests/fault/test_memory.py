#!/usr/bin/env python3
"""No memory: allocations fail at random. A process may end, and is started again; it never hangs,
and what clients have in the end is right."""

import errno
import os
import random
import unittest

import faults
from faults import harness


@unittest.skipIf(faults.SANITIZERS, "sanitizers have a malloc of their own")
class Memory(faults.TestCase):
    workers = 2
    wants_restart = True

    def read_all(self, run, lines, until_s=60):
        """As EventSource reads it: comes back with its last id until the stream is complete."""
        out, last, names = [], None, set()

        def is_whole():
            nonlocal last
            try:
                stream = self.server.stream(run, last_id=last)
            except (AssertionError, OSError):
                return False
            with stream:
                if stream.status == 204:
                    return True
                if stream.status != 200:
                    return False
                try:
                    while stream.next(2) is not None:
                        pass
                except AssertionError:
                    pass  # nothing for a while: asks again
                out.extend(e.data["line"] for e in stream.logs())
                names.update(stream.names())
                last = stream.last_id or last
                return "complete" in stream.names()
        harness.wait_for("all of %s was read" % run.id, is_whole, until_s)
        self.assertEqual(out, lines)
        self.assertNotIn("gap", names)

    def few(self, per_mille, **about):
        return self.faults.rule("memory", errno.ENOMEM, per_mille=per_mille,
                                not_pid=self.server.daemon.pid, **about)

    def test_workers_without_memory_lose_and_repeat_nothing(self):
        wanted = ["line %d" % n for n in range(1, 501)]
        for per_mille in (5, 20, 60):
            runs = [self.server.run(lines=500) for _ in range(4)]
            for run in runs:
                run.finish()
            for worker in self.server.worker_pids():
                self.few(per_mille, pid=worker)
            for run in runs:
                try:
                    with self.server.stream(run) as stream:
                        while stream.next(2) is not None:
                            pass
                    got = [e.data["line"] for e in stream.logs()]
                    self.assertEqual(got, wanted[:len(got)])
                except (AssertionError, OSError) as error:
                    if "!=" in str(error):
                        raise
            for number in list(self.faults.used):
                faults.Rule(self.faults, number).remove()
            for run in runs:
                self.read_all(run, wanted)

    def test_who_stays_connected_through_a_shortage_has_every_line(self):
        run = self.server.run()
        lines, last, got = 0, None, []
        for _ in range(6):
            try:
                stream = self.server.stream(run, last_id=last)
            except (AssertionError, OSError):
                continue
            with stream, self.few(random.choice((10, 50, 200))):
                for _ in range(20):
                    lines += 1
                    run.out("line %d\n" % lines)
                    try:
                        if stream.status != 200 or stream.next(0.1) is None:
                            break
                    except AssertionError:
                        pass
                got += [e.data["line"] for e in stream.logs()]
                self.assertNotIn("gap", stream.names())
                last = stream.last_id or last
        run.finish()
        wanted = ["line %d" % n for n in range(1, lines + 1)]
        self.assertEqual(got, wanted[:len(got)])
        if last is None:
            got = []
        self.read_rest(run, last, wanted[len(got):])

    def read_rest(self, run, last, wanted):
        def opened():
            stream = self.server.stream(run, last_id=last)
            if stream.status == 200:
                return stream
            stream.close()
            return None
        with harness.wait_for("it is served", opened, 30) as stream:
            stream.read_until_complete(30)
            self.assertEqual(stream.lines(), wanted)

    def test_a_stream_that_could_not_be_served_says_so_in_its_access_line(self):
        """Each allocation on the way to a stream fails once."""
        def failed():
            return "how=failed" in self.server.log()
        for n in range(1, 200):
            for worker in self.server.worker_pids():
                self.faults.rule("memory", errno.ENOMEM, every=n, times=1, pid=worker)
            try:
                with self.server.open("/api/v1/runs/stream/all") as stream:
                    stream.next(0.02)
            except (AssertionError, OSError):
                pass  # nothing came, or it was cut off
            for number in list(self.faults.used):
                faults.Rule(self.faults, number).remove()
            if failed():
                break
        harness.wait_for("one failed", failed)
        words = self.server.counters_by_word()["streams_ended"]
        self.assertGreater(words["failed"], 0)

    def test_discovery_without_memory_finds_all_runs_in_the_end(self):
        discovery = self.server.status()["discovery"]["pid"]
        with self.few(100, pid=discovery):
            runs = [self.server.run("many-%d" % n, project="p", task="t", lines=1)
                    for n in range(50)]
            for run in runs[:5]:
                run.finish()
        for run in runs:
            harness.wait_for("%s is found" % run.id, lambda r=run: self.server.get(
                "/api/v1/runs/" + r.id).status == 200, 30)
        for run in runs[:5]:
            self.read_all(run, ["line 1"])


if __name__ == "__main__":
    faults.main()
