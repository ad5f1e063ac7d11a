"""Arithmetic operators: exact values and the NUMBER that Snowflake's rules give."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest

from polynya.errors import SnowflakeError

Evaluate = Callable[..., tuple[Any, str]]

CASES = [
    # expression, value, type
    ("1 + 1", "2", "NUMBER(2,0)"),
    ("10 - 2.25", "7.75", "NUMBER(5,2)"),
    ("999999999999999999 + 1", "1000000000000000000", "NUMBER(19,0)"),
    ("2.5 * 1.5", "3.75", "NUMBER(4,2)"),
    ("999999999999999999 * 999999999999999999", "999999999999999998000000000000000001", "NUMBER(36,0)"),
    ("0.1 * 0.0000000000001", "0.0000000000000", "NUMBER(13,13)"),
    ("1::NUMBER(38,20) * 1.5::NUMBER(38,20)", "1.50000000000000000000", "NUMBER(38,20)"),
    ("1 / 3", "0.333333", "NUMBER(7,6)"),
    ("2 / 3", "0.666667", "NUMBER(7,6)"),
    ("-2 / 3", "-0.666667", "NUMBER(7,6)"),
    ("1.00 / 3", "0.33333333", "NUMBER(9,8)"),
    ("1.5 / 0.25", "6.0000000", "NUMBER(10,7)"),
    ("12345678901234567890 / 7", "1763668414462081127.142857", "NUMBER(26,6)"),
    ("7 % 3", "1", "NUMBER(1,0)"),
    ("-7 % 3", "-1", "NUMBER(1,0)"),
    ("7.5 % 2", "1.5", "NUMBER(2,1)"),
    ("1 + '2.5'", "3.50000", "NUMBER(19,5)"),
    ("TRUE + 1", "2", "NUMBER(2,0)"),
    ("NULL + 1", None, "NUMBER(38,0)"),
    ("-NULL", None, "NUMBER(38,0)"),
    ("NULL / 0", None, "NUMBER(38,6)"),
]


@pytest.mark.parametrize(("expression", "value", "sql_type"), CASES, ids=[case[0] for case in CASES])
def test_numbers(evaluate: Evaluate, expression: str, value: str | None, sql_type: str) -> None:
    found, found_type = evaluate(expression)
    assert found_type == sql_type
    assert (found if found is None else f"{found:f}") == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [("1.5::FLOAT + 1", 2.5), ("1::FLOAT / 3", 1 / 3), ("7.5::FLOAT % 2", 1.5), ("PARSE_JSON('3') * 2", 6.0)],
)
def test_floats(evaluate: Evaluate, expression: str, value: float) -> None:
    assert evaluate(expression) == (value, "FLOAT")


@pytest.mark.parametrize("expression", ["1 / 0", "1.5::FLOAT / 0", "5 % 0", "5::FLOAT % 0", "1 / (1 - 1)"])
def test_division_by_zero(evaluate: Evaluate, expression: str) -> None:
    with pytest.raises(SnowflakeError, match="Division by zero") as caught:
        evaluate(expression)
    assert (caught.value.code, caught.value.sqlstate) == (100051, "22012")


def test_overflow(evaluate: Evaluate) -> None:
    with pytest.raises(SnowflakeError) as caught:
        evaluate(f"{'9' * 38} + 1")
    assert caught.value.code == 100132


def _rows(pairs: list[tuple[Decimal, Decimal]], dividend: tuple[int, int], divisor: tuple[int, int]) -> str:
    """The pairs as rows of VALUES, numbered."""
    return ", ".join(
        f"({x:f}::NUMBER({dividend[0]},{dividend[1]}), {y:f}::NUMBER({divisor[0]},{divisor[1]}), {n})"
        for n, (x, y) in enumerate(pairs)
    )


@pytest.mark.parametrize(
    ("dividend", "divisor"),
    [((38, 0), (38, 0)), ((18, 2), (18, 2)), ((38, 10), (38, 2)), ((5, 5), (5, 5)), ((20, 15), (4, 1))],
)
def test_division_is_exact(run: Callable[..., Any], dividend: tuple[int, int], divisor: tuple[int, int]) -> None:
    """Quotients of random numbers, many of them halfway between two results, against exact decimals."""
    generator = random.Random(7)

    def value(kind: tuple[int, int]) -> Decimal:
        digits = generator.randint(1, min(kind[0], 20))
        return Decimal(generator.randint(1 - 10**digits, 10**digits - 1) or 1).scaleb(-kind[1])

    scale = max(dividend[1], min(dividend[1] + 6, 12))
    pairs, expected = [], []
    with localcontext() as context:
        context.prec = 100
        while len(pairs) < 200:
            x, y = value(dividend), value(divisor)
            if len(pairs) % 2:
                y = Decimal(generator.choice([1, 2, 4, 5, 8, -16])).scaleb(-divisor[1])
            quotient = (x / y).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
            if abs(quotient) < Decimal(10) ** min(dividend[0] - dividend[1] + divisor[1], 38 - scale):
                pairs.append((x, y))
                expected.append(quotient)
    rows = _rows(pairs, dividend, divisor)
    answer = run(f"SELECT $1 / $2 FROM VALUES {rows} ORDER BY $3")
    assert [row[0] for row in answer.rows] == expected


@pytest.mark.parametrize(
    ("dividend", "divisor"),
    [((38, 0), (38, 0)), ((38, 0), (3, 0)), ((18, 2), (30, 4)), ((38, 10), (38, 2)), ((38, 20), (5, 0))],
)
def test_remainders_are_exact(run: Callable[..., Any], dividend: tuple[int, int], divisor: tuple[int, int]) -> None:
    """Of NUMBERs around 2^51 and 2^63, and much smaller and larger ones, against exact decimals."""
    generator = random.Random(8)

    def value(kind: tuple[int, int]) -> Decimal:
        near = generator.choice([10, 10**6, 2**51, 2**53, 2**63, 10**19, 10**29]) + generator.randint(-9, 9)
        return Decimal(generator.choice([-1, 1]) * (near % 10 ** kind[0]) or 1).scaleb(-kind[1])

    pairs = [(value(dividend), value(divisor)) for _ in range(300)]
    largest = 10 ** (38 - max(dividend[1], divisor[1]))  # at the scale of both
    pairs = [(x, y) for x, y in pairs if max(abs(x), abs(y)) < largest]
    rows = _rows(pairs, dividend, divisor)
    with localcontext() as context:
        context.prec = 100
        expected = [x % y for x, y in pairs]  # Decimal's has the sign of the dividend, too
    answer = run(f"SELECT $1 % $2 FROM VALUES {rows} ORDER BY $3")
    assert [row[0] for row in answer.rows] == expected
    constant = pairs[0][1]
    answer = run(f"SELECT $1 % {constant:f} FROM VALUES {rows} ORDER BY $3")
    with localcontext() as context:
        context.prec = 100
        assert [row[0] for row in answer.rows] == [x % constant for x, _ in pairs]


def test_text_does_not_grow_with_nesting(run: Callable[..., Any]) -> None:
    """Each operand of a division is written once, however deep it nests."""
    assert run(f"SELECT {'1/(' * 60}1{')' * 60}").value == 1


def test_inside_correlated_subqueries(run: Callable[..., Any]) -> None:
    """Operands that are columns of two queries, or subqueries themselves."""
    answer = run(
        "SELECT $1 FROM VALUES (1), (6) AS x(a) WHERE EXISTS "
        "(SELECT 1 FROM VALUES (1), (2) AS y(b) WHERE (x.a + 0.5) / (y.b + (SELECT MAX(b) FROM VALUES (2) AS z(b))) > 1)"
    )
    assert [int(row[0]) for row in answer.rows] == [6]
