"""Cursors and RESULTSETs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

Rows = list[tuple[Any, ...]]
Run = Callable[[str], Rows]
Value = Callable[[str], Any]
Refused = Callable[[str], tuple[int, str, str]]


@pytest.fixture(autouse=True)
def table(run: Run) -> None:
    run("CREATE TABLE t (a INT, b VARCHAR) AS SELECT * FROM VALUES (1, 'x'), (2, 'y'), (3, NULL)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DECLARE x INT; c CURSOR FOR SELECT a FROM t ORDER BY a; BEGIN OPEN c; FETCH c INTO x; FETCH c INTO x; CLOSE c; RETURN x; END", 2),
        ("DECLARE x INT := 0; y VARCHAR; c CURSOR FOR SELECT a, b FROM t WHERE a > ? AND a < ?; BEGIN OPEN c USING (x + 1, 3);"
         " FETCH c INTO x, y; RETURN x || y; END", "2y"),
        ("DECLARE low INT := 2; x INT; c CURSOR FOR SELECT MIN(a) FROM t WHERE a > :low; BEGIN low := 1; OPEN c; FETCH c INTO x; RETURN x; END", 2),
        ("DECLARE x INT := 7; c CURSOR FOR SELECT a FROM t WHERE a = 1; BEGIN OPEN c; FETCH c INTO x; FETCH c INTO x; RETURN x; END", None),
        ("DECLARE x INT; y INT := 9; c CURSOR FOR SELECT a FROM t WHERE a = 1; BEGIN OPEN c; FETCH c INTO x, y; RETURN x + y; END", 10),
        ("DECLARE x INT; c CURSOR FOR SELECT a, b FROM t ORDER BY a; BEGIN OPEN c; FETCH c INTO x; CLOSE c; OPEN c; FETCH c INTO x; RETURN x; END", 1),
        ("DECLARE s INT := 0; c CURSOR FOR SELECT a FROM t; BEGIN FOR r IN c DO s := s + r.a; END FOR; FOR r IN c DO s := s + r.a; END FOR; RETURN s; END", 12),
        ("DECLARE s VARCHAR := ''; BEGIN LET c CURSOR FOR SELECT a, b FROM t ORDER BY a; FOR r IN c DO IF (r.b IS NULL) THEN CONTINUE; END IF;"
         " s := s || r.a || r.b; END FOR; RETURN s; END", "1x2y"),
        ("DECLARE s INT := 0; q RESULTSET := (SELECT a FROM t); BEGIN FOR r IN q DO s := s + r.a; END FOR; FOR r IN q DO s := s + r.a; END FOR; RETURN s; END", 12),
        ("DECLARE s INT := 0; q RESULTSET := (SELECT a FROM t); c CURSOR FOR q; BEGIN INSERT INTO t VALUES (9, 'new'); FOR r IN c DO s := s + r.a; END FOR; RETURN s; END", 6),
        ('DECLARE s INT := 0; c CURSOR FOR SELECT a AS "low case", a AS a FROM t; BEGIN FOR r IN c DO s := s + r."low case" + r.A; END FOR; RETURN s; END', 12),
        ("DECLARE x INT; s INT := 0; c CURSOR FOR SELECT a FROM t ORDER BY a; BEGIN OPEN c; FETCH c INTO x; FOR r IN c DO s := s + r.a; END FOR; RETURN s; END", 5),
        ("DECLARE c CURSOR FOR SELECT a FROM t; BEGIN FOR r IN c DO UPDATE t SET b = 'u' || :r.a WHERE a = :r.a; END FOR; RETURN (SELECT LISTAGG(b) WITHIN GROUP (ORDER BY a) FROM t); END", "u1u2u3"),
        ("DECLARE o VARCHAR; c CURSOR FOR SELECT {'k': [a]} AS v FROM t WHERE a = 2; BEGIN FOR r IN c DO o := r.v:k[0]; END FOR; RETURN o; END", "2"),
        ("DECLARE n INT := 0; c CURSOR FOR SELECT a FROM t WHERE FALSE; BEGIN FOR r IN c DO n := n + 1; END FOR; RETURN n; END", 0),
        ("DECLARE n INT := 0; BEGIN LET r RESULTSET := (SHOW TABLES); FOR x IN r DO n := n + LENGTH(x.\"name\"); END FOR; RETURN n; END", 1),
    ],
)  # fmt: skip
def test_cursors(value: Value, text: str, expected: object) -> None:
    assert value(text) == expected


def test_tables_are_returned(connection: SnowflakeConnection, run: Run) -> None:
    rows = [(1, "x"), (2, "y"), (3, None)]
    assert run("BEGIN LET r RESULTSET := (SELECT * FROM t ORDER BY a); RETURN TABLE(r); END") == rows
    assert run("DECLARE c CURSOR FOR SELECT * FROM t ORDER BY a; x INT; BEGIN OPEN c; FETCH c INTO x;"
               " RETURN TABLE(RESULTSET_FROM_CURSOR(c)); END") == rows  # fmt: skip
    cursor = connection.cursor()
    cursor.execute("BEGIN RETURN TABLE(SELECT a AS one, b AS two FROM t ORDER BY a); END")
    assert [column.name for column in cursor.description] == ["ONE", "TWO"]
    assert cursor.fetchall() == rows
    cursor.execute("SELECT COUNT(*) FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))")
    assert cursor.fetchone() == (3,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DECLARE x INT; c CURSOR FOR SELECT a FROM t; BEGIN FETCH c INTO x; END", "Cursor 'C' is not open."),
        ("DECLARE c CURSOR FOR SELECT a FROM t; BEGIN CLOSE c; END", "Cursor 'C' is not open."),
        ("DECLARE c CURSOR FOR SELECT a FROM t; BEGIN OPEN c; OPEN c; END", "Cursor 'C' is open already."),
        ("DECLARE x INT; c CURSOR FOR SELECT a FROM t; BEGIN OPEN c; CLOSE c; FETCH c INTO x; END", "Cursor 'C' is not open."),
        ("DECLARE r RESULTSET; BEGIN RETURN TABLE(r); END", "RESULTSET 'R' has no rows: no statement was assigned to it."),
        ("DECLARE c CURSOR FOR SELECT b FROM t; x INT; BEGIN OPEN c; FETCH c INTO x; END", "Numeric value 'x' is not recognized"),
        ("DECLARE c CURSOR FOR SELECT a FROM t; x INT; BEGIN FOR r IN c DO x := r.nosuch; END FOR; END", "invalid identifier 'R.NOSUCH'"),
        ("DECLARE c CURSOR FOR SELECT a FROM nowhere; BEGIN OPEN c; END", "Object 'NOWHERE' does not exist"),
    ],
)  # fmt: skip
def test_mistakes(refused: Refused, text: str, message: str) -> None:
    found = refused(text)[2]
    assert message in found
    assert found.startswith("Uncaught exception of type '")


def test_a_cursor_over_many_rows(value: Value) -> None:
    started = time.monotonic()
    text = (
        "DECLARE s FLOAT := 0; n INT := 0; c CURSOR FOR SELECT seq4() AS a, (seq4() / 4)::NUMBER(10, 2) AS d"
        " FROM TABLE(GENERATOR(ROWCOUNT => 100000)); BEGIN FOR r IN c DO s := s + r.d; n := n + r.a; END FOR; RETURN n + s; END"
    )
    assert value(text) == 4999950000 * 1.25
    assert time.monotonic() - started < 10


def test_asynchronous_jobs_give_their_rows_after_await(value: Value, refused: Refused) -> None:
    assert value("BEGIN LET r RESULTSET := ASYNC (SELECT MAX(a) FROM t); AWAIT r; RETURN TABLE(r); END") == 3
    assert (
        value("BEGIN ASYNC (INSERT INTO t VALUES (7, 'as')); AWAIT ALL; RETURN (SELECT b FROM t WHERE a = 7); END")
        == "as"
    )
    assert value("DECLARE r RESULTSET; BEGIN r := ASYNC (SELECT 1); CANCEL r; RETURN 'cancelled'; END") == "cancelled"
    assert "has not been awaited" in refused("BEGIN LET r RESULTSET := ASYNC (SELECT 1); RETURN TABLE(r); END")[2]
    number, _, message = refused("BEGIN LET r RESULTSET := ASYNC (SELECT * FROM nowhere); LET x := 1; AWAIT r; END")
    assert (number, "STATEMENT_ERROR' on line 1 at position 68" in message) == (2003, True), message
