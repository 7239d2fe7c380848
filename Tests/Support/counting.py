"""What a run of the real binary asks of the system and of its memory, in counts that do not depend on how fast anything is.

Calls are counted by strace, allocations and copies by the shim of count.c. What something costs is the difference of two
runs that differ in how much of it there is: what it takes to start falls out."""

import os
import re
import select
import signal
import struct
import subprocess
import time

import program

LIBRARY = os.path.abspath(os.environ.get("VAULT_COUNT_LIBRARY", os.path.join(program.ROOT, ".build/support/libcount.so")))
#: The order of count.c; each is an u64 at the beginning of a line of the cache.
COUNTERS = ("allocations", "large", "largePeak", "pooled", "pooledPeak", "copied", "moved")
LINE_BYTES = 64
#: How many processors every counted program is told of, so that threads and pools are what they are everywhere.
PROCESSORS = 2
#: How often threads wait for each other depends on how fast each is.
WAITS = ("futex",)
ATTACH_SECONDS = 20


class NotPermitted(Exception):
    """Nobody may trace here."""


def environment(output, delay_microseconds=0):
    """The environment that loads the shim, which then counts into `output`."""
    return {"LD_PRELOAD": LIBRARY, "VAULT_COUNT_FILE": output, "VAULT_COUNT_PROCESSORS": str(PROCESSORS),
            "VAULT_COUNT_DELAY": str(delay_microseconds)}


def counted(output):
    """The counters as they are now, by name."""
    with open(output, "rb") as stream:
        content = stream.read()
    return {name: struct.unpack_from("<Q", content, LINE_BYTES * number)[0] for number, name in enumerate(COUNTERS)}


def calls(output):
    """Calls by name, of a summary that strace wrote."""
    with open(output, encoding="ascii", errors="replace") as stream:
        found = (re.match(r"\s*(\d+)\s+(\w+)\s*$", line) for line in stream)
        return {each.group(2): int(each.group(1)) for each in found if each and each.group(2) != "total"}


def strace(output, *options):
    return ["strace", "-f", "-c", "-U", "calls,name", "-e", "signal=none", "-o", output,
            *options]


def refuse(errors):
    if "ptrace" in errors and "not permitted" in errors:
        raise NotPermitted(errors)


class Attached:
    """Counts the calls of processes that run already, until `end`."""

    def __init__(self, output, pids):
        self.output = output
        self.process = subprocess.Popen(
            strace(output, *(word for pid in pids for word in ("-p", str(pid)))), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        # It says so of every thread of every process; the first of each process names it.
        missing, text, deadline = {str(pid) for pid in pids}, "", time.monotonic() + ATTACH_SECONDS
        while missing:
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))
            part = os.read(self.process.stderr.fileno(), 4096).decode(errors="replace") if ready else ""
            text += part
            if not part:
                self.kill()
                refuse(text)
                raise AssertionError(f"strace does not attach: {text}")
            missing -= set(re.findall(r"Process (\d+) attached(?: with \d+ threads)?\n", text))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=ATTACH_SECONDS)
        if not os.path.getsize(self.output):
            raise AssertionError(f"strace counted nothing: {errors.decode(errors='replace')}")
        return calls(self.output)

    def kill(self):
        self.process.kill()
        self.process.wait()


def run(directory, *arguments, is_traced=False, delay_microseconds=0):
    """What one run of the binary took: its counters and, when it is traced, its calls. A run that fails fails the test."""
    output = os.path.join(directory, f"count-{time.monotonic_ns()}")
    variables = environment(output, delay_microseconds)
    if not is_traced:
        done = program.run(*arguments, environment=variables)
        assert done.status == 0, done
        return counted(output), {}
    summary = output + ".calls"
    options = [word for key, value in variables.items() for word in ("-E", f"{key}={value}")]
    done = subprocess.run(
        strace(summary, "-qq", *options, program.BINARY, *arguments), stdin=subprocess.DEVNULL, capture_output=True,
        timeout=program.TIMEOUT_SECONDS)
    refuse(done.stderr.decode(errors="replace"))
    assert done.returncode == 0, done.stderr
    return counted(output), calls(summary)


def total(found):
    """All calls but those that wait."""
    return sum(count for name, count in found.items() if name not in WAITS)


def difference(less, more, units):
    """What each of the units took by which two runs differ; names that took next to nothing are left out."""
    found = {name: (more.get(name, 0) - less.get(name, 0)) / units for name in {*less, *more}}
    return {name: round(value, 3) for name, value in sorted(found.items()) if abs(value) >= 0.005}
