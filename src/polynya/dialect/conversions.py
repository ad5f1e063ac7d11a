"""The DuckDB SQL of every explicit cast, by the pair of types.

Source: docs.snowflake.com/en/sql-reference/data-type-conversion. Dates and times are in ``temporal``, semi-structured
values in ``semistructured``.
"""

from __future__ import annotations

from polynya.catalog.context import Context
from polynya.dialect import semistructured, temporal
from polynya.dialect.engine_functions import MACROS
from polynya.dialect.expression import Expr, decimal_text, once
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import MAX_BINARY, MAX_VARCHAR, VARIANT, SqlType

_TEMPORAL = {"DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"}


def convert(expr: Expr, target: SqlType, context: Context, attempt: bool) -> str | None:
    """The DuckDB SQL of a cast, fit to be a function's argument or an operand.

    Args:
        expr: what to cast; not of type NULL.
        target: the type wanted.
        context: session parameters (formats, time zone).
        attempt: NULL instead of an error for a value that cannot be converted.

    Returns:
        SQL of type ``target.duckdb``, or None if Snowflake has no such cast.
    """
    source = expr.type
    if source.is_semistructured:
        sql = semistructured.from_variant_sql(expr, target, context, attempt)
        return _fit_text(sql, target) if sql and target.name == "VARCHAR" and target.length < MAX_VARCHAR else sql
    if target.name == "VARIANT":
        return semistructured.to_variant_sql(expr)
    if target.name == "ARRAY":
        held = Expr(semistructured.to_variant_sql(expr), VARIANT, expr.nullable)
        return semistructured.from_variant_sql(held, target, context, attempt)
    if target.name in _TEMPORAL:
        return temporal.convert(expr, target, context, attempt)
    match target.name:
        case "NUMBER":
            return _to_number(expr, target, attempt)
        case "FLOAT":
            return _to_float(expr, attempt)
        case "BOOLEAN":
            return _to_boolean(expr, attempt)
        case "VARCHAR":
            return _to_varchar(expr, target, context)
        case "BINARY":
            return _to_binary(expr, target, context, attempt)
        case "GEOGRAPHY" | "GEOMETRY" if source.name == "VARCHAR":
            return place_sql(expr.sql, target, attempt)
    return None


def place_sql(text: str, target: SqlType, attempt: bool) -> str:
    """SQL of a GEOGRAPHY or GEOMETRY read from text (WKT, WKB or GeoJSON)."""
    return f"sf_place({text}, '{target.name}', {str(attempt).upper()})::JSON"


def or_fail(body: str, value: str, failure: str | None) -> str:
    """``body``, and an error where it is NULL though the value is not.

    Args:
        body: SQL of the converted value, NULL where it could not be.
        value: SQL of the value; written once more.
        failure: SQL that raises the error, or None for no error.
    """
    return body if failure is None else f"coalesce({body}, CASE WHEN {value} IS NULL THEN NULL ELSE {failure} END)"


# --- NUMBER -----------------------------------------------------------------------------------------------------------


def fixed_name(target: SqlType) -> str:
    """NUMBER as Snowflake's errors write it, by the bytes it takes, e.g. ``FIXED[SB4](9,2)``."""
    size = next(size for digits, size in ((2, 1), (4, 2), (9, 4), (18, 8), (38, 16)) if target.precision <= digits)
    return f"FIXED[SB{size}]({target.precision},{target.scale}){{nullable}}"


def out_of_range(value: str, target: SqlType) -> str:
    """SQL that raises 100046: a number too large for a NUMBER type."""
    text = f"Number out of representable range: type {fixed_name(target)}, value "
    return raise_sql(100046, "22003", f"concat('{text}', {value})")


def try_number(value: str, target: SqlType) -> str:
    """SQL that reads text as a NUMBER, rounding half away from zero; NULL where it is none.

    Args:
        value: SQL of the text, an operand that may be written several times.
        target: NUMBER.
    """
    # The engine reads 1_000, which Snowflake does not. DECIMAL of more than 18 digits is read 200 times slower than
    # a shorter one, so the shorter is tried first.
    text = f"CASE WHEN contains({value}, '_') THEN NULL ELSE {value} END"
    whole = f"TRY_CAST({text} AS {target.duckdb})"
    if target.precision <= 18:
        return whole
    if target.scale > 12:
        short = f"CASE WHEN regexp_full_match({value}, '[+-]?\\d{{0,9}}(\\.\\d{{1,9}})?') THEN {value} END"
        return f"coalesce(CAST(TRY_CAST({short} AS DECIMAL(18,9)) AS {target.duckdb}), {whole})"
    return f"coalesce(CAST(TRY_CAST({text} AS DECIMAL(18,{target.scale})) AS {target.duckdb}), {whole})"


