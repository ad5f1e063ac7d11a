"""Every type, sent as Arrow and as JSON, read back by the connector's own converters."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest
from snowflake.connector.arrow_context import ArrowConverterContext
from snowflake.connector.converter import SnowflakeConverter
from snowflake.connector.nanoarrow_arrow_iterator import PyArrowRowIterator, PyArrowTableIterator

from polynya.server import arrow_wire, json_wire
from polynya.server.rowtype import row_type
from polynya.server.style import Style
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column
from polynya.types.sqltype import (
    ARRAY,
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT,
    NULL,
    VARCHAR,
    VARIANT,
    SqlType,
    number,
    timestamp,
    varchar,
)

ZONE = "America/Los_Angeles"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def tz(text: str, offset: int) -> dict[str, Any]:
    return {"instant": moment(text), "offset": offset}


def local(text: str, offset: int) -> datetime:
    return moment(text).astimezone(timezone(timedelta(minutes=offset)))


# (id, type, values as the engine has them, values as Python reads them; None where they are the same)
CASES: list[tuple[str, SqlType, list[Any], list[Any] | None]] = [
    ("tiny integers", number(38, 0), [Decimal(1), None, Decimal(-128)], [1, None, -128]),
    ("16 bits", number(38, 0), [Decimal(128), Decimal(-32768)], [128, -32768]),
    ("32 bits", number(10, 0), [Decimal(2**31 - 1), Decimal(-(2**31))], [2**31 - 1, -(2**31)]),
    ("64 bits", number(38, 0), [Decimal(2**63 - 1), Decimal(-(2**63))], [2**63 - 1, -(2**63)]),
    ("beyond 64 bits", number(38, 0), [Decimal(2**63), None, Decimal(-5)], [2**63, None, -5]),
    ("38 digits", number(38, 0), [Decimal("9" * 38), Decimal("-" + "9" * 38)], [int("9" * 38), -int("9" * 38)]),
    ("fractions", number(10, 2), [Decimal("1.50"), Decimal("-0.01"), None], None),
    ("long fractions", number(38, 37), [Decimal("1." + "1" * 37)], None),
    ("small fractions", number(20, 10), [Decimal("0.0000000001")], None),
    ("no rows", number(38, 0), [], None),
    ("only nulls", number(38, 0), [None, None], None),
    ("floats", FLOAT, [1.5, -0.1, 1e300, float("inf"), None, 3.0, 1e22], None),
    ("text", VARCHAR, ["a", "", None, "é\n\"'\\", "x" * 1000], None),
    ("short text", varchar(3), ["abc"], None),
    ("null", NULL, [None], None),
    ("booleans", BOOLEAN, [True, False, None], None),
    ("dates", DATE, [date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31), None], None),
    ("times", SqlType("TIME", precision=9), [time(23, 59, 59, 999999), time(0, 0), None], None),
    ("times to the second", SqlType("TIME", precision=0), [time(23, 59, 59)], None),
    ("times to the millisecond", SqlType("TIME", precision=3), [time(1, 2, 3, 456000)], None),
    ("binary", BINARY, [b"\x00\xff", b"", None], None),
    (
        "ntz",
        timestamp("NTZ"),
        [datetime(2024, 1, 2, 3, 4, 5, 678901), datetime(1969, 12, 31, 23, 59, 59, 500000), None],
        None,
    ),
    ("ntz out of nanoseconds", timestamp("NTZ"), [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)], None),
    ("ntz to the second", timestamp("NTZ", 0), [datetime(2024, 1, 2, 3, 4, 5)], None),
    ("ntz to the millisecond", timestamp("NTZ", 3), [datetime(2024, 1, 2, 3, 4, 5, 678000)], None),
    ("ltz", timestamp("LTZ"), [moment("2024-07-02T03:04:05.678901"), None], None),
    ("ltz before 1970", timestamp("LTZ"), [moment("1960-07-02T03:04:05")], None),
    (
        "tz",
        timestamp("TZ"),
        [tz("2024-07-02T03:04:05.123456", 330), tz("1960-01-01T00:00:00", -480), None],
        [local("2024-07-02T03:04:05.123456", 330), local("1960-01-01T00:00:00", -480), None],
    ),
    ("tz to the second", timestamp("TZ", 0), [tz("2024-07-02T03:04:05", 0)], [local("2024-07-02T03:04:05", 0)]),
    (
        "variant",
        VARIANT,
        ['{"a":[1,{}]}', '"x"', "1.5", None],
        ['{\n  "a": [\n    1,\n    {}\n  ]\n}', '"x"', "1.5", None],
    ),
    ("array", ARRAY, ["[]", "[1]"], ["[]", "[\n  1\n]"]),
]


def engine_table(kind: SqlType, values: list[Any], chunks: int = 1) -> pa.Table:
    """Values as the engine exports them, in so many chunks that begin anywhere in their buffers."""
    padded = pa.array([None, *values], arrow_type(kind))
    array = padded.slice(1)
    if chunks == 1:
        return pa.table({"c": array})
    return pa.table({"c": pa.chunked_array([array[:1], array[1:]], array.type)})


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (left != left and right != right)
    if isinstance(left, datetime) and left.tzinfo is not None:
        return left == right and left.utcoffset() == right.utcoffset()
    return left == right and (left is None) == (right is None)


def expected(kind: SqlType, values: list[Any], read: list[Any] | None) -> list[Any]:
    if kind.name == "TIMESTAMP_LTZ":
        from zoneinfo import ZoneInfo

        return [value and value.astimezone(ZoneInfo(ZONE)) for value in values]
    return values if read is None else read


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize(("kind", "values", "read"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_arrow_rows(kind: SqlType, values: list[Any], read: list[Any] | None, chunks: int) -> None:
    columns = [Column("C", kind)]
    table = engine_table(kind, values, chunks)
    body = arrow_wire.plan(columns, table, Style()).encode(table.to_batches())
    context = ArrowConverterContext({"TIMEZONE": ZONE})
    got = [row[0] for row in PyArrowRowIterator(None, body, context, False, False, False, True)]
    want = expected(kind, values, read)
    assert len(got) == len(want)
    for left, right in zip(got, want, strict=True):
        assert same(left, right), (left, right)


@pytest.mark.parametrize(("kind", "values", "read"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_json_rows(kind: SqlType, values: list[Any], read: list[Any] | None) -> None:
    columns = [Column("C", kind)]
    rows = json_wire.rows(columns, engine_table(kind, values, 2 if len(values) > 1 else 1), Style())
    rows = json.loads(orjson.dumps(rows))
    (described,) = row_type(columns)
    converter = SnowflakeConverter()
    converter.set_parameter("TIMEZONE", ZONE)
    convert = converter.to_python_method(described["type"].upper(), described) or (lambda value: value)
    got = [None if row[0] is None else convert(row[0]) for row in rows]
    want = expected(kind, values, read)
    assert len(got) == len(want)
    for left, right in zip(got, want, strict=True):
        assert same(left, right), (left, right)


WIDTHS = [
    (number(2, 0), [1], "int8"),
    (number(4, 2), [1], "int16"),
    (number(6, 0), [1], "int32"),
    (number(9, 9), [0], "int32"),
    (number(10, 0), [1], "int64"),
    (number(18, 5), [1], "int64"),
    (number(38, 0), [1, None, 10**18 - 1, 1 - 10**18], "int64"),
    (number(38, 0), [10**18], "decimal"),
    (number(19, 0), [-(10**18)], "decimal"),
    (number(19, 2), [1], "decimal"),
]


@pytest.mark.parametrize(("kind", "values", "width"), WIDTHS, ids=[f"{case[0]} {case[1]}" for case in WIDTHS])
def test_width_of_numbers(kind: SqlType, values: list[int | None], width: str) -> None:
    table = engine_table(kind, [None if value is None else Decimal(value) for value in values])
    plan = arrow_wire.plan([Column("C", kind)], table, Style())
    assert str(plan.schema.field(0).type).startswith(width)
    assert plan.schema.field(0).metadata[b"logicalType"] == b"FIXED"


def test_pandas_gets_numbers_and_timestamps_as_such() -> None:
    columns = [Column("N", number(10, 2)), Column("T", timestamp("NTZ"))]
    table = pa.table(
        {
            "n": pa.array([Decimal("1.25"), None], arrow_type(columns[0].type)),
            "t": pa.array([datetime(2024, 1, 2), None], arrow_type(columns[1].type)),
        }
    )
    body = arrow_wire.plan(columns, table, Style()).encode(table.to_batches())
    (got,) = list(
        PyArrowTableIterator(None, body, ArrowConverterContext({"TIMEZONE": ZONE}), False, False, False, True)
    )
    assert got.column("N").to_pylist() == [1.25, None]
    assert str(got.schema.field("T").type) == "timestamp[ns]"
    assert got.column("T").to_pylist()[0] == datetime(2024, 1, 2)


NUMBERS = SqlType("ARRAY", element=number(38, 0))
STRUCTURED = [
    ("array", NUMBERS, ["[1,2]", None, "[]", "[null,3]"], [[1, 2], None, [], [None, 3]]),
    ("array of text", SqlType("ARRAY", element=VARCHAR), ['["a",null]'], [["a", None]]),
    ("map", SqlType("MAP", key=VARCHAR, element=FLOAT), ['{"a":1.5,"b":null}', None, "{}"], [{"a": 1.5, "b": None}, None, {}]),
    ("map by number", SqlType("MAP", key=number(5, 0), element=VARCHAR), ['{"1":"x"}'], [{1: "x"}]),
    (
        "object",
        SqlType("OBJECT", fields=(("A", VARCHAR), ("b", number(10, 2)), ("c", NUMBERS))),
        ['{"A":"x","b":1.25,"c":[1]}', None, '{"A":null}'],
        [{"A": "x", "b": Decimal("1.25"), "c": [1]}, None, {"A": None, "b": None, "c": None}],
    ),
    ("array of objects", SqlType("ARRAY", element=SqlType("OBJECT", fields=(("a", DATE),))), ['[{"a":"\\u0001D2024-02-29"}]'], [[{"a": date(2024, 2, 29)}]]),
    ("array of timestamps", SqlType("ARRAY", element=timestamp("NTZ")), ['["\\u0001N2024-02-29 01:02:03.5"]'], [[datetime(2024, 2, 29, 1, 2, 3, 500000)]]),
    ("array of times", SqlType("ARRAY", element=SqlType("TIME", precision=9)), ['["\\u0001T01:02:03"]'], [[time(1, 2, 3)]]),
    ("array of variants", SqlType("ARRAY", element=VARIANT), ['[1,{"a":2}]'], [["1", '{"a":2}']]),
]  # fmt: skip


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("kind", "texts", "read"), [case[1:] for case in STRUCTURED], ids=[case[0] for case in STRUCTURED]
)
def test_structured_types(kind: SqlType, texts: list[str | None], read: list[Any], first: int) -> None:
    columns = [Column("C", kind)]
    table = pa.table({"c": pa.array(texts, pa.string()).slice(min(first, len(texts) - 1))})
    style = Style(structured=True)
    body = arrow_wire.plan(columns, table, style).encode(table.to_batches())
    context = ArrowConverterContext({"TIMEZONE": ZONE})
    got = [row[0] for row in PyArrowRowIterator(None, body, context, False, False, False, True)]
    assert got == read[min(first, len(texts) - 1) :]
    list(PyArrowTableIterator(None, body, context, False, False, False, True))
    assert "fields" in row_type(columns, structured=True)[0]
    assert "fields" not in row_type(columns)[0]
    text = arrow_wire.plan(columns, table, Style(indent=0))
    assert text.schema.field(0).type == pa.string()
