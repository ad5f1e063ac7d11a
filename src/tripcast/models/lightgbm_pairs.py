"""Rows that the boosters of the model ``lightgbm`` learn from and forecast: a station, an origin day, a day ahead of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tripcast.models.base import WEATHER
from tripcast.models.lightgbm_levels import HOLIDAY, LEVEL, RAIN, SEASON, TEMPERATURE, WEEKDAY, Design
from tripcast.models.lightgbm_panel import Days, Floats, Ints, Panel
from tripcast.models.lightgbm_riders import RiderLevels

TREND, HORIZON = "recent trend", "horizon"
YEAR = 364  # the same weekday

# name -> group in explanations, in the order of columns
COLUMNS: dict[str, str] = {
    "size": LEVEL,
    "mean_7": TREND,
    "mean_28": TREND,
    "mean_91": TREND,
    "mean_365": TREND,
    "weekday_mean_4": WEEKDAY,
    "weekday_mean_13": WEEKDAY,
    "last_year_step": SEASON,
    "last_year_station_step": SEASON,
    "last_year_day": SEASON,
    "horizon": HORIZON,
    "weekday": WEEKDAY,
    "season_sine": SEASON,
    "season_cosine": SEASON,
    "holiday": HOLIDAY,
    "near_holiday": HOLIDAY,
    "year_end": HOLIDAY,
    **{f"day_{name.lower()}": TEMPERATURE if name.startswith("TEMP") else RAIN for name in WEATHER},
    "rain_before": RAIN,
    "warmer_than_month": TEMPERATURE,
    "month_temperature": TEMPERATURE,
    "month_rain": RAIN,
}
HORIZON_COLUMN = list(COLUMNS).index("horizon")
_TEMP, _RAIN_COLUMN = WEATHER.index("TEMP_MAX"), WEATHER.index("PRECIPITATION")
# of a mean day: its rain, snow and wind say nothing of one day's
_WET = [WEATHER.index(name) for name in ("PRECIPITATION", "SNOWFALL", "SNOW_DEPTH", "WIND")]


class Sums:
    """Means over windows of days in constant time, by sums over all days before.

    Args:
        values: (series, days), NaN where there is none.
    """

    def __init__(self, values: Floats) -> None:
        self._days = values.shape[1]
        start = np.zeros((len(values), 1))
        self._sum = np.concatenate([start, np.nancumsum(values, axis=1, dtype=np.float64)], axis=1)
        self._count = np.concatenate([start, np.isfinite(values).cumsum(1)], axis=1).astype(np.int32)

    def mean(self, series: Ints | int, last: Ints, days: int) -> Floats:
        """Mean of so many days up to ``last``; NaN without any, or where ``last`` is not among the days."""
        high, low = np.clip(last + 1, 0, self._days), np.clip(last + 1 - days, 0, self._days)
        count = self._count[series, high] - self._count[series, low]
        total = self._sum[series, high] - self._sum[series, low]
        return np.divide(total, count, out=np.full(len(last), np.nan), where=(count > 0) & (last < self._days))


class Pairs:
    """Makes the columns.

    Args:
        panel: the days up to the cutoff.
        levels: their states.
    """

    def __init__(self, panel: Panel, levels: RiderLevels) -> None:
        self._levels = levels
        self._all = levels.all
        self._trips = panel.trips
        self._sums = Sums(panel.trips)
        open_size = levels.all.size.astype(np.float32) @ np.isfinite(panel.trips)
        total = np.nansum(panel.trips, axis=0, dtype=np.float64)
        self._system = Sums((total / np.maximum(open_size, 1e-6))[None])
        self._weather = Sums(panel.days.weather.T)

    def columns(
        self, days: Days, designs: tuple[Design, Design], station: Ints, origin: Ints, day: Ints
    ) -> tuple[Floats, Floats]:
        """The matrix for many rows, and what the levels alone forecast.

        Args:
            days: the panel's days and those after it.
            designs: ``levels.designs(days)``.
            station, origin, day: of each row; day > origin.

        Returns:
            (rows, COLUMNS) float32, and trips.
        """
        base = self._levels.forecast(designs, station, origin, day)
        found = np.empty((len(station), len(COLUMNS)), np.float32)
        for column, values in enumerate(self._values(days, station, origin, day, base)):
            found[:, column] = values
        return found, base

    def _values(self, days: Days, station: Ints, origin: Ints, day: Ints, base: Floats) -> Iterator[Any]:
        # what the levels make of a usual day of this station: the scale of the means
        scale = self._all.size[station] * np.exp(self._all.index[origin, 0]) + 0.1
        yield np.log(base)
        for span in (7, 28, 91, 365):
            yield (self._sums.mean(station, origin, span) + 0.1) / scale
        for weeks in (4, 13):
            yield (self._weekday_mean(station, origin, day, weeks) + 0.1) / (base + 0.1)
        old = origin - YEAR >= 27
        month = self._system.mean(0, origin - YEAR, 28) + 1e-3
        yield np.where(old, self._system.mean(0, day - YEAR + 3, 7) / month, np.nan)
        before = self._sums.mean(station, origin - YEAR, 28)
        yield np.where(old, (self._sums.mean(station, day - YEAR + 7, 15) + 0.5) / (before + 0.5), np.nan)
        yield np.where(old, self._system.mean(0, day - YEAR, 1) / month, np.nan)
        yield day - origin
        yield days.weekday[day]
        yield np.sin(days.year_angle[day])
        yield np.cos(days.year_angle[day])
        yield days.holiday[day]
        yield days.near_holiday[day]
        yield days.year_end[day]
        for column in range(len(WEATHER)):
            values = days.weather[day, column]
            yield np.where(days.usual[day], np.nan, values) if column in _WET else values
        yield np.where(days.usual[day], np.nan, days.weather[day - 1, _RAIN_COLUMN])
        warmth = self._weather.mean(_TEMP, origin, 28)
        yield days.weather[day, _TEMP] - warmth
        yield warmth
        yield self._weather.mean(_RAIN_COLUMN, origin, 28)

    def _weekday_mean(self, station: Ints, origin: Ints, day: Ints, weeks: int) -> Floats:
        """Mean of the last same weekdays up to the origin."""
        last = day - 7 * ((day - origin + 6) // 7)
        total, count = np.zeros(len(station)), np.zeros(len(station))
        for week in range(weeks):
            at = last - 7 * week
            seen = self._trips[station, np.maximum(at, 0)]
            ok = np.isfinite(seen) & (at >= 0)
            total += np.where(ok, seen, 0)
            count += ok
        return np.divide(total, count, out=np.full(len(station), np.nan), where=count > 0)
