"""The engine's plan of a query as a list of operators."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from polynya.dialect.query import BoundQuery
from polynya.storage.connection import Connection


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of a plan.

    Args:
        id: from 0, the result.
        parent: the operator that takes its rows, None for the result.
        name: the engine's name for it, e.g. ``Hash_Join``.
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
        number = len(found)
        found.append(Operator(number, parent, str(node.get("name", "")).strip().title(), node.get("extra_info") or {}))
        stack.extend((child, number) for child in reversed(node.get("children") or []))
    return found
