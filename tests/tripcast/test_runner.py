"""Learners run inside the warehouse: what they are handed, what comes back, stored models, failures."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from forecast_data import FIRST, cut, day, days_of, put, station_days
from hypothesis import given, settings
from hypothesis import strategies as st
from snowflake.snowpark import DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast.models import LEARNERS, learner
from tripcast.models.naive import SeasonalNaive, weekday_means
from tripcast.training import code, store, tables
from tripcast.training.forecast import build_forecast, forecast_stored, train
from tripcast.training.inside import SETTINGS, Settings, forecast_partition, joined
from tripcast.training.runner import blocks_of, run

COUNT = 180


@pytest.fixture(scope="module")
def small(shared_session: Session) -> Session:
    """Four stations of half a year."""
    days = days_of(COUNT)
    put(shared_session, days, station_days(days, COUNT))
    return shared_session


def frame(rows: DataFrame) -> pd.DataFrame:
    found = rows.to_pandas()
    for column in ("CUTOFF", "DAY"):
        found[column] = pd.to_datetime(found[column])
    return found.sort_values(["CUTOFF", "WEATHER", "STATION_ID", "H"]).reset_index(drop=True)


@pytest.mark.parametrize("name", ["seasonal_naive", "weekday_mean", "arima", "sarimax"])
def test_the_warehouse_forecasts_as_the_learner_does_outside(small: Session, name: str) -> None:
    days = days_of(COUNT)
    trips = station_days(days, COUNT)
    cutoffs = [day(100), day(130)]
    model = LEARNERS[name]
    got = frame(run(small, model, cutoffs, 14, weathers=("actual", "usual"), explain=True))
    for cutoff in cutoffs:
        for weather in ("actual", "usual"):
            known, future = cut(model, days, trips, cutoff, 14, weather)
            wanted = model.fit(known, 0).forecast(known, future, True)
            part = got[(got["CUTOFF"] == pd.Timestamp(cutoff)) & (got["WEATHER"] == weather)]
            assert part["STATION_ID"].tolist() == wanted["STATION_ID"].tolist()
            assert part["H"].tolist() == wanted["H"].tolist()
            assert part["DAY"].tolist() == wanted["DAY"].tolist()
            assert part["FORECAST"].to_numpy() == pytest.approx(wanted["FORECAST"].to_numpy(), rel=1e-9)
            assert part["FALLBACK"].fillna("").tolist() == wanted["FALLBACK"].fillna("").tolist()
    if name == "sarimax":
        effects = [json.loads(text) for text in got["EXPLANATION"]]
        assert [sum(effect.values()) for effect in effects] == pytest.approx(got["FORECAST"].tolist(), abs=0.03)


def test_nothing_after_a_cutoff_is_seen(session: Session) -> None:
    days = days_of(COUNT)
    trips = station_days(days, COUNT)
    results = []
    for factor in (1, 50):
        changed = trips.copy()
        changed.loc[changed["DAY"] > pd.Timestamp(day(120)), "TRIPS"] *= factor
        put(session, days, changed)
        for name in ("weekday_mean", "sarimax"):
            # the second cutoff of a block uses the fit of the first
            results.append(frame(run(session, LEARNERS[name], [day(100), day(120)], 7, refit=2)))
    pd.testing.assert_frame_equal(results[0], results[2])
    pd.testing.assert_frame_equal(results[1], results[3])


def test_a_block_reuses_its_fit_with_the_days_up_to_each_cutoff(small: Session) -> None:
    days = days_of(COUNT)
    trips = station_days(days, COUNT)
    model = LEARNERS["sarimax"]
    got = frame(run(small, model, [day(100), day(130)], 7, refit=2))
    fitted = model.fit(cut(model, days, trips, day(100), 7)[0], 0)
    known, future = cut(model, days, trips, day(130), 7)
    wanted = fitted.forecast(known, future, False)
    part = got[got["CUTOFF"] == pd.Timestamp(day(130))]
    assert part["FORECAST"].to_numpy() == pytest.approx(wanted["FORECAST"].to_numpy(), rel=1e-9)


def test_shards_change_nothing(small: Session) -> None:
    one, three = (frame(run(small, LEARNERS["arima"], [day(150)], 7, processes=count)) for count in (1, 3))
    assert one["FORECAST"].to_numpy() == pytest.approx(three["FORECAST"].to_numpy(), rel=1e-12)


def test_only_stations_with_enough_days_behind_them(small: Session) -> None:
    got = frame(run(small, SeasonalNaive(), [day(20)], 2, min_history=14))
    assert sorted(set(got["STATION_ID"])) == ["S0", "S1"]
    with pytest.raises(ValueError, match="no cutoff"):
        run(small, SeasonalNaive(), [], 2)
    with pytest.raises(ValueError, match="weather is 'actual' or 'usual', not 'good'"):
        run(small, SeasonalNaive(), [day(20)], 2, weathers=("good",))


def test_odd_stations_do_not_break_the_others(session: Session) -> None:
    days = days_of(COUNT)
    trips = station_days(days, COUNT)
    last = pd.Timestamp(day(COUNT - 1))
    odd = {"yesterday": trips["DAY"] == last, "three": trips["DAY"] > last - pd.Timedelta(days=3)}
    odd["closed"] = trips["DAY"] < last - pd.Timedelta(days=40)
    parts = [trips] + [
        trips[chosen & (trips["STATION_ID"] == "S0")].assign(STATION_ID=name) for name, chosen in odd.items()
    ]
    gap = trips[trips["STATION_ID"] == "S0"].assign(STATION_ID="gap")
    gap.loc[gap["DAY"].between(last - pd.Timedelta(days=80), last - pd.Timedelta(days=50)), "TRIPS"] = 0
    peak = trips[trips["STATION_ID"] == "S0"].assign(STATION_ID="peak")
    peak.loc[peak["DAY"] == last - pd.Timedelta(days=5), "TRIPS"] *= 100
    days.loc[days["DAY"].between(last - pd.Timedelta(days=9), last - pd.Timedelta(days=3)), "TEMP"] = np.nan
    put(session, days, pd.concat([*parts, gap, peak]))
    usual = frame(run(session, LEARNERS["sarimax"], [day(COUNT - 1)], 14, weathers=("usual",)))
    level = usual.groupby("STATION_ID")["FORECAST"].mean()
    assert set(level.index) == {"S0", "S1", "S2", "S3", "gap", "peak", "three", "yesterday"}
    assert (level > 1).all()
    assert level["peak"] < 3 * level["S0"]
    assert 0.3 * level["S0"] < level["gap"] < 2 * level["S0"]
    reasons = usual.groupby("STATION_ID")["FALLBACK"].first()
    assert reasons["three"] == "weekday mean: 3 days are too few for ARIMA"
    assert reasons[["S0", "gap", "peak"]].isna().all()


def test_without_any_weather(session: Session) -> None:
    days = days_of(COUNT)
    trips = station_days(days, COUNT)
    for column in days:
        if column.removeprefix("USUAL_") in (
            "TEMP",
            "TEMP_MIN",
            "TEMP_MAX",
            "PRECIPITATION",
            "SNOWFALL",
            "SNOW_DEPTH",
            "WIND",
        ):
            days[column] = days[column] * np.nan
    put(session, days, trips)
    got = frame(run(session, LEARNERS["sarimax"], [day(150)], 7))
    assert got["FORECAST"].between(1, 100).all() and got["FALLBACK"].isna().all()


# --- failures ---------------------------------------------------------------------------------------------------------


def partition(name: str, **changes: object) -> pd.DataFrame:
    """Rows as the table function is handed them: two stations of 60 days, and no columns."""
    wanted = Settings(name, {}, ("2019-03-01",), 3, ("actual",), 0, False, False, 1, (), ())
    wanted = Settings(**{**{field: getattr(wanted, field) for field in wanted.__dataclass_fields__}, **changes})  # type: ignore[arg-type]
    start = (FIRST - date(1970, 1, 1)).days
    rows = [(SETTINGS, None, wanted.json(), None)]
    for number in range(2):
        rows.append((number, start, f"S{number}", None))
        rows += [(number, start + one, None, float(one % 7)) for one in range(60)]
    return pd.DataFrame(rows, columns=["NO", "DAY", "TEXT", "V0"])


class Failing(SeasonalNaive):
    def __init__(self, how: str) -> None:
        object.__setattr__(self, "how", how)

    def fit(self, known: pd.DataFrame, seed: int) -> object:  # type: ignore[override]
        if self.how == "fit":
            raise ZeroDivisionError("no luck")
        return self

    def forecast(self, known: pd.DataFrame, future: pd.DataFrame, explain: bool) -> pd.DataFrame:
        good = SeasonalNaive().fit(known, 0).forecast(known, future, explain)
        match self.how:
            case "forecast":
                raise KeyError("TEMP")
            case "short":
                return good.iloc[1:]
            case "nan":
                return good.assign(FORECAST=np.where(good["H"] == 2, np.nan, good["FORECAST"]))
        return good.assign(FORECAST=-1.0)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("fit", "weekday mean: ZeroDivisionError: no luck"),
        ("forecast", "weekday mean: KeyError: 'TEMP'"),
        ("short", "weekday mean: ValueError: 5 forecasts for 6 rows"),
        ("nan", "weekday mean: the forecast was not a number"),
    ],
)
def test_a_learner_that_fails_falls_back_and_says_why(monkeypatch: pytest.MonkeyPatch, how: str, reason: str) -> None:
    monkeypatch.setattr("tripcast.training.inside.learner", lambda name, **parameters: Failing(how))
    found = forecast_partition(partition("failing"))
    assert found["FORECAST"].tolist() == [4.0, 5.0, 6.0] * 2  # the last four weeks are alike
    wrong = found["H"] == 2 if how == "nan" else found["H"] > 0
    assert found.loc[wrong, "FALLBACK"].eq(reason).all()
    assert found.loc[~wrong, "FALLBACK"].isna().all()


def test_negative_forecasts_become_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tripcast.training.inside.learner", lambda name, **parameters: Failing("negative"))
    assert forecast_partition(partition("failing"))["FORECAST"].eq(0).all()


def test_a_failed_fit_is_stored_as_such(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr("tripcast.training.inside.learner", lambda name, **parameters: Failing("fit"))
    found = forecast_partition(partition("failing", keep=True))
    payload = joined(found.loc[found["PIECE"].notna(), "PAYLOAD"].tolist())
    assert payload == b"not fitted: ZeroDivisionError: no luck"


def test_a_big_model_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    class Big(SeasonalNaive):
        def fit(self, known: pd.DataFrame, seed: int) -> Big:  # type: ignore[override]
            return self

        def forecast(self, known: pd.DataFrame, future: pd.DataFrame, explain: bool) -> pd.DataFrame:
            return SeasonalNaive().fit(known, 0).forecast(known, future, explain)

        def dump(self) -> bytes:
            return bytes(range(256)) * 100

    monkeypatch.setattr("tripcast.training.inside.learner", lambda name, **parameters: Big())
    monkeypatch.setattr("tripcast.training.inside.PIECE", 1000)
    found = forecast_partition(partition("big", keep=True))
    pieces = found[found["PIECE"].notna()].sort_values("PIECE")
    assert len(pieces) == 35
    assert joined(pieces["PAYLOAD"].tolist()) == bytes(range(256)) * 100


# --- FORECAST and stored models ---------------------------------------------------------------------------------------


def forecasts(session: Session, **where: object) -> pd.DataFrame:
    rows = session.table("FORECAST")
    for column, value in where.items():
        rows = rows.filter(F.col(column) == F.lit(value))
    return rows.drop("MODEL_ID").to_pandas().sort_values(["STATION_ID", "H"]).reset_index(drop=True)


@pytest.mark.parametrize("name", ["weekday_mean", "sarimax"])
def test_a_stored_model_forecasts_bit_equal(small: Session, name: str) -> None:
    cutoff = day(COUNT - 1)
    tables.table(small, "FORECAST").delete()
    build_forecast(small, LEARNERS[name], cutoff, 14, model_id="m1")
    first = forecasts(small)
    assert len(first) == 4 * 14
    assert first[["LOW_80", "HIGH_80", "LOW_95", "HIGH_95"]].notna().all(axis=None)
    ordered = first[["LOW_95", "LOW_80", "FORECAST", "HIGH_80", "HIGH_95"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all() and (ordered >= 0).all()
    (row,) = small.table("MODELS").filter(F.col("MODEL_ID") == "m1").collect()
    assert (row["MODEL_ID"], row["MODEL"], row["CUTOFF"], row["STATIONS"]) == ("m1", name, cutoff, 4)
    assert (row["DATA_FROM"], row["DATA_TO"]) == (FIRST, cutoff)
    small.sql("DELETE FROM FORECAST").collect()
    forecast_stored(small, "m1", 14)
    pd.testing.assert_frame_equal(forecasts(small), first)
    build_forecast(small, LEARNERS[name], cutoff, 14)  # again, not stored: the same, and in place of the other
    pd.testing.assert_frame_equal(forecasts(small), first)


def test_a_stored_model_goes_on_at_a_later_cutoff(small: Session) -> None:
    parameters = {"ridge": 3.0}
    tables.table(small, "FORECAST").delete()
    train(small, learner("sarimax", **parameters), day(140), "m2", processes=3)
    assert store.find(small, "m2").learner == learner("sarimax", **parameters)
    assert store.find(small, "m2").files == ["models/m2/0", "models/m2/1", "models/m2/2"]
    forecast_stored(small, "m2", 7, cutoff=day(150), weather="actual")
    days = days_of(COUNT)
    trips = station_days(days, COUNT)
    model = store.find(small, "m2").learner
    fitted = model.fit(cut(model, days, trips, day(140), 7)[0], 0)
    known, future = cut(model, days, trips, day(150), 7)
    wanted = fitted.forecast(known, future, False)["FORECAST"].to_numpy()
    assert forecasts(small)["FORECAST"].to_numpy() == pytest.approx(wanted, rel=1e-9)
    with pytest.raises(ValueError, match="has seen the days up to 2019-05-21: it cannot forecast from 2019-05-20"):
        forecast_stored(small, "m2", cutoff=day(139))
    with pytest.raises(KeyError, match="no model 'm3'; there are "):
        forecast_stored(small, "m3")
    with pytest.raises(ValueError, match="letters, digits and _"):
        train(small, model, day(140), "a/b")
    store.remove(small, "m2")
    assert small.sql("LIST @MODEL_STAGE/models/m2").collect() == []


def test_the_code_is_put_into_the_stage_once(small: Session) -> None:
    first = code.in_stage(small)
    listed = small.sql("LIST @MODEL_STAGE/code").collect()
    assert code.in_stage(small) == first
    assert small.sql("LIST @MODEL_STAGE/code").collect() == listed
    assert len(listed) == 1


# --- small laws -------------------------------------------------------------------------------------------------------


def test_unknown_names_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(KeyError, match="no model 'prophet'; there are seasonal_naive, weekday_mean"):
        LEARNERS["prophet"]
    with pytest.raises(ValueError, match="sarimax has no parameter rigde; it has correction, ridge"):
        learner("sarimax", rigde=1)


@given(st.sets(st.integers(0, 400), min_size=1, max_size=20), st.integers(1, 6))
def test_blocks_are_the_cutoffs_in_order(numbers: set[int], refit: int) -> None:
    blocks = blocks_of([day(number) for number in numbers], refit)
    assert [one for block in blocks for one in block] == [day(number) for number in sorted(numbers)]
    assert all(len(block) == refit for block in blocks[:-1]) and 1 <= len(blocks[-1]) <= refit


@settings(max_examples=50)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 5))
def test_weekday_means_are_those_of_pandas(trips: list[int], weeks: int) -> None:
    days = pd.date_range(FIRST, periods=len(trips))
    known = pd.DataFrame({"STATION_ID": "S", "DAY": days, "TRIPS": np.array(trips, np.float32)})
    ahead = pd.date_range(days[-1] + timedelta(days=1), periods=10)
    future = pd.DataFrame({"STATION_ID": "S", "DAY": ahead, "H": range(1, 11)})
    values, reason = weekday_means(known, future, weeks)
    recent = pd.Series(trips, days)[-7 * weeks :]
    means = recent.groupby(recent.index.dayofweek).mean()
    wanted = [means.get(one.dayofweek, recent.mean()) for one in ahead]
    assert values == pytest.approx(wanted)
    assert [text is None for text in reason] == [one.dayofweek in means for one in ahead]
