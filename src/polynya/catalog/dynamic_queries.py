"""Where the names in a dynamic table's query are looked up: the database and schema that were current at its creation.

Those of the table itself are kept as None, so that they follow when it is renamed, moved or cloned.
"""

from __future__ import annotations

from polynya.catalog.model import Table
from polynya.catalog.store import Catalog

_KEPT = "CONTEXT"


def keep_names(catalog: Catalog, table: Table, database: str | None, schema: str | None) -> None:
    """Keeps a dynamic table's database and schema; those of the session that creates it.

    Args:
        catalog: has the schema in which the table is to lie.
        table: new.
        database, schema: current names, or None.
    """
    parent = catalog.by_id(table.parent)
    own = catalog.path(parent) if parent is not None else []
    inside = database == own[0]
    table.options[_KEPT] = [None if inside else database, None if inside and schema == own[-1] else schema]


def names_of(catalog: Catalog, table: Table) -> tuple[str | None, str | None]:
    """The database and schema for the names in a dynamic table's query."""
    own = catalog.path(table)[:2]
    database, schema = table.options.get(_KEPT, [None, None])
    return database or own[0], schema or own[1]


def follow_clone(catalog: Catalog, origin: Table, table: Table, *, database_too: bool) -> None:
    """Makes the clone of a dynamic table read what was cloned with it, as a cloned view does.

    Args:
        catalog: has the origin, not yet the clone.
        origin: the dynamic table that is cloned.
        table: its clone in the clone of its schema.
        database_too: whether its database is cloned; else only its schema is.
    """
    database, schema = names_of(catalog, origin)
    own = catalog.path(origin)
    inside = database == own[0]
    if inside and schema == own[1]:
        table.options[_KEPT] = [None, None]
    else:
        table.options[_KEPT] = [None if inside and database_too else database, schema]
