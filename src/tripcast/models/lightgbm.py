"""LightGBM for all stations at once, direct: what the levels of system and station forecast, corrected by boosted trees.

``lightgbm_levels`` forecasts each station by dynamic models. Boosters then learn, over many origins, stations and days ahead,
by which factor the trips that came differ from what the levels had forecast from that origin; as the levels of an origin know
nothing of later days, these errors are those of true forecasts. Large errors count by their size and not its square, as WAPE
counts them (Huber 1964). Some of the pairs are described with the weather that was usual instead of the one that came: the boosters have then seen
days whose rain is not known.

All stations have a day's luck in common, so a booster could learn days by heart. Each of several sees other months, and their
mean is the factor.
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
from tripcast.models.lightgbm_explained import additive, leaf_contributions, logarithmic_mean
from tripcast.models.lightgbm_levels import LEVEL, RAIN
from tripcast.models.lightgbm_pairs import COLUMNS, HORIZON_COLUMN, Pairs
from tripcast.models.lightgbm_panel import (
    CALENDAR,
    CASUAL_TRIPS,
    USUAL,
    Floats,
    Ints,
    Panel,
    future_days,
    joined,
    panel_of,
)
from tripcast.models.lightgbm_riders import RiderLevels, rider_levels_of

if TYPE_CHECKING:
    import lightgbm

# the boosters learn from stations of at least so many days, and speak for no younger ones
LEAST_DAYS = 28
# pairs that a booster needs; and how many there are at most for a day of a station
_LEAST_PAIRS = 2_000
_PAIRS_A_DAY = 8
# pairs of near origins and days are much alike: a tree sees so many of them, and at most half
_ROWS_A_TREE = 8_000
# a day that brings more than so many times what was expected counts as so many: one event shall not bend the trees
_FAR = 10.0
_FLOOR = 0.05
# of the months, each of so many days, the part that a booster sees; and what its factor is at least
_MONTH, _SEEN, _LEAST_FACTOR = 28, 0.6, 0.02
# an error of the factor that counts as large
_LARGE = 0.5
_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True)
class LightGBM:
    """The champion: dynamic models of system and station, and boosters that correct them.

    Args:
        boosters: how many.
        rounds, leaves, learning_rate: trees of each and their size.
        pairs: at most so many pairs of origin and day are learnt from; fewer when there are few days.
        usual: part of them with the usual weather.
        half_life: days after which a pair counts half.
        horizon: days ahead that they have at most; days further ahead are corrected as the last of them.
        threads: of LightGBM.
    """

    name: ClassVar[str] = "lightgbm"
    scope: ClassVar[Scope] = "all"
    packages: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "lightgbm")
    columns: ClassVar[tuple[str, ...]] = (CASUAL_TRIPS, *CALENDAR, "HOLIDAY_NAME", *WEATHER, *USUAL)
    history: ClassVar[int | None] = None

    boosters: int = 8
    rounds: int = 50
    leaves: int = 15
    learning_rate: float = 0.05
    pairs: int = 800_000
    usual: float = 0.25
    half_life: float = 730.0
    horizon: int = 30
    threads: int = 1

    def fit(self, known: pd.DataFrame, seed: int) -> FittedLightGBM:
        """See ``Learner.fit``."""
        panel = panel_of(known)
        levels = rider_levels_of(panel)
        trained = self._train(panel, levels, seed) or Trained([], 1.0, self.horizon)
        return FittedLightGBM(trained, self.threads, (known, panel, levels))

    def load(self, payload: bytes) -> FittedLightGBM:
        """See ``Learner.load``."""
        from lightgbm import Booster

        header, _, models = zlib.decompress(payload).partition(b"\n")
        facts = json.loads(header)
        if facts["columns"] != list(COLUMNS) or "boosters" not in facts:
            raise ValueError("the stored lightgbm model has other columns than this version: train it again")
        ends = np.cumsum(facts["boosters"], dtype=np.int64).tolist()
        texts = [models[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]
        boosters = [Booster(model_str=text) for text in texts]
        return FittedLightGBM(Trained(boosters, facts["usual_scale"], facts["horizon"]), self.threads, None)

    def _train(self, panel: Panel, levels: RiderLevels, seed: int) -> Trained | None:
        """Boosters; None if there are too few pairs."""
        from lightgbm import Dataset, train

        random = np.random.default_rng(seed)
        drawn = _draw(panel, self, random)
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
        trips = panel.trips[station, day]
        age = panel.trips.shape[1] - 1 - day
        fresh = 0.5 ** (age / self.half_life)
        usual_scale = _usual_scale(trips, base, fresh, usual)
        base = np.maximum(np.where(usual, base * usual_scale, base), _FLOOR)
        factor = np.minimum(trips / base, _FAR)
        weight = base * fresh
        data = Dataset(matrix, factor, weight=weight, feature_name=list(COLUMNS), params={"max_bin": 63, "verbose": -1})
        found = []
        for number in range(self.boosters):
            seen = random.random(age.max() // _MONTH + 1) < _SEEN
            chosen = np.flatnonzero(seen[age // _MONTH])
            shown = data.subset(chosen.tolist()) if len(chosen) >= _LEAST_PAIRS / 2 else data
            found.append(train(self._parameters(seed + number, shown.construct().num_data()), shown, self.rounds))
        return Trained(found, usual_scale, self.horizon)

    def _parameters(self, seed: int, rows: int) -> dict[str, Any]:
        return {
            "objective": "huber",
            "alpha": _LARGE,
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": 50,
            "lambda_l2": 5.0,
            "feature_fraction": 0.3,
            "bagging_fraction": min(0.5, _ROWS_A_TREE / rows),
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
    count = min(learner.pairs, _PAIRS_A_DAY * len(stations))
    at = random.integers(0, len(stations), count)
    station, origin = stations[at], origins[at]
    day = origin + random.integers(1, learner.horizon + 1, count)
    inside = day < panel.trips.shape[1]
    inside[inside] = is_open[station[inside], day[inside]]
    if inside.sum() < _LEAST_PAIRS:
        return None
    usual = random.random(count) < learner.usual
    return station[inside], origin[inside], day[inside], usual[inside]


def _usual_scale(trips: Floats, base: Floats, fresh: Floats, usual: npt.NDArray[np.bool_]) -> float:
    """How much more trips come than the levels forecast from usual weather, relative to the weather that came.

    The forecast of mean rain is not the mean of the forecasts: rain acts less, the more there is of it.

    Args:
        trips, base, fresh, usual: that came, forecast by the levels, weight and whether from usual weather, of each pair.
    """
    if usual.all() or not usual.any():
        return 1.0
    of_usual, of_actual = (np.sum((trips * fresh)[rows]) / np.sum((base * fresh)[rows]) for rows in (usual, ~usual))
    return float(of_usual / of_actual) if of_usual > 0 and of_actual > 0 else 1.0


@dataclass(frozen=True)
class Trained:
    """What was learnt from pairs.

    Args:
        boosters: none where there were too few days to train one.
        usual_scale: see ``_usual_scale``.
        horizon: days ahead that were learnt.
    """

    boosters: list[lightgbm.Booster]
    usual_scale: float
    horizon: int


class FittedLightGBM:
    """See ``Fitted``.

    Args:
        trained: boosters and what belongs to them.
        threads: of LightGBM.
        filtered: rows of FEATURES, and their panel and levels: forecasts from the same rows need not filter again.
    """

    def __init__(
        self,
        trained: Trained,
        threads: int,
        filtered: tuple[pd.DataFrame, Panel, RiderLevels] | None,
    ) -> None:
        self._trained, self._threads = trained, threads
        self._filtered = filtered

    def forecast(self, known: pd.DataFrame, future: pd.DataFrame, explain: bool) -> pd.DataFrame:
        """See ``Fitted.forecast``."""
        if self._filtered is None or self._filtered[0] is not known:
            panel = panel_of(known)
            self._filtered = (known, panel, rider_levels_of(panel))
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
        matrix[:, HORIZON_COLUMN] = np.minimum(matrix[:, HORIZON_COLUMN], self._trained.horizon)
        trained = (age[asked] >= LEAST_DAYS) & ~unknown & bool(self._trained.boosters)

        scale = np.where(days.usual[day], self._trained.usual_scale, 1.0)
        values = base * scale
        values[trained] *= self._factor(matrix[trained])
        values[unknown] = np.median(np.nanmean(panel.trips, axis=1))
        explanation = np.full(len(future), None, object)
        if explain:
            parts = levels.contributions(designs, asked, origin, day)
            parts[RAIN] += np.log(scale)
            for group, part in self._factor_contributions(matrix[trained]).items():
                parts.setdefault(group, np.zeros(len(future)))[trained] += part
            explanation[:] = additive(values, parts)
            explanation[unknown] = None
        return pd.DataFrame(
            {
                "STATION_ID": future["STATION_ID"].to_numpy(),
                "DAY": future["DAY"].to_numpy(),
                "H": future["H"].to_numpy(),
                "FORECAST": values,
                "FALLBACK": _reasons(np.where(unknown, 0, age[asked]), trained),
                "EXPLANATION": explanation,
            }
        )

    def dump(self) -> bytes:
        """See ``Fitted.dump``: a line of JSON and LightGBM's text, compressed."""
        models = [booster.model_to_string().encode() for booster in self._trained.boosters]
        facts = {
            "columns": list(COLUMNS),
            "horizon": self._trained.horizon,
            "usual_scale": self._trained.usual_scale,
            "boosters": [len(model) for model in models],
        }
        return zlib.compress(b"\n".join([json.dumps(facts).encode(), b"".join(models)]), 6)

    def _factor(self, matrix: Floats) -> Floats:
        """By which the levels' forecast is multiplied, by row."""
        if not len(matrix) or not self._trained.boosters:
            return np.ones(len(matrix))
        found = [np.asarray(booster.predict(matrix, num_threads=self._threads)) for booster in self._trained.boosters]
        return np.maximum(np.mean(found, axis=0), _LEAST_FACTOR)

    def _factor_contributions(self, matrix: Floats) -> dict[str, Floats]:
        """What makes the logarithm of the factor, by group of columns."""
        if not len(matrix) or not self._trained.boosters:
            return {}
        found: dict[str, Floats] = {}
        for booster in self._trained.boosters:
            for group, part in leaf_contributions(booster, matrix, COLUMNS, self._threads).items():
                found[group] = found.get(group, 0) + part / len(self._trained.boosters)
        found[LEVEL] = found[LEVEL] - 1
        scale = logarithmic_mean(self._factor(matrix), np.ones(len(matrix)))
        return {group: part / scale for group, part in found.items()}


def _reasons(age: Ints, trained: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """FALLBACK of each row.

    Args:
        age: days that the station was open.
        trained: whether the boosters spoke.
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
