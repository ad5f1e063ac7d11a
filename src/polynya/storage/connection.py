"""A session's connection to the engine: statements, transactions, locks, cancellation.

Transactions differ from DuckDB's in three ways, so that clients meet Snowflake's rules
(https://docs.snowflake.com/en/sql-reference/transactions):

- A statement that fails changes nothing and leaves the transaction open. DuckDB aborts it; we begin a new one and run
  the transaction's earlier writes again (values of sequences and random functions are then drawn anew).
- Every statement sees what others committed before it (READ COMMITTED) as long as the transaction has not written;
  after that, it catches up when it needs a lock on a table that others changed meanwhile.
- Writers of one table wait for each other (``locks``).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa

from polynya.errors import SnowflakeError
from polynya.storage.arrow import in_utc, utc_schema
from polynya.storage.deletes import dated_deletes
from polynya.storage.errors import TransactionConflict, full_disk, translate
from polynya.storage.forks import METADATA
from polynya.storage.snapshots import commit_note
from polynya.storage.steps import Feeds, Inputs
from polynya.storage.temporary_past import Copy, TemporaryPast, written

if TYPE_CHECKING:
    from types import TracebackType

    from polynya.storage.engine import Engine

_BATCH_ROWS = 100_000
# A statement outside a transaction that lost a race at commit is run again.
_CONFLICT_RETRIES = 8
# Writes that a commit's note names: those of stored tables.
_STORED = re.compile(
    r"\s*(?:INSERT INTO|UPDATE|DELETE FROM|(?:CREATE|ALTER|DROP) TABLE(?: IF (?:NOT )?EXISTS)?) lake\."
)
# When a commit came first, DuckLake tries the next one again with what it had gathered. It does that right for rows, but
# DDL then fails with a broken id, and rows that were flushed or rewritten come back beside their new versions (seen on
# 1.5.5 with sessions that update beside one that alters tables). So these run while nobody else commits, and DDL also
# sees to the copy of the schema that it points into: ``schema_copies``.
_UNMET = re.compile(r"\s*(?:(?:CREATE|ALTER|DROP) TABLE(?: IF (?:NOT )?EXISTS)? lake\.|CALL ducklake_)")

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Write:
    """A write of the open transaction, kept so that it can be run again.

    Args:
        sql, inputs: the write.
        rows: that it changed.
        query_id: of the statement.
        copy: what a temporary table was before, if that is what it keeps.
    """

    sql: str
    inputs: Inputs
    rows: int
    query_id: str
    copy: Copy | None = None


class WriteLock:
    """A held lock; as a context manager it is freed at the block's end unless a transaction holds it on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._connection.in_transaction:
            self._connection._release(committed=error is None)


