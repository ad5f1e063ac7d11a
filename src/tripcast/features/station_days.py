"""STATION_DAYS: trips that started at each station on each day, zeros included."""

from __future__ import annotations

from datetime import date

from snowflake.snowpark import DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast import names

# A station without a trip for longer than this at the end of the data counts as closed since its last trip.
CLOSED_AFTER_DAYS = 30
# USERTYPE of a rider without a membership, see ``tripcast.setup``
CASUAL_USERTYPE = "Customer"


def day_range(session: Session, trips: str = names.TRIPS) -> tuple[date, date] | None:
    """The first and the last day with a trip; None without trips."""
    row = session.table(trips).agg(
        F.min("STARTTIME").cast("DATE").alias("FIRST_DAY"), F.max("STARTTIME").cast("DATE").alias("LAST_DAY")
    )
    first, last = row.collect()[0]
    return (first, last) if first is not None else None


def day_frame(session: Session, first: date, last: date) -> DataFrame:
    """DAY: every day from first to last."""
    return session.range(0, (last - first).days + 1).select(
        F.dateadd("day", F.col("ID"), F.lit(first)).cast("DATE").alias("DAY")
    )


def station_days(trips: DataFrame, aliases: DataFrame, stations: DataFrame, first: date, last: date) -> DataFrame:
    """STATION_ID, DAY, TRIPS, CASUAL_TRIPS: each station's days, those without a trip as zeros.

    A day without a trip has no row in TRIPS: it is a zero from the station's first to its last active day, and on to the
    end of the data for a station that was active in the last CLOSED_AFTER_DAYS. CASUAL_TRIPS are those of riders without a
    membership; a trip that does not say counts as a member's.

    Args:
        trips: START_STATION_ID, START_STATION_NAME, STARTTIME, USERTYPE.
        aliases, stations: of these trips, see ``tripcast.features.stations``.
        first, last: days of the trips.
    """
    casual = F.iff(F.col("USERTYPE") == F.lit(CASUAL_USERTYPE), F.lit(1), F.lit(0))
    by_pair = trips.group_by(
        "START_STATION_ID", "START_STATION_NAME", F.col("STARTTIME").cast("DATE").alias("DAY")
    ).agg(F.count(F.lit(1)).alias("PAIR_TRIPS"), F.sum(casual).alias("PAIR_CASUAL"))
    named = aliases.select(
        F.col("START_STATION_ID").alias("ALIAS_ID"), F.col("START_STATION_NAME").alias("ALIAS_NAME"), "STATION_ID"
    )
    counts = (
        by_pair.join(
            named,
            F.equal_null(F.col("START_STATION_ID"), F.col("ALIAS_ID"))
            & F.equal_null(F.col("START_STATION_NAME"), F.col("ALIAS_NAME")),
        )
        .group_by("STATION_ID", "DAY")
        .agg(F.sum("PAIR_TRIPS").alias("COUNTED"), F.sum("PAIR_CASUAL").alias("COUNTED_CASUAL"))
    )
    open_until = F.iff(
        F.col("LAST_DAY") >= F.dateadd("day", F.lit(-CLOSED_AFTER_DAYS), F.lit(last)), F.lit(last), F.col("LAST_DAY")
    )
    spans = stations.select("STATION_ID", "FIRST_DAY", open_until.alias("OPEN_UNTIL"))
    calendar = day_frame(trips.session, first, last)
    frame = spans.join(calendar, F.col("DAY").between(F.col("FIRST_DAY"), F.col("OPEN_UNTIL"))).select(
        "STATION_ID", "DAY"
    )
    return frame.join(counts, ["STATION_ID", "DAY"], "left").select(
        "STATION_ID",
        "DAY",
        F.coalesce(F.col("COUNTED"), F.lit(0)).cast("NUMBER(9, 0)").alias("TRIPS"),
        F.coalesce(F.col("COUNTED_CASUAL"), F.lit(0)).cast("NUMBER(9, 0)").alias("CASUAL_TRIPS"),
    )


def build_station_days(session: Session) -> None:
    """Makes STATION_DAYS from TRIPS, STATION_ALIASES and STATIONS.

    Raises:
        ValueError: TRIPS is empty.
    """
    days = day_range(session)
    if days is None:
        raise ValueError(f"{names.TRIPS} is empty: load trips first")
    trips, aliases, stations = (session.table(name) for name in (names.TRIPS, names.STATION_ALIASES, names.STATIONS))
    made = station_days(trips, aliases, stations, *days)
    made.sort("STATION_ID", "DAY").write.save_as_table(names.STATION_DAYS, mode="overwrite")
