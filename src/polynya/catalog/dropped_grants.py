"""The grants on a dropped object, which come back with it."""

from __future__ import annotations

from datetime import UTC, datetime

from polynya.catalog import privileges
from polynya.catalog.granted import object_of
from polynya.catalog.kinds import sql_kind
from polynya.catalog.model import CatalogObject, Database, Grant, Schema, Table
from polynya.catalog.store import Catalog

_OPTION = "GRANTS_WHEN_DROPPED"
_FIELDS = ("privilege", "on_kind", "on_name", "to_kind", "to_name", "grant_option", "granted_by", "future")


def lay_aside(catalog: Catalog, item: CatalogObject) -> tuple[Grant, ...]:
    """Keeps the grants on an object that is about to be dropped, and on what lies in it, with it.

    Those to shares are not kept: what others may read is decided anew.

    Returns:
        All the grants that end with it.
    """
    kind, name = sql_kind(item), catalog.grant_name(item)
    gone = [grant for grant in catalog.grants() if privileges.renamed(grant, kind, name, None) is None]
    if isinstance(item, (Table, Schema, Database)) or kind == "TAG":  # nothing else comes back
        grants = [{field: getattr(grant, field) for field in _FIELDS} for grant in gone if grant.to_kind != "SHARE"]
        others = {
            option: value for option, value in item.options.items() if option != _OPTION
        }  # a clone has its origin's
        kept = {_OPTION: {"name": name, "at": datetime.now(UTC).isoformat(), "grants": grants}} if grants else {}
        item.options = others | kept
    return tuple(gone)


def bring_back(catalog: Catalog, item: CatalogObject) -> None:
    """Gives an undropped object the grants it had, to those who are still there."""
    kept = item.options.get(_OPTION)
    if not kept:
        return
    item.options = {name: value for name, value in item.options.items() if name != _OPTION}
    catalog.update(item)
    # What it lies in may have got another name meanwhile.
    kind, old, new = sql_kind(item), kept["name"], catalog.grant_name(item)
    then = datetime.fromisoformat(kept["at"])
    renamed = (privileges.renamed(Grant(**grant), kind, old, new) for grant in kept["grants"])
    catalog.grant(*(grant for grant in renamed if grant is not None and _was_there(catalog, grant, then)))


def _was_there(catalog: Catalog, grant: Grant, then: datetime) -> bool:
    """Whether who was given something is no other of the same name."""
    holder = object_of(catalog, grant.to_kind, grant.to_name)
    return holder is not None and holder.created_on <= then
