"""What a fenced process cannot do: the table of docs/security.md, line by line. Each attempt is shown to succeed without
the fence, so that a refusal is the fence's work."""

# The calls of the system are what is tried.
# ruff: noqa: PTH104, PTH123, PTH208, PTH211

from __future__ import annotations

import ctypes
import errno
import mmap
import multiprocessing.popen_fork  # before the fence, within which another user cannot import it
import os
import platform
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from polynya.runtime import fence
from tests.runtime.fenced import NOBODY, Place, new_place, remove

pytestmark = pytest.mark.skipif(
    not (fence.available().landlock >= 3 and fence.available().seccomp),
    reason="this system has no Landlock of ABI 3, or no seccomp",
)

Attempts = dict[str, Callable[[], Any]]
_LINES: dict[str, tuple[Callable[[Place], Attempts], dict[str, Any]]] = {}
_SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
_REFUSALS = {
    errno.EPERM,
    errno.EACCES,
    errno.ENOENT,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EFBIG,
    errno.EMFILE,
    errno.ENOMEM,
    errno.EROFS,
    errno.EXDEV,  # Landlock's answer to a hard link
}


def line(text: str, **limits: Any) -> Callable[[Callable[[Place], Attempts]], Any]:
    """Registers the attempts of a line of the table.

    Args:
        text: the line's first cell.
        limits: of the policy.
    """

    def register(attempts: Callable[[Place], Attempts]) -> Callable[[Place], Attempts]:
        _LINES[text] = (attempts, limits)
        return attempts

    return register


def succeeded(attempts: Attempts, refusals: set[int] = _REFUSALS) -> list[str]:
    """The names of the attempts that were not refused; one that the system finds malformed was not refused."""
    done = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except MemoryError:
            continue
        except OSError as error:
            if error.errno in refusals:
                continue
        done.append(name)
    return done


def call(name: str, *arguments: int | bytes | None) -> Callable[[], int]:
    """A system call by its number: no library refuses it first."""
    from seccompy import syscall_nr

    number = syscall_nr(name)

    def attempt() -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
        wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
        if (result := libc.syscall(ctypes.c_long(number), *wide)) == -1:
            raise OSError(ctypes.get_errno(), name)
        return int(result)

    return attempt


def changed(before: Any, change: Callable[[], Any], look: Callable[[], Any]) -> None:
    change()
    if look() == before:
        raise PermissionError(errno.EPERM, "without effect")


@line("read the server's home: data, catalog, stages, results")
def _read_home(place: Place) -> Attempts:
    opened = os.open(place.home / "catalog.db", os.O_RDONLY)
    return {
        "catalog": (place.home / "catalog.db").read_text,
        "data": (place.home / "data" / "t.parquet").read_text,
        "stage": (place.home / "stages" / "file.csv").read_text,
        "names": lambda: os.listdir(place.home / "data"),
        "an open file anew": lambda: os.open(f"/proc/self/fd/{opened}", os.O_RDWR),
        "by a link": lambda: (os.symlink(place.home / "catalog.db", place.temp / "l"), (place.temp / "l").read_text()),
        "by a hard link": lambda: (
            os.link(place.home / "catalog.db", place.temp / "h"),
            (place.temp / "h").read_text(),
        ),
        "by /proc": Path(f"/proc/self/root{place.home}/catalog.db").read_text,
    }


@line("read or write another worker's folder")
def _neighbour(place: Place) -> Attempts:
    return {
        "read": (place.neighbour / "theirs.txt").read_text,
        "names": lambda: os.listdir(place.neighbour),
        "write": lambda: (place.neighbour / "mine.txt").write_text("x"),
        "remove": (place.neighbour / "theirs.txt").unlink,
    }


@line("read files of the system's users")
def _users(place: Place) -> Attempts:
    return {
        "a file": (place.other / "letter.txt").read_text,
        "a folder": lambda: os.listdir(place.other),
        "the list of users": Path("/etc/passwd").read_text,
        "the root": lambda: os.listdir("/"),
        "devices": lambda: os.listdir("/dev"),
        "shared memory": lambda: os.listdir("/dev/shm"),
    }


