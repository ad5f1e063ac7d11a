"""The fence: what keeps a Python handler inside its worker process. ``docs/security.md`` says what holds where.

On Linux: Landlock for files, a list of allowed system calls (seccomp), resource limits, no capabilities, and, where
the system allows it, a mount namespace so that /tmp is the worker's own. Elsewhere: resource limits only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from polynya.runtime.fence import limits, namespace, paths, threads

log = logging.getLogger(__name__)

# The same number on all architectures.
_LANDLOCK_CREATE_RULESET, _LANDLOCK_VERSION = 444, 1
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_MACHINES = ("x86_64", "aarch64")
_KEPT_VARIABLES = {"PATH", "LANG", "LANGUAGE", "TZ", "TZDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV"}
_KEPT_PREFIXES = ("LC_", "PYTHON", "OMP_", "MKL_", "OPENBLAS_", "ARROW_", "MALLOC_", "KMP_")


@dataclass(frozen=True, slots=True)
class Policy:
    """What one worker may do.

    Args:
        temp: its folder, the only one that it may write; exists and is empty.
        read: what it may read besides Python and its packages: the import folder of its handler.
        hide: folders that stay unreadable even if they lie in a folder of Python's: the server's home.
        memory_bytes: it may hold as much on top of what it holds at the start.
        file_bytes: greatest size of a file.
        open_files: greatest number of open files.
        threads: greatest number of threads, where the kernel counts them (not for root).
    """

    temp: Path
    read: tuple[Path, ...] = ()
    hide: tuple[Path, ...] = ()
    memory_bytes: int = 2 << 30
    file_bytes: int = 4 << 30
    open_files: int = 1024
    threads: int = 1024


@dataclass(frozen=True, slots=True)
class Available:
    """What the system offers.

    Args:
        landlock: ABI of Landlock, 0 if there is none.
        seccomp: whether system calls can be filtered.
    """

    landlock: int
    seccomp: bool

    def missing(self) -> list[str]:
        """What does not hold here, a sentence each; empty if all does."""
        if sys.platform != "linux":
            return [
                f"Python handlers are not fenced on {sys.platform}: they can read and write what the server can, open network "
                "connections and start processes. Run only handlers that you trust."
            ]
        found = []
        if not self.landlock:
            found.append(
                "This kernel has no Landlock (Linux 5.13 and later, if enabled): Python handlers can read and write the files "
                "that the server can. Run only handlers that you trust."
            )
        elif self.landlock < 2:
            found.append(
                "This kernel's Landlock is of ABI 1: Python handlers cannot rename files from one folder to another."
            )
        if not self.seccomp:
            found.append(
                "This kernel does not filter system calls (seccomp): Python handlers can open network connections and start "
                "processes. Run only handlers that you trust."
            )
        return found


def available() -> Available:
    """Asks the system what it offers."""
    if sys.platform != "linux":
        return Available(0, False)
    # Without the packages that use them: the server asks when it starts, and needs no more of them.
    libc = limits.c_library()
    abi = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    # With no filter the kernel fails at reading it, if it takes any.
    libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, None, 0, 0)
    return Available(max(abi, 0), ctypes.get_errno() == errno.EFAULT and os.uname().machine in _MACHINES)


def warn() -> None:
    """Says in the log what does not hold on this system: when the server starts."""
    for text in available().missing():
        log.warning(text)


def _environment() -> dict[str, str]:
    """What a handler sees of the environment: the server's may hold secrets."""
    return {
        k: v
        for k, v in os.environ.items()
        if k in _KEPT_VARIABLES or k.startswith(_KEPT_PREFIXES) or k.endswith("_NUM_THREADS")
    }


def prepare(hide: tuple[Path, ...] = ()) -> None:
    """Does what is the same for all workers, in the process that forks them.

    Args:
        hide: as in the policies to come.
    """
    if sys.platform == "linux":
        from polynya.runtime.fence import syscalls

        found = available()
        paths.readable(_resolved(hide))
        limits.c_library()
        threads.install()
        if found.landlock:
            import landlockpy  # noqa: F401
        if found.seccomp:
            syscalls.common_filter(found.landlock)


def apply(policy: Policy) -> None:
    """Fences this process, for good. It must have one thread only, and have loaded no code of a handler.

    Raises:
        OSError: what the system offers could not be used; the process must end then.
    """
    temp = Path(os.path.realpath(policy.temp))
    own = [(path, paths.is_folder(path)) for path in _resolved(policy.read)]
    read = [*own, *paths.readable(_resolved(policy.hide))]
    own_tmp = sys.platform == "linux" and namespace.private_tmp(temp, [path for path, _ in read])
    _settle(namespace.TMP if own_tmp else temp)
    limits.limit(policy.memory_bytes, policy.file_bytes, policy.open_files, policy.threads)
    if sys.platform == "linux":
        threads.install()
        _confine(temp, read)


def _settle(temp: Path) -> None:
    """Makes the temporary folder the process's home, and forgets the server's variables."""
    kept = _environment()
    os.environ.clear()
    os.environ.update(kept)
    for name in ("HOME", "TMPDIR", "TMP", "TEMP"):
        os.environ[name] = str(temp)
    os.environ["MPLCONFIGDIR"] = str(temp / ".matplotlib")
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # joblib would start a program to count cores, and complain
    os.environ["USER"] = os.environ["LOGNAME"] = "udf"  # getpass.getuser; users of the system cannot be looked up
    tempfile.tempdir = None
    os.chdir(temp)


def _confine(temp: Path, read: list[tuple[Path, bool]]) -> None:
    """Gives up rights: capabilities, then files, then system calls."""
    from polynya.runtime.fence import syscalls

    found = available()
    # Compiled before files are out of reach: imports may be needed.
    common = syscalls.common_filter(found.landlock) if found.seccomp else None
    own = syscalls.own_filter() if found.seccomp else None
    limits.drop_capabilities()
    if found.landlock:
        _restrict_files(temp, read)
    if common and own:
        own.load()
        common.load()


def _restrict_files(temp: Path, read: list[tuple[Path, bool]]) -> None:
    from landlockpy import AccessFS, Ruleset, Scope

    files = AccessFS.READ_FILE
    whole = AccessFS.READ_FILE | AccessFS.READ_DIR
    own = (
        whole | AccessFS.WRITE_FILE | AccessFS.TRUNCATE | AccessFS.REFER | AccessFS.REMOVE_DIR | AccessFS.REMOVE_FILE
        | AccessFS.MAKE_DIR | AccessFS.MAKE_REG | AccessFS.MAKE_FIFO | AccessFS.MAKE_SYM
    )  # fmt: skip
    with Ruleset(scoped=Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET) as rules:
        for path, folder in read:
            # What this user cannot reach needs no rule.
            with contextlib.suppress(PermissionError, FileNotFoundError):
                rules.allow_path(path, whole if folder else files)
        rules.allow_path(f"/proc/{os.getpid()}", whole)
        rules.allow_path("/dev/null", files | AccessFS.WRITE_FILE | AccessFS.TRUNCATE)
        rules.allow_path(temp, own)
        rules.restrict()


def _resolved(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(Path(os.path.realpath(folder)) for folder in folders)
