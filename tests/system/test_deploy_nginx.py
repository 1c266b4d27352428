#!/usr/bin/env python3
"""What runstream-deployment(7) tells administrators to put into nginx: each of its fragments is taken
by a real nginx, and access control and HTTP/2 do what the page says."""

import base64
import contextlib
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import harness

PAGE = os.path.join(harness.SOURCE, "man/runstream-deployment.7")
CURL = shutil.which("curl")
OPENSSL = shutil.which("openssl")


def fragments(language):
    """Of the page: {words of the comment: text}; without a name of its own one has its number."""
    with open(PAGE) as f:
        found = re.findall(r'(?ms)^\.\\" %s: ([^\n]*)\n\.Bd -literal -offset indent\n(.*?)^\.Ed$'
                           % language, f.read())
    named = {}
    for words, text in found:
        named[words if words not in named else "%s %d" % (words, len(named))] = text
    return named


NGINX_FRAGMENTS = fragments("nginx")


class Site:
    """An instance whose nginx has a fragment of the page in its server."""

    def __init__(self, fragment, **replacements):
        self.server = harness.Server(nginx=False, mode="streams")
        text = NGINX_FRAGMENTS[fragment]
        for old, new in replacements.values():
            assert old in text, (old, text)
            text = text.replace(old, new)
        self.server.nginx_server = text
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        server = self.stack.enter_context(self.server)
        server.start_nginx()
        return server

    def __exit__(self, *args):
        return self.stack.__exit__(*args)


def read_whole_run(test, server, headers=None, path="/api/v1/runs/%s/stream", query=""):
    """A run that has ended is read to its end."""
    run = server.run("hello")
    run.out("one\ntwo\n")
    run.finish()
    with server.open(path % run.id + query, headers=headers) as stream:
        test.assertEqual(stream.status, 200)
        stream.read_until_complete()
        test.assertEqual(stream.lines(), ["one", "two"])


