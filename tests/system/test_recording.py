#!/usr/bin/env python3
"""Recording runs: what may be posted, what comes of it, and that it is there afterwards."""

import concurrent.futures
import contextlib
import fcntl
import http.client
import json
import os
import resource
import shutil
import signal
import statistics
import threading
import time

import harness
from test_peers import STDIN, Peer, head, record

JSON = {"Content-Type": "application/json"}
POSTING = {"recording": {"allow_from": ["127.0.0.1", "::1"]}}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


def post(server, path, body=b"", headers=JSON, method="POST"):
    """body: bytes, or what is sent as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=harness.seconds(20))
    with contextlib.closing(connection):
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        connection.request(method, path, data, headers)
        return Answer(connection.getresponse())


class RecordingCase(harness.TestCase):
    config = POSTING

    def post(self, path, body=b"", headers=JSON, method="POST"):
        return post(self.server, path, body, headers, method)

    def create(self, **members):
        answer = self.post("/api/runs", members)
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json()["run_id"]

    def record(self, run_id, *events, headers=JSON):
        return self.post("/api/runs/%s/events" % run_id, {"events": list(events)}, headers)

    def state(self, run_id):
        answer = self.server.get("/api/runs/" + run_id)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def events(self, run_id, query=""):
        answer = self.server.get("/api/runs/%s/events%s" % (run_id, query))
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def path(self, run_id, name="events.jsonl"):
        return os.path.join(self.server.runs_dir, run_id, name)

    def lines(self, run_id):
        with open(self.path(run_id), "rb") as f:
            data = f.read()
        self.assertTrue(data.endswith(b"\n"))
        return [json.loads(line) for line in data.splitlines()]


class Recording(RecordingCase):
    def test_a_run_from_its_beginning_to_its_end(self):
        answer = self.post("/api/runs", {"repo_path": "/src", "total_units": 2, "parallelism": 4})
        self.assertEqual(answer.status, 201)
        run_id = answer.json()["run_id"]
        self.assertEqual(answer.headers["location"], "/api/runs/" + run_id)
        state = self.server.get(answer.headers["location"])  # known at once
        self.assertEqual(state.status, 200)
        state = state.json()
        self.assertEqual((state["id"], state["status"], state["seq"], state["total_units"]),
                         (run_id, "running", 1, 2))

        answer = self.record(run_id, {"type": "unit.started", "unit": "a"},
                             {"type": "unit.completed", "unit": "a"},
                             {"type": "unit.failed", "unit": "b", "n": 12345678901234567890})
        self.assertEqual((answer.status, answer.json()), (202, {"accepted": 3}))
        answer = self.post("/api/runs/%s/events" % run_id, {"type": "note", "text": "ü\n"})
        self.assertEqual((answer.status, answer.json()), (202, {"accepted": 1}))
        state = self.state(run_id)
        self.assertEqual((state["seq"], state["completed_units"], state["failed_units"]), (5, 1, 1))

        answer = self.post("/api/runs/%s/complete" % run_id, {"status": "failed", "error": "b"})
        self.assertEqual((answer.status, answer.json()), (200, {"ok": True}))
        state = self.state(run_id)
        self.assertEqual((state["status"], state["seq"]), ("failed", 6))
        self.assertEqual(self.server.get("/api/v1/runs/" + run_id).status, 200)
        harness.wait_for("the registry knows", lambda: self.server.get(
            "/api/v1/runs/" + run_id).json()["status"] == "failed")

        answer = self.record(run_id, {"type": "late"})
        self.assert_error(answer, 409, "CONFLICT")
        answer = self.post("/api/runs/%s/resume" % run_id, {})
        self.assertEqual((answer.status, answer.json()), (200, {"ok": True}))
        self.assertEqual(self.state(run_id)["status"], "running")
        self.assertEqual(self.record(run_id, {"type": "again"}).status, 202)
        answer = self.post("/api/runs/%s/complete" % run_id)
        self.assertEqual(answer.status, 200)
        self.assertEqual([e["type"] for e in self.events(run_id)["events"]],
                         ["run.started", "unit.started", "unit.completed", "unit.failed", "note",
                          "run.completed", "run.resumed", "again", "run.completed"])
        self.assertEqual([e["seq"] for e in self.events(run_id)["events"]], list(range(1, 10)))
        self.assertIn(b'"n":12345678901234567890', self.server.get(
            "/api/runs/%s/events" % run_id).body.replace(b" ", b""))

    def test_of_a_run_that_was_over_all_that_is_recorded_from_its_resumption_on_is_streamed(self):
        run_id, other = self.create(), self.create()
        self.record(run_id, *[{"type": "old"}] * 20)
        self.post("/api/runs/%s/complete" % run_id)
        harness.wait_for("the registry knows", lambda: self.server.get(
            "/api/v1/runs/" + run_id).json()["status"] == "completed")
        stream = self.open("/api/stream")
        stream.wait("state", id=other)
        self.assertEqual(self.post("/api/runs/%s/resume" % run_id, {}).status, 200)
        self.assertEqual(self.record(run_id, *[{"type": "new"}] * 20).status, 202)
        stream.wait("event", run_id=run_id, seq=43)
        self.assertEqual([(e.data["seq"], e.data["type"]) for e in stream.events
                          if e.name == "event" and e.data["run_id"] == run_id],
                         [(23, "run.resumed")] + [(seq, "new") for seq in range(24, 44)])

    def test_events_are_chosen_and_come_in_pages(self):
        run_id = self.create()
        self.record(run_id, *({"type": "t%d" % (n % 2), "unit": "u%d" % (n % 3)} for n in range(60)))
        self.assertEqual(len(self.events(run_id)["events"]), 61)
        seqs, after = [], 0
        while True:
            page = self.events(run_id, "?limit=7&after=%d" % after)
            seqs += [e["seq"] for e in page["events"]]
            self.assertLessEqual(len(page["events"]), 7)
            after = page["next_after"]
            if not page["has_more"]:
                break
        self.assertEqual(seqs, list(range(1, 62)))
        found = self.events(run_id, "?type=t1&unit=u2")["events"]
        self.assertEqual({(e["type"], e["unit"]) for e in found}, {("t1", "u2")})
        self.assertEqual(len(found), 10)
        self.assertEqual(self.events(run_id, "?after=1000")["events"], [])
        self.assertEqual(self.events(run_id, "?type=none")["events"], [])
        for query in ("?limit=0", "?limit=1001", "?after=x", "?type=%0a", "?unit=" + "x" * 300):
            self.assert_error(self.server.get("/api/runs/%s/events%s" % (run_id, query)), 400)

    def test_a_run_of_the_conductors_layout(self):
        run_id = self.create(project_id="p 1", task_id="t")
        self.assertEqual(self.record(run_id, {"type": "x"}).status, 202)
        with open(os.path.join(self.server.runs_dir, "p 1", "t", "runs", run_id,
                               "events.jsonl")) as f:
            self.assertEqual(len(f.readlines()), 2)
        run = self.server.get("/api/v1/runs/" + run_id).json()
        self.assertEqual((run["project_id"], run["task_id"]), ("p 1", "t"))

    def test_ids_of_ones_own(self):
        answer = self.post("/api/runs", {"run_id": "own ü"})
        self.assertEqual(answer.json(), {"run_id": "own ü"})
        self.assertEqual(answer.headers["location"], "/api/runs/own%20%C3%BC")
        self.assertEqual(self.server.get(answer.headers["location"]).json()["id"], "own ü")
        self.assert_error(self.post("/api/runs", {"run_id": "own ü"}), 409, "CONFLICT")
        # Nor is it anybody else's elsewhere in the runs directory.
        self.assert_error(self.post("/api/runs", {"run_id": "own ü", "project_id": "p",
                                                  "task_id": "t"}), 409, "CONFLICT")

    def test_keys_make_retries_harmless(self):
        headers = dict(JSON, **{"Idempotency-Key": "create-1"})
        first = self.post("/api/runs", {"total_units": 1}, headers)
        again = self.post("/api/runs", {"total_units": 1}, headers)
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual(first.json(), again.json())
        run_id = first.json()["run_id"]
        for _ in range(3):
            answer = self.record(run_id, {"type": "a"}, {"type": "b"},
                                 headers=dict(JSON, **{"Idempotency-Key": "events-1"}))
            self.assertEqual((answer.status, answer.json()), (202, {"accepted": 2}))
            answer = self.record(run_id, {"type": "c", "key": "own"})
            self.assertEqual(answer.status, 202)
        for _ in range(2):
            answer = self.post("/api/runs/%s/complete" % run_id, {"status": "completed"})
            self.assertEqual(answer.status, 200)
        for _ in range(2):
            answer = self.post("/api/runs/%s/resume" % run_id, {"key": "resume-1"})
            self.assertEqual(answer.status, 200)
        self.assertEqual([e["type"] for e in self.lines(run_id)],
                         ["run.started", "a", "b", "c", "run.completed", "run.resumed"])

    def test_runs_of_others_may_be_added_to(self):
        run = self.server.run(lines=1)
        self.assertEqual(self.record(run.id, {"type": "x"}).status, 202)
        self.assertEqual(self.state(run.id)["status"], "running")
        run.finish("failed", 3)
        harness.wait_for("it has ended", lambda: self.record(run.id, {"type": "y"}).status == 409)
        self.assertEqual(self.state(run.id)["status"], "failed")

    def test_what_others_wrote_is_read(self):
        run = self.server.run(status=None)
        with open(self.path(run.id), "w") as f:
            f.write('{"type":"unit.completed","unit":"a"}\nnot JSON\n{"type":"x"}\n{"type":"unfinis')
        self.assertEqual([e["seq"] for e in self.events(run.id)["events"]], [1, 3])
        self.assertEqual(self.state(run.id)["completed_units"], 1)

    def test_a_run_without_events_has_a_state_and_no_events(self):
        run = self.server.run(lines=1)
        self.assertEqual(self.state(run.id)["seq"], 0)
        self.assertEqual(self.events(run.id)["events"], [])

    def test_head_of_what_is_read(self):
        run_id = self.create()
        for path in ("/api/runs/" + run_id, "/api/runs/%s/events" % run_id):
            answer = self.server.get(path, method="HEAD")
            self.assertEqual(answer.status, 200)
            self.assertEqual(int(answer.headers["content-length"]),
                             len(self.server.get(path).body))

    def test_the_counters_tell(self):
        before = self.server.counters()
        run_id = self.create()
        self.record(run_id, {"type": "a"}, {"type": "b"})
        self.record("unknown", {"type": "a"})
        self.record(run_id, {"type": 5})
        self.post("/api/runs", {}, {})
        after = self.server.counters()
        grown = {name: after[name] - before[name]
                 for name in ("posts", "posts_refused", "events_recorded", "recording_jobs")}
        self.assertEqual(grown, {"posts": 2, "posts_refused": 3, "events_recorded": 2,
                                 "recording_jobs": 3})


class Refusals(RecordingCase):
    config = harness.merged(POSTING, {"recording": {"max_body_bytes": 4096}})

    def test_bodies_that_are_not_what_they_should_be_are_400_and_name_the_field(self):
        run_id = self.create()
        events = "/api/runs/%s/events" % run_id
        for path, body, field in (
                ("/api/runs", b"", None), ("/api/runs", b"{", None), ("/api/runs", b"[]", None),
                ("/api/runs", b'{"a":1}x', None), ("/api/runs", b'{"a":"\xff"}', None),
                ("/api/runs", b'{"total_units":"2"}', "total_units"),
                ("/api/runs", b'{"parallelism":-1}', "parallelism"),
                ("/api/runs", b'{"run_id":"../x"}', "run_id"),
                ("/api/runs", b'{"run_id":".x"}', "run_id"),
                ("/api/runs", b'{"project_id":"p"}', "task_id"),
                (events, b"", None), (events, b"5", None), (events, b"{}", "type"),
                (events, b'{"events":5}', "events"), (events, b'{"events":[5]}', "events[0]"),
                (events, b'{"events":[{"type":"a"},{"type":""}]}', "events[1].type"),
                (events, b'{"events":[{"type":"a","time":"soon"}]}', "events[0].time"),
                (events, b'{"events":[{"type":"a"}', None),
                ("/api/runs/%s/complete" % run_id, b'{"status":"done"}', "status"),
                ("/api/runs/%s/complete" % run_id, b'{"failed_units":1.5}', "failed_units"),
                ("/api/runs/%s/resume" % run_id, b'{"key":""}', "key"),
                ("/api/runs/%s/resume" % run_id, b'[]', None)):
            with self.subTest("%s %r" % (path, body)):
                error = self.assert_error(self.post(path, body), 400, "BAD_REQUEST")
                if field:
                    self.assertEqual(error["details"], {"field": field})
                    self.assertIn(field, error["message"])
        self.assertEqual(len(self.lines(run_id)), 1)

    def test_of_too_many_events_none_is_taken(self):
        with harness.Server(config=POSTING, workers=1) as server:
            run_id = post(server, "/api/runs", {}).json()["run_id"]
            path = "/api/runs/%s/events" % run_id
            answer = post(server, path, {"events": [{"type": "x"}] * 10001})
            self.assertEqual(answer.status, 400)
            self.assertEqual(answer.json()["error"]["details"], {"field": "events"})
            answer = post(server, path, {"events": [{"type": "x"}] * 10000})
            self.assertEqual((answer.status, answer.json()), (202, {"accepted": 10000}))
            self.assertEqual(server.get("/api/runs/" + run_id).json()["seq"], 10001)

    def test_only_json_is_taken(self):
        run_id = self.create()
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                     "application/json-seq", "text/json", "multipart/form-data; boundary=x"):
            answer = self.post("/api/runs/%s/events" % run_id, {"type": "x"},
                               {"Content-Type": kind})
            self.assert_error(answer, 415, "UNSUPPORTED_TYPE")
        self.assert_error(self.post("/api/runs", b"", {}), 415)
        for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/json ;a=b"):
            answer = self.post("/api/runs/%s/events" % run_id, {"type": "x"},
                               {"Content-Type": kind})
            self.assertEqual(answer.status, 202, kind)

    def test_a_body_that_is_too_long_is_413_and_the_next_one_is_taken(self):
        run_id = self.create()
        for length in (4097, 32768, 1 << 20):
            answer = self.post("/api/runs/%s/events" % run_id, b"x" * length)
            self.assertEqual(answer.status, 413)
            if length <= 32768:  # beyond, nginx says so itself
                self.assert_error(answer, 413, "TOO_LARGE")
        event = {"type": "x", "text": ""}
        event["text"] = "x" * (4096 - len(json.dumps(event)))
        self.assertEqual(self.post("/api/runs/%s/events" % run_id, event).status, 202)
        self.assertEqual(len(self.lines(run_id)), 2)

    def test_unknown_and_deleted_runs(self):
        for what in ("events", "resume", "complete"):
            self.assert_error(self.post("/api/runs/unknown/" + what, {"type": "x"}), 404)
        for path in ("/api/runs/unknown", "/api/runs/unknown/events"):
            self.assert_error(self.server.get(path), 404, "NOT_FOUND")
        run_id = self.create()
        shutil.rmtree(os.path.join(self.server.runs_dir, run_id))
        harness.wait_for("it is gone", lambda: self.server.get(
            "/api/v1/runs/" + run_id).status == 410)
        self.assert_error(self.record(run_id, {"type": "x"}), 410, "GONE")
        self.assert_error(self.server.get("/api/runs/" + run_id), 410, "GONE")

    def test_bad_ids_and_keys(self):
        for bad in ("%2e%2e", "a%2Fb", "a%00b", "%zz", "x" * 200):
            answer = self.post("/api/runs/%s/events" % bad, {"type": "x"})
            self.assertEqual(answer.status, 400, bad)
        for key in ("x" * 129, "a\tb"):
            answer = self.post("/api/runs", {}, dict(JSON, **{"Idempotency-Key": key}))
            self.assert_error(answer, 400)
            self.assertEqual(answer.json()["error"]["details"], {"header": "Idempotency-Key"})

    def test_each_path_has_its_methods(self):
        run_id = self.create()
        for path, allowed in (("/api/runs", "POST, OPTIONS"),
                              ("/api/runs/" + run_id, "GET, HEAD, OPTIONS"),
                              ("/api/runs/%s/events" % run_id, "GET, HEAD, POST, OPTIONS"),
                              ("/api/runs/%s/resume" % run_id, "POST, OPTIONS"),
                              ("/api/runs/%s/complete" % run_id, "POST, OPTIONS"),
                              ("/api/v1/runs", "GET, HEAD, OPTIONS")):
            for method in {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"} - set(
                    allowed.split(", ")):
                answer = self.post(path, b"", JSON, method)
                self.assertEqual(answer.status, 405, method + " " + path)
                self.assertEqual(answer.headers["allow"], allowed)
            answer = self.post(path, b"", {}, "OPTIONS")
            self.assertEqual((answer.status, answer.headers["allow"]), (204, allowed))
            self.assertNotIn("access-control-allow-methods", answer.headers)


class Bodies(RecordingCase):
    """What comes to a worker's socket when it is not nginx that sends it."""

    workers = 1
    config = harness.merged(POSTING, {"server": {"request_timeout_ms": 400}})

    def setUp(self):
        self.pids = self.server.worker_pids()

    def tearDown(self):
        self.assertEqual(self.server.worker_pids(), self.pids)

    def head(self, run_id, length, **more):
        return head("/api/runs/%s/events" % run_id, "POST", CONTENT_LENGTH=str(length),
                    CONTENT_TYPE="application/json", REMOTE_ADDR="127.0.0.1", **more)

    def test_a_body_byte_by_byte_is_taken(self):
        run_id = self.create()
        body = b'{"type":"x"}'
        with Peer(self.server, self.head(run_id, len(body))) as peer:
            data = b"".join(record(STDIN, bytes([c]), padding=c % 7) for c in body) + record(STDIN)
            for at in range(len(data)):
                peer.socket.sendall(data[at:at + 1])
            self.assertIn(b"Status: 202", peer.all())

    def test_a_body_of_another_length_is_400(self):
        run_id = self.create()
        for length, body in ((20, b'{"type":"x"}'), (5, b'{"type":"x"}'), (0, b'{"type":"x"}'),
                             (12, b"")):
            with Peer(self.server, self.head(run_id, length) + record(STDIN, body)
                      * bool(body) + record(STDIN)) as peer:
                self.assertIn(b"Status: 400", peer.all(), (length, body))
        for length in ("x", "-1", "1e3"):
            with Peer(self.server, self.head(run_id, length) + record(STDIN)) as peer:
                self.assertIn(b"Status: 400", peer.all(), length)
        self.assertEqual(len(self.lines(run_id)), 1)

    def test_a_slow_body_is_ended(self):
        run_id = self.create()
        before = self.server.counters()["requests_bad"]
        with Peer(self.server, self.head(run_id, 100) + record(STDIN, b"{")) as peer:
            self.assertEqual(peer.all(), b"")
        self.assertEqual(self.server.counters()["requests_bad"], before + 1)

    def test_a_body_that_is_too_long_is_refused_before_it_comes(self):
        run_id = self.create()
        for length in (1048577, 1 << 40, 1 << 70):
            with Peer(self.server, self.head(run_id, length)) as peer:
                peer.until(b"Status: 413")

    def test_bodies_together_are_bounded(self):
        run_id = self.create()
        with contextlib.ExitStack() as stack:
            # 64 MiB are announced and begun; there is no room for more.
            for _ in range(64):
                peer = stack.enter_context(Peer(self.server, self.head(run_id, 1048576)))
                peer.socket.sendall(record(STDIN, b" "))
            with Peer(self.server, self.head(run_id, 1048576)) as peer:
                peer.until(b"Status: 503")
        statuses = []

        def is_taken():
            statuses.append(self.record(run_id, {"type": "x", "text": "x" * 500000}).status)
            return statuses[-1] == 202
        harness.wait_for("they are over: %s" % statuses, is_taken)

    def test_who_goes_away_with_half_a_body_leaves_nothing(self):
        run_id = self.create()
        pid = self.server.worker_pids()[0]
        before = harness.descriptors(pid)
        for _ in range(100):
            with Peer(self.server, self.head(run_id, 100000) + record(STDIN, b"{" * 50000)):
                pass
        harness.wait_for("their descriptors are closed",
                         lambda: harness.descriptors(pid) <= before)
        self.assertEqual(len(self.lines(run_id)), 1)

    def test_addresses_are_looked_at(self):
        for address, status in (("127.0.0.1", b"201"), ("::1", b"201"), ("127.0.0.2", b"403"),
                                ("", b"403"), ("unix:", b"403"), ("::ffff:127.0.0.1", b"201")):
            request = head("/api/runs", "POST", CONTENT_LENGTH="2", CONTENT_TYPE="application/json",
                           REMOTE_ADDR=address)
            with Peer(self.server, request + record(STDIN, b"{}") + record(STDIN)) as peer:
                self.assertIn(b"Status: " + status, peer.all(), address)

    def test_an_append_is_done_whether_its_client_is_there_or_not(self):
        run_id = self.create()
        body = b'{"type":"left"}'
        with open(self.path(run_id), "rb") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            with Peer(self.server, self.head(run_id, len(body)) + record(STDIN, body)
                      + record(STDIN)):
                self.wait_for_lock(run_id)
        harness.wait_for("it is recorded", lambda: len(self.lines(run_id)) == 2)

    def wait_for_lock(self, run_id):
        """Until the worker has the events open: it waits for the lock then."""
        links = "/proc/%d/fd" % self.server.worker_pids()[0]

        def is_open():
            for fd in os.listdir(links):
                with contextlib.suppress(OSError):
                    if os.readlink(os.path.join(links, fd)) == os.path.realpath(self.path(run_id)):
                        return True
            return False
        harness.wait_for("the worker opens the file", is_open)

    def test_what_waits_for_a_run_is_bounded(self):
        held, other = self.create(), self.create()
        body = b'{"type":"x"}'
        request = self.head(held, len(body)) + record(STDIN, body) + record(STDIN)
        with open(self.path(held), "rb") as f, contextlib.ExitStack() as stack:
            fcntl.flock(f, fcntl.LOCK_EX)
            peers = [stack.enter_context(Peer(self.server, request))]
            self.wait_for_lock(held)
            # One is worked for, 512 wait.
            peers += [stack.enter_context(Peer(self.server, request)) for _ in range(512)]
            with Peer(self.server, request) as peer:
                text = peer.all()
                self.assertIn(b"Status: 503", text)
                self.assertIn(b"Retry-After: 1\r\n", text)
            self.assertEqual(self.record(other, {"type": "x"}).status, 202)
            fcntl.flock(f, fcntl.LOCK_UN)
            for peer in peers:
                self.assertIn(b"Status: 202", peer.all())
        self.assertEqual(len(self.lines(held)), 514)

    def test_without_descriptors_it_is_503_and_a_retry_is_taken(self):
        run_id = self.create()
        pid = self.server.worker_pids()[0]
        # The connection gets one, and the run's folder none. (A helper thread that looks at the runs
        # directory has one for a moment.)
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = min((set(map(int, os.listdir("/proc/%d/fd" % pid))) for _ in range(200)), key=len)
        free = [n for n in range(len(used) + 2) if n not in used]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[1], before[1]))
        try:
            self.assertEqual(self.record(run_id, {"type": "x"}).status, 503)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        self.assertEqual(self.record(run_id, {"type": "x"}).status, 202)
        self.assertEqual(len(self.lines(run_id)), 2)

    def test_a_run_that_is_held_up_delays_itself_alone(self):
        held, other = self.create(), self.create()
        with open(self.path(held), "rb") as f, \
                concurrent.futures.ThreadPoolExecutor(8) as pool:
            fcntl.flock(f, fcntl.LOCK_EX)
            waiting = [pool.submit(self.record, held, {"type": "n%d" % n}) for n in range(8)]
            self.wait_for_lock(held)
            for _ in range(20):
                self.assertEqual(self.record(other, {"type": "x"}).status, 202)
            self.assertFalse(any(w.done() for w in waiting))
            before = self.server.counters()["recording_jobs"]
            fcntl.flock(f, fcntl.LOCK_UN)
            self.assertEqual([w.result().status for w in waiting], [202] * 8)
            # What waited was written together.
            self.assertLessEqual(self.server.counters()["recording_jobs"] - before, 3)
        self.assertEqual(len(self.lines(held)), 9)


