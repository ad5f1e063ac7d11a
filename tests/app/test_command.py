"""How ``tripcast app`` tells Streamlit's client which connection to take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tripcast.connection import NoConnection, client_environment


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SNOWFLAKE_HOME", "SNOWFLAKE_CONNECTIONS", "SNOWFLAKE_DEFAULT_CONNECTION_NAME", "TRIPCAST_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLYNYA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connections.toml").write_text("[one]\nuser = 'a'\n[two]\nuser = 'b'\n")
    return tmp_path


def test_the_home_that_is_found_is_handed_on(home: Path) -> None:
    assert client_environment() == {"SNOWFLAKE_HOME": str(home), "SNOWFLAKE_DEFAULT_CONNECTION_NAME": "one"}
    assert client_environment("two")["SNOWFLAKE_DEFAULT_CONNECTION_NAME"] == "two"


def test_an_unknown_connection_is_named(home: Path) -> None:
    with pytest.raises(NoConnection, match="no connection 'three'; it has one, two"):
        client_environment("three")


def test_what_the_environment_says_is_left(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_HOME", "/elsewhere")
    assert client_environment() == {}
    assert client_environment("two") == {"SNOWFLAKE_DEFAULT_CONNECTION_NAME": "two"}


LEAVING = """
import time
import snowflake.connector
from types import SimpleNamespace
from snowflake.snowpark import Session
from polynya.server.local import Warehouse
from tripcast.app import warehouse
with Warehouse() as own:
    raw = snowflake.connector.connect(**own.connection_parameters)
    opened = lambda: Session.builder.configs({"connection": raw}).create()
    warehouse._session(SimpleNamespace(raw_connection=raw, session=opened))
"""


def test_the_app_ends_soon_although_the_warehouse_is_gone() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
