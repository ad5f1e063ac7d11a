"""COMMENT ON. https://docs.snowflake.com/en/sql-reference/sql/comment"""

from __future__ import annotations

from polynya.dialect.tokens import TokenStream
from polynya.errors import invalid_identifier
from polynya.statements import objects
from polynya.statements.base import Execution, statement
from polynya.statements.drop import read_signature
from polynya.types.resultset import ResultSet

_KINDS = (
    "DYNAMIC TABLE", "FILE FORMAT", "NETWORK RULE", "TABLE", "VIEW", "SCHEMA", "DATABASE", "SEQUENCE", "STAGE", "ROLE",
    "USER", "WAREHOUSE", "TAG", "SECRET", "SHARE", "INTEGRATION",
)  # fmt: skip


@statement("COMMENT")
def comment(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("COMMENT")
    if_exists = stream.accept("IF", "EXISTS")
    stream.expect("ON")
    if stream.accept("COLUMN"):
        return _on_column(execution, stream)
    routine = stream.accept_one("FUNCTION", "PROCEDURE")
    if routine:
        parts = stream.name()
        found = catalog.routine(context, routine, parts, read_signature(execution, stream))
        kind = routine
    else:
        word = stream.accept_one(*_KINDS)
        if word is None:
            raise stream.error()
        kind = "TABLE" if word in ("VIEW", "DYNAMIC TABLE") else word
        parts = stream.name()
        found = catalog.find(context, kind, parts)
    stream.expect("IS")
    text = stream.string()
    stream.expect_end()
    if found is None:
        if if_exists:
            return objects.done()
        found = catalog.get(context, kind, parts, kind.capitalize() if kind == "TABLE" else None)
    objects.check_not_imported(execution, found, database=True)
    execution.require(("OWNERSHIP", "MODIFY") if kind in ("DATABASE", "SCHEMA", "WAREHOUSE") else "OWNERSHIP", found)
    found.comment = text
    objects.save(execution, found)
    return objects.done()


def _on_column(execution: Execution, stream: TokenStream) -> ResultSet:
    """``table.column``."""
    *table_parts, name = stream.name()
    table = execution.context.catalog.get(execution.context, "TABLE", table_parts)
    objects.check_not_imported(execution, table)
    execution.require("OWNERSHIP", table)
    stream.expect("IS")
    column = next((column for column in table.columns if column.name == name), None)
    if column is None:
        raise invalid_identifier(name)
    column.comment = stream.string()
    stream.expect_end()
    objects.save(execution, table)
    return objects.done()
