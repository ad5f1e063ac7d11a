"""The guide's tasks as plain functions: each takes a state, works in the warehouse and returns the state.

A state is a dict of texts and numbers, so that a scheduler can hand it from one process to the next. Each task opens its own
session, from the state's ``connection_parameters`` (of a Snowpark session) or ``connection_name`` (of connections.toml), unless
it is given one.

A run can be killed anywhere and started again: RUNS knows which steps are done, and a step replaces what it made before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.connection import connect
from tripcast.elt.guide import incremental_elt
from tripcast.features.days import table_if_any
from tripcast.features.holidays import YEARS_AHEAD, materialize_holidays
from tripcast.features.weather import materialize_weather, take_listing
from tripcast.lineage import runs, steps
from tripcast.lineage.runs import MONTH, TRAINING, Run
from tripcast.lineage.steps import Options
from tripcast.setup import make_objects, set_up
from tripcast.sources.archive import BASE_URL
from tripcast.sources.synthetic import next_month
from tripcast.sources.weather import SHARE

State = dict[str, Any]
H = 30
MODEL = "lightgbm"
STATE_FILE = Path("include/state.json")


@contextmanager
def _session(state: Mapping[str, Any], given: Session | None) -> Iterator[Session]:
    if given is not None:
        yield given
        return
    parameters = state.get("connection_parameters")
    session = Session.builder.configs(parameters).create() if parameters else connect(state.get("connection_name"))
    try:
        yield session
    finally:
        session.close()


def run_day(run_date: str | date) -> date:
    """The day of a run: ``2020_04_01`` as the guide writes it, or ``2020-04-01``.

    Raises:
        ValueError: it is no date.
    """
    if isinstance(run_date, date):
        return run_date
    try:
        return date.fromisoformat(run_date.replace("_", "-"))
    except ValueError as error:
        raise ValueError(f"run_date is {run_date!r}: write it as 2020_04_01") from error


def new_state(run_date: str | date, model_id: str | None = None, **settings: Any) -> State:
    """The state that a monthly run begins with, by the guide's names.

    Args:
        run_date: the first day after the month; the run forecasts from it on.
        model_id: as in the names of the run's tables; a new one by default.
        settings: in place of the usual ones: ``model``, ``parameters``, ``forecast_steps``, ``seed``, ``weather``,
            ``download_base_url``, ``connection_name``, ...
    """
    model_id = model_id or runs.new_model_id()
    return {
        "model_id": model_id,
        "run_date": run_day(run_date).strftime("%Y_%m_%d"),
        "load_table_name": "RAW_",
        "trips_table_name": names.TRIPS,
        "load_stage_name": names.LOAD_STAGE,
        "model_stage_name": names.MODEL_STAGE,
        "weather_table_name": names.WEATHER,
        "holiday_table_name": names.HOLIDAYS,
        **{
            f"{kind.lower()}_table_name": f"{kind}_{model_id}"
            for kind in ("CLONE", "FEATURE", "PRED", "EVAL", "FORECAST")
        },
        "forecast_steps": H,
        "model": MODEL,
        "parameters": {},
        "seed": 0,
        "weather": "usual",
        "download_base_url": BASE_URL,
    } | settings


# --- set-up -----------------------------------------------------------------------------------------------------------


def snowpark_database_setup(state_dict: State, session: Session | None = None) -> State:
    """Makes roles, warehouses, database, stages, tables and the tag ``model_id_tag`` where they do not exist yet."""
    if session is not None:
        make_objects(session)
        return state_dict
    parameters = state_dict.get("connection_parameters")
    opened = (
        Session.builder.configs(parameters).create()
        if parameters
        else connect(state_dict.get("connection_name"), database=None)
    )
    try:
        set_up(opened)
    finally:
        opened.close()
    return state_dict


def materialize_holiday_task(state_dict: State, session: Session | None = None) -> State:
    """Makes the table HOLIDAYS for the years of the trips and those to come."""
    with _session(state_dict, session) as opened:
        ensure_holidays(opened, run_day(state_dict["run_date"]), always=True)
    return state_dict


def materialize_weather_task(state_dict: State, session: Session | None = None) -> State:
    """Makes the table WEATHER from the listing that is shared.

    Raises:
        LookupError: the account has no such share.
    """
    with _session(state_dict, session) as opened:
        take_listing(opened, state_dict.get("weather_share", SHARE))
        materialize_weather(opened)
    return state_dict


def deploy_model_udf_task(state_dict: State, session: Session | None = None) -> State:
    """Brings tripcast's code to the model stage, from which its table functions are made when they are called."""
    from tripcast.training.code import in_stage

    with _session(state_dict, session) as opened:
        state_dict["train_udf_name"] = in_stage(opened)
    return state_dict


