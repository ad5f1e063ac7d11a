"""zlib, by way of ISA-L where it is installed: the same streams, unpacked and packed some three times as fast."""

from __future__ import annotations

import zlib
from importlib import import_module
from importlib.util import find_spec
from typing import Any

_ENGINE: Any = import_module("isal.isal_zlib") if find_spec("isal") else zlib
# what damaged data raises
ERRORS: tuple[type[Exception], ...] = (zlib.error, _ENGINE.error)
crc32 = _ENGINE.crc32


def unpacker(window: int) -> Any:
    """What ``zlib.decompressobj`` answers.

    Args:
        window: zlib's window bits: 31 for gzip, -15 for bare deflate.
    """
    return _ENGINE.decompressobj(window)


def gzip_packer() -> Any:
    """What ``zlib.compressobj`` answers, for a gzip file that is made quickly."""
    return _ENGINE.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
