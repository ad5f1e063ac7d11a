"""Blocks as text: what is read, and what is not."""

from __future__ import annotations

import pytest

from polynya.errors import SnowflakeError
from polynya.session.split import split_statements
from polynya.statements.scripting.parser import parse_block
from polynya.statements.scripting.syntax import (
    Assign,
    Await,
    Block,
    Case,
    Close,
    DeclareCursor,
    DeclareException,
    DeclareResultSet,
    DeclareVariable,
    Fetch,
    ForCount,
    ForRows,
    If,
    Immediate,
    Leave,
    Let,
    Nothing,
    Open,
    Query,
    Raise,
    Return,
    Run,
    While,
)
from polynya.types.sqltype import FLOAT, number


def body(text: str) -> Block:
    return parse_block(f"BEGIN {text} END;")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NULL;", Nothing),
        ("LET x INT := 1;", Let),
        ("LET x DEFAULT f(a, b);", Let),
        ("x := (1 + 2) * 3;", Assign),
        ("name := 'x';", Assign),
        ("result := CASE WHEN a THEN 1 ELSE 2 END;", Assign),
        ("IF (a) THEN NULL; ELSEIF (b OR c) THEN NULL; ELSE NULL; END IF;", If),
        ("CASE (a) WHEN 1 THEN NULL; WHEN CASE WHEN b THEN 1 END THEN NULL; END;", Case),
        ("CASE WHEN a THEN NULL; ELSE NULL; END CASE;", Case),
        ("FOR i IN 1 TO n DO NULL; END FOR;", ForCount),
        ("FOR i IN REVERSE 1 TO f(n) LOOP NULL; END LOOP done;", ForCount),
        ("FOR r IN c DO NULL; END FOR each_row;", ForRows),
        ("WHILE (TRUE) DO NULL; END WHILE;", While),
        ("WHILE (TRUE) LOOP NULL; END LOOP;", While),
        ("REPEAT NULL; UNTIL (TRUE) END REPEAT;", While),
        ("LOOP BREAK; END LOOP;", While),
        ("BREAK;", Leave),
        ("EXIT a_label;", Leave),
        ("CONTINUE;", Leave),
        ("ITERATE a_label;", Leave),
        ("RETURN 1;", Return),
        ("RETURN TABLE(r);", Return),
        ("RETURN TABLE(RESULTSET_FROM_CURSOR(c));", Return),
        ("RETURN TABLE(SELECT 1);", Return),
        ("RETURN;", Return),
        ("OPEN c;", Open),
        ("OPEN c USING (a, b + 1);", Open),
        ("FETCH c INTO a, :b;", Fetch),
        ("CLOSE c;", Close),
        ("RAISE e;", Raise),
        ("RAISE;", Raise),
        ("AWAIT ALL;", Await),
        ("AWAIT r;", Await),
        ("CANCEL r;", Await),
        ("ASYNC (SELECT 1);", Run),
        ("SELECT a, b INTO :x, :y FROM t;", Run),
        ("EXECUTE IMMEDIATE :s USING (a, b);", Run),
        ("CALL p(:x) INTO :y;", Run),
        ("BEGIN TRANSACTION;", Run),
        ("BEGIN;", Run),
        ("COMMIT;", Run),
        ("BEGIN NULL; END;", Block),
        ("DECLARE x INT; BEGIN NULL; END;", Block),
        ("CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS BEGIN IF (TRUE) THEN RETURN 1; END IF; END;", Run),
    ],
)
def test_statements(text: str, kind: type) -> None:
    statements = body(text).statements
    assert [type(statement) for statement in statements] == [kind]


def test_declarations() -> None:
    block = parse_block(
        """DECLARE
             a INT; b NUMBER(10, 2) DEFAULT 1; c := 'x'; d DOUBLE PRECISION := 2;
             e CURSOR FOR SELECT 1; f CURSOR FOR r; r RESULTSET; s RESULTSET DEFAULT ASYNC (SELECT 1);
             t RESULTSET := (EXECUTE IMMEDIATE :q USING (a)); u EXCEPTION; v EXCEPTION (-20001, 'no');
           BEGIN NULL; EXCEPTION WHEN v OR u CONTINUE THEN NULL; WHEN OTHER THEN NULL; END"""
    )
    a, b, c, d, e, f, r, s, t, u, v = block.declarations
    assert isinstance(a, DeclareVariable) and a.type == number(38, 0) and a.default is None
    assert isinstance(b, DeclareVariable) and b.type == number(10, 2) and b.default and b.default.text == "1"
    assert isinstance(c, DeclareVariable) and c.type is None
    assert isinstance(d, DeclareVariable) and d.type == FLOAT
    assert isinstance(e, DeclareCursor) and isinstance(e.source, Query) and e.source.text == "SELECT 1"
    assert isinstance(f, DeclareCursor) and f.source == "R"
    assert isinstance(r, DeclareResultSet) and r.source is None
    assert isinstance(s, DeclareResultSet) and s.asynchronous
    assert isinstance(t, DeclareResultSet) and isinstance(t.source, Immediate) and len(t.source.using) == 1
    assert isinstance(u, DeclareException) and (u.number, u.text) == (-20000, "")
    assert isinstance(v, DeclareException) and (v.number, v.text) == (-20001, "no")
    assert [(handler.names, handler.resumes) for handler in block.handlers] == [(["V", "U"], True), ([], False)]


def test_into_is_taken_out_of_the_statement_and_leaves_blanks() -> None:
    (statement,) = body('SELECT a,\n b INTO :x,\n :"y" FROM t WHERE c = :z;').statements
    assert isinstance(statement, Run) and isinstance(statement.source, Query)
    assert statement.source.text == "SELECT a,\n b         \n      FROM t WHERE c = :z"
    assert statement.source.into == ["X", "y"]
    assert [mention.name for mention in statement.source.mentions] == ["Z"]


