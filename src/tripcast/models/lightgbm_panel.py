"""Trips and weather of all stations as arrays, for the model ``lightgbm``: what pandas rows hold, by station and day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from tripcast.models.base import WEATHER

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

USUAL = tuple(f"USUAL_{name}" for name in WEATHER)
CALENDAR = ("HOLIDAY", "NEAR_HOLIDAY")
CASUAL_TRIPS = "CASUAL_TRIPS"

# A day counts for at most so many times what nine of ten days of the station stay below, and at least for so many trips:
# a day with a hundred times the trips is an error or an event, and says nothing of the days after it.
_FAR = 4.0
_FAR_AT_LEAST = 20.0


@dataclass(frozen=True)
class Days:
    """What is known of each day.

    Args:
        day: datetime64[D], without gaps.
        weekday: 0 for Monday.
        year_angle: radians since the first of January, a turn a year.
        holiday, near_holiday: 0 or 1.
        holiday_name: '' on other days.
        weather: (days, WEATHER), NaN where unknown.
        usual: whether it is the usual weather of the day, a mean over years, and not that of one day; by day.
    """

    day: npt.NDArray[np.datetime64]
    weekday: Ints
    year_angle: Floats
    holiday: Floats
    near_holiday: Floats
    holiday_name: npt.NDArray[np.object_]
    weather: Floats
    usual: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.day)

    @property
    def year_end(self) -> npt.NDArray[np.bool_]:
        """Days from Christmas Eve to New Year's Day: holidays and what lies between them."""
        month = self.day.astype("datetime64[M]")
        day = (self.day - month.astype("datetime64[D]")).astype(np.int64) + 1
        of_year = month.astype(np.int64) % 12 + 1
        return ((of_year == 12) & (day >= 24)) | ((of_year == 1) & (day == 1))


@dataclass(frozen=True)
class Panel:
    """The days up to a cutoff.

    Args:
        stations: sorted ids.
        trips: (stations, days) without what is far out; NaN before the first day of a station and after its last.
        casual: those of them by riders without a membership; None where that is not known.
        days: with the weather that came.
        usual_days: the same with the weather one would have had.
    """

    stations: npt.NDArray[np.object_]
    trips: Floats
    casual: Floats | None
    days: Days
    usual_days: Days

    def rows_of(self, stations: npt.NDArray[np.object_]) -> Ints:
        """Row of each station; -1 where it is not known."""
        return pd.Index(self.stations).get_indexer(pd.Index(stations)).astype(np.int64)


def panel_of(known: pd.DataFrame) -> Panel:
    """Arrays of the rows of FEATURES, see ``Learner.fit``."""
    codes, stations = pd.factorize(known["STATION_ID"], sort=True)
    day = known["DAY"].to_numpy().astype("datetime64[D]")
    first = day.min()
    at = (day - first).astype(np.int64)
    count = int(at.max()) + 1
    trips = np.full((len(stations), count), np.nan, np.float32)
    trips[codes, at] = known["TRIPS"].to_numpy(np.float32)
    kept = without_far_days(trips)
    casual = None
    if CASUAL_TRIPS in known and known[CASUAL_TRIPS].notna().any():
        casual = np.full_like(trips, np.nan)
        casual[codes, at] = known[CASUAL_TRIPS].to_numpy(np.float32, na_value=0)
        # what is taken off an unlikely day is taken off in proportion
        casual *= np.divide(kept, trips, out=np.ones_like(trips), where=trips > 0)
        casual = np.minimum(casual, kept)
    frame = known.iloc[_row_of_each(at, count)]
    index = first + np.arange(count)
    seen = np.bincount(at, minlength=count) > 0
    return Panel(
        np.asarray(stations, object),
        kept,
        casual,
        days_of(frame, index, seen, WEATHER, False),
        days_of(frame, index, seen, USUAL, True),
    )


def _row_of_each(at: Ints, count: int) -> Ints:
    """Position of one row of each day; of days without a row, of any."""
    rows = np.zeros(count, np.int64)
    rows[at] = np.arange(len(at))
    return rows


def days_of(
    frame: pd.DataFrame,
    day: npt.NDArray[np.datetime64],
    seen: npt.NDArray[np.bool_],
    weather: tuple[str, ...],
    usual: bool,
) -> Days:
    """The columns of DAYS as arrays.

    Args:
        frame: a row for each day.
        day: datetime64[D].
        seen: whether the row is of this day; else nothing but the calendar is known.
        weather: names of the columns that hold the weather; one that is absent is unknown.
        usual: whether that is the usual weather.
    """
    since = (day - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)

    def column(name: str, missing: float) -> Floats:
        if name not in frame:
            return np.full(len(day), missing, np.float32)
        values = frame[name].to_numpy(np.float32, na_value=np.nan)
        return np.where(seen & np.isfinite(values), values, np.float32(missing))

    names = np.full(len(day), "", object)
    if "HOLIDAY_NAME" in frame:
        named = seen & frame["HOLIDAY_NAME"].notna().to_numpy()
        names[named] = frame["HOLIDAY_NAME"].to_numpy(object)[named]
    return Days(
        day=day,
        weekday=(day.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday
        year_angle=2 * np.pi * since / 365.25,
        holiday=column("HOLIDAY", 0.0),
        near_holiday=column("NEAR_HOLIDAY", 0.0),
        holiday_name=names,
        weather=np.stack([column(name, np.nan) for name in weather], axis=1),
        usual=np.full(len(day), usual),
    )


def future_days(future: pd.DataFrame, cutoff: np.datetime64) -> tuple[Days, Ints]:
    """The days after a cutoff up to the last to forecast, and which of them each row of ``future`` is of.

    Raises:
        ValueError: a day is not after the cutoff.
    """
    day = future["DAY"].to_numpy().astype("datetime64[D]")
    at = (day - cutoff).astype(np.int64) - 1
    if at.min() < 0:
        raise ValueError(f"{day.min()} is no day to forecast: days up to {cutoff} are known")
    count = int(at.max()) + 1
    frame = future.iloc[_row_of_each(at, count)]
    seen = np.bincount(at, minlength=count) > 0
    usual = future.attrs.get("weather") == "usual"
    return days_of(frame, cutoff + 1 + np.arange(count), seen, WEATHER, usual), at


def joined(first: Days, then: Days) -> Days:
    """Days and the days after them."""
    parts = {name: np.concatenate([getattr(first, name), getattr(then, name)]) for name in first.__dataclass_fields__}
    return Days(**parts)


def without_far_days(trips: Floats) -> Floats:
    """Trips with days far above a station's others lowered to what is credible.

    Args:
        trips: (stations, days), NaN where closed.
    """
    ordered = np.sort(trips, axis=1)  # NaN last
    count = np.isfinite(trips).sum(axis=1)
    place = np.maximum((0.9 * (count - 1)).astype(np.int64), 0)
    high = ordered[np.arange(len(trips)), place]
    limit = np.maximum(_FAR * high, _FAR_AT_LEAST)[:, None].astype(np.float32)
    return np.minimum(trips, limit)  # NaN stays
