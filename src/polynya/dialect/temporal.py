"""Dates, times and timestamps: between each other, from text and to text.

TIMESTAMP_TZ is a struct of the instant and its offset from UTC in minutes. "Wall" is a TIMESTAMP as a clock shows it.
Sources: docs.snowflake.com/en/sql-reference/data-types-datetime, .../date-time-input-output.
"""

from __future__ import annotations

from collections.abc import Callable

from polynya.catalog.context import Context
from polynya.dialect import formats
from polynya.dialect.engine_functions import MACROS
from polynya.dialect.expression import Expr, once, quote_string
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import SqlType

MACROS += [
    # the wall clock of a TIMESTAMP_TZ; casts keep the type where an argument is a bare NULL
    "sf_tz_wall(v) AS make_timestamp(epoch_us(v.instant::TIMESTAMPTZ) + v.\"offset\"::BIGINT * 60000000)",
    # the offset from UTC, in minutes, of a zone at an instant
    """sf_offset_at(zone, i) AS
        ((epoch_us(timezone(zone, i::TIMESTAMPTZ)) - epoch_us(i::TIMESTAMPTZ)) // 60000000)::SMALLINT""",
    # the instant of a wall clock at an offset in minutes
    "sf_instant(w, minutes) AS make_timestamptz(epoch_us(w::TIMESTAMP) - minutes::BIGINT * 60000000)",
    # a TIMESTAMP_TZ from its instant and offset; NULL if the instant is
    "sf_tz(i, minutes) AS CASE WHEN i IS NULL THEN NULL ELSE {'instant': i::TIMESTAMPTZ, 'offset': minutes::SMALLINT} END",
    # a TIMESTAMP_TZ from the wall clock and the offset
    "sf_tz_from_wall(w, minutes) AS sf_tz(sf_instant(w, minutes), minutes)",
    # microseconds since 1970 of a whole number given as text or value: seconds, or smaller units by its size
    """sf_epoch_us(n) AS CASE WHEN abs(n) < 31536000000 THEN n * 1000000 WHEN abs(n) < 31536000000000 THEN n * 1000
        WHEN abs(n) < 31536000000000000 THEN n ELSE n // 1000 END""",
    # without the digits after the second that are smaller than a unit of microseconds
    """sf_cut_time(v, unit) AS
        make_timestamp(epoch_us(v::TIMESTAMP) - ((epoch_us(v::TIMESTAMP) % unit) + unit) % unit)""",
]  # fmt: skip


def session_zone(context: Context) -> str:
    """The session's time zone as a SQL literal."""
    return quote_string(str(context.parameter("TIMEZONE")))


# --- one temporal type to another -------------------------------------------------------------------------------------


def wall(expr: Expr, context: Context) -> str:
    """SQL (TIMESTAMP) of what a clock shows: a timestamp_ltz in the session's zone, a timestamp_tz in its own.

    Args:
        expr: a date, time (on 1970-01-01) or timestamp.
    """
    match expr.type.name:
        case "TIMESTAMP_LTZ":
            return f"timezone({session_zone(context)}, {expr.sql})"
        case "TIMESTAMP_TZ":
            return once(lambda v: f"sf_tz_wall({v})", expr)
        case "DATE":
            return f"CAST({expr.sql} AS TIMESTAMP)"
        case "TIME":
            return f"(DATE '1970-01-01' + {expr.atom})"
    return expr.sql


def offset(expr: Expr, context: Context) -> str | None:
    """SQL of the offset from UTC in minutes, or None for types without one."""
    match expr.type.name:
        case "TIMESTAMP_LTZ":
            return once(lambda v: f"sf_offset_at({session_zone(context)}, {v})", expr)
        case "TIMESTAMP_TZ":
            return f'{expr.atom}."offset"'
    return None


def instant(expr: Expr, context: Context) -> str:
    """SQL (TIMESTAMPTZ) of the instant; a value without time zone is taken to be in the session's."""
    match expr.type.name:
        case "TIMESTAMP_LTZ":
            return expr.sql
        case "TIMESTAMP_TZ":
            return f"{expr.atom}.instant"
    return f"timezone({session_zone(context)}, {wall(expr, context)})"


