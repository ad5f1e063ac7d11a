"""The level of the system and each station's part of it, as of every day: dynamic linear models (West and Harrison 1997).

Trips of station ``s`` on day ``t`` are about ``size[s] * index[t]``: the index is what all stations have in common, and is
not moved by stations that open or close. Its logarithm is a level that walks at random, plus weekday, holiday and weather;
how weekend, warmth and rain act strays from the usual for some weeks and comes back: riders on their way to work stay away in
other weather than those of a lockdown's spring. What a station has to ``size * index`` is, in its logarithm, a level, a weekly shape
and answers to weather that walk; its trips are counts, so a dynamic generalized linear model (West, Harrison and Migon 1985) of
Poisson counts with a noise of their own. Both are Kalman filters, so the state of each day has seen nothing after it: forecasts
made from it are honest, and a further model may learn from their errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tripcast.models.base import WEATHER
from tripcast.models.lightgbm_panel import Days, Floats, Ints, Panel

# Variances a day. They are round numbers near the best one-step errors of bike trips: a wide range does as well.
_LEVEL_WALK = 0.009
_WEEKEND_WALK = 0.0001
# of what the effects of weekend and warmth, and of rain, stray by; and the part of it that is left a day later
_STRAY_WALK, _STRAY_RAIN_WALK = 0.002, 0.001
_STRAY_KEPT, _STRAY_PRIOR = 0.97, 0.1
_INDEX_NOISE = 0.04
_PART_LEVEL_WALK = 0.0005
_PART_SHAPE_WALK = 0.0001  # of the prior variance
_PART_WEEKEND_WALK = 0.0003
_PART_NOISE = 0.05
# an observation further off than so many standard deviations counts as that far
_FAR = 3.0
# A station's day counts for the index up to so many times what the median station has for its size, and some trips more.
_ALONE_TIMES, _ALONE_TRIPS = 2.5, 5.0
# what the logarithms of a station's part and of the index are at most, and what trips are at least
_FAR_PART, _FAR_LEVEL, _LEAST_TRIPS = 4.0, 20.0, 1e-3
# an expectation below so many trips counts as so many for how far off a day is: one trip says little there
_LEAST_EXPECTED = 0.05
_ALTERNATIONS = 8

LEVEL, WEEKDAY, SEASON, HOLIDAY, TEMPERATURE, RAIN = (
    "level",
    "weekday",
    "season",
    "holiday",
    "temperature",
    "rain and snow",
)
_T_MAX, _RAIN, _SNOW, _DEPTH, _WIND = (
    WEATHER.index(name) for name in ("TEMP_MAX", "PRECIPITATION", "SNOWFALL", "SNOW_DEPTH", "WIND")
)


@dataclass(frozen=True)
class Design:
    """Regressors of a dynamic linear model.

    Args:
        x: (days, regressors).
        prior: standard deviation of each coefficient before anything is seen.
        walk: variance by which it changes a day.
        kept: the part of it that is left a day later: 1, or less for one that comes back to 0.
        group: what each regressor is of, for explanations.
    """

    x: Floats
    prior: Floats
    walk: Floats
    kept: Floats
    group: tuple[str, ...]


# A regressor: its values by day, and prior, walk and group of its coefficient.
_Regressor = tuple[Floats, float, float, str]


def _design(lasting: list[_Regressor], straying: list[_Regressor]) -> Design:
    x, prior, walk, group = zip(*lasting, *straying, strict=True)
    kept = np.repeat([1.0, _STRAY_KEPT], [len(lasting), len(straying)])
    return Design(np.stack(x, 1).astype(np.float64), np.array(prior), np.array(walk), kept, group)


@dataclass(frozen=True)
class Climate:
    """What stands for weather that is unknown, and how rain and snow of a mean day act.

    Args:
        temperature: constant, sine and cosine of the highest temperature over the year; None if no day was measured.
        wet: mean of each wet regressor over all days.
        per_inch: by how much a wet regressor rises, on average, with an inch of the mean of its column.
    """

    temperature: Floats | None
    wet: Floats
    per_inch: Floats


def _wet(weather: Floats) -> Floats:
    """Regressors of rain, snow and wind, (days, 5)."""
    rain, snow, depth, wind = (weather[:, column].astype(np.float64) for column in (_RAIN, _SNOW, _DEPTH, _WIND))
    return np.stack([np.log1p(10 * rain), np.minimum(rain, 2), np.minimum(snow, 6) / 3, np.log1p(depth), wind / 5], 1)


_WET_COLUMNS = [_RAIN, _RAIN, _SNOW, _DEPTH, _WIND]


def climate_of(days: Days) -> Climate:
    """What the measured days say."""
    weather = days.weather.astype(np.float64)
    found = np.isfinite(weather[:, _T_MAX])
    temperature = None
    if found.any():
        turn = np.stack([np.ones(len(days)), np.sin(days.year_angle), np.cos(days.year_angle)], 1)[found]
        # ridge: with less than a year the turn is not known
        temperature = np.linalg.solve(turn.T @ turn + np.diag([1e-6, 5.0, 5.0]), turn.T @ weather[found, _T_MAX])
    wet, columns = _wet(weather), weather[:, _WET_COLUMNS]
    seen = np.isfinite(wet)
    mean = np.where(seen, wet, 0).sum(0) / np.maximum(seen.sum(0), 1)
    inches = np.where(seen, columns, 0).sum(0) / np.maximum(seen.sum(0), 1)
    return Climate(temperature, mean, np.divide(mean, inches, out=np.zeros(len(mean)), where=inches > 0))


def _weather_terms(days: Days, climate: Climate) -> tuple[Floats, Floats]:
    """Highest temperature, and the wet regressors; those of a mean day are the mean over days, not of a drizzle."""
    temperature = days.weather[:, _T_MAX].astype(np.float64)
    if climate.temperature is None:
        usual = np.full(len(days), 60.0)
    else:
        turn = np.stack([np.ones(len(days)), np.sin(days.year_angle), np.cos(days.year_angle)], 1)
        usual = turn @ climate.temperature
    temperature = np.where(np.isfinite(temperature), temperature, usual)
    wet = np.where(days.usual[:, None], days.weather[:, _WET_COLUMNS] * climate.per_inch, _wet(days.weather))
    return temperature, np.where(np.isfinite(wet), wet, climate.wet)


def index_design(days: Days, climate: Climate, holidays: tuple[str, ...]) -> Design:
    """Regressors of the logarithm of the index; the first is the level.

    Args:
        days: to describe.
        climate: see ``climate_of``.
        holidays: names that have a coefficient of their own: Thanksgiving is not as Columbus Day is.
    """
    temperature, wet = _weather_terms(days, climate)
    # a holiday is a weekend's day of its own kind
    weekend = ((days.weekday >= 5) | (days.holiday > 0)) * 1.0
    warm = (temperature - 60) / 20
    lasting: list[_Regressor] = [
        (np.ones(len(days)), 1.0, _LEVEL_WALK, LEVEL),
        (weekend - 2 / 7, 1.0, _WEEKEND_WALK, WEEKDAY),
        *(((days.weekday == day) - 1 / 7, 0.3, 0.0, WEEKDAY) for day in (0, 1, 2, 3, 5)),
        (days.holiday, 0.5, 0.0, HOLIDAY),
        (days.near_holiday * (1 - weekend), 0.3, 0.0, HOLIDAY),
        *(((days.holiday_name == name) * 1.0, 0.4, 0.0, HOLIDAY) for name in holidays),
        # the level of a week that many spend elsewhere must not be taken for that of January
        (days.year_end * (1 - weekend), 0.3, 0.0, HOLIDAY),
        (days.year_end * weekend, 0.2, 0.0, HOLIDAY),
        (warm, 1.0, 0.0, TEMPERATURE),
        (np.minimum(temperature - 45, 0) / 20, 0.5, 0.0, TEMPERATURE),
        (np.maximum(temperature - 65, 0) / 20, 0.5, 0.0, TEMPERATURE),
        (np.maximum(temperature - 82, 0) / 10, 0.5, 0.0, TEMPERATURE),
        (weekend * warm, 0.3, 0.0, TEMPERATURE),
        (weekend * np.maximum(temperature - 75, 0) / 10, 0.2, 0.0, TEMPERATURE),
        *((wet[:, column], prior, 0.0, RAIN) for column, prior in enumerate((0.5, 0.5, 1.0, 0.5, 0.3))),
        (weekend * wet[:, 0], 0.3, 0.0, RAIN),
        (np.maximum(temperature - 75, 0) / 10 * wet[:, 0], 0.2, 0.0, RAIN),  # a thunderstorm is short
        (np.sin(days.year_angle), 0.2, 0.0, SEASON),
        (np.cos(days.year_angle), 0.2, 0.0, SEASON),
    ]
    straying: list[_Regressor] = [
        (weekend - 2 / 7, _STRAY_PRIOR, _STRAY_WALK, WEEKDAY),
        (warm, _STRAY_PRIOR, _STRAY_WALK, TEMPERATURE),
        (wet[:, 0], _STRAY_PRIOR, _STRAY_RAIN_WALK, RAIN),
        (weekend * wet[:, 0], _STRAY_PRIOR, _STRAY_RAIN_WALK, RAIN),
    ]
    return _design(lasting, straying)


def part_design(days: Days, climate: Climate) -> Design:
    """Regressors of the logarithm of a station's ratio to the index; the first is its level."""
    temperature, wet = _weather_terms(days, climate)
    kind = np.where(days.holiday > 0, 6, days.weekday)
    weekend = (kind >= 5) * 1.0
    warm = (temperature - 60) / 20
    lasting: list[_Regressor] = [
        (np.ones(len(days)), 0.5, _PART_LEVEL_WALK, LEVEL),
        *(((kind == day) - 1 / 7, 0.4, _PART_SHAPE_WALK * 0.4**2, WEEKDAY) for day in range(1, 7)),
        (warm, 0.2, _PART_SHAPE_WALK * 0.2**2, TEMPERATURE),
        (wet[:, 0], 0.1, _PART_SHAPE_WALK * 0.1**2, RAIN),
        (weekend - 2 / 7, 0.3, _PART_WEEKEND_WALK, WEEKDAY),
        (weekend * warm, 0.1, _PART_SHAPE_WALK * 0.1**2, TEMPERATURE),
        (np.minimum(temperature - 45, 0) / 20, 0.1, _PART_SHAPE_WALK * 0.1**2, TEMPERATURE),
        (np.maximum(temperature - 75, 0) / 10, 0.1, _PART_SHAPE_WALK * 0.1**2, TEMPERATURE),
        (weekend * wet[:, 0], 0.1, _PART_SHAPE_WALK * 0.1**2, RAIN),
        (days.year_end * 1.0, 0.2, 0.0, HOLIDAY),
    ]
    return _design(lasting, [])


