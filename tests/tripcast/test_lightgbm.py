"""The model ``lightgbm``: accuracy, sameness, explanations, and stations that are hard to forecast."""

from __future__ import annotations

from pathlib import Path

import lightgbm_data as data
import numpy as np
import pandas as pd
import pytest

from tripcast.models import learner
from tripcast.models.base import ANSWER, WEATHER
from tripcast.models.lightgbm import FittedLightGBM, LightGBM, _usual_scale
from tripcast.models.lightgbm_pairs import COLUMNS, Pairs
from tripcast.models.lightgbm_panel import panel_of
from tripcast.models.lightgbm_riders import rider_levels_of

CUTOFF = pd.Timestamp("2019-10-31")
QUICK = LightGBM(rounds=40, pairs=20_000)
REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    return data.synthetic()


@pytest.fixture(scope="module")
def fitted(rows: tuple[pd.DataFrame, pd.DataFrame]) -> FittedLightGBM:
    return QUICK.fit(data.split(*rows, CUTOFF, 30)[0], seed=1)


def wape(forecast: np.ndarray, actual: np.ndarray) -> float:
    return float(np.abs(forecast - actual).sum() / actual.sum())


def actual_of(rows: pd.DataFrame, future: pd.DataFrame) -> np.ndarray:
    wanted = future[["STATION_ID", "DAY"]].merge(rows[["STATION_ID", "DAY", "TRIPS"]], how="left")
    return wanted["TRIPS"].to_numpy()


def check_sane(answer: pd.DataFrame, future: pd.DataFrame) -> None:
    assert tuple(answer.columns) == ANSWER
    assert (answer["STATION_ID"] == future["STATION_ID"]).all()
    assert (answer["H"] == future["H"]).all()
    assert np.isfinite(answer["FORECAST"]).all()
    assert (answer["FORECAST"] >= 0).all()


# --- accuracy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("weather", "share"), [("actual", 0.70), ("usual", 0.95)])
def test_it_beats_seasonal_naive_without_bias(
    rows: tuple[pd.DataFrame, pd.DataFrame], fitted: FittedLightGBM, weather: str, share: float
) -> None:
    known, future = data.split(*rows, CUTOFF, 30, weather)
    actual = actual_of(rows[0], future)
    answer = fitted.forecast(known, future, explain=False)
    check_sane(answer, future)
    assert answer["FALLBACK"].isna().all()
    assert wape(answer["FORECAST"].to_numpy(), actual) < share * wape(data.seasonal_naive(known, future), actual)
    if weather == "actual":
        assert abs(answer["FORECAST"].sum() / actual.sum() - 1) < 0.05


