"""Sixteen sessions of mixed work: short queries stay short, memory and open files stay flat.

``make soak`` works for ten minutes, the suite for a few seconds, which show that nothing fails but not how fast it is:
other tests run beside them.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import snowflake.connector
from snowflake.connector.cursor import SnowflakeCursor

from polynya.server.local import Warehouse

SECONDS = float(os.environ.get("SOAK_SECONDS", "3"))
WHOLE = SECONDS >= 60
SHORT_QUERIES, WRITERS, READERS, HANDLERS = 8, 4, 2, 2
P95_SECONDS = 0.150
# What a soak may grow by from its first third to its end.
GROWTH_BYTES = 200 << 20
GROWTH_FILES = 20


def _short(cursor: SnowflakeCursor, chance: random.Random) -> None:
    number = chance.randrange(1000)
    found = cursor.execute("SELECT N, TEXT FROM SMALL WHERE N = %s", (number,)).fetchone()  # type: ignore[union-attr]
    assert found == (number, f"row {number}")


def _write(cursor: SnowflakeCursor, chance: random.Random) -> None:
    table = f"WRITTEN_{threading.current_thread().name}"
    cursor.execute(f"CREATE TABLE IF NOT EXISTS {table} (N NUMBER, TEXT VARCHAR)")
    cursor.execute(f"INSERT INTO {table} SELECT SEQ4(), RANDSTR(20, RANDOM()) FROM TABLE(GENERATOR(ROWCOUNT => 100))")
    cursor.execute(f"UPDATE {table} SET TEXT = 'changed' WHERE N = {chance.randrange(100)}")
    cursor.execute(f"MERGE INTO {table} T USING SMALL S ON T.N = S.N WHEN MATCHED THEN UPDATE SET T.TEXT = S.TEXT")
    if chance.random() < 0.2:
        cursor.execute(f"DROP TABLE {table}")


def _read(cursor: SnowflakeCursor, chance: random.Random) -> None:
    rows = cursor.execute("SELECT N % 100 AS G, COUNT(*), AVG(N) FROM LARGE GROUP BY G ORDER BY G LIMIT 5").fetchall()  # type: ignore[union-attr]
    assert len(rows) == 5
    cursor.execute("CREATE OR REPLACE TEMPORARY TABLE PART AS SELECT * FROM LARGE LIMIT 20000")


def _handle(cursor: SnowflakeCursor, chance: random.Random) -> None:
    (total,) = cursor.execute("SELECT SUM(plus_one(N)) FROM SMALL").fetchone()  # type: ignore[union-attr,misc]
    assert total == 1000 * 1001 // 2


def _set_up(cursor: SnowflakeCursor) -> None:
    for text in (
        "CREATE DATABASE SESSIONS",
        "CREATE TABLE SMALL AS SELECT SEQ4() AS N, 'row ' || SEQ4() AS TEXT FROM TABLE(GENERATOR(ROWCOUNT => 1000))",
        "CREATE TABLE LARGE AS SELECT SEQ8() AS N, RANDOM() AS R FROM TABLE(GENERATOR(ROWCOUNT => 1000000))",
        "CREATE FUNCTION plus_one(n NUMBER) RETURNS NUMBER LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'f' AS "
        "$$def f(n): return n + 1$$",
        "ALTER WAREHOUSE COMPUTE_WH SET MAX_CONCURRENCY_LEVEL = 16",
    ):
        cursor.execute(text)


def _sizes(pid: int) -> tuple[int, int]:
    """Bytes of memory and open files of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return resident << 10, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


@pytest.mark.timeout(120 + 2 * SECONDS)
def test_mixed_work_of_sixteen_sessions(tmp_path: Path) -> None:
    times: list[float] = []
    failures: list[BaseException] = []
    end = threading.Event()
    with Warehouse(tmp_path / "home") as warehouse:
        _set_up(snowflake.connector.connect(**warehouse.connection_parameters).cursor())

        def session(number: int, work: Callable[[SnowflakeCursor, random.Random], None]) -> None:
            chance = random.Random(number)
            try:
                parameters = {**warehouse.connection_parameters, "database": "SESSIONS", "schema": "PUBLIC"}
                with snowflake.connector.connect(**parameters) as connection:
                    cursor = connection.cursor()
                    while not end.is_set():
                        began = time.perf_counter()
                        work(cursor, chance)
                        if work is _short:
                            times.append(time.perf_counter() - began)
                            end.wait(0.05)  # as a person or an app asks, not a benchmark
                        else:
                            end.wait(0.2)
            except BaseException as error:
                failures.append(error)
                end.set()

        work = [_short] * SHORT_QUERIES + [_write] * WRITERS + [_read] * READERS + [_handle] * HANDLERS
        threads = [
            threading.Thread(target=session, args=(number, each), name=f"s{number}") for number, each in enumerate(work)
        ]
        for thread in threads:
            thread.start()
        end.wait(SECONDS / 3)
        assert warehouse.pid is not None
        before = _sizes(warehouse.pid)
        end.wait(SECONDS * 2 / 3)
        after = _sizes(warehouse.pid)
        end.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    p95 = statistics.quantiles(times, n=20)[-1]
    print(
        f"{len(times)} short queries, p95 {p95 * 1000:.0f} ms; memory {before[0] >> 20} -> {after[0] >> 20} MiB, "
        f"open files {before[1]} -> {after[1]}"
    )
    if WHOLE:
        assert p95 < P95_SECONDS
        assert after[0] - before[0] < GROWTH_BYTES
        assert after[1] - before[1] < GROWTH_FILES
