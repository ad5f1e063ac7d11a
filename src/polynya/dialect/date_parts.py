"""Date and time parts: every spelling Snowflake takes -> the part's name.

Source: docs.snowflake.com/en/sql-reference/functions-date-time#supported-date-and-time-parts.
"""

from __future__ import annotations

from polynya.errors import SnowflakeError, compilation_error

# Parts that are spans of time: DATEADD, DATEDIFF, DATE_TRUNC, INTERVAL.
UNITS = {
    **dict.fromkeys(("year", "y", "yy", "yyy", "yyyy", "yr", "years", "yrs"), "year"),
    **dict.fromkeys(("quarter", "q", "qtr", "qtrs", "quarters"), "quarter"),
    **dict.fromkeys(("month", "mm", "mon", "mons", "months"), "month"),
    **dict.fromkeys(("week", "w", "wk", "weekofyear", "woy", "wy", "weeks"), "week"),
    **dict.fromkeys(("day", "d", "dd", "days", "dayofmonth"), "day"),
    **dict.fromkeys(("hour", "h", "hh", "hr", "hours", "hrs"), "hour"),
    **dict.fromkeys(("minute", "m", "mi", "min", "minutes", "mins"), "minute"),
    **dict.fromkeys(("second", "s", "sec", "seconds", "secs"), "second"),
    **dict.fromkeys(("millisecond", "ms", "msec", "milliseconds"), "millisecond"),
    **dict.fromkeys(("microsecond", "us", "usec", "microseconds"), "microsecond"),
    **dict.fromkeys(("nanosecond", "ns", "nsec", "nanosec", "nsecond", "nanoseconds", "nanosecs", "nseconds"), "nanosecond"),
}  # fmt: skip

# Parts that can only be read from a value: DATE_PART, EXTRACT.
_FIELDS = {
    **dict.fromkeys(("dayofweek", "weekday", "dow", "dw"), "dayofweek"),
    **dict.fromkeys(("dayofweekiso", "dayofweek_iso", "weekday_iso", "dow_iso", "dw_iso"), "dayofweekiso"),
    **dict.fromkeys(("dayofyear", "yearday", "doy", "dy"), "dayofyear"),
    **dict.fromkeys(("weekiso", "week_iso", "weekofyeariso", "weekofyear_iso"), "weekiso"),
    "yearofweek": "yearofweek",
    "yearofweekiso": "yearofweekiso",
    **dict.fromkeys(("epoch_second", "epoch", "epoch_seconds"), "epoch_second"),
    **dict.fromkeys(("epoch_millisecond", "epoch_milliseconds"), "epoch_millisecond"),
    **dict.fromkeys(("epoch_microsecond", "epoch_microseconds"), "epoch_microsecond"),
    **dict.fromkeys(("epoch_nanosecond", "epoch_nanoseconds"), "epoch_nanosecond"),
    **dict.fromkeys(("timezone_hour", "tzh"), "timezone_hour"),
    **dict.fromkeys(("timezone_minute", "tzm"), "timezone_minute"),
}
FIELDS = {**{name: part for name, part in UNITS.items() if part not in ("millisecond", "microsecond")}, **_FIELDS}

MONTHS = {"year": 12, "quarter": 3, "month": 1}
DAYS = {"week": 7, "day": 1}
# Spans below the day, in microseconds; a nanosecond is less than one.
MICROSECONDS = {
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1_000,
    "microsecond": 1,
}


def unit(name: str, function: str, position: tuple[int, int] | None = None) -> str:
    """The span of time that a word names.

    Raises:
        SnowflakeError: 001037 if there is none of that name.
    """
    return _look_up(UNITS, name, function, position)


def field(name: str, function: str, position: tuple[int, int] | None = None) -> str:
    """The part that DATE_PART reads for a word.

    Raises:
        SnowflakeError: 001037 if there is none of that name.
    """
    return _look_up(FIELDS, name, function, position)


def _look_up(table: dict[str, str], name: str, function: str, position: tuple[int, int] | None) -> str:
    found = table.get(name.lower())
    if found is None:
        raise not_a_part(name, function, position)
    return found


def not_a_part(name: str, function: str, position: tuple[int, int] | None = None) -> SnowflakeError:
    """001037: the word names no date or time part that the function takes."""
    return compilation_error(
        1037, "22023", f"'{name.upper()}' is not a valid date/time component for function {function}.", position
    )
