"""Trips for the tests: real ones where they lie beside the checkout, synthetic ones always."""

from __future__ import annotations

from pathlib import Path

import pytest

from tripcast.sources.synthetic import Generated, generate

REAL_TRIPS = Path(__file__).parents[3] / "shared" / "data" / "trips"


@pytest.fixture(scope="session")
def real_trips() -> Path:
    """The folder of the 41 published files."""
    if not REAL_TRIPS.is_dir():
        pytest.skip("no real trip files in ../shared/data/trips")
    return REAL_TRIPS


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Generated]:
    """A folder of synthetic files like the real ones, and what is in them."""
    folder = tmp_path_factory.mktemp("synthetic")
    return folder, generate(folder, trips=20_000, stations=12, seed=7)
