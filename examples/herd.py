"""Speaks to a herd from Python, with nothing but the standard library (Python 3.10 or newer).

    from herd import Herd

    with Herd("127.0.0.1:12000", "127.0.0.1:12001") as herd:
        herd.report("van7", 60.1699, 24.9384)
        print(herd.find("van7").latitude, herd.nearby(60.17, 24.94, radius_km=5))
        for event in herd.watch(prefix="van"):
            print(event.kind, event.client, event.record)

Copy this file beside your program. It speaks the text protocol (docs/protocol.md). Locations are floats in degrees,
times are `datetime`s with a time zone. An ID is a `str`; bytes that are not UTF-8 are in it as `surrogateescape` makes
them.

A command goes to the first server that can be reached. When its connection fails, it is sent again to the next one,
which does no harm: of the same report, or of two tombstones, one stays. One `Herd` is for one thread at a time; each
`watch()` has a connection of its own, and may have a thread of its own.
"""

import contextlib
import json
import logging
import random
import socket
import ssl
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal

_BLANKS = b" \t\r\n\v\f"
_ID_BYTES_MAX = 8192
_REPLY_BYTES_MAX = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# A watcher is told that its server is alive every 15 s, if nothing else happens.
_SILENCE_S = 45.0
# Until it has begun, the server may go through all clients for others first.
_BEGINNING_S = 300.0
_PAUSE_S, _PAUSE_MAX_S = 0.2, 10.0
_log = logging.getLogger(__name__)


class Refused(Exception):
    """The server said no. The text has every reason that it may have had: the protocol does not tell which."""


class Unreachable(ConnectionError):
    """No server answers. The text has the trouble with each."""


@dataclass(frozen=True)
class Record:
    """Where a client is, and what it said to whom."""

    client: str
    latitude: float  # degrees
    longitude: float  # degrees
    time: datetime  # of the report, cut to microseconds, in UTC
    server: str  # heard the report
    difference_s: float  # the clock of this server less the time of the report
    location_text: str  # as it was reported
    time_text: str  # as it was reported: seconds since 1970, up to nanoseconds


@dataclass(frozen=True)
class Event:
    """A change that a watch tells.

    kind: `record` (a new record), `enter` and `leave` (areas), `centre` (a watch around a client: it moved), `gone` (it
        expired or was forgotten), or `live` (all that is so was told). A `leave` has no record if it happened while no
        server was reached.
    """

    kind: str
    client: str | None = None
    record: Record | None = None


