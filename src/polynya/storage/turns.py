"""How many long statements the engine begins at once: as many as there are cores, and one less while short ones come.

More at once would be no sooner done, and each short one would wait for all of them. A statement that has been at work for
a while no longer keeps others back: they share the cores as the operating system sees fit.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

# A query that took the thread that asked for it longer, the last time, is a long one.
_SHORT_SECONDS = 0.02
# So long after a short one another is expected.
_EXPECTED_SECONDS = 0.5
# So long a statement keeps others back, and so long one waits at most: what is before it may itself wait, for a handler.
_TURN_SECONDS = 1.0
_PATIENCE_SECONDS = 1.0
_TEXTS = 1000
_READS = re.compile(r"\s*(?:SELECT|WITH|FROM|\()", re.IGNORECASE)
_WRITES = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|MERGE|CREATE|COPY)\b")


class Turns:
    """The turns of one engine.

    Args:
        cores: of the machine.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._changed = threading.Condition()
        self._begun: dict[object, float] = {}
        self._long: OrderedDict[str, None] = OrderedDict()
        self._last_short = -_EXPECTED_SECONDS

    @contextmanager
    def take(self, sql: str, *, waits: bool = True) -> Iterator[None]:
        """A block in which the engine runs a statement.

        Args:
            sql: in DuckDB's dialect: one that writes rows is long; what neither reads nor writes any has no turn.
            waits: False for what others wait for.
        """
        reads = _READS.match(sql) is not None
        turn = object()
        if waits and (sql in self._long or _WRITES.match(sql)):
            self._wait(turn)
        elif reads:
            self._last_short = time.monotonic()
        began = time.thread_time()
        try:
            yield
        finally:
            took = time.thread_time() - began
            with self._changed:
                if self._begun.pop(turn, None) is not None:
                    self._changed.notify()
                if reads:
                    self._remember(sql, took > _SHORT_SECONDS)

    def _wait(self, turn: object) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with self._changed:
            while True:
                now = time.monotonic()
                short_ones = now - self._last_short < _EXPECTED_SECONDS
                recent = [begun for begun in self._begun.values() if begun > now - _TURN_SECONDS]
                if len(recent) < max(self._cores - short_ones, 1) or now >= deadline:
                    break
                self._changed.wait(min(deadline, min(recent) + _TURN_SECONDS) - now)
            self._begun[turn] = now

    def _remember(self, sql: str, long: bool) -> None:
        if long:
            self._long[sql] = None
            self._long.move_to_end(sql)
            if len(self._long) > _TEXTS:
                self._long.popitem(last=False)
        else:
            self._long.pop(sql, None)
