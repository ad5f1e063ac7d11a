"""Objects that are only declared: stored and shown, nothing acts on them.

Tags take part in SET TAG; secrets, network rules and integrations are named by Python functions.
"""

from __future__ import annotations

from typing import Any

from polynya.catalog.model import GenericObject
from polynya.dialect.tokens import TokenStream
from polynya.errors import unsupported
from polynya.statements import objects
from polynya.statements.base import Execution, statement
from polynya.types.resultset import ResultSet, status

# Kind as written -> the catalog's kind.
KINDS = {
    "TAG": "TAG", "SECRET": "SECRET", "NETWORK RULE": "NETWORK RULE", "NETWORK POLICY": "NETWORK POLICY",
    "EXTERNAL ACCESS INTEGRATION": "INTEGRATION", "STORAGE INTEGRATION": "INTEGRATION", "API INTEGRATION": "INTEGRATION",
    "NOTIFICATION INTEGRATION": "INTEGRATION", "SECURITY INTEGRATION": "INTEGRATION", "INTEGRATION": "INTEGRATION",
    "RESOURCE MONITOR": "RESOURCE MONITOR", "SHARE": "SHARE", "DATABASE ROLE": "DATABASE ROLE",
    "COMPUTE POOL": "COMPUTE POOL", "IMAGE REPOSITORY": "IMAGE REPOSITORY",
    "ARTIFACT REPOSITORY": "ARTIFACT REPOSITORY", "EVENT TABLE": "EVENT TABLE",
}  # fmt: skip
# Values that are never shown.
_HIDDEN = ("SECRET_STRING", "PASSWORD", "OAUTH_REFRESH_TOKEN", "OAUTH_CLIENT_SECRET")


def _read_kind(stream: TokenStream) -> str:
    kind = stream.accept_one(*sorted(KINDS, key=len, reverse=True))
    if kind is None:
        raise stream.error()
    return kind


@statement(*(f"CREATE {kind}" for kind in KINDS))
def create(execution: Execution, stream: TokenStream) -> ResultSet:
    words = [word for word in stream.words()[1:] if word not in ("OR", "REPLACE", "ALTER")]
    written = next(kind for kind in sorted(KINDS, key=len, reverse=True) if words[: len(kind.split())] == kind.split())
    modifiers = objects.read_create(stream, written)
    parts = stream.name()
    objects.accept_if_not_exists(stream, modifiers)
    kind = KINDS[written]
    place = objects.place_of(execution, kind, parts)
    existing = objects.look(execution, modifiers, kind, place)
    if existing.keep is not None:
        return existing.keep
    item = GenericObject(
        id=execution.context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), kind=kind,
    )  # fmt: skip
    if written != kind:
        item.options["INTEGRATION_KIND"] = written.removesuffix(" INTEGRATION")
    _read_properties(execution, stream, item)
    # A secret's value is not kept with the statement's text.
    item.text = "" if kind == "SECRET" else stream.text
    objects.put(execution, item, existing.replaced)
    return status(f"{written.capitalize()} {place.name} successfully created.")


def _read_properties(execution: Execution, stream: TokenStream, item: GenericObject) -> None:
    stream.accept("WITH")
    while not stream.done:
        before = stream.index
        if stream.accept("ALLOWED_VALUES"):
            item.options["ALLOWED_VALUES"] = _strings(stream)
        elif stream.accept("WITH", "TAG") or stream.accept("TAG"):
            stream.expect("(")
            item.tags.update(objects.read_tags(execution, stream))
            stream.expect(")")
        elif item.kind == "RESOURCE MONITOR" and stream.accept("TRIGGERS"):
            item.options["TRIGGERS"] = stream.rest()
            stream.index = len(stream.tokens)
        else:
            objects.set_properties(item, objects.read_properties(stream))
        if stream.index == before:
            raise stream.error()


def _strings(stream: TokenStream) -> list[str]:
    found = [stream.string()]
    while stream.accept(","):
        found.append(stream.string())
    return found


@statement(*(f"ALTER {kind}" for kind in KINDS))
def alter(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER")
    kind = KINDS[_read_kind(stream)]
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    item = catalog.find(context, kind, parts)
    if item is None:
        if if_exists:
            return objects.done()
        item = catalog.get(context, kind, parts)
    with objects.editing(execution, item):
        _alter(execution, stream, item)
    return objects.done()


def _alter(execution: Execution, stream: TokenStream, item: GenericObject) -> None:
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, item, new_name)
    elif stream.accept_one("ADD", "DROP", "UNSET ALLOWED_VALUES"):
        _change_values(stream, item, stream.tokens[stream.index - 1].text.upper())
    elif stream.accept("SET", "TAG"):
        item.tags.update(objects.read_tags(execution, stream))
    elif stream.accept("UNSET", "TAG"):
        for name in objects.read_tag_names(execution, stream):
            item.tags.pop(name, None)
    elif stream.at_one("SET MASKING", "UNSET MASKING"):
        raise unsupported("MASKING POLICY")
    elif stream.accept("SET"):
        _read_properties(execution, stream, item)
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, item)
    else:
        raise stream.error()
    stream.expect_end()


def _change_values(stream: TokenStream, item: GenericObject, verb: str) -> None:
    """ADD, DROP and UNSET of a tag's ALLOWED_VALUES; ADD and DROP ACCOUNTS of a share."""
    if verb == "ALLOWED_VALUES":
        item.options.pop("ALLOWED_VALUES", None)
        return
    word = stream.word()
    if word != "ALLOWED_VALUES" or item.kind != "TAG":
        raise unsupported(f"ALTER {item.kind} {verb} {word}")
    values: list[Any] = list(item.options.get("ALLOWED_VALUES", []))
    for value in _strings(stream):
        if verb == "ADD" and value not in values:
            values.append(value)
        elif verb == "DROP" and value in values:
            values.remove(value)
    item.options["ALLOWED_VALUES"] = values


@statement(*(f"DROP {kind}" for kind in KINDS))
def drop(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("DROP")
    kind = KINDS[_read_kind(stream)]
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    stream.expect_end()
    item = catalog.find(context, kind, parts)
    if item is None:
        if if_exists:
            return status(f"Drop statement executed successfully ({parts[-1]} already dropped).")
        item = catalog.get(context, kind, parts)
    objects.remove(execution, item)
    return status(f"{item.name} successfully dropped.")


def shown_options(item: GenericObject) -> dict[str, Any]:
    """An object's properties without secret values."""
    return {name: value for name, value in item.options.items() if name not in _HIDDEN}
