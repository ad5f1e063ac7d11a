"""Python handlers in the warehouse against the same work in one plain Python process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
from snowflake.snowpark import Session
from snowflake.snowpark import functions as F
from snowflake.snowpark.types import (
    FloatType,
    IntegerType,
    LongType,
    PandasSeriesType,
    StringType,
    StructField,
    StructType,
)

from idle import Peak, resident_megabytes
from polynya.server.local import Warehouse
from report import Figure
from timing import in_turn, median, seconds

_PARTITIONS = 1000
_SPIN = 30_000


def measure(quick: bool) -> list[Figure]:
    """Scalar and vectorized UDFs, a UDTF by partition, a first call, and memory."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers do not have this module
    with Warehouse() as warehouse, Session.builder.configs(warehouse.connection_parameters).create() as session:
        session.sql("CREATE DATABASE BENCHMARK").collect()
        runs = 3 if quick else 7
        million = 1_000_000
        figures = [
            _vectorized(session, (1 if quick else 10) * million, runs),
            _scalar(session, million, runs),
            _partitions(session, 1 if quick else 3),
            _first_call(session, runs),
        ]
        return [*figures, *_memory(session, str(warehouse.home.path), (2 if quick else 20) * million)]


def _numbers(session: Session, rows: int) -> str:
    name = f"NUMBERS_{rows}"
    session.sql(
        f"CREATE TABLE IF NOT EXISTS {name} AS SELECT I::INT I, I * 0.5::FLOAT X, (I % 1000)::INT K"
        f" FROM (SELECT ROW_NUMBER() OVER (ORDER BY 1) I FROM TABLE(GENERATOR(ROWCOUNT => {rows})))"
    ).collect()
    return name


def _double(series: pd.Series) -> pd.Series:
    return series * 2 + 1


def _vectorized_udf(session: Session) -> Callable[..., Any]:
    kind = PandasSeriesType(FloatType())
    return session.udf.register(
        _double, name="DOUBLED", return_type=kind, input_types=[kind], replace=True, packages=["pandas"]
    )


def _vectorized(session: Session, rows: int, runs: int) -> Figure:
    numbers = _numbers(session, rows)
    doubled = _vectorized_udf(session)
    frame = session.table(numbers).select(F.sum(doubled("X")))
    held = pd.Series(np.arange(1, rows + 1) * 0.5)
    expected = _double(held).sum()

    def ours() -> None:
        assert frame.collect()[0][0] == expected

    def peer() -> None:
        assert _double(held).sum() == expected

    ours()
    left, right = in_turn(lambda: seconds(ours), lambda: seconds(peer), runs)
    name = f"vectorized UDF `x * 2 + 1`, {rows // 1_000_000} million rows"
    return Figure(name, median(left), "s", median(right), "pandas in memory", 4.0, runs)


def _scalar(session: Session, rows: int, runs: int) -> Figure:
    numbers = _numbers(session, rows)

    def increment(value: int) -> int:
        return value * 2 + 1

    handler = session.udf.register(increment, name="INCREMENTED", replace=True)
    frame = session.table(numbers).select(F.sum(handler("I")))
    values = list(range(1, rows + 1))
    expected = sum(values) * 2 + rows

    def ours() -> None:
        assert frame.collect()[0][0] == expected

    def peer() -> None:
        assert len([increment(value) for value in values]) == rows

    ours()
    left, right = in_turn(lambda: seconds(ours), lambda: seconds(peer), runs)
    name = f"scalar UDF, {rows // 1_000_000} million rows"
    return Figure(name, median(left), "s", median(right), "list comprehension", 4.0, runs)


def _spin(seed: int) -> int:
    total = seed
    for step in range(_SPIN):
        total = (total * 31 + step) % 1_000_003
    return total


def _partitions(session: Session, runs: int) -> Figure:
    session.sql(
        f"CREATE OR REPLACE TABLE PARTS AS SELECT SEQ4()::INT K FROM TABLE(GENERATOR(ROWCOUNT => {_PARTITIONS}))"
    ).collect()

    class Spin:
        def process(self, key: int) -> Iterable[tuple[int]]:
            total = key
            for step in range(30_000):  # _SPIN: the class is sent by value
                total = (total * 31 + step) % 1_000_003
            yield (total,)

    spin = session.udtf.register(
        Spin,
        name="SPUN",
        replace=True,
        output_schema=StructType([StructField("TOTAL", LongType())]),
        input_types=[IntegerType()],
    )
    frame = session.table("PARTS").select(spin("K").over(partition_by="K")).agg(F.sum("TOTAL"))
    expected = sum(map(_spin, range(_PARTITIONS)))

    def ours() -> None:
        assert frame.collect()[0][0] == expected

    def peer() -> None:
        assert sum(map(_spin, range(_PARTITIONS))) == expected

    ours()
    left, right = in_turn(lambda: seconds(ours), lambda: seconds(peer), runs)
    name = f"UDTF, {_PARTITIONS} partitions of CPU-bound work"
    return Figure(name, median(left), "s", median(right), "one plain process", 0.65, runs)


def _first_call(session: Session, runs: int) -> Figure:
    """A new function each time, whose worker does not exist yet; registration is not counted."""
    times = []
    for run in range(runs + 1):
        name = f"FIRST_{run}"
        session.sql(
            f"CREATE FUNCTION {name}(X INT) RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' HANDLER = 'f'"
            f" AS $$\ndef f(x):\n    return x + {run}\n$$"
        ).collect()
        times.append(seconds(lambda name=name: session.sql(f"SELECT {name}(1)").collect()))
    return Figure("first call of a new function", median(times[1:]) * 1e3, "ms", limit=150.0, runs=runs)


def _memory(session: Session, home: str, rows: int) -> list[Figure]:
    """The server's memory (its workers not counted) above its start while many rows pass through handlers."""

    class Echo:
        def process(self, number: int, key: int) -> Iterable[tuple[str]]:
            if number % 1000 == 0:
                yield (f"{key}:{number}",)

    numbers = _numbers(session, rows)
    doubled = _vectorized_udf(session)
    echo = session.udtf.register(
        Echo,
        name="ECHOED",
        replace=True,
        output_schema=StructType([StructField("TEXT", StringType())]),
        input_types=[LongType(), LongType()],
    )
    table = session.table(numbers)
    works = {
        "vectorized UDF": table.select(F.sum(doubled("X"))),
        "UDTF": table.join_table_function(echo("I", "K")).agg(F.count("TEXT")),
    }
    figures = []
    for name, frame in works.items():
        start = resident_megabytes(home, workers=False)
        with Peak(home, workers=False) as peak:
            frame.collect()
        label = f"memory above start, {rows // 1_000_000} million rows through a {name}"
        figures.append(Figure(label, max(peak.megabytes - start, 0.0), "MB", limit=1024.0))
    return figures
