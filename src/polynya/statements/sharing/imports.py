"""The consumer's side: the shares that are there to take, and databases made from them, kept as their providers have them.

When a statement uses one, a look at a few files' times tells whether the provider has changed anything. What lies in an
imported database is held in the catalog's memory only.
"""

from __future__ import annotations

import fcntl
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import duckdb

from polynya.catalog import providers
from polynya.catalog.imported import BOUND, SHARE_ID, no_longer_available, share_of
from polynya.catalog.model import CatalogObject, Table, View
from polynya.catalog.providers import BadProviders, Provider
from polynya.catalog.store import Catalog
from polynya.errors import SnowflakeError, does_not_exist
from polynya.statements.sharing import folder, homes
from polynya.statements.sharing.offer import Contents, Head
from polynya.statements.sharing.publisher import LOCK, OFFER
from polynya.storage.engine import Engine
from polynya.storage.replica import DATA_FOLDER, METADATA_FILE
from polynya.storage.tables import PAST, at_snapshot

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seen:
    """What was last seen of one imported database.

    Args:
        statement: the number of the last one for which it was looked at.
        state: of its provider; None: look again.
        ids: (schema, kind, name) -> the object's id.
        attached: the publication that is open, if the provider is a warehouse.
    """

    statement: int = 0
    state: tuple | None = None
    ids: dict[tuple[str, str, str], int] = field(default_factory=dict)
    attached: _Attached | None = None


@dataclass(slots=True)
class _Attached:
    """An open publication.

    Args:
        name: in the engine.
        lock: keeps the provider from removing it.
        retired: the last generation of statements that may read it; None while it is the current one.
    """

    name: str
    lock: IO[str]
    retired: int | None = None


