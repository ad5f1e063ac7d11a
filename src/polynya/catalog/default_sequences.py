"""Sequences that columns' defaults draw from: known by their ids, so that renaming, cloning and the session's schema change
nothing.

https://docs.snowflake.com/en/user-guide/object-clone (cloning and default sequences)
"""

from __future__ import annotations

from polynya.catalog.model import CatalogObject, ColumnDef, Sequence
from polynya.catalog.store import Catalog


def drawn_from(catalog: Catalog, column: ColumnDef) -> Sequence | None:
    """The sequence of a column's default: the one it was defined with, or what has replaced it; None if it is gone.

    Args:
        catalog: of the account.
        column: with ``sequence``.
    """
    found = catalog.by_id(column.sequence or 0)
    if isinstance(found, Sequence) and not catalog.reachable(found):
        found = catalog.child(found.parent, "SEQUENCE", found.name)
    return found if isinstance(found, Sequence) and catalog.reachable(found) else None


def default_text(catalog: Catalog, column: ColumnDef) -> str | None:
    """A column's default as Snowflake shows it: with the full name of its sequence, if it draws from one."""
    if column.sequence is None:
        return column.default
    found = drawn_from(catalog, column)
    return column.default if found is None else f"{catalog.full_name(found)}.NEXTVAL"


def follow_sequences(added: list[CatalogObject], pairs: dict[int, int]) -> None:
    """Tables that are cloned together with their sequences draw from the clones of these.

    Args:
        added: the new objects.
        pairs: id of a sequence -> id of its clone.
    """
    for item in added:
        for column in getattr(item, "columns", []):
            column.sequence = pairs.get(column.sequence, column.sequence)
