"""Damage is found, named with what it costs, and costs nothing else: with the catalog, and by volumes alone."""

import hashlib
import os
import random
import shutil
import sqlite3
import time
import uuid

import program
import trees
from suite import SystemTest


def verify(repository, *options, **how):
    return program.run("local", "verify", "--from", repository, "--json", *options, **how)


def verify_volumes(*volumes, **how):
    return program.run("volume", "verify", *volumes, "--json", **how)


def extract(target, *volumes, options=(), **how):
    return program.run("volume", "extract", *volumes, "--to", target, "--json", *options, **how)


class DamageTest(SystemTest):
    def make_repository(self):
        """A small repository: several commits a job, a hard link, an incremental that refers to the full one."""
        generator = random.Random(3)
        os.makedirs(os.path.join(self.source, "d"))
        for number in range(4):
            trees.write_file(os.path.join(self.source, f"f{number}"), generator.randbytes(300))
        os.link(os.path.join(self.source, "f1"), os.path.join(self.source, "d", "link"))
        trees.write_file(os.path.join(self.source, "large"), generator.randbytes(1_500_000))
        os.symlink("f1", os.path.join(self.source, "symlink"))
        trees.settle(self.source)
        self.first = trees.describe(self.source)
        self.backup("--commit-size", "1")
        self.let_time_pass()
        trees.write_file(os.path.join(self.source, "f2"), b"changed", mtime_ns=10**18)
        os.rename(os.path.join(self.source, "f3"), os.path.join(self.source, "d", "moved"))
        self.backup("--commit-size", "1")
        self.second = trees.describe(self.source)
        self.volume = os.path.join(self.repository, "volumes", "vol-0001")

    def copy(self, name):
        target = self.path(name)
        shutil.copytree(self.repository, target)
        return target, os.path.join(target, "volumes", "vol-0001")

    def assertOnlyRightContents(self, root, *expected):
        """Nothing below the root has bytes that no version of the file had."""
        if not os.path.isdir(root):
            return {}
        found = trees.describe(root)
        for path, description in found.items():
            known = [version[path][6] for version in expected if path in version]
            self.assertTrue(known, f"{path!r} was never saved")
            self.assertIn(description[6], known, path)
        return found


