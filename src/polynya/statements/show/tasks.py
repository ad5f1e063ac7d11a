"""SHOW TASKS and DESCRIBE TASK. https://docs.snowflake.com/en/sql-reference/sql/show-tasks"""

from __future__ import annotations

from polynya.catalog.model import Task
from polynya.catalog.task_views import task_fields
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import answer, in_scope, read_request
from polynya.types.resultset import ResultSet, StatementType

_TERSE = ("created_on", "name", "database_name", "schema_name", "schedule", "state")


@statement("SHOW TASKS", "SHOW TERSE TASKS")
def show_tasks(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    stream.expect("TASKS")
    root_only = _accept_root_only(stream)
    request = read_request(execution, stream, terse=terse)
    found = request.select(
        task for task in in_scope(execution, request.scope, "TASK") if not root_only or is_root(task)
    )
    fields = task_fields(execution.context.catalog)
    return answer([field for field in fields if not terse or field[0] in _TERSE], found)


def is_root(task: Task) -> bool:
    """Whether a task begins a graph, or stands alone."""
    return not task.predecessors and not task.finalizes


def _accept_root_only(stream: TokenStream) -> bool:
    """``ROOT ONLY``, which stands behind LIKE and IN: it is taken out of the statement."""
    for index in range(stream.index, len(stream.tokens) - 1):
        words = [token.text.upper() for token in stream.tokens[index : index + 2]]
        if words == ["ROOT", "ONLY"]:
            del stream.tokens[index : index + 2]
            return True
    return False


@statement("DESCRIBE TASK", "DESC TASK")
def describe_task(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.next()
    stream.expect("TASK")
    task = execution.context.catalog.get(execution.context, "TASK", stream.name())
    stream.expect_end()
    result = answer(task_fields(execution.context.catalog), [task])
    result.statement_type = StatementType.DESCRIBE
    return result
