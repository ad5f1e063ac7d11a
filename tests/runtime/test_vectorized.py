"""Vectorized functions: the DataFrames that handlers get, the columns that come back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from polynya.errors import SnowflakeError
from polynya.runtime.handler import Job
from polynya.runtime.pool import Pool
from polynya.types.sqltype import (
    ARRAY,
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    OBJECT,
    TIME,
    TIMESTAMP_LTZ,
    TIMESTAMP_NTZ,
    TIMESTAMP_TZ,
    VARCHAR,
    VARIANT,
    SqlType,
    number,
)
from tests.runtime.handlers import batch, handler, whole

TOP = "import pandas\nimport numpy as np\nfrom _snowflake import vectorized\n@vectorized(input=pandas.DataFrame)\n"
TZ = {"instant": datetime(2024, 5, 1, 10, 30, tzinfo=UTC), "offset": 60}


@pytest.mark.parametrize(
    ("kind", "values", "dtype", "first"),
    [
        (number(4, 0), [1, 2], "int16", "np.int16(1)"),
        (number(9, 0), [1, 2], "int32", "np.int32(1)"),
        (INTEGER, [1, 2], "int64", "np.int64(1)"),
        (INTEGER, [1, None], "Int64", "np.int64(1)"),
        (INTEGER, [10**20, 1], "object", str(10**20)),
        (number(10, 2), [Decimal("1.5"), None], "object", "Decimal('1.50')"),
        (FLOAT, [1.5, None], "float64", "np.float64(1.5)"),
        (VARCHAR, ["a", None], "object", "'a'"),
        (BINARY, [b"a", None], "object", "b'a'"),
        (BOOLEAN, [True, None], "boolean", "np.True_"),
        (DATE, [date(2024, 1, 2), None], "datetime64[ns]", "Timestamp('2024-01-02 00:00:00')"),
        (TIME, [time(1), None], "timedelta64[ns]", "Timedelta('0 days 01:00:00')"),
        (TIMESTAMP_NTZ, [datetime(2024, 1, 2, 3), None], "datetime64[ns]", "Timestamp('2024-01-02 03:00:00')"),
        (TIMESTAMP_NTZ, [datetime(1, 1, 2, 3), None], "datetime64[us]", "Timestamp('1-01-02 03:00:00')"),
        (
            TIMESTAMP_LTZ,
            [datetime(2024, 7, 2, 3, tzinfo=UTC), None],
            "datetime64[ns]",
            "Timestamp('2024-07-02 05:00:00')",
        ),
        (TIMESTAMP_TZ, [TZ, None], "object", "Timestamp('2024-05-01 11:30:00+0100', tz='UTC+01:00')"),
        (VARIANT, ['{"a":1.5}', None], "object", "{'a': 1.5}"),
        (OBJECT, ['{"a":1}', None], "object", "{'a': 1}"),
        (ARRAY, ["[1]", None], "object", "[1]"),
    ],
)
def test_columns_have_the_documented_types(
    pool: Pool, kind: SqlType, values: list[Any], dtype: str, first: str
) -> None:
    body = TOP + "def f(df): return pandas.Series([str(df[0].dtype) + '|' + repr(df[0].iloc[0])] * len(df))"
    shown = handler(body, takes=(kind,), returns=VARCHAR, timezone="Europe/Berlin")
    found = pool.apply(shown, batch((kind, values)), Job()).to_pylist()
    assert found == [f"{dtype}|{first}"] * 2


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (number(4, 0), [1, None]),
        (INTEGER, [1, 2]),
        (INTEGER, [1, None]),
        (INTEGER, [10**30, None]),
        (number(10, 2), [Decimal("1.50"), None]),
        (FLOAT, [1.5, None]),
        (VARCHAR, ["a", None]),
        (BINARY, [b"a", None]),
        (BOOLEAN, [True, None]),
        (DATE, [date(2024, 1, 2), None]),
        (TIME, [time(1, 2, 3, 4), None]),
        (TIMESTAMP_NTZ, [datetime(2024, 1, 2, 3, 4, 5, 6), None]),
        (TIMESTAMP_NTZ, [datetime(1, 1, 2), None]),
        (TIMESTAMP_LTZ, [datetime(2024, 7, 2, 3, tzinfo=UTC), None]),
        (TIMESTAMP_TZ, [TZ, None]),
        (VARIANT, ['{"a":1.5}', None]),
        (ARRAY, ["[1,2]", None]),
    ],
)
def test_columns_come_back_as_they_went(pool: Pool, kind: SqlType, values: list[Any]) -> None:
    same = handler(TOP + "def f(df): return df[0]", takes=(kind,), returns=kind, timezone="Europe/Berlin")
    given = batch((kind, values))
    found = pool.apply(same, given, Job())
    assert found.to_pylist() == values
    assert found.type == given.column(0).type


@pytest.mark.parametrize(
    ("returns", "expression", "found"),
    [
        (INTEGER, "df[0] / 2", [Decimal(1), Decimal(1)]),  # 0.5 rounds away from zero
        (INTEGER, "np.array([1, 2], dtype='uint8')", [1, 2]),
        (INTEGER, "np.array([2.0**70, np.nan])", [2**70, None]),
        (INTEGER, "[1, None]", [1, None]),
        (number(10, 2), "df[0] / 3", [Decimal("0.33"), Decimal("0.67")]),
        (number(10, 2), "df[0]", [Decimal("1.00"), Decimal("2.00")]),
        (FLOAT, "df[0]", [1.0, 2.0]),
        (FLOAT, "df[0].where(df[0] > 1)", [None, 2.0]),
        (VARCHAR, "df[0].astype('string')", ["1", "2"]),
        (VARCHAR, "df[0]", ["1", "2"]),
        (BOOLEAN, "df[0] > 1", [False, True]),
        (DATE, "pandas.Series(pandas.to_datetime(['2024-01-02 05:00', None]))", [date(2024, 1, 2), None]),
        (VARIANT, "df.to_dict('records')", ['{"0":1}', '{"0":2}']),
        (INTEGER, "pandas.Series([5])", [5, 5]),  # a constant
        (INTEGER, "df", [1, 2]),
    ],
)
def test_results_are_converted(pool: Pool, returns: SqlType, expression: str, found: list[Any]) -> None:
    made = handler(TOP + f"def f(df): return {expression}", returns=returns)
    assert pool.apply(made, whole(1, 2), Job()).to_pylist() == found


@pytest.mark.parametrize(
    ("returns", "expression", "named"),
    [
        (INTEGER, "df[0].iloc[:2]", "must return as many values as it gets rows: 3, not 2"),
        (INTEGER, "df[0].astype(str)", "'1' of Python type 'str'"),
        (INTEGER, "5", "it returned int"),
        (number(2, 0), "df[0] * 100", "Number out of representable range: type NUMBER(2,0), value 100"),
        (TIME, "pandas.Series(pandas.to_timedelta([1, 2, 99], 'h'))", "outside of a day"),
    ],
)
def test_wrong_results_are_named(pool: Pool, returns: SqlType, expression: str, named: str) -> None:
    with pytest.raises(SnowflakeError, match="100357") as error:
        pool.apply(handler(TOP + f"def f(df): return {expression}", returns=returns), whole(1, 2, 3), Job())
    assert named in error.value.message


def test_batches_have_at_most_the_size_asked_for(pool: Pool) -> None:
    body = "import pandas\ndef f(df): return pandas.Series([len(df)] * len(df))\n"
    body += "f._sf_vectorized_input = pandas.DataFrame\nf._sf_max_batch_size = 4"
    assert pool.apply(handler(body), whole(*range(10)), Job()).to_pylist() == [4] * 8 + [2] * 2


def test_handlers_may_change_their_frame_and_keep_it(pool: Pool) -> None:
    body = (
        TOP + "def f(df):\n    kept.append(df)\n    df[0] *= 2\n    df.iloc[0, 0] = 7\n    return kept[0][0]\nkept = []"
    )
    keeping = handler(body, takes=(FLOAT,), returns=FLOAT)
    rows = 50_000  # in shared memory, which the next batch overwrites
    pool.apply(keeping, batch((FLOAT, [1.0] * rows)), Job())
    found = pool.apply(keeping, batch((FLOAT, [5.0] * rows)), Job()).to_pylist()
    assert found == [7.0] + [2.0] * (rows - 1)


def test_an_object_may_be_flattened(pool: Pool) -> None:
    body = TOP.replace("DataFrame)", "DataFrame, flatten_object_input=True)") + "def f(df): return df['a'] + df['b']"
    given = batch((OBJECT, ['{"a":1,"b":2}', '{"a":3,"b":4}']))
    assert pool.apply(handler(body, takes=(OBJECT,)), given, Job()).to_pylist() == [3, 7]


def test_a_stream_keeps_its_order_and_carried_columns(pool: Pool) -> None:
    twice = handler(TOP + "def f(df): return df[0] * 2 + 1")
    names = ("x", "carried")

    def source() -> Any:
        for start in range(0, 600_000, 60_000):
            rows = range(start, start + 60_000)
            yield batch((INTEGER, list(rows)), (pa.int64(), list(rows)), names=names)

    found = pa.Table.from_batches(list(pool.map(twice, source(), Job())))
    assert found.schema.names == ["carried", "result"]
    assert found["carried"].to_pylist() == list(range(600_000))
    assert found["result"].cast(pa.int64()).to_pylist() == list(range(1, 1_200_000, 2))


def test_a_stream_is_read_no_further_than_needed(pool: Pool) -> None:
    read = 0

    def source() -> Any:
        nonlocal read
        while True:
            read += 1
            yield batch((FLOAT, [float(read)] * 100_000))

    stream = pool.map(handler(TOP + "def f(df): return df[0]", takes=(FLOAT,), returns=FLOAT), source(), Job())
    for number_of in range(1, 4):
        assert next(stream).column(0)[0].as_py() == number_of
    stream.close()  # type: ignore[attr-defined]
    assert read < 12
