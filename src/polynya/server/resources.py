"""Snowflake's REST API for databases, schemas, tables, views and routines: list, get and delete.

Each call is a statement of the caller's session. Creating and altering are SQL's.
https://docs.snowflake.com/en/developer-guide/snowflake-rest-api/reference
"""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polynya.server import task_resources
from polynya.server.replies import answer, first_column, place, quoted
from polynya.session.session import Session

# Collection in the address -> (plural after SHOW AS RESOURCE, kind).
_COLLECTIONS = {
    "databases": ("DATABASES", "DATABASE"),
    "schemas": ("SCHEMAS", "SCHEMA"),
    "tables": ("TABLES", "TABLE"),
    "views": ("VIEWS", "VIEW"),
    "user-defined-functions": ("USER FUNCTIONS", "FUNCTION"),
    "procedures": ("PROCEDURES", "PROCEDURE"),
    "tasks": ("TASKS", "TASK"),
}


def routes() -> list[Route]:
    """The API's routes; longer addresses first."""
    base = "/api/v2/databases"
    inner = base + "/{database}/schemas/{schema}/{collection}"
    return [
        *task_resources.routes(base),
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
        text += f" LIKE {quoted(like)}"
    if within := place(request):
        text += f" IN {'SCHEMA' if '.' in within else 'DATABASE'} {within}"
    if start := query.get("startsWith"):
        text += f" STARTS WITH {quoted(start)}"
    if limit := query.get("showLimit"):
        text += f" LIMIT {limit}"
        if after := query.get("fromName"):
            text += f" FROM {quoted(after)}"
    return await _answer(request, text, many=True)


async def _one(request: Request) -> Response:
    _, kind = _collection(request)
    name = ".".join(part for part in (place(request), request.path_params["name"]) if part)
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


async def _answer(request: Request, text: str, *, many: bool | None) -> Response:
    """Runs a statement and answers its resources.

    Args:
        request: with the session's token.
        text: the statement.
        many: a list of resources; False: one; None: a status.
    """

    def run(session: Session) -> Any:
        found = first_column(session, text)
        if many is None:
            return {"status": found[0]}
        return [json.loads(one) for one in found] if many else json.loads(found[0])

    return await answer(request, run)
