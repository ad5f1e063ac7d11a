"""Table functions over a stream of rows: cut at partition changes, spread over the workers, results taken as they come."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from polynya.runtime.convey import arguments, outgoing, take
from polynya.runtime.handler import Handler, Job
from polynya.runtime.mapping import Abandoned
from polynya.runtime.partitions import Message, cut
from polynya.runtime.process import Process, Reply, cancelled, interpreter_error
from polynya.types.arrow import arrow_type

if TYPE_CHECKING:
    from polynya.runtime.pool import Pool, Slot

# Messages and results that wait, of one run.
_INPUTS = 2
_OUTPUTS = 4
# Seconds that a task of whole partitions should take: between two tasks a worker waits some milliseconds for the next.
_TASK = 0.1
_FIRST_TASK = 1


@dataclass
class _Run:
    """What one worker does without another's help: some whole partitions, or one in several messages."""

    inputs: deque[Message] = field(default_factory=deque)
    outputs: deque[pa.RecordBatch] = field(default_factory=deque)
    complete: bool = False  # no more inputs
    finished: bool = False
    error: BaseException | None = None


class _Table:
    """One call of ``Pool.table``."""

    def __init__(self, pool: Pool, handler: Handler, job: Job, kept: list[str]) -> None:
        self.pool = pool
        self.handler = handler
        self.job = job
        self.kept = set(kept)
        self.kinds = [arrow_type(kind) for _, kind in handler.returns_table or ()]
        self.names = [name for name, _ in handler.returns_table or ()]
        self.changed = threading.Condition()
        self.runs: deque[_Run] = deque()
        self._seconds = 0.0
        self._partitions = 0

    def task_size(self) -> int:
        """Partitions that make a task of a sensible length, by those done so far."""
        if not self._partitions:
            return _FIRST_TASK
        return max(1, int(_TASK * self._partitions / max(self._seconds, 1e-6)))

    # --- the reader's side ---------------------------------------------------------------------------------------------

    def results(self, messages: Iterator[Message]) -> Iterator[pa.RecordBatch]:
        """Feeds the workers and yields what they answer, in the order of the rows."""
        more = True
        while more or self.runs:
            with self.changed:
                while True:
                    output = self._output()
                    if output is not None or not self.runs or (more and self._hungry()):
                        break
                    self.changed.wait(1)
            if output is not None:
                yield output
            elif more and self._hungry():
                message = next(messages, None)
                if message is None:
                    more = False
                else:
                    self._give(message)

    def _output(self) -> pa.RecordBatch | None:
        for run in self.runs:
            if run.error is not None:
                raise run.error
        while self.runs:
            run = self.runs[0]
            if run.outputs:
                self.changed.notify_all()
                return run.outputs.popleft()
            if not run.finished:
                return None
            self.runs.popleft()
        return None

    def _hungry(self) -> bool:
        if self.runs and not self.runs[-1].complete:
            return len(self.runs[-1].inputs) < _INPUTS
        return len(self.runs) <= self.pool.size + 1

    def _give(self, message: Message) -> None:
        with self.changed:
            if message.resume:
                run = self.runs[-1]
            else:
                run = _Run()
                self.runs.append(run)
            run.inputs.append(message)
            run.complete = not message.open
            self.changed.notify_all()
        if not message.resume:
            self.pool.submit(self._work, run)

    # --- the workers' side ---------------------------------------------------------------------------------------------

    def _work(self, run: _Run) -> None:
        try:
            slot = self.pool.slot(self.job)
            with slot, self.pool.process(self.handler, self.job) as process:
                spent = 0.0
                while (message := self._next_input(run, slot)) is not None:
                    spent = self._do(process, run, message, slot, spent if message.resume else 0.0)
        except BaseException as error:
            run.error = error
        with self.changed:
            run.finished = True
            self.changed.notify_all()

    def _next_input(self, run: _Run, slot: Slot) -> Message | None:
        with self.changed:
            if run.inputs:
                self.changed.notify_all()
                return run.inputs.popleft()
            if run.complete:
                return None
        with slot.lent():
            self._wait(lambda: bool(run.inputs) or run.complete)
        return self._next_input(run, slot)

    def _wait(self, ready: Callable[[], bool]) -> None:
        with self.changed:
            while not self.changed.wait_for(ready, 0.1):
                if self.job.cancelled():
                    raise cancelled()

    def _do(self, process: Process, run: _Run, message: Message, slot: Slot, spent: float) -> float:
        columns = arguments(self.handler, message.rows)
        header = {"do": "table", "lengths": message.lengths, "resume": message.resume, "open": message.open}
        batch: pa.RecordBatch | None = outgoing(columns, message.rows.num_rows)
        before = spent
        while True:
            started = time.monotonic()
            reply = process.exchange(header, batch, self.job, spent=spent)
            spent += time.monotonic() - started
            if not reply.header.get("part"):
                break
            output = self._result(reply, message)
            if output.num_rows:
                if len(run.outputs) >= _OUTPUTS:
                    with slot.lent():
                        self._wait(lambda: len(run.outputs) < _OUTPUTS)
                with self.changed:
                    run.outputs.append(output)
                    self.changed.notify_all()
            header, batch = {"do": "next"}, None
        self._partitions += len(message.lengths)
        self._seconds += spent - before
        return spent

    def _result(self, reply: Reply, message: Message) -> pa.RecordBatch:
        causes_column, *columns = take(reply, [pa.int64(), *self.kinds], self.handler)
        causes = causes_column.to_numpy(zero_copy_only=False)
        if len(causes) and not -len(message.lengths) <= causes.min() <= causes.max() < message.rows.num_rows:
            raise interpreter_error("The worker process sent rows of no cause.", self.handler)
        carried = message.carried
        found, names = [], []
        if carried.num_columns:
            of_rows = causes >= 0
            places = np.where(of_rows, causes + message.shift, message.first_rows[np.minimum(causes, -1) * -1 - 1])
            by_partition = pa.array(places)
            by_row = pa.array(places, mask=~of_rows)
            for name, column in zip(carried.schema.names, carried.columns, strict=True):
                found.append(column.take(by_partition if name in self.kept else by_row))
                names.append(name)
        return pa.RecordBatch.from_arrays([*found, *columns], [*names, *self.names])


def table_batches(
    pool: Pool, handler: Handler, batches: Iterable[pa.RecordBatch], job: Job, partition: str | None, kept: list[str]
) -> Iterator[pa.RecordBatch]:
    """See ``Pool.table``."""
    with Abandoned(job) as watched:
        table = _Table(pool, handler, watched.job, kept)
        yield from table.results(cut(batches, len(handler.arguments), partition, table.task_size))
