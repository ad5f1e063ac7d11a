"""What a run does, step by step. Each step replaces what it made before, and is noted in RUNS when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from snowflake.snowpark import DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.features.days import data_range, table_if_any
from tripcast.features.frame import forecast_frame
from tripcast.lineage import runs, workspace
from tripcast.lineage.runs import BACKTEST, EVAL, FEATURE, FORECAST, PRED, Run
from tripcast.models import Learner, learner
from tripcast.monitoring import drift
from tripcast.monitoring.flat import flat_eval, flat_forecast
from tripcast.monitoring.scores import FIGURES, scores
from tripcast.training import tables
from tripcast.training.backtest import backtest, cutoffs_of
from tripcast.training.forecast import build_forecast, train
from tripcast.training.runner import run as forecasts_of
from tripcast.training.store import make_models

CLONED, FEATURED, FRAMED, PREDICTED, EVALUATED, FLATTENED = (
    "clone", "features", "frame", "predict", "evaluate", "flatten",
)  # fmt: skip
STEPS = (CLONED, FEATURED, FRAMED, PREDICTED, EVALUATED, FLATTENED)
TRAINED = "train"
Say = Callable[[str], object]
Weather = Literal["actual", "usual"]
# windows of its own backtest that a run makes where BACKTEST has too few before its cutoff
N_WINDOWS, STEP_SIZE = 9, 30
MIN_WINDOWS = 6
MIN_HISTORY = 28
_LONGEST_MONTH = 31


@dataclass(frozen=True, slots=True)
class Options:
    """How a run forecasts, as kept in RUNS.PARAMETERS.

    Args:
        parameters: of the learner, in place of its usual ones.
        weather: that the days to come are assumed to have: 'usual', or 'actual' where it is known.
        processes: over which stations are spread; another number may round otherwise.
        n_windows: of the run's own backtest.
    """

    parameters: dict[str, Any]
    weather: Weather = "usual"
    processes: int = 2
    n_windows: int = N_WINDOWS


def options_of(run: Run) -> Options:
    """The options in a run's row."""
    return Options(**run.parameters)


def learner_of(run: Run) -> Learner:
    """The run's learner, with its parameters."""
    return learner(run.model, **options_of(run).parameters)


def pin(session: Session, run: Run) -> Run:
    """Clones and tags what the run may see, makes its schema from that, and notes which days it saw.

    Raises:
        ValueError: there is no trip in the month before the run.
    """
    if CLONED in run.steps:
        return run
    workspace.pin(session, run)
    count, first, last = workspace.seen(session, run)
    if not isinstance(first, date) or not isinstance(last, date):
        raise ValueError(f"{names.TRIPS} has no trip before {run.run_date}: load trips first (tripcast load)")
    workspace.make(session, run)
    return runs.note(session, replace(run, trips=count, data_from=first, data_to=last), CLONED)


def features(session: Session, run: Run) -> Run:
    """Makes FEATURE_<model_id> and, unless TRIPS goes on beyond what the run may see, the project's FEATURES."""
    if FEATURED in run.steps:
        return run
    place = _place(session, run)
    workspace.clone(session, run, f"{place}.{names.FEATURES}", FEATURE)
    workspace.share(session, run, place)
    return runs.note(session, run, FEATURED)


def frame(session: Session, run: Run) -> Run:
    """Makes FORECAST_<model_id>: the stations and days to forecast, with what is known of them."""
    if FRAMED in run.steps:
        return run
    home = ".".join(workspace.home_of(session))
    with workspace.inside(session, _place(session, run)):
        rows = forecast_frame(session, [run.last_day], run.h, options_of(run).weather)
        rows.write.save_as_table(f"{home}.{run.table(FORECAST)}".split("."), mode="overwrite")
    workspace.tag(session, run, FORECAST)
    return runs.note(session, run, FRAMED)


def predict(session: Session, run: Run, say: Say = lambda text: None) -> Run:
    """Trains and forecasts: PRED_<model_id>, the rows of FORECAST, and the stored model.

    Intervals need errors of the past: those of BACKTEST up to the cutoff if there are enough of this model, else the run makes
    a backtest of its own. Either way they are kept as BACKTEST_<model_id>.
    """
    if PREDICTED in run.steps:
        return run
    place = _place(session, run)
    _past_errors(session, run, place, say)
    forecast(session, run, place)
    workspace.clone(session, run, f"{place}.{names.FORECAST}", PRED)
    _store(session, run, place)
    publish(session, run)
    return runs.note(session, run, PREDICTED)


