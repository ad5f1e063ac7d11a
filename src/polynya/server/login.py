"""Login: who may enter, and with which role, warehouse, database and schema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from polynya.catalog.context import Context
from polynya.catalog.model import AccessToken, User
from polynya.catalog.names import split_name
from polynya.catalog.network_policies import is_allowed
from polynya.catalog.parameters import coerce
from polynya.errors import SnowflakeError
from polynya.server.authenticate import Attempts, LoginError, authenticate, factor, named_user
from polynya.session.login_history import Login
from polynya.session.session import Session

if TYPE_CHECKING:
    from polynya.session.account import Account


# LOGIN_HISTORY's words for errors; others are told in the client's words.
_MESSAGES = {390100: "INCORRECT_USERNAME_PASSWORD", 390144: "JWT_TOKEN_INVALID"}
# CLIENT_APP_ID -> REPORTED_CLIENT_TYPE
_CLIENTS = {
    "PythonConnector": "PYTHON_DRIVER", "PythonSnowpark": "PYTHON_DRIVER", "JDBC": "JDBC_DRIVER", "ODBC": "ODBC_DRIVER",
    "JavaScript": "JAVASCRIPT_DRIVER", "Go": "GO_DRIVER", ".NET": "DOTNET_DRIVER",
}  # fmt: skip


def log_in(
    account: Account, attempts: Attempts, data: dict[str, Any], names: dict[str, str], address: str = ""
) -> Session:
    """Checks a login request, opens its session, and records it in LOGIN_HISTORY, as it does one that is refused.

    Args:
        account: of this server.
        attempts: wrong passwords so far.
        data: the request's ``data``: LOGIN_NAME, PASSWORD, AUTHENTICATOR, TOKEN, SESSION_PARAMETERS ...
        names: of the address: databaseName, schemaName, warehouse, roleName.
        address: the client's IP address, or "".

    Raises:
        LoginError: as ``authenticate``; 390189 for a role that the user does not have.
    """
    try:
        session = open_session(account, attempts, data, names, address)
    except SnowflakeError as error:
        user = named_user(account, data)
        message = _MESSAGES.get(error.code, error.message)
        account.logins.add(_login(data, address, user.name if user else None, error.code, message))
        raise
    account.logins.add(_login(data, address, session.context.user))
    return session


def check_address(account: Account, user: str, address: str) -> None:
    """Refuses a request from where the user's or the account's network policy lets nobody in.

    Raises:
        LoginError: 390422.
    """
    if not is_allowed(account.catalog, account.catalog.child(0, "USER", user), address):
        raise LoginError(
            390422,
            f"Incoming request with IP/Token {address} is not allowed to access Snowflake. "
            "Contact your account administrator.",
        )


def _login(
    data: dict[str, Any], address: str, user: str | None, code: int | None = None, message: str | None = None
) -> Login:
    client = str(data.get("CLIENT_APP_ID") or "")
    version = str(data.get("CLIENT_APP_VERSION") or "")
    return Login(datetime.now(UTC), user, address, _CLIENTS.get(client, "OTHER"), version, factor(data), code, message)


def open_session(
    account: Account, attempts: Attempts, data: dict[str, Any], names: dict[str, str], address: str = ""
) -> Session:
    """Checks a login request and opens its session; see ``log_in``."""
    user, token = authenticate(account, attempts, data)
    check_address(account, user.name, address)
    context = Context(
        catalog=account.catalog,
        session_id=0,
        user=user.name,
        access_token=token,
        account=account.catalog.account_name,
        client={
            "CLIENT_APP_ID": str(data.get("CLIENT_APP_ID") or ""),
            "CLIENT_APP_VERSION": str(data.get("CLIENT_APP_VERSION") or ""),
            "CLIENT_IP": address,
            **(data.get("CLIENT_ENVIRONMENT") or {}),
        },
    )
    context.role = _role(account, user, token, names.get("roleName"))
    context.secondary_roles = _secondary_roles(user, token, data.get("SECONDARY_ROLES"))
    parameters = {**user.options.get("PARAMETERS", {}), **(data.get("SESSION_PARAMETERS") or {})}
    context.parameters = {
        name.upper(): coerce(name.upper(), value) for name, value in parameters.items() if value is not None
    }
    _use_names(account, context, user, names)
    session = Session(account, context)
    session.has_users_roles = True
    account.open_session(session)
    return session


def _resolve(name: str) -> list[str]:
    """A possibly dotted, possibly quoted name's parts."""
    try:
        return split_name(name)
    except ValueError:
        return [name]


def _role(account: Account, user: User, token: AccessToken | None, asked: str | None) -> str:
    """The first role of a session; a token's restriction leaves only that one.

    Raises:
        LoginError: 390189 for a role that the user does not have, or the token does not allow.
    """
    available = account.catalog.roles_of(user.name)
    if token is not None and token.role:
        available = [token.role]
    if asked:
        role = _resolve(asked)[-1]
        if role not in available:
            raise LoginError(
                390189,
                f"Role '{role}' specified in the connect string does not exist or not authorized. "
                "Contact your local system administrator, or attempt to login with another role, e.g. PUBLIC.",
            )
        return role
    if token is not None and token.role:
        return token.role
    return user.default_role if user.default_role in available else "PUBLIC"


def _secondary_roles(user: User, token: AccessToken | None, asked: Any) -> str:
    """ALL or NONE: as the client asks, else as the user's DEFAULT_SECONDARY_ROLES says; none for a restricted token."""
    if token is not None and token.role:
        return "NONE"
    wanted = str(asked or "").upper()
    if wanted in ("ALL", "NONE"):
        return wanted
    return "ALL" if user.options.get("DEFAULT_SECONDARY_ROLES", ["ALL"]) else "NONE"


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
