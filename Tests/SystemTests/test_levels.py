"""What counts as changed, by level, and what a rename, a chmod or a new link costs."""

import os
import shutil

import program
import trees
from suite import SystemTest


class Levels(SystemTest):
    weight = 4

    def setUp(self):
        super().setUp()
        for name in ("a", "b/c", "old"):
            os.makedirs(os.path.join(self.source, name))
        self.size = 700_000
        trees.write_file(self.file("a/large"), os.urandom(self.size))
        trees.write_file(self.file("a/one"), b"one")
        trees.write_file(self.file("b/c/two"), b"two")
        trees.write_file(self.file("old/three"), b"three")
        os.symlink("a", self.file("link"))
        trees.settle(self.source)
        self.kept = {}

    def file(self, name):
        return os.path.join(self.source, name)

    def run_job(self, *options, **expected):
        """One backup; remembers the tree under the job's number and checks the counters named."""
        self.let_time_pass()
        report = self.backup(*options)
        self.kept[report["job"]] = trees.describe(self.source)
        for name, value in expected.items():
            self.assertEqual(report[name], value, f"{name} in {report}")
        self.assertEqual(report["entriesSeen"], self.entries_of(self.kept[report["job"]]))
        return report

    def check_every_job(self):
        for number, expected in self.kept.items():
            self.assertRestoresEqual(f"job-{number}", ("--job", str(number)), expected)
        self.assertRestoresEqual("latest")

    def test_automatic_is_full_then_incremental(self):
        first = self.run_job(level="full", status="T", deleted=0, unchanged=0)
        self.assertEqual(first["new"], first["entriesSeen"])
        second = self.run_job(level="incremental", new=0, deleted=0, bytesRead=0, bytesSent=0)
        self.assertGreaterEqual(second["unchanged"], len(self.kept[1]), "only what leads to the tree may have changed")
        self.run_job("--level", "full", level="full", bytesRead=self.size + 11)
        self.run_job("--level", "incremental", level="incremental", bytesRead=0)
        self.check_every_job()

    def test_incremental_before_any_full_is_full(self):
        self.run_job("--level", "incremental", level="full")

    def test_changed_file(self):
        self.run_job()
        trees.write_file(self.file("a/one"), b"another one")
        report = self.run_job(bytesRead=11, bytesSent=11, new=0, deleted=0)
        self.assertGreaterEqual(report["changed"], 1)
        self.check_every_job()

    def test_same_size_and_time_is_noticed_by_ctime(self):
        self.run_job()
        before = os.stat(self.file("a/one")).st_mtime_ns
        trees.write_file(self.file("a/one"), b"ONE", mtime_ns=before)
        self.run_job(bytesRead=3)
        self.check_every_job()

    def test_differential_compares_with_the_last_full(self):
        self.run_job()
        trees.write_file(self.file("a/one"), b"first change")
        self.run_job(level="incremental", bytesRead=12)
        trees.write_file(self.file("b/c/two"), b"second")
        self.run_job("--level", "differential", level="differential", bytesRead=18)
        self.run_job("--level", "differential", level="differential", bytesRead=18)
        self.run_job(level="incremental", bytesRead=0)
        self.check_every_job()

    def test_rename_and_chmod_store_no_content(self):
        self.run_job()
        volumes = os.path.join(self.repository, "volumes")
        before = trees.tree_bytes(volumes)
        os.rename(self.file("a/large"), self.file("b/renamed"))
        os.chmod(self.file("a/one"), 0o600)
        self.run_job(bytesRead=self.size + 3, bytesSent=0)
        os.link(self.file("b/renamed"), self.file("old/linked"))
        self.run_job(bytesSent=0)
        self.assertLess(trees.tree_bytes(volumes) - before, 128 << 10, "the repository hardly grew")
        self.check_every_job()

    def test_renamed_directory(self):
        self.run_job()
        os.rename(self.file("a"), self.file("moved"))
        self.run_job(bytesSent=0)
        os.rename(self.file("moved"), self.file("b/c/deep"))
        self.run_job(bytesSent=0)
        self.check_every_job()

    def test_moved_in_with_old_times(self):
        outside = self.path("outside")
        os.mkdir(outside)
        trees.write_file(os.path.join(outside, "ancient"), b"from long ago", mtime_ns=10**18)
        os.utime(outside, ns=(10**18, 10**18))
        self.run_job()
        os.rename(os.path.join(outside, "ancient"), self.file("a/ancient"))
        self.run_job(bytesSent=13)
        os.rename(outside, self.file("outside"))
        self.run_job()
        self.check_every_job()

    def test_deleted_and_brought_back(self):
        self.run_job()
        shutil.copytree(self.file("b"), self.path("aside"), symlinks=True)
        shutil.rmtree(self.file("b"))
        os.unlink(self.file("link"))
        self.run_job(deleted=4)
        os.rename(self.path("aside"), self.file("b"))
        self.run_job()
        self.check_every_job()

    def test_file_becomes_directory_and_back(self):
        self.run_job()
        os.unlink(self.file("a/one"))
        os.mkdir(self.file("a/one"))
        trees.write_file(self.file("a/one/inside"), b"inside")
        shutil.rmtree(self.file("b/c"))
        trees.write_file(self.file("b/c"), b"was a directory")
        self.run_job()
        shutil.rmtree(self.file("a/one"))
        trees.write_file(self.file("a/one"), b"a file again")
        os.unlink(self.file("b/c"))
        os.symlink("../a", self.file("b/c"))
        self.run_job()
        self.check_every_job()

    def test_unlinked_hard_link(self):
        os.link(self.file("a/large"), self.file("b/second"))
        os.link(self.file("a/large"), self.file("third"))
        self.run_job()
        os.unlink(self.file("a/large"))
        self.run_job(bytesSent=0)
        os.unlink(self.file("b/second"))
        self.run_job(bytesSent=0)
        self.check_every_job()

    def test_two_trees_in_one_repository(self):
        self.run_job()
        other = self.path("other")
        os.mkdir(other)
        trees.write_file(os.path.join(other, "file"), b"another tree")
        self.assertEqual(self.backup("--name", "other", paths=[other])["level"], "full")
        self.assertEqual(self.run_job()["level"], "incremental")
        outcome = program.listing(self.repository)
        self.refuses(outcome, program.USAGE, naming=["other"])
        rows = self.expect(program.listing(self.repository, options=("--name", "other"))).json
        self.assertIn(other + "/file", [row["path"] for row in rows])
        trees_seen = {job["tree"]["name"] for job in self.jobs()}
        self.assertEqual(len(trees_seen), 2)
