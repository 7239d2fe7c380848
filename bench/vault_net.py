"""Director, storage daemon and file daemon of our own on loopback, with a PostgreSQL of their own."""

import os
import re
import socket

import postgres
from measuring import Daemon, Failure, run


def free_ports(count):
    """Ports that nobody listens on now."""
    taken = []
    try:
        for _ in range(count):
            taken.append(socket.socket())
            taken[-1].bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]
    finally:
        for each in taken:
            each.close()


class Fleet:
    """What `vault init` writes, edited as a person would: own ports on loopback, PostgreSQL, a job for each workload."""

    def __init__(self, program, place):
        self.program, self.place = program, place
        self.cluster = None
        self.daemons = []
        self.ports = dict(zip(("dir", "fd", "sd"), free_ports(3)))

    def conf(self, name):
        return os.path.join(self.place, f"{name}.conf")

    @property
    def volumes(self):
        return os.path.join(self.place, "state", "volumes")

    def start(self, sources):
        """Makes and starts everything; `sources` are the directories of the jobs `save-<name>`."""
        run([self.program, "init", self.place, "--director", "bench-dir", "--client", "bench-fd"])
        for name in ("dir", "sd", "fd", "volumes"):
            os.makedirs(os.path.join(self.place, "state", name))
        self.cluster = postgres.Cluster(self.place + ".postgresql").start()
        self.configure(sources)
        run([self.program, "dir", "-c", self.conf("dir"), "--init-catalog", "--superuser", "postgres"])
        for role in ("sd", "fd", "dir"):
            self.daemons.append(Daemon(role, [self.program, role, "-c", self.conf(role)], f"{self.place}.{role}.log"))
        self.daemons[-1].await_ready(self.answers)
        self.daemons.append(self.cluster.daemon)
        return self

    def configure(self, sources):
        texts = {}
        for name in ("dir", "sd", "fd", "console"):
            with open(self.conf(name), encoding="utf-8") as stream:
                texts[name] = stream.read()
        catalog = ("Catalog {\n  Name = Catalog\n  DB Driver = PostgreSQL\n  DB Name = vault\n  DB User = vault\n"
                   f"  DB Socket = {self.cluster.sockets}\n  DB Port = {postgres.PORT}\n}}")
        texts["dir"] = re.sub(r"^Catalog \{.*?^\}", catalog, texts["dir"], flags=re.M | re.S)
        for name, source in sources.items():
            texts["dir"] += (f'\nFileSet {{\n  Name = files-{name}\n  Include {{ File = "{source}" }}\n}}\n'
                             f"\nJob {{\n  Name = save-{name}\n  JobDefs = Backups\n  Client = bench-fd\n"
                             f"  FileSet = files-{name}\n}}\n")
        for name, text in texts.items():
            text = text.replace("Address = localhost", "Address = 127.0.0.1")
            for role, port in (("dir", 9101), ("fd", 9102), ("sd", 9103)):
                listens = f"Port = {self.ports[role]}" + ("\n  Address = 127.0.0.1" if name == role else "")
                text = text.replace(f"Port = {port}", listens)
            with open(self.conf(name), "w", encoding="utf-8") as stream:
                stream.write(text)

    def console(self, command):
        return [self.program, "console", "-c", self.conf("console"), "-e", command]

    def log(self):
        """The last of what the director said."""
        with open(os.path.join(self.place, "state", "dir", "dir.log"), encoding="utf-8", errors="replace") as stream:
            return stream.read()[-2000:]

    def answers(self):
        try:
            return run(self.console("version"), seconds=10)
        except Failure:
            return False

    def stop(self):
        for daemon in self.daemons[::-1]:
            if daemon is not (self.cluster and self.cluster.daemon):
                daemon.stop()
        self.daemons = []
        if self.cluster:
            self.cluster.stop()
