"""Expressions that are computed without the engine, and those that must not be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlglot import exp

from polynya.dialect.parse import parse_expression
from polynya.statements.scripting import arithmetic
from polynya.statements.scripting.values import Value
from polynya.types.sqltype import BOOLEAN, DATE, FLOAT, INTEGER, VARCHAR, SqlType, number

_VARIABLES: dict[str, SqlType] = {
    "A": INTEGER, "B": INTEGER, "D": number(10, 2), "F": FLOAT, "S": VARCHAR, "T": BOOLEAN, "Y": DATE,
}  # fmt: skip


def compiled(text: str, result: SqlType) -> arithmetic.Shortcut | None:
    tree = parse_expression(text).copy()
    for column in list(tree.find_all(exp.Column)):
        column.replace(exp.Placeholder(this=column.name.upper()))
    return arithmetic.shortcut(tree, _VARIABLES, result)


@pytest.mark.parametrize(
    ("text", "result", "values", "expected"),
    [
        ("a + b * 2", INTEGER, {"A": 1, "B": 3}, 7),
        ("a - b", INTEGER, {"A": None, "B": 3}, None),
        ("d * a + 1", number(38, 2), {"A": 2, "D": Decimal("1.25")}, Decimal("3.50")),
        ("d * d", number(38, 4), {"D": Decimal("1.25")}, Decimal("1.5625")),
        ("-a", INTEGER, {"A": 4}, -4),
        ("a % b", INTEGER, {"A": -7, "B": 3}, -1),
        ("f * a", FLOAT, {"A": 2, "F": 0.5}, 1.0),
        ("d < f", BOOLEAN, {"D": Decimal("1.25"), "F": 1.5}, True),
        ("s || a", VARCHAR, {"A": 2, "S": "x"}, "x2"),
        ("s = 'x'", BOOLEAN, {"S": "x"}, True),
        ("t AND a > b", BOOLEAN, {"A": 2, "B": 1, "T": None}, None),
        ("t OR a > b", BOOLEAN, {"A": 2, "B": 1, "T": None}, True),
        ("NOT t", BOOLEAN, {"T": False}, True),
        ("a IS NULL", BOOLEAN, {"A": None}, True),
        ("y <= y", BOOLEAN, {"Y": None}, None),
    ],
)
def test_computed_here(text: str, result: SqlType, values: dict[str, Any], expected: object) -> None:
    found = compiled(text, result)
    assert found is not None
    value = arithmetic.run(found, [Value(kind, values.get(name)) for name, kind in _VARIABLES.items()])
    assert value == Value(result, expected)
    assert type(value.value) is type(expected)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a / b", number(38, 6)),
        ("abs(a)", INTEGER),
        ("s + 1", number(38, 5)),
        ("s || f", VARCHAR),
        ("s || d", VARCHAR),
        ("a = s", BOOLEAN),
        ("t = 1", BOOLEAN),
        ("y + 1", DATE),
        ("d + 1", number(38, 5)),
        ("(SELECT 1)", INTEGER),
        ("a < y", BOOLEAN),
    ],
)
def test_left_to_the_engine(text: str, result: SqlType) -> None:
    assert compiled(text, result) is None


@pytest.mark.parametrize(
    ("text", "result", "values"),
    [
        ("a + 1", INTEGER, {"A": 10**38 - 1}),
        ("a * b", INTEGER, {"A": 10**30, "B": 10**10}),
        ("d * a", number(38, 2), {"A": 10**36, "D": Decimal("10.00")}),
        ("a % b", INTEGER, {"A": 1, "B": 0}),
        ("f * f", FLOAT, {"F": 1e200}),
        ("f < f", BOOLEAN, {"F": float("nan")}),
        ("f + a", FLOAT, {"A": 2**60, "F": 1.0}),
    ],
)
def test_values_that_are_left_to_the_engine(text: str, result: SqlType, values: dict[str, Any]) -> None:
    found = compiled(text, result)
    assert found is not None
    assert arithmetic.run(found, [Value(kind, values.get(name)) for name, kind in _VARIABLES.items()]) is None


def test_variables_of_other_types_need_another_shortcut() -> None:
    found = compiled("a + b", INTEGER)
    assert found is not None
    values = [Value(kind, None) for kind in _VARIABLES.values()]
    assert arithmetic.run(found, values) == Value(INTEGER, None)
    assert arithmetic.run(found, [Value(FLOAT, 1.0), *values[1:]]) is None
