"""Several statements in one request (MULTI_STATEMENT_COUNT)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot.tokens import TokenType

from polynya.dialect.binds import Binds
from polynya.dialect.tokens import tokenize
from polynya.types.resultset import Column, ResultSet, StatementType, rows
from polynya.types.sqltype import VARCHAR

if TYPE_CHECKING:
    from polynya.session.query import Query


def share_binds(statements: list[str], binds: Binds) -> Iterator[tuple[str, Binds]]:
    """Each statement with its binds: the ``?`` are counted through all statements, names are everybody's.

    Args:
        statements: in order.
        binds: of the whole request.
    """
    used = 0
    for text in statements:
        if not binds:
            yield text, {}
            continue
        count = sum(token.token_type == TokenType.PLACEHOLDER and token.text == "?" for token in tokenize(text))
        if count:
            yield text, {place: binds[used + place] for place in range(1, count + 1) if used + place in binds}
            used += count
        else:
            yield text, binds


def answer(children: list[Query]) -> ResultSet:
    """The result of the request itself.

    Args:
        children: the statements' queries, all successful.
    """
    result = rows(
        [Column("multiple statement execution", VARCHAR, nullable=False)],
        [("Multiple statements executed successfully.",)],
        StatementType.MULTI_STATEMENT,
    )
    result.child_query_ids = [child.id for child in children]
    return result
