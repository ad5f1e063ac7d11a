"""Writes docs/configuration.md, the reference of what can be set, from the code that reads it.

The texts are here, the names and defaults come from the code: a name without a text, or a text without a name, is an error.

Example: python docs/generate_configuration.py
"""

from __future__ import annotations

import ast
import re
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from polynya.catalog.parameters import DEFAULTS, OBJECT_DEFAULTS, Parameter
from polynya.home import Home, create

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "configuration.md"

VARIABLES = {
    "POLYNYA_HOME": "the warehouse's folder, where no `--home` is given; `tripcast` looks there for `connections.toml` first",
    "SNOWFLAKE_HOME": "the folder of `connections.toml` for all Snowflake clients; `polynya env` sets it. `tripcast` then "
    "looks nowhere else",
    "SNOWFLAKE_DEFAULT_CONNECTION_NAME": "the connection that clients take; `polynya env` sets it to `polynya`",
    "SNOWFLAKE_CONNECTIONS": "connections as text, which clients take before any file; `polynya env` unsets it",
    "TRIPCAST_CONNECTION": "the connection that `tripcast` takes, where no `--connection` is given",
    "TRIPCAST_HOLIDAYS": "whose public holidays count, `US` (the default), `DE-BE`: a country, or one of its states too",
    "TRIPCAST_DATABASE": "the database of `tripcast` in place of `TRIPCAST`, where several share an account",
    "TRIPCAST_TRIPS": "the folder of trip files that the app's page *Ingest* offers",
    "AIRFLOW_API_…": "`URL`, `USER` and `PASSWORD` or `TOKEN`, `DAG`: the Airflow that runs the months of the app's page *Ingest*",
    "LD_LIBRARY_PATH": "folders of libraries that Python handlers may read too",
}

# The system's own, used as everywhere.
_SYSTEM = {"NO_PROXY", "PATH"}

CONNECTION = {
    "account": "the account's name; another one by `polynya init --account`",
    "user": "the administrator",
    "password": "random, made by `init`; it stands nowhere else",
    "host": "where the server listens; `polynya start --host` changes it",
    "port": "where the server listens; the first free one from 8585, or `polynya init --port`",
    "protocol": "`http`, or `https` after `polynya start --tls`",
    "role": "what a session begins with",
    "warehouse": "what a session begins with",
}

MAKE = {
    "PYTHON": "the Python that `.venv` is made with",
    "TRIPS": "`make demo`, `make notebooks`: your folder of trip files",
    "WEATHER": "`make demo`, `make notebooks`: your file of daily weather (GHCN)",
    "TABNET": "`make demo`: anything but empty compares the guide's TabNet too",
    "TESTS": "`make test`: which tests",
    "SNOWFLAKE_CONNECTION": "`make test`: the conformance tests on this connection instead of the whole suite",
    "PORT": "`make app`: the app's port",
    "AIRFLOW_PORT": "`make airflow`: Airflow's port",
    "DATABASE": "`make notebooks`: the database that the notebooks work in",
    "PORT_DOCS": "`make docs-serve`: the site's port",
}

