#!/usr/bin/env python3
"""Reports and asks, by herd.py beside this file.

    python3 examples/herd_client.py report 127.0.0.1:12000 kiwi 34.06893 -118.445127
    python3 examples/herd_client.py ask    127.0.0.1:12003 kiwi 10 5

`report` reports the location of a client now. `ask` prints the location of a client and the places near it.
"""

import sys

from herd import Herd, Refused


def main(arguments: list[str]) -> None:
    match arguments:
        case ["report", server, client, latitude, longitude]:
            with Herd(server) as herd:
                record = herd.report(client, float(latitude), float(longitude))
            print(f"{record.server} has heard it")
        case ["ask", server, client, radius_km, limit]:
            with Herd(server) as herd:
                record = herd.find(client)
                places = herd.places(client, float(radius_km), int(limit))
            print(f"{client} was at {record.latitude} {record.longitude} at {record.time}, as {record.server} heard")
            for place in places:
                print(f"  near {place['name']}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Refused, OSError, ValueError) as error:
        sys.exit(f"herd_client: {error}")
