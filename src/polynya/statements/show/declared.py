"""SHOW of objects that are only declared: SECRETS, NETWORK RULES, INTEGRATIONS, DATABASE ROLES ...

https://docs.snowflake.com/en/sql-reference/sql/show-secrets ...
"""

from __future__ import annotations

from collections.abc import Callable

from polynya.catalog.kinds import ACCOUNT_KINDS
from polynya.catalog.model import GenericObject
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import (
    COUNT,
    MOMENT,
    TEXT,
    Field,
    answer,
    created,
    database_name,
    in_scope,
    option,
    owner_role_type,
    read_request,
    schema_name,
    true_false,
)
from polynya.types.resultset import ResultSet

_INTEGRATIONS = {
    "EXTERNAL ACCESS INTEGRATIONS": "EXTERNAL ACCESS", "STORAGE INTEGRATIONS": "STORAGE", "API INTEGRATIONS": "API",
    "NOTIFICATION INTEGRATIONS": "NOTIFICATION", "SECURITY INTEGRATIONS": "SECURITY", "INTEGRATIONS": "",
}  # fmt: skip


def _name(item: GenericObject) -> str:
    return item.name


def _comment(item: GenericObject) -> str:
    return item.comment


def _owner(item: GenericObject) -> str:
    return item.owner


def _secret(execution: Execution) -> list[Field]:
    return [
        ("created_on", MOMENT, created), ("name", TEXT, _name), ("schema_name", TEXT, schema_name(execution)),
        ("database_name", TEXT, database_name(execution)), ("owner", TEXT, _owner), ("comment", TEXT, _comment),
        ("secret_type", TEXT, option("TYPE")), ("oauth_scopes", TEXT, lambda item: None),
        ("owner_role_type", TEXT, owner_role_type),
    ]  # fmt: skip


def _network_rule(execution: Execution) -> list[Field]:
    return [
        ("created_on", MOMENT, created), ("name", TEXT, _name), ("database_name", TEXT, database_name(execution)),
        ("schema_name", TEXT, schema_name(execution)), ("owner", TEXT, _owner), ("comment", TEXT, _comment),
        ("type", TEXT, option("TYPE")), ("mode", TEXT, option("MODE", "INGRESS")),
        ("entries_in_valuelist", COUNT, lambda item: len(item.options.get("VALUE_LIST") or [])),
        ("owner_role_type", TEXT, owner_role_type),
    ]  # fmt: skip


def _plain(execution: Execution) -> list[Field]:
    return [
        ("created_on", MOMENT, created), ("name", TEXT, _name), ("database_name", TEXT, database_name(execution)),
        ("schema_name", TEXT, schema_name(execution)), ("owner", TEXT, _owner), ("comment", TEXT, _comment),
        ("owner_role_type", TEXT, owner_role_type),
    ]  # fmt: skip


def _account_plain(execution: Execution) -> list[Field]:
    del execution
    return [
        ("created_on", MOMENT, created), ("name", TEXT, _name), ("owner", TEXT, _owner), ("comment", TEXT, _comment),
        ("owner_role_type", TEXT, owner_role_type),
    ]  # fmt: skip


_KINDS: dict[str, tuple[str, Callable[[Execution], list[Field]]]] = {
    "SECRETS": ("SECRET", _secret),
    "NETWORK RULES": ("NETWORK RULE", _network_rule),
    "NETWORK POLICIES": ("NETWORK POLICY", _account_plain),
    "RESOURCE MONITORS": ("RESOURCE MONITOR", _account_plain),
    "COMPUTE POOLS": ("COMPUTE POOL", _account_plain),
    "IMAGE REPOSITORIES": ("IMAGE REPOSITORY", _plain),
    "ARTIFACT REPOSITORIES": ("ARTIFACT REPOSITORY", _plain),
    "EVENT TABLES": ("EVENT TABLE", _plain),
}


@statement(*(f"SHOW {plural}" for plural in _KINDS))
def show_declared(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    plural = stream.accept_one(*_KINDS)
    assert plural is not None
    kind, fields = _KINDS[plural]
    if kind in ACCOUNT_KINDS:
        request = read_request(execution, stream, default="ACCOUNT")
        found = execution.context.catalog.visible(execution.context, 0, kind)
    else:
        request = read_request(execution, stream)
        found = in_scope(execution, request.scope, kind)
    return answer(fields(execution), request.select(found))


@statement(*(f"SHOW {plural}" for plural in _INTEGRATIONS))
def show_integrations(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    plural = stream.accept_one(*_INTEGRATIONS)
    assert plural is not None
    request = read_request(execution, stream, default="ACCOUNT")
    wanted = _INTEGRATIONS[plural]
    found = [
        item
        for item in execution.context.catalog.visible(execution.context, 0, "INTEGRATION")
        if wanted in ("", item.options.get("INTEGRATION_KIND"))
    ]
    return answer(
        [
            ("name", TEXT, _name),
            (
                "type",
                TEXT,
                lambda item: (
                    item.options.get("TYPE") or str(item.options.get("INTEGRATION_KIND", "")).replace(" ", "_")
                ),
            ),
            ("category", TEXT, lambda item: str(item.options.get("INTEGRATION_KIND", "")).replace(" ", "_")),
            ("enabled", TEXT, lambda item: true_false(item.options.get("ENABLED"))),
            ("comment", TEXT, _comment),
            ("created_on", MOMENT, created),
        ],
        request.select(found),
    )


@statement("SHOW DATABASE ROLES")
def show_database_roles(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW", "DATABASE", "ROLES")
    request = read_request(execution, stream, default="DATABASE")
    catalog, context = execution.context.catalog, execution.context
    database = request.scope.database
    databases = [database] if database else catalog.visible(context, 0, "DATABASE")
    found = [role for database in databases for role in catalog.visible(context, database.id, "DATABASE ROLE")]
    return answer(
        [
            ("created_on", MOMENT, created), ("name", TEXT, _name), ("is_default", TEXT, lambda role: "N"),
            ("is_current", TEXT, lambda role: "N"), ("is_inherited", TEXT, lambda role: "N"),
            ("granted_to_roles", COUNT, lambda role: len(catalog.grants_on("DATABASE ROLE", catalog.full_name(role)))),
            ("granted_to_database_roles", COUNT, lambda role: 0), ("granted_database_roles", COUNT, lambda role: 0),
            ("owner", TEXT, _owner), ("comment", TEXT, _comment), ("owner_role_type", TEXT, owner_role_type),
        ],
        request.select(found),
    )  # fmt: skip
