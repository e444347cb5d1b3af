#!/usr/bin/env python3
"""Takes pictures of the live page: starts a herd, moves clients, and looks with a headless Chromium.

Needs Python 3.11, chromium and chromedriver, and a herd program.
"""

import argparse
import base64
import dataclasses
import json
import math
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SERVERS = 5
PICTURE_BYTES_MAX = 400_000
# The server whose page is looked at: its place in the topology. Smith is in the middle of the herd.
SMITH, HILL = 2, 0
HILLS_NEIGHBOURS = ("Jaquez", "Smith")
CROWD = 100_000
READY_WITHIN_S = 120


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture: its size in pixels, pixels of the file for each, colour scheme, and the page's address."""

    width: int
    height: int
    scale: int
    scheme: str
    address: str
    server: int = SMITH
    # What has to be so in the page before it is taken: an expression of JavaScript.
    ready: str = "true"


CHOSEN = "document.querySelector('#places li') && document.querySelector('#neighbours li')"
CUT_OFF = "document.documentElement.dataset.cutOff === 'true'"
MANY = f"Number(document.getElementById('map').dataset.seen) >= {CROWD} * 0.8"

# In the order in which they are taken: the last two change the herd.
PICTURES = {
    "light": Picture(1280, 900, 1, "light", "?client=kiwi.cs.ucla.edu#map=2/25/10", ready=CHOSEN),
    "dark": Picture(1280, 900, 1, "dark", "?client=kiwi.cs.ucla.edu#map=2/25/10", ready=CHOSEN),
    "phone": Picture(390, 844, 2, "dark", ""),
    "city": Picture(1280, 900, 1, "light", "?client=van-0003.example&follow=#map=12/34.06/-118.3", ready=CHOSEN),
    "crowd": Picture(1280, 900, 1, "light", "#map=2/25/10", ready=MANY),
    "cut-off": Picture(1280, 900, 1, "light", "#map=2/25/10", server=HILL, ready=CUT_OFF),
}

# Roughly where the vans, ferries and cyclists of the picture are: latitude, longitude, spread, how many.
PLACES = [
    (34.06, -118.3, 0.03, 24), (34.05, -118.25, 4.0, 8), (40.71, -74.0, 4.0, 14), (19.43, -99.13, 4.0, 8), (-23.55, -46.63, 4.0, 10),
    (51.5, -0.12, 4.0, 12), (48.85, 2.35, 4.0, 10), (60.17, 24.94, 4.0, 8), (41.9, 12.5, 4.0, 8),
    (6.52, 3.38, 4.0, 8), (-1.29, 36.82, 4.0, 8), (30.04, 31.24, 4.0, 6), (28.61, 77.21, 4.0, 12),
    (1.35, 103.82, 4.0, 10), (35.68, 139.69, 4.0, 12), (-33.87, 151.21, 4.0, 8), (-36.85, 174.76, 1.0, 4),
]
REPORTS_A_SECOND = 400


def free_port_base() -> int:
    """The first of a run of ports that are free now: clients', HTTP's, peers' and Redis clients'."""
    while True:
        base = random.randrange(20_000, 30_000)
        try:
            held = []
            for port in range(base, base + 4 * SERVERS):
                held.append(socket.create_server(("127.0.0.1", port)))
            return base
        except OSError:
            continue
        finally:
            for listener in held:
                listener.close()


class Traffic(threading.Thread):
    """Clients that move, each reporting at a server near it."""

    def __init__(self, client_port: int):
        super().__init__(daemon=True)
        self.ports = [client_port + place for place in range(SERVERS)]
        self.stopped = threading.Event()
        chance = random.Random(7)
        self.clients = []
        for group, (latitude, longitude, spread, many) in enumerate(PLACES):
            for number in range(many):
                at = [latitude + chance.gauss(0, spread), longitude + chance.gauss(0, spread)]
                heading = chance.uniform(0, 2 * math.pi)
                self.clients.append([f"van-{group:02}{number:02}.example", at, heading, group % SERVERS])
        self.clients[0][:2] = ["kiwi.cs.ucla.edu", [34.06893, -118.445127]]

    def run(self) -> None:
        chance = random.Random(8)
        connections = [socket.create_connection(("127.0.0.1", port)) for port in self.ports]
        for connection in connections:
            threading.Thread(target=self.drain, args=[connection], daemon=True).start()
        began, sent = time.monotonic(), 0
        while not self.stopped.wait(0.05):
            elapsed = time.monotonic() - began
            rate = REPORTS_A_SECOND * (1 + 0.35 * math.sin(elapsed / 9) + 0.1 * chance.random())
            while sent < elapsed * rate:
                sent += 1
                client = chance.choice(self.clients)
                name, at, heading, server = client
                if name != "kiwi.cs.ucla.edu":
                    client[2] = heading + chance.gauss(0, 0.2)
                    step = 0.0004 if name.startswith("van-00") else 0.01
                    at[0] = max(-80.0, min(80.0, at[0] + step * math.sin(heading)))
                    at[1] += step * math.cos(heading)
                ns = time.time_ns()
                moment = f"{ns // 10**9}.{ns % 10**9:09}"
                line = f"IAMAT {name} {at[0]:+.6f}{at[1]:+.6f} {moment}\n"
                connections[server].sendall(line.encode())

    def drain(self, connection: socket.socket) -> None:
        while connection.recv(65_536):
            pass