def on_the_clock(expr: Expr, change: Callable[[str], str], context: Context) -> str:
    """SQL of a timestamp whose wall clock is changed; a timestamp_tz keeps its offset.

    Args:
        expr: a timestamp.
        change: makes SQL of the new wall clock (TIMESTAMP) from SQL of the old one.
        context: session parameters.
    """
    match expr.type.name:
        case "TIMESTAMP_LTZ":
            return f"timezone({session_zone(context)}, {change(wall(expr, context))})"
        case "TIMESTAMP_TZ":
            return once(lambda v: f'sf_tz_from_wall({change(f"sf_tz_wall({v})")}, {v}."offset")', expr)
    return change(wall(expr, context))


def tz_from_instant(instant_sql: str, context: Context) -> str:
    """SQL of a TIMESTAMP_TZ at an instant with the offset of the session's zone."""
    return once(lambda i: f"sf_tz({i}, sf_offset_at({session_zone(context)}, {i}))", instant_sql)


def cut(sql: str, target: SqlType, source_precision: int = 9) -> str:
    """A time or timestamp with the digits after the second that its type has; the engine has six at most."""
    if target.precision >= min(source_precision, 6):
        return sql
    unit = 10 ** (6 - target.precision)
    match target.name:
        case "TIMESTAMP_NTZ":
            return once(lambda v: f"sf_cut_time({v}, {unit})", sql)
        case "TIMESTAMP_LTZ":
            return once(lambda v: f"timezone('UTC', sf_cut_time(timezone('UTC', {v}), {unit}))", sql)
        case "TIMESTAMP_TZ":
            return once(lambda v: f'sf_tz_from_wall(sf_cut_time(sf_tz_wall({v}), {unit}), {v}."offset")', sql)
        case "TIME":
            stamp = once(lambda v: f"sf_cut_time({v}, {unit})", f"(DATE '1970-01-01' + {sql})")
            return f"CAST({stamp} AS TIME)"
    return sql


def convert(expr: Expr, target: SqlType, context: Context, attempt: bool) -> str | None:
    """The SQL of a cast to a temporal type, or None if there is none.

    Args:
        expr: of any type but VARIANT.
        target: DATE, TIME or TIMESTAMP_*.
        context: session parameters.
        attempt: NULL instead of an error.
    """
    source = expr.type
    if source.name == "VARCHAR":
        parameter = "TIMESTAMP_INPUT_FORMAT" if target.is_timestamp else f"{target.name}_INPUT_FORMAT"
        return parse(expr, target, str(context.parameter(parameter)), context, attempt)
    if source.is_numeric and target.is_timestamp:
        return from_epoch(expr, target, context)
    if source.name not in ("DATE", "TIME") and not source.is_timestamp:
        return None
    if source.name == target.name:
        return cut(expr.sql, target, source.precision) if target.name != "DATE" else expr.sql
    if source.name == "TIME" or (target.name == "TIME" and source.name == "DATE"):
        return None
    match target.name:
        case "DATE" | "TIME":
            return cut(f"CAST({wall(expr, context)} AS {target.name})", target, source.precision)
        case "TIMESTAMP_NTZ":
            return cut(wall(expr, context), target, source.precision)
        case "TIMESTAMP_LTZ":
            return cut(instant(expr, context), target, source.precision)
        case "TIMESTAMP_TZ":
            return cut(tz_from_instant(instant(expr, context), context), target, source.precision)
    return None


def from_microseconds(sql: str, target: SqlType, context: Context) -> str:
    """SQL of a timestamp from microseconds since 1970 in UTC; timestamp_ntz shows UTC.

    Args:
        sql: SQL of a BIGINT.
        target: TIMESTAMP_*.
    """
    if target.name == "TIMESTAMP_NTZ":
        return f"make_timestamp({sql})"
    if target.name == "TIMESTAMP_LTZ":
        return f"make_timestamptz({sql})"
    return tz_from_instant(f"make_timestamptz({sql})", context)


