"""Results by query id, in memory and in the home, for 24 hours."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from polynya.catalog.codec import decode_type, encode_type
from polynya.errors import SnowflakeError
from polynya.types.resultset import Column, ResultSet, StatementType

log = logging.getLogger(__name__)

# Docs: results are kept for 24 hours (docs.snowflake.com/en/user-guide/querying-persisted-results).
KEEP_SECONDS = 24 * 3600
# A result of more bytes than this goes to a file while it is read.
SPOOL_BYTES = 8 << 20
# Of results in memory altogether, and how many; those not used for longest go to disk.
MEMORY_BYTES = 32 << 20
MEMORY_COUNT = 1000
RESTING_BYTES = 4 << 20
# Of large results altogether; the oldest are removed.
DISK_BYTES = 32 << 30
# Files of results that stay mapped into memory.
_MAPPED = 4
_HEADER = b"polynya"


@dataclass(slots=True)
class StoredResult:
    """A finished statement's result, in the engine's forms.

    Args:
        query_id: of the statement.
        columns, statement_type, rows_affected, transfer, child_query_ids, secret: as in ``ResultSet``.
        rows: how many.
        path: the file that holds the rows, or None while they are in memory.
        wire: what the server derived from it for clients; dropped with it.
    """

    query_id: str
    columns: list[Column]
    statement_type: StatementType
    rows: int
    rows_affected: int | None = None
    transfer: dict | None = None
    child_query_ids: list[str] = field(default_factory=list)
    secret: bool = False
    path: Path | None = None
    wire: Any = None
    _table: pa.Table | None = None

    @property
    def table(self) -> pa.Table:
        """The rows; of a file, mapped into memory, not read.

        Raises:
            SnowflakeError: 000709 if the file is gone.
        """
        table = self._table
        if table is None:
            assert self.path is not None
            try:
                table = pa.ipc.open_file(pa.memory_map(str(self.path))).read_all()
            except (OSError, pa.ArrowInvalid):
                raise not_found(self.query_id) from None
            self._table = table
        return table

    @property
    def bytes(self) -> int:
        return 0 if self._table is None or self.path else self._table.nbytes

    def unmap(self) -> None:
        """Lets go of a file's pages; the next use maps it again."""
        if self.path is not None:
            self._table = None

    def result_set(self) -> ResultSet:
        return ResultSet(self.columns, self.table, self.statement_type, self.rows_affected, secret=self.secret)


def not_found(query_id: str) -> SnowflakeError:
    """No result of that id is kept: 000709."""
    return SnowflakeError(709, "02000", f"Statement {query_id} not found")


