"""Bacula on loopback with a PostgreSQL of its own, from Debian's packages: no TLS, SHA-1 signatures, accurate jobs."""

import os

import postgres
from measuring import Daemon, Failure, run
from vault_net import free_ports

TABLES = "/usr/share/bacula-director/make_postgresql_tables"
PLUGINS = "/usr/lib/bacula"
PASSWORD = "Password = bench"

FILE_DAEMON = """Director {{ Name = bench-dir; {password} }}
FileDaemon {{ Name = bench-fd; FDPort = {fd}; FDAddress = 127.0.0.1
  WorkingDirectory = {place}/fd; Pid Directory = {place}/fd; Plugin Directory = {plugins} }}
Messages {{ Name = Standard; director = bench-dir = all, !skipped, !restored }}
"""
STORAGE = """Storage {{ Name = bench-sd; SDPort = {sd}; SDAddress = 127.0.0.1
  WorkingDirectory = {place}/sd; Pid Directory = {place}/sd; Plugin Directory = {plugins} }}
Director {{ Name = bench-dir; {password} }}
Device {{ Name = FileDev; Media Type = File; Archive Device = {place}/volumes
  LabelMedia = yes; Random Access = yes; AutomaticMount = yes; RemovableMedia = no; AlwaysOpen = no }}
Messages {{ Name = Standard; director = bench-dir = all }}
"""
CONSOLE = """Director {{ Name = bench-dir; DIRport = {dir}; address = 127.0.0.1; {password} }}
"""
DIRECTOR = """Director {{ Name = bench-dir; DIRport = {dir}; DirAddress = 127.0.0.1; QueryFile = "{place}/query.sql"
  WorkingDirectory = {place}/dir; PidDirectory = {place}/dir; {password}; Messages = Standard }}
Catalog {{ Name = MyCatalog; dbname = bacula; dbuser = bacula; dbpassword = ""; DB Address = "{sockets}"; DB Port = {pg} }}
Client {{ Name = bench-fd; Address = 127.0.0.1; FDPort = {fd}; Catalog = MyCatalog; {password}; AutoPrune = no }}
Storage {{ Name = File; Address = 127.0.0.1; SDPort = {sd}; {password}; Device = FileDev; Media Type = File }}
Pool {{ Name = File; Pool Type = Backup; Recycle = yes; AutoPrune = no; Volume Retention = 365 days
  Maximum Volume Bytes = 50G; Maximum Volumes = 100; Label Format = "Vol-" }}
Messages {{ Name = Standard; console = all, !skipped, !saved, !restored
  append = "{place}/bacula.log" = all, !skipped, !restored; catalog = all, !restored }}
Job {{ Name = restore; Type = Restore; Client = bench-fd; FileSet = files-{first}; Storage = File; Pool = File
  Messages = Standard; Where = "{place}/restored" }}
"""
JOB = """FileSet {{ Name = files-{name}
  Include {{ Options {{ signature = SHA1
    }}
    File = "{source}" }} }}
Job {{ Name = save-{name}; Type = Backup; Level = Incremental; Client = bench-fd; FileSet = files-{name}; Storage = File
  Pool = File; Messages = Standard; SpoolAttributes = yes; Accurate = yes }}
"""


class Fleet:
    """Director, storage daemon and file daemon; none of them under the service manager."""

    def __init__(self, place):
        self.place = place
        self.cluster = None
        self.daemons = []

    @property
    def volumes(self):
        return os.path.join(self.place, "volumes")

    def start(self, sources):
        for name in ("dir", "sd", "fd", "volumes"):
            os.makedirs(os.path.join(self.place, name))
        self.cluster = postgres.Cluster(self.place + ".postgresql", "bacula", "SQL_ASCII").start()
        self.cluster.ask("create database bacula encoding 'SQL_ASCII' template template0", "postgres")
        run(["sh", TABLES], env={**os.environ, "db_name": "bacula", "PGHOST": self.cluster.sockets,
                                 "PGPORT": str(postgres.PORT), "PGUSER": "bacula"})
        words = {**dict(zip(("dir", "fd", "sd"), free_ports(3))), "place": self.place, "plugins": PLUGINS,
                 "password": PASSWORD, "sockets": self.cluster.sockets, "pg": postgres.PORT, "first": next(iter(sources))}
        jobs = "".join(JOB.format(name=name, source=source) for name, source in sources.items())
        for name, text in (("fd", FILE_DAEMON), ("sd", STORAGE), ("console", CONSOLE), ("dir", DIRECTOR), ("query", "")):
            path = os.path.join(self.place, "query.sql" if name == "query" else f"{name}.conf")
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text.format(**words) + (jobs if name == "dir" else ""))
        for role in ("sd", "fd", "dir"):
            command = [f"/usr/sbin/bacula-{role}", "-f", "-c", os.path.join(self.place, f"{role}.conf")]
            self.daemons.append(Daemon(role, command, f"{self.place}.{role}.log"))
        self.daemons[-1].await_ready(self.answers)
        self.daemons.append(self.cluster.daemon)
        return self

    def console(self):
        return ["bconsole", "-n", "-c", os.path.join(self.place, "console.conf")]

    def answers(self):
        try:
            return "Daemon started" in run(self.console(), text="status director\n", seconds=10)
        except Failure:
            return False

    def check_last(self, kind):
        """The console's exit status says nothing of the job."""
        status = self.cluster.ask(f"select jobstatus from job where type = '{kind}' order by jobid desc limit 1", "bacula")
        if status != "T":
            raise Failure(f"Bacula's job ended with status '{status}': see {self.place}/bacula.log")

    def stop(self):
        for daemon in self.daemons[::-1]:
            if daemon is not (self.cluster and self.cluster.daemon):
                daemon.stop()
        self.daemons = []
        if self.cluster:
            self.cluster.stop()
