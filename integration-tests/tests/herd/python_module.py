"""Checks examples/herd.py against a herd: python_module.py FOLDER WAY ADDRESS...

FOLDER is that of the module. A WAY prints `done` at its end. `watching` prints its events and goes on for ever.
"""

import sys
from datetime import datetime, timedelta, timezone

sys.path.insert(0, sys.argv[1])

from herd import Event, Herd, Refused, Unreachable  # noqa: E402

TIME = datetime(2018, 3, 2, 20, 52, 14, 918963, timezone.utc)


def refused(kind, text, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind as error:
        assert text in str(error), error
    else:
        raise AssertionError(f"{call} {arguments} was not refused")


def commands(server):
    with Herd(server) as herd:
        record = herd.report("kiwi", 34.06893, -118.445127, TIME)
        assert record.location_text == "+34.06893-118.445127" and record.time_text == "1520023934.918963000", record
        assert herd.find("kiwi") == record
        assert (record.latitude, record.longitude, record.time) == (34.06893, -118.445127, TIME)
        assert record.difference_s > 1e8 and record.server == "Hill"
        # Floats and times in other forms are the same floats and times when they come back.
        helsinki = timezone(timedelta(hours=2))
        for latitude, longitude in [(1e-7, -1e-7), (90, 180), (-0.1234567890123, 0.0), (5, -179.99999999999997)]:
            now = datetime.now(helsinki)
            record = herd.report("moved", latitude, longitude, now)
            assert (record.latitude, record.longitude, record.time) == (latitude, longitude, now), record
        before_1970 = datetime(1969, 12, 31, 23, 59, 58, 750000, timezone.utc)
        assert herd.report("old", 1, 1, before_1970).time == before_1970
        assert abs(herd.report("now", 1, 1).difference_s) < 60
        # Without the nanoseconds two reports would be one.
        herd.report("raw", 1, 2, TIME)
        herd._say(b"IAMAT raw +1+3 1520023934.918963001", lambda connection: connection.line(), "")
        assert herd.find("raw").longitude == 3 and herd.find("raw").time == TIME
        name = b"caf\xe9".decode("utf-8", "surrogateescape")
        assert herd.report(name, 1, 1).client == name

        herd.report("moa", 34.0797, -118.4453, TIME)
        assert [(round(km, 3), near.client) for km, near in herd.nearby_client("kiwi", 5)] == [(1.198, "moa")]
        near = herd.nearby(34.06893, -118.445127, radius_km=5)
        assert [(km, record.client) for km, record in near][0] == (0.0, "kiwi") and len(near) == 2
        assert [record.client for record in herd.within(34, -119, 35, -118)] == ["kiwi", "moa"]
        assert herd.within(34, -119, 35, -118, limit=0) == []
        assert [place["name"] for place in herd.places("kiwi", limit=2)] == ["Bel Air", "Westwood"]
        assert herd.forget("moa") > TIME
        refused(Refused, "WHATSAT: the client is not known", herd.find, "moa")
        late = datetime.now(timezone.utc) + timedelta(days=1)
        refused(Refused, "ahead of the server's clock", herd.report, "kiwi", 1, 1, late)
        refused(ValueError, "latitude is 91", herd.report, "kiwi", 91, 0)
        refused(ValueError, "longitude is nan", herd.report, "kiwi", 1, float("nan"))
        refused(ValueError, "no white space", herd.report, "ki wi", 1, 1)
        refused(ValueError, "no white space", herd.find, "kiwi\nFORGET kiwi")
        refused(ValueError, "no time zone", herd.report, "kiwi", 1, 1, datetime.now())
        refused(ValueError, "limit is 21", herd.places, "kiwi", limit=21)
        refused(ValueError, "HOST:PORT", Herd, "localhost")
        refused(ValueError, "one of", herd.watch, client="kiwi", prefix="k")
        # None of it has broken the connection.
        assert herd.find("kiwi").server == "Hill"
    refused(Refused, "AUTH: ", Herd(server, token="none").find, "kiwi")


def watches(server):
    herd = Herd(server)
    herd.report("van1", 10, 10)
    events = herd.watch(point=(10, 10), radius_km=1)
    assert shown(events, 2) == ["enter van1", "live None"]
    herd.report("van1", 10.001, 10)
    herd.report("van2", 10.5, 10)
    herd.report("van2", 10, 10)
    herd.report("van1", 11, 10)
    herd.forget("van2")
    assert shown(events, 4) == ["record van1", "enter van2", "leave van1", "gone van2"]
    events.close()
    events = herd.watch(around="van1", radius_km=5)
    assert shown(events, 2) == ["centre van1", "live None"]
    herd.report("van3", 11, 10)
    herd.report("van1", 12, 10)
    assert shown(events, 3) == ["enter van3", "centre van1", "leave van3"]
    herd.forget("van1")
    assert shown(events, 1) == ["gone van1"]
    everything = herd.watch()
    assert shown(everything, 2) == ["record van3", "live None"]
    assert shown(herd.watch(box=(10, 9, 12, 11)), 1) == ["enter van3"]
    assert shown(herd.watch(prefix="van"), 1) == ["record van3"]
    assert shown(herd.watch(client="van3"), 1) == ["record van3"]


def shown(events, count):
    return [f"{event.kind} {event.client}" for _, event in zip(range(count), events)]


def failover(dead, first, second):
    with Herd(dead, first, second) as herd:
        assert herd.report("kiwi", 1, 2).server == "Hill"
        print("reported", flush=True)
        # The first server is killed meanwhile.
        assert sys.stdin.readline() == "killed\n"
        record = herd.report("kiwi", 3, 4)
        assert record.server == "Smith", record
        assert herd.find("kiwi") == record
    refused(Unreachable, dead, Herd(dead).find, "kiwi")


def rights(server, token_file):
    token = open(token_file).read().strip()
    with Herd(server, token=token) as herd:
        herd.report("van7", 1, 1)
        refused(Refused, "the token may not report", herd.report, "kiwi", 1, 1)
        refused(Refused, "the token may not ask", next, herd.watch(client="kiwi"))
    refused(Refused, "the token may not", Herd(server).report, "van7", 1, 1)


def watching(*servers):
    for event in Herd(*servers).watch(prefix="van"):
        assert isinstance(event, Event)
        print(event.kind, event.client, event.record and event.record.time_text, flush=True)


way = {"commands": commands, "watches": watches, "failover": failover, "rights": rights, "watching": watching}
way[sys.argv[2]](*sys.argv[3:])
print("done", flush=True)
