"""Procedures in the worker: the handler gets a Snowpark session of the caller's before its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from polynya.runtime import results, sandbox, values
from polynya.runtime.handler import Handler
from polynya.runtime.session import close_session, open_session, table_query
from polynya.types.sqltype import VARIANT

Answer = tuple[dict[str, Any], pa.RecordBatch | None]


class Procedure:
    """A loaded procedure.

    Args:
        handler: what it was loaded from.
        function: its entry.
    """

    def __init__(self, handler: Handler, function: Any) -> None:
        self._handler = handler
        self._function = function

    def run(self, header: dict[str, Any], batch: pa.RecordBatch) -> Iterator[Answer]:
        """Calls it; the answer has the scalar, or the text of the query whose rows are the table."""
        handler = self._handler
        arguments = [
            values.to_list(column, kind, handler.timezone)[0]
            for column, (_, kind) in zip(batch.columns, handler.arguments, strict=False)
        ]
        session = open_session(sandbox.environment())
        try:
            found = self._function(session, *arguments)
            if handler.returns_table is not None:
                yield {"ok": True, "query": table_query(found)}, None
                return
        finally:
            close_session(session)
        kind = handler.returns or VARIANT
        if kind.name == "VARCHAR" and found is not None:
            found = str(found)
        made = results.column([found], kind, handler.timezone)
        yield {"ok": True}, pa.RecordBatch.from_arrays([made], ["result"])
