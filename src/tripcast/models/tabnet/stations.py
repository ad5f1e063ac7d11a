"""TabNet per station: as the guide configures it, and as it should be configured."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from tripcast.models.base import Scope
from tripcast.models.tabnet.panel import WEATHER, Panel, answered, contributions, filled, mean_of, too_short

if TYPE_CHECKING:
    from tripcast.models.tabnet.regressor import TabNetRegressors

LAGS = (1, 7, 90, 365)
_TOGETHER = 32  # stations that are trained at once: more need more memory than the processor's caches have


@dataclass(frozen=True)
class Recipe:
    """How a station's days become rows of TabNet.

    Args:
        name: of the learner.
        lags: days back of the lagged trips, the first features.
        means: spans of rolling means up to the day before, the next features.
        day: columns that describe the day, the last features.
        logarithm: whether trips are taken as log(1 + trips), less the station's mean and over its deviation; else raw.
    """

    name: str
    lags: tuple[int, ...]
    means: tuple[int, ...]
    day: tuple[str, ...]
    logarithm: bool

    @property
    def features(self) -> tuple[str, ...]:
        return (*(f"LAG_{lag}" for lag in self.lags), *(f"MEAN_{span}" for span in self.means), *self.day)

    def past(self, series: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Lags and means (S, len(at), lags + means) of the days ``at``.

        Args:
            series: (S, days), NaN before a station's first day. A lag from before that is the mean of the first days, as
                many as the lag, as in the guide; a mean is over the days that there are.
            at: columns of ``series``, or the one after its last.
        """
        known = np.isfinite(series)
        clean = np.where(known, series, 0.0)
        zero = np.zeros((len(series), 1))
        total = np.concatenate([zero, clean.cumsum(1)], 1)
        count = np.concatenate([zero, known.cumsum(1)], 1)
        first = known.argmax(1)
        parts = []
        for lag in self.lags:
            end = np.minimum(first + lag, series.shape[1])
            rows = np.arange(len(series))
            start = total[rows, end] / np.maximum(count[rows, end], 1)
            back = at - lag
            values = np.where(
                (back >= 0) & known[:, np.maximum(back, 0)], clean[:, np.maximum(back, 0)], start[:, None]
            )
            parts.append(values)
        for span in self.means:
            begin = np.maximum(at - span, 0)
            number = count[:, at] - count[:, begin]
            parts.append((total[:, at] - total[:, begin]) / np.maximum(number, 1))
        return np.stack(parts, 2) if parts else np.zeros((len(series), len(at), 0))


GUIDE = Recipe("tabnet_guide", LAGS, (), ("PRECIPITATION", "HOLIDAY", "TEMP"), logarithm=False)
STATION = Recipe(
    "tabnet_station",
    LAGS,
    (7, 28),
    ("WEEKDAY", "SEASON_SIN", "SEASON_COS", "HOLIDAY", "NEAR_HOLIDAY", *WEATHER),
    logarithm=True,
)
_RECIPES = {recipe.name: recipe for recipe in (GUIDE, STATION)}


@dataclass(frozen=True)
class TabNetGuide:
    """TabNet per station as the guide has it, for comparison: raw counts, ten epochs, a year held out, recursive.

    Its forecasts feed its lags and nothing bounds them: on real data they explode. The holiday is a category, as in the
    guide's exploration, where it is the last feature but one. A last batch that is not full is left out.

    Args:
        max_epochs, patience, batch_size, virtual_batch_size, held_out: the guide's; ``held_out`` in days.
    """

    name: ClassVar[str] = "tabnet_guide"
    scope: ClassVar[Scope] = "station"
    packages: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "pytorch")
    columns: ClassVar[tuple[str, ...]] = ("PRECIPITATION", "HOLIDAY", "TEMP")
    history: ClassVar[int | None] = None

    max_epochs: int = 10
    patience: int = 100
    batch_size: int = 128
    virtual_batch_size: int = 64
    held_out: int = 365

    def fit(self, known: pd.DataFrame, seed: int) -> StationModels:
        """See ``Learner.fit``. A station whose rows give no batch has no model."""
        from tripcast.models.tabnet.config import TabNetConfig

        features = GUIDE.features
        config = TabNetConfig(
            len(features),
            cat_idxs=(features.index("HOLIDAY"),),
            cat_dims=(2,),
            max_epochs=self.max_epochs,
            patience=self.patience,
            batch_size=self.batch_size,
            virtual_batch_size=self.virtual_batch_size,
        )
        return fit_stations(GUIDE, config, known, seed, self.held_out, self.batch_size)

    def load(self, payload: bytes) -> StationModels:
        """See ``Learner.load``."""
        return StationModels.load(payload)


