"""The engine's plan of a query as a list of operators with Snowflake's names.

Source: docs.snowflake.com/en/sql-reference/functions/get_query_operator_stats (types of operators)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from polynya.dialect.query import BoundQuery
from polynya.storage.connection import Connection

_NAMES = {
    "COLUMN_DATA_SCAN": "ValuesClause", "EXPRESSION_SCAN": "ValuesClause", "DUMMY_SCAN": "ValuesClause",
    "RANGE": "Generator", "FILTER": "Filter", "HASH_GROUP_BY": "Aggregate", "PERFECT_HASH_GROUP_BY": "Aggregate",
    "UNGROUPED_AGGREGATE": "Aggregate", "SIMPLE_AGGREGATE": "Aggregate", "ORDER_BY": "Sort", "TOP_N": "SortWithLimit",
    "LIMIT": "Limit", "STREAMING_LIMIT": "Limit", "UNION": "UnionAll", "WINDOW": "WindowFunction",
    "STREAMING_WINDOW": "WindowFunction", "UNNEST": "Flatten", "CROSS_PRODUCT": "CartesianJoin", "CTE": "WithClause",
    "CTE_SCAN": "WithReference", "EMPTY_RESULT": "Result",
}  # fmt: skip
_JOINS = {"INNER": "InnerJoin", "LEFT": "LeftOuterJoin", "RIGHT": "RightOuterJoin", "OUTER": "FullOuterJoin"}


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of a plan.

    Args:
        id: from 0, the result.
        parent: the operator that takes its rows, None for the result.
        name: Snowflake's type of operator, e.g. ``InnerJoin``; the engine's where Snowflake has none.
        details: what it works on: conditions, expressions, names.
    """

    id: int
    parent: int | None
    name: str
    details: dict[str, Any]


def operators(connection: Connection, bound: BoundQuery) -> list[Operator]:
    """The operators of a query's plan, from the result down; the query is not run."""
    plan = connection.table(f"EXPLAIN (FORMAT JSON) {bound.sql}", bound.inputs).column(1)[0].as_py()
    found = [Operator(0, None, "Result", {})]
    stack = [(node, 0) for node in reversed(json.loads(plan))]
    while stack:
        node, parent = stack.pop()
        name, details = str(node.get("name", "")).strip(), dict(node.get("extra_info") or {})
        if "Conditions" in details:
            details["equality_join_condition"] = details.pop("Conditions")
        operator = Operator(len(found), parent, _name(name, details), details)
        found.append(operator)
        stack.extend((child, operator.id) for child in reversed(node.get("children") or []))
    return found


def _name(name: str, details: dict[str, Any]) -> str:
    if name.endswith("_JOIN"):
        return _JOINS.get(str(details.get("Join Type", "")), "Join")
    if name.endswith("_SCAN") and name not in _NAMES:
        return "TableScan"
    return _NAMES.get(name, name.title().replace("_", ""))
