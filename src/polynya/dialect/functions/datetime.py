"""Arithmetic with dates, times and timestamps: DATEADD, DATEDIFF, DATE_TRUNC, TIME_SLICE and the operators + and -.

Sources: docs.snowflake.com/en/sql-reference/functions-date-time.
"""

from __future__ import annotations

from datetime import date, timedelta

from polynya.catalog.context import Context
from polynya.dialect import casts, date_parts, temporal
from polynya.dialect.date_parts import DAYS, MICROSECONDS, MONTHS
from polynya.dialect.expression import Expr, as_bigint, derive, null, once
from polynya.dialect.registry import Call, scalar
from polynya.errors import SnowflakeError, compilation_error, invalid_argument_types
from polynya.types.sqltype import DATE, INTEGER, NULL, TIMESTAMP_NTZ, SqlType, number


def is_temporal(sql_type: SqlType) -> bool:
    """Whether it is a date, time or timestamp."""
    return sql_type.name in ("DATE", "TIME") or sql_type.is_timestamp


def temporal_arg(call: Call, index: int, default: SqlType = TIMESTAMP_NTZ) -> Expr:
    """An argument that is a date, time or timestamp; a string or VARIANT is read as the default type.

    Raises:
        SnowflakeError: 001044 for other types.
    """
    expr = call.arg(index)
    if is_temporal(expr.type):
        return expr
    if expr.type.name in ("VARCHAR", "VARIANT", "NULL"):
        return call.arg(index, default)
    raise _wrong_types(call, expr)


def _wrong_types(call: Call, *values: Expr) -> SnowflakeError:
    """001044 of a function whose other arguments may be words such as ``day``."""
    return invalid_argument_types(call.name, [str(value.type) for value in values], call.position)


def week_shift(context: Context) -> int:
    """Days by which the session's weeks begin after Monday (parameter WEEK_START)."""
    return max(int(context.parameter("WEEK_START") or 0) - 1, 0)


# --- addition ---------------------------------------------------------------------------------------------------------


def add(expr: Expr, amount: str, unit: str, context: Context) -> Expr:
    """A date, time or timestamp moved by a number of units.

    A DATE moved by less than days is a TIMESTAMP_NTZ. A timestamp_ltz moves by days and months on the session's
    clock, a timestamp_tz on its own.

    Args:
        expr: what to move.
        amount: SQL of a whole number.
        unit: of ``date_parts.UNITS``.
        context: session parameters.
    """
    if unit in MICROSECONDS or unit == "nanosecond":
        return _add_time(expr, amount, unit, context)
    span = f"to_months({_times(amount, MONTHS[unit])})" if unit in MONTHS else f"to_days({_times(amount, DAYS[unit])})"
    if expr.type.name == "TIME":
        raise compilation_error(1044, "42P13", f"Invalid argument types for function 'DATEADD': ({expr.type})")
    if expr.type == DATE:
        if unit in DAYS:
            return derive(f"({expr.atom} + {_times(amount, DAYS[unit])})", DATE, expr)
        return derive(f"CAST({expr.atom} + {span} AS DATE)", DATE, expr)
    return derive(temporal.on_the_clock(expr, lambda wall: f"({wall} + {span})", context), expr.type, expr)


def _times(amount: str, factor: int) -> str:
    product = amount if factor == 1 else f"{amount} * {factor}"
    return f"CAST({product} AS INTEGER)"


def _add_time(expr: Expr, amount: str, unit: str, context: Context) -> Expr:
    if unit == "nanosecond":  # the engine has microseconds
        span = f"CAST(floor(CAST({amount} AS BIGINT) / 1000) AS BIGINT)"
    else:
        span = f"CAST({amount} AS BIGINT)" + (f" * {MICROSECONDS[unit]}" if MICROSECONDS[unit] > 1 else "")
    match expr.type.name:
        case "DATE":
            return derive(f"(CAST({expr.sql} AS TIMESTAMP) + to_microseconds({span}))", TIMESTAMP_NTZ, expr)
        case "TIME":
            return derive(f"CAST({temporal.wall(expr, context)} + to_microseconds({span}) AS TIME)", expr.type, expr)
        case "TIMESTAMP_TZ":
            sql = once(
                lambda v: f'sf_tz(make_timestamptz(epoch_us({v}.instant::TIMESTAMPTZ) + {span}), {v}."offset")', expr
            )
            return derive(sql, expr.type, expr)
        case "TIMESTAMP_LTZ":
            return derive(f"make_timestamptz(epoch_us({expr.sql}) + {span})", expr.type, expr)
    return derive(f"({expr.atom} + to_microseconds({span}))", expr.type, expr)


