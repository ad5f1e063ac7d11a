"""Aggregate functions in the worker.

Source: docs.snowflake.com/en/developer-guide/udf/python/udf-python-aggregate-functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import cloudpickle
import pyarrow as pa

from polynya.runtime import results, values
from polynya.runtime.handler import Handler
from polynya.types.sqltype import VARIANT

# Rows from which a group is accumulated in two halves, which are merged: as in a warehouse of many nodes.
_MERGED = 1000


class AggregateFunction:
    """A loaded aggregate function.

    Args:
        handler: what it was loaded from.
        handler_class: its entry.
    """

    def __init__(self, handler: Handler, handler_class: Any) -> None:
        self._class = handler_class
        self._kinds = [kind for _, kind in handler.arguments]
        self._returns = handler.returns or VARIANT
        self._zone = handler.timezone
        self._strict = handler.strict
        for method in ("aggregate_state", "accumulate", "merge", "finish"):
            if not hasattr(handler_class, method):
                raise TypeError(f"The handler {handler.entry} lacks {method}, which an aggregate function must have.")

    def run(self, header: dict[str, Any], batch: pa.RecordBatch) -> Iterator[tuple[dict[str, Any], pa.RecordBatch]]:
        """Aggregates the groups of a task: list columns, a row a group."""
        columns = batch.columns[: len(self._kinds)]
        flat = [
            values.to_list(column.flatten(), kind, self._zone)
            for column, kind in zip(columns, self._kinds, strict=True)
        ]
        lengths = columns[0].value_lengths().fill_null(0).to_pylist() if columns else header["lengths"]
        found, start = [], 0
        for length in lengths:
            arguments = [items[start : start + length] for items in flat]
            found.append(self._group(arguments, length))
            start += length
        made = results.column(found, self._returns, self._zone)
        yield {"ok": True}, pa.RecordBatch.from_arrays([made], ["result"])

    def _group(self, arguments: list[list[Any]], length: int) -> Any:
        rows: list[tuple[Any, ...]] = list(zip(*arguments, strict=True)) if arguments else [()] * length
        if self._strict:
            rows = [row for row in rows if not any(value is None or value is values.SQL_NULL for value in row)]
        if len(rows) < _MERGED:
            return self._accumulated(rows).finish()
        half = len(rows) // 2
        first, second = self._accumulated(rows[:half]), self._accumulated(rows[half:])
        # States go from node to node as pickles in Snowflake: one that cannot is wrong here, too.
        first.merge(cloudpickle.loads(cloudpickle.dumps(second.aggregate_state)))
        return first.finish()

    def _accumulated(self, rows: Iterable[tuple[Any, ...]]) -> Any:
        instance = self._class()
        accumulate = instance.accumulate
        for row in rows:
            accumulate(*row)
        return instance