def deploy_eval_udf_task(state_dict: State, session: Session | None = None) -> State:
    """Nothing to deploy: figures are computed by plain queries. Here so that the guide's flows run."""
    state_dict["eval_udf_name"] = None
    return state_dict


# --- a month ----------------------------------------------------------------------------------------------------------


def incremental_elt_task(state_dict: State, files_to_download: Sequence[str], session: Session | None = None) -> State:
    """Loads the named files, begins the run and clones what it may see.

    The state returned has the ``model_id`` of an unfinished run of the same day and settings, if there is one.

    Raises:
        ValueError: the run date is in the future, or TRIPS has no trip in the month before it.
    """
    day = run_day(state_dict["run_date"])
    check_over(day)
    with _session(state_dict, session) as opened:
        if files_to_download:
            incremental_elt(
                opened,
                load_stage_name=state_dict["load_stage_name"],
                files_to_download=list(files_to_download),
                download_base_url=state_dict["download_base_url"],
                load_table_name=state_dict["load_table_name"],
                trips_table_name=state_dict["trips_table_name"],
            )
        check_trips(opened, day)
        ensure_holidays(opened, day)
        run = begun(opened, state_dict)
        steps.pin(opened, run)
        return _with_run(state_dict, run)


def generate_feature_table_task(
    state_dict: State, holiday_state_dict: State, weather_state_dict: State, session: Session | None = None
) -> State:
    """Makes FEATURE_<model_id>: features of all stations as the run sees them."""
    return _step(state_dict, steps.features, session)


def generate_forecast_table_task(
    state_dict: State, holiday_state_dict: State, weather_state_dict: State, session: Session | None = None
) -> State:
    """Makes FORECAST_<model_id>: the stations and days to forecast, with calendar and weather."""
    return _step(state_dict, steps.frame, session)


def bulk_train_predict_task(
    state_dict: State,
    feature_state_dict: State,
    forecast_state_dict: State,
    session: Session | None = None,
    say: steps.Say = lambda text: None,
) -> State:
    """Trains and forecasts all stations inside the warehouse: PRED_<model_id>, FORECAST, the stored model."""
    return _step(state_dict, lambda opened, run: steps.predict(opened, run, say), session)


def eval_station_models_task(
    state_dict: State, pred_state_dict: State, run_date: str, session: Session | None = None
) -> State:
    """Scores the run before against what came since (EVAL_<model_id>), and watches for drift (DRIFT)."""
    return _step(state_dict, lambda opened, run: steps.evaluate(opened, run, earlier_run(opened, run)), session)


def flatten_tables_task(pred_state_dict: State, eval_state_dict: State, session: Session | None = None) -> State:
    """Brings the run into FLAT_FORECAST and FLAT_EVAL, and ends it."""
    state_dict = _step(pred_state_dict, steps.flatten, session)
    return state_dict | {"flat_forecast_table": names.FLAT_FORECAST, "flat_eval_table": names.FLAT_EVAL}


def citibikeml_monthly_taskflow(
    files_to_download: Sequence[str],
    run_date: str | date,
    state_dict: Mapping[str, Any] | None = None,
    session: Session | None = None,
    say: steps.Say = lambda text: None,
) -> State:
    """A month from file to forecast.

    Args:
        files_to_download: names of the month's trip files; none if they are loaded.
        run_date: the first day after the month, ``2020_04_01``.
        state_dict: settings beside ``new_state``'s; by default those of ``include/state.json``, if there is one.
        session: to work in; by default each task opens its own.
        say: told what is done.
    """
    if state_dict is None and session is None and STATE_FILE.is_file():
        state_dict = json.loads(STATE_FILE.read_text())
    state = new_state(run_date, **dict(state_dict or {}))

    say("load")
    incr = incremental_elt_task(state, files_to_download, session=session)
    say("features")
    feature = generate_feature_table_task(incr, incr, incr, session=session)
    forecast = generate_forecast_table_task(incr, incr, incr, session=session)
    say("train and predict")
    pred = bulk_train_predict_task(feature, feature, forecast, session=session, say=say)
    say("evaluate")
    evaluated = eval_station_models_task(pred, pred, state["run_date"], session=session)
    say("flatten")
    return flatten_tables_task(pred, evaluated, session=session)


