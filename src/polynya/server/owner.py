"""What only the home's owner may ask for: a share's publication, and the server's part of a backup.

The caller shows that it can read the home by a key that lies in it.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from polynya.home import Home
from polynya.server.reply import BadRequest, failure, json_response, success
from polynya.server.state import State
from polynya.session.backup import snapshot
from polynya.statements.sharing import homes


async def share(request: Request) -> Response:
    """The shares of an account, or a new publication of one."""

    def work(state: State, question: dict[str, Any]) -> Any:
        return homes.answer(state.account.catalog, state.account.publisher, question)

    return await _answer(request, work)


async def backup(request: Request) -> Response:
    """A consistent copy of what changes, in a folder below the home."""

    def work(state: State, question: dict[str, Any]) -> Any:
        return snapshot(state.account, Path(str(question["folder"])))

    return await _answer(request, work)


async def _answer(request: Request, work: Callable[[State, dict[str, Any]], Any]) -> Response:
    state: State = request.app.state.polynya
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), Home(state.account.home).owner_key().encode()):
        return json_response(failure("390104", "Only the home's owner may ask for this."))
    try:
        question = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise BadRequest("it is no JSON") from None
    if not isinstance(question, dict):
        raise BadRequest("it is no JSON object")
    answer = await asyncio.wrap_future(state.account.submit(work, state, question))
    return json_response(success(answer))
