"""Types as Snowflake writes them, made readable for sqlglot: NOT NULL inside ARRAY and MAP, and PERMISSIVE.

Source: docs.snowflake.com/en/sql-reference/data-types-structured.
"""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

# ARRAY(INT NOT NULL) is parsed as ARRAY(OBJECT(<this name> INT)); ``types`` takes the object away again.
NOT_NULL = "\x01NOT NULL"


def readable(tokens: list[Token]) -> list[Token]:
    """The tokens as sqlglot's parser takes them; the same list where nothing has to change."""
    words = [token.text.upper() for token in tokens]
    changed = tokens
    if "PERMISSIVE" in words:
        changed = [
            token
            for index, token in enumerate(tokens)
            # TRY_CAST(x AS OBJECT(...) PERMISSIVE): TRY_CAST gives NULL for a field that does not fit, as this asks
            if not (words[index] == "PERMISSIVE" and words[index - 1] == ")" and words[index + 1 : index + 2] == [")"])
        ]
    if "NOT" in words and ("ARRAY" in words or "MAP" in words):
        changed = _mark_not_null(changed)
    return changed


def _mark_not_null(tokens: list[Token]) -> list[Token]:
    result: list[Token] = []
    # Open parentheses: whether each belongs to ARRAY or MAP, and where its current item begins in the result.
    opened: list[tuple[bool, int]] = []
    skipped = 0
    for index, token in enumerate(tokens):
        if skipped:
            skipped -= 1
            continue
        following = [later.text.upper() for later in tokens[index : index + 3]]
        if opened and opened[-1][0] and following == ["NOT", "NULL", ")"]:
            start = opened[-1][1]
            result[start:start] = [
                _like(token, TokenType.OBJECT, "OBJECT"),
                _like(token, TokenType.L_PAREN, "("),
                _like(token, TokenType.IDENTIFIER, NOT_NULL),
            ]
            result.append(_like(token, TokenType.R_PAREN, ")"))
            skipped = 1
            continue
        result.append(token)
        if token.token_type == TokenType.L_PAREN:
            container = index > 0 and tokens[index - 1].token_type in (TokenType.ARRAY, TokenType.MAP)
            opened.append((container, len(result)))
        elif token.token_type == TokenType.R_PAREN and opened:
            opened.pop()
        elif token.token_type == TokenType.COMMA and opened:
            opened[-1] = (opened[-1][0], len(result))
    return result


def _like(token: Token, kind: TokenType, text: str) -> Token:
    """A token that stands where another does."""
    return Token(kind, text, token.line, token.col, token.start, token.end, [])
