"""Compressed files: recognised, and never taken for whole if they are not."""

from __future__ import annotations

import bz2
import gzip
import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from polynya.errors import SnowflakeError
from polynya.stages.unpack import chunks, detect

DATA = b"".join(b"%d,abc,def\n" % number for number in range(50_000))


def _raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(6, zlib.DEFLATED, -15)
    return engine.compress(data) + engine.flush()


PACKED = {
    "GZIP": gzip.compress(DATA),
    "BZ2": bz2.compress(DATA),
    "ZSTD": pa.Codec("zstd").compress(DATA, asbytes=True),
    "BROTLI": pa.Codec("brotli").compress(DATA, asbytes=True),
    "DEFLATE": zlib.compress(DATA),
    "RAW_DEFLATE": _raw_deflate(DATA),
    "NONE": DATA,
}
NAMES = {
    "GZIP": "x",
    "BZ2": "x",
    "ZSTD": "x",
    "BROTLI": "x.br",
    "DEFLATE": "x.deflate",
    "RAW_DEFLATE": "x.raw_deflate",
    "NONE": "x.gz",
}


@pytest.mark.parametrize("compression", PACKED)
def test_recognised_and_unpacked(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(PACKED[compression])
    assert detect(path, NAMES[compression], "AUTO") == compression
    assert b"".join(chunks(path, "x", compression)) == DATA


@pytest.mark.parametrize("compression", [kind for kind in PACKED if kind != "NONE"])
@pytest.mark.parametrize("cut", [0.5, 0.999])
def test_a_truncated_file_is_an_error(compression: str, cut: float, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(PACKED[compression][: int(len(PACKED[compression]) * cut)])
    with pytest.raises(SnowflakeError, match="Invalid data encountered during decompression for file: 'x'"):
        list(chunks(path, "x", compression))


@pytest.mark.parametrize(
    "data",
    [
        PACKED["GZIP"][:-4],  # cut in the middle of the checksum
        PACKED["GZIP"][:-8] + b"\0" * 4 + PACKED["GZIP"][-4:],  # a wrong checksum
        PACKED["GZIP"] + b"garbage",
        b"1,2,3\n",
        b"",
    ],
)
def test_damaged_gzip(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(SnowflakeError, match="100079"):
        list(chunks(path, "x", "GZIP"))


def test_gzip_of_several_members(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(PACKED["GZIP"] + PACKED["GZIP"] + b"\0" * 100)
    assert b"".join(chunks(path, "x", "GZIP")) == DATA + DATA
