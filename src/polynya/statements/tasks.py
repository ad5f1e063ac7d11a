"""CREATE, ALTER, DROP and EXECUTE of tasks. https://docs.snowflake.com/en/sql-reference/sql/create-task"""

from __future__ import annotations

from dataclasses import replace

from polynya.catalog import task_graphs
from polynya.catalog.model import Task
from polynya.catalog.names import join_name
from polynya.catalog.task_rights import check_owner
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, unsupported
from polynya.statements import objects, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.objects import Place
from polynya.statements.task_properties import (
    check_place,
    check_root_suspended,
    read_condition,
    read_definition,
    read_predecessors,
    read_properties,
    unset_property,
)
from polynya.types.resultset import ResultSet, status


@statement("CREATE TASK")
def create_task(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "TASK", or_alter=True)
    place = objects.place_of(execution, "TASK", create.parts)
    if create.or_alter:
        found = execution.context.catalog.find(execution.context, "TASK", create.parts)
        if found is not None:
            return _or_alter(execution, stream, found)
    existing = objects.look(execution, create, "TASK", place)
    if existing.keep is not None:
        return existing.keep
    old = existing.replaced
    task = (
        _clone(execution, stream, place) if stream.accept("CLONE") else _read(execution, stream, _new(execution, place))
    )
    if isinstance(old, Task) and task_graphs.root_of(execution.context.catalog, old) is not old:
        check_root_suspended(execution, old)
    for other in [*task_graphs.predecessors(execution.context.catalog, task), *_finalized(execution, task)]:
        check_root_suspended(execution, other)
    copy_grants = bool(task.options.pop("COPY GRANTS", False))
    objects.put(execution, task, old, copy_grants=copy_grants)
    if isinstance(old, Task):
        _take_links(execution, old, task)
    _changed(execution, task)
    return status(f"Task {place.name} successfully created.")


def _new(execution: Execution, place: Place) -> Task:
    return Task(
        id=execution.context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(),
    )  # fmt: skip


def _read(execution: Execution, stream: TokenStream, task: Task) -> Task:
    """What follows a task's name, up to and with its definition."""
    while not stream.at("AS"):
        before = stream.index
        if stream.accept("AFTER"):
            task.predecessors = [other.id for other in read_predecessors(execution, stream)]
        elif stream.accept("WHEN"):
            task.condition = read_condition(stream, "AS")
        elif stream.accept("COPY", "GRANTS"):
            task.options["COPY GRANTS"] = True
        elif stream.at("EXECUTE", "AS"):
            raise unsupported("EXECUTE AS USER of a task")
        else:
            read_properties(execution, stream, task)
        if stream.index == before:
            raise stream.error()
    stream.expect("AS")
    task.definition = read_definition(stream)
    check_place(execution, task)
    return task


def _finalized(execution: Execution, task: Task) -> list[Task]:
    root = execution.context.catalog.by_id(task.finalizes) if task.finalizes else None
    return [root] if isinstance(root, Task) else []


def _clone(execution: Execution, stream: TokenStream, place: Place) -> Task:
    source: Task = execution.context.catalog.get(execution.context, "TASK", stream.name())
    copy_grants = stream.accept("COPY", "GRANTS")
    stream.expect_end()
    fresh = _new(execution, place)
    task = replace(
        source, id=fresh.id, parent=fresh.parent, name=fresh.name, owner=fresh.owner, created_on=fresh.created_on,
        options=dict(source.options), tags=dict(source.tags), predecessors=list(source.predecessors), started=False,
        last_committed_on=None, last_suspended_on=None, suspended_reason="", failures=0,
    )  # fmt: skip
    if copy_grants:
        task.options["COPY GRANTS"] = True
    return task


def _or_alter(execution: Execution, stream: TokenStream, task: Task) -> ResultSet:
    """CREATE OR ALTER: the task has what the statement says, and nothing else; its state stays."""
    fresh = _read(execution, stream, replace(
        task, comment="", options={}, warehouse="", schedule="", predecessors=[], finalizes=0, condition="", config="",
    ))  # fmt: skip
    check_root_suspended(execution, task)
    with objects.editing(execution, task):
        for name in ("comment", "options", "warehouse", "schedule", "predecessors", "finalizes", "condition", "config"):
            setattr(task, name, getattr(fresh, name))
        task.definition = fresh.definition
    _changed(execution, task)
    return status(f"Task {task.name} successfully created.")


def _take_links(execution: Execution, old: Task, task: Task) -> None:
    """Tasks that ran after one that was replaced run after the new one."""
    for other in execution.context.catalog.children(old.parent, "TASK"):
        if old.id in other.predecessors or other.finalizes == old.id:
            other.predecessors = [task.id if number == old.id else number for number in other.predecessors]
            other.finalizes = task.id if other.finalizes == old.id else other.finalizes
            execution.context.catalog.update(other)


def _changed(execution: Execution, task: Task) -> None:
    """A graph that is not the same as before has a new version."""
    catalog = execution.context.catalog
    root = task_graphs.root_of(catalog, task)
    if root.dropped_on is None:
        root.options["GRAPH_VERSION"] = int(root.options.get("GRAPH_VERSION", 0)) + 1
        catalog.update(root)
    execution.results.tasks.changed()


