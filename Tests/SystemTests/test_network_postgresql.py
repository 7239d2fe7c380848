"""A fleet whose catalog lies on a PostgreSQL server, and what happens to it when the server goes."""

import os
import signal
import time

import fleet as fleets
import postgres
import program
import trees
from fleet import DIRECTOR, Fleet, NetworkTest

MIDDLE_BYTES = 3_000_000
SCHEMAS = "SELECT count(*) FROM information_schema.schemata WHERE schema_owner = 'vault'"


class ServerTest(NetworkTest):
    """A test with a server of its own."""

    weight = 20
    waits = True

    def setUp(self):
        super().setUp()
        self.server = postgres.Server()
        self.addCleanup(self.server.remove)

    def on_server(self, fleet):
        """Puts the fleet's catalog onto the server; its role and database are there when this returns."""
        fleet.set("dir", "Catalog", "Catalog", **{
            "DB Driver": "PostgreSQL", "DB Name": "vault", "DB User": "vault", "DB Socket": self.server.directory})
        fleet.configure()
        self.initialize(fleet)
        # Not again at the start: what was made has keys.
        fleet.configure = lambda: None
        return fleet

    def initialize(self, fleet):
        self.expect(program.run("dir", "-c", fleet.conf("dir"), "--init-catalog", "--superuser", postgres.SUPERUSER))

    def make_proxied(self):
        fleet = self.make_fleet()
        self.data = fleet.proxied("clients", "sd")
        self.source = self.make_tree(fleet.sources["alpha"], count=12)
        return self.on_server(fleet)

    def in_the_middle(self, fleet):
        """Begins a full backup that has committed something and goes no further; returns its number."""
        self.data.disturb("stall", "up", MIDDLE_BYTES)
        number = fleet.begin("save-alpha", "level=full")
        self.data.wait_stalled()
        return number


class Catalog(ServerTest):
    def test_levels_restores_and_a_rebuilt_catalog(self):
        """Every level gives its state back; so does a catalog that was made anew from the volumes alone."""
        fleet = self.make_fleet()
        source = self.make_tree(fleet.sources["alpha"])
        self.on_server(fleet).start()
        kept = {}
        for level in ("full", "incremental", "differential", "incremental"):
            number = fleet.run("save-alpha", f"level={level}")
            kept[number] = trees.describe(source)
            self.change_tree(source, f"{level}{number}")
        for number, expected in kept.items():
            self.assertJobRestores(fleet, number, source, expected)
        self.assertEqual(self.server.answer("SELECT rolsuper FROM pg_roles WHERE rolname = 'vault'"), "f")
        fleet["dir"].stop()
        self.server.psql("DROP DATABASE vault")
        self.initialize(fleet)
        self.expect(program.run("volume", "scan", "-c", fleet.conf("dir"), os.path.join(fleet.directory, "volumes", DIRECTOR),
                                timeout=fleets.JOB_SECONDS))
        fleet["dir"].start()
        for number, expected in kept.items():
            self.assertJobRestores(fleet, number, source, expected)
        # And the next incremental goes on from what was found.
        number = fleet.run("save-alpha", "level=incremental")
        self.assertEqual(fleet.listed(number)["level"], "incremental")
        self.assertJobRestores(fleet, number, source)

    def test_two_directors_on_one_database(self):
        """Each has its own jobs, whichever numbers the other gave."""
        sources, directories = [], [DIRECTOR, "other-dir"]
        found = []
        for name in directories:
            directory = self.path(name)
            os.makedirs(directory)
            fleet = Fleet(directory)
            self.addCleanup(self.end_fleet, fleet)
            sources.append(self.make_tree(fleet.sources["alpha"], seed=name, count=4))
            self.on_server(fleet)
            for file in ("dir", "sd", "fd-alpha", "console"):
                text = fleet.read(fleet.conf(file)).replace(DIRECTOR, name)
                trees.write_file(fleet.conf(file), text.encode(), 0o600)
            found.append(fleet.start())
        self.assertEqual(self.server.answer(SCHEMAS), "2")
        begun = [[fleet.begin("save-alpha", "level=full") for fleet in found] for _ in range(2)]
        for numbers in begun:
            for fleet, number, source in zip(found, numbers, sources):
                self.assertEnds(fleet, number, "T")
                self.assertJobRestores(fleet, number, source)
        for fleet in found:
            self.assertEqual({row["job"] for row in fleet.ask("list jobs")}, {1, 2, 3, 4})

    def test_second_process_of_one_director_is_refused(self):
        fleet = self.on_server(self.make_fleet())
        self.make_tree(fleet.sources["alpha"], count=2)
        fleet.start()
        text = fleet.read(fleet.conf("dir"))
        other = self.path("state-of-another")
        os.makedirs(other)
        text = text.replace(self.path("conf/state/dir"), other).replace(
            f"Port = {fleet.ports['dir']}", f"Port = {fleets.free_port('127.0.0.1')}")
        path = self.path("conf", "second.conf")
        trees.write_file(path, text.encode(), 0o600)
        second = program.run("dir", "-c", path, timeout=fleets.PATIENCE_SECONDS)
        self.assertNotIn(second.status, (0, -9), second)
        self.assertIn(b"another", second.errors + second.output, second)
        fleet.run("save-alpha")


