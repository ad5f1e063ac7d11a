"""The account's objects: in memory, and in an SQLite file that every change is written to before it is seen."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polynya.catalog import file, privileges, rights
from polynya.catalog.context import Context
from polynya.catalog.imported import Imports, share_of
from polynya.catalog.kinds import depth_of, is_temporary, key_of, kind_of, title_of
from polynya.catalog.model import CatalogObject, GenericObject, Grant, Role, Routine, Schema, Sequence, User
from polynya.catalog.names import join_name
from polynya.catalog.references import referred
from polynya.catalog.rights import Rights
from polynya.errors import SnowflakeError, already_exists, does_not_exist

INFORMATION_SCHEMA = "INFORMATION_SCHEMA"
# Values of a sequence that the file reserves ahead; after a crash so many are lost.
_RESERVED_VALUES = 1000


class Catalog:
    """What exists in the account. Objects are changed in place and then handed to ``update``.

    All methods may be called from several threads.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._objects: dict[int, CatalogObject] = {}
        self._places: dict[int, tuple[int, str, str]] = {}  # id -> (parent, kind, key) of a live object
        self._live: dict[tuple[int, str], dict[str, CatalogObject]] = {}  # (parent, kind) -> key -> object
        self._grants: dict[tuple, Grant] = {}
        # Counts changes of grants; what is derived from them is kept for one state of theirs.
        self.grants_version = 0
        self.rights_cache: dict[object, tuple[int, Rights]] = {}
        self._roles: tuple[int, privileges.Roles] = (-1, privileges.Roles())
        # Databases made from shares: what brings their contents, and why they cannot be used, by id.
        self.imports: Imports | None = None
        self.unavailable: dict[int, SnowflakeError] = {}
        self._imported: dict[int, list[CatalogObject]] = {}  # database id -> what lies in it
        self._drawn: dict[int, int] = {}  # sequence id -> the value up to which the file reserves it
        for item in file.load_objects(database):
            self._objects[item.id] = item
            if item.dropped_on is None:
                self._place(item)
        for grant in file.load_grants(database):
            self._grants[privileges.key_of(grant)] = grant
        self._settings = file.load_settings(database)
        self.account_parameters: dict[str, Any] = dict(self._settings.get("account_parameters", {}))
        self._next_id = self._reserved = self._settings.get("next_id", 1)

    @classmethod
    def open(cls, path: Path) -> Catalog:
        """Opens the catalog's file, or makes it."""
        return cls(file.connect(path))

    def close(self) -> None:
        """Closes the file; sequences go on later where they are now."""
        with self._lock:
            with self._database:
                for object_id in self._drawn:
                    if object_id in self._objects:
                        file.save_object(self._database, self._objects[object_id])
            self._database.close()

    # --- the account -------------------------------------------------------------------------------------------------

    @property
    def account_name(self) -> str:
        return self._settings.get("account_name", "POLYNYA")

    def setting(self, name: str) -> Any:
        """A setting of the account that is no parameter, or None."""
        return self._settings.get(name)

    def set_setting(self, name: str, value: Any) -> None:
        with self._lock, self._database:
            file.save_setting(self._database, name, value)
            self._settings[name] = value

    def set_account_parameter(self, name: str, value: Any) -> None:
        """Sets a parameter for all sessions; None: back to its default."""
        with self._lock:
            changed = {key: old for key, old in self.account_parameters.items() if key != name}
            if value is not None:
                changed[name] = value
            self.set_setting("account_parameters", changed)
            self.account_parameters = changed

    def new_id(self) -> int:
        """An id that no object has had."""
        with self._lock:
            if self._next_id >= self._reserved:
                self._reserved = self._next_id + 1000
                self.set_setting("next_id", self._reserved)
            self._next_id += 1
            return self._next_id - 1

    # --- changes -----------------------------------------------------------------------------------------------------

    def add(self, item: CatalogObject, *, replaces: CatalogObject | None = None, gone: tuple[Grant, ...] = ()) -> None:
        """Adds an object; one that it replaces is dropped in the same step.

        Args:
            item: new.
            replaces: the object of its name.
            gone: grants that end with that one.

        Raises:
            SnowflakeError: 002002 if its name is taken.
        """
        with self._lock:
            place = (item.parent, kind_of(item))
            taken = self._live.get(place, {}).get(key_of(item))
            if taken is not None and taken is not replaces:
                raise already_exists(self.full_name(item))
            with self._database:
                if replaces is not None:
                    file.save_object(self._database, replace(replaces, dropped_on=_now()))
                self._delete_grants(gone)
                file.save_object(self._database, item)
            if replaces is not None:
                self._mark_dropped(replaces)
            self._forget_grants(gone)
            self._objects[item.id] = item
            self._place(item)

    def add_all(self, items: list[CatalogObject]) -> None:
        """Adds new objects in one step, parents first; their names are free."""
        with self._lock:
            with self._database:
                for item in items:
                    file.save_object(self._database, item)
            for item in items:
                self._objects[item.id] = item
                self._place(item)

    def update(self, *items: CatalogObject) -> None:
        """Writes changed objects (renamed and moved ones too) in one step."""
        with self._lock:
            with self._database:
                for item in items:
                    file.save_object(self._database, item)
            for item in items:
                self._drawn.pop(item.id, None)
                self._unplace(item.id)
            for item in items:
                self._objects[item.id] = item
                if item.dropped_on is None:
                    self._place(item)

    def drop(self, item: CatalogObject, gone: tuple[Grant, ...] = ()) -> None:
        """Marks an object dropped; what lies in it can no longer be found, and comes back with it.

        Args:
            item: to drop.
            gone: grants that end with it.
        """
        with self._lock:
            with self._database:
                file.save_object(self._database, replace(item, dropped_on=_now()))
                self._delete_grants(gone)
            self._mark_dropped(item)
            self._forget_grants(gone)

    def undrop(self, item: CatalogObject) -> None:
        """Brings a dropped object back.

        Raises:
            SnowflakeError: 002002 if its name is taken meanwhile.
        """
        with self._lock:
            if key_of(item) in self._live.get((item.parent, kind_of(item)), {}):
                raise already_exists(self.full_name(item))
            item.dropped_on = None
            self.update(item)

    def purge(self, items: list[CatalogObject]) -> None:
        """Forgets objects for good."""
        with self._lock:
            with self._database:
                file.delete_objects(self._database, [item.id for item in items])
            for item in items:
                self._unplace(item.id)
                self._objects.pop(item.id, None)

    def draw(self, sequence: Sequence, count: int) -> range:
        """The next values of a sequence. The file always holds one that was not given out yet, some way ahead.

        Args:
            sequence: its ``next_value`` moves on.
            count: how many.
        """
        with self._lock:
            first, step = sequence.next_value, sequence.increment
            after = first + count * step
            if not sequence.temporary:
                reserved = self._drawn.get(sequence.id)
                if reserved is None or (after - reserved) * step > 0:
                    reserved = after + _RESERVED_VALUES * step
                    with self._database:
                        file.save_object(self._database, replace(sequence, next_value=reserved))
                    self._drawn[sequence.id] = reserved
            sequence.next_value = after
            return range(first, after, step)

    @contextmanager
    def held_still(self) -> Iterator[None]:
        """A block in which nobody changes the catalog."""
        with self._lock:
            yield

    def show_imported(self, database: CatalogObject, items: list[CatalogObject]) -> None:
        """Makes these the contents of a database that comes from a share: in memory, the provider keeps them.

        Args:
            database: of the catalog.
            items: its schemas and what lies in them; those that were there before keep their ids.
        """
        with self._lock:
            before = {item.id: item for item in self._imported.get(database.id, [])}
            live: dict[tuple[int, str], dict[str, CatalogObject]] = {
                self._places[object_id][:2]: {} for object_id in before if object_id in self._places
            }
            for item in items:
                place = (item.parent, kind_of(item), key_of(item))
                self._objects[item.id] = item
                self._places[item.id] = place
                live.setdefault(place[:2], {})[place[2]] = item
            self._live.update(live)
            for object_id in before.keys() - {item.id for item in items}:
                self._objects.pop(object_id, None)
                self._places.pop(object_id, None)
            self._imported[database.id] = items

    # --- temporary objects -------------------------------------------------------------------------------------------

    def add_temporary(self, context: Context, item: CatalogObject) -> None:
        """Adds an object that only this session sees."""
        with self._lock:
            self._objects[item.id] = item
        context.temporary[item.parent, kind_of(item), key_of(item)] = item

    def drop_temporary(self, context: Context, item: CatalogObject) -> None:
        """Removes a temporary object from its session."""
        context.temporary.pop((item.parent, kind_of(item), key_of(item)), None)
        with self._lock:
            self._objects.pop(item.id, None)

    def forget_temporary(self, context: Context) -> None:
        """Forgets all temporary objects of a session that ends."""
        with self._lock:
            for item in context.temporary.values():
                self._objects.pop(item.id, None)
        context.temporary.clear()

    # --- reading -----------------------------------------------------------------------------------------------------

    def by_id(self, object_id: int) -> CatalogObject | None:
        """An object, dropped or not, temporary ones included."""
        return self._objects.get(object_id)

    def every(self) -> list[CatalogObject]:
        """All objects, dropped ones and those of sessions included."""
        with self._lock:
            return list(self._objects.values())

    def all(self, kind: str) -> list[Any]:
        """All objects of a kind that are to be found, in order of creation."""
        with self._lock:
            found = [item for place, items in self._live.items() if place[1] == kind for item in items.values()]
        return sorted((item for item in found if self.reachable(item)), key=lambda item: item.id)

    def children(self, parent_id: int, kind: str) -> list[Any]:
        """What of a kind lies directly in a schema, database or the account (0), by name."""
        if kind == "SCHEMA" and self.imports is not None and share_of(database := self.by_id(parent_id)) and database:
            self.imports.use(database)
        with self._lock:
            found = list(self._live.get((parent_id, kind), {}).values())
        return sorted(found, key=key_of)

    def visible(self, context: Context, parent_id: int, kind: str) -> list[Any]:
        """As ``children``, without what the session's roles may not see."""
        return [item for item in self.children(parent_id, kind) if rights.sees(context, item)]

    def child(self, parent_id: int, kind: str, name: str) -> Any:
        """One object of a parent by name (a routine: by signature), or None."""
        return self._live.get((parent_id, kind), {}).get(name)

    def dropped(self, parent_id: int, kind: str, name: str | None = None) -> list[Any]:
        """Dropped objects of a parent, last dropped first."""
        with self._lock:
            found = [
                item
                for item in self._objects.values()
                if item.dropped_on is not None
                and item.parent == parent_id
                and kind_of(item) == kind
                and name in (None, item.name)
            ]
        return sorted(found, key=lambda item: item.dropped_on or _now(), reverse=True)

    def reachable(self, item: CatalogObject) -> bool:
        """Whether neither the object nor what it lies in is dropped."""
        current: CatalogObject | None = item
        while current is not None:
            if current.dropped_on is not None:
                return False
            if current.parent == 0:
                return True
            current = self._objects.get(current.parent)
        return False

    def find(self, context: Context, kind: str, parts: list[str]) -> Any:
        """The object of a name, or None, also for one that the session's roles may not see.

        Temporary ones hide permanent ones.

        Args:
            context: fills in the database and schema that the name leaves out.
            kind: as ``kinds.kind_of`` says; TABLE for tables and views.
            parts: resolved, outermost first; a routine's last part is its signature.

        Raises:
            SnowflakeError: 090105, 090106 if the name needs a current database or schema and there is none.
        """
        found = self._find(context, kind, parts)
        return found if found is None or rights.sees(context, found) else None

    def _find(self, context: Context, kind: str, parts: list[str]) -> Any:
        if kind == "SCHEMA":
            return self._find_schema(self.qualify(context, parts, 2))
        if len(parts) == 1 and (object_id := referred(parts[0])) is not None:
            own = (item for item in list(context.temporary.values()) if item.id == object_id)
            found = next(own, None) or self.by_id(object_id)
            return None if found is not None and is_temporary(found) and found.id not in _ids(context) else found
        depth = depth_of(kind)
        if depth == 1:
            return self.child(0, kind, parts[-1])
        full = self.qualify(context, parts, depth)
        if depth == 2:
            database = self.child(0, "DATABASE", full[0])
            return self.child(database.id, kind, full[1]) if database else None
        schema = self._find_schema(full[:2])
        if schema is None:
            return None
        return context.temporary.get((schema.id, kind, full[2])) or self.child(schema.id, kind, full[2])

    def get(self, context: Context, kind: str, parts: list[str], title: str | None = None) -> Any:
        """The object of a name.

        Args:
            context, kind, parts: as for ``find``.
            title: how the error text calls the kind, if not as usual.

        Raises:
            SnowflakeError: 002003 that names what is missing: the database, the schema or the object.
        """
        found = self.find(context, kind, parts)
        if found is not None:
            return found
        depth = depth_of(kind)
        full = self.qualify(context, parts, depth)
        if depth > 1 and len(parts) == depth and self.find(context, "DATABASE", full[:1]) is None:
            raise does_not_exist("Database", join_name(full[:1]))
        if depth > 2 and len(parts) > 1 and self.find(context, "SCHEMA", full[:2]) is None:
            raise does_not_exist("Schema", join_name(full[:2]))
        raise does_not_exist(title or title_of(kind), join_name(parts if kind == "TABLE" and title is None else full))

    def routines(self, context: Context, kind: str, parts: list[str]) -> list[Routine]:
        """All overloads of a function or procedure that the session's roles may see, the session's own first.

        Args:
            kind: FUNCTION or PROCEDURE.
            parts: its name without arguments.
        """
        *_, name = parts
        if (len(parts) < 3 and not context.database) or (len(parts) == 1 and not context.schema):
            return []
        schema = self._find_schema(self.qualify(context, parts)[:2])
        if schema is None:
            return []
        found: dict[str, Routine] = {}
        for (parent, of_kind, key), item in list(context.temporary.items()):
            if parent == schema.id and of_kind == kind and item.name == name and isinstance(item, Routine):
                found[key] = item
        with self._lock:
            for key, item in self._live.get((schema.id, kind), {}).items():
                if item.name == name and isinstance(item, Routine) and rights.sees(context, item):
                    found.setdefault(key, item)
        return list(found.values())

    def routine(self, context: Context, kind: str, parts: list[str], types: list[str]) -> Routine | None:
        """The overload with exactly these argument types; optional arguments may be left out at the end.

        Args:
            kind: FUNCTION or PROCEDURE.
            parts: its name without arguments.
            types: names of types, without lengths.
        """
        overloads = self.routines(context, kind, parts)
        for routine in overloads:
            if [sql_type.name for _, sql_type, _ in routine.arguments] == types:
                return routine
        for routine in overloads:
            if [sql_type.name for _, sql_type, default in routine.arguments if default is None] == types:
                return routine
        return None

    def qualify(self, context: Context, parts: list[str], depth: int = 3, operation: str = "SELECT") -> list[str]:
        """The full name's parts: ``["DB", "SCHEMA", "NAME"]``.

        Args:
            context: its database and schema are filled in; an empty part (``db..t``) is PUBLIC.
            parts: resolved, outermost first.
            depth: parts wanted: 3, 2 for schemas, 1 for objects of the account.
            operation: for the error text.

        Raises:
            SnowflakeError: 090105, 090106 without a current database or schema; 001003 for too many parts.
        """
        if len(parts) > depth:
            raise SnowflakeError(
                1003, "42000", f"SQL compilation error:\nsyntax error: '{join_name(parts)}' has too many parts."
            )
        missing = depth - len(parts)
        filled = list(parts)
        if missing and depth == 3 and len(parts) == 1:
            if context.database is None:
                raise _no_current("database", 90105, operation)
            if context.schema is None:
                raise _no_current("schema", 90106, operation)
            filled = [context.database, context.schema, *parts]
        elif missing:
            if context.database is None:
                raise _no_current("database", 90105, operation)
            filled = [context.database, *parts]
        return [part or "PUBLIC" if index == 1 else part for index, part in enumerate(filled)]

    def path(self, item: CatalogObject) -> list[str]:
        """The names from the database (or the account's object) down to the object."""
        names = [item.name]
        parent = self._objects.get(item.parent)
        while parent is not None:
            names.insert(0, parent.name)
            parent = self._objects.get(parent.parent)
        return names

    def full_name(self, item: CatalogObject) -> str:
        """``DB.SCHEMA.NAME``, quoted where needed."""
        return join_name(self.path(item))

    # --- grants ------------------------------------------------------------------------------------------------------

    def grant(self, *grants: Grant) -> None:
        """Adds grants in one step; each has the grant option if either the old or the new one has it."""
        with self._lock:
            added: dict[tuple, Grant] = {}
            for grant in grants:
                key = privileges.key_of(grant)
                old = self._grants.get(key)
                if old is not None:
                    grant = replace(old, grant_option=old.grant_option or grant.grant_option)
                elif grant.created_on is None:
                    grant = replace(grant, created_on=_now())
                added[key] = grant
            with self._database:
                for key, grant in added.items():
                    file.save_grant(self._database, key, grant)
            self._grants.update(added)
            self.grants_version += 1

    def revoke(self, grant: Grant) -> bool:
        """Removes a grant; whether there was one."""
        with self._lock:
            key = privileges.key_of(grant)
            if key not in self._grants:
                return False
            with self._database:
                file.delete_grant(self._database, key)
            del self._grants[key]
            self.grants_version += 1
            return True

    def grants(self) -> list[Grant]:
        """All grants, oldest first."""
        with self._lock:
            return list(self._grants.values())

    def grants_to(self, kind: str, name: str) -> list[Grant]:
        """What a role, user or share was given."""
        return [grant for grant in self.grants() if (grant.to_kind, grant.to_name) == (kind, name)]

    def grants_on(self, kind: str, name: str) -> list[Grant]:
        """Who was given something on an object (its full name), or a role (kind ROLE)."""
        return [grant for grant in self.grants() if (grant.on_kind, grant.on_name) == (kind, name) and not grant.future]

    def rename_in_grants(self, kind: str, old: str, new: str | None) -> None:
        """Follows an object's renaming in the grants on it and on what lies in it; None: it is gone."""
        with self._lock:
            for grant in self.grants():
                changed = privileges.renamed(grant, kind, old, new)
                if changed is not grant:
                    self.revoke(grant)
                    if changed is not None:
                        self.grant(changed)

    def _delete_grants(self, gone: tuple[Grant, ...]) -> None:
        for grant in gone:
            file.delete_grant(self._database, privileges.key_of(grant))

    def _forget_grants(self, gone: tuple[Grant, ...]) -> None:
        for grant in gone:
            self._grants.pop(privileges.key_of(grant), None)
        self.grants_version += bool(gone)

    def swap_in_grants(self, kind: str, one: str, other: str) -> None:
        """Follows two objects that exchanged their full names in the grants on them and on what lies in them."""
        with self._lock:
            pairs = [(grant, privileges.swapped(grant, kind, one, other)) for grant in self.grants()]
            changed = [(grant, new) for grant, new in pairs if new is not grant]
            for grant, _ in changed:
                self.revoke(grant)
            self.grant(*(new for _, new in changed))

    def roles_of(self, user: str) -> list[str]:
        """The roles a user may use: granted ones, those they inherit, and PUBLIC."""
        return privileges.inherited_roles(self.role_graph(), "USER", user)

    def role_graph(self) -> privileges.Roles:
        """Who holds which roles and privileges."""
        version, graph = self._roles
        if version != self.grants_version:
            with self._lock:
                version, graph = self.grants_version, privileges.role_graph(self._grants.values())
                self._roles = version, graph
        return graph

    def grant_name(self, item: CatalogObject) -> str:
        """How grants name an object: roles, users and shares by their bare name, others by their full name, a routine
        with its argument types."""
        if isinstance(item, Role | User) or (isinstance(item, GenericObject) and item.kind == "SHARE"):
            return item.name
        name = self.full_name(item)
        return name + item.signature[len(item.name) :] if isinstance(item, Routine) else name

    # --- inside ------------------------------------------------------------------------------------------------------

    def _find_schema(self, full: list[str]) -> Schema | None:
        database = self.child(0, "DATABASE", full[0])
        if database is None:
            return None
        if self.imports is not None and share_of(database):
            self.imports.use(database)
            if database.id in self.unavailable:
                raise self.unavailable[database.id]
        if full[1] == INFORMATION_SCHEMA:
            # Every database has it; it has no row of its own and cannot be changed.
            return Schema(
                id=-database.id, parent=database.id, name=INFORMATION_SCHEMA, owner="", created_on=database.created_on,
                comment="Views describing the contents of schemas in this database",
            )  # fmt: skip
        return self.child(database.id, "SCHEMA", full[1])

    def _place(self, item: CatalogObject) -> None:
        place = (item.parent, kind_of(item), key_of(item))
        self._places[item.id] = place
        self._live.setdefault(place[:2], {})[place[2]] = item

    def _unplace(self, object_id: int) -> None:
        place = self._places.pop(object_id, None)
        if place is not None:
            self._live[place[:2]].pop(place[2], None)

    def _mark_dropped(self, item: CatalogObject) -> None:
        item.dropped_on = _now()
        self._unplace(item.id)


def _ids(context: Context) -> set[int]:
    return {item.id for item in list(context.temporary.values())}


def _now() -> datetime:
    return datetime.now(UTC)


def _no_current(kind: str, code: int, operation: str) -> SnowflakeError:
    return SnowflakeError(
        code,
        "22000",
        f"Cannot perform {operation}. This session does not have a current {kind}. "
        f"Call 'USE {kind.upper()}', or use a qualified name.",
    )
