#!/usr/bin/env python3
"""Measures watches (WATCH): how soon a change is told, many watchers, and watchers that read nothing.

Needs Python and a built `herd`; installs nothing. Starts a herd on free ports of 127.0.0.1, in memory, and stops it. Each
watcher takes a connection on both sides: `crowd` needs twice as many open files as watchers (`ulimit -n`).

    python3 tools/measure/watch.py --herd target/release/herd hops crowd idle nobody

Every load is bounded in time and count. The watchers of `crowd` are read by this script on one core, and reports are sent
by `herd bench`, so on two cores the load generators take most of the time that is measured.
"""

import argparse
import collections
import json
import os
import random
import selectors
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from measure import cpu_seconds
from nearby import resident_mib

NAMES = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"]


def free_base(count):
    """The first of `count` ports in a row that are free now."""
    while True:
        base = random.randrange(20_000, 30_000)
        try:
            for port in range(base, base + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue


class Served:
    """The built-in herd of five servers, or its first server alone."""

    def __init__(self, arguments, alone=False):
        self.folder = tempfile.mkdtemp(prefix="herd-watch-")
        self.base = free_base(15)
        ports = [f"--{kind}-port-base={self.base + 5 * place}" for place, kind in enumerate(["client", "http", "peer"])]
        command = [arguments.herd, "local", "--ephemeral", *ports]
        if alone:
            command = [arguments.herd, "serve", "--name=Hill", "--ephemeral", *ports]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name in NAMES[:1] if alone else NAMES:
            self.connect(name).close()

    def address(self, name):
        return ("127.0.0.1", self.base + NAMES.index(name))

    def connect(self, name):
        for _ in range(200):
            try:
                connection = socket.create_connection(self.address(name))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{name} does not listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)


def watch(connection, subject):
    """Begins a watch, and reads up to its LIVE line."""
    connection.sendall(f"WATCH {subject}\n".encode())
    reader = connection.makefile("rb")
    while not reader.readline().startswith(b"LIVE"):
        pass
    return reader


def told(name, times_s):
    times = sorted(1e3 * each for each in times_s)
    at = lambda part: times[min(int(len(times) * part), len(times) - 1)]
    print(f"  {name:<24} {len(times):>8,}  p50 {at(0.5):8.3f} ms  p99 {at(0.99):8.3f} ms  max {times[-1]:8.3f} ms", flush=True)


def bench(arguments, served, *more):
    """The result of `herd bench` on the first server."""
    command = [arguments.herd, "bench", f"--to=127.0.0.1:{served.base}", "--json", "--quiet", *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout) if done.stdout else {}


def hops(arguments):
    """From a report at Jaquez until its line is read at Campbell, two hops away, in an idle herd."""
    with Served(arguments) as served:
        time.sleep(3)
        with served.connect("Jaquez") as reporter, served.connect("Campbell") as watcher:
            replies, lines, times = reporter.makefile("rb"), watch(watcher, "CLIENT van"), []
            for number in range(arguments.reports):
                at = f"{random.uniform(-80, 80):+.6f}{random.uniform(-170, 170):+.6f}"
                begin = time.perf_counter()
                reporter.sendall(f"IAMAT van {at} {1_600_000_000 + number}\n".encode())
                line = lines.readline()
                times.append(time.perf_counter() - begin)
                assert at.encode() in line, line
                replies.readline()
                time.sleep(arguments.gap_ms * random.uniform(0.5, 1.5) / 1e3)
        told("two hops", times)


