"""An awkward tree: every kind of file, odd names, odd times, and what may not be read, as root and as an ordinary user."""

import os
import shutil
import socket
import stat
import unicodedata

import program
import trees
from suite import SystemTest

SECOND = 10**9
NOBODY = 65534
#: Before 1970, before 1901's end of 32 bits, after 2038's and after 2106's.
MOMENTS = (-SECOND, -1, -2_147_483_648 * SECOND + 7, -2_147_483_000 * SECOND + 999_999_999, 0, 1, 2**31 * SECOND + 123_456_789,
           2**32 * SECOND + 1, 7_258_118_400 * SECOND + 987_654_321)
NAMES = (b"plain", b"\xff\xfe invalid \x80", b"new\nline", b"\x01\x1b[31m\x7f", b" ", b"-rf", b"*?[a]\\", b"'\"$(x)`", b"%41=%", b"x" * 255,
         "é".encode() * 127, unicodedata.normalize("NFC", "Å é ñ").encode(), unicodedata.normalize("NFD", "Å é ñ").encode(),
         "漢字".encode(), b"..a", b"...", b"a.", b"~", b"#x#", b"CON", b"\xed\xa0\x80")


class Awkward(SystemTest):
    weight = 4

    def setUp(self):
        super().setUp()
        os.mkdir(self.source)
        self.root = os.fsencode(self.source)

    def at(self, *names):
        return os.path.join(self.root, *names)

    def make_special_files(self, owner=None):
        os.mkdir(self.at(b"special"))
        os.mkfifo(self.at(b"special", b"fifo"), 0o620)
        os.link(self.at(b"special", b"fifo"), self.at(b"fifo's other name"))
        os.mknod(self.at(b"special", b"socket"), stat.S_IFSOCK | 0o750)
        bound = socket.socket(socket.AF_UNIX)
        self.addCleanup(bound.close)
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(self.at(b"special"))
            bound.bind("bound and listening")
            bound.listen()
        finally:
            os.fchdir(here)
            os.close(here)
        if os.geteuid() == 0 and owner is None:
            for name, kind, major, minor in (("null", stat.S_IFCHR, 1, 3), ("disk", stat.S_IFBLK, 7, 200),
                                             ("far", stat.S_IFCHR, 511, 70_000), ("none", stat.S_IFBLK, 259, 1_048_575)):
                os.mknod(self.at(b"special", name.encode()), kind | 0o640, os.makedev(major, minor))
            os.chown(self.at(b"special", b"null"), 3, 4)
            os.link(self.at(b"special", b"null"), self.at(b"special", b"null's twin"))

    def make_tree(self, owner=None):
        """The tree; `owner` gets it all."""
        os.makedirs(self.at(b"empty", b"nothing in here"))
        self.make_special_files(owner)
        os.mkdir(self.at(b"names"))
        for number, name in enumerate(NAMES):
            trees.write_file(self.at(b"names", name), b"%d" % number)
            os.makedirs(self.at(b"directories", name, name))
            os.symlink(name, self.at(b"directories", name, b"link"))
        os.makedirs(self.at(b"modes"))
        for mode in (0o0, 0o1, 0o444, 0o777, 0o4755, 0o2755, 0o6711, 0o1644, 0o7777, 0o4000):
            trees.write_file(self.at(b"modes", b"f%o" % mode), b"mode", mode)
            if mode & 0o500 == 0o500 or (os.geteuid() == 0 and owner is None):
                os.mkdir(self.at(b"modes", b"d%o" % mode))
                trees.write_file(self.at(b"modes", b"d%o" % mode, b"inside"), b"inside")
                os.chmod(self.at(b"modes", b"d%o" % mode), mode)
        for size in (0, 1, 4096, 70_000, 3 << 20):
            trees.write_file(self.at(b"size %d" % size), b"%d " % size * (size // 2) if size > 1 else b"x" * size)
        os.link(self.at(b"size 70000"), self.at(b"empty", b"linked across"))
        os.link(self.at(b"size 3145728"), self.at(b"names", b"linked across"))
        os.link(self.at(b"size 0"), self.at(b"empty", b"empty and linked"))
        for target in (b"names", b"../..", b"/", b"/dev/null", b"nowhere\n\xff", b"x" * 4095, b"loop"):
            os.symlink(target, self.at(b"link to " + target[:9].replace(b"/", b"_")))
        if os.geteuid() == 0 and owner is None:
            for number, name in enumerate((b"size 1", b"size 70000", b"empty", b"special/fifo", b"special/socket", b"link to loop")):
                os.lchown(self.at(name), 70_000 + number, 4_000_000_000 + number)
            # Changing the owner takes setuid away.
            os.chown(self.at(b"modes", b"f4755"), 1234, 5678)
            os.chmod(self.at(b"modes", b"f4755"), 0o6755)
        if owner is not None:
            self.give_away(owner)

    def give_away(self, owner):
        for top, directories, files in os.walk(self.root, topdown=False):
            for name in files + directories:
                path = os.path.join(top, name)
                mode = os.lstat(path).st_mode
                os.lchown(path, owner, owner)
                if not stat.S_ISLNK(mode):
                    os.chmod(path, stat.S_IMODE(mode))
        os.chown(self.root, owner, owner)

    def set_times(self):
        """Gives every path an odd time of modification and of access; returns them by path relative to the source."""
        paths = [os.path.join(top, name) for top, directories, files in os.walk(self.root, topdown=False)
                 for name in files + directories] + [self.root]
        for number, path in enumerate(paths):
            modified = MOMENTS[number % len(MOMENTS)]
            # A time of access before that of modification is what a reader would change.
            os.utime(path, ns=(modified - 5 * SECOND if modified > 0 else modified, modified), follow_symlinks=False)
        # What a file system does not hold, it rounds: what counts is what it says now.
        return {os.path.relpath(path, self.root): os.lstat(path) for path in paths}

    def assertTimes(self, expected, root, but=()):
        for path, status in expected.items():
            now = os.lstat(os.path.join(os.fsencode(root), path))
            if stat.S_IFMT(status.st_mode) in but:
                continue
            self.assertEqual((now.st_mtime_ns, now.st_atime_ns), (status.st_mtime_ns, status.st_atime_ns), path)

    def test_as_root(self):
        self.require_root()
        self.make_tree()
        times = self.set_times()
        report = self.backup()
        self.assertEqual((report["status"], report["problems"]), ("T", []))
        # Nobody can read a link without leaving a trace.
        self.assertTimes(times, self.source, but=(stat.S_IFLNK,))
        for name, options in (("full", ()), ("incremental", ("--level", "incremental"))):
            if options:
                self.let_time_pass()
                trees.write_file(self.at(b"size 1"), b"y")
                os.unlink(self.at(b"special", b"disk"))
                os.mkfifo(self.at(b"special", b"disk"))
                os.rename(self.at(b"special", b"far"), self.at(b"special", b"farther"))
                times = self.set_times()
                self.let_time_pass()
                report = self.backup(*options)
                self.assertEqual((report["status"], report["problems"]), ("T", []))
            expected = trees.describe(self.source)
            restored = self.restore(name)
            # First what reading would change, then everything else.
            self.assertTimes(times, restored)
            self.assertSameTree(expected, restored, name)
            self.assertEqual(trees.rsync_differences(self.source, restored), [], name)
        self.assertEqual(report["entriesSeen"], self.entries_of(expected))
        rows = {row["path"]: row["type"] for row in self.expect(program.listing(self.repository)).json}
        for name, kind in (("fifo", "fifo"), ("socket", "socket"), ("null", "characterDevice"), ("none", "blockDevice")):
            self.assertEqual(rows[f"{self.source}/special/{name}"], kind)

    def test_nothing_waits_for_a_writer(self):
        """A fifo and a device are never opened: a backup of them ends, and takes nothing out of them."""
        self.make_special_files()
        reader = os.open(self.at(b"special", b"fifo"), os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        os.write(reader, b"for somebody else")
        self.backup()
        self.assertEqual(os.read(reader, 100), b"for somebody else")

    # ---- As an ordinary user

    def as_user(self, *arguments):
        """Runs the binary as an ordinary user; root becomes one, with a copy of the binary that this user may run."""
        if os.geteuid() != 0:
            return program.run(*arguments)
        os.chmod(self.directory, 0o755)
        copy = self.path("vault")
        if not os.path.exists(copy):
            shutil.copy(program.BINARY, copy)
            os.chmod(copy, 0o755)
            os.mkdir(self.path("mine"))
            os.chown(self.path("mine"), NOBODY, NOBODY)
        return program.run(*arguments, user=NOBODY, binary=copy)

    def mine(self, name):
        if os.geteuid() == 0:
            return self.path("mine", name)
        os.makedirs(self.path("mine"), exist_ok=True)
        return self.path("mine", name)

    def make_unreadable(self, owner):
        """Things that an ordinary user may not read, and the reasons that must be given: path to sign."""
        os.makedirs(self.at(b"closed", b"inside"))
        trees.write_file(self.at(b"closed", b"file"), b"unseen")
        os.makedirs(self.at(b"passable"))
        trees.write_file(self.at(b"passable", b"file"), b"unseen")
        os.makedirs(self.at(b"listable"))
        trees.write_file(self.at(b"listable", b"file"), b"unseen")
        os.makedirs(self.at(b"open"))
        trees.write_file(self.at(b"open", b"unreadable"), b"unseen")
        trees.write_file(self.at(b"open", b"readable"), b"seen")
        if owner is not None:
            self.give_away(owner)
        os.chmod(self.at(b"open", b"unreadable"), 0)
        for name, mode in ((b"closed", 0), (b"passable", 0o111), (b"listable", 0o444)):
            os.chmod(self.at(name), mode)
            self.addCleanup(os.chmod, self.at(name), 0o755)
        return {"closed", "passable", "listable/file", "open/unreadable"}

    def owner(self):
        return NOBODY if os.geteuid() == 0 else None

    def test_as_an_ordinary_user(self):
        self.make_tree(self.owner())
        os.chmod(self.at(b"modes", b"f0"), 0o400)
        for name in (b"f1", b"f4000"):
            os.unlink(self.at(b"modes", name))
        times = self.set_times()
        repository = self.mine("repository")
        outcome = self.as_user("local", "backup", self.source, "--to", repository, "--json")
        self.assertEqual(self.expect(outcome).json["problems"], [])
        self.assertTimes(times, self.source, but=(stat.S_IFLNK,))
        expected = trees.describe(self.source)
        outcome = self.as_user("local", "restore", "--from", repository, "--to", self.mine("restored"), "--json")
        self.assertEqual(self.expect(outcome, program.DONE, program.PROBLEMS).json["problems"], self.foreign_problems(outcome))
        restored = self.mine("restored") + self.source
        self.assertTimes(times, restored)
        self.assertSameTree(expected, restored)
        self.assertEqual(trees.rsync_differences(self.source, restored), [])

    def foreign_problems(self, outcome):
        """Problems with the directories above the source, which the user does not own."""
        return [problem for problem in outcome.json["problems"] if not problem["path"].startswith(self.source)]

    def test_what_may_not_be_read_is_named(self):
        trees.write_file(self.at(b"seen"), b"seen")
        unreadable = self.make_unreadable(self.owner())
        repository = self.mine("repository") if os.geteuid() != 0 else self.path("mine", "repository")
        for turn in ("full", "incremental"):
            outcome = self.as_user("local", "backup", self.source, "--to", repository, "--json")
            report = self.expect(outcome, program.PROBLEMS).json
            self.assertEqual(report["status"], "W")
            named = {os.path.relpath(problem["path"], self.source): problem["reason"] for problem in report["problems"]}
            self.assertEqual(set(named), unreadable, turn)
            for path, reason in named.items():
                self.assertIn("ermission denied", reason, path)
        outcome = self.as_user("local", "restore", self.source, "--from", repository, "--to", self.mine("restored"), "--json")
        self.expect(outcome, program.DONE, program.PROBLEMS)
        restored = self.mine("restored") + self.source
        for name in (b"closed", b"passable", b"listable"):
            self.addCleanup(os.chmod, os.path.join(os.fsencode(restored), name), 0o755)
        if os.geteuid() == 0:
            expected = {path: entry for path, entry in trees.describe(self.source).items()
                        if os.fsdecode(path) not in unreadable - {"closed", "passable"}
                        and not path.startswith((b"closed/", b"passable/"))}
            self.assertSameTree(expected, restored)

    def test_saved_by_root_restored_by_a_user(self):
        """What an ordinary user cannot make or set is named; the rest is there, and acts as nobody else."""
        self.require_root()
        self.make_tree()
        for name in (b"f0", b"f1", b"f4000"):
            os.unlink(self.at(b"modes", name))
        repository = self.path("repository")
        self.backup()
        os.chmod(self.directory, 0o755)
        for top, directories, files in os.walk(repository):
            os.chown(top, NOBODY, NOBODY)
            for name in files:
                os.chown(os.path.join(top, name), NOBODY, NOBODY)
        outcome = self.as_user("local", "restore", self.source, "--from", repository, "--to", self.mine("restored"), "--json")
        self.expect(outcome, program.PROBLEMS)
        named = {problem["path"] for problem in outcome.json["problems"]}
        restored = self.mine("restored") + self.source
        expected, found = trees.describe(self.source), trees.describe(restored)
        devices = {path for path, entry in expected.items() if entry[0] in (stat.S_IFCHR, stat.S_IFBLK)}
        for path in devices:
            self.assertIn(self.source + "/" + os.fsdecode(path), named)
        self.assertEqual(set(expected) - set(found), devices)
        for path, entry in found.items():
            self.assertEqual((entry[0], entry[4], entry[6]), (expected[path][0], expected[path][4], expected[path][6]), path)
            self.assertEqual(entry[2], NOBODY, path)
            if entry[0] == stat.S_IFREG:
                self.assertEqual(entry[1] & 0o6000, 0, f"{path!r} would run as somebody else")

    # ---- Many

    def test_fifty_thousand_entries_in_one_directory(self):
        os.mkdir(self.at(b"many"))
        descriptor = os.open(self.at(b"many"), os.O_RDONLY)
        for number in range(50_000):
            name = b"%05d-" % (number * 7919 % 50_000) + b"n" * 200
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=descriptor))
        os.close(descriptor)
        before = len(os.listdir(self.at(b"many")))
        report = self.backup()
        self.assertEqual((report["regularFilesSeen"], report["problems"]), (before, []))
        self.assertEqual(self.backup()["bytesRead"], 0)
        restored = self.restore("restored")
        self.assertEqual(sorted(os.listdir(os.path.join(restored, "many"))), sorted(os.listdir(self.source + "/many")))
