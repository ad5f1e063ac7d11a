"""A filled schema for the app's tests, and pages run by Streamlit's own simulator."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from snowflake.snowpark import Session
from streamlit.testing.v1 import AppTest
from warehouse_data import fill

from polynya.server.local import Warehouse

Open = Callable[..., AppTest]


def new_schema(warehouse: Warehouse) -> dict[str, Any]:
    """Parameters of a connection whose current schema is new and empty."""
    with Session.builder.configs(warehouse.connection_parameters).create() as opened:
        opened.sql("CREATE DATABASE IF NOT EXISTS TESTS").collect()
        name = f"APP_{uuid.uuid4().hex}".upper()
        opened.sql(f"CREATE SCHEMA TESTS.{name}").collect()
    return {**warehouse.connection_parameters, "database": "TESTS", "schema": name}


@pytest.fixture(scope="package")
def filled(warehouse: Warehouse) -> dict[str, Any]:
    """Parameters of a connection to a schema with all that the pages read."""
    parameters = new_schema(warehouse)
    with Session.builder.configs(parameters).create() as opened:
        fill(opened)
    return parameters


@pytest.fixture(scope="package")
def filled_session(filled: dict[str, Any]) -> Iterator[Session]:
    """A session in the filled schema."""
    opened = Session.builder.configs(filled).create()
    yield opened
    opened.close()


@pytest.fixture
def empty(warehouse: Warehouse) -> dict[str, Any]:
    """Parameters of a connection to an empty schema."""
    return new_schema(warehouse)


def _script(name: str) -> None:
    from importlib import import_module

    import_module(f"tripcast.app.views.{name}").page()


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Runs a page against a connection: ``open_page("plan", filled)``."""

    def run(name: str, parameters: dict[str, Any]) -> AppTest:
        lines = [f"{key} = {json.dumps(value)}" for key, value in parameters.items()]
        monkeypatch.setenv("SNOWFLAKE_CONNECTIONS", "\n".join(["[app]", *lines]))
        monkeypatch.setenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "app")
        st.cache_data.clear()
        st.cache_resource.clear()
        return AppTest.from_function(_script, default_timeout=60, kwargs={"name": name}).run()

    yield run
    st.cache_data.clear()
    st.cache_resource.clear()
