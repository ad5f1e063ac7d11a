"""Window functions: ranks, neighbours, first and last values, events; and the frame a window has by default.

Sources: docs.snowflake.com/en/sql-reference/functions-window, .../functions-window-syntax.
"""

from __future__ import annotations

import re

from polynya.dialect import arithmetic, casts
from polynya.dialect.expression import Expr, derive, null, once
from polynya.dialect.functions.aggregate import numeric, whole_constant
from polynya.dialect.registry import Call, window
from polynya.errors import compilation_error
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import BOOLEAN, FLOAT, INTEGER, NULL, number

_RANK = number(18, 0)
# The ORDER BY of a window with an explicit frame.
_FRAMED_ORDER = re.compile(r"[ (]ORDER BY (.*) (?:ROWS|RANGE) BETWEEN (?:(?! BETWEEN ).)*\)\Z", re.DOTALL)
_WHOLE_PARTITION = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
_SO_FAR = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
_NO_BUCKETS = raise_sql(100065, "22014", "'NTILE argument must be at least 1'")
_DEFAULT_FRAMES = {
    "FIRST_VALUE": _WHOLE_PARTITION, "LAST_VALUE": _WHOLE_PARTITION, "NTH_VALUE": _WHOLE_PARTITION,
    "RATIO_TO_REPORT": _WHOLE_PARTITION, "CONDITIONAL_TRUE_EVENT": _SO_FAR, "CONDITIONAL_CHANGE_EVENT": _SO_FAR,
}  # fmt: skip


def default_frame(function: str, has_order: bool) -> str:
    """The frame of a window that names none, where DuckDB's own default differs from Snowflake's; else "".

    Args:
        function: upper-case name.
        has_order: whether the window has an ORDER BY; without one it always is the whole partition.
    """
    return _DEFAULT_FRAMES.get(function, "") if has_order else ""


def _ordered(call: Call) -> None:
    """Raises 002077 for a window without the ORDER BY that the function needs."""
    if not call.window_order:
        raise compilation_error(
            2077,
            "42601",
            f"Window function type [{call.name}] requires ORDER BY in window specification",
            call.position,
        )


# --- ranks ------------------------------------------------------------------------------------------------------------


@window("ROW_NUMBER", "RANK", "DENSE_RANK", args=0)
def rank(call: Call) -> Expr:
    """With a frame of its own, RANK counts the frame's rows only."""
    _ordered(call)
    framed = _FRAMED_ORDER.search(call.over) if call.name == "RANK" else None
    order = f"ORDER BY {framed[1]}" if framed else ""
    return derive(call.windowed_call(f"{call.name.lower()}({order})"), _RANK, nullable=False)


@window("PERCENT_RANK", "CUME_DIST", args=0)
def relative_rank(call: Call) -> Expr:
    _ordered(call)
    return derive(call.windowed_call(f"{call.name.lower()}()"), FLOAT, nullable=False)


@window("NTILE", args=1)
def ntile(call: Call) -> Expr:
    _ordered(call)
    buckets = call.arg(0, INTEGER)
    count = f"CAST({buckets.sql} AS BIGINT)"
    checked = f"CASE WHEN {count} > 0 THEN {count} ELSE {_NO_BUCKETS} END" if not buckets.constant else count
    return derive(call.windowed_call(f"ntile({checked})"), _RANK, buckets, nullable=False)


# --- neighbours -------------------------------------------------------------------------------------------------------


def _ignoring_nulls(call: Call) -> str:
    return " IGNORE NULLS" if call.ignore_nulls else ""


@window("LAG", "LEAD", args=(1, 3))
def neighbour(call: Call) -> Expr:
    _ordered(call)
    value = call.arg(0)
    distance = whole_constant(call, 1, 1)
    default = call.arg(2) if len(call) > 2 else null(value.type)
    common = casts.common_type([value.type, default.type])
    if common is None:
        raise call.wrong_types()
    value, default = (casts.to_common(expr, common, call.context) for expr in (value, default))
    arguments = f"{value.sql}, {distance}" if default.constant is None else f"{value.sql}, {distance}, {default.sql}"
    nullable = value.nullable or default.nullable
    return derive(
        call.windowed_call(f"{call.name.lower()}({arguments}{_ignoring_nulls(call)})"), common, value, nullable=nullable
    )


@window("FIRST_VALUE", "LAST_VALUE", args=1)
def end_value(call: Call) -> Expr:
    _ordered(call)
    value = call.arg(0)
    sql = call.windowed_call(f"{call.name.lower()}({value.sql}{_ignoring_nulls(call)})")
    return derive(sql, value.type, value, nullable=True)


@window("NTH_VALUE", args=2)
def nth_value(call: Call) -> Expr:
    _ordered(call)
    value, position = call.arg(0), whole_constant(call, 1)
    if position < 1:
        raise compilation_error(1015, "22023", "The second argument of NTH_VALUE must be positive.", call.position)
    return derive(
        call.windowed_call(f"nth_value({value.sql}, {position}{_ignoring_nulls(call)})"),
        value.type,
        value,
        nullable=True,
    )


# --- shares and events ------------------------------------------------------------------------------------------------


@window("RATIO_TO_REPORT", args=1)
def ratio_to_report(call: Call) -> Expr:
    value = numeric(call)
    kind = FLOAT if value.type == FLOAT else number(38, value.type.scale)
    total = Expr(f"nullif({call.windowed_call(f'sum({value.sql})')}, 0)", kind)
    return arithmetic.divide(value, total)


@window("CONDITIONAL_TRUE_EVENT", args=1)
def conditional_true_event(call: Call) -> Expr:
    """The number of rows so far where the condition is true."""
    _ordered(call)
    condition = call.arg(0, BOOLEAN)
    return derive(call.windowed_call(f"count_if({condition.sql})"), _RANK, condition, nullable=False)


@window("CONDITIONAL_CHANGE_EVENT", args=1)
def conditional_change_event(call: Call) -> Expr:
    """The number of changes of a value so far; a change from or to NULL is none."""
    _ordered(call)
    value = call.arg(0)
    if value.type == NULL:
        return Expr("0::DECIMAL(18,0)", _RANK, False)
    so_far = call.windowed_call(f"list({casts.groupable(value).sql})")
    changes = once(lambda values: f"len(list_filter({values}, lambda x, i: i > 1 AND x <> {values}[i - 1]))", so_far)
    return derive(changes, _RANK, value, nullable=False)
