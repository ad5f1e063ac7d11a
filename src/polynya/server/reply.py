"""Bodies of requests and replies."""

from __future__ import annotations

import gzip
import re
import zlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from polynya.errors import SnowflakeError

# A body of more than this, unpacked, is refused: nothing a driver sends comes near.
MAX_BODY = 1 << 30
# Larger bodies are unpacked and parsed in a thread, not in the event loop.
LARGE_BODY = 32 << 10
_POSITION = re.compile(r"line (\d+) at position (\d+)")


class BadRequest(Exception):
    """The request is not what a driver sends; its text says what is wrong."""


def json_response(body: bytes | dict[str, Any]) -> Response:
    """HTTP 200 with a JSON body: whatever happened, drivers retry other statuses for minutes."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, media_type="application/json")


def success(data: Any = None, message: str | None = None) -> bytes:
    return orjson.dumps({"data": data, "code": None, "message": message, "success": True})


def failure(code: str, message: str, data: Any = None) -> bytes:
    """A refusal.

    Args:
        code: six digits.
        message: for the user.
        data: details, or None.
    """
    return orjson.dumps({"data": data, "code": code, "message": message, "success": False, "headers": None})


def error_reply(error: SnowflakeError, query_id: str = "") -> bytes:
    """A failed statement.

    Args:
        error: what went wrong.
        query_id: of the statement, if it has one.
    """
    position = _POSITION.search(error.message)
    data = {
        "internalError": False,
        "errorCode": f"{error.code:06d}",
        "age": 0,
        "sqlState": error.sqlstate,
        "queryId": query_id or None,
        "line": int(position.group(1)) if position else -1,
        "pos": int(position.group(2)) if position else -1,
        "type": "COMPILATION" if error.message.startswith("SQL compilation error") else "RUNTIME",
    }
    return failure(f"{error.code:06d}", error.message, data)


def parse_body(raw: bytes, encoding: str) -> dict[str, Any]:
    """A request's JSON object.

    Args:
        raw: as it came.
        encoding: the Content-Encoding header.

    Raises:
        BadRequest: for anything else.
    """
    if not raw:
        return {}
    if encoding == "gzip" or raw[:2] == b"\x1f\x8b":
        try:
            unpacked = zlib.decompressobj(wbits=31)
            raw = unpacked.decompress(raw, MAX_BODY)
            if unpacked.unconsumed_tail:
                raise BadRequest("The request body is too large.")
        except (zlib.error, EOFError):
            raise BadRequest("The request body is not valid gzip.") from None
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadRequest("The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise BadRequest("The request body is not a JSON object.")
    return body


async def read_raw(request: Request) -> bytes:
    """A request's body as it came.

    Raises:
        BadRequest: if it is too large.
    """
    parts = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise BadRequest("The request body is too large.")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def compress(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1)
