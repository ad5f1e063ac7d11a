"""Calls of users' functions: SQL functions are bound in place, with their arguments as names."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from polynya.catalog.model import Routine
from polynya.dialect import casts
from polynya.dialect.binder import Binder, Scope
from polynya.dialect.calls import make_call
from polynya.dialect.expression import Expr, derive, quote
from polynya.dialect.naming import position
from polynya.dialect.parse import parse
from polynya.dialect.scope import Source, SourceColumn
from polynya.errors import compilation_error, invalid_argument_types, unknown_function, unsupported

_MAX_DEPTH = 32


def call_function(binder: Binder, parts: list[str], node: exp.Expr) -> Expr:
    """A call of a scalar function that is not built in.

    Args:
        binder: of the scope where the call stands.
        parts: its name.
        node: the call.

    Raises:
        SnowflakeError: 002140 unknown function, 001044 no overload takes these arguments.
    """
    if parts[:-1] == ["SNOWFLAKE", "CORTEX"]:
        raise unsupported(".".join(parts))
    routine, arguments = _choose(binder, parts, node, table=False)
    if routine.language != "SQL":
        raise unsupported(f"{routine.language} functions: calling {routine.name}")
    return _inline(binder, routine, arguments)


def call_table_function(binder: Binder, parts: list[str], node: exp.Anonymous, window: exp.Window | None) -> Source:
    """``TABLE(f(...))`` of a user's table function.

    Raises:
        SnowflakeError: 002140 unknown function, 001044 no overload takes these arguments.
    """
    routine, arguments = _choose(binder, parts, node, table=True)
    if routine.language != "SQL":
        raise unsupported(f"{routine.language} table functions: calling {routine.name}")
    if window is not None:
        raise unsupported("OVER with a SQL table function")
    assert routine.returns_table is not None
    source = _bind_body(binder, routine, arguments)
    alias = binder.env.alias()
    columns, items = [], []
    for (name, sql_type), own in zip(routine.returns_table, source.columns, strict=False):
        cell = casts.cast(Expr(f"{alias}.{quote(own.stored_as)}", own.type, own.nullable), sql_type, binder.context)
        columns.append(SourceColumn(name, sql_type, True, own.stored_as))
        items.append(f"{cell.sql} AS {quote(own.stored_as)}")
    return Source(f"(SELECT {', '.join(items)} FROM {source.sql} AS {alias})", columns)


def _choose(binder: Binder, parts: list[str], node: exp.Expr, *, table: bool) -> tuple[Routine, list[Expr]]:
    """The overload whose arguments fit, and the arguments cast to its types."""
    overloads = [
        routine
        for routine in binder.context.catalog.routines(binder.context, "FUNCTION", parts)
        if (routine.returns_table is not None) == table
    ]
    if not overloads:
        raise unknown_function(".".join(parts))
    call = make_call(binder, parts[-1], node.expressions, node)
    given = [call.arg(index) for index in range(len(call))]
    best: tuple[int, Routine, list[Expr]] | None = None
    for routine in overloads:
        fitted = _fit(routine, given, call.named, binder)
        if fitted is not None and (best is None or fitted[0] < best[0]):
            best = (fitted[0], routine, fitted[1])
    if best is None:
        raise invalid_argument_types(parts[-1], [str(expr.type) for expr in given], position(node))
    return best[1], best[2]


def _fit(
    routine: Routine, given: list[Expr], named: dict[str, exp.Expr], binder: Binder
) -> tuple[int, list[Expr]] | None:
    """How far the arguments are from the routine's types (0: equal), and the arguments cast; None: they do not fit."""
    if len(given) > len(routine.arguments):
        return None
    distance, fitted = 0, []
    for index, (name, sql_type, default) in enumerate(routine.arguments):
        if index < len(given):
            expr = given[index]
        elif name in named:
            expr = binder.expression(named[name])
        elif default is not None:
            from polynya.dialect.parse import parse_expression

            expr = binder.expression(parse_expression(default))
        else:
            return None
        coerced = casts.coerce(expr, sql_type, binder.context)
        if coerced is None:
            return None
        distance += 0 if expr.type.name == sql_type.name else 1
        fitted.append(
            coerced.typed(sql_type) if coerced.type.name == sql_type.name and coerced.type != sql_type else coerced
        )
    return distance, fitted


def _inline(binder: Binder, routine: Routine, arguments: list[Expr]) -> Expr:
    """A SQL function's body with its arguments in place of their names."""
    source = _bind_body(binder, routine, arguments)
    assert routine.returns is not None
    if len(source.columns) != 1:
        raise compilation_error(
            2103, "42601", f"Function {routine.name} must return one column, its body has {len(source.columns)}."
        )
    column = source.columns[0]
    alias = binder.env.alias()
    value = Expr(f"(SELECT {quote(column.stored_as)} FROM {source.sql} AS {alias})", column.type, True)
    return derive(
        casts.cast(value, routine.returns, binder.context).sql, routine.returns, value, *arguments, nullable=True
    )


def _bind_body(binder: Binder, routine: Routine, arguments: list[Expr]) -> Source:
    from polynya.dialect.query import bind_query_node

    env = binder.env
    if env.routine_depth >= _MAX_DEPTH:
        raise compilation_error(2140, "42601", f"Function {routine.name} calls itself or is nested too deep.")
    schema = env.context.catalog.by_id(routine.parent)
    database = env.context.catalog.by_id(schema.parent) if schema else None
    caller = env.context
    env.context = replace(
        caller, database=database.name if database else caller.database, schema=schema.name if schema else caller.schema
    )
    variables = {name: expr for (name, _, _), expr in zip(routine.arguments, arguments, strict=True)}
    scope = Scope(None, {}, variables=variables)
    body = routine.body.strip().rstrip(";")
    env.routine_depth += 1
    try:
        return bind_query_node(parse(body if _is_query(body) else f"SELECT {body}"), env, scope, {})
    finally:
        env.routine_depth -= 1
        env.context = caller


def _is_query(body: str) -> bool:
    start = body.lstrip("( \n\t").upper()
    return start.startswith(("SELECT", "WITH", "VALUES"))
