"""Sequences inside the engine: a function that draws values from counters that live in the catalog.

DuckDB's own sequences belong to one database; a transaction that draws from one cannot write to another, and all tables
are in the lake.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import duckdb
import pyarrow as pa

# Answers the next values: how many are wanted -> as many numbers.
Draw = Callable[[int], range]

_FUNCTION = "polynya_next_value"


class Counters:
    """The counters that statements of one engine draw from.

    Args:
        root: the engine's first connection, on which the function is registered for all.
    """

    def __init__(self, root: duckdb.DuckDBPyConnection) -> None:
        self._draws: dict[int, Draw] = {}
        self._lock = threading.Lock()
        # The stubs know no strings for ``type``.
        root.create_function(_FUNCTION, self._next, ["BIGINT"], "BIGINT", type="arrow", side_effects=True)  # type: ignore[call-overload]

    def use(self, sequence_id: int, draw: Draw) -> str:
        """Names a counter; the answer is the engine's expression for its next value, another one in every row."""
        self._draws[sequence_id] = draw
        return f"{_FUNCTION}({sequence_id})"

    def _next(self, ids: pa.ChunkedArray) -> pa.Array:
        """One vector's values; the id is the same in all rows."""
        if len(ids) == 0:
            return pa.array([], pa.int64())
        with self._lock:
            return pa.array(self._draws[ids[0].as_py()](len(ids)), pa.int64())
