"""LOAD_FILES: what is known of each trip file, so that a load can stop anywhere and go on.

A file is STAGED when it lies whole in the stage, LOADED when its rows are in TRIPS, REJECTED when it cannot be loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F
from snowflake.snowpark import types as T

from tripcast import names

STAGED = "STAGED"
LOADED = "LOADED"
REJECTED = "REJECTED"

_FIELDS = T.StructType(
    [
        T.StructField("SOURCE", T.StringType()),
        T.StructField("MEMBER", T.StringType()),
        T.StructField("FINGERPRINT", T.StringType()),
        T.StructField("STATUS", T.StringType()),
        T.StructField("SCHEMA_NUMBER", T.LongType()),
        T.StructField("COLUMN_ORDER", T.StringType()),
        T.StructField("STAGED_AS", T.StringType()),
        T.StructField("LINES", T.LongType()),
        T.StructField("BYTES", T.LongType()),
        T.StructField("LEFT_OUT", T.LongType()),
        T.StructField("NEW_TRIPS", T.LongType()),
        T.StructField("CHANGED_AT", T.TimestampType(T.TimestampTimeZone.NTZ)),
    ]
)


@dataclass(slots=True)
class FileEntry:
    """One row of LOAD_FILES.

    Args:
        source: name of the file as published.
        member: the CSV in the zip, empty where the source is the CSV.
        fingerprint: of the source's content.
        status: STAGED, LOADED or REJECTED.
        schema_number: 1 or 2, None if rejected.
        column_order: warehouse names of the file's columns, comma-separated.
        staged_as: path in the stage, ``schema1/….gz``.
        lines: data lines, those left out included.
        bytes: of the CSV.
        left_out: lines that could not be loaded.
        new_trips: rows in TRIPS that came from it, once LOADED.
    """

    source: str
    member: str
    fingerprint: str
    status: str
    schema_number: int | None = None
    column_order: str | None = None
    staged_as: str | None = None
    lines: int = 0
    bytes: int = 0
    left_out: int = 0
    new_trips: int | None = None


def read(session: Session) -> list[FileEntry]:
    """All that is known."""
    columns = [field.name for field in _FIELDS.fields if field.name != "CHANGED_AT"]
    rows = session.table(names.LOAD_FILES).select(*columns).sort("SOURCE", "MEMBER").collect()
    return [FileEntry(*row) for row in rows]


def write(session: Session, entries: Sequence[FileEntry]) -> None:
    """Notes entries, each in place of an earlier one of the same source and member: one statement, all or none."""
    if not entries:
        return
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    rows = [
        (
            entry.source,
            entry.member,
            entry.fingerprint,
            entry.status,
            entry.schema_number,
            entry.column_order,
            entry.staged_as,
            entry.lines,
            entry.bytes,
            entry.left_out,
            entry.new_trips,
            now,
        )
        for entry in entries
    ]
    new = session.create_dataframe(rows, schema=_FIELDS)
    table = session.table(names.LOAD_FILES)
    columns = [field.name for field in _FIELDS.fields]
    table.merge(
        new,
        (table["SOURCE"] == new["SOURCE"]) & (table["MEMBER"] == new["MEMBER"]),
        [
            F.when_matched().update({column: new[column] for column in columns}),
            F.when_not_matched().insert({column: new[column] for column in columns}),
        ],
    )


def of_status(entries: Iterable[FileEntry], status: str) -> list[FileEntry]:
    """Those entries that have this status."""
    return [entry for entry in entries if entry.status == status]
