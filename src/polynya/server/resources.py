"""Snowflake's REST API for databases, schemas, tables, views and routines: list, get and delete.

Each call is a statement of the caller's session. Creating and altering are SQL's.
https://docs.snowflake.com/en/developer-guide/snowflake-rest-api/reference
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polynya.errors import SnowflakeError
from polynya.server.state import State
from polynya.session.session import Session

# Collection in the address -> (plural after SHOW AS RESOURCE, kind).
_COLLECTIONS = {
    "databases": ("DATABASES", "DATABASE"),
    "schemas": ("SCHEMAS", "SCHEMA"),
    "tables": ("TABLES", "TABLE"),
    "views": ("VIEWS", "VIEW"),
    "user-defined-functions": ("USER FUNCTIONS", "FUNCTION"),
    "procedures": ("PROCEDURES", "PROCEDURE"),
}
_STATUS = {2003: 404, 2043: 404, 2002: 409, 3001: 403}


def routes() -> list[Route]:
    """The API's routes; longer addresses first."""
    base = "/api/v2/databases"
    inner = base + "/{database}/schemas/{schema}/{collection}"
    return [
        Route(inner + "/{name}", _one, methods=["GET", "DELETE"]),
        Route(inner, _list, methods=["GET"]),
        Route(base + "/{database}/schemas/{name}", _one, methods=["GET", "DELETE"]),
        Route(base + "/{database}/schemas", _list, methods=["GET"]),
        Route(base + "/{name}", _one, methods=["GET", "DELETE"]),
        Route(base, _list, methods=["GET"]),
    ]


async def _list(request: Request) -> Response:
    plural, _ = _collection(request)
    query = request.query_params
    text = f"SHOW AS RESOURCE {plural}"
    if like := query.get("like"):
        text += f" LIKE {_quoted(like)}"
    if place := _place(request):
        text += f" IN {'SCHEMA' if '.' in place else 'DATABASE'} {place}"
    if start := query.get("startsWith"):
        text += f" STARTS WITH {_quoted(start)}"
    if limit := query.get("showLimit"):
        text += f" LIMIT {limit}"
        if after := query.get("fromName"):
            text += f" FROM {_quoted(after)}"
    return await _answer(request, text, many=True)


async def _one(request: Request) -> Response:
    _, kind = _collection(request)
    name = ".".join(part for part in (_place(request), request.path_params["name"]) if part)
    if request.method == "DELETE":
        if_exists = "IF EXISTS " if request.query_params.get("ifExists", "").lower() == "true" else ""
        return await _answer(request, f"DROP {kind} {if_exists}{name}", many=None)
    return await _answer(request, f"DESCRIBE AS RESOURCE {kind} {name}", many=False)


def _collection(request: Request) -> tuple[str, str]:
    parts = request.path_params
    name = parts.get("collection") or ("schemas" if "database" in parts else "databases")
    if name not in _COLLECTIONS:
        return "", name.upper()
    return _COLLECTIONS[name]


def _place(request: Request) -> str:
    """``db`` or ``db.schema`` of the address, written as in SQL."""
    return ".".join(request.path_params[part] for part in ("database", "schema") if part in request.path_params)


async def _answer(request: Request, text: str, *, many: bool | None) -> Response:
    """Runs a statement and answers its resources.

    Args:
        request: with the session's token.
        text: the statement.
        many: a list of resources; False: one; None: a status.
    """
    state: State = request.app.state.polynya
    try:
        session = state.tokens.session(request.headers.get("authorization"))
        found = await asyncio.wrap_future(state.account.submit(_run, session, text))
    except SnowflakeError as error:
        login = str(error.code).startswith("390")
        return _refusal(error, 401 if login else _STATUS.get(error.code, 400))
    if many is None:
        return _json({"status": found[0]})
    return _json([json.loads(one) for one in found] if many else json.loads(found[0]))


def _run(session: Session, text: str) -> list[str]:
    """The first column of a statement's result."""
    result: Any = session.execute(text)
    table = result.result_set().data
    table = table.read_all() if hasattr(table, "read_all") else table
    return table.column(0).to_pylist()


def _refusal(error: SnowflakeError, status: int) -> Response:
    body = {"message": error.message, "code": f"{error.code:06d}", "error_code": f"{error.code:06d}", "request_id": ""}
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
