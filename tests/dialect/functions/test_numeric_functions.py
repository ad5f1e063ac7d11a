"""Numeric, bitwise, conditional, random and vector functions: values and result types."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from polynya.errors import SnowflakeError

Evaluate = Callable[..., tuple[Any, str]]

CASES = [
    # expression, value, type
    ("ABS(-5.5)", "5.5", "NUMBER(2,1)"), ("SIGN(-2)", -1, "NUMBER(1,0)"), ("CEIL(3.14)", 4, "NUMBER(4,0)"),
    ("CEIL(3.14, 1)", "3.2", "NUMBER(4,1)"), ("CEIL(-3.14, -1)", 0, "NUMBER(4,0)"), ("FLOOR(-3.5)", -4, "NUMBER(3,0)"),
    ("FLOOR(135.135, -2)", 100, "NUMBER(7,0)"), ("FLOOR(135.135, 1)", "135.1", "NUMBER(7,1)"), ("CEIL(1.5::FLOAT)", 2.0, "FLOAT"),
    ("ROUND(3.14, 1)", "3.1", "NUMBER(4,1)"), ("ROUND(2.5)", 3, "NUMBER(3,0)"), ("ROUND(-2.5)", -3, "NUMBER(3,0)"),
    ("ROUND(1234.5, -2)", 1200, "NUMBER(6,0)"), ("ROUND(99, -1)", 100, "NUMBER(3,0)"), ("ROUND(5.555::FLOAT, 2)", 5.56, "FLOAT"),
    ("ROUND(2.5, 0, 'HALF_TO_EVEN')", 2, "NUMBER(3,0)"), ("ROUND(3.5, 0, 'HALF_TO_EVEN')", 4, "NUMBER(3,0)"),
    ("ROUND(-0.25, 1, 'HALF_TO_EVEN')", "-0.2", "NUMBER(3,1)"), ("TRUNC(3.19, 1)", "3.1", "NUMBER(3,1)"),
    ("TRUNC(-3.9)", -3, "NUMBER(2,0)"), ("TRUNCATE(135.135, -2)", 100, "NUMBER(6,0)"), ("TRUNC(1.57::FLOAT, 1)", 1.5, "FLOAT"),
    ("SQRT(16)", 4.0, "FLOAT"), ("CBRT(27)", 3.0, "FLOAT"), ("CBRT(0)", 0.0, "FLOAT"), ("POWER(2, 10)", 1024.0, "FLOAT"),
    ("LOG(10, 100)", 2.0, "FLOAT"), ("SQUARE(4)", 16.0, "FLOAT"), ("FACTORIAL(5)", 120, "NUMBER(38,0)"),
    ("ATAN2(1, 1)", 0.7853981633974483, "FLOAT"), ("DEGREES(PI())", 180.0, "FLOAT"),
    ("HAVERSINE(40.7127, -74.0059, 34.0500, -118.2500)", 3936.385096389294, "FLOAT"),
    ("WIDTH_BUCKET(99, 100, 200, 10)", 0, "NUMBER(38,0)"), ("WIDTH_BUCKET(200, 100, 200, 10)", 11, "NUMBER(38,0)"),
    ("WIDTH_BUCKET(155.5, 100, 200, 10)", 6, "NUMBER(38,0)"), ("DIV0(10, 0)", "0.000000", "NUMBER(8,6)"),
    ("DIV0(10, 4)", "2.500000", "NUMBER(8,6)"), ("DIV0(NULL, 0)", None, "NUMBER(38,6)"), ("DIV0NULL(1, NULL)", "0.000000", "NUMBER(7,6)"),
    ("MOD(4.5, 1.2)", "0.9", "NUMBER(2,1)"), ("MOD(7::FLOAT, 4)", 3.0, "FLOAT"),
    ("GREATEST(1, 2.5, 3)", "3.0", "NUMBER(2,1)"), ("GREATEST(1, NULL)", None, "NUMBER(1,0)"),
    ("GREATEST_IGNORE_NULLS(1, NULL, 3)", 3, "NUMBER(1,0)"), ("LEAST('b', 'a')", "a", "VARCHAR(1)"),
    ("BITAND(5, 3)", 1, "NUMBER(38,0)"), ("BITXOR(5, 3)", 6, "NUMBER(38,0)"), ("BITNOT(5)", -6, "NUMBER(38,0)"),
    ("BITSHIFTLEFT(-1, 3)", -8, "NUMBER(38,0)"), ("BITSHIFTRIGHT(-8, 1)", -4, "NUMBER(38,0)"), ("GETBIT(5, 2)", 1, "NUMBER(1,0)"),
    ("BITSHIFTLEFT(1, 64)", 18446744073709551616, "NUMBER(38,0)"), ("BITAND(X'FF0F', X'0FFF')", b"\x0f\x0f", "BINARY(2)"),
    ("BITOR(X'0F', X'F000', 'LEFT')", b"\xf0\x0f", "BINARY(2)"), ("BITNOT(X'0F')", b"\xf0", "BINARY(1)"),
    ("IFF(TRUE, 1, 2.5)", "1.0", "NUMBER(2,1)"), ("NVL(NULL, 3)", 3, "NUMBER(1,0)"), ("NVL2(NULL, 'a', 'b')", "b", "VARCHAR(1)"),
    ("COALESCE(NULL, NULL, 'x')", "x", "VARCHAR(1)"), ("NULLIF(1, 1)", None, "NUMBER(1,0)"), ("ZEROIFNULL(NULL)", 0, "NUMBER(38,0)"),
    ("NULLIFZERO(1.5)", "1.5", "NUMBER(2,1)"), ("DECODE(NULL, 1, 'one', NULL, 'null!')", "null!", "VARCHAR(5)"),
    ("DECODE(3, 1, 'a')", None, "VARCHAR(1)"), ("DECODE(2, 1, 'one', 2, 'two', 'other')", "two", "VARCHAR(5)"),
    ("EQUAL_NULL(NULL, NULL)", True, "BOOLEAN"), ("EQUAL_NULL(1, NULL)", False, "BOOLEAN"), ("BOOLAND(NULL, 0)", False, "BOOLEAN"),
    ("BOOLOR(2, NULL)", True, "BOOLEAN"), ("BOOLXOR(1, 0)", True, "BOOLEAN"), ("BOOLNOT(5)", False, "BOOLEAN"),
    ("REGR_VALX(NULL, 1)", None, "FLOAT"), ("REGR_VALY(2, 1)", 2.0, "FLOAT"),
    ("VECTOR_INNER_PRODUCT([1, 2]::VECTOR(INT, 2), [3, 4]::VECTOR(INT, 2))", 11.0, "FLOAT"),
    ("BITMAP_BUCKET_NUMBER(32769)", 2, "NUMBER(38,0)"), ("BITMAP_BIT_POSITION(32769)", 0, "NUMBER(38,0)"),
    ("SYSTEM$TYPEOF(1.25)", "NUMBER(3,2)[SB2]", "VARCHAR(16777216)"), ("SYSTEM$TYPEOF('abc')", "VARCHAR(3)[LOB]", "VARCHAR(16777216)"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "value", "sql_type"), CASES, ids=[case[0] for case in CASES])
def test_values(evaluate: Evaluate, expression: str, value: Any, sql_type: str) -> None:
    expected = Decimal(value) if isinstance(value, str) and sql_type.startswith("NUMBER") else value
    found, found_type = evaluate(expression)
    assert (found, found_type) == (expected, sql_type)
    if isinstance(value, str) and sql_type.startswith("NUMBER"):
        assert f"{found:f}" == value  # the scale too


def test_round_to_a_scale_in_a_column(run: Callable[..., Any]) -> None:
    answer = run("SELECT ROUND($1, $2) FROM VALUES (1234.567, -2), (1234.567, 2), (1234.567, 9), (NULL, 1) ORDER BY $2")
    assert [row[0] for row in answer.rows] == [Decimal("1200.000"), None, Decimal("1234.570"), Decimal("1234.567")]


ERRORS = [
    ("SQRT(-1)", 100164), ("LN(0)", 100164), ("ACOS(3)", 100164), ("FACTORIAL(34)", 100167), ("WIDTH_BUCKET(1, 1, 2, 0)", 100151),
    ("ROUND(1.5, 1, 'UP')", 1027), ("ABS(CURRENT_DATE)", 1044), ("COALESCE(1)", 938), ("BITAND(X'FF', X'FFFF')", 100270),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "code"), ERRORS, ids=[case[0] for case in ERRORS])
def test_errors(evaluate: Evaluate, expression: str, code: int) -> None:
    with pytest.raises(SnowflakeError) as caught:
        evaluate(expression)
    assert caught.value.code == code


def test_random(run: Callable[..., Any]) -> None:
    """Drawn anew for each row; distributions stay in their bounds; a seed repeats itself."""
    answer = run(
        "SELECT COUNT(DISTINCT RANDOM()), MIN(UNIFORM(1, 6, RANDOM())), MAX(UNIFORM(1, 6, RANDOM())), "
        "AVG(NORMAL(10, 1, RANDOM())), MAX(ZIPF(1, 5, RANDOM())), MIN(LENGTH(RANDSTR(4, RANDOM()))), "
        "COUNT(DISTINCT UUID_STRING()) FROM TABLE(GENERATOR(ROWCOUNT => 1000))"
    )
    distinct, low, high, mean, rank, length, ids = answer.rows[0]
    assert (distinct, low, high, rank, length, ids) == (1000, 1, 6, 5, 4, 1000)
    assert 9.8 < mean < 10.2
    seeded = "SELECT RANDOM(4711), RANDOM(4711), RANDOM(1) FROM TABLE(GENERATOR(ROWCOUNT => 3))"
    first = run(seeded).rows
    assert first == run(seeded).rows
    assert all(row[0] == row[1] != row[2] for row in first)
    assert len({row[0] for row in first}) == 3


def test_counters(run: Callable[..., Any]) -> None:
    """SEQ functions count a generator's rows and wrap round."""
    rows = run("SELECT SEQ1(), SEQ1(1), SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 300))").rows
    assert [int(row[2]) for row in rows] == list(range(300))
    assert (rows[255][0], rows[256][0], rows[128][1]) == (255, 0, -128)
