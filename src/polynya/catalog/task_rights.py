"""Who may run a task, and who may know of its runs.

https://docs.snowflake.com/en/user-guide/tasks-intro#task-security
"""

from __future__ import annotations

from typing import Any

from polynya.catalog.context import Context
from polynya.catalog.model import Task
from polynya.catalog.rights import has_account, sees, with_rights_of
from polynya.errors import SnowflakeError


def check_owner(context: Context, task: Task) -> None:
    """Refuses a task whose owner may not run tasks.

    Raises:
        SnowflakeError: 003001.
    """
    if not has_account(with_rights_of(context, task.owner), "EXECUTE TASK"):
        raise SnowflakeError(
            3001,
            "42501",
            f"Cannot execute task {task.name}, EXECUTE TASK privilege must be granted to owner role {task.owner}",
        )


def visible_runs(context: Context, records: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Records of runs that a session may see: of tasks that it sees, or all with MONITOR EXECUTION.

    Args:
        context: of the session.
        records: with DATABASE_NAME and SCHEMA_NAME.
        name: the column of the task's name.
    """
    if context.unrestricted or has_account(context, "MONITOR EXECUTION"):
        return records
    catalog = context.catalog
    known: dict[tuple[str, str, str], bool] = {}
    found = []
    for record in records:
        path = (record["DATABASE_NAME"], record["SCHEMA_NAME"], record[name])
        if path not in known:
            task = catalog.find(context, "TASK", list(path))
            known[path] = task is not None and sees(context, task)
        if known[path]:
            found.append(record)
    return found
