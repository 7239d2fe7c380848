"""kill -9 and Ctrl-C of the real binary at random moments."""

import os
import random
import signal
import time

import program
import trees
from suite import SystemTest

KILLS = 50


def seeded(name):
    return random.Random(f"{os.environ.get('VAULT_SEED', '1')} {name}")


class Kill(SystemTest):
    weight = 60

    def make_tree(self, count=120, size=400_000):
        generator = random.Random(21)
        for number in range(count):
            directory = os.path.join(self.source, f"d{number % 9}", f"e{number % 4}")
            os.makedirs(directory, exist_ok=True)
            trees.write_file(os.path.join(directory, f"f{number}"), generator.randbytes(size // 2) + bytes(size // 2))
            trees.write_file(os.path.join(directory, f"small{number}"), b"%d" % number)
        trees.write_file(os.path.join(self.source, "d0", "large"), generator.randbytes(24 << 20))
        trees.settle(self.source)

    def start_backup(self, *options):
        arguments = ("local", "backup", self.source, "--to", self.repository, "--json", *options)
        return program.start(*arguments), arguments

    def change(self, generator, round_number):
        for _ in range(30):
            number = generator.randrange(120)
            path = os.path.join(self.source, f"d{number % 9}", f"e{number % 4}", f"f{number}")
            trees.write_file(path, generator.randbytes(generator.randrange(600_000)))
        trees.write_file(os.path.join(self.source, "d0", "large"), generator.randbytes(24 << 20))
        trees.write_file(os.path.join(self.source, f"round{round_number}"), b"x")
        self.let_time_pass()

    def test_fifty_kills(self):
        self.make_tree()
        generator = seeded("kill")
        options = ["--commit-size", "3M", "--volume-size", "48M"]
        longest, kills, rounds, finished, kept_once = 1.5, 0, 0, {}, False
        while kills < KILLS:
            process, arguments = self.start_backup(*options)
            delay = generator.uniform(0.0, longest)
            begin = time.monotonic()
            while process.poll() is None and time.monotonic() - begin < delay:
                time.sleep(0.002)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            outcome = program.finish(process, arguments)
            if outcome.status == -signal.SIGKILL:
                kills += 1
                where = "before the repository was there"
                listed = program.jobs(self.repository)
                if listed.status == 0:
                    last = max(listed.json, key=lambda job: job["job"], default=None)
                    where = "before the first job" if last is None else (
                        f"in job {last['job']}, attempt {last['attempt']}, after commit {last['commits']}, "
                        f"status {last['status']}")
                else:
                    self.assertIn(listed.status, (program.NOT_FOUND, program.USAGE), str(listed))
                self.note(f"kill {kills:2} after {delay:5.3f} s: {where}")
                if kills % 5:
                    continue
                # Every second round saves all of it, so that there are many commits to fall between.
                options[4:] = ["--level", ("full", "auto")[kills // 5 % 2]]
                process, arguments = self.start_backup(*options)
                begin = time.monotonic()
                outcome = program.finish(process, arguments)
            # A run to the end: a continued job, or one that was not hit.
            report = self.expect(outcome).json
            longest = max(0.1, min(1.5, time.monotonic() - begin))
            kept_once = kept_once or report["keptBytes"] > 0
            finished[report["job"]] = trees.describe(self.source)
            self.assertRestoresEqual(f"job-{report['job']}", ("--job", str(report["job"])), rsync=False,
                                     expected=finished[report["job"]])
            program.remove(self.path(f"job-{report['job']}"))
            rounds += 1
            self.change(generator, rounds)
        self.expect(self.start_and_finish(*options))
        shown = {note.split(": ", 1)[1] for note in self.notes}
        self.note(f"{len(shown)} different places, {rounds} runs to the end")
        for number, expected in finished.items():
            self.assertRestoresEqual(f"again-{number}", ("--job", str(number)), expected)
            program.remove(self.path(f"again-{number}"))
        self.assertRestoresEqual("latest")
        self.assertTrue(kept_once, "no continued job ever kept committed bytes")
        self.assertEqual([job["job"] for job in self.jobs() if job["status"] in "CRI"], [])

    def start_and_finish(self, *options):
        process, arguments = self.start_backup(*options)
        return program.finish(process, arguments)


class Interrupt(Kill):
    weight = 10
    test_fifty_kills = None

    def wait_for_commit(self, process, bytes_on_volumes):
        """Waits until the volumes hold so many bytes."""
        volumes = os.path.join(self.repository, "volumes")
        deadline = time.monotonic() + 60
        while not (os.path.isdir(volumes) and trees.tree_bytes(volumes) >= bytes_on_volumes):
            self.assertIsNone(process.poll(), "the backup ended before it was interrupted")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.001)

    def interrupted(self, *options, after=8 << 20, number=signal.SIGINT):
        process, arguments = self.start_backup(*options)
        self.wait_for_commit(process, after)
        begin = time.monotonic()
        process.send_signal(number)
        outcome = program.finish(process, arguments)
        seconds = time.monotonic() - begin
        self.expect(outcome, program.INTERRUPTED)
        self.assertLess(seconds, 1.0, "stops within a second")
        return outcome

    def test_interrupt_and_continue(self):
        self.make_tree()
        outcome = self.interrupted("--commit-size", "2M")
        self.assertTrue(outcome.errors.strip())
        stored = trees.tree_bytes(os.path.join(self.repository, "volumes"))
        before = self.jobs()
        self.assertEqual([job["status"] for job in before], ["I"])
        self.assertGreaterEqual(before[0]["commits"], 1)
        self.refuses(program.restore(self.repository, self.path("t")), program.NOT_FOUND)
        report = self.backup("--commit-size", "2M")
        self.assertEqual((report["job"], report["attempt"] > before[0]["attempt"]), (before[0]["job"], True))
        self.assertGreater(report["keptBytes"], 1 << 20)
        total = sum(os.path.getsize(os.path.join(top, name))
                    for top, _, names in os.walk(self.source) for name in names)
        self.assertEqual(report["bytesSeen"], total)
        self.assertLessEqual(report["bytesSent"], total + (16 << 20), "what was committed is not sent again")
        self.note(f"interrupted at {stored >> 20} MiB stored, kept {report['keptBytes'] >> 20} MiB of {total >> 20}")
        self.assertRestoresEqual("restored")
        self.assertEqual(len(self.jobs()), 1)

    def test_interrupted_at_once(self):
        self.make_tree(count=20)
        process, arguments = self.start_backup()
        self.wait_for_commit(process, 1)
        process.send_signal(signal.SIGINT)
        outcome = program.finish(process, arguments)
        self.expect(outcome, program.INTERRUPTED, 0)
        self.assertEqual(self.backup()["status"], "T")
        self.assertRestoresEqual("restored")

    def test_interrupted_many_times_over(self):
        self.make_tree()
        generator = seeded("interrupt")
        for _ in range(6):
            process, arguments = self.start_backup("--commit-size", "2M")
            time.sleep(generator.uniform(0.02, 0.4))
            process.send_signal(signal.SIGINT)
            outcome = program.finish(process, arguments)
            # Before the handler is there the signal itself ends the process.
            self.expect(outcome, program.INTERRUPTED, 0, -signal.SIGINT)
        self.assertEqual(self.backup()["status"], "T")
        self.assertRestoresEqual("restored")
        self.assertEqual([job["status"] for job in self.jobs() if job["status"] != "T"], [])

    def test_large_file_is_continued_in_its_middle(self):
        os.mkdir(self.source)
        trees.write_file(os.path.join(self.source, "a"), b"first")
        trees.write_file(os.path.join(self.source, "large"), os.urandom(1 << 20) * 160)
        trees.settle(self.source)
        self.interrupted("--commit-size", "4M", after=30 << 20)
        report = self.backup("--commit-size", "4M")
        self.assertGreater(report["keptBytes"], 8 << 20)
        self.assertRestoresEqual("restored")

    def test_interrupted_among_files_of_several_groups(self):
        """What was under way when the job stopped is neither lost nor passed over."""
        generator = seeded("among large files")
        for number in range(30):
            folder = os.path.join(self.source, f"d{number:02}")
            os.makedirs(folder)
            for name, content in (("a", generator.randbytes(4096)), ("b", b"%d text " % number * 150_000),
                                  ("c", generator.randbytes(200_000))):
                trees.write_file(os.path.join(folder, name), content)
        trees.settle(self.source)
        for number in range(10):
            self.repository = self.path(f"repository{number}")
            interruptions = 0
            for _ in range(generator.randrange(1, 4)):
                process, arguments = self.start_backup("--commit-size", "64K")
                time.sleep(generator.uniform(0.01, 0.2))
                process.send_signal(generator.choice((signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGKILL)))
                outcome = program.finish(process, arguments)
                interruptions += outcome.status != 0
            report = self.backup("--commit-size", "64K")
            self.note(f"{interruptions} interruptions, attempt {report['attempt']}, kept {report['keptBytes'] >> 20} MiB")
            self.assertRestoresEqual(f"restored{number}", rsync=False)
            program.remove(self.path(f"restored{number}"))

    def test_hard_links_across_an_interruption(self):
        for number in range(40):
            folder = os.path.join(self.source, f"d{number:02}")
            os.makedirs(folder)
            trees.write_file(os.path.join(folder, "file"), os.urandom(1 << 20))
            if number:
                os.link(os.path.join(self.source, "d00", "file"), os.path.join(folder, "first"))
        trees.settle(self.source)
        for number in range(2):
            self.interrupted("--commit-size", "1M", after=(10 + 40 * number) << 20)
            self.backup("--commit-size", "1M")
            self.assertRestoresEqual(f"restored{number}")
            # The second time all is new content, and the known names are the same.
            for folder in range(40):
                trees.write_file(os.path.join(self.source, f"d{folder:02}", "file"), os.urandom(1 << 20))
            self.let_time_pass()

    def test_half_sent_file_that_changed_is_sent_whole(self):
        os.mkdir(self.source)
        large = os.path.join(self.source, "large")
        trees.write_file(large, os.urandom(1 << 20) * 160)
        trees.settle(self.source)
        self.interrupted("--commit-size", "4M", after=30 << 20)
        with open(large, "r+b") as stream:
            stream.write(b"changed at its beginning")
        self.let_time_pass()
        self.backup("--commit-size", "4M")
        self.assertRestoresEqual("restored")

    def test_changes_between_interruption_and_continuation(self):
        """What changed before the place where the job goes on is the next job's business."""
        self.make_tree()
        self.interrupted("--commit-size", "2M", after=12 << 20)
        self.change(random.Random(4), 1)
        self.backup()
        self.let_time_pass()
        self.backup()
        self.assertRestoresEqual("restored")

    def test_termination_signal(self):
        self.make_tree()
        self.interrupted("--commit-size", "2M", number=signal.SIGTERM)
        self.backup()
        self.assertRestoresEqual("restored")

    def test_interrupted_restore_leaves_nothing_half_written(self):
        os.mkdir(self.source)
        for number in range(12):
            trees.write_file(os.path.join(self.source, f"f{number}"), os.urandom(1 << 20) * 24)
        self.backup()
        arguments = ("local", "restore", "--from", self.repository, "--to", self.path("restored"))
        process = program.start(*arguments)
        target = self.path("restored") + self.source
        while not (os.path.isdir(target) and os.listdir(target)):
            self.assertIsNone(process.poll())
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        self.expect(program.finish(process, arguments), program.INTERRUPTED)
        expected, found = trees.describe(self.source), trees.describe(target)
        for path in set(found) - {b""}:
            self.assertIn(path, expected, "left behind")
            self.assertEqual(found[path][6], expected[path][6], path)
