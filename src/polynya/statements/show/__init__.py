"""SHOW: one file per family of objects. https://docs.snowflake.com/en/sql-reference/sql/show"""

from polynya.statements.show import (
    account,
    containers,
    declared,
    grants,
    parameters,
    resources,
    routines,
    schema_objects,
    shares,
    tables,
    tasks,
    transactions,
)

__all__ = [
    "account",
    "containers",
    "declared",
    "grants",
    "parameters",
    "resources",
    "routines",
    "schema_objects",
    "shares",
    "tables",
    "tasks",
    "transactions",
]
