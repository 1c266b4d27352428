"""What is done to the processes, and when: a plan that the seed decides, and how each thing in it
is done."""

import contextlib
import os
import random
import signal
import time

import harness

# (what, its weight, for how long at most in seconds)
ACTIONS = (
    ("kill_worker", 30, 0),
    ("kill_workers", 6, 0),
    ("kill_discovery", 10, 0),
    ("keep_discovery_dead", 5, 6),
    ("stop_discovery", 6, 6),
    ("stop_worker", 6, 2),
    ("kill_supervisor", 6, 2),
    ("kill_all", 6, 3),
    ("restart", 8, 2),
    ("reload", 10, 0),
    ("reload_nginx", 8, 0),
    ("restart_nginx", 6, 1),
    ("kick", 12, 0),
    ("drain", 8, 0),
)
# Nobody dies of these: what a process takes over a longer life is to be seen.
GENTLE = ("reload", "reload_nginx", "kick", "stop_discovery", "restart_nginx")
GENTLE_EVERY_S, GENTLE_FROM_S, GENTLE_FOR_S = 1500, 600, 780
OUTAGE_S = 8  # for so long after one what is new has not been seen by everybody

# What a reload may change under a stream.
SETTINGS = {
    "api.sse.poll_interval_ms": (20, 50, 100, 300),
    "api.sse.discovery_interval_ms": (50, 200, 500),
    "api.sse.heartbeat_interval_s": (1, 2, 5),
    "api.sse.partial_flush_ms": (0, 50, 300, 1000),
    "api.sse.terminal_linger_ms": (0, 200, 500),
    "api.sse.max_line_bytes": (1024, 4096, 65536),
    "following.healthy_poll_interval_ms": (50, 500, 2000),
    "following.cache_bytes": (1048576, 16777216),
    "recording.durability": ("written", "synced"),
    "server.drain_ms": (0, 100, 500),
}
FIXED = {"api": {"sse": {"max_clients_per_run": 1000, "max_line_bytes": 4096}},
         "recording": {"allow_from": "127.0.0.1"}}


def make_plan(seed, seconds, every_s, workers):
    """[(at, what, arguments)]: calm at the beginning, at times between, and at the end."""
    rng = random.Random("%s chaos" % seed)
    plan, at = [], 3.0
    names = [name for name, _, _ in ACTIONS]
    weights = [weight for _, weight, _ in ACTIONS]
    lengths = {name: length for name, _, length in ACTIONS}
    while True:
        at += rng.expovariate(1 / every_s)
        if rng.random() < 0.03:
            at += rng.uniform(5, 20)
        what = rng.choices(names, weights)[0]
        if GENTLE_FROM_S < at % GENTLE_EVERY_S < GENTLE_FROM_S + GENTLE_FOR_S:
            what = rng.choice(GENTLE)
        arguments = {"for_s": round(rng.uniform(0, lengths[what]), 2),
                     "worker": rng.randrange(workers)}
        if what == "reload":
            arguments["settings"] = {key: rng.choice(values) for key, values in SETTINGS.items()
                                     if rng.random() < 0.4}
        if what == "kick":
            arguments["chance"] = rng.choice((0.02, 0.1, 0.5))
        if at + arguments["for_s"] > seconds - 4:
            return plan
        plan.append((round(at, 2), what, arguments))
        at += arguments["for_s"]


def nested(settings):
    out = {}
    for path, value in settings.items():
        at = out
        *sections, key = path.split(".")
        for section in sections:
            at = at.setdefault(section, {})
        at[key] = value
    return out


class Chaos:
    def __init__(self, server, control, rng, say):
        self.server, self.control, self.rng, self.say = server, control, rng, say
        self.kills = 0
        self.done = {}

    def do(self, what, arguments):
        self.done[what] = self.done.get(what, 0) + 1
        getattr(self, what)(arguments)

    def pids(self):
        """(discovery, workers): of those that are alive."""
        status = harness.wait_for("the control socket answers", self.status, 20)
        return status["discovery"]["pid"], [w["pid"] for w in status["workers"]]

    def status(self):
        answer = self.server.ctl("status", "--json", check=False)
        return harness.json.loads(answer.stdout) if answer.returncode == 0 else None

    def send(self, pid, number):
        if not pid:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            self.kills += number == signal.SIGKILL
            return True
        return False

    @contextlib.contextmanager
    def outage(self):
        """Discovery does not see what is new: files that are new then are not rotated."""
        self.control["guard_from"] = time.monotonic()
        self.control["guard_until"] = time.monotonic() + 1000
        yield
        self.control["guard_until"] = time.monotonic() + OUTAGE_S

    # --- each of them ---

    def kill_worker(self, arguments):
        _, workers = self.pids()
        self.send(workers[arguments["worker"] % len(workers)], signal.SIGKILL)

    def kill_workers(self, arguments):
        for pid in self.pids()[1]:
            self.send(pid, signal.SIGKILL)

    def kill_discovery(self, arguments):
        self.send(self.pids()[0], signal.SIGKILL)

    def keep_discovery_dead(self, arguments):
        until = time.monotonic() + arguments["for_s"]
        with self.outage():
            while time.monotonic() < until:
                self.send(self.pids()[0], signal.SIGKILL)
                time.sleep(0.05)

    def stop_discovery(self, arguments):
        pid = self.pids()[0]
        with self.outage():
            if self.send(pid, signal.SIGSTOP):
                time.sleep(arguments["for_s"])
                self.send(pid, signal.SIGCONT)

    def stop_worker(self, arguments):
        _, workers = self.pids()
        pid = workers[arguments["worker"] % len(workers)]
        if self.send(pid, signal.SIGSTOP):
            time.sleep(arguments["for_s"])
            self.send(pid, signal.SIGCONT)

    def start_again(self, arguments):
        time.sleep(arguments["for_s"])
        self.server.start_daemon()
        harness.wait_for("ready again", self.is_ready, 30)

    def is_ready(self):
        try:
            return self.server.get("/api/v1/ready").status == 200
        except (OSError, AssertionError):
            return False

    def kill_supervisor(self, arguments):
        with self.outage():
            self.server.daemon.kill()
            self.server.daemon.wait()
            self.start_again(arguments)

    def kill_all(self, arguments):
        discovery, workers = self.pids()
        with self.outage():
            self.server.daemon.kill()
            for pid in [discovery] + workers:
                self.send(pid, signal.SIGKILL)
            self.server.daemon.wait()
            self.start_again(arguments)

    def restart(self, arguments):
        with self.outage():
            self.server.stop_daemon()
            self.start_again(arguments)

    def reload(self, arguments):
        self.server.write_config(harness.merged(FIXED, nested(arguments["settings"])))
        self.server.daemon.send_signal(signal.SIGHUP)

    def reload_nginx(self, arguments):
        self.server.nginx.send_signal(signal.SIGHUP)

    def restart_nginx(self, arguments):
        self.server.stop_nginx()
        time.sleep(arguments["for_s"])
        self.server.start_nginx(self.server.port)

    def drain(self, arguments):
        """One worker, or all, are replaced."""
        which = [str(arguments["worker"] + 1)] if self.rng.random() < 0.7 else []
        self.server.ctl("drain", *which, check=False)

    def kick(self, arguments):
        answer = self.server.ctl("clients", "--json", check=False)
        if answer.returncode != 0:
            return
        for client in harness.json.loads(answer.stdout)["clients"]:
            if self.rng.random() < arguments["chance"] / 4:
                self.server.ctl("kick", client["client"], check=False)
