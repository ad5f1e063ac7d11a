"""SNOWFLAKE.ACCOUNT_USAGE: the account as a whole, dropped objects included.

https://docs.snowflake.com/en/sql-reference/account-usage
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polynya.catalog.default_sequences import default_text
from polynya.catalog.information_schema import Request, view
from polynya.catalog.model import Table, View
from polynya.catalog.retention import retention_days
from polynya.types.sqltype import BOOLEAN, TIMESTAMP_LTZ, VARCHAR, SqlType, number

_NUMBER = number(38, 0)


def _texts(*names: str) -> list[tuple[str, SqlType]]:
    return [(name, VARCHAR) for name in names]


def _with_dropped(request: Request, parent: int, kind: str) -> list[Any]:
    catalog = request.context.catalog
    return [*catalog.children(parent, kind), *catalog.dropped(parent, kind)]


@view(
    "ACCOUNT_USAGE.DATABASES",
    columns=[
        ("DATABASE_ID", _NUMBER), *_texts("DATABASE_NAME", "DATABASE_OWNER", "IS_TRANSIENT", "COMMENT"),
        ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ), ("DELETED", TIMESTAMP_LTZ),
        ("RETENTION_TIME", _NUMBER), *_texts("TYPE", "OWNER_ROLE_TYPE"),
    ],
)  # fmt: skip
def _databases(request: Request) -> Iterator[tuple]:
    for item in _with_dropped(request, 0, "DATABASE"):
        yield (
            item.id, item.name, item.owner, "YES" if item.transient else "NO", item.comment or None, item.created_on,
            item.created_on, item.dropped_on, retention_days(request.context.catalog, item), "STANDARD", "ROLE",
        )  # fmt: skip


@view(
    "ACCOUNT_USAGE.SCHEMATA",
    columns=[
        ("SCHEMA_ID", _NUMBER), *_texts("SCHEMA_NAME"), ("CATALOG_ID", _NUMBER),
        *_texts("CATALOG_NAME", "SCHEMA_OWNER"), ("RETENTION_TIME", _NUMBER), *_texts("IS_TRANSIENT", "COMMENT"),
        ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ), ("DELETED", TIMESTAMP_LTZ), *_texts("OWNER_ROLE_TYPE"),
    ],
)  # fmt: skip
def _schemata(request: Request) -> Iterator[tuple]:
    for database in _with_dropped(request, 0, "DATABASE"):
        for item in _with_dropped(request, database.id, "SCHEMA"):
            yield (
                item.id, item.name, database.id, database.name, item.owner,
                retention_days(request.context.catalog, item), "YES" if item.transient else "NO",
                item.comment or None, item.created_on, item.created_on, item.dropped_on, "ROLE",
            )  # fmt: skip


def _all_tables(request: Request) -> Iterator[tuple[Any, Any, Any]]:
    for database in _with_dropped(request, 0, "DATABASE"):
        for schema in _with_dropped(request, database.id, "SCHEMA"):
            for item in _with_dropped(request, schema.id, "TABLE"):
                yield database, schema, item


@view(
    "ACCOUNT_USAGE.TABLES",
    columns=[
        ("TABLE_ID", _NUMBER), *_texts("TABLE_NAME"), ("TABLE_SCHEMA_ID", _NUMBER), *_texts("TABLE_SCHEMA"),
        ("TABLE_CATALOG_ID", _NUMBER),
        *_texts("TABLE_CATALOG", "TABLE_OWNER", "TABLE_TYPE", "IS_TRANSIENT", "CLUSTERING_KEY"), ("ROW_COUNT", _NUMBER),
        ("BYTES", _NUMBER), ("RETENTION_TIME", _NUMBER), *_texts("COMMENT"), ("CREATED", TIMESTAMP_LTZ),
        ("LAST_ALTERED", TIMESTAMP_LTZ), ("DELETED", TIMESTAMP_LTZ), *_texts("OWNER_ROLE_TYPE"),
    ],
)  # fmt: skip
def _tables(request: Request) -> Iterator[tuple]:
    found = list(_all_tables(request))
    stored = [item for _, _, item in found if isinstance(item, Table) and item.dropped_on is None]
    sizes: dict[int, Any] = request.contents.sizes(stored) if request.contents else {}
    for database, schema, item in found:
        rows, size = sizes.get(item.id, (None, None))
        is_view = isinstance(item, View)
        yield (
            item.id, item.name, schema.id, schema.name, database.id, database.name, item.owner,
            "VIEW" if is_view else "BASE TABLE", None if is_view else "YES" if item.kind == "TRANSIENT" else "NO",
            getattr(item, "cluster_by", "") or None, rows, size,
            None if is_view else retention_days(request.context.catalog, item), item.comment or None,
            item.created_on, item.created_on, item.dropped_on, "ROLE",
        )  # fmt: skip


@view(
    "ACCOUNT_USAGE.COLUMNS",
    columns=[
        *_texts("COLUMN_NAME"), ("TABLE_ID", _NUMBER), *_texts("TABLE_NAME"), ("TABLE_SCHEMA_ID", _NUMBER),
        *_texts("TABLE_SCHEMA"), ("TABLE_CATALOG_ID", _NUMBER), *_texts("TABLE_CATALOG"), ("ORDINAL_POSITION", _NUMBER),
        *_texts("COLUMN_DEFAULT", "IS_NULLABLE", "DATA_TYPE"), ("CHARACTER_MAXIMUM_LENGTH", _NUMBER),
        ("NUMERIC_PRECISION", _NUMBER), ("NUMERIC_SCALE", _NUMBER), *_texts("COMMENT"), ("DELETED", TIMESTAMP_LTZ),
    ],
)  # fmt: skip
def _columns(request: Request) -> Iterator[tuple]:
    for database, schema, item in _all_tables(request):
        for index, column in enumerate(item.columns, 1):
            kind = column.type
            is_number = kind.name == "NUMBER"
            yield (
                column.name, item.id, item.name, schema.id, schema.name, database.id, database.name, index,
                default_text(request.context.catalog, column),
                "YES" if column.nullable else "NO", "TEXT" if kind.name == "VARCHAR" else kind.name, kind.length or None,
                kind.precision if is_number else None, kind.scale if is_number else None, column.comment, item.dropped_on,
            )  # fmt: skip


@view(
    "ACCOUNT_USAGE.USERS",
    columns=[
        ("USER_ID", _NUMBER), *_texts("NAME"), ("CREATED_ON", TIMESTAMP_LTZ), ("DELETED_ON", TIMESTAMP_LTZ),
        *_texts("LOGIN_NAME", "DISPLAY_NAME", "FIRST_NAME", "LAST_NAME", "EMAIL"),
        ("MUST_CHANGE_PASSWORD", BOOLEAN), ("HAS_PASSWORD", BOOLEAN), *_texts("COMMENT"), ("DISABLED", VARCHAR),
        *_texts("DEFAULT_WAREHOUSE", "DEFAULT_NAMESPACE", "DEFAULT_ROLE"), ("HAS_RSA_PUBLIC_KEY", BOOLEAN), *_texts("OWNER", "TYPE"),
    ],
)  # fmt: skip
def _users(request: Request) -> Iterator[tuple]:
    for item in _with_dropped(request, 0, "USER"):
        option = item.options.get
        yield (
            item.id, item.name, item.created_on, item.dropped_on, item.login_name, option("DISPLAY_NAME"),
            option("FIRST_NAME"), option("LAST_NAME"), option("EMAIL"), item.must_change_password, bool(item.password_hash),
            item.comment or None, str(item.disabled).lower(), item.default_warehouse or None, item.default_namespace or None,
            item.default_role or None, bool(item.public_keys), item.owner, option("TYPE"),
        )  # fmt: skip


@view(
    "ACCOUNT_USAGE.ROLES",
    columns=[
        ("ROLE_ID", _NUMBER), ("CREATED_ON", TIMESTAMP_LTZ), ("DELETED_ON", TIMESTAMP_LTZ),
        *_texts("NAME", "COMMENT", "OWNER", "ROLE_TYPE", "OWNER_ROLE_TYPE"),
    ],
)  # fmt: skip
def _roles(request: Request) -> Iterator[tuple]:
    for item in _with_dropped(request, 0, "ROLE"):
        yield (item.id, item.created_on, item.dropped_on, item.name, item.comment, item.owner, "ROLE", "ROLE")


@view(
    "ACCOUNT_USAGE.GRANTS_TO_ROLES",
    columns=[
        ("CREATED_ON", TIMESTAMP_LTZ), ("MODIFIED_ON", TIMESTAMP_LTZ),
        *_texts("PRIVILEGE", "GRANTED_ON", "NAME", "TABLE_CATALOG", "TABLE_SCHEMA", "GRANTED_TO", "GRANTEE_NAME"),
        ("GRANT_OPTION", BOOLEAN), *_texts("GRANTED_BY"), ("DELETED_ON", TIMESTAMP_LTZ),
    ],
)  # fmt: skip
def _grants_to_roles(request: Request) -> Iterator[tuple]:
    for grant in request.context.catalog.grants():
        if grant.to_kind == "ROLE" and not grant.future:
            parts = grant.on_name.split(".")
            yield (
                grant.created_on, grant.created_on, grant.privilege, grant.on_kind, parts[-1],
                parts[0] if len(parts) > 1 else None, parts[1] if len(parts) > 2 else None, "ROLE", grant.to_name,
                grant.grant_option, grant.granted_by, None,
            )  # fmt: skip


@view(
    "ACCOUNT_USAGE.GRANTS_TO_USERS",
    columns=[
        ("CREATED_ON", TIMESTAMP_LTZ), ("DELETED_ON", TIMESTAMP_LTZ),
        *_texts("ROLE", "GRANTED_TO", "GRANTEE_NAME", "GRANTED_BY"),
    ],
)  # fmt: skip
def _grants_to_users(request: Request) -> Iterator[tuple]:
    for grant in request.context.catalog.grants():
        if grant.to_kind == "USER" and grant.on_kind == "ROLE":
            yield (grant.created_on, None, grant.on_name, "USER", grant.to_name, grant.granted_by)


_HISTORY: list[tuple[str, SqlType]] = [
    *_texts("QUERY_ID", "QUERY_TEXT"), ("SESSION_ID", _NUMBER), *_texts("USER_NAME", "ROLE_NAME", "WAREHOUSE_NAME"),
    *_texts("WAREHOUSE_SIZE", "DATABASE_NAME", "SCHEMA_NAME", "QUERY_TYPE", "QUERY_TAG", "EXECUTION_STATUS"),
    ("ERROR_CODE", _NUMBER), *_texts("ERROR_MESSAGE"), ("START_TIME", TIMESTAMP_LTZ), ("END_TIME", TIMESTAMP_LTZ),
    ("TOTAL_ELAPSED_TIME", _NUMBER), ("BYTES_SCANNED", _NUMBER), ("ROWS_PRODUCED", _NUMBER), ("ROWS_INSERTED", _NUMBER),
    ("ROWS_UPDATED", _NUMBER), ("ROWS_DELETED", _NUMBER), ("IS_CLIENT_GENERATED_STATEMENT", BOOLEAN), *_texts("QUERY_HASH"),
]  # fmt: skip


@view("ACCOUNT_USAGE.QUERY_HISTORY", columns=_HISTORY)
def _query_history(request: Request) -> Iterator[tuple]:
    for record in request.results.history() if request.results is not None else []:
        yield tuple(record.get(name) for name, _ in _HISTORY)
