#!/usr/bin/env python3
"""Completion in a real bash: all that the program has, and nothing that it has not."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

import harness

SCRIPT = os.path.join(harness.SOURCE, "completion", "runstreamctl")
# As bash has it when TAB is pressed at the end of a line: words are cut at "=" as well.
PROBE = r"""
. "$1"; shift
COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
_runstreamctl "$PROGRAM" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def ask_help(*words):
    return subprocess.run([harness.RUNSTREAMCTL, *words, "--help"], capture_output=True, text=True,
                          env=harness.clean_environment()).stdout


def commands():
    return re.findall(r"(?m)^  ([a-z-]+)", re.search(r"(?ms)^Commands:$(.*?)^$", ask_help()).group(1))


@unittest.skipUnless(shutil.which("bash"), "there is no bash")
class Completion(harness.TestCase):
    def complete(self, *words, environment=None):
        """What is offered for the last word."""
        answer = subprocess.run(
            ["bash", "--norc", "-c", PROBE, "bash", SCRIPT, "runstreamctl", *words],
            env=dict(environment or self.server.environment, PROGRAM=harness.RUNSTREAMCTL),
            capture_output=True, text=True, timeout=harness.seconds(30), cwd=self.server.dir)
        self.assertEqual(answer.stderr.replace("bash: compopt: not currently executing completion function\n", ""), "")
        return sorted(word for word in answer.stdout.split("\n") if word)

    def here(self, *words):
        return self.complete("--runtime-dir", self.server.runtime_dir, *words)

    def test_the_commands_are_those_of_the_program(self):
        self.assertTrue(commands())
        self.assertEqual(self.complete(""), sorted(commands()))
        self.assertEqual(self.complete("--json", "-c", "some.yaml", "re"), ["reload"])
        self.assertEqual(self.complete("frob"), [])

    def test_the_options_are_those_of_the_program(self):
        for words in [[]] + [[command] for command in commands()]:
            text = re.sub(r"(?ms)^Commands:$.*?^$", "", ask_help(*words))
            options = sorted(set(re.findall(r"(?m)^  (?:-\w,|   ) (--[a-z-]+)", text)))
            self.assertGreaterEqual(len(options), 6)
            self.assertEqual(self.complete(*words, "-"), options, words)
            # That what needs an argument is known to: a command is no argument of it.
            for option, argument in re.findall(r"(?m)^  (?:-\w,|   ) (--[a-z-]+)( \S+)?", text):
                offered = self.complete(option, "")
                if words == [] and not argument:
                    self.assertEqual(offered, sorted(commands()), option)
                elif argument:
                    self.assertNotIn("reload", offered, option)

    def test_values_are_those_that_an_option_takes(self):
        for words in (("tail", "--from", ""), ("tail", "--from", "=", ""), ("tail", "--from", "=")):
            self.assertEqual(self.complete(*words), ["end", "start"], words)
        self.assertEqual(self.complete("tail", "--streams", "std"),
                         ["stderr", "stdout", "stdout,stderr"])
        self.assertEqual(self.complete("nginx-config", "--mode", ""), ["all", "streams"])
        self.assertEqual(self.complete("nginx-config", ""), ["locations", "upstream"])
        for option, values in (("tail --from", ("start", "end")), ("nginx-config --mode", ("all", "streams"))):
            for value in values:  # and the program takes them
                answer = self.server.ctl(*option.split(), value, "--help")
                self.assertIn(value, answer.stdout)
        self.assertIn("running", self.complete("runs", "--status", "r"))

    def test_files_and_directories(self):
        self.assertIn("config.yaml", self.complete("-c", "conf"))
        self.assertEqual(self.complete("--runs-dir", "r"), ["run", "runs"])

    def test_runs_and_clients_of_the_instance(self):
        for name in ("shown-1", "shown-2", "other", "with blank"):
            self.server.run(name, lines=1)
        stream = self.stream("shown-1")
        stream.wait_lines(1)
        harness.wait_for("all are known", lambda: len(self.here("runs", "")) == 3)
        for words in (("tail", "sh"), ("runs", "sh"), ("clients", "sh"), ("broadcast", "--run", "sh"),
                      ("broadcast", "--run", "=", "sh")):
            # At a prompt nobody waits long, so on a busy machine nothing may be offered.
            harness.wait_for("they are offered to %s" % (words,), lambda words=words: (
                self.here(*words) == ["shown-1", "shown-2"]))
        self.assertEqual(self.here("tail", "shown-1", ""), [])
        self.assertRegex(harness.wait_for("it is listed", lambda: self.here("kick", ""))[0], r"^\d-\d+$")

    def test_without_an_instance_nothing_is_said(self):
        self.assertEqual(self.complete("--runtime-dir", "/nonexistent", "tail", ""), [])

    def test_what_exec_runs_is_a_command(self):
        self.assertIn("mkdir", self.complete("exec", "--pty", "--", "mkdi"))
        self.assertIn("mkdir", self.complete("exec", "mkdi") + self.complete("exec", "--run-id", "x", "--", "mkdi"))

    def test_it_works_at_a_prompt(self):
        """Of an interactive bash, which has no completion but this."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ["PATH"] = os.path.dirname(harness.RUNSTREAMCTL) + ":" + os.environ["PATH"]
            os.environ.update(TERM="dumb", PS1="$ ", INPUTRC="/dev/null")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.addCleanup(os.close, terminal)
        self.addCleanup(os.waitpid, pid, 0)
        os.write(terminal, b". '%s'; echo rea''dy\n" % SCRIPT.encode())
        got, until, sent = b"", time.monotonic() + harness.seconds(20), False
        while b"nginx-config --mode streams" not in got:
            self.assertTrue(select.select([terminal], [], [], max(0, until - time.monotonic()))[0], got)
            got += os.read(terminal, 4096)
            if b"ready" in got and not sent:
                sent = True
                os.write(terminal, b"runstreamctl ngi\t--mo\tst\t")
        os.write(terminal, b"\x15exit\n")


if __name__ == "__main__":
    harness.main()
