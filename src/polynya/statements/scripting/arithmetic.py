"""Simple expressions computed without the engine, so that a loop's counter costs microseconds.

An expression is computed by the engine the first time, which finds its errors and its type. Where all that it does is
listed here, it is computed in Python from then on, exactly as the engine does; whatever could come out differently (an
overflow, a division, NaN) goes back to the engine.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from sqlglot import exp

from polynya.dialect.expression import number_literal
from polynya.statements.scripting.values import Value, exact_below
from polynya.types.sqltype import BOOLEAN, FLOAT, SqlType, number, varchar

# Takes the variables' values in the order of the shortcut's keys.
Computation = Callable[[list[Any]], Any]

_EXACT = Context(prec=100)
_MOST = 10**38


class NotHere(Exception):
    """The engine has to compute it."""


@dataclass(slots=True)
class Shortcut:
    """How to compute an expression.

    Args:
        types: those of the variables it was made for, in order; with others it does not hold.
        type: of the result.
        compute: the computation; NotHere where the engine must do it.
    """

    types: list[SqlType]
    type: SqlType
    compute: Computation


def shortcut(tree: exp.Expr, keys: dict[str, SqlType], result: SqlType) -> Shortcut | None:
    """A shortcut for an expression, or None if it does more than what is known here.

    Args:
        tree: the expression with placeholders for variables.
        keys: the placeholders' types, in the order in which values will be given.
        result: its type, as the engine's binder found it.
    """
    found = _compile(tree, keys)
    if found is None:
        return None
    kind, compute = found
    if kind.name != result.name or (kind.name == "NUMBER" and kind.scale != result.scale):
        return None
    return Shortcut(list(keys.values()), result, compute)


def run(found: Shortcut, values: list[Value]) -> Value | None:
    """The expression's value; None where the engine has to compute it."""
    items = []
    for value, sql_type in zip(values, found.types, strict=True):
        if value.type is not sql_type and value.type != sql_type:
            return None
        items.append(value.value)
    try:
        return Value(found.type, found.compute(items))
    except NotHere:
        return None


_Compiled = tuple[SqlType, Computation]


def _compile(node: exp.Expr, keys: dict[str, SqlType]) -> _Compiled | None:
    if isinstance(node, exp.Paren):
        return _compile(node.this, keys)
    if isinstance(node, exp.Placeholder):
        return _variable(str(node.this), keys)
    if isinstance(node, exp.Literal):
        return _literal(node)
    if isinstance(node, exp.Boolean):
        truth = bool(node.this)
        return BOOLEAN, lambda values: truth
    if isinstance(node, exp.Neg):
        return _negative(node, keys)
    if isinstance(node, exp.Not):
        return _not(node, keys)
    if isinstance(node, exp.Is):
        return _is_null(node, keys)
    make = _BINARY.get(type(node))
    if make is None or not isinstance(node, exp.Binary):
        return None
    left, right = _compile(node.this, keys), _compile(node.expression, keys)
    return None if left is None or right is None else make(type(node), left, right)


def _variable(key: str, keys: dict[str, SqlType]) -> _Compiled | None:
    if key not in keys:
        return None
    sql_type, index = keys[key], list(keys).index(key)
    if sql_type.name == "NULL" or sql_type.collation:
        return None
    return sql_type, operator.itemgetter(index)


def _literal(node: exp.Literal) -> _Compiled | None:
    if node.is_string:
        text = node.name
        return varchar(max(len(text), 1)), lambda values: text
    expr = number_literal(node.name)
    if expr.type.name != "NUMBER":
        return None
    constant = expr.constant
    return expr.type, lambda values: constant


def _negative(node: exp.Neg, keys: dict[str, SqlType]) -> _Compiled | None:
    found = _compile(node.this, keys)
    if found is None or not found[0].is_numeric:
        return None
    kind, compute = found

    def negate(values: list[Any]) -> Any:
        value = compute(values)
        # Decimal's minus rounds to its context's digits.
        return None if value is None else (value.copy_negate() if isinstance(value, Decimal) else -value)

    return kind, negate


def _not(node: exp.Not, keys: dict[str, SqlType]) -> _Compiled | None:
    found = _compile(node.this, keys)
    if found is None or found[0] != BOOLEAN:
        return None
    compute = found[1]

    def negate(values: list[Any]) -> bool | None:
        value = compute(values)
        return None if value is None else not value

    return BOOLEAN, negate


def _is_null(node: exp.Is, keys: dict[str, SqlType]) -> _Compiled | None:
    found = _compile(node.this, keys)
    if found is None or not isinstance(node.expression, exp.Null) or found[0].is_semistructured:
        return None
    compute = found[1]
    return BOOLEAN, lambda values: compute(values) is None


# --- + - * ------------------------------------------------------------------------------------------------------------


def _calculate(node: type, left: _Compiled, right: _Compiled) -> _Compiled | None:
    kinds = (left[0], right[0])
    if all(kind.name == "NUMBER" for kind in kinds):
        return _whole(node, left, right) if not (kinds[0].scale or kinds[1].scale) else _decimal(node, left, right)
    if all(kind.is_numeric for kind in kinds):
        return FLOAT, _floating(_OPERATORS[node], left, right)
    return None


