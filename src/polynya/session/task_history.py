"""What tasks did: one record a run of a task, one a run of a graph, in a file of the home.

The file is made with the first run. A record is written when the run begins and again when it ends.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

# Docs: ACCOUNT_USAGE.TASK_HISTORY reaches back one year.
KEEP_DAYS = 365
_STOPPED = (604, "The server was stopped while the task ran.")
_TIMES = {"SCHEDULED_TIME", "QUERY_START_TIME", "NEXT_SCHEDULED_TIME", "COMPLETED_TIME", "ORIGINAL_SCHEDULED_TIME"}


class TaskHistory:
    """The records of one account; all methods may be called from several threads.

    Args:
        path: of the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """At a start: runs that a crash cut off have failed."""
        if not self._path.exists():
            return
        for number, record in self._read("state = 'EXECUTING'"):
            record |= {"STATE": "FAILED", "ERROR_CODE": _STOPPED[0], "ERROR_MESSAGE": _STOPPED[1]}
            record["COMPLETED_TIME"] = datetime.now(UTC)
            self.update(number, record)

    def add(self, kind: str, record: dict[str, Any]) -> int:
        """Writes a record; answers its number.

        Args:
            kind: ``task`` or ``graph``.
            record: values by TASK_HISTORY's column names, with STATE and SCHEDULED_TIME.
        """
        with self._lock:
            database = self._open()
            with database:
                cursor = database.execute(
                    "INSERT INTO runs (kind, state, scheduled, body) VALUES (?, ?, ?, ?)",
                    [kind, record["STATE"], record["SCHEDULED_TIME"].timestamp(), _encode(record)],
                )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def update(self, number: int, record: dict[str, Any]) -> None:
        """Writes a record again."""
        with self._lock:
            database = self._open()
            with database:
                database.execute(
                    "UPDATE runs SET state = ?, body = ? WHERE id = ?", [record["STATE"], _encode(record), number]
                )

    def records(self, kind: str) -> list[dict[str, Any]]:
        """All records of a kind, oldest first."""
        return [record for _, record in self._read(f"kind = '{kind}'")]

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _read(self, where: str) -> list[tuple[int, dict[str, Any]]]:
        if self._database is None and not self._path.exists():
            return []
        with self._lock:
            try:
                found = self._open().execute(f"SELECT id, body FROM runs WHERE {where} ORDER BY id").fetchall()
            except sqlite3.Error as error:
                log.warning("the history of tasks cannot be read: %s", error)
                return []
        return [(number, _decode(body)) for number, body in found]

    def _open(self) -> sqlite3.Connection:
        """The database; the caller holds the lock."""
        if self._database is None:
            database = sqlite3.connect(self._path, check_same_thread=False)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, kind TEXT, state TEXT, scheduled REAL, body TEXT)"
            )
            oldest = (datetime.now(UTC) - timedelta(days=KEEP_DAYS)).timestamp()
            with database:
                database.execute("DELETE FROM runs WHERE scheduled < ?", [oldest])
            self._database = database
        return self._database


def _encode(record: dict[str, Any]) -> str:
    return json.dumps(record, default=lambda value: value.isoformat())


def _decode(body: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(body)
    for name in _TIMES & record.keys():
        if record[name] is not None:
            record[name] = datetime.fromisoformat(record[name])
    return record
