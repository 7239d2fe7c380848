"""Directives of the daemons' files, each by what it does."""

import ctypes
import os
import socket

import fleet as fleets
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
