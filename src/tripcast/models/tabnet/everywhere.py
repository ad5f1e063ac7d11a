"""One TabNet for all stations: direct, the horizon being a feature, mean of several seeds trained side by side."""

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

_DAY = ("HOLIDAY", "NEAR_HOLIDAY", *WEATHER)
_SHORTEST = 14  # days that a station must have been open: two of each weekday
_OFFSET = 0.5  # trips, added before a logarithm
FEATURES = (
    "H",
    "LEVEL",
    "MEAN_7",
    "MEAN_91",
    "MEAN_365",
    "WEEKDAY_MEAN_4",
    "SAME_WEEKDAY",
    "YEAR_AGO",
    "ALL_MEAN_7",
    "ALL_YEAR_AGO",
    "DAYS_OPEN",
    "WEEKDAY",
    "SEASON_SIN",
    "SEASON_COS",
    "HOLIDAY",
    "NEAR_HOLIDAY",
    *WEATHER,
    "TEMP_CHANGE",
)


@dataclass(frozen=True)
class TabNet:
    """TabNet over all stations. It learns log(trips of the day / mean of the station's last 28 days).

    Args:
        seeds: models, of which the forecast is the mean.
        pairs: (station, cutoff, horizon) that each learns from, drawn from all that the history has.
        horizon: most days ahead.
        width: of decision and attention.
        max_epochs, batch_size, virtual_batch_size, lr, step_size, step_gamma: of training.
        half_life: days after which a pair is half as likely to be drawn.
    """

    name: ClassVar[str] = "tabnet"
    scope: ClassVar[Scope] = "all"
    packages: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "pytorch")
    columns: ClassVar[tuple[str, ...]] = _DAY
    history: ClassVar[int | None] = None

    seeds: int = 3
    pairs: int = 30_000
    horizon: int = 30
    width: int = 8
    max_epochs: int = 20
    batch_size: int = 1024
    virtual_batch_size: int = 256
    lr: float = 0.02
    step_size: int = 5
    step_gamma: float = 0.5
    half_life: float = 365.0

    def fit(self, known: pd.DataFrame, seed: int) -> GlobalModel:
        """See ``Learner.fit``. With too few days for a batch there is no model, and forecasts are means."""
        from tripcast.models.tabnet.config import TabNetConfig
        from tripcast.models.tabnet.regressor import TabNetRegressors

        panel = Panel.of(known, _DAY)
        usual = {name: mean_of(panel.day[name]) for name in _DAY}
        config = TabNetConfig(
            len(FEATURES),
            cat_idxs=(FEATURES.index("WEEKDAY"),),
            cat_dims=(7,),
            cat_emb_dim=2,
            n_d=self.width,
            n_a=self.width,
            max_epochs=self.max_epochs,
            patience=0,
            batch_size=self.batch_size,
            virtual_batch_size=self.virtual_batch_size,
            lr=self.lr,
            step_size=self.step_size,
            step_gamma=self.step_gamma,
        )
        view = History(panel)
        random = np.random.default_rng(seed)
        row, cutoff, h = draw_pairs(panel, random, self.pairs, self.horizon, self.half_life)
        if len(row) < self.batch_size:
            return GlobalModel(usual, self.horizon, 1.0, None)
        x, base = view.features(usual, row, cutoff, h, self.horizon)
        actual = panel.trips[row, cutoff + h]
        y = (np.log(actual + _OFFSET) - np.log(base + _OFFSET)).astype(np.float32)
        models = TabNetRegressors(config, [seed + number for number in range(self.seeds)])
        repeated_x = np.broadcast_to(x, (self.seeds, *x.shape))
        repeated_y = np.broadcast_to(y, (self.seeds, *y.shape))
        # the rate falls by epoch only where there is an eval set: a few rows, as nothing is chosen by them
        models.fit(repeated_x, repeated_y, None, (repeated_x[:, :64], repeated_y[:, :64], None))
        made = _trips(models.predict(np.broadcast_to(x, (self.seeds, *x.shape))).mean(0), base)
        # the mean of logarithms is not the logarithm of the mean: what that takes away on average is given back
        lift = float(np.clip(actual.sum() / max(made.sum(), 1e-9), 0.8, 1.5))
        return GlobalModel(usual, self.horizon, lift, models)

    def load(self, payload: bytes) -> GlobalModel:
        """See ``Learner.load``."""
        return GlobalModel.load(payload)


