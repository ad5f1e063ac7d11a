"""What clients on the server's machine PUT: they write the files themselves, and do not tell when they are done.

Each PUT gets a folder of its own; what is whole there moves into the stage when somebody next looks at it. A client makes
a file as long as it is to be, all of it a hole, and then fills it, in parts of any order. So a file without a hole is whole,
and an empty one is not even begun: PUT of empty files goes through the server.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import secrets
import shutil
import stat
import threading
import time
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

_log = logging.getLogger(__name__)

# Seconds without a write after which a client that has not finished is taken to be gone.
_PATIENCE = 600.0


@dataclass(slots=True)
class _Upload:
    """One PUT's folder.

    Args:
        top: the folder to delete in the end.
        folder: below it, where the client writes.
        target: the folder of the stage.
        begun: when, or when the server started if that is later; seconds since the epoch.
        awaited: how many files are still to come; None if that is not known any more.
    """

    top: Path
    folder: Path
    target: Path
    begun: float
    awaited: int | None


class Uploads:
    """The PUTs of clients on this machine that may not have ended.

    Args:
        stages: the folder of all stages.

    Attributes:
        folder: in it, where the PUTs' folders are.
    """

    def __init__(self, stages: Path) -> None:
        self._stages = stages
        self.folder = stages / "uploads"
        self._lock = threading.Lock()
        self._open = [self._found(folder) for folder in _leaves(self.folder)]

    def begin(self, target: Path, files: int) -> Path:
        """Makes the folder into which a client is to write.

        Args:
            target: the folder of the stage that gets the files.
            files: how many.
        """
        top = self.folder / secrets.token_hex(8)
        folder = top / target.relative_to(self._stages)
        folder.mkdir(parents=True)
        with self._lock:
            self._open.append(_Upload(top, folder, target, time.time(), files))
            self._give_up()
        return folder

    def receive(self, root: Path) -> None:
        """Moves into a stage what has been PUT there and is whole.

        Args:
            root: the stage's folder.
        """
        if not self._open:
            return
        with self._lock:
            of_stage = [upload for upload in self._open if _is_within(upload.target, root)]
            whole = [(written, file, upload) for upload in of_stage for written, file in _whole(upload.folder)]
            for _, file, upload in sorted(whole, key=itemgetter(0)):  # of two files of one name the later stays
                try:
                    upload.target.mkdir(parents=True, exist_ok=True)
                    file.replace(upload.target / file.name)
                except FileNotFoundError:
                    continue  # a backup has moved it
                except OSError as error:
                    _log.warning("%s, which was PUT, cannot be moved to %s: %s", file, upload.target, error.strerror)
                    continue
                if upload.awaited is not None:
                    upload.awaited -= 1
            for upload in of_stage:
                if upload.awaited == 0:
                    self._end(upload)

    def forget(self, root: Path) -> None:
        """Deletes what has been PUT into a stage that is dropped."""
        with self._lock:
            for upload in [upload for upload in self._open if _is_within(upload.target, root)]:
                self._end(upload)

    def _give_up(self) -> None:
        """Deletes what clients that were ended have left."""
        latest = time.time() - _PATIENCE
        for upload in [upload for upload in self._open if upload.begun < latest]:
            if all(changed < latest for changed in _changes(upload.folder)):
                self._end(upload)

    def _end(self, upload: _Upload) -> None:
        shutil.rmtree(upload.top, ignore_errors=True)
        self._open.remove(upload)

    def _found(self, folder: Path) -> _Upload:
        """An upload that an earlier run of the server began."""
        top, *path = folder.relative_to(self.folder).parts
        return _Upload(self.folder / top, folder, self._stages.joinpath(*path), time.time(), None)


def readable_sources(pattern: str) -> int:
    """How many files a PUT has that its client may write by itself; 0 if any must go through the server.

    Those must that are not seen here (a stream, a path relative to the client, a client in a container), and the empty ones.

    Args:
        pattern: the path of PUT, with ``*`` and ``?``.
    """
    if not Path(pattern).is_absolute() or not hasattr(os, "SEEK_HOLE"):
        return 0
    count = 0
    for path in map(Path, glob.iglob(pattern)):  # noqa: PTH207 - drivers read patterns so
        try:
            status = path.stat()
        except OSError:
            return 0
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0 or not os.access(path, os.R_OK):
            return 0
        count += 1
    return count


def is_whole(path: Path) -> bool:
    """Whether a file of a PUT has all its bytes."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        return size > 0 and os.lseek(file.fileno(), 0, os.SEEK_HOLE) == size


def _whole(folder: Path) -> list[tuple[int, Path]]:
    """(When it was written, file) of a folder's whole files."""
    found = []
    for path in _regular_files(folder):
        with contextlib.suppress(FileNotFoundError):
            if is_whole(path):
                found.append((path.stat().st_mtime_ns, path))
    return found


def _regular_files(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _changes(folder: Path) -> list[float]:
    """When a folder and its files were last written."""
    times = []
    for path in [folder, *_regular_files(folder)]:
        with contextlib.suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return times


def _leaves(root: Path) -> list[Path]:
    """The folders without folders below each of a root's folders."""
    return [Path(folder) for folder, folders, _ in os.walk(root) if not folders and Path(folder) != root]


def _is_within(path: Path, root: Path) -> bool:
    return path == root or root in path.parents
