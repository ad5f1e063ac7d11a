"""The worker processes of a server: started once, reused, watched; batches go out to them and results come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from polynya.runtime.handler import Handler, Job

# A procedure's way back to the server: (method, path, headers, body) -> (status, headers, body).
Door = Callable[[str, str, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]


class Pool:
    """Runs handlers in worker processes.

    All methods may be called from any thread; results come in the engine's Arrow forms (``types.arrow.arrow_type``).
    Errors are SnowflakeError: 100357 with the handler's traceback; also for a crash, a limit, a handler that does not
    load; 000604 when cancelled.

    Args:
        folder: for the workers' files; emptied at start.
        size: workers that run at once; default one a core.
    """

    def __init__(self, folder: Path, size: int | None = None) -> None:
        self.folder = folder

    def warm(self) -> None:
        """Starts what the first call needs, in the background; does nothing if it runs."""
        raise NotImplementedError

    def apply(self, handler: Handler, batch: pa.RecordBatch, job: Job) -> pa.Array:
        """A scalar function over one batch.

        Args:
            batch: a column an argument, in order.

        Returns:
            as many values.
        """
        raise NotImplementedError

    def map(self, handler: Handler, batches: Iterable[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
        """A scalar function over many batches, spread over the workers, a few batches ahead of the reader.

        Args:
            batches: first a column an argument, in order; further columns are carried along and not sent.

        Returns:
            in the batches' order: the carried columns, then ``result``.
        """
        raise NotImplementedError

    def table(
        self, handler: Handler, batches: Iterable[pa.RecordBatch], job: Job, *, partition: str | None, kept: list[str]
    ) -> Iterator[pa.RecordBatch]:
        """A table function over a stream of rows.

        Args:
            batches: first a column an argument, in order; then carried columns.
            partition: name of a carried BIGINT column that numbers the partitions, whose rows follow one another;
                None: rows have no partition (a batch is treated as one).
            kept: carried columns that rows from ``end_partition`` keep (the PARTITION BY columns); others are NULL there.

        Returns:
            one row for each that the handler yields: the carried columns (but ``partition``) of the row that caused it,
            then the columns of ``handler.returns_table`` under their names. Partitions may come in any order.
        """
        raise NotImplementedError

    def aggregate(self, handler: Handler, groups: pa.RecordBatch, job: Job) -> pa.Array:
        """An aggregate function over whole groups.

        Args:
            groups: one list column an argument; a row a group, its lists equally long.

        Returns:
            one value a row.
        """
        raise NotImplementedError

    def call(self, handler: Handler, arguments: pa.RecordBatch, job: Job, door: Door) -> Any:
        """A procedure.

        Args:
            arguments: one row, a column an argument.
            door: serves the HTTP requests of the handler's Snowpark session; called on threads of the pool.

        Returns:
            a one-row pa.Array for a scalar result; for a table result (``returns_table`` is not None) the text of the
            query (its id, or its SQL) whose rows are the result.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Ends all workers."""