# What a session parameter does here.
SESSION = {
    "AUTOCOMMIT": "whether a statement outside of a transaction commits by itself",
    "BINARY_INPUT_FORMAT": "how text becomes BINARY",
    "BINARY_OUTPUT_FORMAT": "how BINARY becomes text",
    "CLIENT_TELEMETRY_ENABLED": "false, as nobody reads what clients would send",
    "DATE_INPUT_FORMAT": "dates in files that are loaded",
    "DATE_OUTPUT_FORMAT": "how dates become text",
    "ERROR_ON_NONDETERMINISTIC_MERGE": "whether MERGE of one row with several is an error",
    "ERROR_ON_NONDETERMINISTIC_UPDATE": "whether UPDATE of one row by several is an error",
    "JSON_INDENT": "how deep JSON of a result is indented",
    "LOCK_TIMEOUT": "seconds that a statement waits for a table which another transaction changes",
    "LOG_LEVEL": "from which severity on events of handlers are kept",
    "MULTI_STATEMENT_COUNT": "how many statements one text may hold; 0 for any number",
    "POLYNYA_PYTHON_MEMORY_MB": "megabytes that a worker may hold while it runs a handler; at least 256",
    "POLYNYA_PYTHON_PACKAGE_VERSIONS": "`STRICT`: PACKAGES must fit what is installed; `INSTALLED`: the installed versions are taken",
    "POLYNYA_PYTHON_TIMEOUT_SECONDS": "seconds for one batch of rows or one partition of a Python function; 0 for no limit",
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "results for the Python connector as Arrow or JSON",
    "QUERY_TAG": "what the query history shows of statements to come",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": "whether names in double quotes are taken as upper case",
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": "seconds that a statement may wait for a place in its warehouse; 0 for no limit",
    "STATEMENT_TIMEOUT_IN_SECONDS": "seconds that a statement may take",
    "TIMEZONE": "the zone of TIMESTAMP_LTZ and of what is read without a zone",
    "TIMESTAMP_INPUT_FORMAT": "how text becomes a timestamp, and timestamps in files",
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": "how TIMESTAMP_LTZ becomes text; empty: as TIMESTAMP_OUTPUT_FORMAT",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "how TIMESTAMP_NTZ becomes text",
    "TIMESTAMP_OUTPUT_FORMAT": "how timestamps become text",
    "TIMESTAMP_TYPE_MAPPING": "which type TIMESTAMP is",
    "TIMESTAMP_TZ_OUTPUT_FORMAT": "how TIMESTAMP_TZ becomes text; empty: as TIMESTAMP_OUTPUT_FORMAT",
    "TIME_INPUT_FORMAT": "times in files that are loaded",
    "TIME_OUTPUT_FORMAT": "how times become text",
    "TWO_DIGIT_CENTURY_START": "the first of the hundred years that two digits mean",
    "WEEK_OF_YEAR_POLICY": "which week is a year's first",
    "WEEK_START": "the first day of a week; 0 as ISO 8601 has it",
}
# What a parameter of the account, a database, a schema, a table or a function does here.
OBJECTS = {
    "DATA_RETENTION_TIME_IN_DAYS": "days that time travel and UNDROP reach back; at most 90",
    "DEFAULT_PYTHON_ARTIFACT_REPOSITORY": "what Snowpark's client is told of a schema's packages",
    "EVENT_TABLE": "where events go; no other one can be set",
    "LOG_LEVEL": "from which severity on events of handlers are kept",
    "MAX_DATA_EXTENSION_TIME_IN_DAYS": "days for which changes that a stream has not read are kept beyond that",
    "MIN_DATA_RETENTION_TIME_IN_DAYS": "the account's: no object keeps its past for less",
    "NETWORK_POLICY": "the account's: from which addresses those users come in who have no policy of their own",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": "the account's: whether names in double quotes are taken as upper case",
    "SUSPEND_TASK_AFTER_NUM_FAILURES": "after so many failures in a row a task is suspended; 0 for never",
    "USER_TASK_TIMEOUT_MS": "milliseconds that a run of a task may take",
}
# A client's own, which it is told at login.
_CLIENTS = ("CLIENT_", "PYTHON_", "JDBC_")
# Modules that know names of parameters without doing what they say.
_TABLES = {
    "catalog/parameters.py",
    "server/parameters.py",
    "statements/show/parameters.py",
    "statements/routine_properties.py",
}
# Named in the code for another purpose: an option of file formats, one of tasks that is kept and shown.
_OTHERWISE = {"REPLACE_INVALID_CHARACTERS", "USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE"}


