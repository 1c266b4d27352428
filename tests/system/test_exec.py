#!/usr/bin/env python3
"""`runstreamctl exec` without an instance: what it passes on, keeps, forwards and survives."""

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import harness

BYTES = bytes(range(256)) * 64


def read_until(fd, pattern, within_s=20):
    """Reads until the pattern matches what came; returns all of it."""
    got, until = b"", time.monotonic() + harness.seconds(within_s)
    while not re.search(pattern, got):
        left = until - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            raise AssertionError("waited in vain for %r: %r" % (pattern, got))
        try:
            piece = os.read(fd, 65536)
        except OSError:
            piece = b""
        if not piece:
            raise AssertionError("ended before %r: %r" % (pattern, got))
        got += piece
    return got


def state_of(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()[0]


class ExecCase(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="runstream-exec-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.runs = os.path.join(self.dir, "runs")
        os.mkdir(self.runs)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("RUNSTREAM_")}
        self.environment["RUNSTREAM_SERVER_RUNTIME_DIR"] = os.path.join(self.dir, "run")

    def command(self, *command, run_id="r", runs=None, options=()):
        return [harness.RUNSTREAMCTL, "--runs-dir", runs or self.runs, "exec", "--run-id", run_id,
                *options, "--", *command]

    def exec(self, *command, run_id="r", runs=None, options=(), **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self.command(*command, run_id=run_id, runs=runs, options=options),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment, timeout=harness.seconds(60), **more)

    def start(self, *command, run_id="r", **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        child = subprocess.Popen(self.command(*command, run_id=run_id), env=self.environment,
                                 **more)
        self.addCleanup(self.end, child)
        return child

    def end(self, child):
        if child.poll() is None:
            child.kill()
            child.wait()
            with contextlib.suppress(OSError, KeyError):  # its command outlives a killed exec
                os.killpg(int(self.info()["pgid"]), signal.SIGKILL)
        for stream in (child.stdout, child.stderr):
            if stream:
                stream.close()

    def path(self, name, run_id="r"):
        return os.path.join(self.runs, run_id, name)

    def content(self, name, run_id="r"):
        with open(self.path(name, run_id), "rb") as f:
            return f.read()

    def info(self, run_id="r"):
        """The flat mapping that a run-info is."""
        pairs = (line.partition(": ") for line in
                 self.content("run-info.yaml", run_id).decode().splitlines())
        return {key: value[1:-1] if value[:1] in ("'", '"') else value for key, _, value in pairs}


class Output(ExecCase):
    def test_every_byte_is_passed_on_and_kept(self):
        script = ("import os, sys\nb = bytes(range(256)) * 64\n"
                  "os.write(1, b); os.write(2, b[::-1])")
        answer = self.exec(sys.executable, "-c", script)
        self.assertEqual(answer.returncode, 0)
        self.assertEqual(answer.stdout, BYTES)
        self.assertEqual(answer.stderr, BYTES[::-1])
        self.assertEqual(self.content("agent-stdout.txt"), BYTES)
        self.assertEqual(self.content("agent-stderr.txt"), BYTES[::-1])

    def test_much_output_is_whole_and_in_order_on_both(self):
        answer = self.exec("sh", "-c", "seq 1 300000 & seq 300000 -1 1 >&2; wait")
        forward = "".join("%d\n" % n for n in range(1, 300001)).encode()
        backward = "".join("%d\n" % n for n in range(300000, 0, -1)).encode()
        self.assertTrue(answer.stdout == forward and answer.stderr == backward)
        self.assertTrue(self.content("agent-stdout.txt") == forward)
        self.assertTrue(self.content("agent-stderr.txt") == backward)

    def test_output_comes_before_the_command_ends(self):
        child = self.start("sh", "-c", "printf prompt; read x; echo got $x", stdin=subprocess.PIPE)
        self.assertEqual(read_until(child.stdout.fileno(), b"prompt"), b"prompt")
        self.assertEqual(self.content("agent-stdout.txt"), b"prompt")
        self.assertEqual(self.info()["status"], "running")
        child.stdin.write(b"it\n")
        child.stdin.close()
        self.assertEqual(child.stdout.read(), b"got it\n")
        self.assertEqual(child.wait(harness.seconds(10)), 0)

    def test_a_reader_that_leaves_does_not_stop_the_command(self):
        child = self.start("sh", "-c", "seq 1 200000; echo end >&2; exit 4")
        child.stdout.close()
        child.stdout = None
        self.assertEqual(child.stderr.read(), b"end\n")
        self.assertEqual(child.wait(harness.seconds(30)), 4)
        self.assertTrue(self.content("agent-stdout.txt").endswith(b"199999\n200000\n"))

    def test_closed_outputs_are_no_hindrance(self):
        command = " ".join("'%s'" % word for word in self.command("sh", "-c", "echo x; exit 5"))
        for redirections in (">&-", ">&- 2>&-", "<&- >&- 2>&-"):
            answer = subprocess.run(["sh", "-c", "%s %s" % (command, redirections)],
                                    stderr=subprocess.PIPE, env=self.environment,
                                    timeout=harness.seconds(20))
            self.assertEqual((answer.returncode, answer.stderr), (5, b""), redirections)
            self.assertEqual(self.content("agent-stdout.txt"), b"x\n")
            shutil.rmtree(os.path.join(self.runs, "r"))

    def test_a_full_stdout_is_told_and_the_log_goes_on(self):
        with open("/dev/full", "wb") as full:
            child = self.start("sh", "-c", "echo one; echo two", stdout=full)
            errors = child.stderr.read().decode()
        self.assertEqual(child.wait(harness.seconds(10)), 0)
        self.assertEqual(errors.count("stdout cannot be passed on"), 1)
        self.assertEqual(self.content("agent-stdout.txt"), b"one\ntwo\n")

    def test_a_non_blocking_stdout_gets_everything(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        child = self.start("seq", "1", "100000", stdout=writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as f:
            time.sleep(0)  # whatever the order: the pipe is smaller than what comes
            got = f.read()
        self.assertEqual(child.wait(harness.seconds(20)), 0)
        self.assertTrue(got == "".join("%d\n" % n for n in range(1, 100001)).encode())

    def test_a_slow_reader_delays_no_signal(self):
        child = self.start("sh", "-c", "trap 'exit 7' TERM; echo $$ >&2; yes & wait")
        pid = int(read_until(child.stderr.fileno(), b"\n"))
        harness.wait_for("the pipes are full", lambda: os.path.getsize(
            self.path("agent-stdout.txt")) >= 65536)
        child.send_signal(signal.SIGTERM)  # nobody has read a byte of stdout yet
        harness.wait_for("the command has ended", lambda: not os.path.exists("/proc/%d" % pid))
        child.send_signal(signal.SIGTERM)  # and nobody will
        self.assertEqual(child.wait(harness.seconds(20)), 7)
        self.assertEqual(self.info()["status"], "stopped")

    def test_what_is_left_behind_is_waited_for_only_briefly(self):
        begun = time.monotonic()
        child = self.start("sh", "-c", "echo early; (echo $$ >&2; sleep 600) & exit 6")
        self.assertEqual(child.wait(harness.seconds(20)), 6)
        self.assertLess(time.monotonic() - begun, harness.seconds(15))
        self.assertEqual(self.content("agent-stdout.txt"), b"early\n")
        with contextlib.suppress(ProcessLookupError):  # the sleep is of the command's group
            os.killpg(int(self.info()["pgid"]), signal.SIGKILL)

    def test_what_is_left_behind_may_still_finish_its_sentence(self):
        gate = os.path.join(self.dir, "gate")
        os.mkfifo(gate)
        child = self.start("sh", "-c", "(read x < '%s'; echo late) & exit 0" % gate)
        pid = int(harness.wait_for("it runs", lambda: os.path.exists(self.path("run-info.yaml"))
                                   and self.info().get("pid")))
        with open(gate, "w") as f:
            harness.wait_for("the command has ended",
                             lambda: not os.path.exists("/proc/%d" % pid))
            f.write("go\n")
        self.assertEqual(child.stdout.read(), b"late\n")
        self.assertEqual(child.wait(harness.seconds(10)), 0)
        self.assertEqual(self.content("agent-stdout.txt"), b"late\n")


class FullDisk(ExecCase):
    """A file system of a few pages, in a name space of its own."""

    def exec_on(self, size, script):
        inner = ("mount -t tmpfs -o size=%s none '%s' && { %s; s=$?; cp -r '%s/.' '%s'; exit $s; }"
                 % (size, self.runs, script, self.runs, self.copy))
        # Root needs no user name space, which a chroot may not have.
        user = ["--map-root-user"] if os.geteuid() else []
        answer = subprocess.run(["unshare", "--mount", *user, "sh", "-c", inner],
                                stdin=subprocess.DEVNULL, capture_output=True,
                                env=self.environment, timeout=harness.seconds(60))
        if b"unshare" in answer.stderr or b"mount:" in answer.stderr:
            self.skipTest("no mount name space: %s" % answer.stderr.decode().strip())
        return answer

    def setUp(self):
        super().setUp()
        self.copy = os.path.join(self.dir, "copy")
        os.mkdir(self.copy)

    def test_output_is_passed_on_and_the_loss_is_told(self):
        command = " ".join("'%s'" % word for word in self.command(
            "sh", "-c", "seq 1 50000; rm ../filler* filler* 2>/dev/null; exit 3"))
        answer = self.exec_on("96k", command)
        self.assertEqual(answer.returncode, 3)
        self.assertTrue(answer.stdout == "".join("%d\n" % n for n in range(1, 50001)).encode())
        self.assertEqual(answer.stderr.decode().count("the log of stdout cannot be written"), 1)
        with open(os.path.join(self.copy, "r", "agent-stdout.txt"), "rb") as f:
            self.assertTrue(answer.stdout.startswith(f.read()))
        # For which there was room kept, although the disk is full to the end.
        with open(os.path.join(self.copy, "r", "run-info.yaml")) as f:
            info = f.read().replace('"', "")
        self.assertIn("status: failed", info)
        self.assertIn("exit_code: 3", info)
        self.assertEqual(sorted(os.listdir(os.path.join(self.copy, "r"))),
                         ["agent-stderr.txt", "agent-stdout.txt", "run-info.yaml"])

    def test_a_log_that_takes_bytes_again_says_what_is_missing(self):
        filler, log = os.path.join(self.runs, "filler"), self.path("agent-stdout.txt")
        # More than a pipe holds: that it was written says that most of it was read.
        command = " ".join("'%s'" % word for word in self.command(
            "sh", "-c", "echo before; until [ -s \"$1\" ]; do sleep 0.01; done; "
            "head -c 1000000 /dev/zero > \"$0\" 2>/dev/null; head -c 200000 /dev/zero; "
            "rm \"$0\"; echo after", filler, log))
        answer = self.exec_on("256k", command)
        self.assertEqual(answer.returncode, 0)
        self.assertEqual(answer.stdout, b"before\n" + b"\0" * 200000 + b"after\n")
        with open(os.path.join(self.copy, "r", "agent-stdout.txt"), "rb") as f:
            log = f.read()
        self.assertTrue(log.startswith(b"before\n") and log.endswith(b"after\n"), log[-200:])
        lost = sum(map(int, re.findall(rb"\n\[runstreamctl: (\d+) bytes are missing here: No space",
                                       log)))
        self.assertEqual(log.count(b"\0") + lost, 200000)
        with open(os.path.join(self.copy, "r", "run-info.yaml")) as f:
            info = f.read()
        self.assertIn("status: completed", info.replace('"', ""))
        self.assertIn("%d bytes of output are missing" % lost, info)


class Ends(ExecCase):
    def test_exit_statuses_are_the_commands(self):
        for code, status in ((0, "completed"), (1, "failed"), (127, "failed"), (255, "failed")):
            with self.subTest(code):
                self.assertEqual(self.exec("sh", "-c", "exit %d" % code,
                                           run_id="e%d" % code).returncode, code)
                info = self.info("e%d" % code)
                self.assertEqual((info["status"], info["exit_code"]), (status, str(code)))
                self.assertRegex(info["end_time"], r"^20\d\d-")

    def test_a_signal_that_kills_the_command_kills_exec(self):
        for number, status in ((signal.SIGKILL, "crashed"), (signal.SIGSEGV, "crashed"),
                               (signal.SIGTERM, "stopped"), (signal.SIGUSR1, "crashed")):
            with self.subTest(number):
                run_id = "k%d" % number
                answer = self.exec("sh", "-c", "kill -%d $$" % number, run_id=run_id)
                self.assertEqual(answer.returncode, -number)
                info = self.info(run_id)
                self.assertEqual((info["status"], info["exit_code"]), (status, str(128 + number)))
                self.assertIn("signal %d" % number, info["error_summary"])

    def test_a_command_that_is_not_there_is_127(self):
        answer = self.exec("/no/such/command", "x y")
        self.assertEqual(answer.returncode, 127)
        self.assertIn(b"/no/such/command", answer.stderr)
        info = self.info()
        self.assertEqual((info["status"], info["exit_code"]), ("failed", "127"))
        self.assertIn("No such file", info["error_summary"])
        self.assertEqual(info["commandline"], "/no/such/command 'x y'")

    def test_a_file_that_cannot_be_executed_is_126(self):
        answer = self.exec(os.path.join(self.dir))
        self.assertEqual(answer.returncode, 126)
        self.assertEqual(self.info()["exit_code"], "126")

    def test_run_info_is_there_before_the_command_does_anything(self):
        answer = self.exec("cat", self.path("run-info.yaml"))
        self.assertEqual(answer.returncode, 0)
        text = answer.stdout.decode()
        self.assertRegex(text, r"(?m)^status: \"?running")
        self.assertRegex(text, r"(?m)^exit_code: -1$")
        self.assertRegex(text, r"(?m)^end_time: \"?0001-01-01T00:00:00Z")
        self.assertRegex(text, r"(?m)^cwd: \"?/")

    def test_projects_and_tasks_make_the_other_layout(self):
        answer = self.exec("sh", "-c", "echo x", options=("--project", "p", "--task", "t"))
        self.assertEqual((answer.returncode, answer.stdout), (0, b"x\n"))
        path = os.path.join(self.runs, "p", "t", "runs", "r")
        self.assertEqual(sorted(os.listdir(path)),
                         ["agent-stderr.txt", "agent-stdout.txt", "run-info.yaml"])

    def test_a_taken_id_runs_nothing(self):
        self.assertEqual(self.exec("true").returncode, 0)
        answer = self.exec("touch", os.path.join(self.dir, "ran"))
        self.assertEqual(answer.returncode, 1)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "ran")))

    def test_a_runs_directory_that_is_missing_runs_nothing(self):
        answer = self.exec("touch", os.path.join(self.dir, "ran"),
                           runs=os.path.join(self.dir, "none"))
        self.assertEqual(answer.returncode, 1)
        self.assertIn(b"none", answer.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "ran")))

    def test_the_command_inherits_nothing_but_what_it_should(self):
        """Its descriptors are the three; its signals as if exec were not there, but for the two
        that the C library keeps to itself (32 and 33)."""
        script = ("import os, signal\nprint(sorted(int(f) for f in os.listdir('/proc/self/fd'))[:-1])\n"
                  "print([int(l.split()[1], 16) & ~(3 << 31) for l in open('/proc/self/status') "
                  "if l[:6] in ('SigBlk', 'SigIgn')])")
        own = subprocess.run([sys.executable, "-c", script], stdin=subprocess.DEVNULL,
                             capture_output=True, env=self.environment)
        self.assertEqual(self.exec(sys.executable, "-c", script).stdout, own.stdout)


