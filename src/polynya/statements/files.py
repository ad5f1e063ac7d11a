"""PUT, GET, LIST, REMOVE: statements on files whose operands are paths, which SQL's tokens would tear apart.

PUT and GET are carried out by the client: the answer tells it from where to where.
Sources: docs.snowflake.com/en/sql-reference/sql/put, .../get, .../list, .../remove.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polynya.dialect.binds import Binds
from polynya.dialect.tokens import TokenStream, tokenize
from polynya.errors import SnowflakeError, compilation_error, syntax_error
from polynya.stages.location import read_unquoted
from polynya.stages.store import StageLocation
from polynya.stages.uploads import readable_sources
from polynya.statements.base import Execution
from polynya.statements.format_options import read_options
from polynya.types.resultset import Column, ResultSet, StatementType, rows
from polynya.types.sqltype import VARCHAR, number

_BLANK = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
_COMMANDS = {"PUT", "GET", "LIST", "LS", "REMOVE", "RM"}
_SIZE = number(38, 0)
_PUT_COLUMNS = [
    Column("source", VARCHAR), Column("target", VARCHAR), Column("source_size", _SIZE), Column("target_size", _SIZE),
    Column("source_compression", VARCHAR), Column("target_compression", VARCHAR), Column("status", VARCHAR),
    Column("message", VARCHAR),
]  # fmt: skip
_GET_COLUMNS = [Column("file", VARCHAR), Column("size", _SIZE), Column("status", VARCHAR), Column("message", VARCHAR)]
_PARALLEL = {"PUT": 4, "GET": 10}


def is_file_statement(text: str) -> bool:
    """Whether a statement is one of these."""
    begin = _BLANK.match(text)
    word = _WORD.match(text, begin.end() if begin else 0)
    return word is not None and word[0].upper() in _COMMANDS


def run(execution: Execution, text: str, binds: Binds, describe_only: bool = False) -> ResultSet:
    """Runs one of these statements.

    Args:
        execution: what it runs with.
        text: the statement; a final semicolon is allowed.
        binds: values for ``?``.
        describe_only: answer the columns and do nothing.

    Raises:
        SnowflakeError: 001003 where it does not parse; 002003 without such a stage.
    """
    reader = _Reader(text, binds)
    command = reader.word()
    if command == "PUT":
        source, place = reader.operand(), reader.operand()
        return _put(execution, source, place, reader.options(), describe_only)
    place = reader.operand()
    if command == "GET":
        return _get(execution, place, reader.operand(), reader.options(), describe_only)
    options = reader.options()
    listing = command in ("LIST", "LS")
    location = execution.stages.resolve(place, execution.context, "READ" if listing else "WRITE")
    pattern = str(options["PATTERN"]) if "PATTERN" in options else None
    if listing:
        return _list(execution, location, pattern, describe_only)
    return _remove(execution, location, pattern, describe_only)


@dataclass(slots=True)
class _Reader:
    """Reads a statement's words and paths."""

    text: str
    binds: Binds
    at: int = 0
    questions: int = 0

    def blanks(self) -> None:
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def word(self) -> str:
        self.blanks()
        found = _WORD.match(self.text, self.at)
        if found is None:
            raise self.error()
        self.at = found.end()
        return found[0].upper()

    def operand(self) -> str:
        """A path: in quotes, a bind, or bare up to a blank."""
        self.blanks()
        if self.at >= len(self.text) or self.text[self.at] == ";":
            raise self.error()
        if self.text[self.at] == "'":
            return self._quoted()
        bind = re.compile(r"\?|:(\w+)").match(self.text, self.at)
        if bind is not None:
            self.at = bind.end()
            self.questions += 1
            key: int | str = (
                self.questions if bind[1] is None else (int(bind[1]) if bind[1].isdigit() else bind[1].upper())
            )
            if key not in self.binds or not isinstance(self.binds[key].value, str):
                raise compilation_error(2049, "42601", f"Bind variable {key} not set.")
            return _unquoted_text(str(self.binds[key].value))
        end = read_unquoted(self.text, self.at)
        if not self.text.startswith("@", self.at):  # a local path may hold anything but blanks
            end = next((i for i in range(self.at, len(self.text)) if self.text[i].isspace()), len(self.text))
            end -= self.text[self.at : end].endswith(";")
        if end == self.at:
            raise self.error()
        found, self.at = self.text[self.at : end], end
        return found

    def _quoted(self) -> str:
        end = self.at + 1
        while end < len(self.text):
            if self.text[end] == "\\":
                end += 2
            elif self.text[end] == "'" and not self.text.startswith("''", end):
                break
            else:
                end += 2 if self.text[end] == "'" else 1
        literal = self.text[self.at : end + 1]
        self.at = end + 1
        return tokenize(literal)[0].text

    def options(self) -> dict[str, Any]:
        """What follows the paths: ``KEY = value ...``."""
        stream = TokenStream(self.text[self.at :].rstrip().rstrip(";"))
        found = read_options(stream)
        stream.expect_end()
        return found

    def error(self) -> SnowflakeError:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - (self.text.rfind("\n", 0, self.at) + 1)
        rest = self.text[self.at :].split()
        return syntax_error(rest[0] if rest else "<EOF>", line, column)


