#!/usr/bin/env python3
"""The clients of the soak, one process for many: usage: clients.py WORK NUMBER.

Each client is an EventSource of its own temper, which writes down what it got of each source; what
is wrong in itself (a line twice, one left out, not as it was written) is seen at once, with the
events before it. What it lacks at its beginning and its end is for the verdict, which knows what
was written when.
"""

import collections
import heapq
import itertools
import json
import os
import random
import select
import socket
import sys
import time
import urllib.parse

import lines
from control import Control, FINAL, RUNNING

RECENT = 12            # events kept by each client for a report
BAD_MOST = 5           # described in full, of each client
IDLE_S = 60            # at the end, a client of many to which nothing came for so long is done: a run that
                       # went on is found in a slow sweep, if inotify did not tell
HAND_OVER_S = 300      # at the end, in all, without progress
READ_BYTES = 1 << 16
FORGET_S = 300
MISSING_MOST = 10000   # lines that are looked out for when they were passed over


class Track:
    """What a client got of one source: a log, a bus, the events of a run."""

    def __init__(self, now, mentioned):
        self.first = self.last = 0     # whole lines, by their number
        self.first_at = now
        self.mentioned = mentioned     # since when the client knows of it
        self.last_at = now
        self.n = 0                     # as the stream counts lines
        self.pending = []              # parts of a line: (position, text)
        self.lines = self.repeats = 0
        self.missing = set()           # what was passed over, and may come yet
        self.is_loose = False          # after a gap that says that lines are missing
        self.was_loose = False
        self.ends = {}                 # where lines may come twice: a line by its position
        self.is_forgotten = False      # where some of its lines were
        self.checks = None             # (seq, check) of events
        self.from_before = set()       # lines before the first that came, which came later
        self.of_another_file = 0       # lines that came again, with another position
        self.again = []                # the events before the last of them
        self.came = collections.deque(maxlen=6)  # (when, id, which line, or the gap)

    def record(self):
        return {"first": self.first, "last": self.last, "first_at": self.first_at,
                "mentioned": self.mentioned, "last_at": self.last_at, "n": self.n,
                "pending": "".join(text for _, text in self.pending)[:200], "lines": self.lines, "repeats": self.repeats,
                "was_loose": self.was_loose, "checks": self.checks,
                "of_another_file": self.of_another_file, "again": self.again}