class Verify(DamageTest):
    weight = 3

    def test_sound_repository(self):
        self.make_repository()
        for options in ((), ("--read-data",)):
            report = self.assertDescribed("verify", self.expect(verify(self.repository, *options)).json)
            self.assertEqual((report["damages"], report["jobs"], report["volumes"]), ([], 2, 1))
            self.assertEqual(report["bytes"], os.path.getsize(self.volume))
        # f1 and its link are one content; the second job added one file of 7 bytes.
        self.assertEqual(report["contentBytes"], 4 * 300 + 1_500_000 + 7)
        report = self.expect(verify_volumes(os.path.join(self.repository, "volumes"))).json
        self.assertEqual((report["damages"], report["notes"], report["contentBytes"]), ([], [], 1_501_207))

    def test_verify_changes_nothing(self):
        self.make_repository()
        before = trees.describe(os.path.join(self.repository, "volumes"))
        self.expect(verify(self.repository, "--read-data"))
        self.expect(verify_volumes(self.volume))
        self.assertEqual(trees.describe(os.path.join(self.repository, "volumes")), before)

    def test_damage_is_named_with_what_it_costs(self):
        self.make_repository()
        with open(self.volume, "r+b") as stream:
            data = stream.read()
            with open(os.path.join(self.source, "large"), "rb") as large:
                place = data.index(large.read(4096))
            stream.seek(place)
            stream.write(bytes([data[place] ^ 1]))
        self.assertEqual(self.expect(verify(self.repository)).json["damages"], [], "headers are whole")
        report = self.expect(verify(self.repository, "--read-data"), program.DAMAGED).json
        self.assertEqual(len(report["damages"]), 1, report)
        damage = report["damages"][0]
        self.assertEqual(damage["volume"], "vol-0001")
        self.assertLessEqual(damage["firstBlock"] * 4096, place)
        self.assertGreater((damage["firstBlock"] + damage["blockCount"]) * 4096, place)
        self.assertEqual([lost["path"] for lost in damage["lost"]], [os.path.join(self.source, "large")])
        self.assertEqual((damage["lostCount"], damage["lostBytes"], damage["lostNowCount"]), (1, 1_500_000, 1))
        self.assertEqual(damage["lost"][0]["firstJob"], 1)
        plain = program.run("local", "verify", "--from", self.repository, "--read-data")
        self.expect(plain, program.DAMAGED)
        self.assertIn(b"large", plain.output)
        self.assertIn(b"vol-0001", plain.output)

    def test_missing_swapped_and_unknown_volumes(self):
        self.make_repository()
        aside = self.path("aside")
        os.rename(self.volume, aside)
        report = self.expect(verify(self.repository), program.DAMAGED).json
        self.assertEqual(len(report["damages"]), 1)
        lost = {item["path"] for item in report["damages"][0]["lost"]}
        self.assertEqual(lost, {os.path.join(self.source, name) for name in (
            "f0", "f1", "f2", "f3", "large", "d/link", "d/moved")})
        other = self.path("other")
        self.backup(repository=other)
        shutil.copy(os.path.join(other, "volumes", "vol-0001"), self.volume)
        self.expect(verify(self.repository), program.DAMAGED)
        os.rename(aside, self.volume)
        shutil.copy(os.path.join(other, "volumes", "vol-0001"), os.path.join(self.repository, "volumes", "vol-0007"))
        report = self.expect(verify(self.repository)).json
        self.assertIn("vol-0007", " ".join(report["notes"]))

    def test_catalog_that_points_elsewhere(self):
        self.make_repository()
        with sqlite3.connect(os.path.join(self.repository, "catalog.sqlite")) as catalog:
            catalog.execute("UPDATE group_location SET block = block + 1 WHERE job = 1 AND number = 1")
        catalog.close()
        self.expect(verify(self.repository), program.DAMAGED)
        with sqlite3.connect(os.path.join(self.repository, "catalog.sqlite")) as catalog:
            catalog.execute("DELETE FROM group_location")
            catalog.execute("DELETE FROM record_group")
        catalog.close()
        report = self.expect(verify(self.repository), program.DAMAGED).json
        self.assertIn("large", str(report["damages"]))

    @staticmethod
    def reads(pid, path):
        try:
            return any(os.readlink(f"/proc/{pid}/fd/{name}") == path for name in os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return False

    def test_interrupt(self):
        os.mkdir(self.source)
        for number in range(64):
            trees.write_file(os.path.join(self.source, f"f{number}"), os.urandom(4 << 20))
        self.backup()
        arguments = ("local", "verify", "--from", self.repository, "--read-data", "--json")
        process = program.start(*arguments)
        volume = os.path.realpath(os.path.join(self.repository, "volumes", "vol-0001"))
        deadline = time.monotonic() + 30
        while not self.reads(process.pid, volume):
            self.assertIsNone(process.poll(), "it ended before it was seen to read the volume")
            self.assertLess(time.monotonic(), deadline)
        program.interrupt(process)
        self.expect(program.finish(process, arguments), program.INTERRUPTED)
        self.expect(verify(self.repository, "--read-data"))


class FlippedBits(DamageTest):
    """A seeded sample; that every single bit is found, the unit tests of the device tell."""

    weight = 12

    def test_flipped_bits(self):
        self.make_repository()
        generator = random.Random(int(os.environ["VAULT_SEED"]))
        size = os.path.getsize(self.volume)
        with open(self.volume, "rb") as stream:
            sound = stream.read()
        # Where the blocks begin: their headers and what follows are hit as often as the long content.
        listed = self.assertDescribed("volume-list", self.expect(program.run("volume", "list", self.volume, "--json")).json)
        self.sessions = [session["session"] for session in listed["volumes"][0]["sessions"]]
        starts = [place for place in range(0, size, 4096) if sound[place:place + 4] == b"VBLK"]
        offsets = [generator.choice(starts) + generator.randrange(400) for _ in range(24)]
        offsets += [generator.randrange(size) for _ in range(12)]
        for number, offset in enumerate(offsets):
            bit = generator.randrange(8)
            with self.subTest(offset=offset, bit=bit, seed=os.environ["VAULT_SEED"]):
                block = [place for place in starts if place <= offset][-1]
                length = int.from_bytes(sound[block + 16:block + 20], "little")
                owner = str(uuid.UUID(bytes=sound[block + 48:block + 64]))
                # Padding and the label belong to no session.
                self.flip(number, offset, bit, owner if offset < block + length else None)

    def flip(self, number, offset, bit, owner):
        repository, volume = self.copy(f"flip{number}")
        with open(volume, "r+b") as stream:
            stream.seek(offset)
            byte = stream.read(1)[0]
            stream.seek(offset)
            stream.write(bytes([byte ^ 1 << bit]))
        self.assertDescribed("verify", self.expect(verify_volumes(volume), program.DAMAGED).json)
        report = self.assertDescribed("verify", self.expect(verify(repository, "--read-data"), program.DAMAGED).json)
        lost = {item["path"] for damage in report["damages"] for item in damage["lost"] if "lastJob" not in item}
        target = self.path(f"restored{number}")
        self.expect(program.restore(repository, target), program.DAMAGED if lost else 0)
        found = self.assertOnlyRightContents(target + self.source, self.second)
        missing = {os.fsencode(os.path.relpath(path, self.source)) for path in lost}
        self.assertEqual(set(self.second) - set(found), missing, "what verify names is lost, and nothing else")
        self.extracted(number, volume, owner)
        for name in (repository, target):
            program.remove(name)

    def extracted(self, number, volume, owner):
        """By the volume alone each session comes back, whole when the damaged block was no part of it or what it refers to."""
        first, second = self.sessions
        for session, expected, needed in ((first, self.first, {first}), (second, self.second, {first, second})):
            target = self.path(f"extracted{number}-{session}")
            outcome = extract(target, volume, options=("--session", session))
            if owner in needed:
                self.expect(outcome, program.PROBLEMS, program.DAMAGED)
                self.assertOnlyRightContents(target + self.source, self.first, self.second)
            else:
                self.expect(outcome, 0, program.DAMAGED)
                self.assertSameTree(expected, target + self.source, f"session {session}")
            program.remove(target)

    def test_truncations(self):
        self.make_repository()
        size = os.path.getsize(self.volume)
        generator = random.Random(int(os.environ["VAULT_SEED"]))
        lengths = {0, 1, 79, 80, 4095, 4096, 4097, size - 1, size - 4095, size - 4096, size - 4097}
        lengths |= {generator.randrange(size) for _ in range(6)}
        lengths |= {generator.randrange(size // 4096) * 4096 for _ in range(4)}
        for length in sorted(lengths):
            with self.subTest(length=length, seed=os.environ["VAULT_SEED"]):
                repository, volume = self.copy(f"cut{length}")
                os.truncate(volume, length)
                for options in ((), ("--read-data",)):
                    self.expect(verify(repository, *options), program.DAMAGED)
                target = self.path(f"restored{length}")
                self.expect(program.restore(repository, target), 0, program.DAMAGED)
                self.assertOnlyRightContents(target + self.source, self.second)
                outcome = verify_volumes(volume)
                self.expect(outcome, 0, program.NOT_FOUND, program.DAMAGED)
                if length % 4096:
                    self.assertNotEqual(outcome.status, 0)
                for name in (repository, target):
                    program.remove(name)


class Extract(DamageTest):
    weight = 3

    def test_without_damage(self):
        self.make_repository()
        for options, expected in (((), self.second), (("--job", "1"), self.first), (("--job", "2"), self.second)):
            target = self.path("extracted-" + "".join(options).replace("-", ""))
            self.assertDescribed("volume-extract", self.expect(extract(target, self.volume, options=options)).json)
            self.assertSameTree(expected, target + self.source)
        listed = self.assertDescribed("volume-list", self.expect(program.run("volume", "list", self.volume, "--json")).json)
        sessions = listed["volumes"][0]["sessions"]
        self.assertEqual([session["job"] for session in sessions], [1, 2])
        target = self.path("by-session")
        self.expect(extract(target, self.volume, options=("--session", sessions[0]["session"])))
        self.assertSameTree(self.first, target + self.source)
        target = self.path("one-path")
        self.expect(extract(target, self.volume, options=("--path", os.path.join(self.source, "f2"))))
        with open(target + os.path.join(self.source, "f2"), "rb") as stream:
            self.assertEqual(stream.read(), b"changed")
        self.assertEqual(os.listdir(target + self.source), ["f2"])

    def test_several_trees_and_volumes(self):
        self.make_repository()
        other = self.path("another")
        os.mkdir(other)
        for number in range(3):
            trees.write_file(os.path.join(other, f"g{number}"), os.urandom(1 << 20))
        self.expect(program.backup(self.repository, other, options=("--name", "another", "--volume-size", "2M")))
        folder = os.path.join(self.repository, "volumes")
        self.assertGreater(len(os.listdir(folder)), 1)
        target = self.path("all")
        report = self.assertDescribed("volume-extract", self.expect(extract(target, folder)).json)
        self.assertEqual(len(report["jobs"]), 2)
        self.assertSameTree(self.second, target + self.source)
        self.assertSameTree(trees.describe(other), target + other)

    def test_what_lies_on_volumes_not_given_is_named(self):
        generator = random.Random(8)
        os.mkdir(self.source)
        for number in range(3):
            trees.write_file(os.path.join(self.source, f"f{number}"), generator.randbytes(900_000))
        trees.settle(self.source)
        self.backup("--volume-size", "2M")
        self.let_time_pass()
        trees.write_file(os.path.join(self.source, "g"), generator.randbytes(900_000))
        os.chmod(os.path.join(self.source, "f0"), 0o600)
        self.backup("--volume-size", "2M")
        folder = os.path.join(self.repository, "volumes")
        last = os.path.join(folder, sorted(os.listdir(folder))[-1])
        outcome = extract(self.path("part"), last, options=("--job", "2"))
        self.expect(outcome, program.DAMAGED)
        with open(self.path("part") + os.path.join(self.source, "g"), "rb") as stream:
            found = hashlib.sha256(stream.read()).hexdigest()
        self.assertEqual(found, trees.describe(self.source)[b"g"][6])
        self.assertIn("session", str(outcome.json["jobs"][0]["problems"]))

    def test_nothing_to_extract(self):
        self.make_repository()
        for options in (("--job", "9"), ("--session", "00000000-0000-4000-8000-000000000000"), ("--path", "/nowhere")):
            self.refuses(extract(self.path("t"), self.volume, options=options), program.NOT_FOUND)
        self.expect(extract(self.path("t"), self.volume, options=("--session", "x")), program.USAGE)
        self.refuses(extract(self.path("t"), self.path("absent")), program.NOT_FOUND, program.DAMAGED)
