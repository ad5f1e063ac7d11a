"""The process's memory: what large results and many threads leave behind goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes

import pyarrow as pa

# Of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def limit_memory() -> None:
    """Keeps the allocators from hoarding.

    As delivered, glibc has an arena for every thread and raises its own threshold for what it gives back whenever
    something large is freed, as at every login; and Arrow keeps what results needed in an allocator of its own.
    Batches of rows on their way (some MB) do come from the heap and stay there while statements run: fresh pages cost as
    much as the work on them. ``release_memory`` gives them back afterwards.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    with _glibc() as libc:
        libc.mallopt(_ARENA_MAX, 4)
        libc.mallopt(_MMAP_THRESHOLD, 8 << 20)
        libc.mallopt(_TRIM_THRESHOLD, 32 << 20)


def release_memory() -> None:
    """Gives free memory back to the system."""
    with _glibc() as libc:
        libc.malloc_trim(0)


@contextlib.contextmanager
def _glibc():  # type: ignore[no-untyped-def]
    """The C library; other ones do not have these functions, and that is that."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        yield ctypes.CDLL(None)
