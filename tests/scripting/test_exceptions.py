"""Exceptions: raised, handled, and not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Value = Callable[[str], Any]
Refused = Callable[[str], tuple[int, str, str]]


@pytest.mark.parametrize(
    ("text", "number", "state", "message"),
    [
        (
            "DECLARE\n  e EXCEPTION (-20002, 'Raised E.');\nBEGIN\n  LET n := 0;\n  IF (n = 0) THEN\n    RAISE e;\n  END IF;\nEND",
            -20002, "P0001", "Uncaught exception of type 'E' on line 6 at position 4 : Raised E.",
        ),
        ("DECLARE e EXCEPTION; BEGIN RAISE e; END", -20000, "P0001", "Uncaught exception of type 'E' on line 1 at position 27"),
        (
            "BEGIN\n  SELECT * FROM nowhere;\nEND", 2003, "42S02",
            "Uncaught exception of type 'STATEMENT_ERROR' on line 2 at position 2 : SQL compilation error:\n"
            "Object 'NOWHERE' does not exist or not authorized.",
        ),
        ("BEGIN RETURN 1 + 1/0; END", 100051, "22012",
         "Uncaught exception of type 'EXPRESSION_ERROR' on line 1 at position 13 : Division by zero"),
        ("BEGIN IF (1/0 = 1) THEN NULL; END IF; END", 100051, "22012",
         "Uncaught exception of type 'EXPRESSION_ERROR' on line 1 at position 10 : Division by zero"),
        ("BEGIN LET x INT := 1/0; END", 100051, "22012",
         "Uncaught exception of type 'EXPRESSION_ERROR' on line 1 at position 19 : Division by zero"),
        ("BEGIN RETURN nofunction(1); END", 2140, "42601",
         "Uncaught exception of type 'EXPRESSION_ERROR' on line 1 at position 13 : SQL compilation error:\n"
         "Unknown function NOFUNCTION"),
    ],
)  # fmt: skip
def test_uncaught(fail: Refused, text: str, number: int, state: str, message: str) -> None:
    assert fail(text) == (number, state, message)
    outer = fail(f"EXECUTE IMMEDIATE $$\n{text}$$")
    assert outer[:2] == (number, state)
    line = int(message.split("on line ")[1].split(" ")[0])
    assert outer[2] == message.replace(f"on line {line}", f"on line {line + 1}", 1)


def test_a_handler_sees_what_went_wrong(value: Value) -> None:
    handler = "RETURN OBJECT_CONSTRUCT('code', SQLCODE, 'text', SQLERRM, 'state', SQLSTATE);"
    found = json.loads(value(f"BEGIN SELECT * FROM nowhere; EXCEPTION WHEN STATEMENT_ERROR THEN {handler} END"))
    assert found["code"] == 2003 and found["state"] == "42S02"
    assert found["text"] == "SQL compilation error:\nObject 'NOWHERE' does not exist or not authorized."
    found = json.loads(
        value(f"DECLARE e EXCEPTION (-20010, 'mine'); BEGIN RAISE e; EXCEPTION WHEN e THEN {handler} END")
    )
    assert found == {"code": -20010, "text": "mine", "state": "P0001"}


def test_the_three_variables_in_statements(value: Value) -> None:
    assert value("BEGIN CREATE TABLE log (c INT, m VARCHAR); SELECT 1/0; EXCEPTION WHEN OTHER THEN"
                 " INSERT INTO log VALUES (:sqlcode, :SQLERRM); RETURN (SELECT c || m FROM log); END") == (
        "100051Division by zero"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # which handler
        ("BEGIN RETURN 1/0; EXCEPTION WHEN STATEMENT_ERROR THEN RETURN 's'; WHEN EXPRESSION_ERROR THEN RETURN 'e'; END", "e"),
        ("BEGIN SELECT 1/0; EXCEPTION WHEN EXPRESSION_ERROR THEN RETURN 'e'; WHEN OTHER THEN RETURN 'o'; END", "o"),
        ("BEGIN SELECT 1/0; EXCEPTION WHEN EXPRESSION_ERROR OR STATEMENT_ERROR THEN RETURN 'both'; END", "both"),
        ("DECLARE a EXCEPTION; b EXCEPTION; BEGIN RAISE b; EXCEPTION WHEN a THEN RETURN 'a'; WHEN b THEN RETURN 'b'; END", "b"),
        # through blocks
        ("BEGIN BEGIN SELECT 1/0; EXCEPTION WHEN EXPRESSION_ERROR THEN NULL; END; EXCEPTION WHEN OTHER THEN RETURN 'out'; END", "out"),
        ("BEGIN BEGIN SELECT 1/0; EXCEPTION WHEN OTHER THEN NULL; END; RETURN 'on'; END", "on"),
        ("DECLARE e EXCEPTION; BEGIN BEGIN RAISE e; EXCEPTION WHEN e THEN RAISE; END; EXCEPTION WHEN e THEN RETURN 'again'; END", "again"),
        ("DECLARE e EXCEPTION; f EXCEPTION (-20001, 'f'); BEGIN BEGIN RAISE e; EXCEPTION WHEN OTHER THEN RAISE f; END;"
         " EXCEPTION WHEN OTHER THEN RETURN SQLERRM; END", "f"),
        ("BEGIN SELECT 1/0; EXCEPTION WHEN OTHER THEN BEGIN SELECT 2/0; EXCEPTION WHEN OTHER THEN RETURN 'in the handler'; END; END",
         "in the handler"),
        # CONTINUE
        ("DECLARE n INT := 0; BEGIN SELECT 1/0; n := n + 1; RETURN n; EXCEPTION WHEN OTHER CONTINUE THEN n := n + 10; END", 11),
        ("DECLARE n INT := 0; BEGIN FOR i IN 1 TO 3 DO n := 1/(i - 2); n := n + 5; END FOR; RETURN n;"
         " EXCEPTION WHEN EXPRESSION_ERROR CONTINUE THEN n := 100; END", 6),
        ("DECLARE n INT := 0; BEGIN IF (1/0 = 1) THEN n := 1; END IF; n := n + 2; RETURN n; EXCEPTION WHEN OTHER CONTINUE THEN NULL; END", 2),
        ("BEGIN SELECT 1/0; RETURN SQLCODE IS NULL; EXCEPTION WHEN OTHER CONTINUE THEN NULL; END", True),
        ("DECLARE n INT := 0; BEGIN BEGIN SELECT 1/0; n := n + 1; END; n := n + 2; RETURN n;"
         " EXCEPTION WHEN OTHER CONTINUE THEN n := n + 10; END", 12),
        ("DECLARE e EXCEPTION; n INT := 0; BEGIN BEGIN RAISE e; n := 1; EXCEPTION WHEN e CONTINUE THEN RAISE; END;"
         " RETURN 'not here'; EXCEPTION WHEN e EXIT THEN RETURN 'outside'; END", "outside"),
        # variables
        ("DECLARE n INT := 0; BEGIN n := 5; SELECT 1/0; EXCEPTION WHEN OTHER THEN RETURN n; END", 5),
    ],
)  # fmt: skip
def test_handlers(compute: Value, text: str, expected: object) -> None:
    assert compute(text) == expected


def test_handlers_do_not_see_what_the_body_declares(refused: Refused) -> None:
    found = refused("BEGIN LET x := 1; SELECT 1/0; EXCEPTION WHEN OTHER THEN RETURN x; END")
    assert found == (904, "42000", "SQL compilation error: error line 1 at position 63\ninvalid identifier 'X'")


def test_handlers_do_not_cover_declarations(refused: Refused) -> None:
    assert refused("DECLARE x INT := 1/0; BEGIN NULL; EXCEPTION WHEN OTHER THEN RETURN 'no'; END")[0] == 100051


def test_a_failed_statement_leaves_the_block_and_the_session_usable(value: Value, refused: Refused) -> None:
    refused("BEGIN BEGIN TRANSACTION; CREATE TABLE t (a INT); SELECT 1/0; END")
    assert value("BEGIN ROLLBACK; RETURN 'fine'; END") == "fine"
