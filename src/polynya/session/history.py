"""What ran: one record a statement, the latest in memory, all of them of the last days in a file of the home."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import OrderedDict
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

# Records in memory, which INFORMATION_SCHEMA.QUERY_HISTORY reads.
IN_MEMORY = 10_000
CHARACTERS_IN_MEMORY = 32 << 20
# Docs: INFORMATION_SCHEMA.QUERY_HISTORY reaches back 7 days
# (docs.snowflake.com/en/sql-reference/functions/query_history), AT (STATEMENT => ...) 14 days
# (docs.snowflake.com/en/sql-reference/constructs/at-before).
SHOW_DAYS = 7
KEEP_DAYS = 14


@dataclass(slots=True)
class QueryRecord:
    """A statement's entry in the history; field names are QUERY_HISTORY's columns in lower case."""

    query_id: str
    query_text: str
    session_id: int
    user_name: str
    start_time: datetime
    role_name: str | None = None
    warehouse_name: str | None = None
    database_name: str | None = None
    schema_name: str | None = None
    query_type: str = "UNKNOWN"
    query_tag: str = ""
    # RUNNING, QUEUED, SUCCESS, FAILED_WITH_ERROR, FAILED_WITH_INCIDENT
    execution_status: str = "RUNNING"
    error_code: int | None = None
    error_message: str | None = None
    end_time: datetime | None = None
    total_elapsed_time: int = 0
    rows_produced: int | None = None
    rows_inserted: int | None = None
    rows_updated: int | None = None
    rows_deleted: int | None = None
    bytes_scanned: int = 0
    query_hash: str | None = None
    warehouse_size: str | None = None
    is_client_generated_statement: bool = False
    parent_query_id: str | None = None
    sqlstate: str | None = None
    queued_overload_time: int = 0

    def row(self) -> dict[str, Any]:
        """The record with QUERY_HISTORY's column names."""
        return {name.upper(): getattr(self, name) for name in _NAMES}


_NAMES = [field.name for field in fields(QueryRecord)]
_TIMES = {"start_time", "end_time"}


class History:
    """The account's statements.

    Args:
        path: of the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._records: OrderedDict[str, QueryRecord] = OrderedDict()
        self._characters = 0
        self._finished: list[QueryRecord] = []
        self._loaded = False
        self._stop = threading.Event()
        self._writer = threading.Thread(target=self._write_on, name="history", daemon=True)
        self._writer.start()

    def add(self, record: QueryRecord) -> None:
        """Enters a statement that begins."""
        with self._lock:
            self._records[record.query_id] = record
            self._characters += len(record.query_text)
            self._shorten()

    def finish(self, record: QueryRecord) -> None:
        """Notes that a statement ended; written to the file soon."""
        with self._lock:
            self._finished.append(record)

    def find(self, query_id: str) -> QueryRecord | None:
        record = self._records.get(query_id)
        if record is None and not self._loaded:
            self._load()
            record = self._records.get(query_id)
        return record or self._read(query_id)

    def records(self) -> list[QueryRecord]:
        """The statements in memory, oldest first, those of before a restart included."""
        self._load()
        with self._lock:
            return list(self._records.values())

    def close(self) -> None:
        self._stop.set()
        self._writer.join(timeout=10)

    def _write_on(self) -> None:
        """Writes finished records once a second, all in one transaction: a statement never waits for the disk."""
        try:
            database = self._connect()
            self._prune(database)
        except sqlite3.Error as error:
            log.warning("the query history is kept in memory only: %s", error)
            return
        stopping = False
        while not stopping:
            stopping = self._stop.wait(1.0)
            with self._lock:
                finished, self._finished = self._finished, []
            if finished:
                try:
                    self._insert(database, finished)
                except sqlite3.Error as error:
                    log.warning("%d entries of the query history were not written: %s", len(finished), error)
        database.close()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=OFF")
        database.execute(f"CREATE TABLE IF NOT EXISTS queries ({', '.join(_NAMES)}, PRIMARY KEY (query_id))")
        known = {row[1] for row in database.execute("PRAGMA table_info(queries)")}
        for name in _NAMES:
            if name not in known:  # the file is of an earlier version
                database.execute(f"ALTER TABLE queries ADD COLUMN {name} DEFAULT 0")
        return database

    def _insert(self, database: sqlite3.Connection, records: list[QueryRecord]) -> None:
        rows = [
            [getattr(r, n).isoformat() if n in _TIMES and getattr(r, n) else getattr(r, n) for n in _NAMES]
            for r in records
        ]
        with database:
            database.executemany(f"INSERT OR REPLACE INTO queries VALUES ({', '.join('?' * len(_NAMES))})", rows)

    def _prune(self, database: sqlite3.Connection) -> None:
        with database:
            database.execute("DELETE FROM queries WHERE start_time < ?", [_days_ago(KEEP_DAYS)])

    def _read(self, query_id: str) -> QueryRecord | None:
        """A record that is in the file only."""
        try:
            database = self._connect()
            row = database.execute(f"SELECT {', '.join(_NAMES)} FROM queries WHERE query_id = ?", [query_id]).fetchone()
            database.close()
        except sqlite3.Error as error:
            log.warning("the query history cannot be read: %s", error)
            return None
        return None if row is None else _record(row)

    def _load(self) -> None:
        """Reads the file's records, once and only when somebody asks for history."""
        with self._lock:
            if self._loaded:
                return
            self._loaded = True
        try:
            database = self._connect()
            rows = database.execute(
                f"SELECT {', '.join(_NAMES)} FROM queries WHERE start_time >= ? ORDER BY start_time DESC LIMIT {IN_MEMORY}",
                [_days_ago(SHOW_DAYS)],
            ).fetchall()
            database.close()
        except sqlite3.Error as error:
            log.warning("the query history cannot be read: %s", error)
            return
        older: OrderedDict[str, QueryRecord] = OrderedDict()
        for row in reversed(rows):
            record = _record(row)
            older[record.query_id] = record
        with self._lock:
            older.update(self._records)
            self._records = older
            self._characters = sum(len(record.query_text) for record in older.values())
            self._shorten()

    def _shorten(self) -> None:
        """Forgets the oldest records beyond the bounds; the caller holds the lock."""
        while len(self._records) > IN_MEMORY or self._characters > CHARACTERS_IN_MEMORY:
            _, oldest = self._records.popitem(last=False)
            self._characters -= len(oldest.query_text)


def _record(row: tuple) -> QueryRecord:
    values = dict(zip(_NAMES, row, strict=True))
    for name in _TIMES:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    values["is_client_generated_statement"] = bool(values["is_client_generated_statement"])
    return QueryRecord(**values)


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()
