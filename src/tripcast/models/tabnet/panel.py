"""Frames of days as matrices: a row a station, a column a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

WEATHER = ("TEMP", "PRECIPITATION", "SNOWFALL", "SNOW_DEPTH", "WIND")


@dataclass(frozen=True)
class Panel:
    """Trips and calendar of all stations.

    Args:
        stations: ids, sorted.
        first: day of column 0.
        trips: (S, T) up to the last known day, NaN where a station has no row.
        opened: (S,), column of a station's first day.
        day: name -> (T + H,): what describes a day; NaN where it is unknown.
        horizon: H, days after the last known one.
    """

    stations: np.ndarray
    first: pd.Timestamp
    trips: np.ndarray
    opened: np.ndarray
    day: dict[str, np.ndarray]
    horizon: int

    @classmethod
    def of(cls, known: pd.DataFrame, columns: tuple[str, ...], future: pd.DataFrame | None = None) -> Panel:
        """The panel of ``known`` and ``future`` as learners get them; a column that they lack is NaN throughout.

        Args:
            columns: numbers that describe a day.
        """
        stations, row = np.unique(known["STATION_ID"].to_numpy(), return_inverse=True)
        first, last = known["DAY"].min(), known["DAY"].max()
        length = (last - first).days + 1
        column = (known["DAY"] - first).dt.days.to_numpy()
        trips = np.full((len(stations), length), np.nan)
        trips[row, column] = known["TRIPS"].to_numpy(np.float64)
        opened = np.full(len(stations), length)
        np.minimum.at(opened, row, column)
        frames = [(known, column)]
        horizon = 0
        if future is not None and len(future):
            ahead = (future["DAY"] - first).dt.days.to_numpy()
            horizon = max(int(ahead.max()) - length + 1, 0)
            frames.append((future, ahead))
        day = {}
        for name in columns:
            values = np.full(length + horizon, np.nan)
            for frame, at in frames:
                if name in frame:
                    values[at] = frame[name].to_numpy(np.float64)
            day[name] = values
        dates = pd.date_range(first, periods=length + horizon)
        angle = 2 * np.pi * dates.dayofyear.to_numpy() / 365.25
        day |= {
            "WEEKDAY": dates.dayofweek.to_numpy(np.float64),
            "SEASON_SIN": np.sin(angle),
            "SEASON_COS": np.cos(angle),
        }
        return cls(stations, first, trips, opened, day, horizon)

    @property
    def length(self) -> int:
        """T, known days."""
        return int(self.trips.shape[1])

    def rows_of(self, stations: np.ndarray) -> np.ndarray:
        """Row of each station; -1 for one that is not here."""
        if not len(self.stations):
            return np.full(len(stations), -1)
        found = np.minimum(np.searchsorted(self.stations, stations), len(self.stations) - 1)
        return np.where(self.stations[found] == stations, found, -1)

    def recent_mean(self, days: int = 28) -> tuple[np.ndarray, np.ndarray]:
        """(S,) mean of the last days, of those that there are, and how many these are."""
        recent = self.trips[:, -days:]
        count = np.isfinite(recent).sum(1)
        return np.nansum(recent, 1) / np.maximum(count, 1), count


def filled(values: np.ndarray, usual: float) -> np.ndarray:
    """Values with ``usual`` in place of NaN."""
    return np.where(np.isfinite(values), values, usual)


def mean_of(values: np.ndarray) -> float:
    """The mean of what is known; 0 if nothing is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else 0.0


def answered(
    future: pd.DataFrame,
    values: np.ndarray,
    reason: np.ndarray,
    explanation: np.ndarray | None,
) -> pd.DataFrame:
    """The columns that ``Fitted.forecast`` returns.

    Args:
        future: the rows that were asked for.
        values: trips.
        reason: object array of FALLBACK.
        explanation: object array, or None.
    """
    return pd.DataFrame(
        {
            "STATION_ID": future["STATION_ID"].to_numpy(),
            "DAY": future["DAY"].to_numpy(),
            "H": future["H"].to_numpy(),
            "FORECAST": np.maximum(values, 0.0),
            "FALLBACK": reason,
            "EXPLANATION": np.full(len(future), None, object) if explanation is None else explanation,
        }
    )


def contributions(names: tuple[str, ...], importances: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Explanations in trips: what TabNet's masks attend to shares the distance from the base.

    TabNet says how much of a decision rests on each feature, not in which direction it pushed: so every feature of a row has
    the sign of the row's distance, and together they are the distance.

    Args:
        names: of the features.
        importances: (N, features), at least 0.
        distance: (N,) trips, forecast less base.

    Returns:
        (N,) dicts, without features that have no part.
    """
    total = importances.sum(1, keepdims=True)
    even = np.full_like(importances, 1 / importances.shape[1])
    trips = np.divide(importances, total, out=even, where=total > 0) * distance[:, None]
    made = np.empty(len(trips), object)
    made[:] = [
        {name: round(value, 3) for name, value in zip(names, row, strict=True) if value} for row in trips.tolist()
    ]
    return made


def too_short(mean: np.ndarray, count: np.ndarray, row: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(N,) values and texts of the fallback: the mean of a station's last days.

    Args:
        mean, count: of each station, see ``Panel.recent_mean``.
        row: (N,) station of each row to forecast; -1 for one that nothing is known of.
        name: of the model that is replaced.
    """
    values = np.where(row >= 0, mean[row], 0.0)
    texts = np.empty(len(row), object)
    texts[:] = [
        f"mean of {days} {'day' if days == 1 else 'days'}: too short for {name}"
        for days in np.where(row >= 0, count[row], 0).tolist()
    ]
    return values, texts
