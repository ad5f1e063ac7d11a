"""A table of the lake with another one's rows as of a snapshot, without copying them.

DuckLake's metadata lists the Parquet files of each table (https://ducklake.select/docs/stable/specification/introduction).
A fork is a new table whose lists name the same files; from then on either side adds files and deletes of its own. The
few rows that stand in no file of their own, or in one together with later rows, are copied.

The lake believes that it owns each file once: what it schedules for deletion must go through ``spare_shared_files``.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from polynya.storage.tables import bare_name

if TYPE_CHECKING:
    from polynya.storage.engine import Engine

METADATA = "__ducklake_metadata_lake"
# The version of DuckLake's specification whose tables are written here.
_SPECIFICATION = "1.0"
_ATTEMPTS = 10
# What is listed for each data file besides where it lies.
_FILE_LISTS = ("ducklake_file_column_stats", "ducklake_file_variant_stats", "ducklake_file_partition_value")


class _CannotFork(Exception):
    """The lake's metadata is not as this module knows it."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a table is made of at a snapshot.

    Args:
        table: its id.
        snapshot: at which it is read.
        files, deletes: ids of the data files that can be shared and of the files that tell their deleted rows.
        rest: whether it has rows outside these files.
    """

    table: int
    snapshot: int
    files: list[int]
    deletes: list[int]
    rest: bool

    @property
    def alive(self) -> str:
        """SQL: whether a row of the metadata counts at the snapshot."""
        return f"begin_snapshot <= {self.snapshot} AND (end_snapshot IS NULL OR end_snapshot > {self.snapshot})"


def fork_table(engine: Engine, stored_as: str, snapshot: int, new_name: str) -> bool:
    """Makes a table that has another one's rows at a snapshot, by naming the same files.

    Args:
        engine: of the lake.
        stored_as: the origin's qualified, quoted name.
        snapshot: of the lake; neither it nor its files may go meanwhile (``Connection.reading``).
        new_name: the new table's qualified, quoted name.

    Returns:
        False if it cannot be done without copying all rows; nothing has changed then.
    """
    duck = engine.cursor()
    try:
        with engine.files_lock, engine.commit_gate:
            origin = _share(duck, stored_as, snapshot, new_name)
        if origin is None:
            return False
        if origin.rest:
            listed = ", ".join(f"'{name}'" for name in _file_names(duck, origin.files)) or "''"
            duck.execute("BEGIN")
            duck.execute(
                f"INSERT INTO {new_name} SELECT * FROM {stored_as} AT (VERSION => {snapshot}) "
                f"WHERE coalesce(regexp_extract(filename, '[^/]+$'), '') NOT IN ({listed})"
            )
            with engine.commit_gate:
                duck.execute("COMMIT")
    finally:
        duck.close()
    return True


def spare_shared_files(duck: duckdb.DuckDBPyConnection) -> None:
    """Takes files that a table still lists off the list of those to be deleted; the caller holds ``files_lock``."""
    listed = f"SELECT regexp_extract(path, '[^/]+$') FROM {METADATA}"
    duck.execute(
        f"DELETE FROM {METADATA}.ducklake_files_scheduled_for_deletion WHERE regexp_extract(path, '[^/]+$') IN "
        f"({listed}.ducklake_data_file UNION ALL {listed}.ducklake_delete_file)"
    )


def _share(duck: duckdb.DuckDBPyConnection, stored_as: str, snapshot: int, new_name: str) -> _Origin | None:
    """Writes the fork's metadata in one transaction, again if another commit took its snapshot's number."""
    for attempt in range(_ATTEMPTS):
        duck.execute("BEGIN")
        try:
            origin = _write(duck, bare_name(stored_as), snapshot, bare_name(new_name))
            duck.execute("COMMIT")
        except BaseException as error:
            with suppress(duckdb.TransactionException):  # a failed COMMIT has ended it
                duck.execute("ROLLBACK")
            if isinstance(error, _CannotFork):
                return None
            if not isinstance(error, duckdb.Error) or not ("onflict" in str(error) or "onstraint" in str(error)):
                raise
            time.sleep(0.002 * 2**attempt)
        else:
            return origin
    return None


def _write(duck: duckdb.DuckDBPyConnection, name: str, snapshot: int, new_name: str) -> _Origin:
    """The fork's metadata, as the lake itself writes it for a table that is made and filled in one commit."""
    if _fetch(duck, "SELECT value FROM {m}.ducklake_metadata WHERE key = 'version'") != [(_SPECIFICATION,)]:
        raise _CannotFork
    origin = _origin(duck, name, snapshot)
    ((last, version, table, file),) = _fetch(
        duck,
        "SELECT snapshot_id, schema_version, next_catalog_id, next_file_id FROM {m}.ducklake_snapshot "
        "ORDER BY snapshot_id DESC LIMIT 1",
    )
    new, files, deletes = last + 1, len(origin.files), len(origin.deletes)
    next_file = file + files + deletes
    _fetch(duck, f"INSERT INTO {{m}}.ducklake_snapshot VALUES ({new}, now(), {version + 1}, {table + 1}, {next_file})")
    changes = f'created_table:"main"."{new_name}",inserted_into_table:{table}'
    _fetch(duck, f"INSERT INTO {{m}}.ducklake_snapshot_changes (snapshot_id, changes_made) VALUES ({new}, '{changes}')")
    _fetch(duck, f"INSERT INTO {{m}}.ducklake_schema_versions VALUES ({new}, {version + 1}, {table})")
    begins = f"{new} AS begin_snapshot, NULL AS end_snapshot, {table} AS table_id"
    old = f"t.table_id = {origin.table}"
    _copy(
        duck,
        "ducklake_table",
        f"{begins}, uuid() AS table_uuid, '{new_name}' AS table_name",
        f"{old} AND {origin.alive}",
    )
    _copy(duck, "ducklake_column", begins, f"{old} AND {origin.alive}")
    for listed in ("ducklake_table_stats", "ducklake_table_column_stats"):
        _copy(duck, listed, f"{table} AS table_id", old)
    numbers = _Numbers(origin.files, file, origin.deletes, file + files)
    fresh = f"{begins}, f.new AS data_file_id, NULL AS partial_max"
    _copy(duck, "ducklake_data_file", fresh, "true", numbers.files("data_file_id"))
    fresh = f"{fresh}, d.new AS delete_file_id"
    joined = numbers.files("data_file_id") + numbers.deletes("delete_file_id")
    _copy(duck, "ducklake_delete_file", fresh, "true", joined)
    for listed in _FILE_LISTS:
        fresh = f"{table} AS table_id, f.new AS data_file_id"
        _copy(duck, listed, fresh, "true", numbers.files("data_file_id"))
    _copy_inlined_deletes(duck, origin, table, new, numbers)
    return origin


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The fork's own numbers of files, as relations to join with."""

    data: list[int]
    first_data: int
    delete: list[int]
    first_delete: int

    def files(self, column: str) -> str:
        return _join(self.data, self.first_data, "f", column)

    def deletes(self, column: str) -> str:
        return _join(self.delete, self.first_delete, "d", column)


