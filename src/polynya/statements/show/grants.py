"""SHOW GRANTS. https://docs.snowflake.com/en/sql-reference/sql/show-grants"""

from __future__ import annotations

from typing import Any

from polynya.catalog.kinds import sql_kind
from polynya.catalog.model import CatalogObject, Grant
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.grants import find_object, name_in_grants, read_kind
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
        name = catalog.full_name(holder) if kind == "DATABASE ROLE" else holder.name
        fields = _ROLES if kind == "USER" else _PRIVILEGES
        found = _to(execution, kind, name)
    elif stream.accept("OF", "SHARE"):
        fields = shares.ACCOUNTS_OF
        found = shares.accounts_of(execution, stream.name())
    elif stream.accept("OF"):
        kind = stream.accept_one("DATABASE ROLE", "ROLE") or "ROLE"
        role = catalog.get(context, kind, stream.name())
        fields = _ROLES
        found = [
            grant for grant in catalog.grants_on(kind, name_in_grants(execution, role)) if grant.privilege == "USAGE"
        ]
    else:
        fields = _ROLES
        found = _to(execution, "USER", context.user)
    stream.expect_end()
    return answer(fields, found)


def _on(execution: Execution, stream: TokenStream) -> list[Grant]:
    catalog = execution.context.catalog
    if stream.accept("ACCOUNT"):
        return catalog.grants_on("ACCOUNT", catalog.account_name)
    kind = read_kind(stream)
    item = find_object(execution, kind, stream)
    owned = [_ownership(execution, item)] if item.owner else []
    return [*owned, *catalog.grants_on(sql_kind(item), name_in_grants(execution, item))]


def _ownership(execution: Execution, item: CatalogObject) -> Grant:
    return Grant(
        "OWNERSHIP", sql_kind(item), name_in_grants(execution, item), "ROLE", item.owner, grant_option=True,
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
    found = [grant for grant in catalog.grants() if grant.future]
    if stream.accept("TO"):
        stream.accept("ROLE")
        name = stream.identifier()
        found = [grant for grant in found if (grant.to_kind, grant.to_name) == ("ROLE", name)]
    else:
        stream.expect("IN")
        kind = stream.accept_one("SCHEMA", "DATABASE")
        if kind is None:
            raise stream.error()
        container = catalog.full_name(catalog.get(context, kind, stream.name()))
        found = [grant for grant in found if grant.on_name.rpartition(".<")[0] == container]
    stream.expect_end()
    return answer(_FUTURE, found)
