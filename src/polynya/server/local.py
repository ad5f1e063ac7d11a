"""A server of one's own for a while: tests, notebooks, scripts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from polynya.home import Home, HomeError, create
from polynya.server.times import Times

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
# A log file that has grown larger than this is put aside when a server starts.
_LOG_BYTES = 10 << 20


class Warehouse:
    """A running warehouse, as a context manager::

        with Warehouse() as warehouse:
            session = Session.builder.configs(warehouse.connection_parameters).create()

    Args:
        home: folder; made into a warehouse if it is none. None takes a temporary one, deleted at the end.
        port: 0 for any free one.
        host: address to listen on; default loopback.
        account: name of a new home's account.
        tls: serve HTTPS; ``environment`` holds what clients need to trust the server.
        times: other than the usual ones.
        cores: that the server uses; default the machine's.
    """

    def __init__(
        self,
        home: str | Path | None = None,
        port: int = 0,
        host: str | None = None,
        account: str = "POLYNYA",
        tls: bool = False,
        times: Times | None = None,
        cores: int | None = None,
    ) -> None:
        self._temporary = tempfile.mkdtemp(prefix="polynya-") if home is None else None
        self.home = Home.find(home or self._temporary)
        self._port = port
        self._host = host
        self._account = account
        self._tls = tls
        self._times = times
        self._cores = cores
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Warehouse:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def connection_parameters(self) -> dict[str, Any]:
        """For ``snowflake.connector.connect`` and ``Session.builder.configs``."""
        return self.home.connection()

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which any Snowflake client finds the connection ``polynya``, as ``polynya env`` prints them."""
        return self.home.environment()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the server and waits until it answers.

        Raises:
            HomeError: if it does not come up; the text holds what it said last.
        """
        if not self.home.exists:
            create(self.home, self._account)
        self._process = launch(self.home, self._host, self._port, tls=self._tls, times=self._times, cores=self._cores)

    def stop(self) -> None:
        """Stops the server; all data stays in the home."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """Ends the server at once, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def launch(
    home: Home,
    host: str | None = None,
    port: int | None = None,
    tls: bool | None = None,
    times: Times | None = None,
    cores: int | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a home's server as a process of its own and waits until it answers.

    Raises:
        HomeError: if it ends instead, with its last words.
    """
    command = [sys.executable, "-m", "polynya", "start", "--foreground", "--home", str(home.path)]
    if host is not None:
        command += ["--host", host]
    if port is not None:
        command += ["--port", str(port)]
    if tls is not None:
        command += ["--tls" if tls else "--no-tls"]
    if cores is not None:
        command += ["--cores", str(cores)]
    if times is not None:
        command += ["--times", json.dumps(asdict(times))]
    if home.log.exists() and home.log.stat().st_size > _LOG_BYTES:
        home.log.replace(home.log.with_suffix(".log.1"))
    with home.log.open("ab") as log:
        begin = log.tell()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise HomeError(_last_words(home, begin))
        address = home.address()
        if address is not None and address.pid == process.pid:
            return process
        time.sleep(0.01)
    process.kill()
    raise HomeError(f"The server did not become ready within {_READY_SECONDS:.0f} s: see {home.log}.")


def _last_words(home: Home, begin: int) -> str:
    try:
        with home.log.open("rb") as log:
            log.seek(begin)
            lines = log.read().decode(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    last = lines[-1].removeprefix("Error: ") if lines else "it said nothing"
    return last if last.endswith("`.") or "choose another" in last else f"The server ended: {last} (see {home.log})."
