"""One run of a task graph: which tasks can run next, and what became of it.

Sources: docs.snowflake.com/en/user-guide/tasks-graphs, .../tasks-errors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from polynya.catalog import task_graphs
from polynya.catalog.model import Task
from polynya.catalog.store import Catalog
from polynya.errors import SnowflakeError

SUCCEEDED, FAILED, SKIPPED, CANCELLED, EXECUTING = "SUCCEEDED", "FAILED", "SKIPPED", "CANCELLED", "EXECUTING"
# A task that cannot run since one before it did not succeed: it leaves no record.
BLOCKED = "BLOCKED"
_ENDED_WELL = (SUCCEEDED, SKIPPED)


@dataclass(slots=True, eq=False)
class GraphRun:
    """A run of a graph, with its tasks as they were when it began.

    Args:
        root: id of the root task.
        tasks: by id, the root first.
        paths: full name's parts of each task.
        last: id of the finalizer, or 0.
        scheduled: when it was to begin.
        scheduled_from: SCHEDULE or EXECUTE TASK.
        config: JSON text, or "".
        group: id of the run and its retries.
        version: of the graph.
        attempt: 1, or more for a retry.
        states: of the tasks that have one.
        values: what tasks set as their return value.
        record: the graph's own record, as COMPLETE_TASK_GRAPHS shows it.
        number: of the record.
    """

    root: int
    tasks: dict[int, Task]
    paths: dict[int, list[str]]
    last: int
    scheduled: datetime
    scheduled_from: str
    config: str
    group: int
    version: int
    attempt: int = 1
    states: dict[int, str] = field(default_factory=dict)
    values: dict[int, str] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    number: int = 0

    @property
    def run_id(self) -> int:
        """Milliseconds since 1970 of the scheduled time."""
        return round(self.scheduled.timestamp() * 1000)

    @property
    def running(self) -> bool:
        return EXECUTING in self.states.values()

    @property
    def state(self) -> str:
        """What became of it, once nothing runs any more."""
        for state in (FAILED, CANCELLED):
            if state in self.states.values():
                return state
        return SKIPPED if self.states.get(self.root) == SKIPPED else SUCCEEDED

    def ready(self) -> list[Task]:
        """Tasks that can begin now; those that cannot run any more get their state."""
        found: list[Task] = []
        changed = True
        while changed:
            changed = False
            for task in self.tasks.values():
                if task.id in self.states or task.id == self.last or any(task is other for other in found):
                    continue
                state = self._next(task)
                if state == EXECUTING:
                    found.append(task)
                elif state:
                    self.states[task.id] = state
                    changed = True
        if not found and not self.running and self.last and self.last not in self.states:
            finalizer = self.tasks[self.last]
            if finalizer.started and self.states.get(self.root) != SKIPPED:
                return [finalizer]
        return found

    def _next(self, task: Task) -> str:
        """EXECUTING if a task can begin, a state if it never will, "" if it has to wait."""
        if task.id == self.root:
            return EXECUTING
        before = [self.states.get(number, "") for number in task.predecessors if number in self.tasks]
        if not all(before) or EXECUTING in before:
            return ""
        if not all(state in _ENDED_WELL for state in before):
            return BLOCKED
        if SUCCEEDED not in before:
            return SKIPPED
        return EXECUTING if task.started else SUCCEEDED  # a suspended task counts as if it had succeeded

    def predecessor_value(self, task: Task, name: str | None) -> str:
        """What a predecessor has set as its return value, or "".

        Raises:
            SnowflakeError: if the name is none of a predecessor, or is missing where there are several.
        """
        before = {self.paths[number][-1]: number for number in task.predecessors if number in self.tasks}
        if name is None and len(before) == 1:
            return self.values.get(next(iter(before.values())), "")
        wanted = (name or "").rpartition(".")[2]
        number = before.get(wanted, before.get(wanted.upper()))
        if number is None:
            listed = ", ".join(before) or "none"
            raise SnowflakeError(
                2003,
                "22023",
                f"Task '{name}' is not a predecessor of {self.paths[task.id][-1]}; its predecessors: {listed}.",
            )
        return self.values.get(number, "")

    def again(self) -> GraphRun:
        """The same run once more, without what has succeeded."""
        kept = {number: state for number, state in self.states.items() if state in _ENDED_WELL and number != self.last}
        values = {number: value for number, value in self.values.items() if number in kept}
        return replace(self, attempt=self.attempt + 1, states=kept, values=values, record={}, number=0)


def graph_run(
    catalog: Catalog, root: Task, scheduled: datetime, scheduled_from: str, config: str | None, group: int
) -> GraphRun:
    """A run of a root task's graph as it is now."""
    tasks = task_graphs.graph(catalog, root)
    last = task_graphs.finalizer(catalog, root)
    return GraphRun(
        root.id,
        {task.id: replace(task, predecessors=list(task.predecessors), options=dict(task.options)) for task in tasks},
        {task.id: catalog.path(task) for task in tasks},
        last.id if last is not None else 0,
        scheduled,
        scheduled_from,
        root.config if config is None else config,
        group,
        int(root.options.get("GRAPH_VERSION", 1)),
    )


class RunningTask:
    """A task while it runs, for the functions that it may call.

    Args:
        graph: of which it is part.
        task: it.
        last_success: (group, scheduled time) of the graph's last successful run, or None.
    """

    def __init__(self, graph: GraphRun, task: Task, last_success: tuple[int, datetime] | None) -> None:
        self.graph = graph
        self.task = task
        self.return_value: str | None = None
        self._last_success = last_success

    @property
    def name(self) -> str:
        return ".".join(self.graph.paths[self.task.id])

    def predecessor_value(self, name: str | None) -> str:
        return self.graph.predecessor_value(self.task, name)

    def config(self, path: str | None) -> str | None:
        """The graph's configuration as JSON text, or what a path of names leads to."""
        if not self.graph.config:
            return None
        value: Any = json.loads(self.graph.config)
        if path is None:
            return self.graph.config
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value if value is None or isinstance(value, str) else json.dumps(value)

    def info(self, name: str) -> str | None:
        """What SYSTEM$TASK_RUNTIME_INFO knows by this name.

        Raises:
            SnowflakeError: 001015 for a name that it does not know.
        """
        graph = self.graph
        known: dict[str, str | None] = {
            "CURRENT_ROOT_TASK_NAME": ".".join(graph.paths[graph.root]),
            "CURRENT_ROOT_TASK_UUID": task_graphs.task_id(graph.tasks[graph.root]),
            "CURRENT_TASK_GRAPH_ORIGINAL_SCHEDULED_TIMESTAMP": _timestamp(graph.scheduled),
            "CURRENT_TASK_GRAPH_RUN_GROUP_ID": str(graph.group),
            "LAST_SUCCESSFUL_TASK_GRAPH_RUN_GROUP_ID": None,
            "LAST_SUCCESSFUL_TASK_GRAPH_ORIGINAL_SCHEDULED_TIMESTAMP": None,
        }
        if self._last_success is not None:
            known["LAST_SUCCESSFUL_TASK_GRAPH_RUN_GROUP_ID"] = str(self._last_success[0])
            known["LAST_SUCCESSFUL_TASK_GRAPH_ORIGINAL_SCHEDULED_TIMESTAMP"] = _timestamp(self._last_success[1])
        if name.upper() not in known:
            raise SnowflakeError(1015, "22023", f"Unknown task runtime info '{name}'; known: {', '.join(known)}.")
        return known[name.upper()]


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
