"""The process from which workers are forked: it has imported what handlers need, and nothing of the server.

Run as ``python -m polynya.runtime.zygote <descriptor> <flavour> <hidden folders ...>``. The descriptor is a socket to
the server that keeps message boundaries; each message is JSON:

    server: {"fork": token} with two descriptors (the worker's tasks and calls), {"kill": token}
    zygote: {"forked": token, "pid": pid}, {"exit": token, "status": as waitpid has it}

It ends, and all workers with it, when the server closes the socket or dies.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import orjson

_MESSAGE = 4096
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
# Seconds between looks at whether the server still lives, should its socket have been inherited by someone else.
_PARENT_CHECK = 5


class _Zygote:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._workers: dict[int, str] = {}  # by pid
        self._wake, wake_write = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wake_write = wake_write
        self._parent = os.getppid()

    def run(self) -> None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while os.getppid() == self._parent:
            for fd, _ in poll.poll(_PARENT_CHECK * 1000):
                if fd == self._wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake, _MESSAGE)
                    self._reap()
                elif not self._serve():
                    return

    def _serve(self) -> bool:
        try:
            data, ancillary, _, _ = self._control.recvmsg(_MESSAGE, socket.CMSG_SPACE(8), socket.MSG_CMSG_CLOEXEC)
        except OSError:
            return False
        if not data:
            return False
        message = orjson.loads(data)
        fds = array.array("i")
        for _, _, payload in ancillary:
            fds.frombytes(payload)
        if token := message.get("fork"):
            self._fork(token, fds[0], fds[1])
        elif token := message.get("kill"):
            for pid, known in self._workers.items():
                if known == token:
                    os.kill(pid, signal.SIGKILL)
        return True

    def _fork(self, token: str, tasks: int, calls: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(parent, tasks, calls)
        self._workers[pid] = token
        os.close(tasks)
        os.close(calls)
        self._send({"forked": token, "pid": pid})

    def _become_worker(self, parent: int, tasks: int, calls: int) -> NoReturn:
        try:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            self._control.close()
            os.close(self._wake)
            os.close(self._wake_write)
            quiet = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(quiet, fd)
            os.close(quiet)
            # What a handler pickled by reference to __main__ must not find this module there.
            sys.modules["__main__"] = ModuleType("__main__")
            from polynya.runtime.worker import Worker

            Worker(socket.socket(fileno=tasks), socket.socket(fileno=calls)).run()
        finally:
            os._exit(0)

    def _reap(self) -> None:
        died = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            token = self._workers.pop(pid, None)
            if token is not None:
                died = True
                self._send({"exit": token, "status": status})
        if died:
            self._kill_orphans()

    def _kill_orphans(self) -> None:
        """Ends the processes that a dead worker had started: they are children of this process now."""
        with contextlib.suppress(OSError):
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for pid in map(int, children):
                if pid not in self._workers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the server is gone: run() sees it next
            self._control.send(orjson.dumps(message))

    def kill_all(self) -> None:
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _preload(flavour: str, hidden: list[str]) -> None:
    import cloudpickle  # noqa: F401
    import numpy  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow as pa
    import pyarrow.compute

    import polynya.runtime.worker
    from polynya.runtime import fence, files

    fence.prepare(tuple(map(Path, hidden)))
    pa.set_cpu_count(1)  # as many workers run as there are cores
    files.install()
    if flavour == "procedure":
        from polynya.runtime import session

        session.prepare()

        import polynya.runtime.procedure  # noqa: F401


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the server's to handle
    _preload(sys.argv[2], sys.argv[3:])
    # Objects that live from here on are not touched by the workers' collections, so their pages stay shared.
    gc.collect()
    gc.freeze()
    zygote = _Zygote(control)
    try:
        zygote.run()
    finally:
        zygote.kill_all()


if __name__ == "__main__":
    main()
