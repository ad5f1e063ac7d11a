"""Users: CREATE, ALTER and DESCRIBE. https://docs.snowflake.com/en/sql-reference/sql/create-user"""

from __future__ import annotations

from polynya.catalog.model import User
from polynya.catalog.users import days_to_expiry, mins_to_unlock
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, compilation_error, unsupported
from polynya.statements import access_tokens, objects, tagging
from polynya.statements.base import Execution, statement
from polynya.statements.show.listing import TEXT
from polynya.statements.user_properties import (
    KEYS,
    check_login,
    fingerprint,
    is_own,
    set_properties,
    unset_properties,
)
from polynya.types.resultset import Column, ResultSet, StatementType, rows, status

# What may follow ALTER USER where the name is left out.
_ACTIONS = ("SET", "UNSET", "RENAME TO", *access_tokens.ACTIONS)


@statement("CREATE USER")
def create_user(execution: Execution, stream: TokenStream) -> ResultSet:
    create = objects.read_create(stream, "USER")
    place = objects.place_of(execution, "USER", create.parts)
    existing = objects.look(execution, create, "USER", place)
    if existing.keep is not None:
        return existing.keep
    user = User(
        id=execution.context.catalog.new_id(), parent=0, name=place.name, owner=objects.owner(execution),
        created_on=objects.now(), login_name=place.name.upper(), options={"DISPLAY_NAME": place.name},
    )  # fmt: skip
    if existing.replaced is not None:
        _check_other(execution, place.name, "replaced")
    properties = objects.read_properties(stream)
    tagging.accept_tag_clause(execution, stream, user)
    properties.update(objects.read_properties(stream))
    stream.expect_end()
    set_properties(execution, user, properties, new=True)
    if existing.replaced is None:
        check_login(execution, user, user.login_name)
    objects.put(execution, user, existing.replaced)
    if existing.replaced is not None:
        execution.results.end_sessions(user.name)
        execution.stages.drop_user(user.name)
    return status(f"User {user.name} successfully created.")


def _check_other(execution: Execution, name: str, what: str) -> None:
    if name == execution.context.user:
        raise SnowflakeError(3001, "42501", f"SQL access control error:\nThe current user cannot be {what}.")


@statement("ALTER USER")
def alter_user(execution: Execution, stream: TokenStream) -> ResultSet:
    catalog, context = execution.context.catalog, execution.context
    stream.expect("ALTER", "USER")
    if_exists = stream.accept("IF", "EXISTS")
    name = context.user if stream.at_one(*_ACTIONS) else stream.identifier()
    user = catalog.child(0, "USER", name) if name == context.user else catalog.find(context, "USER", [name])
    if user is None:
        if if_exists:
            return objects.done()
        user = catalog.get(context, "USER", [name])
    if stream.at_one(*access_tokens.ACTIONS):
        return access_tokens.alter(execution, stream, user)
    usable = user.disabled, user.name
    with objects.editing(execution, user, None if name == context.user else "OWNERSHIP"):
        _alter_user(execution, stream, user)
    if (user.disabled, user.name) != usable and (user.disabled or user.name != usable[1]):
        execution.results.end_sessions(usable[1])
    return objects.done()


def _alter_user(execution: Execution, stream: TokenStream, user: User) -> None:
    if stream.accept("RENAME", "TO"):
        _check_other(execution, user.name, "renamed")
        new_name = stream.name()
        stream.expect_end()
        objects.rename(execution, user, new_name)
    elif stream.accept("RESET", "PASSWORD"):
        execution.require("OWNERSHIP", user)
        user.must_change_password = True
    elif stream.accept("ABORT", "ALL", "QUERIES"):
        execution.require("OWNERSHIP", user)
        _abort(execution, user.name)
    elif stream.at_one("SET TAG", "UNSET TAG"):
        execution.require("OWNERSHIP", user)
        tagging.accept_tag_change(execution, stream, user)
    elif any(stream.at(verb, kind, "POLICY") for verb in ("SET", "UNSET") for kind in _POLICIES):
        raise unsupported(" ".join(stream.words(stream.index + 3)[-2:]))
    elif stream.accept("SET"):
        properties = objects.read_properties(stream)
        _check_rights(execution, user, list(properties))
        set_properties(execution, user, properties)
        if "PASSWORD" in properties and user.name == execution.context.user:
            user.must_change_password = False
    elif stream.accept("UNSET"):
        _check_rights(
            execution, user, [token.text.upper() for token in stream.tokens[stream.index :] if token.text != ","]
        )
        unset_properties(execution, stream, user)
    else:
        raise stream.error()
    stream.expect_end()


_POLICIES = ("AUTHENTICATION", "PASSWORD", "SESSION")


