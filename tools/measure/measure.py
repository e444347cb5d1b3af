#!/usr/bin/env python3
"""Measures a herd of five on this machine: propagation, catching up, idling, endless updates.

Starts `herd local --ephemeral` itself, on ports of its own, and stops it. Needs nothing but Python and
a built `herd`. Every load is bounded in time and count.

    python3 tools/measure/measure.py --herd target/release/herd two-hops
    python3 tools/measure/measure.py --herd target/release/herd spread --clients 100000
    python3 tools/measure/measure.py --herd target/release/herd idle --clients 100000
    python3 tools/measure/measure.py --herd target/release/herd soak --minutes 10
    python3 tools/measure/measure.py --herd target/release/herd start
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import time

NAMES = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"]
# Below the ports that the system gives to outgoing connections, or one of those may be in the way.
CLIENT_BASE, HTTP_BASE, PEER_BASE = 22000, 23000, 24000
BATCH = 500


class Herd:
    """Five servers, as `herd local` starts them."""

    def __init__(self, herd, store=("--ephemeral",)):
        arguments = ["--client-port-base", CLIENT_BASE, "--http-port-base", HTTP_BASE]
        arguments += ["--peer-port-base", PEER_BASE, "--log", "warn", *store]
        self.process = subprocess.Popen(
            [herd, "local", *map(str, arguments)], stdout=subprocess.DEVNULL
        )
        for name in NAMES:
            wait_for(lambda: try_connect(name) is not None, 10, f"{name} answers")
        # One record from each server everywhere: all links are up.
        for name in NAMES:
            Client(name).report([f"ready-{name}"])
        for name in NAMES:
            client = Client(name)
            wait_for(lambda: all(client.knows(f"ready-{n}") for n in NAMES), 20, f"{name} is linked")

    def pids(self):
        """Process ids of the five servers."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as children:
            return [int(pid) for pid in children.read().split()]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Client:
    """One connection to one server."""

    def __init__(self, name):
        self.socket = try_connect(name)
        self.file = self.socket.makefile("rb", buffering=1 << 20)

    def report(self, clients, at=None):
        """Reports all of `clients`, pipelined, and waits for the replies."""
        at = at if at is not None else f"{time.time():.9f}"
        for start in range(0, len(clients), BATCH):
            batch = clients[start : start + BATCH]
            lines = [f"IAMAT {client} +34.068930-118.445127 {at}\n" for client in batch]
            self.socket.sendall("".join(lines).encode())
            for _ in batch:
                reply = self.file.readline()
                if not reply.startswith(b"AT "):
                    sys.exit(f"not acknowledged: {reply!r}")

    def time_of(self, client):
        """The time of a client's record as text, or None."""
        self.socket.sendall(f"WHATSAT {client} 0 0\n".encode())
        first = self.file.readline()
        if first.startswith(b"?"):
            return None
        while self.file.readline() != b"\n":
            pass
        return first.split()[-1].decode()

    def knows(self, client):
        return self.time_of(client) is not None

    def count_known(self, clients):
        """How many of `clients` the server knows."""
        known = 0
        for start in range(0, len(clients), BATCH):
            batch = clients[start : start + BATCH]
            self.socket.sendall("".join(f"WHATSAT {c} 0 0\n" for c in batch).encode())
            for _ in batch:
                if not self.file.readline().startswith(b"?"):
                    known += 1
                    while self.file.readline() != b"\n":
                        pass
        return known


def try_connect(name):
    connection = socket.socket()
    connection.settimeout(30)
    try:
        connection.connect(("127.0.0.1", CLIENT_BASE + NAMES.index(name)))
    except OSError:
        return None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.001)


def cpu_seconds(pids):
    """Processor time that these processes have used so far."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mib(pids):
    """Resident memory of each process, in MiB."""
    sizes = []
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        sizes.append(int(line.split()[1]) / 1024)
    return sizes


def descriptors(pids):
    return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]


def percentile(values, percent):
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def two_hops(arguments):
    """From the IAMAT's start at Jaquez to the first WHATSAT at Campbell that knows it."""
    with Herd(arguments.herd):
        jaquez, campbell = Client("Jaquez"), Client("Campbell")
        times_ms = []
        for number in range(arguments.count):
            client = f"hop-{number}"
            start = time.monotonic()
            jaquez.report([client])
            while not campbell.knows(client):
                pass
            times_ms.append((time.monotonic() - start) * 1000)
            # Idle in between, and not in step with anything.
            time.sleep(0.02 + 0.001 * (number * 7 % 23))
    print(f"Jaquez to Campbell, idle herd, {arguments.count} reports: "
          f"p50 {percentile(times_ms, 50):.2f} ms, p99 {percentile(times_ms, 99):.2f} ms, "
          f"max {max(times_ms):.2f} ms")


