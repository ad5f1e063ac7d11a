"""CALL of procedures, anonymous ones included, and of system functions.

Sources: docs.snowflake.com/en/sql-reference/sql/call, .../call-with,
docs.snowflake.com/en/developer-guide/stored-procedure/stored-procedures-selecting-from.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from sqlglot import exp

from polynya.catalog.model import Routine
from polynya.dialect import casts
from polynya.dialect.binder import Binder, Scope
from polynya.dialect.binds import Binds
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr, quote
from polynya.dialect.parse import parse_expression
from polynya.dialect.query import BoundQuery, bind_query
from polynya.dialect.routines import choose_overload
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, unknown_function
from polynya.statements.base import Execution, statement
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column, ResultSet, rows
from polynya.types.sqltype import SqlType


@statement("CALL")
def call(execution: Execution, stream: TokenStream) -> ResultSet:
    """CALL name(value, name => value, ...)."""
    return call_procedure(execution, stream)


@statement("WITH")
def call_anonymous(execution: Execution, stream: TokenStream) -> ResultSet:
    """WITH name AS PROCEDURE (...) ... CALL name(...)."""
    from polynya.statements.procedures import read_anonymous_procedure

    return call_procedure(execution, stream, read_anonymous_procedure(execution, stream))


def call_procedure(
    execution: Execution, statement: TokenStream | str, anonymous: Routine | None = None, binds: Binds | None = None
) -> ResultSet:
    """Runs a CALL.

    Args:
        execution: of the statement.
        statement: its text, or its tokens at the word CALL.
        anonymous: the procedure, if the statement itself defines it.
        binds: values of bind variables in its arguments.

    Returns:
        One row with one column of the procedure's name, or its table.

    Raises:
        SnowflakeError: 002140 unknown procedure, 001044 none takes these arguments; what it fails with.
    """
    stream = TokenStream(statement) if isinstance(statement, str) else statement
    found = _read_call(execution, stream, anonymous, binds or {})
    if isinstance(found, BoundQuery):
        from polynya.statements.dispatch import run_query

        return run_query(execution, found)
    routine, arguments, env = found
    return call_bound(execution, routine, arguments, env)


def describe(execution: Execution, stream: TokenStream, binds: Binds) -> ResultSet:
    """The columns of a CALL's result, without running it; those of RETURNS TABLE () are not known before."""
    anonymous = None
    if stream.at("WITH"):
        from polynya.statements.procedures import read_anonymous_procedure

        anonymous = read_anonymous_procedure(execution, stream)
    found = _read_call(execution, stream, anonymous, binds, describe_only=True)
    columns = found.columns if isinstance(found, BoundQuery) else _columns(found[0])
    return ResultSet(columns, rows(columns, []).data)


def call_bound(
    execution: Execution, routine: Routine, arguments: list[Expr], env: Environment | None = None
) -> ResultSet:
    """Runs a procedure with bound arguments.

    Args:
        execution: of the statement that calls it.
        routine: a procedure.
        arguments: of its arguments' types, in order.
        env: where they were bound.
    """
    return call_routine(execution, routine, _evaluate(execution, routine, arguments, env))


def call_routine(execution: Execution, routine: Routine, arguments: pa.RecordBatch) -> ResultSet:
    """Runs a procedure.

    Args:
        execution: of the statement that calls it.
        routine: a procedure.
        arguments: one row, a column an argument, in the engine's forms.

    Raises:
        SnowflakeError: 100357 with the handler's traceback; whatever a SQL procedure fails with.
    """
    if routine.options.get("STRICT") and any(column[0].as_py() is None for column in arguments.columns):
        return _scalar(routine, pa.nulls(1, arrow_type(_returns(routine))))
    assert execution.open_procedure is not None
    with execution.open_procedure(execution, routine) as procedure:
        if routine.language == "SQL":
            from polynya.statements.scripting.block import run_procedure

            values = [
                (name, kind, column[0].as_py())
                for (name, kind, _), column in zip(routine.arguments, arguments.columns, strict=False)
            ]
            return run_procedure(procedure.execution, routine, values)
        from polynya.dialect.python_handlers import handler_of, job_of

        inside = procedure.execution
        assert execution.runtime is not None
        handler = handler_of(routine, execution.context, execution.stages)
        execution.use_warehouse()
        answer = execution.runtime.call(handler, arguments, job_of(inside, routine, procedure=True), procedure.door)
        if routine.returns_table is None:
            return _scalar(routine, answer)
        return _as_declared(inside, routine, str(answer))


# --- the statement ----------------------------------------------------------------------------------------------------


