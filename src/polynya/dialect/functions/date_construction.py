"""Dates and times made from parts, from the clock, and moved between time zones.

Sources: docs.snowflake.com/en/sql-reference/functions-date-time, .../functions-context.
"""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from polynya.catalog.context import Context
from polynya.dialect import casts, temporal
from polynya.dialect.expression import Expr, as_bigint, derive, once, quote_string
from polynya.dialect.registry import Call, scalar
from polynya.errors import invalid_value
from polynya.types.sqltype import (
    DATE,
    INTEGER,
    TIME,
    TIMESTAMP_LTZ,
    TIMESTAMP_NTZ,
    TIMESTAMP_TZ,
    VARCHAR,
    SqlType,
    timestamp,
)

# --- from parts -------------------------------------------------------------------------------------------------------


def _whole(call: Call, index: int) -> Expr:
    """A part: a number, rounded."""
    expr = call.arg(index)
    return expr if expr.type.is_numeric else call.arg(index, INTEGER)


def _day_sql(year: str, month: str, day: str) -> str:
    """SQL of a DATE; months and days outside their range run over into the next or the previous years and months."""
    first = f"make_date(CAST({year} AS INTEGER), 1, 1)"
    return f"CAST({first} + to_months(CAST({month} - 1 AS INTEGER)) + to_days(CAST({day} - 1 AS INTEGER)) AS DATE)"


def _micros_sql(hour: str, minute: str, second: str, nanosecond: str | None) -> str:
    """SQL (BIGINT) of microseconds since midnight."""
    sql = f"(CAST({hour} AS BIGINT) * 3600 + {minute} * 60 + {second}) * 1000000"
    return sql if nanosecond is None else f"{sql} + CAST(floor({nanosecond} / 1000) AS BIGINT)"


@scalar("DATE_FROM_PARTS", "DATEFROMPARTS", args=3)
def date_from_parts(call: Call) -> Expr:
    parts = [_whole(call, index) for index in range(3)]
    return derive(_day_sql(*map(as_bigint, parts)), DATE, *parts)


@scalar("TIME_FROM_PARTS", "TIMEFROMPARTS", args=(3, 4))
def time_from_parts(call: Call) -> Expr:
    parts = [_whole(call, index) for index in range(len(call))]
    texts = [as_bigint(part) for part in parts]
    micros = _micros_sql(texts[0], texts[1], texts[2], texts[3] if len(texts) > 3 else None)
    return derive(f"CAST(make_timestamp({micros}) AS TIME)", TIME, *parts)


def _from_parts(call: Call, target: SqlType) -> Expr:
    if len(call) == 2:
        day, clock = call.arg(0, DATE), call.arg(1, TIME)
        wall, sources = f"({day.atom} + {clock.atom})", [day, clock]
        zone = None
    elif len(call) in (6, 7, 8):
        zoned = len(call) == 8
        parts = [_whole(call, index) for index in range(min(len(call), 7))]
        texts = [as_bigint(part) for part in parts]
        micros = _micros_sql(texts[3], texts[4], texts[5], texts[6] if len(texts) > 6 else None)
        wall, sources = f"({_day_sql(*texts[:3])} + to_microseconds({micros}))", parts
        zone = call.arg(7, VARCHAR) if zoned else None
    else:
        raise call.wrong_types()
    if zone is not None:
        if target != TIMESTAMP_TZ:
            raise call.wrong_types()
        sql = once(
            lambda w, z: once(lambda i: f"sf_tz({i}, sf_offset_at({z}, {i}))", f"timezone({z}, {w})"), wall, _zone(zone)
        )
        return derive(sql, target, *sources, zone)
    local = Expr(wall, TIMESTAMP_NTZ)
    return derive(
        local.sql if target == TIMESTAMP_NTZ else casts.cast(local, target, call.context).sql, target, *sources
    )


@scalar("TIMESTAMP_FROM_PARTS", "TIMESTAMPFROMPARTS", args=(2, 8))
def timestamp_from_parts(call: Call) -> Expr:
    if len(call) == 8:
        return _from_parts(call, TIMESTAMP_TZ)
    return _from_parts(call, mapped_timestamp(call.context))


@scalar("TIMESTAMP_NTZ_FROM_PARTS", "TIMESTAMPNTZFROMPARTS", args=(2, 7))
def timestamp_ntz_from_parts(call: Call) -> Expr:
    return _from_parts(call, TIMESTAMP_NTZ)


@scalar("TIMESTAMP_LTZ_FROM_PARTS", "TIMESTAMPLTZFROMPARTS", args=(2, 7))
def timestamp_ltz_from_parts(call: Call) -> Expr:
    return _from_parts(call, TIMESTAMP_LTZ)


