"""Rolling-origin backtest: forecasts from several cutoffs in the past, each scored on the days after it only."""

from __future__ import annotations

from datetime import date, timedelta

from snowflake.snowpark import DataFrame, Session, Window
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.models import Model
from tripcast.models.seasonal_naive import SEASON

N_WINDOWS = 6
STEP_SIZE = 30
COLUMNS = """
    MODEL VARCHAR,
    CUTOFF DATE,
    STATION_ID VARCHAR,
    DAY DATE,
    H NUMBER(4, 0),
    FORECAST FLOAT,
    ACTUAL FLOAT,
    SCALE FLOAT
"""


def cutoffs_of(
    first_day: date, last_day: date, h: int, n_windows: int = N_WINDOWS, step_size: int = STEP_SIZE
) -> list[date]:
    """Cutoffs, oldest first, of which the last has exactly ``h`` days after it.

    Args:
        first_day, last_day: of the data.
        h: days to forecast from each.
        n_windows: how many, fewer where the data is too short.
        step_size: days between them.

    Raises:
        ValueError: not even one window fits.
    """
    if min(h, n_windows, step_size) < 1:
        raise ValueError("h, n_windows and step_size must be at least 1")
    cutoffs = [last_day - timedelta(days=h + step_size * number) for number in range(n_windows)]
    usable = [cutoff for cutoff in reversed(cutoffs) if cutoff >= first_day + timedelta(days=SEASON)]
    if not usable:
        need = h + SEASON + 1
        raise ValueError(
            f"a backtest of h = {h} needs {need} days, the data has {(last_day - first_day).days + 1}: use a smaller h"
        )
    return usable


def build_backtest(session: Session, model: Model, cutoffs: list[date], h: int) -> None:
    """Writes a model's past forecasts with what came to BACKTEST, in place of its earlier ones.

    SCALE is the mean error of the seasonal naive forecast one week ahead on the days up to the cutoff (for MASE).

    Args:
        session: whose current schema has STATION_DAYS.
        model: to ask.
        cutoffs: last days it may see; only later days are scored.
        h: days to forecast from each.
    """
    session.sql(f"CREATE TABLE IF NOT EXISTS {names.BACKTEST} ({COLUMNS})").collect()
    station_days = session.table(names.STATION_DAYS)
    actual = station_days.select("STATION_ID", "DAY", F.col("TRIPS").cast("FLOAT").alias("ACTUAL"))
    new = (
        model.forecast(station_days, cutoffs, h)
        .join(actual, ["STATION_ID", "DAY"])
        .join(_scales(station_days, cutoffs), ["STATION_ID", "CUTOFF"], "left")
        .select(F.lit(model.name).alias("MODEL"), "CUTOFF", "STATION_ID", "DAY", "H", "FORECAST", "ACTUAL", "SCALE")
    )
    table = session.table(names.BACKTEST)
    table.delete(table["MODEL"] == model.name)
    new.write.save_as_table(names.BACKTEST, mode="append")


def _scales(station_days: DataFrame, cutoffs: list[date]) -> DataFrame:
    """STATION_ID, CUTOFF, SCALE: from the days up to the cutoff only."""
    by_day = Window.partition_by("STATION_ID").order_by("DAY")
    error = F.abs(F.col("TRIPS") - F.lag("TRIPS", SEASON).over(by_day)).cast("FLOAT")
    so_far = by_day.rows_between(Window.UNBOUNDED_PRECEDING, Window.CURRENT_ROW)
    return (
        station_days.select("STATION_ID", "DAY", error.alias("ERROR"))
        .select("STATION_ID", F.col("DAY").alias("CUTOFF"), F.avg("ERROR").over(so_far).alias("SCALE"))
        .filter(F.col("CUTOFF").in_([F.lit(cutoff) for cutoff in cutoffs]))
    )
