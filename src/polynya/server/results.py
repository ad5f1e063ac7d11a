"""A finished query -> the reply's ``data``: columns, rows inline, the rest as chunks to download."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from polynya.errors import SnowflakeError
from polynya.server import arrow_wire, json_wire
from polynya.server.parameters import Reported
from polynya.server.reply import error_reply
from polynya.server.rowtype import row_type
from polynya.server.style import Style
from polynya.server.transfer import for_client
from polynya.session.results import StoredResult
from polynya.types.resultset import ResultSet, StatementType

if TYPE_CHECKING:
    from polynya.catalog.context import Context
    from polynya.session.query import Query

# A result of up to so many bytes is sent with the reply itself. Of a larger one only the first rows are; the rest is
# downloaded in chunks, several at a time.
INLINE_BYTES = 256 << 10
FIRST_BYTES = 100 << 10
CHUNK_BYTES = 4 << 20
_FEW_ROWS = 500
# Signs the addresses of chunks while this server runs.
_KEY = secrets.token_bytes(32)
# Statements whose answers are few rows of text: always JSON, as Snowflake sends them.
_ARROW_TYPES = {StatementType.SELECT, StatementType.UNKNOWN}


@dataclass(slots=True)
class Wire:
    """How a stored result is sent to clients of one kind; kept with the result, so it does not hold it.

    Args:
        bounds: first rows of the chunks, and the number of rows at the end; chunk 0 is sent inline.
        style: how semi-structured values are written.
        plan: for Arrow; None for JSON.
    """

    bounds: list[int]
    style: Style
    plan: arrow_wire.ArrowPlan | None


def chunk(result: StoredResult, arrow: bool, style: Style, start: int, end: int) -> bytes:
    """One chunk's body: an Arrow stream, or rows of JSON without the outer brackets.

    Its rows are named, not its number: a result that was put aside and read again may be cut elsewhere.

    Args:
        result: of which it is.
        arrow: else JSON.
        style: of the session that asked for the result.
        start: the first row, from 0.
        end: after the last one.

    Raises:
        IndexError: if there are no such rows.
    """
    if not 0 <= start < end <= result.rows:
        raise IndexError(start, end)
    prepared = wire(result, arrow, style)
    piece = result.table.slice(start, end - start)
    if prepared.plan is not None:
        return prepared.plan.encode(piece.to_batches())
    return orjson.dumps(json_wire.rows(result.columns, piece, style))[1:-1]


def wire(result: StoredResult, arrow: bool, style: Style) -> Wire:
    """Decides how to send a stored result; remembered with it.

    Args:
        result: to send.
        arrow: else JSON.
        style: of the session that asks.
    """
    known = result.wire or {}
    key = (arrow, style)
    prepared = known.get(key)
    if prepared is None:
        table = result.table
        plan = arrow_wire.plan(result.columns, table, style) if arrow else None
        prepared = Wire(_bounds(table, plan.schema if plan else table.schema), style, plan)
        result.wire = {**known, key: prepared}
    return prepared


def _bounds(table: pa.Table, schema: pa.Schema) -> list[int]:
    """Where the chunks of a result begin, and its number of rows at the end.

    Args:
        table: the rows, in the engine's forms.
        schema: as they are sent; for JSON the table's own.
    """
    total = table.num_rows
    if total <= _FEW_ROWS:
        return [0, total]
    row = sum(_value_bytes(field.type, values, total) for field, values in zip(schema, table.columns, strict=True))
    if row * total <= INLINE_BYTES:
        return [0, total]
    bounds = [0, max(1, int(FIRST_BYTES / row))]
    step = max(1, int(CHUNK_BYTES / row))
    while bounds[-1] < total:
        bounds.append(min(bounds[-1] + step, total))
    return bounds


def _value_bytes(sent_as: pa.DataType, values: pa.ChunkedArray, rows: int) -> float:
    """What a value of a column takes on the wire, on average."""
    try:
        return max(sent_as.bit_width, 8) / 8
    except ValueError:  # of varying length
        return values.nbytes / rows


def wants_arrow(context: Context, parameters: dict[str, Any]) -> bool:
    """Whether a client reads Arrow: Python's drivers unless they say JSON, others only if they say Arrow."""
    name = "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT"
    application = str(context.client.get("CLIENT_APP_ID", ""))
    if not application.startswith("Python"):
        name = f"{application.upper()}_QUERY_RESULT_FORMAT"
    value = parameters.get(name, context.parameter(name))
    return str(value or "JSON").upper().startswith("ARROW")


