"""NUMBER columns on their way: as 64-bit integers (unscaled) where all values fit, half the bytes of a decimal128."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_BLOCK = 1 << 15


def narrow(column: pa.Array) -> pa.Array:
    """A decimal128 column as int64 of its unscaled values if they all fit, any other column unchanged; lists inside too."""
    kind = column.type
    if pa.types.is_list(kind) and pa.types.is_decimal128(kind.value_type):
        column = column if column.offset == 0 else pa.concat_arrays([column])
        return pa.ListArray.from_arrays(column.offsets, narrow(column.values), mask=_mask(column))
    if not pa.types.is_decimal128(kind) or len(column) == 0:
        return column
    words = np.frombuffer(column.buffers()[1], np.int64)[2 * column.offset : 2 * (column.offset + len(column))]
    low = np.empty(len(column), np.int64)
    if not column.null_count:
        return integers(low) if _split(words, low) else column
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    low[:] = words[::2]
    if (((low >> 63) != words[1::2]) & valid).any():
        return column
    return pa.array(low, pa.int64(), mask=~valid)


def _split(words: np.ndarray, low: np.ndarray) -> bool:
    """Takes the low words of 128-bit integers; False if the high words say more than a sign. By blocks, for the cache."""
    for start in range(0, len(low), _BLOCK):
        part = low[start : start + _BLOCK]
        high = words[2 * start + 1 : 2 * (start + len(part)) : 2]
        part[:] = words[2 * start : 2 * (start + len(part)) : 2]
        small = np.bitwise_or.reduce(high) == 0 and np.bitwise_or.reduce(part) >= 0
        if not small and not np.array_equal(part >> 63, high):
            return False
    return True


def integers(values: np.ndarray) -> pa.Array:
    """An int64 column over a numpy array's memory."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])


def widen(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column of a wire as the engine's type, int64 to decimal128 without any check of its range.

    Args:
        column: as ``narrow`` made it, without an offset.
        kind: the type to be had; other types come back unchanged.
    """
    if pa.types.is_list(kind) and pa.types.is_list(column.type):
        values = widen(column.values, kind.value_type)
        return pa.ListArray.from_arrays(column.offsets, values, mask=_mask(column))
    if not (pa.types.is_decimal128(kind) and column.type == pa.int64()):
        return column
    column = column if column.offset == 0 else pa.concat_arrays([column])
    size = len(column)
    buffer = pa.allocate_buffer(16 * size)
    if size:
        words = np.frombuffer(buffer, np.int64)
        values = np.frombuffer(column.buffers()[1], np.int64)[:size]
        for start in range(0, size, _BLOCK):
            part = values[start : start + _BLOCK]
            target = words[2 * start : 2 * (start + len(part))]
            target[::2] = part
            if np.bitwise_or.reduce(part) >= 0:
                target[1::2] = 0
            else:
                np.right_shift(part, 63, out=target[1::2])
    return pa.Array.from_buffers(kind, size, [column.buffers()[0], buffer], column.null_count)


def _mask(column: pa.Array) -> pa.Array | None:
    return pc.is_null(column) if column.null_count else None