@dataclass(frozen=True)
class TabNetStation:
    """TabNet per station: logarithms, weekday and season, two months held out, recursive within what the station has seen.

    Args:
        max_epochs, patience, batch_size, virtual_batch_size, lr, step_size, step_gamma: of training.
        held_out: last days, for early stopping.
        shortest: days that a station must have beside those.
    """

    name: ClassVar[str] = "tabnet_station"
    scope: ClassVar[Scope] = "station"
    packages: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "pytorch")
    columns: ClassVar[tuple[str, ...]] = ("HOLIDAY", "NEAR_HOLIDAY", *WEATHER)
    history: ClassVar[int | None] = None

    max_epochs: int = 40
    patience: int = 40
    batch_size: int = 128
    virtual_batch_size: int = 64
    lr: float = 0.02
    step_size: int = 10
    step_gamma: float = 0.6
    held_out: int = 60
    shortest: int = 128

    def fit(self, known: pd.DataFrame, seed: int) -> StationModels:
        """See ``Learner.fit``. A shorter station has no model."""
        from tripcast.models.tabnet.config import TabNetConfig

        features = STATION.features
        config = TabNetConfig(
            len(features),
            cat_idxs=(features.index("WEEKDAY"),),
            cat_dims=(7,),
            max_epochs=self.max_epochs,
            patience=self.patience,
            batch_size=self.batch_size,
            virtual_batch_size=self.virtual_batch_size,
            lr=self.lr,
            step_size=self.step_size,
            step_gamma=self.step_gamma,
        )
        return fit_stations(STATION, config, known, seed, self.held_out, max(self.shortest, self.batch_size))

    def load(self, payload: bytes) -> StationModels:
        """See ``Learner.load``."""
        return StationModels.load(payload)


