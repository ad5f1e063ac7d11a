"""ACCOUNT_USAGE.POLICY_REFERENCES, MASKING_POLICIES and ROW_ACCESS_POLICIES.

https://docs.snowflake.com/en/sql-reference/account-usage/policy_references, .../masking_policies, .../row_access_policies
"""

from __future__ import annotations

from collections.abc import Iterator

from polynya.catalog.information_schema import Request, view
from polynya.catalog.kinds import is_temporary, sql_kind
from polynya.catalog.model import Policy, Table, View
from polynya.catalog.policies import MASKING, ROW_ACCESS, Reference, is_protected, references_of
from polynya.catalog.store import Catalog
from polynya.types.sqltype import TIMESTAMP_LTZ, VARCHAR, number
from polynya.types.variant import encode

_NUMBER = number(38, 0)
REFERENCE_COLUMNS = [
    (name, VARCHAR)
    for name in (
        "POLICY_DB", "POLICY_SCHEMA", "POLICY_NAME", "POLICY_KIND", "REF_DATABASE_NAME", "REF_SCHEMA_NAME",
        "REF_ENTITY_NAME", "REF_ENTITY_DOMAIN", "REF_COLUMN_NAME", "REF_ARG_COLUMN_NAMES", "TAG_DATABASE", "TAG_SCHEMA",
        "TAG_NAME", "POLICY_STATUS",
    )
]  # fmt: skip


def reference_row(catalog: Catalog, found: Reference) -> tuple[str | None, ...]:
    """A row of POLICY_REFERENCES: ``REFERENCE_COLUMNS``."""
    return (
        *catalog.path(found.policy), found.policy.kind.replace(" ", "_"), *catalog.path(found.item), sql_kind(found.item),
        found.column.name if found.column else None, encode_names(found.arguments),
        *(catalog.path(found.tag) if found.tag is not None else (None, None, None)), "ACTIVE",
    )  # fmt: skip


def encode_names(names: list[str]) -> str | None:
    """Column names as JSON text; None for none."""
    return "[ " + ", ".join(f'"{name}"' for name in names) + " ]" if names else None


@view(
    "ACCOUNT_USAGE.POLICY_REFERENCES",
    columns=[
        *REFERENCE_COLUMNS[:3], ("POLICY_ID", _NUMBER), *REFERENCE_COLUMNS[3:],
    ],
)  # fmt: skip
def _references(request: Request) -> Iterator[tuple]:
    catalog = request.context.catalog
    for item in sorted(catalog.every(), key=lambda item: item.id):
        if (
            isinstance(item, (Table, View))
            and is_protected(catalog, item)
            and catalog.reachable(item)
            and not is_temporary(item)
        ):
            for found in references_of(catalog, item):
                row = reference_row(catalog, found)
                yield (*row[:3], found.policy.id, *row[3:])


_POLICY_COLUMNS = [
    ("POLICY_NAME", VARCHAR), ("POLICY_ID", _NUMBER), ("POLICY_SCHEMA_ID", _NUMBER), ("POLICY_SCHEMA", VARCHAR),
    ("POLICY_CATALOG_ID", _NUMBER), ("POLICY_CATALOG", VARCHAR), ("POLICY_OWNER", VARCHAR), ("POLICY_SIGNATURE", VARCHAR),
    ("POLICY_RETURN_TYPE", VARCHAR), ("POLICY_BODY", VARCHAR), ("POLICY_COMMENT", VARCHAR), ("CREATED", TIMESTAMP_LTZ),
    ("LAST_ALTERED", TIMESTAMP_LTZ), ("DELETED", TIMESTAMP_LTZ), ("OWNER_ROLE_TYPE", VARCHAR), ("OPTIONS", VARCHAR),
]  # fmt: skip


def _policies(request: Request, kind: str) -> Iterator[tuple]:
    catalog = request.context.catalog
    for policy in sorted(catalog.every(), key=lambda item: item.id):
        schema = catalog.by_id(policy.parent)
        database = catalog.by_id(schema.parent) if schema else None
        if not isinstance(policy, Policy) or policy.kind != kind or schema is None or database is None:
            continue
        signature = ", ".join(f"{name} {argument}" for name, argument, _ in policy.arguments)
        yield (
            policy.name, policy.id, schema.id, schema.name, database.id, database.name, policy.owner, f"({signature})",
            str(policy.returns), policy.body, policy.comment or None, policy.created_on, policy.created_on,
            policy.dropped_on, "ROLE" if policy.owner else None, encode(policy.options) if policy.options else None,
        )  # fmt: skip


@view("ACCOUNT_USAGE.MASKING_POLICIES", columns=_POLICY_COLUMNS)
def _masking(request: Request) -> Iterator[tuple]:
    return _policies(request, MASKING)


@view("ACCOUNT_USAGE.ROW_ACCESS_POLICIES", columns=_POLICY_COLUMNS)
def _row_access(request: Request) -> Iterator[tuple]:
    return _policies(request, ROW_ACCESS)
