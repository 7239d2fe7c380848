#!/usr/bin/env python3
"""Measures `vault local` beside `tar | lz4` on one machine and in one run.

usage: run.py [linux] [big] [many] [incremental] [empty]     all of them when none is named
BENCH_DIR (default vault-bench below the temporary directory) holds workloads and repositories; ROUNDS (default 3) is how
often each is measured, in turns: A B A B. The page cache is warm; what was written is synced inside the measured time.
A table goes to the screen, everything measured to BENCH_DIR/results.json."""

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from workloads import size_of, warm, workload

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.abspath(os.environ.get("VAULT_BINARY", os.path.join(ROOT, ".build/release/vault")))
BASE = os.path.realpath(os.environ.get("BENCH_DIR", os.path.join(tempfile.gettempdir(), "vault-bench")))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
INCREMENTALS = 100


def measure(command):
    """Runs a command; its wall time, processor time (children included) and the largest resident process of it."""
    log = tempfile.TemporaryFile()
    begin = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    log.seek(0)
    output = log.read().decode(errors="replace")
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}: {output}")
    return {"wallSeconds": round(wall, 3), "cpuSeconds": round(usage.ru_utime + usage.ru_stime, 3),
            "peakMegabytes": round(usage.ru_maxrss / 1024, 1), "output": output}


def tree_bytes(place):
    return sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in os.walk(place) for name in names)


