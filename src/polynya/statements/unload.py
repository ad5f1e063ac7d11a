"""COPY INTO location: writes a query's rows to files of a stage.

All files are finished before the first one appears in the stage.

Source: docs.snowflake.com/en/sql-reference/sql/copy-into-location.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from polynya.dialect import casts, variant_text
from polynya.dialect.expression import Expr, quote, quote_string
from polynya.dialect.query import BoundQuery, bind_query
from polynya.errors import SnowflakeError, compilation_error, unsupported
from polynya.stages import read, write
from polynya.stages.formats import FileFormat
from polynya.stages.store import StageLocation
from polynya.stages.unpack import EXTENSION_OF
from polynya.stages.write import ParquetSink, Sink, TextSink, Written
from polynya.statements.base import Execution
from polynya.statements.consuming import consuming
from polynya.statements.copy_into import CopyIntoLocation, flag, format_option
from polynya.types.arrow import arrow_type, conform
from polynya.types.resultset import Column, ResultSet, StatementType, rows
from polynya.types.sqltype import VARCHAR, number

_OPTIONS = {
    "FILE_FORMAT", "OVERWRITE", "SINGLE", "MAX_FILE_SIZE", "INCLUDE_QUERY_ID", "DETAILED_OUTPUT", "HEADER",
    "VALIDATION_MODE", "STORAGE_INTEGRATION", "CREDENTIALS", "ENCRYPTION", "ENDPOINT", "REGION",
}  # fmt: skip
_MAX_FILE_SIZE = 16 << 20
_COUNT = number(19, 0)
_PARTITION = "_partition"
_DATE_OPTIONS = {
    "DATE_FORMAT": ("DATE_OUTPUT_FORMAT",),
    "TIME_FORMAT": ("TIME_OUTPUT_FORMAT",),
    "TIMESTAMP_FORMAT": (
        "TIMESTAMP_OUTPUT_FORMAT", "TIMESTAMP_NTZ_OUTPUT_FORMAT", "TIMESTAMP_LTZ_OUTPUT_FORMAT", "TIMESTAMP_TZ_OUTPUT_FORMAT",
    ),
    "BINARY_FORMAT": ("BINARY_OUTPUT_FORMAT",),
}  # fmt: skip


@dataclass(slots=True)
class Unload:
    """An unload on its way.

    Args:
        execution: of the statement.
        copy: the statement.
        location: where to.
        format: of the files.
        bound: the query; its last column is the partition if there is PARTITION BY.
        columns: of the files.
    """

    execution: Execution
    copy: CopyIntoLocation
    location: StageLocation
    format: FileFormat
    bound: BoundQuery
    columns: list[Column]

    @property
    def partitioned(self) -> bool:
        return bool(self.copy.partition_by)


def run(execution: Execution, copy: CopyIntoLocation) -> ResultSet:
    """Runs ``COPY INTO @stage``.

    Raises:
        SnowflakeError: no file has been written then.
    """
    options = copy.options
    for name in options:
        if name not in _OPTIONS:
            raise compilation_error(1420, "22023", f"invalid parameter '{name}'")
    context = execution.context
    location = execution.stages.resolve(copy.location, context, "WRITE")
    if location.is_external and location.stage is None:
        location = execution.stages.external(copy.location.strip(), "", options, None)
    file_format = read.resolve_format(format_option(options), location, context)
    if file_format.type not in ("CSV", "JSON", "PARQUET"):
        raise unsupported(f"COPY INTO location in format {file_format.type}")
    if "VALIDATION_MODE" in options:
        return _validated(execution, copy)
    query = copy.query
    if copy.partition_by:
        query = f'SELECT *, TO_VARCHAR({copy.partition_by}) AS "{_PARTITION}" FROM ({query})'
    bound = bind_query(query, context, execution=execution)
    columns = bound.columns[:-1] if copy.partition_by else bound.columns
    execution.use_warehouse()
    unload = Unload(execution, copy, location, file_format, bound, columns)
    _check(unload)
    parts: list[tuple[str | None, list[Written]]] = []
    try:
        with consuming(execution, bound.reads):
            for value, batches in _partitions(unload):
                parts.append((value, []))
                parts[-1][1].extend(_write(unload, batches))
            published = _publish(unload, parts)
        if location.stage is not None:
            execution.access.write(location.stage, {}, bound.reads)
        else:
            execution.access.read(bound.reads)
        return _result(unload, published)
    finally:
        for _, files in parts:
            for file in files:
                file.path.unlink(missing_ok=True)


def _validated(execution: Execution, copy: CopyIntoLocation) -> ResultSet:
    """VALIDATION_MODE = RETURN_ROWS: the rows instead of files."""
    if str(copy.options["VALIDATION_MODE"]).upper() != "RETURN_ROWS":
        raise compilation_error(
            1420, "22023", f"invalid value [{copy.options['VALIDATION_MODE']}] for parameter 'VALIDATION_MODE'"
        )
    bound = bind_query(copy.query, execution.context, execution=execution)
    reader = execution.connection.query(bound.sql, bound.inputs)
    return ResultSet(bound.columns, conform(reader, [arrow_type(column.type) for column in bound.columns]))


def _check(unload: Unload) -> None:
    """What can be said before the query runs."""
    options, location = unload.copy.options, unload.location
    kinds = [column.type.name for column in unload.columns]
    if unload.format.type == "JSON" and (len(kinds) != 1 or kinds[0] not in ("VARIANT", "OBJECT", "ARRAY", "MAP")):
        raise compilation_error(
            2010, "42601",
            "JSON file format can produce one and only one column of type variant, object, or array. Use CSV file format if you "
            "want to unload more than one column.",
        )  # fmt: skip
    if unload.format.type == "PARQUET" and any(kind in ("TIMESTAMP_TZ", "TIMESTAMP_LTZ") for kind in kinds):
        raise SnowflakeError(
            100137, "22000", "Error encountered when unloading to PARQUET: TIMESTAMP_TZ and LTZ types are not supported for "
            "unloading to Parquet."
        )  # fmt: skip
    if unload.partitioned and (flag(options, "OVERWRITE") or flag(options, "SINGLE")):
        raise compilation_error(2140, "0A000", "PARTITION BY cannot be used with OVERWRITE = TRUE or SINGLE = TRUE.")
    if not flag(options, "OVERWRITE") and not unload.partitioned and not flag(options, "INCLUDE_QUERY_ID"):
        found = unload.execution.stages.list_files(location)
        if flag(options, "SINGLE"):
            found = [file for file in found if file.relative == _base(unload)]
        if found:
            raise SnowflakeError(
                1030, "22000", f"Files already existing at the unload destination: {unload.copy.location}. Use overwrite option to "
                "force unloading."
            )  # fmt: skip


# --- rows -------------------------------------------------------------------------------------------------------------


def _partitions(unload: Unload) -> Iterator[tuple[str | None, Iterator[pa.RecordBatch]]]:
    """(value of the partition, its batches); one part without PARTITION BY."""
    sql = _file_query(unload)
    reader = unload.execution.connection.query(sql, unload.bound.inputs)
    if unload.format.type == "PARQUET":
        kinds = [_parquet_type(column) for column in unload.columns]
        names = _parquet_names(unload)
        if unload.partitioned:
            kinds.append(pa.string())
            names.append(_PARTITION)
        schema = pa.schema(list(zip(names, kinds, strict=True)))
        batches: Iterator[pa.RecordBatch] = (
            pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in conform(reader, kinds)
        )
    else:
        batches = iter(reader)
    if not unload.partitioned:
        yield None, batches
        return
    # Sorted by the partition: runs of equal values may go on in the next batch.
    current: tuple[str | None] | None = None
    held: list[pa.RecordBatch] = []
    for batch in batches:
        values = batch.column(batch.num_columns - 1).to_pylist()
        rest = batch.select(list(range(batch.num_columns - 1)))
        start = 0
        while start < len(values):
            end = start
            while end < len(values) and values[end] == values[start]:
                end += 1
            if current is not None and current[0] != values[start]:
                yield current[0], iter(held)
                held = []
            current = (values[start],)
            held.append(rest.slice(start, end - start))
            start = end
    if current is not None:
        yield current[0], iter(held)


def _file_query(unload: Unload) -> str:
    """The query that yields what is written: one column of lines, or the columns of a Parquet file."""
    names = unload.bound.stored_as
    relation = f"({unload.bound.sql}) AS u"
    columns = [Expr(f"u.{quote(name)}", column.type) for name, column in zip(names, unload.columns, strict=False)]
    match unload.format.type:
        case "PARQUET":
            items = [_parquet_value(expr) for expr in columns]
        case "JSON":
            items = [f"coalesce({variant_text.json_sql(columns[0].sql, unload.execution.context)}, 'null')"]
        case _:
            items = [_csv_line(unload, columns)]
    order = ""
    if unload.partitioned:
        items.append(f"u.{quote(names[-1])}")
        order = f" ORDER BY u.{quote(names[-1])}"
    listed = ", ".join(f"{item} AS f{index}" for index, item in enumerate(items))
    return f"SELECT {listed} FROM {relation}{order}"


def _csv_line(unload: Unload, columns: list[Expr]) -> str:
    delimiter = quote_string(unload.format["FIELD_DELIMITER"] or "")
    fields = [_csv_field(unload, column) for column in columns]
    return f" || {delimiter} || ".join(f"({field})" for field in fields)


def _csv_field(unload: Unload, column: Expr) -> str:
    """SQL of a field as it stands in the file."""
    options = unload.format
    context = unload.execution.context
    overrides = {
        parameter: options[option]
        for option, parameters in _DATE_OPTIONS.items()
        if options[option] != "AUTO" and option in options.given
        for parameter in parameters
    }
    if overrides:
        context = replace(context, parameters={**context.parameters, **overrides})
    if column.type.is_semistructured:
        text = variant_text.json_sql(column.sql, context)
    else:
        text = casts.as_text(column, context).sql
    null = quote_string(options["NULL_IF"][0] if options["NULL_IF"] else "")
    is_text = column.type.name in ("VARCHAR", "BINARY") or column.type.is_semistructured
    quote_mark = options["FIELD_OPTIONALLY_ENCLOSED_BY"]
    if quote_mark:
        if not is_text:
            return f"coalesce({text}, {null})"
        escape = options["ESCAPE"] or quote_mark
        inner = f"replace({text}, {quote_string(quote_mark)}, {quote_string(escape + quote_mark)})"
        if options["ESCAPE"]:
            inner = f"replace(replace({text}, {quote_string(escape)}, {quote_string(escape * 2)}), {quote_string(quote_mark)}, {quote_string(escape + quote_mark)})"
        return f"coalesce({quote_string(quote_mark)} || {inner} || {quote_string(quote_mark)}, {null})"
    escape = options["ESCAPE"] or options["ESCAPE_UNENCLOSED_FIELD"]
    if is_text:
        value = text
        if escape:
            value = f"replace({value}, {quote_string(escape)}, {quote_string(escape * 2)})"
            for special in (options["FIELD_DELIMITER"], options["RECORD_DELIMITER"]):
                if special:
                    value = f"replace({value}, {quote_string(special)}, {quote_string(escape + special)})"
        if options["EMPTY_FIELD_AS_NULL"]:
            value = f"CASE WHEN {text} = '' THEN '\"\"' ELSE {value} END"
        return f"coalesce({value}, {null})"
    return f"coalesce({text}, {null})"


def _header(unload: Unload) -> str | None:
    if unload.format.type != "CSV" or not flag(unload.copy.options, "HEADER"):
        return None
    mark = unload.format["FIELD_OPTIONALLY_ENCLOSED_BY"] or ""
    names = [mark + column.name.replace(mark, mark * 2) + mark if mark else column.name for column in unload.columns]
    return (unload.format["FIELD_DELIMITER"] or "").join(names)


def _parquet_names(unload: Unload) -> list[str]:
    if flag(unload.copy.options, "HEADER"):
        return [column.name for column in unload.columns]
    return [f"_COL_{index}" for index in range(len(unload.columns))]


def _parquet_type(column: Column) -> pa.DataType:
    return pa.string() if column.type.is_semistructured else arrow_type(column.type)


def _parquet_value(column: Expr) -> str:
    return f"CAST({column.sql} AS VARCHAR)" if column.type.is_semistructured else column.sql


# --- files ------------------------------------------------------------------------------------------------------------


def _write(unload: Unload, batches: Iterator[pa.RecordBatch]) -> list[Written]:
    options, file_format = unload.copy.options, unload.format
    workspace = unload.execution.stages.workspace
    header = _header(unload)

    def open_sink(path: Path) -> Sink:
        if file_format.type == "PARQUET":
            kinds = [_parquet_type(column) for column in unload.columns]
            schema = pa.schema(list(zip(_parquet_names(unload), kinds, strict=True)))
            return ParquetSink(path, schema, _compression(unload))
        delimiter = file_format["RECORD_DELIMITER"] if file_format.type == "CSV" else "\n"
        encoding = file_format.encoding if file_format.type == "CSV" else "utf-8"
        return TextSink(path, _compression(unload), delimiter or "", header, encoding)

    single = flag(options, "SINGLE")
    limit = None if single else int(options.get("MAX_FILE_SIZE", _MAX_FILE_SIZE))
    return write.write_files(batches, open_sink, lambda: workspace.new(".unload"), limit)


def _compression(unload: Unload) -> str:
    chosen = unload.format["COMPRESSION"]
    if unload.format.type == "PARQUET":
        return chosen
    return "GZIP" if chosen == "AUTO" else chosen


def _extension(unload: Unload) -> str:
    kind = unload.format.type
    if kind == "PARQUET":
        codec = {"AUTO": ".snappy", "SNAPPY": ".snappy", "GZIP": ".gz", "ZSTD": ".zst"}.get(
            unload.format["COMPRESSION"], ""
        )
        return f"{codec}.parquet"
    own = unload.format["FILE_EXTENSION"]
    compressed = EXTENSION_OF.get(_compression(unload), "")
    return f".{own.lstrip('.')}{compressed}" if own else f".{kind.lower()}{compressed}"


def _base(unload: Unload) -> str:
    """The path that file names begin with; a SINGLE file's whole path."""
    path = unload.location.path
    return path if path and not path.endswith("/") else f"{path}data"


