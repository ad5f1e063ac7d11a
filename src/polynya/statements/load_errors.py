"""What goes wrong in a load: where it is in the file, how Snowflake words it, what ON_ERROR makes of it.

Source: docs.snowflake.com/en/sql-reference/sql/copy-into-table (ON_ERROR, VALIDATION_MODE).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from polynya.dialect.naming import resolve_identifier
from polynya.dialect.parse import parse
from polynya.errors import SnowflakeError, compilation_error
from polynya.stages import unpack
from polynya.stages.csv_parser import CsvParser
from polynya.stages.rows import Rows, probe
from polynya.stages.store import StagedFile

if TYPE_CHECKING:
    from polynya.statements.load import Load

_CONTINUE = (
    "\n  If you would like to continue loading when an error is encountered, use other values such as 'SKIP_FILE' or "
    "'CONTINUE' for the ON_ERROR option. For more information on loading options, please run 'info loading_data' in a "
    "SQL client."
)


# --- the statement's query --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transformation:
    """The query of ``COPY INTO table FROM (SELECT ... FROM @stage)``.

    Args:
        items: of the SELECT list.
        location: of the files.
        alias: of the stage in the query, resolved, or None.
        width: the highest ``$n``.
        metadata: the METADATA$ columns that are named.
    """

    items: list[exp.Expression]
    location: str
    alias: str | None
    width: int
    metadata: frozenset[str]

    @staticmethod
    def source_of(node: exp.Expression) -> int:
        """The number of the first file column that an expression names; 1 if it names none."""
        return next(_positions(node), 1)


def read_transformation(text: str) -> Transformation:
    """Reads the query.

    Raises:
        SnowflakeError: 002143 for anything but a simple SELECT from a stage.
    """
    tree = parse(text)
    while isinstance(tree, exp.Subquery) and not tree.args.get("alias"):
        tree = tree.this
    simple = isinstance(tree, exp.Select) and not any(
        tree.args.get(key)
        for key in ("where", "group", "having", "qualify", "order", "limit", "joins", "with_", "distinct", "laterals")
    )
    source = tree.args["from_"].this if simple and tree.args.get("from_") is not None else None
    if not isinstance(source, exp.Table) or not isinstance(source.this, (exp.Var, exp.Literal, exp.Identifier)):
        raise compilation_error(
            2143, "42601", "COPY statement only supports simple SELECT from stage statements for import."
        )
    alias = source.args.get("alias")
    numbers = [position for item in tree.expressions for position in _positions(item)]
    texts = " ".join(item.sql("snowflake") for item in tree.expressions).upper()
    metadata = frozenset(re.findall(r"METADATA\$\w+", texts))
    return Transformation(
        tree.expressions,
        source.this.name,
        resolve_identifier(alias.this) if alias is not None and alias.this is not None else None,
        max(numbers, default=1),
        metadata,
    )


def _positions(node: exp.Expression) -> Iterator[int]:
    """The ``n`` of each ``$n`` (or ``"$n"``) in an expression."""
    for found in node.find_all(exp.Parameter, exp.Column):
        name = found.this.name if isinstance(found.this, (exp.Literal, exp.Parameter)) else found.name.removeprefix("$")
        if name.isdigit() and (isinstance(found, exp.Parameter) or found.name.startswith("$")):
            yield int(name)


# --- ON_ERROR ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnError:
    """ON_ERROR.

    Args:
        kind: CONTINUE, SKIP_FILE or ABORT_STATEMENT.
        limit: errors (or per cent of the rows) from which on a file is skipped.
        percent: whether ``limit`` is per cent.
    """

    kind: str
    limit: float = 1
    percent: bool = False

    @classmethod
    def read(cls, value: object) -> OnError:
        """Reads the option.

        Raises:
            SnowflakeError: for a value it cannot have.
        """
        text = str(value).upper()
        found = re.fullmatch(r"SKIP_FILE(?:_(\d+)(%)?)?", text)
        if found:
            return cls("SKIP_FILE", float(found[1] or 1), found[2] is not None)
        if text in ("CONTINUE", "ABORT_STATEMENT"):
            return cls(text)
        raise compilation_error(1420, "22023", f"invalid value [{value}] for parameter 'ON_ERROR'")

    @property
    def aborts(self) -> bool:
        return self.kind == "ABORT_STATEMENT"

    def skips(self, report: FileReport) -> bool:
        """Whether a file with these errors is left out."""
        if self.kind != "SKIP_FILE":
            return report.unreadable
        if self.percent:
            return report.unreadable or report.errors * 100 >= self.limit * max(report.parsed, 1)
        return report.unreadable or report.errors >= self.limit

    def error_limit(self, report: FileReport) -> int:
        """The result's ``error_limit``."""
        if self.kind == "CONTINUE":
            return report.parsed
        if self.percent:
            return int(report.parsed * self.limit / 100)
        return int(self.limit)


