"""Catalog objects as JSON text and back: the rows of the catalog's file."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

from polynya.catalog import model
from polynya.catalog.model import AccessToken, Attachment, CatalogObject, ColumnDef, TableVersion
from polynya.types.sqltype import SqlType

_CLASSES = {
    kind.__name__: kind
    for kind in vars(model).values()
    if isinstance(kind, type) and issubclass(kind, CatalogObject) and kind is not CatalogObject
}


def encode(item: CatalogObject) -> str:
    """The object as JSON text, its class included."""
    return json.dumps({"class": type(item).__name__, **_shallow(item)}, default=_encode_value, separators=(",", ":"))


def decode(text: str) -> CatalogObject:
    """The object that ``encode`` wrote; fields that it did not know then have their defaults."""
    values = json.loads(text)
    kind = _CLASSES[values.pop("class")]
    for name, value in values.items():
        values[name] = _decode_field(name, value)
    return kind(**values)


def _shallow(item: Any) -> dict[str, Any]:
    return {field.name: getattr(item, field.name) for field in fields(item)}


def _encode_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, SqlType):
        return encode_type(value)
    if isinstance(value, (ColumnDef, TableVersion, Attachment, AccessToken)):
        return _shallow(value)
    raise TypeError(f"the catalog cannot store a {type(value).__name__}")


def _decode_field(name: str, value: Any) -> Any:
    if value is None:
        return None
    match name:
        case (
            "created_on" | "dropped_on" | "until" | "locked_until" | "expires_at" | "moment" | "last_committed_on"
            | "last_suspended_on" | "resumed_on"
        ):  # fmt: skip
            return datetime.fromisoformat(value)
        case "past":
            return [TableVersion(**{key: _decode_field(key, item) for key, item in past.items()}) for past in value]
        case "columns":
            return [
                ColumnDef(
                    **{
                        **column,
                        "type": decode_type(column["type"]),
                        "tags": _decode_tags(column.get("tags", {})),
                        "masking": _decode_field("masking", column.get("masking")),
                    }
                )
                for column in value
            ]
        case "masking" | "row_access":
            return Attachment(value["policy"], tuple(value["columns"]))
        case "access_tokens":
            return [AccessToken(**{key: _decode_field(key, item) for key, item in token.items()}) for token in value]
        case "tags":
            return _decode_tags(value)
        case "arguments":
            return [(argument, decode_type(kind), default) for argument, kind, default in value]
        case "returns":
            return decode_type(value)
        case "returns_table":
            return [(column, decode_type(kind)) for column, kind in value]
    return value


def _decode_tags(value: dict[str, str]) -> dict[int, str]:
    """Values by the tags' ids. Homes of before ids held names, which meant nothing: nothing read them back."""
    return {int(tag): text for tag, text in value.items() if tag.isdecimal()}


def encode_type(kind: SqlType) -> str:
    """A type as JSON text, without what is at its default."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        value = getattr(kind, field.name)
        if value == field.default:
            continue
        if isinstance(value, SqlType):
            value = encode_type(value)
        elif field.name == "fields":
            value = [[name, encode_type(item)] for name, item in value]
        values[field.name] = value
    return json.dumps(values, separators=(",", ":"))


@cache
def decode_type(text: str) -> SqlType:
    """The type that ``encode_type`` wrote."""
    values = json.loads(text)
    for name in ("element", "key"):
        if name in values:
            values[name] = decode_type(values[name])
    if "fields" in values:
        values["fields"] = tuple((name, decode_type(item)) for name, item in values["fields"])
    return SqlType(**values)
