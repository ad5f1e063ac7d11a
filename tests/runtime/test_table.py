"""Table functions: partitions, lateral rows, vectorized methods."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from polynya.errors import SnowflakeError
from polynya.runtime.handler import Handler, Job
from polynya.runtime.pool import Pool
from polynya.types.sqltype import FLOAT, INTEGER, VARCHAR, SqlType
from tests.runtime.handlers import batch, handler

SUMS = """
class H:
    def __init__(self):
        self.sum = 0
    def process(self, x):
        self.sum += x
        if x % 2 == 0:
            yield (x * 2, 'row')
    def end_partition(self):
        yield (self.sum, 'end')
"""
COLUMNS = (("N", INTEGER), ("T", VARCHAR))


def table(body: str, takes: tuple[SqlType, ...] = (INTEGER,), columns: Any = COLUMNS, **more: Any) -> Handler:
    return handler(body, "H", takes, None, kind="TABLE FUNCTION", returns_table=columns, **more)


def rows(sizes: list[int], per_batch: int) -> Iterator[pa.RecordBatch]:
    """Partitions of these sizes in batches of so many rows: x, p (the partition), k = 10 p, other = x."""
    parts = [p for p, size in enumerate(sizes) for _ in range(size)]
    for start in range(0, len(parts), per_batch):
        some = parts[start : start + per_batch]
        xs = list(range(start, start + len(some)))
        yield batch(
            (INTEGER, xs), (pa.int64(), some), (pa.int64(), [10 * p for p in some]), (pa.int64(), xs),
            names=("x", "p", "k", "other"),
        )  # fmt: skip


def expected(sizes: list[int]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    start = 0
    for p, size in enumerate(sizes):
        numbers = range(start, start + size)
        found += [(10 * p, x, 2 * x, "row") for x in numbers if x % 2 == 0]
        found.append((10 * p, None, sum(numbers), "end"))
        start += size
    return found


def listed(batches: Iterator[pa.RecordBatch]) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for one in batches for row in one.to_pylist()]


@pytest.mark.parametrize("sizes", [[1], [3, 3, 4], [1] * 50, [5, 1, 200, 7, 300, 2], [1000]], ids=str)
@pytest.mark.parametrize("per_batch", [1, 7, 64, 5000])
def test_partitions_are_whole_wherever_batches_end(pool: Pool, sizes: list[int], per_batch: int) -> None:
    found = pool.table(table(SUMS), rows(sizes, per_batch), Job(), partition="p", kept=["k"])
    assert listed(found) == expected(sizes)


def test_big_partitions_are_streamed(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polynya.runtime.partitions._ROWS", 50)
    for sizes in ([500], [30, 170, 50, 51, 49, 1, 400, 3], [100, 100]):
        for per_batch in (9, 50, 120, 5000):
            found = pool.table(table(SUMS), rows(sizes, per_batch), Job(), partition="p", kept=["k"])
            assert listed(found) == expected(sizes), (sizes, per_batch)


def test_without_partitions_a_batch_is_one(pool: Pool) -> None:
    given = [one.select(["x", "k"]) for one in rows([4, 4], 4)]
    found = listed(pool.table(table(SUMS), iter(given), Job(), partition=None, kept=[]))
    assert [row[-2:] for row in found if row[-1] == "end"] == [(6, "end"), (22, "end")]
    assert [row[0] for row in found if row[-1] == "row"] == [0, 0, 10, 10]


def test_no_rows_no_calls(pool: Pool) -> None:
    assert list(pool.table(table(SUMS), iter([]), Job(), partition="p", kept=[])) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("class H:\n    def process(self, x): return [(x, 'a'), (x, None)]", [(1, "a"), (1, None)]),
        ("class H:\n    def process(self, x): return None", []),
        ("class H:\n    def process(self, x): pass\n    def end_partition(self): return [(5, 'e')]", [(5, "e")]),
        ("class H:\n    def end_partition(self): yield 5, 'e'", [(5, "e")]),
        ("class H:\n    def process(self, x): yield [x, 'list']", [(1, "list")]),
    ],
)
def test_forms_of_handlers(pool: Pool, body: str, found: list[Any]) -> None:
    given = [batch((INTEGER, [1]), (pa.int64(), [0]), names=("x", "p"))]
    assert listed(pool.table(table(body), iter(given), Job(), partition="p", kept=[])) == found


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("class H:\n    def process(self, x): yield x", "must yield tuples"),
        (
            "class H:\n    def process(self, x): yield (x,)",
            "tuples of 2 values as its RETURNS TABLE says; it yielded 1",
        ),
        ("class H:\n    def process(self, x): yield ('a', 'b')", "'a' of Python type 'str'"),
        ("class H:\n    def process(self, x): yield (1 // 0, 'b')", "ZeroDivisionError"),
        ("class H:\n    def __init__(self): raise ValueError('no')\n    def process(self, x): pass", "ValueError: no"),
        ("class H: pass", "has neither a method process nor end_partition"),
    ],
)
def test_errors(pool: Pool, body: str, named: str) -> None:
    given = [batch((INTEGER, [1]), (pa.int64(), [0]), names=("x", "p"))]
    with pytest.raises(SnowflakeError) as error:
        list(pool.table(table(body), iter(given), Job(), partition="p", kept=[]))
    assert error.value.code == 100357
    assert named in error.value.message


def test_an_endless_result_is_read_no_further_than_needed(pool: Pool) -> None:
    body = "class H:\n    def process(self, x):\n        while True: yield (x, 'a')"
    for first in (0, 1):  # the second finds no worker that is still at the first
        given = [batch((INTEGER, [first]), (pa.int64(), [0]), names=("x", "p"))]
        stream = pool.table(table(body), iter(given), Job(), partition="p", kept=[])
        assert {row[0] for _ in range(5) for row in listed(iter([next(stream)]))} == {first}
        stream.close()  # type: ignore[attr-defined]
        time.sleep(0.5)


def test_an_abandoned_partition_is_not_gone_on_with(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polynya.runtime.partitions._ROWS", 50)

    def source() -> Iterator[pa.RecordBatch]:
        yield from rows([120], 60)
        raise ValueError("the source failed")

    with pytest.raises(ValueError, match="the source failed"):
        list(pool.table(table(SUMS), source(), Job(), partition="p", kept=["k"]))
    assert listed(pool.table(table(SUMS), rows([4], 4), Job(), partition="p", kept=["k"])) == expected([4])


FRAMES = "import pandas\nfrom _snowflake import vectorized\nclass H:\n"
BY_FRAME = "    @vectorized(input=pandas.DataFrame, max_batch_size=3)\n"
WHOLE = "    @vectorized(input=pandas.DataFrame)\n    def end_partition(self, df):\n"


def test_vectorized_end_partition_gets_the_whole_partition(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polynya.runtime.partitions._ROWS", 50)
    body = FRAMES + WHOLE + "        return pandas.DataFrame({'n': [df['A0'].sum()], 't': [str(len(df))]})"
    found = listed(pool.table(table(body), rows([3, 200, 4], 70), Job(), partition="p", kept=["k"]))
    sums = [sum(range(3)), sum(range(3, 203)), sum(range(203, 207))]
    assert found == [
        (10 * p, None, total, size) for p, (total, size) in enumerate(zip(sums, ["3", "200", "4"], strict=True))
    ]


def test_vectorized_end_partition_may_yield_frames_and_tuples(pool: Pool) -> None:
    body = FRAMES + WHOLE + "        yield pandas.DataFrame({'n': [1], 't': ['a']})\n        yield ([2, 3], ['b', 'c'])"
    found = listed(pool.table(table(body), rows([2], 2), Job(), partition="p", kept=["k"]))
    assert [row[2:] for row in found] == [(1, "a"), (2, "b"), (3, "c")]


def test_vectorized_process_gets_batches(pool: Pool) -> None:
    body = FRAMES + BY_FRAME + "    def process(self, df):\n        return (df['A0'] * 2, [str(len(df))] * len(df))\n"
    body += "    def end_partition(self):\n        yield ([-1], ['end'])"
    found = listed(pool.table(table(body), rows([5, 1], 6), Job(), partition="p", kept=["k"]))
    assert found == [
        (0, 0, 0, "3"), (0, 1, 2, "3"), (0, 2, 4, "3"), (0, 3, 6, "2"), (0, 4, 8, "2"), (0, None, -1, "end"),
        (10, 5, 10, "1"), (10, None, -1, "end"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("df", "must return 2 columns as its RETURNS TABLE says; it returned 1"),
        ("([1], ['a', 'b'])", "columns of the same length"),
        ("df['A0']", "must return a pandas DataFrame or a tuple of columns, not Series"),
        ("(['x'], ['y'])", "'x' of Python type 'str'"),
    ],
)
def test_wrong_frames(pool: Pool, expression: str, named: str) -> None:
    body = FRAMES + WHOLE + f"        return {expression}"
    with pytest.raises(SnowflakeError, match="100357") as error:
        list(pool.table(table(body), rows([2], 2), Job(), partition="p", kept=[]))
    assert named in error.value.message


def test_steps_over_one_another_do_not_wait_for_each_other(pool: Pool) -> None:
    """A function over a table function over a table function, with as few places as there are."""
    endless = "class H:\n    def process(self, x):\n        for i in range(30000): yield (x + i, 'a')"
    inner = pool.table(table(endless), rows([1] * 8, 8), Job(), partition="p", kept=[])
    numbered = (one.select(["N"]) for one in inner)
    middle = pool.table(
        table("class H:\n    def process(self, x):\n        yield (x, 'b')"), numbered, Job(), partition=None, kept=[]
    )
    outer = pool.map(handler("def f(x): return x"), (one.select(["N"]) for one in middle), Job())
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.append(sum(one.num_rows for one in outer)), daemon=True)
    reader.start()
    reader.join(60)
    assert found == [240_000]


def test_mixed_numbers_in_one_partition(pool: Pool) -> None:
    """Some parts of a column fit into 64 bits, others do not."""
    body = FRAMES + WHOLE + "        return pandas.DataFrame({'n': [sum(df['A0'])], 't': [str(df['A0'].dtype)]})"
    given = [batch((INTEGER, [x]), (pa.int64(), [0]), names=("x", "p")) for x in (1, 10**30)]
    assert listed(pool.table(table(body), iter(given), Job(), partition="p", kept=[])) == [(10**30 + 1, "object")]


def test_floats_in_frames_of_one_type(pool: Pool) -> None:
    body = FRAMES + WHOLE + "        return df"
    made = table(body, (FLOAT, FLOAT), (("A", FLOAT), ("B", FLOAT)))
    given = [batch((FLOAT, [1.0, 2.0]), (FLOAT, [3.0, None]), (pa.int64(), [0, 0]), names=("x", "y", "p"))]
    assert listed(pool.table(made, iter(given), Job(), partition="p", kept=[])) == [(1.0, 3.0), (2.0, None)]


def test_strict_answers_a_row_of_nulls_without_a_call(pool: Pool) -> None:
    body = "class H:\n    def process(self, x):\n        yield (x + 1, 'called')"
    given = batch((INTEGER, [1, None, 3]), (pa.int64(), [10, 20, 30]), names=("x", "k"))
    found = listed(pool.table(table(body, strict=True), [given], Job(), partition=None, kept=[]))
    assert found == [(10, 2, "called"), (20, None, None), (30, 4, "called")]
