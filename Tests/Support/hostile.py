"""Peers that this project did not write: `openssl s_client` and `s_server`, with keys of the test's choice."""

import base64
import hashlib
import hmac
import os
import re
import selectors
import socket
import struct
import subprocess
import time

PATIENCE_SECONDS = 20


def derive(secret, identity):
    """The key of a pair of peers: HKDF-SHA256 without salt over the secret, with the identity as information."""
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, identity.encode() + b"\x01", hashlib.sha256).digest()


def secret_of(key):
    """The bytes behind `key:<base64>`."""
    return base64.b64decode(key.removeprefix("key:"))


def identity(dialler, dialler_name, listener, listener_name, purpose="control"):
    return f"1 {purpose} {dialler} {dialler_name} {listener} {listener_name}"


def frame(kind, payload=b""):
    return struct.pack("<IB", len(payload), kind) + payload


class Peer:
    """One end of a TLS connection, driven by OpenSSL's own program."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(
            ["openssl", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.received = b""
        self.errors = b""
        self.is_over = False
        os.set_blocking(self.process.stdout.fileno(), False)
        os.set_blocking(self.process.stderr.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except OSError:
                pass

    def send(self, data):
        try:
            self.process.stdin.write(data)
        except OSError:
            self.is_over = True
        return self

    def end_input(self):
        """Says no more."""
        self.process.stdin.close()
        return self

    def wait_for(self, pattern, seconds=PATIENCE_SECONDS):
        """Reads until the pattern was received; None when the connection ended before."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            selector.register(self.process.stderr, selectors.EVENT_READ)
            while selector.get_map():
                if pattern is not None and (found := re.search(pattern, self.received)):
                    return found
                if time.monotonic() > deadline:
                    raise AssertionError(f"neither an answer nor an end: {self.received[-500:]!r} {self.errors[-500:]!r}")
                for key, _ in selector.select(0.2):
                    data = key.fileobj.read(1 << 16)
                    if data == b"":
                        selector.unregister(key.fileobj)
                    elif data and key.fileobj is self.process.stdout:
                        self.received += data
                    elif data:
                        self.errors += data
        self.is_over = True
        return re.search(pattern, self.received) if pattern is not None else None

    def wait_end(self, seconds=PATIENCE_SECONDS):
        """Everything that the other side said until it ended the connection."""
        self.wait_for(None, seconds)
        return self.received


def dial(place, name=None, key=None, *options):
    """A client with a pre-shared key; `options` are s_client's. Without a name it has none."""
    host, port = place
    # It ends when its input does.
    arguments = ["s_client", "-connect", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", "-quiet", "-no_ign_eof",
                 "-noservername"]
    if name is not None:
        arguments += ["-psk_identity", name, "-psk", key.hex()]
    return Peer([*arguments, *(options or ("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"))])


def listen(port, name, key):
    """A server for one identity on loopback; it takes one connection."""
    peer = Peer(["s_server", "-accept", f"127.0.0.1:{port}", "-quiet", "-naccept", "1", "-nocert", "-psk_identity", name, "-psk",
                 key.hex(), "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"])
    return peer


def send_plain(place, data, seconds=PATIENCE_SECONDS):
    """Sends bytes without any TLS; returns what came back until the other side ended the connection."""
    with socket.create_connection(place, timeout=seconds) as connection:
        received = b""
        try:
            connection.sendall(data)
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass
        return received
