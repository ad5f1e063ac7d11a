"""COLLATE and COLLATION.

Source: docs.snowflake.com/en/sql-reference/functions/collate
"""

from __future__ import annotations

from dataclasses import replace

from polynya.dialect import collation as collations
from polynya.dialect.expression import Expr, null, quote_string
from polynya.dialect.registry import Call, scalar
from polynya.types.sqltype import VARCHAR


@scalar("COLLATE", args=2)
def collate(call: Call) -> Expr:
    value = call.arg(0, VARCHAR)
    specification = collations.check(str(call.constant(1)))
    return replace(value, type=replace(value.type, collation=specification))


@scalar("COLLATION", args=1)
def collation(call: Call) -> Expr:
    """The collation of an expression, or NULL."""
    specification = call.arg(0, VARCHAR).type.collation
    return Expr(quote_string(specification), VARCHAR, False) if specification else null(VARCHAR)
