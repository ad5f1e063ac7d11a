"""Stations, station-days, forecast and backtest in the warehouse against the same by pandas."""

from __future__ import annotations

import math
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F
from test_load import load_folder
from trip_rows import new, old, write_new, write_old

from tripcast import pipeline
from tripcast.features.station_days import day_range
from tripcast.models import LEARNERS
from tripcast.plots import plot_forecast
from tripcast.setup import make_objects
from tripcast.sources.synthetic import Generated
from tripcast.status import status
from tripcast.training.backtest import backtest, cutoffs_of
from tripcast.training.evaluate import build_eval
from tripcast.training.forecast import build_forecast

NAIVE = LEARNERS["seasonal_naive"]


@pytest.fixture
def trips(session: Session) -> Session:
    make_objects(session)
    return session


# --- the oracle: pandas on the files themselves -----------------------------------------------------------------------


def files_as_frame(folder: Path) -> pd.DataFrame:
    """START, ID, NAME, KIND of each distinct trip of a folder."""
    frames = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [name for name in archive.namelist() if not name.startswith("__MACOSX")]
                frames += [pd.read_csv(archive.open(name), dtype=str) for name in members]
        elif path.suffix == ".csv":
            frames.append(pd.read_csv(path, dtype=str))
    old_rows = pd.concat([frame for frame in frames if "bikeid" in frame]).drop_duplicates()
    new_rows = pd.concat([frame for frame in frames if "ride_id" in frame]).drop_duplicates("ride_id")
    columns = ["START", "ID", "NAME", "KIND"]
    first = old_rows[["starttime", "start station id", "start station name", "usertype"]].set_axis(columns, axis=1)
    second = new_rows[["started_at", "start_station_id", "start_station_name", "member_casual"]].set_axis(
        columns, axis=1
    )
    rows = pd.concat([first, second], ignore_index=True)
    rows["START"] = pd.to_datetime(rows["START"], format="ISO8601")
    return rows


def oracle_days(rows: pd.DataFrame) -> pd.DataFrame:
    """Days x station names: trips, 0 from the first to the last active day (or the end of the data), NaN outside."""
    counts = rows.groupby([rows["START"].dt.floor("D"), "NAME"]).size().unstack()
    counts = counts.reindex(pd.date_range(counts.index.min(), counts.index.max()))
    end = counts.index.max()
    for name in counts:
        active = counts.index[counts[name].notna()]
        until = end if active.max() >= end - pd.Timedelta(days=30) else active.max()
        inside = (counts.index >= active.min()) & (counts.index <= until)
        counts.loc[inside, name] = counts.loc[inside, name].fillna(0)
    return counts


def oracle_backtest(days: pd.DataFrame, cutoffs: list[date], h: int) -> pd.DataFrame:
    """CUTOFF, NAME, H, FORECAST, ACTUAL, SCALE: seasonal naive by hand."""
    rows = []
    for cutoff in map(pd.Timestamp, cutoffs):
        seen = days.loc[:cutoff]
        scales = seen.diff(7).abs().mean()
        for name in days:
            if math.isnan(seen[name].iloc[-1]):
                continue
            week = seen[name].iloc[-7:]
            for step in range(1, h + 1):
                day = cutoff + pd.Timedelta(days=step)
                value = week.get(day - pd.Timedelta(days=7 * math.ceil(step / 7)), math.nan)
                value = week.mean() if math.isnan(value) else value
                actual = days[name].get(day, math.nan)
                if not math.isnan(actual):
                    rows.append((cutoff, name, step, value, actual, scales[name]))
    return pd.DataFrame(rows, columns=["CUTOFF", "NAME", "H", "FORECAST", "ACTUAL", "SCALE"])


def oracle_figures(rows: pd.DataFrame) -> dict[str, float]:
    error = rows["FORECAST"] - rows["ACTUAL"]
    scaled = (error.abs() / rows["SCALE"]).replace(np.inf, np.nan)[rows["SCALE"] > 0]
    return {
        "N": len(rows),
        "MAE": error.abs().mean(),
        "RMSE": float(np.sqrt((error**2).mean())),
        "WAPE": error.abs().sum() / rows["ACTUAL"].sum(),
        "MASE": scaled.mean(),
        "BIAS": error.sum() / rows["ACTUAL"].sum(),
    }


def belongs(rows: pd.DataFrame, level: str, key: object, names: dict[str, str]) -> pd.Series:
    """Which rows a row of EVAL is about."""
    if level == "station":
        return rows["NAME"] == names[str(key)]
    if level == "horizon":
        return rows["H"] == float(str(key))
    return rows["CUTOFF"] == pd.Timestamp(str(key))


