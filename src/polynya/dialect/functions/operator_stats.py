"""GET_QUERY_OPERATOR_STATS: the operators of a query that ran.

The engine keeps no profile of past queries: the operators are those of its plan for the same text now, and of the
statistics only the rows of the result are known.

Source: docs.snowflake.com/en/sql-reference/functions/get_query_operator_stats
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa

from polynya.catalog.monitoring import may_monitor
from polynya.dialect import plans
from polynya.dialect.functions.tables import argument
from polynya.dialect.query import bind_query
from polynya.dialect.registry import Call
from polynya.dialect.scope import Source, source_columns
from polynya.dialect.table_functions import table_function
from polynya.errors import SnowflakeError, unsupported
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column
from polynya.types.sqltype import ARRAY, INTEGER, VARCHAR, VARIANT

_COLUMNS = [
    Column("QUERY_ID", VARCHAR), Column("STEP_ID", INTEGER), Column("OPERATOR_ID", INTEGER),
    Column("PARENT_OPERATORS", ARRAY), Column("OPERATOR_TYPE", VARCHAR), Column("OPERATOR_STATISTICS", VARIANT),
    Column("EXECUTION_TIME_BREAKDOWN", VARIANT), Column("OPERATOR_ATTRIBUTES", VARIANT),
]  # fmt: skip


@table_function("GET_QUERY_OPERATOR_STATS")
def get_query_operator_stats(call: Call) -> Source:
    node = argument(call, "QUERY_ID", 0)
    results = call.binder.results
    if node is None or results is None:
        raise unsupported("GET_QUERY_OPERATOR_STATS here")
    query_id = str(call.binder.expression(node).constant)
    record = next((row for row in reversed(results.history()) if row["QUERY_ID"] == query_id), None)
    if record is None or not may_monitor(call.context, record):
        raise SnowflakeError(709, "02000", f"Statement {query_id} not found")
    values = [] if call.binder.env.describe_only else _rows(call, record)
    arrays = [
        pa.array([row[index] for row in values], arrow_type(column.type)) for index, column in enumerate(_COLUMNS)
    ]
    relation = call.binder.add_input(pa.Table.from_arrays(arrays, names=[column.name for column in _COLUMNS]))
    return Source(f"(SELECT * FROM {relation})", source_columns(_COLUMNS))


def _rows(call: Call, record: dict[str, Any]) -> list[tuple]:
    result = plans.Operator(0, None, "Result", {})
    execution = call.binder.execution
    try:
        bound = bind_query(record["QUERY_TEXT"], call.context, execution=execution)
        found = plans.operators(execution.connection, call.context.catalog, bound)
    except SnowflakeError:  # no query, or what it read is gone
        found = [result]
    rows = []
    for operator in found:
        statistics = {"output_rows": record.get("ROWS_PRODUCED") or 0} if operator.parent is None else {}
        rows.append(
            (
                record["QUERY_ID"],
                Decimal(1),
                Decimal(operator.id),
                None if operator.parent is None else f"[{operator.parent}]",
                operator.name,
                json.dumps(statistics, separators=(",", ":")),
                "{}",
                json.dumps(operator.details, sort_keys=True, separators=(",", ":")),
            )
        )
    return rows
