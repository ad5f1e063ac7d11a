"""How soon the server answers after ``start``, and the memory it holds when nobody asks anything."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import snowflake.connector

from polynya.home import Home
from report import Figure
from timing import median, seconds

_POLYNYA = str(Path(sys.executable).with_name("polynya"))
_SETTLE_SECONDS = 3.0


def measure(quick: bool) -> list[Figure]:
    """Start of a new home and memory after a first session has come and gone."""
    starts, memory = [], []
    runs = 2 if quick else 5
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="polynya-bench-") as folder:
            home = ["--home", folder]
            subprocess.run([_POLYNYA, "init", *home], check=True, capture_output=True)
            start = [_POLYNYA, "start", "--port", "0", *home]
            try:
                starts.append(seconds(lambda start=start: subprocess.run(start, check=True, capture_output=True)))
                with snowflake.connector.connect(**Home.find(folder).connection()) as client:
                    client.cursor().execute("SELECT 1").fetchall()
                time.sleep(_SETTLE_SECONDS)
                memory.append(resident_megabytes(folder))
            finally:
                subprocess.run([_POLYNYA, "stop", *home], check=True, capture_output=True)
    return [
        Figure("ready after `polynya start`", median(starts), "s", limit=2.0, runs=runs),
        Figure("memory of the idle server (resident)", median(memory), "MB", limit=250.0, runs=runs),
    ]


def resident_megabytes(folder: str, *, workers: bool = True) -> float:
    """Memory that a home's server holds.

    Args:
        folder: the home.
        workers: also whatever it started: its process group.
    """
    address = Home.find(folder).address()
    assert address is not None
    shown = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,rss="], check=True, capture_output=True, text=True).stdout
    sizes = [tuple(map(int, line.split())) for line in shown.splitlines()]
    return sum(size for pid, group, size in sizes if (group if workers else pid) == address.pid) / 1024


class Peak:
    """The largest memory that a home's server held while a block ran.

    Args:
        folder, workers: see ``resident_megabytes``.
    """

    def __init__(self, folder: str, *, workers: bool) -> None:
        self.megabytes = 0.0
        self._folder, self._workers = folder, workers
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.megabytes = max(self.megabytes, resident_megabytes(self._folder, workers=self._workers))
