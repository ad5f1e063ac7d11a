"""The monthly taskflow: what it leaves, months loaded twice, refusals, and kills at any moment."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from snowflake.snowpark import Session
from snowflake.snowpark._internal.server_connection import ServerConnection
from trip_rows import old, write_old

from polynya.server.local import Warehouse
from tripcast import pipeline, taskflow
from tripcast.lineage import runs
from tripcast.lineage.runs import PREFIXES, Run
from tripcast.lineage.steps import STEPS
from tripcast.setup import make_objects
from tripcast.sources.choose import Chosen, in_months
from tripcast.sources.files import trip_files
from tripcast.sources.formats import BadFile
from tripcast.sources.synthetic import generate

MODEL = "seasonal_naive"
FIRST, LAST = "2019-01", "2019-08"
MONTHS = ("2019-07", "2019-08")
pytestmark = pytest.mark.timeout(1200)
_schemas = itertools.count(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("months")
    generate(made, trips=6_000, first=FIRST, last=LAST, stations=6, seed=11)
    return made


@pytest.fixture(scope="module")
def home(warehouse: Warehouse) -> Iterator[Callable[..., Session]]:
    """Opens sessions, each in a new schema that was set up, or in the one that is named."""
    opened: list[Session] = []

    def make(place: str | None = None) -> Session:
        session = Session.builder.configs(warehouse.connection_parameters).create()
        opened.append(session)
        if place:
            session.use_schema(place)
            return session
        session.sql("CREATE DATABASE IF NOT EXISTS TESTS").collect()
        session.sql(f"CREATE SCHEMA TESTS.MONTHS_{next(_schemas)}").collect()
        make_objects(session)
        return session

    yield make
    for session in opened:
        session.close()


@pytest.fixture(scope="module")
def undisturbed(home: Callable[..., Session], folder: Path) -> tuple[Session, list[Run]]:
    """A session after a replay of MONTHS, and its runs."""
    session = home()
    return session, list(pipeline.replay(session, MONTHS[0], MONTHS[-1], folder, model=MODEL))


def frame(session: Session, table: str, *keys: str) -> pd.DataFrame:
    """A table without what differs between equal runs."""
    rows = session.table(table).to_pandas()
    rows = rows.drop(columns=[name for name in rows if name.endswith("MODEL_ID")])
    return rows.sort_values(list(keys)).reset_index(drop=True)


SHARED = {
    "FORECAST": ("CUTOFF", "STATION_ID", "DAY"),
    "FLAT_FORECAST": ("RUN_DATE", "STATION_ID", "DAY"),
    "FLAT_EVAL": ("RUN_DATE", "STATION_ID"),
    "DRIFT": ("RUN_DATE", "DAY"),
    "STATION_DAYS": ("STATION_ID", "DAY"),
}


def check_equal(session: Session, found: list[Run], other: Session, wanted: list[Run]) -> None:
    for table, keys in SHARED.items():
        pd.testing.assert_frame_equal(
            frame(session, table, *keys), frame(other, table, *keys), check_exact=True, obj=table
        )
    for one, two in zip(found, wanted, strict=True):
        for prefix, keys in (
            ("PRED", ("STATION_ID", "DAY")),
            ("EVAL", ("STATION_ID",)),
            ("FEATURE", ("STATION_ID", "DAY")),
        ):
            left, right = (frame(place, run.table(prefix), *keys) for place, run in ((session, one), (other, two)))
            pd.testing.assert_frame_equal(left, right, check_exact=True, obj=one.table(prefix))
        assert settled(one) == settled(two)


def settled(run: Run) -> dict[str, Any]:
    """What of a run's row must not depend on how it came about."""
    metrics = json.loads(json.dumps(dict(run.metrics)))
    (metrics.get("evaluated") or {}).pop("model_id", None)
    return {
        "run_date": run.run_date, "steps": run.steps, "trips": run.trips, "to": run.data_to, "metrics": metrics,
        "finished": run.finished is not None, "code": run.code_version,
    }  # fmt: skip


# --- what it leaves ---------------------------------------------------------------------------------------------------


def test_a_month_leaves_tagged_tables(undisturbed: tuple[Session, list[Run]]) -> None:
    session, done = undisturbed
    there = {row["name"] for row in session.sql("SHOW TABLES").collect()}
    for run in done:
        own = {run.table(prefix) for prefix in PREFIXES if prefix != "WEATHER"}
        assert own <= there
        for table in own:
            tag = session.sql(f"SELECT SYSTEM$GET_TAG('MODEL_ID_TAG', '{table}', 'TABLE')").collect()[0][0]
            assert tag == run.model_id
    schemas = session.sql("SHOW SCHEMAS LIKE 'RUN_%' IN DATABASE TESTS").collect()
    assert not schemas


