"""Who may see, and who may end, the statements of others.

Sources: docs.snowflake.com/en/sql-reference/functions/query_history, .../functions/system_cancel_query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polynya.catalog.rights import has, rights

if TYPE_CHECKING:
    from polynya.catalog.context import Context


def may_monitor(context: Context, record: dict[str, Any]) -> bool:
    """Whether the session may see a statement: its user's own, or one of a warehouse that it monitors or operates.

    Args:
        context: of the session.
        record: QUERY_HISTORY's columns by name.
    """
    return _own(context, record) or _by_warehouse(context, record, ("MONITOR", "OPERATE"))


def may_cancel(context: Context, record: dict[str, Any]) -> bool:
    """Whether the session may end a statement: its user's own, or one of a warehouse that it operates."""
    return _own(context, record) or _by_warehouse(context, record, ("OPERATE",))


def _own(context: Context, record: dict[str, Any]) -> bool:
    return record["USER_NAME"] == context.user or context.unrestricted or rights(context).administrator


def _by_warehouse(context: Context, record: dict[str, Any], privileges: tuple[str, ...]) -> bool:
    name = record.get("WAREHOUSE_NAME")
    warehouse = context.catalog.child(0, "WAREHOUSE", name) if name else None
    return warehouse is not None and has(context, privileges, warehouse)
