"""Tasks and their runs as rows: SHOW TASKS, TASK_HISTORY, CURRENT_TASK_GRAPHS, COMPLETE_TASK_GRAPHS.

Sources: docs.snowflake.com/en/sql-reference/sql/show-tasks, .../functions/task_history, .../functions/current_task_graphs,
.../account-usage/task_history.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from polynya.catalog import task_graphs
from polynya.catalog.context import Context
from polynya.catalog.information_schema import Request, view
from polynya.catalog.model import Task
from polynya.catalog.names import join_name
from polynya.catalog.store import Catalog
from polynya.catalog.task_rights import visible_runs
from polynya.types.resultset import Column
from polynya.types.sqltype import TIMESTAMP_LTZ, VARCHAR, SqlType, number

_NUMBER = number(38, 0)
_TIMES = {"SCHEDULED_TIME", "ORIGINAL_SCHEDULED_TIME", "QUERY_START_TIME", "NEXT_SCHEDULED_TIME", "COMPLETED_TIME"}
_NUMBERS = {"GRAPH_VERSION", "RUN_ID", "ATTEMPT_NUMBER", "GRAPH_RUN_GROUP_ID"}
_HISTORY = """QUERY_ID NAME DATABASE_NAME SCHEMA_NAME QUERY_TEXT CONDITION_TEXT STATE ERROR_CODE ERROR_MESSAGE SCHEDULED_TIME
ORIGINAL_SCHEDULED_TIME QUERY_START_TIME NEXT_SCHEDULED_TIME COMPLETED_TIME ROOT_TASK_ID GRAPH_VERSION RUN_ID RETURN_VALUE
SCHEDULED_FROM ATTEMPT_NUMBER CONFIG GRAPH_RUN_GROUP_ID"""
_CURRENT = """ROOT_TASK_NAME DATABASE_NAME SCHEMA_NAME STATE SCHEDULED_FROM FIRST_ERROR_TASK_NAME FIRST_ERROR_CODE
FIRST_ERROR_MESSAGE SCHEDULED_TIME QUERY_START_TIME NEXT_SCHEDULED_TIME ROOT_TASK_ID GRAPH_VERSION RUN_ID CONFIG
GRAPH_RUN_GROUP_ID"""
_COMPLETE = """ROOT_TASK_NAME DATABASE_NAME SCHEMA_NAME STATE SCHEDULED_FROM FIRST_ERROR_TASK_NAME FIRST_ERROR_CODE
FIRST_ERROR_MESSAGE SCHEDULED_TIME QUERY_START_TIME NEXT_SCHEDULED_TIME COMPLETED_TIME ROOT_TASK_ID GRAPH_VERSION RUN_ID
ATTEMPT_NUMBER CONFIG GRAPH_RUN_GROUP_ID"""
_USAGE = """NAME QUERY_TEXT CONDITION_TEXT SCHEMA_NAME DATABASE_NAME SCHEDULED_TIME COMPLETED_TIME STATE RETURN_VALUE QUERY_ID
QUERY_START_TIME ERROR_CODE ERROR_MESSAGE GRAPH_VERSION RUN_ID ROOT_TASK_ID SCHEDULED_FROM ATTEMPT_NUMBER CONFIG
GRAPH_RUN_GROUP_ID"""


def _columns(names: str) -> list[Column]:
    return [Column(name, _type(name)) for name in names.split()]


def _type(name: str) -> SqlType:
    return TIMESTAMP_LTZ if name in _TIMES else _NUMBER if name in _NUMBERS else VARCHAR


# Columns of the table functions.
COLUMNS = {
    "TASK_HISTORY": _columns(_HISTORY),
    "CURRENT_TASK_GRAPHS": _columns(_CURRENT),
    "COMPLETE_TASK_GRAPHS": _columns(_COMPLETE),
}


def runs(context: Context, tasks: Any, function: str) -> list[dict[str, Any]]:
    """What a table function shows, last scheduled first: runs so far, and the next ones of tasks with a schedule.

    Args:
        context: of the session.
        tasks: the account's (``statements.base.TaskRuns``).
        function: a key of ``COLUMNS``.
    """
    of_tasks = function == "TASK_HISTORY"
    found = tasks.runs("task" if of_tasks else "graph")
    if function != "COMPLETE_TASK_GRAPHS":
        found = [*found, *_scheduled(context.catalog, tasks, of_tasks)]
    if not of_tasks:
        current = ("EXECUTING", "SCHEDULED")
        found = [record for record in found if (record["STATE"] in current) == (function == "CURRENT_TASK_GRAPHS")]
    found = visible_runs(context, found, "NAME" if of_tasks else "ROOT_TASK_NAME")
    return sorted(found, key=lambda record: record["SCHEDULED_TIME"], reverse=True)


def _scheduled(catalog: Catalog, tasks: Any, of_tasks: bool) -> Iterator[dict[str, Any]]:
    for root in catalog.all("TASK"):
        moment = tasks.next_run(root)
        if moment is None:
            continue
        database, schema, name = catalog.path(root)
        record = {
            "DATABASE_NAME": database, "SCHEMA_NAME": schema, "STATE": "SCHEDULED", "SCHEDULED_FROM": "SCHEDULE",
            "SCHEDULED_TIME": moment, "ORIGINAL_SCHEDULED_TIME": moment, "NEXT_SCHEDULED_TIME": moment,
            "ROOT_TASK_ID": task_graphs.task_id(root), "GRAPH_VERSION": root.options.get("GRAPH_VERSION", 1),
            "RUN_ID": round(moment.timestamp() * 1000), "ATTEMPT_NUMBER": 1, "CONFIG": root.config or None,
        }  # fmt: skip
        own = {"NAME": name, "QUERY_TEXT": root.definition, "CONDITION_TEXT": root.condition or None}
        yield record | (own if of_tasks else {"ROOT_TASK_NAME": name})


def row(record: dict[str, Any], columns: list[Column]) -> tuple:
    """A record as a row; error codes are text of six digits."""
    values = []
    for column in columns:
        value = record.get(column.name)
        values.append(f"{value:06d}" if column.name.endswith("ERROR_CODE") and isinstance(value, int) else value)
    return tuple(values)


@view("ACCOUNT_USAGE.TASK_HISTORY", columns=[(column.name, column.type) for column in _columns(_USAGE)])
def _task_history(request: Request) -> Iterator[tuple]:
    columns = _columns(_USAGE)
    records = request.results.tasks.runs("task") if request.results is not None else []
    for record in visible_runs(request.context, records, "NAME"):
        if record["STATE"] != "EXECUTING":
            yield row(record, columns)


# --- tasks themselves ----------------------------------------------------------------------------------------------------

# A column of SHOW TASKS: its name, its type, and its value of a task.
Field = tuple[str, SqlType, Callable[[Task], Any]]


def task_fields(catalog: Catalog) -> list[Field]:
    """SHOW TASKS' columns."""

    def names(tasks: list[Task]) -> list[str]:
        return [join_name(catalog.path(task)) for task in tasks]

    def relations(task: Task) -> str:
        found: dict[str, Any] = {"Predecessors": names(task_graphs.predecessors(catalog, task))}
        last = task_graphs.finalizer(catalog, task)
        if last is not None:
            found["FinalizerTask"] = join_name(catalog.path(last))
        root = catalog.by_id(task.finalizes) if task.finalizes else None
        if root is not None:
            found["FinalizedRootTask"] = join_name(catalog.path(root))
        return json.dumps(found, separators=(",", ":"))

    def option(name: str) -> Callable[[Task], Any]:
        return lambda task: task.options.get(name)

    return [
        ("created_on", TIMESTAMP_LTZ, lambda task: task.created_on), ("name", VARCHAR, lambda task: task.name),
        ("id", VARCHAR, task_graphs.task_id), ("database_name", VARCHAR, lambda task: catalog.path(task)[0]),
        ("schema_name", VARCHAR, lambda task: catalog.path(task)[1]), ("owner", VARCHAR, lambda task: task.owner),
        ("comment", VARCHAR, lambda task: task.comment), ("warehouse", VARCHAR, lambda task: task.warehouse or None),
        ("schedule", VARCHAR, lambda task: task.schedule or None),
        ("predecessors", VARCHAR, lambda task: json.dumps(names(task_graphs.predecessors(catalog, task)))),
        ("state", VARCHAR, lambda task: "started" if task.started else "suspended"),
        ("definition", VARCHAR, lambda task: task.definition), ("condition", VARCHAR, lambda task: task.condition or None),
        (
            "allow_overlapping_execution",
            VARCHAR,
            lambda task: str(bool(task.options.get("ALLOW_OVERLAPPING_EXECUTION"))).lower(),
        ),
        ("error_integration", VARCHAR, option("ERROR_INTEGRATION")),
        ("last_committed_on", TIMESTAMP_LTZ, lambda task: task.last_committed_on),
        ("last_suspended_on", TIMESTAMP_LTZ, lambda task: task.last_suspended_on),
        ("owner_role_type", VARCHAR, lambda task: "ROLE" if task.owner else ""),
        ("config", VARCHAR, lambda task: task.config or None), ("budget", VARCHAR, lambda task: None),
        ("task_relations", VARCHAR, relations),
        ("last_suspended_reason", VARCHAR, lambda task: task.suspended_reason or None),
        ("success_integration", VARCHAR, option("SUCCESS_INTEGRATION")),
    ]  # fmt: skip
