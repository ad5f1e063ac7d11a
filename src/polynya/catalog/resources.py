"""Objects as the resources of Snowflake's REST API: what SHOW AS RESOURCE and /api/v2 answer.

https://docs.snowflake.com/en/developer-guide/snowflake-rest-api/reference
"""

from __future__ import annotations

import json
from typing import Any

from polynya.catalog import task_graphs
from polynya.catalog.default_sequences import default_text
from polynya.catalog.kinds import is_temporary
from polynya.catalog.model import CatalogObject, ColumnDef, Database, Routine, Schema, Table, Task, View
from polynya.catalog.names import join_name, quote_identifier
from polynya.catalog.retention import retention_days
from polynya.catalog.schedules import parse_schedule
from polynya.catalog.store import Catalog

# (rows, bytes) of a table.
Size = tuple[int | None, int]


def resource(catalog: Catalog, item: CatalogObject, size: Size | None = None) -> dict[str, Any]:
    """An object's resource, ready for JSON; names are written as in SQL.

    Args:
        catalog: where it lives.
        item: a database, schema, table, view, function or procedure.
        size: of a table, if known.
    """
    found: dict[str, Any] = {
        "name": quote_identifier(item.name),
        "created_on": item.created_on.isoformat(),
        "owner": item.owner,
        "owner_role_type": "ROLE" if item.owner else None,
        "comment": item.comment or None,
    }
    if not isinstance(item, Database):
        path = catalog.path(item)
        found["database_name"] = quote_identifier(path[0])
        if not isinstance(item, Schema):
            found["schema_name"] = quote_identifier(path[1])
    match item:
        case Database() | Schema():
            found |= _container(catalog, item)
        case Table():
            found |= _table(catalog, item, size)
        case View():
            found |= _view(item)
        case Routine():
            found |= _routine(item)
        case Task():
            found |= _task(catalog, item)
    return {key: value for key, value in found.items() if value is not None}


def _container(catalog: Catalog, item: Database | Schema) -> dict[str, Any]:
    return {
        "kind": "TRANSIENT" if item.transient else "PERMANENT",
        "is_default": False,
        "options": "TRANSIENT" if item.transient else None,
        "retention_time": retention_days(catalog, item),
        "managed_access": bool(item.options.get("MANAGED ACCESS")) if isinstance(item, Schema) else None,
    }


def _table(catalog: Catalog, table: Table, size: Size | None) -> dict[str, Any]:
    return {
        "kind": {"TABLE": "PERMANENT"}.get(table.kind, table.kind),
        "table_type": "DYNAMIC" if table.dynamic_query else "NORMAL",
        "columns": [_column(catalog, column) for column in table.columns],
        "constraints": [_constraint(constraint) for constraint in table.options.get("CONSTRAINTS", [])],
        "cluster_by": [table.cluster_by] if table.cluster_by else None,
        "rows": size[0] if size else None,
        "bytes": size[1] if size else None,
        "data_retention_time_in_days": retention_days(catalog, table),
        "enable_schema_evolution": bool(table.options.get("ENABLE_SCHEMA_EVOLUTION")),
        "change_tracking": bool(table.options.get("CHANGE_TRACKING")),
        "automatic_clustering": bool(table.cluster_by),
        "search_optimization": bool(table.options.get("SEARCH_OPTIMIZATION")),
    }


def _column(catalog: Catalog, column: ColumnDef) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": quote_identifier(column.name),
        "datatype": str(column.type),
        "nullable": column.nullable,
        "default": default_text(catalog, column),
        "collate": column.collation,
        "comment": column.comment,
    }
    sequence: Any = catalog.by_id(column.autoincrement) if column.autoincrement else None
    if sequence is not None:
        found |= {
            "autoincrement": True,
            "autoincrement_start": sequence.start,
            "autoincrement_increment": sequence.increment,
        }
    return {key: value for key, value in found.items() if value is not None}


def _constraint(constraint: dict[str, Any]) -> dict[str, Any]:
    found = {"constraint_type": constraint["type"], "column_names": constraint["columns"]}
    if constraint["name"]:
        found["name"] = constraint["name"]
    if constraint["references"]:
        found["referenced_table_name"] = join_name(constraint["references"])
        found["referenced_column_names"] = constraint["reference_columns"]
    return found


def _view(view: View) -> dict[str, Any]:
    columns = [
        {"name": quote_identifier(column.name), "datatype": str(column.type), "comment": column.comment}
        for column in view.columns
    ]
    return {
        "kind": "TEMPORARY" if view.temporary else "PERMANENT",
        "secure": view.secure,
        "columns": [{key: value for key, value in column.items() if value is not None} for column in columns],
        "query": view.query,
    }


