"""What a share offers to a consumer: exactly what was granted to it, as plain data, and the tables behind it.

https://docs.snowflake.com/en/user-guide/data-sharing-provider
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from polynya.catalog.codec import decode, encode
from polynya.catalog.context import Context
from polynya.catalog.imported import BOUND, REFUSED, imported_from
from polynya.catalog.model import CatalogObject, ColumnDef, GenericObject, Schema, Table, View
from polynya.catalog.names import split_name
from polynya.catalog.policies import is_protected
from polynya.catalog.store import Catalog
from polynya.dialect.query import bind_query
from polynya.errors import SnowflakeError, unsupported

# In a share's options: the accounts that may use it.
ACCOUNTS = "ACCOUNTS"


@dataclass(slots=True)
class Head:
    """A share as SHOW SHARES lists it to its consumer.

    Args:
        account, name: of the provider and the share.
        id: tells the share from a later one of the same name.
        created_on: when it was made.
        owner, comment: as the provider has them.
    """

    account: str
    name: str
    id: str
    created_on: datetime
    comment: str = ""
    owner: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.account}.{self.name}"


@dataclass(slots=True)
class Contents:
    """What lies in a shared database.

    Args:
        schemas: by name.
        items: schema's name -> tables and views.
        stored: names in the engine of all tables that these read, also of those that were not granted.
    """

    schemas: dict[str, Schema] = field(default_factory=dict)
    items: dict[str, list[Table | View]] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)

    def as_json(self) -> dict:
        """Plain data for ``from_json``."""
        return {
            "schemas": [encode(schema) for schema in self.schemas.values()],
            "items": {name: [encode(item) for item in items] for name, items in self.items.items()},
            "stored": sorted(self.stored),
        }

    @classmethod
    def from_json(cls, values: dict) -> Contents:
        schemas = [decode(text) for text in values["schemas"]]
        items = {name: [decode(text) for text in texts] for name, texts in values["items"].items()}
        return cls({schema.name: schema for schema in schemas}, items, set(values["stored"]))  # type: ignore[misc,arg-type]


def accounts_of(share: CatalogObject) -> list[str]:
    """The accounts that a share is given to, in the order in which they were added."""
    return list(share.options.get(ACCOUNTS, []))


def shares_for(catalog: Catalog, consumer: str) -> list[GenericObject]:
    """The shares that a consumer's account may use."""
    return [share for share in catalog.children(0, "SHARE") if consumer in accounts_of(share)]


def head_of(catalog: Catalog, share: GenericObject) -> Head:
    """How a share is listed."""
    return Head(catalog.account_name, share.name, str(share.id), share.created_on, share.comment, share.owner)


def database_of(catalog: Catalog, share: GenericObject) -> str:
    """The name of the database that a share gives the use of, or ""."""
    for grant in catalog.grants_to("SHARE", share.name):
        if (grant.privilege, grant.on_kind) == ("USAGE", "DATABASE"):
            return split_name(grant.on_name)[0]
    return ""


def contents_of(catalog: Catalog, share: GenericObject, consumer: str) -> Contents:
    """What a share gives to a consumer now.

    Args:
        catalog: the provider's.
        share: one of it.
        consumer: the account for which CURRENT_ACCOUNT in its views stands.
    """
    contents = Contents()
    database = catalog.child(0, "DATABASE", database_of(catalog, share))
    if database is None:
        return contents
    granted = {(grant.privilege, grant.on_name) for grant in catalog.grants_to("SHARE", share.name)}
    for schema in catalog.children(database.id, "SCHEMA"):
        if ("USAGE", catalog.full_name(schema)) not in granted:
            continue
        contents.schemas[schema.name] = replace(schema, options={}, tags={})
        listed = contents.items.setdefault(schema.name, [])
        for item in catalog.children(schema.id, "TABLE"):
            if ("SELECT", catalog.full_name(item)) not in granted:
                continue
            if isinstance(item, View):
                listed.append(_bound(catalog, item, consumer, [database.name, schema.name], contents))
            elif isinstance(item, Table) and is_protected(
                catalog, item
            ):  # as a view: its policies are asked by no role at all
                listed.append(_bound(catalog, _as_view(item), consumer, [database.name, schema.name], contents))
            elif isinstance(item, Table):
                contents.stored.add(item.stored_as)
                listed.append(_bare(item))
    return contents


def _bare(table: Table) -> Table:
    """A table without what only its owner has."""
    return replace(
        table, columns=[_plain(column) for column in table.columns], options={}, tags={}, past=[], dynamic_query=""
    )


def _as_view(table: Table) -> View:
    return View(
        id=table.id, parent=table.parent, name=table.name, owner=table.owner, created_on=table.created_on,
        comment=table.comment, columns=table.columns, secure=True,
    )  # fmt: skip


def _plain(column: ColumnDef) -> ColumnDef:
    return replace(column, default=None, autoincrement=None, tags={}, masking=None)


def _bound(catalog: Catalog, view: View, consumer: str, place: list[str], contents: Contents) -> View:
    """A view with its query as the engine runs it: the consumer can neither look up its names nor read its text."""
    context = Context(catalog, 0, "", consumer, unrestricted=True, database=place[0], schema=place[1])
    columns = [_plain(column) for column in view.columns]
    options: dict[str, object] = {}
    try:
        bound = bind_query(f"SELECT * FROM {catalog.full_name(view)}", context)
        if bound.inputs or bound.sequences:
            raise unsupported(f"a shared view that reads more than tables: {view.name}")
        tables = [item for item in bound.objects if isinstance(item, Table)]
        if any(imported_from(catalog, item) for item in tables):
            raise unsupported(f"a shared view that reads a shared database: {view.name}")
        contents.stored.update(table.stored_as for table in tables)
        options[BOUND] = bound.sql
        columns = [replace(column, stored_as=name) for column, name in zip(columns, bound.stored_as, strict=True)]
    except SnowflakeError as error:
        options[REFUSED] = error.message
    return replace(view, query="", text="", options=options, tags={}, columns=columns, row_access=None)
