"""Calls of users' functions: SQL functions are bound in place, with their arguments as names."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
from sqlglot import exp

from polynya.catalog.model import Routine
from polynya.catalog.rights import require, with_rights_of
from polynya.dialect import casts
from polynya.dialect.binder import Binder, Scope
from polynya.dialect.calls import make_call
from polynya.dialect.expression import Expr, derive, quote
from polynya.dialect.naming import position
from polynya.dialect.parse import parse
from polynya.dialect.python_calls import call_aggregate, call_scalar
from polynya.dialect.scope import Source, SourceColumn, stored_names
from polynya.dialect.table_calls import call_table
from polynya.errors import compilation_error, invalid_argument_types, unknown_function, unsupported
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column

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
    chosen = _choose(binder, parts, node, table=False)
    routine = chosen.routine
    if routine.language == "PYTHON" and routine.kind == "AGGREGATE FUNCTION":
        return call_aggregate(binder, routine, chosen.converted(binder), chosen.distinct)
    if chosen.distinct:
        raise compilation_error(1003, "42000", f"DISTINCT cannot be used with function {routine.name}.", position(node))
    if routine.language == "PYTHON":
        return call_scalar(binder, routine, chosen.converted(binder), node)
    if routine.language != "SQL":
        raise unsupported(f"{routine.language} functions: calling {routine.name}")
    return _inline(binder, routine, chosen.typed())


def call_table_function(binder: Binder, parts: list[str], node: exp.Anonymous, window: exp.Window | None) -> Source:
    """``TABLE(f(...))`` of a user's table function, or of a procedure that returns a table.

    Raises:
        SnowflakeError: 002140 unknown function, 001044 no overload takes these arguments.
    """
    procedures = _table_procedures(binder, parts)
    if procedures:
        return _read_procedure(binder, procedures, parts[-1], node)
    chosen = _choose(binder, parts, node, table=True)
    routine, arguments = chosen.routine, chosen.typed()
    if routine.language == "PYTHON":
        return call_table(binder, routine, chosen.converted(binder), window)
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
    sql = f"SELECT {', '.join(items)} FROM {source.sql} AS {alias}"
    if null := _null_argument(routine, arguments):  # one row of NULLs, as a handler in Python answers
        nothing = ", ".join("NULL" for _ in items)
        sql = f"{sql} WHERE NOT ({null}) UNION ALL SELECT {nothing} WHERE {null}"
    return Source(f"({sql})", columns)


def _null_argument(routine: Routine, arguments: list[Expr]) -> str:
    """SQL of whether an argument is NULL that keeps a function from being called; "" if none does."""
    return " OR ".join(f"({expr.sql}) IS NULL" for expr in arguments) if routine.options.get("STRICT") else ""


def _table_procedures(binder: Binder, parts: list[str]) -> list[Routine]:
    """The procedures of this name that return tables, if no function has it."""
    catalog, context = binder.context.catalog, binder.context
    if catalog.routines(context, "FUNCTION", parts):
        return []
    return [routine for routine in catalog.routines(context, "PROCEDURE", parts) if routine.returns_table is not None]


def _read_procedure(binder: Binder, procedures: list[Routine], name: str, node: exp.Anonymous) -> Source:
    """A procedure's table: it runs before the query that reads it.

    Source: docs.snowflake.com/en/developer-guide/stored-procedure/stored-procedures-selecting-from.
    """
    routine, arguments = choose_overload(binder, procedures, name, node)
    env = binder.env
    if env.execution is None:
        raise unsupported("a procedure in FROM of a stored query")
    if env.describe_only and routine.returns_table:
        table = pa.table(
            [pa.nulls(0, arrow_type(kind)) for _, kind in routine.returns_table],
            names=[name for name, _ in routine.returns_table],
        )
        described = [Column(column, kind) for column, kind in routine.returns_table]
    else:
        result = env.execution.call_table(routine, arguments)
        described = result.columns
        table = result.data if isinstance(result.data, pa.Table) else result.data.read_all()
    stored = stored_names([column.name for column in described])
    relation = binder.add_input(table.rename_columns(stored))
    columns = [SourceColumn(c.name, c.type, True, own) for c, own in zip(described, stored, strict=True)]
    return Source(f"(SELECT * FROM {relation})", columns)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The overload that a call means.

    Args:
        routine: the function.
        arguments: in its order, each of the family of its type.
        distinct: ``f(DISTINCT x)``.
    """

    routine: Routine
    arguments: list[Expr]
    distinct: bool

    def typed(self) -> list[Expr]:
        """The arguments said to be of the function's types; numbers and strings stay as precise as they are."""
        return [
            expr.typed(kind) if expr.type.name == kind.name and expr.type != kind else expr
            for expr, (_, kind, _) in zip(self.arguments, self.routine.arguments, strict=True)
        ]

    def converted(self, binder: Binder) -> list[Expr]:
        """The arguments in exactly the function's types, save the length of strings."""
        return [
            expr if expr.type.name == kind.name and kind.name in ("VARCHAR", "BINARY")
            else casts.cast(expr, kind, binder.context)
            for expr, (_, kind, _) in zip(self.arguments, self.routine.arguments, strict=True)
        ]  # fmt: skip


