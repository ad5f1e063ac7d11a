"""A stream of rows cut into messages for table functions: several whole partitions each, or parts of a big one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

# Rows and bytes of a message at most, beyond which a partition is sent in several.
_ROWS = 1 << 16
_BYTES = 16 << 20


@dataclass
class Message:
    """Rows for one worker.

    Args:
        rows: all columns.
        lengths: of the partitions in it.
        resume: the first partition goes on from the message before.
        open: the last goes on in the next message.
        carried: columns to be carried along, of ``rows`` and, before them, of ``shift`` rows that stand for the first
            partition where the message has none of its rows.
        shift: 0 or 1.
        first_rows: for each partition a row of ``carried`` in it.
    """

    rows: pa.RecordBatch
    lengths: list[int]
    resume: bool
    open: bool
    carried: pa.RecordBatch
    shift: int
    first_rows: np.ndarray


def cut(
    batches: Iterable[pa.RecordBatch], arity: int, partition: str | None, task_size: Callable[[], int]
) -> Iterator[Message]:
    """Cuts a stream into messages.

    Args:
        batches: columns of arguments, then others.
        arity: number of the former.
        partition: the column that numbers the partitions; None: a batch is one.
        task_size: how many small partitions a message should have.
    """
    return _Cutter(arity, partition, task_size).messages(batches)


class _Cutter:
    def __init__(self, arity: int, partition: str | None, task_size: Callable[[], int]) -> None:
        self._arity = arity
        self._partition = partition
        self._task_size = task_size
        # Whole partitions that wait for others to fill a message.
        self._whole: list[pa.RecordBatch] = []
        self._lengths: list[int] = []
        self._held = _Size()
        # The partition at the stream's end so far, which may go on.
        self._tail: list[pa.RecordBatch] = []
        self._tail_size = _Size()
        self._tail_id: Any = None
        self._streaming = False
        self._last: pa.RecordBatch | None = None

    def messages(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Message]:
        for number, batch in enumerate(batches):
            if batch.num_rows == 0:
                continue
            if self._partition is None:
                identities, starts = [number], [0]
            else:
                numbers = batch.column(self._partition).to_numpy(zero_copy_only=False)
                starts = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist()]
                identities = numbers[starts].tolist()
            yield from self._batch(batch, identities, starts)
        if self._tail or self._streaming:
            yield from self._close_tail()
        yield from self._flush()

    def _batch(self, batch: pa.RecordBatch, identities: list[Any], starts: list[int]) -> Iterator[Message]:
        ends = np.array([*starts[1:], batch.num_rows])
        if (self._tail or self._streaming) and identities[0] != self._tail_id:
            yield from self._close_tail()
        self._tail_id = identities[0]
        yield from self._grow(batch.slice(0, int(ends[0])))
        if len(starts) == 1:
            return
        yield from self._close_tail()
        yield from self._between(batch, starts, ends)
        self._tail_id = identities[-1]
        yield from self._grow(batch.slice(starts[-1]))

    def _between(self, batch: pa.RecordBatch, starts: list[int], ends: np.ndarray) -> Iterator[Message]:
        """The partitions that lie wholly in a batch: all but its first and last."""
        index, last = 1, len(starts) - 1
        while index < last:
            wanted = min(last, index + max(1, self._task_size() - len(self._lengths)))
            fits = int(np.searchsorted(ends, starts[index] + _ROWS - self._held.rows, "right"))
            until = min(wanted, fits)
            rows = batch.slice(starts[index], int(ends[until - 1]) - starts[index]) if until > index else None
            while rows is not None and until - index > 1 and self._held.full_with(rows):
                until = index + (until - index) // 2
                rows = rows.slice(0, int(ends[until - 1]) - starts[index])
            if rows is None or self._held.full_with(rows):
                if self._lengths:
                    yield from self._flush()
                    continue
                yield from self._grow(batch.slice(starts[index], int(ends[index]) - starts[index]))
                yield from self._close_tail()
                index += 1
                continue
            self._whole.append(rows)
            self._held.add(rows)
            self._lengths += (ends[index:until] - starts[index:until]).tolist()
            index = until
            if len(self._lengths) >= self._task_size():
                yield from self._flush()

    def _grow(self, rows: pa.RecordBatch) -> Iterator[Message]:
        for piece in _pieces(rows):
            if self._tail_size.full_with(piece):
                # Too big to wait for its end: it becomes a stream of its own.
                if not self._streaming:
                    yield from self._flush()
                if self._tail:
                    yield self._stream(open=True)
            self._tail.append(piece)
            self._tail_size.add(piece)

    def _stream(self, open: bool) -> Message:
        rows = _joined(self._tail) if self._tail else self._required_last().slice(0, 0)
        resume, self._streaming = self._streaming, open
        shift = 1 if resume else 0
        carried = self._carried(rows)
        if resume:
            carried = pa.concat_batches([self._carried(self._required_last()), carried])
        self._tail, self._tail_size = [], _Size()
        self._last = rows.slice(rows.num_rows - 1, 1) if rows.num_rows else self._last
        return Message(rows, [rows.num_rows], resume, open, carried, shift, np.zeros(1, np.int64))

    def _required_last(self) -> pa.RecordBatch:
        assert self._last is not None
        return self._last

    def _close_tail(self) -> Iterator[Message]:
        if self._streaming:
            yield self._stream(open=False)
            return
        if self._held.full_with(*self._tail):
            yield from self._flush()
        self._whole += self._tail
        self._lengths.append(self._tail_size.rows)
        for piece in self._tail:
            self._held.add(piece)
        self._tail, self._tail_size = [], _Size()
        if len(self._lengths) >= self._task_size() or self._partition is None:
            yield from self._flush()

    def _flush(self) -> Iterator[Message]:
        if not self._lengths:
            return
        rows = _joined(self._whole)
        starts = np.concatenate([[0], np.cumsum(self._lengths)[:-1]]).astype(np.int64)
        lengths = self._lengths
        self._whole, self._lengths, self._held = [], [], _Size()
        yield Message(rows, lengths, False, False, self._carried(rows), 0, starts)

    def _carried(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        names = [name for name in rows.schema.names[self._arity :] if name != self._partition]
        positions = [
            index for index, name in enumerate(rows.schema.names) if index >= self._arity and name != self._partition
        ]
        return pa.RecordBatch.from_arrays([rows.column(index) for index in positions], names)


class _Size:
    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0

    def add(self, piece: pa.RecordBatch) -> None:
        self.rows += piece.num_rows
        self.bytes += piece.nbytes

    def full_with(self, *pieces: pa.RecordBatch) -> bool:
        rows = self.rows + sum(piece.num_rows for piece in pieces)
        return rows > _ROWS or self.bytes + sum(piece.nbytes for piece in pieces) > _BYTES


def _pieces(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    most = max(1, min(_ROWS, rows.num_rows * _BYTES // max(rows.nbytes, 1)))
    for start in range(0, rows.num_rows, most):
        yield rows.slice(start, most)


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    return parts[0] if len(parts) == 1 else pa.concat_batches(parts)
