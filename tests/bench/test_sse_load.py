#!/usr/bin/env python3
"""sse_load notices what it is there to notice: its verdict on sources with known faults."""
import json
import os
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap  # noqa: E402

PROGRAM = os.path.join(os.environ.get("top_builddir", "."), "tests", "bench", "sse_load")
LINES = 50
FAULTS = ("missing", "repeated", "disordered", "foreign")


def event(seq):
    line = f"seq={seq:09d} ts={0:019d} xxx"
    return (f"id: s={seq};e=0\nevent: log\n"
            f'data: {{"run_id":"r","line":"{line}","n":{seq}}}\n\n').encode()


def chunked(body, step):
    """body in chunks of step bytes, so that events and lines are cut anywhere."""
    return b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + step]), body[at:at + step])
                    for at in range(0, len(body), step))


class Source:
    """Answers each connection with the same bytes, some at a time."""

    def __init__(self, answer, step=1 << 20, ends=False):
        self.answer, self.step, self.ends = answer, step, ends
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/stream" % self.listener.getsockname()[1]
        self.requests = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(4096)
            self.requests.append(request)
            try:
                for at in range(0, len(self.answer), self.step):
                    connection.sendall(self.answer[at:at + self.step])
                if not self.ends:
                    connection.recv(1)  # until the client goes
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def answer(body, step=1 << 20):
    return (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, step))


def load(source, *options, clients=3, deadline_s=20):
    run = subprocess.run(
        [PROGRAM, f"--clients={clients}", f"--lines={LINES}", f"--deadline-s={deadline_s}",
         *options, source.url],
        stdout=subprocess.PIPE, timeout=60, check=False)
    lines = run.stdout.decode().splitlines()
    return run.returncode, json.loads(lines[-1])


