"""Who a login request comes from: passwords with lock-out, key pairs, programmatic access tokens.

A name that no user has is answered like a wrong password, in about the same time, and is locked like a user's.
Sources: docs.snowflake.com/en/user-guide/admin-user-management, .../key-pair-auth, .../programmatic-access-tokens.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from polynya.catalog.access_tokens import PREFIX, find_secret, status_of
from polynya.catalog.model import AccessToken, User
from polynya.catalog.passwords import hash_password, verify_password, weakness
from polynya.errors import SnowflakeError

if TYPE_CHECKING:
    from polynya.session.account import Account

log = logging.getLogger(__name__)

# Without an AUTHENTICATOR, and with these, a password is checked.
_PASSWORD = {"", "SNOWFLAKE", "USERNAME_PASSWORD_MFA"}
_KEY_PAIR = "SNOWFLAKE_JWT"
_ACCESS_TOKEN = "PROGRAMMATIC_ACCESS_TOKEN"
_ALGORITHMS = ["RS256", "ES256", "ES384", "ES512"]
# A key-pair token is valid for at most an hour, whatever it says.
_KEY_PAIR_SECONDS = 3600.0
_WRONG_TRIES = 5
_LOCKED = timedelta(minutes=15)
_CHANGE_WITHIN = timedelta(minutes=5)
_NAMES = 10_000


class LoginError(SnowflakeError):
    """A refused login.

    Args:
        code: Snowflake's.
        message: for the user.
        data: what the driver is told beside it.
    """

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(code, "08001", message)
        self.data = data or {}


def _wrong() -> LoginError:
    return LoginError(390100, "Incorrect username or password was specified.")


def _no_access() -> LoginError:
    return LoginError(390101, "User access disabled. Contact your local system administrator.")


class Attempts:
    """Wrong passwords by login name, unknown names included; at most so many names are remembered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, int] = OrderedDict()
        self._unknown: OrderedDict[str, datetime] = OrderedDict()
        self._changing: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def locked_until(self, name: str) -> datetime | None:
        """Until when a name that no user has is locked."""
        return self._unknown.get(name)

    def lock_unknown(self, name: str, until: datetime) -> None:
        """Locks a name that no user has, so that it is answered like any other."""
        with self._lock:
            self._unknown[name] = until
            if len(self._unknown) > _NAMES:
                self._unknown.popitem(last=False)

    def wrong(self, name: str) -> bool:
        """Counts a wrong password; whether it is one too many."""
        with self._lock:
            count = self._wrong.pop(name, 0) + 1
            if count < _WRONG_TRIES:
                self._wrong[name] = count
            if len(self._wrong) > _NAMES:
                self._wrong.popitem(last=False)
            return count >= _WRONG_TRIES

    def begin_change(self, user: User) -> str:
        """What a client sends back together with its user's new password: proof that it had the old one."""
        proof = secrets.token_urlsafe(32)
        with self._lock:
            self._changing[proof] = user.id, _now() + _CHANGE_WITHIN
            if len(self._changing) > _NAMES:
                self._changing.popitem(last=False)
        return proof

    def end_change(self, proof: str) -> int | None:
        """The id of the user whose old password was given, once; None if there is none or it is too long ago."""
        with self._lock:
            user_id, until = self._changing.pop(proof, (None, _now()))
        return user_id if until > _now() else None

    def right(self, name: str) -> None:
        """Forgets the wrong ones."""
        with self._lock:
            self._wrong.pop(name, None)


def authenticate(account: Account, attempts: Attempts, data: dict[str, Any]) -> tuple[User, AccessToken | None]:
    """The user of a login request, and the programmatic access token that it came with.

    Args:
        account: of this server.
        attempts: wrong passwords so far.
        data: the request's ``data``.

    Raises:
        LoginError: 390100 for a wrong user or password; 390102 for a locked one; 390101 for a disabled or expired user;
            390106 for a password that must be changed; 390144, 394301 for a bad key-pair token; 394400 for a bad
            programmatic access token; 390139 for another way of login.
    """
    authenticator = str(data.get("AUTHENTICATOR") or "").upper()
    password = str(data.get("PASSWORD") or "")
    token: AccessToken | None = None
    if authenticator == _KEY_PAIR:
        user = _check_key_pair(account, data)
    elif authenticator == _ACCESS_TOKEN:
        user, token = _check_access_token(account, data, str(data.get("TOKEN") or ""))
    elif authenticator not in _PASSWORD:
        raise LoginError(
            390139,
            f"The authenticator {authenticator} is not accepted by this account. Log in with a password, a key pair "
            "(authenticator SNOWFLAKE_JWT) or a programmatic access token (PROGRAMMATIC_ACCESS_TOKEN).",
        )
    elif password.startswith(PREFIX):
        user, token = _check_access_token(account, data, password)
    else:
        user = _check_password(account, attempts, data, password)
    if user.disabled or (user.expires_at is not None and user.expires_at <= _now()):
        log.info("login refused: user %r is disabled or expired", user.name)
        raise _no_access()
    return user, token


def factor(data: dict[str, Any]) -> str:
    """What a login request proves its user by, as LOGIN_HISTORY calls it."""
    authenticator = str(data.get("AUTHENTICATOR") or "").upper()
    if authenticator == _KEY_PAIR:
        return "RSA_KEYPAIR"
    if authenticator == _ACCESS_TOKEN or str(data.get("PASSWORD") or "").startswith(PREFIX):
        return _ACCESS_TOKEN
    return "PASSWORD" if authenticator in _PASSWORD else authenticator


def named_user(account: Account, data: dict[str, Any]) -> User | None:
    """The user that a login request names, rightly or not."""
    return _user(account, str(data.get("LOGIN_NAME") or ""))


