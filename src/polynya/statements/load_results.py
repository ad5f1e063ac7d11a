"""What COPY INTO table answers: a row a file, or with VALIDATION_MODE the rows or errors it found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polynya.errors import SnowflakeError, compilation_error
from polynya.stages import csv, rows
from polynya.stages.rows import Rows
from polynya.stages.store import StagedFile
from polynya.statements import load_errors
from polynya.statements.load_errors import FileReport, LoadError, OnError
from polynya.types.arrow import arrow_type, conform
from polynya.types.resultset import Column, ResultSet, StatementType
from polynya.types.resultset import rows as result_rows
from polynya.types.sqltype import VARCHAR, number

if TYPE_CHECKING:
    from polynya.statements.load import Load

_COUNT = number(18, 0)
_COLUMNS = [
    Column("file", VARCHAR), Column("status", VARCHAR), Column("rows_parsed", _COUNT), Column("rows_loaded", _COUNT),
    Column("error_limit", _COUNT), Column("errors_seen", _COUNT), Column("first_error", VARCHAR),
    Column("first_error_line", _COUNT), Column("first_error_character", _COUNT), Column("first_error_column_name", VARCHAR),
]  # fmt: skip
_ERROR_COLUMNS = [
    Column("ERROR", VARCHAR), Column("FILE", VARCHAR), Column("LINE", _COUNT), Column("CHARACTER", _COUNT),
    Column("BYTE_OFFSET", _COUNT), Column("CATEGORY", VARCHAR), Column("CODE", _COUNT), Column("SQL_STATE", VARCHAR),
    Column("COLUMN_NAME", VARCHAR), Column("ROW_NUMBER", _COUNT), Column("ROW_START_LINE", _COUNT),
    Column("REJECTED_RECORD", VARCHAR),
]  # fmt: skip


def result(reports: list[FileReport], skipped: list[StagedFile], on_error: OnError, *, only_failed: bool) -> ResultSet:
    """The answer of a load.

    Args:
        reports: on the files that were looked at.
        skipped: files that FILES names and that were loaded before.
        on_error: of the statement.
        only_failed: RETURN_FAILED_ONLY.
    """
    values = []
    for report in reports:
        if only_failed and report.status == "LOADED":
            continue
        first = report.first
        values.append(
            (
                report.file.name, report.status, report.parsed, report.loaded, on_error.error_limit(report), report.errors,
                first.message if first else None, first.line if first else None, first.character if first else None,
                (first.column or None) if first else None,
            )
        )  # fmt: skip
    for file in skipped:
        values.append((file.name, "LOAD_SKIPPED", 0, 0, 0, 1, "File was loaded before.", None, None, None))
    if not values:
        answer = result_rows(
            [Column("status", VARCHAR)], [("Copy executed with 0 files processed.",)], StatementType.COPY
        )
    else:
        answer = result_rows(_COLUMNS, values, StatementType.COPY)
    answer.rows_affected = sum(report.loaded for report in reports)
    return answer


def validated(load: Load, files: list[StagedFile], missing: list[str], mode: str) -> ResultSet:
    """The answer with VALIDATION_MODE: nothing is loaded.

    Raises:
        SnowflakeError: for RETURN_n_ROWS, the first error; for a mode that does not exist.
    """
    if load.copy.query:
        raise compilation_error(
            2140, "0A000", "VALIDATION_MODE does not support COPY statements that transform data during a load."
        )
    found = re.fullmatch(r"RETURN_(\d+)_ROWS", mode)
    if found:
        if missing:
            raise load_errors.not_found(missing[0])
        return _first_rows(load, files, int(found[1]))
    if mode not in ("RETURN_ERRORS", "RETURN_ALL_ERRORS"):
        raise compilation_error(1420, "22023", f"invalid value [{mode}] for parameter 'VALIDATION_MODE'")
    errors: list[tuple[StagedFile, LoadError]] = []
    for name in missing:
        report = load_errors.missing_report(name)
        assert report.first is not None
        errors.append((report.file, report.first))
    for file in files:
        errors += [(file, error) for error in _errors(load, file)]
    values = [
        (
            error.message, file.name, error.line, error.character, None, "parsing" if error.code != 100038 else "conversion",
            error.code, error.sqlstate, error.column or None, error.row, error.row_line, error.record or None,
        )
        for file, error in errors
    ]  # fmt: skip
    return result_rows(_ERROR_COLUMNS, values)


def _errors(load: Load, file: StagedFile) -> list[LoadError]:
    from polynya.statements.load import examine

    report, item = examine(load, file)
    if item is None or report.unreadable:
        return [report.first] if report.first else []
    if not report.errors:
        return []
    return [load_errors.describe(load, item, row) for row in load_errors.bad_rows(load, item)]


def _first_rows(load: Load, files: list[StagedFile], count: int) -> ResultSet:
    """RETURN_n_ROWS: the first rows as they would be loaded."""
    columns = [Column(column.name, column.type, column.nullable) for column in load.table.columns]
    selects = []
    if files:
        load.projection.check_shape()
    for file in files:
        try:
            item = _rows(load, file)
        except SnowflakeError as error:
            raise load_errors.abort(load_errors.unreadable(file, error)) from None
        report = load_errors.examine(load, file, item)
        if report.first is not None and report.first.row <= count:
            raise load_errors.abort(report)
        selects.append(load.projection.select(item, load.execution.stages, only_good=report.errors > 0))
        if report.parsed >= count:
            break
    if not selects:
        return result_rows(columns, [])
    kinds = [arrow_type(column.type) for column in columns]
    union = " UNION ALL ".join(f"({select})" for select in selects)
    reader = load.execution.connection.query(f"SELECT * FROM ({union}) LIMIT {count}", load.projection.inputs)
    return ResultSet(columns, conform(reader, kinds).read_all())


def _rows(load: Load, file: StagedFile) -> Rows:
    stages, connection = load.execution.stages, load.execution.connection
    if load.format.type != "CSV":
        return rows.semi_structured_rows(stages, connection, load.location, file, load.format)
    prepared = csv.prepare(stages, load.location, file, load.format)
    return rows.csv_rows(
        stages, connection, prepared, load.format, load.projection.width([prepared]), exact=load.projection.exact
    )