class ResultStore:
    """The results of an account's statements.

    Small results stay in memory until they are many, then go to ``small.sqlite``; a large one goes to a file of its own
    while it is read.

    Args:
        folder: for results that do not stay in memory; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._recent: OrderedDict[str, StoredResult] = OrderedDict()
        self._memory = 0
        self._mapped: deque[StoredResult] = deque()
        # On their way from memory to the database.
        self._leaving: dict[str, StoredResult] = {}
        self._database_lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def put(self, query_id: str, result: ResultSet) -> StoredResult:
        """Reads a result to its end and keeps it.

        Args:
            query_id: of the statement.
            result: its reader, if it is one, is exhausted after this.
        """
        stored = StoredResult(
            query_id, result.columns, result.statement_type, 0, result.rows_affected, result.transfer,
            result.child_query_ids, result.secret,
        )  # fmt: skip
        if isinstance(result.data, pa.Table) and result.data.nbytes <= SPOOL_BYTES:
            stored._table = result.data
        else:
            self._read(stored, result.data)
        stored.rows = stored.table.num_rows
        if not result.secret:
            self._remember(stored)
        return stored

    def get(self, query_id: str) -> StoredResult:
        """A kept result.

        Raises:
            SnowflakeError: 000709 if it is not, or no longer, kept.
        """
        with self._lock:
            stored = self._recent.get(query_id) or self._leaving.get(query_id)
            if stored is not None:
                if query_id in self._recent:
                    self._recent.move_to_end(query_id)
                return stored
        stored = self._load_small(query_id) or self._load_file(query_id)
        if stored is None:
            raise not_found(query_id)
        self._remember(stored)
        return stored

    def rest(self) -> None:
        """Moves most of what is in memory to disk: nobody works at the moment."""
        self._shrink(RESTING_BYTES, MEMORY_COUNT // 4)

    def close(self) -> None:
        """Writes what is in memory to disk, so that it is found after a restart."""
        self._shrink(0, 0)
        with self._database_lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def expire(self) -> None:
        """Forgets results older than 24 hours, and the oldest large ones beyond the disk's share."""
        oldest_kept = time.time() - KEEP_SECONDS
        files = []
        for path in self.folder.glob("*.arrow*"):
            try:
                stat = path.stat()
            except OSError:
                continue
            files.append((stat.st_mtime, stat.st_size, path))
        size = 0
        for modified, length, path in sorted(files, reverse=True):
            size += length
            if modified < oldest_kept or size > DISK_BYTES:
                with self._lock:
                    self._recent.pop(path.stem, None)
                path.unlink(missing_ok=True)
        with self._database_lock:
            if self._open_database() is not None:
                with self._database as database:  # type: ignore[union-attr]
                    database.execute("DELETE FROM results WHERE created < ?", [oldest_kept])

    def _remember(self, stored: StoredResult) -> None:
        with self._lock:
            self._recent[stored.query_id] = stored
            self._memory += stored.bytes
            if stored.path is not None:
                self._mapped.append(stored)
                if len(self._mapped) > _MAPPED:
                    self._mapped.popleft().unmap()
            full = self._memory > MEMORY_BYTES or len(self._recent) > MEMORY_COUNT
        if full:
            self._shrink(MEMORY_BYTES * 3 // 4, MEMORY_COUNT * 3 // 4)

    def _shrink(self, size: int, count: int) -> None:
        """Moves the results that were not used for longest out of memory."""
        leaving = []
        with self._lock:
            while self._recent and (self._memory > size or len(self._recent) > count):
                query_id, stored = self._recent.popitem(last=False)
                self._memory -= stored.bytes
                # A result in a file is only forgotten; nor is one kept that says where to copy files, once.
                if stored.path is None and stored.transfer is None:
                    leaving.append(stored)
                    self._leaving[query_id] = stored
            if not self._recent:
                self._memory = 0
        try:
            self._save_small(leaving)
        except (OSError, sqlite3.Error) as error:
            log.warning("%d results could not be written to %s: %s", len(leaving), self.folder, error)
        with self._lock:
            for stored in leaving:
                self._leaving.pop(stored.query_id, None)

    # --- large results: an Arrow file each ------------------------------------------------------------------------

    def _read(self, stored: StoredResult, data: pa.Table | pa.RecordBatchReader) -> None:
        """Takes in a result's batches, into a file as soon as they are many."""
        schema = data.schema
        batches: list[pa.RecordBatch] = []
        size = 0
        source: Iterator[pa.RecordBatch] = iter(data.to_batches() if isinstance(data, pa.Table) else data)
        for batch in source:
            batches.append(batch)
            size += batch.nbytes
            if size > SPOOL_BYTES:
                self._spool(stored, schema, batches, source)
                return
        stored._table = pa.Table.from_batches(batches, schema)

    def _spool(
        self, stored: StoredResult, schema: pa.Schema, batches: list[pa.RecordBatch], rest: Iterator[pa.RecordBatch]
    ) -> None:
        path = self.folder / f"{stored.query_id}.arrow"
        # Under another name until it is whole: a crash leaves no half result.
        unfinished = path.with_suffix(".arrow.part")
        header = {_HEADER: _describe(stored)}
        try:
            with (
                pa.OSFile(str(unfinished), "wb") as sink,
                pa.ipc.new_file(sink, schema.with_metadata(header)) as writer,
            ):
                while batches:
                    writer.write_batch(batches.pop(0))
                for batch in rest:
                    writer.write_batch(batch)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        stored.path = path
        stored._table = None

    def _load_file(self, query_id: str) -> StoredResult | None:
        path = self.folder / f"{query_id}.arrow"
        # The id comes from a client: it must name a file of the folder, not lead out of it.
        if path.parent != self.folder or not path.is_file():
            return None
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            return _restored(query_id, reader.schema.metadata[_HEADER], reader.read_all(), path)
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
            return None

    # --- small results: rows of one database ----------------------------------------------------------------------

    def _open_database(self) -> sqlite3.Connection | None:
        """The database, opened when it is first needed; the caller holds its lock."""
        if self._database is None:
            try:
                database = sqlite3.connect(self.folder / "small.sqlite", check_same_thread=False)
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=OFF")
                database.execute(
                    "CREATE TABLE IF NOT EXISTS results (query_id TEXT PRIMARY KEY, created REAL, header BLOB, rows BLOB)"
                )
                self._database = database
            except sqlite3.Error as error:
                log.warning("small results are kept in memory only: %s", error)
        return self._database

    def _save_small(self, results: list[StoredResult]) -> None:
        if not results:
            return
        now = time.time()
        rows = []
        for stored in results:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, stored.table.schema) as writer:
                writer.write_table(stored.table)
            rows.append((stored.query_id, now, _describe(stored), sink.getvalue().to_pybytes()))
        with self._database_lock:
            database = self._open_database()
            if database is not None:
                with database:
                    database.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", rows)

    def _load_small(self, query_id: str) -> StoredResult | None:
        with self._database_lock:
            database = self._open_database()
            found = None
            if database is not None:
                found = database.execute("SELECT header, rows FROM results WHERE query_id = ?", [query_id]).fetchone()
        if found is None:
            return None
        return _restored(query_id, found[0], pa.ipc.open_stream(found[1]).read_all(), None)


def _describe(stored: StoredResult) -> bytes:
    return json.dumps(
        {
            "columns": [[column.name, encode_type(column.type), column.nullable] for column in stored.columns],
            "statement_type": int(stored.statement_type),
            "rows_affected": stored.rows_affected,
            "child_query_ids": stored.child_query_ids,
        }
    ).encode()


def _restored(query_id: str, header: bytes, table: pa.Table, path: Path | None) -> StoredResult:
    described = json.loads(header)
    columns = [Column(name, decode_type(kind), nullable) for name, kind, nullable in described["columns"]]
    return StoredResult(
        query_id, columns, StatementType(described["statement_type"]), table.num_rows,
        described["rows_affected"], None, described["child_query_ids"], path=path,
        _table=table.replace_schema_metadata(),
    )  # fmt: skip
