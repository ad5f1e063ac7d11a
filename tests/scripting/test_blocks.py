"""Variables, branches, loops and SQL statements of blocks, through the connector."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Row, Session
from snowflake.snowpark.exceptions import SnowparkSQLException

Rows = list[tuple[Any, ...]]
Run = Callable[[str], Rows]
Value = Callable[[str], Any]
Refused = Callable[[str], tuple[int, str, str]]


# --- where blocks stand -----------------------------------------------------------------------------------------------


def test_a_block_is_one_statement_with_one_column(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("BEGIN LET x := 1; RETURN x + 1; END;")
    assert [column.name for column in cursor.description] == ["anonymous block"]
    assert cursor.fetchall() == [(2,)]
    cursor.execute("EXECUTE IMMEDIATE $$ DECLARE x INT DEFAULT 3; BEGIN RETURN x; END; $$")
    assert [column.name for column in cursor.description] == ["anonymous block"]
    assert cursor.fetchall() == [(3,)]


def test_snowpark_runs_blocks(session: Session) -> None:
    assert session.sql("BEGIN RETURN 'hello'; END").collect() == [Row("hello")]
    rows = session.sql("DECLARE r RESULTSET DEFAULT (SELECT 1 AS a UNION ALL SELECT 2); BEGIN RETURN TABLE(r); END")
    assert sorted(rows.collect()) == [Row(A=1), Row(A=2)]
    assert session.sql("EXECUTE IMMEDIATE $$BEGIN LET x := 2; RETURN x * 2; END$$").collect() == [Row(4)]


def test_values_sent_along_with_execute_immediate(session: Session) -> None:
    frame = session.sql("EXECUTE IMMEDIATE $$ SELECT ? AS a, ? || '?' AS b $$", params=[1, "x'y"])
    assert frame.collect() == [Row(A=1, B="x'y?")]
    assert session.sql("EXECUTE IMMEDIATE ?", params=["SELECT 3"]).collect() == [Row(3)]
    assert session.sql("EXECUTE IMMEDIATE ? ", params=["SELECT ? + 1", 4]).collect() == [Row(5)]
    with pytest.raises(SnowparkSQLException, match="Bind variable") as error:
        session.sql("EXECUTE IMMEDIATE $$ SELECT ?, ? $$", params=[1]).collect()
    assert error.value.sql_error_code == 2049


def test_the_history_tells_blocks_from_transactions(session: Session) -> None:
    session.sql("BEGIN RETURN 'block'; END").collect()
    session.sql("BEGIN TRANSACTION").collect()
    session.sql("ROLLBACK").collect()
    history = session.sql("SELECT query_type FROM TABLE(information_schema.query_history_by_session())"
                          " WHERE query_text LIKE 'BEGIN %' ORDER BY start_time").collect()  # fmt: skip
    assert history == [Row("EXECUTE_IMMEDIATE"), Row("BEGIN_TRANSACTION")]


def test_several_statements_in_one_request(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a INT); BEGIN INSERT INTO t VALUES (1); END; SELECT * FROM t", num_statements=3)
    results = [cursor.fetchall()]
    while cursor.nextset():
        results.append(cursor.fetchall())
    assert results[-1] == [(1,)]


def test_a_block_without_return_answers_null(run: Run) -> None:
    assert run("BEGIN NULL; END") == [(None,)]
    assert run("BEGIN RETURN; END") == [(None,)]


# --- variables --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DECLARE x INT; BEGIN RETURN x; END", None),
        ("DECLARE x INT DEFAULT 1; y INT := x + 1; BEGIN RETURN y; END", 2),
        ("BEGIN LET x NUMBER(10, 2) := 1; RETURN x; END", Decimal("1.00")),
        ("BEGIN LET x NUMBER(3, 1) := 12.34; RETURN x; END", Decimal("12.3")),
        ("BEGIN LET x := 12.3; RETURN SYSTEM$TYPEOF(x); END", "FLOAT[DOUBLE]"),
        ("BEGIN LET x := 12; RETURN SPLIT_PART(SYSTEM$TYPEOF(x), '[', 1); END", "NUMBER(38,0)"),
        ("BEGIN LET x INT := '12'; RETURN x; END", 12),
        ("BEGIN LET x VARCHAR := 12; RETURN x; END", "12"),
        ("BEGIN LET x DATE := '2020-02-28'; x := DATEADD(day, 1, x); RETURN x; END", datetime.date(2020, 2, 29)),
        ("BEGIN LET x BOOLEAN := NULL; RETURN x IS NULL; END", True),
        ("BEGIN LET x VARIANT := PARSE_JSON('{\"a\": [1, 2]}'); RETURN x:a[1]::INT; END", 2),
        ("BEGIN LET a ARRAY := [1, 2, 3]; RETURN ARRAY_SIZE(a) + a[0]::INT; END", 4),
        ("BEGIN LET x := 1; BEGIN LET x := 'inner'; x := 'still'; END; RETURN x; END", 1),
        ("BEGIN LET x := 1; BEGIN x := 5; END; RETURN x; END", 5),
        ('DECLARE "low" INT DEFAULT 1; BEGIN RETURN "low" + 1; END', 2),
        ("BEGIN LET day := 3; RETURN DATEADD(day, day, '2020-01-01'::DATE); END", datetime.date(2020, 1, 4)),
        ("BEGIN LET x := 5; RETURN x / 2; END", Decimal("2.500000")),
        ("BEGIN LET s := 'a'; RETURN s || 1 || 'b' || 2.50; END", "a1b2.50"),
        ("BEGIN LET x := 7; RETURN (SELECT :x * 2); END", 14),
        ("BEGIN LET x INT := (SELECT COUNT(*) FROM VALUES (1), (2) AS v(a) WHERE a > 1); RETURN x; END", 1),
        ("BEGIN LET x := 2; RETURN TRANSFORM([1, 2], i -> i * x)[1]::INT; END", 4),
        ("BEGIN LET x := 4; RETURN CASE WHEN x > 3 THEN 'big' ELSE 'small' END; END", "big"),
    ],
)
def test_values(compute: Value, text: str, expected: object) -> None:
    assert compute(text) == expected


def test_values_of_every_type_pass_through_variables_into_sql(run: Run) -> None:
    run(
        "CREATE TABLE t (n NUMBER(12,3), f FLOAT, s VARCHAR, b BINARY, o BOOLEAN, d DATE, t TIME, n1 TIMESTAMP_NTZ,"
        " z TIMESTAMP_TZ, l TIMESTAMP_LTZ, v VARIANT, j OBJECT, a ARRAY)"
    )
    run(
        "INSERT INTO t SELECT -12.345, 0.1, 'it''s \\\\ é', X'00FF', TRUE, '2020-01-31', '10:11:12.5', '2020-01-31 01:02:03.25',"
        " '2020-01-31 01:02:03 +05:30', '2020-01-31 01:02:03', PARSE_JSON('{\"a\": 1.5}'), {'k': 'v'}, [1, NULL, 'x']"
    )
    columns = ["n", "f", "s", "b", "o", "d", "t", "n1", "z", "l", "v", "j", "a"]
    kinds = "NUMBER(12,3) FLOAT VARCHAR BINARY BOOLEAN DATE TIME TIMESTAMP_NTZ TIMESTAMP_TZ TIMESTAMP_LTZ VARIANT OBJECT ARRAY"
    declared = "; ".join(f"{name}_ {kind}" for name, kind in zip(columns, kinds.split(), strict=True))
    into = ", ".join(f":{name}_" for name in columns)
    assert run(f"DECLARE {declared}; BEGIN SELECT * INTO {into} FROM t; INSERT INTO t SELECT {into}; END") == [(None,)]
    first, second = run("SELECT * FROM t")
    assert first == second
    assert run(f"DECLARE {declared}; BEGIN SELECT * INTO {into} FROM t LIMIT 1; CREATE TABLE u AS SELECT {into}; END")
    assert run("SELECT * FROM u") == [first]
    assert (
        run("SELECT DISTINCT SYSTEM$TYPEOF($9), SYSTEM$TYPEOF($11) FROM u")
        == [("TIMESTAMP_TZ(9)[SB16]", "VARIANT[LOB]")]
        or run("DESC TABLE u")[8][1] == "TIMESTAMP_TZ(9)"
    )


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("BEGIN LET x INT := 'abc'; END", 100038, "on line 1 at position 19 : Numeric value 'abc' is not recognized"),
        ("BEGIN LET x VARCHAR(2) := 'abc'; END", 100078, "String 'abc' is too long and would be truncated"),
        ("BEGIN LET x NUMBER(3,0) := 999; x := x + 1; END", 100046, "Number out of representable range"),
        ("BEGIN LET x BOOLEAN := CURRENT_DATE(); END", 2023, "expecting BOOLEAN but got DATE"),
        ("DECLARE d DATE; BEGIN d := 'no'; END", 100040, "Date 'no' is not recognized"),
        ("BEGIN IF ('abc') THEN NULL; END IF; END", 100037, "Boolean value 'abc' is not recognized"),
        ("BEGIN FOR i IN NULL TO 3 DO NULL; END FOR; END", 92243, "must not be NULL"),
    ],
)
def test_values_of_the_wrong_type(fail: Refused, text: str, code: int, message: str) -> None:
    number, _, found = fail(text)
    assert (number, message in found) == (code, True), found
    assert found.startswith("Uncaught exception of type 'EXPRESSION_ERROR'")


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("BEGIN RETURN nosuch; END", 904, "error line 1 at position 13\ninvalid identifier 'NOSUCH'"),
        ("BEGIN\n  LET x := 1 +\n nosuch; END", 904, "error line 3 at position 1\ninvalid identifier 'NOSUCH'"),
        ("BEGIN x := 1; END", 904, "error line 1 at position 6\ninvalid identifier 'X'"),
        ("BEGIN SELECT 1 INTO :x; END", 904, "invalid identifier 'X'"),
        ("BEGIN INSERT INTO t VALUES (:x); END", 2049, "error line 1 at position 28\nBind variable :X not set."),
        ("BEGIN FOR r IN c DO NULL; END FOR; END", 904, "invalid identifier 'C'"),
        ("BEGIN RAISE e; END", 904, "invalid identifier 'E'"),
        ("BEGIN RAISE; END", 92236, "outside of a handler"),
        ("BEGIN BREAK; END", 92238, "outside of a loop"),
        ("BEGIN LOOP BREAK nowhere; END LOOP; END", 904, "invalid identifier 'NOWHERE'"),
        ("DECLARE a INT; a VARCHAR; BEGIN NULL; END", 92223, "duplicate declaration of 'A'"),
        ("DECLARE a FOO; BEGIN NULL; END", 2040, "error line 1 at position 10\nUnsupported data type 'FOO'."),
        ("BEGIN LET x := NULL; END", 92228, "variable 'X' cannot have its type inferred from initializer"),
        ("DECLARE c CURSOR FOR SELECT 1 AS p; BEGIN FOR r IN c DO LET z := r.p; END FOR; END", 92228, "variable 'Z'"),
        ("DECLARE e EXCEPTION (5, 'x'); BEGIN RAISE e; END", 92235, "must be between -20999 and -20000"),
        ("DECLARE c CURSOR FOR SELECT 1; BEGIN RETURN c; END", 904, "invalid identifier 'C'"),
        ("DECLARE c CURSOR FOR SELECT 1; BEGIN RETURN TABLE(c); END", 92239, "'C' is a cursor, not a resultset"),
        ("BEGIN LET x := 1 +; END", 1003, "syntax error line 1 at position 17 unexpected '+'"),
        ("BEGIN\n SELECT a b c FROM t; END", 1003, "syntax error line 2 at position 12 unexpected 'c'"),
        ("BEGIN x = 1; END", 1003, "syntax error line 1 at position 6 unexpected 'x'"),
        ("BEGIN RETURN 1", 1003, "syntax error line 1 at position 14 unexpected '<EOF>'"),
        ("BEGIN CREATE WIDGET w; END", 2, "Unsupported feature 'CREATE WIDGET W'"),
        ("DECLARE p PROCEDURE() RETURNS INT AS BEGIN RETURN 1; END; BEGIN NULL; END", 2, "nested stored procedures"),
    ],
)
def test_a_block_with_a_mistake_does_not_begin(
    shared: SnowflakeConnection, fail: Refused, text: str, code: int, message: str
) -> None:
    marked = text.replace("BEGIN", "BEGIN CREATE TABLE begun (a INT);", 1) if "position" not in message else text
    number, _, found = fail(marked)
    assert (number, message in found) == (code, True), found
    assert shared.cursor().execute("SHOW TABLES LIKE 'begun'").fetchall() == []  # type: ignore[union-attr]


# --- branches and loops -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BEGIN IF (1 = 1) THEN RETURN 'a'; ELSE RETURN 'b'; END IF; END", "a"),
        ("BEGIN IF (NULL) THEN RETURN 'a'; ELSEIF (1 > 2) THEN RETURN 'b'; ELSE RETURN 'c'; END IF; END", "c"),
        ("BEGIN IF (1) THEN RETURN 'one is true'; END IF; END", "one is true"),
        ("BEGIN IF (1/1 = 1 AND (2 > 1 OR 1/0 = 1)) THEN RETURN 'a'; END IF; END", "a"),
        ("BEGIN CASE ('x') WHEN 'y' THEN RETURN 1; WHEN 'x' THEN RETURN 2; ELSE RETURN 3; END; END", 2),
        ("BEGIN CASE (1) WHEN 1.0 THEN RETURN 'equal'; END CASE; END", "equal"),
        ("BEGIN CASE (NULL) WHEN NULL THEN RETURN 1; ELSE RETURN 2; END; END", 2),
        ("BEGIN CASE WHEN 1 = 2 THEN RETURN 1; ELSE RETURN 2; END CASE; END", 2),
        ("BEGIN CASE WHEN 1 = 2 THEN RETURN 1; END CASE; RETURN 'on'; END", "on"),
        ("DECLARE s VARCHAR := ''; BEGIN FOR i IN 1 TO 3 DO s := s || i; END FOR; RETURN s; END", "123"),
        ("DECLARE s VARCHAR := ''; BEGIN FOR i IN REVERSE 1 TO 3 LOOP s := s || i; END LOOP; RETURN s; END", "321"),
        ("DECLARE s VARCHAR := ''; BEGIN FOR i IN 3 TO 1 DO s := s || i; END FOR; RETURN s; END", ""),
        (
            "DECLARE n INT := 2; s INT := 0; BEGIN FOR i IN n - 1 TO n * 2 DO n := 0; s := s + i; END FOR; RETURN s; END",
            10,
        ),
        ("DECLARE i INT := 9; BEGIN FOR i IN 1 TO 2 DO NULL; END FOR; RETURN i; END", 9),
        ("DECLARE i INT := 0; BEGIN WHILE (i < 5) DO i := i + 2; END WHILE; RETURN i; END", 6),
        ("DECLARE i INT := 0; BEGIN WHILE (i < 5) LOOP i := i + 2; END LOOP; RETURN i; END", 6),
        ("DECLARE i INT := 9; BEGIN REPEAT i := i + 1; UNTIL (i > 5) END REPEAT; RETURN i; END", 10),
        ("DECLARE i INT := 0; BEGIN LOOP i := i + 1; IF (i = 4) THEN BREAK; END IF; END LOOP; RETURN i; END", 4),
        (
            "DECLARE s VARCHAR := ''; BEGIN FOR i IN 1 TO 4 DO IF (i % 2 = 0) THEN CONTINUE; END IF; s := s || i;"
            " END FOR; RETURN s; END",
            "13",
        ),
        (
            "DECLARE s VARCHAR := ''; BEGIN FOR i IN 1 TO 3 DO FOR j IN 1 TO 3 DO IF (j = 2) THEN CONTINUE outside; END IF;"
            " IF (i = 3) THEN BREAK outside; END IF; s := s || i || j || ' '; END FOR inside; END FOR outside; RETURN s; END",
            "11 21 ",
        ),
        ("BEGIN FOR i IN 1 TO 10 DO IF (i = 4) THEN RETURN i; END IF; END FOR; RETURN -1; END", 4),
    ],
)
def test_branches_and_loops(compute: Value, text: str, expected: object) -> None:
    assert compute(text) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "a + b * 2 - c", "a * d", "d + d - b", "-a + -d", "a % 3", "-7 % 3", "a = b", "a <> b", "a < d", "a >= f",
        "f * 2 + a", "f - d", "s || a", "s || s = 'xx'", "s < 'y'", "t AND NOT (a = b)", "t OR n", "n AND t",
        "NOT t", "n IS NULL", "a IS NOT NULL", "nd * 2", "g + a", "d * d * d", "a = f", "big - 1", "big * 0",
    ],
)  # fmt: skip
def test_simple_expressions_come_out_as_the_engine_has_them(compute: Value, expression: str) -> None:
    """From the second turn on, a loop computes them without the engine: value and type must not change."""
    declared = (
        "a INT := 5; b NUMBER(4,0) := 3; c NUMBER(20,0) := 7; d NUMBER(10,2) := 1.25; f FLOAT := 5; g FLOAT := 1e300;"
        " s VARCHAR := 'x'; t BOOLEAN := TRUE; n BOOLEAN; nd NUMBER(5,2); big NUMBER(38,0) := 99999999999999999999999999999999999999"
    )
    text = (
        f"DECLARE {declared}; r VARCHAR := ''; BEGIN FOR i IN 1 TO 3 DO LET x VARCHAR := {expression};"
        " r := r || COALESCE(x, 'null') || ';'; END FOR; RETURN r; END"
    )
    first, second, third, _ = compute(text).split(";")
    assert first == second == third


def test_a_loop_of_ten_thousand_additions_is_quick(value: Value) -> None:
    started = time.monotonic()
    assert value("DECLARE i INT := 0; BEGIN WHILE (i < 10000) DO i := i + 1; END WHILE; RETURN i; END") == 10000
    assert time.monotonic() - started < 2


def test_an_overflow_inside_a_loop_is_the_engines(refused: Refused) -> None:
    number, _, message = refused(
        "DECLARE x INT := 99999999999999999999999999999999999990; BEGIN LOOP x := x + 1; END LOOP; END"
    )
    assert "out of representable range" in message
    assert number > 100000


# --- SQL statements ---------------------------------------------------------------------------------------------------


def test_variables_in_statements(run: Run, value: Value) -> None:
    run("CREATE TABLE t (a INT, v VARIANT)")
    assert (
        value(
            "BEGIN LET x := 2; LET a := 100; INSERT INTO t SELECT :x, {'a': 5}; UPDATE t SET a = a + :x WHERE a = :x;"
            " RETURN (SELECT a + v:a::INT FROM t); END"
        )
        == 9
    )
    assert (
        value(
            "BEGIN LET name := 't'; LET n := 1; LET col := 'a'; LET r RESULTSET :="
            " (SELECT IDENTIFIER(:col) AS c FROM IDENTIFIER(:name) ORDER BY IDENTIFIER(:col) LIMIT :n); RETURN TABLE(r); END"
        )
        == 4
    )
    run(
        "BEGIN LET name := 'made'; CREATE TABLE IDENTIFIER(:name) (a INT); INSERT INTO IDENTIFIER(:name) VALUES (1);"
        " DELETE FROM IDENTIFIER(:name) WHERE a = 2; UPDATE IDENTIFIER(:name) SET a = 3; END"
    )
    assert run("SELECT * FROM made") == [(3,)]
    assert run("BEGIN LET name := 'made'; DROP TABLE IF EXISTS IDENTIFIER(:name); END")
    assert run("SHOW TABLES LIKE 'made'") == []


def test_select_into(run: Run, value: Value, refused: Refused) -> None:
    run("CREATE TABLE t AS SELECT column1 AS a, column2 AS b FROM VALUES (1, 'x'), (2, 'y')")
    assert (
        value("DECLARE p INT; q VARCHAR; BEGIN SELECT a, b INTO :p, :q FROM t WHERE a = 2; RETURN p || q; END") == "2y"
    )
    assert value("DECLARE p INT := 7; BEGIN SELECT a INTO :p FROM t WHERE a = 9; RETURN p; END") is None
    assert value("DECLARE p INT; BEGIN WITH w AS (SELECT 5 AS z) SELECT z INTO :p FROM w; RETURN p; END") == 5
    message = refused("DECLARE p INT; BEGIN SELECT a INTO :p FROM t; END")[2]
    assert "A SELECT INTO statement expects exactly 1 returned row, but got 2." in message
    assert "STATEMENT_ERROR' on line 1 at position 21" in message
    assert "2 variables for 1 columns" in refused("DECLARE p INT; BEGIN SELECT 1 INTO :p, :p; END")[2]


def test_what_the_last_statement_did(run: Run, value: Value) -> None:
    run("CREATE TABLE t (a INT)")
    text = "BEGIN INSERT INTO t VALUES (1), (2), (3); LET n := SQLROWCOUNT; RETURN n || SQLFOUND || SQLNOTFOUND; END"
    assert value(text) == "3truefalse"
    assert value("BEGIN UPDATE t SET a = 0 WHERE a > 9; RETURN SQLROWCOUNT || ' ' || SQLNOTFOUND; END") == "0 true"
    assert value("BEGIN DELETE FROM t; SELECT 1; RETURN SQLROWCOUNT; END") is None
    assert value("BEGIN INSERT INTO t SELECT 1; INSERT INTO t SELECT :SQLROWCOUNT; RETURN SQLROWCOUNT; END") == 1


def test_every_statement_has_a_query_id_of_its_own(run: Run, value: Value) -> None:
    assert value("BEGIN SELECT 41 AS q; LET i := SQLID; RETURN (SELECT q + 1 FROM TABLE(RESULT_SCAN(:i))); END") == 42
    assert value("BEGIN SHOW SCHEMAS; RETURN (SELECT COUNT(*) > 0 FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))); END")
    run("BEGIN SELECT 'inner one'; EXECUTE IMMEDIATE 'SELECT ''inner two'''; END")
    history = run(
        "SELECT query_text, query_id FROM TABLE(information_schema.query_history_by_session())"
        " WHERE query_text LIKE 'SELECT ''inner%'"
    )
    assert sorted(text for text, _ in history) == ["SELECT 'inner one'", "SELECT 'inner two'"]
    assert len({query_id for _, query_id in history}) == 2


def test_statements_in_strings(run: Run, value: Value, refused: Refused) -> None:
    run("CREATE TABLE t AS SELECT 1 AS a UNION ALL SELECT 2")
    assert value("BEGIN LET s := 'SELECT a + ? FROM t WHERE a = ?'; LET x := 10; LET y := 2;"
                 " LET r RESULTSET := (EXECUTE IMMEDIATE :s USING (x, y)); RETURN TABLE(r); END") == 12  # fmt: skip
    assert value("DECLARE n INT; BEGIN EXECUTE IMMEDIATE 'SELECT MAX(a) FROM t' INTO :n; RETURN n; END") == 2
    assert (
        value("BEGIN LET t := 't'; EXECUTE IMMEDIATE 'DELETE FROM ' || t || ' WHERE a = 1'; RETURN SQLROWCOUNT; END")
        == 1
    )
    assert value("BEGIN LET r RESULTSET := (EXECUTE IMMEDIATE 'BEGIN RETURN 5; END'); RETURN TABLE(r); END") == 5
    assert value("BEGIN LET x := 1; EXECUTE IMMEDIATE 'BEGIN LET x := 2; END'; RETURN x; END") == 1
    assert "invalid identifier 'X'" in refused("BEGIN LET x := 1; EXECUTE IMMEDIATE 'BEGIN RETURN x; END'; END")[2]
    assert "Empty SQL statement" in refused("BEGIN EXECUTE IMMEDIATE NULL; END")[2]


def test_transactions(run: Run, value: Value) -> None:
    run("CREATE TABLE t (a INT)")
    run(
        "BEGIN BEGIN TRANSACTION; INSERT INTO t VALUES (1); ROLLBACK; BEGIN TRANSACTION; INSERT INTO t VALUES (2); COMMIT; END"
    )
    assert run("SELECT a FROM t") == [(2,)]


def test_names_and_session_variables_that_a_block_changes_stay(run: Run, value: Value) -> None:
    run("SET outside = 5")
    assert value("BEGIN LET x := $outside + 1; SET inside = :x; RETURN x; END") == 6
    assert run("SELECT $inside") == [(6,)]
    run("BEGIN CREATE SCHEMA another; USE SCHEMA another; END")
    assert run("SELECT CURRENT_SCHEMA()") == [("ANOTHER",)]


def test_files_are_not_copied_by_a_block(refused: Refused) -> None:
    number, _, message = refused("BEGIN PUT file:///tmp/nothing @~; END")
    assert (number, "Unsupported statement type 'PUT_FILES'" in message) == (90236, True)
