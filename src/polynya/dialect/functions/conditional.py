"""Conditional functions: choices by condition or by NULL, logic on numbers, the greatest and least of values.

Source: docs.snowflake.com/en/sql-reference/expressions-conditional
"""

from __future__ import annotations

from dataclasses import replace

from polynya.dialect import casts
from polynya.dialect.expression import Expr, derive, null, once
from polynya.dialect.functions.numeric import as_float, numeric
from polynya.dialect.registry import Call, scalar
from polynya.errors import invalid_argument_types, unsupported
from polynya.types.sqltype import BOOLEAN, FLOAT, NULL, SqlType


def unified(call: Call, values: list[Expr]) -> tuple[list[Expr], SqlType]:
    """Values in their common type, and that type.

    Raises:
        SnowflakeError: 001044 if they have none.
    """
    common = casts.common_type([value.type for value in values])
    if common is None:
        raise invalid_argument_types(call.name, [str(value.type) for value in values], call.position)
    return [casts.to_common(value, common, call.context) for value in values], common


@scalar("IFF", args=3)
def iff(call: Call) -> Expr:
    condition = call.arg(0, BOOLEAN)
    (yes, no), common = unified(call, [call.arg(1), call.arg(2)])
    sql = f"CASE WHEN {condition.sql} THEN {yes.sql} ELSE {no.sql} END"
    return derive(sql, common, condition, yes, no, nullable=yes.nullable or no.nullable)


@scalar("COALESCE", args=(2, None))
def coalesce(call: Call) -> Expr:
    return _coalesce(call)


@scalar("NVL", "IFNULL", args=2)
def nvl(call: Call) -> Expr:
    return _coalesce(call)


def _coalesce(call: Call) -> Expr:
    values, common = unified(call, call.args())
    sql = f"coalesce({', '.join(value.sql for value in values)})"
    return derive(sql, common, *values, nullable=all(value.nullable for value in values))


@scalar("NVL2", args=3)
def nvl2(call: Call) -> Expr:
    subject = call.arg(0)
    (yes, no), common = unified(call, [call.arg(1), call.arg(2)])
    sql = f"CASE WHEN {subject.atom} IS NOT NULL THEN {yes.sql} ELSE {no.sql} END"
    return derive(sql, common, subject, yes, no, nullable=yes.nullable or no.nullable)


@scalar("NULLIF", args=2)
def nullif(call: Call) -> Expr:
    value, other = call.arg(0), call.arg(1)
    if value.type == NULL:
        return null()

    def chosen(text: str, unwanted: str) -> str:
        left, right = Expr(text, value.type), replace(other, sql=unwanted, simple=True)
        return f"CASE WHEN {call.binder.compare(left, '=', right, call.nodes[1]).sql} THEN NULL ELSE {text} END"

    return derive(once(chosen, value, other), value.type, value, other, nullable=True)


@scalar("NULLIFZERO", args=1)
def nullifzero(call: Call) -> Expr:
    value = numeric(call, 0)
    return derive(f"nullif({value.sql}, 0)", value.type, value, nullable=True)


@scalar("ZEROIFNULL", args=1)
def zeroifnull(call: Call) -> Expr:
    value = numeric(call, 0)
    return derive(f"coalesce({value.sql}, CAST(0 AS {value.type.duckdb}))", value.type, value, nullable=False)


@scalar("DECODE", args=(3, None))
def decode(call: Call) -> Expr:
    """Pairs of a value searched and a result, then perhaps a default; NULL is found as a value."""
    subject = call.arg(0)
    pairs = range(1, len(call) - 1, 2)
    results = [call.arg(index + 1) for index in pairs]
    default = call.arg(len(call) - 1) if len(call) % 2 == 0 else null()
    (*results, default), common = unified(call, [*results, default])
    searched = [call.arg(index) for index in pairs]
    if subject.volatile:
        raise unsupported("DECODE of a value that differs each time")
    whens = []
    for value, result in zip(searched, results, strict=True):
        equal = call.binder.compare(subject, "IS NOT DISTINCT FROM", value, call.nodes[0])
        whens.append(f"WHEN {equal.sql} THEN {result.sql}")
    sql = f"CASE {' '.join(whens)} ELSE {default.sql} END"
    nullable = any(value.nullable for value in (*results, default))
    return derive(sql, common, subject, *searched, *results, default, nullable=nullable)


@scalar("EQUAL_NULL", args=2)
def equal_null(call: Call) -> Expr:
    return call.binder.compare(call.arg(0), "IS NOT DISTINCT FROM", call.arg(1), call.nodes[0])


# --- logic ------------------------------------------------------------------------------------------------------------


@scalar("BOOLAND", "BOOLOR", "BOOLXOR", args=2)
def boolean_operation(call: Call) -> Expr:
    left, right = call.arg(0, BOOLEAN), call.arg(1, BOOLEAN)
    operator = {"BOOLAND": "AND", "BOOLOR": "OR", "BOOLXOR": "<>"}[call.name]
    return derive(f"{left.atom} {operator} {right.atom}", BOOLEAN, left, right, simple=False)


@scalar("BOOLNOT", args=1)
def boolnot(call: Call) -> Expr:
    value = call.arg(0, BOOLEAN)
    return derive(f"NOT {value.atom}", BOOLEAN, value, simple=False)


# --- greatest, least --------------------------------------------------------------------------------------------------


@scalar("GREATEST", "LEAST", args=(1, None))
def greatest(call: Call) -> Expr:
    """NULL if any argument is NULL."""
    values, common = _comparable(call)
    function = call.name.lower()
    nullable = [value.nullable for value in values]

    def chosen(*texts: str) -> str:
        largest = f"{function}({', '.join(texts)})"
        checks = [f"{text} IS NULL" for text, may in zip(texts, nullable, strict=True) if may]
        return f"CASE WHEN {' OR '.join(checks)} THEN NULL ELSE {largest} END" if checks else largest

    return derive(once(chosen, *values), common, *values)


@scalar("GREATEST_IGNORE_NULLS", "LEAST_IGNORE_NULLS", args=(1, None))
def greatest_ignore_nulls(call: Call) -> Expr:
    values, common = _comparable(call)
    function = call.name.removesuffix("_IGNORE_NULLS").lower()
    sql = f"{function}({', '.join(value.sql for value in values)})"
    return derive(sql, common, *values, nullable=all(value.nullable for value in values))


def _comparable(call: Call) -> tuple[list[Expr], SqlType]:
    values, common = unified(call, call.args())
    if common.is_semistructured:
        raise unsupported(f"{call.name} of {common}")
    return values, common


# --- pairs for regression ---------------------------------------------------------------------------------------------


@scalar("REGR_VALX", "REGR_VALY", args=2)
def regr_value(call: Call) -> Expr:
    """One of two values (y, x), NULL if the other is NULL."""
    y, x = as_float(call, 0), as_float(call, 1)
    value, other = (x, y) if call.name == "REGR_VALX" else (y, x)
    return derive(f"CASE WHEN {other.atom} IS NOT NULL THEN {value.sql} END", FLOAT, y, x)
