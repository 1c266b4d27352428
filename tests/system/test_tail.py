#!/usr/bin/env python3
"""`runstreamctl tail`, of a run and of a URL: every line once, whatever is killed on the way."""

import http.server
import json
import os
import re
import signal
import socketserver
import subprocess
import threading
import time
import unittest

import harness

with open(os.path.join(harness.BUILD, "config.h")) as config:
    HAS_LIBCURL = "#define HAVE_LIBCURL 1\n" in config.read()


class Tail(subprocess.Popen):
    """tail as a program of its own, whose output is read as it comes."""

    def __init__(self, server, *words, **options):
        options.setdefault("stdout", subprocess.PIPE)
        super().__init__([harness.RUNSTREAMCTL, "--runtime-dir", server.runtime_dir, "tail", *words],
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                         env=server.environment, **options)

    def line(self):
        return self.stdout.readline().rstrip("\n")

    def end(self, within_s=20):
        """The exit status, with all that came after what was read."""
        out, err = self.communicate(timeout=harness.seconds(within_s))
        return self.returncode, out, err


class Case(harness.TestCase):
    def tail(self, *words, **options):
        tail = Tail(self.server, *words, **options)

        def end():
            if tail.poll() is None:
                tail.kill()
                tail.wait()
            for stream in (tail.stdout, tail.stderr):
                if stream:
                    stream.close()
        self.addCleanup(end)
        return tail

    def url(self, run, query="", kind="v1/runs"):
        if not HAS_LIBCURL:
            self.skipTest("this runstreamctl reads no URLs")
        run_id = run if isinstance(run, str) else run.id
        return "http://127.0.0.1:%d/api/%s/%s/stream%s" % (
            self.server.port, kind, run_id, "?" + query if query else "")

    def subjects(self, run):
        """The run both ways, if there are two."""
        return (run.id, self.url(run)) if HAS_LIBCURL else (run.id,)

    def known(self, run):
        self.stream(run).close()
        return run


