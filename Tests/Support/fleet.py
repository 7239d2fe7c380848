"""A director, a storage daemon, file daemons and consoles of a test's own, as processes on loopback.

A fleet writes its configuration with `vault init` and edits it as a person would: ports of its own, further clients, jobs.
Everything that it started ends with it, by its number."""

import base64
import contextlib
import json
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import time

import program
import proxy
import schemas
import trees
from suite import SystemTest

#: A daemon that is told to end, or to begin, and takes longer hangs.
PATIENCE_SECONDS = 20
#: A job of these trees takes a second; one that takes so long hangs.
JOB_SECONDS = 60
#: A peer that says nothing for so long counts as lost, in fleets that say so: the least that the directive takes.
LOST_AFTER_SECONDS = 4
LOST_AFTER_DIRECTIVE = "Peer Timeout"

DIRECTOR, STORAGE = "test-dir", "test-sd"
#: What no log may say.
CRASH_SIGNS = ("Fatal error", "Illegal instruction", "Stack dump", "Assertion", "Crash", "fatalError")


def eventually(condition, what, seconds=PATIENCE_SECONDS):
    """Asks again and again until the answer is true, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.01)
    return found


#: What keeps the ports that this process was given from being given to anybody again, while it lives.
RESERVATIONS = []


def free_port(*hosts):
    """A port below those that the system gives away, free on every one of the hosts.

    No test is given it again, here or in another process, though nobody listens on it yet: tests that dialled each other's
    daemons, or a daemon where they had put a fake, failed once in some hundred runs."""
    generator = random.Random(f"{os.getpid()} {time.monotonic_ns()}")
    for _ in range(1000):
        port = generator.randrange(12_000, 32_000)
        with contextlib.ExitStack() as stack:
            try:
                for host in hosts:
                    family = socket.AF_INET6 if ":" in host else socket.AF_INET
                    taken = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
                    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    taken.bind((host, port))
                reservation = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                reservation.bind(f"\0vault-test-port-{port}")
            except OSError:
                continue
            RESERVATIONS.append(socket.socket(fileno=reservation.detach()))
            return port
    raise AssertionError(f"no port is free on {hosts}")


def schema_of(command):
    """The schema that describes what a console's command says with --json."""
    words = command.replace('"', "").split()
    if words[0] in ("run", "restore", "continue"):
        return "console-ended" if "wait" in words else "console-queued"
    if words[0] == "status":
        return "console-status-" + re.match("[a-z]+", words[1]).group(0)
    return {"list jobs": "console-jobs", "list joblog": "console-messages", "list files": "ls", "messages": "console-messages",
            "wait": "console-ended", "cancel": "console-canceled", "version": "console-version",
            }[" ".join(words[:2]) if words[0] == "list" else words[0]]


def fresh_key():
    return "key:" + base64.b64encode(secrets.token_bytes(32)).decode()


