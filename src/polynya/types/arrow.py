"""Snowflake type -> the Arrow type in which DuckDB exports it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from polynya.types.sqltype import INTEGER, SqlType

_ARROW = {
    "FLOAT": pa.float64(),
    "VARCHAR": pa.string(),
    "BINARY": pa.binary(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "TIMESTAMP_LTZ": pa.timestamp("us", tz="UTC"),
    "TIMESTAMP_TZ": pa.struct([("instant", pa.timestamp("us", tz="UTC")), ("offset", pa.int16())]),
}


def arrow_type(sql_type: SqlType) -> pa.DataType:
    """The Arrow type of a column of this type as the engine returns it.

    Args:
        sql_type: Snowflake's type; semi-structured types are JSON text.
    """
    if sql_type.name == "NUMBER":
        return pa.decimal128(sql_type.precision, sql_type.scale)
    if sql_type.name == "VECTOR":
        return pa.list_(pa.int32() if sql_type.element == INTEGER else pa.float32(), sql_type.length)
    return _ARROW.get(sql_type.name, pa.string())


def conform(data: pa.RecordBatchReader, kinds: list[pa.DataType]) -> pa.RecordBatchReader:
    """The same batches with columns of these Arrow types, cast where the engine chose others.

    Args:
        data: what the engine produces.
        kinds: one type a column.
    """
    if data.schema.types == kinds:
        return data
    schema = pa.schema([pa.field(f"c{index}", kind) for index, kind in enumerate(kinds)])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in data:
            arrays = [_as_type(array, kind) for array, kind in zip(batch.columns, kinds, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _as_type(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array.cast(kind)
