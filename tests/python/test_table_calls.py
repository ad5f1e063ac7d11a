"""Table functions in Python: partitions, lateral joins, DataFrames."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import snowflake.connector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Row, Session
from snowflake.snowpark.functions import col, lit, table_function
from snowflake.snowpark.types import FloatType, IntegerType, PandasDataFrameType, StringType, StructField, StructType

from polynya.server.local import Warehouse

_FUNCTION = "CREATE FUNCTION {} LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'H' AS $$\nclass H:\n{}\n$$"
_MADE = [
    ("rep(v VARCHAR, n INT) RETURNS TABLE (v VARCHAR, i INT)",
     "    def process(self, v, n):\n        for i in range(n):\n            yield (v, i)"),
    ("total(x INT) RETURNS TABLE (total INT, n INT)",
     "    def __init__(self):\n        self.rows = []\n    def process(self, x):\n        self.rows.append(x or 0)\n"
     "    def end_partition(self):\n        yield (sum(self.rows), len(self.rows))"),
    ("running(x INT) RETURNS TABLE (total INT)",
     "    def __init__(self):\n        self.total = 0\n    def process(self, x):\n        self.total += x\n        yield (self.total,)"),
    ("both(x INT) RETURNS TABLE (what VARCHAR)",
     "    def process(self, x):\n        yield ('row',)\n    def end_partition(self):\n        yield ('end',)"),
    ("two() RETURNS TABLE (a INT, b VARCHAR)", "    def process(self):\n        yield (1, 'x')\n        yield (2, 'y')"),
    ("no_three(x INT) RETURNS TABLE (y INT)",
     "    def process(self, x):\n        if x == 3:\n            raise ValueError('no three')\n        yield (x,)"),
]  # fmt: skip


def make(cursor: snowflake.connector.cursor.SnowflakeCursor) -> None:
    for signature, body in _MADE:
        cursor.execute(_FUNCTION.format(signature, body))


@pytest.fixture
def made(connection: SnowflakeConnection) -> Callable[[str], list[tuple]]:
    """Runs a statement where the functions above are, and a table t of x = 0 ... 9, k = x modulo 3."""
    cursor = connection.cursor()
    make(cursor)
    cursor.execute("CREATE TABLE t AS SELECT SEQ4() AS x, MOD(SEQ4(), 3) AS k FROM TABLE(GENERATOR(ROWCOUNT => 10))")

    def run(sql: str) -> list[tuple]:
        return cursor.execute(sql).fetchall()

    return run


_TOTALS = [(0, 18, 4), (1, 12, 3), (2, 15, 3)]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT * FROM TABLE(rep('a', 2))", [("a", 0), ("a", 1)]),
        ("SELECT r.v, i FROM TABLE(rep(n => 1, v => 'a')) AS r", [("a", 0)]),
        ("SELECT z.p, q FROM TABLE(rep('a', 1)) AS z (p, q)", [("a", 0)]),
        ("SELECT * FROM TABLE(two()) ORDER BY a DESC", [(2, "y"), (1, "x")]),
        ("SELECT COUNT(*), SUM(x) FROM t, TABLE(two())", [(20, 90)]),
        ("SELECT * FROM TABLE(total(5))", [(5, 1)]),
        ("SELECT t.x, r.* FROM t, TABLE(rep(t.k::VARCHAR, t.k)) AS r WHERE t.x < 3 ORDER BY 1, 3", [(1, "1", 0), (2, "2", 0), (2, "2", 1)]),
        ("SELECT t.x, r.i FROM t JOIN TABLE(rep('a', k)) AS r ON r.i + 1 = t.x ORDER BY 1", [(1, 0), (2, 1)]),
        ("SELECT t.x, r.i FROM t, LATERAL rep('a', t.k) AS r WHERE x < 2", [(1, 0)]),
        ("SELECT k, total, n FROM t, TABLE(total(x) OVER (PARTITION BY k)) ORDER BY k", _TOTALS),
        ("SELECT k, total, n FROM t CROSS JOIN TABLE(total(x) OVER (PARTITION BY t.k ORDER BY x DESC)) ORDER BY k", _TOTALS),
        ("SELECT k, x, total FROM t, TABLE(total(x) OVER (PARTITION BY k)) ORDER BY k", [(0, None, 18), (1, None, 12), (2, None, 15)]),
        ("SELECT k, x, total FROM t, TABLE(running(x) OVER (PARTITION BY k ORDER BY x DESC)) WHERE k = 1 ORDER BY total", [(1, 7, 7), (1, 4, 11), (1, 1, 12)]),
        ("SELECT k, x, what FROM t, TABLE(both(x) OVER (PARTITION BY k)) WHERE k = 1 ORDER BY x", [(1, 1, "row"), (1, 4, "row"), (1, 7, "row"), (1, None, "end")]),
        ("SELECT total, n FROM t, TABLE(total(x) OVER (PARTITION BY 1))", [(45, 10)]),
        ("SELECT total, n FROM t, TABLE(total(x) OVER ())", [(45, 10)]),
        ("SELECT total, n FROM t, TABLE(total(x) OVER (PARTITION BY MOD(x, 2), k > 5)) ORDER BY 1", [(20, 5), (25, 5)]),
        ("SELECT SUM(total), SUM(n) FROM t, TABLE(total(x))", [(45, 10)]),
        ("SELECT kk, total FROM (SELECT k AS kk, x * 2 AS y FROM t WHERE x > 5) AS u, TABLE(total(y) OVER (PARTITION BY kk)) ORDER BY 1", [(0, 30), (1, 14), (2, 16)]),
        ("WITH c AS (SELECT * FROM t WHERE x < 4) SELECT c.k, p.total FROM c, TABLE(total(c.x) OVER (PARTITION BY c.k)) AS p ORDER BY 1", [(0, 3), (1, 1), (2, 2)]),
        ("WITH c AS (SELECT k, total FROM t, TABLE(total(x) OVER (PARTITION BY k))) SELECT a.k, b.total FROM c AS a JOIN c AS b USING (k) ORDER BY 1", [(0, 18), (1, 12), (2, 15)]),
        ("SELECT SUM(total) FROM (SELECT * FROM t, TABLE(running(x) OVER (PARTITION BY k ORDER BY x)))", [(72,)]),
        ("SELECT COUNT(*) FROM t WHERE x IN (SELECT total FROM TABLE(total(4)))", [(1,)]),
        ("SELECT t.x, r.i, s.i FROM t, TABLE(rep('b', t.k)) AS r, TABLE(rep(r.v, 1 + r.i)) AS s WHERE x = 2 ORDER BY 2, 3", [(2, 0, 0), (2, 1, 0), (2, 1, 1)]),
        ("SELECT t.x, u.x, r.i FROM t, TABLE(rep('b', t.k)) AS r JOIN t AS u ON u.x = r.i WHERE t.x = 2 ORDER BY 2", [(2, 0, 0), (2, 1, 1)]),
        ("SELECT f.value::INT, r.i FROM t, LATERAL FLATTEN([x, 2]) AS f, TABLE(rep('z', f.value::INT)) AS r WHERE t.x = 1 ORDER BY 1, 2", [(1, 0), (2, 0), (2, 1)]),
        ("SELECT COUNT(*) FROM t AS a JOIN (t AS b JOIN TABLE(rep('a', b.k)) AS r) ON a.x = b.x", [(9,)]),
        ("SELECT x, i FROM t LEFT JOIN TABLE(rep('a', k)) AS r WHERE x < 3 ORDER BY 1, 2", [(0, None), (1, 0), (2, 0), (2, 1)]),
        ("SELECT x, i FROM t LEFT JOIN TABLE(rep('a', k)) AS r ON r.i > 0 WHERE x < 3 ORDER BY 1, 2", [(0, None), (1, None), (2, 1)]),
        ("SELECT x FROM t NATURAL JOIN t AS u, TABLE(rep('a', x)) AS r WHERE x = 2", [(2,), (2,)]),
        ("SELECT a.x, total FROM t AS a JOIN t AS b USING (x), TABLE(total(x) OVER (PARTITION BY x)) WHERE x < 2 ORDER BY x", [(0, 0), (1, 1)]),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)  # fmt: skip
def test_calls(made: Callable[[str], list[tuple]], sql: str, rows: list[tuple]) -> None:
    assert made(sql) == rows


def test_results_are_stored(made: Callable[[str], list[tuple]]) -> None:
    made("CREATE VIEW v AS SELECT k, total FROM t, TABLE(total(x) OVER (PARTITION BY k))")
    assert made("SELECT SUM(total) FROM v") == [(45,)]
    made("CREATE TABLE c AS SELECT * FROM v")
    assert made("INSERT INTO c SELECT k + 10, total FROM v") == [(3,)]
    assert made("UPDATE c SET total = v.total + 1 FROM v WHERE v.k = c.k") == [(3, 0)]
    assert made("SELECT * FROM c ORDER BY k") == [(0, 19), (1, 13), (2, 16), (10, 18), (11, 12), (12, 15)]
    made("CREATE TEMPORARY TABLE mine AS SELECT * FROM t")
    assert made("SELECT SUM(total) FROM mine, TABLE(running(x) OVER (PARTITION BY k ORDER BY x))") == [(72,)]


def test_keys_group_as_in_group_by(made: Callable[[str], list[tuple]]) -> None:
    keys = "NULL, 'a'), ('NaN'::FLOAT, NULL), ('NaN'::FLOAT, NULL), (NULL, 'a'), (1, 'b'), (-0.0::FLOAT, 'b'), (0, 'b'"
    made(f"CREATE TABLE keys AS SELECT column1::FLOAT AS f, column2 AS s, 1 AS one FROM VALUES ({keys})")
    counted = made("SELECT COUNT(*) AS n FROM keys GROUP BY f, s ORDER BY n")
    assert made("SELECT total FROM keys, TABLE(total(one) OVER (PARTITION BY f, s)) ORDER BY 1") == counted
    for kind in ("TIMESTAMP_TZ", "VARIANT", "BINARY", "DATE", "BOOLEAN"):
        value = {"TIMESTAMP_TZ": "'2024-01-01 00:00 +0200'::TIMESTAMP_TZ", "VARIANT": "PARSE_JSON('{\"a\": 1}')",
                 "BINARY": "TO_BINARY('AB')", "DATE": "'2024-01-01'::DATE", "BOOLEAN": "TRUE"}[kind]  # fmt: skip
        sql = f"SELECT total FROM (SELECT IFF(x < 4, {value}, NULL) AS v FROM t) AS q, TABLE(total(1) OVER (PARTITION BY v)) ORDER BY 1"
        assert made(sql) == [(4,), (6,)]


@pytest.mark.parametrize(
    ("sql", "code", "text"),
    [
        ("SELECT * FROM TABLE(nothing(1))", 2140, "Unknown table function NOTHING"),
        ("SELECT * FROM TABLE(rep(1, 2, 3))", 1044, "Invalid argument types for function 'REP'"),
        ("SELECT (SELECT SUM(total) FROM t AS u, TABLE(total(t.x) OVER (PARTITION BY u.k))) FROM t", 2, "TABLE(TOTAL(...) OVER (...)) that refers to a query around it"),
        ("SELECT * FROM t RIGHT JOIN TABLE(total(x))", 2, "RIGHT JOIN"),
        ("SELECT * FROM t LEFT JOIN TABLE(total(x) OVER (PARTITION BY k))", 2, "LEFT JOIN with a table function with OVER"),
        ("SELECT * FROM t, TABLE(no_three(x))", 100357, "ValueError: no three"),
        ("SELECT * FROM t, TABLE(no_three(x) OVER (PARTITION BY k))", 100357, "ValueError: no three"),
    ],
)  # fmt: skip
def test_errors(made: Callable[[str], list[tuple]], sql: str, code: int, text: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        made(sql)
    assert caught.value.errno == code
    assert text in str(caught.value.msg)


def test_explain(made: Callable[[str], list[tuple]]) -> None:
    names = [row[3] for row in made("EXPLAIN SELECT k, total FROM t, TABLE(total(x) OVER (PARTITION BY k))")]
    assert "ExtensionFunction" in names
    assert names[-1] == "TableScan"


# --- Snowpark ---------------------------------------------------------------------------------------------------------


def test_functions_of_dataframes(session: Session) -> None:
    class Halves:  # Snowpark pickles a class of a function by value
        def process(self, number: int) -> Iterator[tuple[int, float]]:
            for index in range(number):
                yield index, number / 2

    schema = StructType([StructField("i", IntegerType()), StructField("h", FloatType())])
    halves = session.udtf.register(Halves, output_schema=schema, input_types=[IntegerType()], name="halves")
    assert session.table_function(halves(lit(2))).collect() == [Row(I=0, H=1.0), Row(I=1, H=1.0)]
    frame = session.create_dataframe([(1, "a"), (2, "b")], schema=["n", "s"])
    joined = frame.join_table_function(halves(col("n")).alias("p", "q")).order_by("n", "p")
    assert joined.collect() == [Row(1, "a", 0, 0.5), Row(2, "b", 0, 1.0), Row(2, "b", 1, 1.0)]
    assert frame.select("s", table_function("halves")(col("n"))).count() == 3
    over = frame.join_table_function(halves(col("n")).over(partition_by="s", order_by="n"))
    assert over.select("s", "i").order_by("s", "i").collect() == [Row("a", 0), Row("b", 0), Row("b", 1)]


def test_vectorized_functions_of_dataframes(session: Session) -> None:
    class Mean:
        def end_partition(self, frame):  # type: ignore[no-untyped-def]
            import pandas

            return pandas.DataFrame({"mean": [frame["X"].mean()]})

    session.udtf.register(
        Mean,
        name="mean_of",
        output_schema=PandasDataFrameType([FloatType()], ["mean"]),
        input_types=[PandasDataFrameType([StringType(), FloatType()])],
        input_names=["K", "X"],
    )
    frame = session.create_dataframe([("a", 1.0), ("a", 3.0), ("b", 5.0)], schema=["k", "x"])
    mean = table_function("mean_of")
    joined = frame.join_table_function(mean("k", "x").over(partition_by="k"))
    assert joined.select("k", "mean").order_by("k").collect() == [Row("a", 2.0), Row("b", 5.0)]


# --- sums of partitions equal GROUP BY --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(warehouse: Warehouse) -> Iterator[Callable[[str], list[tuple]]]:
    with snowflake.connector.connect(**warehouse.connection_parameters) as client:
        client.cursor().execute("CREATE DATABASE IF NOT EXISTS TESTS")
        client.cursor().execute("CREATE OR REPLACE SCHEMA TESTS.PARTITIONS")
    place = {"database": "TESTS", "schema": "PARTITIONS"}
    with snowflake.connector.connect(**warehouse.connection_parameters, **place) as client:
        make(client.cursor())
        yield lambda sql: client.cursor().execute(sql).fetchall()


_KEYS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "it's"]))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.tuples(_KEYS, st.one_of(st.none(), st.integers(-9, 9))), min_size=1, max_size=20))
def test_partitions_equal_groups(run: Callable[[str], list[tuple]], rows: list[tuple[str | None, int | None]]) -> None:
    def text(value: str | int | None) -> str:
        return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"

    values = ", ".join(f"({text(k)}, {'NULL' if x is None else x}::INT)" for k, x in rows)
    table = f"WITH t AS (SELECT column1::VARCHAR AS k, column2 AS x FROM VALUES {values}) "
    groups = run(table + "SELECT k, SUM(COALESCE(x, 0)), COUNT(*) FROM t GROUP BY k")
    partitions = run(table + "SELECT k, total, n FROM t, TABLE(total(x) OVER (PARTITION BY k))")
    assert sorted(partitions, key=str) == sorted(groups, key=str)
