"""Every way to compress: what is stored can be read by everything, whatever was chosen, and is what other programs read too."""

import ctypes
import os
import random
import shutil
import struct
import subprocess

import program
import trees
import volumes
from fleet import STORAGE, NetworkTest
from suite import SystemTest

NONE, LZ4, ZSTD = 0, 1, 2
WORDS = [word.encode() for word in (
    "volume block session attempt commit catalog director client storage device pool spool label group record digest "
    "restore backup full level entry content tree retention").split()]


def text(seed, length):
    """Words in no order: what LZ4 shortens, and Zstandard more."""
    generator = random.Random(seed)
    lines = []
    while length > 0:
        lines.append(b" ".join(generator.choices(WORDS, k=12)) + b"\n")
        length -= len(lines[-1])
    return b"".join(lines)


def write_texts(root, seed="texts"):
    """Small files, an empty one, and one of several groups."""
    for number in range(40):
        os.makedirs(os.path.join(root, f"d{number % 4}"), exist_ok=True)
        trees.write_file(os.path.join(root, f"d{number % 4}", f"text{number}"), text(f"{seed} {number}", 500 * number))
    trees.write_file(os.path.join(root, "large"), text(f"{seed} large", 5_000_000))
    trees.settle(root)


def volume_paths(root, prefix="vol-"):
    return sorted(os.path.join(top, name) for top, _, names in os.walk(root) for name in names if name.startswith(prefix))


def unpack_lz4(stored, length):
    library = ctypes.CDLL("liblz4.so.1")
    room = ctypes.create_string_buffer(length)
    assert library.LZ4_decompress_safe(stored, room, len(stored), length) == length
    return room.raw


def unpack_zstd(stored, length):
    done = subprocess.run(["zstd", "-dcq"], input=stored, capture_output=True, check=True)
    assert len(done.stdout) == length, (len(done.stdout), length)
    return done.stdout


def codecs(root, prefix="vol-"):
    """The codecs of the data groups on volumes, each with the raw bytes that other programs unpack of them."""
    found = {}
    for path in volume_paths(root, prefix):
        for kind, codec, length, stored in volumes.groups_of(path):
            if kind == volumes.DATA:
                unpack = {NONE: lambda stored, _: stored, LZ4: unpack_lz4, ZSTD: unpack_zstd}[codec]
                found.setdefault(codec, []).append(unpack(stored, length))
    return found


def contents(groups):
    """The content data records in raw groups, by entry index and offset."""
    found = {}
    for raw in groups:
        while raw:
            kind, _, length = struct.unpack_from("<HHI", raw)
            assert kind == 3, kind
            index, offset = struct.unpack_from("<QQ", raw, 8)
            found[index, offset] = raw[24:8 + length]
            raw = raw[8 + length:]
    return found


