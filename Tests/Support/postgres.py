"""A PostgreSQL server of a test's own: an unprivileged user's, on a socket in a private directory."""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

SUPERUSER = "server_owner"
PATIENCE_SECONDS = 30


def binaries():
    """Where the newest server's programs are."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    path = found[-1] if found else shutil.which("initdb")
    assert path, "There is no PostgreSQL server here: install the package postgresql (`make deps` does)."
    return os.path.dirname(path)


class Server:
    """A cluster that begins empty, and its server process."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="vault-postgres-")
        self.process = None
        self.unprivileged = []
        if os.geteuid() == 0:
            shutil.chown(self.directory, "nobody", "nogroup")
            self.unprivileged = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        subprocess.run(
            [*self.unprivileged, f"{binaries()}/initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C",
             "-U", SUPERUSER, "-D", f"{self.directory}/data"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        self.start()

    def start(self):
        """Starts the server and waits until it answers."""
        assert self.process is None, "the server runs already"
        with open(f"{self.directory}/log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.unprivileged, f"{binaries()}/postgres", "-D", f"{self.directory}/data", "-k", self.directory,
                 "-c", "listen_addresses=", "-c", "shared_buffers=32MB"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.psql("SELECT 1", check=False).returncode != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, open(f"{self.directory}/log").read()[-2000:]
            time.sleep(0.02)

    def stop(self, how=signal.SIGINT):
        """Ends the server: in order (SIGINT), at once (SIGQUIT), or as a crash does (SIGKILL, of all its processes)."""
        process, self.process = self.process, None
        if process is None:
            return
        children = []
        if how == signal.SIGKILL:
            children = [int(each) for each in open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()]
        process.send_signal(how)
        for child in children:
            try:
                os.kill(child, how)
            except ProcessLookupError:
                pass
        process.wait(PATIENCE_SECONDS)
        # What is left of a killed server holds its shared memory for a moment longer.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(os.path.exists(f"/proc/{child}") for child in children):
            assert time.monotonic() < deadline, f"of {children} some live on"
            time.sleep(0.01)

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        self.start()

    def psql(self, sql, database="postgres", check=True):
        """Asks as the superuser, by the server's own client."""
        done = subprocess.run(
            [f"{binaries()}/psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-U", SUPERUSER, database,
             "-c", sql], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done

    def answer(self, sql, database="vault"):
        return self.psql(sql, database).stdout.strip()

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory)
