"""The DAG tripcast_setup: an empty account to loaded trips and features."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import Param, dag, task

from tripcast.dags.common import DEFAULT_ARGS, TRIPS, TRIPS_PARAM, folder_of


@task
def snowpark_database_setup() -> None:
    """Makes roles, warehouses, database, stages and tables that do not exist yet."""
    from tripcast.taskflow import snowpark_database_setup

    snowpark_database_setup({})


@task(multiple_outputs=False)
def initial_bulk_load_task(params: dict[str, Any]) -> dict[str, int]:
    """Loads all trip files up to ``last_month``; those that are loaded are skipped, an unfinished load goes on."""
    import tempfile
    from contextlib import closing
    from dataclasses import replace
    from pathlib import Path

    from tripcast import pipeline
    from tripcast.connection import connect
    from tripcast.sources.choose import in_months

    with closing(connect()) as session, tempfile.TemporaryDirectory(prefix="tripcast-") as scratch:
        chosen = pipeline.choose_trips(session, folder_of(params), Path(scratch), print)
        if params["last_month"]:
            chosen = replace(chosen, files=in_months(chosen.files, None, params["last_month"]))
        print(f"loading {chosen.note}, up to {params['last_month'] or 'the last'}")
        report = pipeline.load_trips(session, chosen, print)
    print(f"{report.new_trips:,} new trips from {report.files - report.skipped} files, {report.trips:,} in all")
    return {"new_trips": report.new_trips, "trips": report.trips, "left_out": report.left_out}


@task
def materialize_weather_task() -> int:
    """Makes WEATHER from the listing, if it is shared; answers its days."""
    from contextlib import closing

    from tripcast import pipeline
    from tripcast.connection import connect

    with closing(connect()) as session:
        days = pipeline.take_weather(session)
    print(f"WEATHER holds {days:,} days" if days else "no weather is shared: forecasts go without")
    return days


@task
def deploy_model_udf_task() -> str:
    """Brings tripcast's code to the model stage; answers its path there."""
    from tripcast.taskflow import deploy_model_udf_task

    return str(deploy_model_udf_task({})["train_udf_name"])


@task(outlets=[TRIPS])
def build_features_task() -> None:
    """Stations, station-days, holidays, days and features of all trips."""
    from contextlib import closing

    from tripcast import pipeline
    from tripcast.connection import connect

    with closing(connect()) as session:
        pipeline.build_features(session)


@dag(
    dag_id="tripcast_setup",
    schedule=None,
    start_date=datetime(2020, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={
        "trips": TRIPS_PARAM,
        "last_month": Param(
            None,
            type=["null", "string"],
            pattern=r"^20\d\d-(0[1-9]|1[0-2])$",
            title="Last month to load",
            description="As 2020-02; empty: all.",
        ),
    },
    tags=["tripcast", "setup"],
    doc_md=__doc__,
)
def tripcast_setup() -> None:
    made = snowpark_database_setup()
    loaded = initial_bulk_load_task()
    weather, code, features = materialize_weather_task(), deploy_model_udf_task(), build_features_task()
    made >> [loaded, weather, code]
    [loaded, weather] >> features


tripcast_setup()
