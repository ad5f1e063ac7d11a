"""The views of INFORMATION_SCHEMA: columns in Snowflake's order, rows from the catalog.

https://docs.snowflake.com/en/sql-reference/info-schema#list-of-views
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from polynya.catalog import rights
from polynya.catalog.default_sequences import default_text
from polynya.catalog.granted import sees_grant
from polynya.catalog.information_schema import Request, view, view_names
from polynya.catalog.model import ColumnDef, Routine, Schema, Table, View
from polynya.catalog.packages import PYTHON_VERSION, listed_packages
from polynya.catalog.retention import retention_days
from polynya.catalog.store import INFORMATION_SCHEMA
from polynya.types.sqltype import TIMESTAMP_LTZ, VARCHAR, SqlType, number

_NUMBER = number(38, 0)
_TEXT = VARCHAR


def _texts(*names: str) -> list[tuple[str, SqlType]]:
    return [(name, _TEXT) for name in names]


def _yes_no(value: Any) -> str:
    return "YES" if value else "NO"


# --- databases and schemas --------------------------------------------------------------------------------------------


@view("INFORMATION_SCHEMA_CATALOG_NAME", columns=_texts("CATALOG_NAME"))
def _catalog_name(request: Request) -> list[tuple]:
    return [(database.name,) for database in request.databases]


@view(
    "DATABASES",
    columns=[
        *_texts("DATABASE_NAME", "DATABASE_OWNER", "IS_TRANSIENT", "COMMENT"), ("CREATED", TIMESTAMP_LTZ),
        ("LAST_ALTERED", TIMESTAMP_LTZ), ("RETENTION_TIME", _NUMBER), *_texts("TYPE", "OWNER_ROLE_TYPE"),
    ],
)  # fmt: skip
def _databases(request: Request) -> list[tuple]:
    return [
        (
            database.name, database.owner, _yes_no(database.transient), database.comment or None, database.created_on,
            database.created_on, retention_days(request.context.catalog, database), database.options.get("KIND", "STANDARD"), "ROLE",
        )
        for database in request.context.catalog.visible(request.context, 0, "DATABASE")
    ]  # fmt: skip


@view(
    "SCHEMATA",
    columns=[
        *_texts("CATALOG_NAME", "SCHEMA_NAME", "SCHEMA_OWNER", "IS_TRANSIENT", "IS_MANAGED_ACCESS"),
        ("RETENTION_TIME", _NUMBER),
        *_texts(
            "DEFAULT_CHARACTER_SET_CATALOG", "DEFAULT_CHARACTER_SET_SCHEMA", "DEFAULT_CHARACTER_SET_NAME", "SQL_PATH"
        ),
        ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ), *_texts("COMMENT", "OWNER_ROLE_TYPE"),
    ],
)  # fmt: skip
def _schemata(request: Request) -> Iterator[tuple]:
    catalog, context = request.context.catalog, request.context
    for database in request.databases:
        inner = catalog.get(context, "SCHEMA", [database.name, INFORMATION_SCHEMA])
        schemas: list[Schema] = sorted(
            [*catalog.visible(context, database.id, "SCHEMA"), inner], key=lambda schema: schema.name
        )
        for schema in schemas:
            yield (
                database.name, schema.name, schema.owner or None, _yes_no(schema.transient),
                _yes_no(schema.options.get("MANAGED ACCESS")), retention_days(request.context.catalog, schema), None, None, None, None,
                schema.created_on, schema.created_on, schema.comment or None, "ROLE" if schema.owner else None,
            )  # fmt: skip


# --- tables and views -------------------------------------------------------------------------------------------------


@view(
    "TABLES",
    columns=[
        *_texts("TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "TABLE_OWNER", "TABLE_TYPE", "IS_TRANSIENT", "CLUSTERING_KEY"),
        ("ROW_COUNT", _NUMBER), ("BYTES", _NUMBER), ("RETENTION_TIME", _NUMBER),
        *_texts(
            "SELF_REFERENCING_COLUMN_NAME", "REFERENCE_GENERATION", "USER_DEFINED_TYPE_CATALOG",
            "USER_DEFINED_TYPE_SCHEMA", "USER_DEFINED_TYPE_NAME", "IS_INSERTABLE_INTO", "IS_TYPED", "COMMIT_ACTION",
        ),
        ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ), ("LAST_DDL", TIMESTAMP_LTZ),
        *_texts("LAST_DDL_BY", "AUTO_CLUSTERING_ON", "COMMENT", "IS_TEMPORARY", "IS_ICEBERG", "IS_DYNAMIC", "IS_IMMUTABLE", "IS_HYBRID"),
    ],
)  # fmt: skip
def _tables(request: Request) -> Iterator[tuple]:
    found = request.objects("TABLE")
    tables = [item for _, _, item in found if isinstance(item, Table)]
    sizes: dict[int, Any] = request.contents.sizes(tables) if request.contents else {}
    for database, schema, item in found:
        days = retention_days(request.context.catalog, item)
        yield _table_row(database.name, schema.name, item, sizes.get(item.id, (None, None)), days)
    for database in request.databases:
        for name in view_names():
            yield (
                database.name, INFORMATION_SCHEMA, name, None, "VIEW", None, None, None, None, None, None, None, None, None,
                None, "NO", "YES", None, database.created_on, database.created_on, None, None, "NO", None, "NO", "NO",
                "NO", "NO", "NO",
            )  # fmt: skip


def _table_row(database: str, schema: str, item: Table | View, size: tuple[int | None, int | None], days: int) -> tuple:
    if isinstance(item, View):
        return (
            database, schema, item.name, item.owner, "VIEW", None, None, None, None, None, None, None, None, None, None,
            "NO", "YES", None, item.created_on, item.created_on, item.created_on, None, "NO", item.comment or None,
            _yes_no(item.temporary), "NO", "NO", "NO", "NO",
        )  # fmt: skip
    kind = "LOCAL TEMPORARY" if item.kind == "TEMPORARY" else "BASE TABLE"
    return (
        database, schema, item.name, item.owner, kind, _yes_no(item.kind == "TRANSIENT"), item.cluster_by or None, size[0],
        size[1], days, None, None, None, None, None, "YES", "YES", None,
        item.created_on, item.created_on, item.created_on, None, _yes_no(item.cluster_by), item.comment or None,
        _yes_no(item.kind == "TEMPORARY"), "NO", _yes_no(item.dynamic_query), "NO", "NO",
    )  # fmt: skip


@view(
    "VIEWS",
    columns=[
        *_texts(
            "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "TABLE_OWNER", "VIEW_DEFINITION", "CHECK_OPTION",
            "IS_UPDATABLE", "INSERTABLE_INTO", "IS_SECURE",
        ),
        ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ), ("LAST_DDL", TIMESTAMP_LTZ),
        *_texts("LAST_DDL_BY", "COMMENT", "IS_TEMPORARY"),
    ],
)  # fmt: skip
def _views(request: Request) -> Iterator[tuple]:
    for database, schema, item in request.objects("TABLE"):
        if isinstance(item, View):
            yield (
                database.name, schema.name, item.name, item.owner, _readable(request, item, item.text), "NONE", "NO", "NO", _yes_no(item.secure),
                item.created_on, item.created_on, item.created_on, None, item.comment or None, _yes_no(item.temporary),
            )  # fmt: skip


COLUMN_FIELDS: list[tuple[str, SqlType]] = [
    *_texts("TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME"), ("ORDINAL_POSITION", _NUMBER),
    *_texts("COLUMN_DEFAULT", "IS_NULLABLE", "DATA_TYPE"), ("CHARACTER_MAXIMUM_LENGTH", _NUMBER),
    ("CHARACTER_OCTET_LENGTH", _NUMBER), ("NUMERIC_PRECISION", _NUMBER), ("NUMERIC_PRECISION_RADIX", _NUMBER),
    ("NUMERIC_SCALE", _NUMBER), ("DATETIME_PRECISION", _NUMBER), *_texts("INTERVAL_TYPE"), ("INTERVAL_PRECISION", _NUMBER),
    *_texts(
        "CHARACTER_SET_CATALOG", "CHARACTER_SET_SCHEMA", "CHARACTER_SET_NAME", "COLLATION_CATALOG", "COLLATION_SCHEMA",
        "COLLATION_NAME", "DOMAIN_CATALOG", "DOMAIN_SCHEMA", "DOMAIN_NAME", "UDT_CATALOG", "UDT_SCHEMA", "UDT_NAME",
        "SCOPE_CATALOG", "SCOPE_SCHEMA", "SCOPE_NAME",
    ),
    ("MAXIMUM_CARDINALITY", _NUMBER), *_texts("DTD_IDENTIFIER", "IS_SELF_REFERENCING", "IS_IDENTITY", "IDENTITY_GENERATION"),
    *_texts("IDENTITY_START", "IDENTITY_INCREMENT", "IDENTITY_MAXIMUM", "IDENTITY_MINIMUM", "IDENTITY_CYCLE", "IDENTITY_ORDERED"),
    *_texts("SCHEMA_EVOLUTION_RECORD", "COMMENT"),
]  # fmt: skip


@view("COLUMNS", columns=COLUMN_FIELDS)
def _columns(request: Request) -> Iterator[tuple]:
    for database, schema, item in request.objects("TABLE"):
        for index, column in enumerate(item.columns, 1):
            yield column_row(request, (database.name, schema.name, item.name), index, column)


def column_row(request: Request, place: tuple[str, str, str], index: int, column: ColumnDef) -> tuple:
    """A row of COLUMNS.

    Args:
        request: of the view.
        place: database, schema, table.
        index: from 1.
        column: of the table.
    """
    kind = column.type
    text_length = kind.length if kind.name in ("VARCHAR", "BINARY") else None
    octets = min(text_length * 4, 134_217_728) if kind.name == "VARCHAR" and text_length else text_length
    is_number, moment = kind.name == "NUMBER", kind.is_timestamp or kind.name == "TIME"
    sequence: Any = request.context.catalog.by_id(column.autoincrement) if column.autoincrement else None
    identity: tuple = (
        ("YES", "BY DEFAULT", str(sequence.start), str(sequence.increment), None, None, "NO", _yes_no(sequence.ordered))
        if sequence is not None
        else ("NO", None, None, None, None, None, None, None)
    )
    name = "TEXT" if kind.name == "VARCHAR" else kind.name
    return (
        *place, column.name, index, default_text(request.context.catalog, column), _yes_no(column.nullable), name, text_length, octets,
        kind.precision if is_number else None, 10 if is_number else None, kind.scale if is_number else None,
        kind.precision if moment else None, None, None, None, None, None, None, None, column.collation, None, None, None,
        None, None, None, None, None, None, None, None, "NO", *identity, None, column.comment,
    )  # fmt: skip


@view(
    "TABLE_CONSTRAINTS",
    columns=[
        *_texts(
            "CONSTRAINT_CATALOG", "CONSTRAINT_SCHEMA", "CONSTRAINT_NAME", "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME",
            "CONSTRAINT_TYPE", "IS_DEFERRABLE", "INITIALLY_DEFERRED", "ENFORCED", "COMMENT",
        ),
        ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ), *_texts("RELY"),
    ],
)  # fmt: skip
def _table_constraints(request: Request) -> Iterator[tuple]:
    for database, schema, item in request.objects("TABLE"):
        for index, constraint in enumerate(item.options.get("CONSTRAINTS", [])):
            name = constraint["name"] or f"SYS_CONSTRAINT_{item.id:08x}-{index}"
            yield (
                database.name, schema.name, name, database.name, schema.name, item.name, constraint["type"], "NO", "YES",
                "NO", None, item.created_on, item.created_on, "NO",
            )  # fmt: skip


# --- other objects of schemas -----------------------------------------------------------------------------------------


@view(
    "SEQUENCES",
    columns=[
        *_texts("SEQUENCE_CATALOG", "SEQUENCE_SCHEMA", "SEQUENCE_NAME", "SEQUENCE_OWNER", "DATA_TYPE"),
        ("NUMERIC_PRECISION", _NUMBER), ("NUMERIC_PRECISION_RADIX", _NUMBER), ("NUMERIC_SCALE", _NUMBER),
        *_texts("START_VALUE", "MINIMUM_VALUE", "MAXIMUM_VALUE"), ("NEXT_VALUE", _NUMBER),
        *_texts("INCREMENT", "CYCLE_OPTION"), ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ),
        *_texts("ORDERED", "COMMENT", "OWNER_ROLE_TYPE"),
    ],
)  # fmt: skip
def _sequences(request: Request) -> Iterator[tuple]:
    for database, schema, item in request.objects("SEQUENCE"):
        yield (
            database.name, schema.name, item.name, item.owner, "NUMBER", 38, 10, 0, str(item.start), None, None,
            item.next_value, str(item.increment), "NO", item.created_on, item.created_on, _yes_no(item.ordered),
            item.comment or None, "ROLE",
        )  # fmt: skip


@view(
    "STAGES",
    columns=[
        *_texts("STAGE_CATALOG", "STAGE_SCHEMA", "STAGE_NAME", "STAGE_URL", "STAGE_REGION", "STAGE_TYPE", "STAGE_OWNER", "COMMENT"),
        ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ), *_texts("ENDPOINT", "DIRECTORY_ENABLED"),
    ],
)  # fmt: skip
def _stages(request: Request) -> Iterator[tuple]:
    for database, schema, item in request.objects("STAGE"):
        kind = "External Named" if item.url else "Internal Named"
        yield (
            database.name, schema.name, item.name, item.url or None, item.options.get("REGION"), kind, item.owner,
            item.comment or None, item.created_on, item.created_on, item.options.get("ENDPOINT"),
            _yes_no(item.directory_table),
        )  # fmt: skip


@view(
    "FILE_FORMATS",
    columns=[
        *_texts(
            "FILE_FORMAT_CATALOG", "FILE_FORMAT_SCHEMA", "FILE_FORMAT_NAME", "FILE_FORMAT_OWNER", "FILE_FORMAT_TYPE",
            "RECORD_DELIMITER", "FIELD_DELIMITER",
        ),
        ("SKIP_HEADER", _NUMBER),
        *_texts(
            "DATE_FORMAT", "TIME_FORMAT", "TIMESTAMP_FORMAT", "BINARY_FORMAT", "ESCAPE", "ESCAPE_UNENCLOSED_FIELD",
            "TRIM_SPACE", "FIELD_OPTIONALLY_ENCLOSED_BY", "NULL_IF", "COMPRESSION", "ERROR_ON_COLUMN_COUNT_MISMATCH",
        ),
        ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ), *_texts("COMMENT"),
    ],
)  # fmt: skip
def _file_formats(request: Request) -> Iterator[tuple]:
    for database, schema, item in request.objects("FILE FORMAT"):
        option = item.format.get

        def shown(name: str, default: Any = None, option: Any = option) -> str | None:
            value = option(name, default)
            return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)

        header = option("SKIP_HEADER", 0)
        yield (
            database.name, schema.name, item.name, item.owner, str(option("TYPE", "CSV")).upper(),
            shown("RECORD_DELIMITER", "\\n"), shown("FIELD_DELIMITER", ","), int(header) if str(header).isdigit() else 0,
            shown("DATE_FORMAT", "AUTO"), shown("TIME_FORMAT", "AUTO"), shown("TIMESTAMP_FORMAT", "AUTO"),
            shown("BINARY_FORMAT", "HEX"), shown("ESCAPE", "NONE"), shown("ESCAPE_UNENCLOSED_FIELD", "\\\\"),
            shown("TRIM_SPACE", False), shown("FIELD_OPTIONALLY_ENCLOSED_BY", "NONE"), shown("NULL_IF", ["\\\\N"]),
            shown("COMPRESSION", "AUTO"), shown("ERROR_ON_COLUMN_COUNT_MISMATCH", True), item.created_on,
            item.created_on, item.comment or None,
        )  # fmt: skip


# --- functions and procedures -----------------------------------------------------------------------------------------

_ROUTINE_FIELDS = [
    ("CHARACTER_MAXIMUM_LENGTH", _NUMBER), ("CHARACTER_OCTET_LENGTH", _NUMBER), ("NUMERIC_PRECISION", _NUMBER),
    ("NUMERIC_PRECISION_RADIX", _NUMBER), ("NUMERIC_SCALE", _NUMBER),
]  # fmt: skip


def _arguments(routine: Routine) -> str:
    return "(" + ", ".join(f"{name} {sql_type.name}" for name, sql_type, _ in routine.arguments) + ")"


def _returns(routine: Routine) -> str:
    if routine.returns_table is not None:
        return "TABLE (" + ", ".join(f"{name} {sql_type.name}" for name, sql_type in routine.returns_table) + ")"
    return str(routine.returns)


def _measures(routine: Routine) -> tuple:
    kind = routine.returns
    if kind is None or kind.name not in ("NUMBER", "VARCHAR"):
        return (None, None, None, None, None)
    if kind.name == "NUMBER":
        return (None, None, kind.precision, 10, kind.scale)
    return (kind.length, min(kind.length * 4, 134_217_728), None, None, None)


def _option_text(routine: Routine, name: str) -> str | None:
    value = routine.options.get(name)
    return None if value is None else str(value)


@view(
    "FUNCTIONS",
    columns=[
        *_texts("FUNCTION_CATALOG", "FUNCTION_SCHEMA", "FUNCTION_NAME", "FUNCTION_OWNER", "ARGUMENT_SIGNATURE", "DATA_TYPE"),
        *_ROUTINE_FIELDS, *_texts("FUNCTION_LANGUAGE", "FUNCTION_DEFINITION", "VOLATILITY", "IS_NULL_CALL", "IS_SECURE"),
        ("CREATED", TIMESTAMP_LTZ), ("LAST_ALTERED", TIMESTAMP_LTZ),
        *_texts(
            "COMMENT", "IS_EXTERNAL", "API_INTEGRATION", "CONTEXT_HEADERS", "MAX_BATCH_ROWS", "COMPRESSION", "PACKAGES",
            "RUNTIME_VERSION", "INSTALLED_PACKAGES", "IS_MEMOIZABLE", "IS_AGGREGATE", "IMPORTS", "HANDLER", "TARGET_PATH",
            "SECRETS", "EXTERNAL_ACCESS_INTEGRATIONS",
        ),
    ],
)  # fmt: skip
def _functions(request: Request) -> Iterator[tuple]:
    for database, schema, item in request.objects("FUNCTION"):
        yield (
            database.name, schema.name, item.name, item.owner, _arguments(item), _returns(item), *_measures(item),
            item.language, _readable(request, item, item.body), _option_text(item, "VOLATILITY"), "NO" if item.options.get("STRICT") else "YES",
            _yes_no(item.options.get("SECURE")), item.created_on, item.created_on, item.comment or None, "NO", None, None,
            None, None, _option_text(item, "PACKAGES"), _option_text(item, "RUNTIME_VERSION"),
            _option_text(item, "INSTALLED_PACKAGES"), _yes_no(item.options.get("MEMOIZABLE")),
            _yes_no(item.kind == "AGGREGATE FUNCTION"), _option_text(item, "IMPORTS"), _option_text(item, "HANDLER"), None,
            _option_text(item, "SECRETS"), _option_text(item, "EXTERNAL_ACCESS_INTEGRATIONS"),
        )  # fmt: skip


def _readable(request: Request, item: View | Routine, text: str) -> str | None:
    """How a view or routine is made, if the session may read it."""
    return text if rights.may_read_text(request.context, item) else None


@view(
    "PROCEDURES",
    columns=[
        *_texts("PROCEDURE_CATALOG", "PROCEDURE_SCHEMA", "PROCEDURE_NAME", "PROCEDURE_OWNER", "ARGUMENT_SIGNATURE", "DATA_TYPE"),
        *_ROUTINE_FIELDS, *_texts("PROCEDURE_LANGUAGE", "PROCEDURE_DEFINITION"), ("CREATED", TIMESTAMP_LTZ),
        ("LAST_ALTERED", TIMESTAMP_LTZ),
        *_texts(
            "COMMENT", "PACKAGES", "RUNTIME_VERSION", "INSTALLED_PACKAGES", "IMPORTS", "HANDLER", "EXTERNAL_ACCESS_INTEGRATIONS",
            "SECRETS",
        ),
    ],
)  # fmt: skip
def _procedures(request: Request) -> Iterator[tuple]:
    for database, schema, item in request.objects("PROCEDURE"):
        yield (
            database.name, schema.name, item.name, item.owner, _arguments(item), _returns(item), *_measures(item),
            item.language, _readable(request, item, item.body), item.created_on, item.created_on, item.comment or None, _option_text(item, "PACKAGES"),
            _option_text(item, "RUNTIME_VERSION"), _option_text(item, "INSTALLED_PACKAGES"), _option_text(item, "IMPORTS"),
            _option_text(item, "HANDLER"), _option_text(item, "EXTERNAL_ACCESS_INTEGRATIONS"), _option_text(item, "SECRETS"),
        )  # fmt: skip


@view("PACKAGES", columns=_texts("PACKAGE_NAME", "VERSION", "LANGUAGE", "RUNTIME_VERSION"))
def _packages(request: Request) -> list[tuple]:
    """What Python functions can import: the distributions installed beside the server."""
    del request
    return [(name, version, "python", PYTHON_VERSION) for name, version in listed_packages()]


# --- roles and privileges ---------------------------------------------------------------------------------------------


@view("APPLICABLE_ROLES", columns=_texts("GRANTEE", "ROLE_NAME", "ROLE_OWNER", "IS_GRANTABLE"))
def _applicable_roles(request: Request) -> Iterator[tuple]:
    catalog, context = request.context.catalog, request.context
    available = catalog.roles_of(context.user)
    for grant in catalog.grants():
        if grant.on_kind == "ROLE" and grant.on_name in available:
            role = catalog.child(0, "ROLE", grant.on_name)
            if grant.to_name in (context.user, *available):
                yield (grant.to_name, grant.on_name, role.owner if role else None, _yes_no(grant.grant_option))


@view("ENABLED_ROLES", columns=_texts("ROLE_NAME", "ROLE_OWNER"))
def _enabled_roles(request: Request) -> Iterator[tuple]:
    catalog, context = request.context.catalog, request.context
    for name in sorted(rights.session_roles(context)):
        role = catalog.child(0, "ROLE", name)
        yield (name, role.owner if role else None)


_PRIVILEGE_FIELDS = [
    *_texts("GRANTOR", "GRANTEE", "GRANTED_TO", "OBJECT_CATALOG", "OBJECT_SCHEMA", "OBJECT_NAME", "OBJECT_TYPE", "PRIVILEGE_TYPE"),
    *_texts("IS_GRANTABLE"), ("CREATED", TIMESTAMP_LTZ),
]  # fmt: skip


@view("OBJECT_PRIVILEGES", columns=_PRIVILEGE_FIELDS)
def _object_privileges(request: Request) -> Iterable[tuple]:
    for grant in request.context.catalog.grants():
        if grant.future or grant.on_kind in ("ROLE", "ACCOUNT") or not sees_grant(request.context, grant):
            continue
        parts = _parts(grant.on_name)
        database, schema = (parts[0] if len(parts) > 1 else None), (parts[1] if len(parts) > 2 else None)
        yield (
            grant.granted_by or None, grant.to_name, grant.to_kind, database, schema, parts[-1], grant.on_kind,
            grant.privilege, _yes_no(grant.grant_option), grant.created_on,
        )  # fmt: skip


def _parts(name: str) -> list[str]:
    from polynya.catalog.names import split_name

    try:
        return split_name(name)
    except ValueError:  # a routine's name with its argument types
        return name.split(".", 2)


# --- loads ------------------------------------------------------------------------------------------------------------


@view(
    "LOAD_HISTORY",
    columns=[
        *_texts("SCHEMA_NAME", "FILE_NAME", "TABLE_NAME"), ("LAST_LOAD_TIME", TIMESTAMP_LTZ), *_texts("STATUS"),
        ("ROW_COUNT", _NUMBER), ("ROW_PARSED", _NUMBER), *_texts("FIRST_ERROR_MESSAGE"),
        ("FIRST_ERROR_LINE_NUMBER", _NUMBER), ("FIRST_ERROR_CHARACTER_POSITION", _NUMBER), *_texts("FIRST_ERROR_COL_NAME"),
        ("ERROR_COUNT", _NUMBER), ("ERROR_LIMIT", _NUMBER),
    ],
)  # fmt: skip
def _load_history(request: Request) -> Iterator[tuple]:
    loads = request.contents.loads() if request.contents else []
    tables = {item.id: (schema, item) for _, schema, item in request.objects("TABLE")}
    for load in loads:
        if load["table_id"] in tables:
            schema, table = tables[load["table_id"]]
            yield (
                schema.name, load["file"], table.name, load["loaded_at"], load["status"], load["rows_loaded"],
                load["rows_parsed"], load["first_error"], None, None, None, load["errors"], None,
            )  # fmt: skip
