"""A client that knows only seed 001 stores a file with the storage daemon and reads it back, through openssl."""

import ctypes
import hashlib
import os
import random
import socket
import struct
import uuid

import program
import volumes
import wire
from fleet import free_port
from suite import SystemTest


def unpacked(stored, length):
    library = ctypes.CDLL("liblz4.so.1")
    room = ctypes.create_string_buffer(length)
    assert library.LZ4_decompress_safe(stored, room, len(stored), length) == length
    return room.raw


def groups(payload):
    """The groups of a block: kind and raw records."""
    while payload:
        magic, kind, codec, raw, stored = struct.unpack_from("<4s2xBB56xII", payload)
        assert magic == b"VGRP", payload[:200]
        assert volumes.checksum64(payload[:120]) == struct.unpack_from("<Q", payload, 120)[0]
        data = payload[128:128 + stored]
        assert volumes.checksum128(data) == payload[104:120]
        yield kind, unpacked(data, raw) if codec else data
        payload = payload[128 + stored:]


def records(raw):
    while raw:
        kind, _, length = struct.unpack_from("<HHI", raw)
        yield kind, raw[8:8 + length]
        raw = raw[8 + length:]


def files(payloads):
    """The files in blocks: their bytes by entry index, the names, and the digests of their seals."""
    contents, names, digests = {}, {}, {}
    for payload in payloads:
        for _, raw in groups(payload):
            for kind, record in records(raw):
                if kind == 2:
                    index, _, _, _, length = struct.unpack_from("<QQBBH", record)
                    names[index] = record[112:112 + length]
                elif kind == 3:
                    index, offset = struct.unpack_from("<QQ", record)
                    assert len(contents.setdefault(index, b"")) == offset
                    contents[index] += record[16:]
                elif kind == 4:
                    index, = struct.unpack_from("<Q", record)
                    digests[index] = record[24:56]
    return contents, names, digests