def _now() -> datetime:
    return datetime.now(UTC)


def _user(account: Account, login_name: str) -> User | None:
    wanted = login_name.strip().strip('"')
    for user in account.catalog.all("USER"):
        login = user.login_name or user.name
        if login == wanted or login.upper() == wanted.upper():
            return user  # type: ignore[no-any-return]
    return None


# --- passwords ----------------------------------------------------------------------------------------------------------


def _check_password(account: Account, attempts: Attempts, data: dict[str, Any], password: str) -> User:
    given = str(data.get("LOGIN_NAME") or "")
    user = _user(account, given)
    name = (user.login_name or user.name if user is not None else given.strip().strip('"')).upper()
    _check_unlocked(attempts, user, name)
    proof = str(data.get("inFlightCtx") or "")
    if proof:
        return _change_password(account, attempts, user, proof, str(data.get("CHOSEN_NEW_PASSWORD") or ""))
    # A user that does not exist takes as long to refuse as a wrong password.
    stored = user.password_hash if user is not None and user.options.get("TYPE") != "SERVICE" else ""
    if not verify_password(password, stored) or user is None:
        log.info("login refused: user %r", given)
        if attempts.wrong(name):
            _lock(account, attempts, user, name)
        raise _wrong()
    _check_unlocked(attempts, user, name)  # others may have tried meanwhile
    attempts.right(name)
    if user.must_change_password and not user.disabled:
        raise _ask_for_change(
            attempts, user, "Specified password has expired. Password must be changed using the Snowflake web console."
        )
    return user


def _check_unlocked(attempts: Attempts, user: User | None, name: str) -> None:
    until = user.locked_until if user is not None else attempts.locked_until(name)
    if until is not None and until > _now():
        minutes = int((until - _now()).total_seconds() // 60) + 1
        raise LoginError(
            390102,
            "Your user account has been temporarily locked due to too many failed attempts. "
            f"Try again after {minutes} minutes or contact your account administrator for assistance.",
        )


def _lock(account: Account, attempts: Attempts, user: User | None, name: str) -> None:
    until = _now() + _LOCKED
    log.warning("user %r is locked for %d minutes: %d wrong passwords", name, _LOCKED.seconds // 60, _WRONG_TRIES)
    if user is None:
        attempts.lock_unknown(name, until)
        return
    user.locked_until = until
    account.catalog.update(user)


def _ask_for_change(attempts: Attempts, user: User, message: str) -> LoginError:
    """390106. A driver that can ask its user for a new password (Python's: ``password_callback``) sends it with the
    context that is answered here."""
    return LoginError(390106, message, {"nextAction": "PWD_CHANGE", "inFlightCtx": attempts.begin_change(user)})


def _change_password(account: Account, attempts: Attempts, user: User | None, proof: str, new: str) -> User:
    """Sets the password that a client has chosen after it gave the old one.

    Raises:
        LoginError: 390100 for what is no such client, 390106 for a password that is too weak.
    """
    if user is None or attempts.end_change(proof) != user.id or user.disabled:
        raise _wrong()
    if verify_password(new, user.password_hash):
        reason = "'PASSWORD_REUSED': another one than the last is required"
    else:
        reason = weakness(new)
    if reason:
        raise _ask_for_change(attempts, user, f"New password rejected by current password policy. Reason: {reason}.")
    user.password_hash, user.must_change_password = hash_password(new), False
    account.catalog.update(user)
    return user


# --- programmatic access tokens -------------------------------------------------------------------------------------------


def _check_access_token(account: Account, data: dict[str, Any], secret: str) -> tuple[User, AccessToken]:
    found = find_secret(account.catalog, secret) if secret.startswith(PREFIX) else None
    refused = LoginError(394400, "Programmatic access token is invalid.")
    if found is None:
        raise refused
    user, token = found
    given = str(data.get("LOGIN_NAME") or "")
    own = not given or _user(account, given) is user
    if not own or status_of(user, token, _now()) != "ACTIVE":
        log.info("login refused: programmatic access token %r of user %r", token.name, user.name)
        raise refused
    if token.role and token.role not in account.catalog.roles_of(user.name):
        raise refused
    return user, token


# --- key pairs ------------------------------------------------------------------------------------------------------------


def _check_key_pair(account: Account, data: dict[str, Any]) -> User:
    """Checks a key-pair login's JSON web token against the user's public keys: signature, account, user, lifetime."""
    import jwt
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    refused = LoginError(390144, "JWT token is invalid.")
    token = str(data.get("TOKEN") or "")
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise refused from None
    subject = str(claims.get("sub", ""))
    issuer, _, fingerprint = str(claims.get("iss", "")).partition(".SHA256:")
    account_name, _, name = subject.partition(".")
    user = _user(account, name)
    # Of another account, or for another user than the one who logs in, it is worth nothing.
    if user is None or issuer != subject or account_name.upper().rpartition("-")[2] != account.catalog.account_name:
        raise refused
    given = str(data.get("LOGIN_NAME") or "")
    if given and _user(account, given) is not user:
        raise refused
    for body in user.public_keys:
        try:
            der = base64.b64decode(body)
            key = load_der_public_key(der)
        except ValueError:
            continue
        if base64.b64encode(hashlib.sha256(der).digest()).decode() != fingerprint:
            continue
        try:
            jwt.decode(token, key, algorithms=_ALGORITHMS, options={"require": ["exp", "iat"]})  # type: ignore[arg-type]
            if float(claims["iat"]) + _KEY_PAIR_SECONDS < _now().timestamp():
                raise jwt.ExpiredSignatureError
        except jwt.ExpiredSignatureError:
            raise LoginError(394301, "JWT token has expired.") from None
        except jwt.PyJWTError:
            raise refused from None
        return user
    raise refused
