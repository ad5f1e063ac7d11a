"""What CREATE, ALTER and DROP of all kinds share: modifiers, where an object goes, status texts, property lists."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from polynya.catalog import dropped_grants, rights
from polynya.catalog.imported import imported_from, read_only, share_of
from polynya.catalog.kinds import depth_of, is_temporary, key_of, kind_of, sql_kind
from polynya.catalog.model import CatalogObject, Database, Role, Schema, Table, View
from polynya.catalog.retention import DAYS, check_days, most_days
from polynya.catalog.store import INFORMATION_SCHEMA, Catalog
from polynya.catalog.versions import remember
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, already_exists, already_exists_hidden, compilation_error, unsupported
from polynya.statements.base import CREATE_MODIFIERS, Execution
from polynya.statements.creation import hand_over, require_create
from polynya.types.resultset import ResultSet, status

DONE = "Statement executed successfully."


def done() -> ResultSet:
    """The answer of most DDL."""
    return status(DONE)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Create:
    """A CREATE up to and with the object's name; ``kind`` and the ``parts`` of the name as the statement has them."""

    replace: bool = False
    or_alter: bool = False
    if_not_exists: bool = False
    temporary: bool = False
    transient: bool = False
    secure: bool = False
    recursive: bool = False
    scoped: bool = False
    aggregate: bool = False
    kind: str = ""
    parts: list[str] = field(default_factory=list)


def read_create(stream: TokenStream, kind: str, *, or_alter: bool = False) -> Create:
    """Reads ``CREATE [OR REPLACE] [modifiers] kind [IF NOT EXISTS] name [IF NOT EXISTS]``.

    Args:
        stream: at CREATE.
        kind: upper-case words.
        or_alter: whether objects of the kind can be altered so.

    Raises:
        SnowflakeError: 000002 for OR ALTER where it is not supported, 001003 for anything else.
    """
    create = Create(kind=kind)
    stream.expect("CREATE")
    words = kind.split()
    while not stream.at(*words):
        if stream.accept("OR", "REPLACE"):
            create.replace = True
        elif stream.accept("OR", "ALTER"):
            create.or_alter = True
        elif stream.accept_one("TEMPORARY", "TEMP", "VOLATILE"):
            create.temporary = True
        elif stream.accept("TRANSIENT"):
            create.transient = True
        elif stream.accept("SECURE"):
            create.secure = True
        elif stream.accept("SCOPED"):
            create.scoped = True
        elif stream.accept("AGGREGATE"):
            create.aggregate = True
        elif stream.accept("RECURSIVE"):
            create.recursive = True
        elif stream.accept("IF", "NOT", "EXISTS"):
            create.if_not_exists = True
        elif not stream.accept_one(*CREATE_MODIFIERS):
            raise stream.error()
    stream.expect(*words)
    if create.or_alter and not or_alter:
        raise unsupported(f"CREATE OR ALTER {kind}")
    before = stream.accept("IF", "NOT", "EXISTS")
    create.parts = stream.name()
    create.if_not_exists |= before or stream.accept("IF", "NOT", "EXISTS")
    return create


@dataclass(slots=True)
class Place:
    """Where a new object goes: its parent's id and its name; ``text`` is the name as error texts print it."""

    parent: int
    name: str
    text: str


def place_of(execution: Execution, kind: str, parts: list[str], operation: str = "") -> Place:
    """The place that a new object's name means.

    Raises:
        SnowflakeError: 002003 if its database or schema does not exist; 090105, 090106 without a current one.
    """
    catalog, context = execution.context.catalog, execution.context
    depth = depth_of(kind)
    full = catalog.qualify(context, parts, depth, operation or f"CREATE {kind}")
    if depth == 1:
        return Place(0, full[0], full[0])
    database = catalog.get(context, "DATABASE", full[:1])
    if share_of(database):
        raise read_only("database", full[0]) if depth == 2 else read_only("schema", full[1])
    if depth == 2:
        if full[1] == INFORMATION_SCHEMA:
            raise already_exists(INFORMATION_SCHEMA)
        return Place(database.id, full[1], full_text(parts))
    schema = catalog.get(context, "SCHEMA", full[:2])
    if schema.id < 0:
        raise SnowflakeError(
            3001,
            "42501",
            f"SQL access control error:\nInsufficient privileges to operate on schema '{INFORMATION_SCHEMA}'",
        )
    return Place(schema.id, full[2], full_text(parts))


