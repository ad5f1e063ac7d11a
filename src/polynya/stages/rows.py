"""One staged file as a relation of the engine: columns ``c1`` ..., the row's number, and whether it can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from duckdb.sqltypes import DuckDBPyType

from polynya.errors import SnowflakeError
from polynya.stages import avro, csv, json_splitter, unpack, xml
from polynya.stages.csv import CsvFile, CsvScan
from polynya.stages.csv_parser import Record, write_rows
from polynya.stages.formats import FileFormat
from polynya.stages.store import StagedFile, StageLocation, StageStore
from polynya.stages.variant_sql import INTEGERS, decimal_digits, object_sql, variant_sql
from polynya.storage.connection import Connection
from polynya.types.sqltype import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT,
    TIME,
    TIMESTAMP_LTZ,
    TIMESTAMP_NTZ,
    VARCHAR,
    VARIANT,
    SqlType,
    number,
)

_JSON_OBJECT_BYTES = 16 << 20
_MAX_DOCUMENT = 128 << 20


@dataclass(frozen=True, slots=True)
class NamedColumn:
    """A column that a file names itself: of Parquet, Avro, ORC.

    Args:
        name: as the file has it.
        type: Snowflake's type.
        sql: its value in that type's engine form, in the relation ``Rows.source``.
        nullable: False where the file says so.
    """

    name: str
    type: SqlType
    sql: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Rows:
    """A file's rows.

    Args:
        staged: the file.
        sql: a SELECT that yields ``c1`` ... (text of CSV, else one column of JSON), ``m_row`` (from 1) and ``m_bad``
            (the record cannot be read; its columns are then NULL or incomplete).
        csv: of a CSV file.
        parsed: Parquet file of ``csv_parser.ROWS_SCHEMA`` with the problems of records, or None.
        columns: of Parquet, Avro, ORC: the columns that the file names; ``sql`` has them as ``n1`` ... too.
        source: where ``columns`` are read from.
        raw: the same SELECT with documents as text that was not parsed (JSON), else "".
        parse: SQL that parses such a text ``{}``.
        unchecked: the same SELECT with bad records as they are, where ``sql`` raises their errors, else "".
        has_metadata: the SELECT yields the metadata columns that are used.
    """

    staged: StagedFile
    sql: str
    csv: CsvFile | None = None
    parsed: Path | None = None
    columns: tuple[NamedColumn, ...] = ()
    source: str = ""
    raw: str = ""
    parse: str = ""
    unchecked: str = ""
    has_metadata: bool = False

    @property
    def safe(self) -> str:
        """The same SELECT, but records that cannot be read are bad records instead of errors."""
        if not self.parse:
            return self.unchecked or self.sql
        value = f"TRY({self.parse.format('c1')})"
        return f"SELECT CASE WHEN NOT m_bad THEN {value} END AS c1, m_row, (m_bad OR {value} IS NULL) AS m_bad FROM ({self.raw})"

    def by_name(self, names: list[str | None]) -> str:
        """A SELECT like ``sql`` with these of the file's columns as ``c1`` ..., NULL for None."""
        found = {column.name: column for column in self.columns}
        items = [
            f"{found[name].sql if name is not None else 'NULL'} AS c{index}" for index, name in enumerate(names, 1)
        ]
        return f"SELECT {', '.join([*items, 'row_number() OVER () AS m_row', 'FALSE AS m_bad'])} FROM {self.source}"


