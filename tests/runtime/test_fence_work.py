"""What handlers do all day still works within the fence."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polynya.runtime import fence
from polynya.runtime.fence.threads import ThreadLock
from tests.runtime.fenced import Place, new_place, remove

pytestmark = pytest.mark.skipif(
    not (fence.available().landlock and fence.available().seccomp), reason="this system has no Landlock, or no seccomp"
)


@pytest.fixture(params=["/tmp", "/var/tmp"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    place = new_place(request.param, None)
    yield place
    remove(place)


def test_it_reads_its_imports(place: Place) -> None:
    assert place.run((place.imports / "model.txt").read_text) == "a model"


def test_temporary_files(place: Place) -> None:
    def work() -> Any:
        import shutil
        import tarfile
        import tempfile
        import zipfile

        with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
            file.write(b"x")
            source = Path(folder, "a.txt")
            source.write_text("text")
            shutil.copy2(source, Path(folder, "b.txt"))
            shutil.move(Path(folder, "b.txt"), Path(folder, "c.txt"))
            with zipfile.ZipFile(Path(folder, "z.zip"), "w") as archive:
                archive.write(source, "a.txt")
            with zipfile.ZipFile(Path(folder, "z.zip")) as archive:
                archive.extractall(Path(folder, "out"))
            with tarfile.open(Path(folder, "t.tar.gz"), "w:gz") as tar:
                tar.add(source, "a.txt")
            with tarfile.open(Path(folder, "t.tar.gz")) as tar:
                tar.extractall(Path(folder, "out2"), filter="data")
            shutil.copy(place.imports / "model.txt", Path(folder, "model.txt"))
            found = sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*.txt"))
        home = Path.home()
        (home / "kept.txt").write_text("x")
        return found, home == Path(tempfile.gettempdir()) == Path.cwd()

    found, one_folder = place.run(work)
    assert found == ["a.txt", "c.txt", "model.txt", "out/a.txt", "out2/a.txt"]
    assert one_folder
    assert (place.temp / "kept.txt").read_text() == "x"


def test_tmp_is_its_own(place: Place) -> None:
    def work() -> Any:
        Path("/tmp/model.bin").write_bytes(b"model")
        return sorted(path.name for path in Path("/tmp").glob("*.bin"))

    if not place.run(lambda: os.environ["TMPDIR"] == "/tmp"):
        pytest.skip("this system does not let the process have its own mounts")
    assert place.run(work) == ["model.bin"]
    assert (place.temp / "model.bin").read_bytes() == b"model"
    assert not Path("/tmp/model.bin").exists()


def test_threads(place: Place) -> None:
    def work() -> Any:
        import asyncio
        import queue
        import threading
        from concurrent.futures import ThreadPoolExecutor
        from multiprocessing.pool import ThreadPool

        with ThreadPoolExecutor(4) as pool:
            squares = list(pool.map(lambda x: x * x, range(5)))
        with ThreadPool(4) as threads:
            doubles = threads.map(lambda x: 2 * x, range(5))
        answers: queue.Queue[int] = queue.Queue()
        thread = threading.Thread(target=lambda: answers.put(1))
        thread.start()
        thread.join()

        async def later() -> int:
            await asyncio.sleep(0)
            return await asyncio.to_thread(lambda: 7)

        return squares, doubles, answers.get(), asyncio.run(later())

    assert place.run(work) == ([0, 1, 4, 9, 16], [0, 2, 4, 6, 8], 1, 7)


def test_numbers_and_tables(place: Place) -> None:
    def work() -> Any:
        import numpy as np
        import pandas as pd

        np.save("a.npy", np.arange(4))
        matrix = np.random.default_rng(1).random((200, 200))
        frame = pd.DataFrame(
            {"a": [1, 2, 3], "t": pd.to_datetime(["2024-03-31 03:30"] * 3).tz_localize("Europe/London")}
        )
        frame.to_csv("a.csv", index=False)
        return int(np.load("a.npy").sum()), bool(np.isfinite(matrix @ matrix).all()), int(pd.read_csv("a.csv").a.sum())

    assert place.run(work) == (6, True, 6)


@pytest.mark.parametrize("place", ["/var/tmp"], indirect=True)
@pytest.mark.parametrize(
    "module", ["scipy.stats", "statsmodels.api", "matplotlib.pyplot", "torch", "snowflake.snowpark", "ssl"]
)
def test_packages_load(place: Place, module: str) -> None:
    pytest.importorskip(module.partition(".")[0])

    def work() -> Any:
        import importlib

        return importlib.import_module(module).__name__

    assert place.run(work) == module


@pytest.mark.parametrize("place", ["/var/tmp"], indirect=True)
def test_torch_computes_with_threads(place: Place) -> None:
    pytest.importorskip("torch")

    def work() -> Any:
        import torch

        torch.set_num_threads(2)
        weight = torch.ones(300, 300, requires_grad=True)
        (weight @ torch.ones(300, 300)).sum().backward()
        torch.save(weight, "w.pt")
        return float(torch.load("w.pt").sum())

    assert place.run(work) == 90000.0


@pytest.mark.parametrize("place", ["/var/tmp"], indirect=True)
def test_databases_and_pictures(place: Place) -> None:
    def work() -> Any:
        import sqlite3

        import matplotlib

        matplotlib.use("agg")
        import matplotlib.pyplot as plt

        with sqlite3.connect("a.db") as database:
            database.execute("CREATE TABLE t (a)")
            database.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(1000)])
            database.execute("CREATE TEMP TABLE s AS SELECT * FROM t ORDER BY a DESC")
        plt.plot([1, 2, 3])
        plt.savefig("a.png")
        return database.execute("SELECT sum(a) FROM s").fetchone()[0], Path("a.png").stat().st_size > 1000

    assert place.run(work) == (499500, True)


@pytest.mark.parametrize("place", ["/var/tmp"], indirect=True)
def test_duckdb(place: Place) -> None:
    """It looks for the limits of its control group."""

    def work() -> Any:
        import duckdb

        return duckdb.connect("a.duckdb").sql("SELECT sum(i) FROM range(100000) t(i)").fetchone()

    assert place.run(work) == (4999950000,)


@pytest.mark.parametrize("place", ["/var/tmp"], indirect=True)
def test_joblib_works_with_threads_and_without_processes(place: Place) -> None:
    pytest.importorskip("joblib")

    def work() -> Any:
        import joblib

        threads = joblib.Parallel(2, prefer="threads")(joblib.delayed(abs)(-n) for n in range(4))
        return threads, joblib.Parallel(2)(joblib.delayed(abs)(-n) for n in range(4))

    assert place.run(work) == ([0, 1, 2, 3], [0, 1, 2, 3])


def test_time_zones_and_the_machine(place: Place) -> None:
    def work() -> Any:
        import getpass
        import platform
        import random
        import time
        import uuid
        from datetime import datetime
        from zoneinfo import ZoneInfo

        moment = datetime(2024, 7, 1, tzinfo=ZoneInfo("America/New_York"))
        random.seed()
        platform.platform()
        time.tzset()
        return moment.utcoffset().total_seconds() / 3600, os.cpu_count(), len(str(uuid.uuid4())), getpass.getuser()  # type: ignore[union-attr]

    assert place.run(work) == (-4.0, os.cpu_count(), 36, "udf")


def _refused(*calls: Any) -> list[bool]:
    found = []
    for call in calls:
        try:
            call()
            found.append(False)
        except OSError:
            found.append(True)
    return found


def _outcome(place: Place) -> list[bool]:
    """Whether these are refused: another's file, a connection, a process."""
    import socket

    return _refused((place.other / "letter.txt").read_text, socket.socket, os.fork)


