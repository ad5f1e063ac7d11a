"""Before a table is written: its lock, and rows of its own for a clone."""

from __future__ import annotations

from polynya.catalog.model import Table
from polynya.catalog.retention import DAYS, retention_days
from polynya.statements.base import Execution
from polynya.statements.clone import own_rows
from polynya.statements.objects import check_not_imported


def make_writable(execution: Execution, table: Table, *, shared: bool = False) -> None:
    """Takes a table's write lock, held until the transaction ends.

    Args:
        execution: of the statement; its connection must be inside ``atomic``.
        table: to be written.
        shared: True for inserts, which do not exclude each other.
    """
    check_not_imported(execution, table)
    execution.connection.lock_timeout = float(execution.context.parameter("LOCK_TIMEOUT"))
    own_rows(execution, table)
    execution.connection.write_lock(table.stored_as, shared=shared)
    if table.kind == "TEMPORARY":
        days = retention_days(execution.context.catalog, table)
        past = execution.connection.temporary_past
        past.keep(table.stored_as, len(table.columns), days, chosen=DAYS in table.options)
