"""What a file and a MiB cost, in counts: calls of the system, allocations, bytes copied, large buffers in use at once.

Each limit is what was measured when it was last touched, and a little more for what differs from run to run; a figure that
becomes better takes its limit with it. None of them depends on how fast the machine is or what else it does. What is meant
by each, and why it is what it is: bench/performance.md."""

import os
import random
import time

import counting
import program
import trees
from fleet import NetworkTest
from suite import SystemTest

FEW_FILES, MANY_FILES = 500, 2500
FILES_PER_DIRECTORY = 50
SMALL_BYTES = 2048
SHORT_MEBIBYTES, LONG_MEBIBYTES = 16, 112
MEBIBYTE = 1 << 20
SLOW_DISK_MICROSECONDS = 15_000
PHASES = ("full", "again", "restore")


class Limits:
    """What one unit may cost at most. `moved` are bytes through read and write calls, `copied` those through memcpy."""

    def __init__(self, calls, allocations, copied, moved):
        self.of = {"calls": calls, "allocations": allocations, "copied": copied, "moved": moved}


class CostTest(NetworkTest):
    """Makes the trees, whose contents no compression shortens, and holds costs against limits."""

    in_memory = True
    weight = 30

    def small_files(self, name, count):
        generator = random.Random(name)
        for number in range(count):
            directory = self.path(name, f"d{number // FILES_PER_DIRECTORY}")
            if number % FILES_PER_DIRECTORY == 0:
                os.makedirs(directory)
            trees.write_file(os.path.join(directory, f"f{number}"), generator.randbytes(SMALL_BYTES))
        return self.path(name)

    def large_file(self, name, mebibytes):
        generator = random.Random(name)
        os.mkdir(self.path(name))
        with open(self.path(name, "f"), "wb") as stream:
            for _ in range(mebibytes):
                stream.write(generator.randbytes(MEBIBYTE))
        return self.path(name)

    def check(self, what, unit, limits, less, more, units):
        """Holds the difference of two runs, each of counters and calls, against the limits, and notes it."""
        (less, calls_less), (more, calls_more) = less, more
        found = {key: (more[key] - less[key]) / units for key in ("allocations", "copied", "moved")}
        found["calls"] = (counting.total(calls_more) - counting.total(calls_less)) / units
        waits = sum(calls_more.get(name, 0) - calls_less.get(name, 0) for name in counting.WAITS) / units
        self.note(f"{what}, a {unit}: {found['calls']:.2f} calls and {waits:.2f} waits, {found['allocations']:.2f} allocations, "
                  f"{found['copied']:.0f} bytes copied, {found['moved']:.0f} moved")
        by_name = counting.difference(calls_less, calls_more, units)
        for key, limit in limits.of.items():
            with self.subTest(phase=what, unit=unit, cost=key):
                self.assertLessEqual(found[key], limit, f"{key} of a {unit}, {what}; calls by name: {by_name}")

    def compare_small_files(self):
        less, more = self.small_files("few", FEW_FILES), self.small_files("many", MANY_FILES)
        self.compare("file", self.FILE, less, more, MANY_FILES - FEW_FILES)

    def compare_large_files(self):
        less, more = self.large_file("short", SHORT_MEBIBYTES), self.large_file("long", LONG_MEBIBYTES)
        self.compare("MiB", self.MEBIBYTES, less, more, LONG_MEBIBYTES - SHORT_MEBIBYTES)


