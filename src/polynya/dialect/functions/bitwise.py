"""Bitwise functions on NUMBER (as 128-bit integers) and on BINARY; the operators & | ^ << >> call them too.

Source: docs.snowflake.com/en/sql-reference/expressions-byte-bit
"""

from __future__ import annotations

from polynya.dialect.expression import Expr, as_bigint, derive, once
from polynya.dialect.registry import Call, scalar
from polynya.errors import SnowflakeError, unsupported
from polynya.storage.errors import raise_sql
from polynya.types.sqltype import BINARY, INTEGER, number

_OPERATIONS = {"AND": "({0} & {1})", "OR": "({0} | {1})", "XOR": "xor({0}, {1})"}


def _huge(value: Expr) -> str:
    return f"CAST({value.sql} AS HUGEINT)"


@scalar("BITAND", "BIT_AND", "BITOR", "BIT_OR", "BITXOR", "BIT_XOR", args=(2, 3))
def bit_operation(call: Call) -> Expr:
    operation = _OPERATIONS[call.name.removeprefix("BIT").removeprefix("_")]
    if call.arg(0).type.name == "BINARY" or call.arg(1).type.name == "BINARY":
        return _on_binary(call, operation)
    left, right = call.arg(0, INTEGER), call.arg(1, INTEGER)
    return derive(f"CAST({operation.format(_huge(left), _huge(right))} AS {INTEGER.duckdb})", INTEGER, left, right)


def _on_binary(call: Call, operation: str) -> Expr:
    """Bytes combined; a shorter value is filled up with 0 at the side that the third argument names."""
    left, right = call.arg(0, BINARY), call.arg(1, BINARY)
    side = str(call.constant(2, "")).upper()
    if side not in ("", "LEFT", "RIGHT"):
        raise SnowflakeError(
            1027, "22023", f"SQL compilation error:\nInvalid value ['{side}'] for parameter 'padding location'"
        )
    wrong = raise_sql(
        100270, "22023", "'The lengths of two variable-sized fields do not match: ' || {0} || ' and ' || {1}"
    )
    pad = "rpad" if side == "RIGHT" else "lpad"

    def combined(a: str, b: str) -> str:
        size = f"greatest(octet_length({a}), octet_length({b}))"
        bits = [f"unhex({pad}(hex({value}), CAST(2 * {size} AS INTEGER), '0'))::BIT" for value in (a, b)]
        result = f"CAST({operation.format(*bits)} AS BLOB)"
        empty = f"CASE WHEN {size} = 0 THEN ''::BLOB WHEN {size} > 0 THEN {result} END"
        if side:
            return empty
        return (
            f"CASE WHEN octet_length({a}) <> octet_length({b}) "
            f"THEN {wrong.format(f'octet_length({a})', f'octet_length({b})')} ELSE {empty} END"
        )

    length = max(left.type.length, right.type.length)
    return derive(once(combined, left, right), BINARY.with_length(length), left, right)


@scalar("BITNOT", "BIT_NOT", args=1)
def bit_not(call: Call) -> Expr:
    if call.arg(0).type.name == "BINARY":
        value = call.arg(0)
        sql = once(
            lambda text: f"CASE WHEN octet_length({text}) = 0 THEN {text} ELSE (~({text}::BIT))::BLOB END", value
        )
        return derive(sql, value.type, value)
    value = call.arg(0, INTEGER)
    return derive(f"CAST(~{_huge(value)} AS {INTEGER.duckdb})", INTEGER, value)


@scalar("BITSHIFTLEFT", "BIT_SHIFTLEFT", "BITSHIFTRIGHT", "BIT_SHIFTRIGHT", args=2)
def bit_shift(call: Call) -> Expr:
    """Shifts within 128 bits; the sign is kept when it shifts right."""
    if call.arg(0).type.name == "BINARY":
        raise unsupported(f"{call.name} of BINARY")
    value, count = call.arg(0, INTEGER), call.arg(1, INTEGER)
    if call.name.endswith("LEFT"):
        shifted = f"{_huge(value)} * (1::HUGEINT << {as_bigint(count)})"  # the engine shifts no negative number
    else:
        shifted = f"{_huge(value)} >> {as_bigint(count)}"
    return derive(f"CAST({shifted} AS {INTEGER.duckdb})", INTEGER, value, count)


@scalar("GETBIT", args=2)
def getbit(call: Call) -> Expr:
    value, index = call.arg(0, INTEGER), call.arg(1, INTEGER)
    sql = f"CAST(({_huge(value)} >> {as_bigint(index)}) & 1::HUGEINT AS DECIMAL(1,0))"
    return derive(sql, number(1, 0), value, index)
