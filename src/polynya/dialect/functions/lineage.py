"""GET_LINEAGE, and SYSTEM$DGQL, which Snowpark's ``session.lineage.trace`` asks.

Sources: docs.snowflake.com/en/sql-reference/functions/get_lineage-snowflake-core; the requests of
``snowflake.snowpark.lineage``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from polynya.catalog.access import Edge, Origin
from polynya.catalog.context import Context
from polynya.catalog.kinds import kind_of, sql_kind
from polynya.catalog.model import CatalogObject
from polynya.catalog.names import quote_identifier
from polynya.catalog.rights import sees
from polynya.dialect.dependencies import Dependency, dependency_of, may_read, readers
from polynya.dialect.expression import Expr
from polynya.dialect.functions.context import text
from polynya.dialect.functions.tags import find_object
from polynya.dialect.registry import Call, scalar
from polynya.dialect.scope import Source, source_columns
from polynya.dialect.table_functions import table_function
from polynya.errors import SnowflakeError, compilation_error, invalid_value, unsupported
from polynya.types.arrow import arrow_type
from polynya.types.resultset import Column
from polynya.types.sqltype import VARCHAR, VARIANT, number
from polynya.types.variant import encode

_MOST_STEPS = 5
_TABLES = ("TABLE", "VIEW", "DYNAMIC TABLE")
_DOMAINS = (*_TABLES, "COLUMN", "STAGE")
# Domains of objects that are not here: nothing leads to them.
_ELSEWHERE = ("DATASET", "MODULE", "SNOWSERVICE_INSTANCE", "EXPERIMENT", "SEMANTIC_VIEW", "SEMANTIC VIEW")


class Graph:
    """Where rows come from and go to, one step at a time."""

    def __init__(self, context: Context, results: Any) -> None:
        self._context = context
        self._catalog = context.catalog
        self._results = results
        self._known: dict[int, Dependency | None] = {}  # what views and dynamic tables read, as far as it was asked
        self._readers: list[CatalogObject] | None = None

    def step(self, origin: Origin, upstream: bool) -> list[Edge]:
        """The edges that end (or begin) at an object or column; "" as query id where one reads the other by its text."""
        found: dict[Origin, Edge] = {}
        for edge in (*self._results.edges(*origin, upstream), *self._dependencies(origin, upstream)):
            other = edge.source if upstream else edge.target
            if self._catalog.by_id(other[0]) is not None:
                found.setdefault(other, edge)
        return list(found.values())

    def _dependencies(self, origin: Origin, upstream: bool) -> Iterator[Edge]:
        item = self._catalog.by_id(origin[0])
        if item is None or not self._catalog.reachable(item):
            return
        if upstream:
            own = self._dependency(item)
            if own is not None:
                sources = own.columns.get(origin[1], ()) if origin[1] else [(read.id, "") for read in own.reads]
                yield from (Edge(source, origin, "") for source in sources)
            return
        if self._readers is None:  # a function is no place for rows
            self._readers = [reader for reader in readers(self._context) if kind_of(reader) == "TABLE"]
        for reader in self._readers:
            found = self._dependency(reader) if may_read(reader, item) else None
            if found is None or not any(read is item for read in found.reads):
                continue
            if not origin[1]:
                yield Edge(origin, (found.item.id, ""), "")
            for name, origins in found.columns.items() if origin[1] else ():
                if origin in origins:
                    yield Edge(origin, (found.item.id, name), "")

    def _dependency(self, item: CatalogObject) -> Dependency | None:
        if item.id not in self._known:
            self._known[item.id] = dependency_of(self._context, item)
        return self._known[item.id]

    def walk(self, start: Origin, upstream: bool, steps: int) -> Iterator[tuple[int, Edge]]:
        """All edges up to a distance, nearest first, each once."""
        waiting, seen = [start], {start}
        shown: set[tuple[Origin, Origin]] = set()
        for distance in range(1, steps + 1):
            following: list[Origin] = []
            for origin in waiting:
                for edge in self.step(origin, upstream):
                    if (edge.source, edge.target) in shown:
                        continue
                    shown.add((edge.source, edge.target))
                    yield distance, edge
                    other = edge.source if upstream else edge.target
                    if other not in seen:
                        seen.add(other)
                        following.append(other)
            waiting = following


def _status(context: Context, item: CatalogObject) -> str:
    return "ACTIVE" if context.catalog.reachable(item) else "DELETED"


# --- GET_LINEAGE ------------------------------------------------------------------------------------------------------

_COLUMNS = [
    *(
        Column(f"{side}_{name}", VARCHAR)
        for side in ("SOURCE", "TARGET")
        for name in (
            "OBJECT_DATABASE", "OBJECT_SCHEMA", "OBJECT_NAME", "OBJECT_DOMAIN", "OBJECT_VERSION", "COLUMN_NAME", "STATUS",
        )
    ),
    Column("DISTANCE", number(38, 0)),
    Column("PROCESS", VARIANT),
]  # fmt: skip


@table_function("SNOWFLAKE.CORE.GET_LINEAGE")
def get_lineage(call: Call) -> Source:
    """The edges of lineage up or down from a table, view, stage or column."""
    if not 3 <= len(call.nodes) <= 5 or call.named:
        raise compilation_error(
            939,
            "22023",
            f"GET_LINEAGE takes 3 to 5 arguments here, got {len(call.nodes) + len(call.named)}.",
            call.position,
        )
    name, domain, direction = (str(call.constant(index) or "") for index in range(3))
    steps = call.constant(3, _MOST_STEPS)
    if len(call.nodes) == 5 and call.constant(4) is not None:
        raise unsupported("GET_LINEAGE of an object's version")
    if direction.upper() not in ("UPSTREAM", "DOWNSTREAM"):
        raise invalid_value(f"Invalid direction [{direction}] of GET_LINEAGE: UPSTREAM or DOWNSTREAM.")
    if not isinstance(steps, int) or not 1 <= steps <= _MOST_STEPS:
        raise invalid_value(f"Invalid distance [{steps}] of GET_LINEAGE: it must be between 1 and {_MOST_STEPS}.")
    if domain.upper() in _ELSEWHERE:
        raise unsupported(f"GET_LINEAGE in domain {domain.upper()}")
    if domain.upper() not in _DOMAINS:
        raise invalid_value(f"Invalid domain [{domain}] of GET_LINEAGE.")
    context = call.context
    item, column = find_object(context, name, domain)
    found: list[tuple] = []
    if item is not None and call.binder.results is not None:
        graph = Graph(context, call.binder.results)
        start = (item.id, column.name if column is not None else "")
        for distance, edge in graph.walk(start, direction.upper() == "UPSTREAM", steps):
            if not _visible(context, edge):
                continue
            process = encode({"queryId": edge.query_id}) if edge.query_id else None
            found.append((*_side(context, edge.source), *_side(context, edge.target), distance, process))
    own = source_columns(_COLUMNS)
    arrays = [pa.array([row[index] for row in found], arrow_type(c.type)) for index, c in enumerate(_COLUMNS)]
    relation = call.binder.add_input(pa.Table.from_arrays(arrays, names=[c.stored_as for c in own]))
    return Source(f"(SELECT * FROM {relation})", own)


def _visible(context: Context, edge: Edge) -> bool:
    """Whether the session may see both ends."""
    ends = [context.catalog.by_id(origin[0]) for origin in (edge.source, edge.target)]
    return all(item is not None and sees(context, item) for item in ends)


def _side(context: Context, origin: Origin) -> tuple:
    item = context.catalog.by_id(origin[0])
    assert item is not None
    database, schema, name = context.catalog.path(item)
    domain = "COLUMN" if origin[1] else kind_of(item)
    return database, schema, name, domain, None, origin[1] or None, _status(context, item)


# --- SYSTEM$DGQL ------------------------------------------------------------------------------------------------------

_STRING = r'"((?:[^"\\]|\\.)*)"'
_NODE = re.compile(rf"\{{V\(domain: *([\w ]+), *(id|name): *{_STRING}(?:, *(parentId|parentName): *{_STRING})?\)")
_EDGES = re.compile(r"(\w+): *E\(edgeType:\[([\w, ]*)\], *direction: *(IN|OUT)\)")


@scalar("SYSTEM$DGQL", args=1)
def dgql(call: Call) -> Expr:
    """The edges at one object, as a graph query asks for them; answers JSON."""
    query = str(call.constant(0) or "")
    node = _NODE.match(query)
    asked = _EDGES.findall(query)
    if node is None or not asked:
        raise invalid_value("SYSTEM$DGQL: this graph query is not understood.")
    domain, key, value, _, parent = node.groups()
    start = _start(call.context, domain.upper(), key, _unescaped(value), _unescaped(parent or ""))
    answer: dict[str, list[dict[str, Any]]] = {name: [] for name, _, _ in asked}
    if start is not None and call.binder.results is not None:
        graph = Graph(call.context, call.binder.results)
        for name, _, direction in asked:
            for edge in filter(partial(_visible, call.context), graph.step(start, direction == "IN")):
                sides = {"S": _entity(call.context, edge.source), "T": _entity(call.context, edge.target)}
                answer[name].append(sides)
    return text(json.dumps({"data": {"V": answer}}, separators=(",", ":"), ensure_ascii=False))


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)


def _start(context: Context, domain: str, key: str, value: str, parent: str) -> Origin | None:
    """The object or column that a graph query starts from; None if there is no such one."""
    if domain in _ELSEWHERE:
        return None
    if domain not in _DOMAINS:
        raise invalid_value(f"SYSTEM$DGQL: Invalid domain [{domain}].")
    if key == "id":
        if domain != "COLUMN":
            return (int(value), "") if value.isdigit() else None
        item = context.catalog.by_id(int(parent)) if parent.isdigit() else None
        columns = getattr(item, "columns", [])
        found = [column.name for index, column in enumerate(columns, 1) if str(index) == value]
        return (int(parent), found[0]) if found else None
    try:
        item, column = find_object(context, value, domain)
    except SnowflakeError:
        return None
    return (item.id, column.name if column is not None else "") if item is not None else None


def _entity(context: Context, origin: Origin) -> dict[str, Any]:
    item = context.catalog.by_id(origin[0])
    assert item is not None
    database, schema, name = (quote_identifier(part) for part in context.catalog.path(item))
    created = str(int(item.created_on.timestamp() * 1000))
    shared = {"db": database, "schema": schema, "status": _status(context, item), "createdOn": created}
    refined = sql_kind(item)
    if not origin[1]:
        return {
            **shared, "domain": kind_of(item), "refinedDomain": refined, "userDomain": refined, "name": name,
            "id": str(item.id), "properties": {},
        }  # fmt: skip
    position = next(
        (index for index, column in enumerate(getattr(item, "columns", []), 1) if column.name == origin[1]), 0
    )
    properties = {"parentName": name, "parentId": str(item.id), "tableType": refined}
    return {
        **shared, "domain": "COLUMN", "refinedDomain": "COLUMN", "userDomain": "COLUMN",
        "name": quote_identifier(origin[1]), "id": str(position), "properties": properties,
    }  # fmt: skip
