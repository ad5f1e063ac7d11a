"""A new account: system roles, an administrator, a warehouse."""

from __future__ import annotations

from datetime import UTC, datetime

from polynya.catalog.model import Database, Grant, Role, Schema, User, Warehouse
from polynya.catalog.passwords import hash_password
from polynya.catalog.store import Catalog

# Each system role and the one it is granted to.
# https://docs.snowflake.com/en/user-guide/security-access-control-overview#system-defined-roles
_ROLES = {
    "ACCOUNTADMIN": (None, "Account administrator can manage all aspects of the account."),
    "ORGADMIN": (None, "Organization administrator can manage organization and account entities."),
    "SECURITYADMIN": ("ACCOUNTADMIN", "Security administrator can manage security aspects of the account."),
    "SYSADMIN": ("ACCOUNTADMIN", "System administrator can create and manage databases and warehouses."),
    "USERADMIN": ("SECURITYADMIN", "User administrator can create and manage users and roles"),
    "PUBLIC": (None, "Public role is automatically available to every user in the account."),
}
_ADMIN_ROLES = ("ACCOUNTADMIN", "ORGADMIN", "SECURITYADMIN", "SYSADMIN", "USERADMIN")
SYSTEM_ROLES = frozenset(_ROLES)


def create_account(
    catalog: Catalog,
    *,
    account_name: str,
    admin: str,
    password: str,
    warehouse: str = "COMPUTE_WH",
    warehouse_size: str = "X-Small",
) -> None:
    """Makes what a new account has.

    Args:
        catalog: empty.
        account_name: CURRENT_ACCOUNT_NAME().
        admin: the administrator's name; has ACCOUNTADMIN and what it inherits.
        password: the administrator's.
        warehouse: name of the first warehouse.
        warehouse_size: its size.
    """
    now = datetime.now(UTC)
    catalog.set_setting("account_name", account_name.upper())
    for name, (_, comment) in _ROLES.items():
        catalog.add(Role(id=catalog.new_id(), parent=0, name=name, owner="", created_on=now, comment=comment))
    for name, (holder, _) in _ROLES.items():
        if holder:
            catalog.grant(Grant("USAGE", "ROLE", name, "ROLE", holder, created_on=now))
    catalog.add(
        User(
            id=catalog.new_id(),
            parent=0,
            name=admin.upper(),
            owner="ACCOUNTADMIN",
            created_on=now,
            login_name=admin.upper(),
            password_hash=hash_password(password),
            default_role="ACCOUNTADMIN",
            default_warehouse=warehouse,
            options={"DISPLAY_NAME": admin.upper()},
        )
    )
    for role in _ADMIN_ROLES:
        catalog.grant(Grant("USAGE", "ROLE", role, "USER", admin.upper(), created_on=now))
    first = Warehouse(
        id=catalog.new_id(), parent=0, name=warehouse, owner="ACCOUNTADMIN", created_on=now, size=warehouse_size
    )
    catalog.add(first)
    catalog.grant(Grant("USAGE", "WAREHOUSE", warehouse, "ROLE", "PUBLIC", created_on=now))
    _snowflake_database(catalog, now)


def _snowflake_database(catalog: Catalog, now: datetime) -> None:
    """The database SNOWFLAKE: ACCOUNT_USAGE shows the account as a whole, TELEMETRY what handlers logged."""
    database = Database(
        id=catalog.new_id(), parent=0, name="SNOWFLAKE", owner="", created_on=now,
        options={"ORIGIN": "SNOWFLAKE.ACCOUNT_USAGE", "KIND": "APPLICATION"},
    )  # fmt: skip
    catalog.add(database)
    for name in ("ACCOUNT_USAGE", "TELEMETRY"):
        catalog.add(Schema(id=catalog.new_id(), parent=database.id, name=name, owner="", created_on=now))
    catalog.grant(Grant("USAGE", "DATABASE", "SNOWFLAKE", "ROLE", "ACCOUNTADMIN", created_on=now))
