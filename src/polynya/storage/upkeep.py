"""Keeps tables fast that are written in many small steps, and the lake small: by itself, beside the sessions.

The lake keeps small inserts and deletes in its metadata until they are flushed to a file; many small files are merged,
and files most of whose rows are deleted are rewritten. None of this changes a row, or a snapshot's view of it.
"""

from __future__ import annotations

import ctypes
import logging
import re
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from polynya.catalog.store import Catalog
from polynya.errors import SnowflakeError
from polynya.storage.cleanup import delete_files, expire, remove_leftovers
from polynya.storage.connection import Connection
from polynya.storage.engine import Engine
from polynya.storage.forks import METADATA

log = logging.getLogger(__name__)

# How often it looks whether anything was committed, and how often it expires what is over.
_LOOK_SECONDS = 15.0
_EXPIRE_SECONDS = 3600.0
# A table whose lock is not free this soon is left for the next time.
_LOCK_SECONDS = 0.5
# After so many small commits a table's rows are written to a file; after so many small files these become one.
_SMALL_COMMITS = 100
_SMALL_FILES = 16
_SMALL_BYTES = 16 << 20
# A file is rewritten when more than this share of its rows is deleted.
_DELETED_SHARE = 0.2
# After so many changes of the schema, DuckLake's copies of its earlier versions go: with a thousand tables each is megabytes.
_SCHEMA_CHANGES = 16
_MOST_COPIES = 200  # at a time: nobody commits meanwhile
# A file that is rewritten while deletes of its rows are still inlined loses its past: at a later flush these get a file of
# their own beside that of other deletes, and the rows are read twice (seen on 1.5.5). So a flush comes first, and nobody
# writes in between.
_FLUSH = "ducklake_flush_inlined_data('lake', table_name => '{0}')"
_INLINED = re.compile(r"inlined_(?:insert|delete):(\d+)")
_FILES = re.compile(r"(?:inserted_into|deleted_from)_table:(\d+)")


@dataclass(slots=True)
class Upkeep:
    """What was seen so far.

    Args:
        engine: in use.
        seen: the last snapshot that was looked at.
        small: small commits since the last flush, by the lake's id of the table.
        files: commits since that wrote or deleted from files.
        version: the schema's version up to which no copies are kept; -1 before the first look.
    """

    engine: Engine
    seen: int = 0
    small: Counter[int] = field(default_factory=Counter)
    files: Counter[int] = field(default_factory=Counter)
    version: int = -1

    def run(self) -> int:
        """Tends the tables that need it; how many that were."""
        connection = self.engine.connect()
        try:
            self._look(connection)
            names = _names(connection)
            tended = 0
            for table in [table for table, commits in self.small.items() if commits >= _SMALL_COMMITS]:
                del self.small[table]
                self.files[table] = _SMALL_FILES
                if table in names:
                    tended += _tend(self.engine, names[table], _FLUSH)
            for table in [table for table, commits in self.files.items() if commits >= _SMALL_FILES]:
                del self.files[table]
                if table in names:
                    tended += _compact(self.engine, connection, table, names[table])
            if tended:
                delete_files(self.engine)
            self._drop_copies(connection)
        finally:
            connection.close()
        return tended

    def _look(self, connection: Connection) -> None:
        """Counts what was committed since the last time."""
        found = connection.table(
            f"SELECT snapshot_id, changes_made FROM {METADATA}.ducklake_snapshot_changes WHERE snapshot_id > {self.seen}"
        )
        for snapshot, changes in zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True):
            self.seen = max(self.seen, snapshot)
            self.small.update(set(map(int, _INLINED.findall(changes or ""))))
            self.files.update(set(map(int, _FILES.findall(changes or ""))))

    def _drop_copies(self, connection: Connection) -> None:
        """Lets copies of the schema's earlier versions go, which DuckLake would keep until memory is short.

        It drops those of snapshots that it expires, at once: here it is then told not to expire them.
        """
        found = connection.table(
            f"SELECT schema_version, max(snapshot_id) FROM {METADATA}.ducklake_snapshot "
            f"WHERE schema_version >= {self.version} GROUP BY schema_version ORDER BY schema_version"
        )
        versions, snapshots = found.column(0).to_pylist(), found.column(1).to_pylist()
        if self.version < 0:
            self.version = versions[-1]
            return
        if len(versions) <= _SCHEMA_CHANGES:
            return
        old = snapshots[:-1][:_MOST_COPIES]
        self.version = versions[len(old)]
        connection.begin()
        try:
            connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => {old})")
        finally:
            connection.rollback()
        with suppress(OSError, AttributeError, TypeError):  # where the C library is glibc, which keeps what is freed
            ctypes.CDLL(None).malloc_trim(0)


def _names(connection: Connection) -> dict[int, str]:
    """The lake's tables by id."""
    found = connection.table(f"SELECT table_id, table_name FROM {METADATA}.ducklake_table WHERE end_snapshot IS NULL")
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


def _compact(engine: Engine, connection: Connection, table: int, name: str) -> int:
    """Rewrites files with many deleted rows and merges small ones, where there are such."""
    deleted = connection.table(
        f"SELECT 1 FROM {METADATA}.ducklake_data_file AS f JOIN {METADATA}.ducklake_delete_file AS d "
        f"USING (data_file_id) WHERE f.table_id = {table} AND f.end_snapshot IS NULL AND d.end_snapshot IS NULL "
        f"AND d.delete_count > {_DELETED_SHARE} * f.record_count LIMIT 1"
    )
    small = connection.table(
        f"SELECT count(*) FROM {METADATA}.ducklake_data_file WHERE table_id = {table} AND end_snapshot IS NULL "
        f"AND file_size_bytes < {_SMALL_BYTES}"
    )
    calls = []
    if deleted.num_rows:
        calls.append(f"ducklake_rewrite_data_files('lake', '{{0}}', delete_threshold => {_DELETED_SHARE})")
    if small.column(0)[0].as_py() >= _SMALL_FILES:
        calls.append(f"ducklake_merge_adjacent_files('lake', '{{0}}', max_file_size => {_SMALL_BYTES})")
    return _tend(engine, name, _FLUSH, *calls) if calls else 0


def _tend(engine: Engine, name: str, *calls: str) -> int:
    """Calls functions of the lake on a table that nobody writes to meanwhile; 1 if that could be done."""
    owner, connection = engine.connect(), engine.connect()
    owner.lock_timeout = _LOCK_SECONDS
    try:
        with owner.atomic():
            owner.write_lock(f'lake.main."{name}"', first=True)
            for call in calls:
                connection.execute(f"CALL {call.format(name)}")
    except SnowflakeError as error:  # its lock is taken, or a commit came first: the next time may do better
        log.info("table %s was not tended: %s", name, error.message)
        return 0
    finally:
        connection.close()
        owner.close()
    return 1


def keep_house(engine: Engine, catalog: Catalog, stop: threading.Event) -> None:
    """Tends tables and expires snapshots now and then, until it is told to stop."""
    upkeep = Upkeep(engine)
    commits, expired = -1, -_EXPIRE_SECONDS
    while not stop.is_set():
        try:
            if engine.commits != commits:
                commits = engine.commits
                upkeep.run()
            if engine.leftovers:
                remove_leftovers(engine)
            if time.monotonic() - expired >= _EXPIRE_SECONDS:
                expired = time.monotonic()
                expire(engine, catalog)
        except Exception:  # the next time may do better; nobody waits for it
            log.exception("the housekeeping failed")
        stop.wait(_LOOK_SECONDS)
