"""Backup and restore by daemons of their own, over TLS on loopback, as a site has it."""

import os
import random
import shutil
import socket
import subprocess
import time
import uuid

import fleet as fleets
import program
import trees
from fleet import STORAGE, NetworkTest


def rich_tree(root, is_root):
    """What a backup may meet: links, holes, attributes, owners, and names that are hard to say."""
    generator = random.Random("rich")
    for folder in ("plain", "empty", "deep/" + "/".join(f"level{number}" for number in range(30))):
        os.makedirs(os.path.join(root, folder))
    for name, size in (("nothing", 0), ("small", 17), ("middle", 70_000), ("large", 2_500_000)):
        trees.write_file(os.path.join(root, "plain", name), generator.randbytes(size))
    trees.write_file(os.path.join(root, "plain", "text"), b"the quick brown fox\n" * 40_000)
    os.link(os.path.join(root, "plain", "middle"), os.path.join(root, "deep", "linked"))
    os.link(os.path.join(root, "plain", "middle"), os.path.join(root, "empty-not"))
    os.symlink("plain/small", os.path.join(root, "symbolic"))
    os.symlink("/nowhere/at all", os.path.join(root, "dangling"))
    os.mkfifo(os.path.join(root, "pipe"), 0o640)
    with open(os.path.join(root, "sparse"), "wb") as stream:
        stream.truncate(64 << 20)
        stream.seek(8 << 20)
        stream.write(b"island" * 3000)
    awkward = os.path.join(os.fsencode(root), b"awkward")
    os.mkdir(awkward)
    for name in (b"line\nfeed", b" spaces ", b"%41=\"quote\"", b"\xff\xfe not text", b"-rf", b"*?[glob]", "déjà vu".encode(),
                 b"back\\slash", b"\x1b[31mred", b"n" * 255):
        trees.write_file(os.path.join(awkward, name), name)
    os.chmod(os.path.join(root, "plain", "small"), 0o4751)
    os.chmod(os.path.join(root, "empty"), 0o1777)
    os.setxattr(os.path.join(root, "plain", "small"), "user.note", b"\x00bytes\xff")
    os.setxattr(os.path.join(root, "plain"), "user.folder", b"of a directory")
    if is_root:
        os.chown(os.path.join(root, "plain", "small"), 12345, 54321)
        os.chown(os.path.join(root, "symbolic"), 1, 2, follow_symlinks=False)
        os.chown(os.path.join(root, "empty"), 65534, 65534)
        os.mknod(os.path.join(root, "device"), 0o20600, os.makedev(1, 3))
    trees.settle(root)


