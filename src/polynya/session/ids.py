"""Ids of queries and sessions."""

from __future__ import annotations

import itertools
import secrets
import time

_process = secrets.randbits(32)
_queries = itertools.count(1)
_sessions = itertools.count((int(time.time() * 1000) << 10) | secrets.randbits(10))


def new_query_id() -> str:
    """A query id as Snowflake's look: a UUID's shape, beginning with 01 and the minute it was made."""
    count = next(_queries)
    minutes = int(time.time() // 60) & 0xFFFFFF
    return f"01{minutes:06x}-{count >> 32 & 0xFFFF:04x}-{_process >> 16:04x}-{_process & 0xFFFF:04x}-{count & 0xFFFFFFFF:012x}"


def new_session_id() -> int:
    """A session id, unique across restarts: from the clock, below 2**53 so that JSON readers keep it exact."""
    return next(_sessions) & (2**53 - 1)
