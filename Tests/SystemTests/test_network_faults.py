"""Daemons that are killed or frozen, and networks that cut, reset or swallow what they carry, in every phase of a job."""

import concurrent.futures
import os
import random
import threading
import time

import fleet as fleets
import program
import trees
from fleet import DIRECTOR, LOST_AFTER_SECONDS, STORAGE, Footprint, NetworkTest

#: What is sent before the first commit, and behind the second.
FIRST_BYTES, MIDDLE_BYTES = 300_000, 3_000_000
#: How long a cancelled job may take to be over.
CANCEL_SECONDS = 5


def seeded(name):
    return random.Random(f"{os.environ.get('VAULT_SEED', '1')} {name}")


class FaultTest(NetworkTest):
    """A fleet whose every connection goes through a proxy."""

    def make_proxied(self, clients=("alpha",), count=12, **times):
        fleet = self.make_fleet(clients)
        fleet.set("dir", "Director", DIRECTOR, **times)
        self.data = fleet.proxied("clients", "sd")
        self.storage_way = fleet.proxied("director", "sd")
        self.client_way = fleet.proxied("director", "alpha")
        self.ways = {"clients-sd": self.data, "director-sd": self.storage_way, "director-alpha": self.client_way}
        self.source = self.make_tree(fleet.sources["alpha"], count=count)
        self.fleet = fleet
        return fleet

    def warm_up(self):
        """One job and one restore: what a daemon keeps from then on it has now."""
        number = self.fleet.run("save-alpha")
        self.assertJobRestores(self.fleet, number, self.source)
        self.fleet.ask("status client=alpha-fd")
        self.fleet.ask(f"status storage={STORAGE}")
        return number

    def reach(self, phase):
        """Begins a full backup and brings it into a phase; returns its number.

        first: data flow, nothing is committed. middle: some is committed. trailing: all is on the volume, and the catalog
        has not all of it. ended: the session is closed on the volume, and the director has not heard it."""
        self.data.disturb("stall", "up", FIRST_BYTES if phase == "first" else MIDDLE_BYTES)
        # The first connection from now on is the one that says how the session ends.
        self.storage_way.disturb(None, None, 0, count=0)
        number = self.fleet.begin("save-alpha", "level=full")
        self.data.wait_stalled()
        if phase == "trailing":
            self.storage_way.hold("up")
            self.data.calm()
            self.data.wait_until(lambda way: way.connections[-1].is_closed, "the file daemon is done")
        if phase == "ended":
            self.storage_way.hold_connection(0, "down")
            self.data.calm()
            self.storage_way.wait_withheld("down")
        return number

    def calm(self):
        for way in self.ways.values():
            way.calm()

    def cut(self):
        for way in self.ways.values():
            way.cut()


