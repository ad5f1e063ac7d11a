"""Session parameters as replies carry them."""

from __future__ import annotations

from typing import Any

from polynya.catalog.context import Context
from polynya.catalog.parameters import DEFAULTS

# What drivers need to show values; sent with every reply that sends parameters at all.
_ALWAYS = (
    "TIMEZONE",
    "TIMESTAMP_OUTPUT_FORMAT",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT",
    "TIMESTAMP_LTZ_OUTPUT_FORMAT",
    "TIMESTAMP_TZ_OUTPUT_FORMAT",
    "DATE_OUTPUT_FORMAT",
    "TIME_OUTPUT_FORMAT",
    "BINARY_OUTPUT_FORMAT",
    "AUTOCOMMIT",
    "CLIENT_RESULT_CHUNK_SIZE",
    "CLIENT_SESSION_KEEP_ALIVE",
)


# Never told: a client keeps what it is told and sends it with its next login, which would tag another session.
_KEPT_BACK = {"QUERY_TAG"}


def login_parameters(context: Context) -> list[dict[str, Any]]:
    """All parameters, for the login's reply."""
    names = dict.fromkeys([*DEFAULTS, *context.catalog.account_parameters, *context.parameters])
    return [{"name": name, "value": context.parameter(name)} for name in names if name not in _KEPT_BACK]


class Reported:
    """What a session's client has been told of its parameters; after that only changes are sent.

    Args:
        everywhere: send the usual ones with every reply (drivers other than Python's forget them).
    """

    def __init__(self, everywhere: bool) -> None:
        self._everywhere = everywhere
        self._seen: dict[str, Any] = {}

    def changes(self, context: Context) -> list[dict[str, Any]] | None:
        """What a reply has to say, or None for nothing.

        Args:
            context: the session's.
        """
        current = context.parameters
        if current == self._seen and not self._everywhere:
            return None
        names = dict.fromkeys(_ALWAYS)
        for name in current.keys() | self._seen.keys():
            if name not in _KEPT_BACK and current.get(name) != self._seen.get(name):
                names[name] = None
        self._seen = dict(current)
        return [{"name": name, "value": context.parameter(name)} for name in names]
