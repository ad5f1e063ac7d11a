"""A procedure's session: what its handler's statements run in, with the caller's rights or its owner's.

Sources: docs.snowflake.com/en/developer-guide/stored-procedure/stored-procedures-rights,
docs.snowflake.com/en/sql-reference/transactions (stored procedures and transactions).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from polynya.catalog.context import Context
from polynya.catalog.model import Routine
from polynya.dialect.binds import Binds
from polynya.errors import SnowflakeError, unsupported
from polynya.session.query import Query, cancelled_by_user
from polynya.session.query_type import first_words
from polynya.session.session import NAMES, Session
from polynya.statements import transactions
from polynya.statements.base import Execution
from polynya.statements.dispatch import COMMITTING
from polynya.types.resultset import ResultSet

if TYPE_CHECKING:
    from polynya.runtime.pool import Door
    from polynya.session.results import StoredResult
    from polynya.storage.connection import Connection

# What runs the handler: results are sent as Python's drivers read them, whatever the caller's client is.
_CLIENT = {"CLIENT_APP_ID": "PythonSnowpark"}
# Procedures that call procedures: each of them holds a process and a thread.
MAX_DEPTH = 16
# Statements that an owner's rights procedure may not use, by their first words, and how the error calls them.
_REFUSED = {
    ("ALTER", "SESSION"): "ALTER_SESSION",
    ("ALTER", "USER"): "ALTER_USER",
    ("SET",): "SET",
    ("UNSET",): "UNSET",
    ("USE",): "USE",
}


def _execution_error(code: int, sqlstate: str, text: str) -> SnowflakeError:
    return SnowflakeError(code, sqlstate, f"Stored procedure execution error: {text}")


class ProcedureSession(Session):
    """The session of one run of a procedure. It has the caller's id, and its connection, which the CALL holds.

    Args:
        caller: session whose statement calls the procedure.
        parent: that statement.
        root: the query whose cancelling ends it.
        execution: what the CALL runs with.
        owner: the procedure, if it runs with its owner's rights; None for the caller's.
    """

    def __init__(
        self, caller: Session, parent: Query, root: Query, execution: Execution, owner: Routine | None
    ) -> None:
        context = replace(execution.context, client=_CLIENT)
        super().__init__(caller.account, context if owner is None else _with_owners_rights(context, owner))
        self.id = self.context.session_id = caller.id
        self.task = caller.task
        self.depth: int = caller.depth + 1 if isinstance(caller, ProcedureSession) else 1
        # Whatever an owner's rights procedure calls has its owner's rights at most.
        self.restricted: bool = owner is not None or (isinstance(caller, ProcedureSession) and caller.restricted)
        self._changes = execution.context if owner is None else None
        self._timezones = caller._timezones
        self._caller = caller
        self._parent = parent
        self._root = root
        self._outer = self._connection = execution.connection
        self._in_transaction = execution.connection.in_transaction
        self._own: Connection | None = None  # of a transaction beside the one around the procedure
        self._queries: list[Query] = []
        self._opened: Any = None
        self._door: Door | None = None

    # --- the Procedure protocol -------------------------------------------------------------------------------------

    @property
    def execution(self) -> Execution:
        assert self._connection is not None
        return self._execution(self._parent, self._root, self.context, self._connection)

    @property
    def door(self) -> Door:
        if self._door is None:
            if self.account.open_door is None:
                raise unsupported("procedures outside a server")
            self._opened = self.account.open_door(self)
            self._door = self._opened.__enter__()
        return self._door

    def _place_holder(self, root: Query) -> Query:
        """The outermost CALL's: handlers wait for what they ask, so this must not wait for places that such calls hold."""
        return self._caller._place_holder(self._root)

    # --- as its client sees it --------------------------------------------------------------------------------------

    def query(self, text: str, binds: Binds | None = None, **options: Any) -> tuple[Query, bool]:
        query, new = super().query(text, binds, **options)
        if new:
            self._queries = [other for other in self._queries if not other.done]
            self._queries.append(query)
        return query, new

    def close(self) -> None:
        """Does nothing: the session is the caller's."""

    def end(self, failed: bool) -> None:
        """Ends the run: what it left running is cancelled, a transaction that it left open is rolled back.

        Args:
            failed: there is an error already.

        Raises:
            SnowflakeError: 090232 if it left a transaction open.
        """
        self.closed = True
        if self._opened is not None:
            self._opened.__exit__(None, None, None)
        for query in self._queries:
            query.cancel(self._root.cancelled or cancelled_by_user())
        pause = threading.Event()
        while not all(query.done for query in self._queries):
            pause.wait(0.01)
        if self._changes is not None:
            for name in (*NAMES, "parameters"):
                setattr(self._changes, name, getattr(self.context, name))
        open_one = self._own if self._own is not None else None if self._in_transaction else self._outer
        incomplete = open_one is not None and open_one.in_transaction
        if incomplete and open_one is not None:
            open_one.rollback()
        self._end_own()
        if incomplete and not failed:
            raise _execution_error(
                90232,
                "22000",
                "Scoped transaction started in stored procedure is incomplete and it was rolled back.",
            )

    # --- how its statements run -------------------------------------------------------------------------------------

    def _new(self, text: str, parameters: dict[str, Any], internal: bool = False, parent: str | None = None) -> Query:
        return super()._new(text, parameters, internal, parent or self._parent.id)

    def _run_one(self, query: Query, text: str, interrupts: Query | None = None) -> StoredResult | ResultSet:
        if query.describe_only:
            return super()._run_one(query, text, interrupts)
        with self._scoped(text, query.parameters):
            return super()._run_one(query, text, interrupts)

    def _nested(
        self, parent: Query, root: Query, context: Context, connection: Connection, text: str, binds: Binds
    ) -> ResultSet:
        with self._scoped(text, {}):
            if connection in (self._outer, self._own) and self._connection is not None:
                connection = self._connection
                root.runs_on(connection)
            return super()._nested(parent, root, context, connection, text, binds)

    @contextmanager
    def _scoped(self, text: str, parameters: dict[str, Any]) -> Iterator[None]:
        """Checks that a statement may run in a procedure, and on which connection."""
        words = first_words(text)
        self._check_rights(words)
        command = transactions.command(words) if words else None
        if not self._in_transaction or (command is None and (not words or words[0] not in COMMITTING)):
            yield
            return
        with self._turn:
            if self._own is None:
                self._enter_scope(command, parameters)
            yield
            if self._own is not None and not self._own.in_transaction:
                self._end_own()

    def _check_rights(self, words: list[str]) -> None:
        """Refuses what an owner's rights procedure may not do."""
        if not self.restricted:
            return
        for length in (2, 1):
            kind = _REFUSED.get(tuple(words[:length]))
            if kind is not None:
                raise _execution_error(90236, "42601", f"Unsupported statement type '{kind}'.")

    def _enter_scope(self, command: str | None, parameters: dict[str, Any]) -> None:
        """A transaction is open around the procedure: BEGIN begins one beside it, nothing else may touch it."""
        if command == "BEGIN":
            self._own = self._connection = self._outer.sibling()
            return
        name = "SNOWPARK_SKIP_TXN_COMMIT_IN_DDL"
        if command is None and parameters.get(name, self.context.parameter(name)):
            return
        raise SnowflakeError(
            90214, "22000", "Modifying a transaction that has started at a different scope is not allowed."
        )

    def _end_own(self) -> None:
        own, self._own = self._own, None
        self._connection = self._outer
        if own is not None:
            own.close()


