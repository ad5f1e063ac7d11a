"""A statement's calls of one Python function, handed to the workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from polynya.catalog.model import Routine
from polynya.dialect.environment import Environment
from polynya.dialect.python_handlers import handler_of, job_of
from polynya.runtime.handler import Handler, Job
from polynya.runtime.pool import Pool
from polynya.types.arrow import arrow_type
from polynya.types.sqltype import SqlType

# The first batches of a step are small: who reads a few rows only does not wait for many.
_FIRST_ROWS = 2048
_FASTER = 4


@dataclass(frozen=True, slots=True)
class Runner:
    """A Python function, its workers, and on whose behalf it runs."""

    pool: Pool
    handler: Handler
    job: Job

    def apply(self, batch: pa.RecordBatch) -> pa.Array:
        """A scalar function's values for a chunk of arguments."""
        return self.pool.apply(self.handler, arguments(batch, self.handler), self.job)

    def map(
        self, batches: Iterator[pa.RecordBatch], name: str, stopped: Callable[[], bool]
    ) -> Iterator[pa.RecordBatch]:
        """A scalar function's values for a stream of rows.

        Args:
            batches: its arguments, then other columns.
            name: of the column with its values.
            stopped: whether nobody wants the rest any more.

        Returns:
            the other columns, then the values.
        """
        given = (arguments(batch, self.handler) for batch in batches)
        for batch in self.pool.map(self.handler, given, self._job(stopped)):
            yield batch.rename_columns([*batch.schema.names[:-1], name])

    def table(
        self, batches: Iterator[pa.RecordBatch], partition: str | None, kept: list[str], stopped: Callable[[], bool]
    ) -> Iterator[pa.RecordBatch]:
        """A table function's rows for a stream of rows.

        Args:
            batches: its arguments, then carried columns.
            partition: name of the carried column that numbers the partitions, or None.
            kept: carried columns that belong to the partition rather than to a row.
            stopped: whether nobody wants the rest any more.

        Returns:
            the carried columns, then the function's.
        """
        given = (arguments(batch, self.handler) for batch in batches)
        return self.pool.table(self.handler, given, self._job(stopped), partition=partition, kept=kept)

    def _job(self, stopped: Callable[[], bool]) -> Job:
        return replace(self.job, cancelled=lambda: stopped() or self.job.cancelled())

    def aggregate(self, batch: pa.RecordBatch) -> pa.Array:
        """An aggregate function's values for groups, each a list of structs of arguments."""
        return self.pool.aggregate(self.handler, _groups(batch.column(0), self.handler), self.job)


def runner_of(env: Environment, routine: Routine) -> Runner | None:
    """How a statement runs a routine; None where it is bound only.

    Raises:
        SnowflakeError: if an import is gone.
    """
    if routine.id not in env.runners:
        execution = env.execution
        if execution is None:  # a dynamic PIVOT runs its source even where only columns are wanted
            env.runners[routine.id] = None
        else:
            execution.runtime.warm()
            handler = handler_of(routine, env.context, execution.stages)
            env.runners[routine.id] = Runner(execution.runtime, handler, job_of(execution, routine))
    return env.runners[routine.id]


def arguments(batch: pa.RecordBatch, handler: Handler) -> pa.RecordBatch:
    """A batch whose first columns, the arguments, have exactly their types' Arrow forms."""
    kinds = [arrow_type(kind) for _, kind in handler.arguments]
    kinds += [column.type for column in batch.columns[len(kinds) :]]
    if kinds == batch.schema.types:
        return batch
    arrays = [_conformed(column, kind) for column, kind in zip(batch.columns, kinds, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def ramped(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    """The same rows, in small batches first.

    Args:
        batches: of any size.
        most: rows of a batch.
    """
    size = min(_FIRST_ROWS, most)
    for batch in batches:
        start = 0
        while size < batch.num_rows - start:
            yield batch.slice(start, size)
            start, size = start + size, min(size * _FASTER, most)
        yield batch.slice(start)


def made_schema(columns: Iterable[tuple[str, SqlType]]) -> pa.Schema:
    """Columns of these names, in their types' Arrow forms."""
    return pa.schema([pa.field(name, arrow_type(kind)) for name, kind in columns])


def _groups(lists: pa.ListArray, handler: Handler) -> pa.RecordBatch:
    """One list column an argument."""
    flat = lists.flatten()
    ends = pa.compute.cumulative_sum(lists.value_lengths()).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    arrays = [
        pa.ListArray.from_arrays(offsets, _conformed(column, arrow_type(kind)))
        for column, (_, kind) in zip(flat.flatten(), handler.arguments, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in handler.arguments])


def _conformed(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array.cast(kind)
