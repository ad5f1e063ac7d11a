"""A running handler's way to the server, beside its results: HTTP requests of a procedure's session, files, logs.

In the worker there is one channel, ``current()``. All its methods may be called from any thread. On the server, the
process that runs the job answers (``process.Process``).

Frames from the worker: ``{"request": id, "method", "path", "headers"}`` with the HTTP body, ``{"open_file": id,
"url"}``, ``{"log": {...}}``. Frames to it: ``{"reply": id, "status", "headers"}`` with the HTTP body, ``{"reply": id}``
with a file descriptor, or ``{"reply": id, "error": [code, sqlstate, message]}``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from typing import Any

from polynya.errors import SnowflakeError
from polynya.runtime.wire import Closed, Wire

_Reply = tuple[dict[str, Any], bytearray, list[int]]


class Channel:
    """Calls from the worker to the server, several at once.

    A thread that waits for its reply reads the socket for all that wait; no thread of the channel's own exists.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._ids = itertools.count(1)
        self._sending = threading.Lock()
        self._state = threading.Condition()
        self._reading = False
        self._waiting: dict[int, _Reply | None] = {}
        self._closed = False

    def request(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """One HTTP request to the server on behalf of the procedure's caller.

        Args:
            method: GET, POST ...
            path: with its query string.
            headers: of the request.
            body: as it goes over the wire.

        Returns:
            status, headers and body of the reply.

        Raises:
            SnowflakeError: if the server refuses it (no procedure runs in this worker).
            ConnectionError: if the server is gone.
        """
        reply, content, _ = self._call({"request": 0, "method": method, "path": path, "headers": headers}, body)
        return reply["status"], reply["headers"], bytes(content)

    def open_file(self, url: str) -> int:
        """A read-only file descriptor, the caller's own, for a stage file or a scoped URL.

        Raises:
            SnowflakeError: if the caller may not read it, or there is none.
            ConnectionError: if the server is gone.
        """
        _, _, fds = self._call({"open_file": 0, "url": url})
        return fds[0]

    def log(self, record: dict[str, Any]) -> None:
        """Hands over what the handler printed or logged; never fails.

        Args:
            record: scope, severity, text, time and attributes, see ``handler.LogRecord``.
        """
        with contextlib.suppress(Closed), self._sending:
            self._wire.send({"log": record})

    def _call(self, header: dict[str, Any], body: bytes = b"") -> _Reply:
        identity = next(self._ids)
        header[next(iter(header))] = identity
        with self._state:
            self._waiting[identity] = None
        try:
            with self._sending:
                self._wire.send(header, body)
            reply = self._await(identity)
        except Closed as error:
            raise ConnectionError("the server is gone") from error
        finally:
            with self._state:
                self._waiting.pop(identity, None)
        if failure := reply[0].get("error"):
            raise SnowflakeError(*failure)
        return reply

    def _await(self, identity: int) -> _Reply:
        while True:
            with self._state:
                while self._waiting[identity] is None and self._reading:
                    self._state.wait()
                found = self._waiting[identity]
                if found is not None:
                    return found
                if self._closed:
                    raise Closed
                self._reading = True
            self._read_one()

    def _read_one(self) -> None:
        frame: _Reply | None = None
        try:
            frame = self._wire.receive()
        finally:
            with self._state:
                self._reading = False
                if frame is None:
                    self._closed = True
                elif frame[0].get("reply") in self._waiting:
                    self._waiting[frame[0]["reply"]] = frame
                else:  # whoever asked was interrupted
                    for fd in frame[2]:
                        os.close(fd)
                self._state.notify_all()


_current: Channel | None = None


def current() -> Channel:
    """The channel of this worker process.

    Raises:
        RuntimeError: outside a worker.
    """
    if _current is None:
        raise RuntimeError("no handler runs in this process")
    return _current


def set_current(channel: Channel) -> None:
    """Makes it the process's channel; called once, when a worker starts."""
    global _current
    _current = channel
