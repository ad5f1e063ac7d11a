"""INFER_SCHEMA, DIRECTORY: table functions over the files of stages.

Sources: docs.snowflake.com/en/sql-reference/functions/infer_schema, .../user-guide/data-load-dirtables-query.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from sqlglot import exp

from polynya.catalog.names import join_name
from polynya.dialect.expression import quote
from polynya.dialect.registry import Call
from polynya.dialect.scope import Source, source_columns
from polynya.dialect.table_functions import table_function
from polynya.errors import SnowflakeError, compilation_error
from polynya.stages.infer import infer_schema as infer
from polynya.stages.location import parse_location
from polynya.stages.read import resolve_format
from polynya.types.resultset import Column
from polynya.types.sqltype import BOOLEAN, INTEGER, TIMESTAMP_TZ, VARCHAR


@table_function("INFER_SCHEMA")
def infer_schema(call: Call) -> Source:
    context, execution = call.context, call.binder.execution
    location = _named(call, "LOCATION")
    if location is None:
        raise compilation_error(1003, "42601", "INFER_SCHEMA needs the argument LOCATION.", call.position)
    place = execution.stages.resolve(parse_location(str(location)), context)
    chosen = resolve_format(_named(call, "FILE_FORMAT"), place, context)
    names = _named(call, "FILES")
    if names is None:
        files = execution.stages.list_files(place)
    else:
        wanted = names if isinstance(names, list) else [names]
        files = []
        for name in wanted:
            file = execution.stages.find(place, str(name))
            if file is None:
                raise SnowflakeError(91016, "22000", f"Remote file '{name}' was not found. The file might not exist.")
            files.append(file)
    limit = _named(call, "MAX_FILE_COUNT")
    records = _named(call, "MAX_RECORDS_PER_FILE")
    found = infer(
        execution.stages, execution.connection, place, files[: int(limit)] if limit else files, chosen,
        ignore_case=bool(_named(call, "IGNORE_CASE") or False), max_records=int(records) if records else None,
    )  # fmt: skip
    columns = [
        Column("COLUMN_NAME", VARCHAR), Column("TYPE", VARCHAR), Column("NULLABLE", BOOLEAN), Column("EXPRESSION", VARCHAR),
        Column("FILENAMES", VARCHAR), Column("ORDER_ID", INTEGER),
    ]  # fmt: skip
    values = [
        (item.name, item.type, item.nullable, item.expression, ", ".join(item.files), order)
        for order, item in enumerate(found)
    ]
    return _source(call, columns, values)


@table_function("DIRECTORY")
def directory(call: Call) -> Source:
    name = location_text(call.nodes[0])
    execution = call.binder.execution
    place = execution.stages.resolve(parse_location(name), call.context)
    columns = [
        Column("RELATIVE_PATH", VARCHAR), Column("SIZE", INTEGER), Column("LAST_MODIFIED", TIMESTAMP_TZ),
        Column("MD5", VARCHAR), Column("ETAG", VARCHAR), Column("FILE_URL", VARCHAR),
    ]  # fmt: skip
    full = join_name(call.context.catalog.path(place.stage)) if place.stage is not None else place.prefix
    values = []
    for file in execution.stages.list_files(place):
        checksum = execution.stages.checksum(file)
        modified = {"instant": file.modified, "offset": 0}
        values.append((file.relative, file.size, modified, checksum, checksum, f"@{full}/{file.relative}"))
    return _source(call, columns, values)


def location_text(node: exp.Expr) -> str:
    """``@db.schema."my stage"``, written as it was or given as a string."""
    if isinstance(node, exp.Literal):
        return node.name
    names = list(node.find_all(exp.Var, exp.Identifier))
    if not names:
        return node.name
    # The tree of a dotted name has its last part at the top.
    names.sort(key=lambda part: part.depth, reverse=True)
    return "@" + ".".join(quote(part.name) if part.args.get("quoted") else part.name for part in names)


def _named(call: Call, name: str) -> Any:
    """The value of a named argument: a constant, or a list of constants in parentheses; None if it is not given."""
    node = call.named.get(name)
    if node is None:
        return None
    if isinstance(node, exp.Paren):
        return [call.binder.expression(node.this).constant]
    if isinstance(node, (exp.Tuple, exp.Array)):
        return [call.binder.expression(item).constant for item in node.expressions]
    bound = call.binder.expression(node)
    if not bound.is_constant:
        raise compilation_error(1015, "42601", f"argument {name} of {call.name} needs to be constant", call.position)
    return bound.constant


def _source(call: Call, columns: list[Column], values: list[tuple[Any, ...]]) -> Source:
    from polynya.types.arrow import arrow_type

    found = source_columns(columns)
    table = pa.table(
        {
            column.stored_as: pa.array([row[index] for row in values], type=arrow_type(column.type))
            for index, column in enumerate(found)
        }
    )
    return Source(call.binder.add_input(table), found)
