"""Runs the real binary: one place that knows the command line and what comes back."""

import json
import os
import shutil
import signal
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.abspath(os.environ.get("VAULT_BINARY", os.path.join(ROOT, ".build/release/vault")))
FAULT_LIBRARY = os.path.abspath(os.environ.get("VAULT_FAULT_LIBRARY", os.path.join(ROOT, ".build/support/libfault.so")))

DONE, PROBLEMS, USAGE, FAILED, NOT_FOUND, UNREACHABLE, IN_USE, DAMAGED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130
DOCUMENTED = {DONE, PROBLEMS, USAGE, FAILED, NOT_FOUND, UNREACHABLE, IN_USE, DAMAGED, INTERRUPTED}
TIMEOUT_SECONDS = 240


class Outcome:
    """How one run of the binary ended."""

    def __init__(self, arguments, status, output, errors, environment=None):
        self.arguments, self.status, self.output, self.errors = arguments, status, output, errors
        self.environment = environment or {}

    @property
    def json(self):
        try:
            return json.loads(self.output)
        except ValueError as error:
            raise AssertionError(f"no JSON on stdout ({error}): {self}") from error

    def __str__(self):
        def shown(raw):
            text = raw.decode(errors="backslashreplace").strip()
            return text if len(text) < 3000 else text[:1500] + " […] " + text[-1500:]
        variables = "".join(f"{key}={value} " for key, value in self.environment.items())
        words = " ".join(repr(word)[1:-1] if isinstance(word, str) else repr(word) for word in self.arguments)
        return (f"{variables}vault {words}\n  ended with {self.status}\n  stdout: {shown(self.output)}\n"
                f"  stderr: {shown(self.errors)}")


def fault_environment(directory, **settings):
    """The environment that loads the shim; settings are fail, kill, stop, count, trace, kinds."""
    environment = {"LD_PRELOAD": FAULT_LIBRARY, "VAULT_FAULT_DIR": os.path.realpath(directory)}
    for key, value in settings.items():
        if value is not None:
            environment[f"VAULT_FAULT_{key.upper()}"] = str(value)
    return environment


def start(*arguments, environment=None, limit=None, output=subprocess.PIPE, directory=None, user=None, binary=None):
    """Starts the binary; whoever calls waits for it. `user` is a number: root becomes that user and nothing else."""
    def prepare():
        if limit:
            import resource
            resource.setrlimit(limit[0], (limit[1], limit[1]))
    return subprocess.Popen(
        [binary or BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, cwd=directory,
        env={**os.environ, "LC_ALL": "C.UTF-8", "NO_COLOR": "1", **(environment or {})},
        preexec_fn=prepare if limit else None, user=user, group=user, extra_groups=None if user is None else [])


def finish(process, arguments, environment=None, timeout=TIMEOUT_SECONDS):
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        errors = (errors or b"") + f"\n(killed by the test after {timeout} s)".encode()
    except BaseException:
        # The test itself is stopped: nothing that it started stays behind.
        process.kill()
        process.wait()
        raise
    return Outcome(arguments, process.returncode, output or b"", errors or b"", environment)


def run(*arguments, environment=None, limit=None, timeout=TIMEOUT_SECONDS, directory=None, user=None, binary=None):
    process = start(*arguments, environment=environment, limit=limit, directory=directory, user=user, binary=binary)
    return finish(process, arguments, environment, timeout)


def backup(repository, *paths, options=(), **how):
    return run("local", "backup", *paths, "--to", repository, "--json", *options, **how)


def restore(repository, target, *paths, options=(), **how):
    return run("local", "restore", *paths, "--from", repository, "--to", target, "--json", *options, **how)


def jobs(repository, **how):
    return run("local", "jobs", "--from", repository, "--json", **how)


def listing(repository, *paths, options=(), **how):
    return run("local", "ls", "--from", repository, "--json", *options, *paths, **how)


def drop(repository, *options, **how):
    return run("local", "drop", "--from", repository, "--json", *options, **how)


def versions(repository, path, options=(), **how):
    return run("local", "ls", "--from", repository, "--json", "--versions", *options, path, **how)


def find(repository, pattern, options=(), **how):
    return run("local", "find", pattern, "--from", repository, "--json", *options, **how)


def diff(repository, old, new, *paths, **how):
    return run("local", "diff", "--from", repository, "--json", "--job", str(old), "--job", str(new), *paths, **how)


def scan(repository, *volumes, **how):
    return run("volume", "scan", *volumes, "--to", repository, "--json", **how)


def interrupt(process):
    process.send_signal(signal.SIGINT)


def scratch(prefix, in_memory=False):
    """A new directory below $TMPDIR, or below /dev/shm when asked and there is room."""
    base = os.path.realpath(tempfile.gettempdir())
    if in_memory and os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 1 << 30:
        base = "/dev/shm"
    return tempfile.mkdtemp(prefix=f"vault-{prefix}-", dir=base)


def remove(directory):
    """Removes a tree whatever modes and flags what is in it has; what lies above it is never touched."""
    def again(function, path, _):
        try:
            for place in (os.path.dirname(path), path):
                if place == directory or place.startswith(os.path.join(directory, "")):
                    if not os.path.islink(place):
                        os.chmod(place, 0o700)
            function(path)
        except OSError:
            pass
    shutil.rmtree(directory, onerror=again)
    if os.path.isdir(directory) and shutil.which("chattr"):
        # Something in it is immutable.
        subprocess.run(["chattr", "-R", "-f", "-i", "-a", directory], stdin=subprocess.DEVNULL, capture_output=True)
        shutil.rmtree(directory, onerror=again)