def from_epoch(expr: Expr, target: SqlType, context: Context, scale: int = 0) -> str:
    """SQL of a timestamp from a number of seconds, or of 10**-scale seconds.

    Args:
        expr: NUMBER or FLOAT.
        target: TIMESTAMP_*.
        scale: 0 seconds, 3 milliseconds, 6 microseconds, 9 nanoseconds.
    """
    factor = 10 ** max(6 - scale, 0)
    divisor = 10 ** max(scale - 6, 0)
    whole = expr.type.name == "NUMBER" and expr.type.scale == 0
    if divisor > 1:
        units = f"CAST({expr.sql if whole else f'floor({expr.sql})'} AS BIGINT) // {divisor}"
    elif whole:
        units = f"CAST({expr.sql} AS BIGINT) * {factor}"
    elif expr.type.name == "FLOAT":
        units = f"CAST(floor({expr.atom} * {factor}) AS BIGINT)"
    else:
        units = f"CAST(floor(CAST({expr.sql} AS DECIMAL(28,9)) * {factor}) AS BIGINT)"
    return cut(from_microseconds(units, target, context), target)


# --- text -> value ----------------------------------------------------------------------------------------------------

# Texts that the engine's own casts read as Snowflake does: ISO 8601 without a zone.
_ISO = {
    "DATE": r"\d{4}-\d{1,2}-\d{1,2}",
    "TIME": r"([01]?\d|2[0-3]):\d{1,2}(:\d{1,2}(\.\d+)?)?",
    "TIMESTAMP": r"\d{4}-\d{1,2}-\d{1,2}([ T]([01]?\d|2[0-3]):\d{1,2}(:\d{1,2}(\.\d+)?)?)?",
}
_SLASHES = "['%m/%d/%Y %H:%M:%S', '%m/%d/%Y %H:%M', '%m/%d/%Y']"
_NOT_RECOGNIZED = {"DATE": (100040, "Date"), "TIME": (100108, "Time"), "TIMESTAMP": (100035, "Timestamp")}


def parse(expr: Expr, target: SqlType, model: str | Expr, context: Context, attempt: bool) -> str:
    """SQL that reads text as a date, time or timestamp.

    Args:
        expr: VARCHAR.
        target: DATE, TIME or TIMESTAMP_*.
        model: format model, AUTO, or an expression that gives one.
        context: session parameters.
        attempt: NULL instead of an error.
    """
    constant = model if isinstance(model, str) else model.constant if isinstance(model.constant, str) else None
    if constant is not None:
        body = once(lambda v: _read(v, target, quote_string(constant), constant, context, attempt), expr)
    else:
        assert isinstance(model, Expr)
        body = once(lambda v, m: _read(v, target, m, None, context, attempt), expr, model)
    return cut(body, target)


def _kind(target: SqlType) -> str:
    return "TIMESTAMP" if target.is_timestamp else target.name


def _read(v: str, target: SqlType, model: str, constant: str | None, context: Context, attempt: bool) -> str:
    """SQL that reads text.

    Args:
        v: SQL of the text, an operand.
        model: SQL of the format model, an operand.
        constant: the model where it is known.
    """
    kind = _kind(target)
    steps: list[str] = []
    automatic = constant is not None and constant.upper() == formats.AUTO
    if automatic:
        iso = f"CASE WHEN regexp_full_match({v}, {quote_string(_ISO[kind])}) THEN TRY_CAST({v} AS {kind}) END"
        if kind == "TIME":
            steps.append(iso)
        else:
            steps.append(_from_local(iso, target, context))
            slashes = f"CASE WHEN contains({v}, '/') THEN try_strptime({v}, {_SLASHES}) END"
            steps.append(_from_local(slashes, target, context))
        digits = f"CASE WHEN regexp_full_match({v}, '-?\\d{{1,19}}') THEN sf_epoch_us(TRY_CAST({v} AS BIGINT)) END"
        steps.append(_from_epoch_text(digits, target, context))
    elif constant is not None:
        pattern = formats.strptime_pattern(constant)
        if pattern is not None:
            steps.append(_from_local(f"try_strptime({v}, {quote_string(pattern)})", target, context))
    century = int(context.parameter("TWO_DIGIT_CENTURY_START") or 1970)
    # Held as volatile lest the engine, seeing it twice, computes it for all rows before the quick ways are tried.
    call = f"sf_parse_datetime({v}, {model}, '{kind}', {century})"
    parsed = Expr(call, SqlType("OBJECT"), volatile=True)
    steps.append(once(lambda p: _from_parsed(p, target, context), parsed))
    if not attempt:
        if automatic:
            code, word = _NOT_RECOGNIZED[kind]
            failure = raise_sql(code, "22007", f"concat('{word} ''', {v}, ''' is not recognized')")
        else:
            text = f"concat('Can''t parse ''', {v}, ''' as {kind.lower()} with format ''', {model}, '''')"
            failure = raise_sql(100096, "22007", text)
        steps.append(f"CASE WHEN {v} IS NULL THEN NULL ELSE {failure} END")
    return f"coalesce({', '.join(steps)})"