def check_against_oracle(session: Session, folder: Path) -> dict[str, float]:
    """Loads a folder, runs the whole job and compares station-days, forecasts and figures; answers all figures."""
    load_folder(session, folder)
    pipeline.build_features(session)
    rows = files_as_frame(folder)
    days = oracle_days(rows)
    names = {row["STATION_ID"]: row["STATION_NAME"] for row in session.table("STATIONS").collect()}
    assert sorted(names.values()) == sorted(days.columns)

    stored = session.table("STATION_DAYS").to_pandas()
    stored["NAME"] = stored["STATION_ID"].map(names)
    stored["DAY"] = pd.to_datetime(stored["DAY"])
    ours = stored.pivot(index="DAY", columns="NAME", values="TRIPS").astype(float)
    pd.testing.assert_frame_equal(ours, days[ours.columns], check_names=False, check_freq=False)
    casual = rows[rows["KIND"].isin(["Customer", "casual"])].groupby("NAME").size()
    assert (
        len(casual)
        and stored.groupby("NAME")["CASUAL_TRIPS"].sum().pipe(lambda sums: sums[sums > 0]).to_dict() == casual.to_dict()
    )

    first, last = day_range(session) or (date.min, date.min)
    assert last == days.index.max().date()
    cutoffs = cutoffs_of(first, last, 30)
    backtest(session, NAIVE, cutoffs, 30, min_history=1, burn_in=0)
    build_eval(session)
    build_forecast(session, NAIVE, last, 30)
    wanted = oracle_backtest(days, cutoffs, 30)
    got = session.table("BACKTEST").filter(F.col("WEATHER") == "usual").to_pandas()
    got["NAME"] = got["STATION_ID"].map(names)
    got["CUTOFF"] = pd.to_datetime(got["CUTOFF"])
    assert (pd.to_datetime(got["DAY"]) - got["CUTOFF"]).dt.days.equals(got["H"].astype("int64"))
    keys = ["CUTOFF", "NAME", "H"]
    values = ["FORECAST", "ACTUAL", "SCALE"]
    both = got.astype({"H": "int64"}).sort_values(keys)[keys + values].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, wanted.sort_values(keys).reset_index(drop=True), check_dtype=False)

    evaluated = session.table("EVAL").filter((F.col("WEATHER") == "usual") & (F.col("PERIOD") == "all"))
    figures = evaluated.to_pandas()
    for level, column in {"station": "STATION_ID", "horizon": "H", "cutoff": "CUTOFF"}.items():
        for _, row in figures[figures["LEVEL"] == level].iterrows():
            expected = oracle_figures(wanted[belongs(wanted, level, row[column], names)])
            assert [row[name] for name in expected] == pytest.approx(list(expected.values()), nan_ok=True), dict(row)
    (overall,) = figures[figures["LEVEL"] == "all"].to_dict("records")
    expected = oracle_figures(wanted)
    assert [overall[name] for name in expected] == pytest.approx(list(expected.values()))
    return overall


def test_the_whole_job_agrees_with_pandas_on_synthetic_trips(
    trips: Session, synthetic: tuple[Path, Generated], tmp_path: Path
) -> None:
    folder, made = synthetic
    check_against_oracle(trips, folder)
    answer = status(trips)
    assert (answer["trips"], answer["stations"], answer["synthetic"]) == (made.trips, made.stations, True)
    assert answer["forecast"] == {
        "model": "seasonal_naive",
        "cutoff": answer["last_day"],
        "h": 30,
        "stations": answer["forecast"]["stations"],
        "model_id": None,
    }
    picture = plot_forecast(
        trips, "seasonal_naive", date.fromisoformat(answer["last_day"]), tmp_path / "a/b.png", "Trips"
    )
    assert picture.stat().st_size > 20_000


@pytest.mark.realdata
def test_the_whole_job_agrees_with_pandas_on_real_trips(trips: Session, real_trips: Path) -> None:
    overall = check_against_oracle(trips, real_trips)
    assert overall["WAPE"] == pytest.approx(0.629, abs=0.0005)
    answer = status(trips)
    assert (answer["trips"], answer["stations"]) == (1_155_298, 61)
    assert (answer["first_day"], answer["last_day"]) == ("2017-11-01", "2021-03-31")


# --- stations ---------------------------------------------------------------------------------------------------------


