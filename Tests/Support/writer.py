"""A process that changes a tree without a pause until it is killed: writer.py BUSY CANARY SEED.

It truncates, extends, renames and deletes, and puts symbolic links to CANARY where directories and files were. It follows
none of them itself: what is in CANARY stays there."""

import os
import random
import shutil
import sys

FOLDERS, FILES = 24, 30


class Writer:
    """What it meets may be anything: another writer is at work."""

    def __init__(self, busy, canary, seed):
        self.busy, self.canary, self.random = busy, canary, random.Random(seed)

    def folder(self):
        return os.path.join(self.busy, f"folder{self.random.randrange(FOLDERS):02}")

    def name(self):
        return f"f{self.random.randrange(FILES):02}"

    def bytes(self, *sizes):
        return self.random.randbytes(self.random.choice(sizes))

    # ---- Changes of folders

    def folder_becomes_link(self):
        """A directory moves away, and a link to the canary takes its name."""
        folder = self.folder()
        os.rename(folder, folder + ".moved")
        os.symlink(self.canary, folder)

    def link_becomes_folder(self):
        folder = self.folder()
        if os.path.islink(folder):
            os.unlink(folder)
            os.rename(folder + ".moved", folder)

    # ---- Changes in a folder, which is an open directory

    def open_file(self, folder, flags):
        return os.open(self.name(), flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644, dir_fd=folder)

    def truncate(self, folder, other):
        file = self.open_file(folder, os.O_WRONLY)
        os.ftruncate(file, self.random.choice((0, 1, 4096, 100_000, 2 << 20)))
        os.close(file)

    def extend(self, folder, other):
        file = self.open_file(folder, os.O_WRONLY | os.O_APPEND)
        os.write(file, self.bytes(1, 5000, 100_000))
        os.close(file)

    def rewrite(self, folder, other):
        file = self.open_file(folder, os.O_WRONLY)
        os.pwrite(file, self.bytes(3000), self.random.randrange(2_000_000))
        os.close(file)

    def make(self, folder, other):
        file = self.open_file(folder, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(file, self.bytes(0, 10, 20_000))
        os.close(file)

    def mode(self, folder, other):
        file = self.open_file(folder, os.O_RDONLY)
        os.fchmod(file, self.random.choice((0o600, 0o644, 0o4755)))
        os.close(file)

    def rename(self, folder, other):
        os.rename(self.name(), self.name(), src_dir_fd=folder, dst_dir_fd=other)

    def link(self, folder, other):
        os.link(self.name(), self.name(), src_dir_fd=folder, dst_dir_fd=other, follow_symlinks=False)

    def remove(self, folder, other):
        os.unlink(self.name(), dir_fd=folder)

    def file_becomes_link(self, folder, other):
        name = self.name()
        os.unlink(name, dir_fd=folder)
        os.symlink(os.path.join(self.canary, name), name, dir_fd=folder)

    def file_becomes_fifo(self, folder, other):
        name = self.name()
        os.unlink(name, dir_fd=folder)
        os.mkfifo(name, dir_fd=folder)

    def file_becomes_folder(self, folder, other):
        name = self.name()
        os.unlink(name, dir_fd=folder)
        os.mkdir(name, dir_fd=folder)
        os.close(os.open(f"{name}/inside", os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder))

    def folder_becomes_file(self, folder, other):
        name = self.name()
        shutil.rmtree(name, dir_fd=folder)
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder))

    FOLDER_CHANGES = ((folder_becomes_link, 3), (link_becomes_folder, 4))
    FILE_CHANGES = (
        (truncate, 4), (extend, 4), (rewrite, 4), (rename, 4), (remove, 2), (make, 6), (link, 1), (mode, 2),
        (file_becomes_link, 1), (file_becomes_fifo, 1), (file_becomes_folder, 1), (folder_becomes_file, 1))

    def choose(self, changes):
        return self.random.choices([change for change, _ in changes], [weight for _, weight in changes])[0]

    def change(self):
        if self.random.random() < 0.2:
            return self.choose(self.FOLDER_CHANGES)(self)
        descriptors = []
        try:
            for _ in range(2):
                path = self.folder() + (".moved" if self.random.random() < 0.2 else "")
                descriptors.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))
            self.choose(self.FILE_CHANGES)(self, *descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def run(self):
        while True:
            try:
                self.change()
            except OSError:
                pass


if __name__ == "__main__":
    Writer(sys.argv[1], sys.argv[2], sys.argv[3]).run()
