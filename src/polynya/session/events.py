"""What handlers printed and logged: the account's event table, in a file of the home, the newest events only."""

from __future__ import annotations

import logging
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

# Of both, whichever comes first; then the oldest quarter goes.
KEEP_EVENTS = 100_000
KEEP_BYTES = 64 << 20
# Events that wait to be written; who adds more writes them.
_PENDING = 5000
_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Event:
    """A record of a handler's log.

    Args:
        time: seconds since the epoch.
        scope: the logger's name, or stdout or stderr.
        severity: TRACE, DEBUG, INFO, WARN, ERROR or FATAL.
        text: the message.
        resource: on whose behalf and where the handler ran, RESOURCE_ATTRIBUTES, as the engine's text of an OBJECT.
        attributes: RECORD_ATTRIBUTES, likewise.
    """

    time: float
    scope: str
    severity: str
    text: str
    resource: str
    attributes: str


class Events:
    """The account's events. The file is made, and a thread runs, only when there are any.

    Args:
        path: of the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._pending: list[Event] = []
        self._writer: threading.Thread | None = None
        self._file_lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._count = 0
        self._bytes = 0
        self._closing = threading.Event()

    def add(self, event: Event) -> None:
        """Takes an event; it is written to the file soon."""
        with self._lock:
            self._pending.append(event)
            full = len(self._pending) > _PENDING
            if self._writer is None and not full:
                self._writer = threading.Thread(target=self._write_soon, name="events", daemon=True)
                self._writer.start()
        if full:
            self._flush()

    def records(self) -> list[Event]:
        """The events that are kept, oldest first, those of before a restart included."""
        self._flush()
        if not self._path.exists():
            return []
        with self._file_lock:
            try:
                rows = self._open().execute(
                    "SELECT time, scope, severity, text, resource, attributes FROM events ORDER BY id"
                )
                return [Event(*row) for row in rows]
            except sqlite3.Error as error:
                log.warning("the event table cannot be read: %s", error)
                return []

    def close(self) -> None:
        self._closing.set()
        if (writer := self._writer) is not None:
            writer.join(timeout=10)
        self._flush()
        with self._file_lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _write_soon(self) -> None:
        self._closing.wait(_SECONDS)
        with self._lock:
            self._writer = None
        self._flush()

    def _flush(self) -> None:
        with self._file_lock:
            with self._lock:
                events, self._pending = self._pending, []
            if not events:
                return
            try:
                self._insert(events)
            except sqlite3.Error as error:
                log.warning("%d events of handlers were not written: %s", len(events), error)

    def _open(self) -> sqlite3.Connection:
        """The database; the caller holds its lock."""
        if self._database is None:
            database = sqlite3.connect(self._path, check_same_thread=False)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=OFF")
            database.execute(
                "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, time REAL, scope TEXT, severity TEXT, "
                "text TEXT, resource TEXT, attributes TEXT, size INTEGER)"
            )
            self._count, self._bytes = database.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM events"
            ).fetchone()
            self._database = database
        return self._database

    def _insert(self, events: list[Event]) -> None:
        rows = []
        for event in events:
            size = len(event.text) + len(event.resource) + len(event.attributes)
            rows.append((event.time, event.scope, event.severity, event.text, event.resource, event.attributes, size))
        database = self._open()
        with database:
            database.executemany(
                "INSERT INTO events (time, scope, severity, text, resource, attributes, size) VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
        self._count += len(rows)
        self._bytes += sum(row[-1] for row in rows)
        if self._count > KEEP_EVENTS or self._bytes > KEEP_BYTES:
            self._shorten(database)

    def _shorten(self, database: sqlite3.Connection) -> None:
        last = None
        for identity, size in database.execute("SELECT id, size FROM events ORDER BY id").fetchall():
            if self._count <= KEEP_EVENTS * 3 // 4 and self._bytes <= KEEP_BYTES * 3 // 4:
                break
            last = identity
            self._count -= 1
            self._bytes -= size
        with database:
            database.execute("DELETE FROM events WHERE id <= ?", [last])
