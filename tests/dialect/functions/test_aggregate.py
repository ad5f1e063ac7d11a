"""Aggregates: values and exact types; over windows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from polynya.errors import SnowflakeError

INTEGERS = "VALUES (1), (1), (2), (2), (3), (3), (NULL)"
DECIMALS = "VALUES (1.25), (2.50), (3.00), (NULL), (4.10)"
PAIRS = "VALUES (10, 11), (20, 22), (25, 0), (30, 35)"
NUMBERS = [
    ("SUM(column1)", INTEGERS, Decimal(12), "NUMBER(38,0)"),
    ("AVG(column1)", INTEGERS, Decimal("2.000000"), "NUMBER(38,6)"),
    ("COUNT(column1)", INTEGERS, 6, "NUMBER(18,0)"),
    ("COUNT(*)", INTEGERS, 7, "NUMBER(18,0)"),
    ("COUNT(DISTINCT column1)", INTEGERS, 3, "NUMBER(18,0)"),
    ("COUNT_IF(column1 > 1)", INTEGERS, 4, "NUMBER(18,0)"),
    ("SUM(DISTINCT column1)", INTEGERS, 6, "NUMBER(38,0)"),
    ("MEDIAN(column1)", INTEGERS, Decimal("2.000"), "NUMBER(4,3)"),
    ("VARIANCE(column1)", INTEGERS, Decimal("0.800000"), "NUMBER(38,6)"),
    ("VAR_POP(column1)", INTEGERS, Decimal("0.666667"), "NUMBER(38,6)"),
    ("KURTOSIS(column1)", INTEGERS, Decimal("-1.875000000000"), "NUMBER(38,12)"),
    ("STDDEV_POP(column1)", INTEGERS, 0.8164967850518458, "FLOAT"),
    ("SUM(column1)", DECIMALS, Decimal("10.85"), "NUMBER(38,2)"),
    ("AVG(column1)", DECIMALS, Decimal("2.71250000"), "NUMBER(38,8)"),
    ("AVG(column1::FLOAT)", DECIMALS, 2.7125, "FLOAT"),
    ("VAR_SAMP(column1)", DECIMALS, Decimal("1.3972916667"), "NUMBER(38,10)"),
    ("MEDIAN(column1)", DECIMALS, Decimal("2.75000"), "NUMBER(6,5)"),
    ("PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY column1 DESC)", DECIMALS, Decimal("3.27500"), "NUMBER(6,5)"),
    ("PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY column1)", DECIMALS, Decimal("2.50"), "NUMBER(3,2)"),
    ("CORR(column1, column2)", PAIRS, pytest.approx(0.40367115665231024), "FLOAT"),
    ("COVAR_SAMP(column1, column2)", PAIRS, pytest.approx(51.666666666666664), "FLOAT"),
    ("MAX_BY(column1, column2)", PAIRS, 30, "NUMBER(2,0)"),
    ("MIN_BY(column1, column2, 2)", PAIRS, "[25,10]", "ARRAY"),
    ("BITOR_AGG(column1)", "VALUES (1), (6)", 7, "NUMBER(38,0)"),
    ("BOOLXOR_AGG(column1 > 1)", "VALUES (1), (6)", True, "BOOLEAN"),
    ("APPROX_PERCENTILE(column1, 0.5)", "VALUES (1), (2), (3), (4)", 2.5, "FLOAT"),
    ("APPROX_TOP_K(column1, 2)", "VALUES (1), (2), (2), (4)", "[[2,2],[1,1]]", "ARRAY"),
    ("SUM(column1)", "VALUES ('1.5'), ('2')", 3.5, "FLOAT"),
    ("SUM(NULL)", INTEGERS, None, "NUMBER(38,0)"),
    ("MAX(column1)", "VALUES (PARSE_JSON('9')), (PARSE_JSON('10'))", "10", "VARIANT"),
    ("COVAR_POP(column1, 'NaN'::FLOAT) IS NULL", PAIRS, False, "BOOLEAN"),
    ("CORR(column1, column2)", "VALUES (1, 2)", None, "FLOAT"),
    # more SQL than is written twice without a lambda, in which no aggregate may stand
    ("STDDEV(IFF(column1 > 1, column1::FLOAT * 2 + 1, column1::FLOAT * 3 - 1))", INTEGERS, pytest.approx(2.2509257354845507), "FLOAT"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "rows", "expected", "kind"), NUMBERS, ids=[f"{case[0]} {case[1][:20]}" for case in NUMBERS]
)
def test_aggregates(run, call, rows, expected, kind):
    answer = run(f"SELECT {call} FROM {rows}")
    assert (answer.value, answer.type) == (expected, kind)


LETTERS = "VALUES (1, 'x'), (2, 'y'), (NULL, 'x'), (3, 'x')"
TEXTS = [
    ("LISTAGG(column1, ', ') WITHIN GROUP (ORDER BY column1 DESC)", "3, 2, 1"),
    ("LISTAGG(DISTINCT column2, '|') WITHIN GROUP (ORDER BY column2)", "x|y"),
    ("ARRAY_AGG(column1) WITHIN GROUP (ORDER BY column1 DESC)", "[3,2,1]"),
    ("ARRAY_AGG(DISTINCT column2) WITHIN GROUP (ORDER BY column2)", '["x","y"]'),
    ("OBJECT_AGG(column1::VARCHAR, column2)", '{"1":"x","2":"y","3":"x"}'),
    ("COUNT(column1, column2)", 3), ("COUNT(DISTINCT column1, column2)", 3), ("ANY_VALUE(column2) IN ('x', 'y')", True),
]  # fmt: skip


@pytest.mark.parametrize(("call", "expected"), TEXTS)
def test_texts_and_arrays(run, call, expected):
    assert run(f"SELECT {call} FROM {LETTERS}").value == expected


def test_aggregates_of_nothing(run):
    row = run(
        "SELECT LISTAGG(column1), ARRAY_AGG(column1), OBJECT_AGG('a', column1), COUNT(column1), SUM(column1) FROM VALUES (NULL::INT)"
    ).rows[0]
    assert row == ("", "[]", "{}", 0, None)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT SUM(TRUE)", 1044),
        ("SELECT OBJECT_AGG(column2, column1) FROM VALUES (1, 'x'), (2, 'x')", 100083),
        ("SELECT SUM(column1) FROM VALUES ('a')", 100038),
        ("SELECT HLL_ACCUMULATE(1)", 2),
        ("SELECT APPROX_PERCENTILE(1, 2)", 1015),
    ],
)
def test_errors(run, query, code):
    with pytest.raises(SnowflakeError) as raised:
        run(query)
    assert raised.value.code == code


def test_exact_sums_and_means_of_large_numbers(run):
    row = run(
        "SELECT SUM(column1), AVG(column1) FROM VALUES (12345678901234567890.12), (12345678901234567890.15)"
    ).rows[0]
    assert row == (Decimal("24691357802469135780.27"), Decimal("12345678901234567890.13500000"))


def test_digest_of_percentiles(run):
    digest = "SELECT APPROX_PERCENTILE_ACCUMULATE(column1) AS s FROM VALUES (1), (2), (4)"
    query = f"SELECT APPROX_PERCENTILE_ESTIMATE(APPROX_PERCENTILE_COMBINE(s), 0.5) FROM ({digest} UNION ALL {digest})"
    assert run(query).value == 2.0
    many = "SELECT APPROX_PERCENTILE_ESTIMATE(APPROX_PERCENTILE_ACCUMULATE(SEQ4()), 0.9) FROM TABLE(GENERATOR(ROWCOUNT => 20000))"
    assert run(many).value == pytest.approx(18000, rel=0.01)


def test_rollup(run):
    query = """SELECT column1, SUM(column3), GROUPING(column1), GROUPING_ID(column1, column2)
        FROM VALUES (1, 2, 3), (1, 3, 4) GROUP BY ROLLUP(column1, column2) ORDER BY 4, 2"""
    assert [tuple(row) for row in run(query).rows] == [(1, 3, 0, 0), (1, 4, 0, 0), (1, 7, 0, 1), (None, 7, 1, 3)]
