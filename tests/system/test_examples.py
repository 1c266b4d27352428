#!/usr/bin/env python3
"""The examples of runstreamctl(1), taken from the page and run against a live instance."""

import os
import re
import subprocess

import harness

PAGE = os.path.join(harness.SOURCE, "man", "runstreamctl.1")


def examples():
    """The blocks of the section, each a script; a line of it begins with a prompt, $ or #."""
    with open(PAGE) as f:
        section = re.search(r"(?ms)^\.Sh EXAMPLES$(.*?)^\.Sh ", f.read()).group(1)
    blocks = re.findall(r"(?ms)^\.Bd -literal[^\n]*\n(.*?)^\.Ed$|^\.Dl ([^\n]*)$", section)
    for block in ((literal or line).strip("\n").split("\n") for literal, line in blocks):
        yield [line[2:].replace("\\e", "\\") for line in block], block


class Examples(harness.TestCase):
    def test_each_does_what_the_page_says(self):
        found = list(examples())
        self.assertGreater(len(found), 6)
        self.assertGreater(sum("runstreamctl" in line for _, block in found for line in block), 15)
        here = os.path.join(self.server.dir, "here")
        os.makedirs(os.path.join(here, "bin"))
        # As it is installed: without options that name this instance.
        with open(os.path.join(here, "bin", "runstreamctl"), "w") as f:
            f.write("#!/bin/sh\nexec '%s' \"$@\"\n" % harness.RUNSTREAMCTL)
        os.chmod(os.path.join(here, "bin", "runstreamctl"), 0o755)
        with open(os.path.join(here, "Makefile"), "w") as f:
            f.write("all:\n\t@echo built\n")
        environment = dict(
            self.server.environment, PATH=os.path.join(here, "bin") + ":" + os.environ["PATH"],
            RUNSTREAM_CONFIG=self.server.config_path,
            RUNSTREAM_SERVER_RUNTIME_DIR=self.server.runtime_dir,
            RUNSTREAM_STORAGE_RUNS_DIR=self.server.runs_dir)
        self.server.run("build-43").info("running")
        clients = [self.stream("build-43") for _ in range(3)]
        harness.wait_for("they are listed", lambda: len(
            self.server.ctl("clients", "--quiet").stdout.split()) == 3)
        for commands, block in found:
            with self.subTest(block[0]):
                self.assertTrue(all(line[:2] in ("$ ", "# ") for line in block), block)
                script = "\n".join(commands).replace(
                    "http://localhost", "http://127.0.0.1:%d" % self.server.port).replace(
                    "/etc/nginx/", here + "/")
                answer = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", script], cwd=here,
                                        env=environment, stdin=subprocess.DEVNULL,
                                        capture_output=True, text=True,
                                        timeout=harness.seconds(60))
                self.assertEqual((answer.returncode, answer.stderr), (0, ""), answer.stdout)
                if "exec" in block[0] and "build-42" in block[0]:
                    self.assertEqual(answer.stdout, "built\n" * 2 + answer.stdout[12:])
                    self.assertRegex(answer.stdout, r"T\S+Z built\n$")
                if "jq" in block[0]:
                    self.assertRegex(answer.stdout, r"^\d+\n(\d+|null)\n$")
        with open(os.path.join(here, "build.log")) as f:
            self.assertEqual(f.read(), "built\n")
        recorded = self.open("/api/runs/build-43/stream")
        self.assertEqual(recorded.wait("event", type="note").data["by"], "ops")
        self.assertGreater(os.path.getsize(os.path.join(here, "runstream-upstream.conf")), 100)


if __name__ == "__main__":
    harness.main()
