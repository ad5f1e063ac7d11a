"""How the tables of cases run: statements, then a query and what it answers, or the error it ends with."""

from __future__ import annotations

from typing import Any

import pytest
from snowflake.connector import DatabaseError, SnowflakeConnection

# (statements separated by ";", the last one a query; its rows), or (statements; error code; part of its text).
Case = tuple[str, list[tuple]] | tuple[str, int, str]


def run(connection: SnowflakeConnection, statements: str) -> list[tuple]:
    """Runs statements; the rows of the last one."""
    cursor = connection.cursor()
    for statement in statements.split(";"):
        if statement.strip():
            cursor.execute(statement)
    return cursor.fetchall()


def check(connection: SnowflakeConnection, *case: Any) -> None:
    """Runs a case: the last statement's rows, or the error that the last statement ends with."""
    statements = case[0]
    if len(case) == 2:
        assert run(connection, statements) == case[1]
        return
    *before, last = [statement for statement in statements.split(";") if statement.strip()]
    run(connection, ";".join(before) or "SELECT 1")
    with pytest.raises(DatabaseError) as caught:
        connection.cursor().execute(last)
    assert caught.value.errno == case[1], caught.value.msg
    assert case[2] in str(caught.value.msg)
