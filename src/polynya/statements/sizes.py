"""How many rows and bytes tables hold, for SHOW and INFORMATION_SCHEMA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polynya.errors import SnowflakeError

if TYPE_CHECKING:
    from polynya.catalog.model import Table
    from polynya.statements.base import Execution

# So many tables are counted in one query.
_BATCH = 50


def table_sizes(execution: Execution, tables: list[Table]) -> dict[int, tuple[int | None, int]]:
    """(rows, bytes) by table id; bytes of rows that the lake keeps outside files are 0.

    Args:
        execution: of the statement; its own transaction's changes count.
        tables: not dropped.
    """
    if not tables:
        return {}
    connection = execution.connection
    found = connection.table(
        "SELECT t.table_name, sum(f.file_size_bytes)::BIGINT FROM __ducklake_metadata_lake.ducklake_table AS t "
        "JOIN __ducklake_metadata_lake.ducklake_data_file AS f USING (table_id) "
        "WHERE f.end_snapshot IS NULL AND t.end_snapshot IS NULL GROUP BY t.table_name"
    )
    sizes = {f'lake.main."{name}"': size for name, size in zip(*found.to_pydict().values(), strict=True)}
    counts: dict[int, int] = {}
    for start in range(0, len(tables), _BATCH):
        batch = tables[start : start + _BATCH]
        counts |= _counts(execution, batch)
    return {table.id: (counts.get(table.id), sizes.get(table.stored_as, 0)) for table in tables}


def _counts(execution: Execution, tables: list[Table]) -> dict[int, int]:
    parts = []
    for table in tables:
        at = f" AT (VERSION => {table.snapshot})" if table.snapshot is not None else ""
        parts.append(f"SELECT {table.id}::BIGINT AS id, count(*) AS n FROM {table.stored_as}{at}")
    try:
        found = execution.connection.table(" UNION ALL ".join(parts))
    except SnowflakeError:
        if len(tables) == 1:  # its rows went away meanwhile
            return {}
        counts: dict[int, int] = {}
        for table in tables:
            counts |= _counts(execution, [table])
        return counts
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))