def page() -> str:
    """The page's text.

    Raises:
        ValueError: a name has no text, or a text no name; it says which.
    """
    variables = _complete("environment variable", VARIABLES, environment_variables())
    keys = _complete("key of connections.toml", CONNECTION, _connection_keys())
    make = _complete(
        "variable of make", MAKE, re.findall(r"^([A-Z_]+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    read = _read_parameters()
    for texts, known in ((SESSION, DEFAULTS), (OBJECTS, OBJECT_DEFAULTS)):
        _complete("parameter", texts, known.keys() & read)
    return "\n".join(
        [
            "# Configuration",
            "",
            "Written by `docs/generate_configuration.py` from the code that reads it: there is nothing else to set. The options of",
            "commands are under [command lines](cli.md); a server has no file of settings.",
            "",
            "## Environment variables",
            "",
            "An empty variable counts as none.",
            "",
            *_table(("variable", "says"), variables.items()),
            "",
            "Python handlers see none of the server's variables but those of language, time zone and Python's own paths.",
            "",
            "## connections.toml",
            "",
            "Snowflake's own file; `polynya init` writes the connection `polynya` into the one of the warehouse's home, mode 600. Other",
            "connections in it stay, and every key that Snowflake's clients know can be added.",
            "",
            *_table(("key", "is"), keys.items()),
            "",
            "`tripcast` takes the file of SNOWFLAKE_HOME or SNOWFLAKE_CONNECTIONS if one is set, else the first of `$POLYNYA_HOME`, `.polynya` in the",
            "current folder or one above it, `.polynya` beside the virtual environment, and `~/.polynya`; if none has one, the client's own.",
            "In the file it takes the connection of `--connection`, TRIPCAST_CONNECTION or SNOWFLAKE_DEFAULT_CONNECTION_NAME, else `default`, else the first.",
            "",
            "## Session parameters",
            "",
            "`ALTER SESSION SET` for a session, `ALTER ACCOUNT SET` and `ALTER USER ... SET` for all sessions to come; `SHOW PARAMETERS` lists them. Those that",
            "begin with `POLYNYA_` Snowflake does not have.",
            "",
            *_parameters(DEFAULTS, SESSION),
            "",
            "## Parameters of objects",
            "",
            "Of the account, a database, a schema, a table or a function; the nearest one counts.",
            "",
            *_parameters(OBJECT_DEFAULTS, OBJECTS),
            "",
            "## Kept without effect",
            "",
            "They can be set and are shown. Clients read their own and act by them, the server does not.",
            "",
            f"- Clients': {_listed(name for name in DEFAULTS if name not in SESSION and name.startswith(_CLIENTS))}",
            f"- Sessions': {_listed(name for name in DEFAULTS if name not in SESSION and not name.startswith(_CLIENTS) and not DEFAULTS[name].fixed)}",
            f"- Objects': {_listed(name for name in OBJECT_DEFAULTS if name not in OBJECTS and name not in SESSION and not OBJECT_DEFAULTS[name].fixed)}",
            "",
            f"Refused with another value than the default, with error 000002: {_listed(name for name, parameter in {**DEFAULTS, **OBJECT_DEFAULTS}.items() if parameter.fixed)}.",
            "",
            "Any other name is refused with error 001420, but for names that begin as switches of Snowflake's own clients do",
            "(`ENABLE_`, `FEATURE_`, `CLIENT_` and the like).",
            "",
            "## make",
            "",
            "As in `make demo TRIPS=./trips`.",
            "",
            *_table(("variable", "is for"), make.items()),
            "",
        ]
    )  # fmt: skip


def environment_variables() -> set[str]:
    """The names of variables that the code reads, by name or by a constant of the same module."""
    found = {
        name for file in _sources("polynya", "tripcast") for name in _environment_names(ast.parse(file.read_text()))
    }
    return found - _SYSTEM


def _environment_names(tree: ast.Module) -> Iterator[str]:
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        asked: list[ast.expr] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
            asked = node.args[:1]
        elif (
            isinstance(node, ast.Subscript)
            and ast.unparse(node.value) == "os.environ"
            and isinstance(node.ctx, ast.Load)
        ):
            asked = [node.slice]
        for expression in asked:
            if isinstance(expression, ast.JoinedStr):  # many variables of one beginning
                yield f"{ast.literal_eval(expression.values[0])}…"
                continue
            name = constants.get(expression.id) if isinstance(expression, ast.Name) else None
            value = expression.value if isinstance(expression, ast.Constant) else name
            if isinstance(value, str):
                yield value


def _connection_keys() -> list[str]:
    """What ``polynya init`` writes."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        create(home)
        return list(tomllib.loads(home.connections.read_text())["polynya"])


def _read_parameters() -> set[str]:
    """Parameters that the server's code names outside of its tables, as text or by a constant of ``catalog.parameters``."""
    names = DEFAULTS.keys() | OBJECT_DEFAULTS.keys()
    found = set()
    for file in _sources("polynya"):
        if file.relative_to(ROOT / "src" / "polynya").as_posix() in _TABLES:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names:
                found.add(node.value)
            elif isinstance(node, ast.ImportFrom) and node.module == "polynya.catalog.parameters":
                found |= {f"POLYNYA_{alias.name}" for alias in node.names} & names
    return found - _OTHERWISE


def _sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / "src" / package).rglob("*.py"))


def _complete(kind: str, texts: Mapping[str, str], names: Iterable[str]) -> Mapping[str, str]:
    wanted = set(names)
    if missing := sorted(wanted - texts.keys()):
        raise ValueError(f"docs/generate_configuration.py has no text for the {kind} {', '.join(missing)}")
    if gone := sorted(texts.keys() - wanted):
        raise ValueError(f"docs/generate_configuration.py describes the {kind} {', '.join(gone)}, which no code reads")
    return texts


def _parameters(known: Mapping[str, Parameter], texts: Mapping[str, str]) -> list[str]:
    rows = [(name, _default(known[name]), text) for name, text in sorted(texts.items())]
    return _table(("parameter", "default", "sets"), rows)


def _default(parameter: Parameter) -> str:
    if parameter.value == "":
        return "empty"
    return f"`{str(parameter.value).lower() if isinstance(parameter.value, bool) else parameter.value}`"


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    body = [f"| {' | '.join((f'`{first}`', *others))} |" for first, *others in rows]
    return [f"| {' | '.join(heading)} |", "| " + " | ".join("---" for _ in heading) + " |", *body]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    TARGET.write_text(page())
