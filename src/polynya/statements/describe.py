"""DESCRIBE. https://docs.snowflake.com/en/sql-reference/sql/desc"""

from __future__ import annotations

from typing import Any

from polynya.catalog import rights
from polynya.catalog.default_sequences import default_text
from polynya.catalog.model import ColumnDef, Database, GenericObject, Routine, Schema, Table, View
from polynya.catalog.policies import policy_of
from polynya.catalog.store import INFORMATION_SCHEMA
from polynya.dialect.catalog_views import catalog_view
from polynya.dialect.tokens import TokenStream
from polynya.errors import does_not_exist, unsupported
from polynya.statements import objects
from polynya.statements.base import Execution, statement
from polynya.statements.declared import KINDS, shown_options
from polynya.statements.drop import read_signature
from polynya.statements.show.listing import COUNT, MOMENT, TEXT, answer, owner_role_type
from polynya.statements.show.routines import returned, type_name
from polynya.statements.show.tables import identity_text
from polynya.types.resultset import Column, ResultSet, StatementType, rows

_COLUMN_FIELDS = (
    "name", "type", "kind", "null?", "default", "primary key", "unique key", "check", "expression", "comment",
    "policy name", "privacy domain",
)  # fmt: skip


def _described(names: tuple[str, ...] | list[str], values: list[tuple]) -> ResultSet:
    return rows([Column(name, TEXT) for name in names], values, StatementType.DESCRIBE)


def _begin(stream: TokenStream, *kinds: str) -> str:
    stream.next()
    kind = stream.accept_one(*kinds)
    if kind is None:
        raise stream.error()
    return kind


def _pairs(*words: str) -> list[str]:
    return [f"{verb} {word}" for verb in ("DESCRIBE", "DESC") for word in words]


@statement(*_pairs("TABLE", "VIEW", "DYNAMIC TABLE"))
def describe_table(execution: Execution, stream: TokenStream) -> ResultSet:
    kind = _begin(stream, "DYNAMIC TABLE", "TABLE", "VIEW")
    parts = stream.name()
    if stream.accept("TYPE"):
        stream.expect("=")
        if stream.word() != "COLUMNS":
            raise unsupported("DESCRIBE TABLE ... TYPE = STAGE")
    stream.expect_end()
    found = _information_schema(execution, parts)
    if found is None:
        item: Table | View = execution.context.catalog.get(execution.context, "TABLE", parts, kind.capitalize())
        found = [_column_row(execution, column, isinstance(item, View)) for column in item.columns]
    return _described(_COLUMN_FIELDS, found)


def _column_row(execution: Execution, column: ColumnDef, of_view: bool) -> tuple:
    default = identity_text(execution, column) or default_text(execution.context.catalog, column)
    return (
        column.name, str(column.type), "COLUMN", "Y" if column.nullable else "N", None if of_view else default,
        "Y" if column.primary_key else "N", "Y" if column.unique else "N", None, None, column.comment,
        _policy_name(execution, column), None,
    )  # fmt: skip


def _policy_name(execution: Execution, column: ColumnDef) -> str | None:
    """The full name of a column's masking policy, if the session may know it."""
    if column.masking is None:
        return None
    catalog = execution.context.catalog
    policy = policy_of(catalog, column.masking)
    return catalog.full_name(policy) if rights.sees(execution.context, policy) else None


def _information_schema(execution: Execution, parts: list[str]) -> list[tuple] | None:
    """The columns of a view of INFORMATION_SCHEMA or ACCOUNT_USAGE, if the name is one."""
    found = catalog_view(execution.context, parts, None)
    return None if found is None else [_plain_row(column) for column in found[0]]


def _plain_row(column: Column) -> tuple:
    nullable = "Y" if column.nullable else "N"
    return (column.name, str(column.type), "COLUMN", nullable, None, "N", "N", None, None, None, None, None)


@statement(*_pairs("RESULT"))
def describe_result(execution: Execution, stream: TokenStream) -> ResultSet:
    _begin(stream, "RESULT")
    if stream.at_string():
        query_id = stream.string()
    else:
        stream.expect("LAST_QUERY_ID", "(", ")")
        ids = execution.context.last_query_ids
        query_id = ids[-1] if ids else ""
    stream.expect_end()
    return _described(_COLUMN_FIELDS, [_plain_row(column) for column in execution.results.result(query_id).columns])


