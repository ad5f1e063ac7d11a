"""Casts: explicit (``CAST``, ``::``), TRY_CAST and the implicit ones of operators and function arguments.

Sources: docs.snowflake.com/en/sql-reference/data-type-conversion.
"""

from __future__ import annotations

from dataclasses import replace

from polynya.catalog.context import Context
from polynya.dialect import collation
from polynya.dialect.expression import Expr, derive, null
from polynya.errors import compilation_error, unsupported
from polynya.types.sqltype import (
    BOOLEAN,
    FLOAT,
    MAX_VARCHAR,
    NULL,
    TIMESTAMP_NTZ,
    VARCHAR,
    VARIANT,
    SqlType,
    number,
    varchar,
)

_VARIANT_SCALE = 12  # fractional digits of a VARIANT beside a NUMBER

# A value of the left type becomes the right type by itself where an operator or a function wants that.
_IMPLICIT = {
    "NUMBER": {"FLOAT", "VARCHAR", "BOOLEAN", "VARIANT"},
    "FLOAT": {"NUMBER", "VARCHAR", "BOOLEAN", "VARIANT"},
    "BOOLEAN": {"VARCHAR", "NUMBER", "VARIANT"},
    "VARCHAR": {"NUMBER", "FLOAT", "BOOLEAN", "DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "VARIANT"},
    "DATE": {"VARCHAR", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "VARIANT"},
    "TIME": {"VARCHAR", "VARIANT"},
    "TIMESTAMP_NTZ": {"VARCHAR", "DATE", "TIME", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "VARIANT"},
    "TIMESTAMP_LTZ": {"VARCHAR", "DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_TZ", "VARIANT"},
    "TIMESTAMP_TZ": {"VARCHAR", "DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "VARIANT"},
    "BINARY": {"VARIANT"},
    "VARIANT": {"NUMBER", "FLOAT", "VARCHAR", "BOOLEAN", "DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ",
                "TIMESTAMP_TZ", "OBJECT", "ARRAY", "BINARY"},
    "OBJECT": {"VARIANT", "MAP"},
    "ARRAY": {"VARIANT", "VECTOR"},
    "MAP": {"OBJECT", "VARIANT"},
}  # fmt: skip


def coerce(expr: Expr, target: SqlType, context: Context) -> Expr | None:
    """An implicit cast, or None where Snowflake has none.

    Args:
        expr: what to cast.
        target: the type wanted. For NUMBER and VARCHAR arguments of functions only the family counts: a NUMBER stays
            as precise as it is, a VARCHAR keeps its length.
        context: session parameters (formats, time zone).
    """
    if expr.type.name == target.name and expr.type.name in ("NUMBER", "VARCHAR", "BINARY", "ARRAY", "OBJECT", "TIME"):
        return expr
    if expr.type.name == target.name and expr.type.is_timestamp:
        return expr
    if expr.type == target:
        return expr
    if expr.type == NULL:
        return null(target)
    if target.name not in _IMPLICIT.get(expr.type.name, ()):
        return None
    return cast(expr, target, context)


def common_type(types: list[SqlType]) -> SqlType | None:
    """The type to which values of all these types go (CASE, COALESCE, UNION, comparison), or None if there is none.

    Source: docs.snowflake.com/en/sql-reference/data-type-conversion, and measured results of Snowpark's public suite.
    """
    result = NULL
    for sql_type in types:
        merged = _merge(result, sql_type)
        if merged is None:
            return None
        result = merged
    return result


def _merge(left: SqlType, right: SqlType) -> SqlType | None:
    if left == right or right == NULL:
        return left
    if left == NULL:
        return right
    names = {left.name, right.name}
    if names == {"NUMBER"}:
        scale = max(left.scale, right.scale)
        whole = max(left.precision - left.scale, right.precision - right.scale)
        return number(min(whole + scale, 38), scale)
    if names == {"VARCHAR"}:
        return varchar(max(left.length, right.length))
    if len(names) == 1:
        if left.is_semistructured:
            return SqlType(left.name)
        return left if left.precision + left.length >= right.precision + right.length else right
    if "VARIANT" in names:
        return VARIANT
    if names == {"NUMBER", "FLOAT"}:
        return FLOAT
    if "VARCHAR" in names:
        other = left if right.name == "VARCHAR" else right
        # A string beside another type is read as that type; beside a NUMBER it may have more digits than that.
        if other.name == "NUMBER":
            return _merge(other, number(18, 5))
        return other if other.name in _IMPLICIT["VARCHAR"] else None
    if "BOOLEAN" in names and names & {"NUMBER", "FLOAT"}:
        return BOOLEAN if "NUMBER" in names else None
    if "DATE" in names and any(name.startswith("TIMESTAMP") for name in names):
        return left if left.is_timestamp else right
    if all(name.startswith("TIMESTAMP") for name in names):
        for name in ("TIMESTAMP_TZ", "TIMESTAMP_LTZ"):
            if name in names:
                return left if left.name == name else right
        return TIMESTAMP_NTZ
    if names == {"MAP", "OBJECT"}:
        return SqlType("OBJECT")
    return None


def cast(expr: Expr, target: SqlType, context: Context, *, attempt: bool = False) -> Expr:
    """An explicit cast.

    Args:
        expr: what to cast.
        target: the type wanted.
        context: session parameters (formats, time zone).
        attempt: TRY_CAST: NULL where the value cannot be converted.

    Raises:
        SnowflakeError: if the types cannot be cast at all.
    """
    source = expr.type
    if source == target:
        return expr
    if source == NULL:
        return null(target)
    from polynya.dialect import conversions

    sql = conversions.convert(expr, target, context, attempt)
    if sql is None:
        raise compilation_error(
            1007,
            "22023",
            f"invalid type [CAST({expr.sql} AS {target})] for parameter 'TO_{target.name}'",
        )
    structured = target.element is not None or target.fields is not None
    nullable = expr.nullable or attempt or source.name == "VARIANT" or structured
    return derive(sql, target, expr, nullable=nullable, simple=True)


def as_text(expr: Expr, context: Context) -> Expr:
    """The expression as VARCHAR, by the session's output formats."""
    return expr if expr.type.name == "VARCHAR" else cast(expr, VARCHAR, context)


def comparison_type(left: SqlType, right: SqlType) -> SqlType | None:
    """The type in which two values are compared, or None if they cannot be."""
    names = {left.name, right.name}
    if "VARIANT" in names and left.name != right.name:
        other = left if right.name == "VARIANT" else right
        if other.name == "NUMBER":  # a VARIANT may hold more digits than the other side has
            return number(38, max(other.scale, _VARIANT_SCALE))
        if other == NULL or other.is_semistructured:
            return VARIANT
        return replace(other, length=MAX_VARCHAR) if other.name == "VARCHAR" else other
    if names == {"BOOLEAN", "FLOAT"}:
        return BOOLEAN
    common = common_type([left, right])
    if common is not None and common.name == "VARCHAR":
        return replace(common, collation=collation.merged(left, right))
    return common


def comparable(expr: Expr, common: SqlType, context: Context) -> Expr:
    """An operand of a comparison: in the common type, TIMESTAMP_TZ as its instant, strings by their collation.

    Numbers of different precision are compared as they are; the engine aligns them.
    """
    if expr.type.name == common.name == "VARCHAR":
        return collation.comparison_key(expr, common.collation) if common.collation else expr
    if expr.type.name == common.name == "NUMBER":
        return expr
    converted = expr if expr.type == common else to_common(expr, common, context)
    return converted if common.name == "VARIANT" else sortable(converted)


def sortable(expr: Expr) -> Expr:
    """An expression by which rows can be ordered and compared: TIMESTAMP_TZ by its instant, VARIANT by kind and value,
    strings by their collation."""
    if expr.type.name == "TIMESTAMP_TZ":
        return derive(f"{expr.atom}.instant", expr.type, expr)
    if expr.type.name == "VARIANT":
        return derive(f"sf_sort_key({expr.sql})", expr.type, expr)
    if expr.type.collation:
        return collation.comparison_key(expr, expr.type.collation)
    return expr


def groupable(expr: Expr) -> Expr:
    """An expression by which rows can be grouped."""
    if expr.type.collation:
        if collation.equates(expr.type.collation):
            raise unsupported(f"GROUP BY a string of collation '{expr.type.collation}'")
        return expr
    return expr if expr.type.name == "VARIANT" else sortable(expr)


def to_common(expr: Expr, common: SqlType, context: Context) -> Expr:
    """A value cast to the type it shares with others; lengths of strings are left alone."""
    if expr.type == common or expr.type.name == common.name == "VARCHAR":
        return expr.typed(common)
    if expr.type == NULL:
        return null(common)
    if expr.type.name == common.name == "NUMBER":
        return derive(f"CAST({expr.sql} AS {common.duckdb})", common, expr)
    return cast(expr, common, context)


def to_number_operand(expr: Expr, context: Context) -> Expr:
    """An operand of + - * / that is no number: a string is read as NUMBER(18,5), a VARIANT as FLOAT, TRUE as 1."""
    if expr.type == NULL:
        return null(number(38, 0))
    if expr.type == BOOLEAN:
        return derive(f"CAST({expr.atom}::TINYINT AS DECIMAL(1,0))", number(1, 0), expr)
    return cast(expr, number(18, 5) if expr.type.name == "VARCHAR" else FLOAT, context)


def widest(sql_type: SqlType) -> SqlType:
    """The type with the most room of its kind (columns of a recursive query, which grow)."""
    if sql_type.name == "NUMBER":
        return number(38, sql_type.scale)
    return varchar() if sql_type.name == "VARCHAR" else sql_type


def assign(expr: Expr, target: SqlType, context: Context) -> Expr:
    """A value as a column stores it: like a cast, but a string or binary too long is an error, not cut."""
    if expr.type == NULL:
        return null(target)
    if expr.type.name == target.name == "VARCHAR":
        if expr.type.length <= target.length:
            return expr.typed(target)
        return derive(too_long_check(expr.sql, target.length), target, expr)
    if expr.type.name == target.name == "NUMBER":
        return cast(expr, target, context)
    if target.name == "VARCHAR" and expr.type.name != "VARCHAR":
        return assign(cast(expr, VARCHAR, context), target, context)
    return cast(expr, target, context)


def too_long_check(sql: str, length: int) -> str:
    """SQL of a string that must not be longer than ``length`` characters: 100078 else."""
    from polynya.storage.errors import raise_sql

    message = "'String ''' || v || ''' is too long and would be truncated'"
    return f"list_transform([{sql}], lambda v: CASE WHEN length(v) > {length} THEN {raise_sql(100078, '22000', message)} ELSE v END)[1]"
