#!/usr/bin/env python3
"""Measures our own ways to back up and those of others on one machine, in turns: A B A B.

usage: run.py        by way of `make bench`; what is measured comes from the environment:
  WORKLOADS     linux, big, many: full backup, nothing changed, restore, by everyone
                incremental, empty: `vault local` alone, after many increments and with a million files
                idle: a thousand idle connections to a director
                costs: calls, waits, allocations and copies of `vault local` on linux, big and many
                micro: parts of the program by themselves, beside the machine's limits
                default: linux big many incremental empty
  PEERS         tar-lz4, restic, borg, bacula, cp; those that are not installed are skipped; vault-zstd: `vault local` with
                Zstandard. Default: tar-lz4
  ROUNDS        how often each is measured; default 3
  BENCH_DIR     for repositories and workloads; default vault-bench below the temporary directory
  CATALOG_ROWS  how many rows the catalog has that micro asks; default 10000000, which takes 6 GB and some minutes
  WORKLOAD_DIR  for workloads that are there already; default BENCH_DIR/workloads

The page cache is warm: what is to be saved has been read just before, and so has what is to be restored from, whoever wrote it
and however; what earlier rounds left in it is gone. Everything written is on the disk before anyone begins. A table goes to
the screen, everything measured to BENCH_DIR/results.json."""

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

import costs
import idle
import micro
import peers
from measuring import Failure, measure
from workloads import forget, size_of, warm, workload

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.abspath(os.environ.get("VAULT_BINARY") or os.path.join(ROOT, ".build/release/vault"))
PARTS = os.path.join(ROOT, ".build/release/VaultBench")
BASE = os.path.realpath(os.environ.get("BENCH_DIR") or os.path.join(tempfile.gettempdir(), "vault-bench"))
WORKLOADS = os.path.realpath(os.environ.get("WORKLOAD_DIR") or os.path.join(BASE, "workloads"))
ROUNDS = int(os.environ.get("ROUNDS") or "3")
INCREMENTALS = 100
#: A round takes up to that many times the room of its workload: what is stored, what comes back, and a margin.
ROOM = 4
PHASES = {"full": "full", "again": "nothing changed", "restore": "restore"}


