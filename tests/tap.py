"""Runs the unittest cases of a program and prints TAP: one line a test, for automake's driver."""

import argparse
import contextlib
import signal
import sys
import time
import traceback
import unittest


class TapResult(unittest.TestResult):
    def __init__(self, more_about):
        super().__init__()
        self.number = 0
        self.more_about = more_about
        self.began = None

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

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
    loader = unittest.TestLoader()
    if options.k:
        loader.testNamePatterns = ["*%s*" % options.k]
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    result = TapResult(more_about)
    suite.run(result)
    print("1..%d" % result.number)
    sys.exit(1 if result.failures else 0)
