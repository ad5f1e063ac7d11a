"""Compressed and re-encoded files as plain UTF-8 ones, checked to their last byte.

The engine reads gzip itself but takes a truncated file for a short one, so nothing compressed reaches it from here.
"""

from __future__ import annotations

import bz2
import codecs
import zlib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa

from polynya.errors import SnowflakeError, unsupported

# ISA-L is a drop-in for zlib that inflates some three times as fast.
_ZLIB: Any = import_module("isal.isal_zlib") if find_spec("isal") else zlib
_CHUNK = 1 << 18
_MAGIC = [(b"\x1f\x8b", "GZIP"), (b"BZh", "BZ2"), (b"\x28\xb5\x2f\xfd", "ZSTD")]
_EXTENSIONS = {
    ".gz": "GZIP", ".bz2": "BZ2", ".br": "BROTLI", ".zst": "ZSTD", ".deflate": "DEFLATE", ".raw_deflate": "RAW_DEFLATE",
}  # fmt: skip
EXTENSION_OF = {kind: extension for extension, kind in _EXTENSIONS.items()}


def detect(path: Path, name: str, option: str) -> str:
    """How a file is compressed.

    Args:
        path: the file.
        name: its name in the stage.
        option: COMPRESSION of the file format; AUTO looks at the file's first bytes, then at its name.
    """
    if option != "AUTO":
        return option
    with path.open("rb") as stream:
        head = stream.read(4)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    by_name = _EXTENSIONS.get(Path(name).suffix.lower(), "NONE")
    # A name alone proves nothing for formats that begin with known bytes.
    return by_name if by_name in ("BROTLI", "DEFLATE", "RAW_DEFLATE") else "NONE"


def chunks(path: Path, name: str, compression: str) -> Iterator[bytes]:
    """A file's content, decompressed, in blocks.

    Args:
        path: the file.
        name: its name in errors.
        compression: GZIP, BZ2, BROTLI, ZSTD, DEFLATE, RAW_DEFLATE or NONE.

    Raises:
        SnowflakeError: 100079 where the content is not what its compression says, or ends too early.
    """
    try:
        if compression == "NONE":
            yield from _plain(path)
        elif compression in ("GZIP", "DEFLATE", "RAW_DEFLATE"):
            yield from _inflate(path, {"GZIP": 31, "DEFLATE": 15, "RAW_DEFLATE": -15}[compression])
        elif compression == "BZ2":
            with bz2.open(path) as stream:
                while block := stream.read(_CHUNK):
                    yield block
        elif compression in ("BROTLI", "ZSTD"):
            with pa.input_stream(str(path), compression=compression.lower()) as stream:
                while block := stream.read(_CHUNK):
                    yield block
        else:
            raise unsupported(f"COMPRESSION = {compression}")
    except (zlib.error, _ZLIB.error, EOFError, OSError) as error:
        cause = str(error).split(": ")[-1] or type(error).__name__
        raise SnowflakeError(
            100079, "22000",
            f"Invalid data encountered during decompression for file: '{name}',compression type used: '{compression}', "
            f"cause: '{cause}'",
        ) from error  # fmt: skip


def text_chunks(blocks: Iterator[bytes], encoding: str, *, replace: bool, name: str) -> Iterator[str]:
    """Blocks of bytes as text.

    Args:
        blocks: the content.
        encoding: Python's name.
        replace: invalid bytes become U+FFFD instead of an error.
        name: the file's name in errors.

    Raises:
        SnowflakeError: 100144 for bytes that are not text in this encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)("replace" if replace else "strict")
    try:
        for block in blocks:
            yield decoder.decode(block)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise invalid_text(error.object[max(error.start - 20, 0) : error.start + 20], encoding, name) from None


def invalid_text(around: bytes, encoding: str, name: str) -> SnowflakeError:
    """The error for bytes that are not text: 100144."""
    kind = "UTF8" if encoding == "utf-8" else encoding
    return SnowflakeError(
        100144, "22000", f"Invalid {kind} detected in string '{around.hex().upper()}'\n  File '{name}'"
    )


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            yield block


def _inflate(path: Path, window: int) -> Iterator[bytes]:
    """Inflates, and fails unless the stream ends with its checksum; several gzip members may follow each other."""
    with path.open("rb") as stream:
        engine = _ZLIB.decompressobj(window)
        started = False
        while block := stream.read(_CHUNK):
            while block:
                if engine.eof:
                    block = block.lstrip(b"\0")  # padding
                    if not block:
                        break
                    if window != 31:
                        raise EOFError("data after the end of the stream")
                    engine = _ZLIB.decompressobj(window)
                started = True
                if output := engine.decompress(block, _CHUNK):
                    yield output
                block = engine.unconsumed_tail or engine.unused_data
        if not engine.eof and (rest := engine.flush()):
            yield rest
        if not engine.eof:
            raise EOFError("unexpected end of file" if started else "empty file")
