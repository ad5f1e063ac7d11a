"""Pictures of what came, what is forecast and how both compare; the numbers are summed up in the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from snowflake.snowpark import DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.lineage.explain import Explained

INK, PALE, ACCENT, PAST, GRID = "#1f3044", "#9fb3c8", "#d1495b", "#edae49", "#e6ebf0"
RECENT_DAYS = 120
_WIDTH = 12


@contextmanager
def picture(target: Path, rows: int, height: float, width: float = _WIDTH) -> Iterator[list[Any]]:
    """Axes below one another, saved as a PNG file at the end; the file's folder is made.

    Without pyplot, whose state is the whole process's: a notebook keeps its own backend.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    yield list(figure.subplots(rows, 1, squeeze=False)[:, 0])
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)


def dress(axes: Any, title: str, ylabel: str | None = None, columns: int = 4) -> None:
    """Title, legend between title and picture, a quiet frame."""
    handles, _ = axes.get_legend_handles_labels()
    axes.set_title(title, loc="left", fontsize=12, color=INK, pad=24 if handles else 8)
    if ylabel:
        axes.set_ylabel(ylabel)
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    if handles:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), frameon=False, ncols=columns, fontsize=9, borderaxespad=0.2
        )


def _daily(frame: DataFrame, value: str, *keys: str) -> pd.DataFrame:
    """DAY, ``keys`` and TRIPS, the sum over stations."""
    result = frame.group_by("DAY", *keys).agg(F.sum(value).alias("TRIPS")).sort("DAY").to_pandas()
    result["DAY"] = pd.to_datetime(result["DAY"])
    result["TRIPS"] = result["TRIPS"].astype(float)
    return result


def plot_forecast(session: Session, model: str, cutoff: date, target: Path, title: str) -> Path:
    """Draws trips per day of the whole system, lately with the forecast, and the busiest station with its intervals.

    Args:
        session: whose current schema has STATION_DAYS, STATIONS and FORECAST.
        model: whose forecasts to show.
        cutoff: of the forecast.
        target: PNG file to write.
        title: of the picture.
    """
    days, table = session.table(names.STATION_DAYS), session.table(names.FORECAST)
    mine = table.filter((F.col("MODEL") == F.lit(model)) & (F.col("CUTOFF") == F.lit(cutoff)))
    came = _daily(days, "TRIPS").set_index("DAY")["TRIPS"]
    future = _daily(mine, "FORECAST").set_index("DAY")["TRIPS"]
    busiest = mine.group_by("STATION_ID").agg(F.sum("FORECAST").alias("N")).sort(F.col("N").desc()).limit(1).collect()
    station = busiest[0]["STATION_ID"]
    name = session.table(names.STATIONS).filter(F.col("STATION_ID") == F.lit(station)).collect()[0]["STATION_NAME"]
    one = mine.filter(F.col("STATION_ID") == F.lit(station)).sort("DAY").to_pandas()
    one["DAY"] = pd.to_datetime(one["DAY"])
    seen = _daily(days.filter(F.col("STATION_ID") == F.lit(station)), "TRIPS").set_index("DAY")["TRIPS"]
    since = pd.Timestamp(cutoff) - pd.Timedelta(days=RECENT_DAYS)

    with picture(target, 3, 10.5) as (above, middle, below):
        above.plot(came.index, came, color=PALE, linewidth=0.7, label="trips a day")
        above.plot(came.index, came.rolling(28, center=True).mean(), color=INK, linewidth=1.6, label="mean of 28 days")
        recent = came[came.index > since]
        middle.plot(recent.index, recent, color=INK, linewidth=1.3, label="trips a day")
        middle.plot(future.index, future, color=ACCENT, linewidth=1.8, label=f"forecast ({model})")
        seen = seen[seen.index > since]
        below.plot(seen.index, seen, color=INK, linewidth=1.3, label="trips a day")
        for low, high, alpha, share in (("LOW_95", "HIGH_95", 0.13, 95), ("LOW_80", "HIGH_80", 0.25, 80)):
            if one[low].notna().any():
                band = one[low].astype(float), one[high].astype(float)
                below.fill_between(
                    one["DAY"], *band, color=ACCENT, alpha=alpha, linewidth=0, label=f"{share} % interval"
                )
        below.plot(one["DAY"], one["FORECAST"], color=ACCENT, linewidth=1.8, label=f"forecast ({model})")
        dress(above, title, "trips a day")
        dress(middle, f"All stations, the last {RECENT_DAYS} days and the next {len(future)}", "trips a day")
        dress(below, f"The busiest station: {name}", "trips a day")
        for axes in (above, middle, below):
            axes.set_ylim(bottom=0)
    return target