def test_each_run_sees_nothing_after_its_month(undisturbed: tuple[Session, list[Run]]) -> None:
    session, done = undisturbed
    assert [run.run_date for run in done] == [date(2019, 8, 1), date(2019, 9, 1)]
    assert [run.data_to for run in done] == [date(2019, 7, 31), date(2019, 8, 31)]
    for run in done:
        days = session.sql(f"SELECT MAX(DAY), MIN(DAY) FROM {run.table('FEATURE')}").collect()[0]
        assert days[0] == run.data_to
        rows = session.sql(f"SELECT MIN(DAY), MAX(DAY), MIN(H), MAX(H) FROM {run.table('PRED')}").collect()[0]
        assert (rows[0], rows[2], rows[3]) == (run.run_date, 1, 30)


def test_the_month_before_is_scored(undisturbed: tuple[Session, list[Run]]) -> None:
    session, done = undisturbed
    assert session.table(done[0].table("EVAL")).count() == 0
    pred = session.table(done[0].table("PRED")).to_pandas()
    came = session.table("STATION_DAYS").to_pandas()
    both = pred.merge(came, on=["STATION_ID", "DAY"])
    error = both["FORECAST"] - both["TRIPS"].astype(float)
    rows = session.table(done[1].table("EVAL")).to_pandas()
    overall = rows[rows["STATION_ID"].isna()].iloc[0]
    assert overall["EVALUATED_MODEL_ID"] == done[0].model_id
    assert overall["N"] == len(both)
    assert overall["MAE"] == pytest.approx(error.abs().mean())
    assert overall["MSE"] == pytest.approx((error**2).mean())
    assert overall["WAPE"] == pytest.approx(error.abs().sum() / both["TRIPS"].astype(float).sum())
    assert overall["NAIVE_WAPE"] == pytest.approx(overall["WAPE"])  # the model is seasonal naive itself
    assert set(rows["STATION_ID"].dropna()) == set(both["STATION_ID"])
    assert session.table("FLAT_EVAL").filter("STATION_ID IS NOT NULL AND STATION_NAME IS NULL").count() == 0
    assert session.sql("SELECT COUNT(DISTINCT DAY) FROM DRIFT").collect()[0][0] == 31


def test_a_month_run_twice_changes_nothing(undisturbed: tuple[Session, list[Run]], folder: Path) -> None:
    session, done = undisturbed
    before = {table: frame(session, table, *keys) for table, keys in SHARED.items()}
    again = pipeline.month(session, MONTHS[1], folder, model=MODEL)
    assert again.model_id == done[1].model_id
    for table, keys in SHARED.items():
        pd.testing.assert_frame_equal(frame(session, table, *keys), before[table], check_exact=True)
    assert len(runs.read(session)) == len(done)
    assert not session.sql("SHOW SCHEMAS LIKE 'RUN_%' IN DATABASE TESTS").collect()


@pytest.mark.long
def test_a_replay_over_loaded_trips_is_the_same(
    home: Callable[..., Session], undisturbed: tuple[Session, list[Run]], folder: Path
) -> None:
    """Whether later months are loaded already makes no difference."""
    session = home()
    pipeline.load_trips(session, pipeline.choose_trips(session, folder, folder, print))
    found = list(pipeline.replay(session, MONTHS[0], MONTHS[-1], folder, model=MODEL))
    check_equal(session, found, *undisturbed)


# --- kills ------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process had ended here."""


