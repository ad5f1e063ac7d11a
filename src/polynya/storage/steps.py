"""Steps of a statement: rows that Python makes of a query's rows, read by the statement's SQL like a table.

A step's query runs on a connection of the engine; its batches go through ``Step.run`` (the workers); what comes back is
a stream that the SQL around it scans. Two ways, chosen when the statement runs:

- streamed: the step's query runs on a connection of its own while the SQL reads. Only where nothing else of the
  statement reads tables (another connection has another snapshot), and what is read is neither temporary nor
  uncommitted.
- spooled: the rows are written to a file first, which the SQL can scan as often as it likes.

The engine may scan a stream twice (it rewrites some windows as self joins); a second scan would find it empty. It fails
instead, and the statement is run again with everything spooled.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from polynya.errors import SnowflakeError
from polynya.storage import python_calls
from polynya.storage.arrow import in_utc, utc_schema
from polynya.storage.buckets import Grouping, grouped
from polynya.storage.errors import mark, translate
from polynya.storage.python_calls import EngineCall
from polynya.storage.spool import Spool, spool_folder

# Rows of a batch, by its bytes as far as types tell them; fewer where values may be of any length.
_MOST_ROWS = 1 << 18
_MOST_BYTES = 32 << 20
_VALUE_BYTES = 16
_ROWS_OF_ANY_LENGTH = 1 << 16
_ANY_LENGTH = {"varchar", "blob", "list", "array", "struct", "map", "union", "variant", "bit"}
_STRING = re.compile(r"'(?:[^']|'')*'")
# Stored tables as ``Table.stored_as`` writes them.
_TABLE = re.compile(r"\b(?:lake|past|temp)\.")
_TARGET = re.compile(r"\s*(?:INSERT INTO|CREATE (?:OR REPLACE )?(?:TEMPORARY )?TABLE) (?:lake|temp)\.\S+")
_TEMPORARY = re.compile(r"\btemp\.")
_WITH = re.compile(r"\bWITH\b")

# Takes a query's batches and what tells whether nobody wants the rest any more, answers other batches.
Run: TypeAlias = Callable[[Iterator[pa.RecordBatch], Callable[[], bool]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class Step:
    """Rows made of a query's rows.

    Args:
        items: name -> SQL of the columns that ``run`` works on; at least one.
        carried: name -> SQL of columns that the rows made keep from the row they come from. Those that no SQL reads are
            left out. No other SQL uses these names.
        head: WITH clause of the query, or "".
        tail: what follows its SELECT list, with a blank before it.
        run: takes the query's batches (items, then carried columns), answers batches of the carried columns, then
            those of ``made``.
        made: the columns it adds.
        grouping: the query's rows come group by group; without the columns that it drops.
        limit: nobody reads more of its rows than so many.
        functions: names of what it calls, for who looks at a plan.
    """

    items: dict[str, str]
    carried: dict[str, str]
    head: str
    tail: str
    run: Run
    made: pa.Schema
    functions: tuple[str, ...] = ()
    limit: int | None = None
    grouping: Grouping | None = None

    def query(self, readers: Iterable[str]) -> str:
        """Its query, with the carried columns that these SQL texts read."""
        used = [name for name in self.carried if any(_quoted(name) in text for text in readers)]
        columns = [*self.items.items(), *((name, self.carried[name]) for name in used)]
        listed = ", ".join(f"{sql} AS {_quoted(name)}" for name, sql in columns)
        return f"{self.head}SELECT {listed}{self.tail}"


# What a statement's SQL names besides tables: Arrow tables and readers, Python calls (by their handle) and steps.
Input: TypeAlias = pa.Table | EngineCall | Step
Inputs: TypeAlias = dict[str, Input]


@dataclass(slots=True)
class Feeds:
    """What one statement's SQL reads from Python, from its start until its last row is read.

    Args:
        home: of the engine; spooled rows lie in its ``tmp`` folder.
        helper: makes another connection to the engine, for the query of a step.
        shared: other connections see all that the statement's own sees: no transaction is open that has a snapshot or
            changes of its own.
    """

    home: Path
    helper: Callable[[], duckdb.DuckDBPyConnection]
    shared: bool
    read_twice: bool = False
    error: SnowflakeError | None = None
    _inputs: Inputs = field(default_factory=dict)
    _queries: dict[str, str] = field(default_factory=dict)
    _often: set[str] = field(default_factory=set)
    _handles: list[str] = field(default_factory=list)
    _registered: list[tuple[duckdb.DuckDBPyConnection, str]] = field(default_factory=list)
    _helpers: list[duckdb.DuckDBPyConnection] = field(default_factory=list)
    _rows: list[_Rows] = field(default_factory=list)
    _spools: dict[str, Spool] = field(default_factory=dict)
    _stopped: bool = False

    def open(self, duck: duckdb.DuckDBPyConnection, sql: str, inputs: Inputs) -> None:
        """Makes everything that a statement reads ready on its connection.

        Args:
            duck: the connection that runs it.
            sql: the statement.
            inputs: by name.
        """
        self._inputs = inputs
        self._queries = _queries(sql, inputs)
        self._often = _read_often(sql, self._queries)
        for name, item in inputs.items():
            if isinstance(item, EngineCall):
                python_calls.enter(name, item)
                self._handles.append(name)
        self._supply(duck, sql, all_tables=True)

    @staticmethod
    def spools(sql: str, inputs: Inputs) -> bool:
        """Whether a statement that starts alone reads spooled rows: then all must be read in one transaction."""
        if not _steps(sql, inputs):
            return False
        queries = _queries(sql, inputs)
        return not _streams(sql, inputs, queries, _read_often(sql, queries))

    @property
    def used(self) -> bool:
        """Whether it holds calls or steps, which run while the statement does."""
        return bool(self._handles or self._rows)

    def interrupt(self) -> None:
        """Cancels the queries of its steps, from any thread."""
        for helper in list(self._helpers):
            helper.interrupt()

    def stop(self) -> None:
        """Ends the rows of its steps, also while the engine's threads wait for them."""
        self._stopped = True
        for rows in reversed(self._rows):
            rows.close()

    def close(self) -> None:
        """Ends everything. The statement that read it must have ended."""
        self.stop()
        for duck, name in self._registered:
            with suppress(duckdb.Error):
                duck.unregister(name)
        for helper in self._helpers:
            helper.close()
        for spool in self._spools.values():
            spool.close()
        for handle in self._handles:
            python_calls.leave(handle)
        for held in (self._registered, self._rows, self._helpers, self._handles):
            held.clear()
        self._spools.clear()

    # -- inside

    def _supply(self, duck: duckdb.DuckDBPyConnection, sql: str, *, all_tables: bool = False) -> None:
        """Registers what one SQL text reads on the connection that will run it."""
        for name, item in self._inputs.items():
            if not isinstance(item, EngineCall | Step) and (all_tables or _quoted(name) in sql):
                self._register(duck, name, item)
        steps = [name for name in _steps(sql, self._inputs) if not self._have(duck, name)]
        if sql.startswith("EXPLAIN"):
            for name in steps:
                self._register(duck, name, self._empty(duck, name))
        elif self.shared and _streams(sql, self._inputs, self._queries, self._often):
            self._register(duck, steps[0], self._stream(steps[0]))
        else:
            for name in steps:
                if name not in self._spools:  # a step below may have spooled it
                    self._spool(duck, name)
                self._register(duck, name, self._spools[name])

    def _have(self, duck: duckdb.DuckDBPyConnection, name: str) -> bool:
        return any(other is duck and registered == name for other, registered in self._registered)

    def _register(self, duck: duckdb.DuckDBPyConnection, name: str, item: object) -> None:
        self._registered.append((duck, name))
        duck.register(name, item)

    def _stream(self, name: str) -> _Stream:
        schema, rows = self._run(self._another(), name)
        return _Stream(schema, rows, self)

    def _another(self) -> duckdb.DuckDBPyConnection:
        """Another connection, which ends with the statement."""
        helper = self.helper()
        self._helpers.append(helper)
        return helper

    def _spool(self, duck: duckdb.DuckDBPyConnection, name: str) -> None:
        schema, rows = self._run(duck, name)
        spool = Spool(spool_folder(self.home), schema)
        self._spools[name] = spool
        for batch in rows:
            spool.write(batch)
        spool.finish()

    def _empty(self, duck: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
        """No rows of a step's columns, for EXPLAIN."""
        query = self._queries[name]
        self._supply(duck, f"EXPLAIN {query}")
        schema = duck.execute(f"SELECT * FROM ({query}) LIMIT 0").to_arrow_table().schema
        return _schema(_step(name, self._inputs), schema).empty_table()

    def _run(self, duck: duckdb.DuckDBPyConnection, name: str) -> tuple[pa.Schema, _Rows]:
        """A step's columns and rows; its query runs on the connection given."""
        step, query = _step(name, self._inputs), self._queries[name]
        self._supply(duck, query)
        try:
            result = duck.execute(query)
            reader = result.to_arrow_reader(_batch_rows([column[1].id for column in result.description or ()]))
        except duckdb.Error as error:
            raise self.error or translate(error, query) from error
        schema = _schema(step, utc_schema(reader.schema))
        batches = _batches(reader, query)
        if step.grouping is not None:
            batches = _translated(grouped(batches, step.grouping, spool_folder(self.home), self._another))
        rows = _Rows(self._made(step.run(batches, lambda: self._stopped), schema, step.limit))
        self._rows.append(rows)
        return schema, rows

    def _made(
        self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, limit: int | None
    ) -> Generator[pa.RecordBatch, None, None]:
        left = limit
        try:
            while left is None or left > 0:  # the engine, too, stops at a LIMIT, but waits for the batches it asked for
                batch = next(batches, None)
                if batch is None:
                    return
                yield _fitted(batch if left is None else batch.slice(0, left), schema)
                left = None if left is None else left - batch.num_rows
        except SnowflakeError as error:
            self.error = self.error or error
            raise


class _Rows(Iterator[pa.RecordBatch]):
    """A generator of rows that one thread may end while another waits for its next."""

    def __init__(self, rows: Generator[pa.RecordBatch, None, None]) -> None:
        self._rows = rows
        self._lock = threading.Lock()

    def __next__(self) -> pa.RecordBatch:
        with self._lock:
            return next(self._rows)

    def close(self) -> None:
        with self._lock:
            self._rows.close()


class _Stream:
    """Rows that can be scanned once."""

    def __init__(self, schema: pa.Schema, rows: Iterator[pa.RecordBatch], feeds: Feeds) -> None:
        self._schema = schema
        self._rows = rows
        self._feeds = feeds
        self._taken = False

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        # The engine asks for streams also to look at the schema only; what counts is a first batch.
        return pa.RecordBatchReader.from_batches(self._schema, self._pull()).__arrow_c_stream__(requested_schema)

    def _pull(self) -> Iterator[pa.RecordBatch]:
        if self._taken:
            self._feeds.read_twice = True
            raise ValueError("rows of a step were read twice")
        self._taken = True
        try:
            yield from self._rows
        except SnowflakeError as error:
            raise ValueError(mark(error)) from None


def _step(name: str, inputs: Inputs) -> Step:
    step = inputs[name]
    assert isinstance(step, Step)
    return step


def _steps(sql: str, inputs: Inputs) -> list[str]:
    """The steps that an SQL text reads."""
    return [name for name, item in inputs.items() if isinstance(item, Step) and _quoted(name) in sql]


def _queries(sql: str, inputs: Inputs) -> dict[str, str]:
    """The queries of a statement's steps; each carries what those after it and the statement's SQL read."""
    queries: dict[str, str] = {}
    for name, item in reversed(inputs.items()):
        if isinstance(item, Step):
            queries[name] = item.query([sql, *queries.values()])
    return queries


def _read_often(sql: str, queries: dict[str, str]) -> set[str]:
    """The steps that several SQL texts of a statement read."""
    return {name for name in queries if sum(_quoted(name) in text for text in (sql, *queries.values())) > 1}


def _streams(sql: str, inputs: Inputs, queries: dict[str, str], often: set[str]) -> bool:
    """Whether the only step that an SQL text reads can be streamed into it."""
    names = _steps(sql, inputs)
    bare = _STRING.sub("''", sql)
    target = _TARGET.match(bare)
    bare = bare[target.end() :] if target else bare
    if (
        len(names) != 1
        or names[0] in often
        or bare.count(_quoted(names[0])) != 1
        or _TABLE.search(bare)
        or _WITH.search(bare)
    ):
        return False
    return not any(_TEMPORARY.search(_STRING.sub("''", text)) for text in _queries_below(names[0], inputs, queries))


def _queries_below(name: str, inputs: Inputs, queries: dict[str, str]) -> Iterator[str]:
    """The queries of a step and of the steps that it reads."""
    yield queries[name]
    for below in _steps(queries[name], inputs):
        yield from _queries_below(below, inputs, queries)


def _batch_rows(kinds: list[str]) -> int:
    """Rows of a query's batches, by the names of its columns' types."""
    if not _ANY_LENGTH.isdisjoint(kinds):
        return _ROWS_OF_ANY_LENGTH
    return min(_MOST_ROWS, max(1, _MOST_BYTES // (_VALUE_BYTES * max(1, len(kinds)))))


def _schema(step: Step, query: pa.Schema) -> pa.Schema:
    """The columns of a step: those carried, then those made."""
    return pa.schema([*list(query)[len(step.items) :], *step.made])


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch under the schema's names and types."""
    arrays = [
        array if array.type == kind.type else array.cast(kind.type)
        for array, kind in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _translated(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches in UTC, their errors as Snowflake's."""
    try:
        for batch in batches:
            yield in_utc(batch)
    except (OSError, pa.ArrowException, duckdb.Error) as error:
        raise translate(error) from error


def _batches(reader: pa.RecordBatchReader, sql: str) -> Iterator[pa.RecordBatch]:
    """A query's batches, its errors as Snowflake's."""
    try:
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (OSError, pa.ArrowException, duckdb.Error) as error:
                raise translate(error, sql) from error
            if batch.num_rows:
                yield in_utc(batch)
    finally:
        reader.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
