"""Tags on objects: kept by the tag's id, so that a renamed tag or object keeps them; found by inheritance.

https://docs.snowflake.com/en/user-guide/object-tagging/introduction, .../object-tagging/inheritance
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from polynya.catalog.kinds import kind_of
from polynya.catalog.model import CatalogObject, ColumnDef, GenericObject
from polynya.catalog.store import Catalog

_ACCOUNT = "account_tags"
# docs.snowflake.com/en/user-guide/object-tagging/introduction#tag-quotas
MOST_TAGS = 50
MOST_CHARACTERS = 256
MOST_VALUES = 5000


@dataclass(frozen=True, slots=True)
class TagReference:
    """A tag's value for an object.

    Args:
        tag: of the catalog.
        value: its value.
        level: domain of what it is set on: the object itself, or what the object lies in.
        set_on: what it is set on; None is the account.
    """

    tag: GenericObject
    value: str
    level: str
    set_on: CatalogObject | None


def account_tags(catalog: Catalog) -> dict[int, str]:
    """The account's own tags, by the tags' ids."""
    return {int(tag): value for tag, value in (catalog.setting(_ACCOUNT) or {}).items()}


def set_account_tags(catalog: Catalog, tags: dict[int, str]) -> None:
    catalog.set_setting(_ACCOUNT, {str(tag): value for tag, value in tags.items()})


def known(catalog: Catalog, tags: dict[int, str]) -> Iterator[tuple[GenericObject, str]]:
    """The tags of an object that exist: those of a dropped tag come back with it."""
    for tag_id, value in tags.items():
        tag = catalog.by_id(tag_id)
        if isinstance(tag, GenericObject) and catalog.reachable(tag):
            yield tag, value


def effective_tags(catalog: Catalog, item: CatalogObject | None, column: ColumnDef | None = None) -> list[TagReference]:
    """The tags that hold for an object: its own, then those of what it lies in; the nearest value of a tag wins.

    Args:
        catalog: of the account.
        item: the object, None for the account.
        column: of the object, if a column is meant.
    """
    found: dict[int, TagReference] = {}
    if column is not None:
        for tag, value in known(catalog, column.tags):
            found.setdefault(tag.id, TagReference(tag, value, "COLUMN", item))
    current = item
    while current is not None:
        for tag, value in known(catalog, current.tags):
            found.setdefault(tag.id, TagReference(tag, value, kind_of(current), current))
        current = catalog.by_id(current.parent) if current.parent else None
    for tag, value in known(catalog, account_tags(catalog)):
        found.setdefault(tag.id, TagReference(tag, value, "ACCOUNT", None))
    return list(found.values())


def allowed_values(tag: GenericObject) -> list[str]:
    """The values that a tag takes; an empty list is any."""
    return list(tag.options.get("ALLOWED_VALUES") or [])


def follow_clones(added: list[CatalogObject], pairs: dict[int, int], target: CatalogObject) -> None:
    """Objects cloned together with their tags carry the clones of the tags.

    Source: docs.snowflake.com/en/user-guide/object-tagging/interaction (Cloning).

    Args:
        added: the new objects.
        pairs: id of a tag -> id of its clone.
        target: the clone in which they lie.
    """
    for item in [*added, target]:
        item.tags = {pairs.get(tag, tag): value for tag, value in item.tags.items()}
        for column in getattr(item, "columns", []):
            column.tags = {pairs.get(tag, tag): value for tag, value in column.tags.items()}