def _from_local(wall_sql: str, target: SqlType, context: Context) -> str:
    """A value without time zone, in the session's zone, as the target type."""
    match target.name:
        case "DATE" | "TIME":
            return f"CAST({wall_sql} AS {target.name})"
        case "TIMESTAMP_NTZ":
            return wall_sql
        case "TIMESTAMP_LTZ":
            return f"timezone({session_zone(context)}, {wall_sql})"
    return tz_from_instant(f"timezone({session_zone(context)}, {wall_sql})", context)


def _from_epoch_text(microseconds: str, target: SqlType, context: Context) -> str:
    if target.name in ("DATE", "TIME"):
        return f"CAST(make_timestamp({microseconds}) AS {target.name})"
    return from_microseconds(microseconds, target, context)


def _from_parsed(p: str, target: SqlType, context: Context) -> str:
    """What ``sf_parse_datetime`` found, as the target type."""
    # The engine loses the fields' types where it folds a constant NULL.
    clock, minutes = f"CAST({p}.wall AS TIMESTAMP)", f'CAST({p}."offset" AS SMALLINT)'
    match target.name:
        case "DATE" | "TIME":
            return f"CAST({clock} AS {target.name})"
        case "TIMESTAMP_NTZ":
            return clock
    zone = session_zone(context)
    local = f"timezone({zone}, {clock})"
    moment = f"CASE WHEN {minutes} IS NULL THEN {local} ELSE sf_instant({clock}, {minutes}) END"
    if target.name == "TIMESTAMP_LTZ":
        return moment
    return f"sf_tz({moment}, coalesce({minutes}, sf_offset_at({zone}, {local})))"


# --- value -> text ----------------------------------------------------------------------------------------------------


# What AUTO means for output.
_OUTPUT = {
    "DATE": "YYYY-MM-DD",
    "TIME": "HH24:MI:SS",
    "TIMESTAMP_NTZ": "YYYY-MM-DD HH24:MI:SS.FF3",
    "TIMESTAMP_LTZ": "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM",
    "TIMESTAMP_TZ": "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM",
}


def output_model(source: SqlType, context: Context) -> str:
    """The format model by which the session shows a temporal type."""
    model = context.parameter(f"{source.name}_OUTPUT_FORMAT")
    if not model and source.is_timestamp:
        model = context.parameter("TIMESTAMP_OUTPUT_FORMAT")
    return _OUTPUT[source.name] if not model or str(model).upper() == formats.AUTO else str(model)


def text(expr: Expr, model: str | Expr | None, context: Context) -> str:
    """SQL of a temporal value's text.

    Args:
        expr: a date, time or timestamp.
        model: format model, an expression that gives one, or None for the session's output format.
        context: session parameters.
    """
    constant = output_model(expr.type, context) if model is None else model
    if isinstance(constant, Expr) and isinstance(constant.constant, str):
        constant = constant.constant
    if constant == "YYYY-MM-DD" and expr.type.name == "DATE":
        return f"CAST({expr.sql} AS VARCHAR)"

    def write(v: str) -> str:
        held = Expr(v, expr.type)
        clock = v if expr.type.name == "DATE" else wall(held, context)
        minutes = offset(held, context)
        if isinstance(constant, Expr):
            return f"sf_format_datetime({clock}, CAST({minutes or 'NULL'} AS INTEGER), {constant.sql})"
        return formats.format_sql(clock, minutes, constant)

    return once(write, expr)
