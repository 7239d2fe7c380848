"""Dropping jobs: no kept job ever changes, room is given back, and a crash in the middle loses nothing."""

import fnmatch
import os
import random
import shutil

import crash
import program
import trees
from scenarios import read_count
from suite import SystemTest

RULES = ("last", "daily", "weekly", "monthly", "yearly")


def volumes_of(repository):
    return sorted(name for name in os.listdir(os.path.join(repository, "volumes")))


def identities_of(repository):
    """The UUIDs of the volumes: a name is given again when its volume, the last one made, went."""
    identities = set()
    for name in volumes_of(repository):
        with open(os.path.join(repository, "volumes", name), "rb") as file:
            identities.add(file.read(48)[32:48])
    return identities


def marks_below(root):
    """The extended attribute that `History.mark` sets, by path below the root."""
    marks = {}
    for top, _, names in os.walk(root):
        for name in names:
            path = os.path.join(top, name)
            try:
                value = os.getxattr(path, "user.note", follow_symlinks=False)
            except OSError:
                continue
            marks[os.fsencode(os.path.relpath(path, root))] = value
    return marks


class History:
    """A tree that changes at random, and what each job of it must give back."""

    def __init__(self, test, generator):
        self.test, self.generator = test, generator
        self.kept, self.marks = {}, {}
        for number in range(12):
            self.write(f"d{number % 3}/f{number}", generator.randbytes(60_000))
        os.symlink("f0", os.path.join(test.source, "d0", "link"))

    def write(self, name, content):
        path = os.path.join(self.test.source, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        trees.write_file(path, content)

    @staticmethod
    def mark(path, value):
        try:
            os.setxattr(path, "user.note", value)
        except OSError:
            os.chmod(path, 0o611)

    def files(self):
        return sorted(os.path.join(top, name) for top, _, names in os.walk(self.test.source) for name in names
                      if not os.path.islink(os.path.join(top, name)))

    def change(self):
        generator = self.generator
        for _ in range(generator.randrange(1, 6)):
            files = self.files()
            choice = generator.randrange(7)
            if choice == 0 or len(files) < 6:
                self.write(f"d{generator.randrange(3)}/g{generator.randrange(1000)}",
                           generator.randbytes(generator.randrange(0, 200_000)))
            elif choice == 1:
                os.unlink(generator.choice(files))
            elif choice == 2:
                os.rename(generator.choice(files), os.path.join(self.test.source, f"moved{generator.randrange(1000)}"))
            elif choice == 3:
                os.chmod(generator.choice(files), generator.choice((0o600, 0o640, 0o755)))
            elif choice == 4:
                trees.write_file(generator.choice(files), generator.randbytes(generator.randrange(1, 100_000)))
            elif choice == 5:
                self.mark(generator.choice(files), generator.randbytes(generator.choice((10, 1000))))
            else:
                place = os.path.join(self.test.source, f"twin{generator.randrange(1000)}")
                if not os.path.exists(place):
                    os.link(generator.choice(files), place)

    def backup(self, repository, level="auto", options=("--volume-size", "2M")):
        self.test.let_time_pass()
        report = self.test.backup(*options, "--level", level, repository=repository)
        self.kept[report["job"]] = trees.describe(self.test.source)
        self.marks[report["job"]] = marks_below(self.test.source)
        return report["job"]

    def check(self, repository, note=""):
        """Every kept job is there, no other, and gives back what it saved."""
        self.test.assertEqual(sorted(self.kept), [job["job"] for job in self.test.jobs(repository)], note)
        for job in self.kept:
            self.check_job(repository, job, note)

    def check_job(self, repository, job, note=""):
        test, place = self.test, self.test.path("check")
        test.expect(program.restore(repository, place, options=("--job", str(job))))
        test.assertSameTree(self.kept[job], place + test.source, f"{note}, job {job}")
        test.assertEqual(self.marks[job], marks_below(place + test.source), f"{note}, job {job}")
        program.remove(place)

    def check_one_of(self, repository, allowed, note, turn):
        """The jobs are one of the allowed sets, and one of them gives back what it saved, each in its turn; returns the set."""
        present = tuple(job["job"] for job in self.test.jobs(repository))
        self.test.assertIn(present, allowed, note)
        self.check_job(repository, present[turn % len(present)], note)
        return present


class Drop(SystemTest):
    in_memory = True
    weight = 40

    def loop(self, part):
        generator = random.Random(f"{os.environ['VAULT_SEED']} drop {part}")
        history = History(self, generator)
        freed = 0
        for number in range(24):
            history.change()
            level = generator.choice(("incremental", "incremental", "incremental", "full", "differential"))
            history.backup(self.repository, level)
            if generator.randrange(3) == 0:
                options = self.random_drop(history, generator)
                planned = self.expect(program.drop(self.repository, *options, "--dry-run")).json
                before = (volumes_of(self.repository), self.jobs())
                self.assertEqual(before, (volumes_of(self.repository), self.jobs()))
                identities = identities_of(self.repository)
                report = self.assertDescribed("drop", self.expect(program.drop(self.repository, *options)).json)
                self.assertEqual(planned["jobs"], report["jobs"])
                freed += report["volumesFreed"]
                self.assertEqual(len(identities) - report["volumesFreed"] - report["volumesRewritten"],
                                 len(identities & identities_of(self.repository)))
                for decision in report["jobs"]:
                    if decision["action"] == "drop":
                        del history.kept[decision["job"]]
                history.check(self.repository, f"round {number}, {options}")
                self.expect(program.run("local", "verify", "--from", self.repository, "--read-data"))
                self.check_rebuilt(history, number)
        self.note(f"{freed} volumes went, {len(volumes_of(self.repository))} are left, {len(history.kept)} jobs kept")
        history.backup(self.repository, "full")
        last = max(history.kept)
        report = self.expect(program.drop(self.repository, "--keep-last", "1")).json
        history.kept = {last: history.kept[last]}
        history.check(self.repository, "one job")
        self.assertGreater(report["volumesFreed"] + freed, 0, "a full lets go of what was before")
        self.assertLess(sum(os.path.getsize(os.path.join(self.repository, "volumes", name))
                            for name in volumes_of(self.repository)),
                        2 * trees.tree_bytes(self.source) + (6 << 20))

    def random_drop(self, history, generator):
        return self.random_choice(history, generator) + ["--compact"] * (generator.randrange(3) == 0)

    def random_choice(self, history, generator):
        if generator.randrange(2):
            chosen = generator.sample(sorted(history.kept), generator.randrange(1, len(history.kept) // 2 + 2)
                                      if len(history.kept) > 2 else 1)
            return ["--job", *map(str, chosen)]
        rules = generator.sample(RULES, generator.randrange(1, 3))
        return [word for rule in rules for word in (f"--keep-{rule}", str(generator.randrange(1, 4)))]

    def check_rebuilt(self, history, number):
        """A catalog made from the volumes alone has the kept jobs, and no other."""
        place = self.path("rebuilt")
        shutil.copytree(self.repository, place)
        for name in os.listdir(place):
            if name.startswith("catalog"):
                os.unlink(os.path.join(place, name))
        if volumes_of(place):
            self.expect(program.scan(place, os.path.join(place, "volumes")))
            history.check(place, f"rebuilt after round {number}")
            self.expect(program.run("local", "verify", "--from", place, "--read-data"))
            job = self.backup("--volume-size", "2M", repository=place)["job"]
            self.assertGreater(job, max((job["job"] for job in self.jobs()), default=0), "no number is given twice")
            self.assertSameTree(
                trees.describe(self.source), self.restore("after", options=("--job", str(job)), repository=place))
            program.remove(self.path("after"))
        program.remove(place)

    def test_kept_jobs_stay_part_1(self):
        self.loop(1)

    def test_kept_jobs_stay_part_2(self):
        self.loop(2)

    # ---- Crashes

    def make_droppable(self):
        """Three jobs of which two go, with volumes of their own."""
        history = History(self, random.Random(5))
        history.mark(history.files()[0], b"first")
        template = self.path("template")
        os.mkdir(template)
        repository = os.path.join(template, "repository")
        history.backup(repository)
        for number in range(12):
            history.write(f"d{number % 3}/f{number}", history.generator.randbytes(300_000))
        history.backup(repository, "full")
        history.write("d0/f0", b"last")
        history.backup(repository, "full")
        return history, template

    def after_crash(self, history, place, note, turn):
        """Either nothing was dropped, or all was; the same drop then succeeds and leaves what an undisturbed one leaves."""
        repository = os.path.join(place, "repository")
        present = history.check_one_of(repository, ((1, 2, 3), (3,)), note, turn)
        if present != (3,):
            self.assertEqual(self.expect(program.drop(repository, "--keep-last", "1")).json["dropped"], 2)
            history.check_one_of(repository, ((3,),), note, turn)
        self.assertLessEqual(len(volumes_of(repository)), self.volumes_left + 1, note)
        self.assertFalse(set(volumes_of(repository)) & self.volumes_gone, f"{note}: an orphan is left")
        self.assertEqual(self.backup(repository=repository)["status"], "T", note)

    def reference(self, template):
        place = self.path("reference")
        shutil.copytree(template, place)
        before = set(volumes_of(os.path.join(place, "repository")))
        report = self.expect(program.drop(os.path.join(place, "repository"), "--keep-last", "1")).json
        after = set(volumes_of(os.path.join(place, "repository")))
        self.assertEqual((report["dropped"], report["volumesFreed"]), (2, len(before - after)))
        self.volumes_left, self.volumes_gone = len(after), before - after
        self.assertTrue(self.volumes_gone)

    def test_power_cut_while_dropping(self):
        history, template = self.make_droppable()
        self.reference(template)
        place, trace = self.path("recorded"), self.path("trace")
        shutil.copytree(template, place)
        model = crash.DiskModel(place)
        self.expect(program.drop(os.path.join(place, "repository"), "--keep-last", "1",
                                 environment=program.fault_environment(place, trace=trace)))
        operations = crash.read_trace(trace, place)
        generator = random.Random(os.environ["VAULT_SEED"])
        seen, state = set(), self.path("state")
        for number, operation in enumerate(operations, 1):
            if not model.apply(operation):
                continue
            for policy, tear in (("keep", 0), ("drop", 0), ("tear", generator.randrange(1 << 30))):
                image = model.image(policy, tear)
                if (digest := crash.image_digest(image)) in seen:
                    continue
                seen.add(digest)
                crash.write_image(image, state)
                self.after_crash(history, state, f"after {number} of {len(operations)} ({operation}), {policy}:{tear}",
                                 len(seen))
                program.remove(state)
        self.note(f"{len(seen)} states of {len(operations)} operations")
        self.assertGreater(len(seen), 10)

    def test_every_call_may_fail_while_dropping(self):
        history, template = self.make_droppable()
        self.reference(template)
        state, count = self.path("state"), self.path("count")
        runs = 0
        for error, step in (("EIO", 2), ("ENOSPC", 3), ("kill", 1)):
            for number in range(1, 400, step):
                shutil.copytree(template, state)
                fault = {"kill": number} if error == "kill" else {"fail": f"{number}:{error}"}
                environment = program.fault_environment(
                    state, count=count, kinds="open,write,sync,truncate,unlink,close", **fault)
                outcome = program.drop(os.path.join(state, "repository"), "--keep-last", "1", environment=environment)
                if error != "kill":
                    self.assertIn(outcome.status, program.DOCUMENTED, f"{outcome}")
                met = read_count(count) >= number
                self.after_crash(history, state, f"{error} at call {number}: {outcome}", runs)
                program.remove(state)
                runs += 1
                if not met:
                    break
            else:
                self.fail("the loop does not end")
        self.note(f"{runs} runs")

    # ---- Rules and refusals

    def test_rules_explain_themselves(self):
        history = History(self, random.Random(3))
        for _ in range(3):
            history.change()
            history.backup(self.repository)
        report = self.expect(program.drop(self.repository, "--keep-last", "2", "--dry-run")).json
        self.assertEqual([(job["job"], job["action"]) for job in report["jobs"]], [(3, "keep"), (2, "keep"), (1, "drop")])
        self.assertTrue(all(job["reason"] for job in report["jobs"]))
        self.assertTrue(report["dryRun"])
        history.check(self.repository)
        text = self.expect(program.run("local", "drop", "--from", self.repository, "--keep-last", "2", "--dry-run"))
        self.assertIn(b"kept: last 2", text.output)
        self.assertIn(b"1 job would be dropped", text.output)

    def test_named_jobs_go_even_the_newest(self):
        history = History(self, random.Random(4))
        for _ in range(3):
            history.change()
            history.backup(self.repository)
        self.expect(program.drop(self.repository, "--job", "3"))
        del history.kept[3]
        history.check(self.repository)
        self.expect(program.restore(self.repository, self.path("none"), options=("--job", "3")), program.NOT_FOUND)
        self.assertEqual(history.backup(self.repository), 4, "its number is not given again")
        history.check(self.repository)
        self.expect(program.drop(self.repository, "--job", "1", "2", "4"))
        history.kept = {}
        history.check(self.repository)
        history.change()
        self.assertEqual((history.backup(self.repository), self.jobs()[0]["level"]), (5, "full"))
        history.check(self.repository)

    def test_refusals(self):
        history = History(self, random.Random(4))
        history.backup(self.repository)
        self.refuses(program.drop(self.repository, "--job", "7"), program.NOT_FOUND, naming=("7",))
        self.refuses(program.drop(self.repository), program.USAGE, lines=9)
        self.refuses(program.drop(self.repository, "--keep-last", "0"), program.USAGE, lines=9)
        self.refuses(program.drop(self.repository, "--keep-last", "1", "--name", "x"), program.NOT_FOUND)
        self.assertEqual(self.expect(program.drop(self.repository, "--keep-last", "1")).json["dropped"], 0)
        other = self.path("other")
        os.mkdir(other)
        self.backup(paths=[other])
        self.refuses(program.diff(self.repository, 1, 2), program.USAGE, naming=("different trees",))
        self.refuses(program.diff(self.repository, 1, 9), program.NOT_FOUND)
        self.refuses(program.versions(self.repository, self.source), program.USAGE, naming=("--name",))

    def test_rules_look_at_each_tree_by_itself(self):
        history = History(self, random.Random(4))
        other = self.path("other")
        os.mkdir(other)
        for _ in range(2):
            self.let_time_pass()
            self.backup("--name", "a")
            self.backup("--name", "b", paths=[other])
        self.expect(program.drop(self.repository, "--keep-last", "1", "--name", "b"))
        self.assertEqual([job["job"] for job in self.jobs()], [1, 3, 4])
        self.expect(program.drop(self.repository, "--keep-last", "1"))
        self.assertEqual([job["job"] for job in self.jobs()], [3, 4])


class Versions(SystemTest):
    """What ls --versions, find and diff say, beside what the test knows of the tree."""

    weight = 4

    def setUp(self):
        super().setUp()
        generator = random.Random(9)
        self.history = History(self, generator)
        for _ in range(8):
            self.history.change()
            self.history.backup(self.repository)

    def prefixed(self, job):
        return {os.fsencode(self.source) + (b"/" + path if path else b""): entry
                for path, entry in self.history.kept[job].items()}

    def mark(self, job, path):
        return self.history.marks[job].get(path[len(os.fsencode(self.source)) + 1:])

    def test_versions_of_every_file(self):
        names = {path for job in self.history.kept for path in self.prefixed(job)}
        for path in sorted(names)[::3]:
            listed = self.assertDescribed(
                "versions", self.expect(program.versions(self.repository, os.fsdecode(path))).json)
            self.assertEqual(listed, sorted(listed, key=lambda version: -version["firstJob"]))
            for job in self.history.kept:
                entry = self.prefixed(job).get(path)
                found = [version for version in listed if version["firstJob"] <= job <= version["lastJob"]]
                self.assertEqual(len(found), 0 if entry is None else 1, f"{path} in job {job}: {listed}")
                if entry is not None and entry[0] == 0o100000:
                    self.assertEqual((found[0]["size"], found[0]["digest"]), (entry[4], entry[6]))
            for version in listed:
                if "deletedJob" in version:
                    self.assertNotIn(path, self.prefixed(version["deletedJob"]))
        self.refuses(program.versions(self.repository, self.source + "/no"), program.NOT_FOUND)

    def test_find(self):
        for pattern in ("f1*", "*", "link", "[fg]?", self.source + "/d?/f*", "d1/*", "**/d2/**"):
            expected = {}
            for job in self.history.kept:
                for path in self.prefixed(job):
                    name = path.rsplit(b"/", 1)[1].decode()
                    text = path.decode()
                    if "/" not in pattern:
                        fits = fnmatch.fnmatchcase(name, pattern)
                    elif "**" in pattern:
                        fits = "/d2/" in text
                    else:
                        tail = text.split("/")[-pattern.strip("/").count("/") - 1:]
                        fits = all(fnmatch.fnmatchcase(a, b) for a, b in zip(tail, pattern.strip("/").split("/")))
                    if fits:
                        first = expected.get(path, (job,))[0]
                        expected[path] = (first, job, job == max(self.history.kept))
            found = {os.fsencode(entry["path"]): (entry["firstJob"], entry["lastJob"], entry["current"])
                     for entry in self.assertDescribed("find", self.expect(program.find(self.repository, pattern)).json)
                     if entry["path"].startswith(self.source)}
            self.assertEqual(found, expected, pattern)
        self.refuses(program.find(self.repository, "nonesuch"), program.NOT_FOUND)

    def test_diff(self):
        for old, new in ((1, 2), (2, 7), (7, 2), (3, 3), (1, 8)):
            before, after = self.prefixed(old), self.prefixed(new)
            listed = self.expect(program.diff(self.repository, old, new, self.source)).json
            changes = {os.fsencode(change["path"]): change for change in self.assertDescribed("diff", listed)}
            for path in before.keys() | after.keys():
                kind = changes.pop(path, {}).get("change")
                if path not in before:
                    self.assertEqual(kind, "added", path)
                elif path not in after:
                    self.assertEqual(kind, "removed", path)
                elif before[path][:7] != after[path][:7] or self.mark(old, path) != self.mark(new, path):
                    self.assertEqual(kind, "modified", path)
                else:
                    self.assertIsNone(kind, path)
            self.assertEqual(changes, {})