def test_the_list_of_system_calls_holds_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "available", lambda: fence.Available(0, True))
    # With a /tmp of its own, what lies there is out of sight anyway.
    monkeypatch.setattr(fence.namespace, "private_tmp", lambda folder, needed: False)
    assert place.run(lambda: _outcome(place)) == [False, True, True]


def test_landlock_holds_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fence.available()
    monkeypatch.setattr(fence, "available", lambda: fence.Available(found.landlock, False))
    assert (
        place.run(lambda: _refused((place.other / "letter.txt").read_text, (place.home / "catalog.db").read_text))
        == [True] * 2
    )


def test_without_mounts_of_its_own(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError("unshare")

    monkeypatch.setattr(fence.namespace, "_own_mounts", refuse)

    def work() -> Any:
        import tempfile

        with tempfile.NamedTemporaryFile() as file:
            return Path(file.name).is_relative_to(place.temp), _refused(lambda: Path("/tmp/x").write_text("x"))

    assert place.run(work) == (True, [True])


def test_descriptors_from_outside_keep_working(place: Place) -> None:
    """The pool's sockets, and stage files that the server opened for the handler."""
    import socket

    here, there = socket.socketpair()
    here.sendall(b"task")
    secret = os.open(place.home / "catalog.db", os.O_RDONLY)

    def work() -> Any:
        task = there.recv(10)
        socket.send_fds(there, [b"answer"], [secret])
        return task, os.read(secret, 100)

    assert place.run(work) == (b"task", b"secret")
    assert socket.recv_fds(here, 10, 1)[0] == b"answer"
    here.close()
    there.close()
    os.close(secret)


def test_a_home_within_a_folder_of_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beside the home stays readable."""
    (tmp_path / "package.py").write_text("")
    (tmp_path / "inner" / "home").mkdir(parents=True)
    (tmp_path / "inner" / "more.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    fence.paths.readable.cache_clear()
    found = {path for path, _ in fence.paths.readable((tmp_path / "inner" / "home",)) if path.is_relative_to(tmp_path)}
    fence.paths.readable.cache_clear()
    assert found == {tmp_path / "package.py", tmp_path / "inner" / "more.py"}


def test_a_virtual_environment_within_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.syspath_prepend(tmp_path / "data")
    fence.paths.readable.cache_clear()
    found = {path for path, _ in fence.paths.readable((tmp_path,)) if path.is_relative_to(tmp_path)}
    fence.paths.readable.cache_clear()
    assert found == {tmp_path / "venv"}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (fence.Available(0, True), ["no Landlock"]),
        (fence.Available(1, True), ["ABI 1"]),
        (fence.Available(7, False), ["seccomp"]),
        (fence.Available(7, True), []),
    ],
)
def test_what_is_missing_is_said(found: fence.Available, words: list[str]) -> None:
    missing = found.missing()
    assert len(missing) == len(words)
    assert all(word in text for word, text in zip(words, missing, strict=True))


def test_the_servers_log_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fence, "available", lambda: fence.Available(0, False))
    fence.warn()
    assert ["Landlock" in record.message or "seccomp" in record.message for record in caplog.records] == [True, True]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_list_of_system_calls_fits_the_machine(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    import platform

    from seccompy import Action, syscall_nr

    from polynya.runtime.fence.syscalls import common_filter

    monkeypatch.setattr(platform, "machine", lambda: machine)
    rules = common_filter.__wrapped__(7)
    assert rules.default & 0xFFFF0000 == Action.ERRNO
    assert len(rules.program) > 8 * 200
    for name in [
        "clone",
        "execve",
        "fcntl",
        "ioctl",
        "mmap",
        "newfstatat",
        "openat",
        "prctl",
        "sendto",
        "socket",
        "unshare",
    ]:
        assert syscall_nr(name) in rules._rules
    assert syscall_nr("openat") == {"x86_64": 257, "aarch64": 56}[machine]


def test_a_recursive_lock() -> None:
    lock = ThreadLock(0, 1, 1, "x", True)
    assert lock.acquire()
    assert lock.acquire()
    lock.release()
    assert lock._is_mine()
    lock.release()
    with pytest.raises(AssertionError, match="not owned"):
        lock.release()


def test_a_semaphore() -> None:
    semaphore = ThreadLock(1, 1, 1, "x", True)
    with semaphore:
        assert not semaphore.acquire(timeout=0.01)
        assert not semaphore.acquire(block=False)
        assert semaphore._is_zero()
    with pytest.raises(ValueError, match="too many times"):
        semaphore.release()
