"""SQL functions: made, called, found by their argument types, dropped."""

import pytest
from snowflake.connector import SnowflakeConnection

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
    ("CREATE FUNCTION f(a INT) RETURNS INT AS 'a'; DESCRIBE FUNCTION f(INT)", [
        ("signature", "(A NUMBER)"), ("returns", "NUMBER(38,0)"), ("language", "SQL"),
        ("null handling", "CALLED ON NULL INPUT"), ("volatility", "VOLATILE"), ("body", "a"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0][:60])
def test_functions(connection: SnowflakeConnection, case: tuple) -> None:
    check(connection, *case)
