"""ACCOUNT_USAGE.ACCESS_HISTORY and OBJECT_DEPENDENCIES.

https://docs.snowflake.com/en/sql-reference/account-usage/access_history, .../account-usage/object_dependencies
"""

from __future__ import annotations

from collections.abc import Iterator

from polynya.catalog.information_schema import Request, view
from polynya.catalog.kinds import sql_kind
from polynya.types.sqltype import TIMESTAMP_LTZ, VARCHAR, SqlType, number

_NUMBER = number(38, 0)
_ARRAY = SqlType("ARRAY")


@view(
    "ACCOUNT_USAGE.ACCESS_HISTORY",
    columns=[
        ("QUERY_ID", VARCHAR), ("QUERY_START_TIME", TIMESTAMP_LTZ), ("USER_NAME", VARCHAR),
        ("DIRECT_OBJECTS_ACCESSED", _ARRAY), ("BASE_OBJECTS_ACCESSED", _ARRAY), ("OBJECTS_MODIFIED", _ARRAY),
        ("OBJECT_MODIFIED_BY_DDL", SqlType("OBJECT")), ("POLICIES_REFERENCED", _ARRAY), ("PARENT_QUERY_ID", VARCHAR),
        ("ROOT_QUERY_ID", VARCHAR),
    ],
)  # fmt: skip
def _access_history(request: Request) -> Iterator[tuple]:
    records = request.results.accesses() if request.results is not None else []
    parents = {}
    if any(record["parent_query_id"] for record in records):
        parents = {record["QUERY_ID"]: record["PARENT_QUERY_ID"] for record in request.results.history()}
    for record in records:
        root = parent = record["parent_query_id"]
        while root and parents.get(root):
            root = parents[root]
        yield (
            record["query_id"], record["query_start_time"], record["user_name"], record["direct"], record["base"],
            record["modified"], None, "[]", parent, root,
        )  # fmt: skip


_SIDE = (
    ("DATABASE", VARCHAR),
    ("SCHEMA", VARCHAR),
    ("OBJECT_NAME", VARCHAR),
    ("OBJECT_ID", _NUMBER),
    ("OBJECT_DOMAIN", VARCHAR),
)


@view(
    "ACCOUNT_USAGE.OBJECT_DEPENDENCIES",
    columns=[
        *((f"REFERENCED_{name}", kind) for name, kind in _SIDE), *((f"REFERENCING_{name}", kind) for name, kind in _SIDE),
        ("DEPENDENCY_TYPE", VARCHAR),
    ],
)  # fmt: skip
def _object_dependencies(request: Request) -> Iterator[tuple]:
    catalog = request.context.catalog
    for dependency in request.results.dependencies() if request.results is not None else []:
        for read in dependency.reads:
            sides = []
            for item in (read, dependency.item):
                database, schema, name = catalog.path(item)
                sides += [database, schema, name, item.id, sql_kind(item)]
            yield (*sides, "BY_NAME")
