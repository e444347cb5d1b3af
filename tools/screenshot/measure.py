#!/usr/bin/env python3
"""Measures the live page in a headless Chromium without a GPU: 100,000 clients, of which 1,000 move each second.

Prints the bytes that the page takes on the way, the time to the first picture, and the frames a second while the map
rests and while it is dragged. Starts `herd local` on ports of its own and stops it. Needs Python 3.11, chromium and
chromedriver.
"""

import argparse
import pathlib
import random
import socket
import subprocess
import tempfile
import threading
import time

import take

MOVING = 1_000
FRAMES_FOR_MS = 5_000

BYTES = """
    const parts = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const files = parts.filter((part) => !/live|v1/.test(part.name));
    return [files.length, files.reduce((sum, part) => sum + part.transferSize, 0)]
"""
FIRST = "return performance.getEntriesByName('first picture')[0]?.startTime"
COUNT_FRAMES = f"""
    window.frames_ = new Promise((done) => {{
        const times = [];
        const begin = performance.now();
        const frame = (now) => {{
            times.push(now);
            if (now - begin < {FRAMES_FOR_MS}) return requestAnimationFrame(frame);
            const gaps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
            const seconds = (times.at(-1) - times[0]) / 1000;
            done([gaps.length / seconds, gaps[Math.floor(gaps.length * 0.99)]]);
        }};
        requestAnimationFrame(frame);
    }});
"""


class Moving(threading.Thread):
    """Clients of the crowd that move, so many a second."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self.port = port
        self.stopped = threading.Event()

    def run(self) -> None:
        chance = random.Random(3)
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            threading.Thread(target=self.drain, args=[connection], daemon=True).start()
            while not self.stopped.wait(0.1):
                lines = []
                for _ in range(MOVING // 10):
                    number = chance.randrange(MOVING)
                    latitude, longitude, _, _ = take.PLACES[number % len(take.PLACES)]
                    at = latitude + chance.gauss(0, 3), longitude + chance.gauss(0, 3)
                    lines.append(f"IAMAT crowd-{number} {at[0]:+.5f}{at[1]:+.5f} {time.time():.3f}\n")
                connection.sendall("".join(lines).encode())

    def drain(self, connection: socket.socket) -> None:
        try:
            while connection.recv(65_536):
                pass
        except OSError:
            pass


def drag(browser) -> None:
    """Drags the map to and fro for as long as frames are counted."""
    end = time.monotonic() + FRAMES_FOR_MS / 1000
    while time.monotonic() < end:
        steps = [{"type": "pointerMove", "duration": 0, "x": 450, "y": 450}, {"type": "pointerDown", "button": 0}]
        for x in (150, 750, 300, 600):
            steps.append({"type": "pointerMove", "duration": 250, "x": x, "y": 400})
        steps.append({"type": "pointerUp", "button": 0})
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}
        browser.ask("/actions", {"actions": [mouse]})


def frames(browser, what: str, meanwhile) -> None:
    browser.run(COUNT_FRAMES)
    meanwhile()
    rate, slow = browser.run("return window.frames_")
    print(f"{what}: {rate:.0f} frames a second, 99 of 100 within {slow:.0f} ms")


def measure(browser, url: str) -> None:
    firsts = []
    for _ in range(5):
        browser.command("Network.clearBrowserCache")
        browser.ask("/url", {"url": "about:blank"})
        browser.ask("/url", {"url": url})
        if not browser.wait("performance.getEntriesByName('first picture').length > 0"):
            raise SystemExit("there is no picture")
        firsts.append(browser.run(FIRST))
    files, size = browser.run(BYTES)
    print(f"{files} files, {size / 1000:.0f} KB on the way")
    print(f"first picture after {sorted(firsts)[2]:.0f} ms, median of 5 ({min(firsts):.0f} to {max(firsts):.0f})")
    time.sleep(3)
    frames(browser, "at rest", lambda: time.sleep(FRAMES_FOR_MS / 1000))
    frames(browser, "dragged", lambda: drag(browser))
    browser.ask("/url", {"url": url + "#map=6/48/5"})
    time.sleep(3)
    frames(browser, "at rest, over Europe", lambda: time.sleep(FRAMES_FOR_MS / 1000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--herd", type=pathlib.Path, default=take.ROOT / "target/release/herd")
    arguments = parser.parse_args()
    base = take.free_port_base()
    bases = {"client": base, "http": base + 5, "peer": base + 10, "resp": base + 15}
    options = [f"--{name}-port-base={port}" for name, port in bases.items()]
    with tempfile.TemporaryDirectory() as data:
        command = [arguments.herd, "local", "--data-dir", f"{data}/herd", *options]
        herd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        browser = None
        try:
            take.wait_for([bases["http"] + place for place in range(take.SERVERS)])
            take.report_crowd(bases["client"])
            moving = Moving(bases["client"])
            moving.start()
            browser = take.Browser()
            browser.command(
                "Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False
            )
            measure(browser, f"http://127.0.0.1:{bases['http']}/")
            moving.stopped.set()
        finally:
            if browser is not None:
                browser.close()
            herd.terminate()
            herd.wait()


if __name__ == "__main__":
    main()