def fit_stations(
    recipe: Recipe, config: object, known: pd.DataFrame, seed: int, held_out: int, least: int
) -> StationModels:
    """Trains a model for each station that has enough days.

    Args:
        recipe: of the rows.
        config: of the networks.
        known, seed: see ``Learner.fit``; every station has the same seed, so that its model does not depend on the others.
        held_out: days, the last ones, for early stopping.
        least: days before those that a station must have.
    """
    from tripcast.models.tabnet.config import TabNetConfig
    from tripcast.models.tabnet.regressor import TabNetRegressors

    assert isinstance(config, TabNetConfig)
    panel = Panel.of(known, recipe.day)
    usual = {name: mean_of(panel.day[name]) for name in recipe.day}
    length = panel.length
    counts = length - panel.opened - held_out  # rows to train on
    chosen = np.nonzero(counts >= least)[0]
    chosen = chosen[np.argsort(-counts[chosen], kind="stable")]  # those trained together have about as many
    series = panel.trips
    if recipe.logarithm:
        series = np.log1p(np.maximum(series, 0))
    centre, spread = np.zeros(len(series)), np.ones(len(series))
    low, high = np.full(len(series), -np.inf), np.full(len(series), np.inf)
    if recipe.logarithm and len(chosen):
        centre[chosen] = np.nanmean(series[chosen], 1)
        spread[chosen] = np.maximum(np.nanstd(series[chosen], 1), 1e-3)
        # a forecast leaves what the station has seen by no more than a third: exp(0.3)
        low[chosen], high[chosen] = 0.0, np.nanmax(series[chosen], 1) + 0.3
    series = (series - centre[:, None]) / spread[:, None]

    groups: list[TabNetRegressors] = []
    for start in range(0, len(chosen), _TOGETHER):
        members = chosen[start : start + _TOGETHER]
        longest = int((length - panel.opened[members]).max())
        at = np.arange(length - longest, length)
        x = np.concatenate(
            [recipe.past(series[members], at), _day_rows(recipe, panel, usual, at, len(members))], 2
        ).astype(np.float32)
        y = series[members][:, at].astype(np.float32)
        # rows begin where a station does
        rows = counts[members]
        train_x = np.zeros((len(members), int(rows.max()), x.shape[2]), np.float32)
        train_y = np.zeros(train_x.shape[:2], np.float32)
        for number, count in enumerate(rows.tolist()):
            begin = longest - held_out - count
            train_x[number, :count] = x[number, begin : begin + count]
            train_y[number, :count] = np.nan_to_num(y[number, begin : begin + count])
        models = TabNetRegressors(config, [seed] * len(members))
        judged = (x[:, longest - held_out :], np.nan_to_num(y[:, longest - held_out :]), None)
        models.fit(train_x, train_y, rows, judged)
        groups.append(models)
    order = np.argsort(chosen, kind="stable")
    merged = TabNetRegressors.merged(config, groups).take(order)
    chosen = chosen[order]
    scale = np.stack([centre, spread, low, high], 1)[chosen]
    return StationModels(recipe, panel.stations[chosen], scale, usual, merged)


def _day_rows(recipe: Recipe, panel: Panel, usual: dict[str, float], at: np.ndarray, stations: int) -> np.ndarray:
    """(S, len(at), day columns): the same for all stations."""
    if not recipe.day:
        return np.zeros((stations, len(at), 0))
    columns = np.stack([_day_column(recipe, name, panel.day[name][at], usual[name]) for name in recipe.day], 1)
    return np.broadcast_to(columns, (stations, *columns.shape))


def _day_column(recipe: Recipe, name: str, values: np.ndarray, usual: float) -> np.ndarray:
    if name in ("HOLIDAY", "NEAR_HOLIDAY"):
        return (filled(values, 0.0) > 0).astype(np.float64)
    if recipe.logarithm and name in ("PRECIPITATION", "SNOWFALL", "SNOW_DEPTH"):
        return np.log1p(np.maximum(filled(values, usual), 0))
    return filled(values, usual)


