"""Table functions of INFORMATION_SCHEMA over the account's past statements.

Source: docs.snowflake.com/en/sql-reference/functions/query_history.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from polynya.catalog.monitoring import may_monitor
from polynya.dialect import casts
from polynya.dialect.expression import Expr, quote, quote_string
from polynya.dialect.functions.tables import argument
from polynya.dialect.registry import Call
from polynya.dialect.scope import Source, source_columns
from polynya.dialect.table_functions import table_function
from polynya.errors import compilation_error, invalid_argument_types, unsupported
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column
from polynya.types.sqltype import BOOLEAN, FLOAT, INTEGER, TIMESTAMP_LTZ, VARCHAR, SqlType

_TEXTS = """QUERY_ID QUERY_TEXT DATABASE_NAME SCHEMA_NAME QUERY_TYPE USER_NAME ROLE_NAME WAREHOUSE_NAME WAREHOUSE_SIZE
WAREHOUSE_TYPE QUERY_TAG EXECUTION_STATUS ERROR_CODE ERROR_MESSAGE OUTBOUND_DATA_TRANSFER_CLOUD
OUTBOUND_DATA_TRANSFER_REGION INBOUND_DATA_TRANSFER_CLOUD INBOUND_DATA_TRANSFER_REGION RELEASE_VERSION QUERY_HASH
QUERY_PARAMETERIZED_HASH"""
_COLUMNS = """QUERY_ID QUERY_TEXT DATABASE_NAME SCHEMA_NAME QUERY_TYPE SESSION_ID USER_NAME ROLE_NAME WAREHOUSE_NAME
WAREHOUSE_SIZE WAREHOUSE_TYPE CLUSTER_NUMBER QUERY_TAG EXECUTION_STATUS ERROR_CODE ERROR_MESSAGE START_TIME END_TIME
TOTAL_ELAPSED_TIME BYTES_SCANNED ROWS_PRODUCED COMPILATION_TIME EXECUTION_TIME QUEUED_PROVISIONING_TIME
QUEUED_REPAIR_TIME QUEUED_OVERLOAD_TIME TRANSACTION_BLOCKED_TIME OUTBOUND_DATA_TRANSFER_CLOUD
OUTBOUND_DATA_TRANSFER_REGION OUTBOUND_DATA_TRANSFER_BYTES INBOUND_DATA_TRANSFER_CLOUD INBOUND_DATA_TRANSFER_REGION
INBOUND_DATA_TRANSFER_BYTES LIST_EXTERNAL_FILES_TIME CREDITS_USED_CLOUD_SERVICES ROWS_INSERTED ROWS_UPDATED
ROWS_DELETED RELEASE_VERSION IS_CLIENT_GENERATED_STATEMENT QUERY_HASH QUERY_PARAMETERIZED_HASH"""
_SPECIAL: dict[str, SqlType] = {
    "START_TIME": TIMESTAMP_LTZ, "END_TIME": TIMESTAMP_LTZ, "CREDITS_USED_CLOUD_SERVICES": FLOAT,
    "IS_CLIENT_GENERATED_STATEMENT": BOOLEAN,
}  # fmt: skip
COLUMNS = [
    Column(name, _SPECIAL.get(name, VARCHAR if name in _TEXTS.split() else INTEGER)) for name in _COLUMNS.split()
]
# What is measured nowhere here, and Snowflake answers with 0 where nothing happened.
_ZERO = {
    name
    for name in _COLUMNS.split()
    if name.startswith("QUEUED_") or name.endswith(("_BYTES", "_BLOCKED_TIME", "_FILES_TIME"))
}
_MOST = 10_000

_ARGUMENTS = {
    "QUERY_HISTORY": (
        "END_TIME_RANGE_START",
        "END_TIME_RANGE_END",
        "RESULT_LIMIT",
        "INCLUDE_CLIENT_GENERATED_STATEMENT",
    ),
    "QUERY_HISTORY_BY_SESSION": ("SESSION_ID", "END_TIME_RANGE_START", "END_TIME_RANGE_END", "RESULT_LIMIT"),
    "QUERY_HISTORY_BY_USER": ("USER_NAME", "END_TIME_RANGE_START", "END_TIME_RANGE_END", "RESULT_LIMIT"),
    "QUERY_HISTORY_BY_WAREHOUSE": ("WAREHOUSE_NAME", "END_TIME_RANGE_START", "END_TIME_RANGE_END", "RESULT_LIMIT"),
}


@table_function(*_ARGUMENTS)
def query_history(call: Call) -> Source:
    """The last statements that the session may see, of the account, a session, a user or a warehouse, newest first."""
    names = _ARGUMENTS[call.name]
    for name in call.named:
        if name not in names and name != "INCLUDE_CLIENT_GENERATED_STATEMENT":
            raise compilation_error(1015, "22023", f"Unknown argument '{name}' of {call.name}.", call.position)
    values = {name: argument(call, name, position) for position, name in enumerate(names)}
    given = {name: call.binder.expression(node) for name, node in values.items() if node is not None}
    if call.binder.results is None:
        raise unsupported(f"{call.name} here")
    records = [record for record in call.binder.results.history() if may_monitor(call.context, record)]
    relation = call.binder.add_input(history_table(records))
    conditions = _conditions(call, given)
    limit = given["RESULT_LIMIT"].constant if "RESULT_LIMIT" in given else 100
    if not isinstance(limit, int) or not 1 <= limit <= _MOST:
        raise compilation_error(1015, "22023", f"RESULT_LIMIT must be between 1 and {_MOST}.", call.position)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f'(SELECT * FROM {relation}{where} ORDER BY "END_TIME" DESC NULLS FIRST, "START_TIME" DESC LIMIT {limit})'
    return Source(sql, source_columns(COLUMNS))


def _conditions(call: Call, given: dict[str, Expr]) -> list[str]:
    conditions = []
    if call.name == "QUERY_HISTORY_BY_SESSION":
        session = given.get("SESSION_ID")
        conditions.append(f'"SESSION_ID" = {session.sql if session else call.context.session_id}')
    for name, column, current in (
        ("QUERY_HISTORY_BY_USER", "USER_NAME", call.context.user),
        ("QUERY_HISTORY_BY_WAREHOUSE", "WAREHOUSE_NAME", call.context.warehouse),
    ):
        if call.name == name:
            wanted = given.get(column)
            value = wanted.sql if wanted else quote_string(current or "")
            conditions.append(f"{quote(column)} = upper({value})")
    for name, operator in (("END_TIME_RANGE_START", ">="), ("END_TIME_RANGE_END", "<=")):
        if name in given:
            moment = casts.coerce(given[name], TIMESTAMP_LTZ, call.context)
            if moment is None:
                raise invalid_argument_types(call.name, [str(given[name].type)], call.position)
            conditions.append(f'coalesce("END_TIME", now()) {operator} {moment.atom}')
    return conditions


def history_table(records: list[dict[str, Any]]) -> pa.Table:
    """Records of statements as rows of QUERY_HISTORY, in the engine's forms.

    Args:
        records: QUERY_HISTORY's columns by name; those that are not kept may be missing.
    """
    arrays = []
    for column in COLUMNS:
        values = [_value(record, column) for record in records]
        arrays.append(pa.array(values, arrow_type(column.type)))
    return pa.Table.from_arrays(arrays, names=[column.name for column in COLUMNS])


def _value(record: dict[str, Any], column: Column) -> Any:
    value = record.get(column.name)
    if value is None:
        if column.name == "EXECUTION_TIME":
            value = (record.get("TOTAL_ELAPSED_TIME") or 0) - (record.get("QUEUED_OVERLOAD_TIME") or 0)
        elif column.name == "COMPILATION_TIME" or column.name in _ZERO:
            value = 0
    if value is None:
        return None
    if column.type == INTEGER:
        return Decimal(int(value))
    return f"{value:06d}" if column.name == "ERROR_CODE" and isinstance(value, int) else value
