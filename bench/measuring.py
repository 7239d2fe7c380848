"""What a command costs: its own time and memory, and those of daemons that work for it."""

import os
import signal
import subprocess
import tempfile
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
#: A phase that takes longer hangs.
PHASE_SECONDS = 1800
#: A daemon that takes longer to begin or to end hangs.
PATIENCE_SECONDS = 30
SAMPLE_SECONDS = 0.1


class Failure(Exception):
    """Something that is measured, or that measuring needs, did not work."""


def eventually(condition, what, seconds=PATIENCE_SECONDS):
    """Asks again and again until the answer is true, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.05)
    return found


class Daemon:
    """A process that runs until it is told to end; Ctrl-C of the terminal does not reach it, its owner ends it."""

    def __init__(self, name, command, log, end=signal.SIGTERM, **how):
        self.name, self.log, self.end = name, log, end
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **how)
        self.pid = self.process.pid

    def await_ready(self, condition):
        """Returns once the condition holds; fails when the process ends before."""
        def is_ready():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
            return condition()
        try:
            eventually(is_ready, f"{self.name} does not serve")
        except Failure as failure:
            raise Failure(f"{failure}\n{self.tail()}") from None

    def tail(self):
        with open(self.log, "rb") as stream:
            return stream.read()[-2000:].decode(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(self.end)
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def run(command, text="", seconds=120, **how):
    """Runs a command that is not measured, with a text as its input; its output, or a failure that shows it."""
    try:
        done = subprocess.run(command, input=text, text=True, errors="replace", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds, **how)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(command)} takes more than {seconds} s") from None
    if done.returncode:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def process_table():
    """Parent and processor seconds (with those of ended children) of every process."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stream:
                    fields = stream.read().rpartition(")")[2].split()
            except OSError:
                continue
            table[int(name)] = (int(fields[1]), sum(int(field) for field in fields[11:15]) / TICKS)
    return table


def family(root, table):
    """A process and all below it."""
    members = [root] if root in table else []
    for member in members:
        members += [pid for pid, (parent, _) in table.items() if parent == member]
    return members


def memory(pid, key):
    """A line of /proc/PID/status in bytes; 0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as stream:
            return next((int(line.split()[1]) * 1024 for line in stream if line.startswith(key + ":")), 0)
    except OSError:
        return 0


class DaemonCosts:
    """What daemons take between `begin` and `end`.

    A lone process tells its own peak, which `begin` resets. The processes of a database share most of their pages: for a
    family the private memory of all of it is added up, ten times a second."""

    def __init__(self, daemons):
        self.daemons = daemons
        self.peaks = {daemon.name: 0 for daemon in daemons}
        self.is_over = threading.Event()
        self.sampler = threading.Thread(target=self.sample, daemon=True)

    def seconds(self):
        table = process_table()
        return {daemon.name: sum(table[pid][1] for pid in family(daemon.pid, table)) for daemon in self.daemons}

    def begin(self):
        for daemon in self.daemons:
            for pid in family(daemon.pid, process_table()):
                try:
                    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as stream:
                        stream.write("5")
                except OSError:
                    # It has ended, or belongs to another user; its peak is that of its whole life then.
                    pass
        self.before = self.seconds()
        if self.daemons:
            self.sampler.start()

    def sample(self):
        while True:
            table = process_table()
            for daemon in self.daemons:
                members = family(daemon.pid, table)
                found = (memory(daemon.pid, "VmHWM") if len(members) == 1
                         else sum(memory(pid, "RssAnon") for pid in members))
                self.peaks[daemon.name] = max(self.peaks[daemon.name], found)
            if self.is_over.wait(SAMPLE_SECONDS):
                return

    def end(self):
        after = self.seconds()
        self.is_over.set()
        if self.daemons:
            self.sampler.join()
        return {name: {"cpuSeconds": round(after[name] - self.before[name], 3),
                       "peakMegabytes": round(self.peaks[name] / 2**20, 1)} for name in after}


def measure(command, daemons=(), seconds=PHASE_SECONDS, text=None, **how):
    """Runs a command: wall time, processor time (children and daemons included), and the peak memory of every process.

    - text: what it reads from its standard input."""
    with tempfile.TemporaryFile() as log, tempfile.TemporaryFile() as given:
        given.write((text or "").encode())
        given.seek(0)
        costs = DaemonCosts(daemons)
        costs.begin()
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=given, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, **how)
        is_late = threading.Event()

        def end_late():
            is_late.set()
            os.killpg(process.pid, signal.SIGKILL)

        limit = threading.Timer(seconds, end_late)
        limit.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            costs.is_over.set()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            limit.cancel()
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        others = costs.end()
        log.seek(0)
        output = log.read().decode(errors="replace")
    if is_late.is_set():
        raise Failure(f"{' '.join(command)}\ntakes more than {seconds} s: {output[-2000:]}")
    if process.returncode:
        raise Failure(f"{' '.join(command)}\nended with {process.returncode}: {output[-2000:]}")
    own = {"cpuSeconds": round(usage.ru_utime + usage.ru_stime, 3), "peakMegabytes": round(usage.ru_maxrss / 1024, 1)}
    processes = {"command": own, **others}
    begin = time.monotonic()
    os.sync()
    sync = time.monotonic() - begin
    return {"wallSeconds": round(wall, 3), "cpuSeconds": round(sum(each["cpuSeconds"] for each in processes.values()), 3),
            "peakMegabytes": round(sum(each["peakMegabytes"] for each in processes.values()), 1), "processes": processes,
            "syncSeconds": round(sync, 3), "durableSeconds": round(wall + sync, 3), "load": round(os.getloadavg()[0], 2), "output": output}


def tree_bytes(place):
    """The lengths of all files below a directory."""
    return sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in os.walk(place) for name in names)
