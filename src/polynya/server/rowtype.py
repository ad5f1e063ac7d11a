"""Columns as replies describe them (``rowtype``)."""

from __future__ import annotations

from typing import Any

from polynya.types.resultset import Column
from polynya.types.sqltype import MAX_BINARY, MAX_VARCHAR, SqlType

_WIRE_NAMES = {
    "NUMBER": "fixed",
    "FLOAT": "real",
    "VARCHAR": "text",
    "NULL": "text",
    "BINARY": "binary",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP_NTZ": "timestamp_ntz",
    "TIMESTAMP_LTZ": "timestamp_ltz",
    "TIMESTAMP_TZ": "timestamp_tz",
    "VARIANT": "variant",
    "OBJECT": "object",
    "ARRAY": "array",
    "MAP": "map",
    "VECTOR": "vector",
    "GEOGRAPHY": "object",
    "GEOMETRY": "object",
    "FILE": "object",
}
# Types that drivers know by a second name.
_EXTENDED = {"GEOGRAPHY", "GEOMETRY", "FILE"}


def wire_name(sql_type: SqlType) -> str:
    """The type's name in the protocol, lower case."""
    return _WIRE_NAMES[sql_type.name]


def text_bytes(length: int) -> int:
    """The most bytes that a text of so many characters takes, as Snowflake says it."""
    return length if length >= MAX_VARCHAR else min(length * 4, MAX_VARCHAR)


def row_type(columns: list[Column], structured: bool = False) -> list[dict[str, Any]]:
    """The ``rowtype`` of a reply.

    Args:
        columns: names and types.
        structured: describe structured types as such, not as the semi-structured ones they are sent as.
    """
    return [
        {
            "name": column.name,
            "database": "",
            "schema": "",
            "table": "",
            "nullable": column.nullable,
            "collation": None,
            **describe(column.type, structured),
        }
        for column in columns
    ]


def describe(sql_type: SqlType, structured: bool = False) -> dict[str, Any]:
    """The type's part of a ``rowtype`` entry."""
    kind: dict[str, Any] = {
        "type": "object" if sql_type.name == "MAP" and not structured else wire_name(sql_type),
        "length": None,
        "byteLength": None,
        "precision": None,
        "scale": None,
    }
    match sql_type.name:
        case "NUMBER":
            kind["precision"], kind["scale"] = sql_type.precision, sql_type.scale
        case "VARCHAR" | "NULL":
            length = sql_type.length or MAX_VARCHAR
            kind["length"], kind["byteLength"] = length, text_bytes(length)
        case "BINARY":
            kind["length"] = kind["byteLength"] = sql_type.length or MAX_BINARY
        case "TIME" | "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            kind["precision"], kind["scale"] = 0, sql_type.precision
        case "VECTOR":
            kind["vectorDimension"] = sql_type.length
            kind["fields"] = [_field("", sql_type.element, True)]
        case "ARRAY" if structured and sql_type.element is not None:
            kind["fields"] = [_field("", sql_type.element, sql_type.element_nullable)]
        case "MAP" if structured:
            kind["fields"] = [
                _field("", sql_type.key, False),
                _field("", sql_type.element, sql_type.element_nullable),
            ]
        case "OBJECT" if structured and sql_type.fields is not None:
            kind["fields"] = [_field(name, field, True) for name, field in sql_type.fields]
    if sql_type.name in _EXTENDED:
        kind["extTypeName"] = sql_type.name
    return kind


def _field(name: str, sql_type: SqlType | None, nullable: bool) -> dict[str, Any]:
    assert sql_type is not None
    return {"name": name, "nullable": nullable, **describe(sql_type, structured=True)}
