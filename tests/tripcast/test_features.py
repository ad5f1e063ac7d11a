"""Holidays, days, features and the forecast frame in the warehouse against the same by pandas; nothing sees the future."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snowflake.snowpark import DataFrame, Session
from snowflake.snowpark import functions as F

from polynya.server.local import Warehouse
from tripcast import names, pipeline
from tripcast.elt.load import load
from tripcast.features import days as calendar
from tripcast.features import features as table
from tripcast.features import frame
from tripcast.features.days import build_days, data_range, days
from tripcast.features.features import build_feature_table, features
from tripcast.features.frame import days_ahead, forecast_frame
from tripcast.features.holidays import materialize_holidays
from tripcast.features.station_days import CLOSED_AFTER_DAYS
from tripcast.setup import make_objects
from tripcast.sources.files import trip_files
from tripcast.sources.holidays import public_holidays
from tripcast.sources.synthetic import Generated
from tripcast.sources.weather import read_history

WEATHER = calendar.WEATHER
FIRST = date(2019, 1, 1)
REAL_WEATHER = Path(__file__).resolve().parents[3] / "shared" / "data" / "weather" / "central_park_weather.csv"


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


# --- what the tests put in ---------------------------------------------------------------------------------------------


def weather_rows(first: date, last: date, seed: int = 1, measured_to: date | None = None) -> pd.DataFrame:
    """WEATHER: measured up to a day, then climatology; values in halves, so that sums are exact."""
    random = np.random.default_rng(seed)
    dates = pd.date_range(first, last)
    rows = pd.DataFrame({column: random.integers(-20, 200, len(dates)) / 2 for column in WEATHER})
    rows.insert(0, "DATE", dates.date)
    rows["SOURCE"] = np.where(dates <= pd.Timestamp(measured_to or last), "MEASURED", "CLIMATOLOGY")
    return rows


def series(station: str, first: int, trips: list[int]) -> list[tuple[str, date, int]]:
    return [(station, day(first + number), value) for number, value in enumerate(trips)]


def put_station_days(session: Session, rows: list[tuple[str, date, int]], name: str = names.STATION_DAYS) -> None:
    data = pd.DataFrame(rows, columns=["STATION_ID", "DAY", "TRIPS"])
    data["CASUAL_TRIPS"] = data["TRIPS"] // 3
    session.write_pandas(data, name, auto_create_table=True, overwrite=True)


def put_weather(session: Session, rows: pd.DataFrame, name: str = names.WEATHER) -> None:
    session.write_pandas(rows, name, auto_create_table=True, overwrite=True)


def build(session: Session) -> None:
    """All that features need from STATION_DAYS and WEATHER."""
    first, last = data_range(session)
    materialize_holidays(session, first.year, last.year)
    build_days(session)
    build_feature_table(session)


# --- the oracle --------------------------------------------------------------------------------------------------------


def oracle_days(first: date, last: date, weather: pd.DataFrame | None) -> pd.DataFrame:
    """DAYS by hand, day by day."""
    known = dict(public_holidays(range(first.year - 1, last.year + 2)))
    came = {}
    if weather is not None:
        measured = weather[weather["SOURCE"] == "MEASURED"]
        came = {row["DATE"]: row for row in measured.to_dict("records")}
    rows = []
    for at in pd.date_range(first, last).date:
        holiday = [at + timedelta(days=n) in known for n in range(-2, 3)]
        near = holiday[1] or holiday[3] or (at.weekday() == 5 and holiday[4]) or (at.weekday() == 6 and holiday[0])
        row = {
            "DAY": at, "WEEKDAY": at.weekday(), "MONTH": at.month, "DAY_OF_YEAR": at.timetuple().tm_yday,
            "HOLIDAY": int(holiday[2]), "HOLIDAY_NAME": known.get(at), "NEAR_HOLIDAY": int(near),
        }  # fmt: skip
        same_days = [at - timedelta(days=int(365.25 * k + 0.5)) for k in range(1, 31)]
        around = [came[d] for same in same_days for n in range(-7, 8) if (d := same + timedelta(days=n)) in came]
        for column in WEATHER:
            row[column] = came.get(at, {}).get(column, np.nan)
            found = [value for item in around if not np.isnan(value := item[column])]
            row[f"USUAL_{column}"] = float(np.mean(found)) if found else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def oracle_features(station_days: pd.DataFrame, of_days: pd.DataFrame) -> pd.DataFrame:
    """FEATURES by pandas, station by station."""
    parts = []
    for _, part in station_days.sort_values(["STATION_ID", "DAY"]).groupby("STATION_ID"):
        part = part.copy()
        trips = part["TRIPS"].astype(float)
        for lag in (1, 7, 90, 365):
            part[f"LAG_{lag}"] = trips.shift(lag)
        for span in (7, 28, 91, 365):
            part[f"MEAN_{span}"] = trips.rolling(span, min_periods=1).mean()
        part["WEEKDAY_MEAN_4"] = pd.concat([trips.shift(7 * weeks) for weeks in range(4)], axis=1).mean(axis=1)
        part["DAYS_OPEN"] = np.arange(1, len(part) + 1)
        parts.append(part)
    return pd.concat(parts).merge(of_days, on="DAY")


def same(got: DataFrame, wanted: pd.DataFrame, keys: list[str]) -> None:
    """Fails unless a table holds the rows of a frame, in whatever order."""
    ours = got.to_pandas().sort_values(keys).reset_index(drop=True)
    theirs = wanted.sort_values(keys).reset_index(drop=True)[list(ours.columns)]
    for text in ("HOLIDAY_NAME",):
        ours[text] = ours[text].where(ours[text].notna(), None)
        theirs[text] = theirs[text].where(theirs[text].notna(), None)
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=1e-9, atol=1e-9)


def check_against_oracle(session: Session, weather: pd.DataFrame | None) -> None:
    """Compares DAYS and FEATURES, as they were built, with pandas."""
    first, last = data_range(session)
    wanted = oracle_days(first, last + timedelta(days=400), weather)
    assert session.table(names.DAYS).columns == list(calendar.COLUMNS)
    same(session.table(names.DAYS), wanted, ["DAY"])
    assert session.table(names.FEATURES).columns == list(table.COLUMNS)
    station_days = session.table(names.STATION_DAYS).to_pandas()
    same(session.table(names.FEATURES), oracle_features(station_days, wanted), ["STATION_ID", "DAY"])


def test_features_agree_with_pandas(session: Session) -> None:
    random = np.random.default_rng(3)
    rows = series("long", 0, random.poisson(20, 800).tolist())
    rows += series("gap", 100, [5] * 40 + [0] * 31 + [7] * 300)  # a month without a trip
    rows += series("wild", 50, [3] * 200 + [300] + [3] * 100)
    rows += series("closed", 10, [1, 2, 3])
    rows += series("yesterday", 799, [4])
    put_station_days(session, rows)
    weather = weather_rows(day(-500), day(900), measured_to=day(780))
    weather = weather.drop(index=range(600, 607)).reset_index(drop=True)  # a week is lacking
    weather.loc[weather.index % 5 == 0, "SNOW_DEPTH"] = np.nan
    weather["WIND"] = np.nan  # never measured
    put_weather(session, weather)
    build(session)
    check_against_oracle(session, weather)


@pytest.mark.parametrize("weather", [None, "empty", "no year before"])
def test_little_weather_or_none(session: Session, weather: str | None) -> None:
    put_station_days(session, series("S", 0, list(range(30))))
    rows = weather_rows(FIRST, day(60)) if weather else None
    if rows is not None:
        put_weather(session, rows)
        if weather == "empty":
            session.sql(f"DELETE FROM {names.WEATHER}").collect()
            rows = rows[:0]
    build(session)
    check_against_oracle(session, rows)


def test_two_places_of_weather_give_one_row_a_day(session: Session) -> None:
    put_station_days(session, series("S", 0, [1, 2]))
    rows = weather_rows(day(-400), day(1))
    put_weather(session, pd.concat([rows, rows.assign(TEMP=rows["TEMP"] + 10)], ignore_index=True))
    build(session)
    check_against_oracle(session, rows.assign(TEMP=rows["TEMP"] + 5))


def load_and_build(session: Session, folder: Path, weather: pd.DataFrame) -> None:
    make_objects(session)
    load(session, trip_files(folder))
    put_weather(session, weather)
    pipeline.build_features(session)
    check_against_oracle(session, weather)
    assert session.table(names.FEATURES).count() == session.table(names.STATION_DAYS).count() > 1000


def test_the_whole_job_on_synthetic_trips(session: Session, synthetic: tuple[Path, Generated]) -> None:
    load_and_build(session, synthetic[0], weather_rows(date(2016, 1, 1), date(2021, 3, 1)))


@pytest.mark.realdata
@pytest.mark.timeout(300)
@pytest.mark.skipif(not REAL_WEATHER.exists(), reason="the weather file is not there")
def test_the_whole_job_on_real_trips(session: Session, real_trips: Path) -> None:
    found = read_history(REAL_WEATHER).days
    measures = dict(zip(WEATHER, ("TAVG", "TMIN", "TMAX", "PRCP", "SNOW", "SNWD", "AWND"), strict=True))
    weather = pd.DataFrame(
        {"DATE": [item.day for item in found]}
        | {name: [item.values[column] for item in found] for name, column in measures.items()}
    ).astype(dict.fromkeys(measures, float))
    load_and_build(session, real_trips, weather.assign(SOURCE="MEASURED"))


# --- holidays ----------------------------------------------------------------------------------------------------------


def test_holidays_of_country_and_state(session: Session) -> None:
    assert materialize_holidays(session, 2019, 2020) == session.table(names.HOLIDAYS).count() > 40
    assert session.table(names.HOLIDAYS).filter(F.col("HOLIDAY") == "Good Friday").count() == 0
    materialize_holidays(session, 2019, 2020, state="NJ")
    rows = dict(session.table(names.HOLIDAYS).select("DATE", "HOLIDAY").collect())
    assert (rows[date(2020, 7, 4)], rows[date(2020, 7, 3)]) == ("Independence Day", "Independence Day (observed)")
    assert rows[date(2020, 4, 10)] == "Good Friday"  # New Jersey's, not New York's
    assert max(rows).year == 2022


@pytest.mark.parametrize(("chosen", "found"), [("", ("US", None)), ("DE-BE", ("DE", "BE")), ("FR", ("FR", None))])
def test_the_environment_chooses_whose_holidays(chosen: str, found: tuple[str, str | None]) -> None:
    code = "from tripcast.sources.holidays import COUNTRY, STATE; print((COUNTRY, STATE))"
    environment = {**os.environ, "TRIPCAST_HOLIDAYS": chosen}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == str(found)


def test_unknown_places_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no state 'XX' in US: use one of .*NJ"):
        public_holidays([2020], state="XX")
    with pytest.raises(ValueError, match="country 'ATLANTIS': use an ISO 3166 code"):
        public_holidays([2020], country="ATLANTIS")


# --- the frame ---------------------------------------------------------------------------------------------------------


def test_frame_has_the_next_days_of_open_stations(session: Session) -> None:
    cutoff = 100
    rows = series("open", 0, [3] * 200)
    rows += series("quiet", 0, [3] * 70 + [0] * 129 + [1])  # its last trip before the cutoff is 31 days old
    rows += series("rare", 0, [3] * 71 + [0] * 128 + [1])  # 30 days
    rows += series("closing", 0, [3] * 99)  # has no row at the cutoff, but who knew?
    rows += series("long closed", 0, [3] * 60)
    rows += series("opened", cutoff, [1] * 100)
    rows += series("to open", cutoff + 1, [9] * 99)
    put_station_days(session, rows)
    weather = weather_rows(day(-800), day(400))
    put_weather(session, weather)
    build(session)
    got = forecast_frame(session, [day(cutoff)], 30)
    assert got.columns == list(frame.COLUMNS)
    wanted = pd.MultiIndex.from_product(
        [["open", "rare", "closing", "opened"], range(1, 31)], names=["STATION_ID", "H"]
    ).to_frame(index=False)
    wanted["CUTOFF"] = day(cutoff)
    wanted["DAY"] = [day(cutoff + h) for h in wanted["H"]]
    of_days = oracle_days(day(cutoff), day(cutoff + 30), weather)
    same(got, wanted.merge(of_days, on="DAY"), ["STATION_ID", "H"])
    usual = of_days.drop(columns=list(WEATHER)).rename(columns={f"USUAL_{column}": column for column in WEATHER})
    same(forecast_frame(session, [day(cutoff)], 30, "usual"), wanted.merge(usual, on="DAY"), ["STATION_ID", "H"])

    both = forecast_frame(session, [day(199), day(cutoff), day(cutoff)], 2)
    stations = {row["CUTOFF"]: row["N"] for row in both.group_by("CUTOFF").agg(F.count("H").alias("N")).collect()}
    # at the end of the data open, quiet, rare, opened and to open have had a trip lately
    assert stations == {day(cutoff): 8, day(199): 10}
    end = forecast_frame(session, [day(199)], frame.MAX_H, "usual")
    assert end.filter(F.col("TEMP").is_null()).count() == 0
    assert (
        forecast_frame(session, [day(199)], 1).count()
        == session.table(names.STATION_DAYS).filter(F.col("DAY") == F.lit(day(199))).count()
    ), f"as STATION_DAYS, which also closes after {CLOSED_AFTER_DAYS} days"


def test_frame_without_weather(session: Session) -> None:
    put_station_days(session, series("S", 0, [1, 2, 3]))
    build(session)
    for weather in ("actual", "usual"):
        rows = forecast_frame(session, [day(2)], 3, weather).collect()  # type: ignore[arg-type]
        assert [(row["H"], row["TEMP"], row["WIND"]) for row in sorted(rows)] == [(h, None, None) for h in (1, 2, 3)]


@pytest.mark.parametrize(
    ("cutoffs", "h", "weather", "message"),
    [
        ([30], 7, "actual", "cutoff 2019-01-31 is after the last day of the data, 2019-01-30"),
        ([9999], 7, "actual", "cutoff 2046-05-18 is after the last day"),
        ([5, -1], 7, "actual", "cutoff 2018-12-31 is before the first day of the data, 2019-01-01"),
        ([], 7, "actual", "there is no cutoff"),
        ([5], 0, "actual", "h is 0: it must be 1 to 358 days"),
        ([5], 359, "actual", "h is 359: it must be 1 to 358 days"),
        ([5], 7, "sunny", "weather is 'sunny': it must be 'actual' or 'usual'"),
    ],
)
def test_frames_that_make_no_sense(session: Session, cutoffs: list[int], h: int, weather: str, message: str) -> None:
    put_station_days(session, series("S", 0, [1] * 30))
    with pytest.raises(ValueError, match=message):
        forecast_frame(session, [day(number) for number in cutoffs], h, weather)  # type: ignore[arg-type]


def test_without_station_days_it_says_so(session: Session) -> None:
    session.sql(f"CREATE TABLE {names.STATION_DAYS} (STATION_ID VARCHAR, DAY DATE, TRIPS NUMBER(9, 0))").collect()
    with pytest.raises(ValueError, match="STATION_DAYS is empty: load trips first"):
        build_days(session)
    with pytest.raises(ValueError, match="STATION_DAYS is empty: load trips first"):
        forecast_frame(session, [FIRST], 7)


# --- nothing from the future -------------------------------------------------------------------------------------------

DAYS = 430
LAWS = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
cuts = st.integers(0, DAYS - 2)
salts = st.integers(0, 10**6)


@dataclass(frozen=True)
class World:
    """Stations and weather of some years, and what is computed from them."""

    session: Session
    trips: DataFrame
    sky: DataFrame
    features: pd.DataFrame
    days: pd.DataFrame

    def days_under(self, sky: DataFrame) -> DataFrame:
        return days(self.session, FIRST, day(DAYS + 400), self.session.table(names.HOLIDAYS), sky)


@pytest.fixture(scope="module")
def world(warehouse: Warehouse) -> Iterator[World]:
    with Session.builder.configs(warehouse.connection_parameters).create() as session:
        session.sql("CREATE OR REPLACE DATABASE FEATURES_LAWS").collect()
        random = np.random.default_rng(9)
        rows = series("A", 0, random.poisson(9, DAYS).tolist())
        rows += series("B", 30, random.poisson(0.05, DAYS - 30).tolist())
        rows += series("C", 200, random.poisson(2, 150).tolist())
        put_station_days(session, rows)
        put_weather(session, weather_rows(day(-900), day(DAYS + 400)))
        materialize_holidays(session, FIRST.year, FIRST.year + 1)
        build_days(session)
        trips, sky = session.table(names.STATION_DAYS), session.table(names.WEATHER)
        made = features(trips, session.table(names.DAYS))
        yield World(session, trips, sky, up_to(made, day(DAYS)), up_to(session.table(names.DAYS), day(DAYS + 400)))


def up_to(rows: DataFrame, last: date) -> pd.DataFrame:
    """The rows up to a day, in order."""
    found = rows.filter(F.col("DAY") <= F.lit(last)).to_pandas()
    keys = [key for key in ("STATION_ID", "DAY") if key in found]
    return found.sort_values(keys).reset_index(drop=True)


def unchanged(before: pd.DataFrame, after: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(before.reset_index(drop=True), after, check_exact=True, check_dtype=False)


def another_future(trips: DataFrame, cut: date, how: str, salt: int) -> DataFrame:
    """Station-days with others after a day: other counts, the same a day later, all or some stations closed."""
    past, future = trips.filter(F.col("DAY") <= F.lit(cut)), trips.filter(F.col("DAY") > F.lit(cut))
    if how == "other counts":
        noise = F.abs(F.hash("STATION_ID", "DAY", F.lit(salt))) % 500
        future = future.select("STATION_ID", "DAY", noise.alias("TRIPS"), F.floor(noise / 2).alias("CASUAL_TRIPS"))
    elif how == "shifted":
        later = F.dateadd("day", F.lit(1), F.col("DAY")).cast("DATE")
        now = past.filter(F.col("DAY") == F.lit(cut)).select(
            "STATION_ID",
            F.lit(cut + timedelta(days=1)).alias("DAY"),
            F.lit(77).alias("TRIPS"),
            F.lit(7).alias("CASUAL_TRIPS"),
        )
        future = future.select("STATION_ID", later.alias("DAY"), "TRIPS", "CASUAL_TRIPS").union_all(now)
    elif how == "closed":
        future = future.filter(F.col("STATION_ID") == F.lit("ABC"[salt % 3]))
    elif how == "nothing":
        return past
    return past.union_all(future)


futures = st.sampled_from(["other counts", "shifted", "closed", "nothing"])


def another_sky(sky: DataFrame, cut: date, lost: bool, salt: int) -> DataFrame:
    """Weather with other days after a day, or without them."""
    seen = F.col("DATE") <= F.lit(cut)
    if lost:
        return sky.filter(seen)
    noise = (F.abs(F.hash("DATE", F.lit(salt))) % 200).cast("FLOAT") / 2
    return sky.select("DATE", *[F.iff(seen, F.col(column), noise).alias(column) for column in WEATHER], "SOURCE")


@given(cut=cuts, how=futures, salt=salts)
@LAWS
def test_no_feature_of_a_day_changes_with_later_days(world: World, cut: int, how: str, salt: int) -> None:
    otherwise = features(another_future(world.trips, day(cut), how, salt), world.session.table(names.DAYS))
    unchanged(world.features[world.features["DAY"] <= day(cut)], up_to(otherwise, day(cut)))


@given(cut=cuts, lost=st.booleans(), salt=salts)
@LAWS
def test_no_weather_of_a_day_changes_with_later_days(world: World, cut: int, lost: bool, salt: int) -> None:
    # what is usual stands as long beforehand as a forecast may reach
    reach = day(cut + frame.MAX_H)
    otherwise = up_to(world.days_under(another_sky(world.sky, day(cut), lost, salt)), reach)
    before = world.days[world.days["DAY"] <= reach]
    usual = ["DAY", *calendar.CALENDAR, *calendar.USUAL]
    unchanged(before[usual], otherwise[usual])
    assert otherwise["USUAL_TEMP"].notna().all()
    unchanged(before[before["DAY"] <= day(cut)], otherwise[otherwise["DAY"] <= day(cut)])


@given(cut=cuts, how=futures, lost=st.booleans(), salt=salts)
@LAWS
def test_no_frame_changes_with_later_days(world: World, cut: int, how: str, lost: bool, salt: int) -> None:
    cutoff, far = day(cut), day(DAYS + 400)
    stored = world.session.table(names.DAYS)
    trips = another_future(world.trips, cutoff, how, salt)
    under_another_sky = world.days_under(another_sky(world.sky, cutoff, lost, salt))
    before = up_to(days_ahead(world.trips, stored, [cutoff], frame.MAX_H, "usual"), far)
    unchanged(before, up_to(days_ahead(trips, under_another_sky, [cutoff], frame.MAX_H, "usual"), far))
    came = up_to(days_ahead(trips, stored, [cutoff], 20), far)
    assert len(came) * frame.MAX_H == len(before) * 20 > 0
    expected = world.days.set_index("DAY").loc[came["DAY"], list(WEATHER)].reset_index(drop=True)
    unchanged(expected, came[list(WEATHER)])
