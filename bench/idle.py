"""What a thousand connections that say nothing cost a director: they have been authenticated, said hello, and wait."""

import base64
import hashlib
import hmac
import os
import re
import select
import subprocess
import time

from measuring import Failure, PATIENCE_SECONDS, memory, run
from vault_net import Fleet

CONNECTIONS = int(os.environ.get("CONNECTIONS") or "1000")
#: So much more memory they may take together; no thread in any case.
GROWTH_LIMIT = 50 << 20
IDENTITY = "1 control console *default* director bench-dir"


def derived_key(configuration):
    """The key of the connection: HKDF-SHA256 without salt over the shared secret, with the identity as information."""
    with open(configuration, encoding="utf-8") as stream:
        secret = base64.b64decode(re.search(r'"key:([^"]+)"', stream.read()).group(1))
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, IDENTITY.encode() + b"\x01", hashlib.sha256).hexdigest()


def footprint(pid):
    return {"threads": len(os.listdir(f"/proc/{pid}/task")), "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "residentBytes": memory(pid, "VmRSS"), "privateBytes": memory(pid, "RssAnon")}


def await_ready(process):
    ready, _, _ = select.select([process.stdout], [], [], 4 * PATIENCE_SECONDS)
    if not ready or process.stdout.readline() != b"ready\n":
        process.kill()
        raise Failure(f"the connections could not be opened: {process.stderr.read().decode(errors='replace')}")


def measure_idle(program, place):
    """The director's threads, descriptors and memory before, with all connections open, and after they have gone."""
    os.makedirs(os.path.dirname(place), exist_ok=True)
    helper = place + ".helper"
    run([os.environ.get("CC") or "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", helper,
         os.path.join(os.path.dirname(os.path.abspath(__file__)), "idle.c"), "-lssl", "-lcrypto"])
    fleet = Fleet(program, place)
    process = None
    try:
        fleet.start({"nothing": place})
        [director] = [daemon for daemon in fleet.daemons if daemon.name == "dir"]
        before = footprint(director.pid)
        begin = time.monotonic()
        process = subprocess.Popen(
            [helper, str(fleet.ports["dir"]), IDENTITY, derived_key(fleet.conf("console")), str(CONNECTIONS),
             "Hello = console *default* calling vault/bench features=1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        await_ready(process)
        seconds = time.monotonic() - begin
        # What handshakes left behind is given back meanwhile, if it is.
        time.sleep(1)
        during = footprint(director.pid)
        process.stdin.close()
        process.wait(PATIENCE_SECONDS)
        time.sleep(1)
        after = footprint(director.pid)
    finally:
        if process and process.poll() is None:
            process.kill()
            process.wait()
        fleet.stop()
    grown = during["residentBytes"] - before["residentBytes"]
    return {"connections": CONNECTIONS, "openedInSeconds": round(seconds, 3), "before": before, "during": during,
            "after": after, "isWithinLimits": during["threads"] <= before["threads"] and grown < GROWTH_LIMIT}


def show(found):
    print(f"\n{found['connections']} idle connections, opened in {found['openedInSeconds']:.2f} s: "
          f"{'within' if found['isWithinLimits'] else 'ABOVE'} the limits (no thread and less than 50 MiB more)")
    for when in ("before", "during", "after"):
        print(f"  {when:6}  {found[when]['threads']:4} threads  {found[when]['descriptors']:5} descriptors  "
              f"{found[when]['residentBytes'] / 2**20:6.1f} MiB resident, {found[when]['privateBytes'] / 2**20:.1f} of it its own")
