"""CREATE, ALTER, DROP, DESCRIBE and SHOW of row access and masking policies.

https://docs.snowflake.com/en/sql-reference/sql/create-row-access-policy, .../create-masking-policy,
.../alter-masking-policy, .../drop-masking-policy, .../desc-masking-policy, .../show-masking-policies
"""

from __future__ import annotations

from polynya.catalog.model import Policy
from polynya.catalog.policies import MASKING, ROW_ACCESS, is_used
from polynya.dialect.environment import Environment
from polynya.dialect.policies import check_body
from polynya.dialect.tokens import TokenStream
from polynya.dialect.types import read_type
from polynya.errors import SnowflakeError, compilation_error
from polynya.statements import objects, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import (
    MOMENT,
    TEXT,
    answer,
    created,
    database_name,
    in_scope,
    option,
    owner_role_type,
    read_request,
    schema_name,
)
from polynya.types.resultset import Column, ResultSet, StatementType, rows, status
from polynya.types.sqltype import SqlType

_KINDS = (ROW_ACCESS, MASKING)
_EXEMPT = "EXEMPT_OTHER_POLICIES"


def _read_kind(stream: TokenStream) -> str:
    kind = stream.accept_one(*_KINDS)
    if kind is None:
        raise stream.error()
    return kind


@statement(*(f"CREATE {kind}" for kind in _KINDS))
def create(execution: Execution, stream: TokenStream) -> ResultSet:
    kind = MASKING if "MASKING" in stream.words(6) else ROW_ACCESS
    modifiers = objects.read_create(stream, kind)
    place = objects.place_of(execution, kind, modifiers.parts)
    existing = objects.look(execution, modifiers, kind, place)
    if existing.keep is not None:
        return existing.keep
    if isinstance(existing.replaced, Policy):
        _check_unused(execution, existing.replaced)
    policy = Policy(
        id=execution.context.catalog.new_id(), parent=place.parent, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), kind=kind,
    )  # fmt: skip
    stream.accept("AS")
    policy.arguments = _read_arguments(execution, stream)
    stream.expect("RETURNS")
    policy.returns = _read_type(execution, stream)
    _check_signature(policy)
    _read_body(execution, stream, policy)
    objects.put(execution, policy, existing.replaced)
    return status(f"{'Masking' if kind == MASKING else 'Row access'} policy {place.name} successfully created.")


def _read_type(execution: Execution, stream: TokenStream) -> SqlType:
    return read_type(stream, str(execution.context.parameter("TIMESTAMP_TYPE_MAPPING")))


def _read_arguments(execution: Execution, stream: TokenStream) -> list[tuple[str, SqlType, str | None]]:
    """``(name type, ...)``."""
    stream.expect("(")
    found: list[tuple[str, SqlType, str | None]] = []
    while not stream.accept(")"):
        name = stream.identifier()
        if any(name == other for other, _, _ in found):
            raise compilation_error(2025, "42S21", f"duplicate argument name '{name}'")
        found.append((name, _read_type(execution, stream), None))
        if not stream.at(")"):
            stream.expect(",")
    return found


def _check_signature(policy: Policy) -> None:
    assert policy.returns is not None
    if policy.kind == ROW_ACCESS:
        if policy.returns.name != "BOOLEAN":
            raise compilation_error(2023, "22000", f"A row access policy returns BOOLEAN, not {policy.returns}.")
        return
    if not policy.arguments:
        raise compilation_error(1003, "42000", "A masking policy needs an argument: the masked value.")
    kind = policy.arguments[0][1]
    if kind.name != policy.returns.name:
        raise compilation_error(
            2023, "22000",
            f"A masking policy returns the type of its first argument: RETURNS {kind} expected, not {policy.returns}.",
        )  # fmt: skip


def _read_body(execution: Execution, stream: TokenStream, policy: Policy) -> None:
    """``-> expression``, then properties at the statement's end.

    Raises:
        SnowflakeError: what is wrong with the expression.
    """
    stream.expect("->")
    start, end = stream.index, len(stream.tokens)
    while end - 4 > start and stream.tokens[end - 2].text == "=":
        name = stream.tokens[end - 3].text.upper()
        if name not in ("COMMENT", _EXEMPT) or stream.tokens[end - 4].text.upper() in ("AND", "OR", "NOT", "WHEN", "("):
            break
        value = stream.tokens[end - 1].text
        if name == "COMMENT":
            policy.comment = value
        else:
            policy.options[_EXEMPT] = value.upper() == "TRUE"
        end -= 3
    policy.body = stream.source(start, end)
    stream.index = len(stream.tokens)
    check_body(policy, Environment(execution.context))


