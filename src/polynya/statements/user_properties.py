"""The properties of users, as CREATE USER and ALTER USER set them.

https://docs.snowflake.com/en/sql-reference/sql/create-user, .../alter-user
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import timedelta
from typing import Any

from polynya.catalog.model import User
from polynya.catalog.network_policies import PARAMETER
from polynya.catalog.parameters import DEFAULTS
from polynya.catalog.passwords import hash_password, weakness
from polynya.dialect.tokens import TokenStream
from polynya.errors import SnowflakeError, already_exists, compilation_error, invalid_value
from polynya.statements import network_policies, objects
from polynya.statements.alter_session import check
from polynya.statements.base import Execution

# Kept as they are.
_OTHER = {
    "DISPLAY_NAME",
    "FIRST_NAME",
    "MIDDLE_NAME",
    "LAST_NAME",
    "EMAIL",
    "MINS_TO_BYPASS_MFA",
    "DISABLE_MFA",
    "NETWORK_POLICY",
}
_NAMES = {
    "DEFAULT_ROLE": "default_role",
    "DEFAULT_WAREHOUSE": "default_warehouse",
    "DEFAULT_NAMESPACE": "default_namespace",
}
KEYS = ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2")
_TYPES = ("PERSON", "SERVICE", "LEGACY_SERVICE", "NULL")
# docs.snowflake.com/en/user-guide/admin-user-management#types-of-users
_NOT_OF_SERVICES = {
    "PASSWORD", "FIRST_NAME", "MIDDLE_NAME", "LAST_NAME", "MUST_CHANGE_PASSWORD", "MINS_TO_BYPASS_MFA", "DISABLE_MFA",
}  # fmt: skip
_LONGEST_DAYS = 365 * 100
# What users may change of themselves; session parameters too.
OWN = {
    "PASSWORD",
    "DISPLAY_NAME",
    "FIRST_NAME",
    "MIDDLE_NAME",
    "LAST_NAME",
    "EMAIL",
    "DEFAULT_SECONDARY_ROLES",
    *_NAMES,
}


def is_own(name: str) -> bool:
    """Whether users may change a property of themselves."""
    return name in OWN or name in DEFAULTS


def set_properties(execution: Execution, user: User, properties: dict[str, Any], *, new: bool = False) -> None:
    """Sets a user's properties.

    Args:
        execution: of the statement.
        user: to change.
        properties: by upper-case name.
        new: whether the user is being created: then an administrator may give a weak password, as in Snowflake.

    Raises:
        SnowflakeError: 001420 for an unknown property, 001008 for a value it cannot have, 003002 for a weak password.
    """
    if "TYPE" in properties:  # decides which others there may be
        _set_type(user, properties["TYPE"])
    for name, value in properties.items():
        if user.options.get("TYPE") == "SERVICE" and name in _NOT_OF_SERVICES:
            raise compilation_error(1422, "22023", f"property '{name}' cannot be set for a user of the type SERVICE")
        _set(execution, user, name, value, new)


def _set(execution: Execution, user: User, name: str, value: Any, new: bool) -> None:
    if name == "TYPE":
        pass
    elif name == "PASSWORD":
        _set_password(user, str(value) if value is not None else "", new)
    elif name == "LOGIN_NAME":
        check_login(execution, user, str(value).upper())
        user.login_name = str(value).upper()
    elif name in KEYS:
        set_key(user, name, str(value))
    elif name in ("RSA_PUBLIC_KEY_FP", "RSA_PUBLIC_KEY_2_FP"):
        _check_fingerprint(user, name, str(value))
    elif name in _NAMES:
        setattr(user, _NAMES[name], str(value) if name == "DEFAULT_NAMESPACE" else _unquoted(str(value)))
    elif name == "MUST_CHANGE_PASSWORD":
        user.must_change_password = _truth(name, value)
    elif name == "DISABLED":
        _disable(execution, user, _truth(name, value))
    elif name == "DAYS_TO_EXPIRY":
        user.expires_at = objects.now() + timedelta(days=_count(name, value, _LONGEST_DAYS))
    elif name == "MINS_TO_UNLOCK":
        minutes = _count(name, value, _LONGEST_DAYS * 1440)
        user.locked_until = objects.now() + timedelta(minutes=minutes) if minutes else None
    elif name == "DEFAULT_SECONDARY_ROLES":
        user.options[name] = _secondary_roles(value)
    elif name == PARAMETER and value:
        user.options[name] = network_policies.check_activation(execution, str(value), user)
    elif name == "COMMENT" or name in _OTHER:
        objects.set_properties(user, {name: value})
    elif name in DEFAULTS:
        user.options.setdefault("PARAMETERS", {})[name] = check(name, value, "USER")
    else:
        raise compilation_error(1420, "22023", f"invalid property '{name}' for 'USER'")


def unset_properties(execution: Execution, stream: TokenStream, user: User) -> None:
    """Reads the names of UNSET and puts these properties back to their defaults."""
    while not stream.done:
        name = stream.word()
        if name == "PASSWORD":
            user.password_hash = ""
        elif name in KEYS:
            set_key(user, name, "")
        elif name in _NAMES:
            setattr(user, _NAMES[name], "")
        elif name == "COMMENT":
            user.comment = ""
        elif name == "DISABLED":
            _disable(execution, user, False)
        elif name == "MUST_CHANGE_PASSWORD":
            user.must_change_password = False
        elif name == "DAYS_TO_EXPIRY":
            user.expires_at = None
        elif name == "MINS_TO_UNLOCK":
            user.locked_until = None
        elif name in DEFAULTS:
            user.options.get("PARAMETERS", {}).pop(name, None)
        elif name in _OTHER or name in ("TYPE", "DEFAULT_SECONDARY_ROLES"):
            user.options.pop(name, None)
        else:
            raise compilation_error(1420, "22023", f"invalid property '{name}' for 'USER'")
        stream.accept(",")


# --- values -------------------------------------------------------------------------------------------------------------


def _truth(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).upper() in ("TRUE", "FALSE"):
        return str(value).upper() == "TRUE"
    raise invalid_value(f"invalid value [{value}] for parameter '{name}': TRUE or FALSE expected")


def _count(name: str, value: Any, most: int) -> int:
    number = int(value) if isinstance(value, int) or str(value).isdigit() else -1
    if not 0 <= number <= most:
        raise invalid_value(f"invalid value [{value}] for parameter '{name}': 0 to {most} expected")
    return number


def _unquoted(text: str) -> str:
    quoted = text.startswith('"') and text.endswith('"') and len(text) > 1
    return text[1:-1].replace('""', '"') if quoted else text.upper()


def _secondary_roles(value: Any) -> list[str]:
    """``('ALL')`` or ``()``."""
    names = [str(name).upper() for name in (value if isinstance(value, list) else [value] if value else [])]
    if names not in ([], ["ALL"]):
        raise invalid_value(f"invalid value [{', '.join(names)}] for DEFAULT_SECONDARY_ROLES: ('ALL') or () expected")
    return names


def _set_type(user: User, value: Any) -> None:
    kind = str(value).upper()
    if kind not in _TYPES:
        raise invalid_value(f"invalid value [{value}] for parameter 'TYPE': one of {', '.join(_TYPES)} expected")
    user.options.pop("TYPE", None)
    if kind != "NULL":
        user.options["TYPE"] = kind


def _set_password(user: User, password: str, new: bool) -> None:
    if not password:
        user.password_hash = ""
        return
    reason = "" if new else weakness(password)
    if reason:
        raise SnowflakeError(
            3002, "28P01", f"SQL execution error:\nNew password rejected by current password policy. Reason: {reason}."
        )
    user.password_hash = hash_password(password)


def _disable(execution: Execution, user: User, disabled: bool) -> None:
    if disabled and user.name == execution.context.user:
        raise SnowflakeError(3001, "42501", "SQL access control error:\nThe current user cannot be disabled.")
    user.disabled = disabled


def check_login(execution: Execution, user: User, login: str) -> None:
    """Refuses a login name that another user has: 002002."""
    for other in execution.context.catalog.all("USER"):
        if other.id != user.id and (other.login_name or other.name).upper() == login:
            raise already_exists(login)


# --- keys ---------------------------------------------------------------------------------------------------------------


def set_key(user: User, name: str, value: str) -> None:
    """Keeps one of up to two public keys for key-pair login, so that they can be changed in turns.

    Source: docs.snowflake.com/en/user-guide/key-pair-auth (rotation).

    Raises:
        SnowflakeError: 001008 for what is no RSA public key of at least 2048 bits.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    body = "".join(line for line in value.split() if not line.startswith("-----") and not line.endswith("-----"))
    body = body.removeprefix("PUBLIC").removeprefix("KEY-----")
    if body:
        try:
            key = load_der_public_key(base64.b64decode(body, validate=True))
        except (ValueError, binascii.Error):
            raise invalid_value(
                f"{name}: New public key rejected by current policy. Reason: 'Invalid public key'"
            ) from None
        if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
            raise invalid_value(
                f"{name}: New public key rejected by current policy. Reason: 'RSA of at least 2048 bits is required'"
            )
    keys = {**dict.fromkeys(KEYS, ""), **user.options.get("KEYS", {})}
    keys[name] = body
    user.options["KEYS"] = keys
    user.options.setdefault("KEYS_SET", {})[name] = objects.now().isoformat()
    user.public_keys = [key for key in keys.values() if key]


def fingerprint(body: str) -> str:
    """A public key's fingerprint, as drivers write it into a token; "" for none."""
    if not body:
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(body)).digest()).decode()


def _check_fingerprint(user: User, name: str, value: str) -> None:
    own = fingerprint(user.options.get("KEYS", {}).get(name.removesuffix("_FP"), ""))
    if own != value:
        raise invalid_value(f"invalid value [{value}] for parameter '{name}': the key's fingerprint is '{own}'")
