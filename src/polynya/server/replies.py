"""How calls of the REST API are answered: each runs in the session whose token it carries.

https://docs.snowflake.com/en/developer-guide/snowflake-rest-api/reference
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from polynya.errors import SnowflakeError
from polynya.server.state import State
from polynya.session.session import Session

_STATUS = {2003: 404, 2043: 404, 2002: 409, 3001: 403}


async def answer(request: Request, work: Callable[[Session], Any]) -> Response:
    """What a call's work answers, as JSON; its error with the status that clients expect.

    Args:
        request: with the session's token.
        work: what is to be done, in a thread of statements.
    """
    state: State = request.app.state.polynya
    try:
        session = state.tokens.session(request.headers.get("authorization"))
        found = await asyncio.wrap_future(state.account.submit(work, session))
    except SnowflakeError as error:
        login = str(error.code).startswith("390")
        return _refusal(error, 401 if login else _STATUS.get(error.code, 400))
    return Response(orjson.dumps(found), media_type="application/json")


def first_column(session: Session, text: str) -> list[Any]:
    """The first column of a statement's result."""
    result: Any = session.execute(text)
    table = result.result_set().data
    table = table.read_all() if hasattr(table, "read_all") else table
    found: list[Any] = table.column(0).to_pylist()
    return found


def place(request: Request) -> str:
    """``db`` or ``db.schema`` of the address, written as in SQL."""
    return ".".join(request.path_params[part] for part in ("database", "schema") if part in request.path_params)


def quoted(text: str) -> str:
    """A text as an SQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _refusal(error: SnowflakeError, status: int) -> Response:
    body = {"message": error.message, "code": f"{error.code:06d}", "error_code": f"{error.code:06d}", "request_id": ""}
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
