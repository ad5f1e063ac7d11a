"""Row access and masking policies where tables and views are read: their bodies become part of the statement.

Sources: docs.snowflake.com/en/user-guide/security-row-intro, .../security-column-intro (policies at query run time).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from polynya.catalog import rights
from polynya.catalog.access import Reads
from polynya.catalog.model import Attachment, ColumnDef, Policy, Table, View
from polynya.catalog.policies import MASKING, masks_of, policy_of
from polynya.dialect import casts
from polynya.dialect.binder import Binder, Scope
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr, quote
from polynya.dialect.parse import parse_expression
from polynya.dialect.scope import Source
from polynya.errors import SnowflakeError, compilation_error
from polynya.types.sqltype import BOOLEAN

_MAX_DEPTH = 16
# The engine moves no condition of the reader's below a limit: an error in it would tell of rows that are not shown.
_BARRIER = "LIMIT 9223372036854775807"


def protected(source: Source, item: Table | View, env: Environment, *, row_ids: bool = False) -> Source:
    """The rows and values of a stored table or view that the session may see.

    Args:
        source: all of them; its columns are the item's, in order.
        item: the table or view.
        env: of the statement.
        row_ids: whether the rows' ids are needed too, under the name ``rowid``.

    Raises:
        SnowflakeError: 003550 for a policy that is gone, 003553 for policies that read what they protect.
    """
    masks = masks_of(env.context.catalog, item)
    if not masks and item.row_access is None:
        return source
    alias = env.alias()
    values = {
        column.stored_as: Expr(f"{alias}.{quote(own.stored_as)}", own.type, own.nullable)
        for column, own in zip(item.columns, source.columns, strict=True)
    }
    items, columns = [f"{alias}.rowid AS rowid"] if row_ids else [], []
    for column, own in zip(item.columns, source.columns, strict=True):
        value = values[column.stored_as]
        mask = masks.get(column.stored_as)
        if mask is not None:
            value = _bound(mask, values, env, (item, column))
            own = replace(own, nullable=True)
        columns.append(own)
        items.append(f"{value.sql} AS {quote(own.stored_as)}")
    sql = f"SELECT {', '.join(items)} FROM {source.sql} AS {alias}"
    if item.row_access is not None:
        sql = f"{sql} WHERE {_bound(item.row_access, values, env, (item, None)).sql} {_BARRIER}"
    return Source(f"({sql})", columns)


def _bound(
    attachment: Attachment, values: dict[str, Expr], env: Environment, target: tuple[Table | View, ColumnDef | None]
) -> Expr:
    """A policy's body over the columns it is attached to."""
    policy = policy_of(env.context.catalog, attachment)
    given = [values[stored] for stored in attachment.columns]
    before, env.policy_target = env.policy_target, target
    try:
        with _owner(policy, env):
            return bind_body(policy, given, env)
    finally:
        env.policy_target = before


def bind_body(policy: Policy, given: list[Expr], env: Environment) -> Expr:
    """A policy's body with its arguments' values in place of their names; a masked value has its column's type.

    Args:
        policy: its body is bound as it stands.
        given: a value for each argument.
        env: with the policy's database and schema as the current ones.

    Raises:
        SnowflakeError: 002023 if the body is not of the type that the policy returns.
    """
    variables = {name: value for (name, _, _), value in zip(policy.arguments, given, strict=True)}
    body = Binder(env, Scope(None, {}, variables=variables)).expression(parse_expression(policy.body))
    if body.aggregate or body.window:
        raise compilation_error(2035, "42601", f"The body of policy '{policy.name}' cannot aggregate rows.")
    wanted = given[0].type if policy.kind == MASKING else BOOLEAN
    found = casts.coerce(body, wanted, env.context)
    if found is None or (policy.returns is not None and policy.returns.name != wanted.name):
        raise compilation_error(
            2023, "22000", f"Policy '{policy.name}' is to return {wanted}, its body is of the type {body.type}."
        )
    if found.type == wanted or wanted.name in ("VARCHAR", "BINARY"):
        return found  # a mask may be longer than the column's values
    return casts.cast(found, wanted, env.context)


def check_body(policy: Policy, env: Environment) -> None:
    """Binds a policy's body with NULLs, to refuse one that means nothing.

    Raises:
        SnowflakeError: what is wrong with it.
    """
    given = [Expr(f"CAST(NULL AS {kind.duckdb})", kind) for _, kind, _ in policy.arguments]
    with _owner(policy, env):
        bind_body(policy, given, env)


@contextmanager
def _owner(policy: Policy, env: Environment) -> Iterator[None]:
    """The names in a policy's body mean its own database and schema; what it reads, its owner must be allowed to."""
    if env.routine_depth >= _MAX_DEPTH:
        raise SnowflakeError(
            3553,
            "42601",
            f"SQL compilation error:\nPolicy '{policy.name}' is nested too deep or reads what it protects.",
        )
    caller, moment, reads, binds = env.context, env.moment, env.reads, env.binds
    catalog = caller.catalog
    schema = catalog.by_id(policy.parent)
    database = catalog.by_id(schema.parent) if schema else None
    inside = replace(
        caller,
        database=database.name if database else None,
        schema=schema.name if schema else None,
        temporary={},  # nothing of the session's stands in for what the body reads
    )
    env.context, env.moment, env.reads, env.binds = rights.with_rights_of(inside, policy.owner), None, Reads(), {}
    env.routine_depth += 1
    try:
        yield
    finally:
        env.routine_depth -= 1
        env.context, env.moment, env.reads, env.binds = caller, moment, reads, binds
