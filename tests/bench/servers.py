"""What is measured: each server with an nginx of its own, on loopback, in a temporary folder."""
import json
import os
import re
import select
import signal
import socket
import subprocess
import time

import procfs

START_S = 20
STOP_S = 20


class Failed(Exception):
    """A server did not do what the benchmark needs; the message is for people."""


def wait_until(condition, what, deadline_s=START_S):
    """Looks again until condition() is true; returns what it returned."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failed(f"{what}: not after {deadline_s} s")
        time.sleep(0.01)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Process:
    """A child process with its output in a file; ended, by its pid, with the benchmark."""

    def __init__(self, folder, name, arguments):
        self.name = name
        self.log_path = os.path.join(folder, name + ".log")
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log)
        self.pid = self.child.pid

    def tail(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def must_run(self):
        if self.child.poll() is not None:
            raise Failed(f"{self.name} ended with {self.child.returncode}:\n{self.tail()}")

    def stop(self, signal_number=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(signal_number)
            try:
                self.child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


class Nginx:
    """An nginx of our own; http and server are texts for the blocks of these names."""

    def __init__(self, folder, http, server, workers, modules=()):
        self.port = free_port()
        os.makedirs(os.path.join(folder, "nginx"))
        temp = "".join(f"  {kind}_temp_path {folder}/nginx/{kind};\n" for kind in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        loads = "".join(f"load_module {module};\n" for module in modules)
        # As root, workers would otherwise become nobody, whom no socket of ours lets in.
        user = "user root root;\n" if os.geteuid() == 0 else ""
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"""{loads}{user}daemon off;
worker_processes {workers};
pid {folder}/nginx/pid;
error_log {folder}/nginx-error.log warn;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  keepalive_requests 100000000;
{temp}{http}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
{server}
  }}
}}
""")
        self.process = Process(folder, "nginx", [find_nginx(), "-c", config, "-p", folder])
        wait_until(lambda: self.process.must_run() or accepts(self.port), "nginx")
        # The master answers before the last of its workers is there.
        wait_until(lambda: len(procfs.children(self.process.pid)) == workers, "nginx's workers")
        self.pids = procfs.children(self.process.pid)

    def stop(self):
        self.process.stop()


def find_nginx():
    for folder in (*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/usr/local/sbin"):
        path = os.path.join(folder, "nginx")
        if os.access(path, os.X_OK):
            return path
    raise Failed("nginx is not installed (Debian: apt-get install nginx-light)")


def includes(bench, runtime_dir, workers):
    """What runstreamctl prints for an nginx, by our own buffer size if one is asked for."""
    config = os.path.join(runtime_dir, "..", "include.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"server:\n  workers: {workers}\n  sockets: {workers}\n")
    texts = []
    for context in ("upstream", "locations"):
        run = subprocess.run([bench.program("runstreamctl"), "-c", config, "--runtime-dir",
                              runtime_dir, "nginx-config", context],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if run.returncode != 0:
            raise Failed(f"runstreamctl nginx-config: {run.stderr.decode()}")
        text = run.stdout.decode()
        if bench.buffer_size:
            text = re.sub(r"fastcgi_(buffer_size|buffers|busy_buffers_size)\s[^;]*;", "", text)
        texts.append(text)
    if bench.buffer_size:
        # nginx wants its other buffers to fit, though a stream uses this one alone.
        texts[0] += (f"fastcgi_buffer_size {bench.buffer_size};\n"
                     f"fastcgi_buffers 4 {bench.buffer_size};\n")
    return texts


class Runstream:
    """runstreamd as it is shipped, but for the number of clients allowed on a run; extra: more
    settings; runs_dir: one that is there, in place of one of its own."""

    def __init__(self, bench, inotify=True, extra="", runs_dir=None):
        self.bench = bench
        self.folder = bench.new_folder("runstream")
        self.runs_dir = runs_dir or os.path.join(self.folder, "runs")
        self.runtime_dir = os.path.join(self.folder, "run")
        os.makedirs(self.runs_dir, exist_ok=True)
        os.mkdir(self.runtime_dir)
        config = os.path.join(self.folder, "runstream.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"""api:
  sse:
    max_clients_per_run: 100000
following:
  inotify: {"true" if inotify else "false"}
storage:
  runs_dir: {self.runs_dir}