class Both(Case):
    """What holds for runs of the instance and for URLs alike."""

    def test_lines_go_where_they_were_written_and_the_end_is_0(self):
        run = self.server.run(lines=3)
        run.err("on stderr\n")
        run.finish("failed", 7)
        self.known(run)
        for subject in self.subjects(run):
            self.assertEqual(self.tail(subject).end(),
                             (0, "line 1\nline 2\nline 3\n", "on stderr\n"))

    def test_with_exit_status_it_exits_as_the_run(self):
        for status, code, expected in (("completed", 0, 0), ("failed", 7, 7), ("crashed", 139, 139),
                                       ("cancelled", 0, 1), ("failed", 300, 1)):
            run = self.server.run(lines=1)
            run.finish(status, code)
            self.known(run)
            for subject in self.subjects(run):
                self.assertEqual(self.tail("--exit-status", subject).end()[0], expected)

    def test_it_follows_to_the_end(self):
        for way in (str, self.url):
            run = self.known(self.server.run(lines=1))
            tail = self.tail(run.id if way is str else self.url(run))
            self.assertEqual(tail.line(), "line 1")
            run.out("line 2\n")
            self.assertEqual(tail.line(), "line 2")
            run.finish()
            self.assertEqual(tail.end(), (0, "", ""))

    def test_no_follow_ends_with_what_is_there(self):
        run = self.known(self.server.run(lines=500))
        run.out("an unfinished end")
        for subject in self.subjects(run):
            status, out, _ = self.tail("--no-follow", "-n", "2", subject).end()
            self.assertEqual((status, out), (0, "line 500\nan unfinished end"))

    def test_where_it_begins(self):
        run = self.server.run(lines=20)
        run.err("e1\ne2\n")
        run.finish()
        self.known(run)
        for subject in self.subjects(run):
            for words, out, err in (
                    (("-n", "2"), "line 19\nline 20\n", "e1\ne2\n"),
                    (("--lines=1", "--streams", "stderr"), "", "e2\n"),
                    (("--from", "end"), "", ""), (("-n0", "-f"), "", ""),
                    (("--last-event-id", "s=18;e=2"), "line 19\nline 20\n", "")):
                self.assertEqual(self.tail(*words, subject).end(), (0, out, err), words)

    def test_times_and_names_before_the_lines(self):
        run = self.server.run(lines=2)
        run.finish()
        self.known(run)
        for subject in self.subjects(run):
            _, out, _ = self.tail("-t", "--prefix", subject).end()
            for n, line in enumerate(out.splitlines(), 1):
                self.assertRegex(line, r"^20\d\d-\d\d-\d\dT[\d:.]+Z \[%s\] line %d$" % (run.id, n))

    def test_fragments_are_one_line(self):
        run = self.known(self.server.run(lines=0))
        for subject in self.subjects(run):
            tail = self.tail("-t", "--from", "end", subject)
            size = os.path.getsize(run.stdout) if os.path.exists(run.stdout) else 0
            run.out("a prompt: ")
            got = ""
            while not got.endswith("a prompt: "):
                got += tail.stdout.read(1)
            run.out("answered\n" if size == 0 else "again\n")
            self.assertEqual(tail.line(), "answered" if size == 0 else "again")
            self.assertEqual(got.count("Z "), 1)
            tail.terminate()
            tail.end()

    def test_json_has_each_event_in_a_line(self):
        run = self.server.run(lines=2)
        run.finish()
        harness.wait_for("its end is known", lambda: self.server.get(
            "/api/v1/runs/" + run.id).json().get("status") == "completed")
        for subject in self.subjects(run):
            events = [json.loads(line) for line in
                      self.tail("--json", subject).end()[1].splitlines()]
            self.assertEqual([e["event"] for e in events],
                             ["status", "log", "log", "complete"])
            self.assertEqual(events[1]["data"]["line"], "line 1")
            self.assertEqual(events[1]["data"]["n"], 1)
            # Where it was left, it goes on.
            _, out, _ = self.tail("--last-event-id", events[1]["id"], subject).end()
            self.assertEqual(out, "line 2\n")
            # The end's own id has nothing behind it.
            self.assertEqual(self.tail("--last-event-id", events[3]["id"], subject).end(),
                             (0, "", ""))

    def test_a_gap_is_told_on_stderr(self):
        run = self.server.run(lines=5)
        run.finish()
        self.known(run)
        for subject in self.subjects(run):
            status, out, err = self.tail("--last-event-id", "s=99;e=0", subject).end()
            self.assertEqual((status, len(out.splitlines())), (0, 5))
            self.assertRegex(err, r"^runstreamctl: gap in stdout of %s: \w+" % run.id)

    def test_a_deleted_run_is_told_and_1(self):
        for way in (0, 1):
            run = self.known(self.server.run(lines=1))
            tail = self.tail((run.id, self.url(run))[way])
            self.assertEqual(tail.line(), "line 1")
            harness.shutil.rmtree(run.path)
            status, _, err = tail.end()
            self.assertEqual(status, 1)
            self.assertIn("the run %s was deleted" % run.id, err)

    def test_one_that_is_not_there_is_1_and_can_be_waited_for(self):
        for subject in ("nobody", self.url("nobody")):
            status, out, err = self.tail(subject).end()
            self.assertEqual((status, out), (1, ""))
            self.assertRegex(err, "^runstreamctl: .*nobody")
        for way in (0, 1):
            run_id = "late-%d" % way
            tail = self.tail("--wait", "30", (run_id, self.url(run_id))[way])
            time.sleep(0)  # whichever is first
            run = self.server.run(run_id, lines=1)
            self.assertEqual(tail.line(), "line 1")
            run.finish()
            self.assertEqual(tail.end()[0], 0)

    def test_a_reader_that_leaves_ends_it_also_when_nothing_comes(self):
        run = self.known(self.server.run(lines=2))
        for subject in self.subjects(run):
            tail = self.tail(subject)
            self.assertEqual(tail.line(), "line 1")
            tail.stdout.close()
            tail.stdout = None
            self.assertEqual(tail.wait(harness.seconds(10)), -signal.SIGPIPE)

    def test_control_c_ends_it_as_any_command(self):
        run = self.known(self.server.run(lines=1))
        for subject in self.subjects(run):
            tail = self.tail(subject)
            self.assertEqual(tail.line(), "line 1")
            tail.send_signal(signal.SIGINT)
            self.assertEqual(tail.end(), (-signal.SIGINT, "", ""))

    def test_a_full_stdout_is_1(self):
        run = self.server.run(lines=1)
        run.finish()
        self.known(run)
        for subject in self.subjects(run):
            with open("/dev/full", "w") as full:
                status, _, err = self.tail(subject, stdout=full).end()
            self.assertEqual(status, 1)
            self.assertIn("No space left", err)

    def test_misuse_is_2(self):
        for words in ((), ("a", "b"), ("a", "--from", "middle"), ("a", "-n", "x"), ("a", "--streams", "x"),
                      ("a", "--lines", "1", "--tail", "1"), ("a", "-f", "--no-follow"),
                      ("a", "--wait", "x"), ("a", "--follwo"), ("ftp://x/y",),
                      ("a", "--last-event-id", "?")) + ((("http://",),) if HAS_LIBCURL else ()):
            self.assertEqual(self.tail(*words).end()[0], 2, words)


