#!/usr/bin/env python3
"""The include files in a real nginx: that it takes them, and what it answers with them when
workers say no, or there are none. Workers are played by the test."""

import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import harness

EVENTS = {"Accept": "text/event-stream"}


def records(kind, content):
    return struct.pack("!BBHHBx", 1, kind, 1, len(content), 0) + content


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Worker:
    """Answers every FastCGI request on a socket alike, and notes whether it was asked."""

    def __init__(self, path, answer):
        self.asked, self.answer, self.path, self.is_closing = [], answer, path, False
        self.gate = threading.Event()  # answers wait for it
        self.gate.set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            peer, _ = self.listener.accept()
            with peer, contextlib.suppress(EOFError, OSError):
                if self.is_closing:
                    return
                peer.settimeout(harness.seconds(10))
                self.asked.append(self.parameters(peer))
                self.gate.wait(harness.seconds(20))
                peer.sendall(records(6, self.answer) + records(6, b"") + records(3, bytes(8)))

    @staticmethod
    def exactly(peer, count):
        got = b""
        while len(got) < count:
            piece = peer.recv(count - len(got))
            if not piece:
                raise EOFError
            got += piece
        return got

    def parameters(self, peer):
        raw, done = b"", False
        while not done:
            _, kind, _, length, padding = struct.unpack("!BBHHBx", self.exactly(peer, 8))
            content = self.exactly(peer, length + padding)[:length]
            if kind == 4:
                raw += content
                done = not content
        pairs, at = {}, 0
        while at < len(raw):
            lengths = []
            for _ in range(2):
                if raw[at] < 128:
                    lengths.append(raw[at])
                    at += 1
                else:
                    lengths.append(struct.unpack("!L", raw[at:at + 4])[0] & 0x7fffffff)
                    at += 4
            name = raw[at:at + lengths[0]].decode()
            pairs[name] = raw[at + lengths[0]:at + sum(lengths)].decode()
            at += sum(lengths)
        return pairs

    def close(self):
        self.is_closing = True
        with socket.socket(socket.AF_UNIX) as wake:
            wake.connect(self.path)
            self.thread.join(harness.seconds(20))
        self.listener.close()
        os.unlink(self.path)


OK = b"Content-Type: text/plain\r\n\r\nserved\n"
FULL = (b"Status: 503 Service Unavailable\r\nContent-Type: application/json\r\n\r\n"
        b'{"error":{"code":"FULL"}}')


@unittest.skipUnless(harness.NGINX, "nginx is not installed")
class NginxCase(unittest.TestCase):
    """Both includes in a server of their own."""

    mode = "all"
    prefix = "/api"
    http = server = origins = ""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="runstream-nginx-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        os.chmod(self.dir, 0o755)
        self.config = os.path.join(self.dir, "config.yaml")
        with open(self.config, "w") as f:
            f.write("api:\n  prefix: \"%s\"\n  cors_origins: \"%s\"\n  sse:\n"
                    "    refused_retry_s: 8\nserver:\n  runtime_dir: %s\n  workers: 2\n  sockets: 2\n"
                    % (self.prefix, self.origins, self.dir))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("RUNSTREAM_")}
        self.nginx, self.workers = None, []

    def include(self, part):
        text = subprocess.run([harness.RUNSTREAMCTL, "-c", self.config, "nginx-config", part,
                               "--mode", self.mode], check=True, capture_output=True,
                              env=self.environment, text=True).stdout
        with open(os.path.join(self.dir, part + ".conf"), "w") as f:
            f.write(text)

    def write(self, port):
        self.include("upstream")
        self.include("locations")
        temps = "".join("  %s_temp_path %s/%s;\n" % (name, self.dir, name)
                        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(os.path.join(self.dir, "nginx.conf"), "w") as f:
            f.write("%sdaemon off;\nworker_processes 1;\npid %s/nginx.pid;\n"
                    "events { worker_connections 200; }\nhttp {\n  access_log off;\n%s"
                    "%s  include %s/upstream.conf;\n  server {\n    listen 127.0.0.1:%d;\n%s"
                    "    include %s/locations.conf;\n"
                    "    location / { return 200 \"elsewhere\\n\"; }\n  }\n}\n"
                    % ("user root;\n" if os.getuid() == 0 else "", self.dir, temps, self.http,
                       self.dir, port, self.server, self.dir))

    def command(self, *more):
        return [harness.NGINX, "-p", self.dir, "-c", os.path.join(self.dir, "nginx.conf"), "-e",
                os.path.join(self.dir, "error.log"), *more]

    def test_nginx_takes_the_files(self):
        self.write(free_port())
        self.check()

    def check(self):
        answer = subprocess.run(self.command("-t"), capture_output=True, text=True,
                                timeout=harness.seconds(20))
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertNotIn("[warn]", answer.stderr)

    def start(self, *answers):
        """An nginx, and a worker for each answer; where it is None, nobody listens."""
        for n, answer in enumerate(answers):
            if answer:
                worker = Worker(os.path.join(self.dir, "worker-%d.sock" % (n + 1)), answer)
                self.addCleanup(worker.close)
                self.workers.append(worker)
        for _ in range(10):
            self.port = free_port()
            self.write(self.port)
            self.nginx = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL)
            if harness.wait_for("nginx listens or ends", self.state, 20) == "listens":
                self.addCleanup(self.stop)
                return
        self.fail("nginx does not start")

    def state(self):
        if self.nginx.poll() is not None:
            return "ended"
        with socket.socket() as s:
            return "listens" if s.connect_ex(("127.0.0.1", self.port)) == 0 else None

    def stop(self):
        self.nginx.terminate()
        self.nginx.wait(harness.seconds(10))

    def get(self, path, headers=None, method="GET"):
        with harness.Request(self.port, path, headers, method) as answer:
            answer.body = answer.rest()
            return answer

    def asked(self):
        return sum(len(worker.asked) for worker in self.workers)


