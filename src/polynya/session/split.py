"""A request's text -> its statements, at the semicolons outside strings, comments and scripting blocks."""

from __future__ import annotations

from polynya.dialect.tokens import tokenize
from polynya.errors import SnowflakeError
from polynya.statements.scripting.boundaries import statement_end


def split_statements(text: str) -> list[str]:
    """The statements of a text, without their semicolons; empty ones left out.

    A scripting block (BEGIN ... END, DECLARE ... BEGIN ... END) is one statement, its own semicolons included.

    Args:
        text: one or more statements.

    Raises:
        SnowflakeError: 001003 for an unterminated string or comment.
    """
    if ";" not in text:
        return [text] if text.strip() else []
    tokens = tokenize(text)
    statements = []
    first = 0
    while first < len(tokens):
        end = statement_end(tokens, first)
        if end > first:
            statements.append(text[tokens[first].start : tokens[end - 1].end + 1])
        first = end + 1
    return statements


def check_count(statements: list[str], expected: int) -> None:
    """Compares the number of statements with MULTI_STATEMENT_COUNT.

    Args:
        statements: of the request.
        expected: the parameter; 0 allows any number.

    Raises:
        SnowflakeError: 000008 as Snowflake words it.
    """
    if expected and len(statements) != expected:
        raise SnowflakeError(
            8,
            "0A000",
            f"Actual statement count {len(statements)} did not match the desired statement count {expected}.",
        )
