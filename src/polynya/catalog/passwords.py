"""Passwords are kept as salted scrypt hashes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

# 16 MiB and some 40 ms a try.
_N, _R, _P = 2**14, 8, 1


def hash_password(password: str) -> str:
    """A salted hash of a password, with all that is needed to check it."""
    salt = os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P)
    return f"scrypt${_N}${_R}${_P}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


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
