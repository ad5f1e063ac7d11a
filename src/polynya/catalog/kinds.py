"""Kinds of objects: what each is called, where it lives, and which share a namespace."""

from __future__ import annotations

from polynya.catalog.model import (
    CatalogObject,
    Database,
    FileFormat,
    GenericObject,
    Policy,
    Role,
    Routine,
    Schema,
    Sequence,
    Stage,
    Stream,
    Table,
    Task,
    User,
    View,
    Warehouse,
)

_KIND_OF = {
    Database: "DATABASE",
    Schema: "SCHEMA",
    Table: "TABLE",
    View: "TABLE",
    Sequence: "SEQUENCE",
    Stage: "STAGE",
    Stream: "STREAM",
    Task: "TASK",
    FileFormat: "FILE FORMAT",
    Role: "ROLE",
    User: "USER",
    Warehouse: "WAREHOUSE",
}

# Kinds whose names are the account's; all others but schemas live in a schema.
ACCOUNT_KINDS = frozenset(
    {
        "DATABASE", "ROLE", "USER", "WAREHOUSE", "SHARE", "INTEGRATION", "NETWORK POLICY", "RESOURCE MONITOR",
        "COMPUTE POOL", "EXTERNAL VOLUME",
    }
)  # fmt: skip
DATABASE_KINDS = frozenset({"SCHEMA", "DATABASE ROLE"})

# Kinds that Snowflake's texts name otherwise than by their capitalised name.
_TITLES = {"TABLE": "Object", "FILE FORMAT": "File format"}


def kind_of(item: CatalogObject) -> str:
    """The kind under which ``Catalog.find`` finds an object; tables and views share one."""
    if isinstance(item, Routine):
        return "PROCEDURE" if item.kind == "PROCEDURE" else "FUNCTION"
    if isinstance(item, (GenericObject, Policy)):
        return item.kind
    return _KIND_OF[type(item)]


def key_of(item: CatalogObject) -> str:
    """The name by which an object is unique in its parent: a routine's includes its argument types."""
    return item.signature if isinstance(item, Routine) else item.name


def is_temporary(item: CatalogObject) -> bool:
    """Whether the object ends with its session."""
    return item.kind == "TEMPORARY" if isinstance(item, Table) else bool(getattr(item, "temporary", False))


def depth_of(kind: str) -> int:
    """How many parts a full name of this kind has."""
    return 1 if kind in ACCOUNT_KINDS else 2 if kind in DATABASE_KINDS else 3


def title_of(kind: str) -> str:
    """The kind as error texts begin with it, e.g. ``File format``."""
    return _TITLES.get(kind, kind.capitalize())


def sql_kind(item: CatalogObject) -> str:
    """What SQL calls the object: as ``kind_of``, but a view is a VIEW and a dynamic table a DYNAMIC TABLE."""
    if isinstance(item, View):
        return "VIEW"
    if isinstance(item, Table) and item.dynamic_query:
        return "DYNAMIC TABLE"
    return kind_of(item)
