"""FEATURES: what a model may know at the end of each day of each station."""

from __future__ import annotations

from collections.abc import Sequence

from snowflake.snowpark import DataFrame, Session, Window
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.features import days as calendar

LAGS = (1, 7, 90, 365)
MEANS = (7, 28, 91, 365)
COLUMNS = (
    "STATION_ID",
    "DAY",
    "TRIPS",
    "CASUAL_TRIPS",
    *(f"LAG_{lag}" for lag in LAGS),
    *(f"MEAN_{span}" for span in MEANS),
    "WEEKDAY_MEAN_4",
    "DAYS_OPEN",
    *calendar.COLUMNS[1:],
)


def history(station_days: DataFrame, counts: Sequence[str] = ("TRIPS",)) -> DataFrame:
    """What each station's own days say: STATION_ID, DAY, ``counts`` and COLUMNS from the lags to DAYS_OPEN.

    LAG_n is the trips n days before, NULL before the station's first day. The others are as of the end of the day, this day
    included, over as many days as the station has: MEAN_n over n days, WEEKDAY_MEAN_4 over the last four of this weekday;
    DAYS_OPEN counts from 1.

    Args:
        station_days: STATION_ID, DAY, TRIPS, without gaps: a row is a day, so n rows before is n days before.
        counts: columns of it to hand on, as FLOAT.
    """
    # one order for all: the warehouse sorts once
    by_day = Window.partition_by("STATION_ID").order_by("DAY")
    trips = F.col("TRIPS")
    week, fortnight, three_weeks = (F.lag(trips, days).over(by_day) for days in (7, 14, 21))
    weekday_mean = (
        F.when(three_weeks.is_not_null(), (trips + week + fortnight + three_weeks) / F.lit(4.0))
        .when(fortnight.is_not_null(), (trips + week + fortnight) / F.lit(3.0))
        .when(week.is_not_null(), (trips + week) / F.lit(2.0))
        .otherwise(trips)
    )
    floats = [F.col(column).cast("FLOAT").alias(column) for column in counts]
    return station_days.select("STATION_ID", "DAY", *floats).select(
        "STATION_ID",
        "DAY",
        *counts,
        *[F.lag(trips, days).over(by_day).alias(f"LAG_{days}") for days in LAGS],
        *[F.avg(trips).over(by_day.rows_between(1 - days, Window.CURRENT_ROW)).alias(f"MEAN_{days}") for days in MEANS],
        weekday_mean.alias("WEEKDAY_MEAN_4"),
        F.row_number().over(by_day).cast("FLOAT").alias("DAYS_OPEN"),
    )


def features(station_days: DataFrame, days: DataFrame) -> DataFrame:
    """COLUMNS, a row for each of STATION_DAYS; numbers are FLOAT, as models want them.

    Args:
        station_days: STATION_ID, DAY, TRIPS, CASUAL_TRIPS, without gaps.
        days: see ``tripcast.features.days``.
    """
    known = days.select(
        "DAY",
        *[
            F.col(column) if column == "HOLIDAY_NAME" else F.col(column).cast("FLOAT").alias(column)
            for column in calendar.COLUMNS[1:]
        ],
    )
    return history(station_days, ("TRIPS", "CASUAL_TRIPS")).join(known, "DAY").select(*COLUMNS)


def build_feature_table(session: Session) -> None:
    """Makes FEATURES from STATION_DAYS and DAYS, for all stations in one statement."""
    features(session.table(names.STATION_DAYS), session.table(names.DAYS)).write.save_as_table(
        names.FEATURES, mode="overwrite"
    )
