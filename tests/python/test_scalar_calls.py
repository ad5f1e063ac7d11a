"""Scalar functions in Python, called from every place of a statement."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import snowflake.connector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Row, Session
from snowflake.snowpark.functions import call_udf, col, pandas_udf, udf
from snowflake.snowpark.types import IntegerType, PandasSeriesType

from polynya.server.local import Warehouse

_FUNCTION = "CREATE FUNCTION {} LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'f' AS $$\n{}\n$$"
_MADE = [
    ("twice(x INT) RETURNS INT", "def f(x):\n    return None if x is None else x * 2"),
    ("plus_one(x INT) RETURNS INT", "def f(x):\n    return None if x is None else x + 1"),
    ("anything() RETURNS FLOAT", "import random\ndef f():\n    return random.random()"),
    ("seven() RETURNS INT IMMUTABLE", "def f():\n    return 7"),
    ("kind(x VARCHAR) RETURNS VARCHAR", "def f(x):\n    return 'text'"),
    ("kind(x INT) RETURNS VARCHAR", "def f(x):\n    return 'number'"),
    ("no_three(x INT) RETURNS INT", "def f(x):\n    if x == 3:\n        raise ValueError('no three')\n    return x"),
    ("slow(x INT) RETURNS INT", "import time\ndef f(x):\n    time.sleep(0.001)\n    return x"),
    ("endless(x INT) RETURNS INT", "def f(x):\n    while True:\n        pass"),
    ("sum3(a INT, b INT DEFAULT 10, c INT DEFAULT 100) RETURNS INT", "def f(a, b, c):\n    return a + b + c"),
]


@pytest.fixture
def made(connection: SnowflakeConnection) -> Callable[[str], list[tuple]]:
    """Runs a statement where the functions above are, and a table t of x = 0 ... 9, k = x modulo 3."""
    cursor = connection.cursor()
    for signature, body in _MADE:
        cursor.execute(_FUNCTION.format(signature, body))
    cursor.execute("CREATE TABLE t AS SELECT SEQ4() AS x, MOD(SEQ4(), 3) AS k FROM TABLE(GENERATOR(ROWCOUNT => 10))")

    def run(sql: str) -> list[tuple]:
        return cursor.execute(sql).fetchall()

    return run


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT twice(4), twice(NULL), seven()", [(8, None, 7)]),
        ("SELECT twice(2.5), twice('4'), kind('a'), kind(1)", [(6, 8, "text", "number")]),
        ("SELECT sum3(1), sum3(1, 2), sum3(1, c => 3), sum3(c => 1, a => 2, b => 3)", [(111, 103, 14, 6)]),
        ("SELECT x, twice(x) FROM t WHERE twice(x) > 14 ORDER BY x", [(8, 16), (9, 18)]),
        ("SELECT SUM(twice(x)), MAX(twice(plus_one(x))), COUNT(DISTINCT twice(k)) FROM t", [(90, 20, 3)]),
        ("SELECT k, SUM(twice(x)), twice(k), twice(SUM(x)) FROM t GROUP BY k ORDER BY k", [(0, 36, 0, 36), (1, 24, 2, 24), (2, 30, 4, 30)]),
        ("SELECT twice(k) AS kk, COUNT(*) FROM t GROUP BY twice(k) ORDER BY 1", [(0, 4), (2, 3), (4, 3)]),
        ("SELECT twice(k) AS kk, COUNT(*) FROM t GROUP BY kk HAVING kk > 0 ORDER BY kk DESC", [(4, 3), (2, 3)]),
        ("SELECT twice(k), COUNT(*) FROM t GROUP BY ALL ORDER BY 1", [(0, 4), (2, 3), (4, 3)]),
        ("SELECT CASE WHEN x <> 3 THEN no_three(x) END FROM t WHERE x IN (2, 3) ORDER BY x", [(2,), (None,)]),
        ("SELECT IFF(x = 3, 0, no_three(x)), COALESCE(x, no_three(3)) FROM t WHERE x IN (2, 3) ORDER BY x", [(2, 2), (0, 3)]),
        ("SELECT no_three(x) FROM t WHERE x BETWEEN 1 AND 4 AND x <> 3 ORDER BY 1", [(1,), (2,), (4,)]),
        ("SELECT DISTINCT twice(k) FROM t ORDER BY twice(k) DESC", [(4,), (2,), (0,)]),
        ("SELECT x FROM t ORDER BY twice(-x) LIMIT 2", [(9,), (8,)]),
        ("SELECT ROW_NUMBER() OVER (PARTITION BY twice(k) ORDER BY twice(x)), SUM(twice(x)) OVER () FROM t QUALIFY twice(x) >= 16", [(3, 90), (4, 90)]),
        ("WITH a AS (SELECT x, twice(x) AS y FROM t) SELECT a.x, b.y FROM a JOIN a AS b ON a.y = b.x ORDER BY 1 LIMIT 2", [(0, 0), (1, 4)]),
        ("WITH a AS (SELECT x FROM t WHERE x < 2) SELECT twice(x) FROM a UNION ALL SELECT plus_one(x) FROM a ORDER BY 1", [(0,), (1,), (2,), (2,)]),
        ("SELECT u.x, (SELECT MAX(twice(x)) FROM t WHERE t.x < u.x) FROM t AS u WHERE x < 3 ORDER BY 1", [(0, None), (1, 0), (2, 2)]),
        ("SELECT COUNT(*) FROM t AS a JOIN t AS b ON twice(a.x) = b.x", [(5,)]),
        ("SELECT COUNT(*) FROM t AS a JOIN t AS b USING (x) WHERE twice(x) = twice(a.x) AND twice(b.k) < 4", [(7,)]),
        ("SELECT twice(x), x FROM t NATURAL JOIN t AS u WHERE x = 4", [(8, 4)]),
        ("SELECT TRANSFORM([1, 2], v INT -> twice(v))[1]::INT", [(4,)]),
        ("SELECT twice(f.value::INT) FROM t, LATERAL FLATTEN([x, 1]) AS f WHERE x = 5 ORDER BY 1", [(2,), (10,)]),
        ("SELECT twice(x) || '!' AS y, x::VARCHAR || '\"_1.\"X\"' FROM t WHERE x = 1", [("2!", '1"_1."X"')]),
        ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT twice(n) FROM r WHERE n < 9) SELECT n FROM r ORDER BY 1", [(1,), (2,), (4,), (8,), (16,)]),
        ("SELECT twice(x) FROM VALUES (1), (NULL) AS v (x) ORDER BY 1", [(2,), (None,)]),
        ("SELECT COUNT(*) FROM (SELECT twice(x) FROM t WHERE FALSE)", [(0,)]),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)  # fmt: skip
def test_calls(made: Callable[[str], list[tuple]], sql: str, rows: list[tuple]) -> None:
    assert made(sql) == rows


def test_dml_and_views(made: Callable[[str], list[tuple]]) -> None:
    assert made("CREATE TABLE c AS SELECT x, twice(x) AS y FROM t") == [("Table C successfully created.",)]
    assert made("INSERT INTO c SELECT plus_one(x), twice(y) FROM c WHERE x = 9") == [(1,)]
    assert made("INSERT INTO c VALUES (100, 0)") == [(1,)]
    assert made("UPDATE c SET y = twice(x) WHERE twice(x) = 200") == [(1, 0)]
    assert made("DELETE FROM c WHERE plus_one(x) < 9") == [(8,)]
    assert made("SELECT * FROM c ORDER BY x") == [(8, 16), (9, 18), (10, 36), (100, 200)]
    merge = "MERGE INTO c USING (SELECT plus_one(x) AS x FROM t) AS s ON c.x = s.x WHEN MATCHED THEN UPDATE SET y = twice(s.x) + 1 "
    assert made(merge + "WHEN NOT MATCHED THEN INSERT VALUES (s.x, twice(s.x))") == [(7, 3)]
    assert made("SELECT SUM(y) FROM c WHERE x > 7") == [(17 + 19 + 21 + 200,)]
    made("CREATE VIEW v AS SELECT x, twice(x) AS y FROM t")
    assert made("SELECT y FROM v WHERE x > 7 ORDER BY y") == [(16,), (18,)]
    assert made("SELECT COUNT(*) FROM v AS a JOIN v AS b ON a.y = b.x") == [(5,)]


def test_copy_transforms_with_a_function(made: Callable[[str], list[tuple]], tmp_path: object) -> None:
    made("CREATE STAGE s")
    made(
        "COPY INTO @s/out FROM (SELECT x, twice(x) FROM t WHERE x < 3) FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE) SINGLE = TRUE"
    )
    made("CREATE TABLE loaded (a INT, b INT)")
    made("COPY INTO loaded FROM (SELECT $1, plus_one($2::INT) FROM @s/out) FILE_FORMAT = (TYPE = CSV)")
    assert made("SELECT * FROM loaded ORDER BY a") == [(0, 1), (1, 3), (2, 5)]


def test_transactions_and_temporary_tables(made: Callable[[str], list[tuple]]) -> None:
    made("CREATE TEMPORARY TABLE mine AS SELECT twice(x) AS y FROM t")
    assert made("SELECT SUM(twice(y)) FROM mine") == [(180,)]
    made("BEGIN")
    made("INSERT INTO t VALUES (100, 0)")
    assert made("SELECT SUM(twice(x)) FROM t") == [(290,)]
    with pytest.raises(ProgrammingError):
        made("INSERT INTO t SELECT no_three(x), 0 FROM t")
    assert made("SELECT COUNT(*) FROM t WHERE twice(x) >= 0") == [(11,)]
    made("ROLLBACK")
    assert made("SELECT SUM(twice(x)) FROM t") == [(90,)]


def test_volatile_functions_are_called_for_each_row(made: Callable[[str], list[tuple]]) -> None:
    values = made("SELECT anything(), anything() FROM t")
    assert len({value for row in values for value in row}) == 20
    assert len(set(made("SELECT anything() AS a, a + 0 FROM t"))) == 10
    assert made("SELECT COUNT(DISTINCT seven()) FROM t") == [(1,)]


def test_errors_reach_the_client(made: Callable[[str], list[tuple]]) -> None:
    for sql in ("SELECT no_three(x) FROM t", "SELECT 1 FROM t WHERE no_three(x) > 0", "SELECT no_three(3)",
                "CREATE TABLE c AS SELECT no_three(x) AS y FROM t", "DELETE FROM t WHERE no_three(x) = 5"):  # fmt: skip
        with pytest.raises(ProgrammingError) as caught:
            made(sql)
        assert caught.value.errno == 100357
        assert caught.value.sqlstate == "P0000"
        assert "ValueError: no three" in str(caught.value.msg)
        assert "in function NO_THREE with handler f" in str(caught.value.msg)
    assert made("SELECT COUNT(*) FROM t") == [(10,)]


@pytest.mark.parametrize(
    ("sql", "code", "text"),
    [
        ("SELECT nothing(1)", 2140, "Unknown function NOTHING"),
        ("SELECT twice(1, 2)", 1044, "Invalid argument types for function 'TWICE': (NUMBER(1,0), NUMBER(1,0))"),
        ("SELECT twice(CURRENT_DATE())", 1044, "(DATE)"),
        ("SELECT twice(DISTINCT 1)", 1003, "DISTINCT cannot be used with function TWICE"),
        ("SELECT twice(x) OVER () FROM t", 2, "OVER with TWICE"),
        ("SELECT * FROM TABLE(twice(1))", 2140, "Unknown table function TWICE"),
        ("SELECT twice(x), COUNT(*) FROM t GROUP BY k", 979, "is not a valid group by expression"),
    ],
)
def test_refused(made: Callable[[str], list[tuple]], sql: str, code: int, text: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        made(sql)
    assert caught.value.errno == code
    assert text in str(caught.value.msg)


def test_columns_are_described_without_a_call(connection: SnowflakeConnection, made: object) -> None:
    described = connection.cursor().describe("SELECT no_three(3), kind('a') AS k, twice(x) FROM t")
    assert [(column.name, column.type_code, column.precision) for column in described or []] == [
        ("NO_THREE(3)", 0, 38), ("K", 2, None), ("TWICE(X)", 0, 38),
    ]  # fmt: skip


def test_explain(made: Callable[[str], list[tuple]]) -> None:
    plan = [(row[3], row[2]) for row in made("EXPLAIN SELECT no_three(twice(x)) FROM t WHERE x > 2 ORDER BY 1")]
    assert [name for name, _ in plan].count("ExtensionFunction") == 2
    assert plan[-1][0] == "TableScan"


@pytest.mark.parametrize("sql", ["SELECT slow(x) FROM big LIMIT 5", "SELECT * FROM (SELECT slow(x) FROM big) LIMIT 5"])
def test_a_limit_stops_early(made: Callable[[str], list[tuple]], sql: str) -> None:
    made("CREATE TABLE big AS SELECT SEQ4() AS x FROM TABLE(GENERATOR(ROWCOUNT => 100000))")
    made("SELECT slow(1)")
    started = time.monotonic()
    assert sorted(made(sql)) == [(0,), (1,), (2,), (3,), (4,)]
    assert time.monotonic() - started < 20  # all rows take 50 seconds on two cores


@pytest.mark.parametrize("sql", ["SELECT endless(x) FROM t", "SELECT 1 FROM t WHERE endless(x) = 1"])
def test_a_timeout_ends_a_call(made: Callable[[str], list[tuple]], sql: str) -> None:
    made("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
    started = time.monotonic()
    with pytest.raises(ProgrammingError) as caught:
        made(sql)
    assert caught.value.errno == 630
    assert time.monotonic() - started < 20
    assert made("SELECT twice(2)") == [(4,)]


def test_unread_rows_leave_nothing_behind(
    warehouse: Warehouse, connection: SnowflakeConnection, made: Callable[[str], list[tuple]]
) -> None:
    made("CREATE TEMPORARY TABLE big AS SELECT SEQ4() AS x FROM TABLE(GENERATOR(ROWCOUNT => 300000))")
    for source in ("big", "(SELECT SEQ4() AS x FROM TABLE(GENERATOR(ROWCOUNT => 300000)))"):
        cursor = connection.cursor()
        cursor.execute(f"SELECT twice(x) FROM {source}")
        assert cursor.fetchone() == (0,)
        assert made("SELECT plus_one(1)") == [(2,)]
    assert list((warehouse.home.path / "tmp" / "steps").iterdir()) == []


def test_sessions_do_not_disturb_each_other(
    connect: Callable[..., SnowflakeConnection], schema: str, made: Callable[[str], list[tuple]]
) -> None:
    failures: list[object] = []

    def work(number: int) -> None:
        database, _, name = schema.partition(".")
        cursor = connect(database=database, schema=name).cursor()
        for turn in range(5):
            rows = cursor.execute(f"SELECT SUM(twice(x + {number})) FROM t WHERE plus_one(x) > {turn}").fetchall()
            expected = sum(2 * (x + number) for x in range(10) if x + 1 > turn)
            if rows != [(expected,)]:
                failures.append((number, turn, rows))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# --- Snowpark ---------------------------------------------------------------------------------------------------------


def test_functions_of_dataframes(session: Session) -> None:
    frame = session.create_dataframe([(1, "a"), (2, "b"), (None, "c")], schema=["n", "s"])
    twice = udf(lambda n: None if n is None else n * 2, return_type=IntegerType(), input_types=[IntegerType()])
    assert frame.select(twice(col("n")).alias("y"), "s").filter(col("y") > 2).collect() == [Row(Y=4, S="b")]
    assert frame.filter(twice("n").is_null()).select("s").collect() == [Row(S="c")]
    named = session.udf.register(
        lambda a, b: a * b, name="times", return_type=IntegerType(), input_types=[IntegerType(), IntegerType()]
    )
    assert frame.where(col("n").is_not_null()).select(named("n", twice("n"))).order_by("n").collect()[1][0] == 8
    assert session.range(3).select(call_udf("times", col("id"), col("id"))).collect()[2][0] == 4
    assert frame.with_column("z", twice(col("n"))).group_by("z").count().count() == 3


def test_vectorized_functions_of_dataframes(session: Session) -> None:
    series = PandasSeriesType(IntegerType())
    add = pandas_udf(lambda a, b: a + b, return_type=series, input_types=[series, series])
    frame = session.range(1000)
    assert frame.select(add(col("id"), col("id")).alias("s")).agg({"s": "sum"}).collect()[0][0] == 999000


# --- a function equals the expression -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def twice(warehouse: Warehouse) -> Iterator[Callable[[str], list[tuple]]]:
    parameters = {"database": "TESTS", "schema": "CALLS"}
    with snowflake.connector.connect(**warehouse.connection_parameters) as client:
        client.cursor().execute("CREATE DATABASE IF NOT EXISTS TESTS")
        client.cursor().execute("CREATE OR REPLACE SCHEMA TESTS.CALLS")
    with snowflake.connector.connect(**warehouse.connection_parameters, **parameters) as client:
        client.cursor().execute(_FUNCTION.format(*_MADE[0]))
        yield lambda sql: client.cursor().execute(sql).fetchall()


_CELLS = st.one_of(st.none(), st.integers(-(10**12), 10**12))
_SHAPES = [
    "SELECT a, {f}(b) FROM t",
    "SELECT {f}(a + b), b FROM t WHERE {f}(a) > 0",
    "SELECT CASE WHEN a > b THEN {f}(a) ELSE {f}({f}(b)) END FROM t",
    "SELECT {f}(a), SUM({f}(b)), COUNT(*) FROM t GROUP BY {f}(a)",
    "SELECT SUM({f}(a)) OVER (PARTITION BY {f}(b)), MIN({f}(a) + 1) OVER () FROM t",
    "SELECT u.a, v.b FROM t AS u JOIN t AS v ON {f}(u.a) = {f}(v.a)",
    "SELECT {f}(y) FROM (SELECT {f}(a) AS y, b FROM t) WHERE b IS NOT NULL",
]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=12))
def test_a_function_equals_the_expression(
    twice: Callable[[str], list[tuple]], rows: list[tuple[int | None, int | None]]
) -> None:
    values = ", ".join(f"({'NULL' if a is None else a}::INT, {'NULL' if b is None else b}::INT)" for a, b in rows)
    table = f"WITH t AS (SELECT column1 AS a, column2 AS b FROM VALUES {values}) "
    for shape in _SHAPES:
        expected = twice(table + shape.replace("{f}(", "2 * ("))
        assert sorted(twice(table + shape.format(f="twice")), key=str) == sorted(expected, key=str)
