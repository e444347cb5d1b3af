"""Prints what redis-py gets for the same calls: `redis_py.py HOST PORT PROTOCOL`."""

import sys

import redis


def near(value):
    """Rounds decimals, in which a geohash and another radius of the earth differ."""
    if isinstance(value, float):
        return float(f"{value:.2g}")
    if isinstance(value, (list, tuple)):
        return [near(part) for part in value]
    if isinstance(value, dict):
        return {key: near(part) for key, part in value.items()}
    return value


def tell(name, call):
    try:
        print(name, near(call()))
    except redis.ResponseError as error:
        print(name, type(error).__name__, error)


def main():
    host, port, protocol = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    client = redis.Redis(host=host, port=port, protocol=protocol, decode_responses=True, client_name="test")
    tell("ping", client.ping)
    tell("name", client.client_getname)
    palermo, catania = (13.361389, 38.115556, "Palermo"), (15.087269, 37.502669, "Catania")
    tell("add", lambda: client.geoadd("py", palermo + catania))
    tell("again", lambda: client.geoadd("py", palermo))
    tell("nx", lambda: client.geoadd("py", (1, 1, "Palermo", 2, 2, "new"), nx=True))
    tell("xx", lambda: client.geoadd("py", (1, 1, "nobody"), xx=True))
    tell("ch", lambda: client.geoadd("py", (3, 3, "new"), ch=True))
    tell("pos", lambda: client.geopos("py", "Palermo", "nobody"))
    tell("dist", lambda: client.geodist("py", "Palermo", "Catania", "km"))
    tell("far", lambda: client.geodist("py", "Palermo", "nobody"))
    around = {"longitude": 15, "latitude": 37, "unit": "km"}
    tell("radius", lambda: client.geosearch("py", radius=200, sort="ASC", **around))
    tell("box", lambda: client.geosearch("py", width=400, height=400, sort="DESC", withdist=True, **around))
    tell("all", lambda: client.geosearch("py", radius=200, sort="ASC", withdist=True, withcoord=True, **around))
    tell("count", lambda: client.geosearch("py", radius=200, count=1, sort="ASC", **around))
    tell("member", lambda: client.geosearch("py", member="Palermo", radius=200, unit="km", sort="ASC"))
    tell("nobody", lambda: client.geosearch("py", member="nobody", radius=200, unit="km"))
    tell("wrong", lambda: client.geoadd("py", (200, 1, "x")))
    tell("card", lambda: client.zcard("py"))
    tell("exists", lambda: client.exists("py", "nokey"))
    tell("type", lambda: client.type("py"))
    pipeline = client.pipeline(transaction=False)
    for number in range(1000):
        pipeline.geoadd("pipe", (number / 10, 1, f"van{number}"))
    pipeline.zcard("pipe")
    tell("pipeline", lambda: sum(pipeline.execute()))
    tell("rem", lambda: client.zrem("py", "Palermo", "nobody"))
    tell("gone", lambda: client.geopos("py", "Palermo"))
    tell("loading", lambda: client.info("persistence")["loading"])


main()
