#!/usr/bin/env python3
"""What may come over a worker's socket when it is not nginx that sends it."""

import os
import random
import re
import signal
import socket
import struct
import time

import harness

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT = 1, 2, 3, 4, 5, 6
UNKNOWN_ROLE = 3


def record(kind, content=b"", request_id=1, padding=0, version=1):
    return struct.pack(">BBHHBB", version, kind, request_id, len(content), padding, 0) + (
        content + b"\0" * padding)


def begin(role=1, request_id=1):
    return record(BEGIN, struct.pack(">HB5x", role, 0), request_id)


def length_of(value):
    return bytes([len(value)]) if len(value) < 128 else struct.pack(">I", len(value) | 1 << 31)


def head(uri, method="GET", request_id=1, padding=0, **more):
    """All that comes before the body."""
    values = dict({"REQUEST_URI": uri, "REQUEST_METHOD": method,
                   "HTTP_ACCEPT": "text/event-stream"}, **more)
    pairs = b""
    for name, value in values.items():
        name, value = name.encode(), value.encode("latin-1")
        pairs += length_of(name) + length_of(value) + name + value
    out = begin(request_id=request_id)
    for at in range(0, len(pairs), 60000):
        out += record(PARAMS, pairs[at:at + 60000], request_id, padding)
    return out + record(PARAMS, b"", request_id, padding)


class Peer:
    """A connection to a worker; takes the answer apart, strictly."""

    def __init__(self, server, data=b"", worker=1):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(harness.seconds(15))
        self.socket.connect(os.path.join(server.runtime_dir, "worker-%d.sock" % worker))
        self.raw, self.text, self.ended, self.request_ids = b"", b"", None, set()
        if data:
            self.socket.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def more(self, most_bytes=65536):
        """Receives; False at the end."""
        try:
            data = self.socket.recv(most_bytes)
        except ConnectionResetError:
            data = b""
        self.raw += data
        while len(self.raw) >= 8:
            version, kind, request_id, length, padding = struct.unpack(">BBHHB", self.raw[:7])
            if len(self.raw) < 8 + length + padding:
                break
            content, self.raw = self.raw[8:8 + length], self.raw[8 + length + padding:]
            if version != 1 or self.ended is not None or kind not in (STDOUT, END):
                raise AssertionError("no record to come here: %d %r" % (kind, content[:100]))
            self.request_ids.add(request_id)
            if kind == END:
                self.ended = content[4]
            else:
                self.text += content
        return bool(data)

    def until(self, text):
        while text not in self.text:
            if not self.more():
                raise AssertionError("ended before %r: %r" % (text, self.text[-500:]))

    def all(self):
        while self.more():
            pass
        return self.text


