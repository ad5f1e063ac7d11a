"""DAYS: what is known of each calendar day: calendar, holidays, the weather that came and the weather that is usual."""

from __future__ import annotations

from datetime import date, timedelta

from snowflake.snowpark import Column, DataFrame, Session, Window
from snowflake.snowpark import functions as F
from snowflake.snowpark.exceptions import SnowparkSQLException

from tripcast import names
from tripcast.features.station_days import day_frame
from tripcast.sources.weather import MEASURED

# Days after the last one of the data: what a forecast may need, and some more.
DAYS_AHEAD = 400
WEATHER = ("TEMP", "TEMP_MIN", "TEMP_MAX", "PRECIPITATION", "SNOWFALL", "SNOW_DEPTH", "WIND")
# The usual weather of a day is the mean over so many days around the same day of earlier years, at most 30 of them: the
# period of climatological normals (WMO).
USUAL_WITHIN_DAYS = 7
USUAL_YEARS = 30
# Nothing younger than this is in a day's usual weather, so a forecast may look that far ahead without seeing the future.
USUAL_AGE_DAYS = 365 - USUAL_WITHIN_DAYS

CALENDAR = ("WEEKDAY", "MONTH", "DAY_OF_YEAR", "HOLIDAY", "HOLIDAY_NAME", "NEAR_HOLIDAY")
USUAL = tuple(f"USUAL_{column}" for column in WEATHER)
COLUMNS = ("DAY", *CALENDAR, *WEATHER, *USUAL)

# Snowflake's error number: the object does not exist, or not for this role.
_MISSING = 2003


def table_if_any(session: Session, name: str) -> DataFrame | None:
    """A table, or None where there is none of this name."""
    table = session.table(name)
    try:
        table.schema  # noqa: B018  asks the warehouse
    except SnowparkSQLException as error:
        if error.sql_error_code == _MISSING:
            return None
        raise
    return table


def calendar(session: Session, first: date, last: date, holidays: DataFrame) -> DataFrame:
    """DAY and CALENDAR's columns.

    HOLIDAY and NEAR_HOLIDAY are 0 or 1. Near a holiday are the day before and the day after, and the rest of a weekend that
    touches a holiday; a bridge day between holiday and weekend is always the day before or after.

    Args:
        session: to compute in.
        first, last: days.
        holidays: DATE, HOLIDAY.
    """
    # two days more on either side: the neighbours of the first and last day
    wider = day_frame(session, first - timedelta(days=2), last + timedelta(days=2))
    known = holidays.group_by(F.col("DATE").alias("HOLIDAY_DATE")).agg(F.min("HOLIDAY").alias("HOLIDAY_NAME"))
    marked = wider.join(known, F.col("DAY") == F.col("HOLIDAY_DATE"), "left").select(
        "DAY",
        "HOLIDAY_NAME",
        F.iff(F.col("HOLIDAY_NAME").is_null(), F.lit(0), F.lit(1)).alias("HOLIDAY"),
        # by ISO, whatever the session's WEEK_START is
        (F.call_function("DAYOFWEEKISO", F.col("DAY")) - 1).alias("WEEKDAY"),
    )
    by_day = Window.order_by("DAY")

    def holiday_in(days: int) -> Column:
        neighbour = F.lead("HOLIDAY", days) if days > 0 else F.lag("HOLIDAY", -days)
        return neighbour.over(by_day) == F.lit(1)

    saturday, sunday = F.col("WEEKDAY") == F.lit(5), F.col("WEEKDAY") == F.lit(6)
    near = holiday_in(-1) | holiday_in(1) | (saturday & holiday_in(2)) | (sunday & holiday_in(-2))
    beside = marked.with_column("NEAR_HOLIDAY", F.iff(near, F.lit(1), F.lit(0)))
    return beside.filter(F.col("DAY").between(F.lit(first), F.lit(last))).select(
        "DAY",
        F.col("WEEKDAY").cast("NUMBER(1, 0)").alias("WEEKDAY"),
        F.month("DAY").cast("NUMBER(2, 0)").alias("MONTH"),
        F.dayofyear("DAY").cast("NUMBER(3, 0)").alias("DAY_OF_YEAR"),
        F.col("HOLIDAY").cast("NUMBER(1, 0)").alias("HOLIDAY"),
        "HOLIDAY_NAME",
        F.col("NEAR_HOLIDAY").cast("NUMBER(1, 0)").alias("NEAR_HOLIDAY"),
    )


