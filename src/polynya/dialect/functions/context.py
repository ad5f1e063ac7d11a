"""Context functions: who runs the statement, where, with which roles; earlier queries; session variables.

Source: docs.snowflake.com/en/sql-reference/functions-context
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from polynya import SNOWFLAKE_RELEASE
from polynya.catalog.context import Context
from polynya.catalog.names import join_name, split_name
from polynya.catalog.rights import available_roles, session_database_roles, session_roles
from polynya.dialect.expression import Expr, derive, null, string_literal
from polynya.dialect.registry import Call, scalar
from polynya.types.sqltype import ARRAY, BOOLEAN, VARCHAR

# One server is one account of one organization in one region.
_ORGANIZATION = "POLYNYA"
_REGION = "LOCAL"


def text(value: str | None) -> Expr:
    """A text known before the statement runs, or NULL, of the type VARCHAR without a limit of its own."""
    return null(VARCHAR) if value is None else replace(string_literal(value), type=VARCHAR)


def truth(value: bool | None) -> Expr:
    """A BOOLEAN known before the statement runs, or NULL."""
    return null(BOOLEAN) if value is None else Expr("TRUE" if value else "FALSE", BOOLEAN, False)


def _constant(names: str, value: Callable[[Context], str | None]) -> None:
    """Registers functions without arguments whose text depends on the session only."""

    @scalar(*names.split(), args=0)
    def bind(call: Call) -> Expr:
        return text(value(call.context))


def _client(context: Context) -> str | None:
    name = context.client.get("CLIENT_APP_ID")
    return f"{name} {context.client.get('CLIENT_APP_VERSION', '')}".strip() if name else None


_constant("CURRENT_USER CURRENT_USER_NAME", lambda context: context.user)
_constant("CURRENT_ROLE INVOKER_ROLE", lambda context: context.role)
_constant("CURRENT_ROLE_TYPE", lambda context: "ROLE" if context.role else None)
_constant("CURRENT_WAREHOUSE", lambda context: context.warehouse)
_constant("CURRENT_DATABASE", lambda context: context.database)
_constant("CURRENT_SCHEMA", lambda context: context.schema)
_constant("CURRENT_ACCOUNT CURRENT_ACCOUNT_NAME", lambda context: context.account)
_constant("CURRENT_ORGANIZATION_NAME", lambda context: _ORGANIZATION)
_constant("CURRENT_ORGANIZATION_USER INVOKER_SHARE", lambda context: None)
_constant("CURRENT_REGION", lambda context: _REGION)
_constant("CURRENT_SESSION", lambda context: str(context.session_id))
_constant("CURRENT_VERSION", lambda context: SNOWFLAKE_RELEASE)
_constant("CURRENT_CLIENT", _client)
_constant("CURRENT_IP_ADDRESS", lambda context: context.client.get("IP_ADDRESS", "127.0.0.1"))


# --- roles ------------------------------------------------------------------------------------------------------------


@scalar("CURRENT_AVAILABLE_ROLES", args=0)
def current_available_roles(call: Call) -> Expr:
    names = sorted(available_roles(call.context))
    return text("[ " + ", ".join(json.dumps(name) for name in names) + " ]")


@scalar("CURRENT_SECONDARY_ROLES", args=0)
def current_secondary_roles(call: Call) -> Expr:
    """The secondary roles in use, those that they inherit left out, and how they were asked for."""
    context = call.context
    asked = context.secondary_roles
    if asked == "ALL":
        granted = [
            grant.on_name for grant in context.catalog.grants_to("USER", context.user) if grant.on_kind == "ROLE"
        ]
        names = sorted({*granted, "PUBLIC"} - {context.role or "PUBLIC"})
    else:
        available = available_roles(context)
        names = [name for name in ("" if asked == "NONE" else asked).split(",") if name in available]
    value = "" if asked == "NONE" else asked
    return text(json.dumps({"roles": ",".join(names), "value": value}, separators=(",", ":")))


@scalar("IS_ROLE_IN_SESSION", args=1)
def is_role_in_session(call: Call) -> Expr:
    """Whether a role's privileges count in this session; the name is as stored, upper case unless quoted there."""
    name = call.arg(0, VARCHAR)
    roles = ", ".join(string_literal(role).sql for role in sorted(session_roles(call.context)))
    return derive(f"{name.atom} IN ({roles})", BOOLEAN, name, simple=False)


