"""The station dimension: one station for all its ids and names.

Ids changed at 2021-02 (``3186`` became ``JC005``) while names stayed; a name can change while the id stays. A station is
whatever ids and names hang together through trips, so its history does not break.
"""

from __future__ import annotations

from snowflake.snowpark import DataFrame, Session, Window
from snowflake.snowpark import functions as F

from tripcast import names

# Each round joins what shares an id and what shares a name: a chain id - name - id - name needs two.
ROUNDS = 3


def pairs(trips: DataFrame) -> DataFrame:
    """Each pair of start station id and name with its trips, first and last start and place."""
    known = F.col("START_STATION_ID").is_not_null() | F.col("START_STATION_NAME").is_not_null()
    return (
        trips.filter(known)
        .group_by("START_STATION_ID", "START_STATION_NAME")
        .agg(
            F.count(F.lit(1)).alias("TRIPS"),
            F.min("STARTTIME").alias("FIRST_START"),
            F.max("STARTTIME").alias("LAST_START"),
            F.median("START_STATION_LATITUDE").alias("LATITUDE"),
            F.median("START_STATION_LONGITUDE").alias("LONGITUDE"),
        )
    )


def _with_group(pairs: DataFrame) -> DataFrame:
    """Adds GROUP_NAME, the same text for all pairs of one station."""
    # an id or a name that is missing must not tie stations together
    grouped = pairs.with_columns(
        ["ID_KEY", "NAME_KEY"],
        [
            F.coalesce(F.col("START_STATION_ID"), F.concat(F.lit("name "), F.col("START_STATION_NAME"))),
            F.coalesce(F.col("START_STATION_NAME"), F.concat(F.lit("id "), F.col("START_STATION_ID"))),
        ],
    ).with_column("GROUP_NAME", F.col("NAME_KEY"))
    for _ in range(ROUNDS):
        for key in ("ID_KEY", "NAME_KEY"):
            grouped = grouped.with_column("GROUP_NAME", F.min("GROUP_NAME").over(Window.partition_by(key)))
    return grouped


def station_aliases(trips: DataFrame) -> DataFrame:
    """What every pair of id and name in the trips stands for: STATION_ID and STATION_NAME, with what ``pairs`` says of it.

    A station's STATION_ID is the first id it had, which stays when others follow; its name is the latest.
    """
    station = Window.partition_by("GROUP_NAME")
    oldest = station.order_by(F.col("START_STATION_ID").is_null(), F.col("FIRST_START"), F.col("ID_KEY"))
    latest = station.order_by(F.col("START_STATION_NAME").is_null(), F.col("LAST_START").desc(), F.col("NAME_KEY"))
    return _with_group(pairs(trips)).select(
        "START_STATION_ID",
        "START_STATION_NAME",
        F.first_value("ID_KEY").over(oldest).alias("STATION_ID"),
        F.first_value("NAME_KEY").over(latest).alias("STATION_NAME"),
        "TRIPS",
        "FIRST_START",
        "LAST_START",
        "LATITUDE",
        "LONGITUDE",
    )


def stations(aliases: DataFrame) -> DataFrame:
    """One row for each station of ``station_aliases``."""
    return aliases.group_by("STATION_ID", "STATION_NAME").agg(
        F.sum("TRIPS").alias("TRIPS"),
        F.min("FIRST_START").cast("DATE").alias("FIRST_DAY"),
        F.max("LAST_START").cast("DATE").alias("LAST_DAY"),
        F.count_distinct("START_STATION_ID").alias("IDS"),
        F.avg("LATITUDE").alias("LATITUDE"),
        F.avg("LONGITUDE").alias("LONGITUDE"),
    )


def build_stations(session: Session) -> None:
    """Makes STATION_ALIASES (id and name as in TRIPS -> station) and STATIONS (one row each) from TRIPS."""
    station_aliases(session.table(names.TRIPS)).write.save_as_table(names.STATION_ALIASES, mode="overwrite")
    stations(session.table(names.STATION_ALIASES)).write.save_as_table(names.STATIONS, mode="overwrite")
