"""Warehouses at work: which statements run on which, who waits, what the engine has for them, when they suspend.

There is one engine: it has the threads and the memory of the warehouses that are at work, up to the machine's.
https://docs.snowflake.com/en/user-guide/warehouses-overview
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from polynya.catalog import rights
from polynya.catalog.context import Context
from polynya.catalog.model import Warehouse
from polynya.catalog.store import Catalog
from polynya.catalog.warehouse_sizes import setting, threads_of
from polynya.errors import SnowflakeError
from polynya.session.query import Query, timed_out
from polynya.storage.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

# A waiting statement looks this often whether it is cancelled.
_LOOK_SECONDS = 0.1
# No warehouse at work has less of the engine's memory.
_LEAST_SHARE = 0.25


def no_warehouse() -> SnowflakeError:
    """A statement needs a warehouse and its session has none: 000606."""
    return SnowflakeError(
        606,
        "57P03",
        "No active warehouse selected in the current session.  "
        "Select an active warehouse with the 'use warehouse' command.",
    )


def suspended(name: str) -> SnowflakeError:
    """A statement needs a warehouse that is suspended and does not resume by itself: 000606."""
    return SnowflakeError(
        606,
        "57P03",
        f"Warehouse '{name}' is suspended and its AUTO_RESUME is FALSE: no active warehouse in the current session.  "
        f"Start it with ALTER WAREHOUSE {name} RESUME, or select another one with the 'use warehouse' command.",
    )


@dataclass(slots=True)
class _Work:
    """What one warehouse does now.

    Args:
        warehouse: it.
        running: statements that have a place on it, by query id.
        waiting: query ids of those who wait for one, first come first.
        used: when the last statement left it; seconds of the monotonic clock.
    """

    warehouse: Warehouse
    running: set[str] = field(default_factory=set)
    waiting: deque[str] = field(default_factory=deque)
    used: float = field(default_factory=time.monotonic)

    @property
    def has_room(self) -> bool:
        clusters = max(setting(self.warehouse, "MAX_CLUSTER_COUNT"), 1)
        return len(self.running) < clusters * max(setting(self.warehouse, "MAX_CONCURRENCY_LEVEL"), 1)


class Warehouses:
    """The account's warehouses while the server runs.

    Args:
        catalog: where they are.
        engine: what they share.
        cores: as many as the server may use.
    """

    def __init__(self, catalog: Catalog, engine: Engine, cores: int) -> None:
        self._catalog = catalog
        self._engine = engine
        self._cores = cores
        self._changed = threading.Condition()
        self._work: dict[int, _Work] = {}
        self._workers: dict[int, tuple[int, threading.BoundedSemaphore]] = {}
        self._given = (0, 0.0)
        self._stopped = False
        self._alarm = threading.Event()
        self._next_look: float | None = None
        self._suspender = threading.Thread(target=self._suspend_idle, name="suspender", daemon=True)
        self._suspender.start()

    # --- statements -----------------------------------------------------------------------------------------------------

    def enter(self, query: Query, context: Context, *, waits: bool = True) -> None:
        """Gives a statement a place on the session's warehouse; does nothing if it has one.

        Args:
            query: the statement as its client sent it; what it runs itself shares its place.
            context: its names.
            waits: until there is a place; False for a statement of an open transaction, on which others may wait.

        Raises:
            SnowflakeError: 000606 without a warehouse, or if it is suspended and does not resume; 000630 if it waited
                longer than STATEMENT_QUEUED_TIMEOUT_IN_SECONDS; 000604 if it was cancelled.
        """
        if query.warehouse is not None:
            return
        found = self._catalog.child(0, "WAREHOUSE", context.warehouse) if context.warehouse else None
        if not isinstance(found, Warehouse) or not rights.has(context, "USAGE", found):
            raise no_warehouse()
        with self._changed:
            if query.warehouse is not None:  # another of its statements was quicker
                return
            self._resume(found)
            work = self._work.setdefault(found.id, _Work(found))
            work.warehouse = found  # as it is now: it may have been replaced
            if waits and (work.waiting or not work.has_room):
                self._wait(query, context, work)
            work.running.add(query.id)
            query.warehouse = found.id
            query.record.warehouse_size = found.size
            self._settle()

    def leave(self, query: Query) -> None:
        """Ends a statement's use of its place, if it has one."""
        if query.warehouse is None:
            return
        with self._changed:
            work = self._work.get(query.warehouse)
            query.warehouse = None
            if work is None:
                return
            work.running.discard(query.id)
            work.used = time.monotonic()
            if work.waiting:
                self._changed.notify_all()
            self._look_at(self._suspends_at(work))

    def workers(self, context: Context) -> threading.BoundedSemaphore | None:
        """The places of the workers of Python handlers that the session's warehouse has, for all its statements."""
        found = self._catalog.child(0, "WAREHOUSE", context.warehouse) if context.warehouse else None
        if not isinstance(found, Warehouse):
            return None
        count = threads_of(found.size, self._cores)
        with self._changed:
            known = self._workers.get(found.id)
            if known is None or known[0] != count:
                known = self._workers[found.id] = (count, threading.BoundedSemaphore(count))
            return known[1]

    def counts(self) -> dict[str, tuple[int, int]]:
        """By a warehouse's name: statements that run on it, and that wait for it."""
        with self._changed:
            return {work.warehouse.name: (len(work.running), len(work.waiting)) for work in self._work.values()}

    def changed(self, warehouse: Warehouse) -> None:
        """A warehouse that was created, resumed or altered is idle from now on: it suspends even if it is never used."""
        with self._changed:
            work = self._work.setdefault(warehouse.id, _Work(warehouse))
            work.warehouse, work.used = warehouse, time.monotonic()
            self._look_at(self._suspends_at(work))

    def close(self) -> None:
        """No warehouse suspends any more."""
        with self._changed:  # or the suspender could clear the alarm that is to wake it
            self._stopped = True
            self._alarm.set()
        self._suspender.join()

    # --- a place ----------------------------------------------------------------------------------------------------------

    def _resume(self, warehouse: Warehouse) -> None:
        if warehouse.state != "SUSPENDED":
            return
        if not setting(warehouse, "AUTO_RESUME"):
            raise suspended(warehouse.name)
        warehouse.state, warehouse.resumed_on = "STARTED", datetime.now(UTC)
        self._catalog.update(warehouse)

    def _wait(self, query: Query, context: Context, work: _Work) -> None:
        """Waits for a place; the caller holds the lock."""
        began = time.monotonic()
        limits = [
            int(context.parameter("STATEMENT_QUEUED_TIMEOUT_IN_SECONDS")),
            setting(work.warehouse, "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS"),
        ]
        limit = min((seconds for seconds in limits if seconds > 0), default=0)
        query.record.execution_status = "QUEUED"
        work.waiting.append(query.id)
        try:
            while work.waiting[0] != query.id or not work.has_room:
                self._changed.wait(_LOOK_SECONDS)
                if query.cancelled is not None:
                    raise query.cancelled
                if limit and time.monotonic() - began >= limit:
                    raise timed_out(limit)
        finally:
            work.waiting.remove(query.id)
            self._changed.notify_all()
            query.record.queued_overload_time += int((time.monotonic() - began) * 1000)
            query.record.execution_status = "RUNNING"

    def _settle(self) -> None:
        """Gives the engine what the warehouses at work have together; the caller holds the lock."""
        sizes = [work.warehouse.size for work in self._work.values() if work.running]
        threads = min(self._cores, sum(threads_of(size, self._cores) for size in sizes))
        given = (threads, max(_LEAST_SHARE, threads / self._cores))
        if given != self._given:
            self._engine.resize(*given)
            self._given = given

    # --- suspending -------------------------------------------------------------------------------------------------------

    def _suspends_at(self, work: _Work) -> float | None:
        seconds = setting(work.warehouse, "AUTO_SUSPEND")
        idle = not work.running and not work.waiting and work.warehouse.state == "STARTED"
        return work.used + seconds if seconds > 0 and idle else None

    def _look_at(self, moment: float | None) -> None:
        """Has the suspender look at a moment, if it would not before; it sleeps while there is nothing to suspend."""
        if moment is not None and (self._next_look is None or moment < self._next_look):
            self._next_look = moment
            self._alarm.set()

    def _suspend_idle(self) -> None:
        self._take_in(self._catalog.children(0, "WAREHOUSE"))
        while True:
            with self._changed:
                if self._stopped:
                    return
                now = time.monotonic()
                for work in list(self._work.values()):
                    self._suspend_if_due(work, now)
                due = [moment for work in self._work.values() if (moment := self._suspends_at(work)) is not None]
                self._next_look = min(due, default=None)
                pause = None if self._next_look is None else max(self._next_look - now, 0.01)
                self._alarm.clear()
            self._alarm.wait(pause)

    def _take_in(self, warehouses: Iterable[object]) -> None:
        """Warehouses that were left started are idle from now on."""
        with self._changed:
            for warehouse in warehouses:
                if isinstance(warehouse, Warehouse):
                    self._work.setdefault(warehouse.id, _Work(warehouse))

    def _suspend_if_due(self, work: _Work, now: float) -> None:
        current = self._catalog.child(0, "WAREHOUSE", work.warehouse.name)
        if not isinstance(current, Warehouse) or current.id != work.warehouse.id:
            if not work.running and not work.waiting:  # dropped, or replaced
                del self._work[work.warehouse.id]
                self._workers.pop(work.warehouse.id, None)
            return
        work.warehouse = current
        moment = self._suspends_at(work)
        if moment is None or moment > now:
            return
        current.state = "SUSPENDED"
        try:
            self._catalog.update(current)
        except Exception as error:  # a full disk must not end this thread
            log.warning("warehouse %s is suspended, which could not be stored: %s", current.name, error)
