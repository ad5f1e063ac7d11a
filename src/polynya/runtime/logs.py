"""What a handler prints and logs, on its way to the server."""

from __future__ import annotations

import io
import logging
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

_LONGEST = 64 << 10
_PER_TASK = 1 << 20
# Loggers of Snowflake's client, of whose connection a handler's author did not ask to read.
_CHATTY = ("snowflake.connector", "snowflake.snowpark", "snowflake.core")
_SEVERITIES = ((50, "FATAL"), (40, "ERROR"), (30, "WARN"), (20, "INFO"), (10, "DEBUG"), (0, "TRACE"))
# Attributes that every record has; others come from ``extra=``.
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Logs:
    """Takes over ``print`` and ``logging`` of this process.

    Args:
        send: takes a record as ``channel.Channel.log`` does.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._left = _PER_TASK
        self._streams = [_Stream(self, "stdout", "INFO"), _Stream(self, "stderr", "ERROR")]

    def install(self) -> None:
        """Replaces the standard streams and adds a handler to the root logger."""
        sys.stdout, sys.stderr = self._streams
        sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc,assignment]
        root = logging.getLogger()
        root.addHandler(_Bridge(self))
        root.setLevel(logging.INFO)
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)

    def set_level(self, name: str) -> None:
        """The least severity of what ``logging`` hands over, unless the handler sets another; OFF for none."""
        levels = {severity: level for level, severity in _SEVERITIES}
        logging.getLogger().setLevel(levels.get(name, logging.CRITICAL + 1) or 1)

    def begin(self) -> None:
        """A task starts: it may write as much as any other."""
        self._left = _PER_TASK

    def flush(self) -> None:
        """Hands over lines without an end."""
        for stream in self._streams:
            stream.flush_line()

    def put(self, scope: str, severity: str, text: str, attributes: dict[str, Any] | None = None) -> None:
        """Hands over one record, cut or dropped beyond what a task may write."""
        if self._left <= 0:
            return
        text = text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
        attributes = attributes or {}
        self._left -= len(text) + sum(len(str(value)) for value in attributes.values()) + 64
        if self._left <= 0:
            scope, severity, attributes = "", "WARN", {}
            text = f"The handler wrote more than {_PER_TASK} characters; what it writes from here on is dropped."
        text = text.encode("utf-8", "replace").decode()
        self._send({"scope": scope, "severity": severity, "text": text, "time": time.time(), "attributes": attributes})


class _Stream(io.TextIOBase):
    """A standard stream: a record a line."""

    encoding = "utf-8"

    def __init__(self, logs: Logs, scope: str, severity: str) -> None:
        self._logs = logs
        self._scope = scope
        self._severity = severity
        self._line = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._logs.put(self._scope, self._severity, line)
        if len(self._line) > _LONGEST:
            self.flush_line()
        return len(text)

    def flush_line(self) -> None:
        if self._line:
            self._logs.put(self._scope, self._severity, self._line)
            self._line = ""


class _Bridge(logging.Handler):
    """``logging`` records with the attributes that Snowflake's event table names.

    Source: docs.snowflake.com/en/developer-guide/logging-tracing/event-table-columns.
    """

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        try:
            attributes: dict[str, Any] = {
                "code.filepath": record.pathname,
                "code.lineno": record.lineno,
                "code.function": record.funcName,
            }
            if record.exc_info and record.exc_info[1] is not None:
                attributes |= exception_attributes(record.exc_info[1])
            attributes |= {key: _plain(value) for key, value in vars(record).items() if key not in _STANDARD}
            severity = next(name for level, name in _SEVERITIES if record.levelno >= level)
            self._logs.put(record.name, severity, record.getMessage(), attributes)
        except Exception:  # as logging's own handlers: never the caller's trouble
            self._logs.put("logging", "ERROR", traceback.format_exc())


def exception_attributes(error: BaseException) -> dict[str, Any]:
    """exception.message, exception.type and exception.stacktrace."""
    return {
        "exception.message": _plain(str(error)),
        "exception.type": type(error).__name__,
        "exception.stacktrace": _plain("".join(traceback.format_exception(error))),
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 53):
        return value
    text = str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
