"""Table functions in Python whose arguments come from a query around theirs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Row, Session
from snowflake.snowpark.functions import col, lit
from snowflake.snowpark.types import IntegerType, StructField, StructType

_FUNCTION = "CREATE FUNCTION {} LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'H' AS $$\nclass H:\n{}\n$$"
_UP_TO = _FUNCTION.format(
    "up_to(n INT) RETURNS TABLE (i INT, text VARCHAR)",
    "    def process(self, n):\n        for i in range(n or 0):\n            yield (i, f'\"{i}\\'')",
)
_BOTH = _FUNCTION.format(
    "both(n INT) RETURNS TABLE (what VARCHAR)",
    "    def process(self, n):\n        self.n = n\n        yield (f'row {n}',)\n"
    "    def end_partition(self):\n        yield (f'end {self.n}',)",
)
_TWO = _FUNCTION.format("two() RETURNS TABLE (a INT)", "    def process(self):\n        yield (1,)\n        yield (2,)")
_NO_THREE = _FUNCTION.format(
    "no_three(n INT) RETURNS TABLE (i INT)",
    "    def process(self, n):\n        if n == 3:\n            raise ValueError('no three')\n        yield (n,)",
)

CASES = [
    ("SELECT k, (SELECT MAX(i) FROM TABLE(up_to(t.n))) FROM t", [(1, 1), (2, None), (3, 2), (4, None)]),
    ("SELECT k FROM t WHERE EXISTS (SELECT 1 FROM TABLE(up_to(t.n)) WHERE i > 1)", [(3,)]),
    ("SELECT k FROM t WHERE 1 IN (SELECT i FROM TABLE(up_to(t.n)))", [(1,), (3,)]),
    ("SELECT k, i, text FROM t, LATERAL (SELECT i, text FROM TABLE(up_to(t.n)) WHERE i > 0)",
     [(1, 1, "\"1'"), (3, 1, "\"1'"), (3, 2, "\"2'")]),
    ("SELECT k, i FROM t LEFT JOIN LATERAL (SELECT i FROM TABLE(up_to(t.n)) WHERE i > 0) ON TRUE",
     [(1, 1), (2, None), (3, 1), (3, 2), (4, None)]),
    ("SELECT k, (SELECT SUM(b.i) FROM t u, TABLE(up_to(t.n)) b WHERE u.k = t.k) FROM t",
     [(1, 1), (2, None), (3, 3), (4, None)]),
    ("SELECT k, (SELECT COUNT(b.i) FROM (SELECT t.n) u LEFT JOIN TABLE(up_to(u.$1)) b) FROM t",
     [(1, 2), (2, 0), (3, 3), (4, 0)]),
    ("SELECT k, (SELECT SUM(a * t.n) FROM TABLE(two())) FROM t", [(1, 6), (2, 0), (3, 9), (4, None)]),
    ("SELECT k, (SELECT LISTAGG(what, ', ') WITHIN GROUP (ORDER BY what DESC) FROM TABLE(both(t.n))) FROM t WHERE k < 3",
     [(1, "row 2, end 2"), (2, "row 0, end 0")]),
    ("SELECT k, (SELECT COUNT(*) FROM TABLE(both(t.n) OVER (PARTITION BY t.k))) FROM t WHERE k < 3", [(1, 2), (2, 2)]),
    ("WITH RECURSIVE r AS (SELECT 3 AS n UNION ALL SELECT i FROM r, TABLE(up_to(r.n)) WHERE i > 0) SELECT n FROM r",
     [(1,), (1,), (2,), (3,)]),
]  # fmt: skip


@pytest.fixture
def run(connection: SnowflakeConnection) -> Callable[[str], list[tuple]]:
    """Runs a statement where the functions above are, and t: k = 1 ... 4, n = 2, 0, 3, NULL."""
    cursor = connection.cursor()
    for statement in (_UP_TO, _BOTH, _TWO, _NO_THREE):
        cursor.execute(statement)
    cursor.execute("CREATE TABLE t AS SELECT * FROM VALUES (1, 2), (2, 0), (3, 3), (4, NULL) AS v(k, n)")

    def answer(sql: str) -> list[tuple]:
        return cursor.execute(sql).fetchall()

    return answer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0][:70])
def test_called_for_each_row_of_a_query_around(run: Callable[[str], list[tuple]], case: tuple) -> None:
    statement, expected = case
    assert run(f"SELECT * FROM ({statement}) ORDER BY ALL") == expected


def test_its_errors_are_the_handler_s(run: Callable[[str], list[tuple]]) -> None:
    with pytest.raises(ProgrammingError, match=r"(?s)line 5, in process.*no three") as error:
        run("SELECT (SELECT MAX(i) FROM TABLE(no_three(t.n))) FROM t")
    assert error.value.errno == 100357


_KINDS = [
    ("INT", "12345678901234567890123456789012345678"), ("NUMBER(9,3)", "-1.5"), ("FLOAT", "0.1"), ("FLOAT", "'NaN'::FLOAT"),
    ("FLOAT", "'-inf'::FLOAT"), ("VARCHAR", "'a\"''\\\\ä\\n'"), ("VARCHAR", "''"), ("BOOLEAN", "TRUE"), ("BINARY", "X'00FF'"),
    ("DATE", "'1969-12-31'::DATE"), ("TIME", "'23:59:59.123456'::TIME"),
    ("TIMESTAMP_NTZ", "'1960-02-29 01:02:03.123456'::TIMESTAMP_NTZ"),
    ("TIMESTAMP_LTZ", "'2024-07-01 01:02:03.5 +0200'::TIMESTAMP_LTZ"),
    ("TIMESTAMP_TZ", "'2024-07-01 01:02:03.000001 +0530'::TIMESTAMP_TZ"),
    ("VARIANT", "PARSE_JSON('{\"a\": [1, null, \"x\"]}')"), ("ARRAY", "ARRAY_CONSTRUCT(1, 'b')"),
    ("OBJECT", "OBJECT_CONSTRUCT('k', 1.25)"), ("VECTOR(FLOAT, 2)", "[1.5, -2]::VECTOR(FLOAT, 2)"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), _KINDS)
def test_values_of_every_type_are_those_of_a_join(connection: SnowflakeConnection, kind: str, value: str) -> None:
    cursor = connection.cursor()
    body = "    def process(self, v):\n        yield (v,)"
    cursor.execute(_FUNCTION.format(f"same(v {kind}) RETURNS TABLE (w {kind})", body))
    cursor.execute(f"CREATE TABLE t AS SELECT {value} AS v UNION ALL SELECT NULL")
    joined = cursor.execute("SELECT v, w FROM t, TABLE(same(t.v)) ORDER BY v IS NULL").fetchall()
    around = cursor.execute(
        "SELECT v, w FROM t, LATERAL (SELECT w FROM TABLE(same(t.v))) ORDER BY v IS NULL"
    ).fetchall()
    assert repr(around) == repr(joined)


def test_in_a_dataframe(session: Session) -> None:
    session.sql(_UP_TO).collect()
    frame = session.create_dataframe([(1, 2), (2, 0), (3, None)], ["k", "n"])
    frame.create_or_replace_temp_view("v")
    counted = session.sql("SELECT k, (SELECT COUNT(*) FROM TABLE(up_to(v.n))) AS c FROM v")
    assert counted.schema.names == ["K", "C"]
    assert counted.filter(col("c") >= lit(0)).sort("k").collect() == [Row(1, 2), Row(2, 0), Row(3, 0)]

    class Next:
        def process(self, number: int):  # type: ignore[no-untyped-def]
            yield (number + 1,)

    session.udtf.register(
        Next, name="next", output_schema=StructType([StructField("m", IntegerType())]), input_types=[IntegerType()]
    )
    rows = session.sql("SELECT k, (SELECT MAX(m) FROM TABLE(next(v.k))) FROM v ORDER BY k").collect()
    assert rows == [Row(1, 2), Row(2, 3), Row(3, 4)]
