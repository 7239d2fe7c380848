"""Volumes that somebody made up, with right checksums: nothing outside the target, no trap, no hang, bounded memory."""

import ctypes
import hashlib
import os
import random
import resource
import struct

import program
import trees
import volumes
from suite import SystemTest
from volumes import ATTRIBUTES, DATA, content, directory, entry, record, seal, stored

MEMORY = (resource.RLIMIT_AS, 3 << 30)


def sha(data):
    return hashlib.sha256(data).digest()


def small_file(index, folder, name, data, **how):
    """The attribute records and the data record of a file."""
    return entry(index, folder, name, size=len(data), **how), content(index, data), seal(index, len(data), sha(data))


def zstd_bomb(length, blocks=7, window=None):
    """A Zstandard frame that says this length and is blocks that repeat one byte 131,072 times each."""
    start = b"\xe0" if window is None else b"\xc0" + bytes([window])
    block = ((131_072 << 3) | 2).to_bytes(3, "little") + b"\0"
    return (b"\x28\xb5\x2f\xfd" + start + struct.pack("<Q", length) + block * blocks
            + ((65_536 << 3) | 3).to_bytes(3, "little") + b"\0")


class HostileVolumes(SystemTest):
    weight = 5

    def setUp(self):
        super().setUp()
        self.canary = self.path("canary")
        os.mkdir(self.canary)
        trees.write_file(os.path.join(self.canary, "secret"), b"untouched")
        self.before = trees.describe(self.canary)
        self.volume = self.path("vol-0001")

    def attempt(self, volume, statuses=(0, program.PROBLEMS, program.DAMAGED), found=None):
        """Everything that reads volumes reads this one; returns what was extracted."""
        volume.write(self.volume)
        outside = trees.describe(self.directory, root_times=False)
        target = self.path("inside", "target")
        for arguments in (
                ("volume", "list", self.volume), ("volume", "verify", self.volume),
                ("volume", "extract", self.volume, "--to", target, "--overwrite", "always"),
                ("volume", "scan", self.volume, "--to", self.path("scanned"))):
            outcome = program.run(*arguments, limit=MEMORY, timeout=60)
            self.assertIn(outcome.status, (*statuses, program.NOT_FOUND), str(outcome))
            for sign in (b"Fatal error", b"Illegal instruction", b"Stack dump"):
                self.assertNotIn(sign, outcome.errors)
        # The rebuilt catalog restores in the same way.
        scanned = self.path("scanned")
        if os.path.isdir(os.path.join(scanned, "volumes")):
            os.rename(self.volume, os.path.join(scanned, "volumes", "vol-0001"))
            for arguments in (
                    ("local", "restore", "--from", scanned, "--to", self.path("inside", "restored"), "--job", "1"),
                    ("local", "verify", "--from", scanned, "--read-data")):
                outcome = program.run(*arguments, limit=MEMORY, timeout=60)
                self.assertIn(outcome.status, (*statuses, program.NOT_FOUND), str(outcome))
        program.remove(scanned)
        kept = trees.describe(self.directory, root_times=False)
        for path in (b"vol-0001",):
            outside.pop(path, None)
            kept.pop(path, None)
        left = {path: value for path, value in kept.items() if not path.startswith(b"inside")}
        self.assertEqual(left, {path: value for path, value in outside.items() if not path.startswith(b"inside")})
        self.assertEqual(trees.describe(self.canary), self.before)
        extracted = trees.describe(target) if os.path.isdir(target) else {}
        if found is not None:
            self.assertEqual({path for path in extracted if path}, found)
        self.assertFalse(os.path.lexists("/vault-hostile"), "written outside")
        program.remove(self.path("inside"))
        return extracted

    def volume_of(self, attributes, data=b"", **how):
        volume = volumes.Volume()
        groups = [(ATTRIBUTES, directory(1, b"/") + attributes)]
        if data:
            groups.append((DATA, data))
        volume.session(groups, **how)
        return volume

    def test_the_writer_writes_what_the_program_reads(self):
        head, data, tail = small_file(2, 1, b"file", b"hello")
        target = self.attempt(self.volume_of(entry(1, 1, b"d", kind=2, mode=0o755) + head + tail, data),
                              statuses=(0,), found={b"d", b"file"})
        self.assertEqual(target[b"file"][6], hashlib.sha256(b"hello").hexdigest())

    def test_names_no_directory_can_hold(self):
        good, data, tail = small_file(9, 1, b"good", b"good")
        for name in (b"", b".", b"..", b"/", b"a/b", b"../../vault-hostile", b"/vault-hostile", b"a\0b", b"x" * 256):
            with self.subTest(name=name):
                bad, bad_data, bad_tail = small_file(1, 1, name, b"bad")
                found = self.attempt(self.volume_of(bad + bad_tail + good + tail, bad_data + data))
                self.assertLessEqual(set(found), {b"", b"good"} | ({name} if len(name) > 255 else set()))

    def test_directories_that_lead_elsewhere(self):
        for path in (b"", b"relative", b"/..", b"/../../canary", b"/a/../../canary", b"/a//b", b"/./a", b"/a\0b", b"//"):
            with self.subTest(path=path):
                bad, data, tail = small_file(1, 2, b"vault-hostile", b"bad")
                self.attempt(self.volume_of(directory(2, path) + bad + tail, data))

    def test_symbolic_link_followed_by_what_lies_below_it(self):
        canary = os.fsencode(self.canary)
        for target in (canary, b"../../canary", b"/", b"..", b"."):
            for below in (b"secret", b"new"):
                with self.subTest(target=target, below=below):
                    bad, data, tail = small_file(2, 2, below, b"overwritten")
                    self.attempt(self.volume_of(
                        entry(1, 1, b"link", kind=3, mode=0o777, target=target) + directory(2, b"/link") + bad + tail
                        + entry(3, 2, b"made", kind=2, mode=0o777), data))

    def test_hard_links_to_what_is_elsewhere(self):
        inode = os.stat(os.path.join(self.canary, "secret"))
        data = b"evil"
        links = dict(inode=inode.st_ino, links=2)
        self.attempt(self.volume_of(
            entry(1, 1, b"a", kind=3, mode=0o777, target=os.fsencode(self.canary) + b"/secret", **links)
            + entry(2, 1, b"b", size=4, **links) + seal(2, 4, sha(data))
            + entry(3, 1, b"c", kind=3, mode=0o777, target=b"a", **links)
            + entry(4, 1, b"d", kind=4, **links), content(2, data)))

    def test_lengths_that_lie(self):
        good, data, tail = small_file(9, 1, b"good", b"good")
        for bad in (
                record(2, b"", length=0xFFFFFFFF), record(2, b"x" * 50), record(1, b""), record(4, b"short"),
                record(5, b""), record(999, b"unknown critical"), record(7, b"", critical=False),
                record(6, b"reserved"), record(3, b"content among attributes" * 2), record(16, b"a job"),
                entry(1, 1, b"n", name_length=65535), entry(1, 1, b"n", kind=9), entry(1, 1, b"n", nanoseconds=2**32 - 1),
                entry(2**63 - 1, 1, b"n"), entry(2**64 - 1, 1, b"n"), entry(1, 2**64 - 1, b"n"),
                entry(1, 1, b"n", mode=0xFFFFFFFF), entry(1, 1, b"n", size=2**64 - 1),
                entry(1, 1, b"n", size=2**63 - 1) + seal(1, 2**63 - 1, bytes(32)),
                entry(1, 1, b"n") + seal(1, 2**64 - 1, bytes(32)), seal(1, 2**63 - 1, bytes(32)), seal(5, 0, sha(b"")),
                entry(1, 1, b"n") + seal(1, 0, sha(b""), algorithm=77),
                entry(1, 1, b"n", kind=3, target=b"x" * 4096), entry(1, 1, b"n", kind=3, target=b""),
                entry(1, 1, b"n", form=3, content=struct.pack("<QBBHI", 10, 1, 0, 0, 2**32 - 1) + bytes(32))):
            with self.subTest(bad=bad[:60]):
                self.attempt(self.volume_of(bad + good + tail, data))

    def test_directories_never_declared(self):
        good, data, tail = small_file(9, 1, b"good", b"good")
        bad, bad_data, bad_tail = small_file(1, 77, b"bad", b"bad")
        found = self.attempt(
            self.volume_of(bad + bad_tail + volumes.deletion(78, b"x") + volumes.problem(79, b"y") + good + tail,
                           bad_data + data), found={b"good"})
        self.assertEqual(found[b"good"][6], hashlib.sha256(b"good").hexdigest())

    def test_references_to_nothing_and_to_themselves(self):
        session, nobody = random.Random(1).randbytes(16), bytes(range(16))
        good, data, tail = small_file(9, 1, b"good", b"good")
        for reference in (
                stored(session, 1, 4, sha(b"good")), stored(session, 2, 4, sha(b"good")),
                stored(session, 9, 4, sha(b"evil")), stored(session, 9, 2**62, sha(b"good")),
                stored(nobody, 1, 4, sha(b"good")), stored(session, 2**63 - 1, 4, sha(b"good")),
                stored(bytes(16), 0, 4, sha(b"good"))):
            with self.subTest(reference=reference):
                found = self.attempt(self.volume_of(
                    entry(1, 1, b"one", form=2, size=4, content=reference)
                    + entry(2, 1, b"two", form=2, size=4, content=reference) + good + tail, data, session=session))
                self.assertLessEqual(set(found), {b"", b"good"})
                self.assertIn(b"good", found)

    def test_extents_outside(self):
        session = random.Random(2).randbytes(16)
        good, data, tail = small_file(9, 1, b"good", b"good")
        for size, extents in (
                (4, [(session, 2, 0, 4, 0)]), (4, [(session, 2, 983036, 4, 0)]), (4, [(session, 2**62, 0, 4, 0)]),
                (4, [(session, 2, 0, 4, 1)]), (2**62, [(session, 2, 24, 4, 2**62 - 4)]),
                (4, [(session, 2, 2**32 - 1, 2**32 - 1, 0)]), (40, [(session, 2, 24, 4, 0)] * 10)):
            with self.subTest(size=size, extents=extents):
                body = struct.pack("<QBBHI", size, 2, 0, 0, len(extents)) + sha(b"x") + b"".join(
                    extent[0] + struct.pack("<QIIQ", *extent[1:]) for extent in extents)
                found = self.attempt(self.volume_of(
                    entry(1, 1, b"pieces", form=3, size=size if size < 2**63 else 0, content=body) + good + tail, data,
                    session=session))
                self.assertIn(b"good", found)

    def test_groups_that_lie(self):
        head, data, tail = small_file(1, 1, b"file", b"hello")
        attributes = (ATTRIBUTES, directory(1, b"/") + head + tail)
        bomb = b"\x1f\x00\x01\x00" + b"\xff" * 3855 + b"\x00" + b"\x50" + bytes(5)
        for options in (
                dict(raw=2**32 - 1), dict(raw=983_041), dict(stored_length=2**32 - 1), dict(stored_length=1_000_000),
                dict(codec=1), dict(codec=1, raw=983_040), dict(codec=1, stored_bytes=bomb, raw=983_040),
                dict(codec=1, stored_bytes=bomb, raw=100), dict(codec=9),
                dict(codec=2), dict(codec=2, raw=983_040), dict(codec=2, stored_bytes=zstd_bomb(2**62), raw=983_040),
                dict(codec=2, stored_bytes=zstd_bomb(983_040), raw=983_040),
                dict(codec=2, stored_bytes=zstd_bomb(983_040, blocks=400), raw=983_040),
                dict(codec=2, stored_bytes=zstd_bomb(983_040, window=0xff), raw=983_040), dict(first_entry=2**63),
                dict(attempt=2**32 - 1), dict(first_entry=2**63 - 1, first_offset=2**63 - 1)):
            with self.subTest(options=options):
                volume = volumes.Volume()
                volume.session([attributes, (DATA, data, options)])
                self.attempt(volume)

    def test_many_bombs(self):
        """Hundreds of groups of a kilobyte that unpack to a megabyte each: one after another, never all at once."""
        for codec, compress in ((1, self.compress_lz4), (2, self.compress_zstd)):
            with self.subTest(codec=codec):
                self.many_bombs(codec, compress)

    def many_bombs(self, codec, compress):
        block = bytes(983_016)
        size = len(block) * 400
        digest = hashlib.sha256(bytes(size)).digest()
        groups = [(ATTRIBUTES, directory(1, b"/") + entry(1, 1, b"bomb", size=size) + seal(1, size, digest))]
        for number in range(400):
            part = content(1, block, offset=number * len(block))
            groups.append((DATA, part, dict(
                codec=codec, stored_bytes=compress(part), raw=len(part), first_offset=number * len(block))))
        volume = volumes.Volume(block_size=16 << 20)
        volume.session(groups)
        volume.write(self.volume)
        outcome = program.run("volume", "verify", self.volume, "--json", limit=(resource.RLIMIT_AS, 1 << 30))
        # The block is longer than any that the program writes: refused or read, but within bounds.
        self.expect(outcome, 0, program.DAMAGED)

    @staticmethod
    def compress_lz4(data):
        room = ctypes.create_string_buffer(len(data) + 4096)
        count = ctypes.CDLL("liblz4.so.1").LZ4_compress_default(data, room, len(data), len(room))
        return room.raw[:count]

    @staticmethod
    def compress_zstd(data):
        call = ctypes.CDLL("libzstd.so.1").ZSTD_compress
        call.restype = ctypes.c_size_t
        call.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
        room = ctypes.create_string_buffer(len(data) + 4096)
        return room.raw[:call(room, len(room), data, len(data), 3)]

    def test_contents_that_lie(self):
        head, _, tail = small_file(1, 1, b"file", b"hello")
        for data in (
                content(1, b"hullo"), content(1, b"hello", offset=1), content(1, b"hello", offset=2**63 - 1),
                content(1, b"hello", offset=2**63 - 6), content(2**64 - 1, b"hello"), content(1, b""), content(2, b"hello"),
                content(1, b"hello") * 3, content(1, b"hel") + content(1, b"lo", offset=3), record(3, bytes(983_030))):
            with self.subTest(data=data[:60]):
                found = self.attempt(self.volume_of(head + tail, data))
                if b"file" in found:
                    self.assertEqual(found[b"file"][6], hashlib.sha256(b"hello").hexdigest())

    def test_jobs_that_lie(self):
        head, data, tail = small_file(1, 1, b"file", b"hello")
        groups = [(ATTRIBUTES, directory(1, b"/") + head + tail), (DATA, data)]
        for how in (
                dict(number=2**63 - 1), dict(number=0), dict(number=2**64 - 1), dict(sequence=0), dict(sequence=2**63 - 1),
                dict(base=5), dict(level=9), dict(host=b"\xff\xfe"), dict(tree=b"\0" * 70_000), dict(count=2**32 - 1),
                dict(paths=(b"relative", b"")), dict(host=b"h" * 100_000)):
            with self.subTest(how=how):
                volume = volumes.Volume()
                session = random.Random(4).randbytes(16)
                volume.session(groups, session=session, job_record=volumes.job(session, **how))
                self.attempt(volume)
        volume = volumes.Volume()
        for _ in range(3):
            # One number, three sessions; then a session that says it is another's job.
            volume.session(groups, number=1)
        volume.session(groups, job_record=volumes.job(bytes(range(16))))
        volume.session(groups, job_record=record(16, b""))
        volume.session(groups, number=2, end="f")
        volume.session(groups, number=3, end="?")
        self.assertIn(b"file", self.attempt(volume))

    def test_commits_that_lie(self):
        head, data, tail = small_file(1, 1, b"file", b"hello")
        groups = [(ATTRIBUTES, directory(1, b"/") + head + tail), (DATA, data)]

        def commit(number, *ranges, count=None):
            return record(32, struct.pack("<Q16xII", number, len(ranges) if count is None else count, 0)
                          + b"".join(struct.pack("<IIQQ", attempt, 0, first, last) for attempt, first, last in ranges))
        for payload in (
                commit(1, (1, 1, 2**63 - 1)), commit(2**63 - 1, (1, 1, 2)), commit(0, (1, 1, 2)), commit(1, (1, 2, 1)),
                commit(1, (1, 0, 2**64 - 1)), commit(1, count=2**32 - 1), commit(1), commit(7, (2, 1, 5), (1, 6, 7)),
                commit(3, *[(number, number, number) for number in range(1, 2000)]), record(32, b"")):
            with self.subTest(payload=payload[:60]):
                volume = volumes.Volume()
                volume.session(groups, commit=payload)
                self.attempt(volume)

    def test_blocks_and_labels_that_lie(self):
        head, data, tail = small_file(1, 1, b"file", b"hello")
        groups = [(ATTRIBUTES, directory(1, b"/") + head + tail), (DATA, data)]
        for size in (0, 1, 4096, 8191, 8192, 12_000, 2**31, 2**32 - 1):
            with self.subTest(block_size=size):
                volume = volumes.Volume(block_size=size)
                volume.session(groups)
                self.attempt(volume)
        session = bytes(range(16))
        for options in (
                dict(number=2**32), dict(number=2**64 - 1), dict(number=0), dict(length=2**32 - 1), dict(length=0),
                dict(length=79), dict(first=5, last=1), dict(first=2**63, last=2**63)):
            with self.subTest(options=options):
                volume = volumes.Volume()
                volume.session(groups)
                volume.block(volumes.GROUPS, b"no group at all", session, **options)
                volume.block(volumes.LABEL, b"a second label", session)
                volume.block(77, b"unknown", session)
                volume.block(volumes.END, b"", session)
                self.assertIn(b"file", self.attempt(volume))

    def test_random_bytes_behind_right_checksums(self):
        generator = random.Random(int(os.environ["VAULT_SEED"]))
        for number in range(25):
            with self.subTest(number=number, seed=os.environ["VAULT_SEED"]):
                head, data, tail = small_file(1, 1, b"file", b"hello" * 20)
                attributes = bytearray(directory(1, b"/") + head + entry(2, 1, b"d", kind=2) + tail)
                for _ in range(generator.randrange(1, 6)):
                    attributes[generator.randrange(len(attributes))] = generator.randrange(256)
                self.attempt(self.volume_of(bytes(attributes), data))
