"""GRANT and REVOKE.

https://docs.snowflake.com/en/sql-reference/sql/grant-privilege, .../grant-role, .../grant-ownership,
.../revoke-privilege
"""

from __future__ import annotations

from polynya.catalog import rights
from polynya.catalog.kinds import sql_kind
from polynya.catalog.model import CatalogObject, Grant, Schema
from polynya.catalog.privileges import ROLE_KINDS
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, insufficient_privileges, unsupported
from polynya.statements import objects, ownership, shares
from polynya.statements.base import Execution, statement
from polynya.statements.grant_targets import Grantee, Target, read_grantee, read_target
from polynya.types.resultset import ResultSet

# What ALL PRIVILEGES means, by kind.
# https://docs.snowflake.com/en/user-guide/security-access-control-privileges
ALL_PRIVILEGES = {
    "DATABASE": ["APPLYBUDGET", "CREATE DATABASE ROLE", "CREATE SCHEMA", "MODIFY", "MONITOR", "USAGE"],
    "SCHEMA": [
        "ADD SEARCH OPTIMIZATION", "APPLYBUDGET", "CREATE ALERT", "CREATE ARTIFACT REPOSITORY", "CREATE DYNAMIC TABLE",
        "CREATE EVENT TABLE", "CREATE EXTERNAL TABLE", "CREATE FILE FORMAT", "CREATE FUNCTION",
        "CREATE IMAGE REPOSITORY", "CREATE MASKING POLICY", "CREATE MATERIALIZED VIEW", "CREATE NETWORK RULE",
        "CREATE PIPE", "CREATE PROCEDURE", "CREATE ROW ACCESS POLICY", "CREATE SECRET", "CREATE SEQUENCE",
        "CREATE STAGE", "CREATE STREAM", "CREATE STREAMLIT", "CREATE TABLE", "CREATE TAG", "CREATE TASK",
        "CREATE TEMPORARY TABLE", "CREATE VIEW", "MODIFY", "MONITOR", "USAGE",
    ],
    "TABLE": ["DELETE", "EVOLVE SCHEMA", "INSERT", "REBUILD", "REFERENCES", "SELECT", "TRUNCATE", "UPDATE"],
    "VIEW": ["REFERENCES", "SELECT"],
    "DYNAMIC TABLE": ["MONITOR", "OPERATE", "SELECT"],
    "WAREHOUSE": ["APPLYBUDGET", "MODIFY", "MONITOR", "OPERATE", "USAGE"],
    "STAGE": ["READ", "USAGE", "WRITE"],
    "STREAM": ["SELECT"],
    "TASK": ["MONITOR", "OPERATE"],
    "SECRET": ["READ", "USAGE"],
    "TAG": ["APPLY", "READ"],
    "MASKING POLICY": ["APPLY"],
    "ROW ACCESS POLICY": ["APPLY"],
    "INTEGRATION": ["USAGE", "USE_ANY_ROLE"],
    "USER": ["MONITOR"],
    "ACCOUNT": [
        "APPLY MASKING POLICY", "APPLY ROW ACCESS POLICY", "APPLY TAG", "ATTACH POLICY", "CREATE DATABASE",
        "CREATE INTEGRATION", "CREATE ROLE", "CREATE SHARE", "CREATE USER", "CREATE WAREHOUSE", "EXECUTE TASK",
        "IMPORT SHARE", "MANAGE GRANTS", "MANAGE WAREHOUSES", "MONITOR EXECUTION", "MONITOR USAGE", "OVERRIDE SHARE RESTRICTIONS",
    ],
}  # fmt: skip
_USAGE = ["USAGE"]
# Only its holders give it on.
_ADMINISTRATOR = "ACCOUNTADMIN"


