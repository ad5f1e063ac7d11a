"""Trip files on disk: plain CSV, gzip, zip with one or several CSV parts, zip within zip."""

from __future__ import annotations

import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from tripcast.sources import deflate
from tripcast.sources.formats import BadFile

CHUNK = 1 << 20
EXTENSIONS = (".csv", ".zip", ".gz")


class SourceFile(Protocol):
    """A trip file somewhere."""

    @property
    def name(self) -> str:
        """As published."""

    @property
    def size(self) -> int | None:
        """Bytes, where known."""

    def fingerprint(self) -> str:
        """A text that changes when the content does."""

    def fetch(self, folder: Path) -> Path:
        """The file on this disk, brought into ``folder`` if it is not here yet."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A trip file on this disk."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size(self) -> int | None:
        return self.path.stat().st_size

    def fingerprint(self) -> str:
        checksum = size = 0
        with self.path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                checksum = deflate.crc32(chunk, checksum)
                size += len(chunk)
        return f"crc32:{checksum:08x}:{size}"

    def fetch(self, folder: Path) -> Path:
        return self.path


def trip_files(folder: Path) -> list[LocalFile]:
    """The files of a folder that may hold trips, by name; hidden and macOS's own are none.

    Raises:
        BadFile: no such folder, or nothing in it ends like a trip file.
    """
    if not folder.is_dir():
        raise BadFile(f"no such folder: {folder}")
    found = [
        LocalFile(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
    ]
    if not found:
        raise BadFile(f"no file that ends in {', '.join(EXTENSIONS)} in {folder}")
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """One CSV of a source file.

    Args:
        member: its name in the zip, empty where the source file is the CSV.
        path: the file on disk that holds it.
        info: its entry in the zip's directory, None outside a zip.
    """

    member: str
    path: Path
    info: zipfile.ZipInfo | None = None

    @contextmanager
    def compressed(self) -> Iterator[tuple[BinaryIO, int, int] | None]:
        """The bytes as they lie on disk, their count and zlib's window bits; None if they are not deflated."""
        if self.info is None:
            if self.path.suffix.lower() != ".gz":
                yield None
                return
            with self.path.open("rb") as stream:
                yield stream, self.path.stat().st_size, 16 + zlib.MAX_WBITS
            return
        if self.info.compress_type != zipfile.ZIP_DEFLATED:
            yield None
            return
        with self.path.open("rb") as stream:
            # the local header's own name and extra lengths count: they may differ from the directory's
            stream.seek(self.info.header_offset)
            header = stream.read(30)
            if len(header) < 30 or header[:4] != b"PK\x03\x04":
                raise BadFile("damaged zip: the directory points to no file (truncated?)")
            stream.seek(sum(struct.unpack("<HH", header[26:30])), 1)
            yield stream, self.info.compress_size, -zlib.MAX_WBITS

    @contextmanager
    def plain(self) -> Iterator[BinaryIO]:
        """The CSV's own bytes."""
        if self.info is None:
            with self.path.open("rb") as stream:
                yield stream
        else:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.info) as stream:
                yield stream  # type: ignore[misc]


def _is_junk(name: str) -> bool:
    path = Path(name)
    return "__MACOSX" in path.parts or path.name.startswith(".")


def parts(path: Path, folder: Path) -> Iterator[Part | tuple[str, BadFile]]:
    """The CSV files that a source file holds.

    Args:
        path: of the source file.
        folder: for what must be unpacked on the way (a zip within the zip).

    Yields:
        a part, or the name of a member that is none and why.

    Raises:
        BadFile: the file holds no CSV at all, or is no zip although its name says so.
    """
    if path.stat().st_size == 0:
        raise BadFile("empty file")
    if path.suffix.lower() != ".zip":
        yield Part("", path)
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        with path.open("rb") as stream:
            starts_well = stream.read(2) == b"PK"
        raise BadFile("truncated zip: it ends before its directory" if starts_well else "not a zip file") from error
    found = False
    with archive:
        for info in archive.infolist():
            if info.is_dir() or _is_junk(info.filename):
                continue
            suffix = Path(info.filename).suffix.lower()
            if suffix not in (".csv", ".zip"):
                continue
            found = True
            if info.flag_bits & 1:
                yield info.filename, BadFile("encrypted")
            elif suffix == ".csv":
                yield Part(info.filename, path, info)
            else:
                yield from _inner(archive, info, folder)
    if not found:
        raise BadFile("no CSV file in the zip")


def _inner(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> Iterator[Part | tuple[str, BadFile]]:
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".zip", delete=False) as copy:
        try:
            with archive.open(info) as stream:
                shutil.copyfileobj(stream, copy, CHUNK)
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            yield info.filename, BadFile(f"damaged zip: {error}")
            return
    try:
        for part in parts(Path(copy.name), folder):
            if isinstance(part, Part):
                yield Part(f"{info.filename}/{part.member}", part.path, part.info)
            else:
                yield f"{info.filename}/{part[0]}", part[1]
    except BadFile as error:
        yield info.filename, error