class Off(harness.TestCase):
    """By default nobody may record, and everybody may read."""

    def test_it_is_off_by_default(self):
        run = self.server.run(lines=1)
        for path in ("/api/runs", "/api/runs/%s/events" % run.id, "/api/runs/%s/resume" % run.id,
                     "/api/runs/%s/complete" % run.id):
            answer = post(self.server, path, {"type": "x"})
            error = self.assert_error(answer, 403, "FORBIDDEN")
            self.assertIn("recording.allow_from", error["message"])
        self.assertEqual(self.server.get("/api/runs/" + run.id).status, 200)

    def test_a_reload_switches_it_on(self):
        self.server.write_config({"recording": {"allow_from": "10.0.0.0/8"}})
        self.server.ctl("reload")
        # (Workers that may write take the place of those that may not, one after another.)
        harness.wait_for("it is on for others", lambda: "does not name" in self.assert_error(
            post(self.server, "/api/runs", {}), 403)["message"], 20)
        self.server.write_config({"recording": {"allow_from": "10.0.0.0/8, 127.0.0.0/8",
                                                "durability": "written"}})
        self.server.ctl("reload")
        harness.wait_for("it is on", lambda: post(self.server, "/api/runs", {}).status == 201)
        self.server.write_config({})
        self.server.ctl("reload")
        harness.wait_for("it is off", lambda: post(self.server, "/api/runs", {}).status == 403)


