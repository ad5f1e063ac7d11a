"""Conversion functions: TO_CHAR, TO_NUMBER, TO_DATE ... and their TRY_ forms, with formats.

TO_VARIANT, TO_OBJECT, TO_ARRAY and TO_JSON are in ``semistructured``.
Source: docs.snowflake.com/en/sql-reference/functions-conversion.
"""

from __future__ import annotations

from dataclasses import replace

from polynya.dialect import conversions, number_formats, temporal
from polynya.dialect.expression import Expr, derive, null, once
from polynya.dialect.functions.date_construction import mapped_timestamp
from polynya.dialect.functions.datetime import is_temporal
from polynya.dialect.registry import Call, scalar
from polynya.errors import compilation_error, invalid_value
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT,
    NULL,
    TIME,
    TIMESTAMP_LTZ,
    TIMESTAMP_NTZ,
    TIMESTAMP_TZ,
    VARCHAR,
    SqlType,
    number,
)


def _attempt(call: Call) -> bool:
    """Whether it is a TRY_ function, which takes only strings.

    Raises:
        SnowflakeError: 001044 for another argument.
    """
    if not call.name.startswith("TRY_"):
        return False
    if call.arg(0).type.name not in ("VARCHAR", "NULL"):
        raise call.wrong_types()
    return True


def _cast(call: Call, expr: Expr, target: SqlType, attempt: bool) -> Expr:
    """A cast, 001044 where there is none."""
    if expr.type == NULL:
        return null(target)
    if expr.type == target:
        return expr
    sql = conversions.convert(expr, target, call.context, attempt)
    if sql is None:
        raise call.wrong_types()
    return derive(sql, target, expr, nullable=expr.nullable or attempt or expr.type.name == "VARIANT")


# --- to text ----------------------------------------------------------------------------------------------------------


@scalar("TO_CHAR", "TO_VARCHAR", args=(1, 2))
def to_char(call: Call) -> Expr:
    expr = call.arg(0)
    if len(call) == 1 or call.arg(1).type == NULL:
        return expr if expr.type.name == "VARCHAR" else _cast(call, expr, VARCHAR, False)
    model = call.arg(1, VARCHAR)
    if expr.type == NULL:
        return null(VARCHAR)
    if expr.type.name == "VARCHAR":  # a date or time written as a string
        expr = _cast(call, expr, TIMESTAMP_NTZ, False)
    if expr.type.is_numeric:
        digits = f"CAST({expr.sql} AS VARCHAR)"
        return derive(number_formats.format_sql(digits, model.sql), VARCHAR, expr, model)
    if is_temporal(expr.type):
        return derive(temporal.text(expr, model, call.context), VARCHAR, expr, model)
    if expr.type.name == "BINARY" and isinstance(model.constant, str):
        sql = conversions.binary_text(expr.sql, model.constant)
        if sql is None:
            raise _bad_binary_format(model.constant)
        return derive(sql, VARCHAR, expr)
    raise call.wrong_types()


# --- to numbers -------------------------------------------------------------------------------------------------------


@scalar("TO_NUMBER", "TO_DECIMAL", "TO_NUMERIC", "TRY_TO_NUMBER", "TRY_TO_DECIMAL", "TRY_TO_NUMERIC", args=(1, 4))
def to_number(call: Call) -> Expr:
    attempt = _attempt(call)
    expr = call.arg(0)
    formatted = len(call) > 1 and call.arg(1).type.name in ("VARCHAR", "NULL")
    first = 2 if formatted else 1
    if len(call) > first + 2:
        raise call.wrong_types()
    precision, scale = call.constant(first, 38), call.constant(first + 1, 0)
    if not isinstance(precision, int) or not 1 <= precision <= 38:
        raise invalid_value(f"invalid value [{precision}] for parameter 'precision'")
    if not isinstance(scale, int) or not 0 <= scale <= min(precision, 37):
        raise invalid_value(f"invalid value [{scale}] for parameter 'scale'")
    target = number(precision, scale)
    if not formatted or call.arg(1).type == NULL:
        if expr.type.name == "VARIANT" or expr.type.is_numeric or expr.type.name in ("VARCHAR", "BOOLEAN", "NULL"):
            return _cast(call, expr, target, attempt)
        raise call.wrong_types()
    if expr.type.name not in ("VARCHAR", "NULL"):
        raise call.wrong_types()
    model = call.arg(1, VARCHAR)
    return _parse_number(call.arg(0, VARCHAR), model, target, attempt)


def _parse_number(expr: Expr, model: Expr, target: SqlType, attempt: bool) -> Expr:
    """A NUMBER or FLOAT read by a format model."""

    def read(v: str, m: str) -> str:
        unknown = raise_sql(
            100140, "22007", f"concat('Can''t parse ''', {v}, ''' as number with format ''', {m}, '''')"
        )
        body = f"TRY_CAST({number_formats.parse_sql(v, m)} AS {target.duckdb})"
        return conversions.or_fail(body, f"({v} || {m})", None if attempt else unknown)

    return derive(once(read, expr, model), target, expr, model, nullable=True if attempt else None)


