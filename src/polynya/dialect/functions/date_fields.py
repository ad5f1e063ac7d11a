"""Fields of dates, times and timestamps: DATE_PART, YEAR, WEEK, DAYNAME, and days found from others: LAST_DAY, NEXT_DAY.

Sources: docs.snowflake.com/en/sql-reference/functions-date-time, .../functions-date-time#calendar-weeks-and-weekdays.
"""

from __future__ import annotations

from polynya.catalog.context import Context
from polynya.dialect import date_parts, temporal
from polynya.dialect.expression import Expr, derive, once
from polynya.dialect.functions.datetime import temporal_arg, week_shift
from polynya.dialect.registry import Call, scalar
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import DATE, VARCHAR, number, varchar

# Digits of a field's NUMBER; fields with an instant need more.
_DIGITS = {"year": 4, "yearofweek": 4, "yearofweekiso": 4, "dayofyear": 3, "nanosecond": 9, "epoch_second": 18,
           "epoch_millisecond": 18, "epoch_microsecond": 18, "epoch_nanosecond": 38}  # fmt: skip
# Fields that one engine function reads from a DATE or TIMESTAMP.
_PLAIN = {"year": "year", "quarter": "quarter", "month": "month", "day": "day", "dayofyear": "dayofyear",
          "dayofweekiso": "isodow", "weekiso": "week", "yearofweekiso": "isoyear", "hour": "hour", "minute": "minute",
          "second": "second"}  # fmt: skip
_EPOCH = {
    "epoch_second": "// 1000000",
    "epoch_millisecond": "// 1000",
    "epoch_microsecond": "",
    "epoch_nanosecond": "* 1000",
}
_TIME_FIELDS = {"hour", "minute", "second", "nanosecond", "epoch_second", "epoch_millisecond", "epoch_microsecond",
                "epoch_nanosecond"}  # fmt: skip


@scalar("DATE_PART", "EXTRACT", args=2)
def date_part(call: Call) -> Expr:
    name = date_parts.field(call.keyword(0), call.name, call.position)
    return _field(call, 1, name)


def _field(call: Call, index: int, name: str) -> Expr:
    expr = temporal_arg(call, index)
    if expr.type.name == "TIME" and name not in _TIME_FIELDS:
        raise call.wrong_types()
    result = number(_DIGITS.get(name, 2), 0)
    return derive(f"CAST({field_sql(expr, name, call.context)} AS {result.duckdb})", result, expr)


def field_sql(expr: Expr, name: str, context: Context) -> str:
    """SQL (an integer) of a field of a date, time or timestamp.

    Args:
        expr: what to read.
        name: of ``date_parts.FIELDS``.
        context: session parameters.
    """
    if name in _EPOCH:
        if expr.type.name in ("TIMESTAMP_LTZ", "TIMESTAMP_TZ"):
            micros = f"epoch_us({temporal.instant(expr, context)})"
        else:
            micros = f"epoch_us({temporal.wall(expr, context)})"
        if name == "epoch_nanosecond":
            return f"CAST({micros} AS HUGEINT) * 1000"
        # Whole seconds before 1970 are counted downwards.
        divisor = {"epoch_second": 1_000_000, "epoch_millisecond": 1_000}.get(name)
        return (
            micros
            if divisor is None
            else once(lambda n: f"({n} - (({n} % {divisor}) + {divisor}) % {divisor}) // {divisor}", micros)
        )
    if name in ("timezone_hour", "timezone_minute"):
        minutes = temporal.offset(expr, context)
        if minutes is None:
            return f"CASE WHEN {expr.atom} IS NOT NULL THEN 0 END"
        return f"{minutes} // 60" if name == "timezone_hour" else f"{minutes} % 60"
    clock = expr.sql if expr.type == DATE else temporal.wall(expr, context)
    if name in _PLAIN:
        return f"{_PLAIN[name]}({clock})"
    if name == "nanosecond":
        return f"(microsecond({clock}) % 1000000) * 1000"
    return _week_field(clock, name, context)


