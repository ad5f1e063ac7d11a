"""Structured types as they are written, and the options of casts to them."""

from __future__ import annotations

from typing import Any

import pytest

from polynya.dialect.types import type_from_text


@pytest.mark.parametrize(
    ("text", "sql_type"),
    [
        ("ARRAY(INT NOT NULL)", "ARRAY(NUMBER(38,0) NOT NULL)"),
        ("map(string(10), number(5,2) not null)", "MAP(VARCHAR(10), NUMBER(5,2) NOT NULL)"),
        ("ARRAY(ARRAY(INT NOT NULL))", "ARRAY(ARRAY(NUMBER(38,0) NOT NULL))"),
        ('OBJECT(city VARCHAR(5), "Zip" INT NOT NULL)', "OBJECT(city VARCHAR(5), Zip NUMBER(38,0))"),
    ],
)
def test_type(text: str, sql_type: str) -> None:
    assert str(type_from_text(text)) == sql_type


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("{'a': 1, 'b': 0.05}::OBJECT(a INT, b NUMBER(4,2))", '{"a":1,"b":0.05}'),
        ("CAST({'a': 1}::OBJECT(a INT) AS OBJECT(x VARCHAR) RENAME FIELDS)", '{"x":"1"}'),
        ('TRY_CAST(PARSE_JSON(\'{"a": "x"}\') AS OBJECT(a INT, b INT) PERMISSIVE)', '{"a":null,"b":null}'),
        ("[1, '2']::ARRAY(INT NOT NULL)", "[1,2]"),
    ],
)
def test_cast(run: Any, expression: str, value: str) -> None:
    answer = run(f"SELECT {expression} AS x")
    assert answer.value.replace(" ", "").replace("\n", "") == value
    assert answer.columns[0].nullable
