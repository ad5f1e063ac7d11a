"""DROP, UNDROP and TRUNCATE. https://docs.snowflake.com/en/sql-reference/sql/drop"""

from __future__ import annotations

from polynya.catalog.bootstrap import SYSTEM_ROLES
from polynya.catalog.kinds import kind_of
from polynya.catalog.model import CatalogObject, Database, Role, Schema, Table
from polynya.catalog.retention import is_over
from polynya.dialect.tokens import TokenStream
from polynya.dialect.types import read_type
from polynya.errors import SnowflakeError, does_not_exist, was_purged
from polynya.stages import history
from polynya.statements import creation, objects
from polynya.statements.base import Execution, statement
from polynya.statements.writing import make_writable
from polynya.types.resultset import ResultSet, status

# Kinds as they are written after DROP -> the catalog's kind.
_KINDS = {
    "TABLE": "TABLE", "VIEW": "TABLE", "DYNAMIC TABLE": "TABLE", "SEQUENCE": "SEQUENCE", "DATABASE": "DATABASE",
    "SCHEMA": "SCHEMA", "ROLE": "ROLE", "USER": "USER", "WAREHOUSE": "WAREHOUSE",
}  # fmt: skip
# Tables, views and dynamic tables share names; the others are unlike everything else.
_CHECKED = ("TABLE", "VIEW", "DYNAMIC TABLE")


@statement(*(f"DROP {kind}" for kind in _KINDS))
def drop(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("DROP")
    word = stream.accept_one(*sorted(_KINDS, key=len, reverse=True))
    assert word is not None
    kind = _KINDS[word]
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    stream.accept_one("CASCADE", "RESTRICT")
    stream.expect_end()
    found = catalog.find(context, kind, parts)
    if found is None:
        if if_exists:
            return _already(parts[-1])
        if kind in ("ROLE", "USER", "WAREHOUSE"):
            raise does_not_exist(word.capitalize(), parts[-1])
        catalog.get(context, kind, parts, word.capitalize() if word in _CHECKED else None)
    if word in _CHECKED:
        objects.check_type(found, word)
    _check_droppable(execution, found)
    objects.remove(execution, found)
    _forget(execution, found)
    if kind == "USER":
        execution.results.end_sessions(found.name)
        execution.stages.drop_user(found.name)
    return status(f"{found.name} successfully dropped.")


def _already(name: str) -> ResultSet:
    return status(f"Drop statement executed successfully ({name} already dropped).")


def _check_droppable(execution: Execution, item: CatalogObject) -> None:
    system = item.id < 0 or (item.name in SYSTEM_ROLES and type(item).__name__ == "Role")
    if system or (isinstance(item, Database) and "ORIGIN" in item.options):
        raise SnowflakeError(
            3001, "42501", f"SQL access control error:\nInsufficient privileges to operate on '{item.name}'"
        )
    if type(item).__name__ == "User" and item.name == execution.context.user:
        raise SnowflakeError(3001, "42501", "SQL access control error:\nThe current user cannot be dropped.")


def _forget(execution: Execution, item: CatalogObject) -> None:
    """What goes with a dropped object: the session's use of it, and temporary objects in it."""
    catalog, context = execution.context.catalog, execution.context
    if isinstance(item, (Database, Schema)):
        for temporary in list(context.temporary.values()):
            schema = catalog.by_id(temporary.parent)
            if schema is None or not catalog.reachable(schema):
                objects.remove(execution, temporary)
    if isinstance(item, Database) and context.database == item.name:
        context.database = context.schema = None
    if isinstance(item, Schema) and context.schema == item.name:
        database = catalog.by_id(item.parent)
        if database is not None and context.database == database.name:
            context.schema = "PUBLIC" if catalog.child(database.id, "SCHEMA", "PUBLIC") else None
    if isinstance(item, Role):
        creation.hand_over(catalog, item.name, objects.owner(execution))
    if type(item).__name__ == "Warehouse" and context.warehouse == item.name:
        context.warehouse = None


@statement("DROP FUNCTION", "DROP PROCEDURE", "DROP AGGREGATE FUNCTION")
def drop_routine(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("DROP")
    stream.accept("AGGREGATE")
    kind = stream.word()
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    types = read_signature(execution, stream)
    stream.expect_end()
    found = catalog.routine(context, kind, parts, types)
    if found is None:
        if if_exists:
            return _already(parts[-1])
        full = catalog.qualify(context, parts)
        raise does_not_exist(kind.capitalize(), objects.full_text(full) + f"({', '.join(types)})")
    objects.remove(execution, found)
    return status(f"{found.name} successfully dropped.")


def read_signature(execution: Execution, stream: TokenStream) -> list[str]:
    """The type names of ``(INT, VARCHAR)``."""
    stream.expect("(")
    types = []
    while not stream.accept(")"):
        types.append(read_type(stream, str(execution.context.parameter("TIMESTAMP_TYPE_MAPPING"))).name)
        if not stream.at(")"):
            stream.expect(",")
    return types


@statement("UNDROP TABLE", "UNDROP SCHEMA", "UNDROP DATABASE", "UNDROP DYNAMIC TABLE")
def undrop(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog = execution.context.catalog
    stream.expect("UNDROP")
    word = stream.accept_one("DYNAMIC TABLE", "TABLE", "SCHEMA", "DATABASE")
    assert word is not None
    kind = _KINDS[word]
    item = _dropped_by_id(execution, stream, kind)
    if item is None:
        parts = stream.name()
        stream.expect_end()
        place = objects.place_of(execution, kind, parts, f"UNDROP {word}")
        candidates = [
            item
            for item in catalog.dropped(place.parent, kind, place.name)
            if (kind != "TABLE" or isinstance(item, Table)) and not is_over(catalog, item)
        ]
        if not candidates:
            raise was_purged(word.capitalize().replace(" ", "_"), place.name)
        item = candidates[0]
    creation.bring_back(execution, item)
    return status(f"{word.capitalize()} {item.name} successfully restored.")


def _dropped_by_id(execution: Execution, stream: TokenStream, kind: str) -> CatalogObject | None:
    """``IDENTIFIER(id)``, which the statement shows as a number: the dropped object of that id; None for a name."""
    if stream.current is None or not stream.current.text.isdigit() or stream.at_string():
        return None
    number = stream.next().text
    stream.expect_end()
    catalog = execution.context.catalog
    item = catalog.by_id(int(number))
    if item is None or kind_of(item) != kind or item.dropped_on is None or is_over(catalog, item):
        raise was_purged(kind.capitalize(), number)
    return item


@statement("TRUNCATE TABLE", "TRUNCATE")
def truncate(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("TRUNCATE")
    stream.accept("TABLE")
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    stream.expect_end()
    if if_exists and catalog.find(context, "TABLE", parts) is None:
        return objects.done()
    table = catalog.get(context, "TABLE", parts, "Table")
    objects.check_type(table, "TABLE")
    execution.require(("TRUNCATE", "DELETE"), table)
    objects.check_modifiable(table)
    with execution.connection.atomic():
        make_writable(execution, table)
        execution.access.write(table, {})
        execution.connection.execute(f"DELETE FROM {table.stored_as}")
        # Files that were loaded may be loaded again.
        history.forget(execution.connection, table)
    return objects.done()