class Bench:
    def __init__(self):
        self.results = {"rounds": ROUNDS, "processors": os.cpu_count(), "skipped": {}, "measured": {}}
        self.place = os.path.join(BASE, "run")
        self.trash = 0
        shutil.rmtree(self.place, ignore_errors=True)
        os.makedirs(self.place)

    # ---- Places

    def fresh(self, name):
        """A path that does not exist. What was there moves aside, and is removed at the end or when there is no more room: for
        minutes after inodes were freed, ext4 steps over each of them, and whoever makes files next would be charged for it.
        Out of the page cache it goes at once: when memory is full of it, whoever writes next has it searched for room."""
        path = os.path.join(self.place, name)
        for old in (path, path + ".postgresql"):
            if os.path.lexists(old):
                self.trash += 1
                os.makedirs(os.path.join(self.place, "trash"), exist_ok=True)
                aside = os.path.join(self.place, "trash", str(self.trash))
                os.rename(old, aside)
                forget(aside)
        return path

    def make_room(self, wanted):
        """Removes what was moved aside when there is less than so much room."""
        room = os.statvfs(self.place)
        if room.f_bavail * room.f_frsize < wanted:
            print("  making room: what comes next may take longer for it", flush=True)
            shutil.rmtree(os.path.join(self.place, "trash"), ignore_errors=True)

    def clean(self):
        shutil.rmtree(self.place, ignore_errors=True)

    def save(self):
        with open(os.path.join(BASE, "results.json"), "w", encoding="utf-8") as stream:
            json.dump(self.results, stream, indent=1)

    # ---- Everyone on one workload

    def round(self, kind, name, source):
        """Full, nothing changed and restore by one of them."""
        peer = kind(self.fresh("peer"))
        measured = {}
        try:
            peer.start(name, source)
            # Also when it was read an hour ago: some machines give the memory of what is not looked at to others.
            warm(source)
            os.sync()
            measured["full"] = peer.full(name, source)
            measured["full"]["storedBytes"] = peer.stored()
            os.sync()
            measured["again"] = peer.again(name, source)
            target = self.fresh("restored")
            # Who writes past the page cache would read from the disk now what others find in memory.
            warm(peer.place)
            os.sync()
            measured["restore"] = peer.restore(name, source, target)
            measured["restore"]["equal"] = peers.is_equal(source, peer.restored(name, source, target), peer.window)
        finally:
            peer.stop()
        for result in measured.values():
            del result["output"]
        return measured

    def compare(self, name, kinds):
        source = os.path.realpath(workload(WORKLOADS, name))
        files, total = size_of(source)
        print(f"{name}: {files} files, {total / 1e9:.2f} GB", flush=True)
        found = {"files": files, "bytes": total, "peers": {kind.name: [] for kind in kinds}}
        self.results["measured"][name] = found
        for number in range(ROUNDS):
            for kind in kinds:
                self.make_room(ROOM * total)
                measured = self.round(kind, name, source)
                found["peers"][kind.name].append(measured)
                self.save()
                walls = ", ".join(f"{PHASES[phase]} {result['wallSeconds']:.2f} s" for phase, result in measured.items())
                walls += f" + {measured['restore']['syncSeconds']:.2f} s of the disk"
                unequal = "" if measured["restore"]["equal"] else "; RESTORED TREE DIFFERS"
                print(f"  round {number + 1}, {kind.name}: {walls}{unequal}", flush=True)

    # ---- Ours alone

    def incremental(self):
        """Nothing changed on `linux`, after one incremental and after a hundred that each found changes."""
        source = os.path.join(self.place, "linux-changing")
        subprocess.run(["cp", "-a", "--reflink=auto", workload(WORKLOADS, "linux"), source], check=True)
        warm(source)
        repository = self.fresh("repository")
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
                measured[f"nothing changed, after {number}"] = runs
        self.results["measured"]["incremental"] = measured
        self.save()

    def empty(self):
        source = os.path.realpath(workload(WORKLOADS, "empty"))
        print("empty: 1000000 files", flush=True)
        command = [PROGRAM, "local", "backup", source, "--to", self.fresh("repository"), "--json"]
        os.sync()
        measured = {"full": [measure(command)], "nothing changed": [measure(command)]}
        for [result] in measured.values():
            del result["output"]
        self.results["measured"]["empty"] = measured
        self.save()

    def idle(self):
        found = idle.measure_idle(PROGRAM, self.fresh("idle"))
        self.results["measured"]["idle"] = found
        self.save()
        idle.show(found)

    def costs(self):
        measured = costs.Costs(PROGRAM, self.fresh, ROUNDS).measure(WORKLOADS)
        self.results["measured"]["costs"] = measured
        self.save()
        costs.show(measured)

    def micro(self):
        source = os.path.realpath(workload(WORKLOADS, "linux"))
        warm(source)
        measured = micro.Micro(PARTS, self.fresh("micro"), source).measure()
        self.results["measured"]["micro"] = measured
        self.save()
        micro.show(measured)

    # ---- The table

    @staticmethod
    def median(runs, key):
        return statistics.median(run[key] for run in runs)

    def ratios(self, found, phase, key, name):
        """What each of ours takes over what this peer takes."""
        runs = found["peers"]
        theirs = self.median([each[phase] for each in runs[name]], key)
        return [f"{self.median([each[phase] for each in runs[own]], key) / max(theirs, 0.001):.2f}" if own != name else ""
                for own in peers.OURS if own in runs]

    def compared_rows(self, name, found):
        owns = [own for own in peers.OURS if own in found["peers"]]
        yield (name, "who", "wall s", "cpu s", "peak MB", "stored MB", "sync s", *(f"{own} wall" for own in owns),
               *(f"{own} cpu" for own in owns))
        for phase, words in PHASES.items():
            for who, rounds in found["peers"].items():
                runs = [each[phase] for each in rounds]
                stored = f"{self.median(runs, 'storedBytes') / 1e6:.0f}" if phase == "full" else ""
                equal = "" if all(run.get("equal", True) for run in runs) else ", NOT EQUAL"
                yield (words + equal, who, f"{self.median(runs, 'wallSeconds'):.2f}", f"{self.median(runs, 'cpuSeconds'):.2f}",
                       f"{self.median(runs, 'peakMegabytes'):.0f}", stored, f"{self.median(runs, 'syncSeconds'):.2f}",
                       *self.ratios(found, phase, "durableSeconds" if phase == "restore" else "wallSeconds", who), *self.ratios(found, phase, "cpuSeconds", who))

    def table(self):
        for name, found in self.results["measured"].items():
            if "peers" in found:
                rows = list(self.compared_rows(name, found))
            elif name in ("incremental", "empty"):
                rows = [(name, "who", "wall s", "cpu s", "peak MB")]
                rows += [(what, "vault", *(f"{self.median(runs, key):.2f}" for key in ("wallSeconds", "cpuSeconds")),
                          f"{self.median(runs, 'peakMegabytes'):.0f}") for what, runs in found.items()]
            else:
                continue
            widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
            print()
            for row in rows:
                print("  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                                for column, (cell, width) in enumerate(zip(row, widths))).rstrip())
        if any("peers" in found for found in self.results["measured"].values()):
            print(f"\nMedians of {ROUNDS}; the columns at the right are ours over theirs, so less than 1 is faster. Peak memory is "
                  "the sum over the\nprocesses of a system; 'sync s' is what the disk still took afterwards. Restores are compared "
                  "with it, as ours end\nwhen everything is on the disk.")

    def is_fine(self):
        return all(each["restore"]["equal"] for found in self.results["measured"].values() if "peers" in found
                   for rounds in found["peers"].values() for each in rounds)


def chosen_peers(bench):
    """Ours, then the peers that are wanted and installed."""
    kinds = []
    for name in [*peers.ALWAYS, *(os.environ.get("PEERS") or "tar-lz4").split()]:
        kind = (peers.OURS | peers.PEERS).get(name)
        if kind is None:
            raise Failure(f"no peer {name}: {', '.join(peers.OURS | peers.PEERS)}")
        if missing := kind.missing():
            bench.results["skipped"][name] = missing
            print(f"{name} is skipped, for this is not installed: {', '.join(missing)}", flush=True)
        else:
            kinds.append(kind)
    return kinds


def main():
    if sys.argv[1:]:
        print(__doc__)
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    parts = (os.environ.get("WORKLOADS") or "linux big many incremental empty").split()
    for kind in peers.OURS.values():
        kind.program = PROGRAM
    os.makedirs(BASE, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench()
    begin = time.monotonic()
    try:
        kinds = chosen_peers(bench)
        for part in parts:
            alone = {"incremental": bench.incremental, "empty": bench.empty, "idle": bench.idle, "costs": bench.costs,
                     "micro": bench.micro}
            alone.get(part, lambda: bench.compare(part, kinds))()
        bench.table()
        print(f"\nAll of it is in {BASE}/results.json. It took {time.monotonic() - begin:.0f} s.")
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        bench.clean()
    return 0 if bench.is_fine() else 1


if __name__ == "__main__":
    sys.exit(main())
