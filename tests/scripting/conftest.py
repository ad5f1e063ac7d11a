"""Running blocks.

``run``, ``value`` and ``refused`` work in a new schema; ``compute`` and ``fail`` are for blocks that leave nothing behind
and share a connection, which is quicker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from polynya.server.local import Warehouse

Rows = list[tuple[Any, ...]]
Refusal = tuple[int, str, str]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Callable[[str], Rows]:
    """Runs a statement; answers its rows."""
    return lambda text: _rows(connection, text)


@pytest.fixture
def value(connection: SnowflakeConnection) -> Callable[[str], Any]:
    """Runs a block; answers what it returns."""
    return lambda text: _rows(connection, text)[0][0]


@pytest.fixture
def refused(connection: SnowflakeConnection) -> Callable[[str], Refusal]:
    """Runs a statement that fails; answers its number, SQLSTATE and text."""
    return lambda text: _refusal(connection, text)


@pytest.fixture(scope="module")
def shared(warehouse: Warehouse) -> Iterator[SnowflakeConnection]:
    """A connection for the tests of a module, with a schema."""
    with snowflake.connector.connect(**warehouse.connection_parameters) as client:
        client.cursor().execute("CREATE DATABASE IF NOT EXISTS blocks")
        client.cursor().execute("CREATE OR REPLACE SCHEMA blocks.scratch")
        yield client


@pytest.fixture
def compute(shared: SnowflakeConnection) -> Callable[[str], Any]:
    """As ``value``, for a block that leaves nothing behind."""
    return lambda text: _rows(shared, text)[0][0]


@pytest.fixture
def fail(shared: SnowflakeConnection) -> Callable[[str], Refusal]:
    """As ``refused``, for a block that leaves nothing behind."""
    return lambda text: _refusal(shared, text)


def _rows(connection: SnowflakeConnection, text: str) -> Rows:
    return connection.cursor().execute(text).fetchall()  # type: ignore[union-attr,return-value]


def _refusal(connection: SnowflakeConnection, text: str) -> Refusal:
    with pytest.raises(ProgrammingError) as raised:
        connection.cursor().execute(text)
    error = raised.value
    return error.errno or 0, error.sqlstate or "", str(error.raw_msg)
