"""COPY FILES: files of one stage into another.

Source: docs.snowflake.com/en/sql-reference/sql/copy-files.
"""

from __future__ import annotations

import shutil

from polynya.catalog.names import join_name
from polynya.dialect.query import bind_query
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error
from polynya.stages.location import read_unquoted
from polynya.stages.store import StagedFile, StageLocation
from polynya.statements.base import Execution, statement
from polynya.statements.format_options import read_options
from polynya.types.resultset import Column, ResultSet, StatementType, rows
from polynya.types.sqltype import VARCHAR, number


def read_location(stream: TokenStream) -> str:
    """A location in a statement's tokens: a string, or bare from its ``@`` on."""
    if stream.at_string():
        return stream.string()
    token = stream.current
    if token is None or not stream.text.startswith("@", token.start):
        raise stream.error()
    end = read_unquoted(stream.text, token.start)
    while stream.current is not None and stream.current.start < end:
        stream.index += 1
    return stream.text[token.start : end]


@statement("COPY FILES")
def copy_files(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("COPY", "FILES", "INTO")
    target = execution.stages.resolve(read_location(stream), execution.context, "WRITE")
    stream.expect("FROM")
    query = ""
    source: StageLocation | None = None
    if stream.at("("):
        start = stream.index
        stream.skip_parenthesis()
        query = stream.source(start + 1, stream.index - 1)
    else:
        source = execution.stages.resolve(read_location(stream), execution.context)
    options = read_options(stream)
    stream.expect_end()
    if source is not None:
        copied = _copy_location(execution, source, target, options.get("FILES"), options.get("PATTERN"))
    else:
        copied = _copy_listed(execution, query, target)
    if options.get("DETAILED_OUTPUT", True) in (True, "TRUE", "true"):
        return rows([Column("file", VARCHAR)], [(name,) for name in copied], StatementType.UNKNOWN)
    return rows([Column("numOfFilesCopied", number(38, 0))], [(len(copied),)], StatementType.UNKNOWN)


def _copy_location(
    execution: Execution, source: StageLocation, target: StageLocation, names: list[str] | None, pattern: str | None
) -> list[str]:
    stages = execution.stages
    if names is not None:
        found = [(name, stages.find(source, name)) for name in names]
        files = [file for _, file in found if file is not None]
        for name, file in found:
            if file is None:
                raise compilation_error(91016, "22000", f"Remote file '{name}' was not found.")
    else:
        files = stages.list_files(source, pattern)
    copied = []
    for file in files:
        inner = file.relative[len(source.path) :].lstrip("/") or file.relative.rpartition("/")[2]
        copied.append(_copy(execution, source, file, target, _join(target.path, inner)))
    return copied


def _copy_listed(execution: Execution, query: str, target: StageLocation) -> list[str]:
    """Copies the files that a query names, under the names that its second column gives."""
    bound = bind_query(query, execution.context, execution=execution)
    if len(bound.columns) > 2:
        raise compilation_error(
            2057,
            "42601",
            f"Number of columns in COPY FILES query ({len(bound.columns)}) exceeds maximum allowable number of columns (2).",
        )
    if any(column.type.name != "VARCHAR" for column in bound.columns):
        raise compilation_error(2023, "22000", "COPY FILES expects a query of strings.")
    copied = []
    prefix = ""
    if target.stage is not None:
        prefix = join_name(execution.context.catalog.path(target.stage)) + "/"
    for row in execution.connection.table(bound.sql, bound.inputs).to_pylist():
        values = list(row.values())
        place = execution.stages.resolve(str(values[0]), execution.context)
        file = execution.stages.exact(place)
        if file is None:
            raise compilation_error(91016, "22000", f"Remote file '{values[0]}' was not found.")
        name = str(values[1]) if len(values) > 1 and values[1] is not None else file.relative
        copied.append(prefix + _copy(execution, place, file, target, _join(target.path, name)))
    return copied


def _copy(execution: Execution, source: StageLocation, file: StagedFile, target: StageLocation, relative: str) -> str:
    stages = execution.stages
    scratch = stages.workspace.new(".copy")
    shutil.copyfile(stages.local(file, source), scratch)
    return stages.add(target, relative, scratch, overwrite=True).relative


def _join(path: str, name: str) -> str:
    return f"{path}{'' if not path or path.endswith('/') else '/'}{name}"