server:
  runtime_dir: {self.runtime_dir}
  workers: {bench.workers}
{extra}""")
        self.config = config
        self.nginx = None
        self.daemon = Process(self.folder, "runstreamd",
                              [bench.program("runstreamd"), "--foreground", "--config", config])
        try:
            status = wait_until(self.status, "runstreamd")
            self.worker_pids = [worker["pid"] for worker in status["workers"]]
            upstream, locations = includes(bench, self.runtime_dir, bench.workers)
            self.nginx = Nginx(self.folder, upstream, locations, bench.nginx_workers)
        except BaseException:
            self.stop()
            raise

    def status(self):
        self.daemon.must_run()
        run = subprocess.run([self.bench.program("runstreamctl"), "--json", "--runtime-dir",
                              self.runtime_dir, "status"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        if run.returncode != 0:
            return None
        status = json.loads(run.stdout)
        return status if all(worker["pid"] for worker in status["workers"]) else None

    def new_run(self, name):
        """Makes a run; returns the path of its log."""
        folder = os.path.join(self.runs_dir, name)
        os.mkdir(folder)
        with open(os.path.join(folder, "run-info.tmp"), "w", encoding="ascii") as file:
            file.write(f"version: 1\nrun_id: {name}\nproject_id: bench\ntask_id: bench\n"
                       "status: running\nexit_code: -1\n")
        os.rename(os.path.join(folder, "run-info.tmp"), os.path.join(folder, "run-info.yaml"))
        log_path = os.path.join(folder, "agent-stdout.txt")
        with open(log_path, "wb"):
            pass
        return log_path

    def path_of(self, name):
        return os.path.join(self.runs_dir, name, "agent-stdout.txt")

    def new_bus(self, project):
        """Makes the message bus of a project; returns its path."""
        folder = os.path.join(self.runs_dir, project)
        os.mkdir(folder)
        path = os.path.join(folder, "PROJECT-MESSAGE-BUS.md")
        with open(path, "wb"):
            pass
        return path

    def at(self, path):
        return f"http://127.0.0.1:{self.nginx.port}/api/{path}"

    def url(self, name, query=""):
        return self.at(f"v1/runs/{name}/stream{query}")

    def counter(self, name):
        """Of all workers together, and of all words."""
        values = [worker["counters"][name] for worker in self.status()["workers"]]
        return sum(sum(v.values()) if isinstance(v, dict) else v for v in values)

    def stop(self):
        if self.nginx:
            self.nginx.stop()
        self.daemon.stop()


class Nchan:
    """nchan's subscribers by EventSource and its publisher, channels by ?id=."""

    MODULES = ("/usr/lib/nginx/modules/ngx_nchan_module.so",
               "/usr/share/nginx/modules/ngx_nchan_module.so")

    @classmethod
    def module(cls):
        return next(filter(os.path.exists, cls.MODULES), None)

    def __init__(self, bench):
        self.nginx = Nginx(
            bench.new_folder("nchan"),
            "  nchan_shared_memory_size 1024M;\n",
            # "oldest": as a run's stream, which begins at the start of its log.
            """    location = /sub {
      nchan_subscriber eventsource;
      nchan_channel_id $arg_id;
      nchan_subscriber_first_message oldest;
    }
    location = /pub {
      nchan_publisher;
      nchan_channel_id $arg_id;
      nchan_message_buffer_length 50000;
      nchan_message_timeout 1h;
    }
""", bench.nginx_workers, [self.module()])

    def url(self, name):
        return f"http://127.0.0.1:{self.nginx.port}/sub?id={name}"

    def publisher(self, name):
        return f"http://127.0.0.1:{self.nginx.port}/pub?id={name}"

    def stop(self):
        self.nginx.stop()


class NullPeers:
    """null_peer in the place of every worker, behind the same include files."""

    def __init__(self, bench, *arguments):
        self.folder = bench.new_folder("null")
        runtime_dir = os.path.join(self.folder, "run")
        os.mkdir(runtime_dir)
        self.peers = []
        self.nginx = None
        try:
            sockets = [os.path.join(runtime_dir, f"worker-{n}.sock")
                       for n in range(1, bench.workers + 1)]
            for n, path in enumerate(sockets):
                self.peers.append(Process(self.folder, f"null-{n}",
                                          [bench.program("tests/bench/null_peer"), *arguments,
                                           path]))
            wait_until(lambda: all(map(os.path.exists, sockets)), "null_peer")
            upstream, locations = includes(bench, runtime_dir, bench.workers)
            self.nginx = Nginx(self.folder, upstream, locations, bench.nginx_workers)
        except BaseException:
            self.stop()
            raise
        self.url = f"http://127.0.0.1:{self.nginx.port}/api/v1/runs/run-1/stream"

    def stop(self):
        if self.nginx:
            self.nginx.stop()
        for peer in self.peers:
            peer.stop()


class Load:
    """A running sse_load: ready when all its clients have their headers."""

    def __init__(self, bench, url, *options, deadline_s=120):
        self.deadline_s = deadline_s
        self.child = subprocess.Popen(
            [bench.program("tests/bench/sse_load"), f"--deadline-s={deadline_s}", *options, url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0)  # or what came with "ready" would be lost to communicate()
        bench.loads.append(self)
        self.wait_for("ready")

    def wait_for(self, word):
        """ready; done: with --hold, all clients have their lines."""
        readable, _, _ = select.select([self.child.stdout], [], [], self.deadline_s)
        line = self.child.stdout.readline() if readable else b""
        if line != word.encode() + b"\n":
            self.stop()
            raise Failed(f"sse_load was not {word}: {line.decode() or 'nothing in time'}")

    def result(self):
        """Waits for it, or with --hold ends it; returns its figures."""
        try:
            out, _ = self.child.communicate(timeout=self.deadline_s + 10)
        except subprocess.TimeoutExpired as error:
            self.stop()
            raise Failed("sse_load did not end") from error
        return json.loads(out)

    def stop(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
