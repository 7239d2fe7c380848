"""A PostgreSQL cluster of one's own: on a socket only, run by an unprivileged user, gone with its directory."""

import glob
import os
import shutil
import signal
import subprocess

from measuring import Daemon, Failure, run

#: The number in the name of its socket; nothing listens on it.
PORT = 5432
SETTINGS = "listen_addresses = ''\nport = {port}\nunix_socket_directories = '{sockets}'\n"


def programs():
    """Where initdb and postgres are; nothing when they are not installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    path = found[-1] if found else shutil.which("initdb")
    return path and os.path.dirname(path)


def as_unprivileged():
    """How to start a process that must not be root's."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


class Cluster:
    """Made and started by `start`, with the authentication `trust`."""

    def __init__(self, place, superuser="postgres", encoding="UTF8"):
        self.place, self.superuser, self.encoding = place, superuser, encoding
        self.sockets, self.data = os.path.join(place, "sockets"), os.path.join(place, "data")
        self.daemon = None

    def start(self):
        if not programs():
            raise Failure("PostgreSQL is not installed")
        for path in (self.place, self.sockets, self.data):
            os.makedirs(path)
            if os.geteuid() == 0:
                shutil.chown(path, "postgres", "postgres")
        try:
            run([os.path.join(programs(), "initdb"), "-D", self.data, "-A", "trust", "-E", self.encoding, "--locale=C", "-U",
                 self.superuser, "--no-sync"], cwd=self.place, **as_unprivileged())
        except PermissionError:
            raise Failure(f"the user postgres may not enter {self.place}: set BENCH_DIR") from None
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as stream:
            stream.write(SETTINGS.format(port=PORT, sockets=self.sockets))
        # SIGINT is its fast shutdown.
        self.daemon = Daemon("postgres", [os.path.join(programs(), "postgres"), "-D", self.data], self.place + ".log",
                             signal.SIGINT, cwd=self.place, **as_unprivileged())
        self.daemon.await_ready(self.answers)
        return self

    def arguments(self, database, user=None):
        return ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-p", str(PORT), "-U",
                user or self.superuser, database]

    def answers(self):
        return subprocess.run([*self.arguments("postgres"), "-c", "select 1"], capture_output=True, timeout=10).returncode == 0

    def ask(self, statements, database, user=None, seconds=120):
        """Runs statements; what they print, a row a line."""
        return run([*self.arguments(database, user), "-f", "-"], text=statements, seconds=seconds).strip()

    def stop(self):
        if self.daemon:
            self.daemon.stop()
            self.daemon = None
