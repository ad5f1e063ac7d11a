"""Where the clients of PUT and GET find a stage.

A client on this machine copies files itself: from a stage's folder, and to a folder of the PUT's own. Others, and those
whose files are not seen here, get signed addresses of this server, in the form that drivers know from Google's storage:
one PUT or GET of the plain bytes a file.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response

# Signs addresses while this server runs.
_KEY = secrets.token_bytes(32)
_VALID_SECONDS = 3600


def is_local(request: Request) -> bool:
    """Whether the client runs on this machine (or says so by the address it uses)."""
    return request.client is None or _is_loopback(request.client.host)


@lru_cache(1000)
def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def for_client(transfer: dict[str, Any], base_url: str, local: bool) -> dict[str, Any]:
    """A PUT's or GET's answer for one client.

    Args:
        transfer: ``data`` of the answer; its ``stageInfo`` has the stage's folder.
        base_url: of this server as the client reaches it.
        local: whether the client runs on this machine.
    """
    answer = {name: value for name, value in transfer.items() if name != "uploadFolder"}
    if not local:
        return for_remote(answer, base_url)
    if transfer["command"] == "DOWNLOAD":
        return answer
    folder = transfer["uploadFolder"]
    if folder is None:
        return for_remote(answer, base_url)
    return {**answer, "stageInfo": {**transfer["stageInfo"], "location": folder}}


def for_remote(transfer: dict[str, Any], base_url: str) -> dict[str, Any]:
    """A PUT's or GET's answer with signed addresses instead of a folder of this machine.

    Args:
        transfer: ``data`` of the answer, its ``stageInfo`` a LOCAL_FS folder.
        base_url: of this server as the client reaches it.
    """
    folder = Path(transfer["stageInfo"]["location"])
    sources = transfer.get("src_locations") or []
    stage_info: dict[str, Any] = {
        "locationType": "GCS",
        "location": "stage/",
        "path": "",
        "region": "",
        "storageAccount": None,
        "isClientSideEncrypted": False,
        "creds": {},
    }
    if transfer["command"] == "UPLOAD":
        # Drivers ask again, file by file, with the name it is to have; so the first one is enough.
        name = Path(sources[0]).name if sources else ""
        stage_info["presignedUrl"] = _address(base_url, "put", folder / name)
        return {**transfer, "stageInfo": stage_info}
    addresses = [_address(base_url, "get", folder / source.lstrip("/")) for source in sources]
    return {**transfer, "stageInfo": stage_info, "presignedUrls": addresses}


async def upload(request: Request) -> Response:
    """PUT /stages/put/<signature>/<expiry>/<path>."""
    target = _checked(request, "put")
    if target is None:
        return _refused()
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    await asyncio.to_thread(unfinished.parent.mkdir, parents=True, exist_ok=True)
    file = await asyncio.to_thread(unfinished.open, "wb")
    try:
        head = await _write(file, request.stream())
        # A driver compresses what it uploads from memory after it has got its address.
        if head[:2] == b"\x1f\x8b" and target.suffix != ".gz" and request.headers.get("x-goog-meta-sfc-digest"):
            target = target.with_name(target.name + ".gz")
        await asyncio.to_thread(unfinished.replace, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return Response(status_code=200)


async def download(request: Request) -> Response:
    """GET /stages/get/<signature>/<expiry>/<path>."""
    source = _checked(request, "get")
    if source is None or not source.is_file():
        return _refused()
    return FileResponse(source, media_type="application/octet-stream")


async def _write(file: BinaryIO, parts: AsyncIterator[bytes]) -> bytes:
    """Writes a body to a file and closes it; its first bytes."""
    head = b""
    try:
        async for part in parts:
            head = head or part[:2]
            await asyncio.to_thread(file.write, part)
    finally:
        await asyncio.to_thread(file.close)
    return head


def _address(base_url: str, method: str, path: Path) -> str:
    expiry = str(int(time.time()) + _VALID_SECONDS)
    return f"{base_url}/stages/{method}/{_sign(method, expiry, str(path))}/{expiry}{quote(str(path))}"


def _sign(method: str, expiry: str, path: str) -> str:
    return hmac.new(_KEY, f"{method}\n{expiry}\n{path}".encode(), hashlib.sha256).hexdigest()


def _checked(request: Request, method: str) -> Path | None:
    """The file that a signed address names, or None if the signature is wrong or too old."""
    parameters = request.path_params
    path = "/" + parameters["path"]
    expiry = parameters["expiry"]
    if not hmac.compare_digest(parameters["signature"], _sign(method, expiry, path)):
        return None
    return Path(path) if int(expiry) >= time.time() else None


def _refused() -> Response:
    # Drivers take 400 as "ask for a new address".
    return Response("This address is not, or no longer, valid.\n", status_code=400, media_type="text/plain")
