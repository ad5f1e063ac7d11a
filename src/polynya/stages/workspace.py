"""Files derived from staged files: decompressed copies, downloads, rows parsed by us. Made once, kept for a while."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Total size that is kept; a file in use by a statement was touched in the last hour and stays.
_KEEP_BYTES = 1 << 30
_KEEP_SECONDS = 3600.0


class Notes:
    """What was found out about files, by text that names file and version; the latest are kept."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._items: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        """What was put there, or None."""
        return self._items.get(key)

    def put(self, key: str, value: Any) -> None:
        with self._lock:
            self._items[key] = value
            if len(self._items) > self._size:
                self._items.popitem(last=False)


class Workspace:
    """A folder of temporary files, emptied when the server starts.

    Args:
        folder: made if missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes = Notes()
        shutil.rmtree(folder, ignore_errors=True)
        self._count = itertools.count()
        self._locks: dict[str, threading.Lock] = {}
        self._entries: dict[Path, float] = {}
        self._lock = threading.Lock()

    def derived(self, source: str, make: Callable[[Path], object], *, suffix: str = "") -> Path:
        """A file derived from a source, made now or found.

        Args:
            source: names the source and its version; the same text gives the same file.
            make: writes the file at the path it gets; if it raises, nothing is kept.
            suffix: of the file's name.
        """
        name = hashlib.sha256(source.encode()).hexdigest()[:32] + suffix
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            path = self.folder / name
            if not path.exists():
                partial = self.new(".part")
                try:
                    make(partial)
                    partial.replace(path)
                finally:
                    partial.unlink(missing_ok=True)
            with self._lock:
                self._entries[path] = time.monotonic()
                self._locks.pop(name, None)
        self._evict()
        return path

    def new(self, suffix: str = "") -> Path:
        """The path of a new file; the caller deletes it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{os.getpid()}_{next(self._count)}{suffix}"

    def _evict(self) -> None:
        """Removes the derived files that were not asked for longest, down to the size that is kept."""
        with self._lock:
            entries = sorted(self._entries.items(), key=lambda item: item[1], reverse=True)
            total, limit = 0, time.monotonic() - _KEEP_SECONDS
            for path, used in entries:
                total += path.stat().st_size if path.exists() else 0
                if total > _KEEP_BYTES and used < limit:
                    path.unlink(missing_ok=True)
                    del self._entries[path]
