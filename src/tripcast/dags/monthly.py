"""The monthly taskflow as tasks: a task for each step, the state handed on from one to the next."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import Param, dag, task

from tripcast.dags.common import DEFAULT_ARGS, FORECAST, TRIPS_PARAM, folder_of

State = dict[str, Any]


@task(multiple_outputs=False)
def choose_month_task(params: dict[str, Any], dag_run: Any) -> State:
    """The month to run, its files and the settings: the state that the other tasks hand on."""
    from contextlib import closing

    from tripcast import pipeline, taskflow
    from tripcast.connection import connect

    with closing(connect()) as session:
        if params["run_date"]:
            day = taskflow.run_day(params["run_date"])
        elif dag_run.run_type == "scheduled":
            day = dag_run.logical_date.date().replace(day=1)
        else:
            day = taskflow.due_day(session)
        files, settings = pipeline.month_plan(
            session,
            day,
            folder_of(params),
            params["files_to_download"],
            model=params["model"],
            h=params["forecast_steps"],
            seed=params["seed"],
        )
    state = taskflow.new_state(day, files_to_download=files, **settings)
    print(f"run of {day}, {state['model']}, {', '.join(files) or 'whose trips are loaded'}")
    return state


@task(multiple_outputs=False)
def incremental_elt_task(state_dict: State) -> State:
    """Loads the month's files, begins the run (or finds it, if it was begun) and clones what it may see."""
    from tripcast import taskflow

    return taskflow.incremental_elt_task(state_dict, state_dict["files_to_download"])


@task(multiple_outputs=False)
def generate_feature_table_task(state_dict: State, holiday_state_dict: State, weather_state_dict: State) -> State:
    """Makes FEATURE_<model_id>."""
    from tripcast import taskflow

    return taskflow.generate_feature_table_task(state_dict, holiday_state_dict, weather_state_dict)


@task(multiple_outputs=False)
def generate_forecast_table_task(state_dict: State, holiday_state_dict: State, weather_state_dict: State) -> State:
    """Makes FORECAST_<model_id>."""
    from tripcast import taskflow

    return taskflow.generate_forecast_table_task(state_dict, holiday_state_dict, weather_state_dict)


@task(multiple_outputs=False)
def bulk_train_predict_task(state_dict: State, feature_state_dict: State, forecast_state_dict: State) -> State:
    """Trains and forecasts all stations inside the warehouse."""
    from tripcast import taskflow

    return taskflow.bulk_train_predict_task(state_dict, feature_state_dict, forecast_state_dict, say=print)


@task(multiple_outputs=False)
def eval_station_models_task(state_dict: State, pred_state_dict: State) -> State:
    """Scores the run before against what came since, and watches for drift."""
    from tripcast import taskflow

    return taskflow.eval_station_models_task(state_dict, pred_state_dict, state_dict["run_date"])


@task(multiple_outputs=False, outlets=[FORECAST])
def flatten_tables_task(pred_state_dict: State, eval_state_dict: State) -> State:
    """Brings the run into FLAT_FORECAST and FLAT_EVAL, and ends it."""
    from tripcast import taskflow

    return taskflow.flatten_tables_task(pred_state_dict, eval_state_dict)


PARAMS = {
    "files_to_download": Param(
        [],
        type="array",
        items={"type": "string"},
        title="Trip files",
        description="As 202003-citibike-tripdata.csv.zip; none: those of the month, unless its trips are loaded.",
    ),
    "run_date": Param(
        None,
        type=["null", "string"],
        pattern=r"^\d{4}[_-]\d{2}[_-]\d{2}$",
        title="Run date",
        description="The first day after the month, as 2020_04_01; empty: the month that is due.",
    ),
    "trips": TRIPS_PARAM,
    "model": Param("champion", type="string", title="Model", description="A learner's name, or the champion."),
    "forecast_steps": Param(30, type="integer", minimum=1, maximum=358, title="Days to forecast"),
    "seed": Param(0, type="integer", minimum=0),
}


def monthly_dag(dag_id: str, schedule: Any, description: str, **settings: Any) -> Any:
    """A DAG that runs a month from its files to its forecast.

    Args:
        dag_id: its id.
        schedule: as Airflow takes it; None to run when asked only.
        description: of when it runs.
        settings: more of the DAG's.
    """

    @dag(
        dag_id=dag_id,
        schedule=schedule,
        start_date=datetime(2020, 4, 1),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULT_ARGS,
        params=PARAMS,
        tags=["tripcast", "monthly"],
        description=description,
        **settings,
    )
    def flow() -> None:
        incr = incremental_elt_task(choose_month_task())
        feature = generate_feature_table_task(incr, incr, incr)
        forecast = generate_forecast_table_task(incr, incr, incr)
        pred = bulk_train_predict_task(feature, feature, forecast)
        evaluated = eval_station_models_task(pred, pred)
        flatten_tables_task(pred, evaluated)

    return flow()
