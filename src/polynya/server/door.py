"""A procedure's way to the server: the same routes, asked without a network, for its own session only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Message, Scope

from polynya.errors import SnowflakeError
from polynya.runtime.pool import Door
from polynya.server.reply import failure
from polynya.server.state import State
from polynya.session.session import Session

# Under this name a procedure's client finds the server; nothing resolves it.
HOST = "warehouse.internal"
# Where ``sessions.login`` finds the session that such a client gets.
SESSION = "polynya.session"
# These addresses are signed; drivers ask them without a token.
_SIGNED = ("/results/", "/stages/")
_LOGIN = "/session/v1/login-request"

_Reply = tuple[int, dict[str, str], bytes]


@contextmanager
def open_door(app: ASGIApp, state: State, loop: asyncio.AbstractEventLoop, session: Session) -> Iterator[Door]:
    """The way in for one run of a procedure; the tokens given out there end with it.

    Args:
        app: the server's.
        state: its tokens.
        loop: in which it runs.
        session: the procedure's.
    """

    def door(method: str, path: str, headers: dict[str, str], body: bytes) -> _Reply:
        lower = {name.lower(): value for name, value in headers.items()}
        if not path.startswith((*_SIGNED, _LOGIN)):
            try:
                if state.tokens.session(lower.get("authorization")) is not session:
                    raise SnowflakeError(390104, "08001", "This session is not the procedure's own.")
            except SnowflakeError as error:
                return 200, {"content-type": "application/json"}, failure(f"{error.code:06d}", error.message)
        return asyncio.run_coroutine_threadsafe(_ask(app, session, method, path, lower, body), loop).result()

    try:
        yield door
    finally:
        state.forget(session)


def install(app: ASGIApp, state: State) -> None:
    """Lets procedures in; called in the event loop in which the application runs."""
    state.account.open_door = partial(open_door, app, state, asyncio.get_running_loop())


async def _ask(app: ASGIApp, session: Session, method: str, path: str, headers: dict[str, str], body: bytes) -> _Reply:
    """One request to the application, and its whole reply."""
    address = urlsplit(path)
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": "http",
        "path": unquote(address.path),
        "raw_path": address.path.encode(),
        "query_string": address.query.encode(),
        "root_path": "",
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in {**headers, "host": HOST}.items()
        ],
        "client": (HOST, 0),
        "server": (HOST, 80),
        SESSION: session,
    }
    asked = False
    status, answered, parts = 500, {}, []

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # the client stays until it has its reply
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, answered
        if message["type"] == "http.response.start":
            status = message["status"]
            answered = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            parts.append(bytes(message.get("body", b"")))

    await app(scope, receive, send)
    return status, answered, b"".join(parts)


def session_parameters() -> list[dict[str, Any]]:
    """What a procedure's client is told beside its session's parameters."""
    return [
        {"name": "ENABLE_ASYNC_QUERY_IN_PYTHON_STORED_PROCS", "value": True},
        {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
    ]
