#!/usr/bin/env python3
"""Takes Leaflet, the library that the live page draws its map with, out of the package that requirements.txt pins.

The package and each file are checked against their hashes. Needs Python 3.11 and pip.
"""

import argparse
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# The path in the package, and the SHA-256 of the content. The hashes of leaflet.js and leaflet.css are those that
# leafletjs.com publishes for 1.9.4 (as base64, in the `integrity` attributes of its example).
FILES = {
    "js_lib_leaflet/static/js_lib_leaflet/leaflet.js":
        "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
    "js_lib_leaflet/static/js_lib_leaflet/leaflet.css":
        "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
    "django_js_lib_leaflet-1.9.4.1.dist-info/LICENSE":
        "596e1b738779bffa372268e9330a0fdd8528da1e3c833b15eee9cb37c6d55a95",
}


def download(folder: pathlib.Path) -> None:
    """Fetches the pinned package; pip refuses a package without the pinned hash."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    requirements = ["--requirement", HERE / "requirements.txt", "--dest", folder]
    subprocess.run([*command, *requirements], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "node/server/data/leaflet")
    arguments = parser.parse_args()

    arguments.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder_name:
        folder = pathlib.Path(folder_name)
        download(folder)
        (wheel,) = folder.glob("django_js_lib_leaflet-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for path, expected in FILES.items():
                content = archive.read(path)
                found = hashlib.sha256(content).hexdigest()
                if found != expected:
                    sys.exit(f"{path} has the hash {found}, not {expected}")
                file = arguments.output / pathlib.PurePosixPath(path).name
                file.write_bytes(content)
                print(f"{len(content)} bytes, {found}  {file}")


if __name__ == "__main__":
    main()