def plot_comparison(models: dict[str, dict[str, Any]], champion: str | None, target: Path) -> Path:
    """Draws the WAPE of each model's backtest, with the weather that came and with the usual weather.

    Args:
        models: as ``status`` answers them.
        champion: name of the one to point out.
        target: PNG file to write.
    """
    scored = [(name, entry) for name, entry in models.items() if entry.get("wape") is not None]
    ordered = sorted(scored, key=lambda item: -item[1]["wape"])
    # a model that explodes would leave no room for the others
    limit = 1.6 * sorted(entry["wape"] for _, entry in ordered)[len(ordered) // 2]
    with picture(target, 1, 1.6 + 0.62 * len(ordered), 9) as (axes,):
        for offset, key, color, label in (
            (0.2, None, INK, "with the weather that came"),
            (-0.2, "usual", PALE, "with the usual weather"),
        ):
            values = [(entry if key is None else entry.get(key) or {}).get("wape") for _, entry in ordered]
            shown = [min(value or 0.0, limit) for value in values]
            places = [place + offset for place in range(len(ordered))]
            colors = [ACCENT if key is None and name == champion else color for name, _ in ordered]
            axes.barh(places, shown, height=0.36, color=colors, label=label)
            for place, value, length in zip(places, values, shown, strict=True):
                if value is not None:
                    text = f"{value:.3f}" + (" (cut)" if value > limit else "")
                    axes.text(length + limit * 0.01, place, text, va="center", fontsize=9, color=INK)
        axes.set_yticks(
            range(len(ordered)), [f"{name} (champion)" if name == champion else name for name, _ in ordered]
        )
        axes.set_xlim(0, limit * 1.16)
        axes.set_xlabel("WAPE: sum of errors / sum of trips, over all stations and days; less is better")
        dress(axes, "Backtest: forecasts of days that the models had not seen", columns=2)
        axes.get_legend().legend_handles[0].set_color(INK)
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=GRID)
    return target


def plot_explanation(found: Explained, target: Path, most: int = 12) -> Path:
    """Draws what pushed one forecast up or down.

    Args:
        found: the forecast.
        target: PNG file to write.
        most: names shown; the others are summed up.
    """
    parts = sorted(found.explanation.items(), key=lambda item: -abs(item[1]))
    rest = sum(value for _, value in parts[most:])
    shown = [*parts[:most], *([("all others", rest)] if len(parts) > most else [])][::-1]
    with picture(target, 1, 1.7 + 0.36 * len(shown), 9) as (axes,):
        values = [value for _, value in shown]
        axes.barh(range(len(shown)), values, color=[ACCENT if value < 0 else INK for value in values], height=0.62)
        axes.set_yticks(range(len(shown)), [name for name, _ in shown])
        reach = max([abs(value) for value in values], default=1.0) or 1.0
        for place, value in enumerate(values):
            side = "left" if value >= 0 else "right"
            axes.text(
                value + reach * (0.02 if value >= 0 else -0.02),
                place,
                f"{value:+.1f}",
                va="center",
                ha=side,
                fontsize=9,
            )
        axes.set_xlim(min(0, *values) - reach * 0.2, max(0, *values) + reach * 0.2)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel("trips that it adds or takes")
        interval = "" if found.low_80 is None else f", 80 % between {found.low_80:.0f} and {found.high_80:.0f}"
        dress(
            axes, f"{found.station_name}, {found.day:%a %Y-%m-%d}: {found.forecast:.1f} trips{interval} ({found.model})"
        )
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=GRID)
    return target


