"""Measures a server that has forgotten all clients. `lifetime.py tombstones` runs it."""

import signal
import time
import urllib.request

from lifetime import Servers, bench, fill, p99_ms, result_of, wait_for
from measure import resident_mib

# Each step of an erasure takes an eighth of it.
ERASE_WITHIN_S = 40
ERASED_WAIT_MAX_S = 600
# The store has written everything by then.
WRITTEN_AFTER_S = 3


def unerased(server):
    """Clients whose locations may still be on the disk."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http}/metrics", timeout=5) as reply:
        for line in reply.read().decode().splitlines():
            if line.startswith("herd_forgotten_unerased "):
                return int(float(line.split()[1]))
    raise ValueError("no herd_forgotten_unerased")


def written_mib(server):
    """What the process has had written to the disk."""
    with open(f"/proc/{server.process.pid}/io", encoding="ascii") as file:
        for line in file:
            if line.startswith("write_bytes:"):
                return int(line.split()[1]) / (1 << 20)
    raise ValueError("no write_bytes")


def erased(server):
    """Waits until the store has purged; returns for how long, and what was written meanwhile."""
    before = written_mib(server)
    took = wait_for(lambda: unerased(server) == 0, "all is erased", gap_s=0.1, wait_s=ERASED_WAIT_MAX_S)
    return f"{took:.1f} s and {written_mib(server) - before:.0f} MiB of writes"


def tombstones(arguments):
    """Memory, a start, reports among the tombstones, and the erasure: after the forgetting, and after the start."""
    load = ["--duration=8s", "--clients=10000", "--connections=16", "--pipeline=16"]
    more = ["--data-dir", "data", "--drain-delay", "0s", "--erase-within", f"{ERASE_WITHIN_S}s"]
    with Servers(arguments, ["Hill"], more) as servers:
        (hill,) = servers.all
        # Of clients that stay known: they are no tombstones.
        usual = result_of(bench([hill], arguments, *load))
        (before,) = resident_mib(servers.pids())
        start = time.monotonic()
        fill(hill, arguments.clients, forgets=True)
        took = time.monotonic() - start
        time.sleep(WRITTEN_AFTER_S)
        (full,) = resident_mib(servers.pids())
        first = erased(hill)
        among = result_of(bench([hill], arguments, *load))
        time.sleep(WRITTEN_AFTER_S)
        hill.end(signal.SIGTERM)
        start = hill.start()
        wait_for(hill.is_ready, "all is read")
        ready = time.monotonic() - start
        again = erased(hill)
    print(f"{arguments.clients:,} clients forgotten in {took:.2f} s: {full:.0f} MiB, {before:.0f} MiB before, "
          f"{(full - before) * (1 << 20) / arguments.clients:.0f} bytes a tombstone; start {ready:.2f} s; reports "
          f"p99 {p99_ms(among):.2f} ms, {p99_ms(usual):.2f} ms before; "
          f"{among['iamat']['per_second']:,.0f} a second, {usual['iamat']['per_second']:,.0f} before; erased after "
          f"{first}, and once more after the start, after {again}, with --erase-within {ERASE_WITHIN_S}s")
