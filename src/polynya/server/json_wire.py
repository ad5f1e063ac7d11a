"""Results in the engine's Arrow forms -> rows of JSON text, as the drivers that do not read Arrow want them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polynya.server.style import Style
from polynya.types.resultset import Column
from polynya.types.sqltype import SqlType

Cells = list[str | None]


def rows(columns: list[Column], batch: pa.RecordBatch | pa.Table, style: Style) -> list[tuple[str | None, ...]]:
    """The rows, every value as text or null.

    Dates are days since the epoch; times seconds; timestamps seconds since the epoch, with the offset in minutes plus
    1440 after TIMESTAMP_TZ; booleans 1 and 0; binary hexadecimal digits.

    Args:
        columns: names and types.
        batch: values in the engine's forms.
        style: how semi-structured values are written.
    """
    cells = [_cells(column.type, array, style) for column, array in zip(columns, batch.columns, strict=True)]
    return list(zip(*cells, strict=True)) if cells else [()] * batch.num_rows


def _cells(kind: SqlType, values: pa.Array | pa.ChunkedArray, style: Style) -> Cells:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    match kind.name:
        case "VARCHAR" | "NULL":
            return array.cast(pa.string()).to_pylist()
        case "NUMBER":
            return _numbers(array)
        case "FLOAT":
            return [None if value is None else _float(value) for value in array.to_pylist()]
        case "BOOLEAN":
            return pc.if_else(array, "1", "0").to_pylist()
        case "DATE":
            return array.cast(pa.int32()).cast(pa.string()).to_pylist()
        case "TIME":
            return _decimal(array.cast(pa.int64()), kind.precision)
        case "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ":
            return _decimal(array.cast(pa.int64()), kind.precision)
        case "TIMESTAMP_TZ":
            instants = _decimal(array.field(0).cast(pa.int64()), kind.precision)
            offsets = array.field(1).to_pylist()
            valid = array.is_valid().to_pylist()
            return [
                f"{instant} {offset + 1440}" if ok and instant is not None else None
                for instant, offset, ok in zip(instants, offsets, valid, strict=True)
            ]
        case "BINARY":
            return [None if value is None else value.hex().upper() for value in array.to_pylist()]
        case "VECTOR":
            return [None if value is None else _vector(value) for value in array.to_pylist()]
    return style.display(array).to_pylist()


def _numbers(array: pa.Array) -> Cells:
    if pa.types.is_decimal(array.type):
        # Not by Arrow's own cast: it writes small fractions with an exponent.
        return [None if value is None else format(value, "f") for value in array.to_pylist()]
    return array.cast(pa.string()).to_pylist()


def _float(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return repr(value) if value != int(value) or abs(value) >= 1e16 else str(int(value))


def _decimal(micros: pa.Array, scale: int) -> Cells:
    """Epoch microseconds as seconds with ``scale`` digits after the point."""
    if scale == 0:
        return pc.floor(pc.divide(micros.cast(pa.float64()), 1e6)).cast(pa.int64()).cast(pa.string()).to_pylist()
    out: list[Any] = micros.to_pylist()
    digits = f"0{scale}d"
    factor, divisor = (10 ** (scale - 6), 1) if scale > 6 else (1, 10 ** (6 - scale))
    unit = 10**scale
    for index, value in enumerate(out):
        if value is not None:
            amount = value * factor // divisor
            whole, rest = divmod(abs(amount), unit)
            out[index] = f"{'-' if amount < 0 else ''}{whole}.{rest:{digits}}"
    return out


def _vector(value: list[Any]) -> str:
    return (
        "["
        + ",".join(format(np.float32(item), ".6f") if isinstance(item, float) else str(item) for item in value)
        + "]"
    )
