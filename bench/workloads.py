"""Makes the trees that the measurements save. Each is made once and kept.

linux   the kernel's source of Debian's linux-source-6.1: 79,000 files, 1.3 GB
big     two files of 1 GiB: one random, one of shuffled pieces of this machine's programs and texts
many    200,000 files of 0 to 4,096 bytes in 2,000 directories
empty   1,000,000 empty files in 1,000 directories"""

import glob
import os
import random
import shutil
import stat
import subprocess

from measuring import Failure

PIECE = 1 << 16
EPOCH_NS = 1_600_000_000 * 10**9


def make_linux(place):
    sources = sorted(glob.glob("/usr/src/linux-source-*.tar.xz"))
    if not sources:
        print("  installing linux-source-6.1", flush=True)
        prefix = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run([*prefix, "apt-get", "update", "-q"], check=True, stdin=subprocess.DEVNULL)
        subprocess.run([*prefix, "apt-get", "install", "-q", "-y", "--no-install-recommends", "linux-source-6.1", "xz-utils"],
                       check=True, stdin=subprocess.DEVNULL)
        sources = sorted(glob.glob("/usr/src/linux-source-*.tar.xz"))
    os.makedirs(place)
    subprocess.run(["tar", "-xJf", sources[-1], "-C", place, "--strip-components=1"], check=True)


def pieces_of_this_machine(wanted):
    """(file, offset) of pieces of programs, libraries and texts, half more than wanted where there is that much."""
    found, total = [], 0
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/bin", "/usr/sbin", "/usr/include", "/usr/share", "/usr/lib"):
        for top, directories, names in os.walk(folder):
            directories.sort()
            for name in sorted(names):
                path = os.path.join(top, name)
                if name.endswith((".gz", ".xz", ".bz2", ".zip", ".png", ".zst")) or os.path.islink(path):
                    continue
                if not os.path.isfile(path):
                    continue
                size = os.path.getsize(path)
                found += [(path, offset) for offset in range(0, size, PIECE)]
                total += size
            if total > wanted * 3 // 2:
                return found
    return found


def make_big(place):
    os.makedirs(place)
    generator = random.Random(99)
    with open(os.path.join(place, "random.bin"), "wb") as stream:
        for _ in range(1024):
            stream.write(generator.randbytes(1 << 20))
    pieces = pieces_of_this_machine(1 << 30)
    generator.shuffle(pieces)
    left, number = 1 << 30, 0
    with open(os.path.join(place, "mixed.bin"), "wb") as stream:
        while left > 0:
            path, offset = pieces[number % len(pieces)]
            again = number // len(pieces)
            with open(path, "rb") as source:
                source.seek(offset)
                data = source.read(PIECE)
            if again:
                # A piece that comes twice is changed, so that it is no plain copy.
                data = bytes(byte ^ again & 0xff for byte in data)
            data = data[:left]
            stream.write(data)
            left -= len(data)
            number += 1
    for name in os.listdir(place):
        os.utime(os.path.join(place, name), ns=(EPOCH_NS + 123_456_789, EPOCH_NS + 123_456_789))


def make_many(place, files=200_000, directories=2_000):
    generator = random.Random(20240601)
    words = [b"%x" % generator.getrandbits(generator.randint(8, 40)) for _ in range(4_000)]
    text = b" ".join(generator.choices(words, k=150_000))[:1 << 20]
    binary = generator.randbytes(1 << 20)
    folders = []
    for number in range(directories):
        folders.append(os.path.join(place, f"t{number % 20:02}", f"s{number // 20 % 10:02}", f"d{number:04}"))
        os.makedirs(folders[-1])
    for number in range(files):
        is_text = generator.random() < 0.5
        pool = text if is_text else binary
        offset = generator.randrange(len(pool) - 4096)
        data = (b"%08d" % number + pool[offset:offset + 4096])[:generator.randint(0, 4096)]
        path = f"{folders[number % directories]}/f{number:06}.{'txt' if is_text else 'bin'}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644 if number % 7 else 0o600)
        os.write(descriptor, data)
        os.close(descriptor)
        moment = EPOCH_NS + generator.randrange(10**17)
        os.utime(path, ns=(moment, moment))


def make_empty(place, files=1_000_000, directories=1_000):
    for number in range(directories):
        folder = os.path.join(place, f"d{number:04}")
        os.makedirs(folder)
        for file in range(files // directories):
            os.close(os.open(f"{folder}/f{file:04}", os.O_WRONLY | os.O_CREAT, 0o644))


MAKERS = {"linux": make_linux, "big": make_big, "many": make_many, "empty": make_empty}


def workload(place, name):
    """The path of a workload in a directory, made now if it is not there."""
    path = os.path.join(place, name)
    if name not in MAKERS:
        raise Failure(f"no workload {name}: {', '.join(MAKERS)}")
    if not os.path.isdir(path):
        print(f"making the workload {name}", flush=True)
        half = path + ".making"
        shutil.rmtree(half, ignore_errors=True)
        os.makedirs(place, exist_ok=True)
        MAKERS[name](half)
        os.rename(half, path)
    return path


def size_of(place):
    """Files and bytes below a directory."""
    files = total = 0
    for top, _, names in os.walk(place):
        for name in names:
            status = os.lstat(os.path.join(top, name))
            if status.st_mode & 0o170000 == 0o100000:
                files += 1
                total += status.st_size
    return files, total


def regular_files(place):
    """The regular files of a tree, each opened for reading."""
    for top, _, names in os.walk(place):
        for name in names:
            path = os.path.join(top, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb", buffering=0) as stream:
                    yield stream


def warm(place):
    """Reads the files of a tree into the page cache."""
    for stream in regular_files(place):
        while stream.read(1 << 22):
            pass


def forget(place):
    """Takes the files of a tree out of the page cache; what is not on the disk yet stays there."""
    for stream in regular_files(place):
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