class Origins(RecordingCase):
    config = harness.merged(POSTING, {"api": {"cors_origins": ["https://a.example"]}})
    headers = {"Origin": "https://a.example"}

    def assert_allowed(self, answer, status):
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers.get("access-control-allow-origin"), "https://a.example")
        self.assertEqual(answer.headers.get("vary"), "Origin")
        self.assertNotIn("access-control-allow-credentials", answer.headers)

    def test_a_preflight_is_answered(self):
        ask = dict(self.headers, **{"Access-Control-Request-Method": "POST",
                                    "Access-Control-Request-Headers": "content-type"})
        for path, methods in (("/api/runs", "POST, OPTIONS"),
                              ("/api/runs/x/events", "GET, HEAD, POST, OPTIONS"),
                              ("/api/v1/runs/x/stream", "GET, HEAD, OPTIONS")):
            answer = self.post(path, b"", ask, "OPTIONS")
            self.assert_allowed(answer, 204)
            self.assertEqual(answer.headers["access-control-allow-methods"], methods)
            allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
            for name in ("content-type", "last-event-id", "idempotency-key", "cache-control"):
                self.assertIn(name, allowed)
            self.assertGreater(int(answer.headers["access-control-max-age"]), 0)
        answer = self.post("/api/runs", b"", dict(ask, Origin="https://b.example"), "OPTIONS")
        self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_every_answer_says_so(self):
        answer = self.post("/api/runs", {}, dict(JSON, **self.headers))
        self.assert_allowed(answer, 201)
        run_id = answer.json()["run_id"]
        self.assert_allowed(self.post("/api/runs/%s/events" % run_id, {"type": "x"},
                                      dict(JSON, **self.headers)), 202)
        self.assert_allowed(self.server.get("/api/runs/" + run_id, self.headers), 200)
        self.assert_allowed(self.server.get("/api/v1/runs/unknown", self.headers), 404)
        self.assert_allowed(self.post("/api/runs", {}, self.headers), 415)
        self.assert_allowed(self.post("/api/v1/health", {}, self.headers), 405)
        with self.server.stream(run_id, headers=self.headers) as stream:
            self.assert_allowed(stream, 200)
        run = self.server.run(lines=1)
        run.finish()
        with self.server.stream(run, headers=self.headers) as stream:
            stream.read_until_complete()
        with self.server.stream(run, last_id=stream.last_id, headers=self.headers) as over:
            self.assert_allowed(over, 204)

    def test_others_are_not_told(self):
        for origin in ("https://b.example", "null", "https://a.example.org"):
            answer = self.server.get("/api/v1/health", {"Origin": origin})
            self.assertEqual(answer.status, 200)
            self.assertNotIn("access-control-allow-origin", answer.headers)


