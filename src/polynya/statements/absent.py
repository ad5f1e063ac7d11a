"""Kinds of objects that the warehouse does not have: SHOW answers none of them, DROP finds none.

Their CREATE is refused by name. https://docs.snowflake.com/en/sql-reference/sql/show
"""

from __future__ import annotations

from polynya.dialect.tokens import TokenStream
from polynya.errors import does_not_exist, unsupported
from polynya.statements.base import CREATE_MODIFIERS, Execution, statement
from polynya.statements.objects import full_text
from polynya.statements.show.listing import COUNT, MOMENT, TEXT, read_request
from polynya.types.resultset import Column, ResultSet, StatementType, rows, status
from polynya.types.sqltype import SqlType

# Kind -> its plural's columns.
_COLUMNS = {
    "EXTERNAL TABLE": (
        "created_on name database_name schema_name invalid invalid_reason owner comment stage location file_format_name "
        "file_format_type cloud region notification_channel last_refreshed_on table_format last_refresh_details owner_role_type"
    ),
    "MATERIALIZED VIEW": (
        "created_on name reserved database_name schema_name cluster_by rows bytes source_database_name source_schema_name "
        "source_table_name refreshed_on compacted_on owner invalid invalid_reason behind_by comment text is_secure "
        "automatic_clustering owner_role_type budget"
    ),
    "EXTERNAL FUNCTION": (
        "created_on name schema_name is_builtin is_aggregate is_ansi min_num_arguments max_num_arguments arguments description "
        "catalog_name is_table_function valid_for_clustering is_secure secrets external_access_integrations "
        "is_external_function language is_memoizable is_data_metric"
    ),
    "PIPE": (
        "created_on name database_name schema_name definition owner notification_channel comment integration pattern "
        "error_integration owner_role_type invalid_reason"
    ),
    "ALERT": "created_on name database_name schema_name owner comment warehouse schedule state condition action owner_role_type",
    "STREAMLIT": "created_on name database_name schema_name title owner comment query_warehouse url_id owner_role_type",
    "NOTEBOOK": "created_on name database_name schema_name comment owner query_warehouse url_id owner_role_type",
    "REGION": "region_group snowflake_region cloud region display_name",
}  # fmt: skip
_TERSE = "created_on name kind database_name schema_name"
_MOMENTS = {
    "created_on",
    "last_refreshed_on",
    "refreshed_on",
    "compacted_on",
}
_COUNTS = {"rows", "bytes", "min_num_arguments", "max_num_arguments"}


def _plural(kind: str) -> str:
    return kind[:-1] + "IES" if kind.endswith("Y") else kind + "S"


_PLURALS = {_plural(kind): columns for kind, columns in _COLUMNS.items()}


@statement(*(f"SHOW {plural}" for plural in _PLURALS), *(f"SHOW TERSE {plural}" for plural in _PLURALS))
def show(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW")
    terse = stream.accept("TERSE")
    plural = stream.accept_one(*_PLURALS)
    if plural is None:
        raise stream.error()
    read_request(execution, stream)
    names = (_TERSE if terse else _PLURALS[plural]).split()
    return rows([Column(name, _type(name)) for name in names], [], StatementType.SHOW)


def _type(column: str) -> SqlType:
    return MOMENT if column in _MOMENTS else COUNT if column in _COUNTS else TEXT


@statement(*(f"CREATE {kind}" for kind in _COLUMNS if kind != "REGION"))
def create(execution: Execution, stream: TokenStream) -> ResultSet:
    del execution
    words = [word for word in stream.words()[1:] if word not in CREATE_MODIFIERS]
    kinds = sorted(_COLUMNS, key=len, reverse=True)
    raise unsupported("CREATE " + next(kind for kind in kinds if words[: len(kind.split())] == kind.split()))


_DROPPED = [kind for kind in _COLUMNS if kind not in ("REGION", "EXTERNAL FUNCTION")]


@statement(*(f"DROP {kind}" for kind in _DROPPED))
def drop(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("DROP")
    kind = stream.accept_one(*_DROPPED)
    assert kind is not None
    if_exists = stream.accept("IF", "EXISTS")
    parts = stream.name()
    stream.expect_end()
    if if_exists:
        return status(f"Drop statement executed successfully ({parts[-1]} already dropped).")
    raise does_not_exist(kind.capitalize(), full_text(execution.context.catalog.qualify(execution.context, parts)))
