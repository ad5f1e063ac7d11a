"""Who logged in, and who tried: one record an attempt, in a file of the home.

Source: docs.snowflake.com/en/sql-reference/account-usage/login_history.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

# Docs: ACCOUNT_USAGE.LOGIN_HISTORY reaches back one year.
KEEP_DAYS = 365
# Whoever guesses passwords does not fill the disk.
KEEP_RECORDS = 100_000
_CHECK_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Login:
    """An attempt; field names are LOGIN_HISTORY's columns in lower case.

    Args:
        event_timestamp: UTC.
        user_name: None where no user has the name that was given.
        client_ip: "" where it is unknown.
        error_code, error_message: None for one that succeeded.
    """

    event_timestamp: datetime
    user_name: str | None
    client_ip: str
    reported_client_type: str
    reported_client_version: str
    first_authentication_factor: str
    error_code: int | None = None
    error_message: str | None = None


_NAMES = [field.name for field in fields(Login)]


class LoginHistory:
    """The account's logins; all methods may be called from several threads.

    Args:
        path: of the SQLite file; it is made with the first login.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._added = 0

    def add(self, login: Login) -> None:
        """Writes a record. One that cannot be written, on a full disk for example, keeps nobody out."""
        values = {**asdict(login), "event_timestamp": login.event_timestamp.timestamp()}
        places = ", ".join("?" * len(_NAMES))
        with self._lock:
            try:
                database = self._open()
                with database:
                    database.execute(
                        f"INSERT INTO logins ({', '.join(_NAMES)}) VALUES ({places})", [values[name] for name in _NAMES]
                    )
                    self._added += 1
                    if self._added % _CHECK_EVERY == 0:
                        _forget(database)
            except sqlite3.Error as error:
                log.warning("a login of %r could not be recorded: %s", login.user_name, error)

    def records(self) -> list[dict[str, Any]]:
        """LOGIN_HISTORY's columns by name, oldest first; EVENT_ID counts the attempts."""
        with self._lock:
            if self._database is None and not self._path.exists():
                return []
            try:
                found = self._open().execute(f"SELECT id, {', '.join(_NAMES)} FROM logins ORDER BY id").fetchall()
            except sqlite3.Error as error:
                log.warning("the history of logins cannot be read: %s", error)
                return []
        return [_record(number, Login(datetime.fromtimestamp(moment, UTC), *rest)) for number, moment, *rest in found]

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _open(self) -> sqlite3.Connection:
        """The database; the caller holds the lock."""
        if self._database is None:
            database = sqlite3.connect(self._path, check_same_thread=False)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            with database:
                database.execute(
                    f"CREATE TABLE IF NOT EXISTS logins (id INTEGER PRIMARY KEY AUTOINCREMENT, {', '.join(_NAMES)})"
                )
                _forget(database)
            self._database = database
        return self._database


def _forget(database: sqlite3.Connection) -> None:
    oldest = (datetime.now(UTC) - timedelta(days=KEEP_DAYS)).timestamp()
    database.execute("DELETE FROM logins WHERE event_timestamp < ?", [oldest])
    database.execute("DELETE FROM logins WHERE id <= (SELECT max(id) FROM logins) - ?", [KEEP_RECORDS])


def _record(number: int, login: Login) -> dict[str, Any]:
    return {
        **{name.upper(): getattr(login, name) for name in _NAMES},
        "EVENT_ID": number,
        "EVENT_TYPE": "LOGIN",
        "IS_SUCCESS": "NO" if login.error_code else "YES",
    }
