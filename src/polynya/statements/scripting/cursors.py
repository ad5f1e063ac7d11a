"""Cursors: a query's rows, read one by one.

Source: docs.snowflake.com/en/developer-guide/snowflake-scripting/cursors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from polynya.statements.scripting import values
from polynya.statements.scripting.syntax import DeclareCursor
from polynya.statements.scripting.variables import Scope
from polynya.types.resultset import ResultSet
from polynya.types.sqltype import SqlType

# Rows that are Python values at a time; the others stay in the result, which may be a file.
_ROWS_AT_ONCE = 1024


@dataclass(slots=True, eq=False)
class Cursor:
    """A cursor.

    Args:
        declaration: its query, or the RESULTSET it reads.
        scope: in which it was declared.
        result: what it reads while it is open.
        rows: those that it has not read yet.
    """

    declaration: DeclareCursor
    scope: Scope
    result: ResultSet | None = None
    rows: Iterator[tuple] | None = None

    @property
    def is_open(self) -> bool:
        return self.rows is not None

    def read(self, result: ResultSet) -> None:
        """Opens it at the first row of a result."""
        self.result = result
        self.rows = rows_of(result)

    def close(self) -> None:
        self.result = self.rows = None


def row_types(result: ResultSet) -> list[SqlType]:
    """The types that a row's columns have in a block."""
    return [values.row_type(column.type) for column in result.columns]


def rows_of(result: ResultSet) -> Iterator[tuple]:
    """The rows of a result as values of variables, a few at a time."""
    data = result.data
    batches = data.to_batches(max_chunksize=_ROWS_AT_ONCE) if isinstance(data, pa.Table) else data
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
            part = batch.slice(start, _ROWS_AT_ONCE)
            columns = [
                values.from_arrow(column.type, array)
                for column, array in zip(result.columns, part.columns, strict=True)
            ]
            yield from zip(*columns, strict=True)
