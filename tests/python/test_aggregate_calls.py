"""Aggregate functions in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import snowflake.connector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Row, Session
from snowflake.snowpark.types import IntegerType

from polynya.server.local import Warehouse

_FUNCTION = """CREATE AGGREGATE FUNCTION {} LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'H' AS $$
class H:
    def __init__(self):
        self.rows = []

    @property
    def aggregate_state(self):
        return self.rows

    def accumulate(self, *row):
        self.rows.append(row)

    def merge(self, other):
        self.rows += other

    def finish(self):
        return {}
$$"""
_MADE = [
    ("py_sum(x INT) RETURNS INT", "sum(x for (x,) in self.rows if x is not None) if self.rows else None"),
    ("py_dot(a INT, b INT) RETURNS INT", "sum(a * b for a, b in self.rows)"),
    ("py_set(v VARIANT) RETURNS ARRAY", "sorted({str(v) for (v,) in self.rows})"),
    ("py_bad(x INT) RETURNS INT", "1 // 0"),
]


@pytest.fixture(scope="module")
def run(warehouse: Warehouse) -> Iterator[Callable[[str], list[tuple]]]:
    """Runs a statement where the functions above are, and a table t of x = 0 ... 9, k = x modulo 3."""
    with snowflake.connector.connect(**warehouse.connection_parameters) as client:
        client.cursor().execute("CREATE DATABASE IF NOT EXISTS TESTS")
        client.cursor().execute("CREATE OR REPLACE SCHEMA TESTS.AGGREGATES")
    place = {"database": "TESTS", "schema": "AGGREGATES"}
    with snowflake.connector.connect(**warehouse.connection_parameters, **place) as client:
        cursor = client.cursor()
        for signature, result in _MADE:
            cursor.execute(_FUNCTION.format(signature, result))
        rows = "TABLE(GENERATOR(ROWCOUNT => 10))"
        cursor.execute(f"CREATE TABLE t AS SELECT SEQ4() AS x, MOD(SEQ4(), 3) AS k FROM {rows}")
        yield lambda sql: client.cursor().execute(sql).fetchall()


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT py_sum(x), py_dot(x, k), SUM(x) FROM t", [(45, 42, 45)]),
        ("SELECT k, py_sum(x), py_sum(DISTINCT k) FROM t GROUP BY k ORDER BY k", [(0, 18, 0), (1, 12, 1), (2, 15, 2)]),
        ("SELECT py_sum(x) + 1 FROM t WHERE x < 0", [(None,)]),
        ("SELECT k FROM t GROUP BY k HAVING py_sum(x) > 12 ORDER BY py_sum(x) DESC", [(0,), (2,)]),
        ("SELECT py_sum(x) FROM t GROUP BY ROLLUP (k) ORDER BY 1", [(12,), (15,), (18,), (45,)]),
        ("SELECT py_sum(x * 2), MAX(x) FROM (SELECT py_sum(x) AS x FROM t GROUP BY k)", [(90, 18)]),
        ("SELECT py_set(k::VARIANT)[1]::VARCHAR FROM t", [("1",)]),
        ("SELECT py_sum(x) FROM t AS a JOIN t AS b USING (x) WHERE a.k = 1", [(12,)]),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_calls(run: Callable[[str], list[tuple]], sql: str, rows: list[tuple]) -> None:
    assert run(sql) == rows


@pytest.mark.parametrize(
    ("sql", "code", "text"),
    [
        ("SELECT py_sum(x) OVER (PARTITION BY k) FROM t", 2, "OVER with PY_SUM"),
        ("SELECT py_sum(x) WITHIN GROUP (ORDER BY x) FROM t", 2, "WITHIN GROUP with PY_SUM"),
        ("SELECT py_sum(py_sum(x)) FROM t", 2035, "Aggregate functions cannot be nested"),
        ("SELECT py_sum(SUM(x)) FROM t", 2035, "Aggregate functions cannot be nested"),
        ("SELECT x FROM t WHERE py_sum(x) > 1", 2035, "Invalid aggregate function in where clause"),
        ("SELECT x, py_sum(x) FROM t", 979, "[T.X] is not a valid group by expression"),
        ("SELECT py_bad(x) FROM t", 100357, "ZeroDivisionError"),
    ],
)
def test_errors(run: Callable[[str], list[tuple]], sql: str, code: int, text: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        run(sql)
    assert caught.value.errno == code
    assert text in str(caught.value.msg)


def test_functions_of_dataframes(session: Session) -> None:
    class Largest:  # Snowpark pickles a class of a function by value
        def __init__(self) -> None:
            self.best = -1

        @property
        def aggregate_state(self) -> int:
            return self.best

        def accumulate(self, value: int) -> None:
            self.best = max(self.best, value)

        def merge(self, other: int) -> None:
            self.accumulate(other)

        def finish(self) -> int:
            return self.best

    largest = session.udaf.register(Largest, return_type=IntegerType(), input_types=[IntegerType()], name="largest")
    frame = session.create_dataframe([(1, "a"), (5, "a"), (3, "b")], schema=["n", "s"])
    assert frame.group_by("s").agg(largest("n").alias("m")).order_by("s").collect() == [Row("a", 5), Row("b", 3)]
    assert frame.select(largest("n")).collect() == [Row(5)]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.tuples(st.integers(0, 2), st.one_of(st.none(), st.integers(-9, 9))), min_size=1, max_size=20))
def test_sums_equal_sum(run: Callable[[str], list[tuple]], rows: list[tuple[int, int | None]]) -> None:
    values = ", ".join(f"({k}, {'NULL' if x is None else x}::INT)" for k, x in rows)
    table = f"WITH t AS (SELECT column1 AS k, column2 AS x FROM VALUES {values}) "
    expected = run(table + "SELECT k, COALESCE(SUM(x), 0), COALESCE(SUM(DISTINCT x), 0) FROM t GROUP BY k ORDER BY k")
    assert run(table + "SELECT k, py_sum(x), py_sum(DISTINCT x) FROM t GROUP BY k ORDER BY k") == expected
