"""FLAT_FORECAST and FLAT_EVAL: all runs in two tables, with what an app shows beside them."""

from __future__ import annotations

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.features.days import table_if_any
from tripcast.lineage.runs import EVAL, Run


def flat_forecast(session: Session) -> None:
    """Makes FLAT_FORECAST from FORECAST: with the run's date, the station's name and place, and what came where it is known."""
    forecast = session.table(names.FORECAST)
    dates = session.table(names.RUNS).select("MODEL_ID", "RUN_DATE")
    stations = session.table(names.STATIONS).select("STATION_ID", "STATION_NAME", "LATITUDE", "LONGITUDE")
    came = session.table(names.STATION_DAYS).select("STATION_ID", "DAY", F.col("TRIPS").alias("ACTUAL"))
    own = [name for name in forecast.columns if name not in ("MODEL_ID", "STATION_ID", "DAY")]
    (
        forecast.join(dates, "MODEL_ID")
        .join(stations, "STATION_ID", "left")
        .join(came, ["STATION_ID", "DAY"], "left")
        .select(
            "RUN_DATE", "MODEL_ID", "STATION_ID", "STATION_NAME", "LATITUDE", "LONGITUDE", "DAY", *own, "ACTUAL"
        )
        .write.save_as_table(names.FLAT_FORECAST, mode="overwrite")
    )  # fmt: skip


def flat_eval(session: Session, run: Run) -> None:
    """Brings EVAL_<model_id> into FLAT_EVAL, with station names; a row that is there already is written anew."""
    stations = session.table(names.STATIONS).select("STATION_ID", "STATION_NAME")
    new = session.table(run.table(EVAL)).join(stations, "STATION_ID", "left")
    if table_if_any(session, names.FLAT_EVAL) is None:
        new.write.save_as_table(names.FLAT_EVAL, mode="errorifexists")
        return
    table = session.table(names.FLAT_EVAL)
    values = {name: new[name] for name in new.columns}
    table.merge(
        new,
        (table["MODEL_ID"] == new["MODEL_ID"]) & F.equal_null(table["STATION_ID"], new["STATION_ID"]),
        [F.when_matched().update(values), F.when_not_matched().insert(values)],
    )