class Bench:
    def __init__(self):
        self.results = {"rounds": ROUNDS, "processors": os.cpu_count(), "measured": {}}
        self.place = os.path.join(BASE, "run")
        self.trash = 0
        shutil.rmtree(self.place, ignore_errors=True)
        os.makedirs(self.place)

    def fresh(self, name):
        """A path that does not exist; what was there before moves aside, since deleting now would slow what follows."""
        path = os.path.join(self.place, name)
        if os.path.lexists(path):
            self.trash += 1
            os.makedirs(os.path.join(self.place, "trash"), exist_ok=True)
            os.rename(path, os.path.join(self.place, "trash", str(self.trash)))
        return path

    def vault_full(self, source):
        repository = self.fresh("repository")
        os.sync()
        result = measure([PROGRAM, "local", "backup", source, "--to", repository, "--json"])
        result["report"] = json.loads(result.pop("output"))
        result["storedBytes"] = tree_bytes(repository)
        return result

    def tar_full(self, source):
        archive = self.fresh("archive.tar.lz4")
        os.sync()
        script = 'set -e; tar --format=posix -C "$1" -cf - . | lz4 -q -1 - "$2"; sync "$2"'
        result = measure(["bash", "-o", "pipefail", "-c", script, "-", source, archive])
        del result["output"]
        result["storedBytes"] = os.path.getsize(archive)
        return result

    def restored_equal(self, source):
        """Whether a restore gives the tree back, by rsync; and what the restore took."""
        target = self.fresh("restored")
        result = measure([PROGRAM, "local", "restore", "--from", os.path.join(self.place, "repository"), "--to", target,
                          "--json"])
        del result["output"]
        compared = subprocess.run(
            ["rsync", "-aHAX", "--checksum", "--dry-run", "--itemize-changes", "--delete", "--modify-window=-1",
             source + "/", target + source + "/"], stdin=subprocess.DEVNULL, capture_output=True)
        result["equal"] = compared.returncode == 0 and not compared.stdout.strip()
        return result

    def full(self, name):
        source = os.path.realpath(workload(BASE, name))
        files, total = size_of(source)
        print(f"{name}: {files} files, {total / 1e9:.2f} GB", flush=True)
        warm(source)
        runs = {"vault": [], "tar | lz4": []}
        for _ in range(ROUNDS):
            runs["vault"].append(self.vault_full(source))
            runs["tar | lz4"].append(self.tar_full(source))
        again = [measure([PROGRAM, "local", "backup", source, "--to", os.path.join(self.place, "repository"), "--json"])
                 for _ in range(ROUNDS)]
        for result in again:
            del result["output"]
        self.results["measured"][name] = {
            "files": files, "bytes": total, "full": runs, "nothingChanged": again, "restore": self.restored_equal(source)}
        self.save()

    def incremental(self):
        """Nothing changed on `linux`, after one incremental and after a hundred that each found changes."""
        pristine = workload(BASE, "linux")
        source = os.path.join(self.place, "linux-changing")
        subprocess.run(["cp", "-a", "--reflink=auto", pristine, source], check=True)
        warm(source)
        repository = self.fresh("repository-incremental")
        command = [PROGRAM, "local", "backup", source, "--to", repository, "--json"]
        measure(command)
        files = sorted(os.path.join(top, name) for top, _, names in os.walk(source) for name in names
                       if not os.path.islink(os.path.join(top, name)))
        generator = random.Random(1)
        measured = {}
        for number in range(1, INCREMENTALS + 1):
            for path in generator.sample(files, 200):
                with open(path, "ab") as stream:
                    stream.write(b"/* changed */\n")
            measure(command)
            if number in (1, INCREMENTALS):
                runs = [measure(command) for _ in range(max(3, ROUNDS) + 1)][1:]
                for result in runs:
                    report = json.loads(result.pop("output"))
                    result["bytesRead"] = report["bytesRead"]
                measured[f"after {number}"] = runs
        self.results["measured"]["incremental"] = measured
        self.save()

    def empty(self):
        source = workload(BASE, "empty")
        print("empty: 1000000 files", flush=True)
        first = self.vault_full(source)
        second = measure([PROGRAM, "local", "backup", source, "--to", os.path.join(self.place, "repository"), "--json"])
        del second["output"]
        self.results["measured"]["empty"] = {"full": first, "nothingChanged": second}
        self.save()

    def save(self):
        with open(os.path.join(BASE, "results.json"), "w", encoding="utf-8") as stream:
            json.dump(self.results, stream, indent=1)

    def table(self):
        def median(runs, key="wallSeconds"):
            return statistics.median(run[key] for run in runs)

        rows = [("workload", "what", "wall s", "cpu s", "RSS MB", "stored MB", "ratio")]

        def row(name, what, runs, ratio=""):
            stored = f"{median(runs, 'storedBytes') / 1e6:.1f}" if "storedBytes" in runs[0] else ""
            rows.append((name, what, f"{median(runs):.2f}", f"{median(runs, 'cpuSeconds'):.2f}",
                         f"{max(run['peakMegabytes'] for run in runs):.0f}", stored, ratio))

        for name, found in self.results["measured"].items():
            if name == "incremental":
                for what, runs in found.items():
                    row("linux", f"nothing changed, {what}", runs)
            elif name == "empty":
                row(name, "vault full", [found["full"]])
                row(name, "nothing changed", [found["nothingChanged"]])
            else:
                vault, tar = found["full"]["vault"], found["full"]["tar | lz4"]
                row(name, "tar | lz4, synced", tar)
                row(name, "vault full", vault, f"{median(vault) / median(tar):.2f}")
                row(name, "nothing changed", found["nothingChanged"])
                row(name, "restore, " + ("equal" if found["restore"]["equal"] else "NOT EQUAL"), [found["restore"]])
        widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
        for line in rows:
            print("  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                            for column, (cell, width) in enumerate(zip(line, widths))).rstrip())
        print(f"Medians of {ROUNDS}; ratio is vault's time over that of tar | lz4. All of it: {BASE}/results.json")

    def clean(self):
        shutil.rmtree(self.place, ignore_errors=True)


def main():
    parts = sys.argv[1:] or ["linux", "big", "many", "incremental", "empty"]
    os.makedirs(BASE, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench()
    try:
        for part in parts:
            {"incremental": bench.incremental, "empty": bench.empty}.get(part, lambda: bench.full(part))()
        bench.table()
    finally:
        bench.clean()
    broken = [name for name, found in bench.results["measured"].items() if "restore" in found and not found["restore"]["equal"]]
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
