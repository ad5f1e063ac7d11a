"""Frames of windows: ``ROWS BETWEEN 1 PRECEDING AND CURRENT ROW``, ``RANGE BETWEEN INTERVAL '1 DAY' PRECEDING ...``.

Source: docs.snowflake.com/en/sql-reference/functions-window-syntax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from polynya.dialect.expression import Expr
from polynya.dialect.intervals import interval_parts
from polynya.errors import compilation_error

if TYPE_CHECKING:
    from polynya.dialect.binder import Binder

_CODE = 2302  # for frames that cannot be


def frame_sql(spec: exp.WindowSpec, order: list[Expr], binder: Binder) -> str:
    """DuckDB's text of a frame.

    Args:
        spec: as parsed.
        order: the window's ORDER BY.
        binder: of the scope, for offsets.

    Raises:
        SnowflakeError: where the frame ends before it starts, or its offsets do not suit the ORDER BY.
    """
    kind = str(spec.args.get("kind") or "ROWS").upper()
    start, start_side = spec.args.get("start"), str(spec.args.get("start_side") or "").upper()
    end, end_side = spec.args.get("end"), str(spec.args.get("end_side") or "").upper()
    if end is None:
        end = "CURRENT ROW"
    if _place(start, start_side) > _place(end, end_side):
        raise compilation_error(_CODE, "42601", "Invalid window frame: it ends before it starts.")
    if kind == "RANGE":
        _check_range([start, end], order)
    dated = bool(order) and (order[0].type.name == "DATE" or order[0].type.is_timestamp)
    texts = [
        _bound(value, side, dated and kind == "RANGE", binder) for value, side in ((start, start_side), (end, end_side))
    ]
    return f"{kind} BETWEEN {texts[0]} AND {texts[1]}"


def _place(value: Any, side: str) -> int:
    """Where a bound is: before, at or behind the current row."""
    if isinstance(value, str) and value.upper() == "CURRENT ROW":
        return 0
    distance = 2 if isinstance(value, str) else 1
    return -distance if side == "PRECEDING" else distance


def _check_range(bounds: list[Any], order: list[Expr]) -> None:
    offsets = [bound for bound in bounds if isinstance(bound, exp.Expr)]
    intervals = [isinstance(offset, exp.Interval) for offset in offsets]
    if any(intervals) and not all(intervals):
        raise compilation_error(_CODE, "42601", "Mixing numeric and interval frames is not supported.")
    if offsets and len(order) != 1:
        raise compilation_error(
            _CODE, "42601", "A window frame of RANGE with an offset requires exactly one ORDER BY expression."
        )
    if any(intervals) and order[0].type.is_numeric:
        raise compilation_error(
            _CODE, "42601", "A numeric ORDER BY clause only allows numeric window frame boundaries."
        )
    if offsets and order[0].type.name in ("VARCHAR", "BOOLEAN", "BINARY"):
        raise compilation_error(
            _CODE, "42601", f"Sliding window frame of RANGE is not supported for ORDER BY of type {order[0].type}."
        )


def _bound(value: Any, side: str, in_days: bool, binder: Binder) -> str:
    if isinstance(value, str):
        return f"{value.upper()} {side}".strip()
    if isinstance(value, exp.Interval):
        text = " + ".join(f"INTERVAL ({amount}) {unit}" for amount, unit in interval_parts(value))
        return f"{text} {side}"
    offset = binder.expression(value)
    return f"to_days(CAST({offset.sql} AS INTEGER)) {side}" if in_days else f"{offset.sql} {side}"
