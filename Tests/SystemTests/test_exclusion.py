"""What a backup leaves out, and what a dry run says of it before. git(1) is the judge of patterns."""

import base64
import fcntl
import os
import random
import re
import shutil
import signal
import subprocess
import time

import program
import trees
from suite import SystemTest

ROUNDS = 200
TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n"


class ExclusionTest(SystemTest):
    def file(self, name):
        return os.path.join(self.source, name)

    def make(self, *names, size=10):
        """Files of that size, or directories where a name ends in a slash."""
        for name in names:
            os.makedirs(os.path.dirname(self.file(name)), exist_ok=True)
            if not name.endswith("/"):
                trees.write_file(self.file(name), b"x" * size)

    def dry_run(self, *options, paths=None, status=0, **how):
        repository = how.pop("repository", self.repository)
        outcome = program.backup(repository, *(paths or [self.source]), options=("--dry-run", *options), **how)
        return self.assertDescribed("estimate", self.expect(outcome, status).json)

    def planned(self, report, *kinds):
        """What a verbose dry run lists below the source, without the directories on the way."""
        prefix = os.fsencode(self.source) + b"/"
        paths = {self.bytes_of(row) for row in report["changes"] if row["change"] in (kinds or ("new",))}
        return {path[len(prefix):] for path in paths if path.startswith(prefix)}

    def assertSameCounts(self, planned, report, *keys):
        """The dry run said what the backup did; others may change the directories on the way meanwhile."""
        for key in ("entriesSeen", "new", "deleted", "excluded", *keys):
            self.assertEqual(planned[key], report[key], key)
        self.assertAlmostEqual(planned["changed"], report["changed"], delta=self.source.count("/") - 1)
        self.assertEqual(planned["changed"] + planned["unchanged"], report["changed"] + report["unchanged"])

    @staticmethod
    def bytes_of(row):
        return base64.b64decode(row["pathBytes"]) if "pathBytes" in row else os.fsencode(row["path"])

    def saved(self, repository=None):
        """What the latest job holds below the source."""
        rows = self.expect(program.listing(repository or self.repository)).json
        prefix = os.fsencode(self.source) + b"/"
        return {self.bytes_of(row)[len(prefix):] for row in rows if self.bytes_of(row).startswith(prefix)}

    def snapshot(self, root=None):
        """Everything of the repository that a write could change, times of directories included."""
        found = {}
        for top, directories, files in os.walk(root or self.repository):
            for name in [""] + files + directories:
                path = os.path.join(top, name)
                status = os.lstat(path)
                content = open(path, "rb").read() if os.path.isfile(path) else None
                found[path] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns,
                               status.st_blocks, content)
        return found


