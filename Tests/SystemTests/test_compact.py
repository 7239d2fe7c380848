"""Compacting volumes: room comes back, no kept job changes, and whatever cuts it short loses nothing."""

import contextlib
import os
import random
import shutil
import sqlite3
import time

import crash
import program
import trees
from scenarios import read_count
from suite import SystemTest
from test_drop import History, volumes_of

#: Everything of an entry that a rebuilt catalog must have again, wherever its rows have their numbers. It replays the jobs
#: from the first kept one on, and knows of no version when it was older than that.
ENTRIES = """
  SELECT t.host, t.name, d.key, e.name, max(e.first, t.first_kept), e.last, s.uuid, e.content_index, e.device, e.inode, e.attributes,
    e.extents, x.uuid, e.extended_index
  FROM entry AS e JOIN directory AS d ON d.id = e.directory JOIN tree AS t ON t.id = d.tree
    LEFT JOIN session AS s ON s.id = e.content_session LEFT JOIN session AS x ON x.id = e.extended_session"""
LOCATIONS = """
  SELECT s.uuid, l.number, l.copy, v.uuid, l.file, l.block, l.stored_length, g.kind, g.first_entry, g.first_offset,
    g.raw_length
  FROM group_location AS l JOIN record_group AS g ON g.job = l.job AND g.number = l.number
    JOIN job AS j ON j.number = l.job JOIN session AS s ON s.id = j.session JOIN volume AS v ON v.id = l.volume"""


def rows(repository, query):
    place = f"file:{os.path.join(repository, 'catalog.sqlite')}?mode=ro"
    with contextlib.closing(sqlite3.connect(place, uri=True)) as catalog:
        return sorted(catalog.execute(query), key=repr)


def volume_bytes(repository):
    return sum(os.path.getsize(os.path.join(repository, "volumes", name)) for name in volumes_of(repository))


