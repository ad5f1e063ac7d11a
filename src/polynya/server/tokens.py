"""Tokens of sessions: one that requests carry, valid for an hour, and a master with which a driver renews it."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field

from polynya.errors import SnowflakeError
from polynya.session.session import Session

_HEADER = 'Snowflake Token="'


class TokenError(SnowflakeError):
    """The request's token gives no session; drivers act on its code."""


def _gone() -> TokenError:
    return TokenError(390111, "08001", "Session no longer exists. New login required to access the service.")


def _session_expired() -> TokenError:
    return TokenError(390112, "08001", "Your session has expired. Please login again.")


def _master_expired() -> TokenError:
    return TokenError(390114, "08001", "Authentication token has expired. The user must authenticate again.")


@dataclass(slots=True)
class _Login:
    """A session, its master token and all session tokens it was given."""

    session: Session
    master: str
    used: float
    tokens: dict[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the session is over, or its user may no longer be in."""
        return self.session.closed or self.session.expelled


class Tokens:
    """The tokens of a server's sessions.

    Args:
        session_seconds: validity of a session token.
        master_seconds: a session that nobody used for so long ends.
    """

    def __init__(self, session_seconds: float, master_seconds: float) -> None:
        self.session_seconds = session_seconds
        self.master_seconds = master_seconds
        self._lock = threading.Lock()
        self._by_token: dict[str, _Login] = {}
        self._by_master: dict[str, _Login] = {}

    def issue(self, session: Session) -> tuple[str, str]:
        """A session token and a master token for a new session."""
        login = _Login(session, _new_token(), time.monotonic())
        with self._lock:
            self._by_master[login.master] = login
            return self._add_token(login), login.master

    def renew(self, header: str | None) -> tuple[str, str]:
        """A new session token (and the master token, good for longer) for a master token's holder.

        Args:
            header: Authorization, with the master token.

        Raises:
            TokenError: 390114 if it is not, or no longer, valid.
        """
        with self._lock:
            login = self._by_master.get(_token(header))
            if login is None or login.ended:
                raise _master_expired()
            if time.monotonic() - login.used > self.master_seconds:
                raise _master_expired()
            login.used = time.monotonic()
            return self._add_token(login), login.master

    def session(self, header: str | None) -> Session:
        """The session of a request.

        Args:
            header: Authorization.

        Raises:
            TokenError: 390104 without a token, 390112 if it has expired, 390111 if its session has ended.
        """
        token = _token(header)
        if not token:
            raise TokenError(390104, "08001", "Session token is missing. Login first.")
        login = self._by_token.get(token)
        if login is None or login.ended:
            raise _gone()
        now = time.monotonic()
        if now > login.tokens.get(token, 0.0):
            raise _session_expired()
        login.used = now
        return login.session

    def forget(self, session: Session) -> None:
        """Takes a session's tokens away."""
        with self._lock:
            for login in [login for login in self._by_master.values() if login.session is session]:
                del self._by_master[login.master]
                for token in login.tokens:
                    self._by_token.pop(token, None)

    def idle(self) -> list[Session]:
        """The sessions that nobody used for as long as a master token is valid."""
        oldest = time.monotonic() - self.master_seconds
        with self._lock:
            return [login.session for login in self._by_master.values() if login.used < oldest]

    def _add_token(self, login: _Login) -> str:
        token = _new_token()
        login.tokens[token] = time.monotonic() + self.session_seconds
        self._by_token[token] = login
        return token


def _new_token() -> str:
    return "ver:1-hint:0-" + secrets.token_urlsafe(48)


def _token(header: str | None) -> str:
    if not header or not header.startswith(_HEADER):
        return ""
    return header[len(_HEADER) : -1]
