"""What a restore can be asked: patterns, what happens to what is there, where it goes, and what it only says it would do."""

import fnmatch
import hashlib
import os
import pathlib
import random
import stat
import subprocess

import program
import trees
from scenarios import read_count
from suite import SystemTest

MIB = 1 << 20
SEED = int(os.environ.get("VAULT_SEED", "1"))


class Choices(SystemTest):
    weight = 4

    def setUp(self):
        super().setUp()
        os.mkdir(self.source)

    def file(self, name):
        return os.path.join(self.source, name)

    def make(self, *names):
        for name in names:
            os.makedirs(os.path.dirname(self.file(name)), exist_ok=True)
            trees.write_file(self.file(name), name.encode())
        trees.settle(self.source)

    def listed(self, *paths, status=0):
        outcome = self.expect(program.listing(self.repository, *paths), status)
        return [row["path"] for row in outcome.json] if status == 0 else outcome

    def restored(self, target, *paths, options=(), status=0):
        """The report of a restore below a path of the test's directory."""
        return self.expect(program.restore(self.repository, self.path(target), *paths, options=options), status).json

    def content(self, *names):
        with open(self.path(*names), "rb") as stream:
            return stream.read()


class Patterns(Choices):
    def test_patterns_are_as_python_has_them(self):
        generator = random.Random(SEED)
        alphabet = ["a", "b", ".", "ü", "-", " "]
        names = {"".join(generator.choices(alphabet, k=generator.randint(1, 4))) for _ in range(60)} - {".", ".."}
        self.make(*(f"{directory}/{name}" for directory in ("a", "b-", "ü/.b") for name in names))
        self.backup()
        everything = [str(path) for path in pathlib.Path(self.source).rglob("*")]
        pieces = ["a", "b", "ü", ".", "-", "*", "*", "?", "[ab]", "[!a]", "[.-b]", "[ü]"]
        tried = 0
        while tried < 40:
            components = ["".join(generator.choices(pieces, k=generator.randint(1, 4)))
                          for _ in range(generator.randint(1, 3))]
            # Two stars alone stand for any depth here.
            if {".", "..", "**"} & set(components) or os.path.lexists(self.file("/".join(components))):
                continue
            tried += 1

            def is_matched(path):
                parts = os.path.relpath(path, self.source).split("/")
                return len(parts) >= len(components) and all(map(fnmatch.fnmatchcase, parts, components))
            expected = sorted(filter(is_matched, everything))
            pattern = self.file("/".join(components))
            found = self.listed(pattern, status=0 if expected else program.NOT_FOUND)
            if expected:
                self.assertEqual(sorted(found), expected, f"{pattern!r} (VAULT_SEED={SEED})")

    def test_any_depth(self):
        self.make("a/x.c", "a/b/y.c", "a/b/c/z.c", "a/b/c/z.h", "x.c", "d.c/inside")
        self.backup()
        for pattern in ("**/*.c", "a/**/*.c", "**/b/**", "**/c", "a/**"):
            expected = set()
            for match in pathlib.Path(self.source).glob(pattern if pattern[-2:] != "**" else pattern + "/*"):
                expected |= {str(match)} | {str(below) for below in match.rglob("*")}
            self.assertEqual(set(self.listed(self.file(pattern))), expected, pattern)
        restored = self.restore("restored", self.file("**/*.c"))
        found = {os.fsdecode(path) for path, status, _ in trees.walk(restored) if stat.S_ISREG(status.st_mode)}
        self.assertEqual(found, {"a/x.c", "a/b/y.c", "a/b/c/z.c", "x.c", "d.c/inside"})
        for name in ("a", "a/b", "d.c"):
            self.assertEqual(os.stat(os.path.join(restored, name)).st_mtime_ns, os.stat(self.file(name)).st_mtime_ns)

    def test_what_matches_nothing_stops_the_restore(self):
        self.make("a/x", "f1")
        self.backup()
        outcome = program.restore(self.repository, self.path("restored"), self.file("a/*"), self.file("b*"))
        self.refuses(outcome, program.NOT_FOUND, naming=("b*",))
        self.assertFalse(os.path.exists(self.path("restored")))
        self.refuses(program.listing(self.repository, self.file("?")  + "/y*"), program.NOT_FOUND, naming=("y*",))

    def test_a_name_that_looks_like_a_pattern(self):
        self.make("w[1]/f[2]", "w[1]/f2", "w1/f2", "star*", "starfish", "back\\slash")
        self.backup()
        self.assertEqual(self.listed(self.file("w[1]/f[2]")), [self.file("w[1]/f[2]")])
        self.assertEqual(self.listed(self.file("star*")), [self.file("star*")], "a path that is there is no pattern")
        self.assertEqual(self.listed(self.file("star\\*")), [self.file("star*")])
        self.assertEqual(self.listed(self.file("star[!*]*")), [self.file("starfish")])
        self.assertEqual(self.listed(self.file("back\\slash")), [self.file("back\\slash")])
        # The working directory's name is none either.
        for argument, expected in (("f[2]", ["f[2]"]), ("f[12]", ["f2"]), ("f*", ["f2", "f[2]"])):
            outcome = program.run("local", "ls", "--from", self.repository, "--json", argument,
                                  directory=self.file("w[1]"))
            self.assertEqual([row["path"] for row in self.expect(outcome).json],
                             [self.file("w[1]/" + name) for name in expected])

    def test_several_paths_are_listed_once_and_in_order(self):
        self.make("a/b/c", "a/d", "e")
        self.backup()
        found = self.listed(self.file("e"), self.file("a/b"), self.file("a/*"), self.file("a/b/c"))
        self.assertEqual(found, [self.file(name) for name in ("e", "a/b", "a/d", "a/b/c")])

    def test_links_among_many_matches(self):
        self.make("first.c")
        for number in range(6000):
            directory = self.file(f"d{number % 50}")
            os.makedirs(directory, exist_ok=True)
            if number % 3:
                trees.write_file(f"{directory}/f{number}.c", b"%d" % number)
            else:
                os.link(self.file("first.c"), f"{directory}/l{number}.c")
        trees.settle(self.source)
        self.backup()
        restored = self.restore("restored", self.file("**/*.c"))
        self.assertSameTree(trees.describe(self.source), restored)