class Daemon:
    """One role's process, which may be ended and started again."""

    def __init__(self, fleet, role, name, configuration):
        self.fleet, self.role, self.name, self.configuration = fleet, role, name, configuration
        self.process = None
        self.is_frozen = False
        self.output = os.path.join(fleet.directory, f"{name}.output")

    def start(self):
        """Starts the process and returns when it serves."""
        assert self.process is None, f"{self.name} runs already"
        address = f"\0vault-test-{os.getpid()}-{self.name}-{secrets.token_hex(6)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, open(self.output, "ab") as output:
            notices.bind(address)
            notices.settimeout(0.05)
            self.process = subprocess.Popen(
                [program.BINARY, self.role, "-c", self.configuration], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, cwd=self.fleet.directory,
                # Few arenas: what the process holds says something about leaks then.
                env={**os.environ, "LC_ALL": "C.UTF-8", "NOTIFY_SOCKET": "@" + address[1:], "MALLOC_ARENA_MAX": "2",
                     **self.fleet.environments.get(self.name, {})})
            deadline = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    if b"READY=1" in notices.recv(4096):
                        return self
                except TimeoutError:
                    pass
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"{self.name} does not start ({self.process.poll()}):\n{self.log}")

    def stop(self):
        """Asks the process to end, as a service manager does, and expects that it does so in order."""
        self.process.send_signal(signal.SIGTERM)
        self.thaw()
        return self.wait_end("SIGTERM", 0)

    def wait_end(self, why, expected):
        process, self.process = self.process, None
        try:
            status = process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name} runs on after {why}:\n{self.log}") from None
        assert status == expected, f"{self.name} ended with {status} after {why}:\n{self.log}"
        return self

    def kill(self):
        """Ends the process as a power cut would."""
        self.process.kill()
        return self.wait_end("SIGKILL", -signal.SIGKILL)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.is_frozen = True
        eventually(lambda: self.state_letter() == "T", f"{self.name} is not frozen")

    def thaw(self):
        if self.is_frozen and self.process:
            self.process.send_signal(signal.SIGCONT)
        self.is_frozen = False

    def state_letter(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[0]

    # ---- What it takes and says

    @property
    def threads(self):
        """The names of its threads, without those of the language's pools: they come and go as it likes, a few at most."""
        names = []
        for number in os.listdir(f"/proc/{self.process.pid}/task"):
            with contextlib.suppress(OSError):
                with open(f"/proc/{self.process.pid}/task/{number}/comm", encoding="utf-8") as stream:
                    names.append(stream.read().strip())
        own = sorted(name for name in names if "qos" not in name)
        assert len(names) - len(own) <= 2 * os.cpu_count() + 2, names
        return own

    @property
    def descriptor_count(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def descriptors(self):
        """What the open descriptors are, for a message."""
        found = []
        for number in sorted(os.listdir(f"/proc/{self.process.pid}/fd"), key=int):
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"/proc/{self.process.pid}/fd/{number}"))
        return found

    @property
    def log(self):
        """All that the daemon said, in this life and in earlier ones."""
        text = ""
        for path in (self.output, os.path.join(self.fleet.directory, f"{self.name}.log")):
            with contextlib.suppress(FileNotFoundError):
                with open(path, encoding="utf-8", errors="replace") as stream:
                    text += stream.read()
        return text


