"""SYSTEM$STREAM_HAS_DATA and SYSTEM$STREAM_GET_TABLE_TIMESTAMP.

Source: docs.snowflake.com/en/sql-reference/functions/system_stream_has_data, .../system_stream_get_table_timestamp.
"""

from __future__ import annotations

from datetime import UTC, datetime

from polynya.catalog.rights import require
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr, null
from polynya.dialect.functions.context import text, truth
from polynya.dialect.registry import Call, scalar
from polynya.dialect.streams import find_stream, has_data
from polynya.storage import stream_offsets
from polynya.types.sqltype import BOOLEAN, VARCHAR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@scalar("SYSTEM$STREAM_HAS_DATA", args=1)
def stream_has_data(call: Call) -> Expr:
    """Whether a stream has rows that were not consumed yet."""
    stream = find_stream(call.context, str(call.constant(0)))
    require(call.context, "SELECT", stream)
    env = call.binder.env
    if env.describe_only or env.execution is None:
        return null(BOOLEAN)
    return truth(has_data(call.context, stream, Environment(call.context, env.execution)))


@scalar("SYSTEM$STREAM_GET_TABLE_TIMESTAMP", args=1)
def stream_table_timestamp(call: Call) -> Expr:
    """The moment of a stream's offset, in nanoseconds since 1970."""
    stream = find_stream(call.context, str(call.constant(0)))
    if call.binder.env.execution is None:
        return null(VARCHAR)
    moment = stream_offsets.offset_of(call.binder.env.execution.connection, stream).moment
    return text(str(round((moment - _EPOCH).total_seconds() * 1_000_000) * 1000))
