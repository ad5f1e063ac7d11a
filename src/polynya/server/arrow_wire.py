"""Results in the engine's Arrow forms -> Arrow as the drivers read it.

The drivers take a column's meaning from its field metadata (logicalType, precision, scale ...). A number of up to 18
digits is sent as an integer, its scale in the metadata; times and timestamps are integers of the type's precision, or
seconds and nanoseconds apart where 64 bits do not reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polynya.server.rowtype import text_bytes, wire_name
from polynya.server.structured_wire import is_structured, nested, nested_type
from polynya.server.style import Style
from polynya.types.resultset import Column
from polynya.types.sqltype import MAX_BINARY, MAX_VARCHAR, SqlType

# docs: arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
Convert = Callable[[pa.Array], pa.Array]
# Epoch microseconds that still fit 64 bits as nanoseconds.
_NANO_RANGE = (2**63 - 1) // 1000


@dataclass(slots=True)
class ArrowPlan:
    """How a result's columns are sent: the same for all its chunks.

    Args:
        schema: of the chunks.
        converts: one function a column.
    """

    schema: pa.Schema
    converts: list[Convert]

    def encode(self, batches: list[pa.RecordBatch]) -> bytes:
        """Batches of the result as an Arrow IPC stream.

        Message by message, which costs a small result half of what a stream writer does.
        """
        messages = [self.schema.serialize()]
        for batch in batches:
            arrays = [convert(array) for convert, array in zip(self.converts, batch.columns, strict=True)]
            messages.append(pa.RecordBatch.from_arrays(arrays, schema=self.schema).serialize())
        return b"".join([*messages, _END_OF_STREAM])


def plan(columns: list[Column], table: pa.Table, style: Style) -> ArrowPlan:
    """Looks at a result's values and decides how to send its columns.

    Args:
        columns: names and types.
        table: the rows, in the engine's forms.
        style: how semi-structured values are written.
    """
    fields = []
    converts = []
    for column, values in zip(columns, table.columns, strict=True):
        arrow, convert, extra = _column(column.type, values, style)
        metadata = {"logicalType": wire_name(column.type).upper(), **extra, "finalType": "T"}
        fields.append(pa.field(column.name, arrow, column.nullable, {k: str(v) for k, v in metadata.items()}))
        converts.append(convert)
    return ArrowPlan(pa.schema(fields), converts)


def _column(kind: SqlType, values: pa.ChunkedArray, style: Style) -> tuple[pa.DataType, Convert, dict[str, Any]]:
    """(Arrow type, conversion, field metadata) of one column."""
    match kind.name:
        case "NUMBER":
            arrow = _number_type(kind, values)
            size = arrow.bit_width // 8
            extra = {"precision": kind.precision, "scale": kind.scale, "byteLength": size}
            return arrow, _number(arrow), extra
        case "FLOAT":
            return pa.float64(), _cast(pa.float64()), {}
        case "BOOLEAN":
            return pa.bool_(), _cast(pa.bool_()), {}
        case "DATE":
            return pa.date32(), _cast(pa.date32()), {}
        case "TIME":
            return pa.int64(), _time(kind.precision), {"precision": 0, "scale": kind.precision, "byteLength": 8}
        case "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ":
            return _timestamp(kind, values)
        case "TIMESTAMP_TZ":
            return _timestamp_tz(kind)
        case "BINARY":
            length = kind.length or MAX_BINARY
            return pa.binary(), _cast(pa.binary()), {"charLength": length, "byteLength": length}
        case "VECTOR":
            arrow = pa.list_(
                pa.int32() if kind.element and kind.element.name == "NUMBER" else pa.float32(), kind.length
            )
            return arrow, _cast(arrow), {}
        case "VARCHAR" | "NULL":
            length = kind.length or MAX_VARCHAR
            return pa.string(), _text, {"charLength": length, "byteLength": text_bytes(length)}
    if style.structured and is_structured(kind):
        return nested_type(kind), lambda array: nested(kind, array), {}
    extra = {"charLength": MAX_VARCHAR, "byteLength": MAX_VARCHAR}
    if kind.name == "MAP":
        extra["logicalType"] = "OBJECT"
    return pa.string(), style.display, extra


def _cast(target: pa.DataType) -> Convert:
    return lambda array: array if array.type == target else array.cast(target)


def _text(array: pa.Array) -> pa.Array:
    if array.type == pa.string():
        return array
    return array.cast(pa.string())


# --- numbers: DECIMAL is 16 bytes a value, of which the lower 8 hold nearly all values there are -----------------------


def _words(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """A decimal array's values as (lower, upper) signed 64-bit words."""
    words = np.frombuffer(array.buffers()[1], dtype=np.int64)
    words = words[2 * array.offset : 2 * (array.offset + len(array))]
    return words[0::2], words[1::2]


