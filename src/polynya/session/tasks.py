"""Runs tasks: on their schedules, after their predecessors, and when EXECUTE TASK asks.

One thread sleeps until the next root task is due; there is none while no task has a schedule. Each task runs in a session
of its own, with its owner's role, in one of the threads of all statements.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from polynya.catalog import task_graphs
from polynya.catalog.context import Context
from polynya.catalog.model import Task
from polynya.catalog.parameters import coerce
from polynya.catalog.schedules import next_run, parse_schedule
from polynya.catalog.task_rights import check_owner
from polynya.errors import SnowflakeError
from polynya.session.query import Query, cancelled_by_user, timed_out
from polynya.session.session import Session
from polynya.session.task_graph import (
    CANCELLED,
    EXECUTING,
    FAILED,
    SKIPPED,
    SUCCEEDED,
    GraphRun,
    RunningTask,
    graph_run,
)
from polynya.session.task_history import TaskHistory

if TYPE_CHECKING:
    from polynya.session.account import Account

log = logging.getLogger(__name__)

# What CURRENT_USER answers in a task, as in Snowflake.
USER = "SYSTEM"
# The clock may be set anew while the thread sleeps.
_LONGEST_SLEEP = 3600.0
_CANCELLED_CODE = 604
_SUSPENDED = "SUSPENDED_DUE_TO_ERRORS"


class Tasks:
    """The tasks of one account while its server runs.

    Args:
        account: open.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._catalog = account.catalog
        self._history = TaskHistory(account.home / "tasks.sqlite")
        self._changed = threading.Condition(threading.RLock())
        self._scheduler: threading.Thread | None = None
        self._stopping = False
        self._due: dict[int, datetime] = {}
        self._active: list[GraphRun] = []
        self._waiting: list[tuple[Task, str | None]] = []  # EXECUTE TASK of graphs that run already, and the config
        self._last_success: dict[int, tuple[int, datetime]] = {}
        self._last_failed: dict[int, GraphRun] = {}
        self._futures: set[Future] = set()
        self._queries: dict[Query, int] = {}  # what runs, and of which task

    def start(self) -> None:
        """When the server is ready: ends what a crash left, and begins to watch schedules."""
        self._history.open()
        self.changed()

    def close(self) -> list[Future]:
        """No task begins any more; the caller cancels all statements.

        Returns:
            tasks that still run.
        """
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._scheduler is not None:
            self._scheduler.join()
        return list(self._futures)

    def close_history(self) -> None:
        """After the last statement has ended."""
        self._history.close()

    # --- for statements (the TaskRuns protocol) --------------------------------------------------------------------

    def changed(self) -> None:
        """A task was made, altered or dropped: what is due may be another one now."""
        with self._changed:
            if self._scheduler is None and not self._stopping and self._scheduled():
                self._scheduler = threading.Thread(target=self._schedule, name="tasks", daemon=True)
                self._scheduler.start()
            self._changed.notify_all()

    def execute(self, root: Task, config: str | None = None) -> None:
        """Runs a root task's graph now, or once its present run has ended.

        Args:
            root: the root task, or one that stands alone.
            config: instead of its own, or None.
        """
        with self._changed:
            if self._busy(root):
                self._waiting.append((root, config))
                return
            self._begin(self._new(root, datetime.now(UTC), "EXECUTE TASK", config))

    def retry_last(self, root: Task) -> None:
        """Runs what has failed of a graph's last run again.

        Raises:
            SnowflakeError: 091089 if it runs, or has not failed.
        """
        with self._changed:
            last = self._last_failed.get(root.id)
            if self._busy(root) or last is None:
                name = self._catalog.full_name(root)
                raise SnowflakeError(
                    91089, "22023", f"Cannot retry the last run of task {name}: it has not failed, or is running."
                )
            again = last.again()
            again.tasks = graph_run(self._catalog, root, last.scheduled, "", None, 0).tasks
            self._begin(again)

    def cancel(self, task: Task) -> int:
        """Cancels what runs of a task; how many that were."""
        running = [query for query, number in list(self._queries.items()) if number == task.id]
        return sum(query.cancel(cancelled_by_user()) for query in running)

    def runs(self, kind: str) -> list[dict[str, Any]]:
        """Records of runs, oldest first.

        Args:
            kind: ``task`` (TASK_HISTORY) or ``graph`` (CURRENT_TASK_GRAPHS, COMPLETE_TASK_GRAPHS).
        """
        return self._history.records(kind)

    def next_run(self, root: Task) -> datetime | None:
        """When a root task runs next, or None if it is suspended or has no schedule."""
        if not (root.started and root.schedule):
            return None
        return self._next(root, datetime.now(UTC))

    # --- schedules -------------------------------------------------------------------------------------------------

    def _scheduled(self) -> list[Task]:
        return [task for task in self._catalog.all("TASK") if task.started and task.schedule]

    def _next(self, root: Task, now: datetime) -> datetime | None:
        since = root.options.get("RESUMED")
        return next_run(parse_schedule(root.schedule), datetime.fromisoformat(since) if since else root.created_on, now)

    def _schedule(self) -> None:
        with self._changed:
            while not self._stopping:
                try:
                    pause = self._look()
                except Exception:  # the next time may do better
                    log.exception("schedules of tasks could not be read")
                    pause = 60.0
                self._changed.wait(pause)

    def _look(self) -> float | None:
        """Begins what is due; seconds until something else is, None for never."""
        now = datetime.now(UTC)
        roots = {task.id: task for task in self._scheduled()}
        for number in [number for number in self._due if number not in roots]:
            del self._due[number]
        for root in roots.values():
            due = self._due.get(root.id)
            if due is not None and due <= now:
                if not self._busy(root):  # else this time is left out
                    self._begin(self._new(root, due, "SCHEDULE", None))
                due = None
            if due is None or self._next(root, now) != due:
                upcoming = self._next(root, now)
                if upcoming is None:
                    self._due.pop(root.id, None)
                else:
                    self._due[root.id] = upcoming
        if not self._due:
            return None
        return min(max((min(self._due.values()) - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_SLEEP)

    def _busy(self, root: Task) -> bool:
        """Whether a graph's next run has to wait for its present one."""
        runs = [graph for graph in self._active if graph.root == root.id]
        if root.options.get("ALLOW_OVERLAPPING_EXECUTION"):
            runs = [graph for graph in runs if graph.states.get(root.id, EXECUTING) == EXECUTING]
        return bool(runs)

    # --- graphs ----------------------------------------------------------------------------------------------------

    def _new(self, root: Task, scheduled: datetime, scheduled_from: str, config: str | None) -> GraphRun:
        return graph_run(self._catalog, root, scheduled, scheduled_from, config, self._catalog.new_id())

    def _begin(self, graph: GraphRun) -> None:
        path = graph.paths[graph.root]
        root = graph.tasks[graph.root]
        graph.record = {
            "ROOT_TASK_NAME": path[-1], "DATABASE_NAME": path[0], "SCHEMA_NAME": path[1], "STATE": EXECUTING,
            "SCHEDULED_FROM": graph.scheduled_from, "FIRST_ERROR_TASK_NAME": None, "FIRST_ERROR_CODE": None,
            "FIRST_ERROR_MESSAGE": None, "SCHEDULED_TIME": graph.scheduled, "QUERY_START_TIME": datetime.now(UTC),
            "NEXT_SCHEDULED_TIME": self.next_run(root), "COMPLETED_TIME": None,
            "ROOT_TASK_ID": task_graphs.task_id(root), "GRAPH_VERSION": graph.version, "RUN_ID": graph.run_id,
            "ATTEMPT_NUMBER": graph.attempt, "CONFIG": graph.config or None, "GRAPH_RUN_GROUP_ID": graph.group,
        }  # fmt: skip
        graph.number = self._history.add("graph", graph.record)
        self._last_failed.pop(graph.root, None)
        self._active.append(graph)
        self._advance(graph)

    def _advance(self, graph: GraphRun) -> None:
        """Begins the tasks of a graph that can run; ends the graph when there are none."""
        ready = [] if self._stopping else graph.ready()
        for task in ready:
            graph.states[task.id] = EXECUTING
            future = self._account.submit(self._run, graph, task)
            self._futures.add(future)
            future.add_done_callback(self._futures.discard)
        if not ready and not graph.running:
            self._end(graph)

    def _end(self, graph: GraphRun) -> None:
        self._active.remove(graph)
        graph.record |= {"STATE": graph.state, "COMPLETED_TIME": datetime.now(UTC)}
        self._history.update(graph.number, graph.record)
        root = self._catalog.by_id(graph.root)
        if isinstance(root, Task) and root.dropped_on is None and not self._stopping:
            self._judge(root, graph)
        for index, (task, config) in enumerate(self._waiting):
            if task.id == graph.root and not self._busy(task) and not self._stopping:
                del self._waiting[index]
                self._begin(self._new(task, datetime.now(UTC), "EXECUTE TASK", config))
                break
        self._changed.notify_all()

    def _judge(self, root: Task, graph: GraphRun) -> None:
        """What a graph's failure or success means for its root: a retry, or at last its suspension."""
        if graph.state == SUCCEEDED:
            self._last_success[root.id] = (graph.group, graph.scheduled)
            if root.failures:
                root.failures = 0
                self._catalog.update(root)
            return
        if graph.state == CANCELLED:
            self._last_failed[root.id] = graph
        if graph.state != FAILED:
            return
        self._last_failed[root.id] = graph
        if graph.attempt <= int(root.options.get("TASK_AUTO_RETRY_ATTEMPTS", 0)):
            self._begin(graph.again())
            return
        root.failures += 1
        most = self._parameter(root, "SUSPEND_TASK_AFTER_NUM_FAILURES", 10)
        if root.started and 0 < most <= root.failures:
            root.started, root.suspended_reason = False, _SUSPENDED
            root.last_suspended_on = datetime.now(UTC)
        self._catalog.update(root)

    def _parameter(self, task: Task, name: str, default: int) -> int:
        """A task's own setting, that of what it lies in, or the account's."""
        current: Any = task
        while current is not None:
            if name in current.options:
                return int(current.options[name])
            current = self._catalog.by_id(current.parent)
        return int(self._catalog.account_parameters.get(name, default))

    # --- one task --------------------------------------------------------------------------------------------------

    def _run(self, graph: GraphRun, task: Task) -> None:
        """Runs one task, in a thread of its own."""
        path = graph.paths[task.id]
        record: dict[str, Any] = {
            "QUERY_ID": None, "NAME": path[-1], "DATABASE_NAME": path[0], "SCHEMA_NAME": path[1],
            "QUERY_TEXT": task.definition, "CONDITION_TEXT": task.condition or None, "STATE": EXECUTING,
            "ERROR_CODE": None, "ERROR_MESSAGE": None, "SCHEDULED_TIME": graph.scheduled,
            "ORIGINAL_SCHEDULED_TIME": graph.scheduled, "QUERY_START_TIME": datetime.now(UTC),
            "NEXT_SCHEDULED_TIME": self.next_run(task), "COMPLETED_TIME": None,
            "ROOT_TASK_ID": graph.record["ROOT_TASK_ID"], "TASK_ID": task_graphs.task_id(task),
            "GRAPH_VERSION": graph.version, "RUN_ID": graph.run_id, "RETURN_VALUE": None,
            "SCHEDULED_FROM": graph.scheduled_from, "ATTEMPT_NUMBER": graph.attempt, "CONFIG": graph.config or None,
            "GRAPH_RUN_GROUP_ID": graph.group,
        }  # fmt: skip
        number = self._history.add("task", record)
        running = RunningTask(graph, task, self._last_success.get(graph.root))
        try:
            self._run_in_session(running, record, lambda: self._history.update(number, record))
        except SnowflakeError as error:
            record |= {"STATE": FAILED, "ERROR_CODE": error.code, "ERROR_MESSAGE": error.message}
        except Exception as error:
            log.exception("task %s failed inside the server", running.name)
            record |= {"STATE": FAILED, "ERROR_CODE": 603, "ERROR_MESSAGE": f"{type(error).__name__}: {error}"}
        record |= {"COMPLETED_TIME": datetime.now(UTC), "RETURN_VALUE": running.return_value}
        with self._changed:
            self._history.update(number, record)
            graph.states[task.id] = record["STATE"]
            if running.return_value is not None:
                graph.values[task.id] = running.return_value
            if record["STATE"] == FAILED and graph.record["FIRST_ERROR_CODE"] is None:
                graph.record |= {
                    "FIRST_ERROR_TASK_NAME": record["NAME"],
                    "FIRST_ERROR_CODE": record["ERROR_CODE"],
                    "FIRST_ERROR_MESSAGE": record["ERROR_MESSAGE"],
                }
            self._advance(graph)

    def _run_in_session(self, running: RunningTask, record: dict[str, Any], begun: Callable[[], None]) -> None:
        task = running.task
        session = self._session(running)
        try:
            check_owner(session.context, task)
            if task.condition and not _holds(session, task.condition):
                record |= {
                    "STATE": SKIPPED,
                    "ERROR_CODE": 40003,
                    "ERROR_MESSAGE": "Conditional expression for task evaluated to false.",
                }
                return
            query, _ = session.query(task.definition)
            record["QUERY_ID"] = query.id
            begun()
            self._queries[query] = task.id
            if self._stopping:
                query.cancel(cancelled_by_user())
            limit = self._parameter(task, "USER_TASK_TIMEOUT_MS", 3_600_000)
            timer = threading.Timer(limit / 1000, query.cancel, [timed_out(max(limit // 1000, 1))])
            timer.daemon = True
            if limit:
                timer.start()
            try:
                session.run(query)
            finally:
                timer.cancel()
                self._queries.pop(query, None)
            error = query.error
            if error is None:
                record["STATE"] = SUCCEEDED
            else:
                cancelled = error.code == _CANCELLED_CODE
                record |= {"STATE": CANCELLED if cancelled else FAILED, "ERROR_CODE": error.code}
                record["ERROR_MESSAGE"] = error.message
        finally:
            self._account.close_session(session)

    def _session(self, running: RunningTask) -> Session:
        """A new session with the task owner's role, in the task's database and schema."""
        task, path = running.task, running.graph.paths[running.task.id]
        context = Context(catalog=self._catalog, session_id=0, user=USER, account=self._catalog.account_name)
        context.role, context.secondary_roles = task.owner or None, "NONE"
        context.database, context.schema = path[0], path[1]
        context.warehouse = task.warehouse or None
        context.client = {"CLIENT_APP_ID": "Task"}
        given = task.options.get("PARAMETERS", {})
        context.parameters = {name: coerce(name, value) for name, value in given.items()}
        session = Session(self._account, context)
        session.task = running
        self._account.open_session(session)
        return session


def _holds(session: Session, condition: str) -> bool:
    """Whether a task's WHEN is true now."""
    result: Any = session.execute(f"SELECT IFF({condition}, 1, 0)")
    table = result.result_set().data
    table = table.read_all() if hasattr(table, "read_all") else table
    return bool(table.column(0)[0].as_py())
