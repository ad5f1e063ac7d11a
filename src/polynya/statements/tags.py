"""CREATE, ALTER, DROP, UNDROP and SHOW of tags.

https://docs.snowflake.com/en/sql-reference/sql/create-tag, .../alter-tag, .../drop-tag, .../undrop-tag, .../show-tags
"""

from __future__ import annotations

import json

from polynya.catalog.model import GenericObject
from polynya.catalog.retention import is_over
from polynya.catalog.tags import MOST_CHARACTERS, MOST_VALUES, allowed_values
from polynya.dialect.tokens import TokenStream
from polynya.errors import invalid_value, unsupported, was_purged
from polynya.statements import creation, objects, policy_clauses, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import (
    MOMENT,
    TEXT,
    Field,
    answer,
    created,
    database_name,
    in_scope,
    owner_role_type,
    read_request,
    schema_name,
)
from polynya.types.resultset import ResultSet, status

_KIND = "TAG"
_VALUES = "ALLOWED_VALUES"


@statement("CREATE TAG")
def create(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    modifiers = objects.read_create(stream, _KIND, or_alter=True)
    place = objects.place_of(execution, _KIND, modifiers.parts)
    present = catalog.child(place.parent, _KIND, place.name)
    if modifiers.or_alter and present is not None:
        with objects.editing(execution, present):
            present.options.pop(_VALUES, None)
            present.comment = ""
            _read_properties(stream, present)
        return status(f"Tag {place.name} successfully created.")
    existing = objects.look(execution, modifiers, _KIND, place)
    if existing.keep is not None:
        return existing.keep
    tag = GenericObject(
        id=context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), kind=_KIND, text=stream.text,
    )  # fmt: skip
    _read_properties(stream, tag)
    objects.put(execution, tag, existing.replaced)
    return status(f"Tag {place.name} successfully created.")


def _read_properties(stream: TokenStream, tag: GenericObject) -> None:
    while not stream.done:
        if stream.accept(_VALUES):
            stream.accept("=")
            tag.options[_VALUES] = _checked(_strings(stream))
        elif stream.accept("COMMENT"):
            stream.expect("=")
            tag.comment = stream.string()
        elif stream.at_one("PROPAGATE", "ON_CONFLICT", "MULTI_VALUE"):
            raise unsupported(f"{stream.word()} of a tag")
        else:
            raise stream.error()


def _strings(stream: TokenStream) -> list[str]:
    found = [stream.string()]
    while stream.accept(","):
        found.append(stream.string())
    return found


def _checked(values: list[str]) -> list[str]:
    """Allowed values without repetitions."""
    for value in values:
        if len(value) > MOST_CHARACTERS:
            raise invalid_value(f"An allowed value has {len(value)} characters, more than {MOST_CHARACTERS}.")
    values = list(dict.fromkeys(values))
    if len(values) > MOST_VALUES:
        raise invalid_value(f"A tag can have at most {MOST_VALUES} allowed values.")
    return values


@statement("ALTER TAG")
def alter(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", _KIND)
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    if if_exists and catalog.find(context, _KIND, parts) is None:
        return objects.done()
    tag = catalog.get(context, _KIND, parts)
    with objects.editing(execution, tag):
        _alter(execution, stream, tag)
    return objects.done()


def _alter(execution: Execution, stream: TokenStream, tag: GenericObject) -> None:
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, tag, new_name)
    elif stream.accept("ADD", _VALUES):
        tag.options[_VALUES] = _checked([*allowed_values(tag), *_strings(stream)])
    elif stream.accept("DROP", _VALUES):
        dropped = _strings(stream)
        for value in dropped:
            tagging.check_droppable(execution, tag, value)
        tag.options[_VALUES] = [value for value in allowed_values(tag) if value not in dropped]
    elif stream.accept("UNSET", _VALUES):
        tag.options.pop(_VALUES, None)
    elif stream.accept("UNSET", "COMMENT"):
        tag.comment = ""
    elif policy_clauses.accept_tag_masking(execution, stream, tag):
        pass
    elif stream.at_one("UNSET PROPAGATE", "UNSET ON_CONFLICT"):
        raise unsupported(f"{stream.words(stream.index + 2)[-1]} of a tag")
    elif stream.accept("SET"):
        _read_properties(stream, tag)
    else:
        raise stream.error()
    stream.expect_end()


@statement("DROP TAG")
def drop(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("DROP", _KIND)
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    stream.expect_end()
    if if_exists and catalog.find(context, _KIND, parts) is None:
        return status(f"Drop statement executed successfully ({parts[-1]} already dropped).")
    tag = catalog.get(context, _KIND, parts)
    execution.require("OWNERSHIP", tag)
    policy_clauses.check_tag_droppable(tag)
    objects.remove(execution, tag)
    return status(f"{tag.name} successfully dropped.")


@statement("UNDROP TAG")
def undrop(execution: Execution, stream: TokenStream) -> ResultSet:
    """The tag comes back with what it was set on."""
    catalog = execution.context.catalog
    stream.expect("UNDROP", _KIND)
    parts = stream.name()
    stream.expect_end()
    place = objects.place_of(execution, _KIND, parts, "UNDROP TAG")
    found = [tag for tag in catalog.dropped(place.parent, _KIND, place.name) if not is_over(catalog, tag)]
    if not found:
        raise was_purged("Tag", place.name)
    creation.bring_back(execution, found[0])
    return status(f"Tag {place.name} successfully restored.")


@statement("SHOW TAGS", "SHOW TERSE TAGS")
def show(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    stream.expect("TAGS")
    request = read_request(execution, stream, terse=terse)
    fields: list[Field] = [
        ("created_on", MOMENT, created),
        ("name", TEXT, lambda tag: tag.name),
        ("database_name", TEXT, database_name(execution)),
        ("schema_name", TEXT, schema_name(execution)),
    ]
    if not terse:
        fields += [
            ("owner", TEXT, lambda tag: tag.owner),
            ("comment", TEXT, lambda tag: tag.comment),
            ("allowed_values", TEXT, _shown_values),
            ("owner_role_type", TEXT, owner_role_type),
            ("propagate", TEXT, lambda tag: None),
            ("on_conflict", TEXT, lambda tag: None),
        ]
    if request.history:
        fields.append(("dropped_on", MOMENT, lambda tag: tag.dropped_on))
    found = in_scope(execution, request.scope, _KIND, history=request.history)
    return answer(fields, request.select(found))


def _shown_values(tag: GenericObject) -> str | None:
    values = allowed_values(tag)
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False) if values else None