class Existing(Choices):
    def test_never_keeps_what_is_there_and_says_so(self):
        self.make(*(f"a/f{number:02}" for number in range(30)))
        os.chmod(self.file("a"), 0o755)
        self.backup()
        target = self.restore("restored")
        for number in range(25):
            trees.write_file(f"{target}/a/f{number:02}", b"mine")
        for number in range(25, 30):
            os.unlink(f"{target}/a/f{number:02}")
        os.chmod(f"{target}/a", 0o700)
        report = self.restored("restored", status=program.PROBLEMS)
        self.assertEqual((report["kept"], report["problemCount"], report["files"]), (25, 25, 5))
        self.assertEqual(len(report["problems"]), 10, "the first few are named")
        self.assertEqual(stat.S_IMODE(os.stat(f"{target}/a").st_mode), 0o700, "a directory that is there stays as it is")
        self.assertEqual({self.content(f"{target}/a/f{number:02}") for number in range(25)}, {b"mine"})
        self.assertEqual(self.content(f"{target}/a/f29"), b"a/f29")
        outcome = program.run("local", "restore", "--from", self.repository, "--to", self.path("restored"))
        self.expect(outcome, program.PROBLEMS)
        self.assertIn(b"and 20 problems more", outcome.errors)
        self.assertIn(b"30 problems: exists already", outcome.output)
        self.assertIn(b"--overwrite", outcome.errors)
        self.assertEqual(len(outcome.errors.splitlines()), 12, str(outcome))
        self.assertEqual(self.restored("restored", options=("--overwrite", "always"))["kept"], 0)
        self.assertSameTree(trees.describe(self.source), target)

    def test_newer_also_for_directories(self):
        self.make("a/f", "b/f")
        self.backup()
        target = self.restore("restored")
        os.chmod(f"{target}/a", 0o700)
        os.utime(f"{target}/a", ns=(0, 0))
        os.chmod(f"{target}/b", 0o700)
        report = self.restored("restored", options=("--overwrite", "newer"), status=program.PROBLEMS)
        self.assertEqual(report["kept"], 2, "files of the same time are not older")
        mode = stat.S_IMODE(os.stat(self.file("a")).st_mode)
        self.assertEqual(stat.S_IMODE(os.stat(f"{target}/a").st_mode), mode)
        self.assertEqual(stat.S_IMODE(os.stat(f"{target}/b").st_mode), 0o700)

    def test_a_directory_on_the_way_is_not_what_was_asked_for(self):
        self.make("a/b/f", "a/other")
        self.backup()
        target = self.path("restored") + self.source
        os.makedirs(f"{target}/a")
        os.chmod(f"{target}/a", 0o711)
        self.restored("restored", self.file("a/b"), options=("--overwrite", "always"))
        self.assertEqual(stat.S_IMODE(os.stat(f"{target}/a").st_mode), 0o711)
        self.assertSameTree(trees.describe(self.file("a/b")), f"{target}/a/b")
        program.remove(f"{target}/a")
        os.mkdir(self.path("elsewhere"))
        os.symlink(self.path("elsewhere"), f"{target}/a")
        report = self.restored("restored", self.file("a/b"), options=("--overwrite", "always"), status=program.PROBLEMS)
        self.assertTrue(os.path.islink(f"{target}/a"), "a link on the way is neither followed nor replaced")
        self.assertEqual(os.listdir(self.path("elsewhere")), [])
        self.assertTrue(any("a/b/f" in problem["path"] for problem in report["problems"]), report)

    def test_other_types_in_the_way(self):
        self.make("dir/f", "file", "empty/keep")
        os.symlink("x", self.file("link"))
        self.backup()
        for choice, full, replaced in (("never", 1, False), ("always", 1, True)):
            target = self.path(choice) + self.source
            os.makedirs(f"{target}/file/inside")
            os.makedirs(f"{target}/link")
            trees.write_file(f"{target}/dir", b"mine")
            report = self.restored(choice, options=("--overwrite", choice), status=program.PROBLEMS)
            self.assertTrue(os.path.isdir(f"{target}/file/inside"), "what is in a directory is never removed")
            self.assertEqual(os.path.islink(f"{target}/link"), replaced, "an empty directory makes way")
            self.assertEqual(os.path.isdir(f"{target}/dir"), replaced)
            paths = {problem["path"] for problem in report["problems"]}
            self.assertIn(self.file("file"), paths)
            self.assertEqual(self.file("dir/f") in paths, not replaced)
            self.assertEqual(self.content(f"{target}/empty/keep"), b"empty/keep")
            self.assertNothingHalfDone(target)

    def test_a_kept_name_costs_no_other_name_of_the_file(self):
        self.make("a")
        for name in ("b", "c"):
            os.link(self.file("a"), self.file(name))
        trees.write_file(self.file("large1"), random.Random(2).randbytes(3 * MIB))
        os.link(self.file("large1"), self.file("large2"))
        os.link(self.file("large1"), self.file("large3"))
        trees.settle(self.source)
        self.backup()
        target = self.path("restored") + self.source
        os.makedirs(target)
        for name in ("a", "large1"):
            trees.write_file(f"{target}/{name}", b"mine")
        report = self.restored("restored", status=program.PROBLEMS)
        self.assertEqual(report["kept"], 2)
        for first, second in (("b", "c"), ("large2", "large3")):
            self.assertEqual(self.content(f"{target}/{first}"), self.content(self.file(first)))
            self.assertTrue(os.path.samefile(f"{target}/{first}", f"{target}/{second}"))

    def test_in_place(self):
        self.make("a/changed", "a/deleted", "a/same", "gone/f")
        os.symlink("changed", self.file("a/link"))
        trees.settle(self.source)
        self.backup()
        before = trees.describe(self.source)
        trees.write_file(self.file("a/changed"), b"changed")
        trees.write_file(self.file("a/mine"), b"mine")
        os.unlink(self.file("a/deleted"))
        program.remove(self.file("gone"))

        def in_place(*options, status=0):
            return self.expect(program.restore(self.repository, "/", self.source, options=options), status)
        above = os.stat(self.directory)
        report = in_place(status=program.PROBLEMS).json
        self.assertEqual(report["kept"], 3)
        self.assertEqual(self.content(self.file("a/changed")), b"changed")
        self.assertEqual(self.content(self.file("a/deleted")), b"a/deleted")
        in_place("--overwrite", "always")
        os.unlink(self.file("a/mine"))
        os.utime(self.file("a"), ns=(before[b"a"][5],) * 2)
        self.assertSameTree(before, self.source)
        self.assertEqual(os.stat(self.directory).st_mode, above.st_mode)
        outcome = program.run("local", "restore", self.source, "--from", self.repository, "--to", "/",
                              "--overwrite", "always")
        self.assertIn(b"in place", self.expect(outcome).output)


