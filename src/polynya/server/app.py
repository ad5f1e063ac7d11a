"""The routes of the protocol."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from polynya import __version__
from polynya.errors import SnowflakeError
from polynya.server import door, owner, queries, resources, sessions, transfer
from polynya.server.reply import BadRequest, error_reply, failure, json_response, success
from polynya.server.state import State

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]

_REAP_SECONDS = 60.0
_STATEMENTS = "/queries/v1/query-request"


def create_app(state: State, on_ready: Callable[[], None] | None = None) -> ASGIApp:
    """The server's ASGI application.

    Args:
        state: the open account and its tokens.
        on_ready: called when requests are about to be accepted.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        door.install(app, state)
        reaper = asyncio.create_task(_reap(state))
        if on_ready:
            on_ready()
        yield
        reaper.cancel()

    post, get, both = ["POST"], ["GET"], ["GET", "POST"]
    routes = [
        Route(_STATEMENTS, _answering(queries.query_request), methods=post),
        Route("/queries/v1/abort-request", _answering(queries.abort_request), methods=post),
        Route("/queries/{query_id}/result", _answering(queries.query_result), methods=both),
        Route("/queries/{query_id}/abort-request", _answering(queries.abort_by_id), methods=both),
        Route("/monitoring/queries/{query_id}", _answering(queries.monitor), methods=both),
        Route("/results/{query_id}/{secret}/{form}/{start:int}/{end:int}", _answering(queries.chunk), methods=get),
        Route("/stages/put/{signature}/{expiry}/{path:path}", _answering(transfer.upload), methods=["PUT"]),
        Route("/stages/get/{signature}/{expiry}/{path:path}", _answering(transfer.download), methods=get),
        Route("/session/v1/login-request", _answering(sessions.login), methods=post),
        Route("/session/token-request", _answering(sessions.renew), methods=post),
        Route("/session/heartbeat", _answering(sessions.heartbeat), methods=post),
        Route("/session/heartbeat/v1", _answering(sessions.heartbeat), methods=post),
        Route("/session/authenticator-request", _answering(sessions.authenticator), methods=post),
        Route("/session/logout-request", _answering(sessions.delete), methods=post),
        Route("/session", _answering(sessions.delete), methods=both),
        Route("/telemetry/send", _answering(_telemetry), methods=post),
        Route("/telemetry/send/sessionless", _answering(_telemetry), methods=post),
        Route("/polynya/status", _answering(_status), methods=get),
        Route("/polynya/share", _answering(owner.share), methods=post),
        Route("/polynya/backup", _answering(owner.backup), methods=post),
        *resources.routes(),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _not_served})
    app.state.polynya = state
    return _Shortcut(app, _answering(queries.query_request))


class _Shortcut:
    """Takes statements, which are nearly all that drivers ask, straight to their route; all else goes through Starlette.

    Args:
        app: with all routes.
        statement: the route of statements; it raises nothing.
    """

    def __init__(self, app: Starlette, statement: Endpoint) -> None:
        self.app = app
        self._statement = statement

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == _STATEMENTS and scope.get("method") == "POST":
            scope["app"] = self.app
            response = await self._statement(Request(scope, receive, send))
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _answering(endpoint: Endpoint) -> Endpoint:
    """Makes sure that whatever goes wrong is HTTP 200 with Snowflake's error object: 5xx is retried for minutes."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except SnowflakeError as error:
            return json_response(failure(f"{error.code:06d}", error.message))
        except BadRequest as error:
            return json_response(failure("390400", f"Bad request: {error}"))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Exception as error:
            log.exception("%s %s failed inside the server", request.method, request.url.path)
            detail = f"{type(error).__name__}: {error}"[:500]
            return json_response(error_reply(SnowflakeError(603, "XX000", f"Internal error: {detail}")))

    return answer


async def _not_served(request: Request, error: Exception) -> Response:
    """Addresses that no driver asks for."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    text = f"Nothing is served at {request.method} {request.url.path}. Snowflake's clients connect to this address."
    return Response(text + "\n", status_code=status if status < 500 else 404, media_type="text/plain")


async def _telemetry(request: Request) -> Response:
    """Drivers' telemetry: taken and thrown away."""
    async for _ in request.stream():
        pass
    return json_response(success("Log Received"))


async def _status(request: Request) -> Response:
    state: State = request.app.state.polynya
    body: dict[str, Any] = {
        "version": __version__,
        "account": state.account.catalog.account_name,
        "sessions": len(state.account.sessions),
        "statements": len(state.account.running()),
        "uptime_seconds": round(state.uptime(), 1),
    }
    return json_response(body)


async def _reap(state: State) -> None:
    """Ends sessions that nobody uses any more, and forgets old results."""
    while True:
        await asyncio.sleep(_REAP_SECONDS)
        try:
            await asyncio.to_thread(state.reap)
        except Exception:
            log.exception("clearing up failed")
