"""Which copy of the lake's schema a transaction points into, and that it stays.

DuckLake 1.5.5 keeps one copy of each version of the schema in a cache. A statement that does not find its version there
puts another copy in, and the old one goes as soon as no statement uses it; but a transaction whose statements have made
or altered tables points into it until it commits, which then ends the server
(https://github.com/duckdb/ducklake/issues/1248; cured in later versions). So

- a change of the schema that is one statement commits with it: see ``Connection``;
- a transaction of several begins when nobody loads a copy any more, and another connection uses the one that is there
  until it has ended: this module.

Loading a copy takes the longer the more tables there are. After a change of the schema all sessions would load theirs at
once: they wait until the one that changed it has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

# A statement that has begun before this many seconds has its copy: loading one takes milliseconds.
_LOADED_SECONDS = 1.0
# No statement waits longer for one that changes the schema.
_PATIENCE_SECONDS = 0.25


class SchemaCopies:
    """Statements that may be loading a copy of the lake's schema.

    Args:
        root: the engine's first connection.
    """

    def __init__(self, root: duckdb.DuckDBPyConnection) -> None:
        self._root = root
        self._changed = threading.Condition()
        self._begun: dict[object, float] = {}
        self._changer: int | None = None  # the thread that changes the schema now

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A block in which a change of the schema is committed; the caller keeps others from committing."""
        self._changer = threading.get_ident()
        try:
            yield
            with suppress(duckdb.Error):
                self._use().close()
        finally:
            with self._changed:
                self._changer = None
                self._changed.notify_all()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """A block in which a statement begins."""
        key = object()
        with self._changed:
            if self._changer not in (None, threading.get_ident()):
                self._changed.wait_for(lambda: self._changer is None, _PATIENCE_SECONDS)
            self._begun[key] = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                del self._begun[key]
                self._changed.notify_all()

    def hold(self) -> duckdb.DuckDBPyConnection:
        """Sees to it that the present version's copy stays; the caller keeps others from committing.

        Returns:
            a connection that uses the copy until it is closed.
        """
        with suppress(duckdb.Error):  # whoever begins from now on finds a copy
            self._use().close()
        with self._changed:
            before = dict(self._begun)
            while pending := [begun for key, begun in before.items() if key in self._begun]:
                pause = max(pending) + _LOADED_SECONDS - time.monotonic()
                if pause <= 0:
                    break
                self._changed.wait(pause)
        return self._use()

    def _use(self) -> duckdb.DuckDBPyConnection:
        connection = self._root.cursor()
        # Its rows are not fetched: the statement has not ended, and what it uses stays.
        connection.execute("FROM lake.current_snapshot()")
        return connection
