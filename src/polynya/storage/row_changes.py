"""Which rows of a table differ between two snapshots of the lake.

A row keeps its ``rowid`` in the lake when it is updated, flushed, merged into another file or when its file is rewritten,
so the net changes are what differs of the rows with the same number. Files that have the same rows in both snapshots are
not read. What was inserted in between, whether it is still there or not, the lake's own change feed tells.
https://ducklake.select/docs/stable/duckdb/advanced_features/data_change_feed
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from polynya.storage.forks import METADATA
from polynya.storage.tables import PAST, at_snapshot, bare_name

if TYPE_CHECKING:
    from polynya.storage.connection import Connection

# Columns of the answer besides the table's: what happened, whether it is half of an update, and the row's number.
ACTION, IS_UPDATE, ROW = '"METADATA$ACTION"', '"METADATA$ISUPDATE"', '"METADATA$ROW_ID"'
# What a comparison of values cannot do is compared as text.
_AS_TEXT = ("VARIANT", "JSON", "GEOMETRY")


@dataclass(frozen=True, slots=True)
class Item:
    """A column of the answer.

    Args:
        name: its engine name there, quoted.
        before, after: SQL of its value over a row at the first and at the second snapshot.
        type: the engine's.
    """

    name: str
    before: str
    after: str
    type: str

    @property
    def compared(self) -> str:
        """The value in a comparison, with ``{0}`` for the relation."""
        value = f"{{0}}.{self.name}"
        return f"CAST({value} AS VARCHAR)" if self.type.startswith(_AS_TEXT) else value


def has_changed(connection: Connection, stored_as: str, start: int, end: int) -> bool:
    """Whether anything of a table was written between two snapshots: a quick look, which counts upkeep too."""
    found = connection.sibling_table(
        f"SELECT 1 FROM {METADATA}.ducklake_snapshot_changes AS c, {METADATA}.ducklake_table AS t WHERE t.table_name = "
        f"'{bare_name(stored_as)}' AND c.snapshot_id > {start} AND c.snapshot_id <= {end} "
        "AND regexp_matches(c.changes_made, '(^|,)[a-z_]+:' || t.table_id || '(,|$)') LIMIT 1"
    )
    return found.num_rows > 0


def kept_snapshot(connection: Connection, snapshot: int) -> int | None:
    """The snapshot itself, or if it has expired the one before: the table's rows are the same in both as long as its past
    is kept. None if there is none any more."""
    found = connection.sibling_table(
        f"SELECT max(snapshot_id) FROM {METADATA}.ducklake_snapshot WHERE snapshot_id <= {snapshot}"
    )
    return found.column(0)[0].as_py()


def net_changes(connection: Connection, stored_as: str, start: int, end: int, items: list[Item]) -> str:
    """SQL, for FROM, of the net changes between two snapshots.

    Args:
        connection: for a look at the lake's metadata.
        stored_as: the table's name in the engine.
        start, end: of the lake.
        items: the answer's columns.

    Returns:
        A query of the items, and of what happened (INSERT or DELETE), whether that is an update, and the row's number: an
        updated row comes twice, as it was and as it is.
    """
    skipped = ""
    same = _same_files(connection, stored_as, start, end)
    if same:
        listed = ", ".join(f"'{name}'" for name in same)
        skipped = f" WHERE coalesce(regexp_extract(filename, '[^/]+$'), '') NOT IN ({listed})"
    before = ", ".join(f"{item.before} AS {item.name}" for item in items)
    after = ", ".join(f"{item.after} AS {item.name}" for item in items)
    differs = " OR ".join(f"{item.compared.format('o')} IS DISTINCT FROM {item.compared.format('n')}" for item in items)
    values = ", ".join(
        f"CASE WHEN a.is_insert THEN n.{item.name} ELSE o.{item.name} END AS {item.name}" for item in items
    )
    return (
        f"(WITH o AS (SELECT rowid AS {ROW}, {before} FROM {at_snapshot(stored_as, start)}{skipped}), "
        f"n AS (SELECT rowid AS {ROW}, {after} FROM {at_snapshot(stored_as, end)}{skipped}) "
        f"SELECT {values}, CASE WHEN a.is_insert THEN 'INSERT' ELSE 'DELETE' END AS {ACTION}, "
        f"o.{ROW} IS NOT NULL AND n.{ROW} IS NOT NULL AS {IS_UPDATE}, coalesce(n.{ROW}, o.{ROW}) AS {ROW} "
        f"FROM o FULL JOIN n ON o.{ROW} = n.{ROW} CROSS JOIN (VALUES (true), (false)) AS a(is_insert) "
        f"WHERE (o.{ROW} IS NULL OR n.{ROW} IS NULL OR {differs}) "
        f"AND CASE WHEN a.is_insert THEN n.{ROW} IS NOT NULL ELSE o.{ROW} IS NOT NULL END)"
    )


def inserted_rows(stored_as: str, start: int, end: int, items: list[Item]) -> str:
    """SQL, for FROM, of all rows that were inserted between two snapshots, as they were inserted; see ``net_changes``.

    The feed takes some updates of rows that were flushed or rewritten for insertions (seen on 1.5.5). So of each row that
    was not there at the start the first version counts.
    """
    values = ", ".join(f"{item.after} AS {item.name}" for item in items)
    if start >= end:
        return no_changes(items)
    return (
        f"(SELECT {values}, 'INSERT' AS {ACTION}, false AS {IS_UPDATE}, rowid AS {ROW} "
        f"FROM ducklake_table_changes('{PAST}', 'main', '{bare_name(stored_as)}', {start + 1}, {end}) "
        f"WHERE change_type IN ('insert', 'update_postimage') AND rowid NOT IN (SELECT rowid FROM "
        f"{at_snapshot(stored_as, start)}) QUALIFY row_number() OVER (PARTITION BY rowid ORDER BY snapshot_id) = 1)"
    )


def all_rows(stored_as: str, snapshot: int, items: list[Item]) -> str:
    """SQL, for FROM, of a table's rows at a snapshot as if all had been inserted; see ``net_changes``."""
    values = ", ".join(f"{item.after} AS {item.name}" for item in items)
    return (
        f"(SELECT {values}, 'INSERT' AS {ACTION}, false AS {IS_UPDATE}, rowid AS {ROW} "
        f"FROM {at_snapshot(stored_as, snapshot)})"
    )