@line("see environment, memory, open files of other processes")
def _processes(place: Place) -> Attempts:
    server = f"/proc/{os.getppid()}"
    return {
        "environment": Path(server, "environ").read_bytes,
        "memory": lambda: open(f"{server}/mem", "rb"),
        "maps": Path(server, "maps").read_text,
        "open files": lambda: os.listdir(f"{server}/fd"),
        "command": Path(server, "cmdline").read_bytes,
        "processes": lambda: os.listdir("/proc"),
    }


@line("see the server's environment variables")
def _environment(place: Place) -> Attempts:
    def variable() -> None:
        if "POLYNYA_TEST_SECRET" not in os.environ:
            raise PermissionError(errno.EPERM, "not there")

    return {"variable": variable}


@line("write outside its temporary folder")
def _write(place: Place) -> Attempts:
    (place.other / "f").write_text("x" * 10)
    return {
        "home": lambda: (place.home / "data" / "new").write_text("x"),
        "imports": lambda: (place.imports / "model.txt").write_text("x"),
        "another folder": lambda: (place.other / "new").write_text("x"),
        "make a folder": (place.other / "d").mkdir,
        "make a link": lambda: os.symlink("x", place.other / "l"),
        "truncate": lambda: os.truncate(place.other / "f", 0),
        "truncate, reading": lambda: os.open(place.imports / "model.txt", os.O_RDONLY | os.O_TRUNC),
        "move away": lambda: os.rename(place.other / "letter.txt", place.other / "moved"),
        "delete": (place.other / "f").unlink,
        "shared memory": lambda: os.close(os.open(f"/dev/shm/{place.root.name}", os.O_CREAT | os.O_WRONLY)),
    }


@line("change mode, owner, times or attributes of a file")
def _attributes(place: Place) -> Attempts:
    file = place.imports / "model.txt"
    fd = os.open(file, os.O_RDONLY)
    return {
        "mode": lambda: changed(file.stat().st_mode, lambda: file.chmod(0o751), lambda: file.stat().st_mode),
        "mode by descriptor": lambda: changed(
            file.stat().st_mode, lambda: os.fchmod(fd, 0o700), lambda: file.stat().st_mode
        ),
        "times": lambda: changed(file.stat().st_mtime, lambda: os.utime(file, (1, 1)), lambda: file.stat().st_mtime),
        "owner": lambda: os.chown(file, os.getuid(), os.getgid()),
        "attribute": lambda: os.setxattr(file, "user.note", b"x"),
    }


@line("open network connections")
def _network(place: Place) -> Attempts:
    return {
        "TCP": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "TCP 6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM),
        "UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "another protocol": call("socket", 38, 5, 0),  # the kernel's cryptography
        "virtual machines": call("socket", 40, 1, 0),
    }


@line("reach sockets of the machine, by path or by name")
def _sockets(place: Place) -> Attempts:
    path = str(place.root / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    named = socket.socket(socket.AF_UNIX)
    named.bind(f"\0{place.root.name}")
    named.listen()
    ready = [socket.socket(socket.AF_UNIX) for _ in range(3)]  # made before the fence
    datagrams = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    target = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    target.bind(f"{path}-datagrams")
    if place.user is not None:
        os.chown(path, place.user, place.user)
        os.chown(f"{path}-datagrams", place.user, place.user)
    return {
        "make": lambda: (listener, named, socket.socket(socket.AF_UNIX)),
        "connect by path": lambda: ready[0].connect(path),
        "connect by name": lambda: ready[1].connect(f"\0{place.root.name}"),
        "bind": lambda: ready[2].bind(f"\0{place.root.name}2"),
        "send by path": lambda: datagrams[0].sendto(b"x", f"{path}-datagrams"),
        "a pair that could send": lambda: (target, socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)),
    }


@line("signal other processes")
def _signals(place: Place) -> Attempts:
    server = os.getppid()

    def by_terminal() -> None:
        import fcntl

        fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, server)

    return {
        "kill": lambda: os.kill(server, 0),
        "kill, a worker": lambda: os.kill(_victim(), 0),
        "tgkill": call("tgkill", server, server, 0),
        "tkill": call("tkill", server, 0),
        "by a descriptor": lambda: signal.pidfd_send_signal(os.pidfd_open(server), 0),
        "by a file's events": by_terminal,
    }


