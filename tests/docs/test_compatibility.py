"""docs/compatibility.md: each row of the page is shown by a case here, and each case has its row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"

# key: (statement, name of what is refused, error number)
REFUSED = {
    "python_functions": (
        "CREATE FUNCTION f() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION='3.11' HANDLER='f' AS 'def f(): return 1'",
        "Unsupported feature",
        2,
    ),
    "procedures": (
        "CREATE PROCEDURE p() RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION='3.11' PACKAGES=('snowflake-snowpark-python') "
        "HANDLER='f' AS 'def f(s): return 1'",
        "Unsupported feature",
        2,
    ),
    "scripting": ("EXECUTE IMMEDIATE 'BEGIN RETURN 1; END'", "Snowflake Scripting blocks", 2),
    "time_travel": ("SELECT * FROM t AT (OFFSET => -60)", "AT (OFFSET => ...)", 2),
    "match_recognize": (
        "SELECT * FROM t MATCH_RECOGNIZE (ORDER BY a MEASURES FIRST(a) AS x PATTERN (q+) DEFINE q AS a > 0)",
        "MATCH_RECOGNIZE",
        2,
    ),
    "interval_type": ("SELECT INTERVAL '1 day'", "INTERVAL outside of date arithmetic", 2),
    "decfloat": ("SELECT 1::DECFLOAT", "DECFLOAT", 2040),
    "merge_by_source": (
        "MERGE INTO t USING (SELECT 1 AS k) s ON t.a = s.k WHEN NOT MATCHED BY SOURCE THEN DELETE",
        "WHEN NOT MATCHED BY SOURCE",
        2,
    ),
    "masking": ("CREATE MASKING POLICY m AS (v VARCHAR) RETURNS VARCHAR -> v", "MASKING POLICY", 2),
    "nesting": ("SELECT " + "(" * 1600 + "1" + ")" * 1600, "nested 1600 levels deep", 1002),
}


@pytest.mark.parametrize("key", REFUSED)
def test_refused_by_name(connection: SnowflakeConnection, key: str) -> None:
    statement, text, code = REFUSED[key]
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a INT)")
    with pytest.raises(ProgrammingError) as raised:
        cursor.execute(statement)
    assert raised.value.errno == code
    assert text in str(raised.value.msg)
    assert cursor.execute("SELECT count(*) FROM t").fetchone() == (0,)


def _value(connection: SnowflakeConnection, sql: str) -> object:
    return connection.cursor().execute(sql).fetchone()[0]  # type: ignore[index,union-attr]


def test_microseconds(connection: SnowflakeConnection) -> None:
    assert _value(connection, "SELECT TO_CHAR('2020-01-01 00:00:00.123456789'::TIMESTAMP_NTZ, 'FF9')") == "123456000"


def test_privileges(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE secret (a INT)")
    cursor.execute("CREATE ROLE IF NOT EXISTS nobody")
    cursor.execute("GRANT ROLE nobody TO USER admin")
    database, schema = connection.database, connection.schema
    cursor.execute("USE ROLE nobody")
    assert _value(connection, f"SELECT count(*) FROM {database}.{schema}.secret") == 0


def test_block_sample(connection: SnowflakeConnection) -> None:
    sql = "SELECT count(*) FROM (SELECT 1 FROM TABLE(GENERATOR(ROWCOUNT => 10000))) SAMPLE BLOCK (50)"
    assert 4000 < int(str(_value(connection, sql))) < 6000


def test_page_and_cases_agree() -> None:
    rows = set(re.findall(r"^\| ([a-z_]+) \|", PAGE.read_text(), re.MULTILINE)) - {"key"}
    assert rows == set(REFUSED) | {"microseconds", "privileges", "block_sample"}
