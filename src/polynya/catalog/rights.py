"""Who may do what: the one place that decides, from the roles of a session and the grants of the account.

Sources: docs.snowflake.com/en/user-guide/security-access-control-overview,
docs.snowflake.com/en/user-guide/security-access-control-privileges,
docs.snowflake.com/en/user-guide/security-access-control-considerations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from polynya.catalog.imported import share_of
from polynya.catalog.kinds import is_temporary, kind_of, sql_kind, title_of
from polynya.catalog.model import CatalogObject, Database, Role, User
from polynya.catalog.names import join_name, split_name
from polynya.catalog.privileges import Holder, Roles, grant_family
from polynya.errors import SnowflakeError, does_not_exist, insufficient_privileges

if TYPE_CHECKING:
    from polynya.catalog.context import Context

OWNERSHIP = "OWNERSHIP"
MANAGE_GRANTS = "MANAGE GRANTS"
# Global privileges that system roles have without a grant and may grant further; what they inherit comes by the hierarchy of roles.
# ACCOUNTADMIN has every global privilege.
_GLOBAL = {
    "SECURITYADMIN": frozenset({MANAGE_GRANTS}),
    "USERADMIN": frozenset({"CREATE USER", "CREATE ROLE"}),
    "SYSADMIN": frozenset({"CREATE DATABASE", "CREATE WAREHOUSE"}),
}
_ADMINISTRATOR = "ACCOUNTADMIN"
_NOTHING: dict[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Rights:
    """What a set of roles may do.

    Args:
        roles: account roles, inherited ones and PUBLIC included.
        database_roles: full names.
        granted: (kind, name) of an object as grants name it -> privilege -> whether it may be granted further.
        account: global privilege -> whether it may be granted further.
        administrator: whether ACCOUNTADMIN is among the roles, which has all global privileges.
    """

    roles: frozenset[str]
    database_roles: frozenset[str]
    granted: dict[tuple[str, str], dict[str, bool]]
    account: dict[str, bool]
    administrator: bool

    def globally(self, privilege: str) -> bool:
        """Whether the roles have a privilege on the account."""
        return self.administrator or privilege in self.account


# --- roles of a session ------------------------------------------------------------------------------------------------


def rights(context: Context) -> Rights:
    """What a session's statement may do, by all its active roles."""
    if context.acting is not None:
        return _of(context, (("ROLE", context.acting),), context.acting)
    return session_rights(context)


def session_rights(context: Context) -> Rights:
    """What the session may do, where a view's or function's owner counts too."""
    role = context.role or "PUBLIC"
    secondary = context.secondary_roles
    if secondary == "NONE":
        return _of(context, (("ROLE", role),), role)
    if secondary == "ALL":
        return _of(context, (("ROLE", role), ("USER", context.user)), (role, context.user))
    names = tuple(("ROLE", name) for name in secondary.split(","))
    return _of(context, (("ROLE", role), *names), (role, secondary, 0))


def primary_rights(context: Context) -> Rights:
    """What the session may do by its current role and those that it inherits: CREATE is decided by these."""
    role = context.acting or context.role or "PUBLIC"
    return _of(context, (("ROLE", role),), role)


def active_roles(context: Context) -> frozenset[str]:
    """The account roles whose privileges count for a statement."""
    return rights(context).roles


def primary_roles(context: Context) -> frozenset[str]:
    """The current role and those that it inherits."""
    return primary_rights(context).roles


def active_database_roles(context: Context) -> frozenset[str]:
    """Full names of the database roles whose privileges count for a statement."""
    return rights(context).database_roles


def session_roles(context: Context) -> frozenset[str]:
    """The session's own active account roles, inside views and functions too."""
    return session_rights(context).roles


def session_database_roles(context: Context) -> frozenset[str]:
    """Full names of the session's own active database roles, inside views and functions too."""
    return session_rights(context).database_roles


def available_roles(context: Context) -> list[str]:
    """The roles that the session's user may use."""
    return context.catalog.roles_of(context.user)


def with_rights_of(context: Context, owner: str) -> Context:
    """The context in which an owner's query is bound: with the owner's rights, the rest is the session's.

    Args:
        context: of the session.
        owner: role that owns a view, a function, a policy.
    """
    if context.unrestricted or owner in session_roles(context):
        return replace(context, acting=owner, unrestricted=False)
    # A temporary table of the session must not stand in for one that the owner reads.
    return replace(context, acting=owner, unrestricted=False, temporary={})


