"""The pytest plugin, by runs of pytest on suites of others: those of its page, and what goes wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from polynya.server.local import Warehouse

pytest_plugins = "pytester"

PAGE = Path(__file__).resolve().parents[1] / "docs" / "pytest.md"
BLOCKS = re.findall(r"^```python\n# ([\w.]+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
FRESH = """
from snowflake.snowpark.context import get_active_session
import pytest

seen = []

@pytest.mark.parametrize("number", range(2))
def test_each_test_is_alone(polynya, polynya_session, polynya_connection, polynya_schema, polynya_new_session, number):
    assert polynya is polynya_session is get_active_session()
    polynya.sql("CREATE TABLE T AS SELECT 1 AS A").collect()
    polynya.sql("CREATE SCHEMA OTHER").collect()
    assert polynya_connection.cursor().execute("SELECT A FROM T").fetchall() == [(1,)]
    place = polynya_connection.cursor().execute("SELECT CURRENT_DATABASE() || '.' || CURRENT_SCHEMA()").fetchone()[0]
    assert place == polynya_schema and place not in seen
    for earlier in seen:
        assert polynya.sql(f"SHOW DATABASES LIKE '{earlier.split('.')[0]}'").collect() == []
    seen.append(place)
    with polynya_new_session() as second:
        assert second.sql("SHOW TABLES").collect() == []

def test_a_test_may_leave_its_session_in_any_state(polynya):
    polynya.sql("BEGIN").collect()
    polynya.sql("CREATE DATABASE IF NOT EXISTS LEFT_BY_PYTEST").collect()
    polynya.sql("DROP DATABASE LEFT_BY_PYTEST").collect()
    polynya.close()
"""


ABSENT = """
import sys
import pytest

@pytest.fixture
def without_snowpark(monkeypatch):
    monkeypatch.setitem(sys.modules, "snowflake.snowpark", None)

def test_without_snowpark(without_snowpark, polynya):
    pass
"""


def write(pytester: pytest.Pytester, name: str, code: str) -> None:
    """Writes a file; its folder is made."""
    path = pytester.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)


@pytest.fixture
def on_account(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options by which a run works on this run's warehouse, as on any account."""
    for name, value in warehouse.environment.items():
        monkeypatch.setenv(name, value)
    return ["--polynya-connection", "polynya"]


def test_the_page_s_tests_in_two_workers(pytester: pytest.Pytester) -> None:
    for name, code in BLOCKS:
        if name != "conftest.py":
            write(pytester, name, code)
    write(pytester, "test_fresh.py", FRESH)
    home = pytester.path / "kept"
    done = pytester.runpytest_subprocess("-n", "2", "--dist", "loadfile", "--polynya-home", str(home))
    done.assert_outcomes(passed=7)
    assert sorted(folder.name for folder in home.iterdir()) == ["gw0", "gw1"]
    assert not list(home.glob("*/server.json"))  # where a server listens: none is left


def test_on_an_account(pytester: pytest.Pytester, on_account: list[str]) -> None:
    """Also suites with a fixture ``session`` of their own, which the page points at the plugin in two ways."""
    conftests = [code for name, code in BLOCKS if name == "conftest.py"]
    for number, code in enumerate(conftests):
        write(pytester, f"suite{number}/conftest.py", code)
        one = f"def test_{number}(session): assert session.sql('SELECT 1').collect()[0][0] == 1"
        write(pytester, f"suite{number}/test_suite{number}.py", one)
    write(pytester, "test_fresh.py", FRESH)
    done = pytester.runpytest_subprocess(*on_account)
    done.assert_outcomes(passed=len(conftests) + 3)
    done.stdout.fnmatch_lines("polynya: on the connection polynya")


@pytest.fixture
def here(pytester: pytest.Pytester, warehouse: Warehouse) -> Callable[..., pytest.RunResult]:
    """Runs pytest in this process, which has imported the clients already, on this run's warehouse."""
    parameters = f"class Here:\n    connection_parameters = {warehouse.connection_parameters!r}\n"
    fixture = "@pytest.fixture(scope='session')\ndef polynya_warehouse():\n    return Here\n"
    write(pytester, "conftest.py", f"import pytest\n{parameters}\n{fixture}")
    return pytester.runpytest_inprocess


def test_in_a_database_that_exists(
    pytester: pytest.Pytester, here: Callable[..., pytest.RunResult], schema: str
) -> None:
    suite = FRESH.replace('    polynya.sql("CREATE SCHEMA OTHER").collect()\n', "")
    suite = suite.replace("DATABASES LIKE '{earlier.split('.')[0]}'", "SCHEMAS LIKE '{earlier.split('.')[1]}'")
    write(pytester, "test_fresh.py", suite)
    write(pytester, "test_absent.py", ABSENT)
    # in a process of its own: a session that another test has left open would also be an active one
    done = pytester.runpytest_subprocess("--polynya-database", schema.split(".")[0])
    done.assert_outcomes(passed=3, errors=1)
    done.stdout.fnmatch_lines("*Snowpark session needs Snowpark*pip install snowflake-snowpark-python*")


def test_a_database_that_does_not_exist(pytester: pytest.Pytester, here: Callable[..., pytest.RunResult]) -> None:
    write(pytester, "test_suite.py", "def test_one(polynya_schema): pass")
    done = here("--polynya-database", "NOWHERE")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ["CREATE SCHEMA NOWHERE.PYTEST_* was refused: *", "*'NOWHERE' does not exist or not authorized*"]
    )
    done.stdout.no_fnmatch_line("*another exception*")


def test_a_connection_that_does_not_exist(pytester: pytest.Pytester) -> None:
    write(pytester, "test_suite.py", "def test_one(polynya_connection): pass")
    done = pytester.runpytest_inprocess("--polynya-connection", "nowhere")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines("*connection nowhere cannot be opened*")
    done.stdout.no_fnmatch_line("*another exception*")


def test_options_that_contradict_each_other(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_inprocess("--polynya-connection", "a", "--polynya-home", "b")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines("*--polynya-connection excludes --polynya-home*")


def test_pytest_starts_as_quickly_with_it() -> None:
    """Whoever has Polynya installed has the plugin in every run."""
    code = "import sys, polynya.pytest_plugin; print([m for m in ('snowflake.connector', 'duckdb', 'pandas', 'sqlglot') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
