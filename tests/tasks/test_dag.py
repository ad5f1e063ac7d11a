"""Snowflake's own DAG API (snowflake.core) against the server's REST API."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from snowflake.core import Root
from snowflake.core._common import CreateMode
from snowflake.core.exceptions import ConflictError, NotFoundError
from snowflake.core.task import Cron, Task
from snowflake.core.task.dagv1 import DAG, DAGOperation, DAGTask, DAGTaskBranch
from snowflake.snowpark import Session

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_dag(session: Session) -> None:
    def pick(session: Session) -> str:
        return "T3"  # the task to go on with

    session.sql("CREATE STAGE code").collect()
    session.sql("CREATE TABLE log (x VARCHAR)").collect()
    database, name = (str(part).strip('"') for part in (session.get_current_database(), session.get_current_schema()))
    schema = Root(session).databases[database].schemas[name]
    operation = DAGOperation(schema)
    with DAG(
        "flow",
        schedule=timedelta(hours=1),
        stage_location=f"@{database}.{name}.code",
        packages=["snowflake-snowpark-python"],
        use_func_return_value=True,
        config={"a": 1},
        task_auto_retry_attempts=1,
        session_parameters={"TIMEZONE": "UTC"},
    ) as dag:
        first = DAGTask("t1", "INSERT INTO log SELECT 'one' || SYSTEM$GET_TASK_GRAPH_CONFIG('a')")
        branch = DAGTaskBranch("branch", pick)
        second, third = (
            DAGTask("T2", "INSERT INTO log VALUES ('two')"),
            DAGTask("T3", "INSERT INTO log VALUES ('three')"),
        )
        first >> branch
        branch >> [second, third]
        DAGTask("last", "INSERT INTO log VALUES ('last')", is_finalizer=True)
    operation.deploy(dag)
    with pytest.raises(ConflictError):
        operation.deploy(dag)
    operation.deploy(dag, mode=CreateMode.or_replace)
    assert operation.iter_dags(like="fl%") == ["FLOW"]
    operation.run(dag)
    states = {run.state for run in operation.get_current_dag_runs(dag)}
    assert "SCHEDULED" in states
    for _ in range(600):
        done = operation.get_complete_dag_runs(dag, error_only=False)
        if done:
            break
        time.sleep(0.1)
    assert [(run.dag_name, run.state, run.first_error_message) for run in done] == [("FLOW", "SUCCEEDED", None)]
    assert operation.get_complete_dag_runs(dag) == []
    assert [row[0] for row in session.table("log").collect()] == ["one1", "three", "last"]

    fetched = schema.tasks["flow"].fetch()
    assert (fetched.schedule, fetched.config, fetched.state) == (timedelta(hours=1), {"a": 1}, "started")
    assert fetched.task_auto_retry_attempts == 1
    assert [task.name for task in schema.tasks["flow"].fetch_task_dependents()] == [
        "FLOW", "FLOW$T1", "FLOW$BRANCH", "FLOW$T2", "FLOW$T3", "FLOW$LAST",
    ]  # fmt: skip
    operation.drop(dag, drop_finalizer=True)
    assert operation.iter_dags(like="%") == []
    with pytest.raises(NotFoundError):
        schema.tasks["flow"].fetch()


def test_single_tasks(session: Session) -> None:
    database, name = (str(part).strip('"') for part in (session.get_current_database(), session.get_current_schema()))
    tasks = Root(session).databases[database].schemas[name].tasks
    tasks.create(Task("one", "SELECT 1", schedule=Cron("0 6 * * *", "Europe/Berlin"), comment="it's"))
    tasks.create(Task("one", "SELECT 2"), mode=CreateMode.if_not_exists)
    task = tasks["one"]
    fetched = task.fetch()
    assert (fetched.definition, fetched.schedule, fetched.comment) == (
        "SELECT 1",
        Cron("0 6 * * *", "Europe/Berlin"),
        "it's",
    )
    task.create_or_alter(Task("one", "SELECT 3", schedule=timedelta(seconds=90)))
    assert (task.fetch().definition, task.fetch().schedule) == ("SELECT 3", timedelta(seconds=90))
    task.resume()
    assert task.fetch().state == "started"
    task.suspend()
    task.execute()
    assert [one.name for one in tasks.iter(like="o%")] == ["ONE"]
    task.drop()
    task.drop(if_exists=True)
    assert list(tasks.iter()) == []
