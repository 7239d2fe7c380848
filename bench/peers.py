"""Who is measured: each makes a full backup, a second one of an unchanged tree, and a restore.

A peer is made anew for every round: `start` is not measured, and a full backup never finds anything to build on."""

import os
import re
import shutil
import time

import bacula
import postgres
import vault_net
from measuring import Failure, measure, run, tree_bytes


class Peer:
    #: What it is called on the command line and in the table.
    name = ""
    #: Programs it consists of.
    programs = ()
    #: Further files that must be there.
    files = ()
    #: How exactly it keeps times, as `rsync --modify-window` says it: -1 to the nanosecond, 0 to the second.
    window = -1

    def __init__(self, place):
        #: A directory of its own, not made yet.
        self.place = place

    @classmethod
    def missing(cls):
        """What is not installed here."""
        return [each for each in cls.programs if not shutil.which(each)] + [
            each for each in cls.files if not os.path.exists(each)]

    def start(self, _name, _source):
        os.makedirs(self.place)

    def full(self, name, source):
        raise NotImplementedError

    def again(self, name, source):
        raise NotImplementedError

    def restore(self, name, source, target):
        raise NotImplementedError

    def restored(self, _name, source, target):
        """Where the tree is, below the target of its restore."""
        return target + source

    def stored(self):
        """What it stores, in bytes."""
        return tree_bytes(self.place)

    def stop(self):
        """Ends what `start` began; also after a failure."""


class TarLZ4(Peer):
    """A compressed archive, synced at its end; the second time only what is newer than the first."""

    name = "tar-lz4"
    programs = ("tar", "lz4")
    save = 'set -e; tar --format=posix -C "$1" "${@:3}" -cf - . | lz4 -q -1 - "$2"; sync "$2"'

    def archive(self, number):
        return os.path.join(self.place, f"{number}.tar.lz4")

    def pack(self, source, number, *options):
        return measure(["bash", "-o", "pipefail", "-c", self.save, "-", source, self.archive(number), *options])

    def full(self, name, source):
        self.begun = time.time()
        return self.pack(source, 1)

    def again(self, name, source):
        return self.pack(source, 2, f"--newer=@{self.begun}")

    def restore(self, name, source, target):
        script = 'set -e; mkdir "$2"; lz4 -q -dc "$1" | tar -xpf - -C "$2"'
        return measure(["bash", "-o", "pipefail", "-c", script, "-", self.archive(1), target])

    def restored(self, _name, source, target):
        return target


class Copy(Peer):
    """`cp -a`; the second time `rsync -a --delete`."""

    name = "cp"
    programs = ("cp", "rsync")

    @property
    def copy(self):
        return os.path.join(self.place, "copy")

    def full(self, name, source):
        return measure(["cp", "-a", source, self.copy])

    def again(self, name, source):
        return measure(["rsync", "-a", "--delete", source + "/", self.copy + "/"])

    def restore(self, name, source, target):
        return measure(["cp", "-a", self.copy, target])

    def restored(self, _name, source, target):
        return target


class Restic(Peer):
    """A repository on the same disk, with restic's own defaults: encrypted, deduplicated, compressed."""

    name = "restic"
    programs = ("restic",)

    def environment(self):
        return {**os.environ, "RESTIC_REPOSITORY": os.path.join(self.place, "repository"), "RESTIC_PASSWORD": "bench",
                "RESTIC_CACHE_DIR": os.path.join(self.place, "cache")}

    def start(self, name, source):
        super().start(name, source)
        run(["restic", "init", "-q", "--repository-version", "2"], env=self.environment())

    def full(self, name, source):
        return measure(["restic", "backup", "-q", "--force", source], env=self.environment())

    def again(self, name, source):
        return measure(["restic", "backup", "-q", source], env=self.environment())

    def restore(self, name, source, target):
        return measure(["restic", "restore", "-q", "latest", "--target", target], env=self.environment())

    def stored(self):
        return tree_bytes(os.path.join(self.place, "repository"))