def index_states(y: Floats, design: Design, noise: Floats, start: float) -> Floats:
    """Filters the logarithm of the index.

    Args:
        y: by day; NaN where nothing was seen: the state stays.
        design: for the same days.
        noise: variance of an observation, by day.
        start: of the level.

    Returns:
        states (days, regressors) as of the end of each day, float32.
    """
    state = np.zeros(design.x.shape[1])
    state[0] = start
    spread, walk = np.diag(design.prior**2), np.diag(design.walk)
    kept = np.outer(design.kept, design.kept)
    states = np.empty(design.x.shape, np.float32)
    for day, x in enumerate(design.x):
        state, spread = state * design.kept, spread * kept + walk
        if np.isfinite(y[day]):
            cross = spread @ x
            variance = float(x @ cross + noise[day])
            far = _FAR * np.sqrt(variance)
            state = state + cross * (np.clip(y[day] - state @ x, -far, far) / variance)
            spread = spread - np.outer(cross, cross) / variance
        states[day] = state
    return states


def part_states(trips: Floats, expected: Floats, design: Design) -> Floats:
    """Filters the logarithm of what each station has to what is expected of it, from counts.

    Args:
        trips: (stations, days); NaN where closed: the state stays.
        expected: trips of a station of which nothing is known but its size, (stations, days).
        design: for the same days.

    Returns:
        states (days, stations, regressors) as of the end of each day, float32.
    """
    stations, days = trips.shape
    width = design.x.shape[1]
    state = np.zeros((stations, width))
    spread = np.tile(np.diag(design.prior**2), (stations, 1, 1))
    diagonal, started = np.arange(width), np.zeros(stations, np.bool_)
    states = np.empty((days, stations, width), np.float32)
    for day, x in enumerate(design.x):
        is_open = np.isfinite(trips[:, day])
        mean = expected[:, day] * np.exp(np.clip(state @ x, -_FAR_PART, _FAR_PART))
        mean = np.maximum(mean, _LEAST_EXPECTED)
        spread[:, diagonal, diagonal] += started[:, None] * design.walk
        started |= is_open
        cross = spread @ x
        variance = cross @ x + _PART_NOISE + 1 / mean
        far = _FAR * np.sqrt(variance)
        error = np.clip(np.where(is_open, trips[:, day] / mean - 1, 0.0), -far, far)
        gain = np.where(is_open[:, None], cross / variance[:, None], 0.0)
        state += gain * error[:, None]
        spread -= gain[:, :, None] * cross[:, None, :]
        states[day] = state
    return states


