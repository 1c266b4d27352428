#!/usr/bin/env python3
"""The writers of the soak, one process: runs that begin, log, rotate, end and go on, message
buses, and recorded events (producers.py). usage: writers.py WORK, where plan.json lies.

What exists is announced in runs.jsonl as it comes to be, for the clients to choose from; what was
written, and when, is in truth.json at the end.
"""

import fcntl
import heapq
import itertools
import json
import os
import random
import shutil
import sys
import time

import lines
from control import Control, FINAL, RUNNING
from producers import Producers

SAMPLE_S = 0.25      # how exactly it is known when what was written
GENERATIONS_MOST = 20  # of a file: readers look for 32
YOUNG_S = 8          # a file that appears and is rotated before anybody looked is not seen
COPY_PIECE_BYTES = 1 << 16


class File:
    """Something that lines are appended to: a log of a run, or a message bus."""

    def __init__(self, source, path, rng):
        self.source, self.path, self.rng = source, path, rng
        self.seq = 0             # of the last line that was begun
        self.pending = b""       # what its end still lacks
        self.begun_at = None
        self.samples = []        # (before this time, this was the next to be written)
        self.starts = []         # (a file began before this time, with this line)
        self.fd = -1
        self.rotations = 0
        self.names = itertools.count(1)

    def open(self):
        if self.fd < 0:
            now = time.monotonic()
            self.fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            self.begun_at = self.begun_at or now
            if os.fstat(self.fd).st_size == 0:
                self.starts.append((now, self.seq + 1))

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def sample(self):
        self.open()
        now = time.monotonic()
        if not self.samples or now - self.samples[-1][0] >= SAMPLE_S:
            self.samples.append((now, self.seq + 1))

    def write(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def truth(self):
        return {"last": self.seq, "starts": self.starts, "samples": self.samples}


class Log(File):
    def __init__(self, run_id, stream, path, rng, is_calm):
        super().__init__(lines.source_of(run_id, stream), path, rng)
        self.is_calm = is_calm
        self.shifts = rng.random() < 0.5

    def text(self):
        rng = self.rng
        self.seq += 1
        odd = rng.random()
        long_bytes = 0
        if odd < 0.01:
            long_bytes = rng.choice((1000, 4090, 4096, 5000, 9000, 40000))
        text = lines.make(self.source, self.seq, rng, long_bytes,
                          broken=0.01 < odd < 0.03, controls=0.03 < odd < 0.05 and not self.is_calm)
        return text + (b"\r\n" if rng.random() < 0.15 else b"\n")

    def write_lines(self, count):
        """Whole lines, some with one write each."""
        self.finish()
        self.sample()
        while count > 0:
            n = min(count, self.rng.choice((1, 1, 2, 10, 100)))
            self.write(b"".join(self.text() for _ in range(n)))
            count -= n

    def write_part(self):
        """The beginning of a line, anywhere cut; the rest is for later."""
        self.finish()
        self.sample()
        text = self.text()
        at = self.rng.randrange(1, len(text))
        if self.rng.random() < 0.2:
            at = len(text) - 1  # between CR and LF, or before the newline
        self.pending = text[at:]
        self.write(text[:at])

    def finish(self):
        if self.pending:
            at = self.rng.randrange(0, len(self.pending))
            if at and self.rng.random() < 0.3:  # in one more part
                data, self.pending = self.pending[:at], self.pending[at:]
                self.write(data)
            data, self.pending = self.pending, b""
            self.write(data)

    def end_without_newline(self):
        self.finish()
        self.sample()
        self.write(self.text().rstrip(b"\r\n"))

    def aside(self):
        """A name for what is rotated away."""
        if not self.shifts:
            return "%s-%04d" % (self.path, next(self.names))
        for n in range(GENERATIONS_MOST + 1, 0, -1):
            if os.path.exists("%s.%d" % (self.path, n)):
                os.rename("%s.%d" % (self.path, n), "%s.%d" % (self.path, n + 1))
        return self.path + ".1"

    def may_rotate(self, control):
        if self.is_calm or self.fd < 0 or self.rotations >= GENERATIONS_MOST:
            return False
        now = time.monotonic()
        seen_by = control["guard_from"] if now < control["guard_until"] else now
        return self.begun_at + YOUNG_S < seen_by

    def rotate_by_rename(self):
        self.finish()
        os.rename(self.path, self.aside())
        if self.rng.random() < 0.5:  # the writer learns of it later
            self.write_lines(self.rng.randrange(1, 30))
        if self.rng.random() < 0.2:
            self.end_without_newline()
        self.close()
        self.rotations += 1
        if self.rng.random() < 0.7:
            self.open()

    def rotate_by_copy(self):
        self.finish()
        with open(self.path, "rb") as f, open(self.aside(), "wb") as copy:
            shutil.copyfileobj(f, copy, COPY_PIECE_BYTES)
        self.starts.append((time.monotonic(), self.seq + 1))
        os.truncate(self.path, 0)
        self.rotations += 1


class Run:
    """One run: a state machine that is called when it is due, and says when it is due again."""

    def __init__(self, world, number):
        self.world = world
        self.rng = rng = random.Random("%s run %d" % (world.plan["seed"], number))
        self.id = "r%05d" % number
        self.is_calm = rng.random() < 0.35
        if rng.random() < 0.25 and not self.is_calm:
            self.project = self.task = None
            self.path = os.path.join(world.runs_dir, self.id)
        else:
            self.project = "p%d" % rng.randrange(world.plan["projects"])
            self.task = "t%d" % rng.randrange(2)
            self.path = os.path.join(world.runs_dir, self.project, self.task, "runs", self.id)
        self.copies = rng.random() < 0.35  # how it rotates
        self.logs = [Log(self.id, "stdout", os.path.join(self.path, "agent-stdout.txt"), rng,
                         self.is_calm),
                     Log(self.id, "stderr", os.path.join(self.path, "agent-stderr.txt"), rng,
                         self.is_calm)]
        self.mood = rng.choice(("steady", "steady", "bursty", "quiet", "prompting"))
        self.lives_left = rng.choice((1, 1, 2, 3))
        self.ends = []
        self.is_running = self.is_over = False
        self.ends_at = 0

    def info(self, status, exit_code=-1):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        keys = {"version": 1, "run_id": self.id, "project_id": self.project or "p",
                "task_id": self.task or "t", "status": status, "exit_code": exit_code,
                "start_time": now,
                "end_time": "0001-01-01T00:00:00Z" if exit_code < 0 else now}
        path = os.path.join(self.path, "run-info.yaml")
        with open(path + ".new", "w") as f:
            f.write("".join("%s: %s\n" % (k, json.dumps(v)) for k, v in keys.items()))
        os.rename(path + ".new", path)

    def begin(self):
        if not self.ends:
            os.makedirs(self.path)
            if self.rng.random() < 0.3:  # the log before the status
                self.logs[0].write_lines(3)
        self.info("running")
        if not self.ends:
            self.world.announce({"kind": "run", "id": self.id, "project": self.project,
                                 "task": self.task, "calm": self.is_calm})
        self.is_running = True
        lifetime = self.world.plan["lifetime_s"]
        self.ends_at = time.monotonic() + self.rng.uniform(lifetime / 3, lifetime)

    def end(self):
        for log in self.logs:
            log.finish()
        self.lives_left -= 1
        if self.lives_left == 0 and self.rng.random() < 0.3:
            self.logs[0].end_without_newline()
        for log in self.logs:
            log.close()
        self.ends.append([time.monotonic()] + [log.seq for log in self.logs])
        status = self.rng.choice(("completed", "failed", "cancelled", "crashed", "stopped"))
        self.info(status, 0 if status == "completed" else 1)
        self.is_running = False
        self.is_over = self.lives_left == 0

    def turn(self):
        """Does what is due; returns after how many seconds something is again."""
        rng = self.rng
        if not self.is_running:
            self.begin()
            return rng.uniform(0, 0.5)
        if time.monotonic() >= self.ends_at:
            self.end()
            return rng.uniform(2, 12)
        log = self.logs[0] if rng.random() < 0.8 else self.logs[1]
        before = log.seq
        choice = rng.random()
        if choice < self.world.plan["rotation_chance"]:
            if log.may_rotate(self.world.control):
                log.rotate_by_copy() if self.copies else log.rotate_by_rename()
                self.world.control.add("rotations")
        if self.mood == "steady":
            log.write_lines(rng.randrange(1, 8))
            wait = rng.uniform(0.05, 0.5)
        elif self.mood == "bursty":
            log.write_lines(rng.choice((20, 100, 400)))
            wait = rng.uniform(1, 8)
        elif self.mood == "quiet":
            log.write_lines(1)
            wait = rng.uniform(2, 8)
        else:
            if rng.random() < 0.7:
                log.write_part()
            else:
                log.write_lines(rng.randrange(1, 4))
            wait = rng.choice((0.02, 0.2, 0.5, 1.5))
        self.world.control.add("lines_written", log.seq - before)
        return wait

    def truth(self):
        return {"ends": self.ends, "calm": self.is_calm, "project": self.project,
                "task": self.task, "copies": self.copies,
                "logs": {log.source: log.truth() for log in self.logs}}


class Bus(File):
    def __init__(self, world, project, task):
        name = "TASK-MESSAGE-BUS.md" if task else "PROJECT-MESSAGE-BUS.md"
        folder = os.path.join(world.runs_dir, project, task or "")
        source = "bus-%s%s" % (project, "-" + task if task else "")
        super().__init__(source, os.path.join(folder, name),
                         random.Random("%s %s" % (world.plan["seed"], source)))
        self.world, self.project, self.task = world, project, task
        os.makedirs(folder, exist_ok=True)
        self.open()
        world.announce({"kind": "bus", "id": source, "project": project, "task": task})

    def entry(self):
        self.seq += 1
        rng = self.rng
        body = lines.make(self.source, self.seq, rng, rng.choice((0, 0, 0, 0, 3000)))
        if rng.random() < 0.1:
            return b"[2026-01-01 00:00:00] INFO: " + body + b"\n"
        head = ("---\nmsg_id: MSG-20260101-000000-%09d-PID00001-0001\nts: 2026-01-01T00:00:00Z\n"
                "type: INFO\nproject_id: %s\n%s---\n" % (
                    self.seq, self.project, "task_id: %s\n" % self.task if self.task else ""))
        return head.encode() + body + b"\n"

    def turn(self):
        rng = self.rng
        self.sample()
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        if (rng.random() < self.world.plan["rotation_chance"] / 2 and
                self.rotations < GENERATIONS_MOST and
                time.monotonic() > self.world.control["guard_until"]):
            stamp = time.strftime("%Y%m%d-%H%M%S") + "-%06d" % next(self.names)
            os.rename(self.path, "%s.%s.archived" % (self.path, stamp))
            self.close()
            self.open()
            self.rotations += 1
            fcntl.flock(self.fd, fcntl.LOCK_EX)
        for _ in range(rng.choice((1, 1, 1, 2, 10))):
            data = self.entry()
            if rng.random() < 0.1:  # in two parts, the lock held
                self.write(data[:len(data) // 2])
                time.sleep(0.002)
                data = data[len(data) // 2:]
            self.write(data)
            self.world.control.add("messages")
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        return rng.uniform(0.2, 2.5)


class World:
    def __init__(self, work):
        with open(os.path.join(work, "plan.json")) as f:
            self.plan = json.load(f)
        self.work, self.runs_dir = work, self.plan["runs_dir"]
        self.control = Control(os.path.join(work, "control"))
        self.announcements = open(os.path.join(work, "runs.jsonl"), "a", buffering=1)
        self.queue, self.ties = [], itertools.count()
        self.runs, self.buses = [], []
        self.producers = Producers(self)

    def announce(self, what):
        self.announcements.write(json.dumps(what) + "\n")

    def due(self, what, after_s):
        heapq.heappush(self.queue, (time.monotonic() + after_s, next(self.ties), what))

    def begin_run(self):
        run = Run(self, len(self.runs) + 1)
        self.runs.append(run)
        self.control.add("runs")
        return run

    def run(self):
        for n in range(self.plan["projects"]):
            for task in (None, "t0", "t1"):
                self.buses.append(Bus(self, "p%d" % n, task))
                self.due(self.buses[-1], 1)
        for n in range(self.plan["runs"]):
            self.due(self.begin_run(), n * self.plan["ramp_s"] / self.plan["runs"])
        self.producers.start()
        while self.control["phase"] == RUNNING:
            at, _, what = self.queue[0]
            now = time.monotonic()
            if at > now:
                time.sleep(min(at - now, 0.1))
                continue
            heapq.heappop(self.queue)
            self.control["writer_lag_s"] = now - at
            wait = what.turn()
            if isinstance(what, Run) and what.is_over:
                what = self.begin_run()
            self.due(what, wait / max(self.control["throttle"], 0.05))
        self.finish()

    def finish(self):
        self.producers.stop()
        for run in self.runs:
            if run.is_running:
                run.lives_left = 1
                run.end()
        truth = {"runs": {run.id: run.truth() for run in self.runs if run.ends},
                 "buses": {bus.source: bus.truth() for bus in self.buses},
                 "recorded": self.producers.truth()}
        with open(os.path.join(self.work, "truth.json.new"), "w") as f:
            json.dump(truth, f)
        os.rename(os.path.join(self.work, "truth.json.new"), os.path.join(self.work, "truth.json"))
        self.control["phase"] = FINAL


if __name__ == "__main__":
    World(sys.argv[1]).run()
