"""Airflow's own environment, which `make` installs beside the project's; without it these tests are skipped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

AIRFLOW = Path(sys.prefix) / "airflow" / "bin" / "python"


@pytest.fixture(scope="session")
def airflow_python() -> Path:
    """The Python that has Airflow."""
    if not AIRFLOW.with_name("airflow").is_file():
        pytest.skip(f"Airflow is not installed in {AIRFLOW.parent.parent} (make airflow)")
    return AIRFLOW
