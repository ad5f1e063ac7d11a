"""SHOW SHARES and SHOW GRANTS OF SHARE. https://docs.snowflake.com/en/sql-reference/sql/show-shares"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from polynya.catalog import rights
from polynya.catalog.imported import share_of
from polynya.dialect.tokens import TokenStream
from polynya.statements.base import Execution, statement
from polynya.statements.shares import imports_of
from polynya.statements.sharing import offer
from polynya.statements.show.listing import MOMENT, TEXT, Field, answer, read_request
from polynya.types.resultset import ResultSet


@dataclass(slots=True)
class _Share:
    """One row of SHOW SHARES."""

    created_on: datetime
    kind: str
    owner_account: str
    name: str
    database_name: str
    to: str
    owner: str
    comment: str
    secure_objects_only: str


_FIELDS: list[Field] = [
    ("created_on", MOMENT, lambda share: share.created_on),
    ("kind", TEXT, lambda share: share.kind),
    ("owner_account", TEXT, lambda share: share.owner_account),
    ("name", TEXT, lambda share: share.name),
    ("database_name", TEXT, lambda share: share.database_name),
    ("to", TEXT, lambda share: share.to),
    ("owner", TEXT, lambda share: share.owner),
    ("comment", TEXT, lambda share: share.comment),
    ("listing_global_name", TEXT, lambda share: ""),
    ("secure_objects_only", TEXT, lambda share: share.secure_objects_only),
]


@statement("SHOW SHARES")
def show_shares(execution: Execution, stream: TokenStream) -> ResultSet:
    stream.expect("SHOW", "SHARES")
    catalog = execution.context.catalog
    request = read_request(execution, stream, default="ACCOUNT")
    imported = {share_of(item): item.name for item in catalog.children(0, "DATABASE") if share_of(item)}
    found = [
        _Share(
            head.created_on,
            "INBOUND",
            head.account,
            head.name,
            imported.get(head.full_name, ""),
            "",
            "",
            head.comment,
            "",
        )
        for head in imports_of(execution).heads()
        if rights.has_account(execution.context, "IMPORT SHARE")
    ]
    found += [
        _Share(
            share.created_on, "OUTBOUND", catalog.account_name, share.name, offer.database_of(catalog, share),
            ", ".join(offer.accounts_of(share)), share.owner, share.comment,
            "false" if share.options.get("SECURE_OBJECTS_ONLY") is False else "true",
        )
        for share in catalog.visible(execution.context, 0, "SHARE")
    ]  # fmt: skip
    return answer(_FIELDS, request.select(sorted(found, key=lambda share: (share.name, share.owner_account))))


@dataclass(slots=True)
class _Account:
    """One row of SHOW GRANTS OF SHARE."""

    created_on: datetime
    share: str
    name: str
    granted_by: str


ACCOUNTS_OF: list[Field] = [
    ("created_on", MOMENT, lambda account: account.created_on),
    ("share", TEXT, lambda account: account.share),
    ("granted_to", TEXT, lambda account: "ACCOUNT"),
    ("grantee_name", TEXT, lambda account: account.name),
    ("granted_by", TEXT, lambda account: account.granted_by),
]


def accounts_of(execution: Execution, parts: list[str]) -> list[_Account]:
    """The accounts that a share is given to."""
    share = execution.context.catalog.get(execution.context, "SHARE", parts)
    return [_Account(share.created_on, share.name, name, share.owner) for name in offer.accounts_of(share)]
