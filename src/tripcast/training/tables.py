"""Tables that training writes: made when they are first needed, made anew when their columns have changed."""

from __future__ import annotations

from snowflake.snowpark import DataFrame, Session

from tripcast import names

FORECAST_COLUMNS = """
    MODEL VARCHAR,
    CUTOFF DATE,
    STATION_ID VARCHAR,
    DAY DATE,
    H NUMBER(4, 0),
    FORECAST FLOAT,
    LOW_80 FLOAT,
    HIGH_80 FLOAT,
    LOW_95 FLOAT,
    HIGH_95 FLOAT,
    FALLBACK VARCHAR,
    EXPLANATION VARIANT,
    MODEL_ID VARCHAR
"""
BACKTEST_COLUMNS = """
    MODEL VARCHAR,
    CUTOFF DATE,
    STATION_ID VARCHAR,
    DAY DATE,
    H NUMBER(4, 0),
    WEATHER VARCHAR,
    FORECAST FLOAT,
    LOW_80 FLOAT,
    HIGH_80 FLOAT,
    LOW_95 FLOAT,
    HIGH_95 FLOAT,
    ACTUAL FLOAT,
    SCALE FLOAT,
    SQUARED_SCALE FLOAT,
    FALLBACK VARCHAR,
    SCORED BOOLEAN
"""
MODELS_COLUMNS = """
    MODEL_ID VARCHAR,
    MODEL VARCHAR,
    CUTOFF DATE,
    H NUMBER(4, 0),
    SEED NUMBER(18, 0),
    PARAMETERS VARIANT,
    METRICS VARIANT,
    CODE_VERSION VARCHAR,
    DATA_FROM DATE,
    DATA_TO DATE,
    STATIONS NUMBER(9, 0),
    STAGE_FILE VARCHAR,
    SHARDS NUMBER(4, 0),
    CLONE VARCHAR,
    CHAMPION BOOLEAN,
    MARGIN FLOAT,
    CREATED_AT TIMESTAMP_NTZ
"""
_COLUMNS = {names.FORECAST: FORECAST_COLUMNS, names.BACKTEST: BACKTEST_COLUMNS, names.MODELS: MODELS_COLUMNS}


def columns_of(name: str) -> list[str]:
    """A table's columns, in order."""
    return [line.split()[0] for line in _COLUMNS[name].strip().splitlines()]


def table(session: Session, name: str) -> DataFrame:
    """FORECAST, BACKTEST or MODELS; of the first two one that lacks a column, of an older version, is made anew, empty."""
    session.sql(f"CREATE TABLE IF NOT EXISTS {name} ({_COLUMNS[name]})").collect()
    found = session.table(name)
    if name != names.MODELS and not set(columns_of(name)) <= set(found.columns):
        session.sql(f"CREATE OR REPLACE TABLE {name} ({_COLUMNS[name]})").collect()
        found = session.table(name)
    return found
