"""The client of Airflow's REST API against a server that answers as Airflow 3.3 does; `make test-airflow` asks a real one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from warehouse_data import MODEL_ID

from tripcast.app.airflow import Airflow, AirflowTrouble, carry_out, configured
from tripcast.app.jobs import RUNNING
from tripcast.app.views import ingest

TASKS = (
    "choose_month_task", "incremental_elt_task", "generate_feature_table_task", "generate_forecast_table_task",
    "bulk_train_predict_task", "eval_station_models_task", "flatten_tables_task",
)  # fmt: skip


class FakeAirflow(ThreadingHTTPServer):
    """Each look at the run brings it a task further.

    Args:
        failing: the task that fails, if any.
        paused: whether the DAG is.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.failing, self.paused, self.looks, self.confs, self.logins = "", False, 0, [], 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def tasks(self) -> dict[str, str | None]:
        states: dict[str, str | None] = dict.fromkeys(TASKS)
        for number, task in enumerate(TASKS[: self.looks]):
            states[task] = "running" if number == self.looks - 1 and self.looks <= len(TASKS) else "success"
            if task == self.failing and states[task] == "success":
                return states | {task: "failed"}
        return states

    def state(self) -> str:
        states = self.tasks().values()
        return "failed" if "failed" in states else "success" if set(states) == {"success"} else "running"


class Handler(BaseHTTPRequestHandler):
    server: FakeAirflow

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *args: object) -> None:
        pass

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        code, value = self._value(self.path.split("?")[0], body)
        content = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _value(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        server = self.server
        if path == "/auth/token":
            server.logins += 1
            wanted = {"username": "admin", "password": "right"}
            return (201, {"access_token": f"t{server.logins}"}) if body == wanted else (401, {"detail": "Invalid"})
        if self.headers.get("Authorization") != f"Bearer t{server.logins}":
            return 401, {"detail": "Invalid token"}
        if path == "/api/v2/dags/tripcast_monthly":
            return 200, {"is_paused": server.paused}
        if not path.startswith("/api/v2/dags/tripcast_monthly/dagRuns"):
            return 404, {"detail": "The Dag with ID: `other` was not found"}
        rest = path.removeprefix("/api/v2/dags/tripcast_monthly/dagRuns")
        if not rest:
            if "logical_date" not in body:
                return 422, {"detail": "logical_date: Field required"}
            server.confs.append(body["conf"])
            return 200, {"dag_run_id": "manual__2021-04-02T00:00:00+00:00"}
        assert rest.startswith("/manual__2021-04-02T00%3A00%3A00%2B00%3A00")
        if rest.endswith("/taskInstances"):
            listed = [
                {"task_id": task, "state": state, "try_number": int(state is not None)}
                for task, state in server.tasks().items()
            ]
            return 200, {"task_instances": listed}
        if match := re.search(r"/taskInstances/(\w+)/logs/1$", rest):
            printed = {"event": f"says {match[1]}", "logger": "task.stdout", "level": "info"}
            talk = {"event": "Task started", "logger": "task", "level": "info"}
            why = {"exc_type": "ValueError", "exc_value": "there is no file x.zip"}
            failed = {"event": "Task failed", "logger": "task", "level": "error", "error_detail": [why]}
            failing = server.tasks()[match[1]] == "failed"
            return 200, {"content": [talk, printed, *([failed] if failing else [])]}
        if rest.endswith("/xcomEntries/return_value"):
            return 200, {"value": {"model_id": MODEL_ID}}
        server.looks += 1
        if server.looks == 3:
            server.logins += 1  # the token is too old now
        return 200, {"state": server.state()}


@pytest.fixture
def fake() -> Iterator[FakeAirflow]:
    with FakeAirflow() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_run_is_followed_to_its_end(fake: FakeAirflow) -> None:
    said: list[str] = []
    airflow = Airflow(fake.url, "admin", "right")
    assert carry_out(airflow, {"run_date": "2021_04_01"}, said.append, pause=0.01) == MODEL_ID
    assert fake.confs == [{"run_date": "2021_04_01"}]
    stages = [line for line in said if not line.startswith(("    ", "Airflow"))]
    assert stages == ["load", "features", "train and predict", "evaluate", "flatten"]
    assert [line.strip() for line in said if line.startswith("    ")] == [f"says {task}" for task in TASKS]
    assert fake.logins > 2  # logged in again, when the token was too old
    assert "right" not in repr(airflow)


@pytest.mark.parametrize(
    ("change", "client", "said"),
    [
        ({"failing": "bulk_train_predict_task"}, {}, "bulk_train_predict_task failed in Airflow: ValueError: there is no file"),
        ({"paused": True}, {}, "is paused in Airflow"),
        ({}, {"password": "wrong"}, "refuses the login of user 'admin'"),
        ({}, {"user": "", "password": "", "token": "old"}, "refuses the login by AIRFLOW_API_TOKEN"),
        ({}, {"dag": "other"}, "was not found"),
        ({}, {"url": "http://127.0.0.1:9"}, "does not answer at http://127.0.0.1:9"),
    ],
)  # fmt: skip
def test_trouble_is_told_in_words(fake: FakeAirflow, change: dict, client: dict[str, str], said: str) -> None:
    for name, value in change.items():
        setattr(fake, name, value)
    airflow = Airflow(**({"url": fake.url, "user": "admin", "password": "right"} | client))
    with pytest.raises(AirflowTrouble, match=said):
        carry_out(airflow, {}, lambda line: None, pause=0.01)


def test_the_environment_or_the_secrets_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_API_URL", raising=False)
    assert configured({}) is None
    assert configured({"url": "http://a", "token": "t"}) == Airflow("http://a", token="t")
    monkeypatch.setenv("AIRFLOW_API_URL", "http://b")
    monkeypatch.setenv("AIRFLOW_API_USER", "u")
    monkeypatch.setenv("AIRFLOW_API_PASSWORD", "p")
    assert configured({"url": "http://a", "token": "t"}) == Airflow("http://b", "u", "p")


def test_ingest_hands_a_month_to_airflow(
    open_page: Callable[..., AppTest], filled: dict[str, Any], fake: FakeAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("URL", fake.url), ("USER", "admin"), ("PASSWORD", "right")):
        monkeypatch.setenv(f"AIRFLOW_API_{name}", value)
    page = open_page("ingest", filled)
    assert f"Months are run by Airflow at {fake.url}" in page.caption[-1].value
    page.text_input(key="folder").set_value("/on/airflows/machine")
    monkeypatch.setattr(ingest, "carry_out", lambda *args: carry_out(*args, pause=0.01))
    page.button[0].click().run()
    job = ingest.jobs().current
    assert job is not None
    deadline = threading.Event()
    for _ in range(200):
        if job.state != RUNNING:
            break
        deadline.wait(0.05)
    assert job.error is None
    assert fake.confs == [{"run_date": "2021_04_01", "trips": "/on/airflows/machine", "model": "champion"}]
    page.run()
    assert "is done" in page.success[0].value and "2021-03-01" in page.success[0].value
    assert "says bulk_train_predict_task" in page.code[-1].value
