"""Arrow as the engine exports it, with every instant in UTC (DuckDB labels it with the session's time zone)."""

from __future__ import annotations

import pyarrow as pa

_UTC = pa.timestamp("us", tz="UTC")


def utc_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with all zoned timestamps in UTC."""
    if all(_utc_type(kind) is kind for kind in schema.types):
        return schema
    return pa.schema([pa.field(field.name, _utc_type(field.type), field.nullable) for field in schema])


def in_utc(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with all zoned timestamps in UTC; the instants stay as they are."""
    before = batch.schema.types
    types = [_utc_type(kind) for kind in before]
    if types == before:
        return batch
    arrays = [
        column if column.type == kind else column.cast(kind) for column, kind in zip(batch.columns, types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _utc_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return _UTC
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _utc_type(field.type), field.nullable) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_utc_type(kind.value_type))
    return kind
