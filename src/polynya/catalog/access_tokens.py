"""Programmatic access tokens: random secrets of a user, of which only digests are kept.

https://docs.snowflake.com/en/user-guide/programmatic-access-tokens
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from polynya.catalog.model import AccessToken, User
from polynya.catalog.store import Catalog

# What a secret begins with: a password field may hold one.
PREFIX = "pat-"
MOST_TOKENS = 15
DEFAULT_DAYS, MOST_DAYS = 15, 365


def new_secret() -> str:
    """A secret of 288 random bits."""
    return PREFIX + secrets.token_urlsafe(36)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def find_secret(catalog: Catalog, secret: str) -> tuple[User, AccessToken] | None:
    """The token of a secret and its user, whatever its state; None for a secret that is nobody's."""
    wanted = digest(secret)
    found = None
    for user in catalog.all("USER"):
        for token in user.access_tokens:
            if hmac.compare_digest(token.digest, wanted):
                found = (user, token)
    return found


def status_of(user: User, token: AccessToken, now: datetime) -> str:
    """ACTIVE, EXPIRED or DISABLED."""
    if token.expires_at <= now:
        return "EXPIRED"
    locked = user.locked_until is not None and user.locked_until > now
    return "DISABLED" if token.disabled or user.disabled or locked else "ACTIVE"
