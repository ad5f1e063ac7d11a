"""Files of internal stages that a client has not written to their end.

A client on the server's machine writes them itself: it makes the file as long as it is to be, all of it a hole, and then
fills it from its beginning. It does not tell when it is done. So a file that still ends in a hole is none yet, or, if its
client was ended, never will be. (Of several parts, each of many megabytes, the last may come before another.)
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

_BLOCK = 512  # bytes, the unit of st_blocks
# Seconds after its last change in which a file may still be written.
_WRITING_SECONDS = 5.0


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
            if entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                quiet = time.time() - status.st_mtime > _WRITING_SECONDS
                if quiet and is_unfinished(Path(entry.path), status):
                    Path(entry.path).unlink(missing_ok=True)
