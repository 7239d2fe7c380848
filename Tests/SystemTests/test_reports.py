"""What a person and a program are told: progress, the report, the counters, shell completion."""

import json
import os
import signal
import subprocess
import time

import program
import terminal
import trees
from suite import SystemTest


class Counters(SystemTest):
    weight = 2

    def file(self, name):
        return os.path.join(self.source, name)

    def setUp(self):
        super().setUp()
        os.makedirs(self.source)
        for name in ("size", "date", "checksum", "mode", "touched", "renamed", "same", "gone"):
            trees.write_file(self.file(name), f"content of {name}".encode())
        os.symlink("here", self.file("link"))
        trees.settle(self.source)
        self.let_time_pass()

    def changes(self, report):
        return {key: report["changed" + key] for key in ("Size", "Date", "Checksum", "Attributes")}

    def test_every_way_to_change_is_counted(self):
        first = self.backup()
        self.assertEqual((first["changed"], first["bytesKnown"]), (0, 0))
        self.assertEqual(first["bytesChanged"], first["bytesSent"])
        before = os.stat(self.file("checksum")).st_mtime_ns
        directory = os.stat(self.source).st_mtime_ns
        trees.write_file(self.file("size"), b"another length")
        trees.write_file(self.file("date"), b"CONTENT OF DATE")
        trees.write_file(self.file("checksum"), b"CONTENT OF CHECKSUM", mtime_ns=before)
        os.chmod(self.file("mode"), 0o600)
        os.utime(self.file("touched"))
        os.rename(self.file("renamed"), self.file("renamed-now"))
        os.unlink(self.file("gone"))
        trees.write_file(self.file("new"), b"entirely new")
        os.utime(self.source, ns=(directory, directory))
        self.let_time_pass()
        report = self.backup()
        changes = self.changes(report)
        self.assertEqual(report["changed"], sum(changes.values()), report)
        # The directory's ctime changed, too, and whoever else is at work changes those above it.
        self.assertIn(changes.pop("Attributes"), range(2, 3 + self.source.count("/")), report)
        self.assertEqual(changes, {"Size": 1, "Date": 2, "Checksum": 1}, report)
        self.assertEqual((report["new"], report["deleted"]), (2, 2), report)
        self.assertEqual(report["entriesSeen"], report["new"] + report["changed"] + report["unchanged"])
        sent = len(b"another length") + len(b"CONTENT OF DATE") + len(b"CONTENT OF CHECKSUM") + len(b"entirely new") \
            + len(b"content of touched")
        known = len(b"content of mode") + len(b"content of renamed")
        self.assertEqual((report["bytesSent"], report["bytesKnown"]), (sent, known), report)
        self.assertEqual(report["bytesChanged"], sent + known)
        job = self.jobs()[-1]
        self.assertEqual({key: job[key] for key in job if key in report and key != "problems"},
                         {key: report[key] for key in job if key in report and key != "problems"}, "the list tells the same")

    def test_lists_are_what_their_schemas_say(self):
        for name in (b"not \xff UTF-8", b"line\nfeed", "e\u0301".encode()):
            trees.write_file(os.path.join(self.source.encode(), name), name)
            os.symlink(name, os.path.join(self.source.encode(), b"to " + name))
        self.backup("--name", "odd \u202e name")
        self.assertEqual(self.jobs()[0]["tree"]["name"], "odd \u202e name")
        rows = self.assertDescribed("ls", self.expect(program.listing(self.repository, self.source)).json)
        self.assertEqual(len(rows), len(trees.describe(self.source)))
        self.assertEqual(sum("pathBytes" in row for row in rows), 2)
        self.assertEqual(sum("linkTargetBytes" in row for row in rows), 1)

    def test_counters_outlive_the_catalog(self):
        self.backup()
        trees.write_file(self.file("size"), b"another length")
        os.chmod(self.file("mode"), 0o600)
        self.backup()
        before = self.jobs()
        for name in os.listdir(self.repository):
            if name.startswith("catalog"):
                os.unlink(os.path.join(self.repository, name))
        scanned = program.scan(self.repository, os.path.join(self.repository, "volumes"))
        self.assertDescribed("scan", self.expect(scanned).json)
        self.assertEqual(self.jobs(), before)
        self.assertEqual(before[1]["changedSize"], 1)

    def test_problems_are_told_by_kind(self):
        paths = [self.path(f"nothing{number}") for number in range(1200)]
        report = self.backup(paths=[self.source, *paths], status=program.PROBLEMS)
        self.assertEqual(report["problemCount"], 1200)
        self.assertEqual(len(report["problems"]), 1000, "the first are listed")
        self.assertEqual(report["problemKinds"], [
            {"reason": "does not exist", "count": 1200, "firstPath": min(paths)}])
        outcome = program.run("local", "backup", self.source, *paths, "--to", self.repository)
        self.expect(outcome, program.PROBLEMS)
        self.assertIn(f"1,200 problems: does not exist (first: {min(paths)})\n", outcome.output.decode())
        errors = outcome.errors.decode().splitlines()
        self.assertEqual((len(errors), errors[-1]), (1001, "vault: … and 200 problems more."))

    def test_unreadable_files_are_one_kind(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        for name in ("size", "date"):
            os.chmod(self.file(name), 0)
        report = self.backup(status=program.PROBLEMS)
        self.assertEqual(report["problemKinds"], [
            {"reason": "could not be opened: Permission denied", "count": 2, "firstPath": self.file("date")}])

    def test_restore_problems_are_told_by_kind(self):
        self.backup()
        target = self.path("restored")
        for name in ("date", "same"):
            os.makedirs(os.path.join(target + self.source, name, "in the way"))
        outcome = program.restore(self.repository, target, options=("--overwrite", "always"))
        report = self.assertDescribed("restore", self.expect(outcome, program.PROBLEMS).json)
        self.assertEqual([kind["count"] for kind in report["problemKinds"]], [2], report)
        self.assertEqual(report["problemKinds"][0]["firstPath"], report["problems"][0]["path"])
        for problem in report["problems"]:
            self.assertNotIn(target, problem["reason"], "the path is told once")

    def test_report_in_plain_words(self):
        self.backup()
        trees.write_file(self.file("size"), b"another length")
        os.chmod(self.file("mode"), 0o600)
        self.let_time_pass()
        outcome = self.expect(program.run("local", "backup", self.source, "--to", self.repository))
        lines = outcome.output.decode().splitlines()
        self.assertEqual(lines[0], f"Job 2, incremental of {self.source}, done.")
        seen = self.entries_of(trees.describe(self.source))
        self.assertRegex(lines[1], rf"^{seen} entries seen, 8 files of \d+ B: 0 new, \d+ changed "
                                   r"\(1 by size, \d+ in attributes only\), 0 deleted, \d+ unchanged\.$")
        self.assertRegex(lines[2], r"^Read 29 B, stored \d+(\.\d)? k?B, in \d+\.\d s.*Of 29 B in new and changed files 15 B were known\.$")
        self.assertEqual((len(lines), outcome.errors), (3, b""))
        quiet = self.expect(program.run("local", "backup", self.source, "--to", self.repository, "--quiet"))
        self.assertEqual((quiet.output, quiet.errors), (b"", b""))


class Progress(SystemTest):
    """A tree of one large file. Progress is told once a second: the program is stopped for a while in the middle."""
    weight = 8

    def setUp(self):
        super().setUp()
        os.makedirs(os.path.join(self.source, "large"))
        # Random bytes, so that nothing shrinks.
        block = os.urandom(1 << 20)
        self.size = 400 << 20
        with open(os.path.join(self.source.encode(), b"large", b"odd\x1b[2J\xff\n"), "wb") as stream:
            for number in range(self.size >> 20):
                stream.write(number.to_bytes(4, "big") + block[4:])

    def pause(self, process, seconds=1.3):
        os.kill(process, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(process, signal.SIGCONT)

    def in_the_middle(self, process):
        """Stops a process for a while when it has written something."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with open(f"/proc/{process}/io", encoding="ascii") as stream:
                written = next(int(line.split()[1]) for line in stream if line.startswith("wchar:"))
            if written > 20 << 20:
                break
            time.sleep(0.002)
        self.pause(process)

    def backup_on(self, *options, **how):
        return terminal.Screen("local", "backup", self.source, "--to", self.repository, *options,
                               begun=self.in_the_middle, **how)

    def test_a_line_on_a_terminal(self):
        screen = self.backup_on(columns=200)
        self.assertEqual(screen.status, 0, screen.rest)
        self.assertTrue(screen.lines)
        self.assertNotIn("%", screen.lines[0], "nobody knows how large it is")
        for line in screen.lines:
            self.assertLess(len(line), 200)
            self.assertFalse(any(ord(character) < 0x20 for character in line), repr(line))
            self.assertTrue(line.endswith("/large/odd\\x1b[2J\\xff\\x0a"), line)
        self.assertNotIn(b"\x1b[2J", screen.raw)
        self.assertTrue(screen.rest.startswith("Job 1, full of "), repr(screen.rest))
        self.assertNotIn("\x1b", screen.rest, "what stays has no orders in it")

    def test_a_narrow_terminal_that_gets_wide(self):
        self.backup("--level", "full")
        widened = []

        def widen(process, descriptor, raw):
            if not widened and b"\x1b[?7h" in raw:
                widened.append(True)
                terminal.resize(descriptor, 120)
                self.pause(process)
        screen = self.backup_on("--level", "full", columns=20, follow=widen, environment={"NO_COLOR": "1"})
        self.assertEqual(screen.status, 0, screen.rest)
        self.assertGreater(len(screen.lines), 1)
        self.assertLess(len(screen.lines[0]), 20)
        self.assertRegex(screen.lines[0], r"^\d\d? %", "the last job tells how large it is")
        for line in screen.lines[1:]:
            self.assertTrue(20 < len(line) < 120, "the new width counts at once")
        self.assertNotRegex(screen.raw, rb"\x1b\[[0-9;]*m", "no colour")

    def test_a_restore_on_a_terminal(self):
        self.backup()
        target = self.path("back")
        screen = terminal.Screen("local", "restore", "--from", self.repository, "--to", target, columns=90,
                                 begun=self.in_the_middle)
        self.assertEqual(screen.status, 0, screen.rest)
        self.assertTrue(screen.rest.startswith("Restored "), screen.rest)
        self.assertTrue(screen.lines)
        for line in screen.lines:
            self.assertRegex(line, r"^\d\d? %, ")

    def test_nothing_where_nobody_looks(self):
        arguments = ("local", "backup", self.source, "--to", self.repository)
        process = program.start(*arguments, environment={"TERM": "xterm"})
        self.in_the_middle(process.pid)
        outcome = self.expect(program.finish(process, arguments))
        self.assertEqual(outcome.errors, b"")
        self.assertNotIn(b"\x1b", outcome.output)
        self.assertNotIn(b"\r", outcome.output)
        for options, environment in ((("--quiet",), {}), ((), {"TERM": "dumb"})):
            screen = self.backup_on(*options, "--level", "full", environment=environment)
            self.assertEqual((screen.status, screen.lines), (0, []), screen.raw)
            self.assertNotIn(b"\x1b", screen.raw)

    def test_only_standard_error_is_a_terminal(self):
        screen = self.backup_on(errors_only=True)
        self.assertEqual((screen.status, screen.rest), (0, ""))
        self.assertTrue(screen.lines)

    def test_objects_for_programs(self):
        self.backup("--level", "full")
        for command in (("backup", self.source, "--to", self.repository),
                        ("restore", "--from", self.repository, "--to", self.path("back"))):
            arguments = ("local", *command, "--json-progress", *(("--level", "full") if command[0] == "backup" else ()))
            process = program.start(*arguments)
            self.in_the_middle(process.pid)
            first = json.loads(process.stdout.readline())
            # While it is stopped, its end cannot be near.
            os.kill(process.pid, signal.SIGSTOP)
            running = process.poll() is None
            os.kill(process.pid, signal.SIGCONT)
            rest = self.expect(program.finish(process, arguments))
            objects = [first, *map(json.loads, rest.output.splitlines())]
            self.assertTrue(running and len(objects) > 1, f"progress comes while the job runs: {objects}")
            for line in objects[:-1]:
                self.assertDescribed("progress", line)
                self.assertEqual(line["totalBytes"], self.size)
                self.assertTrue(0 < line["bytes"] <= self.size, "inside the large file")
            self.assertEqual(objects[-1]["type"], "report")
            self.assertDescribed(command[0], objects[-1])
            self.assertEqual(rest.errors, b"")
        self.refuses(program.run(*arguments, "--quiet"), program.USAGE, naming=["--json-progress"], lines=8)


class Completion(SystemTest):
    def script(self, shell):
        return self.expect(program.run("--generate-completion-script", shell)).output

    def words(self, command, script=None, shell=None):
        place = self.path("script")
        with open(place, "wb") as stream:
            stream.write(script)
        done = subprocess.run([*shell, command, place], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                              cwd=self.directory, env={**os.environ, "HOME": self.directory,
                                                       "PATH": os.path.dirname(program.BINARY) + ":" + os.environ["PATH"]})
        self.assertEqual((done.returncode, done.stderr), (0, b""), done)
        return done.stdout.decode().split("\n")

    def bash(self, *typed):
        line = " ".join(typed)
        quoted = " ".join(f"'{word}'" for word in typed)
        return [word for word in self.words(
            f'source "$0"; COMP_WORDS=({quoted}); COMP_CWORD={len(typed) - 1}; COMP_LINE=\'{line}\'; '
            f'COMP_POINT={len(line)}; _vault vault \'{typed[-1]}\' \'{typed[-2]}\'; printf "%s\\n" "${{COMPREPLY[@]}}"',
            self.script("bash"), ["bash", "--norc", "-c"]) if word]

    def test_bash(self):
        self.assertEqual(subprocess.run(["bash", "-n"], input=self.script("bash")).returncode, 0)
        os.makedirs(self.path("place", "inside"))
        trees.write_file(self.path("plain"), b"")
        self.assertEqual(self.bash("vault", "loc"), ["local"])
        self.assertIn("restore", self.bash("vault", "local", ""))
        self.assertEqual(self.bash("vault", "local", "backup", "--json-"), ["--json-progress"])
        self.assertEqual(self.bash("vault", "local", "restore", "--overwrite", "n"), ["newer", "never"])
        self.assertEqual(self.bash("vault", "local", "backup", "pl"), ["place", "plain"])
        self.assertEqual(self.bash("vault", "local", "backup", "--to", "pl"), ["place"], "a directory")
        self.assertEqual(self.bash("vault", "local", "ls", "--name", "pl"), [], "a name is no path")

    def test_zsh(self):
        script = self.script("zsh")
        self.assertEqual(subprocess.run(["zsh", "-f", "-n", "/dev/stdin"], input=script).returncode, 0)
        os.mkdir(self.path("functions"))
        with open(self.path("functions", "_vault"), "wb") as stream:
            stream.write(script)
        found = self.words("fpath=(functions $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[vault]",
                           script, ["zsh", "-f", "-c"])
        self.assertEqual(found[0], "_vault")

    def test_fish(self):
        os.mkdir(self.path("place"))
        def fish(typed):
            return sorted(line.split("\t")[0] for line in self.words(
                f"source $argv[1]; complete -C '{typed}'", self.script("fish"), ["fish", "--no-config", "-c"]) if line)
        self.assertEqual(fish("vault local b"), ["backup"])
        self.assertEqual(fish("vault local backup --json-"), ["--json-progress"])
        self.assertEqual(fish("vault local restore --overwrite n"), ["never", "newer"])
        self.assertEqual(fish("vault local jobs --from pl"), ["place/"])
