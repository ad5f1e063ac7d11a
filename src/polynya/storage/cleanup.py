"""What nothing can ask for any more is removed from the lake: tables, snapshots, and the files that only these have.

Every commit leaves a snapshot, and every UPDATE and DELETE the files of the rows as they were; rebuilding changes, DROP
and CREATE OR REPLACE leave tables. They stay for the retention time of the object they belong to, and as long as a clone
reads them. A crash between the making of a table and its row in the catalog leaves a table that no object has.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from polynya.catalog.model import Table
from polynya.catalog.retention import horizon, is_over
from polynya.catalog.store import Catalog
from polynya.storage import stream_offsets
from polynya.storage.connection import Connection
from polynya.storage.engine import Engine
from polynya.storage.forks import METADATA, spare_shared_files
from polynya.storage.snapshots import COMMITS, MOMENT

log = logging.getLogger(__name__)

# Tables of the lake that belong to no object: what COPY INTO remembers, and how far streams were consumed.
_OWN = {'lake.main."load_history"', stream_offsets.STORED}
# A start removes no more than so many tables, so that the server is soon ready.
_AT_ONCE = 200
_SNAPSHOTS_AT_ONCE = 2000
# Snapshots as young as this stay: the lake compares a commit with those since its beginning.
_YOUNG = timedelta(minutes=1)
_FILE_LISTS = ("ducklake_data_file", "ducklake_delete_file", "ducklake_files_scheduled_for_deletion")
# File times lag behind the clock a little.
_CLOCK = timedelta(seconds=5)
_MARK = "TIMESTAMPTZ '2000-01-01 00:00:00+00'"
# In the lake's list of what a commit changed: ``inserted_into_table:17``, ``created_table:"main"."trips_3"``.
_CHANGED = re.compile(r"(?<=[a-z]):(\d+)")
_CREATED = re.compile(r'created_table:"main"\."([^"]+)"')


def clean_up(engine: Engine, catalog: Catalog, now: datetime | None = None) -> int:
    """At a start: forgets what is over and drops the lake's tables that no object has.

    Args:
        engine: nobody else uses it yet.
        catalog: of the same home.
        now: the moment of the clean-up.

    Returns:
        how many tables were dropped.
    """
    changed = forget(catalog, now or datetime.now(UTC), _streams(engine, catalog, now))
    catalog.update(*changed)
    remove_leftovers(engine)
    unused = sorted(engine.lake_tables() - _used(catalog) - _OWN)[:_AT_ONCE]
    return _drop(engine, unused)


def expire(engine: Engine, catalog: Catalog, now: datetime | None = None) -> int:
    """While the engine is in use: forgets what is over, with the tables, snapshots and files that only it had.

    Args:
        engine: may be in use.
        catalog: of the same home.
        now: the moment of the clean-up.

    Returns:
        how many snapshots are gone.
    """
    before = _used(catalog)
    # The file keeps what tables were until their next change: a statement may be in the midst of one.
    forget(catalog, now or datetime.now(UTC), _streams(engine, catalog, now))
    remove_leftovers(engine)
    _drop(engine, sorted(before - _used(catalog)))
    return expire_snapshots(engine, catalog, now)


def _streams(engine: Engine, catalog: Catalog, now: datetime | None) -> dict[int, datetime]:
    """Tables whose past streams need -> since when."""
    if stream_offsets.STORED not in engine.lake_tables():
        return {}  # a home of before there were streams
    connection = engine.connect()
    try:
        return stream_offsets.tables_needed(connection, catalog, now or datetime.now(UTC))
    finally:
        connection.close()


def forget(catalog: Catalog, now: datetime, streams: dict[int, datetime] | None = None) -> list[Table]:
    """Forgets dropped objects whose retention time is over, and what tables were before theirs.

    Args:
        catalog: of the home.
        now: the moment of the clean-up.
        streams: tables whose past streams need -> since when.

    Returns:
        tables whose past is shorter now.
    """
    catalog.purge([item for item in catalog.every() if is_over(catalog, item, now)])
    changed = []
    for item in catalog.every():
        if isinstance(item, Table) and item.past:
            earliest = horizon(catalog, item, now)
            earliest = min(earliest, (streams or {}).get(item.id, earliest))
            over = sum(version.until <= earliest for version in item.past)
            if over:
                del item.past[:over]
                changed.append(item)
    return changed


def expire_snapshots(engine: Engine, catalog: Catalog, now: datetime | None = None) -> int:
    """Forgets snapshots that no table's retention time reaches and no clone reads, and deletes the files that only they
    have.

    Of two tables with unlike retention times, the one with the longer keeps the snapshots in which it changed; the
    files that the other had only in between go.

    Args:
        engine: may be in use.
        catalog: of the same home.
        now: the moment of the clean-up.

    Returns:
        how many snapshots are gone.
    """
    moment = now or datetime.now(UTC)
    # What runs now must find what it began with, whatever the time is said to be.
    working = engine.oldest_work()
    young = min(moment, working or moment) - _YOUNG
    connection = engine.connect()
    try:
        old = _expired(connection, _needs(catalog, moment, _streams(engine, catalog, moment)), young)
        for start in range(0, len(old), _SNAPSHOTS_AT_ONCE):
            some = old[start : start + _SNAPSHOTS_AT_ONCE]
            connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => {some})")
        if old:
            log.info("expired %d snapshots of the lake", len(old))
        delete_files(engine)
    finally:
        connection.close()
    return len(old)


def delete_files(engine: Engine) -> None:
    """Deletes files that no table lists any more, once all that ran when they were last listed has ended.

    The lake notes with a file when the transaction began that took it off its lists, which may be long before others
    see that. So files are marked first, by a moment long ago, and go when all that runs has begun after that.

    Args:
        engine: may be in use.
    """
    duck = engine.cursor()
    try:
        with engine.files_lock:
            for _ in range(2):  # what is marked now goes at once if nothing runs
                working, marked = engine.oldest_work(), engine.files_marked
                if marked is not None and (working is None or working > marked):
                    spare_shared_files(duck)  # whatever is marked from here on waits for the next time
                    duck.execute(f"CALL ducklake_cleanup_old_files('lake', older_than => {_MARK} + INTERVAL 1 DAY)")
                    marked = None
                if marked is None:
                    duck.execute(
                        f"UPDATE {METADATA}.ducklake_files_scheduled_for_deletion SET schedule_start = {_MARK}"
                    )
                    marked = datetime.now(UTC)
                engine.files_marked = marked
    finally:
        duck.close()


def remove_leftovers(engine: Engine) -> int:
    """Deletes files that no commit has: of statements that failed (on a full disk) or were killed, and what the lake
    forgets when one transaction deletes from a file several times.

    Args:
        engine: may be in use; the files of what runs stay.

    Returns:
        how many files are gone.
    """
    engine.leftovers = False
    folder = engine.home / "lake"
    before = (engine.oldest_work() or datetime.now(UTC)) - _CLOCK  # what began since then writes younger files
    written: dict[Path, float] = {}
    for path in folder.rglob("*.parquet"):
        with suppress(FileNotFoundError):
            written[path] = path.stat().st_mtime
    duck = engine.cursor()
    try:
        with engine.files_lock:
            lists = " UNION ALL ".join(f"SELECT path FROM {METADATA}.{name}" for name in _FILE_LISTS)
            names = {path.rpartition("/")[2] for (path,) in duck.execute(lists).fetchall()}
    finally:
        duck.close()
    gone = [path for path, time in written.items() if path.name not in names and time < before.timestamp()]
    for path in gone:
        path.unlink(missing_ok=True)
    if gone:
        log.info("removed %d files of the lake that no commit has", len(gone))
    return len(gone)


@dataclass(slots=True)
class _Needs:
    """What must be kept: snapshots, and since when changes of tables count, by the table's bare name in the lake."""

    snapshots: set[int] = field(default_factory=set)
    since: dict[str, datetime] = field(default_factory=dict)

    def add(self, stored_as: str, snapshot: int | None, since: datetime) -> None:
        if snapshot is not None:
            self.snapshots.add(snapshot)
            return
        name = stored_as.rpartition(".")[2].strip('"')
        self.since[name] = min(since, self.since.get(name, since))


