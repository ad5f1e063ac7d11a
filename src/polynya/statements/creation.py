"""Who may create and bring back objects, and whose they become."""

from __future__ import annotations

from polynya.catalog import dropped_grants
from polynya.catalog.kinds import is_temporary, sql_kind
from polynya.catalog.model import CatalogObject
from polynya.catalog.store import Catalog
from polynya.statements.base import Execution


def require_create(execution: Execution, kind: str, parent: int) -> None:
    """Refuses the statement unless the role may create objects of a kind in a place.

    Args:
        execution: of the statement.
        kind: as statements name it, e.g. ``STORAGE INTEGRATION``.
        parent: id of the schema or database, 0 for the account.

    Raises:
        SnowflakeError: 003001 on the schema, database or account.
    """
    privilege = "CREATE INTEGRATION" if kind.endswith("INTEGRATION") else f"CREATE {kind}"
    container = execution.context.catalog.by_id(parent) if parent else None
    if container is None:
        execution.require_account(privilege)
    else:
        execution.require(privilege, container)


def bring_back(execution: Execution, item: CatalogObject) -> None:
    """Undrops an object, with the grants on it.

    Raises:
        SnowflakeError: 003001 for another role's, or where the role may not create such an object; 002002 if its name is
            taken meanwhile.
    """
    execution.require("OWNERSHIP", item)
    require_create(execution, sql_kind(item), item.parent)
    catalog = execution.context.catalog
    catalog.undrop(item)
    dropped_grants.bring_back(catalog, item)


def hand_over(catalog: Catalog, owner: str, to: str) -> None:
    """Makes a role the owner of all that another one owns."""
    owned = [item for item in catalog.every() if item.owner == owner]
    for item in owned:
        item.owner = to
    catalog.update(*(item for item in owned if not is_temporary(item)))
