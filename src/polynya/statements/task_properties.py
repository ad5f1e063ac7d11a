"""What CREATE TASK and ALTER TASK say of a task, read and checked.

https://docs.snowflake.com/en/sql-reference/sql/create-task
"""

from __future__ import annotations

import json
from typing import Any

from polynya.catalog import task_graphs
from polynya.catalog.model import Task
from polynya.catalog.names import join_name
from polynya.catalog.parameters import DEFAULTS, coerce
from polynya.catalog.schedules import parse_schedule
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, invalid_value, unsupported
from polynya.statements import objects, tagging
from polynya.statements.base import Execution

# Options with their kinds; all others are session parameters, or refused.
_NUMBERS = {
    "USER_TASK_TIMEOUT_MS": (0, 604_800_000), "SUSPEND_TASK_AFTER_NUM_FAILURES": (0, 1_000_000),
    "TASK_AUTO_RETRY_ATTEMPTS": (0, 30), "USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS": (10, 604_800),
}  # fmt: skip
_TEXTS = {
    "USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE", "ERROR_INTEGRATION", "SUCCESS_INTEGRATION", "LOG_LEVEL",
    "TARGET_COMPLETION_INTERVAL", "SERVERLESS_TASK_MIN_STATEMENT_SIZE", "SERVERLESS_TASK_MAX_STATEMENT_SIZE",
}  # fmt: skip
_OVERLAPS = {"NO_OVERLAP": False, "ALLOW_CHILD_OVERLAP": True}
_OPTIONS = {"WAREHOUSE", "SCHEDULE", "CONFIG", "COMMENT", "FINALIZE", "ALLOW_OVERLAPPING_EXECUTION", "OVERLAP_POLICY"}
# Clauses that no ``=`` follows.
_CLAUSES = ("AFTER", "WHEN", "AS", "EXECUTE", "COPY", "WITH TAG", "TAG")
_MOST_PREDECESSORS, _MOST_TASKS = 100, 1000


def read_properties(execution: Execution, stream: TokenStream, task: Task) -> None:
    """Reads ``KEY = value`` pairs and tags, up to a clause of another kind.

    Raises:
        SnowflakeError: 001008 for a value that cannot be, 000002 for an option that is not known here.
    """
    while not stream.done and not (stream.at_one(*_CLAUSES) and not stream.at_one("WITH TAG", "TAG")):
        stream.accept(",")
        if tagging.accept_tag_clause(execution, stream, task):
            continue
        name = stream.word()
        stream.expect("=")
        if name == "CONFIG":
            task.config = _json(stream.string())
        elif name == "FINALIZE":
            task.finalizes = _root(execution, stream.string() if stream.at_string() else None, stream).id
        else:
            set_property(execution, task, name, objects.read_value(stream))


def _root(execution: Execution, written: str | None, stream: TokenStream) -> Task:
    parts = TokenStream(written).name() if written is not None else stream.name()
    found: Task = execution.context.catalog.get(execution.context, "TASK", parts)
    return found


def set_property(execution: Execution, task: Task, name: str, value: Any) -> None:
    """Sets one option of a task, or a session parameter of its runs.

    Raises:
        SnowflakeError: 001008, 000002, 002003 for a warehouse that does not exist.
    """
    if name == "WAREHOUSE":
        found = execution.context.catalog.get(execution.context, "WAREHOUSE", [_resolved(str(value))])
        execution.require("USAGE", found)
        task.warehouse = found.name
    elif name == "SCHEDULE":
        task.schedule = parse_schedule(str(value)).text
    elif name == "COMMENT":
        task.comment = str(value)
    elif name == "OVERLAP_POLICY":
        if str(value).upper() not in _OVERLAPS:
            raise unsupported(f"OVERLAP_POLICY = {value}")
        task.options["ALLOW_OVERLAPPING_EXECUTION"] = _OVERLAPS[str(value).upper()]
    elif name == "ALLOW_OVERLAPPING_EXECUTION":
        task.options[name] = _flag(name, value)
    elif name in _NUMBERS:
        least, most = _NUMBERS[name]
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise invalid_value(
                f"invalid value [{value}] for parameter '{name}': it must be a number from {least} to {most}"
            )
        task.options[name] = value
    elif name in _TEXTS:
        task.options[name] = str(value)
    elif name in DEFAULTS:
        task.options.setdefault("PARAMETERS", {})[name] = coerce(name, value)
    else:
        raise unsupported(f"{name} of a task")


