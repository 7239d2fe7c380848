"""Peers that are not who they should be, or that say what nobody says: they get nothing, and the port keeps serving.

The peers are `openssl s_client` and plain sockets, so that TLS is judged by a library's own program."""

import os
import random
import re
import secrets
import socket
import struct

import fleet as fleets
import hostile
import program
import trees
from fleet import DIRECTOR, STORAGE, Footprint, NetworkTest

#: What a handshake may take before it is ended, with room for a loaded machine.
HANDSHAKE_SECONDS = 20


class HostileTest(NetworkTest):
    def setUp(self):
        super().setUp()
        fleet = self.fleet = self.make_fleet(("alpha", "beta"))
        self.sources = [self.make_tree(fleet.sources[name], name, count=3) for name in fleet.clients]
        fleet.set("dir", "Director", DIRECTOR, **{"Reconnect Window": "0", "FD Connect Timeout": "1"})
        self.prepare(fleet)
        fleet.start()
        # A log is written behind what it tells of: what comes after this is of the test.
        for name in ("dir", "sd", *fleet.clients):
            fleets.eventually(lambda: "listens on" in fleet.log(name), f"{name} does not say that it listens")
        #: A right identity and its secret for each port.
        self.rights = {
            "dir": (hostile.identity("console", "*default*", "director", DIRECTOR), "console"),
            "sd": (hostile.identity("director", DIRECTOR, "storage-daemon", STORAGE), "sd"),
            "alpha": (hostile.identity("director", DIRECTOR, "file-daemon", "alpha-fd"), "alpha")}

    def prepare(self, fleet):
        pass

    def place(self, name):
        return ("127.0.0.1", self.fleet.ports[name])

    def secret(self, name):
        return hostile.secret_of(self.fleet.keys[name])

    def right(self, name):
        """The identity that a port takes, and its key."""
        identity, owner = self.rights[name]
        return identity, hostile.derive(self.secret(owner), identity)

    def dial(self, name, identity=None, key=None, *options):
        own, own_key = self.right(name)
        return hostile.dial(self.place(name), own if identity is None else identity, own_key if key is None else key, *options)

    def assertOneCause(self, name, before, *words):
        """The daemon's log has one new line, which says the cause."""
        lines = fleets.eventually(lambda: self.fleet.news(name, before), f"{name} says nothing in its log")
        # Told twice where the log has two destinations.
        self.assertEqual(len({re.sub(r"^\S+ ", "", line) for line in lines}), 1, lines)
        self.assertIn("127.0.0.1", lines[0])
        for word in words:
            self.assertRegex(lines[0], word)
        for key in self.fleet.keys.values():
            self.assertNotIn(key[4:], lines[0])
            self.assertNotIn(hostile.secret_of(key).hex(), lines[0])

    def assertServes(self):
        """Every port still does what it is there for."""
        self.assertJobRestores(self.fleet, self.fleet.run("save-alpha"), self.sources[0])


