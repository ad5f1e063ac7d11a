"""What GRANT, REVOKE and SHOW GRANTS name: kinds of objects, objects, and who is given something."""

from __future__ import annotations

from dataclasses import dataclass, field

from polynya.catalog.kinds import sql_kind
from polynya.catalog.model import CatalogObject, Schema
from polynya.dialect.tokens import TokenStream
from polynya.errors import does_not_exist
from polynya.statements import objects
from polynya.statements.base import Execution
from polynya.statements.drop import read_signature

# Kinds as ON names them, longest first; plural forms follow ALL and FUTURE.
_KINDS = (
    "EXTERNAL ACCESS INTEGRATION", "MATERIALIZED VIEW", "EXTERNAL TABLE", "ICEBERG TABLE", "DYNAMIC TABLE",
    "EVENT TABLE", "FILE FORMAT", "NETWORK RULE", "NETWORK POLICY", "RESOURCE MONITOR", "COMPUTE POOL",
    "MASKING POLICY", "ROW ACCESS POLICY", "SESSION POLICY", "PASSWORD POLICY", "GIT REPOSITORY", "IMAGE REPOSITORY",
    "ARTIFACT REPOSITORY", "DATABASE ROLE", "AGGREGATE FUNCTION", "DATABASE", "SCHEMA", "TABLE", "VIEW", "SEQUENCE",
    "STAGE", "FUNCTION", "PROCEDURE", "WAREHOUSE", "ROLE", "USER", "INTEGRATION", "SECRET", "TAG", "STREAMLIT",
    "STREAM", "TASK", "PIPE", "ALERT", "SERVICE", "NOTEBOOK", "MODEL", "SHARE",
)  # fmt: skip
_RELATIONS = ("TABLE", "VIEW", "DYNAMIC TABLE", "MATERIALIZED VIEW", "EXTERNAL TABLE", "ICEBERG TABLE")


@dataclass(slots=True)
class Target:
    """What a privilege is on.

    Args:
        kind: TABLE, WAREHOUSE, ACCOUNT, ROLE ...
        items: the objects; none for ACCOUNT and for future ones.
        container: the schema or database of ALL or FUTURE objects.
        future: whether it is on objects to come.
    """

    kind: str
    items: list[CatalogObject] = field(default_factory=list)
    container: CatalogObject | None = None
    future: bool = False


@dataclass(frozen=True, slots=True)
class Grantee:
    """Who is given something: a role, user, database role or share, by the name that grants have."""

    kind: str
    name: str
    item: CatalogObject


def read_target(execution: Execution, stream: TokenStream) -> Target:
    """What stands between ON and TO or FROM.

    Raises:
        SnowflakeError: 002003 if there is none or the role may not see it.
    """
    if stream.accept("ACCOUNT"):
        return Target("ACCOUNT")
    several = stream.accept_one("ALL", "FUTURE")
    if several is None:
        kind = read_kind(stream)
        return Target(kind, [find_object(execution, kind, stream)])
    kind = read_plural(stream)
    stream.expect("IN")
    container = _container(execution, stream)
    if several == "FUTURE":
        return Target(kind, container=container, future=True)
    return Target(kind, _all_in(execution, kind, container), container)


def read_kind(stream: TokenStream) -> str:
    """A kind of object, as ON names it; a table needs no word for it."""
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


def _container(execution: Execution, stream: TokenStream) -> CatalogObject:
    """The schema or database after IN."""
    kind = stream.accept_one("SCHEMA", "DATABASE")
    if kind is None:
        raise stream.error()
    found: CatalogObject = execution.context.catalog.get(execution.context, kind, stream.name())
    return found


def _all_in(execution: Execution, kind: str, container: CatalogObject) -> list[CatalogObject]:
    catalog = execution.context.catalog
    if kind in ("SCHEMA", "DATABASE ROLE"):
        return catalog.children(container.id, kind)
    schemas = [container] if isinstance(container, Schema) else catalog.children(container.id, "SCHEMA")
    stored_kind = "TABLE" if kind in _RELATIONS else kind
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
        routine = catalog.routine(context, kind, parts, types)
        if routine is None:
            raise does_not_exist(kind.capitalize(), objects.full_text(catalog.qualify(context, parts)))
        return routine
    title = kind.capitalize() if kind in _RELATIONS else None
    found: CatalogObject = catalog.get(context, "TABLE" if kind in _RELATIONS else kind, parts, title)
    return found


def read_grantee(execution: Execution, stream: TokenStream) -> Grantee:
    """Who stands after TO or FROM; a name alone is a role's."""
    catalog, context = execution.context.catalog, execution.context
    kind = stream.accept_one("DATABASE ROLE", "APPLICATION ROLE", "ROLE", "USER", "SHARE") or "ROLE"
    found = catalog.get(context, kind, stream.name())
    return Grantee(kind, catalog.grant_name(found), found)
