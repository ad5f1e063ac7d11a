"""Objects that are only declared: stored and shown, nothing acts on them.

Secrets, network rules and integrations are named by Python functions.
"""

from __future__ import annotations

from typing import Any

from polynya.catalog.model import GenericObject
from polynya.dialect.tokens import TokenStream
from polynya.errors import unsupported
from polynya.statements import network_policies, objects, tagging
from polynya.statements.base import Execution, statement
from polynya.types.resultset import ResultSet, status

# Kind as written -> the catalog's kind.
KINDS = {
    "SECRET": "SECRET", "NETWORK RULE": "NETWORK RULE", "NETWORK POLICY": "NETWORK POLICY",
    "EXTERNAL ACCESS INTEGRATION": "INTEGRATION", "STORAGE INTEGRATION": "INTEGRATION", "API INTEGRATION": "INTEGRATION",
    "NOTIFICATION INTEGRATION": "INTEGRATION", "SECURITY INTEGRATION": "INTEGRATION", "INTEGRATION": "INTEGRATION",
    "RESOURCE MONITOR": "RESOURCE MONITOR", "DATABASE ROLE": "DATABASE ROLE",
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
    kind = KINDS[written]
    if stream.at("CLONE"):
        raise unsupported(f"CREATE {kind} ... CLONE")
    place = objects.place_of(execution, kind, modifiers.parts)
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
    if kind == network_policies.KIND:
        network_policies.check_policy(execution, item)
    # A secret's value is not kept with the statement's text.
    item.text = "" if kind == "SECRET" else stream.text
    objects.put(execution, item, existing.replaced)
    return status(f"{written.capitalize()} {place.name} successfully created.")


def _read_properties(execution: Execution, stream: TokenStream, item: GenericObject) -> None:
    stream.accept("WITH")
    while not stream.done:
        before = stream.index
        if tagging.accept_tag_clause(execution, stream, item):
            pass
        elif item.kind == "RESOURCE MONITOR" and stream.accept("TRIGGERS"):
            item.options["TRIGGERS"] = stream.rest()
            stream.index = len(stream.tokens)
        else:
            objects.set_properties(item, objects.read_properties(stream))
        if stream.index == before:
            raise stream.error()


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
        if kind == network_policies.KIND:
            network_policies.check_policy(execution, item)
    return objects.done()


def _alter(execution: Execution, stream: TokenStream, item: GenericObject) -> None:
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, item, new_name)
    elif stream.at_one("ADD", "DROP"):
        raise unsupported(f"ALTER {item.kind} " + " ".join(stream.words(stream.index + 2)[-2:]))
    elif tagging.accept_tag_change(execution, stream, item):
        pass
    elif stream.at_one("SET MASKING", "UNSET MASKING"):
        raise unsupported("MASKING POLICY")
    elif stream.accept("SET"):
        _read_properties(execution, stream, item)
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, item)
    else:
        raise stream.error()
    stream.expect_end()


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
    if kind == network_policies.KIND:
        network_policies.check_unused(catalog, item)
    objects.remove(execution, item)
    return status(f"{item.name} successfully dropped.")


def shown_options(item: GenericObject) -> dict[str, Any]:
    """An object's properties without secret values."""
    return {name: value for name, value in item.options.items() if name not in _HIDDEN}
