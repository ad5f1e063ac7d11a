"""Bind values -> literals of the type the client named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from polynya.catalog.context import Context
from polynya.dialect import casts
from polynya.dialect.binds import Bind
from polynya.dialect.expression import Expr, boolean_literal, null, number_literal, quote_string, string_literal
from polynya.errors import SnowflakeError
from polynya.types import sqltype
from polynya.types.sqltype import SqlType

_TYPES: dict[str, SqlType] = {
    "FIXED": sqltype.INTEGER, "REAL": sqltype.FLOAT, "TEXT": sqltype.VARCHAR, "BOOLEAN": sqltype.BOOLEAN,
    "DATE": sqltype.DATE, "TIME": sqltype.TIME, "BINARY": sqltype.BINARY, "VARIANT": sqltype.VARIANT,
    "OBJECT": sqltype.OBJECT, "ARRAY": sqltype.ARRAY, "TIMESTAMP_NTZ": sqltype.TIMESTAMP_NTZ,
    "TIMESTAMP_LTZ": sqltype.TIMESTAMP_LTZ, "TIMESTAMP_TZ": sqltype.TIMESTAMP_TZ, "TIMESTAMP": sqltype.TIMESTAMP_NTZ,
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bind_type(bind: Bind) -> SqlType:
    """The Snowflake type of a bind."""
    if bind.literal is not None:
        return bind.literal.type
    return _TYPES.get(bind.type, sqltype.NULL if bind.type == "ANY" else sqltype.VARCHAR)


def bind_literal(bind: Bind, context: Context) -> Expr:
    """A bind's value as a literal.

    Args:
        bind: a single value (an array bind belongs to INSERT, see ``statements.dml``).
        context: session parameters.

    Raises:
        SnowflakeError: 002014 for a value that is not of its type.
    """
    if bind.literal is not None:
        return bind.literal
    if isinstance(bind.value, list):
        if len(bind.value) != 1:
            raise SnowflakeError(2014, "22000", "SQL compilation error:\nArray binds are for INSERT ... VALUES only.")
        return bind_literal(Bind(bind.type, bind.value[0]), context)
    sql_type, text = bind_type(bind), bind.value
    if text is None:
        return null(sqltype.NULL if bind.type in ("ANY", "TEXT") else sql_type)
    try:
        return _literal(sql_type, text, context)
    except ValueError:
        raise SnowflakeError(
            2014, "22000", f"SQL compilation error:\nBind value '{text}' is not of type {bind.type}."
        ) from None


def _literal(sql_type: SqlType, text: str, context: Context) -> Expr:
    match sql_type.name:
        case "NUMBER":
            negative = text.startswith("-")
            literal = number_literal(text.lstrip("+-"))
            if not negative:
                return literal
            return Expr(f"(-{literal.sql})", literal.type, False, -literal.constant)
        case "FLOAT":
            return Expr(f"{quote_string(str(float(text)))}::DOUBLE", sql_type, False, float(text))
        case "BOOLEAN":
            return boolean_literal(text.lower() in ("true", "1", "t", "yes", "y", "on"))
        case "DATE":
            if "-" in text[1:]:
                return Expr(f"DATE {quote_string(text)}", sql_type, False)
            day = date(1970, 1, 1) + timedelta(milliseconds=int(text))
            return Expr(f"DATE '{day.isoformat()}'", sql_type, False)
        case "TIME":
            if ":" in text:
                return Expr(f"TIME {quote_string(text)}", sql_type, False)
            return Expr(
                f"TIME '{(_EPOCH + timedelta(microseconds=int(text) // 1000)).time().isoformat()}'", sql_type, False
            )
        case "BINARY":
            return Expr(f"unhex({quote_string(text)})", sqltype.binary(max(len(text) // 2, 1)), False)
        case "VARIANT" | "OBJECT" | "ARRAY":
            return Expr(f"{quote_string(text)}::JSON", sql_type, False)
    if sql_type.is_timestamp:
        return _timestamp(sql_type, text, context)
    return string_literal(text)


def _timestamp(sql_type: SqlType, text: str, context: Context) -> Expr:
    """Nanoseconds since the epoch, for _TZ followed by the offset in minutes plus 1440; or a text with a date in it."""
    nanoseconds, _, offset = text.partition(" ")
    if not nanoseconds.lstrip("-").isdigit():
        return casts.cast(string_literal(text), sql_type, context)
    moment = (_EPOCH + timedelta(microseconds=int(nanoseconds) // 1000)).replace(tzinfo=None).isoformat(sep=" ")
    if sql_type.name == "TIMESTAMP_NTZ":
        return Expr(f"TIMESTAMP '{moment}'", sql_type, False)
    if sql_type.name == "TIMESTAMP_LTZ":
        return Expr(f"TIMESTAMPTZ '{moment}+00'", sql_type, False)
    minutes = int(offset) - 1440 if offset else 0
    return Expr(f"{{'instant': TIMESTAMPTZ '{moment}+00', 'offset': {minutes}::SMALLINT}}", sql_type, False)
