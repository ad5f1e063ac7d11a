"""CSV files as relations of the engine.

Each file is decompressed, re-encoded and looked through once (``scan``). What the engine's reader would read as
Snowflake does, it reads; other files go through ``csv_parser``, whose rows the engine then reads as Parquet.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import cpu_count
from pathlib import Path

from polynya.errors import SnowflakeError
from polynya.stages import scan, unpack
from polynya.stages.csv_parser import CsvParser, write_rows
from polynya.stages.formats import FileFormat
from polynya.stages.scan import Facts
from polynya.stages.store import StagedFile, StageLocation, StageStore

_MAX_DELIMITER = 4  # bytes the engine's reader allows
_NO_NULL = "\x01no null\x01"  # stands where the engine wants a null string and there is none
_NO_DELIMITER = "\x1f"


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file made ready to be read.

    Args:
        staged: the file in its stage.
        plain: its content, uncompressed UTF-8.
        facts: what it holds, or None where it was not looked through.
        rows: its records as Parquet (``csv_parser.ROWS_SCHEMA``), if our own parser had to read it.
    """

    staged: StagedFile
    plain: Path
    facts: Facts
    rows: Path | None = None


def prepare(store: StageStore, location: StageLocation, file: StagedFile, file_format: FileFormat) -> CsvFile:
    """Makes one file ready: plain text, looked through.

    Raises:
        SnowflakeError: 100079 or 100144 if it cannot be decompressed or is not text of its encoding.
    """
    source = store.local(file, location)
    compression = unpack.detect(source, file.name, file_format["COMPRESSION"])
    replace_invalid = file_format["REPLACE_INVALID_CHARACTERS"] or not file_format["VALIDATE_UTF8"]
    recode = file_format.encoding != "utf-8" or replace_invalid
    status = source.stat()
    version = f"{source}:{status.st_size}:{status.st_mtime_ns}:{compression}"
    key = f"{version}:{file_format.encoding}:{replace_invalid}"
    facts_key = f"{key}:{[file_format[name] for name in _FACTS_DEPEND_ON]}"
    facts = store.workspace.notes.get(facts_key)

    def unpack_to(target: Path) -> None:
        nonlocal facts
        blocks = unpack.chunks(source, file.name, compression)
        if recode:
            texts = unpack.text_chunks(blocks, file_format.encoding, replace=replace_invalid, name=file.name)
            blocks = (text.encode() for text in texts)
        with target.open("wb") as stream:
            facts = scan.scan(blocks, file_format, stream)

    if compression == "NONE" and not recode:
        plain = source
    else:
        plain = store.workspace.derived(f"plain:{key}", unpack_to, suffix=".csv")
    if facts is None:
        facts = scan.scan_file(plain, file_format)
    if facts.bom and plain == source:
        plain = store.workspace.derived(f"plain:{key}", unpack_to, suffix=".csv")
    if facts.ends_empty and not facts.widths_at_end:
        facts.widths_at_end = scan.widths_at_end(plain, file_format)
    store.workspace.notes.put(facts_key, facts)
    return CsvFile(file, plain, facts)


_FACTS_DEPEND_ON = ("NULL_IF", "FIELD_DELIMITER", "FIELD_OPTIONALLY_ENCLOSED_BY", "ESCAPE", "ESCAPE_UNENCLOSED_FIELD")


def prepare_all(
    store: StageStore, location: StageLocation, files: list[StagedFile], file_format: FileFormat
) -> list[CsvFile | SnowflakeError]:
    """Makes files ready, several at once; the error of a file in its place."""

    def work(file: StagedFile) -> CsvFile | SnowflakeError:
        try:
            return prepare(store, location, file, file_format)
        except SnowflakeError as error:
            return error

    if len(files) < 2:
        return [work(file) for file in files]
    with ThreadPoolExecutor(min(cpu_count() or 1, len(files))) as pool:
        return list(pool.map(work, files))


def engine_reads(file: CsvFile, file_format: FileFormat, width: int, *, exact: bool) -> bool:
    """Whether the engine's reader agrees with Snowflake about a file.

    Args:
        file: prepared.
        file_format: of the file.
        width: how many columns are expected.
        exact: whether a record of another width is an error.
    """
    facts = file.facts
    delimiter = file_format["FIELD_DELIMITER"]
    if file_format["RECORD_DELIMITER"] not in ("\n", "\r\n") or not file_format["MULTI_LINE"]:
        return False
    if delimiter is None:
        return not facts.carriage_returns and not facts.escape and _NO_DELIMITER.encode() not in facts.head
    if len(delimiter.encode()) > _MAX_DELIMITER or delimiter in "\r\n":
        return False
    if facts.escape or facts.own_escape or facts.blanks_at_quotes:
        return False
    if facts.blank_line and not (file_format["SKIP_BLANK_LINES"] and width > 1):
        return False
    if exact and facts.widths_at_end - {width}:
        return False
    if facts.quotes and file_format["TRIM_SPACE"]:
        return False
    if facts.quotes % 2:
        return False  # one is not closed, or stands alone
    return not facts.quotes or _plain_header(facts, file_format)


