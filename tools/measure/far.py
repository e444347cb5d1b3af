#!/usr/bin/env python3
"""Measures a herd of five whose links take time: 50 ms one way unless --delay-ms says otherwise.

Starts the five servers of the built-in topology on free ports of 127.0.0.1, in memory, and stops them. A proxy of this
script stands in each link, holds each piece of data for the delay, and counts bytes. Needs Python and a built `herd`.

    python3 tools/measure/far.py hops
    python3 tools/measure/far.py hops --rate 10000
    python3 tools/measure/far.py lone --ack peer
    python3 tools/measure/far.py lone --ack disk,peer --delay-ms 0 --count 10000 --folder /var/tmp

`hops` reports new clients at each server in turn and watches for them at all others, so the time from a report to the
line of a watch is measured without questions in between; with --rate `herd bench` reports besides. `lone` is one client
that waits for each reply before it sends the next report. Every load is bounded in time and count. The script shares the
machine with the servers: its own delays of a millisecond or two are in the figures.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from measure import cpu_seconds, percentile
from watch import free_base

NAMES = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"]
# As the built-in topology has them. Of each link the first server connects.
LINKS = [("Hill", "Jaquez"), ("Hill", "Smith"), ("Jaquez", "Singleton"), ("Smith", "Campbell"),
         ("Smith", "Singleton"), ("Campbell", "Singleton")]
READ_BYTES = 256 * 1024


def hops_between(names, links):
    """How many links lie between each two servers."""
    near = {name: {b if a == name else a for a, b in links if name in (a, b)} for name in names}
    hops = {}
    for start in names:
        reached, count = {start: 0}, 0
        while len(reached) < len(names):
            count += 1
            for name in [name for name, at in reached.items() if at == count - 1]:
                for other in near[name]:
                    reached.setdefault(other, count)
        hops.update({(start, name): at for name, at in reached.items()})
    return hops


async def carry(reader, writer, delay_s, counted):
    """Carries data one way, each piece `delay_s` after it came."""
    loop = asyncio.get_running_loop()
    pieces = asyncio.Queue()

    async def write():
        while True:
            due, data = await pieces.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if data is None:
                writer.close()
                return
            writer.write(data)

    writing = asyncio.create_task(write())
    with contextlib.suppress(OSError):
        while data := await reader.read(READ_BYTES):
            with counted.get_lock():
                counted.value += len(data)
            pieces.put_nowait((loop.time() + delay_s, data))
    pieces.put_nowait((loop.time() + delay_s, None))
    with contextlib.suppress(OSError):
        await writing


async def proxy(ways, delay_s, counted):
    """For each way a port that leads to another one."""
    async def serve(port, target):
        async def joined(reader, writer):
            try:
                there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
            except OSError:
                writer.close()
                return
            for one in (writer, there_writer):
                one.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.gather(carry(reader, there_writer, delay_s, counted),
                                 carry(there_reader, writer, delay_s, counted))

        return await asyncio.start_server(joined, "127.0.0.1", port)

    servers = [await serve(port, target) for port, target in ways]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def run_proxy(ways, delay_s, counted):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(proxy(ways, delay_s, counted))


class FarHerd:
    """The servers, and the proxy in their links."""

    def __init__(self, arguments):
        self.names = NAMES[:2] if getattr(arguments, "servers", 5) == 2 else NAMES
        self.links = [link for link in LINKS if set(link) <= set(self.names)]
        self.folder = tempfile.TemporaryDirectory(prefix="herd-far-", dir=arguments.folder)
        base = free_base(3 * len(NAMES) + len(LINKS))
        self.client = {name: base + place for place, name in enumerate(NAMES)}
        peer = {name: base + 5 + place for place, name in enumerate(NAMES)}
        http = {name: base + 10 + place for place, name in enumerate(NAMES)}
        way = {link: base + 15 + place for place, link in enumerate(LINKS)}
        self.bytes = multiprocessing.Value("Q", 0)
        ways = [(way[link], peer[link[1]]) for link in self.links]
        self.proxy = multiprocessing.Process(
            target=run_proxy, args=(ways, arguments.delay_ms / 1000, self.bytes), daemon=True)
        self.proxy.start()
        store = ["--ephemeral"]
        self.processes = []
        for me in self.names:
            topology = os.path.join(self.folder.name, f"{me}.herd")
            with open(topology, "w", encoding="utf-8") as file:
                file.write("cluster far\n")
                for name in self.names:
                    # It reaches those that it connects to through the proxy.
                    at = way.get((me, name), peer[name])
                    file.write(f"server {name} client 127.0.0.1:{self.client[name]} peer 127.0.0.1:{at} "
                               f"http 127.0.0.1:{http[name]}\n")
                file.writelines(f"link {a} {b}\n" for a, b in self.links)
            if "disk" in getattr(arguments, "ack", ""):
                store = [f"--data-dir={os.path.join(self.folder.name, me)}"]
            command = [arguments.herd, "serve", f"--name={me}", f"--topology={topology}", "--log=warn", *store]
            if getattr(arguments, "ack", ""):
                command.append(f"--ack={arguments.ack}")
            with open(os.path.join(self.folder.name, f"{me}.log"), "wb") as log:
                self.processes.append(subprocess.Popen(command, cwd=self.folder.name, stdout=log, stderr=log))
        self.pids = [process.pid for process in self.processes]

    def connect(self, name):
        for _ in range(400):
            try:
                connection = socket.create_connection(("127.0.0.1", self.client[name]))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            except OSError:
                time.sleep(0.05)
        sys.exit(f"{name} does not listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(20)
        self.proxy.terminate()
        self.folder.cleanup()


class Sightings:
    """When each server was told of each client."""

    def __init__(self, herd):
        self.seen = {}
        self.live = threading.Semaphore(0)
        for name in herd.names:
            connection = herd.connect(name)
            connection.sendall(b"WATCH PREFIX far-\n")
            threading.Thread(target=self.read, args=(name, connection), daemon=True).start()
        for _ in herd.names:
            self.live.acquire()

    def read(self, name, connection):
        for line in connection.makefile("rb"):
            words = line.split()
            if words[0] == b"LIVE":
                self.live.release()
            elif b"AT" in words[:2]:
                client = words[words.index(b"AT") + 3].decode()
                self.seen.setdefault((name, client), time.monotonic())


def report(connection, replies, client):
    connection.sendall(f"IAMAT {client} +34.068930-118.445127 {time.time():.9f}\n".encode())
    reply = replies.readline()
    if not reply.startswith(b"AT "):
        sys.exit(f"not acknowledged: {reply!r}")


def settle(herd, sightings, connections):
    """All links are up: a report from each server is everywhere."""
    end = time.monotonic() + 20
    for name in herd.names:
        client = f"far-ready-{name}"
        report(*connections[name], client)
        while not all((other, client) in sightings.seen for other in herd.names):
            if time.monotonic() > end:
                sys.exit("the links are not up within 20 s")
            time.sleep(0.01)
    time.sleep(2)


def hops(arguments):
    """From a report to the line of a watch at each other server."""
    with FarHerd(arguments) as herd:
        sightings = Sightings(herd)
        connections = {name: herd.connect(name) for name in herd.names}
        connections = {name: (one, one.makefile("rb")) for name, one in connections.items()}
        settle(herd, sightings, connections)
        load = None
        if arguments.rate:
            to = ",".join(f"127.0.0.1:{herd.client[name]}" for name in herd.names)
            command = [arguments.herd, "bench", "--json", "--quiet", "--to", to, f"--rate={arguments.rate}",
                       "--connections=10", "--pipeline=100", "--warmup=2s", f"--clients={arguments.clients}",
                       f"--duration={arguments.seconds + 2}s"]
            load = subprocess.Popen(command, stdout=subprocess.PIPE)
            time.sleep(3)
        sent, number = {}, 0
        bytes_before, cpu_before, began = herd.bytes.value, cpu_seconds(herd.pids), time.monotonic()
        while (now := time.monotonic()) < began + arguments.seconds:
            due = began + number / arguments.watched_rate
            if due > now:
                time.sleep(due - now)
            name = herd.names[number % len(herd.names)]
            client = f"far-{number}"
            sent[name, client] = time.monotonic()
            report(*connections[name], client)
            number += 1
        took = time.monotonic() - began
        link_bytes, cpu = herd.bytes.value - bytes_before, cpu_seconds(herd.pids) - cpu_before
        time.sleep(3)
        between, times_ms, lost = hops_between(herd.names, herd.links), {}, 0
        for (name, client), at in sent.items():
            for other in herd.names:
                seen = sightings.seen.get((other, client))
                lost += seen is None
                if seen is not None and other != name:
                    times_ms.setdefault(between[name, other], []).append(1000 * (seen - at))
        print(f"{arguments.rate} reports/s besides, {len(sent)} reports watched, {lost} sightings lost; "
              f"{link_bytes / took / 1024:.0f} KiB/s on all links, {100 * cpu / took:.0f} % of a core on all servers")
        for count, all_ms in sorted(times_ms.items()):
            line = ", ".join(f"p{at} {percentile(all_ms, at):.1f}" for at in (50, 90, 99))
            print(f"  {count} hops: {line}, max {max(all_ms):.1f} ms")
        if load:
            output, _ = load.communicate()
            result = json.loads(output)
            print(f"  load: {result['iamat']['per_second']:,.0f} reports/s, not sent {result['not_sent']}, "
                  f"errors {result['errors']}")


def lone(arguments):
    """One connection, one report at a time."""
    with FarHerd(arguments) as herd:
        connection = herd.connect("Hill")
        replies = connection.makefile("rb")
        for number in range(5):
            report(connection, replies, f"lone-{number}")
            time.sleep(0.5)
        times_ms = []
        for number in range(arguments.count):
            began = time.monotonic()
            report(connection, replies, f"lone-{number % 1000}")
            times_ms.append(1000 * (time.monotonic() - began))
    line = ", ".join(f"p{at} {percentile(times_ms, at):.2f}" for at in (50, 90, 99))
    late = sum(one > 2 * arguments.delay_ms + 50 for one in times_ms)
    print(f"--ack {arguments.ack}, {len(herd.names)} servers, {arguments.count} reports one at a time: {line}, "
          f"max {max(times_ms):.1f} ms; {late} took more than a round trip and 50 ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("hops", hops), ("lone", lone)):
        command = commands.add_parser(name)
        command.set_defaults(what=what)
        command.add_argument("--herd", default="target/release/herd", help="the program")
        command.add_argument("--delay-ms", type=float, default=50, help="of each link, one way")
        command.add_argument("--folder", help="where servers write; it should be on a disk for `--ack disk`")
    commands.choices["hops"].add_argument("--rate", type=int, default=0, help="reports/s besides those that are watched")
    commands.choices["hops"].add_argument("--clients", type=int, default=20_000)
    commands.choices["hops"].add_argument("--watched-rate", type=float, default=20)
    commands.choices["hops"].add_argument("--seconds", type=int, default=20)
    commands.choices["lone"].add_argument("--ack", default="peer")
    commands.choices["lone"].add_argument("--count", type=int, default=200)
    commands.choices["lone"].add_argument("--servers", type=int, choices=(2, 5), default=5)
    arguments = parser.parse_args()
    arguments.herd = os.path.abspath(arguments.herd)
    arguments.what(arguments)


if __name__ == "__main__":
    main()