@scalar("IS_GRANTED_TO_INVOKER_ROLE", args=1)
def is_granted_to_invoker_role(call: Call) -> Expr:
    name = call.constant(0)
    return truth(name is not None and str(name).upper() in session_roles(call.context))


@scalar("IS_DATABASE_ROLE_IN_SESSION", args=1)
def is_database_role_in_session(call: Call) -> Expr:
    """Whether a database role's privileges count in this session; it is one of the current database."""
    name, database = call.arg(0, VARCHAR), call.context.database
    found = (split_name(role) for role in session_database_roles(call.context))
    roles = ", ".join(string_literal(parts[-1]).sql for parts in sorted(found) if parts[0] == database) or "NULL"
    return derive(f"coalesce({name.atom} IN ({roles}), FALSE)", BOOLEAN, name, simple=False)


@scalar("IS_APPLICATION_ROLE_IN_SESSION", "IS_INSTANCE_ROLE_IN_SESSION", args=1)
def is_other_role_in_session(call: Call) -> Expr:
    """There are no application or instance roles to be in."""
    call.arg(0, VARCHAR)
    return truth(False)


@scalar("ALL_USER_NAMES", args=0)
def all_user_names(call: Call) -> Expr:
    names = json.dumps(sorted(user.name for user in call.context.catalog.all("USER")), separators=(",", ":"))
    return Expr(f"{string_literal(names).sql}::JSON", ARRAY, False)


# --- schemas, transactions, statements --------------------------------------------------------------------------------


@scalar("CURRENT_SCHEMAS", args=0)
def current_schemas(call: Call) -> Expr:
    """The search path as JSON text."""
    context = call.context
    if context.database is None:
        return text("[]")
    path = [[context.database, context.schema]] if context.schema else []
    if context.schema != "PUBLIC":
        path.append([context.database, "PUBLIC"])
    return text(json.dumps([join_name(parts) for parts in path], separators=(", ", ": ")))


@scalar("CURRENT_TRANSACTION", args=0)
def current_transaction(call: Call) -> Expr:
    """An id of the open transaction, or NULL."""
    execution = call.binder.execution
    number = execution.connection.transaction_id if execution is not None else None
    return text(None if number is None else str(number))


@scalar("LAST_TRANSACTION", args=0)
def last_transaction(call: Call) -> Expr:
    execution = call.binder.execution
    number = execution.connection.last_transaction_id if execution is not None else None
    return text(None if number is None else str(number))


@scalar("CURRENT_STATEMENT", args=0)
def current_statement(call: Call) -> Expr:
    """The text of the statement that runs."""
    results = call.binder.results
    if results is None:
        return text("")
    query_id = call.context.query_id
    row = next((row for row in reversed(results.history()) if row["QUERY_ID"] == query_id), None)
    return text(row["QUERY_TEXT"] if row else "")


@scalar("LAST_QUERY_ID", args=(0, 1))
def last_query_id(call: Call) -> Expr:
    """The id of the session's n-th query, from the last one if n is negative."""
    ids, index = call.context.last_query_ids, int(call.constant(0, -1))
    position = index - 1 if index > 0 else len(ids) + index
    return text(ids[position] if index and 0 <= position < len(ids) else None)


@scalar("GETVARIABLE", args=1)
def getvariable(call: Call) -> Expr:
    """A session variable's value as text; its name is as stored, upper case."""
    name = call.constant(0)
    value = call.context.variables.get(str(name))
    if isinstance(value, bool):
        value = str(value).lower()
    return text(None if value is None else str(value))