def test_paths_into_a_variant_are_no_variables() -> None:
    (statement,) = body("SELECT v:a, t.v:b.c, (v):d, v[0]:e, :f FROM t WHERE v:g = :h;").statements
    assert isinstance(statement, Run) and isinstance(statement.source, Query)
    assert [mention.name for mention in statement.source.mentions] == ["F", "H"]


def test_comments_and_strings_are_no_syntax() -> None:
    block = body("-- END; \n /* BEGIN */ LET s := 'END;'; // IF\n LET t := $$ a; b $$; RETURN s;")
    assert [type(statement) for statement in block.statements] == [Let, Let, Return]


@pytest.mark.parametrize(
    ("text", "line", "column", "unexpected"),
    [
        ("BEGIN RETURN 1", 1, 14, "<EOF>"),
        ("BEGIN RETURN 1;", 1, 15, "<EOF>"),
        ("BEGIN", 1, 5, "<EOF>"),
        ("BEGIN END", 1, 6, "END"),
        ("BEGIN RETURN 1; END END", 1, 20, "END"),
        ("BEGIN\n  IF (TRUE) THEN\n    NULL;\n  END;\nEND", 4, 5, ";"),
        ("BEGIN IF TRUE THEN NULL; END IF; END", 1, 9, "TRUE"),
        ("BEGIN IF (TRUE) NULL; END IF; END", 1, 16, "NULL"),
        ("BEGIN IF () THEN NULL; END IF; END", 1, 10, ")"),
        ("BEGIN IF (TRUE) THEN END IF; END", 1, 21, "END"),
        ("BEGIN WHILE (TRUE) DO NULL; END FOR; END", 1, 32, "FOR"),
        ("BEGIN FOR i IN 1 DO NULL; END FOR; END", 1, 15, "1"),
        ("BEGIN FOR i IN 1 TO 2 NULL; END FOR; END", 1, 26, ";"),
        ("BEGIN LOOP NULL; END; END", 1, 20, ";"),
        ("BEGIN REPEAT NULL; END REPEAT; END", 1, 19, "END"),
        ("BEGIN LET x := ; END", 1, 15, ";"),
        ("BEGIN LET x INT; END", 1, 15, ";"),
        ("BEGIN LET := 1; END", 1, 6, "LET"),
        ("BEGIN LET x := f(1; END", 1, 18, ";"),
        ("BEGIN x := 1) + 2; END", 1, 12, ")"),
        ("BEGIN ELSE; END", 1, 6, "ELSE"),
        ("BEGIN 1; END", 1, 6, "1"),
        ("BEGIN FETCH c; END", 1, 13, ";"),
        ("BEGIN OPEN c USING a; END", 1, 19, "a"),
        ("BEGIN RETURN TABLE(); END", 1, 19, ")"),
        ("BEGIN NULL; EXCEPTION END", 1, 22, "END"),
        ("BEGIN NULL; EXCEPTION WHEN THEN NULL; END", 1, 27, "THEN"),
        ("BEGIN NULL; EXCEPTION WHEN e NULL; END", 1, 29, "NULL"),
        ("DECLARE x; BEGIN NULL; END", 1, 9, ";"),
        ("DECLARE x INT BEGIN NULL; END", 1, 14, "BEGIN"),
        ("DECLARE x CURSOR SELECT 1; BEGIN NULL; END", 1, 17, "SELECT"),
        ("DECLARE e EXCEPTION (x); BEGIN NULL; END", 1, 21, "x"),
    ],
)
def test_what_is_not_expected(text: str, line: int, column: int, unexpected: str) -> None:
    with pytest.raises(SnowflakeError) as raised:
        parse_block(text)
    assert raised.value.code == 1003
    assert f"syntax error line {line} at position {column} unexpected '{unexpected}'." in raised.value.message


def test_a_block_nested_too_deep_is_refused() -> None:
    with pytest.raises(SnowflakeError, match="nested more than 60 levels deep"):
        parse_block("BEGIN " * 100 + "NULL; " + "END; " * 100)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("BEGIN RETURN 1; END; SELECT 1", 2),
        ("DECLARE x INT; BEGIN IF (x = 1) THEN NULL; END IF; END; SELECT 1;", 2),
        ("BEGIN; SELECT 1; COMMIT", 3),
        ("BEGIN TRANSACTION; SELECT CASE WHEN 1 = 1 THEN 2 END; COMMIT;", 3),
        ("BEGIN BEGIN TRANSACTION; COMMIT; END; SELECT 1", 2),
        ("BEGIN CASE (x) WHEN 1 THEN RETURN CASE WHEN y THEN 1 END; END CASE; END; SELECT 1", 2),
        (
            "BEGIN FOR i IN 1 TO 2 LOOP NULL; END LOOP; WHILE (a) DO NULL; END WHILE; LOOP BREAK; END LOOP; END; SELECT 1",
            2,
        ),
        ("BEGIN LET x := IF(a, REPEAT('b', 2), 'c'); DROP TABLE IF EXISTS t; END; SELECT 1", 2),
        ("BEGIN SELECT t.end, t.begin FROM t; END; SELECT 1", 2),
        ("CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS BEGIN RETURN 1; END; CALL p()", 2),
        ("EXECUTE IMMEDIATE $$ BEGIN RETURN 1; END; $$; SELECT 1", 2),
        ("DECLARE p PROCEDURE() RETURNS INT AS BEGIN RETURN 1; END; BEGIN CALL p(); END; SELECT 1", 2),
    ],
)
def test_a_block_stays_whole_among_statements(text: str, count: int) -> None:
    assert len(split_statements(text)) == count
