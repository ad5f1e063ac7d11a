"""Structured ARRAY, OBJECT and MAP: the engine's JSON text -> nested Arrow, as the drivers read it.

Sent so only to sessions that ask for it (ENABLE_STRUCTURED_TYPES_IN_CLIENT_RESPONSE); others get JSON text.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

from polynya.server.rowtype import text_bytes, wire_name
from polynya.types.arrow import arrow_type
from polynya.types.sqltype import MAX_BINARY, MAX_VARCHAR, SqlType
from polynya.types.variant import UNDEFINED, LocalTime, decode, encode


def is_structured(kind: SqlType) -> bool:
    """Whether the type says what its items are."""
    return kind.name == "MAP" or (kind.name == "ARRAY" and kind.element is not None) or kind.fields is not None


def nested_type(kind: SqlType) -> pa.DataType:
    """The Arrow type of a structured column on the wire; its fields carry the drivers' metadata."""
    if kind.name == "MAP":
        assert kind.key is not None
        assert kind.element is not None
        return pa.map_(_field("key", kind.key, False), _field("value", kind.element, kind.element_nullable))
    if kind.name == "ARRAY" and kind.element is not None:
        return pa.list_(_field("element", kind.element, kind.element_nullable))
    if kind.fields is not None:
        return pa.struct([_field(name, item, True) for name, item in kind.fields])
    return _scalar_type(kind)


def nested(kind: SqlType, texts: pa.Array) -> pa.Array:
    """A column of structured values.

    Args:
        kind: structured type.
        texts: canonical JSON or NULL.
    """
    return _array(kind, [None if text is None else decode(text) for text in texts.to_pylist()])


def _field(name: str, kind: SqlType, nullable: bool) -> pa.Field:
    metadata: dict[str, Any] = {"logicalType": wire_name(kind).upper(), "finalType": "T"}
    match kind.name:
        case "NUMBER":
            metadata.update(precision=kind.precision, scale=kind.scale)
        case "VARCHAR":
            length = kind.length or MAX_VARCHAR
            metadata.update(charLength=length, byteLength=text_bytes(length))
        case "BINARY":
            metadata.update(charLength=kind.length or MAX_BINARY, byteLength=kind.length or MAX_BINARY)
        case "TIME" | "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            metadata.update(precision=0, scale=kind.precision)
    return pa.field(name, nested_type(kind), nullable, {key: str(value) for key, value in metadata.items()})


def _scalar_type(kind: SqlType) -> pa.DataType:
    match kind.name:
        case "NUMBER":
            # Up to 18 digits fit an integer; decided by the type, for items of all rows alike.
            return pa.int64() if kind.precision <= 18 else pa.decimal128(38, kind.scale)
        case "TIME":
            return pa.int64()
        case "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ":
            return pa.int64() if kind.precision <= 6 else pa.struct([("epoch", pa.int64()), ("fraction", pa.int32())])
        case "TIMESTAMP_TZ":
            return pa.struct([("epoch", pa.int64()), ("fraction", pa.int32()), ("timezone", pa.int32())])
        case "VECTOR" | "VARIANT" | "OBJECT" | "ARRAY":
            return pa.string()
    return arrow_type(kind)


def _array(kind: SqlType, values: list[Any]) -> pa.Array:
    target = nested_type(kind)
    values = [None if value is UNDEFINED else value for value in values]
    if kind.name == "MAP":
        assert kind.key is not None
        assert kind.element is not None
        offsets, pairs = _flatten([None if value is None else list(value.items()) for value in values])
        keys = _array(kind.key, [_key(kind.key, key) for key, _ in pairs])
        items = _array(kind.element, [item for _, item in pairs])
        entries = pa.StructArray.from_arrays([keys, items], fields=[target.key_field, target.item_field])
        return _listed(target, values, offsets, entries)
    if kind.name == "ARRAY" and kind.element is not None:
        offsets, flat = _flatten(values)
        return _listed(target, values, offsets, _array(kind.element, flat))
    if kind.fields is not None:
        children = [
            _array(item, [None if value is None else value.get(name) for value in values]) for name, item in kind.fields
        ]
        missing = pa.array([value is None for value in values], pa.bool_())
        return pa.StructArray.from_arrays(children, fields=list(target), mask=missing)
    return pa.array([None if value is None else _scalar(kind, value) for value in values], target)


def _listed(target: pa.DataType, values: list[Any], offsets: list[int], items: pa.Array) -> pa.Array:
    """A list or map array from its offsets and items."""
    valid = pa.array([value is not None for value in values], pa.bool_())
    return pa.Array.from_buffers(
        target,
        len(values),
        [valid.buffers()[1], pa.array(offsets, pa.int32()).buffers()[1]],
        null_count=values.count(None),
        children=[items],
    )


def _flatten(values: list[list[Any] | None]) -> tuple[list[int], list[Any]]:
    """(where each row's items begin, all items)."""
    offsets, flat = [0], []
    for value in values:
        flat.extend(value or [])
        offsets.append(len(flat))
    return offsets, flat


def _key(kind: SqlType, key: str) -> Any:
    """A map's key, which JSON has as text."""
    return int(key) if kind.name == "NUMBER" else key


def _scalar(kind: SqlType, value: Any) -> Any:
    """A decoded value as the wire has it."""
    match kind.name:
        case "NUMBER":
            exact = Decimal(str(value))
            return int(exact.scaleb(kind.scale)) if kind.precision <= 18 else exact
        case "FLOAT":
            return float(value)
        case "VARCHAR":
            return value if isinstance(value, str) else encode(value)
        case "DATE":
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        case "TIME":
            moment = value if isinstance(value, time) else time.fromisoformat(str(value))
            micros = ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond
            return micros * 10**kind.precision // 10**6
        case "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return _timestamp(kind, value)
        case "VARIANT" | "OBJECT" | "ARRAY" | "VECTOR":
            return encode(value)
    return value


def _timestamp(kind: SqlType, value: Any) -> Any:
    moment = value.value if isinstance(value, LocalTime) else value
    if not isinstance(moment, datetime):
        moment = datetime.fromisoformat(str(moment))
    offset = moment.utcoffset()
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    passed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds
    if kind.name != "TIMESTAMP_TZ" and kind.precision <= 6:
        return micros * 10**kind.precision // 10**6
    parts = {"epoch": micros // 1_000_000, "fraction": micros % 1_000_000 * 1000}
    if kind.name == "TIMESTAMP_TZ":
        parts["timezone"] = 1440 + (int(offset.total_seconds() // 60) if offset else 0)
    return parts
