"""Where tags are: the rows of TAG_REFERENCES in its forms, and of ACCOUNT_USAGE.TAGS.

https://docs.snowflake.com/en/sql-reference/functions/tag_references, .../tag_references_with_lineage,
https://docs.snowflake.com/en/sql-reference/account-usage/tag_references, .../account-usage/tags
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from polynya.catalog.information_schema import Request, view
from polynya.catalog.kinds import is_temporary, kind_of
from polynya.catalog.model import CatalogObject, ColumnDef, GenericObject, Sequence, Table
from polynya.catalog.store import Catalog
from polynya.catalog.tags import TagReference, account_tags, allowed_values, effective_tags, known
from polynya.types.sqltype import TIMESTAMP_LTZ, VARCHAR, SqlType, number
from polynya.types.variant import encode

_NUMBER = number(38, 0)
_ARRAY = SqlType("ARRAY")


def _texts(*names: str) -> list[tuple[str, SqlType]]:
    return [(name, VARCHAR) for name in names]


# Of the table functions.
COLUMNS = _texts(
    "TAG_DATABASE", "TAG_SCHEMA", "TAG_NAME", "TAG_VALUE", "APPLY_METHOD", "LEVEL", "OBJECT_DATABASE", "OBJECT_SCHEMA",
    "OBJECT_NAME", "DOMAIN", "COLUMN_NAME",
)  # fmt: skip


def reference_rows(catalog: Catalog, item: CatalogObject | None, column: ColumnDef | None = None) -> list[tuple]:
    """The tags that hold for an object or column, inherited ones too.

    Args:
        catalog: of the account.
        item: the object; None is the account.
        column: of the object, if a column is meant.
    """
    return [_row(catalog, found, item, column) for found in effective_tags(catalog, item, column)]


def _row(catalog: Catalog, found: TagReference, item: CatalogObject | None, column: ColumnDef | None) -> tuple:
    tag_database, tag_schema, tag_name = catalog.path(found.tag)
    own = found.level == ("COLUMN" if column is not None else _domain(item))
    return (
        tag_database, tag_schema, tag_name, found.value, "MANUAL" if own else "INHERITED", found.level,
        *_place(catalog, item), "COLUMN" if column is not None else _domain(item), column.name if column else None,
    )  # fmt: skip


def _domain(item: CatalogObject | None) -> str:
    return "ACCOUNT" if item is None else kind_of(item)


def _place(catalog: Catalog, item: CatalogObject | None) -> tuple[str | None, str | None, str]:
    """(database, schema, name) of an object; the first two only of what lies in them."""
    if item is None:
        return None, None, catalog.account_name
    path = catalog.path(item)
    return (path[0] if len(path) > 1 else None), (path[1] if len(path) > 2 else None), path[-1]


def column_rows(catalog: Catalog, item: CatalogObject) -> list[tuple]:
    """The tags that hold for the columns of a table or view."""
    return [row for column in getattr(item, "columns", []) for row in reference_rows(catalog, item, column)]


def lineage_rows(catalog: Catalog, tag: GenericObject) -> Iterator[tuple]:
    """All that a tag holds for, be it set there or inherited."""
    items: list[CatalogObject | None] = [None, *_taggable(catalog)]
    for item in items:
        for found in effective_tags(catalog, item):
            if found.tag is tag:
                yield _row(catalog, found, item, None)
        for column in getattr(item, "columns", []):
            for found in effective_tags(catalog, item, column):
                if found.tag is tag:
                    yield _row(catalog, found, item, column)


def _taggable(catalog: Catalog) -> list[CatalogObject]:
    """What exists and can have tags, parents first."""
    return [
        item
        for item in sorted(catalog.every(), key=lambda item: item.id)
        if not is_temporary(item) and not _is_part(catalog, item) and catalog.reachable(item)
    ]


def _is_part(catalog: Catalog, item: CatalogObject) -> bool:
    """Whether it is an identity column's sequence, which nobody sees."""
    return isinstance(item, Sequence) and isinstance(catalog.by_id(item.parent), Table)


