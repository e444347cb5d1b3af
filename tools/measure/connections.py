#!/usr/bin/env python3
"""Measures the memory of connections that rest: each has sent some reports and read the replies, and stays open.

Needs Python and a built `herd`; installs nothing. Starts one server on free ports of 127.0.0.1, in memory, and stops it.
Each connection takes an open file on both sides (`ulimit -n`).

    python3 tools/measure/connections.py --herd target/release/herd plain
    python3 tools/measure/connections.py --herd target/release/herd --connections 5000 plain tls resp
"""

import argparse
import os
import socket
import ssl
import subprocess
import tempfile
import time

from against_redis import free_ports
from nearby import resident_mib

# The server gives back what it does not need any more.
SETTLED_S = 2


def commands(case, number, reports):
    """Some reports, and how many lines answer them."""
    if case == "resp":
        words = ["GEOADD", "fleet", "2.35", "48.85", f"van{number}"]
        text = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        return f"*{len(words)}\r\n{text}".encode() * reports, reports
    lines = (f"IAMAT van{number} +48.85+2.35 {1_600_000_000 + each}\n" for each in range(reports))
    return "".join(lines).encode(), reports


def start(arguments, case, folder):
    """A server, and where it takes connections."""
    client, peer, http, resp = free_ports(4)
    with open(os.path.join(folder, "topology"), "w", encoding="utf-8") as file:
        file.write(f"cluster alone\nserver only client 127.0.0.1:{client} peer 127.0.0.1:{peer} http 127.0.0.1:{http}\n")
    command = [arguments.herd, "serve", "--name=only", "--topology=topology", "--ephemeral", "--log=warn"]
    if case == "resp":
        command.append(f"--resp-listen=127.0.0.1:{resp}")
    if case == "tls":
        subprocess.run([arguments.herd, "certs", "new", "--topology=topology", "--out=certs"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        command += ["--client-tls-cert=certs/only.cert.pem", "--client-tls-key=certs/only.key.pem"]
    return subprocess.Popen(command, cwd=folder), resp if case == "resp" else client


def connected(port, case, context):
    """A connection to the server, when it listens."""
    for _ in range(200):
        try:
            stream = socket.create_connection(("127.0.0.1", port), timeout=10)
            return context.wrap_socket(stream) if case == "tls" else stream
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise SystemExit("the server does not listen")


def settled(process):
    time.sleep(SETTLED_S)
    return resident_mib(process.pid)


def said(stream, case, number, reports):
    """Sends reports, and reads the replies to them."""
    text, lines = commands(case, number, reports)
    stream.sendall(text)
    while lines > 0:
        lines -= stream.recv(65_536).count(b"\n")


def measure(arguments, case):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with tempfile.TemporaryDirectory(prefix="herd-connections-") as folder:
        process, port = start(arguments, case, folder)
        try:
            said(connected(port, case, context), case, 0, 1)
            before, streams = settled(process), []
            for number in range(arguments.connections):
                streams.append(connected(port, case, context))
                said(streams[-1], case, number, 1)
            single = settled(process)
            for number, stream in enumerate(streams):
                said(stream, case, number, arguments.deep)
            deep = settled(process)
        finally:
            process.terminate()
            process.wait()
    each = [1024 * (mib - before) / arguments.connections for mib in (single, deep)]
    print(f"{case}: {arguments.connections:,} connections, {each[0]:.2f} KiB each after one report, "
          f"{each[1]:.2f} KiB after {arguments.deep} at once; the records included", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", choices=["plain", "tls", "resp"])
    parser.add_argument("--herd", default="target/release/herd", type=os.path.abspath)
    parser.add_argument("--connections", type=int, default=15_000)
    parser.add_argument("--deep", type=int, default=128, help="reports at once at the end")
    arguments = parser.parse_args()
    for case in arguments.cases:
        measure(arguments, case)


if __name__ == "__main__":
    main()