def full_text(parts: list[str]) -> str:
    """A name as error texts print it: with as many parts as the statement has."""
    from polynya.catalog.names import join_name

    return join_name(parts)


@dataclass(slots=True)
class Existing:
    """What already has the name of an object to be created: ``keep`` is the answer if it stays."""

    replaced: CatalogObject | None = None
    keep: ResultSet | None = None


def look(execution: Execution, create: Create, kind: str, place: Place, key: str | None = None) -> Existing:
    """Whether an object can be created.

    Args:
        execution: of the statement.
        create: its modifiers.
        kind: TABLE for tables and views.
        place: where it goes.
        key: its signature if it is a routine.

    Raises:
        SnowflakeError: 002002 if the name is taken and is neither to be replaced nor kept; 003001 without the privilege
            to create such an object there, or to replace what has the name; 003041 if the role may not see that.
    """
    if not (create.temporary and create.kind == "TABLE"):  # whoever may use a schema has temporary tables in it
        require_create(execution, create.kind or kind, place.parent)
    catalog, context = execution.context.catalog, execution.context
    key = key or place.name
    temporary = context.temporary.get((place.parent, kind, key))
    permanent = catalog.child(place.parent, kind, key)
    found = temporary if create.temporary else permanent
    if create.if_not_exists and (temporary or permanent) is not None:
        return Existing(keep=status(f"{place.name} already exists, statement succeeded."))
    if found is not None and not rights.sees(context, found):
        raise already_exists_hidden(place.text)
    if found is not None and not create.replace:
        raise already_exists(place.text)
    if found is not None:
        execution.require("OWNERSHIP", found)
    return Existing(replaced=found)


def check_type(found: CatalogObject, wanted: str) -> None:
    """Raises 002203 unless an object is of the kind that a statement names (TABLE, VIEW, DYNAMIC TABLE)."""
    actual = sql_kind(found)
    if actual != wanted and not (actual == "DYNAMIC TABLE" and wanted == "TABLE"):
        raise compilation_error(
            2203, "02000", f"Object found is of type '{actual}', specified type '{wanted}' is not compatible."
        )


def check_modifiable(item: CatalogObject) -> None:
    """Refuses to change the rows of what has none of its own.

    Raises:
        SnowflakeError: 002098 for a view or a dynamic table.
    """
    kind = "View" if isinstance(item, View) else "Dynamic table" if getattr(item, "dynamic_query", "") else ""
    if kind:
        raise compilation_error(2098, "42601", f"{kind} '{item.name}' cannot be modified: only tables can.")


def put(
    execution: Execution, item: CatalogObject, replaced: CatalogObject | None, *, copy_grants: bool = False
) -> None:
    """Adds a new object in the place of the one it replaces; with COPY GRANTS it keeps the grants on this, and gets none of
    what was granted on future objects.

    Source: docs.snowflake.com/en/user-guide/object-clone (access control privileges for cloned objects).
    """
    catalog, context = execution.context.catalog, execution.context
    if is_temporary(item):
        if replaced is not None:
            remove(execution, replaced)
        catalog.add_temporary(context, item)
        return
    gone = dropped_grants.lay_aside(catalog, replaced) if replaced is not None and not copy_grants else ()
    catalog.add(item, replaces=replaced, gone=gone)
    if replaced is not None and not copy_grants:
        _forget_grantor(catalog, replaced)
    if not copy_grants:
        _apply_future_grants(catalog, item)


def copy_grants(execution: Execution, source: CatalogObject, item: CatalogObject) -> None:
    """Gives what was granted on an object on a new one too (COPY GRANTS), except what is in a share.

    Source: docs.snowflake.com/en/sql-reference/sql/create-table (COPY GRANTS).
    """
    catalog = execution.context.catalog
    found = catalog.grants_on(sql_kind(source), catalog.grant_name(source))
    kept = [grant for grant in found if grant.to_kind != "SHARE"]
    catalog.grant(*(replace(grant, on_kind=sql_kind(item), on_name=catalog.grant_name(item)) for grant in kept))


