"""Small made-up station-days, and DAYS and FEATURES as training reads them, for tests of training."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
from snowflake.snowpark import Session

from tripcast.models.base import WEATHER, Learner

FIRST = date(2019, 1, 1)


def days_of(count: int, ahead: int = 60) -> pd.DataFrame:
    """DAYS for ``count`` days from FIRST on, and some ahead; the weather that came ends with ``count``."""
    days = pd.date_range(FIRST, periods=count + ahead)
    random = np.random.default_rng(1)
    season = np.sin((days.dayofyear.to_numpy() - 105) / 365.25 * 2 * np.pi)
    rain = np.where(random.random(len(days)) < 0.3, random.gamma(1.0, 0.4, len(days)), 0.0)
    weather = {
        "TEMP": 55 + 22 * season + random.normal(0, 6, len(days)),
        "PRECIPITATION": rain,
        "WIND": random.gamma(8.0, 1.0, len(days)),
    }
    weather["TEMP_MIN"], weather["TEMP_MAX"] = weather["TEMP"] - 8, weather["TEMP"] + 8
    weather["SNOWFALL"] = weather["SNOW_DEPTH"] = np.zeros(len(days))
    usual = {"TEMP": 55 + 22 * season, "PRECIPITATION": np.full(len(days), 0.12), "WIND": np.full(len(days), 8.0)}
    usual["TEMP_MIN"], usual["TEMP_MAX"] = usual["TEMP"] - 8, usual["TEMP"] + 8
    usual["SNOWFALL"] = usual["SNOW_DEPTH"] = np.zeros(len(days))
    made = pd.DataFrame(
        {
            "DAY": days,
            "WEEKDAY": days.dayofweek,
            "MONTH": days.month,
            "DAY_OF_YEAR": days.dayofyear,
            "HOLIDAY": ((days.month == 7) & (days.day == 4)).astype(int),
            "HOLIDAY_NAME": [("Independence Day" if (day.month, day.day) == (7, 4) else None) for day in days],
            "NEAR_HOLIDAY": ((days.month == 7) & np.isin(days.day, (3, 5))).astype(int),
        }
    )
    for column in WEATHER:
        made[column] = np.where(np.arange(len(days)) < count, weather[column], np.nan)
        made[f"USUAL_{column}"] = usual[column]
    return made


def station_days(days: pd.DataFrame, count: int, stations: int = 4, seed: int = 0) -> pd.DataFrame:
    """STATION_ID, DAY, TRIPS, CASUAL_TRIPS: a weekly course that rain halves; station n opens n weeks after FIRST."""
    random = np.random.default_rng(seed)
    known = days.iloc[:count]
    weekday = np.array([1.0, 1.1, 1.1, 1.0, 0.9, 0.6, 0.5])[known["WEEKDAY"]]
    course = weekday * np.where(known["PRECIPITATION"] > 0.05, 0.5, 1.0) * np.exp((known["TEMP"] - 55) / 60)
    parts = []
    for number in range(stations):
        rows = pd.DataFrame({"STATION_ID": f"S{number}", "DAY": known["DAY"]})
        rows["TRIPS"] = random.poisson((10 + 10 * number) * course)
        rows["CASUAL_TRIPS"] = rows["TRIPS"] // 5
        parts.append(rows.iloc[7 * number :])
    return pd.concat(parts, ignore_index=True)


def put(session: Session, days: pd.DataFrame, trips: pd.DataFrame) -> None:
    """Writes DAYS, STATION_DAYS and, with one feature, FEATURES."""
    ordered = trips.sort_values(["STATION_ID", "DAY"]).reset_index(drop=True)
    by_station = ordered.groupby("STATION_ID")["TRIPS"]
    features = ordered.assign(
        MEAN_28=by_station.rolling(28, min_periods=1).mean().to_numpy(), DAYS_OPEN=by_station.cumcount() + 1
    )
    for name, frame in (("DAYS", days), ("STATION_DAYS", ordered), ("FEATURES", features)):
        written = frame.assign(DAY=pd.to_datetime(frame["DAY"]).dt.date)
        session.write_pandas(written, name, auto_create_table=True, overwrite=True, use_logical_type=True)


def cut(
    learner: Learner, days: pd.DataFrame, trips: pd.DataFrame, cutoff: date, h: int, weather: str = "actual"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the warehouse hands a learner, by pandas: known and future."""
    columns = [column for column in learner.columns if column in days]
    moment = pd.Timestamp(cutoff)
    known = trips[trips["DAY"] <= moment]
    if learner.history is not None:
        known = known[known["DAY"] > moment - pd.Timedelta(days=learner.history)]
    known = known.merge(days[["DAY", *columns]], on="DAY").sort_values(["STATION_ID", "DAY"]).reset_index(drop=True)
    numbers = [column for column in known if known[column].dtype.kind in "if"]
    known[numbers] = known[numbers].astype(np.float32)
    ids = sorted(known.loc[known["DAY"] == moment, "STATION_ID"].unique())
    future = pd.DataFrame(
        [(name, moment + pd.Timedelta(days=step), step) for name in ids for step in range(1, h + 1)],
        columns=["STATION_ID", "DAY", "H"],
    )
    source = days.copy()
    if weather == "usual":
        for column in WEATHER:
            source[column] = source[f"USUAL_{column}"]
    shown = [column for column in columns if not column.startswith("USUAL_")]
    future = future.merge(source[["DAY", *shown]], on="DAY").sort_values(["STATION_ID", "H"]).reset_index(drop=True)
    numbers = [column for column in shown if future[column].dtype.kind in "if"]
    future[numbers] = future[numbers].astype(np.float32)
    future.attrs["weather"] = weather
    return known, future


def day(number: int) -> date:
    """The day so many after FIRST."""
    return FIRST + timedelta(days=number)