def _choose(binder: Binder, parts: list[str], node: exp.Expr, *, table: bool) -> _Chosen:
    """The overload whose arguments fit, and the arguments cast to the families of its types."""
    overloads = [
        routine
        for routine in binder.context.catalog.routines(binder.context, "FUNCTION", parts)
        if (routine.returns_table is not None) == table
    ]
    if not overloads and table:
        raise compilation_error(2140, "42601", f"Unknown table function {'.'.join(parts)}")
    if not overloads:
        raise unknown_function(".".join(parts))
    aggregate = any(routine.kind == "AGGREGATE FUNCTION" for routine in overloads)
    if aggregate and binder._inside_aggregate:
        raise compilation_error(2035, "42601", f"Aggregate functions cannot be nested: [{parts[-1]}]", position(node))
    binder._inside_aggregate += aggregate
    try:
        return _fitting(binder, parts, node, overloads)
    finally:
        binder._inside_aggregate -= aggregate


def choose_overload(binder: Binder, overloads: list[Routine], name: str, node: exp.Expr) -> tuple[Routine, list[Expr]]:
    """The routine whose arguments fit a call best, and the call's arguments cast to its types.

    Args:
        binder: of the scope where the call stands.
        overloads: routines of one name.
        name: as it is called.
        node: the call; its expressions are the arguments.

    Raises:
        SnowflakeError: 001044 if none takes these arguments.
    """
    chosen = _fitting(binder, [name], node, overloads)
    return chosen.routine, chosen.converted(binder)


def _fitting(binder: Binder, parts: list[str], node: exp.Expr, overloads: list[Routine]) -> _Chosen:
    call = make_call(binder, parts[-1], node.expressions, node)
    given = [call.arg(index) for index in range(len(call))]
    best: tuple[int, _Chosen] | None = None
    for routine in overloads:
        fitted = _fit(routine, given, call.named, binder)
        if fitted is not None and (best is None or fitted[0] < best[0]):
            best = (fitted[0], _Chosen(routine, fitted[1], call.distinct))
    if best is None:
        raise invalid_argument_types(parts[-1], [str(expr.type) for expr in given], position(node))
    require(binder.context, "USAGE", best[1].routine)
    return best[1]


def _fit(
    routine: Routine, given: list[Expr], named: dict[str, exp.Expr], binder: Binder
) -> tuple[int, list[Expr]] | None:
    """How far the arguments are from the routine's types (0: equal), and the arguments cast; None: they do not fit."""
    names = [name for name, _, _ in routine.arguments]
    if len(given) > len(names) or not set(named) <= set(names[len(given) :]):
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
        fitted.append(coerced)
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
    sql = casts.cast(value, routine.returns, binder.context).sql
    if null := _null_argument(routine, arguments):
        sql = f"CASE WHEN {null} THEN NULL ELSE {sql} END"
    return derive(sql, routine.returns, value, *arguments, nullable=True)


def _bind_body(binder: Binder, routine: Routine, arguments: list[Expr]) -> Source:
    from polynya.dialect.query import bind_query_node

    env = binder.env
    if env.routine_depth >= _MAX_DEPTH:
        raise compilation_error(2140, "42601", f"Function {routine.name} calls itself or is nested too deep.")
    schema = env.context.catalog.by_id(routine.parent)
    database = env.context.catalog.by_id(schema.parent) if schema else None
    caller = env.context
    env.context = replace(
        with_rights_of(caller, routine.owner),
        database=database.name if database else caller.database,
        schema=schema.name if schema else caller.schema,
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
