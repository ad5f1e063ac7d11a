"""A bound expression: DuckDB SQL with the Snowflake type it has."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from zlib import crc32

from polynya.catalog.access import NO_ORIGINS, Origin
from polynya.types.sqltype import BOOLEAN, FLOAT, NULL, SqlType, number, varchar


class _NotConstant:
    """False where truth is asked, so that ``if expr.constant`` means a literal that is not empty."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOT_CONSTANT"


NOT_CONSTANT: Final = _NotConstant()


@dataclass(frozen=True, slots=True)
class Expr:
    """A bound expression.

    Args:
        sql: DuckDB SQL that needs no parentheses around it where a function argument may stand; use ``atom`` where
            an operand may stand.
        type: Snowflake's type; the SQL yields ``type.duckdb``.
        nullable: False only if it is never NULL by Snowflake's rules.
        constant: the Python value of a literal (str, int, Decimal, float, bool, None), else NOT_CONSTANT.
        aggregate: holds an aggregate function outside a window.
        window: holds a window function.
        volatile: yields another value each time (RANDOM, UUID_STRING, NEXTVAL): must not be written twice.
        simple: the SQL is one token or one call, so that it may be an operand without parentheses.
        origins: of a bare column, the columns of stored objects that it is made of.
    """

    sql: str
    type: SqlType
    nullable: bool = True
    constant: Any = NOT_CONSTANT
    aggregate: bool = False
    window: bool = False
    volatile: bool = False
    simple: bool = True
    origins: tuple[Origin, ...] = NO_ORIGINS

    @property
    def atom(self) -> str:
        """The SQL, in parentheses where it is an operation."""
        return self.sql if self.simple else f"({self.sql})"

    @property
    def is_constant(self) -> bool:
        return self.constant is not NOT_CONSTANT

    def typed(self, sql_type: SqlType, *, nullable: bool | None = None) -> Expr:
        """The same SQL said to have another type (the caller knows that it has)."""
        return replace(self, type=sql_type, nullable=self.nullable if nullable is None else nullable)


def derive(sql: str, sql_type: SqlType, *sources: Expr, nullable: bool | None = None, simple: bool = True) -> Expr:
    """An expression made from others: flags are inherited, and it is nullable if any of them is.

    Snowflake describes every BOOLEAN expression as nullable, even ``a IS NULL``.

    Args:
        sql: DuckDB SQL that contains the sources' SQL.
        sql_type: its type.
        sources: the expressions it was made of.
        nullable: to override the rule.
        simple: whether the SQL can be an operand as it stands.
    """
    return Expr(
        sql,
        sql_type,
        sql_type == BOOLEAN or (any(source.nullable for source in sources) if nullable is None else nullable),
        aggregate=any(source.aggregate for source in sources),
        window=any(source.window for source in sources),
        volatile=any(source.volatile for source in sources),
        simple=simple,
    )


def quote(name: str) -> str:
    """A DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_string(text: str) -> str:
    """A DuckDB string literal."""
    if "\0" in text:
        return " || chr(0) || ".join("'" + part.replace("'", "''") + "'" for part in text.split("\0")).join("()")
    return "'" + text.replace("'", "''") + "'"


def null(sql_type: SqlType = NULL) -> Expr:
    return Expr("NULL" if sql_type == NULL else f"NULL::{sql_type.duckdb}", sql_type, True, None)


def string_literal(text: str) -> Expr:
    """A VARCHAR literal of the text's length."""
    return Expr(quote_string(text), varchar(max(len(text), 1)), False, text)


def number_literal(text: str) -> Expr:
    """A numeric literal: NUMBER with the digits written, FLOAT if it has an exponent or more than 38 digits."""
    if "e" in text.lower():
        return Expr(f"{text}::DOUBLE", FLOAT, False, float(text))
    whole, _, fraction = text.partition(".")
    digits = len(whole.lstrip("0") + fraction)
    if digits > 38:
        return Expr(f"{text}::DOUBLE", FLOAT, False, float(text))
    scale = len(fraction)
    precision = max(digits, scale, 1)
    from decimal import Decimal

    value = Decimal(text) if scale else int(text or 0)
    return Expr(f"{text}::DECIMAL({precision},{scale})", number(precision, scale), False, value)


def boolean_literal(value: bool) -> Expr:
    """TRUE or FALSE; Snowflake describes even these as nullable."""
    return Expr("TRUE" if value else "FALSE", BOOLEAN, True, value)


INT64_DIGITS = 18  # of a NUMBER that DuckDB keeps in 64 bits
_WRITTEN_TWICE = 60  # characters of SQL that may stand in a text several times
_VOLATILE = ("random()", "uuid()", "nextval(")
_LITERAL = re.compile(r"-?[\d.]+|'(?:[^']|'')*'")


def once(body: Callable[..., str], *values: Expr | str) -> str:
    """SQL that uses values several times but holds their SQL once.

    Long or volatile values become parameters of a DuckDB lambda, so that nested operations do not grow without bound
    and RANDOM() is drawn once; columns and literals are written as they are. All values are computed, whichever of
    them the body then uses.

    Args:
        body: makes the SQL from the values' texts, which may be operands as they stand. It must not hold other SQL
            than these and literals: DuckDB's lambdas hold no subqueries and, in a correlated subquery, no columns.
        values: expressions, or SQL texts that may be operands.
    """
    texts = [value.atom if isinstance(value, Expr) else value for value in values]
    if not any(_is_long(value, text) for value, text in zip(values, texts, strict=True)):
        return body(*texts)
    # The parameter's name differs from that of any lambda around or inside, whose texts differ.
    name = f"v{crc32(chr(0).join(texts).encode()):08x}"
    held = [
        index
        for index, value in enumerate(values)
        if not (value.is_constant if isinstance(value, Expr) else _LITERAL.fullmatch(value))
    ]
    if not held:
        return body(*texts)
    if len(held) == 1:
        bound = texts[held[0]]
        texts[held[0]] = name
    else:
        bound = "{" + ", ".join(f"'f{index}': {texts[index]}" for index in held) + "}"
        for index in held:
            texts[index] = f"{name}.f{index}"
    return f"list_transform([{bound}], lambda {name}: {body(*texts)})[1]"


def _is_long(value: Expr | str, text: str) -> bool:
    """Whether a value may not be written twice."""
    if isinstance(value, Expr) and (value.volatile or value.is_constant):
        return value.volatile
    return len(text) > _WRITTEN_TWICE or "SELECT" in text or any(name in text for name in _VOLATILE)


def decimal_text(sql: str, sql_type: SqlType) -> str:
    """SQL of a NUMBER's digits; the engine writes .05 where a type has no digit before the point, Snowflake 0.05."""
    if sql_type.scale and sql_type.precision == sql_type.scale:
        sql = f"CAST({sql} AS DECIMAL({sql_type.precision + 1},{sql_type.scale}))"
    return f"CAST({sql} AS VARCHAR)"


def as_bigint(expr: Expr) -> str:
    """A number as DuckDB's BIGINT, which its string functions take for positions and lengths."""
    if isinstance(expr.constant, int) and not isinstance(expr.constant, bool):
        return str(expr.constant)
    whole = f"CAST({expr.sql} AS BIGINT)"
    if expr.type.name == "NUMBER" and expr.type.precision > INT64_DIGITS and not _is_long(expr, expr.atom):
        # The engine makes integers of its 128-bit decimals twenty times slower than of those of 64 bits.
        return f"coalesce(CAST(TRY_CAST({expr.sql} AS DECIMAL({INT64_DIGITS},{expr.type.scale})) AS BIGINT), {whole})"
    return whole
