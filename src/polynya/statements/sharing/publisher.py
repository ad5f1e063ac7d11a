"""The provider's side: copies of shared tables as of now, for readers in other processes.

DuckDB's metadata file belongs to one process, so a consumer's server cannot open the lake that a provider's server has
open. Whenever a consumer finds that the provider's home has changed, it asks for a publication: a small lake of its own,
with the shared tables' metadata and links to their files (``storage.replica``). It is read-only and never changes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from polynya.catalog.store import Catalog
from polynya.statements.sharing.offer import contents_of, head_of, shares_for

# Publications lie here in the provider's home.
FOLDER = "shares"
LOCK, OFFER = "lock", "offer.json"
# An older one that nobody reads stays so long: a consumer may just have been told of it.
_GRACE_SECONDS = 60.0

# Writes a replica of these tables into a folder.
Replicate = Callable[[Path, set[str]], object]


def offers(catalog: Catalog, consumer: str) -> list[dict[str, Any]]:
    """The shares that a consumer may use, as plain data."""
    return [_head(catalog, share) for share in shares_for(catalog, consumer)]


def _head(catalog: Catalog, share: Any) -> dict[str, Any]:
    head = head_of(catalog, share)
    return {**asdict(head), "created_on": head.created_on.isoformat()}


class Publisher:
    """Publishes shares of one home.

    Args:
        home: the provider's.
        catalog: of it.
        replicate: copies tables of its lake.
    """

    def __init__(self, home: Path, catalog: Catalog, replicate: Replicate) -> None:
        self._folder = home / FOLDER
        self._catalog = catalog
        self._replicate = replicate
        self._lock = threading.Lock()

    def publish(self, share: str, consumer: str) -> dict[str, Any] | None:
        """Publishes a share as it is now.

        Returns:
            its head, and ``path`` of the publication; None if the consumer may not use it (any more).
        """
        found = next((item for item in shares_for(self._catalog, consumer) if item.name == share), None)
        if found is None:
            return None
        # What the catalog says must not be newer than the rows: a column that is not there yet could not be read.
        contents = contents_of(self._catalog, found, consumer)
        with self._lock:
            parent = self._folder / str(found.id)
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            target = parent / f"{time.time_ns()}"
            target.mkdir(mode=0o700)
            (target / LOCK).touch(mode=0o600)
            self._replicate(target, contents.stored)
            offer = {"head": _head(self._catalog, found), "contents": contents.as_json()}
            descriptor = os.open(target / OFFER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(offer, file)
            remove_unread(parent, keep=target)
        return {"path": str(target)}


def remove_unread(parent: Path, keep: Path | None = None) -> None:
    """Removes publications that no consumer has open.

    Args:
        parent: of one share.
        keep: stays.
    """
    for old in parent.iterdir():
        if old == keep or time.time() - int(old.name) / 1e9 < _GRACE_SECONDS:
            continue
        with suppress(OSError), (old / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old, ignore_errors=True)
