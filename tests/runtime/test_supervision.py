"""Crashes, limits, cancellation: they end one query; nothing is lost and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from polynya.errors import SnowflakeError
from polynya.runtime.handler import Job
from polynya.runtime.pool import Pool
from polynya.types.sqltype import FLOAT, VARCHAR
from tests.runtime.handlers import batch, handler, whole

SAME = "def f(x): return x"


def processes_below(pid: int) -> set[int]:
    """All living descendants of a process."""
    found: set[int] = set()
    # one that ends meanwhile has none
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found |= {int(child)} | processes_below(int(child))
    return found


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("import os\ndef f(x): os._exit(3)", "exited with code 3"),
        ("import os\ndef f(x): os.kill(os.getpid(), 9)", "was terminated by signal 9 (SIGKILL)"),
        ("import ctypes\ndef f(x): ctypes.string_at(0)", "was terminated by signal 11 (SIGSEGV)"),
        ("import os\nos._exit(0)", "exited with code 0"),
        ("import sys\ndef f(x): sys.exit(4)", "SystemExit: 4"),
        ("def f(x): return f(x)", "RecursionError"),
    ],
)
def test_a_crash_ends_one_query(pool: Pool, body: str, named: str) -> None:
    for _ in range(2):
        with pytest.raises(SnowflakeError) as error:
            pool.apply(handler(body), whole(1), Job())
        assert error.value.code == 100357
        assert named in error.value.message
    assert pool.apply(handler(SAME), whole(1), Job()).to_pylist() == [1]


def test_a_limit_of_time(pool: Pool) -> None:
    start = time.monotonic()
    with pytest.raises(SnowflakeError, match=r"ran longer than its limit of 0\.3 seconds"):
        pool.apply(handler("def f(x):\n    while True: pass"), whole(1), Job(seconds=0.3))
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("body", ["def f(x):\n    while True: pass", "def f(x):\n    while True: print('x' * 1000)"])
def test_cancellation(pool: Pool, body: str) -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    start = time.monotonic()
    with pytest.raises(SnowflakeError) as error:
        pool.apply(handler(body), whole(1), Job(cancelled=cancel.is_set))
    assert (error.value.code, error.value.sqlstate) == (604, "57014")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "body",
    [
        "def f(x): return len(bytearray(10 ** 9))",
        "import numpy\ndef f(x): return len(numpy.ones(10 ** 9))",
        "def f(x):\n    kept = []\n    while True: kept.append(bytearray(10 ** 6))",
    ],
)
def test_a_limit_of_memory(pool: Pool, body: str) -> None:
    with pytest.raises(SnowflakeError, match="100357") as error:
        pool.apply(handler(body), whole(1), Job(memory_bytes=300 << 20))
    assert "limit of 300 MB" in error.value.message


def test_callbacks_of_the_job_that_fail(pool: Pool) -> None:
    def fail(*_: Any) -> Any:
        raise LookupError("broken")

    printing = handler("def f(x):\n    print(x)\n    return x")
    assert pool.apply(printing, whole(1), Job(log=fail)).to_pylist() == [1]
    slow = handler("import time\ndef f(x):\n    time.sleep(x)\n    return x")
    with pytest.raises(LookupError):
        pool.apply(slow, whole(5), Job(cancelled=fail))
    assert pool.apply(slow, whole(0), Job()).to_pylist() == [0]


def test_jobs_wait_for_a_place_and_can_be_cancelled_there(pool: Pool) -> None:
    slow = handler("import time\ndef f(x):\n    time.sleep(1)\n    return x")
    busy = [threading.Thread(target=pool.apply, args=(slow, whole(1), Job())) for _ in range(2)]
    for thread in busy:
        thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    with pytest.raises(SnowflakeError, match="000604"):
        pool.apply(handler(SAME), whole(1), Job(cancelled=lambda: True))
    assert time.monotonic() - start < 0.6
    for thread in busy:
        thread.join()


def test_workers_see_nothing_of_the_servers_environment(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with_secret = Pool(tmp_path / "runtime", 1)
    try:
        body = "import os\ndef f(): return str(dict(os.environ))"
        found = with_secret.apply(handler(body, takes=(), returns=VARCHAR), whole(0), Job())[0].as_py()
        assert "OMP_NUM_THREADS" in found
        assert "secret" not in found
    finally:
        with_secret.close()


def test_a_dead_zygote_is_replaced(tmp_path: Path) -> None:
    others = processes_below(os.getpid())
    pool = Pool(tmp_path / "runtime", 1)
    try:
        assert pool.apply(handler(SAME), whole(1), Job()).to_pylist() == [1]
        before = processes_below(os.getpid()) - others
        assert len(before) == 2
        os.kill(next(pid for pid in before if processes_below(pid)), 9)
        assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before))
        assert pool.apply(handler(SAME), whole(2), Job()).to_pylist() == [2]
        assert pool.apply(handler("def f(x): return -x"), whole(2), Job()).to_pylist() == [-2]
    finally:
        pool.close()


def test_zygotes_have_one_thread_when_they_fork(tmp_path: Path) -> None:
    others = processes_below(os.getpid())
    pool = Pool(tmp_path / "runtime", 1)
    try:
        pool.warm()
        pool.warm(procedures=True)
        pool.apply(handler(SAME), whole(1), Job())
        body = "from snowflake.snowpark.files import SnowflakeFile\ndef f(x): return x"  # from the other zygote
        pool.apply(handler(body), whole(1), Job())
        below = processes_below(os.getpid()) - others
        assert len(below) == 4
        assert [len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in below] == [1] * 4
    finally:
        pool.close()


def test_idle_workers_are_few(tmp_path: Path) -> None:
    others = processes_below(os.getpid())
    pool = Pool(tmp_path / "runtime", 1)
    try:
        for number in range(15):
            pool.apply(handler(f"def f(x): return {number}"), whole(1), Job())
        assert len(processes_below(os.getpid()) - others) == 1 + 8  # the zygote and they
        assert len(list((tmp_path / "runtime").glob("worker-*"))) == 8
    finally:
        pool.close()


def test_nothing_outlives_a_killed_server(tmp_path: Path) -> None:
    script = f"""
