"""STATION_DAYS: trips that started at each station on each day, zeros included."""

from __future__ import annotations

from datetime import date

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names

# A station without a trip for longer than this at the end of the data counts as closed since its last trip.
CLOSED_AFTER_DAYS = 30


def day_range(session: Session) -> tuple[date, date] | None:
    """The first and the last day with a trip; None without trips."""
    row = session.table(names.TRIPS).agg(
        F.min("STARTTIME").cast("DATE").alias("FIRST_DAY"), F.max("STARTTIME").cast("DATE").alias("LAST_DAY")
    )
    first, last = row.collect()[0]
    return (first, last) if first is not None else None


def build_station_days(session: Session) -> None:
    """Makes STATION_DAYS (STATION_ID, DAY, TRIPS) from TRIPS and STATION_ALIASES.

    A day without a trip has no row in TRIPS: it is a zero from the station's first to its last active day, and on to the
    end of the data for a station that was active in the last CLOSED_AFTER_DAYS.

    Raises:
        ValueError: TRIPS is empty.
    """
    days = day_range(session)
    if days is None:
        raise ValueError(f"{names.TRIPS} is empty: load trips first")
    first, last = days
    calendar = session.range(0, (last - first).days + 1).select(
        F.dateadd("day", F.col("ID"), F.lit(first)).cast("DATE").alias("DAY")
    )
    by_pair = (
        session.table(names.TRIPS)
        .group_by("START_STATION_ID", "START_STATION_NAME", F.col("STARTTIME").cast("DATE").alias("DAY"))
        .agg(F.count(F.lit(1)).alias("PAIR_TRIPS"))
    )
    aliases = session.table(names.STATION_ALIASES).select(
        F.col("START_STATION_ID").alias("ALIAS_ID"), F.col("START_STATION_NAME").alias("ALIAS_NAME"), "STATION_ID"
    )
    counts = (
        by_pair.join(
            aliases,
            F.equal_null(F.col("START_STATION_ID"), F.col("ALIAS_ID"))
            & F.equal_null(F.col("START_STATION_NAME"), F.col("ALIAS_NAME")),
        )
        .group_by("STATION_ID", "DAY")
        .agg(F.sum("PAIR_TRIPS").alias("COUNTED"))
    )
    open_until = F.iff(
        F.col("LAST_DAY") >= F.dateadd("day", F.lit(-CLOSED_AFTER_DAYS), F.lit(last)), F.lit(last), F.col("LAST_DAY")
    )
    stations = session.table(names.STATIONS).select("STATION_ID", "FIRST_DAY", open_until.alias("OPEN_UNTIL"))
    frame = stations.join(calendar, F.col("DAY").between(F.col("FIRST_DAY"), F.col("OPEN_UNTIL"))).select(
        "STATION_ID", "DAY"
    )
    frame.join(counts, ["STATION_ID", "DAY"], "left").select(
        "STATION_ID", "DAY", F.coalesce(F.col("COUNTED"), F.lit(0)).cast("NUMBER(9, 0)").alias("TRIPS")
    ).sort("STATION_ID", "DAY").write.save_as_table(names.STATION_DAYS, mode="overwrite")
