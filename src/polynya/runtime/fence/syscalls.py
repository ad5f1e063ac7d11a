"""Which system calls a fenced process may make: a list of what is allowed; everything else fails.

The filter is a seccomp one, assembled and loaded by the package ``seccompy``: it is pure Python and brings the table of
system calls, whereas bindings of libseccomp need a system library that a fresh installation may lack.
https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seccompy import Filter


def _names(text: str) -> list[str]:
    return text.split()


_ALLOWED = _names(
    """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range dup dup2
    dup3 fsync fdatasync sync_file_range fallocate ftruncate fadvise64 readahead sendfile splice tee vmsplice
    copy_file_range flock poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
    epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 timerfd_create timerfd_settime
    timerfd_gettime signalfd signalfd4 pipe pipe2 stat fstat lstat newfstatat statx access faccessat faccessat2
    readlink readlinkat getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename
    renameat renameat2 link linkat symlink symlinkat mknod mknodat umask statfs fstatfs getxattr lgetxattr
    fgetxattr listxattr llistxattr flistxattr mprotect munmap mremap brk madvise mincore msync mlock munlock
    mlock2 get_mempolicy membarrier pkey_alloc pkey_free pkey_mprotect map_shadow_stack futex futex_waitv
    futex_wake futex_wait futex_requeue set_robust_list get_robust_list set_tid_address gettid rseq sched_yield
    sched_getaffinity sched_getscheduler sched_getparam sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval exit exit_group restart_syscall arch_prctl wait4 waitid rt_sigaction rt_sigprocmask
    rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause alarm setitimer getitimer
    timer_create timer_settime timer_gettime timer_getoverrun timer_delete clock_gettime clock_getres
    clock_nanosleep nanosleep gettimeofday time times getpid getppid getuid geteuid getgid getegid getresuid
    getresgid getgroups getpgid getpgrp getsid uname sysinfo getrusage getrlimit setrlimit getcpu getrandom
    getpriority ioprio_get capget recvfrom recvmsg recvmmsg sendmsg getsockopt getsockname
    getpeername shutdown
    """
)

# Refused with "Operation not permitted": calls that handlers or the libraries they use may try. What is in neither list
# fails with "Function not implemented", upon which the C library falls back to an older call that is in one.
_REFUSED = _names(
    """
    socket connect bind listen accept accept4 sendmmsg fork vfork execve execveat ptrace kcmp process_vm_readv
    process_vm_writev process_madvise process_mrelease pidfd_open pidfd_getfd pidfd_send_signal tkill setns
    unshare mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
    bpf perf_event_open io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key userfaultfd
    seccomp memfd_create memfd_secret shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd
    msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr inotify_init
    inotify_init1 inotify_add_watch fanotify_init fanotify_mark name_to_handle_at open_by_handle_at setuid
    setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset setsid setpgid setpriority
    ioprio_set sched_setscheduler sched_setparam sched_setattr sched_setaffinity mbind set_mempolicy
    migrate_pages move_pages chown fchown lchown fchownat personality syslog quotactl acct swapon swapoff reboot
    kexec_load kexec_file_load init_module finit_module delete_module iopl ioperm modify_ldt vhangup
    settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname
    """
)

# Landlock does not restrict these on files of the same user outside the temporary folder. They do nothing and report
# success, as in fakeroot: ``shutil.copy`` and ``tarfile`` set the mode and times of their copies.
_WITHOUT_EFFECT = _names("chmod fchmod fchmodat fchmodat2 utime utimes futimesat utimensat")
# Python's ``shutil`` takes this error for a file system without extended attributes.
_UNSUPPORTED = _names("setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr")

_IOCTLS = [0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451]  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIO(N)CLEX
# PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_TIMERSLACK, PR_GET_NO_NEW_PRIVS,
# PR_SET_VMA (names of mappings)
_PRCTLS = [3, 15, 16, 21, 23, 30, 39, 0x53564D41]
# F_SETOWN, F_SETSIG, F_SETOWN_EX send signals to other processes; F_SETLEASE and F_NOTIFY watch others' files.
_FCNTLS_REFUSED = [8, 10, 15, 1024, 1026]
# SO_SNDBUF, SO_RCVBUF, SO_PASSCRED, SO_RCVTIMEO, SO_SNDTIMEO; others load programs into the kernel.
_SOCKET_OPTIONS = [7, 8, 16, 20, 21]
_INT = 0xFFFFFFFF  # the kernel looks at the lower half of an int argument
_CLONE_THREAD = 0x00010000
_O_ACCMODE, _O_TRUNC = 0o3, 0o1000
_PER_PROCESS = ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "prlimit64")


@lru_cache(maxsize=1)
def common_filter(landlock: int) -> Filter:
    """The filter that is the same for all workers, compiled once in the process that forks them.

    Args:
        landlock: the kernel's ABI of Landlock; 0 if it has none.
    """
    from seccompy import Action, CmpOp, Filter

    masked = CmpOp.MASKED_EQ
    rules = Filter(default=int(Action.ERRNO) | errno.ENOSYS)
    table = _Known(rules)
    table.allow(_ALLOWED)
    table.allow(_PER_PROCESS)  # own_filter decides
    table.errno(_REFUSED, errno.EPERM)
    table.errno(_WITHOUT_EFFECT, 0)
    table.errno(_UNSUPPORTED, errno.EOPNOTSUPP)
    # Before ABI 3 Landlock lets files be truncated.
    if landlock < 3:
        table.errno(["truncate"], errno.EACCES)
    table.allow(["truncate"])
    for name, argument in (("open", 1), ("openat", 2)):
        read_only_truncate = (argument, masked, _O_TRUNC, _O_ACCMODE | _O_TRUNC)
        table.errno([name], errno.EACCES, [read_only_truncate])
        table.allow([name])
    table.allow(["creat"])
    # Threads are fine, processes are not.
    table.allow(["clone"], [(0, masked, _CLONE_THREAD, _CLONE_THREAD)])
    table.errno(["clone"], errno.EPERM)
    # RLIMIT_DATA counts neither shared memory (1 with 0x20) nor stacks that grow (0x100).
    table.errno(["mmap"], errno.EPERM, [(3, masked, 0x21, 0x21)])
    table.errno(["mmap"], errno.EPERM, [(3, masked, 0x100, 0x100)])
    table.allow(["mmap"])
    for command in _FCNTLS_REFUSED:
        table.errno(["fcntl"], errno.EPERM, [(1, masked, command, _INT)])
    table.allow(["fcntl"])
    for request in _IOCTLS:
        table.allow(["ioctl"], [(1, masked, request, _INT)])
    table.errno(["ioctl"], errno.ENOTTY)
    for option in _PRCTLS:
        table.allow(["prctl"], [(0, masked, option, _INT)])
    table.errno(["prctl"], errno.EPERM)
    for option in _SOCKET_OPTIONS:
        table.allow(["setsockopt"], [(1, masked, 1, _INT), (2, masked, option, _INT)])
    table.errno(["setsockopt"], errno.EPERM)
    # Pairs of connected stream sockets (event loops wake up by one); sending to an address needs another kind.
    for kind in (1, 5):
        table.allow(["socketpair"], [(0, masked, 1, _INT), (1, masked, kind, 0xF)])
    table.errno(["socketpair"], errno.EPERM)
    table.allow(["sendto"], [(4, CmpOp.EQ, 0)])
    table.errno(["sendto"], errno.EPERM)
    rules.program  # noqa: B018 - compiles
    return rules


def own_filter() -> Filter:
    """A second filter that ties signals and limits to the process itself."""
    from seccompy import Action, CmpOp, Filter

    rules = Filter(default=Action.ALLOW)
    table = _Known(rules)
    own = (0, CmpOp.MASKED_EQ, os.getpid(), _INT)
    for name in _PER_PROCESS:
        table.allow([name], [own])
        if name == "prlimit64":
            table.allow([name], [(0, CmpOp.MASKED_EQ, 0, _INT)])
        table.errno([name], errno.EPERM)
    return rules


class _Known:
    """Adds rules for the calls that this machine's architecture has."""

    def __init__(self, rules: Filter) -> None:
        self._rules = rules

    def allow(self, names: Iterable[str], when: Any = None) -> None:
        for name in filter(_exists, names):
            self._rules.allow(name, args=when)

    def errno(self, names: Iterable[str], number: int, when: Any = None) -> None:
        for name in filter(_exists, names):
            self._rules.errno(name, number, args=when)


def _exists(name: str) -> bool:
    from seccompy import syscall_nr

    try:
        syscall_nr(name)
    except ValueError:
        return False
    return True
