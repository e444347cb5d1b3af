#!/usr/bin/env python3
"""Compares one herd server with Redis: the same load, by the same load generator, in turn.

Needs Python, a built `herd` and `redis-server` on the PATH (`--redis` names another); installs nothing.
Starts each server on free ports of 127.0.0.1, loads it with `herd bench`, and stops it; that
several times in turn. Both are alone, herd by a topology of one server unless `--neighbour` says that it has a
neighbour or the case is about one, which runs then, and both keep everything in memory but where a case is about the disk. Prints each run, and the
ratios with medians and spread.

    python3 tools/measure/against_redis.py --herd target/release/herd
    python3 tools/measure/against_redis.py --only plain pipeline-16 --rounds 3 --seconds 5
    python3 tools/measure/against_redis.py --only disk --folder /var/tmp
    python3 tools/measure/against_redis.py --only lone-disk lone-peer lone-disk-peer --folder /var/tmp

Each round measures both sides within seconds of each other, so the ratio of a round is less noisy
than its figures. What the machine does besides hardly shows in the processor time of a request, of the server and of
the load generator, which is printed too. Exit status 1 if a load had errors.
"""

import argparse
import json
import os
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from measure import cpu_seconds

CLIENTS = 10_000
READY_S = 20
WARMUP_S = 1
# A server looks for its neighbours before it begins to publish.
WARMUP_WITH_NEIGHBOUR_S = 3
# The minimal rate of answers of a herd, with 10 km and 20 places.
WHATSAT_GOAL_PER_S = 20_000

IN_MEMORY = ["--ephemeral"]
ON_DISK = ["--ack=disk", "--data-dir={folder}/data"]
REDIS_ON_DISK = ["--appendonly", "yes", "--appendfsync", "always"]

