#!/usr/bin/env python3
"""Measures rare events: joining, restarting, healing, a stopped neighbour, a full map, a busy disk.

Starts servers on ports of its own, each with a folder of its own below --folder, and stops them. Needs
Python and a built `herd` (and `redis-server` for `memory --redis`); installs nothing. Bounded in time: each of these
takes less than two minutes on an idle machine, `partition` as long as --minutes and half a minute.

    python3 tools/measure/lifetime.py memory --clients 1000000
    python3 tools/measure/lifetime.py join --clients 1000000
    python3 tools/measure/lifetime.py restart --clients 1000000
    python3 tools/measure/lifetime.py partition --minutes 10 --rate 1000
    python3 tools/measure/lifetime.py cost --clients 1000000 --rate 10000
    python3 tools/measure/lifetime.py pauses --rate 20000
    python3 tools/measure/lifetime.py stopped --rate 2000
    python3 tools/measure/lifetime.py tombstones --clients 1000000
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from measure import cpu_seconds, resident_mib

NAMES = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"]
LINKS = ["Hill Jaquez", "Hill Smith", "Singleton Jaquez", "Singleton Smith", "Singleton Campbell",
         "Smith Campbell"]
# Of 20 bytes, as in the goal for memory.
ID_FORM = "client-{:013}"
LOCATION = "+34.068930-118.445127"
FILL_BATCH = 2_000
WAIT_MAX_S = 120


def free_ports(count):
    """Ports below those that the system gives to outgoing connections."""
    found, port = [], 25000
    while len(found) < count:
        port += 1
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                pass
    return found


class Server:
    """One server of a herd, which can be stopped and started again."""

    def __init__(self, herd, folder, name, ports, topology, more):
        self.name, self.folder = name, os.path.join(folder, name)
        self.client, _, self.http = ports
        os.makedirs(self.folder, exist_ok=True)
        self.log = os.path.join(self.folder, "log")
        self.command = [herd, "serve", "--name", name, "--topology", topology, "--log", "info", *more]
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder)
        return time.monotonic()

    def end(self, how):
        self.process.send_signal(how)
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(30)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=1) as reply:
                return reply.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def ask(self, client):
        """Whether it knows a client; None if it does not answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.client), 5) as asked:
                asked.sendall(f"WHATSAT {client} 0 0\n".encode())
                start = asked.recv(2)
                return start == b"AT" if start else None
        except OSError:
            return None

    def said(self, words, since=0):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(since)
            return any(words in line for line in log)


class Servers:
    """Servers of one herd."""

    def __init__(self, arguments, names, more=("--ephemeral",), proxy=None):
        self.herd = os.path.abspath(arguments.herd)
        self.folder = tempfile.mkdtemp(prefix="herd-lifetime-", dir=arguments.folder)
        free = free_ports(3 * len(names) + 2)
        ports = {name: free[3 * place:3 * place + 3] for place, name in enumerate(names)}
        links = [link for link in LINKS if all(end in names for end in link.split())]
        self.all = []
        for name in names:
            path = os.path.join(self.folder, f"{name}.topology")
            with open(path, "w", encoding="ascii") as file:
                file.write("cluster lifetime\n")
                for other in names:
                    client, peer, http = ports[other]
                    if proxy and other != name:
                        peer = proxy(name, other, peer)
                    file.write(f"server {other} client 127.0.0.1:{client} peer 127.0.0.1:{peer} "
                               f"http 127.0.0.1:{http}\n")
                file.writelines(f"link {link}\n" for link in links)
            self.all.append(Server(self.herd, self.folder, name, ports[name], path, more))

    def __enter__(self):
        for server in self.all:
            server.start()
        for server in self.all:
            wait_for(server.is_ready, f"{server.name} is ready")
        return self

    def __exit__(self, *_):
        for server in self.all:
            if server.process.poll() is None:
                server.end(signal.SIGKILL)
        shutil.rmtree(self.folder)

    def named(self, name):
        return next(server for server in self.all if server.name == name)

    def pids(self):
        return [server.process.pid for server in self.all]


