"""FORECAST: what comes after the last day."""

from __future__ import annotations

from datetime import date

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.models import Model

COLUMNS = """
    MODEL VARCHAR,
    CUTOFF DATE,
    STATION_ID VARCHAR,
    DAY DATE,
    H NUMBER(4, 0),
    FORECAST FLOAT,
    FALLBACK VARCHAR
"""
H = 30


def build_forecast(session: Session, model: Model, cutoff: date, h: int = H) -> None:
    """Writes a model's forecast of every open station to FORECAST, in place of an earlier one from the same cutoff.

    Args:
        session: whose current schema has STATION_DAYS.
        model: to ask.
        cutoff: the last day it may see.
        h: days to forecast.
    """
    session.sql(f"CREATE TABLE IF NOT EXISTS {names.FORECAST} ({COLUMNS})").collect()
    new = model.forecast(session.table(names.STATION_DAYS), [cutoff], h).select(
        F.lit(model.name).alias("MODEL"), "CUTOFF", "STATION_ID", "DAY", "H", "FORECAST", "FALLBACK"
    )
    table = session.table(names.FORECAST)
    table.delete((table["MODEL"] == model.name) & (table["CUTOFF"] == F.lit(cutoff)))
    new.write.save_as_table(names.FORECAST, mode="append")