def train_only(session: Session, run: Run, say: Say = lambda text: None) -> Run:
    """A run that only stores a model: clones, features, training."""
    say("clone and features")
    run = features(session, pin(session, run))
    if TRAINED not in run.steps:
        say("train")
        place = _place(session, run)
        with workspace.inside(session, place):
            train(
                session,
                learner_of(run),
                run.last_day,
                run.model_id,
                seed=run.seed,
                processes=options_of(run).processes,
            )
        _store(session, run, place)
        run = runs.note(session, run, TRAINED, last=True)
    workspace.drop(session, workspace.place_of(session, run))
    return run


def forecast(session: Session, run: Run, place: str) -> None:
    """Trains and forecasts in a schema that ``workspace.make`` made, with the errors of BACKTEST_<model_id>."""
    database, schema = workspace.home_of(session)
    options = options_of(run)

    def build(model_id: str | None) -> None:
        build_forecast(
            session,
            learner_of(run),
            run.last_day,
            run.h,
            model_id=model_id,
            weather=options.weather,
            seed=run.seed,
            explain=True,
            processes=options.processes,
        )

    with workspace.inside(session, place):
        session.sql(
            f"CREATE OR REPLACE TABLE {names.BACKTEST} CLONE {database}.{schema}.{run.table(BACKTEST)}"
        ).collect()
        try:
            build(run.model_id)
        except RuntimeError:  # nothing could be fitted, so there is no model to store: the forecasts say what they are
            build(None)
            session.sql(f"UPDATE {names.FORECAST} SET MODEL_ID = ?", params=[run.model_id]).collect()


def _past_errors(session: Session, run: Run, place: str, say: Say) -> None:
    """Makes BACKTEST_<model_id>."""
    past = table_if_any(session, names.BACKTEST)
    if past is not None:
        mine = past.filter((F.col("MODEL") == F.lit(run.model)) & (F.col("DAY") <= F.lit(run.cutoff)))
        windows = mine.filter(F.col("H") == F.lit(run.h)).select("CUTOFF").distinct().count()
        if windows >= MIN_WINDOWS:
            mine.write.save_as_table(run.table(BACKTEST), mode="overwrite")
            workspace.tag(session, run, BACKTEST)
            return
    options = options_of(run)
    with workspace.inside(session, place):
        tables.table(session, names.BACKTEST)
        try:
            cutoffs = cutoffs_of(*data_range(session), run.h, options.n_windows, STEP_SIZE)
        except ValueError:  # too few days: the forecast is calibrated by a window of its own
            cutoffs = []
        if cutoffs:
            backtest(
                session,
                learner_of(run),
                cutoffs,
                run.h,
                weathers=("actual", "usual"),
                min_history=MIN_HISTORY,
                burn_in=0,
                seed=run.seed,
                processes=options.processes,
                progress=say,
            )
    workspace.clone(session, run, f"{place}.{names.BACKTEST}", BACKTEST)


def _store(session: Session, run: Run, place: str) -> None:
    """Brings the fitted model from the run's schema to MODEL_STAGE and MODELS."""
    if table_if_any(session, f"{place}.{names.MODELS}") is None:
        return  # nothing could be fitted
    make_models(session)
    folder = f"models/{run.model_id}/"
    session.sql(f"REMOVE @{names.MODEL_STAGE}/{folder}").collect()
    session.sql(
        f"COPY FILES INTO @{names.MODEL_STAGE} FROM @{place}.{names.MODEL_STAGE} PATTERN = '.*{folder}.*'"
    ).collect()
    models = session.table(names.MODELS)
    new = session.table(f"{place}.{names.MODELS}")
    columns = [name for name in models.columns if name in new.columns]
    values = {name: new[name] for name in columns} | {
        "CLONE": F.lit(run.table(runs.CLONE)),
        "CODE_VERSION": F.lit(run.code_version),
    }
    models.merge(
        new,
        models["MODEL_ID"] == new["MODEL_ID"],
        [F.when_matched().update(values), F.when_not_matched().insert(values)],
    )


def publish(session: Session, run: Run) -> None:
    """Brings PRED_<model_id> into FORECAST, in place of an earlier forecast of the same model from the same cutoff.

    A kill between its two statements leaves rows of both forecasts; the next run of this step ends it.
    """
    made = session.table(run.table(PRED))
    shared = table_if_any(session, names.FORECAST)
    if shared is None or set(shared.columns) != set(made.columns):
        made.write.save_as_table(names.FORECAST, mode="overwrite")
        return
    keys = ("MODEL", "CUTOFF", "STATION_ID", "DAY")
    same = shared["MODEL"] == made["MODEL"]
    for key in keys[1:]:
        same = same & (shared[key] == made[key])
    values = {name: made[name] for name in made.columns}
    shared.merge(made, same, [F.when_matched().update(values), F.when_not_matched().insert(values)])
    shared = session.table(names.FORECAST)
    shared.delete(
        (shared["MODEL"] == F.lit(run.model))
        & (shared["CUTOFF"] == F.lit(run.last_day))
        & (F.coalesce(shared["MODEL_ID"], F.lit("")) != F.lit(run.model_id))
    )


