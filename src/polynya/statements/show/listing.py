"""What all SHOW commands share: LIKE, IN, STARTS WITH, LIMIT ... FROM, and the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polynya.catalog import rights
from polynya.catalog.kinds import kind_of
from polynya.catalog.model import CatalogObject, Database, Schema
from polynya.catalog.retention import is_over, retention_days
from polynya.catalog.store import INFORMATION_SCHEMA
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution
from polynya.statements.column_definitions import read_integer
from polynya.types.resultset import Column, ResultSet, StatementType, rows
from polynya.types.sqltype import VARCHAR, SqlType, number, timestamp

TEXT = VARCHAR
COUNT = number(38, 0)
MOMENT = timestamp("LTZ", 3)

# A result's column: name, type, and what it shows of an object.
Field = tuple[str, SqlType, Callable[[Any], Any]]


@dataclass(slots=True)
class Scope:
    """What IN names: nothing (the account), a database, a schema, or an object with columns."""

    database: Database | None = None
    schema: Schema | None = None
    item: CatalogObject | None = None


@dataclass(slots=True)
class Request:
    """A SHOW command's clauses.

    Args:
        like: compiled LIKE pattern, matched against the whole name.
        starts_with: case-sensitive beginning of names, or "".
        limit, after: LIMIT n FROM 'name'.
        terse, history: asked for.
    """

    scope: Scope
    like: re.Pattern[str] | None = None
    starts_with: str = ""
    limit: int | None = None
    after: str = ""
    terse: bool = False
    history: bool = False

    def select(self, items: Iterable[Any], name: Callable[[Any], str] = lambda item: item.name) -> list[Any]:
        """The items that the clauses let through, in their order."""
        found = []
        for item in items:
            own = name(item)
            if self.like is not None and not self.like.fullmatch(own):
                continue
            if self.starts_with and not own.startswith(self.starts_with):
                continue
            if self.after and own <= self.after:
                continue
            found.append(item)
        return found if self.limit is None else found[: self.limit]


def read_request(
    execution: Execution,
    stream: TokenStream,
    *,
    default: str = "CURRENT",
    with_columns: bool = False,
    terse: bool = False,
) -> Request:
    """Reads the clauses after ``SHOW [TERSE] kind``.

    Args:
        execution: its current database and schema are the default scope.
        stream: after the kind's plural.
        default: CURRENT (schema, else database, else account), DATABASE (the current one, else account) or ACCOUNT.
        with_columns: IN may name a table or view.
        terse: TERSE was read.
    """
    request = Request(Scope(), terse=terse)
    request.history = stream.accept("HISTORY")
    if stream.accept("LIKE"):
        request.like = like_pattern(stream.string())
    if stream.accept("IN"):
        request.scope = _read_scope(execution, stream, with_columns)
    else:
        request.scope = _default_scope(execution, default)
    if request.like is None and stream.accept("LIKE"):
        request.like = like_pattern(stream.string())
    if stream.accept("STARTS", "WITH"):
        request.starts_with = stream.string()
    if stream.accept("LIMIT"):
        request.limit = read_integer(stream)
        if stream.accept("FROM"):
            request.after = stream.string()
    if stream.accept("WITH", "PRIVILEGES"):
        stream.index = len(stream.tokens)
    stream.expect_end()
    return request


def _default_scope(execution: Execution, default: str) -> Scope:
    catalog, context = execution.context.catalog, execution.context
    if default == "ACCOUNT" or context.database is None:
        return Scope()
    database = catalog.find(context, "DATABASE", [context.database])
    if database is None:
        return Scope()
    schema = None
    if default == "CURRENT" and context.schema is not None:
        schema = catalog.find(context, "SCHEMA", [context.database, context.schema])
    return Scope(database, schema)


def _read_scope(execution: Execution, stream: TokenStream, with_columns: bool) -> Scope:
    catalog, context = execution.context.catalog, execution.context
    if stream.accept("ACCOUNT"):
        return Scope()
    word = stream.accept_one("DATABASE", "SCHEMA", "TABLE", "VIEW", "DYNAMIC TABLE", "APPLICATION")
    named = not (stream.done or stream.at_one("STARTS", "LIMIT", "LIKE"))
    parts = stream.name() if named else []
    if word in ("TABLE", "VIEW", "DYNAMIC TABLE"):
        if not with_columns:
            raise stream.error()
        return _item_scope(execution, catalog.get(context, "TABLE", parts, word.capitalize()))
    if word == "DATABASE":
        return Scope(catalog.get(context, "DATABASE", parts or catalog.qualify(context, [""], 2, "SHOW")[:1]))
    if word == "SCHEMA" or len(parts) > 1:
        if len(parts) == 3 and with_columns:
            return _item_scope(execution, catalog.get(context, "TABLE", parts))
        full = catalog.qualify(context, parts or [context.schema or "PUBLIC"], 2, "SHOW")
        return Scope(catalog.get(context, "DATABASE", full[:1]), catalog.get(context, "SCHEMA", full))
    # A bare name: a schema of the current database or else a database; for columns a table first.
    if with_columns and (found := catalog.find(context, "TABLE", parts)) is not None:
        return _item_scope(execution, found)
    if context.database is not None and (schema := catalog.find(context, "SCHEMA", parts)) is not None:
        return Scope(catalog.by_id(schema.parent), schema)  # type: ignore[arg-type]
    return Scope(catalog.get(context, "DATABASE", parts))


def _item_scope(execution: Execution, item: CatalogObject) -> Scope:
    catalog = execution.context.catalog
    schema = catalog.by_id(item.parent)
    database = catalog.by_id(schema.parent) if schema else None
    return Scope(database, schema, item)  # type: ignore[arg-type]


def like_pattern(text: str) -> re.Pattern[str]:
    """A SHOW pattern: ``%`` and ``_``, escaped by a backslash; case does not matter."""
    pieces, index = [], 0
    while index < len(text):
        letter = text[index]
        if letter == "\\" and index + 1 < len(text):
            index += 1
            pieces.append(re.escape(text[index]))
        else:
            pieces.append({"%": ".*", "_": "."}.get(letter, re.escape(letter)))
        index += 1
    return re.compile("".join(pieces), re.IGNORECASE | re.DOTALL)


def in_scope(execution: Execution, scope: Scope, kind: str, *, history: bool = False) -> list[Any]:
    """All objects of a kind in schemas of the scope that the role may see, temporary ones of the session included, by
    full name.

    Args:
        kind: as the catalog finds it.
        history: dropped ones too.
    """
    catalog, context = execution.context.catalog, execution.context
    found: list[Any] = []
    for schema in schemas_in(execution, scope):
        temporary = {
            key: item
            for (parent, of_kind, key), item in context.temporary.items()
            if (parent, of_kind) == (schema.id, kind)
        }
        items = [*temporary.values(), *catalog.children(schema.id, kind)]
        if history:
            items += dropped(execution, schema.id, kind)
        items = [item for item in items if rights.sees(context, item)]
        found += sorted(items, key=lambda item: item.name)
    return found


def dropped(execution: Execution, parent_id: int, kind: str) -> list[Any]:
    """What of a kind was dropped from a schema, database or the account and can come back, last dropped first."""
    catalog, context = execution.context.catalog, execution.context
    found = [item for item in catalog.dropped(parent_id, kind) if not is_over(catalog, item)]
    return [item for item in found if rights.sees(context, item)]


def retention(execution: Execution) -> Callable[[CatalogObject], str]:
    """Answers for how many days an object's past is kept."""
    catalog = execution.context.catalog
    return lambda item: str(retention_days(catalog, item))


