"""What every statement is given, and how a kind of statement is found by its first words."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from polynya.catalog import rights
from polynya.catalog.access import Access, Edge
from polynya.catalog.context import Context
from polynya.types.resultset import ResultSet

if TYPE_CHECKING:
    from threading import Semaphore

    from polynya.catalog.model import CatalogObject, Routine, Task, Warehouse
    from polynya.dialect.dependencies import Dependency
    from polynya.dialect.expression import Expr
    from polynya.dialect.tokens import TokenStream
    from polynya.runtime.handler import LogRecord
    from polynya.runtime.pool import Door, Pool
    from polynya.stages.store import StageStore
    from polynya.storage.connection import Connection


class TaskRuns(Protocol):
    """The runs of tasks, kept by the session room."""

    def changed(self) -> None:
        """A task was made, altered or dropped."""
        ...

    def execute(self, root: Task, config: str | None = None) -> None:
        """Runs a root task's graph now, or once its present run has ended."""
        ...

    def retry_last(self, root: Task) -> None:
        """Runs what has failed of a graph's last run again; SnowflakeError if it has not failed."""
        ...

    def cancel(self, task: Task) -> int:
        """Cancels what runs of a task; how many that were."""
        ...

    def runs(self, kind: str) -> list[dict[str, Any]]:
        """Records of runs of tasks (``task``) or graphs (``graph``), by TASK_HISTORY's column names, oldest first."""
        ...

    def next_run(self, root: Task) -> datetime | None:
        """When a root task runs next, or None."""
        ...


class Results(Protocol):
    """Results and history of past statements (RESULT_SCAN, QUERY_HISTORY), kept by the session room."""

    def result(self, query_id: str) -> ResultSet:
        """The stored result of a query; SnowflakeError if unknown or failed."""
        ...

    def history(self) -> list[dict]:
        """The account's statements so far, one dict a statement with QUERY_HISTORY's column names."""
        ...

    def log(self, record: LogRecord, resource: str) -> None:
        """Puts what a handler printed or logged into the event table; with RESOURCE_ATTRIBUTES, the engine's text."""
        ...

    def events(self) -> list[Any]:
        """The event table's records (``session.events.Event``), oldest first."""
        ...

    def logins(self) -> list[dict[str, Any]]:
        """Logins to the account and attempts at it: LOGIN_HISTORY's columns by name, oldest first."""
        ...

    def accesses(self) -> list[dict[str, Any]]:
        """What the account's statements read and wrote: ACCESS_HISTORY's columns by name, oldest first."""
        ...

    def edges(self, object_id: int, column: str, upstream: bool) -> list[Edge]:
        """Where an object's rows came from, or went to; ``column`` is "" for the object as a whole."""
        ...

    def dependencies(self) -> list[Dependency]:
        """What views, dynamic tables and SQL functions read."""
        ...

    def times(self, query_id: str) -> tuple[datetime, datetime | None] | None:
        """When a statement of the account began and ended (None: it runs); None for an unknown one."""
        ...

    @property
    def tasks(self) -> TaskRuns:
        """The runs of tasks."""
        ...

    def abort(self, query_id: str) -> str:
        """Cancels a running statement; the text that SYSTEM$CANCEL_QUERY answers."""
        ...

    def warehouse_counts(self) -> dict[str, tuple[int, int]]:
        """By a warehouse's name: statements that run on it, and that wait for it."""
        ...

    def warehouse_changed(self, warehouse: Warehouse) -> None:
        """Tells that a warehouse is not as it was: it may have to suspend at another time."""
        ...

    def end_sessions(self, user: str) -> None:
        """Ends all sessions of a user who may no longer be in: what they run is cancelled."""
        ...


class Procedure(Protocol):
    """A procedure while it runs, with the names and rights that it has; kept by the session room."""

    @property
    def execution(self) -> Execution:
        """For statements that run in this thread (Snowflake Scripting)."""
        ...

    @property
    def door(self) -> Door:
        """For requests of a Snowpark session in another process."""
        ...


@dataclass(slots=True)
class Execution:
    """What a statement runs with.

    Args:
        context: current names, parameters, temporary objects; USE, SET and ALTER SESSION change it.
        connection: the session's connection to the engine.
        stages: the files of stages.
        results: past results and history.
        execute: runs another statement's text in the same session (EXECUTE IMMEDIATE, scripting).
        runtime: the workers in which Python handlers run.
        cancelled: whether the statement is being cancelled; asked while it waits for something else than the engine.
        open_procedure: begins a procedure's run: ``open_procedure(execution, routine)`` as a context manager.
        access: where the statement notes what it reads and writes.
        use_warehouse: what a statement calls before it reads or writes rows, or runs handlers: it gets a place on the
            session's warehouse, for which it may have to wait.
        workers: places of the warehouse's workers of Python handlers.
    """

    context: Context
    connection: Connection
    stages: StageStore
    results: Results
    execute: Callable[..., ResultSet]
    runtime: Pool | None = None
    cancelled: Callable[[], bool] = lambda: False
    open_procedure: Callable[[Execution, Routine], AbstractContextManager[Procedure]] | None = None
    access: Access = field(default_factory=Access)
    use_warehouse: Callable[[], None] = lambda: None
    workers: Callable[[], Semaphore | None] = lambda: None

    def require(self, privilege: str | tuple[str, ...], item: CatalogObject) -> None:
        """Refuses the statement unless the session has a privilege (one of several) on an object.

        Raises:
            SnowflakeError: 002003 for an object that the session may not see, 003001 for one that it sees.
        """
        rights.require(self.context, privilege, item)

    def require_account(self, privilege: str) -> None:
        """Refuses the statement unless the session has a global privilege: 003001."""
        rights.require_account(self.context, privilege)

    def call_table(self, routine: Routine, arguments: list[Expr]) -> ResultSet:
        """The rows of a procedure that a query reads in FROM.

        Args:
            routine: a procedure with a table result.
            arguments: bound, of its arguments' types.
        """
        from polynya.statements.call import call_bound

        return call_bound(self, routine, arguments)


# Takes the execution and the statement's tokens (positioned at the start), answers its result.
Handler = Callable[["Execution", "TokenStream"], ResultSet]

_HANDLERS: dict[tuple[str, ...], Handler] = {}


def statement(*words: str) -> Callable[[Handler], Handler]:
    """Registers a handler for statements that begin with these words.

    Args:
        words: one or more beginnings, e.g. ``"SHOW"``, ``"CREATE STAGE"``; the longest match wins. For CREATE, the
            modifiers (OR REPLACE, TEMPORARY, SCOPED, SECURE, TRANSIENT, IF NOT EXISTS ...) are skipped in matching.
    """

    def register(handler: Handler) -> Handler:
        for text in words:
            _HANDLERS[tuple(text.split())] = handler
        return handler

    return register


# Between CREATE and the kind of object; they do not decide which statement it is.
CREATE_MODIFIERS = {
    "OR", "REPLACE", "ALTER", "SCOPED", "TEMP", "TEMPORARY", "LOCAL", "GLOBAL", "VOLATILE", "TRANSIENT", "SECURE",
    "RECURSIVE", "HYBRID", "IF", "NOT", "EXISTS", "AGGREGATE",
}  # fmt: skip


def find_handler(words: list[str]) -> Handler | None:
    """The handler of a statement that begins with these upper-case words, or None."""
    if words and words[0] == "CREATE":
        words = ["CREATE", *(word for word in words[1:] if word not in CREATE_MODIFIERS)]
    for length in range(min(len(words), 4), 0, -1):
        handler = _HANDLERS.get(tuple(words[:length]))
        if handler:
            return handler
    return None
