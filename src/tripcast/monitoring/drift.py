"""Drift: have the forecasts of all stations together begun to err in one direction, more than chance explains?

The chart is a cumulative sum (Page 1954, https://doi.org/10.1093/biomet/41.1-2.100) with three provisions, since errors of
forecasts are neither normal nor independent:

1. A day's error is (came - forecast) / mean of both, of all stations together: -0.67 where half came, 2 at most.
2. What carries over from the day before is taken out: the chart is of residuals of an AR(1) whose coefficient comes from
   the reference (Alwan and Roberts 1988, https://doi.org/10.1080/07350015.1988.10509640).
3. A residual counts by its rank among those of the reference, as a logistic score of unit variance, so one day on which the
   whole system stood still is worth no more than the worst day of the reference.

The reference are the errors of the same model's backtest, up to the day before. Both are of forecasts that are given the
weather that came: what is watched is the model, not the weather. Days that an earlier run raised do not count as reference, so
a state that was found wrong does not become the rule at once. The chart begins anew with each run.

With ALLOWANCE 0.75 and THRESHOLD 6, a run of 30 days raises a false alarm with a probability of at most 1 % where the
reference has six windows of 30 days or more and errors follow an AR(1) with a coefficient up to 0.7, 2.5 % where it has
three. A fall by half is raised within 7 days in 9 of 10 cases where errors have a standard deviation of 0.25 and are
independent, or 0.2 with a coefficient of 0.4 (tests/tripcast/test_drift.py simulates both).
"""

from __future__ import annotations

import math

from snowflake.snowpark import Column, DataFrame, Window
from snowflake.snowpark import functions as F

ALLOWANCE = 0.75
THRESHOLD = 6.0
MIN_REFERENCE_DAYS = 60
FALL, RISE = "fall", "rise"
COLUMNS = ("DAY", "ACTUAL", "FORECAST", "SCORE", "STATISTIC", "THRESHOLD", "ALARM", "DIRECTION")
_MAX_CARRY = 0.9
_UNIT = math.sqrt(3) / math.pi  # a logistic variable has the variance pi^2 / 3


def daily(rows: DataFrame) -> DataFrame:
    """CUTOFF, DAY, ACTUAL, FORECAST, ERROR: of all stations together.

    Args:
        rows: CUTOFF, STATION_ID, DAY, FORECAST, ACTUAL.
    """
    both = F.col("ACTUAL") + F.col("FORECAST")
    return (
        rows.group_by("CUTOFF", "DAY")
        .agg(F.sum("ACTUAL").cast("FLOAT").alias("ACTUAL"), F.sum("FORECAST").cast("FLOAT").alias("FORECAST"))
        .with_column(
            "ERROR", F.iff(both == F.lit(0), F.lit(0.0), F.lit(2.0) * (F.col("ACTUAL") - F.col("FORECAST")) / both)
        )
    )


def watch(reference: DataFrame, came: DataFrame) -> DataFrame:
    """The chart of a run's days.

    Args:
        reference: CUTOFF, STATION_ID, DAY, FORECAST, ACTUAL of the backtest.
        came: the same of the forecast to watch, of one cutoff.

    Returns:
        COLUMNS: SCORE is the day's, STATISTIC the larger of the two sums that is compared with THRESHOLD, DIRECTION the one it
        is of ('fall': fewer trips than forecast). Without MIN_REFERENCE_DAYS days of reference, SCORE and STATISTIC are NULL.
    """
    known = daily(reference)
    by_day = Window.partition_by("CUTOFF").order_by("DAY")
    everywhere = Window.partition_by(F.lit(1))
    centred = known.select("CUTOFF", "DAY", (F.col("ERROR") - F.avg("ERROR").over(everywhere)).alias("ERROR"))
    before = centred.with_column("BEFORE", F.lag("ERROR").over(by_day))
    level = known.agg(F.coalesce(F.avg("ERROR"), F.lit(0.0)).alias("LEVEL"), F.count(F.lit(1)).alias("REFERENCE_DAYS"))
    carry = before.agg(
        F.greatest(F.lit(0.0), F.least(F.lit(_MAX_CARRY), F.coalesce(F.corr("ERROR", "BEFORE"), F.lit(0.0)))).alias(
            "CARRY"
        )
    )
    residuals = before.join(carry, how="cross").select(_residual().alias("KNOWN_RESIDUAL"))
    new = (
        daily(came)
        .join(level, how="cross")
        .join(carry, how="cross")
        .with_column("ERROR", F.col("ERROR") - F.col("LEVEL"))
        .with_column("BEFORE", F.lag("ERROR").over(by_day))
        .select("DAY", "ACTUAL", "FORECAST", "REFERENCE_DAYS", _residual().alias("RESIDUAL"))
    )
    below = (
        new.join(residuals, how="cross")
        .group_by("DAY")
        .agg(F.sum(F.iff(F.col("KNOWN_RESIDUAL") < F.col("RESIDUAL"), F.lit(1), F.lit(0))).alias("BELOW"))
    )
    share = (F.col("BELOW").cast("FLOAT") + F.lit(0.5)) / (F.col("REFERENCE_DAYS") + F.lit(1))
    enough = F.col("REFERENCE_DAYS") >= F.lit(MIN_REFERENCE_DAYS)
    score = F.iff(enough, F.ln(share / (F.lit(1.0) - share)) * F.lit(_UNIT), F.lit(None).cast("FLOAT"))
    scored = new.join(below, "DAY", "left").select("DAY", "ACTUAL", "FORECAST", score.alias("SCORE"))
    return _chart(scored)


def _residual() -> Column:
    """What a day's error has beyond the day before; the first day of a window is scaled to the same variance."""
    first = F.col("ERROR") * F.sqrt(F.lit(1.0) - F.col("CARRY") * F.col("CARRY"))
    return F.iff(F.col("BEFORE").is_null(), first, F.col("ERROR") - F.col("CARRY") * F.col("BEFORE"))


def _chart(scored: DataFrame) -> DataFrame:
    """Two one-sided sums that never fall below 0: a running sum less its lowest point so far."""
    so_far = Window.order_by("DAY").rows_between(Window.UNBOUNDED_PRECEDING, Window.CURRENT_ROW)
    frame = scored
    for name, step in (("UP", F.col("SCORE") - ALLOWANCE), ("DOWN", -F.col("SCORE") - ALLOWANCE)):
        frame = frame.with_column(f"{name}_RUNNING", F.sum(step).over(so_far))
        lowest = F.least(F.lit(0.0), F.min(f"{name}_RUNNING").over(so_far))
        frame = frame.with_column(f"{name}_SUM", F.col(f"{name}_RUNNING") - lowest)
    statistic = F.greatest(F.col("UP_SUM"), F.col("DOWN_SUM"))
    direction = F.iff(F.col("UP_SUM") > F.col("DOWN_SUM"), F.lit(RISE), F.lit(FALL))
    return frame.select(
        "DAY",
        "ACTUAL",
        "FORECAST",
        "SCORE",
        statistic.alias("STATISTIC"),
        F.lit(THRESHOLD).cast("FLOAT").alias("THRESHOLD"),
        F.coalesce(statistic > F.lit(THRESHOLD), F.lit(False)).alias("ALARM"),
        F.iff(statistic > F.lit(0.0), direction, F.lit(None).cast("VARCHAR")).alias("DIRECTION"),
    )
