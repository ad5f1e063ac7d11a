"""What nothing in the catalog means any more is removed from the lake: tables at start, old snapshots once a day.

A crash between the making of a table and its row in the catalog leaves a table without a row; CREATE OR REPLACE, DROP and
rebuilding changes leave tables that only UNDROP or time travel could ask for, until their retention time is over. Every
commit leaves a snapshot, and every UPDATE and DELETE the files of the rows as they were.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

from polynya.catalog.model import CatalogObject, Table
from polynya.catalog.store import Catalog
from polynya.storage.engine import Engine

log = logging.getLogger(__name__)

# Tables of the lake that belong to no object: what COPY INTO remembers.
_OWN = {'lake.main."load_history"'}
# A start removes no more than so many tables, so that the server is soon ready.
_AT_ONCE = 200
_SNAPSHOTS_AT_ONCE = 2000
_DAY = timedelta(days=1)


def clean_up(engine: Engine, catalog: Catalog, now: datetime | None = None) -> int:
    """Forgets objects whose retention time is over and drops the lake's tables that no object has.

    Args:
        engine: nobody else uses it yet.
        catalog: of the same home.
        now: the moment of the clean-up.

    Returns:
        how many tables were dropped.
    """
    moment = now or datetime.now(UTC)
    catalog.purge([item for item in catalog.every() if _is_over(catalog, item, moment)])
    kept = {item.stored_as for item in catalog.every() if isinstance(item, Table)} | _OWN
    unused = sorted(engine.lake_tables() - kept)[:_AT_ONCE]
    if not unused:
        return 0
    connection = engine.connect()
    try:
        with connection.atomic():
            for name in unused:
                connection.execute(f"DROP TABLE IF EXISTS {name}")
    finally:
        connection.close()
    log.info("dropped %d tables of the lake that nothing refers to", len(unused))
    return len(unused)


def expire_snapshots(engine: Engine, catalog: Catalog, now: datetime | None = None) -> int:
    """Forgets snapshots older than anything's retention time, and deletes the files that only they have.

    Snapshots that clones read stay.

    Args:
        engine: may be in use.
        catalog: of the same home.
        now: the moment of the clean-up.

    Returns:
        how many snapshots are gone.
    """
    oldest = (now or datetime.now(UTC)) - _longest_retention(catalog)
    pinned = {item.snapshot for item in catalog.every() if isinstance(item, Table) and item.snapshot is not None}
    connection = engine.connect()
    try:
        found = connection.table(
            "SELECT snapshot_id FROM lake.snapshots() WHERE snapshot_id <> (SELECT id FROM lake.current_snapshot()) "
            f"AND snapshot_time < TIMESTAMPTZ '{oldest.isoformat(sep=' ')}' ORDER BY snapshot_id"
        )
        old = [number for number in found.column(0).to_pylist() if number not in pinned][:_SNAPSHOTS_AT_ONCE]
        if old:
            connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => {old})")
            connection.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")
            log.info("expired %d snapshots of the lake", len(old))
    finally:
        connection.close()
    return len(old)


def keep_house(engine: Engine, catalog: Catalog, stop: threading.Event) -> None:
    """Expires snapshots now and then once a day, until it is told to stop."""
    while not stop.is_set():
        try:
            expire_snapshots(engine, catalog)
        except Exception:  # the next day may do better; nobody waits for it
            log.exception("old snapshots could not be expired")
        stop.wait(_DAY.total_seconds())


def _longest_retention(catalog: Catalog) -> timedelta:
    """The longest DATA_RETENTION_TIME_IN_DAYS of anything; at least a day."""
    set_days = [item.options.get("DATA_RETENTION_TIME_IN_DAYS") for item in catalog.every()]
    set_days.append(catalog.account_parameters.get("DATA_RETENTION_TIME_IN_DAYS"))
    return timedelta(days=max([1, *(days for days in set_days if isinstance(days, int))]))


def _is_over(catalog: Catalog, item: CatalogObject, now: datetime) -> bool:
    """Whether a dropped object, or one in a dropped schema or database, cannot come back any more."""
    current: CatalogObject | None = item
    while current is not None:
        if current.dropped_on is not None and now - current.dropped_on > _retention(catalog, current):
            return True
        if current.parent > 0 and catalog.by_id(current.parent) is None:
            return True
        current = catalog.by_id(current.parent)
    return False


def _retention(catalog: Catalog, item: CatalogObject) -> timedelta:
    """How long a dropped object is kept: its own DATA_RETENTION_TIME_IN_DAYS, or that of what it lies in; 1 day."""
    current: CatalogObject | None = item
    while current is not None:
        days = current.options.get("DATA_RETENTION_TIME_IN_DAYS")
        if isinstance(days, int):
            return timedelta(days=days)
        current = catalog.by_id(current.parent)
    days = catalog.account_parameters.get("DATA_RETENTION_TIME_IN_DAYS", 1)
    return timedelta(days=int(days))