class ImportedDatabases:
    """The imported databases of one account; all methods may be called from several threads.

    Args:
        home: the consumer's.
        engine, catalog: of it.
    """

    def __init__(self, home: Path, engine: Engine, catalog: Catalog) -> None:
        self._home = home
        self._engine = engine
        self._catalog = catalog
        self._lock = threading.RLock()
        self._seen: dict[int, _Seen] = {}
        self._serial = 0
        # Statements that run, by the generation of publications that was current when they began.
        self._running: list[int] = []
        self._statements = 0
        self._generation = 0
        self._retired: list[_Attached] = []

    # --- shares that are there to take -----------------------------------------------------------------------------------

    def heads(self) -> list[Head]:
        """The shares that providers offer to this account; providers that cannot be read offer none."""
        found = []
        for provider in self._providers():
            try:
                found += self._heads(provider)
            except (OSError, SnowflakeError) as error:
                log.warning("the provider %s cannot be read: %s", provider.name, error)
        return found

    def head(self, account: str, share: str) -> Head:
        """A share by name.

        Raises:
            SnowflakeError: 002003 if this account has none of that name.
        """
        for provider in self._providers():
            if provider.account == account and provider.share in ("", share):
                with suppress(OSError):
                    for head in self._heads(provider):
                        if head.name == share:
                            return head
        raise does_not_exist("Share", f"{account}.{share}")

    def contents(self, head: Head) -> Contents:
        """What a share holds, as DESCRIBE SHARE lists it."""
        provider = self._provider(head.full_name)
        if provider is None:
            raise no_longer_available()
        try:
            if provider.folder:
                return folder.contents_of(folder.look(Path(provider.folder)), self._engine.cursor)
            path = homes.publish(Path(provider.home), head.name, self._catalog.account_name)
            if path is None:
                raise no_longer_available()
            return _read(path)[1]
        except OSError:
            raise no_longer_available() from None

    def _heads(self, provider: Provider) -> list[Head]:
        if provider.folder:
            return [folder.head_of(provider.account, provider.share, Path(provider.folder))]
        found = homes.list_shares(Path(provider.home), self._catalog.account_name)
        return [replace(head, account=provider.account) for head in found]

    def _providers(self) -> list[Provider]:
        try:
            return providers.read(self._home)
        except BadProviders as error:
            raise SnowflakeError(603, "XX000", str(error)) from None

    def _provider(self, share: str) -> Provider | None:
        account, _, name = share.partition(".")
        return next((item for item in self._providers() if item.account == account and item.share in ("", name)), None)

    # --- imported databases ---------------------------------------------------------------------------------------------

    @contextmanager
    def statement(self) -> Iterator[None]:
        """A block in which a statement runs: what it reads stays open, whatever providers do meanwhile."""
        with self._lock:
            mine = self._generation
            self._running.append(mine)
            self._statements += 1
            if self._seen:
                self._forget_dropped()
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(mine)
                if self._retired:
                    self._let_go()

    def again(self) -> None:
        """From now on what is read is looked at anew: a statement within another one begins."""
        with self._lock:
            self._statements += 1

    def use(self, database: CatalogObject) -> None:
        """Brings an imported database up to date, or makes it unavailable; once a statement is enough."""
        with self._lock:
            seen = self._seen.setdefault(database.id, _Seen())
            if seen.statement < self._statements:
                seen.statement = self._statements
                self._refresh(database, seen)

    def _forget_dropped(self) -> None:
        for number in [number for number in self._seen if self._catalog.by_id(number) is None]:
            self._retire(self._seen.pop(number).attached)
            self._catalog.unavailable.pop(number, None)

    def close(self) -> None:
        """Lets go of all publications; the engine is about to close."""
        with self._lock:
            for attached in [*self._retired, *(seen.attached for seen in self._seen.values())]:
                if attached is not None:
                    attached.lock.close()

    def _refresh(self, database: CatalogObject, seen: _Seen) -> None:
        try:
            provider = self._provider(share_of(database))
            if provider is None:
                raise no_longer_available()
            if provider.folder:
                self._refresh_folder(database, seen, provider)
            else:
                self._refresh_home(database, seen, provider)
        except OSError:
            self._withdraw(database, seen, no_longer_available())
        except SnowflakeError as error:
            self._withdraw(database, seen, error)
        else:
            self._catalog.unavailable.pop(database.id, None)

    def _withdraw(self, database: CatalogObject, seen: _Seen, error: SnowflakeError) -> None:
        """Statements that run go on with what they began with; none begins any more."""
        self._catalog.unavailable[database.id] = error
        seen.state = None
        self._catalog.show_imported(database, [])

    def _refresh_folder(self, database: CatalogObject, seen: _Seen, provider: Provider) -> None:
        found = folder.look(Path(provider.folder))
        if str(found.root) != database.options.get(SHARE_ID):
            raise no_longer_available()
        if found.state != seen.state:
            self._show(database, seen, folder.contents_of(found, self._engine.cursor))
            seen.state = found.state

    def _refresh_home(self, database: CatalogObject, seen: _Seen, provider: Provider) -> None:
        state = homes.state_of(Path(provider.home))
        if state == seen.state:
            return
        name = share_of(database).partition(".")[2]
        path = homes.publish(Path(provider.home), name, self._catalog.account_name)
        if path is None:
            raise no_longer_available()
        lock = (path / LOCK).open()
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            head, contents = _read(path)
            if head["id"] != database.options.get(SHARE_ID):
                raise no_longer_available()
            engine_name = self._attach(database, path)
        except BaseException:
            lock.close()
            raise
        before, seen.attached = seen.attached, _Attached(engine_name, lock)
        self._show(database, seen, _moved(contents, engine_name))
        self._retire(before)
        seen.state = state

    def _attach(self, database: CatalogObject, path: Path) -> str:
        self._serial += 1
        name = f"share_{database.id}_{self._serial}"
        duck = self._engine.cursor()
        try:
            duck.execute(
                f"ATTACH {_quoted(f'ducklake:{path / METADATA_FILE}')} AS {name} (READ_ONLY, "
                f"DATA_PATH {_quoted(f'{path / DATA_FOLDER}/')}, OVERRIDE_DATA_PATH true)"
            )
        finally:
            duck.close()
        return name

    def _retire(self, attached: _Attached | None) -> None:
        """A publication is no longer the current one; statements that run may still read it."""
        if attached is not None:
            attached.retired = self._generation
            self._generation += 1
            self._retired.append(attached)

    def _let_go(self) -> None:
        oldest = min(self._running, default=self._generation)
        for attached in [item for item in self._retired if item.retired is not None and item.retired < oldest]:
            self._retired.remove(attached)
            duck = self._engine.cursor()
            try:
                duck.execute(f"DETACH {attached.name}")
            except duckdb.Error as error:
                log.warning("%s stays open: %s", attached.name, error)
            finally:
                duck.close()
            attached.lock.close()

    def _show(self, database: CatalogObject, seen: _Seen, contents: Contents) -> None:
        items: list[CatalogObject] = []
        ids: dict[tuple[str, str, str], int] = {}
        owner = database.owner

        def number(schema: str, kind: str, name: str) -> int:
            key = (schema, kind, name)
            ids[key] = seen.ids.get(key) or self._catalog.new_id()
            return ids[key]

        for name, schema in contents.schemas.items():
            own = replace(schema, id=number(name, "SCHEMA", ""), parent=database.id, owner=owner)
            items.append(own)
            items += [
                replace(item, id=number(name, "TABLE", item.name), parent=own.id, owner=owner)
                for item in contents.items.get(name, [])
            ]
        seen.ids = ids
        self._catalog.show_imported(database, items)


def _read(path: Path) -> tuple[dict, Contents]:
    """(head, contents) of a publication."""
    offer = json.loads((path / OFFER).read_text())
    return offer["head"], Contents.from_json(offer["contents"])


def _moved(contents: Contents, engine_name: str) -> Contents:
    """The contents with the tables' names in the consumer's engine."""

    def there(text: str) -> str:
        for stored in contents.stored:
            place = stored.removeprefix("lake")
            text = text.replace(stored, engine_name + place).replace(PAST + place, engine_name + place)
        return text

    for listed in contents.items.values():
        for item in listed:
            if isinstance(item, Table):
                rows = at_snapshot(item.stored_as, item.snapshot)
                item.stored_as = there(rows if item.snapshot is None else f"(SELECT * FROM {rows})")
                item.snapshot = None
            elif isinstance(item, View) and BOUND in item.options:
                item.options[BOUND] = there(item.options[BOUND])
    return contents


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
