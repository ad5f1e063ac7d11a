"""EXECUTE IMMEDIATE of a statement held in a string.

Source: docs.snowflake.com/en/sql-reference/sql/execute-immediate.
"""

from __future__ import annotations

from sqlglot.tokens import TokenType

from polynya.dialect.binds import Bind, Binds
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, unsupported
from polynya.statements.base import Execution, statement
from polynya.types.resultset import ResultSet


@statement("EXECUTE IMMEDIATE")
def execute_immediate(execution: Execution, stream: TokenStream) -> ResultSet:
    """EXECUTE IMMEDIATE '<statement>' | $$<statement>$$ | $variable [USING (name, ...)].

    Raises:
        SnowflakeError: the statement's own.
    """
    return run_with(execution, stream, {})


def run_with(execution: Execution, stream: TokenStream, given: Binds) -> ResultSet:
    """The same with values that its client sent along.

    Args:
        execution: of the statement.
        stream: its tokens.
        given: the values for the question marks of the statement in the string, unless USING names some.

    Raises:
        SnowflakeError: the statement's own.
    """
    from polynya.statements import dispatch

    stream.expect("EXECUTE", "IMMEDIATE")
    if stream.accept("FROM"):
        raise unsupported("EXECUTE IMMEDIATE FROM a file")
    text = stream.string() if stream.at_string() else _variable(execution, stream)
    binds = _using(execution, stream) or given
    stream.expect_end()
    return dispatch.run(execution, text, binds) if binds else execution.execute(text)


def binds_left(stream: TokenStream, binds: Binds) -> Binds:
    """The binds that the question marks outside the string leave, numbered for those inside."""
    used = sum(token.token_type == TokenType.PLACEHOLDER or token.text == "?" for token in stream.tokens)
    return {key - used: bind for key, bind in binds.items() if isinstance(key, int) and key > used}


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
