"""LightGBM for all stations at once, direct: what the levels of system and station forecast, corrected by boosted trees.

``lightgbm_levels`` forecasts each station by two dynamic linear models. A booster with a logarithmic link (Poisson) then
learns, over many origins, stations and days ahead, by which factor the trips that came differ from what the levels had
forecast from that origin; as the levels of an origin know nothing of later days, these errors are those of true forecasts.
The Poisson objective aims at the mean, so that the factor also takes off bias. Some of the pairs are described with the
weather that was usual instead of the one that came: the booster has then seen days whose rain is not known.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from tripcast.models.base import WEATHER, Scope
from tripcast.models.lightgbm_explained import additive, leaf_contributions
from tripcast.models.lightgbm_levels import Levels, levels_of
from tripcast.models.lightgbm_pairs import COLUMNS, HORIZON_COLUMN, Pairs
from tripcast.models.lightgbm_panel import CALENDAR, USUAL, Ints, Panel, future_days, joined, panel_of

if TYPE_CHECKING:
    import lightgbm

# the booster learns from stations of at least so many days, and speaks for no younger ones
LEAST_DAYS = 28
# pairs that a booster needs
_LEAST_PAIRS = 2_000
# a day that brings more than so many times what was expected counts as so many: one event shall not bend the trees
_FAR = 10.0
_FLOOR = 0.05
_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True)
class LightGBM:
    """The champion: two dynamic linear models and a booster that corrects them.

    Args:
        rounds, leaves, learning_rate: trees of the booster and their size.
        pairs: at most so many pairs of origin and day are learnt from; fewer when there are few days.
        usual: part of them with the usual weather.
        half_life: days after which a pair counts half.
        horizon: days ahead that they have at most; days further ahead are corrected as the last of them.
        threads: of LightGBM.
    """

    name: ClassVar[str] = "lightgbm"
    scope: ClassVar[Scope] = "all"
    packages: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "lightgbm")
    columns: ClassVar[tuple[str, ...]] = (*CALENDAR, "HOLIDAY_NAME", *WEATHER, *USUAL)
    history: ClassVar[int | None] = None

    rounds: int = 100
    leaves: int = 31
    learning_rate: float = 0.05
    pairs: int = 400_000
    usual: float = 0.25
    half_life: float = 365.0
    horizon: int = 30
    threads: int = 1

    def fit(self, known: pd.DataFrame, seed: int) -> FittedLightGBM:
        """See ``Learner.fit``."""
        panel = panel_of(known)
        levels = levels_of(panel)
        booster = self._train(panel, levels, seed)
        return FittedLightGBM(booster, self.horizon, self.threads, (known, panel, levels))

    def load(self, payload: bytes) -> FittedLightGBM:
        """See ``Learner.load``."""
        from lightgbm import Booster

        header, _, model = zlib.decompress(payload).partition(b"\n")
        facts = json.loads(header)
        if facts["columns"] != list(COLUMNS):
            raise ValueError("the stored lightgbm model has other columns than this version: train it again")
        booster = Booster(model_str=model.decode()) if model else None
        return FittedLightGBM(booster, facts["horizon"], self.threads, None)

    def _train(self, panel: Panel, levels: Levels, seed: int) -> lightgbm.Booster | None:
        """The booster; None if there are too few pairs."""
        from lightgbm import Dataset, train

        drawn = _draw(panel, self, np.random.default_rng(seed))
        if drawn is None:
            return None
        station, origin, day, usual = drawn
        pairs = Pairs(panel, levels)
        matrix = np.empty((len(station), len(COLUMNS)), np.float32)
        base = np.empty(len(station))
        for days, rows in ((panel.days, np.flatnonzero(~usual)), (panel.usual_days, np.flatnonzero(usual))):
            designs = levels.designs(days)
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                part = rows[start : start + _ROWS_AT_ONCE]
                matrix[part], base[part] = pairs.columns(days, designs, station[part], origin[part], day[part])
        base = np.maximum(base, _FLOOR)
        factor = np.minimum(panel.trips[station, day] / base, _FAR)
        age = panel.trips.shape[1] - 1 - day
        weight = base * 0.5 ** (age / self.half_life)
        data = Dataset(matrix, factor, weight=weight, feature_name=list(COLUMNS), params={"max_bin": 63, "verbose": -1})
        return train(self._parameters(seed), data, self.rounds)

    def _parameters(self, seed: int) -> dict[str, Any]:
        return {
            "objective": "poisson",
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            # pairs of near origins and days are much alike: each tree sees few of them, and few columns
            "min_data_in_leaf": 50,
            "lambda_l2": 5.0,
            "feature_fraction": 0.3,
            "bagging_fraction": 0.2,
            "bagging_freq": 1,
            "max_bin": 63,
            "seed": seed % 2**31,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }


def _draw(
    panel: Panel, learner: LightGBM, random: np.random.Generator
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]] | None:
    """Station, origin, day and whether with usual weather, of the pairs to learn from; None if too few."""
    is_open = np.isfinite(panel.trips)
    old = is_open & (np.cumsum(is_open, axis=1, dtype=np.int32) >= LEAST_DAYS)
    stations, origins = np.nonzero(old)
    if not len(stations):
        return None
    count = min(learner.pairs, 4 * len(stations))
    at = random.integers(0, len(stations), count)
    station, origin = stations[at], origins[at]
    day = origin + random.integers(1, learner.horizon + 1, count)
    inside = day < panel.trips.shape[1]
    inside[inside] = is_open[station[inside], day[inside]]
    if inside.sum() < _LEAST_PAIRS:
        return None
    usual = random.random(count) < learner.usual
    return station[inside], origin[inside], day[inside], usual[inside]


class FittedLightGBM:
    """See ``Fitted``.

    Args:
        booster: None where there were too few days to train one.
        horizon: days ahead that it has learnt.
        threads: of LightGBM.
        filtered: rows of FEATURES, and their panel and levels: forecasts from the same rows need not filter again.
    """

    def __init__(
        self,
        booster: lightgbm.Booster | None,
        horizon: int,
        threads: int,
        filtered: tuple[pd.DataFrame, Panel, Levels] | None,
    ) -> None:
        self._booster, self._horizon, self._threads = booster, horizon, threads
        self._filtered = filtered

    def forecast(self, known: pd.DataFrame, future: pd.DataFrame, explain: bool) -> pd.DataFrame:
        """See ``Fitted.forecast``."""
        if self._filtered is None or self._filtered[0] is not known:
            panel = panel_of(known)
            self._filtered = (known, panel, levels_of(panel))
        _, panel, levels = self._filtered
        ahead, at = future_days(future, panel.days.day[-1])
        days = joined(panel.days, ahead)
        station = panel.rows_of(future["STATION_ID"].to_numpy(object))
        day = len(panel.days) + at
        designs = levels.designs(days)
        origin = np.full(len(future), len(panel.days) - 1)
        age = np.isfinite(panel.trips).sum(axis=1)
        unknown = station < 0
        asked = np.where(unknown, 0, station)
        matrix, base = Pairs(panel, levels).columns(days, designs, asked, origin, day)
        matrix[:, HORIZON_COLUMN] = np.minimum(matrix[:, HORIZON_COLUMN], self._horizon)
        trained = (age[asked] >= LEAST_DAYS) & ~unknown & (self._booster is not None)

        correction = np.zeros(len(future))
        if self._booster is not None and trained.any():
            correction[trained] = self._booster.predict(matrix[trained], raw_score=True, num_threads=self._threads)
        values = base * np.exp(correction)
        values[unknown] = np.median(np.nanmean(panel.trips, axis=1))
        explanation = np.full(len(future), None, object)
        if explain:
            parts = levels.contributions(designs, asked, origin, day)
            if self._booster is not None and trained.any():
                for group, part in leaf_contributions(self._booster, matrix[trained], COLUMNS, self._threads).items():
                    parts.setdefault(group, np.zeros(len(future)))[trained] += part
            explanation[:] = additive(values, parts)
            explanation[unknown] = None
        return pd.DataFrame(
            {
                "STATION_ID": future["STATION_ID"].to_numpy(),
                "DAY": future["DAY"].to_numpy(),
                "H": future["H"].to_numpy(),
                "FORECAST": values,
                "FALLBACK": _reasons(np.where(unknown, 0, age[asked]), trained, self._booster is not None),
                "EXPLANATION": explanation,
            }
        )

    def dump(self) -> bytes:
        """See ``Fitted.dump``: a line of JSON and LightGBM's text, compressed."""
        header = json.dumps({"columns": list(COLUMNS), "horizon": self._horizon})
        model = "" if self._booster is None else self._booster.model_to_string()
        return zlib.compress(f"{header}\n{model}".encode(), 6)


def _reasons(age: Ints, trained: npt.NDArray[np.bool_], has_booster: bool) -> npt.NDArray[np.object_]:
    """FALLBACK of each row.

    Args:
        age: days that the station was open.
        trained: whether the booster spoke.
        has_booster: whether there is one.
    """
    reasons = np.full(len(age), None, object)
    for days in np.unique(age[~trained]):
        count = f"{days} {'day' if days == 1 else 'days'}"
        if days == 0:
            text = "median of all stations: no day of this one is known"
        elif days < LEAST_DAYS:
            text = f"mean of {count}, with the system's weekdays and weather: lightgbm needs {LEAST_DAYS}"
        else:
            text = f"levels of {count} without a booster: too few days of all stations to train one"
        reasons[~trained & (age == days)] = text
    return reasons