def spread(arguments):
    """All clients reported to one server, until all five know all of them."""
    clients = [f"client-number-{number:07}" for number in range(arguments.clients)]
    with Herd(arguments.herd) as herd:
        start = time.monotonic()
        Client("Hill").report(clients)
        reported = time.monotonic() - start
        for name in NAMES:
            client = Client(name)
            # The last ones first: they are the last to come.
            wait_for(lambda: client.knows(clients[-1]), 120, f"{name} knows the last")
            wait_for(lambda: client.count_known(clients) == len(clients), 120, f"{name} knows all")
        total = time.monotonic() - start
        memory = resident_mib(herd.pids())
    print(f"{len(clients)} clients to Hill: acknowledged after {reported:.2f} s, "
          f"asked for and known one by one on all five after {total:.2f} s; "
          f"memory {min(memory):.0f} to {max(memory):.0f} MiB a server")


def idle(arguments):
    """Processor time of an idle herd, empty and full."""
    with Herd(arguments.herd) as herd:
        pids = herd.pids()
        for held in (0, arguments.clients):
            clients = [f"client-number-{number:07}" for number in range(held)]
            if clients:
                Client("Hill").report(clients)
                for name in NAMES:
                    wait_for(lambda: Client(name).knows(clients[-1]), 120, f"{name} knows the last")
            time.sleep(5)
            before = cpu_seconds(pids)
            time.sleep(arguments.seconds)
            used = cpu_seconds(pids) - before
            print(f"idle with {held} clients: {100 * used / arguments.seconds:.2f} % of a core "
                  f"for all five, over {arguments.seconds} s")


def soak(arguments):
    """Endless updates of the same 10,000 clients: does anything grow?"""
    clients = [f"client-number-{number:05}" for number in range(10_000)]
    with Herd(arguments.herd) as herd:
        connections = [Client(name) for name in NAMES]
        pids = herd.pids()
        end = time.monotonic() + 60 * arguments.minutes
        rounds, next_print = 0, 0.0
        while time.monotonic() < end:
            started = time.monotonic()
            for number, connection in enumerate(connections):
                part = clients[number::5] if rounds % 2 else clients[(number + 1) % 5 :: 5]
                connection.report(part)
            rounds += 1
            if time.monotonic() >= next_print:
                memory, files = resident_mib(pids), descriptors(pids)
                print(f"after {rounds * len(clients)} updates: "
                      f"{max(memory):.1f} MiB at most a server, {max(files)} descriptors", flush=True)
                next_print = time.monotonic() + 60 * arguments.minutes / 10
            time.sleep(max(0.0, 1.0 - (time.monotonic() - started)))
    print(f"{rounds} rounds, {rounds * len(clients)} updates")


def start(arguments):
    """From the start of one server to its first reply."""
    times_ms = []
    for number in range(arguments.count):
        began = time.monotonic()
        command = [arguments.herd, "serve", "--name", "Hill", "--ephemeral"]
        command += ["--client-port-base", CLIENT_BASE, "--http-port-base", HTTP_BASE]
        command += ["--peer-port-base", PEER_BASE, "--log", "warn"]
        process = subprocess.Popen([str(part) for part in command])
        wait_for(lambda: try_connect("Hill") is not None, 10, "Hill answers")
        client = Client("Hill")
        client.report(["kiwi"])
        client.socket.sendall(b"WHATSAT kiwi 10 5\n")
        while client.file.readline() != b"\n":
            pass
        times_ms.append((time.monotonic() - began) * 1000)
        # A kill frees the port for the next process.
        process.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        process.wait(10)
    print(f"start to the reply of a WHATSAT with places, {arguments.count} starts: "
          f"median {statistics.median(times_ms):.1f} ms, max {max(times_ms):.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--herd", default="target/release/herd", help="the program")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("two-hops").add_argument("--count", type=int, default=500)
    commands.add_parser("spread").add_argument("--clients", type=int, default=100_000)
    idle_parser = commands.add_parser("idle")
    idle_parser.add_argument("--clients", type=int, default=100_000)
    idle_parser.add_argument("--seconds", type=int, default=20)
    commands.add_parser("soak").add_argument("--minutes", type=float, default=10)
    commands.add_parser("start").add_argument("--count", type=int, default=20)
    arguments = parser.parse_args()
    measures = {"two-hops": two_hops, "spread": spread, "idle": idle, "soak": soak, "start": start}
    measures[arguments.command](arguments)


if __name__ == "__main__":
    main()
