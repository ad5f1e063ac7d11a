"""EXPLAIN: the engine's plan of a query, in Snowflake's tabular or text form.

Source: docs.snowflake.com/en/sql-reference/sql/explain.
"""

from __future__ import annotations

import json

from polynya.dialect import plans
from polynya.dialect.parse import parse
from polynya.dialect.query import bind_query
from polynya.dialect.tokens import TokenStream
from polynya.errors import unsupported
from polynya.statements.base import Execution
from polynya.types.resultset import Column, ResultSet, StatementType, rows
from polynya.types.sqltype import FLOAT, VARCHAR, number

_TABULAR = [
    Column("step", number(38, 0)), Column("id", number(38, 0)), Column("parentOperators", VARCHAR),
    Column("operation", VARCHAR), Column("objects", VARCHAR), Column("alias", VARCHAR), Column("expressions", VARCHAR),
    Column("partitionsTotal", number(38, 0)), Column("partitionsAssigned", number(38, 0)),
    Column("bytesAssigned", FLOAT),
]  # fmt: skip


def explain(execution: Execution, stream: TokenStream) -> ResultSet:
    """EXPLAIN [USING { TABULAR | TEXT | JSON }] <query>."""
    stream.expect("EXPLAIN")
    form = "TABULAR"
    if stream.accept("USING"):
        form = stream.word()
    text = stream.rest()
    if stream.words()[stream.index] not in ("SELECT", "WITH", "VALUES", "("):
        raise unsupported(f"EXPLAIN {stream.words()[stream.index]}")
    bound = bind_query(parse(text), execution.context, execution=execution)
    steps = [
        (step.id, step.parent, step.name, json.dumps(step.details) if step.details else "")
        for step in plans.operators(execution.connection, execution.context.catalog, bound)
    ]
    if form == "TABULAR":
        values = [
            (1, i, f"[{p}]" if p is not None else None, op, None, None, text, None, None, None)
            for i, p, op, text in steps
        ]
        return rows(_TABULAR, values, StatementType.SELECT)
    if form == "JSON":
        document = {
            "Operations": [[{"id": i, "parent": p, "operation": op, "expressions": [t]} for i, p, op, t in steps]]
        }
        return rows([Column("content", VARCHAR)], [(json.dumps(document),)])
    if form == "TEXT":
        depth: dict[int, int] = {}
        lines = [
            "GlobalStats:",
            "    partitionsTotal=0",
            "    partitionsAssigned=0",
            "    bytesAssigned=0",
            "Operations:",
        ]
        for i, parent, operation, detail in steps:
            depth[i] = depth[parent] + 1 if parent is not None else 0
            lines.append(f"1:{i}     {'     ' * depth[i]}->{operation}  {detail}".rstrip())
        return rows([Column("content", VARCHAR)], [("\n".join(lines) + "\n",)])
    raise unsupported(f"EXPLAIN USING {form}")