class Signals(ExecCase):
    def test_each_is_forwarded_to_the_command(self):
        names = "INT TERM HUP QUIT USR1 USR2 WINCH CONT"
        child = self.start("sh", "-c", "for s in %s; do trap \"echo $s\" $s; done; echo ready; "
                           "while :; do sleep 0.02; done" % names)
        out = child.stdout.fileno()
        read_until(out, b"ready\n")
        for name in names.split():
            child.send_signal(getattr(signal, "SIG" + name))
            self.assertEqual(read_until(out, b"\n"), name.encode() + b"\n")
        os.killpg(int(self.info()["pgid"]), signal.SIGKILL)
        self.assertEqual(child.wait(harness.seconds(10)), -signal.SIGKILL)

    def test_they_reach_the_whole_group(self):
        child = self.start("sh", "-c", "trap 'wait; exit 9' TERM; sh -c 'trap \"echo inner; exit\" "
                           "TERM; echo ready; while :; do sleep 0.02; done' & wait")
        read_until(child.stdout.fileno(), b"ready\n")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.stdout.read(), b"inner\n")
        self.assertEqual(child.wait(harness.seconds(10)), 9)
        self.assertEqual(self.info()["status"], "stopped")

    def test_a_command_that_is_killed_by_a_forwarded_signal_is_stopped(self):
        child = self.start("sh", "-c", "echo ready; exec sleep 600")
        read_until(child.stdout.fileno(), b"ready\n")
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(harness.seconds(10)), -signal.SIGINT)
        info = self.info()
        self.assertEqual((info["status"], info["exit_code"]), ("stopped", "130"))

    def test_one_that_was_ignored_stays_ignored(self):
        """As under nohup(1)."""
        child = self.start("sh", "-c", "echo ready; read x; echo $x", stdin=subprocess.PIPE,
                           preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        read_until(child.stdout.fileno(), b"ready\n")
        child.send_signal(signal.SIGHUP)
        child.stdin.write(b"alive\n")
        child.stdin.close()
        self.assertEqual(child.stdout.read(), b"alive\n")
        self.assertEqual(child.wait(harness.seconds(10)), 0)


class Terminal(ExecCase):
    """Job control, with a terminal of our own whose shell is this test."""

    def on_terminal(self, *command, options=()):
        """Starts exec as the foreground job of a new session; returns (pid, terminal)."""
        argv = self.command(*command, options=options)
        pid, terminal = pty.fork()
        if pid == 0:
            # A session leader gets no SIGTSTP: as in a shell, the job is its child.
            job = os.fork()
            if job == 0:
                os.setpgid(0, 0)
                signal.signal(signal.SIGTTOU, signal.SIG_IGN)
                os.tcsetpgrp(0, os.getpid())
                signal.signal(signal.SIGTTOU, signal.SIG_DFL)
                os.execve(argv[0], argv, self.environment)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            while True:
                _, status = os.waitpid(job, os.WUNTRACED)
                if not os.WIFSTOPPED(status):
                    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status)
                             else 128 + os.WTERMSIG(status))
                os.tcsetpgrp(0, os.getpgrp())
                os.write(1, b"[stopped]\n")
                os.read(0, 1)  # "fg"
                os.tcsetpgrp(0, job)
                os.killpg(job, signal.SIGCONT)
        self.addCleanup(self.end_terminal, pid, terminal)
        return pid, terminal

    def exit_code(self, pid):
        harness.wait_for("the job has ended", lambda: not harness.alive(pid))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def end_terminal(self, pid, terminal):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.killpg(int(self.info()["pgid"]), signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.waitpid(pid, 0)
        os.close(terminal)

    def test_a_command_may_read_from_the_terminal(self):
        pid, terminal = self.on_terminal("sh", "-c", "echo ready; read x; echo got $x; exit 3")
        read_until(terminal, b"ready")
        os.write(terminal, b"word\n")
        read_until(terminal, b"got word")
        self.assertEqual(self.exit_code(pid), 3)

    def test_control_c_ends_the_command_once(self):
        for reads in (False, True):
            with self.subTest(has_the_terminal=reads):
                script = "trap 'echo caught; exit 4' INT; %s echo ready; " \
                         "while :; do sleep 0.02; done" % ("read x;" if reads else "")
                pid, terminal = self.on_terminal("sh", "-c", script)
                if reads:
                    os.write(terminal, b"\n")
                read_until(terminal, b"ready")
                os.write(terminal, b"\x03")
                self.assertEqual(read_until(terminal, b"caught").count(b"caught"), 1)
                self.assertEqual(self.exit_code(pid), 4)
                self.assertEqual(self.info()["status"], "stopped" if not reads else "failed")
                shutil.rmtree(os.path.join(self.runs, "r"))

    def test_control_z_stops_the_command_and_fg_continues_it(self):
        # No shell: dash starts commands by vfork(2), and does not stop while one of them is
        # stopped before it was executed.
        script = ("import itertools, time\nfor n in itertools.count():\n"
                  "  print('tick', n, flush=True)\n  time.sleep(0.05)")
        pid, terminal = self.on_terminal(sys.executable, "-c", script)
        read_until(terminal, b"tick 2")
        os.write(terminal, b"\x1a")
        read_until(terminal, rb"\[stopped\]")
        command = int(self.info()["pid"])
        self.assertEqual(state_of(command), "T")
        os.write(terminal, b"\n")
        read_until(terminal, b"tick")
        os.write(terminal, b"\x03")
        self.assertEqual(self.exit_code(pid), 128 + signal.SIGINT)

    def test_the_size_of_the_window_is_told(self):
        script = "trap 'stty size < /dev/tty' WINCH; read x; echo ready; " \
                 "while :; do sleep 0.02; done"
        _, terminal = self.on_terminal("sh", "-c", script)
        os.write(terminal, b"\n")
        read_until(terminal, b"ready")
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        read_until(terminal, b"33 99")


class Pty(Terminal):
    """--pty: the command has a terminal of its own."""

    def exec(self, *command, **more):
        return super().exec(*command, options=("--pty",), **more)

    def on_terminal(self, *command):
        return super().on_terminal(*command, options=("--pty",))

    def restored(self, terminal, before):
        """The terminal is as it was, but for what the kernel notes in it by itself."""
        after = termios.tcgetattr(terminal)
        self.assertEqual(after[:4], before[:4])

    def test_both_outputs_are_one_terminal_and_the_input_is_ours(self):
        script = ("test -t 1 && test -t 2 && ! test -t 0 && echo terminal; echo err >&2; cat; "
                  "stty size < /dev/tty; exit 3")
        answer = self.exec("sh", "-c", script, stdin=None, input=b"a\x04b\n" * 3000)
        expected = b"terminal\nerr\n" + b"a\x04b\n" * 3000 + b"24 80\n"
        self.assertEqual((answer.returncode, answer.stderr), (3, b""))
        self.assertTrue(answer.stdout == expected, answer.stdout[:200])
        self.assertTrue(self.content("agent-stdout.txt") == expected)
        self.assertEqual(sorted(os.listdir(os.path.join(self.runs, "r"))),
                         ["agent-stdout.txt", "run-info.yaml"])
        self.assertNotIn("stderr_path", self.info())
        self.assertEqual(self.info()["status"], "failed")

    def test_what_would_be_buffered_comes_at_once(self):
        script = "import sys\nprint('asked')\nsys.stdin.readline()"
        child = subprocess.Popen(self.command(sys.executable, "-c", script, options=("--pty",)),
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 env=self.environment)
        self.addCleanup(self.end, child)
        self.addCleanup(child.stdin.close)
        self.assertEqual(read_until(child.stdout.fileno(), b"\n"), b"asked\n")
        child.stdin.write(b"\n")
        child.stdin.close()
        self.assertEqual(child.wait(harness.seconds(10)), 0)

    def test_much_output_is_whole(self):
        answer = self.exec("seq", "1", "200000")
        self.assertTrue(answer.stdout == "".join("%d\n" % n for n in range(1, 200001)).encode())

    def test_a_command_may_read_from_the_terminal(self):
        pid, terminal = self.on_terminal("sh", "-c", "test -t 0 && echo ready; read x; echo got $x; "
                                         "cat; exit 3")
        before = termios.tcgetattr(terminal)
        read_until(terminal, b"ready")
        os.write(terminal, b"word\n")
        read_until(terminal, b"word\r+\ngot word")
        os.write(terminal, b"\x04")  # the end of the input, to the command's terminal
        self.assertEqual(self.exit_code(pid), 3)
        self.restored(terminal, before)
        self.assertIn(b"word\r\ngot word\r\n", self.content("agent-stdout.txt"))

    def test_control_c_ends_the_command_once(self):
        pid, terminal = self.on_terminal("sh", "-c", "trap 'echo caught; exit 4' INT; echo ready; "
                                         "while :; do sleep 0.02; done")
        before = termios.tcgetattr(terminal)
        read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        self.assertEqual(read_until(terminal, b"caught").count(b"caught"), 1)
        self.assertEqual(self.exit_code(pid), 4)
        self.restored(terminal, before)

    def test_the_terminal_is_restored_when_a_signal_kills_the_command(self):
        pid, terminal = self.on_terminal("sh", "-c", "echo ready; exec sleep 600")
        before = termios.tcgetattr(terminal)
        read_until(terminal, b"ready")
        harness.wait_for("keys are passed on", lambda: termios.tcgetattr(terminal) != before)
        os.killpg(os.tcgetpgrp(terminal), signal.SIGTERM)
        self.assertEqual(self.exit_code(pid), 128 + signal.SIGTERM)
        self.restored(terminal, before)
        self.assertEqual(self.info()["status"], "stopped")

    def test_control_z_stops_the_command_and_fg_continues_it(self):
        """By a signal from elsewhere: the key is the command's, as all keys are."""
        script = ("import itertools, time\nfor n in itertools.count():\n"
                  "  print('tick', n, flush=True)\n  time.sleep(0.05)")
        pid, terminal = self.on_terminal(sys.executable, "-c", script)
        before = termios.tcgetattr(terminal)
        read_until(terminal, b"tick 2")
        os.killpg(os.tcgetpgrp(terminal), signal.SIGTSTP)
        read_until(terminal, rb"\[stopped\]")
        self.restored(terminal, before)
        self.assertEqual(state_of(int(self.info()["pid"])), "T")
        os.write(terminal, b"\n")
        read_until(terminal, b"tick")
        harness.wait_for("keys are passed on", lambda: termios.tcgetattr(terminal) != before)
        os.write(terminal, b"\x03")
        self.assertEqual(self.exit_code(pid), 128 + signal.SIGINT)
        self.restored(terminal, before)

    def test_the_size_of_the_window_is_told(self):
        script = "trap 'stty size' WINCH; stty size; echo ready; while :; do sleep 0.02; done"
        _, terminal = self.on_terminal("sh", "-c", script)
        read_until(terminal, b"ready")
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        read_until(terminal, b"33 99")

    def test_what_is_left_behind_is_not_waited_for(self):
        begun = time.monotonic()
        self.assertEqual(self.exec("sh", "-c", "trap '' HUP; echo early; sleep 600 & exit 6").returncode, 6)
        self.assertLess(time.monotonic() - begun, harness.seconds(15))
        self.assertEqual(self.content("agent-stdout.txt"), b"early\n")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(self.info()["pgid"]), signal.SIGKILL)

    def test_a_command_that_is_not_there(self):
        answer = self.exec("/no/such/command")
        self.assertEqual(answer.returncode, 127)
        self.assertIn(b"/no/such/command", answer.stderr)


if __name__ == "__main__":
    harness.tap.main()
