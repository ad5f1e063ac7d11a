"""SHOW DATABASES and SCHEMAS. https://docs.snowflake.com/en/sql-reference/sql/show-databases, .../show-schemas"""

from __future__ import annotations

from polynya.catalog.imported import share_of
from polynya.catalog.model import Schema
from polynya.catalog.store import INFORMATION_SCHEMA
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import (
    MOMENT,
    TEXT,
    Field,
    answer,
    created,
    dropped,
    owner_role_type,
    read_request,
    retention,
    yes_no,
)
from polynya.types.resultset import ResultSet


@statement("SHOW DATABASES", "SHOW TERSE DATABASES")
def show_databases(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    stream.expect("DATABASES")
    request = read_request(execution, stream, default="ACCOUNT", terse=terse)
    found = catalog.visible(context, 0, "DATABASE")
    if request.history:
        found += dropped(execution, 0, "DATABASE")
    kind: Field = ("kind", TEXT, lambda database: database.options.get("KIND", "STANDARD"))
    if terse:
        fields: list[Field] = [
            ("created_on", MOMENT, created),
            ("name", TEXT, lambda database: database.name),
            kind,
            ("database_name", TEXT, lambda database: ""),
            ("schema_name", TEXT, lambda database: ""),
        ]
        return answer(fields, request.select(found))
    fields = [
        ("created_on", MOMENT, created),
        ("name", TEXT, lambda database: database.name),
        ("is_default", TEXT, lambda database: "N"),
        ("is_current", TEXT, lambda database: yes_no(database.name == context.database)),
        ("origin", TEXT, lambda database: share_of(database) or str(database.options.get("ORIGIN", ""))),
        ("owner", TEXT, lambda database: database.owner),
        ("comment", TEXT, lambda database: database.comment),
        ("options", TEXT, lambda database: "TRANSIENT" if database.transient else ""),
        ("retention_time", TEXT, retention(execution)),
        kind,
        ("budget", TEXT, lambda database: None),
        ("owner_role_type", TEXT, owner_role_type),
        ("object_visibility", TEXT, lambda database: None),
    ]
    if request.history:
        fields.insert(9, ("dropped_on", MOMENT, lambda database: database.dropped_on))
    return answer(fields, request.select(found))


@statement("SHOW SCHEMAS", "SHOW TERSE SCHEMAS")
def show_schemas(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    stream.expect("SCHEMAS")
    request = read_request(execution, stream, default="DATABASE", terse=terse)
    database = request.scope.database
    databases = [database] if database is not None else catalog.visible(context, 0, "DATABASE")
    by_id = {database.id: database for database in databases}
    found: list[Schema] = []
    for database in databases:
        schemas = catalog.visible(context, database.id, "SCHEMA")
        inner = catalog.get(context, "SCHEMA", [database.name, INFORMATION_SCHEMA])
        found += sorted([*schemas, inner], key=lambda schema: schema.name)
        if request.history:
            found += dropped(execution, database.id, "SCHEMA")

    def of_database(schema: Schema) -> str:
        return by_id[schema.parent].name

    if terse:
        fields: list[Field] = [
            ("created_on", MOMENT, created),
            ("name", TEXT, lambda schema: schema.name),
            ("kind", TEXT, lambda schema: None),
            ("database_name", TEXT, of_database),
            ("schema_name", TEXT, lambda schema: ""),
        ]
        return answer(fields, request.select(found))
    fields = [
        ("created_on", MOMENT, created),
        ("name", TEXT, lambda schema: schema.name),
        ("is_default", TEXT, lambda schema: "N"),
        (
            "is_current",
            TEXT,
            lambda schema: yes_no((of_database(schema), schema.name) == (context.database, context.schema)),
        ),
        ("database_name", TEXT, of_database),
        ("owner", TEXT, lambda schema: schema.owner),
        ("comment", TEXT, lambda schema: schema.comment),
        ("options", TEXT, _options),
        ("retention_time", TEXT, retention(execution)),
        ("owner_role_type", TEXT, owner_role_type),
        ("classification_profile_database", TEXT, lambda schema: None),
        ("classification_profile_schema", TEXT, lambda schema: None),
        ("classification_profile", TEXT, lambda schema: None),
        ("object_visibility", TEXT, lambda schema: None),
    ]
    if request.history:
        fields.insert(9, ("dropped_on", MOMENT, lambda schema: schema.dropped_on))
    return answer(fields, request.select(found))


def _options(schema: Schema) -> str:
    words = ["TRANSIENT"] if schema.transient else []
    if schema.options.get("MANAGED ACCESS"):
        words.append("MANAGED ACCESS")
    return ", ".join(words)
