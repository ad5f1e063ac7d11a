"""USE. https://docs.snowflake.com/en/sql-reference/sql/use"""

from __future__ import annotations

from polynya.catalog import rights
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, unsupported
from polynya.statements.base import Execution, statement
from polynya.statements.objects import DONE
from polynya.types.resultset import ResultSet, StatementType, status


@statement("USE")
def use(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("USE")
    if stream.accept("SECONDARY", "ROLES"):
        _secondary_roles(execution, stream)
    elif stream.accept("ROLE"):
        _role(execution, stream)
    elif stream.accept("WAREHOUSE"):
        name = stream.identifier()
        found = execution.context.catalog.find(execution.context, "WAREHOUSE", [name])
        if found is None or not rights.has(execution.context, ("USAGE", "OPERATE", "MODIFY", "MONITOR"), found):
            raise _missing()
        execution.context.warehouse = name
    elif stream.accept("SCHEMA"):
        _schema(execution, stream.name())
    else:
        stream.accept("DATABASE")
        _database_or_schema(execution, stream.name())
    stream.expect_end()
    return status(DONE, StatementType.USE)


def _missing() -> SnowflakeError:
    return compilation_error(2043, "02000", "Object does not exist, or operation cannot be performed.")


def _database_or_schema(execution: Execution, parts: list[str]) -> None:
    """``USE [DATABASE] db`` or ``USE db.schema``."""
    if len(parts) > 1:
        _schema(execution, parts)
        return
    catalog, context = execution.context.catalog, execution.context
    database = catalog.find(context, "DATABASE", parts)
    if database is None:
        raise _missing()
    context.database = database.name
    context.schema = "PUBLIC" if catalog.find(context, "SCHEMA", [database.name, "PUBLIC"]) else None


def _schema(execution: Execution, parts: list[str]) -> None:
    catalog, context = execution.context.catalog, execution.context
    full = catalog.qualify(context, parts, 2, "USE SCHEMA")
    if catalog.find(context, "SCHEMA", full) is None:
        raise _missing()
    context.database, context.schema = full


def _role(execution: Execution, stream: TokenStream) -> None:
    catalog, context = execution.context.catalog, execution.context
    name = stream.identifier()
    if catalog.child(0, "ROLE", name) is None:
        raise _missing()
    restricted = context.access_token is not None and context.access_token.role not in ("", name)
    if restricted or name not in catalog.roles_of(context.user):
        raise SnowflakeError(
            3013,
            "42501",
            f"SQL access control error:\nRequested role '{name}' is not assigned to the executing user. "
            "Specify another role to activate.",
        )
    context.role = name


def _secondary_roles(execution: Execution, stream: TokenStream) -> None:
    """``ALL``, ``NONE`` or a list of roles.

    https://docs.snowflake.com/en/sql-reference/sql/use-secondary-roles
    """
    catalog, context = execution.context.catalog, execution.context
    if context.access_token is not None and context.access_token.role and not stream.at("NONE"):
        raise SnowflakeError(
            3001, "42501",
            f"SQL access control error:\nThis session is restricted to role '{context.access_token.role}' by its programmatic "
            "access token.",
        )  # fmt: skip
    if stream.at_one("ALL", "NONE"):
        context.secondary_roles = stream.word()
        return
    names = [stream.identifier()]
    while stream.accept(","):
        names.append(stream.identifier())
    available = catalog.roles_of(context.user)
    for name in names:
        if name not in available:
            raise _missing()
        if "," in name or name in ("ALL", "NONE"):
            raise unsupported(f"USE SECONDARY ROLES of a role named '{name}'")
    context.secondary_roles = ",".join(dict.fromkeys(names))
