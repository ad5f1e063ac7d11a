"""SQL functions: made, called, found by their argument types, dropped."""

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Row, Session
from snowflake.snowpark.functions import call_function, col
from snowflake.snowpark.functions import sum as sum_

from tests.statements.cases import check

CASES = [
    ("CREATE FUNCTION f(a INT, b INT DEFAULT 2) RETURNS INT AS 'a + b'; SELECT f(1), f(1, 5)", [(3, 6)]),
    ("CREATE FUNCTION f(a INT) RETURNS INT AS 'a'; CREATE FUNCTION f(a VARCHAR) RETURNS VARCHAR AS $$ a || '!' $$; SELECT f(1), f('x')", [(1, "x!")]),
    ("CREATE FUNCTION f(n INT) RETURNS TABLE (x INT, y VARCHAR) AS $$ SELECT n, 'a' UNION ALL SELECT n + 1, 'b' $$; SELECT * FROM TABLE(f(5)) ORDER BY 1", [(5, "a"), (6, "b")]),
    ("CREATE TABLE t AS SELECT 7 AS v; CREATE FUNCTION f() RETURNS INT AS 'SELECT MAX(v) FROM t'; SELECT f()", [(7,)]),
    ("CREATE FUNCTION f(a INT) RETURNS INT AS 'a'; CREATE FUNCTION f(b INT) RETURNS INT AS 'b'", 2002, "already exists."),
    ("CREATE FUNCTION f(a INT) RETURNS INT AS 'a'; CREATE OR REPLACE FUNCTION f(b INT) RETURNS INT AS 'b * 2'; SELECT f(4)", [(8,)]),
    ("CREATE FUNCTION f(a INT) RETURNS INT AS 'a'; CREATE TEMPORARY FUNCTION f(a INT) RETURNS INT AS 'a + 100'; SELECT f(1)", [(101,)]),
    ("CREATE FUNCTION f(a INT) RETURNS INT AS 'a'; DROP FUNCTION f(INT); SELECT f(1)", 2140, "Unknown function F"),
    ("CREATE FUNCTION f(a INT) RETURNS INT AS 'a'; ALTER FUNCTION f(INT) RENAME TO g; SELECT g(3)", [(3,)]),
    ("DROP FUNCTION f(INT)", 2003, ".F(NUMBER)' does not exist or not authorized."),
    ("DROP FUNCTION IF EXISTS f(INT)", [("Drop statement executed successfully (F already dropped).",)]),
    ("CREATE FUNCTION f() RETURNS INT AS 'nothing'", 904, "invalid identifier 'NOTHING'"),
    ("CREATE FUNCTION f(a INT, a INT) RETURNS INT AS 'a'", 2025, "duplicate argument name 'A'"),
    ("CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE JAVA HANDLER = 'X.y' AS 'z'", 2, "LANGUAGE JAVA"),
    ("CREATE FUNCTION f(a INT, b VARCHAR) RETURNS VARCHAR STRICT AS $$ NVL(b, 'none') || a $$; SELECT f(1, 'x'), f(1, NULL), f(NULL, 'x')", [("x1", None, None)]),
    ("CREATE FUNCTION f(v VARIANT) RETURNS VARCHAR RETURNS NULL ON NULL INPUT AS $$ TYPEOF(v) $$; SELECT f(PARSE_JSON('null')), f(NULL)", [("NULL_VALUE", None)]),
    ("CREATE FUNCTION f() RETURNS INT STRICT AS '1'; SELECT f()", [(1,)]),
    ("CREATE FUNCTION f(n INT) RETURNS TABLE (x INT, y VARCHAR) STRICT AS $$ SELECT NVL(n, 0), 'a' UNION ALL SELECT n, 'b' $$; SELECT v, x, y FROM VALUES (1), (NULL) AS s(v), TABLE(f(v)) ORDER BY 1, 3", [(1, 1, "a"), (1, 1, "b"), (None, None, None)]),
    ("CREATE FUNCTION f(a INT) RETURNS INT STRICT AS 'a'; DESCRIBE FUNCTION f(INT)", [
        ("signature", "(A NUMBER)"), ("returns", "NUMBER(38,0)"), ("language", "SQL"),
        ("null handling", "RETURNS NULL ON NULL INPUT"), ("volatility", "VOLATILE"), ("body", "a"),
    ]),
    ("CREATE FUNCTION f(a INT) RETURNS INT AS 'a'; DESCRIBE FUNCTION f(INT)", [
        ("signature", "(A NUMBER)"), ("returns", "NUMBER(38,0)"), ("language", "SQL"),
        ("null handling", "CALLED ON NULL INPUT"), ("volatility", "VOLATILE"), ("body", "a"),
    ]),
]  # fmt: skip


def test_a_strict_function_in_dataframes(session: Session) -> None:
    session.sql("CREATE FUNCTION known(a INT) RETURNS VARCHAR STRICT AS $$ NVL(a::VARCHAR, 'unknown') $$").collect()
    frame = session.create_dataframe([(1, 2), (1, None), (3, None)], ["k", "a"])
    rows = frame.select("k", call_function("known", col("a"))).sort("k", "a").collect()
    assert rows == [Row(1, None), Row(1, "2"), Row(3, None)]
    sums = frame.group_by("k").agg(call_function("known", sum_("a"))).sort("k").collect()
    assert sums == [Row(1, "2"), Row(3, None)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0][:60])
def test_functions(connection: SnowflakeConnection, case: tuple) -> None:
    check(connection, *case)
