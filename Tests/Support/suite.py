"""What every system test stands on: a directory of its own, the binary, and assertions about both."""

import os
import subprocess
import time
import unittest

import program
import schemas
import trees


class SystemTest(unittest.TestCase):
    """A test of the real binary. `self.directory` is its own and goes away with it (VAULT_KEEP=1 leaves it)."""

    in_memory = False
    #: Roughly how many seconds a test of this class takes: the longest start first.
    weight = 1
    #: Whether a test of this class spends most of its time waiting: it then runs beside those that keep the processors busy.
    waits = False
    maxDiff = None

    def setUp(self):
        self.directory = program.scratch("system", self.in_memory)
        if os.environ.get("VAULT_KEEP"):
            self.note(f"directory {self.directory}")
        else:
            self.addCleanup(program.remove, self.directory)
        self.source = self.path("source")
        self.repository = self.path("repository")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def note(self, text):
        """A line for the report, whether the test passes or not."""
        if not hasattr(self, "notes"):
            self.notes = []
        self.notes.append(text)

    def require_root(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")

    # ---- The program

    def expect(self, outcome, *statuses):
        self.assertIn(outcome.status, statuses or (0,), f"\n{outcome}")
        return outcome

    def refuses(self, outcome, *statuses, naming=(), lines=4):
        """The run ended with one of the statuses and a clear word on stderr."""
        self.expect(outcome, *statuses)
        text = outcome.errors.decode(errors="replace").strip()
        self.assertTrue(text, f"nothing on stderr: {outcome}")
        self.assertLessEqual(len(text.splitlines()), lines, f"more than a clear sentence: {outcome}")
        for sign in ("Fatal error", "Illegal instruction", "Stack dump", "Assertion"):
            self.assertNotIn(sign, text, f"{outcome}")
        for word in naming:
            self.assertIn(word, text, f"{outcome}")
        return outcome

    def assertDescribed(self, name, document):
        """The document is what its schema says."""
        found = schemas.mistakes(name, document)
        self.assertFalse(found, f"{name}.json has against {str(document)[:1000]}:\n" + "\n".join(found))
        return document

    def backup(self, *options, paths=None, status=0, repository=None, **how):
        outcome = program.backup(repository or self.repository, *(paths or [self.source]), options=options, **how)
        return self.assertDescribed("backup", self.expect(outcome, status).json)

    def jobs(self, repository=None):
        return self.assertDescribed("jobs", self.expect(program.jobs(repository or self.repository)).json)

    def restore(self, name, *paths, options=(), status=0, repository=None):
        """Restores below `name` in the test's directory; returns where the source's copy landed."""
        target = self.path(name)
        outcome = program.restore(repository or self.repository, target, *paths, options=options)
        self.assertDescribed("restore", self.expect(outcome, status).json)
        return target + self.source

    # ---- Trees

    def entries_of(self, description):
        """How many entries a backup of the source sees: the tree, and the directories that lead to it."""
        return len(description) + self.source.count("/") - 1

    def assertSameTree(self, expected, root, message=""):
        found = trees.differences(expected, trees.describe(root))
        self.assertFalse(found, message + "\n" + "\n".join(found))

    def assertRestoresEqual(self, name, options=(), expected=None, rsync=True, repository=None):
        """A restore gives the source (or `expected`) back, by this checker and by rsync."""
        restored = self.restore(name, options=options, repository=repository)
        self.assertSameTree(expected if expected is not None else trees.describe(self.source), restored, name)
        if rsync and expected is None:
            self.assertEqual(trees.rsync_differences(self.source, restored), [], name)
        return restored

    def assertNothingHalfDone(self, target):
        """No temporary file was left below a restore's target."""
        if os.path.isdir(target):
            for top, _, names in os.walk(target):
                for name in names:
                    self.assertFalse(name.startswith(".vault") or name.endswith((".tmp", ".partial")),
                                     f"left behind: {os.path.join(top, name)}")

    def let_time_pass(self):
        """Lets the file system's clock tick, so that what was just written no longer counts as racy."""
        time.sleep(0.05)

    def mount(self, size_bytes, kind="tmpfs", at=None):
        """A small file system of the test's own, unmounted at the end; `at` is a directory that is there."""
        self.require_root()
        place = at or self.path(f"mount-{kind}-{size_bytes}")
        if not at:
            os.mkdir(place)
        if kind == "tmpfs":
            command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", place]
        else:
            image = place + ".image"
            with open(image, "wb") as stream:
                stream.truncate(size_bytes)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True, stdin=subprocess.DEVNULL)
            command = ["mount", "-o", "loop", image, place]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode:
            self.skipTest(f"cannot mount here: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", place], stdin=subprocess.DEVNULL, check=False)
        return place