def _unquoted_text(value: str) -> str:
    """A bind may hold the path with quotes around it."""
    return tokenize(value)[0].text if len(value) > 1 and value[0] == value[-1] == "'" else value


# --- PUT, GET ---------------------------------------------------------------------------------------------------------


def _put(execution: Execution, source: str, place: str, options: dict[str, Any], describe_only: bool) -> ResultSet:
    location = execution.stages.resolve(place, execution.context, "WRITE")
    result = rows(_PUT_COLUMNS, [], StatementType.UNKNOWN)
    if describe_only:
        return result
    pattern = _local(source)
    folder = execution.stages.upload_folder(location)
    files = readable_sources(pattern)
    result.transfer = {
        "command": "UPLOAD",
        "src_locations": [pattern],
        "parallel": int(options.get("PARALLEL", _PARALLEL["PUT"])),
        "threshold": 209_715_200,
        "autoCompress": _flag(options.get("AUTO_COMPRESS", True)),
        "overwrite": _flag(options.get("OVERWRITE", False)),
        "sourceCompression": str(options.get("SOURCE_COMPRESSION", "AUTO_DETECT")).lower(),
        "clientShowEncryptionParameter": False,
        "encryptionMaterial": None,
        "operation": "Node",
        "stageInfo": _stage_info(str(folder)),
        # Where a client on this machine writes the files itself; None if it is to send them.
        "uploadFolder": str(execution.stages.uploads.begin(folder, files)) if files else None,
    }
    return result


def _get(execution: Execution, place: str, target: str, options: dict[str, Any], describe_only: bool) -> ResultSet:
    location = execution.stages.resolve(place, execution.context)
    result = rows(_GET_COLUMNS, [], StatementType.UNKNOWN)
    if describe_only:
        return result
    pattern = str(options["PATTERN"]) if "PATTERN" in options else None
    files = execution.stages.list_files(location, pattern)
    base = location.path[: location.path.rfind("/") + 1]
    if files and all(file.relative.startswith(f"{location.path}/") for file in files):
        base = f"{location.path}/"  # the path names a folder
    folder = execution.stages.upload_folder(location.at(base))
    result.transfer = {
        "command": "DOWNLOAD",
        # With a slash in front, so that the client never takes them for files in its own folder.
        "src_locations": ["/" + file.relative[len(base) :] for file in files],
        "localLocation": _local(target),
        "parallel": int(options.get("PARALLEL", _PARALLEL["GET"])),
        "clientShowEncryptionParameter": False,
        "encryptionMaterial": [],
        "presignedUrls": [],
        "operation": "Node",
        "stageInfo": _stage_info(str(folder)),
    }
    return result


def _stage_info(folder: str) -> dict[str, Any]:
    return {
        "locationType": "LOCAL_FS",
        "location": folder,
        "path": "",
        "region": None,
        "storageAccount": None,
        "isClientSideEncrypted": False,
        "creds": {},
        "presignedUrl": None,
        "endPoint": None,
    }


def _local(path: str) -> str:
    """A path on the client's machine, as ``file://`` gives it."""
    if not path.lower().startswith("file://"):
        raise compilation_error(
            1008, "22023", f"invalid value [{path}] for parameter 'local path': it begins with file://"
        )
    return path[len("file://") :]


def _flag(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).upper() == "TRUE"


# --- LIST, REMOVE -----------------------------------------------------------------------------------------------------


def _list(execution: Execution, location: StageLocation, pattern: str | None, describe_only: bool) -> ResultSet:
    columns = [Column("name", VARCHAR), Column("size", _SIZE), Column("md5", VARCHAR), Column("last_modified", VARCHAR)]
    files = [] if describe_only else execution.stages.list_files(location, pattern)
    return rows(
        columns,
        [(file.name, file.size, execution.stages.checksum(file), http_date(file.modified)) for file in files],
        StatementType.SHOW,
    )


def _remove(execution: Execution, location: StageLocation, pattern: str | None, describe_only: bool) -> ResultSet:
    columns = [Column("name", VARCHAR), Column("result", VARCHAR)]
    files = [] if describe_only else execution.stages.list_files(location, pattern)
    execution.stages.remove(location, files)
    return rows(columns, [(file.name, "removed") for file in files], StatementType.UNKNOWN)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(moment: datetime) -> str:
    """A time as LIST prints it: ``Wed, 3 Jan 2024 08:05:09 GMT``."""
    return f"{_DAYS[moment.weekday()]}, {moment.day} {_MONTHS[moment.month - 1]} {moment.year} {moment:%H:%M:%S} GMT"
