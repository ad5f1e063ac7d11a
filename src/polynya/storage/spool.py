"""Rows in a file of the engine's home, written once and scanned as often as one likes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

_FOLDER = "steps"


def spool_folder(home: Path) -> Path:
    """Where spooled rows of an engine lie."""
    folder = home / "tmp" / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def clear(home: Path) -> None:
    """Removes what a server that ended suddenly left behind."""
    for file in spool_folder(home).iterdir():
        file.unlink()


class Spool:
    """Rows in a file; as a context manager it removes the file at the end. The engine can scan it.

    Args:
        folder: where the file is made.
        schema: of the rows.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        number, path = tempfile.mkstemp(suffix=".arrow", dir=folder)
        os.close(number)
        self._path = Path(path)
        self._schema = schema
        self._file = pa.OSFile(path, "wb")
        self._writer = pa.ipc.new_stream(self._file, schema)
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def finish(self) -> None:
        """Ends the writing; then it can be scanned."""
        self._writer.close()
        self._file.close()

    def close(self) -> None:
        """Removes the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return pa.RecordBatchReader.from_batches(self._schema, self._read()).__arrow_c_stream__(requested_schema)

    def _read(self) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self._path), "rb") as file, pa.ipc.open_stream(file) as reader:
            yield from reader