@line("trace other processes or read their memory")
def _trace(place: Place) -> Attempts:
    return {
        "trace": call("ptrace", 16, _victim(), None, None),
        "read": call("process_vm_readv", _victim(), None, 0, None, 0, 0),
        "write": call("process_vm_writev", _victim(), None, 0, None, 0, 0),
        "take a descriptor": call("pidfd_getfd", -1, 0, 0),
        "compare": call("kcmp", os.getpid(), os.getpid(), 0, 0, 0),
    }


@line("start processes")
def _start(place: Place) -> Attempts:
    def multiprocess() -> None:
        multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
        multiprocessing.get_context("fork").Process(target=print).start()

    def fork() -> None:
        if os.fork() == 0:
            os._exit(0)

    return {
        "fork": fork,
        "vfork": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        "shell": lambda: subprocess.run("true", shell=True, check=True),
        "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "multiprocessing": multiprocess,
        "exec": call("execve", None, None, None),
        "exec by descriptor": call("execveat", -1, b"x", None, None, 0),
    }


@line("change its namespaces, mounts or root")
def _namespaces(place: Place) -> Attempts:
    return {
        "user namespace": call("unshare", 0x10000000),
        "mount namespace": call("unshare", 0x00020000),
        "enter": call("setns", -1, 0),
        "mount": call("mount", b"none", os.fsencode(place.temp), b"tmpfs", 0, None),
        "unmount": call("umount2", os.fsencode(place.temp), 0),
        "mount anew": call("open_tree", -100, b"/", 1),
        "root": lambda: os.chroot("."),
    }


@line("reach rarely used parts of the kernel")
def _kernel(place: Place) -> Attempts:
    pair, _ = socket.socketpair()
    return {
        "bpf": call("bpf", 0, None, 0),
        "io_uring": call("io_uring_setup", 0, None),
        "perf": call("perf_event_open", None, 0, -1, -1, 0),
        "keys": call("keyctl", 0, -3, 0),
        "page faults": call("userfaultfd", 0),
        "handles of files": call("open_by_handle_at", -1, None, 0),
        "watching files": call("inotify_init1", 0),
        "filters of its own": call("seccomp", 1, 0, None),
        "layout": call("personality", 0x0400000),
        "modules": call("init_module", None, 0, b""),
        "messages": call("mq_open", None, 0, 0, None),
        "filters of sockets": lambda: pair.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", 0, 0)),
    }


@line("take rights of another user or of root")
def _rights(place: Place) -> Attempts:
    def capability() -> None:
        effective = re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())
        if effective is None or int(effective[1], 16) == 0:
            raise PermissionError(errno.EPERM, "none")

    return {
        "user": lambda: os.setuid(os.getuid()),
        "group": lambda: os.setgid(os.getgid()),
        "real user": call("setresuid", -1, -1, -1),
        "capabilities": capability,
        "groups": lambda: os.setgroups([]),
    }


@line("slow other processes down by priorities")
def _priorities(place: Place) -> Attempts:
    return {
        "priority": lambda: os.setpriority(
            os.PRIO_PROCESS, os.getppid(), os.getpriority(os.PRIO_PROCESS, os.getppid())
        ),
        "processors": lambda: os.sched_setaffinity(os.getppid(), os.sched_getaffinity(os.getppid())),
        "scheduler": lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
    }


_MEMORY = 64 << 20