class Herd:
    """Some servers of one herd, each as `HOST:PORT`."""

    def __init__(
        self, *servers: str, token: str | None = None, tls: ssl.SSLContext | None = None, timeout_s: float = 10.0
    ):
        addresses = [_address(server) for server in servers or ("127.0.0.1:12000",)]
        self._servers = _Servers(addresses, token, tls, timeout_s)
        self._connection: _Connection | None = None

    def __enter__(self) -> "Herd":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection. The next command makes a new one."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def report(self, client: str, latitude: float, longitude: float, time: datetime | None = None) -> Record:
        """Says where a client is, and when it was there: now, unless it is given. Returns the record as it was heard.

        A server that knows a later one keeps that.
        """
        # Nanoseconds as integers: a float cannot tell two of them apart.
        ns = clock.time_ns() if time is None else _ns(time)
        line = b"IAMAT %s %s %s" % (_id(client), _location(latitude, longitude), _seconds(ns))
        return self._say(line, _one_record, _NOT_TAKEN)

    def find(self, client: str) -> Record:
        """Where is it?"""
        return self._say(b"WHATSAT %s 0 0" % _id(client), _record_and_places, _UNKNOWN)[0]

    def places(self, client: str, radius_km: float = 10.0, limit: int = 20) -> list[dict]:
        """Places within 50 km of a client at most, as Google's Nearby Search describes them."""
        line = b"WHATSAT %s %s %d" % (_id(client), _number("radius_km", radius_km, 0, 50), _limit(limit, 20))
        places = self._say(line, _record_and_places, _UNKNOWN)[1]
        if places["status"] not in ("OK", "ZERO_RESULTS"):
            raise Refused(f"no places: {places['status']}: {places.get('error_message', 'no reason was told')}")
        return places["results"]

    def nearby(
        self, latitude: float, longitude: float, radius_km: float | None = None, limit: int = 100
    ) -> list[tuple[float, Record]]:
        """The clients around a point with their distances in km, nearest first."""
        center = _location(latitude, longitude)
        line = b"NEARBY POINT %s %s %d" % (center, _reach(radius_km), _limit(limit, 1000))
        return self._say(line, _near, _SEARCH)

    def nearby_client(
        self, client: str, radius_km: float | None = None, limit: int = 100
    ) -> list[tuple[float, Record]]:
        """The same around a client, which is not among them."""
        line = b"NEARBY CLIENT %s %s %d" % (_id(client), _reach(radius_km), _limit(limit, 1000))
        return self._say(line, _near, f"{_UNKNOWN}, or {_SEARCH}")

    def within(self, south: float, west: float, north: float, east: float, limit: int = 100) -> list[Record]:
        """The clients in a box. If west is greater than east, the box crosses 180 degrees."""
        line = b"WITHIN %s %s %d" % (_location(south, west), _location(north, east), _limit(limit, 1000))
        return self._say(line, _in, f"south is above north, or {_SEARCH}")

    def forget(self, client: str) -> datetime:
        """Takes a client out of the whole herd. Returns the time up to which its reports are forgotten."""
        return self._say(b"FORGET %s" % _id(client), _gone, _NOT_FORGOTTEN)

    def watch(
        self,
        *,
        client: str | None = None,
        prefix: str | None = None,
        point: tuple[float, float] | None = None,
        box: tuple[float, float, float, float] | None = None,
        around: str | None = None,
        radius_km: float | None = None,
        margin_km: float = 0.0,
    ) -> Iterator[Event]:
        """Tells what is so, then `live`, and from then on each change, for ever. No argument means all clients.

        client: one client. prefix: those whose IDs begin so. point: those within `radius_km` of (latitude, longitude).
        box: those in (south, west, north, east). around: those within `radius_km` of a client. With a margin a client
        leaves only when it is so much farther.

        When its server is lost, the watch goes on at the next one, and tells what has changed since. That server may be
        behind for a moment: a record may be older than the one told before, until the newest is there too.
        """
        reach = b"%s %s" % (_reach(radius_km), _number("margin_km", margin_km, 0, 20_100))
        asked = [
            client is not None and b"CLIENT %s" % _id(client),
            prefix is not None and b"PREFIX %s" % _id(prefix),
            point is not None and b"POINT %s %s" % (_location(*point), reach),
            box is not None and b"WITHIN %s %s" % (_location(*box[:2]), _location(*box[2:])),
            around is not None and b"NEARBY %s %s" % (_id(around), reach),
        ]
        asked = [question for question in asked if question] or [b"ALL"]
        if len(asked) > 1:
            raise ValueError("watch one of client, prefix, point, box and around")
        is_area = asked[0].split()[0] in (b"POINT", b"WITHIN", b"NEARBY")
        return _watching(self._servers.copy(), b"WATCH " + asked[0], _Told(is_area))

    def _say(self, line: bytes, read, refusal: str):
        troubles = []
        # The connection that is there may have ended long ago: then one server is asked once more.
        for _ in range(len(self._servers) + (self._connection is not None)):
            try:
                self._connection = self._connection or self._servers.connect()
                self._connection.send(line)
                return read(self._connection)
            except _Question:
                raise Refused(f"{line.split()[0].decode()}: {refusal}") from None
            except Unreachable:
                raise
            except OSError as error:
                troubles.append(str(error))
                self.close()
                self._servers.next()
            except BaseException:
                # The rest of a reply may be on its way.
                self.close()
                raise
        raise Unreachable("; ".join(troubles))


_NOT_TAKEN = (
    "the time is too far ahead of the server's clock, the server has no room for a new client, the report could not be "
    "made as safe as the server promises, or the token may not report the client"
)
_NOT_FORGOTTEN = (
    "the token may not forget the client, a server of the herd is too old or was not heard yet, or it could not be "
    "made as safe as the server promises"
)
_NOT_WATCHED = "WATCH: the server has no room for a further watch, or the token may not ask about the client"
_NOT_WATCHED_ANY_MORE = "WATCH: the token may ask about other clients now, or there are too many clients in the areas"
_UNKNOWN = "the client is not known, or the token may not ask about it"
_SEARCH = "as many long searches as the server takes are under way"


