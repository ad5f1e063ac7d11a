"""Seasonal naive: a day will be as the same weekday of the last week seen. The floor every other model must beat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from snowflake.snowpark import DataFrame
from snowflake.snowpark import functions as F
from snowflake.snowpark import types as T

SEASON = 7


class SeasonalNaive:
    """Repeats the last ``SEASON`` days before the cutoff."""

    name = "seasonal_naive"

    def forecast(self, station_days: DataFrame, cutoffs: Sequence[date], h: int) -> DataFrame:
        """See ``Model.forecast``. A station younger than a week gets the mean of its days so far."""
        session = station_days.session
        windows = session.create_dataframe(
            [(cutoff,) for cutoff in cutoffs], schema=T.StructType([T.StructField("CUTOFF", T.DateType())])
        )
        last_week = station_days.join(
            windows,
            (F.col("DAY") <= F.col("CUTOFF")) & (F.col("DAY") > F.dateadd("day", F.lit(-SEASON), F.col("CUTOFF"))),
        ).select(
            "CUTOFF",
            "STATION_ID",
            # 0 for the cutoff, 6 for the day a week before the first day to forecast
            F.datediff("day", F.col("DAY"), F.col("CUTOFF")).alias("AGE"),
            F.col("TRIPS").alias("SEEN"),
        )
        known = (
            last_week.group_by("CUTOFF", "STATION_ID")
            .agg(F.avg("SEEN").alias("MEAN_SEEN"), F.min("AGE").alias("YOUNGEST"))
            .filter(F.col("YOUNGEST") == 0)  # open at the cutoff
        )
        horizons = session.range(1, h + 1).select(F.col("ID").cast("NUMBER(4, 0)").alias("H"))
        age = (F.lit(SEASON) - 1 - (F.col("H") - 1) % F.lit(SEASON)).alias("AGE")
        frame = known.join(horizons, how="cross").select("CUTOFF", "STATION_ID", "H", "MEAN_SEEN", age)
        return frame.join(last_week, ["CUTOFF", "STATION_ID", "AGE"], "left").select(
            "CUTOFF",
            "STATION_ID",
            F.dateadd("day", F.col("H"), F.col("CUTOFF")).cast("DATE").alias("DAY"),
            "H",
            F.coalesce(F.col("SEEN").cast("FLOAT"), F.col("MEAN_SEEN").cast("FLOAT")).alias("FORECAST"),
            F.iff(F.col("SEEN").is_null(), F.lit("mean of less than a week"), F.lit(None).cast("VARCHAR")).alias(
                "FALLBACK"
            ),
        )