# --- questions ---------------------------------------------------------------------------------------------------------


def has_account(context: Context, privilege: str) -> bool:
    """Whether the session has a global privilege.

    Args:
        privilege: ``CREATE DATABASE``, ``MANAGE GRANTS`` ...; CREATE is decided by the current role alone.
    """
    if context.unrestricted:
        return True
    return (primary_rights(context) if privilege.startswith("CREATE ") else rights(context)).globally(privilege)


def owns(context: Context, item: CatalogObject) -> bool:
    """Whether one of the active roles owns an object; temporary objects are their session's."""
    return context.unrestricted or is_temporary(item) or _owns(rights(context), item)


def has(context: Context, privilege: str | tuple[str, ...], item: CatalogObject) -> bool:
    """Whether the session has a privilege on an object, and may reach what the object lies in.

    Args:
        context: of the session.
        privilege: ``SELECT``, ``OWNERSHIP``, ``CREATE TABLE`` ...; of several, one is enough. Ownership implies all.
        item: of the catalog.
    """
    if context.unrestricted or is_temporary(item):
        return True
    wanted = (privilege,) if isinstance(privilege, str) else privilege
    if not _reaches(context, rights(context), item):
        return False
    held = primary_rights(context) if wanted[0].startswith("CREATE ") else rights(context)
    if _owns(held, item):
        return True
    own = held.granted.get(_key(context, item), _NOTHING)
    return any(one in own for one in wanted) or (_imported(context, item) and not wanted[0].startswith(_CHANGES))


def sees(context: Context, item: CatalogObject) -> bool:
    """Whether the session may know of an object: it has some privilege on it, or MANAGE GRANTS.

    Roles and users have no secret names: whoever grants must be able to name them.
    """
    if context.unrestricted or is_temporary(item) or isinstance(item, Role | User):
        return True
    held = rights(context)
    if held.administrator or MANAGE_GRANTS in held.account:
        return True
    if not _reaches(context, held, item):
        return False
    # INFORMATION_SCHEMA, the schema without a row of its own, belongs to whoever may use its database.
    return item.id < 0 or _any(context, held, item) or _imported(context, item) or _owns_grants(context, held, item)


def may_read_text(context: Context, item: CatalogObject) -> bool:
    """Whether the session may read how a view or function is made: of a secure one only its owner may."""
    return not (getattr(item, "secure", False) or item.options.get("SECURE")) or owns(context, item)


def may_use_database(context: Context, database: CatalogObject) -> bool:
    """Whether the session has some privilege on a database: its INFORMATION_SCHEMA may be read."""
    return context.unrestricted or _any(context, rights(context), database)


def may_grant(context: Context, privilege: str, item: CatalogObject) -> str | None:
    """The role by whose right a session may grant or revoke a privilege on an object, or None.

    Args:
        context: of the session.
        privilege: to be granted.
        item: the object, a role included.

    Returns:
        Its owner for who owns it or has MANAGE GRANTS, else the role whose grant option it is.
    """
    held = rights(context)
    manages = context.unrestricted or held.globally(MANAGE_GRANTS)
    if manages or (_reaches(context, held, item) and _owns_grants(context, held, item)):
        return item.owner or context.role or ""
    if managed_by(context, item) is not None or not _reaches(context, held, item):
        return None
    option = held.granted.get(_key(context, item), _NOTHING).get(privilege, False)
    return (context.role or "") if option and privilege != OWNERSHIP else None


def may_grant_globally(context: Context, privilege: str) -> str | None:
    """The role by whose right a session may grant or revoke a global privilege, or None."""
    held = rights(context)
    if context.unrestricted or held.globally(MANAGE_GRANTS):
        return "ACCOUNTADMIN"
    return (context.role or "") if held.account.get(privilege) else None


def managed_by(context: Context, item: CatalogObject) -> CatalogObject | None:
    """The managed access schema in which an object lies: its owner alone grants there."""
    schema = context.catalog.by_id(item.parent) if item.parent else None
    return schema if schema is not None and schema.options.get("MANAGED ACCESS") else None


# --- demands -----------------------------------------------------------------------------------------------------------


def require(context: Context, privilege: str | tuple[str, ...], item: CatalogObject) -> None:
    """Refuses a statement that lacks a privilege.

    Args:
        context: of the session.
        privilege: as for ``has``.
        item: the object.

    Raises:
        SnowflakeError: 002003 for an object that the session may not see, 003001 for one that it sees.
    """
    if has(context, privilege, item):
        return
    if not sees(context, item):
        raise does_not_exist(title_of(kind_of(item)), item.name)
    raise denied(context, item)


