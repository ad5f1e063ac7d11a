"""SHOW TABLES, VIEWS, OBJECTS, DYNAMIC TABLES, COLUMNS and the declared keys.

https://docs.snowflake.com/en/sql-reference/sql/show-tables and its neighbours
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from polynya.catalog.default_sequences import default_text
from polynya.catalog.model import CatalogObject, ColumnDef, Table, View
from polynya.catalog.rights import may_read_text
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import (
    COUNT,
    MOMENT,
    TEXT,
    Field,
    Request,
    answer,
    created,
    database_name,
    in_scope,
    on_off,
    option,
    owner_role_type,
    read_request,
    retention,
    schema_name,
    true_false,
    yes_no,
)
from polynya.storage.sizes import table_sizes
from polynya.types.resultset import ResultSet
from polynya.types.sqltype import SqlType


def _start(execution: Execution, stream: TokenStream, *words: str, with_columns: bool = False) -> Request:
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    for word in words:
        stream.expect(*word.split())
    return read_request(execution, stream, with_columns=with_columns, terse=terse)


def _name(item: CatalogObject) -> str:
    return item.name


def _places(execution: Execution) -> list[Field]:
    return [("database_name", TEXT, database_name(execution)), ("schema_name", TEXT, schema_name(execution))]


@statement("SHOW TABLES", "SHOW TERSE TABLES")
def show_tables(execution: Execution, stream: TokenStream) -> ResultSet:
    request = _start(execution, stream, "TABLES")
    found = in_scope(execution, request.scope, "TABLE", history=request.history)
    tables = request.select(item for item in found if isinstance(item, Table))
    if request.terse:
        fields = [
            ("created_on", MOMENT, created),
            ("name", TEXT, _name),
            ("kind", TEXT, _table_kind),
            *_places(execution),
        ]
        return answer(fields, tables)
    fields = _table_fields(execution, tables)
    if request.history:
        fields.append(("dropped_on", MOMENT, lambda table: table.dropped_on))
    return answer(fields, tables)


def _table_kind(table: Table) -> str:
    return table.kind


def _table_fields(execution: Execution, tables: list[Table]) -> list[Field]:
    sizes = table_sizes(execution.connection, [table for table in tables if table.dropped_on is None])
    return [
        ("created_on", MOMENT, created),
        ("name", TEXT, _name),
        *_places(execution),
        ("kind", TEXT, _table_kind),
        ("comment", TEXT, lambda table: table.comment),
        ("cluster_by", TEXT, lambda table: table.cluster_by),
        ("rows", COUNT, lambda table: sizes.get(table.id, (0, 0))[0]),
        ("bytes", COUNT, lambda table: sizes.get(table.id, (0, 0))[1]),
        ("owner", TEXT, lambda table: table.owner),
        ("retention_time", TEXT, retention(execution)),
        ("automatic_clustering", TEXT, lambda table: on_off(table.cluster_by)),
        ("change_tracking", TEXT, lambda table: on_off(table.options.get("CHANGE_TRACKING"))),
        ("search_optimization", TEXT, lambda table: on_off(table.options.get("SEARCH_OPTIMIZATION"))),
        (
            "search_optimization_progress",
            TEXT,
            lambda table: "100" if table.options.get("SEARCH_OPTIMIZATION") else None,
        ),
        ("search_optimization_bytes", COUNT, lambda table: None),
        ("is_external", TEXT, lambda table: "N"),
        ("enable_schema_evolution", TEXT, lambda table: yes_no(table.options.get("ENABLE_SCHEMA_EVOLUTION"))),
        ("owner_role_type", TEXT, owner_role_type),
        ("is_event", TEXT, lambda table: "N"),
        ("budget", TEXT, lambda table: None),
        ("is_hybrid", TEXT, lambda table: "N"),
        ("is_iceberg", TEXT, lambda table: "N"),
        ("is_dynamic", TEXT, lambda table: yes_no(table.dynamic_query)),
        ("is_immutable", TEXT, lambda table: "N"),
    ]


@statement("SHOW VIEWS", "SHOW TERSE VIEWS")
def show_views(execution: Execution, stream: TokenStream) -> ResultSet:
    request = _start(execution, stream, "VIEWS")
    views = request.select(item for item in in_scope(execution, request.scope, "TABLE") if isinstance(item, View))
    if request.terse:
        fields: list[Field] = [
            ("created_on", MOMENT, created),
            ("name", TEXT, _name),
            ("kind", TEXT, lambda view: "VIEW"),
        ]
        return answer([*fields, *_places(execution)], views)
    return answer(
        [
            ("created_on", MOMENT, created),
            ("name", TEXT, _name),
            ("reserved", TEXT, lambda view: ""),
            *_places(execution),
            ("owner", TEXT, lambda view: view.owner),
            ("comment", TEXT, lambda view: view.comment),
            ("text", TEXT, lambda view: view.text if may_read_text(execution.context, view) else ""),
            ("is_secure", TEXT, lambda view: true_false(view.secure)),
            ("is_materialized", TEXT, lambda view: "false"),
            ("owner_role_type", TEXT, owner_role_type),
            ("change_tracking", TEXT, lambda view: on_off(view.options.get("CHANGE_TRACKING"))),
        ],
        views,
    )


@statement("SHOW OBJECTS", "SHOW TERSE OBJECTS")
def show_objects(execution: Execution, stream: TokenStream) -> ResultSet:
    request = _start(execution, stream, "OBJECTS")
    found = request.select(in_scope(execution, request.scope, "TABLE"))
    kinds: Field = ("kind", TEXT, lambda item: "VIEW" if isinstance(item, View) else item.kind)
    if request.terse:
        return answer([("created_on", MOMENT, created), ("name", TEXT, _name), kinds, *_places(execution)], found)
    sizes = table_sizes(execution.connection, [item for item in found if isinstance(item, Table)])
    return answer(
        [
            ("created_on", MOMENT, created),
            ("name", TEXT, _name),
            *_places(execution),
            kinds,
            ("comment", TEXT, lambda item: item.comment),
            ("cluster_by", TEXT, lambda item: getattr(item, "cluster_by", "")),
            ("rows", COUNT, lambda item: sizes.get(item.id, (None, None))[0]),
            ("bytes", COUNT, lambda item: sizes.get(item.id, (None, None))[1]),
            ("owner", TEXT, lambda item: item.owner),
            ("retention_time", TEXT, retention(execution)),
            ("owner_role_type", TEXT, owner_role_type),
            ("budget", TEXT, lambda item: None),
            ("is_hybrid", TEXT, lambda item: "N"),
            ("is_dynamic", TEXT, lambda item: yes_no(getattr(item, "dynamic_query", ""))),
        ],
        found,
    )


@statement("SHOW DYNAMIC TABLES", "SHOW TERSE DYNAMIC TABLES")
def show_dynamic_tables(execution: Execution, stream: TokenStream) -> ResultSet:
    request = _start(execution, stream, "DYNAMIC", "TABLES")
    found = in_scope(execution, request.scope, "TABLE")
    tables = request.select(item for item in found if isinstance(item, Table) and item.dynamic_query)
    if request.terse:
        fields: list[Field] = [
            ("created_on", MOMENT, created),
            ("name", TEXT, _name),
            ("kind", TEXT, lambda table: "DYNAMIC TABLE"),
        ]
        return answer([*fields, *_places(execution)], tables)
    sizes = table_sizes(execution.connection, tables)
    return answer(
        [
            ("created_on", MOMENT, created),
            ("name", TEXT, _name),
            *_places(execution),
            ("cluster_by", TEXT, lambda table: table.cluster_by),
            ("rows", COUNT, lambda table: sizes.get(table.id, (0, 0))[0]),
            ("bytes", COUNT, lambda table: sizes.get(table.id, (0, 0))[1]),
            ("owner", TEXT, lambda table: table.owner),
            ("target_lag", TEXT, option("TARGET_LAG")),
            ("refresh_mode", TEXT, lambda table: "FULL"),
            ("refresh_mode_reason", TEXT, lambda table: None),
            ("warehouse", TEXT, option("WAREHOUSE")),
            ("comment", TEXT, lambda table: table.comment),
            ("text", TEXT, option("TEXT")),
            ("automatic_clustering", TEXT, lambda table: on_off(table.cluster_by)),
            # Refreshed by ALTER ... REFRESH only.
            ("scheduling_state", TEXT, lambda table: "SUSPENDED"),
            ("last_suspended_on", MOMENT, lambda table: None),
            ("is_clone", TEXT, lambda table: true_false("CLONE OF" in table.options)),
            ("is_replica", TEXT, lambda table: "false"),
            ("is_iceberg", TEXT, lambda table: "false"),
            ("data_timestamp", MOMENT, _data_timestamp),
            ("owner_role_type", TEXT, owner_role_type),
        ],
        tables,
    )


def _data_timestamp(table: Table) -> Any:
    from datetime import datetime

    text = table.options.get("DATA_TIMESTAMP")
    return datetime.fromisoformat(text) if text else None


# --- columns ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _ColumnOf:
    item: Table | View
    column: ColumnDef

    @property
    def name(self) -> str:
        return self.column.name


@statement("SHOW COLUMNS")
def show_columns(execution: Execution, stream: TokenStream) -> ResultSet:
    request = _start(execution, stream, "COLUMNS", with_columns=True)
    item = request.scope.item
    items: list[Any] = [item] if item is not None else in_scope(execution, request.scope, "TABLE")
    found = request.select(_ColumnOf(item, column) for item in items for column in item.columns)
    schemas, databases, catalog = schema_name(execution), database_name(execution), execution.context.catalog
    return answer(
        [
            ("table_name", TEXT, lambda found: found.item.name),
            ("schema_name", TEXT, lambda found: schemas(found.item)),
            ("column_name", TEXT, lambda found: found.column.name),
            ("data_type", TEXT, lambda found: json_type(found.column.type, found.column.nullable)),
            ("null?", TEXT, lambda found: "true" if found.column.nullable else "NOT_NULL"),
            ("default", TEXT, lambda found: default_text(catalog, found.column) or ""),
            ("kind", TEXT, lambda found: "COLUMN"),
            ("expression", TEXT, lambda found: ""),
            ("comment", TEXT, lambda found: found.column.comment or ""),
            ("database_name", TEXT, lambda found: databases(found.item)),
            ("autoincrement", TEXT, lambda found: identity_text(execution, found.column)),
            ("schema_evolution_record", TEXT, lambda found: None),
        ],
        found,
    )


def identity_text(execution: Execution, column: ColumnDef) -> str:
    """``IDENTITY START 1 INCREMENT 1 ORDER``, or ""."""
    sequence: Any = execution.context.catalog.by_id(column.autoincrement) if column.autoincrement else None
    if sequence is None:
        return ""
    order = "ORDER" if sequence.ordered else "NOORDER"
    return f"IDENTITY START {sequence.start} INCREMENT {sequence.increment} {order}"


def json_type(sql_type: SqlType, nullable: bool) -> str:
    """A type as SHOW COLUMNS prints it: ``{"type":"FIXED","precision":38,"scale":0,"nullable":true}``."""
    name = {"NUMBER": "FIXED", "FLOAT": "REAL", "VARCHAR": "TEXT"}.get(sql_type.name, sql_type.name)
    values: dict[str, Any] = {"type": name}
    if sql_type.name == "NUMBER":
        values |= {"precision": sql_type.precision, "scale": sql_type.scale}
    elif sql_type.name == "VARCHAR":
        values |= {"length": sql_type.length, "byteLength": min(sql_type.length * 4, 16_777_216)}
    elif sql_type.name == "BINARY":
        values |= {"length": sql_type.length, "byteLength": sql_type.length}
    elif sql_type.name == "TIME" or sql_type.is_timestamp:
        values |= {"precision": 0, "scale": sql_type.precision}
    elif sql_type.name == "VECTOR":
        element = sql_type.element
        values |= {
            "dimension": sql_type.length,
            "elementType": "REAL" if element and element.name == "FLOAT" else "FIXED",
        }
    values["nullable"] = nullable
    if sql_type.name == "VARCHAR":
        values["fixed"] = False
    return json.dumps(values, separators=(",", ":"))


# --- keys -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Key:
    table: Table
    constraint: dict[str, Any]
    index: int

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def constraint_name(self) -> str:
        return (
            self.constraint["name"]
            or f"SYS_CONSTRAINT_{self.table.id:08x}-{self.table.options['CONSTRAINTS'].index(self.constraint)}"
        )


def _keys(execution: Execution, request: Request, kind: str) -> list[_Key]:
    item = request.scope.item
    items: list[Any] = [item] if item is not None else in_scope(execution, request.scope, "TABLE")
    found = []
    for table in items:
        for constraint in table.options.get("CONSTRAINTS", []) if isinstance(table, Table) else []:
            if constraint["type"] == kind:
                found += [_Key(table, constraint, index) for index in range(len(constraint["columns"]))]
    return request.select(found)


@statement("SHOW PRIMARY KEYS", "SHOW UNIQUE KEYS")
def show_keys(execution: Execution, stream: TokenStream) -> ResultSet:
    kind = stream.words()[1]
    request = _start(execution, stream, kind, "KEYS", with_columns=True)
    schemas, databases = schema_name(execution), database_name(execution)
    return answer(
        [
            ("created_on", MOMENT, lambda key: key.table.created_on),
            ("database_name", TEXT, lambda key: databases(key.table)),
            ("schema_name", TEXT, lambda key: schemas(key.table)),
            ("table_name", TEXT, lambda key: key.table.name),
            ("column_name", TEXT, lambda key: key.constraint["columns"][key.index]),
            ("key_sequence", COUNT, lambda key: key.index + 1),
            ("constraint_name", TEXT, lambda key: key.constraint_name),
            ("rely", TEXT, lambda key: "false"),
            ("comment", TEXT, lambda key: None),
        ],
        _keys(execution, request, "PRIMARY KEY" if kind == "PRIMARY" else "UNIQUE"),
    )


@statement("SHOW IMPORTED KEYS", "SHOW EXPORTED KEYS")
def show_foreign_keys(execution: Execution, stream: TokenStream) -> ResultSet:
    direction = stream.words()[1]
    request = _start(execution, stream, direction, "KEYS", with_columns=True)
    schemas, databases = schema_name(execution), database_name(execution)
    if direction == "EXPORTED" and request.scope.item is not None:
        # The keys of all tables that refer to this one.
        path = execution.context.catalog.path(request.scope.item)
        request.scope.item = request.scope.schema = None
        keys = [key for key in _keys(execution, request, "FOREIGN KEY") if key.constraint["references"] == path]
    else:
        keys = _keys(execution, request, "FOREIGN KEY")

    def referred(key: _Key) -> str | None:
        names = key.constraint["reference_columns"]
        return names[key.index] if key.index < len(names) else None

    return answer(
        [
            ("created_on", MOMENT, lambda key: key.table.created_on),
            ("pk_database_name", TEXT, lambda key: key.constraint["references"][0]),
            ("pk_schema_name", TEXT, lambda key: key.constraint["references"][1]),
            ("pk_table_name", TEXT, lambda key: key.constraint["references"][2]),
            ("pk_column_name", TEXT, referred),
            ("fk_database_name", TEXT, lambda key: databases(key.table)),
            ("fk_schema_name", TEXT, lambda key: schemas(key.table)),
            ("fk_table_name", TEXT, lambda key: key.table.name),
            ("fk_column_name", TEXT, lambda key: key.constraint["columns"][key.index]),
            ("key_sequence", COUNT, lambda key: key.index + 1),
            ("update_rule", TEXT, lambda key: "NO ACTION"),
            ("delete_rule", TEXT, lambda key: "NO ACTION"),
            ("fk_name", TEXT, lambda key: key.constraint_name),
            ("pk_name", TEXT, lambda key: ""),
            ("deferrability", TEXT, lambda key: "NOT DEFERRABLE"),
            ("rely", TEXT, lambda key: "false"),
            ("comment", TEXT, lambda key: None),
        ],
        keys,
    )