@statement("GRANT")
def grant(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("GRANT")
    privileges, target = _read_given(execution, stream)
    stream.expect("TO")
    grantee = read_grantee(execution, stream)
    option = stream.accept("WITH", "GRANT", "OPTION")
    current = stream.accept_one("COPY CURRENT GRANTS", "REVOKE CURRENT GRANTS")
    stream.expect_end()
    if target.future and grantee.kind == "SHARE":
        raise unsupported("GRANT ON FUTURE objects TO SHARE")
    if grantee.kind == "SHARE":
        execution.require("OWNERSHIP", grantee.item)
    privileges = shares.check_grant(execution, privileges, target.items, grantee.kind, grantee.name)
    if privileges == [rights.OWNERSHIP] and not target.future:
        ownership.give(execution, target.items, grantee, current)
        return objects.done()
    if target.kind in ROLE_KINDS and privileges == _USAGE:
        _check_no_cycle(execution, target, grantee)
    given, refused = _grants(execution, privileges, target, grantee, option)
    execution.context.catalog.grant(*given)
    if refused:
        # What may be granted was granted, as in Snowflake.
        names = ", ".join(dict.fromkeys(refused))
        raise SnowflakeError(3011, "42501", f"Grant partially executed: privileges [{names}] not granted.")
    return objects.done()


@statement("REVOKE")
def revoke(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog = execution.context.catalog
    stream.expect("REVOKE")
    only_option = stream.accept("GRANT", "OPTION", "FOR")
    privileges, target = _read_given(execution, stream)
    stream.expect("FROM")
    grantee = read_grantee(execution, stream)
    cascade = stream.accept_one("CASCADE", "RESTRICT") == "CASCADE"
    stream.expect_end()
    if privileges == [shares.IMPORTED_PRIVILEGES]:
        privileges = ["USAGE"]
    if privileges == [rights.OWNERSHIP] and not target.future:
        raise compilation_error(
            3001, "42501", "OWNERSHIP cannot be revoked, only transferred: use GRANT OWNERSHIP ... TO ROLE."
        )
    if grantee.kind == "SHARE":
        execution.require("OWNERSHIP", grantee.item)
    given, _ = _grants(execution, privileges, target, grantee, False)
    dependent = [other for one in given for other in _dependent(execution, one, target)]
    if dependent and not cascade:
        raise ownership.dependent_grant(dependent[0])
    for other in dependent:
        catalog.revoke(other)
    for one in given:
        if catalog.revoke(one) and only_option:
            catalog.grant(one)
    return objects.done()


def _read_given(execution: Execution, stream: TokenStream) -> tuple[list[str], Target]:
    """``role``s or privileges with what they are on."""
    catalog, context = execution.context.catalog, execution.context
    if stream.at("ROLE") or stream.at("DATABASE", "ROLE"):
        kind = stream.accept_one("DATABASE ROLE", "ROLE")
        assert kind is not None
        return ["USAGE"], Target(kind, [catalog.get(context, kind, stream.name())])
    privileges = _read_privileges(stream)
    stream.expect("ON")
    return privileges, read_target(execution, stream)


def _read_privileges(stream: TokenStream) -> list[str]:
    """``SELECT, CREATE TABLE ...`` or ``ALL [PRIVILEGES]``."""
    privileges = []
    while True:
        words = [stream.word()]
        while not (stream.at(",") or stream.at("ON")):
            words.append(stream.word())  # no list of columns: Snowflake grants whole objects
        privileges.append(" ".join(words))
        _check_known(privileges[-1])
        if not stream.accept(","):
            return privileges


_KNOWN = {privilege for names in ALL_PRIVILEGES.values() for privilege in names} | {
    "ALL", "ALL PRIVILEGES", "USAGE", "OWNERSHIP", "REFERENCE_USAGE", "READ SESSION", "RESOLVE ALL", "VIEW LINEAGE", "AUDIT",
    "APPLY PASSWORD POLICY", "APPLY SESSION POLICY", "APPLY AUTHENTICATION POLICY", "MONITOR SECURITY", "OVERRIDE SHARE RESTRICTIONS",
    "EXECUTE ALERT", "EXECUTE MANAGED TASK", "BIND SERVICE ENDPOINT", "IMPERSONATE", "MODIFY PROGRAMMATIC AUTHENTICATION METHODS",
    shares.IMPORTED_PRIVILEGES,
}  # fmt: skip


def _check_known(privilege: str) -> None:
    """Refuses a misspelt privilege, which would never be asked for."""
    if privilege not in _KNOWN and not privilege.startswith("CREATE "):
        raise unsupported(f"privilege {privilege}")


# --- what a statement gives, and by whose right -------------------------------------------------------------------------


def _grants(
    execution: Execution, privileges: list[str], target: Target, grantee: Grantee, option: bool
) -> tuple[list[Grant], list[str]]:
    """The single grants that a statement means, and the privileges that the session may not give.

    Raises:
        SnowflakeError: 003001, 003011 if it may give none of them.
    """
    catalog = execution.context.catalog
    wanted = _expanded(privileges, target.kind)
    found: list[Grant] = []
    refused: list[str] = []

    def give(privilege: str, kind: str, name: str, grantor: str | None, future: bool = False) -> None:
        if grantor is None:
            refused.append(privilege)
            return
        found.append(Grant(privilege, kind, name, grantee.kind, grantee.name, option, grantor, future))

    for privilege in wanted:
        if target.kind == "ACCOUNT":
            give(privilege, "ACCOUNT", catalog.account_name, rights.may_grant_globally(execution.context, privilege))
        elif target.container is not None and target.future:
            name = f"{catalog.full_name(target.container)}.<{target.kind}>"
            give(privilege, target.kind, name, _future_grantor(execution, target.container), future=True)
        for item in target.items:
            grantor = _grantor(execution, privilege, item)
            give(privilege, _kind_in_grants(target, item), catalog.grant_name(item), grantor)
    if refused and not found:
        if target.kind == "ACCOUNT":
            raise insufficient_privileges("account", catalog.account_name)
        if target.future and target.container is not None:
            raise rights.denied(execution.context, target.container)
        raise _not_executed(execution, target.items[0])
    return found, refused


def _not_executed(execution: Execution, item: CatalogObject) -> SnowflakeError:
    if sql_kind(item) in ROLE_KINDS:
        return insufficient_privileges(sql_kind(item), item.name)
    return SnowflakeError(3011, "42501", "Grant not executed: Insufficient privileges.")


def _kind_in_grants(target: Target, item: CatalogObject) -> str:
    """A view is a view, though the statement may call it a table."""
    return sql_kind(item) if target.kind in ("TABLE", "VIEW") else target.kind


def _grantor(execution: Execution, privilege: str, item: CatalogObject) -> str | None:
    context = execution.context
    if sql_kind(item) == "ROLE" and item.name == _ADMINISTRATOR and not rights.rights(context).administrator:
        return None
    return rights.may_grant(context, privilege, item)


def _future_grantor(execution: Execution, container: CatalogObject) -> str | None:
    """Future grants are for MANAGE GRANTS, and for the owner of a managed access schema."""
    context = execution.context
    managed = isinstance(container, Schema) and container.options.get("MANAGED ACCESS")
    if rights.has_account(context, rights.MANAGE_GRANTS) or (managed and rights.owns(context, container)):
        return container.owner or objects.owner(execution)
    return None


def _expanded(privileges: list[str], kind: str) -> list[str]:
    if privileges in (["ALL"], ["ALL PRIVILEGES"]):
        return ALL_PRIVILEGES.get(kind, _USAGE)
    if any(privilege.startswith("ALL") for privilege in privileges):
        raise compilation_error(1003, "42000", "ALL cannot be combined with other privileges")
    return privileges


def _check_no_cycle(execution: Execution, target: Target, grantee: Grantee) -> None:
    """Raises if a role would be granted to one that it holds itself."""
    catalog = execution.context.catalog
    for item in target.items:
        holder = (target.kind, catalog.grant_name(item))
        if (grantee.kind, grantee.name) in catalog.role_graph().reached(holder) and grantee.name != "PUBLIC":
            raise compilation_error(
                3017, "42501", f"Cannot grant {target.kind.lower()} '{item.name}' to '{grantee.name}', which it holds: "
                "the hierarchy of roles would go round in a circle.",
            )  # fmt: skip


def _dependent(execution: Execution, revoked: Grant, target: Target) -> list[Grant]:
    """What the holder of a privilege with the grant option, which it loses, has granted further."""
    catalog = execution.context.catalog
    owners = {item.owner for item in target.items}
    found: dict[tuple, Grant] = {}
    pending = [revoked] if target.kind not in ROLE_KINDS else []
    while pending:
        lost = pending.pop()
        if lost.to_kind != "ROLE" or lost.to_name in owners or lost.future:
            continue
        for other in catalog.grants():
            same = (other.privilege, other.on_kind, other.on_name) == (lost.privilege, lost.on_kind, lost.on_name)
            key = (other.to_kind, other.to_name)
            if same and other.granted_by == lost.to_name and key not in found and key != ("ROLE", lost.to_name):
                found[key] = other
                pending.append(other)
    return list(found.values())