@scalar("TIMESTAMP_TZ_FROM_PARTS", "TIMESTAMPTZFROMPARTS", args=(2, 8))
def timestamp_tz_from_parts(call: Call) -> Expr:
    return _from_parts(call, TIMESTAMP_TZ)


def mapped_timestamp(context: Context) -> SqlType:
    """What plain TIMESTAMP means in the session (parameter TIMESTAMP_TYPE_MAPPING)."""
    return timestamp(str(context.parameter("TIMESTAMP_TYPE_MAPPING")).removeprefix("TIMESTAMP_"))


# --- time zones -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    """Time zones by their names in lower case; found when first asked for, since that reads many files."""
    return {name.lower(): name for name in available_timezones()}


def _zone(expr: Expr) -> str:
    """SQL of a time zone's name.

    Raises:
        SnowflakeError: 001008 for a constant that names none.
    """
    if not isinstance(expr.constant, str):
        return expr.atom
    name = _zones().get(expr.constant.lower())
    if name is None:
        raise invalid_value(f"Unknown timezone: '{expr.constant}'")
    return quote_string(name)


@scalar("CONVERT_TIMEZONE", args=(2, 3))
def convert_timezone(call: Call) -> Expr:
    if len(call) == 3:
        source, target = call.arg(0, VARCHAR), call.arg(1, VARCHAR)
        value = call.arg(2)
        if value.type.name not in ("DATE", "TIMESTAMP_NTZ", "VARCHAR", "VARIANT", "NULL"):
            raise call.wrong_types()
        value = call.arg(2, TIMESTAMP_NTZ)
        sql = f"timezone({_zone(target)}, timezone({_zone(source)}, {value.sql}))"
        return derive(sql, TIMESTAMP_NTZ, source, target, value)
    target = call.arg(0, VARCHAR)
    value = call.arg(1)
    if not value.type.is_timestamp:
        value = call.arg(1, TIMESTAMP_TZ if value.type.name == "VARCHAR" else TIMESTAMP_NTZ)
    moment = temporal.instant(value, call.context)
    sql = once(lambda i, z: f"sf_tz({i}, sf_offset_at({z}, {i}))", moment, _zone(target))
    return derive(sql, TIMESTAMP_TZ, target, value)


# --- now --------------------------------------------------------------------------------------------------------------


def _now(call: Call, target: SqlType) -> Expr:
    """The moment at which the statement began, as the type wanted, in the session's time zone."""
    precision = call.constant(0, 9) if len(call) else 9
    if not isinstance(precision, int) or not 0 <= precision <= 9:
        raise invalid_value(f"invalid value [{precision}] for parameter 'precision'")
    started = call.context.statement_start.astimezone(UTC)
    moment = Expr(f"TIMESTAMPTZ '{started:%Y-%m-%d %H:%M:%S.%f}+00'", TIMESTAMP_LTZ, False)
    if target == TIMESTAMP_LTZ:
        result = moment
    else:
        zone = ZoneInfo(str(call.context.parameter("TIMEZONE")))
        local = started.astimezone(zone)
        text = {"DATE": f"DATE '{local:%Y-%m-%d}'", "TIME": f"TIME '{local:%H:%M:%S.%f}'"}.get(target.name)
        result = Expr(text or f"TIMESTAMP '{local:%Y-%m-%d %H:%M:%S.%f}'", target, False)
    if target == DATE:
        return result
    kind = SqlType(target.name, precision=precision)
    return Expr(temporal.cut(result.sql, kind), kind, False)


@scalar("CURRENT_TIMESTAMP", "GETDATE", "SYSTIMESTAMP", args=(0, 1))
def current_timestamp(call: Call) -> Expr:
    return _now(call, TIMESTAMP_LTZ)


@scalar("LOCALTIMESTAMP", args=(0, 1))
def localtimestamp(call: Call) -> Expr:
    return _now(call, TIMESTAMP_LTZ)


@scalar("CURRENT_DATE", args=0)
def current_date(call: Call) -> Expr:
    return _now(call, DATE)


@scalar("CURRENT_TIME", "LOCALTIME", args=(0, 1))
def current_time(call: Call) -> Expr:
    return _now(call, TIME)


@scalar("SYSDATE", args=0)
def sysdate(call: Call) -> Expr:
    started = call.context.statement_start.astimezone(UTC)
    return Expr(f"TIMESTAMP '{started:%Y-%m-%d %H:%M:%S.%f}'", TIMESTAMP_NTZ, False)
