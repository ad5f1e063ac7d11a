"""Members and casual riders apart, in the model ``lightgbm``."""

from __future__ import annotations

import lightgbm_data as data
import numpy as np
import pandas as pd
import pytest

from tripcast.models.lightgbm_levels import LEVEL
from tripcast.models.lightgbm_panel import Panel, future_days, joined, panel_of
from tripcast.models.lightgbm_riders import RiderLevels, rider_levels_of

CUTOFF = pd.Timestamp("2019-08-31")


def mixed() -> tuple[pd.DataFrame, pd.DataFrame]:
    """As ``synthetic``; members ride on working days, casual riders on warm weekends, and of these there are soon five times as
    many."""
    rows, days = data.synthetic(days=638)
    random = np.random.default_rng(3)
    weekend = (rows["DAY"].dt.dayofweek >= 5).to_numpy()
    many = np.where(rows["DAY"] > CUTOFF - pd.Timedelta(days=45), 5.0, 1.0)
    casual = random.poisson(2 * many * np.where(weekend, 3, 1) * np.exp((rows["TEMP_MAX"] - 60) / 20))
    members = random.poisson(np.where(weekend, 8, 20), len(rows))
    rows["TRIPS"], rows["CASUAL_TRIPS"] = (members + casual).astype(np.float32), casual.astype(np.float32)
    return rows, days


def forecast(known: pd.DataFrame, future: pd.DataFrame) -> tuple[RiderLevels, np.ndarray, dict[str, np.ndarray]]:
    panel = panel_of(known)
    levels = rider_levels_of(panel)
    ahead, at = future_days(future, panel.days.day[-1])
    designs = levels.designs(joined(panel.days, ahead))
    station = panel.rows_of(future["STATION_ID"].to_numpy(object))
    rows = (designs, station, np.full(len(at), len(panel.days) - 1), len(panel.days) + at)
    return levels, levels.forecast(*rows), levels.contributions(*rows)


def test_kinds_that_ride_on_other_days_are_told_apart() -> None:
    rows, days = mixed()
    known, future = data.split(rows, days, CUTOFF, 30)
    wanted = future[["STATION_ID", "DAY"]].merge(rows, how="left")["TRIPS"].to_numpy()
    levels, apart, _ = forecast(known, future)
    assert len(levels.kinds) == 2
    one, together, _ = forecast(known.drop(columns="CASUAL_TRIPS"), future)
    assert one.kinds == ()
    errors = [np.abs(found - wanted).sum() / wanted.sum() for found in (apart, together)]
    assert errors[0] < 0.95 * errors[1], errors


def test_contributions_of_the_kinds_make_the_forecast() -> None:
    rows, days = mixed()
    known, future = data.split(rows, days, CUTOFF, 30)
    _, found, parts = forecast(known, future)
    np.testing.assert_allclose(np.exp(sum(parts.values())), found, rtol=1e-4)
    per_station = pd.Series(np.exp(parts[LEVEL])).groupby(future["STATION_ID"])
    assert per_station.std().max() < 1e-6 * per_station.mean().max()


@pytest.mark.parametrize("casual", [None, 0.0, np.nan])
def test_kinds_that_nobody_recorded(casual: float | None) -> None:
    rows, _ = data.synthetic(stations=3, days=200)
    known = rows.drop(columns="CASUAL_TRIPS") if casual is None else rows.assign(CASUAL_TRIPS=casual)
    assert rider_levels_of(panel_of(known)).kinds == ()


def test_more_casual_riders_than_riders_are_as_many() -> None:
    rows, _ = data.synthetic(stations=3, days=200)
    panel: Panel = panel_of(rows.assign(CASUAL_TRIPS=2 * rows["TRIPS"]))
    assert panel.casual is not None
    np.testing.assert_array_equal(panel.casual, panel.trips)