class StationModels:
    """Trained TabNets of many stations.

    Args:
        recipe: of the rows.
        stations: (S,) ids, sorted, of those that have a model.
        scale: (S, 4): centre and spread of the trips as the models see them, lowest and highest forecast before scaling.
        usual: what stands for a day's column that is not known.
        models: in the order of ``stations``.
    """

    def __init__(
        self, recipe: Recipe, stations: np.ndarray, scale: np.ndarray, usual: dict[str, float], models: TabNetRegressors
    ) -> None:
        self._recipe, self._stations, self._scale, self._usual, self._models = recipe, stations, scale, usual, models

    def forecast(self, known: pd.DataFrame, future: pd.DataFrame, explain: bool) -> pd.DataFrame:
        """See ``Fitted.forecast``: day by day, each forecast being the lag of later ones."""
        recipe = self._recipe
        panel = Panel.of(known, recipe.day, future)
        asked = future["STATION_ID"].to_numpy()
        row = panel.rows_of(asked)
        mean, count = panel.recent_mean()
        values, reason = too_short(mean, count, row, recipe.name)
        explanation = np.full(len(future), None, object) if explain else None
        here = panel.rows_of(self._stations)
        if (here < 0).any():
            # TabNet answers for all its stations at once; one that is not asked for gets the days of another
            present = here >= 0
            if not present.any():
                return answered(future, values, reason, explanation)
            here = np.where(present, here, here[present][0])
        trips, inputs = self._recurse(panel, here)
        number = np.searchsorted(self._stations, asked)
        number = np.minimum(number, max(len(self._stations) - 1, 0))
        has = (self._stations[number] == asked) & (row >= 0) if len(self._stations) else np.zeros(len(future), bool)
        step = (future["DAY"] - panel.first).dt.days.to_numpy() - panel.length
        found = np.full(len(future), np.nan)
        found[has] = trips[number[has], step[has]]
        finite = np.isfinite(found)
        values[finite] = found[finite]
        reason[finite] = None
        lost = has & ~finite
        reason[lost] = [
            f"mean of {days} days: the forecast of {recipe.name} is not finite" for days in count[row[lost]].tolist()
        ]
        if explanation is not None and finite.any():
            _, importances, _ = self._models.explain(inputs)
            shares = importances[number[finite], step[finite]].astype(np.float64)
            shares[~np.isfinite(shares)] = 0.0
            distance = np.maximum(values[finite], 0) - mean[row[finite]]
            explanation[finite] = contributions(recipe.features, shares, distance)
        return answered(future, values, reason, explanation)

    def _recurse(self, panel: Panel, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Trips (S, H), maybe below 0 or not finite, and the rows (S, H, features) that they came from."""
        recipe = self._recipe
        centre, spread, low, high = (self._scale[:, column, None] for column in range(4))
        length, horizon = panel.length, panel.horizon
        reach = max(*recipe.lags, *recipe.means, 1) if recipe.means else max(recipe.lags)
        series = panel.trips[here]
        if recipe.logarithm:
            series = np.log1p(np.maximum(series, 0))
        series = (series - centre) / spread
        day = _day_rows(recipe, panel, self._usual, np.arange(length, length + horizon), len(here))
        if (panel.opened[here] <= length - reach).all():
            series = series[:, -reach:]  # nothing before that is asked for
        inputs = np.zeros((len(here), horizon, len(recipe.features)), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for step in range(horizon):
                past = recipe.past(series, np.array([series.shape[1]]))[:, 0]
                inputs[:, step] = np.concatenate([past, day[:, step]], 1)
                next_day = self._models.predict(inputs[:, step : step + 1]).astype(np.float64)
                if recipe.logarithm:
                    next_day = (np.clip(next_day * spread + centre, low, high) - centre) / spread
                else:
                    next_day = np.round(next_day)  # as in the guide
                series = np.concatenate([series, next_day], 1)
            made = series[:, series.shape[1] - horizon :] * spread + centre
            return (np.expm1(made) if recipe.logarithm else made), inputs

    def dump(self) -> bytes:
        """See ``Fitted.dump``: an ``.npz`` file."""
        buffer = io.BytesIO()
        names = np.array(list(self._usual), dtype=np.str_)
        np.savez(
            buffer,
            recipe=np.array(self._recipe.name, dtype=np.str_),
            stations=self._stations.astype(np.str_),
            scale=self._scale,
            usual_names=names,
            usual_values=np.array(list(self._usual.values()), dtype=np.float64),
            models=np.frombuffer(self._models.dump(), dtype=np.uint8),
        )
        return buffer.getvalue()

    @classmethod
    def load(cls, payload: bytes) -> StationModels:
        """From what ``dump`` wrote."""
        from tripcast.models.tabnet.regressor import TabNetRegressors

        with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
            usual = dict(zip(stored["usual_names"].tolist(), stored["usual_values"].tolist(), strict=True))
            return cls(
                _RECIPES[str(stored["recipe"])],
                stored["stations"].astype(object),
                stored["scale"],
                usual,
                TabNetRegressors.load(stored["models"].tobytes()),
            )