@dataclass(frozen=True)
class Levels:
    """States as of the end of each day.

    Args:
        size: trips of a station per unit of the index.
        index: (days, regressors).
        part: (days, stations, regressors).
        climate, holidays: with which regressors are made.
    """

    size: Floats
    index: Floats
    part: Floats
    climate: Climate
    holidays: tuple[str, ...]

    def designs(self, days: Days) -> tuple[Design, Design]:
        """Regressors of other days."""
        return index_design(days, self.climate, self.holidays), part_design(days, self.climate)

    def forecast(self, designs: tuple[Design, Design], station: Ints, origin: Ints, day: Ints) -> Floats:
        """Trips, for many rows.

        Args:
            designs: of the days to forecast.
            station: row of each.
            origin: day whose state is used.
            day: row of the designs.
        """
        index = np.einsum("ij,ij->i", self.index[origin], designs[0].x[day].astype(np.float32))
        part = np.einsum("ij,ij->i", self.part[origin, station], designs[1].x[day].astype(np.float32))
        logarithm = np.clip(index, -_FAR_LEVEL, _FAR_LEVEL) + np.clip(part, -_FAR_PART, _FAR_PART)
        trips = np.exp(logarithm) * self.size[station]
        return np.asarray(np.maximum(trips, _LEAST_TRIPS))

    def contributions(
        self, designs: tuple[Design, Design], station: Ints, origin: Ints, day: Ints
    ) -> dict[str, Floats]:
        """What makes the forecast, in its logarithm, by group; arguments as for ``forecast``."""
        found: dict[str, Floats] = {
            group: np.zeros(len(day)) for group in dict.fromkeys((*designs[0].group, *designs[1].group))
        }
        for states, design in ((self.index[origin], designs[0]), (self.part[origin, station], designs[1])):
            for column, group in enumerate(design.group):
                found[group] += states[:, column] * design.x[day, column]
        found[LEVEL] += np.log(self.size[station])
        return found


