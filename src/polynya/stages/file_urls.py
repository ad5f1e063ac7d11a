"""Addresses of staged files: scoped URLs, file URLs and stage paths, and opening the files that they mean.

https://docs.snowflake.com/en/user-guide/unstructured-intro#types-of-urls-available-to-access-files
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import replace
from urllib.parse import quote, unquote

from polynya.catalog.context import Context
from polynya.catalog.names import join_name
from polynya.errors import SnowflakeError, compilation_error
from polynya.stages.location import parse_location
from polynya.stages.store import StageLocation, StageStore

_FILES = ".snowflakecomputing.com/api/files/"
# A scoped URL is good for as long as a result is kept.
_SECONDS = 24 * 3600
# Scoped URLs end with the server that gave them out.
_KEY = secrets.token_bytes(32)
_SIGNATURE_BYTES = 24


def scoped_url(context: Context, stage: str, path: str) -> str:
    """A URL that opens one file for one user, and tells nothing to others.

    Args:
        context: of the statement whose user may open it.
        stage: ``@`` and a full name.
        path: below the stage's root.
    """
    content = json.dumps([context.user, int(time.time()) + _SECONDS, stage, path.lstrip("/")]).encode()
    token = base64.urlsafe_b64encode(_signature(content) + content).decode().rstrip("=")
    return f"https://{context.account.lower()}{_FILES}{context.query_id}/{token}"


def stage_url(context: Context, stage: str, path: str) -> str:
    """A URL that names a file: whoever may read its stage can open it."""
    names = [quote(name, safe="") for name in parse_location(stage).name]
    return f"https://{context.account.lower()}{_FILES}{'/'.join(names)}/{quote(path.lstrip('/'))}"


def open_staged(address: str, context: Context, stages: StageStore) -> int:
    """A read-only file descriptor of a staged file; the caller closes it.

    Args:
        address: a scoped URL, a file URL, or a path: ``@stage/path``.
        context: of the statement whose handler asks.
        stages: the files.

    Raises:
        SnowflakeError: 001008 for no such address; 003001 for a scoped URL that is not this user's, or too old; 002003
            and 091016 if there is no such stage or file.
    """
    place = _location(address.strip(), context, stages)
    file = stages.exact(place)
    if file is None:
        raise SnowflakeError(91016, "22000", f"Remote file '{address}' was not found.")
    return os.open(stages.local(file, place), os.O_RDONLY | os.O_CLOEXEC)


def _location(address: str, context: Context, stages: StageStore) -> StageLocation:
    if address.startswith("@"):
        return stages.resolve(address, context)
    head, found, rest = address.partition(_FILES)
    if not head.startswith("https://") or not found:
        raise compilation_error(1008, "22023", f"'{address}' is no scoped URL, file URL or stage path of a file.")
    parts = [unquote(part) for part in rest.split("/")]
    if len(parts) == 2:
        stage, path = _opened(parts[1], context)
    elif len(parts) > 3:
        stage, path = f"@{join_name(parts[:3])}", "/".join(parts[3:])
    else:
        raise compilation_error(1008, "22023", f"'{address}' names no file.")
    return stages.resolve(replace(parse_location(stage), path=""), context).at(path)


def _opened(token: str, context: Context) -> tuple[str, str]:
    """The stage and path of a scoped URL.

    Raises:
        SnowflakeError: 003001 if it was not made by this server for this user, or is too old.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise _not_authorized() from None
    content = raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(_signature(content), raw[:_SIGNATURE_BYTES]):
        raise _not_authorized()
    user, expires, stage, path = json.loads(content)
    if user != context.user or expires < time.time():
        raise _not_authorized()
    return stage, path


def _signature(content: bytes) -> bytes:
    return hmac.new(_KEY, content, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def _not_authorized() -> SnowflakeError:
    return SnowflakeError(
        3001,
        "42501",
        "SQL access control error:\nThe scoped URL is not valid, has expired, or was made for another user.",
    )
