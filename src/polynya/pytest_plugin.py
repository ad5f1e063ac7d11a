"""Fixtures for tests of code that works on Snowflake: a warehouse of their own, and sessions on empty databases.

pytest imports this module in every run of whoever has Polynya installed, so nothing is imported here that takes time.
With ``--polynya-connection NAME`` the same tests run on that connection of connections.toml, and no server is started.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.snowpark import Session

    from polynya.server.local import Warehouse

_SCHEMA = "PUBLIC"


@dataclass(frozen=True, slots=True)
class Account:
    """A warehouse that runs already, by a connection of connections.toml.

    Args:
        connection_name: the file is found as every client finds it (SNOWFLAKE_HOME, else the user's).
    """

    connection_name: str

    @property
    def connection_parameters(self) -> dict[str, Any]:
        """For ``snowflake.connector.connect`` and ``Session.builder.configs``."""
        return {"connection_name": self.connection_name}

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which other processes' clients take the connection by default."""
        return {"SNOWFLAKE_DEFAULT_CONNECTION_NAME": self.connection_name}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all named ``--polynya-…``."""
    group = parser.getgroup("polynya", "Polynya, a warehouse on one machine")
    group.addoption(
        "--polynya-connection",
        metavar="NAME",
        help="Run on this connection of connections.toml, a Snowflake account for instance; no server is started.",
    )
    group.addoption(
        "--polynya-database",
        metavar="NAME",
        help="Make schemas in this database, which exists, in place of a new database for each test.",
    )
    group.addoption(
        "--polynya-home",
        metavar="DIR",
        type=Path,
        help="Keep the warehouse in this folder; by default a temporary one. Each xdist worker has a folder in it.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuses options that contradict each other."""
    if config.getoption("--polynya-connection") and config.getoption("--polynya-home"):
        raise pytest.UsageError("--polynya-connection excludes --polynya-home: it names a warehouse that runs already.")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Says where tests run, unless it is a warehouse of their own."""
    name = config.getoption("--polynya-connection")
    return f"polynya: on the connection {name}" if name else None


@pytest.fixture(scope="session")
def polynya_warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse | Account]:
    """The warehouse of this run: ``connection_parameters`` for clients here, ``environment`` for those of other processes."""
    name = request.config.getoption("--polynya-connection")
    if name:
        yield Account(name)
        return
    from polynya.server.local import Warehouse

    home: Path | None = request.config.getoption("--polynya-home")
    worker: dict[str, Any] | None = getattr(request.config, "workerinput", None)
    if home is not None and worker is not None:
        home = home / worker["workerid"]
    with ExitStack() as stack:
        with _told("The warehouse cannot be started"):
            warehouse = stack.enter_context(Warehouse(home))
        yield warehouse


@pytest.fixture(scope="session")
def _polynya_empty(
    request: pytest.FixtureRequest, polynya_warehouse: Warehouse | Account
) -> Iterator[Callable[[], AbstractContextManager[dict[str, str]]]]:
    """Makes an empty database, or schema, as parameters of a connection, and drops it when its ``with`` block ends."""
    database: str | None = request.config.getoption("--polynya-database")
    advice = "" if database else " (a role without CREATE DATABASE needs --polynya-database NAME)"
    run, numbers = uuid.uuid4().hex[:8].upper(), count(1)
    owner = _connect(polynya_warehouse, {})

    @contextmanager
    def empty() -> Iterator[dict[str, str]]:
        name = f"PYTEST_{run}_{next(numbers)}"
        made = f"DATABASE {name}" if database is None else f"SCHEMA {database}.{name}"
        cursor = owner.cursor()
        with _told(f"CREATE {made} was refused{advice}"):
            cursor.execute(f"CREATE {made}")
        try:
            yield {"database": database or name, "schema": name if database else _SCHEMA}
        finally:
            cursor.execute(f"DROP {made.replace(' ', ' IF EXISTS ', 1)}")

    try:
        yield empty
    finally:
        owner.close()


@pytest.fixture(scope="session")
def polynya_new_session(
    polynya_warehouse: Warehouse | Account, _polynya_empty: Callable[[], AbstractContextManager[dict[str, str]]]
) -> Callable[[], AbstractContextManager[Session]]:
    """Opens Snowpark sessions, each on an empty database, for fixtures of a wider scope: ``with polynya_new_session() as session``."""

    @contextmanager
    def new_session() -> Iterator[Session]:
        with _polynya_empty() as place, _session(polynya_warehouse, place) as session:
            yield session

    return new_session


@pytest.fixture
def polynya_schema(_polynya_empty: Callable[[], AbstractContextManager[dict[str, str]]]) -> Iterator[str]:
    """The test's empty schema, ``DATABASE.SCHEMA``, in which ``polynya_session`` and ``polynya_connection`` work."""
    with _polynya_empty() as place:
        yield f"{place['database']}.{place['schema']}"


@pytest.fixture
def polynya_session(polynya_warehouse: Warehouse | Account, polynya_schema: str) -> Iterator[Session]:
    """A Snowpark session on an empty database, which is dropped after the test."""
    with _session(polynya_warehouse, _place(polynya_schema)) as session:
        yield session


@pytest.fixture
def polynya(polynya_session: Session) -> Session:
    """A Snowpark session on an empty database, which is dropped after the test: ``polynya_session`` by a shorter name."""
    return polynya_session


@pytest.fixture
def polynya_connection(polynya_warehouse: Warehouse | Account, polynya_schema: str) -> Iterator[SnowflakeConnection]:
    """A connection of the Python connector, on the same database as the test's ``polynya_session``."""
    opened = _connect(polynya_warehouse, _place(polynya_schema))
    yield opened
    opened.close()


def _place(schema: str) -> dict[str, str]:
    database, _, name = schema.partition(".")
    return {"database": database, "schema": name}


def _connect(warehouse: Warehouse | Account, place: dict[str, str]) -> SnowflakeConnection:
    with _told("Polynya's fixtures need the Snowflake connector, pip install snowflake-connector-python"):
        import snowflake.connector
    named = f"connection {warehouse.connection_name}" if isinstance(warehouse, Account) else "warehouse"
    with _told(f"The {named} cannot be opened"):
        return snowflake.connector.connect(**{**warehouse.connection_parameters, **place})


@contextmanager
def _session(warehouse: Warehouse | Account, place: dict[str, str]) -> Iterator[Session]:
    with _told("A Snowpark session needs Snowpark, pip install snowflake-snowpark-python"):
        from snowflake.snowpark import Session
    session = Session.builder.configs({**warehouse.connection_parameters, **place}).create()
    try:
        yield session
    finally:
        session.close()


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Ends the fixture with a text in place of a traceback when its block raises."""
    try:
        yield
    except Exception as error:
        raise pytest.fail.Exception(f"{what}: {error}", pytrace=False) from None
