"""GRANT OWNERSHIP. https://docs.snowflake.com/en/sql-reference/sql/grant-ownership"""

from __future__ import annotations

from dataclasses import replace

from polynya.catalog import rights
from polynya.catalog.kinds import sql_kind
from polynya.catalog.model import CatalogObject, Grant
from polynya.catalog.privileges import ROLE_KINDS
from polynya.errors import SnowflakeError, unsupported
from polynya.statements import objects
from polynya.statements.base import Execution
from polynya.statements.grant_targets import Grantee


def give(execution: Execution, items: list[CatalogObject], grantee: Grantee, current: str | None) -> None:
    """Makes a role the owner of objects.

    Args:
        execution: of the statement.
        items: objects of one kind.
        grantee: the new owner.
        current: ``COPY CURRENT GRANTS``, ``REVOKE CURRENT GRANTS`` or None.

    Raises:
        SnowflakeError: 003001 unless the session owns them or has MANAGE GRANTS; 003036 if there are grants on one and
            the statement does not say what becomes of them.
    """
    catalog, context = execution.context.catalog, execution.context
    if grantee.kind != "ROLE":
        raise unsupported(f"GRANT OWNERSHIP TO {grantee.kind}")
    for item in items:
        objects.check_not_imported(execution, item)
        if rights.may_grant(context, rights.OWNERSHIP, item) is None or not item.owner:
            raise rights.denied(context, item)
        outbound = grants_on(execution, item)
        if outbound and current is None and item.owner != grantee.name:
            raise dependent_grant(outbound[0])
    for item in items:
        outbound = grants_on(execution, item)
        before = item.owner
        item.owner = grantee.name
        objects.save(execution, item)
        for old in outbound:
            catalog.revoke(old)
            if current != "REVOKE CURRENT GRANTS":
                kept = replace(old, granted_by=grantee.name) if old.granted_by == before else old
                catalog.grant(kept)


def grants_on(execution: Execution, item: CatalogObject) -> list[Grant]:
    """The privileges that others hold on an object; holders of a role are not among them."""
    kind, name = sql_kind(item), execution.context.catalog.grant_name(item)
    return [] if kind in ROLE_KINDS else execution.context.catalog.grants_on(kind, name)


def dependent_grant(grant: Grant) -> SnowflakeError:
    """003036: a privilege was given on, which stands in the statement's way."""
    return SnowflakeError(
        3036, "23001",
        f"SQL execution error:\nDependent grant of privilege '{grant.privilege}' on securable '{grant.on_name}' to "
        f"{grant.to_kind.lower()} '{grant.to_name}' exists. It must be revoked first. More than one dependent grant may "
        "exist: use 'SHOW GRANTS' command to view them. To revoke all dependent grants while transferring object ownership, "
        "use convenience command 'GRANT OWNERSHIP ON <target_objects> TO <target_role> REVOKE CURRENT GRANTS'.",
    )  # fmt: skip
