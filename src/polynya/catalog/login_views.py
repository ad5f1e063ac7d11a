"""Logins as rows: ACCOUNT_USAGE.LOGIN_HISTORY, and what INFORMATION_SCHEMA's table functions show.

Sources: docs.snowflake.com/en/sql-reference/account-usage/login_history, .../functions/login_history.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polynya.catalog.context import Context
from polynya.catalog.information_schema import Request, view
from polynya.catalog.rights import has, rights
from polynya.types.resultset import Column
from polynya.types.sqltype import TIMESTAMP_LTZ, VARCHAR, SqlType, number

_NUMBER = number(38, 0)
_KINDS: dict[str, SqlType] = {
    "EVENT_TIMESTAMP": TIMESTAMP_LTZ, "EVENT_ID": _NUMBER, "ERROR_CODE": _NUMBER, "RELATED_EVENT_ID": _NUMBER,
}  # fmt: skip
_SHARED = """EVENT_TYPE USER_NAME CLIENT_IP REPORTED_CLIENT_TYPE REPORTED_CLIENT_VERSION FIRST_AUTHENTICATION_FACTOR
SECOND_AUTHENTICATION_FACTOR IS_SUCCESS ERROR_CODE ERROR_MESSAGE RELATED_EVENT_ID CONNECTION"""


def _columns(names: str) -> list[Column]:
    return [Column(name, _KINDS.get(name, VARCHAR)) for name in names.split()]


# Of the table functions; the view has the first two the other way round.
COLUMNS = _columns(f"EVENT_TIMESTAMP EVENT_ID {_SHARED}")
_OF_VIEW = _columns(f"EVENT_ID EVENT_TIMESTAMP {_SHARED} CLIENT_PRIVATE_LINK_ID")


def visible(context: Context, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The logins that a session may see: its user's, those of users that its roles own or monitor, and for the account's
    administrators all, with those of nobody known."""
    if context.unrestricted or rights(context).administrator:
        return records
    names = {record["USER_NAME"] for record in records} - {None, context.user}
    users = [context.catalog.child(0, "USER", name) for name in names]
    seen = {user.name for user in users if user is not None and has(context, ("OWNERSHIP", "MONITOR"), user)}
    return [record for record in records if record["USER_NAME"] in seen | {context.user}]


def row(record: dict[str, Any], columns: list[Column] = COLUMNS) -> tuple:
    """A record as a row."""
    return tuple(record.get(column.name) for column in columns)


@view("ACCOUNT_USAGE.LOGIN_HISTORY", columns=[(column.name, column.type) for column in _OF_VIEW])
def _login_history(request: Request) -> Iterator[tuple]:
    if request.results is not None:
        for record in request.results.logins():
            yield row(record, _OF_VIEW)