class Killed(FaultTest):
    """kill -9 of each daemon: the same job goes on when it is back, and what it saved restores."""

    weight = 30
    PHASES = ("first", "middle", "trailing", "ended")

    def check_killed(self, *names):
        fleet = self.make_proxied()
        fleet.start()
        self.warm_up()
        for phase in self.PHASES:
            with self.subTest(phase):
                number = self.reach(phase)
                for name in names:
                    fleet[name].kill()
                self.calm()
                self.cut()
                for name in names:
                    fleet[name].start()
                self.assertEnds(fleet, number, "T")
                self.assertJobRestores(fleet, number, self.source)
                row = fleet.listed(number)
                self.assertEqual(row["files"], len(trees.describe(self.source)) + self.source.count("/") - 1, row)
        verified = program.run("volume", "verify", os.path.join(fleet.directory, "volumes", DIRECTOR))
        self.expect(verified)

    def test_file_daemon(self):
        self.check_killed("alpha")

    def test_storage_daemon(self):
        self.check_killed("sd")

    def test_director(self):
        self.check_killed("dir")

    def test_all_of_them(self):
        self.check_killed("dir", "sd", "alpha")

    def test_in_a_restore(self):
        """The restore fails, soon and in words, and another one succeeds; nothing half done keeps its name."""
        fleet = self.make_proxied()
        fleet.start()
        number = self.warm_up()
        for name in ("alpha", "sd", "dir"):
            with self.subTest(name):
                self.data.disturb("stall", "down", 1_000_000)
                target = self.path(f"from-killed-{name}")
                restore = fleet.ask(f"restore job={number} where={target} all")["job"]
                self.data.wait_stalled()
                fleet[name].kill()
                self.calm()
                self.cut()
                fleet[name].start()
                self.assertEnds(fleet, restore, "f", seconds=fleets.PATIENCE_SECONDS)
                found = trees.describe(target)
                for path, entry in trees.describe(self.source).items():
                    had = found.get(os.fsencode(self.source[1:]) + b"/" + path)
                    if path and had and had[6] is not None and not os.path.basename(path).startswith(b".vault"):
                        self.assertEqual(had[6], entry[6], "a file has its name once it is whole")
                self.assertJobRestores(fleet, number, self.source)

    def test_again_and_again(self):
        """Random daemons at random moments while jobs run; every job comes to its end."""
        fleet = self.make_proxied(count=16)
        generator = seeded("again and again")
        fleet.start()
        for round_number in range(8):
            self.change_tree(self.source, f"{round_number}")
            number = fleet.begin("save-alpha", "level=full")
            name = generator.choice(("alpha", "sd", "dir"))
            direction, way = generator.choice(("up", "down")), generator.choice(list(self.ways.values()))
            wanted = way.passed(direction) + generator.randrange(1, 200_000 if way is not self.data else 6_000_000)
            # Either so much passed, or the job is over.
            fleets.eventually(lambda: way.passed(direction) >= wanted or number not in fleet.status()[1], "the moment")
            fleet[name].kill()
            fleet[name].start()
            self.assertEnds(fleet, number, "T")
            self.assertJobRestores(fleet, number, self.source)


class Frozen(FaultTest):
    """SIGSTOP of each daemon: the others notice in their time, and the job goes on after SIGCONT."""

    weight = 30
    waits = True
    #: What noticing may take: the time itself, the pause between two looks, and a loaded machine.
    NOTICE_SECONDS = 2 * LOST_AFTER_SECONDS + 10
    #: A file daemon that has sent everything gives the storage daemon's medium five times as long.
    MEDIUM_SECONDS = 5 * LOST_AFTER_SECONDS + 10

    def check_frozen(self, name, notices, phases=("first", "middle", "trailing")):
        fleet = self.make_proxied()
        fleet.lose_silent_peers()
        fleet.start()
        self.warm_up()
        footprint = Footprint(fleet)
        for phase in phases:
            with self.subTest(phase):
                logs = [fleet.log(witness) for witness, _ in notices]
                number = self.reach(phase)
                fleet[name].freeze()
                self.calm()
                try:
                    for (witness, words), before in zip(notices, logs):
                        fleets.eventually(
                            lambda: any(word in line for line in fleet.news(witness, before) for word in words),
                            lambda: f"{witness} does not notice: {fleet.news(witness, before)}", self.NOTICE_SECONDS)
                finally:
                    fleet[name].thaw()
                self.assertEnds(fleet, number, "T")
                self.assertJobRestores(fleet, number, self.source)
        footprint.check()

    def test_file_daemon(self):
        # Behind its data nobody needs it any more.
        self.check_frozen("alpha", [("dir", ("did not", "silent", "nothing for", "sign of life"))], ("first", "middle"))

    def test_storage_daemon(self):
        self.check_frozen("sd", [("dir", ("did not", "silent", "nothing for", "sign of life"))])

    def test_director(self):
        # The file daemon hears it from the storage daemon, which ends its connection.
        self.check_frozen("dir", [("sd", ("no sign of life",))])

    def test_asked_while_frozen(self):
        """A console that asks after a frozen daemon is answered, and so is everybody else."""
        fleet = self.make_proxied(count=1)
        fleet.lose_silent_peers()
        fleet.start()
        self.warm_up()
        commands = [fleet.console_arguments("status client=alpha-fd"), fleet.console_arguments(f"status storage={STORAGE}")]
        for name in ("alpha", "sd"):
            fleet[name].freeze()
        try:
            asking = [program.start(*arguments) for arguments in commands]
            self.expect(fleet.console("status director"))
            outcomes = [program.finish(process, arguments, timeout=20) for process, arguments in zip(asking, commands)]
        finally:
            for name in ("alpha", "sd"):
                fleet[name].thaw()
        for outcome in outcomes:
            self.refuses(outcome, program.UNREACHABLE)
        fleet["dir"].freeze()
        try:
            self.refuses(fleet.console("version", timeout=20), program.UNREACHABLE)
        finally:
            fleet["dir"].thaw()
        self.expect(fleet.console("version"))

    def test_silent_network(self):
        """Nothing passes between two daemons, and nobody is told: the job goes on when the network does."""
        fleet = self.make_proxied()
        fleet.lose_silent_peers()
        fleet.start()
        self.warm_up()
        footprint = Footprint(fleet)
        for title, way in self.ways.items():
            with self.subTest(title):
                number = self.reach("middle")
                way.hold()
                for other in self.ways.values():
                    if other is not way:
                        other.calm()
                fleets.eventually(lambda: any("The job goes on when it can" in text for text in fleet.messages(number)),
                                  lambda: f"nobody notices: {fleet.about(number)}",
                                  self.MEDIUM_SECONDS if way is self.data else self.NOTICE_SECONDS)
                self.calm()
                self.assertEnds(fleet, number, "T")
                self.assertJobRestores(fleet, number, self.source)
        footprint.check()