class Local(CostTest):
    """`vault local`: all three daemons in one process, the catalog in SQLite."""

    FILE = {
        "full": Limits(calls=7.6, allocations=2.9, copied=16_500, moved=5000),
        "again": Limits(calls=1.35, allocations=2.9, copied=7200, moved=130),
        "restore": Limits(calls=5.7, allocations=9.2, copied=17_000, moved=5000),
    }
    MEBIBYTES = {
        "full": Limits(calls=3.3, allocations=18, copied=1.07 * MEBIBYTE, moved=2.05 * MEBIBYTE),
        "again": Limits(calls=1, allocations=2, copied=1000, moved=1000),
        "restore": Limits(calls=14, allocations=56, copied=1.07 * MEBIBYTE, moved=2.05 * MEBIBYTE),
    }
    #: Buffers of blocks and groups, 1 MiB each, and with them all that takes at least 256 KiB: pipes, records, queues.
    POOLED = {"full": 22, "again": 6, "restore": 18}
    LARGE = {"full": 35, "again": 21, "restore": 25}

    def phases(self, source, **how):
        """What each phase of one tree took: counters and calls."""
        repository, target = self.path(f"repository-{time.monotonic_ns()}"), self.path(f"target-{time.monotonic_ns()}")
        backup = ("local", "backup", source, "--to", repository, "--quiet")
        commands = {"full": backup, "again": backup, "restore": ("local", "restore", "--from", repository, "--to", target)}
        try:
            found = {phase: counting.run(self.directory, *command, **how) for phase, command in commands.items()}
        except counting.NotPermitted:
            self.skipTest("strace is not permitted here")
        program.remove(repository)
        program.remove(target)
        return found

    def compare(self, unit, limits, less, more, units):
        self.let_time_pass()
        less, more = (self.phases(source, is_traced=True) for source in (less, more))
        for phase in PHASES:
            self.check(phase, unit, limits[phase], less[phase], more[phase], units)

    def test_a_small_file(self):
        self.compare_small_files()

    def test_a_mebibyte_of_a_large_file(self):
        self.compare_large_files()

    def test_buffers_in_use(self):
        """However slow the disk is, and however much waits for it, no more memory is taken."""
        trees = {"small files": self.small_files("many", MANY_FILES), "large file": self.large_file("long", LONG_MEBIBYTES)}
        for what, source in trees.items():
            for delay in (0, SLOW_DISK_MICROSECONDS):
                found = self.phases(source, delay_microseconds=delay)
                for phase in PHASES:
                    pooled, large = (found[phase][0][key] for key in ("pooledPeak", "largePeak"))
                    self.note(f"{phase}, {what}, a write {delay} us slower: {pooled} pooled buffers at once, {large} large ones")
                    with self.subTest(phase=phase, what=what, delay=delay):
                        self.assertLessEqual(pooled, self.POOLED[phase])
                        self.assertLessEqual(large, self.LARGE[phase])


class Network(CostTest):
    """The three daemons on loopback with TLS; what each takes is added up. The catalog is that of `vault init`, SQLite."""

    FILE = {
        "full": Limits(calls=8.1, allocations=2.3, copied=18_600, moved=9300),
        "again": Limits(calls=1.4, allocations=2.4, copied=7200, moved=430),
        "restore": Limits(calls=6.2, allocations=9.8, copied=19_700, moved=10_800),
    }
    #: How many calls it takes to read depends on how much has come meanwhile.
    MEBIBYTES = {
        "full": Limits(calls=225, allocations=335, copied=2.1 * MEBIBYTE, moved=4.1 * MEBIBYTE),
        "again": Limits(calls=2, allocations=12, copied=1000, moved=1000),
        "restore": Limits(calls=255, allocations=405, copied=2.05 * MEBIBYTE, moved=4.1 * MEBIBYTE),
    }

    def start(self, less, more):
        """A fleet with a job for each of two trees, counted from its start."""
        fleet = self.make_fleet(sources={"alpha": less})
        for name, source in (("less", less), ("more", more)):
            fleet.job(name, "alpha", [source], **{"Commit Size": "1 GiB"})
        self.counters = {name: self.path(f"count-{name}") for name in ("dir", "sd", "fd-alpha")}
        fleet.environments = {name: counting.environment(output) for name, output in self.counters.items()}
        self.let_time_pass()
        return fleet.start()

    def counted(self):
        found = [counting.counted(output) for output in self.counters.values()]
        return {name: sum(each[name] for each in found) for name in counting.COUNTERS}

    def took(self, fleet, command):
        """The job that a console's command ran, and what all daemons took for it."""
        try:
            attached = counting.Attached(
                self.path(f"calls-{time.monotonic_ns()}"), [daemon.process.pid for daemon in fleet.running])
        except counting.NotPermitted:
            self.skipTest("strace is not permitted here")
        try:
            before = self.counted()
            outcome = fleet.ask(command)
            after = self.counted()
            calls = attached.end()
        finally:
            attached.kill()
        self.assertEqual(outcome["status"], "T", fleet.about(outcome["job"]))
        return outcome["job"], ({name: after[name] - before[name] for name in after}, calls)

    def compare(self, unit, limits, less, more, units):
        fleet = self.start(less, more)
        # What daemons take for their first job, they take once.
        fleet.ask(f'restore job={fleet.run("save-alpha", "level=full")} where="{self.path("target-first")}" wait all')
        found = {}
        for job in ("less", "more"):
            number, found["full", job] = self.took(fleet, f"run job={job} level=full wait")
            _, found["again", job] = self.took(fleet, f"run job={job} level=incremental wait")
            target = self.path(f"target-{job}")
            _, found["restore", job] = self.took(fleet, f'restore job={number} where="{target}" wait all')
            program.remove(target)
        for phase in PHASES:
            self.check(phase, unit, limits[phase], found[phase, "less"], found[phase, "more"], units)

    def test_a_small_file_over_the_network(self):
        self.compare_small_files()

    def test_a_mebibyte_of_a_large_file_over_the_network(self):
        self.compare_large_files()
