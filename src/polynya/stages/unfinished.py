"""Files of internal stages that a client has not written to their end.

A client on the server's machine writes them itself: it makes the file as long as it is to be, all of it a hole, and then
fills it from its beginning. It does not tell when it is done. So a file that still ends in a hole is none yet, or, if its
client was ended, never will be. (Of several parts, each of many megabytes, the last may come before another.)
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from pathlib import Path

_BLOCK = 512  # bytes, the unit of st_blocks
# Seconds after its last change in which a file may still be written: before its first byte, and in the middle of a write, which
# may take long on a slow disk and changes the file's time at its beginning only.
_BEGINNING_SECONDS = 5.0
_WRITING_SECONDS = 600.0


def is_unfinished(path: Path, status: os.stat_result) -> bool:
    """Whether a file ends in a hole.

    Args:
        path: of a regular file.
        status: its ``stat``.
    """
    if status.st_size == 0 or getattr(status, "st_blocks", status.st_size) * _BLOCK >= status.st_size:
        return False
    try:
        with path.open("rb") as file:
            os.lseek(file.fileno(), status.st_size - 1, os.SEEK_DATA)
    except OSError as error:
        return error.errno == errno.ENXIO
    return False


def clear(folder: Path) -> None:
    """Deletes from a folder what clients that were ended have left."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another client was quicker
                _clear_one(Path(entry.path), entry.stat(follow_symlinks=False))


def _clear_one(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode) or not is_unfinished(path, status):
        return
    patience = _WRITING_SECONDS if status.st_blocks else _BEGINNING_SECONDS
    if time.time() - status.st_mtime > patience:
        path.unlink()
