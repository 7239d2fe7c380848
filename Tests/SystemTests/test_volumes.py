"""Volumes: their size limit, and that they alone are enough."""

import os
import random

import program
import trees
from suite import SystemTest


def volumes_of(repository):
    folder = os.path.join(repository, "volumes")
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


class Volumes(SystemTest):
    weight = 6

    def make_tree(self, size=12 << 20):
        generator = random.Random(11)
        for number in range(24):
            directory = os.path.join(self.source, f"d{number % 5}")
            os.makedirs(directory, exist_ok=True)
            trees.write_file(os.path.join(directory, f"f{number}"), generator.randbytes(size // 24))
        os.link(os.path.join(self.source, "d0", "f0"), os.path.join(self.source, "d1", "link"))
        trees.settle(self.source)

    def listings(self, repository):
        return {job["job"]: self.expect(program.listing(
            repository, options=("--job", str(job["job"])))).json for job in self.jobs(repository)}

    def make_history(self):
        """Three jobs over several volumes; what each left, by job number."""
        self.make_tree()
        kept = {}
        for number in range(3):
            self.let_time_pass()
            report = self.backup("--volume-size", "4M")
            kept[report["job"]] = trees.describe(self.source)
            trees.write_file(os.path.join(self.source, "d2", f"new{number}"), os.urandom(1 << 20))
            os.rename(os.path.join(self.source, "d3", f"f{number * 5 + 3}"), os.path.join(self.source, f"moved{number}"))
            os.chmod(os.path.join(self.source, "d4"), 0o700 + number)
            os.unlink(os.path.join(self.source, "d0", f"f{number * 5}"))
        return kept

    def test_job_goes_on_with_the_next_volume(self):
        kept = self.make_history()
        volumes = volumes_of(self.repository)
        self.assertGreaterEqual(len(volumes), 4)
        for volume in volumes:
            self.assertLessEqual(os.path.getsize(volume), 4 << 20, volume)
        for number, expected in kept.items():
            self.assertRestoresEqual(f"job-{number}", ("--job", str(number)), expected)

    def test_repository_needs_little_of_its_file_system(self):
        self.make_history()
        for top, directories, names in os.walk(self.repository):
            for name in directories + names:
                self.assertRegex(name, r"\A[a-z0-9.-]+\Z")
                path = os.path.join(top, name)
                self.assertFalse(os.path.islink(path))
                if name in names:
                    self.assertEqual(os.stat(path).st_nlink, 1)

    def test_scan_rebuilds_the_catalog(self):
        kept = self.make_history()
        listings, jobs = self.listings(self.repository), self.jobs()
        for name in os.listdir(self.repository):
            if name.startswith("catalog"):
                os.unlink(os.path.join(self.repository, name))
        self.expect(program.scan(self.repository, *volumes_of(self.repository)))
        self.assertEqual(self.listings(self.repository), listings)
        for old, new in zip(jobs, self.jobs()):
            for field in ("job", "tree", "level", "status", "created", "ended"):
                self.assertEqual(new[field], old[field], field)
        for number, expected in kept.items():
            self.assertRestoresEqual(f"job-{number}", ("--job", str(number)), expected)
        self.let_time_pass()
        self.assertEqual(self.backup()["level"], "incremental", "the chain goes on")
        self.assertRestoresEqual("after")

    def test_scan_into_a_new_repository(self):
        kept = self.make_history()
        other = self.path("other")
        outcome = program.scan(other, *reversed(volumes_of(self.repository)))
        self.expect(outcome)
        self.assertEqual(self.listings(other), self.listings(self.repository))
        last = max(kept)
        for volume in volumes_of(self.repository):
            os.rename(volume, os.path.join(other, "volumes", os.path.basename(volume)))
        self.assertRestoresEqual("restored", ("--job", str(last)), kept[last], repository=other)

    def test_scan_of_a_directory_takes_all_volumes_in_it(self):
        self.make_history()
        listings = self.listings(self.repository)
        os.unlink(os.path.join(self.repository, "catalog.sqlite"))
        self.expect(program.scan(self.repository, os.path.join(self.repository, "volumes")))
        self.assertEqual(self.listings(self.repository), listings)

    def test_scan_with_an_interrupted_job(self):
        """A scan finds the committed part of a job that never ended, and the next backup deals with it."""
        self.make_tree()
        environment = program.fault_environment(self.repository, kill=120, kinds="write")
        program.backup(self.repository, self.source, options=("--commit-size", "1M"), environment=environment)
        os.unlink(os.path.join(self.repository, "catalog.sqlite"))
        for name in os.listdir(self.repository):
            if name.startswith("catalog"):
                os.unlink(os.path.join(self.repository, name))
        self.expect(program.scan(self.repository, os.path.join(self.repository, "volumes")))
        for job in self.jobs():
            self.assertNotIn(job["status"], ("T", "W"))
        self.let_time_pass()
        self.assertEqual(self.backup()["status"], "T")
        self.assertRestoresEqual("restored")

    def test_repository_can_move(self):
        self.make_history()
        moved = self.path("moved-repository")
        os.rename(self.repository, moved)
        self.assertRestoresEqual("restored-before", ("--job", "3"), trees.describe(
            self.restore("first", options=("--job", "3"), repository=moved)), repository=moved)
        self.let_time_pass()
        self.assertEqual(self.backup(repository=moved)["level"], "incremental")
        self.assertRestoresEqual("restored-after", repository=moved)