def measured(weather: DataFrame) -> DataFrame:
    """DATE and WEATHER's columns of the days that were measured, one row each.

    Decimals, so that means are the same to the last bit in whatever order their rows come: floats would not be.
    """
    return (
        weather.filter(F.col("SOURCE") == F.lit(MEASURED))
        .group_by("DATE")
        .agg(*[F.avg(column).cast("NUMBER(12, 4)").alias(column) for column in WEATHER])
    )


def usual(days: DataFrame, came: DataFrame) -> DataFrame:
    """DAY and USUAL's columns: means over the days around the same day of earlier years.

    The same day k years earlier is 365.25 k days before, rounded: the seasons do not drift.

    Args:
        days: DAY.
        came: of ``measured``; a day that is absent or NULL does not count.
    """
    within = 2 * USUAL_WITHIN_DAYS + 1
    same_day = F.floor((F.floor(F.col("ID") / within) + 1) * 365.25 + 0.5)
    offset = F.col("ID") % within - USUAL_WITHIN_DAYS - same_day
    offsets = days.session.range(0, USUAL_YEARS * within).select(offset.cast("INT").alias("OFFSET"))
    asked = days.join(offsets, how="cross").select(
        "DAY", F.dateadd("day", F.col("OFFSET"), F.col("DAY")).cast("DATE").alias("DATE")
    )
    return (
        asked.join(came, "DATE")
        .group_by("DAY")
        .agg(
            *[
                (F.sum(column).cast("FLOAT") / F.call_function("NULLIF", F.count(column), F.lit(0))).alias(name)
                for column, name in zip(WEATHER, USUAL, strict=True)
            ]
        )
    )


def days(session: Session, first: date, last: date, holidays: DataFrame, weather: DataFrame | None) -> DataFrame:
    """COLUMNS, for every day from first to last.

    Weather is NULL on days that were not measured; usual weather is NULL where no earlier year was.

    Args:
        session: to compute in.
        first, last: days.
        holidays: DATE, HOLIDAY.
        weather: DATE, WEATHER's columns, SOURCE; None if there is none.
    """
    frame = calendar(session, first, last, holidays)
    if weather is None:
        unknown = [F.lit(None).cast("FLOAT").alias(column) for column in (*WEATHER, *USUAL)]
        return frame.select("DAY", *CALENDAR, *unknown)
    came = measured(weather)
    on_the_day = came.select(
        F.col("DATE").alias("DAY"), *[F.col(column).cast("FLOAT").alias(column) for column in WEATHER]
    )
    return (
        frame.join(on_the_day, "DAY", "left")
        .join(usual(day_frame(session, first, last), came), "DAY", "left")
        .select(*COLUMNS)
    )


def build_days(session: Session) -> None:
    """Makes DAYS from the first day of STATION_DAYS to DAYS_AHEAD after its last, from HOLIDAYS and, if there is one, WEATHER.

    Raises:
        ValueError: STATION_DAYS is empty.
    """
    first, last = data_range(session)
    days(
        session,
        first,
        last + timedelta(days=DAYS_AHEAD),
        session.table(names.HOLIDAYS),
        table_if_any(session, names.WEATHER),
    ).sort("DAY").write.save_as_table(names.DAYS, mode="overwrite")


def data_range(session: Session) -> tuple[date, date]:
    """The first and the last day of STATION_DAYS.

    Raises:
        ValueError: it is empty.
    """
    row = session.table(names.STATION_DAYS).agg(F.min("DAY"), F.max("DAY")).collect()[0]
    if row[0] is None:
        raise ValueError(f"{names.STATION_DAYS} is empty: load trips first (tripcast load)")
    return row[0], row[1]
