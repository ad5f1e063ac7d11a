"""ARIMA: estimates against the truth and statsmodels, forecasts against statsmodels at the same parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from forecast_data import cut, day, days_of, station_days
from statsmodels.tsa.statespace.sarimax import SARIMAX

from tripcast.models import LEARNERS
from tripcast.models.arima import SEASON, Arima, FittedArima, Sarimax, estimate, project

PARAMETERS = np.array([0.7, -0.3, -0.6])
BETA = np.array([0.8, -0.5])


def simulated(days: int, stations: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Days x stations of the model with PARAMETERS, BETA and innovations of 0.3; and its regressors."""
    random = np.random.default_rng(seed)
    phi, theta, seasonal = PARAMETERS
    error = random.normal(0, 0.3, (days + 8, stations))
    regressors = random.normal(0, 1, (days, 2))
    noise = np.zeros((days + SEASON, stations))
    difference = np.zeros(stations)
    for at in range(days):
        now = error[at + 8] + theta * error[at + 7] + seasonal * error[at + 1] + theta * seasonal * error[at]
        difference = phi * difference + now
        noise[at + SEASON] = noise[at] + difference
    return noise[SEASON:] + (regressors @ BETA)[:, None], regressors


def test_estimates_are_near_the_truth_for_every_station() -> None:
    values, regressors = simulated(1500, 8, 1)
    arma, coefficients, spread = estimate(values, np.full(8, 1500), regressors, 0.0)
    assert arma.mean(axis=0) == pytest.approx(PARAMETERS, abs=0.05)
    assert np.abs(arma - PARAMETERS).max() < 0.2
    assert np.abs(coefficients - BETA).max() < 0.05
    assert spread == pytest.approx(0.3, abs=0.02)


def test_estimates_are_near_those_of_maximum_likelihood() -> None:
    values, regressors = simulated(400, 1, 2)
    fitted = SARIMAX(values[:, 0], exog=regressors, order=(1, 0, 1), seasonal_order=(0, 1, 1, SEASON)).fit(disp=0)
    wanted = dict(zip(fitted.model.param_names, fitted.params, strict=True))
    arma, coefficients, spread = estimate(values, np.array([400]), regressors, 0.0)
    assert arma[0] == pytest.approx([wanted["ar.L1"], wanted["ma.L1"], wanted["ma.S.L7"]], abs=0.08)
    assert coefficients[0] == pytest.approx([wanted["x1"], wanted["x2"]], abs=0.02)
    assert spread[0] ** 2 == pytest.approx(wanted["sigma2"], rel=0.05)


def test_forecasts_are_those_of_statsmodels_at_the_same_parameters() -> None:
    h, days = 21, 600
    values, regressors = simulated(days + h, 3, 3)
    spread = np.full(3, 0.3)
    middle, variance = project(
        values[:days], np.full(3, days), regressors, np.tile(PARAMETERS, (3, 1)), np.tile(BETA, (3, 1)), spread, h
    )
    for station in range(3):
        model = SARIMAX(
            values[:days, station], exog=regressors[:days], order=(1, 0, 1), seasonal_order=(0, 1, 1, SEASON)
        )
        found = model.filter([*BETA, *PARAMETERS, 0.3**2]).get_forecast(h, exog=regressors[days:])
        assert middle[:, station] == pytest.approx(found.predicted_mean, abs=1e-4)
        assert variance[:, station] == pytest.approx(found.var_pred_mean, rel=1e-3)


def test_a_station_does_not_depend_on_those_beside_it() -> None:
    values, regressors = simulated(300, 5, 4)
    length = np.array([300, 300, 200, 100, 60])
    values[np.arange(300)[:, None] < 300 - length] = 0.0
    together = estimate(values, length, regressors, 5.0)
    for station in range(5):
        alone = estimate(values[:, [station]], length[[station]], regressors, 5.0)
        for one, all_of_them in zip(alone, together, strict=True):
            assert one[0] == pytest.approx(all_of_them[station], rel=1e-9)


@pytest.mark.parametrize("name", ["arima", "sarimax"])
def test_forecasts_are_near_what_made_the_data_and_survive_storage(name: str) -> None:
    days = days_of(400)
    trips = station_days(days, 400)
    model = LEARNERS[name]
    known, future = cut(model, days, trips, day(360), 30)
    fitted = model.fit(known, 0)
    found = fitted.forecast(known, future, True)
    again = model.load(fitted.dump()).forecast(known, future, True)
    pd.testing.assert_frame_equal(found, again)
    scored = found.merge(trips, on=["STATION_ID", "DAY"])
    wape = (scored["FORECAST"] - scored["TRIPS"]).abs().sum() / scored["TRIPS"].sum()
    week = trips[trips["DAY"] > pd.Timestamp(day(353))].assign(WEEKDAY=lambda rows: rows["DAY"].dt.dayofweek)
    naive = scored.assign(WEEKDAY=scored["DAY"].dt.dayofweek).merge(
        week[week["DAY"] <= pd.Timestamp(day(360))], on=["STATION_ID", "WEEKDAY"], suffixes=("", "_SEEN")
    )
    floor = (naive["TRIPS_SEEN"] - naive["TRIPS"]).abs().sum() / naive["TRIPS"].sum()
    assert wape < (0.6 if name == "sarimax" else 0.9) * floor
    assert found["FALLBACK"].isna().all()


def test_usual_rain_is_not_a_little_rain_each_day() -> None:
    days = days_of(400)
    trips = station_days(days, 400)
    model = Sarimax()
    known, future = cut(model, days, trips, day(360), 30, "usual")
    fitted = model.fit(known, 0)
    mean = fitted.forecast(known, future, False)["FORECAST"].mean()
    future.attrs["weather"] = "actual"
    assert fitted.forecast(known, future, False)["FORECAST"].mean() < 0.85 * mean  # every day a wet one


def test_stations_of_no_trip_or_few_days_get_a_forecast() -> None:
    days = days_of(120)
    trips = station_days(days, 120, stations=1)
    empty = trips.assign(STATION_ID="empty", TRIPS=0)
    young = trips[trips["DAY"] > pd.Timestamp(day(99))].assign(STATION_ID="young")
    for model in (Arima(), Sarimax()):
        known, future = cut(model, days, pd.concat([trips, empty, young]), day(119), 14)
        found = model.fit(known, 0).forecast(known, future, True).set_index("STATION_ID")
        assert found.loc["empty", "FORECAST"].abs().max() < 0.01
        assert found.loc["young", "FALLBACK"].eq("weekday mean: 20 days are too few for ARIMA").all()
        assert found.loc["S0", "FALLBACK"].isna().all()


def test_a_station_that_opened_after_the_fit_falls_back() -> None:
    days = days_of(200)
    trips = station_days(days, 200, stations=2)
    late = trips[(trips["STATION_ID"] == "S1") & (trips["DAY"] > pd.Timestamp(day(100)))].assign(STATION_ID="late")
    model = Sarimax()
    whole = pd.concat([trips, late])
    fitted = model.fit(cut(model, days, whole, day(100), 1)[0], 0)
    known, future = cut(model, days, whole, day(190), 7)
    found = fitted.forecast(known, future, False).set_index("STATION_ID")
    assert found.loc["late", "FALLBACK"].eq("weekday mean: opened after the model was fitted").all()
    assert found.loc["late", "FORECAST"].between(5, 60).all()
    assert isinstance(fitted, FittedArima)
