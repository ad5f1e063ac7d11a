"""Prediction intervals, the same for every model: conformal, from the errors of earlier windows only.

An error is measured in SCALE = sqrt(forecast + 1), as counts spread. For a window, the errors of all days up to its cutoff
are its calibration set, apart for near, middle and far horizons; a window counts half as much for every HALF_LIFE_DAYS that it is
older (weighted conformal prediction: Barber, Candes, Ramdas, Tibshirani, 2023). Lower and upper bound are quantiles of their
own, so intervals are asymmetric. Two things make them hold where days of a window err together and times change:

* the level is that of a finite sample of windows, not of days: a tail a becomes a n / (n + 1), n the effective number of
  windows;
* it follows the misses seen so far: after each window whose days have come, a tail that was missed too often widens, by GAMMA
  times the excess (adaptive conformal inference: Gibbs, Candes, 2021).

Quantiles and misses for a grid of tails are computed in the warehouse; only these figures, a row a window, come here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
from snowflake.snowpark import Column, DataFrame, Window
from snowflake.snowpark import functions as F
from snowflake.snowpark import types as T

HALF_LIFE_DAYS = 120
GAMMA = 0.1
# per cent -> tail on each side
LEVELS = {80: 0.1, 95: 0.025}
BOUNDS = tuple(f"{side}_{level}" for level in LEVELS for side in ("LOW", "HIGH"))
# last H of the groups but the last
GROUP_ENDS = (7, 14)
TAILS = (
    0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.0175, 0.02, 0.0225, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06,
    0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.14, 0.16, 0.18, 0.2,
)  # fmt: skip
_SIDES = ("LOW", "HIGH")


def add_intervals(rows: DataFrame) -> DataFrame:
    """Adds LOW_80, HIGH_80, LOW_95, HIGH_95.

    Bounds are never negative, hold the forecast, and those of 95 % hold those of 80 %. They are NULL in windows before which
    no error was known.

    Args:
        rows: CUTOFF, WEATHER, DAY, H, FORECAST, ACTUAL (NULL where it is not known yet) of one model, and more; read several
            times, so best from a table.

    Returns:
        the same columns and BOUNDS.
    """
    group = F.when(F.col("H") <= GROUP_ENDS[0], 0).when(F.col("H") <= GROUP_ENDS[1], 1).otherwise(2)
    scaled = rows.with_column("HORIZONS", group).with_column("SCALE_OF_ERROR", F.sqrt(F.col("FORECAST") + F.lit(1.0)))
    scored = scaled.select(
        "CUTOFF", "WEATHER", "DAY", "HORIZONS",
        ((F.col("ACTUAL") - F.col("FORECAST")) / F.col("SCALE_OF_ERROR")).alias("SCORE"),
    )  # fmt: skip
    quantiles = _quantiles(scored)
    found = [
        (
            row["WINDOW_CUTOFF"],
            row["WINDOW_WEATHER"],
            row["WINDOW_HORIZONS"],
            _numbers(row, "LOW"),
            _numbers(row, "HIGH"),
        )
        for row in quantiles.collect()
    ]
    windows = {(row["CUTOFF"], row["WEATHER"]): row["LAST"] for row in _windows(scored).collect()}
    misses = {
        (row["CUTOFF"], row["WEATHER"]): (_numbers(row, "LOW"), _numbers(row, "HIGH"))
        for row in _misses(scored, quantiles).collect()
    }
    tails = _tails(windows, misses)
    values = [
        (cutoff, weather, horizons, *(side[tails[cutoff, weather][level, index]] for level in LEVELS
                                      for index, side in enumerate((low, high))))
        for cutoff, weather, horizons, low, high in found
    ]  # fmt: skip
    schema = T.StructType(
        [
            T.StructField("Q_CUTOFF", T.DateType()),
            T.StructField("Q_WEATHER", T.StringType()),
            T.StructField("Q_HORIZONS", T.LongType()),
            *(T.StructField(f"Q_{bound}", T.FloatType()) for bound in BOUNDS),
        ]
    )
    chosen = rows.session.create_dataframe(values or [(None,) * len(schema.fields)], schema=schema)
    joined = scaled.join(
        chosen,
        (F.col("CUTOFF") == F.col("Q_CUTOFF"))
        & (F.col("WEATHER") == F.col("Q_WEATHER"))
        & (F.col("HORIZONS") == F.col("Q_HORIZONS")),
        "left",
    )
    return joined.select(*rows.columns, *_bounds())


def _bounds() -> list[Column]:
    made: list[Column] = []
    inner: dict[str, Column] = {}
    for level in LEVELS:  # from the narrow to the wide
        for side in _SIDES:
            bound = F.col("FORECAST") + F.col(f"Q_{side}_{level}") * F.col("SCALE_OF_ERROR")
            hold = F.least if side == "LOW" else F.greatest
            # the forecast where there is no narrower one
            inner[side] = F.greatest(hold(bound, inner.get(side, F.col("FORECAST"))), F.lit(0.0))
            made.append(inner[side].cast("FLOAT").alias(f"{side}_{level}"))
    return made


def _windows(scored: DataFrame) -> DataFrame:
    """CUTOFF, WEATHER, LAST: the last day whose actual is known; NULL if none is."""
    last = F.max(F.iff(F.col("SCORE").is_null(), F.lit(None), F.col("DAY")))
    return scored.group_by("CUTOFF", "WEATHER").agg(last.alias("LAST"))


def _quantiles(scored: DataFrame) -> DataFrame:
    """For each window and group of horizons the quantiles of earlier errors at TAILS, from below and from above."""
    windows = scored.select(F.col("CUTOFF").alias("WINDOW_CUTOFF"), F.col("WEATHER").alias("WINDOW_WEATHER")).distinct()
    earlier = (
        scored.filter(F.col("SCORE").is_not_null())
        .join(windows, (F.col("WEATHER") == F.col("WINDOW_WEATHER")) & (F.col("DAY") <= F.col("WINDOW_CUTOFF")))
        .select(
            "WINDOW_CUTOFF", "WINDOW_WEATHER", F.col("HORIZONS").alias("WINDOW_HORIZONS"), "SCORE",
            F.pow(F.lit(0.5), F.datediff("day", F.col("CUTOFF"), F.col("WINDOW_CUTOFF")) / F.lit(float(HALF_LIFE_DAYS)))
            .alias("WEIGHT"),
        )
    )  # fmt: skip
    keys = ["WINDOW_CUTOFF", "WINDOW_WEATHER", "WINDOW_HORIZONS"]
    by_key = Window.partition_by(*keys)
    upward = by_key.order_by("SCORE", "WEIGHT").rows_between(Window.UNBOUNDED_PRECEDING, Window.CURRENT_ROW)
    # the day to come counts as one more, as heavy as the heaviest
    sums = earlier.select(
        *keys,
        "SCORE",
        "WEIGHT",
        F.sum("WEIGHT").over(upward).alias("SO_FAR"),
        F.sum("WEIGHT").over(by_key).alias("ALL_WEIGHTS"),
        F.max("WEIGHT").over(by_key).alias("HEAVIEST"),
    )
    whole = F.col("ALL_WEIGHTS") + F.col("HEAVIEST")
    shares = sums.select(
        *keys,
        "SCORE",
        (F.col("SO_FAR") / whole).alias("BELOW"),
        ((F.col("ALL_WEIGHTS") - F.col("SO_FAR") + F.col("WEIGHT")) / whole).alias("ABOVE"),
    )
    figures = []
    for number, tail in enumerate(TAILS):
        # the largest error below which lies no more than the tail; the smallest if even that has more below
        low = F.max(F.iff(F.col("BELOW") <= F.lit(tail), F.col("SCORE"), F.lit(None)))
        high = F.min(F.iff(F.col("ABOVE") <= F.lit(tail), F.col("SCORE"), F.lit(None)))
        figures.append(F.coalesce(low, F.min("SCORE")).cast("FLOAT").alias(f"LOW{number}"))
        figures.append(F.coalesce(high, F.max("SCORE")).cast("FLOAT").alias(f"HIGH{number}"))
    return shares.group_by(*keys).agg(*figures).cache_result()


def _misses(scored: DataFrame, quantiles: DataFrame) -> DataFrame:
    """For each window the shares of days below and above its bounds, at TAILS."""
    joined = scored.filter(F.col("SCORE").is_not_null()).join(
        quantiles,
        (F.col("CUTOFF") == F.col("WINDOW_CUTOFF"))
        & (F.col("WEATHER") == F.col("WINDOW_WEATHER"))
        & (F.col("HORIZONS") == F.col("WINDOW_HORIZONS")),
    )
    figures = []
    for number in range(len(TAILS)):
        figures.append(
            F.avg(F.iff(F.col("SCORE") < F.col(f"LOW{number}"), F.lit(1.0), F.lit(0.0))).alias(f"LOW{number}")
        )
        figures.append(
            F.avg(F.iff(F.col("SCORE") > F.col(f"HIGH{number}"), F.lit(1.0), F.lit(0.0))).alias(f"HIGH{number}")
        )
    return joined.group_by("CUTOFF", "WEATHER").agg(*figures)


def _numbers(row: Any, side: str) -> list[float]:
    return [float(row[f"{side}{number}"]) for number in range(len(TAILS))]


def _tails(
    windows: dict[tuple[date, str], date | None],
    misses: Mapping[tuple[date, str], tuple[Sequence[float], Sequence[float]]],
) -> dict[tuple[date, str], dict[tuple[int, int], int]]:
    """For each window, by level and side (0 low, 1 high), which of TAILS to take.

    Args:
        windows: (cutoff, weather) -> the last day whose actual is known.
        misses: (cutoff, weather) -> shares of days below and above, at each of TAILS.
    """
    made: dict[tuple[date, str], dict[tuple[int, int], int]] = {}
    for weather in {name for _, name in windows}:
        cutoffs = sorted(cutoff for cutoff, name in windows if name == weather)
        for cutoff in cutoffs:
            earlier = [one for one in cutoffs if one < cutoff and (windows[one, weather] or date.max) <= cutoff]
            weights = np.array([0.5 ** ((cutoff - one).days / HALF_LIFE_DAYS) for one in earlier])
            count = float(weights.sum() ** 2 / (weights**2).sum()) if earlier else 1.0
            chosen: dict[tuple[int, int], int] = {}
            for level, tail in LEVELS.items():
                for side in (0, 1):
                    # what earlier windows missed at the tails taken for them
                    excess = sum(
                        misses[one, weather][side][made[one, weather][level, side]] - tail
                        for one in earlier
                        if (one, weather) in misses
                    )
                    wanted = tail * count / (count + 1) - min(max(GAMMA * excess, -tail), 0.8 * tail)
                    chosen[level, side] = int(np.argmin(np.abs(np.array(TAILS) - wanted)))
            made[cutoff, weather] = chosen
    return made


def held_out(cutoff: date, h: int) -> date:
    """The cutoff of the window by which a forecast without a backtest is calibrated: its days have just come."""
    return cutoff - timedelta(days=h)