@view(
    "ACCOUNT_USAGE.TAG_REFERENCES",
    columns=[
        *_texts("TAG_DATABASE", "TAG_SCHEMA"), ("TAG_ID", _NUMBER), *_texts("TAG_NAME", "TAG_VALUE", "OBJECT_DATABASE"),
        *_texts("OBJECT_SCHEMA"), ("OBJECT_ID", _NUMBER), *_texts("OBJECT_NAME"), ("OBJECT_DELETED", TIMESTAMP_LTZ),
        *_texts("DOMAIN"), ("COLUMN_ID", _NUMBER), *_texts("COLUMN_NAME", "APPLY_METHOD"),
    ],
)  # fmt: skip
def _references(request: Request) -> Iterator[tuple]:
    """What is set on an object itself; dropped objects that can still come back are among them."""
    catalog = request.context.catalog
    own = {item.id for item in request.context.temporary.values()}
    for tag, value in known(catalog, account_tags(catalog)):
        database, schema, name = catalog.path(tag)
        yield (
            database, schema, tag.id, name, value, None, None, 0, catalog.account_name, None, "ACCOUNT", None, None,
            "MANUAL",
        )  # fmt: skip
    for item in sorted(catalog.every(), key=lambda item: item.id):
        if (is_temporary(item) and item.id not in own) or _is_part(catalog, item):
            continue
        yield from _own_rows(catalog, item)


def _own_rows(catalog: Catalog, item: CatalogObject) -> Iterator[tuple]:
    place, deleted = _place(catalog, item), _deleted(catalog, item)
    for tag, value in known(catalog, item.tags):
        database, schema, name = catalog.path(tag)
        yield (
            database, schema, tag.id, name, value, place[0], place[1], item.id, place[2], deleted, kind_of(item), None,
            None, "MANUAL",
        )  # fmt: skip
    for index, column in enumerate(getattr(item, "columns", []), 1):
        for tag, value in known(catalog, column.tags):
            database, schema, name = catalog.path(tag)
            yield (
                database, schema, tag.id, name, value, place[0], place[1], item.id, place[2], deleted, "COLUMN", index,
                column.name, "MANUAL",
            )  # fmt: skip


def _deleted(catalog: Catalog, item: CatalogObject) -> datetime | None:
    """When the object, or what it lies in, was dropped."""
    current: CatalogObject | None = item
    while current is not None:
        if current.dropped_on is not None:
            return current.dropped_on
        current = catalog.by_id(current.parent) if current.parent else None
    return None


@view(
    "ACCOUNT_USAGE.TAGS",
    columns=[
        ("TAG_ID", _NUMBER), *_texts("TAG_NAME"), ("TAG_SCHEMA_ID", _NUMBER), *_texts("TAG_SCHEMA"),
        ("TAG_DATABASE_ID", _NUMBER), *_texts("TAG_DATABASE", "TAG_OWNER", "TAG_COMMENT"), ("CREATED", TIMESTAMP_LTZ),
        ("LAST_ALTERED", TIMESTAMP_LTZ), ("DELETED", TIMESTAMP_LTZ), ("ALLOWED_VALUES", _ARRAY),
        *_texts("OWNER_ROLE_TYPE", "PROPAGATE", "ON_CONFLICT"),
    ],
)  # fmt: skip
def _tags(request: Request) -> Iterator[tuple]:
    catalog = request.context.catalog
    for tag in sorted(catalog.every(), key=lambda item: item.id):
        if not isinstance(tag, GenericObject) or tag.kind != "TAG":
            continue
        schema = catalog.by_id(tag.parent)
        database = catalog.by_id(schema.parent) if schema else None
        if schema is None or database is None:
            continue
        values = allowed_values(tag)
        yield (
            tag.id, tag.name, schema.id, schema.name, database.id, database.name, tag.owner, tag.comment or None,
            tag.created_on, tag.created_on, _deleted(catalog, tag), encode(values) if values else None,
            "ROLE" if tag.owner else None, None, None,
        )  # fmt: skip
