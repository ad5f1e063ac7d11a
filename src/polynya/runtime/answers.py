"""The server's side of a worker's channel: takes logs, opens files, serves a procedure's requests; see ``channel``."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from polynya.errors import SnowflakeError
from polynya.runtime.handler import Handler, Job, LogRecord
from polynya.runtime.wire import Closed, Wire, WireError

_log = logging.getLogger(__name__)

# A procedure's way back to the server: (method, path, headers, body) -> (status, headers, body).
Door = Callable[[str, str, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]

# Frames taken before the worker's result, the job's limits and its cancellation are looked at again.
_AT_ONCE = 1000
# Calls of one worker that are answered at the same time.
_MOST_CALLS = 64
# Characters of logs taken during one task; a worker sends less of its own accord.
_MOST_LOGGED = 4 << 20


class Answers:
    """Answers one worker's calls. All but the answers themselves happens on the thread that waits for its result.

    Args:
        wire: of the calls; owned.
        handler: that the worker serves.
        threads: on which files are opened and requests served.
    """

    def __init__(self, wire: Wire, handler: Handler, threads: Executor) -> None:
        self._wire = wire
        self._handler = handler
        self._threads = threads
        self._sending = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_CALLS)
        self._logged = 0
        self._closed = False

    def fileno(self) -> int:
        return self._wire.fileno()

    def begin(self) -> None:
        """A task starts."""
        self._logged = 0

    def close(self) -> None:
        with self._sending:
            self._closed = True
            self._wire.close()

    def drain(self, job: Job, door: Door | None) -> None:
        """Takes what has arrived.

        Args:
            job: on whose behalf.
            door: serves requests; None for functions, which have none.
        """
        for _ in range(_AT_ONCE):
            if not self._wire.readable():
                return
            self._take(job, door)

    def _take(self, job: Job, door: Door | None) -> None:
        header, body, _ = self._wire.receive()
        if "log" in header:
            self._log(header["log"], job)
        elif "open_file" in header:
            self._submit(int(header["open_file"]), self._open_file, str(header["url"]), job)
        elif "request" in header:
            self._submit(int(header["request"]), self._request, header, bytes(body), door)
        else:
            raise WireError("no such call")

    def _submit(self, identity: int, answer: Callable[..., None], *arguments: Any) -> None:
        if not self._places.acquire(blocking=False):
            self._fail(identity, SnowflakeError(100357, "P0000", f"More than {_MOST_CALLS} requests at the same time."))
            return

        def run() -> None:
            try:
                answer(identity, *arguments)
            except Exception as error:
                known = isinstance(error, SnowflakeError)
                self._fail(identity, error if known else SnowflakeError(100357, "P0000", f"It failed: {error}"))
            finally:
                self._places.release()

        self._threads.submit(run)

    def _log(self, found: dict[str, Any], job: Job) -> None:
        self._logged += len(str(found))
        if self._logged > _MOST_LOGGED:
            return
        record = LogRecord(
            handler=self._handler.name,
            query_id=job.query_id,
            scope=str(found["scope"]),
            severity=str(found["severity"]),
            text=str(found["text"]),
            time=float(found["time"]),
            attributes=dict(found["attributes"]),
        )
        try:
            job.log(record)
        except Exception:  # a log that is full or gone does not fail the query
            _log.exception("a handler's log record was not taken")

    def _open_file(self, identity: int, url: str, job: Job) -> None:
        if job.open_file is None:
            raise SnowflakeError(2, "0A000", "Files cannot be opened here.")
        fd = job.open_file(url)
        try:
            self._reply(identity, {}, fds=(fd,))
        finally:
            os.close(fd)

    def _request(self, identity: int, header: dict[str, Any], body: bytes, door: Door | None) -> None:
        if door is None:
            raise SnowflakeError(2, "0A000", "Functions have no session; only procedures do.")
        headers = {str(name): str(value) for name, value in dict(header["headers"]).items()}
        status, reply_headers, content = door(str(header["method"]), str(header["path"]), headers, body)
        self._reply(identity, {"status": status, "headers": reply_headers}, content)

    def _fail(self, identity: int, error: Exception) -> None:
        assert isinstance(error, SnowflakeError)
        self._reply(identity, {"error": [error.code, error.sqlstate, error.message]})

    def _reply(self, identity: int, header: dict[str, Any], body: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        with contextlib.suppress(Closed), self._sending:
            if not self._closed:
                self._wire.send({"reply": identity, **header}, body, fds)
