"""Extended attributes, access control lists, capabilities, inode flags and owners by name, compared with what getfattr, getfacl,
lsattr, getcap and rsync say."""

import os
import random
import subprocess
import time

import program
import trees
from suite import SystemTest

NOBODY = 65534


def tool(*words, directory=None, check=True):
    done = subprocess.run(words, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode(errors="surrogateescape")


def attributes(root):
    """All extended attributes below a directory, in getfattr's words, a paragraph for each file that has any."""
    return sorted(tool("getfattr", "-h", "-d", "-m", "-", "-e", "hex", "-R", ".", directory=root).split("\n\n"))


def lists(root):
    return sorted(tool("getfacl", "-R", "-n", ".", directory=root).split("\n\n"))


def flags(root):
    """The inode flags of regular files and directories; e is how ext4 keeps blocks."""
    found = {}
    for line in tool("lsattr", "-R", "-a", ".", directory=root, check=False).splitlines():
        words = line.split(" ", 1)
        if len(words) == 2 and words[1].startswith("./") and not words[1].endswith("/.."):
            found[words[1]] = words[0].replace("e", "-")
    return found


class Attributes(SystemTest):
    weight = 4

    def setUp(self):
        super().setUp()
        os.makedirs(self.source)
        # Flags that forbid removing go before the directory does.
        self.addCleanup(subprocess.run, ["chattr", "-R", "-f", "-i", "-a", self.directory], stdin=subprocess.DEVNULL,
                        capture_output=True, check=False)

    def file(self, name, content=b"content"):
        path = os.path.join(self.source, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        trees.write_file(path, content)
        return path

    def needs_attributes(self, path):
        try:
            os.setxattr(path, "user.probe", b"")
            os.removexattr(path, "user.probe")
        except OSError as error:
            self.skipTest(f"no extended attributes here: {error}")

    def assertSameAttributes(self, restored, source=None):
        source = source or self.source
        self.assertEqual(attributes(source), attributes(restored))
        self.assertEqual(lists(source), lists(restored))
        self.assertEqual(flags(source), flags(restored))
        differing = [line for line in tool("rsync", "-aHAXn", "--itemize-changes", "--delete", source + "/",
                                           restored + "/").splitlines() if line]
        self.assertEqual(differing, [])

    def make_attributed(self, is_root):
        first = self.file("file")
        self.needs_attributes(first)
        os.setxattr(first, "user.empty", b"")
        os.setxattr(first, "user.bytes", bytes(range(256)))
        os.setxattr(first, "user." + "n" * 250, b"long name")
        os.setxattr(self.file("read-only"), "user.a", b"1")
        os.chmod(os.path.join(self.source, "read-only"), 0o444)
        os.makedirs(os.path.join(self.source, "directory", "below"))
        os.setxattr(os.path.join(self.source, "directory"), "user.d", b"of a directory")
        large = self.file("large", os.urandom(3 << 20))
        os.setxattr(large, "user.large", os.urandom(1500))
        os.link(large, os.path.join(self.source, "directory", "large-too"))
        os.symlink("file", os.path.join(self.source, "link"))
        os.mkfifo(os.path.join(self.source, "pipe"))
        tool("setfacl", "-m", f"u:{NOBODY}:rw,g:60:r,m:rw", self.file("listed"))
        tool("setfacl", "-m", "u:12:---,m:r", self.file("masked"))
        tool("setfacl", "-d", "-m", f"u:{NOBODY}:rwx", os.path.join(self.source, "directory"))
        if is_root:
            os.setxattr(first, "trusted.t", b"for root")
            os.setxattr(os.path.join(self.source, "link"), "trusted.l", b"", follow_symlinks=False)
            os.setxattr(os.path.join(self.source, "pipe"), "trusted.p", b"pipe", follow_symlinks=False)
            os.chown(self.file("capable"), 12, 60)
            os.chmod(os.path.join(self.source, "capable"), 0o4755)
            tool("setcap", "cap_net_raw,cap_chown+ep", os.path.join(self.source, "capable"))

    def test_everything_as_root(self):
        self.require_root()
        self.make_attributed(is_root=True)
        trees.settle(self.source)
        report = self.backup()
        self.assertEqual((report["problems"], report["status"]), ([], "T"))
        restored = self.assertRestoresEqual("restored")
        self.assertSameAttributes(restored)
        self.assertIn("cap_chown,cap_net_raw=ep", tool("getcap", os.path.join(restored, "capable")))

    def many_directories(self, below, count):
        """Directories of more than one batch of a restore's plan, each with a mode and a time of its own."""
        parent = os.path.join(self.source, below)
        os.makedirs(parent)
        for number in range(count):
            path = os.path.join(parent, f"d{number:05}")
            os.mkdir(path)
            trees.write_file(os.path.join(path, "f"), b"inside")
        trees.settle(self.source)
        for number in range(count):
            path = os.path.join(parent, f"d{number:05}")
            os.chmod(path, 0o700 | number & 0o77)
            os.utime(path, ns=(0, 1_000_000_000 * number + number))
        return parent

    def test_directories_of_several_batches(self):
        self.many_directories("many", 2500)
        self.backup()
        self.assertRestoresEqual("restored")

    def test_directories_one_of_which_is_closed(self):
        parent = self.many_directories("many", 600)
        os.chmod(os.path.join(parent, "d00300"), 0o600)
        os.chmod(parent, 0o644)
        self.backup()
        self.assertRestoresEqual("restored")

    def test_directories_of_several_batches_one_of_which_has_attributes(self):
        parent = self.many_directories("many", 2500)
        self.needs_attributes(parent)
        os.setxattr(os.path.join(parent, "d02300"), "user.d", b"of a directory")
        self.backup()
        self.assertSameAttributes(self.assertRestoresEqual("restored"))

    def test_directories_with_long_paths(self):
        # More than a restore remembers.
        self.many_directories(os.path.join(*(letter * 250 for letter in "abcde")), 3600)
        self.backup()
        self.assertRestoresEqual("restored")

    def test_an_incremental_brings_changes_only(self):
        self.make_attributed(is_root=os.geteuid() == 0)
        trees.settle(self.source)
        self.let_time_pass()
        self.backup()
        self.let_time_pass()
        os.setxattr(os.path.join(self.source, "file"), "user.empty", b"not any more")
        os.removexattr(os.path.join(self.source, "read-only"), "user.a")
        os.rename(os.path.join(self.source, "large"), os.path.join(self.source, "moved"))
        self.let_time_pass()
        report = self.backup()
        self.assertEqual(report["level"], "incremental")
        self.assertLess(report["bytesStored"], 100_000, "no content is stored again")
        self.assertSameAttributes(self.assertRestoresEqual("restored"))
        before = self.restore("before", options=("--job", "1"))
        self.assertEqual(os.getxattr(os.path.join(before, "file"), "user.empty"), b"")
        self.assertEqual(os.getxattr(os.path.join(before, "read-only"), "user.a"), b"1")
        self.assertEqual(len(os.getxattr(os.path.join(before, "directory", "large-too"), "user.large")), 1500)

    def test_a_catalog_made_from_volumes_knows_them(self):
        self.make_attributed(is_root=os.geteuid() == 0)
        trees.settle(self.source)
        self.backup()
        again = self.path("again")
        self.expect(program.scan(again, os.path.join(self.repository, "volumes")))
        os.rename(os.path.join(self.repository, "volumes"), os.path.join(again, "volumes"))
        restored = self.restore("restored", repository=again)
        self.assertSameAttributes(restored)

    def test_large_values_and_long_lists(self):
        place = self.mount(64 << 20)
        names = {"one": [65_536], "many": [65_536] * 40, "several": [1, 0, 40_000, 65_536]}
        for name, sizes in names.items():
            path = os.path.join(place, name)
            trees.write_file(path, name.encode())
            for number, size in enumerate(sizes):
                os.setxattr(path, f"trusted.v{number:02}", os.urandom(size))
        trees.settle(place)
        report = self.backup(paths=[place])
        self.assertEqual(report["problems"], [])
        target = self.mount(65 << 20)
        self.expect(program.restore(self.repository, target))
        self.assertTrue(attributes(place) == attributes(target + place), "some values differ")

    def test_inode_flags(self):
        self.require_root()
        self.takes_flags()
        for name, letter in (("still", "i"), ("growing", "a"), ("unread", "A"), ("synchronous", "S")):
            tool("chattr", "+" + letter, self.file(name))
        os.makedirs(os.path.join(self.source, "still-directory"))
        trees.write_file(os.path.join(self.source, "still-directory", "file"), b"inside")
        twin = self.file("twin")
        os.link(twin, os.path.join(self.source, "twin-too"))
        tool("chattr", "+iA", twin)
        tool("chattr", "+i", os.path.join(self.source, "still-directory"))
        self.assertEqual(self.backup()["problems"], [])
        restored = self.restore("restored")
        self.assertEqual(flags(self.source), flags(restored))
        self.assertEqual(os.stat(os.path.join(restored, "twin")).st_nlink, 2)
        # A second restore meets what is immutable, says so and changes nothing.
        outcome = self.expect(program.restore(self.repository, self.path("restored")), 1)
        told = " ".join(problem["path"] + problem["reason"] for problem in outcome.json["problems"])
        self.assertIn("still", told)
        self.assertEqual(flags(self.source), flags(restored))
        with open(os.path.join(restored, "still"), "rb") as stream:
            self.assertEqual(stream.read(), b"content")

    def takes_flags(self):
        probe = self.file("probe")
        done = subprocess.run(["chattr", "+A", probe], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        os.remove(probe)
        if done.returncode:
            self.skipTest(f"no inode flags here: {done.stderr.decode().strip()}")
        return True

    def test_what_is_flagged_no_dump_is_left_out(self):
        self.takes_flags()
        self.file("kept")
        tool("chattr", "+d", self.file("left"))
        os.makedirs(os.path.join(self.source, "left-directory"))
        trees.write_file(os.path.join(self.source, "left-directory", "file"), b"inside")
        tool("chattr", "+d", os.path.join(self.source, "left-directory"))
        self.backup()
        self.assertEqual(os.listdir(self.restore("restored")), ["kept"])
        # What is flagged later is deleted from then on; a path that is named is saved all the same.
        tool("chattr", "-d", os.path.join(self.source, "left"))
        self.assertEqual(self.backup()["new"], 1)
        tool("chattr", "+d", os.path.join(self.source, "left"))
        self.assertEqual(self.backup()["deleted"], 1)
        named = os.path.join(self.source, "left-directory")
        self.backup("--name", "named", paths=[named])
        self.expect(program.restore(self.repository, self.path("named"), options=("--name", "named")))
        self.assertEqual(os.listdir(self.path("named") + named), ["file"])

    def test_many_files_with_an_attribute_each(self):
        for number in range(1000):
            path = self.file(f"{number % 10}/{number}", b"%d" % number)
            if number == 0:
                self.needs_attributes(path)
            os.setxattr(path, "user.same", b"shared")
            if number % 2:
                os.setxattr(path, "user.own", b"%d" % number)
        trees.settle(self.source)
        self.assertEqual(self.backup("--commit-size", "64K")["problems"], [])
        self.assertSameAttributes(self.assertRestoresEqual("restored"))
        one = os.path.join(self.source, "7", "777")
        self.restore("one", one)
        self.assertEqual(os.getxattr(self.path("one") + one, "user.own"), b"777")

    def test_names_win_over_numbers(self):
        self.require_root()
        path = self.file("file")
        os.chown(path, 12345, 12346)
        # The names that the numbers have where the backup is made, and other numbers for them where it is restored.
        with_names = self.accounts("first", "12345", "12346")
        with_others = self.accounts("second", "23451", "23452")
        self.expect(self.with_accounts(with_names, "backup", self.source, "--to", self.repository, "--quiet"))
        for accounts, options, expected in (
                (with_others, (), (23451, 23452)), (with_others, ("--numeric-ids",), (12345, 12346)),
                (None, (), (12345, 12346))):
            target = self.path(f"to-{expected[0]}-{len(options)}-{accounts is None}")
            self.expect(self.with_accounts(accounts, "restore", "--from", self.repository, "--to", target, *options))
            status = os.stat(target + path)
            self.assertEqual((status.st_uid, status.st_gid), expected, options)

    def accounts(self, name, user, group):
        """Files that stand in for /etc/passwd and /etc/group."""
        os.makedirs(self.path(name))
        for file, line in (("passwd", f"vaulttest:x:{user}:{group}::/:/bin/false"), ("group", f"vaultgroup:x:{group}:")):
            with open("/etc/" + file, "rb") as stream:
                content = stream.read()
            with open(self.path(name, file), "wb") as stream:
                stream.write(content + line.encode() + b"\n")
        return self.path(name)

    def with_accounts(self, accounts, *words):
        if accounts is None:
            return program.run("local", *words)
        script = 'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && shift && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", script, "sh", accounts, program.BINARY, "local", *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if b"unshare" in done.stderr or b"mount:" in done.stderr:
            self.skipTest(f"no mount namespace here: {done.stderr.decode().strip()}")
        return program.Outcome(command, done.returncode, done.stdout, done.stderr)

    # ---- As somebody else

    def as_nobody(self, *words):
        done = subprocess.run([program.BINARY, "local", *words], stdin=subprocess.DEVNULL, capture_output=True,
                              check=False, user=NOBODY, group=NOBODY, extra_groups=[])
        return program.Outcome(words, done.returncode, done.stdout, done.stderr)

    def give_to_nobody(self):
        self.require_root()
        os.chmod(self.directory, 0o755)
        place = self.path("nobody")
        os.makedirs(place)
        tool("chown", "-Rh", f"{NOBODY}:{NOBODY}", place, self.source)
        return place

    def test_an_ordinary_user_saves_and_restores_his_own(self):
        self.make_attributed(is_root=False)
        trees.settle(self.source)
        place = self.give_to_nobody()
        self.expect(self.as_nobody("backup", self.source, "--to", place + "/repository"))
        # A directory on the way belongs to root: its owner is the one thing that cannot be set.
        outcome = self.expect(
            self.as_nobody("restore", self.source, "--from", place + "/repository", "--to", place + "/out", "--json"), 1)
        self.assertEqual([problem["path"] for problem in outcome.json["problems"]], ["/tmp"], outcome)
        self.assertSameAttributes(place + "/out" + self.source)

    def test_what_an_ordinary_user_may_not_set_is_told_once(self):
        self.require_root()
        self.make_attributed(is_root=True)
        for number in range(20):
            os.chown(self.file(f"other/{number}"), 12, 60)
            os.setxattr(os.path.join(self.source, "other", str(number)), "trusted.x", b"%d" % number)
        self.backup()
        place = self.give_to_nobody()
        tool("chown", "-R", f"{NOBODY}:{NOBODY}", self.repository)
        outcome = self.expect(
            self.as_nobody("restore", "--from", self.repository, "--to", place + "/out", "--json"), 1)
        problems = outcome.json["problems"]
        self.assertEqual(len(problems), 2, outcome)
        self.assertEqual(outcome.json["problemCount"], 2)
        for problem, word in zip(problems, ("owner or group", "extended attributes")):
            self.assertIn(word, problem["reason"])
            self.assertIn("Operation not permitted", problem["reason"])
            self.assertIn("entries", problem["reason"])
        restored = place + "/out" + self.source
        self.assertEqual(os.getxattr(os.path.join(restored, "file"), "user.bytes"), bytes(range(256)))
        self.assertEqual(os.stat(os.path.join(restored, "capable")).st_mode & 0o7777, 0o755)
        self.assertEqual(str(lists(self.source)).count("mask"), str(lists(restored)).count("mask"))

    def test_a_file_that_cannot_be_read_has_no_false_attributes(self):
        path = self.file("closed")
        self.needs_attributes(path)
        os.setxattr(path, "user.secret", b"1")
        os.setxattr(self.file("open"), "user.plain", b"2")
        os.mkdir(os.path.join(self.source, "shut"), 0o700)
        place = self.give_to_nobody()
        os.chown(os.path.join(self.source, "shut"), 0, 0)
        tool("setfattr", "-n", "trusted.x", "-v", "1", os.path.join(self.source, "shut"))
        os.chmod(path, 0)
        outcome = self.expect(self.as_nobody("backup", self.source, "--to", place + "/repository", "--json"), 1)
        reasons = {os.path.basename(problem["path"]): problem["reason"] for problem in outcome.json["problems"]}
        self.assertEqual(set(reasons), {"closed", "shut"})
        self.assertIn("Permission denied", reasons["closed"])


class InheritedLists(SystemTest):
    def test_a_target_with_a_default_list_opens_nothing(self):
        os.makedirs(os.path.join(self.source, "sub"))
        for name in ("private", "sub/private"):
            trees.write_file(os.path.join(self.source, name), b"mine", 0o640)
        self.backup()
        target = self.path("target")
        os.makedirs(target)
        tool("setfacl", "-d", "-m", f"u:{NOBODY}:rwx", target)
        self.expect(program.restore(self.repository, target))
        self.assertEqual(lists(self.source), lists(target + self.source))



class Killed(SystemTest):
    weight = 15

    def test_a_job_that_was_killed_goes_on_with_its_attributes(self):
        generator = random.Random(f"{os.environ.get('VAULT_SEED', '1')} attributes")
        for number in range(400):
            path = os.path.join(self.source, f"d{number % 20}", f"f{number}")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            trees.write_file(path, generator.randbytes(20_000))
            os.setxattr(path, "user.same", b"shared")
            if number % 3 == 0:
                os.setxattr(path, "user.own", generator.randbytes(number))
        for number in range(20):
            os.setxattr(os.path.join(self.source, f"d{number}"), "user.directory", b"%d" % (number % 3))
        large = os.path.join(self.source, "d7", "large")
        trees.write_file(large, generator.randbytes(12 << 20))
        os.setxattr(large, "user.large", b"x" * 2000)
        trees.settle(self.source)
        expected = attributes(self.source)
        arguments = ("local", "backup", self.source, "--to", self.repository, "--json", "--commit-size", "256K")
        kills, kept, rounds = 0, 0, 0
        begin = time.monotonic()
        self.backup(repository=self.path("undisturbed"))
        seconds = time.monotonic() - begin
        # How often a job is hit before its end is chance: more rounds, if need be.
        while rounds < 4 or kills < 6 and rounds < 12:
            rounds += 1
            was_hit = False
            while True:
                process = program.start(*arguments, "--level", "full")
                begin, delay = time.monotonic(), generator.uniform(0.0, seconds)
                while process.poll() is None and time.monotonic() - begin < delay:
                    time.sleep(0.002)
                # Every round comes to an end at last.
                if process.poll() is None and kills < 5 * rounds:
                    process.kill()
                    kills += 1
                    was_hit = True
                    program.finish(process, arguments)
                    continue
                report = self.expect(program.finish(process, arguments)).json
                if not was_hit:
                    seconds = time.monotonic() - begin
                break
            kept += report["keptEntries"]
            target = f"round-{rounds}"
            restored = self.assertRestoresEqual(target, ("--job", str(report["job"])))
            self.assertEqual(attributes(restored), expected)
            program.remove(self.path(target))
        self.note(f"{kills} kills, {kept} entries kept")
        self.assertGreater(kills, 5)
        again = self.path("again")
        self.expect(program.scan(again, os.path.join(self.repository, "volumes")))
        os.rename(os.path.join(self.repository, "volumes"), os.path.join(again, "volumes"))
        self.assertEqual(attributes(self.restore("scanned", repository=again)), expected)
