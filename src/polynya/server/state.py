"""What the routes work on."""

from __future__ import annotations

import time

from polynya.server.authenticate import Attempts
from polynya.server.memory import release_memory
from polynya.server.parameters import Reported
from polynya.server.times import Times
from polynya.server.tokens import Tokens
from polynya.session.account import Account
from polynya.session.session import Session

_EXPIRE_RESULTS_SECONDS = 3600.0


class State:
    """A server's state.

    Args:
        account: open.
        times: of tokens and answers.
    """

    def __init__(self, account: Account, times: Times | None = None) -> None:
        self.account = account
        self.times = times or Times()
        self.attempts = Attempts()
        self.tokens = Tokens(self.times.session, self.times.master)
        self._started = time.monotonic()
        self._expired = 0.0
        self._reported: dict[Session, Reported] = {}

    def uptime(self) -> float:
        """Seconds since the server started."""
        return time.monotonic() - self._started

    def reported(self, session: Session) -> Reported:
        """What a session's client knows of its parameters."""
        known = self._reported.get(session)
        if known is None:
            python = str(session.context.client.get("CLIENT_APP_ID", "")).startswith("Python")
            known = self._reported[session] = Reported(everywhere=not python)
        return known

    def forget(self, session: Session) -> None:
        """Takes a session's tokens away."""
        self.tokens.forget(session)
        self._reported.pop(session, None)

    def end(self, session: Session) -> None:
        """Ends a session."""
        self.forget(session)
        self.account.close_session(session)

    def reap(self) -> None:
        """Ends idle sessions; hourly, removes results that are too old."""
        for session in self.tokens.idle():
            self.end(session)
        if time.monotonic() - self._expired > _EXPIRE_RESULTS_SECONDS or not self._expired:
            self._expired = time.monotonic()
            self.account.results.expire()
        if not self.account.running():
            self.account.results.rest()
            release_memory()
