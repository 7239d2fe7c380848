#!/usr/bin/env python3
"""Runs the test suites one after the other; each ends with a line of its own, and the last line of all is their sum.

usage: run.py [lint] [unit] [fuzz] [system]    all of them when none is named"""

import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: What system tests load into the program.
LIBRARIES = (".build/support/libfault.so", ".build/support/libcount.so")
FUZZ_RUNS = 200_000
FUZZ_SECONDS = 90
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed$")


def run(command, quiet=False, environment=None):
    """Runs a command from the root; with `quiet` its output is shown only when it fails."""
    if not quiet:
        return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, env=environment).returncode == 0
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=environment)
    if done.returncode:
        sys.stdout.write(done.stdout.decode(errors="replace"))
    return done.returncode == 0


def files(folder, *endings):
    return sorted(os.path.join(top, name) for top, _, names in os.walk(os.path.join(ROOT, folder)) for name in names
                  if name.endswith(endings))


def lint():
    """The form of the Swift code, the manual, the test tools, and what the build must not leave in git."""
    checks = {
        "Swift code": ["swift", "format", "lint", "--strict", "--recursive", "--parallel", "--configuration",
                       ".swift-format", "Package.swift", "Sources", "Tests", "bench"],
        "test libraries": ["make", "-s", "--no-print-directory", *LIBRARIES],
        "measuring helper": [os.environ.get("CC") or "cc", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "bench/idle.c"],
        "Python code": [sys.executable, "-c", "import ast, sys\nfor name in sys.argv[1:]: ast.parse(open(name).read(), name)",
                        *files("Tests", ".py"), *files("bench", ".py")],
        "JSON schemas": [sys.executable, "-c", "import json, sys\nfor name in sys.argv[1:]: json.load(open(name))",
                         *files("Tests", ".json")],
        "shell scripts": ["sh", "-c", 'for file; do sh -n "$file" || exit 1; done', "sh", *files("Tests", ".sh"),
                          os.path.join(ROOT, ".ci/run")],
    }
    pages = files("man", *(f".{section}" for section in range(1, 9)))
    if pages:
        checks["manual"] = ["mandoc", "-T", "lint", "-W", "warning", *pages]
    passed = 0
    for name, command in checks.items():
        fine = run(command, quiet=True)
        passed += fine
        if not fine:
            print(f"FAILED {name}")
    return passed, len(checks) - passed


def unit():
    """`swift test`; its own words go to a file, failures and the closing lines to the screen."""
    os.makedirs(os.path.join(ROOT, ".build"), exist_ok=True)
    report = os.path.join(ROOT, ".build", "unit-tests.xml")
    for name in (report, report.replace(".xml", "-swift-testing.xml")):
        if os.path.exists(name):
            os.unlink(name)
    if not run(["swift", "build", "--build-tests", "--quiet"], quiet=True):
        return 0, 1
    process = subprocess.Popen(
        ["swift", "test", "--skip-build", "--xunit-output", report], cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
    with open(os.path.join(ROOT, ".build", "unit-tests.log"), "w", encoding="utf-8") as log:
        for line in process.stdout:
            log.write(line)
            if any(sign in line for sign in ("✘", "error:", "Fatal", "↳")):
                sys.stdout.write(line)
    process.wait()
    count = failures = 0
    for name in (report, report.replace(".xml", "-swift-testing.xml")):
        if os.path.exists(name):
            for suite in xml.etree.ElementTree.parse(name).getroot().iter("testsuite"):
                count += int(suite.get("tests", 0))
                failures += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    # A crash leaves no report, and no report is no success.
    if (process.returncode or not count) and not failures:
        print(f"swift test ended with {process.returncode}: see .build/unit-tests.log")
        failures = 1
    return max(0, count - failures), failures


def fuzz():
    """The parsers of foreign bytes, for a bounded number of executions and a bounded time from the seed corpus."""
    environment = {**os.environ, "VAULT_FUZZ": "1", "SWIFT_BACKTRACE": "enable=no"}
    place = os.path.join(ROOT, ".build", "fuzz")
    build = ["swift", "build", "--quiet", "--sanitize=fuzzer", "--product", "FormatFuzz", "--scratch-path", place]
    if not run(build, quiet=True, environment=environment):
        return 0, 1
    found = os.path.join(place, "found", "")
    os.makedirs(found, exist_ok=True)
    command = [os.path.join(place, "debug", "FormatFuzz"), f"-runs={FUZZ_RUNS}", "-seed=20", "-max_len=65536", f"-max_total_time={FUZZ_SECONDS}", "-timeout=20",
               "-rss_limit_mb=2048", f"-artifact_prefix={found}", found, "Tests/Fuzz/Corpus"]
    # The fuzzer uses one processor; the other one builds the program for the suite that follows, which tells what went wrong.
    ahead = None
    if len(sys.argv) == 1:
        ahead = subprocess.Popen(["make", "-s", "--no-print-directory", "program"], cwd=ROOT, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    fine = run(command, quiet=True, environment=environment)
    if ahead:
        ahead.wait()
    if not fine:
        print(f"the input that failed is in {found}; run it again with: {command[0]} FILE")
    return int(fine), int(not fine)


def system():
    """The release binary from outside."""
    if not (run(["make", "-s", "--no-print-directory", "program"]) and
            run(["make", "-s", "--no-print-directory", *LIBRARIES])):
        return 0, 1
    process = subprocess.Popen(
        [sys.executable, "Tests/SystemTests/run.py"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace")
    passed, failed = 0, 1
    for line in process.stdout:
        closing = CLOSING.match(line.strip())
        if closing:
            passed, failed = int(closing.group(1)), int(closing.group(2))
        else:
            sys.stdout.write(line)
            sys.stdout.flush()
    if process.wait() and not failed:
        failed = 1
    return passed, failed


SUITES = {"lint": lint, "unit": unit, "fuzz": fuzz, "system": system}


def main():
    chosen = sys.argv[1:] or list(SUITES)
    for name in chosen:
        if name not in SUITES:
            print(f"no suite {name}: {', '.join(SUITES)}")
            return 2
    os.environ.setdefault("TMPDIR", tempfile.gettempdir())
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    results = []
    for name in chosen:
        print(f"== {name}", flush=True)
        begin = time.monotonic()
        results.append(SUITES[name]())
        passed, failed = results[-1]
        print(f"{name}: {passed} passed, {failed} failed in {time.monotonic() - begin:.0f} s", flush=True)
    failed = sum(result[1] for result in results)
    print(f"{sum(result[0] for result in results)} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
