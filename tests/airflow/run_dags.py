"""Runs in Airflow's own environment: reads the DAGs, runs the wanted ones in this process, prints what came as JSON.

Usage: python run_dags.py '[["dag_id", {"conf": ...}], ...]'
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import timedelta
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.utils import db

from tripcast.dags import standalone


def _shape(dag: Any) -> dict[str, Any]:
    """What is tested of a DAG."""
    return {
        "tasks": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
        "schedule": type(dag.timetable).__name__,
        "catchup": dag.catchup,
        "retries": min(task.retries for task in dag.tasks),
        "outlets": sorted(outlet.name for task in dag.tasks for outlet in task.outlets),
    }


def main() -> None:
    bag = DagBag(standalone.DAGS)
    heavy = sorted({"snowflake.snowpark", "pandas", "numpy"} & set(sys.modules))
    answer: dict[str, Any] = {
        "errors": {str(file): text for file, text in bag.import_errors.items()},
        "heavy": heavy,
        "dags": {dag_id: _shape(dag) for dag_id, dag in bag.dags.items()},
        "runs": [],
    }
    wanted = json.loads(sys.argv[1])
    if wanted:
        logging.disable(logging.INFO)
        db.initdb()
    for task in [task for dag in bag.dags.values() for task in dag.tasks]:
        task.retry_delay = timedelta(seconds=0.1)
        task.retry_exponential_backoff = False
    for dag_id, conf in wanted:
        run = bag.dags[dag_id].test(run_conf=conf)
        states = {one.task_id: str(one.state) for one in run.get_task_instances()}
        answer["runs"].append({"dag_id": dag_id, "state": str(run.state), "tasks": states})
    print("ANSWER " + json.dumps(answer))


if __name__ == "__main__":
    main()
