"""The worker processes of a server: started once, reused, watched; batches go out to them and results come back."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from polynya.runtime import calls, mapping, table
from polynya.runtime.handler import Handler, Job
from polynya.runtime.nursery import Nursery
from polynya.runtime.process import Door, Process, Reply, WorkerLost, cancelled

__all__ = ["Door", "Pool"]

_R = TypeVar("_R")
# Workers kept for their next call, times the pool's size, and for how many seconds.
_IDLE_PER_CORE = 8
_IDLE_SECONDS = 300.0
_SWEEP = 15.0
_SNOWPARK = "snowflake.snowpark"


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _needs_snowpark(handler: Handler) -> bool:
    """Whether the handler's first call would wait for Snowpark's import; pickled code has names in hexadecimal."""
    return handler.kind == "PROCEDURE" or _SNOWPARK in handler.body or _SNOWPARK.encode().hex() in handler.body


class Slot:
    """A place among the workers that run at once.

    Args:
        places: those of the warehouse, if any, then those of the pool: always in this order.
        given_up: whether nobody waits for it any more.
    """

    def __init__(self, places: list[threading.Semaphore], given_up: Callable[[], bool]) -> None:
        self._places = places
        self._given_up = given_up
        self._held: list[threading.Semaphore] = []

    def __enter__(self) -> Slot:
        try:
            for places in self._places:
                while not places.acquire(timeout=0.05):
                    if self._given_up():
                        raise cancelled()
                self._held.append(places)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: Any) -> None:
        while self._held:
            self._held.pop().release()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Gives the place to others while this one's worker waits."""
        self.__exit__()
        yield
        self.__enter__()


