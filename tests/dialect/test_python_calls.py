"""How calls of Python functions are bound: as a step where they are made for every row, else as a function of the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from polynya.catalog.context import Context
from polynya.catalog.model import Routine
from polynya.dialect import functions
from polynya.dialect.query import BoundQuery, bind_query
from polynya.storage.python_calls import EngineCall
from polynya.storage.steps import Step
from polynya.types.sqltype import INTEGER

TABLE = "(SELECT column1 AS a, column2 AS b FROM VALUES (1, 2), (3, 4)) AS t"


def routine(number: int, name: str, **more: Any) -> Routine:
    arguments = [] if name == "Z" else [("X", INTEGER, None)]
    return Routine(
        id=number, parent=0, name=name, owner="", created_on=datetime.now(UTC), language="PYTHON", arguments=arguments,
        returns=more.pop("returns", INTEGER), **more,
    )  # fmt: skip


ROUTINES = {
    "F": routine(1, "F"),
    "G": routine(2, "G", options={"VOLATILITY": "IMMUTABLE"}),
    "Z": routine(3, "Z"),
    "S": routine(4, "S", kind="AGGREGATE FUNCTION"),
    "T": routine(5, "T", returns=None, returns_table=[("Y", INTEGER)]),
}


@dataclass
class _Catalog:
    """A catalog with nothing but the functions."""

    account_parameters: dict[str, Any] = field(default_factory=dict)

    def find(self, *_: Any) -> None:
        return None

    def routines(self, context: Context, kind: str, parts: list[str]) -> list[Routine]:
        return [ROUTINES[parts[-1]]] if parts[-1] in ROUTINES else []


def bind(sql: str) -> BoundQuery:
    functions.load()
    return bind_query(sql, Context(_Catalog(), 1, "ADMIN", "TEST", unrestricted=True, parameters={"TIMEZONE": "UTC"}))  # type: ignore[arg-type]


def used(bound: BoundQuery) -> tuple[list[Step], int]:
    """The steps and the number of the engine's calls that a query and its steps read."""
    steps = [item for name, item in bound.inputs.items() if isinstance(item, Step)]
    texts = [bound.sql, *(text for step in steps for text in [step.tail, step.head, *step.items.values()])]
    calls = sum(
        any(f"'{name}'" in text for text in texts)
        for name, item in bound.inputs.items()
        if isinstance(item, EngineCall)
    )
    return [step for step in steps if any(step.made.names[0] in text for text in texts)], calls


@pytest.mark.parametrize(
    ("sql", "steps", "calls"),
    [
        ("SELECT F(a) FROM t", 1, 0),
        ("SELECT F(a) + 1, G(b), a FROM t", 1, 0),
        ("SELECT F(a)::VARCHAR || 'x' FROM t", 1, 0),
        ("SELECT SUM(F(a)) FROM t", 1, 0),
        ("SELECT F(G(a)), F(G(a) + 1) FROM t", 2, 0),
        ("SELECT F(a) FROM t GROUP BY F(a)", 1, 0),
        ("SELECT ROW_NUMBER() OVER (PARTITION BY F(a) ORDER BY G(b)) FROM t", 1, 0),
        ("SELECT a FROM t ORDER BY F(a)", 1, 0),
        ("SELECT F(a) FROM t ORDER BY F(a)", 1, 0),
        ("SELECT F(a) FROM t WHERE G(b) > 1", 1, 1),
        ("SELECT F(1)", 0, 1),
        ("SELECT Z() FROM t", 0, 1),
        ("SELECT F(SUM(a)) FROM t", 0, 1),
        ("SELECT F(a), COUNT(*) FROM t GROUP BY a", 0, 1),
        ("SELECT CASE WHEN a > 1 THEN F(a) END FROM t", 0, 1),
        ("SELECT IFF(a > 1, F(a), 0), COALESCE(a, F(b)) FROM t", 0, 2),
        ("SELECT a > 1 AND F(a) > 1 FROM t", 0, 1),
        ("SELECT a > 1 OR F(a) > 1 FROM t", 0, 1),
        ("SELECT a FROM t WHERE F(a) = 1", 0, 1),
        ("SELECT 1 FROM t JOIN t AS u ON F(t.a) = u.a", 0, 1),
        ("SELECT (SELECT MAX(F(u.a)) FROM t AS u WHERE u.b = t.b) FROM t", 0, 1),
        ("SELECT F(ROW_NUMBER() OVER (ORDER BY a)) FROM t", 0, 1),
        ("SELECT S(a) FROM t", 0, 1),
        ("SELECT * FROM t, TABLE(T(a))", 1, 0),
        ("SELECT F(y) FROM t, TABLE(T(a) OVER (PARTITION BY b)) GROUP BY F(y)", 2, 0),
    ],
)
def test_mechanism(sql: str, steps: int, calls: int) -> None:
    bound = bind(f"WITH t AS (SELECT * FROM {TABLE}) {sql}")
    found, number = used(bound)
    assert (len(found), number) == (steps, calls)


