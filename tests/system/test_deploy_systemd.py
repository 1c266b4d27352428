#!/usr/bin/env python3
"""Under a service manager, without one: its sockets and its notifications are played by the test
or by systemd-socket-activate, and its units are read by systemd-analyze."""

import contextlib
import fcntl
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import harness

ACTIVATE = shutil.which("systemd-socket-activate")
ANALYZE = shutil.which("systemd-analyze")


class Manager:
    """The end of a service manager that is told how its service fares."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = []

    def next(self, within_s=10):
        if not select.select([self.socket], [], [], harness.seconds(within_s))[0]:
            raise AssertionError("nothing was said; before: %s" % self.messages)
        text = self.socket.recv(4096).decode()
        message = dict(line.split("=", 1) for line in text.split("\n"))
        self.messages.append(message)
        return message

    def wait(self, variable, within_s=20):
        """The next message that has this variable; others are passed."""
        until = time.monotonic() + harness.seconds(within_s)
        while True:
            message = self.next(max(until - time.monotonic(), 0) / harness.seconds(1))
            if variable in message:
                return message

    def forget(self):
        """All that has come so far."""
        while select.select([self.socket], [], [], 0)[0]:
            self.next()

    def close(self):
        self.socket.close()


class Managed(harness.Server):
    """A server that notifies a manager, and is handed sockets that outlive it."""

    def __init__(self, sockets=0, watchdog_s=None, **options):
        super().__init__(**options)
        self.manager = Manager(self.dir)
        self.environment["NOTIFY_SOCKET"] = self.manager.path
        if watchdog_s:
            self.environment["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
        os.mkdir(self.runtime_dir, 0o755)
        self.listeners = []
        for n in range(1, sockets + 1):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(os.path.join(self.runtime_dir, "worker-%d.sock" % n))
            listener.listen(4096)
            # Where it is in nobody's way when the first are numbered from 3.
            self.listeners.append(fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD_CLOEXEC, 100))
            listener.close()
        if sockets:
            self.before = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"] + self.before
            self.environment["LISTEN_FDS"] = str(sockets)
            self.environment["LISTEN_FDNAMES"] = ":".join(["runstreamd.socket"] * sockets)

    def popen(self, command, **options):
        def hand_over():
            for n, fd in enumerate(self.listeners):
                os.dup2(fd, 3 + n)
        # Descriptors of ours are not inherited, but for those that dup2 made.
        return subprocess.Popen(command, close_fds=False, preexec_fn=hand_over, **options)

    def __exit__(self, *args):
        for n, fd in enumerate(self.listeners, 1):
            os.close(fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.runtime_dir, "worker-%d.sock" % n))
        self.manager.close()
        super().__exit__(*args)


class Notify(unittest.TestCase):
    def test_the_manager_hears_of_start_reload_and_end(self):
        with Managed(nginx=False) as server:
            ready = server.manager.wait("READY")
            self.assertEqual(ready["READY"], "1")
            self.assertIn("2 workers", ready["STATUS"])
            before_us = time.monotonic_ns() // 1000
            server.daemon.send_signal(signal.SIGHUP)
            reloading = server.manager.wait("RELOADING")
            self.assertGreaterEqual(int(reloading["MONOTONIC_USEC"]), before_us)
            self.assertEqual(server.manager.wait("READY")["READY"], "1")
            server.daemon.terminate()
            stopping = server.manager.wait("STOPPING")
            self.assertGreater(int(stopping["EXTEND_TIMEOUT_USEC"]), 200 * 1000)
            self.assertEqual(server.daemon.wait(harness.seconds(15)), 0)
            server.daemon = None

    def test_a_reload_that_was_refused_says_why_and_is_ready_again(self):
        with Managed(nginx=False) as server:
            server.manager.wait("READY")
            server.write_config("api:\n  sse:\n    poll_intervall_ms: 50\n")
            self.assertEqual(server.ctl("reload", check=False).returncode, 1)
            server.manager.wait("RELOADING")
            answer = server.manager.wait("READY")
            self.assertIn("config.yaml:3:5", answer["STATUS"])

    def test_ready_is_said_when_workers_serve_and_not_before(self):
        with Managed(nginx=False) as server:
            server.manager.wait("READY")
            log = server.log()
            self.assertEqual(len(re.findall(r" event=worker_started ", log)), 2, log)

    def test_a_start_that_failed_is_told_with_a_reason(self):
        with Managed(nginx=False) as server:
            other = Manager(server.runs_dir)
            self.addCleanup(other.close)
            environment = dict(server.environment, NOTIFY_SOCKET=other.path)
            second = subprocess.run(
                [harness.RUNSTREAMD, "--foreground", "--config", server.config_path,
                 "--runtime-dir", server.runtime_dir], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, env=environment, timeout=harness.seconds(20))
            self.assertEqual(second.returncode, 1)
            message = other.wait("ERRNO")
            self.assertIn("already running", message["STATUS"])

    def test_children_hold_nothing_of_the_managers(self):
        with Managed(nginx=False) as server:
            server.manager.wait("READY")
            for pid in server.worker_pids():
                held = [os.readlink("/proc/%d/fd/%s" % (pid, fd))
                        for fd in os.listdir("/proc/%d/fd" % pid)]
                with open("/proc/net/unix") as f:
                    inode = [line.split()[6] for line in f if server.manager.path in line][0]
                self.assertNotIn("socket:[%s]" % inode, held)


class Watchdog(unittest.TestCase):
    def test_signs_of_life_come_in_time_and_stop_with_the_supervisor(self):
        with Managed(nginx=False, watchdog_s=harness.seconds(1)) as server:
            server.manager.wait("READY")
            for _ in range(3):
                server.manager.wait("WATCHDOG", 1)
            server.daemon.send_signal(signal.SIGSTOP)
            try:
                server.manager.forget()
                with self.assertRaises(AssertionError):
                    server.manager.wait("WATCHDOG", 0.75)
            finally:
                server.daemon.send_signal(signal.SIGCONT)
            server.manager.wait("WATCHDOG", 2)

    def test_a_worker_that_hangs_is_replaced_and_all_is_well_again(self):
        with Managed(watchdog_s=harness.seconds(2)) as server:
            server.manager.wait("READY")
            hung, other = server.worker_pids()
            os.kill(hung, signal.SIGSTOP)
            harness.wait_for("it is noticed", lambda: "child_silent" in server.log(), 10)
            harness.wait_for("another one is there", lambda: server.worker_pids()[0] not in (
                0, hung), 10)
            self.assertEqual(server.worker_pids()[1], other)
            server.manager.forget()
            server.manager.wait("WATCHDOG", 4)
            run = server.run(lines=1)
            with server.stream(run) as stream:
                stream.wait_lines(1)

    def test_while_a_worker_hangs_there_is_no_sign_of_life(self):
        with Managed(nginx=False, workers=1, watchdog_s=harness.seconds(4)) as server:
            server.manager.wait("READY")
            os.kill(server.worker_pids()[0], signal.SIGSTOP)
            harness.wait_for("it is noticed", lambda: "child_silent" in server.log(), 10)
            server.manager.forget()
            # It was aborted, which a stopped process does not notice: one look later it is killed.
            # Looks are a quarter of the watchdog's time apart, and none of these two may say that all is
            # well.
            with self.assertRaises(AssertionError):
                server.manager.wait("WATCHDOG", 0.75)

    def test_discovery_that_hangs_ends_nobody(self):
        with Managed(nginx=False, watchdog_s=harness.seconds(1.5)) as server:
            server.manager.wait("READY")
            pid = server.status()["discovery"]["pid"]
            os.kill(pid, signal.SIGSTOP)
            try:
                harness.wait_for("it is noticed", lambda: re.search(
                    "child_silent process=discovery", server.log()), 10)
                server.manager.forget()
                server.manager.wait("WATCHDOG", 2)
                self.assertEqual(server.status()["discovery"]["pid"], pid)
            finally:
                os.kill(pid, signal.SIGCONT)


class Sockets(unittest.TestCase):
    def test_a_restart_refuses_nobody_and_no_stream_loses_a_line(self):
        with Managed(sockets=2, mode="all") as server:
            run = server.run(lines=1)
            answers, over = [], threading.Event()

            def ask():
                while not over.is_set():
                    answers.append(server.get("/api/v1/health").status)

            def follow(lines):
                last_id = None
                while len(lines) < 60 and not over.is_set():
                    with server.stream(run, last_id=last_id) as stream:
                        self.assertEqual(stream.status, 200)
                        while len(lines) < 60:
                            event = stream.next()
                            if event is None:
                                break
                            last_id = event.id or last_id
                            if event.name == "log":
                                lines.append(event.data["line"])
            seen = []
            threads = [threading.Thread(target=ask) for _ in range(3)]
            threads.append(threading.Thread(target=follow, args=(seen,)))
            for thread in threads:
                thread.start()
            try:
                for restart in range(3):
                    server.stop_daemon()
                    server.start_daemon()
                    before = len(answers)
                    harness.wait_for("it is asked again", lambda: len(answers) > before + 20, 20)
                    for n in range(20):
                        run.out("line %d\n" % (2 + restart * 20 + n))
                harness.wait_for("all lines came", lambda: len(seen) >= 60, 20)
            finally:
                over.set()
                for thread in threads:
                    thread.join(harness.seconds(20))
            self.assertEqual(set(answers), {200})
            self.assertEqual(seen, ["line %d" % n for n in range(1, 61)])
            for n in (1, 2):
                self.assertTrue(os.path.exists(
                    os.path.join(server.runtime_dir, "worker-%d.sock" % n)))

    def test_too_few_sockets_are_named(self):
        with Managed(sockets=2, nginx=False) as server:
            result = subprocess.run(
                ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh", harness.RUNSTREAMD,
                 "--foreground", "--workers", "3", "--runtime-dir", server.runtime_dir],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, close_fds=False,
                env=harness.clean_environment(),
                preexec_fn=lambda: os.dup2(server.listeners[0], 3), timeout=harness.seconds(20))
            self.assertEqual(result.returncode, 1)
            self.assertIn("LISTEN_FDS", result.stderr)
            self.assertIn("server.workers", result.stderr)

    @unittest.skipUnless(ACTIVATE, "systemd-socket-activate is not installed")
    def test_systemd_socket_activate_starts_it_with_the_first_connection(self):
        with tempfile.TemporaryDirectory(prefix="runstream-test-") as directory:
            runtime_dir = os.path.join(directory, "run")
            os.mkdir(runtime_dir, 0o755)
            os.mkdir(os.path.join(directory, "runs"))
            paths = [os.path.join(runtime_dir, "worker-%d.sock" % n) for n in (1, 2)]
            log_path = os.path.join(directory, "log")
            with open(log_path, "wb") as log:
                process = subprocess.Popen(
                    [ACTIVATE, "-l", paths[0], "-l", paths[1],
                     "--fdname=runstreamd.socket:runstreamd.socket", harness.RUNSTREAMD,
                     "--foreground", "--workers", "2", "--runtime-dir", runtime_dir,
                     "--runs-dir", os.path.join(directory, "runs")],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env=harness.clean_environment())
            try:
                harness.wait_for("systemd-socket-activate listens",
                                 lambda: all(os.path.exists(path) for path in paths))
                self.assertFalse(os.path.exists(os.path.join(runtime_dir, "runstreamd.pid")))
                for path in paths:
                    self.assertIn(b'{"status":"ok"}', self.ask(path), path)
                process.terminate()
                self.assertEqual(process.wait(harness.seconds(15)), 0)
                self.assertEqual(sorted(os.listdir(runtime_dir)),
                                 ["state", "worker-1.sock", "worker-2.sock"])
            except BaseException:
                with open(log_path) as f:
                    print(f.read())
                raise
            finally:
                process.kill()
                process.wait()

    @staticmethod
    def ask(path):
        """Whether it is alive, in FastCGI, of the worker behind a socket."""
        def record(kind, content):
            return bytes([1, kind, 0, 1, 0, len(content), 0, 0]) + content

        def pair(name, value):
            return bytes([len(name), len(value)]) + name.encode() + value.encode()
        parameters = pair("REQUEST_METHOD", "GET") + pair("REQUEST_URI", "/api/v1/health")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(harness.seconds(20))
            harness.wait_for("a connection", lambda: s.connect_ex(path) == 0)
            s.sendall(record(1, bytes([0, 1, 0, 0, 0, 0, 0, 0])) + record(4, parameters) +
                      record(4, b"") + record(5, b""))
            got = b""
            while True:
                piece = s.recv(4096)
                if not piece:
                    return got
                got += piece


@unittest.skipUnless(ANALYZE, "systemd-analyze is not installed")
class Units(unittest.TestCase):
    """The units as they are built, but for where the programs are, which need not be installed."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="runstream-test-")
        self.addCleanup(shutil.rmtree, self.dir)
        with open(os.path.join(harness.BUILD, "systemd/runstreamd.service")) as f:
            self.text = f.read()
        for program, path in (("runstreamd", harness.RUNSTREAMD),
                              ("runstreamctl", harness.RUNSTREAMCTL)):
            self.text = re.sub(r"(?m)^(Exec\w+=)\S*/%s\b" % program,
                               lambda m, to=path: m.group(1) + to, self.text)
        self.service = os.path.join(self.dir, "runstreamd.service")
        with open(self.service, "w") as f:
            f.write(self.text)
        self.socket = shutil.copy(os.path.join(harness.SOURCE, "systemd/runstreamd.socket"),
                                  self.dir)

    def analyze(self, *args):
        return subprocess.run([ANALYZE, *args], capture_output=True, text=True, cwd=self.dir,
                              env=dict(os.environ, SYSTEMD_UNIT_PATH=self.dir + ":"))

    def test_systemd_has_nothing_to_say_about_them(self):
        result = self.analyze("verify", "--man=no", self.service, self.socket)
        said = [line for line in (result.stdout + result.stderr).splitlines()
                if "runstream" in line]
        self.assertEqual(said, [])

    def test_the_service_is_as_confined_as_it_was(self):
        result = self.analyze("security", "--offline=true", self.service)
        score = float(re.search(r"exposure level for runstreamd.service: ([0-9.]+)",
                                result.stdout).group(1))
        self.assertLessEqual(score, 0.5, result.stdout)
        self.assertNotIn("ignoring", result.stderr)

    def allowed_calls(self):
        """What the unit's filter lets through, sets of systemd's taken apart."""
        text = subprocess.run([ANALYZE, "syscall-filter"], check=True, capture_output=True,
                              text=True).stdout
        sets = {}
        for line in text.splitlines():
            word = line.split("#")[0].strip()
            if word.startswith("@") and not line.startswith(" "):
                members = sets.setdefault(word, [])
            elif word:
                members.append(word)

        def expand(word):
            if not word.startswith("@"):
                return {word}
            return set().union(*map(expand, sets[word]))
        allowed = set()
        for line in re.findall(r"(?m)^SystemCallFilter=(.*)$", self.text):
            words = set().union(*map(expand, line.lstrip("~").split()))
            allowed = allowed - words if line.startswith("~") else allowed | words
        return allowed

    def test_the_service_may_make_every_call_that_our_own_filter_lets_through(self):
        with open(os.path.join(harness.SOURCE, "src/supervisor/sandbox.c")) as f:
            lists = dict(re.findall(r"(?ms)^static const char \*const (\w+)\[\] = \{(.*?)^\};", f.read()))
        del lists["user_changers"]  # of root, which the service is not
        self.assertEqual(len(lists), 5)
        ours = set(re.findall(r'"(\w+)"', "".join(lists.values())))
        self.assertGreater(len(ours), 80)
        others = {"sigreturn", "ugetrlimit"} - self.allowed_calls()  # of other machines
        self.assertEqual(ours - self.allowed_calls() - others, set())
        # And what it takes to get there.
        self.assertLessEqual({"execve", "clone", "socket", "bind", "listen", "memfd_create", "seccomp",
                              "landlock_restrict_self", "kill", "wait4", "setrlimit"},
                             self.allowed_calls())
        self.assertFalse({"ptrace", "mount", "reboot", "setuid", "bpf"} & self.allowed_calls())

    def test_the_sockets_are_those_of_the_workers_in_order(self):
        with open(self.socket) as f:
            listed = re.findall(r"(?m)^ListenStream=(.*)$", f.read())
        self.assertEqual(listed, ["/run/runstream/worker-%d.sock" % n
                                  for n in range(1, len(listed) + 1)])
        self.assertGreaterEqual(len(listed), 1)


if __name__ == "__main__":
    harness.main()
