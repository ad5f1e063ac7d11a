"""How long the past of tables, and what was dropped, can be reached.

https://docs.snowflake.com/en/user-guide/data-time-travel#data-retention-period
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from polynya.catalog.model import CatalogObject, Table
from polynya.catalog.store import Catalog
from polynya.errors import invalid_value

DAYS = "DATA_RETENTION_TIME_IN_DAYS"
# The account's floor: no object keeps its past for less.
LEAST_DAYS = "MIN_DATA_RETENTION_TIME_IN_DAYS"
_EXTENSION = "MAX_DATA_EXTENSION_TIME_IN_DAYS"
_DEFAULT_EXTENSION = 14
_DEFAULT = 1
_MOST = 90
_MOST_TRANSIENT = 1


def retention_days(catalog: Catalog, item: CatalogObject) -> int:
    """An object's own setting, or that of what it lies in, or the account's.

    Transient and temporary objects keep at most a day.
    """
    days: Any = None
    current: CatalogObject | None = item
    while current is not None and days is None:
        days = current.options.get(DAYS)
        current = catalog.by_id(current.parent)
    if days is None:
        days = catalog.account_parameters.get(DAYS, _DEFAULT)
    least = int(catalog.account_parameters.get(LEAST_DAYS, 0))
    return min(max(int(days), least), most_days(item))


def most_days(item: CatalogObject) -> int:
    """The most that an object's setting may be."""
    brief = item.kind != "TABLE" if isinstance(item, Table) else bool(getattr(item, "transient", False))
    return _MOST_TRANSIENT if brief else _MOST


def check_days(name: str, value: Any, most: int = _MOST) -> int:
    """A setting's value.

    Args:
        name: of the parameter, for the error.
        value: as it was written.
        most: the largest one allowed.

    Raises:
        SnowflakeError: 001008 if it is no whole number from 0 to ``most``.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise invalid_value(
            f"invalid value [{value}] for parameter '{name}': it must be a number of days from 0 to {most}"
        )
    return value


def horizon(catalog: Catalog, item: CatalogObject, now: datetime | None = None) -> datetime:
    """The earliest moment of an object's past that can still be reached."""
    return (now or datetime.now(UTC)) - timedelta(days=retention_days(catalog, item))


def is_over(catalog: Catalog, item: CatalogObject, now: datetime | None = None) -> bool:
    """Whether a dropped object, or one in a dropped schema or database, cannot come back any more."""
    moment = now or datetime.now(UTC)
    current: CatalogObject | None = item
    while current is not None:
        if current.dropped_on is not None and current.dropped_on <= horizon(catalog, current, moment):
            return True
        if current.parent > 0 and catalog.by_id(current.parent) is None:
            return True
        current = catalog.by_id(current.parent)
    return False


def extension_days(catalog: Catalog, item: CatalogObject) -> int:
    """For how many days at most the past of a table is kept for its streams, beyond its own retention time.

    https://docs.snowflake.com/en/sql-reference/parameters#max-data-extension-time-in-days
    """
    current: CatalogObject | None = item
    while current is not None:
        if _EXTENSION in current.options:
            return int(current.options[_EXTENSION])
        current = catalog.by_id(current.parent)
    return int(catalog.account_parameters.get(_EXTENSION, _DEFAULT_EXTENSION))


def stream_horizon(catalog: Catalog, table: CatalogObject, now: datetime | None = None) -> datetime:
    """A stream of a table whose offset is earlier than this is stale."""
    days = max(retention_days(catalog, table), extension_days(catalog, table))
    return (now or datetime.now(UTC)) - timedelta(days=days)
