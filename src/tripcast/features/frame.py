"""The forecast frame: the days to forecast after each cutoff, with what is known of them beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from snowflake.snowpark import DataFrame, Session
from snowflake.snowpark import functions as F
from snowflake.snowpark import types as T

from tripcast import names
from tripcast.features.days import CALENDAR, USUAL, USUAL_AGE_DAYS, WEATHER, data_range
from tripcast.features.station_days import CLOSED_AFTER_DAYS

Weather = Literal["actual", "usual"]

COLUMNS = ("CUTOFF", "STATION_ID", "DAY", "H", *CALENDAR, *WEATHER)
# Beyond this a day's usual weather would be made from days after the cutoff.
MAX_H = USUAL_AGE_DAYS

_SCHEMA = T.StructType([T.StructField("CUTOFF", T.DateType())])


def open_stations(station_days: DataFrame, cutoffs: Sequence[date]) -> DataFrame:
    """CUTOFF, STATION_ID: stations that were open at each cutoff, from nothing but the days up to it.

    A station is open if it had a trip in the CLOSED_AFTER_DAYS days before the cutoff or on it. Whether STATION_DAYS goes on
    beyond the cutoff does not count: that is only known later.
    """
    windows = station_days.session.create_dataframe([(cutoff,) for cutoff in cutoffs], schema=_SCHEMA)
    return (
        station_days.filter(F.col("TRIPS") > 0)
        .join(
            windows,
            F.col("DAY").between(F.dateadd("day", F.lit(-CLOSED_AFTER_DAYS), F.col("CUTOFF")), F.col("CUTOFF")),
        )
        .select("CUTOFF", "STATION_ID")
        .distinct()
    )


def days_ahead(
    station_days: DataFrame, days: DataFrame, cutoffs: Sequence[date], h: int, weather: Weather = "actual"
) -> DataFrame:
    """COLUMNS: each station open at each cutoff x its next ``h`` days (H = 1 to ``h``).

    A station that closed after a cutoff is in the frame, as nobody knew.

    Args:
        station_days: STATION_ID, DAY, TRIPS; may go on beyond the cutoffs.
        days: see ``tripcast.features.days``; reaches ``h`` days beyond the last cutoff.
        cutoffs: last days that a model may see.
        h: days to forecast after each.
        weather: the weather that came (NULL where it was not measured, so on days to come), or the usual weather of the day.

    Raises:
        ValueError: ``h`` is not from 1 to MAX_H, or it is another weather.
    """
    if weather not in ("actual", "usual"):
        raise ValueError(f"weather is {weather!r}: it must be 'actual' or 'usual'")
    if not 1 <= h <= MAX_H:
        raise ValueError(f"h is {h}: it must be 1 to {MAX_H} days")
    horizons = station_days.session.range(1, h + 1).select(F.col("ID").cast("NUMBER(4, 0)").alias("H"))
    rows = (
        open_stations(station_days, sorted(set(cutoffs)))
        .join(horizons, how="cross")
        .select("CUTOFF", "STATION_ID", "H", F.dateadd("day", F.col("H"), F.col("CUTOFF")).cast("DATE").alias("DAY"))
    )
    shown = USUAL if weather == "usual" else WEATHER
    switched = [F.col(column).alias(name) for column, name in zip(shown, WEATHER, strict=True)]
    return rows.join(days.select("DAY", *CALENDAR, *switched), "DAY").select(*COLUMNS)


def forecast_frame(session: Session, cutoffs: Sequence[date], h: int, weather: Weather = "actual") -> DataFrame:
    """``days_ahead`` of the tables STATION_DAYS and DAYS; nothing is computed before the frame is.

    Raises:
        ValueError: no cutoff, one outside the data, ``h`` not from 1 to MAX_H, or another weather.
    """
    check_cutoffs(session, cutoffs)
    return days_ahead(session.table(names.STATION_DAYS), session.table(names.DAYS), cutoffs, h, weather)


def check_cutoffs(session: Session, cutoffs: Sequence[date]) -> None:
    """Refuses cutoffs from which nothing can be forecast.

    Raises:
        ValueError: there is none, or one is outside the days of the data.
    """
    if not cutoffs:
        raise ValueError("there is no cutoff: name at least one day of the data")
    first, last = data_range(session)
    for cutoff in cutoffs:
        if cutoff > last:
            raise ValueError(
                f"cutoff {cutoff} is after the last day of the data, {last}: use that day or an earlier one, "
                "or load the trips up to the cutoff first"
            )
        if cutoff < first:
            raise ValueError(f"cutoff {cutoff} is before the first day of the data, {first}: use a later one")
