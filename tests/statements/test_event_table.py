"""SNOWFLAKE.TELEMETRY.EVENTS through a client: what handlers print and log can be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

FUNCTION = """
CREATE OR REPLACE FUNCTION speak(x INT) RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'run' AS $$
import logging
import sys

logger = logging.getLogger("shop.till")

def run(x):
    print("printed", x)
    print("to stderr", file=sys.stderr)
    logger.debug("a detail")
    logger.info("an item %s", x, extra={"item": x})
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("it failed")
    return x
$$
"""

COLUMNS = [
    "TIMESTAMP", "START_TIMESTAMP", "OBSERVED_TIMESTAMP", "TRACE", "RESOURCE", "RESOURCE_ATTRIBUTES", "SCOPE",
    "SCOPE_ATTRIBUTES", "RECORD_TYPE", "RECORD", "RECORD_ATTRIBUTES", "VALUE", "EXEMPLARS",
]  # fmt: skip


def _rows(connection: SnowflakeConnection, sql: str) -> list[Any]:
    return list(connection.cursor().execute(sql).fetchall())  # type: ignore[union-attr]


def _said(connection: SnowflakeConnection, call: str) -> list[tuple[str, str, str]]:
    """(scope, severity, text) of what a statement's handlers wrote."""
    cursor = connection.cursor()
    cursor.execute(call)
    return [
        tuple(row)
        for row in _rows(
            connection,
            "SELECT scope:name::string, record:severity_text::string, value::string FROM snowflake.telemetry.events "
            f"WHERE resource_attributes:\"snow.query.id\" = '{cursor.sfqid}' ORDER BY timestamp",
        )
    ]


INFO = [
    ("stdout", "INFO", "printed 7"),
    ("stderr", "ERROR", "to stderr"),
    ("shop.till", "INFO", "an item 7"),
    ("shop.till", "ERROR", "it failed"),
]


def test_what_a_handler_writes_can_be_read(connection: SnowflakeConnection) -> None:
    connection.cursor().execute(FUNCTION)
    assert _said(connection, "SELECT speak(7)") == INFO


def test_the_columns_are_snowflakes(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(FUNCTION)
    cursor.execute("SELECT speak(3)")
    query = cursor.sfqid
    cursor.execute(
        f"SELECT * FROM snowflake.telemetry.events WHERE resource_attributes:\"snow.query.id\" = '{query}' "
        "AND value = 'it failed'"
    )
    assert [column[0] for column in cursor.description] == COLUMNS
    row = dict(zip(COLUMNS, cursor.fetchone(), strict=True))  # type: ignore[arg-type]
    resource, record = json.loads(row["RESOURCE_ATTRIBUTES"]), json.loads(row["RECORD"])
    attributes = json.loads(row["RECORD_ATTRIBUTES"])
    assert row["RECORD_TYPE"] == "LOG"
    assert row["TIMESTAMP"] == row["OBSERVED_TIMESTAMP"]
    assert row["TIMESTAMP"].tzinfo is None
    assert record == {"severity_number": 17, "severity_text": "ERROR"}
    assert json.loads(row["VALUE"]) == "it failed"
    assert resource["snow.database.name"] == "TESTS"
    assert resource["snow.schema.name"] == connection.schema
    assert resource["snow.executable.name"] == "SPEAK(X NUMBER):NUMBER(38,0)"
    assert resource["snow.executable.type"] == "FUNCTION"
    assert resource["db.user"] == connection.user
    assert resource["telemetry.sdk.language"] == "python"
    assert attributes["exception.type"] == "ZeroDivisionError"
    assert attributes["exception.message"] == "division by zero"
    assert attributes["code.function"] == "run"


def test_extra_values_are_attributes(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(FUNCTION)
    cursor.execute("SELECT speak(5)")
    found = _rows(
        connection,
        'SELECT record_attributes:item::int FROM snowflake.telemetry.events WHERE resource_attributes:"snow.query.id" = '
        f"'{cursor.sfqid}' AND value = 'an item 5'",
    )
    assert found == [(5,)]


@pytest.mark.parametrize(
    ("session", "function", "texts"),
    [
        (None, None, ["printed 7", "to stderr", "an item 7", "it failed"]),
        ("OFF", None, []),
        ("FATAL", None, []),
        ("ERROR", None, ["to stderr", "it failed"]),
        ("DEBUG", None, ["printed 7", "to stderr", "a detail", "an item 7", "it failed"]),
        (None, "ERROR", ["to stderr", "it failed"]),
        ("OFF", "ERROR", ["to stderr", "it failed"]),
        ("INFO", "ERROR", ["printed 7", "to stderr", "an item 7", "it failed"]),
    ],
)
def test_log_level(
    connection: SnowflakeConnection, session: str | None, function: str | None, texts: list[str]
) -> None:
    """The more verbose one of the session's and the function's level holds."""
    cursor = connection.cursor()
    cursor.execute(FUNCTION)
    if session:
        cursor.execute(f"ALTER SESSION SET LOG_LEVEL = {session}")
    if function:
        cursor.execute(f"ALTER FUNCTION speak(INT) SET LOG_LEVEL = '{function}'")
    assert [text for _, _, text in _said(connection, "SELECT speak(7)")] == texts


def test_log_level_of_a_schema(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(FUNCTION)
    cursor.execute(f"ALTER SCHEMA {connection.schema} SET LOG_LEVEL = ERROR")
    assert [text for _, _, text in _said(connection, "SELECT speak(7)")] == ["to stderr", "it failed"]


def test_a_handler_may_set_its_own_level(connection: SnowflakeConnection) -> None:
    connection.cursor().execute(FUNCTION.replace("def run", "logger.setLevel(logging.DEBUG)\n\ndef run"))
    assert ("shop.till", "DEBUG", "a detail") in _said(connection, "SELECT speak(7)")


def test_a_wrong_level_is_refused(connection: SnowflakeConnection) -> None:
    with pytest.raises(ProgrammingError) as raised:
        connection.cursor().execute("ALTER SESSION SET LOG_LEVEL = LOUD")
    assert raised.value.errno == 1008


def test_a_procedure_writes_too(connection: SnowflakeConnection) -> None:
    connection.cursor().execute(
        "CREATE OR REPLACE PROCEDURE act() RETURNS VARCHAR LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
        "PACKAGES = ('snowflake-snowpark-python') HANDLER = 'run' AS $$\n"
        "def run(session):\n    print('rows:', session.sql('SELECT 1').count())\n    return 'done'\n$$"
    )
    assert ("stdout", "INFO", "rows: 1") in _said(connection, "CALL act()")


def test_the_account_has_one_event_table(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("ALTER ACCOUNT SET EVENT_TABLE = snowflake.telemetry.events")
    rows = _rows(connection, "SHOW PARAMETERS LIKE 'event_table' IN ACCOUNT")
    assert rows[0][1] == "snowflake.telemetry.events"
    with pytest.raises(ProgrammingError, match="EVENT_TABLE other than") as raised:
        cursor.execute("ALTER ACCOUNT SET EVENT_TABLE = tests.public.mine")
    assert raised.value.errno == 2


def test_the_table_can_be_described(connection: SnowflakeConnection) -> None:
    rows = _rows(connection, "DESCRIBE TABLE snowflake.telemetry.events")
    assert [row[0] for row in rows] == COLUMNS
    assert {row[0]: row[1] for row in rows}["VALUE"] == "VARIANT"
