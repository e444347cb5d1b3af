#!/usr/bin/env python3
"""Measures reports over HTTP/JSON against a server of this machine: many in one request, and one at a time.

    tools/measure/http_json.py [--http 127.0.0.1:13000] [--seconds 10] [--connections 4] [--reports 1000] [--clients 100000]

With --reports 1 each request is a PUT. The requests are made before the clock starts, and the answers are read to
their ends; each status has to be 200. The generator takes processor time too, so its share is printed.
"""

import argparse
import multiprocessing
import random
import resource
import socket
import time


def requests_of(arguments, seed):
    """Some requests, over and over again, with clients that differ."""
    chance = random.Random(seed)
    requests = []
    for _ in range(max(1, 20_000 // arguments.reports)):
        reports = []
        for _ in range(arguments.reports):
            client = f"van{chance.randrange(arguments.clients)}"
            latitude = round(chance.uniform(-80, 80), 6)
            longitude = round(chance.uniform(-170, 170), 6)
            reports.append((client, latitude, longitude))
        if arguments.reports == 1:
            client, latitude, longitude = reports[0]
            body = f'{{"latitude":{latitude},"longitude":{longitude}}}'
            head = f"PUT /v1/clients/{client} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        else:
            lines = [f'{{"client":"{c}","latitude":{a},"longitude":{o}}}\n' for c, a, o in reports]
            body = "".join(lines)
            head = "POST /v1/reports HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        requests.append(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return requests


def answered(stream, buffer):
    """Reads one answer to its end, and returns what is behind it."""
    while (end := buffer.find(b"\r\n\r\n")) < 0:
        buffer += received(stream)
    head, buffer = buffer[:end].lower(), buffer[end + 4 :]
    if not head.startswith(b"http/1.1 200 "):
        raise SystemExit(f"refused: {head.decode()}")
    if (at := head.find(b"content-length: ")) >= 0:
        length = int(head[at + 16 :].split(b"\r\n")[0])
        while len(buffer) < length:
            buffer += received(stream)
        return buffer[length:]
    while not buffer.endswith(b"\r\n0\r\n\r\n"):
        buffer += received(stream)
    return b""


def received(stream):
    piece = stream.recv(1 << 18)
    if not piece:
        raise SystemExit("the server has closed the connection")
    return piece


def run(arguments, seed, counts):
    """One connection, one request at a time."""
    requests = requests_of(arguments, seed)
    host, port = arguments.http.rsplit(":", 1)
    stream = socket.create_connection((host, int(port)))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    done, buffer, at = 0, b"", 0
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        stream.sendall(requests[at])
        buffer = answered(stream, buffer)
        at = (at + 1) % len(requests)
        done += arguments.reports
    used = resource.getrusage(resource.RUSAGE_SELF)
    counts.put((done, used.ru_utime + used.ru_stime))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--http", default="127.0.0.1:13000")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--reports", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=100_000)
    arguments = parser.parse_args()
    counts = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(target=run, args=(arguments, seed, counts))
        for seed in range(arguments.connections)
    ]
    for process in processes:
        process.start()
    results = [counts.get() for _ in processes]
    for process in processes:
        process.join()
    total = sum(done for done, _ in results)
    used = sum(seconds for _, seconds in results)
    print(f"{total / arguments.seconds:,.0f} reports/s; the generator took {used:.1f} s of processor time")


if __name__ == "__main__":
    main()
