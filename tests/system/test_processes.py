#!/usr/bin/env python3
"""Processes that die, end, reload or are fed garbage; and what the clients see of it."""

import os
import random
import re
import signal
import socket
import stat
import struct
import threading
import time

import harness


def begin_request(request_id=1):
    return struct.pack(">BBHHBBHB5x", 1, 1, request_id, 8, 0, 0, 1, 0)


class Processes(harness.TestCase):
    def restarted(self, index, old):
        return harness.wait_for("worker %d is restarted" % index, lambda: (
            self.server.worker_pids()[index] not in (0, old) and
            harness.alive(self.server.worker_pids()[index])))

    def serving(self, run):
        """The index of the worker that has the run's only client."""
        for index, worker in enumerate(self.server.status()["workers"]):
            if sum(worker["counters"]["clients"].values()):
                return index
        self.fail("no worker has the client")

    def test_a_worker_killed_in_mid_stream_costs_no_line(self):
        run = self.server.run()
        numbers, last, written = [], None, 0
        for _ in range(4):
            stream = self.stream(run, last_id=last)
            for _ in range(5):
                run.out("".join("line %d\n" % n for n in range(written + 1, written + 101)))
                written += 100
                event = stream.wait("log")
                numbers.append(event.data["n"])
                last = event.id
            index = harness.wait_for("somebody serves it", lambda: [
                i for i, w in enumerate(self.server.status()["workers"])
                if sum(w["counters"]["clients"].values())])[0]
            pid = self.server.worker_pids()[index]
            os.kill(pid, signal.SIGKILL)
            while True:  # what was on its way still comes
                event = stream.next()
                if event is None:
                    break
                if event.name == "log":
                    numbers.append(event.data["n"])
                    last = event.id
            stream.close()
            self.restarted(index, pid)
        run.finish()
        stream = self.stream(run, last_id=last)
        stream.read_until_complete()
        self.assertNotIn("gap", stream.names())
        numbers += [e.data["n"] for e in stream.logs()]
        self.assertEqual(numbers, list(range(1, written + 1)))

    def test_listening_sockets_outlive_a_worker(self):
        """Nobody is refused while a worker is down: its socket holds the connection."""
        paths = [os.path.join(self.server.runtime_dir, "worker-%d.sock" % n) for n in (1, 2)]
        inodes = [os.stat(path).st_ino for path in paths]
        for index, pid in enumerate(self.server.worker_pids()):
            os.kill(pid, signal.SIGKILL)
            for path in paths:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(path)
            self.assertEqual(self.server.get("/api/v1/health").status, 200)
            self.restarted(index, pid)
        self.assertEqual([os.stat(path).st_ino for path in paths], inodes)

    def test_restarts_are_counted(self):
        worker = self.server.status()["workers"][1]
        os.kill(worker["pid"], signal.SIGKILL)
        self.restarted(1, worker["pid"])
        self.assertEqual(self.server.status()["workers"][1]["restarts"], worker["restarts"] + 1)

    def test_discovery_killed_is_restarted_and_streams_go_on(self):
        run = self.server.run(lines=1)
        stream = self.stream(run)
        stream.wait_lines(1)
        for _ in range(2):
            pid = self.server.status()["discovery"]["pid"]
            os.kill(pid, signal.SIGKILL)
            run.out("while it is down\n")
            stream.wait("log", line="while it is down")
            harness.wait_for("discovery is restarted", lambda: (
                self.server.status()["discovery"]["pid"] not in (0, pid)), 15)
            late = self.server.run(lines=1)
            harness.wait_for("a new run is found", lambda: self.server.get(
                "/api/v1/runs/" + late.id).status == 200)
        run.finish()
        stream.read_until_complete()

    def test_a_run_that_goes_on_while_discovery_is_held_up_is_not_taken_for_over(self):
        config = {"api": {"sse": {"heartbeat_interval_s": 1}}}
        with harness.Server(config=config, workers=1) as server:
            run = server.run(lines=2)
            run.finish()
            with server.stream(run) as stream:
                stream.read_until_complete()
            pid = server.status()["discovery"]["pid"]
            os.kill(pid, signal.SIGSTOP)
            try:
                run.info("running")
                run.out("half of ")
                with server.stream(run, last_id=stream.last_id) as again:
                    self.assertEqual(again.status, 200)
                    # Silent for longer than an end takes to be believed.
                    again.wait("heartbeat")
                    self.assertNotIn("complete", again.names())
                    self.assertEqual([e.data["partial"] for e in again.logs()], [True])
                    os.kill(pid, signal.SIGCONT)
                    again.wait("status", status="running")
                    run.out("a line\n")
                    run.finish("failed", 1)
                    again.read_until_complete()
                    self.assertEqual(again.whole_lines(), ["half of a line"])
            finally:
                os.kill(pid, signal.SIGCONT)

    def test_a_run_that_went_on_is_not_taken_for_over_by_the_next_discovery_either(self):
        run = self.server.run(lines=2)
        run.finish()
        with self.stream(run) as stream:
            stream.read_until_complete()
        pid = self.server.status()["discovery"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        run.info("running")
        run.out("half of ")
        again = self.stream(run, last_id=stream.last_id)
        again.wait("log", line="half of ", partial=True)
        os.kill(pid, signal.SIGKILL)  # whatever it was asked
        again.wait("status", status="running")
        self.assertNotIn("complete", again.names())
        run.out("a line\n")
        run.finish("failed", 1)
        again.read_until_complete()
        self.assertEqual(again.whole_lines(), ["half of a line"])

    def test_what_is_written_after_the_end_is_waited_for_and_the_end_comes(self):
        run = self.server.run(lines=2)
        run.finish()
        with self.server.stream(run) as stream:
            stream.read_until_complete()
        run.out("a late line\nand half")
        stream = self.stream(run, last_id=stream.last_id)
        stream.read_until_complete()
        self.assertEqual(stream.whole_lines(), ["a late line", "and half"])

    def test_garbage_on_a_workers_socket_disturbs_nobody(self):
        run = self.server.run(lines=1)
        stream = self.stream(run)
        stream.wait_lines(1)
        pids = self.server.worker_pids()
        rng = random.Random(1)
        pieces = [b"", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 100, b"\xff" * 70000,
                  begin_request(), begin_request(0), begin_request() * 1000,
                  begin_request() + b"\x01\x04\x00\x01\xff\xff\x00\x00" + b"\xff" * 65535,
                  begin_request() + b"\x01\x04\x00\x01\x00\x0a\x00\x00" + b"\x7f\xff\xff\xff" * 2,
                  begin_request() + b"\x01\x04\x00\x01\x00\x00\x00\x00",
                  b"\x01\x09\x00\x00\x00\x00\x00\x00", begin_request()[:5]]
        pieces += [rng.randbytes(rng.randrange(1, 3000)) for _ in range(100)]
        pieces += [begin_request() + rng.randbytes(rng.randrange(1, 3000)) for _ in range(100)]
        held = []
        for n in (1, 2):
            for piece in pieces:
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(harness.seconds(5))
                s.connect(os.path.join(self.server.runtime_dir, "worker-%d.sock" % n))
                try:
                    s.sendall(piece)
                except OSError:
                    pass  # it has seen enough
                held.append(s)
        run.out("still here\n")
        stream.wait("log", line="still here")
        for s in held:
            s.close()
        self.assertEqual(self.server.get("/api/v1/health").status, 200)
        self.assertEqual(self.server.worker_pids(), pids)

    def test_a_peer_that_sends_half_a_request_is_ended(self):
        config = {"server": {"request_timeout_ms": 200}}
        with harness.Server(config=config, workers=1, nginx=False) as server:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(os.path.join(server.runtime_dir, "worker-1.sock"))
                s.sendall(begin_request()[:9])
                s.settimeout(harness.seconds(10))
                self.assertEqual(s.recv(100), b"")

    def test_sockets_are_not_for_everybody(self):
        for name in ("worker-1.sock", "worker-2.sock", "control.sock"):
            mode = os.stat(os.path.join(self.server.runtime_dir, name)).st_mode
            self.assertTrue(stat.S_ISSOCK(mode))
            self.assertEqual(mode & 0o007, 0, name)
        self.assertEqual(os.stat(os.path.join(
            self.server.runtime_dir, "control.sock")).st_mode & 0o777, 0o600)


class Ends(harness.TestCase):
    """Each test has a server of its own, and ends it in its way."""

    @classmethod
    def setUpClass(cls):
        cls.stack = harness.contextlib.ExitStack()

    def test_sigterm_ends_streams_cleanly_and_leaves_nothing(self):
        with harness.Server() as server:
            run = server.run(lines=2)
            streams = [server.stream(run) for _ in range(4)]
            for stream in streams:
                stream.wait_lines(2)
            server.daemon.send_signal(signal.SIGTERM)
            for stream in streams:
                while stream.next():
                    pass
                self.assertTrue(stream.clean, "cut, not ended")
                stream.close()
            self.assertEqual(server.daemon.wait(harness.seconds(10)), 0)
            server.daemon = None

    def test_stop_ends_it_and_returns_when_all_is_down(self):
        with harness.Server() as server:
            pids = harness.marked_processes(server.mark)
            server.ctl("stop")
            server.daemon.wait(harness.seconds(5))
            self.assertEqual(server.daemon.returncode, 0)
            server.daemon = None
            left = [p for p in pids if harness.alive(p) and p != server.nginx.pid]
            left = [p for p in left if "nginx" not in pids[p]]
            self.assertEqual(left, [])

    def test_after_kill_9_of_the_supervisor_its_children_end_and_a_new_one_starts(self):
        with harness.Server() as server:
            run = server.run(lines=2)
            stream = server.stream(run)
            stream.wait_lines(2)
            children = server.worker_pids() + [server.status()["discovery"]["pid"]]
            server.daemon.kill()
            server.daemon.wait()
            server.start_daemon()  # at once: it waits for the old children
            harness.wait_for("the old children are gone", lambda: not any(
                harness.alive(pid) for pid in children))
            while stream.next():
                pass
            self.assertTrue(stream.clean)
            harness.wait_for("ready again", lambda: server.get("/api/v1/ready").status == 200)
            run.out("line 3\n")
            with server.stream(run, last_id=stream.last_id) as again:
                again.wait_lines(1)
                self.assertEqual(again.lines(), ["line 3"])
                self.assertNotIn("gap", again.names())
            stream.close()

    def test_kill_9_of_everything_and_a_new_start(self):
        with harness.Server() as server:
            run = server.run(lines=2)
            pids = server.worker_pids() + [server.status()["discovery"]["pid"]]
            server.daemon.kill()
            for pid in pids:
                with harness.contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            server.daemon.wait()
            server.start_daemon()
            harness.wait_for("ready again", lambda: server.get("/api/v1/ready").status == 200)
            with server.stream(run) as stream:
                stream.wait_lines(2)

    def test_a_second_instance_in_the_same_runtime_directory_is_refused(self):
        with harness.Server(nginx=False) as server:
            second = harness.subprocess.run(
                [harness.RUNSTREAMD, "--foreground", "--config", server.config_path,
                 "--runs-dir", server.runs_dir, "--runtime-dir", server.runtime_dir],
                stdin=harness.subprocess.DEVNULL, capture_output=True, text=True,
                env=server.environment, timeout=harness.seconds(10))
            self.assertNotEqual(second.returncode, 0)
            self.assertTrue(second.stderr)
            self.assertEqual(server.ctl("status").returncode, 0)

    def test_two_instances_run_side_by_side(self):
        with harness.Server() as one, harness.Server() as two:
            a, b = one.run("same", lines=1), two.run("same", lines=2)
            with one.stream(a) as first, two.stream(b) as second:
                first.wait_lines(1)
                second.wait_lines(2)

    def test_a_worker_that_dies_again_and_again_is_restarted_with_back_off(self):
        with harness.Server(workers=1) as server:
            for _ in range(4):
                pid = harness.wait_for("a worker", lambda: server.worker_pids()[0])
                os.kill(pid, signal.SIGKILL)
                harness.wait_for("it is noticed", lambda: server.worker_pids()[0] != pid)
            harness.wait_for("it is back", lambda: server.worker_pids()[0] and server.get(
                "/api/v1/health").status == 200, 30)


class Followers:
    """Clients of a run that come back by their id, as EventSource does, until told to stop; a
    writer appends meanwhile. In the end each must have every line once."""

    def __init__(self, server, run, count):
        self.server, self.run = server, run
        self.numbers = [[] for _ in range(count)]
        self.streams = [server.stream(run) for _ in range(count)]
        self.endings = []   # when a stream ended, cleanly
        self.refusals = 0
        self.written = 0
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.follow, args=(i,)) for i in range(count)]
        self.failures = []
        for thread in self.threads:
            thread.start()
        self.writer = threading.Thread(target=self.write)
        self.writer.start()

    def write(self):
        while not self.is_over.is_set():
            self.run.out("".join("line %d\n" % n for n in
                                 range(self.written + 1, self.written + 11)))
            self.written += 10
            self.is_over.wait(0.02)

    def follow(self, index):
        try:
            last = None
            while True:
                stream = self.streams[index]
                while (event := stream.next(30)) is not None:
                    if event.name == "log":
                        self.numbers[index].append(event.data["n"])
                    if event.name == "gap":
                        raise AssertionError(event)
                    if event.name == "complete":
                        return
                self.endings.append((time.monotonic(), stream.clean))
                last = stream.last_id or last
                stream.close()
                self.streams[index] = self.again(last)
        except BaseException as e:  # the test's own thread says it
            self.failures.append(repr(e))

    def again(self, last):
        until = time.monotonic() + harness.seconds(20)
        while True:
            try:
                stream = self.server.stream(self.run, last_id=last)
            except (OSError, AssertionError):  # nginx is away
                stream = None
            if stream and stream.status == 200:
                return stream
            if stream:
                stream.close()
                self.refusals += 1
            if time.monotonic() > until:
                raise AssertionError("nobody serves")
            time.sleep(0.01)

    def end(self):
        """Ends the run and checks what each has."""
        self.is_over.set()
        self.writer.join()
        self.run.finish()
        for thread in self.threads:
            thread.join(harness.seconds(30))
            assert not thread.is_alive(), "it did not come to its end"
        for stream in self.streams:
            stream.close()
        assert not self.failures, self.failures
        for numbers in self.numbers:
            assert numbers == list(range(1, self.written + 1)), (
                len(numbers), self.written, len(set(numbers)))

    def wait_for_more(self):
        """Everybody has got a line that was not there yet."""
        goal = self.written
        harness.wait_for("all get lines", lambda: self.failures or all(
            n and n[-1] > goal for n in self.numbers))
        assert not self.failures, self.failures


