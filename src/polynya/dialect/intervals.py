"""INTERVAL '1 year, 2 days' -> amounts and units.

Source: docs.snowflake.com/en/sql-reference/data-types-datetime#interval-constants.
"""

from __future__ import annotations

import re

from sqlglot import exp

from polynya.dialect.date_parts import UNITS
from polynya.errors import compilation_error

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
        unit = UNITS.get((match.group(2) or "second").lower()) if match else None
        if match is None or unit is None:
            raise compilation_error(1003, "42000", f"'{piece.strip()}' is no interval; write e.g. '2 days'.")
        parts.append((int(match.group(1)), unit))
    return parts
