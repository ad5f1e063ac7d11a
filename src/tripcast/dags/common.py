"""What the DAGs share: assets, when a task is tried again, parameters. Nothing heavy is imported: Airflow reads it often."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule

# by the names of the tables that they stand for
TRIPS = Asset(name="TRIPCAST.PUBLIC.TRIPS", uri="x-tripcast://TRIPCAST/PUBLIC/TRIPS")
FORECAST = Asset(name="TRIPCAST.PUBLIC.FLAT_FORECAST", uri="x-tripcast://TRIPCAST/PUBLIC/FLAT_FORECAST")

# wrong wishes stay wrong: only what time may mend (a network, a server that starts) is tried again
DEFAULT_ARGS: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "execution_timeout": timedelta(hours=6),
    "retry_policy": ExceptionRetryPolicy([RetryRule(ValueError, RetryAction.FAIL)]),
}
FOLDER = "TRIPCAST_TRIPS"

TRIPS_PARAM = Param(
    None,
    type=["null", "string"],
    title="Folder of trip files",
    description=f"On Airflow's machine. Empty: that of {FOLDER}, else the published files.",
)


def folder_of(params: Any) -> Path | None:
    """The folder of trip files that a run was given, else that of the environment."""
    named = params["trips"] or os.environ.get(FOLDER)
    return Path(named).expanduser() if named else None
