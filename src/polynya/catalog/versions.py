"""What a table was before it was altered: where its rows were, and its columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from polynya.catalog.model import ColumnDef, Table, TableVersion


def remember(table: Table, before: dict[str, Any], moment: datetime) -> None:
    """Adds what a table was to its past, if its rows or columns are others now.

    Args:
        table: as it is now.
        before: the fields ``stored_as``, ``snapshot`` and ``columns`` as they were.
        moment: since when it is as now.
    """
    now = (table.stored_as, table.snapshot, _shape(table.columns))
    if now != (before["stored_as"], before["snapshot"], _shape(before["columns"])):
        version = TableVersion(before["stored_as"], before["snapshot"], before["columns"], moment)
        table.past.append(version)


def version_at(table: Table, moment: datetime) -> TableVersion:
    """What a table was at a moment after its creation."""
    for version in table.past:
        if moment < version.until:
            return version
    return TableVersion(table.stored_as, table.snapshot, table.columns, moment)


def past_names(table: Table) -> set[str]:
    """Engine names of columns that the table has had: a new column must not be taken for an old one."""
    return {column.stored_as for version in table.past for column in version.columns}


def copied(columns: list[ColumnDef]) -> list[ColumnDef]:
    """The columns as objects of their own."""
    return [replace(column, tags=dict(column.tags)) for column in columns]


def _shape(columns: list[ColumnDef]) -> list[tuple]:
    return [(c.name, c.type, c.stored_as, c.nullable, c.default, c.autoincrement) for c in columns]