class RoundTrip(NetworkTest):
    weight = 12

    def check_levels(self, **settings):
        """A full, an incremental and a differential backup of a rich tree; each gives its own state back."""
        fleet = self.make_fleet(**settings)
        source = fleet.sources["alpha"]
        rich_tree(source, os.geteuid() == 0)
        fleet.start()
        kept = {}

        def run(level, expected):
            number = fleet.run("save-alpha", f"level={level}")
            self.assertEqual(fleet.listed(number)["level"], expected, fleet.about(number))
            kept[number] = trees.describe(source)
            self.assertJobRestores(fleet, number, source)

        run("auto", "full")
        trees.write_file(os.path.join(source, "plain", "middle"), b"changed")
        os.unlink(os.path.join(source, "plain", "nothing"))
        os.rename(os.path.join(source, "plain", "large"), os.path.join(source, "moved"))
        trees.settle(source, 50)
        run("auto", "incremental")
        shutil.rmtree(os.path.join(source, "awkward"))
        trees.write_file(os.path.join(source, "new"), b"new")
        trees.settle(source, 20)
        run("differential", "differential")
        run("incremental", "incremental")
        for number, expected in kept.items():
            self.assertJobRestores(fleet, number, source, expected)
        return fleet

    def test_all_levels_over_ipv4(self):
        self.check_levels()

    def test_all_levels_over_ipv6(self):
        self.require_ipv6()
        fleet = self.check_levels(listen=("::1",))
        self.assertIn(f"[::1]:{fleet.ports['sd']}", fleet.log("sd"))

    def require_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as trial:
                trial.bind(("::1", 0))
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")

    def test_listeners_on_both_families(self):
        """Names resolve to both; whichever is dialled is answered."""
        self.require_ipv6()
        fleet = self.make_fleet(listen=("127.0.0.1", "::1"))
        source = self.make_tree(fleet.sources["alpha"])
        fleet.start()
        for host in ("127.0.0.1", "::1"):
            text = fleet.read(fleet.conf("console")).replace("Address = 127.0.0.1", f"Address = {host}")
            path = self.path("conf", f"console-{host[-1]}.conf")
            trees.write_file(path, text.encode(), 0o600)
            self.expect(fleet.console("version", configuration=path))
        self.assertJobRestores(fleet, fleet.run("save-alpha"), source)

    def test_typed_password(self):
        """What a person typed serves as well as a generated key."""
        fleet = self.make_fleet()
        source = self.make_tree(fleet.sources["alpha"])
        fleet.configure()
        for name in ("dir", "fd-alpha", "sd", "console"):
            text = fleet.read(fleet.conf(name))
            for key in fleet.keys.values():
                text = text.replace(f'"{key}"', f'"typed {sorted(fleet.keys.values()).index(key)}"')
            trees.write_file(fleet.conf(name), text.encode(), 0o600)
        fleet.configure = lambda: None
        fleet.start()
        self.assertJobRestores(fleet, fleet.run("save-alpha"), source)

    def test_restore_of_chosen_paths(self):
        fleet = self.make_fleet()
        source = self.make_tree(fleet.sources["alpha"])
        fleet.start()
        number = fleet.run("save-alpha")
        target = self.path("some")
        fleet.ask(f'restore job={number} where={target} wait {source}/d1 "{source}/symbolic"')
        found = set(trees.describe(target + source))
        self.assertEqual({path for path in found if b"/" not in path}, {b"", b"d1", b"symbolic"})
        count = len(fleet.ask("list jobs"))
        for what in (f"{source}/none", f"{source}/d1 {source}/none", "/nowhere/*.c"):
            self.refuses(fleet.console(f"restore job={number} where={target}-not wait {what}"), program.NOT_FOUND,
                         naming=(f"job {number}", what.split()[-1]))
        self.assertEqual(len(fleet.ask("list jobs")), count, "no job is made of what is refused")
        self.assertFalse(os.path.exists(f"{target}-not"))
        rows = fleet.ask(f"list files job={number} {source}/d2")
        self.assertEqual({row["path"] for row in rows if row["type"] == "file"},
                         {f"{source}/d2/{name}" for name in ("f2", "f5", "small2", "small5")})

    def test_unreadable_and_absent_paths_are_told(self):
        """The job is done, with problems, and its log names them."""
        fleet = self.make_fleet()
        source = self.make_tree(fleet.sources["alpha"])
        fleet.job("partly", "alpha", [source, self.path("absent")])
        fleet.start()
        number = fleet.run("partly", statuses=(program.PROBLEMS,))
        self.assertEqual(fleet.listed(number)["status"], "W")
        self.assertTrue(any(self.path("absent") in text for text in fleet.messages(number)), fleet.about(number))