def draw_pairs(
    panel: Panel, random: np.random.Generator, pairs: int, horizon: int, half_life: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(station, cutoff, horizon) whose day is known: (N,) each, cutoff as column of the panel.

    Days of a station are drawn without replacement, later ones rather, each with a random horizon.

    Args:
        panel: what is known.
        random: source.
        pairs: N at most.
        horizon: most days ahead.
        half_life: see ``TabNet``.
    """
    known = np.isfinite(panel.trips)
    known &= np.arange(panel.length) >= (panel.opened + _SHORTEST)[:, None]
    row, day = np.nonzero(known)
    # one horizon a week: more of the same days teach little
    repeats = max(1, min(4, -(-pairs // max(len(row), 1))))
    row, day = np.tile(row, repeats), np.tile(day, repeats)
    h = random.integers(1, horizon + 1, len(row))
    h = np.minimum(h, day - panel.opened[row] - _SHORTEST + 1)
    age = panel.length - 1 - day
    # the largest of u ** (1 / w) are a draw without replacement with weights w (Efraimidis and Spirakis, 2006)
    order = np.argsort(np.log(random.random(len(row))) * np.exp2(age / half_life), kind="stable")[::-1][:pairs]
    return row[order], (day - h)[order], h[order]


def _trips(ratio: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Trips from log ratios; nothing is more than e ** 3 times, nor less than e ** -5 times, what the station had."""
    return np.maximum(np.exp(np.clip(ratio, -5.0, 3.0)) * (base + _OFFSET) - _OFFSET, 0.0)


class History:
    """Running sums over a panel, to ask for means up to any cutoff.

    Args:
        panel: trips and calendar.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        known = np.isfinite(panel.trips)
        clean = np.where(known, panel.trips, 0.0)
        self._sums = (_running(clean), _running(known.astype(np.float64)))
        # all stations together, as trips per open station
        self._all = (_running(clean.sum(0)[None]), _running(known.sum(0)[None].astype(np.float64)))

    def mean(self, row: np.ndarray, last: np.ndarray, days: int) -> np.ndarray:
        """(N,) mean of the ``days`` days up to the column ``last``, over those that there are; NaN where there is none."""
        return _mean(self._sums, row, last, days)

    def mean_of_all(self, last: np.ndarray, days: int) -> np.ndarray:
        """The same over all stations together."""
        return _mean(self._all, np.zeros_like(last), last, days)

    def features(
        self, usual: dict[str, float], row: np.ndarray, cutoff: np.ndarray, h: np.ndarray, horizon: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """FEATURES (N, features) in float32 and the mean of the last 28 days (N,): nothing after the cutoff but the day's calendar.

        Args:
            usual: what stands for a day's column that is not known.
            row, cutoff, h: (N,), cutoff as column of the panel.
            horizon: of which ``h`` is a part.
        """
        panel, day = self.panel, cutoff + h
        base = filled(self.mean(row, cutoff, 28), 0.0)
        level = np.log(base + _OFFSET)

        def ratio(mean: np.ndarray, to: np.ndarray) -> np.ndarray:
            return np.clip(filled(np.log(mean + _OFFSET) - np.log(to + _OFFSET), 0.0), -3, 3)

        back = day - 7 * ((h + 6) // 7)  # the last same weekday up to the cutoff
        weekday = [self.mean(row, back - 7 * week, 1) for week in range(4)]
        stacked = np.stack(weekday)
        seen = np.isfinite(stacked)
        weekday_mean = np.divide(
            np.where(seen, stacked, 0).sum(0), seen.sum(0), out=np.full(len(row), np.nan), where=seen.any(0)
        )
        all_base = self.mean_of_all(cutoff, 28)
        # how the same days of last year, week by week, stood to what was then the last month
        year = ratio(self.mean(row, day - 364 + 4, 9), self.mean(row, cutoff - 364, 28))
        whole_year = panel.opened[row] <= cutoff - 364 - 27
        all_year = ratio(self.mean_of_all(day - 364 + 4, 9), self.mean_of_all(cutoff - 364, 28))
        temperature = filled(panel.day["TEMP"], usual["TEMP"])
        recent = _mean(
            (_running(temperature[None]), _running(np.ones((1, len(temperature))))), np.zeros_like(cutoff), cutoff, 28
        )
        columns = {
            "H": h / horizon,
            "LEVEL": level,
            "MEAN_7": ratio(self.mean(row, cutoff, 7), base),
            "MEAN_91": ratio(self.mean(row, cutoff, 91), base),
            "MEAN_365": ratio(self.mean(row, cutoff, 365), base),
            "WEEKDAY_MEAN_4": ratio(weekday_mean, base),
            "SAME_WEEKDAY": ratio(weekday[0], base),
            "YEAR_AGO": np.where(whole_year, year, all_year),
            "ALL_MEAN_7": ratio(self.mean_of_all(cutoff, 7), all_base),
            "ALL_YEAR_AGO": all_year,
            "DAYS_OPEN": np.log1p(np.minimum(cutoff - panel.opened[row], 730)),
            "WEEKDAY": panel.day["WEEKDAY"][day],
            "SEASON_SIN": panel.day["SEASON_SIN"][day],
            "SEASON_COS": panel.day["SEASON_COS"][day],
            "HOLIDAY": (filled(panel.day["HOLIDAY"][day], 0.0) > 0).astype(np.float64),
            "NEAR_HOLIDAY": (filled(panel.day["NEAR_HOLIDAY"][day], 0.0) > 0).astype(np.float64),
            "TEMP": temperature[day],
            "PRECIPITATION": np.log1p(np.maximum(filled(panel.day["PRECIPITATION"][day], usual["PRECIPITATION"]), 0)),
            "SNOWFALL": np.log1p(np.maximum(filled(panel.day["SNOWFALL"][day], usual["SNOWFALL"]), 0)),
            "SNOW_DEPTH": np.log1p(np.maximum(filled(panel.day["SNOW_DEPTH"][day], usual["SNOW_DEPTH"]), 0)),
            "WIND": filled(panel.day["WIND"][day], usual["WIND"]),
            "TEMP_CHANGE": temperature[day] - recent,
        }
        return np.stack([columns[name] for name in FEATURES], 1).astype(np.float32), base


def _running(values: np.ndarray) -> np.ndarray:
    """(R, T + 1): sums before each column, and of all."""
    return np.concatenate([np.zeros((len(values), 1)), values.cumsum(1)], 1)


def _mean(sums: tuple[np.ndarray, np.ndarray], row: np.ndarray, last: np.ndarray, days: int) -> np.ndarray:
    total, count = sums
    end = np.clip(last + 1, 0, total.shape[1] - 1)
    begin = np.clip(last + 1 - days, 0, total.shape[1] - 1)
    number = count[row, end] - count[row, begin]
    return np.divide(total[row, end] - total[row, begin], number, out=np.full(len(row), np.nan), where=number > 0)


class GlobalModel:
    """A trained TabNet of all stations.

    Args:
        usual: what stands for a day's column that is not known.
        horizon: that was learnt; days further ahead are forecast as the last of it.
        lift: factor of all forecasts.
        models: None where there was too little to learn from.
    """

    def __init__(self, usual: dict[str, float], horizon: int, lift: float, models: TabNetRegressors | None) -> None:
        self._usual, self._horizon, self._lift, self._models = usual, horizon, lift, models

    def forecast(self, known: pd.DataFrame, future: pd.DataFrame, explain: bool) -> pd.DataFrame:
        """See ``Fitted.forecast``."""
        panel = Panel.of(known, _DAY, future)
        row = panel.rows_of(future["STATION_ID"].to_numpy())
        mean, count = panel.recent_mean()
        values, reason = too_short(mean, count, row, TabNet.name)
        explanation = np.full(len(future), None, object) if explain else None
        able = (row >= 0) & (panel.length - panel.opened[row] >= _SHORTEST)
        if self._models is None or not able.any():
            return answered(future, values, reason, explanation)
        h = (future["DAY"] - panel.first).dt.days.to_numpy()[able] - panel.length + 1
        cutoff = np.full(len(h), panel.length - 1)
        x, base = History(panel).features(self._usual, row[able], cutoff, h, self._horizon)
        x[:, FEATURES.index("H")] = np.minimum(x[:, FEATURES.index("H")], 1.0)
        seeds = len(self._models.state.parameters)
        repeated = np.broadcast_to(x, (seeds, *x.shape))
        if explain:
            ratios, importances, _ = self._models.explain(repeated)
        else:
            ratios = self._models.predict(repeated)
        made = _trips(ratios.mean(0), base) * self._lift
        finite = np.isfinite(made)
        place = np.nonzero(able)[0][finite]
        values[place], reason[place] = made[finite], None
        lost = np.nonzero(able)[0][~finite]
        reason[lost] = [
            f"mean of {days} days: the forecast of tabnet is not finite" for days in count[row[lost]].tolist()
        ]
        if explanation is not None:
            explanation[place] = contributions(
                FEATURES, importances.mean(0)[finite].astype(np.float64), (made - base)[finite]
            )
        return answered(future, values, reason, explanation)

    def dump(self) -> bytes:
        """See ``Fitted.dump``: an ``.npz`` file."""
        buffer = io.BytesIO()
        models = b"" if self._models is None else self._models.dump()
        np.savez(
            buffer,
            usual_names=np.array(list(self._usual), dtype=np.str_),
            usual_values=np.array(list(self._usual.values()), dtype=np.float64),
            numbers=np.array([self._horizon, self._lift]),
            models=np.frombuffer(models, dtype=np.uint8),
        )
        return buffer.getvalue()

    @classmethod
    def load(cls, payload: bytes) -> GlobalModel:
        """From what ``dump`` wrote."""
        from tripcast.models.tabnet.regressor import TabNetRegressors

        with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
            usual = dict(zip(stored["usual_names"].tolist(), stored["usual_values"].tolist(), strict=True))
            horizon, lift = stored["numbers"].tolist()
            models = stored["models"].tobytes()
            return cls(usual, int(horizon), lift, TabNetRegressors.load(models) if models else None)
