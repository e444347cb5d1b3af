#!/usr/bin/env python3
"""Tells when a van comes to a depot: depots.py HOST:PORT[,HOST:PORT...] RADIUS_KM NAME=LATITUDE,LONGITUDE ..."""

import sys
import threading

from herd import Herd


def watch(servers: list[str], radius_km: float, depot: str, latitude: float, longitude: float) -> None:
    # A van that wavers at the border has to be 200 m farther away before it can come again.
    for event in Herd(*servers).watch(point=(latitude, longitude), radius_km=radius_km, margin_km=0.2):
        if event.kind == "enter":
            print(f"{event.client} came to {depot} at {event.record.time}", flush=True)


if __name__ == "__main__":
    servers, radius_km, *depots = sys.argv[1:]
    for depot, _, location in (argument.partition("=") for argument in depots):
        latitude, longitude = map(float, location.split(","))
        arguments = (servers.split(","), float(radius_km), depot, latitude, longitude)
        threading.Thread(target=watch, args=arguments).start()