class Together(NetworkTest):
    weight = 10

    def test_two_clients_at_once_on_one_device(self):
        fleet = self.make_fleet(("alpha", "beta"))
        between = fleet.proxied("clients", "sd")
        sources = [self.make_tree(fleet.sources[name], name) for name in fleet.clients]
        fleet.start()
        between.disturb("stall", "up", 1_600_000)
        numbers = [fleet.begin(f"save-{name}") for name in fleet.clients]
        between.wait_until(lambda proxy: sum(each.is_stalled for each in proxy.connections) == 2, "both are in mid-data")
        own, jobs = fleet.status()
        self.assertEqual((own["running"], [jobs[number]["status"] for number in numbers]), (2, ["R", "R"]))
        lines = fleet.ask(f"status storage={STORAGE}")
        self.assertEqual({line.get("client") for line in lines if line["kind"] == "device control record"},
                         {"alpha-fd", "beta-fd"})
        self.assertEqual([line["jobs"] for line in lines if line["kind"] == "device"], [2])
        agreed = fleet.ask("version")["features"]
        self.assertEqual(lines[0]["features"], agreed)
        for name in fleet.clients:
            line, job = fleet.ask(f"status client={name}-fd")
            self.assertEqual((line["jobs"], line["features"]), (1, agreed))
            self.assertEqual(job["text"], f"backup {numbers[fleet.clients.index(name)]} of {fleets.DIRECTOR}")
        between.calm()
        for number, source in zip(numbers, sources):
            self.assertEnds(fleet, number, "T")
            self.assertJobRestores(fleet, number, source)
        self.assertEqual(fleet.ask(f"status storage={STORAGE}")[0]["jobs"], 0)
        # Both lie on one volume, and blocks of one between those of the other.
        sessions = [line["session"] for line in lines if line["kind"] == "device control record"]
        order = self.sessions_in_order(os.path.join(fleet.directory, "volumes", fleets.DIRECTOR), sessions)
        turns = sum(one != other for one, other in zip(order, order[1:]))
        self.assertGreaterEqual(turns, 3, order)

    def sessions_in_order(self, directory, sessions):
        """Whose the blocks of the one volume are, by their headers, which hold the session's UUID."""
        [name] = os.listdir(directory)
        with open(os.path.join(directory, name), "rb") as stream:
            volume = stream.read()
        heads = [volume[offset:offset + 64] for offset in range(0, len(volume), 4096)]
        return [session for head in heads for session in sessions if uuid.UUID(session).bytes in head]

    def test_restores_and_backups_at_once(self):
        fleet = self.make_fleet(("alpha", "beta"))
        sources = {name: self.make_tree(fleet.sources[name], name) for name in fleet.clients}
        fleet.set("dir", "Client", "alpha-fd", **{"Maximum Concurrent Jobs": "5"})
        fleet.start()
        first = fleet.run("save-alpha")
        numbers = [fleet.ask(f"restore job={first} where={self.path(f'copy{number}')} all")["job"] for number in range(3)]
        saved = fleet.run("save-beta")
        for number in numbers:
            self.assertEnds(fleet, number, "T")
        for number in range(3):
            self.assertSameTree(trees.describe(sources["alpha"]), self.path(f"copy{number}") + sources["alpha"])
        self.assertJobRestores(fleet, saved, sources["beta"])

    def test_what_a_restore_cannot_bring_back_is_told_to_everybody(self):
        """The routes that vault init writes leave out what was restored, and not what was not."""
        fleet = self.make_fleet()
        source = self.make_tree(fleet.sources["alpha"])
        fleet.start()
        number = fleet.run("save-alpha")
        target = self.path("taken")
        os.makedirs(os.path.join(target + source, "d1", "f1", "inside"))
        fleet.ask("messages")
        done = fleet.ask(f"restore job={number} where={target} replace=always wait all", (program.PROBLEMS,))
        for lines in (fleet.ask(f"list joblog job={done['job']}"), fleet.ask("messages")):
            told = [line["class"] for line in lines if f"{source}/d1/f1" in line["text"]]
            self.assertEqual(told, ["error"], lines)

    def test_restore_onto_another_client(self):
        fleet = self.make_fleet(("alpha", "beta"))
        source = self.make_tree(fleet.sources["alpha"])
        fleet.set("fd-beta", "FileDaemon", "beta-fd", **{"Allowed Directories": self.path("allowed")})
        os.mkdir(self.path("allowed"))
        fleet.start()
        number = fleet.run("save-alpha")
        target = self.path("allowed", "restored")
        restored = fleet.ask(f"restore job={number} where={target} to=beta-fd wait all")
        self.assertEqual(restored["status"], "T")
        self.assertSameTree(trees.describe(source), target + source)
        self.assertIn("restore", fleet.listed(restored["job"])["type"])
        # Elsewhere it writes nothing.
        outside = self.path("outside")
        refused = fleet.ask(f"restore job={number} where={outside} to=beta-fd wait all", (program.FAILED,))
        self.assertEqual(refused["status"], "f")
        self.assertFalse(os.path.exists(outside))
        self.assertTrue(any("Allowed Directories" in text for text in fleet.messages(refused["job"])),
                        fleet.about(refused["job"]))
        # A link out of the allowed ones leads nowhere.
        os.symlink(self.directory, self.path("allowed", "way-out"))
        refused = fleet.ask(f"restore job={number} where={self.path('allowed/way-out/outside')} to=beta-fd wait all",
                            (program.FAILED,))
        self.assertFalse(os.path.exists(outside))

    def test_restore_from_several_storage_daemons(self):
        """What lies on two storage daemons comes from both; what lies on one needs only that one."""
        fleet = self.make_fleet()
        fleet.add_storage("second-sd")
        source = self.make_tree(fleet.sources["alpha"])
        os.setxattr(os.path.join(source, "d2"), "user.note", b"of the full backup")
        fleet.job("again", "alpha", [source], FileSet="files-save-alpha", Storage="second-sd")
        fleet.start()
        full = fleet.run("save-alpha")
        before = trees.describe(source)
        # Nothing else is touched: it stays on the first.
        trees.write_file(os.path.join(source, "d0", "f0"), b"changed" * 50_000)
        new = os.path.join(source, "d1", "new")
        trees.write_file(new, b"new" * 5_000)
        os.setxattr(new, "user.note", b"of the incremental")
        os.mkdir(os.path.join(source, "d3"))
        trees.write_file(os.path.join(source, "d3", "nothing"), b"")
        incremental = fleet.run("again")
        self.assertEqual(fleet.listed(incremental)["level"], "incremental")
        for directory in ("volumes", "volumes-second-sd"):
            self.assertTrue(os.listdir(self.path(directory, fleets.DIRECTOR)), directory)
        self.assertJobRestores(fleet, incremental, source)
        self.assertJobRestores(fleet, full, source, before)
        # Only whose volumes are needed must be there.
        for stopped, chosen, missing in (
                ("sd", new, f"{source}/d2/f2"), ("second-sd", f"{source}/d2/f2", new), ("sd", f"{source}/d3/nothing", source)):
            fleet[stopped].stop()
            target = self.path(f"chosen-{stopped}-{len(chosen)}")
            done = fleet.ask(f"restore job={incremental} where={target} wait {chosen}")
            self.assertEqual(done["status"], "T", fleet.about(done["job"]))
            with open(chosen, "rb") as saved, open(target + chosen, "rb") as restored:
                self.assertEqual(restored.read(), saved.read(), chosen)
            failed = fleet.ask(f"restore job={incremental} where={target}-not wait {missing}", (3, 5))
            self.assertEqual(failed["status"], "f", fleet.about(failed["job"]))
            self.assertFalse(os.path.exists(f"{target}-not"), "nothing is written where not all can be read")
            fleet[stopped].start()

    def test_restore_from_a_storage_daemon_that_is_configured_no_more(self):
        """It matters only to a restore that needs it, which names it."""
        fleet = self.make_fleet()
        fleet.add_storage("second-sd")
        source = self.make_tree(fleet.sources["alpha"])
        other = self.make_tree(self.path("other"), "other")
        fleet.job("elsewhere", "alpha", [other], Storage="second-sd")
        fleet.start()
        kept, lost = fleet.run("save-alpha"), fleet.run("elsewhere")
        fleet["dir"].stop()
        text = fleet.read(fleet.conf("dir"))
        begin = text.index("Storage {\n  Name = second-sd")
        text = text[:begin] + text[text.index("}\n", begin) + 2:]
        trees.write_file(fleet.conf("dir"), text.replace("  Storage = second-sd\n", f"  Storage = {STORAGE}\n").encode(), 0o600)
        fleet["dir"].start()
        self.assertJobRestores(fleet, kept, source)
        failed = fleet.ask(f"restore job={lost} where={self.path('lost')} wait all", (3, 4, 5))
        self.assertTrue(any("no Storage called 'second-sd'" in text for text in fleet.messages(failed["job"])),
                        fleet.about(failed["job"]))

    def test_backup_outside_of_allowed_directories_reads_nothing(self):
        fleet = self.make_fleet()
        source = self.make_tree(fleet.sources["alpha"])
        os.mkdir(self.path("allowed"))
        os.symlink(source, self.path("allowed", "way-out"))
        fleet.job("through-link", "alpha", [self.path("allowed", "way-out", "d0")])
        fleet.set("fd-alpha", "FileDaemon", "alpha-fd", **{"Allowed Directories": self.path("allowed")})
        fleet.start()
        for job in ("save-alpha", "through-link"):
            number = fleet.run(job, statuses=(program.FAILED,))
            row = fleet.listed(number)
            self.assertEqual((row["files"], row["bytes"]), (0, 0))
            self.assertTrue(any("Allowed Directories" in text for text in fleet.messages(number)), fleet.about(number))
            self.assertEqual(len([text for text in fleet.messages(number) if "Allowed Directories" in text]), 1)



