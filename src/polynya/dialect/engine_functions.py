"""What the engine lacks for Snowflake's functions: SQL macros, and rarely Python functions, registered once an engine.

Names begin with ``sf_``. Macros are preferred: Python functions run under the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import duckdb

from polynya.errors import SnowflakeError
from polynya.storage.errors import mark


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """A function of the engine written in Python.

    Args:
        name: begins with ``sf_``.
        function: takes one row's values (None for NULL), or pyarrow arrays if ``vectorized``.
        arguments: DuckDB types.
        returns: DuckDB type.
        vectorized: whether it takes and returns pyarrow arrays of many rows.
        volatile: whether equal arguments may give different results.
    """

    name: str
    function: Callable[..., Any]
    arguments: Sequence[str]
    returns: str
    vectorized: bool = False
    volatile: bool = False


# "name(parameters) AS expression"; a macro may use those before it.
MACROS: list[str] = [
    # dividend * factor / divisor as 128-bit integers, rounded half away from zero; long division postpones overflow
    """sf_divide_round(dividend, divisor, factor) AS
        (dividend // divisor) * factor
        + ((dividend % divisor) * factor) // divisor
        + CASE WHEN abs(((dividend % divisor) * factor) % divisor) >= abs(divisor) - abs(((dividend % divisor) * factor) % divisor)
            THEN CASE WHEN (dividend < 0) = (divisor < 0) THEN 1 ELSE -1 END ELSE 0 END""",
]

PYTHON_FUNCTIONS: list[PythonFunction] = []


def python_function(
    name: str, arguments: Sequence[str], returns: str, *, vectorized: bool = False, volatile: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a Python function for the engine; see ``PythonFunction``. It may raise SnowflakeError."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        PYTHON_FUNCTIONS.append(PythonFunction(name, function, arguments, returns, vectorized, volatile))
        return function

    return register


def install(connection: duckdb.DuckDBPyConnection) -> None:
    """Registers everything in an engine; all its connections see it.

    Args:
        connection: the instance's first connection, whose catalog is the in-memory one.
    """
    from polynya.dialect import functions

    functions.load()  # families register their own
    for function in PYTHON_FUNCTIONS:
        connection.create_function(  # type: ignore[call-overload]  # duckdb's stubs know its enums only
            function.name,
            _marked(function.function),
            list(function.arguments),
            function.returns,
            type="arrow" if function.vectorized else "native",
            null_handling="special",
            side_effects=function.volatile,
        )
    for macro in MACROS:  # after the functions that they use
        connection.execute(f"CREATE OR REPLACE MACRO {macro}")


def _marked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its Snowflake errors written as ``storage.errors`` reads them back."""

    @wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except SnowflakeError as error:
            raise ValueError(mark(error)) from None
        except RecursionError:
            raise ValueError("\x02100069 22P02 Error parsing JSON: too many levels of nesting\x03") from None

    return call
