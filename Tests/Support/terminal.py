"""Runs the real binary on a terminal of its own."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import program

ORDER = re.compile(rb"\x1b\[[?0-9;]*[a-zA-Z]|\r|\n")


def resize(descriptor, columns):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


class Screen:
    """What one run wrote to its terminal: `raw`, and how it ended: `status`."""

    def __init__(self, *arguments, columns=80, environment=None, errors_only=False, begun=None, follow=None):
        """With `errors_only` standard output is no terminal. `begun` is called with the process when it was started,
        `follow` with the process, the terminal and what came so far."""
        controller, terminal = pty.openpty()
        resize(terminal, columns)
        variables = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **(environment or {})}
        output = os.open(os.devnull, os.O_WRONLY) if errors_only else terminal
        process = os.posix_spawn(
            program.BINARY, [program.BINARY, *arguments], variables,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, output, 1),
                          (os.POSIX_SPAWN_DUP2, terminal, 2), (os.POSIX_SPAWN_CLOSE, controller)])
        os.close(terminal)
        if begun:
            begun(process)
        self.raw, end = b"", time.monotonic() + program.TIMEOUT_SECONDS
        while True:
            if not select.select([controller], [], [], max(0, end - time.monotonic()))[0]:
                os.kill(process, signal.SIGKILL)
                break
            try:
                piece = os.read(controller, 65536)
            except OSError:
                break
            if not piece:
                break
            self.raw += piece
            if follow:
                follow(process, controller, self.raw)
        os.close(controller)
        if errors_only:
            os.close(output)
        self.status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    @property
    def lines(self):
        """The progress lines, one for each time it was written."""
        return [line.decode() for line in re.findall(rb"\r\x1b\[\?7l(.*?)\x1b\[K\x1b\[\?7h", self.raw, re.DOTALL)]

    @property
    def rest(self):
        """What stays on the screen."""
        text = re.sub(rb"\r\x1b\[\?7l.*?\x1b\[K\x1b\[\?7h", b"", self.raw, flags=re.DOTALL)
        return text.replace(b"\r\x1b[K", b"").replace(b"\r\n", b"\n").decode()
