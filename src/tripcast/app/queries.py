"""What the pages ask the warehouse: small answers as pandas frames, filtered and summed where the data is.

Nothing here knows Streamlit. A frame's columns are named as in the warehouse; numbers are float, days are datetime64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from snowflake.snowpark import Column, DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast import names, status
from tripcast.lineage import runs
from tripcast.lineage.runs import Run
from tripcast.training.evaluate import ALL_PERIODS

BOUNDS = ("LOW_95", "LOW_80", "FORECAST", "HIGH_80", "HIGH_95")
_PLACE = ("STATION_NAME", "LATITUDE", "LONGITUDE")
_DAYS = frozenset({"DAY", "CUTOFF", "RUN_DATE", "DATA_FROM", "DATA_TO"})
_RECENT_DAYS = 28


@dataclass(frozen=True, slots=True)
class Made:
    """A forecast in FORECAST.

    Args:
        model: that made it.
        cutoff: the last day that it knew.
        model_id: of its run; None where it has none.
        first_day, last_day: that it forecasts.
        stations: how many.
    """

    model: str
    cutoff: date
    model_id: str | None
    first_day: date
    last_day: date
    stations: int

    def __str__(self) -> str:
        return f"{self.model}, from {self.first_day:%d %b %Y}"


def tables(session: Session) -> set[str]:
    """Names of the tables in the current schema; none where no schema is current."""
    return status.tables(session) if session.get_current_schema() else set()


def forecasts(session: Session) -> list[Made]:
    """The forecasts there are, newest first; of those from one cutoff, the one that was made last first."""
    by_run = (
        session.table(names.FORECAST)
        .group_by("MODEL", "CUTOFF", "MODEL_ID")
        .agg(
            F.min("DAY").alias("FIRST_DAY"),
            F.max("DAY").alias("LAST_DAY"),
            F.count_distinct("STATION_ID").alias("STATIONS"),
        )
    )
    made = session.table(names.RUNS).select(F.col("MODEL_ID").alias("RUN_ID"), "CREATED_AT")
    newest = by_run.join(made, F.col("MODEL_ID") == F.col("RUN_ID"), "left")
    rows = newest.sort(F.col("CUTOFF").desc(), F.col("CREATED_AT").desc_nulls_last(), "MODEL").collect()
    return [
        Made(row["MODEL"], row["CUTOFF"], row["MODEL_ID"], row["FIRST_DAY"], row["LAST_DAY"], row["STATIONS"])
        for row in rows
    ]


def _of(session: Session, made: Made) -> DataFrame:
    return session.table(names.FORECAST).filter(
        (F.col("MODEL") == F.lit(made.model)) & (F.col("CUTOFF") == F.lit(made.cutoff))
    )


def _named(session: Session, rows: DataFrame) -> DataFrame:
    """With the stations' names and places; a station without a name goes by its id."""
    known = session.table(names.STATIONS).select(F.col("STATION_ID").alias("KNOWN_ID"), *_PLACE)
    joined = rows.join(known, rows["STATION_ID"] == F.col("KNOWN_ID"), "left").drop("KNOWN_ID")
    return joined.with_column("STATION_NAME", F.coalesce("STATION_NAME", "STATION_ID"))


def stations(session: Session, made: Made) -> pd.DataFrame:
    """STATION_ID, STATION_NAME, LATITUDE, LONGITUDE, NEXT_DAY (trips on the forecast's first day), TOTAL; busiest first."""
    first = F.iff(F.col("DAY") == F.lit(made.first_day), F.col("FORECAST"), F.lit(0.0))
    sums = (
        _of(session, made).group_by("STATION_ID").agg(F.sum(first).alias("NEXT_DAY"), F.sum("FORECAST").alias("TOTAL"))
    )
    return frame(_named(session, sums).sort(F.col("TOTAL").desc(), "STATION_ID"))


def cells(session: Session, made: Made, station_ids: Sequence[str], first: date, last: date) -> pd.DataFrame:
    """STATION_ID, STATION_NAME, DAY, BOUNDS, FALLBACK, EXPLANATION (JSON text) of some stations and days."""
    rows = _of(session, made).filter(F.col("STATION_ID").in_(*station_ids) & _between(first, last))
    text = F.col("EXPLANATION").cast("VARCHAR").alias("EXPLANATION")
    return frame(_named(session, rows.select("STATION_ID", "DAY", *BOUNDS, "FALLBACK", text)).sort("DAY", "STATION_ID"))


def history(session: Session, station_id: str, first: date, last: date) -> pd.DataFrame:
    """DAY, TRIPS of one station."""
    rows = session.table(names.STATION_DAYS).filter((F.col("STATION_ID") == F.lit(station_id)) & _between(first, last))
    return frame(rows.select("DAY", "TRIPS").sort("DAY"))


def demand(session: Session, made: Made, day: date) -> pd.DataFrame:
    """STATION_ID, STATION_NAME, LATITUDE, LONGITUDE, BOUNDS, RECENT (mean trips a day up to the cutoff); busiest first."""
    rows = _of(session, made).filter(F.col("DAY") == F.lit(day)).select("STATION_ID", *BOUNDS)
    recent = (
        session.table(names.STATION_DAYS)
        .filter(_between(made.cutoff - timedelta(days=_RECENT_DAYS - 1), made.cutoff))
        .group_by(F.col("STATION_ID").alias("RECENT_ID"))
        .agg(F.avg("TRIPS").cast("FLOAT").alias("RECENT"))
    )
    both = rows.join(recent, rows["STATION_ID"] == F.col("RECENT_ID"), "left").drop("RECENT_ID")
    return frame(_named(session, both).sort(F.col("FORECAST").desc(), "STATION_ID"))


