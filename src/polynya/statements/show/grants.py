"""SHOW GRANTS. https://docs.snowflake.com/en/sql-reference/sql/show-grants"""

from __future__ import annotations

from typing import Any

from polynya.catalog import rights
from polynya.catalog.granted import sees_grant
from polynya.catalog.kinds import sql_kind
from polynya.catalog.model import CatalogObject, Grant
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.grant_targets import find_object, read_kind
from polynya.statements.show import shares
from polynya.statements.show.listing import MOMENT, TEXT, Field, answer, created
from polynya.types.resultset import ResultSet

# Kinds whose owner SHOW GRANTS TO ROLE lists.
_OWNED = (
    "DATABASE", "SCHEMA", "TABLE", "SEQUENCE", "STAGE", "FILE FORMAT", "FUNCTION", "PROCEDURE", "WAREHOUSE", "ROLE", "USER",
    "TAG", "SECRET", "NETWORK RULE", "INTEGRATION", "DATABASE ROLE", "SHARE",
)  # fmt: skip

_PRIVILEGES: list[Field] = [
    ("created_on", MOMENT, created),
    ("privilege", TEXT, lambda grant: grant.privilege),
    ("granted_on", TEXT, lambda grant: grant.on_kind.replace(" ", "_")),
    ("name", TEXT, lambda grant: grant.on_name),
    ("granted_to", TEXT, lambda grant: grant.to_kind.replace(" ", "_")),
    ("grantee_name", TEXT, lambda grant: grant.to_name),
    ("grant_option", TEXT, lambda grant: "true" if grant.grant_option else "false"),
    ("granted_by", TEXT, lambda grant: grant.granted_by),
    ("granted_by_role_type", TEXT, lambda grant: "ROLE" if grant.granted_by else ""),
]
_ROLES: list[Field] = [
    ("created_on", MOMENT, created),
    ("role", TEXT, lambda grant: grant.on_name),
    ("granted_to", TEXT, lambda grant: grant.to_kind),
    ("grantee_name", TEXT, lambda grant: grant.to_name),
    ("granted_by", TEXT, lambda grant: grant.granted_by),
]
_FUTURE: list[Field] = [
    ("created_on", MOMENT, created),
    ("privilege", TEXT, lambda grant: grant.privilege),
    ("grant_on", TEXT, lambda grant: grant.on_kind.replace(" ", "_")),
    ("name", TEXT, lambda grant: grant.on_name),
    ("grant_to", TEXT, lambda grant: grant.to_kind),
    ("grantee_name", TEXT, lambda grant: grant.to_name),
    ("grant_option", TEXT, lambda grant: "true" if grant.grant_option else "false"),
]


@statement("SHOW GRANTS")
def show_grants(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("SHOW", "GRANTS")
    found: list[Any]
    if stream.accept("ON"):
        fields = _PRIVILEGES
        found = _on(execution, stream)
    elif stream.accept("TO"):
        kind = stream.accept_one("DATABASE ROLE", "ROLE", "USER", "SHARE") or "ROLE"
        holder = catalog.get(context, kind, stream.name())
        _check_asked(execution, kind, holder)
        fields = _ROLES if kind == "USER" else _PRIVILEGES
        found = _to(execution, kind, catalog.grant_name(holder))
    elif stream.accept("OF", "SHARE"):
        fields = shares.ACCOUNTS_OF
        found = shares.accounts_of(execution, stream.name())
    elif stream.accept("OF"):
        kind = stream.accept_one("DATABASE ROLE", "ROLE") or "ROLE"
        role = catalog.get(context, kind, stream.name())
        _check_asked(execution, kind, role)
        fields = _ROLES
        found = [grant for grant in catalog.grants_on(kind, catalog.grant_name(role)) if grant.privilege == "USAGE"]
    else:
        fields = _ROLES
        found = _to(execution, "USER", context.user)
    stream.expect_end()
    return answer(fields, found)


def _check_asked(execution: Execution, kind: str, holder: CatalogObject) -> None:
    """Refuses what a role or user was given to who neither has nor owns it, and may not manage grants.

    Raises:
        SnowflakeError: 003001.
    """
    context = execution.context
    own = {
        "ROLE": {*rights.available_roles(context), *rights.session_roles(context)},
        "DATABASE ROLE": rights.session_database_roles(context),
        "USER": {context.user},
    }.get(kind, set())
    if context.catalog.grant_name(holder) not in own and not rights.has_account(context, rights.MANAGE_GRANTS):
        execution.require("OWNERSHIP", holder)


def _on(execution: Execution, stream: TokenStream) -> list[Grant]:
    catalog = execution.context.catalog
    if stream.accept("ACCOUNT"):
        grants = catalog.grants_on("ACCOUNT", catalog.account_name)
        return [grant for grant in grants if sees_grant(execution.context, grant)]
    kind = read_kind(stream)
    item = find_object(execution, kind, stream)
    owned = [_ownership(execution, item)] if item.owner else []
    return [*owned, *catalog.grants_on(sql_kind(item), catalog.grant_name(item))]


def _ownership(execution: Execution, item: CatalogObject) -> Grant:
    return Grant(
        "OWNERSHIP", sql_kind(item), execution.context.catalog.grant_name(item), "ROLE", item.owner, grant_option=True,
        granted_by=item.owner, created_on=item.created_on,
    )  # fmt: skip


def _to(execution: Execution, kind: str, name: str) -> list[Grant]:
    catalog = execution.context.catalog
    found = [grant for grant in catalog.grants_to(kind, name) if not grant.future]
    if kind == "USER":
        return [grant for grant in found if grant.on_kind == "ROLE"]
    if kind == "ROLE":
        owned = [item for kind in _OWNED for item in catalog.all(kind) if item.owner == name]
        # An identity's sequence belongs to its table.
        found += [_ownership(execution, item) for item in owned if not _is_hidden(execution, item)]
    return found


def _is_hidden(execution: Execution, item: CatalogObject) -> bool:
    parent = execution.context.catalog.by_id(item.parent)
    return type(parent).__name__ == "Table"


@statement("SHOW FUTURE GRANTS")
def show_future_grants(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("SHOW", "FUTURE", "GRANTS")
    found = [grant for grant in catalog.grants() if grant.future and sees_grant(context, grant)]
    if stream.accept("TO"):
        to_kind = stream.accept_one("DATABASE ROLE", "ROLE") or "ROLE"
        holder = catalog.get(context, to_kind, stream.name())
        _check_asked(execution, to_kind, holder)
        name = catalog.grant_name(holder)
        found = [grant for grant in found if (grant.to_kind, grant.to_name) == (to_kind, name)]
    else:
        stream.expect("IN")
        kind = stream.accept_one("SCHEMA", "DATABASE")
        if kind is None:
            raise stream.error()
        place = catalog.get(context, kind, stream.name())
        container = catalog.full_name(place)
        if rights.owns(context, place):
            found = [grant for grant in catalog.grants() if grant.future]
        found = [grant for grant in found if grant.on_name.rpartition(".<")[0] == container]
    stream.expect_end()
    return answer(_FUTURE, found)
