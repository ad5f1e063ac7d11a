"""Blocks that would not end: cancelled, timed out, nested without end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

Refused = Callable[[str], tuple[int, str, str]]
ENDLESS = {
    "empty": "BEGIN WHILE (TRUE) DO NULL; END WHILE; END",
    "counting": "DECLARE i INT := 0; BEGIN LOOP i := i + 1; END LOOP; END",
    "statements": "BEGIN REPEAT SELECT 1; UNTIL (FALSE) END REPEAT; END",
    "handled": "BEGIN WHILE (TRUE) DO SELECT 1/0; END WHILE; EXCEPTION WHEN OTHER CONTINUE THEN NULL; END",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_the_timeout_ends_an_endless_loop(connection: SnowflakeConnection, name: str) -> None:
    cursor = connection.cursor()
    cursor.execute("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
    started = time.monotonic()
    with pytest.raises(ProgrammingError) as raised:
        cursor.execute(ENDLESS[name])
    assert raised.value.errno == 630
    assert time.monotonic() - started < 4
    assert cursor.execute("SELECT 1").fetchone() == (1,)  # type: ignore[union-attr]


def test_an_endless_loop_is_cancelled(connection: SnowflakeConnection, connect: Callable[..., Any]) -> None:
    cursor = connection.cursor()
    cursor.execute_async("BEGIN WHILE (TRUE) DO NULL; END WHILE; EXCEPTION WHEN OTHER THEN RETURN 'never'; END")
    query_id = str(cursor.sfqid)
    time.sleep(0.3)
    other = connect().cursor()
    other.execute(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")
    deadline = time.monotonic() + 5
    while connection.is_still_running(connection.get_query_status(query_id)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not connection.is_still_running(connection.get_query_status(query_id))
    with pytest.raises(ProgrammingError, match="canceled"):
        cursor.get_results_from_sfqid(query_id)


def test_other_sessions_work_while_a_block_runs(connection: SnowflakeConnection, connect: Callable[..., Any]) -> None:
    cursor = connection.cursor()
    cursor.execute("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 2")

    def endless() -> None:
        with pytest.raises(ProgrammingError):
            cursor.execute(ENDLESS["counting"])

    thread = threading.Thread(target=endless)
    thread.start()
    started = time.monotonic()
    assert connect().cursor().execute("SELECT 1").fetchone() == (1,)  # type: ignore[union-attr]
    assert time.monotonic() - started < 2
    thread.join()


def test_blocks_that_run_themselves_end_with_an_error(refused: Refused, connection: SnowflakeConnection) -> None:
    connection.cursor().execute("SET again = 'BEGIN EXECUTE IMMEDIATE $again; END'")
    number, _, message = refused("EXECUTE IMMEDIATE $again")
    assert (number, "more than 24 levels deep" in message) == (92246, True), message
    assert connection.cursor().execute("BEGIN RETURN 1; END").fetchone() == (1,)  # type: ignore[union-attr]


def test_blocks_that_run_themselves_from_deep_inside_end_with_an_error(
    refused: Refused, connection: SnowflakeConnection
) -> None:
    branches = 50
    connection.cursor().execute(
        "CREATE PROCEDURE again() RETURNS INT LANGUAGE SQL AS $$BEGIN "
        + "IF (TRUE) THEN " * branches + "CALL again(); " + "END IF; " * branches + "END$$"
    )  # fmt: skip
    assert "deep" in refused("CALL again()")[2]
    assert connection.cursor().execute("BEGIN RETURN 1; END").fetchone() == (1,)  # type: ignore[union-attr]
