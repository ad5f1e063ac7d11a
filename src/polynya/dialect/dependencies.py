"""What views, dynamic tables and SQL functions read, found by binding them as they are now.

Names in them are looked up anew at every use, so what they depend on is not fixed when they are made.
https://docs.snowflake.com/en/user-guide/object-dependencies
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from polynya.catalog.access import Origin
from polynya.catalog.context import Context
from polynya.catalog.dynamic_queries import names_of
from polynya.catalog.imported import imported_from
from polynya.catalog.kinds import is_temporary
from polynya.catalog.model import CatalogObject, Routine, Table, View
from polynya.dialect.query import BoundQuery, bind_query
from polynya.errors import SnowflakeError


@dataclass(frozen=True, slots=True)
class Dependency:
    """What one object reads.

    Args:
        item: the view, dynamic table or function.
        reads: the objects that it names.
        columns: its columns -> the columns that they are made of; empty for a function.
    """

    item: CatalogObject
    reads: list[CatalogObject]
    columns: dict[str, tuple[Origin, ...]]


def dependency_of(context: Context, item: CatalogObject) -> Dependency | None:
    """What an object reads; None if nothing, or if its text cannot be bound (any more)."""
    text = _text(context, item)
    if not text or imported_from(context.catalog, item):
        return None  # where a share's views come from stays hidden
    try:
        bound = bind_query(text, _inside(context, item), describe_only=True)
    except SnowflakeError:
        return None
    reads = [found for found in bound.reads.direct.values() if found is not item]
    return Dependency(item, reads, _columns(item, bound)) if reads else None


def _columns(item: CatalogObject, bound: BoundQuery) -> dict[str, tuple[Origin, ...]]:
    columns = getattr(item, "columns", [])
    return {column.name: origins for column, origins in zip(columns, bound.origins, strict=False)}


def _text(context: Context, item: CatalogObject) -> str:
    """A query that reads what the object reads."""
    if isinstance(item, View):
        return item.query
    if isinstance(item, Table):
        return item.dynamic_query
    if isinstance(item, Routine) and item.language == "SQL" and item.kind != "PROCEDURE":
        arguments = ", ".join(f"CAST(NULL AS {kind})" for _, kind, _ in item.arguments)
        call = f"{context.catalog.full_name(item)}({arguments})"
        return f"SELECT * FROM TABLE({call})" if item.returns_table is not None else f"SELECT {call}"
    return ""


def _inside(context: Context, item: CatalogObject) -> Context:
    """The context in which the object's text is looked up: of its own database and schema."""
    schema = context.catalog.by_id(item.parent)
    database = context.catalog.by_id(schema.parent) if schema else None
    names = [database.name if database else None, schema.name if schema else None]
    if isinstance(item, Table):
        names = list(names_of(context.catalog, item))
    return replace(context, database=names[0], schema=names[1])


def readers(context: Context) -> list[CatalogObject]:
    """The account's views, dynamic tables and SQL functions, the session's temporary ones included, oldest first."""
    catalog = context.catalog
    own = {item.id for item in context.temporary.values()}
    return [
        item
        for item in sorted(catalog.every(), key=lambda item: item.id)
        if isinstance(item, (View, Table, Routine))
        and (item.id in own or not is_temporary(item))
        and _text(context, item)
        and catalog.reachable(item)
    ]


def may_read(item: CatalogObject, other: CatalogObject) -> bool:
    """Whether an object's text has another one's name in it."""
    text = item.body if isinstance(item, Routine) else getattr(item, "query", "") or getattr(item, "dynamic_query", "")
    return other.name.upper() in text.upper()


def dependencies(context: Context) -> Iterator[Dependency]:
    """What the account's views, dynamic tables and SQL functions read."""
    for item in readers(context):
        found = dependency_of(context, item)
        if found is not None:
            yield found
