"""The canonical form of semi-structured values, and how Snowflake writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest

from polynya.types import variant
from polynya.types.variant import UNDEFINED, LocalTime

EAST = timezone(timedelta(hours=2))
VALUES = [
    (None, "null", "null"),
    (True, "true", "true"),
    (12345678901234567890123, "12345678901234567890123", "12345678901234567890123"),
    (Decimal("1.50"), "1.5", "1.5"),
    (Decimal("0.0000001"), "1e-7", "0.0000001"),
    (Decimal("1234567890123.456789"), '"\\u0001E1234567890123.456789"', "1234567890123.456789"),
    (1.5, '"\\u0001F1.5"', "1.500000000000000e+00"),
    (float("inf"), '"\\u0001Finf"', "Infinity"),
    ('a"b\n', '"a\\"b\\n"', '"a\\"b\\n"'),
    ("\x01x", '"\\u0001Sx"', '"\\u0001x"'),
    (b"\xab\x01", '"\\u0001BAB01"', '"AB01"'),
    (date(2024, 1, 31), '"\\u0001D2024-01-31"', '"2024-01-31"'),
    (time(12, 34, 56, 120000), '"\\u0001T12:34:56.12"', '"12:34:56"'),
    (datetime(2024, 1, 31, 1, 2, 3), '"\\u0001N2024-01-31 01:02:03"', '"2024-01-31 01:02:03.000"'),
    (LocalTime(datetime(2024, 1, 31, 1, tzinfo=UTC), "L"), '"\\u0001L2024-01-31 01:00:00"', '"2024-01-31 01:00:00.000 +0000"'),
    (LocalTime(datetime(2024, 1, 31, 1, tzinfo=EAST), "Z"), '"\\u0001Z2024-01-31 01:00:00+02:00"', '"2024-01-31 01:00:00.000 +0200"'),
    ([1, UNDEFINED, []], '[1,"\\u0001U",[]]', "[\n  1,\n  undefined,\n  []\n]"),
    ({"b": 1, "a": {"é": 2}}, '{"a":{"é":2},"b":1}', '{\n  "a": {\n    "é": 2\n  },\n  "b": 1\n}'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text", "shown"), VALUES, ids=[case[1] for case in VALUES])
def test_there_and_back(value, text, shown):
    assert variant.encode(value) == text
    decoded = variant.decode(text)
    assert decoded == value and type(decoded) is type(value)
    assert variant.display_text(text) == shown


def test_display_of_columns():
    texts = pa.chunked_array([["1", None], ['{"a":[]}', '"x"']])
    assert variant.display(texts).to_pylist() == ["1", None, '{\n  "a": []\n}', '"x"']
    assert variant.display(pa.array(["1", None])).to_pylist() == ["1", None]


def test_formats_of_the_session():
    formats = variant.Formats(date="DD-MON-YYYY", ltz="HH12:MI AM TZH:TZM", timezone="Asia/Tokyo")
    assert variant.display_text('"\\u0001D2024-01-31"', formats=formats) == '"31-Jan-2024"'
    assert variant.display_text('"\\u0001L2024-01-31 05:06:07"', formats=formats) == '"02:06 PM +09:00"'
