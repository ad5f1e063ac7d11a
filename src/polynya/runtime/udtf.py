"""Table functions in the worker: an instance of the handler's class for each partition.

A task holds the rows of some partitions, one after the other; the first may go on from the task before, the last may go
on in the next. Each row of the result names its cause: the index of a row of the task, or, for rows of ``end_partition``,
-1 less the index of the partition.

Source: docs.snowflake.com/en/developer-guide/udf/python/udf-python-tabular-functions and .../udf-python-tabular-vectorized.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from polynya.runtime import frames, results, values
from polynya.runtime.handler import Handler
from polynya.runtime.narrow import integers, widen
from polynya.runtime.scalar import vectorized_input

# Rows of a result's part, and of a DataFrame for process unless the handler says how many.
_PART = 8192
_MAX_BATCH = 1 << 20

Answer = tuple[dict[str, Any], pa.RecordBatch | None]


class TableFunction:
    """A loaded table function.

    Args:
        handler: what it was loaded from.
        handler_class: its entry.
    """

    def __init__(self, handler: Handler, handler_class: Any) -> None:
        self._class = handler_class
        self._kinds = [kind for _, kind in handler.arguments]
        self._names = [name for name, _ in handler.arguments]
        self._columns = list(handler.returns_table or ())
        self._zone = handler.timezone
        self._strict = handler.strict
        process = getattr(handler_class, "process", None)
        end = getattr(handler_class, "end_partition", None)
        if process is None and end is None:
            raise TypeError(f"The handler {handler.entry} has neither a method process nor end_partition.")
        self._by_frame = process is not None and vectorized_input(process) is not None
        self._whole = process is None and vectorized_input(end) is not None
        self._batch = int(getattr(process, "_sf_max_batch_size", None) or _MAX_BATCH)
        self._open: _Partition | None = None

    def run(self, header: dict[str, Any], batch: pa.RecordBatch) -> Iterator[Answer]:
        """Serves a task; yields parts of the result and the last, which has no rows.

        Args:
            header: ``lengths`` of the partitions' rows in this task; ``resume``: the first goes on from the task before;
                ``open``: the last goes on in the next.
            batch: the rows.
        """
        lengths: list[int] = header["lengths"]
        rows = _Rows(self._columns, self._zone)
        columns = batch.columns[: len(self._kinds)]
        lists: list[list[Any]] = []
        if not (self._by_frame or self._whole):
            lists = [
                values.to_list(column, kind, self._zone) for column, kind in zip(columns, self._kinds, strict=True)
            ]
        partition, self._open = self._open if header["resume"] else None, None
        start = 0
        for index, length in enumerate(lengths):
            if partition is None:
                partition = _Partition(self._class())
            if lists or not (self._kinds or self._by_frame or self._whole):
                yield from self._by_row(partition, lists, start, length, rows)
            elif self._whole:
                partition.chunks.append([_copied(column.slice(start, length)) for column in columns])
            else:
                part = [column.slice(start, length) for column in columns]
                yield from self._frames(partition.instance.process, part, start, length, rows, index)
            start += length
            if index + 1 < len(lengths) or not header["open"]:
                yield from self._end(partition, rows, index)
                partition = None
        if header["open"]:
            self._open = partition
        for made in rows.take():
            yield {"part": True}, made
        yield {"ok": True}, None

    def _by_row(
        self, partition: _Partition, lists: list[list[Any]], start: int, length: int, rows: _Rows
    ) -> Iterator[Answer]:
        process = getattr(partition.instance, "process", None)
        if process is None:
            return
        items, causes, width, strict = rows.items, rows.causes, len(self._columns), self._strict
        nothing = [(None,) * width]  # what a strict table function answers for a NULL, without being called
        each: Iterable[tuple[Any, ...]] = [()] * length
        if lists:
            each = zip(*(items[start : start + length] for items in lists), strict=True)
        for row, argument in enumerate(each, start):
            if strict and any(value is None or value is values.SQL_NULL for value in argument):
                found = nothing
            else:
                found = process(*argument)
            if found is None:
                continue
            for item in found:
                if type(item) is not tuple or len(item) != width:
                    item = rows.checked(item)
                items.append(item)
                causes.append(row)
                if len(items) >= _PART:
                    for made in rows.take():
                        yield {"part": True}, made

    def _frames(
        self, process: Any, columns: list[pa.Array], start: int, length: int, rows: _Rows, index: int
    ) -> Iterator[Answer]:
        for offset in range(0, length, self._batch):
            piece = [column.slice(offset, self._batch) for column in columns]
            size = min(self._batch, length - offset)
            found = process(frames.frame(piece, self._kinds, self._zone, self._names))
            for one in _tables(found):
                made = rows.frame(one)
                # As many rows as came in: each is of its own row. Else they are the partition's.
                if made and len(made[0]) == size:
                    causes = np.arange(start + offset, start + offset + size)
                else:
                    causes = np.full(len(made[0]) if made else 0, -1 - index)
                yield {"part": True}, rows.batch(causes, made)

    def _end(self, partition: _Partition, rows: _Rows, index: int) -> Iterator[Answer]:
        end = getattr(partition.instance, "end_partition", None)
        if end is None:
            return
        if self._whole:
            columns = [pa.concat_arrays(_same(parts)) for parts in zip(*partition.chunks, strict=True)]
            if not self._kinds:
                columns = []
            partition.chunks.clear()
            found = end(frames.frame(columns, self._kinds, self._zone, self._names))
        else:
            found = end()
        if found is None:
            return
        if self._whole or self._by_frame:
            for one in _tables(found):
                made = rows.frame(one)
                yield {"part": True}, rows.batch(np.full(len(made[0]) if made else 0, -1 - index), made)
            return
        for item in found:
            rows.items.append(rows.checked(item))
            rows.causes.append(-1 - index)
            if len(rows.items) >= _PART:
                for made_part in rows.take():
                    yield {"part": True}, made_part


class _Partition:
    def __init__(self, instance: Any) -> None:
        self.instance = instance
        self.chunks: list[list[pa.Array]] = []


def _copied(column: pa.Array) -> pa.Array:
    """The column in memory of its own: the memory it came in is used again for the next task."""
    return pa.concat_arrays([column, column.slice(0, 0)])


def _same(parts: tuple[pa.Array, ...]) -> list[pa.Array]:
    """Parts of one type: NUMBERs come as int64 or, if big, as decimals."""
    kinds = {part.type for part in parts}
    if len(kinds) == 1:
        return list(parts)
    wide = next(kind for kind in kinds if kind != pa.int64())
    return [widen(part, wide) for part in parts]


def _tables(found: Any) -> Iterator[Any]:
    """The DataFrames, or tuples of columns, of what a vectorized method returned or yields."""
    if found is None:
        return
    if isinstance(found, pd.DataFrame | tuple):
        yield found
        return
    if isinstance(found, pd.Series | np.ndarray | str):
        raise results.ResultError(
            f"A vectorized table function must return a pandas DataFrame or a tuple of columns, not {type(found).__name__}."
        )
    for one in found:
        if one is not None:
            yield one


class _Rows:
    """Rows of the result on their way into columns."""

    def __init__(self, columns: list[tuple[str, Any]], zone: str) -> None:
        self._columns = columns
        self._zone = zone
        # Kept, not replaced: loops hold on to them.
        self.items: list[tuple[Any, ...]] = []
        self.causes: list[int] = []

    def checked(self, item: Any) -> tuple[Any, ...]:
        """A row that a handler yielded, if it is one."""
        if not isinstance(item, tuple):
            if not isinstance(item, list):
                raise results.ResultError(
                    f"A table function must yield tuples, one value a column; it yielded {results.show(item)} of type "
                    f"{type(item).__name__!r}."
                )
            item = tuple(item)
        if len(item) != len(self._columns):
            raise results.ResultError(
                f"A table function must yield tuples of {len(self._columns)} values as its RETURNS TABLE says; it yielded "
                f"{len(item)}: {results.show(item)}."
            )
        return item

    def take(self) -> Iterator[pa.RecordBatch]:
        """The rows so far, if there are any; they are forgotten."""
        if not self.items:
            return
        columns = [
            results.column(list(items), kind, self._zone)
            for items, (_, kind) in zip(zip(*self.items, strict=True), self._columns, strict=True)
        ]
        made = self.batch(np.array(self.causes, np.int64), columns)
        self.items.clear()
        self.causes.clear()
        yield made

    def frame(self, found: Any) -> list[pa.Array]:
        """The columns of a DataFrame or a tuple of columns."""
        if isinstance(found, pd.DataFrame):
            columns: list[Any] = [found.iloc[:, index] for index in range(found.shape[1])]
        elif isinstance(found, tuple):
            columns = list(found)
        else:
            raise results.ResultError(
                f"A vectorized table function must return a pandas DataFrame or a tuple of columns, not "
                f"{type(found).__name__}."
            )
        if len(columns) != len(self._columns):
            raise results.ResultError(
                f"A vectorized table function must return {len(self._columns)} columns as its RETURNS TABLE says; it "
                f"returned {len(columns)}."
            )
        made = [frames.to_column(one, kind, self._zone) for one, (_, kind) in zip(columns, self._columns, strict=True)]
        if len({len(column) for column in made}) > 1:
            raise results.ResultError("A vectorized table function must return columns of the same length.")
        return made

    def batch(self, causes: np.ndarray, columns: list[pa.Array]) -> pa.RecordBatch:
        names = [f"c{index}" for index in range(len(columns))]
        return pa.RecordBatch.from_arrays(
            [integers(np.ascontiguousarray(causes, np.int64)), *columns], ["cause", *names]
        )
