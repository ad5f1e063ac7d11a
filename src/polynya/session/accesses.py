"""What statements read and wrote, kept in a file of the home: ACCESS_HISTORY, and where rows came from (lineage).

A statement that touches no stored object leaves nothing here. Rows that pass through a temporary table or view are
traced to what that was made of, since it ends with its session.

https://docs.snowflake.com/en/sql-reference/account-usage/access_history,
https://docs.snowflake.com/en/user-guide/lineage-temporary-objects
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from polynya.catalog.access import Access, Edge, Origin, Reads, Write
from polynya.catalog.kinds import is_temporary, sql_kind
from polynya.catalog.model import CatalogObject, View
from polynya.catalog.store import Catalog
from polynya.session.history import QueryRecord
from polynya.types.variant import ESCAPED_TAG, encode

log = logging.getLogger(__name__)

# Docs: ACCESS_HISTORY and lineage reach back one year (docs.snowflake.com/en/sql-reference/account-usage/access_history).
KEEP_DAYS = 365
MOST_STATEMENTS = 100_000
MOST_EDGES = 200_000
# How often the bounds are looked after, in statements.
_PRUNE_EVERY = 10_000
# Temporary objects whose origins are remembered.
_MOST_TEMPORARY = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accesses (
    query_id TEXT PRIMARY KEY, query_start_time TEXT, user_name TEXT, parent_query_id TEXT, direct TEXT, base TEXT,
    modified TEXT
);
CREATE INDEX IF NOT EXISTS accesses_by_time ON accesses (query_start_time);
CREATE TABLE IF NOT EXISTS edges (
    source INTEGER, source_column TEXT, target INTEGER, target_column TEXT, query_id TEXT, time TEXT,
    PRIMARY KEY (source, source_column, target, target_column)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS edges_by_target ON edges (target, target_column);
"""
_COLUMNS = ("query_id", "query_start_time", "user_name", "parent_query_id", "direct", "base", "modified")


@dataclass(frozen=True, slots=True)
class Known:
    """An object as it was called when a statement touched it."""

    domain: str
    id: int
    name: str
    columns: list[str]

    def entry(self, columns: Container[str] = ()) -> dict[str, Any]:
        """Its entry in an array of ACCESS_HISTORY, with some of its columns."""
        entry: dict[str, Any] = {"objectDomain": self.domain, "objectId": self.id, "objectName": self.name}
        listed = [
            {"columnId": index, "columnName": name} for index, name in enumerate(self.columns, 1) if name in columns
        ]
        return {"columns": listed, **entry} if listed else entry


