"""Limits of the operating system on what one process takes, and the rights of root that it gives up."""

from __future__ import annotations

import ctypes
import resource
import sys
from functools import lru_cache
from pathlib import Path

_LINUX_CAPABILITY_VERSION_3 = 0x20080522


def limit(memory_bytes: int, file_bytes: int, open_files: int, threads: int) -> None:
    """Sets hard limits.

    Args:
        memory_bytes: on top of what the process holds now.
        file_bytes: a file's size.
        open_files: descriptors.
        threads: threads; the kernel counts them by user, so it is on top of what the machine runs now, and does not
            apply to root.
    """
    wanted = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": file_bytes, "RLIMIT_NOFILE": open_files, "RLIMIT_MSGQUEUE": 0}
    if sys.platform == "linux":
        wanted["RLIMIT_DATA"] = _held() + memory_bytes
        wanted["RLIMIT_NPROC"] = _threads_now() + threads
    for name, value in wanted.items():
        if (kind := getattr(resource, name, None)) is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))


def _held() -> int:
    """Bytes that count towards RLIMIT_DATA."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def _threads_now() -> int:
    return int(Path("/proc/loadavg").read_text().split()[3].split("/")[1])


@lru_cache(maxsize=1)
def c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def drop_capabilities() -> None:
    """Gives up all capabilities; without exec, which the filter refuses, there is no way back to them."""
    libc = c_library()
    header = _Header(_LINUX_CAPABILITY_VERSION_3, 0)
    if libc.capset(ctypes.byref(header), ctypes.byref((_Sets * 2)())) != 0:
        raise OSError(ctypes.get_errno(), "capset failed")
