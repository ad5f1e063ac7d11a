"""Rows of a stream group by group, each group ordered, in bounded memory.

The engine sorts what fits into the memory that it may use, much of the machine. A table function wants only the rows of a
group together: many rows are dealt to files by the hash of their group first, and each file is sorted on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from polynya.storage.spool import Spool

_HELD_BYTES = 64 << 20
_BUCKETS = 64
_BATCH_ROWS = 131_072


@dataclass(frozen=True, slots=True)
class Grouping:
    """How the rows of a query are to come.

    Args:
        hashed: name of a UBIGINT column that is equal for all rows of a group.
        terms: ORDER BY terms over the query's columns, those of the group first.
        dropped: columns that are not wanted afterwards.
    """

    hashed: str
    terms: tuple[str, ...]
    dropped: tuple[str, ...]


def grouped(
    batches: Iterator[pa.RecordBatch], by: Grouping, folder: Path, helper: Callable[[], duckdb.DuckDBPyConnection]
) -> Iterator[pa.RecordBatch]:
    """The rows, group by group.

    Args:
        batches: the query's.
        by: its grouping.
        folder: for files; they are gone at the end.
        helper: makes a connection to the engine.
    """
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size > _HELD_BYTES:
            break
    else:
        if held:
            yield from _ordered(pa.Table.from_batches(held), by, helper())
        return
    with ExitStack() as files:
        spools = [files.enter_context(Spool(folder, held[0].schema)) for _ in range(_BUCKETS)]
        while held:
            _deal(held.pop(), by.hashed, spools)
        for batch in batches:
            _deal(batch, by.hashed, spools)
        duck = helper()
        for spool in spools:
            spool.finish()
            if spool.rows:
                yield from _ordered(spool, by, duck)
            spool.close()


def _deal(batch: pa.RecordBatch, hashed: str, spools: list[Spool]) -> None:
    buckets = (batch.column(hashed).to_numpy() % _BUCKETS).astype(np.uint8)
    order = np.argsort(buckets, kind="stable")
    sorted_rows = batch.take(pa.array(order))
    ends = np.cumsum(np.bincount(buckets, minlength=_BUCKETS))
    start = 0
    for spool, end in zip(spools, ends.tolist(), strict=True):
        if end > start:
            spool.write(sorted_rows.slice(start, end - start))
        start = end


def _ordered(rows: Any, by: Grouping, duck: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    dropped = ", ".join(f'"{name}"' for name in by.dropped)
    duck.register("rows_of_groups", rows)
    try:
        query = f"SELECT * EXCLUDE ({dropped}) FROM rows_of_groups ORDER BY {', '.join(by.terms)}"
        yield from duck.execute(query).to_arrow_reader(_BATCH_ROWS)
    finally:
        duck.unregister("rows_of_groups")