class Footprint:
    """How many threads and descriptors each daemon has when nothing runs."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.counts = {}
        self.lower()

    def lower(self):
        self.counts = {each.name: (len(each.threads), each.descriptor_count) for each in self.fleet.running}

    def excess(self):
        found = []
        for each in self.fleet.running:
            threads, descriptors = self.counts.get(each.name, (1 << 20, 1 << 20))
            if len(each.threads) > threads:
                found.append(f"{each.name} has {len(each.threads)} threads, had {threads}: {each.threads}")
            if each.descriptor_count > descriptors:
                found.append(f"{each.name} has {each.descriptor_count} descriptors, had {descriptors}: {each.descriptors}")
        return found

    def check(self, seconds=PATIENCE_SECONDS):
        """Every daemon is back at what it was."""
        eventually(lambda: not self.excess(), lambda: "\n".join(self.excess()), seconds)


class Fleet:
    """What a test's daemons are, and how they are asked.

    Each client `c` has a file daemon `c-fd` and a job `save-c`, which saves the directory that `sources` names for it, or
    `<directory>/source-c`."""

    def __init__(self, directory, clients=("alpha",), sources=None, listen=("127.0.0.1",)):
        self.directory, self.clients = directory, tuple(clients)
        self.sources = {name: (sources or {}).get(name, os.path.join(directory, f"source-{name}")) for name in self.clients}
        self.listen = listen
        self.daemons, self.proxies = {}, []
        #: Further lines of resources, by (file, resource keyword, resource's name).
        self.lines = {}
        #: Further resources, by file.
        self.resources = {}
        hosts = (*listen, "127.0.0.2", "127.0.0.3")
        self.ports = {name: free_port(*hosts) for name in ("dir", "sd", *self.clients)}
        #: Where who dials whom, when it is not where the listener listens.
        self.ways = {}
        self.keys = {}
        self.jobs = []
        #: Further variables of a daemon's environment, by its name.
        self.environments = {}
        #: Further storage daemons, by name.
        self.further_storages = []
        self.short_times()
        for name in self.clients:
            self.job(f"save-{name}", name, [self.sources[name]])

    # ---- The configuration, before the start

    def short_times(self):
        """Waits that suit tests, and commits that are small enough for a job to have several."""
        self.set("dir", "Director", DIRECTOR, **{
            "FD Connect Timeout": "3 seconds", "SD Connect Timeout": "3 seconds", "Reconnect Window": "30 seconds",
            "Maximum Concurrent Jobs": "20"})

    def set(self, file, resource, name, **directives):
        """Adds directives to a resource; those of a file's one resource of a kind may leave out its name."""
        self.lines.setdefault((file, resource, name), {}).update(directives)

    def lose_silent_peers(self):
        """Lets every daemon count a peer as lost soon."""
        for file, resource, name in (("dir", "Director", DIRECTOR), ("sd", "Storage", STORAGE),
                                     *((f"fd-{client}", "FileDaemon", f"{client}-fd") for client in self.clients)):
            self.set(file, resource, name, **{LOST_AFTER_DIRECTIVE: str(LOST_AFTER_SECONDS)})

    def add(self, file, text):
        self.resources.setdefault(file, []).append(text)

    def job(self, name, client, paths, **directives):
        """Adds a backup job with a file set of its own."""
        files = ", ".join(f'"{path}"' for path in paths)
        self.add("dir", f"FileSet {{\n  Name = files-{name}\n  Include {{ File = {files} }}\n}}\n")
        self.jobs.append((name, client, {"Commit Size": "1 MiB", "FileSet": f"files-{name}", **directives}))

    def add_storage(self, name):
        """Adds a storage daemon with a device of its own, for jobs that name it."""
        self.further_storages.append(name)
        self.ports[name] = free_port(*self.listen)

    def proxied(self, dialler, listener):
        """Puts a proxy between two: (director, client), ("director", "sd"), ("clients", "sd") or ("console", "director")."""
        if listener == "sd":
            host = {"director": "127.0.0.3", "clients": "127.0.0.2"}[dialler]
            place = (host, self.ports["sd"])
        else:
            place = ("127.0.0.1", free_port("127.0.0.1"))
        target = (self.listen[0], self.ports["dir" if listener == "director" else listener])
        between = proxy.Proxy(place, target, f"{dialler}-{listener}")
        self.proxies.append(between)
        self.ways[dialler, listener] = place
        return between

    def way(self, dialler, listener):
        port = self.ports["dir" if listener == "director" else listener]
        return self.ways.get((dialler, listener), (self.listen[0], port))

    def conf(self, name):
        return os.path.join(self.directory, "conf", f"{name}.conf")

    def configure(self):
        """Writes all files: those of `vault init`, edited, and one for each client."""
        first = self.clients[0]
        made = program.run(
            "init", os.path.join(self.directory, "conf"), "--director", DIRECTOR, "--client", f"{first}-fd",
            "--store", os.path.join(self.directory, "volumes"))
        assert made.status == 0, made
        for name in ("dir", "sd", "fd"):
            os.makedirs(os.path.join(self.directory, "conf", "state", name), exist_ok=True)
        os.makedirs(os.path.join(self.directory, "volumes"), exist_ok=True)
        texts = {name: self.read(self.conf(name)) for name in ("dir", "sd", "fd", "console")}
        host = re.search(r"Name = (\S+)-sd\n", texts["sd"]).group(1)
        texts = {name: text.replace(f"{host}-sd", STORAGE) for name, text in texts.items()}
        self.keys = {
            "console": self.key_in(texts["console"]), "sd": self.key_in(texts["sd"]), first: self.key_in(texts["fd"])}
        for name in self.further_storages:
            self.keys[name] = fresh_key()
            texts[name] = self.further_storage_text(name, texts["sd"])
        texts["dir"] = self.director_text(texts["dir"])
        texts["sd"] = self.edit(texts["sd"], "Port = 9103", *self.address_lines("sd"))
        texts["console"] = self.edit(texts["console"], "Address = localhost", f"Address = {self.way('console', 'director')[0]}")
        texts["console"] = self.edit(texts["console"], "Port = 9101", f"Port = {self.way('console', 'director')[1]}")
        pattern = texts.pop("fd")
        for client in self.clients:
            text = pattern.replace(f"{first}-fd", f"{client}-fd").replace(self.keys[first], self.keys[client])
            texts[f"fd-{client}"] = self.edit(text, "Port = 9102", *self.address_lines(client))
            os.makedirs(os.path.join(self.directory, "conf", "state", f"fd-{client}"), exist_ok=True)
        for name, text in texts.items():
            text += "".join(f"\n{each}" for each in self.resources.get(name, []))
            for (file, resource, own), directives in self.lines.items():
                if file == name:
                    text = self.insert(text, resource, own, directives)
            with open(os.open(self.conf(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
                stream.write(text)

    def further_storage_text(self, name, pattern):
        """The configuration of a storage daemon, after that of the first."""
        text = pattern.replace(STORAGE, name).replace(self.keys["sd"], self.keys[name])
        for old, new in (("volumes", f"volumes-{name}"), ("conf/state/sd", f"conf/state/{name}")):
            path = os.path.join(self.directory, new)
            os.makedirs(path, exist_ok=True)
            text = self.edit(text, f'"{os.path.join(self.directory, old)}"', f'"{path}"')
        return self.edit(text, "Port = 9103", *self.address_lines(name))

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as stream:
            return stream.read()

    @staticmethod
    def key_in(text):
        return re.search(r'"(key:[^"]+)"', text).group(1)

    @staticmethod
    def edit(text, old, *new):
        assert old in text, f"no '{old}' in:\n{text}"
        return text.replace(old, "\n  ".join(new), 1)

    def address_lines(self, name):
        return (f"Port = {self.ports[name]}", "Address = " + ", ".join(self.listen))

    @staticmethod
    def insert(text, resource, name, directives):
        """Adds directives behind a resource's name; one that is there already is replaced."""
        found = re.search(rf"^{resource} \{{\n(?:(?!^\}}).*\n)*?  Name = {re.escape(name)}\n(?:(?!^\}}).*\n)*", text, re.M)
        assert found, f"no {resource} '{name}' in:\n{text}"
        body = found.group(0)
        for keyword, value in directives.items():
            line = f"  {keyword} = {value}\n"
            replaced = re.sub(rf"^  {keyword} = .*\n", lambda _: line, body, count=1, flags=re.M)
            body = replaced if replaced != body or line in body else body + line
        return text.replace(found.group(0), body, 1)

    def director_text(self, text):
        first = self.clients[0]
        text = self.edit(text, "Port = 9101", *self.address_lines("dir"))
        # What init made for one client is made anew for all of them.
        text = re.sub(r"^(Client|Storage|FileSet|Job) \{\n(?:(?!^\}).*\n)*^\}\n", "", text, flags=re.M)
        text = re.sub(r"^JobDefs \{\n(?:(?!^\}).*\n)*^\}\n", "", text, flags=re.M)
        for client in self.clients:
            self.keys.setdefault(client, fresh_key())
            host, port = self.way("director", client)
            lan = "  Lan Address = 127.0.0.1\n" if ("clients", "sd") in self.ways else ""
            text += (f'\nClient {{\n  Name = {client}-fd\n  Address = {host}\n  Port = {port}\n{lan}'
                     f'  Password = "{self.keys[client]}"\n}}\n')
        host, port = self.way("director", "sd")
        lan = f"  Lan Address = {self.ways['clients', 'sd'][0]}\n" if ("clients", "sd") in self.ways else ""
        text += (f'\nStorage {{\n  Name = {STORAGE}\n  Address = {host}\n  Port = {port}\n{lan}  Device = FileStorage\n'
                 f'  Media Type = File\n  Password = "{self.keys["sd"]}"\n}}\n')
        for name in self.further_storages:
            text += (f'\nStorage {{\n  Name = {name}\n  Address = {self.listen[0]}\n  Port = {self.ports[name]}\n'
                     f'  Device = FileStorage\n  Media Type = File\n  Password = "{self.keys[name]}"\n}}\n')
        for name, client, directives in self.jobs:
            body = "".join(f"  {keyword} = {value}\n" for keyword, value in {"Messages": "Standard", **directives}.items())
            text += f"\nJob {{\n  Name = {name}\n  Type = Backup\n  Client = {client}-fd\n  Pool = Default\n{body}}}\n"
        text += f"\nJob {{\n  Name = restore\n  Type = Restore\n  Client = {first}-fd\n  Messages = Standard\n}}\n"
        return text

    # ---- Processes

    def start(self):
        self.configure()
        self.daemons = {"sd": Daemon(self, "sd", "sd", self.conf("sd"))}
        for name in self.further_storages:
            self.daemons[name] = Daemon(self, "sd", name, self.conf(name))
        for client in self.clients:
            self.daemons[client] = Daemon(self, "fd", f"fd-{client}", self.conf(f"fd-{client}"))
        self.daemons["dir"] = Daemon(self, "dir", "dir", self.conf("dir"))
        for each in self.daemons.values():
            each.start()
        return self

    def __getitem__(self, name):
        return self.daemons[name]

    @property
    def running(self):
        return [each for each in self.daemons.values() if each.process]

    def director_log(self):
        path = os.path.join(self.directory, "conf/state/dir/dir.log")
        # The first message makes the file, and is written by a thread of its own.
        return (self.read(path) if os.path.exists(path) else "") + self["dir"].log

    def log(self, name):
        return self.director_log() if name == "dir" else self[name].log

    def news(self, name, before):
        """The lines of a log that were not in `before`, what it held then. A director that has two destinations tells each
        line twice, the second time maybe later: neither is news when one was there."""
        known = set(before.splitlines())
        return [line for line in self.log(name).splitlines() if line.strip() and line not in known]

    def end(self):
        """Ends whatever runs, and says what did not end in order or crashed."""
        mistakes = []
        for between in self.proxies:
            between.close()
        for name in ("dir", *self.clients, "sd", *self.further_storages):
            daemon = self.daemons.get(name)
            if daemon and daemon.process:
                try:
                    daemon.stop()
                except AssertionError as error:
                    mistakes.append(str(error))
        for name in self.daemons:
            with contextlib.suppress(FileNotFoundError):
                text = self.log(name)
                mistakes += [f"{name} said '{sign}':\n{text[-3000:]}" for sign in CRASH_SIGNS if sign in text]
                mistakes += [f"{name} told a key" for key in self.keys.values() if key[4:] in text]
        assert not mistakes, "\n".join(mistakes)

    # ---- Consoles

    def console_arguments(self, *commands, json_output=False, configuration=None):
        words = [word for command in commands for word in ("-e", command)]
        return ("console", "-c", configuration or self.conf("console"), *words, *(["--json"] if json_output else []))

    def console(self, *commands, configuration=None, timeout=JOB_SECONDS):
        return program.run(*self.console_arguments(*commands, configuration=configuration), timeout=timeout)

    def ask(self, command, statuses=(0,), timeout=JOB_SECONDS):
        """What a console gets as JSON, which is as its schema says."""
        outcome = program.run(*self.console_arguments(command, json_output=True), timeout=timeout)
        assert outcome.status in statuses, f"{outcome}\n{self.director_log()[-3000:]}"
        mistakes = schemas.mistakes(schema_of(command), outcome.json)
        assert not mistakes, f"{command}: {outcome.output.decode()[:1000]}\n" + "\n".join(mistakes)
        return outcome.json

    def run(self, job, *words, statuses=(0,), timeout=JOB_SECONDS):
        """Runs a job to its end; returns its number."""
        return self.ask(" ".join((f"run job={job}", *words, "wait")), statuses, timeout)["job"]

    def begin(self, job, *words):
        """Queues a job; returns its number."""
        return self.ask(" ".join((f"run job={job}", *words)))["job"]

    def wait(self, number, seconds=JOB_SECONDS):
        """The status letter with which a job ends; a director that ends meanwhile is asked again when it is back."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            outcome = program.run(
                *self.console_arguments(f"wait job={number}", json_output=True), timeout=max(1, deadline - time.monotonic()))
            if outcome.status not in (program.UNREACHABLE, -9) and outcome.json["status"] not in "CR":
                return outcome.json["status"]
            time.sleep(0.02)
        raise AssertionError(f"job {number} is not over within {seconds} s: {self.about(number)}")

    def status(self):
        """The director's own line, and those of the jobs that wait and run, by number."""
        lines = self.ask("status director")
        return lines[0], {line["job"]: line for line in lines[1:]}

    def listed(self, number):
        [row] = self.ask(f"list jobs job={number}")
        return row

    def messages(self, number):
        return [line["text"] for line in self.ask(f"list joblog job={number}")]

    def about(self, number):
        """All that is known of a job, for a message."""
        try:
            return json.dumps([self.listed(number), self.messages(number)], indent=1)
        except AssertionError as error:
            return f"nothing can be asked: {error}"


class NetworkTest(SystemTest):
    """A test with a fleet of its own, which ends with it."""

    def make_fleet(self, *arguments, **settings):
        """A fleet in the test's directory; it is not started yet."""
        fleet = Fleet(self.directory, *arguments, **settings)
        # Last of all, so that it is the first to be cleaned up.
        self.addCleanup(self.end_fleet, fleet)
        return fleet

    def end_fleet(self, fleet):
        try:
            fleet.end()
        finally:
            # A daemon that did not end in order is not left behind.
            for daemon in fleet.running:
                daemon.process.kill()
                daemon.process.wait()

    def make_tree(self, root, seed="tree", file_bytes=400_000, count=8):
        """A tree of some files of random bytes, which no compression shortens."""
        generator = random.Random(seed)
        for number in range(3):
            os.makedirs(os.path.join(root, f"d{number}"))
        for number in range(count):
            directory = os.path.join(root, f"d{number % 3}")
            trees.write_file(os.path.join(directory, f"f{number}"), generator.randbytes(file_bytes))
            trees.write_file(os.path.join(directory, f"small{number}"), b"%d" % number)
        os.link(os.path.join(root, "d0", "f0"), os.path.join(root, "d1", "linked"))
        os.symlink("d0/f0", os.path.join(root, "symbolic"))
        trees.settle(root)
        return root

    def change_tree(self, root, seed):
        """Changes something of every kind."""
        generator = random.Random(seed)
        trees.write_file(os.path.join(root, "d0", "f0"), generator.randbytes(300_000))
        trees.write_file(os.path.join(root, "d1", f"new-{seed}"), generator.randbytes(10_000))
        os.chmod(os.path.join(root, "d0", "small0"), generator.choice((0o600, 0o640, 0o604)))
        trees.settle(root, generator.randrange(1, 90))

    def assertJobRestores(self, fleet, number, source, expected=None, to=None, options=""):
        """The job is done, and a restore of it gives the source (or `expected`) back."""
        target = self.path(f"restored-{number}-{secrets.token_hex(3)}")
        client = f" to={to}-fd" if to else ""
        outcome = fleet.ask(f'restore job={number} where="{target}"{client} wait all {options}', (0, 1, 3, 4, 5))
        self.assertEqual(outcome["status"], "T", fleet.about(outcome["job"]))
        restored = target + source
        self.assertSameTree(expected if expected is not None else trees.describe(source), restored, f"job {number}")
        if expected is None:
            self.assertEqual(trees.rsync_differences(source, restored), [], f"job {number}")
        self.assertNothingHalfDone(target)
        program.remove(target)
        return outcome["job"]

    def assertEnds(self, fleet, number, *letters, seconds=JOB_SECONDS):
        self.assertIn(fleet.wait(number, seconds), letters, fleet.about(number))

    def within(self, seconds, what):
        """A bound on what the block may take."""
        return Deadline(self, seconds, what)


class Deadline(contextlib.AbstractContextManager):
    def __init__(self, test, seconds, what):
        self.test, self.seconds, self.what = test, seconds, what

    def __enter__(self):
        self.begin = time.monotonic()
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.test.assertLess(time.monotonic() - self.begin, self.seconds, self.what)
        return False
