"""Queries on staged files: ``SELECT $1, metadata$filename FROM @stage (FILE_FORMAT => ..., PATTERN => ...)``.

Source: docs.snowflake.com/en/user-guide/querying-stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polynya.catalog.context import Context
from polynya.catalog.model import FileFormat as NamedFormat
from polynya.catalog.names import join_name, split_name
from polynya.catalog.rights import require
from polynya.errors import SnowflakeError, compilation_error, does_not_exist
from polynya.stages import csv, rows
from polynya.stages.formats import FileFormat, file_format
from polynya.stages.location import parse_location
from polynya.stages.rows import Rows
from polynya.stages.store import StagedFile, StageLocation, StageStore
from polynya.storage.connection import Connection
from polynya.types.resultset import Column
from polynya.types.sqltype import TIMESTAMP_LTZ, TIMESTAMP_NTZ, VARCHAR, VARIANT, SqlType, number


@dataclass(frozen=True, slots=True)
class StagedColumn:
    """A column of staged files.

    Args:
        name: as SQL calls it: ``$1``, ``METADATA$FILENAME``.
        type: Snowflake's type.
        nullable: whether it can be NULL.
        stored_as: its name in the relation.
    """

    name: str
    type: SqlType
    nullable: bool
    stored_as: str

    def as_column(self) -> Column:
        return Column(self.name, self.type, self.nullable)


# docs.snowflake.com/en/user-guide/querying-metadata
METADATA = [
    StagedColumn("METADATA$FILENAME", VARCHAR, True, "m_filename"),
    StagedColumn("METADATA$FILE_ROW_NUMBER", number(18, 0), True, "m_number"),
    StagedColumn("METADATA$FILE_CONTENT_KEY", VARCHAR, True, "m_key"),
    StagedColumn("METADATA$FILE_LAST_MODIFIED", TIMESTAMP_NTZ, True, "m_modified"),
    StagedColumn("METADATA$START_SCAN_TIME", TIMESTAMP_LTZ, True, "m_scan"),
]


@dataclass(frozen=True, slots=True)
class StagedRelation:
    """Staged files as a relation.

    Args:
        sql: a query in parentheses.
        columns: ``$1`` ...
        hidden: metadata columns.
        named: the columns under the names that all the files give them (Parquet, Avro, ORC).
    """

    sql: str
    columns: list[StagedColumn]
    hidden: list[StagedColumn]
    named: list[StagedColumn]


def staged_relation(
    location: str,
    options: dict[str, Any],
    context: Context,
    stages: StageStore,
    connection: Connection,
    width: int = 1,
) -> StagedRelation:
    """The files at a location as a relation.

    Args:
        location: as SQL writes it, without quotes.
        options: FILE_FORMAT (a format's name) and PATTERN.
        context: the session's names.
        stages: the files.
        connection: the session's.
        width: the highest ``$n`` that is used; a CSV file has at least so many columns.

    Raises:
        SnowflakeError: for a stage or format that does not exist, or a file that cannot be read.
    """
    place = stages.resolve(parse_location(location), context)
    chosen = resolve_format(options.get("FILE_FORMAT"), place, context)
    files = stages.list_files(place, options.get("PATTERN"))
    count = width
    prepared: list[Rows] = []
    if chosen.type == "CSV":
        ready = csv.prepare_all(stages, place, files, chosen)
        for item in ready:
            if isinstance(item, SnowflakeError):
                raise item
            count = max(count, len(csv.first_record(item, chosen, header=False)))
        prepared = [
            rows.csv_rows(stages, connection, item, chosen, count, exact=False)
            for item in ready
            if not isinstance(item, SnowflakeError)
        ]
    else:
        prepared = [rows.semi_structured_rows(stages, connection, place, file, chosen) for file in files]
        count = 1
    kind = VARCHAR if chosen.type == "CSV" else VARIANT
    columns = [StagedColumn(f"${index}", kind, True, f"c{index}") for index in range(1, count + 1)]
    named = _named_columns(prepared)
    return StagedRelation(f"({union(prepared, stages, context, [*columns, *named])})", columns, METADATA, named)


def _named_columns(prepared: list[Rows]) -> list[StagedColumn]:
    """The columns that files name themselves, if all have the same."""
    shapes = {tuple((column.name, column.type) for column in item.columns) for item in prepared}
    if len(shapes) != 1:
        return []
    return [StagedColumn(name, kind, True, f"n{index}") for index, (name, kind) in enumerate(shapes.pop(), 1)]


def resolve_format(option: Any, place: StageLocation, context: Context) -> FileFormat:
    """The file format of a query or COPY.

    Args:
        option: a format's name, options as parsed (with FORMAT_NAME or TYPE), or None.
        place: whose stage may have a format of its own.
        context: the session's names.

    Raises:
        SnowflakeError: 002003 for a format that does not exist.
    """
    own = dict(place.stage.file_format) if place.stage is not None else {}
    if option is None:
        return file_format(_named(own, context))
    if isinstance(option, str):
        return file_format(_format(option, context))
    given = dict(option)
    if "FORMAT_NAME" in given:
        return file_format({**_named(given, context), **{k: v for k, v in given.items() if k != "FORMAT_NAME"}})
    # Options without a type refine the stage's own format.
    if "TYPE" not in given and own:
        return file_format({**_named(own, context), **given})
    return file_format(given)


def _named(options: dict[str, Any], context: Context) -> dict[str, Any]:
    name = options.get("FORMAT_NAME")
    return (
        options
        if name is None
        else {**_format(str(name), context), **{k: v for k, v in options.items() if k != "FORMAT_NAME"}}
    )


def _format(name: str, context: Context) -> dict[str, Any]:
    try:
        parts = split_name(name.strip())
    except ValueError:
        raise compilation_error(1008, "22023", f"invalid value [{name}] for parameter 'FILE_FORMAT'") from None
    found: NamedFormat | None = context.catalog.find(context, "FILE FORMAT", parts)
    if found is None:
        raise does_not_exist("File format", join_name(parts))
    require(context, "USAGE", found)
    return dict(found.format)


def union(prepared: list[Rows], stages: StageStore, context: Context, columns: list[StagedColumn]) -> str:
    """A query over the rows of files, metadata columns and ``m_bad`` included; with no files it has no rows.

    Args:
        prepared: the files.
        stages: where they are.
        context: for the time at which the scan started.
        columns: of the relation, by their names in ``Rows.sql``.
    """
    if not prepared:
        cells = [f"NULL::{column.type.duckdb} AS {column.stored_as}" for column in [*columns, *METADATA]]
        return f"SELECT {', '.join([*cells, 'FALSE AS m_bad'])} WHERE FALSE"
    names = ", ".join(column.stored_as for column in columns)
    return " UNION ALL ".join(
        f"SELECT {names}, m_bad, {metadata(item.staged, stages, context)} FROM ({item.sql})" for item in prepared
    )


def metadata(file: StagedFile, stages: StageStore, context: Context) -> str:
    """SQL of a file's metadata columns, from a relation with ``m_row``."""
    modified = file.modified.strftime("%Y-%m-%d %H:%M:%S")
    scan = context.statement_start.isoformat(sep=" ")
    return (
        f"{_quoted(file.filename)} AS m_filename, CAST(m_row AS DECIMAL(18,0)) AS m_number, {_quoted(stages.checksum(file))} AS m_key, "
        f"TIMESTAMP '{modified}' AS m_modified, TIMESTAMPTZ '{scan}' AS m_scan"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
