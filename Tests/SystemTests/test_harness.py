"""The tools of these tests, tried on writers whose faults are known: a checker that finds nothing is worth nothing."""

import os
import subprocess
import sys

import crash
import program
import trees
from suite import SystemTest

CAREFUL = """
import os
d = os.open('.', os.O_RDONLY)
f = os.open('new', os.O_WRONLY | os.O_CREAT, 0o600)
os.pwrite(f, b'x' * 2000, 0)
os.fsync(f)
os.rename('new', 'name')
os.fsync(d)
os.close(f)
"""
CARELESS = CAREFUL.replace("os.fsync(f)", "pass")


class Harness(SystemTest):
    in_memory = True

    def run_writer(self, text, **settings):
        """Runs a Python text in an empty directory of its own under the shim."""
        where = self.path(f"disk-{len(os.listdir(self.directory))}")
        os.mkdir(where)
        model = crash.DiskModel(where)
        done = subprocess.run(
            [sys.executable, "-S", "-c", text], cwd=where, stdin=subprocess.DEVNULL, capture_output=True,
            env={**os.environ, **program.fault_environment(where, **settings)})
        return where, model, done

    def crash_images(self, text):
        log = self.path(f"trace-{len(os.listdir(self.directory))}")
        where, model, done = self.run_writer(text, trace=log)
        self.assertEqual(done.returncode, 0, done.stderr)
        images = []
        for operation in crash.read_trace(log, where):
            model.apply(operation)
            images += [model.image(policy) for policy in ("keep", "drop")]
            images += [model.image("tear", seed) for seed in range(20)]
        final = model.image("keep")
        with open(os.path.join(where, "name"), "rb") as stream:
            self.assertEqual(final, {"name": stream.read()}, "the model ends where the disk ended")
        return images

    def test_careful_writer_survives_every_crash(self):
        for image in self.crash_images(CAREFUL):
            self.assertIn(image.get("name"), (None, b"x" * 2000))

    def test_careless_writer_is_found_out(self):
        torn = [image for image in self.crash_images(CARELESS) if image.get("name") not in (None, b"x" * 2000)]
        self.assertGreater(len(torn), 10)

    def test_nth_call_fails(self):
        seen = set()
        for number in range(1, 20):
            count = self.path("count")
            _, _, done = self.run_writer(CAREFUL, fail=f"{number}:ENOSPC", kinds="open,write,sync,rename", count=count)
            if done.returncode == 0:
                break
            self.assertIn(b"No space left", done.stderr)
            seen.add(number)
        self.assertEqual(seen, set(range(1, 7)), "directory, create, write, sync, rename, sync")

    def test_short_write_and_kill(self):
        where, _, _ = self.run_writer(CAREFUL, fail="1:SHORT", kinds="write")
        self.assertEqual(os.path.getsize(os.path.join(where, "name")), 1000)
        where, _, done = self.run_writer(CAREFUL, kill="1", kinds="rename")
        self.assertEqual((done.returncode, os.listdir(where)), (-9, ["new"]))

    def test_comparison_sees_every_kind_of_difference(self):
        def make(root):
            os.makedirs(os.path.join(root, "d"))
            trees.write_file(os.path.join(root, "d", "f"), b"content", 0o640)
            os.link(os.path.join(root, "d", "f"), os.path.join(root, "g"))
            os.symlink("d/f", os.path.join(root, "s"))
            trees.settle(root)

        def content(root):
            trees.write_file(os.path.join(root, "d", "f"), b"CONTENT")
            trees.settle(root)

        def unlinked(root):
            os.unlink(os.path.join(root, "g"))
            trees.write_file(os.path.join(root, "g"), b"content", 0o640)
            trees.settle(root)

        changes = [
            content, unlinked,
            lambda root: os.chmod(os.path.join(root, "d"), 0o700),
            lambda root: os.utime(os.path.join(root, "d", "f"), ns=(1, 1)),
            lambda root: os.utime(os.path.join(root, "s"), ns=(1, 1), follow_symlinks=False),
            lambda root: os.unlink(os.path.join(root, "s")),
            lambda root: os.mkdir(os.path.join(root, "e")),
            lambda root: os.utime(root, ns=(1, 1)),
        ]
        make(self.path("left"))
        expected = trees.describe(self.path("left"))
        for number, change in enumerate(changes):
            other = self.path(f"right{number}")
            make(other)
            self.assertEqual(trees.differences(expected, trees.describe(other)), [])
            change(other)
            self.assertTrue(trees.differences(expected, trees.describe(other)), f"change {number} unseen")