@unittest.skipUnless(harness.NGINX, "nginx is not installed")
class Fragments(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="runstream-nginx-")
        self.addCleanup(shutil.rmtree, self.dir)
        for part in ("upstream", "locations"):
            text = subprocess.run([harness.RUNSTREAMCTL, "--runtime-dir", self.dir, "nginx-config",
                                   part], check=True, capture_output=True,
                                  env=harness.clean_environment()).stdout
            with open(os.path.join(self.dir, "runstream-%s.conf" % part), "wb") as f:
                f.write(text)

    def take(self, words, text):
        main = events = in_http = in_server = ""
        context = words.split()[0]
        if context == "main":
            main = text
        elif context == "http":
            in_http = text
        else:
            self.assertEqual(context, "server")
            in_server = text
            if "limit_conn" in text:
                in_http = next(t for t in NGINX_FRAGMENTS.values() if "limit_conn_zone" in t)
            if "ssl_certificate" in text:
                in_server = make_certificate(self.dir, text)
        if "events" not in main:
            events = "events { }\n"
        with open(os.path.join(self.dir, "nginx.conf"), "w") as f:
            f.write("pid %s/nginx.pid;\n%s%shttp {\naccess_log off;\n%sserver {\n%s}\n}\n" % (
                self.dir, main, events, in_http, in_server))
        result = subprocess.run([harness.NGINX, "-t", "-p", self.dir, "-c",
                                 os.path.join(self.dir, "nginx.conf"), "-e", "stderr"],
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_nginx_takes_every_fragment_of_the_page(self):
        self.assertGreaterEqual(len(NGINX_FRAGMENTS), 8)
        for words, text in NGINX_FRAGMENTS.items():
            if "ssl_certificate" in text and not OPENSSL:
                continue
            with self.subTest(words):
                self.take(words, text)

    def test_nothing_that_looks_like_nginx_is_unchecked(self):
        with open(PAGE) as f:
            blocks = re.findall(r'(?ms)^([^\n]*)\n\.Bd -literal[^\n]*\n(.*?)^\.Ed$', f.read())
        for before, text in blocks:
            if re.search(r";$", text, re.M):
                self.assertRegex(before, r'^\.\\" nginx: ', text)


def make_certificate(directory, text):
    """A certificate of our own in the place of those that a fragment names; the fragment then."""
    key, certificate = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run([OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", certificate, "-days", "1", "-subj",
                    "/CN=localhost"], check=True, capture_output=True)
    text = re.sub(r"(ssl_certificate +)\S+;", r"\g<1>%s;" % certificate, text)
    return re.sub(r"(ssl_certificate_key +)\S+;", r"\g<1>%s;" % key, text)


@unittest.skipUnless(harness.NGINX, "nginx is not installed")
class WhoMayRead(unittest.TestCase):
    def refused(self, server, status, path="/api/v1/runs/hello/stream", headers=None):
        with server.open(path, headers=headers) as answer:
            self.assertEqual(answer.status, status)

    def test_auth_basic_wants_the_password(self):
        with tempfile.TemporaryDirectory(prefix="runstream-test-") as directory:
            os.chmod(directory, 0o755)
            passwords = os.path.join(directory, "passwords")
            digest = base64.b64encode(hashlib.sha1(b"open sesame").digest()).decode()
            with open(passwords, "w") as f:
                f.write("reader:{SHA}%s\n" % digest)
            site = Site("server auth_basic",
                        file=("/etc/nginx/runstream.htpasswd", passwords))
            with site as server:
                def word(password):
                    return {"Authorization": "Basic " + base64.b64encode(
                        b"reader:" + password).decode()}
                self.refused(server, 401)
                self.refused(server, 401, headers=word(b"guess"))
                read_whole_run(self, server, word(b"open sesame"))

    def test_auth_request_asks_with_the_cookie_and_the_uri(self):
        asked = []

        class Gate(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, self.headers.get("X-Original-URI")))
                self.send_response(200 if "pass=yes" in self.headers.get("Cookie", "") else 403)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        gate = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate)
        thread = threading.Thread(target=gate.serve_forever)
        thread.start()
        try:
            site = Site("server auth_request",
                        service=("127.0.0.1:8080", "127.0.0.1:%d" % gate.server_port))
            with site as server:
                self.refused(server, 403)
                del asked[:]
                read_whole_run(self, server, {"Cookie": "pass=yes"}, query="?tail=5")
                # Once for a stream, and with all that it asked for.
                self.assertEqual(asked, [("/may-read", "/api/v1/runs/hello/stream?tail=5")])
                gate.shutdown()
                gate.server_close()
                self.refused(server, 500, headers={"Cookie": "pass=yes"})
        finally:
            gate.shutdown()
            gate.server_close()
            thread.join()

    @unittest.skipUnless(OPENSSL, "openssl is not installed")
    def test_secure_link_takes_the_link_that_the_page_makes_and_no_other(self):
        with Site("server secure_link") as server:
            made = subprocess.run(["sh", "-c", fragments("shell")["secure_link"]], check=True,
                                  capture_output=True, text=True).stdout.strip()
            uri, _, query = made.partition("?")
            self.refused(server, 403)
            self.refused(server, 403, made[:-1] + str((int(made[-1]) + 1) % 10))
            self.refused(server, 403, made.replace("hello", "other"))
            past = int(time.time()) - 10
            proof = base64.urlsafe_b64encode(hashlib.md5(
                ("%d%s SECRET" % (past, uri)).encode()).digest()).decode().rstrip("=")
            self.refused(server, 410, "%s?md5=%s&expires=%d" % (uri, proof, past))
            read_whole_run(self, server, path="/api/v1/runs/%s/stream", query="?" + query)
            # With other parameters as well, since those are not in the proof.
            with server.open(made + "&tail=1") as stream:
                stream.read_until_complete()
                self.assertEqual(stream.lines(), ["two"])
            self.assertEqual(server.get("/elsewhere").body, b"elsewhere\n")

    def test_limit_conn_refuses_an_event_source_in_a_way_that_it_survives(self):
        # In the server the page has 100; here one is enough.
        zone = next(t for t in NGINX_FRAGMENTS.values() if "limit_conn_zone" in t)
        site = Site("server limit_conn", number=("100", "1"))
        server = site.server
        write = server.write_nginx_conf

        def write_with_zone():
            write()
            path = os.path.join(server.dir, "nginx.conf")
            with open(path) as f:
                text = f.read()
            with open(path, "w") as f:
                f.write(text.replace("http {\n", "http {\n" + zone, 1))
        server.write_nginx_conf = write_with_zone
        with site:
            run = server.run(lines=1)
            with server.stream(run) as first:
                first.wait_lines(1)
                with server.stream(run) as second:
                    self.assertEqual(second.status, 200)
                    self.assertEqual(second.next().name, "refused")


@unittest.skipUnless(harness.NGINX and CURL and OPENSSL, "nginx, curl or openssl is not installed")
class Http2(unittest.TestCase):
    def test_streams_go_over_one_connection_with_http2_and_tls(self):
        with tempfile.TemporaryDirectory(prefix="runstream-test-") as directory:
            os.chmod(directory, 0o755)
            with harness.socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            site = Site("server tls", port=("listen 443", "listen 127.0.0.1:%d" % port))
            site.server.nginx_server = make_certificate(directory, site.server.nginx_server)
            with site as server:
                runs = [server.run(lines=2) for _ in range(8)]
                for run in runs:
                    run.finish()
                urls = ["https://localhost:%d/api/v1/runs/%s/stream" % (port, run.id)
                        for run in runs]
                # More than the six connections that a browser would open.
                result = subprocess.run(
                    [CURL, "-sSkN", "--http2", "--parallel", "--parallel-max", "8", "--max-time",
                     str(int(harness.seconds(20))), "--resolve", "localhost:%d:127.0.0.1" % port,
                     "-w", "%{stderr}http=%{http_version} connects=%{num_connects}\n", *urls],
                    capture_output=True, text=True)
                self.assertEqual(result.returncode, 0, result.stderr)
                told = re.findall(r"http=([\d.]+) connects=(\d+)", result.stderr)
                self.assertEqual([version for version, _ in told], ["2"] * 8, result.stderr)
                self.assertEqual(sum(int(connections) for _, connections in told), 1)
                self.assertEqual(result.stdout.count("event: complete"), 8)
                self.assertEqual(result.stdout.count('"line":"line 2"'), 8)


if __name__ == "__main__":
    harness.main()
