"""The environment of Airflow's processes in the tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tripcast.dags.standalone import DAGS


def environment(home: Path, connection: dict[str, Any]) -> dict[str, str]:
    """The environment of Airflow's processes, with the warehouse in a connections.toml.

    Args:
        home: an empty folder.
        connection: parameters of the warehouse's connection.
    """
    lines = [
        f"{key} = {value if isinstance(value, int) else chr(34) + str(value) + chr(34)}"
        for key, value in connection.items()
    ]
    (home / "connections.toml").write_text("\n".join(["[airflow]", *lines]))
    (home / "connections.toml").chmod(0o600)
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("SNOWFLAKE_", "TRIPCAST_", "AIRFLOW_"))
    }
    return kept | {
        "SNOWFLAKE_HOME": str(home),
        "TRIPCAST_CONNECTION": "airflow",
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
