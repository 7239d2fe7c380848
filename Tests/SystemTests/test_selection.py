"""What a person asks back: paths, a job, a time, and what happens to what is there already."""

import os
import time

import program
import trees
from suite import SystemTest


class Selection(SystemTest):
    weight = 3

    def setUp(self):
        super().setUp()
        for name in ("a/b", "a-c", "a.d"):
            os.makedirs(os.path.join(self.source, name))
            for number in range(4):
                trees.write_file(os.path.join(self.source, name, f"f{number}"), f"{name} {number}".encode())
        trees.settle(self.source)

    def file(self, name):
        return os.path.join(self.source, name)

    def test_chosen_paths(self):
        self.backup()
        restored = self.restore("restored", self.file("a/b"), self.file("a.d/f1"))
        found = sorted(path for path, _, _ in trees.walk(restored))
        self.assertEqual(found, [b"", b"a", b"a.d", b"a.d/f1", b"a/b", b"a/b/f0", b"a/b/f1", b"a/b/f2", b"a/b/f3"])
        self.assertEqual(trees.differences(trees.describe(self.file("a/b")), trees.describe(restored + "/a/b")), [])

    def test_some_chosen_paths_do_not_exist(self):
        self.backup()
        outcome = program.restore(self.repository, self.path("restored"), self.file("a/b/f0"), self.file("a/nothing"))
        self.assertIn(outcome.status, (program.PROBLEMS, program.NOT_FOUND), str(outcome))
        self.assertIn(b"nothing", outcome.errors + outcome.output)

    def test_listing(self):
        self.backup()
        rows = self.expect(program.listing(self.repository)).json
        described = trees.describe(self.source)
        below = {row["path"][len(self.source) + 1:].encode(): row for row in rows
                 if row["path"].startswith(self.source + "/")}
        self.assertEqual(set(below), set(described) - {b""})
        paths = [row["path"] for row in rows]
        self.assertEqual(len(paths), len(set(paths)))
        row, entry = below[b"a/b/f1"], described[b"a/b/f1"]
        self.assertEqual((int(row["mode"], 8) & 0o7777, row["size"], row.get("digest")), (entry[1], entry[4], entry[6]))
        seconds, nanoseconds = divmod(entry[5], 10**9)
        self.assertTrue(row["modified"].startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))), row)
        self.assertIn(f"{nanoseconds:09}".rstrip("0"), row["modified"])
        chosen = self.expect(program.listing(self.repository, self.file("a/b"))).json
        self.assertTrue(chosen)
        for row in chosen:
            self.assertTrue(row["path"] == self.file("a/b") or row["path"].startswith(self.file("a/b/")), row)

    def test_job_and_time(self):
        kept = []
        for number in range(3):
            trees.write_file(self.file("a/b/f0"), b"version %d" % number)
            trees.write_file(self.file(f"new{number}"), b"new")
            self.let_time_pass()
            report = self.backup()
            job = next(job for job in self.jobs() if job["job"] == report["job"])
            kept.append((job, trees.describe(self.source)))
        for job, expected in kept:
            self.assertRestoresEqual(f"job{job['job']}", ("--job", str(job["job"])), expected)
            self.assertRestoresEqual(f"at{job['job']}", ("--at", job["ended"]), expected)
            names = {row["path"] for row in self.expect(
                program.listing(self.repository, options=("--job", str(job["job"])))).json}
            self.assertEqual(self.file("new2") in names, self.file("new2")[len(self.source) + 1:].encode() in expected)
        local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + 5))
        self.assertRestoresEqual("now", ("--at", local), kept[-1][1])
        for early in ("1d", "2001-01-01", "2001-01-01 10:00", "2001-01-01T00:00:00Z"):
            outcome = program.restore(self.repository, self.path("early"), options=("--at", early))
            self.refuses(outcome, program.NOT_FOUND)
            self.assertFalse(os.path.exists(self.path("early") + self.source))

    def test_overwrite(self):
        self.backup()
        target = self.restore("restored")

        def change(moment):
            for path in ("a/b/f0", "a/b/f1"):
                trees.write_file(os.path.join(target, path), b"local change", mtime_ns=moment)

        def content():
            with open(os.path.join(target, "a/b/f0"), "rb") as stream:
                return stream.read()

        def again(choice):
            return self.expect(program.restore(
                self.repository, self.path("restored"), options=("--overwrite", choice)), 0, program.PROBLEMS)

        change(2 * 10**18)
        again("never")
        self.assertEqual(content(), b"local change")
        again("newer")
        self.assertEqual(content(), b"local change", "what is there is newer than what was saved")
        change(10**18)
        again("newer")
        self.assertEqual(content(), b"a/b 0", "what was saved is newer")
        change(2 * 10**18)
        self.assertEqual(again("always").status, 0)
        self.assertSameTree(trees.describe(self.source), target)

    def test_nothing_is_written_through_links(self):
        os.symlink("b", self.file("a/link"))
        self.backup()
        outside = self.path("outside")
        os.mkdir(outside)
        os.makedirs(self.path("restored") + self.source)
        os.symlink(outside, self.path("restored") + self.file("a"))
        outcome = program.restore(self.repository, self.path("restored"), options=("--overwrite", "always"))
        self.expect(outcome, 0, program.PROBLEMS)
        self.assertEqual(os.listdir(outside), [], "a restore stays below its target")
        if outcome.status == 0:
            self.assertSameTree(trees.describe(self.source), self.path("restored") + self.source)

    def test_restore_over_other_types(self):
        self.backup()
        target = self.path("restored") + self.source
        os.makedirs(os.path.join(target, "a/b/f0"))
        os.makedirs(os.path.join(target, "a.d"))
        os.symlink("/etc/hostname", os.path.join(target, "a.d/f1"))
        outcome = program.restore(self.repository, self.path("restored"), options=("--overwrite", "always"))
        self.expect(outcome, 0, program.PROBLEMS)
        found = trees.differences(trees.describe(self.source), trees.describe(target))
        self.assertFalse([line for line in found if "a/b" not in line], "only what stood in the way is missing")