def plot_months(scores: pd.DataFrame, target: Path) -> Path:
    """Draws the error of each month's forecast beside that of seasonal naive.

    Args:
        scores: MONTH (text), WAPE, NAIVE_WAPE, BIAS; a row for each month.
        target: PNG file to write.
    """
    with picture(target, 2, 7) as (above, below):
        places = range(len(scores))
        above.bar(
            [place - 0.2 for place in places], scores["NAIVE_WAPE"], width=0.38, color=PALE, label="seasonal naive"
        )
        above.bar(
            [place + 0.2 for place in places],
            scores["WAPE"],
            width=0.38,
            color=INK,
            label="forecast of the month before",
        )
        colors = [ACCENT if value > 0 else INK for value in scores["BIAS"]]
        below.bar(places, scores["BIAS"], width=0.6, color=colors)
        below.axhline(0, color=INK, linewidth=0.8)
        dress(above, "Error of each month's forecast (WAPE)", "sum of errors / sum of trips")
        dress(below, "Bias: above 0, more was forecast than came", "sum of differences / sum of trips")
        for axes in (above, below):
            axes.set_xticks(
                places,
                scores["MONTH"],
                rotation=45 if len(scores) > 8 else 0,
                ha="right" if len(scores) > 8 else "center",
            )
    return target


def plot_drift(drift: pd.DataFrame, target: Path) -> Path:
    """Draws trips that came and were forecast, and the drift chart with its threshold.

    Args:
        drift: DAY, ACTUAL, FORECAST, STATISTIC, THRESHOLD, ALARM, DIRECTION, RUN_DATE.
        target: PNG file to write.
    """
    frame = drift.sort_values("DAY")
    with picture(target, 2, 8) as (above, below):
        above.plot(frame["DAY"], frame["ACTUAL"], color=INK, linewidth=1.2, label="trips that came")
        for number, (_, run) in enumerate(frame.groupby("RUN_DATE")):
            label = "forecast of the month before, given the weather" if number == 0 else None
            above.plot(run["DAY"], run["FORECAST"], color=PAST, linewidth=1.4, label=label)
            label = "drift statistic" if number == 0 else None
            below.plot(run["DAY"], run["STATISTIC"], color=INK, linewidth=1.3, label=label)
        threshold = float(frame["THRESHOLD"].iloc[0])
        below.axhline(threshold, color=ACCENT, linewidth=1.2, linestyle="--", label=f"threshold {threshold:g}")
        for direction, color, marker in (("fall", ACCENT, "v"), ("rise", PAST, "^")):
            alarms = frame[frame["ALARM"] & (frame["DIRECTION"] == direction)]
            if len(alarms):
                label = f"alarm: {'fewer' if direction == 'fall' else 'more'} trips than forecast"
                below.plot(alarms["DAY"], alarms["STATISTIC"], marker, color=color, markersize=4, label=label)
        dress(above, "All stations, and what the model expected", "trips a day")
        dress(below, "Drift: evidence that the errors have one direction; it begins anew each month", "cumulative sum")
        for axes in (above, below):
            axes.set_ylim(bottom=0)
    return target


def plot_shock(rows: pd.DataFrame, target: Path, title: str) -> Path:
    """Draws what came and each month's forecast as it was made.

    Args:
        rows: RUN_DATE, DAY, FORECAST, ACTUAL (NaN where it is not known), of all stations.
        target: PNG file to write.
        title: of the picture.
    """
    came = rows.dropna(subset=["ACTUAL"]).groupby("DAY")["ACTUAL"].max()
    with picture(target, 1, 4.6) as (axes,):
        axes.plot(came.index, came, color=INK, linewidth=1.3, label="trips that came")
        for number, (run_date, run) in enumerate(rows.groupby("RUN_DATE")):
            label = "forecasts as they were made, from each dotted line" if number == 0 else None
            axes.plot(run["DAY"], run["FORECAST"], color=ACCENT, linewidth=1.5, label=label)
            axes.axvline(pd.Timestamp(run_date) - pd.Timedelta(hours=12), color=ACCENT, linewidth=0.8, linestyle=":")
        dress(axes, title, "trips a day")
        axes.set_ylim(bottom=0)
    return target
