"""A Snowpark session from connections.toml.

The file is Snowflake's standard one (https://docs.snowflake.com/en/developer-guide/snowflake-cli/connecting/configure-connections),
so no code here knows whether it talks to Polynya or to Snowflake. Where the environment does not name a file, the home
that ``make demo`` keeps in the checkout (``.polynya``) is looked for.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from snowflake.snowpark import Session

from tripcast.names import DATABASE, SCHEMA

_HOME_FOLDER = ".polynya"
_FILE = "connections.toml"


class NoConnection(Exception):
    """There is no such connection; the text says what to do."""


def connections_file() -> Path | None:
    """The connections.toml to use; None where the client finds it by itself (the environment names it, or the default)."""
    if os.environ.get("SNOWFLAKE_HOME") or os.environ.get("SNOWFLAKE_CONNECTIONS"):
        return None
    here = Path.cwd()
    homes = [folder / _HOME_FOLDER for folder in (here, *here.parents)]
    homes.append(Path(sys.prefix).parent / _HOME_FOLDER)  # beside the virtual environment: the checkout
    if named := os.environ.get("POLYNYA_HOME"):
        homes.insert(0, Path(named))
    homes.append(Path.home() / _HOME_FOLDER)
    return next((home / _FILE for home in homes if (home / _FILE).is_file()), None)


def connect(name: str | None = None, database: str | None = DATABASE) -> Session:
    """Opens a session.

    Args:
        name: of the connection; by default TRIPCAST_CONNECTION, SNOWFLAKE_DEFAULT_CONNECTION_NAME, or the file's only one.
        database: made current if it exists already; None to leave that.

    Raises:
        NoConnection: no connection of that name, or it does not answer.
    """
    file, name = _chosen(name)
    options: dict[str, Any] = {} if file is None else {"connections_file_path": file}
    options["connection_name"] = name or "default"
    try:
        session = Session.builder.configs(options).create()
    except Exception as error:
        raise NoConnection(
            f"connection {options['connection_name']!r} cannot be opened: {_first_line(error)}. "
            "Is the warehouse running (polynya start), and is the connection in connections.toml?"
        ) from error
    if database is not None:
        use_database(session, database)
    return session


def client_environment(name: str | None = None) -> dict[str, str]:
    """Variables by which another process's Snowflake client finds the same connection by default.

    Args:
        name: as for ``connect``.

    Raises:
        NoConnection: there is no connection of that name.
    """
    file, name = _chosen(name)
    found = {} if name is None else {"SNOWFLAKE_DEFAULT_CONNECTION_NAME": name}
    return found if file is None else found | {"SNOWFLAKE_HOME": str(file.parent)}


def _chosen(name: str | None) -> tuple[Path | None, str | None]:
    """The file, None where the client finds it, and the name of the connection, None where nothing names one."""
    name = name or os.environ.get("TRIPCAST_CONNECTION") or os.environ.get("SNOWFLAKE_DEFAULT_CONNECTION_NAME")
    file = connections_file()
    if file is None:
        return None, name
    try:
        known = tomllib.loads(file.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise NoConnection(f"{file} cannot be read: {error}") from error
    name = name or ("default" if "default" in known else next(iter(known), "default"))
    if name not in known:
        raise NoConnection(f"{file} has no connection {name!r}; it has {', '.join(sorted(known)) or 'none'}")
    return file, name


def use_database(session: Session, database: str = DATABASE, schema: str = SCHEMA) -> bool:
    """Makes a database current; False if it does not exist."""
    found = session.sql(f"SHOW DATABASES LIKE '{database}'").collect()
    if not found:
        return False
    session.use_database(database)
    session.use_schema(schema)
    return True


def snowpark_connect(state_file: str = "./include/state.json") -> tuple[Session, dict[str, Any]]:
    """A session and the settings of a state file, as the guide's notebooks keep them.

    Args:
        state_file: JSON with ``connection_parameters`` (of a Snowpark session) and ``compute_parameters`` (warehouses).
    """
    state = json.loads(Path(state_file).read_text())
    session = Session.builder.configs(state["connection_parameters"]).create()
    session.use_warehouse(state["compute_parameters"]["default_warehouse"])
    return session, state


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")
