"""The monthly taskflow as a task graph inside the warehouse: it goes on by itself when new trips have been loaded.

``deploy`` makes a stream on TRIPS, a procedure for the steps and, by Snowflake's DAG API, a task for each step:

    begin -> features, frame -> predict -> evaluate -> flatten

Each step is one of ``tripcast.taskflow``; what one hands to the next is its task's return value. A step that failed is run
again once; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from snowflake.snowpark import Session

from tripcast import names, taskflow
from tripcast.lineage.workspace import home_of
from tripcast.training import code

if TYPE_CHECKING:
    from snowflake.core.task.dagv1 import DAG, DAGOperation, DAGRun

GRAPH = "MONTHLY"
STREAM = "NEW_TRIPS"
LOADED = "LOADED_MONTHS"
PROCEDURE = "TASK_STEP"
BEGIN, FEATURES, FRAME, PREDICT, EVALUATE, FLATTEN = "BEGIN", "FEATURES", "FRAME", "PREDICT", "EVALUATE", "FLATTEN"
# each step and those before it
STEPS: dict[str, tuple[str, ...]] = {
    BEGIN: (), FEATURES: (BEGIN,), FRAME: (BEGIN,), PREDICT: (FEATURES, FRAME), EVALUATE: (PREDICT,), FLATTEN: (EVALUATE,),
}  # fmt: skip
# what a step hands on where there is nothing to do
NOTHING = "nothing"
# the second of each month at six: the trips of the month before have come
CRON, ZONE = "0 6 2 * *", "America/New_York"
_PACKAGES = ("snowflake-snowpark-python", "numpy", "pandas", "holidays")
_LONGEST_MS = 6 * 3600 * 1000
# the package is unpacked: it looks at its own source to tell which code made a forecast
_HANDLER = """
import pathlib, sys, tempfile, zipfile

def run(session, step):
    for archive in pathlib.Path(sys._xoptions["snowflake_import_directory"]).glob("tripcast_*.zip"):
        folder = tempfile.mkdtemp()
        zipfile.ZipFile(archive).extractall(folder)
        sys.path.insert(0, folder)
    from tripcast.task_steps import run_step
    return run_step(session, step)
