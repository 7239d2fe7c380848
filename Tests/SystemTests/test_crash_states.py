"""Power cuts: every prefix of what a backup did to the disk, with what was not synced kept, lost or torn.

A recording of each scenario is cut after every operation; each cut gives one image for 'keep', one for 'drop' and many
for 'tear'. Every image is opened by the program and the promises are checked. Equal images are opened once."""

import os
import pickle
import random
import time

import crash
import program
from scenarios import NAMES, Broken, Scenario
from suite import SystemTest

#: All states of a run together.
STATES = int(os.environ.get("VAULT_CRASH_STATES", "20800"))
SHARDS = 2
FAILURE_LIMIT = 4


class Recording:
    """A scenario, the disk before its backup, what the backup did, and what it had said by when."""

    def __init__(self, name, directory):
        self.scenario = Scenario(name, directory)
        self.place = os.path.join(directory, "recorded")
        self.scenario.copy_template(self.place)
        self.file = os.path.join(directory, "trace")
        self.model = crash.DiskModel(self.place)
        outcome = self.scenario.backup_in(self.place, trace=self.file)
        if outcome.status:
            raise Broken(f"the recorded backup failed: {outcome}")
        self.job = outcome.json["job"]
        self.operations = crash.read_trace(self.file, self.place)
        with open(os.path.join(directory, "recording"), "wb") as stream:
            pickle.dump((self.scenario, self.model, self.operations, self.job), stream)

    @classmethod
    def load(cls, directory):
        self = cls.__new__(cls)
        with open(os.path.join(directory, "recording"), "rb") as stream:
            self.scenario, self.model, self.operations, self.job = pickle.load(stream)
        return self

    def prefixes(self):
        """Yields (number of operations done, jobs reported done by then); the model is then in that state."""
        done = set(self.scenario.done)
        yield 0, done
        for number, operation in enumerate(self.operations, 1):
            changed = self.model.apply(operation)
            if operation.kind in "OE":
                done = done | {self.job}
            if changed or operation.kind in "OE":
                yield number, done


def check(scenario, place, done, turn):
    """Opens one image. Turns take their turn, so that each of the first commands after a crash is tried.

    The first command puts in order what the crash left, whichever it is: most images are opened by one alone."""
    round_number, kind = divmod(turn, 9)
    if kind in (0, 3, 5) and done:
        scenario.check_restore(place, min(done) if kind == 5 else max(done))
    elif kind in (3, 4, 5, 7):
        scenario.check_jobs(place, done, restores=False)
    elif kind == 1:
        scenario.check_jobs(place, done, round_number)
    elif kind == 8 and round_number % 2:
        scenario.check_jobs(place, done, round_number // 2)
        scenario.check_new_backup(place)
    else:
        scenario.check_new_backup(place)
        if kind == 8 and done:
            scenario.check_restore(place, min(done))


class CrashStates(SystemTest):
    in_memory = True
    weight = 300

    def one_state(self, recording, label, image, done, turn):
        place = self.path(f"state-{label}".replace(":", "-"))
        crash.write_image(image, place)
        try:
            check(recording.scenario, place, done, turn)
        finally:
            program.remove(place)

    def loop(self, name, shard):
        seed = int(os.environ["VAULT_SEED"])
        recording = Recording(name, self.directory)
        generator = random.Random(f"{seed} {name} {shard}")
        cuts = sum(1 for operation in recording.operations if operation.kind != "P") + 1
        wanted = -(-STATES // (len(NAMES) * SHARDS))
        tears = max(1, -(-wanted // max(1, cuts // SHARDS)) - 2)
        seen, enumerated, failures, begin = set(), 0, [], time.monotonic()
        for number, (cut, done) in enumerate(recording.prefixes()):
            # Neighbours have states in common: a shard's cuts lie together.
            if number * SHARDS // cuts != shard:
                continue
            policies = [("keep", 0), ("drop", 0)] + [("tear", generator.randrange(1 << 30)) for _ in range(tears)]
            for policy, tear in policies:
                image = recording.model.image(policy, tear)
                enumerated += 1
                identity = (crash.image_digest(image), len(done))
                if identity in seen:
                    continue
                seen.add(identity)
                label, turn = f"{cut}:{policy}:{tear}", len(seen)
                try:
                    self.one_state(recording, label, image, done, turn)
                except Broken as broken:
                    operation = recording.operations[cut - 1] if cut else "nothing"
                    failures.append(
                        f"{name}, after operation {cut} of {len(recording.operations)} ({operation}), {policy}:\n{broken}"
                        f"\nreplay: VAULT_REPLAY={self.directory} VAULT_STATE={label}:{turn} "
                        "Tests/SystemTests/run.py replay")
                if len(failures) >= FAILURE_LIMIT:
                    break
            if len(failures) >= FAILURE_LIMIT:
                break
        self.note(f"{name}, part {shard + 1} of {SHARDS}: {enumerated} states ({len(seen)} distinct) at {cuts} cuts, "
                  f"{time.monotonic() - begin:.0f} s")
        if failures:
            # The recording stays, so that the states can be replayed.
            self._cleanups.clear()
            self.fail(f"{len(failures)} broken promises (there may be more):\n\n" + "\n\n".join(failures))
        self.assertGreaterEqual(enumerated, wanted)


def add(name, shard):
    setattr(CrashStates, f"test_{name.replace('-', '_')}_part_{shard + 1}", lambda self: self.loop(name, shard))


for scenario_name in NAMES:
    for shard_number in range(SHARDS):
        add(scenario_name, shard_number)


class Replay(SystemTest):
    """One state again: VAULT_REPLAY and VAULT_STATE as the failure printed them."""

    def test_replay(self):
        if "VAULT_REPLAY" not in os.environ:
            self.skipTest("nothing to replay")
        recording = Recording.load(os.environ["VAULT_REPLAY"])
        wanted, policy, tear, turn = os.environ["VAULT_STATE"].split(":")
        for cut, done in recording.prefixes():
            if cut == int(wanted):
                image = recording.model.image(policy, int(tear))
                place = self.path("state")
                crash.write_image(image, place)
                self.note(f"image at {place} (VAULT_KEEP=1 leaves it)")
                check(recording.scenario, place, done, int(turn))
                return
        self.fail(f"no cut {wanted}")
