"""Table locks: Snowflake makes a second UPDATE, DELETE or MERGE of a table wait; DuckLake would fail it at commit.

Inserts share a lock with each other and exclude the others. A lock is held until its owner's transaction ends.
https://docs.snowflake.com/en/sql-reference/transactions#resource-locking
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from polynya.errors import SnowflakeError
from polynya.storage.errors import interrupted

# How often a waiting statement looks whether it was cancelled.
_POLL_SECONDS = 0.1


@dataclass(slots=True)
class _TableLock:
    exclusive: object | None = None
    shared: set[object] = field(default_factory=set)
    # Who is next, before all that do not hold the lock yet: the housekeeper would never get a busy table else.
    next: object | None = None
    # Engine-wide numbers of the last commits under a lock of each mode.
    exclusive_commit: int = 0
    shared_commit: int = 0


class TableLocks:
    """The locks of all tables of one engine."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._locks: dict[str, _TableLock] = {}
        self._waiting: dict[object, str] = {}
        self._sequence = 0

    @property
    def sequence(self) -> int:
        """The number of the last commit under a lock; remembered at a snapshot's start, compared in ``acquire``."""
        return self._sequence

    def acquire(
        self,
        owner: object,
        table: str,
        *,
        shared: bool,
        timeout: float,
        cancelled: Callable[[], bool],
        first: bool = False,
    ) -> int:
        """Waits for a lock.

        Args:
            owner: whose transaction holds it, by identity.
            table: the table's name in the engine.
            shared: for INSERT and COPY; else exclusive.
            timeout: seconds to wait.
            cancelled: asked while waiting.
            first: before others that wait for it; with a short timeout, since they all wait on.

        Returns:
            the number of the last commit that this lock's mode must see.

        Raises:
            SnowflakeError: 000625 after the timeout or for a deadlock, 000604 when cancelled.
        """
        deadline = time.monotonic() + timeout
        with self._condition:
            lock = self._locks.setdefault(table, _TableLock())
            if first and lock.next is None:
                lock.next = owner
            try:
                while not self._free(lock, owner, shared):
                    self._waiting[owner] = table
                    if self._deadlock(owner):
                        raise _not_released(table, "deadlock; this statement was chosen to fail")
                    if cancelled():
                        raise interrupted()
                    if time.monotonic() >= deadline:
                        raise _not_released(table, "the lock was not released within LOCK_TIMEOUT")
                    self._condition.wait(_POLL_SECONDS)
            finally:
                self._waiting.pop(owner, None)
                if lock.next is owner:
                    lock.next = None
                    self._condition.notify_all()
            if not shared:
                lock.exclusive = owner
                lock.shared.discard(owner)
            elif lock.exclusive is not owner:
                lock.shared.add(owner)
            return lock.exclusive_commit if shared else max(lock.exclusive_commit, lock.shared_commit)

    def release(self, owner: object, tables: set[str], *, committed: bool) -> None:
        """Frees an owner's locks at the end of its transaction.

        Args:
            owner: as in ``acquire``.
            tables: that it has locked.
            committed: whether its changes became visible.
        """
        if not tables:
            return
        with self._condition:
            if committed:
                self._sequence += 1
            for table in tables:
                lock = self._locks[table]
                if lock.exclusive is owner:
                    lock.exclusive = None
                    if committed:
                        lock.exclusive_commit = self._sequence
                elif owner in lock.shared:
                    lock.shared.discard(owner)
                    if committed:
                        lock.shared_commit = self._sequence
            self._condition.notify_all()

    @staticmethod
    def _free(lock: _TableLock, owner: object, shared: bool) -> bool:
        if lock.exclusive is not None:
            return lock.exclusive is owner
        if lock.next not in (None, owner) and owner not in lock.shared:
            return False
        return shared or not (lock.shared - {owner})

    def _deadlock(self, owner: object) -> bool:
        """Whether the owners that this one waits for wait, in the end, for it."""
        seen: set[object] = set()
        pending = [owner]
        while pending:
            waiter = pending.pop()
            table = self._waiting.get(waiter)
            if table is None:
                continue
            lock = self._locks[table]
            holders = {lock.exclusive, *lock.shared} - {None, waiter}
            if waiter is not owner and owner in holders:
                return True
            pending.extend(holders - seen)
            seen |= holders
        return False


def _not_released(table: str, why: str) -> SnowflakeError:
    return SnowflakeError(
        625, "57014", f"Statement has waited for table '{table}', which another transaction has locked: {why}."
    )
