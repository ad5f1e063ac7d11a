"""A client whose statements' ids are at hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor


class Client:
    """Runs statements; ``id`` is the last one's."""

    def __init__(self, cursor: SnowflakeCursor) -> None:
        self._cursor = cursor

    def __call__(self, sql: str) -> list[tuple]:
        return self._cursor.execute(sql).fetchall()  # type: ignore[union-attr,return-value]

    def run(self, sql: str) -> str:
        """Runs a statement; its query id."""
        self(sql)
        return self.id

    @property
    def id(self) -> str:
        assert self._cursor.sfqid is not None
        return self._cursor.sfqid


@pytest.fixture
def client(connection: SnowflakeConnection) -> Client:
    """A client whose current schema is new and empty."""
    return Client(connection.cursor())


@pytest.fixture
def another(connect: Callable[..., SnowflakeConnection], schema: str) -> Callable[[], Client]:
    """Makes more clients of the same schema."""
    database, _, name = schema.partition(".")
    return lambda: Client(connect(database=database, schema=name).cursor())
