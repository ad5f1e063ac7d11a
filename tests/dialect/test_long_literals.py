"""Literals too long to stand in SQL several times, where a function writes its argument several times."""

from __future__ import annotations

import json

from snowflake.connector import SnowflakeConnection


def test_a_long_literal_in_an_object(connection: SnowflakeConnection) -> None:
    text = "it's " * 40
    row = connection.cursor().execute("SELECT OBJECT_CONSTRUCT('k', %s)", (text,)).fetchone()  # type: ignore[union-attr]
    assert json.loads(row[0]) == {"k": text}  # type: ignore[index]
