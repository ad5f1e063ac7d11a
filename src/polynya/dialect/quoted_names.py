"""QUOTED_IDENTIFIERS_IGNORE_CASE: names in double quotes are upper case, as those without are.

https://docs.snowflake.com/en/sql-reference/parameters#quoted-identifiers-ignore-case
"""

from __future__ import annotations

from sqlglot.tokens import TokenType

from polynya.dialect.tokens import is_path, tokenize


def ignore_case(text: str) -> str:
    """A statement whose quoted names are upper case; keys of a VARIANT (``v:"a"."b"``) and strings stay.

    Raises:
        SnowflakeError: 001003 for an unterminated string or comment.
    """
    if '"' not in text:
        return text
    tokens = tokenize(text)
    pieces: list[str] = []
    copied = 0
    in_path = False
    for index, token in enumerate(tokens):
        if token.token_type == TokenType.COLON:
            in_path = is_path(text, tokens, index)
        elif token.token_type == TokenType.IDENTIFIER and not in_path:
            pieces += [text[copied : token.start], text[token.start : token.end + 1].upper()]
            copied = token.end + 1
        # After a key, only a dot or a bracket leads to another.
        in_path = in_path and _leads_on(
            tokens[index + 1].token_type if index + 1 < len(tokens) else None, token.token_type
        )
    return "".join([*pieces, text[copied:]])


def _leads_on(following: TokenType | None, token: TokenType) -> bool:
    """Whether what follows a token of a path belongs to it too."""
    if token in (TokenType.COLON, TokenType.DOT, TokenType.L_BRACKET):
        return True
    return following in (TokenType.DOT, TokenType.L_BRACKET, TokenType.R_BRACKET)