def crowd(arguments):
    """Watchers of a client each on one server, while all these clients are reported at a fixed rate."""
    count, rate, seconds = arguments.watchers, arguments.rate, arguments.seconds
    with Served(arguments, alone=True) as served:
        selector, sent, last, times = selectors.DefaultSelector(), {}, {}, []
        halves = collections.defaultdict(bytes)
        for number in range(count):
            connection = served.connect("Hill")
            connection.sendall(f"WATCH CLIENT van{number}\n".encode())
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        stop, clients = threading.Event(), list(range(count))

        def report():
            with served.connect("Hill") as reporter:
                threading.Thread(target=lambda: drain(reporter), daemon=True).start()
                begin, number = time.perf_counter(), 0
                while (now := time.perf_counter()) - begin < seconds:
                    due = int((now - begin) * rate)
                    lines = []
                    for number in range(number, due):
                        client = clients[number % count]
                        stamp = f"{1_600_000_000 + number // count}.{number % 1_000_000_000:09}"
                        lines.append(f"IAMAT van{client} +10.{number % 100000:06}+20 {stamp}\n")
                        sent[stamp.encode()] = time.perf_counter()
                        last[client] = stamp.encode()
                    number = max(number, due)
                    reporter.sendall("".join(lines).encode())
                    time.sleep(0.001)
                time.sleep(2)
            stop.set()

        used = cpu_seconds([served.process.pid])
        threading.Thread(target=report, daemon=True).start()
        newest, lines = {}, 0
        while not stop.is_set():
            for key, _ in selector.select(timeout=0.1):
                data = halves[key.fd] + key.fileobj.recv(65_536)
                now = time.perf_counter()
                *whole, halves[key.fd] = data.split(b"\n")
                for line in whole:
                    fields = line.split(b" ")
                    if fields[0] == b"AT":
                        lines += 1
                        times.append(now - sent[fields[-1]])
                        newest[int(fields[3][3:])] = fields[-1]
        used = cpu_seconds([served.process.pid]) - used
        told(f"{count:,} watchers", times)
        missing = sum(newest.get(client) != stamp for client, stamp in last.items())
        print(f"  {len(sent):,} reports, {lines:,} lines, {missing} newest records not told, "
              f"{used:.1f} s of processor time of the server")


def rest(pid):
    """Waits until a process has nothing to do, or for 15 s."""
    for _ in range(30):
        used = cpu_seconds([pid])
        time.sleep(0.5)
        if cpu_seconds([pid]) - used < 0.02:
            return


def drain(connection):
    try:
        while connection.recv(1 << 20):
            pass
    except OSError:
        pass


def idle(arguments):
    """Watchers that read nothing: memory, and the latency of others, with and without them."""
    with Served(arguments, alone=True) as served:
        load = ["--rate=5000", "--connections=16", "--clients=10000", f"--duration={arguments.seconds}s"]
        bench(arguments, served, *load)
        results, memory = [], []
        for _ in range(2):
            results.append(bench(arguments, served, *load))
            memory.append(resident_mib(served.process.pid))
            if len(results) == 1:
                silent = [served.connect("Hill") for _ in range(1_000)]
                for connection in silent:
                    connection.sendall(b"WATCH ALL\n")
                rest(served.process.pid)
        for name, result, mib in zip(["without", "with 1,000"], results, memory):
            latency = {kind: value.get("latency") for kind, value in result.items() if isinstance(value, dict)}
            print(f"  {name:<12} {mib:8.1f} MiB  {json.dumps(latency)[:400]}", flush=True)


def nobody(arguments):
    """Processor time an update of this build and of an older one, while nobody watches."""
    for number in range(arguments.rounds):
        sides = [("now", arguments.herd), ("before", arguments.before)]
        for side, build in sides if number % 2 == 0 else reversed(sides):
            if not build:
                raise SystemExit("nobody needs --before")
            of_build = argparse.Namespace(**{**vars(arguments), "herd": build})
            with Served(of_build, alone=True) as served:
                used = cpu_seconds([served.process.pid])
                result = bench(arguments, served, "--connections=16", "--pipeline=128", "--look-ups=0",
                               f"--duration={arguments.seconds}s")
                used = cpu_seconds([served.process.pid]) - used
                print(f"  {side:<8} {used:.2f} s of processor time  {json.dumps(result)[:300]}", flush=True)


CASES = {"hops": hops, "crowd": crowd, "idle": idle, "nobody": nobody}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", choices=CASES)
    parser.add_argument("--herd", default="target/release/herd", type=os.path.abspath)
    parser.add_argument("--before", type=os.path.abspath, help="an older build")
    parser.add_argument("--reports", type=int, default=2_000, help="of hops")
    parser.add_argument("--gap-ms", type=float, default=10, help="between two reports of hops")
    parser.add_argument("--watchers", type=int, default=9_000, help="of crowd")
    parser.add_argument("--rate", type=int, default=20_000, help="reports a second of crowd")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for name in arguments.cases:
        print(f"{name}:")
        CASES[name](arguments)


if __name__ == "__main__":
    main()
