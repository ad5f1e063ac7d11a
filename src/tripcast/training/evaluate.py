"""EVAL: a backtest's figures, in all and by station, horizon and cutoff; EVAL_GUIDE: the guide's columns."""

from __future__ import annotations

from datetime import date

from snowflake.snowpark import Column, DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast import names

# what a row of EVAL is about: LEVEL -> the column that tells its rows apart
LEVELS = {"all": None, "station": "STATION_ID", "horizon": "H", "cutoff": "CUTOFF"}
METRICS = ("MAE", "RMSE", "WAPE", "MASE", "RMSSE", "BIAS", "COVERAGE_80", "COVERAGE_95")
# cutoffs of the spring of 2020, when the pandemic came
SHOCK = (date(2020, 2, 15), date(2020, 5, 31))
ALL_PERIODS = "all"
GUIDE_METRICS = ("mae", "mape", "mse", "r_squared", "rmse", "smape")


def _figures() -> list[Column]:
    """MAE and RMSE in trips a day; WAPE and BIAS as shares of the trips that came; MASE and RMSSE in the seasonal naive
    forecast's errors; COVERAGE as shares of the days that have an interval.

    Days of stations whose SCALE is 0 or unknown do not count in MASE and RMSSE.
    """
    error = F.col("FORECAST") - F.col("ACTUAL")
    came = _nullif(F.sum("ACTUAL"))
    return [
        F.count(F.lit(1)).alias("N"),
        F.avg(F.abs(error)).alias("MAE"),
        F.sqrt(F.avg(error * error)).alias("RMSE"),
        (F.sum(F.abs(error)) / came).alias("WAPE"),
        F.avg(F.abs(error) / _nullif(F.col("SCALE"))).alias("MASE"),
        F.sqrt(F.avg(error * error / _nullif(F.col("SQUARED_SCALE")))).alias("RMSSE"),
        (F.sum(error) / came).alias("BIAS"),
        _coverage(80),
        _coverage(95),
    ]


def _nullif(column: Column) -> Column:
    return F.call_function("NULLIF", column, F.lit(0))


def _coverage(level: int) -> Column:
    low, high = F.col(f"LOW_{level}"), F.col(f"HIGH_{level}")
    inside = F.iff(F.col("ACTUAL").between(low, high), F.lit(1.0), F.lit(0.0))
    return F.avg(F.iff(low.is_null() | high.is_null(), F.lit(None), inside)).cast("FLOAT").alias(f"COVERAGE_{level}")


def evaluate(backtest: DataFrame) -> DataFrame:
    """The figures of a backtest.

    Args:
        backtest: MODEL, CUTOFF, STATION_ID, DAY, H, WEATHER, FORECAST, LOW_80, HIGH_80, LOW_95, HIGH_95, ACTUAL, SCALE,
            SQUARED_SCALE.

    Returns:
        MODEL, LEVEL, STATION_ID, H, CUTOFF (NULL where the level is another), WEATHER, PERIOD (all, before, shock or after:
        of the cutoff), N and METRICS.
    """
    types = {"STATION_ID": "VARCHAR", "H": "NUMBER(4, 0)", "CUTOFF": "DATE"}
    period = (
        F.when(F.col("CUTOFF") < F.lit(SHOCK[0]), F.lit("before"))
        .when(F.col("CUTOFF") <= F.lit(SHOCK[1]), F.lit("shock"))
        .otherwise(F.lit("after"))
    )
    whole = backtest.with_column("PERIOD", F.lit(ALL_PERIODS))
    rows = whole.union_all(backtest.with_column("PERIOD", period))
    result: DataFrame | None = None
    for level, key in LEVELS.items():
        keys = ["MODEL", "WEATHER", "PERIOD"] + ([key] if key else [])
        # a cutoff lies in one period only
        source = whole if level == "cutoff" else rows
        figures = source.group_by(*keys).agg(*_figures())
        shown = [
            F.col(column) if column == key else F.lit(None).cast(kind).alias(column) for column, kind in types.items()
        ]
        part = figures.select("MODEL", F.lit(level).alias("LEVEL"), *shown, "WEATHER", "PERIOD", "N", *METRICS)
        result = part if result is None else result.union_all(part)
    assert result is not None
    return result


def build_eval(session: Session) -> None:
    """Makes EVAL from the scored windows in BACKTEST, for all models in it."""
    evaluate(session.table(names.BACKTEST).filter(F.col("SCORED"))).write.save_as_table(names.EVAL, mode="overwrite")


def guide_eval(backtest: DataFrame) -> DataFrame:
    """The guide's evaluation: a row for each model, run date (cutoff) and station.

    Args:
        backtest: MODEL, WEATHER, CUTOFF, STATION_ID, FORECAST, ACTUAL.

    Returns:
        MODEL, WEATHER, RUN_DATE, STATION_ID and, as rexmex names them and in its order, mae, mape (of days with trips), mse,
        r_squared (NULL where all days have the same trips), rmse and smape (of days where forecast or trips are not 0).
    """
    error = F.col("FORECAST") - F.col("ACTUAL")
    keys = ["MODEL", "WEATHER", F.col("CUTOFF").alias("RUN_DATE"), "STATION_ID"]
    mean = _nullif(F.var_pop("ACTUAL"))
    figures = {
        "mae": F.avg(F.abs(error)),
        "mape": F.avg(F.abs(error) / _nullif(F.col("ACTUAL"))),
        "mse": F.avg(error * error),
        "r_squared": F.lit(1.0) - F.avg(error * error) / mean,
        "rmse": F.sqrt(F.avg(error * error)),
        "smape": F.avg(F.lit(2.0) * F.abs(error) / _nullif(F.abs(F.col("FORECAST")) + F.abs(F.col("ACTUAL")))),
    }
    return backtest.group_by(*keys).agg(*(value.cast("FLOAT").alias(f'"{name}"') for name, value in figures.items()))


def build_guide_eval(session: Session) -> None:
    """Makes EVAL_GUIDE from the scored windows in BACKTEST, for all models in it."""
    rows = session.table(names.BACKTEST).filter(F.col("SCORED"))
    guide_eval(rows).write.save_as_table(names.EVAL_GUIDE, mode="overwrite")