class Pool:
    """Runs handlers in worker processes.

    All methods may be called from any thread; results come in the engine's Arrow forms (``types.arrow.arrow_type``).
    Errors are SnowflakeError: 100357 with the handler's traceback; also for a crash, a limit, a handler that does not
    load; 000604 when cancelled.

    Args:
        folder: for the workers' files; emptied at start.
        size: workers that run at once; default one a core.
        hide: folders that handlers must not read even where Python's own files lie below them.
    """

    def __init__(self, folder: Path, size: int | None = None, hide: tuple[Path, ...] = ()) -> None:
        self.folder = folder
        self.size = size or usable_cores()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._hide = hide
        self._functions = Nursery(folder, "function", hide)
        self._procedures = Nursery(folder, "procedure", hide)
        self._slots = threading.BoundedSemaphore(self.size)
        self._lock = threading.Lock()
        self._idle: OrderedDict[Process, None] = OrderedDict()
        self._busy: set[Process] = set()
        # More than ever run at once: threads wait for one another, procedures for the statements that they send.
        self._threads = ThreadPoolExecutor(10_000, "runtime")
        self._answers = ThreadPoolExecutor(10_000, "runtime-answer")
        self._closed = threading.Event()
        self._sweeper: threading.Thread | None = None

    def warm(self, *, procedures: bool = False) -> None:
        """Starts what the first call needs, in the background; does nothing if it runs.

        Args:
            procedures: what the first call of a procedure needs, instead of a function's.
        """
        (self._procedures if procedures else self._functions).start()

    def apply(self, handler: Handler, batch: pa.RecordBatch, job: Job) -> pa.Array:
        """A scalar function over one batch.

        Args:
            batch: a column an argument, in order; more columns are not sent.

        Returns:
            as many values.
        """
        return mapping.apply(self, handler, batch, job)

    def map(self, handler: Handler, batches: Iterable[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
        """A scalar function over many batches, spread over the workers, a few batches ahead of the reader.

        Args:
            batches: first a column an argument, in order; further columns are carried along and not sent.

        Returns:
            in the rows' order: the carried columns, then ``result``.
        """
        return mapping.map_batches(self, handler, batches, job)

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
            then the columns of ``handler.returns_table`` under their names. Partitions come in order.
        """
        return table.table_batches(self, handler, batches, job, partition, kept)

    def aggregate(self, handler: Handler, groups: pa.RecordBatch, job: Job) -> pa.Array:
        """An aggregate function over whole groups.

        Args:
            groups: one list column an argument; a row a group, its lists equally long.

        Returns:
            one value a row.
        """
        return calls.aggregate(self, handler, groups, job)

    def call(self, handler: Handler, arguments: pa.RecordBatch, job: Job, door: Door) -> Any:
        """A procedure. It takes no place from functions: its queries may call some.

        Args:
            arguments: one row, a column an argument.
            door: serves the HTTP requests of the handler's Snowpark session; called on threads of the pool.

        Returns:
            a one-row pa.Array for a scalar result; for a table result (``returns_table`` is not None) the text of the
            query (its id, or its SQL) whose rows are the result.
        """
        with self.process(handler, job) as process:
            return calls.call(process, handler, arguments, job, door)

    # --- for the modules of this room ----------------------------------------------------------------------------------

    def submit(self, work: Callable[..., _R], *arguments: Any) -> Future[_R]:
        """Runs it on a thread of the pool."""
        return self._threads.submit(work, *arguments)

    def exchange(self, handler: Handler, header: dict[str, Any], batch: pa.RecordBatch, job: Job) -> Reply:
        """Has a worker of a handler do one task, when one may run."""
        with self.slot(job), self.process(handler, job) as process:
            return process.exchange(header, batch, job)

    def slot(self, job: Job) -> Slot:
        """One of the pool's places for workers that run at once; never waited for by who holds one."""
        return Slot(
            [*([job.workers] if job.workers else []), self._slots], lambda: job.cancelled() or self._closed.is_set()
        )

    @contextmanager
    def process(self, handler: Handler, job: Job) -> Iterator[Process]:
        """A worker that has loaded the handler, for the block alone; a lost one raises its error."""
        process = self._pick(handler, job.memory_bytes)
        try:
            if process is None:
                process = self._start(handler, job)
            yield process
        except WorkerLost as lost:
            raise lost.error from lost.__cause__
        finally:
            if process is not None:
                self._put_back(process)

    def _pick(self, handler: Handler, memory_bytes: int) -> Process | None:
        dead = []
        found = None
        with self._lock:
            for process in reversed(self._idle):
                same = process.handler is handler or process.handler == handler
                if same and process.memory_bytes == memory_bytes:
                    del self._idle[process]
                    if process.alive():
                        self._busy.add(process)
                        found = process
                        break
                    dead.append(process)
        for process in dead:
            process.end()
        return found

    def _start(self, handler: Handler, job: Job) -> Process:
        nursery = self._procedures if _needs_snowpark(handler) else self._functions
        for last in (False, True):
            process = Process(nursery, handler, self.folder, job.memory_bytes, self._hide, self._answers)
            with self._lock:
                self._busy.add(process)
            try:
                process.load(job)
            except BaseException as error:
                with self._lock:
                    self._busy.discard(process)
                process.end()
                if isinstance(error, WorkerLost) and process.pid is None and not last:
                    continue  # the zygote had ended; another one starts
                raise
            return process
        raise AssertionError("not reached")

    def _put_back(self, process: Process) -> None:
        surplus = []
        process.trim()
        with self._lock:
            self._busy.discard(process)
            if process.lost or process.midway or self._closed.is_set():
                surplus.append(process)
            else:
                process.idle_since = time.monotonic()
                self._idle[process] = None
                while len(self._idle) > _IDLE_PER_CORE * self.size:
                    surplus.append(self._idle.popitem(last=False)[0])
                if self._sweeper is None:
                    self._sweeper = threading.Thread(target=self._sweep, name="runtime-sweeper", daemon=True)
                    self._sweeper.start()
        for one in surplus:
            one.end()

    def _sweep(self) -> None:
        while not self._closed.wait(_SWEEP):
            with self._lock:
                old = time.monotonic() - _IDLE_SECONDS
                stale = [process for process in self._idle if process.idle_since < old or not process.alive()]
                for process in stale:
                    del self._idle[process]
            for process in stale:
                process.end()

    def close(self) -> None:
        """Ends all workers."""
        self._closed.set()
        with self._lock:
            processes = [*self._idle, *self._busy]
            self._idle.clear()
        self._functions.close()
        self._procedures.close()
        for process in processes:
            if process not in self._busy:  # whoever uses it ends it
                process.end()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._answers.shutdown(wait=True, cancel_futures=True)
        if self._sweeper is not None:
            self._sweeper.join()
        shutil.rmtree(self.folder, ignore_errors=True)