class Example(NginxCase):
    def test_nginx_takes_the_files(self):
        """The example server, with the includes beside it, and without root's directories."""
        self.include("upstream")
        self.include("locations")
        for part in ("upstream", "locations"):
            os.rename(os.path.join(self.dir, part + ".conf"),
                      os.path.join(self.dir, "runstream-%s.conf" % part))
        with open(os.path.join(harness.SOURCE, "nginx", "example.conf")) as f:
            text = f.read()
        with open(os.path.join(self.dir, "mime.types"), "w") as f:
            f.write("types { text/html html; }\n")
        temps = "".join("\t%s_temp_path %s/%s;\n" % (name, self.dir, name)
                        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        for old, new in (("user www-data;\n", "pid %s/nginx.pid;\n" % self.dir),
                         ("/var/log/nginx", self.dir),
                         ("listen 80;", "listen 127.0.0.1:%d;" % free_port()), ("http {\n", "http {\n" + temps)):
            self.assertIn(old, text)
            text = text.replace(old, new)
        with open(os.path.join(self.dir, "nginx.conf"), "w") as f:
            f.write(text)
        self.check()


class All(NginxCase):
    def test_requests_arrive_whole(self):
        self.start(OK, OK)
        answer = self.get("/api/v1/runs/a%2Fb/stream?tail=5&x=%20", {"Last-Event-ID": "s=1"})
        self.assertEqual((answer.status, answer.body), (200, b"served\n"))
        asked = [request for worker in self.workers for request in worker.asked][0]
        self.assertEqual(asked["REQUEST_URI"], "/api/v1/runs/a%2Fb/stream?tail=5&x=%20")
        self.assertEqual(asked["QUERY_STRING"], "tail=5&x=%20")
        self.assertEqual(asked["REQUEST_METHOD"], "GET")
        self.assertEqual(asked["HTTP_LAST_EVENT_ID"], "s=1")
        self.assertEqual(asked["REMOTE_ADDR"], "127.0.0.1")
        self.assertEqual(asked["SERVER_PROTOCOL"], "HTTP/1.1")

    def test_a_full_worker_is_passed_over(self):
        self.start(FULL, OK)
        for _ in range(4):
            self.assertEqual(self.get("/api/v1/runs/x/stream", EVENTS).status, 200)
        self.assertEqual(len(self.workers[1].asked), 4)

    def test_an_event_source_that_no_worker_takes_is_told_to_come_back(self):
        for answers in ((FULL, FULL), (None, None), (None, FULL)):
            with self.subTest(answers):
                self.start(*answers)
                retries = set()
                for _ in range(20):
                    answer = self.get("/api/v1/runs/x/stream", EVENTS)
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(answer.headers["content-type"], "text/event-stream")
                    self.assertEqual(answer.headers["cache-control"], "no-cache")
                    comment, retry, event, data, *rest = answer.body.decode().split("\n")
                    self.assertTrue(comment.startswith(":"))
                    retries.add(int(retry.removeprefix("retry: ")))
                    self.assertEqual(event, "event: refused")
                    data = json.loads(data.removeprefix("data: "))
                    self.assertEqual(data["retry_after_s"], 8)
                    self.assertTrue(data["code"] and data["message"])
                    self.assertEqual(rest, ["", ""])
                self.assertLessEqual({4000} | retries | {12000},
                                     {4000, 6000, 8000, 10000, 12000})
                self.assertGreater(len(retries), 1)
                self.doCleanups()
                self.setUp()

    def test_others_get_503_in_json(self):
        self.start(FULL, None)
        for headers in ({"Accept": "*/*"}, {"Accept": "application/json"}, {}):
            answer = self.get("/api/v1/runs", headers)
            self.assertEqual(answer.status, 503)
            self.assertEqual(answer.headers["content-type"], "application/json")
            self.assertEqual(answer.headers["retry-after"], "8")
            self.assertTrue(json.loads(answer.body)["error"]["code"])

    def test_a_post_is_not_repeated(self):
        self.start(FULL, FULL)
        answer = self.get("/api/runs", {"Content-Length": "0"}, "POST")
        self.assertEqual(answer.status, 503)
        self.assertEqual(self.asked(), 1)

    def test_not_ready_says_why(self):
        self.start(FULL, FULL)
        answer = self.get("/api/v1/ready")
        self.assertEqual((answer.status, answer.body), (503, FULL.partition(b"\r\n\r\n")[2]))

    def test_without_workers_ready_is_503_as_well(self):
        self.start(None, None)
        answer = self.get("/api/v1/ready")
        self.assertEqual(answer.status, 503)
        self.assertTrue(json.loads(answer.body)["error"]["code"])

    def test_other_errors_are_the_workers_own(self):
        self.start(b"Status: 404 Not Found\r\nContent-Type: application/json\r\n\r\n{}", None)
        answer = self.get("/api/v1/runs/x/stream", EVENTS)
        self.assertEqual((answer.status, answer.body), (404, b"{}"))

    def test_the_rest_stays_with_others(self):
        self.start(OK, OK)
        for path in ("/", "/ap", "/apix/v1/runs", "/v1/runs", "/metrics/", "/metricsx"):
            self.assertEqual(self.get(path).body, b"elsewhere\n", path)


class Streams(NginxCase):
    mode = "streams"

    def test_streams_alone_come_to_the_workers(self):
        self.start(OK, OK)
        for path in ("/v1/runs/r/stream", "/v1/runs/r%20x/stream?tail=1", "/v1/runs/stream/all",
                     "/v1/messages/stream", "/runs/r/stream", "/stream",
                     "/projects/p/messages/stream", "/projects/p/tasks/t/messages/stream",
                     "/projects/p/tasks/t/runs/stream", "/projects/p/tasks/t/runs/r/stream"):
            self.assertEqual(self.get("/api" + path).body, b"served\n", path)
        for path in ("/v1/runs", "/v1/runs/r", "/v1/ready", "/runs/r/events", "/streams",
                     "/v1/runs/stream/all/x", "/v1/runs/r/stream/", "/projects/p/stream",
                     "/other/stream", "/x/api/stream"):
            self.assertEqual(self.get("/api" + path).body, b"elsewhere\n", path)
        self.assertEqual(self.get("/metrics").body, b"elsewhere\n")

    def test_an_event_source_that_no_worker_takes_is_told_to_come_back(self):
        self.start(None, None)
        self.assertIn(b"event: refused\n", self.get("/api/v1/runs/x/stream", EVENTS).body)


class AdministratorsOwn(NginxCase):
    """What stands in the server around the include must not reach into it."""

    prefix = "/a.b/api"
    server = ("    error_page 404 /404.html;\n    gzip on;\n    gzip_types text/event-stream;\n"
              "    expires max;\n    location ~ \"stream$\" { return 418; }\n")

    def test_it_is_left_alone(self):
        self.start(b"Status: 404 Not Found\r\nContent-Type: text/event-stream\r\n"
                   b"Cache-Control: no-cache\r\n\r\n" + b"x" * 4096, None)
        answer = self.get("/a.b/api/v1/runs/x/stream", {"Accept-Encoding": "gzip"})
        self.assertEqual((answer.status, answer.body), (404, b"x" * 4096))
        self.assertEqual(answer.headers["cache-control"], "no-cache")
        self.assertEqual(self.get("/aXb/api/v1/runs").body, b"elsewhere\n")


class Recording(NginxCase):
    """Who may post, as seen by an nginx that another proxy tells the address of the client."""

    server = ("    set_real_ip_from 127.0.0.1;\n    real_ip_header X-Real-IP;\n"
              "    real_ip_recursive off;\n")

    def post(self, address, method="POST", path="/api/runs"):
        return self.get(path, {"X-Real-IP": address, "Content-Length": "0"}, method).status

    def test_this_machine_alone(self):
        self.start(OK, OK)
        for address in ("127.0.0.1", "::1"):
            self.assertEqual(self.post(address), 200, address)
        for address in ("127.0.0.2", "10.0.0.1", "fd00::1"):
            for method in ("POST", "PUT", "DELETE"):
                self.assertEqual(self.post(address, method), 403, address)
            for method in ("GET", "HEAD", "OPTIONS"):
                self.assertEqual(self.post(address, method), 200, address)
        self.assertEqual({w["REMOTE_ADDR"] for worker in self.workers for w in worker.asked},
                         {"127.0.0.1", "::1", "127.0.0.2", "10.0.0.1", "fd00::1"})

    def test_figures_are_for_this_machine_alone(self):
        self.start(OK, OK)
        for address, status in (("127.0.0.1", 200), ("::1", 200), ("127.0.0.2", 403),
                                ("10.0.0.1", 403), ("fd00::1", 403)):
            for path in ("/metrics", "/metrics?x", "//metrics", "/metric%73", "/x/../metrics"):
                self.assertEqual(self.post(address, "GET", path), status, (address, path))
        self.assertEqual({worker["REQUEST_URI"] for worker in self.workers[0].asked},
                         {"/metrics", "/metrics?x", "//metrics", "/metric%73", "/x/../metrics"})

    def test_a_full_worker_is_told_to_a_producer_as_to_others(self):
        self.start(FULL, FULL)
        answer = self.get("/api/runs", {"X-Real-IP": "::1", "Content-Length": "0"}, "POST")
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.headers["retry-after"], "8")
        self.assertTrue(json.loads(answer.body)["error"]["code"])


