#!/usr/bin/env python3
"""Loads a herd of five as a whole: a fixed rate with convergence beside it, or more than it can take.

Starts `herd local` on ports of its own, without a store or with one below --disk, and stops it. Needs Python and a
built `herd`.

    python3 tools/measure/herd_wide.py steady --rate 100000 --clients 200000 --seconds 60
    python3 tools/measure/herd_wide.py steady --rate 50000 --seconds 60 --disk /var/tmp
    python3 tools/measure/herd_wide.py overload --seconds 60

`steady` comes over 10 connections, two for each server, so that requests of the same quarter of a millisecond travel
together. Over 50 almost every request is a write, and what fills the cores is system calls.

`steady` fails if the rate was not kept, a request failed, or a server was later than --p99-ms. Both
print memory before and after, and the lag in six parts of the run, so that growth shows.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time

from measure import CLIENT_BASE, NAMES, Herd, cpu_seconds, resident_mib

SERVERS = ",".join(f"127.0.0.1:{CLIENT_BASE + place}" for place in range(len(NAMES)))


def bench(arguments, *options):
    command = [arguments.herd, "bench", *options, "--json", "--to", SERVERS]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def result_of(process):
    output, _ = process.communicate()
    if process.returncode not in (0, 1):
        sys.exit(f"herd bench ended with {process.returncode}")
    return json.loads(output)


def run(arguments, rate):
    with contextlib.ExitStack() as stack:
        store = ["--ephemeral"]
        if arguments.disk:
            store = ["--data-dir", stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.disk))]
        herd = stack.enter_context(Herd(arguments.herd, store))
        pids = herd.pids()
        before, cpu_before = resident_mib(pids), cpu_seconds(pids)
        peak, is_over = list(before), threading.Event()

        def look():
            while not is_over.wait(0.5):
                peak[:] = map(max, peak, resident_mib(pids))

        looking = threading.Thread(target=look)
        looking.start()
        load_options = ["--quiet", "--warmup=2s", f"--duration={arguments.seconds}s"]
        load_options += [f"--clients={arguments.clients}", f"--connections={arguments.connections}"]
        load_options += [f"--pipeline={arguments.pipeline}"]
        load = bench(arguments, *load_options, *([f"--rate={rate}"] if rate else []))
        time.sleep(2)
        lag = bench(arguments, "convergence", f"--duration={max(1, arguments.seconds - 1)}s", "--rate=50",
                    "--poll=2ms", "--give-up=60s")
        load, lag = result_of(load), result_of(lag)
        is_over.set()
        looking.join()
        used = cpu_seconds(pids) - cpu_before
    iamat, errors, seen = load["iamat"], load["errors"], lag["all"]
    print(f"{iamat['per_second']:,.0f} updates/s over {load['measured_s']:.1f} s, "
          f"p99 {iamat['latency']['p99_us'] / 1000:.1f} ms, not sent {load['not_sent']}, "
          f"sent late {load['sent_late']}, errors {errors}")
    print(f"lag of all: p50 {seen['latency']['p50_us'] / 1000:.1f} ms, "
          f"p99 {seen['latency']['p99_us'] / 1000:.1f} ms, max {seen['latency']['max_us'] / 1000:.1f} ms, "
          f"{seen['count']} arrived, {seen['never']} never")
    for part in lag["slices"]:
        print(f"  sent from {part['from_s']:.0f} to {part['to_s']:.0f} s: p50 "
              f"{part['latency']['p50_us'] / 1000:.1f} ms, p99 {part['latency']['p99_us'] / 1000:.1f} ms")
    by_server = {}
    for pair in lag["pairs"]:
        by_server.setdefault(pair["to"], []).append(pair["latency"]["p99_us"] / 1000)
    worst = max(max(p99s) for p99s in by_server.values())
    print(f"the worst way has p99 {worst:.1f} ms; servers used {used:.0f} s of processor time, "
          f"{1e6 * used / (iamat['per_second'] * (load['measured_s'] + 2)):.1f} us an update on all five; memory "
          f"{max(before):.0f} MiB before, {max(peak):.0f} MiB at most a server")
    return load, lag, worst


def steady(arguments):
    load, lag, worst = run(arguments, arguments.rate)
    kept = load["iamat"]["per_second"] >= 0.999 * arguments.rate
    clean = not any(count for count in load["errors"].values()) and lag["all"]["never"] == 0
    in_time = worst <= arguments.p99_ms
    print(f"rate kept: {kept}; no errors: {clean}; every server within {arguments.p99_ms} ms: {in_time}")
    return kept and clean and in_time


def overload(arguments):
    load, lag, _ = run(arguments, None)
    clean = not any(count for count in load["errors"].values()) and lag["all"]["never"] == 0
    print(f"no errors, and every record everywhere: {clean}")
    return clean


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--herd", default="target/release/herd", help="the program")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, pipeline, connections in (("steady", 1000, 10), ("overload", 128, 50)):
        options = commands.add_parser(name)
        options.add_argument("--clients", type=int, default=200_000)
        options.add_argument("--connections", type=int, default=connections)
        options.add_argument("--pipeline", type=int, default=pipeline)
        options.add_argument("--seconds", type=int, default=60)
        options.add_argument("--disk", help="a folder: keep data there; replies do not wait for it")
    commands.choices["steady"].add_argument("--rate", type=int, default=100_000)
    commands.choices["steady"].add_argument("--p99-ms", type=float, default=100.0)
    arguments = parser.parse_args()
    sys.exit(0 if {"steady": steady, "overload": overload}[arguments.command](arguments) else 1)


if __name__ == "__main__":
    main()
