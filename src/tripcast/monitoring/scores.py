"""EVAL_<model_id>: how the forecast of the run before fared, by station and in all."""

from __future__ import annotations

from snowflake.snowpark import Column, DataFrame, Session
from snowflake.snowpark import functions as F
from snowflake.snowpark import types as T

from tripcast import names
from tripcast.lineage.runs import PRED, Run

SEASON = 7
# the guide's first, by its names
FIGURES = (
    "MAE", "MAPE", "MSE", "R_SQUARED", "RMSE", "SMAPE", "WAPE", "BIAS", "COVERAGE_80", "COVERAGE_95", "NAIVE_WAPE",
)  # fmt: skip
_COLUMNS = {
    "RUN_DATE": T.DateType(),
    "MODEL_ID": T.StringType(),
    "EVALUATED_MODEL_ID": T.StringType(),
    "MODEL": T.StringType(),
    "STATION_ID": T.StringType(),
    "N": T.LongType(),
} | {name: T.DoubleType() for name in FIGURES}


def _coverage(level: int) -> Column:
    """The share of days inside the interval, of those that have one."""
    low, high = F.col(f"LOW_{level}"), F.col(f"HIGH_{level}")
    inside = F.iff(F.col("ACTUAL").between(low, high), F.lit(1.0), F.lit(0.0))
    return F.avg(F.iff(low.is_null() | high.is_null(), F.lit(None), inside))


def _figures() -> list[Column]:
    """FIGURES; MAPE leaves out days without a trip, WAPE, BIAS and NAIVE_WAPE are shares of the trips that came."""
    error = F.col("FORECAST") - F.col("ACTUAL")
    squares = F.sum(error * error)
    came = F.call_function("NULLIF", F.sum("ACTUAL"), F.lit(0))
    spread = F.call_function("NULLIF", F.call_function("VAR_POP", F.col("ACTUAL")) * F.count(F.lit(1)), F.lit(0))
    both = F.call_function("NULLIF", F.abs("ACTUAL") + F.abs("FORECAST"), F.lit(0))
    values = {
        "MAE": F.avg(F.abs(error)),
        "MAPE": F.avg(F.abs(error) / F.call_function("NULLIF", F.col("ACTUAL"), F.lit(0))),
        "MSE": F.avg(error * error),
        "R_SQUARED": (F.lit(1.0) - squares / spread),
        "RMSE": F.sqrt(F.avg(error * error)),
        "SMAPE": F.avg(F.coalesce(F.lit(2.0) * F.abs(error) / both, F.lit(0.0))),
        "WAPE": (F.sum(F.abs(error)) / came),
        "BIAS": (F.sum(error) / came),
        "COVERAGE_80": _coverage(80),
        "COVERAGE_95": _coverage(95),
        "NAIVE_WAPE": (F.sum(F.abs(F.col("NAIVE") - F.col("ACTUAL"))) / came),
    }
    return [F.count(F.lit(1)).alias("N"), *(value.cast("FLOAT").alias(name) for name, value in values.items())]


def scores(session: Session, run: Run, earlier: Run | None, place: str) -> DataFrame:
    """The figures of the earlier run's forecast on the days that have come; STATION_ID is NULL for all stations.

    Args:
        session: whose current schema has the runs' tables.
        run: that scores.
        earlier: whose forecast to score; None for no row.
        place: the schema with STATION_DAYS as the run sees them.
    """
    if earlier is None:
        return session.create_dataframe([], schema=T.StructType([T.StructField(*pair) for pair in _COLUMNS.items()]))
    days = session.table(f"{place}.{names.STATION_DAYS}")
    came = days.select("STATION_ID", "DAY", F.col("TRIPS").cast("FLOAT").alias("ACTUAL"))
    # the same weekday of the last week before the forecast
    weeks = F.floor((F.col("H") - F.lit(1)) / F.lit(SEASON)) + F.lit(1)
    rows = (
        session.table(earlier.table(PRED))
        .join(came, ["STATION_ID", "DAY"])
        .with_column("NAIVE_DAY", F.dateadd("day", F.lit(-SEASON) * weeks, F.col("DAY")).cast("DATE"))
    )
    naive = days.select("STATION_ID", F.col("DAY").alias("NAIVE_DAY"), F.col("TRIPS").cast("FLOAT").alias("NAIVE"))
    rows = rows.join(naive, ["STATION_ID", "NAIVE_DAY"], "left")
    first = [
        F.lit(run.run_date).alias("RUN_DATE"),
        F.lit(run.model_id).alias("MODEL_ID"),
        F.lit(earlier.model_id).alias("EVALUATED_MODEL_ID"),
        F.lit(earlier.model).alias("MODEL"),
    ]
    by_station = rows.group_by("STATION_ID").agg(*_figures()).select(*first, "STATION_ID", "N", *FIGURES)
    overall = rows.agg(*_figures()).select(*first, F.lit(None).cast("VARCHAR").alias("STATION_ID"), "N", *FIGURES)
    return by_station.union_all(overall.filter(F.col("N") > F.lit(0)))
