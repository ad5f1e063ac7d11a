"""The consumer's side of another warehouse on this machine: asks its server, or reads its home while no server runs."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from polynya.catalog.store import Catalog
from polynya.errors import SnowflakeError
from polynya.home import Home
from polynya.statements.sharing.offer import Head
from polynya.statements.sharing.publisher import Publisher, offers
from polynya.storage.replica import replicate_closed

# What changes with every commit of rows and every change of the catalog.
_WATCHED = ("lake.ducklake", "lake.ducklake.wal", "catalog.sqlite", "catalog.sqlite-wal")
_ANSWER_SECONDS = 60.0
# A server that starts or stops holds the lock and does not answer yet, or no more.
_PATIENCE_SECONDS = 20.0
PATH = "/polynya/share"


def state_of(home: Path) -> tuple:
    """What tells whether anything in a home has changed; raises FileNotFoundError if there is no warehouse."""
    found: list[Any] = []
    for name in _WATCHED:
        try:
            status = (home / name).stat()
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except FileNotFoundError:
            if not name.endswith("wal"):
                raise
            found.append(None)
    return tuple(found)


def list_shares(home: Path, consumer: str) -> list[Head]:
    """The shares of a warehouse that a consumer's account may use."""
    found = _ask(home, {"account": consumer})
    return [Head(**{**item, "created_on": datetime.fromisoformat(item["created_on"])}) for item in found]


def publish(home: Path, share: str, consumer: str) -> Path | None:
    """The publication of a share as it is now; None if the consumer may not use it (any more)."""
    found = _ask(home, {"account": consumer, "share": share})
    return None if found is None else Path(found["path"])


def answer(catalog: Catalog, publisher: Publisher, question: dict[str, Any]) -> Any:
    """What a provider answers to ``list_shares`` and ``publish``.

    Args:
        catalog: the provider's.
        publisher: of its home.
        question: ``account`` of the consumer, and ``share`` or nothing.
    """
    consumer = str(question.get("account", ""))
    if "share" in question:
        return publisher.publish(str(question["share"]), consumer)
    return offers(catalog, consumer)


def _ask(path: Path, question: dict[str, Any]) -> Any:
    home = Home(path)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        lock = FileLock(home.lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            try:
                return _ask_server(home, question)
            except (OSError, ValueError, KeyError) as error:
                problem = error
        else:
            try:
                return _read_home(path, question)
            finally:
                lock.release()
        if time.monotonic() > deadline:
            raise SnowflakeError(603, "XX000", f"The provider's warehouse in {path} does not answer: {problem}")
        time.sleep(0.1)


def _ask_server(home: Home, question: dict[str, Any]) -> Any:
    address = home.address()
    if address is None:
        raise OSError("its server is starting or stopping")
    request = urllib.request.Request(
        address.url + PATH,
        data=json.dumps(question).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {home.owner_key()}"},
    )
    trusted = ssl.create_default_context(cafile=home.tls / "ca.pem") if address.protocol == "https" else None
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS, context=trusted) as reply:
        body = json.load(reply)
    if not body["success"]:
        raise OSError(body["message"])
    return body["data"]


def _read_home(path: Path, question: dict[str, Any]) -> Any:
    """The same without a server; the home's lock is held."""
    catalog = Catalog.open(path / "catalog.sqlite")
    try:
        return answer(catalog, Publisher(path, catalog, partial(replicate_closed, path)), question)
    finally:
        catalog.close()
