"""multiprocessing in a process that can have threads only.

``multiprocessing.pool.ThreadPool``, and so joblib's threads, take a lock of multiprocessing, which lives in /dev/shm;
that folder is everybody's, so a fenced process cannot write there.
"""

from __future__ import annotations

import threading
from typing import Any

_RECURSIVE = 0


class ThreadLock:
    """Stands in for ``_multiprocessing.SemLock``.

    Args:
        kind: 0 for a recursive lock, 1 for a semaphore.
        value: of the semaphore at first.
        maxvalue: its greatest value.
        name: of a named semaphore; not used.
        unlink: whether others may open it by its name; not used.
    """

    SEM_VALUE_MAX = 2**31 - 1

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> None:
        self.kind = kind
        self.maxvalue = maxvalue
        self.name = None  # with a name it would be registered with another process
        self.handle = 0
        self._value = value
        self._owner = 0
        self._held = 0
        self._changed = threading.Condition(threading.Lock())

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        with self._changed:
            if self.kind == _RECURSIVE and self._is_mine():
                self._held += 1
                return True
            wait = max(timeout, 0) if timeout is not None else None
            if not self._changed.wait_for(lambda: self._value > 0, wait if block else 0):
                return False
            self._value -= 1
            self._held += 1
            self._owner = threading.get_ident()
            return True

    def release(self) -> None:
        with self._changed:
            if self.kind == _RECURSIVE:
                if not self._is_mine():
                    raise AssertionError("attempt to release recursive lock not owned by thread")
                self._held -= 1
                if self._held:
                    return
            elif self._value >= self.maxvalue:
                raise ValueError("semaphore or lock released too many times")
            else:
                self._held -= 1
            self._value += 1
            self._changed.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: Any) -> None:
        self.release()

    def _count(self) -> int:
        return self._held

    def _is_mine(self) -> bool:
        return self._held > 0 and self._owner == threading.get_ident()

    def _get_value(self) -> int:
        return self._value

    def _is_zero(self) -> bool:
        return self._value == 0

    def _after_fork(self) -> None:
        self._held = 0


def install() -> None:
    """Gives this process's multiprocessing locks that work between threads, and tells it not to start processes."""
    import _multiprocessing
    import multiprocessing

    _multiprocessing.SemLock = ThreadLock
    # A daemonic process has no children: joblib then works without some, scikit-learn's n_jobs is 1.
    multiprocessing.current_process()._config["daemon"] = True  # type: ignore[attr-defined]