def _check_rights(execution: Execution, user: User, names: list[str]) -> None:
    """Users may change some properties of themselves; all others take the ownership of the user.

    Raises:
        SnowflakeError: 003001.
    """
    context = execution.context
    if user.name != context.user or not all(is_own(name) for name in names):
        execution.require("OWNERSHIP", user)
    if "PASSWORD" in names and context.access_token is not None:
        raise SnowflakeError(
            3001, "42501",
            "SQL access control error:\nA session opened with a programmatic access token cannot change a password.",
        )  # fmt: skip


def _abort(execution: Execution, name: str) -> None:
    own = execution.context.query_id
    for query in execution.results.history():
        if query.get("USER_NAME") == name and query.get("EXECUTION_STATUS") == "RUNNING" and query["QUERY_ID"] != own:
            execution.results.abort(query["QUERY_ID"])


# --- DESCRIBE -------------------------------------------------------------------------------------------------------------


@statement("DESCRIBE USER", "DESC USER")
def describe_user(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.next()
    stream.expect("USER")
    catalog, context = execution.context.catalog, execution.context
    name = stream.name()
    stream.expect_end()
    if name != [context.user]:
        execution.require("OWNERSHIP", catalog.get(context, "USER", name))
    user: User | None = catalog.child(0, "USER", name[-1])
    if user is None:
        raise compilation_error(2003, "02000", f"User '{name[-1]}' does not exist or not authorized.")
    columns = [Column(name, TEXT) for name in ("property", "value", "default", "description")]
    shown = [
        (name, "null" if value is None else str(value), default, text)
        for name, value, default, text in _described(user)
    ]
    return rows(columns, shown, StatementType.DESCRIBE)


def _described(user: User) -> list[tuple[str, object, str, str]]:
    """(property, value, default, description)."""
    option = user.options.get
    keys, keys_set = option("KEYS", {}), option("KEYS_SET", {})
    found: list[tuple[str, object, str, str]] = [
        ("NAME", user.name, "null", "Name"),
        ("COMMENT", user.comment or None, "null", "user comment associated to an object in the dictionary"),
        ("DISPLAY_NAME", option("DISPLAY_NAME"), "null", "Display name of the associated object"),
        ("TYPE", option("TYPE"), "null", "Type of the user"),
        ("LOGIN_NAME", user.login_name or user.name, "null", "Login name of the user"),
        ("FIRST_NAME", option("FIRST_NAME"), "null", "First name of the user"),
        ("MIDDLE_NAME", option("MIDDLE_NAME"), "null", "Middle name of the user"),
        ("LAST_NAME", option("LAST_NAME"), "null", "Last name of the user"),
        ("EMAIL", option("EMAIL"), "null", "Email address of the user"),
        ("PASSWORD", "********" if user.password_hash else None, "null", "Password of the user"),
        ("MUST_CHANGE_PASSWORD", _lower(user.must_change_password), "false", "User must change the password"),
        ("DISABLED", _lower(user.disabled), "false", "Whether the user is disabled"),
        ("DAYS_TO_EXPIRY", days_to_expiry(user), "null", "User record will be treated as expired after this many days"),
        ("MINS_TO_UNLOCK", mins_to_unlock(user), "null", "Temporary lock on the user will be removed after this many minutes"),
        ("DEFAULT_WAREHOUSE", user.default_warehouse or None, "null", "Default warehouse for this user"),
        ("DEFAULT_NAMESPACE", user.default_namespace or None, "null", "Default database namespace prefix for this user"),
        ("DEFAULT_ROLE", user.default_role or None, "null", "Primary principal of user session will be set to this role"),
        ("DEFAULT_SECONDARY_ROLES", _names(option("DEFAULT_SECONDARY_ROLES", ["ALL"])), '["ALL"]',
         "Secondary roles of user session will be set to these"),
        ("MINS_TO_BYPASS_MFA", option("MINS_TO_BYPASS_MFA"), "null", "Minutes for which MFA is not required"),
    ]  # fmt: skip
    for key in KEYS:
        body = keys.get(key) or ""
        ordinal = "RSA public key of the user" if key == KEYS[0] else "Second RSA public key of the user"
        found += [
            (key, body or None, "null", ordinal),
            (f"{key}_FP", fingerprint(body) or None, "null", f"Fingerprint of user's RSA public key ({key})"),
            (f"{key}_LAST_SET_TIME", keys_set.get(key), "null", f"When {key} was last set"),
        ]
    return found


def _lower(value: bool) -> str:
    return str(value).lower()


def _names(names: list[str]) -> str:
    return "[" + ",".join(f'"{name}"' for name in names) + "]"
