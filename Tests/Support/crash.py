"""Reads what fault.c recorded, and rebuilds what a crash could have left on the disk.

The model is the strictest that POSIX allows. A file's bytes and size are durable after fsync or fdatasync of the file; a
name is durable after fsync of its directory. Whatever was not synced may be there or not: every 512-byte sector for
itself, the names of one directory in their order."""

import os
import random
import struct

HEADER = struct.Struct("<B3xIQQQ")
SECTOR = 512


class UnmodelledCall(Exception):
    """The program did something below the directory that the model does not know."""


class Operation:
    __slots__ = ("kind", "path", "other", "inode", "offset", "data")

    def __init__(self, kind, path, other, inode, offset, data):
        self.kind, self.path, self.other = kind, path, other
        self.inode, self.offset, self.data = inode, offset, data

    def __repr__(self):
        return f"{self.kind} {self.path} @{self.offset}+{len(self.data)}"


def read_trace(file, root):
    """The operations of a trace, with paths relative to `root` ('' is the root itself)."""
    with open(file, "rb") as stream:
        raw = stream.read()
    prefix = os.fsencode(root)
    operations, position = [], 0

    def relative(path):
        return os.fsdecode(path[len(prefix):].lstrip(b"/"))

    while position < len(raw):
        kind, path_length, inode, offset, length = HEADER.unpack_from(raw, position)
        position += HEADER.size
        path = raw[position:position + path_length]
        position += path_length
        data = raw[position:position + length]
        position += length
        kind, other = chr(kind), ""
        if kind == "X":
            raise UnmodelledCall(os.fsdecode(path))
        if kind in "RL":
            path, other = path.split(b"\0")
            other = relative(other)
        path = relative(path) if path else ""
        operations.append(Operation(kind, path, other, inode, offset, data))
    return operations


class FileState:
    """One file: what is durable, what is there now, and what happened in between."""

    def __init__(self, content=b"", pending=None):
        self.durable = bytes(content)
        self.live = bytearray(content)
        self.pending = [] if pending is None else pending
        self._live_copy = None

    def write(self, offset, data):
        self._live_copy = None
        if len(self.live) < offset:
            self.live.extend(bytes(offset - len(self.live)))
        self.live[offset:offset + len(data)] = data
        self.pending.append((offset, data))

    def truncate(self, size):
        self._live_copy = None
        resize(self.live, size)
        self.pending.append((size, None))

    def sync(self):
        self.durable = self.live_bytes()
        self.pending = []

    def live_bytes(self):
        if self._live_copy is None:
            self._live_copy = bytes(self.live)
        return self._live_copy

    def torn(self, generator):
        """What a power cut may leave: each unsynced sector for itself."""
        if not self.pending:
            return self.durable
        chance = generator.choice((0.0, 0.1, 0.5, 0.9, 1.0, 1.0))
        content, cut = bytearray(self.durable), None
        for offset, data in self.pending:
            if data is None:
                if cut is None and generator.random() < 0.8:
                    resize(content, offset)
                else:
                    # This change of size was lost: so is what was later written beyond it.
                    cut = offset if cut is None else min(cut, offset)
                continue
            if cut is not None and offset + len(data) > cut:
                data = data[:max(0, cut - offset)]
            place = 0
            while place < len(data):
                end = min(len(data), place + SECTOR - (offset + place) % SECTOR)
                if chance == 1.0 or generator.random() < chance:
                    if len(content) < offset + place:
                        content.extend(bytes(offset + place - len(content)))
                    content[offset + place:offset + end] = data[place:end]
                place = end
        if cut is None and len(content) < len(self.live) and generator.random() < 0.5:
            content.extend(bytes(len(self.live) - len(content)))
        return bytes(content)


def resize(content, size):
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


