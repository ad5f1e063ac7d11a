"""Row access and masking policies: what they are on.

https://docs.snowflake.com/en/user-guide/security-row-intro, .../security-column-intro
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from polynya.catalog.model import Attachment, CatalogObject, ColumnDef, Policy, Table, View
from polynya.catalog.store import Catalog
from polynya.catalog.tags import account_tags
from polynya.errors import SnowflakeError, compilation_error

ROW_ACCESS = "ROW ACCESS POLICY"
MASKING = "MASKING POLICY"
# Option of a tag: name of a type -> id of the policy that masks columns of the type which have the tag.
TAG_POLICIES = "MASKING POLICIES"


@dataclass(frozen=True, slots=True)
class Reference:
    """A policy on something.

    Args:
        policy: of the catalog.
        item: the table or view.
        column: the masked column; None for a row access policy.
        arguments: names of the columns that are its arguments, without the masked one.
        tag: by which it is there, or None.
    """

    policy: Policy
    item: Table | View
    column: ColumnDef | None
    arguments: list[str]
    tag: CatalogObject | None = None


def policy_of(catalog: Catalog, attachment: Attachment) -> Policy:
    """The policy that is attached; one that was dropped with its schema goes on protecting.

    Raises:
        SnowflakeError: 003550 if it is gone for good: nothing is read without it.
    """
    found = catalog.by_id(attachment.policy)
    if isinstance(found, Policy):
        return found
    raise SnowflakeError(
        3550, "22000", "SQL execution error:\nThe policy attached to the object no longer exists. Unset it first."
    )


def is_protected(catalog: Catalog, item: CatalogObject) -> bool:
    """Whether rows or values of a table or view depend on who reads them."""
    return isinstance(item, (Table, View)) and (item.row_access is not None or bool(masks_of(catalog, item)))


def masks_of(catalog: Catalog, item: Table | View) -> dict[str, Attachment]:
    """The masking policies of a table or view by the engine names of its columns: a column's own, else that of a tag on
    the column or on what it lies in, the nearest first.

    Source: docs.snowflake.com/en/user-guide/tag-based-masking-policies.
    """
    around: list[dict[int, str]] = []
    current: CatalogObject | None = item
    while current is not None:
        around.append(current.tags)
        current = catalog.by_id(current.parent) if current.parent else None
    around.append(account_tags(catalog))
    found: dict[str, Attachment] = {}
    for column in item.columns:
        own = column.masking or _by_tag(catalog, column, [column.tags, *around])
        if own is not None:
            found[column.stored_as] = own
    return found


def _by_tag(catalog: Catalog, column: ColumnDef, around: list[dict[int, str]]) -> Attachment | None:
    for tags in around:
        for tag_id in tags:
            tag = catalog.by_id(tag_id)  # one that was dropped with its schema goes on protecting
            policy = tag.options.get(TAG_POLICIES, {}).get(column.type.name) if tag is not None else None
            if policy is not None:
                return Attachment(policy, (column.stored_as,), tag_id)
    return None


def references_of(catalog: Catalog, item: Table | View) -> Iterator[Reference]:
    """The policies on a table or view."""
    names = {column.stored_as: column.name for column in item.columns}
    if item.row_access is not None:
        policy = policy_of(catalog, item.row_access)
        yield Reference(policy, item, None, [names[stored] for stored in item.row_access.columns])
    masks = masks_of(catalog, item)
    for column in item.columns:
        mask = masks.get(column.stored_as)
        if mask is not None:
            arguments = [names[stored] for stored in mask.columns[1:]]
            yield Reference(policy_of(catalog, mask), item, column, arguments, catalog.by_id(mask.tag))


def is_used(catalog: Catalog, policy: Policy) -> bool:
    """Whether a policy is on a table, a view or a tag."""
    on_tags = (tag.options.get(TAG_POLICIES, {}).values() for tag in catalog.all("TAG"))
    return any(policy.id in policies for policies in on_tags) or bool(references_to(catalog, policy))


def references_to(catalog: Catalog, policy: Policy) -> list[Reference]:
    """Where a policy is, temporary tables included."""
    return [
        found
        for item in sorted(catalog.every(), key=lambda item: item.id)
        if isinstance(item, (Table, View)) and catalog.reachable(item) and is_protected(catalog, item)
        for found in references_of(catalog, item)
        if found.policy is policy
    ]


def uses_column(item: Table | View, column: ColumnDef) -> bool:
    """Whether a policy on a table or view masks a column or takes it as an argument."""
    attached = [item.row_access, *(other.masking for other in item.columns)]
    return any(column.stored_as in attachment.columns for attachment in attached if attachment is not None)


def check_unused(item: Table | View, column: ColumnDef, what: str) -> None:
    """Refuses to drop or retype a column that a policy masks or takes as an argument.

    Args:
        item: its table.
        column: the column.
        what: the change, as the error calls it: ``dropped``.

    Raises:
        SnowflakeError: 003552.
    """
    if uses_column(item, column):
        raise compilation_error(
            3552,
            "42601",
            f"Column '{column.name}' of '{item.name}' cannot be {what}: a policy is attached to it or uses it. Unset it first.",
        )


def keep_policies(source: Table, clone: Table) -> None:
    """Puts a table's policies on its clone; also a clone of the past has those of now.

    Source: docs.snowflake.com/en/user-guide/security-column-intro (cloning).

    Args:
        source: the table.
        clone: with its columns, which may be those of an earlier time.

    Raises:
        SnowflakeError: 003557 if a policy takes as an argument a column that there was not then.
    """
    clone.row_access = source.row_access
    now = {column.stored_as: column.masking for column in source.columns}
    then = {column.stored_as for column in clone.columns}
    for column in clone.columns:
        column.masking = now.get(column.stored_as, column.masking)
    for attachment in (clone.row_access, *(column.masking for column in clone.columns)):
        if attachment is not None and not then.issuperset(attachment.columns):
            raise compilation_error(
                3557, "22000",
                f"Table '{source.name}' cannot be cloned as of then: a policy on it uses a column that it did not have.",
            )  # fmt: skip


def follow_policies(added: list[CatalogObject], pairs: dict[int, int]) -> None:
    """What is cloned together with its policies has the clones of these.

    Args:
        added: the new objects.
        pairs: id of a policy -> id of its clone.
    """

    def followed(attachment: Attachment | None) -> Attachment | None:
        if attachment is None:
            return None
        return replace(attachment, policy=pairs.get(attachment.policy, attachment.policy))

    for item in added:
        if isinstance(item, (Table, View)):
            item.row_access = followed(item.row_access)
            for column in item.columns:
                column.masking = followed(column.masking)
        elif TAG_POLICIES in item.options:
            own = item.options[TAG_POLICIES]
            item.options[TAG_POLICIES] = {kind: pairs.get(policy, policy) for kind, policy in own.items()}
