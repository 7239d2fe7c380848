"""Small repositories in a known state, and the backup that is then disturbed: what the anomaly loops start from."""

import json
import os
import random
import shutil

import program
import trees

PUBLISHED = ("T", "W")
#: A backup of these trees takes a tenth of a second; one that takes so long hangs.
PATIENCE_SECONDS = 60
NAMES = ("first-full", "incremental", "continued", "roll-over", "compacted")


class Broken(AssertionError):
    """A promise of the program did not hold."""


def words(generator, size):
    """Text of `size` bytes that compresses well and is the same nowhere else."""
    lines = [b"%08x the quick brown fox\n" % generator.getrandbits(32) for _ in range(64)]
    return b"".join(generator.choices(lines, k=size // len(lines[0]) + 1))[:size]


class Scenario:
    """A source tree, a repository before the disturbed backup, and what is known of its jobs.

    Below `directory`: source/ the tree, template/ what is on the disk before the backup (the repository in it is
    template/repository)."""

    def __init__(self, name, directory):
        self.name, self.directory = name, directory
        self.source = os.path.join(directory, "source")
        self.template = os.path.join(directory, "template")
        self.generator = random.Random(name)
        self.options = ("--commit-size", "64K", "--volume-size", "2M" if name == "roll-over" else "64M")
        #: What each job that was reported done must give back, by number.
        self.done = {}
        os.makedirs(self.template)
        self.make_tree()
        if name != "first-full":
            self.first_backup()
        if name == "continued":
            self.interrupted_backup()
        if name == "compacted":
            self.compact()
        self.expected = trees.describe(self.source)

    def make_tree(self):
        generator = self.generator
        for folder in ("d", "e/f"):
            os.makedirs(os.path.join(self.source, folder))
        def write(name, content):
            trees.write_file(os.path.join(self.source, name), content)
        write("d/empty", b"")
        write("d/small", words(generator, 100))
        write("e/middle", words(generator, 70_000))
        write("e/f/random", generator.randbytes(20_000))
        write("large", words(generator, 3 << 20) if self.name != "roll-over" else generator.randbytes(1 << 20))
        os.link(os.path.join(self.source, "d/small"), os.path.join(self.source, "e/f/linked"))
        os.link(os.path.join(self.source, "large"), os.path.join(self.source, "e/twin"))
        os.symlink("d/small", os.path.join(self.source, "symbolic"))
        trees.settle(self.source)

    def first_backup(self):
        outcome = program.backup(self.repository_in(self.template), self.source, options=self.options)
        if outcome.status:
            raise Broken(str(outcome))
        self.done[outcome.json["job"]] = trees.describe(self.source)
        generator = self.generator
        size = 3 << 20 if self.name != "roll-over" else 1500 << 10
        trees.write_file(os.path.join(self.source, "large"),
                         words(generator, size) if self.name != "roll-over" else generator.randbytes(size))
        trees.write_file(os.path.join(self.source, "d/new"), b"new")
        os.unlink(os.path.join(self.source, "d/empty"))
        os.rename(os.path.join(self.source, "e/middle"), os.path.join(self.source, "e/renamed"))
        os.chmod(os.path.join(self.source, "e/f/random"), 0o600)
        trees.settle(self.source, 50)

    def compact(self):
        """Drops the first job and has what the second needs of it rewritten: the backup then appends to that volume."""
        repository = self.repository_in(self.template)
        outcome = program.backup(repository, self.source, options=(*self.options, "--level", "full"))
        if outcome.status:
            raise Broken(str(outcome))
        self.done = {outcome.json["job"]: trees.describe(self.source)}
        outcome = program.drop(repository, "--keep-last", "1", "--compact")
        if outcome.status or outcome.json["volumesRewritten"] != 1:
            raise Broken(f"no volume was rewritten: {outcome}")
        trees.write_file(os.path.join(self.source, "large"), words(self.generator, 2 << 20))
        trees.write_file(os.path.join(self.source, "d/newer"), b"newer")
        os.unlink(os.path.join(self.source, "d/new"))
        trees.settle(self.source, 100)

    def interrupted_backup(self):
        """Kills a backup after its second sync of a volume, so that something is left to go on with."""
        backup = self.backup_in(self.template, kill=self.kill_point(), kinds="write")
        if backup.status != -9:
            raise Broken(f"this backup should have been killed: {backup}")

    def kill_point(self):
        """Two thirds through the writes that the backup makes."""
        trial, count = os.path.join(self.directory, "trial"), os.path.join(self.directory, "count")
        self.copy_template(trial)
        self.backup_in(trial, kinds="write", count=count)
        program.remove(trial)
        return max(1, read_count(count) * 2 // 3)

    # ---- One state

    @staticmethod
    def repository_in(place):
        return os.path.join(place, "repository")

    def copy_template(self, place):
        shutil.copytree(self.template, place, symlinks=True)

    def backup_in(self, place, **faults):
        environment = program.fault_environment(place, **faults) if faults else None
        return program.backup(
            self.repository_in(place), self.source, options=self.options, environment=environment, timeout=PATIENCE_SECONDS)

    def expected_of(self, job):
        """What a published job must give back: every job that is not known from before saved the present tree."""
        return self.done.get(job, self.expected)

    def check_restore(self, place, job):
        target = os.path.join(place, f"restored-{job}")
        outcome = program.restore(self.repository_in(place), target, options=("--job", str(job)))
        if outcome.status:
            raise Broken(f"job {job} was done, and cannot be restored: {outcome}")
        found = trees.differences(self.expected_of(job), trees.describe(target + self.source))
        if found:
            raise Broken(f"job {job} was done, and is restored otherwise:\n" + "\n".join(found))
        shutil.rmtree(target)

    def check_jobs(self, place, done, turn=0, restores=True):
        """Every job reported done is published, and the others are open to go on. One of the published is restored, each in
        its turn, unless `restores` is false."""
        outcome = program.jobs(self.repository_in(place))
        if outcome.status and not done:
            # Nothing was promised: there may be no repository yet. The backup that follows shows that it can be made.
            if outcome.status not in (program.NOT_FOUND, program.USAGE, program.FAILED):
                raise Broken(f"no repository, wrong status: {outcome}")
            return
        if outcome.status:
            raise Broken(str(outcome))
        states = {job["job"]: job["status"] for job in outcome.json}
        for job in done:
            if states.get(job) not in PUBLISHED:
                raise Broken(f"job {job} was reported done and is now {states.get(job, 'absent')}: {states}")
        for job, status in states.items():
            if status not in (*PUBLISHED, "C", "R", "I", "f", "A"):
                raise Broken(f"job {job} has status {status!r}")
        published = sorted((job for job in states if states[job] in PUBLISHED), reverse=True)
        if published and restores:
            self.check_restore(place, published[turn % len(published)])

    def check_new_backup(self, place):
        outcome = self.backup_in(place)
        if outcome.status:
            raise Broken(f"a new backup does not succeed: {outcome}")
        report = outcome.json
        if report["status"] not in PUBLISHED:
            raise Broken(f"a new backup reports {report['status']}")
        self.check_restore(place, report["job"])


def read_count(file):
    """The shim's counter of all counted calls."""
    with open(file, "rb") as stream:
        return int.from_bytes(stream.read(8), "little")


def plain(outcome):
    """One line on how a run ended."""
    return json.dumps({"status": outcome.status, "errors": outcome.errors.decode(errors="replace")[:300]})
