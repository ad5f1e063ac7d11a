"""Databases made from a share: read-only, their contents are the provider's.

https://docs.snowflake.com/en/user-guide/data-share-consumers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from polynya.catalog.model import CatalogObject, Database
from polynya.errors import SnowflakeError, compilation_error

if TYPE_CHECKING:
    from polynya.catalog.store import Catalog

# In a database's options: the share's full name and what tells it from a later one of the same name.
SHARE, SHARE_ID = "SHARE", "SHARE ID"
# In a view's options: its query in the engine's dialect, as the provider bound it, or why it could not.
BOUND, REFUSED = "SHARED QUERY", "NOT SHARED"


class Imports(Protocol):
    """What keeps imported databases as their providers have them; kept by the session room."""

    def use(self, database: CatalogObject) -> None:
        """Brings an imported database up to date; called whenever one is looked into."""
        ...


def share_of(database: CatalogObject | None) -> str:
    """The full name of the share that a database was made from, or ""."""
    return str(database.options.get(SHARE, "")) if isinstance(database, Database) else ""


def imported_from(catalog: Catalog, item: CatalogObject) -> str:
    """The share that an object, or the database that it lies in, comes from, or ""."""
    current: CatalogObject | None = item
    while current is not None and current.parent != 0:
        current = catalog.by_id(abs(current.parent))
    return share_of(current)


def no_longer_available() -> SnowflakeError:
    """The provider has withdrawn the share, or it cannot be read: 003030."""
    return compilation_error(
        3030, "02000",
        "Shared database is no longer available for use. It will need to be re-created if and when the publisher makes "
        "it available again.",
    )  # fmt: skip


def read_only(kind: str, name: str) -> SnowflakeError:
    """A write to something imported: 003001, as for any object that the role has no such privilege on."""
    return SnowflakeError(
        3001, "42501",
        f"SQL access control error:\nInsufficient privileges to operate on {kind.lower()} '{name}'. It belongs to a shared "
        "database, which is read-only.",
    )  # fmt: skip
