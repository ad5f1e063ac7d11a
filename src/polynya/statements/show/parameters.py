"""SHOW PARAMETERS. https://docs.snowflake.com/en/sql-reference/sql/show-parameters"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polynya.catalog import rights
from polynya.catalog.model import CatalogObject
from polynya.catalog.network_policies import PARAMETER
from polynya.catalog.parameters import DEFAULTS, OBJECT_DEFAULTS, Parameter
from polynya.catalog.retention import LEAST_DAYS
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.column_definitions import read_integer
from polynya.statements.show.listing import TEXT, Request, Scope, answer, like_pattern
from polynya.types.resultset import ResultSet

# Which parameters an object has, by its kind.
_OBJECT_PARAMETERS = {
    "WAREHOUSE": ("MAX_CONCURRENCY_LEVEL", "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "STATEMENT_TIMEOUT_IN_SECONDS"),
    "TABLE": (
        "DATA_RETENTION_TIME_IN_DAYS", "DEFAULT_DDL_COLLATION", "MAX_DATA_EXTENSION_TIME_IN_DAYS",
        "QUOTED_IDENTIFIERS_IGNORE_CASE",
    ),
}  # fmt: skip


@dataclass(slots=True)
class _Shown:
    name: str
    value: Any
    default: Any
    level: str
    parameter: Parameter


@statement("SHOW PARAMETERS")
def show_parameters(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW", "PARAMETERS")
    request = Request(Scope())
    if stream.accept("LIKE"):
        request.like = like_pattern(stream.string())
    found = _read_target(execution, stream) if stream.accept_one("IN", "FOR") else _session(execution)
    if request.like is None and stream.accept("LIKE"):
        request.like = like_pattern(stream.string())
    if stream.accept("LIMIT"):
        request.limit = read_integer(stream)
    stream.expect_end()
    return answer(
        [
            ("key", TEXT, lambda shown: shown.name),
            ("value", TEXT, lambda shown: as_text(shown.value)),
            ("default", TEXT, lambda shown: as_text(shown.default)),
            ("level", TEXT, lambda shown: shown.level),
            ("description", TEXT, lambda shown: shown.parameter.description),
            ("type", TEXT, lambda shown: shown.parameter.type),
        ],
        request.select(sorted(found, key=lambda shown: shown.name)),
    )


def as_text(value: Any) -> str:
    """A parameter's value as SHOW prints it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_target(execution: Execution, stream: TokenStream) -> list[_Shown]:
    catalog, context = execution.context.catalog, execution.context
    word = stream.accept_one("SESSION", "ACCOUNT", "USER", "WAREHOUSE", "DATABASE", "SCHEMA", "TASK", "TABLE")
    if word is None:
        raise stream.error()
    if word == "SESSION":
        return _session(execution)
    if word == "ACCOUNT":
        return _account(execution)
    named = not (stream.done or stream.at_one("LIKE", "LIMIT"))
    if word == "USER":
        user = catalog.get(context, "USER", [stream.identifier() if named else context.user])
        if user.name != context.user and not rights.has_account(context, rights.MANAGE_GRANTS):
            execution.require(("OWNERSHIP", "MONITOR"), user)
        return _user(execution, user.options.get("PARAMETERS", {}))
    if named:
        parts = stream.name()
    elif word == "WAREHOUSE":
        parts = [context.warehouse or ""]
    else:
        parts = catalog.qualify(context, [context.schema or "PUBLIC"], 2, "SHOW PARAMETERS")[
            : 1 if word == "DATABASE" else 2
        ]
    item = catalog.get(context, word, parts, "Table" if word == "TABLE" else None)
    return _of_object(execution, item, word)


def _session(execution: Execution) -> list[_Shown]:
    context = execution.context
    account = context.catalog.account_parameters
    found = []
    for name in {**DEFAULTS, **context.parameters}:
        parameter = DEFAULTS.get(name) or Parameter(context.parameters[name])
        level = "SESSION" if name in context.parameters else "ACCOUNT" if name in account else ""
        found.append(
            _Shown(name, context.parameter(name), parameter.value if name in DEFAULTS else "", level, parameter)
        )
    return found


def _account(execution: Execution) -> list[_Shown]:
    account = execution.context.catalog.account_parameters
    return [
        _Shown(
            name, account.get(name, parameter.value), parameter.value, "ACCOUNT" if name in account else "", parameter
        )
        for name, parameter in {**OBJECT_DEFAULTS, **DEFAULTS}.items()
    ]


def _user(execution: Execution, own: dict[str, Any]) -> list[_Shown]:
    account = execution.context.catalog.account_parameters
    found = []
    for name, parameter in DEFAULTS.items():
        level = "USER" if name in own else "ACCOUNT" if name in account else ""
        found.append(_Shown(name, own.get(name, account.get(name, parameter.value)), parameter.value, level, parameter))
    return found


def _of_object(execution: Execution, item: CatalogObject, kind: str) -> list[_Shown]:
    """An object's parameters: its own value, else that of what it lies in, else the account's, else the default."""
    catalog = execution.context.catalog
    chain: list[tuple[str, dict[str, Any]]] = []
    current: CatalogObject | None = item
    while current is not None:
        level = {"Database": "DATABASE", "Schema": "SCHEMA", "Warehouse": "WAREHOUSE"}.get(
            type(current).__name__, "TABLE"
        )
        chain.append((level, current.options))
        current = catalog.by_id(current.parent) if current.parent > 0 else None
    chain.append(("ACCOUNT", catalog.account_parameters))
    known = {**DEFAULTS, **OBJECT_DEFAULTS, "MAX_CONCURRENCY_LEVEL": Parameter(8)}
    found = []
    for name in _OBJECT_PARAMETERS.get(
        kind, tuple(name for name in OBJECT_DEFAULTS if name not in (LEAST_DAYS, PARAMETER))
    ):
        parameter = known[name]
        level, value = "", parameter.value
        for where, options in chain:
            if name in options:
                level, value = where, options[name]
                break
        found.append(_Shown(name, value, parameter.value, level, parameter))
    return found