def _apply_future_grants(catalog: Catalog, item: CatalogObject) -> None:
    """A new object gets what was granted on FUTURE objects of its schema, or else of its database."""
    kind, name = sql_kind(item), catalog.grant_name(item)
    path = catalog.path(item)
    containers = [full_text(path[:depth]) for depth in range(len(path) - 1, 0, -1)]
    for container in containers:
        found = [grant for grant in catalog.grants() if grant.future and grant.on_name == f"{container}.<{kind}>"]
        for grant in found:
            if grant.privilege == "OWNERSHIP":
                item.owner = grant.to_name
                catalog.update(item)
            else:
                catalog.grant(replace(grant, on_name=name, future=False, created_on=None))
        if found:
            return


def remove(execution: Execution, item: CatalogObject) -> None:
    """Drops an object: a permanent one can come back, a temporary one goes with its rows.

    Raises:
        SnowflakeError: 003001 for an object of another role.
    """
    catalog, context = execution.context.catalog, execution.context
    if is_temporary(item):
        catalog.drop_temporary(context, item)
        stored = getattr(item, "stored_as", "")
        if stored.startswith("temp."):
            execution.connection.execute(f"DROP TABLE IF EXISTS {stored}")
        return
    execution.require("OWNERSHIP", item)
    if share_of(item):  # it cannot come back
        catalog.rename_in_grants(sql_kind(item), catalog.grant_name(item), None)
        catalog.show_imported(item, [])
        catalog.purge([item])
        return
    check_not_imported(execution, item)
    catalog.drop(item, dropped_grants.lay_aside(catalog, item))
    _forget_grantor(catalog, item)


def _forget_grantor(catalog: Catalog, item: CatalogObject) -> None:
    """What a role has granted stays when the role is dropped."""
    if isinstance(item, Role):
        catalog.rename_in_grants("ROLE", item.name, None)


def rename(execution: Execution, item: CatalogObject, parts: list[str]) -> None:
    """Gives an object another name, perhaps in another schema.

    Raises:
        SnowflakeError: 002002 if the name is taken; 003001 where the role may not create such an object.
    """
    catalog, context = execution.context.catalog, execution.context
    execution.require("OWNERSHIP", item)
    kind = kind_of(item)
    old_path, old_name = catalog.path(item), catalog.grant_name(item)
    depth = depth_of(kind)
    # Parts left out are the session's current ones, as in any other statement; without these, the object's own.
    current = {3: context.schema, 2: context.database}.get(depth, "")
    if len(parts) == 1 and current is None:
        parts = [*old_path[:-1], parts[0]]
    place = place_of(execution, kind, parts, f"ALTER {kind}")
    if not is_temporary(item) and (place.parent or kind == "DATABASE"):
        require_create(execution, sql_kind(item), place.parent)
    key = key_of(item)
    new_key = place.name + key[len(item.name) :]
    taken = context.temporary if is_temporary(item) else None
    if (
        (place.parent, kind, new_key) in taken
        if taken is not None
        else catalog.child(place.parent, kind, new_key) is not None
    ) and (place.parent, new_key) != (item.parent, key):
        raise already_exists(place.text)
    if taken is not None:
        taken.pop((item.parent, kind, key), None)
        item.parent, item.name = place.parent, place.name
        taken[item.parent, kind, new_key] = item
        return
    item.parent, item.name = place.parent, place.name
    catalog.update(item)
    catalog.rename_in_grants(sql_kind(item), old_name, catalog.grant_name(item))
    if isinstance(item, Role):
        hand_over(catalog, old_name, item.name)
    _follow_rename(execution, item, old_path, depth)


def _follow_rename(execution: Execution, item: CatalogObject, old_path: list[str], depth: int) -> None:
    """The session's current database or schema keeps being current under its new name."""
    context = execution.context
    if isinstance(item, Database) and context.database == old_path[-1]:
        context.database = item.name
    if isinstance(item, Schema) and (context.database, context.schema) == tuple(old_path[-2:]):
        context.schema = item.name


