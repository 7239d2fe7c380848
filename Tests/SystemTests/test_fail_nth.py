"""The n-th call below the repository fails, for n = 1, 2, 3 … until a run meets no fault; then the promises are checked.

Where all calls from the n-th on fail, or a write is cut short, or only the error's name differs from one that was tried at
every n, some n are taken, from a place that the seed says: neighbours end alike, and over many runs each n has its turn."""

import os
import random

import program
from scenarios import NAMES, Broken, Scenario, read_count
from suite import SystemTest

ALL_KINDS = "open,write,sync,truncate,rename,unlink,mkdir,close"
PLANS = (
    ("EIO", ALL_KINDS), ("EIO:sticky", ALL_KINDS), ("ENOSPC", ALL_KINDS), ("ENOSPC:sticky", ALL_KINDS),
    ("SHORT", "write"), ("FULL", "write"), ("EFBIG", "write,truncate"))
#: How far apart the n are that are taken, where it is not every one.
STEPS = {"EIO:sticky": 4, "ENOSPC": 3, "ENOSPC:sticky": 4, "SHORT": 2, "FULL": 4, "EFBIG": 4}
#: A run makes far fewer counted calls: the loop must end by itself.
CALL_LIMIT = 4000
FAILURE_LIMIT = 4


class FailNth(SystemTest):
    in_memory = True
    weight = 90

    def loop(self, name, plans=PLANS):
        scenario = Scenario(name, self.directory)
        seed = int(os.environ["VAULT_SEED"])
        runs, failures, ends = 0, [], {}
        for error, kinds in plans:
            step = STEPS.get(error, 1)
            first = random.Random(f"{seed} {name} {error}").randrange(1, step + 1)
            for number in range(first, CALL_LIMIT, step):
                place, count = self.path(f"state-{runs}"), self.path("count")
                runs += 1
                scenario.copy_template(place)
                outcome = scenario.backup_in(place, fail=f"{number}:{error}", kinds=kinds, count=count)
                met = read_count(count) >= number
                ends[outcome.status] = ends.get(outcome.status, 0) + 1
                try:
                    self.check(scenario, place, outcome, error, seed + runs)
                except Broken as broken:
                    failures.append(f"{name}, call {number} of {kinds}: {error}\n{broken}\nwhile disturbed: {outcome}")
                program.remove(place)
                if not met or len(failures) >= FAILURE_LIMIT:
                    break
            else:
                self.fail(f"{name}: {error}: the loop does not end")
            if len(failures) >= FAILURE_LIMIT:
                break
        self.note(f"{name}: {runs} runs; ended with " + ", ".join(f"{key}: {ends[key]}" for key in sorted(ends)))
        if failures:
            self.fail(f"{len(failures)} broken promises (there may be more):\n\n" + "\n\n".join(failures))

    @staticmethod
    def check(scenario, place, outcome, error, number):
        done = set(scenario.done)
        if outcome.status not in program.DOCUMENTED or outcome.status == program.INTERRUPTED:
            raise Broken("no documented exit status")
        if outcome.status == program.UNREACHABLE:
            raise Broken("the disk's trouble is told as a lost connection")
        if outcome.status in (program.DONE, program.PROBLEMS):
            done.add(outcome.json["job"])
        elif not outcome.errors.strip():
            raise Broken("failed without a word on stderr")
        if error == "SHORT" and outcome.status != program.DONE:
            raise Broken("a short write is no failure")
        # Whatever comes first finds what was left behind: each command has its turn to.
        if number % 3 == 0 or outcome.status == program.DONE:
            scenario.check_jobs(place, done, number // 3)
        elif number % 3 == 1 and done:
            scenario.check_restore(place, max(done))
        scenario.check_new_backup(place)


def add(name):
    def first(self):
        self.loop(name, PLANS[:2])

    def second(self):
        self.loop(name, PLANS[2:])
    for method, half in ((first, "input output errors"), (second, "full disk and short writes")):
        setattr(FailNth, f"test_{name.replace('-', '_')} {half}".replace(" ", "_"), method)


for scenario_name in NAMES:
    add(scenario_name)
