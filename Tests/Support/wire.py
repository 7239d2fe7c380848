"""Speaks vault-protocol(7) through `openssl s_client`: nothing here is shared with the program."""

import base64
import hashlib
import hmac
import os
import select
import struct
import subprocess
import time

STREAM_HEADER, RECORD_GROUP, END_OF_DATA, COMMIT_DURABLE, STREAM_DATA = 1, 2, 3, 4, 5
COMMIT, GROUP_LOCATIONS, ATTRIBUTE_GROUP, END_OF_COMMITS, COMMIT_CATALOGUED, JOB_RECORD = 18, 17, 16, 19, 20, 21
PROGRESS, JOB_END, LISTING = 37, 39, 52
TIMEOUT_SECONDS = 30


def derived(secret, identity):
    """HKDF-SHA256 without salt, 32 bytes."""
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, identity + b"\1", hashlib.sha256).digest()


class Closed(Exception):
    """The peer ended the connection."""


class Connection:
    """A TLS connection that `openssl` makes; reading waits for a bounded time."""

    def __init__(self, port, identity, secret, host="127.0.0.1"):
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-connect", target, "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256",
             "-psk_identity", identity, "-psk", derived(secret, identity.encode()).hex()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.buffer = b""

    def close(self):
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except OSError:
                pass
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- Bytes

    def send(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except OSError as error:
            raise Closed from error

    def fill(self):
        ready, _, _ = select.select([self.process.stdout], [], [], TIMEOUT_SECONDS)
        if not ready:
            raise AssertionError(f"nothing came for {TIMEOUT_SECONDS} s behind {self.buffer[-200:]!r}")
        data = os.read(self.process.stdout.fileno(), 1 << 20)
        if not data:
            raise Closed
        self.buffer += data

    def receive(self, count):
        while len(self.buffer) < count:
            self.fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode("ascii")

    def is_ended(self):
        """Whether the peer ends the connection, and says nothing before."""
        try:
            while not self.buffer:
                self.fill()
            return False
        except Closed:
            return True

    # ---- Words

    def ask(self, text):
        self.send(text.encode() + b"\n")
        return self.line()

    def request(self, text, code="3000", frames=()):
        """Asks; the reply has this code. Returns its fields."""
        self.send(text.encode() + b"\n" + b"".join(frame(kind, payload) for kind, payload in frames))
        reply = self.line()
        assert reply.startswith(code), f"{text}: {reply}"
        return fields(reply)

    def hello(self, role, name):
        return self.request(f"Hello = {role} {name} calling vault/seed features=1", "3000 OK Hello")

    def send_frame(self, kind, payload=b""):
        self.send(frame(kind, payload))

    def frame(self):
        count, kind = struct.unpack("<IB", self.receive(5))
        return kind, self.receive(count)


def frame(kind, payload=b""):
    return struct.pack("<IB", len(payload), kind) + payload


def fields(reply):
    """The fields of a reply, with the words before them under ''."""
    verb, _, rest = reply.partition(" =")
    found = {"": verb}
    for word in rest.split():
        key, equals, value = word.partition("=")
        if equals:
            found[key] = value
    return found


class Storage:
    """A storage daemon of the test's own."""

    def __init__(self, program, directory, port, host="127.0.0.1"):
        self.directory, self.port, self.host, self.name = directory, port, host, "store"
        self.secret = os.urandom(32)
        self.volumes = os.path.join(directory, "volumes")
        os.makedirs(self.volumes, exist_ok=True)
        self.configuration = os.path.join(directory, "sd.conf")
        with open(self.configuration, "w", encoding="ascii") as stream:
            stream.write(
                f'Storage {{\n  Name = {self.name}\n  Address = {host}\n  Port = {port}\n'
                f'  Working Directory = {directory}\n}}\n'
                f'Director {{\n  Name = dir\n  Password = "key:{base64.b64encode(self.secret).decode()}"\n}}\n'
                f'Device {{\n  Name = disk\n  Archive Device = {self.volumes}\n}}\n')
        self.process = program.start("sd", "-c", self.configuration)
        self.await_port()

    def await_port(self):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(self.process.stderr.read().decode())
            try:
                with self.director() as director:
                    director.request("noop")
                    return
            except Closed:
                time.sleep(0.1)
        raise AssertionError("the storage daemon does not listen")

    def stop(self):
        """Ends it in order; returns its exit status."""
        self.process.terminate()
        try:
            self.process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode

    def director(self):
        connection = Connection(self.port, f"1 control director dir storage-daemon {self.name}", self.secret, self.host)
        try:
            connection.hello("director", "dir")
        except BaseException:
            connection.close()
            raise
        return connection

    def connection(self, job, key, client):
        """A connection for a job, with one of its keys; hello is not said yet."""
        return Connection(self.port, f"1 job {job} file-daemon {client} storage-daemon {self.name}", key, self.host)

    def client(self, job, key, client="web1"):
        connection = self.connection(job, key, client)
        try:
            connection.hello("file-daemon", client)
        except BaseException:
            connection.close()
            raise
        return connection
