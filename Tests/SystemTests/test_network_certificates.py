"""A fleet whose daemons know each other by certificates, made by the openssl command."""

import os
import re
import subprocess

import fleet as fleets
import program
import trees
from fleet import DIRECTOR, STORAGE, NetworkTest


class Authority:
    """A certificate authority and what it signs, in a directory."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=authority", "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))

    def path(self, name):
        return os.path.join(self.directory, name)

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def sign(self, name, days=2):
        """Makes a key and a certificate whose common name is `name`."""
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"))
        self.openssl("x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path("ca.pem"), "-CAkey",
                     self.path("ca.key"), "-CAcreateserial", "-days", str(days), "-out", self.path(f"{name}.pem"))

    def directives(self, name, allowed=None):
        """What a resource says that shows the certificate of `name` and takes that of `allowed`."""
        found = {"TLS Certificate": self.path(f"{name}.pem"), "TLS Key": self.path(f"{name}.key"),
                 "TLS CA Certificate File": self.path("ca.pem")}
        return {**found, "TLS Allowed CN": allowed} if allowed else found


class Certificates(NetworkTest):
    weight = 10

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.path("authority"))
        self.fleet = self.make_fleet()
        self.source = self.make_tree(self.fleet.sources["alpha"], count=4)
        self.names = {"dir": DIRECTOR, "sd": STORAGE, "fd-alpha": "alpha-fd", "console": "operator"}
        for name in self.names.values():
            self.authority.sign(name)
        #: Consoles without a name go by the director's password, and here it has none.
        for file in ("dir", "console"):
            self.fleet.add(file, "Console {\n  Name = operator\n}\n")
        self.describe()

    def describe(self, authority=None, file="fd-alpha"):
        """Gives every resource its certificates; those of one file may be another authority's."""
        fleet, names = self.fleet, self.names
        for own, resource, name, allowed in (
                ("dir", "Director", DIRECTOR, None), ("dir", "Client", "alpha-fd", "alpha-fd"), ("dir", "Storage", STORAGE, STORAGE),
                ("sd", "Storage", STORAGE, None), ("sd", "Director", DIRECTOR, DIRECTOR),
                ("fd-alpha", "FileDaemon", "alpha-fd", None), ("fd-alpha", "Director", DIRECTOR, DIRECTOR),
                ("dir", "Console", "operator", "operator"),
                ("console", "Director", DIRECTOR, DIRECTOR), ("console", "Console", "operator", None)):
            signer = authority if authority and own == file else self.authority
            fleet.set(own, resource, name, **signer.directives(names[own], allowed))

    def start_without_passwords(self):
        """No resource has a secret, so that it is the certificates that prove who everybody is."""
        fleet = self.fleet
        fleet.configure()
        for file in self.names:
            text = re.sub(r'^  Password = "key:.*\n', "", fleet.read(fleet.conf(file)), flags=re.M)
            trees.write_file(fleet.conf(file), text.encode(), 0o600)
        # Not again at the start.
        fleet.configure = lambda: None
        fleet.start()

    def test_backup_and_restore(self):
        self.start_without_passwords()
        number = self.fleet.run("save-alpha")
        self.assertJobRestores(self.fleet, number, self.source)
        self.change_tree(self.source, "changed")
        self.assertJobRestores(self.fleet, self.fleet.run("save-alpha"), self.source)
        self.fleet.ask("status client=alpha-fd")
        self.fleet.ask(f"status storage={STORAGE}")

    def test_of_another_authority(self):
        """One line on each side says why, and everybody else is served."""
        other = Authority(self.path("other-authority"))
        for name in self.names.values():
            other.sign(name)
        self.describe(other)
        self.start_without_passwords()
        fleets.eventually(lambda: "listens on" in self.fleet.log("alpha"), "the client does not say that it listens")
        before = self.fleet.log("alpha")
        outcome = self.refuses(self.fleet.console("status client=alpha-fd"), program.UNREACHABLE)
        self.assertRegex(outcome.errors.decode().lower(), "certificate|authority")
        self.assertTrue(fleets.eventually(lambda: self.fleet.news("alpha", before), "the client says nothing"))
        self.fleet.ask(f"status storage={STORAGE}")

    def test_of_another_name(self):
        """A certificate that is right, and somebody else's, is not enough."""
        self.authority.sign("stranger")
        self.fleet.set("fd-alpha", "FileDaemon", "alpha-fd", **self.authority.directives("stranger"))
        self.start_without_passwords()
        outcome = self.refuses(self.fleet.console("status client=alpha-fd"), program.UNREACHABLE)
        self.assertIn("stranger", outcome.errors.decode())
        self.fleet.ask(f"status storage={STORAGE}")

    def test_file_that_is_none(self):
        """The start names the file; nothing listens."""
        self.fleet.configure()
        trees.write_file(self.authority.path(f"{STORAGE}.key"), b"no key\n", 0o600)
        outcome = program.run("sd", "-c", self.fleet.conf("sd"), timeout=fleets.PATIENCE_SECONDS)
        self.refuses(outcome, program.USAGE, program.FAILED, naming=(self.authority.path(f"{STORAGE}.key"),))