def _to_number(expr: Expr, target: SqlType, attempt: bool) -> str | None:
    source = expr.type
    if source.name == "VARCHAR":

        def read(v: str) -> str:
            unknown = raise_sql(100038, "22018", f"concat('Numeric value ''', {v}, ''' is not recognized')")
            too_large = raise_sql(100039, "22003", f"concat('Numeric value ''', {v}, ''' is out of range')")
            numeric = f"isfinite(TRY_CAST({v} AS DOUBLE)) AND NOT contains({v}, '_')"
            failure = f"CASE WHEN {numeric} THEN {too_large} ELSE {unknown} END"
            return or_fail(try_number(v, target), v, None if attempt else failure)

        return once(read, expr)
    if source.name == "NUMBER":
        if target.precision - target.scale >= source.precision - source.scale + (target.scale < source.scale):
            return f"CAST({expr.sql} AS {target.duckdb})"
        return once(
            lambda v: or_fail(f"TRY_CAST({v} AS {target.duckdb})", v, None if attempt else out_of_range(v, target)),
            expr,
        )
    if source.name == "FLOAT":

        def round_float(v: str) -> str:
            # Through text where the binary fraction would show in the digits kept.
            text = f"CAST({v} AS VARCHAR)" if target.scale > 14 else v
            return or_fail(f"TRY_CAST({text} AS {target.duckdb})", v, None if attempt else out_of_range(v, target))

        return once(round_float, expr)
    if source.name == "BOOLEAN":
        if target.precision > target.scale:
            return f"CAST({expr.sql} AS {target.duckdb})"
        return once(
            lambda v: or_fail(f"TRY_CAST({v} AS {target.duckdb})", v, None if attempt else out_of_range(v, target)),
            expr,
        )
    return None


# --- FLOAT ------------------------------------------------------------------------------------------------------------


def try_float(value: str) -> str:
    """SQL that reads text as a FLOAT; NULL where it is none. The value is written several times."""
    return f"TRY_CAST(CASE WHEN contains({value}, '_') THEN NULL ELSE {value} END AS DOUBLE)"


def _to_float(expr: Expr, attempt: bool) -> str | None:
    match expr.type.name:
        case "VARCHAR":

            def read(v: str) -> str:
                unknown = raise_sql(100038, "22018", f"concat('Numeric value ''', {v}, ''' is not recognized')")
                return or_fail(try_float(v), v, None if attempt else unknown)

            return once(read, expr)
        case "NUMBER":
            return f"CAST({expr.sql} AS DOUBLE)"
    return None


# --- BOOLEAN ----------------------------------------------------------------------------------------------------------

MACROS.append(
    """sf_try_boolean(v) AS CASE WHEN lower(v) IN ('true', 't', 'yes', 'y', 'on', '1') THEN TRUE
        WHEN lower(v) IN ('false', 'f', 'no', 'n', 'off', '0') THEN FALSE END"""
)


def try_boolean(value: str) -> str:
    """SQL that reads text as a BOOLEAN; NULL where it is none."""
    return f"sf_try_boolean({value})"


def _to_boolean(expr: Expr, attempt: bool) -> str | None:
    match expr.type.name:
        case "VARCHAR":

            def read(v: str) -> str:
                unknown = raise_sql(100037, "22018", f"concat('Boolean value ''', {v}, ''' is not recognized')")
                return or_fail(try_boolean(v), v, None if attempt else unknown)

            return once(read, expr)
        case "NUMBER":
            return f"({expr.atom} <> 0)"
        case "FLOAT":

            def nonzero(v: str) -> str:
                failure = "NULL" if attempt else raise_sql(
                    100037, "22018", f"concat('Boolean value ''', sf_float_text({v}), ''' is not recognized')"
                )  # fmt: skip
                return f"CASE WHEN isfinite({v}) THEN {v} <> 0 WHEN {v} IS NOT NULL THEN {failure} END"

            return f"({once(nonzero, expr)})"
    return None


# --- VARCHAR ----------------------------------------------------------------------------------------------------------

# Nine digits after the point, as Snowflake writes a FLOAT; with an exponent if it is very large or small.
MACROS.append(
    """sf_float_text(v) AS CASE
        WHEN NOT isfinite(v) THEN CASE WHEN isnan(v) THEN 'NaN' WHEN v > 0 THEN 'inf' ELSE '-inf' END
        WHEN v = trunc(v) AND abs(v) < 1e15 THEN v::BIGINT::VARCHAR
        WHEN abs(v) >= 1e-4 AND abs(v) < 1e15 THEN round(v, 9)::VARCHAR
        ELSE regexp_replace(format('{:.9e}', v), '\\.?0+e', 'e') END"""
)