def wait_for(condition, what, gap_s=0.002, wait_s=WAIT_MAX_S):
    """Waits, and returns for how long."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() > start + wait_s:
            sys.exit(f"not within {wait_s} s: {what}")
        time.sleep(gap_s)
    return time.monotonic() - start


def location_of(number):
    """A location of 21 bytes that differs from those of other clients: equal ones compress too well."""
    place = number * 0x9E3779B97F4A7C15 % (1 << 64)
    return f"+{10 + place % 80_000_000 / 1e6:09.6f}-{100 + (place >> 32) % 80_000_000 / 1e6:010.6f}"


def now_text(number):
    return f"{time.time():.6f}{number % 1000:03}"


def fill(server, clients, forgets=False):
    """Reports this many clients of ID_FORM at one server, or forgets them."""
    with socket.create_connection(("127.0.0.1", server.client), 30) as connection:
        replies = connection.makefile("rb", buffering=1 << 20)
        for start in range(0, clients, FILL_BATCH):
            end = min(start + FILL_BATCH, clients)
            lines = [f"FORGET {ID_FORM.format(number)}\n" if forgets else
                     f"IAMAT {ID_FORM.format(number)} {location_of(number)} {now_text(number)}\n"
                     for number in range(start, end)]
            connection.sendall("".join(lines).encode())
            for _ in lines:
                if not replies.readline().startswith(b"GONE " if forgets else b"AT "):
                    sys.exit("not acknowledged")


def knows_last(server, clients):
    """The last ones are the last to come; a few of them, as order is not promised."""
    return all(server.ask(ID_FORM.format(clients - 1 - 997 * back)) for back in range(5)
               if clients > 997 * back)


def bench(servers, arguments, *options):
    to = ",".join(f"127.0.0.1:{server.client}" for server in servers)
    command = [os.path.abspath(arguments.herd), "bench", "--json", "--quiet", "--to", to, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def result_of(process):
    output, _ = process.communicate()
    if process.returncode not in (0, 1):
        sys.exit(f"herd bench ended with {process.returncode}")
    result = json.loads(output)
    if process.returncode == 1:
        print(f"  errors: {result['errors']}")
    return result


def p99_ms(result):
    return result["iamat"]["latency"]["p99_us"] / 1000


def memory(arguments):
    """Resident memory with all clients, on a server with neighbours, on disk and without."""
    for what, more in (("--ephemeral", ["--ephemeral"]), ("with a store", ["--data-dir", "data"])):
        with Servers(arguments, ["Hill", "Smith"], more) as servers:
            hill, smith = servers.all
            empty = resident_mib(servers.pids())
            fill(hill, arguments.clients)
            wait_for(lambda: knows_last(smith, arguments.clients), "Smith knows the last")
            time.sleep(3)
            full = resident_mib(servers.pids())
        for server, before, after in zip(("reported at", "received"), empty, full):
            print(f"{arguments.clients:,} clients, {what}, {server}: {after:.0f} MiB, {before:.0f} MiB empty, "
                  f"{(after - before) * (1 << 20) / arguments.clients:.0f} bytes a client", flush=True)
    if arguments.redis:
        memory_of_redis(arguments)


def memory_of_redis(arguments):
    (port,) = free_ports(1)
    redis = subprocess.Popen([arguments.redis, "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
                             stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: connects(port), "Redis answers")
        time.sleep(0.5)
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            replies = connection.makefile("rb", buffering=1 << 20)
            for start in range(0, arguments.clients, FILL_BATCH):
                out = []
                end = min(start + FILL_BATCH, arguments.clients)
                for number in range(start, end):
                    client = ID_FORM.format(number)
                    for words in (["GEOADD", "herd:positions", "-118.445127", "34.068930", client],
                                  ["HSET", client, "location", location_of(number), "time", now_text(number),
                                   "server", "redis"]):
                        out.append(f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words))
                connection.sendall("".join(out).encode())
                for _ in range(2 * (end - start)):
                    replies.readline()
        print(f"Redis with the same: {resident_mib([redis.pid])[0]:.0f} MiB")
    finally:
        redis.terminate()
        redis.wait(30)


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def join(arguments):
    """An empty server joins a herd that holds all clients. Times the replies of the others meanwhile."""
    with Servers(arguments, NAMES) as servers:
        fill(servers.named("Hill"), arguments.clients)
        for server in servers.all:
            wait_for(lambda: knows_last(server, arguments.clients), f"{server.name} knows the last")
        joiner = servers.named("Singleton")
        others = [server for server in servers.all if server is not joiner]
        load = ["--rate=1000", "--pipeline=100", "--duration=8s", "--clients=1000"]
        usual = result_of(bench(others, arguments, *load))
        joiner.end(signal.SIGKILL)
        running = bench(others, arguments, *load)
        time.sleep(1.5)
        start = joiner.start()
        wait_for(joiner.is_ready, "the joiner is ready")
        ready = time.monotonic() - start
        wait_for(lambda: knows_last(joiner, arguments.clients), "the joiner knows the last")
        all_known = time.monotonic() - start
        meanwhile = result_of(running)
    print(f"an empty server joins a herd with {arguments.clients:,} clients: ready after {ready:.2f} s, knows the "
          f"last ones after {all_known:.2f} s; p99 of the others' replies {p99_ms(meanwhile):.2f} ms meanwhile, "
          f"{p99_ms(usual):.2f} ms before")


def restart(arguments):
    """A server starts alone with all clients on its disk, so it cannot learn them from others."""
    with Servers(arguments, ["Hill"], ["--data-dir", "data", "--drain-delay", "0s"]) as servers:
        (hill,) = servers.all
        fill(hill, arguments.clients)
        for how in (signal.SIGTERM, signal.SIGKILL):
            time.sleep(3)
            hill.end(how)
            start = hill.start()
            wait_for(lambda: hill.ask(ID_FORM.format(0)), "the first answer")
            first = time.monotonic() - start
            wait_for(hill.is_ready, "all is read")
            ready = time.monotonic() - start
            known = sum(bool(hill.ask(ID_FORM.format(number)))
                        for number in range(0, arguments.clients, max(1, arguments.clients // 1000)))
            print(f"start with {arguments.clients:,} clients on disk after {signal.Signals(how).name}: first answer "
                  f"after {first:.2f} s, all read after {ready:.2f} s; {known} of every thousandth known", flush=True)


class Proxy:
    """Passes one server's connections to another on, until it is cut."""

    def __init__(self, to_port):
        self.to_port, self.is_cut, self.open = to_port, threading.Event(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            ours, _ = self.listener.accept()
            if self.is_cut.is_set():
                ours.close()
                continue
            try:
                theirs = socket.create_connection(("127.0.0.1", self.to_port), 1)
            except OSError:
                ours.close()
                continue
            for one in (ours, theirs):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open += [ours, theirs]
            for source, sink in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def carry(source, sink):
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.is_cut.set()
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open = []

    def heal(self):
        self.is_cut.clear()


def partition(arguments):
    """Two sides that could not talk, with updates on both, until they are equal again."""
    sides = [("Hill", "Jaquez", "Smith"), ("Campbell", "Singleton")]
    proxies = []

    def proxy(name, other, port):
        if any(name in side and other in side for side in sides):
            return port
        proxies.append(Proxy(port))
        return proxies[-1].port

    with Servers(arguments, NAMES, proxy=proxy) as servers:
        halves = [[servers.named(name) for name in side] for side in sides]
        for one in proxies:
            one.cut()
        time.sleep(5)
        seconds = round(60 * arguments.minutes)
        # Each side has clients of its own, and all of them get a last report that the other side is asked for.
        loads = [bench(half, arguments, f"--rate={arguments.rate}", "--pipeline=100", f"--duration={seconds}s",
                       "--clients=10000", f"--seed={place}") for place, half in enumerate(halves)]
        for load in loads:
            result_of(load)
        for half, prefix in zip(halves, ("here", "there")):
            with socket.create_connection(("127.0.0.1", half[0].client), 5) as connection:
                lines = [f"IAMAT {prefix}-{n} {LOCATION} {time.time():.9f}\n" for n in range(1000)]
                connection.sendall("".join(lines).encode())
                replies = connection.makefile("rb")
                for _ in lines:
                    replies.readline()
        for one in proxies:
            one.heal()
        healed = time.monotonic()
        names = [f"{prefix}-{n}" for prefix in ("here", "there") for n in (0, 500, 999)]
        for server in servers.all:
            wait_for(lambda: all(server.ask(name) for name in names), f"{server.name} knows both sides")
        known = time.monotonic() - healed
    print(f"partition of {arguments.minutes:g} minutes at {arguments.rate}/s on each side: every server knows the last "
          f"reports of both sides {known:.2f} s after healing")


def cost(arguments):
    """Processor time of an update, with few and with many clients, all of them updated in turn."""
    costs = []
    for clients in (10_000, arguments.clients):
        with Servers(arguments, ["Hill"]) as servers:
            (hill,) = servers.all
            # Reports each client once before.
            result_of(bench([hill], arguments, f"--clients={clients}", "--look-ups=100", "--count=1", "--pipeline=64"))
            before = cpu_seconds(servers.pids())
            result = result_of(bench([hill], arguments, f"--clients={clients}", f"--rate={arguments.rate}",
                                     "--pipeline=64", "--warmup=0s", f"--duration={arguments.seconds}s"))
            used = cpu_seconds(servers.pids()) - before
        costs.append(1e6 * used / result["requests"])
        print(f"{arguments.rate}/s on {clients:,} clients: {costs[-1]:.2f} us of processor time an update, "
              f"p99 {p99_ms(result):.2f} ms", flush=True)
    print(f"ratio {costs[1] / costs[0]:.2f}")


def pauses(arguments):
    """Latency of replies while the store flushes, compacts and syncs, against none."""
    p99s = []
    for what, more in (("without a store", ["--ephemeral"]), ("with a store", ["--data-dir", "data"])):
        with Servers(arguments, ["Hill"], more) as servers:
            load = [f"--rate={arguments.rate}", "--pipeline=100", f"--duration={arguments.seconds}s",
                    "--clients=200000"]
            result = result_of(bench(servers.all, arguments, *load))
        p99s.append(p99_ms(result))
        print(f"{arguments.rate}/s, {what}: p50 {result['iamat']['latency']['p50_us'] / 1000:.2f} ms, "
              f"p99 {p99s[-1]:.2f} ms", flush=True)
    print(f"ratio of p99 {p99s[1] / p99s[0]:.2f}")


def stopped(arguments):
    """A neighbour is stopped with SIGSTOP, several times. Times the report of it, and replies elsewhere."""
    took, p99s = [], {"usual": [], "meanwhile": []}
    with Servers(arguments, NAMES) as servers:
        smith = servers.named("Smith")
        others = [server for server in servers.all if server is not smith]
        neighbours = [servers.named(name) for name in ("Hill", "Singleton", "Campbell")]
        load = [f"--rate={arguments.rate}", "--pipeline=100", "--duration=8s", "--clients=10000"]

        def all_say(words, sizes):
            return all(server.said(words, since) for server, since in zip(neighbours, sizes))

        for _ in range(arguments.rounds):
            p99s["usual"].append(p99_ms(result_of(bench(others, arguments, *load))))
            sizes = [os.path.getsize(server.log) for server in neighbours]
            running = bench(others, arguments, *load)
            time.sleep(2)
            smith.process.send_signal(signal.SIGSTOP)
            took.append(wait_for(lambda: all_say("link lost", sizes), "all neighbours report it", gap_s=0.05))
            p99s["meanwhile"].append(p99_ms(result_of(running)))
            smith.process.send_signal(signal.SIGCONT)
            wait_for(lambda: all_say("link made", sizes), "all neighbours have it back", gap_s=0.05)
    print(f"a stopped neighbour is reported by all of its neighbours after {max(took):.2f} s at most in {len(took)} "
          f"rounds; p99 of replies elsewhere, medians: {spread(p99s['meanwhile'])} ms meanwhile, "
          f"{spread(p99s['usual'])} ms before")


def spread(values):
    """Median, least and most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main():
    from tombstones import tombstones  # It needs what is above.

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--herd", default="target/release/herd", help="the program")
    parser.add_argument("--folder", help="where servers write; it should be on a disk")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("memory", "join", "restart", "cost", "tombstones"):
        commands.add_parser(name).add_argument("--clients", type=int, default=1_000_000)
    commands.choices["memory"].add_argument("--redis", nargs="?", const="redis-server",
                                            help="measure Redis with the same data too")
    for name, rate in (("partition", 1_000), ("pauses", 20_000), ("stopped", 2_000)):
        commands.add_parser(name).add_argument("--rate", type=int, default=rate)
    commands.choices["cost"].add_argument("--rate", type=int, default=10_000)
    commands.choices["partition"].add_argument("--minutes", type=float, default=10)
    commands.choices["stopped"].add_argument("--rounds", type=int, default=3)
    for name in ("cost", "pauses"):
        commands.choices[name].add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    measures = {"memory": memory, "join": join, "restart": restart, "partition": partition, "cost": cost,
                "pauses": pauses, "stopped": stopped, "tombstones": tombstones}
    measures[arguments.command](arguments)


if __name__ == "__main__":
    main()
