"""What statements of all kinds do with tags: WITH TAG (...), SET TAG, UNSET TAG.

https://docs.snowflake.com/en/user-guide/object-tagging/work
"""

from __future__ import annotations

from polynya.catalog import rights
from polynya.catalog.model import CatalogObject, ColumnDef, GenericObject, Table, View
from polynya.catalog.names import join_name
from polynya.catalog.store import Catalog
from polynya.catalog.tags import MOST_CHARACTERS, MOST_TAGS, allowed_values, known
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, invalid_value
from polynya.statements.base import Execution

# The privilege on the account to set and unset every tag on every object.
APPLY = "APPLY TAG"


def read_tags(execution: Execution, stream: TokenStream) -> dict[int, str]:
    """Reads ``name = 'value', ...``; answers values by the tags' ids.

    Raises:
        SnowflakeError: 002003 for an unknown tag, 001008 for a value that it does not take.
    """
    found: dict[int, str] = {}
    while True:
        tag = _tag(execution, stream)
        stream.expect("=")
        value = stream.string()
        check_value(execution.context.catalog, tag, value)
        if tag.id in found:
            raise invalid_value(f"Tag '{tag.name}' is given more than once.")
        found[tag.id] = value
        if not _another(stream):
            return found


def _another(stream: TokenStream) -> bool:
    """Whether a comma and another tag follow; behind a comma may also stand the next column of ALTER TABLE."""
    following = [token.text.upper() for token in stream.tokens[stream.index + 1 : stream.index + 3]]
    if len(following) == 2 and (following[1] in ("SET", "UNSET") or (following[0] == "COLUMN" and following[1] != "=")):
        return False
    return stream.accept(",")


def check_value(catalog: Catalog, tag: GenericObject, value: str) -> None:
    """Refuses a value that a tag cannot have.

    Raises:
        SnowflakeError: 001008.
    """
    if len(value) > MOST_CHARACTERS:
        raise invalid_value(
            f"The value of tag '{catalog.full_name(tag)}' has {len(value)} characters, more than {MOST_CHARACTERS}."
        )
    allowed = allowed_values(tag)
    if allowed and value not in allowed:
        listed = ", ".join(f"'{item}'" for item in allowed[:20]) + (", ..." if len(allowed) > 20 else "")
        raise invalid_value(
            f"Value '{value}' is not allowed for tag '{catalog.full_name(tag)}'. Allowed values: {listed}."
        )


def _tag(execution: Execution, stream: TokenStream) -> GenericObject:
    tag: GenericObject = execution.context.catalog.get(execution.context, "TAG", stream.name())
    if not rights.has_account(execution.context, APPLY):
        execution.require("APPLY", tag)
    return tag


def needed(execution: Execution, stream: TokenStream, otherwise: str | tuple[str, ...]) -> str | tuple[str, ...] | None:
    """What an ALTER needs on its object: APPLY TAG on the account spares who only sets or unsets tags its ownership.

    Source: docs.snowflake.com/en/user-guide/object-tagging/introduction (access control privileges).

    Args:
        execution: of the statement.
        stream: after the object's name.
        otherwise: what other changes need.
    """
    if not (stream.at("SET", "TAG") or stream.at("UNSET", "TAG")):
        return otherwise
    return None if rights.has_account(execution.context, APPLY) else "OWNERSHIP"


def accept_tag_clause(execution: Execution, stream: TokenStream, item: CatalogObject | ColumnDef) -> bool:
    """Reads ``[WITH] TAG (name = 'value', ...)`` of a CREATE, if it comes next; whether it did."""
    found = read_tag_clause(execution, stream)
    if found is None:
        return False
    item.tags.update(found)
    check_count(execution.context.catalog, item.tags)
    return True


def read_tag_clause(execution: Execution, stream: TokenStream) -> dict[int, str] | None:
    """``[WITH] TAG (...)`` for an object that is not there yet; None if something else comes next."""
    if not (stream.at("WITH", "TAG") or stream.at("TAG", "(")):
        return None
    stream.accept("WITH")
    stream.expect("TAG", "(")
    found = read_tags(execution, stream)
    stream.expect(")")
    return found


def accept_tag_change(execution: Execution, stream: TokenStream, item: CatalogObject | ColumnDef) -> bool:
    """Carries out ``SET TAG ...`` or ``UNSET TAG ...`` of an ALTER, if it comes next; whether it did."""
    changed = read_tag_change(execution, stream, item.tags)
    if changed is None:
        return False
    item.tags = changed
    return True


def read_tag_change(execution: Execution, stream: TokenStream, tags: dict[int, str]) -> dict[int, str] | None:
    """An object's tags after ``SET TAG ...`` or ``UNSET TAG ...``; None if something else comes next."""
    if stream.accept("SET", "TAG"):
        changed = {**tags, **read_tags(execution, stream)}
        check_count(execution.context.catalog, changed)
        return changed
    if stream.accept("UNSET", "TAG"):
        changed = dict(tags)
        changed.pop(_tag(execution, stream).id, None)
        while _another(stream):
            changed.pop(_tag(execution, stream).id, None)
        return changed
    return None


def check_count(catalog: Catalog, tags: dict[int, str]) -> None:
    """Refuses more tags than an object can have.

    Raises:
        SnowflakeError: 001008.
    """
    if sum(1 for _ in known(catalog, tags)) > MOST_TAGS:
        raise invalid_value(f"An object can have at most {MOST_TAGS} tags.")


def check_columns(execution: Execution, item: Table | View) -> None:
    """Refuses more different tags on the columns of one table or view than they can have together."""
    used = {tag: value for column in item.columns for tag, value in column.tags.items()}
    check_count(execution.context.catalog, used)


def check_droppable(execution: Execution, tag: GenericObject, value: str) -> None:
    """Refuses to take away a value that some object has.

    Source: docs.snowflake.com/en/sql-reference/sql/alter-tag.
    """
    catalog = execution.context.catalog
    for item in catalog.every():
        if item.dropped_on is not None or not catalog.reachable(item):
            continue
        if item.tags.get(tag.id) == value:
            raise _in_use(value, catalog.path(item))
        for column in getattr(item, "columns", []):
            if column.tags.get(tag.id) == value:
                raise _in_use(value, [*catalog.path(item), column.name])


def _in_use(value: str, path: list[str]) -> SnowflakeError:
    return invalid_value(f"Allowed value '{value}' cannot be dropped: it is the tag's value on {join_name(path)}.")
