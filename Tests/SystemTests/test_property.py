"""Random trees, changed at random over 30 jobs that are interrupted at random: every published job restores equal to
the copy kept on the side."""

import os
import random
import shutil
import signal
import subprocess
import time

import program
import trees
from suite import SystemTest

JOBS = 30
WORDS = ("alpha", "beta", "gamma", "delta", "a", "a.b", "a-c", "x y", "ünï", "\udcff\udc80", "line\nfeed", "-dash", "z" * 120)


class RandomTree:
    """A tree that changes at random, and knows nothing of backups."""

    def __init__(self, root, generator):
        self.root, self.random, self.serial = root, generator, 0
        os.mkdir(root)
        for _ in range(60):
            self.create()

    def entries(self, wanted=None):
        found = []
        for top, directories, files in os.walk(self.root):
            if wanted in (None, "directory"):
                found += [os.path.join(top, name) for name in directories
                          if not os.path.islink(os.path.join(top, name))]
            if wanted in (None, "file"):
                found += [os.path.join(top, name) for name in files if not os.path.islink(os.path.join(top, name))]
            if wanted is None:
                found += [os.path.join(top, name) for name in files + directories
                          if os.path.islink(os.path.join(top, name))]
        return sorted(found)

    def any(self, wanted=None):
        found = self.entries(wanted)
        return self.random.choice(found) if found else None

    def new_name(self):
        self.serial += 1
        folders = [self.root] + self.entries("directory")
        name = self.random.choice(WORDS) + self.random.choice(("", "", str(self.serial)))
        return os.path.join(self.random.choice(folders), name)

    def content(self):
        size = self.random.choice((0, 1, 10, 1000, 4096, 20_000, 200_000, 1_200_000))
        return self.random.randbytes(size) if self.random.random() < 0.5 else b"%d text " % self.serial * (size // 8)

    def create(self):
        path = self.new_name()
        if os.path.lexists(path):
            return
        kind = self.random.random()
        if kind < 0.25 and path.count("/") < self.root.count("/") + 6:
            os.mkdir(path)
        elif kind < 0.35:
            os.symlink(self.random.choice(WORDS), path)
        else:
            trees.write_file(path, self.content(), self.random.choice((0o644, 0o600, 0o755, 0o444)))

    @staticmethod
    def remove(path):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)

    def delete(self):
        path = self.any()
        if path and self.random.random() < 0.7:
            self.remove(path)

    def rename(self):
        path, to = self.any(), self.new_name()
        if path and not os.path.lexists(to) and not (to + "/").startswith(path + "/"):
            os.rename(path, to)

    def mode(self):
        path = self.any()
        if path and not os.path.islink(path):
            os.chmod(path, self.random.choice((0o700, 0o755, 0o750) if os.path.isdir(path) else (0o600, 0o644, 0o4711)))

    def rewrite(self):
        path = self.any("file")
        if path:
            before = os.stat(path)
            trees.write_file(path, self.content())
            if self.random.random() < 0.3:
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def append(self):
        path = self.any("file")
        if path:
            with open(path, "ab") as stream:
                stream.write(self.content())

    def replace(self):
        """A file becomes a directory, a directory a file, either a symbolic link."""
        path = self.any()
        if path:
            was_directory = os.path.isdir(path) and not os.path.islink(path)
            self.remove(path)
            if self.random.random() < 0.2:
                os.symlink("elsewhere", path)
            elif was_directory:
                trees.write_file(path, self.content())
            else:
                os.mkdir(path)
                trees.write_file(os.path.join(path, "inside"), self.content())

    def link(self):
        path, to = self.any("file"), self.new_name()
        if path and not os.path.lexists(to):
            os.link(path, to)

    def times(self):
        path = self.any()
        if path:
            moment = self.random.randrange(2 * 10**18)
            os.utime(path, ns=(moment, moment), follow_symlinks=False)

    def owner(self):
        path = self.any()
        if path and os.geteuid() == 0:
            os.chown(path, self.random.randrange(2000), self.random.randrange(2000), follow_symlinks=False)

    def change(self):
        verbs = (self.create, self.create, self.create, self.delete, self.rename, self.mode, self.rewrite, self.append,
                 self.replace, self.link, self.times, self.owner)
        for _ in range(self.random.randrange(1, 25)):
            self.random.choice(verbs)()


class Property(SystemTest):
    in_memory = True
    weight = 40

    def disturbed(self, arguments, generator, typical):
        process = program.start(*arguments)
        time.sleep(generator.uniform(0, typical))
        if process.poll() is None:
            process.send_signal(generator.choice((signal.SIGKILL, signal.SIGINT)))
        return program.finish(process, arguments)

    def run_property(self, number):
        seed = f"{os.environ.get('VAULT_SEED', '1')} property {number}"
        generator = random.Random(seed)
        tree = RandomTree(self.source, generator)
        kept, interruptions, typical = {}, 0, 0.3
        while len(kept) < JOBS:
            level = generator.choice(("auto", "auto", "auto", "auto", "incremental", "differential", "full"))
            options = ("--level", level, "--commit-size", generator.choice(("64K", "1M", "1G")), "--volume-size",
                       generator.choice(("4M", "64M")))
            arguments = ("local", "backup", self.source, "--to", self.repository, "--json", *options)
            clean = True
            while generator.random() < 0.4:
                outcome = self.disturbed(arguments, generator, typical)
                if outcome.status == 0:
                    if clean:
                        kept[outcome.json["job"]] = self.keep(outcome.json["job"])
                    clean = True
                    continue
                self.assertIn(outcome.status, (program.INTERRUPTED, -signal.SIGKILL, -signal.SIGINT), f"{seed}\n{outcome}")
                interruptions += 1
                if generator.random() < 0.2:
                    tree.change()
                    clean = False
            begin = time.monotonic()
            outcome = program.run(*arguments)
            typical = max(0.02, min(1.0, time.monotonic() - begin))
            self.assertEqual(outcome.status, 0, f"{seed}\n{outcome}")
            if clean:
                # A job that went on over changes saved no one moment; the next one is compared again.
                kept[outcome.json["job"]] = self.keep(outcome.json["job"])
            if generator.random() < 0.8:
                self.let_time_pass()
            tree.change()
        for job, aside in kept.items():
            target = self.path(f"restored-{job}")
            outcome = program.restore(self.repository, target, options=("--job", str(job)))
            self.assertEqual(outcome.status, 0, f"{seed}\n{outcome}")
            found = trees.differences(trees.describe(aside), trees.describe(target + self.source))
            self.assertEqual(found, [], f"{seed}, job {job}")
            if job % 5 == 0:
                self.assertEqual(trees.rsync_differences(aside, target + self.source), [], f"{seed}, job {job}")
            program.remove(target)
        self.note(f"seed '{seed}': {len(kept)} jobs compared, {interruptions} interruptions")

    def keep(self, job):
        """The copy on the side."""
        aside = self.path(f"aside-{job}")
        if os.path.exists(aside):
            program.remove(aside)
        subprocess.run(["cp", "-a", self.source, aside], check=True, stdin=subprocess.DEVNULL)
        return aside

    def test_thirty_jobs_one(self):
        self.run_property(1)

    def test_thirty_jobs_two(self):
        self.run_property(2)

    def test_thirty_jobs_three(self):
        self.run_property(3)
