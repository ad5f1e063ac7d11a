"""The command line, as its users type it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click import Group
from click.testing import CliRunner

from polynya.cli import main

COMMANDS = sorted(main.commands)


@dataclass
class Answer:
    returncode: int
    stdout: str
    stderr: str


def polynya(*arguments: str, home: Path | None = None, **environment: str) -> Answer:
    """Runs a command: in this process, except for ``sql``, whose connector keeps what it read of the environment."""
    words = [*arguments, *(["--home", str(home)] if home is not None else [])]
    if arguments[0] != "sql":
        result = CliRunner().invoke(main, words, env=environment)
        return Answer(result.exit_code, result.stdout, result.stderr)
    done = subprocess.run(
        [sys.executable, "-m", "polynya", *words], capture_output=True, text=True, timeout=60, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with a warehouse in it; its server, if one was started, is stopped."""
    path = tmp_path / "home"
    assert polynya("init", home=path).returncode == 0
    yield path
    polynya("stop", home=path)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose server runs."""
    path = tmp_path_factory.mktemp("cli") / "home"
    assert polynya("init", home=path).returncode == 0
    assert polynya("start", "--port", "0", home=path).returncode == 0
    yield path
    polynya("stop", home=path)


def status_of(home: Path) -> dict:
    return json.loads(polynya("status", "--json", home=home).stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    answer = CliRunner().invoke(main, [command, "--help"])
    assert answer.exit_code == 0
    assert "Example: " in answer.output
    assert "--home" in answer.output or isinstance(main.commands[command], Group)


def test_init_makes_what_it_should(home: Path) -> None:
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    connections = home / "connections.toml"
    assert stat.S_IMODE(connections.stat().st_mode) == 0o600
    connection = tomllib.loads(connections.read_text())["polynya"]
    assert connection["user"] == "ADMIN"
    assert len(connection["password"]) >= 24
    assert connection["host"] == "127.0.0.1"


def test_init_touches_nothing_else(tmp_path: Path) -> None:
    user = tmp_path / "user"
    user.mkdir()
    assert polynya("init", HOME=str(user), POLYNYA_HOME="").returncode == 0
    assert [path.name for path in user.iterdir()] == [".polynya"]


def test_home_by_environment(tmp_path: Path) -> None:
    assert polynya("init", POLYNYA_HOME=str(tmp_path / "there")).returncode == 0
    assert (tmp_path / "there" / "catalog.sqlite").exists()


def test_second_init_is_refused(home: Path) -> None:
    before = (home / "connections.toml").read_text()
    answer = polynya("init", home=home)
    assert answer.returncode == 1
    assert "already" in answer.stderr and "polynya start" in answer.stderr
    assert (home / "connections.toml").read_text() == before


def test_init_leaves_other_peoples_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "connections.toml").write_text("mine")
    answer = polynya("init", home=tmp_path)
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert (tmp_path / "connections.toml").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["connections.toml"]


@pytest.mark.parametrize("command", ["start", "stop", "sql", "env"])
def test_without_a_warehouse_one_line_says_what_to_do(tmp_path: Path, command: str) -> None:
    answer = polynya(command, home=tmp_path / "none")
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert "polynya init" in answer.stderr


def test_status_without_a_warehouse(tmp_path: Path) -> None:
    answer = polynya("status", "--json", home=tmp_path / "none")
    assert answer.returncode == 3
    assert json.loads(answer.stdout)["initialized"] is False


def test_start_status_stop(home: Path) -> None:
    assert polynya("status", home=home).returncode == 3
    began = time.monotonic()
    assert polynya("start", "--port", "0", home=home).returncode == 0
    assert time.monotonic() - began < 20  # 2 s on a quiet machine: the benchmark measures it
    status = status_of(home)
    assert status["running"] is True
    assert status["port"] == tomllib.loads((home / "connections.toml").read_text())["polynya"]["port"]
    again = polynya("start", home=home)
    assert (again.returncode, "running already" in again.stdout) == (0, True)
    assert polynya("stop", home=home).returncode == 0
    assert polynya("status", home=home).returncode == 3
    stopped = polynya("stop", home=home)
    assert (stopped.returncode, stopped.stdout) == (0, "No server runs.\n")


def test_sql(running: Path) -> None:
    answer = polynya("sql", "SELECT 1 AS a, 'x' AS b", home=running)
    assert answer.stdout.splitlines() == ["A | B", "--+--", "1 | x", "1 row"]
    answer = polynya("sql", "--json", "SELECT 1 AS a; SELECT NULL AS b", home=running)
    assert [json.loads(line) for line in answer.stdout.splitlines()] == [{"A": 1}, {"B": None}]


def test_sql_that_fails(running: Path) -> None:
    answer = polynya("sql", "SELECT * FROM", home=running)
    assert answer.returncode == 1
    assert "syntax error" in answer.stderr


def test_sql_without_a_server(home: Path) -> None:
    answer = polynya("sql", "SELECT 1", home=home)
    assert answer.returncode == 1
    assert "polynya start" in answer.stderr


def test_killed_server_starts_again(home: Path) -> None:
    assert polynya("start", "--port", "0", home=home).returncode == 0
    os.kill(status_of(home)["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 5
    while status_of(home)["running"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert polynya("status", home=home).returncode == 3
    assert polynya("start", home=home).returncode == 0
    assert status_of(home)["sessions"] == 0


def test_two_servers_never_share_a_home(running: Path) -> None:
    answer = polynya("start", "--foreground", "--port", "0", home=running)
    assert answer.returncode == 1
    assert "running already" in answer.stderr
    assert status_of(running)["running"] is True


def test_taken_port(home: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = polynya("start", "--port", str(taken.getsockname()[1]), home=home)
    assert answer.returncode == 1
    assert "--port" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_env_leads_clients_to_the_connection(running: Path) -> None:
    exports = polynya("env", home=running).stdout
    program = (
        "from snowflake.snowpark import Session\n"
        "session = Session.builder.config('connection_name', 'polynya').create()\n"
        "print(session.sql('SELECT 1 AS a').collect())\n"
    )
    answer = subprocess.run(
        ["bash", "-c", exports + f'\n"{sys.executable}" -W error::UserWarning -c "$PROGRAM"'],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PROGRAM": program}, check=False,
    )  # fmt: skip
    assert answer.stdout == "[Row(A=1)]\n", answer.stderr


def test_tls(home: Path) -> None:
    assert polynya("start", "--port", "0", "--tls", home=home).returncode == 0
    status = status_of(home)
    assert status["url"].startswith("https://")
    assert status["sessions"] == 0
    exports = polynya("env", home=home).stdout
    program = (
        "import snowflake.connector\n"
        "client = snowflake.connector.connect(connection_name='polynya')\n"
        "print(client.cursor().execute('SELECT 1').fetchall())\n"
    )
    for variables, works in ((exports, True), ("\n".join(exports.splitlines()[:2]), False)):
        answer = subprocess.run(
            ["bash", "-c", variables + f'\n"{sys.executable}" -c "$PROGRAM"'],
            capture_output=True, text=True, timeout=60, env={**os.environ, "PROGRAM": program}, check=False,
        )  # fmt: skip
        assert (answer.stdout == "[(1,)]\n") is works, answer.stderr
    polynya("stop", home=home)
    assert polynya("start", home=home).returncode == 0  # as last time
    assert status_of(home)["url"] == status["url"]
    assert polynya("sql", "SELECT 1", home=home).returncode == 0


def test_other_connections_in_the_file_stay(home: Path) -> None:
    file = home / "connections.toml"
    file.write_text(file.read_text() + '\n[mine]\naccount = "x"\n\n[polynya_too]\naccount = "y"\n')
    assert polynya("start", "--port", "0", home=home).returncode == 0
    connections = tomllib.loads(file.read_text())
    assert connections["mine"] == {"account": "x"}
    assert connections["polynya_too"] == {"account": "y"}
    assert connections["polynya"]["port"] == status_of(home)["port"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
