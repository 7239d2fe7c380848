"""The daemons' configuration: what vault init writes, and what --test-config says of it and of others."""

import base64
import os
import re
import socket
import stat
import subprocess
import time

import fleet as fleets
import program
from suite import SystemTest

ROLES = ("dir", "sd", "fd", "console")
EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "etc", "examples")


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


class Initial(SystemTest):
    def init(self, *options, status=0, name="conf", **how):
        return self.expect(program.run("init", self.path(name), *options, **how), status)

    def keys(self, name="conf"):
        """Every key in the files of a set, by file."""
        return {role: re.findall(rb'^  Password = "key:([A-Za-z0-9+/]+=)"$', read(self.path(name, f"{role}.conf")), re.M)
                for role in ROLES}

    def assertRight(self, name="conf"):
        for role in ROLES:
            outcome = self.expect(program.run(role, "--test-config", "-c", self.path(name, f"{role}.conf"), "--json"))
            found = self.assertDescribed("test-config", outcome.json)
            self.assertEqual(found["mistakes"], [])
            self.assertTrue(found["resources"])
            self.assertEqual(outcome.errors, b"")

    def test_writes_a_set_that_is_right(self):
        outcome = self.init()
        self.assertEqual(sorted(os.listdir(self.path("conf"))), ["console.conf", "dir.conf", "fd.conf", "sd.conf"])
        self.assertEqual(stat.S_IMODE(os.stat(self.path("conf")).st_mode), 0o700)
        for role in ROLES:
            self.assertEqual(stat.S_IMODE(os.stat(self.path("conf", f"{role}.conf")).st_mode), 0o600)
        self.assertRight()
        self.assertFalse(os.path.exists(self.path("conf", "state")))

    def adapt(self, role, *changes):
        """Changes a file of the set."""
        text = read(self.path("conf", f"{role}.conf")).decode()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        with open(self.path("conf", f"{role}.conf"), "w", encoding="utf-8") as stream:
            stream.write(text)

    def use_free_ports(self):
        """Gives the daemons of the set ports that nobody has; returns the director's."""
        ports = [fleets.free_port("0.0.0.0") for _ in range(3)]
        dir_port, fd_port, sd_port = [(f"Port = {known}", f"Port = {port}") for known, port in zip((9101, 9102, 9103), ports)]
        self.adapt("dir", dir_port, fd_port, sd_port)
        self.adapt("console", dir_port)
        self.adapt("fd", fd_port)
        self.adapt("sd", sd_port)
        return ports[0]

    def test_what_it_says_to_type_next_works(self):
        """Word by word, from the directories to the first restore; only ports, and how much is saved, are others."""
        outcome = self.init()
        lines = [line.strip() for line in outcome.output.decode().splitlines() if line.startswith("  ")]
        commands = [line for line in lines if not line.endswith(".conf") or "--test-config" in line]
        self.assertEqual(len(commands), 10)
        port = self.use_free_ports()
        self.adapt("dir", ("File = /etc, /home, /root", "File = /etc"),
                   ("Where = /tmp/vault-restore", f"Where = {self.path('restored')}"))
        for command in commands:
            command = re.sub("^vault ", program.BINARY + " ", command)
            if command.endswith(" &"):
                with open(self.path("said"), "ab") as said:
                    process = subprocess.Popen(["sh", "-c", "exec " + command[:-2]], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
                self.addCleanup(process.wait)
                self.addCleanup(process.terminate)
                continue
            if " console " in command and " -e " in command:
                self.wait_for(port)
            done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=program.TIMEOUT_SECONDS)
            # Whoever is not root cannot read everything in /etc.
            self.assertIn(done.returncode, (0,) if os.geteuid() == 0 else (0, 1), f"{command}: {done.stdout.decode()}")
        self.assertEqual(read(self.path("restored", "etc", "passwd")), read("/etc/passwd"))

    def wait_for(self, port):
        """Waits until somebody listens."""
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("localhost", port), 5).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    self.fail(f"the director does not listen: {read(self.path('said')).decode()}")
                time.sleep(0.05)

    def test_each_key_is_known_to_two_and_new_each_time(self):
        self.init()
        self.init(name="other")
        keys = self.keys()
        self.assertEqual({role: len(found) for role, found in keys.items()}, {"dir": 3, "sd": 1, "fd": 1, "console": 1})
        self.assertEqual(sorted(keys["dir"]), sorted(keys["sd"] + keys["fd"] + keys["console"]))
        self.assertEqual(len(set(keys["dir"] + self.keys("other")["dir"])), 6)
        for key in keys["dir"]:
            self.assertEqual(len(base64.b64decode(key, validate=True)), 32)

    def test_a_umask_opens_nothing(self):
        process = subprocess.run(["sh", "-c", 'umask 0; exec "$0" init "$1"', program.BINARY, self.path("conf")],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("conf", "dir.conf")).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("conf")).st_mode), 0o700)

    def test_never_overwrites(self):
        self.init()
        before = {role: read(self.path("conf", f"{role}.conf")) for role in ROLES}
        self.refuses(self.init(status=2), 2, naming=("dir.conf", "nothing was written"))
        self.assertEqual(before, {role: read(self.path("conf", f"{role}.conf")) for role in ROLES})
        # Any one of the four is enough, whatever it is, and what else is in the directory stays.
        for role in ROLES:
            name = f"only-{role}"
            os.mkdir(self.path(name))
            os.symlink("/nowhere", self.path(name, f"{role}.conf"))
            with open(self.path(name, "mine"), "w", encoding="utf-8") as stream:
                stream.write("mine")
            self.refuses(self.init(status=2, name=name), 2, naming=(f"{role}.conf",))
            self.assertEqual(sorted(os.listdir(self.path(name))), sorted([f"{role}.conf", "mine"]))

    def test_goes_beside_what_is_there(self):
        os.mkdir(self.path("conf"), 0o755)
        for name in ("mine", "dir.conf.new"):
            with open(self.path("conf", name), "w", encoding="utf-8") as stream:
                stream.write("left by a crash")
        self.init()
        self.assertEqual(sorted(os.listdir(self.path("conf"))), ["console.conf", "dir.conf", "fd.conf", "mine", "sd.conf"])
        self.assertRight()

    def faults(self, **settings):
        """Runs init in a new directory with a fault at the first, second, third … call, until none is left to meet."""
        for nth in range(1, 200):
            place = self.path(f"fault-{nth}")
            os.mkdir(place)
            rule = {key: value.format(nth) for key, value in settings.items()}
            outcome = program.run("init", os.path.join(place, "conf"), environment=program.fault_environment(place, **rule))
            conf = os.path.join(place, "conf")
            yield nth, outcome, sorted(os.listdir(conf)) if os.path.isdir(conf) else None, conf
            if outcome.status == 0 and nth > 40:
                return
        self.fail("the faults never end")

    def test_a_failure_leaves_nothing(self):
        """Each call that makes, writes, syncs or names a file fails in turn: all four files are there, or nothing."""
        failed = 0
        for _, outcome, found, _ in self.faults(fail="{}:EIO"):
            if outcome.status == 0:
                self.assertEqual(found, ["console.conf", "dir.conf", "fd.conf", "sd.conf"], f"{outcome}")
            else:
                failed += 1
                self.refuses(outcome, 3)
                self.assertIsNone(found, f"{outcome}")
        self.assertGreater(failed, 15)

    def test_a_crash_leaves_nothing_half_written(self):
        killed = 0
        for _, outcome, found, conf in self.faults(kill="{}"):
            killed += outcome.status != 0
            for name in found or []:
                if not name.endswith(".new"):
                    self.expect(program.run(name[:-5], "--test-config", "-c", os.path.join(conf, name)))
            # Another try succeeds unless one of the files has got its name.
            again = program.run("init", conf)
            self.expect(again, 2 if any(name.endswith(".conf") for name in found or []) else 0)
        self.assertGreater(killed, 15)

    def test_options_are_in_the_files(self):
        outcome = self.init("--director", 'the "big" ${HOME}', "--client", "büro", "--catalog", "postgresql",
                            "--store", "/srv/two words/vault", "--json").json
        self.assertDescribed("init", outcome)
        self.assertEqual([os.path.basename(file["path"]) for file in outcome["files"]],
                         [f"{role}.conf" for role in ROLES])
        self.assertEqual(len(outcome["commands"]), 11)
        self.assertIn("--init-catalog", " ".join(outcome["commands"]))
        self.assertRight()
        self.assertIn(b'Archive Device = "/srv/two words/vault"', read(self.path("conf", "sd.conf")))
        for role in ROLES:
            self.assertIn(rb'Name = "the \"big\" \${HOME}"', read(self.path("conf", f"{role}.conf")))
        self.assertIn(b"DB Driver = PostgreSQL", read(self.path("conf", "dir.conf")))

    def test_a_directory_that_cannot_be(self):
        self.refuses(self.init(status=4, name="no/such/place"), 4, naming=("no/such/place",))
        with open(self.path("file"), "w", encoding="utf-8"):
            pass
        self.refuses(self.init(status=3, name="file"), 3, naming=("file",))


