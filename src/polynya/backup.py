"""Backup and restore of a home.

A backup is a folder of the form of a home without what only a running server needs: ``catalog.sqlite``,
``lake.ducklake`` and ``lake/`` as of one moment, the query history, ``stages/``, ``connections.toml``, ``tls/``,
``shares.json``; and ``backup.json``, written last. It is readable by its owner only.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polynya import __version__
from polynya.home import Home, HomeError, free_port
from polynya.stages.uploads import Uploads

NOTE = "backup.json"
_FORM = 1
# The server's part of a large lake: its metadata, and a second name for each file.
_SERVER_SECONDS = 3600.0
_SECRET_FILES = ("connections.toml", "shares.json")
_SECRET_FOLDERS = ("tls",)
_FOLDERS = ("stages",)

# Told the bytes that are done and the total.
Progress = Callable[[int, int], object]


@dataclass(slots=True)
class Backup:
    """What a backup holds.

    Args:
        account: of the home.
        made_at: when it was taken: nothing later is in it.
        files, bytes: copied.
        missing: files that the lake listed and that were not there: the home was damaged before.
        differ: tables that the catalog has and the lake has not, or not with these columns.
        version: of the program that made it.
        form: of the folder.
    """

    account: str
    made_at: str
    files: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    version: str = __version__
    form: int = _FORM


def back_up(home: Home, target: Path, progress: Progress = lambda done, total: None) -> Backup:
    """Copies a home, whether its server runs or not; whoever writes goes on.

    Args:
        home: with a warehouse in it.
        target: a new or empty folder outside of the home.
        progress: told while files are copied.

    Raises:
        HomeError: in one line what is wrong; nothing is left at the target then.
    """
    home.require()
    target = target.absolute()
    _check_target(target, "backup")
    if target.resolve().is_relative_to(home.path.resolve()):
        raise HomeError(f"{target} lies in the home that is to be backed up: choose a folder outside of {home.path}.")
    with _scratch(home) as scratch, _unfinished(target) as folder:
        made = Backup(str(home.connection()["account"]), datetime.now(UTC).isoformat())
        answer = _snapshot(home, scratch)
        made.missing, made.differ = answer["missing"], answer["differ"]
        _copy(_sources(home, scratch), folder, made, progress)
        _write(folder / NOTE, json.dumps(asdict(made), indent=2))
        os.sync()
    return made


def restore(source: Path, home: Home, progress: Progress = lambda done, total: None) -> tuple[Backup, int | None]:
    """Makes a home from a backup.

    Args:
        source: the backup's folder.
        home: a new or empty one.
        progress: told while files are copied.

    Returns:
        (what the backup holds, the port that the connection has now if the old one is taken)

    Raises:
        HomeError: in one line what is wrong; nothing is left at the home then.
    """
    made = read_note(source)
    _check_target(home.path, "home")
    copied = Backup(made.account, made.made_at)
    with _unfinished(home.path) as folder:
        files = [path for path in _files(source) if path != source / NOTE]
        missing = made.files - len(files)
        if missing > 0:
            raise HomeError(f"{source} is not whole: {missing} of its {made.files} files are missing.")
        _copy(
            [(path, path.relative_to(source), _mode(path.relative_to(source))) for path in files],
            folder,
            copied,
            progress,
        )
        os.sync()
    port = int(home.connection()["port"])
    usable = free_port(port)
    if usable == port:
        return made, None
    home.write_connection({**home.connection(), "port": usable})
    return made, usable


def read_note(source: Path) -> Backup:
    """What a backup says of itself.

    Raises:
        HomeError: if the folder is none, or of a later form.
    """
    try:
        values = json.loads((source / NOTE).read_text())
        if values["form"] > _FORM:
            raise HomeError(
                f"{source} was made by polynya {values['version']}: restore it with that version or a later one."
            )
        return Backup(**values)
    except (OSError, ValueError, KeyError, TypeError):
        raise HomeError(f"{source} is no backup: `polynya backup DIR` makes one.") from None


def _snapshot(home: Home, scratch: Path) -> dict[str, Any]:
    """The part that must be of one moment: by the server, or here while none runs."""
    import duckdb
    from filelock import FileLock, Timeout

    from polynya.session.backup import snapshot_closed

    lock = FileLock(home.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _ask(home, scratch)
    try:
        return snapshot_closed(home.path, scratch)
    except (OSError, duckdb.Error, sqlite3.Error) as error:
        raise HomeError(f"The warehouse in {home.path} cannot be copied: {' '.join(str(error).split())}") from None
    finally:
        lock.release()


def _ask(home: Home, scratch: Path) -> dict[str, Any]:
    address = home.address()
    if address is None:
        raise HomeError("The server is starting or stopping: try again.")
    request = urllib.request.Request(
        f"{address.url}/polynya/backup",
        data=json.dumps({"folder": str(scratch)}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {home.owner_key()}"},
    )
    trusted = ssl.create_default_context(cafile=home.tls / "ca.pem") if address.protocol == "https" else None
    try:
        with urllib.request.urlopen(request, timeout=_SERVER_SECONDS, context=trusted) as reply:
            body = json.load(reply)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise HomeError(f"The server at {address.url} does not answer ({error}): see {home.log}.") from None
    if not body["success"]:
        raise HomeError(f"The server says: {body['message']}")
    answer: dict[str, Any] = body["data"]
    return answer


def _sources(home: Home, scratch: Path) -> list[tuple[Path, Path, int]]:
    """(file, its place in the backup, its mode) of all that is copied."""
    found = [(path, path.relative_to(scratch)) for path in _files(scratch)]
    # What has been PUT is moved to its place, as the server would: the rest may be half written and is left out.
    uploads = Uploads(home.path / "stages")
    uploads.receive(home.path / "stages")
    for name in (*_SECRET_FOLDERS, *_FOLDERS):
        files = (path for path in _files(home.path / name) if uploads.folder not in path.parents)
        found += [(path, path.relative_to(home.path)) for path in files]
    found += [(home.path / name, Path(name)) for name in _SECRET_FILES if (home.path / name).is_file()]
    return [(path, place, _mode(place)) for path, place in found]


def _mode(place: Path) -> int:
    return 0o644 if place.parts[0] in (*_FOLDERS, "lake") else 0o600


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder; links are not followed, unfinished files left out."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file() and not path.is_symlink() and not path.name.endswith(".part"):
            yield path


def _copy(sources: list[tuple[Path, Path, int]], target: Path, made: Backup, progress: Progress) -> None:
    sizes = [_size(path) for path, _, _ in sources]
    total, done = sum(sizes), 0
    for (path, place, mode), size in zip(sources, sizes, strict=True):
        copy = target / place
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with (
                path.open("rb") as file,
                os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as to,
            ):
                shutil.copyfileobj(file, to, 1 << 20)
        except FileNotFoundError:
            if path.exists():
                raise
            continue  # a staged file that was removed meanwhile
        except OSError as error:
            raise HomeError(f"{copy} cannot be written ({error.strerror}).") from None
        made.files += 1
        made.bytes += copy.stat().st_size
        done += size
        progress(done, total)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _check_target(target: Path, what: str) -> None:
    try:
        others = sorted(item.name for item in target.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise HomeError(f"{target} is no folder: choose a new or empty one for the {what}.") from None
    except OSError as error:
        raise HomeError(f"{target} cannot be read ({error.strerror}): choose another folder for the {what}.") from None
    if others:
        raise HomeError(f"{target} holds other files ({others[0]} ...): choose a new or empty folder for the {what}.")


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A folder beside the target that takes its place when all is done."""
    folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise HomeError(f"{target} cannot be made ({error.strerror}): choose another folder.") from None
    try:
        yield folder
        if target.exists():
            target.rmdir()
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _scratch(home: Home) -> Iterator[Path]:
    """A folder on the home's own disk, where files can have a second name; those of interrupted backups go."""
    from polynya.session.backup import SCRATCH

    temporary = home.path / "tmp"
    temporary.mkdir(exist_ok=True, mode=0o700)
    folder = temporary / f"{SCRATCH}{os.getpid()}-{secrets.token_hex(4)}"
    for old in temporary.glob(f"{SCRATCH}*"):
        if not _runs(old.name):
            shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runs(name: str) -> bool:
    """Whether the process that made a scratch folder still runs."""
    try:
        os.kill(int(name.split("-")[1]), 0)
    except (ProcessLookupError, ValueError, IndexError):
        return False
    except PermissionError:
        return True
    return True


def _write(path: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise HomeError(f"{path} cannot be written ({error.strerror}).") from None
