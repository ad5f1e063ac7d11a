"""Blocks as statements: anonymous ones, and the bodies of SQL procedures."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pyarrow as pa

from polynya.catalog.model import Routine
from polynya.dialect import casts
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr, quote
from polynya.errors import SnowflakeError, compilation_error
from polynya.statements.base import Execution
from polynya.statements.scripting import evaluation, names, values
from polynya.statements.scripting.exceptions import Raised
from polynya.statements.scripting.interpreter import Interpreter
from polynya.statements.scripting.parser import parse_block
from polynya.statements.scripting.syntax import Block
from polynya.statements.scripting.values import Value
from polynya.statements.scripting.variables import Variable
from polynya.types.arrow import arrow_type, conform
from polynya.types.resultset import Column, ResultSet, rows
from polynya.types.sqltype import VARCHAR, SqlType

ANONYMOUS = "anonymous block"
# Blocks and procedures that call one another.
MAX_DEPTH = 24
_depth: ContextVar[int] = ContextVar("scripting_depth", default=0)


def run_block(execution: Execution, text: str) -> ResultSet:
    """Runs an anonymous block.

    Args:
        execution: of the statement.
        text: ``[DECLARE ...] BEGIN ... END``.

    Returns:
        One column ``anonymous block``, or the table that it returns.

    Raises:
        SnowflakeError: 001003 for its syntax; an exception that no handler took.
    """
    block = parsed(execution, text, [])
    result = _run(execution, block, {})
    if isinstance(result, ResultSet):
        return ResultSet(result.columns, result.data)
    return rows([Column(ANONYMOUS, result.type)], [(result.value,)])


def describe_block() -> ResultSet:
    """The result of an anonymous block that is not run."""
    return rows([Column(ANONYMOUS, VARCHAR)], [])


def parsed(execution: Execution, text: str, arguments: list[str]) -> Block:
    """The block of a text with all its names resolved.

    Args:
        execution: of the statement.
        text: the block.
        arguments: names of the procedure's arguments.

    Raises:
        SnowflakeError: 001003 for its syntax, 000904 for a name that nothing declares.
    """
    block = parse_block(text, str(execution.context.parameter("TIMESTAMP_TYPE_MAPPING")))
    names.resolve(block, arguments)
    return block


def run_procedure(execution: Execution, routine: Routine, arguments: list[tuple[str, SqlType, Any]]) -> ResultSet:
    """Runs the body of a LANGUAGE SQL procedure.

    Args:
        execution: of the CALL, with the rights and names that the body is to run with.
        routine: the procedure; its body is a block.
        arguments: name, type and value of each, in order; values as ``pyarrow`` gives them from the engine's Arrow
            form of the type (``as_py()``; semi-structured: JSON text), None for NULL.

    Returns:
        One column with the procedure's name and type, or the table that it returns (columns of RETURNS TABLE (...)
        where these are given).

    Raises:
        SnowflakeError: 001003 for its syntax; an exception that no handler took.
    """
    block = parsed(execution, routine.body, [name for name, _, _ in arguments])
    variables = {name: Variable(kind, values.normal(kind, value)) for name, kind, value in arguments}
    outside = execution.connection.transaction_id
    try:
        result = _run(execution, block, variables)
    finally:
        unfinished = execution.connection.in_transaction and execution.connection.transaction_id != outside
        if unfinished:
            execution.connection.rollback()
    if unfinished:
        raise SnowflakeError(
            90232,
            "22000",
            "Stored procedure execution error: Scoped transaction started in stored procedure is incomplete and it was "
            "rolled back.",
        )
    if routine.returns_table is not None:
        return _table(execution, routine, result)
    if isinstance(result, ResultSet):
        raise compilation_error(
            92245, "P0000", f"Procedure {routine.name} returns a table, but is declared to return {routine.returns}."
        )
    kind = routine.returns or result.type
    try:
        value = evaluation.convert(execution, result, kind, block.place)
    except Raised as raised:
        raise raised.uncaught() from None
    return rows([Column(routine.name, kind)], [(value,)])


def _run(execution: Execution, block: Block, variables: dict[str, Variable]) -> Value | ResultSet:
    depth = _depth.get()
    if depth >= MAX_DEPTH:
        raise _too_deep()
    token = _depth.set(depth + 1)
    try:
        return Interpreter(execution, variables).run(block)
    except RecursionError:  # they are not many, but each is nested deep in itself
        raise _too_deep() from None
    finally:
        _depth.reset(token)


def _too_deep() -> SnowflakeError:
    return SnowflakeError(92246, "54001", f"Blocks and procedures call one another more than {MAX_DEPTH} levels deep.")


def _table(execution: Execution, routine: Routine, result: Value | ResultSet) -> ResultSet:
    """The table that a procedure returns, with the columns that it is declared to return.

    Raises:
        SnowflakeError: if it returns a value, or other columns.
    """
    declared = routine.returns_table or []
    if not isinstance(result, ResultSet):
        raise compilation_error(
            92245, "P0000", f"Procedure {routine.name} returns a value, but is declared to return a table."
        )
    if not declared or [column.type for column in result.columns] == [kind for _, kind in declared]:
        names_of = [name for name, _ in declared] or [column.name for column in result.columns]
        columns = [Column(name, column.type) for name, column in zip(names_of, result.columns, strict=True)]
        return ResultSet(columns, result.data)
    if len(declared) != len(result.columns):
        raise compilation_error(
            92245, "P0000",
            f"Procedure {routine.name} returns {len(result.columns)} columns, but is declared to return {len(declared)}.",
        )  # fmt: skip
    return _cast(execution, declared, result)


def _cast(execution: Execution, declared: list[tuple[str, SqlType]], result: ResultSet) -> ResultSet:
    """The rows of a result with columns of these types."""
    data = result.data if isinstance(result.data, pa.Table) else result.data.read_all()
    env = Environment(execution.context, execution)
    table = data.rename_columns([f"c{index}" for index in range(data.num_columns)])
    relation = env.add_input(table)
    items = []
    for index, (column, (_, kind)) in enumerate(zip(result.columns, declared, strict=True)):
        cell = casts.assign(Expr(quote(f"c{index}"), column.type), kind, execution.context)
        items.append(f"{cell.sql} AS {quote(f'c{index}')}")
    reader = execution.connection.query(f"SELECT {', '.join(items)} FROM {relation}", env.inputs)
    kinds = [kind for _, kind in declared]
    return ResultSet(
        [Column(name, kind) for name, kind in declared], conform(reader, [arrow_type(kind) for kind in kinds])
    )