def _join(old: list[int], first: int, alias: str, column: str) -> str:
    new = list(range(first, first + len(old)))
    return (
        f" JOIN (SELECT unnest({old}::BIGINT[]) AS old, unnest({new}::BIGINT[]) AS new) AS {alias} "
        f"ON t.{column} = {alias}.old"
    )


def _origin(duck: duckdb.DuckDBPyConnection, name: str, snapshot: int) -> _Origin:
    blank = _Origin(0, snapshot, [], [], False)
    found = _fetch(duck, f"SELECT table_id FROM {{m}}.ducklake_table WHERE table_name = '{name}' AND {blank.alive}")
    if len(found) != 1:
        raise _CannotFork
    table = found[0][0]
    alive = f"table_id = {table} AND {blank.alive}"
    if _fetch(duck, f"SELECT 1 FROM {{m}}.ducklake_partition_info WHERE table_id = {table} LIMIT 1"):
        raise _CannotFork
    # A file may hold rows (or deletes) of several snapshots, the last of which is its ``partial_max``.
    later = f"coalesce(partial_max, 0) > {snapshot}"
    data = _fetch(duck, f"SELECT data_file_id, {later} FROM {{m}}.ducklake_data_file WHERE {alive} ORDER BY 1")
    deletes = _fetch(
        duck,
        f"SELECT delete_file_id, data_file_id, {later} FROM {{m}}.ducklake_delete_file WHERE {alive} ORDER BY 1",
    )
    mixed = {number for number, is_mixed in data if is_mixed} | {number for _, number, is_mixed in deletes if is_mixed}
    inlined = any(
        _fetch(duck, f'SELECT 1 FROM {{m}}."{inlined}" WHERE {blank.alive} LIMIT 1')
        for (inlined,) in _fetch(
            duck, f"SELECT table_name FROM {{m}}.ducklake_inlined_data_tables WHERE table_id = {table}"
        )
    )
    return _Origin(
        table,
        snapshot,
        [number for number, _ in data if number not in mixed],
        [number for number, of, _ in deletes if of not in mixed],
        bool(mixed) or inlined,
    )


def _copy_inlined_deletes(
    duck: duckdb.DuckDBPyConnection, origin: _Origin, table: int, new: int, numbers: _Numbers
) -> None:
    """Deleted rows of files that the lake has not written to a file yet."""
    name = f"ducklake_inlined_delete_{origin.table}"
    if not _exists(duck, name):
        return
    fresh = f"SELECT f.new AS file_id, t.row_id, {new}::BIGINT AS begin_snapshot FROM {{m}}.{name} AS t"
    where = f" WHERE t.begin_snapshot <= {origin.snapshot}"
    _fetch(duck, f"CREATE TABLE {{m}}.ducklake_inlined_delete_{table} AS {fresh}{numbers.files('file_id')}{where}")


def _exists(duck: duckdb.DuckDBPyConnection, name: str) -> bool:
    try:
        _fetch(duck, f"SELECT 1 FROM {{m}}.{name} LIMIT 0")
    except duckdb.CatalogException:
        return False
    return True


def _copy(duck: duckdb.DuckDBPyConnection, table: str, fresh: str, where: str, joined: str = "") -> None:
    """Copies rows of a metadata table; ``fresh`` are the values that differ."""
    _fetch(
        duck, f"INSERT INTO {{m}}.{table} SELECT t.* REPLACE ({fresh}) FROM {{m}}.{table} AS t{joined} WHERE {where}"
    )


def _file_names(duck: duckdb.DuckDBPyConnection, files: list[int]) -> list[str]:
    found = _fetch(
        duck,
        f"SELECT regexp_extract(path, '[^/]+$') FROM {{m}}.ducklake_data_file WHERE list_contains({files}::BIGINT[], data_file_id)",
    )
    return [name for (name,) in found]


def _fetch(duck: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:
    return duck.execute(sql.replace("{m}", METADATA)).fetchall()
