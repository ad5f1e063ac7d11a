"""SHOW TRANSACTIONS. https://docs.snowflake.com/en/sql-reference/sql/show-transactions"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import COUNT, MOMENT, TEXT, answer
from polynya.types.resultset import ResultSet


@dataclass(slots=True)
class _Transaction:
    """Its id counts the nanoseconds at which it began."""

    id: int

    @property
    def started(self) -> datetime:
        return datetime.fromtimestamp(self.id / 1e9, UTC)


@statement("SHOW TRANSACTIONS")
def show_transactions(execution: Execution, stream: TokenStream) -> ResultSet:
    """The session's own open transaction."""
    stream.expect("SHOW", "TRANSACTIONS")
    stream.accept("IN", "ACCOUNT")
    stream.expect_end()
    context, number = execution.context, execution.connection.transaction_id
    return answer(
        [
            ("id", COUNT, lambda transaction: transaction.id),
            ("user", TEXT, lambda transaction: context.user),
            ("session", COUNT, lambda transaction: context.session_id),
            ("name", TEXT, lambda transaction: str(transaction.id)),
            ("started_on", MOMENT, lambda transaction: transaction.started),
            ("state", TEXT, lambda transaction: "running"),
            ("scope", COUNT, lambda transaction: 0),
        ],
        [_Transaction(number)] if number is not None else [],
    )
