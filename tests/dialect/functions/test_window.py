"""Window functions and the frames they have by default."""

from __future__ import annotations

from decimal import Decimal

import pytest

from polynya.errors import SnowflakeError

ROWS = "VALUES (1, 'x'), (2, NULL), (2, 'z'), (4, 'z') AS t(a, b)"
CALLS = [
    ("ROW_NUMBER() OVER (ORDER BY a, b)", [1, 2, 3, 4], "NUMBER(18,0)"),
    ("RANK() OVER (ORDER BY a)", [1, 2, 2, 4], "NUMBER(18,0)"),
    ("DENSE_RANK() OVER (ORDER BY a)", [1, 2, 2, 3], "NUMBER(18,0)"),
    ("PERCENT_RANK() OVER (ORDER BY a)", [0.0, pytest.approx(1 / 3), pytest.approx(1 / 3), 1.0], "FLOAT"),
    ("CUME_DIST() OVER (ORDER BY a)", [0.25, 0.75, 0.75, 1.0], "FLOAT"),
    ("NTILE(2) OVER (ORDER BY a, b)", [1, 1, 2, 2], "NUMBER(18,0)"),
    ("LAG(a) OVER (ORDER BY a, b)", [None, 1, 2, 2], "NUMBER(1,0)"),
    ("LEAD(a, 2, 0.5) OVER (ORDER BY a, b)", [Decimal("2.0"), Decimal("4.0"), Decimal("0.5"), Decimal("0.5")], "NUMBER(2,1)"),
    ("LAG(b) IGNORE NULLS OVER (ORDER BY a, b)", [None, "x", "z", "z"], "VARCHAR(1)"),
    ("FIRST_VALUE(a) OVER (ORDER BY a)", [1, 1, 1, 1], "NUMBER(1,0)"),
    ("LAST_VALUE(a) OVER (ORDER BY a)", [4, 4, 4, 4], "NUMBER(1,0)"),
    ("NTH_VALUE(a, 4) OVER (ORDER BY a)", [4, 4, 4, 4], "NUMBER(1,0)"),
    ("SUM(a) OVER (ORDER BY a)", [1, 5, 5, 9], "NUMBER(38,0)"),
    ("AVG(a) OVER ()", [Decimal("2.250")] * 4, "NUMBER(38,3)"),
    ("AVG(a) OVER (ORDER BY a)", [Decimal("1.000000"), Decimal("1.666667"), Decimal("1.666667"), Decimal("2.250000")], "NUMBER(38,6)"),
    ("AVG(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)",
     [Decimal("1.500"), Decimal("1.666"), Decimal("2.666"), Decimal("3.000")], "NUMBER(38,3)"),
    ("RATIO_TO_REPORT(a) OVER ()", [Decimal("0.111111"), Decimal("0.222222"), Decimal("0.222222"), Decimal("0.444444")], "NUMBER(7,6)"),
    ("CONDITIONAL_TRUE_EVENT(a > 1) OVER (ORDER BY a, b)", [0, 1, 2, 3], "NUMBER(18,0)"),
    ("CONDITIONAL_CHANGE_EVENT(a) OVER (ORDER BY a)", [0, 1, 1, 2], "NUMBER(18,0)"),
    ("LISTAGG(a, ',') WITHIN GROUP (ORDER BY a DESC) OVER ()", ["4,2,2,1"] * 4, "VARCHAR(16777216)"),
    ("ARRAY_AGG(a) WITHIN GROUP (ORDER BY a) OVER (PARTITION BY b)", ["[1]", "[2]", "[2,4]", "[2,4]"], "ARRAY"),
    ("COUNT_IF(a > 1) OVER (PARTITION BY b)", [0, 1, 2, 2], "NUMBER(18,0)"),
    ("RANK() OVER (ORDER BY a ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING)", [1, 1, 1, 1], "NUMBER(18,0)"),
    ("SUM(a) OVER (ORDER BY a RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)", [1, 5, 5, 4], "NUMBER(38,0)"),
    ("COUNT(*) OVER (ORDER BY '2024-01-01'::DATE + a RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)", [1, 3, 3, 1], "NUMBER(18,0)"),
    ("STDDEV(a) OVER ()", [pytest.approx(1.2583057392)] * 4, "FLOAT"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "expected", "kind"), CALLS, ids=[case[0] for case in CALLS])
def test_windows(run, call, expected, kind):
    order = "a, b" if "a, b" in call else "a, b NULLS FIRST"  # NULL is the last in a window
    answer = run(f"SELECT {call} AS w FROM {ROWS} ORDER BY {order}")
    assert [row[0] for row in answer.rows] == expected
    assert answer.type == kind


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("ROW_NUMBER() OVER ()", "Window function type [ROW_NUMBER] requires ORDER BY in window specification"),
        ("SUM(a) OVER (ORDER BY a ROWS BETWEEN 1 FOLLOWING AND CURRENT ROW)", "Invalid window frame"),
        (
            "SUM(a) OVER (ORDER BY a RANGE BETWEEN INTERVAL '1 day' PRECEDING AND CURRENT ROW)",
            "only allows numeric window frame",
        ),
        ("SUM(a) OVER (ORDER BY b RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)", "is not supported for ORDER BY of type"),
        ("NTILE(0) OVER (ORDER BY a)", "NTILE argument must be at least 1"),
        ("LAG(a, 'x') OVER (ORDER BY a)", "Invalid value [x] for argument 2 of LAG"),
        (
            "NO_FUNCTION(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
            "Sliding window frame unsupported",
        ),
    ],
)
def test_errors(run, call, text):
    with pytest.raises(SnowflakeError) as raised:
        run(f"SELECT {call} FROM {ROWS}")
    assert text in raised.value.message


def test_window_over_groups(run):
    query = f"SELECT b, SUM(a) s, RANK() OVER (ORDER BY SUM(a) DESC) FROM {ROWS} GROUP BY b QUALIFY RANK() OVER (ORDER BY SUM(a)) > 1"
    assert sorted(run(query).rows, key=str) == [("z", 6, 1), (None, 2, 2)]
