"""The tree changes under the backup: a writer truncates, extends, renames, deletes, and puts symbolic links where directories were."""

import os
import random
import signal
import subprocess
import sys
import time

import program
import trees
import writer
from suite import SystemTest

ROUNDS = 6
CANARY_FILES = 40


class Changing(SystemTest):
    weight = 40

    def setUp(self):
        super().setUp()
        self.seed = os.environ.get("VAULT_SEED", "1")
        generator = random.Random(f"{self.seed} tree")
        self.busy, self.still = os.path.join(self.source, "busy"), os.path.join(self.source, "still")
        self.canary = self.path("canary")
        # Content that no compression hides.
        self.mark = generator.randbytes(48)
        os.mkdir(self.canary)
        for number in range(CANARY_FILES):
            content = generator.randbytes(100) + self.mark + generator.randbytes(250)
            trees.write_file(os.path.join(self.canary, f"f{number:02}"), content)
        for folder in range(writer.FOLDERS):
            name = os.path.join(self.busy, f"folder{folder:02}")
            os.makedirs(name)
            for number in range(writer.FILES):
                size = 1_200_000 if number == 0 else generator.choice((0, 100, 5000, 40_000))
                trees.write_file(os.path.join(name, f"f{number:02}"), generator.randbytes(size))
        for number in range(200):
            folder = os.path.join(self.still, f"folder{number % 7}")
            os.makedirs(folder, exist_ok=True)
            trees.write_file(os.path.join(folder, f"f{number}"), generator.randbytes(generator.randrange(30_000)))
        trees.settle(self.still)
        self.untouched = trees.describe(self.still)

    def written_while(self, number, body):
        """Runs `body` while two writers are at work."""
        writers = [
            subprocess.Popen([sys.executable, writer.__file__, self.busy, self.canary, f"{self.seed} {number} {which}"],
                             stdin=subprocess.DEVNULL)
            for which in range(2)]
        try:
            time.sleep(0.2)
            result = body()
            self.assertEqual([process.poll() for process in writers], [None, None], "the writers are at work")
            return result
        finally:
            for process in writers:
                process.kill()
                process.wait()

    def assertNoCanary(self, root):
        """Nothing below `root` has content of the canary."""
        for top, _, names in os.walk(root):
            for name in names:
                path = os.path.join(top, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as stream:
                        content = stream.read()
                    self.assertFalse(self.mark in content, f"{path} has what lies outside of the tree")

    def check_restore(self, job):
        target = self.path(f"restored{job}")
        outcome = self.expect(program.restore(self.repository, target, options=("--job", str(job))))
        self.assertEqual(outcome.json["problems"], [])
        self.assertNothingHalfDone(target)
        restored = target + self.source
        self.assertSameTree(self.untouched, os.path.join(restored, "still"), f"job {job}")
        self.assertNoCanary(restored)
        files = sum(len(names) for _, _, names in os.walk(os.path.join(restored, "busy")))
        self.assertGreater(files, 50)
        program.remove(target)

    def test_a_tree_that_changes(self):
        jobs, problems = [], 0
        for number in range(ROUNDS):
            level = ("auto", "full", "incremental", "differential")[number % 4]
            report = self.written_while(number, lambda: self.expect(
                program.backup(self.repository, self.source, options=("--level", level, "--commit-size", "4M")),
                program.DONE, program.PROBLEMS).json)
            self.assertIn(report["status"], ("T", "W"))
            for problem in report["problems"]:
                self.assertTrue((problem["path"] + "/").startswith(self.busy + "/"), problem)
            problems += report["problemCount"]
            jobs.append(report["job"])
        self.note(f"{ROUNDS} jobs, {problems} problems told")
        for job in jobs:
            self.check_restore(job)
        self.assertNoCanary(os.path.join(self.repository, "volumes"))
        # It becomes quiet: what is saved now is the tree, exactly.
        self.let_time_pass()
        self.assertEqual(self.backup()["problems"], [])
        self.assertRestoresEqual("quiet")

    def stopped_backup(self, stop, meanwhile):
        """A backup that stops before it opens something below `z` for the `stop`th time; then `meanwhile` happens."""
        arguments = ("local", "backup", self.source, "--to", self.repository, "--json")
        environment = program.fault_environment(os.path.join(self.source, "z"), kinds="open", stop=stop)
        process = program.start(*arguments, environment=environment)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1]))
        meanwhile()
        self.let_time_pass()
        process.send_signal(signal.SIGCONT)
        report = self.expect(program.finish(process, arguments)).json
        self.let_time_pass()
        return report

    def link_behind_the_walk(self):
        """A name is walked, then linked, then read: its later name is read for itself, and neither changes any more."""
        self.source = self.path("linked")
        first, last = os.path.join(self.source, "a", "file"), os.path.join(self.source, "z", "file")
        for path in (first, last):
            os.makedirs(os.path.dirname(path))
        trees.write_file(first, b"one file")
        self.let_time_pass()
        # What is opened first is the directory, to be listed.
        self.assertEqual(self.stopped_backup(1, lambda: os.link(first, last))["bytesSent"], 16)
        return first, last

    def test_a_file_that_is_linked_behind_the_walk(self):
        """The job that follows makes one file of both names again."""
        self.link_behind_the_walk()
        report = self.backup()
        self.assertEqual((report["bytesRead"], report["bytesSent"]), (0, 0))
        self.assertRestoresEqual("restored")
        self.assertLess(self.backup()["bytesStored"], report["bytesStored"], "nothing is left to be told")

    def test_a_file_that_is_written_before_its_name_is_told(self):
        """No name gets the attributes of now with the content of then."""
        first, last = self.link_behind_the_walk()
        report = self.stopped_backup(2, lambda: trees.write_file(first, b"written meanwhile"))
        restored = self.restore("meanwhile", options=("--job", str(report["job"])))
        with open(os.path.join(restored, "z", "file"), "rb") as stream:
            self.assertEqual(stream.read(), b"written meanwhile")
        self.backup()
        self.assertRestoresEqual("restored")

    def test_a_tree_that_changes_while_jobs_are_interrupted(self):
        generator = random.Random(f"{self.seed} interrupted")

        def interrupted():
            arguments = ("local", "backup", self.source, "--to", self.repository, "--json", "--commit-size", "1M")
            process = program.start(*arguments)
            time.sleep(generator.uniform(0.1, 1.0))
            if process.poll() is None:
                process.send_signal(generator.choice((signal.SIGINT, signal.SIGKILL)))
            return program.finish(process, arguments)

        count = 0
        for number in range(ROUNDS):
            outcome = self.expect(
                self.written_while(f"i{number}", interrupted), program.DONE, program.PROBLEMS, program.INTERRUPTED,
                -signal.SIGKILL, -signal.SIGINT)
            count += outcome.status not in (program.DONE, program.PROBLEMS)
            if number % 3 == 2:
                report = self.written_while(f"c{number}", lambda: self.expect(
                    program.backup(self.repository, self.source, options=("--commit-size", "1M")),
                    program.DONE, program.PROBLEMS).json)
                self.check_restore(report["job"])
        self.note(f"{count} of {ROUNDS} interrupted")
        self.let_time_pass()
        # The first ends what was interrupted; the second saves what changed meanwhile.
        for _ in range(2):
            self.expect(program.backup(self.repository, self.source), program.DONE)
            self.let_time_pass()
        self.assertRestoresEqual("quiet")
        self.assertNoCanary(os.path.join(self.repository, "volumes"))
