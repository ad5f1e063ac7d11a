"""The fence around handlers as a client sees it; ``tests/runtime/test_fence.py`` tries all of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from polynya.runtime import fence
from polynya.server.local import Warehouse

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not fence.available().landlock or not fence.available().seccomp,
    reason="this system does not fence handlers",
)


def _function(connection: SnowflakeConnection, name: str, body: str, returns: str = "VARCHAR") -> None:
    code = "def run(x):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    connection.cursor().execute(
        f"CREATE OR REPLACE FUNCTION {name}(x VARCHAR) RETURNS {returns} LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
        f"HANDLER = 'run' AS $$\n{code}$$"
    )


def _value(connection: SnowflakeConnection, sql: str, *binds: Any) -> Any:
    return connection.cursor().execute(sql, binds).fetchone()[0]  # type: ignore[index,union-attr]


def test_a_handler_does_not_read_the_home(connection: SnowflakeConnection, warehouse: Warehouse) -> None:
    _function(
        connection,
        "peek",
        "import os\ntry:\n    return open(x).read(5)\nexcept OSError as error:\n    return 'refused'",
    )
    _function(
        connection,
        "list_names",
        "import os\ntry:\n    return str(os.listdir(x))\nexcept OSError:\n    return 'refused'",
    )
    home = warehouse.home.path
    files = [path for path in home.rglob("*") if path.is_file() and "tmp" not in path.relative_to(home).parts]
    assert any(path.name == "catalog.sqlite" for path in files)
    for path in [*files, home / "connections.toml"]:
        assert _value(connection, "SELECT peek(%s)", str(path)) == "refused"
    for folder in ("data", "stages", "results"):
        assert _value(connection, "SELECT list_names(%s)", str(home / folder)) == "refused"


def test_a_handler_has_a_tmp_of_its_own(connection: SnowflakeConnection) -> None:
    _function(
        connection, "hold", "open('/tmp/kept_by_a_handler', 'w').write(x)\nreturn open('/tmp/kept_by_a_handler').read()"
    )
    _function(connection, "look", "import os\nreturn str('kept_by_a_handler' in os.listdir('/tmp'))")
    assert _value(connection, "SELECT hold('mine')") == "mine"
    assert not Path("/tmp/kept_by_a_handler").exists()
    assert _value(connection, "SELECT look('')") == "False"


@pytest.mark.parametrize(
    "body",
    [
        "import socket\nsocket.create_connection(('127.0.0.1', 80))",
        "import urllib.request\nreturn urllib.request.urlopen('http://127.0.0.1/').read()",
        "import subprocess\nreturn subprocess.check_output(['id'], text=True)",
        "import os\nos.kill(os.getppid(), 9)",
        "open('/var/tmp/' + x, 'w')",
        "return open('/etc/passwd').read()",
    ],
)
def test_what_is_refused_is_an_error_of_the_handler(connection: SnowflakeConnection, body: str) -> None:
    _function(connection, "bad", body)
    cursor = connection.cursor()
    with pytest.raises(ProgrammingError) as raised:
        cursor.execute("SELECT bad('x')")
    assert raised.value.errno == 100357
    assert "Operation not permitted" in str(raised.value) or "Permission denied" in str(raised.value)
    assert cursor.execute("SELECT 1").fetchone() == (1,)  # type: ignore[union-attr]


def test_a_handler_does_not_see_the_servers_variables(
    connection: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    _function(connection, "var", "import os\nreturn str(sorted(os.environ)) + open('/proc/self/environ').read()")
    assert "AWS" not in _value(connection, "SELECT var('')")
