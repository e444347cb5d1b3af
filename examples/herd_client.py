#!/usr/bin/env python3
"""A client of herd in Python, with nothing but the standard library.

    python3 examples/herd_client.py report 127.0.0.1:12000 kiwi +34.068930-118.445127
    python3 examples/herd_client.py ask    127.0.0.1:12003 kiwi 10 5

`report` reports the location of a client now. `ask` prints the location of a client and the places near it.
"""

import json
import socket
import sys
import time
from decimal import Decimal


class Refused(Exception):
    """The server refused the line: its reply is `?` and the line."""


class HerdClient:
    """One connection to one server, for any number of commands."""

    def __init__(self, host: str, port: int, timeout_s: float = 10.0):
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> "HerdClient":
        return self

    def __exit__(self, *_) -> None:
        self._lines.close()
        self._socket.close()

    def report(self, client: str, location: str, time_ns: int | None = None) -> dict:
        """Reports the location of `client`. `time_ns` is in ns since 1970; the default is now."""
        if time_ns is None:
            time_ns = time.time_ns()
        # No float here: a float cannot tell two nanoseconds apart.
        self._send(f"IAMAT {client} {location} {time_ns // 10**9}.{time_ns % 10**9:09d}")
        return self._at_line()

    def ask(self, client: str, radius_km: float = 10, most: int = 5) -> tuple[dict, dict]:
        """Returns the location of `client`, and a Nearby Search reply with the places near it."""
        self._send(f"WHATSAT {client} {radius_km} {most}")
        at = self._at_line()
        # The JSON ends with an empty line.
        text = b""
        while (line := self._line()) != b"\n":
            text += line
        return at, json.loads(text)

    def _send(self, line: str) -> None:
        self._socket.sendall(line.encode() + b"\n")

    def _line(self) -> bytes:
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the server closed the connection")
        return line

    def _at_line(self) -> dict:
        line = self._line()
        # A client's id may be any bytes; surrogateescape keeps bytes that are not UTF-8.
        text = line.decode("utf-8", "surrogateescape")
        if not text.startswith("AT "):
            raise Refused(text.rstrip("\n"))
        _, server, difference, client, location, when = text.rstrip("\n").split(" ")
        return {
            "server": server,
            "difference_s": Decimal(difference),
            "client": client,
            "location": location,
            "time_s": Decimal(when),
        }


def main(arguments: list[str]) -> None:
    match arguments:
        case ["report", address, client, location]:
            host, _, port = address.rpartition(":")
            with HerdClient(host, int(port)) as herd:
                at = herd.report(client, location)
            print(f"{at['server']} has heard it")
        case ["ask", address, client, radius_km, most]:
            host, _, port = address.rpartition(":")
            with HerdClient(host, int(port)) as herd:
                at, places = herd.ask(client, float(radius_km), int(most))
            print(f"{at['client']} is at {at['location']}, as {at['server']} heard")
            for place in places["results"]:
                print(f"  near {place['name']}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Refused, OSError) as error:
        sys.exit(f"herd_client: {error}")
