"""Identifiers as Snowflake writes them. https://docs.snowflake.com/en/sql-reference/identifiers-syntax"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*\Z")

# Words that must be quoted where they name a column or an object.
# https://docs.snowflake.com/en/sql-reference/reserved-keywords
RESERVED = frozenset(
    [
        "ALL",
        "ALTER",
        "AND",
        "ANY",
        "AS",
        "BETWEEN",
        "BY",
        "CHECK",
        "COLUMN",
        "CONNECT",
        "CREATE",
        "CURRENT",
        "DELETE",
        "DISTINCT",
        "DROP",
        "ELSE",
        "EXISTS",
        "FOLLOWING",
        "FOR",
        "FROM",
        "GRANT",
        "GROUP",
        "HAVING",
        "ILIKE",
        "IN",
        "INCREMENT",
        "INSERT",
        "INTERSECT",
        "INTO",
        "IS",
        "LIKE",
        "MINUS",
        "NOT",
        "NULL",
        "OF",
        "ON",
        "OR",
        "ORDER",
        "QUALIFY",
        "REGEXP",
        "REVOKE",
        "RLIKE",
        "ROW",
        "ROWS",
        "SAMPLE",
        "SELECT",
        "SET",
        "SOME",
        "START",
        "TABLE",
        "TABLESAMPLE",
        "THEN",
        "TO",
        "TRIGGER",
        "UNION",
        "UNIQUE",
        "UPDATE",
        "VALUES",
        "WHENEVER",
        "WHERE",
        "WITH",
    ]
)


def quote_identifier(name: str) -> str:
    """The name, in double quotes only where it would not be read back without them."""
    if _PLAIN.match(name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def join_name(parts: list[str]) -> str:
    """A dotted name, each part quoted where needed."""
    return ".".join(quote_identifier(part) if part else "" for part in parts)


def split_name(text: str) -> list[str]:
    """The parts of a dotted name as it is written in SQL, resolved: ``db."My t"`` -> ``["DB", "My t"]``.

    Raises:
        ValueError: if it is no name.
    """
    parts, index = [], 0
    while True:
        if text[index : index + 1] == '"':
            end = index + 1
            while True:
                end = text.index('"', end)
                if text[end + 1 : end + 2] != '"':
                    break
                end += 2
            parts.append(text[index + 1 : end].replace('""', '"'))
            index = end + 1
        else:
            found = re.compile(r"[A-Za-z_][\w$]*|(?=\.)").match(text, index)
            if not found:
                raise ValueError(f"not a name: {text}")
            parts.append(found[0].upper())
            index = found.end()
        if index == len(text):
            return parts
        if text[index] != ".":
            raise ValueError(f"not a name: {text}")
        index += 1