def _read_call(
    execution: Execution, stream: TokenStream, anonymous: Routine | None, binds: Binds, *, describe_only: bool = False
) -> tuple[Routine, list[Expr], Environment] | BoundQuery:
    """The procedure that a CALL names and its arguments; for a system function the query that answers it."""
    stream.expect("CALL")
    text = stream.rest()
    start = stream.current.start if stream.current else 0
    name = stream.name()
    env = Environment(execution.context, execution, binds, describe_only=describe_only)
    if len(name) == 1 and name[0].startswith("SYSTEM$"):
        parse_expression(text)  # one expression, nothing behind it
        query = f"SELECT {text} AS {name[0]}"
        return bind_query(query, execution.context, execution=execution, binds=binds, describe_only=describe_only)
    if not stream.at("("):
        raise stream.error()
    if anonymous is None:
        overloads = execution.context.catalog.routines(execution.context, "PROCEDURE", name)
    else:
        overloads = [anonymous] if name == [anonymous.name] else []
    if not overloads:
        raise unknown_function(".".join(name))
    # As a call of a function that no one knows: a procedure may have a built-in function's name. Its place is kept.
    opening = stream.current
    assert opening is not None
    before = "".join("\n" if character == "\n" else " " for character in stream.text[:start])
    placed = f"{before}p{' ' * (opening.start - start - 1)}{stream.text[opening.start :]}"
    node = parse_expression(placed)
    if not isinstance(node, exp.Anonymous):
        raise stream.error()
    binder = Binder(env, Scope(None, {}))
    routine, arguments = choose_overload(binder, overloads, name[-1], node)
    return routine, arguments, env


def _evaluate(execution: Execution, routine: Routine, arguments: list[Expr], env: Environment | None) -> pa.RecordBatch:
    """The values of bound arguments, in one row."""
    from polynya.statements.dispatch import run_query

    if not routine.arguments:
        return pa.RecordBatch.from_pylist([{}])
    items = [f"{argument.sql} AS {quote(f'a{index}')}" for index, argument in enumerate(arguments)]
    columns = [Column(name, kind) for name, kind, _ in routine.arguments]
    query = BoundQuery(f"SELECT {', '.join(items)}", columns, env.inputs if env is not None else {})
    table = run_query(execution, query).data.read_all().combine_chunks()
    if table.num_rows != 1:
        raise SnowflakeError(603, "XX000", f"The arguments of {routine.name} are {table.num_rows} rows.")
    return table.to_batches()[0].rename_columns([name for name, _, _ in routine.arguments])


# --- results ----------------------------------------------------------------------------------------------------------


def _returns(routine: Routine) -> SqlType:
    from polynya.types.sqltype import VARCHAR

    return routine.returns or VARCHAR


def _columns(routine: Routine) -> list[Column]:
    if routine.returns_table:
        return [Column(name, kind) for name, kind in routine.returns_table]
    return [Column(routine.name, _returns(routine))]


def _scalar(routine: Routine, value: pa.Array) -> ResultSet:
    return ResultSet(_columns(routine), pa.table([value], names=["c0"]))


def _as_declared(execution: Execution, routine: Routine, query_id: str) -> ResultSet:
    """A query's rows as the procedure's table: with the columns of RETURNS TABLE (...), if it names any.

    Raises:
        SnowflakeError: the query's own; 100351 if the rows do not fit them.
    """
    try:
        result = execution.results.result(query_id)
    except SnowflakeError as error:
        where = f" in function {routine.name} with handler {routine.options.get('HANDLER')}"
        raise SnowflakeError(error.code, error.sqlstate, error.message + where) from None
    declared = routine.returns_table
    if not declared:
        return result
    if len(declared) != len(result.columns):
        raise _mismatch(routine, f"{len(result.columns)} columns instead of {len(declared)}")
    columns = [Column(name, kind) for name, kind in declared]
    if all(have.type == want.type for have, want in zip(result.columns, columns, strict=True)):
        return ResultSet(columns, result.data)
    from polynya.statements.dispatch import run_query

    items: list[Any] = []
    for index, (have, want) in enumerate(zip(result.columns, columns, strict=True)):
        source = Expr(quote(f"c{index}"), have.type)
        if casts.coerce(source, want.type, execution.context) is None:
            raise _mismatch(routine, f"column {want.name} of type {have.type} instead of {want.type}")
        items.append(f"{casts.cast(source, want.type, execution.context).sql} AS {quote(f'c{index}')}")
    table = result.data if isinstance(result.data, pa.Table) else result.data.read_all()
    table = table.rename_columns([f"c{index}" for index in range(table.num_columns)])
    query = BoundQuery(f"SELECT {', '.join(items)} FROM procedure_rows", columns, {"procedure_rows": table})
    return run_query(execution, query)


def _mismatch(routine: Routine, what: str) -> SnowflakeError:
    return SnowflakeError(100351, "22000", f"Procedure {routine.name} returned another table than it declares: {what}.")
