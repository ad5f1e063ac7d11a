"""The month as a task graph inside the warehouse, on few synthetic trips, by the real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from snowflake.snowpark import Session

from polynya.server.local import Warehouse
from tripcast import pipeline, tasks
from tripcast.lineage import runs
from tripcast.lineage.steps import STEPS
from tripcast.setup import make_objects
from tripcast.sources.choose import Chosen, in_months
from tripcast.sources.files import trip_files
from tripcast.sources.synthetic import generate

MODEL = "seasonal_naive"
pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def home(warehouse: Warehouse, tmp_path: Path) -> Iterator[tuple[Session, Path]]:
    """A session in a schema that was set up, and a folder of trip files."""
    session = Session.builder.configs(warehouse.connection_parameters).create()
    session.sql("CREATE DATABASE IF NOT EXISTS TESTS").collect()
    session.sql("CREATE OR REPLACE SCHEMA TESTS.TASK_GRAPH").collect()
    make_objects(session)
    generate(tmp_path, trips=2_000, first="2019-01", last="2019-04", stations=4, seed=5)
    yield session, tmp_path
    tasks.drop(session)
    session.close()


def _load(session: Session, folder: Path, first: str | None, last: str) -> None:
    pipeline.load_trips(session, Chosen(in_months(trip_files(folder), first, last), "", True))


@pytest.mark.long
def test_new_trips_become_a_forecast(home: tuple[Session, Path]) -> None:
    session, folder = home
    _load(session, folder, None, "2019-04")
    tasks.deploy(session, cron="0 0 1 1 *", zone="UTC", model=MODEL, h=5)
    told: list[str] = []
    tasks.run(session)
    assert tasks.wait(session, told.append, every=0.5) == "SUCCEEDED"
    done = runs.read(session)
    assert [(str(run.run_date), run.h, run.model) for run in done] == [("2019-05-01", 5, MODEL)]
    assert set(done[0].steps) == set(STEPS)
    assert done[0].finished is not None
    assert {line.split(":")[0].upper() for line in told} == {*tasks.STEPS, tasks.GRAPH}
    assert session.table("FLAT_FORECAST").count() > 0

    tasks.run(session)  # nothing is new
    assert tasks.wait(session, every=0.1) == "SKIPPED"
    assert len(runs.read(session)) == 1
    assert session.table(tasks.LOADED).count() == 4