# --- what the tasks share ---------------------------------------------------------------------------------------------


def _step(state: State, work: Callable[[Session, Run], Run], given: Session | None) -> State:
    with _session(state, given) as session:
        run = work(session, runs.find(session, state["model_id"]))
        return _with_run(state, run)


def _with_run(state: State, run: Run) -> State:
    tables = {
        f"{kind.lower()}_table_name": run.table(kind) for kind in ("CLONE", "FEATURE", "PRED", "EVAL", "FORECAST")
    }
    return state | {"model_id": run.model_id} | tables


def begun(session: Session, state: Mapping[str, Any], kind: str = MONTH) -> Run:
    """The run that a state speaks of: one of the same day and settings that is in RUNS, else a new one."""
    wanted = Run(
        model_id=state["model_id"],
        run_date=run_day(state["run_date"]),
        kind=kind,
        model=state["model"],
        h=int(state["forecast_steps"]),
        seed=int(state["seed"]),
        parameters=asdict(Options(dict(state["parameters"]), state["weather"])),
    )
    for run in reversed(runs.read(session)):
        if _same(run, wanted) and (kind == MONTH or run.finished is None):
            return run
    return runs.begin(session, wanted)


def _same(run: Run, other: Run) -> bool:
    def settings(one: Run) -> tuple[Any, ...]:
        return (
            one.run_date,
            one.kind,
            one.model,
            one.h,
            one.seed,
            one.retrained_from,
            json.dumps(one.parameters, sort_keys=True),
        )

    return settings(run) == settings(other)


def earlier_run(session: Session, run: Run) -> Run | None:
    """The newest finished run of the same model before this one."""
    before = [
        one
        for one in runs.read(session)
        if one.model == run.model and one.kind != TRAINING and one.run_date < run.run_date and one.finished is not None
    ]
    return before[-1] if before else None


def check_over(day: date) -> None:
    """Refuses a run whose month is not over.

    Raises:
        ValueError: it is not.
    """
    if day > date.today():
        raise ValueError(
            f"{day - timedelta(days=1):%Y-%m} is not over: its last trips come on {day - timedelta(days=1)}"
        )


def check_trips(session: Session, day: date) -> None:
    """Refuses a run without trips in the month before it.

    Raises:
        ValueError: there are none.
    """
    month = (day - timedelta(days=1)).replace(day=1)
    inside = (F.col("STARTTIME") >= F.lit(month)) & (F.col("STARTTIME") < F.lit(day))
    if session.table(names.TRIPS).filter(inside).limit(1).count() == 0:
        raise ValueError(
            f"{names.TRIPS} has no trip in {month:%Y-%m}: load that month's file (tripcast load --month {month:%Y-%m})"
        )


def due_day(session: Session) -> date:
    """The run date that is due: after the newest month that is loaded, if it has no finished run yet; else a month later.

    Raises:
        ValueError: no trips are loaded.
    """
    last = session.table(names.TRIPS).agg(F.max("STARTTIME").cast("DATE")).collect()[0][0]
    if last is None:
        raise ValueError(f"{names.TRIPS} is empty: load trips first (tripcast load)")
    day: date = (last + timedelta(days=1)).replace(day=1)
    done = any(run.run_date == day and run.kind == MONTH and run.finished for run in runs.read(session))
    return next_month(day) if done else day


def ensure_holidays(session: Session, day: date, always: bool = False) -> None:
    """Makes HOLIDAYS where it is missing or does not reach far enough."""
    first = session.table(names.TRIPS).agg(F.min("STARTTIME").cast("DATE")).collect()[0][0] or day
    if not always and (known := table_if_any(session, names.HOLIDAYS)) is not None:
        low, high = known.agg(F.min("DATE"), F.max("DATE")).collect()[0]
        if low is not None and low.year <= first.year and high.year >= day.year + YEARS_AHEAD:
            return
    materialize_holidays(session, min(first, day).year, day.year)
