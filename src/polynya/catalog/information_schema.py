"""INFORMATION_SCHEMA of every database, and the basics of SNOWFLAKE.ACCOUNT_USAGE: relations made from the catalog.

https://docs.snowflake.com/en/sql-reference/info-schema
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa

from polynya.catalog.context import Context
from polynya.catalog.model import Database, Schema, Table
from polynya.catalog.store import INFORMATION_SCHEMA
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column
from polynya.types.sqltype import SqlType


class Contents(Protocol):
    """What only the engine knows of tables."""

    def sizes(self, tables: Iterable[Table]) -> dict[int, tuple[int | None, int]]:
        """(rows, bytes) by table id."""
        ...

    def loads(self) -> list[dict[str, Any]]:
        """The files that COPY INTO loaded: table_id, file, loaded_at, status, rows_parsed, rows_loaded, errors, first_error."""
        ...


@dataclass(slots=True)
class Request:
    """What a relation is made for.

    Args:
        context: the session's.
        databases: whose objects are wanted: one, or all for ACCOUNT_USAGE.
        results: history of statements (``statements.base.Results``), or None.
        contents: rows and loads of tables; None where only columns are wanted.
    """

    context: Context
    databases: list[Database]
    results: Any
    contents: Contents | None

    def schemas(self) -> list[tuple[Database, Schema]]:
        """All schemas but INFORMATION_SCHEMA that the session may see, with their databases."""
        context, catalog = self.context, self.context.catalog
        return [
            (database, schema)
            for database in self.databases
            for schema in catalog.visible(context, database.id, "SCHEMA")
        ]

    def objects(self, kind: str) -> list[tuple[Database, Schema, Any]]:
        """All objects of a kind that the session may see with what they lie in, its temporary ones included."""
        context, catalog = self.context, self.context.catalog
        found = []
        for database, schema in self.schemas():
            own = [
                item
                for (parent, of_kind, _), item in context.temporary.items()
                if (parent, of_kind) == (schema.id, kind)
            ]
            found += [(database, schema, item) for item in [*own, *catalog.visible(context, schema.id, kind)]]
        return found


Rows = Callable[[Request], Iterable[tuple]]

_VIEWS: dict[str, tuple[list[Column], Rows]] = {}


def view(*names: str, columns: list[tuple[str, SqlType]]) -> Callable[[Rows], Rows]:
    """Registers the rows of a view.

    Args:
        names: ``TABLES`` for INFORMATION_SCHEMA.TABLES, ``ACCOUNT_USAGE.TABLES`` for the account's.
        columns: names and types in order.
    """

    def register(rows: Rows) -> Rows:
        for name in names:
            _VIEWS[name] = ([Column(column, sql_type) for column, sql_type in columns], rows)
        return rows

    return register


def relation(
    context: Context, database: str, name: str, results: Any = None, contents: Contents | None = None
) -> tuple[list[Column], pa.Table] | None:
    """A view's columns and rows, in the engine's Arrow forms; None if there is no such view.

    Args:
        context: of the session.
        database: whose INFORMATION_SCHEMA is asked; any for ACCOUNT_USAGE.
        name: ``TABLES``, ``ACCOUNT_USAGE.TABLES`` or ``TELEMETRY.EVENTS``.
        results: the session's results and history, for views of statements.
        contents: rows and loads of tables.

    Raises:
        SnowflakeError: 002003 if the database does not exist.
    """
    _load_views()
    if name not in _VIEWS:
        return None
    catalog = context.catalog
    if "." in name:
        databases = catalog.children(0, "DATABASE")
        # Whoever may use the database SNOWFLAKE sees the account as a whole.
        context = replace(context, unrestricted=True)
    else:
        databases = [catalog.get(context, "DATABASE", [database])]
    columns, rows = _VIEWS[name]
    found = list(rows(Request(context, databases, results, contents)))
    arrays = [
        pa.array([row[index] for row in found], type=arrow_type(column.type)) for index, column in enumerate(columns)
    ]
    return columns, pa.Table.from_arrays(arrays, names=[column.name for column in columns])


def view_names(account_usage: bool = False) -> list[str]:
    """The views of INFORMATION_SCHEMA, or of ACCOUNT_USAGE."""
    _load_views()
    if account_usage:
        return sorted(name.partition(".")[2] for name in _VIEWS if name.startswith("ACCOUNT_USAGE."))
    return sorted(name for name in _VIEWS if "." not in name)


def _load_views() -> None:
    """Registers the views, which is done by importing them; they import this module."""
    from polynya.catalog import (  # noqa: F401
        information_views,
        lineage_views,
        login_views,
        policy_views,
        tag_references,
        task_views,
        telemetry_views,
        usage_views,
    )


__all__ = ["INFORMATION_SCHEMA", "Request", "relation", "view", "view_names"]
