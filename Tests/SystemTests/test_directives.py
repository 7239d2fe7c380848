"""Directives of the daemons' files, each by what it does."""

import ctypes
import os
import shutil
import socket
import subprocess

import fleet as fleets
import program
import trees
from fleet import DIRECTOR, STORAGE, NetworkTest

PIDFD_GETFD = 438


def sockets_of(pid):
    """Copies of a process's TCP sockets, which share their options with it."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    process = os.pidfd_open(pid)
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            if not os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
                continue
        except FileNotFoundError:
            continue
        copy = call(PIDFD_GETFD, process, int(number), 0)
        if copy < 0:
            continue
        each = socket.socket(fileno=copy)
        if each.family in (socket.AF_INET, socket.AF_INET6):
            found.append(each)
        else:
            each.close()
    os.close(process)
    return found


def heartbeats(pid):
    """What each connected TCP socket of a process has: {(own port, peer's port): seconds or 0}."""
    found = {}
    for each in sockets_of(pid):
        with each:
            try:
                peer = each.getpeername()[1]
            except OSError:
                continue
            seconds = 0
            if each.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
                seconds = each.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                assert seconds == each.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL), "asked as often"
            found[each.getsockname()[1], peer] = seconds
    return found


class Heartbeats(NetworkTest):
    weight = 3

    def held_fleet(self, settings):
        """A fleet in the middle of a job."""
        fleet = self.make_fleet()
        self.make_tree(fleet.sources["alpha"])
        self.between = fleet.proxied("clients", "sd")
        for (file, resource, name), seconds in settings.items():
            fleet.set(file, resource, name, **{"Heartbeat Interval": seconds})
        fleet.start()
        self.between.disturb("stall", "up", 100_000)
        self.number = fleet.begin("save-alpha")
        self.between.wait_stalled()
        return fleet

    def ended(self, fleet):
        self.between.calm()
        self.assertEnds(fleet, self.number, "T")

    def found(self, fleet, name, own=None, peer=None):
        """The heartbeats of a daemon's connections with a port of its own or of its peer."""
        values = {seconds for ports, seconds in heartbeats(fleet[name].process.pid).items()
                  if own in (None, ports[0]) and peer in (None, ports[1])}
        self.assertTrue(values, f"{name} has no such connection")
        return values

    def test_every_connection_has_that_of_its_resource_or_its_daemon(self):
        fleet = self.held_fleet({
            ("dir", "Director", DIRECTOR): "100", ("dir", "Client", "alpha-fd"): "50", ("dir", "Storage", STORAGE): "0",
            ("sd", "Storage", STORAGE): "40 seconds", ("fd-alpha", "FileDaemon", "alpha-fd"): "1 min 10 s",
            ("fd-alpha", "Director", DIRECTOR): "90"})
        ports = fleet.ports
        self.assertEqual(self.found(fleet, "dir", peer=ports["alpha"]), {50}, "dialled to the client")
        self.assertEqual(self.found(fleet, "dir", peer=ports["sd"]), {0}, "dialled to the storage")
        self.assertEqual(self.found(fleet, "sd", own=ports["sd"]), {40}, "whoever dialled it")
        self.assertEqual(self.found(fleet, "alpha", own=ports["alpha"]), {90}, "the director, which dialled")
        self.assertEqual(self.found(fleet, "alpha", peer=self.between.place[1]), {70}, "the storage, for the job's data")
        with socket.create_connection((fleet.listen[0], ports["dir"])) as console:
            mine = (ports["dir"], console.getsockname()[1])
            fleets.eventually(lambda: mine in heartbeats(fleet["dir"].process.pid), "the connection is taken")
            self.assertEqual(heartbeats(fleet["dir"].process.pid)[mine], 100, "a console has the director's own")
        self.ended(fleet)

    def test_sockets_are_left_alone_without(self):
        fleet = self.held_fleet({})
        for name in ("dir", "sd", "alpha"):
            self.assertEqual(self.found(fleet, name), {0}, name)
        self.ended(fleet)


class MessagesToTheDirector(NetworkTest):
    weight = 3

    def rewrite(self, fleet, name, old, new):
        text = fleet.read(fleet.conf(name))
        self.assertIn(old, text)
        trees.write_file(fleet.conf(name), text.replace(old, new).encode(), 0o600)

    def configured(self):
        """A fleet whose files are written and may be changed before the start."""
        fleet = self.make_fleet()
        self.make_tree(fleet.sources["alpha"])
        fleet.configure()
        fleet.configure = lambda: None
        return fleet

    def said_by(self, fleet, number, name):
        return [text for text in fleet.messages(number) if text.startswith(f"{name}: ")]

    def test_what_the_daemons_tell_of_a_job_is_in_its_log(self):
        fleet = self.configured().start()
        number = fleet.run("save-alpha")
        self.assertEqual(self.said_by(fleet, number, "alpha-fd"),
                         [f"alpha-fd: A backup of director {DIRECTOR} begins.", "alpha-fd: The backup ends."])
        [takes, stored] = self.said_by(fleet, number, STORAGE)
        self.assertEqual(takes, f"{STORAGE}: Device FileStorage takes what is saved.")
        self.assertRegex(stored, f"^{STORAGE}: What was saved is on Default-\\d+\\.$")
        # Their own logs have it, too, with the job's number.
        self.assertIn(f"JobId {number}: A backup of director", fleet.log("alpha"))
        self.assertIn(f"JobId {number}: Device FileStorage", fleet.log("sd"))
        restore = self.assertJobRestores(fleet, number, fleet.sources["alpha"])
        self.assertEqual(len(self.said_by(fleet, restore, "alpha-fd")), 2)

    def test_only_what_is_routed_is_sent(self):
        fleet = self.configured()
        self.rewrite(fleet, "fd-alpha", f"Director = {DIRECTOR} = all, !skipped, !restored", f"Director = {DIRECTOR} = error")
        self.rewrite(fleet, "sd", f"Director = {DIRECTOR} = all", "Director = another-dir = all")
        fleet.start()
        number = fleet.run("save-alpha")
        self.assertEqual(self.said_by(fleet, number, "alpha-fd") + self.said_by(fleet, number, STORAGE), [])
        self.assertIn(f"JobId {number}: The backup ends.", fleet.log("alpha"))

    def test_nothing_is_lost_without_a_connection(self):
        """A message that is for the director alone stands on standard error while no job runs."""
        fleet = self.configured()
        self.rewrite(fleet, "fd-alpha", "Stdout = all, !skipped, !restored", "Stdout = alert")
        between = fleet.proxied("clients", "sd")
        self.rewrite(fleet, "dir", "Port = %d\n  Password = \"%s\"" % (fleet.ports["alpha"], fleet.keys["alpha"]),
                     "Port = %d\n  Lan Address = 127.0.0.1\n  Password = \"%s\"" % (fleet.ports["alpha"], fleet.keys["alpha"]))
        self.rewrite(fleet, "dir", "Device = FileStorage", f"Lan Address = {between.place[0]}\n  Device = FileStorage")
        fleet.start()
        self.assertIn("File daemon alpha-fd listens on", fleet.log("alpha"))

        def intrude():
            with socket.create_connection((fleet.listen[0], fleet.ports["alpha"])) as stranger:
                stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
                stranger.recv(100)

        intrude()
        fleets.eventually(lambda: "was turned away" in fleet.log("alpha"), "the refusal is on standard error")
        between.disturb("stall", "up", 100_000)
        number = fleet.begin("save-alpha")
        between.wait_stalled()
        before = fleet.log("alpha")
        intrude()
        told = lambda: [line for line in fleet.director_log().splitlines()
                        if "alpha-fd: " in line and "was turned away" in line and "JobId" not in line]
        fleets.eventually(told, "the director tells it for the client, and not of the job")
        self.assertEqual(fleet.log("alpha"), before)
        between.calm()
        self.assertEnds(fleet, number, "T")

    def test_all_volumes_of_a_job_are_named(self):
        fleet = self.configured()
        self.rewrite(fleet, "dir", "Maximum Volume Bytes = 4095 MiB", "Maximum Volume Bytes = 2 MiB")
        fleet.start()
        number = fleet.run("save-alpha")
        [_, stored] = self.said_by(fleet, number, STORAGE)
        self.assertIn(", Default-", stored, "all volumes are named")


class MessagesOfAJob(NetworkTest):
    weight = 2

    def test_a_job_may_have_messages_of_its_own(self):
        fleet = self.make_fleet()
        self.make_tree(fleet.sources["alpha"])
        mine, standard = self.path("mine.log"), os.path.join(fleet.directory, "conf/state/dir/dir.log")
        fleet.add("dir", f'Messages {{\n  Name = Mine\n  Append = "{mine}" = all, !info\n  Console = terminate\n}}\n')
        fleet.job("other", "alpha", [fleet.sources["alpha"]], Messages="Mine")
        fleet.start()
        fleet.console("messages")
        number = fleet.run("other")
        fleets.eventually(lambda: f"Job {number} ended" in fleet.read(mine), "the job's end is told")
        self.assertNotIn("begins", fleet.read(mine), "of the class info")
        self.assertNotIn(f"JobId {number}", fleet.read(standard))
        self.assertEqual(fleet.messages(number), [], "it has no route into the catalog")
        self.assertEqual([line["text"] for line in fleet.ask("messages") if line.get("job") == number],
                         [f"Job {number} ended: OK."])
        usual = fleet.run("save-alpha")
        fleets.eventually(lambda: f"Job {usual} ended" in fleet.read(standard), "others go where the director's go")
        self.assertNotIn(f"JobId {usual}", fleet.read(mine))


class MediaTypes(NetworkTest):
    weight = 2

    def test_both_sides_must_mean_the_same_kind_of_volumes(self):
        fleet = self.make_fleet()
        self.make_tree(fleet.sources["alpha"])
        fleet.set("sd", "Device", "FileStorage", **{"Media Type": "Disk2"})
        fleet.start()
        number = fleet.run("save-alpha", statuses=(program.FAILED,))
        self.assertIn("Device 'FileStorage' has volumes of the Media Type Disk2 here, and the director's Storage says File.",
                      "\n".join(fleet.messages(number)))
        fleet["dir"].stop()
        text = fleet.read(fleet.conf("dir"))
        trees.write_file(fleet.conf("dir"), fleet.insert(text, "Storage", STORAGE, {"Media Type": "Disk2"}).encode())
        fleet["dir"].start()
        self.assertJobRestores(fleet, fleet.run("save-alpha"), fleet.sources["alpha"])


class RestoreJobs(NetworkTest):
    weight = 3

    def test_client_and_file_set_are_what_a_restore_takes(self):
        fleet = self.make_fleet(("alpha", "beta"))
        for name in fleet.clients:
            self.make_tree(fleet.sources[name], name, count=3)
        self.make_tree(self.path("other"), "other", count=2)
        fleet.job("other-beta", "beta", [self.path("other")])
        fleet.add("dir", "Job {\n  Name = again\n  Type = Restore\n  Client = beta-fd\n  FileSet = files-other-beta\n}\n")
        fleet.start()
        for job in ("save-alpha", "save-beta", "other-beta"):
            fleet.run(job)
        target = self.path("target")
        fleet.ask(f"restore restorejob=again where={target} wait all")
        self.assertSameTree(trees.describe(self.path("other")), target + self.path("other"))
        # Who names a client and a file set gets these; the job's file set is its own client's.
        for words, client in (("client=beta-fd fileset=files-save-beta", "beta"), ("client=alpha-fd", "alpha")):
            target = self.path(f"target-{client}")
            fleet.ask(f"restore restorejob=again {words} where={target} wait all")
            self.assertSameTree(trees.describe(fleet.sources[client]), target + fleet.sources[client])


class ClientsThatCall(NetworkTest):
    weight = 4

    def calling_fleet(self, director_dials="no"):
        fleet = self.make_fleet()
        self.make_tree(fleet.sources["alpha"])
        fleet.set("dir", "Client", "alpha-fd", **{
            "Connection From Director To Client": director_dials, "Connection From Client To Director": "yes"})
        fleet.set("fd-alpha", "Director", DIRECTOR, **{
            "Connection From Director To Client": director_dials, "Connection From Client To Director": "yes",
            "Address": fleet.listen[0], "Port": str(fleet.ports["dir"])})
        return fleet

    def test_jobs_run_on_the_clients_connections_only(self):
        fleet = self.calling_fleet().start()
        number = fleet.run("save-alpha")
        self.assertJobRestores(fleet, number, fleet.sources["alpha"])
        self.assertEqual(fleet.ask("status client=alpha-fd")[0]["name"], "alpha-fd")
        self.assertEqual({peer for own, peer in heartbeats(fleet["dir"].process.pid) if peer == fleet.ports["alpha"]}, set())

    def test_a_client_calls_again_when_the_director_is_back(self):
        fleet = self.calling_fleet().start()
        fleet.run("save-alpha")
        fleet["dir"].kill()
        fleets.eventually(lambda: "is not reached, and tried on" in fleet.log("alpha"), "the client tells that it is alone")
        fleet["dir"].start()
        fleets.eventually(lambda: "is reached again" in fleet.log("alpha"), "the client is back")
        self.change_tree(fleet.sources["alpha"], "later")
        self.assertJobRestores(fleet, fleet.run("save-alpha"), fleet.sources["alpha"])

    def test_a_client_that_does_not_call_is_told_of(self):
        fleet = self.calling_fleet().start()
        fleet["alpha"].stop()
        number = fleet.run("save-alpha", statuses=(program.FAILED, program.UNREACHABLE))
        self.assertIn("alpha-fd cannot be reached: it has not called within 3 seconds", "\n".join(fleet.messages(number)))
        fleet["alpha"].start()
        self.assertJobRestores(fleet, fleet.run("save-alpha"), fleet.sources["alpha"])

    def test_both_may_dial(self):
        fleet = self.calling_fleet("yes").start()
        self.assertJobRestores(fleet, fleet.run("save-alpha"), fleet.sources["alpha"])
        self.assertFalse(any("alpha-fd cannot be reached" in line for line in fleet.log("dir").splitlines()))

    def test_a_client_that_may_not_call_is_refused(self):
        fleet = self.calling_fleet("yes")
        fleet.set("dir", "Client", "alpha-fd", **{"Connection From Client To Director": "no"})
        fleet.start()
        fleets.eventually(lambda: "is not reached, and tried on" in fleet.log("alpha"), "the director refuses it")
        self.assertJobRestores(fleet, fleet.run("save-alpha"), fleet.sources["alpha"])


class PublicNetworks(NetworkTest):
    weight = 2

    #: A network of its own, where the name public.test leads to an address that is not of a private network.
    WORLD = """
        ip link set lo up && ip addr add 192.0.2.1/32 dev lo || exit 77
        echo "192.0.2.1 public.test" > hosts && mount --bind hosts /etc/hosts || exit 77
        "$VAULT" dir -c dir.conf --foreground 2> dir.errors &
        director=$!
        until grep -q "listens on" dir.errors; do sleep 0.05; kill -0 $director || exit 78; done
        "$VAULT" console -c console.conf -e version 2>&1
        status=$?
        kill $director; wait $director
        exit $status"""

    def version_asked(self, director, console):
        """What becomes of a console that asks over a public network, and what the director says."""
        directory = self.path(f"{director}-{console}")
        shutil.copytree(self.path("conf"), directory)
        for name, resource, value in (("dir", "Director", director), ("console", "Director", console)):
            path = os.path.join(directory, f"{name}.conf")
            text = fleets.Fleet.read(path).replace("Address = localhost", "Address = public.test", name == "console")
            trees.write_file(path, fleets.Fleet.insert(text, resource, DIRECTOR, {"TLS Authenticate Only": value}).encode())
        outcome = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", self.WORLD], cwd=directory, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=60, env={**os.environ, "VAULT": program.BINARY})
        if outcome.returncode in (1, 77) and b"Operation not permitted" in outcome.stderr:
            self.skipTest("no network of its own here")
        return outcome.returncode, outcome.stdout.decode(), fleets.Fleet.read(os.path.join(directory, "dir.errors"))

    def test_tls_is_left_there_only_when_both_sides_force_it(self):
        if os.geteuid() != 0:
            self.skipTest("a network of its own needs root")
        program.run("init", self.path("conf"), "--director", DIRECTOR)
        os.makedirs(self.path("conf", "state", "dir"))
        reason = "is not of a private network"
        status, said, heard = self.version_asked("yes", "yes")
        self.assertEqual(status, program.UNREACHABLE, said)
        self.assertIn(reason, said)
        self.assertNotIn(reason, heard, "the console has said nothing yet")
        status, said, heard = self.version_asked("yes", "forced")
        self.assertEqual(status, program.UNREACHABLE, said)
        self.assertIn(reason, heard)
        status, said, heard = self.version_asked("forced", "forced")
        self.assertEqual(status, program.DONE, said + heard)
        self.assertEqual(self.version_asked("no", "no")[0], program.DONE, "with TLS all the way")
