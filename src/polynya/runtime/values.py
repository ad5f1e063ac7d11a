"""Columns of arguments as lists of the Python values that a handler gets.

Source of the mapping: docs.snowflake.com/en/developer-guide/udf-stored-procedure-data-type-mapping.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from polynya.types import variant
from polynya.types.sqltype import SqlType

_EXACT = Context(prec=60)


class sqlNullWrapper:
    """SQL NULL as a VARIANT argument, for which None is JSON null; has Snowflake's name and attribute."""

    is_sql_null = True

    def __repr__(self) -> str:
        return "sqlNullWrapper"


SQL_NULL = sqlNullWrapper()


def to_list(column: pa.Array, kind: SqlType, timezone: str) -> list[Any]:
    """One Python value a row, None for NULL (an object of its own in VARIANT columns).

    Args:
        column: the engine's Arrow form, or int64 of unscaled values where that is decimal128.
        kind: the argument's type.
        timezone: of the session.
    """
    convert = _BY_NAME.get(kind.name)
    if convert is None:
        return column.to_pylist()
    return convert(column, kind, timezone)


def _numbers(column: pa.Array, kind: SqlType, zone: str) -> list[Any]:
    if pa.types.is_integer(column.type):
        values = column.fill_null(0).to_numpy().tolist()
        if kind.scale:
            values = [Decimal(value).scaleb(-kind.scale, _EXACT) for value in values]
        return _with_nulls(values, column)
    if pa.types.is_decimal(column.type) and not kind.scale:
        return [None if value is None else int(value) for value in column.to_pylist()]
    return column.to_pylist()


def _with_nulls(values: list[Any], column: pa.Array, null: Any = None) -> list[Any]:
    if column.null_count:
        for index in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist():
            values[index] = null
    return values


def _floats(column: pa.Array, kind: SqlType, zone: str) -> list[Any]:
    return _with_nulls(column.to_numpy(zero_copy_only=False).tolist(), column)


def _objects(column: pa.Array, kind: SqlType, zone: str) -> list[Any]:
    return column.to_numpy(zero_copy_only=False).tolist()  # str, bytes, bool; None for NULL


def _dates(column: pa.Array, kind: SqlType, zone: str) -> list[Any]:
    return column.to_numpy(zero_copy_only=False).tolist()


def _times(column: pa.Array, kind: SqlType, zone: str) -> list[Any]:
    return column.to_pandas().tolist()


def _local(column: pa.Array, kind: SqlType, zone: str) -> list[Any]:
    naive = column.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False).tolist()
    if zone == "UTC":
        return naive
    place = ZoneInfo(zone)
    return [
        None if value is None else value.replace(tzinfo=ZoneInfo("UTC")).astimezone(place).replace(tzinfo=None)
        for value in naive
    ]


@lru_cache(2000)
def offset_zone(minutes: int) -> timezone:
    """The time zone at an offset from UTC."""
    return timezone(timedelta(minutes=minutes))


def _zoned(column: pa.Array, kind: SqlType, zone: str) -> list[Any]:
    instants = column.field("instant").to_pylist()
    offsets = column.field("offset").to_pylist()
    values = [
        None if instant is None else _at_offset(instant, offset)
        for instant, offset in zip(instants, offsets, strict=True)
    ]
    return _with_nulls(values, column)


def _at_offset(instant: datetime, offset: int) -> datetime:
    return instant.astimezone(offset_zone(offset))


def _variants(column: pa.Array, kind: SqlType, zone: str) -> list[Any]:
    return _with_nulls(_json(column, kind, zone), column, SQL_NULL)


def _json(column: pa.Array, kind: SqlType, zone: str) -> list[Any]:
    texts = column.to_numpy(zero_copy_only=False).tolist()
    delicate = pc.any(pc.match_substring_regex(column, _DELICATE)).as_py()
    load = reader(zone) if delicate else orjson.loads
    return [None if text is None else load(text) for text in texts]


# Tags, and numbers that orjson would not give exactly.
_DELICATE = r"\\u0001|\d{17}"
_IS_DELICATE = re.compile(_DELICATE)


@lru_cache(8)
def reader(zone: str) -> Callable[[str], Any]:
    """Reads the engine's JSON text as Python handlers see it: what JSON has no form for as text, as Snowflake does."""
    formats = variant.Formats(timezone=zone)

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, Decimal):
            return float(value)
        if value is variant.UNDEFINED:
            return None
        if value is None or isinstance(value, str | int | float):
            return value
        return variant.scalar_text(value, formats)

    def load(text: str) -> Any:
        return plain(variant.decode(text)) if _IS_DELICATE.search(text) else orjson.loads(text)

    return load


_BY_NAME: dict[str, Callable[[pa.Array, SqlType, str], list[Any]]] = {
    "NUMBER": _numbers,
    "FLOAT": _floats,
    "VARCHAR": _objects,
    "BINARY": _objects,
    "BOOLEAN": _objects,
    "DATE": _dates,
    "TIME": _times,
    "TIMESTAMP_NTZ": _dates,
    "TIMESTAMP_LTZ": _local,
    "TIMESTAMP_TZ": _zoned,
    "VARIANT": _variants,
    "OBJECT": _json,
    "ARRAY": _json,
    "MAP": _json,
    "GEOGRAPHY": _json,
    "GEOMETRY": _json,
    "FILE": _json,
}
