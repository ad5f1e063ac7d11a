"""Aggregate functions over groups."""

from __future__ import annotations

import pyarrow as pa
import pytest

from polynya.errors import SnowflakeError
from polynya.runtime.handler import Job
from polynya.runtime.pool import Pool
from polynya.types.sqltype import INTEGER, VARCHAR, VARIANT
from tests.runtime.handlers import batch, handler

LISTS = pa.list_(pa.decimal128(38, 0))
COUNTS = """
class A:
    def __init__(self):
        self.seen, self.merged = [], 0
    @property
    def aggregate_state(self):
        return self.seen
    def accumulate(self, *values):
        self.seen.append(values)
    def merge(self, other):
        self.seen += other
        self.merged += 1
    def finish(self):
        return [len(self.seen), self.merged, self.seen[:2], self.seen[-1:]]
"""


def test_every_row_is_accumulated_and_big_groups_are_merged(pool: Pool) -> None:
    made = handler(COUNTS, "A", (INTEGER, VARCHAR), VARIANT, kind="AGGREGATE FUNCTION")
    big = list(range(3001))
    groups = batch((LISTS, [[1, None], [], big]), (pa.list_(pa.string()), [["a", "b"], [], [str(x) for x in big]]))
    assert pool.aggregate(made, groups, Job()).to_pylist() == [
        '[2,0,[[1,"a"],[null,"b"]],[[null,"b"]]]',
        "[0,0,[],[]]",
        '[3001,1,[[0,"0"],[1,"1"]],[[3000,"3000"]]]',
    ]


def test_slices_and_null_groups(pool: Pool) -> None:
    made = handler(COUNTS.replace("return [len", "return len(self.seen) # [len"), "A", kind="AGGREGATE FUNCTION")
    groups = batch((LISTS, [[1], [1, 2], None, [10**30, 2, 3]])).slice(1)
    assert pool.aggregate(made, groups, Job()).to_pylist() == [2, 0, 3]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("class A:\n    def accumulate(self, x): pass", "lacks aggregate_state"),
        (COUNTS.replace("return [len", "return 'x' # [len"), "'x' of Python type 'str'"),
        (COUNTS.replace("self.seen.append(values)", "1 / 0"), "ZeroDivisionError"),
        (COUNTS.replace("return self.seen\n", "return __import__('threading').Lock()\n"), "cannot pickle"),
    ],
)
def test_errors(pool: Pool, body: str, named: str) -> None:
    with pytest.raises(SnowflakeError, match="100357") as error:
        pool.aggregate(handler(body, "A", kind="AGGREGATE FUNCTION"), batch((LISTS, [[1] * 2000])), Job())
    assert named in error.value.message
