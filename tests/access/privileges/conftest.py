"""A server of its own for access control: what is granted in it disturbs no other test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection

from polynya.server.local import Warehouse

DATABASE, SCHEMA = "ACC", "ACC.S"
PASSWORD = "Correct-horse-7"


@pytest.fixture(scope="session")
def guarded() -> Iterator[Warehouse]:
    """The server, with a database, a schema and two users who have no role but PUBLIC."""
    with Warehouse() as server:
        with snowflake.connector.connect(**server.connection_parameters) as connection:
            cursor = connection.cursor()
            for text in (f"CREATE DATABASE {DATABASE}", f"CREATE SCHEMA {SCHEMA}"):
                cursor.execute(text)
            for user in ("anna", "ben"):
                cursor.execute(f"CREATE USER {user} PASSWORD = '{PASSWORD}' DEFAULT_SECONDARY_ROLES = ()")
        yield server


@pytest.fixture(scope="session")
def as_user(guarded: Warehouse) -> Iterator[Callable[..., SnowflakeConnection]]:
    """Opens connections: ``as_user("anna", role="r")``; without a name the administrator's."""
    opened: list[SnowflakeConnection] = []

    def open_one(user: str = "", **parameters: Any) -> SnowflakeConnection:
        own = dict(guarded.connection_parameters)
        if user:
            own |= {"user": user, "password": PASSWORD}
            own.pop("role", None)
        client = snowflake.connector.connect(**{**own, **parameters})
        if user:
            client.cursor().execute("USE SECONDARY ROLES NONE")
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()
