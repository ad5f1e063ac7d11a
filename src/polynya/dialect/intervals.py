"""INTERVAL '1 year, 2 days' -> amounts and units.

Source: docs.snowflake.com/en/sql-reference/data-types-datetime#interval-constants.
"""

from __future__ import annotations

import re

from sqlglot import exp

from polynya.errors import compilation_error

# Every spelling Snowflake takes -> the unit's name.
_UNITS = {
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
_PART = re.compile(r"\s*([+-]?\d+)\s*([A-Za-z]*)\s*")


def interval_parts(node: exp.Interval) -> list[tuple[int, str]]:
    """The (amount, unit) pairs of an interval constant, in order.

    Raises:
        SnowflakeError: for a text that is no interval.
    """
    text = node.this.name if node.this is not None else ""
    if node.args.get("unit") is not None:
        text = f"{text} {node.args['unit'].name}"
    parts = []
    for piece in text.split(","):
        match = _PART.fullmatch(piece)
        unit = _UNITS.get((match.group(2) or "second").lower()) if match else None
        if match is None or unit is None:
            raise compilation_error(1003, "42000", f"'{piece.strip()}' is no interval; write e.g. '2 days'.")
        parts.append((int(match.group(1)), unit))
    return parts