class Compacting(SystemTest):
    in_memory = True
    weight = 30

    def make_history(self, seed, repository=None):
        """Four jobs on one volume, of which two hold most of what nothing else needs; an entry has extended attributes."""
        history = History(self, random.Random(seed))
        history.mark(history.files()[0], b"first")
        history.backup(repository or self.repository, options=("--volume-size", "64M"))
        for round_number in range(3):
            for number in range(12):
                history.write(f"d{number % 3}/f{number}", history.generator.randbytes(50_000))
            history.write(f"d0/only{round_number}", history.generator.randbytes(100_000))
            history.mark(os.path.join(self.source, f"d0/only{round_number}"), b"x" * 500)
            if round_number:
                os.unlink(os.path.join(self.source, f"d0/only{round_number - 1}"))
            history.backup(repository or self.repository, options=("--volume-size", "64M"))
        return history

    def compact(self, repository, *options, status=0, **how):
        return self.assertDescribed("drop", self.expect(program.drop(repository, "--compact", *options, **how), status).json)

    def rebuild(self, repository, name="rebuilt"):
        """A repository whose catalog is made from the volumes alone."""
        place = self.path(name)
        shutil.copytree(repository, place, ignore=shutil.ignore_patterns("catalog*"))
        outcome = program.scan(place, os.path.join(place, "volumes"))
        self.expect(outcome)
        return place

    def interrupted_backup(self, *options):
        """A copy of the repository in which a backup was killed when some of it was committed, and not all."""
        count, trial = self.path("count"), self.path("trial")
        shutil.copytree(self.repository, trial)
        environment = program.fault_environment(trial, kinds="write", count=count)
        self.expect(program.backup(trial, self.source, options=options, environment=environment))
        for tenths in range(9, 0, -1):
            place = self.path(f"interrupted-{tenths}")
            shutil.copytree(self.repository, place)
            environment = program.fault_environment(place, kinds="write", kill=read_count(count) * tenths // 10)
            self.assertEqual(program.backup(place, self.source, options=options, environment=environment).status, -9)
            job = self.jobs(place)[-1]
            if job["status"] == "I" and any(row[0] == job["job"] for row in rows(place, "SELECT job FROM group_location")):
                return place, job["job"]
        self.fail("no kill leaves a job that goes on")

    # ---- What comes of it

    def test_room_comes_back(self):
        history = self.make_history(1)
        before = volume_bytes(self.repository)
        dry = self.compact(self.repository, "--job", "1", "3", "--dry-run")
        self.assertEqual([(volume["action"], volume["volume"]) for volume in dry["volumes"]], [("rewrite", "vol-0001")])
        self.assertEqual((volume_bytes(self.repository), len(self.jobs())), (before, 4), "a dry run changes nothing")
        self.expect(program.drop(self.repository, "--job", "1", "3"))
        entries = rows(self.repository, ENTRIES)
        self.assertGreaterEqual(volume_bytes(self.repository), before, "dropping alone gives nothing back here")
        held = volume_bytes(self.repository)
        report = self.compact(self.repository)
        self.assertEqual((report["dropped"], report["volumesFreed"], report["volumesRewritten"]), (0, 0, 1))
        self.assertEqual(report["bytesFreed"], held - volume_bytes(self.repository))
        self.assertLess(volume_bytes(self.repository), before * 3 // 4)
        self.assertEqual(volumes_of(self.repository), ["vol-0002"])
        # What was estimated is near what is left.
        self.assertLess(abs(dry["volumes"][0]["bytesNeeded"] - volume_bytes(self.repository)), 100_000)
        self.assertEqual(rows(self.repository, ENTRIES), entries, "not an entry changed")
        del history.kept[1], history.kept[3]
        history.check(self.repository)
        volumes = os.path.join(self.repository, "volumes")
        self.expect(program.run("local", "verify", "--from", self.repository, "--read-data"))
        self.expect(program.run("volume", "verify", volumes))
        self.expect(program.run("volume", "list", volumes, "--json"))
        self.expect(program.run("volume", "extract", volumes, "--to", self.path("extracted")))
        self.assertSameTree(history.kept[4], self.path("extracted") + self.source)
        self.assertEqual(trees.rsync_differences(self.source, self.path("extracted") + self.source), [])
        place = self.rebuild(self.repository)
        self.assertEqual(rows(place, ENTRIES), entries, "a rebuilt catalog has the same entries")
        self.assertEqual(rows(place, LOCATIONS), rows(self.repository, LOCATIONS), "and the same places")
        history.check(place, "rebuilt")
        self.expect(program.run("local", "verify", "--from", place, "--read-data"))
        # Again there is nothing to gain.
        again = self.compact(self.repository)
        self.assertEqual((again["volumesRewritten"], again["bytesFreed"]), (0, 0))
        # And all goes on: the rewritten volume takes the next jobs, and is rewritten again.
        for repository in (self.repository, place):
            kept, marks = dict(history.kept), dict(history.marks)
            history.change()
            job = history.backup(repository, options=("--volume-size", "64M"))
            self.assertEqual(volumes_of(repository), ["vol-0002"])
            history.check(repository)
            self.compact(repository, "--keep-last", "1")
            history.kept = {job: history.kept[job]}
            history.check(repository, "compacted again")
            self.expect(program.run("local", "verify", "--from", repository, "--read-data"))
            history.kept, history.marks = kept, marks

    def test_text_and_refusals(self):
        self.make_history(2)
        text = self.expect(program.run("local", "drop", "--from", self.repository, "--job", "1", "3", "--compact", "--dry-run"))
        self.assertIn(b"1 volume would be rewritten, and give back about", text.output)
        self.assertIn(b"2 jobs would be dropped; nothing was changed.", text.output)
        text = self.expect(program.run("local", "drop", "--from", self.repository, "--job", "1", "3", "--compact"))
        self.assertIn(b"rewritten as vol-0002", text.output)
        self.assertIn(b"1 volume was rewritten;", text.output)
        self.assertIn(b"were given back.", text.output)
        text = self.expect(program.run("local", "drop", "--from", self.repository, "--compact"))
        self.assertIn(b"0 volumes were rewritten; 0 B were given back.", text.output)
        self.assertNotIn(b"job", text.output.split(b"\n", 2)[2])
        self.refuses(program.drop(self.path("none"), "--compact"), program.NOT_FOUND)

    def test_random_histories_on_one_volume(self):
        # Each round drops jobs of its one volume: some of them leave enough behind.
        self.assertGreater(self.random_history("64M"), 0)

    def test_random_histories_on_small_volumes(self):
        self.random_history("2M")

    def random_history(self, size):
        generator = random.Random(f"{os.environ['VAULT_SEED']} compact {size}")
        history, rewritten = History(self, generator), 0
        for number in range(16):
            history.change()
            level = generator.choice(("incremental", "incremental", "full", "differential"))
            history.backup(self.repository, level, options=("--volume-size", size))
            if number % 3 == 2:
                chosen = generator.sample(sorted(history.kept), generator.randrange(1, len(history.kept)))
                report = self.compact(self.repository, "--job", *map(str, chosen))
                rewritten += report["volumesRewritten"]
                for job in chosen:
                    del history.kept[job]
                history.check(self.repository, f"round {number}, without {chosen}")
                self.expect(program.run("local", "verify", "--from", self.repository, "--read-data"))
                place = self.rebuild(self.repository)
                history.check(place, f"rebuilt after round {number}")
                self.assertEqual(rows(place, ENTRIES), rows(self.repository, ENTRIES))
                self.expect(program.run("local", "verify", "--from", place, "--read-data"))
                program.remove(place)
        self.note(f"{rewritten} volumes were rewritten, {len(volumes_of(self.repository))} are left")
        return rewritten

    def test_two_trees_on_one_volume(self):
        """Of the tree that nothing is dropped from everything stays, and a rebuilt catalog finds nothing missing."""
        history = History(self, random.Random(4))
        other = self.path("other")
        os.mkdir(other)
        for number in range(3):
            trees.write_file(os.path.join(other, "file"), history.generator.randbytes(30_000))
            self.let_time_pass()
            self.backup("--name", "other", "--level", "full", paths=[other])
            history.write("d0/f0", history.generator.randbytes(400_000))
            history.backup(self.repository, options=("--volume-size", "64M"))
        expected = {job: history.kept[job] for job in (6,)}
        self.assertEqual(self.compact(self.repository, "--keep-last", "1", "--name", self.source)["volumesRewritten"], 1)
        place = self.rebuild(self.repository)
        for repository in (self.repository, place):
            self.assertEqual([job["job"] for job in self.jobs(repository)], [1, 3, 5, 6])
            for job, tree in expected.items():
                target = self.path("check")
                self.expect(program.restore(repository, target, options=("--job", str(job))))
                self.assertSameTree(tree, target + self.source)
                program.remove(target)
            for job in (1, 3, 5):
                self.expect(program.restore(repository, self.path("check"), options=("--job", str(job))))
                program.remove(self.path("check"))

    def test_a_job_that_goes_on_keeps_its_volume(self):
        history = self.make_history(5)
        for late in range(8):
            history.write(f"d1/late{late}", history.generator.randbytes(300_000))
        expected = trees.describe(self.source)
        options = ("--volume-size", "64M", "--commit-size", "64K")
        self.let_time_pass()
        self.repository, number = self.interrupted_backup(*options)
        report = self.compact(self.repository, "--job", "1", "3")
        self.assertEqual([volume["action"] for volume in report["volumes"]], ["keep"])
        self.assertIn("goes on", report["volumes"][0]["reason"])
        del history.kept[1], history.kept[3]
        self.assertEqual(self.backup(*options)["job"], number, "the same job goes on")
        self.assertSameTree(expected, self.source)
        self.assertEqual(self.compact(self.repository)["volumesRewritten"], 1)
        for kept in (2, 4):
            place = self.path("check")
            self.expect(program.restore(self.repository, place, options=("--job", str(kept))))
            self.assertSameTree(history.kept[kept], place + self.source)
            program.remove(place)
        self.assertRestoresEqual("five", options=("--job", str(number)))
        place = self.rebuild(self.repository)
        self.assertRestoresEqual("again", options=("--job", str(number)), repository=place)

    def test_a_job_goes_on_behind_a_rewritten_volume(self):
        """A volume with nothing but old jobs is rewritten while a job that goes on lies on the next one."""
        history = History(self, random.Random(6))
        for _ in range(2):
            for number in range(9):
                history.write(f"d{number % 3}/f{number}", history.generator.randbytes(200_000))
            history.backup(self.repository, "full")
        for late in range(20):
            history.write(f"d1/late{late}", history.generator.randbytes(300_000))
        options = ("--volume-size", "2M", "--commit-size", "64K")
        self.let_time_pass()
        self.repository, number = self.interrupted_backup(*options)
        report = self.compact(self.repository, "--job", "1")
        self.assertGreater(report["volumesFreed"] + report["volumesRewritten"], 0)
        self.assertIn("keep", [volume["action"] for volume in report["volumes"]])
        self.assertEqual(self.backup(*options)["job"], number)
        self.assertRestoresEqual("three", options=("--job", str(number)))
        self.expect(program.run("local", "verify", "--from", self.repository, "--read-data"))
        place = self.rebuild(self.repository)
        self.assertRestoresEqual("again", options=("--job", str(number)), repository=place)

    # ---- What goes wrong

    def test_damage_keeps_the_volume(self):
        history = self.make_history(7)
        self.expect(program.drop(self.repository, "--job", "1", "3"))
        volume = os.path.join(self.repository, "volumes", "vol-0001")
        with open(volume, "r+b") as stream:
            stream.seek(os.path.getsize(volume) // 2)
            byte = stream.read(1)
            stream.seek(-1, os.SEEK_CUR)
            stream.write(bytes([byte[0] ^ 1]))
        size = volume_bytes(self.repository)
        outcome = program.drop(self.repository, "--compact")
        self.expect(outcome, program.DAMAGED)
        report = self.assertDescribed("drop", outcome.json)
        self.assertEqual([volume["action"] for volume in report["volumes"]], ["fail"])
        self.assertIn(b"vol-0001", outcome.errors)
        self.assertEqual((volumes_of(self.repository), volume_bytes(self.repository)), (["vol-0001"], size))

    def test_full_disk(self):
        place = self.mount(6 << 20)
        repository = os.path.join(place, "repository")
        history = self.make_history(8, repository)
        self.expect(program.drop(repository, "--job", "1", "3"))
        del history.kept[1], history.kept[3]
        free = os.statvfs(place)
        with open(os.path.join(place, "filler"), "wb") as filler:
            filler.write(bytes(free.f_bavail * free.f_bsize - (600 << 10)))
        before = volumes_of(repository), volume_bytes(repository)
        outcome = program.drop(repository, "--compact")
        self.expect(outcome, program.FAILED)
        self.assertIn(b"no room to rewrite volume vol-0001", outcome.errors)
        self.assertEqual((volumes_of(repository), volume_bytes(repository)), before)
        history.check(repository, "full")
        os.unlink(os.path.join(place, "filler"))
        self.assertEqual(self.compact(repository)["volumesRewritten"], 1)
        history.check(repository, "with room")

    def test_interrupted(self):
        generator = random.Random(9)
        for number in range(3):
            for name in range(12):
                os.makedirs(self.source, exist_ok=True)
                trees.write_file(os.path.join(self.source, f"f{name}"), generator.randbytes(10 << 20))
            self.let_time_pass()
            self.backup("--level", "full")
        expected = trees.describe(self.source)
        arguments = ("local", "drop", "--from", self.repository, "--keep-last", "1", "--compact", "--json")
        interrupted = 0
        for attempt in range(6):
            copy = self.path("copy")
            shutil.copytree(self.repository, copy)
            process = program.start(*[copy if word == self.repository else word for word in arguments])
            deadline = time.monotonic() + 20
            while len(volumes_of(copy)) < 2 and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(attempt * 0.02)
            begin = time.monotonic()
            program.interrupt(process)
            outcome = program.finish(process, arguments)
            self.expect(outcome, program.INTERRUPTED, program.DONE)
            self.assertLess(time.monotonic() - begin, 3)
            self.assertEqual(len(volumes_of(copy)), 1, "one of the two is gone")
            if outcome.status == program.INTERRUPTED:
                interrupted += 1
                self.assertEqual(volumes_of(copy), ["vol-0001"])
            self.assertEqual([job["job"] for job in self.jobs(copy)], [3])
            self.assertSameTree(expected, self.restore("check", repository=copy))
            program.remove(self.path("check"))
            program.remove(copy)
        self.note(f"{interrupted} of 6 were interrupted in time")
        self.assertGreater(interrupted, 0)


class CompactingCrashes(SystemTest):
    """Power cuts and failing calls while jobs are dropped and their volume is rewritten."""

    in_memory = True
    weight = 120
    KEPT = (2, 4)

    make_history = Compacting.make_history

    def setUp(self):
        super().setUp()
        self.template = self.path("template")
        os.mkdir(self.template)
        self.history = self.make_history(11, os.path.join(self.template, "repository"))
        place = self.path("reference")
        shutil.copytree(self.template, place)
        report = self.expect(self.drop(place)).json
        self.assertEqual((report["dropped"], report["volumesRewritten"]), (2, 1))
        self.compacted = volume_bytes(os.path.join(place, "repository"))
        self.assertLess(self.compacted, volume_bytes(os.path.join(self.template, "repository")) * 3 // 4)

    def drop(self, place, **how):
        return program.drop(os.path.join(place, "repository"), "--job", "1", "3", "--compact", **how)

    def check_volumes_alone(self, place, note, turn, most):
        """Whatever the catalog says: a scan of the volumes brings every kept job back; `most` of them are left."""
        alone = os.path.join(place, "alone")
        shutil.copytree(os.path.join(place, "repository"), alone, ignore=shutil.ignore_patterns("catalog*"))
        # A file that was to become a volume has no label yet: it is told, and is all that is wrong.
        begun = any(os.path.getsize(os.path.join(alone, "volumes", name)) < 8192 for name in volumes_of(alone))
        outcome = program.scan(alone, os.path.join(alone, "volumes"))
        self.assertIn(outcome.status, (0, program.DAMAGED) if begun else (0,), f"{note}\n{outcome}")
        self.check_jobs(alone, f"{note}, by the volumes alone", turn)
        # The next command puts the volumes in order; then the catalog and they agree.
        # A file that was torn inside the padding of its last block is called truncated, and costs nothing.
        torn = any(os.path.getsize(os.path.join(alone, "volumes", name)) % 4096 for name in volumes_of(alone))
        outcome = program.run("local", "verify", "--from", alone, "--read-data")
        self.assertIn(outcome.status, (0, program.DAMAGED) if torn else (0,),
                      f"{note}, by the volumes alone\n{outcome}")
        if outcome.status:
            self.assertIn(b"a restore would lose nothing", outcome.output, note)
        self.assertLessEqual(len(volumes_of(alone)), most, f"{note}: by the volumes alone {volumes_of(alone)} are left")
        program.remove(alone)

    def check_jobs(self, repository, note, turn):
        return self.history.check_one_of(repository, ((1, 2, 3, 4), self.KEPT), note, turn)

    def check(self, place, note, turn, most=1):
        """Every promise is kept, and at most so many volumes are left."""
        repository = os.path.join(place, "repository")
        if turn % 2 == 0:
            self.check_volumes_alone(place, note, turn // 2, most)
        present = self.check_jobs(repository, note, turn // 2 + 1)
        outcome = program.run("local", "verify", "--from", repository, "--read-data")
        self.assertEqual(outcome.status, 0, f"{note}\n{outcome}")
        self.assertNotIn(b"is not in the catalog", outcome.errors, note)
        self.assertLessEqual(len(volumes_of(repository)), most, f"{note}: {volumes_of(repository)}")
        again = program.drop(repository, *(() if present == self.KEPT else ("--job", "1", "3")), "--compact")
        self.expect(again)
        self.assertEqual(self.check_jobs(repository, f"{note}, and again", turn), self.KEPT)
        # One that could not be written is not rewritten.
        if not any(volume["reason"] == "its status is Error" for volume in again.json["volumes"]):
            self.assertLess(volume_bytes(repository), self.compacted + 40_000, note)
        self.assertEqual(self.backup(repository=repository)["status"], "T", note)

    def test_power_cut(self):
        place, trace = self.path("recorded"), self.path("trace")
        shutil.copytree(self.template, place)
        model = crash.DiskModel(place)
        self.expect(self.drop(place, environment=program.fault_environment(place, trace=trace)))
        operations = crash.read_trace(trace, place)
        generator = random.Random(os.environ["VAULT_SEED"])
        seen, both, state = set(), 0, self.path("state")
        for number, operation in enumerate(operations, 1):
            if not model.apply(operation):
                continue
            for policy, tear in (("keep", 0), ("drop", 0), ("tear", generator.randrange(1 << 30))):
                image = model.image(policy, tear)
                if (digest := crash.image_digest(image)) in seen:
                    continue
                seen.add(digest)
                crash.write_image(image, state)
                both += len(volumes_of(os.path.join(state, "repository"))) == 2
                self.check(state, f"after {number} of {len(operations)} ({operation}), {policy}:{tear}", len(seen))
                program.remove(state)
        self.note(f"{len(seen)} states of {len(operations)} operations, {both} of them with both volumes")
        self.assertGreater(both, 5)

    def loop(self, error, step):
        state, count = self.path("state"), self.path("count")
        ends = {}
        first = random.Random(f"{os.environ['VAULT_SEED']} {error}").randrange(1, step + 1)
        for number in range(first, 600, step):
            shutil.copytree(self.template, state)
            fault = {"kill": number} if error == "kill" else {"fail": f"{number}:{error}"}
            environment = program.fault_environment(
                state, count=count, kinds="open,write,sync,truncate,unlink,close", **fault)
            outcome = self.drop(state, environment=environment)
            ends[outcome.status] = ends.get(outcome.status, 0) + 1
            if error != "kill":
                self.assertIn(outcome.status, program.DOCUMENTED, f"{outcome}")
                self.assertTrue(outcome.status == program.DONE or outcome.errors.strip(), "failed without a word")
            met = read_count(count) >= number
            # What a volume could not take went onto the next one: the drop is done, and there are two.
            most = 2 if error != "kill" and outcome.status == program.DONE else 1
            self.check(state, f"{error} at call {number}: {outcome}", number // step, most)
            program.remove(state)
            if not met:
                break
        else:
            self.fail("the loop does not end")
        self.note(f"{error}: ended with " + ", ".join(f"{key}: {ends[key]}" for key in sorted(ends)))
        self.assertGreater(len(ends), 1)

    def test_kills(self):
        self.loop("kill", 2)

    def test_input_output_errors(self):
        self.loop("EIO", 2)

    def test_full_disk_at_every_call(self):
        self.loop("ENOSPC", 2)

    def test_full_disk_that_stays_full(self):
        self.loop("ENOSPC:sticky", 3)

    def test_short_and_full_writes(self):
        self.loop("FULL", 3)
