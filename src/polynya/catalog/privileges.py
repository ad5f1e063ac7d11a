"""Grants: identity, inheritance of roles, and what renaming an object does to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from polynya.catalog.model import Grant

# ("ROLE", name), ("DATABASE ROLE", full name), ("USER", name), ("SHARE", name).
Holder = tuple[str, str]
ROLE_KINDS = ("ROLE", "DATABASE ROLE")
# Kinds that share names with tables.
_TABLES = {
    "VIEW", "DYNAMIC TABLE", "MATERIALIZED VIEW", "EXTERNAL TABLE", "ICEBERG TABLE", "HYBRID TABLE",
}  # fmt: skip


def key_of(grant: Grant) -> tuple[str, str, str, str, str, bool]:
    """What makes two grants the same one."""
    return (grant.privilege, grant.on_kind, grant.on_name, grant.to_kind, grant.to_name, grant.future)


def grant_family(kind: str) -> str:
    """The kind under which the catalog finds what a grant is on: names of views and tables are one space."""
    return "TABLE" if kind in _TABLES else kind


@dataclass(frozen=True, slots=True)
class Roles:
    """Who holds which roles and privileges, as of one state of the grants.

    Args:
        held: holder -> the roles granted to it.
        given: holder -> its grants on anything but roles, without future ones.
    """

    held: dict[Holder, list[Holder]] = field(default_factory=dict)
    given: dict[Holder, list[Grant]] = field(default_factory=dict)

    def reached(self, *holders: Holder) -> list[Holder]:
        """The roles among the holders, those granted to them, those granted to these, and PUBLIC.

        https://docs.snowflake.com/en/user-guide/security-access-control-overview#role-hierarchy-and-privilege-inheritance
        """
        found = dict.fromkeys(holders)
        pending = list(holders)
        while pending:
            for role in self.held.get(pending.pop(), ()):
                if role not in found:
                    found[role] = None
                    pending.append(role)
        if ("ROLE", "PUBLIC") not in found:
            found.update(dict.fromkeys(self.reached(("ROLE", "PUBLIC"))))
        return list(found)


def role_graph(grants: Iterable[Grant]) -> Roles:
    """Sorts grants by their holders."""
    graph = Roles()
    for grant in grants:
        holder = (grant.to_kind, grant.to_name)
        if grant.on_kind in ROLE_KINDS and grant.privilege == "USAGE":
            graph.held.setdefault(holder, []).append((grant.on_kind, grant.on_name))
        elif not grant.future:
            graph.given.setdefault(holder, []).append(grant)
    return graph


def inherited_roles(graph: Roles, kind: str, name: str) -> list[str]:
    """The account roles that a user or role has: those granted to it, those granted to these, and PUBLIC."""
    return [role for of_kind, role in graph.reached((kind, name)) if of_kind == "ROLE"]


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
    if (grant_family(grant.on_kind), grant.on_name) == (grant_family(kind), old):
        return None if new is None else replace(grant, on_name=new)
    if kind == "ROLE" and grant.granted_by == old:
        return replace(grant, granted_by=new or "")
    if kind not in ("DATABASE", "SCHEMA"):
        return grant
    if grant.to_kind == "DATABASE ROLE" and grant.to_name.startswith(old + "."):
        if new is None:
            return None
        grant = replace(grant, to_name=new + grant.to_name[len(old) :])
    if grant.on_name.startswith(old + ".") and grant.on_kind not in _ACCOUNT_KINDS:
        return None if new is None else replace(grant, on_name=new + grant.on_name[len(old) :])
    return grant


def swapped(grant: Grant, kind: str, one: str, other: str) -> Grant:
    """The grant after two objects exchanged their names: it stays with its object.

    Args:
        grant: any.
        kind: of both objects.
        one, other: their full names.

    Returns:
        The same grant if it has nothing to do with them.
    """
    for old, new in ((one, _NOWHERE), (other, one), (_NOWHERE, other)):
        grant = renamed(grant, kind, old, new) or grant
    return grant


# No object has this name.
_NOWHERE = "\0"
# Names of these have no parts: a dot in one is a character like others.
_ACCOUNT_KINDS = ("ROLE", "USER", "WAREHOUSE", "INTEGRATION", "SHARE", "ACCOUNT")
