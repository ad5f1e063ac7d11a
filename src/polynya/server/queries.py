"""Routes of statements: run, poll, abort, monitor, download."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from polynya.dialect.binds import read_binds
from polynya.errors import SnowflakeError
from polynya.server import door
from polynya.server.login import check_address
from polynya.server.reply import (
    LARGE_BODY,
    error_reply,
    failure,
    json_response,
    parse_body,
    read_raw,
    success,
)
from polynya.server.results import add_rows, reply, secret
from polynya.server.results import chunk as result_chunk
from polynya.server.rowtype import row_type
from polynya.server.sessions import body_of, state_of
from polynya.server.state import State
from polynya.server.style import Style
from polynya.server.transfer import is_local
from polynya.session.query import Query, cancelled_by_user
from polynya.session.session import Session

IN_PROGRESS = "333333"
IN_PROGRESS_ASYNC = "333334"


async def query_request(request: Request) -> Response:
    """POST /queries/v1/query-request."""
    state = state_of(request)
    session = state.tokens.session(request.headers.get("authorization"))
    if request.client is not None and door.SESSION not in request.scope:
        check_address(state.account, session.context.user, request.client.host)
    raw = await read_raw(request)
    encoding = request.headers.get("content-encoding", "")
    if len(raw) > LARGE_BODY:
        body = await asyncio.to_thread(parse_body, raw, encoding)
    else:
        body = parse_body(raw, encoding)
    parameters = body.get("parameters")
    asynchronous = bool(body.get("asyncExec"))
    query, new = session.query(
        str(body.get("sqlText") or ""),
        read_binds(body.get("bindings")),
        describe_only=bool(body.get("describeOnly")),
        parameters=parameters if isinstance(parameters, dict) else None,
        request_id=_request_id(request),
        asynchronous=asynchronous,
        internal=bool(body.get("isInternal")),
        bind_stage=str(body.get("bindStage") or ""),
    )
    write = _writer(request, state, query)
    future = query.future
    if new:
        future = query.future = state.account.submit(_run, session, query, write)
        future.add_done_callback(lambda _: setattr(query, "future", None))  # it holds the reply's bytes
    if asynchronous:
        return json_response(_in_progress(query, IN_PROGRESS_ASYNC))
    return await _answer(state, query, future, write, first=new)


def _request_id(request: Request) -> str:
    """The client's id of its request: one of several names in the address, of which the others do not matter."""
    for part in request.scope["query_string"].split(b"&"):
        if part.startswith(b"requestId="):
            return unquote_plus(part[10:].decode("latin-1"))
    return ""


def _writer(request: Request, state: State, query: Query) -> Callable[[], bytes]:
    """Writes the reply to a finished query for the client that sent this request."""
    return partial(reply, query, _base_url(request), is_local(request), state.reported(query.session))


def _run(session: Session, query: Query, write: Callable[[], bytes]) -> bytes | None:
    """Runs a query and writes its reply, in one go in a thread of the pool."""
    session.run(query)
    try:
        return None if query.asynchronous else write()
    finally:
        query.release()


async def _answer(
    state: State,
    query: Query,
    future: Future[bytes | None] | None,
    write: Callable[[], bytes],
    first: bool = False,
) -> Response:
    """Answers with a query's result, or after a while with the address to ask again.

    Args:
        state: of the server.
        query: running or done.
        future: of its run; None if it is done.
        write: writes the reply.
        first: whether this is the request that began it, whose reply its thread writes.
    """
    if future is not None and not await _done(future, state.times.answer):
        return json_response(_in_progress(query, IN_PROGRESS))
    written = future.result() if first and future is not None else None
    if written is None:
        written = await asyncio.wrap_future(state.account.submit(write))
    assert written is not None
    return json_response(written)