class Compression(SystemTest):
    weight = 6

    def setUp(self):
        super().setUp()
        if not shutil.which("zstd"):
            self.skipTest("needs zstd")

    def stored(self, repository, setting):
        options = () if setting is None else ("--compression", setting)
        return self.backup(*options, repository=repository)["bytesStored"]

    def test_every_setting(self):
        write_texts(self.source)
        files = sorted(data for data in (
            open(os.path.join(top, name), "rb").read() for top, _, names in os.walk(self.source) for name in names) if data)
        sizes = {}
        for number, (setting, codec) in enumerate((
                (None, LZ4), ("lz4", LZ4), ("none", NONE), ("zstd", ZSTD), ("ZSTD:1", ZSTD), ("zstd:19", ZSTD))):
            with self.subTest(setting=setting):
                repository = self.path(f"repository-{number}")
                sizes[setting] = self.stored(repository, setting)
                found = codecs(repository)
                self.assertEqual(set(found), {codec})
                # What other programs unpack is what the files hold.
                pieces = {}
                for (index, offset), data in sorted(contents(found[codec]).items()):
                    self.assertEqual(len(pieces.setdefault(index, bytearray())), offset)
                    pieces[index] += data
                self.assertEqual(sorted(bytes(data) for data in pieces.values()), files)
                self.assertRestoresEqual(f"restored-{number}", repository=repository)
                self.expect(program.run("local", "verify", "--from", repository, "--read-data"))
        self.assertLess(sizes["zstd:19"], sizes["zstd"])
        self.assertLess(sizes["zstd"], sizes["lz4"] * 0.8)
        self.assertLess(sizes["lz4"], sizes["none"] * 0.8)
        self.assertGreaterEqual(sizes["none"], sum(map(len, files)))

    def test_what_does_not_shrink_is_stored_as_it_is(self):
        generator = random.Random("noise")
        os.makedirs(self.source)
        for number in range(4):
            trees.write_file(os.path.join(self.source, f"noise{number}"), generator.randbytes(700_000))
        trees.settle(self.source)
        for number, setting in enumerate(("lz4", "zstd", "zstd:19")):
            repository = self.path(f"repository-{number}")
            self.stored(repository, setting)
            self.assertEqual(set(codecs(repository)), {NONE})
            self.assertRestoresEqual(f"restored-{number}", repository=repository)

    def test_every_job_may_have_another(self):
        """A full with LZ4, incrementals with others: everything that reads volumes reads them all."""
        write_texts(self.source)
        self.backup("--compression", "lz4")
        states = {1: trees.describe(self.source)}
        for number, setting in enumerate(("zstd:9", "none", "zstd:1", "lz4"), 2):
            self.let_time_pass()
            for name in (f"new{number}", "large"):
                trees.write_file(os.path.join(self.source, name), text(f"{name} {number}", 1_500_000))
            trees.settle(self.source, 100 - number)
            report = self.backup("--compression", setting)
            self.assertEqual(report["level"], "incremental")
            states[number] = trees.describe(self.source)
        self.assertEqual(set(codecs(self.repository)), {NONE, LZ4, ZSTD})
        for number, state in states.items():
            self.assertRestoresEqual(f"restored-{number}", ("--job", str(number)), expected=state)
        self.expect(program.run("local", "verify", "--from", self.repository, "--read-data"))
        found = volume_paths(self.repository)
        self.expect(program.run("volume", "verify", *found))
        target = self.path("extracted")
        self.expect(program.run("volume", "extract", *found, "--to", target))
        scanned = self.path("scanned")
        self.expect(program.scan(scanned, *found))
        # Groups of every kind are moved as they are.
        self.expect(program.drop(self.repository, "--keep-last", "2", "--compact"))
        for number in (4, 5):
            self.assertRestoresEqual(f"compacted-{number}", ("--job", str(number)), expected=states[number])

    def test_a_job_goes_on_with_another(self):
        """An interrupted job's next attempt may be given another setting."""
        write_texts(self.source)
        process = program.start(
            "local", "backup", self.source, "--to", self.repository, "--compression", "zstd:19", "--commit-size", "64K",
            "--json-progress")
        for line in process.stdout:
            if b'"bytes' in line:
                program.interrupt(process)
                break
        process.communicate(timeout=program.TIMEOUT_SECONDS)
        self.backup("--compression", "none", "--commit-size", "64K")
        self.assertRestoresEqual("restored")

    def test_wrong_settings(self):
        write_texts(self.source)
        for setting in ("zstd:0", "zstd:20", "zstd:", "gzip", "lz4:3", ""):
            self.refuses(
                program.backup(self.repository, self.source, options=("--compression", setting)), program.USAGE,
                naming=("--compression", "zstd with a level from 1 to 19"))
        self.assertFalse(os.path.exists(self.repository))


class CompressionOfClients(NetworkTest):
    weight = 6

    def test_the_directive(self):
        """Jobs of one director, each compressed as its FileSet has it; a restore needs no setting."""
        settings = {"plain": ("", LZ4), "zstd": ("Compression = zstd", ZSTD), "level": ("compression = ZSTD:9", ZSTD),
                    "none": ("Compression = none", NONE)}
        fleet = self.make_fleet()
        source = fleet.sources["alpha"]
        write_texts(source)
        for name, (directive, _) in settings.items():
            fleet.add("dir", f'FileSet {{\n  Name = files-{name}\n  Include {{\n    File = "{source}"\n'
                             f'    Options {{\n      One FS = yes\n      {directive}\n    }}\n  }}\n}}\n')
            fleet.add("dir", f"Pool {{\n  Name = {name}\n  Storage = {STORAGE}\n  Label Format = {name}-\n}}\n")
            fleet.add("dir", f"Job {{\n  Name = save-{name}\n  Type = Backup\n  Client = alpha-fd\n  Pool = {name}\n"
                             f"  FileSet = files-{name}\n  Messages = Standard\n}}\n")
        fleet.start()
        sizes = {}
        for name, (_, codec) in settings.items():
            number = fleet.run(f"save-{name}")
            self.assertJobRestores(fleet, number, source)
            self.assertEqual(set(codecs(self.path("volumes"), f"{name}-")), {codec}, name)
            sizes[name] = sum(map(os.path.getsize, volume_paths(self.path("volumes"), f"{name}-")))
        self.assertLess(sizes["zstd"], sizes["plain"])
        self.assertLess(sizes["plain"], sizes["none"])

    def test_a_wrong_directive(self):
        path = self.path("dir.conf")
        with open(os.path.join(program.ROOT, "etc/examples/dir.conf"), encoding="utf-8") as stream:
            good = stream.read()
        for setting in ("zstd:20", "gzip", "lz4, none", "\"\""):
            trees.write_file(path, good.replace("Compression = zstd", f"Compression = {setting}").encode())
            place = next(number for number, line in enumerate(open(path), 1) if "Compression =" in line)
            outcome = program.run("dir", "-c", path, "--test-config")
            self.refuses(outcome, program.USAGE, naming=(f"{path}:{place}:", "Compression"))
