"""Programs that record: over HTTP, with keys, again and again until they are told that it was
done; and by appending to the file."""

import fcntl
import http.client
import json
import os
import random
import threading
import time

from control import RUNNING

GIVE_UP_S = 240


class Recorded:
    """One recorded run: who posts does it for as long as the run lives."""

    def __init__(self, world, number):
        self.world = world
        self.rng = random.Random("%s recorded %d" % (world.plan["seed"], number))
        self.id = "e%05d" % number
        self.number = number
        if self.rng.random() < 0.5:
            self.project = self.task = None
            self.path = os.path.join(world.runs_dir, self.id)
        else:
            self.project = "p%d" % self.rng.randrange(world.plan["projects"])
            self.task = "t%d" % self.rng.randrange(2)
            self.path = os.path.join(world.runs_dir, self.project, self.task, "runs", self.id)
        self.appends = self.rng.random() < 0.4  # beside what is posted
        self.acknowledged = []  # numbers of events that are on record, by whatever way
        self.count = 0
        self.is_complete = False
        self.tries = self.refusals = 0
        self.bad_answers = []

    def post(self, path, body, key):
        """Until it is acknowledged. False: it was given up, or refused for good."""
        body = json.dumps(body).encode()
        until = time.monotonic() + GIVE_UP_S
        while time.monotonic() < until:
            self.tries += 1
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.world.plan["port"],
                                               timeout=self.rng.choice((2, 10)))
                headers = {"Content-Type": "application/json"}
                if key:
                    headers["Idempotency-Key"] = key
                c.request("POST", path, body, headers)
                answer = c.getresponse()
                text = answer.read()
                c.close()
                if answer.status in (200, 201, 202):
                    return True
                if answer.status < 500:
                    self.bad_answers.append("POST %s key=%s: %d %s" % (
                        path, key, answer.status, text[:200].decode(errors="replace")))
                    return False
                self.refusals += 1
            except (OSError, http.client.HTTPException):
                self.refusals += 1
            time.sleep(self.rng.uniform(0.02, 0.5))
        self.bad_answers.append("POST %s key=%s: not in %d s" % (path, key, GIVE_UP_S))
        return False

    def create(self):
        body = {"run_id": self.id, "total_units": 5}
        if self.project:
            body.update(project_id=self.project, task_id=self.task)
        if not self.post("/api/runs", body, self.id + "-start"):
            return False
        self.world.announce({"kind": "recorded", "id": self.id, "project": self.project,
                             "task": self.task})
        return True

    def event(self):
        self.count += 1
        return {"type": self.rng.choice(("unit.started", "unit.completed", "note")),
                "unit": "u%d" % self.rng.randrange(5), "n": self.count,
                "text": "\u00e4 \u20ac \x01 %s" % ("x" * self.rng.choice((0, 10, 300)))}

    def post_events(self):
        count = self.rng.choice((1, 1, 1, 3, 20))
        key = None
        events = [self.event() for _ in range(count)]
        if self.rng.random() < 0.5:
            for event in events:
                event["key"] = "%s-%d" % (self.id, event["n"])
        else:
            key = "%s-from-%d" % (self.id, events[0]["n"])
        if self.post("/api/runs/%s/events" % self.id, {"events": events}, key):
            self.acknowledged += [event["n"] for event in events]
            self.world.control.add("posts", count)

    def append(self):
        """As others do that write whole lines: under the lock, and not behind half a line."""
        with open(os.path.join(self.path, "events.jsonl"), "r+b", buffering=0) as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            size = f.seek(0, os.SEEK_END)
            if size and os.pread(f.fileno(), 1, size - 1) != b"\n":
                return  # another's, that a recorder is to mend first
            event = dict(self.event(), by="append", time="2026-01-01T00:00:00Z")
            f.write(json.dumps(event).encode() + b"\n")
        self.acknowledged.append(event["n"])

    def live(self):
        if not self.create():
            return
        control = self.world.control
        lifetime = self.world.plan["lifetime_s"]
        until = time.monotonic() + self.rng.uniform(lifetime / 2, lifetime)
        while control["phase"] == RUNNING and time.monotonic() < until:
            if self.appends and self.rng.random() < 0.4:
                self.append()
            else:
                self.post_events()
            time.sleep(self.rng.uniform(0.05, 1.0) / max(control["throttle"], 0.05))
        if self.post("/api/runs/%s/complete" % self.id, {"status": "completed"},
                     self.id + "-end"):
            self.is_complete = True

    def truth(self):
        return {"path": os.path.relpath(os.path.join(self.path, "events.jsonl"),
                                        self.world.runs_dir),
                "acknowledged": self.acknowledged, "count": self.count, "complete": self.is_complete, "project": self.project, "task": self.task,
                "tries": self.tries, "refusals": self.refusals, "bad": self.bad_answers}


class Producers:
    def __init__(self, world):
        self.world = world
        self.all, self.threads = [], []
        self.lock = threading.Lock()

    def work(self):
        while self.world.control["phase"] == RUNNING:
            with self.lock:
                recorded = Recorded(self.world, len(self.all) + 1)
                self.all.append(recorded)
            recorded.live()

    def start(self):
        for _ in range(self.world.plan["producers"]):
            self.threads.append(threading.Thread(target=self.work, daemon=True))
            self.threads[-1].start()

    def stop(self):
        for thread in self.threads:
            thread.join()

    def truth(self):
        return {recorded.id: recorded.truth() for recorded in self.all}
