"""``snowflake.snowpark.files`` as handlers see it: staged files, opened by the server, read through a descriptor.

Stands in for Snowpark's module of that name, which is for local testing.
Source: docs.snowflake.com/en/developer-guide/snowpark/reference/python (SnowflakeFile).
"""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from polynya.errors import SnowflakeError, unsupported
from polynya.runtime import channel

_NAME = "snowflake.snowpark.files"


class SnowflakeFile(io.RawIOBase):
    """A staged file, open for reading; made by ``SnowflakeFile.open``."""

    def __init__(self, file: Any, mode: str) -> None:
        super().__init__()
        self._file = file
        self.mode = mode

    @classmethod
    def open(
        cls, file_location: str, mode: str = "r", is_owner_file: bool = False, *, require_scoped_url: bool = True
    ) -> SnowflakeFile:
        """Opens a file for reading with the rights of the caller.

        Args:
            file_location: a scoped URL, a file URL or a path in a stage.
            mode: ``r`` or ``rb``.
            is_owner_file: taken, without effect: files are opened with the caller's rights.
            require_scoped_url: likewise.
        """
        if mode not in ("r", "rb"):
            raise ValueError(f"Invalid mode '{mode}' for SnowflakeFile.open. Supported modes are 'r' and 'rb'.")
        try:
            fd = channel.current().open_file(file_location)
        except SnowflakeError as error:
            raise FileNotFoundError(error.message) from None
        return cls(os.fdopen(fd, mode, encoding="utf-8" if mode == "r" else None), mode)

    @classmethod
    def open_new_result(cls, mode: str = "w") -> SnowflakeFile:
        """Not there yet: files that a handler returns."""
        raise unsupported("SnowflakeFile.open_new_result")

    # What io.RawIOBase would answer by itself goes to the open file.

    def close(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()
        super().close()

    def fileno(self) -> int:
        raise OSError("This object does not use a file descriptor")

    def read(self, size: int | None = -1) -> Any:
        return self._file.read(size)

    def read1(self, size: int = -1) -> bytes:
        data = self._buffered().read1(size)
        return bytes(data)

    def readall(self) -> Any:
        return self._file.read()

    def readinto(self, buffer: Any) -> int:
        return int(self._buffered().readinto(buffer))

    def readinto1(self, buffer: Any) -> int:
        return int(self._buffered().readinto1(buffer))

    def readline(self, size: int | None = -1) -> Any:
        return self._file.readline(size)

    def readlines(self, hint: int | None = -1) -> list[Any]:
        return list(self._file.readlines(hint))

    def __next__(self) -> Any:
        return next(self._file)

    def readable(self) -> bool:
        return bool(self._file.readable())

    def writable(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        raise io.UnsupportedOperation(f"Not writable mode={self.mode}")

    def writelines(self, lines: Iterable[Any]) -> None:
        raise io.UnsupportedOperation(f"Not writable mode={self.mode}")

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self.mode == "r" and whence != io.SEEK_SET and offset:
            # Text files of Python seek from their start only; here positions are bytes.
            base = self._file.tell() if whence == io.SEEK_CUR else self._file.seek(0, io.SEEK_END)
            offset, whence = base + offset, io.SEEK_SET
        return int(self._file.seek(offset, whence))

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def tell(self) -> int:
        return int(self._file.tell())

    def _buffered(self) -> Any:
        return self._file.buffer if self.mode == "r" else self._file


class _Finder:
    """Makes ``import snowflake.snowpark.files`` find this module."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, __file__) if name == _NAME else None


def install() -> None:
    """Puts this module in the place of Snowpark's, for this process."""
    sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type]
