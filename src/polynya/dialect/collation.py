"""Collations: how strings with a specification such as ``en-ci`` or ``en_US-trim`` are compared and ordered.

Source: docs.snowflake.com/en/sql-reference/collation
"""

from __future__ import annotations

import re

from polynya.dialect.expression import Expr, derive
from polynya.errors import compilation_error
from polynya.types.sqltype import SqlType

_LOCALE = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?\Z")

# What a modifier does to a string before it is compared; those with "" keep what is the default.
_MODIFIERS = {
    "ci": "lower({0})", "ai": "strip_accents({0})", "pi": "regexp_replace({0}, '[[:punct:]\\s]', '', 'g')",
    "trim": "trim({0}, ' ')", "ltrim": "ltrim({0}, ' ')", "rtrim": "rtrim({0}, ' ')",
    "upper": "upper({0})", "lower": "lower({0})", "cs": "", "as": "", "ps": "", "fl": "", "fu": "",
}  # fmt: skip
_NO_LOCALE = {"", "utf8", "bin"}


def check(specification: str) -> str:
    """The specification, if it is one.

    Raises:
        SnowflakeError: for an unknown locale or modifier.
    """
    locale, modifiers = _parts(specification)
    if (locale not in _NO_LOCALE and not _LOCALE.match(locale)) or any(part not in _MODIFIERS for part in modifiers):
        raise compilation_error(2322, "22023", f"Invalid collation specification: '{specification}'.")
    return specification


def _parts(specification: str) -> tuple[str, list[str]]:
    first, *rest = specification.split("-")
    return ("", [first, *rest]) if first in _MODIFIERS else (first, rest)


def comparison_key(expr: Expr, specification: str) -> Expr:
    """What stands for a string in comparisons and ORDER BY under a collation."""
    locale, modifiers = _parts(specification)
    text = expr.sql
    for modifier in modifiers:
        if _MODIFIERS[modifier]:
            text = _MODIFIERS[modifier].format(text)
    if locale in _NO_LOCALE:
        return derive(text, expr.type, expr)
    return derive(f"({text} COLLATE {locale.lower()})", expr.type, expr)


def equates(specification: str) -> bool:
    """Whether different strings can be equal under a collation."""
    return any(_MODIFIERS[modifier] for modifier in _parts(specification)[1])


def merged(left: SqlType, right: SqlType) -> str:
    """The collation under which two strings are compared: that of the one that has one."""
    return left.collation or right.collation