def csv_rows(
    store: StageStore, connection: Connection, file: CsvFile, file_format: FileFormat, width: int, *, exact: bool
) -> Rows:
    """A CSV file's rows.

    Args:
        store: of the file.
        connection: to try the engine's reader with.
        file: prepared.
        file_format: of the file.
        width: number of columns.
        exact: records of another width are bad; else fields are missing (NULL) or left out.
    """
    if csv.engine_reads(file, file_format, width, exact=exact):
        # Records may be wider than is asked for.
        wide = width if exact else max(width, len(csv.first_record(file, file_format, header=True)))
        scan = CsvScan([file], file_format, wide, exact)
        if _reads_through(store, connection, f"{scan.relation()}:{file.plain.stat().st_mtime_ns}", scan.relation()):
            items = [f"{value} AS c{index}" for index, value in enumerate(scan.values()[:width], 1)]
            sql = f"SELECT {', '.join([*items, 'row_number() OVER () AS m_row', 'FALSE AS m_bad'])} FROM {scan.relation()}"
            return Rows(file.staged, sql, file)
    parsed = csv.parse(store, file, file_format)
    assert parsed.rows is not None
    values = csv.parsed_values(width)
    bad = "problem IS NOT NULL" + (f" OR count <> {width}" if exact else "")
    tail = f"row AS m_row, ({bad}) AS m_bad FROM read_parquet({_quoted(str(parsed.rows))})"
    unchecked = [f"{value} AS c{index}" for index, value in enumerate(values, 1)]
    failure = _raise_problem(file.staged)
    checked = [
        f"CASE WHEN problem IS NOT NULL THEN {failure} ELSE {value} END AS c{index}"
        for index, value in enumerate(values, 1)
    ]
    return Rows(
        file.staged,
        f"SELECT {', '.join(checked)}, {tail}",
        parsed,
        parsed.rows,
        unchecked=f"SELECT {', '.join(unchecked)}, {tail}",
    )


def _raise_problem(file: StagedFile) -> str:
    """SQL that raises a record's problem, from the columns of ``csv_parser.ROWS_SCHEMA``."""
    where = (
        f"concat('\n  File ', {_quoted(repr(file.name))}, ', line ', problem_line, ', character ', problem_character)"
    )
    return f"error(concat(chr(2), code, ' 22000 ', problem, {where}, chr(3)))"


def semi_structured_rows(
    store: StageStore, connection: Connection, location: StageLocation, file: StagedFile, file_format: FileFormat
) -> Rows:
    """The rows of a JSON, Parquet, Avro, ORC or XML file: one column of JSON.

    Raises:
        SnowflakeError: if the file as a whole cannot be read.
    """
    match file_format.type:
        case "JSON":
            return _json_rows(store, connection, location, file, file_format)
        case "XML":
            return _xml_rows(store, location, file, file_format)
    path = store.local(file, location)
    version = f"{path}:{file.size}:{path.stat().st_mtime_ns}"
    if file_format.type in ("AVRO", "ORC"):
        convert = avro.avro_to_parquet if file_format.type == "AVRO" else avro.orc_to_parquet
        path = store.workspace.derived(
            f"{file_format.type}:{version}", lambda target: convert(path, target, file.name), suffix=".parquet"
        )
    return _parquet_rows(connection, path, file, file_format)