def _number_type(kind: SqlType, values: pa.ChunkedArray) -> pa.DataType:
    """The integer type for a number's digits, or DECIMAL where they may be more than 18.

    Whole numbers declared with more digits than that, INT among them, are sent as 64-bit integers if none of the
    result's values has more.
    """
    for digits, arrow in ((2, pa.int8()), (4, pa.int16()), (9, pa.int32()), (18, pa.int64())):
        if kind.precision <= digits:
            return arrow
    if kind.scale == 0 and all(_has_at_most_18_digits(chunk) for chunk in values.chunks):
        return pa.int64()
    return pa.decimal128(38, kind.scale)


_LIMIT = 10**18


def _has_at_most_18_digits(chunk: pa.Array) -> bool:
    if len(chunk) == chunk.null_count:
        return True
    if not pa.types.is_decimal(chunk.type):
        bounds = pc.min_max(chunk)
        return bounds["min"].as_py() > -_LIMIT and bounds["max"].as_py() < _LIMIT
    lower, upper = _words(chunk)
    if chunk.null_count:
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
        lower, upper = lower[valid], upper[valid]
    return bool(np.array_equal(lower >> 63, upper) and lower.min() > -_LIMIT and lower.max() < _LIMIT)


def _number(target: pa.DataType) -> Convert:
    def convert(array: pa.Array) -> pa.Array:
        if pa.types.is_decimal(target):
            return array.cast(target)
        if not pa.types.is_decimal(array.type):
            return array.cast(target)
        lower, _ = _words(array)
        return _rebuilt(lower.astype(target.to_pandas_dtype()), array, target)

    return convert


def _rebuilt(values: np.ndarray, like: pa.Array, target: pa.DataType) -> pa.Array:
    """An array of these values that is NULL where ``like`` is."""
    return pa.Array.from_buffers(
        target, len(like), [_validity(like), pa.py_buffer(np.ascontiguousarray(values))], null_count=like.null_count
    )


def _validity(array: pa.Array) -> pa.Buffer | None:
    """An array's validity bits, beginning at its first value."""
    if not array.null_count:
        return None
    if array.offset == 0:
        return array.buffers()[0]
    return pa.array(array.is_valid()).buffers()[1]


# --- times and timestamps --------------------------------------------------------------------------------------------


def _integers(array: pa.Array) -> np.ndarray:
    """The values of a 64-bit array; anything where it is NULL."""
    return np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array)]


def scaled(microseconds: np.ndarray, scale: int) -> np.ndarray:
    """Microseconds in units of 10**-scale seconds."""
    return microseconds * 10 ** (scale - 6) if scale > 6 else microseconds // 10 ** (6 - scale)


def _time(scale: int) -> Convert:
    return lambda array: _rebuilt(scaled(_integers(array), scale), array, pa.int64())


def _timestamp(kind: SqlType, values: pa.ChunkedArray) -> tuple[pa.DataType, Convert, dict[str, Any]]:
    scale = kind.precision
    extra = {"precision": 0, "scale": scale}
    # Python's connector shows TIMESTAMP_LTZ with the offset of 1970 if it comes as one integer of more than 6 digits.
    if scale <= 6 or (kind.name == "TIMESTAMP_NTZ" and _fits_nanoseconds(values)):
        return (
            pa.int64(),
            lambda array: _rebuilt(scaled(_integers(array), scale), array, pa.int64()),
            {**extra, "byteLength": 8},
        )
    pair = pa.struct([("epoch", pa.int64()), ("fraction", pa.int32())])
    return pair, lambda array: _struct(pair, _seconds(_integers(array)), array), {**extra, "byteLength": 16}


def _fits_nanoseconds(values: pa.ChunkedArray) -> bool:
    for chunk in values.chunks:
        if len(chunk) == chunk.null_count:
            continue
        micros = _integers(chunk)
        if chunk.null_count:
            micros = micros[chunk.is_valid().to_numpy(zero_copy_only=False)]
        if micros.min() < -_NANO_RANGE or micros.max() > _NANO_RANGE:
            return False
    return True


def _timestamp_tz(kind: SqlType) -> tuple[pa.DataType, Convert, dict[str, Any]]:
    triple = pa.struct([("epoch", pa.int64()), ("fraction", pa.int32()), ("timezone", pa.int32())])

    def convert(array: pa.Array) -> pa.Array:
        instants, offsets = array.field(0), array.field(1)
        epoch, fraction = _seconds(_integers(instants), kind.precision)
        minutes = offsets.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int32) + 1440
        return _struct(triple, (epoch, fraction, minutes), array)

    return triple, convert, {"precision": 0, "scale": kind.precision, "byteLength": 16}


def _seconds(micros: np.ndarray, scale: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """(seconds, nanoseconds) of epoch microseconds, cut to a scale."""
    if scale < 6:
        micros = micros // 10 ** (6 - scale) * 10 ** (6 - scale)
    epoch, rest = np.divmod(micros, 1_000_000)
    return epoch, (rest * 1000).astype(np.int32)


def _struct(target: pa.DataType, parts: tuple[np.ndarray, ...], like: pa.Array) -> pa.Array:
    children = [pa.array(part) for part in parts]
    return pa.Array.from_buffers(target, len(like), [_validity(like)], null_count=like.null_count, children=children)
