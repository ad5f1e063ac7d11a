"""Login: who may enter, and with which role, warehouse, database and schema."""

from __future__ import annotations

import base64
import hashlib
import logging
from typing import Any

from polynya.catalog.context import Context
from polynya.catalog.model import User
from polynya.catalog.names import split_name
from polynya.catalog.parameters import coerce
from polynya.catalog.passwords import verify_password
from polynya.errors import SnowflakeError
from polynya.session.account import Account
from polynya.session.session import Session

log = logging.getLogger(__name__)

# Without an AUTHENTICATOR, and with these, a password is checked.
_PASSWORD = {"", "SNOWFLAKE", "USERNAME_PASSWORD_MFA"}
_KEY_PAIR = "SNOWFLAKE_JWT"


class LoginError(SnowflakeError):
    """A refused login."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, "08001", message)


def open_session(account: Account, data: dict[str, Any], names: dict[str, str]) -> Session:
    """Checks a login request and opens its session.

    Args:
        account: of this server.
        data: the request's ``data``: LOGIN_NAME, PASSWORD, AUTHENTICATOR, TOKEN, SESSION_PARAMETERS ...
        names: of the address: databaseName, schemaName, warehouse, roleName.

    Raises:
        LoginError: 390100 for a wrong user or password, 390144 for a bad key-pair token, 390139 for another way of
            login, 390189 for a role the user does not have.
    """
    user = _authenticate(account, data)
    context = Context(
        catalog=account.catalog,
        session_id=0,
        user=user.name,
        account=account.catalog.account_name,
        client={
            "CLIENT_APP_ID": str(data.get("CLIENT_APP_ID") or ""),
            "CLIENT_APP_VERSION": str(data.get("CLIENT_APP_VERSION") or ""),
            **(data.get("CLIENT_ENVIRONMENT") or {}),
        },
    )
    context.role = _role(account, user, names.get("roleName"))
    if data.get("SECONDARY_ROLES"):
        context.secondary_roles = str(data["SECONDARY_ROLES"]).upper()
    parameters = data.get("SESSION_PARAMETERS") or {}
    context.parameters = {
        name.upper(): coerce(name.upper(), value) for name, value in parameters.items() if value is not None
    }
    _use_names(account, context, user, names)
    session = Session(account, context)
    account.open_session(session)
    return session


def _authenticate(account: Account, data: dict[str, Any]) -> User:
    authenticator = str(data.get("AUTHENTICATOR") or "").upper()
    if authenticator == _KEY_PAIR:
        return _check_token(account, data)
    if authenticator not in _PASSWORD:
        raise LoginError(
            390139,
            f"The authenticator {authenticator} is not accepted by this account. "
            "Log in with a password or a key pair (authenticator SNOWFLAKE_JWT).",
        )
    user = _user(account, str(data.get("LOGIN_NAME") or ""))
    password = str(data.get("PASSWORD") or "")
    # A user that does not exist takes as long to refuse as a wrong password.
    stored = user.password_hash if user is not None else ""
    if not verify_password(password, stored) or user is None or user.disabled:
        log.info("login refused: user %r", data.get("LOGIN_NAME"))
        raise LoginError(390100, "Incorrect username or password was specified.")
    return user


def _user(account: Account, login_name: str) -> User | None:
    wanted = login_name.strip().strip('"')
    for user in account.catalog.all("USER"):
        login = user.login_name or user.name
        if login == wanted or login.upper() == wanted.upper():
            return user
    return None


def _check_token(account: Account, data: dict[str, Any]) -> User:
    """Checks a key-pair login's JSON web token against the user's public keys."""
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    refused = LoginError(390144, "JWT token is invalid.")
    token = str(data.get("TOKEN") or "")
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        name = str(claims.get("sub", "")).rpartition(".")[2]
        fingerprint = "SHA256:" + str(claims.get("iss", "")).rpartition("SHA256:")[2]
    except jwt.PyJWTError:
        raise refused from None
    user = _user(account, name or str(data.get("LOGIN_NAME") or ""))
    if user is None or user.disabled:
        raise refused
    for body in user.public_keys:
        try:
            der = base64.b64decode("".join(line for line in body.split() if "-----" not in line and len(line) > 6))
            key = load_pem_public_key(_pem(der))
        except ValueError:
            continue
        if "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode() != fingerprint:
            continue
        try:
            jwt.decode(token, key, algorithms=["RS256", "ES256", "ES384", "ES512"])  # type: ignore[arg-type]
        except jwt.ExpiredSignatureError:
            raise LoginError(394301, "JWT token has expired.") from None
        except jwt.PyJWTError:
            raise refused from None
        return user
    raise refused


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"


def _resolve(name: str) -> list[str]:
    """A possibly dotted, possibly quoted name's parts."""
    try:
        return split_name(name)
    except ValueError:
        return [name]


def _role(account: Account, user: User, asked: str | None) -> str:
    available = account.catalog.roles_of(user.name)
    if asked:
        role = _resolve(asked)[-1]
        if role not in available:
            raise LoginError(
                390189,
                f"Role '{role}' specified in the connect string does not exist or not authorized. "
                "Contact your local system administrator, or attempt to login with another role, e.g. PUBLIC.",
            )
        return role
    return user.default_role if user.default_role in available else "PUBLIC"


def _use_names(account: Account, context: Context, user: User, names: dict[str, str]) -> None:
    """Sets warehouse, database and schema as the connection or the user's defaults name them, where they exist."""
    warehouse = names.get("warehouse") or user.default_warehouse
    if warehouse:
        found = account.catalog.find(context, "WAREHOUSE", _resolve(warehouse)[-1:])
        context.warehouse = found.name if found else None
    database, schema = names.get("databaseName"), names.get("schemaName")
    place = _resolve(database)[-1:] if database else _resolve(user.default_namespace) if user.default_namespace else []
    if schema:
        place = place[:1] + _resolve(schema)[-1:] if place else []
    if place and account.catalog.find(context, "DATABASE", place[:1]):
        context.database = place[0]
        # A database alone leaves the schema unset, as Snowpark's suite expects of Snowflake.
        if len(place) > 1 and account.catalog.find(context, "SCHEMA", place[:2]):
            context.schema = place[1]
