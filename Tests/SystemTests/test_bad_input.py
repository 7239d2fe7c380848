"""Bad input: one clear sentence, the right exit status, nothing half-done."""

import os
import random
import resource
import shutil
import signal
import sqlite3
import time

import program
import trees
from suite import SystemTest
from test_volumes import volumes_of


class Usage(SystemTest):
    weight = 1

    def setUp(self):
        super().setUp()
        os.mkdir(self.source)
        trees.write_file(os.path.join(self.source, "file"), b"content")

    def test_usage_errors(self):
        repository = ("--to", self.repository)
        for words in (
                ("local", "backup", self.source), ("local", "backup", *repository), ("local",), ("nonsense",),
                ("local", "backup", self.source, *repository, "--level", "some"),
                ("local", "backup", self.source, *repository, "--volume-size", "12 parsecs"),
                ("local", "backup", self.source, *repository, "--unknown"),
                ("local", "restore", "--from", self.repository), ("volume", "scan", *repository)):
            with self.subTest(words=words):
                outcome = self.expect(program.run(*words), program.USAGE)
                self.assertTrue(outcome.errors.strip())
                self.assertFalse(os.path.exists(self.repository))

    def test_help_and_version(self):
        for words in (("--help",), ("local", "--help"), ("local", "backup", "--help"), ("--version",)):
            self.assertTrue(self.expect(program.run(*words)).output.strip())

    def test_values_that_make_no_sense(self):
        self.backup()
        for options in (("--job", "x"), ("--at", "tomorrow-ish"), ("--at", "2024-13-01"), ("--overwrite", "maybe"),
                        ("--job", "1", "--at", "1d"), ("--job", "-1"), ("--job", "99999999999999999999999")):
            with self.subTest(options=options):
                self.expect(program.restore(self.repository, self.path("t"), options=options), program.USAGE)
                self.assertFalse(os.path.exists(self.path("t")))

    def test_no_source_path_exists(self):
        outcome = program.backup(self.repository, self.path("nowhere"), self.path("neither"))
        self.refuses(outcome, program.NOT_FOUND, naming=["nowhere"])
        self.assertFalse(os.path.exists(self.repository), "nothing is started")

    def test_some_source_paths_do_not_exist(self):
        outcome = program.backup(self.repository, self.source, self.path("nowhere"))
        self.expect(outcome, program.PROBLEMS)
        report = outcome.json
        self.assertEqual(report["status"], "W")
        self.assertIn("nowhere", str(report["problems"]))
        self.assertRestoresEqual("restored")

    def test_no_repository(self):
        for outcome in (
                program.jobs(self.repository), program.listing(self.repository),
                program.restore(self.repository, self.path("t"))):
            self.refuses(outcome, program.USAGE, program.NOT_FOUND, naming=["repository"])
            self.assertFalse(os.path.exists(self.repository))
            self.assertFalse(os.path.exists(self.path("t")))

    def test_repository_is_something_else(self):
        os.mkdir(self.repository)
        trees.write_file(os.path.join(self.repository, "thesis.odt"), b"years of work")
        before = trees.describe(self.repository)
        self.refuses(program.backup(self.repository, self.source), program.USAGE, naming=["repository"])
        self.refuses(program.jobs(self.repository), program.USAGE, program.NOT_FOUND, naming=["repository"])
        self.assertEqual(trees.describe(self.repository), before, "a foreign directory is left alone")
        trees.write_file(self.path("plain"), b"a file")
        self.refuses(program.backup(self.path("plain"), self.source), program.USAGE)

    def test_no_such_job_or_path(self):
        self.backup()
        for options, paths in ((("--job", "77"), ()), ((), (self.source + "/nothing",)), (("--name", "who"), ()),
                               (("--at", "2001-01-01"), ())):
            with self.subTest(options=options, paths=paths):
                outcome = program.restore(self.repository, self.path("t"), *paths, options=options)
                self.refuses(outcome, program.NOT_FOUND)
                self.assertFalse(os.path.exists(self.path("t") + self.source))
                self.refuses(program.listing(self.repository, *paths, options=options), program.NOT_FOUND)

    def test_unreadable_repository(self):
        self.require_root()
        self.backup()
        environment = program.fault_environment(self.repository, fail="1:EACCES:sticky", kinds="open")
        for outcome in (program.jobs(self.repository, environment=environment),
                        program.backup(self.repository, self.source, environment=environment)):
            self.assertNotEqual(outcome.status, 0)
            self.assertIn(outcome.status, program.DOCUMENTED)
            self.assertIn(b"ermission", outcome.errors, str(outcome))

    def test_source_inside_the_repository_or_around_it(self):
        """A repository below the source does not back itself up without end."""
        outcome = program.backup(os.path.join(self.source, "repository"), self.source)
        self.assertIn(outcome.status, program.DOCUMENTED, str(outcome))


