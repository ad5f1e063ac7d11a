"""A client's session: its context, its connection to the engine, and how its statements run."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from polynya.catalog.access import Access, Edge
from polynya.catalog.context import Context
from polynya.catalog.model import Warehouse
from polynya.catalog.monitoring import may_cancel
from polynya.catalog.parameters import coerce
from polynya.catalog.warehouse_sizes import setting
from polynya.dialect.binds import Binds
from polynya.dialect.dependencies import Dependency, dependencies
from polynya.errors import SnowflakeError
from polynya.session import multi
from polynya.session.bind_stage import read_bind_stage
from polynya.session.events import Event
from polynya.session.history import QueryRecord
from polynya.session.ids import new_query_id, new_session_id
from polynya.session.query import Query, bare, timed_out
from polynya.session.query_type import first_words, query_type, recorded_text
from polynya.session.results import not_found
from polynya.session.split import check_count, split_statements
from polynya.statements.base import Execution
from polynya.storage.errors import full_disk
from polynya.types.resultset import ResultSet, StatementType
from polynya.types.variant import encode

if TYPE_CHECKING:
    from polynya.catalog.model import Routine
    from polynya.runtime.handler import LogRecord
    from polynya.session.account import Account
    from polynya.session.results import StoredResult
    from polynya.session.tasks import Tasks
    from polynya.statements.base import Procedure
    from polynya.storage.connection import Connection

log = logging.getLogger(__name__)

# Statements that may run beside another one of their session, on a connection of their own: they neither read nor
# change the session's transaction, temporary tables or settings.
_INDEPENDENT = {
    "SELECT",
    "WITH",
    "SHOW",
    "DESCRIBE",
    "DESC",
    "LIST",
    "LS",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "COPY",
}
# These must not wait for what they are to stop.
_CANCELLING = re.compile(r"^\s*SELECT\s+SYSTEM\$(CANCEL|ABORT)_", re.IGNORECASE)
# The longest STATEMENT_TIMEOUT_IN_SECONDS: not watched.
_NO_TIMEOUT = 172_800
_REQUESTS = 200
_LAST_QUERY_IDS = 1000


class Session:
    """One session.

    Args:
        account: what the server's sessions share.
        context: its names and parameters as of login; ``session_id`` is set here.
    """

    def __init__(self, account: Account, context: Context) -> None:
        self.account = account
        self.id = new_session_id()
        context.session_id = self.id
        self.context = context
        self.created = datetime.now(UTC)
        # Statements that use the session's own connection run one after the other.
        self._turn = threading.RLock()
        self._connection: Connection | None = None
        self._timezones: dict[int, Any] = {}
        self._requests: OrderedDict[str, Query] = OrderedDict()
        self._requests_lock = threading.Lock()
        self.closed = False
        # The task that runs in the session (``session.task_graph.RunningTask``), if one does.
        self.task: Any = None
        self.expelled = False
        # Of a login: its roles are its user's, as they are when a statement begins. (A procedure has its owner's.)
        self.has_users_roles = False
        self._grants_seen = -1

    # --- what a client asks for ---------------------------------------------------------------------------------

    def query(
        self,
        text: str,
        binds: Binds | None = None,
        *,
        describe_only: bool = False,
        parameters: dict[str, Any] | None = None,
        request_id: str = "",
        asynchronous: bool = False,
        internal: bool = False,
        bind_stage: str = "",
    ) -> tuple[Query, bool]:
        """Takes in a statement.

        Args:
            text: one statement, or several if MULTI_STATEMENT_COUNT allows.
            binds: its bind variables.
            describe_only: answer with the columns and do not run it.
            parameters: session parameters for this statement only.
            request_id: the client's id of its request; the same one again is the same query, not a second one.
            asynchronous: the client will ask for the result later.
            internal: sent by the client on its own account.
            bind_stage: where the client uploaded the binds, if it did.

        Returns:
            (the query, whether it is new and has to be run).
        """
        with self._requests_lock:
            known = self._requests.get(request_id) if request_id else None
            if known is not None:
                return known, False
            own = {name.upper(): value for name, value in parameters.items()} if parameters else {}
            query = self._new(text, own, internal)
            query.binds = binds or {}
            query.describe_only = describe_only
            query.request_id = request_id
            query.asynchronous = asynchronous
            query.bind_stage = bind_stage
            if request_id:
                self._requests[request_id] = query
                if len(self._requests) > _REQUESTS:
                    self._requests.popitem(last=False)
        self.account.remember(query)
        return query, True

    def run(self, query: Query) -> Query:
        """Runs a statement to its end; its outcome is in the query, nothing is raised."""
        if not query.describe_only:
            self.account.history.add(query.record)
        watch = self._watch(query)
        try:
            try:
                query.result = self._run(query)
            except SnowflakeError as error:
                query.error = bare(query.cancelled or error)
            except Exception as error:
                query.error = query.cancelled or _internal(error, query)
        finally:
            if watch is not None:
                watch.cancel()
            query.finish()
            self._close_record(query)
        return query

    def execute(
        self,
        text: str,
        binds: Binds | None = None,
        describe_only: bool = False,
        parameters: dict[str, Any] | None = None,
    ) -> StoredResult | ResultSet:
        """Runs a statement in this thread.

        Returns:
            Its stored result; for ``describe_only`` a result without rows.

        Raises:
            SnowflakeError: what went wrong.
        """
        query, _ = self.query(text, binds, describe_only=describe_only, parameters=parameters)
        self.run(query)
        if query.error is not None:
            raise query.error
        assert query.result is not None
        return query.result

    def find_request(self, request_id: str) -> Query | None:
        """The query of a client's request."""
        return self._requests.get(request_id)

    def expel(self) -> None:
        """Answers no more requests; ``close`` is still to come."""
        self.expelled = True
        self.account.abort_all(self.id)

    def close(self) -> None:
        """Cancels what runs, rolls back the open transaction, drops temporary objects."""
        if self.closed:
            return
        self.closed = True
        self.account.abort_all(self.id)
        with self._turn:
            self.account.stages.drop_temporary(self.context)
            self.account.catalog.forget_temporary(self.context)
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def owns(self, record: QueryRecord) -> bool:
        """Whether a statement is one of this session's user, and not of a dropped one of the same name; a session that
        is restricted to a role has the statements of that role."""
        context = self.context
        user, token = context.catalog.child(0, "USER", context.user), context.access_token
        return (
            record.user_name == context.user
            and (user is None or record.start_time >= user.created_on)
            and (token is None or token.role in ("", record.role_name))
        )

    # --- for statements (the Results protocol) ------------------------------------------------------------------

    def result(self, query_id: str) -> ResultSet:
        """The stored result of a query of this session's user.

        Raises:
            SnowflakeError: its own error if it failed; 000709 if there is none or it is another user's.
        """
        record = self.account.history.find(query_id)
        if record is None or not self.owns(record):
            raise not_found(query_id)
        return self.account.result(query_id).result_set()

    def history(self) -> list[dict]:
        """The account's statements so far, QUERY_HISTORY's columns, oldest first."""
        return [record.row() for record in self.account.history.records()]

    def logins(self) -> list[dict]:
        """Logins to the account and attempts at it, LOGIN_HISTORY's columns, oldest first."""
        return self.account.logins.records()

    def log(self, record: LogRecord, resource: str) -> None:
        """Puts what a handler printed or logged into the event table; with RESOURCE_ATTRIBUTES, the engine's text."""
        attributes = encode(record.attributes)
        self.account.events.add(Event(record.time, record.scope, record.severity, record.text, resource, attributes))

    def events(self) -> list[Event]:
        """The event table's records, oldest first."""
        return self.account.events.records()

    def accesses(self) -> list[dict[str, Any]]:
        """What the account's statements read and wrote: ACCESS_HISTORY's columns by name, oldest first."""
        return self.account.accesses.records()

    def edges(self, object_id: int, column: str, upstream: bool) -> list[Edge]:
        """Where an object's rows came from, or went to."""
        return self.account.accesses.edges(object_id, column, upstream)

    @property
    def tasks(self) -> Tasks:
        """The account's tasks."""
        return self.account.tasks

    def dependencies(self) -> list[Dependency]:
        """What views, dynamic tables and SQL functions read."""
        return list(dependencies(self.context))

    def times(self, query_id: str) -> tuple[datetime, datetime | None] | None:
        """When a statement of the account began and ended, None while it runs; None for an unknown one."""
        record = self.account.history.find(query_id)
        return None if record is None else (record.start_time, record.end_time)

    def abort(self, query_id: str) -> str:
        """Cancels a running statement of this user, or of a warehouse that the role operates; the text that
        SYSTEM$CANCEL_QUERY answers."""
        query = self.account.query(query_id)
        allowed = query is not None and may_cancel(self.context, query.record.row())
        if allowed and self.account.abort(query_id):
            return f"query [{query_id}] terminated."
        return "Specified query is not running or does not exist."

    def warehouse_counts(self) -> dict[str, tuple[int, int]]:
        """By a warehouse's name: statements that run on it, and that wait for it."""
        return self.account.warehouses.counts()

    def warehouse_changed(self, warehouse: Warehouse) -> None:
        """A warehouse is not as it was: it may have to suspend at another time."""
        self.account.warehouses.changed(warehouse)

    def end_sessions(self, user: str) -> None:
        """Ends all sessions of a user who may no longer be in."""
        self.account.end_sessions(user)

    def abort_all(self, session_id: int, own: str) -> str:
        """Cancels a session's running statements but the one that asks (``own``, its query id); the text that
        SYSTEM$CANCEL_ALL_QUERIES answers."""
        running = [q for q in self.account.running() if q.session.id == session_id and q.id != own]
        running = [q for q in running if may_cancel(self.context, q.record.row())]
        count = sum(self.account.abort(query.id) for query in running)
        return f"cancelled {count} statement(s) in this session."

    # --- how it runs --------------------------------------------------------------------------------------------

    def _new(self, text: str, parameters: dict[str, Any], internal: bool = False, parent: str | None = None) -> Query:
        context = self.context
        tag = parameters.get("QUERY_TAG")
        record = QueryRecord(
            query_id=new_query_id(),
            query_text=recorded_text(text),
            session_id=self.id,
            user_name=context.user,
            start_time=datetime.now(UTC),
            role_name=context.role,
            warehouse_name=context.warehouse,
            database_name=context.database,
            schema_name=context.schema,
            query_type=query_type(text),
            query_tag=str(context.parameter("QUERY_TAG") or "") if tag is None else str(tag),
            is_client_generated_statement=internal,
            parent_query_id=parent,
        )
        values = {name: coerce(name, value) for name, value in parameters.items() if value is not None}
        return Query(record.query_id, self, text, record, parameters=values)

    def _run(self, query: Query) -> StoredResult | ResultSet:
        statements = split_statements(query.text)
        if not statements:
            raise SnowflakeError(900, "42601", "SQL compilation error:\nEmpty SQL statement.")
        count = query.parameters.get("MULTI_STATEMENT_COUNT", self.context.parameter("MULTI_STATEMENT_COUNT"))
        # A single statement passes whatever the count allows, as long as it allows one.
        if len(statements) > 1 or count > 1:
            check_count(statements, count)
            return self._run_many(query, statements)
        return self._run_one(query, statements[0])

    def _run_many(self, query: Query, statements: list[str]) -> StoredResult | ResultSet:
        """Runs several statements one after the other; the answer names their query ids."""
        if query.describe_only:
            return multi.answer([])
        children = []
        with self._turn:
            for text, binds in multi.share_binds(statements, query.binds):
                child = self._new(text, query.parameters, parent=query.id)
                child.parameters.pop("MULTI_STATEMENT_COUNT", None)
                child.binds = binds
                self.account.remember(child)
                self.account.history.add(child.record)
                try:
                    child.result = self._run_one(child, text, interrupts=query)
                except SnowflakeError as error:
                    child.error = bare(query.cancelled or error)
                    raise
                except Exception as error:
                    child.error = _internal(error, child)
                    raise child.error from None
                finally:
                    child.finish()
                    self._close_record(child)
                    child.release()
                children.append(child)
        return self.account.results.put(query.id, multi.answer(children))

    def _run_one(self, query: Query, text: str, interrupts: Query | None = None) -> StoredResult | ResultSet:
        """Runs one statement on the connection it may use.

        Args:
            query: whose statement it is.
            text: the statement without its semicolon.
            interrupts: the query whose cancelling interrupts this one, if not itself.
        """
        from polynya.statements import dispatch

        cancellable = interrupts or query
        with self._engine(query, text) as connection, self.account.imports.statement():
            context = self._statement_context(query)
            parameters = dict(context.parameters)
            names = _names(context)
            self._set_timezone(connection, context)
            cancellable.runs_on(connection)
            try:
                execution = self._execution(query, cancellable, context, connection)
                binds = query.binds
                if query.bind_stage:
                    binds = read_bind_stage(self.account.stages, query.bind_stage, context)
                result = dispatch.run(execution, text, binds, query.describe_only)
                if query.describe_only:
                    return result
                stored = self.account.results.put(query.id, result)
                self._note_access(query)
                return stored
            finally:
                cancellable.runs_on(None)
                self.account.warehouses.leave(cancellable)
                self._take_over(context, names, parameters)
                if not query.describe_only:
                    ids = self.context.last_query_ids
                    ids.append(query.id)
                    if len(ids) > _LAST_QUERY_IDS:
                        del ids[: _LAST_QUERY_IDS // 2]

    def _execution(self, query: Query, root: Query, context: Context, connection: Connection) -> Execution:
        """What a statement of this session runs with.

        Args:
            query: the statement.
            root: the query whose cancelling ends it.
            context: its names and settings.
            connection: on which it runs.
        """

        def nested(text: str, binds: Binds | None = None) -> ResultSet:
            return self._nested(query, root, context, connection, text, binds or {})

        def procedure(execution: Execution, routine: Routine) -> AbstractContextManager[Procedure]:
            from polynya.session.procedure import open_procedure

            return open_procedure(self, query, root, execution, routine)

        def use_warehouse() -> None:
            if self.task is not None and context.warehouse is None:
                return  # a serverless task has what the engine has
            self.account.warehouses.enter(self._place_holder(root), context, waits=not connection.in_transaction)

        connection.query_id = query.id
        return Execution(
            context, connection, self.account.stages, self, nested, self.account.runtime,
            lambda: root.cancelled is not None, procedure, query.access, use_warehouse,
            lambda: self.account.warehouses.workers(context),
        )  # fmt: skip

    def _place_holder(self, root: Query) -> Query:
        """Whose place on a warehouse a statement uses."""
        return root

    def _nested(
        self, parent: Query, root: Query, context: Context, connection: Connection, text: str, binds: Binds
    ) -> ResultSet:
        """Runs a statement from within another one (EXECUTE IMMEDIATE, scripting, SQL procedures)."""
        from polynya.statements import dispatch

        child = self._new(text, {}, parent=parent.id)
        outer = context.query_id
        self.account.remember(child)
        self.account.history.add(child.record)
        try:
            if root.cancelled is not None:
                raise root.cancelled
            context.query_id = child.id
            self.account.imports.again()
            execution = self._execution(child, root, context, connection)
            child.result = self.account.results.put(child.id, dispatch.run(execution, text, binds, False))
            self._note_access(child)
            context.last_query_ids.append(child.id)
            answer = child.result.result_set()
        except SnowflakeError as error:
            child.error = bare(error)
            raise
        except Exception as error:
            child.error = _internal(error, child)
            raise child.error from None
        finally:
            context.query_id = connection.query_id = outer
            child.finish()
            self._close_record(child)
            child.release()
        return answer

    @contextmanager
    def _engine(self, query: Query, text: str) -> Iterator[Connection]:
        """The connection for a statement: the session's, or its own if it may run beside others."""
        beside = query.asynchronous or not self._turn.acquire(blocking=False)
        if beside and self._is_independent(query, text):
            connection = self._own_connection().sibling()
            try:
                yield connection
            finally:
                self._timezones.pop(id(connection), None)
                connection.close()
            return
        if beside:
            query.record.execution_status = "QUEUED"
            while not self._turn.acquire(timeout=0.1):
                if query.cancelled is not None:
                    raise query.cancelled
            query.record.execution_status = "RUNNING"
        try:
            yield self._own_connection()
        finally:
            self._turn.release()

    def _own_connection(self) -> Connection:
        if self.closed:
            raise SnowflakeError(390111, "08001", "Session no longer exists. New login required to access the service.")
        connection = self._connection
        if connection is None:
            with self._requests_lock:
                connection = self._connection
                if connection is None:
                    connection = self._connection = self.account.engine.connect()
        return connection

    def _is_independent(self, query: Query, text: str) -> bool:
        if not query.describe_only:
            words = first_words(text)
            if not words or words[0] not in _INDEPENDENT:
                return False
        if _CANCELLING.search(text):
            return True
        if self._connection is not None and self._connection.in_transaction:
            return False
        if not self.context.parameter("AUTOCOMMIT"):
            return False
        temporary = [name.upper() for _, kind, name in list(self.context.temporary) if kind == "TABLE"]
        if not temporary:
            return True
        # Temporary tables are seen by the session's own connection only.
        upper = text.upper()
        return "IDENTIFIER" not in upper and not any(name in upper for name in temporary)

    def _statement_context(self, query: Query) -> Context:
        """The session's context as one statement sees it: its id, its clock, its own parameters."""
        context = self.context
        if self.has_users_roles:
            self._drop_lost_roles(context)
        parameters = {**context.parameters, **query.parameters} if query.parameters else context.parameters.copy()
        return replace(context, query_id=query.id, statement_start=query.record.start_time, parameters=parameters)

    def _drop_lost_roles(self, context: Context) -> None:
        """Roles that were taken from the user since the last statement, or dropped, no longer count."""
        catalog = context.catalog
        if self._grants_seen == catalog.grants_version:
            return
        self._grants_seen = catalog.grants_version
        available = set(catalog.roles_of(context.user))
        if context.role not in available:
            context.role = "PUBLIC"
        if context.secondary_roles not in ("ALL", "NONE"):
            kept = [name for name in context.secondary_roles.split(",") if name in available]
            context.secondary_roles = ",".join(kept) or "NONE"

    def _take_over(self, context: Context, names: tuple, parameters: dict[str, Any]) -> None:
        """Brings what a statement changed (USE, ALTER SESSION ...) into the session's context.

        Args:
            context: the statement's context after it ran.
            names: ``_names`` of it before.
            parameters: its parameters before.
        """
        session = self.context
        for attribute, before, after in zip(NAMES, names, _names(context), strict=True):
            if before is not after:
                setattr(session, attribute, after)
        if context.parameters != parameters:
            merged = dict(session.parameters)
            for name in parameters.keys() | context.parameters.keys():
                if name not in context.parameters:
                    merged.pop(name, None)
                elif name not in parameters or context.parameters[name] != parameters[name]:
                    merged[name] = context.parameters[name]
            session.parameters = merged

    def _set_timezone(self, connection: Connection, context: Context) -> None:
        timezone = context.parameter("TIMEZONE")
        if self._timezones.get(id(connection)) != timezone:
            connection.set_timezone(timezone)
            self._timezones[id(connection)] = timezone

    def _watch(self, query: Query) -> threading.Timer | None:
        """A timer for STATEMENT_TIMEOUT_IN_SECONDS, the session's or its warehouse's, if one is set."""
        name = "STATEMENT_TIMEOUT_IN_SECONDS"
        limits = [query.parameters.get(name, self.context.parameter(name))]
        warehouse = self.account.catalog.child(0, "WAREHOUSE", self.context.warehouse or "")
        if isinstance(warehouse, Warehouse):
            limits.append(setting(warehouse, name))
        seconds = min((limit for limit in limits if limit > 0), default=0)
        if not 0 < seconds < _NO_TIMEOUT:
            return None
        timer = threading.Timer(seconds, query.cancel, [timed_out(seconds)])
        timer.daemon = True
        timer.start()
        return timer

    def _note_access(self, query: Query) -> None:
        """Keeps what a statement read and wrote, before its client hears that it is done."""
        if query.access:
            self.account.accesses.add(query.record, query.access)

    def _close_record(self, query: Query) -> None:
        record = query.record
        record.end_time = datetime.now(UTC)
        record.total_elapsed_time = int((record.end_time - record.start_time).total_seconds() * 1000)
        error = query.error
        if error is not None:
            record.error_code, record.sqlstate, record.error_message = error.code, error.sqlstate, error.message
            record.execution_status = "FAILED_WITH_INCIDENT" if error.code == _INTERNAL else "FAILED_WITH_ERROR"
        else:
            record.execution_status = "SUCCESS"
            _count_rows(record, query.result)
        query.access = Access()  # which held on to catalog objects
        if not query.describe_only:
            self.account.history.finish(record)


NAMES = ("role", "secondary_roles", "warehouse", "database", "schema", "temporary", "variables")
_INTERNAL = 603


def _names(context: Context) -> tuple:
    return (
        context.role, context.secondary_roles, context.warehouse, context.database, context.schema, context.temporary,
        context.variables,
    )  # fmt: skip


def _count_rows(record: QueryRecord, result: StoredResult | ResultSet | None) -> None:
    rows = getattr(result, "rows", None)
    record.rows_produced = rows
    affected = result.rows_affected if result is not None else None
    if affected is None or result is None:
        return
    record.rows_produced = affected
    match result.statement_type:
        case StatementType.INSERT | StatementType.COPY:
            record.rows_inserted = affected
        case StatementType.UPDATE:
            record.rows_updated = affected
        case StatementType.DELETE:
            record.rows_deleted = affected


def _internal(error: BaseException, query: Query) -> SnowflakeError:
    """A failure of ours: logged with its traceback, answered as Snowflake's 000603."""
    log.error("query %s failed inside the server: %s", query.id, recorded_text(query.text)[:2000], exc_info=error)
    full = full_disk(error)
    if full is not None:
        return full
    detail = f"{type(error).__name__}: {error}".strip()[:500]
    return SnowflakeError(
        _INTERNAL,
        "XX000",
        f"SQL execution internal error:\nProcessing aborted by error {detail}; incident {time.time_ns() // 1000}.",
    )