# --- ALTER ---------------------------------------------------------------------------------------------------------------


@statement("ALTER TASK")
def alter_task(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", "TASK")
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    if if_exists and catalog.find(context, "TASK", parts) is None:
        return objects.done()
    task: Task = catalog.get(context, "TASK", parts)
    if stream.accept("RESUME"):
        stream.expect_end()
        resume(execution, task)
    elif stream.accept("SUSPEND"):
        stream.expect_end()
        suspend(execution, task)
    else:
        check_root_suspended(execution, task)
        with objects.editing(execution, task):
            _alter(execution, stream, task)
            stream.expect_end()
            check_place(execution, task)
        _changed(execution, task)
    return objects.done()


def resume(execution: Execution, task: Task) -> None:
    """A task may run: on its schedule, or after its predecessors.

    Raises:
        SnowflakeError: 003001 if its owner lacks EXECUTE TASK, 091083 if its root is not suspended, 091086 if nothing
            would ever start it.
    """
    catalog = execution.context.catalog
    execution.require(("OWNERSHIP", "OPERATE"), task)
    check_owner(execution.context, task)
    if task.started:
        return
    if task_graphs.root_of(catalog, task) is not task:
        check_root_suspended(execution, task)
    elif not task.schedule:
        if task.condition:
            raise unsupported("triggered tasks: a task with WHEN and without SCHEDULE")
        raise SnowflakeError(
            91086,
            "22023",
            f"Task {join_name(catalog.path(task))} cannot be resumed: it has no schedule and no predecessor.",
        )
    task_graphs.start(catalog, task, objects.now())
    execution.results.tasks.changed()


def suspend(execution: Execution, task: Task) -> None:
    """A task does not run any more; what runs of it goes on."""
    execution.require(("OWNERSHIP", "OPERATE"), task)
    if not task.started:
        return
    task.started, task.last_suspended_on, task.suspended_reason = False, objects.now(), "USER_SUSPENDED"
    execution.context.catalog.update(task)
    execution.results.tasks.changed()


def _alter(execution: Execution, stream: TokenStream, task: Task) -> None:
    if stream.accept("ADD", "AFTER"):
        added = [other.id for other in read_predecessors(execution, stream)]
        task.predecessors += [number for number in added if number not in task.predecessors]
    elif stream.accept("REMOVE", "AFTER"):
        removed = [other.id for other in read_predecessors(execution, stream)]
        task.predecessors = [number for number in task.predecessors if number not in removed]
    elif stream.accept("MODIFY", "AS"):
        task.definition = read_definition(stream)
    elif stream.accept("MODIFY", "WHEN"):
        task.condition = read_condition(stream)
    elif stream.accept("REMOVE", "WHEN"):
        task.condition = ""
    elif tagging.accept_tag_change(execution, stream, task):
        pass
    elif stream.accept("SET"):
        read_properties(execution, stream, task)
    elif stream.accept("UNSET"):
        unset_property(task, stream.word())
        while stream.accept(","):
            unset_property(task, stream.word())
    elif stream.accept("RENAME", "TO"):
        raise unsupported("ALTER TASK ... RENAME TO")
    else:
        raise stream.error()


# --- DROP, EXECUTE -------------------------------------------------------------------------------------------------------


@statement("DROP TASK")
def drop_task(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("DROP", "TASK")
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    stream.expect_end()
    task = catalog.find(context, "TASK", parts)
    if task is None:
        if if_exists:
            return status(f"Drop statement executed successfully ({parts[-1]} already dropped).")
        task = catalog.get(context, "TASK", parts)
    root = task_graphs.root_of(catalog, task)
    if root is not task:
        check_root_suspended(execution, task)
    after = task_graphs.children(catalog, task)
    objects.remove(execution, task)
    for other in after:  # without another predecessor it stands alone
        other.predecessors = [number for number in other.predecessors if number != task.id]
        catalog.update(other)
    if root is not task:
        _changed(execution, root)
    execution.results.tasks.changed()
    return status(f"{task.name} successfully dropped.")


@statement("EXECUTE TASK")
def execute_task(execution: Execution, stream: TokenStream) -> ResultSet:
    """EXECUTE TASK name [USING CONFIG = '...'] | EXECUTE TASK name RETRY LAST."""
    catalog, context = execution.context.catalog, execution.context
    stream.expect("EXECUTE", "TASK")
    task: Task = catalog.get(context, "TASK", stream.name())
    retry = stream.accept("RETRY", "LAST")
    config = None
    if stream.accept("USING", "CONFIG"):
        stream.accept("=")
        config = stream.string()
    stream.expect_end()
    execution.require(("OWNERSHIP", "OPERATE"), task)
    check_owner(execution.context, task)
    if task_graphs.root_of(catalog, task) is not task:
        raise compilation_error(
            91088,
            "22023",
            f"Task {task.name} is not a root task: EXECUTE TASK runs a root task or one that stands alone.",
        )
    if retry:
        execution.results.tasks.retry_last(task)
    else:
        execution.results.tasks.execute(task, config)
    return status(f"Task {task.name} is scheduled to run immediately.")
