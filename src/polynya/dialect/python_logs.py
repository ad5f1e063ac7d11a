"""Which of what a handler prints and logs is kept, and what the event table says of its source."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from polynya.catalog.context import Context
from polynya.catalog.model import CatalogObject, Routine
from polynya.catalog.parameters import LOG_LEVELS
from polynya.runtime.handler import LogRecord
from polynya.types.variant import encode

# Python's levels do not apply to what is printed.
_PRINTED = ("stdout", "stderr")
_LONGEST_NAME, _LONGEST_TEXT = 1000, 100_000
# Seconds; a worker runs on the same machine.
_CLOCKS_DIFFER = 3600


def log_level(context: Context, routine: Routine) -> str:
    """LOG_LEVEL in effect: of the routine's own, its schema's and its database's the innermost one that is set, or the
    session's; the more verbose one if both are set; else the account's.

    Source: docs.snowflake.com/en/developer-guide/logging-tracing/telemetry-levels.
    """
    of_object = next(
        (level for item in _containers(context, routine) if (level := item.options.get("LOG_LEVEL"))), None
    )
    chosen = [str(level).upper() for level in (of_object, context.parameters.get("LOG_LEVEL")) if level is not None]
    known = [level for level in chosen if level in LOG_LEVELS]
    return min(known, key=LOG_LEVELS.index) if known else str(context.parameter("LOG_LEVEL"))


def log_sink(execution: Any, routine: Routine, level: str) -> Callable[[LogRecord], None]:
    """Takes a handler's records and puts them into the event table.

    Args:
        execution: of the statement (``statements.base.Execution``).
        routine: the handler's.
        level: in effect. The worker applies it to ``logging``, where the handler may set others.
    """
    if level == "OFF":
        return lambda record: None
    resource = encode(_resource(execution.context, routine))
    least = LOG_LEVELS.index(level)

    def take(record: LogRecord) -> None:
        record = _checked(record)
        if record.scope not in _PRINTED or LOG_LEVELS.index(record.severity) >= least:
            execution.results.log(record, resource)

    return take


def _checked(record: LogRecord) -> LogRecord:
    """The record with values that the event table can show: a handler may send what it likes."""
    attributes = record.attributes
    return replace(
        record,
        scope=_cut(record.scope, _LONGEST_NAME),
        severity=record.severity if record.severity in LOG_LEVELS[:-1] else "INFO",
        text=_cut(record.text, _LONGEST_TEXT),
        time=record.time if abs(record.time - (now := time.time())) < _CLOCKS_DIFFER else now,
        attributes=attributes if len(repr(attributes)) <= 4 * _LONGEST_TEXT else {},
    )


def _cut(text: str, length: int) -> str:
    return text[:length].encode("utf-8", "replace").decode()


def _containers(context: Context, routine: Routine) -> list[CatalogObject]:
    """The routine, its schema and its database."""
    found: list[CatalogObject] = [routine]
    while found[-1].parent and (parent := context.catalog.by_id(found[-1].parent)) is not None:
        found.append(parent)
    return found


def _resource(context: Context, routine: Routine) -> dict[str, Any]:
    """RESOURCE_ATTRIBUTES (docs.snowflake.com/en/developer-guide/logging-tracing/event-table-columns)."""
    _, *containers = _containers(context, routine)
    schema = containers[0] if containers else None
    database = containers[1] if len(containers) > 1 else None
    arguments = ", ".join(f"{name} {kind.name}" for name, kind, _ in routine.arguments)
    returns = "TABLE" if routine.returns is None else str(routine.returns)
    found = {
        "db.user": context.user, "snow.user.name": context.user,
        "snow.database.id": database and database.id, "snow.database.name": database and database.name,
        "snow.schema.id": schema and schema.id, "snow.schema.name": schema and schema.name,
        "snow.executable.id": routine.id, "snow.executable.name": f"{routine.name}({arguments}):{returns}",
        "snow.executable.type": "PROCEDURE" if routine.kind == "PROCEDURE" else "FUNCTION",
        "snow.executable.runtime.version": routine.options.get("RUNTIME_VERSION"),
        "snow.owner.name": routine.owner, "snow.query.id": context.query_id, "snow.session.id": context.session_id,
        "snow.session.role.primary.name": context.role, "snow.warehouse.name": context.warehouse,
        "telemetry.sdk.language": "python",
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}
