"""Routes of sessions: login, renewal, heartbeat, logout."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from polynya import SNOWFLAKE_RELEASE, __version__
from polynya.errors import SnowflakeError
from polynya.server import door
from polynya.server.authenticate import LoginError
from polynya.server.login import log_in
from polynya.server.parameters import login_parameters
from polynya.server.reply import failure, json_response, parse_body, read_raw, success
from polynya.server.state import State


def state_of(request: Request) -> State:
    return request.app.state.polynya


async def body_of(request: Request) -> dict[str, Any]:
    """A request's JSON object, unpacked and parsed in a thread."""
    raw = await read_raw(request)
    return await asyncio.to_thread(parse_body, raw, request.headers.get("content-encoding", ""))


async def login(request: Request) -> Response:
    """POST /session/v1/login-request."""
    state = state_of(request)
    body = await body_of(request)
    names = dict(request.query_params)
    address = request.client.host if request.client else ""
    given = request.scope.get(door.SESSION)  # a procedure's client gets its own session, whoever it says it is

    def enter() -> bytes:
        data = body.get("data")
        asked = {**data, "inFlightCtx": body.get("inFlightCtx")} if isinstance(data, dict) else {}
        try:
            session = given or log_in(state.account, state.attempts, asked, names, address)
        except SnowflakeError as error:
            details = error.data if isinstance(error, LoginError) else {}
            code = f"{error.code:06d}"
            return failure(code, error.message, {"loginName": None, "errorCode": code, **details})
        token, master = state.tokens.issue(session)
        context = session.context
        state.reported(session).changes(context)
        return success(
            {
                "masterToken": master,
                "token": token,
                "validityInSeconds": int(state.tokens.session_seconds),
                "masterValidityInSeconds": int(state.tokens.master_seconds),
                "displayUserName": context.user,
                "serverVersion": SNOWFLAKE_RELEASE,
                "polynyaVersion": __version__,
                "firstLogin": False,
                "remMeToken": None,
                "remMeValidityInSeconds": 0,
                "healthCheckInterval": 45,
                "newClientForUpgrade": None,
                "sessionId": session.id,
                "parameters": login_parameters(context) + (door.session_parameters() if given else []),
                "sessionInfo": {
                    "databaseName": context.database,
                    "schemaName": context.schema,
                    "warehouseName": context.warehouse,
                    "roleName": context.role,
                },
                "idToken": None,
                "idTokenValidityInSeconds": 0,
                "responseData": None,
                "mfaToken": None,
                "mfaTokenValidityInSeconds": 0,
            }
        )

    return json_response(await asyncio.wrap_future(state.account.submit(enter)))


async def renew(request: Request) -> Response:
    """POST /session/token-request: a new session token for a master token."""
    state = state_of(request)
    await read_raw(request)
    token, master = state.tokens.renew(request.headers.get("authorization"))
    return json_response(
        success(
            {
                "sessionToken": token,
                "validityInSecondsST": int(state.tokens.session_seconds),
                "masterToken": master,
                "validityInSecondsMT": int(state.tokens.master_seconds),
                "masterValidityInSeconds": int(state.tokens.master_seconds),
                "sessionId": None,
            }
        )
    )


async def heartbeat(request: Request) -> Response:
    """POST /session/heartbeat: the session is in use."""
    await read_raw(request)
    state_of(request).tokens.session(request.headers.get("authorization"))
    return json_response(success())


async def delete(request: Request) -> Response:
    """POST /session?delete=true: logout."""
    state = state_of(request)
    await read_raw(request)
    session = state.tokens.session(request.headers.get("authorization"))
    if request.query_params.get("delete") == "true" or request.url.path.endswith("logout-request"):
        await asyncio.wrap_future(state.account.submit(state.end, session))
    return json_response(success())


async def authenticator(request: Request) -> Response:
    """POST /session/authenticator-request: the first step of browser logins, which there are none of."""
    await read_raw(request)
    text = "This account has no single sign-on. Log in with a password or a key pair (authenticator SNOWFLAKE_JWT)."
    return json_response(failure("390139", text))