# --- reports ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoadError:
    """One error in a file.

    Args:
        code, sqlstate, message: Snowflake's.
        line, character: where in the file, from 1.
        row: number of the record, from 1.
        row_line: the line on which the record begins.
        column: as the result names it: ``"T"["A":1]``.
        record: the record's text, if it is known.
    """

    code: int
    sqlstate: str
    message: str
    line: int = 1
    character: int = 1
    row: int = 1
    row_line: int = 1
    column: str = ""
    record: str = ""


@dataclass(slots=True)
class FileReport:
    """What became of a file.

    Args:
        file: the file.
        status: LOADED, PARTIALLY_LOADED, LOAD_FAILED or LOAD_SKIPPED.
        parsed, loaded, errors: numbers of rows.
        first: the first error, or None.
        unreadable: the file as a whole cannot be read.
        bad_rows: numbers of the rows with errors, as far as they were asked for.
    """

    file: StagedFile
    status: str
    parsed: int = 0
    loaded: int = 0
    errors: int = 0
    first: LoadError | None = None
    unreadable: bool = False
    bad_rows: list[int] = field(default_factory=list)


def missing_report(name: str) -> FileReport:
    """The report on a file that FILES names and that does not exist."""
    from datetime import UTC, datetime

    error = not_found(name)
    file = StagedFile(name, name, 0, datetime.now(UTC), None)
    return FileReport(
        file, "LOAD_FAILED", errors=1, first=LoadError(error.code, error.sqlstate, error.message), unreadable=True
    )


def not_found(name: str) -> SnowflakeError:
    """The error for a file that does not exist: 091016."""
    return SnowflakeError(
        91016, "22000",
        f"Remote file '{name}' was not found. There are several potential causes. The file might not exist. The required "
        "credentials may be missing or invalid. If you are running a copy command, please make sure files are not deleted "
        "when they are being loaded or files are not being loaded into two different tables concurrently with auto purge "
        "option.",
    )  # fmt: skip


def unreadable(file: StagedFile, error: SnowflakeError) -> FileReport:
    """The report on a file that as a whole cannot be read."""
    message = error.message.split("\n  File ")[0]
    return FileReport(
        file, "LOAD_FAILED", errors=1, first=LoadError(error.code, error.sqlstate, message), unreadable=True
    )


def abort(report: FileReport) -> SnowflakeError:
    """The error of a statement that a file's first error ends."""
    first = report.first
    assert first is not None
    text = f"{first.message}\n  File '{report.file.name}', line {first.line}, character {first.character}"
    if first.column:
        starts = f" starts at line {first.row_line}" if first.row_line != first.line else ""
        text += f"\n  Row {first.row}{starts}, column {first.column}"
    return SnowflakeError(first.code, first.sqlstate, text + _CONTINUE)


# --- finding errors ---------------------------------------------------------------------------------------------------


def examine(load: Load, file: StagedFile, item: Rows) -> FileReport:
    """Counts a file's rows and errors, and finds the first error.

    Args:
        load: the statement.
        file: the file.
        item: its rows.

    Raises:
        SnowflakeError: if the file cannot be read to its end.
    """
    cells = load.projection.cells(item)
    stages, connection = load.execution.stages, load.execution.connection
    relation = load.projection.relation(item, stages, safe=True)
    failing = " OR ".join(["s.m_bad", *(cell.fails for cell in cells)])
    with probe(connection) as engine:
        counted = engine.table(
            f"SELECT count(*) AS parsed, count(*) FILTER (bad) AS errors, min(m_row) FILTER (bad) AS first FROM "
            f"(SELECT s.m_row, ({failing}) AS bad FROM {relation} AS s)",
            load.projection.inputs,
        ).to_pylist()[0]
    report = FileReport(file, "LOADED", parsed=counted["parsed"], errors=counted["errors"])
    if report.errors:
        report.first = describe(load, item, counted["first"])
    return report