class Stripping(Choices):
    def assertSameBelow(self, expected, found):
        self.assertFalse(trees.differences(*(trees.describe(root, root_times=False) for root in (expected, found))))

    def test_components_are_removed(self):
        self.make("a/b/f", "a/g", "h")
        os.link(self.file("a/g"), self.file("a/b/g2"))
        self.backup()
        depth = self.source.count("/")
        self.restored("one", options=("--strip-components", str(depth)))
        self.assertSameBelow(self.source, self.path("one"))
        self.restored("two", options=("--strip-components", str(depth + 1)))
        self.assertEqual(sorted(os.listdir(self.path("two"))), ["b", "g"], "what has no name left is passed over")
        self.assertTrue(os.path.samefile(self.path("two/g"), self.path("two/b/g2")))
        self.assertSameBelow(self.file("a/b"), self.path("two/b"))
        self.restored("three", self.file("h"), options=("--strip-components", "99"))
        self.assertEqual(os.listdir(self.path("three")), [])

    def test_collisions_are_existing_files(self):
        self.make("a/f", "b/f", "a/only")
        self.backup()
        options = ("--strip-components", str(self.source.count("/") + 1))
        report = self.restored("kept", options=options, status=program.PROBLEMS)
        self.assertEqual(report["kept"], 1)
        self.assertIn(self.content("kept/f"), (b"a/f", b"b/f"))
        self.assertEqual(self.content("kept/only"), b"a/only")
        self.restored("always", options=(*options, "--overwrite", "always"))
        self.assertIn(self.content("always/f"), (b"a/f", b"b/f"))
        self.assertEqual(sorted(os.listdir(self.path("always"))), ["f", "only"])


