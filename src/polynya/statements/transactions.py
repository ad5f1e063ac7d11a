"""BEGIN, COMMIT, ROLLBACK.

Source: docs.snowflake.com/en/sql-reference/transactions.
"""

from __future__ import annotations

from polynya.statements.base import Execution
from polynya.types.resultset import ResultSet, StatementType, status


def command(words: list[str]) -> str | None:
    """BEGIN, COMMIT or ROLLBACK if these words are such a statement; else None.

    Args:
        words: the statement's first words; ``BEGIN`` followed by anything else opens a scripting block.
    """
    first, second = words[0], (words[1] if len(words) > 1 else "")
    if first == "BEGIN" and second in ("", "TRANSACTION", "WORK", "NAME"):
        return "BEGIN"
    if first == "START" and second == "TRANSACTION":
        return "BEGIN"
    if first in ("COMMIT", "ROLLBACK") and second in ("", "WORK"):
        return first
    return None


def run(execution: Execution, which: str, describe_only: bool = False) -> ResultSet:
    """Runs one of the three; without a transaction COMMIT and ROLLBACK do nothing."""
    if not describe_only:
        connection = execution.connection
        {"BEGIN": connection.begin, "COMMIT": connection.commit, "ROLLBACK": connection.rollback}[which]()
    return status("Statement executed successfully.", StatementType.TCL)