import os, threading
from pathlib import Path
from polynya.runtime.handler import Job
from polynya.runtime.pool import Pool
from tests.runtime.handlers import handler, whole
pool = Pool(Path({str(tmp_path / "runtime")!r}), 2)
pool.apply(handler("def f(x): return x"), whole(1), Job())
threading.Thread(target=pool.apply, args=(handler("def f(x):\\n    while True: pass"), whole(1), Job())).start()
import time
time.sleep(0.3)
print("ready", flush=True)
"""
    server = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    below = processes_below(server.pid)
    assert len(below) == 3
    server.kill()
    server.wait()
    server.stdout.close()
    assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))


def test_results_of_a_worker_that_lies_are_refused(pool: Pool) -> None:
    """Handlers can reach into their process: what it sends is checked, not believed."""
    top = "import pyarrow as pa, numpy as np\nfrom polynya.runtime import scalar, wire, slab\n"
    bad_text = (
        top + "def lie(self, columns, rows):\n"
        "    return pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 900, 3], 'i4')), pa.py_buffer(b'abc')])\n"
    )
    few = top + "def lie(self, columns, rows): return pa.array(['a'])\n"
    other = top + "def lie(self, columns, rows): return pa.array([1, 2])\n"
    for lie in (bad_text, few, other):
        body = lie + "scalar.Scalar.__call__ = lie\ndef f(x): return x"
        with pytest.raises(SnowflakeError, match="sent"):
            pool.apply(handler(body, takes=(VARCHAR,), returns=VARCHAR), batch((VARCHAR, ["a", "b"])), Job())
    for frame in ("{'ok': True, 'slab': 1 << 40}", "{'room': 1 << 50}", "{'ok': True}", "[1]", "{'room': 'x'}"):
        body = top + f"def send(self, header, body=b'', fds=()): old(self, {frame} if 'ok' in header else header)\n"
        body += "old = wire.Wire.send\ndef f(x):\n    wire.Wire.send = send\n    return x"
        with pytest.raises(SnowflakeError, match="100357"):
            pool.apply(handler(body), whole(1), Job())
    assert pool.apply(handler(SAME), whole(1), Job()).to_pylist() == [1]


CRASHING = """
import os, random
def f(x):
    chance = random.random()
    if chance < 0.02: os._exit(1)
    if chance < 0.04: os.kill(os.getpid(), 11)
    if chance < 0.10: raise ValueError('by chance')
    return x * 2 + 1
