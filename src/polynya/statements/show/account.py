"""SHOW of the account's own objects: WAREHOUSES, ROLES, USERS, and the session's VARIABLES.

https://docs.snowflake.com/en/sql-reference/sql/show-warehouses ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from polynya.catalog import rights
from polynya.catalog.context import Context
from polynya.catalog.model import Role, User, Warehouse
from polynya.catalog.users import days_to_expiry, mins_to_unlock
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import (
    COUNT,
    MOMENT,
    TEXT,
    answer,
    created,
    option,
    owner_role_type,
    read_request,
    true_false,
    yes_no,
)
from polynya.types.resultset import ResultSet


@statement("SHOW WAREHOUSES")
def show_warehouses(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW", "WAREHOUSES")
    request = read_request(execution, stream, default="ACCOUNT")
    current = execution.context.warehouse
    counts = execution.results.warehouse_counts()

    def running(warehouse: Warehouse) -> int:
        return counts.get(warehouse.name, (0, 0))[0]

    def waiting(warehouse: Warehouse) -> int:
        return counts.get(warehouse.name, (0, 0))[1]

    def started(warehouse: Warehouse) -> bool:
        return warehouse.state == "STARTED"

    return answer(
        [
            ("name", TEXT, lambda warehouse: warehouse.name),
            ("state", TEXT, lambda warehouse: warehouse.state),
            ("type", TEXT, option("WAREHOUSE_TYPE", "STANDARD")),
            ("size", TEXT, lambda warehouse: warehouse.size),
            ("min_cluster_count", COUNT, lambda warehouse: warehouse.options.get("MIN_CLUSTER_COUNT", 1)),
            ("max_cluster_count", COUNT, lambda warehouse: warehouse.options.get("MAX_CLUSTER_COUNT", 1)),
            ("started_clusters", COUNT, lambda warehouse: int(started(warehouse))),
            ("running", COUNT, running),
            ("queued", COUNT, waiting),
            ("is_default", TEXT, lambda warehouse: "N"),
            ("is_current", TEXT, lambda warehouse: yes_no(warehouse.name == current)),
            ("is_interactive", TEXT, lambda warehouse: "N"),
            ("auto_suspend", COUNT, lambda warehouse: _number(warehouse.options.get("AUTO_SUSPEND", 600))),
            ("auto_resume", TEXT, lambda warehouse: true_false(warehouse.options.get("AUTO_RESUME", True))),
            ("available", TEXT, lambda warehouse: "100" if started(warehouse) else ""),
            ("provisioning", TEXT, lambda warehouse: "0" if started(warehouse) else ""),
            ("quiescing", TEXT, lambda warehouse: "0" if started(warehouse) else ""),
            ("other", TEXT, lambda warehouse: "0" if started(warehouse) else ""),
            ("created_on", MOMENT, created),
            ("resumed_on", MOMENT, lambda warehouse: warehouse.resumed_on or warehouse.created_on),
            ("updated_on", MOMENT, created),
            ("owner", TEXT, lambda warehouse: warehouse.owner),
            ("comment", TEXT, lambda warehouse: warehouse.comment),
            (
                "enable_query_acceleration",
                TEXT,
                lambda warehouse: true_false(warehouse.options.get("ENABLE_QUERY_ACCELERATION")),
            ),
            (
                "query_acceleration_max_scale_factor",
                COUNT,
                lambda warehouse: warehouse.options.get("QUERY_ACCELERATION_MAX_SCALE_FACTOR", 8),
            ),
            ("resource_monitor", TEXT, option("RESOURCE_MONITOR", "null")),
            ("actives", COUNT, running),
            ("pendings", COUNT, lambda warehouse: 0),
            ("failed", COUNT, lambda warehouse: 0),
            ("suspended", COUNT, lambda warehouse: int(not started(warehouse))),
            ("uuid", TEXT, lambda warehouse: str(warehouse.id)),
            ("scaling_policy", TEXT, option("SCALING_POLICY", "STANDARD")),
            ("budget", TEXT, lambda warehouse: None),
            ("owner_role_type", TEXT, owner_role_type),
            ("resource_constraint", TEXT, lambda warehouse: warehouse.options.get("RESOURCE_CONSTRAINT")),
        ],
        request.select(execution.context.catalog.visible(execution.context, 0, "WAREHOUSE")),
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


@statement("SHOW ROLES", "SHOW TERSE ROLES")
def show_roles(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("SHOW")
    stream.accept("TERSE")
    stream.expect("ROLES")
    request = read_request(execution, stream, default="ACCOUNT")
    grants = [grant for grant in catalog.grants() if grant.on_kind == "ROLE" and grant.privilege == "USAGE"]
    inherited = set(catalog.roles_of(context.user))

    def count(role: Role, holder: str) -> int:
        return sum(1 for grant in grants if grant.on_name == role.name and grant.to_kind == holder)

    return answer(
        [
            ("created_on", MOMENT, created),
            ("name", TEXT, lambda role: role.name),
            ("is_default", TEXT, lambda role: "N"),
            ("is_current", TEXT, lambda role: yes_no(role.name == context.role)),
            ("is_inherited", TEXT, lambda role: yes_no(role.name in inherited and role.name != context.role)),
            ("assigned_to_users", COUNT, lambda role: count(role, "USER")),
            ("granted_to_roles", COUNT, lambda role: count(role, "ROLE")),
            (
                "granted_roles",
                COUNT,
                lambda role: sum(1 for grant in grants if (grant.to_kind, grant.to_name) == ("ROLE", role.name)),
            ),
            ("owner", TEXT, lambda role: role.owner),
            ("comment", TEXT, lambda role: role.comment),
        ],
        request.select(catalog.children(0, "ROLE")),
    )


@statement("SHOW USERS", "SHOW TERSE USERS")
def show_users(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    stream.expect("USERS")
    request = read_request(execution, stream, default="ACCOUNT", terse=terse)
    found = request.select(filter(_sees_user(execution.context), execution.context.catalog.children(0, "USER")))
    fields = [
        ("name", TEXT, lambda user: user.name),
        ("created_on", MOMENT, created),
        ("login_name", TEXT, lambda user: user.login_name or user.name),
        ("display_name", TEXT, option("DISPLAY_NAME")),
        ("first_name", TEXT, option("FIRST_NAME")),
        ("last_name", TEXT, option("LAST_NAME")),
        ("email", TEXT, option("EMAIL")),
        ("mins_to_unlock", TEXT, lambda user: _text(mins_to_unlock(user))),
        ("days_to_expiry", TEXT, lambda user: _text(days_to_expiry(user))),
        ("comment", TEXT, lambda user: user.comment),
        ("disabled", TEXT, lambda user: true_false(user.disabled)),
        ("must_change_password", TEXT, lambda user: true_false(user.must_change_password)),
        ("snowflake_lock", TEXT, lambda user: "false"),
        ("default_warehouse", TEXT, lambda user: user.default_warehouse),
        ("default_namespace", TEXT, lambda user: user.default_namespace),
        ("default_role", TEXT, lambda user: user.default_role),
        ("default_secondary_roles", TEXT, _secondary_roles),
        ("ext_authn_duo", TEXT, lambda user: "false"),
        ("ext_authn_uid", TEXT, lambda user: ""),
        ("mins_to_bypass_mfa", TEXT, option("MINS_TO_BYPASS_MFA")),
        ("owner", TEXT, lambda user: user.owner),
        ("last_success_login", MOMENT, lambda user: None),
        ("expires_at_time", MOMENT, lambda user: user.expires_at),
        ("locked_until_time", MOMENT, lambda user: user.locked_until if mins_to_unlock(user) else None),
        ("has_password", TEXT, lambda user: true_false(user.password_hash)),
        ("has_rsa_public_key", TEXT, lambda user: true_false(user.public_keys)),
        ("type", TEXT, option("TYPE")),
        ("has_mfa", TEXT, lambda user: "false"),
        ("has_pat", TEXT, lambda user: true_false(user.access_tokens)),
        ("has_workload_identity", TEXT, lambda user: "false"),
    ]
    if terse:
        wanted = (
            "name",
            "created_on",
            "display_name",
            "first_name",
            "last_name",
            "email",
            "has_password",
            "has_rsa_public_key",
            "type",
        )
        fields = [field for field in fields if field[0] in wanted]
    return answer(fields, found)


def _sees_user(context: Context) -> Callable[[User], bool]:
    """Whether the session may see a user: itself, one that it owns or monitors, all of them with MANAGE GRANTS."""
    everyone = rights.has_account(context, rights.MANAGE_GRANTS)
    return lambda user: everyone or user.name == context.user or rights.has(context, "MONITOR", user)


def _text(value: float | None) -> str:
    return "" if value is None else str(value)


def _secondary_roles(user: User) -> str:
    value = user.options.get("DEFAULT_SECONDARY_ROLES", ["ALL"])
    names = value if isinstance(value, list) else [value]
    return "[" + ",".join(f'"{name}"' for name in names) + "]"


# --- variables --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Variable:
    name: str
    value: Any


def _variable_type(variable: _Variable) -> str:
    match variable.value:
        case bool():
            return "boolean"
        case int() | Decimal():
            return "fixed"
        case float():
            return "real"
        case datetime():
            return "timestamp_ntz"
    return "text"


@statement("SHOW VARIABLES")
def show_variables(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW", "VARIABLES")
    request = read_request(execution, stream, default="ACCOUNT")
    context = execution.context
    found = [_Variable(name, value) for name, value in sorted(context.variables.items())]
    now = datetime.now(UTC)
    return answer(
        [
            ("session_id", COUNT, lambda variable: context.session_id),
            ("created_on", MOMENT, lambda variable: now),
            ("updated_on", MOMENT, lambda variable: now),
            ("name", TEXT, lambda variable: variable.name),
            ("value", TEXT, lambda variable: _variable_text(variable.value)),
            ("type", TEXT, _variable_type),
            ("comment", TEXT, lambda variable: ""),
        ],
        request.select(found),
    )


def _variable_text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
