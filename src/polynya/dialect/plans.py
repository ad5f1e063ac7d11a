"""The engine's plan of a query as a list of operators with Snowflake's names.

Source: docs.snowflake.com/en/sql-reference/functions/get_query_operator_stats (types of operators)
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from polynya.catalog.policies import is_protected
from polynya.catalog.store import Catalog
from polynya.dialect.query import BoundQuery
from polynya.storage.connection import Connection
from polynya.storage.steps import Inputs, Step

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


def operators(connection: Connection, catalog: Catalog, bound: BoundQuery) -> list[Operator]:
    """The operators of a query's plan, from the result down; the query is not run. What they work on is left out where
    it would tell of a policy, or of a secure view's query."""
    found = [Operator(0, None, "Result", {})]
    _add(connection, bound.sql, bound.inputs, [], found, 0)
    if any(is_protected(catalog, item) or getattr(item, "secure", False) for item in bound.objects):
        return [replace(operator, details={}) for operator in found]
    return found


def _add(
    connection: Connection, sql: str, inputs: Inputs, readers: list[str], found: list[Operator], parent: int
) -> None:
    """Adds the operators of an SQL text, and those of the queries of the steps that it reads.

    Args:
        connection: to plan it.
        sql: the query.
        inputs: of the statement.
        readers: the SQL texts that read it.
        found: the plan so far.
        parent: id of the operator that takes its rows.
    """
    plan = connection.table(f"EXPLAIN (FORMAT JSON) {sql}", inputs).column(1)[0].as_py()
    steps = [item for name, item in inputs.items() if isinstance(item, Step) and f'"{name}"' in sql]
    stack = [(node, parent) for node in reversed(json.loads(plan))]
    while stack:
        node, above = stack.pop()
        name, details = str(node.get("name", "")).strip(), dict(node.get("extra_info") or {})
        if "Conditions" in details:
            details["equality_join_condition"] = details.pop("Conditions")
        step = _step(details, steps)
        if step is not None:
            found.append(Operator(len(found), above, "ExtensionFunction", {"functions": step.functions}))
            _add(connection, step.query([sql, *readers]), inputs, [sql, *readers], found, found[-1].id)
            continue
        operator = Operator(len(found), above, _name(name, details), details)
        found.append(operator)
        stack.extend((child, operator.id) for child in reversed(node.get("children") or []))


def _step(details: dict[str, Any], steps: list[Step]) -> Step | None:
    """The step that an operator scans; steps have no column names in common."""
    if details.get("Function") != "ARROW_SCAN":
        return None
    read = details.get("Projections") or []
    names = {read} if isinstance(read, str) else set(read)
    return next((step for step in steps if names & {*step.carried, *step.made.names}), None)


def _name(name: str, details: dict[str, Any]) -> str:
    if name.endswith("_JOIN"):
        return _JOINS.get(str(details.get("Join Type", "")), "Join")
    if name.endswith("_SCAN") and name not in _NAMES:
        return "TableScan"
    return _NAMES.get(name, name.title().replace("_", ""))
