"""HTTP as uvicorn speaks it, but a reply leaves in one piece."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# What is larger leaves at once: joining it would cost more than a second packet.
_SMALL = 64 << 10


class Protocol(HttpToolsProtocol):
    """Uvicorn's protocol over a transport that joins a reply's head and body.

    Uvicorn writes them apart: two system calls and two packets, of which the first wakes a client that then waits for
    the second.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joining(transport, self.loop))  # type: ignore[arg-type]


class _Joining:
    """A transport that holds a small write until the next one, or until the event loop's next turn.

    Args:
        transport: to write to; all else is its own.
        loop: of the connection.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if len(data) > _SMALL:
            self._flush()
            self._transport.write(data)
        elif self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._transport.write(data)