@scalar("DATEADD", "TIMEADD", "TIMESTAMPADD", args=3)
def dateadd(call: Call) -> Expr:
    unit = date_parts.unit(call.keyword(0), call.name, call.position)
    expr = temporal_arg(call, 2)
    amount = call.arg(1)
    if amount.type == NULL or expr.type == NULL:
        return null(expr.type)
    if not amount.type.is_numeric:
        amount = call.arg(1, INTEGER)
    if expr.type.name == "TIME" and (unit in MONTHS or unit in DAYS):
        raise _wrong_types(call, expr)
    moved = add(expr, as_bigint(amount), unit, call.context)
    return derive(moved.sql, moved.type, expr, amount)


@scalar("ADD_MONTHS", args=2)
def add_months(call: Call) -> Expr:
    expr = temporal_arg(call, 0, DATE if call.arg(0).type == NULL else TIMESTAMP_NTZ)
    if expr.type.name == "TIME":
        raise call.wrong_types()
    months = call.arg(1) if call.arg(1).type.is_numeric else call.arg(1, INTEGER)
    span = f"to_months(CAST({as_bigint(months)} AS INTEGER))"

    def move(wall: str) -> str:
        # From the last day of a month to the last day of the other.
        def moved(day: str) -> str:
            target = f"({day} + {span})"
            last = f"(last_day({target}) + ({day} - date_trunc('day', {day})))"
            return f"CASE WHEN last_day({day}) = CAST({day} AS DATE) THEN {last} ELSE {target} END"

        return f"({once(moved, wall)})"

    if expr.type == DATE:
        return derive(f"CAST({move(f'CAST({expr.sql} AS TIMESTAMP)')} AS DATE)", DATE, expr, months)
    return derive(temporal.on_the_clock(expr, move, call.context), expr.type, expr, months)


# --- operators --------------------------------------------------------------------------------------------------------


def add_days(expr: Expr, days: Expr) -> Expr:
    """``date + number``: a DATE moved by whole days.

    Args:
        expr: DATE.
        days: NUMBER.
    """
    return derive(f"({expr.atom} + CAST({as_bigint(days)} AS INTEGER))", DATE, expr, days)


def date_difference(left: Expr, right: Expr) -> Expr:
    """``date - date``: days, NUMBER(9,0)."""
    return derive(f"CAST({left.atom} - {right.atom} AS DECIMAL(9,0))", number(9, 0), left, right)


def add_interval(expr: Expr, parts: list[tuple[int, str]], sign: int, context: Context) -> Expr:
    """``expr + INTERVAL '...'``: the parts are added in order.

    Args:
        expr: a date, time or timestamp.
        parts: (amount, unit of ``date_parts.UNITS``).
        sign: 1 or -1.
        context: session parameters.
    """
    for amount, unit in parts:
        expr = add(expr, str(sign * amount), unit, context)
    return expr


# --- differences ------------------------------------------------------------------------------------------------------


@scalar("DATEDIFF", "TIMEDIFF", "TIMESTAMPDIFF", args=3)
def datediff(call: Call) -> Expr:
    unit = date_parts.unit(call.keyword(0), call.name, call.position)
    kinds = [call.arg(index).type for index in (1, 2)]
    known = [kind for kind in kinds if is_temporal(kind)]
    default = known[0] if known else TIMESTAMP_NTZ
    start, end = (temporal_arg(call, index, default) for index in (1, 2))
    common = casts.common_type([start.type, end.type])
    if common is None or (common.name == "TIME" and (unit in MONTHS or unit in DAYS)):
        raise _wrong_types(call, start, end)
    start, end = (casts.to_common(expr, common, call.context) for expr in (start, end))
    sql = difference(start, end, unit, call.context)
    return derive(sql, number(9, 0) if unit in MONTHS or unit in DAYS else number(18, 0), start, end)


def difference(start: Expr, end: Expr, unit: str, context: Context) -> str:
    """SQL (DECIMAL) of how many boundaries of a unit lie between two values of one type."""
    small = unit in MICROSECONDS or unit == "nanosecond"
    first, second = (
        f"timezone('UTC', {temporal.instant(expr, context)})"
        if small and expr.type.name in ("TIMESTAMP_LTZ", "TIMESTAMP_TZ")
        else expr.sql
        if expr.type == DATE and not small
        else temporal.wall(expr, context)
        for expr in (start, end)
    )
    if unit == "nanosecond":
        return f"CAST(CAST(date_diff('microsecond', {first}, {second}) AS DECIMAL(35,0)) * 1000 AS DECIMAL(18,0))"
    if unit == "week":  # the engine's own difference of weeks does not count Mondays
        days = f"date_diff('day', {_truncated(first, unit, context)}, {_truncated(second, unit, context)})"
        return f"CAST({days} // 7 AS DECIMAL(9,0))"
    digits = 18 if small else 9
    return f"CAST(date_diff('{unit}', {first}, {second}) AS DECIMAL({digits},0))"


