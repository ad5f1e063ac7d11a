"""Snowflake's REST API for tasks, which ``snowflake.core`` (its DAG API too) speaks: each call is a statement.

https://docs.snowflake.com/en/developer-guide/snowflake-rest-api/reference/task
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polynya.catalog import task_graphs
from polynya.catalog.names import split_name
from polynya.catalog.resources import resource
from polynya.catalog.task_views import runs
from polynya.errors import SnowflakeError
from polynya.server.replies import answer, first_column, place, quoted
from polynya.server.sessions import body_of
from polynya.session.session import Session

_MODES = {
    "errorifexists": "CREATE TASK",
    "orreplace": "CREATE OR REPLACE TASK",
    "ifnotexists": "CREATE TASK IF NOT EXISTS",
}
_NUMBERS = ("task_auto_retry_attempts", "user_task_timeout_ms", "suspend_task_after_num_failures")
_TEXTS = (
    "comment", "user_task_managed_initial_warehouse_size", "serverless_task_min_statement_size",
    "serverless_task_max_statement_size", "error_integration", "success_integration", "overlap_policy",
)  # fmt: skip
# COMPLETE_TASK_GRAPHS and CURRENT_TASK_GRAPHS -> the fields of a run.
_FIELDS = (
    "root_task_name", "database_name", "schema_name", "state", "first_error_task_name", "first_error_code",
    "first_error_message", "scheduled_time", "query_start_time", "next_scheduled_time", "completed_time", "root_task_id",
    "graph_version", "run_id",
)  # fmt: skip


def routes(base: str) -> list[Route]:
    """The routes of tasks.

    Args:
        base: the address of databases.
    """
    tasks = base + "/{database}/schemas/{schema}/tasks"
    return [
        Route(tasks, _create, methods=["POST"]),
        Route(tasks, _list, methods=["GET"]),
        *[
            Route(f"{tasks}/{{name}}:{action}", _action(action), methods=["POST"])
            for action in ("execute", "resume", "suspend")
        ],
        Route(tasks + "/{name}/dependents", _dependents, methods=["GET"]),
        *[
            Route(f"{tasks}/{{name}}/{kind}{separator}graphs", _graphs(kind), methods=["GET"])
            for kind in ("current", "complete")
            for separator in "_-"
        ],
        Route(tasks + "/{name}", _create_or_alter, methods=["PUT"]),
    ]


async def _create(request: Request) -> Response:
    body = await body_of(request)
    mode = _MODES.get(request.query_params.get("createMode", "errorIfExists").lower(), "CREATE TASK")
    return await answer(request, lambda session: _statement(session, create_sql(mode, place(request), body)))


async def _create_or_alter(request: Request) -> Response:
    body = await body_of(request)
    return await answer(
        request, lambda session: _statement(session, create_sql("CREATE OR ALTER TASK", place(request), body))
    )


async def _list(request: Request) -> Response:
    query = request.query_params
    root_only = query.get("rootOnly", "").lower() == "true"
    text = "SHOW AS RESOURCE TASKS"
    if like := query.get("like"):
        text += f" LIKE {quoted(like)}"
    text += f" IN SCHEMA {place(request)}"
    if start := query.get("startsWith"):
        text += f" STARTS WITH {quoted(start)}"
    if limit := query.get("showLimit"):
        text += f" LIMIT {int(limit)}" + (f" FROM {quoted(query['fromName'])}" if query.get("fromName") else "")

    def run(session: Session) -> list[dict[str, Any]]:
        found = [json.loads(one) for one in first_column(session, text)]
        return [task for task in found if not root_only or not (task.get("predecessors") or task.get("finalize"))]

    return await answer(request, run)


def _action(action: str) -> Callable[[Request], Any]:
    async def act(request: Request) -> Response:
        name = _name(request)
        retry = " RETRY LAST" if request.query_params.get("retryLast", "").lower() == "true" else ""
        text = f"EXECUTE TASK {name}{retry}" if action == "execute" else f"ALTER TASK {name} {action.upper()}"
        return await answer(request, lambda session: _statement(session, text))

    return act


async def _dependents(request: Request) -> Response:
    name = _name(request)
    recursive = request.query_params.get("recursive", "true").lower() != "false"

    def run(session: Session) -> list[dict[str, Any]]:
        catalog = session.context.catalog
        first_column(session, f"DESCRIBE TASK {name}")  # it is there, and the role may see it
        task = catalog.get(session.context, "TASK", split_name(name))
        last = task_graphs.finalizer(catalog, task)
        found = [task, *task_graphs.dependents(catalog, task, recursive=recursive), *([last] if last else [])]
        return [resource(catalog, item) for item in found]

    return await answer(request, run)


def _graphs(kind: str) -> Callable[[Request], Any]:
    async def graphs(request: Request) -> Response:
        name = _name(request)
        error_only = kind == "complete" and request.query_params.get("errorOnly", "true").lower() != "false"

        def run(session: Session) -> list[dict[str, Any]]:
            first_column(session, f"DESCRIBE TASK {name}")
            task = session.context.catalog.get(session.context, "TASK", split_name(name))
            wanted = task_graphs.task_id(task)
            records = runs(session.context, session.tasks, f"{kind.upper()}_TASK_GRAPHS")
            return [
                _run_of(record)
                for record in records
                if record["ROOT_TASK_ID"] == wanted and (not error_only or record["STATE"] in ("FAILED", "CANCELLED"))
            ]

        return await answer(request, run)

    return graphs


def _run_of(record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in _FIELDS:
        value = record.get(field.upper())
        if field == "next_scheduled_time" and value is None:  # the client asks for one, of tasks without a schedule too
            value = record["SCHEDULED_TIME"]
        if value is not None:
            found[field] = value.isoformat() if hasattr(value, "isoformat") else value
    return found


def create_sql(create: str, schema: str, body: dict[str, Any]) -> str:
    """The statement that makes a task.

    Args:
        create: its first words.
        schema: full name, as in SQL.
        body: the task as the API describes it.

    Raises:
        SnowflakeError: 000002 for what the warehouse does not have.
    """
    pieces = [f"{create} {schema}.{body['name']}"]
    if warehouse := body.get("warehouse"):
        pieces.append(f"WAREHOUSE = {warehouse}")
    if schedule := body.get("schedule"):
        pieces.append(f"SCHEDULE = {quoted(_schedule(schedule))}")
    if body.get("config"):
        pieces.append(f"CONFIG = {quoted(json.dumps(body['config']))}")
    if body.get("allow_overlapping_execution") is not None:
        pieces.append(f"ALLOW_OVERLAPPING_EXECUTION = {body['allow_overlapping_execution']}")
    pieces += [f"{name.upper()} = {int(body[name])}" for name in _NUMBERS if body.get(name) is not None]
    pieces += [f"{name.upper()} = {quoted(str(body[name]))}" for name in _TEXTS if body.get(name) is not None]
    for name, value in (body.get("session_parameters") or {}).items():
        pieces.append(f"{name} = {quoted(value) if isinstance(value, str) else value}")
    if interval := body.get("target_completion_interval"):
        pieces.append(f"TARGET_COMPLETION_INTERVAL = {quoted(_schedule(interval))}")
    if body.get("execute_as_user"):
        raise SnowflakeError(2, "0A000", "Unsupported feature 'EXECUTE AS USER of a task'.")
    if finalize := body.get("finalize"):
        pieces.append(f"FINALIZE = {_in_schema(schema, finalize)}")
    if before := body.get("predecessors"):
        pieces.append(f"AFTER {', '.join(_in_schema(schema, name) for name in before)}")
    if condition := body.get("condition"):
        pieces.append(f"WHEN {condition}")
    return "\n".join([*pieces, f"AS\n{body['definition']}"])


def _in_schema(schema: str, name: str) -> str:
    return name if "." in name else f"{schema}.{name}"


def _schedule(schedule: dict[str, Any]) -> str:
    if "cron_expr" in schedule:
        return f"USING CRON {schedule['cron_expr']} {schedule['timezone']}"
    minutes, seconds = int(schedule.get("minutes") or 0), int(schedule.get("seconds") or 0)
    return f"{minutes * 60 + seconds} SECONDS" if seconds else f"{minutes} MINUTES"


def _name(request: Request) -> str:
    return f"{place(request)}.{request.path_params['name']}"


def _statement(session: Session, text: str) -> dict[str, Any]:
    return {"status": first_column(session, text)[0]}