class _Question(Exception):
    """A reply that begins with `?`."""


class _Servers:
    """The servers, of which the first one is the next to be asked."""

    def __init__(self, addresses: list, token: str | None, tls: ssl.SSLContext | None, timeout_s: float):
        self._addresses, self._token, self._tls, self._timeout_s = addresses, token, tls, timeout_s

    def __len__(self) -> int:
        return len(self._addresses)

    def copy(self) -> "_Servers":
        return _Servers(list(self._addresses), self._token, self._tls, self._timeout_s)

    def next(self) -> None:
        self._addresses.append(self._addresses.pop(0))

    def connect(self) -> "_Connection":
        """To the first server that can be reached, which is the first one from then on."""
        troubles = []
        for _ in self._addresses:
            host, port = self._addresses[0]
            try:
                connection = _Connection(host, port, self._tls, self._timeout_s)
                with contextlib.ExitStack() as on_failure:
                    on_failure.callback(connection.close)
                    if self._token is not None:
                        connection.authenticate(self._token)
                    on_failure.pop_all()
                return connection
            except OSError as error:
                troubles.append(f"{host}:{port}: {error}")
            self.next()
        raise Unreachable("; ".join(troubles))


class _Connection:
    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float):
        self._name = f"{host}:{port}"
        self._socket = socket.create_connection((host, port), timeout_s)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        self._lines = self._socket.makefile("rb")

    def authenticate(self, token: str) -> None:
        try:
            self.send(b"AUTH " + token.encode())
            self.line()
        except _Question:
            raise Refused("AUTH: the server does not know the token, or needs none") from None

    def be_patient(self, timeout_s: float) -> None:
        """How long to wait for each line."""
        self._socket.settimeout(timeout_s)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def send(self, line: bytes) -> None:
        self._socket.sendall(line + b"\n")

    def line(self) -> bytes:
        line = self._lines.readline(_REPLY_BYTES_MAX)
        if not line.endswith(b"\n"):
            raise ConnectionError(f"{self._name} has closed the connection")
        if line.startswith(b"?"):
            raise _Question
        return line[:-1]

    def block(self) -> Iterator[bytes]:
        """The lines up to the empty one."""
        while line := self.line():
            yield line


def _watching(servers: _Servers, line: bytes, told: "_Told") -> Iterator[Event]:
    pause_s, refusals = _PAUSE_S, 0
    while True:
        try:
            with contextlib.closing(servers.connect()) as connection:
                connection.send(line)
                connection.be_patient(_BEGINNING_S)
                for event in told.events(connection):
                    if event.kind == "live":
                        connection.be_patient(_SILENCE_S)
                        pause_s, refusals = _PAUSE_S, 0
                    yield event
        except Refused as refused:
            # Another server may have room.
            refusals += 1
            if refusals >= len(servers):
                raise
            _log.warning("%s", refused)
        except OSError as error:
            _log.warning("%s", error)
        servers.next()
        clock.sleep(pause_s * random.uniform(0.5, 1))
        pause_s = min(2 * pause_s, _PAUSE_MAX_S)


