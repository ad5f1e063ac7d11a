"""A server for the tests, and clients of it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Session

from polynya.server.local import Warehouse

DATABASE = "TESTS"
_schemas = itertools.count(1)


@pytest.fixture(autouse=True)
def _connector_as_imported() -> None:
    """Undoes what Streamlit does to the connector of the whole process.

    It sets another style of binds, and a level of logging at which errors' texts hold query ids.
    """
    snowflake.connector.paramstyle = "pyformat"
    for name in ("snowflake.connector", "snowflake.connector.errors"):
        logging.getLogger(name).setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def warehouse() -> Iterator[Warehouse]:
    """One server for all tests, on a free port, with a home of its own."""
    with Warehouse() as running:
        yield running


@pytest.fixture
def connect(warehouse: Warehouse) -> Iterator[Callable[..., SnowflakeConnection]]:
    """Opens connections to the server: ``connect(paramstyle="qmark")``. They are closed after the test."""
    opened: list[SnowflakeConnection] = []

    def open_one(**parameters: Any) -> SnowflakeConnection:
        client = snowflake.connector.connect(**{**warehouse.connection_parameters, **parameters})
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()


@pytest.fixture
def schema(connect: Callable[..., SnowflakeConnection]) -> str:
    """A new, empty schema: ``TESTS.S1``."""
    name = f"{DATABASE}.S{next(_schemas)}"
    cursor = connect().cursor()
    cursor.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    cursor.execute(f"CREATE SCHEMA {name}")
    return name


@pytest.fixture
def connection(connect: Callable[..., SnowflakeConnection], schema: str) -> SnowflakeConnection:
    """A connection whose current schema is new and empty."""
    database, _, name = schema.partition(".")
    return connect(database=database, schema=name)


@pytest.fixture
def session(warehouse: Warehouse, schema: str) -> Iterator[Session]:
    """A Snowpark session whose current schema is new and empty."""
    database, _, name = schema.partition(".")
    parameters = {**warehouse.connection_parameters, "database": database, "schema": name}
    opened = Session.builder.configs(parameters).create()
    yield opened
    opened.close()
