"""COPY INTO: reads the statement; ``load`` and ``unload`` carry it out.

Sources: docs.snowflake.com/en/sql-reference/sql/copy-into-table, .../copy-into-location.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error
from polynya.stages.formats import is_format_option
from polynya.statements.base import Execution, statement
from polynya.statements.copy_files import read_location
from polynya.statements.format_options import at_option, read_option_value, read_options
from polynya.types.resultset import ResultSet


@dataclass(slots=True)
class CopyIntoTable:
    """``COPY INTO table``.

    Args:
        table: its name's parts.
        columns: the column list, resolved, or None.
        location: of the files.
        query: text of a transformation, ``SELECT ... FROM @stage``, or "".
        options: by upper-case name.
    """

    table: list[str]
    columns: list[str] | None
    location: str
    query: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class CopyIntoLocation:
    """``COPY INTO @stage``.

    Args:
        location: of the files to be written.
        query: a SELECT that yields their rows.
        partition_by: text of an expression, or "".
        options: by upper-case name.
    """

    location: str
    query: str
    partition_by: str
    options: dict[str, Any] = field(default_factory=dict)


@statement("COPY INTO")
def copy_into(execution: Execution, stream: TokenStream) -> ResultSet:
    from polynya.statements import load, unload

    stream.expect("COPY", "INTO")
    token = stream.current
    if stream.at_string() or (token is not None and stream.text.startswith("@", token.start)):
        return unload.run(execution, _read_location(stream))
    return load.run(execution, _read_table(stream))


def _read_table(stream: TokenStream) -> CopyIntoTable:
    table = stream.name()
    columns: list[str] | None = None
    if stream.accept("("):
        columns = [stream.identifier()]
        while stream.accept(","):
            columns.append(stream.identifier())
        stream.expect(")")
    location, query = "", ""
    if stream.accept("FROM"):
        if stream.at("("):
            start = stream.index
            stream.skip_parenthesis()
            query = stream.source(start + 1, stream.index - 1)
        else:
            location = read_location(stream)
    else:
        location = "@" + ".".join([*(f'"{part}"' for part in table[:-1]), f'%"{table[-1]}"'])
    copy = CopyIntoTable(table, columns, location, query)
    copy.options = _read_copy_options(stream)
    return copy


def _read_location(stream: TokenStream) -> CopyIntoLocation:
    location = read_location(stream)
    stream.expect("FROM")
    if stream.at("("):
        start = stream.index
        stream.skip_parenthesis()
        query = stream.source(start + 1, stream.index - 1)
    else:
        start = stream.index
        stream.name()
        query = f"SELECT * FROM {stream.source(start, stream.index)}"
    copy = CopyIntoLocation(location, query, "")
    while not stream.done:
        if stream.accept("PARTITION", "BY"):
            copy.partition_by = _read_expression(stream)
            continue
        before = stream.index
        copy.options.update(_read_copy_options(stream, stop="PARTITION"))
        if stream.index == before:
            raise stream.error()
    return copy


_UNLOAD_OPTIONS = {
    "FILE_FORMAT", "OVERWRITE", "SINGLE", "MAX_FILE_SIZE", "INCLUDE_QUERY_ID", "DETAILED_OUTPUT", "HEADER",
    "VALIDATION_MODE", "STORAGE_INTEGRATION", "CREDENTIALS", "ENCRYPTION",
}  # fmt: skip


def _read_expression(stream: TokenStream) -> str:
    """The text of an expression, up to the option that follows it."""
    start, depth = stream.index, 0
    while not stream.done:
        if depth == 0 and stream.words(stream.index + 1)[-1] in _UNLOAD_OPTIONS and stream.index > start:
            break
        depth += stream.at("(") - stream.at(")")
        stream.next()
    return stream.source(start, stream.index)


def _read_copy_options(stream: TokenStream, stop: str = "") -> dict[str, Any]:
    """``KEY = value`` and the flags that need no value."""
    options: dict[str, Any] = {}
    while not stream.done and not (stop and stream.at(stop)):
        stream.accept(",")
        if at_option(stream):
            key = stream.word()
            stream.next()
            if key == "FILE_FORMAT" and stream.accept("("):
                options[key] = read_options(stream)
                stream.expect(")")
            else:
                options[key] = read_option_value(stream)
            continue
        if flag := stream.accept_one("HEADER", "OVERWRITE", "SINGLE", "FORCE", "PURGE"):
            options[flag] = True
            continue
        raise stream.error()
    return options


def format_option(copy_options: dict[str, Any]) -> Any:
    """FILE_FORMAT as ``stages.read.resolve_format`` takes it: a name, options, or None.

    Raises:
        SnowflakeError: for an option that no format has.
    """
    given = copy_options.get("FILE_FORMAT")
    if isinstance(given, dict):
        for name in given:
            if name not in ("TYPE", "FORMAT_NAME") and not is_format_option(name):
                raise compilation_error(1420, "22023", f"invalid parameter '{name}'")
    if given == []:
        return None
    return given


def flag(options: dict[str, Any], name: str, default: bool = False) -> bool:
    """An option that is TRUE or FALSE.

    Raises:
        SnowflakeError: for any other value.
    """
    value = options.get(name, default)
    if isinstance(value, bool):
        return value
    if str(value).upper() in ("TRUE", "FALSE"):
        return str(value).upper() == "TRUE"
    raise compilation_error(1420, "22023", f"invalid value [{value}] for parameter '{name}'")
