"""One CSV to one gzip file for the stage, checked line by line on the way.

A CSV in a zip or gzip is deflated already: its compressed bytes are copied as they are while their content is checked.
Only a file in which something is wrong is rewritten. What the warehouse reads then has a known header, valid UTF-8 and
the right number of fields in every line; a bad line is replaced by one of empty fields, so line numbers stay.
"""

from __future__ import annotations

import csv
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tripcast.sources import deflate
from tripcast.sources.files import CHUNK, Part
from tripcast.sources.formats import BadFile, Header, recognise

MAX_LINE = 1 << 20
MAX_LINES_NAMED = 100
_PIECE = 1 << 16  # of compressed bytes: bounds what one step unpacks
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_DAMAGE: tuple[type[Exception], ...] = (
    *deflate.ERRORS, EOFError, zipfile.BadZipFile, NotImplementedError, struct.error,
)  # fmt: skip


@dataclass(slots=True)
class BadLine:
    """A line that was left out: its number from 1, why, and its beginning."""

    line: int
    reason: str
    text: str


@dataclass(slots=True)
class Repacked:
    """A CSV as it now lies ready for the stage.

    Args:
        header: its layout and column order.
        path: of the gzip file.
        lines: data lines, the bad ones not counted.
        size: bytes uncompressed.
        bad_lines: the first MAX_LINES_NAMED that were left out.
        bad_line_count: of all that were left out.
    """

    header: Header
    path: Path
    lines: int = 0
    size: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    bad_line_count: int = 0


class _Untidy(Exception):
    """Something is wrong in a line: the file must be rewritten."""


def repack(part: Part, target: Path) -> Repacked:
    """Writes one CSV as gzip and checks it.

    Args:
        part: of a source file.
        target: the gzip file to write.

    Raises:
        BadFile: nothing of it can be loaded.
    """
    try:
        try:
            result = _copy(part, target)
        except _Untidy:
            result = _rewrite(part, target)
    except _DAMAGE as error:
        raise BadFile(f"damaged compressed data: {error}") from error
    if result.lines == 0:
        raise BadFile("no line that can be loaded" if result.bad_line_count else "no line after the header")
    return result


def _copy(part: Part, target: Path) -> Repacked:
    """Copies deflated bytes as they are, compresses plain ones; raises _Untidy at the first bad line."""
    lines = _Lines()
    with part.compressed() as compressed, target.open("wb") as out:
        if compressed is None:
            packer = deflate.gzip_packer()
            for chunk in _plain(part):
                lines.check(chunk)
                out.write(packer.compress(chunk))
            out.write(packer.flush())
        elif part.info is None:
            with part.path.open("rb") as raw:
                for chunk in _plain(part):
                    lines.check(chunk)
                while piece := raw.read(CHUNK):
                    out.write(piece)
        else:
            stream, left, window = compressed
            unpacker = deflate.unpacker(window)
            out.write(_GZIP_HEADER)
            checksum = 0
            while left:
                piece = stream.read(min(_PIECE, left))
                if not piece:
                    raise BadFile("truncated zip: its data ends too early")
                left -= len(piece)
                out.write(piece)
                chunk = unpacker.decompress(piece)
                checksum = deflate.crc32(chunk, checksum)
                lines.check(chunk)
            if not unpacker.eof:
                raise BadFile("truncated zip: its data ends too early")
            if checksum != part.info.CRC or lines.size != part.info.file_size:
                raise BadFile("damaged zip: the checksum does not match")
            out.write(struct.pack("<LL", checksum, lines.size & 0xFFFFFFFF))
    header = lines.finish()
    return Repacked(header, target, lines.count, lines.size)


def _plain(part: Part) -> Iterator[bytes]:
    """The CSV's bytes in chunks, unpacked."""
    if part.info is not None or part.path.suffix.lower() != ".gz":
        with part.plain() as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
        return
    with part.path.open("rb") as stream:
        unpacker = deflate.unpacker(16 + zlib.MAX_WBITS)
        piece = stream.read(_PIECE)
        if piece[:2] != b"\x1f\x8b":
            raise BadFile("not a gzip file")
        while piece:
            if chunk := unpacker.decompress(piece):
                yield chunk
            if unpacker.eof:  # a gzip file may be several, one after the other
                piece = (unpacker.unused_data or stream.read(_PIECE)).lstrip(b"\x00")
                if piece:
                    unpacker = deflate.unpacker(16 + zlib.MAX_WBITS)
            else:
                piece = stream.read(_PIECE)
        if not unpacker.eof:
            raise BadFile("truncated gzip: its data ends too early")