class Borg(Peer):
    """A repository on the same disk, deduplicated, LZ4, not encrypted."""

    name = "borg"
    programs = ("borg",)

    def environment(self):
        return {**os.environ, "BORG_REPO": os.path.join(self.place, "repository"),
                "BORG_BASE_DIR": os.path.join(self.place, "base"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}

    def start(self, name, source):
        super().start(name, source)
        run(["borg", "init", "-e", "none"], env=self.environment())

    def create(self, archive, source):
        return measure(["borg", "create", "-C", "lz4", f"::{archive}", source], env=self.environment())

    def full(self, name, source):
        return self.create("first", source)

    def again(self, name, source):
        return self.create("second", source)

    def restore(self, name, source, target):
        os.mkdir(target)
        return measure(["borg", "extract", "::second"], cwd=target, env=self.environment())

    def stored(self):
        return tree_bytes(os.path.join(self.place, "repository"))


class Bacula(Peer):
    """Director, storage daemon, file daemon and PostgreSQL on loopback, without TLS.

    Its director starts no job within two seconds of the request, and its console asks once a second for the end: three
    seconds of wall time are part of every phase, however small the tree."""

    name = "bacula"
    programs = ("bacula-dir", "bacula-sd", "bacula-fd", "bconsole", "psql")
    files = (bacula.TABLES,)
    window = 0

    @classmethod
    def missing(cls):
        return super().missing() + ([] if postgres.programs() else ["PostgreSQL"])

    def start(self, name, source):
        self.fleet = bacula.Fleet(self.place)
        self.fleet.start({name: source})

    def ask(self, kind, request):
        result = measure(self.fleet.console(), self.fleet.daemons, text=f"{request} yes\nwait\nmessages\n")
        self.fleet.check_last(kind)
        return result

    def full(self, name, source):
        return self.ask("B", f"run job=save-{name} level=Full")

    def again(self, name, source):
        return self.ask("B", f"run job=save-{name} level=Incremental")

    def restore(self, name, source, target):
        os.mkdir(target)
        return self.ask("R", f"restore client=bench-fd fileset=files-{name} where={target} current select all done")

    def stored(self):
        return tree_bytes(self.fleet.volumes)

    def stop(self):
        self.fleet.stop()


class VaultLocal(Peer):
    """`vault local`: one process, a repository on the same disk."""

    name = "vault"
    program = ""
    options = ()

    @property
    def repository(self):
        return os.path.join(self.place, "repository")

    def full(self, name, source):
        return measure([self.program, "local", "backup", source, "--to", self.repository, "--json", *self.options])

    def again(self, name, source):
        return self.full(name, source)

    def restore(self, name, source, target):
        return measure([self.program, "local", "restore", "--from", self.repository, "--to", target, "--json"])


class VaultZstd(VaultLocal):
    """The same with Zstandard in the place of LZ4."""

    name = "vault-zstd"
    options = ("--compression", "zstd")


class VaultNet(Peer):
    """Director, storage daemon, file daemon and PostgreSQL on loopback, TLS on every connection."""

    name = "vault-net"
    programs = ("psql",)
    program = ""

    @classmethod
    def missing(cls):
        return super().missing() + ([] if postgres.programs() else ["PostgreSQL"])

    def start(self, name, source):
        self.fleet = vault_net.Fleet(self.program, self.place)
        self.fleet.start({name: source})

    def ask(self, command):
        try:
            return measure(self.fleet.console(command), self.fleet.daemons)
        except Failure as failure:
            raise Failure(f"{failure}\n{self.fleet.log()}") from None

    def full(self, name, source):
        return self.ask(f"run job=save-{name} level=full wait")

    def again(self, name, source):
        return self.ask(f"run job=save-{name} level=incremental wait")

    def restore(self, name, source, target):
        return self.ask(f'restore client=bench-fd fileset=files-{name} where="{target}" wait all')

    def stored(self):
        return tree_bytes(self.fleet.volumes)

    def stop(self):
        self.fleet.stop()


OURS = {each.name: each for each in (VaultLocal, VaultNet, VaultZstd)}
#: Those that are measured whoever else is.
ALWAYS = (VaultLocal.name, VaultNet.name)
PEERS = {each.name: each for each in (TarLZ4, Restic, Borg, Bacula, Copy)}


def is_equal(source, restored, window):
    """Whether a restored tree is the source, as rsync sees it."""
    differences = run(
        ["rsync", "-aHAX", "--checksum", "--dry-run", "--itemize-changes", "--delete", f"--modify-window={window}",
         source + "/", restored + "/"], seconds=600)
    return not re.search(r"\S", differences)