@line("hold more memory than its limit", memory_bytes=_MEMORY)
def _memory(place: Place) -> Attempts:
    def many() -> list[bytearray]:
        return [bytearray(1 << 20) for _ in range(100)]

    def segment() -> None:
        number = call("shmget", 0, 2 * _MEMORY, 0o1600)()
        call("shmctl", number, 0, None)()

    return {
        "one piece": lambda: bytearray(2 * _MEMORY),
        "pieces": many,
        "mapped": lambda: mmap.mmap(-1, 2 * _MEMORY, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
        "shared": lambda: mmap.mmap(-1, 2 * _MEMORY),
        "a stack that grows": lambda: mmap.mmap(-1, 2 * _MEMORY, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100),
        "a file in memory": lambda: os.memfd_create("x"),
        "a segment": segment,
        "a device": lambda: mmap.mmap(os.open("/dev/zero", os.O_RDWR), 2 * _MEMORY),
    }


@line("write a file greater than its limit", file_bytes=1 << 20)
def _file_size(place: Place) -> Attempts:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = place.temp / "big"
    file.touch()
    if place.user is not None:
        os.chown(file, place.user, place.user)
    return {
        "write": lambda: file.write_bytes(bytes(2 << 20)),
        "truncate": lambda: os.truncate(file, 2 << 20),
    }


@line("open more files than its limit", open_files=64)
def _open_files(place: Place) -> Attempts:
    return {"many": lambda: [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]}


@line("raise its limits", memory_bytes=_MEMORY)
def _raise(place: Place) -> Attempts:
    def raised(kind: int) -> None:
        soft, _ = resource.getrlimit(kind)
        try:
            resource.setrlimit(kind, (soft + 1 if soft >= 0 else 1 << 40, -1))
        except ValueError as error:
            raise PermissionError(errno.EPERM, "limit") from error

    return {
        "memory": lambda: raised(resource.RLIMIT_DATA),
        "files": lambda: raised(resource.RLIMIT_FSIZE),
        "another process's": lambda: resource.prlimit(_victim(), resource.RLIMIT_NOFILE, (64, 20000)),
    }


_victims: list[subprocess.Popen[bytes]] = []


def _victim() -> int:
    """A process of the same user that may be harmed."""
    return _victims[0].pid


USERS = [None, NOBODY] if os.geteuid() == 0 else [None]


@pytest.fixture(params=USERS, ids=lambda user: "ordinary" if user or os.geteuid() else "root")
def user(request: pytest.FixtureRequest) -> int | None:
    return request.param


@contextmanager
def _place(parent: str, user: int | None) -> Iterator[Place]:
    place = new_place(parent, user)
    _victims.append(subprocess.Popen(["/bin/sleep", "1000"], user=user))
    try:
        yield place
    finally:
        victim = _victims.pop()
        victim.kill()
        victim.wait()
        remove(place)
        Path("/dev/shm", place.root.name).unlink(missing_ok=True)


@pytest.fixture(params=["/tmp", "/var/tmp"])
def place(request: pytest.FixtureRequest, user: int | None) -> Iterator[Place]:
    """A home below /tmp, which is covered by the worker's own, and one elsewhere."""
    with _place(request.param, user) as place:
        yield place


@pytest.mark.parametrize("text", _LINES)
def test_a_handler_cannot(place: Place, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYNYA_TEST_SECRET", "x")
    make, limits = _LINES[text]
    assert place.run(succeeded, before=lambda: make(place), **limits) == []


@pytest.mark.parametrize("abi", [1, 3])
def test_older_kernels_hold_the_same(user: int | None, abi: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older Landlock does not restrict, the list of system calls refuses."""
    from landlockpy import _syscall

    monkeypatch.setattr(_syscall, "abi_version", lambda: abi)
    monkeypatch.setattr(fence, "available", lambda: fence.Available(abi, True))
    monkeypatch.setenv("POLYNYA_TEST_SECRET", "x")
    for text, (make, limits) in _LINES.items():
        with _place("/var/tmp", user) as place:
            assert (text, place.run(succeeded, before=lambda make=make, place=place: make(place), **limits)) == (
                text,
                [],
            )


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has a second interface of system calls")
def test_the_old_interface_of_system_calls_ends_the_process(place: Place) -> None:
    """Its numbers mean other calls, which the list does not know."""

    def work() -> int:
        code = mmap.mmap(
            -1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        )
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        return ctypes.CFUNCTYPE(ctypes.c_int)(address)()

    with pytest.raises(RuntimeError, match="ended with status"):
        place.run(work)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot do all of it anyway")
@pytest.mark.parametrize("text", _LINES)
def test_without_the_fence_it_could(place: Place, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if place.user is not None:
        pytest.skip("an ordinary user cannot do all of it anyway")
    monkeypatch.setenv("POLYNYA_TEST_SECRET", "x")
    # A call that this kernel does not have is no refusal.
    refusals = {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOENT}

    def run(attempts: Attempts) -> tuple[list[str], list[str]]:
        return list(attempts), succeeded(attempts, refusals)

    names, done = place.run(run, before=lambda: _LINES[text][0](place), fenced=False)
    assert done == names


def test_the_table_of_the_documentation_has_these_lines() -> None:
    table = _SECURITY.read_text().partition("## Python handlers")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)
    assert [text for text in lines if text in _LINES] == list(_LINES)
    assert set(_LINES) <= set(lines)
