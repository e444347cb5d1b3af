#!/usr/bin/env python3
"""Tells when a van comes to a depot: depots.py HOST:PORT RADIUS_KM NAME=LOCATION ..."""

import socket
import sys
import threading
import time


def watch(address: tuple[str, int], radius_km: str, depot: str, location: str) -> None:
    before: set[str] = set()
    inside: set[str] = set()
    while True:
        try:
            with socket.create_connection(address, timeout=45) as herd, herd.makefile("rwb") as stream:
                stream.write(f"WATCH POINT {location} {radius_km} 0.2\n".encode())
                stream.flush()
                before, inside = before | inside, set()
                for line in stream:
                    match line.decode(errors="replace").split():
                        case ["ENTER", "AT", _, _, van, _, when]:
                            inside.add(van)
                            if van not in before:
                                print(f"{van} came to {depot} at {when}", flush=True)
                        case ["LEAVE", "AT", _, _, van, _, _] | ["GONE", van]:
                            inside.discard(van)
                        case ["LIVE", _]:
                            before = set()
                        case ["?", *_] | ["END", *_]:
                            break
        except OSError as error:
            print(f"{depot}: {error}", file=sys.stderr)
        time.sleep(1)


if __name__ == "__main__":
    host, port = sys.argv[1].rsplit(":", 1)
    for depot, location in (argument.split("=") for argument in sys.argv[3:]):
        threading.Thread(target=watch, args=((host, int(port)), sys.argv[2], depot, location)).start()
