"""Before a table is written: its lock, and rows of its own for a clone."""

from __future__ import annotations

from polynya.catalog.model import Table
from polynya.errors import unsupported
from polynya.statements.base import Execution


def make_writable(execution: Execution, table: Table, *, shared: bool = False) -> None:
    """Takes a table's write lock, held until the transaction ends.

    Args:
        execution: of the statement; its connection must be inside ``atomic``.
        table: to be written.
        shared: True for inserts, which do not exclude each other.
    """
    if table.snapshot is not None:
        raise unsupported("writing to a clone that still reads its origin's rows")
    execution.connection.write_lock(table.stored_as, shared=shared)
