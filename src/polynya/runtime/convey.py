"""Arrow data on their way to a worker and back; what comes back is checked before the engine sees it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from polynya.runtime.handler import Handler
from polynya.runtime.narrow import narrow, widen
from polynya.runtime.process import Reply, interpreter_error
from polynya.types.arrow import arrow_type

# Their bytes are values, whatever they are; all others are validated in full.
_HARMLESS = (pa.float64(), pa.int64(), pa.int32(), pa.int16(), pa.date32(), pa.bool_(), pa.timestamp("us"))


def outgoing(columns: list[pa.Array], rows: int) -> pa.RecordBatch:
    """Columns of arguments as a worker takes them.

    Args:
        columns: in the engine's forms.
        rows: their number, for a function without arguments.
    """
    if not columns:
        return pa.RecordBatch.from_arrays([pa.nulls(rows)], ["rows"])
    narrowed = [narrow(column) for column in columns]
    return pa.RecordBatch.from_arrays(narrowed, [f"a{index}" for index in range(len(narrowed))])


def arguments(handler: Handler, batch: pa.RecordBatch) -> list[pa.Array]:
    """The first columns of a batch, cast where the engine chose another Arrow type than the argument's."""
    found = []
    for index, (_, kind) in enumerate(handler.arguments):
        column, wanted = batch.column(index), arrow_type(kind)
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        found.append(column if column.type == wanted else column.cast(wanted))
    return found


def take(reply: Reply, kinds: list[pa.DataType], handler: Handler) -> list[pa.Array]:
    """The columns of a worker's answer, as the engine has them.

    Args:
        reply: in memory of the server's own.
        kinds: the types that must be there.
        handler: for the error's text.

    Raises:
        SnowflakeError: 100357 if they are not.
    """
    try:
        if reply.batch is None or reply.batch.num_columns != len(kinds):
            raise ValueError("columns are missing")
        return [_checked(column, kind) for column, kind in zip(reply.batch.columns, kinds, strict=True)]
    except (pa.ArrowException, ValueError) as error:
        raise interpreter_error(f"The worker process sent what is no result: {error}", handler) from error


def _checked(column: pa.Array, kind: pa.DataType) -> pa.Array:
    column.validate(full=column.type not in _HARMLESS or column.null_count > 0)
    if column.type == kind:
        return column
    if not (column.type == pa.int64() and pa.types.is_decimal128(kind)):
        raise ValueError(f"a column of {column.type} for {kind}")
    if kind.precision < 19 and len(column):
        bounds: dict[str, Any] = pc.min_max(column).as_py()
        limit = 10**kind.precision
        if bounds["min"] is not None and not -limit < bounds["min"] <= bounds["max"] < limit:
            raise ValueError(f"a number beyond {kind}")
    return widen(column, kind)