class SseLoad(unittest.TestCase):
    def verdict(self, seqs, **options):
        with Source(answer(b": hello\n\nretry: 1000\n\n" + b"".join(map(event, seqs)))) as source:
            return load(source, **options)

    def assert_faults(self, result, clients=3, **faults):
        found = {name: result[name] for name in FAULTS}
        self.assertEqual(found, {name: clients * faults.get(name, 0) for name in FAULTS})

    def test_all_lines_once_and_in_order_are_right(self):
        status, result = self.verdict(range(1, LINES + 1))
        self.assertEqual(status, 0)
        self.assert_faults(result)
        self.assertEqual(result["lines"], 3 * LINES)

    def test_notices_a_lost_line(self):
        status, result = self.verdict([n for n in range(1, LINES + 1) if n != 17], deadline_s=1)
        self.assertEqual(status, 1)
        self.assert_faults(result, missing=1)
        self.assertTrue(result["timed_out"])

    def test_notices_a_lost_last_line(self):
        status, result = self.verdict(range(1, LINES), deadline_s=1)
        self.assertEqual(status, 1)
        self.assert_faults(result, missing=1)

    def test_notices_a_repeated_line(self):
        status, result = self.verdict([*range(1, 18), 17, *range(18, LINES + 1)])
        self.assertEqual(status, 1)
        self.assert_faults(result, repeated=1)

    def test_notices_a_repetition_after_the_last_line(self):
        status, result = self.verdict([*range(1, LINES + 1), LINES])
        self.assertEqual(status, 1)
        self.assert_faults(result, repeated=1)

    def test_notices_two_swapped_lines(self):
        status, result = self.verdict([*range(1, 17), 18, 17, *range(19, LINES + 1)])
        self.assertEqual(status, 1)
        self.assert_faults(result, disordered=1)

    def test_takes_any_order_where_there_is_none_and_still_notices_what_is_lost(self):
        seqs = [*range(26, LINES + 1), *range(1, 26)]
        with Source(answer(b"".join(map(event, seqs)))) as source:
            status, result = load(source, "--unordered")
        self.assertEqual(status, 0)
        self.assert_faults(result)
        with Source(answer(b"".join(map(event, seqs[1:] + seqs[-1:])))) as source:
            status, result = load(source, "--unordered", deadline_s=1)
        self.assertEqual(status, 1)
        self.assert_faults(result, missing=1, repeated=1)

    def test_notices_a_line_that_nobody_wrote(self):
        status, result = self.verdict([*range(1, LINES), LINES + 7, LINES])
        self.assertEqual(status, 1)
        self.assert_faults(result, foreign=1)

    def test_notices_a_stream_that_ends_early(self):
        with Source(answer(b"".join(map(event, range(1, 20)))) + b"0\r\n\r\n", ends=True) as source:
            status, result = load(source)
        self.assertEqual(status, 1)
        self.assertEqual(result["ended_early"], 3)
        self.assert_faults(result, missing=LINES - 19)

    def test_notices_a_refused_connection(self):
        refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        with Source(refusal, ends=True) as source:
            status, result = load(source)
        self.assertEqual(status, 1)
        self.assertEqual((result["refused_connections"], result["bad_status"]), (3, 503))

    def test_reads_events_wherever_chunks_and_packets_cut_them(self):
        body = b"".join(map(event, range(1, LINES + 1)))
        for chunk, packet in ((1, 1 << 20), (7, 3), (1 << 20, 1), (4096, 1000), (97, 89)):
            with self.subTest(chunk=chunk, packet=packet):
                with Source(answer(body, chunk), packet) as source:
                    status, result = load(source, clients=1)
                self.assertEqual(status, 0)
                self.assert_faults(result)
                self.assertEqual(result["body_bytes"], len(body))

    def test_reads_crlf_and_a_body_without_chunks(self):
        body = b"".join(map(event, range(1, LINES + 1))).replace(b"\n", b"\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        with Source(head + body, 5) as source:
            status, result = load(source, clients=1)
        self.assertEqual(status, 0)
        self.assert_faults(result)

    def test_holds_until_told_to_end_and_says_when_all_lines_are_there(self):
        with Source(answer(b"".join(map(event, range(1, LINES + 1))))) as source:
            run = subprocess.Popen([PROGRAM, "--clients=3", f"--lines={LINES}", "--hold",
                                    "--deadline-s=20", source.url],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            with run:
                self.assertEqual(run.stdout.readline(), b"ready\n")
                self.assertEqual(run.stdout.readline(), b"done\n")
                self.assertIsNone(run.poll())
                run.stdin.close()
                self.assert_faults(json.loads(run.stdout.readline()))
        self.assertEqual(run.returncode, 0)

    def test_is_ready_when_all_have_been_greeted(self):
        greeting = b"event: status\ndata: {}\n\n"
        lines = b"".join(map(event, range(1, LINES + 1)))
        for count, said in ((3, b"ready\n{"), (2, b"{")):
            with self.subTest(count=count), Source(answer(greeting * count + lines)) as source:
                run = subprocess.run([PROGRAM, "--clients=3", f"--lines={LINES}", "--greeting=3",
                                      "--deadline-s=1", source.url],
                                     stdout=subprocess.PIPE, timeout=20, check=False)
            self.assertEqual(run.stdout[:len(said)], said)

    def test_asks_by_id_and_says_the_ids_it_saw(self):
        with Source(answer(b"".join(map(event, range(1, LINES + 1))))) as source:
            status, result = load(source, "--last-event-id=s=0;e=0;k=v", clients=1)
            self.assertIn(b"\r\nLast-Event-ID: s=0;e=0;k=v\r\n", source.requests[0])
        self.assertEqual(status, 0)
        self.assertEqual((result["first_id"], result["last_id"]), ("s=1;e=0", f"s={LINES};e=0"))


if __name__ == "__main__":
    if not os.path.exists(PROGRAM):
        sys.exit(f"{PROGRAM} is missing: run `make check`, or make it first")
    tap.main()