def reply(query: Query, base_url: str, local: bool, reported: Reported) -> bytes:
    """The reply to a finished query.

    Args:
        query: done.
        base_url: of this server as the client reaches it, for chunks.
        local: whether the client runs on this machine and copies staged files itself.
        reported: which parameters the client knows.
    """
    if query.error is not None:
        return error_reply(query.error, query.id)
    session = query.session
    try:
        result = query.result if query.result is not None else session.account.results.get(query.id)
        data = _data(query, result, base_url, local)
    except SnowflakeError as error:
        return error_reply(error, query.id)
    context = session.context
    data["finalDatabaseName"] = context.database
    data["finalSchemaName"] = context.schema
    data["finalWarehouseName"] = context.warehouse
    data["finalRoleName"] = context.role
    changed = reported.changes(context)
    if changed is not None:
        data["parameters"] = changed
    return orjson.dumps({"data": data, "code": None, "message": None, "success": True})


def _data(query: Query, result: StoredResult | ResultSet, base_url: str, local: bool) -> dict[str, Any]:
    style = Style.of(query.session.context)
    data: dict[str, Any] = {
        "queryId": query.id,
        "sqlState": "00000",
        "statementTypeId": int(result.statement_type),
        "rowtype": row_type(result.columns, style.structured),
        "databaseProvider": None,
        "arrayBindSupported": True,
        "version": 1,
        "sendResultTime": int(time.time() * 1000),
        "queryResultFormat": "json",
        "rowset": [],
        "total": 0,
        "returned": 0,
    }
    if isinstance(result, ResultSet):  # described, not run
        if wants_arrow(query.session.context, query.parameters) and result.statement_type in _ARROW_TYPES:
            del data["rowset"]
            data["queryResultFormat"] = "arrow"
            data["rowsetBase64"] = ""
        return data
    data["total"] = data["returned"] = result.rows
    if result.transfer is not None:
        data.update(for_client(result.transfer, base_url, local))
        return data
    if result.statement_type == StatementType.MULTI_STATEMENT:
        children = [query.session.account.results.get(child) for child in result.child_query_ids]
        data["resultIds"] = ",".join(child.query_id for child in children)
        data["resultTypes"] = ",".join(str(int(child.statement_type)) for child in children)
    add_rows(data, result, query.session.context, query.parameters, base_url, style)
    if 0x3000 <= result.statement_type <= 0x3500 and result.rows_affected is not None:
        data["stats"] = _stats(result)
    return data


def add_rows(
    data: dict[str, Any],
    result: StoredResult,
    context: Context,
    parameters: dict[str, Any],
    base_url: str,
    style: Style,
) -> None:
    """Puts the first rows into a reply, and the addresses of the others."""
    arrow = result.statement_type in _ARROW_TYPES and wants_arrow(context, parameters)
    prepared = wire(result, arrow, style)
    end = prepared.bounds[1]
    if arrow:
        data["queryResultFormat"] = "arrow"
        data.pop("rowset", None)
        data["rowsetBase64"] = base64.b64encode(chunk(result, True, style, 0, end)).decode() if result.rows else ""
    else:
        piece = result.table if end == result.rows else result.table.slice(0, end)
        data["rowset"] = json_wire.rows(result.columns, piece, style)
    if len(prepared.bounds) > 2:
        data["returned"] = result.rows
        data["chunks"] = _chunks(result, prepared, arrow, base_url)
        data["chunkHeaders"] = {}


def _chunks(result: StoredResult, prepared: Wire, arrow: bool, base_url: str) -> list[dict[str, Any]]:
    per_row = result.table.nbytes / max(result.rows, 1)
    form = "arrow" if arrow else "json"
    style = prepared.style.to_address()
    chunks = []
    for start, end in pairwise(prepared.bounds[1:]):
        size = int((end - start) * per_row)
        chunks.append(
            {
                "url": f"{base_url}/results/{result.query_id}/{secret(result)}/{form}/{start}/{end}?style={style}",
                "rowCount": end - start,
                "uncompressedSize": size,
                "compressedSize": size,
            }
        )
    return chunks


def secret(result: StoredResult) -> str:
    """What a chunk's address must name besides the query id: drivers download chunks without their token."""
    return hmac.new(_KEY, result.query_id.encode(), hashlib.sha256).hexdigest()[:32]


def _stats(result: StoredResult) -> dict[str, int]:
    names = {"number of rows inserted": "numRowsInserted", "number of rows updated": "numRowsUpdated"}
    names["number of rows deleted"] = "numRowsDeleted"
    values = dict.fromkeys([*names.values(), "numDmlDuplicates"], 0)
    for column, array in zip(result.columns, result.table.columns, strict=True):
        if column.name in names and result.rows:
            values[names[column.name]] = int(array[0].as_py())
    return values
