#!/usr/bin/env python3
"""Runs the system tests, two at a time and one beside them that mostly waits, and ends with a line `N passed, N failed`.

usage: run.py [WORD...]    only tests whose name holds one of the words
VAULT_BINARY names the program (default .build/release/vault), VAULT_JOBS the number of tests at a time, without the one
that waits, VAULT_KEEP=1 leaves the directories, VAULT_SEED the seed of everything random."""

import importlib
import multiprocessing
import os
import queue
import random
import signal
import sys
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(os.path.dirname(HERE), "Support")
sys.path[:0] = [HERE, SUPPORT]


class Recorder(unittest.TestResult):
    """The one outcome of one test."""

    def __init__(self):
        super().__init__()
        self.state, self.text = "passed", ""

    def set(self, state, text):
        if self.state != "failed":
            self.state = state
            self.text = text
        elif state == "failed":
            self.text += "\n" + text

    def addError(self, test, err):
        self.set("failed", "".join(traceback.format_exception(*err)))

    def addFailure(self, test, err):
        self.addError(test, err)

    def addSubTest(self, test, subtest, err):
        if err:
            self.set("failed", f"{subtest}\n" + "".join(traceback.format_exception(*err)))

    def addSkip(self, test, reason):
        self.set("skipped", reason)


def stop(number, frame):
    sys.exit(128 + number)


def run_one(identity):
    module, case, method = identity
    signal.signal(signal.SIGTERM, stop)
    test = getattr(importlib.import_module(module), case)(method)
    recorder, begin = Recorder(), time.monotonic()
    test.run(recorder)
    return identity, recorder.state, recorder.text, getattr(test, "notes", []), time.monotonic() - begin


def find(words):
    """The tests, those that take longest first: whether each of them mostly waits, and where it is."""
    found = []
    for name in sorted(os.listdir(HERE)):
        if not (name.startswith("test_") and name.endswith(".py")):
            continue
        module = importlib.import_module(name[:-3])
        for case in vars(module).values():
            if isinstance(case, type) and issubclass(case, unittest.TestCase) and case.__module__ == module.__name__:
                for method in unittest.defaultTestLoader.getTestCaseNames(case):
                    title = f"{name[5:-3]} {case.__name__} {method}"
                    if not words or any(word in title for word in words):
                        found.append((getattr(case, "weight", 1), getattr(case, "waits", False),
                                      (name[:-3], case.__name__, method)))
    found.sort(key=lambda each: -each[0])
    return [(waits, identity) for _, waits, identity in found]


def main():
    # Everything random grows from this, in the workers too.
    os.environ.setdefault("VAULT_SEED", str(random.SystemRandom().randrange(1 << 31)))
    import program
    if not os.access(program.BINARY, os.X_OK):
        print(f"no program at {program.BINARY}: run make first")
        print("0 passed, 1 failed")
        return 1
    tests = find(sys.argv[1:])
    signal.signal(signal.SIGTERM, stop)
    print(f"system tests: {len(tests)}, seed VAULT_SEED={os.environ['VAULT_SEED']}, {program.BINARY}", flush=True)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    width = int(os.environ.get("VAULT_JOBS", "2"))
    context, ended = multiprocessing.get_context("fork"), queue.SimpleQueue()
    with context.Pool(width, maxtasksperchild=1) as pool, context.Pool(1, maxtasksperchild=1) as waiting:
        for waits, identity in tests:
            (waiting if waits else pool).apply_async(run_one, (identity,), callback=ended.put, error_callback=ended.put)
        for _ in tests:
            outcome = ended.get()
            if isinstance(outcome, BaseException):
                raise outcome
            identity, state, text, notes, seconds = outcome
            counts[state] += 1
            title = f"{identity[0][5:]}: {identity[2][5:].replace('_', ' ')}"
            print(f"{'ok    ' if state == 'passed' else state.upper()} {seconds:6.1f} s  {title}", flush=True)
            for note in notes:
                print(f"           {note}")
            if text:
                print("           " + text.rstrip().replace("\n", "\n           "), flush=True)
        # Both end by themselves: a process that is told to end while it begins may not hear of it, and would be waited for.
        for each in (pool, waiting):
            each.close()
            each.join()
    if counts["skipped"]:
        print(f"{counts['skipped']} skipped: their reasons are above")
    print(f"{counts['passed']} passed, {counts['failed']} failed", flush=True)
    return 1 if counts["failed"] or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
