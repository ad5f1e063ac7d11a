"""EXECUTE IMMEDIATE of a statement held in a string, and CALL of system functions.

Sources: docs.snowflake.com/en/sql-reference/sql/execute-immediate, .../call.
"""

from __future__ import annotations

from polynya.dialect.binds import Bind, Binds
from polynya.dialect.parse import parse_expression
from polynya.dialect.query import bind_query
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, does_not_exist, unsupported
from polynya.statements.base import Execution, statement
from polynya.types.resultset import ResultSet


@statement("EXECUTE IMMEDIATE")
def execute_immediate(execution: Execution, stream: TokenStream) -> ResultSet:
    """EXECUTE IMMEDIATE '<statement>' | $$<statement>$$ | $variable [USING (name, ...)].

    Raises:
        SnowflakeError: the statement's own; 000002 for a Snowflake Scripting block.
    """
    from polynya.statements import dispatch

    stream.expect("EXECUTE", "IMMEDIATE")
    if stream.accept("FROM"):
        raise unsupported("EXECUTE IMMEDIATE FROM a file")
    text = stream.string() if stream.at_string() else _variable(execution, stream)
    binds = _using(execution, stream)
    stream.expect_end()
    first = TokenStream(text).words(2)
    if first[:1] == ["DECLARE"] or (first[:1] == ["BEGIN"] and first[1:] not in ([], [";"], ["TRANSACTION"], ["WORK"])):
        raise unsupported("Snowflake Scripting blocks")
    return dispatch.run(execution, text, binds) if binds else execution.execute(text)


def _variable(execution: Execution, stream: TokenStream) -> str:
    """The text of a session variable, ``$name``."""
    name = "".join(token.text for token in stream.tokens[stream.index :]).split("USING")[0].lstrip("$").upper()
    while not stream.done and not stream.at("USING"):
        stream.next()
    if name not in execution.context.variables:
        raise compilation_error(2211, "02000", f"Session variable '${name}' does not exist")
    return str(execution.context.variables[name])


def _using(execution: Execution, stream: TokenStream) -> Binds:
    """USING (variable, ...): session variables for the statement's question marks."""
    binds: Binds = {}
    if stream.accept("USING"):
        stream.expect("(")
        while not stream.accept(")"):
            stream.accept("$")
            name = stream.identifier().lstrip("$")
            if name not in execution.context.variables:
                raise compilation_error(904, "42000", f"invalid identifier '{name}'")
            value = execution.context.variables[name]
            kind = "TEXT" if isinstance(value, str) else ("BOOLEAN" if isinstance(value, bool) else "FIXED")
            binds[len(binds) + 1] = Bind(kind, None if value is None else str(value))
            stream.accept(",")
    return binds


@statement("CALL")
def call(execution: Execution, stream: TokenStream) -> ResultSet:
    """CALL SYSTEM$...(...): the function's value as the one row.

    Raises:
        SnowflakeError: 002003 if there is no such procedure; 000002 for procedures of users.
    """
    from polynya.statements.dispatch import run_query

    stream.expect("CALL")
    text = stream.rest()
    name = stream.name()
    if len(name) == 1 and name[0].startswith("SYSTEM$"):
        parse_expression(text)  # one expression, nothing behind it
        return run_query(execution, bind_query(f"SELECT {text} AS {name[0]}", execution.context, execution=execution))
    if execution.context.catalog.routines(execution.context, "PROCEDURE", name):
        raise unsupported("stored procedures")
    raise does_not_exist("Procedure", ".".join(name))
