"""Values of variables: Python values of the engine's Arrow forms, with their Snowflake types.

A NUMBER of scale 0 is an int, others are Decimals with all their fractional digits; semi-structured values are the
engine's JSON text.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa

from polynya.dialect.binds import Bind
from polynya.dialect.expression import Expr, boolean_literal, null, quote_string
from polynya.types import variant
from polynya.types.sqltype import BOOLEAN, FLOAT, INTEGER, NULL, VARCHAR, SqlType, binary, varchar

# What a variable's value is given as where SQL text holds it (DDL, CALL), by type.
_BIND_TYPES = {"NUMBER": "FIXED", "FLOAT": "REAL", "VARCHAR": "TEXT", "NULL": "ANY"}


class Value(NamedTuple):
    """A value and its type; None is NULL."""

    type: SqlType
    value: Any


NOTHING = Value(NULL, None)


def from_arrow(sql_type: SqlType, column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """A column of a result as values of variables."""
    items: list[Any] = column.to_pylist()
    if sql_type.name == "NUMBER" and not sql_type.scale:
        return [None if item is None else int(item) for item in items]
    return items


def normal(sql_type: SqlType, value: Any) -> Any:
    """A value from elsewhere (an argument of CALL) as variables have it."""
    if value is not None and sql_type.name == "NUMBER":
        return int(value) if not sql_type.scale else Decimal(value)
    return value


def row_type(sql_type: SqlType) -> SqlType:
    """The type that a column of a cursor's row has: GEOGRAPHY is an OBJECT there.

    Source: docs.snowflake.com/en/developer-guide/snowflake-scripting/cursors.
    """
    return SqlType("OBJECT") if sql_type.name in ("GEOGRAPHY", "GEOMETRY") else sql_type


def inferred(sql_type: SqlType) -> SqlType | None:
    """The type of a variable that is declared with a value only, or None where it must be said.

    Source: docs.snowflake.com/en/developer-guide/snowflake-scripting/variables: the flexible type of most room.
    """
    match sql_type.name:
        case "NUMBER":
            return FLOAT if sql_type.scale else INTEGER
        case "VARCHAR":
            return VARCHAR
        case "BINARY":
            return binary()
        case "NULL" | "VARIANT":
            return None
    return sql_type


def quick_conversion(value: Any, source: SqlType, target: SqlType) -> tuple[bool, Any]:
    """A value of one type as the other, where that takes no rounding, parsing or formatting.

    Returns:
        (whether it could be done here, the value).
    """
    if source == target or value is None:
        return True, value
    if source.name != target.name:
        exact = source.name == "NUMBER" and target.name == "FLOAT" and abs(value) < exact_below(source)
        return (True, float(value)) if exact else (False, None)
    if target.name == "NUMBER" and source.scale <= target.scale:
        if abs(value) >= 10 ** (target.precision - target.scale):
            return False, None
        if not target.scale:
            return True, value
        return True, Decimal(value).quantize(Decimal(1).scaleb(-target.scale))
    if target.name == "VARCHAR":
        return len(value) <= target.length, value
    if target.name == "BINARY":
        return len(value) <= target.length, value
    if source.is_timestamp or source.name == "TIME":
        return target.precision >= 6, value  # microseconds are all that is stored
    return False, None


def exact_below(sql_type: SqlType) -> int | Decimal:
    """The magnitude below which a NUMBER becomes the same FLOAT here as in the engine; 0 if there is none."""
    if not sql_type.scale:
        return 1 << 53
    return Decimal(1 << 53).scaleb(-sql_type.scale) if sql_type.scale <= 22 else 0


# --- values in SQL ----------------------------------------------------------------------------------------------------


def bind(value: Value) -> Bind:
    """A value as a bind variable of a statement.

    Args:
        value: of a variable.
    """
    kind = _BIND_TYPES.get(value.type.name, value.type.name)
    return Bind(kind, plain_text(value), literal(value), written(value))


def literal(value: Value) -> Expr:
    """A value as a bound expression of its type."""
    sql_type, item = value
    if item is None:
        return null(sql_type)
    match sql_type.name:
        case "NUMBER":
            return Expr(
                f"CAST({item:f} AS {sql_type.duckdb})"
                if isinstance(item, Decimal)
                else f"CAST({item} AS {sql_type.duckdb})",
                sql_type,
                False,
                item,
            )
        case "FLOAT":
            return Expr(f"'{item!r}'::DOUBLE", sql_type, False, item)
        case "BOOLEAN":
            return boolean_literal(item)
        case "VARCHAR":
            return Expr(quote_string(item), sql_type, False, item)
        case "BINARY":
            return Expr(f"unhex('{item.hex()}')", sql_type, False)
        case "DATE":
            return Expr(f"DATE '{item.isoformat()}'", sql_type, False)
        case "TIME":
            return Expr(f"TIME '{item.isoformat()}'", sql_type, False)
        case "TIMESTAMP_NTZ":
            return Expr(f"TIMESTAMP '{item.isoformat(sep=' ')}'", sql_type, False)
        case "TIMESTAMP_LTZ":
            return Expr(f"TIMESTAMPTZ '{_in_utc(item)}+00'", sql_type, False)
        case "TIMESTAMP_TZ":
            instant = f"TIMESTAMPTZ '{_in_utc(item['instant'])}+00'"
            return Expr(f"{{'instant': {instant}, 'offset': {item['offset']}::SMALLINT}}", sql_type, False)
        case "VECTOR":
            return Expr(f"[{', '.join(map(repr, item))}]::{sql_type.duckdb}", sql_type, False)
    return Expr(f"{quote_string(item)}::JSON", sql_type, False)


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def plain_text(value: Value) -> str | None:
    """A value as the text that names an object, a file, a statement."""
    sql_type, item = value
    if item is None:
        return None
    match sql_type.name:
        case "NUMBER":
            return f"{item:f}" if isinstance(item, Decimal) else str(item)
        case "FLOAT":
            return repr(item)
        case "BOOLEAN":
            return "true" if item else "false"
        case "BINARY":
            return str(item.hex()).upper()
        case "TIMESTAMP_TZ":
            offset = timedelta(minutes=item["offset"])
            local = (item["instant"].astimezone(UTC) + offset).replace(tzinfo=None)
            sign = "-" if offset < timedelta(0) else "+"
            minutes = abs(item["offset"])
            return f"{local.isoformat(sep=' ')} {sign}{minutes // 60:02}{minutes % 60:02}"
        case "TIMESTAMP_LTZ":
            return f"{_in_utc(item)} +0000"
    if sql_type.is_semistructured:
        return variant.display_text(item, 0)
    if isinstance(item, datetime):
        return item.isoformat(sep=" ")
    return item.isoformat() if isinstance(item, date | time) else str(item)


def written(value: Value) -> str:
    """A value as Snowflake's SQL writes it, for statements that take no binds."""
    sql_type, item = value
    if item is None:
        return "NULL" if sql_type == NULL else f"NULL::{sql_type}"
    text = plain_text(value) or ""
    if sql_type.name == "NUMBER" or (sql_type == BOOLEAN):
        return text
    if sql_type.name == "FLOAT" and math.isfinite(item):
        return f"{text}::FLOAT"
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    if sql_type.name == "VARCHAR":
        return quoted
    if sql_type.name == "BINARY":
        return f"TO_BINARY({quoted}, 'HEX')"
    if sql_type.is_semistructured:
        parsed = f"PARSE_JSON({quoted})"
        return parsed if sql_type.name == "VARIANT" else f"{parsed}::{sql_type}"
    return f"{quoted}::{sql_type}"


def text_type(text: str) -> SqlType:
    """The type of a text of this length."""
    return varchar(max(len(text), 1))
