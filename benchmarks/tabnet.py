"""TabNet of many stations side by side against pytorch-tabnet's loop over stations: same network, same hyper-parameters.

Both are timed by the processor time of one thread, in turn: a few stations of the peer, then all of ours.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings

import numpy as np

from report import Figure
from timing import in_turn, median

_LAGS = (1, 7, 90, 365)
_ROWS, _HELD_OUT, _DAYS = 1200, 365, 30
_FIT = {"max_epochs": 10, "patience": 100, "batch_size": 128, "virtual_batch_size": 64}


def measure(quick: bool) -> list[Figure]:
    """Seconds a station for fit with early stopping, prediction of all rows, 30-day recursion and explanation."""
    import torch

    stations = 64
    runs, at_once = (3, 1) if quick else (7, 2)
    x, y, future = _stations(stations)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    turn = iter(range(10_000))
    try:
        _peer(x[0], y[0], future)

        def peer() -> float:
            first = next(turn) * at_once
            return (
                _seconds(
                    lambda: [_peer(x[i % stations], y[i % stations], future) for i in range(first, first + at_once)]
                )
                / at_once
            )

        ours, theirs = in_turn(lambda: _seconds(lambda: _ours(x, y, future)) / stations, peer, runs)
    finally:
        torch.set_num_threads(threads)
    name = f"TabNet of {stations} stations: fit, predict, {_DAYS}-day recursion, explain; a station"
    return [Figure(name, median(ours), "s", median(theirs), "pytorch-tabnet", 1 / 20, runs)]


def _seconds(work: object) -> float:
    start = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - start


def _stations(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lags, rain, holiday and temperature (stations, rows, 7), trips (stations, rows), and the last three of days to come."""
    random = np.random.default_rng(0)
    days = np.arange(_ROWS + 365 + _DAYS)
    season = np.sin(2 * np.pi * days / 365.25)
    day = np.stack([(random.random(len(days)) < 0.3) * 0.4, random.random(len(days)) < 0.03, 55 + 25 * season], 1)
    level = (1 + 0.4 * season) * np.where(days % 7 < 5, 1.2, 0.6) * np.where(day[:, 0] > 0, 0.6, 1.0)
    trips = random.poisson(random.uniform(10, 80, (count, 1)) * level)[:, : _ROWS + 365].astype(np.float64)
    lags = np.stack([trips[:, 365 - lag : _ROWS + 365 - lag] for lag in _LAGS], 2)
    known = np.broadcast_to(day[365 : 365 + _ROWS], (count, _ROWS, 3))
    return np.concatenate([lags, known], 2), trips[:, 365:], day[-_DAYS:]


def _ours(x: np.ndarray, y: np.ndarray, future: np.ndarray) -> None:
    from tripcast.models.tabnet.config import TabNetConfig
    from tripcast.models.tabnet.regressor import TabNetRegressors

    config = TabNetConfig(x.shape[2], cat_idxs=(-2,), cat_dims=(2,), **_FIT)  # type: ignore[arg-type]
    together = 32
    for start in range(0, len(x), together):
        rows, trips = x[start : start + together], y[start : start + together]
        models = TabNetRegressors(config, [0] * len(rows))
        judged = (rows[:, -_HELD_OUT:], trips[:, -_HELD_OUT:], None)
        models.fit(rows[:, :-_HELD_OUT], trips[:, :-_HELD_OUT], None, judged, want_importances=True)
        models.predict(rows)
        series = trips
        for day in future:
            lags = series[:, [-lag for lag in _LAGS]]
            inputs = np.concatenate([lags, np.broadcast_to(day, (len(rows), 3))], 1)
            series = np.concatenate([series, models.predict(inputs[:, None])], 1)
        models.explain(rows)


def _peer(x: np.ndarray, y: np.ndarray, future: np.ndarray) -> None:
    from pytorch_tabnet.tab_model import TabNetRegressor

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = TabNetRegressor(cat_idxs=[-2], cat_dims=[2], verbose=0)
        target = y[:, None]
        judged = [(x[-_HELD_OUT:], target[-_HELD_OUT:])]
        model.fit(x[:-_HELD_OUT], target[:-_HELD_OUT], eval_set=judged, **_FIT)
        model.predict(x)
        series = list(y)
        for day in future:
            inputs = np.array([[*(series[-lag] for lag in _LAGS), *day]])
            series.append(float(model.predict(inputs)[0, 0]))
        model.explain(x)