@scalar("MONTHS_BETWEEN", args=2)
def months_between(call: Call) -> Expr:
    first, second = temporal_arg(call, 0), temporal_arg(call, 1)
    if "TIME" in (first.type.name, second.type.name):
        raise call.wrong_types()
    result = number(38, 6)

    def months(a: str, b: str) -> str:
        whole = f"(year({a}) - year({b})) * 12 + month({a}) - month({b})"
        ends = " AND ".join(f"last_day({x}) = CAST({x} AS DATE)" for x in (a, b))
        rest = (
            f"(epoch_us({a} - date_trunc('month', {a})) - epoch_us({b} - date_trunc('month', {b}))) / 2678400000000.0"
        )
        return (
            f"CASE WHEN day({a}) = day({b}) OR ({ends}) THEN CAST({whole} AS {result.duckdb}) "
            f"ELSE CAST(CAST({whole} AS DOUBLE) + {rest} AS {result.duckdb}) END"
        )

    sql = once(months, temporal.wall(first, call.context), temporal.wall(second, call.context))
    return derive(f"({sql})", result, first, second)


# --- truncation -------------------------------------------------------------------------------------------------------


@scalar("DATE_TRUNC", args=2)
def date_trunc(call: Call) -> Expr:
    unit = date_parts.unit(call.keyword(0), call.name, call.position)
    expr = temporal_arg(call, 1)
    if expr.type == DATE:
        if (unit not in MONTHS and unit not in DAYS) or unit == "day":
            return expr
        return derive(f"CAST({_truncated(expr.sql, unit, call.context)} AS DATE)", DATE, expr)
    if unit in ("microsecond", "nanosecond"):
        return expr
    if expr.type.name == "TIME":
        if unit in MONTHS or unit in DAYS:
            raise _wrong_types(call, expr)
        wall = temporal.wall(expr, call.context)
        return derive(f"CAST(date_trunc('{unit}', {wall}) AS TIME)", expr.type, expr)
    if expr.type.name == "TIMESTAMP_LTZ" and unit in MICROSECONDS:
        # On the instant: an hour that the clock shows twice stays the one it is.
        size, zone = MICROSECONDS[unit], temporal.session_zone(call.context)
        wall = f"epoch_us(timezone({zone}, {{0}}))"
        past = f"(({wall} % {size}) + {size}) % {size}"
        sql = once(lambda v: f"make_timestamptz(epoch_us({v}) - {past.format(v)})", expr)
    else:
        sql = temporal.on_the_clock(expr, lambda clock: _truncated(clock, unit, call.context), call.context)
    return derive(sql, expr.type, expr)


def _truncated(wall: str, unit: str, context: Context) -> str:
    shift = week_shift(context)
    if unit == "week" and shift:
        return f"(date_trunc('week', {wall} - to_days({shift})) + to_days({shift}))"
    return f"date_trunc('{unit}', {wall})"


@scalar("TIME_SLICE", args=(3, 4))
def time_slice(call: Call) -> Expr:
    expr = temporal_arg(call, 0)
    length = call.constant(1)
    unit = date_parts.unit(call.keyword(2), call.name, call.position)
    side = call.keyword(3) if len(call) > 3 else "start"
    if not isinstance(length, int) or length < 1:
        raise compilation_error(
            1015, "22023", f"Slice length of TIME_SLICE must be 1 or more, not {length}.", call.position
        )
    if side not in ("start", "end"):
        raise compilation_error(
            1015, "22023", f"Argument 4 of TIME_SLICE must be 'START' or 'END', not '{side}'.", call.position
        )
    small = unit in MICROSECONDS or unit == "nanosecond"
    if expr.type.name == "TIME" or (expr.type == DATE and small) or unit == "nanosecond":
        raise call.wrong_types()
    origin = date(1970, 1, 1)
    if unit in MONTHS:
        span = f"to_months({length * MONTHS[unit]})"
    elif unit in DAYS:
        span = f"to_days({length * DAYS[unit]})"
        if unit == "week":  # the week of that day
            origin = date(1969, 12, 22) + timedelta(days=(week_shift(call.context) + 3) % 7 + 4)
    else:
        span = f"to_microseconds({length * MICROSECONDS[unit]})"
    later = f" + {span}" if side == "end" else ""

    def slice_of(wall: str) -> str:
        return f"(time_bucket({span}, {wall}, TIMESTAMP '{origin} 00:00:00'){later})"

    if expr.type == DATE:
        return derive(f"CAST({slice_of(f'CAST({expr.sql} AS TIMESTAMP)')} AS DATE)", DATE, expr)
    return derive(temporal.on_the_clock(expr, slice_of, call.context), expr.type, expr)
