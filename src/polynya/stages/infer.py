"""INFER_SCHEMA: the columns that staged files have.

Source: docs.snowflake.com/en/sql-reference/functions/infer_schema.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from polynya.errors import SnowflakeError, unsupported
from polynya.stages import csv, rows
from polynya.stages.formats import FileFormat
from polynya.stages.store import StagedFile, StageLocation, StageStore
from polynya.storage.connection import Connection
from polynya.types.sqltype import SqlType
from polynya.types.variant import ESCAPED_TAG, decode

_TEXT = "TEXT"
_NUMBER = re.compile(r"NUMBER\((\d+), (\d+)\)")
_PLAIN_KEY = re.compile(r"[A-Za-z_]\w*\Z")


@dataclass(slots=True)
class Found:
    """A column that was found.

    Args:
        name: as INFER_SCHEMA reports it.
        type: as INFER_SCHEMA writes it: ``NUMBER(38, 0)``, ``TEXT`` ...; "" if only NULL was seen.
        nullable: False where all files say so.
        expression: SQL that yields it from a staged file.
        order: its place in the files.
        files: names of the files that have it.
    """

    name: str
    type: str
    nullable: bool
    expression: str
    order: int
    files: list[str] = field(default_factory=list)


def infer_schema(
    store: StageStore,
    connection: Connection,
    location: StageLocation,
    files: list[StagedFile],
    file_format: FileFormat,
    *,
    ignore_case: bool,
    max_records: int | None,
) -> list[Found]:
    """The columns of files, in order.

    Args:
        store: of the files.
        connection: the session's.
        location: of the files.
        files: to look at.
        file_format: of the files.
        ignore_case: names are in upper case, and columns whose names differ in case are one.
        max_records: rows looked at in each file, or None for all.
    """
    merged: dict[str, Found] = {}
    for file in files:
        if file_format.type == "CSV":
            columns = _csv_columns(store, connection, location, file, file_format, max_records)
        elif file_format.type == "JSON":
            columns = _json_columns(store, connection, location, file, file_format, max_records)
        elif file_format.type == "XML":
            raise unsupported("INFER_SCHEMA for XML")
        else:
            columns = _named_columns(store, connection, location, file, file_format)
        for order, (name, kind, nullable, position) in enumerate(columns):
            key = name.upper() if ignore_case else name
            known = merged.get(key)
            if known is None:
                merged[key] = Found(key, kind, nullable, str(position or name), order, [file.relative])
            else:
                known.type = _merge(known.type, kind, file_format.type)
                known.nullable |= nullable
                known.files.append(file.relative)
    for found in merged.values():
        found.type = found.type or _TEXT
        found.expression = _expression(found, file_format.type, ignore_case)
    return sorted(merged.values(), key=lambda found: (found.order, found.name))


def _expression(found: Found, kind: str, ignore_case: bool) -> str:
    if kind == "CSV":
        return f"${found.expression}::{found.type}"
    if ignore_case:
        return f"GET_IGNORE_CASE ($1, '{found.name.replace(chr(39), chr(39) * 2)}')::{found.type}"
    key = found.name if _PLAIN_KEY.match(found.name) else '"' + found.name.replace('"', '""') + '"'
    return f"$1:{key}::{found.type}"


# --- CSV --------------------------------------------------------------------------------------------------------------

_Column = tuple[str, str, bool, int]  # name, type, nullable, position in a CSV file


def _csv_columns(
    store: StageStore,
    connection: Connection,
    location: StageLocation,
    file: StagedFile,
    file_format: FileFormat,
    limit: int | None,
) -> list[_Column]:
    prepared = csv.prepare(store, location, file, file_format)
    first = csv.first_record(prepared, file_format, header=bool(file_format["PARSE_HEADER"]))
    if not first:
        return []
    width = len(first)
    names = (
        [str(name) for name in first]
        if file_format["PARSE_HEADER"]
        else [f"c{number}" for number in range(1, width + 1)]
    )
    item = rows.csv_rows(store, connection, prepared, file_format, width, exact=False)
    sample = f"SELECT * FROM ({item.safe}) WHERE NOT m_bad" + (f" LIMIT {limit}" if limit else "")
    questions = ", ".join(_questions(f"c{number}", number) for number in range(1, width + 1))
    with rows.probe(connection) as engine:
        answers = engine.table(f"SELECT {questions} FROM ({sample})").to_pylist()[0]
    return [
        (
            name,
            _csv_type({key.split("_")[0]: value for key, value in answers.items() if key.endswith(f"_{number}")}),
            True,
            number,
        )
        for number, name in enumerate(names, 1)
    ]


def _questions(column: str, number: int) -> str:
    """SQL aggregates that tell a text column's type."""
    tests = {
        "n": f"count({column})",
        "numeric": f"bool_and(regexp_full_match({column}, '[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)'))",
        "whole": f"max(length(ltrim(regexp_extract({column}, '^[+-]?([0-9]*)', 1), '0')))",
        "scale": f"max(length(regexp_extract({column}, '\\.([0-9]*)$', 1)))",
        "real": f"bool_and(TRY_CAST({column} AS DOUBLE) IS NOT NULL AND NOT contains({column}, '_'))",
        "boolean": f"bool_and(lower({column}) IN ('true', 'false'))",
        "date": f"bool_and(regexp_full_match({column}, '[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}') AND TRY_CAST({column} AS DATE) IS NOT NULL)",
        "time": f"bool_and(regexp_full_match({column}, '[0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}}(\\.[0-9]+)?)?'))",
        "timestamp": f"bool_and(regexp_full_match({column}, '[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}[ T][0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}}(\\.[0-9]+)?)?') "
        f"AND TRY_CAST({column} AS TIMESTAMP) IS NOT NULL)",
    }
    return ", ".join(f"{sql} AS {name}_{number}" for name, sql in tests.items())


