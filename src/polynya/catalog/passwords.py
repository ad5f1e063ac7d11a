"""Passwords: kept as salted scrypt hashes; what a new one must have."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re

# 16 MiB and some 40 ms a try.
_N, _R, _P = 2**14, 8, 1


def hash_password(password: str) -> str:
    """A salted hash of a password, with all that is needed to check it."""
    salt = os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P)
    return f"scrypt${_N}${_R}${_P}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


# Snowflake's built-in policy: at least eight characters, of them a digit, an upper-case and a lower-case letter.
# https://docs.snowflake.com/en/user-guide/admin-user-management
_RULES = (
    (r".{8}", "PASSWORD_TOO_SHORT", "at least 8 characters"),
    (r"[0-9]", "PASSWORD_MIN_NUMERIC_CHARS", "at least 1 digit"),
    (r"[A-Z]", "PASSWORD_MIN_UPPER_CASE_CHARS", "at least 1 upper-case letter"),
    (r"[a-z]", "PASSWORD_MIN_LOWER_CASE_CHARS", "at least 1 lower-case letter"),
)
_LONGEST = 256


def weakness(password: str) -> str:
    """Why a new password is refused, with what it must have; "" if it is strong enough."""
    if len(password) > _LONGEST:
        return f"'PASSWORD_TOO_LONG': at most {_LONGEST} characters are allowed"
    for pattern, name, wanted in _RULES:
        if not re.search(pattern, password, re.DOTALL):
            return f"'{name}': {wanted} required"
    return ""


def verify_password(password: str, stored: str) -> bool:
    """Whether a password is the one hashed; without a hash never, in about the same time.

    Args:
        password: as typed.
        stored: what ``hash_password`` made, or "".
    """
    _, n, r, p, salt, digest = (stored or _NOBODY).split("$")
    found = hashlib.scrypt(password.encode(), salt=base64.b64decode(salt), n=int(n), r=int(r), p=int(p))
    return hmac.compare_digest(found, base64.b64decode(digest)) and bool(stored)


_NOBODY = f"scrypt${_N}${_R}${_P}${base64.b64encode(bytes(16)).decode()}${base64.b64encode(bytes(64)).decode()}"