class Killed(Case):
    """A writer that goes on while one thing after another is killed beneath tail."""

    config = {"server": {"drain_ms": 50}}

    def every_line_once(self, subject_of, disturb):
        run = self.known(self.server.run())
        run.out("0\n")
        tail = self.tail(subject_of(run))
        got, errors = [], []
        readers = [threading.Thread(target=lambda: got.extend(tail.stdout)),
                   threading.Thread(target=lambda: errors.extend(tail.stderr))]
        for reader in readers:
            reader.start()
        for n in range(1, 601):
            run.out("%d\n" % n, "stdout" if n % 3 else "stderr")
            if n % 200 == 100:
                harness.wait_for("it came so far", lambda: "%d\n" % (n - n % 3 - (n % 3 == 0)) in got
                                 or "%d\n" % (n - 1) in got or "%d\n" % n in got, 30)
                disturb()
        run.finish()
        self.assertEqual(tail.wait(harness.seconds(60)), 0)
        for reader in readers:
            reader.join()
        said = [line for line in errors if line.startswith("runstreamctl: ")]
        self.assertEqual(got, ["%d\n" % n for n in range(0, 601) if n % 3 or n == 0])
        self.assertEqual([line for line in errors if line not in said],
                         ["%d\n" % n for n in range(1, 601) if n % 3 == 0])
        return said

    def test_a_url_while_nginx_is_killed_and_restarted(self):
        def disturb():
            nginx = self.server.nginx.pid
            with open("/proc/%d/task/%d/children" % (nginx, nginx)) as f:
                workers = [int(pid) for pid in f.read().split()]
            for pid in [nginx] + workers:
                os.kill(pid, signal.SIGKILL)
            self.server.nginx.wait()
            harness.wait_for("all of it is gone", lambda: not any(map(harness.alive, workers)))
            self.server.start_nginx(self.server.port)
        self.every_line_once(self.url, disturb)

    def test_a_url_while_workers_are_killed(self):
        def disturb():
            for pid in self.server.worker_pids():
                os.kill(pid, signal.SIGKILL)
        self.every_line_once(self.url, disturb)

    def test_a_url_while_the_instance_is_restarted(self):
        def disturb():
            self.server.stop_daemon()
            self.server.start_daemon()
        self.every_line_once(self.url, disturb)

    def test_a_run_while_the_instance_is_restarted(self):
        def disturb():
            self.server.stop_daemon()
            self.server.start_daemon()
        said = self.every_line_once(lambda run: run.id, disturb)
        self.assertIn("has ended: going on when there is one again", "".join(said))


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that answers what a test wants, one answer a request."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Last-Event-ID"), time.monotonic()))
        status, headers, body = self.server.answers.pop(0) if self.server.answers else (204, {}, b"")
        self.send_response(status)
        if status == 200:
            headers = dict({"Content-Type": "text/event-stream; charset=utf-8"}, **headers)
        for header in headers.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def log(n, event_id=None):
    return (b"id: %d\r\nevent: log\r\ndata: {\"stream\":\"stdout\",\r\ndata: \"line\":\"%d\"}\r\n\r\n"
            % (event_id or n, n))