class Limits(NetworkTest):
    """Which job waits, and with which letter; all run in the end."""

    weight = 8
    waits = True

    def begin_held(self, fleet, *jobs):
        """Queues jobs while data stand still; returns their numbers and the letters they have then."""
        numbers = [fleet.begin(job) for job in jobs]
        self.between.wait_stalled()
        letters_of = fleet.status()[1]
        rows = {row["job"]: row["status"] for row in fleet.ask("list jobs")}
        letters = [letters_of[number]["status"] for number in numbers]
        self.assertEqual([rows[number] for number in numbers], letters, "the list of jobs says the same")
        return numbers, letters

    def check_all_end(self, fleet, numbers):
        """All end well once data flow; returns their numbers in the order of their ends."""
        self.between.calm()
        for number in numbers:
            self.assertEnds(fleet, number, "T")
        self.assertEqual((fleet.status()[0]["running"], fleet.status()[0]["waiting"]), (0, 0))
        return sorted(numbers, key=lambda number: fleet.listed(number)["ended"])

    def make_held_fleet(self, clients):
        fleet = self.make_fleet(clients)
        self.between = fleet.proxied("clients", "sd")
        for name in clients:
            self.make_tree(fleet.sources[name], name, count=4)
        self.make_tree(self.path("other"), "other", count=3)
        fleet.job("other-alpha", "alpha", [self.path("other")])
        self.between.disturb("stall", "up", 100_000)
        return fleet

    def test_client_and_job(self):
        fleet = self.make_held_fleet(("alpha", "beta"))
        fleet.start()
        numbers, letters = self.begin_held(fleet, "save-alpha", "other-alpha", "save-alpha", "save-beta")
        self.assertEqual(letters, ["R", "c", "j", "R"])
        self.check_all_end(fleet, numbers)

    def test_director_and_storage(self):
        fleet = self.make_held_fleet(("alpha", "beta", "gamma"))
        fleet.set("dir", "Director", fleets.DIRECTOR, **{"Maximum Concurrent Jobs": "2"})
        fleet.start()
        numbers, letters = self.begin_held(fleet, "save-alpha", "save-beta", "save-gamma")
        self.assertEqual(letters, ["R", "R", "d"])
        self.check_all_end(fleet, numbers)
        fleet["dir"].stop()
        text = fleet.read(fleet.conf("dir"))
        trees.write_file(fleet.conf("dir"), fleet.insert(text, "Storage", STORAGE, {"Maximum Concurrent Jobs": "1"}).encode())
        fleet["dir"].start()
        self.between.disturb("stall", "up", 1_000)
        for name in fleet.clients:
            self.change_tree(fleet.sources[name], name)
        numbers, letters = self.begin_held(fleet, "save-alpha", "save-beta")
        self.assertEqual(letters, ["R", "s"])
        self.check_all_end(fleet, numbers)

    def test_priorities(self):
        """A job waits while one of a better priority waits or runs, and those that wait begin in their order."""
        fleet = self.make_held_fleet(("alpha", "beta", "gamma"))
        fleet.job("late", "beta", [fleet.sources["beta"]], Priority="20")
        fleet.job("early", "gamma", [fleet.sources["gamma"]], Priority="5")
        fleet.start()
        numbers, letters = self.begin_held(fleet, "save-alpha", "late", "early", "save-beta")
        self.assertEqual(letters, ["R", "p", "R", "p"])
        alpha, late, early, beta = numbers
        ends = self.check_all_end(fleet, numbers)
        self.assertLess(ends.index(early), ends.index(beta))
        self.assertEqual(ends[-1], late)

    def test_device_that_is_not_mounted(self):
        """The job says once what it waits for, and runs when that is there."""
        fleet = self.make_fleet()
        source = self.make_tree(fleet.sources["alpha"], count=2)
        fleet.set("dir", "Director", fleets.DIRECTOR, **{"Reconnect Window": "8 seconds"})
        fleet.start()
        volumes = self.path("volumes")
        os.rename(volumes, volumes + "-away")
        told = lambda number: [text for text in fleet.messages(number) if "cannot be used" in text]
        number = fleet.begin("save-alpha")
        fleets.eventually(lambda: told(number), "the job says what it waits for")
        self.assertEnds(fleet, number, "I")
        self.assertEqual(["goes on when it can" in text for text in told(number)], [True, False], fleet.about(number))
        self.assertEqual(sum("Reconnect Window of 8 seconds is over" in text for text in fleet.messages(number)), 1)
        self.assertEqual(fleet.begin("save-alpha"), number)
        fleets.eventually(lambda: len(told(number)) == 3, "it says it again")
        os.rename(volumes + "-away", volumes)
        self.assertEnds(fleet, number, "T")
        self.assertJobRestores(fleet, number, source)

    def test_mistakes_that_no_waiting_mends(self):
        """The job fails at once, and says what is wrong."""
        fleet = self.make_fleet(("alpha", "beta"))
        fleet.add_storage("second-sd")
        for name in fleet.clients:
            self.make_tree(fleet.sources[name], name, count=2)
        fleet.job("nowhere", "alpha", [fleet.sources["alpha"]], Storage="second-sd")
        fleet.set("dir", "Storage", "second-sd", Device="Other")
        fleet.set("dir", "Client", "beta-fd", Password=f'"{fleets.fresh_key()}"')
        fleet.start()
        with self.within(fleets.PATIENCE_SECONDS, "no window is waited for"):
            for job, what in (("nowhere", "no device 'Other'"), ("save-beta", "refused the key")):
                number = fleet.run(job, statuses=(program.FAILED,))
                self.assertEqual(fleet.listed(number)["status"], "f", fleet.about(number))
                [text] = [text for text in fleet.messages(number) if what in text]
                self.assertNotIn("goes on", text)
        fleet["dir"].stop()
        text = fleet.read(fleet.conf("dir")).replace("Device = Other", "Device = FileStorage")
        trees.write_file(fleet.conf("dir"), text.encode(), 0o600)
        fleet["dir"].start()
        again = fleet.run("nowhere")
        self.assertJobRestores(fleet, again, fleet.sources["alpha"])

    def test_device_and_daemons(self):
        """A job that finds a daemon or a device busy says so, and runs when there is room."""
        for file, resource, name in (("sd", "Device", "FileStorage"), ("sd", "Storage", STORAGE)):
            with self.subTest(resource):
                self.directory = os.path.join(self.path(), resource)
                os.mkdir(self.directory)
                fleet = self.make_held_fleet(("alpha", "beta"))
                fleet.set(file, resource, name, **{"Maximum Concurrent Jobs": "1"})
                fleet.start()
                first = fleet.begin("save-alpha")
                self.between.wait_stalled()
                second = fleet.begin("save-beta")
                found = lambda: [text for text in fleet.messages(second) if "no more may" in text]
                fleets.eventually(found, "the second job says why it waits")
                line = fleet.status()[1][second]
                self.assertEqual((line["kind"], line["status"], line["reason"]), ("running", "S", "waiting on the storage daemon"))
                self.assertEqual(fleet.listed(second)["status"], "S")
                self.assertEqual(fleet.status()[1][first]["status"], "R")
                self.check_all_end(fleet, [first, second])
                self.assertJobRestores(fleet, second, fleet.sources["beta"])
                fleet.end()
                self.directory = os.path.dirname(self.directory)



