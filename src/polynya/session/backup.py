"""The server's part of a backup: one moment of catalog and lake, taken while others write."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from polynya.catalog.model import Table
from polynya.catalog.store import Catalog
from polynya.errors import SnowflakeError
from polynya.storage.errors import full_disk
from polynya.storage.replica import METADATA_FILE, replicate, replicate_closed

if TYPE_CHECKING:
    from polynya.session.account import Account

log = logging.getLogger(__name__)

# A statement that makes or changes a table commits it in the lake first and in the catalog some milliseconds later; what
# falls between the two is taken again, at last with the catalog held still.
_ATTEMPTS = 20
_STILL_ATTEMPTS = 10
_PAUSE_SECONDS = 0.05
# The lake's own tables, of no object.
_OWN = {"load_history", "stream_offsets"}
CATALOG = "catalog.sqlite"
# Records of the past beside the catalog.
_RECORDS = ("history.sqlite", "access.sqlite", "events.sqlite", "tasks.sqlite", "logins.sqlite")
SCRATCH = "backup-"


def snapshot(account: Account, folder: Path) -> dict[str, Any]:
    """Copies what changes of an open home.

    Args:
        account: in use.
        folder: empty, below the home's ``tmp``.

    Returns:
        ``missing``: files that the lake lists and that are not there.

    Raises:
        SnowflakeError: if the folder is another one, or the disk is full.
    """
    place = folder.resolve()
    if place.parent != (account.home / "tmp").resolve() or not place.name.startswith(SCRATCH):
        raise SnowflakeError(603, "XX000", f"{folder} is no folder for a backup's first part.")
    try:
        return _snapshot(account.home, place, partial(replicate, account.engine), account.catalog)
    except (OSError, duckdb.Error, sqlite3.Error) as error:
        log.exception("the backup's first part failed")
        if full_disk(error) is not None:
            raise SnowflakeError(603, "53100", "The warehouse's disk has no room for a copy of its catalog.") from None
        raise SnowflakeError(603, "XX000", f"The warehouse cannot be copied: {error}") from None


def snapshot_closed(home: Path, folder: Path) -> dict[str, Any]:
    """The same of a home without a server, whose lock the caller holds."""
    return _snapshot(home, folder, partial(replicate_closed, home), None)


def _snapshot(
    home: Path, folder: Path, copy_lake: Callable[[Path], list[str]], catalog: Catalog | None
) -> dict[str, Any]:
    before: set[str] = set()
    for attempt in range(_ATTEMPTS):
        for old in folder.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        if catalog is not None and attempt >= _STILL_ATTEMPTS:
            with catalog.held_still():
                missing, same = _take(home, folder, copy_lake)
        else:
            missing, same = _take(home, folder, copy_lake)
        absent, unknown = compare(folder)
        # What was left over by a crash stays unknown from one time to the next; what a statement is making does not.
        if same and not absent and unknown <= before:
            break
        before = unknown
        time.sleep(_PAUSE_SECONDS)
    else:
        log.warning("the backup's catalog and lake differ: %s %s", sorted(absent), sorted(unknown))
    for name in _RECORDS:
        copy_database(home / name, folder / name)
    return {"missing": missing, "differ": sorted(absent)}


def _take(home: Path, folder: Path, copy_lake: Callable[[Path], list[str]]) -> tuple[list[str], bool]:
    """Copies the catalog and then the lake; answers missing files, and whether the catalog stayed the same meanwhile."""
    with closing(sqlite3.connect(f"file:{home / CATALOG}?mode=ro", uri=True)) as watched:
        version = watched.execute("PRAGMA data_version").fetchone()
        _copy(watched, folder / CATALOG)
        missing = copy_lake(folder)
        return missing, watched.execute("PRAGMA data_version").fetchone() == version


def copy_database(source: Path, target: Path) -> None:
    """Copies an SQLite file that others may be writing to; nothing if there is none."""
    if source.exists():
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as database:
            _copy(database, target)


def _copy(database: sqlite3.Connection, target: Path) -> None:
    target.touch(mode=0o600)
    with closing(sqlite3.connect(target)) as copy:
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file


def compare(folder: Path) -> tuple[set[str], set[str]]:
    """Whether a catalog and a lake belong together.

    Args:
        folder: with copies of both.

    Returns:
        (tables and columns of the catalog that the lake does not have, tables of the lake that no object has)
    """
    duck = duckdb.connect(str(folder / METADATA_FILE), read_only=True)
    try:
        lake = {
            name: set(columns)
            for name, columns in duck.execute(
                "SELECT t.table_name, list(c.column_name) FROM ducklake_table AS t JOIN ducklake_column AS c USING (table_id) "
                "WHERE t.end_snapshot IS NULL AND c.end_snapshot IS NULL AND c.parent_column IS NULL GROUP BY ALL"
            ).fetchall()
        }
    finally:
        duck.close()
    catalog = Catalog.open(folder / CATALOG)
    try:
        absent: set[str] = set()
        used: set[str] = set()
        for item in catalog.every():
            if not isinstance(item, Table):
                continue
            used |= {_bare(item.stored_as), *(_bare(version.stored_as) for version in item.past)}
            if item.snapshot is None and catalog.reachable(item):
                columns = {column.stored_as for column in item.columns}
                if not columns <= lake.get(_bare(item.stored_as), set()):
                    absent.add(catalog.full_name(item))
    finally:
        catalog.close()
    return absent, lake.keys() - used - _OWN


def _bare(stored_as: str) -> str:
    return stored_as.rpartition(".")[2].strip('"')
