"""How many rows and bytes tables hold, for SHOW and INFORMATION_SCHEMA."""

from __future__ import annotations

from collections.abc import Iterable

from polynya.catalog.model import Table
from polynya.errors import SnowflakeError
from polynya.storage.connection import Connection
from polynya.storage.tables import at_snapshot

# So many tables are counted in one query.
_BATCH = 50

Sizes = dict[int, tuple[int | None, int]]


def table_sizes(connection: Connection, tables: Iterable[Table]) -> Sizes:
    """(rows, bytes) by table id; bytes of rows that the lake keeps outside files are 0.

    Args:
        connection: its open transaction's changes count.
        tables: not dropped.
    """
    tables = list(tables)
    if not tables:
        return {}
    counts = _counts(connection, tables)
    sizes = _file_sizes(connection)
    return {table.id: (counts.get(_key(table)), sizes.get(table.stored_as, 0)) for table in tables}


def _key(table: Table) -> tuple[str, int | None]:
    return table.stored_as, table.snapshot


def _counts(connection: Connection, tables: list[Table]) -> dict[tuple[str, int | None], int]:
    """Row counts; those of committed rows are remembered until anything in the lake changes."""
    snapshot = connection.table("SELECT id FROM lake.current_snapshot()").column(0)[0].as_py()
    cache = connection.engine.row_counts
    counts = dict(cache[1]) if cache[0] == snapshot and not connection.in_transaction else {}
    missing = [table for table in tables if _key(table) not in counts or table.kind == "TEMPORARY"]
    for start in range(0, len(missing), _BATCH):
        counts |= _count(connection, missing[start : start + _BATCH])
    if not connection.in_transaction:
        kept = {key: count for key, count in counts.items() if not key[0].startswith("temp.")}
        connection.engine.row_counts = (snapshot, kept)
    return counts


def _count(connection: Connection, tables: list[Table]) -> dict[tuple[str, int | None], int]:
    parts = []
    for index, table in enumerate(tables):
        parts.append(f"SELECT {index} AS i, count(*) AS n FROM {at_snapshot(table.stored_as, table.snapshot)}")
    try:
        found = connection.table(" UNION ALL ".join(parts))
    except SnowflakeError:
        if len(tables) == 1:  # its rows went away meanwhile
            return {}
        return {key: count for table in tables for key, count in _count(connection, [table]).items()}
    return {_key(tables[row["i"]]): row["n"] for row in found.to_pylist()}


def _file_sizes(connection: Connection) -> dict[str, int]:
    """Bytes of live Parquet files by the table's engine name."""
    found = connection.table(
        "SELECT t.table_name, sum(f.file_size_bytes)::BIGINT AS bytes FROM __ducklake_metadata_lake.ducklake_table AS t "
        "JOIN __ducklake_metadata_lake.ducklake_data_file AS f USING (table_id) "
        "WHERE f.end_snapshot IS NULL AND t.end_snapshot IS NULL GROUP BY t.table_name"
    )
    return {f'lake.main."{row["table_name"]}"': row["bytes"] for row in found.to_pylist()}
