"""CREATE and ALTER of databases and schemas.

https://docs.snowflake.com/en/sql-reference/sql/create-database, .../create-schema
"""

from __future__ import annotations

from polynya.catalog.imported import read_only, share_of
from polynya.catalog.kinds import kind_of
from polynya.catalog.model import CatalogObject, Database, Schema
from polynya.dialect.tokens import TokenStream
from polynya.errors import compilation_error
from polynya.statements import clone, objects, shares, tagging
from polynya.statements.base import Execution, statement
from polynya.types.resultset import ResultSet, status


@statement("CREATE DATABASE")
def create_database(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    create = objects.read_create(stream, "DATABASE")
    if stream.accept("FROM"):
        return shares.import_share(execution, stream, create)
    origin = _origin(execution, stream, "DATABASE")
    place = objects.place_of(execution, "DATABASE", create.parts)
    existing = objects.look(execution, create, "DATABASE", place)
    if existing.keep is not None:
        return existing.keep
    database = Database(
        id=catalog.new_id(), parent=0, name=place.name, owner=objects.owner(execution), created_on=objects.now(),
        transient=create.transient,
    )  # fmt: skip
    _read_properties(execution, stream, database)
    inside: list[CatalogObject] = [_new_schema(execution, database, "PUBLIC")]
    if origin is not None:
        inside = clone.database_contents(execution, origin, database)
    objects.put(execution, database, existing.replaced)
    catalog.add_all(inside)
    if origin is not None:
        clone.copy_grants(execution, origin.item, database)
    context.database = database.name
    context.schema = "PUBLIC" if catalog.child(database.id, "SCHEMA", "PUBLIC") else None
    return status(f"Database {database.name} successfully created.")


@statement("CREATE SCHEMA")
def create_schema(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    create = objects.read_create(stream, "SCHEMA")
    origin = _origin(execution, stream, "SCHEMA")
    place = objects.place_of(execution, "SCHEMA", create.parts)
    existing = objects.look(execution, create, "SCHEMA", place)
    if existing.keep is not None:
        return existing.keep
    database = catalog.by_id(place.parent)
    assert isinstance(database, Database)
    schema = _new_schema(execution, database, place.name, create.transient or database.transient)
    _read_properties(execution, stream, schema)
    inside = clone.schema_contents(execution, origin, schema) if origin is not None else []
    objects.put(execution, schema, existing.replaced)
    catalog.add_all(inside)
    if origin is not None:
        clone.copy_grants(execution, origin.item, schema)
    context.database, context.schema = database.name, schema.name
    return status(f"Schema {schema.name} successfully created.")


def _new_schema(execution: Execution, database: Database, name: str, transient: bool = False) -> Schema:
    return Schema(
        id=execution.context.catalog.new_id(), parent=database.id, name=name, owner=objects.owner(execution),
        created_on=objects.now(), transient=transient,
    )  # fmt: skip


def _origin(execution: Execution, stream: TokenStream, kind: str) -> clone.Origin | None:
    """What stands after CLONE, or None."""
    return clone.read_origin(execution, stream, kind) if stream.accept("CLONE") else None


def _read_properties(execution: Execution, stream: TokenStream, item: Database | Schema) -> None:
    while not stream.done:
        before = stream.index
        if stream.accept("WITH", "MANAGED", "ACCESS"):
            item.options["MANAGED ACCESS"] = True
        elif tagging.accept_tag_clause(execution, stream, item):
            pass
        else:
            objects.set_properties(item, objects.read_properties(stream))
        if stream.index == before:
            raise stream.error()


@statement("ALTER DATABASE", "ALTER SCHEMA")
def alter(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER")
    kind = stream.word()
    if_exists = stream.accept("IF", "EXISTS")
    parts = _current(execution, kind) if _name_is_left_out(stream) else stream.name()
    if if_exists and catalog.find(context, kind, parts) is None:
        return objects.done()
    item = catalog.get(context, kind, parts)
    if item.id < 0:
        raise compilation_error(3001, "42501", "Insufficient privileges to operate on schema 'INFORMATION_SCHEMA'")
    changes = stream.at_one("SET", "UNSET")
    with objects.editing(execution, item, tagging.needed(execution, stream, "MODIFY" if changes else "OWNERSHIP")):
        _alter(execution, stream, item, kind)
    return objects.done()


def _alter(execution: Execution, stream: TokenStream, item: Database | Schema, kind: str) -> None:
    catalog, context = execution.context.catalog, execution.context
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, item, new_name)
    elif stream.accept("SWAP", "WITH"):
        other = catalog.get(context, kind, stream.name())
        stream.expect_end()
        execution.require("OWNERSHIP", other)
        _swap(execution, item, other)
    elif tagging.accept_tag_change(execution, stream, item):
        pass
    elif share_of(item):
        raise read_only(kind, item.name)
    elif stream.accept("SET"):
        objects.set_properties(item, objects.read_properties(stream))
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, item)
    elif stream.accept_one("ENABLE", "DISABLE"):
        execution.require_account("MANAGE GRANTS")
        stream.expect("MANAGED", "ACCESS")
        item.options["MANAGED ACCESS"] = stream.tokens[stream.index - 3].text.upper() == "ENABLE"
    else:
        raise stream.error()
    stream.expect_end()


def _name_is_left_out(stream: TokenStream) -> bool:
    """``ALTER SCHEMA SET name = value`` means the current one."""
    following = [token.text for token in stream.tokens[stream.index + 1 : stream.index + 3]]
    return stream.at_one("SET", "UNSET") and len(following) == 2 and (following[1] == "=" or stream.at("UNSET"))


def _current(execution: Execution, kind: str) -> list[str]:
    context = execution.context
    full = context.catalog.qualify(context, [context.schema or "PUBLIC"], 2, f"ALTER {kind}")
    return full if kind == "SCHEMA" else full[:1]


def _swap(execution: Execution, item: Database | Schema, other: Database | Schema) -> None:
    item.name, other.name = other.name, item.name
    item.parent, other.parent = other.parent, item.parent
    catalog = execution.context.catalog
    catalog.update(item, other)
    catalog.swap_in_grants(kind_of(item), catalog.grant_name(item), catalog.grant_name(other))
