"""Handlers and batches for the tests of the worker processes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from polynya.runtime.handler import Handler, ImportFile
from polynya.types.arrow import arrow_type
from polynya.types.sqltype import INTEGER, SqlType


def handler(
    body: str,
    entry: str = "f",
    takes: tuple[SqlType, ...] = (INTEGER,),
    returns: SqlType | None = INTEGER,
    *,
    kind: str = "FUNCTION",
    imports: tuple[ImportFile, ...] = (),
    **more: Any,
) -> Handler:
    """A handler with inline code whose arguments are named A0, A1 ..."""
    arguments = tuple((f"A{index}", given) for index, given in enumerate(takes))
    return Handler(kind, "F", entry, body, imports, arguments, returns, **more)


def batch(*columns: tuple[SqlType | pa.DataType, list[Any]], names: tuple[str, ...] = ()) -> pa.RecordBatch:
    """Columns in the engine's Arrow form."""
    arrays = [pa.array(values, arrow_type(kind) if isinstance(kind, SqlType) else kind) for kind, values in columns]
    return pa.RecordBatch.from_arrays(arrays, list(names) or [f"c{index}" for index in range(len(arrays))])


def whole(*values: int | None) -> pa.RecordBatch:
    """A batch of one NUMBER(38,0) column."""
    return batch((INTEGER, list(values)))
