"""fakesnow's server, in a virtual environment of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

COMMAND = Path(sys.prefix) / "peers" / "bin" / "fakesnow"
_READY_SECONDS = 30.0


class Fakesnow:
    """A running fakesnow server, as a context manager.

    Raises:
        FileNotFoundError: it is not installed; ``make bench`` does that.
    """

    def __enter__(self) -> Fakesnow:
        if not COMMAND.exists():
            raise FileNotFoundError(f"{COMMAND} is missing: make bench installs benchmarks/requirements.txt")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._process = subprocess.Popen(
            [COMMAND, "--server", "--port", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__(None, None, None)
                    raise RuntimeError("fakesnow's server does not start") from None
                time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def connection_parameters(self) -> dict[str, Any]:
        return {
            "user": "fake",
            "password": "snow",
            "account": "fakesnow",
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
        }