def no_changes(items: list[Item]) -> str:
    """SQL, for FROM, of no row; see ``net_changes``."""
    values = ", ".join(f"CAST(NULL AS {item.type}) AS {item.name}" for item in items)
    return f"(SELECT {values}, '' AS {ACTION}, false AS {IS_UPDATE}, 0::BIGINT AS {ROW} WHERE false)"


def _same_files(connection: Connection, stored_as: str, start: int, end: int) -> list[str]:
    """Names of files that have the same rows in both snapshots: those of which nothing was deleted before the second.

    A file of deleted rows may hold some of later snapshots, and does not always tell so.
    """
    table = connection.sibling_table(
        f"SELECT table_id FROM {METADATA}.ducklake_table WHERE table_name = '{bare_name(stored_as)}'"
    )
    if not table.num_rows:
        return []
    number = table.column(0)[0].as_py()
    inlined = f"ducklake_inlined_delete_{number}"
    known = _exists(connection, f"{METADATA}.{inlined}")
    between = f"BETWEEN {start + 1} AND {end}"
    fresh = (
        f" AND NOT EXISTS (SELECT 1 FROM {METADATA}.{inlined} AS i WHERE i.file_id = f.data_file_id "
        f"AND i.begin_snapshot {between})"
        if known
        else ""
    )
    found = connection.sibling_table(
        f"SELECT regexp_extract(f.path, '[^/]+$') FROM {METADATA}.ducklake_data_file AS f WHERE f.table_id = {number} "
        f"AND f.begin_snapshot <= {start} AND (f.end_snapshot IS NULL OR f.end_snapshot > {end}) "
        f"AND coalesce(f.partial_max, 0) <= {start} AND NOT EXISTS (SELECT 1 FROM {METADATA}.ducklake_delete_file AS d "
        f"WHERE d.data_file_id = f.data_file_id AND d.begin_snapshot <= {end}){fresh}"
    )
    return found.column(0).to_pylist()


def _exists(connection: Connection, name: str) -> bool:
    """Whether the lake has made a table of its metadata. DuckDB does not list them: it must be asked for."""
    cursor = connection.engine.cursor()
    try:
        cursor.execute(f"SELECT 1 FROM {name} LIMIT 0")
    except duckdb.CatalogException:
        return False
    finally:
        cursor.close()
    return True
