"""Writes volumes as vault-volume(5) describes them, with right checksums, and whatever one likes inside.

Nothing here is shared with the program but the checksum library."""

import ctypes
import ctypes.util
import struct
import uuid

UNIT = 4096
DATA, ATTRIBUTES, COMMIT = 1, 2, 3
LABEL, START, GROUPS, END = 1, 2, 3, 4


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


LIBRARY = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
LIBRARY.XXH3_64bits.restype = ctypes.c_uint64
LIBRARY.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
LIBRARY.XXH3_128bits.restype = Hash128
LIBRARY.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def checksum64(data):
    return LIBRARY.XXH3_64bits(data, len(data))


def checksum128(data):
    value = LIBRARY.XXH3_128bits(data, len(data))
    return struct.pack(">QQ", value.high, value.low)


def string(data):
    return struct.pack("<I", len(data)) + data


# ---- Records

def record(kind, payload, length=None, critical=True):
    return struct.pack("<HHI", kind, 1 if critical else 0, len(payload) if length is None else length) + payload


def directory(number, path):
    return record(1, struct.pack("<Q", number) + path)


def entry(index, folder, name, kind=1, form=None, mode=0o644, inode=0, links=1, size=0, content=b"", target=None,
          name_length=None, nanoseconds=0):
    """An entry record; regular files have their own content unless another form is asked for."""
    if form is None:
        form = 1 if kind == 1 else 0
    fixed = struct.pack(
        "<QQBBHIIIQQIIqqIIqQQII", index, folder, kind, form, len(name) if name_length is None else name_length, mode, 0, 0,
        inode, 77, links, nanoseconds, 1_600_000_000, 1_600_000_000, 0, 0, 1_600_000_000, size, 0, 0, 0)
    tags = b"" if target is None else struct.pack("<HHI", 1, 1, len(target)) + target
    return record(2, fixed + name + content + tags)


def stored(session, index, size, digest):
    return session + struct.pack("<QQBB6x", index, size, 1, 0) + digest


def content(index, data, offset=0):
    return record(3, struct.pack("<QQ", index, offset) + data)


def seal(index, size, digest, algorithm=1):
    return record(4, struct.pack("<QQBB6x", index, size, algorithm, 0) + digest)


def deletion(folder, name):
    return record(5, struct.pack("<Q", folder) + name)


def problem(folder, name, phase=3):
    return record(7, struct.pack("<QiB3x", folder, 5, phase) + name, critical=False)


def job(session, number=1, sequence=None, base=0, level=1, host=b"host", tree=b"tree", paths=(b"/",), count=None):
    sequence = number if sequence is None else sequence
    return record(16, struct.pack("<Q", number) + session + struct.pack(
        "<QQqB3xI", sequence, base, 1_600_000_000 * 10**9, level, len(paths) if count is None else count)
        + string(host) + string(tree) + b"".join(map(string, paths)))


def job_end(status="T"):
    return record(17, struct.pack("<I4xq15Q", ord(status), 1_600_000_100 * 10**9, *[0] * 15))


# ---- Groups and blocks

def group(kind, session, number, records, first_entry=1, first_offset=0, raw=None, stored_bytes=None, attempt=1,
          codec=0, stored_length=None):
    data = records if stored_bytes is None else stored_bytes
    header = struct.pack(
        "<4sHBBB3xI16sIIQQQII32x16s", b"VGRP", 0, kind, codec, 0, 1, session, attempt, 1, number, first_entry, first_offset,
        len(records) if raw is None else raw, len(data) if stored_length is None else stored_length, checksum128(data))
    return header + struct.pack("<Q", checksum64(header)) + data


def groups_of(path):
    """The groups on a volume that the program wrote, in order: kind, codec, raw length and stored bytes."""
    with open(path, "rb") as stream:
        volume = stream.read()
    place = 0
    while place < len(volume):
        if volume[place:place + 4] != b"VBLK":
            place += UNIT
            continue
        kind, length = struct.unpack_from("<2xBx8xI", volume, place + 4)
        group_place, end = place + 80, place + length
        while kind == GROUPS and group_place < end:
            magic, group_kind, codec, raw, count = struct.unpack_from("<4s2xBB56xII", volume, group_place)
            assert magic == b"VGRP", (path, group_place)
            stored_bytes = volume[group_place + 128:group_place + 128 + count]
            assert checksum128(stored_bytes) == volume[group_place + 104:group_place + 120], (path, group_place)
            yield group_kind, codec, raw, stored_bytes
            group_place += 128 + count
        place += -(-length // UNIT) * UNIT


def digest_of(whole_group):
    return whole_group[104:120]


class Volume:
    """A volume in the making: blocks are appended, commits are right unless asked otherwise."""

    def __init__(self, repository=None, name=b"vol-0001", block_size=1 << 20):
        self.repository = repository or uuid.uuid4().bytes
        self.identifier = uuid.uuid4().bytes
        self.bytes, self.number = b"", 0
        label = record(48, self.repository + struct.pack("<qQI", 1_600_000_000 * 10**9, 1 << 32, block_size)
                       + string(name) + string(b"Default") + string(b"File"))
        self.block(LABEL, label, session=bytes(16), attempt=0)

    def block(self, kind, payload, session, attempt=1, first=0, last=0, number=None, length=None):
        header = struct.pack(
            "<4sHBBQII16sQ16sQQ", b"VBLK", 0, kind, 0, 0, 80 + len(payload) if length is None else length, attempt,
            self.identifier, self.number if number is None else number, session, first, last)
        checksum = checksum64(header + payload)
        whole = header[:8] + struct.pack("<Q", checksum) + header[16:] + payload
        self.bytes += whole + bytes(-len(whole) % UNIT)
        self.number += 1

    def session(self, groups, number=1, session=None, job_record=None, end="T", commit=None, **how):
        """A whole session: its start, one block of groups (kind, records, keywords), their commit, its end."""
        session = session or uuid.uuid4().bytes
        self.block(START, job_record if job_record is not None else job(session, number, **how), session)
        built = []
        for place, (kind, records, *options) in enumerate(groups, 1):
            built.append(group(kind, session, place, records, **(options[0] if options else {})))
        rolling = checksum128(bytes(16) + b"".join(map(digest_of, built)))
        if commit is None:
            commit = record(32, struct.pack("<Q", 1) + rolling + struct.pack("<II", 1, 0)
                            + struct.pack("<IIQQ", 1, 0, 1, len(built)))
        built.append(group(COMMIT, session, 0, commit, first_entry=0))
        self.block(GROUPS, b"".join(built), session, first=1, last=max(1, len(built) - 1))
        if end:
            self.block(END, job_end(end), session)
        return session

    def write(self, path):
        with open(path, "wb") as stream:
            stream.write(self.bytes)
