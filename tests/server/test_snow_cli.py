"""The ``snow`` command line against a server.

It wants other versions of its libraries than Snowpark does, so ``make`` installs it into an environment of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

from polynya.server.local import Warehouse

SNOW = Path(sys.prefix) / "snow" / "bin" / "snow"

pytestmark = pytest.mark.skipif(
    not SNOW.exists(), reason=f"{SNOW} is missing: make installs it, if the package registry has it"
)


class Snow:
    """The command line with a connection ``polynya``, whose current schema is the test's own."""

    def __init__(self, warehouse: Warehouse, schema: str, folder: Path) -> None:
        self.database, _, self.schema = schema.partition(".")
        given = warehouse.environment
        home = folder / "snowflake"  # a copy: the command line writes beside the file
        shutil.copytree(given["SNOWFLAKE_HOME"], home, ignore=lambda _, names: set(names) - {"connections.toml"})
        home.chmod(0o700)
        self._environment = {**os.environ, **given, "SNOWFLAKE_HOME": str(home), "HOME": str(folder)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs it as typed, with the connection's name."""
        place = ["--database", self.database, "--schema", self.schema]
        command = [str(SNOW), *arguments, "-c", "polynya", *place]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120)

    def answer(self, *arguments: str) -> Any:
        """What a command answers that must succeed."""
        done = self.run(*arguments, "--format", "json")
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
        return json.loads(done.stdout)


@pytest.fixture
def snow(warehouse: Warehouse, schema: str, tmp_path: Path) -> Snow:
    return Snow(warehouse, schema, tmp_path)


def test_connection(snow: Snow) -> None:
    tested = snow.answer("connection", "test")
    assert tested["Status"] == "OK"
    assert tested["Database"] == snow.database


def test_sql(snow: Snow) -> None:
    assert snow.answer("sql", "-q", "SELECT 1 AS one, 'a' AS b") == [{"ONE": 1, "B": "a"}]
    several = snow.answer("sql", "-q", "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2); SELECT sum(a) s FROM t")
    assert several[-1] == [{"S": 3}]


def test_sql_that_fails(snow: Snow) -> None:
    done = snow.run("sql", "-q", "SELECT * FROM missing")
    assert done.returncode != 0
    assert "MISSING" in done.stdout + done.stderr and "does not exist" in done.stdout + done.stderr


def test_objects(snow: Snow, connection: SnowflakeConnection) -> None:
    connection.cursor().execute(f"CREATE TABLE {snow.database}.{snow.schema}.listed (a INT)")
    listed = snow.answer("object", "list", "table", "--in", "schema", snow.schema)
    assert [row["name"] for row in listed] == ["LISTED"]


def test_stage_up_and_down(snow: Snow, connection: SnowflakeConnection, tmp_path: Path) -> None:
    connection.cursor().execute(f"CREATE STAGE {snow.database}.{snow.schema}.files")
    source, target = tmp_path / "some.csv", tmp_path / "down"
    source.write_text("a,b\n1,2\n")
    target.mkdir()
    uploaded = snow.answer("stage", "copy", str(source), "@files/in")
    assert [row["status"] for row in uploaded] == ["UPLOADED"]
    assert [row["name"] for row in snow.answer("stage", "list-files", "@files")] == ["files/in/some.csv"]
    snow.answer("stage", "copy", "@files/in", str(target))
    assert (target / "some.csv").read_text() == source.read_text()