# name: (options of the load, options of herd, options of Redis or None, its baseline)
CASES = {
    "plain": (["--connections=50", "--pipeline=1"], IN_MEMORY, [], "redis"),
    "pipeline-16": (["--connections=50", "--pipeline=16"], IN_MEMORY, [], "redis"),
    "pipeline-128": (["--connections=16", "--pipeline=128"], IN_MEMORY, [], "redis"),
    # Both make every update durable before its reply.
    "disk": (["--connections=50", "--pipeline=16"], ON_DISK, REDIS_ON_DISK, "redis"),
    "disk-400": (["--connections=400", "--pipeline=16"], ON_DISK, REDIS_ON_DISK, "redis"),
    # One client that waits for each reply. Redis has no neighbour here, so the last two stand for themselves.
    "lone-disk": (["--connections=1", "--pipeline=1"], ON_DISK, REDIS_ON_DISK, "redis"),
    "lone-peer": (["--connections=1", "--pipeline=1"], [*IN_MEMORY, "--ack=peer"], None, None),
    "lone-disk-peer": (["--connections=1", "--pipeline=1"], ["--ack=disk,peer", "--data-dir={folder}/data"],
                       None, None),
    "wire-log": (["--connections=50", "--pipeline=16"], [*IN_MEMORY, "--wire-log={folder}/wire.log"], None,
                 "herd without it"),
    "whatsat": (["--connections=16", "--pipeline=16", "--look-ups=100", "--radius=10",
                 "--results=20"], IN_MEMORY, None, None),
}


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Server:
    """A process that listens on a port; stopped at the end."""

    def __init__(self, command, port, folder):
        log = open(os.path.join(folder, "server.out"), "wb")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        log.close()
        end = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    with open(os.path.join(folder, "server.out"), encoding="utf-8") as said:
                        sys.exit(f"not started: {shlex.join(command)}\n{said.read()}")
                time.sleep(0.01)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(READY_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Herd(Server):
    """One herd server, and its neighbour if that runs."""

    def __init__(self, command, port, folder, neighbour):
        super().__init__(command, port, folder)
        self.neighbour = neighbour

    def stop(self):
        super().stop()
        if self.neighbour:
            self.neighbour.stop()


def needs_peer(more):
    return any(part.startswith("--ack=") and "peer" in part for part in more)


def start_herd(arguments, folder, more):
    names = ["Hill", "Smith"] if arguments.neighbour or needs_peer(more) else ["Hill"]
    ports = free_ports(3 * len(names))
    client, neighbours = ports[0], ports[3:4]
    topology = os.path.join(folder, "measured.herd")
    with open(topology, "w", encoding="utf-8") as file:
        file.write("cluster measured\n")
        for name in names:
            at = " ".join(f"{what} 127.0.0.1:{ports.pop(0)}" for what in ("client", "peer", "http"))
            file.write(f"server {name} {at}\n")
        if len(names) > 1:
            file.write("link Hill Smith\n")

    def command(name, at):
        serve = [arguments.herd, "serve", f"--name={name}", "--log=warn", f"--topology={topology}"]
        return serve + [part.replace("{folder}", at) for part in more]

    neighbour = None
    if needs_peer(more):
        at = os.path.join(folder, "neighbour")
        os.mkdir(at)
        neighbour = Server(command("Smith", at), neighbours[0], at)
    return Herd(command("Hill", folder), client, folder, neighbour), ["--to", f"127.0.0.1:{client}"]


def start_redis(arguments, folder, more):
    (port,) = free_ports(1)
    command = [arguments.redis, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    return Server([*command, *more], port, folder), ["--target", f"redis://127.0.0.1:{port}"]


def measure(arguments, start, more, load):
    """One run against a fresh server: the result of `herd bench`."""
    folder = tempfile.mkdtemp(prefix="herd-measure-", dir=arguments.folder)
    try:
        server, at = start(arguments, folder, more)
        with server:
            command = [arguments.herd, "bench", *at, "--json", "--quiet", f"--clients={CLIENTS}"]
            warmup_s = WARMUP_WITH_NEIGHBOUR_S if arguments.neighbour or needs_peer(more) else WARMUP_S
            command += [f"--duration={arguments.seconds}s", f"--warmup={warmup_s}s", *load]
            generator_before = generator_cpu_s()
            bench = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            generator_s = generator_cpu_s() - generator_before
            server_s = cpu_seconds([server.process.pid])
        if bench.returncode not in (0, 1):
            sys.exit(f"{shlex.join(command)} ended with {bench.returncode}")
        result = json.loads(bench.stdout)
        # The warm-up, which is not counted, took processor time too.
        requests = kind_of(result)["per_second"] * (arguments.seconds + warmup_s)
        result["cpu_us"] = {"server": 1e6 * server_s / requests,
                            "generator": 1e6 * generator_s / requests}
        dropped = wire_log_dropped(folder)
        if dropped:
            print(f"  the wire log dropped lines: {dropped}")
        return result, bench.returncode == 0 and not dropped
    finally:
        shutil.rmtree(folder)


def generator_cpu_s():
    """Processor time of the load generators that have ended so far; servers are not waited for until later."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wire_log_dropped(folder):
    """The server's lines about lines that its wire log dropped, if any."""
    with open(os.path.join(folder, "server.out"), encoding="utf-8", errors="replace") as said:
        return [line.strip() for line in said if "dropped" in line and "wire" in line]


def kind_of(result):
    return result["whatsat"] if result["load"]["look_ups_percent"] else result["iamat"]


def spread(values, form):
    low, middle, high = (form.format(v) for v in
                         (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def compare(arguments, name):
    """Both sides of a case in turn, several times. Returns whether there were no errors."""
    load, herd_more, redis_more, against = CASES[name]
    herd_more = [*shlex.split(arguments.herd_args), *herd_more]
    sides = {"herd": (start_herd, herd_more)}
    if redis_more is not None:
        sides[against] = (start_redis, [*redis_more, *shlex.split(arguments.redis_args)])
    elif against:
        sides[against] = (start_herd, [*shlex.split(arguments.herd_args), *IN_MEMORY])
    rates = {side: [] for side in sides}
    p50s = {side: [] for side in sides}
    p99s = {side: [] for side in sides}
    cpus = {side: {"server": [], "generator": []} for side in sides}
    clean = True
    print(f"{name}: herd bench {' '.join(load)}, {arguments.rounds} rounds of {arguments.seconds} s")
    for number in range(arguments.rounds):
        # The first one may find a warmer or a colder machine.
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for side in order:
            start, more = sides[side]
            result, was_clean = measure(arguments, start, more, load)
            clean = clean and was_clean
            kind = kind_of(result)
            rates[side].append(kind["per_second"])
            p50s[side].append(kind["latency"]["p50_us"] / 1000)
            p99s[side].append(kind["latency"]["p99_us"] / 1000)
            for who, cpu_us in result["cpu_us"].items():
                cpus[side][who].append(cpu_us)
            errors = "" if was_clean else f"  ERRORS {result['errors']}"
            used = result["cpu_us"]
            print(f"  {side:<16} {rates[side][-1]:>12,.0f}/s  p50 {p50s[side][-1]:>8.3f} ms  "
                  f"p99 {p99s[side][-1]:>8.3f} ms  max {kind['latency']['max_us'] / 1000:>8.3f} ms  "
                  f"CPU {used['server']:>6.2f} + {used['generator']:.2f} us{errors}", flush=True)
    for side in sides:
        print(f"  = {side:<14} {spread(rates[side], '{:,.0f}')}/s, "
              f"p50 {spread(p50s[side], '{:.3f}')} ms, p99 {spread(p99s[side], '{:.3f}')} ms, "
              f"processor time of a request: server "
              f"{spread(cpus[side]['server'], '{:.2f}')} us, "
              f"load generator {spread(cpus[side]['generator'], '{:.2f}')} us")
    if against:
        ratios = [a / b for a, b in zip(rates["herd"], rates[against])]
        p99_ratios = [a / b for a, b in zip(p99s["herd"], p99s[against])]
        print(f"  = herd to {against}: {spread(ratios, '{:.2f}')} times as many a second, "
              f"p99 {spread(p99_ratios, '{:.2f}')} times")
    if name == "whatsat":
        for rate in (WHATSAT_GOAL_PER_S, statistics.median(rates["herd"])):
            clean = at_rate(arguments, load, rate / 2) and clean
    return clean


def at_rate(arguments, load, rate):
    p99s, clean = [], True
    for _ in range(arguments.rounds):
        more = [*shlex.split(arguments.herd_args), *IN_MEMORY]
        result, was_clean = measure(arguments, start_herd, more, [*load, f"--rate={rate:.0f}"])
        clean = clean and was_clean and result["not_sent"] == 0
        p99s.append(kind_of(result)["latency"]["p99_us"] / 1000)
    print(f"  = at {rate:,.0f}/s, open loop: p99 {spread(p99s, '{:.3f}')} ms")
    return clean


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--herd", default="target/release/herd", help="the program")
    parser.add_argument("--redis", default="redis-server", help="the program")
    usual = [name for name in CASES if not name.startswith("disk")]
    parser.add_argument("--only", nargs="+", choices=CASES, default=usual, help="cases to compare")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--neighbour", action="store_true",
                        help="herd has a neighbour that does not run: it puts reports into gossip and "
                             "sends them to no server")
    parser.add_argument("--herd-args", default="", help="more options of herd serve; {folder} is a new one")
    parser.add_argument("--redis-args", default="", help="more options of redis-server")
    parser.add_argument("--folder", help="where servers write; it should be on a disk for `disk`")
    arguments = parser.parse_args()
    arguments.herd = os.path.abspath(arguments.herd)
    if shutil.which(arguments.redis) is None:
        sys.exit(f"{arguments.redis} is not there; install Redis 7, or name it with --redis")
    version = subprocess.run([arguments.redis, "--version"], capture_output=True, check=True)
    print(version.stdout.decode().strip())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the first run")
    clean = [compare(arguments, name) for name in arguments.only]
    sys.exit(0 if all(clean) else 1)


if __name__ == "__main__":
    main()