class Connection:
    """One session's way into the engine. One thread uses it at a time; ``interrupt`` may come from any.

    Args:
        duck: its DuckDB connection.
        engine: to which it belongs.
    """

    def __init__(self, duck: duckdb.DuckDBPyConnection, engine: Engine) -> None:
        self._duck = duck
        self.engine = engine
        self.lock_timeout = 43200.0
        # The statement that runs here, and when the connection last committed a change of the lake.
        self.query_id = ""
        self.last_commit: datetime | None = None
        self.temporary_past = TemporaryPast()
        self._wrote: list[str] = []  # statements that have changed the lake in the open transaction
        # Since when it may be reading: files of an older state must stay until it ends.
        self.busy_since: datetime | None = None
        # Ids of the open transaction and of the last one that ended: CURRENT_TRANSACTION, LAST_TRANSACTION.
        self.transaction_id: int | None = None
        # What of streams the open transaction reads, by the streams' ids: the same for all its statements.
        self.stream_reads: dict[int, Any] = {}
        self.last_transaction_id: int | None = None
        self._explicit = False
        self._started = False  # whether DuckDB has a transaction open for us
        self._aborted = False  # whether DuckDB refuses that transaction
        self._gated = False  # whether it keeps others from committing
        self._copy: duckdb.DuckDBPyConnection | None = None  # what then holds the schema's copy
        self._writes: list[_Write] = []
        self._snapshot = 0  # locks.sequence when the transaction's snapshot was taken
        self._locked: set[str] = set()
        self._timezone = "UTC"
        self._feeds: Feeds | None = None  # what the running statement reads from Python
        self._reader: pa.RecordBatchReader | None = None  # its rows
        self._alone = False  # whether it has a transaction of its own
        self._busy = False
        self._interrupt = threading.Event()

    # -- statements

    def query(self, sql: str, inputs: Inputs | None = None) -> pa.RecordBatchReader:
        """Runs a query; its batches are produced while they are read, until the connection's next statement.

        Args:
            sql: in DuckDB's dialect.
            inputs: what the query names besides tables: Arrow tables, Python calls and steps.

        Raises:
            SnowflakeError: also while the batches are read.
        """
        inputs = inputs or {}

        def start() -> pa.RecordBatchReader:
            return self._duck.execute(sql).to_arrow_reader(_BATCH_ROWS)

        def open_reader() -> pa.RecordBatchReader:
            self._ready()
            self.busy_since = self.busy_since or datetime.now(UTC)
            if not self._explicit and Feeds.spools(sql, inputs):
                self._duck.execute("BEGIN")  # one snapshot for all that it reads
                self._alone = True
            return self._run(start, sql, inputs)

        self._reader = self._steady(open_reader)
        return pa.RecordBatchReader.from_batches(utc_schema(self._reader.schema), self._batches(start, sql, inputs))

    def table(self, sql: str, inputs: Inputs | None = None) -> pa.Table:
        """Runs a query and answers its whole result."""
        return self.query(sql, inputs).read_all()

    def execute(self, sql: str, inputs: Inputs | None = None) -> int:
        """Runs DML or DDL.

        Args:
            sql: in DuckDB's dialect.
            inputs: what the statement names besides tables.

        Returns:
            the rows it changed, where DuckDB counts them.
        """
        inputs = inputs or {}
        if not self._explicit:
            return self._autocommit(sql, inputs)

        if _UNMET.match(sql) and not self._gated:
            self.engine.commit_gate.acquire()
            self._gated = True
            try:
                self._copy = self.engine.schema_copies.hold()
            except duckdb.Error as error:
                raise self._failed(error, sql) from error
            if self._started:
                self._replay()  # on the newest version of the schema, whose copy is held
        if written(sql)[0]:
            self._keep(sql)
        rows = self._write(sql, inputs)
        if _STORED.match(sql) and self.query_id not in self._wrote[-1:]:
            self._wrote.append(self.query_id)
        return rows

    def replace_temporary(self, table: str, rebuilt: str) -> None:
        """A temporary table that was made anew takes the name of the old one, which stays as its past.

        Args:
            table, rebuilt: names in the engine of the old and the new one; the caller is inside ``atomic``.
        """
        copy = self.temporary_past.renamed_copy(table, self._rows_of(table))
        if copy is None:
            self._write(f"DROP TABLE {table}", {})
        else:
            self._write(f"ALTER TABLE {table} RENAME TO {_own(copy.name)}", {}, copy)
        self._write(f"ALTER TABLE {rebuilt} RENAME TO {_own(table)}", {})

    def temporary_rows_at(self, table: str, moment: datetime) -> str | None:
        """SQL, for FROM, of a temporary table's rows as of a moment after its creation; None if they are not kept."""
        return self.temporary_past.rows_at(table, moment, [(w.sql, w.rows, w.copy) for w in self._writes])

    # -- transactions

    @property
    def in_transaction(self) -> bool:
        """Whether an explicit transaction is open."""
        return self._explicit

    def begin(self) -> None:
        """Opens a transaction; does nothing if one is open."""
        if not self._explicit:
            self._explicit = True
            self.transaction_id = time.time_ns()
            self._snapshot = self.engine.locks.sequence

    def commit(self) -> None:
        """Makes the transaction's changes durable and visible; does nothing if none is open.

        Raises:
            SnowflakeError: if the engine refuses; nothing of the transaction remains then.
        """
        if not self._explicit:
            return
        committed = False
        try:
            self._ready()
            if self._started:
                with self.engine.commit_gate, dated_deletes(self.engine, [(w.sql, w.rows) for w in self._writes]):
                    if self._wrote:
                        self._note([*self._wrote, self.query_id])
                    with self.engine.schema_copies.changing() if self._gated else nullcontext():
                        self._run(lambda: self._duck.execute("COMMIT"), "COMMIT", {})
            committed = True
            self._note_temporaries(self._writes)
        finally:
            if not committed:
                self._abandon()
            self._end(committed)

    def rollback(self) -> None:
        """Undoes the transaction; does nothing if none is open."""
        if self._explicit:
            self._abandon()
            self._end(committed=False)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """A block of statements that succeed or fail as one, inside a transaction or not."""
        if self._explicit:
            kept, noted = len(self._writes), len(self._wrote)
            try:
                yield
            except BaseException:
                if len(self._writes) > kept:
                    del self._writes[kept:], self._wrote[noted:]
                    self._aborted = True
                raise
            return
        self.begin()
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self.commit()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A block in which others read the lake for this connection: files of its present state must stay."""
        before = self.busy_since
        self.busy_since = before or datetime.now(UTC)
        try:
            yield
        finally:
            self.busy_since = before

    def write_lock(self, table: str, *, shared: bool = False, first: bool = False) -> WriteLock:
        """Waits until no other transaction writes to a table, and keeps them from it until this one's transaction ends.

        Outside a transaction the lock ends with the next ``execute``, or with the block if used in ``with``.

        Args:
            table: ``Table.stored_as``.
            shared: True for inserts, which do not exclude each other.
            first: before others that wait.

        Raises:
            SnowflakeError: 000625 after ``lock_timeout`` seconds or for a deadlock; 000604 when cancelled.
        """
        if not table.startswith("temp."):
            locks = self.engine.locks
            with self._working():
                seen = locks.acquire(
                    self,
                    table,
                    shared=shared,
                    timeout=self.lock_timeout,
                    cancelled=self._interrupt.is_set,
                    first=first,
                )
            self._locked.add(table)
            if self._started and seen > self._snapshot:
                self._replay()
        return WriteLock(self)

    # -- the rest

    def interrupt(self) -> None:
        """Cancels what the connection does now, from any thread; nothing if it is idle."""
        if self._busy:
            self._interrupt.set()
            self._duck.interrupt()
            feeds = self._feeds
            if feeds is not None:
                feeds.interrupt()

    def set_timezone(self, name: str) -> None:
        """Sets the time zone of TIMESTAMPTZ functions: an IANA name."""
        escaped = name.replace("'", "''")
        self._run(lambda: self._duck.execute(f"SET TimeZone = '{escaped}'"), "SET TimeZone", {})
        self._timezone = escaped

    def sibling(self) -> Connection:
        """Another connection to the same engine: it sees neither temporary tables nor uncommitted changes of this."""
        other = self.engine.connect()
        other.query_id = self.query_id
        return other

    def sibling_table(self, sql: str) -> pa.Table:
        """A query's whole result as all others see it: without this transaction's changes."""
        other = self.sibling()
        try:
            return other.table(sql)
        finally:
            other.close()

    def close(self) -> None:
        """Ends the connection; temporary tables and an open transaction go with it."""
        self._unregister()
        self.rollback()
        self._release(committed=False)
        self._duck.close()

    # -- inside

    def _write(self, sql: str, inputs: Inputs, copy: Copy | None = None) -> int:
        """A write of the open transaction."""

        def run() -> int:
            self._ready()
            self._start()
            return self._run(lambda: self._count(sql), sql, inputs)

        rows = self._steady(run)
        self._unregister()
        self._writes.append(_Write(sql, inputs, rows, self.query_id, copy))
        return rows

    def _keep(self, sql: str) -> None:
        """Copies a small temporary table before the transaction's first change of its rows."""
        table = self.temporary_past.must_copy(sql, {write.copy.of for write in self._writes if write.copy is not None})
        if table is not None:
            copy = self.temporary_past.new_copy(table, self._rows_of(table))
            if copy is not None:
                self._write(f"CREATE TEMPORARY TABLE {copy.name} AS SELECT * FROM {table}", {}, copy)

    def _rows_of(self, table: str) -> int:
        """How many rows a table has for the open transaction."""
        sql = f"SELECT count(*) FROM {table}"

        def run() -> int:
            self._ready()
            self._start()
            return self._run(lambda: self._count(sql), sql, {})

        return self._steady(run)

    def _note_temporaries(self, writes: list[_Write]) -> None:
        """Notes what a transaction that was just committed has written to temporary tables."""
        changes = [write for write in writes if write.copy is not None or written(write.sql)[0]]
        if not changes:
            return
        moment = self.last_commit if self._wrote and self.last_commit else datetime.now(UTC)
        for write in changes:
            for name in self.temporary_past.add(write.sql, write.rows, write.copy, write.query_id, moment):
                self._duck.execute(f"DROP TABLE IF EXISTS {name}")

    def _autocommit(self, sql: str, inputs: Inputs) -> int:
        self._ready()
        if written(sql)[0] in ("UPDATE", "DELETE FROM", "ALTER TABLE"):
            with self.atomic():
                return self.execute(sql, inputs)
        committed = False
        try:
            for attempt in range(_CONFLICT_RETRIES):
                try:
                    rows = self._run_alone(sql, inputs)
                    committed = True
                    break
                except TransactionConflict:
                    time.sleep(0.01 * 2**attempt)
            else:
                rows = self._run_alone(sql, inputs)
                committed = True
            self._note_temporaries([_Write(sql, inputs, rows, self.query_id)])
            return rows
        finally:
            self.busy_since = None
            self._release(committed)

    def _steady(self, work: Callable[[], Answer]) -> Answer:
        """Does it again where the lake's own tables changed while they were read."""
        for attempt in range(_CONFLICT_RETRIES):
            try:
                return work()
            except TransactionConflict:
                time.sleep(0.01 * 2**attempt)
        return work()

    def _count(self, sql: str) -> int:
        rows = self._duck.execute(sql).fetchall()
        return rows[0][0] if rows and isinstance(rows[0][0], int) else 0

    def _run_alone(self, sql: str, inputs: Inputs) -> int:
        """DML or DDL outside a transaction; all that it reads comes from one snapshot."""
        self.busy_since = datetime.now(UTC)
        if _UNMET.match(sql):
            with self.engine.commit_gate:
                if not _STORED.match(sql):
                    return self._run(lambda: self._count(sql), sql, inputs)
                with self.engine.schema_copies.changing():
                    rows = self._run(lambda: self._count(sql), sql, inputs)
                self._note_afterwards()
                return rows
        return self._run_in_one(sql, inputs)

    def _run_in_one(self, sql: str, inputs: Inputs) -> int:
        stored = _STORED.match(sql) is not None
        if not stored and not Feeds.spools(sql, inputs):
            return self._run(lambda: self._count(sql), sql, inputs)
        self._duck.execute("BEGIN")
        try:
            rows = self._run(lambda: self._count(sql), sql, inputs)
            with self.engine.commit_gate, dated_deletes(self.engine, [(sql, rows)]):
                if stored:
                    self._note([self.query_id])
                self._run(lambda: self._duck.execute("COMMIT"), "COMMIT", {})
        except BaseException:
            with suppress(duckdb.TransactionException):  # a failed COMMIT has ended it
                self._duck.execute("ROLLBACK")
            raise
        return rows

    def _note(self, query_ids: list[str]) -> None:
        """Tells with the commit that follows when it was made, and by which statements."""
        self.last_commit = datetime.now(UTC)
        note = commit_note(self.last_commit, query_ids).replace("'", "''")
        call = f"CALL lake.set_commit_message('', '', extra_info => '{note}')"
        self._run(lambda: self._duck.execute(call), call, {})
        self.engine.commits += 1

    def _note_afterwards(self) -> None:
        """Tells the same of the commit that the statement was; without it, the commit has DuckLake's own moment."""
        self.last_commit = datetime.now(UTC)
        note = commit_note(self.last_commit, [self.query_id]).replace("'", "''")
        with suppress(duckdb.Error), closing(self.engine.cursor()) as duck:
            duck.execute(
                f"UPDATE {METADATA}.ducklake_snapshot_changes SET commit_extra_info = '{note}' WHERE snapshot_id = "
                f"(SELECT max(snapshot_id) FROM {METADATA}.ducklake_snapshot) AND coalesce(commit_extra_info, '') = ''"
            )
        self.engine.commits += 1

    def _run(self, work: Callable[[], Answer], sql: str, inputs: Inputs) -> Answer:
        with self._working():
            try:
                self._feed(sql, inputs)
                with self.engine.turns.take(sql, waits=not _UNMET.match(sql)), self.engine.schema_copies.loading():
                    return work()
            except duckdb.Error as error:
                if not self._read_twice():
                    raise self._failed(error, sql) from error
            except SnowflakeError as error:
                self._failed(error, sql)
                raise
            return self._again(work, sql, inputs)

    def _again(self, work: Callable[[], Answer], sql: str, inputs: Inputs) -> Answer:
        """The same with all steps spooled, after the engine read one's rows twice."""
        self._unregister()
        try:
            self._feed(sql, inputs, stream=False)
            return work()
        except duckdb.Error as error:
            raise self._failed(error, sql) from error
        except SnowflakeError as error:
            self._failed(error, sql)
            raise

    def _feed(self, sql: str, inputs: Inputs, *, stream: bool = True) -> None:
        """Makes what a statement reads from Python ready."""
        if inputs:
            shared = stream and not (self._explicit or self._alone)
            self._feeds = Feeds(self.engine.home, self._helper, shared)
            self._feeds.open(self._duck, sql, inputs)

    def _helper(self) -> duckdb.DuckDBPyConnection:
        helper = self.engine.cursor()
        helper.execute(f"SET TimeZone = '{self._timezone}'")
        return helper

    def _read_twice(self) -> bool:
        return self._feeds is not None and self._feeds.read_twice

    def _batches(self, start: Callable[[], pa.RecordBatchReader], sql: str, inputs: Inputs) -> Iterator[pa.RecordBatch]:
        read = False
        while True:
            with self._working():
                try:
                    assert self._reader is not None
                    batch = self._reader.read_next_batch()
                except StopIteration:
                    break
                except (OSError, pa.ArrowException, duckdb.Error) as error:
                    if read or not self._read_twice():
                        raise self._failed(error, sql) from error
                    self._reader = self._again(start, sql, inputs)
                    continue
            read = True
            yield in_utc(batch)
        self._unregister()
        self._rest()

    @contextmanager
    def _working(self) -> Iterator[None]:
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            self._interrupt.clear()

    def _failed(self, error: Exception, sql: str) -> SnowflakeError:
        """The error of a statement that has failed, of which nothing remains.

        Some errors abort DuckDB's transaction and some do not; all are treated alike.
        """
        raised = self._feeds.error if self._feeds is not None else None
        if self._started:
            self._aborted = True
        self._unregister()
        self._rest()
        if full_disk(error) is not None:
            self.engine.leftovers = True
        return raised or translate(error, sql)

    def _ready(self) -> None:
        """Before a statement: inputs of the last one go; a broken transaction is made again."""
        self._unregister()
        self._rest()
        if self._aborted:
            self._replay()

    def _start(self) -> None:
        if not self._started:
            self._snapshot = self.engine.locks.sequence
            self.busy_since = self.busy_since or datetime.now(UTC)
            self._duck.execute("BEGIN")
            self._started = True

    def _replay(self) -> None:
        """A new transaction on the newest snapshot with the same writes.

        Raises:
            SnowflakeError: when a write now fails or changes another number of rows: others changed what it read. The
                transaction is rolled back then.
        """
        self._abandon()
        if not self._writes:
            return
        self._start()
        for write in self._writes:
            try:
                same = self._run(partial(self._count, write.sql), write.sql, write.inputs) == write.rows
            except SnowflakeError:
                same = False
            self._unregister()
            if not same:
                self.rollback()
                raise SnowflakeError(
                    625,
                    "57014",
                    "The transaction was rolled back: another transaction has changed rows that this one had read.",
                )

    def _abandon(self) -> None:
        """Rolls DuckDB's transaction back, if it has one."""
        if self._started:
            self._unregister()
            with suppress(duckdb.TransactionException):  # a failed COMMIT has ended it
                self._duck.execute("ROLLBACK")
        self._started = self._aborted = False

    def _end(self, committed: bool) -> None:
        self.last_transaction_id, self.transaction_id = self.transaction_id, None
        self._explicit = self._started = self._aborted = False
        self._writes.clear()
        self._wrote.clear()
        self.stream_reads.clear()
        self.busy_since = None
        if self._copy is not None:
            self._copy.close()
            self._copy = None
        if self._gated:
            self._gated = False
            self.engine.commit_gate.release()
        self._release(committed)

    def _release(self, committed: bool) -> None:
        if self._locked:
            self.engine.locks.release(self, self._locked, committed=committed)
            self._locked = set()

    def _unregister(self) -> None:
        """Ends what the last statement left: its unread rows, what it read from Python, a transaction of its own."""
        reader, feeds = self._reader, self._feeds
        self._reader = self._feeds = None
        if feeds is not None:
            feeds.stop()
        if reader is not None:
            reader.close()
        if feeds is not None:
            if reader is not None and feeds.used:
                with suppress(duckdb.Error):
                    self._duck.execute("SELECT 1")  # the engine's threads have left the query when this runs
            feeds.close()
        if self._alone:
            self._alone = False
            with suppress(duckdb.Error):
                self._duck.execute("ROLLBACK")  # it has read only

    def _rest(self) -> None:
        """Nothing runs any more, unless a transaction is open."""
        if not self._started:
            self.busy_since = None


def _own(name: str) -> str:
    """The last part of a qualified name."""
    return name.rpartition(".")[2]
