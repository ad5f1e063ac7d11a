"""COPY INTO table: loads staged files.

A load first goes the short way: one INSERT over all files. Where that fails, or a file needs it, the long way looks at
each file, counts and words its errors, and loads what ON_ERROR allows. Either way a file's rows and its entry in the
load history are committed together.

Source: docs.snowflake.com/en/sql-reference/sql/copy-into-table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from polynya.catalog.access import Reads
from polynya.catalog.model import Table
from polynya.catalog.names import quote_identifier
from polynya.dialect.expression import quote_string
from polynya.errors import SnowflakeError, compilation_error
from polynya.stages import csv, history, read, rows
from polynya.stages.csv import CsvFile, CsvScan
from polynya.stages.formats import FileFormat
from polynya.stages.history import Loaded
from polynya.stages.rows import Rows
from polynya.stages.store import StagedFile, StageLocation
from polynya.statements import load_errors, load_results
from polynya.statements.base import Execution
from polynya.statements.copy_into import CopyIntoTable, flag, format_option
from polynya.statements.load_errors import FileReport, OnError
from polynya.statements.load_projection import Projection
from polynya.statements.objects import check_modifiable
from polynya.statements.writing import make_writable
from polynya.types.resultset import ResultSet

_OPTIONS = {
    "FILES", "PATTERN", "FILE_FORMAT", "VALIDATION_MODE", "ON_ERROR", "SIZE_LIMIT", "PURGE", "RETURN_FAILED_ONLY",
    "MATCH_BY_COLUMN_NAME", "INCLUDE_METADATA", "ENFORCE_LENGTH", "TRUNCATECOLUMNS", "FORCE", "LOAD_UNCERTAIN_FILES",
    "STORAGE_INTEGRATION", "CREDENTIALS", "ENCRYPTION", "FILE_PROCESSOR", "LOAD_MODE", "ENDPOINT", "REGION",
}  # fmt: skip


@dataclass(slots=True)
class Load:
    """A load on its way.

    Args:
        execution: of the statement.
        copy: the statement.
        table: into which.
        location: of the files.
        format: of the files.
        projection: from a file's columns to the table's.
        on_error: what to do with errors.
    """

    execution: Execution
    copy: CopyIntoTable
    table: Table
    location: StageLocation
    format: FileFormat
    projection: Projection
    on_error: OnError


def run(execution: Execution, copy: CopyIntoTable) -> ResultSet:
    """Runs ``COPY INTO table``.

    Raises:
        SnowflakeError: the first error, for ON_ERROR = ABORT_STATEMENT; nothing was loaded then.
    """
    load = _prepared(execution, copy)
    execution.use_warehouse()
    options = copy.options
    connection = execution.connection
    if "VALIDATION_MODE" in options:
        files, missing = _chosen_files(load)
        return load_results.validated(load, files, missing, str(options["VALIDATION_MODE"]).upper())
    force = flag(options, "FORCE")
    history.prepare(connection, load.table)
    with connection.atomic():
        make_writable(execution, load.table, shared=True)
        # Two loads of the same files into one table: the second waits and finds them loaded.
        connection.write_lock(f"load of {load.table.stored_as}")
        files, missing = _chosen_files(load)
        known = set() if force else history.loaded_files(connection, load.table)
        checksums = {file.name: execution.stages.checksum(file) for file in files} if known else {}
        fresh = [
            file for file in files if (history.key(load.location, file), checksums.get(file.name, "")) not in known
        ]
        reports = _load(load, _limited(fresh, options.get("SIZE_LIMIT")), missing)
        loads = [
            Loaded(
                report.file,
                execution.stages.checksum(report.file),
                report.status,
                report.parsed,
                report.loaded,
                report.errors,
                report.first.message if report.first else None,
            )
            for report in reports
            if report.loaded or report.status == "LOADED"
        ]
        history.record(
            connection, load.table, load.location, loads, execution.context.query_id, execution.context.statement_start
        )
    if any(report.loaded for report in reports):
        reads = Reads({load.location.stage.id: load.location.stage} if load.location.stage is not None else {})
        chosen = copy.columns or [column.name for column in load.table.columns]
        execution.access.write(load.table, dict.fromkeys(chosen, ()), reads)
    if flag(options, "PURGE"):
        execution.stages.remove(load.location, [entry.file for entry in loads])
    skipped = [file for file in files if file not in fresh] if "FILES" in options else []
    return load_results.result(reports, skipped, load.on_error, only_failed=flag(options, "RETURN_FAILED_ONLY"))


def _prepared(execution: Execution, copy: CopyIntoTable) -> Load:
    context = execution.context
    for name in copy.options:
        if name not in _OPTIONS:
            raise compilation_error(1420, "22023", f"invalid parameter '{name}'")
    table = context.catalog.find(context, "TABLE", copy.table)
    if table is None:  # COPY's own words, which clients look for
        name = ".".join(map(quote_identifier, context.catalog.qualify(context, copy.table)))
        raise compilation_error(2003, "42S02", f"Table '{name}' does not exist")
    execution.require("INSERT", table)
    check_modifiable(table)
    assert isinstance(table, Table)
    transformation = None
    if copy.query:
        transformation = load_errors.read_transformation(copy.query)
        copy.location = transformation.location
    location = execution.stages.resolve(copy.location, context)
    if location.stage is not None:
        for name, value in location.stage.copy_options.items():
            copy.options.setdefault(name, value)
    if location.is_external and location.stage is None:
        location = execution.stages.external(copy.location.strip(), "", copy.options, None)
    file_format = read.resolve_format(format_option(copy.options), location, context)
    on_error = OnError.read(copy.options.get("ON_ERROR", "ABORT_STATEMENT"))
    projection = Projection(execution, table, copy, file_format, transformation)
    return Load(execution, copy, table, location, file_format, projection, on_error)


def _chosen_files(load: Load) -> tuple[list[StagedFile], list[str]]:
    """The files that FILES and PATTERN choose, and the names in FILES that no file has."""
    stages, options = load.execution.stages, load.copy.options
    pattern = str(options["PATTERN"]) if "PATTERN" in options else None
    if "FILES" not in options:
        return stages.list_files(load.location, pattern), []
    names = options["FILES"] if isinstance(options["FILES"], list) else [options["FILES"]]
    listed = {file.relative: file for file in stages.list_files(load.location, pattern)}
    base = load.location.path
    if base and not base.endswith("/") and base not in listed:
        base += "/"
    files, missing = [], []
    for name in dict.fromkeys(str(name) for name in names):
        file = listed.get(base + name) or listed.get(f"{load.location.path}{name}")
        files.append(file) if file is not None else missing.append(name)
    return [file for file in files if file is not None], missing


def _limited(files: list[StagedFile], limit: Any) -> list[StagedFile]:
    """SIZE_LIMIT: files until their size passes it; at least one."""
    if limit in (None, "", "NULL", "null"):
        return files
    total = 0
    chosen: list[StagedFile] = []
    for file in files:
        if chosen and total >= int(limit):
            break
        chosen.append(file)
        total += file.size
    return chosen


def _load(load: Load, files: list[StagedFile], missing: list[str]) -> list[FileReport]:
    if missing and load.on_error.aborts:
        raise load_errors.not_found(missing[0])
    reports = [load_errors.missing_report(name) for name in missing]
    if not files:
        return reports
    load.projection.check_shape()
    loaded = _short_way(load, files)
    return reports + (loaded if loaded is not None else _long_way(load, files))


# --- the short way ----------------------------------------------------------------------------------------------------


def _short_way(load: Load, files: list[StagedFile]) -> list[FileReport] | None:
    """Loads all files by one INSERT; None if that is not possible or something in them is wrong."""
    connection = load.execution.connection
    for plan in (_together, _one_by_one):
        try:
            selects, scanned = plan(load, files)
            if selects is None:
                continue
            inserted = connection.execute(_insert(load, " UNION ALL ".join(selects)), load.projection.inputs)
        except SnowflakeError as error:
            if error.code == 604 or error.sqlstate == "0A000":
                raise
            continue
        counts = _counts(load, files, scanned, inserted)
        return [FileReport(file, "LOADED", count, count) for file, count in zip(files, counts, strict=True)]
    return None


def _csv_files(load: Load, files: list[StagedFile]) -> list[CsvFile] | None:
    """The files made ready; None if one cannot be."""
    ready = csv.prepare_all(load.execution.stages, load.location, files, load.format)
    whole = [item for item in ready if isinstance(item, CsvFile)]
    return whole if len(whole) == len(ready) else None


def _together(load: Load, files: list[StagedFile]) -> tuple[list[str] | None, list[CsvFile] | None]:
    """What to insert, as one query that reads all CSV files at once; None if it takes one for each file.

    A query (COPY INTO ... FROM (SELECT ...)) allows records of any width. Where all have the header's, and only then,
    the engine's exact reader gives the same rows without an error.
    """
    projection = load.projection
    if load.format.type != "CSV" or projection.by_name or projection.metadata - {"METADATA$FILENAME"}:
        return None, None
    if not projection.exact and (projection.transformation is None or not csv.header_lines(load.format)):
        return None, None
    whole = _csv_files(load, files)
    if whole is None:
        return None, None
    wanted = projection.width(whole)
    widths = {wanted} if projection.exact else {len(csv.first_record(item, load.format, header=True)) for item in whole}
    if len(widths) > 1:
        return None, None
    width = widths.pop()
    if not all(csv.engine_reads(item, load.format, width, exact=True) for item in whole):
        return None, None
    scan = CsvScan(whole, load.format, width, exact=True)
    items = [f"{value} AS c{index}" for index, value in enumerate(scan.values()[:wanted], 1)]
    items += [f"NULL::VARCHAR AS c{index}" for index in range(width + 1, wanted + 1)]
    if projection.metadata:
        names = ", ".join(quote_string(file.filename) for file in files)
        items.append(f"[{names}][CAST(file_index + 1 AS BIGINT)] AS m_filename")
    sql = f"SELECT {', '.join([*items, '0 AS m_row', 'FALSE AS m_bad'])} FROM {scan.relation()}"
    return [projection.select(Rows(files[0], sql, has_metadata=True), load.execution.stages)], whole


def _one_by_one(load: Load, files: list[StagedFile]) -> tuple[list[str] | None, list[CsvFile] | None]:
    """What to insert, as queries over the files; None if a file needs the long way. CSV files are returned too."""
    stages, connection, projection = load.execution.stages, load.execution.connection, load.projection
    if load.format.type != "CSV":
        prepared = [rows.semi_structured_rows(stages, connection, load.location, file, load.format) for file in files]
        if any(item.parsed is not None for item in prepared):
            return None, None
        return [projection.select(item, stages) for item in prepared], None
    whole = _csv_files(load, files)
    if whole is None or not (projection.by_name or projection.metadata or not projection.exact):
        return None, None
    width, exact = projection.width(whole), projection.exact
    if not all(csv.engine_reads(item, load.format, width, exact=exact) for item in whole):
        return None, None
    prepared = [rows.csv_rows(stages, connection, item, load.format, width, exact=exact) for item in whole]
    if any(item.parsed is not None for item in prepared):
        return None, None
    return [projection.select(item, stages) for item in prepared], whole


def _counts(load: Load, files: list[StagedFile], scanned: list[CsvFile] | None, inserted: int) -> list[int]:
    """How many rows each file had.

    A CSV file has as many records as lines, unless line feeds stand in quotes: then the sum tells.
    """
    if len(files) == 1:
        return [inserted]
    if scanned is not None:
        header = csv.header_lines(load.format)
        lines = [max(item.facts.lines - header, 0) for item in scanned]
        if sum(lines) == inserted:
            return lines
    stages, connection = load.execution.stages, load.execution.connection
    counts = []
    for number, file in enumerate(files):
        if scanned is not None:
            relation = CsvScan(
                [scanned[number]], load.format, load.projection.width(scanned), load.projection.exact
            ).relation()
        else:
            item = rows.semi_structured_rows(stages, connection, load.location, file, load.format)
            relation = f"({item.raw or item.sql})"
        counts.append(int(connection.table(f"SELECT count(*) FROM {relation}").column(0)[0].as_py()))
    return counts


def _insert(load: Load, query: str) -> str:
    columns = ", ".join('"' + column.stored_as.replace('"', '""') + '"' for column in load.table.columns)
    return f"INSERT INTO {load.table.stored_as} ({columns}) {query}"


# --- the long way -----------------------------------------------------------------------------------------------------


def _long_way(load: Load, files: list[StagedFile]) -> list[FileReport]:
    """Looks at each file, then loads what may be loaded."""
    reports, selects = [], []
    for file in files:
        report, item = examine(load, file)
        if report.errors and load.on_error.aborts:
            assert report.first is not None
            raise load_errors.abort(report)
        if report.errors and load.on_error.skips(report):
            report.status = "LOAD_FAILED"
        elif item is not None:
            report.loaded = report.parsed - report.errors
            report.status = "PARTIALLY_LOADED" if report.errors else "LOADED"
            if report.errors and not report.loaded:
                report.status = "LOAD_FAILED"
            if report.loaded:
                selects.append(load.projection.select(item, load.execution.stages, only_good=report.errors > 0))
        reports.append(report)
    if selects:
        load.execution.connection.execute(_insert(load, " UNION ALL ".join(selects)), load.projection.inputs)
    return reports


def examine(load: Load, file: StagedFile) -> tuple[FileReport, Rows | None]:
    """Counts a file's rows and errors and finds the first error; no rows if the file as a whole cannot be read."""
    stages, connection, projection = load.execution.stages, load.execution.connection, load.projection
    try:
        if load.format.type == "CSV":
            prepared = csv.prepare(stages, load.location, file, load.format)
            width = projection.width([prepared])
            item = rows.csv_rows(stages, connection, prepared, load.format, width, exact=projection.exact)
        else:
            item = rows.semi_structured_rows(stages, connection, load.location, file, load.format)
        return load_errors.examine(load, file, item), item
    except SnowflakeError as error:
        if error.code == 604 or error.sqlstate == "0A000" or re.match("SQL compilation error", error.message):
            raise
        return load_errors.unreadable(file, error), None