class Origins(NginxCase):
    """What nginx says without a worker may be read by the same pages."""

    origins = "https://a.example http://localhost:3000"

    def allowed(self, origin, path="/api/v1/runs/x/stream", headers=EVENTS):
        return self.get(path, dict(headers, Origin=origin)).headers.get(
            "access-control-allow-origin")

    def test_the_origins_of_the_list(self):
        self.start(None, None)
        for headers in (EVENTS, {}):
            for origin in ("https://a.example", "http://localhost:3000"):
                self.assertEqual(self.allowed(origin, headers=headers), origin)
            for origin in ("https://b.example", "http://a.example", "null"):
                self.assertIsNone(self.allowed(origin, headers=headers))
            self.assertEqual(self.get("/api/v1/runs", headers).headers["vary"], "Origin")


class AnyOrigin(Origins):
    origins = "*"

    def test_the_origins_of_the_list(self):
        self.start(None, None)
        for headers in (EVENTS, {}):
            self.assertEqual(self.allowed("https://a.example", headers=headers), "*")
            answer = self.get("/api/v1/runs", headers)
            self.assertNotIn("access-control-allow-origin", answer.headers)


class Limited(NginxCase):
    """An administrator's limit says 503 as well, before any worker is asked."""

    http = "  limit_conn_zone $binary_remote_addr zone=z:1m;\n"
    server = "    limit_conn z 1;\n"

    def test_an_event_source_over_it_is_told_to_come_back(self):
        self.start(OK, OK)
        for worker in self.workers:
            worker.gate.clear()
        first = socket.create_connection(("127.0.0.1", self.port))
        self.addCleanup(first.close)
        first.sendall(b"GET /api/v1/runs/x/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        harness.wait_for("a worker is asked", self.asked)
        self.assertIn(b"event: refused\n", self.get("/api/v1/runs/x/stream", EVENTS).body)
        self.assertEqual(self.get("/api/v1/runs").status, 503)
        for worker in self.workers:
            worker.gate.set()


if __name__ == "__main__":
    harness.tap.main()
