"""Runs the unittest cases of a program and prints TAP: one line a test, for automake's driver."""

import argparse
import contextlib
import os
import signal
import sys
import time
import traceback
import unittest


# A case that takes longer hangs, and is failed: whoever waits for it would wait forever.
CASE_LIMIT_S = 300 * float(os.environ.get("RUNSTREAM_TEST_FACTOR") or 1)


def took_too_long(*_):
    raise AssertionError("took more than %.0f s" % CASE_LIMIT_S)


class TapResult(unittest.TestResult):
    def __init__(self, more_about):
        super().__init__()
        self.number = 0
        self.more_about = more_about
        self.began = None

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, CASE_LIMIT_S)

    def stopTest(self, test):
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().stopTest(test)

    def line(self, ok, test, directive=""):
        self.number += 1
        print("%s %d - %s%s" % ("ok" if ok else "not ok", self.number,
                                test.id().replace("__main__.", ""), directive))
        if self.began is not None and time.monotonic() - self.began > 2:
            print("# took %.1f s" % (time.monotonic() - self.began))
        self.began = None
        sys.stdout.flush()

    def addSuccess(self, test):
        self.line(True, test)

    def addSkip(self, test, reason):
        self.line(True, test, " # SKIP " + reason)

    def addExpectedFailure(self, test, error):
        self.line(False, test, " # TODO")

    def addUnexpectedSuccess(self, test):
        self.line(True, test, " # TODO is done: it no longer fails")
        self.failures.append((test, ""))

    def failed(self, test, error):
        self.line(False, test)
        text = "".join(traceback.format_exception(*error))
        with contextlib.suppress(Exception):
            text += self.more_about(test)
        for line in text.splitlines():
            print("# " + line)
        sys.stdout.flush()
        self.failures.append((test, text))

    addError = failed
    addFailure = failed

    def addSubTest(self, test, subtest, error):
        if error:
            self.failed(subtest, error)


def main(more_about=lambda test: ""):
    """more_about(test) is text that helps to understand why it failed: logs, say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-k", metavar="PATTERN", help="only tests whose name contains this")
    options = parser.parse_args()
    # A test program that is ended takes down what it started, as one that ends by itself does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGALRM, took_too_long)
    # What a shell or nohup(1) has ignored for a job in the background would stay ignored in all
    # that is started here, and signals are what some tests are about.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    loader = unittest.TestLoader()
    if options.k:
        loader.testNamePatterns = ["*%s*" % options.k]
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    result = TapResult(more_about)
    suite.run(result)
    print("1..%d" % result.number)
    sys.exit(1 if result.failures else 0)