def unset_property(task: Task, name: str) -> None:
    """Puts an option back to its default."""
    match name:
        case "WAREHOUSE":
            task.warehouse = ""
        case "SCHEDULE":
            task.schedule = ""
        case "COMMENT":
            task.comment = ""
        case "CONFIG":
            task.config = ""
        case "FINALIZE":
            task.finalizes = 0
        case _:
            task.options.pop("ALLOW_OVERLAPPING_EXECUTION" if name == "OVERLAP_POLICY" else name, None)
            task.options.get("PARAMETERS", {}).pop(name, None)


def _resolved(name: str) -> str:
    return TokenStream(name).identifier()


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise invalid_value(f"invalid value [{value}] for parameter '{name}': it must be TRUE or FALSE")
    return value


def _json(text: str) -> str:
    try:
        if not isinstance(json.loads(text), dict):
            raise ValueError("no object")
    except ValueError as error:
        raise invalid_value(f"invalid value [{text}] for parameter 'CONFIG': not a JSON object ({error})") from None
    return text


def read_predecessors(execution: Execution, stream: TokenStream) -> list[Task]:
    """``name, name ...`` after AFTER."""
    catalog, context = execution.context.catalog, execution.context
    found: list[Task] = []
    while True:
        parts = TokenStream(stream.string()).name() if stream.at_string() else stream.name()
        found.append(catalog.get(context, "TASK", parts))
        if not stream.accept(","):
            return found


def read_condition(stream: TokenStream, *ends: str) -> str:
    """The text of WHEN, up to one of these words outside parentheses, or the end."""
    start = stream.index
    while not stream.done and not (ends and stream.at_one(*ends)):
        if stream.at("("):
            stream.skip_parenthesis()
        else:
            stream.next()
    text = stream.source(start, stream.index).strip()
    if not text:
        raise stream.error()
    return text


def read_definition(stream: TokenStream) -> str:
    """The SQL after AS: a statement, a call or a block, perhaps between dollar signs."""
    if stream.done:
        raise stream.error()
    text = stream.rest().strip()
    if text.startswith("$$") and text.endswith("$$") and len(text) > 4:
        text = text[2:-2].strip()
    stream.index = len(stream.tokens)
    return text.rstrip().removesuffix(";") if not text.upper().rstrip(";").endswith("END") else text


def check_place(execution: Execution, task: Task) -> None:
    """Refuses what cannot be a graph: before a task is made or altered.

    Raises:
        SnowflakeError: 091085 for links across schemas or owners, 091087 for a cycle, two roots or too many tasks.
    """
    catalog = execution.context.catalog
    before = task_graphs.predecessors(catalog, task)
    if task.schedule and before:
        raise compilation_error(1003, "42601", f"Task {task.name} cannot have both a schedule and predecessors.")
    if task.finalizes and (before or task.schedule):
        raise compilation_error(1003, "42601", f"Finalizer task {task.name} cannot have a schedule or predecessors.")
    if task.warehouse and "USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE" in task.options:
        raise compilation_error(
            1003, "42601", "WAREHOUSE and USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE cannot both be set on a task."
        )
    linked = list(before)
    if task.finalizes:
        root = catalog.by_id(task.finalizes)
        assert isinstance(root, Task)
        if task_graphs.predecessors(catalog, root):
            raise _graph_error(f"Task {root.name} is not a root task: {task.name} cannot be its finalizer.")
        other = task_graphs.finalizer(catalog, root)
        if other is not None and other.id != task.id and other.name != task.name:
            raise _graph_error(f"Root task {root.name} has a finalizer already: {other.name}.")
        linked.append(root)
    for other in linked:
        if other.parent != task.parent or other.owner != task.owner:
            raise SnowflakeError(
                91085, "22023", f"Tasks {other.name} and {task.name} must be in one schema and have the same owner."
            )
        if task_graphs.follows(catalog, other, task):
            raise _graph_error(f"Task {task.name} cannot run after {other.name}, which runs after it.")
    if (
        len(before) > _MOST_PREDECESSORS
        or len({root.id for item in before for root in task_graphs.roots_of(catalog, item)}) > 1
    ):
        raise _graph_error(f"Task {task.name} must have one root task and at most {_MOST_PREDECESSORS} predecessors.")
    if before and len(task_graphs.graph(catalog, task_graphs.root_of(catalog, before[0]))) >= _MOST_TASKS:
        raise _graph_error(f"A graph has at most {_MOST_TASKS} tasks.")


def check_root_suspended(execution: Execution, task: Task) -> None:
    """Refuses a change of a graph whose root runs on its schedule.

    Raises:
        SnowflakeError: 091083.
    """
    catalog = execution.context.catalog
    root = task_graphs.root_of(catalog, task)
    if root.started:
        name = join_name(catalog.path(root))
        raise SnowflakeError(
            91083, "23001", f"Unable to update graph with root task {name} since that root task is not suspended."
        )


def _graph_error(text: str) -> SnowflakeError:
    return SnowflakeError(91087, "22023", text)