class _Lines:
    """Looks at a CSV chunk by chunk: the header, then every line's fields, quotes and characters."""

    def __init__(self) -> None:
        self.header: Header | None = None
        self.count = 0
        self.size = 0
        self.rest = b""

    def check(self, chunk: bytes) -> None:
        self.size += len(chunk)
        text = self.rest + chunk
        end = text.rfind(b"\n") + 1
        self.rest = text[end:]
        if len(self.rest) > MAX_LINE:
            raise BadFile(
                "binary data, not a CSV file" if self.header is None else "a line longer than 1 MiB", self.count + 2
            )
        if end:
            self._check(text[:end])

    def _check(self, text: bytes) -> None:
        """Looks at whole lines, each with its line feed."""
        if self.header is None:
            first, _, text = text.partition(b"\n")
            self.header = recognise(first)
        if not text:
            return
        commas = len(self.header.columns) - 1
        if b"\x00" in text or not (text.isascii() or _is_utf8(text)):
            raise _Untidy
        data = np.frombuffer(text, dtype=np.uint8)
        ends = np.flatnonzero(data == ord("\n"))
        starts = np.concatenate(([0], ends[:-1] + 1))
        if b'"' in text and (_in_each(data == ord('"'), starts) & 1).any():  # quotes pair up in every line
            raise _Untidy
        found = data == ord(",")
        # a line with 256 commas too many looks right, but not the sum of all
        if np.count_nonzero(found) != commas * len(ends) or (_in_each(found, starts) != commas).any():
            for line in text.split(b"\n")[:-1]:
                if line.count(b",") != commas and _complaint(line, commas + 1):
                    raise _Untidy
        self.count += len(ends)

    def finish(self) -> Header:
        if self.rest:
            self._check(self.rest + b"\n")
        if self.header is None:
            raise BadFile("empty file")
        return self.header


def _in_each(found: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """How many of the bytes are what is looked for in each line, modulo 256: adding bytes is much the fastest.

    Args:
        found: for each byte, whether it is.
        starts: where the lines start.
    """
    return np.add.reduceat(found.view(np.uint8), starts, dtype=np.uint8)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _complaint(line: bytes, columns: int) -> str | None:
    """What is wrong with a data line, None if nothing is."""
    if b"\x00" in line:
        return "binary data"
    if not _is_utf8(line):
        return "binary data or text that is not UTF-8"
    if line.count(b'"') & 1:
        return "a quote that is never closed"
    try:
        fields = len(next(csv.reader([line.decode().rstrip("\r")], strict=True), []))
    except csv.Error as error:
        return f"not CSV: {error}"
    if fields != columns:
        return f"{fields} fields where the header has {columns}"
    return None


def _rewrite(part: Part, target: Path) -> Repacked:
    """Writes the CSV anew with a line of empty fields for each bad one."""
    packer = deflate.gzip_packer()
    result: Repacked | None = None
    rest = b""
    number = 0
    with target.open("wb") as out:
        for chunk in _with_end(_plain(part)):
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            if not chunk and rest:
                lines.append(rest)
            if len(rest) > MAX_LINE:
                raise BadFile("a line longer than 1 MiB", number + len(lines) + 1)
            kept = []
            for line in lines:
                number += 1
                if result is None:
                    result = Repacked(recognise(line), target)
                    columns = len(result.header.columns)
                elif not line.strip():  # an empty line is no complaint
                    line = b"," * (columns - 1)
                elif reason := _complaint(line, columns):
                    result.bad_line_count += 1
                    if len(result.bad_lines) < MAX_LINES_NAMED:
                        shown = line[:200].decode(errors="replace").replace("\x00", "�")
                        result.bad_lines.append(BadLine(number, reason, shown))
                    line = b"," * (columns - 1)
                else:
                    result.lines += 1
                kept.append(line)
                result.size += len(line) + 1
            if kept:
                out.write(packer.compress(b"\n".join(kept) + b"\n"))
        out.write(packer.flush())
    if result is None:
        raise BadFile("empty file")
    return result


def _with_end(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, then an empty one that says that there are no more."""
    yield from chunks
    yield b""