def float_text(expr: Expr) -> str:
    """SQL of a FLOAT's text."""
    return once(lambda v: f"sf_float_text({v})", expr)


def text_sql(expr: Expr, context: Context) -> str | None:
    """SQL of a scalar's text by the session's output formats, or None if it has none."""
    match expr.type.name:
        case "VARCHAR" | "BOOLEAN":
            return f"CAST({expr.sql} AS VARCHAR)"
        case "NUMBER":
            return decimal_text(expr.sql, expr.type)
        case "FLOAT":
            return float_text(expr)
        case "BINARY":
            return binary_text(expr.sql, str(context.parameter("BINARY_OUTPUT_FORMAT")))
        case "DATE" | "TIME" | "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return temporal.text(expr, None, context)
        case "VECTOR" | "GEOGRAPHY" | "GEOMETRY" | "FILE":
            return f"CAST({expr.sql} AS VARCHAR)"
    return None


def _to_varchar(expr: Expr, target: SqlType, context: Context) -> str | None:
    if expr.type.name == "VARCHAR":
        if target.length >= min(expr.type.length, MAX_VARCHAR):
            return expr.sql
        return f"left({expr.sql}, {target.length})"
    text = text_sql(expr, context)
    if text is None or target.length >= _most_characters(expr.type):
        return text

    return _fit_text(text, target)


def _fit_text(text: str, target: SqlType) -> str:
    """100078 for text longer than its VARCHAR."""

    def fit(v: str) -> str:
        too_long = raise_sql(100078, "22000", f"concat('String ''', {v}, ''' is too long and would be truncated')")
        return f"CASE WHEN length({v}) <= {target.length} THEN {v} WHEN {v} IS NOT NULL THEN {too_long} END"

    return f"({once(fit, text)})"


def _most_characters(source: SqlType) -> int:
    """How long a scalar's text may be."""
    match source.name:
        case "NUMBER":
            return source.precision + 2 + (source.scale == source.precision)
        case "BOOLEAN":
            return 5
        case "BINARY":
            return 2 * source.length
    return 60


# --- BINARY -----------------------------------------------------------------------------------------------------------


def binary_text(value: str, form: str) -> str | None:
    """SQL of a BINARY's text.

    Args:
        value: SQL of the BLOB.
        form: HEX, BASE64 or UTF-8.
    """
    match form.upper():
        case "HEX":
            return f"hex({value})"
        case "BASE64":
            return f"to_base64({value})"
        case "UTF-8" | "UTF8":
            return f"decode({value})"
    return None


def parse_binary(value: str, form: str, attempt: bool) -> str | None:
    """SQL that reads text as BINARY; the value is written several times.

    Args:
        value: SQL of the text, an operand.
        form: HEX, BASE64 or UTF-8.
        attempt: NULL instead of an error.
    """
    kind = form.upper()
    if kind in ("UTF-8", "UTF8"):
        return f"encode({value})"
    if kind not in ("HEX", "BASE64"):
        return None
    name = "hex" if kind == "HEX" else "base64"
    failure = None if attempt else raise_sql(
        100115, "22000", f"concat('The following string is not a legal {name}-encoded value: ''', {value}, '''')"
    )  # fmt: skip
    if kind == "HEX":
        body = f"CASE WHEN regexp_full_match({value}, '([0-9A-Fa-f]{{2}})*') THEN unhex({value}) END"
    else:
        body = f"TRY(from_base64({value}))"
    return or_fail(body, value, failure)


def _to_binary(expr: Expr, target: SqlType, context: Context, attempt: bool) -> str | None:
    if expr.type.name == "BINARY":
        return expr.sql if target.length >= expr.type.length else _fit_binary(expr.atom, target)
    if expr.type.name != "VARCHAR":
        return None
    form = str(context.parameter("BINARY_INPUT_FORMAT"))
    sql = once(lambda v: parse_binary(v, form, attempt) or "NULL", expr)
    return sql if target.length >= MAX_BINARY else _fit_binary(sql, target)


def _fit_binary(sql: str, target: SqlType) -> str:
    def fit(v: str) -> str:
        too_long = raise_sql(
            100145, "22000", f"concat('Binary value ''', hex({v}), ''' is too long and would be truncated')"
        )
        return f"CASE WHEN octet_length({v}) <= {target.length} THEN {v} WHEN {v} IS NOT NULL THEN {too_long} END"

    return f"({once(fit, sql)})"
