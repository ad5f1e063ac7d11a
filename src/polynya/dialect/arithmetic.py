"""Arithmetic operators: ``+ - * / %`` with Snowflake's result types and exact results.

Operands are NUMBER or FLOAT here; the binder casts others by ``casts.to_number_operand``.

Sources: docs.snowflake.com/en/sql-reference/operators-arithmetic (precision and scale of results).
"""

from __future__ import annotations

from dataclasses import replace

from polynya.dialect.expression import INT64_DIGITS, Expr, derive, null, once
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import FLOAT, SqlType, number

DIVISION_BY_ZERO = raise_sql(100051, "22012", "'Division by zero'")

# DuckDB keeps results of two operands of up to INT64_DIGITS digits within as many unless an operand is wider.
# Integers below this are exact as DOUBLE, and so is the rounding of a quotient of two of them to an integer: a
# quotient that is no half differs from the next half by 1/(2*divisor), more than DOUBLE's error.
_EXACT = 2**51


def add(left: Expr, right: Expr) -> Expr:
    """``left + right``, both NUMBER or FLOAT."""
    return _sum("+", left, right)


def subtract(left: Expr, right: Expr) -> Expr:
    """``left - right``, both NUMBER or FLOAT."""
    return _sum("-", left, right)


def multiply(left: Expr, right: Expr) -> Expr:
    """``left * right``, both NUMBER or FLOAT."""
    left, right = _aligned(left, right)
    if left.type == FLOAT:
        return derive(f"{left.atom} * {right.atom}", FLOAT, left, right, simple=False)
    a, b = left.type, right.type
    result = product_type(a, b)
    if _is_null(left, right):
        return null(result)
    full_scale = a.scale + b.scale
    if full_scale > 38:
        text = f"sf_decimal_multiply({left.sql}::VARCHAR, {right.sql}::VARCHAR, {result.scale})"
        return derive(f"CAST({text} AS {result.duckdb})", result, left, right)
    first = left.atom
    engine_precision = a.precision + b.precision
    if max(a.precision, b.precision) <= INT64_DIGITS < engine_precision and full_scale < INT64_DIGITS:
        first = f"CAST({left.sql} AS DECIMAL({INT64_DIGITS + 1},{a.scale}))"
        engine_precision = INT64_DIGITS + 1 + b.precision
    product = f"{first} * {right.atom}"
    if (min(engine_precision, 38), full_scale) != (result.precision, result.scale):
        return derive(f"CAST({product} AS {result.duckdb})", result, left, right)
    return derive(product, result, left, right, simple=False)


def divide(left: Expr, right: Expr, *, zero_by_zero: bool = False) -> Expr:
    """``left / right``, exact and rounded half away from zero.

    Args:
        left, right: NUMBER or FLOAT.
        zero_by_zero: whether the result is 0 where the divisor is 0 (DIV0), instead of an error.
    """
    left, right = _aligned(left, right)
    result = FLOAT if left.type == FLOAT else quotient_type(left.type, right.type)
    if _is_null(left, right):
        return null(result)
    by_zero = f"CAST(0 AS {result.duckdb})" if zero_by_zero else DIVISION_BY_ZERO
    if left.type == FLOAT:

        def quotient(dividend: str, divisor: str) -> str:
            if _constant_not_zero(right):
                return f"{dividend} / {divisor}"
            return f"CASE WHEN {divisor} = 0 AND {dividend} IS NOT NULL THEN {by_zero} ELSE {dividend} / {divisor} END"

        return derive(once(quotient, left, right), FLOAT, left, right, simple=False)
    return derive(
        once(lambda x, y: _exact_quotient(x, y, left, right, result, by_zero), left, right),
        result,
        left,
        right,
        simple=False,
    )


def modulo(left: Expr, right: Expr) -> Expr:
    """``left % right`` with the sign of the dividend, both NUMBER or FLOAT."""
    left, right = _aligned(left, right)
    if left.type == FLOAT:
        result = FLOAT
    else:
        scale = max(left.type.scale, right.type.scale)
        whole = max(left.type.precision - left.type.scale, right.type.precision - right.type.scale)
        result = number(max(whole + scale, 1), scale)
    if _is_null(left, right):
        return null(result)

    def remainder(dividend: str, divisor: str) -> str:
        branches = []
        if not _constant_not_zero(right):
            branches.append(f"WHEN {divisor} = 0 AND {dividend} IS NOT NULL THEN {DIVISION_BY_ZERO}")
        if result.precision > INT64_DIGITS and _limit(result.scale) >= 1:
            branches.append(_small_remainder(dividend, divisor, left, right, result))
        operation = f"{_as(dividend, left.type, result)} % {_as(divisor, right.type, result)}"
        return f"CASE {' '.join(branches)} ELSE {operation} END" if branches else operation

    return derive(once(remainder, left, right), result, left, right, simple=False)


def negate(operand: Expr) -> Expr:
    """``-operand``; a literal stays a literal."""
    negated = derive(f"-{operand.atom}", operand.type, operand, simple=False)
    if operand.is_constant and operand.constant is not None:
        return replace(negated, constant=-operand.constant)
    return negated


def sum_type(left: SqlType, right: SqlType) -> SqlType:
    """The NUMBER of a sum or difference of two NUMBERs."""
    scale = max(left.scale, right.scale)
    whole = max(left.precision - left.scale, right.precision - right.scale) + 1
    return number(whole + scale, scale)


def product_type(left: SqlType, right: SqlType) -> SqlType:
    """The NUMBER of a product of two NUMBERs."""
    scale = min(left.scale + right.scale, max(left.scale, right.scale, 12))
    whole = left.precision - left.scale + right.precision - right.scale
    return number(max(whole + scale, 1), scale)


