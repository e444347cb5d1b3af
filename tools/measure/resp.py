#!/usr/bin/env python3
"""Compares one herd server with Redis by `redis-benchmark`, which is theirs and unchanged: GEOADD and GEOSEARCH.

Needs Python, a built `herd`, and `redis-server` and `redis-benchmark` on the PATH; installs nothing. Both servers are
alone, on free ports of 127.0.0.1, and keep everything in memory. They run in turn, several times; all of it shares the
machine's cores. Prints each run, and the ratios with medians and spread.

    python3 tools/measure/resp.py                                    # GEOADD 1, 16 and 128 deep, then GEOSEARCH
    python3 tools/measure/resp.py geoadd-128 --rounds 5 --requests 2000000

GEOADD reports random ones of 1,000,000 members with 50 connections. GEOSEARCH asks for the 20 nearest within 10 km, among
1,000,000 members in an area of 2 by 2 degrees: some 10,000 are in the circle.
"""

import argparse
import os
import random
import socket
import statistics
import subprocess
import tempfile
import time

from against_redis import Server, free_ports

MEMBERS = 1_000_000
BATCH = 100
WARMUP_S = 1

GEOADD = ["GEOADD", "fleet", "2.__rand_int__", "48.5", "van__rand_int__"]
GEOSEARCH = ["GEOSEARCH", "fleet", "FROMLONLAT", "2.__rand_int__", "48.__rand_int__"]
GEOSEARCH += ["BYRADIUS", "10", "km", "ASC", "COUNT", "20"]
# __rand_int__ has twelve digits: with this range the first of them is 0, and the second any.
ANYWHERE = 99_999_999_999

# name: (depth, the command, the range of random numbers, the part of the requests, the goal)
CASES = {
    "geoadd-1": (1, GEOADD, MEMBERS, 0.2, 1.1),
    "geoadd-16": (16, GEOADD, MEMBERS, 1, 3),
    "geoadd-128": (128, GEOADD, MEMBERS, 1, 5),
    "geosearch": (1, GEOSEARCH, ANYWHERE, 0.001, 50),
}


def start_herd(arguments, folder):
    client, peer, http, resp = free_ports(4)
    topology = os.path.join(folder, "topology")
    with open(topology, "w", encoding="utf-8") as file:
        file.write(f"cluster alone\nserver only client 127.0.0.1:{client} peer 127.0.0.1:{peer} http 127.0.0.1:{http}\n")
    command = [arguments.herd, "serve", "--name=only", f"--topology={topology}", "--ephemeral"]
    return Server([*command, f"--resp-listen=127.0.0.1:{resp}", "--log=warn"], resp, folder), resp


def start_redis(arguments, folder):
    (port,) = free_ports(1)
    return Server([arguments.redis, "--port", str(port), "--save", "", "--appendonly", "no"], port, folder), port


def fill(port):
    """Members all over the area, the same ones each time."""
    chance = random.Random(1)
    with socket.create_connection(("127.0.0.1", port)) as stream:
        replies = stream.makefile("rb")
        for first in range(0, MEMBERS, BATCH):
            words = ["GEOADD", "fleet"]
            for number in range(first, first + BATCH):
                words += [f"{chance.uniform(1, 3):.6f}", f"{chance.uniform(47, 49):.6f}", f"van{number:012}"]
            text = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
            stream.sendall(f"*{len(words)}\r\n{text}".encode())
            reply = replies.readline()
            if not reply.startswith(b":"):
                raise SystemExit(f"GEOADD: {reply}")


def requests_per_second(arguments, port, case):
    depth, command, random_max, part, _ = CASES[case]
    count = max(100, int(arguments.requests * part))
    load = ["-p", port, "-n", count, "-r", random_max, "-c", arguments.connections, "-P", depth, "--csv"]
    ran = subprocess.run([arguments.benchmark, *map(str, load), *command], capture_output=True, text=True, check=True)
    # "test","rps",... and then the values.
    return float(ran.stdout.splitlines()[-1].split(",")[-7].strip('"'))


def measured(arguments, start, case):
    with tempfile.TemporaryDirectory(prefix="herd-resp-") as folder:
        server, port = start(arguments, folder)
        with server:
            if case == "geosearch":
                fill(port)
            time.sleep(WARMUP_S)
            # Makes herd's index, and the members of GEOADD.
            requests_per_second(arguments, port, case)
            return requests_per_second(arguments, port, case)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], metavar="case", help=f"of {', '.join(CASES)} [all]")
    parser.add_argument("--herd", default="target/release/herd", type=os.path.abspath)
    parser.add_argument("--redis", default="redis-server")
    parser.add_argument("--benchmark", default="redis-benchmark")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--requests", type=int, default=1_000_000, help="of GEOADD 16 deep; others take fewer")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for case in arguments.cases or CASES:
        goal = CASES[case][-1]
        print(f"{case}: {arguments.connections} connections", flush=True)
        ratios = []
        for _ in range(arguments.rounds):
            herd = measured(arguments, start_herd, case)
            redis = measured(arguments, start_redis, case)
            ratios.append(herd / redis)
            print(f"  herd {herd:>12,.0f}/s   Redis {redis:>12,.0f}/s   {ratios[-1]:.2f} times", flush=True)
        print(f"  = {statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f}); the goal is {goal}")


if __name__ == "__main__":
    main()