class Accesses:
    """The account's reads and writes.

    Args:
        path: of the SQLite file.
        catalog: for the names of what is read and written.
    """

    def __init__(self, path: Path, catalog: Catalog) -> None:
        self._path = path
        self._catalog = catalog
        self._lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._statements: list[tuple[QueryRecord, Access, dict[int, Known]]] = []
        self._edges: dict[tuple[Origin, Origin], tuple[str, str]] = {}
        # id of a temporary object -> its columns ("" for the whole) -> what they are made of.
        self._temporary: OrderedDict[int, dict[str, set[Origin]]] = OrderedDict()
        self._written = 0
        self._stop = threading.Event()
        self._writer: threading.Thread | None = None

    def add(self, record: QueryRecord, access: Access) -> None:
        """Notes what a statement read and wrote; it is in the file soon."""
        found = {write.item.id: self._known(write.item) for write in access.writes}
        for reads in access.reads:
            for named in (reads.direct, *reads.inside.values()):
                for item in named.values():
                    if item.id not in found:
                        found[item.id] = self._known(item)
        with self._lock:
            self._statements.append((record, access, found))
            for write in access.writes:
                if write.reads is not None:
                    self._connect_objects(write, write.reads, record)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_on, name="access history", daemon=True)
                self._writer.start()

    def records(self) -> list[dict[str, Any]]:
        """ACCESS_HISTORY's columns in lower case, oldest first; arrays as JSON text."""
        with self._file_lock:
            database = self._flush()
            rows = database.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM accesses ORDER BY query_start_time, rowid"
            ).fetchall()
        found = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        for record in found:
            record["query_start_time"] = datetime.fromisoformat(record["query_start_time"])
        return found

    def edges(self, object_id: int, column: str, upstream: bool) -> list[Edge]:
        """Where an object's rows came from, or went to.

        Args:
            object_id: of the object.
            column: of it; "" for the object as a whole.
            upstream: where from; else where to.
        """
        side = "target" if upstream else "source"
        with self._file_lock:
            rows = (
                self._flush()
                .execute(
                    "SELECT source, source_column, target, target_column, query_id FROM edges "
                    f"WHERE {side} = ? AND {side}_column = ? ORDER BY time, source, target",
                    [object_id, column],
                )
                .fetchall()
            )
        return [Edge((row[0], row[1]), (row[2], row[3]), row[4]) for row in rows]

    def close(self) -> None:
        self._stop.set()
        if self._writer is not None:
            self._writer.join(timeout=10)
        with self._file_lock:
            if self._database is not None:
                self._database.close()

    def _known(self, item: CatalogObject) -> Known:
        columns = [column.name for column in getattr(item, "columns", [])]
        return Known(sql_kind(item).capitalize(), item.id, self._catalog.full_name(item), columns)

    # --- where rows go -------------------------------------------------------------------------------------------------

    def _connect_objects(self, write: Write, reads: Reads, record: QueryRecord) -> None:
        """Notes the edges of a write; the caller holds the lock."""
        whole = {source for item in reads.direct.values() for source in self._lasting((item.id, ""), item, reads)}
        columns = {
            name: {
                source
                for origin in origins
                for source in self._lasting(origin, reads.direct.get(origin[0]), reads)
                if source[1]
            }
            for name, origins in write.columns.items()
        }
        target = write.item.id
        if is_temporary(write.item):
            made = self._temporary.setdefault(target, {})
            for name, sources in {"": whole, **columns}.items():
                made.setdefault(name, set()).update(sources)
            while len(self._temporary) > _MOST_TEMPORARY:
                self._temporary.popitem(last=False)
            return
        moment = (record.query_id, record.start_time.isoformat())
        for name, sources in {"": whole, **columns}.items():
            for source in sources:
                if source[0] != target:
                    self._edges[source, (target, name)] = moment

    def _lasting(self, origin: Origin, item: CatalogObject | None, reads: Reads) -> set[Origin]:
        """An origin, or what it was made of if it is temporary."""
        if item is None or not is_temporary(item):
            return {origin}
        object_id, column = origin
        if not isinstance(item, View):
            return self._temporary.get(object_id, {}).get(column, set())
        named = reads.inside.get(object_id, {})
        if not column:
            behind: list[Origin] = [(inner, "") for inner in named]
        else:
            behind = list(reads.views.get(origin, ()))
        return {source for inner in behind for source in self._lasting(inner, named.get(inner[0]), reads)}

    # --- the file ------------------------------------------------------------------------------------------------------

    def _write_on(self) -> None:
        """Writes what there is once a second, all in one transaction: a statement never waits for the disk."""
        stopping = False
        while not stopping:
            stopping = self._stop.wait(1.0)
            try:
                with self._file_lock:
                    self._flush()
            except sqlite3.Error as error:
                log.warning("the access history was not written: %s", error)

    def _flush(self) -> sqlite3.Connection:
        """Writes what waits; the caller holds the file's lock."""
        database = self._database
        if database is None:
            database = self._database = sqlite3.connect(self._path, check_same_thread=False)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=OFF")
            database.executescript(_SCHEMA)
            _prune(database)
        with self._lock:
            statements, self._statements = self._statements, []
            edges, self._edges = self._edges, {}
        if not statements and not edges:
            return database
        rows = [_row(*statement) for statement in statements]
        links = [(*source, *target, *moment) for (source, target), moment in edges.items()]
        with database:
            database.executemany("INSERT OR REPLACE INTO accesses VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            database.executemany("INSERT OR REPLACE INTO edges VALUES (?, ?, ?, ?, ?, ?)", links)
        self._written += len(rows)
        if self._written >= _PRUNE_EVERY:
            self._written = 0
            _prune(database)
        return database


def _prune(database: sqlite3.Connection) -> None:
    """Forgets what is older or more than is kept."""
    oldest = (datetime.now(UTC) - timedelta(days=KEEP_DAYS)).isoformat()
    with database:
        database.execute("DELETE FROM accesses WHERE query_start_time < ?", [oldest])
        database.execute("DELETE FROM edges WHERE time < ?", [oldest])
        database.execute("DELETE FROM accesses WHERE rowid <= (SELECT max(rowid) FROM accesses) - ?", [MOST_STATEMENTS])
        (count,) = database.execute("SELECT count(*) FROM edges").fetchone()
        if count > MOST_EDGES:
            database.execute(
                "DELETE FROM edges WHERE time <= (SELECT time FROM edges ORDER BY time LIMIT 1 OFFSET ?)",
                [count - MOST_EDGES],
            )


# --- what ACCESS_HISTORY shows ----------------------------------------------------------------------------------------


def _row(record: QueryRecord, access: Access, known: dict[int, Known]) -> tuple:
    """A statement's row in the file."""
    direct, base = _read(access, known)
    modified = [_modified(write, known) for write in access.writes]
    return (
        record.query_id, record.start_time.isoformat(), record.user_name, record.parent_query_id, _json(direct),
        _json(base), _json(modified),
    )  # fmt: skip


def _json(value: list[dict[str, Any]]) -> str:
    """JSON text as the engine keeps arrays."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return encode(value) if ESCAPED_TAG in text else text


def _read(access: Access, known: dict[int, Known]) -> tuple[list[dict], list[dict]]:
    """DIRECT_OBJECTS_ACCESSED and BASE_OBJECTS_ACCESSED."""
    direct: dict[int, set[str]] = {}
    base: dict[int, set[str]] = {}
    for reads in access.reads:
        for item in reads.direct.values():
            direct.setdefault(item.id, set())
        for named in (reads.direct, *reads.inside.values()):
            for item in named.values():
                if not isinstance(item, View):
                    base.setdefault(item.id, set())
        for object_id, column in reads.touched:
            direct.setdefault(object_id, set()).add(column)
        for object_id, column in reads.base((*reads.touched, *reads.touched_inside)):
            base.setdefault(object_id, set()).add(column)
    return (
        [known[key].entry(columns) for key, columns in direct.items() if key in known],
        [known[key].entry(columns) for key, columns in base.items() if key in known],
    )


def _modified(write: Write, known: dict[int, Known]) -> dict[str, Any]:
    """An entry of OBJECTS_MODIFIED."""
    entry = known[write.item.id].entry(write.columns)
    for column in entry.get("columns", []):
        origins = write.columns[column["columnName"]]
        column["directSources"] = _sources(origins, known)
        column["baseSources"] = _sources(write.reads.base(origins) if write.reads else origins, known)
    return entry


def _sources(origins: Iterable[Origin], known: dict[int, Known]) -> list[dict[str, Any]]:
    return [{**known[object_id].entry(), "columnName": column} for object_id, column in origins if object_id in known]
