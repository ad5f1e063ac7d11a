"""Table functions: name -> rows. FLATTEN, GENERATOR, SPLIT_TO_TABLE, RESULT_SCAN ..."""

from __future__ import annotations

from collections.abc import Callable

from polynya.dialect.registry import Call
from polynya.dialect.scope import Source

TableBind = Callable[[Call], Source]

TABLE_FUNCTIONS: dict[str, TableBind] = {}


def table_function(*names: str) -> Callable[[TableBind], TableBind]:
    """Registers the binding of a table function.

    Its ``Call`` has positional arguments in ``nodes`` and named ones in ``named``; both may refer to columns of the
    relations to the left. The source's SQL is a parenthesised query (it is joined laterally).
    """

    def register(bind: TableBind) -> TableBind:
        for name in names:
            TABLE_FUNCTIONS[name] = bind
        return bind

    return register
