"""Two warehouses: PROVIDER gives shares to CONSUMER."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from click.testing import CliRunner
from snowflake.connector.cursor import SnowflakeCursor

from polynya.cli import main
from polynya.server.local import Warehouse


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with Warehouse(tmp_path_factory.mktemp("provider") / "home", account="PROVIDER") as running:
        yield running


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory, provider: Warehouse) -> Iterator[Warehouse]:
    """Knows the provider."""
    with Warehouse(tmp_path_factory.mktemp("consumer") / "home", account="CONSUMER") as running:
        run("share", "add", "PROVIDER", "--from-home", provider.home.path, "--home", running.home.path)
        yield running


def run(*arguments: object) -> str:
    """Runs ``polynya ...``; its output."""
    answer = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert answer.exit_code == 0, answer.output
    return answer.output


@pytest.fixture
def cursor() -> Iterator[Callable[..., SnowflakeCursor]]:
    """Opens a cursor of a new session: ``cursor(warehouse, role="SYSADMIN")``."""
    opened = []

    def open_one(warehouse: Warehouse, **parameters: Any) -> SnowflakeCursor:
        client = snowflake.connector.connect(**{**warehouse.connection_parameters, **parameters})
        opened.append(client)
        return client.cursor()

    yield open_one
    for client in opened:
        client.close()


@pytest.fixture
def give(cursor: Callable[..., SnowflakeCursor], provider: Warehouse, tmp_path: Path) -> SnowflakeCursor:
    """A cursor of the provider in a new database D of its own, whose name is ``tmp_path.name``'s."""
    own = cursor(provider)
    name = tmp_path.name.upper()
    own.execute(f'CREATE DATABASE "{name}"')
    own.execute("CREATE TABLE kept_back (a INT)")
    own.execute("INSERT INTO kept_back VALUES (1), (2), (3)")
    return own
