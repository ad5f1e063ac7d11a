"""How long things may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds; tests take shorter ones.

    Args:
        session: validity of a session token, as Snowflake issues it.
        master: a session that nobody used for so long ends.
        answer: after this a client is told to ask again for its result; drivers give up on a silent connection after
            a minute or less.
    """

    session: float = 3600.0
    master: float = 14_400.0
    answer: float = 40.0