class DirectoryState:
    """One directory: its durable names, its names now, and the changes in between. A name leads to a FileState or a
    DirectoryState."""

    def __init__(self):
        self.durable, self.live, self.pending = {}, {}, []

    def change(self, name, target):
        """`target` is None when the name goes away."""
        self.apply(self.live, name, target)
        self.pending.append((name, target))

    @staticmethod
    def apply(names, name, target):
        if target is None:
            names.pop(name, None)
        else:
            names[name] = target

    def sync(self):
        self.durable = dict(self.live)
        self.pending = []

    def names(self, policy, generator):
        if policy == "keep":
            return self.live
        if policy == "drop" or not self.pending:
            return self.durable
        names = dict(self.durable)
        for name, target in self.pending[:generator.randint(0, len(self.pending))]:
            self.apply(names, name, target)
        return names


class DiskModel:
    """The directory below which the program works."""

    def __init__(self, root):
        """Starts from what is at `root` now, all of it durable."""
        self.root = self.load(root)
        self.by_inode = {}
        self.register(root, self.root)

    def load(self, path):
        directory = DirectoryState()
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                target = self.load(entry.path)
            else:
                with open(entry.path, "rb") as stream:
                    target = FileState(stream.read())
            directory.live[entry.name] = target
        directory.sync()
        return directory

    def register(self, path, directory):
        for name, target in directory.live.items():
            below = os.path.join(path, name)
            if isinstance(target, FileState):
                self.by_inode[os.stat(below).st_ino] = target
            else:
                self.register(below, target)

    def find(self, path):
        target = self.root
        for name in path.split("/") if path else []:
            target = target.live[name]
        return target

    def parent(self, path):
        head, _, name = path.rpartition("/")
        return self.find(head), name

    def apply(self, operation):
        """Lets one operation happen. False when nothing on the disk changed (start, end, output)."""
        kind = operation.kind
        if kind in "PEO":
            return False
        if kind == "C":
            directory, name = self.parent(operation.path)
            self.by_inode[operation.inode] = FileState()
            directory.change(name, self.by_inode[operation.inode])
        elif kind == "W":
            self.by_inode[operation.inode].write(operation.offset, operation.data)
        elif kind == "T":
            self.by_inode[operation.inode].truncate(operation.offset)
        elif kind == "S":
            self.by_inode[operation.inode].sync()
        elif kind == "s":
            self.find(operation.path).sync()
        elif kind == "A":
            self.sync_all(self.root)
        elif kind == "M":
            directory, name = self.parent(operation.path)
            directory.change(name, DirectoryState())
        elif kind in "UD":
            directory, name = self.parent(operation.path)
            directory.change(name, None)
        elif kind in "RL":
            directory, name = self.parent(operation.path)
            target = directory.live[name]
            other, other_name = self.parent(operation.other)
            other.change(other_name, target)
            if kind == "R":
                directory.change(name, None)
        else:
            raise UnmodelledCall(repr(operation))
        return True

    def sync_all(self, directory):
        directory.sync()
        for target in directory.live.values():
            if isinstance(target, FileState):
                target.sync()
            else:
                self.sync_all(target)

    def image(self, policy, seed=0):
        """What a crash now leaves: a map of relative path to content (None for a directory).

        policy: 'keep' everything that was done, 'drop' everything that was not synced, or 'tear' by `seed`."""
        generator = random.Random(seed)
        result = {}
        self.collect(self.root, "", policy, generator, result)
        return result

    def collect(self, directory, prefix, policy, generator, result):
        names = directory.names(policy, generator)
        for name in sorted(names):
            target, path = names[name], prefix + name
            if isinstance(target, DirectoryState):
                result[path] = None
                self.collect(target, path + "/", policy, generator, result)
            elif policy == "keep":
                result[path] = target.live_bytes()
            elif policy == "drop":
                result[path] = target.durable
            else:
                result[path] = target.torn(generator)


def image_digest(image):
    """A number that equal images have in common, as long as this process lives.

    The language keeps the hash of a `bytes` with it, so what an image shares with the one before is not read again."""
    return hash(tuple(image.items()))


def write_image(image, root):
    """Makes an image at `root`, which must not exist."""
    os.makedirs(root)
    for path, content in image.items():
        full = os.path.join(root, path)
        if content is None:
            os.mkdir(full)
        else:
            with open(full, "wb") as stream:
                stream.write(content)