class _Told:
    """What a watch has told so far, through all of its connections."""

    def __init__(self, is_area: bool):
        self._is_area = is_area
        self._records: dict[str, Record] = {}
        self._centre: Record | None = None

    def events(self, connection: _Connection) -> Iterator[Event]:
        """Those of one connection, up to its end."""
        # Those of before that this connection has not told yet; nothing is missed once it is live.
        missing = dict(self._records)
        missing_centre = self._centre
        while True:
            try:
                line = connection.line()
            except _Question:
                raise Refused(_NOT_WATCHED) from None
            word, _, rest = line.partition(b" ")
            if word == b"END" and rest == b"refused":
                raise Refused(_NOT_WATCHED_ANY_MORE)
            if word == b"END":
                return
            if word == b"LIVE":
                for client in missing:
                    del self._records[client]
                    yield Event("leave" if self._is_area else "gone", client)
                if missing_centre is not None:
                    self._centre = None
                    yield Event("gone", missing_centre.client)
                missing, missing_centre = {}, None
                yield Event("live")
            elif word == b"GONE":
                client = _text(rest)
                if self._centre is not None and client == self._centre.client:
                    self._centre = missing_centre = None
                    yield Event("gone", client)
                elif self._records.pop(client, None):
                    missing.pop(client, None)
                    yield Event("gone", client)
            elif word == b"CENTRE":
                record, before = _record(rest), self._centre
                self._centre, missing_centre = record, None
                if record != before:
                    yield Event("centre", record.client, record)
            elif word in (b"AT", b"ENTER", b"LEAVE"):
                record = _record(line if word == b"AT" else rest)
                missing.pop(record.client, None)
                before = self._records.pop(record.client, None)
                if word == b"LEAVE":
                    yield Event("leave", record.client, record)
                    continue
                self._records[record.client] = record
                if before is None and word == b"ENTER":
                    yield Event("enter", record.client, record)
                elif record != before:
                    yield Event("record", record.client, record)


def _one_record(connection: _Connection) -> Record:
    return _record(connection.line())


def _record_and_places(connection: _Connection) -> tuple[Record, dict]:
    return _record(connection.line()), json.loads(b"\n".join(connection.block()))


def _near(connection: _Connection) -> list[tuple[float, Record]]:
    _, *lines = connection.block()
    return [(float(km), _record(at)) for km, _, at in (line.partition(b" ") for line in lines)]


def _in(connection: _Connection) -> list[Record]:
    _, *lines = connection.block()
    return [_record(at) for at in lines]


def _gone(connection: _Connection) -> datetime:
    return _time(_text(connection.line().split(b" ")[3]))


def _record(at: bytes) -> Record:
    try:
        word, server, difference, client, location, when = (_text(field) for field in at.split(b" "))
        if word != "AT":
            raise ValueError
        # The sign of the longitude is the only one behind the first byte.
        middle = max(location.rfind("+"), location.rfind("-"))
        latitude, longitude = float(location[:middle]), float(location[middle:])
        return Record(client, latitude, longitude, _time(when), server, float(difference), location, when)
    except ValueError:
        raise ConnectionError(f"no server of a herd answers so: {at[:200]!r}") from None


def _time(text: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(Decimal(text).scaleb(6).to_integral_value("ROUND_FLOOR")))


def _ns(time: datetime) -> int:
    if time.tzinfo is None:
        raise ValueError("the time has no time zone: say datetime.now(timezone.utc), or use astimezone()")
    since = time - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _seconds(ns: int) -> bytes:
    seconds, ns_left = divmod(abs(ns), 10**9)
    return b"%s%d.%09d" % (b"-" if ns < 0 else b"", seconds, ns_left)


def _text(field: bytes) -> str:
    return field.decode("utf-8", "surrogateescape")


def _id(client: str) -> bytes:
    field = client.encode("utf-8", "surrogateescape")
    if not 1 <= len(field) <= _ID_BYTES_MAX:
        raise ValueError(f"an ID has 1 to {_ID_BYTES_MAX} bytes")
    if any(byte in _BLANKS for byte in field):
        raise ValueError(f"an ID has no white space: {client!r}")
    return field


def _location(latitude: float, longitude: float) -> bytes:
    fields = ("latitude", latitude, 90), ("longitude", longitude, 180)
    return b"".join(_number(name, value, -most, most, "+f") for name, value, most in fields)


def _reach(radius_km: float | None) -> bytes:
    return b"*" if radius_km is None else _number("radius_km", radius_km, 0, 20_100)


def _number(name: str, value: float, least: float, most: float, form: str = "f") -> bytes:
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}, and not from {least} to {most}")
    # The shortest decimal that is this float, without an exponent. Smaller parts of a degree or km are none of a place.
    return format(Decimal(repr(round(float(value), 25))).normalize(), form).encode()


def _limit(limit: int, most: int) -> int:
    if not 0 <= limit <= most:
        raise ValueError(f"limit is {limit}, and not from 0 to {most}")
    return limit


def _address(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"a server is HOST:PORT, and not {server!r}")
    return host.strip("[]"), int(port)