"""


@dataclass(frozen=True, slots=True)
class Step:
    """A run of a step, as the history of tasks has it."""

    name: str
    state: str
    started: datetime | None
    ended: datetime | None
    error: str | None


def deploy(
    session: Session,
    *,
    cron: str = CRON,
    zone: str = ZONE,
    model: str = taskflow.MODEL,
    h: int = taskflow.H,
    seed: int = 0,
    warehouse: str | None = None,
    **settings: Any,
) -> None:
    """Makes the task graph in the current schema, in place of one of that name, and starts its schedule.

    Args:
        session: whose current schema was set up.
        cron, zone: when it looks whether new trips were loaded.
        model: name of a learner.
        h: days to forecast.
        seed: of whatever is random.
        warehouse: that it runs on; by default the session's.
        settings: more of the taskflow's state: texts, numbers, booleans.
    """
    from snowflake.core.task import Cron

    for statement in (
        f"CREATE STREAM IF NOT EXISTS {STREAM} ON TABLE {names.TRIPS} APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = TRUE",
        f"CREATE TABLE IF NOT EXISTS {LOADED} (MONTH DATE, TRIPS NUMBER(12, 0), SEEN_AT TIMESTAMP_NTZ)",
        _procedure(session),
    ):
        session.sql(statement).collect()
    config = {"model": model, "forecast_steps": h, "seed": seed, **settings}
    graph = _graph(Cron(cron, zone), warehouse or session.get_current_warehouse(), config)
    _operation(session).deploy(graph, mode="orReplace")  # type: ignore[arg-type]  # its own documentation's spelling


def run(session: Session, retry: bool = False) -> None:
    """Runs the graph now.

    Args:
        session: whose current schema has it.
        retry: only what failed last time, and what comes after.
    """
    _operation(session).run(GRAPH, retry_last=retry)


def graph_runs(session: Session) -> list[DAGRun]:
    """The runs of the graph: the next ones, and those of the last hour."""
    operation = _operation(session)
    return [*operation.get_current_dag_runs(GRAPH), *operation.get_complete_dag_runs(GRAPH, error_only=False)]


def steps(session: Session, limit: int = 20) -> list[Step]:
    """The last runs of steps, newest first; what is only scheduled is left out."""
    database, schema = home_of(session)
    rows = session.sql(
        "SELECT NAME, STATE, QUERY_START_TIME, COMPLETED_TIME, ERROR_MESSAGE FROM TABLE(INFORMATION_SCHEMA.TASK_HISTORY("
        "RESULT_LIMIT => 1000)) WHERE DATABASE_NAME = ? AND SCHEMA_NAME = ? AND STATE != 'SCHEDULED' AND "
        f"STARTSWITH(NAME, '{GRAPH}') ORDER BY QUERY_START_TIME DESC LIMIT {int(limit)}",
        params=[database, schema],
    ).collect()
    return [Step(row[0].removeprefix(f"{GRAPH}$"), *row[1:]) for row in rows]


def wait(session: Session, say: Callable[[str], object] = lambda text: None, every: float = 1.0) -> str:
    """Waits until nothing of the graph runs any more; answers the state of its last run.

    Args:
        session: whose current schema has the graph.
        say: told which step is done, and how.
        every: seconds between looks.

    Raises:
        ValueError: a step failed; the text is its error.
    """
    told: set[tuple[str, datetime | None]] = set()
    running = True
    while running:
        running = any(one.state == "EXECUTING" for one in _operation(session).get_current_dag_runs(GRAPH))
        for step in reversed(steps(session)):
            if step.ended is not None and (step.name, step.started) not in told:
                told.add((step.name, step.started))
                say(f"{step.name.lower()}: {step.state.lower()}")
        if running:
            time.sleep(every)
    done = _operation(session).get_complete_dag_runs(GRAPH, error_only=False)
    last = max(done, key=lambda one: one.query_start_time, default=None)  # type: ignore[arg-type, return-value]
    if last is not None and last.state == "FAILED":
        raise ValueError(f"{last.first_error_task_name}: {last.first_error_message}")
    return last.state if last is not None else "NONE"


def drop(session: Session) -> None:
    """Removes the graph, its stream and its procedure; no harm if they are gone."""
    _operation(session).drop(GRAPH, drop_finalizer=True)
    session.sql(f"DROP STREAM IF EXISTS {STREAM}").collect()
    session.sql(f"DROP PROCEDURE IF EXISTS {PROCEDURE}(VARCHAR)").collect()


def _operation(session: Session) -> DAGOperation:
    from snowflake.core import Root
    from snowflake.core.task.dagv1 import DAGOperation

    database, schema = home_of(session)
    return DAGOperation(Root(session).databases[database].schemas[schema])


def _graph(schedule: Any, warehouse: str | None, config: dict[str, Any]) -> DAG:
    from snowflake.core.task.dagv1 import DAG, DAGTask

    name = warehouse.strip('"') if warehouse else None
    with DAG(
        GRAPH,
        schedule=schedule,
        warehouse=name,
        comment="tripcast: a month from new trips to forecasts",
        task_auto_retry_attempts=1,
        user_task_timeout_ms=_LONGEST_MS,
        config=config,
        condition=f"SYSTEM$STREAM_HAS_DATA('{STREAM}')",
    ) as graph:
        made: dict[str, DAGTask] = {}
        for step, before in STEPS.items():
            # without a month to run, what follows is skipped
            condition = f"SYSTEM$GET_PREDECESSOR_RETURN_VALUE('{GRAPH}${BEGIN}') != '{NOTHING}'"
            made[step] = DAGTask(
                step,
                f"CALL {PROCEDURE}('{step}')",
                warehouse=name,
                condition=condition if before == (BEGIN,) else None,
                user_task_timeout_ms=_LONGEST_MS,
            )
            for other in before:
                made[other] >> made[step]
    return graph


def _procedure(session: Session) -> str:
    """The statement that makes the procedure of the steps, with this package as its import."""
    path = code.in_stage(session, whole=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"CREATE OR REPLACE PROCEDURE {PROCEDURE}(STEP VARCHAR) RETURNS VARCHAR LANGUAGE PYTHON "
        f"RUNTIME_VERSION = '{version}' PACKAGES = ({', '.join(map(repr, _PACKAGES))}) IMPORTS = ('{path}') "
        f"HANDLER = 'run' EXECUTE AS CALLER AS $${_HANDLER}$$"
    )
