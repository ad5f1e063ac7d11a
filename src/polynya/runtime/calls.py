"""Aggregate functions and procedures, from the server's side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from polynya.runtime.convey import arguments, outgoing, take
from polynya.runtime.handler import Handler, Job
from polynya.runtime.process import Door, Process, interpreter_error
from polynya.types.arrow import arrow_type
from polynya.types.sqltype import VARIANT

if TYPE_CHECKING:
    from polynya.runtime.pool import Pool


def aggregate(pool: Pool, handler: Handler, groups: pa.RecordBatch, job: Job) -> pa.Array:
    """One value a group; see ``Pool.aggregate``."""
    columns = []
    for index, (_, kind) in enumerate(handler.arguments):
        column, wanted = groups.column(index), pa.list_(arrow_type(kind))
        columns.append(column if column.type.equals(wanted) else column.cast(wanted))
    header: dict[str, Any] = {"do": "aggregate"}
    if not columns:
        header["lengths"] = pc.list_value_length(groups.column(0)).fill_null(0).to_pylist()
    reply = pool.exchange(handler, header, outgoing(columns, groups.num_rows), job)
    (result,) = take(reply, [arrow_type(handler.returns or VARIANT)], handler)
    if len(result) != groups.num_rows:
        raise interpreter_error("The worker process sent another number of values than of groups.", handler)
    return result


def call(process: Process, handler: Handler, given: pa.RecordBatch, job: Job, door: Door) -> Any:
    """A procedure's result; see ``Pool.call``."""
    reply = process.exchange({"do": "call"}, outgoing(arguments(handler, given), 1), job, door=door)
    if handler.returns_table is not None:
        return str(reply.header["query"])
    (result,) = take(reply, [arrow_type(handler.returns or VARIANT)], handler)
    if len(result) != 1:
        raise interpreter_error("The worker process sent no single value.", handler)
    return result