class Cut(FaultTest):
    """Connections that end after so many bytes: nothing hangs and nothing is left over."""

    weight = 40

    def test_every_byte_of_a_console_session(self):
        fleet = self.make_fleet()
        self.make_tree(fleet.sources["alpha"], count=1)
        ways = [fleet.proxied("console", "director") for _ in range(4)]
        fleet.start()
        text = fleet.read(fleet.conf("console"))
        configurations = []
        for number, way in enumerate(ways):
            path = self.path("conf", f"console-{number}.conf")
            trees.write_file(path, text.replace(f"Port = {ways[-1].place[1]}", f"Port = {way.place[1]}").encode(), 0o600)
            configurations.append(path)

        def ask(index):
            return program.run(*fleet.console_arguments("version", configuration=configurations[index]), timeout=30)

        lengths = {}
        for index, way in enumerate(ways):
            self.expect(ask(index))
            lengths = {direction: max(lengths.get(direction, 0), way.passed(direction)) for direction in ("up", "down")}
        footprint = Footprint(fleet)
        cases = [(kind, direction, count) for direction, length in lengths.items() for count in range(length + 1)
                 for kind in [("cut", "reset")[count % 2]]]
        seeded("console").shuffle(cases)
        done = {program.DONE: 0, program.UNREACHABLE: 0}
        lock, pending, held = threading.Lock(), list(cases), []

        def work(index):
            while True:
                with lock:
                    if not pending:
                        return
                    kind, direction, count = pending.pop()
                ways[index].disturb(kind, direction, count)
                outcome = ask(index)
                with lock:
                    if outcome.status not in done:
                        raise AssertionError(f"{kind} after {count} bytes {direction}: {outcome}")
                    done[outcome.status] += 1
                    if len(pending) in (len(cases) * 3 // 4, 1):
                        held.append(fleet["dir"].resident_bytes)

        with concurrent.futures.ThreadPoolExecutor(len(ways)) as pool:
            for future in [pool.submit(work, index) for index in range(len(ways))]:
                future.result()
        for way in ways:
            way.calm()
        self.note(f"{len(cases)} cuts: {done[program.UNREACHABLE]} ended the session, {done[program.DONE]} came too late")
        self.assertGreater(done[program.UNREACHABLE], len(cases) // 2)
        footprint.check()
        self.assertLess(held[-1] - held[0], 16 << 20, f"the director grows: {held}")
        self.expect(ask(0))

    def check_cuts(self, title, window=180):
        """Backups whose connections are cut; some end incomplete and are gone on with, and the last one restores."""
        generator = seeded(title)
        fleet = self.make_proxied(count=5, **{
            "Reconnect Window": "0", "FD Connect Timeout": "1 second", "SD Connect Timeout": "1 second"})
        fleet.start()
        self.warm_up()
        way = self.ways[title]
        lengths = {}
        for direction in ("up", "down"):
            before = way.passed(direction)
            fleet.run("save-alpha", "level=full")
            lengths[direction] = way.passed(direction) - before
        footprint = Footprint(fleet)
        counts = {"T": 0, "I": 0}
        for direction, length in lengths.items():
            moments = [*range(generator.randrange(14), window, 14),
                       *(generator.randrange(window, max(length, window + 1)) for _ in range(14))]
            for number, moment in enumerate(moments):
                kind = ("cut", "reset")[number % 2]
                # Of the connections to a daemon the first carries requests, and the others signs of life and commits.
                first = 0 if way is self.data else generator.choice((0, 0, 0, 1, 2))
                way.disturb(kind, direction, moment, first=first, count=1)
                with self.within(fleets.PATIENCE_SECONDS, f"{kind} after {moment} bytes {direction}"):
                    job = fleet.ask("run job=save-alpha level=full wait", (0, 3))
                self.assertIn(job["status"], counts, fleet.about(job["job"]))
                counts[job["status"]] += 1
            way.calm()
            # What was begun is gone on with, and whole.
            number = fleet.run("save-alpha", "level=full")
            self.assertJobRestores(fleet, number, self.source)
        self.note(f"{title}: {counts['I']} jobs were interrupted, {counts['T']} were not")
        self.assertGreater(counts["I"], sum(counts.values()) // 4, counts)
        self.expect(program.run("volume", "verify", os.path.join(fleet.directory, "volumes", DIRECTOR)))
        footprint.check()

    def test_director_to_file_daemon(self):
        self.check_cuts("director-alpha")

    def test_director_to_storage_daemon(self):
        self.check_cuts("director-sd")

    def test_file_daemon_to_storage_daemon(self):
        self.check_cuts("clients-sd")

    def test_cut_in_a_restore(self):
        """A restore that loses a connection fails and says so; the next one is whole."""
        fleet = self.make_proxied(count=5)
        generator = seeded("restore")
        fleet.start()
        number = self.warm_up()
        footprint = Footprint(fleet)
        for title, way in self.ways.items():
            for direction in ("up", "down"):
                before = way.passed(direction)
                self.assertJobRestores(fleet, number, self.source)
                length = way.passed(direction) - before
                for moment in (generator.randrange(length) for _ in range(3)):
                    with self.subTest(f"{title} {direction} {moment}"):
                        way.disturb(generator.choice(("cut", "reset")), direction, moment, count=1)
                        target = self.path(f"cut-{title}-{direction}-{moment}")
                        with self.within(fleets.PATIENCE_SECONDS, "the restore is over"):
                            job = fleet.ask(f"restore job={number} where={target} wait all", (0, 3))
                        if job["status"] == "T":
                            self.assertSameTree(trees.describe(self.source), target + self.source)
                        program.remove(target)
                way.calm()
        self.assertJobRestores(fleet, number, self.source)
        footprint.check()

    def test_several_consoles_go_on_with_one_job(self):
        """An interrupted job that many ask for at the same moment runs once; the others' jobs follow it."""
        fleet = self.make_proxied(**{"Reconnect Window": "0"})
        fleet.start()
        self.warm_up()
        number = self.reach("middle")
        self.cut()
        self.calm()
        self.assertEnds(fleet, number, "I")
        attempt = fleet.listed(number)["attempt"]
        self.data.slow(8_000_000)
        arguments = fleet.console_arguments("run job=save-alpha", json_output=True)
        asking = [program.start(*arguments) for _ in range(6)]
        outcomes = [self.expect(program.finish(process, arguments)) for process in asking]
        numbers = [outcome.json["job"] for outcome in outcomes]
        self.assertIn(number, numbers)
        for each in numbers:
            self.assertEnds(fleet, each, "T")
        self.assertEqual(fleet.listed(number)["attempt"], attempt + 1)
        self.assertEqual(sum(text == "Backup job 'save-alpha' begins." for text in fleet.messages(number)), 2, fleet.about(number))
        self.assertJobRestores(fleet, number, self.source)

    def test_lost_connection_within_the_window(self):
        """With a window the same run of the job goes on, wherever it was cut."""
        fleet = self.make_proxied(count=12)
        fleet.start()
        self.warm_up()
        for title, way in self.ways.items():
            for phase in ("first", "middle", "trailing", "ended"):
                with self.subTest(f"{title} {phase}"):
                    number = self.reach(phase)
                    way.cut("reset")
                    self.calm()
                    self.assertEnds(fleet, number, "T")
                    self.assertJobRestores(fleet, number, self.source)


class Canceled(FaultTest):
    """Cancel in every state of a job: it is over at once, and the next one runs."""

    weight = 20

    def setUp(self):
        super().setUp()
        fleet = self.make_proxied(("alpha", "away"), **{"FD Connect Timeout": "60 seconds"})
        self.make_tree(fleet.sources["away"], count=1)
        fleet.job("another", "alpha", [self.source])
        fleet.start()
        fleet["away"].stop()

    def cancel(self, number, *letters):
        """Cancels, and expects the end in time."""
        begin = time.monotonic()
        outcome = self.fleet.console(f"cancel job={number}")
        self.assertIn(outcome.status, (0, program.NOT_FOUND) if len(letters) > 1 else (0,), f"{outcome}")
        outcome = self.fleet.console(f"wait job={number}", timeout=4 * CANCEL_SECONDS)
        self.assertLess(time.monotonic() - begin, CANCEL_SECONDS, self.fleet.about(number))
        letter = self.fleet.listed(number)["status"]
        self.assertIn(letter, letters or ("A",), self.fleet.about(number))
        self.expect(outcome, program.INTERRUPTED if letter == "A" else program.DONE)
        self.assertNotIn(number, self.fleet.status()[1])
        return letter

    def check_next(self):
        self.calm()
        self.assertJobRestores(self.fleet, self.fleet.run("save-alpha", "level=full"), self.source)
        fleets.eventually(lambda: self.fleet.ask(f"status storage={STORAGE}")[0]["jobs"] == 0, "the storage daemon is free")
        fleets.eventually(lambda: self.fleet.ask("status client=alpha-fd")[0]["jobs"] == 0, "the client is free")

    def test_waiting(self):
        first = self.reach("first")
        second = self.fleet.begin("another")
        self.assertEqual(self.fleet.status()[1][second]["status"], "c")
        self.cancel(second)
        self.assertEqual(self.fleet.status()[1][first]["status"], "R")
        self.cancel(first)
        self.check_next()

    def test_dialling_a_client_that_is_away(self):
        number = self.fleet.begin("save-away")
        fleets.eventually(lambda: self.fleet.status()[1][number]["status"] == "R", "the job runs")
        self.cancel(number)
        self.check_next()

    def test_dialling_somebody_silent(self):
        """The other side takes the connection, and says nothing."""
        for way in (self.client_way, self.storage_way):
            way.hold()
            before = way.count_begun
            number = self.fleet.begin("save-alpha")
            way.wait_until(lambda way: way.count_begun > before, "somebody dials")
            self.cancel(number)
            way.calm()
        self.check_next()

    def test_data_connection_that_is_silent(self):
        """The file daemon dials the storage daemon, which says nothing."""
        self.data.hold()
        before = self.data.count_begun
        number = self.fleet.begin("save-alpha")
        self.data.wait_until(lambda way: way.count_begun > before, "the client dials")
        self.cancel(number)
        self.check_next()

    def test_in_mid_data(self):
        for phase in ("first", "middle"):
            self.cancel(self.reach(phase))
            self.check_next()

    def test_while_data_flow(self):
        """Over a slow line: wherever the job happens to be."""
        generator = seeded("cancel")
        seen = set()
        for _ in range(6):
            before = self.data.passed("up")
            self.data.slow(4_000_000)
            number = self.fleet.begin("save-alpha", "level=full")
            wanted = generator.randrange(1, 4_000_000)
            fleets.eventually(lambda: self.data.passed("up") - before >= wanted or number not in self.fleet.status()[1], "data")
            seen.add(self.cancel(number, "A", "T"))
            self.data.calm()
        self.assertIn("A", seen)
        self.check_next()

    def test_at_the_end(self):
        for phase in ("trailing", "ended"):
            with self.subTest(phase):
                self.cancel(self.reach(phase), "A", "T")
                self.check_next()

    def test_restore(self):
        number = self.fleet.run("save-alpha")
        self.data.disturb("stall", "down", 500_000)
        target = self.path("cancelled")
        restore = self.fleet.ask(f"restore job={number} where={target} all")["job"]
        self.data.wait_stalled()
        self.cancel(restore)
        self.assertNothingHalfDone(target)
        self.check_next()

    def test_canceled_jobs_go_on(self):
        """A canceled job that is continued sends what was not committed, under its number, however often."""
        number = self.reach("middle")
        self.cancel(number)
        self.calm()
        self.data.disturb("stall", "up", FIRST_BYTES)
        self.assertEqual(self.fleet.ask(f"continue job={number}"), {"kind": "continue job", "job": number})
        self.data.wait_stalled()
        self.assertEqual(self.fleet.status()[1][number]["status"], "R")
        self.refuses(self.fleet.console(f"continue job={number}"), program.IN_USE, naming=(f"wait job={number}",))
        self.cancel(number)
        self.calm()
        before = len(self.data.connections)
        self.assertEqual(self.fleet.ask(f"continue job={number} wait")["status"], "T", self.fleet.about(number))
        row = self.fleet.listed(number)
        self.assertEqual(row["attempt"], 3, row)
        sent = sum(each.bytes["up"] for each in self.data.connections[before:])
        self.assertLess(sent, 12 * 400_000 - 1_000_000, "what was committed is not sent again")
        self.assertJobRestores(self.fleet, number, self.source)
        self.check_next()

    def test_what_does_not_go_on(self):
        first = self.reach("first")
        waiting = self.fleet.begin("another")
        self.cancel(waiting)
        self.cancel(first)
        self.calm()
        self.assertEqual(self.fleet.ask(f"continue job={waiting} wait")["status"], "T", "one that never began goes on, too")
        done = self.fleet.run("save-alpha")
        restore = self.assertJobRestores(self.fleet, done, self.source)
        self.fleet["away"].start()
        gone = self.fleet.run("save-away")
        for number, status, what in (
                (first, program.USAGE, f"Job {done} is newer"), (done, program.USAGE, "ended: OK"),
                (restore, program.USAGE, "no backup"), (99, program.NOT_FOUND, "no job 99"), (gone, program.USAGE, "ended")):
            self.refuses(self.fleet.console(f"continue job={number}"), status, naming=(what,))
        # A Job resource that is not what it was.
        lost = self.reach("first")
        self.cancel(lost)
        self.calm()
        other = self.fleet.begin("another")
        self.assertEnds(self.fleet, other, "T")
        self.fleet["dir"].stop()
        text = self.fleet.read(self.fleet.conf("dir"))
        for change, what in (
                (lambda: text.replace("FileSet = files-save-alpha", "FileSet = files-another"), "another client or file set"),
                (lambda: text.replace("  Name = save-alpha\n", "  Name = renamed\n"), "no Job resource")):
            trees.write_file(self.fleet.conf("dir"), change().encode(), 0o600)
            self.fleet["dir"].start()
            self.refuses(self.fleet.console(f"continue job={lost}"), program.USAGE, naming=(what,))
            self.assertEqual(self.fleet.listed(lost)["status"], "A", "it stays as it was")
            self.fleet["dir"].stop()
        trees.write_file(self.fleet.conf("dir"), text.encode(), 0o600)
        self.fleet["dir"].start()
        self.assertEqual(self.fleet.ask(f"continue job={lost} wait")["status"], "T", self.fleet.about(lost))
        self.assertJobRestores(self.fleet, lost, self.source)

    def test_while_waiting_for_a_lost_daemon(self):
        number = self.reach("middle")
        self.fleet["alpha"].kill()
        self.calm()
        fleets.eventually(lambda: any("goes on when it can" in text for text in self.fleet.messages(number)), "the loss")
        fleets.eventually(lambda: self.fleet.status()[1][number]["status"] == "F", "the job waits on its client")
        self.cancel(number)
        self.fleet["alpha"].start()
        self.check_next()
