"""Synthetic FEATURES rows for tests of the model ``lightgbm``; and the real ones, without a warehouse."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from tripcast.models.base import WEATHER
from tripcast.sources.holidays import public_holidays
from tripcast.sources.weather import read_history

USUAL = tuple(f"USUAL_{name}" for name in WEATHER)


def weather_of(days: pd.DatetimeIndex, random: np.random.Generator) -> pd.DataFrame:
    """DAY and the weather columns of DAYS: a turn of the year, rain on one day in three."""
    count = len(days)
    usual = 55 - 22 * np.cos(2 * np.pi * days.dayofyear.to_numpy() / 365.25)
    warm = usual + random.normal(0, 7, count)
    rain = np.where(random.random(count) < 0.33, random.gamma(0.8, 0.5, count), 0)
    frame = pd.DataFrame(
        {
            "DAY": days,
            "TEMP": warm,
            "TEMP_MIN": warm - 7,
            "TEMP_MAX": warm + 7,
            "PRECIPITATION": rain,
            "SNOWFALL": 0.0,
            "SNOW_DEPTH": 0.0,
            "WIND": 5.0,
            "USUAL_TEMP": usual,
            "USUAL_TEMP_MIN": usual - 7,
            "USUAL_TEMP_MAX": usual + 7,
            "USUAL_PRECIPITATION": rain.mean(),
            "USUAL_SNOWFALL": 0.0,
            "USUAL_SNOW_DEPTH": 0.0,
            "USUAL_WIND": 5.0,
            "HOLIDAY": ((days.month == 7) & (days.day == 4)).astype(float),
            "HOLIDAY_NAME": np.where((days.month == 7) & (days.day == 4), "Independence Day", None),
            "NEAR_HOLIDAY": 0.0,
        }
    )
    return frame


def synthetic(stations: int = 12, days: int = 700, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trips with a week, a year and weather, a fifth of them by casual riders: rows of FEATURES, and of DAYS."""
    random = np.random.default_rng(seed)
    index = pd.date_range("2018-01-01", periods=days)
    weather = weather_of(index, random)
    weekend = (index.dayofweek >= 5).astype(float)
    effect = (
        -0.5 * weekend
        + 0.5 * (weather.TEMP_MAX.to_numpy() - 60) / 20
        - 0.5 * np.log1p(2 * weather.PRECIPITATION.to_numpy())
    )
    size = random.uniform(5, 60, stations)
    lean = random.normal(0, 0.2, stations)  # a station is more of a weekend's than another
    mean = size[:, None] * np.exp(effect[None] + lean[:, None] * weekend[None])
    trips = random.poisson(mean)
    known = pd.DataFrame(
        {
            "STATION_ID": np.repeat([f"S{number:04d}" for number in range(stations)], days).astype(object),
            "DAY": np.tile(index.to_numpy(), stations),
            "TRIPS": trips.ravel().astype(np.float32),
            "CASUAL_TRIPS": random.binomial(trips.ravel(), 0.2).astype(np.float32),
        }
    )
    return known.merge(weather, on="DAY").sort_values(["STATION_ID", "DAY"], ignore_index=True), weather