class ServerGoes(ServerTest):
    """The job that runs goes on as the same job when the server is back."""

    def check(self, how, away_seconds=0.0, also=()):
        fleet = self.make_proxied()
        fleet.start()
        self.assertJobRestores(fleet, fleet.run("save-alpha"), self.source)
        number = self.in_the_middle(fleet)
        self.server.stop(how)
        self.data.calm()
        time.sleep(away_seconds)
        for name in also:
            fleet[name].kill()
            fleet[name].start()
        self.server.start()
        self.assertEnds(fleet, number, "T")
        self.assertEqual(len(fleet.ask("list jobs")), 3, "it is the same job")
        self.assertJobRestores(fleet, number, self.source)
        row = fleet.listed(number)
        self.assertEqual(row["files"], len(trees.describe(self.source)) + self.source.count("/") - 1, row)

    def test_stopped_and_started_in_mid_job(self):
        self.check(signal.SIGINT)

    def test_killed_in_mid_job(self):
        self.check(signal.SIGKILL)

    def test_away_for_a_while(self):
        self.check(signal.SIGQUIT, away_seconds=4)

    def test_killed_in_mid_restore(self):
        """What the director has in its memory is read on."""
        self.kill_in_mid_restore(link_count=0, sorting_count=0)

    def test_killed_in_mid_restore_of_many(self):
        """What the server had sorted for it is lost; the restore goes on, and nothing is missing."""
        # More than the director sorts in its memory.
        self.kill_in_mid_restore(link_count=18_000, sorting_count=1)

    def kill_in_mid_restore(self, link_count, sorting_count):
        fleet = self.make_proxied()
        for number in range(link_count):
            os.makedirs(f"{self.source}/links/{number // 100}", exist_ok=True)
            os.symlink("t" * 1000, f"{self.source}/links/{number // 100}/{number}")
        # More entries than the director reads at once, several times over.
        for number in range(10_000):
            if number % 100 == 0:
                os.makedirs(f"{self.source}/many/{number}")
            trees.write_file(f"{self.source}/many/{number // 100 * 100}/{number}", b"%d" % number * 100)
        fleet.start()
        number = fleet.run("save-alpha")
        target = self.path("restored")
        self.data.disturb("stall", "down", 200_000)
        restore = fleet.ask(f"restore job={number} where={target} all")["job"]
        self.data.wait_stalled()
        reading = self.server.answer("SELECT count(*) FROM pg_stat_activity WHERE query ~ '^(FETCH|SELECT uuid FROM session)'")
        self.assertEqual(int(reading), sorting_count, "connections on which rows wait")
        self.server.stop(signal.SIGKILL)
        self.data.calm()
        self.server.start()
        self.assertEnds(fleet, restore, "T")
        self.assertEqual(trees.rsync_differences(self.source, target + self.source), [])

    def test_killed_together_with_the_storage_daemon(self):
        self.check(signal.SIGKILL, also=("sd",))

    def test_restarted_again_and_again(self):
        """At moments of nobody's choice; every job ends well, and its number stands for one job."""
        fleet = self.make_proxied()
        fleet.start()
        for number in range(1, 6):
            self.change_tree(self.source, f"{number}")
            job = fleet.begin("save-alpha", "level=full")
            time.sleep(0.07 * number)
            self.server.restart((signal.SIGKILL, signal.SIGINT)[number % 2])
            self.assertEnds(fleet, job, "T")
            self.assertJobRestores(fleet, job, self.source)

    def test_director_starts_before_its_server(self):
        """It says what is missing; with the server there it serves."""
        fleet = self.make_fleet()
        source = self.make_tree(fleet.sources["alpha"], count=2)
        self.on_server(fleet)
        self.server.stop()
        outcome = program.run("dir", "-c", fleet.conf("dir"), timeout=fleets.PATIENCE_SECONDS)
        self.assertNotIn(outcome.status, (0, -9), outcome)
        self.assertIn(self.server.directory.encode(), outcome.errors + outcome.output, outcome)
        self.server.start()
        fleet.start()
        self.assertJobRestores(fleet, fleet.run("save-alpha"), source)
