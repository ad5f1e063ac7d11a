"""ARIMA for each station by itself: the guide's baseline, and its seasonal form with weather and holidays.

Both are a seasonal ARIMA (1,0,1)(0,1,1) of period 7, or a regression whose errors are one:

    (1 - L^7)(y - x b) = r,    (1 - phi L) r = (1 + theta L)(1 + Theta L^7) e

Estimated by conditional least squares (Box and Jenkins: innovations before the first day are 0), by Gauss-Newton steps for
all stations of a partition at once: the days are a loop, stations and regressors are arrays. A fitted model is the
parameters; forecasts filter the days known by then, so it may be used at a later cutoff.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from tripcast.models.base import WEATHER, Scope
from tripcast.models.naive import answer, weekday_means

SEASON = 7
_ARMA = 3  # phi, theta, Theta
_START = np.array([0.6, -0.3, -0.8])
_BOUND = 0.98
_STEPS = 12
_TOLERANCE = 1e-5
# a seasonal difference needs a week, its average some more
_LEAST_DAYS = 56
# an observation further than so many times the usual spread from its neighbours counts as that far
_FAR = 5.0
_FALLBACK_WEEKS = 4
# the last regressors are of rain and snow; days around the same day of the year whose mean is usual
_WET, _WET_DAYS = 4, 30
CALENDAR = ("HOLIDAY", "NEAR_HOLIDAY")


@dataclass(frozen=True)
class Arima:
    """The guide's baseline: trips of each station on its own past, nothing else."""

    name: ClassVar[str] = "arima"
    scope: ClassVar[Scope] = "station"
    packages: ClassVar[tuple[str, ...]] = ("numpy", "pandas")
    columns: ClassVar[tuple[str, ...]] = ()
    history: ClassVar[int | None] = 731

    def fit(self, known: pd.DataFrame, seed: int) -> FittedArima:
        """See ``Learner.fit``."""
        return FittedArima.of(known, logarithm=False, regress=False)

    def load(self, payload: bytes) -> FittedArima:
        """See ``Learner.load``."""
        return FittedArima.load(payload)


@dataclass(frozen=True)
class Sarimax:
    """Logarithm of trips + 1 on its past, weather and holidays, each station by itself.

    Args:
        ridge: pull of the regressors' coefficients to 0, in days' worth of data.
        correction: share of the lognormal correction, half a day's variance, on the way back to trips: with all of it a
            forecast is the mean, with none the median, which has the least absolute error.
    """

    ridge: float = 10.0
    correction: float = 0.5

    name: ClassVar[str] = "sarimax"
    scope: ClassVar[Scope] = "station"
    packages: ClassVar[tuple[str, ...]] = ("numpy", "pandas")
    columns: ClassVar[tuple[str, ...]] = (*CALENDAR, *WEATHER)
    history: ClassVar[int | None] = 731

    def fit(self, known: pd.DataFrame, seed: int) -> FittedArima:
        """See ``Learner.fit``."""
        return FittedArima.of(known, logarithm=True, regress=True, ridge=self.ridge, correction=self.correction)

    def load(self, payload: bytes) -> FittedArima:
        """See ``Learner.load``."""
        return FittedArima.load(payload)


