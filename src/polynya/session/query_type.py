"""How the history shows a statement: its kind, from its first words, and its text without secrets."""

from __future__ import annotations

import re

_BEGINNING = re.compile(r"(?:\s+|--[^\n]*|//[^\n]*|/\*.*?\*/|\()*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
_MODIFIERS = {
    "OR", "REPLACE", "ALTER", "SCOPED", "TEMP", "TEMPORARY", "LOCAL", "GLOBAL", "VOLATILE", "TRANSIENT", "SECURE",
    "RECURSIVE", "HYBRID", "IF", "NOT", "EXISTS", "AGGREGATE",
}  # fmt: skip
_WITH_OBJECT = {"CREATE", "ALTER", "DROP", "UNDROP", "TRUNCATE"}
# What may follow BEGIN of a transaction; any other word begins a block of Snowflake Scripting.
_TRANSACTION = {"TRANSACTION", "WORK", "NAME"}
_NAMES = {
    "WITH": "SELECT",
    "VALUES": "SELECT",
    "DESC": "DESCRIBE",
    "BEGIN": "BEGIN_TRANSACTION",
    "START": "BEGIN_TRANSACTION",
    "PUT": "PUT_FILES",
    "GET": "GET_FILES",
    "LS": "LIST_FILES",
    "LIST": "LIST_FILES",
    "RM": "REMOVE_FILES",
    "REMOVE": "REMOVE_FILES",
    "EXECUTE": "EXECUTE_IMMEDIATE",
    "DECLARE": "EXECUTE_IMMEDIATE",
    "UNDROP": "RESTORE",
}


def first_words(text: str, count: int = 8) -> list[str]:
    """The statement's first words in upper case, comments and parentheses before them skipped."""
    words: list[str] = []
    position = _BEGINNING.match(text).end()  # type: ignore[union-attr]
    while len(words) < count:
        word = _WORD.match(text, position)
        if not word:
            break
        words.append(word.group().upper())
        position = _BEGINNING.match(text, word.end()).end()  # type: ignore[union-attr]
    return words


def query_type(text: str) -> str:
    """The kind of statement, e.g. SELECT, CREATE_TABLE, ALTER_SESSION."""
    words = first_words(text[:2000])
    if not words:
        return "UNKNOWN"
    verb = words[0]
    if verb == "BEGIN" and words[1:] and words[1] not in _TRANSACTION:
        return _NAMES["EXECUTE"]  # a block
    if words[:2] == ["EXECUTE", "TASK"]:
        return "EXECUTE_TASK"
    if verb in _WITH_OBJECT:
        kinds = [word for word in words[1:] if word not in _MODIFIERS]
        if kinds:
            kind = "FILE_FORMAT" if kinds[:2] == ["FILE", "FORMAT"] else kinds[0]
            return f"{verb}_{kind}" if verb in ("CREATE", "ALTER", "TRUNCATE") else _NAMES.get(verb, verb)
    return _NAMES.get(verb, verb)


# Docs: the text is cut after 100,000 characters (docs.snowflake.com/en/sql-reference/functions/query_history).
_RECORDED = 100_000
# A secret may stand in a statement that is itself a string (''value''), between dollars, behind comments, or bare.
_SECRET = re.compile(
    r"""
    \b(PASSWORD|AWS_SECRET_KEY|AWS_TOKEN|AZURE_SAS_TOKEN|MASTER_KEY|SECRET_STRING|RSA_PRIVATE_KEY)"?
    (?:\s|/\*.*?\*/|--[^\n]*\n)* = (?:\s|/\*.*?\*/|--[^\n]*\n)*
    (?: \$\$.*?\$\$ | ''[^'\\]+'' | '(?:[^'\\]|''|\\.)*' | (?!SELECT\b)[^\s,;()'$]+ )
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_WITH_SECRETS = re.compile(r"\b(USER|STAGE|SECRET|COPY|INTEGRATION)\b", re.IGNORECASE)


def recorded_text(text: str) -> str:
    """A statement as the history keeps it: secrets hidden, very long ones cut."""
    text = text[:_RECORDED]
    if _WITH_SECRETS.search(text) and "=" in text:
        return _SECRET.sub(r"\1='****'", text)
    return text
