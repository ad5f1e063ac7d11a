"""The two layouts of published trip files, recognised by their header.

Until 2021-01 a file has 15 columns (schema 1), from 2021-02 on 13 others in another order (schema 2). Headers come in
lower case quoted, lower case unquoted or Title Case (``Trip Duration``), so names are compared by letters and digits only.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass


class BadFile(Exception):
    """A file, or a part of one, that cannot be loaded; the text says why.

    Args:
        reason: one line for the load report.
        line: of the file, from 1, where it shows.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Schema:
    """A layout of trip files.

    Args:
        number: 1 or 2.
        columns: warehouse names of the raw table's columns, in the published order.
    """

    number: int
    columns: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The stage's folder of this layout, and the suffix of its raw table: ``schema1``."""
        return f"schema{self.number}"

    @property
    def raw_table(self) -> str:
        return f"RAW_SCHEMA{self.number}"


SCHEMA1 = Schema(
    1,
    (
        "TRIPDURATION",
        "STARTTIME",
        "STOPTIME",
        "START_STATION_ID",
        "START_STATION_NAME",
        "START_STATION_LATITUDE",
        "START_STATION_LONGITUDE",
        "END_STATION_ID",
        "END_STATION_NAME",
        "END_STATION_LATITUDE",
        "END_STATION_LONGITUDE",
        "BIKEID",
        "USERTYPE",
        "BIRTH_YEAR",
        "GENDER",
    ),
)
SCHEMA2 = Schema(
    2,
    (
        "RIDE_ID",
        "RIDEABLE_TYPE",
        "STARTED_AT",
        "ENDED_AT",
        "START_STATION_NAME",
        "START_STATION_ID",
        "END_STATION_NAME",
        "END_STATION_ID",
        "START_LAT",
        "START_LNG",
        "END_LAT",
        "END_LNG",
        "MEMBER_CASUAL",
    ),
)
SCHEMAS = (SCHEMA1, SCHEMA2)


def schema(number: int) -> Schema:
    """The layout with this number."""
    return SCHEMAS[number - 1]


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


@dataclass(frozen=True, slots=True)
class Header:
    """What a file's first line says.

    Args:
        schema: the layout.
        columns: the file's columns, by warehouse name, in the file's order.
    """

    schema: Schema
    columns: tuple[str, ...]


def recognise(line: bytes) -> Header:
    """The layout of a file, by its first line.

    Args:
        line: the header, with or without its line end.

    Raises:
        BadFile: the header is of neither layout; the reason names the columns that are missing or too many.
    """
    try:
        text = line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError:
        raise BadFile("binary data, not a CSV file", 1) from None
    if not all(character.isprintable() or character == "\t" for character in text):
        raise BadFile("binary data, not a CSV file", 1)
    if not text.strip():
        raise BadFile("the first line is empty where the header should be", 1)
    names = next(csv.reader([text], skipinitialspace=True))
    found = [_letters(name) for name in names]
    for layout in SCHEMAS:
        known = {_letters(column): column for column in layout.columns}
        if set(found) == set(known) and len(found) == len(known):
            return Header(layout, tuple(known[name] for name in found))
    closest = max(SCHEMAS, key=lambda layout: len({_letters(column) for column in layout.columns} & set(found)))
    wanted = {_letters(column): column.lower() for column in closest.columns}
    missing = [column for name, column in wanted.items() if name not in found]
    surplus = [name.strip() for name, key in zip(names, found, strict=True) if key not in wanted]
    double = sorted({name.strip() for name, key in zip(names, found, strict=True) if found.count(key) > 1})
    if len(missing) * 2 > len(wanted):
        shown = text if len(text) <= 80 else text[:77] + "..."
        raise BadFile(f"not the header of a trip file: {shown}", 1)
    complaints = []
    if missing:
        complaints.append("lacks " + ", ".join(missing))
    if surplus:
        complaints.append("has the unknown " + ", ".join(repr(name) for name in surplus))
    if double:
        complaints.append("repeats " + ", ".join(repr(name) for name in double))
    raise BadFile(f"header of schema {closest.number} {' and '.join(complaints)}", 1)