def bad_rows(load: Load, item: Rows) -> list[int]:
    """Numbers of the rows with errors."""
    cells = load.projection.cells(item)
    relation = load.projection.relation(item, load.execution.stages, safe=True)
    failing = " OR ".join(["s.m_bad", *(cell.fails for cell in cells)])
    with probe(load.execution.connection) as engine:
        found = engine.table(f"SELECT s.m_row FROM {relation} AS s WHERE {failing} ORDER BY 1", load.projection.inputs)
    return [int(row) for row in found.column(0).to_pylist()]


def describe(load: Load, item: Rows, row: int) -> LoadError:
    """The error of a row that is known to have one."""
    problem = _structural(load, item, row)
    if problem is not None:
        return problem
    stages, connection = load.execution.stages, load.execution.connection
    safe = load.projection.relation(item, stages, safe=True)
    with probe(connection) as engine:
        for index, cell in enumerate(load.projection.cells(item), 1):
            found = engine.table(
                f"SELECT ({cell.fails}) FROM {safe} AS s WHERE s.m_row = {row}", load.projection.inputs
            )
            if not found.num_rows or not found.column(0)[0].as_py():
                continue
            error = SnowflakeError(100072, "22000", "NULL result in a non-nullable column")
            try:
                engine.table(f"SELECT {cell.value.sql} FROM {safe} AS s WHERE s.m_row = {row}", load.projection.inputs)
            except SnowflakeError as raised:
                error = raised
            line, character, row_line, text = _position(load, item, row, cell.source)
            return LoadError(
                error.code, error.sqlstate, error.message, line, character, row, row_line,
                column_name(load, cell.column.name, index), text,
            )  # fmt: skip
        try:  # a document that cannot be parsed
            engine.table(f"SELECT c1 FROM ({item.sql}) WHERE m_row = {row}")
        except SnowflakeError as raised:
            first = load.projection.chosen[0].name if load.projection.chosen else ""
            return LoadError(
                raised.code, raised.sqlstate, raised.message, row, 1, row, row, column_name(load, first, 1)
            )
    return LoadError(100183, "22000", f"Row {row} cannot be loaded.", row, 1, row, row)


def _structural(load: Load, item: Rows, row: int) -> LoadError | None:
    """The error of a record that cannot be read or has the wrong number of fields; None if it has no such error."""
    if item.parsed is None:
        return None
    path = "'" + str(item.parsed).replace("'", "''") + "'"
    with probe(load.execution.connection) as engine:
        found = engine.table(f"SELECT * EXCLUDE (fields) FROM read_parquet({path}) WHERE row = {row}").to_pylist()[0]
    chosen = load.projection.chosen
    if found["problem"] is not None:
        column = min(found["problem_column"], len(chosen)) or 1
        name = chosen[column - 1].name if chosen else ""
        return LoadError(
            found["code"], "22000", found["problem"], found["problem_line"], found["problem_character"], row, found["line"],
            column_name(load, name, found["problem_column"]),
        )  # fmt: skip
    width = len(chosen)
    if load.projection.exact and found["count"] != width:
        message = (
            f"Number of columns in file ({found['count']}) does not match that of the corresponding table ({width}), use file "
            "format option error_on_column_count_mismatch=false to ignore this error"
        )
        column = min(found["count"], width)
        line, character, row_line, text = _position(load, item, row, column)
        return LoadError(
            100080, "22000", message, line, character, row, row_line, column_name(load, chosen[column - 1].name, column), text
        )  # fmt: skip
    return None


def _position(load: Load, item: Rows, row: int, column: int) -> tuple[int, int, int, str]:
    """(line, character, the record's line, its text) of a field of a CSV file; rows are lines in other files."""
    if item.csv is None:
        return row, 1, row, ""
    blocks = unpack.chunks(item.csv.plain, item.staged.name, "NONE")
    text = unpack.text_chunks(blocks, "utf-8", replace=True, name=item.staged.name)
    for record in CsvParser(load.format).records(text):
        if record.row == row:
            line, character = record.starts[min(column, len(record.starts)) - 1]
            delimiter = load.format["FIELD_DELIMITER"] or ""
            return line, character, record.line, delimiter.join(value or "" for value in record.fields)
    return row, 1, row, ""


def column_name(load: Load, name: str, index: int) -> str:
    """A column as errors of a load name it."""
    return f'"{load.table.name}"["{name}":{index}]'
