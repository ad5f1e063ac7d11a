"""Table functions of INFORMATION_SCHEMA over the account's logins.

Source: docs.snowflake.com/en/sql-reference/functions/login_history.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from polynya.catalog import login_views
from polynya.dialect import casts
from polynya.dialect.expression import Expr, quote_string
from polynya.dialect.functions.tables import history_arguments, rows_source
from polynya.dialect.registry import Call
from polynya.dialect.scope import Source
from polynya.dialect.table_functions import table_function
from polynya.dialect.tokens import TokenStream
from polynya.errors import invalid_argument_types
from polynya.types.sqltype import TIMESTAMP_LTZ

_ARGUMENTS = {
    "LOGIN_HISTORY": ("TIME_RANGE_START", "TIME_RANGE_END", "RESULT_LIMIT"),
    "LOGIN_HISTORY_BY_USER": ("USER_NAME", "TIME_RANGE_START", "TIME_RANGE_END", "RESULT_LIMIT"),
}
_DAYS = 7
_MOST = 10_000


@table_function(*_ARGUMENTS)
def login_history(call: Call) -> Source:
    """The last logins of the past week that the session may see, of the account or of a user, newest first."""
    given, limit = history_arguments(call, _ARGUMENTS[call.name], 100, _MOST)
    records = [] if call.binder.results is None else login_views.visible(call.context, call.binder.results.logins())
    earliest = datetime.now(UTC) - timedelta(days=_DAYS)
    recent = [login_views.row(record) for record in records if record["EVENT_TIMESTAMP"] >= earliest]
    source = rows_source(call, login_views.COLUMNS, recent)
    where = " AND ".join(_conditions(call, given)) or "TRUE"
    order = 'ORDER BY "EVENT_TIMESTAMP" DESC, "EVENT_ID" DESC'
    return Source(f"(SELECT * FROM {source.sql} WHERE {where} {order} LIMIT {limit})", source.columns)


def _conditions(call: Call, given: dict[str, Expr]) -> list[str]:
    conditions = []
    if call.name == "LOGIN_HISTORY_BY_USER":
        user = call.context.user
        if "USER_NAME" in given:
            user = TokenStream(str(given["USER_NAME"].constant)).name()[-1]
        conditions.append(f'"USER_NAME" = {quote_string(user)}')
    for name, operator in (("TIME_RANGE_START", ">="), ("TIME_RANGE_END", "<=")):
        if name in given:
            moment = casts.coerce(given[name], TIMESTAMP_LTZ, call.context)
            if moment is None:
                raise invalid_argument_types(call.name, [str(given[name].type)], call.position)
            conditions.append(f'"EVENT_TIMESTAMP" {operator} {moment.atom}')
    return conditions