@contextmanager
def editing(
    execution: Execution, item: CatalogObject, privilege: str | tuple[str, ...] | None = "OWNERSHIP"
) -> Iterator[None]:
    """A block that changes an object in place: it is saved at the end, and as before if the block fails.

    What reaches beyond the object (its name's place, its rows) must come last in the block.

    Args:
        execution: of the statement.
        item: of the catalog.
        privilege: what the role needs; None if that was checked.

    Raises:
        SnowflakeError: 003001 without it.
    """
    if privilege is not None:
        execution.require(privilege, item)
    check_not_imported(execution, item)
    before = {field.name: copy.deepcopy(getattr(item, field.name)) for field in fields(item)}
    commit = execution.connection.last_commit
    try:
        yield
        if isinstance(item, Table):
            last = execution.connection.last_commit
            remember(item, before, last if last is not None and last != commit else now())
        save(execution, item)
    except BaseException:
        for name, value in before.items():
            setattr(item, name, value)
        raise


def check_not_imported(execution: Execution, item: CatalogObject, *, database: bool = False) -> None:
    """Raises 003001 for what lies in a database made from a share, with ``database`` for this itself too."""
    if (database or not isinstance(item, Database)) and imported_from(execution.context.catalog, item):
        raise read_only(sql_kind(item), item.name)


def save(execution: Execution, item: CatalogObject) -> None:
    """Writes a changed object; a temporary one lives in its session only."""
    if not is_temporary(item):
        execution.context.catalog.update(item)


def owner(execution: Execution) -> str:
    return execution.context.role or ""


# --- properties -------------------------------------------------------------------------------------------------------


def read_value(stream: TokenStream) -> Any:
    """The value of a property: a string, a number, TRUE or FALSE, a list in parentheses (of values, or of
    ``KEY = value`` pairs, as a dict), or a word or name as upper-case text."""
    if stream.at_string():
        return stream.string()
    if stream.accept("("):
        return _read_list(stream)
    negative = stream.accept("-")
    token = stream.next()
    text = token.text
    if text[:1].isdigit():
        number = float(text) if "." in text else int(text)
        return -number if negative else number
    if text.upper() in ("TRUE", "FALSE") and token.token_type.name != "IDENTIFIER":
        return text.upper() == "TRUE"
    if token.token_type.name == "IDENTIFIER" or stream.at("."):
        stream.index -= 1
        return full_text(stream.name())
    return text.upper()


def _read_list(stream: TokenStream) -> Any:
    items: list[Any] = []
    pairs: dict[str, Any] = {}
    while not stream.accept(")"):
        if stream.index + 1 < len(stream.tokens) and stream.tokens[stream.index + 1].text == "=":
            key = stream.word()
            stream.expect("=")
            pairs[key] = read_value(stream)
        else:
            items.append(read_value(stream))
        stream.accept(",")
    return pairs if pairs and not items else items


def read_properties(stream: TokenStream) -> dict[str, Any]:
    """Reads ``KEY = value`` pairs up to the statement's end or a word that no ``=`` follows."""
    found: dict[str, Any] = {}
    while not stream.done:
        stream.accept(",")
        following = stream.tokens[stream.index + 1] if stream.index + 1 < len(stream.tokens) else None
        if following is None or following.text != "=":
            break
        key = stream.word()
        stream.expect("=")
        found[key] = read_value(stream)
    return found


def set_properties(item: CatalogObject, properties: dict[str, Any]) -> None:
    """Stores properties: COMMENT in its field, the rest in ``options``."""
    for key, value in properties.items():
        if key == "COMMENT":
            item.comment = str(value)
        else:
            item.options[key] = check_days(key, value, most_days(item)) if key == DAYS else value


def unset_properties(stream: TokenStream, item: CatalogObject) -> None:
    """Reads ``NAME, ...`` of UNSET and puts these properties back to their defaults."""
    while True:
        key = stream.word()
        if key == "COMMENT":
            item.comment = ""
        else:
            item.options.pop(key, None)
        if not stream.accept(",") and stream.done:
            return


def catalog_of(execution: Execution) -> Catalog:
    return execution.context.catalog
