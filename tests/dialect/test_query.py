"""Queries: names, types and rows of results, without stored tables."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from polynya.errors import SnowflakeError

Run = Callable[..., Any]
_V = "(SELECT $1 AS a, $2 AS b FROM VALUES (1, 'x'), (2, 'y'), (3, NULL))"

# (id, SQL, rows, names)
CASES: list[tuple[str, str, list[tuple[Any, ...]], list[str]]] = [
    ("positional", "SELECT $1, $2 FROM VALUES (1, 'x')", [(1, "x")], ["$1", "$2"]),
    ("values_names", "SELECT * FROM VALUES (1, 'x')", [(1, "x")], ["COLUMN1", "COLUMN2"]),
    ("values_alias", "SELECT v.q FROM VALUES (1, 2) AS v(p, q)", [(2,)], ["Q"]),
    ("case_of_names", 'SELECT 1 AS a, 2 AS "a", 3 AS "A b"', [(1, 2, 3)], ["A", "a", "A b"]),
    ("same_name_twice", "SELECT * FROM (SELECT 1 AS a, 2 AS a)", [(1, 2)], ["A", "A"]),
    ("star_exclude", f"SELECT * EXCLUDE b FROM {_V} WHERE a = 1", [(1,)], ["A"]),
    ("star_rename", f"SELECT * RENAME (a AS c) FROM {_V} WHERE a = 1", [(1, "x")], ["C", "B"]),
    ("star_replace", f"SELECT * REPLACE (a + 1 AS a) FROM {_V} WHERE a = 1", [(2, "x")], ["A", "B"]),
    ("star_ilike", "SELECT * ILIKE 'x%' FROM (SELECT 1 AS xa, 2 AS ya, 3 AS xb)", [(1, 3)], ["XA", "XB"]),
    ("lateral_alias", "SELECT 1 AS a, a + 1 AS b, b * 2 AS c", [(1, 2, 4)], ["A", "B", "C"]),
    ("alias_in_where", f"SELECT a * 10 AS t FROM {_V} WHERE t > 20", [(30,)], ["T"]),
    ("column_before_alias", f"SELECT a + 1 AS a FROM {_V} WHERE a = 1", [(2,)], ["A"]),
    ("order_by_alias", f"SELECT -a AS a FROM {_V} ORDER BY a LIMIT 1", [(-3,)], ["A"]),
    ("order_by_position", f"SELECT b, a FROM {_V} ORDER BY 2 DESC LIMIT 2", [(None, 3), ("y", 2)], ["B", "A"]),
    ("nulls_are_largest", f"SELECT b FROM {_V} ORDER BY b DESC", [(None,), ("y",), ("x",)], ["B"]),
    ("limit_offset", f"SELECT a FROM {_V} ORDER BY a LIMIT 1 OFFSET 1", [(2,)], ["A"]),
    ("top", f"SELECT TOP 1 a FROM {_V} ORDER BY a DESC", [(3,)], ["A"]),
    ("fetch", f"SELECT a FROM {_V} ORDER BY a FETCH FIRST 2 ROWS ONLY", [(1,), (2,)], ["A"]),
    ("join_using", f"SELECT * FROM {_V} l JOIN (SELECT 1 AS a, 9 AS c) r USING (a)", [(1, "x", 9)], ["A", "B", "C"]),
    ("join_natural", f"SELECT * FROM {_V} NATURAL JOIN (SELECT 2 AS a, 8 AS c)", [(2, "y", 8)], ["A", "B", "C"]),
    (
        "full_join_using",
        "SELECT a FROM (SELECT 1 AS a) l FULL JOIN (SELECT 2 AS a) r USING (a) ORDER BY a",
        [(1,), (2,)],
        ["A"],
    ),
    ("join_without_on", "SELECT a, b FROM (SELECT 1 AS a) JOIN (SELECT 2 AS b)", [(1, 2)], ["A", "B"]),
    (
        "parenthesised_join",
        "SELECT x.a, y.a FROM ((SELECT 1 AS a) x INNER JOIN (SELECT 1 AS a) y ON x.a = y.a)",
        [(1, 1)],
        ["A", "A"],
    ),
    (
        "asof",
        "SELECT l.t, r.v FROM (SELECT 5 AS t) l ASOF JOIN (SELECT $1 AS t, $2 AS v FROM VALUES (1, 'a'), (4, 'b'), (6, 'c')) r MATCH_CONDITION (l.t >= r.t)",
        [(5, "b")],
        ["T", "V"],
    ),
    ("correlated", f"SELECT a FROM {_V} v WHERE EXISTS (SELECT 1 FROM (SELECT 2 AS z) WHERE z = v.a)", [(2,)], ["A"]),
    ("in_query", f"SELECT a FROM {_V} WHERE a IN (SELECT $1 FROM VALUES (2), (5))", [(2,)], ["A"]),
    ("in_rows", f"SELECT a FROM {_V} WHERE (a, b) IN ((1, 'x'), (2, 'q'))", [(1,)], ["A"]),
    ("scalar_subquery", "SELECT (SELECT 5) AS s", [(5,)], ["S"]),
    ("union_all", "SELECT 1 AS a UNION ALL SELECT 2.5 ORDER BY 1", [(Decimal("1.0"),), (Decimal("2.5"),)], ["A"]),
    ("union_parenthesised", "( SELECT 1 AS a ) UNION ( SELECT 1 )", [(1,)], ["A"]),
    ("except", "SELECT $1 FROM VALUES (1), (2) MINUS SELECT 2", [(1,)], ["$1"]),
    (
        "union_by_name",
        "SELECT 1 AS a, 2 AS b UNION ALL BY NAME SELECT 3 AS b, 4 AS a ORDER BY 1",
        [(1, 2), (4, 3)],
        ["A", "B"],
    ),
    ("cte", "WITH t AS (SELECT 1 AS x), u(y) AS (SELECT x + 1 FROM t) SELECT * FROM t, u", [(1, 2)], ["X", "Y"]),
    (
        "cte_recursive",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 4) SELECT sum(n) AS s FROM r",
        [(10,)],
        ["S"],
    ),
    (
        "group_by_alias",
        f"SELECT a > 1 AS big, count(*) AS n FROM {_V} GROUP BY big ORDER BY n",
        [(False, 1), (True, 2)],
        ["BIG", "N"],
    ),
    (
        "group_by_position",
        f"SELECT a % 2, count(*) FROM {_V} GROUP BY 1 ORDER BY 2",
        [(0, 1), (1, 2)],
        ["A % 2", "COUNT(*)"],
    ),
    (
        "group_by_all",
        f"SELECT a % 2 AS odd, sum(a) AS s FROM {_V} GROUP BY ALL ORDER BY odd",
        [(0, 2), (1, 4)],
        ["ODD", "S"],
    ),
    ("having_alias", f"SELECT b, count(*) AS n FROM {_V} GROUP BY b HAVING n > 5", [], ["B", "N"]),
    ("rollup", f"SELECT b, sum(a) FROM {_V} GROUP BY ROLLUP(b) ORDER BY 2 LIMIT 1", [("x", 1)], ["B", "SUM(A)"]),
    ("qualify", f"SELECT a FROM {_V} QUALIFY row_number() OVER (ORDER BY a DESC) = 1", [(3,)], ["A"]),
    (
        "pivot",
        "SELECT * FROM (SELECT $1 AS k, $2 AS v FROM VALUES ('p', 1), ('q', 2), ('p', 3)) PIVOT (sum(v) FOR k IN ('p', 'q'))",
        [(4, 2)],
        ["'p'", "'q'"],
    ),
    (
        "unpivot",
        "SELECT * FROM (SELECT 7 AS id, 1 AS jan, 2 AS feb) UNPIVOT (v FOR m IN (jan, feb)) ORDER BY v",
        [(7, "JAN", 1), (7, "FEB", 2)],
        ["ID", "M", "V"],
    ),
    (
        "connect_by",
        "SELECT id, level, sys_connect_by_path(id, '/') AS p, connect_by_root id AS r FROM (SELECT $1 AS id, $2 AS up "
        "FROM VALUES (1, NULL), (2, 1), (3, 2)) START WITH up IS NULL CONNECT BY up = PRIOR id ORDER BY id",
        [(1, 1, "/1", 1), (2, 2, "/1/2", 1), (3, 3, "/1/2/3", 1)],
        ["ID", "LEVEL", "P", "R"],
    ),
    (
        "name_of_expression",
        "SELECT 1 + 1, 'a'||'b', (2 = 2)",
        [(2, "ab", True)],
        ["1 + 1", "'A'||'B'", "(2 = 2)"],
    ),
    ("name_of_call", f'SELECT count( a ), max("B") FROM {_V}', [(3, "y")], ["COUNT( A )", 'MAX("B")']),
]


@pytest.mark.parametrize(("sql", "rows", "names"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_query(run: Run, sql: str, rows: list[tuple[Any, ...]], names: list[str]) -> None:
    answer = run(sql)
    assert answer.rows == rows
    assert [column.name for column in answer.columns] == names


TYPES = [
    ("1", "NUMBER(1,0)", False),
    ("1.50", "NUMBER(3,2)", False),
    ("1e3", "FLOAT", False),
    ("'abc'", "VARCHAR(3)", False),
    ("true", "BOOLEAN", True),
    ("NULL::NUMBER(10,2)", "NUMBER(10,2)", True),
    ("CASE WHEN 1 = 1 THEN 1 ELSE 2.25 END", "NUMBER(3,2)", False),
    ("CASE WHEN 1 = 1 THEN 1 END", "NUMBER(1,0)", True),
    ("1 IN (1, 2)", "BOOLEAN", True),
    ("x'ab01'", "BINARY(2)", False),
]


@pytest.mark.parametrize(("expression", "kind", "nullable"), TYPES, ids=[case[0] for case in TYPES])
def test_type(run: Run, expression: str, kind: str, nullable: bool) -> None:
    column = run(f"SELECT {expression}").columns[0]
    assert (str(column.type), column.nullable) == (kind, nullable)


def test_outer_join_makes_columns_nullable(run: Run) -> None:
    answer = run("SELECT l.a, r.b FROM (SELECT 1 AS a) l LEFT JOIN (SELECT 2 AS b) r ON l.a = r.b")
    assert answer.rows == [(1, None)]
    assert [column.nullable for column in answer.columns] == [False, True]


ERRORS = [
    ("SELECT nope FROM (SELECT 1 AS a)", 904, "error line 1 at position 7\ninvalid identifier 'NOPE'"),
    ("SELECT a FROM (SELECT 1 AS a) x, (SELECT 2 AS a) y", 2028, "ambiguous column name 'A'"),
    (f"SELECT a, count(*) FROM {_V}", 979, "is not a valid group by expression"),
    (f"SELECT b FROM {_V} GROUP BY a", 979, "is not a valid group by expression"),
    ("SELECT 1 UNION SELECT 1, 2", 1789, "invalid number of result columns"),
    ("SELECT nosuch(1)", 2140, "Unknown function NOSUCH"),
    ("SELECT 1 +", 1003, "syntax error line 1"),
    ("SELECT $nope", 2211, "Session variable '$NOPE' does not exist"),
    (f"SELECT a FROM {_V} ORDER BY 5", 3106, "Invalid column position 5"),
    ("SELECT ?", 2049, "Bind variable"),
]


@pytest.mark.parametrize(("sql", "code", "text"), ERRORS, ids=[case[0][:40] for case in ERRORS])
def test_error(run: Run, sql: str, code: int, text: str) -> None:
    with pytest.raises(SnowflakeError) as raised:
        run(sql)
    assert raised.value.code == code
    assert text in raised.value.message


def _nested(levels: int) -> str:
    sql = "SELECT 1 AS a"
    for _ in range(levels):
        sql = f"SELECT a FROM ({sql})"
    return sql


def test_nesting_beyond_the_limit_is_refused_by_name(run: Run) -> None:
    with pytest.raises(SnowflakeError, match="nested 2000 levels deep"):
        run(_nested(2000))


def test_nesting_of_some_hundred_levels_passes(run: Run) -> None:
    assert run(_nested(120)).rows == [(1,)]