class Trial(Choices):
    def test_a_dry_run_says_what_a_restore_does(self):
        self.make(*(f"d{number % 3}/f{number}" for number in range(20)))
        os.link(self.file("d0/f0"), self.file("link"))
        os.symlink("x", self.file("symbolic"))
        trees.write_file(self.file("large"), random.Random(3).randbytes(2 * MIB))
        self.backup()
        planned = self.restored("restored", options=("--dry-run",))
        self.assertFalse(os.path.exists(self.path("restored")))
        done = self.restored("restored")
        counts = ("entries", "files", "bytes", "kept", "problemCount")
        self.assertEqual([planned[key] for key in counts], [done[key] for key in counts])
        self.assertEqual((planned["dryRun"], planned["replaced"]), (True, 0))
        target = self.path("restored") + self.source
        for name in ("d0/f0", "d1/f1", "symbolic"):
            os.unlink(f"{target}/{name}")
        os.mkdir(f"{target}/symbolic")
        trees.write_file(f"{target}/d1/f1", b"mine")
        os.makedirs(f"{target}/d0/f0/full")
        program.remove(f"{target}/d2")
        trees.write_file(f"{target}/d2", b"in the way")
        before = trees.describe(target)
        for choice in ("never", "newer", "always"):
            options = ("--overwrite", choice)
            planned = self.restored("restored", options=("--dry-run", *options), status=program.PROBLEMS)
            self.assertSameTree(before, target, f"a dry run changes nothing ({choice})")
            copy = self.path(choice)
            subprocess.run(["cp", "-a", self.path("restored"), copy], check=True)
            done = self.restored(choice, options=options, status=program.PROBLEMS)
            self.assertEqual([planned[key] for key in counts], [done[key] for key in counts], choice)
            self.assertEqual({problem["path"] for problem in planned["problems"] if planned["kept"] <= 10},
                             {problem["path"] for problem in done["problems"] if planned["kept"] <= 10}, choice)

    def test_a_missing_volume_is_noticed(self):
        self.make("f")
        trees.write_file(self.file("large"), random.Random(3).randbytes(2 * MIB))
        self.backup()
        volumes = os.path.join(self.repository, "volumes")
        for name in os.listdir(volumes):
            os.rename(os.path.join(volumes, name), self.path(name))
        outcome = program.restore(self.repository, self.path("restored"), options=("--dry-run",))
        self.expect(outcome, program.DAMAGED)
        self.assertFalse(os.path.exists(self.path("restored")))