class Drain(harness.TestCase):
    config = {"api": {"sse": {"max_clients_per_run": 100}}, "server": {"drain_ms": 1000}}

    def test_a_drained_worker_is_replaced_and_no_client_loses_a_line(self):
        pids = self.server.worker_pids()
        followers = Followers(self.server, self.server.run(), 12)
        followers.wait_for_more()
        self.server.ctl("drain", "2")
        followers.wait_for_more()
        self.assertEqual(followers.refusals, 0)
        self.assertTrue(all(clean for _, clean in followers.endings), followers.endings)
        self.assertTrue(0 < len(followers.endings) < 12, "the other worker's clients stayed")
        followers.end()
        after = self.server.worker_pids()
        self.assertEqual(after[0], pids[0])
        self.assertNotIn(after[1], (0, pids[1]))

    def test_what_was_wished_for_is_no_restart(self):
        """Alerts go by restarts."""
        before = self.server.status()["workers"][0]
        self.server.ctl("drain", "1")
        after = self.server.status()["workers"][0]
        self.assertEqual(after["restarts"], before["restarts"])
        self.assertEqual(after["replacements"], before["replacements"] + 1)
        metrics = self.server.get("/metrics").body.decode()
        self.assertIn('runstream_replacements_total{process="worker",worker="1"} %d\n' %
                      after["replacements"], metrics)
        self.assertIn('runstream_restarts_total{process="worker",worker="1"} %d\n' %
                      after["restarts"], metrics)

    def test_all_workers_are_replaced_one_after_another_and_nobody_is_refused(self):
        pids = self.server.worker_pids()
        followers = Followers(self.server, self.server.run(), 10)
        followers.wait_for_more()
        self.server.ctl("drain")
        followers.wait_for_more()
        followers.end()
        self.assertEqual(followers.refusals, 0)
        self.assertFalse(set(pids) & set(self.server.worker_pids()))
        self.assertTrue(all(clean for _, clean in followers.endings))

    def test_what_cannot_be_drained(self):
        for name, status, word in (("3", 1, "no such worker"), ("two", 2, "number"),
                                   ("0", 2, "number"), ("65", 2, "number")):
            answer = self.server.ctl("drain", name, check=False)
            self.assertEqual(answer.returncode, status, answer.stderr)
            self.assertIn(word, answer.stderr)

    def test_the_only_worker_is_replaced_and_who_comes_meanwhile_waits(self):
        with harness.Server(workers=1, config={"server": {"drain_ms": 300}}) as server:
            followers = Followers(server, server.run(), 5)
            followers.wait_for_more()
            server.ctl("drain")
            followers.wait_for_more()
            followers.end()
            self.assertEqual(followers.refusals, 0)

    def test_a_worker_that_does_not_drain_is_killed_and_replaced(self):
        pid = self.server.worker_pids()[0]
        restarts = self.server.status()["workers"][0]["restarts"]
        os.kill(pid, signal.SIGSTOP)
        self.server.ctl("drain", "1")
        self.assertNotIn(self.server.worker_pids()[0], (0, pid))
        self.assertIn("child_killed", self.server.log())
        # Which is worth knowing: it counts as one that failed.
        self.assertGreater(self.server.status()["workers"][0]["restarts"], restarts)


