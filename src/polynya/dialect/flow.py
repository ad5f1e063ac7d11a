"""The flow operator ``->>``: results that ``$1`` names in the FROM of the next statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from polynya.errors import compilation_error
from polynya.types.resultset import ResultSet

_results: ContextVar[tuple[ResultSet, ...]] = ContextVar("piped_results", default=())


@contextmanager
def piped_results(result: ResultSet) -> Iterator[None]:
    """While it lasts, ``FROM $1`` reads this result, ``FROM $2`` the one before."""
    token = _results.set((result, *_results.get()))
    try:
        yield
    finally:
        _results.reset(token)


def piped_result(number: int) -> ResultSet:
    """The result that ``$number`` names in FROM.

    Raises:
        SnowflakeError: if no statement before has one.
    """
    results = _results.get()
    if not 1 <= number <= len(results):
        raise compilation_error(
            904, "42000", f"invalid identifier '${number}': no statement before ->> has that result"
        )
    return results[number - 1]
