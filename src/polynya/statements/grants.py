"""GRANT and REVOKE: stored and shown.

https://docs.snowflake.com/en/sql-reference/sql/grant-privilege, .../grant-role, .../grant-ownership
"""

from __future__ import annotations

from dataclasses import dataclass, field

from polynya.catalog.kinds import sql_kind
from polynya.catalog.model import CatalogObject, Grant, Routine
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error, does_not_exist, unsupported
from polynya.statements import objects, shares
from polynya.statements.base import Execution, statement
from polynya.statements.drop import read_signature
from polynya.types.resultset import ResultSet

# What ALL PRIVILEGES means, by kind.
# https://docs.snowflake.com/en/user-guide/security-access-control-privileges
ALL_PRIVILEGES = {
    "DATABASE": ["APPLYBUDGET", "CREATE DATABASE ROLE", "CREATE SCHEMA", "MODIFY", "MONITOR", "USAGE"],
    "SCHEMA": [
        "ADD SEARCH OPTIMIZATION", "APPLYBUDGET", "CREATE DYNAMIC TABLE", "CREATE EXTERNAL TABLE", "CREATE FILE FORMAT",
        "CREATE FUNCTION", "CREATE MATERIALIZED VIEW", "CREATE PIPE", "CREATE PROCEDURE", "CREATE SECRET",
        "CREATE SEQUENCE", "CREATE STAGE", "CREATE STREAM", "CREATE TABLE", "CREATE TAG", "CREATE TASK",
        "CREATE TEMPORARY TABLE", "CREATE VIEW", "MODIFY", "MONITOR", "USAGE",
    ],
    "TABLE": ["DELETE", "EVOLVE SCHEMA", "INSERT", "REBUILD", "REFERENCES", "SELECT", "TRUNCATE", "UPDATE"],
    "VIEW": ["REFERENCES", "SELECT"],
    "DYNAMIC TABLE": ["MONITOR", "OPERATE", "SELECT"],
    "WAREHOUSE": ["APPLYBUDGET", "MODIFY", "MONITOR", "OPERATE", "USAGE"],
    "STAGE": ["READ", "USAGE", "WRITE"],
    "SECRET": ["READ", "USAGE"],
    "TAG": ["APPLY", "READ"],
    "INTEGRATION": ["USAGE", "USE_ANY_ROLE"],
    "USER": ["MONITOR"],
    "ACCOUNT": [
        "APPLY MASKING POLICY", "APPLY ROW ACCESS POLICY", "APPLY TAG", "ATTACH POLICY", "CREATE DATABASE",
        "CREATE INTEGRATION", "CREATE ROLE", "CREATE SHARE", "CREATE USER", "CREATE WAREHOUSE", "EXECUTE TASK",
        "IMPORT SHARE", "MANAGE GRANTS", "MANAGE WAREHOUSES", "MONITOR EXECUTION", "MONITOR USAGE", "OVERRIDE SHARE RESTRICTIONS",
    ],
}  # fmt: skip
_USAGE = ["USAGE"]

# Kinds as ON names them, longest first; plural forms follow ALL and FUTURE.
_KINDS = (
    "EXTERNAL ACCESS INTEGRATION", "MATERIALIZED VIEW", "EXTERNAL TABLE", "ICEBERG TABLE", "DYNAMIC TABLE",
    "FILE FORMAT", "NETWORK RULE", "NETWORK POLICY", "RESOURCE MONITOR", "COMPUTE POOL", "MASKING POLICY",
    "ROW ACCESS POLICY", "SESSION POLICY", "PASSWORD POLICY", "GIT REPOSITORY", "IMAGE REPOSITORY", "DATABASE ROLE",
    "AGGREGATE FUNCTION", "DATABASE", "SCHEMA", "TABLE", "VIEW", "SEQUENCE", "STAGE", "FUNCTION", "PROCEDURE",
    "WAREHOUSE", "ROLE", "USER", "INTEGRATION", "SECRET", "TAG", "STREAMLIT", "STREAM", "TASK", "PIPE", "ALERT", "SERVICE",
    "NOTEBOOK", "MODEL", "SHARE",
)  # fmt: skip