"""


def crash_run(pool: Pool, calls: int, threads: int) -> tuple[int, int]:
    """Calls of a handler that crashes at random.

    Returns:
        how many answered, and how many failed; a wrong answer or another error raises.
    """
    answered, failed = [0] * threads, [0] * threads
    problems: list[BaseException] = []

    def work(index: int) -> None:
        crashing = handler(CRASHING, domain=str(index % 2))
        chance = random.Random(index)
        try:
            for number in range(calls // threads):
                rows = chance.choice([1, 1, 3])
                values = [number * 10 + row for row in range(rows)]
                try:
                    found = pool.apply(crashing, whole(*values), Job()).to_pylist()
                except SnowflakeError as error:
                    assert error.code == 100357
                    assert any(text in error.message for text in ("exited with code 1", "signal 11", "by chance"))
                    failed[index] += 1
                else:
                    assert found == [value * 2 + 1 for value in values]
                    answered[index] += 1
        except BaseException as error:
            problems.append(error)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if problems:
        raise problems[0]
    return sum(answered), sum(failed)


def test_a_thousand_calls_with_random_crashes_leave_nothing_behind(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "runtime", 2)
    try:
        pool.apply(handler(SAME), whole(1), Job())
        files_before = open_files()
        answered, failed = crash_run(pool, 1000, 4)
        assert answered + failed == 1000
        assert 50 < failed < 500
        folders = list((tmp_path / "runtime").glob("worker-*"))
        assert len(folders) <= 5  # as many as idle
        # Two sockets and two polls' worth for each idle worker; nothing grows with the calls.
        assert open_files() <= files_before + 2 * len(folders)
    finally:
        pool.close()
    assert not (tmp_path / "runtime").exists()


def test_closing_ends_what_runs(tmp_path: Path) -> None:
    before = processes_below(os.getpid())
    files_before = open_files()
    pool = Pool(tmp_path / "runtime", 2)
    errors: list[Any] = []

    def run() -> None:
        try:
            pool.apply(handler("def f(x):\n    while True: pass"), whole(1), Job())
        except SnowflakeError as error:
            errors.append(error.code)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_for(lambda: len(processes_below(os.getpid()) - before) == 2)
    time.sleep(0.2)
    pool.close()
    thread.join(10)
    assert not thread.is_alive()
    assert errors
    assert not processes_below(os.getpid()) - before
    assert open_files() == files_before


def test_memory_stays_bounded_over_a_long_stream(pool: Pool) -> None:
    body = "import pandas\ndef f(df): return df[0]\nf._sf_vectorized_input = pandas.DataFrame"
    same = handler(body, takes=(FLOAT,), returns=FLOAT)
    column = pa.array([0.5] * 100_000)

    def source() -> Iterator[pa.RecordBatch]:
        for _ in range(100):
            yield pa.RecordBatch.from_arrays([column], ["x"])

    pool_before = pa.total_allocated_bytes()
    most = rows = 0
    for found in pool.map(same, source(), Job()):
        rows += found.num_rows
        most = max(most, pa.total_allocated_bytes() - pool_before)
    assert rows == 10_000_000
    assert most < 30 << 20


def test_workers_serve_one_handler(pool: Pool) -> None:
    one, two = handler("def f(x): return x + 1"), handler("def f(x): return x + 2")
    found: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda made=made: found.append((made is one, pool.apply(made, whole(1), Job())[0].as_py()))
        )
        for made in (one, two) * 10
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(False, 3)] * 10 + [(True, 2)] * 10