def test_volatile_calls_are_not_shared() -> None:
    (step,), _ = used(bind(f"SELECT F(a), F(a), G(b), G(b) FROM {TABLE}"))
    assert step.functions == ("F", "F", "G")


def test_an_alias_is_computed_once() -> None:
    (step,), calls = used(bind(f"SELECT F(a) AS y, y + 1, CASE WHEN a > 1 THEN y END FROM {TABLE}"))
    assert (step.functions, calls) == (("F",), 0)


def test_calls_that_nothing_reads_are_left_out() -> None:
    found, _ = used(bind(f"SELECT COUNT(*), MAX(a) FROM {TABLE} HAVING COUNT(*) > 0"))
    assert found == []


def test_text_that_looks_like_a_column_stays() -> None:
    bound = bind(f"""SELECT F(a), '_1."A"', '_2."A"', "it's" FROM (SELECT a, b AS "it's" FROM {TABLE}) AS q""")
    assert """'_1."A"'""" in bound.sql
    assert """'_2."A"'""" in bound.sql


def test_common_table_expressions_go_where_they_are_read() -> None:
    bound = bind(f"WITH u AS (SELECT a FROM {TABLE}), v AS (SELECT a FROM u) SELECT F(a) FROM v WHERE a > 1")
    (step,), _ = used(bound)
    assert step.head.count(" AS (") >= 2
    assert not bound.sql.startswith("WITH")
    recursive = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT F(n) FROM r WHERE n < 9) SELECT n FROM r"
    assert used(bind(recursive)) == ([], 1)


def test_random_values_are_drawn_once() -> None:
    random = f"WITH r AS (SELECT a, RANDOM() AS v FROM {TABLE}) "
    assert used(bind(random + "SELECT F(v), v FROM r"))[1] == 0
    assert used(bind(random + "SELECT F(x.v) FROM r AS x JOIN r AS y ON x.v = y.v")) == ([], 1)
    (step,), _ = used(bind(f"SELECT F(a), RANDOM() FROM {TABLE}"))
    assert "random" not in step.tail


def test_types_and_names() -> None:
    bound = bind(f"SELECT F(a), F(b) AS y, S(a) FROM {TABLE} GROUP BY 1, 2")
    assert [(column.name, str(column.type), column.nullable) for column in bound.columns] == [
        ("F(A)", "NUMBER(38,0)", True), ("Y", "NUMBER(38,0)", True), ("S(A)", "NUMBER(38,0)", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "limit"),
    [
        ("SELECT F(a) FROM {t} LIMIT 5", 5),
        ("SELECT * FROM (SELECT F(a), b FROM {t}) LIMIT 5", 5),
        ("SELECT y + 1 FROM (SELECT F(a) AS y FROM {t}) AS q LIMIT 5", 5),
        ("SELECT F(a) FROM {t} WHERE b > 1 LIMIT 5", 5),
        ("SELECT y FROM {t}, TABLE(T(a)) LIMIT 5", None),
        ("SELECT F(a) FROM {t} LIMIT 5 OFFSET 2", None),
        ("SELECT F(a) FROM {t} ORDER BY 1 LIMIT 5", None),
        ("SELECT DISTINCT F(a) FROM {t} LIMIT 5", None),
        ("SELECT SUM(F(a)) FROM {t} LIMIT 5", None),
        ("SELECT F(a) FROM {t} QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1 LIMIT 5", None),
        ("SELECT y FROM (SELECT F(a) AS y FROM {t}) AS q WHERE y > 1 LIMIT 5", None),
        ("SELECT y FROM (SELECT F(a) AS y FROM {t}) AS q, {t} LIMIT 5", None),
        ("SELECT COUNT(*) FROM (SELECT F(a) AS y FROM {t}) AS q LIMIT 5", None),
        ("SELECT y FROM (SELECT F(a) AS y FROM {t}) AS q SAMPLE (50) LIMIT 5", None),
    ],
)
def test_a_limit_reaches_the_step_only_where_rows_are_its_own(sql: str, limit: int | None) -> None:
    (step,), _ = used(bind(sql.format(t=TABLE)))
    assert step.limit == limit