async def _done(future: Future[Any], seconds: float) -> bool:
    """Waits for a thread's work, but not for longer than so many seconds; False if it goes on.

    Plainer than ``asyncio.wait``, because every statement passes here.
    """
    if future.done():
        return True
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def finished(_: Future[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(wake)

    timer = loop.call_later(seconds, wake)
    future.add_done_callback(finished)
    try:
        await waiter
    finally:
        timer.cancel()
    return future.done()


def _in_progress(query: Query, code: str) -> bytes:
    data = {
        "getResultUrl": f"/queries/{query.id}/result",
        "queryId": query.id,
        "queryAbortsAfterSecs": 300,
        "progressDesc": None,
    }
    message = "Query execution in progress. Asynchronous execution mode detected."
    return orjson.dumps({"data": data, "code": code, "message": message, "success": True})


async def query_result(request: Request) -> Response:
    """GET /queries/<id>/result: of a query that runs, ran, or ran before a restart."""
    state = state_of(request)
    session = state.tokens.session(request.headers.get("authorization"))
    query_id = request.path_params["query_id"]
    query = state.account.query(query_id)
    if query is not None and session.owns(query.record):
        return await _answer(state, query, query.future, _writer(request, state, query))
    base_url = _base_url(request)

    def stored() -> bytes:
        try:
            record = state.account.history.find(query_id)
            if record is None or not session.owns(record):
                raise SnowflakeError(709, "02000", f"Statement {query_id} not found")
            result = state.account.result(query_id)
            style = Style.of(session.context)
            data: dict[str, Any] = {
                "queryId": query_id,
                "sqlState": "00000",
                "statementTypeId": int(result.statement_type),
                "rowtype": row_type(result.columns, style.structured),
                "queryResultFormat": "json",
                "total": result.rows,
                "returned": result.rows,
            }
            add_rows(data, result, session.context, {}, base_url, style)
            return success(data)
        except SnowflakeError as error:
            return error_reply(error, query_id)

    return json_response(await asyncio.wrap_future(state.account.submit(stored)))


async def abort_request(request: Request) -> Response:
    """POST /queries/v1/abort-request: of the query that another request began."""
    session = state_of(request).tokens.session(request.headers.get("authorization"))
    body = await body_of(request)
    query = session.find_request(str(body.get("requestId") or ""))
    if query is None or not query.cancel(cancelled_by_user()):
        return json_response(failure("000605", "Identified SQL statement is not currently executing."))
    return json_response(success())


async def abort_by_id(request: Request) -> Response:
    """POST /queries/<id>/abort-request."""
    state = state_of(request)
    session = state.tokens.session(request.headers.get("authorization"))
    query = state.account.query(request.path_params["query_id"])
    if query is None or not session.owns(query.record) or not query.cancel(cancelled_by_user()):
        return json_response(failure("000605", "Identified SQL statement is not currently executing."))
    return json_response(success())


async def monitor(request: Request) -> Response:
    """GET /monitoring/queries/<id>: a query's state, as ``get_query_status`` reads it."""
    state = state_of(request)
    session = state.tokens.session(request.headers.get("authorization"))
    query_id = request.path_params["query_id"]
    query = state.account.query(query_id)
    record = query.record if query is not None else await asyncio.to_thread(state.account.history.find, query_id)
    if record is None or not session.owns(record):
        return json_response(success({"queries": []}))
    status, code, message = record.execution_status, record.error_code, record.error_message
    if query is not None and not query.done and query.cancelled is not None:
        # Drivers take this for an error and want its number.
        status, code, message = "ABORTING", query.cancelled.code, query.cancelled.message
    described = {
        "id": record.query_id,
        "sqlText": record.query_text,
        "status": status,
        "state": status,
        "startTime": int(record.start_time.timestamp() * 1000),
        "endTime": int(record.end_time.timestamp() * 1000) if record.end_time else 0,
        "totalDuration": record.total_elapsed_time,
        "sessionId": record.session_id,
        "userName": record.user_name,
        "warehouseName": record.warehouse_name,
        "database": record.database_name,
        "schema": record.schema_name,
        "queryTag": record.query_tag,
        "errorCode": f"{code:06d}" if code is not None else "",
        "errorMessage": message or "",
        "stats": {"scanBytes": record.bytes_scanned, "producedRows": record.rows_produced or 0},
    }
    return json_response(success({"queries": [described]}))


async def chunk(request: Request) -> Response:
    """GET /results/<id>/<secret>/<form>/<start>/<end>: rows of a large result."""
    state = state_of(request)
    query_id = request.path_params["query_id"]
    style = Style.from_address(request.query_params.get("style", ""))

    def encode() -> bytes | None:
        try:
            stored = state.account.results.get(query_id)
            if not hmac.compare_digest(secret(stored), request.path_params["secret"]):
                return None
            start, end = request.path_params["start"], request.path_params["end"]
            return result_chunk(stored, request.path_params["form"] == "arrow", style, start, end)
        except (SnowflakeError, IndexError):
            return None

    body = await asyncio.wrap_future(state.account.submit(encode))
    if body is None:
        return Response("No such part of a result is kept.\n", status_code=404, media_type="text/plain")
    return Response(body, media_type="application/octet-stream")


def _base_url(request: Request) -> str:
    """How the client reached this server."""
    host = request.headers.get("host")
    return f"{request.scope['scheme']}://{host}" if host else f"{request.url.scheme}://{request.url.netloc}"