def _publish(unload: Unload, parts: list[tuple[str | None, list[Written]]]) -> list[tuple[str, Written]]:
    """Moves the finished files into the stage; (name in the stage, file)."""
    options = unload.copy.options
    published = []
    overwrite = flag(options, "OVERWRITE") or unload.partitioned
    named = f"_{unload.execution.context.query_id}" if unload.partitioned or flag(options, "INCLUDE_QUERY_ID") else ""
    for value, files in parts:
        base = _base(unload)
        if unload.partitioned:
            folder = unload.location.path
            folder += "/" if folder and not folder.endswith("/") else ""
            base = f"{folder}{'__NULL__' if value is None else value}/data"
        for index, file in enumerate(files):
            single = flag(options, "SINGLE")
            relative = base if single else f"{base}{named}_0_0_{index}{_extension(unload)}"
            unload.execution.stages.add(unload.location, relative, file.path, overwrite=overwrite)
            published.append((relative, file))
    return published


def _result(unload: Unload, files: list[tuple[str, Written]]) -> ResultSet:
    if flag(unload.copy.options, "DETAILED_OUTPUT"):
        columns = [Column("FILE_NAME", VARCHAR), Column("FILE_SIZE", _COUNT), Column("ROW_COUNT", _COUNT)]
        return rows(columns, [(name, file.size, file.rows) for name, file in files], StatementType.UNLOAD)
    columns = [Column("rows_unloaded", _COUNT), Column("input_bytes", _COUNT), Column("output_bytes", _COUNT)]
    totals = (
        sum(file.rows for _, file in files), sum(file.plain_size for _, file in files), sum(file.size for _, file in files),
    )  # fmt: skip
    return rows(columns, [totals], StatementType.UNLOAD)