@scalar("TO_DOUBLE", "TRY_TO_DOUBLE", args=(1, 2))
def to_double(call: Call) -> Expr:
    attempt = _attempt(call)
    if len(call) == 2 and call.arg(1).type != NULL:
        if call.arg(0).type.name not in ("VARCHAR", "NULL"):
            raise call.wrong_types()
        return _parse_number(call.arg(0, VARCHAR), call.arg(1, VARCHAR), FLOAT, attempt)
    return _cast(call, call.arg(0), FLOAT, attempt)


@scalar("TO_BOOLEAN", "TRY_TO_BOOLEAN", args=1)
def to_boolean(call: Call) -> Expr:
    return _cast(call, call.arg(0), BOOLEAN, _attempt(call))


# --- to binary --------------------------------------------------------------------------------------------------------


@scalar("TO_BINARY", "TRY_TO_BINARY", args=(1, 2))
def to_binary(call: Call) -> Expr:
    attempt = _attempt(call)
    expr = call.arg(0)
    if expr.type.name in ("BINARY", "NULL", "VARIANT") or len(call) == 1:
        return _cast(call, expr, BINARY, attempt)
    if expr.type.name != "VARCHAR":
        raise call.wrong_types()
    form = call.constant(1)
    if form is None:
        return null(BINARY)
    if str(form).upper() not in ("HEX", "BASE64", "UTF-8", "UTF8"):
        raise _bad_binary_format(str(form))
    sql = once(lambda v: conversions.parse_binary(v, str(form), attempt) or "NULL", expr)
    return derive(sql, BINARY, expr, nullable=True if attempt else None)


def _bad_binary_format(form: str) -> Exception:
    return compilation_error(100137, "22023", f"Unsupported binary format '{form}'")


# --- to dates and times -----------------------------------------------------------------------------------------------


def _as_fine(target: SqlType, digits: int) -> SqlType:
    """A timestamp made of a number has as many fractional digits as the number."""
    return replace(target, precision=min(digits, 9))


def _to_temporal(call: Call, target: SqlType) -> Expr:
    attempt = _attempt(call)
    expr = call.arg(0)
    if len(call) == 1 or call.arg(1).type == NULL:
        if expr.type.is_numeric and not target.is_timestamp:
            raise call.wrong_types()
        converted = _cast(call, expr, target, attempt)
        return converted.typed(_as_fine(target, expr.type.scale)) if expr.type.name == "NUMBER" else converted
    second = call.arg(1)
    if expr.type == NULL:
        return null(target)
    if second.type.name == "NUMBER":
        if not target.is_timestamp or not expr.type.is_numeric:
            raise call.wrong_types()
        scale = call.constant(1)
        if not isinstance(scale, int) or not 0 <= scale <= 9:
            raise invalid_value(f"invalid value [{scale}] for parameter 'scale'")
        sql = temporal.from_epoch(expr, target, call.context, scale)
        return derive(sql, _as_fine(target, scale + expr.type.scale), expr)
    if expr.type.name == "VARIANT":
        expr = _cast(call, expr, VARCHAR, False)
    if expr.type.name != "VARCHAR" or second.type.name != "VARCHAR":
        raise call.wrong_types()
    sql = temporal.parse(expr, target, second, call.context, attempt)
    return derive(sql, target, expr, second, nullable=True if attempt else None)


@scalar("TO_DATE", "DATE", "TRY_TO_DATE", args=(1, 2))
def to_date(call: Call) -> Expr:
    return _to_temporal(call, DATE)


@scalar("TO_TIME", "TIME", "TRY_TO_TIME", args=(1, 2))
def to_time(call: Call) -> Expr:
    return _to_temporal(call, TIME)


@scalar("TO_TIMESTAMP", "TRY_TO_TIMESTAMP", args=(1, 2))
def to_timestamp(call: Call) -> Expr:
    return _to_temporal(call, mapped_timestamp(call.context))


@scalar("TO_TIMESTAMP_NTZ", "TRY_TO_TIMESTAMP_NTZ", args=(1, 2))
def to_timestamp_ntz(call: Call) -> Expr:
    return _to_temporal(call, TIMESTAMP_NTZ)


@scalar("TO_TIMESTAMP_LTZ", "TRY_TO_TIMESTAMP_LTZ", args=(1, 2))
def to_timestamp_ltz(call: Call) -> Expr:
    return _to_temporal(call, TIMESTAMP_LTZ)


@scalar("TO_TIMESTAMP_TZ", "TRY_TO_TIMESTAMP_TZ", args=(1, 2))
def to_timestamp_tz(call: Call) -> Expr:
    return _to_temporal(call, TIMESTAMP_TZ)
