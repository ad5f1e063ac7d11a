"""ALTER USER ... ADD, MODIFY, ROTATE and REMOVE PROGRAMMATIC ACCESS TOKEN, and SHOW of them.

https://docs.snowflake.com/en/sql-reference/sql/alter-user-add-programmatic-access-token, .../show-user-programmatic-access-tokens
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from polynya.catalog.access_tokens import DEFAULT_DAYS, MOST_DAYS, MOST_TOKENS, digest, new_secret, status_of
from polynya.catalog.model import AccessToken, User
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, already_exists, compilation_error, does_not_exist, invalid_value
from polynya.statements import objects
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import COUNT, MOMENT, TEXT, answer
from polynya.types.resultset import Column, ResultSet, StatementType, rows

_WORDS = ("PROGRAMMATIC ACCESS TOKEN", "PAT")
ACTIONS = tuple(f"{verb} {word}" for verb in ("ADD", "MODIFY", "ROTATE", "REMOVE") for word in _WORDS)
_BYPASS = "MINS_TO_BYPASS_NETWORK_POLICY_REQUIREMENT"
_ADDED = ("ROLE_RESTRICTION", "DAYS_TO_EXPIRY", _BYPASS, "COMMENT")
_CHANGED = ("DISABLED", _BYPASS, "COMMENT")
_EXPIRE_AFTER = "EXPIRE_ROTATED_TOKEN_AFTER_HOURS"
_SHOWN_AFTER_EXPIRY = timedelta(days=30)
_MOST_MINUTES = 1440


def alter(execution: Execution, stream: TokenStream, user: User) -> ResultSet:
    """What follows ``ALTER USER [name]``.

    Raises:
        SnowflakeError: 003001 in a session that was itself opened with a token, or for another's tokens.
    """
    if execution.context.access_token is not None:
        raise SnowflakeError(
            3001, "42501",
            "SQL access control error:\nProgrammatic access tokens cannot be changed in a session that was opened with one.",
        )  # fmt: skip
    # People manage their own tokens; those of services, and of others, their owner.
    if user.name != execution.context.user or user.options.get("TYPE") == "SERVICE":
        execution.require(("OWNERSHIP", "MODIFY PROGRAMMATIC AUTHENTICATION METHODS"), user)
    verb = stream.word()
    if stream.accept_one(*_WORDS) is None:
        raise stream.error()
    if_not_exists = verb == "ADD" and stream.accept("IF", "NOT", "EXISTS")
    name = stream.identifier()
    present = next((token for token in user.access_tokens if token.name == name), None)
    with objects.editing(execution, user, None):
        if verb == "ADD":
            if present is not None and if_not_exists:
                return objects.done()
            return _add(execution, stream, user, name)
        if present is None:
            raise does_not_exist("Programmatic access token", name)
        if verb == "ROTATE":
            return _rotate(execution, stream, user, present)
        if verb == "REMOVE":
            stream.expect_end()
            user.access_tokens = [token for token in user.access_tokens if token is not present]
        else:
            _modify(stream, user, present)
    return objects.done()


def _properties(stream: TokenStream, allowed: tuple[str, ...]) -> dict[str, Any]:
    found = objects.read_properties(stream)
    stream.expect_end()
    for name in found:
        if name not in allowed:
            raise compilation_error(1420, "22023", f"invalid property '{name}' for 'PROGRAMMATIC ACCESS TOKEN'")
    return found


def _number(name: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise invalid_value(f"invalid value [{value}] for parameter '{name}': {least} to {most} expected")
    return value


def _add(execution: Execution, stream: TokenStream, user: User, name: str) -> ResultSet:
    given = _properties(stream, _ADDED)
    now = objects.now()
    if any(token.name == name for token in user.access_tokens):
        raise already_exists(name)
    alive = [token for token in user.access_tokens if token.expires_at > now]
    if len(alive) >= MOST_TOKENS:
        raise invalid_value(f"User '{user.name}' has {MOST_TOKENS} programmatic access tokens, the most there can be.")
    role = str(given.get("ROLE_RESTRICTION") or "")
    role = role[1:-1] if role.startswith('"') else role.upper()
    if role and role not in execution.context.catalog.roles_of(user.name):
        raise does_not_exist("Role", role)
    if not role and user.options.get("TYPE") == "SERVICE":
        raise invalid_value("ROLE_RESTRICTION is required for a token of a user of the type SERVICE.")
    days = _number("DAYS_TO_EXPIRY", given.get("DAYS_TO_EXPIRY", DEFAULT_DAYS), 1, MOST_DAYS)
    bypass = _number(_BYPASS, given[_BYPASS], 0, _MOST_MINUTES) if _BYPASS in given else None
    secret = new_secret()
    token = AccessToken(
        name, digest(secret), now, now + timedelta(days=days), execution.context.user, role=role,
        comment=str(given.get("COMMENT", "")), mins_to_bypass=bypass,
    )  # fmt: skip
    user.access_tokens = [*user.access_tokens, token]
    return _shown_once(("token_name", name), ("token_secret", secret))


def _rotate(execution: Execution, stream: TokenStream, user: User, token: AccessToken) -> ResultSet:
    """A new secret under the name; the old one goes on for a while under another."""
    given = _properties(stream, (_EXPIRE_AFTER,))
    hours = _number(_EXPIRE_AFTER, given.get(_EXPIRE_AFTER, 24), 0, MOST_DAYS * 24)
    now = objects.now()
    taken = {other.name for other in user.access_tokens}
    old_name = next(name for n in range(1, MOST_DAYS) if (name := f"{token.name}_ROTATED_{n}") not in taken)
    until = min(token.expires_at, now + timedelta(hours=hours))
    old = replace(token, name=old_name, rotated_to=token.name, expires_at=until)
    secret = new_secret()
    new = replace(
        token, digest=digest(secret), created_on=now, expires_at=now + (token.expires_at - token.created_on),
        created_by=execution.context.user,
    )  # fmt: skip
    user.access_tokens = [*(other for other in user.access_tokens if other is not token), old, new]
    return _shown_once(("token_name", token.name), ("token_secret", secret), ("rotated_token_name", old_name))


def _shown_once(*values: tuple[str, str]) -> ResultSet:
    """A new secret: it is not kept with the statement's result."""
    result = rows([Column(name, TEXT) for name, _ in values], [tuple(value for _, value in values)], StatementType.DDL)
    result.secret = True
    return result


