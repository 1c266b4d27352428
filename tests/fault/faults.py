"""Faults of system calls, in a runstreamd that was started with a library before the C library's.

    class Disk(faults.TestCase):
        def test_…(self):
            with self.faults.rule("write", errno.ENOSPC, path="*/events.jsonl"):
                …                       # each such call of any of its processes fails

A rule is told by a call (see CALLS; what belongs to each is in rules.h), what happens to it, and
for which path (a pattern as of fnmatch, of the whole path) and process. It holds from then on, in
processes that run as well as in those to come, until its block is left or it is removed.
"""

import errno
import mmap
import os
import re
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "system"))
import harness  # noqa: E402

# As in rules.h.
CALLS = ["none", "open", "read", "write", "send", "stat", "accept", "fork", "mmap", "allocate",
         "watch", "inotify", "epoll", "sync", "rename", "list", "memory", "clock", "make", "socket",
         "thread", "kind"]
EFFECTS = ["fail", "hang", "delay", "short"]
RULES, PATTERN_BYTES = 32, 192
FORMAT = "=QQqqQQQQQQQ%ds" % PATTERN_BYTES
SIZE = struct.calcsize(FORMAT)
CALLS_AT, HITS_AT, HANGING_AT = 64, 72, 80

LIBRARY = os.path.join(harness.BUILD, "tests", "fault", "faults.so")
SANITIZERS = bool(os.environ.get("RUNSTREAM_TEST_SANITIZERS"))


class Rule:
    def __init__(self, faults, number):
        self.faults, self.number = faults, number

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def word(self, at):
        return struct.unpack_from("=Q", self.faults.memory, self.number * SIZE + at)[0]

    @property
    def hits(self):
        """How many calls had it."""
        return self.word(HITS_AT)

    @property
    def hanging(self):
        """How many calls hang just now."""
        return self.word(HANGING_AT)

    def wait(self, hits=1, within_s=20):
        """Until so many calls had it."""
        harness.wait_for("the fault happens", lambda: self.hits >= hits, within_s)
        return self

    def remove(self):
        struct.pack_into("=Q", self.faults.memory, self.number * SIZE, 0)
        self.faults.used.discard(self.number)


class Faults:
    def __init__(self):
        with tempfile.NamedTemporaryFile(prefix="runstream-faults-", delete=False) as f:
            f.truncate(RULES * SIZE)
            self.path = f.name
            self.memory = mmap.mmap(f.fileno(), RULES * SIZE)
        os.chmod(self.path, 0o666)
        self.used = set()

    def close(self):
        os.unlink(self.path)

    def before(self):
        """Words before a program, so that it has the faults."""
        return ["env", "RUNSTREAM_SERVER_SANDBOX=false", "LD_PRELOAD=" + LIBRARY,
                "FAULT_RULES=" + self.path] + (
            ["ASAN_OPTIONS=verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")]
            if SANITIZERS else [])

    def rule(self, call, error=None, *, effect="fail", value=0, path="", pid=0, not_pid=0,
             times=-1, every=1, per_mille=1000):
        """From now on. error: the errno of a call that fails."""
        number = next(n for n in range(RULES) if n not in self.used)
        self.used.add(number)
        if len(path.encode()) >= PATTERN_BYTES:
            raise ValueError("the pattern is too long: " + path)
        struct.pack_into(FORMAT, self.memory, number * SIZE, 0, EFFECTS.index(effect),
                         error if error is not None else value, times, every, per_mille, pid,
                         not_pid, 0, 0, 0, path.encode())
        # Last: from here on it holds.
        struct.pack_into("=Q", self.memory, number * SIZE, CALLS.index(call))
        return Rule(self, number)

    def hang(self, call, **about):
        return self.rule(call, effect="hang", **about)


class TestCase(harness.TestCase):
    """Tests with a server that has faults. Each may restart it."""

    wants_restart = False  # before each test

    def setUp(self):
        if self.wants_restart:
            self.restart()

    @classmethod
    def setUpClass(cls):
        if harness.WRAPPER:
            import unittest
            raise unittest.SkipTest("faults are not for valgrind, which has calls of its own")
        cls.faults = Faults()
        cls.addClassCleanup(cls.faults.close)
        super().setUpClass()

    @classmethod
    def make_server(cls):
        return harness.Server(config=cls.config, workers=cls.workers, mode=cls.mode,
                              before=cls.faults.before())

    def restart(self):
        """The server forgets what was; what is in the log is of from now on."""
        self.server.stop_daemon()
        open(self.server.log_path, "w").close()
        self.server.start_daemon()

    def count_log(self, pattern):
        """How many lines of the log have it."""
        return len(re.findall("^.*(?:%s).*$" % pattern, self.server.log(), re.M))

    def wait_log(self, pattern, more_than=0, within_s=15):
        harness.wait_for("a line of the log: " + pattern,
                         lambda: self.count_log(pattern) > more_than, within_s)

    def faults_counted(self, what):
        return self.server.counters_by_word()["faults"][what]

    def wait_fault_counted(self, what, more_than=0, within_s=15):
        harness.wait_for("faults{what=%s} is above %d" % (what, more_than),
                         lambda: self.faults_counted(what) > more_than, within_s)


def main():
    harness.main()


__all__ = ["Faults", "TestCase", "errno", "harness", "main"]
