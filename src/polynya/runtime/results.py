"""What a handler returns, as Arrow columns of the declared type; a value that does not fit is named in the error.

Columns have the engine's Arrow form, except that NUMBER columns are int64 of unscaled values where these fit.
"""

from __future__ import annotations

import array
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from polynya.runtime.narrow import integers
from polynya.runtime.values import SQL_NULL
from polynya.types import variant
from polynya.types.arrow import arrow_type
from polynya.types.sqltype import MAX_BINARY, MAX_VARCHAR, SqlType

_CONTEXT = Context(prec=80, rounding=ROUND_HALF_UP)
_INT64 = 1 << 63


# JSON null, where None would be SQL NULL.
JSON_NULL = object()


class ResultError(Exception):
    """A handler returned what its declared type does not take."""


def column(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    """A column of handler results.

    Args:
        values: one a row; None is NULL.
        kind: the declared type.
        zone: the session's time zone, for naive TIMESTAMP_LTZ and _TZ values.

    Raises:
        ResultError: naming the value and the type.
    """
    made = _COLUMNS.get(kind.name, _other)(values, kind, zone)
    check(made, kind)
    return made


def check(made: pa.Array, kind: SqlType) -> None:
    """Raises ResultError if a value is beyond the precision or the length of its type."""
    if kind.name == "NUMBER" and made.type == pa.int64() and kind.precision < 19 and len(made):
        bounds = pc.min_max(made).as_py()
        limit = 10**kind.precision
        for value in (bounds["min"], bounds["max"]):
            if value is not None and abs(value) >= limit:
                raise ResultError(
                    f"Number out of representable range: type {kind}, value {Decimal(value).scaleb(-kind.scale)}"
                )
    elif (kind.name == "VARCHAR" and kind.length < MAX_VARCHAR) or (kind.name == "BINARY" and kind.length < MAX_BINARY):
        lengths = pc.utf8_length(made) if kind.name == "VARCHAR" else pc.binary_length(made)
        if (pc.max(lengths).as_py() or 0) > kind.length:
            culprit = made[pc.index(pc.greater(lengths, kind.length), True).as_py()].as_py()
            raise ResultError(f"{show(culprit)} is too long and would be truncated, the function returns {kind}")


def _wrong(value: Any, kind: SqlType, expected: str) -> ResultError:
    return ResultError(
        f"The function returned {show(value)} of Python type {type(value).__name__!r}; {expected} is expected for {kind}."
    )


def show(value: Any) -> str:
    """A value for an error text."""
    try:
        text = repr(value)
    except Exception:
        text = "a value without a text"
    return text if len(text) <= 200 else text[:200] + "..."


# --- NUMBER and FLOAT -------------------------------------------------------------------------------------------------


def _numbers(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    if not kind.scale:
        try:
            return integers(np.frombuffer(array.array("q", values), np.int64))
        except (TypeError, OverflowError):
            pass
    unscaled = [_unscaled(value, kind) for value in values]
    if all(value is None or -_INT64 <= value < _INT64 for value in unscaled):
        return pa.array(unscaled, pa.int64())
    return decimals(unscaled, kind)


def decimals(unscaled: list[int | None], kind: SqlType) -> pa.Array:
    """A decimal128 column of unscaled values."""
    limit = 10**kind.precision
    for value in unscaled:
        if value is not None and abs(value) >= limit:
            raise ResultError(
                f"Number out of representable range: type {kind}, value {Decimal(value).scaleb(-kind.scale)}"
            )
    words = b"".join((value or 0).to_bytes(16, "little", signed=True) for value in unscaled)
    valid = pa.array([value is not None for value in unscaled], pa.bool_())
    return pa.Array.from_buffers(arrow_type(kind), len(unscaled), [valid.buffers()[1], pa.py_buffer(words)])


def _unscaled(value: Any, kind: SqlType) -> int | None:
    """A number times 10^scale, rounded half away from zero."""
    if value is None:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _wrong(value, kind, "a finite number")
        value = int(value) if value.is_integer() else Decimal(repr(value))
    if isinstance(value, int):
        return int(value) * 10**kind.scale
    if not isinstance(value, Decimal):
        raise _wrong(value, kind, "an int, float or decimal.Decimal")
    try:
        return int(value.scaleb(kind.scale, _CONTEXT).to_integral_value(ROUND_HALF_UP, _CONTEXT))
    except (InvalidOperation, OverflowError, ValueError):
        raise _wrong(value, kind, "a finite number") from None


def _floats(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    try:
        made = np.frombuffer(array.array("d", values), np.float64)
    except (TypeError, OverflowError):
        return pa.array([_float(value, kind) for value in values], pa.float64())
    return pa.Array.from_buffers(pa.float64(), len(made), [None, pa.py_buffer(made)])


def _float(value: Any, kind: SqlType) -> float | None:
    if value is None:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int | float | Decimal):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    raise _wrong(value, kind, "a float, int or decimal.Decimal")


# --- text, bytes, booleans --------------------------------------------------------------------------------------------


def _texts(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    if not set(map(type, values)) <= {str, type(None)}:
        values = [_text(value, kind) for value in values]
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError as error:  # a lone surrogate
        raise ResultError(f"The function returned text that is no valid Unicode: {error}") from None


def _text(value: Any, kind: SqlType) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | Decimal | date | time | dict | list | tuple):
        return str(value)
    raise _wrong(value, kind, "a str")


def _bytes(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    if not set(map(type, values)) <= {bytes, type(None)}:
        values = [_binary(value, kind) for value in values]
    return pa.array(values, pa.binary())


def _binary(value: Any, kind: SqlType) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise _wrong(value, kind, "bytes")


def _booleans(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    if not set(map(type, values)) <= {bool, type(None)}:
        values = [_boolean(value, kind) for value in values]
    return pa.array(values, pa.bool_())


def _boolean(value: Any, kind: SqlType) -> bool | None:
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise _wrong(value, kind, "a bool")


# --- dates and times --------------------------------------------------------------------------------------------------


def _dates(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    for value in values:
        if not isinstance(value, date | None):
            raise _wrong(value, kind, "a datetime.date")
    return pa.array([value if value == value else None for value in values], pa.date32())  # not NaT


def _times(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    for value in values:
        if not isinstance(value, time | None):
            raise _wrong(value, kind, "a datetime.time")
    return pa.array([value and value.replace(tzinfo=None) for value in values], pa.time64("us"))


def _moment(value: Any, kind: SqlType) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value if value is None or value == value else None  # NaT
    if isinstance(value, np.datetime64):
        return _moment(value.astype("datetime64[us]").item(), kind)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise _wrong(value, kind, "a datetime.datetime")


def _naive(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    moments = (_moment(value, kind) for value in values)
    return pa.array([value and value.replace(tzinfo=None) for value in moments], pa.timestamp("us"))


def _instants(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    place = ZoneInfo(zone)
    moments = (_moment(value, kind) for value in values)
    return pa.array([value and _aware(value, place) for value in moments], pa.timestamp("us", tz="UTC"))


def _aware(value: datetime, place: ZoneInfo) -> datetime:
    return (value if value.tzinfo else value.replace(tzinfo=place)).astimezone(UTC)


def _zoned(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    place = ZoneInfo(zone)
    moments = [_moment(value, kind) for value in values]
    placed = [value if value is None or value.tzinfo else value.replace(tzinfo=place) for value in moments]
    instants = pa.array([value and value.astimezone(UTC) for value in placed], pa.timestamp("us", tz="UTC"))
    offsets = pa.array([value and _minutes(value) for value in placed], pa.int16())
    nulls = pa.array([value is None for value in placed], pa.bool_())
    return pa.StructArray.from_arrays([instants, offsets], ["instant", "offset"], mask=nulls)


def _minutes(value: datetime) -> int:
    return (value.utcoffset() or timedelta()) // timedelta(minutes=1)


# --- semi-structured and the rest -------------------------------------------------------------------------------------


def _variants(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    try:
        return pa.array([_json(value, kind) for value in values], pa.string())
    except (UnicodeEncodeError, RecursionError) as error:
        raise ResultError(f"The function returned a value that {kind} cannot hold: {error}") from None


def _json(value: Any, kind: SqlType) -> str | None:
    if value is None or value is SQL_NULL or getattr(value, "is_sql_null", False) is True:
        return None
    if value is JSON_NULL:
        return "null"
    if type(value) is int:
        return str(value)
    plain = _plain(value, kind)
    if kind.name in ("OBJECT", "MAP", "GEOGRAPHY", "GEOMETRY", "FILE") and not isinstance(plain, dict):
        raise _wrong(value, kind, "a dict")
    if kind.name == "ARRAY" and not isinstance(plain, list):
        raise _wrong(value, kind, "a list")
    return variant.encode(plain)


def _plain(value: Any, kind: SqlType) -> Any:
    """A value that ``variant.encode`` takes."""
    if value is None or isinstance(value, bool | str | bytes | Decimal):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _plain_float(float(value))
    if isinstance(value, dict):
        return {_key(key, kind): _plain(item, kind) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, kind) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), kind)
    if isinstance(value, date | time | bytearray):
        return None if value != value else value  # NaT
    if getattr(value, "is_sql_null", False) is True or type(value).__name__ == "NAType":
        return None
    raise _wrong(value, kind, "a value that JSON can hold")


def _plain_float(value: float) -> Any:
    """A number as JSON text would bring it into a VARIANT: NUMBER if it fits, else FLOAT."""
    if not math.isfinite(value) or (value and not 1e-30 < abs(value) < 1e38):
        return value
    return Decimal(repr(value))


def _key(key: Any, kind: SqlType) -> str:
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, bool | int | float):
        return orjson.loads(orjson.dumps({key: 0}, option=orjson.OPT_NON_STR_KEYS)).popitem()[0]
    if isinstance(key, np.generic):
        return _key(key.item(), kind)
    raise _wrong(key, kind, "a str as key")


def _other(values: list[Any], kind: SqlType, zone: str) -> pa.Array:
    """VECTOR."""
    if kind.name == "VECTOR":
        values = [None if value is None else [_item(item, kind) for item in value] for value in values]
        for value in values:
            if value is not None and len(value) != kind.length:
                raise _wrong(value, kind, f"a list of {kind.length} numbers")
    try:
        return pa.array(values, arrow_type(kind))
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ResultError(f"The function returned a value that {kind} cannot hold: {error}") from None


def _item(item: Any, kind: SqlType) -> Any:
    whole = kind.element is not None and kind.element.name == "NUMBER"
    return _unscaled(item, SqlType("NUMBER", 10, 0)) if whole else _float(item, kind)


_COLUMNS: dict[str, Callable[[list[Any], SqlType, str], pa.Array]] = {
    "NUMBER": _numbers,
    "FLOAT": _floats,
    "VARCHAR": _texts,
    "BINARY": _bytes,
    "BOOLEAN": _booleans,
    "DATE": _dates,
    "TIME": _times,
    "TIMESTAMP_NTZ": _naive,
    "TIMESTAMP_LTZ": _instants,
    "TIMESTAMP_TZ": _zoned,
    "VARIANT": _variants,
    "OBJECT": _variants,
    "ARRAY": _variants,
    "MAP": _variants,
    "GEOGRAPHY": _variants,
    "GEOMETRY": _variants,
    "FILE": _variants,
}