def test_a_run_killed_anywhere_ends_as_if_it_had_not_been(
    home: Callable[..., Session],
    undisturbed: tuple[Session, list[Run]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first month is killed at statements here and there, the second before and after each step is noted."""
    session = home()
    place = session.get_fully_qualified_current_schema()
    earlier = in_months(trip_files(folder), None, "2019-06")
    pipeline.load_trips(session, Chosen(earlier, "", True))
    count, limit = 0, 0
    run_query, note = ServerConnection.run_query, runs.note

    def counted(self: ServerConnection, *arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count >= limit:  # once dead it stays dead
            raise Killed
        return run_query(self, *arguments, **named)

    for limit in (20, 38, 55, 25, 70):  # noqa: B007  read by ``counted``
        count = 0
        with monkeypatch.context() as patched:
            patched.setattr(ServerConnection, "run_query", counted)
            with pytest.raises(Killed):
                pipeline.month(session, MONTHS[0], folder, model=MODEL)
        session = home(place)
    found = [pipeline.month(session, MONTHS[0], folder, model=MODEL)]

    due = [(when, step) for step in STEPS for when in ("before", "after")]

    def killing(session: Session, run: Run, step: str, last: bool = False) -> Run:
        if due and due[0] == ("before", step):
            due.pop(0)
            raise Killed
        noted = note(session, run, step, last)
        if due and due[0] == ("after", step):
            due.pop(0)
            raise Killed
        return noted

    monkeypatch.setattr(runs, "note", killing)
    while len(found) < len(MONTHS):
        try:
            found.append(pipeline.month(session, MONTHS[1], folder, model=MODEL))
        except Killed:
            session = home(place)
    assert due == []
    check_equal(session, found, *undisturbed)
    assert not session.sql("SHOW SCHEMAS LIKE 'RUN_%' IN DATABASE TESTS").collect()


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_run_is_refused(home: Callable[..., Session], folder: Path, tmp_path: Path) -> None:
    session = home()
    coming = f"{date.today().year + 1}-01"
    with pytest.raises(ValueError, match=f"{coming} is not over"):
        pipeline.month(session, coming, folder)
    with pytest.raises(ValueError, match="no trip file of 2017-01 in"):
        pipeline.month(session, "2017-01", folder)
    with pytest.raises(BadFile):
        pipeline.month(session, "2017-01", tmp_path)
    write_old(
        tmp_path / "JC-201905-citibike-tripdata.csv", old(start="2019-04-01 10:00:00", stop="2019-04-01 10:10:00")
    )
    with pytest.raises(ValueError, match="no trip in 2019-05"):
        pipeline.month(session, "2019-05", tmp_path)
    with pytest.raises(ValueError, match="is before"):
        list(pipeline.replay(session, "2019-05", "2019-04", folder))
    with pytest.raises(ValueError, match="write it as 2020_04_01"):
        taskflow.new_state("April")
    assert runs.read(session) == []


def test_a_station_with_little_history_does_not_stop_the_others(home: Callable[..., Session], tmp_path: Path) -> None:
    """Three days of history, one trip a year ago, a day with 100 times the trips: each has a forecast or none, no crash."""
    session = home()
    lines = []
    for day in pd.date_range("2019-01-01", "2019-03-31"):
        usual = [
            old(start=f"{day:%Y-%m-%d} 10:00:0{n}", stop=f"{day:%Y-%m-%d} 11:00:00", bike=str(n)) for n in range(3)
        ]
        lines += usual * 1
        if day >= pd.Timestamp("2019-03-29"):
            lines.append(
                old(start=f"{day:%Y-%m-%d} 12:00:00", stop=f"{day:%Y-%m-%d} 12:10:00", station="9", name="Young")
            )
    lines.append(old(start="2019-01-01 12:00:00", stop="2019-01-01 12:10:00", station="8", name="Closed"))
    lines += [
        old(
            start=f"2019-02-01 13:{n // 60:02d}:{n % 60:02d}",
            stop="2019-02-01 15:00:00",
            bike=str(500 + n),
            station="7",
            name="Wild",
        )
        for n in range(300)
    ]
    lines += [old(start=f"{day:%Y-%m-%d} 13:00:00", stop=f"{day:%Y-%m-%d} 15:00:00", station="7", name="Wild", bike="9")
              for day in pd.date_range("2019-02-02", "2019-03-31")]  # fmt: skip
    write_old(tmp_path / "JC-201903-citibike-tripdata.csv", *lines)
    run = pipeline.month(session, "2019-03", tmp_path, model="lightgbm", parameters={})
    rows = session.table(run.table("PRED")).to_pandas()
    assert set(rows["STATION_ID"]) == {"3183", "9", "7"}
    assert rows.groupby("STATION_ID").size().tolist() == [30, 30, 30]
    assert (rows["FORECAST"] >= 0).all()


def test_the_guides_flow_runs_by_its_names(warehouse: Warehouse, folder: Path, tmp_path: Path) -> None:
    """Each task opens its own session, as in a scheduler."""
    files = [path for path in sorted(folder.iterdir()) if "201901" in path.name or "201902" in path.name]
    for path in files:
        shutil.copy(path, tmp_path)
    schema = f"MONTHS_{next(_schemas)}"
    with Session.builder.configs(warehouse.connection_parameters).create() as session:
        session.sql("CREATE DATABASE IF NOT EXISTS TESTS").collect()
        session.sql(f"CREATE SCHEMA TESTS.{schema}").collect()
        make_objects(session)
    settings = {
        "connection_parameters": {**warehouse.connection_parameters, "database": "TESTS", "schema": schema},
        "download_base_url": tmp_path.as_uri(),
        "model": MODEL,
    }
    names = [path.name for path in tmp_path.iterdir() if path.suffix in (".zip", ".csv")]
    state = taskflow.citibikeml_monthly_taskflow(names, "2019_03_01", settings)
    assert state["pred_table_name"].upper() == f"PRED_{state['model_id']}".upper()
    with Session.builder.configs(settings["connection_parameters"]).create() as session:
        for kind in ("clone", "feature", "forecast", "pred", "eval"):
            assert session.table(state[f"{kind}_table_name"]).columns
        assert session.table(state["flat_forecast_table"]).count() > 0
