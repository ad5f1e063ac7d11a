"""INFORMATION_SCHEMA, ACCOUNT_USAGE and TELEMETRY in FROM: relations that the catalog makes, with what only the engine knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from polynya.catalog import information_schema
from polynya.catalog.context import Context
from polynya.catalog.model import Table
from polynya.catalog.rights import require
from polynya.catalog.store import INFORMATION_SCHEMA
from polynya.stages import history
from polynya.storage.connection import Connection
from polynya.storage.sizes import Sizes, table_sizes
from polynya.types.resultset import Column

_USAGE = ("ACCOUNT_USAGE", "TELEMETRY")


class _Contents:
    """Rows and loads of tables, through a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sizes(self, tables: Iterable[Table]) -> Sizes:
        return table_sizes(self._connection, tables)

    def loads(self) -> list[dict[str, Any]]:
        return history.all_loads(self._connection)


def catalog_view(
    context: Context, parts: list[str], execution: Any
) -> tuple[list[Column], pa.Table, tuple[str, str], str] | None:
    """A view of INFORMATION_SCHEMA, SNOWFLAKE.ACCOUNT_USAGE or SNOWFLAKE.TELEMETRY, if the name is one.

    Args:
        context: completes the name.
        parts: resolved.
        execution: of the statement, or None where only columns are wanted.

    Returns:
        (columns, rows, (database, schema), name).

    Raises:
        SnowflakeError: 002003 if the database does not exist or the session may not see it.
    """
    full = [part for part in ([context.database, context.schema][: 3 - len(parts)] + parts) if part is not None]
    if len(full) != 3:
        return None
    database, schema, name = full
    if schema == INFORMATION_SCHEMA:
        key = name
    elif database == "SNOWFLAKE" and schema in _USAGE:
        require(context, "USAGE", context.catalog.get(context, "DATABASE", [database]))
        key = f"{schema}.{name}"
    else:
        return None
    contents = _Contents(execution.connection) if execution is not None else None
    results = execution.results if execution is not None else None
    found = information_schema.relation(context, database, key, results, contents)
    return None if found is None else (*found, (database, schema), name)
