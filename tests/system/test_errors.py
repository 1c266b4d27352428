#!/usr/bin/env python3
"""When it says no: the errors, and what they give away."""

import contextlib
import os
import signal
import socket

import harness

EVENT_SOURCE = {"Accept": "text/event-stream"}


class Errors(harness.TestCase):
    def test_unknown_runs_are_404(self):
        for path in ("/api/v1/runs/unknown/stream", "/api/v1/runs/unknown"):
            self.assert_error(self.server.get(path), 404, "NOT_FOUND")

    def test_unknown_paths_are_404(self):
        for path in ("/api/v1/", "/api/v1/run", "/api/v1/runs/x/y", "/api/v1/runs/x/stream/z",
                     "/api/v1/healthy", "/api/v1//health"):
            with self.subTest(path):
                self.assert_error(self.server.get(path), 404)

    def test_bad_ids_are_400(self):
        for run_id in ("..", "%2e%2e", "%2E.", "a%2Fb", "a%5cb", "a%00b", "a%0ab", "%7f", "%zz",
                       "%", "a%2", "%252e%252e%252f", "%ff%fe", "a" * 200, "%c0%ae%c0%ae"):
            with self.subTest(run_id):
                answer = self.server.get("/api/v1/runs/%s/stream" % run_id)
                if run_id in ("..",):  # nginx folds it into /api/v1/stream before we are asked
                    self.assertIn(answer.status, (400, 404))
                else:
                    self.assertIn(answer.status, (400, 404) if "%25" in run_id else (400,),
                                  answer.body)

    def test_traversal_never_leaves_the_runs_directory(self):
        with open(os.path.join(self.server.dir, "agent-stdout.txt"), "w") as f:
            f.write("secret\n")
        for run_id in ("%2e%2e", "..%2f", "%2e%2e%2f", "x%2f..%2f..", "..%2f..%2f..%2fetc",
                       "%252e%252e", "..%5c", "....//", "%2e%2e/%2e%2e"):
            answer = self.server.get("/api/v1/runs/%s/stream" % run_id)
            self.assertIn(answer.status, (400, 404), run_id)
            self.assertNotIn(b"secret", answer.body)

    def test_very_long_paths_and_queries_are_refused(self):
        self.assertIn(self.server.get("/api/v1/runs/%s/stream" % ("x" * 7000)).status,
                      (400, 404, 414))
        run = self.server.run()
        answer = self.server.get("/api/v1/runs/%s?%s" % (run.id, "a=b&" * 1700))
        self.assertIn(answer.status, (200, 400, 414))
        self.assertEqual(self.server.get("/api/v1/health").status, 200)

    def test_other_methods_are_405_and_allow_says_which(self):
        run = self.server.run()
        for path in ("/api/v1/runs/%s/stream" % run.id, "/api/v1/runs/%s" % run.id,
                     "/api/v1/runs", "/api/v1/health"):
            for method in ("POST", "PUT", "DELETE", "PATCH"):
                with self.subTest(method + " " + path):
                    answer = self.server.get(path, {"Content-Length": "0"}, method)
                    self.assert_error(answer, 405)
                    allowed = {m.strip() for m in answer.headers["allow"].split(",")}
                    self.assertTrue({"GET", "HEAD"} <= allowed, allowed)

    def test_a_body_that_nobody_wants_does_no_harm(self):
        run = self.server.run(lines=1)
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as s:
            s.sendall(("GET /api/v1/runs/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
                       "Connection: close\r\n\r\n" % run.id).encode() + b"x" * 1000000)
            s.settimeout(harness.seconds(10))
            self.assertIn(b"HTTP/1.1 200", s.recv(1000))

    def test_head_gives_the_headers_and_nothing_else(self):
        run = self.server.run(lines=1)
        answer = self.server.get("/api/v1/runs/%s/stream" % run.id, EVENT_SOURCE, "HEAD")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"].partition(";")[0], "text/event-stream")
        for path, status in (("/api/v1/health", 200), ("/api/v1/runs", 200),
                             ("/api/v1/runs/unknown", 404), ("/api/v1/runs/unknown/stream", 404)):
            self.assertEqual(self.server.get(path, method="HEAD").status, status, path)

    def test_errors_to_an_event_source_of_an_unknown_run(self):
        self.assert_error(self.server.get("/api/v1/runs/unknown/stream", EVENT_SOURCE), 404)

    def test_a_newline_in_a_header_or_path_is_not_reflected(self):
        answer = self.server.get("/api/v1/runs/x%0d%0aSet-Cookie:%20a=b/stream")
        self.assertEqual(answer.status, 400)
        self.assertNotIn("set-cookie", answer.headers)


class Busy(harness.TestCase):
    def test_when_no_worker_answers_an_event_source_is_told_to_come_back(self):
        """All workers' sockets refuse, as they do while runstreamd is down."""
        with harness.Server() as server:
            run = server.run(lines=1)
            with server.stream(run) as stream:
                stream.wait_lines(1)
            server.stop_daemon()
            with server.stream(run) as stream:
                self.assertEqual(stream.status, 200)
                self.assertEqual(stream.headers["content-type"].partition(";")[0],
                                 "text/event-stream")
                event = stream.next()
                self.assertEqual(event.name, "refused")
                self.assertTrue(event.data["code"] and event.data["message"])
                self.assertTrue(stream.retries)
                self.assertIsNone(stream.next())
            answer = server.get("/api/v1/runs/%s/stream" % run.id, {"Accept": "*/*"})
            self.assertEqual(answer.status, 503)
            self.assertEqual(server.get("/api/v1/runs").status, 503)
            server.start_daemon()
            harness.wait_for("it is back", lambda: server.get("/api/v1/ready").status == 200)
            with server.stream(run) as stream:
                stream.wait_lines(1)

    def test_a_stopped_worker_is_passed_over_or_waited_for(self):
        """SIGSTOP of one of two: the other serves."""
        with harness.Server() as server:
            run = server.run(lines=1)
            pids = server.worker_pids()
            os.kill(pids[0], signal.SIGSTOP)
            try:
                served = 0
                with contextlib.ExitStack() as stack:
                    for _ in range(4):
                        s = stack.enter_context(socket.create_connection(
                            ("127.0.0.1", server.port), 5))
                        s.sendall(("GET /api/v1/runs/%s/stream HTTP/1.1\r\nHost: x\r\n\r\n"
                                   % run.id).encode())
                        s.settimeout(0.5)
                        with contextlib.suppress(socket.timeout):
                            served += b"HTTP/1.1 200" in s.recv(4096)
                self.assertGreaterEqual(served, 1)
            finally:
                os.kill(pids[0], signal.SIGCONT)


class StreamsMode(harness.TestCase):
    """The include's other mode leaves everything but streams where it is."""

    mode = "streams"

    @classmethod
    def setUpClass(cls):
        # `ready` is not served in this mode: the server is up when a stream answers.
        cls.stack = harness.contextlib.ExitStack()
        cls.server = harness.Server(mode="streams", nginx=False)
        cls.stack.enter_context(cls.server)
        cls.server.start_nginx()

    def test_only_streams_are_ours(self):
        run = self.server.run(lines=1)
        self.stream(run).wait_lines(1)
        for path in ("/api/v1/runs", "/api/v1/runs/" + run.id, "/api/v1/health", "/api/other",
                     "/api/v1/runs/%s/streams" % run.id):
            answer = self.server.get(path)
            self.assertEqual((answer.status, answer.body), (404, b"elsewhere\n"), path)


if __name__ == "__main__":
    harness.main()
