"""Warehouses: who needs one, who waits for a place, what sizes give, when they suspend and resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import DatabaseError, ProgrammingError

from polynya.server.local import Warehouse

Connect = Callable[..., SnowflakeConnection]

_SLEEP = """CREATE OR REPLACE FUNCTION TESTS.PUBLIC.sleep(seconds FLOAT) RETURNS FLOAT LANGUAGE PYTHON
RUNTIME_VERSION = '3.11' HANDLER = 'run' AS $$
import time
def run(seconds):
    time.sleep(seconds)
    return seconds
$$"""
_SPANS = """CREATE OR REPLACE FUNCTION TESTS.PUBLIC.spans(n NUMBER) RETURNS TABLE (began FLOAT, ended FLOAT)
LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'Spans' AS $$
import time
class Spans:
    def process(self, n):
        began = time.monotonic()
        time.sleep(0.15)
        yield began, time.monotonic()
$$"""


@pytest.fixture(scope="module")
def four_cores() -> Iterator[Warehouse]:
    """A server that works as on four cores, whatever the machine has."""
    with Warehouse(cores=4) as running:
        client = snowflake.connector.connect(**running.connection_parameters)
        for text in (
            "CREATE DATABASE TESTS", "CREATE TABLE TESTS.PUBLIC.T AS SELECT 1 AS N", _SLEEP, _SPANS,
            "CREATE PROCEDURE TESTS.PUBLIC.COUNT_T() RETURNS NUMBER LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
            "PACKAGES = ('snowflake-snowpark-python') HANDLER = 'run' AS "
            "$$def run(session): return session.table('TESTS.PUBLIC.T').count()$$",
        ):  # fmt: skip
            client.cursor().execute(text)
        client.close()
        yield running


@pytest.fixture
def connect(four_cores: Warehouse) -> Iterator[Connect]:
    """Opens connections to the server of four cores."""
    opened: list[SnowflakeConnection] = []

    def open_one(**parameters: Any) -> SnowflakeConnection:
        client = snowflake.connector.connect(
            **{**four_cores.connection_parameters, "database": "TESTS", "schema": "PUBLIC", **parameters}
        )
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()


@pytest.fixture
def cursor(connect: Connect) -> SnowflakeCursor:
    return connect().cursor()


def _shown(cursor: SnowflakeCursor, name: str) -> dict[str, Any]:
    cursor.execute(f"SHOW WAREHOUSES LIKE '{name}'")
    names = [column.name for column in cursor.description]
    (row,) = cursor.fetchall()
    return dict(zip(names, row, strict=True))


def _wait_for(met: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM T",
        "INSERT INTO T VALUES (1)",
        "UPDATE T SET N = 2",
        "CREATE OR REPLACE TEMPORARY TABLE U AS SELECT 1 AS N",
        "COPY INTO @~/left FROM T",
        "SELECT sleep(0)",
        "CALL COUNT_T()",
        "EXECUTE IMMEDIATE 'SELECT * FROM T'",
    ],
)
def test_what_moves_rows_or_runs_handlers_needs_a_warehouse(connect: Connect, text: str) -> None:
    cursor = connect(warehouse="NONE_OF_THIS_NAME").cursor()
    with pytest.raises(ProgrammingError, match="No active warehouse selected") as raised:
        cursor.execute(text)
    assert (raised.value.errno, raised.value.sqlstate) == (606, "57P03")


def test_other_statements_need_none(connect: Connect) -> None:
    cursor = connect(warehouse="NONE_OF_THIS_NAME").cursor()
    for text in (
        "SELECT 1, CURRENT_USER()", "SHOW TABLES", "CREATE OR REPLACE TABLE V (N NUMBER)", "DESCRIBE TABLE V",
        "CREATE OR REPLACE TABLE W CLONE T", "LIST @~", "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES", "DROP TABLE W",
        "EXPLAIN SELECT * FROM T",
    ):  # fmt: skip
        cursor.execute(text)
    cursor.execute("USE WAREHOUSE COMPUTE_WH")
    assert cursor.execute("SELECT N FROM T").fetchall() == [(1,)]  # type: ignore[union-attr]


def test_a_suspended_warehouse_resumes_by_itself_if_it_may(cursor: SnowflakeCursor) -> None:
    cursor.execute("CREATE OR REPLACE WAREHOUSE RESUMES INITIALLY_SUSPENDED = TRUE")
    assert _shown(cursor, "RESUMES")["state"] == "SUSPENDED"
    cursor.execute("SELECT 1")  # needs none, and wakes none
    assert _shown(cursor, "RESUMES")["state"] == "SUSPENDED"
    cursor.execute("SELECT N FROM T")
    shown = _shown(cursor, "RESUMES")
    assert shown["state"] == "STARTED" and shown["resumed_on"] > shown["created_on"]
    cursor.execute("ALTER WAREHOUSE RESUMES SET AUTO_RESUME = FALSE")
    cursor.execute("ALTER WAREHOUSE RESUMES SUSPEND")
    with pytest.raises(ProgrammingError, match=r"'RESUMES' is suspended.*ALTER WAREHOUSE RESUMES RESUME") as raised:
        cursor.execute("SELECT N FROM T")
    assert raised.value.errno == 606
    cursor.execute("ALTER WAREHOUSE RESUMES RESUME")
    assert cursor.execute("SELECT N FROM T").fetchall() == [(1,)]  # type: ignore[union-attr]


def test_an_idle_warehouse_suspends(cursor: SnowflakeCursor) -> None:
    cursor.execute("CREATE OR REPLACE WAREHOUSE IDLES AUTO_SUSPEND = 1")
    cursor.execute("CREATE OR REPLACE WAREHOUSE STAYS AUTO_SUSPEND = NULL")
    for name in ("STAYS", "IDLES"):
        cursor.execute(f"USE WAREHOUSE {name}")
        cursor.execute("SELECT N FROM T")
    cursor.execute("SELECT sleep(1.2)")  # a statement at work keeps it
    assert _shown(cursor, "IDLES")["state"] == "STARTED"
    _wait_for(lambda: _shown(cursor, "IDLES")["state"] == "SUSPENDED")
    assert _shown(cursor, "STAYS")["state"] == "STARTED"
    assert cursor.execute("SELECT N FROM T").fetchall() == [(1,)]  # type: ignore[union-attr]


def test_a_warehouse_that_nobody_uses_suspends(cursor: SnowflakeCursor) -> None:
    cursor.execute("CREATE OR REPLACE WAREHOUSE UNUSED AUTO_SUSPEND = 1")
    assert _shown(cursor, "UNUSED")["state"] == "STARTED"
    _wait_for(lambda: _shown(cursor, "UNUSED")["state"] == "SUSPENDED")
    cursor.execute("ALTER WAREHOUSE UNUSED RESUME")  # idle from now on, not since it was last used
    assert _shown(cursor, "UNUSED")["state"] == "STARTED"
    _wait_for(lambda: _shown(cursor, "UNUSED")["state"] == "SUSPENDED")
    cursor.execute("ALTER WAREHOUSE UNUSED SET AUTO_SUSPEND = 600")
    cursor.execute("ALTER WAREHOUSE UNUSED RESUME")
    cursor.execute("ALTER WAREHOUSE UNUSED SET AUTO_SUSPEND = 1")
    _wait_for(lambda: _shown(cursor, "UNUSED")["state"] == "SUSPENDED")


def test_statements_wait_for_a_place(connect: Connect) -> None:
    cursor, other, third = connect().cursor(), connect().cursor(), connect().cursor()
    cursor.execute("CREATE OR REPLACE WAREHOUSE NARROW WAREHOUSE_SIZE = SMALL MAX_CONCURRENCY_LEVEL = 1")
    other.execute("USE WAREHOUSE NARROW")
    third.execute("USE WAREHOUSE NARROW")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cursor.execute, "SELECT sleep(0.8)")
        _wait_for(lambda: _shown(third, "NARROW")["running"] == 1)
        second = pool.submit(other.execute, "SELECT N FROM T")
        _wait_for(lambda: _shown(third, "NARROW")["queued"] == 1)
        third.execute("SELECT 1")  # needs no place
        third.execute("ALTER SESSION SET STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = 1")
        first.result()
        second.result()
    rows = third.execute(
        "SELECT QUERY_TEXT, WAREHOUSE_SIZE, QUEUED_OVERLOAD_TIME, EXECUTION_TIME <= TOTAL_ELAPSED_TIME "
        "FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_WAREHOUSE('NARROW')) WHERE WAREHOUSE_SIZE IS NOT NULL"
    ).fetchall()  # type: ignore[union-attr]
    found = {text: (size, queued > 200, fits) for text, size, queued, fits in rows}
    assert found == {"SELECT sleep(0.8)": ("Small", False, True), "SELECT N FROM T": ("Small", True, True)}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cursor.execute, "SELECT sleep(1.6)")
        _wait_for(lambda: _shown(third, "NARROW")["running"] == 1)
        with pytest.raises(DatabaseError, match="timeout of 1 second") as raised:
            third.execute("SELECT N FROM T")
        assert raised.value.errno == 630
        first.result()


def test_a_procedure_and_a_transaction_share_one_place(connect: Connect) -> None:
    cursor, other = connect().cursor(), connect().cursor()
    cursor.execute("CREATE OR REPLACE WAREHOUSE ONE_PLACE MAX_CONCURRENCY_LEVEL = 1")
    assert cursor.execute("CALL COUNT_T()").fetchone() == (1,)  # type: ignore[union-attr]
    cursor.execute("CREATE OR REPLACE TABLE LOCKED AS SELECT 1::NUMBER AS N")
    other.execute("USE WAREHOUSE ONE_PLACE")
    cursor.execute("BEGIN")
    cursor.execute("UPDATE LOCKED SET N = 2")
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(other.execute, "UPDATE LOCKED SET N = N + 1")
        _wait_for(lambda: _shown(cursor, "ONE_PLACE")["running"] == 1)
        cursor.execute("UPDATE LOCKED SET N = N * 10")  # or both would wait for ever
        cursor.execute("COMMIT")
        blocked.result()
    assert cursor.execute("SELECT N FROM LOCKED").fetchall() == [(21,)]  # type: ignore[union-attr]


def test_a_warehouse_limits_how_long_its_statements_run(cursor: SnowflakeCursor) -> None:
    cursor.execute("CREATE OR REPLACE WAREHOUSE BRIEF STATEMENT_TIMEOUT_IN_SECONDS = 1")
    with pytest.raises(ProgrammingError, match="timeout of 1 second") as raised:
        cursor.execute("SELECT sleep(30)")
    assert raised.value.errno == 630


@pytest.mark.parametrize(("size", "workers"), [("XSMALL", 2), ("SMALL", 4), ("LARGE", 4)])
def test_the_size_is_the_number_of_workers(cursor: SnowflakeCursor, size: str, workers: int) -> None:
    cursor.execute(f"CREATE OR REPLACE WAREHOUSE SIZED WAREHOUSE_SIZE = {size}")
    rows = cursor.execute(
        "SELECT s.began, s.ended FROM (SELECT SEQ4() AS i FROM TABLE(GENERATOR(ROWCOUNT => 8))) g, "
        "TABLE(spans(g.i) OVER (PARTITION BY g.i)) s"
    ).fetchall()  # type: ignore[union-attr]
    assert len(rows) == 8
    assert max(sum(began <= moment < ended for began, ended in rows) for moment, _ in rows) == workers
