"""Round trips and large results through the Python connector, against fakesnow's server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import snowflake.connector
from snowflake.connector.cursor import SnowflakeCursor

from peers import Fakesnow
from polynya.server.local import Warehouse
from report import Figure
from timing import in_turn, median, seconds

_ROWS = 1_000_000
_MAKE = f"""CREATE TABLE WIDE AS SELECT I::INT A, (I % 1000)::VARCHAR B, I * 0.5::FLOAT C, 'name ' || I D,
    DATEADD(SECOND, I, '2020-01-01'::TIMESTAMP_NTZ) E
FROM (SELECT ROW_NUMBER() OVER (ORDER BY 1) I FROM TABLE(GENERATOR(ROWCOUNT => {_ROWS})))"""


def measure(quick: bool) -> list[Figure]:
    """``SELECT 1`` and one million rows to pandas."""
    with Warehouse() as warehouse, Fakesnow() as fakesnow:
        ours, peer = _cursor(warehouse.connection_parameters), _cursor(fakesnow.connection_parameters)
        return [_round_trip(ours, peer, quick), _to_pandas(ours, peer, quick)]


def _cursor(parameters: dict[str, Any]) -> SnowflakeCursor:
    cursor = snowflake.connector.connect(**parameters).cursor()
    cursor.execute("CREATE DATABASE BENCHMARK")
    cursor.execute("CREATE SCHEMA BENCHMARK.S")
    cursor.execute("USE SCHEMA BENCHMARK.S")
    return cursor


def _round_trip(ours: SnowflakeCursor, peer: SnowflakeCursor, quick: bool) -> Figure:
    blocks, each = (5, 40) if quick else (20, 100)

    def block(cursor: SnowflakeCursor) -> Callable[[], float]:
        def once() -> None:
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]

        return lambda: median([seconds(once) for _ in range(each)])

    block(ours)(), block(peer)()
    left, right = in_turn(block(ours), block(peer), blocks)
    return Figure(
        "`SELECT 1` round trip", median(left) * 1e3, "ms", median(right) * 1e3, "fakesnow", 0.6, blocks * each
    )


def _to_pandas(ours: SnowflakeCursor, peer: SnowflakeCursor, quick: bool) -> Figure:
    runs = 3 if quick else 9

    def fetch(cursor: SnowflakeCursor) -> Callable[[], float]:
        def once() -> None:
            assert cursor.execute("SELECT * FROM WIDE").fetch_pandas_all().shape == (_ROWS, 5)

        return lambda: seconds(once)

    for cursor in (ours, peer):
        cursor.execute(_MAKE)
        fetch(cursor)()
    left, right = in_turn(fetch(ours), fetch(peer), runs)
    return Figure("1 million rows, 5 columns, to pandas", median(left), "s", median(right), "fakesnow", 0.8, runs)
