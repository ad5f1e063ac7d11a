"""A CSV reader that follows Snowflake to the letter, for the files on which the engine's reader differs.

It is the measure for ``csv``: slower by two orders of magnitude, so it reads only files that need it, and finds where
in a file an error is. Source: docs.snowflake.com/en/sql-reference/sql/create-file-format (type CSV).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from polynya.stages.formats import FileFormat

_BATCH = 20_000
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}
_BLANKS = " \t"
_UNTERMINATED = 100068

# The rows of a file as Parquet: what ``write_rows`` makes.
ROWS_SCHEMA = pa.schema(
    [
        ("row", pa.int64()), ("line", pa.int64()), ("fields", pa.list_(pa.string())), ("count", pa.int32()),
        ("code", pa.int32()), ("problem", pa.string()), ("problem_line", pa.int64()), ("problem_character", pa.int64()),
        ("problem_column", pa.int32()),
    ]
)  # fmt: skip


@dataclass(slots=True)
class Problem:
    """Why a record cannot be read.

    Args:
        code: Snowflake's error number; the SQLSTATE is 22000.
        message: what was found.
        line, character: where, both from 1.
        column: number of the field, from 1.
    """

    code: int
    message: str
    line: int
    character: int
    column: int


@dataclass(slots=True)
class Record:
    """One record.

    Args:
        row: its number, header lines not counted, from 1.
        line: the line on which it begins, from 1.
        fields: values, None for NULL.
        starts: (line, character) at which each field begins, from 1.
        problem: set where it cannot be read; ``fields`` then has those before it.
    """

    row: int
    line: int
    fields: list[str | None]
    starts: list[tuple[int, int]]
    problem: Problem | None = None


class CsvParser:
    """Reads records from text.

    Args:
        file_format: a CSV format.
        skip: lines to skip first; default SKIP_HEADER (1 with PARSE_HEADER).
    """

    def __init__(self, file_format: FileFormat, skip: int | None = None) -> None:
        self.format = file_format
        header = 1 if file_format["PARSE_HEADER"] else file_format["SKIP_HEADER"]
        self._skip = header if skip is None else skip
        self._quote = file_format["FIELD_OPTIONALLY_ENCLOSED_BY"] or ""
        self._escape = file_format["ESCAPE"] or ""
        self._unenclosed = self._escape or file_format["ESCAPE_UNENCLOSED_FIELD"] or ""
        self._delimiter = file_format["FIELD_DELIMITER"] or ""
        record = file_format["RECORD_DELIMITER"]
        self._newline = record in ("\n", "\r\n")  # "new line is logical": \r\n counts as \n
        self._record = "\n" if self._newline else (record or "")
        self._trim = file_format["TRIM_SPACE"]
        self._null_if = frozenset(file_format["NULL_IF"])
        self._empty_is_null = file_format["EMPTY_FIELD_AS_NULL"]
        self._skip_blank = file_format["SKIP_BLANK_LINES"]
        self._plain = self._plain_pattern()
        self._quoted = self._quoted_pattern()

    def _plain_pattern(self) -> re.Pattern[str]:
        """An unenclosed field up to its delimiter, the record's, or the end."""
        ends = [re.escape(text) for text in (self._delimiter, self._record) if text]
        escape = re.escape(self._unenclosed)
        singles = "".join(
            re.escape(text) for text in (self._delimiter, self._record, self._unenclosed) if len(text) == 1
        )
        long = [text for text in (self._delimiter, self._record) if len(text) > 1]
        if long:
            stop = "|".join(re.escape(text) for text in long)
            normal = f"(?:(?!{stop})[^{singles}])" if singles else f"(?:(?!{stop}).)"
        else:
            normal = f"[^{singles}]" if singles else "."
        body = f"{normal}*" + (f"(?:{escape}(?:.|\\Z){normal}*)*" if escape else "")
        return re.compile(f"({body})({'|'.join([*ends, chr(92) + 'Z'])})", re.DOTALL)

    def _quoted_pattern(self) -> re.Pattern[str] | None:
        """An enclosed field: opening quote to closing quote."""
        if not self._quote:
            return None
        quote, escape = re.escape(self._quote), re.escape(self._escape)
        normal = f"[^{quote}{escape}]" if self.format["MULTI_LINE"] else f"[^{quote}{escape}\n]"
        other = f"{quote}{quote}" + (f"|{escape}." if escape else "")
        return re.compile(f"{quote}({normal}*(?:(?:{other}){normal}*)*){quote}", re.DOTALL)

    def records(self, text: Iterable[str]) -> Iterator[Record]:
        """The records of a file.

        Args:
            text: its content in pieces.
        """
        pieces = iter(text)
        buffer, position, line, line_start = "", 0, 1, 0
        final = False
        first = True
        skip = self._skip
        row = 0
        while True:
            # A record is taken only when the buffer holds its end for certain.
            while not final and (len(buffer) - position < 1 << 16 or not self._holds_record(buffer, position)):
                piece = next(pieces, None)
                if piece is None:
                    final = True
                    break
                buffer, line_start, position = buffer[position:] + piece, line_start - position, 0
                if first and buffer:
                    first = False
                    if buffer[0] == "\ufeff" and self.format["SKIP_BYTE_ORDER_MARK"]:
                        buffer = buffer[1:]
            if position >= len(buffer):
                return
            if skip:
                # Header lines end at a line feed, whatever the delimiters and quotes are.
                end = buffer.find("\n", position)
                skip, line = skip - 1, line + 1
                if end < 0:
                    return
                position = line_start = end + 1
                continue
            start = position
            record, position = self._record_at(buffer, position, row + 1, line, line_start)
            if not final and (position >= len(buffer) or (record.problem and record.problem.code == _UNTERMINATED)):
                # It reached the buffer's end: read on, twice as much, and try again.
                more, wanted = [], len(buffer) - start
                while wanted > 0:
                    piece = next(pieces, None)
                    if piece is None:
                        final = True
                        break
                    more.append(piece)
                    wanted -= len(piece)
                buffer, line_start, position = buffer[start:] + "".join(more), line_start - start, 0
                continue
            breaks = buffer.count("\n", start, position)
            if breaks:
                line += breaks
                line_start = buffer.rfind("\n", start, position) + 1
            if self._skip_blank and record.problem is None and buffer[start:position].strip("\r\n") == "":
                continue
            row += 1
            yield record

    def _holds_record(self, buffer: str, position: int) -> bool:
        return bool(self._record) and buffer.find(self._record, position) >= 0

    def _record_at(self, buffer: str, position: int, row: int, line: int, line_start: int) -> tuple[Record, int]:
        record = Record(row, line, [], [])
        start_of_record = position
        while True:
            field_start = position
            breaks = buffer.count("\n", start_of_record, field_start)
            here = buffer.rfind("\n", start_of_record, field_start) + 1 if breaks else line_start
            record.starts.append((line + breaks, field_start - here + 1))
            probe = position
            if self._trim:
                while probe < len(buffer) and buffer[probe] in _BLANKS and buffer[probe] != self._delimiter:
                    probe += 1
            if self._quoted is not None and buffer.startswith(self._quote, probe):
                found = self._quoted.match(buffer, probe)
                if found is None:
                    record.problem = Problem(
                        _UNTERMINATED, f"End of file reached while expecting character '{self._quote}'",
                        *record.starts[-1], len(record.fields) + 1,
                    )  # fmt: skip
                    return record, self._next_record(buffer, probe + 1)
                record.fields.append(self._value(self._unquote(found[1]), enclosed=True))
                position = found.end()
                if self._trim:
                    while (
                        position < len(buffer) and buffer[position] in _BLANKS and buffer[position] != self._delimiter
                    ):
                        position += 1
                end = self._end_at(buffer, position)
                if end is None:
                    record.problem = self._misplaced(
                        buffer, position, start_of_record, line, line_start, len(record.fields)
                    )
                    return record, self._next_record(buffer, position)
            else:
                found = self._plain.match(buffer, position)
                assert found is not None
                raw, end = found[1], found[2]
                if self._newline and end != self._delimiter and raw.endswith("\r"):
                    raw = raw[:-1]
                record.fields.append(self._plain_value(raw))
                position = found.end() - len(end)
            position += len(end)
            if end != self._delimiter or not end:
                return record, position

    def _end_at(self, buffer: str, position: int) -> str | None:
        """The delimiter that stands here, "" at the end of the text, None for anything else."""
        if position >= len(buffer):
            return ""
        if self._delimiter and buffer.startswith(self._delimiter, position):
            return self._delimiter
        if self._newline and buffer.startswith("\r\n", position):
            return "\r\n"
        if self._record and buffer.startswith(self._record, position):
            return self._record
        return None

    def _misplaced(self, buffer: str, position: int, start: int, line: int, line_start: int, column: int) -> Problem:
        breaks = buffer.count("\n", start, position)
        here = buffer.rfind("\n", start, position) + 1 if breaks else line_start
        found = _shown(buffer[position])
        return Problem(
            100065, f"Found character '{found}' instead of field delimiter '{_shown(self._delimiter)}'",
            line + breaks, position - here + 1, column,
        )  # fmt: skip

    def _next_record(self, buffer: str, position: int) -> int:
        """Where the next record begins after one that cannot be read."""
        end = buffer.find(self._record or "\n", position)
        return len(buffer) if end < 0 else end + len(self._record or "\n")

    def _unquote(self, text: str) -> str:
        if self._escape and self._escape in text:
            quote = self._quote
            pattern = re.compile(f"{re.escape(quote)}{re.escape(quote)}|{re.escape(self._escape)}(.)", re.DOTALL)
            return pattern.sub(lambda found: self._escaped(found[1]) if found[1] is not None else quote, text)
        return text.replace(self._quote * 2, self._quote)

    def _escaped(self, character: str) -> str:
        return _ESCAPES.get(character, character) if (self._escape or self._unenclosed) == "\\" else character

    def _plain_value(self, raw: str) -> str | None:
        if self._trim:
            raw = raw.strip(_BLANKS)
        if raw in self._null_if:
            return None
        if self._unenclosed and self._unenclosed in raw:
            raw = re.sub(
                re.escape(self._unenclosed) + "(.)", lambda found: self._escaped(found[1]), raw, flags=re.DOTALL
            )
        return self._value(raw, enclosed=False)

    def _value(self, text: str, *, enclosed: bool) -> str | None:
        if text in self._null_if or (not text and not enclosed and self._empty_is_null):
            return None
        return text


def write_rows(records: Iterator[Record], target: Path) -> int:
    """Writes records to a Parquet file of ``ROWS_SCHEMA``; how many there were."""
    total = 0
    with pq.ParquetWriter(target, ROWS_SCHEMA, compression="zstd") as writer:
        columns: list[list] = [[] for _ in ROWS_SCHEMA]

        def flush() -> None:
            arrays = [pa.array(values, type=field.type) for values, field in zip(columns, ROWS_SCHEMA, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=ROWS_SCHEMA))
            for values in columns:
                values.clear()

        for record in records:
            problem = record.problem
            row = (record.row, record.line, record.fields, len(record.fields)) + (
                (problem.code, problem.message, problem.line, problem.character, problem.column)
                if problem
                else (None,) * 5
            )
            for values, value in zip(columns, row, strict=True):
                values.append(value)
            total += 1
            if total % _BATCH == 0:
                flush()
        flush()
    return total


def _shown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