def plain_file(store: StageStore, location: StageLocation, file: StagedFile, file_format: FileFormat) -> Path:
    """A file's content, decompressed.

    Raises:
        SnowflakeError: 100079 if it cannot be.
    """
    path = store.local(file, location)
    compression = unpack.detect(path, file.name, file_format["COMPRESSION"] or "AUTO")
    if compression == "NONE":
        return path

    def write(target: Path) -> None:
        with target.open("wb") as stream:
            for block in unpack.chunks(path, file.name, compression):
                stream.write(block)

    return store.workspace.derived(f"plain:{path}:{file.size}:{path.stat().st_mtime_ns}:{compression}", write)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json_rows(
    store: StageStore, connection: Connection, location: StageLocation, file: StagedFile, file_format: FileFormat
) -> Rows:
    plain = plain_file(store, location, file, file_format)
    strip = file_format["STRIP_OUTER_ARRAY"]
    version = f"{plain}:{plain.stat().st_mtime_ns}:{strip}"
    parse = "sf_parse_json_duplicates({})::JSON" if file_format["ALLOW_DUPLICATE"] else "sf_parse_json({})"
    if not file_format["STRIP_NULL_VALUES"]:
        form = "array" if strip and _first_byte(plain) == b"[" else "unstructured"
        size = min(max(plain.stat().st_size, 1 << 20), _MAX_DOCUMENT if form == "unstructured" else _JSON_OBJECT_BYTES)
        relation = f"read_json_objects([{_quoted(str(plain))}], format='{form}', compression='uncompressed', maximum_object_size={size})"
        if _reads_through(store, connection, f"json:{version}", relation):
            tail = f"row_number() OVER () AS m_row, FALSE AS m_bad FROM {relation}"
            value = parse.format("CAST(json AS VARCHAR)")
            return Rows(
                file, f"SELECT {value} AS c1, {tail}", raw=f"SELECT CAST(json AS VARCHAR) AS c1, {tail}", parse=parse
            )

    def write(target: Path) -> None:
        replace = file_format["IGNORE_UTF8_ERRORS"] or file_format["REPLACE_INVALID_CHARACTERS"]
        text = "".join(
            unpack.text_chunks(unpack.chunks(plain, file.name, "NONE"), "utf-8", replace=replace, name=file.name)
        )
        records = json_splitter.split(text, strip_outer_array=strip)
        write_rows(_without_nulls(records) if file_format["STRIP_NULL_VALUES"] else records, target)

    rows = store.workspace.derived(f"documents:{version}:{file_format['STRIP_NULL_VALUES']}", write, suffix=".parquet")
    tail = f"row AS m_row, problem IS NOT NULL AS m_bad FROM read_parquet({_quoted(str(rows))})"
    return Rows(
        file,
        f"SELECT CASE WHEN problem IS NOT NULL THEN error(problem) ELSE {parse.format('fields[1]')} END AS c1, {tail}",
        parsed=rows,
        raw=f"SELECT fields[1] AS c1, {tail}",
        parse=parse,
    )


def _without_nulls(records: Iterator[Record]) -> Iterator[Record]:
    """STRIP_NULL_VALUES: attributes and items that are null are removed."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if item is not None}
        if isinstance(value, list):
            return [strip(item) for item in value if item is not None]
        return value

    for record in records:
        if record.problem is None and record.fields[0] is not None:
            try:
                # Numbers stay as they are written.
                value = json.loads(record.fields[0], parse_float=_Literal, parse_int=_Literal)
                record.fields = [_dump(strip(value))]
            except ValueError:
                pass  # the error is reported when the document is parsed
        yield record


class _Literal(str):
    """A number's text."""


