"""Pictures of what came and what is forecast; the numbers are summed up in the warehouse."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names

_INK, _PALE, _ACCENT, _PAST = "#1f3044", "#9fb3c8", "#d1495b", "#edae49"
RECENT_DAYS = 180


def _daily(session: Session, table: str, value: str, *keys: str, condition: object = None) -> pd.DataFrame:
    frame = session.table(table)
    if condition is not None:
        frame = frame.filter(condition)  # type: ignore[arg-type]
    result = frame.group_by("DAY", *keys).agg(F.sum(value).alias("TRIPS")).sort("DAY").to_pandas()
    result["DAY"] = pd.to_datetime(result["DAY"])
    result["TRIPS"] = result["TRIPS"].astype(float)
    return result


def plot_forecast(session: Session, model: str, cutoff: date, target: Path, title: str) -> Path:
    """Draws trips per day of the whole system: all of them, and lately with backtest and forecast.

    Args:
        session: whose current schema has STATION_DAYS, FORECAST and BACKTEST.
        model: whose forecasts to show.
        cutoff: of the forecast.
        target: PNG file to write; its folder is made.
        title: of the picture.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    came = _daily(session, names.STATION_DAYS, "TRIPS").set_index("DAY")["TRIPS"]
    future = _daily(
        session,
        names.FORECAST,
        "FORECAST",
        condition=(F.col("MODEL") == model) & (F.col("CUTOFF") == F.lit(cutoff)),
    ).set_index("DAY")["TRIPS"]
    past = _daily(session, names.BACKTEST, "FORECAST", "CUTOFF", condition=F.col("MODEL") == model)

    figure, (above, below) = pyplot.subplots(2, 1, figsize=(12, 7.5), constrained_layout=True)
    above.plot(came.index, came, color=_PALE, linewidth=0.7, label="trips a day")
    above.plot(came.index, came.rolling(28, center=True).mean(), color=_INK, linewidth=1.6, label="mean of 28 days")
    above.set_title(title, loc="left", fontsize=13, pad=26)
    since = came.index.max() - pd.Timedelta(days=RECENT_DAYS)
    recent = came[came.index > since]
    below.plot(recent.index, recent, color=_INK, linewidth=1.3, label="trips a day")
    for number, (_, window) in enumerate(past[past["DAY"] > since].groupby("CUTOFF")):
        label = "backtest: forecast from each dotted line" if number == 0 else None
        below.plot(window["DAY"], window["TRIPS"], color=_PAST, linewidth=1.3, label=label)
        below.axvline(window["DAY"].min() - pd.Timedelta(hours=12), color=_PAST, linewidth=0.8, linestyle=":")
    below.plot(future.index, future, color=_ACCENT, linewidth=1.8, label=f"forecast ({model})")
    below.axvspan(future.index.min(), future.index.max(), color=_ACCENT, alpha=0.06)
    for axes in (above, below):
        axes.set_ylim(bottom=0)
        axes.set_ylabel("trips a day, all stations")
        axes.grid(axis="y", color="#e6ebf0")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.01)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, ncols=3, fontsize=9)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)
    pyplot.close(figure)
    return target
