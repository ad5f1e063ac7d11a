"""Session variables: SET and UNSET. https://docs.snowflake.com/en/sql-reference/session-variables"""

from __future__ import annotations

from typing import Any

from polynya.dialect.query import bind_query
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error
from polynya.statements.base import Execution, statement
from polynya.statements.column_definitions import read_names
from polynya.statements.objects import DONE
from polynya.types.resultset import ResultSet, StatementType, status

_LIMIT_BYTES = 256


@statement("SET")
def set_variables(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SET")
    context = execution.context
    if stream.at("("):
        names = read_names(stream)
        stream.expect("=")
        values = _evaluate(execution, stream)
    else:
        names = [stream.identifier()]
        stream.expect("=")
        values = _evaluate(execution, stream)
    if len(names) != len(values):
        raise compilation_error(
            1490, "22023", f"Number of variables ({len(names)}) differs from the number of values ({len(values)})."
        )
    for name, value in zip(names, values, strict=True):
        size = len(value.encode()) if isinstance(value, str) else 0
        if size > _LIMIT_BYTES:
            raise SnowflakeError(
                1091,
                "22001",
                f"Assignment to '{name}' not done because value exceeds size limit for variables. "
                f"Its size is {size}; the limit is {_LIMIT_BYTES} (internal storage size in bytes).",
            )
    context.variables = {**context.variables, **dict(zip(names, values, strict=True))}
    return status(DONE, StatementType.SCL)


def _evaluate(execution: Execution, stream: TokenStream) -> list[Any]:
    """The values of the rest of the statement: an expression, or several in parentheses."""
    text = stream.rest()
    if stream.done:
        raise stream.error()
    if stream.at("("):
        start = stream.index
        stream.skip_parenthesis()
        inner = stream.source(start + 1, stream.index - 1)
        # (SELECT ...) is one value; (a, b) are two.
        if stream.done and not TokenStream(inner).at_one("SELECT", "WITH"):
            text = inner
    bound = bind_query(f"SELECT {text}", execution.context, execution=execution)
    table = execution.connection.table(bound.sql, bound.inputs)
    return [column[0].as_py() if table.num_rows else None for column in table.columns]


@statement("UNSET")
def unset_variables(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("UNSET")
    names = read_names(stream) if stream.at("(") else [stream.identifier()]
    stream.expect_end()
    context = execution.context
    context.variables = {name: value for name, value in context.variables.items() if name not in names}
    return status(DONE, StatementType.SCL)
