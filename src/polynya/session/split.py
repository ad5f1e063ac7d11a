"""A request's text -> its statements, at the semicolons outside strings, comments and scripting blocks."""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

from polynya.dialect.tokens import tokenize
from polynya.errors import SnowflakeError


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
        end = _statement_end(tokens, first)
        if end > first:
            statements.append(text[tokens[first].start : tokens[end - 1].end + 1])
        first = end + 1
    return statements


def _statement_end(tokens: list[Token], first: int) -> int:
    """The index of the semicolon that ends the statement which begins at ``first`` (or of the text's end)."""
    if _begins_block(tokens, first):
        return _block_end(tokens, first)
    routine = _word(tokens, first) == "CREATE"
    for index in range(first, len(tokens)):
        if tokens[index].token_type == TokenType.SEMICOLON:
            return index
        # A procedure's body without quotes around it.
        if routine and _word(tokens, index) == "AS" and _begins_block(tokens, index + 1):
            return _block_end(tokens, index + 1)
    return len(tokens)


def _word(tokens: list[Token], index: int) -> str:
    if index >= len(tokens) or tokens[index].token_type in (TokenType.STRING, TokenType.IDENTIFIER):
        return ""
    return tokens[index].text.upper()


def _begins_block(tokens: list[Token], first: int) -> bool:
    """Whether a scripting block begins here: DECLARE, or a BEGIN that does not begin a transaction."""
    if _word(tokens, first) == "DECLARE":
        return True
    after = _word(tokens, first + 1)
    return _word(tokens, first) == "BEGIN" and after not in ("", ";", "TRANSACTION", "WORK", "NAME")


# Words that open a construct that its own END closes.
_OPENING = {"BEGIN", "CASE", "IF", "FOR", "WHILE", "LOOP", "REPEAT"}


def _block_end(tokens: list[Token], first: int) -> int:
    """The index of the semicolon after the END of a block (or of the text's end)."""
    depth = 0
    index = first
    while index < len(tokens):
        word = _word(tokens, index)
        if word == "END":
            depth -= 1
            # END IF, END FOR ... close what their second word names.
            if _word(tokens, index + 1) in _OPENING:
                index += 1
            if depth == 0:
                while index < len(tokens) and tokens[index].token_type != TokenType.SEMICOLON:
                    index += 1
                return index
        elif word in _OPENING and _opens(tokens, index, first):
            depth += 1
        index += 1
    return len(tokens)


def _opens(tokens: list[Token], index: int, first: int) -> bool:
    """Whether the word at ``index`` begins a construct: IF(...) the function and DO, WHILE's LOOP do not."""
    word = _word(tokens, index)
    before = _word(tokens, index - 1) if index > first else ";"
    if word in ("IF", "FOR", "WHILE", "LOOP", "REPEAT"):
        return before in (";", "THEN", "ELSE", "DO", "LOOP", "REPEAT", "BEGIN", ":")
    return True


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