class Patterns(ExclusionTest):
    weight = 40
    NAMES = ["a", "b", "c", "ab", "abc", "b.o", "a.o", ".a", "A", "a b", "#a", "!a", "[a]", "a*", "é", "a-c", "]", "^",
             "\\", "-", "0", "a\t", "b\n"]
    SEGMENTS = ["*", "?", "*.o", "a*", "*b", "[a-c]", "[!a]", "[^a-b]*", "a?", "*a*", "[[:alpha:]]", "[[:digit:]a]*",
                "[]a]", "[a\\]-]", "\\#a", "\\!a", "\\a", "?*", "[[:upper:][:punct:]]", "a[ ]b", "*\\*", "\\\\",
                "[!]-a]", "??*", ".*", "*[!o]", "\\[a\\]", "[--0]", "[a-]*"]

    def make_tree(self, generator):
        """Some 150 names, four directories deep."""
        shutil.rmtree(self.source, ignore_errors=True)
        os.mkdir(self.source)
        directories = [""]
        for _ in range(150):
            path = os.path.join(generator.choice(directories), generator.choice(self.NAMES))
            if os.path.lexists(self.file(path)):
                continue
            if path.count("/") < 4 and generator.random() < 0.4:
                os.mkdir(self.file(path))
                directories.append(path)
            elif generator.random() < 0.1:
                os.symlink(generator.choice(["a", "/", "nowhere"]), self.file(path))
            else:
                trees.write_file(self.file(path), b"")

    def segment(self, generator):
        if generator.random() < 0.5:
            return re.sub(r"([\\*?\[])", r"\\\1", generator.choice(self.NAMES[:-1]))
        return generator.choice(self.SEGMENTS)

    def pattern(self, generator):
        count = generator.choice([1, 1, 1, 2, 2, 3, 4])
        # Only whole names of stars: for `a**/b` git does something else than its manual says.
        segments = ["**" if count > 1 and generator.random() < 0.2 else self.segment(generator) for _ in range(count)]
        text = "/".join(segments)
        if generator.random() < 0.25:
            text = "/" + text
        if generator.random() < 0.2 and not text.endswith("\\"):
            text += "/"
        if text.startswith(("#", "!")):
            text = "\\" + text
        if generator.random() < 0.25:
            text = "!" + text
        return text + ("" if generator.random() < 0.9 else "  ")

    def git_keeps(self, patterns):
        """The entries that git does not ignore."""
        git = self.path("git")
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        if not os.path.isdir(git):
            subprocess.run(["git", "init", "-q", "--bare", git], check=True, env=environment)
        paths = [path for path, _, _ in trees.walk(self.source) if path]
        command = ["git", f"--git-dir={git}", f"--work-tree={self.source}", "-c", f"core.excludesFile={patterns}",
                   "-c", "core.ignoreCase=false", "-c", "core.bare=false", "check-ignore", "--no-index", "-z", "--stdin"]
        done = subprocess.run(command, input=b"".join(path + b"\0" for path in paths), capture_output=True,
                              cwd=self.source, env=environment)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return set(paths) - set(done.stdout.split(b"\0"))

    def test_patterns_as_git_has_them(self):
        generator = random.Random(f"{os.environ.get('VAULT_SEED', '1')} patterns")
        file, count, kept, left_out = self.path("patterns"), 0, 0, 0
        for number in range(ROUNDS):
            if number % 10 == 0:
                self.make_tree(generator)
            lines = [self.pattern(generator) for _ in range(generator.randrange(1, 12))]
            lines.insert(generator.randrange(len(lines) + 1), generator.choice(["", "# a", "#a", "   "]))
            count += len(lines) - 1
            ending = generator.choice(["\n", "\r\n"])
            trees.write_file(file, (ending.join(lines) + ending).encode())
            expected = self.git_keeps(file)
            found = self.planned(self.dry_run("--verbose", "--exclude-from", file))
            self.assertEqual(found, expected, f"round {number}, patterns {lines}")
            kept += len(expected)
            left_out += sum(1 for _ in trees.walk(self.source)) - 1 - len(expected)
        self.assertGreater(min(kept, left_out), ROUNDS * 10, "the patterns decide something")
        self.note(f"{count} patterns, {kept} paths kept, {left_out} left out")

    def test_arguments_and_files(self):
        self.make("a.o", "keep.o", "#x#", "sub/a.o", "sub/trail ", "sub/b")
        trees.write_file(self.path("first"), b"# none\n*.o\n")
        trees.write_file(self.path("second"), b"!keep.o\n")
        report = self.dry_run("-v", "--exclude", "trail ", "--exclude-from", self.path("first"), "--exclude", "#x#",
                              "--exclude-from", self.path("second"))
        self.assertEqual(self.planned(report), {b"keep.o", b"sub", b"sub/b"})
        self.assertEqual(report["excluded"], 4)
        # The command line has the last word, and standard input is a file.
        process = subprocess.run(
            [program.BINARY, "local", "backup", self.source, "--to", self.repository, "--json", "--exclude", "!a.o",
             "--exclude-from", "-", "--dry-run", "-v"], input=b"*.o\n", capture_output=True)
        outcome = program.Outcome(["backup"], process.returncode, process.stdout, process.stderr)
        self.assertEqual(self.planned(self.expect(outcome).json),
                         {b"a.o", b"#x#", b"sub", b"sub/a.o", b"sub/trail ", b"sub/b"})

    def test_mistakes_name_their_place(self):
        self.make("a")
        file = self.path("patterns")
        for line, words in ((b"[a", ["'['"]), (b"a//b", ["slashes"]), (b"a\\", ["backslash"]), (b"/", ["nothing"]),
                            (b"./a", ["'.'"]), (b"[[:word:]]", ["word", "alnum"]), (b"[z-a]", ["range"]),
                            (b"a\0b", ["NUL"]), (b"x" * 5000, ["4096"])):
            trees.write_file(file, b"# comment\n\n" + line + b"\n")
            outcome = program.backup(self.repository, self.source, options=("--exclude-from", file))
            self.refuses(outcome, program.USAGE, naming=[file + ":3:", *words])
        self.refuses(program.backup(self.repository, self.source, options=("--exclude", "[")), program.USAGE,
                     naming=["--exclude"])
        self.refuses(program.backup(self.repository, self.source, options=("--exclude-from", self.path("none"))),
                     program.USAGE, naming=["none", "No such file"])
        self.refuses(program.backup(self.repository, self.source, options=("--exclude-from", self.source)),
                     program.USAGE, naming=["directory"])
        trees.write_file(file, b"name\n" * 300_000)
        self.refuses(program.backup(self.repository, self.source, options=("--exclude-from", file)), program.USAGE)
        trees.write_file(file, b"a\n" * 70_000)
        self.refuses(program.backup(self.repository, self.source, options=("--exclude-from", file)), program.USAGE,
                     naming=["65536"])
        self.assertEqual(self.expect(program.jobs(self.repository)).json, [], "no job was started")

    def test_hostile_patterns_end_soon(self):
        self.make("/".join(["a" * 200] * 15) + "/" + "a" * 255)
        trees.write_file(self.path("patterns"), b"\n".join(
            [b"a*" * 2000 + b"b", b"**/a*/" * 600 + b"b", b"*a" * 120 + b"b", b"**/*a*a*a*a*a*a*b/**/c"] * 20) + b"\n")
        begin = time.monotonic()
        report = self.dry_run("--exclude-from", self.path("patterns"))
        self.assertEqual(report["excluded"], 0)
        self.assertLess(time.monotonic() - begin, 60)


