"""``KEY = value`` lists as file formats, stages and COPY have them: words keep their case, escapes are read."""

from __future__ import annotations

from typing import Any

from sqlglot.tokens import TokenType

from polynya.dialect.tokens import TokenStream
from polynya.statements.objects import full_text


def at_option(stream: TokenStream) -> bool:
    """Whether a ``KEY =`` comes next."""
    following = stream.tokens[stream.index + 1] if stream.index + 1 < len(stream.tokens) else None
    return following is not None and following.text in ("=", "=>") and following.token_type != TokenType.STRING


def read_options(stream: TokenStream) -> dict[str, Any]:
    """Reads options up to the statement's end, a closing parenthesis or a word that no ``=`` follows.

    Returns:
        by upper-case name: str, int, float, bool, a list of them, or a dict for ``(KEY = value ...)``.
    """
    found: dict[str, Any] = {}
    while not stream.done:
        stream.accept(",")
        if not at_option(stream):
            break
        token = stream.next()
        key = token.text if token.token_type == TokenType.IDENTIFIER else token.text.upper()
        stream.next()
        found[key] = read_option_value(stream)
    return found


def read_option_value(stream: TokenStream) -> Any:
    """The value of an option."""
    if stream.at_string():
        return stream.string()
    if stream.accept("("):
        return _read_parenthesis(stream)
    negative = stream.accept("-")
    token = stream.next()
    text = token.text
    if token.token_type == TokenType.NUMBER:
        number = float(text) if "." in text else int(text)
        return -number if negative else number
    if token.token_type == TokenType.IDENTIFIER or stream.at("."):
        stream.index -= 1
        return full_text(stream.name())
    if text.upper() in ("TRUE", "FALSE"):
        return text.upper() == "TRUE"
    if stream.at("%"):  # SKIP_FILE_10%
        stream.next()
        text += "%"
    return text


def _read_parenthesis(stream: TokenStream) -> Any:
    if stream.accept(")"):
        return []
    if at_option(stream):
        pairs = read_options(stream)
        stream.expect(")")
        return pairs
    items = [read_option_value(stream)]
    while stream.accept(","):
        items.append(read_option_value(stream))
    stream.expect(")")
    return items
