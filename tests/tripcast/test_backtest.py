"""The backtest and its figures: against pandas and scikit-learn, and their laws; the champion."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from forecast_data import FIRST, day, days_of, put, station_days
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast.models import LEARNERS
from tripcast.training import tables
from tripcast.training.backtest import backtest, cutoffs_since
from tripcast.training.champion import champion, choose_champion
from tripcast.training.evaluate import METRICS, build_eval, build_guide_eval, evaluate, guide_eval
from tripcast.training.runner import run

COUNT = 240
CUTOFFS = [day(150), day(180), day(210)]


@pytest.fixture(scope="module")
def scored(shared_session: Session) -> Session:
    """A backtest of three models on four stations."""
    days = days_of(COUNT)
    put(shared_session, days, station_days(days, COUNT))
    told: list[str] = []
    for name in ("seasonal_naive", "weekday_mean", "weekday_mean", "sarimax"):  # the second replaces the first
        backtest(shared_session, LEARNERS[name], CUTOFFS, 14, min_history=101, burn_in=2, progress=told.append)
    assert told[0] == "seasonal_naive: 3 windows of 14 days, 2 before them for intervals"
    build_eval(shared_session)
    build_guide_eval(shared_session)
    return shared_session


def rows_of(session: Session, table: str = "BACKTEST", **where: object) -> pd.DataFrame:
    rows = session.table(table)
    for column, value in where.items():
        rows = rows.filter(F.col(column) == F.lit(value))
    found = rows.to_pandas()
    keys = [column for column in ("MODEL", "WEATHER", "CUTOFF", "STATION_ID", "H") if column in found]
    return found.sort_values(keys).reset_index(drop=True)


def test_rows_are_the_forecasts_what_came_and_the_scales(scored: Session) -> None:
    trips = station_days(days_of(COUNT), COUNT)
    trips["DAY"] = trips["DAY"].dt.date
    for name in ("weekday_mean", "sarimax"):
        got = rows_of(scored, MODEL=name)
        assert set(got["WEATHER"]) == {"actual", "usual"}
        wanted = run(scored, LEARNERS[name], CUTOFFS, 14, weathers=("actual", "usual"), min_history=101).to_pandas()
        wanted = wanted.sort_values(["WEATHER", "CUTOFF", "STATION_ID", "H"]).reset_index(drop=True)
        shown = got[got["SCORED"]].reset_index(drop=True)
        columns = ["WEATHER", "CUTOFF", "STATION_ID", "DAY", "H"]
        pd.testing.assert_frame_equal(shown[columns], wanted[columns], check_dtype=False)
        assert shown["FORECAST"].to_numpy() == pytest.approx(wanted["FORECAST"].to_numpy(), rel=1e-9)
        came = shown.merge(trips, on=["STATION_ID", "DAY"])
        assert len(came) == len(shown) and (came["ACTUAL"] == came["TRIPS"]).all()
        assert shown[["LOW_80", "HIGH_80", "LOW_95", "HIGH_95"]].notna().all(axis=None)
        # 2 windows before, of which the first has only stations of 101 days
        assert set(got.loc[~got["SCORED"], "CUTOFF"]) == {day(120)}
    got = rows_of(scored, MODEL="sarimax", WEATHER="usual")
    assert set(got.loc[got["CUTOFF"] == day(150), "STATION_ID"]) == {"S0", "S1", "S2", "S3"}
    assert set(got.loc[got["CUTOFF"] == day(120), "STATION_ID"]) == {"S0", "S1", "S2"}
    for (station, cutoff), part in got.groupby(["STATION_ID", "CUTOFF"]):
        seen = trips[(trips["STATION_ID"] == station) & (trips["DAY"] <= cutoff)]["TRIPS"].diff(7)
        assert part["SCALE"].to_numpy() == pytest.approx(seen.abs().mean())
        assert part["SQUARED_SCALE"].to_numpy() == pytest.approx((seen**2).mean())


def test_figures_are_those_of_pandas(scored: Session) -> None:
    rows = rows_of(scored, SCORED=True)
    figures = rows_of(scored, "EVAL")
    keys = {"all": None, "station": "STATION_ID", "horizon": "H", "cutoff": "CUTOFF"}
    assert set(figures["PERIOD"]) == {"all", "before"}  # the spring of 2020 is not in the data
    checked = 0
    for _, row in figures.iterrows():
        part = rows[(rows["MODEL"] == row["MODEL"]) & (rows["WEATHER"] == row["WEATHER"])]
        if (key := keys[row["LEVEL"]]) is not None:
            part = part[part[key] == row[key]]
        error = part["FORECAST"] - part["ACTUAL"]
        wanted = {
            "N": len(part),
            "MAE": metrics.mean_absolute_error(part["ACTUAL"], part["FORECAST"]),
            "RMSE": metrics.root_mean_squared_error(part["ACTUAL"], part["FORECAST"]),
            "WAPE": error.abs().sum() / part["ACTUAL"].sum(),
            "MASE": (error.abs() / part["SCALE"]).mean(),
            "RMSSE": np.sqrt((error**2 / part["SQUARED_SCALE"]).mean()),
            "BIAS": error.sum() / part["ACTUAL"].sum(),
            "COVERAGE_80": part["ACTUAL"].between(part["LOW_80"], part["HIGH_80"]).mean(),
            "COVERAGE_95": part["ACTUAL"].between(part["LOW_95"], part["HIGH_95"]).mean(),
        }
        assert [float(row[name]) for name in wanted] == pytest.approx(list(wanted.values())), dict(row)
        checked += 1
    assert checked == 3 * 2 * (2 * (1 + 4 + 14) + 3)


def test_the_guides_columns_are_those_of_scikit_learn(scored: Session) -> None:
    figures = scored.table("EVAL_GUIDE")
    names = ["mae", "mape", "mse", "r_squared", "rmse", "smape"]
    assert figures.columns == ["MODEL", "WEATHER", "RUN_DATE", "STATION_ID", *(f'"{name}"' for name in names)]
    rows = rows_of(scored, SCORED=True)
    for row in figures.collect():
        part = rows[
            (rows["MODEL"] == row["MODEL"])
            & (rows["WEATHER"] == row["WEATHER"])
            & (rows["CUTOFF"] == row["RUN_DATE"])
            & (rows["STATION_ID"] == row["STATION_ID"])
        ]
        came, made = part["ACTUAL"], part["FORECAST"]
        some = came > 0
        wanted = [
            metrics.mean_absolute_error(came, made),
            metrics.mean_absolute_percentage_error(came[some], made[some]),
            metrics.mean_squared_error(came, made),
            metrics.r2_score(came, made),
            metrics.root_mean_squared_error(came, made),
            (2 * (made - came).abs() / (made + came)).mean(),
        ]
        assert [row[name] for name in names] == pytest.approx(wanted)


def test_the_champion_is_the_best_and_is_written_down(scored: Session) -> None:
    figures = rows_of(scored, "EVAL", LEVEL="all", PERIOD="all").set_index(["MODEL", "WEATHER"])["WAPE"]
    models = tables.table(scored, "MODELS")
    models.delete()
    scored.sql(
        "INSERT INTO MODELS (MODEL_ID, MODEL, CHAMPION) VALUES ('a', 'sarimax', FALSE), ('b', 'arima', TRUE)"
    ).collect()
    for weather in ("usual", "actual"):
        found = choose_champion(scored, weather)
        ranked = figures.xs(weather, level="WEATHER").sort_values()
        assert (found.model, found.runner_up) == tuple(ranked.index[:2])
        assert found.wape == pytest.approx(ranked.iloc[0])
        assert found.margin == pytest.approx(1 - ranked.iloc[0] / ranked.iloc[1])
        assert found.naive_ratio == pytest.approx(ranked.iloc[0] / ranked["seasonal_naive"])
        assert found.wape_actual == pytest.approx(figures[found.model, "actual"])
        assert champion(scored) == found
    flags = {row["MODEL_ID"]: (row["CHAMPION"], row["MARGIN"]) for row in scored.table("MODELS").collect()}
    assert flags == {"a": (True, pytest.approx(found.margin)), "b": (False, None)}
    assert found.model == "sarimax"
    with pytest.raises(ValueError, match="EVAL has no model scored with good weather"):
        choose_champion(scored, "good")


# --- laws -------------------------------------------------------------------------------------------------------------

COLUMNS = ["MODEL", "CUTOFF", "STATION_ID", "DAY", "H", "WEATHER", "FORECAST", "LOW_80", "HIGH_80", "LOW_95", "HIGH_95",
           "ACTUAL", "SCALE", "SQUARED_SCALE"]  # fmt: skip


def figures(
    session: Session, rows: list[tuple[float, float]], scale: float = 2.0, room: float = 1.0
) -> dict[str, float]:
    """Figures in all of forecasts and what came."""
    cutoff = date(2019, 8, 1)
    made = [
        ("m", cutoff, "S", cutoff + timedelta(days=n), n, "usual", f, f - room, f + room, f - 2 * room, f + 2 * room,
         a, scale, scale**2)
        for n, (f, a) in enumerate(rows, 1)
    ]  # fmt: skip
    frame = session.create_dataframe(made, schema=COLUMNS)
    (row,) = evaluate(frame).filter((F.col("LEVEL") == "all") & (F.col("PERIOD") == "all")).collect()
    return {name: row[name] for name in ("N", *METRICS)}


_TRIPS = st.floats(0, 1000).map(lambda value: round(value, 2))
_ROWS = st.lists(st.tuples(_TRIPS, _TRIPS), min_size=1, max_size=8).filter(lambda rows: sum(a for _, a in rows) > 0)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(_ROWS, st.sampled_from([2.0, 16.0]))
def test_figures_scale_as_they_should(shared_session: Session, rows: list[tuple[float, float]], factor: float) -> None:
    one = figures(shared_session, rows)
    many = figures(shared_session, [(f * factor, a * factor) for f, a in rows], 2.0 * factor, factor)
    for name in ("MAE", "RMSE"):
        assert many[name] == pytest.approx(one[name] * factor)
    for name in ("WAPE", "MASE", "RMSSE", "BIAS"):
        assert many[name] == pytest.approx(one[name])
    assert one["MAE"] <= one["RMSE"] + 1e-9
    assert abs(one["BIAS"]) <= one["WAPE"] + 1e-9
    assert one["COVERAGE_80"] <= one["COVERAGE_95"]


def test_a_perfect_forecast_has_no_error(shared_session: Session) -> None:
    found = figures(shared_session, [(3.0, 3.0), (0.0, 0.0), (7.0, 7.0)])
    assert found == {"N": 3} | {name: 1.0 if name.startswith("COVERAGE") else 0.0 for name in METRICS}


def test_without_trips_or_scale_the_shares_are_unknown(shared_session: Session) -> None:
    found = figures(shared_session, [(1.0, 0.0)], scale=0.0)
    assert [found[name] for name in ("MAE", "WAPE", "MASE", "RMSSE", "BIAS")] == [1.0, None, None, None, None]


def test_mase_of_the_naive_itself_is_one(session: Session) -> None:
    """On trips whose weekly change is always the same, one week ahead."""
    days = pd.date_range(FIRST, periods=60)
    trips = pd.DataFrame({"STATION_ID": "S", "DAY": days, "TRIPS": [100 + 7 * (n // 7) for n in range(60)]})
    put(session, days_of(60), trips)
    backtest(session, LEARNERS["seasonal_naive"], [day(41)], 7, weathers=("usual",), min_history=1, burn_in=0)
    build_eval(session)
    (row,) = session.table("EVAL").filter((F.col("LEVEL") == "all") & (F.col("PERIOD") == "all")).collect()
    assert (row["MAE"], row["MASE"], row["RMSSE"]) == pytest.approx((7.0, 1.0, 1.0))
    assert row["COVERAGE_80"] is None  # there was no window before


def test_guide_figures_of_flat_and_empty_days_are_unknown(shared_session: Session) -> None:
    frame = shared_session.create_dataframe(
        [("m", "usual", day(1), "S", 0.0, 0.0), ("m", "usual", day(1), "S", 0.0, 0.0)],
        schema=["MODEL", "WEATHER", "CUTOFF", "STATION_ID", "FORECAST", "ACTUAL"],
    ).select(
        *(F.col(name) for name in ("MODEL", "WEATHER", "CUTOFF", "STATION_ID")),
        *(F.col(name).cast("FLOAT").alias(name) for name in ("FORECAST", "ACTUAL")),
    )
    (row,) = guide_eval(frame).collect()
    assert [row[name] for name in ("mae", "mape", "mse", "r_squared", "rmse", "smape")] == [0, None, 0, None, 0, None]


@pytest.mark.parametrize(
    ("last", "h", "since", "count"),
    [(date(2021, 3, 31), 30, date(2019, 7, 1), 21), (date(2019, 7, 31), 30, date(2019, 7, 1), 1)],
)
def test_cutoffs_since(last: date, h: int, since: date, count: int) -> None:
    found = cutoffs_since(date(2017, 11, 1), last, h, since)
    assert len(found) == count and found[0] == since
    assert {(later - earlier).days for earlier, later in pairwise(found)} <= {30}
    assert found[-1] + timedelta(days=h) <= last < found[-1] + timedelta(days=h + 30)


def test_no_window_is_refused_with_the_days_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"no window of h = 30 begins at 2019-07-01: the data goes from 2019-01-01 to 2019-07-30"
    ):
        cutoffs_since(FIRST, date(2019, 7, 30))


def test_a_backtest_without_cutoffs_is_refused(shared_session: Session) -> None:
    with pytest.raises(ValueError, match="at least one cutoff"):
        backtest(shared_session, LEARNERS["seasonal_naive"], [], 7)