class LeavingOut(ExclusionTest):
    weight = 6

    def make_tree(self):
        self.make("a/f.c", "a/f.o", "a/deep/er/g.o", "node_modules/x/y", "a/node_modules", "top", "out/build/z",
                  "cache/one", "cache/sub/two", "notcache/CACHEDIR.TAG", "notcache/n", "name/n")
        trees.write_file(self.file("cache/CACHEDIR.TAG"), TAG + b"more")
        self.make("big/exact", size=4096)
        self.make("big/more", size=4097)
        os.mkfifo(self.file("cache/pipe"))
        trees.settle(self.source)

    def test_every_option(self):
        self.make_tree()
        everything = {path for path, _, _ in trees.walk(self.source) if path}
        cases = [
            (("--exclude", "*.o"), {b"a/f.o", b"a/deep/er/g.o"}),
            (("--exclude", "node_modules/"), {b"node_modules", b"node_modules/x", b"node_modules/x/y"}),
            (("--exclude", "/out/build"), {b"out/build", b"out/build/z"}),
            (("--exclude", "build/z"), set()),
            (("--exclude", self.source + "/top"), set()),
            (("--exclude-caches",), {b"cache/one", b"cache/sub", b"cache/sub/two", b"cache/pipe"}),
            (("--exclude-larger-than", "4K"), {b"big/more"}),
            (("--exclude-larger-than", "9"), {
                path for path, status, detail in trees.walk(self.source) if isinstance(detail, str) or status.st_size > 9
                if path and os.path.isfile(os.path.join(os.fsencode(self.source), path))}),
            (("--exclude", "/*", "--exclude", "!/a", "--exclude", "/a/*", "--exclude", "!f.c"),
             everything - {b"a", b"a/f.c"}),
        ]
        for number, (options, left_out) in enumerate(cases):
            repository = self.path(f"repository-{number}")
            planned = self.dry_run("-v", *options, repository=repository)
            self.assertFalse(os.path.exists(repository), "a dry run makes nothing")
            report = self.backup(*options, repository=repository)
            self.assertEqual(self.saved(repository), everything - left_out, options)
            self.assertEqual(self.planned(planned), everything - left_out, options)
            self.assertSameCounts(planned, report, "bytesSeen")
            self.assertEqual(planned["bytesToRead"], report["bytesRead"], options)
            expected = trees.describe(self.source, select=lambda path: path not in left_out)
            restored = self.restore(f"restored-{number}", repository=repository)
            self.assertSameTree(expected, restored)

    def test_what_is_excluded_is_not_opened(self):
        self.make_tree()
        trace = self.path("trace")
        if not shutil.which("strace"):
            self.skipTest("needs strace")
        subprocess.run(
            ["strace", "-f", "-o", trace, "-e", "trace=open,openat,openat2,statx,newfstatat,lstat", program.BINARY,
             "local", "backup", self.source, "--to", self.repository, "--exclude", "node_modules", "--exclude",
             "/out/build", "--exclude-caches"], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        calls = open(trace, errors="replace").read()
        self.assertIn('"deep"', calls)
        for name in ("node_modules", "build", "sub", "one", "pipe"):
            self.assertNotIn(f'"{name}"', calls)

    def test_a_given_path_is_saved_whatever_matches_it(self):
        self.make_tree()
        paths = [self.file("a/f.o"), self.file("node_modules"), self.file("cache/sub"), self.file("big/more")]
        options = ("--exclude", "*.o", "--exclude", "node_modules", "--exclude-caches", "--exclude-larger-than", "100",
                   "--name", "n")
        self.backup(*options, paths=paths)
        self.assertEqual(self.saved(), {b"a", b"a/f.o", b"node_modules", b"node_modules/x", b"node_modules/x/y",
                                        b"cache", b"cache/sub", b"cache/sub/two", b"big", b"big/more"})
        # Within another given path, too.
        self.backup(*options, paths=[self.source, self.file("out/build/z")] + paths, repository=self.path("second"))
        saved = self.saved(self.path("second"))
        self.assertLessEqual({b"a/f.o", b"node_modules/x/y", b"cache/sub/two", b"big/more", b"out/build/z"}, saved)
        self.assertNotIn(b"cache/one", saved)
        self.assertNotIn(b"a/deep/er/g.o", saved)

    def test_changing_the_exclusions_keeps_the_tree(self):
        self.make_tree()
        os.unlink(self.file("cache/pipe"))
        self.backup()
        everything = self.saved()
        self.let_time_pass()
        planned = self.dry_run("-v", "--exclude", "*.o", "--exclude", "/out")
        report = self.backup("--exclude", "*.o", "--exclude", "/out")
        gone = {b"a/f.o", b"a/deep/er/g.o", b"out", b"out/build", b"out/build/z"}
        self.assertEqual((report["level"], report["deleted"], report["excluded"]), ("incremental", 5, 3))
        self.assertEqual(self.planned(planned, "deleted"), gone)
        self.assertEqual(self.saved(), everything - gone)
        planned = self.dry_run("-v", "--exclude", "top")
        report = self.backup("--exclude", "top")
        self.assertEqual((report["new"], report["deleted"]), (5, 1))
        self.assertEqual((self.planned(planned, "new"), self.planned(planned, "deleted")), (gone, {b"top"}))
        report = self.backup()
        self.assertEqual(self.saved(), everything)
        self.assertRestoresEqual("restored")
        # What each job left is still there.
        restored = self.restore("second", options=("--job", "2"))
        self.assertFalse(os.path.exists(os.path.join(restored, "out")))
        self.assertTrue(os.path.exists(os.path.join(restored, "top")))

    def test_the_repository_within_the_source(self):
        self.make("a", "b/c")
        inside = self.file("b/repository")
        os.mkdir(inside)
        planned = self.dry_run("-v", repository=inside)
        self.assertEqual(self.planned(planned), {b"a", b"b", b"b/c"})
        self.assertEqual(os.listdir(inside), [])
        for _ in range(2):
            self.backup(repository=inside)
            self.assertEqual(self.saved(inside), {b"a", b"b", b"b/c"})
        # Not by another name for it either, and not with every file system asked for.
        os.symlink("b", self.file("link"))
        self.backup("--cross-file-systems", "--exclude", "!repository", repository=self.file("link/repository"))
        self.assertEqual(self.saved(inside), {b"a", b"b", b"b/c", b"link"})
        before = self.snapshot(inside)
        self.assertEqual(self.dry_run("-v", repository=inside)["deleted"], 0)
        self.assertEqual(self.snapshot(inside), before)

    def test_a_mount_below_the_source(self):
        self.make("a", "below/")
        place = self.mount(1 << 20)
        subprocess.run(["mount", "--bind", place, self.file("below")], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.file("below")], check=False)
        self.make("below/inside/file")
        self.backup()
        self.assertEqual(self.saved(), {b"a", b"below"})
        planned = self.dry_run("-v", "--cross-file-systems")
        self.assertEqual(self.planned(planned), {b"below/inside", b"below/inside/file"})
        report = self.backup("--cross-file-systems")
        self.assertEqual((report["new"], self.saved()),
                         (2, {b"a", b"below", b"below/inside", b"below/inside/file"}))
        self.backup("--cross-file-systems", "--exclude", "inside")
        self.assertEqual(self.saved(), {b"a", b"below"})
        self.backup("--cross-file-systems")
        # Staying here again says nothing of what is there: it stays.
        self.assertEqual(self.backup()["deleted"], 0)
        self.assertIn(b"below/inside/file", self.saved())
        # A mount point that is left out goes, and so does what was below it.
        self.backup("--exclude", "below")
        self.assertEqual(self.saved(), {b"a"})

    def test_going_on_with_other_exclusions(self):
        generator = random.Random(5)
        for number in range(40):
            self.make(f"d{number:02}/x.o")
            trees.write_file(self.file(f"d{number:02}/f"), generator.randbytes(1 << 20))
        trees.settle(self.source)
        self.backup("--exclude", "d39")
        self.let_time_pass()
        for number in range(40):
            trees.write_file(self.file(f"d{number:02}/f"), generator.randbytes(1 << 20))
            trees.write_file(self.file(f"d{number:02}/new"), b"new")
            trees.write_file(self.file(f"d{number:02}/x.o"), b"changed")
        self.let_time_pass()
        arguments = ("local", "backup", self.source, "--to", self.repository, "--json", "--commit-size", "1M")
        process = program.start(*arguments)
        volume = os.path.join(self.repository, "volumes/vol-0001")
        begin, deadline = os.path.getsize(volume), time.monotonic() + 30
        while process.poll() is None and os.path.getsize(volume) < begin + (8 << 20) and time.monotonic() < deadline:
            time.sleep(0.001)
        program.interrupt(process)
        self.expect(program.finish(process, arguments), program.INTERRUPTED)
        planned = self.dry_run("-v", "--exclude", "*.o", "--exclude", "new")
        self.assertEqual(planned["continuesJob"], 2)
        report = self.backup("--exclude", "*.o", "--exclude", "new")
        self.assertEqual((report["job"], report["attempt"]), (2, 2))
        self.assertSameCounts(planned, report)
        saved = self.saved()
        self.assertLessEqual({f"d{number:02}/f".encode() for number in range(40)}, saved)
        kept = {path for path in saved if path.endswith(b"/new")}
        self.assertTrue(kept, "what was saved before stays until the job after")
        self.assertNotIn(b"d39/new", saved)
        self.assertNotIn(b"d38/x.o", saved)
        self.backup("--exclude", "*.o", "--exclude", "new")
        self.assertFalse({path for path in self.saved() if path.endswith((b"/new", b".o"))})
        self.backup()
        self.assertRestoresEqual("restored")


