"""Scalar functions in the worker: rows one by one, or batches as pandas DataFrames."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from polynya.runtime import frames, results, values
from polynya.runtime.handler import Handler
from polynya.runtime.narrow import widen
from polynya.types.arrow import arrow_type
from polynya.types.sqltype import VARIANT, SqlType

# Rows of a DataFrame at most, unless the handler says how many.
_MAX_BATCH = 1 << 20


def vectorized_input(function: Any) -> Any:
    """What a handler declares to take instead of rows (pandas.DataFrame), or None."""
    return getattr(function, "_sf_vectorized_input", None)


class Scalar:
    """A loaded scalar function.

    Args:
        handler: what it was loaded from.
        function: its entry.
    """

    def __init__(self, handler: Handler, function: Any) -> None:
        self._kinds = [kind for _, kind in handler.arguments]
        self._returns: SqlType = handler.returns or VARIANT
        self._strict = handler.strict
        self._zone = handler.timezone
        self._function = _behind_once(function)
        self._vectorized = vectorized_input(function) is not None
        self._batch = int(getattr(function, "_sf_max_batch_size", None) or _MAX_BATCH)
        self._flatten = bool(getattr(function, "_sf_flatten_object_input", False))

    def __call__(self, columns: list[pa.Array], rows: int) -> pa.Array:
        """One value a row.

        Raises:
            ResultError: if a result does not fit the declared type.
        """
        if self._strict and any(column.null_count for column in columns):
            return self._skipping_nulls(columns)
        if self._vectorized:
            return self._batches(columns, rows)
        return self._called(columns, rows)

    def _called(self, columns: list[pa.Array], rows: int) -> pa.Array:
        found = self._rows(columns, rows)
        if self._returns.name == "VARIANT":  # None is JSON null, as it is in a VARIANT argument
            found = [results.JSON_NULL if value is None else value for value in found]
        return results.column(found, self._returns, self._zone)

    def _rows(self, columns: list[pa.Array], rows: int) -> list[Any]:
        function = self._function
        if not columns:
            return [function() for _ in range(rows)]
        arguments = [
            values.to_list(column, kind, self._zone) for column, kind in zip(columns, self._kinds, strict=True)
        ]
        return list(map(function, *arguments))

    def _skipping_nulls(self, columns: list[pa.Array]) -> pa.Array:
        present = columns[0].is_valid()
        for column in columns[1:]:
            present = pc.and_(present, column.is_valid())
        chosen = [column.filter(present) for column in columns]
        called = self._without_strict(chosen)
        places = np.cumsum(present.to_numpy(zero_copy_only=False)) - 1
        return called.take(pa.array(places, pa.int64(), mask=~present.to_numpy(zero_copy_only=False)))

    def _without_strict(self, columns: list[pa.Array]) -> pa.Array:
        if len(columns[0]) == 0:
            return pa.nulls(0, arrow_type(self._returns))
        if self._vectorized:
            return self._batches(columns, len(columns[0]))
        return self._called(columns, len(columns[0]))

    def _batches(self, columns: list[pa.Array], rows: int) -> pa.Array:
        if rows <= self._batch:
            return self._batch_of(columns, rows)
        made = [
            self._batch_of([column.slice(start, self._batch) for column in columns], min(self._batch, rows - start))
            for start in range(0, rows, self._batch)
        ]
        kinds = {part.type for part in made}
        if len(kinds) > 1:  # some of a NUMBER's parts fit into 64 bits, some do not
            made = [widen(part, arrow_type(self._returns)) for part in made]
        return pa.concat_arrays(made)

    def _batch_of(self, columns: list[pa.Array], rows: int) -> pa.Array:
        given = frames.frame(columns, self._kinds, self._zone)
        if not columns:
            given = pd.DataFrame(index=pd.RangeIndex(rows))
        elif self._flatten and len(self._kinds) == 1:
            given = pd.DataFrame.from_records([item or {} for item in given[0]])
        made = frames.to_column(self._function(given), self._returns, self._zone)
        if len(made) == 1 and rows != 1:  # a constant
            return made.take(pa.array(np.zeros(rows, np.int64)))
        if len(made) != rows:
            raise results.ResultError(
                f"A vectorized function must return as many values as it gets rows: {rows}, not {len(made)}."
            )
        return made


def _behind_once(function: Any) -> Any:
    """The function that Snowpark's client wrapped so that several threads call it first one after the other.

    A worker has one thread for its handler, and the wrapper costs more than many a handler itself. It is known by what its
    body names; anything else is left as it is.
    """
    code = getattr(function, "__code__", None)
    if (
        code is None
        or code.co_names != ("lock_function_once", "func", "invoked")
        or function.__defaults__
        or function.__kwdefaults__
        or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
        or vars(function)  # marks of a vectorized function
    ):
        return function
    return function.__globals__["func"]
