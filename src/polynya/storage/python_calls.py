"""Functions by which the engine's SQL calls Python: one a result type, registered once an engine.

What a call runs is told by its first argument, a handle that exists while its statement runs. So statements register
nothing in the engine's catalog, whose changes would depend on transactions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from polynya.errors import SnowflakeError
from polynya.storage.errors import mark
from polynya.types.sqltype import SqlType

# One chunk's arguments -> as many values.
Body = Callable[[pa.RecordBatch], pa.Array]

_bodies: dict[str, Body] = {}
_numbers = itertools.count(1)
_PLAIN = ("DOUBLE", "VARCHAR", "BLOB", "BOOLEAN", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "FLOAT[]", "INTEGER[]")
_TIMESTAMP_TZ = 'STRUCT("instant" TIMESTAMPTZ, "offset" SMALLINT)'


@dataclass(frozen=True, slots=True)
class EngineCall:
    """What a call in a statement runs.

    Args:
        body: takes a column an argument; called from any of the engine's threads, several at a time.
    """

    body: Body


def install(duck: duckdb.DuckDBPyConnection) -> None:
    """Registers the functions in an engine; all its connections see them."""
    kinds = [*_PLAIN, _TIMESTAMP_TZ, *(f"DECIMAL(38,{scale})" for scale in range(38))]
    for kind in kinds:
        for volatile in (True, False):
            duck.create_function(  # type: ignore[call-overload]  # duckdb's stubs know its enums only
                _function(kind, volatile),
                _dispatch,
                None,  # any arguments
                kind,
                type="arrow",
                null_handling="special",
                side_effects=volatile,
            )


def new_handle() -> str:
    """A name for a call that no other has."""
    return f"call_{next(_numbers)}"


def call_sql(handle: str, arguments: list[str], returns: SqlType, *, volatile: bool) -> str:
    """SQL of a call.

    Args:
        handle: which stands for an ``EngineCall`` among the statement's inputs.
        arguments: SQL of exactly the types that the body takes.
        returns: the type of the result.
        volatile: the engine must call it for each row, even if all arguments are constant.
    """
    kind = _engine_type(returns)
    given = ", ".join([f"'{handle}'", *arguments])
    sql = f"{_function(kind, volatile)}({given})"
    return sql if kind == returns.duckdb else f"CAST({sql} AS {returns.duckdb})"


def enter(handle: str, call: EngineCall) -> None:
    """Lets SQL find a call."""
    _bodies[handle] = call.body


def leave(handle: str) -> None:
    """Forgets a call."""
    _bodies.pop(handle, None)


def _engine_type(sql_type: SqlType) -> str:
    """The type that the engine's function has for a result of a type."""
    kind = sql_type.duckdb
    if kind == "JSON":
        return "VARCHAR"
    if sql_type.name == "NUMBER":
        return f"DECIMAL(38,{sql_type.scale})"
    return f"{kind.partition('[')[0]}[]" if sql_type.name == "VECTOR" else kind


def _function(kind: str, volatile: bool) -> str:
    name = kind.lower().replace("[]", "_list").replace("decimal(38,", "decimal_").rstrip(")")
    name = "timestamp_tz" if name.startswith("struct") else name
    return f"sf_python_{name}" if volatile else f"sf_python_{name}_immutable"


def _dispatch(*given: pa.ChunkedArray) -> pa.Array:
    handles, *columns = given  # the engine takes the parameters from the signature: any number
    try:
        body = _bodies[handles[0].as_py()]
        arrays = [column.combine_chunks() if column.num_chunks != 1 else column.chunk(0) for column in columns]
        if arrays:
            batch = pa.RecordBatch.from_arrays(arrays, names=[f"a{index}" for index in range(len(arrays))])
        else:  # the rows are counted by what stands for the handle
            batch = pa.RecordBatch.from_struct_array(pa.array([{}] * len(handles), pa.struct([])))
        return body(batch)
    except SnowflakeError as error:
        raise ValueError(mark(error)) from None
