"""What a server and its workers were doing when a test ran out of time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import polynya
from polynya.server.local import Warehouse

_WRITTEN_SECONDS = 1.0
_SOURCE = str(Path(polynya.__file__).parent) + "/"


def report(warehouse: Warehouse) -> str:
    """The stack of each thread of a server, as it writes them to its log, and where its workers' threads wait."""
    if warehouse.pid is None:
        return "The server does not run."
    before = warehouse.home.log.stat().st_size
    os.kill(warehouse.pid, signal.SIGUSR1)
    time.sleep(_WRITTEN_SECONDS)
    with warehouse.home.log.open("rb") as log:
        log.seek(before)
        stacks = log.read().decode(errors="replace")
    busy = [stack for stack in stacks.split("\n\n") if "/polynya/" in stack or "/duckdb/" in stack]
    return "\n".join([*map(_shortened, busy), *(_waits(pid) for pid in _descendants(warehouse.pid))])


def _shortened(stack: str) -> str:
    """A thread's stack without the frames that all have."""
    first, *lines = stack.strip().splitlines()
    return "\n".join([first, *(line.replace(_SOURCE, "") for line in lines if "/threading.py" not in line)])


def _descendants(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [one for child in map(int, found) for one in (child, *_descendants(child))]


def _waits(pid: int) -> str:
    """A process: its command, and of each thread the kernel function and the system call in which it waits."""
    lines = [f"process {pid}"]
    try:
        lines.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200])
        for task in sorted(Path(f"/proc/{pid}/task").iterdir()):
            lines.append(
                f"  thread {task.name}: {(task / 'wchan').read_text()} {(task / 'syscall').read_text().strip()}"
            )
    except OSError as error:
        lines.append(f"  {error}")
    return "\n".join(lines)
