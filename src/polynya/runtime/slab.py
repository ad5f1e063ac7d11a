"""Arrow data between the server and a worker: inline in a frame if small, in shared memory that both keep mapped if big."""

from __future__ import annotations

import fcntl
import mmap
import os
from typing import Any

import numpy as np
import pyarrow as pa

# Bytes up to which copying through the socket is cheaper.
INLINE = 64 << 10
_ROUND = 1 << 20
_SEALS = 0x0002 | 0x0004 | 0x0001  # F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL: who maps it can rely on its size
_F_ADD_SEALS = 1033


class Slab:
    """Shared memory of a fixed size.

    Args:
        fd: a descriptor of it; closed here.
        size: in bytes.
    """

    def __init__(self, fd: int, size: int) -> None:
        self.size = size
        try:
            self._map = mmap.mmap(fd, size)
        finally:
            os.close(fd)
        self.bytes: Any = np.frombuffer(self._map, np.uint8)

    def write(self, batch: pa.RecordBatch) -> int:
        """Writes a batch as an Arrow stream that fits, and answers its length."""
        sink = pa.FixedSizeBufferWriter(pa.py_buffer(self._map))
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return int(sink.tell())

    def view(self, size: int) -> pa.Buffer:
        """The first bytes, not copied."""
        return pa.py_buffer(self._map).slice(0, size)

    def copy(self, size: int) -> pa.Buffer:
        """The first bytes, in memory of one's own."""
        buffer = pa.allocate_buffer(size)
        np.copyto(np.frombuffer(buffer, np.uint8), self.bytes[:size])
        return buffer


def create(size: int) -> tuple[int, int]:
    """Shared memory of at least this size.

    Returns:
        a descriptor of it, the caller's own, and its size.
    """
    size = (size + _ROUND - 1) // _ROUND * _ROUND
    fd = os.memfd_create("polynya-slab", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, _F_ADD_SEALS, _SEALS)
    return fd, size


def space(batch: pa.RecordBatch) -> int:
    """Bytes that suffice for a batch as an Arrow stream."""
    return int(pa.ipc.get_record_batch_size(batch)) + 1024 + 512 * batch.num_columns


def serialize(batch: pa.RecordBatch) -> pa.Buffer:
    """A batch as an Arrow stream."""
    sink = pa.BufferOutputStream()
    writer = pa.RecordBatchStreamWriter(sink, batch.schema)
    writer.write_batch(batch)
    writer.close()
    return sink.getvalue()


def read(buffer: Any) -> pa.RecordBatch:
    """The batch of an Arrow stream, over the buffer's memory."""
    return pa.RecordBatchStreamReader(buffer).read_next_batch()