class NewerFormat(SystemTest):
    def setUp(self):
        super().setUp()
        os.mkdir(self.source)
        trees.write_file(os.path.join(self.source, "file"), b"content")
        self.backup()

    def refused(self):
        before = trees.describe(os.path.join(self.repository, "volumes"))
        for outcome in (program.jobs(self.repository), program.backup(self.repository, self.source),
                        program.restore(self.repository, self.path("t"))):
            self.refuses(outcome, program.USAGE)
        self.assertEqual(trees.describe(os.path.join(self.repository, "volumes")), before)

    def test_catalog(self):
        with sqlite3.connect(os.path.join(self.repository, "catalog.sqlite")) as catalog:
            catalog.execute("PRAGMA user_version = 9999")
        catalog.close()
        self.refused()

    def test_repository_configuration(self):
        path = os.path.join(self.repository, "repository.conf")
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        self.assertRegex(text, r"(?im)format\s*=\s*\d+", "repository.conf says its format")
        import re
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(re.sub(r"(?im)(format\w*\s*=\s*)\d+", r"\g<1>9999", text))
        self.refused()

    def test_broken_configuration_says_where(self):
        path = os.path.join(self.repository, "repository.conf")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("Repository {\n  Nonsense = 7\n")
        # All mistakes in one run, each on its line.
        self.refuses(program.jobs(self.repository), program.USAGE, naming=["repository.conf:2:3:"], lines=8)