def split(
    rows: pd.DataFrame, days: pd.DataFrame, cutoff: pd.Timestamp, h: int, weather: str = "actual"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``known`` and ``future`` of a cutoff; every station that has a row in the last 30 days is asked for."""
    known = rows[cutoff >= rows.DAY].reset_index(drop=True)
    stations = known.loc[cutoff - pd.Timedelta(days=30) < known.DAY, "STATION_ID"].unique()
    ahead = pd.date_range(cutoff + pd.Timedelta(days=1), periods=h)
    future = pd.DataFrame(
        {
            "STATION_ID": np.repeat(stations, h),
            "DAY": np.tile(ahead.to_numpy(), len(stations)),
            "H": np.tile(np.arange(1, h + 1), len(stations)),
        }
    ).merge(days, on="DAY", how="left")
    if weather == "usual":
        for name in WEATHER:
            future[name] = future[f"USUAL_{name}"]
    future = future.drop(columns=[name for name in USUAL if name in future])
    future = future.sort_values(["STATION_ID", "H"], ignore_index=True)
    future.attrs["weather"] = weather
    return known, future


def seasonal_naive(known: pd.DataFrame, future: pd.DataFrame) -> np.ndarray:
    """The last week again."""
    last = known.DAY.max()
    seen = known.set_index(["STATION_ID", "DAY"]).TRIPS
    back = [last - pd.Timedelta(days=6 - (h - 1) % 7) for h in future.H]
    return seen.reindex(pd.MultiIndex.from_arrays([future.STATION_ID, back])).fillna(0).to_numpy()


def real(trips: Path, weather: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same of the published files, by pandas: stations are their names."""
    starts = []
    for file in sorted(trips.glob("*.zip")):
        with zipfile.ZipFile(file) as archive:
            part = next(name for name in archive.namelist() if name.endswith(".csv") and not name.startswith("__"))
            with archive.open(part) as lines:
                rows = pd.read_csv(lines, usecols=lambda name: _plain(name) in _NEEDED, dtype=str)
        rows.columns = [_NEEDED[_plain(name)] for name in rows.columns]
        rows["STARTED"] = pd.to_datetime(rows["STARTED"].str[:19])
        starts.append(rows)
    # the files of September and October 2020 share days
    rides = pd.concat(starts, ignore_index=True)
    rides = rides[~(rides.BIKE.notna() & rides.duplicated())].dropna(subset=["STATION_ID", "STARTED"])
    rides["CASUAL"] = rides.KIND.isin(["Customer", "casual"])
    days = ["STATION_ID", rides.STARTED.dt.normalize().rename("DAY")]
    counts = rides.groupby(days).agg(TRIPS=("CASUAL", "size"), CASUAL_TRIPS=("CASUAL", "sum")).astype(np.float32)
    last = counts.index.get_level_values("DAY").max()
    parts = []
    for station, by_day in counts.groupby(level=0):
        by_day = by_day.droplevel(0)
        until = last if by_day.index.max() >= last - pd.Timedelta(days=30) else by_day.index.max()
        filled = by_day.reindex(pd.date_range(by_day.index.min(), until), fill_value=0)
        parts.append(filled.rename_axis("DAY").reset_index().assign(STATION_ID=station))
    station_days = pd.concat(parts, ignore_index=True)
    days = _real_days(weather, station_days.DAY.min(), last)
    return station_days.merge(days, on="DAY").sort_values(["STATION_ID", "DAY"], ignore_index=True), days


_NEEDED = {
    "starttime": "STARTED",
    "startedat": "STARTED",
    "startstationname": "STATION_ID",
    "bikeid": "BIKE",
    "usertype": "KIND",
    "membercasual": "KIND",
}


def _plain(name: str) -> str:
    return name.lower().replace(" ", "").replace("_", "").strip('"')


def _real_days(weather: Path, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """DAYS with measured and usual weather."""
    history = read_history(weather)
    names = ("TAVG", "TMIN", "TMAX", "PRCP", "SNOW", "SNWD", "AWND")  # in the order of WEATHER
    measured = pd.DataFrame(
        [[day.values.get(name) for name in names] for day in history.days],
        index=pd.to_datetime([day.day for day in history.days]),
        columns=list(WEATHER),
        dtype=float,
    )
    index = pd.date_range(first, last)
    around = measured.reindex(pd.date_range(measured.index.min(), last)).rolling(15, center=True, min_periods=1).mean()
    years = []
    for year in range(1, 13):
        earlier = around.copy()
        earlier.index = earlier.index + pd.Timedelta(days=round(365.25 * year))
        years.append(earlier.reindex(index).to_numpy())
    found = measured.reindex(index)
    found[list(USUAL)] = np.nanmean(np.array(years), axis=0)
    holidays = dict(public_holidays(range(first.year, last.year + 1)))
    found["HOLIDAY_NAME"] = [holidays.get(day.date()) for day in index]
    found["HOLIDAY"] = found["HOLIDAY_NAME"].notna().astype(float)
    beside = found["HOLIDAY"].shift(1, fill_value=0) + found["HOLIDAY"].shift(-1, fill_value=0)
    found["NEAR_HOLIDAY"] = (beside > 0).astype(float)
    return found.rename_axis("DAY").reset_index()