def quotient_type(left: SqlType, right: SqlType) -> SqlType:
    """The NUMBER of a quotient of two NUMBERs."""
    scale = max(left.scale, min(left.scale + 6, 12))
    whole = left.precision - left.scale + right.scale
    return number(whole + scale, scale)


def _aligned(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """Both operands as NUMBER, or both as FLOAT if one of them is FLOAT."""
    if FLOAT in (left.type, right.type):
        left, right = (
            operand if operand.type == FLOAT else derive(f"CAST({operand.sql} AS DOUBLE)", FLOAT, operand)
            for operand in (left, right)
        )
    return left, right


def _sum(operator: str, left: Expr, right: Expr) -> Expr:
    left, right = _aligned(left, right)
    if left.type == FLOAT:
        return derive(f"{left.atom} {operator} {right.atom}", FLOAT, left, right, simple=False)
    a, b = left.type, right.type
    result = sum_type(a, b)
    if _is_null(left, right):
        return null(result)
    if result.precision > INT64_DIGITS >= max(a.precision, b.precision):
        text = f"CAST({left.sql} AS {result.duckdb}) {operator} {right.atom}"
        # The widened operand makes DuckDB's result one digit wider than Snowflake's.
        return derive(f"CAST({text} AS {result.duckdb})", result, left, right)
    return derive(f"{left.atom} {operator} {right.atom}", result, left, right, simple=False)


def _exact_quotient(x: str, y: str, left: Expr, right: Expr, result: SqlType, by_zero: str) -> str:
    """SQL of the quotient of two NUMBERs; ``x`` and ``y`` are their texts.

    Small values are divided as DOUBLE, where that is exact; others as 128-bit integers.
    """
    a, b = left.type, right.type
    shift = result.scale + b.scale  # x * 10^shift / (y * 10^b.scale), rounded, is the result in its last digit's units
    dividend_limit, divisor_limit = _limit(shift), _limit(b.scale)
    dividend = f"{x}::DOUBLE * 1e{shift}" if a.scale == 0 else f"round({x}::DOUBLE * 1e{shift})"
    divisor = f"{y}::DOUBLE" if b.scale == 0 else f"round({y}::DOUBLE * 1e{b.scale})"
    unit = _unit(result.scale) if result.scale else "1"
    fast = f"CAST(round(({dividend}) / {divisor})::BIGINT::DECIMAL(18,0) * {unit} AS {result.duckdb})"
    digits = [f"replace({text}::VARCHAR, '.', '')::HUGEINT" for text in (x, y)]
    exact = (
        f"CAST(sf_divide_round({digits[0]}, {digits[1]}, {10 ** (shift - a.scale)}::HUGEINT)::DECIMAL(38,0)"
        f" * {unit} AS {result.duckdb})"
    )
    branches = []
    if not _constant_not_zero(right):
        branches.append(f"WHEN {y} = 0 AND {x} IS NOT NULL THEN {by_zero}")
    conditions = []
    if not _fits(left, dividend_limit):
        conditions.append(f"{x}::DOUBLE BETWEEN {-dividend_limit!r} AND {dividend_limit!r}")
    if not _fits(right, divisor_limit):
        conditions.append(f"{y}::DOUBLE BETWEEN {-divisor_limit!r} AND {divisor_limit!r}")
    if dividend_limit < 1:
        branches.append(f"ELSE {exact}")
    elif conditions:
        branches.append(f"WHEN {' AND '.join(conditions)} THEN {fast} ELSE {exact}")
    else:
        branches.append(f"ELSE {fast}")
    return f"CASE {' '.join(branches)} END" if len(branches) > 1 or branches[0].startswith("WHEN") else branches[0][5:]


def _small_remainder(x: str, y: str, left: Expr, right: Expr, result: SqlType) -> str:
    """A branch of CASE: the remainder of NUMBERs that are small enough for 64 bits, where the engine is ten times as fast."""
    scale, limit = result.scale, _limit(result.scale)
    conditions, units = [], []
    for text, operand in ((x, left), (y, right)):
        if not _fits(operand, limit):
            conditions.append(f"{text}::DOUBLE BETWEEN {-limit!r} AND {limit!r}")
        units.append(f"round({text}::DOUBLE * 1e{scale})::BIGINT" if operand.type.scale else f"{text}::DOUBLE::BIGINT")
    unit = f" * {_unit(scale)}" if scale else ""
    remainder = f"CAST(({units[0]} % {units[1]})::DECIMAL({INT64_DIGITS},0){unit} AS {result.duckdb})"
    return f"WHEN {' AND '.join(conditions) or 'TRUE'} THEN {remainder}"


def _unit(scale: int) -> str:
    """The last digit's unit, as a DECIMAL."""
    return f"0.{'0' * (scale - 1)}1::DECIMAL({scale},{scale})"


def _limit(shift: int) -> float:
    """How large a value may be so that, times 10^shift, it is exact as DOUBLE."""
    return float(_EXACT // 10**shift)


def _fits(operand: Expr, limit: float) -> bool:
    """Whether all values of the operand's type, or its constant, are within the limit."""
    if operand.is_constant and operand.constant is not None:
        return abs(operand.constant) <= limit
    return 10 ** (operand.type.precision - operand.type.scale) <= limit


def _is_null(left: Expr, right: Expr) -> bool:
    """Whether an operand is NULL as written: DuckDB would give the result another type."""
    return left.constant is None or right.constant is None


def _constant_not_zero(operand: Expr) -> bool:
    return operand.is_constant and bool(operand.constant)


def _as(text: str, source: SqlType, target: SqlType) -> str:
    return text if source == target else f"CAST({text} AS {target.duckdb})"


__all__ = ["add", "divide", "modulo", "multiply", "negate", "subtract"]