def test_a_shock_is_followed_within_weeks(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    shocked = rows[0].copy()
    after = shocked["DAY"] > CUTOFF - pd.Timedelta(days=28)
    shocked.loc[after, "TRIPS"] = np.floor(shocked.loc[after, "TRIPS"] * 0.25)
    known, future = data.split(shocked, rows[1], CUTOFF, 14)
    forecast = QUICK.fit(known, seed=1).forecast(known, future, explain=False)["FORECAST"]
    assert abs(forecast.sum() / (0.25 * actual_of(rows[0], future).sum()) - 1) < 0.3


@pytest.mark.realdata
def test_accuracy_on_real_trips() -> None:
    """Every fifth cutoff of the backtest, the shock among them, with the weather that came."""
    if not (REAL / "trips").is_dir():
        pytest.skip("no real trip files in ../shared/data/trips")
    rows, days = data.real(REAL / "trips", next((REAL / "weather").glob("*.csv")))
    found = []
    for cutoff in ("2019-07-01", "2019-11-28", "2020-04-26", "2020-09-23", "2021-02-20"):
        known, future = data.split(rows, days, pd.Timestamp(cutoff), 30)
        old = known.groupby("STATION_ID").size()
        future = future[future["STATION_ID"].isin(old.index[old >= 365])].reset_index(drop=True)
        future.attrs["weather"] = "actual"
        answer = LightGBM().fit(known, seed=1).forecast(known, future, explain=False)
        actual = actual_of(rows, future)
        seen = np.isfinite(actual)
        naive = data.seasonal_naive(known, future)
        found.append((answer["FORECAST"].to_numpy()[seen], naive[seen], actual[seen]))
    forecast, naive, actual = (np.concatenate(part) for part in zip(*found, strict=True))
    assert wape(forecast, actual) < 0.62 * wape(naive, actual)
    assert abs(forecast.sum() / actual.sum() - 1) < 0.05


def test_forecasts_from_usual_weather_are_scaled_to_what_comes() -> None:
    trips, base = np.array([10.0, 20, 12, 24]), np.array([10.0, 20, 8, 16])
    usual, fresh = np.array([False, False, True, True]), np.ones(4)
    assert _usual_scale(trips, base, fresh, usual) == pytest.approx(1.5)
    assert _usual_scale(trips, base, fresh, np.zeros(4, bool)) == 1.0
    assert _usual_scale(0 * trips, base, fresh, usual) == 1.0


# --- sameness ---------------------------------------------------------------------------------------------------------


def test_the_same_rows_and_seed_give_the_same_bits(
    rows: tuple[pd.DataFrame, pd.DataFrame], fitted: FittedLightGBM
) -> None:
    known, future = data.split(*rows, CUTOFF, 30)
    one = fitted.forecast(known, future, explain=True)
    again = QUICK.fit(known, seed=1).forecast(known, future, explain=True)
    pd.testing.assert_frame_equal(one, again, check_exact=True)
    other = QUICK.fit(known, seed=2).forecast(known, future, explain=False)
    assert (other["FORECAST"] != one["FORECAST"]).any()


def test_a_stored_model_forecasts_the_same_bits(
    rows: tuple[pd.DataFrame, pd.DataFrame], fitted: FittedLightGBM
) -> None:
    known, future = data.split(*rows, CUTOFF, 30)
    stored = QUICK.load(fitted.dump())
    pd.testing.assert_frame_equal(
        stored.forecast(known, future, explain=True), fitted.forecast(known, future, explain=True), check_exact=True
    )
    assert stored.dump() == fitted.dump()


def test_a_fitted_model_forecasts_from_a_later_cutoff(
    rows: tuple[pd.DataFrame, pd.DataFrame], fitted: FittedLightGBM
) -> None:
    known, future = data.split(*rows, CUTOFF + pd.Timedelta(days=14), 14)
    answer = fitted.forecast(known, future, explain=False)
    actual = actual_of(rows[0], future)
    assert wape(answer["FORECAST"].to_numpy(), actual) < 0.75 * wape(data.seasonal_naive(known, future), actual)


def test_a_stored_model_of_another_version_is_refused(fitted: FittedLightGBM, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = fitted.dump()
    monkeypatch.setattr("tripcast.models.lightgbm.COLUMNS", {"size": "level"})
    with pytest.raises(ValueError, match="train it again"):
        QUICK.load(payload)


# --- nothing from the future ------------------------------------------------------------------------------------------


def test_rows_to_learn_from_know_nothing_after_their_origin(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Other trips after an origin change no state and no column; sizes, which only scale, are held."""
    known, _ = data.split(*rows, CUTOFF, 30)
    changed = known.copy()
    origin = 500
    later = changed["DAY"] > known["DAY"].min() + pd.Timedelta(days=origin)
    changed.loc[later, "TRIPS"] = 3 * changed.loc[later, "TRIPS"] + 1
    changed.loc[later, "CASUAL_TRIPS"] = 5 * changed.loc[later, "CASUAL_TRIPS"]
    found = []
    for frame in (known, changed):
        panel = panel_of(frame)
        levels = rider_levels_of(panel, sizes=np.full(len(panel.stations), 10.0))
        stations = np.arange(len(panel.stations))
        origins = np.full(len(stations), origin)
        pairs = Pairs(panel, levels)
        found.append(pairs.columns(panel.days, levels.designs(panel.days), stations, origins, origins + 9))
    # two scales of noise are constants of all days
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=0.01, atol=1e-3)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=0.01)


# --- explanations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weather", ["actual", "usual"])
def test_explanations_add_up_to_the_forecast(
    rows: tuple[pd.DataFrame, pd.DataFrame], fitted: FittedLightGBM, weather: str
) -> None:
    known, future = data.split(*rows, CUTOFF, 30, weather)
    answer = fitted.forecast(known, future, explain=True)
    parts = pd.DataFrame(list(answer["EXPLANATION"]))
    assert set(parts) >= {"usual level", "recent trend", "weekday", "season", "holiday", "temperature", "rain and snow"}
    np.testing.assert_allclose(parts.sum(axis=1), answer["FORECAST"], rtol=0, atol=1e-9)
    # the unexplained rest is not hidden in the usual level: it hardly differs between the days of a station
    spread = parts["usual level"].groupby(answer["STATION_ID"]).agg(lambda level: level.std() / level.mean())
    assert spread.max() < 0.05


def test_explanations_say_what_made_the_data(rows: tuple[pd.DataFrame, pd.DataFrame], fitted: FittedLightGBM) -> None:
    known, future = data.split(*rows, CUTOFF, 30)
    answer = fitted.forecast(known, future, explain=True)
    parts = pd.DataFrame(list(answer["EXPLANATION"]))
    weekend = future["DAY"].dt.dayofweek >= 5
    assert parts.loc[weekend, "weekday"].mean() < 0 < parts.loc[~weekend, "weekday"].mean()
    wet = future["PRECIPITATION"] > 0.5
    assert parts.loc[wet, "rain and snow"].mean() < parts.loc[future["PRECIPITATION"] == 0, "rain and snow"].mean() - 1
    assert parts["temperature"].corr(future["TEMP_MAX"]) > 0.5


# --- bad input --------------------------------------------------------------------------------------------------------


def station(known: pd.DataFrame, name: str) -> pd.Series:
    return known["STATION_ID"] == name


def forecast_changed(
    rows: tuple[pd.DataFrame, pd.DataFrame], change: object, h: int = 30
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The answer after ``change(rows)``, and what the unchanged data give."""
    changed = change(rows[0].copy())  # type: ignore[operator]
    known, future = data.split(changed, rows[1], CUTOFF, h)
    answer = QUICK.fit(known, seed=1).forecast(known, future, explain=True)
    check_sane(answer, future)
    return answer, future


def test_young_stations_get_a_named_fallback(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        for name, days in (("S0000", 3), ("S0001", 1)):
            frame = frame[~station(frame, name) | (frame["DAY"] > CUTOFF - pd.Timedelta(days=days))]
        return frame

    answer, _ = forecast_changed(rows, change)
    for name, text in (("S0000", "mean of 3 days"), ("S0001", "mean of 1 day,")):
        mine = answer[station(answer, name)]
        assert mine["FALLBACK"].str.startswith(text).all()
        usual = rows[0][station(rows[0], name)]["TRIPS"].mean()
        assert 0.3 * usual < mine["FORECAST"].mean() < 3 * usual
        assert mine["EXPLANATION"].notna().all()
    assert answer.loc[~answer["STATION_ID"].isin(["S0000", "S0001"]), "FALLBACK"].isna().all()


def test_a_day_with_a_hundred_times_the_trips_moves_nothing(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[station(frame, "S0003") & (frame["DAY"] == CUTOFF - pd.Timedelta(days=1)), "TRIPS"] *= 100
        return frame

    answer, _ = forecast_changed(rows, change)
    plain, _ = forecast_changed(rows, lambda frame: frame)
    mine = station(answer, "S0003")
    assert 0.7 < answer[mine]["FORECAST"].sum() / plain[mine]["FORECAST"].sum() < 1.3
    assert 0.95 < answer[~mine]["FORECAST"].sum() / plain[~mine]["FORECAST"].sum() < 1.05


def test_a_gap_a_station_without_trips_and_a_closed_one(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        since = CUTOFF - pd.Timedelta(days=90)
        frame.loc[station(frame, "S0002") & frame["DAY"].between(since, since + pd.Timedelta(days=30)), "TRIPS"] = (
            0  # a month's gap
        )
        frame.loc[station(frame, "S0004"), "TRIPS"] = 0
        return frame[~station(frame, "S0005") | (frame["DAY"] < since)]

    answer, _ = forecast_changed(rows, change)
    assert "S0005" not in set(answer["STATION_ID"])
    assert answer[station(answer, "S0004")]["FORECAST"].max() < 0.5
    mine, usual = answer[station(answer, "S0002")], rows[0][station(rows[0], "S0002")]
    recent = usual[usual["DAY"].between(CUTOFF - pd.Timedelta(days=28), CUTOFF)]["TRIPS"].mean()
    assert 0.5 * recent < mine["FORECAST"].mean() < 1.5 * recent


@pytest.mark.parametrize("lost", ["a week", "all", "all to come"])
def test_weather_may_be_unknown(rows: tuple[pd.DataFrame, pd.DataFrame], lost: str) -> None:
    frame, days = rows[0].copy(), rows[1].copy()
    columns = [*WEATHER, *data.USUAL]
    for table in (frame, days):
        gone = {
            "a week": table["DAY"].between(CUTOFF - pd.Timedelta(days=10), CUTOFF - pd.Timedelta(days=4)),
            "all": table["DAY"].notna(),
            "all to come": table["DAY"] > CUTOFF,
        }[lost]
        table.loc[gone, columns] = np.nan
    known, future = data.split(frame, days, CUTOFF, 30)
    answer = QUICK.fit(known, seed=1).forecast(known, future, explain=True)
    check_sane(answer, future)
    actual = actual_of(rows[0], future)
    assert wape(answer["FORECAST"].to_numpy(), actual) < 1.0 * wape(data.seasonal_naive(known, future), actual)


def test_too_few_days_to_train_at_all(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cutoff = pd.Timestamp("2018-02-03")
    known, future = data.split(*rows, cutoff, 30)
    answer = QUICK.fit(known, seed=1).forecast(known, future, explain=True)
    check_sane(answer, future)
    assert answer["FALLBACK"].str.contains("without a booster").all()
    one_day, future = data.split(*rows, pd.Timestamp("2018-01-01"), 40)
    fitted = QUICK.fit(one_day, seed=1)
    answer = QUICK.load(fitted.dump()).forecast(one_day, future, explain=True)
    check_sane(answer, future)
    assert answer["FALLBACK"].str.startswith("mean of 1 day,").all()


def test_a_station_that_is_not_known_and_days_beyond_the_horizon(
    rows: tuple[pd.DataFrame, pd.DataFrame], fitted: FittedLightGBM
) -> None:
    known, future = data.split(*rows, CUTOFF, 29)
    stranger = future[future["STATION_ID"] == "S0000"].assign(STATION_ID="Z")
    answer = fitted.forecast(known, pd.concat([future, stranger], ignore_index=True), explain=True)
    assert answer["FALLBACK"].iloc[-1] == "median of all stations: no day of this one is known"
    assert np.isfinite(answer["FORECAST"]).all()
    _, long = data.split(rows[0], data.weather_of(pd.date_range("2018-01-01", periods=1100), np.random.default_rng(0)),
                         CUTOFF, 400)  # fmt: skip
    check_sane(fitted.forecast(known, long, explain=True), long)
    with pytest.raises(ValueError, match="is no day to forecast"):
        fitted.forecast(known, future.assign(DAY=CUTOFF), explain=False)


# --- parameters -------------------------------------------------------------------------------------------------------


def test_parameters_are_named() -> None:
    assert learner("lightgbm", rounds=7).rounds == 7  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="no parameter depth"):
        learner("lightgbm", depth=7)
    assert len(set(COLUMNS)) == len(COLUMNS)