def _between(first: date, last: date) -> Column:
    return (F.col("DAY") >= F.lit(first)) & (F.col("DAY") <= F.lit(last))


def run_errors(session: Session) -> pd.DataFrame:
    """RUN_DATE, MODEL_ID, MODEL, N, WAPE, NAIVE_WAPE, BIAS, MAE, COVERAGE_80, COVERAGE_95: a row for each scored run."""
    rows = session.table(names.FLAT_EVAL).filter(F.col("STATION_ID").is_null())
    figures = ("N", "WAPE", "NAIVE_WAPE", "BIAS", "MAE", "COVERAGE_80", "COVERAGE_95")
    return frame(rows.select("RUN_DATE", "MODEL_ID", "MODEL", *figures).sort("RUN_DATE", "MODEL"))


def station_errors(session: Session, model_id: str, limit: int = 20) -> pd.DataFrame:
    """STATION_NAME, N, MAE, WAPE, NAIVE_WAPE, BIAS of a scored run's stations, those with the largest MAE."""
    rows = session.table(names.FLAT_EVAL).filter(
        F.col("STATION_ID").is_not_null() & (F.col("MODEL_ID") == F.lit(model_id))
    )
    name = F.coalesce("STATION_NAME", "STATION_ID").alias("STATION_NAME")
    shown = rows.select(name, "N", "MAE", "WAPE", "NAIVE_WAPE", "BIAS")
    return frame(shown.sort(F.col("MAE").desc_nulls_last(), "STATION_NAME").limit(limit))


def models(session: Session) -> dict[str, dict[str, Any]]:
    """Each model's figures in the backtest, see ``tripcast.status.figures``."""
    return status.figures(session.table(names.EVAL))


def champion(session: Session) -> dict[str, Any] | None:
    """The row of CHAMPION, by small letters."""
    return status.champion(session, tables(session))


def cutoff_errors(session: Session, weather: str = status.USUAL) -> pd.DataFrame:
    """MODEL, CUTOFF, WAPE of the backtest."""
    rows = session.table(names.EVAL).filter(
        (F.col("LEVEL") == F.lit("cutoff"))
        & (F.col("PERIOD") == F.lit(ALL_PERIODS))
        & (F.col("WEATHER") == F.lit(weather))
    )
    return frame(rows.select("MODEL", "CUTOFF", "WAPE").sort("CUTOFF", "MODEL"))


def drift(session: Session, months: int = 24) -> pd.DataFrame:
    """RUN_DATE, MODEL, DAY, ACTUAL, FORECAST, STATISTIC, THRESHOLD, ALARM, DIRECTION of the newest run's model, last months."""
    rows = session.table(names.DRIFT)
    newest = rows.sort(F.col("RUN_DATE").desc(), "MODEL").limit(1).collect()
    if not newest:
        return pd.DataFrame()
    mine = rows.filter(
        (F.col("MODEL") == F.lit(newest[0]["MODEL"]))
        & (F.col("DAY") >= F.lit(newest[0]["RUN_DATE"] - timedelta(days=31 * months)))
    )
    columns = ("RUN_DATE", "MODEL", "DAY", "ACTUAL", "FORECAST", "STATISTIC", "THRESHOLD", "ALARM", "DIRECTION")
    found = frame(mine.select(*columns).sort("DAY", "RUN_DATE"))
    return found.drop_duplicates("DAY", keep="last").reset_index(drop=True)


def all_runs(session: Session) -> list[Run]:
    """All runs, newest first."""
    return runs.read(session)[::-1]


def stored_models(session: Session) -> pd.DataFrame:
    """MODEL_ID, MODEL, DATA_FROM, DATA_TO, STATIONS, STAGE_FILE, CLONE, CHAMPION of the models in MODEL_STAGE."""
    columns = ("MODEL_ID", "MODEL", "DATA_FROM", "DATA_TO", "STATIONS", "STAGE_FILE", "CLONE", "CHAMPION")
    return frame(session.table(names.MODELS).select(*columns))


def left_by(session: Session, model_id: str) -> pd.DataFrame:
    """TABLE, ROWS, BYTES, CREATED, TAG (the run it is tagged with) of the tables that a run left."""
    suffix = f"_{model_id}".upper()
    shown = session.sql(f"SHOW TABLES LIKE '%{suffix}'").collect()
    rows = [(row["name"], int(row["rows"] or 0), int(row["bytes"] or 0), row["created_on"]) for row in shown]
    found = pd.DataFrame(rows, columns=["TABLE", "ROWS", "BYTES", "CREATED"])
    found["CREATED"] = pd.to_datetime(found["CREATED"], utc=True).dt.tz_localize(None)
    found = found[found["TABLE"].str.endswith(suffix)].sort_values(["CREATED", "TABLE"]).reset_index(drop=True)
    found["TAG"] = _tags(session, list(found["TABLE"]))
    return found


def _tags(session: Session, listed: list[str]) -> list[str | None]:
    if not listed:
        return []
    asked = ", ".join(f"SYSTEM$GET_TAG('{names.MODEL_TAG}', '{name}', 'table')" for name in listed)
    return list(session.sql(f"SELECT {asked}").collect()[0])


def last_trip_day(session: Session) -> date | None:
    """The last day with a trip."""
    last = session.table(names.TRIPS).agg(F.max("STARTTIME")).collect()[0][0]
    return last.date() if isinstance(last, datetime) else last


def frame(rows: DataFrame) -> pd.DataFrame:
    """Collects rows: days as datetime64, numbers as float."""
    found = rows.to_pandas()
    for column in found:
        if column in _DAYS:
            found[column] = pd.to_datetime(found[column])
        elif is_numeric_dtype(found[column]) and not is_bool_dtype(found[column]):
            found[column] = found[column].astype(float)
    return found
