#!/usr/bin/env python3
"""Takes pictures of the live page: starts a herd, moves clients, and looks with a headless Chromium.

Needs Python 3.11, chromium and chromedriver, and a herd program.
"""

import argparse
import base64
import json
import math
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SERVERS = 5
PICTURE_BYTES_MAX = 300_000

# Width and height in pixels, pixels of the picture for each, colour scheme.
PICTURES = {
    "light": (1280, 900, 1, "light"),
    "dark": (1280, 900, 1, "dark"),
    "phone": (390, 844, 2, "dark"),
}

# Roughly where the vans, ferries and cyclists of the picture are: latitude, longitude, spread, how many.
PLACES = [
    (34.05, -118.25, 4.0, 14), (40.71, -74.0, 4.0, 14), (19.43, -99.13, 4.0, 8), (-23.55, -46.63, 4.0, 10),
    (51.5, -0.12, 4.0, 12), (48.85, 2.35, 4.0, 10), (60.17, 24.94, 4.0, 8), (41.9, 12.5, 4.0, 8),
    (6.52, 3.38, 4.0, 8), (-1.29, 36.82, 4.0, 8), (30.04, 31.24, 4.0, 6), (28.61, 77.21, 4.0, 12),
    (1.35, 103.82, 4.0, 10), (35.68, 139.69, 4.0, 12), (-33.87, 151.21, 4.0, 8), (-36.85, 174.76, 1.0, 4),
]
REPORTS_A_SECOND = 400


def free_port_base() -> int:
    """The first of a run of ports that are free now: clients', HTTP's and peers'."""
    while True:
        base = random.randrange(20_000, 30_000)
        try:
            held = []
            for port in range(base, base + 3 * SERVERS):
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
                    at[0] = max(-80.0, min(80.0, at[0] + 0.01 * math.sin(heading)))
                    at[1] += 0.01 * math.cos(heading)
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
    width, height, scale, scheme = PICTURES[name]
    browser.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=scale > 1
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.command("Emulation.setEmulatedMedia", features=features)
    for _ in range(5):
        browser.ask("/url", {"url": url})
        if browser.wait("document.documentElement.dataset.connection === 'live'", 20):
            break
    else:
        sys.exit(f"{url} does not come alive")
    if scale == 1:
        browser.run(
            "document.getElementById('find-id').value = 'kiwi.cs.ucla.edu';"
            "document.getElementById('find').requestSubmit()"
        )
        if not browser.wait("document.querySelector('#places li')"):
            sys.exit("the page does not show the client")
        browser.run("document.getElementById('world').click(); document.getElementById('find-id').value = ''")
    time.sleep(3)
    picture = base64.b64decode(browser.command("Page.captureScreenshot", format="png")["data"])
    file = output / f"page-{name}.png"
    file.write_bytes(picture)
    print(f"{file}: {len(picture)} bytes")
    if len(picture) > PICTURE_BYTES_MAX:
        sys.exit(f"{file} has more than {PICTURE_BYTES_MAX} bytes")


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
        command = [arguments.herd, "local", "--data-dir", f"{data}/herd", *options]
        herd = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        browser = None
        try:
            for line in herd.stdout:
                if "Ctrl-C stops all servers" in line:
                    break
            else:
                sys.exit("herd local did not start")
            threading.Thread(target=herd.stdout.read, daemon=True).start()
            traffic = Traffic(bases["client"])
            traffic.start()
            browser = Browser()
            time.sleep(arguments.seconds)
            # Smith, which is in the middle of the herd.
            url = f"http://127.0.0.1:{bases['http'] + 2}/"
            for name in arguments.picture or ["light"]:
                look(browser, url, name, arguments.output)
            traffic.stopped.set()
        finally:
            if browser is not None:
                browser.close()
            herd.terminate()
            herd.wait()


if __name__ == "__main__":
    main()
