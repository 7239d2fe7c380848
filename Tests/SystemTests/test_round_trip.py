"""What goes in comes out: every kind of file that this version saves, through backup and restore."""

import os
import random

import program
import trees
from suite import SystemTest

MIB = 1 << 20


class RoundTrip(SystemTest):
    weight = 5

    def round_trip(self, *options):
        report = self.backup(*options)
        self.assertEqual(report["problems"], [])
        self.assertEqual((report["level"], report["status"]), ("full", "T"))
        self.assertRestoresEqual("restored")
        return report

    def test_types_modes_owners_and_times(self):
        os.makedirs(os.path.join(self.source, "a", "b", "c"))
        os.makedirs(os.path.join(self.source, "empty"))
        names = []
        for number, mode in enumerate((0o644, 0o600, 0o000, 0o777, 0o755, 0o4755, 0o2755, 0o1644, 0o444)):
            name = os.path.join(self.source, "a", f"mode-{mode:o}")
            trees.write_file(name, b"x" * number, mode)
            names.append(name)
        for number, mode in enumerate((0o700, 0o555, 0o2775, 0o1777)):
            os.mkdir(os.path.join(self.source, f"dir-{mode:o}"))
            trees.write_file(os.path.join(self.source, f"dir-{mode:o}", "f"), b"y")
            os.chmod(os.path.join(self.source, f"dir-{mode:o}"), mode)
        os.symlink("a/b", os.path.join(self.source, "link"))
        os.symlink("/nonexistent/" + "n" * 900, os.path.join(self.source, "long link"))
        os.symlink("\udcff\udcfe", os.path.join(self.source, "odd link"))
        if os.geteuid() == 0:
            os.chown(names[0], 12345, 54321)
            os.chown(os.path.join(self.source, "empty"), 1, 2)
            os.chown(os.path.join(self.source, "link"), 7, 8, follow_symlinks=False)
            os.chmod(names[5], 0o4755)
        trees.settle(self.source)
        for name, moment in zip(names, (0, 1, -1, 999_999_999, 2**31 * 10**9 + 5, -86400 * 10**9 + 7)):
            os.utime(name, ns=(moment, moment))
        report = self.round_trip()
        described = trees.describe(self.source)
        self.assertEqual(report["entriesSeen"], self.entries_of(described))
        self.assertEqual(report["regularFilesSeen"], sum(entry[0] == 0o100000 for entry in described.values()))

    def test_hard_links(self):
        for directory in ("one", "two", "three"):
            os.makedirs(os.path.join(self.source, directory))
        first = os.path.join(self.source, "one", "z-last-name")
        trees.write_file(first, os.urandom(300_000))
        for name in ("one/a", "two/b", "three/c", "top"):
            os.link(first, os.path.join(self.source, name))
        os.symlink("target", os.path.join(self.source, "symbolic"))
        os.link(os.path.join(self.source, "symbolic"), os.path.join(self.source, "symbolic-twin"), follow_symlinks=False)
        report = self.round_trip()
        self.assertLess(report["bytesStored"], 2 * 300_000, "content of a hard link is stored once")

    def test_hard_links_of_a_file_of_several_groups(self):
        os.makedirs(os.path.join(self.source, "sub"))
        trees.write_file(os.path.join(self.source, "a"), random.Random(1).randbytes(5 * MIB + 3))
        os.link(os.path.join(self.source, "a"), os.path.join(self.source, "sub", "b"))
        report = self.round_trip()
        self.assertLess(report["bytesStored"], 6 * MIB)
        restored = self.restore("part", os.path.join(self.source, "sub"))
        self.assertEqual(trees.describe(os.path.join(restored, "sub"))[b"b"][6], trees.describe(self.source)[b"a"][6])

    def test_link_whose_partner_is_not_selected_becomes_a_file(self):
        os.makedirs(os.path.join(self.source, "kept"))
        trees.write_file(os.path.join(self.source, "a"), b"common")
        os.link(os.path.join(self.source, "a"), os.path.join(self.source, "kept", "b"))
        self.backup()
        restored = self.restore("restored", os.path.join(self.source, "kept"))
        with open(os.path.join(restored, "kept", "b"), "rb") as stream:
            self.assertEqual(stream.read(), b"common")
        self.assertEqual(os.listdir(restored), ["kept"])

    def test_names_are_bytes(self):
        names = [b"plain", b"\xff\xfe\x80", b"new\nline", b"tab\t\x01\x1b[31m", b" blank ", b"-n", b"*?[x]", "ü–漢".encode(),
                 b"'\"\\", b"%41", b"x" * 255, b"a-c", b"a.b", b"a", b"..dots", b".hidden", b"CON", b"\x7f\xc3"]
        root = os.fsencode(self.source)
        os.makedirs(root)
        for number, name in enumerate(names):
            trees.write_file(os.path.join(root, name), b"%d" % number)
        for name in names[:8]:
            os.makedirs(os.path.join(root, b"directories", name, b"below"))
            trees.write_file(os.path.join(root, b"directories", name, b"below", name), name)
        self.round_trip()
        import base64
        shown = {}
        for row in self.expect(program.listing(self.repository)).json:
            path = base64.b64decode(row["pathBytes"]) if "pathBytes" in row else row["path"].encode()
            shown[path] = row
        expected = trees.describe(self.source)
        self.assertEqual({path for path in shown if path.startswith(root + b"/")},
                         {root + b"/" + path for path in expected if path})
        for path, row in shown.items():
            self.assertEqual("pathBytes" in row, not is_utf8(path), path)
        plain = program.run("local", "ls", "--from", self.repository)
        self.assertNotIn(b"\x1b", self.expect(plain).output, "control characters are shown escaped")

    def test_paths_longer_than_the_system_takes(self):
        os.makedirs(self.source)
        descriptor = os.open(self.source, os.O_RDONLY)
        for depth in range(40):
            name = f"{depth:02}-" + "d" * 197
            os.mkdir(name, dir_fd=descriptor)
            below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
            file = os.open("file", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=descriptor)
            os.write(file, b"%d" % depth)
            os.close(file)
        os.close(descriptor)
        report = self.backup()
        self.assertEqual((report["status"], report["regularFilesSeen"]), ("T", 40))
        self.assertRestoresEqual("restored", expected=trees.describe(self.source))

    def test_sizes_around_every_boundary(self):
        os.makedirs(self.source)
        generator = random.Random(7)
        edges = (0, 1, 2, 511, 512, 4095, 4096, 4097, 65535, 65536, 960 * 1024 - 1, 960 * 1024, 960 * 1024 + 1,
                 MIB - 8192, MIB - 1, MIB, MIB + 1, 2 * 960 * 1024, 3 * MIB + 17)
        for size in edges:
            trees.write_file(os.path.join(self.source, f"random-{size}"), generator.randbytes(size))
            trees.write_file(os.path.join(self.source, f"zero-{size}"), bytes(size))
            text = (b"%d line of text that compresses\n" % size) * (size // 30 + 1)
            trees.write_file(os.path.join(self.source, f"text-{size}"), text[:size])
        self.round_trip()

    def test_many_small_files(self):
        for number in range(3000):
            directory = os.path.join(self.source, f"d{number % 40}", f"e{number % 7}")
            os.makedirs(directory, exist_ok=True)
            trees.write_file(os.path.join(directory, f"f{number}"), b"%d" % number * (number % 300))
        self.round_trip("--commit-size", "64K")

    def test_several_source_paths(self):
        for name in ("one", "two/deep", "three"):
            os.makedirs(self.path("source", name))
            trees.write_file(self.path("source", name, "file"), name.encode())
        trees.write_file(self.path("source", "lonely"), b"a file by itself")
        given = [self.path("source", name) for name in ("two/deep", "one", "lonely")]
        self.backup(paths=given)
        restored = self.restore("restored")
        self.assertEqual(sorted(os.listdir(restored)), ["lonely", "one", "two"])
        for name in ("one", "two/deep"):
            self.assertSameTree(trees.describe(self.path("source", name)), os.path.join(restored, name))
        self.assertEqual(self.backup(paths=list(reversed(given)))["level"], "incremental", "their order is no matter")

    def test_relative_and_untidy_paths(self):
        os.makedirs(self.path("source", "sub"))
        trees.write_file(self.path("source", "sub", "file"), b"content")
        outcome = program.run("local", "backup", "./source//sub/../", "--to", "repository", directory=self.directory)
        self.expect(outcome)
        self.assertRestoresEqual("restored")


class LargeFile(SystemTest):
    weight = 20

    def test_large_file(self):
        os.makedirs(self.source)
        generator = random.Random(3)
        with open(os.path.join(self.source, "large"), "wb") as stream:
            for number in range(50):
                stream.write(generator.randbytes(2 * MIB))
                stream.write(b"%09d " % number * (2 * MIB // 10))
        report = self.backup("--commit-size", "32M")
        size = os.path.getsize(os.path.join(self.source, "large"))
        self.assertEqual((report["bytesRead"], report["bytesSeen"]), (size, size))
        self.assertLess(report["bytesStored"], size * 6 // 10)
        self.assertRestoresEqual("restored")


def is_utf8(raw):
    try:
        raw.decode()
        return True
    except UnicodeDecodeError:
        return False
