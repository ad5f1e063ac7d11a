"""Avro and ORC files as Parquet files, which the engine reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polynya.errors import SnowflakeError

_BATCH = 20_000


def avro_to_parquet(source: Path, target: Path, name: str) -> None:
    """Writes an Avro file's records as Parquet.

    Raises:
        SnowflakeError: 100076 if it is no Avro file.
    """
    import fastavro

    try:
        with source.open("rb") as stream:
            reader: Any = fastavro.reader(stream)
            schema = pa.schema([(field["name"], _arrow(field["type"])) for field in reader.writer_schema["fields"]])
            with pq.ParquetWriter(target, schema) as writer:
                batch: list[dict[str, Any]] = []
                for record in reader:
                    batch.append(record)
                    if len(batch) == _BATCH:
                        writer.write_table(pa.Table.from_pylist(batch, schema))
                        batch.clear()
                writer.write_table(pa.Table.from_pylist(batch, schema))
    except (ValueError, KeyError, EOFError, TypeError, IndexError, StopIteration, pa.ArrowException) as error:
        raise _damaged("Avro", name, error) from error


def orc_to_parquet(source: Path, target: Path, name: str) -> None:
    """Writes an ORC file's rows as Parquet.

    Raises:
        SnowflakeError: 100076 if it is no ORC file.
    """
    from pyarrow import orc

    try:
        file = orc.ORCFile(source)
        with pq.ParquetWriter(target, file.schema) as writer:
            for number in range(file.nstripes):
                writer.write_batch(file.read_stripe(number))
    except (pa.ArrowException, OSError) as error:
        raise _damaged("ORC", name, error) from error


def _damaged(kind: str, name: str, error: Exception) -> SnowflakeError:
    return SnowflakeError(100076, "22000", f"Data is corrupted, not a valid {kind} file: {error}\n  File '{name}'")


_PRIMITIVE = {
    "null": pa.null(), "boolean": pa.bool_(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(),
    "double": pa.float64(), "bytes": pa.binary(), "string": pa.string(),
}  # fmt: skip
_LOGICAL = {
    "date": pa.date32(), "time-millis": pa.time32("ms"), "time-micros": pa.time64("us"),
    "timestamp-millis": pa.timestamp("ms", "UTC"), "timestamp-micros": pa.timestamp("us", "UTC"),
    "local-timestamp-millis": pa.timestamp("ms"), "local-timestamp-micros": pa.timestamp("us"), "uuid": pa.string(),
}  # fmt: skip


def _arrow(schema: Any) -> pa.DataType:
    """The Arrow type of an Avro schema; a union of several types is text."""
    if isinstance(schema, list):
        others = [item for item in schema if item != "null"]
        return _arrow(others[0]) if len(others) == 1 else pa.string()
    if isinstance(schema, str):
        return _PRIMITIVE.get(schema, pa.string())
    if "logicalType" in schema:
        if schema["logicalType"] == "decimal":
            return pa.decimal128(schema["precision"], schema.get("scale", 0))
        if schema["logicalType"] in _LOGICAL:
            return _LOGICAL[schema["logicalType"]]
    match schema["type"]:
        case "record":
            return pa.struct([(field["name"], _arrow(field["type"])) for field in schema["fields"]])
        case "array":
            return pa.list_(_arrow(schema["items"]))
        case "map":
            return pa.map_(pa.string(), _arrow(schema["values"]))
        case "enum":
            return pa.string()
        case "fixed":
            return pa.binary()
    return _arrow(schema["type"])