class Streaming(Choices):
    weight = 6

    def stream(self, *paths, **how):
        return program.run("local", "restore", *paths, "--from", self.repository, "--to", "-", **how)

    def test_one_file(self):
        self.make("small", "a/b.txt")
        trees.write_file(self.file("empty"), b"")
        trees.write_file(self.file("large"), random.Random(4).randbytes(5 * MIB + 7))
        self.backup()
        for name in ("small", "empty", "large", "a/b.txt"):
            outcome = self.expect(self.stream(self.file(name)))
            self.assertEqual(hashlib.sha256(outcome.output).digest(),
                             hashlib.sha256(self.content(self.file(name))).digest(), name)
            self.assertEqual(outcome.errors, b"")
        self.assertEqual(self.expect(self.stream(self.file("a/*.txt"))).output, b"a/b.txt")
        for paths in ((self.file("a"),), (self.file("*"),)):
            self.refuses(self.stream(*paths), program.USAGE, naming=("one regular file",))
        self.refuses(self.stream(self.file("none")), program.NOT_FOUND, naming=("none",))
        for more in ((), (self.file("small"), self.file("empty")), (self.file("small"), "--json"),
                     (self.file("small"), "--dry-run")):
            self.assertEqual(self.expect(self.stream(*more), program.USAGE).output, b"")

    def test_holes_are_zeros(self):
        for name, size, pieces in (("small", 50_000, ((8192, b"small"),)), ("hole", 3 * MIB, ()),
                                   ("large", 6 * MIB + 5, ((0, b"a"), (MIB, b"b" * 2 * MIB), (5 * MIB, b"c")))):
            with open(self.file(name), "wb") as stream:
                stream.truncate(size)
                for offset, piece in pieces:
                    stream.seek(offset)
                    stream.write(piece)
        self.backup()
        for name in ("small", "hole", "large"):
            self.assertTrue(self.expect(self.stream(self.file(name))).output == self.content(self.file(name)), name)

    def test_a_reader_that_leaves(self):
        trees.write_file(self.file("large"), random.Random(5).randbytes(20 * MIB))
        self.backup()
        arguments = ("local", "restore", self.file("large"), "--from", self.repository, "--to", "-")
        process = program.start(*arguments)
        self.assertEqual(len(process.stdout.read(100_000)), 100_000)
        process.stdout.close()
        errors = process.stderr.read()
        self.assertEqual((process.wait(timeout=60), errors), (program.PROBLEMS, b""))
        process.stderr.close()
        full = os.open("/dev/full", os.O_WRONLY)
        process = program.start(*arguments, output=full)
        os.close(full)
        self.refuses(program.finish(process, arguments), program.PROBLEMS, naming=("No space left",))

    def test_damage_is_told(self):
        self.make("small")
        trees.write_file(self.file("large"), random.Random(6).randbytes(8 * MIB))
        self.backup()
        volume, = (os.path.join(self.repository, "volumes", name)
                   for name in os.listdir(os.path.join(self.repository, "volumes")))
        raw = bytearray(self.content(volume))
        raw[5 * MIB] ^= 1
        trees.write_file(volume, raw)
        outcome = self.expect(self.stream(self.file("large")), program.DAMAGED)
        self.assertTrue(self.content(self.file("large")).startswith(outcome.output), "no wrong bytes before the damage")
        self.assertIn(b"large", outcome.errors)
        self.assertEqual(self.expect(self.stream(self.file("small"))).output, b"small")

    def test_a_large_file_takes_bounded_memory(self):
        size = 300 * MIB
        block = random.Random(7).randbytes(MIB)
        with open(self.file("large"), "wb") as stream:
            for number in range(size // MIB):
                stream.write(number.to_bytes(8, "big") + block[8:])
        self.backup()
        command = ["/usr/bin/env", "python3", "-c", f"""
import hashlib, resource, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
digest = hashlib.sha256()
while chunk := process.stdout.read(1 << 20):
    digest.update(chunk)
assert process.wait() == 0
print(digest.hexdigest(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
""", program.BINARY, "local", "restore", self.file("large"), "--from", self.repository, "--to", "-"]
        digest, peak = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
        with open(self.file("large"), "rb") as stream:
            self.assertEqual(digest, hashlib.file_digest(stream, "sha256").hexdigest())
        self.note(f"peak memory {int(peak) >> 10} MiB for {size // MIB} MiB")
        self.assertLess(int(peak) >> 10, 150)


class Obstacles(Choices):
    def change_flag(self, flag, path):
        done = subprocess.run(["chattr", flag, path], capture_output=True)
        if done.returncode:
            self.skipTest(f"no inode flags here: {done.stderr.decode().strip()}")

    def test_an_immutable_directory_is_left_as_it_is(self):
        target = self.mount(32 * MIB, "ext4")
        self.make("locked/a", "locked/sub/b", "open/c", "locked/there")
        self.backup()
        place = target + self.source
        os.makedirs(f"{place}/locked")
        trees.write_file(f"{place}/locked/there", b"mine")
        self.change_flag("+i", f"{place}/locked")
        self.addCleanup(subprocess.run, ["chattr", "-i", f"{place}/locked"], check=False, capture_output=True)
        for choice in ("never", "always"):
            outcome = program.restore(self.repository, target, options=("--overwrite", choice))
            report = self.expect(outcome, program.PROBLEMS).json
            paths = {problem["path"] for problem in report["problems"]}
            for name in ("locked/a", "locked/sub/b", "locked/there"):
                self.assertIn(self.file(name), paths)
            self.assertTrue(any("lsattr" in problem["reason"] for problem in report["problems"]), report)
            self.assertEqual(os.listdir(f"{place}/locked"), ["there"])
            self.assertEqual(self.content(f"{place}/locked/there"), b"mine")
            self.assertEqual(self.content(f"{place}/open/c"), b"open/c")
        flags = subprocess.run(["lsattr", "-d", f"{place}/locked"], capture_output=True, text=True).stdout
        self.assertIn("i", flags.split()[0], "the flag is not overridden")

    def test_a_full_disk(self):
        target = self.mount(3 * MIB)
        trees.write_file(self.file("large"), random.Random(8).randbytes(8 * MIB))
        for number in range(20):
            trees.write_file(self.file(f"medium{number:02}"), random.Random(number).randbytes(400_000))
        self.backup()
        report = self.expect(program.restore(self.repository, target), program.PROBLEMS).json
        problems = {problem["path"]: problem["reason"] for problem in report["problems"]}
        self.assertIn("No space left", problems[self.file("large")])
        self.assertNothingHalfDone(target)
        place = target + self.source
        for name in os.listdir(place):
            self.assertEqual(self.content(place, name), self.content(self.file(name)), "whole, or not there")
        self.assertEqual(set(problems) | {self.file(name) for name in os.listdir(place)},
                         {self.file(name) for name in os.listdir(self.source)})
        used = sum(os.stat(os.path.join(place, name)).st_blocks for name in os.listdir(place)) * 512
        space = os.statvfs(target)
        self.assertLess((space.f_blocks - space.f_bfree) * space.f_frsize - used, MIB, "temporary files are gone")

    def test_what_cannot_be_opened_is_told(self):
        """Whoever makes a file, ahead of its data or with them: all that is not told as a problem comes back."""
        names = [f"{directory}/{number}" for directory in "abc" for number in range(40)]
        self.make(*names)
        self.backup()
        ends = set()
        for fault in ("1:EMFILE:sticky", "40:EACCES:sticky", "40:EMFILE:sticky",
                      *(f"{number}:{error}" for error in ("EMFILE", "ENOSPC") for number in range(10, 100, 9))):
            target = self.path("to", fault)
            os.makedirs(target)
            outcome = program.restore(
                self.repository, target, environment=program.fault_environment(target, fail=fault, kinds="open"))
            ends.add(outcome.status)
            if fault.startswith("1:"):
                self.expect(outcome, program.FAILED)
                continue
            told = {problem["path"] for problem in outcome.json["problems"]}
            self.assertEqual(outcome.status, program.PROBLEMS if told else program.DONE, outcome)
            self.assertNothingHalfDone(target)
            for name in names:
                self.assertNotEqual(os.path.exists(target + self.file(name)), self.file(name) in told, f"{name}, {fault}")
                if self.file(name) not in told: self.assertEqual(self.content(target + self.file(name)), name.encode())
        self.assertLessEqual({program.PROBLEMS, program.FAILED}, ends)

    def test_what_does_not_reach_the_disk_is_told(self):
        """A restore says that it is done once everything is on stable storage; what is mounted below the target, too."""
        self.make("a", "there/b")
        self.backup()
        plain, mounted = self.path("plain"), self.path("mounted")
        os.makedirs(mounted + self.file("there"))
        self.mount(3 * MIB, at=mounted + self.file("there"))
        for target, syncs in ((plain, 1), (mounted, 2)):
            os.makedirs(target, exist_ok=True)
            count = self.path("count")
            for number in range(1, syncs + 2):
                environment = program.fault_environment(target, fail=f"{number}:EIO", kinds="sync", count=count)
                outcome = program.restore(self.repository, target, options=("--overwrite", "always"), environment=environment)
                failed = number <= syncs
                report = self.expect(outcome, program.PROBLEMS if failed else program.DONE).json
                place = [target, mounted + self.file("there")][number - 1] if failed else None
                self.assertEqual([problem["path"] for problem in report["problems"]], [place] * failed, report)
                if failed:
                    self.assertIn("Input/output error", report["problems"][0]["reason"])
            self.assertEqual(read_count(count), syncs)
        # What changes nothing has nothing to wait for.
        environment = program.fault_environment(plain, fail="1:EIO", kinds="sync")
        outcome = program.restore(self.repository, plain, self.file("a"), options=("--overwrite", "never"), environment=environment)
        report = self.expect(outcome, program.PROBLEMS).json
        self.assertEqual([problem["path"] for problem in report["problems"]], [self.file("a")], report)

    def test_a_large_restore_is_put_on_the_disk_while_it_runs(self):
        """The end has little left to wait for, and a failure on the way is told although the system tells it only once."""
        with open(self.file("large"), "wb") as stream:
            for number in range(400):
                stream.write(bytes([number % 251]) * MIB)
        self.backup()
        for fail, problems in (("1:EIO", 1), ("1000:EIO", 0)):
            target, count = self.path(fail), self.path("count")
            os.makedirs(target)
            environment = program.fault_environment(target, fail=fail, kinds="sync", count=count)
            outcome = program.restore(self.repository, target, environment=environment)
            report = self.expect(outcome, program.PROBLEMS if problems else program.DONE).json
            self.assertEqual([problem["path"] for problem in report["problems"]], [target] * problems, report)
            # One at its end, and in its midst one after 16 MiB and one after each 64 more, or less often as each takes its time.
            self.assertIn(read_count(count), range(2, 1 + (400 - 16) // 64 + 1 + 1))
            self.assertSameTree(trees.describe(self.source), target + self.source)
            os.unlink(target + self.file("large"))