if not HAS_LIBCURL:
    class WithoutLibcurl(Case):
        def test_a_url_is_refused_with_the_reason(self):
            status, out, err = self.tail("http://127.0.0.1:%d/api/v1/runs/x/stream" %
                                         self.server.port).end()
            self.assertEqual((status, out), (1, ""))
            self.assertEqual(err, "runstreamctl: this runstreamctl was built without libcurl, and reads "
                             "no URLs\n")


@unittest.skipUnless(HAS_LIBCURL, "this runstreamctl reads no URLs")
class Protocol(Case):
    """What a server may answer, and a client has to do."""

    def answered(self, *answers, words=(), path="/api/v1/runs/x/stream"):
        server = socketserver.TCPServer(("127.0.0.1", 0), Answers)
        server.answers, server.seen = list(answers), []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            end = self.tail(*words, "http://127.0.0.1:%d%s" % (server.server_address[1], path)).end()
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        return end, server.seen

    def test_it_comes_back_with_the_last_id_until_204(self):
        end, seen = self.answered(
            (200, {}, b"\xef\xbb\xbfretry: 10\n\n" + log(1) + log(2) + b"id: 9\nevent: log\ndata: {"),
            (200, {}, b"retry: 10\n\n"), (200, {}, log(3)))
        self.assertEqual(end, (0, "1\n2\n3\n", ""))
        self.assertEqual([s[1] for s in seen], [None, "2", "2", "3"])

    def test_the_end_of_one_run_is_not_asked_for_again(self):
        complete = b"id: 3\nevent: complete\ndata: {\"status\":\"failed\",\"exit_code\":4}\n\n"
        end, seen = self.answered((200, {}, log(1) + complete), words=("--exit-status",))
        self.assertEqual((end, len(seen)), ((4, "1\n", ""), 1))
        # One of many goes on.
        end, seen = self.answered((200, {}, b"retry: 1\n\n" + log(1) + complete),
                                  path="/api/v1/runs/stream/all")
        self.assertEqual((end, len(seen)), ((0, "1\n", ""), 2))

    def test_the_servers_time_is_waited(self):
        _, seen = self.answered((200, {}, b"retry: 600\n\n" + log(1)))
        self.assertGreater(seen[1][2] - seen[0][2], 0.59)

    def test_a_refusal_is_told_and_waited_for(self):
        end, seen = self.answered(
            (200, {}, b"retry: 700\n\nevent: refused\ndata: {\"code\":\"X\",\"message\":\"too many\","
             b"\"retry_after_s\":1}\n\n"), (200, {}, log(1)))
        self.assertEqual(end[:2], (0, "1\n"))
        self.assertIn("refused: too many", end[2])
        self.assertGreater(seen[1][2] - seen[0][2], 0.69)

    def test_what_may_pass_is_tried_again_and_what_will_not_is_told(self):
        end, seen = self.answered((503, {"Retry-After": "1"}, b""), (200, {}, b"retry: 1\n\n" + log(1)))
        self.assertEqual((end[:2], len(seen)), ((0, "1\n"), 3))
        for status, body, words in (
                (404, b'{"error":{"code":"NOT_FOUND","message":"no such run\x1b[2J"}}', "no such run"),
                (400, b"<html>", "HTTP 400"), (401, b"", "HTTP 401"), (301, b"", "HTTP 301")):
            end, seen = self.answered((status, {}, body))
            self.assertEqual((end[:2], len(seen)), ((1, ""), 1), status)
            self.assertIn(words, end[2])
            self.assertNotIn("\x1b", end[2])
        end, _ = self.answered((200, {"Content-Type": "text/html"}, b"<html>" * 10000))
        self.assertEqual(end[:2], (1, ""))
        self.assertIn("is no event stream, but text/html", end[2])

    def test_redirections_are_followed(self):
        end, seen = self.answered((302, {"Location": "/elsewhere/runs/y/stream"}, b""),
                                  (200, {}, log(1)))
        self.assertEqual(end[1], "1\n")
        self.assertEqual(seen[1][0], "/elsewhere/runs/y/stream")

    def test_options_are_asked_of_the_server(self):
        _, seen = self.answered(words=("-n", "5", "--from", "end", "--streams", "stdout,stderr", "--wait",
                                       "3", "--last-event-id", "s=1"),
                                path="/runs/x/stream?token=a%26b")
        self.assertEqual(seen[0][1], "s=1")
        self.assertEqual(seen[0][0].replace("%2C", ",").replace("%2c", ","), "/runs/x/stream?token=a%26b&tail=5&from=end"
                         "&streams=stdout,stderr&wait_s=3")

    def test_nobody_there_is_1_at_once(self):
        with harness.socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            status, _, err = self.tail("http://127.0.0.1:%d/x" % s.getsockname()[1]).end()
        self.assertEqual(status, 1)
        self.assertIn("connect", err)

    def test_other_kinds_of_streams_have_their_text_shown(self):
        message = (b"id: M\nevent: message\ndata: {\"msg_id\":\"M\",\"type\":\"FACT\",\"body\":\"two\\nlines\"}\n\n")
        recorded = b"id: 1\nevent: event\ndata: {\"seq\":1,\"type\":\"unit.started\",\"x\":1.50}\n\n"
        raw = b"id: 5\ndata: raw\ndata: text\n\n"
        end, _ = self.answered((200, {}, b"retry: 1\n\n" + message + recorded + raw + b"event: new\ndata: {}\n\n"))
        self.assertEqual(end, (0, "FACT: two\nlines\n{\"seq\":1,\"type\":\"unit.started\",\"x\":1.50}\n"
                                  "raw\ntext\n", ""))
        end, _ = self.answered((200, {}, b"retry: 1\n\n" + recorded + raw), words=("--json",))
        self.assertEqual(end[1].splitlines(), [
            '{"event":"event","id":"1","data":{"seq":1,"type":"unit.started","x":1.50}}',
            '{"event":"message","id":"5","data":"raw\\ntext"}'])

    def test_what_comes_again_of_many_runs_is_printed_once(self):
        def event(number, line, pos, name="log", **more):
            return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), json.dumps(dict(
                {"run_id": "a", "stream": "stdout", "line": line, "pos": pos}, **more)).encode())
        end, seen = self.answered(
            (200, {}, b"retry: 1\n\n" + event(1, "one", "p1") + event(2, "two", "p2") +
             event(3, "thr", "p3", partial=True)),
            (200, {}, b"retry: 1\n\n" + event(2, "two", "p2") + event(4, "three", "p4") +
             event(5, "two", "p5")),
            path="/api/v1/runs/stream/all")
        self.assertEqual(end[1], "one\ntwo\nthr\nthree\ntwo\n")
        # Of one run nothing comes twice.
        end, seen = self.answered((200, {}, b"retry: 1\n\n" + log(1)), (200, {}, log(1)))
        self.assertEqual(end[1], "1\n1\n")

    def test_lines_of_several_runs_are_not_joined(self):
        def part(run, text, more):
            return b"event: log\ndata: %s\n\n" % json.dumps(dict(
                {"run_id": run, "stream": "stdout", "line": text}, **more)).encode()
        body = (b"retry: 1\n\n" + part("a", "one ", {"partial": True}) + part("b", "other", {}) +
                part("a", "two", {}))
        end, _ = self.answered((200, {}, body), words=("--prefix",), path="/api/v1/runs/stream/all")
        self.assertEqual(end[1], "[a] one \n[b] other\n[a] two\n")


if __name__ == "__main__":
    harness.main()