class FittedArima:
    """Parameters of each station.

    Args:
        stations: ids, sorted.
        arma: phi, theta, Theta; stations x 3; NaN for a station too short to be fitted.
        coefficients: stations x regressors.
        spread: standard deviation of the innovations.
        logarithm: whether of log(trips + 1).
        regress: whether on weather and holidays.
        correction: see ``Sarimax``.
    """

    def __init__(
        self,
        stations: np.ndarray,
        arma: np.ndarray,
        coefficients: np.ndarray,
        spread: np.ndarray,
        logarithm: bool,
        regress: bool,
        correction: float,
    ) -> None:
        self.stations = stations
        self.arma = arma
        self.coefficients = coefficients
        self.spread = spread
        self.logarithm = logarithm
        self.regress = regress
        self.correction = correction

    @classmethod
    def of(
        cls, known: pd.DataFrame, *, logarithm: bool, regress: bool, ridge: float = 0.0, correction: float = 0.0
    ) -> FittedArima:
        """Fits every station that is open on the last day."""
        panel = _Panel(known, logarithm)
        regressors = _regressors(panel.calendar(known)) if regress else np.zeros((panel.days, 0))
        arma = np.full((len(panel.stations), _ARMA), np.nan)
        coefficients = np.zeros((len(panel.stations), regressors.shape[1]))
        spread = np.full(len(panel.stations), np.nan)
        long = panel.length >= _LEAST_DAYS
        if long.any():
            arma[long], coefficients[long], spread[long] = estimate(
                panel.values[:, long], panel.length[long], regressors, ridge
            )
        return cls(panel.stations, arma, coefficients, spread, logarithm, regress, correction)

    def forecast(self, known: pd.DataFrame, future: pd.DataFrame, explain: bool) -> pd.DataFrame:
        """See ``Fitted.forecast``."""
        values, reason = weekday_means(known, future, _FALLBACK_WEEKS)
        panel = _Panel(known, self.logarithm)
        place = np.minimum(np.searchsorted(self.stations, panel.stations), max(len(self.stations) - 1, 0))
        fitted = np.zeros(len(panel.stations), bool)
        if len(self.stations):
            fitted = (self.stations[place] == panel.stations) & np.isfinite(self.spread[place])
        row = np.searchsorted(panel.stations, future["STATION_ID"].to_numpy())
        spoken = fitted[row]
        effects: dict[str, np.ndarray] = {}
        if fitted.any():
            h = int(future["H"].max())
            ahead = future.drop_duplicates("H").sort_values("H")
            if self.regress:
                both = pd.concat([panel.calendar(known), ahead.set_index("DAY")[[*CALENDAR, *WEATHER]]])
                regressors = _regressors(both)
                if future.attrs.get("weather") == "usual":
                    _average_wet(regressors, both.index, len(ahead))
            else:
                regressors = np.zeros((panel.days + h, 0))
            middle, variance = project(
                panel.values[:, fitted], panel.length[fitted], regressors,
                self.arma[place[fitted]], self.coefficients[place[fitted]], self.spread[place[fitted]], h,
            )  # fmt: skip
            number = np.cumsum(fitted) - 1
            at = (future["H"].to_numpy(np.int64)[spoken] - 1, number[row[spoken]])
            trips = self._trips(middle, variance)
            values[spoken], reason[spoken] = trips[at], None
            if explain:
                effects = self._effects(middle, variance, regressors, self.coefficients[place[fitted]], at)
        short = ~spoken
        days = panel.length[row[short]]
        reason[short] = [f"weekday mean: {count} days are too few for ARIMA" if count < _LEAST_DAYS
                         else "weekday mean: opened after the model was fitted" for count in days]  # fmt: skip
        found = answer(future, values, reason)
        if effects:
            made = np.full(len(future), None, object)
            made[spoken] = [dict(zip(effects, one, strict=True)) for one in zip(*effects.values(), strict=True)]
            found["EXPLANATION"] = made
        return found

    def _trips(self, middle: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """The mean on the scale of trips."""
        if not self.logarithm:
            return middle
        return np.expm1(np.minimum(middle + self.correction * variance[:1] / 2, 15.0))

    def _effects(
        self, middle: np.ndarray, variance: np.ndarray, regressors: np.ndarray, coefficients: np.ndarray, at: tuple
    ) -> dict[str, np.ndarray]:
        """Trips that weather and holidays add to a day with their means; what remains is the level."""
        whole = self._trips(middle, variance)
        made: dict[str, np.ndarray] = {}
        rest = whole
        for name, columns in {"holiday": slice(0, len(CALENDAR)), "weather": slice(len(CALENDAR), None)}.items():
            if not self.regress:
                break
            effect = (regressors[-len(middle) :, columns] - regressors[:, columns].mean(axis=0)) @ coefficients[
                :, columns
            ].T
            made[name] = (whole - self._trips(middle - effect, variance))[at]
        made["level"] = rest[at] - sum(made.values())
        return made

    def dump(self) -> bytes:
        """See ``Fitted.dump``."""
        made = io.BytesIO()
        np.savez(
            made,
            stations=self.stations.astype(str),
            arma=self.arma,
            coefficients=self.coefficients,
            spread=self.spread,
            flags=np.array([self.logarithm, self.regress, self.correction], float),
        )
        return made.getvalue()

    @classmethod
    def load(cls, payload: bytes) -> FittedArima:
        """From what ``dump`` wrote."""
        with np.load(io.BytesIO(payload)) as read:
            logarithm, regress, correction = read["flags"].tolist()
            stations = read["stations"].astype(object)
            return cls(
                stations, read["arma"], read["coefficients"], read["spread"], bool(logarithm), bool(regress), correction
            )


class _Panel:
    """Days x stations, of the stations that are open on the last day; 0 before a station's first day.

    Args:
        known: as for ``Learner.fit``.
        logarithm: take log(trips + 1).
    """

    def __init__(self, known: pd.DataFrame, logarithm: bool) -> None:
        self.last = known["DAY"].max()
        age = ((self.last - known["DAY"]).to_numpy() // np.timedelta64(1, "D")).astype(np.int64)
        names = known["STATION_ID"].to_numpy()
        self.stations = np.unique(names[age == 0])
        self.days = int(age.max()) + 1 if len(age) else 0
        place = np.minimum(np.searchsorted(self.stations, names), max(len(self.stations) - 1, 0))
        inside = self.stations[place] == names
        values = np.zeros((self.days, len(self.stations)))
        trips = known["TRIPS"].to_numpy(np.float64)[inside]
        values[self.days - 1 - age[inside], place[inside]] = np.log1p(trips) if logarithm else trips
        self.length = np.zeros(len(self.stations), np.int64)
        np.maximum.at(self.length, place[inside], age[inside] + 1)
        self.values = _calmed(values, self.length)

    def calendar(self, known: pd.DataFrame) -> pd.DataFrame:
        """The regressors' sources of each day."""
        index = pd.date_range(end=self.last, periods=self.days)
        by_day = known.drop_duplicates("DAY").set_index("DAY")
        return by_day[[*CALENDAR, *WEATHER]].reindex(index)


def _calmed(values: np.ndarray, length: np.ndarray) -> np.ndarray:
    """The values with those that lie far from the same weekdays around them brought nearer."""
    days = len(values)
    if days < 5 * SEASON:
        return values
    lagged = np.full((5, *values.shape), np.nan)
    for number in range(5):
        lagged[number, number * SEASON :] = values[: days - number * SEASON]
    old = np.arange(days)[:, None] >= days - length + 4 * SEASON
    middle = np.where(old, np.median(np.nan_to_num(lagged), axis=0), values)
    off = values - middle
    scale = np.array(
        [np.median(np.abs(off[old[:, one], one])) if old[:, one].any() else 0.0 for one in range(values.shape[1])]
    )
    room = _FAR * 1.4826 * np.where(scale > 0, scale, np.inf)
    return middle + np.clip(off, -room, room)


def _regressors(sources: pd.DataFrame) -> np.ndarray:
    """Days x regressors: holidays as they are, then weather on comparable scales.

    Args:
        sources: CALENDAR and WEATHER of consecutive days; NaN where unknown.
    """
    made = [np.nan_to_num(sources[column].to_numpy(np.float64)) for column in CALENDAR]
    weather = {column: _filled(sources[column].to_numpy(np.float64)) for column in WEATHER}
    mild = (weather["TEMP"] - 55.0) / 20.0
    made += [
        mild,
        mild**2,
        np.maximum(mild - 1.0, 0.0),
        (weather["WIND"] - 8.0) / 5.0,
        np.log1p(4 * np.maximum(weather["PRECIPITATION"], 0.0)),
        (weather["PRECIPITATION"] > 0.05).astype(float),
        np.log1p(np.maximum(weather["SNOWFALL"], 0.0)),
        np.log1p(np.maximum(weather["SNOW_DEPTH"], 0.0)),
    ]
    return np.stack(made, axis=1)


def _average_wet(regressors: np.ndarray, days: pd.Index, ahead: int) -> None:
    """Puts the mean of the same time of year in place of the regressors of rain and snow, for days whose weather is usual.

    Rain that falls on one day in three is not a little rain each day: the regressors of the usual amount are not the usual
    regressors.

    Args:
        regressors: of known days and, last, of those ahead; changed.
        days: their dates.
        ahead: how many are ahead.
    """
    of_year = pd.DatetimeIndex(days).dayofyear.to_numpy()
    known = regressors[:-ahead, -_WET:].copy()
    for row in range(len(regressors) - ahead, len(regressors)):
        apart = np.abs(of_year[:-ahead] - of_year[row])
        near = np.minimum(apart, 365 - apart) <= _WET_DAYS
        regressors[row, -_WET:] = known[near].mean(axis=0) if near.any() else known.mean(axis=0)


def _filled(values: np.ndarray) -> np.ndarray:
    """The values with gaps filled by the same day a year before or after, or the mean; 0 where nothing is known."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    if missing.all():
        return np.zeros(len(values))
    filled = values.copy()
    for shift in (365, -365, 364, 366, -364, -366, 730):
        source = np.full(len(values), np.nan)
        if abs(shift) < len(values):
            if shift > 0:
                source[shift:] = values[:-shift]
            else:
                source[:shift] = values[-shift:]
        filled = np.where(np.isnan(filled), source, filled)
    return np.where(np.isnan(filled), np.nanmean(values), filled)


def _season(values: np.ndarray) -> np.ndarray:
    """Differences to a week before; 0 in the first week."""
    made = np.zeros_like(values)
    made[SEASON:] = values[SEASON:] - values[:-SEASON]
    return made


def _moving(values: np.ndarray, theta: np.ndarray, seasonal: np.ndarray) -> np.ndarray:
    """Divides by the moving-average polynomial (1 + theta L)(1 + seasonal L^7): days x stations x channels."""
    days, stations, channels = values.shape
    start = SEASON + 1
    made = np.zeros((start + days, stations, channels))
    made[start:] = values
    first, week, both = theta[:, None], seasonal[:, None], (theta * seasonal)[:, None]
    for day in range(start, start + days):
        made[day] -= first * made[day - 1] + week * made[day - SEASON] + both * made[day - SEASON - 1]
    return made[start:]


def _lag(values: np.ndarray, days: int) -> np.ndarray:
    made = np.zeros_like(values)
    made[days:] = values[:-days]
    return made


def estimate(
    values: np.ndarray, length: np.ndarray, regressors: np.ndarray, ridge: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fits all stations.

    Args:
        values: days x stations; of each station the last ``length`` days are its own, the others are 0.
        regressors: days x regressors.
        ridge: pull of their coefficients to 0, in days' worth of data.

    Returns:
        phi, theta and Theta (stations x 3), coefficients (stations x regressors), standard deviation of the innovations.
    """
    days, stations = values.shape
    count = regressors.shape[1]
    own = np.arange(days)[:, None] >= days - length + SEASON  # where a seasonal difference exists
    weight = own.astype(float)[:, :, None]
    channels = np.concatenate(
        [_season(values)[:, :, None], np.broadcast_to(_season(regressors)[:, None, :], (days, stations, count))], axis=2
    )
    channels = channels * weight
    # in days' worth of each station's own data, so that it does not matter which others are fitted beside it
    size = (channels[:, :, 1:] ** 2).sum(axis=0) / np.maximum(weight.sum(axis=0), 1.0)
    penalty = np.concatenate([np.zeros((stations, _ARMA)), ridge * np.maximum(size, 1e-6)], axis=1)

    final = np.tile(np.concatenate([_START, np.zeros(count)]), (stations, 1))
    spread = np.zeros(stations)
    going = np.arange(stations)  # those not yet at their least sum of squares
    parameters = final.copy()
    best, filtered, error, residual = _innovations(channels, weight, parameters, penalty)
    damping = np.full(stations, 1e-3)
    for _ in range(_STEPS):
        step = _step(parameters, filtered, error, residual, weight, penalty, damping)
        tried = parameters + step
        tried[:, :_ARMA] = np.clip(tried[:, :_ARMA], -_BOUND, _BOUND)
        found = _innovations(channels, weight, tried, penalty)
        better = found[0] < best
        done = (better & (best - found[0] < _TOLERANCE * best)) | (~better & (damping > 1.0))
        parameters = np.where(better[:, None], tried, parameters)
        best = np.where(better, found[0], best)
        filtered = np.where(better[:, None], found[1], filtered)
        error, residual = np.where(better, found[2], error), np.where(better, found[3], residual)
        damping = np.where(better, damping / 5, damping * 10)
        final[going] = parameters
        spread[going] = (error**2).sum(axis=0)
        left = ~done
        if not left.any():
            break
        if done.any():
            going, parameters, best, damping = going[left], parameters[left], best[left], damping[left]
            penalty = penalty[left]
            channels, weight, filtered = channels[:, left], weight[:, left], filtered[:, left]
            error, residual = error[:, left], residual[:, left]
    spread = np.sqrt(spread / np.maximum(own.sum(axis=0) - _ARMA, 1))
    return final[:, :_ARMA], final[:, _ARMA:], spread


def _innovations(
    channels: np.ndarray, weight: np.ndarray, parameters: np.ndarray, penalty: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Penalised sum of squares, filtered channels, innovations, and the regression's residual (a day's difference)."""
    phi, theta, seasonal = parameters[:, :_ARMA].T
    coefficients = parameters[:, _ARMA:]
    filtered = _moving(channels - phi[:, None] * _lag(channels, 1), theta, seasonal) * weight
    error = filtered[:, :, 0] - np.einsum("tsk,sk->ts", filtered[:, :, 1:], coefficients)
    residual = channels[:, :, 0] - np.einsum("tsk,sk->ts", channels[:, :, 1:], coefficients)
    return (error**2).sum(axis=0) + (penalty * parameters**2).sum(axis=1), filtered, error, residual


def _step(
    parameters: np.ndarray,
    filtered: np.ndarray,
    error: np.ndarray,
    residual: np.ndarray,
    weight: np.ndarray,
    penalty: np.ndarray,
    damping: np.ndarray,
) -> np.ndarray:
    """A Gauss-Newton step of every station, damped as by Levenberg and Marquardt: stations x parameters."""
    _, theta, seasonal = parameters[:, :_ARMA].T
    sources = np.stack(
        [
            _lag(residual, 1),
            _lag(error, 1) + seasonal * _lag(error, SEASON + 1),
            _lag(error, SEASON) + theta * _lag(error, SEASON + 1),
        ],
        axis=2,
    )
    slopes = np.concatenate([_moving(sources, theta, seasonal), filtered[:, :, 1:]], axis=2) * weight
    by_station = np.ascontiguousarray(slopes.transpose(1, 0, 2))
    across = by_station.transpose(0, 2, 1)
    normal = across @ by_station
    gradient = (across @ error.T[:, :, None])[:, :, 0] - penalty * parameters
    extra = penalty + damping[:, None] * np.einsum("skk->sk", normal) + 1e-9
    made: np.ndarray = np.linalg.solve(normal + extra[:, :, None] * np.eye(len(extra[0])), gradient[:, :, None])
    return made[:, :, 0]


def project(
    values: np.ndarray,
    length: np.ndarray,
    regressors: np.ndarray,
    arma: np.ndarray,
    coefficients: np.ndarray,
    spread: np.ndarray,
    h: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances of the next days.

    Args:
        values, length: as for ``estimate``.
        regressors: of the days known and of the ``h`` after them.
        arma, coefficients, spread: as from ``estimate``.

    Returns:
        each h x stations.
    """
    days, stations = values.shape
    own = np.arange(days)[:, None] >= days - length
    noise = (values - regressors[:days] @ coefficients.T) * own
    differenced = _season(noise) * (np.arange(days)[:, None] >= days - length + SEASON)
    phi, theta, seasonal = arma.T
    error = _moving((differenced - phi * _lag(differenced, 1))[:, :, None], theta, seasonal)[:, :, 0]
    start = SEASON + 1
    past = np.concatenate([error[-start:], np.zeros((h, stations))])
    shock = np.zeros_like(past)
    shock[start] = 1.0
    middle = _ahead(np.concatenate([noise[-SEASON:], np.zeros((h, stations))]), differenced[-1], past, arma)
    impulse = _ahead(np.zeros((SEASON + h, stations)), np.zeros(stations), shock, arma)
    variance = spread**2 * np.cumsum(impulse**2, axis=0)
    return middle + regressors[days : days + h] @ coefficients.T, variance


def _ahead(noise: np.ndarray, difference: np.ndarray, error: np.ndarray, arma: np.ndarray) -> np.ndarray:
    """Goes on with noise (its first SEASON days are known), given the innovations (SEASON + 1 days before the first)."""
    phi, theta, seasonal = arma.T
    start = SEASON + 1
    for step in range(len(noise) - SEASON):
        at = start + step
        difference = (
            phi * difference
            + error[at]
            + theta * error[at - 1]
            + seasonal * error[at - SEASON]
            + theta * seasonal * error[at - SEASON - 1]
        )
        noise[SEASON + step] = noise[step] + difference
    return noise[SEASON:]
