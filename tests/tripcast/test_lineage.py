"""Runs can be repeated bit by bit, retrained, explained; their models are stored and load back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from snowflake.snowpark import Session

from polynya.server.local import Warehouse
from tripcast import pipeline, plots
from tripcast.lineage import code, reproduce, runs
from tripcast.lineage.explain import Explained, explanations, find_station
from tripcast.lineage.reproduce import CannotReproduce
from tripcast.lineage.runs import CLONE, PRED, NoSuchRun, Run
from tripcast.report import write_report
from tripcast.setup import make_objects
from tripcast.sources.synthetic import generate
from tripcast.status import status

pytestmark = pytest.mark.timeout(600)
MODEL = "weekday_mean"


@pytest.fixture(scope="module")
def session(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("lineage")
    generate(folder, trips=5_000, first="2019-01", last="2019-07", stations=4, seed=5)
    with Session.builder.configs(warehouse.connection_parameters).create() as opened:
        opened.sql("CREATE DATABASE IF NOT EXISTS TESTS").collect()
        opened.sql("CREATE OR REPLACE SCHEMA TESTS.LINEAGE").collect()
        make_objects(opened)
        pipeline.load_trips(opened, pipeline.choose_trips(opened, folder, folder, print))
        yield opened


@pytest.fixture(scope="module")
def run(session: Session) -> Run:
    return pipeline.forecast(session, MODEL, 14, seed=3)


def test_a_run_is_written_down(session: Session, run: Run) -> None:
    stored = runs.find(session, run.model_id.upper().replace("_", "-"))
    assert stored == run
    assert (run.model, run.h, run.seed, run.kind) == (MODEL, 14, 3, "once")
    assert run.code_version == code.code_version()
    assert run.trips == session.table("TRIPS").count()
    answer = status(session)
    assert answer["forecast"] == {
        "model": MODEL, "cutoff": str(run.last_day), "h": 14, "stations": 4, "model_id": run.model_id,
    }  # fmt: skip
    assert answer["runs"] >= 1
    with pytest.raises(NoSuchRun, match=f"the newest are .*{run.model_id}"):
        runs.find(session, "nothing")


def test_reproduced_forecasts_are_equal_to_the_last_bit(
    session: Session, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.sql("DELETE FROM TRIPS WHERE DAY(STARTTIME) = 7").collect()  # what happens to TRIPS makes no difference
    done = reproduce.reproduce(session, run.model_id)
    assert (done.rows, done.equal, done.differ, done.missing, done.added) == (56, 56, 0, 0, 0)
    assert done.same
    # a forecast that was tampered with, by one bit, is found
    one = f"UPDATE {run.table(PRED)} SET FORECAST = FORECAST * (1 + 2.3e-16) WHERE H = 3 AND FORECAST > 0"
    session.sql(one).collect()
    session.sql(f"DELETE FROM {run.table(PRED)} WHERE H = 5").collect()
    done = reproduce.reproduce(session, run.model_id)
    assert (done.rows, done.differ > 0, done.added, done.same) == (52, True, 4, False)
    monkeypatch.setattr(reproduce, "code_version", lambda: "0.0.0+other")
    with pytest.raises(CannotReproduce, match=r"0\.0\.0\+other: use that version, or --anyway"):
        reproduce.reproduce(session, run.model_id)
    assert not reproduce.reproduce(session, run.model_id, anyway=True).same
    assert not session.sql("SHOW SCHEMAS LIKE 'REPRODUCE_%' IN DATABASE TESTS").collect()
    session.sql(f"ALTER TABLE {run.table(CLONE)} RENAME TO AWAY").collect()
    with pytest.raises(CannotReproduce, match=f"{run.table(CLONE)} is gone"):
        reproduce.reproduce(session, run.model_id, anyway=True)
    session.sql(f"ALTER TABLE AWAY RENAME TO {run.table(CLONE)}").collect()


def test_a_stored_model_forecasts_without_training(session: Session) -> None:
    cutoff = pipeline.forecast(session, MODEL, 7).last_day - timedelta(days=20)
    trained = pipeline.train(session, MODEL, cutoff)
    assert trained.last_day == cutoff
    assert session.table("MODELS").filter(f"MODEL_ID = '{trained.model_id}'").collect()[0]["CUTOFF"] == cutoff
    pipeline.forecast_by(session, trained.model_id, 7)
    rows = session.table("FORECAST").filter(f"MODEL_ID = '{trained.model_id}'").count()
    assert rows == 28
    with pytest.raises(ValueError, match="outside the days of the data"):
        pipeline.train(session, MODEL, cutoff + timedelta(days=400))


@pytest.mark.long
def test_models_that_saw_a_forgotten_ride_are_retrained(session: Session) -> None:
    run = pipeline.forecast(session, MODEL, 7)
    bike = session.sql("SELECT MIN(BIKEID) FROM TRIPS").collect()[0][0]
    done, new = pipeline.forget(session, bike=int(bike), retrain=True)
    assert run.model_id in done.models
    fresh = runs.find(session, new[run.model_id])
    assert (fresh.retrained_from, fresh.run_date, fresh.finished is not None) == (run.model_id, run.run_date, True)
    left = session.sql(f"SELECT COUNT(*) FROM {fresh.table(CLONE)} WHERE BIKEID = {bike}").collect()[0][0]
    assert left == 0
    told = reproduce.reproduce(session, run.model_id)
    assert told.forgotten > 0
    assert reproduce.reproduce(session, fresh.model_id).same


def test_evaluation_explanation_and_report(session: Session, run: Run, tmp_path: Path) -> None:
    scored = pipeline.backtest(session, ("seasonal_naive", MODEL), h=7, n_windows=3, step_size=7)
    assert len(scored.cutoffs) == 3
    answer = status(session)
    assert set(answer["models"]) == {"seasonal_naive", MODEL}
    for figures in answer["models"].values():
        for metric in ("wape", "mae", "rmse", "mase", "rmsse", "bias", "coverage_80", "coverage_95"):
            assert isinstance(figures[metric], float), metric
            assert isinstance(figures["usual"][metric], float), metric
    assert answer["champion"]["model"] in answer["models"]
    assert pipeline.learner_name(session, "champion") == answer["champion"]["model"]

    station, name = find_station(session, session.table("STATIONS").collect()[0]["STATION_NAME"].lower())
    found = explanations(session, station, model=MODEL)
    assert [row.station_name for row in found] == [name] * len(found)
    assert len(found) > 0
    with pytest.raises(LookupError, match="fits 4 stations"):
        find_station(session, "synthetic")
    with pytest.raises(LookupError, match="there is no station 'Atlantis'"):
        find_station(session, "Atlantis")

    pages = write_report(session, tmp_path / "out")
    assert [path.name for path in pages] == ["report.html", "comparison.png"]
    assert "SYNTHETIC" in pages[0].read_text()
    picture = plots.plot_forecast(session, MODEL, run.last_day, tmp_path / "forecast.png", "Trips")
    assert picture.stat().st_size > 20_000


def test_an_explanation_is_drawn(tmp_path: Path) -> None:
    found = Explained(
        "1", "Main St", "lightgbm", date(2020, 1, 1), date(2020, 1, 2), 12.0, 5.0, 20.0, None,
        {f"part {number}": (-1) ** number * 10 / (number + 1) for number in range(20)},
    )  # fmt: skip
    assert plots.plot_explanation(found, tmp_path / "explanation.png").stat().st_size > 10_000