def schemas_in(execution: Execution, scope: Scope) -> list[Schema]:
    """The scope's schemas, by database and name."""
    catalog, context = execution.context.catalog, execution.context
    if scope.schema is not None:
        return [scope.schema] if scope.schema.name != INFORMATION_SCHEMA else []
    databases = [scope.database] if scope.database is not None else catalog.visible(context, 0, "DATABASE")
    return [schema for database in databases for schema in catalog.visible(context, database.id, "SCHEMA")]


def answer(fields: list[Field], items: Iterable[Any]) -> ResultSet:
    """A SHOW result: one row an item."""
    columns = [Column(name, sql_type) for name, sql_type, _ in fields]
    return rows(columns, [tuple(value(item) for _, _, value in fields) for item in items], StatementType.SHOW)


def yes_no(value: Any) -> str:
    """Y or N."""
    return "Y" if value else "N"


def on_off(value: Any) -> str:
    return "ON" if value else "OFF"


def true_false(value: Any) -> str:
    return "true" if value else "false"


def schema_name(execution: Execution) -> Callable[[CatalogObject], str]:
    """Answers the name of an object's schema."""
    catalog = execution.context.catalog

    def name(item: CatalogObject) -> str:
        schema = catalog.by_id(item.parent)
        return schema.name if schema else ""

    return name


def database_name(execution: Execution) -> Callable[[CatalogObject], str]:
    """Answers the name of an object's database."""
    catalog = execution.context.catalog

    def name(item: CatalogObject) -> str:
        schema = catalog.by_id(item.parent)
        database = catalog.by_id(schema.parent) if schema else None
        return database.name if database else ""

    return name


def owner_role_type(item: CatalogObject) -> str:
    return "ROLE" if item.owner else ""


def option(name: str, default: Any = "") -> Callable[[CatalogObject], Any]:
    """Answers an object's property as text."""
    return lambda item: str(item.options.get(name, default))


def created(item: CatalogObject) -> datetime:
    return item.created_on


def is_kind(item: CatalogObject, kind: str) -> bool:
    return kind_of(item) == kind
