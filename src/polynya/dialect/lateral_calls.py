"""Table functions in Python whose rows cannot be made by a step, because they need values of a query around their own.

``SELECT (SELECT MAX(y) FROM TABLE(f(t.x))) FROM t``: the call is a function of the engine here, which answers the rows for
each row of arguments as JSON text (an array of texts a row); each row is a partition of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from polynya.catalog.model import Routine
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr, quote
from polynya.dialect.python_runs import Runner
from polynya.storage.python_calls import EngineCall, call_sql
from polynya.types.sqltype import VARCHAR, SqlType

_ROW, _PARTITION = "row", "partition"


def rows_sql(
    env: Environment, routine: Routine, runner: Runner | None, arguments: list[Expr], stored: list[str]
) -> str:
    """A subquery with a table function's rows, for LATERAL.

    Args:
        env: of the statement.
        routine: the function.
        runner: how it runs; None where the statement is bound only.
        arguments: of exactly its types.
        stored: names that its columns are to have.
    """
    assert routine.returns_table is not None
    handle = env.add_call(EngineCall(lambda batch: _texts(batch, runner)))
    # A function without arguments is called for each row of the query around it, too.
    call = call_sql(handle, [expr.sql for expr in arguments], VARCHAR, volatile=True)
    alias = env.alias()
    columns = ", ".join(
        f"{_value(f'{alias}.r[{index}]', kind)} AS {quote(name)}"
        for index, (name, (_, kind)) in enumerate(zip(stored, routine.returns_table, strict=True), 1)
    )
    return f"""(SELECT {columns} FROM (SELECT unnest(from_json({call}, '[["VARCHAR"]]')) AS r) AS {alias})"""


def _value(text: str, kind: SqlType) -> str:
    """SQL of a value from the text that ``_column_texts`` makes of it."""
    return f"unhex({text})" if kind.duckdb == "BLOB" else f"CAST({text} AS {kind.duckdb})"


def _texts(batch: pa.RecordBatch, runner: Runner | None) -> pa.Array:
    """The rows for each row of arguments."""
    assert runner is not None
    numbers = pa.array(range(batch.num_rows), pa.int64())
    names = [*(f"a{index}" for index in range(batch.num_columns)), _ROW, _PARTITION]
    given = pa.RecordBatch.from_arrays([*batch.columns, numbers, numbers], names)
    found: list[list[tuple[str | None, ...]]] = [[] for _ in range(batch.num_rows)]
    for made in runner.table(iter([given]), _PARTITION, [_ROW], lambda: False):
        row_numbers, *columns = made.columns
        for number, row in zip(row_numbers.to_pylist(), _rows(columns), strict=True):
            found[number].append(row)
    return pa.array([orjson.dumps(rows).decode() for rows in found], pa.string())


def _rows(columns: list[pa.Array]) -> Iterator[tuple[str | None, ...]]:
    return zip(*(_column_texts(column) for column in columns), strict=True)


def _column_texts(column: pa.Array) -> list[str | None]:
    """A column's values as texts that the engine casts to its type."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    if pa.types.is_struct(kind):  # TIMESTAMP_TZ
        parts = [_column_texts(part) for part in column.flatten()]
        names = [field.name for field in kind]
        return [
            None if any(part is None for part in row)
            else "{" + ", ".join(f"'{name}': {part}" for name, part in zip(names, row, strict=True)) + "}"
            for row in zip(*parts, strict=True)
        ]  # fmt: skip
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        naive = _column_texts(column.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit)))
        return [None if text is None else f"{text}+00" for text in naive]
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return [None if item is None else str(item) for item in column.to_pylist()]
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [None if item is None else item.hex() for item in column.to_pylist()]
    texts: list[str | None] = pc.cast(column, pa.string()).to_pylist()
    return texts
