"""A /tmp of the worker's own, by a mount namespace: Snowflake documents /tmp as the place for a handler's files."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from polynya.runtime.fence.limits import c_library
from polynya.runtime.fence.paths import is_folder, outermost

log = logging.getLogger(__name__)

TMP = Path("/tmp")
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
# statvfs's flags and mount's: nosuid, nodev, noexec, noatime, nodiratime, relatime
_MOUNT_FLAGS = {0x2: 0x2, 0x4: 0x4, 0x8: 0x8, 0x400: 0x400, 0x800: 0x800, 0x1000: 0x200000}


def private_tmp(folder: Path, needed: Iterable[Path]) -> bool:
    """Lays a folder over /tmp for this process only.

    Args:
        folder: what /tmp is from now on.
        needed: paths that must stay as they are; those that lie in /tmp are bound again to their places.

    Returns:
        False if the system does not let this process have its own mounts; nothing has changed then.

    Raises:
        OSError: half of it was done.
    """
    kept = list(outermost(path for path in [folder, *needed] if path.parts[1:2] == TMP.parts[1:]))
    if TMP in kept:
        return False
    try:
        _own_mounts()
    except OSError as error:
        log.debug("no mounts of its own: %s", error)
        return False
    # Opened before /tmp is covered; a descriptor of before the namespace could not be bound.
    opened = list(_open(kept))
    for path, _ in opened:
        _place(folder / path.relative_to(TMP), is_folder(path))
    _mount(str(folder), str(TMP), _MS_BIND)
    for path, descriptor in opened:
        _mount(f"/proc/self/fd/{descriptor}", str(path), _MS_BIND)
        os.close(descriptor)
        if path != folder:
            # Landlock's rules for the folder reach down to what is bound in it.
            _mount(None, str(path), _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _flags(path))
    return True


def _flags(path: Path) -> int:
    """The flags of the mount a path is on; a user namespace must not clear them."""
    found = os.statvfs(path).f_flag
    return sum(mount_flag for file_flag, mount_flag in _MOUNT_FLAGS.items() if found & file_flag)


def _open(paths: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    for path in paths:
        with contextlib.suppress(PermissionError, FileNotFoundError):
            yield path, os.open(path, os.O_PATH | os.O_CLOEXEC)


def _own_mounts() -> None:
    user, group = os.geteuid(), os.getegid()
    libc = c_library()
    if libc.unshare(_CLONE_NEWNS) != 0:
        # An ordinary user may do so in a user namespace, if the system allows those.
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0:
            raise _error("unshare")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)
    _mount(None, "/", _MS_REC | _MS_PRIVATE)  # what is mounted from now on is seen here only


def _place(path: Path, folder: bool) -> None:
    if folder:
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _mount(source: str | None, target: str, flags: int) -> None:
    if c_library().mount(source and os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None) != 0:
        raise _error("mount")


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