class DamagedVolumes(SystemTest):
    weight = 3

    def setUp(self):
        super().setUp()
        generator = random.Random(5)
        os.mkdir(self.source)
        for number in range(8):
            trees.write_file(os.path.join(self.source, f"f{number}"), generator.randbytes(1 << 20))
        self.backup("--volume-size", "4M")
        self.volumes = volumes_of(self.repository)
        self.assertGreaterEqual(len(self.volumes), 2)

    def damaged(self, naming):
        """A restore says what is wrong, brings back the rest, and never gives damaged bytes a name."""
        outcome = program.restore(self.repository, self.path("restored"))
        self.expect(outcome, program.DAMAGED)
        said = (outcome.errors + outcome.output).decode(errors="replace")
        for word in naming:
            self.assertIn(word, said)
        expected = trees.describe(self.source)
        restored = self.path("restored") + self.source
        found = trees.describe(restored) if os.path.isdir(restored) else {}
        for path in set(found) - {b""}:
            self.assertIn(path, expected, "left behind")
            self.assertEqual(found[path][6], expected[path][6], path)
        return set(found) - {b""}

    def backup_still_works(self):
        self.let_time_pass()
        self.backup("--level", "full", "--volume-size", "4M")
        self.assertRestoresEqual("after")

    def test_missing(self):
        os.unlink(self.volumes[0])
        self.assertTrue(self.damaged([os.path.basename(self.volumes[0])]), "what lies on the other volumes comes back")
        self.backup_still_works()

    def test_truncated(self):
        os.truncate(self.volumes[0], 1 << 20)
        self.assertTrue(self.damaged([os.path.basename(self.volumes[0])]))
        self.backup_still_works()

    def test_last_volume_truncated_is_not_written_to(self):
        os.truncate(self.volumes[-1], 8192)
        self.damaged([os.path.basename(self.volumes[-1])])
        self.backup_still_works()
        self.assertEqual(os.path.getsize(self.volumes[-1]), 8192, "uncut and unwritten")

    def test_flipped_bits(self):
        with open(self.volumes[0], "r+b") as stream:
            stream.seek(os.path.getsize(self.volumes[0]) // 2)
            byte = stream.read(1)
            stream.seek(-1, os.SEEK_CUR)
            stream.write(bytes([byte[0] ^ 0x10]))
        self.assertTrue(self.damaged([]), "only what lies in that block is lost")

    def test_swapped(self):
        aside = self.path("aside")
        os.rename(self.volumes[0], aside)
        os.rename(self.volumes[1], self.volumes[0])
        os.rename(aside, self.volumes[1])
        outcome = program.restore(self.repository, self.path("restored"))
        self.assertIn(outcome.status, (0, program.DAMAGED), str(outcome))
        if outcome.status == 0:
            self.assertSameTree(trees.describe(self.source), self.path("restored") + self.source)
        else:
            self.assertIn(os.path.basename(self.volumes[0]).encode(), outcome.errors + outcome.output)

    def test_foreign(self):
        other = self.path("other")
        self.backup("--volume-size", "4M", repository=other)
        shutil.copy(volumes_of(other)[0], self.volumes[0])
        self.damaged([os.path.basename(self.volumes[0])])

    def test_not_a_volume_at_all(self):
        with open(self.volumes[0], "wb") as stream:
            stream.write(b"#!/bin/sh\n" * 100_000)
        self.damaged([os.path.basename(self.volumes[0])])

    def test_scan_of_what_is_no_volume(self):
        trees.write_file(self.path("junk"), os.urandom(100_000))
        trees.write_file(self.path("nothing"), b"")
        for path in (self.path("junk"), self.path("nothing"), self.path("absent")):
            outcome = program.scan(self.path("scanned"), path)
            self.refuses(outcome, program.USAGE, program.NOT_FOUND, program.DAMAGED)


class FullDisk(SystemTest):
    weight = 4

    def make_source(self, count=24):
        generator = random.Random(9)
        os.mkdir(self.source)
        for number in range(count):
            trees.write_file(os.path.join(self.source, f"f{number:02}"), generator.randbytes(1 << 20))

    def full_during_backup(self, kind):
        self.make_source()
        place = self.mount(16 << 20, kind)
        repository = os.path.join(place, "repository")
        few = self.path("few")
        os.mkdir(few)
        trees.write_file(os.path.join(few, "small"), b"small")
        self.backup("--name", "few", paths=[few], repository=repository)
        outcome = program.backup(repository, self.source)
        self.refuses(outcome, program.FAILED, naming=["pace"])
        self.assertNotIn("T", [job["status"] for job in self.jobs(repository) if job["tree"]["name"] != "few"])
        restored = self.restore("few-restored", options=("--name", "few"), repository=repository)
        self.assertSameTree(trees.describe(few), self.path("few-restored") + few, restored)
        for number in range(16):
            os.unlink(os.path.join(self.source, f"f{number:02}"))
        again = program.backup(repository, self.source)
        self.assertIn(again.status, (0, program.FAILED), str(again))

    def test_memory_file_system_full_during_backup(self):
        self.full_during_backup("tmpfs")

    def test_ext4_full_during_backup(self):
        self.full_during_backup("ext4")

    def test_backup_goes_on_when_there_is_room_again(self):
        self.make_source(12)
        place = self.mount(40 << 20)
        repository = os.path.join(place, "repository")
        ballast = os.path.join(place, "ballast")
        with open(ballast, "wb") as stream:
            stream.write(bytes(34 << 20))
        self.refuses(program.backup(repository, self.source, options=("--commit-size", "1M")), program.FAILED)
        os.unlink(ballast)
        self.assertEqual(self.backup("--commit-size", "1M", repository=repository)["status"], "T")
        self.assertRestoresEqual("restored", repository=repository)

    def test_full_during_restore(self):
        self.make_source()
        self.backup()
        target = self.mount(16 << 20)
        outcome = program.restore(self.repository, target)
        self.expect(outcome, program.PROBLEMS)
        self.assertIn(b"pace", outcome.errors + outcome.output)
        expected, found = trees.describe(self.source), trees.describe(target + self.source)
        for path in set(found) - {b""}:
            self.assertIn(path, expected, "left behind")
            self.assertEqual(found[path][6], expected[path][6], path)
        self.assertGreater(len(found), 8)

    def test_files_larger_than_the_repository_takes(self):
        """A limit on the length of files closes a volume in order; the job goes on with the next."""
        self.make_source()
        limit = (resource.RLIMIT_FSIZE, 6 << 20)
        self.backup(limit=limit)
        self.assertGreaterEqual(len(volumes_of(self.repository)), 4)
        self.assertRestoresEqual("restored")

    def test_files_larger_than_the_target_takes(self):
        self.make_source(4)
        trees.write_file(os.path.join(self.source, "large"), os.urandom(8 << 20))
        self.backup()
        outcome = program.restore(self.repository, self.path("restored"), limit=(resource.RLIMIT_FSIZE, 4 << 20))
        self.expect(outcome, program.PROBLEMS)
        self.assertIn("/large", str(outcome.json["problems"]))
        found = set(trees.describe(self.path("restored") + self.source))
        self.assertEqual(found, {b"", b"f00", b"f01", b"f02", b"f03"})


class ChangesWhileReading(SystemTest):
    """A file that changes under the reader costs that file, is named, and the job ends with 1."""

    weight = 4

    def setUp(self):
        super().setUp()
        os.mkdir(self.source)
        trees.write_file(os.path.join(self.source, "aaa"), b"before it")
        trees.write_file(os.path.join(self.source, "zzz"), b"after it")
        self.file = os.path.join(self.source, "large")
        trees.write_file(self.file, os.urandom(1 << 20) * 192)
        trees.settle(self.source)

    def while_reading(self, change):
        arguments = ("local", "backup", self.source, "--to", self.repository, "--json")
        process = program.start(*arguments)
        deadline = time.monotonic() + 30
        while not self.reading(process.pid):
            self.assertIsNone(process.poll(), "the backup ended before it was seen to read the file")
            self.assertLess(time.monotonic(), deadline)
        process.send_signal(signal.SIGSTOP)
        change()
        process.send_signal(signal.SIGCONT)
        outcome = program.finish(process, arguments)
        self.expect(outcome, program.PROBLEMS)
        report = outcome.json
        self.assertEqual(report["status"], "W")
        self.assertEqual([problem["path"] for problem in report["problems"]], [self.file])
        self.assertTrue(report["problems"][0]["reason"])
        restored = self.restore("restored")
        for name in ("aaa", "zzz"):
            with open(os.path.join(restored, name), "rb") as stream:
                self.assertTrue(stream.read().endswith(b"it"))
        self.let_time_pass()
        again = self.backup()
        self.assertEqual(again["status"], "T")
        self.assertRestoresEqual("again")

    def reading(self, pid):
        """Whether the process holds the file open and has read some of it, but is far from its end."""
        folder = f"/proc/{pid}/fd"
        try:
            for name in os.listdir(folder):
                if os.readlink(os.path.join(folder, name)) == self.file:
                    return True
        except OSError:
            pass
        return False

    def test_grows(self):
        def change():
            with open(self.file, "ab") as stream:
                stream.write(b"more")
        self.while_reading(change)

    def test_shrinks(self):
        self.while_reading(lambda: os.truncate(self.file, 1000))

    def test_is_rewritten(self):
        def change():
            with open(self.file, "r+b") as stream:
                stream.seek(191 << 20)
                stream.write(b"rewritten")
        self.while_reading(change)

    def test_cannot_be_opened(self):
        os.unlink(self.file)
        for name in ("one", "two"):
            trees.write_file(self.file + name, b"content")
        for number in range(1, 20):
            repository = self.path(f"repository{number}")
            environment = program.fault_environment(self.source, fail=f"{number}:EIO", kinds="open")
            outcome = program.backup(repository, self.source, environment=environment)
            if outcome.status == 0:
                self.assertGreater(number, 4, "the directory, twice, and four files were opened")
                return
            # Number 1 opens the source itself: then nothing at all could be read.
            self.assertIn(outcome.status, (program.PROBLEMS, program.NOT_FOUND) if number < 3 else (program.PROBLEMS,))
            if outcome.status == program.PROBLEMS:
                self.assertEqual(len(outcome.json["problems"]), 1, str(outcome))
        self.fail("the failures never ended")

    def test_cannot_be_read(self):
        environment = program.fault_environment(self.source, fail="20:EIO", kinds="read")
        outcome = self.expect(program.backup(self.repository, self.source, environment=environment), program.PROBLEMS)
        self.assertEqual([problem["path"] for problem in outcome.json["problems"]], [self.file])
        self.assertEqual(self.backup()["status"], "T")
        self.assertRestoresEqual("restored")


class InUse(SystemTest):
    weight = 3

    def test_second_command_is_told_who_holds_the_repository(self):
        os.mkdir(self.source)
        trees.write_file(os.path.join(self.source, "large"), os.urandom(1 << 20) * 150)
        arguments = ("local", "backup", self.source, "--to", self.repository, "--json")
        first = program.start(*arguments)
        deadline = time.monotonic() + 30
        while not (os.path.isdir(os.path.join(self.repository, "volumes"))
                   and os.listdir(os.path.join(self.repository, "volumes"))):
            self.assertIsNone(first.poll(), "the first backup ended too early")
            self.assertLess(time.monotonic(), deadline)
        first.send_signal(signal.SIGSTOP)
        try:
            for outcome in (
                    program.backup(self.repository, self.source), program.jobs(self.repository),
                    program.listing(self.repository), program.restore(self.repository, self.path("t")),
                    program.scan(self.repository, os.path.join(self.repository, "volumes"))):
                self.refuses(outcome, program.IN_USE, naming=[str(first.pid)])
        finally:
            first.send_signal(signal.SIGCONT)
        self.expect(program.finish(first, arguments))
        self.assertRestoresEqual("restored")

    def test_lock_of_a_killed_process_is_no_lock(self):
        os.mkdir(self.source)
        trees.write_file(os.path.join(self.source, "file"), b"content")
        self.backup()
        program.backup(self.repository, self.source, environment=program.fault_environment(self.repository, kill=5))
        self.backup()
        self.assertRestoresEqual("restored")


class ReadOnlyRepository(SystemTest):
    def test_read_only_file_system(self):
        import subprocess
        os.mkdir(self.source)
        trees.write_file(os.path.join(self.source, "file"), b"content")
        place = self.mount(16 << 20)
        repository = os.path.join(place, "repository")
        self.backup(repository=repository)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True, stdin=subprocess.DEVNULL)
        self.assertEqual(len(self.jobs(repository)), 1)
        self.assertRestoresEqual("restored", repository=repository)
        outcome = program.backup(repository, self.source)
        self.assertNotEqual(outcome.status, 0)
        self.assertRegex(outcome.errors, b"read-?only", str(outcome))
