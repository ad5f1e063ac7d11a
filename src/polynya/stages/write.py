"""Writing files of rows: compressed text and Parquet, cut into files of a size.

Source: docs.snowflake.com/en/sql-reference/sql/copy-into-location.
"""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from polynya.errors import unsupported

_PARQUET_CODECS = {"AUTO": "snappy", "SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "NONE": "none"}


@dataclass(slots=True)
class Written:
    """A finished file, not yet in its stage.

    Args:
        path: where it is.
        rows: in it.
        size: bytes.
        plain_size: bytes before compression.
    """

    path: Path
    rows: int
    size: int
    plain_size: int


class Sink(Protocol):
    """Takes the rows of one file."""

    def write(self, batch: pa.RecordBatch) -> None: ...

    @property
    def size(self) -> int:
        """Bytes written so far, as far as the compressor has given them."""
        ...

    def close(self) -> None: ...

    plain_size: int


class TextSink:
    """A text file of lines.

    Args:
        path: of the new file.
        compression: GZIP, BZ2, BROTLI, ZSTD, DEFLATE, RAW_DEFLATE or NONE.
        delimiter: that ends each record.
        header: first line, or None.
        encoding: Python's name.
    """

    def __init__(self, path: Path, compression: str, delimiter: str, header: str | None, encoding: str) -> None:
        self._file = path.open("wb")
        self._stream = _compressor(self._file, compression)
        self._delimiter = delimiter
        self._encoding = encoding
        self.plain_size = 0
        if header is not None:
            self._put(header + delimiter)

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends the lines in a batch's first column."""
        lines = batch.column(0).to_pylist()
        if lines:
            self._put(self._delimiter.join(lines) + self._delimiter)

    @property
    def size(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._stream.close()
        if not self._file.closed:
            self._file.close()

    def _put(self, text: str) -> None:
        data = text.encode(self._encoding)
        self.plain_size += len(data)
        self._stream.write(data)


class ParquetSink:
    """A Parquet file.

    Args:
        path: of the new file.
        schema: of the batches.
        compression: AUTO, SNAPPY, GZIP, ZSTD or NONE.
    """

    def __init__(self, path: Path, schema: pa.Schema, compression: str) -> None:
        if compression not in _PARQUET_CODECS:
            raise unsupported(f"COMPRESSION = {compression} for Parquet")
        self._path = path
        self._writer = pq.ParquetWriter(path, schema, compression=_PARQUET_CODECS[compression], version="2.6")
        self.plain_size = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self.plain_size += batch.nbytes
        self._writer.write_batch(batch)

    @property
    def size(self) -> int:
        return self._path.stat().st_size

    def close(self) -> None:
        self._writer.close()


def write_files(
    batches: Iterable[pa.RecordBatch],
    open_sink: Callable[[Path], Sink],
    new_path: Callable[[], Path],
    max_size: int | None,
) -> list[Written]:
    """Writes batches to files.

    Args:
        batches: rows.
        open_sink: makes a file's sink.
        new_path: a new file's path.
        max_size: bytes after which another file is begun, or None for one file.

    Returns:
        the files; none for no rows.
    """
    files: list[Written] = []
    sink: Sink | None = None
    path = Path()
    rows = 0

    def finish() -> None:
        assert sink is not None
        sink.close()
        files.append(Written(path, rows, path.stat().st_size, sink.plain_size))

    for batch in batches:
        if batch.num_rows == 0:
            continue
        if sink is not None and max_size is not None and sink.size >= max_size:
            finish()
            sink, rows = None, 0
        if sink is None:
            path = new_path()
            sink = open_sink(path)
        sink.write(batch)
        rows += batch.num_rows
    if sink is not None:
        finish()
    return files


class _Deflate:
    """zlib's stream, or the bare deflate data in it."""

    def __init__(self, file: BinaryIO, window: int) -> None:
        self._file = file
        self._engine = zlib.compressobj(6, zlib.DEFLATED, window)

    def write(self, data: bytes) -> None:
        self._file.write(self._engine.compress(data))

    def close(self) -> None:
        self._file.write(self._engine.flush())


class _Arrow:
    """A codec of pyarrow's."""

    def __init__(self, file: BinaryIO, codec: str) -> None:
        self._stream = pa.CompressedOutputStream(pa.PythonFile(file, "w"), codec)

    def write(self, data: bytes) -> None:
        self._stream.write(data)

    def close(self) -> None:
        self._stream.close()


def _compressor(file: BinaryIO, compression: str) -> Any:
    match compression:
        case "NONE":
            return file
        case "GZIP":
            return gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0)
        case "BZ2":
            return bz2.BZ2File(file, "wb")
        case "DEFLATE":
            return _Deflate(file, 15)
        case "RAW_DEFLATE":
            return _Deflate(file, -15)
        case "BROTLI" | "ZSTD":
            return _Arrow(file, compression.lower())
    raise unsupported(f"COMPRESSION = {compression}")