def _routine(routine: Routine) -> dict[str, Any]:
    arguments = []
    for name, sql_type, default in routine.arguments:
        argument = {"name": quote_identifier(name), "datatype": sql_type.name}
        if default is not None:
            argument["default_value"] = default
        arguments.append(argument)
    returns: dict[str, Any]
    if routine.returns_table is not None:
        columns = [
            {"name": quote_identifier(name), "datatype": sql_type.name} for name, sql_type in routine.returns_table
        ]
        returns = {"type": "TABLE", "column_list": columns}
    else:
        returns = {"type": "DATATYPE", "datatype": routine.returns.name if routine.returns else "VARIANT"}
    found = {
        "arguments": arguments,
        "return_type": returns,
        "language_config": _language(routine),
        "body": routine.body,
        "is_secure": bool(routine.options.get("SECURE")),
        "is_builtin": False,
        "min_num_arguments": sum(1 for _, _, default in routine.arguments if default is None),
        "max_num_arguments": len(routine.arguments),
    }
    if routine.kind == "PROCEDURE":
        return found | {"execute_as": str(routine.options.get("EXECUTE_AS", "OWNER"))}
    return found | {
        "is_temporary": is_temporary(routine),
        "is_aggregate": routine.kind == "AGGREGATE FUNCTION",
        "is_table_function": routine.returns_table is not None,
        "is_memoizable": bool(routine.options.get("MEMOIZABLE")),
    }


def _task(catalog: Catalog, task: Task) -> dict[str, Any]:
    option = task.options.get
    root = catalog.by_id(task.finalizes) if task.finalizes else None
    before = [quote_identifier(other.name) for other in task_graphs.predecessors(catalog, task)]
    last = task_graphs.finalizer(catalog, task)
    relations: dict[str, Any] = {
        "Predecessors": [catalog.full_name(other) for other in task_graphs.predecessors(catalog, task)]
    }
    if last is not None:
        relations["FinalizerTask"] = catalog.full_name(last)
    if root is not None:
        relations["FinalizedRootTask"] = catalog.full_name(root)
    overlapping = option("ALLOW_OVERLAPPING_EXECUTION")
    return {
        "id": task_graphs.task_id(task),
        "definition": task.definition,
        "warehouse": quote_identifier(task.warehouse) if task.warehouse else None,
        "schedule": _schedule(task.schedule) if task.schedule else None,
        "predecessors": before or None,
        "finalize": quote_identifier(root.name) if root is not None else None,
        "task_relations": json.dumps(relations),
        "condition": task.condition or None,
        "config": json.loads(task.config) if task.config else None,
        "session_parameters": option("PARAMETERS"),
        "state": "started" if task.started else "suspended",
        "allow_overlapping_execution": overlapping,
        "task_auto_retry_attempts": option("TASK_AUTO_RETRY_ATTEMPTS"),
        "user_task_timeout_ms": option("USER_TASK_TIMEOUT_MS"),
        "suspend_task_after_num_failures": option("SUSPEND_TASK_AFTER_NUM_FAILURES"),
        "user_task_managed_initial_warehouse_size": option("USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE"),
        "error_integration": option("ERROR_INTEGRATION"),
        "success_integration": option("SUCCESS_INTEGRATION"),
        "last_committed_on": task.last_committed_on.isoformat() if task.last_committed_on else None,
        "last_suspended_on": task.last_suspended_on.isoformat() if task.last_suspended_on else None,
    }


def _schedule(text: str) -> dict[str, Any]:
    schedule = parse_schedule(text)
    if schedule.cron:
        return {"schedule_type": "CRON_TYPE", "cron_expr": schedule.cron, "timezone": schedule.zone}
    minutes, seconds = divmod(schedule.seconds, 60)
    return {"schedule_type": "MINUTES_TYPE", "minutes": minutes} | ({"seconds": seconds} if seconds else {})


def _language(routine: Routine) -> dict[str, Any]:
    if routine.language != "PYTHON":
        return {"language": routine.language}
    option = routine.options.get
    return {
        "language": "PYTHON",
        "runtime_version": str(option("RUNTIME_VERSION", "")),
        "packages": [str(package) for package in option("PACKAGES") or []],
        "imports": [str(item) for item in option("IMPORTS") or []],
        "handler": str(option("HANDLER", "")),
    }