@statement(*_pairs("DATABASE", "SCHEMA"))
def describe_container(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    kind = _begin(stream, "DATABASE", "SCHEMA")
    item: Database | Schema = catalog.get(context, kind, stream.name())
    stream.expect_end()
    fields = [
        ("created_on", MOMENT, lambda row: row[0]),
        ("name", TEXT, lambda row: row[1]),
        ("kind", TEXT, lambda row: row[2]),
    ]
    if isinstance(item, Database):
        schemas = [
            *catalog.visible(context, item.id, "SCHEMA"),
            catalog.get(context, "SCHEMA", [item.name, INFORMATION_SCHEMA]),
        ]
        found = [
            (schema.created_on, schema.name, "SCHEMA") for schema in sorted(schemas, key=lambda schema: schema.name)
        ]
    else:
        temporary = [found for (parent, _, _), found in context.temporary.items() if parent == item.id]
        stored = [
            found
            for kind in ("TABLE", "SEQUENCE", "STAGE", "FILE FORMAT", "FUNCTION", "PROCEDURE")
            for found in catalog.visible(context, item.id, kind)
        ]
        found = [(one.created_on, one.name, _kind(one)) for one in [*temporary, *stored]]
    result = answer(fields, found)
    result.statement_type = StatementType.DESCRIBE
    return result


def _kind(item: Any) -> str:
    from polynya.catalog.kinds import sql_kind

    return sql_kind(item)


@statement(*_pairs("WAREHOUSE"))
def describe_warehouse(execution: Execution, stream: TokenStream) -> ResultSet:
    _begin(stream, "WAREHOUSE")
    found = execution.context.catalog.get(execution.context, "WAREHOUSE", stream.name())
    stream.expect_end()
    columns = [Column("created_on", MOMENT), Column("name", TEXT), Column("kind", TEXT)]
    return rows(columns, [(found.created_on, found.name, "WAREHOUSE")], StatementType.DESCRIBE)


@statement(*_pairs("SEQUENCE"))
def describe_sequence(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    _begin(stream, "SEQUENCE")
    found = catalog.get(context, "SEQUENCE", stream.name())
    stream.expect_end()
    database, schema, name = catalog.path(found)
    columns = [
        Column("name", TEXT), Column("database_name", TEXT), Column("schema_name", TEXT), Column("next_value", COUNT),
        Column("interval", COUNT), Column("created_on", MOMENT), Column("owner", TEXT), Column("comment", TEXT),
        Column("owner_role_type", TEXT), Column("ordered", TEXT),
    ]  # fmt: skip
    row = (
        name, database, schema, found.next_value, found.increment, found.created_on, found.owner, found.comment,
        owner_role_type(found), "Y" if found.ordered else "N",
    )  # fmt: skip
    return rows(columns, [row], StatementType.DESCRIBE)


@statement(*_pairs("FUNCTION", "PROCEDURE"))
def describe_routine(execution: Execution, stream: TokenStream) -> ResultSet:
    kind = _begin(stream, "FUNCTION", "PROCEDURE")
    parts = stream.name()
    types = read_signature(execution, stream)
    stream.expect_end()
    routine = execution.context.catalog.routine(execution.context, kind, parts, types)
    if routine is None:
        full = execution.context.catalog.qualify(execution.context, parts)
        raise does_not_exist(kind.capitalize(), objects.full_text(full))
    readable = rights.may_read_text(execution.context, routine)
    return _described(["property", "value"], _routine_rows(routine, readable))


def _routine_rows(routine: Routine, readable: bool) -> list[tuple]:
    option = routine.options.get
    arguments = ", ".join(f"{name} {type_name(sql_type)}" for name, sql_type, _ in routine.arguments)
    found: list[tuple[str, Any]] = [
        ("signature", f"({arguments})"),
        ("returns", returned(routine) if routine.returns_table is not None else str(routine.returns)),
        ("language", routine.language),
        ("null handling", option("NULL_HANDLING", "CALLED ON NULL INPUT")),
        ("volatility", option("VOLATILITY", "VOLATILE")),
    ]
    if routine.kind == "PROCEDURE":
        found.append(("execute as", option("EXECUTE_AS", "OWNER")))
    if routine.language != "PYTHON":
        return [*found, ("body", routine.body if readable else None)]
    found += [
        ("body", (routine.body or None) if readable else None),
        ("imports", _list(option("IMPORTS"))),
        ("handler", option("HANDLER")),
        ("runtime_version", option("RUNTIME_VERSION")),
        ("packages", _list(option("PACKAGES"), "'")),
        ("installed_packages", _list(option("INSTALLED_PACKAGES"), "'")),
    ]
    if routine.kind != "PROCEDURE":
        found.append(("is_aggregate", str(routine.kind == "AGGREGATE FUNCTION").lower()))
    if option("ARTIFACT_REPOSITORY"):
        found.append(("artifact_repository", option("ARTIFACT_REPOSITORY")))
    if option("EXTERNAL_ACCESS_INTEGRATIONS"):
        found.append(("external_access_integrations", _list(option("EXTERNAL_ACCESS_INTEGRATIONS"))))
    secrets: dict[str, str] = option("SECRETS") or {}
    if secrets:
        found.append(("secrets", "{" + ", ".join(f"{variable}={name}" for variable, name in secrets.items()) + "}"))
    return found


def _list(value: Any, quote: str = "") -> str:
    items = value if isinstance(value, (list, tuple)) else [value] if value else []
    return "[" + ",".join(f"{quote}{item}{quote}" for item in items) + "]"


_DECLARED = [kind for kind in [*KINDS, "TAG"] if kind not in ("SHARE", "DATABASE ROLE")]


@statement(*_pairs(*_DECLARED))
def describe_declared(execution: Execution, stream: TokenStream) -> ResultSet:
    written = _begin(stream, *sorted(_DECLARED, key=len, reverse=True))
    item: GenericObject = execution.context.catalog.get(execution.context, KINDS.get(written, written), stream.name())
    stream.expect_end()
    values = {"NAME": item.name, "COMMENT": item.comment, **shown_options(item)}
    return _described(["property", "property_value"], [(name, str(value)) for name, value in values.items()])
