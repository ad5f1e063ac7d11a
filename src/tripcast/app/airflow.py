"""Months run by Airflow: its REST API, version 2, as a small client.

Which Airflow is said by the environment (AIRFLOW_API_URL, AIRFLOW_API_USER and AIRFLOW_API_PASSWORD or AIRFLOW_API_TOKEN,
AIRFLOW_API_DAG) or, under the same names in small letters without their beginning, by the section ``airflow`` of the
app's secrets. https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

DAG = "tripcast_monthly"
# task -> the stage of the monthly taskflow that it belongs to, as the app shows it
STAGE_OF = {
    "choose_month_task": "load",
    "incremental_elt_task": "load",
    "generate_feature_table_task": "features",
    "generate_forecast_table_task": "features",
    "bulk_train_predict_task": "train and predict",
    "eval_station_models_task": "evaluate",
    "flatten_tables_task": "flatten",
}
_LAST = "flatten_tables_task"
_SUCCESS, _FAILED = "success", "failed"
_ENDED = (_SUCCESS, _FAILED)
_ANSWER_SECONDS = 10.0
# a run goes on in Airflow while its API does not answer: asked again so long
_PATIENCE_SECONDS = 120.0
Say = Callable[[str], object]


class AirflowTrouble(Exception):
    """Airflow does not answer or refuses; the text says which and what to do."""


class AirflowDown(AirflowTrouble):
    """Airflow does not answer."""


@dataclass
class Airflow:
    """A client of one Airflow.

    Args:
        url: of Airflow, without ``/api``.
        user, password: to log in with.
        token: in place of those.
        dag: id of the DAG that runs a month.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    dag: str = DAG

    def trigger(self, conf: Mapping[str, Any]) -> str:
        """Starts a run; answers its id.

        Raises:
            AirflowTrouble: it is not started; the text says why.
        """
        if self._ask("GET", f"/dags/{self.dag}")["is_paused"]:
            raise AirflowTrouble(f"the DAG {self.dag} is paused in Airflow: switch it on at {self.url}/dags/{self.dag}")
        body = {"logical_date": None, "conf": dict(conf), "note": "started by the planner's app"}
        return str(self._ask("POST", f"/dags/{self.dag}/dagRuns", body)["dag_run_id"])

    def page_of(self, run_id: str) -> str:
        """The address of a run's page."""
        return f"{self.url}/dags/{self.dag}/runs/{urllib.parse.quote(run_id)}"

    def state(self, run_id: str) -> str:
        """The state of a run: queued, running, success, failed."""
        return str(self._ask("GET", self._run(run_id))["state"])

    def tasks(self, run_id: str) -> dict[str, tuple[str | None, int]]:
        """State (None: not reached) and number of the newest try, by task."""
        listed = self._ask("GET", f"{self._run(run_id)}/taskInstances")["task_instances"]
        return {one["task_id"]: (one["state"], int(one["try_number"])) for one in listed}

    def log(self, run_id: str, task: str, attempt: int) -> list[str]:
        """What a task printed so far, and what it failed of."""
        answer = self._ask("GET", f"{self._run(run_id)}/taskInstances/{task}/logs/{attempt}?full_content=true")
        return [line for entry in answer["content"] if (line := _line(entry))]

    def returned(self, run_id: str, task: str) -> Any:
        """What a task handed on."""
        place = f"{self._run(run_id)}/taskInstances/{task}/xcomEntries/return_value?stringify=false"
        value = self._ask("GET", place)["value"]
        return json.loads(value) if isinstance(value, str) else value

    def _run(self, run_id: str) -> str:
        return f"/dags/{self.dag}/dagRuns/{urllib.parse.quote(run_id, safe='')}"

    def _ask(self, method: str, place: str, body: Mapping[str, Any] | None = None) -> Any:
        own_token = bool(self.token) and not self.user
        if not self.token:
            self._log_in()
        try:
            return self._send(method, f"/api/v2{place}", body)
        except urllib.error.HTTPError as error:
            if error.code == 401 and not own_token:  # the token is too old
                self._log_in()
                try:
                    return self._send(method, f"/api/v2{place}", body)
                except urllib.error.HTTPError as again:
                    raise self._refused(again) from again
            raise self._refused(error) from error

    def _log_in(self) -> None:
        self.token = ""
        try:
            self.token = self._send("POST", "/auth/token", {"username": self.user, "password": self.password})[
                "access_token"
            ]
        except urllib.error.HTTPError as error:
            raise self._refused(error) from error

    def _send(self, method: str, place: str, body: Mapping[str, Any] | None) -> Any:
        request = urllib.request.Request(
            self.url.rstrip("/") + place,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"}
            | ({"Authorization": f"Bearer {self.token}"} if self.token else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as reply:
                return json.load(reply)
        except urllib.error.HTTPError:
            raise
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise AirflowDown(f"Airflow does not answer at {self.url}: {reason}") from error

    def _refused(self, error: urllib.error.HTTPError) -> AirflowTrouble:
        if error.code in (401, 403):
            who = f"of user {self.user!r}" if self.user else "by AIRFLOW_API_TOKEN"
            return AirflowTrouble(f"Airflow at {self.url} refuses the login {who} ({error.code})")
        try:
            said = json.load(error)["detail"]
        except (ValueError, KeyError, TypeError, OSError):
            said = error.reason
        return AirflowTrouble(f"Airflow at {self.url} refuses ({error.code}): {said}")


def carry_out(airflow: Airflow, conf: Mapping[str, Any], say: Say, pause: float = 1.0) -> str:
    """Runs a month in Airflow and waits for its end; answers the run's model id.

    Args:
        airflow: to run it.
        conf: the run's parameters.
        say: told the stages that are reached, and between them what the tasks print.
        pause: seconds between two looks.

    Raises:
        AirflowTrouble: the run fails, or Airflow does not answer for long.
    """
    run_id = airflow.trigger(conf)
    say(f"Airflow's run {run_id}: {airflow.page_of(run_id)}")
    told: dict[tuple[str, int], int] = {}
    finished: set[tuple[str, int]] = set()
    stages: list[str] = []
    last_answer = time.monotonic()
    while True:
        try:
            state, tasks = airflow.state(run_id), airflow.tasks(run_id)
            for task, stage in STAGE_OF.items():
                now, attempt = tasks.get(task, (None, 0))
                if attempt == 0 or (task, attempt) in finished:
                    continue
                if stage not in stages:
                    stages.append(stage)
                    say(stage)
                lines = airflow.log(run_id, task, attempt)
                for line in lines[told.get((task, attempt), 0) :]:
                    say(f"    {line}")
                told[task, attempt] = len(lines)
                if now not in (None, "queued", "scheduled", "running", "restarting"):
                    finished.add((task, attempt))
            last_answer = time.monotonic()
        except AirflowDown:
            if time.monotonic() - last_answer > _PATIENCE_SECONDS:
                raise
            time.sleep(pause)
            continue
        if state in _ENDED:
            break
        time.sleep(pause)
    if state == _FAILED:
        failed = [task for task, (now, _) in tasks.items() if now == _FAILED]
        why = next((line for task in failed for line in reversed(airflow.log(run_id, task, tasks[task][1]))), "")
        raise AirflowTrouble(f"{', '.join(failed) or 'the run'} failed in Airflow: {why or airflow.page_of(run_id)}")
    return str(airflow.returned(run_id, _LAST)["model_id"])


def configured(secrets: Mapping[str, Any]) -> Airflow | None:
    """The Airflow that the environment names, else the app's secrets; None if neither does.

    Args:
        secrets: the section ``airflow`` of the app's secrets, empty if there is none.
    """
    names = ("url", "user", "password", "token", "dag")
    found = {name: str(value) for name in names if (value := os.environ.get(f"AIRFLOW_API_{name.upper()}"))}
    if "url" not in found:
        found = {name: str(secrets[name]) for name in names if secrets.get(name)}
    return Airflow(**found) if "url" in found else None


def _line(entry: Any) -> str:
    """A line of a task's log to show: what it printed and what it failed of; Airflow's own talk is left out."""
    if not isinstance(entry, dict):
        return str(entry)
    if entry.get("logger") == "task.stdout":
        return str(entry["event"])
    if entry.get("level") in ("error", "critical") and (details := entry.get("error_detail")):
        return f"{details[0]['exc_type']}: {' '.join(str(details[0]['exc_value']).split())}"
    return ""