class Testing(SystemTest):
    def write(self, text, name="dir.conf"):
        with open(self.path(name), "w", encoding="utf-8") as stream:
            stream.write(text)
        return self.path(name)

    def test_the_examples_are_right(self):
        for role in ROLES:
            outcome = self.expect(program.run(role, "--test-config", "-c", os.path.join(EXAMPLES, f"{role}.conf")))
            self.assertRegex(outcome.output.decode(), r"no mistakes for a .*: 1 ")
            self.assertEqual(outcome.errors, b"")

    def test_all_mistakes_with_their_places(self):
        path = self.write("Director { Name = d\n  Pasword = x }\n@more/*.conf\n")
        os.mkdir(self.path("more"))
        self.write("Client {\n  Name = c; Adress = y\n  Password = s3cr3t\n}\n", "more/a.conf")
        outcome = self.expect(program.run("dir", "--test-config", "-c", path), 2)
        lines = outcome.errors.decode().splitlines()
        self.assertEqual(outcome.output, b"")
        self.assertEqual([line.split(": ")[0] for line in lines],
                         [f"{path}:1:1", f"{path}:1:1", f"{path}:2:3", self.path("more/a.conf") + ":1:1",
                          self.path("more/a.conf") + ":2:13"])
        self.assertIn('did you mean "Password"?', outcome.errors.decode())
        self.assertIn('did you mean "Address"?', outcome.errors.decode())
        self.assertNotIn(b"s3cr3t", outcome.errors)
        found = self.expect(program.run("dir", "--test-config", "-c", path, "--json"), 2).json
        self.assertDescribed("test-config", found)
        self.assertEqual([f"{one['path']}:{one['line']}:{one['column']}: {one['text']}" for one in found["mistakes"]], lines)

    def test_variables_come_from_the_environment(self):
        path = self.write('Director { Name = d; Address = ${THERE:-10.0.0.1}; Password = "${SECRET}" }\n')
        self.refuses(program.run("console", "--test-config", "-c", path), 2, naming=("SECRET", ":1:63: "))
        self.expect(program.run("console", "--test-config", "-c", path, environment={"SECRET": "x", "THERE": "::1"}))
        self.refuses(program.run("console", "--test-config", "-c", path, environment={"SECRET": "x", "THERE": "a:b"}), 2,
                     naming=(":1:32: Address",))

    def test_files_that_are_none(self):
        os.mkfifo(self.path("fifo"))
        for path, reason in ((self.path("nowhere"), "No such file"), (self.path("fifo"), "not a regular file"),
                             (self.directory, "not a regular file"), ("/dev/zero", "not a regular file")):
            self.refuses(program.run("fd", "--test-config", "-c", path, timeout=20), 2, naming=(path, reason))
        path = self.write("@fifo\n@/dev/zero\n@dir.conf\n")
        outcome = self.expect(program.run("dir", "--test-config", "-c", path, timeout=20), 2)
        self.assertEqual(outcome.errors.count(b"it is not a regular file"), 2)
        self.assertIn(b"this file includes itself", outcome.errors)

    def test_big_inputs_end_soon(self):
        """A file full of resources that name what is not there, and one that is larger than any may be."""
        client = 'Client { Name = c%07d; Address = a; Password = x; Catalog = none%07d }\n'
        count = (4 << 20) // len(client % (0, 0))
        path = self.write("".join(client % (number, number) for number in range(count)))
        outcome = self.expect(program.run("dir", "--test-config", "-c", path, timeout=120), 2)
        self.assertEqual(len(outcome.errors.splitlines()), 101)
        with open(path, "a", encoding="utf-8") as stream:
            stream.write("#" * (13 << 20))
        self.refuses(program.run("dir", "--test-config", "-c", path, timeout=20), 2, naming=("larger than 16777216 bytes",))
