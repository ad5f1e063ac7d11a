"""What Python and its packages read."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

_LIBRARIES = [
    "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/lib", "/lib64", "/usr/local/lib", "/usr/local/lib64",
    "/nix/store", "/gnu/store",
]  # fmt: skip
_SHARED = [
    "/usr/share/zoneinfo", "/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/fontconfig", "/usr/share/locale",
    "/usr/share/i18n", "/usr/share/ca-certificates", "/usr/lib/locale",
]  # fmt: skip
_SETTINGS = [
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/timezone", "/etc/os-release",
    "/etc/mime.types", "/etc/fonts", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted",
    "/etc/debian_version",
]  # fmt: skip
# /proc/self is added by the worker: it is another folder for each process.
_MACHINE = [
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/version", "/proc/filesystems",
    "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/cap_last_cap",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage", "/dev/urandom", "/dev/random",
]  # fmt: skip


@lru_cache(maxsize=2)
def readable(hidden: tuple[Path, ...]) -> tuple[tuple[Path, bool], ...]:
    """The paths that exist of those a worker reads, whatever its handler, and whether each is a folder.

    Args:
        hidden: folders that no rule may cover, even if they lie in a folder of Python's.
    """
    wanted = [
        *_LIBRARIES, *_cgroup_limits(), *filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")), *_SHARED, *_SETTINGS, *_MACHINE, *_environments(),
        *(entry for entry in sys.path if entry and Path(entry).is_absolute()), *sysconfig.get_paths().values(),
    ]  # fmt: skip
    found = [part for path in {Path(os.path.realpath(entry)) for entry in wanted} for part in _around(path, hidden)]
    return tuple((path, is_folder(path)) for path in outermost(found))


def _environments() -> list[str]:
    """The folders of the interpreter and of its virtual environment; of an interpreter in /usr or / only the libraries."""
    folders = {os.path.realpath(folder) for folder in (sys.prefix, sys.base_prefix)}
    return [folder for folder in folders if folder not in ("/usr", "/usr/local", "/")]


def _cgroup_limits() -> Iterator[str]:
    """The files that say how much processor and memory this process's control groups have: joblib and DuckDB ask."""
    names = ["cpu.max", "memory.max", "memory.high", "cpu.cfs_quota_us", "cpu.cfs_period_us", "memory.limit_in_bytes"]
    folders = {"/sys/fs/cgroup"}
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for _, controllers, group in (line.split(":", 2) for line in groups):
        for root in [
            Path("/sys/fs/cgroup"),
            *(Path("/sys/fs/cgroup", name) for name in controllers.split(",") if name),
        ]:
            folder = Path(f"{root}{group}")
            folders |= {
                str(root),
                str(folder),
                *(str(parent) for parent in folder.parents if parent.is_relative_to(root)),
            }
    yield from (f"{folder}/{name}" for folder in sorted(folders) for name in names)


def _around(path: Path, hidden: tuple[Path, ...]) -> Iterator[Path]:
    """The path, or, if a hidden folder lies in it, what lies beside that; nothing if it lies in a hidden folder, unless
    it is the virtual environment."""
    if any(path.is_relative_to(folder) for folder in hidden):
        if path not in hidden and str(path) in _environments():
            yield path
        return
    if not any(folder.is_relative_to(path) for folder in hidden):
        if path.exists():
            yield path
        return
    try:
        children = sorted(path.iterdir())
    except OSError:
        return
    for child in children:
        if not child.is_symlink():
            yield from _around(child, hidden)


def outermost(paths: Iterable[Path]) -> Iterator[Path]:
    """Drops paths that lie in another of the paths."""
    last: Path | None = None
    for path in sorted(paths):
        if last is None or not path.is_relative_to(last):
            last = path
            yield path


def is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False
