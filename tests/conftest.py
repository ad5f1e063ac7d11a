"""A server for the tests, and clients of it.

The fixtures stand on Polynya's own pytest plugin. With ``--polynya-connection NAME`` (``make test SNOWFLAKE_CONNECTION=NAME``)
clients connect there, and the tests marked ``conformance`` can run: they work through a client alone, in a schema of their own.
"""

from __future__ import annotations

import itertools
import logging
import os
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Session

from polynya.pytest_plugin import Account
from polynya.server.local import Warehouse
from tests.hangs import report

DATABASE = "TESTS"
# What an account's database of this name must say, so that nobody's tables are replaced.
COMMENT = "of the tests of Polynya"
# Modules whose tests say what Snowflake does; those that ask for the warehouse itself are not among them, nor are modules
# that change users, roles or the account.
CONFORMANCE = (
    "dialect/test_long_literals.py",
    "procedures/test_calls.py",
    "procedures/test_failures.py",
    "procedures/test_sessions.py",
    "python/",
    "scripting/",
    "server/test_clients.py",
    "statements/test_copy_into_table.py",
    "statements/test_dml.py",
    "statements/test_functions.py",
    "statements/test_staged_queries.py",
    "statements/test_stages.py",
    "statements/test_tables.py",
    "statements/test_unload.py",
    "time_travel/test_clones.py",
    "time_travel/test_moments.py",
    "time_travel/test_snowpark.py",
    "tripcast/test_features.py",
    "tripcast/test_forecast.py",
    "tripcast/test_load.py",
)
# Beginnings of the names of tests that take long, beside those with the marker: whole stories by several processes, and
# the twins on real data. ``make test`` has to end within 25 minutes on two cores.
LONG = (
    "airflow/test_dags.py",
    "app/test_pages.py::test_ingest_runs_the_next_month",
    "backup/test_backup.py::test_backups_under_load_are_of_one_moment",
    "backup/test_backup.py::test_without_a_server_and_after_a_crash",
    "docs/test_consoles.py::test_console_example[docs/tripcast.md]",
    "docs/test_tutorials.py",
    "notebooks/test_notebooks.py::test_a_notebook_runs",
    "notebooks/test_notebooks.py::test_what_the_notebooks_leave",
    "storage/test_commits.py::test_sums_hold_beside_ddl",
    "test_pytest_plugin.py::test_the_page_s_tests_in_two_workers",
    "tripcast/test_cli.py::test_a_load_killed_at_any_moment",
    "tripcast/test_cli.py::test_rides_are_forgotten_by_command",
    "tripcast/test_cli.py::test_two_loads_at_once",
    "tripcast/test_features.py::test_the_whole_job_on_real_trips",
    "tripcast/test_forecast.py::test_the_whole_job_agrees_with_pandas_on_real_trips",
    "tripcast/test_lightgbm.py::test_accuracy_on_real_trips",
    "tripcast/test_lineage.py::test_a_stored_model_forecasts_without_training",
    "tripcast/test_lineage_forget.py::test_forgotten_rides_do_not_come_back",
    "tripcast/test_lineage_forget.py::test_rides_are_named",
    "tripcast/test_lineage_forget.py::test_what_cannot_be_forgotten",
    "tripcast/test_month.py::test_a_run_killed_anywhere",
    "tripcast/test_month.py::test_a_station_with_little_history",
    "tripcast/test_month.py::test_the_guides_flow",
    "tripcast/test_weather.py::test_central_park",
)
_HERE = Path(__file__).parent
_schemas = itertools.count(1)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the conformance tests, and skips the long ones unless they are asked for."""
    long_too = os.environ.get("TEST_LONG")
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        if name.startswith(LONG):
            item.add_marker(pytest.mark.long)
        if item.get_closest_marker("long") and not long_too:
            item.add_marker(pytest.mark.skip(reason="long: make test-long runs it"))
        fixtures = getattr(item, "fixturenames", ())
        stated = item.path.relative_to(_HERE).as_posix().startswith(CONFORMANCE)
        if stated and "polynya_warehouse" in fixtures and "warehouse" not in fixtures:
            item.add_marker(pytest.mark.conformance)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to the report of a test that ran out of time what its server was doing."""
    made = yield
    warehouse = getattr(item, "funcargs", {}).get("polynya_warehouse")
    if call.excinfo is not None and "pytest-timeout" in str(call.excinfo.value) and isinstance(warehouse, Warehouse):
        made.sections.insert(0, ("the server's threads", report(warehouse)))
    return made


@pytest.fixture(autouse=True)
def _connector_as_imported() -> None:
    """Undoes what Streamlit does to the connector of the whole process.

    It sets another style of binds, and a level of logging at which errors' texts hold query ids.
    """
    snowflake.connector.paramstyle = "pyformat"
    for name in ("snowflake.connector", "snowflake.connector.errors"):
        logging.getLogger(name).setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def warehouse(polynya_warehouse: Warehouse | Account) -> Warehouse:
    """One server for all tests, on a free port, with a home of its own."""
    if isinstance(polynya_warehouse, Account):
        pytest.skip("needs a server of its own, not a connection to one")
    return polynya_warehouse


@pytest.fixture
def connect(polynya_warehouse: Warehouse | Account) -> Iterator[Callable[..., SnowflakeConnection]]:
    """Opens connections to the server: ``connect(paramstyle="qmark")``. They are closed after the test."""
    opened: list[SnowflakeConnection] = []

    def open_one(**parameters: Any) -> SnowflakeConnection:
        client = snowflake.connector.connect(**{**polynya_warehouse.connection_parameters, **parameters})
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()


@pytest.fixture
def schema(polynya_warehouse: Warehouse | Account, connect: Callable[..., SnowflakeConnection]) -> Iterator[str]:
    """A new, empty schema: ``TESTS.S1``."""
    name = f"{DATABASE}.S{next(_schemas)}"
    cursor = connect().cursor()
    if not isinstance(polynya_warehouse, Account):  # a server of our own goes with all it holds
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        cursor.execute(f"CREATE SCHEMA {name}")
        yield name
        return
    cursor.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE} COMMENT = '{COMMENT}'")
    if not any(COMMENT in row for row in cursor.execute(f"SHOW DATABASES LIKE '{DATABASE}'").fetchall()):  # type: ignore[union-attr]
        pytest.exit(f"The account has a database {DATABASE} that is not of these tests: use another account.", 4)
    name += f"_{uuid.uuid4().hex[:8].upper()}"  # several runs may work there
    cursor.execute(f"CREATE SCHEMA {name}")
    yield name
    cursor.execute(f"DROP SCHEMA IF EXISTS {name}")


@pytest.fixture
def connection(connect: Callable[..., SnowflakeConnection], schema: str) -> SnowflakeConnection:
    """A connection whose current schema is new and empty."""
    database, _, name = schema.partition(".")
    return connect(database=database, schema=name)


@pytest.fixture
def session(polynya_warehouse: Warehouse | Account, schema: str) -> Iterator[Session]:
    """A Snowpark session whose current schema is new and empty."""
    database, _, name = schema.partition(".")
    parameters = {**polynya_warehouse.connection_parameters, "database": database, "schema": name}
    opened = Session.builder.configs(parameters).create()
    yield opened
    opened.close()
