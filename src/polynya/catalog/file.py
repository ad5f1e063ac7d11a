"""The catalog's SQLite file: one row an object, a grant, a setting."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from polynya.catalog.codec import decode, encode
from polynya.catalog.model import CatalogObject, Grant

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS grants (key TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Opens or makes the file; every commit is on disk when it returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(_SCHEMA)
    return database


def load_objects(database: sqlite3.Connection) -> Iterator[CatalogObject]:
    """All objects, oldest first."""
    for (body,) in database.execute("SELECT body FROM objects ORDER BY id"):
        yield decode(body)


def save_object(database: sqlite3.Connection, item: CatalogObject) -> None:
    database.execute("INSERT OR REPLACE INTO objects VALUES (?, ?)", (item.id, encode(item)))


def delete_objects(database: sqlite3.Connection, ids: list[int]) -> None:
    database.executemany("DELETE FROM objects WHERE id = ?", [(object_id,) for object_id in ids])


def load_grants(database: sqlite3.Connection) -> Iterator[Grant]:
    """All grants, oldest first."""
    for (body,) in database.execute("SELECT body FROM grants ORDER BY rowid"):
        values = json.loads(body)
        if values["created_on"]:
            values["created_on"] = datetime.fromisoformat(values["created_on"])
        yield Grant(**values)


def save_grant(database: sqlite3.Connection, key: tuple, grant: Grant) -> None:
    values = {name: getattr(grant, name) for name in Grant.__slots__}
    body = json.dumps(values, default=datetime.isoformat)
    database.execute("INSERT OR REPLACE INTO grants VALUES (?, ?)", (json.dumps(key), body))


def delete_grant(database: sqlite3.Connection, key: tuple) -> None:
    database.execute("DELETE FROM grants WHERE key = ?", (json.dumps(key),))


def load_settings(database: sqlite3.Connection) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in database.execute("SELECT name, value FROM settings")}


def save_setting(database: sqlite3.Connection, name: str, value: Any) -> None:
    database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))