@contextmanager
def open_procedure(
    caller: Session, parent: Query, root: Query, execution: Execution, routine: Routine
) -> Iterator[ProcedureSession]:
    """The session of a procedure while it runs.

    Args:
        caller: session whose statement calls it.
        parent: that statement.
        root: the query whose cancelling ends it.
        execution: what the CALL runs with.
        routine: the procedure.

    Raises:
        SnowflakeError: 090232 if the procedure leaves a transaction open; 090235 if it is nested too deep.
    """
    # EXECUTE AS CALLER and EXECUTE AS RESTRICTED CALLER.
    with_callers_rights = str(routine.options.get("EXECUTE_AS", "OWNER")).endswith("CALLER")
    session = ProcedureSession(caller, parent, root, execution, None if with_callers_rights else routine)
    if session.depth > MAX_DEPTH:
        raise _execution_error(
            90235, "54001", f"Procedure {routine.name} is nested too deep: at most {MAX_DEPTH} calls in each other."
        )
    failed = True
    try:
        yield session
        failed = False
    finally:
        session.end(failed)


def _with_owners_rights(caller: Context, routine: Routine) -> Context:
    """The owner's role, the procedure's database and schema, none of the caller's variables.

    Temporary objects are the session's: a procedure may read those of its caller, and leave some behind.
    """
    schema = caller.catalog.by_id(routine.parent)
    database = caller.catalog.by_id(schema.parent) if schema else None
    return replace(
        caller,
        role=routine.owner or caller.role,
        acting=None,
        secondary_roles="NONE",
        database=database.name if database else caller.database,
        schema=schema.name if schema else caller.schema,
        parameters=dict(caller.parameters),
        variables={},
        last_query_ids=[],
    )