def _dump(value: Any) -> str:
    if isinstance(value, _Literal):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value)


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _parquet_rows(connection: Connection, path: Path, file: StagedFile, file_format: FileFormat) -> Rows:
    relation = f"read_parquet([{_quoted(str(path))}], file_row_number=true)"
    try:
        with probe(connection) as engine:
            described = engine.table(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {relation}").to_pylist()
    except SnowflakeError as error:
        raise SnowflakeError(
            100076,
            "22000",
            f"Data is corrupted, not a valid Parquet file: {error.message.splitlines()[-1]}\n  File '{file.name}'",
        ) from error
    names = pq.read_schema(path).names  # DuckDB renames columns that differ only by case
    fields = [
        (name, _name(row["column_name"]), duckdb.sqltype(row["column_type"]))
        for name, row in zip(names, described, strict=True)
    ]
    as_text = bool(file_format["BINARY_AS_TEXT"]) or file_format.type != "PARQUET"
    logical = bool(file_format["USE_LOGICAL_TYPE"])
    columns = tuple(
        NamedColumn(name, *native(sql, kind, as_text, logical), nullable=row["null"] == "YES")
        for (name, sql, kind), row in zip(fields, described, strict=True)
    )
    members = [(name, _unzoned(sql, kind, logical), _unzoned_type(kind, logical)) for name, sql, kind in fields]
    value = f"CAST({object_sql(members, as_text)} AS JSON)"
    # The file's own numbering keeps the engine's threads independent.
    items = [f"{value} AS c1", *(f"{column.sql} AS n{index}" for index, column in enumerate(columns, 1))]
    sql = f"SELECT {', '.join(items)}, file_row_number + 1 AS m_row, FALSE AS m_bad FROM {relation}"
    return Rows(file, sql, columns=columns, source=relation)


def native(sql: str, kind: DuckDBPyType, as_text: bool, logical: bool) -> tuple[SqlType, str]:
    """Snowflake's type of a Parquet column, and SQL of its value in that type's engine form."""
    if kind.id in INTEGERS:
        return number(38, 0), f"CAST({sql} AS DECIMAL(38,0))"
    match kind.id:
        case "decimal":
            return number(*decimal_digits(kind)), sql
        case "float" | "double":
            return FLOAT, f"CAST({sql} AS DOUBLE)"
        case "boolean":
            return BOOLEAN, sql
        case "date":
            return DATE, sql
        case "time" | "time_ns" | "time with time zone":
            return TIME, f"CAST({sql} AS TIME)"
        case "timestamp" | "timestamp_s" | "timestamp_ms" | "timestamp_ns":
            return TIMESTAMP_NTZ, f"CAST({sql} AS TIMESTAMP)"
        case "timestamp with time zone":
            return (TIMESTAMP_LTZ, sql) if logical else (TIMESTAMP_NTZ, _unzoned(sql, kind, logical))
        case "varchar" | "uuid" | "enum":
            return VARCHAR, f"CAST({sql} AS VARCHAR)"
        case "blob":
            return (VARCHAR, f"decode({sql})") if as_text else (BINARY, sql)
    return VARIANT, f"CAST({variant_sql(sql, kind, binary_as_text=as_text)} AS JSON)"


def _unzoned(sql: str, kind: DuckDBPyType, logical: bool) -> str:
    """Without USE_LOGICAL_TYPE an instant is a TIMESTAMP_NTZ in UTC."""
    return f"({sql} AT TIME ZONE 'UTC')" if kind.id == "timestamp with time zone" and not logical else sql


def _unzoned_type(kind: DuckDBPyType, logical: bool) -> DuckDBPyType:
    return duckdb.sqltype("TIMESTAMP") if kind.id == "timestamp with time zone" and not logical else kind


# --- XML --------------------------------------------------------------------------------------------------------------


def _xml_rows(store: StageStore, location: StageLocation, file: StagedFile, file_format: FileFormat) -> Rows:
    plain = plain_file(store, location, file, file_format)

    def write(target: Path) -> None:
        write_rows(xml.documents(plain.read_bytes(), file_format, file.name), target)

    key = f"xml:{plain}:{plain.stat().st_mtime_ns}:{sorted(file_format.options.items(), key=str)}"
    rows = store.workspace.derived(key, write, suffix=".parquet")
    tail = f"row AS m_row, problem IS NOT NULL AS m_bad FROM read_parquet({_quoted(str(rows))})"
    return Rows(file, f"SELECT CAST(CASE WHEN problem IS NOT NULL THEN error(problem) ELSE fields[1] END AS JSON) AS c1, {tail}",
                parsed=rows, raw=f"SELECT fields[1] AS c1, {tail}", parse="CAST({} AS JSON)")  # fmt: skip


# --- trying -----------------------------------------------------------------------------------------------------------


@contextmanager
def probe(connection: Connection) -> Iterator[Connection]:
    """Another connection, whose failures do not touch the session's transaction."""
    engine = connection.sibling()
    try:
        yield engine
    finally:
        engine.close()


def _reads_through(store: StageStore, connection: Connection, key: str, relation: str) -> bool:
    """Whether the engine reads a relation to its end without an error; asked once a file and format."""
    notes = store.workspace.notes
    known = notes.get(f"reads:{key}")
    if known is None:
        try:
            with probe(connection) as engine:
                # All columns are looked at: an invalid character may be in any.
                engine.table(f"SELECT count(COLUMNS(*)) FROM {relation}")
            known = True
        except SnowflakeError as error:
            if error.code == 604:
                raise
            known = False
        notes.put(f"reads:{key}", known)
    return known


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
