"""FLATTEN, SPLIT_TO_TABLE, GENERATOR, QUERY_HISTORY."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from polynya.dialect.functions.history import COLUMNS, history_table
from polynya.errors import SnowflakeError

TREE = """'{"a": 1, "b": [77, 88], "c": {"d": "X"}}'"""
FLATTENED = [
    ("INPUT => PARSE_JSON('[1, \"a\"]')", [(None, "[0]", 0, "1"), (None, "[1]", 1, '"a"')]),
    ("""PARSE_JSON('{"b": 1, "a b": 2}')""", [("a b", "['a b']", None, "2"), ("b", "b", None, "1")]),
    ("""INPUT => PARSE_JSON('{"a": {"b": [1]}}'), PATH => 'a.b'""", [(None, "a.b[0]", 0, "1")]),
    (f"PARSE_JSON({TREE}), MODE => 'ARRAY'", []),
    (f"PARSE_JSON({TREE}), RECURSIVE => TRUE", [
        ("a", "a", None, "1"), ("b", "b", None, "[77,88]"), (None, "b[0]", 0, "77"), (None, "b[1]", 1, "88"),
        ("c", "c", None, '{"d":"X"}'), ("d", "c.d", None, '"X"')]),
    ("INPUT => PARSE_JSON('[]')", []),
    ("INPUT => PARSE_JSON('[]'), OUTER => TRUE", [(None, "", None, None)]),
    ("INPUT => NULL, OUTER => TRUE", [(None, "", None, None)]),
    ("INPUT => PARSE_JSON('5'), OUTER => TRUE", [(None, "", None, "5")]),
    ("INPUT => [1, NULL]", [(None, "[0]", 0, "1"), (None, "[1]", 1, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), FLATTENED)
def test_flatten(run, arguments, expected):
    answer = run(f"SELECT * FROM TABLE(FLATTEN({arguments}))")
    assert [column.name for column in answer.columns] == ["SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS"]
    assert [row[1:5] for row in answer.rows] == expected


DOCUMENTS = "(SELECT column1 id, PARSE_JSON(column2) v FROM VALUES (1, '[10, 20]'), (2, '[10, 20]'), (3, NULL), (4, '[[1], [2]]')) t"
LATERAL = [
    (f"SELECT id, seq, f.value::STRING FROM {DOCUMENTS}, LATERAL FLATTEN(t.v) f WHERE id < 4",
     [(1, 1, "10"), (1, 1, "20"), (2, 2, "10"), (2, 2, "20")]),
    (f"SELECT t.id, f.value FROM {DOCUMENTS}, LATERAL FLATTEN(INPUT => t.v, OUTER => TRUE) f WHERE id > 1",
     [(2, "10"), (2, "20"), (3, None), (4, "[1]"), (4, "[2]")]),
    (f"SELECT id, g.value FROM {DOCUMENTS}, LATERAL FLATTEN(v) f, LATERAL FLATTEN(f.value) g", [(4, "1"), (4, "2")]),
    (f"SELECT id, (SELECT SUM(f.value::INT) FROM TABLE(FLATTEN(t.v)) f) s FROM {DOCUMENTS} WHERE id = 1", [(1, 30)]),
    (f"SELECT id, f.value FROM {DOCUMENTS} LEFT JOIN LATERAL FLATTEN(t.v) f ON f.index = 1 WHERE id IN (2, 3)", [(2, "20"), (3, None)]),
    ("SELECT a, seq, index, value FROM VALUES (1, 'x,y'), (2, 'z') AS t(a, s) JOIN TABLE(SPLIT_TO_TABLE(t.s, ','))",
     [(1, 1, 1, "x"), (1, 1, 2, "y"), (2, 2, 1, "z")]),
    ("SELECT value FROM TABLE(STRTOK_SPLIT_TO_TABLE('a.b..c', '.'))", [("a",), ("b",), ("c",)]),
    ("SELECT * FROM (SELECT 1 a) JOIN (SELECT 1 a, [5] v) USING (a), LATERAL FLATTEN(v) f", [(1, "[5]", 1, None, "[0]", 0, "5", "[5]")]),
    ("SELECT SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 3))", [(0,), (1,), (2,)]),
    ("SELECT COUNT(*) FROM TABLE(GENERATOR(ROWCOUNT => 100000))", [(100000,)]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), LATERAL)
def test_lateral(run, query, expected):
    assert sorted(run(query).rows, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("FLATTEN('abc')", 1044), ("FLATTEN(INPUT => [1], MODE => 'wrong')", 1015), ("GENERATOR(ROWCOUNT => -1)", 1015),
    ],
)  # fmt: skip
def test_wrong_arguments(run, call, code):
    with pytest.raises(SnowflakeError) as raised:
        run(f"SELECT * FROM TABLE({call})")
    assert raised.value.code == code


def test_history_rows():
    now = datetime.now(UTC)
    table = history_table(
        [{"QUERY_ID": "q", "SESSION_ID": 7, "START_TIME": now, "TOTAL_ELAPSED_TIME": 5, "ERROR_CODE": 904}]
    )
    row = table.to_pylist()[0]
    assert table.column_names == [column.name for column in COLUMNS]
    assert (row["QUERY_ID"], row["SESSION_ID"], row["EXECUTION_TIME"], row["ERROR_CODE"]) == ("q", 7, 5, "000904")
    assert row["END_TIME"] is None
