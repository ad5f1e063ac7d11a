"""Users and roles: CREATE and ALTER. https://docs.snowflake.com/en/sql-reference/sql/create-user"""

from __future__ import annotations

from typing import Any

from polynya.catalog.model import Role, User
from polynya.catalog.parameters import DEFAULTS
from polynya.catalog.passwords import hash_password
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, already_exists, compilation_error
from polynya.statements import objects, tagging
from polynya.statements.alter_session import check
from polynya.statements.base import Execution, statement
from polynya.types.resultset import ResultSet, status

_OTHER = {
    "DISPLAY_NAME", "FIRST_NAME", "MIDDLE_NAME", "LAST_NAME", "EMAIL", "DAYS_TO_EXPIRY", "MINS_TO_UNLOCK",
    "DEFAULT_SECONDARY_ROLES", "MINS_TO_BYPASS_MFA", "TYPE", "DISABLE_MFA", "RSA_PUBLIC_KEY_FP", "RSA_PUBLIC_KEY_2_FP",
    "NETWORK_POLICY",
}  # fmt: skip
_NAMES = {
    "DEFAULT_ROLE": "default_role",
    "DEFAULT_WAREHOUSE": "default_warehouse",
    "DEFAULT_NAMESPACE": "default_namespace",
}


@statement("CREATE USER")
def create_user(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "USER")
    place = objects.place_of(execution, "USER", stream.name())
    objects.accept_if_not_exists(stream, create)
    existing = objects.look(execution, create, "USER", place)
    if existing.keep is not None:
        return existing.keep
    user = User(
        id=execution.context.catalog.new_id(), parent=0, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), login_name=place.name.upper(), options={"DISPLAY_NAME": place.name},
    )  # fmt: skip
    _set(execution, user, objects.read_properties(stream))
    tagging.accept_tag_clause(execution, stream, user)
    stream.expect_end()
    objects.put(execution, user, existing.replaced)
    return status(f"User {user.name} successfully created.")


def _set(execution: Execution, user: User, properties: dict[str, Any]) -> None:
    for name, value in properties.items():
        if name == "PASSWORD":
            user.password_hash = hash_password(str(value)) if value not in ("", None) else ""
        elif name == "LOGIN_NAME":
            _check_login(execution, user, str(value).upper())
            user.login_name = str(value).upper()
        elif name in ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2"):
            _set_key(user, name, str(value))
        elif name in _NAMES:
            setattr(user, _NAMES[name], str(value) if name == "DEFAULT_NAMESPACE" else _unquoted(str(value)))
        elif name == "MUST_CHANGE_PASSWORD":
            user.must_change_password = value is True
        elif name == "DISABLED":
            user.disabled = value is True
        elif name == "COMMENT" or name in _OTHER:
            objects.set_properties(user, {name: value})
        elif name in DEFAULTS:
            user.options.setdefault("PARAMETERS", {})[name] = check(name, value, "USER")
        else:
            raise compilation_error(1420, "22023", f"invalid property '{name}' for 'USER'")


def _unquoted(text: str) -> str:
    return (
        text[1:-1].replace('""', '"') if text.startswith('"') and text.endswith('"') and len(text) > 1 else text.upper()
    )


def _check_login(execution: Execution, user: User, login: str) -> None:
    for other in execution.context.catalog.all("USER"):
        if other.id != user.id and (other.login_name or other.name).upper() == login:
            raise already_exists(login)


def _set_key(user: User, name: str, value: str) -> None:
    """Keeps up to two public keys for key-pair login, in the order RSA_PUBLIC_KEY, RSA_PUBLIC_KEY_2."""
    body = "".join(line for line in value.split() if not line.startswith("-----"))
    keys = {"RSA_PUBLIC_KEY": "", "RSA_PUBLIC_KEY_2": "", **user.options.get("KEYS", {})}
    keys[name] = body
    user.options["KEYS"] = keys
    user.public_keys = [key for key in keys.values() if key]


@statement("ALTER USER")
def alter_user(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", "USER")
    if_exists = stream.accept("IF", "EXISTS")
    name = context.user if stream.at_one("SET", "UNSET", "RENAME TO") else stream.identifier()
    user = catalog.child(0, "USER", name)
    if user is None:
        if if_exists:
            return objects.done()
        user = catalog.get(context, "USER", [name])
    with objects.editing(execution, user):
        _alter_user(execution, stream, user)
    return objects.done()


def _alter_user(execution: Execution, stream: TokenStream, user: User) -> None:
    context, name = execution.context, user.name
    if stream.accept("RENAME", "TO"):
        if name == context.user:
            raise SnowflakeError(3001, "42501", "SQL access control error:\nThe current user cannot be renamed.")
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, user, new_name)
    elif stream.accept("RESET", "PASSWORD"):
        user.must_change_password = True
    elif stream.accept("ABORT", "ALL", "QUERIES"):
        _abort(execution, name)
    elif tagging.accept_tag_change(execution, stream, user):
        pass
    elif stream.accept("SET"):
        _set(execution, user, objects.read_properties(stream))
    elif stream.accept("UNSET"):
        _unset(stream, user)
    else:
        raise stream.error()
    stream.expect_end()


def _unset(stream: TokenStream, user: User) -> None:
    while not stream.done:
        name = stream.word()
        if name == "PASSWORD":
            user.password_hash = ""
        elif name in ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2"):
            _set_key(user, name, "")
        elif name in _NAMES:
            setattr(user, _NAMES[name], "")
        elif name == "COMMENT":
            user.comment = ""
        elif name in DEFAULTS:
            user.options.get("PARAMETERS", {}).pop(name, None)
        else:
            user.options.pop(name, None)
        stream.accept(",")


def _abort(execution: Execution, name: str) -> None:
    own = execution.context.query_id
    for query in execution.results.history():
        if query.get("USER_NAME") == name and query.get("EXECUTION_STATUS") == "RUNNING" and query["QUERY_ID"] != own:
            execution.results.abort(query["QUERY_ID"])


@statement("CREATE ROLE")
def create_role(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "ROLE")
    place = objects.place_of(execution, "ROLE", stream.name())
    objects.accept_if_not_exists(stream, create)
    existing = objects.look(execution, create, "ROLE", place)
    if existing.keep is not None:
        return existing.keep
    role = Role(
        id=execution.context.catalog.new_id(), parent=0, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(),
    )  # fmt: skip
    objects.set_properties(role, objects.read_properties(stream))
    tagging.accept_tag_clause(execution, stream, role)
    stream.expect_end()
    objects.put(execution, role, existing.replaced)
    return status(f"Role {role.name} successfully created.")


@statement("ALTER ROLE")
def alter_role(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", "ROLE")
    if_exists = stream.accept("IF", "EXISTS")
    name = stream.identifier()
    role = catalog.child(0, "ROLE", name)
    if role is None:
        if if_exists:
            return objects.done()
        role = catalog.get(context, "ROLE", [name])
    with objects.editing(execution, role):
        _alter_role(execution, stream, role)
    return objects.done()


def _alter_role(execution: Execution, stream: TokenStream, role: Role) -> None:
    context, name = execution.context, role.name
    if stream.accept("RENAME", "TO"):
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, role, new_name)
        if context.role == name:
            context.role = role.name
    elif tagging.accept_tag_change(execution, stream, role):
        pass
    elif stream.accept("SET"):
        objects.set_properties(role, objects.read_properties(stream))
    elif stream.accept("UNSET"):
        objects.unset_properties(stream, role)
    else:
        raise stream.error()
    stream.expect_end()