class Handshakes(HostileTest):
    weight = 15
    waits = True

    def test_right_key_is_answered(self):
        """The other tests prove nothing unless this one does: OpenSSL with the right key is a peer like any other."""
        for name, code, role in (("dir", b"1000", "console *default*"), ("sd", b"3000", f"director {DIRECTOR}"),
                                 ("alpha", b"2000", f"director {DIRECTOR}")):
            with self.dial(name) as peer:
                peer.send(f"Hello = {role} calling vault/0.1.0 features=1\n".encode())
                self.assertTrue(peer.wait_for(code + rb" OK Hello = version=\S+ features=\w+\n"), peer.errors)
                peer.send(b"noop\n")
                self.assertTrue(peer.wait_for(code + rb" OK[^H]*\n"), peer.received)

    def check_refused(self, name, identity, key, options=(), words=(), alert=None):
        before = self.fleet.log(name)
        with self.dial(name, identity, key, *options) as peer:
            peer.send(b"Hello = director test-dir calling vault/0.1.0 features=1\nnoop\n")
            self.assertEqual(peer.wait_end(HANDSHAKE_SECONDS), b"")
            told = peer.errors
        self.assertOneCause(name, before, *words)
        return [line.split(b":")[5] if line.count(b":") > 5 else line for line in told.splitlines() if b"error" in line]

    def test_wrong_key_and_unknown_identity_look_alike(self):
        for name in self.rights:
            identity, _ = self.right(name)
            wrong = self.check_refused(name, identity, secrets.token_bytes(32))
            other = identity.replace("*default*", "eve").replace(DIRECTOR, "other")
            unknown = self.check_refused(name, other, secrets.token_bytes(32))
            nothing = self.check_refused(name, "nobody at all", secrets.token_bytes(32))
            self.assertEqual(wrong, unknown, "the peer cannot tell")
            self.assertEqual(wrong, nothing, "the peer cannot tell")
        self.assertServes()

    def test_keys_are_bound_to_roles_and_names(self):
        """A right secret under any other identity opens nothing."""
        cases = [
            ("sd", "console", hostile.identity("console", "*default*", "storage-daemon", STORAGE)),
            ("sd", "sd", hostile.identity("file-daemon", DIRECTOR, "storage-daemon", STORAGE)),
            ("sd", "sd", hostile.identity("director", DIRECTOR, "storage-daemon", "other-sd")),
            ("sd", "alpha", hostile.identity("director", DIRECTOR, "storage-daemon", STORAGE)),
            ("alpha", "beta", hostile.identity("director", DIRECTOR, "file-daemon", "alpha-fd")),
            ("alpha", "alpha", hostile.identity("console", DIRECTOR, "file-daemon", "alpha-fd")),
            ("alpha", "beta", hostile.identity("director", DIRECTOR, "file-daemon", "beta-fd")),
            ("dir", "sd", hostile.identity("storage-daemon", STORAGE, "director", DIRECTOR)),
            ("dir", "console", hostile.identity("console", "*default*", "director", DIRECTOR).replace("1 ", "2 ", 1)),
            ("dir", "console", hostile.identity("console", "*default*", "director", DIRECTOR) + " "),
            ("sd", "sd", hostile.identity("file-daemon", "alpha-fd", "storage-daemon", STORAGE,
                                          "job 00000000-0000-4000-8000-000000000000"))]
        for name, owner, identity in cases:
            with self.subTest(f"{name}: {identity} with the key of {owner}"):
                self.check_refused(name, identity, hostile.derive(self.secret(owner), identity))
        # A key of one direction is none of the other: what is derived for another listener opens nothing.
        identity, _ = self.right("sd")
        self.check_refused("sd", identity, hostile.derive(self.secret("sd"), self.right("alpha")[0]))
        self.assertServes()

    def test_old_tls_other_suites_and_no_key(self):
        for name in self.rights:
            for options in (("-tls1_2",), ("-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256"),
                            ("-tls1_2", "-cipher", "DHE-PSK-AES128-GCM-SHA256"),
                            ("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384")):
                with self.subTest(f"{name} {options}"):
                    self.check_refused(name, None, None, options)
            with self.subTest(f"{name} without a key"):
                before = self.fleet.log(name)
                with hostile.dial(self.place(name)) as peer:
                    peer.send(b"noop\n")
                    self.assertEqual(peer.wait_end(HANDSHAKE_SECONDS), b"")
                self.assertOneCause(name, before)
        self.assertServes()

    def test_no_early_data_no_tickets(self):
        """Nothing that was recorded opens a connection."""
        session = self.path("session")
        with self.dial("sd", None, None, "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-sess_out", session) as peer:
            peer.send(f"Hello = director {DIRECTOR} calling vault/0.1.0 features=1\n".encode())
            self.assertTrue(peer.wait_for(rb"3000 OK Hello"))
        self.assertFalse(os.path.exists(session), "a session was issued")

    def test_plain_bytes(self):
        generator = random.Random("plain")
        for name in self.rights:
            for data in (b"GET / HTTP/1.0\r\n\r\n", b"Hello = director test-dir calling vault/0.1.0 features=1\n",
                         generator.randbytes(100_000), b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000, b"\x00" * 5,
                         b"\x15\x03\x03\x00\x02\x02\x28"):
                with self.subTest(f"{name} {data[:20]!r}"):
                    before = self.fleet.log(name)
                    answer = hostile.send_plain(self.place(name), data, HANDSHAKE_SECONDS)
                    self.assertLess(len(answer), 64, answer)
                    self.assertOneCause(name, before)
        self.assertServes()

    def test_silence_costs_nobody_anything(self):
        """Many connections that say nothing, or half of something: others are served at once, and these end by themselves."""
        self.assertServes()
        footprint = Footprint(self.fleet)
        idle = []
        try:
            for name in self.rights:
                for number in range(40):
                    connection = socket.create_connection(self.place(name), timeout=HANDSHAKE_SECONDS)
                    if number % 2:
                        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[:number % 9 + 1])
                    idle.append(connection)
            self.assertServes()
            for connection in idle:
                # Ended by the daemon, when the time for a handshake is over.
                try:
                    while connection.recv(4096):
                        pass
                except ConnectionError:
                    pass
        finally:
            for connection in idle:
                connection.close()
        footprint.check()

    def test_silence_behind_the_handshake(self):
        """An authenticated peer that says nothing holds nothing up."""
        with self.dial("dir") as one, self.dial("sd") as two, self.dial("alpha") as three:
            two.send(b"Hello = director ")
            self.assertServes()
            for peer in (one, two, three):
                self.assertIsNone(peer.process.poll())


