"""A whole Airflow by the command of `make airflow`: its REST API is called as the guide does, by curl and by the app."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from airflow_environment import environment
from snowflake.snowpark import Session

from polynya.server.local import Warehouse
from tripcast.app.airflow import Airflow, carry_out
from tripcast.dags.standalone import password, running
from tripcast.sources.synthetic import generate

pytestmark = [
    pytest.mark.standalone,
    pytest.mark.timeout(1200),
    pytest.mark.skipif("TRIPCAST_STANDALONE" not in os.environ, reason="takes minutes: make test-airflow"),
]
MARCH = "SYNTHETIC-JC-202003-citibike-tripdata.csv.zip"


@dataclass(frozen=True)
class Place:
    """A running Airflow: its address, its password, the folder of trip files, a session in its warehouse."""

    url: str
    word: str
    trips: Path
    session: Session


@pytest.fixture(scope="module")
def place(airflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("standalone")
    generate(home / "trips", trips=1_500, first="2019-11", last="2020-04", stations=3, seed=3)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with Warehouse() as own, (home / "out.log").open("wb") as log:
        known = environment(home, own.connection_parameters) | {"TRIPCAST_TRIPS": str(home / "trips")}
        command = [
            airflow_python,
            "-m",
            "tripcast.dags.standalone",
            "start",
            "--home",
            home / "af",
            "--port",
            str(port),
        ]
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log, env=known, cwd=home)
        try:
            while "Airflow   http" not in (home / "out.log").read_text():
                assert process.poll() is None, (home / "out.log").read_text()
                time.sleep(0.2)
            print(f"airflow standalone is ready after {time.monotonic() - start:.0f} s")
            own_session = Session.builder.configs(own.connection_parameters | {"schema": "PUBLIC"}).create()
            yield Place(f"http://127.0.0.1:{port}", password(home / "af"), home / "trips", own_session)
            own_session.close()
        finally:
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.wait(60)
            print(f"Ctrl-C ends it in {time.monotonic() - start:.0f} s")
        assert process.returncode == 0 and running(home / "af") is None
        left = subprocess.run(["pgrep", "-f", str(home)], capture_output=True, text=True).stdout
        assert not left, left


def curl(*arguments: str) -> str:
    return subprocess.run(["curl", "-s", "-S", *arguments], capture_output=True, text=True, timeout=60).stdout


def wait(place: Place, token: str, dag_id: str, run_id: str) -> str:
    """Waits for a run's end; answers its state."""
    start, until = time.monotonic(), time.monotonic() + 500
    address = f"{place.url}/api/v2/dags/{dag_id}/dagRuns/{run_id.replace('+', '%2B')}"
    while time.monotonic() < until:
        state = json.loads(curl(address, "-H", f"Authorization: Bearer {token}"))["state"]
        if state in ("success", "failed"):
            print(f"{dag_id}: {state} after {time.monotonic() - start:.0f} s")
            return str(state)
        time.sleep(1)
    raise AssertionError(f"{dag_id} does not end")


def test_the_guides_call_runs_a_month(place: Place) -> None:
    log_in = json.dumps({"username": "admin", "password": place.word})
    answer = curl("-X", "POST", f"{place.url}/auth/token", "-H", "Content-Type: application/json", "-d", log_in)
    token = json.loads(answer)["access_token"]

    def trigger(dag_id: str, conf: dict[str, object]) -> str:
        until = time.monotonic() + 60
        while True:  # DAGs are there a moment after Airflow is
            answer = curl(
                "-X", "POST", f"{place.url}/api/v2/dags/{dag_id}/dagRuns",
                "-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {token}",
                "-d", json.dumps({"logical_date": None, "conf": conf}),
            )  # fmt: skip
            if "dag_run_id" in answer:
                return str(json.loads(answer)["dag_run_id"])
            assert time.monotonic() < until, answer
            time.sleep(1)

    assert wait(place, token, "tripcast_setup", trigger("tripcast_setup", {"last_month": "2020-02"})) == "success"
    conf = {"files_to_download": [MARCH], "run_date": "2020_04_01", "model": "seasonal_naive"}
    run_id = trigger("citibikeml_monthly_taskflow", conf)
    assert wait(place, token, "citibikeml_monthly_taskflow", run_id) == "success"
    place.session.use_database("TRIPCAST")
    made = place.session.sql("SELECT RUN_DATE, FINISHED_AT FROM TRIPCAST.PUBLIC.RUNS WHERE MODEL = 'seasonal_naive'")
    assert [(str(row[0]), row[1] is not None) for row in made.collect()] == [("2020-04-01", True)]
    # setup's trips are an asset: tripcast_monthly ran by itself, for the month that was due
    address = f"{place.url}/api/v2/dags/tripcast_monthly/dagRuns"
    runs = json.loads(curl(address, "-H", f"Authorization: Bearer {token}"))["dag_runs"]
    assert [run["run_type"] for run in runs] == ["asset_triggered"]
    assert wait(place, token, "tripcast_monthly", runs[0]["dag_run_id"]) == "success"


def test_the_app_runs_a_month_there(place: Place) -> None:
    said: list[str] = []
    airflow = Airflow(place.url, user="admin", password=place.word)
    model_id = carry_out(airflow, {"run_date": "2020_05_01", "model": "seasonal_naive"}, said.append)
    rows = place.session.sql("SELECT RUN_DATE, FINISHED_AT FROM TRIPCAST.PUBLIC.RUNS WHERE MODEL_ID = ?", [model_id])
    assert [(str(row[0]), row[1] is not None) for row in rows.collect()] == [("2020-05-01", True)]
    for stage in ("load", "features", "train and predict", "evaluate", "flatten"):
        assert stage in said, said
    assert any("intervals" in line for line in said), said  # what the tasks printed