class Killed(harness.TestCase):
    """kill -9 of any process, under load: who comes back by its id has every line once."""

    @classmethod
    def setUpClass(cls):
        cls.stack = harness.contextlib.ExitStack()

    def setUp(self):
        self.server = self.enterContext(harness.Server(config={
            "api": {"sse": {"max_clients_per_run": 100}}, "server": {"drain_ms": 300}}))
        self.run_of_all = self.server.run()
        self.followers = Followers(self.server, self.run_of_all, 6)
        self.addCleanup(self.followers.is_over.set)
        self.followers.wait_for_more()

    def kill_worker(self, index):
        pid = self.server.worker_pids()[index]
        if pid:  # else it waits for its restart
            os.kill(pid, signal.SIGKILL)

    def kill_discovery(self):
        pid = self.server.status()["discovery"]["pid"]
        if pid:
            os.kill(pid, signal.SIGKILL)

    def kill_supervisor(self):
        self.server.daemon.kill()
        self.server.daemon.wait()
        self.server.start_daemon()

    def kill_nginx(self):
        master = self.server.nginx
        with open("/proc/%d/task/%d/children" % (master.pid, master.pid)) as f:
            pids = [master.pid] + [int(pid) for pid in f.read().split()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        master.wait()
        harness.wait_for("its workers are gone", lambda: not any(map(harness.alive, pids)))
        self.server.start_nginx(self.server.port)

    def reload_nginx(self):
        self.server.nginx.send_signal(signal.SIGHUP)

    def each(self):
        return [lambda: self.kill_worker(0), lambda: self.kill_worker(1), self.kill_discovery,
                self.kill_supervisor, self.kill_nginx, self.reload_nginx,
                self.server.restart_nginx, lambda: self.server.ctl("drain"),
                lambda: self.server.ctl("reload")]

    def test_each_process_in_any_order(self):
        seed = random.randrange(1 << 30)
        print("# seed %d" % seed)
        order = self.each()
        random.Random(seed).shuffle(order)
        for harm in order:
            harm()
            self.followers.wait_for_more()
        self.followers.end()

    def test_two_at_a_time_without_waiting_for_recovery(self):
        seed = random.randrange(1 << 30)
        print("# seed %d" % seed)
        chance = random.Random(seed)
        for _ in range(4):
            for harm in chance.sample(self.each(), 2):
                harm()
            self.followers.wait_for_more()
        self.followers.end()

    def test_all_processes_of_it_at_once(self):
        pids = [pid for pid, line in harness.marked_processes(self.server.mark).items()
                if "nginx" not in line]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.server.daemon.wait()
        self.server.start_daemon()
        self.followers.wait_for_more()
        self.followers.end()

    def test_while_discovery_stands_still_streams_go_on_and_complete_comes_when_it_is_back(self):
        pid = self.server.status()["discovery"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        self.followers.is_over.set()
        self.followers.writer.join()
        self.run_of_all.finish()
        for _ in range(3):
            self.run_of_all.out("line %d\n" % (self.followers.written + 1))
            self.followers.written += 1
            harness.wait_for("all have the line", lambda: all(
                n[-1] == self.followers.written for n in self.followers.numbers))
        self.assertTrue(all(t.is_alive() for t in self.followers.threads), "none is complete")
        os.kill(pid, signal.SIGCONT)
        self.followers.end()

    def test_while_discovery_waits_for_its_restart_streams_go_on(self):
        def waits():
            self.kill_discovery()
            return self.server.status()["discovery"]["state"] == "waiting"
        for _ in range(3):
            harness.wait_for("it waits", waits)
            self.followers.wait_for_more()
        self.assertEqual(self.followers.endings, [])
        self.followers.end()

    def test_children_of_a_killed_supervisor_end_within_the_drain_and_a_new_one_takes_over(self):
        children = self.server.worker_pids() + [self.server.status()["discovery"]["pid"]]
        began = time.monotonic()
        self.server.daemon.kill()
        self.server.daemon.wait()
        harness.wait_for("they ended", lambda: not any(map(harness.alive, children)))
        ended_s = time.monotonic() - began
        self.server.start_daemon()
        self.followers.wait_for_more()
        self.followers.end()
        # 300 ms, and 500 for those that take nothing.
        self.assertLess(ended_s, harness.seconds(3))
        self.assertTrue(all(clean for _, clean in self.followers.endings))


class DrainSlowly(harness.TestCase):
    # Long enough for a worker that has to wait for its turn to be late by little of it.
    config = {"api": {"sse": {"max_clients_per_run": 100}}, "server": {"drain_ms": 6000}}

    def test_streams_are_ended_one_by_one_over_the_time(self):
        followers = Followers(self.server, self.server.run(), 40)
        followers.wait_for_more()
        count = self.server.clients_of_workers()[0]
        self.assertGreater(count, 5)
        self.server.ctl("drain", "1")

        def endings():
            return re.findall(r"time=\S+T(\d+):(\d+):(\d+\.\d+)Z .*role=worker-1 event=stream_ended .*how=drained",
                              self.server.log())
        # What was sent may still be on its way.
        harness.wait_for("all were ended", lambda: len(endings()) >= count, 20)
        followers.end()
        times = [int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in endings()]
        self.assertEqual(len(times), count)
        # Evenly: in each third of the time there are some, and in none nearly all.
        times = [(t - min(times)) % 86400 for t in times]
        for third in range(3):
            share = [t for t in times if third * 2 <= t < (third + 1) * 2]
            self.assertTrue(share, times)
            self.assertLess(len(share), count * 0.8, times)


class Resize(harness.TestCase):
    """More or fewer workers, with nginx as it was."""

    @staticmethod
    def config_of(workers, **more):
        return {"api": {"sse": {"max_clients_per_run": 100}},
                "server": dict({"workers": workers, "drain_ms": 300}, **more)}

    def resize(self, server, workers):
        server.write_config(self.config_of(workers))
        server.ctl("reload")
        harness.wait_for("%d workers" % workers, lambda: [
            w["state"] for w in server.status()["workers"]] == ["running"] * workers)

    def test_more_workers_cut_no_stream_and_take_their_share(self):
        with harness.Server(workers=None, config=self.config_of(1, sockets=4)) as server:
            pid = server.worker_pids()[0]
            followers = Followers(server, server.run(), 10)
            followers.wait_for_more()
            self.resize(server, 4)
            followers.wait_for_more()
            self.assertEqual(followers.endings, [])
            self.assertEqual(server.worker_pids()[0], pid)
            others = [server.stream(server.run(lines=1)) for _ in range(12)]
            for stream in others:
                stream.wait_lines(1)
            clients = server.clients_of_workers()
            self.assertEqual(sum(clients), 22)
            self.assertTrue(all(clients), clients)
            for stream in others:
                stream.close()
            followers.end()

    def test_fewer_workers_cut_the_streams_of_those_alone_who_go(self):
        with harness.Server(workers=None, config=self.config_of(4, sockets=4)) as server:
            followers = Followers(server, server.run(), 16)
            followers.wait_for_more()
            clients = server.clients_of_workers()
            self.resize(server, 2)
            followers.wait_for_more()
            self.assertEqual(len(followers.endings), clients[2] + clients[3])
            self.assertTrue(all(clean for _, clean in followers.endings))
            self.assertEqual(followers.refusals, 0)
            for _ in range(8):  # all four sockets are served
                self.assertEqual(server.get("/api/v1/health").status, 200)
            self.resize(server, 3)
            followers.wait_for_more()
            followers.end()

    def test_more_workers_than_sockets_are_as_many_as_there_are_sockets(self):
        with harness.Server(workers=None, config=self.config_of(1, sockets=2)) as server:
            server.write_config(self.config_of(3, sockets=2))
            answer = server.ctl("reload")
            self.assertIn("server.workers: the change takes effect at a restart", answer.stderr)
            harness.wait_for("two workers", lambda: len(server.worker_pids()) == 2)

    def test_what_needs_a_restart_is_named(self):
        with harness.Server(nginx=False) as server:
            server.write_config({"following": {"inotify": False}})
            answer = server.ctl("reload")
            self.assertEqual(answer.stderr, "runstreamctl: following.inotify: the change takes "
                                            "effect at a restart\n")


class Reload(harness.TestCase):
    def reload_while_open(self, before, after, query="", prepare=None, workers=1):
        """A server with a stream open under these settings, reloaded with those."""
        server = self.enterContext(harness.Server(config=before, workers=workers))
        run = server.run(lines=1)
        stream = server.stream(run, query)
        self.addCleanup(stream.close)
        stream.wait_lines(1)
        if prepare:
            prepare(run)
        server.write_config(after)
        server.ctl("reload")
        return server, run, stream

    @staticmethod
    def sse(**keys):
        return {"api": {"sse": keys}}

    def test_heartbeat_interval_holds_for_open_streams(self):
        _, _, stream = self.reload_while_open(self.sse(heartbeat_interval_s=3600),
                                              self.sse(heartbeat_interval_s=1))
        stream.wait("heartbeat")

    def test_partial_flush_holds_for_open_streams(self):
        _, _, stream = self.reload_while_open(
            self.sse(partial_flush_ms=3600000), self.sse(partial_flush_ms=10),
            prepare=lambda run: run.out("name? "))
        self.assertEqual(stream.wait("log", line="name? ").data["partial"], True)

    def test_terminal_linger_holds_for_open_streams(self):
        def finish(run):
            run.finish()
            harness.wait_for("the end is known", lambda: run.server.get(
                "/api/v1/runs/" + run.id).json()["status"] == "completed")
        _, _, stream = self.reload_while_open(self.sse(terminal_linger_ms=3600000),
                                              self.sse(terminal_linger_ms=10), prepare=finish)
        stream.read_until_complete()

    def test_poll_interval_holds_for_open_streams(self):
        polling = {"following": {"inotify": False}}
        _, _, stream = self.reload_while_open(
            dict(self.sse(poll_interval_ms=60000), **polling),
            dict(self.sse(poll_interval_ms=20), **polling),
            prepare=lambda run: run.out("line 2\n"))
        stream.wait_lines(2)

    def test_max_line_bytes_holds_for_open_streams(self):
        _, run, stream = self.reload_while_open(self.sse(max_line_bytes=65536),
                                                self.sse(max_line_bytes=1024))
        run.out("x" * 1500 + "\n")
        self.assertEqual([stream.wait("log").data.get("partial") for _ in range(2)],
                         [True, None])

    def test_client_timeout_holds_for_open_streams(self):
        server, run, other = self.reload_while_open(
            self.sse(client_timeout_s=86400), self.sse(client_timeout_s=86400))
        other.close()
        stuck = harness.Request(server.port, "/api/v1/runs/%s/stream" % run.id,
                                window_bytes=4096)
        self.addCleanup(stuck.close)
        # More than all that lies between the worker and it: buffers of kernel and nginx.
        for _ in range(16):
            run.out("".join("%01023d\n" % n for n in range(1024)))
        server.write_config(self.sse(client_timeout_s=1))
        server.ctl("reload")
        harness.wait_for("it is ended", lambda: server.counters_by_word()[
            "streams_ended"]["timeout"] == 1, 40)

    def test_request_timeout_holds_for_open_requests(self):
        long = {"server": {"request_timeout_ms": 600000}}
        server, _, _ = self.reload_while_open(long, long)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(server.runtime_dir, "worker-1.sock"))
            s.sendall(begin_request()[:9])
            server.write_config({"server": {"request_timeout_ms": 100}})
            server.ctl("reload")
            s.settimeout(harness.seconds(10))
            self.assertEqual(s.recv(100), b"")

    def test_max_clients_per_worker_refuses_new_ones_and_keeps_the_old(self):
        server, run, stream = self.reload_while_open({}, {"server": {
            "max_clients_per_worker": 1}})

        def refused():
            with server.stream(run) as another:
                return another.next().name == "refused"
        harness.wait_for("the new limit holds", refused)
        run.out("line 2\n")
        stream.wait_lines(2)

    def test_discovery_interval_holds_at_once(self):
        polling = {"following": {"inotify": False}}
        server, _, _ = self.reload_while_open(
            dict(self.sse(discovery_interval_ms=3600000), **polling), {})
        server.run("late", lines=1)
        # Nobody asks for it, which would have it looked for.
        before = len(server.get("/api/v1/runs").json()["runs"])
        self.assertLess(before, 2)
        server.write_config(dict(self.sse(discovery_interval_ms=20), **polling))
        server.ctl("reload")
        harness.wait_for("it is found", lambda: len(
            server.get("/api/v1/runs").json()["runs"]) == 2)

    def test_a_bad_file_is_told_in_the_log_as_well(self):
        with harness.Server(nginx=False, workers=1) as server:
            server.write_config("api:\n  sse:\n    poll_interval_ms: soon\n")
            server.daemon.send_signal(signal.SIGHUP)
            harness.wait_for("it is logged", lambda: "reload_failed" in server.log())
            self.assertRegex(server.log(), r"reload_failed .*config\.yaml:3:23")

    def test_reload_cuts_no_stream_and_takes_the_new_settings(self):
        with harness.Server() as server:
            run = server.run(lines=1)
            with server.stream(run) as stream:
                stream.wait_lines(1)
                server.write_config({"api": {"sse": {"max_clients_per_run": 2}}})
                server.ctl("reload")
                run.out("line 2\n")
                stream.wait_lines(2)

                def limited():
                    streams = [server.stream(run) for _ in range(5)]
                    names = [s.next().name for s in streams]
                    for s in streams:
                        s.close()
                    return "refused" in names
                harness.wait_for("the new limit holds", limited)
                run.out("line 3\n")
                stream.wait_lines(3)
                run.finish()
                stream.read_until_complete()

    def test_sighup_reloads_as_well(self):
        with harness.Server() as server:
            run = server.run(lines=1)
            with server.stream(run) as stream:
                stream.wait_lines(1)
                server.write_config({"api": {"sse": {"heartbeat_interval_s": 1}}})
                server.daemon.send_signal(signal.SIGHUP)

                def beats():
                    with server.stream(run) as s:
                        s.wait("status")
                        try:
                            return s.wait("heartbeat", 2)
                        except AssertionError:
                            return None
                harness.wait_for("the new interval holds", beats, 15)
                run.out("line 2\n")
                stream.wait_lines(2)

    def test_a_bad_file_keeps_the_old_settings_and_says_where(self):
        with harness.Server() as server:
            run = server.run(lines=1)
            server.write_config("api:\n  sse:\n    poll_intervall_ms: 50\n")
            answer = server.ctl("reload", check=False)
            self.assertEqual(answer.returncode, 1)
            self.assertIn("config.yaml:3:5", answer.stderr)
            self.assertIn("poll_interval_ms", answer.stderr)
            with server.stream(run) as stream:
                stream.wait_lines(1)


if __name__ == "__main__":
    harness.main()
