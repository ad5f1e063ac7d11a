"""What the warehouse holds now, as plain values."""

from __future__ import annotations

import json
from typing import Any

from snowflake.snowpark import DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.elt.manifest import LOADED, REJECTED
from tripcast.sources.synthetic import LABEL

METRICS = ("WAPE", "MAE", "RMSE", "MASE", "RMSSE", "BIAS", "COVERAGE_80", "COVERAGE_95")
ACTUAL, USUAL = "actual", "usual"


def tables(session: Session) -> set[str]:
    """Names of the tables in the current schema."""
    return {row["name"] for row in session.sql("SHOW TABLES").collect()}


def status(session: Session | None) -> dict[str, Any]:
    """Trips, stations, first and last day (ISO), files, what was left out, forecast, backtest figures, champion, last run.

    ``models`` has for each model its figures with the weather that came, ``n`` days scored, and under ``usual`` the figures
    with the weather that was to be expected.

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
        "weather_days": 0,
        "forecast": None,
        "models": {},
        "champion": None,
        "runs": 0,
        "drift": None,
    }
    if session is None:
        return answer
    there = tables(session)
    if names.TRIPS not in there:
        return answer
    answer |= _trips(session)
    for key, table in (
        ("stations", names.STATIONS),
        ("station_days", names.STATION_DAYS),
        ("weather_days", names.WEATHER),
    ):
        if table in there:
            answer[key] = session.table(table).count()
    if names.FORECAST in there:
        answer["forecast"] = _forecast(session.table(names.FORECAST))
    if names.EVAL in there:
        answer["models"] = figures(session.table(names.EVAL))
    answer["champion"] = champion(session, there)
    if names.RUNS in there:
        answer |= _runs(session)
    return answer


def _trips(session: Session) -> dict[str, Any]:
    row = (
        session.table(names.TRIPS)
        .agg(
            F.count(F.lit(1)).alias("TRIPS"),
            F.min("STARTTIME").cast("DATE").alias("FIRST_DAY"),
            F.max("STARTTIME").cast("DATE").alias("LAST_DAY"),
        )
        .collect()[0]
    )
    files = session.table(names.LOAD_FILES)
    counts = {"loaded": 0, "rejected": 0}
    for count in files.group_by("STATUS").agg(F.count(F.lit(1)).alias("N")).collect():
        if count["STATUS"] in (LOADED, REJECTED):
            counts[count["STATUS"].lower()] = count["N"]
    left_out = files.filter(F.col("STATUS") == LOADED).agg(F.coalesce(F.sum("LEFT_OUT"), F.lit(0)))
    return {
        "trips": row["TRIPS"],
        "first_day": row["FIRST_DAY"] and row["FIRST_DAY"].isoformat(),
        "last_day": row["LAST_DAY"] and row["LAST_DAY"].isoformat(),
        "files": counts,
        "synthetic": files.filter(F.col("SOURCE").startswith(LABEL)).count() > 0,
        "lines_left_out": left_out.collect()[0][0],
    }


def _forecast(table: DataFrame) -> dict[str, Any] | None:
    """The newest forecast: that from the latest cutoff; of several models, of the run that was made last."""
    by_run = table.group_by("MODEL", "CUTOFF", "MODEL_ID").agg(
        F.max("H").alias("H"), F.count_distinct("STATION_ID").alias("STATIONS")
    )
    made = table.session.table(names.RUNS).select(F.col("MODEL_ID").alias("RUN_ID"), "CREATED_AT")
    newest = by_run.join(made, F.col("MODEL_ID") == F.col("RUN_ID"), "left")
    rows = newest.sort(F.col("CUTOFF").desc(), F.col("CREATED_AT").desc_nulls_last()).limit(1).collect()
    if not rows:
        return None
    return {
        "model": rows[0]["MODEL"],
        "cutoff": rows[0]["CUTOFF"].isoformat(),
        "h": rows[0]["H"],
        "stations": rows[0]["STATIONS"],
        "model_id": rows[0]["MODEL_ID"],
    }


def figures(table: DataFrame) -> dict[str, dict[str, Any]]:
    """Each model's figures over all of its backtest.

    Args:
        table: EVAL.
    """
    found: dict[str, dict[str, Any]] = {}
    overall = table.filter((F.col("LEVEL") == "all") & (F.col("PERIOD") == "all"))
    for row in overall.sort("MODEL", "WEATHER").collect():
        values = {metric.lower(): row[metric] for metric in METRICS} | {"n": row["N"]}
        entry = found.setdefault(row["MODEL"], {})
        if row["WEATHER"] == ACTUAL:
            entry |= values
        else:
            entry[row["WEATHER"]] = values
    return found


def champion(session: Session, there: set[str]) -> dict[str, Any] | None:
    """The row of the table CHAMPION, by small letters; None if no backtest chose one.

    Args:
        session: whose current schema may have the table.
        there: names of its tables.
    """
    if names.CHAMPION not in there:
        return None
    rows = session.table(names.CHAMPION).collect()
    return {key.lower(): value for key, value in rows[0].as_dict().items()} if rows else None


def _runs(session: Session) -> dict[str, Any]:
    """How many runs there are, and what the last monthly one said of drift."""
    runs = session.table(names.RUNS)
    last = (
        runs.filter(F.col("FINISHED_AT").is_not_null())
        .sort(F.col("RUN_DATE").desc(), F.col("CREATED_AT").desc())
        .limit(1)
    )
    rows = last.collect()
    metrics = json.loads(rows[0]["METRICS"] or "{}") if rows else {}
    return {"runs": runs.count(), "drift": metrics.get("drift")}
