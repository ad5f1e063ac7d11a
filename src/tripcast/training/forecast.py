"""FORECAST: what comes after a cutoff, with intervals and explanations, by a model trained now or one stored before."""

from __future__ import annotations

from datetime import date

from snowflake.snowpark import DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.models import Learner
from tripcast.training import store, tables
from tripcast.training.intervals import BOUNDS, add_intervals, held_out
from tripcast.training.runner import PROCESSES, USUAL_WEATHER, H, run_blocks


def build_forecast(
    session: Session,
    learner: Learner,
    cutoff: date,
    h: int = H,
    *,
    model_id: str | None = None,
    weather: str = USUAL_WEATHER,
    seed: int = 0,
    explain: bool = True,
    processes: int = PROCESSES,
) -> None:
    """Trains on the days up to the cutoff and writes the forecast of every open station to FORECAST.

    Rows of the same model and cutoff are replaced. Intervals come from the model's windows in BACKTEST whose days had come by
    the cutoff; where there is none, from a window at ``cutoff - h`` that is run beside.

    Args:
        session: whose current schema has STATION_DAYS, FEATURES and DAYS.
        learner: to train.
        cutoff: the last day it may see.
        h: days to forecast.
        model_id: to store the trained model under, see ``store``; None to forget it.
        weather: of the days to forecast: 'usual', or 'actual' where it is known.
        seed: of whatever is random.
        explain: whether EXPLANATION is filled.
        processes: see ``run``.
    """
    if model_id is not None:
        store.check_id(model_id)
    errors = _errors(session, learner.name, cutoff, weather, h)
    blocks = [[cutoff]] if errors is not None else [[held_out(cutoff, h)], [cutoff]]
    made = run_blocks(
        session,
        learner,
        blocks,
        h,
        weathers=(weather,),
        seed=seed,
        explain=explain,
        processes=processes,
        keep=(len(blocks) - 1,) if model_id is not None else (),
    )
    if model_id is not None:
        store.save(session, made.payloads, learner, model_id, cutoff, h=h, seed=seed)
    _write(session, learner.name, cutoff, made.forecasts, errors, model_id)


def train(
    session: Session, learner: Learner, cutoff: date, model_id: str, *, seed: int = 0, processes: int = PROCESSES
) -> None:
    """Trains on the days up to the cutoff and stores the model; forecasts nothing. See ``build_forecast``."""
    store.check_id(model_id)
    made = run_blocks(
        session, learner, [[cutoff]], 1, weathers=(USUAL_WEATHER,), seed=seed, processes=processes, keep=(0,)
    )
    store.save(session, made.payloads, learner, model_id, cutoff, h=1, seed=seed)


def forecast_stored(
    session: Session,
    model_id: str,
    h: int = H,
    *,
    cutoff: date | None = None,
    weather: str = USUAL_WEATHER,
    explain: bool = True,
) -> None:
    """Forecasts by a stored model, without training, and writes FORECAST; bit-equal to when it was trained.

    Args:
        session: whose current schema has MODELS, STATION_DAYS, FEATURES and DAYS.
        model_id: of the stored model.
        h: days to forecast.
        cutoff: to forecast from, the model's own or a later one; None for the model's own.
        weather, explain: see ``build_forecast``.

    Raises:
        KeyError: there is no such model.
        ValueError: the cutoff is before the model's.
    """
    stored = store.find(session, model_id)
    cutoff = cutoff or stored.cutoff
    if cutoff < stored.cutoff:
        raise ValueError(f"model {model_id} has seen the days up to {stored.cutoff}: it cannot forecast from {cutoff}")
    learner = stored.learner
    errors = _errors(session, learner.name, cutoff, weather, h)
    if errors is None:  # a window that the model has not seen must be fitted: a stored one has seen its days
        errors = run_blocks(
            session, learner, [[held_out(stored.cutoff, h)]], h, weathers=(weather,), seed=stored.seed
        ).forecasts  # fmt: skip
        errors = _with_actual(session, errors, cutoff)
    made = run_blocks(
        session,
        learner,
        [[cutoff]],
        h,
        weathers=(weather,),
        seed=stored.seed,
        explain=explain,
        stored=stored.files,
    )
    _write(session, learner.name, cutoff, made.forecasts, errors, model_id)


def _errors(session: Session, model: str, cutoff: date, weather: str, h: int) -> DataFrame | None:
    """The model's forecasts in BACKTEST of days up to the cutoff; None if there are none, or of fewer than ``h`` days."""
    rows = tables.table(session, names.BACKTEST).filter(
        (F.col("MODEL") == F.lit(model)) & (F.col("DAY") <= F.lit(cutoff)) & (F.col("WEATHER") == F.lit(weather))
    )
    furthest = rows.agg(F.max("H")).collect()[0][0]
    if furthest is None or furthest < h:
        return None
    return rows.select("CUTOFF", "WEATHER", "STATION_ID", "DAY", "H", "FORECAST", "ACTUAL")


def _with_actual(session: Session, rows: DataFrame, cutoff: date) -> DataFrame:
    """CUTOFF, WEATHER, STATION_ID, DAY, H, FORECAST, ACTUAL of days up to the cutoff."""
    actual = session.table(names.STATION_DAYS).select("STATION_ID", "DAY", F.col("TRIPS").cast("FLOAT").alias("ACTUAL"))
    return (
        rows.filter(F.col("DAY") <= F.lit(cutoff))
        .join(actual, ["STATION_ID", "DAY"])
        .select("CUTOFF", "WEATHER", "STATION_ID", "DAY", "H", "FORECAST", "ACTUAL")
    )


def _write(
    session: Session, model: str, cutoff: date, made: DataFrame, errors: DataFrame | None, model_id: str | None
) -> None:
    """Adds intervals and writes the rows of FORECAST."""
    keys = ["CUTOFF", "WEATHER", "STATION_ID", "DAY", "H", "FORECAST"]
    new = made.filter(F.col("CUTOFF") == F.lit(cutoff))
    if errors is None:
        errors = _with_actual(session, made.filter(F.col("CUTOFF") < F.lit(cutoff)), cutoff)
    both = errors.union_all(new.select(*keys, F.lit(None).cast("FLOAT").alias("ACTUAL"))).cache_result()
    bounds = (
        add_intervals(both)
        .filter(F.col("CUTOFF") == F.lit(cutoff))
        .select(F.col("STATION_ID").alias("B_STATION"), F.col("H").alias("B_H"), *BOUNDS)
    )
    rows = (
        new.join(bounds, (F.col("STATION_ID") == F.col("B_STATION")) & (F.col("H") == F.col("B_H")))
        .with_column("MODEL_ID", F.lit(model_id).cast("VARCHAR"))
        .select(*tables.columns_of(names.FORECAST))
    )
    table = tables.table(session, names.FORECAST)
    session.table(names.FORECAST).delete((table["MODEL"] == model) & (table["CUTOFF"] == F.lit(cutoff)))
    rows.write.save_as_table(names.FORECAST, mode="append", column_order="name")