def _found(execution: Execution, stream: TokenStream, kind: str) -> Policy | None:
    """The policy of ``[IF EXISTS] name``; None if there is none and there need not be."""
    catalog, context = execution.context.catalog, execution.context
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    policy: Policy | None = catalog.find(context, kind, parts)
    return policy if policy is not None or if_exists else catalog.get(context, kind, parts)


@statement(*(f"ALTER {kind}" for kind in _KINDS))
def alter(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("ALTER")
    policy = _found(execution, stream, _read_kind(stream))
    if policy is None:
        return objects.done()
    with objects.editing(execution, policy):
        if stream.accept("RENAME", "TO"):
            name = stream.name()
            stream.expect_end()
            objects.rename(execution, policy, name)
        elif stream.accept("SET", "BODY"):
            _read_body(execution, stream, policy)
        elif tagging.accept_tag_change(execution, stream, policy):
            pass
        elif stream.accept("SET", "COMMENT"):
            stream.expect("=")
            policy.comment = stream.string()
        elif stream.accept("UNSET", "COMMENT"):
            policy.comment = ""
        else:
            raise stream.error()
        stream.expect_end()
    return objects.done()


@statement(*(f"DROP {kind}" for kind in _KINDS))
def drop(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("DROP")
    kind = _read_kind(stream)
    name_at = stream.index + (2 if stream.at("IF", "EXISTS") else 0)
    policy = _found(execution, stream, kind)
    stream.expect_end()
    if policy is None:
        name = stream.source(name_at, len(stream.tokens)).upper()
        return status(f"Drop statement executed successfully ({name} already dropped).")
    execution.require("OWNERSHIP", policy)
    _check_unused(execution, policy)
    objects.remove(execution, policy)
    return status(f"{policy.name} successfully dropped.")


def _check_unused(execution: Execution, policy: Policy) -> None:
    if is_used(execution.context.catalog, policy):
        raise SnowflakeError(
            3551, "42710",
            f"SQL compilation error:\nPolicy {policy.name} cannot be dropped/replaced as it is associated with one or more "
            "entities.",
        )  # fmt: skip


@statement(*(f"{verb} {kind}" for verb in ("DESCRIBE", "DESC") for kind in _KINDS))
def describe(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.next()
    kind = _read_kind(stream)
    policy: Policy = execution.context.catalog.get(execution.context, kind, stream.name())
    stream.expect_end()
    signature = ", ".join(f"{name} {argument}" for name, argument, _ in policy.arguments)
    columns = [Column(name, TEXT) for name in ("name", "signature", "return_type", "body")]
    row = (policy.name, f"({signature})", str(policy.returns), policy.body)
    return rows(columns, [row], StatementType.DESCRIBE)


_PLURALS = {kind.removesuffix("Y") + "IES": kind for kind in _KINDS}


@statement(*(f"SHOW {plural}" for plural in _PLURALS))
def show(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    plural = stream.accept_one(*_PLURALS)
    if plural is None:
        raise stream.error()
    request = read_request(execution, stream)
    found = request.select(in_scope(execution, request.scope, _PLURALS[plural]))
    return answer(
        [
            ("created_on", MOMENT, created),
            ("name", TEXT, lambda policy: policy.name),
            ("database_name", TEXT, database_name(execution)),
            ("schema_name", TEXT, schema_name(execution)),
            ("kind", TEXT, lambda policy: policy.kind.replace(" ", "_")),
            ("owner", TEXT, lambda policy: policy.owner),
            ("comment", TEXT, lambda policy: policy.comment),
            ("owner_role_type", TEXT, owner_role_type),
            ("options", TEXT, lambda policy: f'{{"{_EXEMPT}":"TRUE"}}' if option(_EXEMPT)(policy) == "True" else ""),
        ],
        found,
    )