def _csv_type(answers: dict[str, Any]) -> str:
    if not answers["n"]:
        return ""
    if answers["numeric"]:
        scale = min(answers["scale"] or 0, 37)
        digits = max((answers["whole"] or 0) + scale, 1)
        return f"NUMBER({digits}, {scale})" if digits <= 38 else "REAL"
    for name, kind in (
        ("real", "REAL"),
        ("boolean", "BOOLEAN"),
        ("date", "DATE"),
        ("time", "TIME"),
        ("timestamp", "TIMESTAMP_NTZ"),
    ):
        if answers[name]:
            return kind
    return _TEXT


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json_columns(
    store: StageStore,
    connection: Connection,
    location: StageLocation,
    file: StagedFile,
    file_format: FileFormat,
    limit: int | None,
) -> list[_Column]:
    item = rows.semi_structured_rows(store, connection, location, file, file_format)
    sql = f"SELECT c1 FROM ({item.raw or item.sql})" + (f" LIMIT {limit}" if limit else "")
    types: dict[str, str] = {}
    orders: dict[str, int] = {}  # by name, as the attributes of a VARIANT are
    with rows.probe(connection) as engine:
        for batch in engine.query(sql):
            for text in batch.column(0).to_pylist():
                document = _document(text)
                if not isinstance(document, dict):
                    raise SnowflakeError(
                        100069, "22000", f"Cannot infer a schema: file '{file.name}' holds values that are no objects."
                    )
                for order, (name, value) in enumerate(sorted(document.items())):
                    types[name] = _merge(types.get(name, ""), _json_type(value), "JSON")
                    orders.setdefault(name, order)
    found = [(name, kind, True, 0) for name, kind in types.items()]
    return sorted(found, key=lambda column: (orders[column[0]], column[0]))


def _document(text: str) -> Any:
    if ESCAPED_TAG in text:
        return decode(text)
    try:
        return json.loads(text, parse_float=_Fraction, parse_int=_Digits)
    except ValueError as error:
        raise SnowflakeError(100069, "22P02", f"Error parsing JSON: {error}") from None


class _Fraction(str):
    """A number with a fraction as it is written."""


class _Digits(str):
    """A whole number as it is written."""


def _json_type(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, _Digits):
        return f"NUMBER({max(len(value.lstrip('-')), 1)}, 0)"
    if isinstance(value, dict):
        return "OBJECT"
    if isinstance(value, list):
        return "ARRAY"
    if isinstance(value, _Fraction):
        whole, _, fraction = value.lstrip("-").partition(".")
        digits = len(whole.lstrip("0")) + len(fraction)
        return f"NUMBER({max(digits, 1)}, {len(fraction)})" if digits <= 38 and "e" not in value.lower() else "REAL"
    return _TEXT


# --- Parquet, Avro, ORC -----------------------------------------------------------------------------------------------


def _named_columns(
    store: StageStore, connection: Connection, location: StageLocation, file: StagedFile, file_format: FileFormat
) -> list[_Column]:
    if file_format["USE_LOGICAL_TYPE"]:  # bytes that are no text by their logical type are BINARY
        file_format = replace(file_format, options={**file_format.options, "BINARY_AS_TEXT": False})
    item = rows.semi_structured_rows(store, connection, location, file, file_format)
    return [(column.name, type_text(column.type), column.nullable, 0) for column in item.columns]


def type_text(kind: SqlType) -> str:
    """A type as INFER_SCHEMA writes it."""
    if kind.name == "NUMBER":
        return f"NUMBER({kind.precision}, {kind.scale})"
    return {"VARCHAR": _TEXT, "FLOAT": "REAL"}.get(kind.name, kind.name)


def _merge(left: str, right: str, kind: str) -> str:
    """The type of a column that has both types."""
    if left == right or not right:
        return left
    if not left:
        return right
    one, other = _NUMBER.match(left), _NUMBER.match(right)
    if one and other:
        scale = max(int(one[2]), int(other[2]))
        whole = max(int(one[1]) - int(one[2]), int(other[1]) - int(other[2]))
        return f"NUMBER({whole + scale}, {scale})" if whole + scale <= 38 else "REAL"
    if {bool(one), bool(other)} == {True, False} and "REAL" in (left, right):
        return "REAL"
    if kind in ("CSV", "JSON"):
        return _TEXT if not {"OBJECT", "ARRAY"} & {left, right} else "VARIANT"
    return "VARIANT"