def _modify(stream: TokenStream, user: User, token: AccessToken) -> None:
    if stream.accept("RENAME", "TO"):
        name = stream.identifier()
        stream.expect_end()
        if any(other.name == name for other in user.access_tokens):
            raise already_exists(name)
        changed = replace(token, name=name)
    elif stream.accept("SET"):
        given = _properties(stream, _CHANGED)
        changed = replace(token, comment=str(given.get("COMMENT", token.comment)))
        if "DISABLED" in given:
            changed.disabled = given["DISABLED"] is True
        if _BYPASS in given:
            changed.mins_to_bypass = _number(_BYPASS, given[_BYPASS], 0, _MOST_MINUTES)
    elif stream.accept("UNSET"):
        changed = replace(token)
        while not stream.done:
            name = stream.word()
            if name not in _CHANGED:
                raise compilation_error(1420, "22023", f"invalid property '{name}' for 'PROGRAMMATIC ACCESS TOKEN'")
            field, value = {
                "DISABLED": ("disabled", False),
                _BYPASS: ("mins_to_bypass", None),
                "COMMENT": ("comment", ""),
            }[name]
            setattr(changed, field, value)
            stream.accept(",")
    else:
        raise stream.error()
    user.access_tokens = [changed if other is token else other for other in user.access_tokens]


@statement("SHOW USER PROGRAMMATIC ACCESS", "SHOW USER PATS")
def show(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("SHOW", "USER")
    if stream.accept_one("PROGRAMMATIC ACCESS TOKENS", "PATS") is None:
        raise stream.error()
    name = stream.identifier() if stream.accept("FOR", "USER") else context.user
    stream.expect_end()
    if name != context.user:
        execution.require(
            ("OWNERSHIP", "MODIFY PROGRAMMATIC AUTHENTICATION METHODS"), catalog.get(context, "USER", [name])
        )
    user: User = catalog.child(0, "USER", name)
    now = objects.now()
    return answer(
        [
            ("name", TEXT, lambda token: token.name),
            ("user_name", TEXT, lambda token: user.name),
            ("role_restriction", TEXT, lambda token: token.role or None),
            ("expires_at", MOMENT, lambda token: token.expires_at),
            ("status", TEXT, lambda token: status_of(user, token, now)),
            ("comment", TEXT, lambda token: token.comment or None),
            ("created_on", MOMENT, lambda token: token.created_on),
            ("created_by", TEXT, lambda token: token.created_by),
            ("mins_to_bypass_network_policy_requirement", COUNT, lambda token: token.mins_to_bypass),
            ("rotated_to", TEXT, lambda token: token.rotated_to or None),
        ],
        [token for token in user.access_tokens if token.expires_at > now - _SHOWN_AFTER_EXPIRY],
    )
