"""Task graphs: which tasks run after which, from the tasks' own lists of predecessors.

https://docs.snowflake.com/en/user-guide/tasks-graphs
"""

from __future__ import annotations

import uuid
from datetime import datetime

from polynya.catalog.model import Task
from polynya.catalog.store import Catalog


def task_id(task: Task) -> str:
    """A task's id as Snowflake shows it: a UUID that is always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"task {task.id}"))


def predecessors(catalog: Catalog, task: Task) -> list[Task]:
    """The tasks after which a task runs, without dropped ones, by name."""
    found = [catalog.by_id(number) for number in task.predecessors]
    live = [item for item in found if isinstance(item, Task) and item.dropped_on is None]
    return sorted(live, key=lambda item: item.name)


def children(catalog: Catalog, task: Task) -> list[Task]:
    """The tasks that run right after a task, by name."""
    return [item for item in catalog.children(task.parent, "TASK") if task.id in item.predecessors]


def finalizer(catalog: Catalog, root: Task) -> Task | None:
    """The task that runs after all others of a root task's graph."""
    return next((item for item in catalog.children(root.parent, "TASK") if item.finalizes == root.id), None)


def root_of(catalog: Catalog, task: Task) -> Task:
    """The root of the graph to which a task belongs; a task without predecessors is its own."""
    seen = {task.id}
    while True:
        if task.finalizes:
            before = catalog.by_id(task.finalizes)
            found = [before] if isinstance(before, Task) and before.dropped_on is None else []
        else:
            found = predecessors(catalog, task)
        if not found or found[0].id in seen:
            return task
        task = found[0]
        seen.add(task.id)


def roots_of(catalog: Catalog, task: Task) -> list[Task]:
    """All roots from which a task can be reached: more than one is an error."""
    waiting, seen, roots = [task], {task.id}, {}
    while waiting:
        current = waiting.pop()
        before = predecessors(catalog, current)
        if not before:
            roots[current.id] = current
        for item in before:
            if item.id not in seen:
                seen.add(item.id)
                waiting.append(item)
    return list(roots.values())


def dependents(catalog: Catalog, task: Task, *, recursive: bool = True) -> list[Task]:
    """The tasks that run after a task, in an order in which predecessors come first; without itself and finalizers."""
    if not recursive:
        return children(catalog, task)
    reached: dict[int, Task] = {}
    waiting = [task]
    while waiting:
        for child in children(catalog, waiting.pop()):
            if child.id not in reached and child.id != task.id:
                reached[child.id] = child
                waiting.append(child)
    ordered: list[Task] = []
    done = {task.id}
    while len(ordered) < len(reached):
        ready = [
            item
            for item in reached.values()
            if item.id not in done and all(number in done or number not in reached for number in item.predecessors)
        ]
        if not ready:
            break  # a cycle, which statements do not let be
        ordered += sorted(ready, key=lambda item: item.name)
        done |= {item.id for item in ready}
    return ordered


def graph(catalog: Catalog, root: Task) -> list[Task]:
    """All tasks of a root task's graph, the root first and a finalizer last."""
    last = finalizer(catalog, root)
    return [root, *dependents(catalog, root), *([last] if last is not None else [])]


def follows(catalog: Catalog, task: Task, other: Task) -> bool:
    """Whether a task runs after another one, directly or not."""
    return task.id == other.id or any(item.id == task.id for item in dependents(catalog, other))


def start(catalog: Catalog, task: Task, now: datetime) -> None:
    """Marks a task as one that may run; its interval counts from now."""
    task.started, task.last_committed_on, task.suspended_reason, task.failures = True, now, "", 0
    task.options["RESUMED"] = now.isoformat()
    catalog.update(task)
