"""Trips for the tests: real ones where they lie beside the checkout, synthetic ones always."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from snowflake.snowpark import Session

from polynya.server.local import Warehouse
from tripcast.sources.synthetic import Generated, generate

REAL_TRIPS = Path(__file__).parents[3] / "shared" / "data" / "trips"


@pytest.fixture(scope="session")
def real_trips() -> Path:
    """The folder of the 41 published files."""
    if not REAL_TRIPS.is_dir():
        pytest.skip("no real trip files in ../shared/data/trips")
    return REAL_TRIPS


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Generated]:
    """A folder of synthetic files like the real ones, and what is in them."""
    folder = tmp_path_factory.mktemp("synthetic")
    return folder, generate(folder, trips=20_000, stations=12, seed=7)


@pytest.fixture(scope="module")
def shared_session(warehouse: Warehouse) -> Iterator[Session]:
    """A session in an empty schema for all tests of a module that leave nothing behind."""
    opened = Session.builder.configs(warehouse.connection_parameters).create()
    opened.sql("CREATE DATABASE IF NOT EXISTS TESTS").collect()
    opened.sql(f"CREATE OR REPLACE SCHEMA TESTS.SHARED_{uuid.uuid4().hex}").collect()
    yield opened
    opened.close()
