"""Users and roles for tests of who may enter and what they see."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error

from polynya.server.local import Warehouse

_people = itertools.count(1)
PASSWORD = "Correct-Horse-7"


@dataclass(frozen=True)
class Person:
    """A user with a role of the same number."""

    name: str
    role: str


Login = Callable[..., SnowflakeConnection]


@pytest.fixture
def person(connection: SnowflakeConnection) -> Iterator[Person]:
    """A user with a password and a role of their own, which may use the test's schema."""
    number = next(_people)
    found = Person(f"ACCESS_U{number}", f"ACCESS_R{number}")
    cursor = connection.cursor()
    cursor.execute(f"CREATE ROLE {found.role}")
    cursor.execute(f"CREATE USER {found.name} PASSWORD = '{PASSWORD}' DEFAULT_ROLE = {found.role}")
    cursor.execute(f"GRANT ROLE {found.role} TO USER {found.name}")
    cursor.execute(f"GRANT USAGE ON DATABASE {connection.database} TO ROLE {found.role}")
    cursor.execute(f"GRANT USAGE ON SCHEMA {connection.database}.{connection.schema} TO ROLE {found.role}")
    yield found
    cursor.execute("USE ROLE accountadmin")
    cursor.execute(f"DROP USER IF EXISTS {found.name}")
    cursor.execute(f"DROP ROLE IF EXISTS {found.role}")


@pytest.fixture
def login(warehouse: Warehouse, connection: SnowflakeConnection) -> Iterator[Login]:
    """Opens connections with the test's schema: ``login(user="U", password="p")``."""
    opened: list[SnowflakeConnection] = []
    account = {
        name: value for name, value in warehouse.connection_parameters.items() if name not in ("password", "role")
    }

    def open_one(**parameters: Any) -> SnowflakeConnection:
        place = {"database": connection.database, "schema": connection.schema}
        client = snowflake.connector.connect(**{**account, **place, **parameters})
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()


@pytest.fixture
def reader(login: Login, person: Person) -> SnowflakeConnection:
    """The person's connection, without secondary roles."""
    client = login(user=person.name, password=PASSWORD)
    client.cursor().execute("USE SECONDARY ROLES NONE")
    return client


def rows(connection: SnowflakeConnection, *statements: str) -> list[tuple]:
    """Runs statements; the last one's rows."""
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    return cursor.fetchall()  # type: ignore[return-value]


def refused(connection: SnowflakeConnection, statement: str, code: int, text: str = "") -> None:
    """Expects an error of a code, with a text in it."""
    with pytest.raises(Error) as caught:
        connection.cursor().execute(statement)
    assert caught.value.errno == code, (statement, caught.value)
    assert text in str(caught.value.msg), caught.value