class Client:
    def __init__(self, world, kind, path, temper, start, target, of_many=False):
        self.world, self.kind, self.path, self.temper = world, kind, path, temper
        self.start, self.target, self.of_many = start, target, of_many
        self.number = next(world.numbers)
        self.rng = world.rng
        self.last_id = None
        self.tracks = {}
        self.mentions = {}
        self.recent = collections.deque(maxlen=RECENT)
        self.connections = collections.deque(maxlen=RECENT)  # (asked at, the id it came with)
        self.bad = []
        self.counts = collections.Counter()
        self.gaps = []
        self.opened_at = None      # the first request
        self.first_event_at = None
        self.asked_at = None       # the request at hand
        self.request = b""
        self.socket = None
        self.is_done = False
        self.complete_at = None
        self.no_content_asked_at = None
        self.last_progress = time.monotonic()
        self.generation = 0        # of the connection, so that old timers mean nothing
        self.retry_s = 0.3
        self.last_status = None

    def __repr__(self):
        return "client %d %s %s %s" % (self.number, self.kind, self.path, self.temper)

    # --- connection ---

    def connect(self):
        self.close()
        self.generation += 1
        self.raw, self.text, self.is_head, self.status = b"", b"", True, 0
        self.chunk_left, self.in_chunk = 0, False
        self.is_ended = self.leaves_in_mid_event = False
        s = socket.socket()
        if self.temper in ("slow", "stuck"):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.setblocking(False)
        self.socket = s
        try:
            s.connect(("127.0.0.1", self.world.plan["port"]))
        except BlockingIOError:
            pass
        except OSError:
            return self.lost()
        path = self.path
        headers = ""
        query = self.start if self.last_id is None else ""
        if self.last_id is not None:
            if self.rng.random() < 0.3:
                query = "last_event_id=" + urllib.parse.quote(self.last_id)
            else:
                headers = "Last-Event-ID: %s\r\n" % self.last_id
        if self.kind in ("log", "file", "events"):
            query += "&wait_s=%d" % self.rng.choice((1, 20))
        if query:
            path += ("&" if "?" in path else "?") + query.lstrip("&")
        self.request = ("GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n%s\r\n"
                        % (path, headers)).encode()
        self.asked_at = time.monotonic()
        self.opened_at = self.opened_at or self.asked_at
        if self.of_many:
            # A line of which parts had come comes as a whole.
            for track in self.tracks.values():
                track.pending = []
        self.connections.append((self.asked_at, self.last_id))
        self.world.connects += 1
        self.counts["connects"] += 1
        self.world.watch(self, select.EPOLLOUT)

    def close(self):
        if self.socket:
            self.world.unwatch(self)
            self.socket.close()
            self.socket = None

    def lost(self, wait_s=None):
        """The connection is over; comes back."""
        self.close()
        if self.is_done:
            return
        if wait_s is None:
            wait_s = self.rng.uniform(0.5, 1.5) * self.retry_s
            if self.temper == "away" and self.world.is_running():
                wait_s = self.rng.uniform(2, self.world.plan["away_s"])
        self.world.due(self, wait_s, "connect")

    def on_event(self, mask):
        if self.request:
            try:
                self.socket.send(self.request)
            except BlockingIOError:
                return
            except OSError:
                self.lost()
                return
            self.request = b""
            self.world.rewatch(self, select.EPOLLIN)
            self.plan_leaving()
            return
        try:
            data = self.socket.recv(1024 if self.is_slow() else 300 if self.leaves_in_mid_event
                                    else READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.counts["cut"] += not self.is_ended
            self.lost()
            return
        if not self.feed(data):
            return
        if self.leaves_in_mid_event and self.text:
            self.leave()
            return
        if self.is_slow() and self.socket:
            self.world.rewatch(self, 0)
            wait_s = self.rng.uniform(0.01, 0.05)
            if self.temper == "stuck" and self.rng.random() < 0.01:
                wait_s = self.rng.uniform(2, 15)
            self.world.due(self, wait_s, "read", self.generation)

    def is_slow(self):
        return self.temper in ("slow", "stuck") and self.world.is_running()

    def plan_leaving(self):
        if self.temper in ("flaky", "away"):
            self.world.due(self, self.rng.expovariate(1 / self.world.plan["stay_s"]), "leave",
                           self.generation)

    def on_timer(self, what, generation):
        if self.is_done or (generation is not None and generation != self.generation):
            return
        if what == "connect":
            self.connect()
        elif what == "read" and self.socket:
            self.world.rewatch(self, select.EPOLLIN)
        elif what == "leave" and self.socket and self.world.is_running():
            if self.rng.random() < 0.5:
                self.leave()
            else:
                self.leaves_in_mid_event = True

    def leave(self):
        self.counts["left"] += 1
        self.counts["left_in_mid_event"] += bool(self.text)
        self.lost(None if self.temper == "away" or self.rng.random() < 0.5 else 0)

    # --- HTTP and SSE ---

    def feed(self, data):
        """False: the connection is over."""
        self.raw += data
        if self.is_head:
            head, found, rest = self.raw.partition(b"\r\n\r\n")
            if not found:
                return True
            self.is_head, self.raw = False, rest
            self.status = int(head.split(b" ", 2)[1])
            self.is_chunked = b"chunked" in head.lower()
            if self.status != 200:
                self.answered(self.status)
                return False
            if b"text/event-stream" not in head:
                self.wrong("not an event stream: %r" % head)
        if not self.is_chunked:
            self.text += self.raw
            self.raw = b""
            return self.read_events()
        body = []
        raw, at = self.raw, 0
        while True:
            end = raw.find(b"\r\n", at)
            if end < 0:
                break
            length = int(raw[at:end].split(b";")[0], 16)
            if length == 0:
                self.is_ended = True
                at = len(raw)
                break
            if len(raw) < end + 2 + length + 2:
                break
            body.append(raw[end + 2:end + 2 + length])
            at = end + 2 + length + 2
        self.raw = raw[at:]
        if body:
            self.text += b"".join(body)
            if not self.read_events():
                return False
        if self.is_ended:
            self.lost()
            return False
        return True

    def answered(self, status):
        self.counts["status_%d" % status] += 1
        self.last_status = status
        if status == 204:
            self.no_content_asked_at = self.asked_at
            if self.world.is_running() and self.rng.random() < 0.5:
                self.lost(self.rng.uniform(1, 10))  # it may go on
            else:
                self.finish("204")
            return
        if status in (404, 503, 502, 504):
            self.lost(self.rng.uniform(0.3, 1.5))
            return
        self.wrong("status %d" % status)
        self.lost(2)

    def read_events(self):
        if b"\n\n" not in self.text:
            return True
        *blocks, self.text = self.text.split(b"\n\n")
        for block in blocks:
            name, data, event_id = "message", None, None
            for field in block.split(b"\n"):
                if field.startswith(b"data:"):
                    value = field[6:]
                    data = value if data is None else data + b"\n" + value
                elif field.startswith(b"id:"):
                    event_id = field[4:].decode()
                elif field.startswith(b"event:"):
                    name = field[7:].decode()
            if event_id is not None:
                if len(event_id) > (1024 if self.of_many else 200):
                    self.wrong("an id of %d bytes" % len(event_id))
            if data is None:
                continue
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError:
                self.wrong("not UTF-8: %r" % data[:200])
                text = data.decode("utf-8", "replace")
            # The id is that of a client that took the event; taken it is with what follows.
            if event_id is not None:
                self.last_id = event_id
            self.recent.append((time.monotonic(), name, event_id, text[:300]))
            self.world.events += 1
            self.take(name, text, event_id)
            if not self.socket:
                return False
        return True

    # --- what came ---

    def wrong(self, what, kind="unexpected", track=None):
        self.counts[kind] += 1
        if len(self.bad) < BAD_MOST:
            self.bad.append({"kind": kind, "what": what, "at": time.monotonic(),
                             "recent": list(self.recent), "came": list(track.came) if track else [],
                             "connections": list(self.connections)})

    def track(self, source, now):
        track = self.tracks.get(source)
        if track is None:
            run = source.partition("/")[0]
            track = self.tracks[source] = Track(now, self.mentions.get(run, now))
            if self.world.is_expired(self):
                track.is_loose = track.was_loose = True
        return track

    def take(self, name, text, event_id):
        now = time.monotonic()
        self.first_event_at = self.first_event_at or now
        if name == "message" and self.kind == "file":
            self.last_progress = now
            self.take_text(text, now)
            return
        data = json.loads(text) if text else {}
        run = data.get("run_id")
        if run and run not in self.mentions:
            self.mentions[run] = now
        if name == "log":
            self.last_progress = now
            self.take_log(data, now)
        elif name == "message":
            self.last_progress = now
            self.take_message(data, now)
        elif name == "event":
            self.last_progress = now
            self.take_recorded(data, now)
        elif name == "gap":
            self.take_gap(data, now)
        elif name in ("complete", "done"):
            self.counts[name] += 1
            self.complete_at = now
        elif name == "refused":
            self.counts["refused"] += 1
            self.lost(self.rng.uniform(0.3, 1.5))
        elif name == "gone":
            self.wrong("gone: %s" % text)
        elif name == "error":
            self.wrong("error: %s" % text)

    def take_gap(self, data, now):
        reason = data.get("reason")
        self.counts["gap_" + reason] += 1
        if len(self.gaps) < 20:
            self.gaps.append((now, data, list(self.recent)[-4:]))
        if reason in ("cursor_expired", "too_many_runs") and self.of_many:
            self.expired_at = now
            for track in self.tracks.values():
                track.is_loose = track.was_loose = True
                track.pending = []
            return
        for source, track in self.tracks.items():
            stream = lines.STREAMS.get(data.get("stream"))
            if (not stream or source.endswith("/" + stream)) and (
                    not self.of_many or source.startswith(data.get("run_id", ""))):
                track.pending = []
                track.came.append((now, self.last_id, data))

    def take_log(self, data, now):
        source = lines.source_of(data["run_id"], data["stream"])
        track = self.track(source, now)
        is_part = data.get("partial", False)
        position = hash(data["pos"]) if self.of_many else None
        if position is not None and position in track.ends:
            track.repeats += 1
            track.pending = []
            return
        for at, (had, _) in enumerate(track.pending):
            if position is not None and had == position:
                del track.pending[at:]  # it comes again: what follows does, too
                break
        track.pending.append((position, data["line"]))
        if is_part:
            return
        parts, track.pending = [text for _, text in track.pending], []
        self.take_line(track, source, parts, position, data.get("n"), now)

    def take_line(self, track, source, parts, position, n, now):
        got = lines.read("".join(parts))
        text = "|".join(parts)
        if got is None or got[0] != source:
            # Where it came in the middle of a line.
            if track.is_loose or (track.last == 0 and (self.of_many or self.start == "from=end")):
                self.counts["cut_at_beginning"] += 1
                return
            self.wrong("%s after line %d: %r" % (source, track.last, text[:300]), "wrong_content")
            return
        seq = got[1]
        track.last_at = now
        if track.last == 0 or track.is_loose:
            track.first = track.first or seq
            track.is_loose = False
        elif seq != track.last + 1:
            if seq <= track.last:
                self.take_repeat(track, source, seq, position)
                return
            self.wrong("%s: line %d after %d" % (source, seq, track.last), "lost", track)
            self.counts["lost_lines"] += seq - track.last - 1
            track.missing.update(range(track.last + 1, min(seq, track.last + 1 + MISSING_MOST)))
        elif n is not None and n != track.n + 1 and n != 1:
            self.wrong("%s: line %d has n %d after %d" % (source, seq, n, track.n), "wrong_n")
        track.last = seq
        track.came.append((now, self.last_id, seq))
        track.lines += 1
        if n is not None:
            track.n = n
        if position is not None:
            track.ends[position] = seq

    def take_repeat(self, track, source, seq, position):
        if seq in track.missing:
            track.missing.discard(seq)
            self.counts["lost_lines"] -= 1
            self.wrong("%s: line %d after %d" % (source, seq, track.last), "out_of_order")
            return
        if self.of_many:
            if seq < track.first and seq not in track.from_before:
                # None that it was sent before: who came "from now on", and comes back with an id
                # that knows nothing of the run, is given it from its beginning.
                track.from_before.add(seq)
                track.ends[position] = seq
                return
            track.repeats += 1
            if position is not None and not track.is_forgotten:
                track.of_another_file += 1
                track.again = list(self.recent)
            return
        self.wrong("%s: line %d after %d" % (source, seq, track.last), "repeated")

    def take_text(self, text, now):
        source = lines.source_of(self.target["id"], self.target["stream"])
        track = self.track(source, now)
        *whole, rest = ("".join(part for _, part in track.pending) + text).split("\n")
        track.pending = [(None, rest)] if rest else []
        for line in whole:
            self.take_line(track, source, [line], None, None, now)

    def take_message(self, data, now):
        text = data["body"].rstrip("\n")
        source = text.partition(" ")[0]
        track = self.track(source, now)
        self.take_line(track, source, [text], None, None, now)
        if data["msg_id"].startswith("MSG-"):
            got = lines.read(text)
            if got and int(data["msg_id"].split("-")[3]) != got[1]:
                self.wrong("%s: message %d under %s" % (source, got[1], data["msg_id"]),
                           "wrong_content")

    def take_recorded(self, data, now):
        run, seq = data.pop("run_id"), data.pop("seq")
        track = self.track(run, now)
        check = lines.event_check(data)
        track.last_at = now
        if track.checks is None:
            track.checks = []
            track.first = seq
        elif seq <= track.last and not track.is_loose:
            if self.of_many:
                track.repeats += 1
                if any(s == seq and c != check for s, c in track.checks[-500:]):
                    self.wrong("%s: event %d is another one" % (run, seq), "wrong_content")
            else:
                self.wrong("%s: event %d after %d" % (run, seq, track.last), "repeated")
            return
        track.is_loose = False
        track.checks.append((seq, check))
        track.last = max(track.last, seq)
        track.lines += 1

    # --- the end ---

    def finish(self, why):
        if self.is_done:
            return
        self.close()
        self.is_done = True
        if self.kind == "file":
            for source, track in self.tracks.items():
                if track.pending:
                    text, track.pending = track.pending[0][1], []
                    self.take_line(track, source, [text], None, None, time.monotonic())
        self.world.finished(self, why)

    def record(self, why):
        return {"number": self.number, "kind": self.kind, "path": self.path,
                "temper": self.temper, "start": self.start, "target": self.target,
                "of_many": self.of_many, "opened_at": self.opened_at,
                "first_event_at": self.first_event_at, "complete_at": self.complete_at,
                "no_content_asked_at": self.no_content_asked_at, "why": why,
                "counts": self.counts, "gaps": self.gaps, "bad": self.bad,
                "expired_at": getattr(self, "expired_at", None),
                "recent": list(self.recent), "last_id": self.last_id,
                "last_status": self.last_status,
                "tracks": {name: track.record() for name, track in self.tracks.items()},
                "ended_at": time.monotonic()}


TEMPERS = ("fast",) * 4 + ("slow",) * 2 + ("stuck",) + ("flaky",) * 4 + ("away",) * 3
# Kind, its share of the clients.
KINDS = (("log", 40), ("file", 10), ("events", 14), ("bus", 12), ("buses", 4), ("all", 7),
         ("task", 7), ("all_events", 6))


class World:
    def __init__(self, work, number):
        with open(os.path.join(work, "plan.json")) as f:
            self.plan = json.load(f)
        self.work, self.number = work, number
        self.control = Control(os.path.join(work, "control"))
        self.rng = random.Random("%s clients %d" % (self.plan["seed"], number))
        self.numbers = itertools.count(number + 1, self.plan["client_processes"])
        self.poll = select.epoll()
        self.by_fd = {}
        self.queue, self.ties = [], itertools.count()
        self.records = open(os.path.join(work, "records-%d.jsonl" % number), "w", buffering=1)
        self.announced = open(os.path.join(work, "runs.jsonl"))
        self.targets = {"run": [], "recorded": [], "bus": []}
        self.alive = set()
        self.connects = self.events = 0
        self.truth = None
        self.forget_at = 0

    def is_running(self):
        return self.control["phase"] == RUNNING

    def is_expired(self, client):
        return getattr(client, "expired_at", None) is not None

    # --- the loop ---

    def watch(self, client, mask):
        self.poll.register(client.socket, mask)
        self.by_fd[client.socket.fileno()] = client

    def rewatch(self, client, mask):
        self.poll.modify(client.socket, mask)

    def unwatch(self, client):
        del self.by_fd[client.socket.fileno()]
        self.poll.unregister(client.socket)

    def due(self, client, after_s, what, generation=None):
        heapq.heappush(self.queue, (time.monotonic() + after_s, next(self.ties), client, what,
                                    generation))

    def read_announcements(self):
        for line in self.announced:
            what = json.loads(line)
            self.targets[what["kind"]].append(what)

    # --- who there is ---

    def recent_target(self, kind, accept=lambda target: True):
        """One that came to be not long ago, or any."""
        them = [t for t in self.targets[kind][-3 * self.plan["runs"]:] if accept(t)]
        return self.rng.choice(them[-self.plan["runs"]:]) if them else None

    def new_client(self, kind):
        """None: there is nothing yet that it could be for."""
        rng = self.rng
        temper, many, start, target = rng.choice(TEMPERS), False, "", None
        if kind == "log":
            target = self.recent_target("run")
            start = rng.choice(("", "", "from=start", "tail=7", "tail=500", "from=end"))
            path = target and "/api/v1/runs/%s/stream" % target["id"]
        elif kind == "file":
            target = self.recent_target("run", lambda t: t["calm"] and t["project"])
            if target:
                target = dict(target, stream=rng.choice(("stdout", "stdout", "stderr")))
                path = "/api/projects/%(project)s/tasks/%(task)s/runs/%(id)s/stream?name=%(stream)s"
                path %= target
        elif kind == "events":
            target = self.recent_target("recorded")
            start = rng.choice(("", "", "tail=5", "from=start"))
            path = target and "/api/runs/%s/stream" % target["id"]
        elif kind == "bus":
            target = self.recent_target("bus")
            start = rng.choice(("", "from=start", "tail=3"))
            path = target and "/api/projects/%s%s/messages/stream" % (
                target["project"], "/tasks/" + target["task"] if target["task"] else "")
        elif kind == "task":
            many = True
            target = {"project": "p%d" % rng.randrange(self.plan["projects"]),
                      "task": "t%d" % rng.randrange(2)}
            start = rng.choice(("", "", "from=start", "tail=5"))
            path = "/api/projects/%(project)s/tasks/%(task)s/runs/stream" % target
        else:
            many = True
            path = {"all": "/api/v1/runs/stream/all", "buses": "/api/v1/messages/stream",
                    "all_events": "/api/stream"}[kind]
            start = rng.choice(("", "", "", "from=start", "tail=5"))
        if kind != "task" and not many and target is None:
            return None
        return Client(self, kind, path, temper, start, target, many)

    def populate(self):
        """One client more of a kind that has too few."""
        have = collections.Counter(client.kind for client in self.alive)
        want = self.plan["clients"] / self.plan["client_processes"]
        for kind, share in KINDS:
            most = max(1, round(want * share / 100))
            if have[kind] < most:
                client = self.new_client(kind)
                if client:
                    self.alive.add(client)
                    client.connect()

    def finished(self, client, why):
        self.alive.discard(client)
        self.records.write(json.dumps(client.record(why)) + "\n")

    # --- the end ---

    def has_all(self, client, now):
        """A client of many, or of a bus, whose tracks are where the truth ends."""
        truth = self.truth
        if client.kind in ("buses", "bus"):
            want = {s: b["last"] for s, b in truth["buses"].items()
                    if client.kind == "buses" or s == client.target["id"]}
        elif client.kind in ("all", "task"):
            want = {s: log["last"] for run in truth["runs"].values()
                    if client.kind == "all" or (run["project"] == client.target["project"] and
                                                run["task"] == client.target["task"])
                    for s, log in run["logs"].items()
                    # Of runs that came after it, it is to have those that it has not come to as well.
                    if s in client.tracks or
                    (log["samples"] and log["samples"][0][0] > (client.first_event_at or now) + 1)}
        else:
            return False
        return all(s in client.tracks and client.tracks[s].last >= last
                   for s, last in want.items() if last)

    def end_those_who_have_all(self, now):
        for client in list(self.alive):
            if client.of_many or client.kind == "bus":
                idle = now - max(client.last_progress, self.final_at)
                if idle > IDLE_S or (idle > 2 and client.socket and self.has_all(client, now)):
                    client.finish("has all" if idle <= IDLE_S else "idle")

    def run(self):
        last_look = 0
        while True:
            now = time.monotonic()
            timeout = max(0, min(self.queue[0][0] - now, 0.1)) if self.queue else 0.1
            for fd, mask in self.poll.poll(timeout):
                client = self.by_fd.get(fd)
                if client:
                    client.on_event(mask)
            began = time.monotonic()
            while self.queue and self.queue[0][0] <= began:
                _, _, client, what, generation = heapq.heappop(self.queue)
                client.on_timer(what, generation)
            now = time.monotonic()
            self.control["lag_s_%d" % self.number] = now - began
            if now - last_look > 0.2:
                last_look = now
                if self.look(now):
                    return

    def forget(self, now):
        """Where the lines were of what is over for long: who comes back to it is slow."""
        if now < self.forget_at:
            return
        self.forget_at = now + 30
        for client in self.alive:
            for track in client.tracks.values():
                if now - track.last_at > FORGET_S and track.ends:
                    track.ends.clear()
                    track.is_forgotten = True

    def look(self, now):
        self.control["events_%d" % self.number] = self.events
        self.control["connects_%d" % self.number] = self.connects
        self.read_announcements()
        self.forget(now)
        if self.is_running():
            for _ in range(3):
                self.populate()
            return False
        if self.control["phase"] != FINAL:
            return False
        if self.truth is None:
            with open(os.path.join(self.work, "truth.json")) as f:
                self.truth = json.load(f)
            self.final_at = now
            for client in list(self.alive):  # nobody waits any more
                if not client.socket:
                    client.connect()
                elif not client.request:
                    self.rewatch(client, select.EPOLLIN)
        self.end_those_who_have_all(now)
        if self.alive and now - max([self.final_at] + [c.last_progress for c in self.alive]) > (
                HAND_OVER_S):
            for client in list(self.alive):
                client.finish("given up")
        return not self.alive


if __name__ == "__main__":
    World(sys.argv[1], int(sys.argv[2])).run()
