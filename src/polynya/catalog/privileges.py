"""Grants: identity, inheritance of roles, and what renaming an object does to them."""

from __future__ import annotations

from dataclasses import replace

from polynya.catalog.model import Grant


def key_of(grant: Grant) -> tuple[str, str, str, str, str, bool]:
    """What makes two grants the same one."""
    return (grant.privilege, grant.on_kind, grant.on_name, grant.to_kind, grant.to_name, grant.future)


def inherited_roles(grants: list[Grant], kind: str, name: str) -> list[str]:
    """The roles that a user or role has: those granted to it, those granted to these, and PUBLIC.

    https://docs.snowflake.com/en/user-guide/security-access-control-overview#role-hierarchy-and-privilege-inheritance
    """
    found: dict[str, None] = {name: None} if kind == "ROLE" else {}
    pending = [(kind, name)]
    while pending:
        holder = pending.pop()
        for grant in grants:
            of_role = grant.on_kind == "ROLE" and grant.privilege == "USAGE"
            if of_role and (grant.to_kind, grant.to_name) == holder and grant.on_name not in found:
                found[grant.on_name] = None
                pending.append(("ROLE", grant.on_name))
    return [*found, *([] if "PUBLIC" in found else ["PUBLIC"])]


def renamed(grant: Grant, kind: str, old: str, new: str | None) -> Grant | None:
    """The grant after an object got another name; None if the object is gone.

    Args:
        grant: any.
        kind: of the object; of a database or schema also the grants on what lies in it are meant.
        old, new: full names; ``new`` None: the object was dropped.

    Returns:
        The same grant if it has nothing to do with the object.
    """
    if (grant.to_kind, grant.to_name) == (kind, old):
        return None if new is None else replace(grant, to_name=new)
    if (grant.on_kind, grant.on_name) == (kind, old):
        return None if new is None else replace(grant, on_name=new)
    if kind in ("DATABASE", "SCHEMA") and grant.on_name.startswith(old + "."):
        return None if new is None else replace(grant, on_name=new + grant.on_name[len(old) :])
    return grant
