"""What `vault local` asks of the system and of its memory on whole workloads: the figures of performance.md.

Each phase runs by itself for its times, below strace for its calls, and with the counting library of the tests for allocations
and copies."""

import os
import resource
import statistics
import subprocess
import sys
import time

from measuring import Failure
from workloads import size_of, warm, workload

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Tests", "Support"))
import counting

NAMES = ("many", "linux", "big")
PHASES = ("full", "nothing changed", "restore")


def timed(command):
    """Wall, user and system seconds, and switches of context."""
    os.sync()
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run(command)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wallSeconds": wall,
            **{name: getattr(after, key) - getattr(before, key) for name, key in (
                ("userSeconds", "ru_utime"), ("systemSeconds", "ru_stime"), ("voluntary", "ru_nvcsw"),
                ("involuntary", "ru_nivcsw"))}}


def run(command, **how):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **how)
    if done.returncode:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:].decode(errors='replace')}")


class Costs:
    def __init__(self, program, fresh, rounds):
        self.program, self.fresh, self.rounds = program, fresh, rounds

    def phases(self, source, take):
        """Takes each phase's command once, on a repository and a target of their own."""
        repository, target = self.fresh("repository"), self.fresh("restored")
        backup = [self.program, "local", "backup", source, "--to", repository, "--quiet"]
        restore = [self.program, "local", "restore", "--from", repository, "--to", target, "--quiet"]
        return {phase: take(command) for phase, command in zip(PHASES, (backup, backup, restore))}

    def traced(self, command):
        output = self.fresh("calls")
        run([*counting.strace(output, "-qq"), *command])
        found = counting.calls(output)
        return {"calls": counting.total(found), "waits": sum(found.get(name, 0) for name in counting.WAITS)}

    def counted(self, command):
        output = self.fresh("counters")
        run(command, env={**os.environ, **counting.environment(output)})
        return counting.counted(output)

    def measure(self, place):
        measured = {}
        for name in NAMES:
            source = os.path.realpath(workload(place, name))
            files, total = size_of(source)
            warm(source)
            rounds = [self.phases(source, timed) for _ in range(self.rounds)]
            traced, counted = self.phases(source, self.traced), self.phases(source, self.counted)
            measured[name] = {"files": files, "bytes": total, "phases": {
                phase: {**{key: statistics.median(each[phase][key] for each in rounds) for key in rounds[0][phase]},
                        **traced[phase], **counted[phase]} for phase in PHASES}}
        return measured


def show(measured):
    """Rows as performance.md has them: of many files for each file, of few in all."""
    print("\n| workload, phase | wall s | user s | system s | calls | waits | switches | allocations | copied |\n"
          "|---|---|---|---|---|---|---|---|---|")
    for name, found in measured.items():
        is_many = found["files"] > 1000
        for phase, cost in found["phases"].items():
            calls, allocations = (f"{cost[key] / found['files']:.2f}" if is_many else f"{cost[key]:,}"
                                  for key in ("calls", "allocations"))
            copied = (f"{cost['copied'] / found['files'] / 1000:.1f} kB" if is_many
                      else f"{cost['copied'] / found['bytes']:.2f} a byte")
            print(f"| {name}, {phase} | {cost['wallSeconds']:.1f} | {cost['userSeconds']:.2f} | {cost['systemSeconds']:.2f} "
                  f"| {calls} | {cost['waits']:,} | {cost['voluntary']:,.0f} + {cost['involuntary']:,.0f} | {allocations} "
                  f"| {copied} |")