@dataclass(slots=True)
class Target:
    """What a privilege is on.

    Args:
        kind: TABLE, WAREHOUSE, ACCOUNT, ROLE ...
        items: the objects; none for ACCOUNT and for future ones.
        future: full name of the schema or database of FUTURE objects, or "".
    """

    kind: str
    items: list[CatalogObject] = field(default_factory=list)
    future: str = ""


@dataclass(slots=True)
class _Holder:
    kind: str
    name: str


@statement("GRANT")
def grant(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("GRANT")
    privileges, target = _read_given(execution, stream)
    stream.expect("TO")
    holder = _read_holder(execution, stream)
    option = stream.accept("WITH", "GRANT", "OPTION")
    current = stream.accept_one("COPY CURRENT GRANTS", "REVOKE CURRENT GRANTS")
    stream.expect_end()
    if target.future and holder.kind == "SHARE":
        raise unsupported("GRANT ON FUTURE objects TO SHARE")
    privileges = shares.check_grant(execution, privileges, target.items, holder.kind, holder.name)
    if privileges == ["OWNERSHIP"] and not target.future:
        for item in target.items:
            _give_ownership(execution, target.kind, item, holder, keep_grants=current != "REVOKE CURRENT GRANTS")
        return objects.done()
    execution.context.catalog.grant(*_grants(execution, privileges, target, holder, option))
    return objects.done()


@statement("REVOKE")
def revoke(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog = execution.context.catalog
    stream.expect("REVOKE")
    only_option = stream.accept("GRANT", "OPTION", "FOR")
    privileges, target = _read_given(execution, stream)
    stream.expect("FROM")
    holder = _read_holder(execution, stream)
    stream.accept_one("CASCADE", "RESTRICT")
    stream.expect_end()
    if privileges == [shares.IMPORTED_PRIVILEGES]:
        privileges = ["USAGE"]
    for given in _grants(execution, privileges, target, holder, False):
        if catalog.revoke(given) and only_option:
            catalog.grant(given)
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
    if stream.accept("ACCOUNT"):
        return privileges, Target("ACCOUNT")
    if stream.accept_one("ALL", "FUTURE") == "FUTURE":
        kind = read_plural(stream)
        stream.expect("IN")
        return privileges, Target(kind, future=_container(execution, stream)[0])
    if stream.tokens[stream.index - 1].text.upper() == "ALL":
        kind = read_plural(stream)
        stream.expect("IN")
        return privileges, Target(kind, _all_in(execution, kind, _container(execution, stream)[1]))
    kind = read_kind(stream)
    return privileges, Target(kind, [find_object(execution, kind, stream)])


def _read_privileges(stream: TokenStream) -> list[str]:
    """``SELECT, CREATE TABLE ...`` or ``ALL [PRIVILEGES]``."""
    privileges = []
    while True:
        words = [stream.word()]
        while not (stream.at(",") or stream.at("ON")):
            if stream.at("("):  # columns: not a privilege of its own here
                stream.skip_parenthesis()
                continue
            words.append(stream.word())
        privileges.append(" ".join(words))
        if not stream.accept(","):
            return privileges


def read_kind(stream: TokenStream) -> str:
    """A kind of object, as ON names it."""
    kind = stream.accept_one(*_KINDS)
    if kind is None:
        raise stream.error()
    return {"AGGREGATE FUNCTION": "FUNCTION", "EXTERNAL ACCESS INTEGRATION": "INTEGRATION"}.get(kind, kind)


def read_plural(stream: TokenStream) -> str:
    """A kind's plural: ``TABLES`` -> TABLE."""
    for kind in _KINDS:
        plural = kind[:-1] + "IES" if kind.endswith("Y") else kind + "S"
        if stream.accept(*plural.split()):
            return kind
    raise stream.error()


def _container(execution: Execution, stream: TokenStream) -> tuple[str, CatalogObject]:
    """The schema or database after IN: its full name and itself."""
    catalog, context = execution.context.catalog, execution.context
    kind = stream.accept_one("SCHEMA", "DATABASE")
    if kind is None:
        raise stream.error()
    found = catalog.get(context, kind, stream.name())
    return catalog.full_name(found), found


def _all_in(execution: Execution, kind: str, container: CatalogObject) -> list[CatalogObject]:
    catalog = execution.context.catalog
    if kind == "SCHEMA":
        return catalog.children(container.id, "SCHEMA")
    schemas = [container] if type(container).__name__ == "Schema" else catalog.children(container.id, "SCHEMA")
    stored_kind = "TABLE" if kind in ("VIEW", "DYNAMIC TABLE") else kind
    found = [item for schema in schemas for item in catalog.children(schema.id, stored_kind)]
    return [item for item in found if sql_kind(item) == kind or (kind, sql_kind(item)) == ("TABLE", "DYNAMIC TABLE")]


def find_object(execution: Execution, kind: str, stream: TokenStream) -> CatalogObject:
    """Reads an object's name (a routine's with its argument types) and finds it.

    Raises:
        SnowflakeError: 002003 if there is none.
    """
    catalog, context = execution.context.catalog, execution.context
    parts = stream.name()
    if kind in ("FUNCTION", "PROCEDURE"):
        types = read_signature(execution, stream)
        found = execution.context.catalog.routine(execution.context, kind, parts, types)
        if found is None:
            raise does_not_exist(kind.capitalize(), objects.full_text(catalog.qualify(context, parts)))
        return found
    if kind in ("TABLE", "VIEW", "DYNAMIC TABLE", "MATERIALIZED VIEW", "EXTERNAL TABLE", "ICEBERG TABLE"):
        return catalog.get(context, "TABLE", parts, kind.capitalize())
    return catalog.get(context, kind, parts)


def _read_holder(execution: Execution, stream: TokenStream) -> _Holder:
    catalog, context = execution.context.catalog, execution.context
    kind = stream.accept_one("DATABASE ROLE", "APPLICATION ROLE", "ROLE", "USER", "SHARE") or "ROLE"
    parts = stream.name()
    found = catalog.get(context, kind, parts)
    return _Holder(kind, catalog.full_name(found) if kind == "DATABASE ROLE" else found.name)


def name_in_grants(execution: Execution, item: CatalogObject) -> str:
    """How grants name an object: roles and users by their bare name, others by their full name."""
    catalog = execution.context.catalog
    if item.parent == 0:
        return item.name
    name = catalog.full_name(item)
    return name + item.signature[len(item.name) :] if isinstance(item, Routine) else name


def _grants(execution: Execution, privileges: list[str], target: Target, holder: _Holder, option: bool) -> list[Grant]:
    """The single grants that a statement means."""
    granted_by = objects.owner(execution)
    found = []
    for privilege in _expanded(privileges, target.kind):
        if target.kind == "ACCOUNT":
            names = [execution.context.catalog.account_name]
        elif target.future:
            names = [f"{target.future}.<{target.kind}>"]
        else:
            names = [name_in_grants(execution, item) for item in target.items]
        for name in names:
            found.append(
                Grant(
                    privilege, target.kind, name, holder.kind, holder.name, grant_option=option, granted_by=granted_by,
                    future=bool(target.future),
                )
            )  # fmt: skip
    return found


def _expanded(privileges: list[str], kind: str) -> list[str]:
    if privileges in (["ALL"], ["ALL PRIVILEGES"]):
        return ALL_PRIVILEGES.get(kind, _USAGE)
    if any(privilege.startswith("ALL") for privilege in privileges):
        raise compilation_error(1003, "42000", "ALL cannot be combined with other privileges")
    return privileges


def _give_ownership(
    execution: Execution, kind: str, item: CatalogObject, holder: _Holder, *, keep_grants: bool
) -> None:
    item.owner = holder.name
    objects.save(execution, item)
    if not keep_grants:
        catalog = execution.context.catalog
        for old in catalog.grants_on(kind, name_in_grants(execution, item)):
            catalog.revoke(old)