def _week_field(clock: str, name: str, context: Context) -> str:
    """WEEK, YEAROFWEEK and DAYOFWEEK by the parameters WEEK_START and WEEK_OF_YEAR_POLICY."""
    start = int(context.parameter("WEEK_START") or 0)
    shift = week_shift(context)
    if name == "dayofweek":
        if start == 0:
            return f"dayofweek({clock})"
        return f"isodow({clock})" if shift == 0 else f"(isodow({clock}) - 1 + {7 - shift}) % 7 + 1"
    if int(context.parameter("WEEK_OF_YEAR_POLICY") or 0):
        # The week of January 1 is the year's first, whole or not.
        if name == "yearofweek":
            return f"year({clock})"
        return once(
            lambda d: (
                f"(dayofyear({d}) - 1 + (isodow(make_date(year({d})::INTEGER, 1, 1)) - 1 + {7 - shift}) % 7) // 7 + 1"
            ),
            clock,
        )
    if shift == 0:
        return f"week({clock})" if name == "week" else f"isoyear({clock})"
    # A week belongs to the year of its fourth day.
    middle = once(lambda d: f"({d} + to_days(3 - CAST((isodow({d}) - 1 + {7 - shift}) % 7 AS INTEGER)))", clock)
    return f"year({middle})" if name == "yearofweek" else f"(dayofyear({middle}) - 1) // 7 + 1"


def _register(name: str, field: str) -> None:
    @scalar(name, args=1)
    def bind(call: Call) -> Expr:
        return _field(call, 0, field)


for _name, _part in {
    "YEAR": "year", "QUARTER": "quarter", "MONTH": "month", "DAY": "day", "DAYOFMONTH": "day", "DAYOFWEEK": "dayofweek",
    "DAYOFWEEKISO": "dayofweekiso", "DAYOFYEAR": "dayofyear", "WEEK": "week", "WEEKOFYEAR": "week", "WEEKISO": "weekiso",
    "YEAROFWEEK": "yearofweek", "YEAROFWEEKISO": "yearofweekiso", "HOUR": "hour", "MINUTE": "minute", "SECOND": "second",
}.items():  # fmt: skip
    _register(_name, _part)


@scalar("DAYNAME", "MONTHNAME", args=1)
def short_name(call: Call) -> Expr:
    expr = _day_arg(call, 0)
    pattern = "%a" if call.name == "DAYNAME" else "%b"
    return derive(f"strftime({_clock(expr, call.context)}, '{pattern}')", varchar(3), expr)


def _day_arg(call: Call, index: int) -> Expr:
    """An argument that has a day: a date or timestamp."""
    expr = temporal_arg(call, index)
    if expr.type.name == "TIME":
        raise call.wrong_types()
    return expr


def _clock(expr: Expr, context: Context) -> str:
    return expr.sql if expr.type == DATE else temporal.wall(expr, context)


@scalar("LAST_DAY", args=(1, 2))
def last_day(call: Call) -> Expr:
    expr = _day_arg(call, 0)
    unit = date_parts.unit(call.keyword(1), call.name, call.position) if len(call) > 1 else "month"
    clock = _clock(expr, call.context)
    shift = week_shift(call.context)
    match unit:
        case "month":
            sql = f"last_day({clock})"
        case "quarter" | "year":
            sql = f"CAST(date_trunc('{unit}', {clock}) + INTERVAL 1 {unit} - INTERVAL 1 day AS DATE)"
        case "week":
            sql = f"CAST(date_trunc('week', {clock} - to_days({shift})) + to_days({shift + 6}) AS DATE)"
        case _:
            raise date_parts.not_a_part(unit, call.name, call.position)
    return derive(sql, DATE, expr)


_WEEKDAYS = "['mo', 'tu', 'we', 'th', 'fr', 'sa', 'su']"


@scalar("NEXT_DAY", "PREVIOUS_DAY", args=2)
def other_day(call: Call) -> Expr:
    expr, day = _day_arg(call, 0), call.arg(1, VARCHAR)
    clock = f"CAST({_clock(expr, call.context)} AS DATE)"

    def find(date: str, word: str) -> str:
        unknown = raise_sql(100273, "22023", f"concat('''', {word}, ''' is not a day of the week')")
        wanted = f"list_position({_WEEKDAYS}, lower(left(trim({word}), 2)))"
        checked = f"coalesce({wanted}, CASE WHEN {word} IS NULL THEN NULL ELSE {unknown} END)"
        if call.name == "NEXT_DAY":
            return f"({date} + CAST(({checked} - isodow({date}) + 6) % 7 + 1 AS INTEGER))"
        return f"({date} - CAST((isodow({date}) - {checked} + 6) % 7 + 1 AS INTEGER))"

    return derive(once(find, clock, day), DATE, expr, day)