class DryRun(ExclusionTest):
    weight = 5
    WRITES = re.compile(
        rb"O_WRONLY|O_RDWR|O_CREAT|\bp?write(64|v2?)?\(|ftruncate|rename|unlink|mkdir|link|utime|chmod|chown|fallocate"
        rb"|sync|setxattr|mknod|copy_file_range|sendfile|F_WRLCK")

    def make_tree(self):
        self.make("a/b/file", "a/other", "gone/file", "renamed", "modes", "linked")
        os.link(self.file("linked"), self.file("linked-too"))
        os.symlink("a", self.file("link"))
        trees.settle(self.source)

    def change_tree(self):
        self.let_time_pass()
        shutil.rmtree(self.file("gone"))
        os.rename(self.file("renamed"), self.file("renamed-now"))
        os.chmod(self.file("modes"), 0o600)
        trees.write_file(self.file("a/b/file"), b"another content")
        self.make("a/new/one")
        os.link(self.file("linked"), self.file("linked-again"))
        self.let_time_pass()

    def test_says_what_the_backup_then_does(self):
        self.make_tree()
        for number in range(4):
            if number == 1:
                self.change_tree()
            level = ["auto", "auto", "full", "differential"][number]
            before = self.snapshot() if number else None
            planned = self.dry_run("-v", "--level", level)
            if number:
                self.assertEqual(self.snapshot(), before)
            report = self.backup("--level", level)
            self.assertTrue(planned["dryRun"])
            self.assertSameCounts(planned, report, "level", "regularFilesSeen", "bytesSeen", "problemCount")
            self.assertEqual(planned["bytesToRead"], report["bytesRead"])
            if number == 1:
                self.assertEqual(self.planned(planned, "new"), {b"renamed-now", b"a/new", b"a/new/one", b"linked-again"})
                self.assertEqual(self.planned(planned, "deleted"), {b"gone", b"gone/file", b"renamed"})
                self.assertLessEqual({b"modes", b"a/b/file", b"a", b"linked", b"linked-too"},
                                     self.planned(planned, "changed"))
        self.assertRestoresEqual("restored")

    def test_writes_nothing(self):
        if not shutil.which("strace"):
            self.skipTest("needs strace")
        self.make_tree()
        for round_number in range(3):
            exists = round_number > 0
            if exists:
                self.backup()
                self.change_tree() if round_number == 1 else None
            before = self.snapshot() if exists else None
            trace = self.path("trace")
            done = subprocess.run(
                ["strace", "-f", "-y", "-o", trace, program.BINARY, "local", "backup", self.source, "--to",
                 self.repository, "--dry-run", "-v"], stdin=subprocess.DEVNULL, capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(os.path.exists(self.repository), exists)
            if exists:
                self.assertEqual(self.snapshot(), before)
            place = os.fsencode(self.repository)
            touching = [line for line in open(trace, "rb") if place in line and b"execve(" not in line
                        and b"/dev/pts" not in line and b"write(1<" not in line and b"write(2<" not in line]
            self.assertTrue(touching or not exists, "the trace sees the repository")
            writing = [line for line in touching if self.WRITES.search(line.split(b" = ")[0].replace(place, b""))]
            self.assertEqual(writing, [])
            data = [line for line in open(trace, "rb") if b"openat" in line and b'"file"' in line]
            self.assertEqual(data, [], "no file is opened")

    def test_a_file_system_that_cannot_be_written(self):
        self.require_root()
        self.make_tree()
        self.backup()
        self.change_tree()
        expected = self.dry_run("-v")
        subprocess.run(["mount", "--bind", self.repository, self.repository], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.repository], check=False)
        subprocess.run(["mount", "-o", "remount,bind,ro", self.repository], check=True)
        # Directories above are everybody's: another test may have changed them meanwhile.
        found, wanted = ([change for change in report["changes"] if change["path"].startswith(self.source)]
                         for report in (self.dry_run("-v"), expected))
        self.assertEqual(found, wanted)

    def test_while_another_works(self):
        self.make_tree()
        self.backup()
        lock = os.path.join(self.repository, "lock")
        with open(lock, "r+b") as stream:
            fcntl.fcntl(stream, fcntl.F_OFD_SETLK if hasattr(fcntl, "F_OFD_SETLK") else 37,
                        __import__("struct").pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
            self.refuses(program.backup(self.repository, self.source, options=("--dry-run",)), program.IN_USE,
                         naming=["lock"])
        self.dry_run()

    def test_a_repository_not_left_in_order(self):
        self.make_tree()
        self.backup()
        generator = random.Random(6)
        for number in range(60):
            trees.write_file(self.file(f"large{number}"), generator.randbytes(1 << 20))
        arguments = ("local", "backup", self.source, "--to", self.repository, "--commit-size", "1M")
        volume = os.path.join(self.repository, "volumes/vol-0001")
        begin, deadline = os.path.getsize(volume), time.monotonic() + 30
        process = program.start(*arguments)
        # The job and its first commits are in the catalog's log by then.
        while process.poll() is None and os.path.getsize(volume) < begin + (8 << 20) and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        self.expect(program.finish(process, arguments), -signal.SIGKILL)
        before = self.snapshot()
        self.refuses(program.backup(self.repository, self.source, options=("--dry-run",)), program.FAILED,
                     naming=["dry run", "vault local jobs"])
        self.assertEqual(self.snapshot(), before)
        self.jobs()
        planned = self.dry_run()
        self.assertEqual(planned["continuesJob"], 2)
        report = self.backup()
        self.assertSameCounts(planned, report)

    def test_problems_are_told(self):
        self.make_tree()
        report = self.dry_run(paths=[self.source, self.path("nowhere")], status=program.PROBLEMS)
        self.assertEqual([problem["reason"] for problem in report["problems"]], ["does not exist"])
        self.refuses(program.backup(self.repository, self.path("nowhere"), options=("--dry-run",)), program.NOT_FOUND)
        self.refuses(program.backup(self.path("no/such"), self.source, options=("--dry-run",)), program.NOT_FOUND)
        self.refuses(program.backup(self.source, self.source, options=("--dry-run",)), program.USAGE,
                     naming=["not a vault repository"])
        self.assertFalse(os.path.exists(self.repository))

    def test_a_reader_that_leaves_and_an_interruption(self):
        for number in range(100):
            self.make(*(f"d{number}/f{name}" for name in range(40)))
        read, write = os.pipe()
        arguments = ("local", "backup", self.source, "--to", self.repository, "--dry-run", "-v")
        process = program.start(*arguments, output=write)
        os.close(write)
        os.read(read, 100)
        os.close(read)
        self.expect(program.finish(process, arguments), program.DONE)
        read, write = os.pipe()
        process = program.start(*arguments, output=write)
        os.close(write)
        os.read(read, 1)
        program.interrupt(process)
        while os.read(read, 1 << 16):
            pass
        os.close(read)
        outcome = self.expect(program.finish(process, arguments), program.INTERRUPTED, program.DONE)
        self.assertFalse(os.path.exists(self.repository), str(outcome))
