"""What the warehouse holds now, as plain values."""

from __future__ import annotations

from typing import Any

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.elt.manifest import LOADED, REJECTED
from tripcast.sources.synthetic import LABEL
from tripcast.training.evaluate import METRICS


def tables(session: Session) -> set[str]:
    """Names of the tables in the current schema."""
    return {row["name"] for row in session.sql("SHOW TABLES").collect()}


def status(session: Session | None) -> dict[str, Any]:
    """Trips, stations, first and last day (ISO), files, what was left out, forecast and backtest figures.

    Args:
        session: whose current schema was set up; None if there is no database yet.
    """
    answer: dict[str, Any] = {
        "trips": 0,
        "stations": 0,
        "first_day": None,
        "last_day": None,
        "synthetic": False,
        "files": {"loaded": 0, "rejected": 0},
        "lines_left_out": 0,
        "station_days": 0,
        "forecast": None,
        "models": {},
    }
    if session is None:
        return answer
    there = tables(session)
    if names.TRIPS not in there:
        return answer
    row = (
        session.table(names.TRIPS)
        .agg(
            F.count(F.lit(1)).alias("TRIPS"),
            F.min("STARTTIME").cast("DATE").alias("FIRST_DAY"),
            F.max("STARTTIME").cast("DATE").alias("LAST_DAY"),
        )
        .collect()[0]
    )
    answer["trips"] = row["TRIPS"]
    answer["first_day"] = row["FIRST_DAY"] and row["FIRST_DAY"].isoformat()
    answer["last_day"] = row["LAST_DAY"] and row["LAST_DAY"].isoformat()
    files = session.table(names.LOAD_FILES)
    for row in files.group_by("STATUS").agg(F.count(F.lit(1)).alias("N")).collect():
        if row["STATUS"] in (LOADED, REJECTED):
            answer["files"][row["STATUS"].lower()] = row["N"]
    answer["synthetic"] = files.filter(F.col("SOURCE").startswith(LABEL)).count() > 0
    loaded = files.filter(F.col("STATUS") == LOADED)
    answer["lines_left_out"] = loaded.agg(F.coalesce(F.sum("LEFT_OUT"), F.lit(0))).collect()[0][0]
    if names.STATIONS in there:
        answer["stations"] = session.table(names.STATIONS).count()
    if names.STATION_DAYS in there:
        answer["station_days"] = session.table(names.STATION_DAYS).count()
    if names.FORECAST in there:
        newest = (
            session.table(names.FORECAST)
            .group_by("MODEL", "CUTOFF")
            .agg(F.max("H").alias("H"), F.count_distinct("STATION_ID").alias("STATIONS"))
        )
        if latest := newest.sort(F.col("CUTOFF").desc()).limit(1).collect():
            row = latest[0]
            answer["forecast"] = {
                "model": row["MODEL"],
                "cutoff": row["CUTOFF"].isoformat(),
                "h": row["H"],
                "stations": row["STATIONS"],
            }
    if names.EVAL in there:
        overall = session.table(names.EVAL).filter(F.col("LEVEL") == "all")
        for row in overall.collect():
            answer["models"][row["MODEL"]] = {metric.lower(): row[metric] for metric in METRICS} | {"n": row["N"]}
    return answer