class Producers(RecordingCase):
    workers = 3

    def produce(self, run_id, producer, count, ended):
        """Posts events with keys, each until it is acknowledged; returns how long each took."""
        durations, connection = [], None
        for n in range(count):
            body = json.dumps({"type": "unit.started", "unit": "%d-%d" % (producer, n)})
            headers = dict(JSON, **{"Idempotency-Key": "%d-%d" % (producer, n)})
            begun = time.monotonic()
            while not ended.is_set():
                try:
                    connection = connection or http.client.HTTPConnection(
                        "127.0.0.1", self.server.port, timeout=harness.seconds(10))
                    connection.request("POST", "/api/runs/%s/events" % run_id, body, headers)
                    answer = Answer(connection.getresponse())
                except (OSError, http.client.HTTPException):
                    connection.close()
                    connection = None
                    continue
                if answer.status == 202:
                    break
                if answer.status not in (502, 503, 504):
                    raise AssertionError("%d %r" % (answer.status, answer.body))
            durations.append(time.monotonic() - begun)
        if connection:
            connection.close()
        return durations

    def check(self, run_id, producers, count):
        lines = self.lines(run_id)
        units = [line["unit"] for line in lines[1:]]
        self.assertEqual(len(units), producers * count)
        self.assertEqual(len(set(units)), len(units))
        for producer in range(producers):
            own = [int(u.split("-")[1]) for u in units if u.startswith("%d-" % producer)]
            self.assertEqual(own, list(range(count)), "in the order of its producer")
        self.assertEqual(self.state(run_id)["seq"], len(lines))
        seqs, after = [], 0
        while len(seqs) < len(lines):
            page = self.events(run_id, "?limit=1000&after=%d" % after)
            seqs += [e["seq"] for e in page["events"]]
            after = page["next_after"]
        self.assertEqual(seqs, list(range(1, len(lines) + 1)))

    def run_producers(self, run_id, producers, count, meanwhile=None):
        ended = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(producers) as pool:
            try:
                results = [pool.submit(self.produce, run_id, n, count, ended)
                           for n in range(producers)]
                if meanwhile:
                    meanwhile(results)
                return [d for result in results for d in result.result(harness.seconds(90))]
            finally:
                ended.set()

    def test_ten_producers_through_several_workers(self):
        run_id = self.create()
        durations = self.run_producers(run_id, 10, 30)
        self.check(run_id, 10, 30)
        self.assertLess(statistics.median(durations), harness.seconds(0.5))

    def test_workers_killed_meanwhile_lose_and_repeat_nothing(self):
        run_id = self.create()

        def kill(results):
            for part in (50, 150, 250, 350):
                def far_enough(part=part):
                    with open(self.path(run_id), "rb") as f:
                        return f.read().count(b"\n") > part or all(r.done() for r in results)
                harness.wait_for("%d events" % part, far_enough, 60)
                for worker in self.server.status()["workers"]:
                    if worker["pid"]:
                        os.kill(worker["pid"], signal.SIGKILL)
                        break
        self.run_producers(run_id, 10, 50, kill)
        self.check(run_id, 10, 50)

    def test_a_worker_that_ends_answers_what_it_took(self):
        run_id = self.create()

        def restart(results):
            del results
            for pid in self.server.worker_pids():
                if pid:
                    os.kill(pid, signal.SIGTERM)
        self.run_producers(run_id, 5, 40, restart)
        self.check(run_id, 5, 40)


    def test_posts_are_taken_while_workers_end(self):
        run_id, statuses = self.create(), []
        with contextlib.ExitStack() as stack:
            for _ in range(6):  # which their workers do not end before
                stream = stack.enter_context(self.server.open("/api/runs/%s/stream" % run_id))
                stream.next()
            for pid in self.server.worker_pids():
                os.kill(pid, signal.SIGTERM)

                def is_another(pid=pid):
                    statuses.append(self.record(run_id, {"type": "x"}).status)
                    pids = self.server.worker_pids()
                    return pid not in pids and all(pids)
                harness.wait_for("the worker is another one", is_another)
        self.assertEqual(set(statuses), {202})
        self.assertEqual(len(self.lines(run_id)), 1 + len(statuses))