class Conversations(HostileTest):
    """Peers with the right key that say what nobody says."""

    weight = 12

    def hello(self, name):
        who = "console *default*" if name == "dir" else f"director {DIRECTOR}"
        return f"Hello = {who} calling vault/0.1.0 features=1\n".encode()

    def talk(self, name, data, greets=True, until=None):
        """Says something behind a hello, and no more when `until` was answered; returns what came back behind the hello's
        answer until the end."""
        with self.dial(name) as peer:
            if greets:
                peer.send(self.hello(name))
                self.assertTrue(peer.wait_for(rb"000 OK Hello[^\n]*\n"), peer.errors)
            peer.send(data)
            if until:
                self.assertTrue(peer.wait_for(until), f"{name}: {peer.received!r}")
            received = peer.end_input().wait_end()
            return received.partition(b"\n")[2] if greets else received

    def test_another_role_or_name_in_the_hello(self):
        """A right key with a hello that claims to be somebody else: nothing behind the hello is answered."""
        for name, words in (("sd", ("file-daemon alpha-fd", "director other-dir", f"console {DIRECTOR}",
                                    f"storage-daemon {STORAGE}")),
                            ("alpha", ("director other-dir", f"file-daemon {DIRECTOR}", "console *default*")),
                            ("dir", ("console operator", f"director {DIRECTOR}", "file-daemon alpha-fd"))):
            for who in words:
                with self.subTest(f"{name}: {who}"):
                    before = self.fleet.log(name)
                    with self.dial(name) as peer:
                        peer.send(f"Hello = {who} calling vault/0.1.0 features=1\nstatus\nnoop\nversion\n".encode())
                        # Its end is the daemon's doing.
                        received = peer.wait_end()
                    self.assertLessEqual(received.count(b"\n"), 1, received)
                    self.assertNotIn(b"OK", received)
                    self.assertOneCause(name, before, who.split()[0])
        self.assertServes()

    def test_lines_that_are_none(self):
        bad = (b"x" * 70_000 + b"\n", b"noop" + b" " * 70_000, b"\x00\x01\x02\n", b"noop = %zz\n", b"= = =\n",
               b"\xff" * 300 + b"\n", b"noop = " + b"a=b " * 20_000 + b"\n", b"")
        for name in self.rights:
            for data in bad:
                with self.subTest(f"{name} {data[:12]!r}"):
                    self.talk(name, data)
                    self.talk(name, data, False)
            # What can be read and is no request is answered, and the conversation goes on.
            self.talk(name, b"frobnicate = now\nstatus = x y z\nnoop\n", until=rb"(?s)OK Hello.*\d000 OK[^\n]*features=")
        self.assertServes()

    def test_frames_that_are_none(self):
        """Behind requests that take frames: too long, unknown, cut, of another kind, and random ones."""
        generator = random.Random("frames")
        job = "00000000-0000-4000-8000-00000000000a"
        requests = {
            "sd": (f"job = {job} number=1 attempt=1 last-commit=0\n", "recover\n", f"end job = {job}\n", "purge\n",
                   "retain = records=4000000000 session-frames=1\n", f"attribute data = {job}\n", "verify volume = x\n",
                   f"use device = device=FileStorage repository={job} pool=P volume-prefix=../../x volume-size=1\n"),
            "alpha": (f"backup = {job} number=1 attempt=1 compare=no\n", f"estimate = {job} compare=no\n",
                      f"restore = {job} target=/nowhere overwrite=never\n", f"verify = {job}\n"),
            "dir": ("restore = job=1 target=/nowhere\n", "list files = job=1\n", "diff = old=1 new=2\n", "find = pattern=x\n")}
        frames = (struct.pack("<IB", 0xffffffff, 1), struct.pack("<IB", 3 << 20, 22) + b"x" * 1000,
                  struct.pack("<IB", 10, 99) + b"x" * 10, hostile.frame(22, b"\xff\xff\xff\xff/x"),
                  hostile.frame(21, b"\x00" * 40), hostile.frame(22, b"")[:3],
                  hostile.frame(22, b"\x02\x00\x00\x00/x") + hostile.frame(23, b"\xff" * 7),
                  *(hostile.frame(generator.choice((1, 2, 16, 18, 21, 22, 32, 52)), generator.randbytes(200)) for _ in range(4)))
        for name, lines in requests.items():
            for line in lines:
                for data in frames:
                    with self.subTest(f"{name} {line.split(' = ')[0]} {data[:8]!r}"):
                        self.talk(name, line.encode() + data)
        self.assertServes()
        self.assertFalse(os.path.exists("/nowhere"))
        for name in self.fleet.daemons:
            self.assertIsNone(self.fleet[name].process.poll(), name)

    def test_nothing_is_left_over(self):
        """A hundred broken conversations cost no thread, no descriptor and no memory."""
        self.assertServes()
        for name in self.rights:
            self.talk(name, b"\x00\n", until=rb"OK")
        footprint = Footprint(self.fleet)
        before = {name: self.fleet[name].resident_bytes for name in self.rights}
        for name in self.rights:
            for number in range(30):
                self.talk(name, (b"\x00\n", b"y" * 66_000, hostile.frame(1, b"z" * 1000))[number % 3])
        footprint.check()
        for name in self.rights:
            self.assertLess(self.fleet[name].resident_bytes - before[name], 16 << 20, name)


