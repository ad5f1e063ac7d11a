"""Physical tables: names, columns and statements that make them."""

from __future__ import annotations

import re

from polynya.catalog.model import ColumnDef
from polynya.types.sqltype import INTEGER, SqlType

# A second name of the lake, for reading it as of a snapshot.
PAST = "past"


def stored_table_name(name: str, object_id: int, *, temporary: bool) -> str:
    """The engine's name of a new table, qualified and quoted; readable, and unique by the object's id.

    Args:
        name: the table's name in the catalog.
        object_id: a new id, also for a new version of an old table.
        temporary: whether the session's own database holds it.
    """
    if temporary:
        return f'temp.main."t_{object_id}"'
    readable = re.sub(r"[^a-z0-9]+", "_", name.lower())[:40].strip("_")
    return f'lake.main."{readable}_{object_id}"'


def at_snapshot(stored_as: str, snapshot: int | None) -> str:
    """A table of the lake as of a snapshot, for FROM; as it is where that is None.

    It is read through the second name of the lake: through its own, the open transaction's changes would show in the
    past too.
    """
    if snapshot is None:
        return stored_as
    return f"{PAST}{stored_as.removeprefix('lake')} AT (VERSION => {snapshot})"


def bare_name(stored_as: str) -> str:
    """The name alone of ``lake.main."name"``."""
    return stored_as.rpartition(".")[2].strip('"')


def stored_column_names(names: list[str], taken: set[str] | None = None) -> list[str]:
    """The engine's names of columns: the same, made unique without regard to case.

    Args:
        names: as the catalog has them.
        taken: engine names of other columns of the table.
    """
    used = {name.lower() for name in taken or ()}
    stored = []
    for name in names:
        candidate, number = name or "_", 2
        while candidate.lower() in used:
            candidate, number = f"{name}_{number}", number + 1
        used.add(candidate.lower())
        stored.append(candidate)
    return stored


def quote(name: str) -> str:
    """A name quoted for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def storage_type(kind: SqlType, *, temporary: bool = False) -> str:
    """The DuckDB type of a stored column: as in a query, but DuckLake has no arrays of fixed length."""
    if kind.name == "VECTOR" and not temporary:
        return f"{'INTEGER' if kind.element == INTEGER else 'FLOAT'}[]"
    return kind.duckdb


def create_table_sql(stored_as: str, columns: list[ColumnDef]) -> str:
    """CREATE TABLE for the engine; defaults are the binder's, not the engine's.

    Args:
        stored_as: qualified and quoted.
        columns: at least one.
    """
    temporary = stored_as.startswith("temp.")
    parts = [
        f"{quote(column.stored_as)} {storage_type(column.type, temporary=temporary)}"
        + ("" if column.nullable else " NOT NULL")
        for column in columns
    ]
    return f"CREATE {'TEMPORARY ' if temporary else ''}TABLE {stored_as} ({', '.join(parts)})"
