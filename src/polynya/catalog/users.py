"""For how long a user can log in, or cannot."""

from __future__ import annotations

from datetime import UTC, datetime

from polynya.catalog.model import User


def days_to_expiry(user: User) -> float | None:
    """Days until a user can no longer log in, or None."""
    return None if user.expires_at is None else round(_seconds_to(user.expires_at) / 86400, 3)


def mins_to_unlock(user: User) -> int | None:
    """Minutes until a locked user can log in again, or None."""
    if user.locked_until is None or user.locked_until <= datetime.now(UTC):
        return None
    return int(_seconds_to(user.locked_until) // 60) + 1


def _seconds_to(moment: datetime) -> float:
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
