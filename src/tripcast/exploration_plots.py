"""Pictures for those who look into the data: trips a day, their autocorrelation, a forecast beside what came, importance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tripcast.plots import ACCENT, GRID, INK, PALE, PAST, dress, picture

_SEASON = 7


def plot_daily_trips(daily: pd.DataFrame, target: Path, title: str) -> Path:
    """Draws trips a day and their mean of 28 days.

    Args:
        daily: DATE, COUNT.
        target: PNG file to write.
        title: of the picture.
    """
    series = _by_day(daily)
    with picture(target, 1, 4.6) as (axes,):
        axes.plot(series.index, series, color=PALE, linewidth=0.8, label="trips a day")
        axes.plot(
            series.index, series.rolling(28, center=True).mean(), color=INK, linewidth=1.8, label="mean of 28 days"
        )
        dress(axes, title, "trips a day")
        axes.set_ylim(bottom=0)
    return target


def plot_autocorrelation(daily: pd.DataFrame, target: Path, title: str, lags: int = 42) -> Path:
    """Draws how much the trips of a day have in common with those of earlier days, and how much of that is that day's own.

    The dashed lines are the 95 % bounds of a series without memory.

    Args:
        daily: DATE, COUNT; days that are missing count as 0.
        target: PNG file to write.
        title: of the picture.
        lags: days back.

    Raises:
        ValueError: fewer than twice as many days as lags.
    """
    from statsmodels.tsa.stattools import acf, pacf

    series = _by_day(daily)
    if len(series) < 2 * lags + 2:
        raise ValueError(f"{len(series)} days are too few for {lags} lags: at most {max(0, len(series) // 2 - 1)}")
    bound = 1.96 / np.sqrt(len(series))
    days = np.arange(1, lags + 1)
    with picture(target, 2, 6.4) as both:
        for axes, values, what in zip(
            both,
            (acf(series, nlags=lags), pacf(series, nlags=lags)),
            (f"{title}: autocorrelation", "Partial autocorrelation: what the days between do not explain"),
            strict=True,
        ):
            colors = [ACCENT if day % _SEASON == 0 else INK for day in days]
            axes.bar(days, values[1:], width=0.55, color=colors)
            axes.axhline(0, color=INK, linewidth=0.8)
            for side in (-bound, bound):
                axes.axhline(side, color=PAST, linewidth=1, linestyle="--")
            dress(axes, what, "correlation")
            axes.set_xticks(range(_SEASON, lags + 1, _SEASON))
        both[1].set_xlabel("days back; whole weeks in red")
    return target


def plot_against_actuals(
    actual: pd.DataFrame, forecasts: Mapping[str, pd.DataFrame], target: Path, title: str, cutoff: object = None
) -> Path:
    """Draws what came and what models said of it.

    Args:
        actual: DATE, COUNT.
        forecasts: name -> DATE, FORECAST and, if there are, LOW_80 and HIGH_80; at most three.
        target: PNG file to write.
        title: of the picture.
        cutoff: the last day that the models had seen, marked by a line; None for no line.
    """
    with picture(target, 1, 4.6) as (axes,):
        series = _by_day(actual)
        axes.plot(series.index, series, color=INK, linewidth=1.3, label="trips that came")
        for (name, rows), color in zip(forecasts.items(), (ACCENT, PAST, PALE), strict=False):
            days = pd.to_datetime(rows["DATE"])
            if "LOW_80" in rows:
                low, high = rows["LOW_80"].astype(float), rows["HIGH_80"].astype(float)
                axes.fill_between(days, low, high, color=color, alpha=0.2, linewidth=0, label="80 % interval")
            axes.plot(days, rows["FORECAST"].astype(float), color=color, linewidth=1.8, label=name)
        if cutoff is not None:
            axes.axvline(pd.Timestamp(str(cutoff)) + pd.Timedelta(hours=12), color=INK, linewidth=0.9, linestyle=":")
        dress(axes, title, "trips a day")
        axes.set_ylim(bottom=0)
    return target


def plot_importance(importance: Mapping[str, float], target: Path, title: str) -> Path:
    """Draws each feature's share of a model's decisions.

    Args:
        importance: feature -> share; they sum to 1.
        target: PNG file to write.
        title: of the picture.
    """
    shown = sorted(importance.items(), key=lambda item: item[1])
    with picture(target, 1, 1.3 + 0.36 * len(shown), 9) as (axes,):
        axes.barh(range(len(shown)), [share for _, share in shown], color=INK, height=0.62)
        axes.set_yticks(range(len(shown)), [name for name, _ in shown])
        reach = max((share for _, share in shown), default=1.0) or 1.0
        for place, (_, share) in enumerate(shown):
            axes.text(share + reach * 0.01, place, f"{share:.0%}", va="center", fontsize=9, color=INK)
        axes.set_xlim(0, reach * 1.1)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_xlabel("share of all decisions")
        dress(axes, title)
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=GRID)
    return target


def _by_day(daily: pd.DataFrame) -> pd.Series:
    """Trips by day, without gaps."""
    series = daily.set_index(pd.DatetimeIndex(pd.to_datetime(daily["DATE"])))["COUNT"].astype(float)
    return series.sort_index().asfreq("D").fillna(0.0)
