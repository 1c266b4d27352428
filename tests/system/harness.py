"""What the system tests stand on: a runstreamd and an nginx of their own in a temporary
directory, a client for Server-Sent Events, runs to write, and waits that have a deadline.

A test file is a program: `python3 tests/system/test_x.py [-k PATTERN]` prints TAP. The
programs under test are found by RUNSTREAM_BUILDDIR (default: build/ in the source tree), or
each by RUNSTREAMD and RUNSTREAMCTL. RUNSTREAM_TEST_WRAPPER is put before runstreamd (valgrind,
say); RUNSTREAM_TEST_FACTOR multiplies every deadline (default 1, with a wrapper 10), each of which
is three times what is meant for a machine that has time.
"""

import collections
import contextlib
import datetime
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tests"))
import tap  # noqa: E402
BUILD = os.path.abspath(os.environ.get("RUNSTREAM_BUILDDIR") or os.path.join(SOURCE, "build"))
RUNSTREAMD = os.environ.get("RUNSTREAMD") or os.path.join(BUILD, "runstreamd")
RUNSTREAMCTL = os.environ.get("RUNSTREAMCTL") or os.path.join(BUILD, "runstreamctl")
WRAPPER = shlex.split(os.environ.get("RUNSTREAM_TEST_WRAPPER", ""))
FACTOR = float(os.environ.get("RUNSTREAM_TEST_FACTOR") or (10 if WRAPPER else 1))
# Sanitizers and valgrind keep what was freed, and look for leaks themselves.
MEMORY_TELLS = not WRAPPER and not os.environ.get("RUNSTREAM_TEST_SANITIZERS")
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

# In the environment of whatever a test starts, so that what is left behind can be found.
MARK = "TEST_MARK"

# Short intervals, so that tests wait little; those that are about one of them set it.
DEFAULTS = {
    "api": {"sse": {"discovery_interval_ms": 200, "partial_flush_ms": 300,
                    "terminal_linger_ms": 200, "retry_ms": 200}},
    # What is wrapped around it makes calls of its own.
    "server": {"drain_ms": 200, "sandbox": not WRAPPER},
}


def seconds(n):
    """n seconds, or more: others may take the processors, or everything be slower."""
    return n * 3 * FACTOR


def wait_for(what, condition, within_s=10):
    """Waits until condition() is true, and returns what it returned."""
    until = time.monotonic() + seconds(within_s)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError("waited %.0f s in vain: %s" % (seconds(within_s), what))
        time.sleep(0.005)


