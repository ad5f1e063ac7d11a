"""What a task may ask about itself and its graph, and the table functions of runs.

Sources: docs.snowflake.com/en/sql-reference/functions/system_set_return_value and its neighbours,
.../functions/task_history, .../functions/current_task_graphs, .../functions/task_dependents.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from polynya.catalog import task_graphs, task_views
from polynya.catalog.model import Task
from polynya.catalog.rights import require
from polynya.catalog.task_rights import check_owner
from polynya.dialect import casts
from polynya.dialect.expression import Expr, null, quote_string
from polynya.dialect.functions.context import text
from polynya.dialect.functions.system import when_run
from polynya.dialect.functions.tables import argument, history_arguments, rows_source
from polynya.dialect.registry import Call, scalar
from polynya.dialect.scope import Source
from polynya.dialect.table_functions import table_function
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, invalid_argument_types
from polynya.types.resultset import Column
from polynya.types.sqltype import TIMESTAMP_LTZ, VARCHAR

_MOST = 10_000
_ARGUMENTS = {
    "TASK_HISTORY": (
        "SCHEDULED_TIME_RANGE_START", "SCHEDULED_TIME_RANGE_END", "RESULT_LIMIT", "TASK_NAME", "ERROR_ONLY", "ROOT_TASK_ID",
    ),
    "CURRENT_TASK_GRAPHS": ("RESULT_LIMIT", "ROOT_TASK_NAME"),
    "COMPLETE_TASK_GRAPHS": ("RESULT_LIMIT", "ROOT_TASK_NAME", "ERROR_ONLY"),
}  # fmt: skip
_LIMITS = {"TASK_HISTORY": 100, "CURRENT_TASK_GRAPHS": 1000, "COMPLETE_TASK_GRAPHS": 1000}


# --- inside a task -------------------------------------------------------------------------------------------------------


def _in_task(call: Call, ask: Callable[[Any], str | None]) -> Expr:
    """What the running task answers.

    Raises:
        SnowflakeError: 091110 outside of a task.
    """
    if call.binder.env.describe_only:
        return null(VARCHAR)
    answer = ask(_task(call))
    return null(VARCHAR) if answer is None else text(answer)


def _task(call: Call) -> Any:
    task = getattr(call.binder.results, "task", None)
    if task is None:
        raise SnowflakeError(91110, "22023", f"Function {call.name} must be called from within a task")
    return task


def _optional(call: Call) -> str | None:
    return str(call.constant(0)) if len(call) else None


@scalar("SYSTEM$SET_RETURN_VALUE", args=1)
def set_return_value(call: Call) -> Expr:
    """Sets what the tasks right after this one can read."""
    if call.binder.env.describe_only:
        return null(VARCHAR)
    task, value = _task(call), call.constant(0)

    def effect() -> str:
        task.return_value = str(value)
        return "true"

    return when_run(call, effect)


@scalar("SYSTEM$GET_PREDECESSOR_RETURN_VALUE", args=(0, 1))
def predecessor_return_value(call: Call) -> Expr:
    return _in_task(call, lambda task: task.predecessor_value(_optional(call)))


@scalar("SYSTEM$GET_TASK_GRAPH_CONFIG", args=(0, 1))
def graph_config(call: Call) -> Expr:
    return _in_task(call, lambda task: task.config(_optional(call)))


@scalar("SYSTEM$TASK_RUNTIME_INFO", args=1)
def runtime_info(call: Call) -> Expr:
    return _in_task(call, lambda task: task.info(str(call.constant(0))))


@scalar("SYSTEM$CURRENT_USER_TASK_NAME", args=0)
def current_task_name(call: Call) -> Expr:
    """The full name of the task; NULL outside of one."""
    task = getattr(call.binder.results, "task", None)
    return null(VARCHAR) if task is None else text(task.name)


# --- about tasks ---------------------------------------------------------------------------------------------------------


def _named(call: Call, name: str) -> Task:
    stream = TokenStream(name)
    parts = stream.name()
    stream.expect_end()
    found: Task = call.context.catalog.get(call.context, "TASK", parts)
    return found


@scalar("SYSTEM$TASK_DEPENDENTS_ENABLE", args=1)
def dependents_enable(call: Call) -> Expr:
    """Resumes a root task and all tasks of its graph."""
    context, results = call.context, call.binder.results
    root = _named(call, str(call.constant(0)))

    def effect() -> str:
        tasks = task_graphs.graph(context.catalog, root)
        for task in tasks:
            require(context, ("OWNERSHIP", "OPERATE"), task)
            check_owner(context, task)
        for task in reversed(tasks):
            if not task.started and (task is not root or task.schedule):
                task_graphs.start(context.catalog, task, datetime.now(UTC))
        results.tasks.changed()
        return "true"

    return when_run(call, effect)


@scalar("SYSTEM$USER_TASK_CANCEL_ONGOING_EXECUTIONS", args=1)
def cancel_executions(call: Call) -> Expr:
    """Cancels what runs of a task."""
    context, results = call.context, call.binder.results
    task = _named(call, str(call.constant(0)))

    def effect() -> str:
        require(context, ("OWNERSHIP", "OPERATE"), task)
        count = results.tasks.cancel(task)
        return f"Task {task.name}: {count} execution(s) cancelled."

    return when_run(call, effect)


@table_function("TASK_DEPENDENTS")
def task_dependents(call: Call) -> Source:
    """A task and what runs after it."""
    catalog = call.context.catalog
    name, recursive = argument(call, "TASK_NAME", 0), argument(call, "RECURSIVE", 1)
    if name is None:
        raise compilation_error(1015, "22023", "TASK_DEPENDENTS needs TASK_NAME.", call.position)
    fields = [(label.upper(), kind, value) for label, kind, value in task_views.task_fields(catalog)]
    task = _named(call, str(call.binder.expression(name).constant))
    deep = recursive is None or bool(call.binder.expression(recursive).constant)
    tasks = [task, *task_graphs.dependents(catalog, task, recursive=deep)]
    last = task_graphs.finalizer(catalog, task)
    tasks += [last] if last is not None else []
    columns = [Column(label, kind) for label, kind, _ in fields]
    return rows_source(call, columns, [tuple(value(item) for _, _, value in fields) for item in tasks])


@table_function(*_ARGUMENTS)
def task_runs(call: Call) -> Source:
    """Runs of tasks or of their graphs, last scheduled first."""
    given, limit = history_arguments(call, _ARGUMENTS[call.name], _LIMITS[call.name], _MOST)
    columns = task_views.COLUMNS[call.name]
    records = [] if call.binder.results is None else task_views.runs(call.context, call.binder.results.tasks, call.name)
    source = rows_source(call, columns, [task_views.row(record, columns) for record in records])
    conditions = _conditions(call, given)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = 'ORDER BY "SCHEDULED_TIME" DESC, "QUERY_START_TIME" DESC NULLS FIRST'
    return Source(f"(SELECT * FROM {source.sql}{where} {order} LIMIT {limit})", source.columns)


def _conditions(call: Call, given: dict[str, Expr]) -> list[str]:
    conditions = []
    for name, operator in (("SCHEDULED_TIME_RANGE_START", ">="), ("SCHEDULED_TIME_RANGE_END", "<=")):
        if name in given:
            moment = casts.coerce(given[name], TIMESTAMP_LTZ, call.context)
            if moment is None:
                raise invalid_argument_types(call.name, [str(given[name].type)], call.position)
            conditions.append(f'"SCHEDULED_TIME" {operator} {moment.atom}')
    for name, column in (("TASK_NAME", "NAME"), ("ROOT_TASK_NAME", "ROOT_TASK_NAME"), ("ROOT_TASK_ID", "ROOT_TASK_ID")):
        if name in given:
            value = str(given[name].constant)
            wanted = value if name == "ROOT_TASK_ID" else TokenStream(value).name()[-1]
            conditions.append(f'"{column}" = {quote_string(wanted)}')
    error_only = given.get("ERROR_ONLY")
    if (error_only is not None and error_only.constant) or (call.name == "COMPLETE_TASK_GRAPHS" and error_only is None):
        conditions.append("\"STATE\" IN ('FAILED', 'CANCELLED')")
    return conditions
