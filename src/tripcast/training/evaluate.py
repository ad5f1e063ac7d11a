"""EVAL: a backtest's figures, in all and by station, horizon and cutoff."""

from __future__ import annotations

from snowflake.snowpark import Column, DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast import names

# what a row of EVAL is about: LEVEL -> the column that tells its rows apart
LEVELS = {"all": None, "station": "STATION_ID", "horizon": "H", "cutoff": "CUTOFF"}
METRICS = ("MAE", "RMSE", "WAPE", "MASE", "BIAS")


def _figures() -> list[Column]:
    """MAE and RMSE in trips a day; WAPE and BIAS as shares of the trips that came; MASE in SCALEs.

    Days of stations whose SCALE is 0 or unknown do not count in MASE.
    """
    error = F.col("FORECAST") - F.col("ACTUAL")
    came = F.call_function("NULLIF", F.sum("ACTUAL"), F.lit(0))
    return [
        F.count(F.lit(1)).alias("N"),
        F.avg(F.abs(error)).alias("MAE"),
        F.sqrt(F.avg(error * error)).alias("RMSE"),
        (F.sum(F.abs(error)) / came).alias("WAPE"),
        F.avg(F.abs(error) / F.call_function("NULLIF", F.col("SCALE"), F.lit(0))).alias("MASE"),
        (F.sum(error) / came).alias("BIAS"),
    ]


def evaluate(backtest: DataFrame) -> DataFrame:
    """The figures of a backtest.

    Args:
        backtest: MODEL, CUTOFF, STATION_ID, DAY, H, FORECAST, ACTUAL, SCALE.

    Returns:
        MODEL, LEVEL, STATION_ID, H, CUTOFF (NULL where the level is another), N and METRICS.
    """
    types = {"STATION_ID": "VARCHAR", "H": "NUMBER(4, 0)", "CUTOFF": "DATE"}
    result: DataFrame | None = None
    for level, key in LEVELS.items():
        keys = ["MODEL"] + ([key] if key else [])
        figures = backtest.group_by(*keys).agg(*_figures())
        shown = [
            F.col(column) if column == key else F.lit(None).cast(kind).alias(column) for column, kind in types.items()
        ]
        part = figures.select("MODEL", F.lit(level).alias("LEVEL"), *shown, "N", *METRICS)
        result = part if result is None else result.union_all(part)
    assert result is not None
    return result


def build_eval(session: Session) -> None:
    """Makes EVAL from BACKTEST, for all models in it."""
    evaluate(session.table(names.BACKTEST)).write.save_as_table(names.EVAL, mode="overwrite")
