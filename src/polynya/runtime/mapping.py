"""Scalar functions over one batch or a stream of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from polynya.runtime.convey import arguments, outgoing, take
from polynya.runtime.handler import Handler, Job
from polynya.runtime.process import interpreter_error
from polynya.types.arrow import arrow_type
from polynya.types.sqltype import VARIANT

if TYPE_CHECKING:
    from polynya.runtime.pool import Pool

# A task's rows and bytes at most; smaller batches are joined up to as many rows.
_ROWS = 1 << 17
_BYTES = 16 << 20
_JOINED = 1 << 15
# Its rows once a task of the usual size took less than so many seconds.
_QUICK_ROWS = 1 << 18
_QUICK = 0.01
# Fewer rows at first: who reads a few rows only does not wait for many.
_FIRST = 1 << 11
# Seconds that tasks may go on when nobody reads their results any more: ending a worker costs more than most tasks.
_GRACE = 0.2


def apply(pool: Pool, handler: Handler, batch: pa.RecordBatch, job: Job) -> pa.Array:
    """One batch in a worker; see ``Pool.apply``."""
    columns = arguments(handler, batch)
    header = {"do": "apply", "columns": len(columns)}
    reply = pool.exchange(handler, header, outgoing(columns, batch.num_rows), job)
    (result,) = take(reply, [arrow_type(handler.returns or VARIANT)], handler)
    if len(result) != batch.num_rows:
        raise interpreter_error("The worker process sent another number of values than of rows.", handler)
    return result


def map_batches(pool: Pool, handler: Handler, batches: Iterable[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
    """A stream of batches over all workers; see ``Pool.map``."""
    arity = len(handler.arguments)
    with Abandoned(job) as watched:
        waiting: deque[tuple[Future[pa.Array], pa.RecordBatch]] = deque()
        try:
            pace = Pace()
            for piece in pieces(batches, pace):
                given = piece.select(range(arity)) if arity else piece
                future = pool.submit(pace.timed, pool.apply, handler, given, watched.job)
                waiting.append((future, piece))
                while len(waiting) > pool.size + 2 or (waiting and waiting[0][0].done()):
                    yield _joined(*waiting.popleft(), arity)
            while waiting:
                yield _joined(*waiting.popleft(), arity)
        finally:
            for future, _ in waiting:
                future.cancel()


class Abandoned:
    """A job that is cancelled, too, some time after the block is left.

    Args:
        job: whose limits hold.
    """

    def __init__(self, job: Job) -> None:
        self._left: float | None = None
        self.job = replace(job, cancelled=lambda: self._over() or job.cancelled())

    def _over(self) -> bool:
        return self._left is not None and time.monotonic() - self._left > _GRACE

    def __enter__(self) -> Abandoned:
        return self

    def __exit__(self, *exc: Any) -> None:
        self._left = time.monotonic()


def _joined(future: Future[pa.Array], piece: pa.RecordBatch, arity: int) -> pa.RecordBatch:
    names = [*piece.schema.names[arity:], "result"]
    return pa.RecordBatch.from_arrays([*piece.columns[arity:], future.result()], names)


class Pace:
    """How many rows a task of a run takes: more once tasks take so little time that handing them over costs as much."""

    def __init__(self) -> None:
        self.rows = _ROWS

    def timed(self, work: Callable[..., pa.Array], handler: Handler, batch: pa.RecordBatch, job: Job) -> pa.Array:
        """Does a task of the run."""
        started = time.monotonic()
        made = work(handler, batch, job)
        if batch.num_rows >= _ROWS and time.monotonic() - started < _QUICK:
            self.rows = _QUICK_ROWS
        return made


def pieces(batches: Iterable[pa.RecordBatch], pace: Pace) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of a size that suits a task."""
    small: list[pa.RecordBatch] = []
    rows, enough = 0, _FIRST
    for batch in batches:
        if batch.num_rows < _JOINED and batch.nbytes < _BYTES // 4:
            small.append(batch)
            rows += batch.num_rows
            if rows < enough:
                continue
            yield pa.concat_batches(small)
            small, rows, enough = [], 0, min(enough * 2, _JOINED)
            continue
        if rows:
            yield pa.concat_batches(small)
            small, rows = [], 0
        yield from _cut(batch, pace)
    if rows:
        yield pa.concat_batches(small)


def _cut(batch: pa.RecordBatch, pace: Pace) -> Iterator[pa.RecordBatch]:
    fitting = batch.num_rows * _BYTES // max(batch.nbytes, 1)
    start = 0
    while start < batch.num_rows:
        piece = batch.slice(start, max(1, min(pace.rows, fitting)))
        yield piece
        start += piece.num_rows