class JobKeys(HostileTest):
    """What a client gets with another client's job: nothing. A fake file daemon learns its own job's key from the director."""

    weight = 8
    waits = True

    def prepare(self, fleet):
        self.fake_port = fleets.free_port("127.0.0.1")
        fleet.ways["director", "alpha"] = ("127.0.0.1", self.fake_port)

    def begin_job(self):
        """Runs alpha's job up to where a file daemon knows its key; returns the fake daemon, the job and what the order says."""
        identity = hostile.identity("director", DIRECTOR, "file-daemon", "alpha-fd")
        fake = hostile.listen(self.fake_port, identity, hostile.derive(self.secret("alpha"), identity))
        fleets.eventually(lambda: self.is_listening(), "the fake file daemon listens")
        number = self.fleet.begin("save-alpha")
        self.assertTrue(fake.wait_for(rb"Hello = director [^\n]*\n"), fake.errors)
        fake.send(b"2000 OK Hello = version=0.1.0 features=1\n")
        order = fake.wait_for(rb"\nbackup = (\S+) ([^\n]*)\n")
        self.assertTrue(order, f"{fake.received!r} {fake.errors!r} {self.fleet.about(number)}")
        fields = dict(field.split("=", 1) for field in order.group(2).decode().split())
        fake.send(b"2000 OK\n")
        return fake, number, order.group(1).decode(), fields

    def is_listening(self):
        with open("/proc/net/tcp", encoding="ascii") as stream:
            return any(line.split()[1].endswith(f":{self.fake_port:04X}") and line.split()[3] == "0A"
                       for line in stream.readlines()[1:])

    def job_secret(self, fields):
        [field] = [value for key, value in fields.items() if key == "key"]
        text = re.sub("%([0-9A-Fa-f]{2})", lambda found: chr(int(found.group(1), 16)), field)
        return bytes.fromhex(text) if re.fullmatch("[0-9a-fA-F]{64}", text) else hostile.secret_of(text)

    def dial_as(self, client, session, secret):
        identity = hostile.identity("file-daemon", client, "storage-daemon", STORAGE, f"job {session}")
        return hostile.dial(self.place("sd"), identity, hostile.derive(secret, identity))

    def hello(self, peer, client):
        peer.send(f"Hello = file-daemon {client} calling vault/0.1.0 features=1\n".encode())
        return peer.wait_for(rb"3000 OK Hello[^\n]*\n")

    def test_job_key_of_another_client(self):
        fake, number, session, fields = self.begin_job()
        with fake:
            secret = self.job_secret(fields)
            # Another client that learned the key, or knows the session only, does not even get a hello.
            for client, key in (("beta-fd", secret), ("beta-fd", self.secret("beta")), ("alpha-fd", self.secret("alpha")),
                                ("alpha-fd", self.secret("beta")), ("alpha-fd", bytes(32))):
                before = self.fleet.log("sd")
                with self.dial_as(client, session, key) as peer:
                    peer.send(b"Hello = file-daemon alpha-fd calling vault/0.1.0 features=1\n")
                    self.assertEqual(peer.wait_end(), b"", client)
                self.assertOneCause("sd", before)
                self.assertNotIn(secret.hex(), self.fleet.log("sd"))
            # The owner does: once.
            with self.dial_as("alpha-fd", session, secret) as peer:
                self.assertTrue(self.hello(peer, "alpha-fd"), peer.errors)
                with self.dial_as("alpha-fd", session, secret) as second:
                    self.assertIsNone(self.hello(second, "alpha-fd"), "the key was used")
                self.check_bound(peer, session)
        self.fleet.console(f"cancel job={number}")
        self.assertIn(self.fleet.wait(number), "AI")

    def check_bound(self, peer, session):
        """On its connection a client reaches its own job only."""
        other = "00000000-0000-4000-8000-0000000000ff"
        for line, code in ((f"append open session = {other}", b"3505"),
                           (f"read open session = {other} volume={other} first=0", b"3"),
                           (f"read open session = {session} volume={other}", b"3"), ("append data = 77", b"3504"),
                           ("read data = 1", b"3"), ("append close session = 1", b"3504"),
                           ("use device = device=FileStorage", b"3999"), ("recover", b"3999"),
                           (f"job = {other} number=9 attempt=1 last-commit=0", b"3999"), ("status", b"3999"),
                           (f"attribute data = {session}", b"3999"), ("list volumes", b"3999"), ("purge", b"3999")):
            begin = len(peer.received)
            peer.send(line.encode() + b"\n")
            found = peer.wait_for(re.escape(peer.received[:begin]) + rb"(\d{4} [^\n]*)\n")
            self.assertTrue(found, f"{line}: {peer.received[begin:]!r}")
            self.assertTrue(found.group(1).startswith(code) and b"OK" not in found.group(1), f"{line}: {found.group(1)!r}")
        peer.send(f"append open session = {session}\n".encode())
        self.assertTrue(peer.wait_for(rb"3000 OK = ticket=\d+\n"), peer.received[-200:])

    def test_session_of_another_client(self):
        """A client with a job of its own reads nothing of another's, whatever it asks for."""
        saved = self.fleet.run("save-beta")
        place = os.path.join(self.fleet.directory, "volumes", DIRECTOR)
        listed = self.expect(program.run("volume", "list", "--json", place)).json
        [volume] = listed["volumes"]
        [foreign] = [entry["session"] for entry in volume["sessions"] if entry["job"] == saved]
        fake, number, session, fields = self.begin_job()
        with fake, self.dial_as("alpha-fd", session, self.job_secret(fields)) as peer:
            self.assertTrue(self.hello(peer, "alpha-fd"), peer.errors)
            before = len(peer.received)
            for name in (foreign, session):
                peer.send(f"read open session = {name} volume={volume['volume']} file=0 block=0\n"
                          f"read open session = {name} {volume['name']} 0 0 0 100\n"
                          f"append open session = {foreign}\n".encode())
            peer.send(b"read data = 1\nread data = 2 file=0 block=1\nnoop\n")
            self.assertTrue(peer.wait_for(rb"\n3000 OK[^H\n]*\n\Z"), peer.received[before:])
            answers = peer.received[before:].splitlines()
            self.assertEqual([line for line in answers[:-1] if b"OK" in line], [], answers)
            self.assertLess(len(peer.received), 8192, "no data came")
        self.fleet.console(f"cancel job={number}")
        self.assertIn(self.fleet.wait(number), "AI")
        self.assertJobRestores(self.fleet, saved, self.sources[1])

    def test_key_of_a_job_that_is_over(self):
        fake, number, session, fields = self.begin_job()
        with fake:
            pass
        self.assertIn(self.fleet.wait(number), "IA")
        fleets.eventually(lambda: self.fleet.ask(f"status storage={STORAGE}")[0]["jobs"] == 0, "the job is withdrawn")
        with self.dial_as("alpha-fd", session, self.job_secret(fields)) as peer:
            self.assertIsNone(self.hello(peer, "alpha-fd"))

    def test_file_daemon_that_answers_nonsense(self):
        """The director ends the job, in words, and goes on serving."""
        for nonsense in (b"2000 OK Hello = version=0.1.0\n", b"1000 OK Hello = version=1 features=1\n", b"\x00\xff\n",
                         b"x" * 70_000, b"2999 Failed = status=3 reason=no\n"):
            identity = hostile.identity("director", DIRECTOR, "file-daemon", "alpha-fd")
            with hostile.listen(self.fake_port, identity, hostile.derive(self.secret("alpha"), identity)) as fake:
                fleets.eventually(self.is_listening, "the fake file daemon listens")
                number = self.fleet.begin("save-alpha")
                self.assertTrue(fake.wait_for(rb"Hello = director [^\n]*\n"), fake.errors)
                fake.send(nonsense)
                self.assertEqual(self.fleet.wait(number), "I", self.fleet.about(number))
            fleets.eventually(lambda: not self.is_listening(), "the port is free")
        for nonsense in (hostile.frame(39, b"9999 What\n"), hostile.frame(99), struct.pack("<IB", 0xffffffff, 37), b"\x00" * 1000,
                         hostile.frame(39, b"2000 OK = state=complete\n"), hostile.frame(35, b"\x01" * 37)):
            fake, number, *_ = self.begin_job()
            with fake:
                fake.send(nonsense)
                self.assertEqual(self.fleet.wait(number), "I", self.fleet.about(number))
            fleets.eventually(lambda: not self.is_listening(), "the port is free")
        saved = self.fleet.run("save-beta")
        self.assertJobRestores(self.fleet, saved, self.sources[1])