def _needs(catalog: Catalog, now: datetime, streams: dict[int, datetime]) -> _Needs:
    needs = _Needs()
    for item in catalog.every():
        if isinstance(item, Table) and item.kind != "TEMPORARY":
            since = horizon(catalog, item, now)
            since = min(since, streams.get(item.id, since))
            needs.add(item.stored_as, item.snapshot, since)
            for version in list(item.past):
                if version.until > since:
                    needs.add(version.stored_as, version.snapshot, since)
    return needs


def _expired(connection: Connection, needs: _Needs, young: datetime) -> list[int]:
    """Snapshots that nothing needs, oldest first."""
    names = connection.table(f"SELECT table_id, table_name FROM {METADATA}.ducklake_table")
    by_id = dict(zip(names.column(0).to_pylist(), names.column(1).to_pylist(), strict=True))
    found = connection.table(f"SELECT snapshot_id, {MOMENT}, c.changes_made FROM {COMMITS} ORDER BY snapshot_id")
    kept = set(needs.snapshots)
    last: dict[str, int] = {}  # of each table, the last change before its time: its state when that begins
    old: list[int] = []
    for snapshot, when, changes in zip(*(column.to_pylist() for column in found.columns), strict=True):
        moment = when.replace(tzinfo=UTC)
        if moment >= young:
            break
        old.append(snapshot)
        changed = {by_id.get(int(number), "") for number in _CHANGED.findall(changes or "")}
        for name in changed | set(_CREATED.findall(changes or "")):
            since = needs.since.get(name)
            if since is not None and moment > since:
                kept.add(snapshot)
            elif since is not None:
                last[name] = snapshot
    kept |= set(last.values())
    newest = found.column(0)[-1].as_py() if found.num_rows else None
    return [snapshot for snapshot in old if snapshot not in kept and snapshot != newest]


def _used(catalog: Catalog) -> set[str]:
    """The lake's tables that objects have or had."""
    tables = [item for item in catalog.every() if isinstance(item, Table)]
    return {table.stored_as for table in tables} | {version.stored_as for table in tables for version in table.past}


def _drop(engine: Engine, names: list[str]) -> int:
    stored = [name for name in names if name.startswith("lake.")]
    if not stored:
        return 0
    connection = engine.connect()
    try:
        with connection.atomic():
            for name in stored:
                connection.execute(f"DROP TABLE IF EXISTS {name}")
    finally:
        connection.close()
    log.info("dropped %d tables of the lake that nothing refers to", len(stored))
    return len(stored)