def _plain_header(facts: Facts, file_format: FileFormat) -> bool:
    """Whether header lines are records too: lines are skipped, but the engine skips records."""
    quote = re.escape((file_format["FIELD_OPTIONALLY_ENCLOSED_BY"] or "").encode())
    delimiter = re.escape(file_format["FIELD_DELIMITER"].encode())
    field = b"(?:" + quote + b"[^" + quote + b"]*" + quote + b"|[^" + quote + delimiter + b"]*)"
    record = re.compile(field + b"(?:" + delimiter + field + b")*\\r?")
    lines = facts.head.split(b"\n")[: header_lines(file_format)]
    return all(record.fullmatch(line) for line in lines)


def header_lines(file_format: FileFormat) -> int:
    """Lines before the first record."""
    return 1 if file_format["PARSE_HEADER"] else file_format["SKIP_HEADER"]


def parse(store: StageStore, file: CsvFile, file_format: FileFormat) -> CsvFile:
    """The file with its records as our own parser reads them."""
    key = f"rows:{file.plain}:{file.plain.stat().st_mtime_ns}:{sorted(file_format.options.items(), key=str)}"

    def make(target: Path) -> None:
        blocks = unpack.chunks(file.plain, file.staged.name, "NONE")
        text = unpack.text_chunks(blocks, "utf-8", replace=False, name=file.staged.name)
        write_rows(CsvParser(file_format).records(text), target)

    return replace(file, rows=store.workspace.derived(key, make, suffix=".parquet"))


def first_record(file: CsvFile, file_format: FileFormat, *, header: bool) -> list[str | None]:
    """A file's header, or its first record; [] if it has none."""
    blocks = unpack.chunks(file.plain, file.staged.name, "NONE")
    text = unpack.text_chunks(blocks, "utf-8", replace=True, name=file.staged.name)
    parser = CsvParser(file_format, skip=0 if header else None)
    record = next(parser.records(text), None)
    return record.fields if record else []


@dataclass(frozen=True, slots=True)
class CsvScan:
    """Files that are read alike, and how.

    Args:
        files: prepared.
        file_format: of all of them.
        width: how many columns a record has, or at most has.
        exact: a record of another width is an error; else fields are missing (NULL) or left out.
    """

    files: list[CsvFile]
    file_format: FileFormat
    width: int
    exact: bool

    def relation(self) -> str:
        """The engine's reader over all the files: columns ``c1`` ... as text, and ``file_index`` (from 0)."""
        options = self.file_format
        names = [f"c{number}" for number in range(1, self.width + 1)]
        arguments = [
            "auto_detect=false", "header=false", "compression='none'",
            f"delim={_quoted(options['FIELD_DELIMITER'] or _NO_DELIMITER)}",
            f"skip={header_lines(options)}",
        ]  # fmt: skip
        if all(_ends_lines_plainly(file.facts) for file in self.files):
            arguments.append("new_line='\\n'")  # else it is guessed, wrongly where quoted text has another one
        quote = options["FIELD_OPTIONALLY_ENCLOSED_BY"]
        if quote and any(file.facts.quotes for file in self.files):
            # A quote within quotes is doubled; ESCAPE does not occur in these files.
            arguments += [f"quote={_quoted(quote)}", f"escape={_quoted(quote)}", "allow_quoted_nulls=false"]
        else:
            arguments += ["quote=''", "escape=''"]
        if options["EMPTY_FIELD_AS_NULL"]:
            arguments.append("nullstr=['']")
        else:
            arguments.append(f"nullstr=[{_quoted(_NO_NULL)}]")
        if not self.exact:
            arguments.append("null_padding=true")
            if self._has_quotes:
                arguments.append("parallel=false")  # else a line feed in quotes is an error
        arguments.append(f"strict_mode={'true' if self.exact or self._has_quotes else 'false'}")
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
        paths = ", ".join(_quoted(str(file.plain)) for file in self.files)
        return f"read_csv([{paths}], columns={{{columns}}}, {', '.join(arguments)})"

    @property
    def _has_quotes(self) -> bool:
        return any(file.facts.quotes for file in self.files)

    def values(self) -> list[str]:
        """SQL for each column of the relation: NULL_IF and TRIM_SPACE applied."""
        return [self._value(number) for number in range(1, self.width + 1)]

    def _value(self, number: int) -> str:
        options = self.file_format
        sql = f"c{number}"
        if options["TRIM_SPACE"]:
            sql = f"trim({sql}, ' \t')"
            if options["EMPTY_FIELD_AS_NULL"]:
                sql = f"nullif({sql}, '')"
        # An empty field is NULL already, unless it is quoted or EMPTY_FIELD_AS_NULL is off.
        strings = options["NULL_IF"]
        if len(strings) == 1:
            sql = f"nullif({sql}, {_quoted(strings[0])})"
        elif strings:
            sql = f"CASE WHEN {sql} NOT IN ({', '.join(map(_quoted, strings))}) THEN {sql} END"
        return sql


def _ends_lines_plainly(facts: Facts) -> bool:
    line, found, _ = facts.head.partition(b"\n")
    return bool(found) and not line.endswith(b"\r")


def parsed_values(width: int) -> list[str]:
    """SQL for each column of a file that our own parser read (relation ``read_parquet``)."""
    return [f"fields[{number}]" for number in range(1, width + 1)]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