def evaluate(session: Session, run: Run, earlier: Run | None) -> Run:
    """Scores the run before against what came since, and watches for drift.

    Makes EVAL_<model_id>, empty if there is no run before, and the run's rows of DRIFT.

    Args:
        session: whose current schema has both runs' tables.
        run: that is under way.
        earlier: the run before of the same model, if any.
    """
    if EVALUATED in run.steps:
        return run
    place = _place(session, run)
    scored = scores(session, run, earlier, place)
    scored.write.save_as_table(run.table(EVAL), mode="overwrite")
    workspace.tag(session, run, EVAL)
    metrics = dict(run.metrics)
    if earlier is not None:
        overall = session.table(run.table(EVAL)).filter(F.col("STATION_ID").is_null()).collect()
        figures = overall[0].as_dict() if overall else {}
        metrics["evaluated"] = {"model_id": earlier.model_id} | {name.lower(): figures.get(name) for name in FIGURES}
        metrics["drift"] = _watch(session, run, earlier, place)
    return runs.note(session, replace(run, metrics=metrics), EVALUATED)


def _watch(session: Session, run: Run, earlier: Run, place: str) -> dict[str, Any]:
    """Writes the run's rows of DRIFT; answers the highest statistic, and the first alarm's day and direction."""
    with workspace.inside(session, place):
        past = forecasts_of(
            session,
            learner_of(earlier),
            [earlier.last_day],
            min((run.last_day - earlier.last_day).days, _LONGEST_MONTH),
            weathers=("actual",),
            seed=earlier.seed,
            processes=options_of(earlier).processes,
        )
        came = session.table(names.STATION_DAYS).select("STATION_ID", "DAY", F.col("TRIPS").alias("ACTUAL"))
        both = past.join(came, ["STATION_ID", "DAY"])
        rows = both.select("CUTOFF", "STATION_ID", "DAY", "FORECAST", "ACTUAL").cache_result()
    chart = drift.watch(_reference(session, run, earlier), rows).select(
        F.lit(run.model_id).alias("MODEL_ID"),
        F.lit(run.run_date).alias("RUN_DATE"),
        F.lit(run.model).alias("MODEL"),
        *drift.COLUMNS,
    )
    table = session.table(names.DRIFT)
    values = {name: chart[name] for name in chart.columns}
    table.merge(
        chart,
        (table["MODEL_ID"] == chart["MODEL_ID"]) & (table["DAY"] == chart["DAY"]),
        [F.when_matched().update(values), F.when_not_matched().insert(values)],
    )
    made = session.table(names.DRIFT).filter(F.col("MODEL_ID") == F.lit(run.model_id))
    highest = made.agg(F.max("STATISTIC")).collect()[0][0]
    alarms = made.filter(F.col("ALARM")).sort("DAY").limit(1).collect()
    return {
        "statistic": highest,
        "threshold": drift.THRESHOLD,
        "alarm": str(alarms[0]["DAY"]) if alarms else None,
        "direction": alarms[0]["DIRECTION"] if alarms else None,
    }


def _reference(session: Session, run: Run, earlier: Run) -> DataFrame:
    """The past errors that the month is compared with: not those of days that were under alarm, if enough others are left."""
    known = session.table(earlier.table(BACKTEST)).filter(F.col("WEATHER") == F.lit("actual"))
    raised = session.table(names.DRIFT).filter(
        F.col("ALARM") & (F.col("MODEL") == F.lit(run.model)) & (F.col("RUN_DATE") < F.lit(run.run_date))
    )
    calm = known.filter(~F.col("DAY").in_(raised.select("DAY")))
    return calm if calm.select("CUTOFF", "DAY").distinct().count() >= drift.MIN_REFERENCE_DAYS else known


def flatten(session: Session, run: Run) -> Run:
    """Brings the run into FLAT_FORECAST and FLAT_EVAL, which the app reads, and ends it: its schema goes."""
    if FLATTENED not in run.steps:
        flat_forecast(session)
        flat_eval(session, run)
        run = runs.note(session, run, FLATTENED, last=True)
    workspace.drop(session, workspace.place_of(session, run))
    return run


def _place(session: Session, run: Run) -> str:
    """The run's schema; made again if a kill or a finished run took it."""
    place = workspace.place_of(session, run)
    return place if workspace.exists(session, place) else workspace.make(session, run)