def test_ids_and_names_that_hang_together_are_one_station(trips: Session, tmp_path: Path) -> None:
    write_old(
        tmp_path / "a.csv",
        old(start="2018-01-01 00:00:00", station="1", name="Old Name"),
        old(start="2019-01-01 00:00:00", station="1", name="Name"),
        old(start="2018-01-01 00:00:00", station="2", name="Other"),
        old(start="2018-01-02 00:00:00", station="NULL", name="Other", bike="7"),
        old(start="2018-01-03 00:00:00", station="NULL", name="NULL", bike="8"),
        old(start="2018-01-04 00:00:00", station="3", name="NULL", bike="9"),
        old(start="2018-01-05 00:00:00", station="4", name="NULL", bike="9"),
    )
    write_new(tmp_path / "b.csv", new(station="JC1", name="Name"), new(ride="B", station="JC2", name="Newest"))
    load_folder(trips, tmp_path)
    pipeline.build_features(trips)
    rows = trips.table("STATIONS").select("STATION_ID", "STATION_NAME", "TRIPS", "IDS").sort("STATION_ID").collect()
    assert [tuple(row) for row in rows] == [
        ("1", "Name", 3, 2),
        ("2", "Other", 2, 1),
        ("3", "id 3", 1, 1),
        ("4", "id 4", 1, 1),
        ("JC2", "Newest", 1, 1),
    ]


def test_days_without_a_trip_are_zeros_until_a_station_closes(trips: Session, tmp_path: Path) -> None:
    def at(day: str, station: str) -> str:
        return old(start=f"2018-{day} 10:00:00", station=station, name=f"S{station}")

    write_old(
        tmp_path / "a.csv",
        at("01-01", "closed"), at("01-04", "closed"), at("01-02", "open"), at("03-01", "open"), at("02-20", "resting"),
    )  # fmt: skip
    load_folder(trips, tmp_path)
    pipeline.build_features(trips)
    rows = trips.sql(
        "SELECT STATION_ID, MIN(DAY)::VARCHAR, MAX(DAY)::VARCHAR, COUNT(*), SUM(TRIPS), COUNT(DISTINCT DAY) "
        "FROM STATION_DAYS GROUP BY 1 ORDER BY 1"
    ).collect()
    assert [tuple(row) for row in rows] == [
        ("closed", "2018-01-01", "2018-01-04", 4, 2, 4),
        ("open", "2018-01-02", "2018-03-01", 59, 2, 59),
        ("resting", "2018-02-20", "2018-03-01", 10, 1, 10),
    ]


# --- cutoffs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "h", "n_windows", "step_size", "wanted"),
    [
        (100, 30, 3, 30, [9, 39, 69]),
        (100, 30, 6, 30, [9, 39, 69]),
        (100, 7, 2, 7, [85, 92]),
        (38, 30, 6, 30, [7]),
    ],
)
def test_cutoffs(days: int, h: int, n_windows: int, step_size: int, wanted: list[int]) -> None:
    first = date(2020, 1, 1)
    cutoffs = cutoffs_of(first, first + timedelta(days=days - 1), h, n_windows, step_size)
    assert [(cutoff - first).days for cutoff in cutoffs] == wanted


def test_too_short_data_is_refused_with_the_counts() -> None:
    with pytest.raises(ValueError, match="needs 38 days, the data has 37"):
        cutoffs_of(date(2020, 1, 1), date(2020, 2, 6), 30)


def test_without_trips_the_job_says_so(trips: Session) -> None:
    with pytest.raises(ValueError, match="TRIPS is empty"):
        pipeline.build_features(trips)
    with pytest.raises(ValueError, match="TRIPS is empty"):
        pipeline.forecast(trips)


def test_running_again_replaces_and_does_not_add(trips: Session, tmp_path: Path) -> None:
    start = datetime(2018, 1, 1, 8)
    lines = [old(start=str(start + timedelta(days=n)), stop=str(start + timedelta(days=n))) for n in range(60)]
    write_old(tmp_path / "a.csv", *lines)
    load_folder(trips, tmp_path)
    first, last = date(2018, 1, 1), date(2018, 3, 1)
    for _ in range(2):
        pipeline.build_features(trips)
        build_forecast(trips, NAIVE, last, 10)
        backtest(trips, NAIVE, cutoffs_of(first, last, 10, 2, 10), 10, weathers=("usual",), min_history=1, burn_in=0)
        build_eval(trips)
    assert trips.table("FORECAST").count() == 10
    assert trips.table("BACKTEST").count() == 20
    assert trips.table("EVAL").filter((F.col("LEVEL") == "all") & (F.col("PERIOD") == "all")).count() == 1