class Peers(harness.TestCase):
    workers = 1
    config = {"server": {"request_timeout_ms": 500}, "api": {"sse": {"max_clients_per_run": 100}}}

    def setUp(self):
        self.pids = self.server.worker_pids()

    def tearDown(self):
        self.assertEqual(self.server.worker_pids(), self.pids)

    def peer(self, data=b""):
        peer = Peer(self.server, data)
        self.addCleanup(peer.socket.close)
        return peer

    def assert_closed(self, data):
        peer = self.peer(data)
        self.assertEqual((peer.all(), peer.ended), (b"", None))

    def test_what_is_not_a_request_is_closed(self):
        good = head("/api/v1/health")
        before = self.server.counters()["requests_bad"]
        for data in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 4096, b"\xff" * 4096,
                     record(BEGIN, b"\0" * 8, version=2), record(PARAMS), record(STDIN, b"x"),
                     begin() + begin(), begin() + record(PARAMS, b"x", request_id=2),
                     begin() + record(STDIN, b"x"), begin(request_id=0), record(9, request_id=0),
                     begin() + record(PARAMS, b"\xff\xff\xff\xff\xff\xff\xff\xff") + record(PARAMS),
                     begin() + record(PARAMS, b"\x7f\x7f") + record(PARAMS),
                     head("/api/v1/health\0x"), head("/api/v1/health", X="x" * 70000)):
            with self.subTest(data[:40]):
                self.assert_closed(data)
        self.assert_closed(begin() + record(ABORT))
        self.assertEqual(self.peer(good).all()[:14], b"Status: 200 OK")
        harness.wait_for("they were counted",
                         lambda: self.server.counters()["requests_bad"] - before >= 15)

    def test_half_a_request_is_closed_in_time(self):
        good = head("/api/v1/health")
        for length in (0, 1, 8, 16, len(good) - 1):
            with self.subTest(length):
                self.assert_closed(good[:length])

    def test_mutated_requests_do_no_harm(self):
        run = self.server.run(lines=1)
        good = head("/api/v1/runs/%s/stream?tail=1" % run.id, HTTP_LAST_EVENT_ID="s=1;e=0")
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        for n in range(500):
            data = bytearray(good)
            for _ in range(chance.randrange(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            data = data[:chance.randrange(len(data) + 1)] if n % 3 == 0 else data
            with Peer(self.server, bytes(data)):
                pass
        with self.subTest("seed %d" % seed):
            self.assertIn(b"200", self.peer(head("/api/v1/health")).all()[:14])

    def test_other_roles_are_told_so(self):
        for role in (0, 2, 3, 65535):
            peer = self.peer(begin(role=role, request_id=7))
            self.assertEqual((peer.all(), peer.ended, peer.request_ids), (b"", UNKNOWN_ROLE, {7}))

    def test_the_request_id_is_echoed_and_padding_ignored(self):
        peer = self.peer(head("/api/v1/health", request_id=65535, padding=255))
        self.assertIn(b'{"status":"ok"}', peer.all())
        self.assertEqual((peer.ended, peer.request_ids), (0, {65535}))

    def test_a_head_of_nearly_64_kib_byte_by_byte_records_is_read(self):
        data = head("/api/v1/health", X="x" * 60000)
        self.assertIn(b'{"status":"ok"}', self.peer(data).all())
        pairs = b"".join(length_of(n) + length_of(v) + n + v for n, v in (
            (b"REQUEST_URI", b"/api/v1/health"), (b"REQUEST_METHOD", b"GET")))
        data = begin() + b"".join(record(PARAMS, bytes([b])) for b in pairs) + record(PARAMS)
        self.assertIn(b'{"status":"ok"}', self.peer(data).all())

    def test_a_flood_of_stdin_disturbs_no_stream(self):
        run = self.server.run(lines=1)
        other, flood = self.peer(), self.peer()
        for peer in (other, flood):
            peer.socket.sendall(head("/api/v1/runs/%s/stream" % run.id))
            peer.until(b'"line 1"')
        for _ in range(50):
            flood.socket.sendall(record(STDIN, b"x" * 65535))
        run.out("live\n")
        other.until(b'"live"')
        flood.until(b'"live"')

    def test_a_second_request_is_not_answered(self):
        peer = self.peer(head("/api/v1/health") * 2)
        self.assertEqual(peer.all().count(b"Status:"), 1)
        self.assertEqual(peer.ended, 0)


class Waiting(harness.TestCase):
    """?wait_s= where a browser would not show it: the very bytes."""

    workers = 1
    config = {"server": {"max_clients_per_worker": 2}}

    def peer(self, *args, **more):
        peer = Peer(self.server, head(*args, **more))
        self.addCleanup(peer.socket.close)
        return peer

    def test_head_is_answered_at_once_with_headers_alone(self):
        text = self.peer("/api/v1/runs/not-yet/stream?wait_s=60", "HEAD").all()
        self.assertTrue(text.startswith(b"Status: 200 OK\r\n"))
        self.assertTrue(text.endswith(b"\r\n\r\n"))
        self.assertEqual(text.count(b"\r\n\r\n"), 1)

    def test_the_wait_is_as_long_as_asked_for(self):
        """Not as long as discovery is waited for, which is 5 s."""
        peer = self.peer("/api/v1/runs/never/stream?wait_s=1")
        peer.socket.settimeout(4.5 * harness.FACTOR)
        self.assertIn(b'"code":"NOT_FOUND"', peer.all())
        self.assertEqual(peer.ended, 0)

    def test_the_id_of_the_end_in_a_stream_that_is_open_ends_it_without_a_second_status(self):
        last_id = "s=0;e=0;end=1"
        peer = self.peer("/api/v1/runs/late/stream?wait_s=60", HTTP_LAST_EVENT_ID=last_id)
        peer.until(b"retry:")
        self.server.run("late").finish()
        self.assertEqual(peer.all().count(b"Status:"), 1)
        self.assertEqual(peer.ended, 0)
        again = self.peer("/api/v1/runs/late/stream?wait_s=60", HTTP_LAST_EVENT_ID=last_id)
        self.assertTrue(again.all().startswith(b"Status: 204"))

    def test_those_who_wait_take_a_place_in_the_worker(self):
        waiting = [self.peer("/api/v1/runs/waited/stream?wait_s=60") for _ in range(2)]
        for peer in waiting:
            peer.until(b"retry:")
        self.assertTrue(self.peer("/api/v1/runs/waited/stream?wait_s=60").all().startswith(
            b"Status: 503"))
        for peer in waiting:
            peer.socket.close()

        def admitted():
            with Peer(self.server, head("/api/v1/runs/waited/stream", "HEAD")) as peer:
                return not peer.all().startswith(b"Status: 503")
        harness.wait_for("places are free", admitted)


class Slow(harness.TestCase):
    """A web server that takes little, since its client does."""

    workers = 1
    config = {"api": {"sse": {"client_timeout_s": 2}}}

    def timed_out(self):
        return self.server.counters_by_word()["streams_ended"]["timeout"]

    def taking(self, run, piece_bytes, seconds, every_s):
        """One that takes so much, so often, for so long; then all the rest."""
        with Peer(self.server, head("/api/v1/runs/%s/stream" % run.id)) as peer:
            peer.until(b"event: log")
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                peer.socket.recv(piece_bytes, socket.MSG_PEEK)  # it is still there
                peer.more(piece_bytes)
                time.sleep(every_s)
            return peer.all()

    def test_one_that_takes_little_is_not_ended_and_gets_every_line(self):
        run = self.server.run(lines=20000)
        run.finish()
        # In a timeout less than must be taken of a socket's buffer before it has room.
        text = self.taking(run, 16384, 5, 0.4)
        lines = re.findall(rb'"line":"line (\d+)"', text)
        self.assertEqual(lines, [b"%d" % n for n in range(1, 20001)])
        self.assertIn(b"event: complete", text)

    def test_one_that_takes_nothing_is_ended_and_what_it_has_is_a_part(self):
        run = self.server.run(lines=20000)
        before = self.timed_out()
        with Peer(self.server, head("/api/v1/runs/%s/stream" % run.id)) as peer:
            peer.until(b"event: log")
            harness.wait_for("it is ended", lambda: (
                self.timed_out() == before + 1))
            self.assertNotIn(b"line 20000", peer.all())


class Drain(harness.TestCase):
    def test_what_has_no_headers_yet_is_sent_to_the_next_worker(self):
        """An end without headers would be a 502 of nginx."""
        with harness.Server(workers=1, nginx=False) as server:
            status = server.status()
            os.kill(status["discovery"]["pid"], signal.SIGSTOP)  # its look is waited for
            try:
                with Peer(server, head("/api/v1/runs/unknown/stream")) as peer:
                    harness.wait_for("it asked", lambda: server.counters()["requests"] >= 1)
                    os.kill(status["workers"][0]["pid"], signal.SIGTERM)
                    self.assertTrue(peer.all().startswith(b"Status: 503"), peer.text)
                    self.assertEqual(peer.ended, 0)
            finally:
                os.kill(status["discovery"]["pid"], signal.SIGCONT)


class Descriptors(harness.TestCase):
    """A worker that may have 96 descriptors, and 100 clients of as many runs."""

    LIMIT = 96

    def test_clients_of_one_run_may_take_most_of_them(self):
        limit = ["sh", "-c", 'ulimit -n %d && exec "$@"' % self.LIMIT, "sh"]
        config = {"api": {"sse": {"max_clients_per_run": 1000}}}
        with harness.Server(workers=1, nginx=False, before=limit, config=config) as server:
            run = server.run(lines=1)
            room = self.LIMIT - harness.descriptors(server.worker_pids()[0])
            peers = []
            while len(peers) < room:
                peer = Peer(server, head("/api/v1/runs/%s/stream?wait_s=9" % run.id))
                self.addCleanup(peer.socket.close)
                peer.until(b"\r\n\r\n")
                if peer.text.startswith(b"Status: 503"):
                    break
                peer.until(b'"line 1"')
                peers.append(peer)
            self.assertGreater(len(peers), room // 2)
            self.assertLess(len(peers), room)

    def test_what_is_let_in_is_served_and_the_rest_is_told_that_it_is_full(self):
        limit = ["sh", "-c", 'ulimit -n %d && exec "$@"' % self.LIMIT, "sh"]
        with harness.Server(workers=1, nginx=False, before=limit) as server:
            runs = [server.run(lines=1) for _ in range(100)]
            harness.wait_for("all are known", lambda: len(
                server.ctl_json("runs")["runs"]) == 100)
            pid = server.worker_pids()[0]
            before = harness.descriptors(pid)
            peers, full = [], 0
            for run in runs:
                peer = Peer(server, head("/api/v1/runs/%s/stream" % run.id))
                self.addCleanup(peer.socket.close)
                peer.until(b"\r\n\r\n")
                if peer.text.startswith(b"Status: 503"):
                    full += 1
                    continue
                peer.until(b'"line 1"')
                peers.append(peer)
            self.assertGreater(len(peers), 10)
            self.assertGreater(full, 10)
            for run in runs:
                run.out("live\n")
            for peer in peers:
                peer.until(b'"live"')
            # Connections that ask for nothing take what is left; this is said, and survived.
            idle = [Peer(server) for _ in range(self.LIMIT)]
            harness.wait_for("it has none left", lambda: "accept_failed" in server.log())
            for peer in idle + peers:
                peer.socket.close()
            harness.wait_for("all are free", lambda: harness.descriptors(pid) == before)
            with Peer(server, head("/api/v1/health")) as peer:
                self.assertIn(b'{"status":"ok"}', peer.all())
            self.assertEqual(server.log().count("accept_failed"), 1)


if __name__ == "__main__":
    harness.main()
