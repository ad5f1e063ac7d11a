"""SYSTEM$REFERENCE: names by which objects are passed on to procedures.

Source: docs.snowflake.com/en/developer-guide/stored-procedure/stored-procedures-calling-references.
"""

from __future__ import annotations

import re
from hashlib import blake2b

_REFERENCE = re.compile(r"ENT_REF_[A-Z_]+_(\d+)_([0-9A-F]{40})")


def reference_to(kind: str, object_id: int) -> str:
    """The reference to an object; it is the same for the same object."""
    return f"ENT_REF_{kind}_{object_id}_{_digest(object_id)}"


def referred(name: str) -> int | None:
    """The id of the object that a name refers to, or None if it is no reference."""
    found = _REFERENCE.fullmatch(name)
    if found is None or found[2] != _digest(int(found[1])):
        return None
    return int(found[1])


def _digest(object_id: int) -> str:
    return blake2b(f"{object_id}".encode(), digest_size=20).hexdigest().upper()
