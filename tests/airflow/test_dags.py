"""The DAGs in Airflow's environment: they are read, and run against a warehouse of this process."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_environment import environment
from snowflake.snowpark import Session

from polynya.server.local import Warehouse
from tripcast.sources.synthetic import generate

pytestmark = pytest.mark.timeout(600)  # half a minute where nothing else runs
MARCH = "SYNTHETIC-JC-202003-citibike-tripdata.csv.zip"
MONTH = {"files_to_download": [MARCH], "run_date": "2020_04_01", "model": "seasonal_naive", "forecast_steps": 7}
STEPS = {
    "choose_month_task": ["incremental_elt_task"],
    "incremental_elt_task": ["generate_feature_table_task", "generate_forecast_table_task"],
    "generate_feature_table_task": ["bulk_train_predict_task"],
    "generate_forecast_table_task": ["bulk_train_predict_task"],
    "bulk_train_predict_task": ["eval_station_models_task", "flatten_tables_task"],
    "eval_station_models_task": ["flatten_tables_task"],
    "flatten_tables_task": [],
}
SCHEDULES = {
    "tripcast_setup": "NullTimetable",
    "tripcast_monthly": "AssetTriggeredTimetable",
    "citibikeml_monthly_taskflow": "NullTimetable",
    "tripcast_scheduled": "CronTriggerTimetable",
}


@pytest.fixture(scope="module")
def ran(airflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Session]]:
    """What ``run_dags.py`` says of the DAGs and of four runs, and a session in the warehouse that they worked in."""
    home = tmp_path_factory.mktemp("airflow")
    generate(home / "trips", trips=1_500, first="2019-11", last="2020-03", stations=3, seed=3)
    trips = {"trips": str(home / "trips")}
    wanted = [
        ("tripcast_setup", trips | {"last_month": "2020-02"}),
        ("citibikeml_monthly_taskflow", trips | MONTH),
        ("tripcast_monthly", trips | MONTH),  # again, by another DAG
        ("tripcast_monthly", trips | {"files_to_download": ["202003-citibike-tripdata.csv.zip"], "run_date": "2020_04_01"}),
    ]  # fmt: skip
    with Warehouse() as own:
        with (home / "said.log").open("wb") as log:
            subprocess.run(
                [airflow_python, Path(__file__).with_name("run_dags.py"), json.dumps(wanted)],
                stdout=log, stderr=log, timeout=540, cwd=home, env=environment(home, own.connection_parameters),
            )  # fmt: skip
        said = (home / "said.log").read_text()
        answers = [line for line in said.splitlines() if line.startswith("ANSWER ")]
        assert answers, said[-3000:]
        with Session.builder.configs(
            own.connection_parameters | {"database": "TRIPCAST", "schema": "PUBLIC"}
        ).create() as session:
            yield json.loads(answers[0].removeprefix("ANSWER ")) | {"said": said}, session


def _errors(said: str) -> str:
    """The lines of a log that tell of errors."""
    return "\n".join(line for line in said.splitlines() if re.match(r"[\w.]*(Error|Exception)\b", line))


def test_dags_are_read_without_anything_heavy(ran: tuple[dict[str, Any], Session]) -> None:
    answer, _ = ran
    assert answer["errors"] == {} and answer["heavy"] == []
    assert {dag_id: dag["schedule"] for dag_id, dag in answer["dags"].items()} == SCHEDULES
    for dag_id, dag in answer["dags"].items():
        assert dag["retries"] >= 1 and not dag["catchup"], dag_id
        assert dag_id == "tripcast_setup" or dag["tasks"] == STEPS
    assert answer["dags"]["tripcast_setup"]["outlets"] == ["TRIPCAST.PUBLIC.TRIPS"]
    assert answer["dags"]["tripcast_monthly"]["outlets"] == ["TRIPCAST.PUBLIC.FLAT_FORECAST"]


def test_set_up_and_a_month_run(ran: tuple[dict[str, Any], Session]) -> None:
    answer, session = ran
    for run in answer["runs"][:3]:
        assert run["state"] == "success" and set(run["tasks"].values()) == {"success"}, _errors(answer["said"])
    runs = session.table("RUNS").collect()
    assert [(str(run["RUN_DATE"]), run["MODEL"], run["H"]) for run in runs] == [("2020-04-01", "seasonal_naive", 7)]
    assert runs[0]["FINISHED_AT"] is not None  # and the second run found it, instead of making another
    rows = session.sql("SELECT MIN(DAY), MAX(DAY), COUNT(DISTINCT MODEL_ID) FROM FORECAST").collect()[0]
    assert [str(value) for value in rows] == ["2020-04-01", "2020-04-07", "1"]
    loaded = session.sql("SELECT COUNT(*) FROM LOAD_FILES WHERE SOURCE = ?", params=[MARCH]).collect()[0][0]
    assert loaded == 1


def test_a_wrong_wish_fails_at_once_and_says_what_would_be_right(ran: tuple[dict[str, Any], Session]) -> None:
    answer, _ = ran
    run = answer["runs"][3]
    assert run["state"] == "failed" and run["tasks"]["choose_month_task"] == "failed"
    assert "there is no file 202003-citibike-tripdata.csv.zip" in answer["said"] and f"it has {MARCH}" in answer["said"]