class Seed001(SystemTest):
    weight = 10

    def setUp(self):
        super().setUp()
        self.storage = wire.Storage(program, self.directory, free_port("127.0.0.1"))
        self.addCleanup(self.storage.stop)
        self.repository_identity = uuid.uuid4()
        self.director = self.using(self.storage.director())
        self.use_device(self.director)
        self.director.request("recover", frames=[(wire.LISTING, struct.pack("<I", 0))])
        while self.director.frame()[0] != wire.END_OF_COMMITS:
            pass
        self.numbers = 0

    def using(self, connection):
        self.addCleanup(connection.close)
        return connection

    def use_device(self, director, volume_size=4095 << 20):
        director.request(f"use device = device=disk repository={self.repository_identity} pool=Default "
                         f"volume-prefix=vol- volume-size={volume_size}")

    # ---- The director's part

    def announce(self, client="web1", extra="", name=b"seed"):
        """A job of a client: its session and its key."""
        session, key = uuid.uuid4(), os.urandom(32)
        self.numbers += 1
        self.director.request(
            f"job = {session} number={self.numbers} attempt=1 last-commit=0 client={client} key={key.hex()} {extra}",
            frames=[(wire.JOB_RECORD, volumes.job(session.bytes, self.numbers, tree=name))])
        return session, key

    def finish(self, session):
        """Takes the job's commits into no catalog, and ends it."""
        with self.storage.director() as channel:
            self.use_device(channel)
            channel.request(f"attribute data = {session}")
            while True:
                kind, payload = channel.frame()
                if kind == wire.END_OF_COMMITS:
                    break
                if kind == wire.COMMIT:
                    number, _, count = struct.unpack_from("<QII", payload)
                    for _ in range(count):
                        self.assertIn(channel.frame()[0], (wire.ATTRIBUTE_GROUP, wire.GROUP_LOCATIONS))
                    channel.send_frame(wire.COMMIT_CATALOGUED, struct.pack("<Q", number))
        return self.director.request(f"end job = {session}", frames=[(wire.JOB_RECORD, volumes.job_end())])

    def let_read(self, client="web1", extra=""):
        name, key = uuid.uuid4(), os.urandom(32)
        self.director.request(f"read job = {name} client={client} key={key.hex()} {extra}")
        return name, key

    # ---- The client's part

    def client(self, job, key, name="web1"):
        return self.using(self.storage.client(job, key, name))

    def open_append(self, client, session):
        return int(client.request(f"append open session = {session}", "3000 OK")["ticket"])

    def data_connection(self, client, session, ticket, name="web1"):
        """The connection that `append data` offers; its first line is not said yet."""
        offer = client.request(f"append data = {ticket}", "3000 OK data")
        self.assertEqual((offer["address"], int(offer["port"])), (self.storage.host, self.storage.port))
        return self.using(self.storage.connection(session, bytes.fromhex(offer["key"]), name))

    def send_files(self, data, ticket, contents, piece=100_000):
        """Sends files by index, name and bytes, and waits until they are durable."""
        data.request(f"data = {ticket}", "3000 OK data")
        for index, name, content in contents:
            data.send_frame(wire.STREAM_HEADER, f"{index} 1 {name}".encode())
            for start in range(0, len(content), piece):
                data.send_frame(wire.STREAM_DATA, content[start:start + piece])
        data.send_frame(wire.END_OF_DATA)
        while True:
            kind, payload = data.frame()
            if kind == wire.END_OF_COMMITS:
                break
            self.assertEqual(kind, wire.COMMIT_DURABLE, payload)
        self.assertTrue(data.is_ended())

    def close(self, client, ticket):
        count = int(client.request(f"append close session = {ticket}", "3000 OK")["volumes"])
        lines = [client.line() for _ in range(count)]
        for line in lines:
            self.assertTrue(line.startswith("Volume = "), line)
        return [line.removeprefix("Volume = ") for line in lines]

    def store(self, contents, client="web1", name=b"seed", piece=100_000, extra=""):
        """Stores files in a session of their own; returns it and its volumes."""
        session, key = self.announce(client, name=name, extra=extra)
        control = self.client(session, key, client)
        ticket = self.open_append(control, session)
        self.send_files(self.data_connection(control, session, ticket, client), ticket, contents, piece)
        control.request(f"append end session = {ticket}")
        lines = self.close(control, ticket)
        self.finish(session)
        return session, lines

    def read_blocks(self, client, name, line):
        """All blocks of a session on a volume, from its first to its last."""
        opened = client.request(f"Read open session = {name} {line}", "3100 OK")
        ticket = opened.get("Ticket", opened.get("ticket"))
        _, _, block, _, last, _ = line.split()
        block, last, payloads = int(block), int(last), []
        while block <= last:
            reply = client.ask(f"read data = {ticket} > {block}")
            if reply.startswith("3000"):
                length = client.line()
                self.assertTrue(length.startswith("Length = "), length)
                payloads.append(client.receive(int(length.removeprefix("Length = "))))
            else:
                self.assertTrue(reply.startswith("3505 Session not found"), reply)
            block = int(wire.fields(reply)["next"].removeprefix("0."))
        client.request(f"read close session = {ticket}")
        return payloads

    def assertServes(self):
        """The port answers a new director and stores a new file."""
        self.assertIsNone(self.storage.process.poll(), "the storage daemon ended")
        self.store([(1, "still-there", b"yes")], name=b"after")

    # ---- Tests

    def test_a_plain_client_stores_and_reads(self):
        randomness = random.Random(int(os.environ["VAULT_SEED"]))
        content = randomness.randbytes(3_500_000)
        text = b"the same line again\n" * 20_000
        contents = [(1, "random", content), (5, "a%20name", text), (9, "empty", b""), (12, "small", b"x")]
        session, lines = self.store(contents)
        self.assertEqual(len(lines), 1, lines)
        volume, _, first, _, last, found = lines[0].split()
        self.assertEqual((volume, found), ("vol-0001", str(session)))

        name, key = self.let_read(extra=f"session={session}")
        client = self.client(name, key)
        payloads = self.read_blocks(client, name, lines[0])
        read, names, digests = files(payloads)
        self.assertEqual(names, {1: b"random", 5: b"a name", 9: b"empty", 12: b"small"})
        for index, _, expected in contents:
            self.assertEqual(read.get(index, b""), expected)
            self.assertEqual(digests[index], hashlib.sha256(expected).digest())
        self.assertBlocksLie(session, int(first), int(last), len(payloads))
        self.assertExtracts({"random": content, "a name": text, "empty": b"", "small": b"x"})

    def assertBlocksLie(self, session, first, last, count):
        """The volume's own blocks say the same as the list."""
        with open(os.path.join(self.storage.volumes, "dir", "vol-0001"), "rb") as stream:
            data = stream.read()
        found, offset = [], 0
        while offset < len(data):
            magic, kind, length, owner = struct.unpack_from("<4s2xB9xI28x16s", data, offset)
            self.assertEqual(magic, b"VBLK")
            if kind == volumes.GROUPS and owner == session.bytes:
                found.append(offset // volumes.UNIT)
            offset += -(-length // volumes.UNIT) * volumes.UNIT
        self.assertEqual((found[0], found[-1], len(found)), (first, last, count))

    def assertExtracts(self, expected):
        """Without a daemon, the files come back from the volumes like any other, and verify."""
        self.director.close()
        self.assertEqual(self.storage.stop(), 0)
        place = os.path.join(self.storage.volumes, "dir")
        self.expect(program.run("volume", "verify", place))
        target = self.path("extracted")
        self.expect(program.run("volume", "extract", place, "--to", target))
        found = {}
        for name in os.listdir(target):
            with open(os.path.join(target, name), "rb") as stream:
                found[name] = stream.read()
        self.assertEqual(found, expected)

    def test_sessions_interleave_and_end_apart(self):
        jobs = [self.announce(name=b"tree%d" % number) for number in range(2)]
        clients = [self.client(*job) for job in jobs]
        tickets = [self.open_append(client, session) for client, (session, _) in zip(clients, jobs)]
        self.assertNotEqual(*tickets)
        self.assertTrue(clients[0].ask(f"append open session = {jobs[0][0]}").startswith("3502 Volume busy"))
        self.assertTrue(clients[0].ask(f"append open session = {jobs[1][0]}").startswith("3505 Session not found"))
        # Another connection's ticket, one that nobody has, and one that is none.
        for ticket in (tickets[1], 1 << 63, "x", "-1", "1" * 60_000):
            for verb in ("append data", "append end session", "append close session", "append abort session"):
                self.assertTrue(clients[0].ask(f"{verb} = {ticket}").startswith("3504 Invalid ticket number"))
        for index in (1, 2):
            for client, ticket, (session, _) in zip(clients, tickets, jobs):
                data = self.data_connection(client, session, ticket)
                self.send_files(data, ticket, [(index, f"file{index}", b"data" * 1000)])
        # Here, too: the data follows on this connection.
        offer = clients[0].request(f"append data = {tickets[0]} here=yes", "3000 OK data")
        self.assertEqual(offer["port"], "0")
        clients[0].send_frame(wire.STREAM_HEADER, b"3 63 here")
        clients[0].send_frame(wire.END_OF_DATA)
        self.assertEqual(clients[0].frame()[0], wire.COMMIT_DURABLE)
        self.assertEqual(clients[0].frame()[0], wire.END_OF_COMMITS)
        clients[0].request(f"append end session = {tickets[0]}")
        self.assertTrue(clients[0].ask(f"append data = {tickets[0]}").startswith("3502"))
        lines = self.close(clients[0], tickets[0])
        self.assertTrue(clients[0].ask(f"append data = {tickets[0]}").startswith("3504"))
        clients[1].request(f"append abort session = {tickets[1]}")
        self.assertTrue(clients[1].ask(f"append data = {tickets[1]}").startswith("3505 Session aborted"))
        self.assertTrue(clients[1].ask(f"append close session = {tickets[1]}").startswith("3505 Session aborted"))
        self.finish(jobs[0][0])
        reply = self.director.ask(f"attribute data = {jobs[1][0]}")
        self.assertTrue(reply.startswith("3505"), reply)

        name, key = self.let_read(extra=f"session={jobs[0][0]}")
        client = self.client(name, key)
        read, names, _ = files(self.read_blocks(client, name, lines[0]))
        self.assertEqual(sorted(names.values()), [b"file1", b"file2", b"here"])
        self.assertEqual(read, {1: b"data" * 1000, 2: b"data" * 1000})
        # Only what the director named is read, in ascending order, and to its end.
        volume, _, first, _, last, _ = lines[0].split()
        for wrong in (f"{volume} 0 {first} 0 {last} {jobs[1][0]}", f"{volume} 0 {first} 0 {last} {uuid.uuid4()}",
                      f"{volume} 0 999999 0 999999 {jobs[0][0]}", f"{volume} {jobs[1][0]}",
                      f"{volume} 0 {int(first) + 1} 0 {int(first) + 1} x"):
            reply = client.ask(f"read open session = {name} {wrong}")
            self.assertTrue(reply.startswith("3505 Session not found"), f"{wrong}: {reply}")
        reply = client.ask(f"read open session = {name} vol-0099 0 1 0 2 {jobs[0][0]}")
        self.assertTrue(reply.startswith("3503 Volume not mounted"), reply)
        ticket = client.request(f"read open session = {name} {volume} 0 {first} 0 {first} {jobs[0][0]}", "3100")["ticket"]
        self.assertTrue(client.ask(f"read data = {ticket} > {int(first) - 1}").startswith("3999"))
        self.assertTrue(client.ask(f"read data = {ticket} > {int(first) + 1}").startswith("3401 End of file"))
        self.assertTrue(client.ask(f"read data = {ticket} > 4294967295").startswith("3201 End of volume"))
        self.assertTrue(client.ask(f"read data = {ticket} > {first}").startswith("3999"))
        client.request(f"read close session = {ticket}")
        self.assertTrue(client.ask(f"read close session = {ticket}").startswith("3504"))

    def test_a_notification_comes_before_the_answer(self):
        session, key = self.announce()
        client = self.client(session, key)
        self.assertEqual(self.director.request("notify = web1 text=Please%20wait.")["connections"], "1")
        self.assertEqual(self.director.request("notify = web2 text=Please%20wait.")["connections"], "0")
        for request in (f"append open session = {session}", "noop", "append data = 1"):
            self.assertTrue(client.ask(request).startswith("3201 Notification pending"))
        self.assertEqual(client.request("Query notification")["notifications"], "1")
        self.assertEqual(wire.fields(client.line())["text"], "Please%20wait.")
        self.assertEqual(client.request("Query notification")["notifications"], "0")
        self.open_append(client, session)

    def test_a_failing_device_is_told(self):
        self.require_root()
        place = self.mount(16 << 20)
        configuration = self.storage.configuration
        self.director.close()
        self.storage.stop()
        with open(configuration, "a", encoding="ascii") as stream:
            stream.write(f"Device {{\n  Name = small\n  Archive Device = {place}\n}}\n")
        self.storage.process = program.start("sd", "-c", configuration)
        self.storage.await_port()
        self.director = self.using(self.storage.director())
        self.director.request(f"use device = device=small repository={uuid.uuid4()} pool=Default "
                              f"volume-prefix=vol- volume-size={4095 << 20}")
        self.director.request("recover", frames=[(wire.LISTING, struct.pack("<I", 0))])
        while self.director.frame()[0] != wire.END_OF_COMMITS:
            pass
        session, key = self.announce()
        client = self.client(session, key)
        ticket = self.open_append(client, session)
        data = self.data_connection(client, session, ticket)
        data.request(f"data = {ticket}", "3000 OK data")
        data.send_frame(wire.STREAM_HEADER, b"1 1 too-large")
        try:
            for _ in range(40):
                data.send_frame(wire.STREAM_DATA, os.urandom(1 << 20))
        except wire.Closed:
            pass
        kind, payload = data.frame()
        self.assertEqual(kind, wire.JOB_END, payload)
        self.assertIn(b"No%20space", payload)
        reply = client.ask(f"append end session = {ticket}")
        self.assertTrue(reply.startswith("3201 Notification pending"), reply)
        self.assertEqual(client.request("Query notification")["notifications"], "1")
        self.assertIn("No%20space", client.line())
        reply = client.ask(f"append end session = {ticket}")
        self.assertTrue(reply.startswith("3505 Session aborted"), reply)

    def test_keys_open_one_connection(self):
        session, key = self.announce()
        for wrong in ((session, os.urandom(32), "web1"), (session, key, "web2"), (uuid.uuid4(), key, "web1")):
            with self.storage.connection(*wrong) as refused:
                self.assertTrue(refused.is_ended())
        client = self.client(session, key)
        with self.storage.connection(session, key, "web1") as refused:
            self.assertTrue(refused.is_ended(), "the key was used")
        ticket = self.open_append(client, session)
        first = bytes.fromhex(client.request(f"append data = {ticket}", "3000 OK data")["key"])
        # Asking again gives another key, and the first opens nothing.
        second = bytes.fromhex(client.request(f"append data = {ticket}", "3000 OK data")["key"])
        self.assertNotEqual(first, second)
        with self.storage.connection(session, first, "web1") as refused:
            self.assertTrue(refused.is_ended(), "another key took its place")
        # A key for data is good for its ticket and for nothing else, and once.
        with self.storage.connection(session, second, "web1") as data:
            self.assertTrue(data.ask("Hello = file-daemon web1 calling vault/seed features=1").startswith("3504"))
            self.assertTrue(data.is_ended())
        with self.storage.connection(session, second, "web1") as refused:
            self.assertTrue(refused.is_ended(), "the key was used")
        data = self.data_connection(client, session, ticket)
        self.assertTrue(data.ask(f"data = {ticket + 1}").startswith("3504"))
        # The session is as it was.
        data = self.data_connection(client, session, ticket)
        self.send_files(data, ticket, [(1, "file", b"data")])
        self.assertEqual(len(self.close(client, ticket)), 1)
        self.finish(session)

    def test_the_address_is_the_one_that_was_reached(self):
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                self.skipTest("no IPv6 here")
            port = probe.getsockname()[1]
        os.mkdir(self.path("other"))
        other = wire.Storage(program, self.path("other"), port, "::1")
        self.addCleanup(other.stop)
        self.storage, self.director = other, self.using(other.director())
        self.use_device(self.director)
        self.director.request("recover", frames=[(wire.LISTING, struct.pack("<I", 0))])
        while self.director.frame()[0] != wire.END_OF_COMMITS:
            pass
        self.store([(1, "file", b"over IPv6")])

    def hostile(self, *packets):
        """Sends what is no file; returns the data connection and how the client's session answers then."""
        session, key = self.announce()
        client = self.client(session, key)
        ticket = self.open_append(client, session)
        data = self.data_connection(client, session, ticket)
        data.request(f"data = {ticket}", "3000 OK data")
        for packet in packets:
            data.send(packet)
        return client, ticket, data

    def test_hostile_data(self):
        header = wire.frame(wire.STREAM_HEADER, b"1 1 file")
        cases = {
            "no header": [wire.frame(wire.STREAM_DATA, b"x")],
            "an absurd length": [header, struct.pack("<IB", 0xffff_ffff, wire.STREAM_DATA)],
            "a length above the limit": [header, struct.pack("<IB", (2 << 20) + 1, wire.STREAM_DATA)],
            "a kind that is none": [header, struct.pack("<IB", 1, 200)],
            "a long header": [struct.pack("<IB", 1 << 20, wire.STREAM_HEADER)],
            "a header of no form": [wire.frame(wire.STREAM_HEADER, b"x y z")],
            "a name that climbs": [wire.frame(wire.STREAM_HEADER, b"1 1 ..")],
            "a path": [wire.frame(wire.STREAM_HEADER, b"1 1 etc/passwd")],
            "an index twice": [header, wire.frame(wire.STREAM_HEADER, b"1 1 other")],
            "a name twice": [header, wire.frame(wire.STREAM_HEADER, b"2 1 file")],
            "groups behind a file": [header, wire.frame(wire.STREAM_HEADER, b"2 64 groups")],
            "a group that is none": [wire.frame(wire.STREAM_HEADER, b"1 64 groups"),
                                     wire.frame(wire.RECORD_GROUP, bytes(200))],
        }
        for title, packets in cases.items():
            with self.subTest(title):
                client, ticket, data = self.hostile(*packets)
                kind, payload = data.frame()
                self.assertEqual(kind, wire.JOB_END, payload)
                self.assertTrue(data.is_ended())
                reply = client.ask(f"append end session = {ticket}")
                self.assertTrue(reply.startswith("3505 Session aborted"), reply)
                client.request("noop")
                client.close()
                data.close()
        self.assertServes()

    def test_half_a_header_and_silence(self):
        client, ticket, data = self.hostile(struct.pack("<IB", 100, wire.STREAM_HEADER)[:3])
        self.assertServes()
        client.request("noop")
        # Who opened the session ends it, and with it the connection that says nothing.
        client.request(f"append abort session = {ticket}")
        while True:
            try:
                self.assertEqual(data.frame()[0], wire.JOB_END)
            except wire.Closed:
                break
        self.assertServes()

    def test_a_client_that_goes_aborts_its_session(self):
        client, _, data = self.hostile(wire.frame(wire.STREAM_HEADER, b"1 1 file"), struct.pack("<IB", 1000, 5) + b"half")
        client.close()
        while True:
            try:
                self.assertEqual(data.frame()[0], wire.JOB_END)
            except wire.Closed:
                break
        self.assertServes()

    def test_lines_of_no_form(self):
        session, key = self.announce()
        client = self.client(session, key)
        for line in (b"", b"\xff\xfe", b"\x00", b"append data = %", b"append data", b"what is this", b"= = =",
                     b"append open session", b"read open session", b"read data = 1 2 3", b"job = x", b"recover"):
            client.send(line + b"\n")
            reply = client.line()
            self.assertRegex(reply, r"^3(999|50[45]) ", line)
        client.request("noop")
        ticket = self.open_append(client, session)
        self.assertGreater(ticket, 0)
        try:
            client.send(b"a" * 70_000)
        except wire.Closed:
            pass
        self.assertTrue(client.is_ended(), "a line without an end")
        self.assertServes()
