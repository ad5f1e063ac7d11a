"""The server's side of a zygote: starts it when needed, asks it for workers, learns how they ended."""

from __future__ import annotations

import array
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

import polynya
from polynya.errors import SnowflakeError, unsupported

# What workers get of the server's environment; credentials must not be among it.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH")
# Workers are as many as cores: libraries that would start a thread a core must not.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS")
# Arrays of a batch's size come from the heap and stay there between batches: fresh pages cost as much as the work on them.
_HEAP = {"MALLOC_MMAP_THRESHOLD_": str(16 << 20), "MALLOC_TRIM_THRESHOLD_": str(32 << 20)}
# The zygote forks: it must have one thread, and pyarrow's jemalloc would start one.
_FORKS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


@dataclass
class Birth:
    """A worker as the zygote knows it.

    Args:
        token: its name.
        pid: once it is forked.
        status: as waitpid has it, once it ended; None if the zygote ended first.
        born: set when pid is known.
        ended: set when it has ended.
    """

    token: str
    pid: int | None = None
    status: int | None = None
    born: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


class Nursery:
    """Forks workers from one zygote, which it starts at first need and again after it died.

    Args:
        folder: where the zygote runs.
        flavour: ``function`` or ``procedure`` (which has imported Snowpark).
        hide: folders that workers must not read.
    """

    def __init__(self, folder: Path, flavour: str, hide: tuple[Path, ...] = ()) -> None:
        self._folder = folder
        self._flavour = flavour
        self._hide = hide
        self._lock = threading.Lock()
        self._tokens = itertools.count(1)
        self._zygote: _Started | None = None
        self._closed = False

    def start(self) -> None:
        """Starts the zygote in the background if it does not run."""
        with self._lock:
            self._running()

    def fork(self, tasks: socket.socket, calls: socket.socket) -> Birth:
        """Asks for a worker.

        Args:
            tasks: the worker's end of the socket for tasks; closed here.
            calls: the worker's end of the socket for its calls; closed here.
        """
        with self._lock:
            birth = Birth(f"{self._flavour}-{next(self._tokens)}")
            zygote = self._running()
            zygote.births[birth.token] = birth
            zygote.send({"fork": birth.token}, (tasks.fileno(), calls.fileno()))
        tasks.close()
        calls.close()
        return birth

    def kill(self, birth: Birth) -> None:
        """Ends a worker that may have ended already."""
        with self._lock:
            if self._zygote is not None and not birth.ended.is_set():
                self._zygote.send({"kill": birth.token})

    def close(self) -> None:
        """Ends the zygote and its workers."""
        with self._lock:
            self._closed = True
            zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.stop()

    def _running(self) -> _Started:
        if self._closed:
            raise SnowflakeError(604, "57014", "The server is shutting down.")
        if sys.platform != "linux":
            raise unsupported(f"Python handlers on {sys.platform}")
        if self._zygote is None or not self._zygote.alive:
            if self._zygote is not None:
                self._zygote.stop()
            self._zygote = _Started(self._folder, self._flavour, self._hide)
        return self._zygote


class _Started:
    """A running zygote and the thread that listens to it."""

    def __init__(self, folder: Path, flavour: str, hide: tuple[Path, ...]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.births: dict[str, Birth] = {}
        self.alive = True
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "polynya.runtime.zygote", str(theirs.fileno()), flavour, *map(str, hide)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                cwd=folder,
                env=_environment(),
            )
        self._listener = threading.Thread(target=self._listen, name=f"zygote-{flavour}", daemon=True)
        self._listener.start()

    def send(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        """Sends it, unless the zygote is gone: then whoever waits for a worker learns it from the worker's socket."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self._control.sendmsg([orjson.dumps(message)], ancillary)
        except OSError:
            self.alive = False

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:  # it is still importing, or hangs; its workers die with it
            self._process.kill()
            self._process.wait()
        if self._listener is not threading.current_thread():
            self._listener.join()

    def _listen(self) -> None:
        with self._control as control:
            while True:
                try:
                    data = control.recv(4096)
                except OSError:
                    break
                if not data:
                    break
                self._take(orjson.loads(data))
        self.alive = False
        self._process.wait()
        for birth in list(self.births.values()):
            birth.born.set()
            birth.ended.set()

    def _take(self, message: dict[str, Any]) -> None:
        if token := message.get("forked"):
            birth = self.births[token]
            birth.pid = message["pid"]
            birth.born.set()
        elif (token := message.get("exit")) and (found := self.births.pop(token, None)):
            found.status = message["status"]
            found.ended.set()


def _environment() -> dict[str, str]:
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    source = str(Path(polynya.__file__).parents[1])
    paths = [source, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    return env | {"PYTHONPATH": os.pathsep.join(paths)} | dict.fromkeys(_ONE_THREAD, "1") | _HEAP | _FORKS