class Consoles(NetworkTest):
    weight = 6

    def setUp(self):
        super().setUp()
        self.fleet = self.make_fleet(("alpha", "away"))
        self.make_tree(self.fleet.sources["alpha"], count=4)
        self.fleet.start()
        self.fleet["away"].stop()

    def test_exit_statuses(self):
        fleet = self.fleet
        number = fleet.run("save-alpha")
        for command, status in (
                ("version", program.DONE), ("messages", program.DONE), ("list jobs", program.DONE),
                (f"list files job={number}", program.DONE), (f"list joblog job={number}", program.DONE),
                ("status director", program.DONE), (f"wait job={number}", program.DONE),
                ("run job=none", program.NOT_FOUND), ("list jobs job=999", program.NOT_FOUND),
                ("list files job=999", program.NOT_FOUND), ("list joblog job=999", program.NOT_FOUND),
                ("wait job=999", program.NOT_FOUND), (f"cancel job={number}", program.NOT_FOUND),
                ("cancel job=999", program.NOT_FOUND), ("status client=none", program.NOT_FOUND),
                ("status storage=none", program.NOT_FOUND), ("restore job=999 where=/nowhere all", program.NOT_FOUND),
                (f"restore job={number} to=none where=/nowhere all", program.NOT_FOUND),
                ("restore client=none where=/nowhere all", program.NOT_FOUND),
                ("run job=restore", program.USAGE), ("frobnicate", program.USAGE), ("run", program.USAGE),
                ("run job=save-alpha level=sometimes", program.USAGE), ('run job="save', program.USAGE),
                (f"restore job={number} where=relative all", program.USAGE), ("list nothing", program.USAGE),
                ("status client=away-fd", program.UNREACHABLE)):
            with self.subTest(command):
                outcome = fleet.console(command)
                self.expect(outcome, status)
                # Commands that are named are the console's.
                self.assertNotIn("vault local", outcome.errors.decode())
                if status:
                    self.refuses(outcome, status)
                    self.assertEqual(outcome.output, b"")
        # Of several the worst counts, and what comes behind a failure is not done.
        outcome = fleet.console("version", "run job=none", "messages")
        self.expect(outcome, program.NOT_FOUND)
        self.assertEqual(outcome.output.count(b"\n"), 1)

    def test_unreachable_client_fails_its_job(self):
        with self.within(fleets.PATIENCE_SECONDS, "its connect timeout, not the window in which jobs that ran are gone on with"):
            number = self.fleet.run("save-away", statuses=(program.FAILED,))
        self.assertEqual(self.fleet.listed(number)["status"], "I")
        # It is the same job that runs when the client is back.
        self.make_tree(self.fleet.sources["away"], count=2)
        self.fleet["away"].start()
        self.assertEqual(self.fleet.run("save-away"), number)
        self.assertJobRestores(self.fleet, number, self.fleet.sources["away"])

    def console_with(self, name, *edits):
        text = self.fleet.read(self.fleet.conf("console"))
        for old, new in edits:
            text = self.fleet.edit(text, old, new)
        path = self.path("conf", name)
        trees.write_file(path, text.encode(), 0o600)
        return path

    def test_wrong_password_and_nobody_there(self):
        key = self.fleet.keys["console"]
        wrong = self.console_with("wrong.conf", (key, fleets.fresh_key()))
        outcome = self.refuses(self.fleet.console("version", configuration=wrong), program.UNREACHABLE)
        self.assertNotIn(key[4:].encode(), outcome.errors)
        another = self.console_with("another.conf", (fleets.DIRECTOR, "another-dir"))
        self.refuses(self.fleet.console("version", configuration=another), program.UNREACHABLE)
        port = fleets.free_port("127.0.0.1")
        nobody = self.console_with("nobody.conf", (f"Port = {self.fleet.ports['dir']}", f"Port = {port}"))
        self.refuses(self.fleet.console("version", configuration=nobody), program.UNREACHABLE)
        [line] = [line for line in self.fleet.log("dir").splitlines() if "another-dir" in line or "turned away" in line][-1:]
        self.assertIn("127.0.0.1", line)
        self.expect(self.fleet.console("version"))

    def test_named_console(self):
        """A console with a name and a key of its own."""
        fleet, key = self.fleet, fleets.fresh_key()
        fleet["dir"].stop()
        named = f'\nConsole {{ Name = operator; Password = "{key}" }}\n'
        trees.write_file(fleet.conf("dir"), (fleet.read(fleet.conf("dir")) + named).encode())
        fleet["dir"].start()
        text = fleet.read(fleet.conf("console")).replace(fleet.keys["console"], fleets.fresh_key())
        path = self.path("conf", "operator.conf")
        trees.write_file(path, (text + named).encode(), 0o600)
        self.expect(fleet.console("version", configuration=path))

    def test_commands_on_standard_input(self):
        """A line each; one that is refused does not end the console, and the worst status counts."""
        def feed(text):
            done = subprocess.run([program.BINARY, *self.fleet.console_arguments()], input=text.encode(), timeout=60,
                                  capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8", "NO_COLOR": "1"})
            return program.Outcome([text], done.returncode, done.stdout, done.stderr)

        outcome = self.expect(feed("version\nrun job=none\nnonsense\n\nstatus client=away-fd\nversion\nquit\nversion\n"),
                              program.USAGE)
        self.assertEqual(outcome.output.count(b"test-dir"), 2, f"{outcome}")
        self.assertEqual(len(outcome.errors.decode().strip().splitlines()), 3, f"{outcome}")
        self.assertEqual(feed("").status, 0)

    def test_interrupted_console_leaves_its_job(self):
        """Ctrl-C ends the console with 130; the job it waited for goes on."""
        fleet = self.fleet
        arguments = fleet.console_arguments("run job=save-away wait")
        console = program.start(*arguments)
        try:
            fleets.eventually(lambda: fleet.status()[1], "the job runs")
            program.interrupt(console)
            outcome = program.finish(console, arguments, timeout=20)
        finally:
            console.kill()
        self.expect(outcome, program.INTERRUPTED)
        [number] = fleet.status()[1]
        fleet.ask(f"cancel job={number}")
        outcome = fleet.console(f"wait job={number}")
        self.expect(outcome, program.INTERRUPTED)
        self.assertEqual(fleet.listed(number)["status"], "A")


class Restarts(NetworkTest):
    """SIGTERM of each daemon, and a start after it."""

    weight = 8

    def test_each_daemon_at_rest(self):
        fleet = self.make_fleet()
        source = self.make_tree(fleet.sources["alpha"], count=4)
        fleet.start()
        numbers = {fleet.run("save-alpha"): trees.describe(source)}
        for name in ("alpha", "sd", "dir"):
            with self.subTest(name):
                fleet[name].stop()
                fleet[name].start()
                self.change_tree(source, name)
                number = fleet.run("save-alpha")
                self.assertEqual(fleet.listed(number)["level"], "incremental")
                numbers[number] = trees.describe(source)
        for number, expected in numbers.items():
            self.assertJobRestores(fleet, number, source, expected)

    def test_each_daemon_in_mid_job(self):
        """The job goes on under its number, from its last commit, once the daemon is back."""
        fleet = self.make_fleet()
        between = fleet.proxied("clients", "sd")
        source = self.make_tree(fleet.sources["alpha"], count=12)
        fleet.start()
        for name in ("alpha", "sd", "dir"):
            with self.subTest(name):
                between.disturb("stall", "up", 3_000_000)
                number = fleet.begin("save-alpha", "level=full")
                between.wait_stalled()
                with self.within(fleets.PATIENCE_SECONDS, f"{name} ends in order in mid-job"):
                    fleet[name].stop()
                between.calm()
                between.cut()
                if name == "dir":
                    self.expect(fleet.console("version"), program.UNREACHABLE)
                fleet[name].start()
                self.assertEnds(fleet, number, "T")
                self.assertGreater(fleet.listed(number)["attempt"], 1)
                self.assertJobRestores(fleet, number, source)

    def test_everything_ends_in_mid_job(self):
        fleet = self.make_fleet()
        between = fleet.proxied("clients", "sd")
        source = self.make_tree(fleet.sources["alpha"], count=12)
        fleet.start()
        between.disturb("stall", "up", 3_000_000)
        number = fleet.begin("save-alpha")
        between.wait_stalled()
        for name in ("dir", "alpha", "sd"):
            fleet[name].stop()
        between.calm()
        between.cut()
        for name in ("sd", "alpha", "dir"):
            fleet[name].start()
        self.assertEnds(fleet, number, "T")
        self.assertJobRestores(fleet, number, source)

    def test_waiting_jobs_outlive_the_director(self):
        fleet = self.make_fleet()
        between = fleet.proxied("clients", "sd")
        source = self.make_tree(fleet.sources["alpha"], count=4)
        fleet.start()
        between.disturb("stall", "up", 100_000)
        first = fleet.begin("save-alpha")
        between.wait_stalled()
        second = fleet.begin("save-alpha")
        self.assertEqual(fleet.status()[1][second]["status"], "j")
        fleet["dir"].stop()
        between.calm()
        fleet["dir"].start()
        for number in (first, second):
            self.assertEnds(fleet, number, "T")
            self.assertJobRestores(fleet, number, source)

    def test_director_that_was_away_for_too_long(self):
        """Behind the Reconnect Window its jobs are incomplete when it is back, and the next run goes on with each."""
        fleet = self.make_fleet()
        fleet.set("dir", "Director", fleets.DIRECTOR, **{"Reconnect Window": "1 second"})
        between = fleet.proxied("clients", "sd")
        source = self.make_tree(fleet.sources["alpha"], count=12)
        fleet.start()
        stamp = self.path("conf/state/dir/alive")
        for end in ("stop", "kill"):
            with self.subTest(end):
                between.disturb("stall", "up", 3_000_000)
                number = fleet.begin("save-alpha", "level=full")
                between.wait_stalled()
                if end == "kill":
                    begin = os.stat(stamp).st_mtime_ns
                    fleets.eventually(lambda: os.stat(stamp).st_mtime_ns > begin, "a running director says that it is there")
                getattr(fleet["dir"], end)()
                between.calm()
                between.cut()
                fleets.eventually(lambda: time.time() - os.stat(stamp).st_mtime > 1.1, "the window passes")
                fleet["dir"].start()
                self.assertEqual(fleet.listed(number)["status"], "I")
                self.assertTrue(any("Reconnect Window of 1 seconds is over" in text for text in fleet.messages(number)),
                                fleet.about(number))
                self.assertEqual(fleet.run("save-alpha"), number, "the next run goes on with it")
                self.assertJobRestores(fleet, number, source)
        # A clock that was set back, or a stamp that is lost, interrupts nothing.
        for change in (lambda: os.utime(stamp, (time.time() + 9999,) * 2), lambda: os.unlink(stamp)):
            between.disturb("stall", "up", 3_000_000)
            number = fleet.begin("save-alpha", "level=full")
            between.wait_stalled()
            fleet["dir"].stop()
            change()
            between.calm()
            between.cut()
            fleet["dir"].start()
            self.assertEnds(fleet, number, "T")

    def test_busy_port_and_wrong_configuration(self):
        """A daemon that cannot begin says why, once, and ends."""
        fleet = self.make_fleet()
        self.make_tree(fleet.sources["alpha"], count=1)
        fleet.start()
        for role, name in (("sd", "sd"), ("fd", "fd-alpha"), ("dir", "dir")):
            outcome = program.run(role, "-c", fleet.conf(name), timeout=fleets.PATIENCE_SECONDS)
            self.assertIn(outcome.status, (program.UNREACHABLE, program.IN_USE, program.FAILED), f"{outcome}")
            self.refuses(outcome, outcome.status)
            self.expect(program.run(role, "-c", fleet.conf(name), "--test-config"))
        broken = self.path("conf", "broken.conf")
        trees.write_file(broken, fleet.read(fleet.conf("sd")).replace("Device {", "Devise {").encode())
        outcome = self.refuses(program.run("sd", "-c", broken), program.USAGE, naming=("broken.conf:", "Device"))
        self.expect(fleet.console("version"))

