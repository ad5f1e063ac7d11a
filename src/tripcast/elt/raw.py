"""Staged files to RAW_SCHEMA1 and RAW_SCHEMA2, as text, each file once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from snowflake.snowpark import Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.elt.manifest import FileEntry
from tripcast.sources.formats import schema

MAX_FILES = 1000  # that one COPY may name: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table


def load_raw(session: Session, entries: Sequence[FileEntry], stage: str = names.LOAD_STAGE) -> int:
    """Copies staged files into the raw tables.

    A COPY loads all its files or none, and the warehouse's load history keeps a file from being loaded again, also by
    a run that was killed while its COPY still works. Files whose rows are there are not even named.

    Args:
        session: whose current schema holds the stage and the raw tables.
        entries: STAGED files.
        stage: the name of the stage.

    Returns:
        rows loaded.
    """
    rows = 0

    def layout(entry: FileEntry) -> tuple[int, str]:
        return entry.schema_number or 0, entry.column_order or ""

    for (number, order), group in groupby(sorted(entries, key=layout), key=layout):
        table = schema(number).raw_table
        paths = [entry.staged_as for entry in group if entry.staged_as]
        present = _present(session, table, paths)
        missing = [path for path in paths if path not in present]
        for start in range(0, len(missing), MAX_FILES):
            rows += _copy(session, table, order.split(","), missing[start : start + MAX_FILES], stage)
    return rows


def forget_raw(session: Session, entries: Sequence[FileEntry]) -> None:
    """Deletes the raw rows of these files: their content has changed and is staged anew."""
    for number in {entry.schema_number for entry in entries if entry.schema_number}:
        paths = [entry.staged_as for entry in entries if entry.schema_number == number]
        session.table(schema(number).raw_table).delete(F.col("SOURCE_FILE").in_(paths))


def _present(session: Session, table: str, paths: Sequence[str]) -> set[str]:
    found = session.table(table).filter(F.col("SOURCE_FILE").in_(*paths)).select("SOURCE_FILE").distinct()
    return {row["SOURCE_FILE"] for row in found.collect()}


def _copy(session: Session, table: str, columns: Sequence[str], paths: Sequence[str], stage: str) -> int:
    fields = ", ".join(f"${position}" for position in range(1, len(columns) + 1))
    files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    copied = session.sql(
        f"COPY INTO {table} ({', '.join(columns)}, SOURCE_FILE) "
        f"FROM (SELECT {fields}, METADATA$FILENAME FROM @{stage}) "
        f"FILES = ({files}) FILE_FORMAT = (FORMAT_NAME = {names.CSV_FORMAT}) ON_ERROR = ABORT_STATEMENT"
    ).collect()
    return sum(int(row["rows_loaded"]) for row in copied if "rows_loaded" in row.as_dict())
