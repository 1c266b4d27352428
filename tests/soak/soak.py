#!/usr/bin/env python3
"""A soak with chaos: a real instance behind a real nginx, hundreds of writers and clients, and
processes that are killed, stopped, restarted and reloaded under them. At the end what each client
got is compared with what was written. Exit status 0: nothing was lost, repeated or changed, and
nothing unexpected was logged.

    make soak MINUTES=60 SEED=7        in a build directory

The seed gives the same plan of chaos and the same text. On a failure everything is kept in a
folder, whose name is printed.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
import harness  # noqa: E402
import chaos  # noqa: E402
import verdict  # noqa: E402
from control import Control, FINAL, RUNNING, STOPPING  # noqa: E402

CLIENT_PROCESSES = 2
LAG_MOST_S = 0.5      # behind which the writers slow down
SAMPLE_S = 5
RESIDENT_MOST_KIB = 256 << 10
SETTLE_S = 30


class Instance(harness.Server):
    """Where an nginx that is reloaded ends its old streams soon."""

    def write_nginx_conf(self):
        super().write_nginx_conf()
        path = os.path.join(self.dir, "nginx.conf")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write("worker_shutdown_timeout 2s;\n" + text)


class Soak:
    def __init__(self, options):
        self.options = options
        self.seconds = options.minutes * 60
        self.rng = random.Random("%s soak" % options.seed)
        self.problems = []
        self.samples = []  # (at, name, pid, resident KiB, descriptors)
        self.children = []
        self.began = time.monotonic()

    def say(self, text):
        print("%7.1f %s" % (time.monotonic() - self.began, text), flush=True)

    def problem(self, text):
        self.problems.append(text)
        self.say("PROBLEM: " + text)

    # --- while it runs ---

    def start_children(self):
        names = [("writers.py",)] + [("clients.py", str(n)) for n in range(CLIENT_PROCESSES)]
        for name, *arguments in names:
            log = open(os.path.join(self.work, "-".join([name] + arguments) + ".log"), "w")
            self.children.append(subprocess.Popen(
                [sys.executable, os.path.join(HERE, name), self.work] + arguments,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def adapt(self):
        """The writers write less where the clients, or the machine, do not keep up."""
        lag = max(self.control["writer_lag_s"], *(
            self.control["lag_s_%d" % n] for n in range(CLIENT_PROCESSES)))
        throttle = self.control["throttle"]
        throttle *= 0.8 if lag > LAG_MOST_S else 1.1
        self.control["throttle"] = min(max(throttle, 0.05), 1)

    def sample(self):
        answer = self.server.ctl("status", "--json", check=False)
        if answer.returncode != 0:
            return
        status = json.loads(answer.stdout)
        them = [("supervisor", status["pid"]), ("discovery", status["discovery"]["pid"])]
        them += [("worker-%d" % (n + 1), w["pid"]) for n, w in enumerate(status["workers"])]
        for name, pid in them:
            try:
                self.samples.append((time.monotonic() - self.began, name, pid,
                                     harness.resident_kib(pid), harness.descriptors(pid)))
            except (OSError, AttributeError):
                pass  # ended meanwhile

    def progress(self):
        c = self.control
        self.say("%d lines, %d messages, %d posts written, %d runs, %d rotations; %d events "
                 "received, %d connections; throttle %.2f" % (
                     c["lines_written"], c["messages"], c["posts"], c["runs"], c["rotations"],
                     sum(c["events_%d" % n] for n in range(CLIENT_PROCESSES)),
                     sum(c["connects_%d" % n] for n in range(CLIENT_PROCESSES)), c["throttle"]))

    def watch_until(self, until):
        """Until this time, or a child ended. False then."""
        while time.monotonic() < until:
            now = time.monotonic()
            if now >= self.next_adapt:
                self.next_adapt = now + 1
                self.adapt()
            if now >= self.next_sample:
                self.next_sample = now + SAMPLE_S
                self.sample()
            if now >= self.next_progress:
                self.next_progress = now + 15
                self.progress()
            if any(child.poll() not in (None, 0) for child in self.children):
                self.problem("a process of the soak itself ended; see its log")
                return False
            if self.server.daemon.poll() is not None:
                self.problem("runstreamd ended by itself: %s" % self.server.daemon.returncode)
                return False
            time.sleep(min(0.1, max(0, until - time.monotonic())))
        return True

    def run(self):
        o = self.options
        self.plan = chaos.make_plan(o.seed, self.seconds, o.every_s, o.workers)
        with Instance(workers=o.workers, config=chaos.FIXED) as self.server:
            self.work = os.path.join(self.server.dir, "soak")
            os.mkdir(self.work)
            open(os.path.join(self.work, "runs.jsonl"), "w").close()
            with open(os.path.join(self.work, "plan.json"), "w") as f:
                json.dump({"seed": o.seed, "runs_dir": self.server.runs_dir,
                           "port": self.server.port, "projects": 4, "runs": o.runs,
                           "producers": o.producers, "clients": o.clients, "ramp_s": 3,
                           "client_processes": CLIENT_PROCESSES, "rotation_chance": 0.02,
                           "lifetime_s": 40 if self.seconds < 300 else 90,
                           "away_s": 10 if self.seconds < 300 else 60,
                           "stay_s": 4, "chaos": self.plan}, f, indent=1)
            self.control = Control(os.path.join(self.work, "control"), create=True)
            self.control["throttle"] = 1
            self.say("seed %s, %g minutes, %d runs, %d clients, %d workers; %s" % (
                o.seed, o.minutes, o.runs, o.clients, o.workers, self.server.dir))
            try:
                self.go()
            finally:
                for child in self.children:
                    if child.poll() is None:
                        child.kill()
                    child.wait()
            clean = self.conclude()
            if not clean:
                self.keep()
        return clean

    def go(self):
        self.next_adapt = self.next_sample = self.next_progress = time.monotonic()
        started = time.monotonic()
        self.start_children()
        self.chaos = chaos.Chaos(self.server, self.control, self.rng, self.say)
        for at, what, arguments in self.plan:
            if not self.watch_until(started + at):
                return
            self.say("%s %s" % (what, json.dumps(arguments)))
            try:
                self.chaos.do(what, arguments)
            except AssertionError as e:
                self.problem("%s: %s" % (what, e))
                return
        if not self.watch_until(started + self.seconds):
            return
        self.say("the writers stop")
        self.control["phase"] = STOPPING
        self.ended_writing = time.monotonic()
        while any(child.poll() is None for child in self.children):
            if not self.watch_until(time.monotonic() + 0.3):
                return
        self.say("all clients are done")
        self.check_settled()

    def check_settled(self):
        """With the clients all is gone that was opened for them."""
        def settled():
            counters = self.server.counters()
            self.left = {k: counters[k] for k in ("clients", "followers", "files_open", "channels")}
            return not any(self.left.values())
        try:
            harness.wait_for("nothing is left of the clients", settled, SETTLE_S)
        except AssertionError:
            self.problem("after the clients there are left: %s" % self.left)
        self.sample()

    # --- afterwards ---

    def check_log(self):
        with open(self.server.log_path, errors="replace") as f:
            for line in f:
                ended = re.search(r"child_ended .*(signal|status)=(\d+)", line)
                if " level=error " in line or re.search(
                        r"invariant_broken|Sanitizer|runtime error:|child_killed", line):
                    self.problem("in the log: " + line.rstrip()[:300])
                elif ended and (ended.group(1), ended.group(2)) not in (
                        ("signal", "9"), ("status", "0")) and not (
                        # One that is told to end before it has begun to listen, as it was to.
                        ended.group(2) == "15" and " level=info " in line):
                    self.problem("in the log: " + line.rstrip()[:300])
        with open(self.server.nginx_log_path, errors="replace") as f:
            for line in f:
                if re.search(r"\[(crit|alert|emerg)\]", line) and not re.search(
                        r"open socket #\d+ left in connection|aborting|"
                        r"connect\(\) to unix:.* failed \(2: ", line):
                    self.problem("in nginx's log: " + line.rstrip()[:300])
        for name in os.listdir(self.server.dir):
            if name.startswith("core"):
                self.problem("a core dump: " + name)

    def check_growth(self):
        """Of each process that lived for long: what it takes levels off."""
        by_pid = {}
        for at, name, pid, kib, fds in self.samples:
            by_pid.setdefault((name, pid), []).append((at, kib, fds))
        for (name, pid), them in sorted(by_pid.items()):
            most = max(kib for _, kib, _ in them)
            if harness.MEMORY_TELLS and most > RESIDENT_MOST_KIB:
                self.problem("%s (%d) took %d KiB" % (name, pid, most))
        longest = sorted(by_pid.items(), key=lambda item: -len(item[1]))[:8]
        print("\nprocess        lived s    KiB at 1/4   1/2    3/4    end    most   descriptors most")
        for (name, pid), them in sorted(longest):
            at = [them[min(len(them) - 1, len(them) * n // 4)][1] for n in (1, 2, 3, 4)]
            print("%-12s %9.0f %12d %6d %6d %6d %7d %12d" % (
                name, them[-1][0] - them[0][0], *at, max(k for _, k, _ in them),
                max(f for _, _, f in them)))
            lived = them[-1][0] - them[0][0]
            if lived >= 600 and harness.MEMORY_TELLS:
                half = max(kib for _, kib, _ in them[:len(them) // 2])
                if at[3] > 1.3 * half + 8192:
                    self.problem("%s grew from %d to %d KiB in the second half of its life" % (
                        name, half, at[3]))

    def conclude(self):
        self.check_log()
        print()
        if os.path.exists(os.path.join(self.work, "truth.json")):
            v = verdict.Verdict(self.work, self.server.runs_dir)
            v.take_all()
            print(v.table())
            print("\nreconnections %d, of them cut %d, left by themselves %d (in mid-event %d); "
                  "refused %d, 404 %d, 204 %d, 503 %d; torn lines of events %d" % (
                      v.totals["connects"] - sum(r["clients"] for r in v.rows.values()),
                      v.totals["cut"], v.totals["left"], v.totals["left_in_mid_event"],
                      v.totals["refused"], v.totals["status_404"], v.totals["status_204"],
                      v.totals["status_503"], v.totals["torn_lines"]))
            if not v.is_clean():
                self.problems.append("what the clients got is not what was written")
                print(v.describe())
        else:
            self.problems.append("it did not come to its end")
        self.check_growth()
        print("\nchaos: %s; %d processes killed" % (", ".join(
            "%s %d" % item for item in sorted(self.chaos.done.items())), self.chaos.kills))
        seconds = getattr(self, "ended_writing", time.monotonic()) - self.began
        print("written %.0f lines/s, received %.0f events/s" % (
            (self.control["lines_written"] + self.control["messages"]) / seconds,
            sum(self.control["events_%d" % n] for n in range(CLIENT_PROCESSES)) / seconds))
        return not self.problems

    def keep(self):
        kept = self.server.dir.rstrip("/") + ".kept"
        shutil.copytree(self.server.dir, kept, symlinks=True,
                        ignore=lambda d, names: [n for n in names if n.endswith(".sock")])
        print("\nkept: %s (runstreamd.log; soak/records-*.jsonl: a client a line; soak/truth.json; "
              "runs/)" % kept)


def main():
    parser = argparse.ArgumentParser(description="A soak with chaos.")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", default=None)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--runs", type=int, default=60, help="that are written to at a time")
    parser.add_argument("--producers", type=int, default=10)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--every-s", type=float, default=3, help="between two acts of chaos")
    options = parser.parse_args()
    if options.seed in (None, ""):
        options.seed = str(random.SystemRandom().randrange(1000000))
    soak = Soak(options)
    try:
        clean = soak.run()
    except AssertionError as e:
        print("PROBLEM: %s" % e)
        clean = False
    for problem in soak.problems:
        print("PROBLEM: " + problem)
    print("soak %s: %g minutes, seed %s" % ("passed" if clean else "FAILED", options.minutes,
                                            options.seed))
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
