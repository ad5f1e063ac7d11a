"""Data generation: RANDOM and the distributions that draw from it, RANDSTR, the counters SEQ1 to SEQ8.

Source: docs.snowflake.com/en/sql-reference/functions-data-generation
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate

from polynya.dialect.engine_functions import python_function
from polynya.dialect.expression import Expr, as_bigint, derive, once
from polynya.dialect.functions.numeric import as_float, numeric
from polynya.dialect.registry import Call, scalar
from polynya.types.sqltype import FLOAT, INTEGER, VARCHAR, number, varchar

_SIGNED_64 = number(19, 0)
# hash() gives 64 unsigned bits; Snowflake's numbers are signed.
_TO_SIGNED = "CAST(hash({0})::HUGEINT - 9223372036854775808 AS DECIMAL(19,0))"


@scalar("RANDOM", args=(0, 1))
def random(call: Call) -> Expr:
    """64 random bits; with a seed the same for the same row number, else drawn anew each time."""
    if len(call) == 0:
        return Expr(_TO_SIGNED.format("random()"), _SIGNED_64, False, volatile=True)
    call.constant(0)
    seed = call.arg(0, INTEGER)
    row = call.binder.generator_row()
    return Expr(_TO_SIGNED.format(f"{seed.sql}, {row}"), _SIGNED_64, False, window="OVER" in row)


@scalar("UNIFORM", args=3)
def uniform(call: Call) -> Expr:
    """Between two numbers, inclusive: integers if both are, else FLOAT."""
    low, high, source = numeric(call, 0), numeric(call, 1), call.arg(2)
    if low.type.name == high.type.name == "NUMBER" and low.type.scale == high.type.scale == 0:
        result = number(max(low.type.precision, high.type.precision), 0)
        first, last = f"{low.atom}::HUGEINT", f"{high.atom}::HUGEINT"
        sql = f"CAST(hash({source.sql})::HUGEINT % ({last} - {first} + 1) + {first} AS {result.duckdb})"
        return derive(sql, result, low, high, source)
    first, last = f"{low.atom}::DOUBLE", f"{high.atom}::DOUBLE"
    sql = f"{first} + ({last} - {first}) * (hash({source.sql}) / 18446744073709551616::DOUBLE)"
    return derive(sql, FLOAT, low, high, source, simple=False)


@scalar("NORMAL", args=3)
def normal(call: Call) -> Expr:
    """Normally distributed, by Box and Muller's transformation of two uniform numbers."""
    mean, deviation, source = as_float(call, 0), as_float(call, 1), call.arg(2)
    unit = "((hash({0}, {1}) + 1::UHUGEINT) / 18446744073709551617::DOUBLE)"
    sql = once(
        lambda draw: (
            f"{mean.atom} + {deviation.atom} * sqrt(-2 * ln({unit.format(draw, 1)})) "
            f"* cos(2 * pi() * {unit.format(draw, 2)})"
        ),
        source,
    )
    return derive(sql, FLOAT, mean, deviation, source, simple=False)


@scalar("ZIPF", args=3)
def zipf(call: Call) -> Expr:
    """From 1 to N with probability proportional to 1 / rank^s."""
    exponent, size = call.constant(0), call.constant(1)
    source = call.arg(2)
    sql = f"sf_zipf({float(exponent)!r}::DOUBLE, {int(size)}, hash({source.sql}) / 18446744073709551616::DOUBLE)"
    return derive(f"CAST({sql} AS {INTEGER.duckdb})", INTEGER, source)


@lru_cache(maxsize=16)
def _zipf_sums(exponent: float, size: int) -> list[float]:
    return list(accumulate(1 / rank**exponent for rank in range(1, size + 1)))


@python_function("sf_zipf", ["DOUBLE", "BIGINT", "DOUBLE"], "BIGINT")
def _zipf(exponent: float, size: int, drawn: float | None) -> int | None:
    """The rank at a point of the cumulated probabilities."""
    if drawn is None:
        return None
    sums = _zipf_sums(exponent, size)
    return bisect_left(sums, drawn * sums[-1]) + 1


@scalar("RANDSTR", args=2)
def randstr(call: Call) -> Expr:
    """Letters and digits, as many as the first argument says."""
    size, source = call.arg(0, INTEGER), call.arg(1)
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    sql = once(
        lambda draw: (
            f"array_to_string(list_transform(range({as_bigint(size)}), "
            f"lambda i: substring('{letters}', (hash({draw}, i) % 62 + 1)::BIGINT, 1)), '')"
        ),
        source,
    )
    result = varchar(max(size.constant, 1)) if isinstance(size.constant, int) else VARCHAR
    return replace(derive(sql, result, size, source), nullable=False)


_COUNTERS = {"SEQ1": (8, 3), "SEQ2": (16, 5), "SEQ4": (32, 10), "SEQ8": (64, 19)}  # bits, digits


@scalar(*_COUNTERS, args=(0, 1))
def counter(call: Call) -> Expr:
    """Counts a generator's rows from 0 and wraps round after 2^bits, or 2^(bits-1) if signed (argument 1)."""
    bits, digits = _COUNTERS[call.name]
    signed = bool(call.constant(0, 0))
    limit = 1 << bits
    row = call.binder.generator_row()
    result = number(digits, 0)
    if signed:
        half = limit // 2
        sql = f"CAST(({row}::HUGEINT + {half}) % {limit}::HUGEINT - {half} AS {result.duckdb})"
    else:
        sql = f"CAST({row}::HUGEINT % {limit}::HUGEINT AS {result.duckdb})"
    return Expr(sql, result, False, window="OVER" in row)
