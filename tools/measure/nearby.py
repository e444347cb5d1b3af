#!/usr/bin/env python3
"""Measures searches for clients (NEARBY): against Redis, beside reports, over an ocean, and the costs of the index.

Needs Python, a built `herd` and `redis-server` on the PATH (`--redis` names another); installs nothing. Starts each server
alone on free ports of 127.0.0.1, in memory, fills it with clients around 24 cities, and stops it. `--before` names an
older build, against which the costs of updates are compared in turn.

    python3 tools/measure/nearby.py --herd target/release/herd redis
    python3 tools/measure/nearby.py --herd target/release/herd mixed ocean
    python3 tools/measure/nearby.py --herd target/release/herd --before herd-before updates memory

Every load is bounded in time and count. Other work on the machine hardly shows in ratios of one round, and in processor
time.
"""

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from against_redis import start_herd, start_redis
from measure import cpu_seconds

MIB = 1 << 20
OCEANS = [(-35.0, -110.0), (-50.0, 90.0), (30.0, -40.0), (5.0, -150.0)]


def bench(arguments, at, *more, seconds=None):
    """The result of `herd bench nearby`."""
    command = [arguments.herd, "bench", "nearby", *at, "--json", "--quiet", f"--clients={arguments.clients}"]
    command += [f"--duration={seconds or arguments.seconds}s", *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    result = json.loads(done.stdout)
    if done.returncode:
        print(f"  ERRORS {result['errors']}")
    return result


def resident_mib(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


class Served:
    """A server in a folder of its own."""

    def __init__(self, arguments, start, herd=None):
        self.folder = tempfile.mkdtemp(prefix="herd-nearby-")
        of_server = argparse.Namespace(**{**vars(arguments), "herd": herd or arguments.herd, "neighbour": False})
        more = [] if start is start_redis else ["--ephemeral"]
        self.server, self.at = start(of_server, self.folder, more)
        self.pid = self.server.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()
        shutil.rmtree(self.folder)


def told(side, kind):
    latency = kind["latency"]
    print(f"  {side:<8} {kind['per_second']:>10,.0f}/s  p50 {latency['p50_us'] / 1e3:>9.3f} ms  "
          f"p99 {latency['p99_us'] / 1e3:>9.3f} ms", flush=True)


def redis(arguments):
    """Searches alone, one at a time and 16 deep, against GEOSEARCH on the same data."""
    with Served(arguments, start_herd) as herd, Served(arguments, start_redis) as other:
        for radius, pipeline in [(10, 1), (10, 16), (1, 1), (1, 16)]:
            print(f"{radius} km, 20 clients, 50 connections, {pipeline} deep")
            ratios = []
            for number in range(arguments.rounds):
                rates = {}
                sides = [("herd", herd), ("redis", other)]
                for side, served in sides if number % 2 == 0 else reversed(sides):
                    more = [f"--radius={radius}", "--limit=20", "--connections=50", f"--pipeline={pipeline}"]
                    result = bench(arguments, served.at, *more)
                    told(side, result["nearby"])
                    rates[side] = result["nearby"]["per_second"]
                ratios.append(rates["herd"] / max(rates["redis"], 1e-9))
            print(f"  = herd to Redis: {statistics.median(ratios):.1f} times "
                  f"({min(ratios):.1f} to {max(ratios):.1f})")


def mixed(arguments):
    """Searches at a fixed rate with and without 20,000 reports a second beside them, and those reports alone."""
    with Served(arguments, start_herd) as herd:
        base = ["--radius=10", "--limit=20", "--connections=50"]
        for _ in range(arguments.rounds):
            searches = bench(arguments, herd.at, *base, "--rate=2000")
            reports = bench(arguments, herd.at, *base, "--searches=0", "--rate=20000")
            both = bench(arguments, herd.at, *base, "--searches=9", "--rate=22000")
            told("searches", searches["nearby"])
            told("reports", reports["iamat"])
            told("both: s", both["nearby"])
            told("both: r", both["iamat"])
            p99 = lambda result, kind: result[kind]["latency"]["p99_us"]
            print(f"  = p99 of searches {p99(both, 'nearby') / p99(searches, 'nearby'):.2f} times, "
                  f"of reports {p99(both, 'iamat') / p99(reports, 'iamat'):.2f} times")


def make_index(at):
    """Asks a herd for an area, which makes the index; from then on each update keeps it."""
    host, port = at[1].rsplit(":", 1)
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"NEARBY POINT +0+0 1 1\n")
        reader = client.makefile("rb")
        while reader.readline() not in (b"\n", b""):
            pass


def ocean(arguments):
    """The nearest ten clients from the middle of an ocean, one question at a time."""
    with Served(arguments, start_herd) as herd:
        bench(arguments, herd.at, "--connections=50", seconds=1)
        host, port = herd.at[1].rsplit(":", 1)
        with socket.create_connection((host, int(port))) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader, times = client.makefile("rb"), []
            for _ in range(5_000):
                latitude, longitude = random.choice(OCEANS)
                point = f"{latitude + random.uniform(-5, 5):+.6f}{longitude + random.uniform(-5, 5):+.6f}"
                begin = time.perf_counter()
                client.sendall(f"NEARBY POINT {point} * 10\n".encode())
                while reader.readline() != b"\n":
                    pass
                times.append(1e3 * (time.perf_counter() - begin))
        times.sort()
        print(f"ocean: p50 {times[len(times) // 2]:.3f} ms, p99 {times[len(times) * 99 // 100]:.3f} ms")


def updates(arguments):
    """Processor time an update of both builds in turn, the index made: clients that drive, and clients that jump."""
    with Served(arguments, start_herd) as now, Served(arguments, start_herd, arguments.before) as before:
        make_index(now.at)
        for movement in (["--drive=15"], []):
            ratios = []
            for number in range(arguments.rounds + 1):
                used = {}
                sides = [("now", now), ("before", before)]
                for side, served in sides if number % 2 == 0 else reversed(sides):
                    # The fill, too, is updates; both sides have the same.
                    begun = cpu_seconds([served.pid])
                    result = bench(arguments, served.at, "--searches=0", "--connections=16", "--pipeline=128",
                                   "--warmup=0s", *movement)
                    count = result["iamat"]["count"] + arguments.clients
                    used[side] = 1e6 * (cpu_seconds([served.pid]) - begun) / count
                print(f"  {' '.join(movement) or 'jump':<12} us an update: now {used['now']:.3f}, "
                      f"before {used['before']:.3f}", flush=True)
                # In the first round all clients are new.
                if number > 0:
                    ratios.append(used["now"] / used["before"])
            print(f"  = {statistics.median(ratios):.3f} times ({min(ratios):.3f} to {max(ratios):.3f})")


def memory(arguments):
    """What all clients take, with the index, against Redis and the build before."""
    sides = [("herd", start_herd, None), ("redis", start_redis, None)]
    sides += [("before", start_herd, arguments.before)] if arguments.before else []
    for side, start, build in sides:
        with Served(arguments, start, build) as served:
            empty = resident_mib(served.pid)
            if side == "herd":
                make_index(served.at)
            bench(arguments, served.at, "--searches=0", "--connections=50", "--rate=1", seconds=1)
            full = resident_mib(served.pid)
            print(f"  {side:<8} {full:.0f} MiB, {empty:.0f} of them empty", flush=True)


CASES = {"redis": redis, "mixed": mixed, "ocean": ocean, "updates": updates, "memory": memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", choices=CASES)
    parser.add_argument("--herd", default="target/release/herd", type=os.path.abspath)
    parser.add_argument("--before", type=os.path.abspath, help="an older build")
    parser.add_argument("--redis", default="redis-server")
    parser.add_argument("--clients", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    for name in arguments.cases:
        print(f"{name}: {arguments.clients:,} clients")
        CASES[name](arguments)


if __name__ == "__main__":
    main()