def merged(base, changes):
    out = dict(base)
    for key, value in (changes or {}).items():
        out[key] = merged(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


def yaml_of(config, indent=0):
    text = ""
    for key, value in config.items():
        if isinstance(value, dict):
            text += "%s%s:\n%s" % (" " * indent, key, yaml_of(value, indent + 2))
        else:
            text += "%s%s: %s\n" % (" " * indent, key, json.dumps(value))
    return text


def marked_processes(mark):
    """The processes that carry the mark in their environment: {pid: command line}."""
    found = {}
    needle = ("%s=%s" % (MARK, mark)).encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                if needle not in f.read().split(b"\0"):
                    continue
            with open("/proc/%s/stat" % pid) as f:
                if f.read().rpartition(")")[2].split()[0] == "Z":
                    continue
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                found[int(pid)] = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # ended meanwhile
    return found


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def resident_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- a server -----------------------------------------------------------------------------------


def clean_environment():
    """RUNSTREAM_* would be settings to the programs under test, MAKE* the jobs of who runs these."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("RUNSTREAM_", "MAKE")) and name not in ("JOURNAL_STREAM", "MFLAGS")}


class Server:
    """One instance behind an nginx: `with Server(workers=1, config={…}) as s:`."""

    counter = itertools.count()

    def __init__(self, config=None, workers=2, nginx=True, nginx_server="", mode="all",
                 before=()):
        self.mark = "%d-%d" % (os.getpid(), next(self.counter))
        self.dir = tempfile.mkdtemp(prefix="runstream-test-")
        self.runs_dir = os.path.join(self.dir, "runs")
        self.runtime_dir = os.path.join(self.dir, "run")
        self.config_path = os.path.join(self.dir, "config.yaml")
        self.log_path = os.path.join(self.dir, "runstreamd.log")
        self.nginx_log_path = os.path.join(self.dir, "nginx.log")
        self.environment = dict(clean_environment(), **{MARK: self.mark})
        self.workers = workers
        self.before = list(before)  # words before runstreamd's own
        self.wants_nginx, self.nginx_server, self.mode = nginx, nginx_server, mode
        self.daemon = self.nginx = None
        self.port = 0
        self.ids = itertools.count(1)
        os.mkdir(self.runs_dir)
        self.write_config(config)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            print(self.logs())
            self.kill_all()
            shutil.rmtree(self.dir, ignore_errors=True)
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            self.stop(check=kind is None)
        except BaseException:
            print(self.logs())
            raise
        finally:
            self.kill_all()
            shutil.rmtree(self.dir, ignore_errors=True)

    # --- the daemon ---

    def write_config(self, config=None):
        with open(self.config_path + ".new", "w") as f:
            f.write(config if isinstance(config, str) else yaml_of(merged(DEFAULTS, config)))
        os.rename(self.config_path + ".new", self.config_path)

    def start(self):
        self.start_daemon()
        if self.wants_nginx:
            self.start_nginx()
            wait_for("ready through nginx", lambda: self.get("/api/v1/ready").status == 200)

    def start_daemon(self):
        if not os.access(RUNSTREAMD, os.X_OK):
            raise AssertionError("not built: " + RUNSTREAMD)
        with open(self.log_path, "ab") as log:
            self.daemon = self.popen(
                self.before + WRAPPER + [RUNSTREAMD, "--foreground", "--config", self.config_path,
                           "--runs-dir", self.runs_dir, "--runtime-dir", self.runtime_dir] +
                (["--workers", str(self.workers)] if self.workers else []),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        wait_for("the control socket answers", self.is_up, 20)

    def popen(self, command, **options):
        return subprocess.Popen(command, **options)

    def is_up(self):
        if self.daemon.poll() is not None:
            raise AssertionError("runstreamd ended with %s" % self.daemon.returncode)
        return self.ctl("status", check=False).returncode == 0

    def stop_daemon(self, check=True):
        """SIGTERM, and a clean end."""
        if self.daemon and self.daemon.poll() is None:
            self.daemon.terminate()
            try:
                self.daemon.wait(seconds(15))
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
                raise AssertionError("runstreamd did not end at SIGTERM")
            if check and self.daemon.returncode != 0:
                raise AssertionError("runstreamd ended with %s" % self.daemon.returncode)
        self.daemon = None

    def stop(self, check=True):
        self.stop_nginx()
        self.stop_daemon(check)
        if not check:
            return
        wait_for("no process is left: %s" % marked_processes(self.mark),
                 lambda: not marked_processes(self.mark))
        left = os.listdir(self.runtime_dir) if os.path.isdir(self.runtime_dir) else []
        if left not in ([], ["state"]):  # which outlives all
            raise AssertionError("left in the runtime directory: %s" % left)
        # (Unit tests that run beside these have folders there.)
        left = [name for name in os.listdir("/dev/shm")
                if "runstream" in name and not name.startswith(("runstream-test-", "runstream-state-"))]
        if left:
            raise AssertionError("left in /dev/shm: %s" % left)
        with open(self.log_path, errors="replace") as f:
            bad = [line for line in f if re.search(
                r"invariant_broken|call_refused|Sanitizer|runtime error:|"
                r"== (Invalid|Mismatched|.*definitely lost|.*uninitialised)", line)]
        if bad:
            raise AssertionError("in the log: " + "".join(bad[:5]))

    def kill_all(self):
        for pid in marked_processes(self.mark):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for process in (self.daemon, self.nginx):
            if not process:
                continue
            process.terminate()  # nginx hides its environment, and so the mark
            try:
                process.wait(seconds(10))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # --- nginx ---

    def start_nginx(self, port=None):
        """On this port, or one that is free."""
        if not NGINX:
            raise AssertionError("nginx is not installed")
        for what in ("upstream", "locations"):
            text = self.ctl("nginx-config", what, "--mode", self.mode).stdout
            with open(os.path.join(self.dir, what + ".conf"), "w") as f:
                f.write(text)
        for _ in range(10):
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port or 0))
                self.port = s.getsockname()[1]
            self.write_nginx_conf()
            with open(self.nginx_log_path, "ab") as log:
                self.nginx = subprocess.Popen(
                    [NGINX, "-p", self.dir, "-c", os.path.join(self.dir, "nginx.conf"),
                     "-e", self.nginx_log_path],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
            if wait_for("nginx listens", self.nginx_state, 20) == "listens":
                return
            # Somebody else took the port between our look and nginx's.
            with open(self.nginx_log_path) as f:
                if "Address already in use" not in f.read():
                    break
        raise AssertionError("nginx does not start")

    def nginx_state(self):
        if self.nginx.poll() is not None:
            return "ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return "listens"
        except OSError:
            return None

    def write_nginx_conf(self):
        temps = "".join("  %s_temp_path %s/%s;\n" % (name, self.dir, name)
                        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(os.path.join(self.dir, "nginx.conf"), "w") as f:
            f.write("%sdaemon off;\nworker_processes 1;\npid %s/nginx.pid;\n"
                    "worker_rlimit_nofile 4096;\n"
                    "error_log %s warn;\nevents { worker_connections 4000; }\n"
                    "http {\n  access_log off;\n  send_timeout 1h;\n%s  include %s/upstream.conf;\n"
                    "  server {\n    listen 127.0.0.1:%d;\n    include %s/locations.conf;\n%s"
                    "    location / { return 404 \"elsewhere\\n\"; }\n  }\n}\n"
                    % ("user root;\n" if os.getuid() == 0 else "", self.dir,
                       self.nginx_log_path, temps, self.dir, self.port, self.dir,
                       self.nginx_server))

    def restart_nginx(self):
        """It ends, and all connections with it, and is there again at the same address."""
        self.stop_nginx()
        self.start_nginx(self.port)

    def stop_nginx(self):
        if self.nginx:
            self.nginx.terminate()
            self.nginx.wait(seconds(10))
            self.nginx = None

    # --- asking it ---

    def ctl(self, *args, check=True, json_output=False, **options):
        command = [RUNSTREAMCTL, "--runtime-dir", self.runtime_dir]
        if json_output:
            command.append("--json")
        result = subprocess.run(command + list(args), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                errors="surrogateescape", env=self.environment,
                                timeout=seconds(60), **options)
        if check and result.returncode != 0:
            raise AssertionError("runstreamctl %s: %d\n%s%s" % (
                " ".join(args), result.returncode, result.stdout, result.stderr))
        return result

    def ctl_json(self, *args):
        return json.loads(self.ctl(*args, json_output=True).stdout)

    def status(self):
        return self.ctl_json("status")

    def counters(self):
        """The counters, summed over the processes and over the words of a set."""
        return {name: sum(value.values()) if isinstance(value, dict) and "mean_us" not in value
                else value for name, value in self.counters_by_word().items()}

    def counters_by_word(self):
        """The same, a set of counters as {word: number}."""
        return self.status()["counters"]

    def clients_of_workers(self):
        """How many clients each worker has."""
        return [sum(worker["counters"]["clients"].values())
                for worker in self.status()["workers"]]

    def worker_pids(self):
        return [worker["pid"] for worker in self.status()["workers"]]

    def get(self, path, headers=None, method="GET"):
        with Request(self.port, path, headers, method) as r:
            r.body = r.rest()
            return r

    def stream(self, run, query="", last_id=None, headers=None):
        """Opens the log stream of a run; of an id, as it stands, where run is a string."""
        run_id = run if isinstance(run, str) else run.id
        headers = dict({"Accept": "text/event-stream"}, **(headers or {}))
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        return Stream(self.port, "/api/v1/runs/%s/stream%s" % (
            run_id, "?" + query if query else ""), headers)

    def open(self, path, last_id=None, headers=None, kind=None, **options):
        """Opens any stream by its path, with a client of this kind."""
        headers = dict({"Accept": "text/event-stream"}, **(headers or {}))
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        return (kind or Stream)(self.port, path, headers, **options)

    def run(self, run_id=None, **options):
        return Run(self, run_id or "run-%03d" % next(self.ids), **options)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def logs(self):
        out = ""
        for path in (self.log_path, self.nginx_log_path):
            with contextlib.suppress(OSError), open(path, errors="replace") as f:
                out += "--- %s\n%s" % (os.path.basename(path), f.read()[-6000:])
        return out


# --- HTTP ---------------------------------------------------------------------------------------


class Request:
    """One request over a socket of its own, read as the bytes come."""

    def __init__(self, port, path, headers=None, method="GET", within_s=20, window_bytes=None):
        self.until = time.monotonic() + seconds(within_s)
        self.socket = socket.socket()
        self.socket.settimeout(seconds(within_s))
        if window_bytes:  # has to be said before there is a connection
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
        self.socket.connect(("127.0.0.1", port))
        self.raw = b""
        self.ended = False
        self.body = b""
        self.method = method
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: localhost"]
        lines += ["%s: %s" % item for item in (headers or {}).items()]
        try:
            self.socket.sendall("\r\n".join(lines + ["", ""]).encode("latin-1"))
            self.read_head()
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def more(self, until=None):
        """Receives; False at the end."""
        left = (until or self.until) - time.monotonic()
        if left <= 0:
            raise AssertionError("nothing came in time")
        self.socket.settimeout(left)
        try:
            got = self.socket.recv(1 << 16)
        except socket.timeout:
            raise AssertionError("nothing came in time") from None
        except ConnectionResetError:
            got = b""
        self.raw += got
        return bool(got)

    def read_head(self):
        while b"\r\n\r\n" not in self.raw:
            if not self.more():
                raise AssertionError("no answer: %r" % self.raw)
        head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        first, *rest = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {}
        for line in rest:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self.left = None if self.chunked else int(self.headers.get("content-length", -1))
        if self.method == "HEAD" or self.status in (204, 304):
            self.ended = True

    def chunk(self, until=None):
        """The next bytes of the body; b"" at its end. .clean tells a cut one from an end."""
        if self.ended:
            return b""
        if not self.chunked:
            if not self.raw and (self.left == 0 or not self.more(until)):
                self.ended = True
            data, self.raw = self.raw, b""
            if self.left > 0:
                self.left -= len(data)
            return data
        while True:
            size, found, rest = self.raw.partition(b"\r\n")
            if found:
                length = int(size, 16)
                if len(rest) >= length + 2:
                    self.raw = rest[length + 2:]
                    if length == 0:
                        self.ended = True
                        self.clean = True
                    return rest[:length]
            if not self.more(until):
                self.ended = True
                self.clean = False
                return b""

    clean = True

    def rest(self):
        out = b""
        while True:
            data = self.chunk()
            if not data:
                return out
            out += data

    def json(self):
        return json.loads(self.body)


class Event:
    def __init__(self, name, data, event_id, is_json=True):
        self.name, self.text, self.id = name, data, event_id
        self.data = json.loads(data) if data and is_json else None

    def __repr__(self):
        return "<%s id=%r %s>" % (self.name, self.id, self.text)


class Stream(Request):
    """A client of a stream, as EventSource is one: events in order, the last id kept."""

    is_raw = False  # events without a name are text, not JSON

    def __init__(self, *args, **options):
        self.events = []    # all that came, in order
        self.comments = []
        self.retries = []
        self.before_events = None  # comments and retry before the first event
        self.last_id = None
        self.text = b""
        self.blocks = collections.deque()  # of text, whole, not read yet
        super().__init__(*args, **options)

    def next(self, within_s=10):
        """The next event, or None at the end."""
        until = time.monotonic() + seconds(within_s)
        while True:
            if not self.blocks:
                *blocks, self.text = self.text.split(b"\n\n")
                self.blocks.extend(blocks)
            while self.blocks:
                event = self.parse(self.blocks.popleft().decode("utf-8"))
                if event:
                    self.events.append(event)
                    return event
            data = self.chunk(until)
            if not data:
                return None
            self.text += data

    def parse(self, block):
        name, data, event_id = "message", [], None
        for line in block.split("\n"):
            if line.startswith(":"):
                self.comments.append(line[1:])
                continue
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                event_id = self.last_id = value
            elif field == "retry":
                self.retries.append(int(value))
            elif line:
                raise AssertionError("not a field of an event: %r" % line)
        if not data:
            return None
        if self.before_events is None:
            self.before_events = (list(self.comments), list(self.retries))
        return Event(name, "\n".join(data), event_id, name != "message" or not self.is_raw)

    def wait(self, name, within_s=10, **values):
        """The next event of this name whose data has these values; those before are passed."""
        until = time.monotonic() + seconds(within_s)
        while True:
            event = self.next((until - time.monotonic()) / seconds(1))
            if event is None:
                raise AssertionError("the stream ended before %s %s; came: %s" % (
                    name, values, self.events[-10:]))
            if event.name == name and all(event.data.get(k) == v for k, v in values.items()):
                return event

    def read_until_complete(self, within_s=20):
        """All that comes, to the end after complete."""
        self.wait("complete", within_s)
        extra = self.next(within_s)
        if extra:
            raise AssertionError("after complete came %s" % extra)
        return self.events

    def logs(self, stream=None):
        """The log events that came so far."""
        return [e for e in self.events if e.name == "log" and
                (stream is None or e.data["stream"] == stream)]

    def lines(self, stream="stdout"):
        """The text of the log events that came so far, one for each (a fragment too)."""
        return [e.data["line"] for e in self.logs(stream)]

    def whole_lines(self, stream="stdout"):
        """Lines, fragments joined; an unfinished last one is left out."""
        out, start = [], ""
        for event in self.logs(stream):
            start += event.data["line"]
            if not event.data.get("partial"):
                out.append(start)
                start = ""
        return out

    def wait_lines(self, count, stream="stdout", within_s=15):
        """Waits until count whole lines came."""
        until = time.monotonic() + seconds(within_s)
        have = len(self.whole_lines(stream))
        while have < count:
            event = self.next((until - time.monotonic()) / seconds(1))
            if event is None:
                raise AssertionError("ended after %d lines of %d: %s" % (
                    have, count, self.events[-5:]))
            if (event.name == "log" and event.data["stream"] == stream and
                    not event.data.get("partial")):
                have += 1
        return self.whole_lines(stream)

    def names(self):
        return [e.name for e in self.events]


# --- runs ---------------------------------------------------------------------------------------


class Run:
    """A run, written as the program that makes runs writes it."""

    def __init__(self, server, run_id, project=None, task=None, status="running", lines=0):
        self.server, self.id, self.project, self.task = server, run_id, project, task
        self.status = "unknown"
        self.path = (os.path.join(server.runs_dir, project, task, "runs", run_id) if project
                     else os.path.join(server.runs_dir, run_id))
        os.makedirs(self.path)
        self.stdout = os.path.join(self.path, "agent-stdout.txt")
        self.stderr = os.path.join(self.path, "agent-stderr.txt")
        # In this order: who is found by its log alone is of a status unknown at first.
        if status:
            self.info(status)
        if lines:
            self.out("".join("line %d\n" % n for n in range(1, lines + 1)))

    def info(self, status="running", exit_code=-1, **more):
        now = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
        keys = {"version": 1, "run_id": self.id, "project_id": self.project or "p",
                "task_id": self.task or "t", "status": status, "exit_code": exit_code,
                "pid": 1, "start_time": now, "commandline": "secret --token",
                "cwd": "/secret/cwd",
                "end_time": "0001-01-01T00:00:00Z" if exit_code < 0 else now}
        keys.update(more)
        self.replace("run-info.yaml", yaml_of(keys))
        self.status = status

    def replace(self, name, data):
        """Writes a file aside and renames it over."""
        path = os.path.join(self.path, name)
        with open(path + ".new", "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.rename(path + ".new", path)

    def out(self, data, stream="stdout"):
        with open(getattr(self, stream), "ab") as f:
            f.write(data if isinstance(data, bytes) else data.encode())

    def err(self, data):
        self.out(data, "stderr")

    def finish(self, status="completed", exit_code=0):
        self.info(status, exit_code)


# --- test cases ---------------------------------------------------------------------------------


class TestCase(unittest.TestCase):
    """Tests that share one server, set up as the class says; each uses runs of its own."""

    config = None
    workers = 2
    mode = "all"

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.server = cls.stack.enter_context(cls.make_server())

    @classmethod
    def make_server(cls):
        return Server(config=cls.config, workers=cls.workers, mode=cls.mode)

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def stream(self, *args, **options):
        stream = self.server.stream(*args, **options)
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 200)
        return stream

    def open(self, *args, **options):
        stream = self.server.open(*args, **options)
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 200)
        return stream

    def assert_error(self, answer, status, code=None):
        self.assertEqual(answer.status, status, answer.body)
        self.assertTrue(answer.headers["content-type"].startswith("application/json"),
                        answer.headers)
        error = answer.json()["error"]
        self.assertTrue(error["message"])
        self.assertRegex(error["code"], r"^[A-Z][A-Z_]*$")
        if code:
            self.assertEqual(error["code"], code)
        self.assertNotIn(self.server.dir.encode(), answer.body)
        return error


def main():
    tap.main(lambda test: test.server.logs())
