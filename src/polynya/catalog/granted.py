"""What grants are on, and who may see them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polynya.catalog import rights
from polynya.catalog.kinds import depth_of
from polynya.catalog.model import CatalogObject, Grant
from polynya.catalog.names import split_name
from polynya.catalog.privileges import grant_family

if TYPE_CHECKING:
    from polynya.catalog.context import Context
    from polynya.catalog.store import Catalog

_ROUTINES = ("FUNCTION", "PROCEDURE")
_BARE = ("ROLE", "USER", "SHARE")


def object_of(catalog: Catalog, kind: str, name: str) -> CatalogObject | None:
    """The object that a grant names, or None.

    Args:
        catalog: of the account.
        kind, name: as the grant has them.
    """
    if kind == "ACCOUNT":
        return None
    signature = ""
    if kind in _ROUTINES:
        found = re.search(r"\([^()]*\)$", name)
        signature, name = (found[0], name[: found.start()]) if found else ("", name)
    parts = [name] if kind in _BARE else split_name(name)
    current: CatalogObject | None = None
    kinds = [grant_family(kind)] if depth_of(kind) == 1 else ["DATABASE", "SCHEMA", grant_family(kind)]
    if depth_of(kind) == 2:
        kinds = ["DATABASE", kind]
    if len(kinds) != len(parts):
        return None
    for of_kind, part in zip(kinds, parts, strict=True):
        key = part + signature if of_kind == kind else part
        current = catalog.child(current.id if current else 0, of_kind, key)
        if current is None:
            return None
    return current


def sees_grant(context: Context, grant: Grant) -> bool:
    """Whether the session may know of a grant: one to its roles or its user, or on what it owns, or all of them with
    MANAGE GRANTS."""
    held = rights.rights(context)
    if context.unrestricted or held.globally(rights.MANAGE_GRANTS):
        return True
    if (grant.to_kind, grant.to_name) == ("USER", context.user):
        return True
    if grant.to_kind == "ROLE" and grant.to_name in held.roles:
        return True
    if grant.to_kind == "DATABASE ROLE" and grant.to_name in held.database_roles:
        return True
    item = object_of(context.catalog, grant.on_kind, grant.on_name) if not grant.future else None
    return item is not None and rights.owns(context, item)