class Durations(RecordingCase):
    """One event after the other, beside a request that touches no disk, and a disk that nobody asks for."""

    is_synced = True

    def test_an_event_takes_little_more_than_a_request_and_a_write(self):
        run_id = self.create()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port,
                                                timeout=harness.seconds(10))

        def request(*words):
            connection.request(*words)
            return Answer(connection.getresponse()).status
        took = {"event": [], "request": [], "write": []}
        with contextlib.closing(connection), \
                open(os.path.join(self.server.dir, "beside"), "ab", buffering=0) as beside:
            # In turn, so that what else the machine does is in all of them.
            for n in range(150):
                begun = time.monotonic()
                self.assertEqual(request("POST", "/api/runs/%s/events" % run_id,
                                         json.dumps({"type": "x", "n": n}), JSON), 202)
                took["event"].append(time.monotonic() - begun)
                begun = time.monotonic()
                self.assertEqual(request("GET", "/api/v1/health"), 200)
                took["request"].append(time.monotonic() - begun)
                begun = time.monotonic()
                beside.write(b"an event\n")
                if self.is_synced:
                    os.fdatasync(beside.fileno())
                took["write"].append(time.monotonic() - begun)
        medians = {what: statistics.median(of) * 1000 for what, of in took.items()}
        print("# medians in ms: %s" % medians)
        self.assertLess(medians["event"], 5 * (medians["request"] + medians["write"]), medians)


class DurationsWritten(Durations):
    is_synced = False
    config = harness.merged(POSTING, {"recording": {"durability": "written"}})


if __name__ == "__main__":
    harness.main()
