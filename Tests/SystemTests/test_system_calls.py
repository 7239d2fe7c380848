"""What the order and the number of system calls show: synced before acknowledged, and every byte read once."""

import os
import re
import subprocess

import program
import trees
from suite import SystemTest

CALLS = "read,pread64,readv,preadv,preadv2,mmap,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,copy_file_range,sendfile"
LINE = re.compile(r"(\w+)\((\d+)<([^>]*)>(.*)\)\s+= (-?\d+)", re.S)


def system_calls(output):
    """(name, descriptor, path, result) of every finished call, in the order they finished."""
    begun, calls = {}, []
    with open(output, encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            process, _, text = line.rstrip("\n").partition(" ")
            text = text.strip()
            if text.endswith("<unfinished ...>"):
                begun[process] = text[:-len("<unfinished ...>")]
                continue
            resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", text)
            if resumed:
                text = begun.pop(process, "") + resumed.group(1)
            found = LINE.match(text)
            if found:
                calls.append((found.group(1), int(found.group(2)), found.group(3), int(found.group(5))))
    return calls


#: File systems whose volumes are written past the page cache, as stat(1) names them.
DIRECT = ("ext2/ext3", "ext4", "xfs")


class SystemCalls(SystemTest):
    weight = 5

    def test_volumes_are_written_past_the_page_cache(self):
        """Where the file system does that well: every block but the label, through a descriptor of its own."""
        # Less than is written before anybody looks whether the thread waits for the medium.
        os.makedirs(self.source, exist_ok=True)
        for number in range(6):
            trees.write_file(os.path.join(self.source, f"f{number}"), os.urandom(1 << 20))
        trees.settle(self.source)
        self.let_time_pass()
        output = self.path("calls")
        done = subprocess.run(
            ["strace", "-f", "-y", "-qq", "-s", "0", "-e", "trace=openat,pwrite64", "-e", "signal=none", "-o", output,
             program.BINARY, "local", "backup", self.source, "--to", self.repository, "--quiet"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=program.TIMEOUT_SECONDS)
        if b"ptrace" in done.stderr and b"not permitted" in done.stderr:
            self.skipTest("strace is not permitted here")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(output, encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read()
        kind = subprocess.run(["stat", "-f", "-c", "%T", self.repository], capture_output=True, text=True, check=True).stdout.strip()
        volume = re.escape(os.path.join(self.repository, "volumes", "vol-0001"))
        direct = set(re.findall(rf"O_DIRECT\S*\) = (\d+)<{volume}>", text))
        writers = re.findall(rf"pwrite64\((\d+)<{volume}>", text)
        self.assertGreater(len(writers), 6)
        through = sum(writer in direct for writer in writers)
        self.note(f"{kind}: {through} of {len(writers)} writes of the volume went past the page cache")
        self.assertEqual(through, len(writers) - 1 if kind in DIRECT else 0)

    def traced(self, *options):
        output = self.path("calls")
        command = ["strace", "-f", "-y", "-qq", "-s", "0", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", output,
                   program.BINARY, "local", "backup", self.source, "--to", self.repository, "--json", *options]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=program.TIMEOUT_SECONDS)
        if b"ptrace" in done.stderr and b"not permitted" in done.stderr:
            self.skipTest("strace is not permitted here")
        self.assertEqual(done.returncode, 0, done.stderr)
        return system_calls(output)

    def make_tree(self):
        os.makedirs(os.path.join(self.source, "d"))
        for number, size in enumerate((0, 1, 4096, 100_000, 960 << 10, 3 << 20, 9 << 20)):
            trees.write_file(os.path.join(self.source, "d", f"f{number}"), os.urandom(size))
        trees.settle(self.source)

    def test_every_byte_is_read_once(self):
        self.make_tree()
        for expected in (lambda size: size, lambda size: 0):
            self.let_time_pass()
            counts = {}
            for name, _, path, result in self.traced():
                if path.startswith(self.source) and result > 0:
                    self.assertIn(name, ("read", "pread64", "readv", "preadv", "preadv2"), f"{name} of {path}")
                    counts[path] = counts.get(path, 0) + result
            for number in range(7):
                path = os.path.join(self.source, "d", f"f{number}")
                self.assertEqual(counts.get(path, 0), expected(os.path.getsize(path)), path)

    def check_order(self, calls, volumes_written):
        """Walks through the calls: when the report is written nothing below the repository waits for a sync, and when
        the catalog is synced, all that a volume got before its own last sync was synced first."""
        unsynced, reported, commits, volume_syncs = set(), False, 0, 0
        for name, descriptor, path, result in calls:
            path = path.removesuffix(" (deleted)")
            inside = path.startswith(self.repository + "/")
            volume = path.startswith(os.path.join(self.repository, "volumes") + "/")
            if name in ("write", "pwrite64", "writev", "pwritev", "pwritev2") and result > 0:
                if inside:
                    unsynced.add(path)
                elif descriptor == 1:
                    reported = True
                    lost = {path for path in unsynced if not path.endswith("lock")}
                    self.assertEqual(lost, set(), "acknowledged before it was synced")
            elif name in ("fsync", "fdatasync") and result == 0 and inside:
                unsynced.discard(path)
                if volume:
                    volume_syncs += 1
                elif "catalog" in os.path.basename(path):
                    commits += 1
        self.assertTrue(reported)
        if volumes_written:
            self.assertGreaterEqual(volume_syncs, volumes_written)
            self.assertGreaterEqual(commits, 1)

    def test_acknowledged_means_synced(self):
        self.make_tree()
        self.check_order(self.traced("--commit-size", "2M"), volumes_written=3)
        trees.write_file(os.path.join(self.source, "d", "f1"), os.urandom(50_000))
        self.let_time_pass()
        self.check_order(self.traced(), volumes_written=1)

    def test_catalog_never_leads_the_volume(self):
        """The first catalog sync after a volume write comes after that volume's sync, job by job."""
        self.make_tree()
        self.traced()
        trees.write_file(os.path.join(self.source, "d", "f1"), os.urandom(50_000))
        self.let_time_pass()
        events = []
        for name, _, path, result in self.traced():
            if path.startswith(os.path.join(self.repository, "volumes") + "/") and result >= 0:
                events.append("sync" if name in ("fsync", "fdatasync") else "write" if "write" in name else "read")
            elif path.startswith(self.repository + "/catalog") and name in ("fsync", "fdatasync"):
                events.append("catalog")
        last_write = max(index for index, event in enumerate(events) if event == "write")
        self.assertIn("sync", events[last_write:], "the volume is synced after its last write")
        last_sync = max(index for index, event in enumerate(events) if event == "sync")
        self.assertIn("catalog", events[last_sync:], "and the catalog after that")