def require_account(context: Context, privilege: str) -> None:
    """Refuses a statement that lacks a global privilege.

    Raises:
        SnowflakeError: 003001.
    """
    if not has_account(context, privilege):
        raise insufficient_privileges("account", context.catalog.account_name)


def denied(context: Context, item: CatalogObject) -> SnowflakeError:
    """003001 on the object, or on the schema or database around it that the session may not use."""
    held = rights(context)
    for container in reversed(_containers(context, item)):
        if not _any(context, held, container):
            return insufficient_privileges(sql_kind(container), container.name)
    return insufficient_privileges(sql_kind(item), item.name)


# --- inside ------------------------------------------------------------------------------------------------------------

# Privileges that nobody has on what comes from a share.
_CHANGES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "OWNERSHIP", "MODIFY", "WRITE", "CREATE ", "APPLY")


def _of(context: Context, holders: tuple[Holder, ...], key: object) -> Rights:
    """The rights of roles (and of a user, for its secondary roles), made once for each state of the grants."""
    catalog = context.catalog
    found = catalog.rights_cache.get(key)
    if found is None or found[0] != catalog.grants_version:
        version = catalog.grants_version
        found = (version, _collect(catalog.role_graph(), holders))
        catalog.rights_cache[key] = found
    return found[1]


def _collect(graph: Roles, holders: tuple[Holder, ...]) -> Rights:
    reached = graph.reached(*holders)
    roles = frozenset(name for kind, name in reached if kind == "ROLE")
    database_roles = frozenset(name for kind, name in reached if kind == "DATABASE ROLE")
    granted: dict[tuple[str, str], dict[str, bool]] = {}
    account = {privilege: True for role in roles for privilege in _GLOBAL.get(role, ())}
    for holder in reached:
        for grant in graph.given.get(holder, ()):
            if grant.on_kind == "ACCOUNT":
                account[grant.privilege] = grant.grant_option or account.get(grant.privilege, False)
            else:
                privileges = granted.setdefault((grant_family(grant.on_kind), grant.on_name), {})
                privileges[grant.privilege] = grant.grant_option or privileges.get(grant.privilege, False)
    for name in database_roles:  # a database role may use its database
        database = join_name(split_name(name)[:1])
        granted.setdefault(("DATABASE", database), {}).setdefault("USAGE", False)
    return Rights(roles, database_roles, granted, account, _ADMINISTRATOR in roles)


def _owns(held: Rights, item: CatalogObject) -> bool:
    return item.owner in held.roles if item.owner else False


def _owns_grants(context: Context, held: Rights, item: CatalogObject) -> bool:
    """Whether the roles decide on an object's grants as its owner, or as the owner of its managed access schema."""
    return _owns(held, managed_by(context, item) or item)


def _key(context: Context, item: CatalogObject) -> tuple[str, str]:
    return kind_of(item), context.catalog.grant_name(item)


def _any(context: Context, held: Rights, item: CatalogObject) -> bool:
    """Whether the roles own an object or have any privilege on it."""
    return _owns(held, item) or _key(context, item) in held.granted


def _containers(context: Context, item: CatalogObject) -> list[CatalogObject]:
    """The schema and the database in which an object lies, from inside out."""
    found: list[CatalogObject] = []
    current = context.catalog.by_id(abs(item.parent)) if item.parent else None
    while current is not None:
        found.append(current)
        current = context.catalog.by_id(abs(current.parent)) if current.parent else None
    return found


def _reaches(context: Context, held: Rights, item: CatalogObject) -> bool:
    """Whether the roles have some privilege on each of the schema and the database in which an object lies.

    The documentation speaks of at least one privilege, not of USAGE alone. Whoever may use a database made from a share
    reaches all that lies in it.
    """
    containers = _containers(context, item)
    if containers and _is_imported(containers[-1]):
        return _any(context, held, containers[-1])
    return all(_any(context, held, container) for container in containers)


def _imported(context: Context, item: CatalogObject) -> bool:
    """Whether an object lies in a database made from a share, whose use is granted as a whole."""
    containers = _containers(context, item)
    return bool(containers) and _is_imported(containers[-1])


def _is_imported(database: CatalogObject) -> bool:
    return isinstance(database, Database) and (bool(share_of(database)) or "ORIGIN" in database.options)