class Browser:
    """A headless Chromium, driven as WebDriver says."""

    def __init__(self):
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                port = int(line.strip().rstrip(".").split()[-1])
                break
        else:
            sys.exit("chromedriver did not start")
        self.base = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        options = {"goog:chromeOptions": {"args": arguments}}
        session = self.ask("", {"capabilities": {"alwaysMatch": options}})
        self.base += "/" + session["sessionId"]

    def ask(self, path: str, body: dict | None, method: str = "POST"):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)["value"]

    def run(self, script: str):
        return self.ask("/execute/sync", {"script": script, "args": []})

    def command(self, command: str, **parameters):
        return self.ask("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def wait(self, script: str, seconds: float = 60) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.run(f"return Boolean({script})"):
                return True
            time.sleep(0.1)
        return False

    def close(self) -> None:
        try:
            self.ask("", None, "DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait()


def look(browser: Browser, url: str, name: str, output: pathlib.Path) -> None:
    picture = PICTURES[name]
    browser.command(
        "Emulation.setDeviceMetricsOverride", width=picture.width, height=picture.height,
        deviceScaleFactor=picture.scale, mobile=picture.scale > 1,
    )
    features = [{"name": "prefers-color-scheme", "value": picture.scheme}]
    browser.command("Emulation.setEmulatedMedia", features=features)
    for _ in range(5):
        browser.ask("/url", {"url": "about:blank"})
        browser.ask("/url", {"url": url + picture.address})
        if browser.wait("document.documentElement.dataset.connection === 'live'", 20):
            break
    else:
        sys.exit(f"{url} does not come alive")
    if not browser.wait(picture.ready):
        sys.exit(f"the page does not show what {name} is of: {picture.ready}")
    time.sleep(4)
    png = base64.b64decode(browser.command("Page.captureScreenshot", format="png")["data"])
    file = output / f"page-{name}.png"
    file.write_bytes(png)
    print(f"{file}: {len(png)} bytes")
    if len(png) > PICTURE_BYTES_MAX:
        sys.exit(f"{file} has more than {PICTURE_BYTES_MAX} bytes")


def report_crowd(client_port: int) -> None:
    """Many clients where people live, some of them long ago."""
    chance = random.Random(9)
    now = time.time()
    for place in range(SERVERS):
        with socket.create_connection(("127.0.0.1", client_port + place)) as connection:
            file = connection.makefile("rwb")
            lines = []
            for number in range(place, CROWD, SERVERS):
                latitude, longitude, _, _ = chance.choice(PLACES)
                east = (longitude + chance.gauss(0, 9) + 180) % 360 - 180
                at = latitude + chance.gauss(0, 5), east
                age = chance.choice([0, 0, 0, 0, 300, 90_000])
                lines.append(f"IAMAT crowd-{number} {at[0]:+.5f}{at[1]:+.5f} {now - age:.3f}\n".encode())
            for start in range(0, len(lines), 500):
                piece = lines[start:start + 500]
                file.write(b"".join(piece))
                file.flush()
                for _ in piece:
                    file.readline()


def is_ready(http_port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/readyz", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def wait_for(http_ports: list[int]) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while not all(is_ready(port) for port in http_ports):
        if time.monotonic() > end:
            sys.exit("herd local did not start")
        time.sleep(0.2)


def kill_servers(herd: subprocess.Popen, names: tuple[str, ...]) -> None:
    """Kills servers of this herd, which are children of its process."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            arguments = (folder / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            continue
        if parent == herd.pid and any(name in arguments or f"--name={name}" in arguments for name in names):
            os.kill(int(folder.name), signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--herd", type=pathlib.Path, default=ROOT / "target/release/herd")
    parser.add_argument("--seconds", type=float, default=60, help="how long clients move before the picture")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/images")
    parser.add_argument("--picture", choices=PICTURES, action="append", help="which, once or more [default: light]")
    arguments = parser.parse_args()

    base = free_port_base()
    bases = {"client": base, "http": base + SERVERS, "peer": base + 2 * SERVERS}
    options = [f"--{name}-port-base={port}" for name, port in bases.items()]
    with tempfile.TemporaryDirectory() as data:
        # Ports for Redis clients may be in use by another herd.
        options.append(f"--resp-port-base={base + 3 * SERVERS}")
        command = [arguments.herd, "local", "--data-dir", f"{data}/herd", *options]
        herd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        browser = None
        try:
            wait_for([bases["http"] + place for place in range(SERVERS)])
            traffic = Traffic(bases["client"])
            traffic.start()
            browser = Browser()
            time.sleep(arguments.seconds)
            wanted = arguments.picture or ["light"]
            for name, picture in PICTURES.items():
                if name not in wanted:
                    continue
                if name == "crowd":
                    report_crowd(bases["client"])
                if name == "cut-off":
                    traffic.stopped.set()
                    kill_servers(herd, HILLS_NEIGHBOURS)
                url = f"http://127.0.0.1:{bases['http'] + picture.server}/"
                look(browser, url, name, arguments.output)
            traffic.stopped.set()
        finally:
            if browser is not None:
                browser.close()
            herd.terminate()
            herd.wait()


if __name__ == "__main__":
    main()
