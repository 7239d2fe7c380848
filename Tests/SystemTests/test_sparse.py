"""Sparse files: holes cost nothing, stay holes, and are never mistaken for something else."""

import ctypes
import hashlib
import os
import random
import resource
import signal
import struct
import time

import program
import trees
from suite import SystemTest

KIB, MIB, TIB = 1 << 10, 1 << 20, 1 << 40
#: Content of one record at most.
PIECE = 960 * KIB - 24
LARGEST = (1 << 63) - 1


def write_sparse(path, size, data):
    """A file of `size` bytes with data at the given offsets."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    for offset, content in data:
        os.pwrite(descriptor, content, offset)
    os.ftruncate(descriptor, size)
    os.close(descriptor)


def punch(path, offset, length):
    """Makes a hole in a file: FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDWR)
    try:
        if library.fallocate(descriptor, 3, ctypes.c_long(offset), ctypes.c_long(length)):
            raise OSError(ctypes.get_errno(), "fallocate")
    finally:
        os.close(descriptor)


class Sparse(SystemTest):
    weight = 6

    def setUp(self):
        super().setUp()
        os.mkdir(self.source)

    def file(self, name="file"):
        return os.path.join(self.source, name)

    def sparse(self, name, size, data):
        write_sparse(self.file(name), size, data)
        return self.file(name)

    def assertSameMaps(self, restored, source=None):
        """Every file has its data where it was, and takes as many blocks, give or take one of the file system's own."""
        source = source or self.source
        for name in os.listdir(source):
            here, there = os.path.join(source, name), os.path.join(restored, name)
            self.assertEqual(trees.extents_of(there), trees.extents_of(here), name)
            blocks = os.stat(here).st_blocks, os.stat(there).st_blocks
            self.assertLessEqual(abs(blocks[0] - blocks[1]), 64, f"{name}: blocks {blocks}")

    def round_trip(self, name="restored", *options):
        report = self.backup(*options)
        self.assertEqual((report["status"], report["problems"]), ("T", []))
        self.assertSameMaps(self.assertRestoresEqual(name, rsync=False))
        return report

    def make_every_kind(self):
        random_bytes = random.Random(5).randbytes
        self.sparse("start", 64 * KIB, [(32 * KIB, random_bytes(32 * KIB))])
        self.sparse("middle", 64 * KIB, [(0, random_bytes(8 * KIB)), (40 * KIB, random_bytes(24 * KIB))])
        self.sparse("end", 64 * KIB, [(0, random_bytes(8 * KIB))])
        self.sparse("end of one byte more", 64 * KIB + 1, [(0, random_bytes(64 * KIB))])
        self.sparse("all", 64 * KIB, [])
        self.sparse("one byte", 1, [])
        self.sparse("alternating", 400 * KIB, [(n * 8 * KIB, random_bytes(4 * KIB)) for n in range(50)])
        self.sparse("alternating the other way", 400 * KIB, [(n * 8 * KIB + 4096, random_bytes(4096)) for n in range(50)])
        self.sparse("large start", 4 * MIB, [(3 * MIB, random_bytes(MIB))])
        self.sparse("large middle", 9 * MIB + 5, [(0, random_bytes(MIB)), (7 * MIB, random_bytes(2 * MIB + 5))])
        self.sparse("large end", 5 * MIB + 17, [(0, random_bytes(3 * MIB))])
        self.sparse("large all", 5 * MIB, [])
        self.sparse("large alternating", 16 * MIB, [(n * 8192, b"%04d" % n * 1024) for n in range(2048)])
        self.sparse("random map", 8 * MIB, [
            (random.Random(n).randrange(2000) * 4096, random_bytes(4096 * (n % 7 + 1))) for n in range(150)])
        # Around the size at which a content gets groups of its own, and the multiples at which pieces end.
        for size in (PIECE - 1, PIECE, PIECE + 1, 2 * PIECE):
            self.sparse(f"edge {size}", size, [(size // 8192 * 4096, random_bytes(8192))])
            self.sparse(f"hole to the edge {size}", size, [(0, b"x")])
        # Zeros that are data stay data.
        trees.write_file(self.file("zeros"), bytes(3 * MIB))
        trees.write_file(self.file("small zeros"), bytes(12345))
        trees.write_file(self.file("dense"), random_bytes(2 * MIB))
        trees.write_file(self.file("empty"), b"")
        os.link(self.file("large middle"), self.file("large middle's twin"))
        os.link(self.file("all"), self.file("another name of all"))
        trees.settle(self.source)

    def test_holes_everywhere(self):
        self.make_every_kind()
        report = self.round_trip()
        files = {os.stat(self.file(name)).st_ino: self.file(name) for name in os.listdir(self.source)}
        data = sum(min(end, os.stat(path).st_size) - start
                   for path in files.values() for start, end in trees.extents_of(path))
        self.assertEqual(report["bytesRead"], data, "holes are not read")
        self.assertEqual(report["bytesSeen"], sum(os.stat(self.file(name)).st_size for name in os.listdir(self.source)))
        found = trees.rsync_differences(self.source, self.path("restored") + self.source)
        self.assertEqual(found, [])
        self.expect(program.run("local", "verify", "--from", self.repository, "--read-data"))
        again = self.backup()
        self.assertEqual((again["bytesRead"], again["new"]), (0, 0))
        self.assertGreaterEqual(again["unchanged"], len(files))

    def test_one_by_one_and_after_a_scan(self):
        """Each file alone: what a hole needs no block for, and a group that begins behind a hole, are found."""
        self.make_every_kind()
        self.backup()
        rebuilt = self.path("rebuilt")
        os.mkdir(rebuilt)
        os.rename(os.path.join(self.repository, "volumes"), os.path.join(rebuilt, "volumes"))
        self.expect(program.run("volume", "scan", os.path.join(rebuilt, "volumes"), "--to", rebuilt))
        for number, name in enumerate(sorted(os.listdir(self.source))):
            restored = self.restore(f"one{number}", self.file(name), repository=rebuilt)
            self.assertEqual(os.listdir(restored), [name])
            self.assertEqual(trees.extents_of(os.path.join(restored, name)), trees.extents_of(self.file(name)), name)
            with open(os.path.join(restored, name), "rb") as have, open(self.file(name), "rb") as want:
                self.assertEqual(have.read(), want.read(), name)

    def test_a_terabyte_of_hole(self):
        for name in ("tebibyte", "tebibyte with a word"):
            self.sparse(name, TIB, [(500 * 10**9, b"word")] if "word" in name else [])
        times = []
        for turn in range(3):
            begin = time.monotonic()
            if turn < 2:
                report = self.backup()
                self.assertEqual(report["bytesSeen"], 2 * TIB)
                self.assertLessEqual(report["bytesRead"], 8 * KIB)
            else:
                restored = self.restore("restored")
            times.append(time.monotonic() - begin)
        self.note("full, incremental, restore of 2 TiB: " + ", ".join(f"{seconds * 1000:.0f} ms" for seconds in times))
        self.assertLess(max(times), 2)
        self.assertSameMaps(restored)
        with open(os.path.join(restored, "tebibyte with a word"), "rb") as stream:
            stream.seek(500 * 10**9)
            self.assertEqual(stream.read(8), b"word" + bytes(4))
        self.assertEqual(os.stat(os.path.join(restored, "tebibyte")).st_blocks, 0)

    def test_the_largest_file_there_is(self):
        memory = self.mount(64 * MIB)
        source = os.path.join(memory, "source")
        os.mkdir(source)
        for name, data in (("hole", []), ("last byte", [(LARGEST - 1, b"!")]), ("third", [(MIB, b"x" * 5000)])):
            write_sparse(os.path.join(source, name), LARGEST, data)
        trees.write_file(os.path.join(source, "small"), b"small")
        report = self.backup(paths=[source])
        self.assertEqual((report["status"], report["problems"]), ("T", []))
        self.assertEqual(report["bytesSeen"], LARGEST, "as much as a counter holds")
        self.assertEqual(self.backup(paths=[source])["bytesRead"], 0)
        target = os.path.join(memory, "restored")
        self.expect(program.restore(self.repository, target, source))
        self.assertSameMaps(target + source, source)
        self.assertSameTree(trees.describe(source), target + source)
        listed = self.expect(program.listing(self.repository)).json
        self.assertEqual([row["size"] for row in listed if row["path"].endswith("third")], [LARGEST])
        # The file system of the test's directory may have none of this size: that is told, and the rest is restored.
        limit = os.path.join(self.path("probe"))
        trees.write_file(limit, b"")
        try:
            os.truncate(limit, LARGEST)
            self.skipTest("this file system has files of every size")
        except OSError:
            pass
        outcome = self.expect(program.restore(self.repository, self.path("restored"), source), program.PROBLEMS)
        problems = outcome.json["problems"]
        self.assertEqual(sorted(os.path.basename(problem["path"]) for problem in problems), ["hole", "last byte", "third"])
        for problem in problems:
            self.assertIn("File too large", problem["reason"])
        self.assertEqual(os.listdir(self.path("restored") + source), ["small"])

    def test_a_limit_on_file_sizes_is_one_problem(self):
        self.sparse("large", 1 << 30, [(0, b"x" * 100)])
        trees.write_file(self.file("small"), b"small")
        self.backup()
        outcome = program.restore(self.repository, self.path("restored"), limit=(resource.RLIMIT_FSIZE, 64 * MIB))
        self.expect(outcome, program.PROBLEMS)
        self.assertEqual(outcome.json["problemCount"], 1)
        self.assertEqual(os.listdir(self.path("restored") + self.source), ["small"])

    # ---- What changed

    def test_renamed_files_are_not_stored_again(self):
        self.make_every_kind()
        self.backup()
        for name in os.listdir(self.source):
            os.rename(self.file(name), self.file("renamed " + name))
            os.chmod(self.file("renamed " + name), 0o600)
        self.let_time_pass()
        report = self.round_trip()
        self.assertEqual(report["bytesSent"], 0)

    def test_holes_that_come_and_go(self):
        """The content stays, the map changes: it is compared by the algorithm it was stored with, and never confused."""
        content = random.Random(9).randbytes(3 * MIB)
        dense = content[:MIB] + bytes(MIB) + content[2 * MIB:]
        trees.write_file(self.file("becomes sparse"), dense)
        trees.write_file(self.file("small becomes sparse"), dense[:64 * KIB] + bytes(64 * KIB))
        self.sparse("becomes dense", 3 * MIB, [(0, content[:MIB]), (2 * MIB, content[2 * MIB:])])
        self.sparse("small becomes dense", 128 * KIB, [(0, content[:64 * KIB])])
        moment = 1_600_000_000_000_000_000
        for name in os.listdir(self.source):
            os.utime(self.file(name), ns=(moment, moment))
        self.backup()
        first = trees.describe(self.source)
        punch(self.file("becomes sparse"), MIB, MIB)
        punch(self.file("small becomes sparse"), 64 * KIB, 64 * KIB)
        for name, offset, count in (("becomes dense", MIB, MIB), ("small becomes dense", 64 * KIB, 64 * KIB)):
            with open(self.file(name), "r+b") as stream:
                stream.seek(offset)
                stream.write(bytes(count))
        # The modification time is as before: only ctime tells that something happened.
        for name in os.listdir(self.source):
            os.utime(self.file(name), ns=(moment, moment))
        self.let_time_pass()
        report = self.backup()
        self.assertEqual((report["status"], report["problems"]), ("T", []))
        restored = self.restore("restored")
        for name in os.listdir(self.source):
            with open(self.file(name), "rb") as want, open(os.path.join(restored, name), "rb") as have:
                self.assertEqual(have.read(), want.read(), name)
        self.assertRestoresEqual("first", ("--job", "1"), first)

    def test_written_into_a_hole(self):
        path = self.sparse("file", 50 * MIB, [(10 * MIB, b"a" * 5000)])
        self.backup()
        descriptor = os.open(path, os.O_WRONLY)
        os.pwrite(descriptor, b"new", 20 * MIB)
        os.ftruncate(descriptor, 60 * MIB)
        os.close(descriptor)
        self.let_time_pass()
        report = self.round_trip()
        self.assertEqual(report["bytesRead"], 12 * KIB)

    def test_changed_while_it_is_read(self):
        """Holes that are punched and sizes that change under the reader: never a wrong digest, never worse than status 1."""
        generator = random.Random(f"{os.environ.get('VAULT_SEED', '1')} punched")
        size = 48 * MIB
        for turn in range(6):
            path = self.sparse("file", size, [(n * 128 * KIB, generator.randbytes(64 * KIB)) for n in range(384)])
            os.sync()
            arguments = ("local", "backup", self.source, "--to", self.repository, "--json", "--level", "full")
            process = program.start(*arguments)
            while process.poll() is None:
                choice = generator.randrange(3)
                offset = generator.randrange(size // 4096) * 4096
                if choice == 0:
                    punch(path, offset, 256 * KIB)
                elif choice == 1:
                    os.truncate(path, generator.choice((size, size // 2, size + MIB)))
                else:
                    descriptor = os.open(path, os.O_WRONLY)
                    os.pwrite(descriptor, generator.randbytes(8192), offset)
                    os.close(descriptor)
            outcome = program.finish(process, arguments)
            self.expect(outcome, program.DONE, program.PROBLEMS)
            job = outcome.json["job"]
            if any("changed" in problem["reason"] for problem in outcome.json["problems"]):
                self.note(f"turn {turn}: seen to change")
            self.expect(program.restore(self.repository, self.path(f"r{turn}"), options=("--job", str(job))))

    # ---- Interrupted

    def interrupt_inside(self, after, *options):
        """Stops a backup when its volumes hold so many bytes; true when it was still running."""
        arguments = ("local", "backup", self.source, "--to", self.repository, "--json", *options)
        process = program.start(*arguments)
        volumes = os.path.join(self.repository, "volumes")
        while process.poll() is None and not (os.path.isdir(volumes) and trees.tree_bytes(volumes) >= after):
            time.sleep(0.001)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        return self.expect(program.finish(process, arguments), program.INTERRUPTED, 0).status != 0

    def make_large(self):
        """120 MiB of data in extents of every length, with holes of every length between."""
        generator = random.Random(11)
        descriptor = os.open(self.file("large"), os.O_RDWR | os.O_CREAT, 0o644)
        position = total = 0
        while total < 120 * MIB:
            position += generator.choice((4096, 4096, 65536, 3 * MIB))
            length = generator.choice((4096, 8192, 300 * KIB, 2 * MIB))
            os.pwrite(descriptor, generator.randbytes(length), position)
            position += length
            total += length
        os.ftruncate(descriptor, position + 7 * MIB)
        os.close(descriptor)
        trees.write_file(self.file("before"), b"before")
        trees.write_file(self.file("then"), b"then")
        trees.settle(self.source)
        return total

    def test_interrupted_inside_and_continued(self):
        total = self.make_large()
        interruptions = sum(
            self.interrupt_inside((10 + 25 * turn) * MIB, "--commit-size", "2M") for turn in range(3))
        self.assertGreaterEqual(interruptions, 1)
        # It comes before the rest of the large file, and its group between that file's groups.
        trees.write_file(self.file("between"), b"between" * 1000)
        self.let_time_pass()
        report = self.backup("--commit-size", "2M")
        self.note(f"{interruptions} interruptions, kept {report['keptBytes'] >> 20} MiB, "
                  f"sent {report['bytesSent'] >> 20} of {total >> 20} MiB")
        self.assertGreater(report["keptBytes"], 4 * MIB)
        self.assertLess(report["bytesSent"], total + 12 * MIB, "what was committed is not sent again")
        self.assertEqual((len(self.jobs()), report["status"]), (1, "T"))
        self.assertSameMaps(self.assertRestoresEqual("restored"))

    def test_interrupted_and_other_holes_when_it_goes_on(self):
        self.make_large()
        if not self.interrupt_inside(30 * MIB, "--commit-size", "2M"):
            self.skipTest("the backup was too fast to be interrupted")
        path = self.file("large")
        before = os.stat(path).st_mtime_ns
        start, end = trees.extents_of(path)[1]
        punch(path, start, end - start)
        os.utime(path, ns=(before, before))
        self.let_time_pass()
        report = self.backup("--commit-size", "2M")
        self.assertEqual(report["status"], "T")
        self.assertSameMaps(self.assertRestoresEqual("restored", rsync=False))

    def test_killed_again_and_again(self):
        self.make_large()
        library = program.fault_environment(self.directory, kill=12, kinds="sync")
        kills = 0
        while kills < 20:
            outcome = program.backup(self.repository, self.source, options=("--commit-size", "1M"), environment=library)
            if outcome.status != -signal.SIGKILL:
                break
            kills += 1
        self.note(f"{kills} kills")
        self.assertGreaterEqual(kills, 3)
        if outcome.status:
            outcome = program.backup(self.repository, self.source, options=("--commit-size", "1M"))
        self.assertEqual(self.expect(outcome).json["status"], "T")
        self.assertSameMaps(self.assertRestoresEqual("restored", rsync=False))

    # ---- Reports

    def test_the_listing_says_what_was_digested(self):
        data = b"data" * 1024
        self.sparse("sparse", MIB, [(8192, data)])
        trees.write_file(self.file("dense"), data)
        self.backup()
        rows = {os.path.basename(row["path"]): row for row in self.expect(program.listing(self.repository)).json}
        expected = hashlib.sha256(struct.pack("<QQ", 8192, 4096) + data + struct.pack("<Q", MIB)).hexdigest()
        self.assertEqual((rows["sparse"]["digest"], rows["sparse"]["digestAlgorithm"]), (expected, "sha256OfExtents"))
        self.assertEqual(rows["dense"]["digest"], hashlib.sha256(data).hexdigest())
        self.assertNotIn("digestAlgorithm", rows["dense"])
        self.assertEqual(rows["sparse"]["size"], MIB)
