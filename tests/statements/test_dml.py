"""INSERT, UPDATE, DELETE, MERGE and transactions through the connector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import IntegrityError, ProgrammingError

Run = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    def execute(sql: str) -> list[tuple[Any, ...]]:
        return connection.cursor().execute(sql).fetchall()  # type: ignore[union-attr,return-value]

    return execute


@pytest.fixture
def table(run: Run) -> str:
    """T(A, B) with rows (1, x), (2, y), (3, NULL)."""
    run("CREATE TABLE t (a INT, b VARCHAR(5))")
    run("INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, NULL)")
    return "t"


def test_insert_fills_defaults_and_identity(run: Run) -> None:
    run("CREATE TABLE d (id INT IDENTITY, a INT DEFAULT 7, b VARCHAR DEFAULT 'p' || 'q', c DATE)")
    assert run("INSERT INTO d (c) VALUES ('2020-01-02')") == [(1,)]
    assert run("INSERT INTO d (a, b) VALUES (DEFAULT, DEFAULT), (1, NULL)") == [(2,)]
    assert run("SELECT id, a, b, c::VARCHAR FROM d ORDER BY id") == [
        (1, 7, "pq", "2020-01-02"),
        (2, 7, "pq", None),
        (3, 1, None, None),
    ]


def test_insert_query_casts_to_the_columns(run: Run, table: str) -> None:
    assert run("INSERT INTO t SELECT '4', 5.5 UNION ALL SELECT '6', 7") == [(2,)]
    assert run("SELECT a, b FROM t WHERE a > 3 ORDER BY a") == [(4, "5.5"), (6, "7.0")]


def test_insert_overwrite_replaces_all_rows(run: Run, table: str) -> None:
    assert run("INSERT OVERWRITE INTO t SELECT 9, 'z'") == [(1,)]
    assert run("SELECT * FROM t") == [(9, "z")]


def test_insert_all_and_first(run: Run, table: str) -> None:
    run("CREATE TABLE big (a INT)")
    run("CREATE TABLE odd (a INT, note VARCHAR)")
    statement = "WHEN a > 1 THEN INTO big WHEN a % 2 = 1 THEN INTO odd (a, note) VALUES (a, 'o') SELECT a FROM t"
    assert run(f"INSERT ALL {statement}") == [(2, 2)]
    assert run(f"INSERT FIRST {statement}") == [(2, 1)]
    assert run("SELECT a, count(*) FROM odd GROUP BY a ORDER BY a") == [(1, 2), (3, 1)]


def test_update_from_another_table(run: Run, table: str) -> None:
    run("CREATE TABLE u (k INT, v VARCHAR)")
    run("INSERT INTO u VALUES (1, 'one'), (9, 'nine')")
    assert run("UPDATE t SET b = u.v FROM u WHERE t.a = u.k") == [(1, 0)]
    assert run("UPDATE t SET a = a + 10 WHERE b IS NULL") == [(1, 0)]
    assert run("SELECT a, b FROM t ORDER BY a") == [(1, "one"), (2, "y"), (13, None)]


def test_delete_using(run: Run, table: str) -> None:
    assert run("DELETE FROM t USING (SELECT 2 AS k) u WHERE t.a = u.k") == [(1,)]
    assert run("SELECT a FROM t ORDER BY a") == [(1,), (3,)]


def test_merge_counts_each_action(run: Run, table: str) -> None:
    rows = run(
        "MERGE INTO t USING (SELECT $1 AS k, $2 AS v FROM VALUES (1, 'new'), (2, 'gone'), (8, 'add')) s ON t.a = s.k "
        "WHEN MATCHED AND s.v = 'gone' THEN DELETE WHEN MATCHED THEN UPDATE SET b = s.v "
        "WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.k, s.v)"
    )
    assert rows == [(1, 1, 1)]
    assert run("SELECT a, b FROM t ORDER BY a") == [(1, "new"), (3, None), (8, "add")]


def test_merge_refuses_two_source_rows_for_one_target_row(run: Run, table: str) -> None:
    with pytest.raises(ProgrammingError, match="Duplicate row detected") as raised:
        run(
            "MERGE INTO t USING (SELECT column1 AS k FROM VALUES (1), (1)) s ON t.a = s.k WHEN MATCHED THEN UPDATE SET b = 'q'"
        )
    assert raised.value.errno == 100090
    assert run("SELECT b FROM t WHERE a = 1") == [("x",)]


ERRORS = [
    ("INSERT INTO t VALUES (1)", 2054, "expecting 2 but got 1"),
    ("INSERT INTO t VALUES (1, 'far too long')", 100078, "String 'far too long' is too long and would be truncated"),
    ("INSERT INTO t VALUES ('abc', 'x')", 100038, "Numeric value 'abc' is not recognized"),
    ("INSERT INTO t (nope) VALUES (1)", 904, "invalid identifier 'NOPE'"),
    ("INSERT INTO nope VALUES (1)", 2003, "'NOPE' does not exist or not authorized"),
    ("UPDATE t SET nope = 1", 904, "invalid identifier 'NOPE'"),
    ("DELETE FROM t WHERE nope = 1", 904, "invalid identifier 'NOPE'"),
]


@pytest.mark.parametrize(("sql", "code", "text"), ERRORS, ids=[case[0] for case in ERRORS])
def test_error_changes_nothing(run: Run, table: str, sql: str, code: int, text: str) -> None:
    with pytest.raises(ProgrammingError) as raised:
        run(sql)
    assert raised.value.errno == code
    assert text in str(raised.value.msg)
    assert run("SELECT count(*) FROM t") == [(3,)]


def test_not_null(run: Run) -> None:
    run("CREATE TABLE n (a INT NOT NULL)")
    with pytest.raises(IntegrityError, match="NULL result in a non-nullable column") as raised:
        run("INSERT INTO n SELECT NULL")
    assert raised.value.errno == 100072


def test_rollback_and_commit(run: Run, table: str) -> None:
    run("BEGIN")
    run("DELETE FROM t")
    assert run("SELECT count(*) FROM t") == [(0,)]
    run("ROLLBACK")
    assert run("SELECT count(*) FROM t") == [(3,)]
    run("BEGIN TRANSACTION")
    run("INSERT INTO t VALUES (4, 'w')")
    run("COMMIT")
    assert run("SELECT count(*) FROM t") == [(4,)]


def test_a_failed_statement_leaves_the_transaction_as_it_was(run: Run, table: str) -> None:
    run("BEGIN")
    run("INSERT INTO t VALUES (4, 'w')")
    with pytest.raises(ProgrammingError):
        run("INSERT INTO t VALUES ('abc', 'x')")
    run("INSERT INTO t VALUES (5, 'v')")
    run("COMMIT")
    assert run("SELECT a FROM t ORDER BY a") == [(1,), (2,), (3,), (4,), (5,)]


def test_without_autocommit_a_transaction_opens_by_itself(
    run: Run, connection: SnowflakeConnection, table: str
) -> None:
    connection.autocommit(False)
    run("DELETE FROM t")
    connection.rollback()
    connection.autocommit(True)
    assert run("SELECT count(*) FROM t") == [(3,)]


def test_sequences_advance_row_by_row(run: Run) -> None:
    run("CREATE SEQUENCE s START 5 INCREMENT 5")
    run("CREATE TABLE q (a INT)")
    run("INSERT INTO q SELECT s.NEXTVAL FROM VALUES (1), (2), (3)")
    assert run("SELECT a FROM q ORDER BY a") == [(5,), (10,), (15,)]
    assert run("SELECT s.NEXTVAL") == [(20,)]


def test_execute_immediate_and_call_of_system_functions(run: Run) -> None:
    assert run("EXECUTE IMMEDIATE $$ SELECT 2 AS y $$") == [(2,)]
    run("SET question = 'SELECT 3'")
    assert run("EXECUTE IMMEDIATE $question") == [(3,)]
    assert run("CALL SYSTEM$TYPEOF(1)")[0][0].startswith("NUMBER(1,0)")
    assert run("EXECUTE IMMEDIATE 'BEGIN RETURN 1; END'") == [(1,)]
    with pytest.raises(ProgrammingError, match="Unknown function NOPE"):
        run("CALL nope(1)")


def test_text_is_read_as_a_place_where_a_column_holds_places(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE p (g GEOGRAPHY, m GEOMETRY)")
    cursor.execute("INSERT INTO p VALUES ('POINT(30 10)', 'POINT(1 2)'), (NULL, NULL)")
    cursor.execute("SELECT ST_X(g), ST_Y(m) FROM p ORDER BY 1")
    assert cursor.fetchall() == [(30, 2), (None, None)]
    with pytest.raises(ProgrammingError, match=r"100205.*nonsense"):
        cursor.execute("INSERT INTO p VALUES ('nonsense', NULL)")
    assert cursor.execute("SELECT count(*) FROM p").fetchall() == [(2,)]
