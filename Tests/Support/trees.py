"""Makes trees of files and compares them, by descriptor, so that no path is too long.

Nothing here is shared with the program: what a tree is, is read anew with lstat."""

import errno
import hashlib
import os
import stat
import subprocess


def walk(root):
    """Yields (path as bytes, stat, description) of everything below `root`, `root` itself first as b''."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield b"", os.fstat(descriptor), None
        yield from walk_directory(descriptor, b"", {})
    finally:
        os.close(descriptor)


def walk_directory(descriptor, prefix, digests):
    """`digests` holds those of the files with several names: one of them is read."""
    for name in sorted(os.fsencode(name) for name in os.listdir(descriptor)):
        status = os.lstat(name, dir_fd=descriptor)
        kind = stat.S_IFMT(status.st_mode)
        detail = None
        if kind == stat.S_IFLNK:
            detail = os.readlink(name, dir_fd=descriptor)
        elif kind == stat.S_IFREG:
            identity = (status.st_dev, status.st_ino)
            detail = digests.get(identity) or digest_at(descriptor, name)
            if status.st_nlink > 1:
                digests[identity] = detail
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            detail = (os.major(status.st_rdev), os.minor(status.st_rdev))
        yield prefix + name, status, detail
        if kind == stat.S_IFDIR:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            try:
                yield from walk_directory(below, prefix + name + b"/", digests)
            finally:
                os.close(below)


def digest_at(directory, name):
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
    digest = hashlib.sha256()
    try:
        status = os.fstat(descriptor)
        if status.st_blocks * 512 < status.st_size:
            # What a hole is in one tree must be one in the other: it is not read, however long it is.
            for start, end in extents(descriptor, status.st_size):
                digest.update(b"%d to %d " % (start, end))
                for offset in range(start, end, 1 << 20):
                    digest.update(os.pread(descriptor, min(1 << 20, end - offset), offset))
            return digest.hexdigest()
        while chunk := os.read(descriptor, 1 << 20):
            digest.update(chunk)
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def extents(descriptor, size):
    """Where a file has data: (start, end) of each extent."""
    position = 0
    while position < size:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        position = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, position


def extents_of(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return list(extents(descriptor, os.fstat(descriptor).st_size))
    finally:
        os.close(descriptor)


def describe(root, root_times=True, select=None):
    """A map of path to all that a backup must bring back. Hard links appear as the first path of their group.

    `select` may refuse paths; of a directory that is refused nothing is left out below it."""
    result, links = {}, {}
    for path, status, detail in walk(root):
        if select and path and not select(path):
            continue
        first = None
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            first = links.setdefault((status.st_dev, status.st_ino), path)
        result[path] = (
            stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid,
            status.st_size if not stat.S_ISDIR(status.st_mode) else 0,
            status.st_mtime_ns if path or root_times else 0, detail, first)
    return result


FIELDS = ("type", "mode", "owner", "group", "size", "mtime", "content", "hard link to")


def differences(expected, actual, limit=12):
    """Plain sentences on how two descriptions differ; empty when they are equal."""
    found = []
    for path in sorted(expected.keys() | actual.keys()):
        if path not in actual:
            found.append(f"missing: {path!r}")
        elif path not in expected:
            found.append(f"too much: {path!r}")
        elif expected[path] != actual[path]:
            found += [
                f"{path!r}: {field} is {have!r}, should be {want!r}"
                for field, want, have in zip(FIELDS, expected[path], actual[path]) if want != have]
    return found[:limit] + ([f"and {len(found) - limit} more"] if len(found) > limit else [])


def rsync_differences(source, restored):
    """What rsync would do to make `restored` equal to `source`; empty when it has nothing to do."""
    command = [
        "rsync", "-aHAX", "--checksum", "--dry-run", "--itemize-changes", "--delete", "--modify-window=-1",
        os.fsdecode(source) + "/", os.fsdecode(restored) + "/"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
    if done.returncode:
        lines.append(f"rsync ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return lines


def write_file(path, content, mode=None, mtime_ns=None):
    with open(path, "wb") as stream:
        stream.write(content)
    if mode is not None:
        os.chmod(path, mode)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))


def settle(root, age_seconds=100):
    """Gives everything below `root` an mtime in the past, each its own, so that nothing looks freshly written."""
    now = 1_700_000_000_000_000_000
    paths = [os.path.join(top, name) for top, directories, files in os.walk(root, topdown=False)
             for name in files + directories]
    for number, path in enumerate(paths + [root]):
        moment = now - age_seconds * 10**9 + number * 1_000_003
        os.utime(path, ns=(moment, moment), follow_symlinks=False)


def tree_bytes(root):
    """The bytes that the files below `root` take, by length."""
    return sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in os.walk(root) for name in names)
