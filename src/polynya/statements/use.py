"""USE. https://docs.snowflake.com/en/sql-reference/sql/use"""

from __future__ import annotations

from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error
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
        if execution.context.catalog.child(0, "WAREHOUSE", name) is None:
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
    database = catalog.child(0, "DATABASE", parts[0])
    if database is None:
        raise _missing()
    context.database = database.name
    context.schema = "PUBLIC" if catalog.child(database.id, "SCHEMA", "PUBLIC") else None


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
    if name not in catalog.roles_of(context.user):
        raise SnowflakeError(
            3013,
            "42501",
            f"SQL access control error:\nRequested role '{name}' is not assigned to the executing user. "
            "Specify another role to activate.",
        )
    context.role = name


def _secondary_roles(execution: Execution, stream: TokenStream) -> None:
    """``ALL``, ``NONE`` or a list of roles."""
    catalog, context = execution.context.catalog, execution.context
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
    context.secondary_roles = ",".join(names)