def _whole(node: type, left: _Compiled, right: _Compiled) -> _Compiled:
    apply, first, second = _OPERATORS[node], left[1], right[1]

    def compute(values: list[Any]) -> int | None:
        a, b = first(values), second(values)
        if a is None or b is None:
            return None
        result: int = apply(a, b)
        if -_MOST < result < _MOST:
            return result
        raise NotHere

    return number(38, 0), compute


def _decimal(node: type, left: _Compiled, right: _Compiled) -> _Compiled | None:
    scales = (left[0].scale, right[0].scale)
    scale = sum(scales) if node is exp.Mul else max(scales)
    if scale > 37:
        return None
    apply = _EXACT.multiply if node is exp.Mul else _EXACT.add if node is exp.Add else _EXACT.subtract
    first, second, limit = left[1], right[1], 10 ** (38 - scale)

    def compute(values: list[Any]) -> Decimal | None:
        a, b = first(values), second(values)
        if a is None or b is None:
            return None
        result = apply(a, b)
        if -limit < result < limit:
            return result
        raise NotHere

    return number(38, scale), compute


def _floating(apply: Callable[[Any, Any], Any], left: _Compiled, right: _Compiled) -> Computation:
    """An operation on two numbers of which one is a FLOAT, on finite values."""
    first, second = _as_float(left), _as_float(right)

    def compute(values: list[Any]) -> Any:
        a, b = first(values), second(values)
        if a is None or b is None:
            return None
        result = apply(a, b)
        if a - a == 0 == b - b and (result is True or result is False or result - result == 0):
            return result
        raise NotHere

    return compute


def _as_float(operand: _Compiled) -> Computation:
    kind, compute = operand
    if kind == FLOAT:
        return compute
    limit = exact_below(kind)

    def convert(values: list[Any]) -> float | None:
        value = compute(values)
        if value is None:
            return None
        if -limit < value < limit:
            return float(value)
        raise NotHere

    return convert


def _remainder(node: type, left: _Compiled, right: _Compiled) -> _Compiled | None:
    if any(kind.name != "NUMBER" or kind.scale for kind in (left[0], right[0])):
        return None
    first, second = left[1], right[1]

    def compute(values: list[Any]) -> int | None:
        a, b = first(values), second(values)
        if a is None or b is None:
            return None
        if not b:
            raise NotHere
        rest: int = abs(a) % abs(b)
        return -rest if a < 0 else rest  # the sign of the dividend

    return number(38, 0), compute


# --- comparisons, logic, text -----------------------------------------------------------------------------------------

_COMPARED = {"NUMBER", "VARCHAR", "DATE", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIME"}


def _compare(node: type, left: _Compiled, right: _Compiled) -> _Compiled | None:
    kinds = (left[0], right[0])
    apply, first, second = _OPERATORS[node], left[1], right[1]
    if FLOAT in kinds and all(kind.is_numeric for kind in kinds):
        return BOOLEAN, _floating(apply, left, right)
    same = kinds[0].name == kinds[1].name
    if not same or not (kinds[0].name in _COMPARED or (kinds[0] == BOOLEAN and node in (exp.EQ, exp.NEQ))):
        return None

    def compute(values: list[Any]) -> bool | None:
        a, b = first(values), second(values)
        return None if a is None or b is None else apply(a, b)

    return BOOLEAN, compute


def _connect(node: type, left: _Compiled, right: _Compiled) -> _Compiled | None:
    if left[0] != BOOLEAN or right[0] != BOOLEAN:
        return None
    first, second, decisive = left[1], right[1], node is exp.Or

    def compute(values: list[Any]) -> bool | None:
        a, b = first(values), second(values)
        if a is decisive or b is decisive:
            return decisive
        return None if a is None or b is None else not decisive

    return BOOLEAN, compute


def _concatenate(node: type, left: _Compiled, right: _Compiled) -> _Compiled | None:
    first, second = _as_text(left), _as_text(right)
    if first is None or second is None:
        return None

    def compute(values: list[Any]) -> str | None:
        a, b = first(values), second(values)
        return None if a is None or b is None else a + b

    return varchar(), compute


def _as_text(operand: _Compiled) -> Computation | None:
    kind, compute = operand
    if kind.name == "VARCHAR":
        return compute
    if kind.name != "NUMBER" or kind.scale:
        return None

    def convert(values: list[Any]) -> str | None:
        value = compute(values)
        return None if value is None else str(value)

    return convert


_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    exp.Add: operator.add,
    exp.Sub: operator.sub,
    exp.Mul: operator.mul,
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}
_BINARY: dict[type, Callable[[type, _Compiled, _Compiled], _Compiled | None]] = {
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul), _calculate),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE), _compare),
    exp.Mod: _remainder,
    exp.And: _connect,
    exp.Or: _connect,
    exp.DPipe: _concatenate,
}
