"""The simple models that every other one must beat: the same weekday of last week, and the mean of the last four."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from tripcast.models.base import Scope

SEASON = 7


@dataclass(frozen=True)
class SeasonalNaive:
    """A day will be as the same weekday of the last week seen."""

    name: ClassVar[str] = "seasonal_naive"
    scope: ClassVar[Scope] = "all"
    packages: ClassVar[tuple[str, ...]] = ("numpy", "pandas")
    columns: ClassVar[tuple[str, ...]] = ()
    history: ClassVar[int | None] = SEASON

    def fit(self, known: pd.DataFrame, seed: int) -> RepeatedWeeks:
        """See ``Learner.fit``. Nothing is learnt."""
        return RepeatedWeeks(1)

    def load(self, payload: bytes) -> RepeatedWeeks:
        """See ``Learner.load``."""
        return RepeatedWeeks(int(payload))


@dataclass(frozen=True)
class WeekdayMean:
    """A day will be as the mean of the last four same weekdays."""

    name: ClassVar[str] = "weekday_mean"
    scope: ClassVar[Scope] = "all"
    packages: ClassVar[tuple[str, ...]] = ("numpy", "pandas")
    columns: ClassVar[tuple[str, ...]] = ()
    history: ClassVar[int | None] = 4 * SEASON

    def fit(self, known: pd.DataFrame, seed: int) -> RepeatedWeeks:
        """See ``Learner.fit``. Nothing is learnt."""
        return RepeatedWeeks(4)

    def load(self, payload: bytes) -> RepeatedWeeks:
        """See ``Learner.load``."""
        return RepeatedWeeks(int(payload))


class RepeatedWeeks:
    """Repeats the mean of each weekday over the last weeks.

    Args:
        weeks: how many; of a younger station those that there are.
    """

    def __init__(self, weeks: int) -> None:
        self._weeks = weeks

    def forecast(self, known: pd.DataFrame, future: pd.DataFrame, explain: bool) -> pd.DataFrame:
        """See ``Fitted.forecast``. A weekday that a young station has not seen gets the mean of its days so far."""
        values, reason = weekday_means(known, future, self._weeks)
        return answer(future, values, reason)

    def dump(self) -> bytes:
        """See ``Fitted.dump``."""
        return str(self._weeks).encode()


def weekday_means(known: pd.DataFrame, future: pd.DataFrame, weeks: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the same weekday over the last weeks, for each row to forecast.

    Args:
        known, future: as for ``Fitted.forecast``.
        weeks: how many.

    Returns:
        trips, and an object array: why another value stands there, None where it is that mean.
    """
    stations, where = np.unique(known["STATION_ID"].to_numpy(), return_inverse=True)
    cutoff = known["DAY"].max()
    age = (cutoff - known["DAY"]).dt.days.to_numpy()
    recent = age < weeks * SEASON
    table = np.full((len(stations), weeks, SEASON), np.nan)  # [station, weeks ago, days before the cutoff]
    table[where[recent], age[recent] // SEASON, age[recent] % SEASON] = known["TRIPS"].to_numpy(np.float64)[recent]
    days = np.isfinite(table).sum(axis=(1, 2))
    total = np.nansum(table, axis=(1, 2))
    seen = np.isfinite(table).sum(axis=1)
    means = np.divide(np.nansum(table, axis=1), seen, out=np.full(seen.shape, np.nan), where=seen > 0)
    overall = np.divide(total, days, out=np.zeros(len(stations)), where=days > 0)

    row = np.searchsorted(stations, future["STATION_ID"].to_numpy())
    ahead = SEASON - 1 - (future["H"].to_numpy(np.int64) - 1) % SEASON
    values = means[row, ahead]
    reason = np.full(len(future), None, object)
    young = np.isnan(values)
    values[young] = overall[row[young]]
    reason[young] = [
        f"mean of {count} {'day' if count == 1 else 'days'}: weekday not seen yet" for count in days[row[young]]
    ]
    return values, reason


def answer(future: pd.DataFrame, values: np.ndarray, reason: np.ndarray) -> pd.DataFrame:
    """The columns that ``Fitted.forecast`` returns, without explanations.

    Args:
        future: the rows that were asked for.
        values: trips.
        reason: object array of FALLBACK.
    """
    return pd.DataFrame(
        {
            "STATION_ID": future["STATION_ID"].to_numpy(),
            "DAY": future["DAY"].to_numpy(),
            "H": future["H"].to_numpy(),
            "FORECAST": np.maximum(values, 0.0),
            "FALLBACK": reason,
            "EXPLANATION": np.full(len(future), None, object),
        }
    )
