"""Where a scripting block begins and ends among other statements' tokens."""

from __future__ import annotations

from sqlglot.tokens import Token, TokenType

_QUOTED = (TokenType.STRING, TokenType.IDENTIFIER, TokenType.RAW_STRING, TokenType.HEREDOC_STRING)
# Behind BEGIN they make it the beginning of a transaction.
_TRANSACTION = ("", ";", "TRANSACTION", "WORK", "NAME")
# Words that open a construct that its own END closes.
_OPENING = {"BEGIN", "CASE", "IF", "FOR", "WHILE", "LOOP", "REPEAT"}
# A loop or IF is a statement only behind these; elsewhere its word is a function or belongs to another construct.
_BEFORE_STATEMENT = {";", "THEN", "ELSE", "DO", "LOOP", "REPEAT", "BEGIN"}


def word_at(tokens: list[Token], index: int) -> str:
    """The token's text in upper case; "" for quoted names, strings, a part of a dotted name, and beyond the end."""
    if index >= len(tokens) or tokens[index].token_type in _QUOTED:
        return ""
    if index and tokens[index - 1].token_type == TokenType.DOT:
        return ""
    return tokens[index].text.upper()


def begins_block(tokens: list[Token], index: int) -> bool:
    """Whether a scripting block begins here: DECLARE, or a BEGIN that does not begin a transaction."""
    word = word_at(tokens, index)
    return word == "DECLARE" or (word == "BEGIN" and word_at(tokens, index + 1) not in _TRANSACTION)


def block_end(tokens: list[Token], first: int) -> int:
    """The index of the semicolon after the END of the block that begins at ``first`` (or of the text's end)."""
    depth = nested = 0
    index = first
    while index < len(tokens):
        word = word_at(tokens, index)
        if word == "PROCEDURE" and depth == 0:
            nested += 1  # one that the block declares, whose body has an END of its own
        elif word == "END":
            depth -= 1
            # END IF, END FOR ... close what their second word names.
            if word_at(tokens, index + 1) in _OPENING:
                index += 1
            if depth == 0:
                if not nested:
                    return semicolon(tokens, index)
                nested -= 1
        elif word in _OPENING and _opens(tokens, index, first):
            depth += 1
        index += 1
    return len(tokens)


def semicolon(tokens: list[Token], index: int) -> int:
    """The index of the first semicolon from ``index`` on (or of the text's end)."""
    while index < len(tokens) and tokens[index].token_type != TokenType.SEMICOLON:
        index += 1
    return index


def statement_end(tokens: list[Token], first: int) -> int:
    """The index of the semicolon that ends the statement which begins at ``first`` (or of the text's end)."""
    if begins_block(tokens, first):
        return block_end(tokens, first)
    routine = word_at(tokens, first) == "CREATE"
    for index in range(first, len(tokens)):
        if tokens[index].token_type == TokenType.SEMICOLON:
            return index
        # A procedure's body without quotes around it.
        if routine and word_at(tokens, index) == "AS" and begins_block(tokens, index + 1):
            return block_end(tokens, index + 1)
    return len(tokens)


def _opens(tokens: list[Token], index: int, first: int) -> bool:
    """Whether the word at ``index`` begins a construct: IF(...) the function and DO, WHILE's LOOP do not."""
    word = word_at(tokens, index)
    if word == "CASE":
        return True
    if word == "BEGIN":
        return index == first or word_at(tokens, index + 1) not in _TRANSACTION
    return index > first and word_at(tokens, index - 1) in _BEFORE_STATEMENT
