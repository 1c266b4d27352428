#!/usr/bin/env python3
"""runstreamctl and runstreamd as their users meet them: text, JSON, exit statuses."""

import fcntl
import grp
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import unittest

import harness


def run_program(*args, **options):
    return subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=harness.seconds(30), env=harness.clean_environment(),
                          **options)


class Commands(harness.TestCase):
    def test_status_tells_of_processes_and_counters(self):
        status = self.server.status()
        self.assertEqual(status["pid"], self.server.daemon.pid)
        self.assertEqual(len(status["workers"]), 2)
        self.assertGreater(status["discovery"]["pid"], 0)
        self.assertGreaterEqual(status["uptime_ms"], 0)
        text = self.server.ctl("status").stdout
        self.assertIn(str(status["pid"]), text)
        self.assertIn(str(status["discovery"]["pid"]), text)

    def test_runs_lists_and_shows_one_in_full(self):
        run = self.server.run("shown", project="proj", task="task")
        harness.wait_for("it is known", lambda: self.server.ctl(
            "runs", run.id, check=False).returncode == 0)
        self.assertIn("shown", self.server.ctl("runs").stdout)
        text = self.server.ctl("runs", "shown").stdout
        self.assertIn("proj", text)
        self.assertIn("secret --token", text)  # the administrator sees the command line
        one = self.server.ctl_json("runs", "shown")
        self.assertIn("shown", json.dumps(one))
        listed = self.server.ctl_json("runs")
        self.assertIn("shown", json.dumps(listed))

    def test_runs_of_an_unknown_id_fails(self):
        answer = self.server.ctl("runs", "nobody", check=False)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("nobody", answer.stderr)

    def test_tail_prints_the_streams_and_ends_with_the_run(self):
        run = self.server.run(lines=3)
        run.err("on stderr\n")
        run.finish()
        self.stream(run).read_until_complete()
        answer = self.server.ctl("tail", run.id)
        self.assertEqual(answer.stdout, "line 1\nline 2\nline 3\n")
        self.assertIn("on stderr\n", answer.stderr)

    def test_tail_follows_a_run(self):
        run = self.server.run(lines=1)
        self.stream(run).wait_lines(1)
        tail = subprocess.Popen(
            [harness.RUNSTREAMCTL, "--runtime-dir", self.server.runtime_dir, "tail", run.id],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            env=self.server.environment)
        with tail:
            self.assertEqual(tail.stdout.readline(), "line 1\n")
            run.out("line 2\n")
            self.assertEqual(tail.stdout.readline(), "line 2\n")
            run.finish()
            self.assertEqual(tail.stdout.read(), "")
            self.assertEqual(tail.wait(harness.seconds(10)), 0)

    def test_mistyped_commands_and_options_get_the_nearest_named(self):
        answer = self.server.ctl("statsu", check=False)
        self.assertEqual(answer.returncode, 2)
        self.assertIn("status", answer.stderr)
        answer = self.server.ctl("--jsno", "status", check=False)
        self.assertEqual(answer.returncode, 2)
        self.assertIn("--json", answer.stderr)
        answer = run_program(harness.RUNSTREAMD, "--forground")
        self.assertEqual(answer.returncode, 2)
        self.assertIn("--foreground", answer.stderr)

    def test_help_and_version(self):
        for program in (harness.RUNSTREAMD, harness.RUNSTREAMCTL):
            answer = run_program(program, "--help")
            self.assertEqual((answer.returncode, answer.stderr), (0, ""))
            self.assertIn("--runtime-dir", answer.stdout)
            answer = run_program(program, "--version")
            self.assertEqual(answer.returncode, 0)
            self.assertRegex(answer.stdout, r"\d+\.\d+\.\d+")
            with open("/dev/full", "wb") as full:
                self.assertEqual(subprocess.run([program, "--help"], stdout=full,
                                                stderr=subprocess.DEVNULL).returncode, 1)
        self.assertEqual(run_program(harness.RUNSTREAMCTL).returncode, 2)

    def test_commands_without_an_instance_fail_with_a_sentence(self):
        nowhere = os.path.join(self.server.dir, "nowhere")
        for command in ("status", "runs", "reload", "stop"):
            answer = run_program(harness.RUNSTREAMCTL, "--runtime-dir", nowhere, command)
            self.assertEqual(answer.returncode, 1, command)
            self.assertIn("nowhere", answer.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_who_may_not_ask_is_told_whom_to_be(self):
        with harness.Server(nginx=False) as server:
            socket = os.path.join(server.runtime_dir, "control.sock")

            # Where it was built, others may not be let in.
            program = harness.shutil.copy(harness.RUNSTREAMCTL, server.dir)

            def ask(program=program):
                return run_program(program, "--runtime-dir", server.runtime_dir, "status", user=65534,
                                   group=65534, extra_groups=[])
            for path in (server.dir, server.runtime_dir):
                os.chmod(path, 0o755)
            answer = ask()
            self.assertEqual((answer.returncode, answer.stdout), (1, ""))
            self.assertIn("permission denied at %s: it is for its owner, root" % server.runtime_dir,
                          answer.stderr)
            os.chmod(socket, 0o660)
            os.chown(socket, 0, grp.getgrnam("adm").gr_gid)
            self.assertIn("add yourself to the group adm", ask().stderr)
            os.chmod(server.runtime_dir, 0o700)
            self.assertIn("it is for its owner, root", ask().stderr)

    def on_terminal(self, *words, columns=0, **environment):
        master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            subprocess.run([harness.RUNSTREAMCTL, "--runtime-dir", self.server.runtime_dir, *words],
                           stdin=subprocess.DEVNULL, stdout=slave, timeout=harness.seconds(20),
                           env=dict(self.server.environment, **environment), check=True)
            return os.read(master, 1 << 16).decode()
        finally:
            os.close(master)
            os.close(slave)

    def test_tables_fit_the_terminal_but_for_those_who_want_all(self):
        project, task = "a-project-with-a-long-name" * 2, "a-task-with-a-long-name" * 2
        run = self.server.run("fits-in", project=project, task=task)
        words = ("runs", "--project", project)
        harness.wait_for("it is known", lambda: run.id in self.server.ctl(*words).stdout)
        plain = self.server.ctl(*words).stdout
        self.assertIn(project, plain)
        environment = {"TERM": "dumb"}
        shown = self.on_terminal(*words, columns=80, **environment).splitlines()
        self.assertEqual({len(line) for line in shown}, {80}, shown)
        self.assertIn(run.id, shown[1])
        self.assertIn("\u2026", shown[1])
        for options, columns, more in ((("--full",), 80, {}), (("-l",), 80, {}), ((), 80, {"COLUMNS": "500"}),
                                       ((), 0, {})):
            self.assertEqual(self.on_terminal(*words, *options, columns=columns, **environment, **more)
                             .replace("\r\n", "\n"), plain)

    def test_colours_are_for_terminals_alone(self):
        run = self.server.run("coloured")
        harness.wait_for("it is known", lambda: self.server.ctl(
            "runs", run.id, check=False).returncode == 0)

        on_terminal = self.on_terminal
        plain = self.server.ctl("runs", run.id).stdout
        self.assertNotIn("\x1b", plain)
        coloured = on_terminal("runs", run.id, TERM="xterm", NO_COLOR="")
        self.assertIn("\x1b[32mrunning\x1b[0m", coloured)
        # Taken away, they leave what others get.
        self.assertEqual(re.sub(r"\x1b\[\d*m", "", coloured).replace("\r\n", "\n"), plain)
        for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", on_terminal("runs", run.id, **environment))
        self.assertNotIn("\x1b", on_terminal("--json", "runs", TERM="xterm"))

    def test_runs_are_chosen_by_status_project_and_task(self):
        for project, task, status in (("pa", "t", "running"), ("pa", "t", "failed"), ("pa", "u", "failed"),
                                      ("pb", "t", "running")):
            self.server.run("%s-%s-%s" % (project, task, status), project=project, task=task, status=status)
        harness.wait_for("all are known", lambda: len(
            [r for r in self.server.ctl_json("runs")["runs"] if r["run_id"][:2] in ("pa", "pb")]) == 4)

        def chosen(*words):
            return sorted(self.server.ctl("runs", "-q", *words).stdout.split())
        self.assertEqual(chosen("--project", "pa"), ["pa-t-failed", "pa-t-running", "pa-u-failed"])
        self.assertEqual(chosen("--project", "pa", "--task", "t", "--status", "failed"), ["pa-t-failed"])
        self.assertEqual(chosen("--project", "nobody"), [])
        self.assertEqual([r["run_id"] for r in self.server.ctl_json("runs", "--task", "u")["runs"]],
                         ["pa-u-failed"])
        self.assertEqual(self.server.ctl("runs", "--task", "u", "id", check=False).returncode, 2)

    def test_check_config_says_where_a_mistake_is(self):
        path = os.path.join(self.server.dir, "check.yaml")
        cases = (("api:\n  sse:\n    heartbeat_intervall_s: 5\n", "3:5", "heartbeat_interval_s"),
                 ("api:\n  sse:\n    poll_interval_ms: soon\n", "3:23", "poll_interval_ms"),
                 ("api:\n  sse:\n    poll_interval_ms: 1\n", "3:23", "10"),
                 ("api: [\n", None, ""), ("ap:\n  sse: {}\n", "1:1", "api"))
        for text, place, word in cases:
            with open(path, "w") as f:
                f.write(text)
            for command in ([harness.RUNSTREAMCTL, "-c", path, "check-config"],
                            [harness.RUNSTREAMD, "-c", path, "--test"]):
                answer = run_program(*command)
                self.assertEqual(answer.returncode, 1, (text, command, answer))
                self.assertIn("check.yaml:" + (place or ""), answer.stderr)
                self.assertIn(word, answer.stderr)
        with open(path, "w") as f:
            f.write("api:\n  sse:\n    poll_interval_ms: 100\n    discovery_interval_ms: 1000\n"
                    "    heartbeat_interval_s: 30\n    max_clients_per_run: 10\n")
        self.assertEqual(run_program(harness.RUNSTREAMCTL, "-c", path, "check-config").returncode, 0)
        self.assertEqual(run_program(harness.RUNSTREAMD, "-c", path, "-t").returncode, 0)

    def test_nginx_config_names_this_instances_sockets(self):
        upstream = self.server.ctl("nginx-config", "upstream").stdout
        for n in (1, 2, 3, 4):  # twice the workers
            self.assertIn("%s/worker-%d.sock" % (self.server.runtime_dir, n), upstream)
        every = self.server.ctl("nginx-config", "locations").stdout
        streams = self.server.ctl("nginx-config", "locations", "--mode", "streams").stdout
        self.assertEqual(every, self.server.ctl("nginx-config", "locations",
                                                "--mode", "all").stdout)
        self.assertNotEqual(every, streams)
        self.assertEqual(self.server.ctl("nginx-config", "--mode", "most",
                                         check=False).returncode, 2)


class Exec(harness.TestCase):
    def exec(self, *args, check=True, **options):
        return self.server.ctl("exec", *args, check=check, **options)

    def info(self, run_id, project=None, task=None):
        path = (os.path.join(self.server.runs_dir, project, task, "runs", run_id) if project
                else os.path.join(self.server.runs_dir, run_id))
        with open(os.path.join(path, "run-info.yaml")) as f:
            return path, f.read()

    def test_it_is_a_run_with_folder_logs_info_and_exit_status(self):
        answer = self.exec("--project", "px", "--task", "tx", "--run-id", "exec-1", "--",
                           "sh", "-c", "echo out; echo err >&2; exit 3", check=False)
        self.assertEqual(answer.returncode, 3)
        self.assertEqual(answer.stdout, "out\n")
        self.assertTrue(answer.stderr.endswith("err\n"), answer.stderr)
        path, info = self.info("exec-1", "px", "tx")
        with open(os.path.join(path, "agent-stdout.txt")) as f:
            self.assertEqual(f.read(), "out\n")
        with open(os.path.join(path, "agent-stderr.txt")) as f:
            self.assertEqual(f.read(), "err\n")
        self.assertRegex(info, r"(?m)^status: \"?failed")
        self.assertRegex(info, r"(?m)^exit_code: 3$")
        stream = self.stream("exec-1")
        complete = stream.read_until_complete()[-1]
        self.assertEqual((complete.data["status"], complete.data["exit_code"]), ("failed", 3))
        self.assertEqual(stream.lines(), ["out"])
        self.assertEqual(stream.lines("stderr"), ["err"])

    def test_output_is_streamed_while_the_command_runs(self):
        gate = os.path.join(self.server.dir, "gate")
        os.mkfifo(gate)
        child = subprocess.Popen(
            [harness.RUNSTREAMCTL, "--runtime-dir", self.server.runtime_dir, "exec", "--run-id",
             "exec-live", "--", "sh", "-c", "echo first; read x < '%s'; echo second" % gate],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            env=self.server.environment)
        with child:
            self.assertEqual(child.stdout.readline(), "first\n")
            stream = self.stream("exec-live")
            stream.wait("status", status="running")
            stream.wait_lines(1)
            with open(gate, "w") as f:
                f.write("go\n")
            stream.read_until_complete()
            self.assertEqual(stream.lines(), ["first", "second"])
            self.assertEqual(child.stdout.read(), "second\n")
            self.assertEqual(child.wait(harness.seconds(10)), 0)

    def test_signals_are_forwarded_and_the_end_by_one_is_told(self):
        child = subprocess.Popen(
            [harness.RUNSTREAMCTL, "--runtime-dir", self.server.runtime_dir, "exec", "--run-id",
             "exec-signal", "--", "sh", "-c",
             "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.05; done"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            env=self.server.environment)
        with child:
            self.assertEqual(child.stdout.readline(), "ready\n")
            child.send_signal(signal.SIGTERM)
            self.assertEqual(child.stdout.read(), "got it\n")
            self.assertEqual(child.wait(harness.seconds(10)), 5)
        answer = self.exec("--run-id", "exec-killed", "--", "sh", "-c", "kill -KILL $$",
                           check=False)
        self.assertIn(answer.returncode, (128 + signal.SIGKILL, -signal.SIGKILL))
        stream = self.stream("exec-killed")
        self.assertNotEqual(stream.read_until_complete()[-1].data["status"], "completed")

    def test_without_a_run_id_one_is_made(self):
        self.exec("--project", "made", "--task", "up", "--", "true")
        harness.wait_for("it is known", lambda: self.server.get(
            "/api/v1/runs?project_id=made").json()["runs"])

    def test_a_command_that_is_not_there(self):
        answer = self.exec("--run-id", "exec-none", "--", "/no/such/command", check=False)
        self.assertEqual(answer.returncode, 127)
        self.assertIn("/no/such/command", answer.stderr)

    def test_bad_uses_are_2(self):
        self.assertEqual(self.exec(check=False).returncode, 2)
        self.assertEqual(self.exec("--run-id", "../up", "--", "true", check=False).returncode, 2)
        self.exec("--run-id", "taken", "--", "true")
        self.assertNotEqual(self.exec("--run-id", "taken", "--", "true", check=False).returncode, 0)

    def test_large_output_arrives_whole(self):
        answer = self.exec("--run-id", "exec-large", "--", "seq", "1", "100000")
        self.assertEqual(answer.stdout, "".join("%d\n" % n for n in range(1, 100001)))
        stream = self.stream("exec-large", "tail=1")
        stream.read_until_complete(30)
        self.assertEqual(stream.lines(), ["100000"])
        self.assertTrue(re.match(r"s=100000;", stream.last_id))


class Tests(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = harness.contextlib.ExitStack()

    def test_nginx_accepts_the_files_in_every_form(self):
        for mode in ("streams", "all"):
            with harness.Server(nginx=False, mode=mode) as server:
                for what in ("upstream", "locations"):
                    text = server.ctl("nginx-config", what, "--mode", mode).stdout
                    with open(os.path.join(server.dir, what + ".conf"), "w") as f:
                        f.write(text)
                server.port = 65535  # tried, and given back: any that needs no right of its own
                server.write_nginx_conf()
                answer = run_program(harness.NGINX, "-t", "-p", server.dir, "-c",
                                     os.path.join(server.dir, "nginx.conf"), "-e",
                                     server.nginx_log_path)
                self.assertEqual(answer.returncode, 0, answer.stderr)
                self.assertNotIn("[warn]", answer.stderr)


if __name__ == "__main__":
    harness.main()