def two_way(trips: Floats, sizes: Floats | None = None) -> tuple[Floats, Floats]:
    """Sizes of stations and index of days whose products have the same sums as trips, by station and by day.

    Args:
        trips: (stations, days), NaN where closed.
        sizes: of stations, if they are known.
    """
    is_open = np.isfinite(trips).astype(np.float32)
    seen = np.nan_to_num(trips)
    by_station, by_day = seen.sum(1, dtype=np.float64), seen.sum(0, dtype=np.float64)
    size = by_station / np.maximum(is_open.sum(1), 1) + 1e-3 if sizes is None else sizes
    index = np.ones(trips.shape[1])
    for _ in range(_ALTERNATIONS):
        index = by_day / np.maximum(size.astype(np.float32) @ is_open, 1e-6)
        if sizes is not None:
            break
        # half a trip on a day of average index: no station is nothing for ever
        size = (by_station + 0.5 * index.mean()) / np.maximum(is_open @ index.astype(np.float32) + index.mean(), 1e-6)
    return size, index


def _common(trips: Floats, size: Floats) -> Floats:
    """Trips without what one station alone has on a day: an error or an event there must not move the index of all.

    Args:
        trips: (stations, days), NaN where closed.
        size: of the stations.
    """
    ratio = trips / size[:, None]
    ratio[:, ~np.isfinite(trips).any(axis=0)] = 0
    most = _ALONE_TIMES * np.nanmedian(ratio, axis=0) * size[:, None] + _ALONE_TRIPS
    return np.minimum(trips, most.astype(trips.dtype))


def levels_of(panel: Panel, sizes: Floats | None = None) -> Levels:
    """Filters the system and its stations over the days of a panel.

    Args:
        panel: see there.
        sizes: of the stations; None to estimate them.
    """
    trips, days = panel.trips, panel.days
    climate = climate_of(days)
    holidays = tuple(sorted({name for name in days.holiday_name if name}))
    common = _common(trips, two_way(trips, sizes)[0])
    size, index = two_way(common, sizes)
    open_size = np.maximum(size.astype(np.float32) @ np.isfinite(trips), 1e-6)
    total = np.nansum(common, axis=0, dtype=np.float64)
    logarithm = np.where(np.isfinite(trips).any(axis=0), np.log((total + 1) / open_size), np.nan)
    usual_total = max(float(np.median(total)), 1.0)
    start = float(np.nanmedian(logarithm[:28]))
    states = index_states(
        logarithm,
        index_design(days, climate, holidays),
        np.full(len(days), _INDEX_NOISE + 1 / usual_total),
        start,
    )
    index = np.maximum(index, 0.02 * np.median(index) + 1e-6)
    part = part_states(trips, size[:, None] * index, part_design(days, climate))
    return Levels(size, states, part, climate, holidays)
