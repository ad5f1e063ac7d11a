"""Procedures in SQL: what CALL gives a block, and what it takes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Row, Session

Rows = list[tuple[Any, ...]]
Run = Callable[[str], Rows]
Value = Callable[[str], Any]
Refused = Callable[[str], tuple[int, str, str]]


def test_arguments_are_variables(run: Run, value: Value) -> None:
    run(
        "CREATE PROCEDURE p(a VARCHAR, n NUMBER(10, 2) DEFAULT 1.5) RETURNS VARCHAR LANGUAGE SQL AS"
        " BEGIN n := n + 1; INSERT INTO log VALUES (:a, :n); RETURN a || n; END"
    )
    run("CREATE TABLE log (a VARCHAR, n NUMBER(10, 2))")
    assert run("CALL p('x', 2)") == [("x3.00",)]
    assert run("CALL p('y')") == [("y2.50",)]
    assert run("CALL p(NULL, 1)") == [(None,)]
    assert value("SELECT LISTAGG(n, ' ') WITHIN GROUP (ORDER BY n) FROM log") == "2.00 2.50 3.00"


def test_the_result_has_the_procedures_name_and_type(
    connection: SnowflakeConnection, run: Run, refused: Refused
) -> None:
    run("CREATE PROCEDURE total() RETURNS NUMBER(10, 3) LANGUAGE SQL AS 'BEGIN RETURN 1; END'")
    cursor = connection.cursor()
    cursor.execute("CALL total()")
    (column,) = cursor.description
    assert (column.name, column.precision, column.scale) == ("TOTAL", 10, 3)
    run("CREATE PROCEDURE wrong() RETURNS INT LANGUAGE SQL AS 'BEGIN RETURN ''abc''; END'")
    assert "Numeric value 'abc' is not recognized" in refused("CALL wrong()")[2]


def test_tables(connection: SnowflakeConnection, run: Run, refused: Refused) -> None:
    run("CREATE TABLE t AS SELECT column1 AS a, column2 AS b FROM VALUES (1, 'x'), (2, 'y')")
    body = "DECLARE r RESULTSET DEFAULT (SELECT a, b FROM t ORDER BY a); BEGIN RETURN TABLE(r); END"
    run(f"CREATE PROCEDURE named() RETURNS TABLE (k VARCHAR, v VARCHAR) LANGUAGE SQL AS $${body}$$")
    run(f"CREATE PROCEDURE open_ended() RETURNS TABLE () LANGUAGE SQL AS $${body}$$")
    run(f"CREATE PROCEDURE narrow() RETURNS TABLE (k INT) LANGUAGE SQL AS $${body}$$")
    run(f"CREATE PROCEDURE scalar() RETURNS INT LANGUAGE SQL AS $${body}$$")
    cursor = connection.cursor().execute("CALL named()")
    assert [column.name for column in cursor.description] == ["K", "V"]  # type: ignore[union-attr]
    assert cursor.fetchall() == [("1", "x"), ("2", "y")]  # type: ignore[union-attr]
    cursor = connection.cursor().execute("CALL open_ended()")
    assert [column.name for column in cursor.description] == ["A", "B"]  # type: ignore[union-attr]
    assert run("SELECT b FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) WHERE a = 2") == [("y",)]
    assert "returns 2 columns, but is declared to return 1" in refused("CALL narrow()")[2]
    assert "returns a table, but is declared to return NUMBER(38,0)" in refused("CALL scalar()")[2]


def test_calls_within_blocks(run: Run, value: Value) -> None:
    run("CREATE PROCEDURE twice(n INT) RETURNS INT LANGUAGE SQL AS BEGIN RETURN n * 2; END")
    run("CREATE PROCEDURE rows_of(n INT) RETURNS TABLE (i INT) LANGUAGE SQL AS"
        " $$BEGIN RETURN TABLE(SELECT column1 FROM VALUES (1), (2), (3) WHERE column1 <= :n); END$$")  # fmt: skip
    assert value("DECLARE x INT := 4; BEGIN CALL twice(:x) INTO :x; CALL twice(:x) INTO :x; RETURN x; END") == 16
    assert (
        value(
            "BEGIN LET s := 0; LET r RESULTSET := (CALL rows_of(2)); FOR x IN r DO s := s + x.i; END FOR; RETURN s; END"
        )
        == 3
    )


def test_recursion(run: Run, refused: Refused) -> None:
    run(
        "CREATE PROCEDURE f(n INT) RETURNS INT LANGUAGE SQL AS"
        " BEGIN IF (n <= 1) THEN RETURN 1; END IF; LET r INT := 0; CALL f(:n - 1) INTO :r; RETURN r * n; END"
    )
    assert run("CALL f(6)") == [(720,)]
    assert "nested too deep" in refused("CALL f(100)")[2]
    assert run("CALL f(3)") == [(6,)]


def test_exceptions_of_a_procedure_reach_its_caller(run: Run, value: Value, refused: Refused) -> None:
    run("CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS DECLARE e EXCEPTION (-20007, 'mine'); BEGIN\n  RAISE e;\nEND")
    assert refused("CALL p()") == (-20007, "P0001", "Uncaught exception of type 'E' on line 2 at position 2 : mine")
    assert value("BEGIN CALL p(); EXCEPTION WHEN STATEMENT_ERROR THEN RETURN SQLCODE || SQLERRM; END") == (
        "-20007Uncaught exception of type 'E' on line 2 at position 2 : mine"
    )


def test_a_transaction_ends_in_the_procedure_that_began_it(run: Run, refused: Refused) -> None:
    run("CREATE TABLE t (a INT)")
    run("CREATE PROCEDURE left_open() RETURNS INT LANGUAGE SQL AS"
        " BEGIN BEGIN TRANSACTION; INSERT INTO t VALUES (1); RETURN 1; END")  # fmt: skip
    assert "Scoped transaction started in stored procedure is incomplete" in refused("CALL left_open()")[2]
    assert run("SELECT * FROM t") == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("BEGIN RETURN", "syntax error line 1 at position 12 unexpected '<EOF>'"),
        ("SELECT 1", "syntax error line 1 at position 0 unexpected 'SELECT'"),
        ("BEGIN RETURN nosuch; END", "invalid identifier 'NOSUCH'"),
    ],
)
def test_a_body_is_checked_when_the_procedure_is_made(run: Run, refused: Refused, body: str, message: str) -> None:
    assert message in refused(f"CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS '{body}'")[2]
    assert run("SHOW PROCEDURES LIKE 'p' IN SCHEMA") == []


def test_snowpark_calls_sql_procedures(session: Session) -> None:
    session.sql("CREATE PROCEDURE add_one(x INT) RETURNS INT LANGUAGE SQL AS BEGIN RETURN x + 1; END").collect()
    assert session.call("add_one", 41) == 42
    session.sql(
        "CREATE PROCEDURE numbers(n INT) RETURNS TABLE (i INT) LANGUAGE SQL AS"
        " $$BEGIN RETURN TABLE(SELECT column1 FROM VALUES (1), (2), (3) WHERE column1 <= :n); END$$"
    ).collect()
    frame = session.call("numbers", 2, return_dataframe=True)
    assert frame.collect() == [Row(I=1), Row(I=2)]  # type: ignore[union-attr]
