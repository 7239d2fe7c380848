"""Parts of the program by themselves, each beside what this machine can do at most, measured in the same run."""

import json
import os
import re
import time

import postgres
from measuring import Failure, run

#: How large the catalog is that queries are asked of; a tenth of the rows are earlier versions.
ROWS = int(os.environ.get("CATALOG_ROWS") or "10000000")
LOAD_ROWS = 200_000
FILES_IN_DIRECTORY = 1_000
JOBS = 1_000
MEBIBYTES = 512
GENERATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "generate.sql")
DATABASE = "vault"
SECONDS = 3600


class Micro:
    def __init__(self, program, place, source):
        """`source` is a tree to walk and to take bytes from; `place` a directory that is not made yet."""
        self.program, self.place, self.source = program, place, source
        self.found = []

    def path(self, name):
        return os.path.join(self.place, name)

    def ask(self, *words):
        """Figures of a measurement by the program's own modules, by their names."""
        lines = run([self.program, *map(str, words)], seconds=SECONDS).splitlines()
        figures = [json.loads(line) for line in lines]
        self.found += figures
        for figure in figures:
            if "wallSeconds" in figure:
                figure["perSecond"] = figure["amount"] / figure["wallSeconds"]
        return {figure["name"]: figure for figure in figures}

    @staticmethod
    def limit(figure, what, per_second):
        """Sets a figure beside a limit of the machine."""
        figure["limit"], figure["limitPerSecond"] = what, per_second
        figure["share"] = round(figure["perSecond"] / per_second, 3)

    # ---- Bytes

    def timed(self, command, amount):
        begin = time.monotonic()
        run(command, seconds=SECONDS)
        return amount / (time.monotonic() - begin)

    def sample(self):
        """A quarter of a GiB of the workload's own bytes, as an archive has them."""
        path = self.path("sample")
        run(["bash", "-c", 'tar -C "$1" -cf - . | head -c 268435456 >"$2"; test -s "$2"', "-", self.source, path])
        return path

    def walk(self):
        figure = self.ask("walk", self.source)["walk"]
        lines = self.timed(["bash", "-c", 'find "$1" -printf "%s %T@ %i\\n" >"$2"', "-", self.source, self.path("find")],
                           figure["amount"])
        self.limit(figure, "find -printf", lines)

    def data(self):
        sample = self.sample()
        figures = self.ask("data", sample)
        speed = run(["openssl", "speed", "-elapsed", "-seconds", "2", "-bytes", "983040", "-evp", "sha256"])
        thousands = re.findall(r"^SHA256\s+([0-9.]+)k", speed, re.M | re.I)
        if not thousands:
            raise Failure(f"openssl speed says nothing of SHA-256: {speed[-500:]}")
        for name in ("SHA-256", "SHA-256 of small contents"):
            self.limit(figures[name], "openssl speed", float(thousands[0]) * 1000)
        speed = run(["lz4", "-b1", "-e1", "-i2", "-B6", sample])
        rates = re.findall(r"([0-9.]+) MB/s", speed)
        if len(rates) < 2:
            raise Failure(f"lz4 -b says nothing: {speed[-500:]}")
        self.limit(figures["LZ4 compression"], "lz4 -b1", float(rates[-2]) * 1e6)
        self.limit(figures["LZ4 decompression"], "lz4 -b1", float(rates[-1]) * 1e6)
        self.limit(figures["group assembly"], "lz4 -b1", float(rates[-2]) * 1e6)

    def blocks(self):
        # Data that no disk shortens, as the blocks' are.
        source = self.path("random")
        run(["dd", "if=/dev/urandom", f"of={source}", "bs=1M", f"count={MEBIBYTES}", "status=none"])
        for words, name, dd, flag in (((), "block write", "dd oflag=direct", "oflag=direct"),
                                      (("buffered",), "block write, buffered", "dd conv=fdatasync", "conv=fdatasync")):
            directory = self.path("volumes " + dd)
            os.makedirs(directory)
            os.sync()
            figure = self.ask("blocks", directory, MEBIBYTES, *words)[name]
            os.sync()
            try:
                rate = self.timed(["dd", f"if={source}", f"of={self.path('written')}", "bs=1M", flag, "status=none"],
                                  MEBIBYTES << 20)
            except Failure:
                # Not every file system takes direct writes.
                continue
            self.limit(figure, dd, rate)
            self.found.append({"name": dd, "unit": "bytes", "amount": MEBIBYTES << 20, "perSecond": rate})

    def stream(self):
        figure = self.ask("stream", 2 * MEBIBYTES)["TLS stream over loopback"]
        speed = run(["openssl", "speed", "-elapsed", "-seconds", "2", "-bytes", "16384", "-evp", "aes-128-gcm"])
        thousands = re.findall(r"^AES-128-GCM\s+([0-9.]+)k", speed, re.M | re.I)
        if not thousands:
            raise Failure(f"openssl speed says nothing of AES-128-GCM: {speed[-500:]}")
        self.limit(figure, "openssl speed", float(thousands[0]) * 1000)

    # ---- The catalog

    def catalog(self):
        self.ask("load-sqlite", self.path("catalog.sqlite"), LOAD_ROWS)
        cluster = postgres.Cluster(self.path("postgresql"))
        try:
            cluster.start()
            place = (cluster.sockets, postgres.PORT, cluster.superuser, DATABASE)
            cluster.ask(f"create database {DATABASE}", "postgres")
            figure = self.ask("load-postgresql", *place, LOAD_ROWS)["catalog load, PostgreSQL"]
            self.limit(figure, "COPY by psql", self.copied(cluster))
            cluster.ask(f"drop database {DATABASE}", "postgres")
            cluster.ask(f"create database {DATABASE}", "postgres")
            self.queries(cluster, place)
        finally:
            cluster.stop()

    def copied(self, cluster):
        """Rows a second of the same rows, through COPY into a table of the same form and key that is made for them."""
        cluster.ask("set search_path to vault_bench; copy (select * from entry_current) to "
                    f"'{cluster.place}/rows'; create table copied (like entry_current including all)", DATABASE)
        begin = time.monotonic()
        cluster.ask(f"set search_path to vault_bench; copy copied from '{cluster.place}/rows'", DATABASE)
        return LOAD_ROWS / (time.monotonic() - begin)

    def queries(self, cluster, place):
        run([self.program, "seed", *map(str, place)], seconds=SECONDS)
        directories = max(20, ROWS * 10 // 11 // FILES_IN_DIRECTORY)
        print(f"  making a catalog of {directories * FILES_IN_DIRECTORY * 11 // 10:,} rows", flush=True)
        with open(GENERATE, encoding="utf-8") as stream:
            settings = f"\\set directories {directories}\n\\set files {FILES_IN_DIRECTORY}\n\\set jobs {JOBS}\n"
            cluster.ask(settings + stream.read(), DATABASE, seconds=SECONDS)
        self.ask("queries", *place, directories, FILES_IN_DIRECTORY)

    def measure(self):
        os.makedirs(self.place)
        for part in (self.walk, self.data, self.blocks, self.stream, self.catalog):
            part()
        return self.found


def show(found):
    """A line for each: what it does in a second, and which share of the machine's limit that is."""
    print()
    for figure in found:
        name = figure["name"]
        if "medianMilliseconds" in figure:
            print(f"{name:42} {figure['medianMilliseconds']:10.2f} ms     slowest of {figure['amount']}: "
                  f"{figure['slowestMilliseconds']:.2f} ms")
            continue
        rate = figure["perSecond"]
        amount = f"{rate / 1e6:10.1f} MB/s" if figure["unit"] == "bytes" else f"{rate:10.0f} {figure['unit']}/s"
        share = f"   {figure['share']:.2f} of {figure['limit']}" if "share" in figure else ""
        print(f"{name:42} {amount}{share}")
