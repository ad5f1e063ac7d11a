"""What the warehouse remembers: clones, and a table that is written in many small steps, each against its own peer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import snowflake.connector
from snowflake.connector.cursor import SnowflakeCursor

from polynya.server.local import Warehouse
from report import Figure
from timing import in_turn, median, seconds

_SMALL = 100_000
_LARGE = 20_000_000
_SESSIONS = 4
# Longer than the housekeeper's pause: it has then seen all writes.
_SETTLE_SECONDS = 40.0


def measure(quick: bool) -> list[Figure]:
    """CLONE of a small and a large table, nine clones' bytes, a thousand clones' speed, ten thousand small writes."""
    with Warehouse() as warehouse:

        def connect() -> SnowflakeCursor:
            return snowflake.connector.connect(**warehouse.connection_parameters).cursor()

        cursor = connect()
        cursor.execute("CREATE DATABASE BENCHMARK")
        large = _LARGE // 10 if quick else _LARGE
        _make(cursor, "SMALL", _SMALL)
        _make(cursor, "LARGE", large)
        return [
            *_clones(cursor, large, 30 if quick else 150),
            _growth(cursor, Path(warehouse.home.path)),
            *_first_write(cursor, large),
            _many(cursor, 100 if quick else 1000),
            _written(connect, 1000 if quick else 10_000),
        ]


def _make(cursor: SnowflakeCursor, name: str, rows: int) -> None:
    cursor.execute(
        f"CREATE TABLE {name} AS SELECT SEQ4() AS A, SEQ4() % 7 AS B, UNIFORM(0, 1000000, RANDOM(1)) AS C "
        f"FROM TABLE(GENERATOR(ROWCOUNT => {rows}))"
    )


def _timed(cursor: SnowflakeCursor, sql: str) -> Callable[[], float]:
    return lambda: seconds(lambda: cursor.execute(sql).fetchall())


def _clones(cursor: SnowflakeCursor, large: int, runs: int) -> list[Figure]:
    ours, peer = in_turn(
        _timed(cursor, "CREATE OR REPLACE TABLE C1 CLONE LARGE"),
        _timed(cursor, "CREATE OR REPLACE TABLE C2 CLONE SMALL"),
        runs,
    )
    slow, fast = median(ours) * 1e3, median(peer) * 1e3
    return [
        Figure(f"CLONE of {large:,} rows", slow, "ms", limit=50.0, runs=runs),
        Figure(f"CLONE of {large:,} rows, against {_SMALL:,}", slow, "ms", fast, "the small one", 1.2, runs),
    ]


def _growth(cursor: SnowflakeCursor, home: Path) -> Figure:
    before = _megabytes(home)
    for number in range(9):
        cursor.execute(f"CREATE TABLE NINE_{number} CLONE LARGE")
    return Figure("growth of the home by nine clones", _megabytes(home) - before, "MB", limit=9.0)


def _first_write(cursor: SnowflakeCursor, large: int) -> list[Figure]:
    ours, peer = [], []
    for number in range(9):
        cursor.execute(f"CREATE TABLE TEN_{number} CLONE SMALL")
        ours.append(_timed(cursor, f"UPDATE NINE_{number} SET B = 8 WHERE A = {number}")())
        peer.append(_timed(cursor, f"UPDATE TEN_{number} SET B = 8 WHERE A = {number}")())
    name = f"first UPDATE of one row in a clone of {large:,} rows, against {_SMALL:,}"
    return [Figure(name, median(ours) * 1e3, "ms", median(peer) * 1e3, "the small one", None, 9)]


def _many(cursor: SnowflakeCursor, clones: int) -> Figure:
    for number in range(clones):
        cursor.execute(f"CREATE TABLE MANY_{number} CLONE SMALL")
    numbers = iter(range(0, clones, clones // 50))
    ours, peer = in_turn(
        lambda: _timed(cursor, f"SELECT SUM(C) FROM MANY_{next(numbers)}")(),
        _timed(cursor, "SELECT SUM(C) FROM SMALL"),
        50,
    )
    name = f"query of one of {clones:,} clones, against the origin"
    return Figure(name, median(ours) * 1e3, "ms", median(peer) * 1e3, "the origin", 1.5, 50)


def _written(connect: Callable[[], SnowflakeCursor], writes: int) -> Figure:
    """Single-row inserts, updates and deletes from four sessions; then ``count(*)`` against a fresh copy."""
    cursor = connect()
    cursor.execute("USE SCHEMA BENCHMARK.PUBLIC")
    cursor.execute("CREATE TABLE WRITTEN CLONE SMALL")
    failures: list[BaseException] = []

    def write(session: int) -> None:
        try:
            own, chosen = connect(), random.Random(session)
            own.execute("USE SCHEMA BENCHMARK.PUBLIC")
            for number in range(writes // _SESSIONS):
                key = chosen.randrange(_SMALL)
                kind = number % 3
                if kind == 0:
                    own.execute(f"INSERT INTO WRITTEN VALUES ({_SMALL + number}, {session}, {key})")
                elif kind == 1:
                    own.execute(f"UPDATE WRITTEN SET C = {number} WHERE A = {key}")
                else:
                    own.execute(f"DELETE FROM WRITTEN WHERE A = {key}")
        except BaseException as error:  # told after all have ended
            failures.append(error)

    threads = [threading.Thread(target=write, args=(session,)) for session in range(_SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    time.sleep(_SETTLE_SECONDS)
    cursor.execute("CREATE TABLE FRESH AS SELECT * FROM WRITTEN")
    ours, peer = in_turn(
        _timed(cursor, "SELECT COUNT(*) FROM WRITTEN"), _timed(cursor, "SELECT COUNT(*) FROM FRESH"), 30
    )
    name = f"count(*) after {writes:,} writes of one row from {_SESSIONS} sessions"
    return Figure(name, median(ours) * 1e3, "ms", median(peer) * 1e3, "a fresh copy", 2.0, 30)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
