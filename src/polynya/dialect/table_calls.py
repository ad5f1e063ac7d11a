"""Table functions in Python: ``TABLE(f(args) OVER (PARTITION BY ... ORDER BY ...))``, alone or joined to what is left of it.

Each is a step (``storage.steps``) whose query is the FROM clause so far, ordered by partition; the relations to the left
read their columns from its rows, as ``dialect.expansion`` does it.

Sources: docs.snowflake.com/en/developer-guide/udf/python/udf-python-tabular-functions, and .../udf-python-tabular-vectorized
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from polynya.catalog.model import Routine
from polynya.dialect import casts
from polynya.dialect.expansion import move
from polynya.dialect.expression import Expr, quote
from polynya.dialect.lateral_calls import rows_sql
from polynya.dialect.naming import order_term
from polynya.dialect.python_runs import Runner, made_schema, ramped, runner_of
from polynya.dialect.scope import Relation, Source, SourceColumn, stored_names
from polynya.dialect.steps import ctes_of, is_closed, moved_columns
from polynya.errors import unsupported
from polynya.storage.buckets import Grouping
from polynya.storage.steps import Run, Step

if TYPE_CHECKING:
    from polynya.dialect.binder import Binder

_PARTITION = "partition"
# Rows that a table function gets as one partition where it is called without any.
_BATCH_ROWS = 1 << 17


@dataclass(frozen=True, slots=True)
class TableCall:
    """A call in FROM.

    Args:
        routine: what is called.
        runner: how it runs; None where the statement is bound only.
        arguments: of exactly its types.
        partition: expressions of PARTITION BY; None without OVER.
        order: SQL and syntax tree of each term of ORDER BY.
    """

    routine: Routine
    runner: Runner | None
    arguments: list[Expr]
    partition: list[Expr] | None
    order: list[tuple[str, exp.Ordered]]


def call_table(binder: Binder, routine: Routine, arguments: list[Expr], window: exp.Window | None) -> Source:
    """Binds a call.

    Args:
        binder: of the scope that holds what stands left of it.
        routine: the table function.
        arguments: of exactly its types.
        window: OVER, if it has one.

    Returns:
        a source whose SQL ``alone`` or ``join`` gives.
    """
    assert routine.returns_table is not None
    partition: list[Expr] | None = None
    order: list[tuple[str, exp.Ordered]] = []
    if window is not None:
        if window.args.get("spec") is not None:
            raise unsupported("a window frame with a table function")
        partition = [binder.expression(item) for item in window.args.get("partition_by") or []]
        ordered = window.args.get("order")
        for item in ordered.expressions if ordered is not None else []:
            order.append((casts.sortable(binder.expression(item.this)).sql, item))
    call = TableCall(routine, runner_of(binder.env, routine), arguments, partition, order)
    names = [name for name, _ in routine.returns_table]
    columns = [
        SourceColumn(name, kind, True, stored)
        for (name, kind), stored in zip(routine.returns_table, stored_names(names), strict=True)
    ]
    return Source("", columns, table_call=call)


def alone(relation: Relation, binder: Binder) -> str:
    """The FROM item of a call with nothing to its left."""
    if _needs_outside("", relation, binder):
        return f"{_rows_for_each(relation, binder)} AS {relation.alias}"
    return _place(relation, "", {}, binder)


def join(left_text: str, left: list[Relation], right: Relation, binder: Binder) -> str:
    """The FROM clause of relations and a call for each of their rows.

    Args:
        left_text: FROM clause so far.
        left: its relations; they are changed to read from the new one.
        right: the relation of the call.
        binder: whose scope holds the relations.
    """
    if _needs_outside(left_text, right, binder):
        return f"{left_text} CROSS JOIN LATERAL {_rows_for_each(right, binder)} AS {right.alias}"
    outer = binder.env.alias()
    carried = move(_standing(left, left_text), outer, binder)
    _rename(right, outer)
    return _place(right, left_text, carried, binder)


def outer_join(
    left_text: str, left: list[Relation], right: Relation, condition: exp.Expr | None, binder: Binder
) -> str:
    """The same for a LEFT JOIN: rows for which the function makes none stay, with NULLs.

    The rows to the left are numbered in a step of their own, which the call's step and the statement both read.

    Args:
        left_text, left, right, binder: as for ``join``.
        condition: of ON.
    """
    call = right.source.table_call
    assert call is not None
    if call.partition is not None:
        raise unsupported("LEFT JOIN with a table function with OVER")
    if _needs_outside(left_text, right, binder):
        rows = _rows_for_each(right, binder)
        right.outer = True
        on = "TRUE" if condition is None else binder.condition(condition).sql
        return f"{left_text} LEFT JOIN LATERAL {rows} AS {right.alias} ON {on}"
    numbered = binder.env.alias()
    carried = move(_standing(left, left_text), numbered, binder)
    row, tail = f"{numbered}.row", f" FROM {left_text}"
    _check_closed([*carried.values(), tail], call, binder)
    head = ctes_of([*carried.values(), tail], binder.env)
    rows = binder.env.add_step(
        Step({f"{row}.one": "TRUE"}, carried, head, tail, _number, pa.schema([pa.field(row, pa.int64())]))
    )
    source = f"{rows} AS {numbered}"
    moved = [replace(expr, sql=moved_columns(expr.sql, carried, numbered)) for expr in call.arguments]
    right.source = replace(right.source, table_call=replace(call, arguments=moved))
    _rename(right, right.alias)
    made = _place(right, source, {f"{right.alias}.of": f"{numbered}.{quote(row)}"}, binder)
    right.outer = True
    on = f"{numbered}.{quote(row)} = {right.alias}.{quote(f'{right.alias}.of')}"
    if condition is None:  # rows of end_partition belong to no row
        return f"{source} FULL JOIN {made} ON {on}"
    return f"{source} LEFT JOIN {made} ON {on} AND ({binder.condition(condition).sql})"


def _needs_outside(left_text: str, right: Relation, binder: Binder) -> bool:
    """Whether a call whose rows are partitions of their own, or what stands left of it, refers to a query around its own."""
    call = right.source.table_call
    assert call is not None
    if call.partition is not None and left_text:
        return False
    return not is_closed(" ".join([left_text, *(expr.sql for expr in call.arguments)]), set(), binder.env)


def _rows_for_each(relation: Relation, binder: Binder) -> str:
    """The rows of a call that the engine makes row by row; the relation reads them from there."""
    call = relation.source.table_call
    assert call is not None
    stored = [column.stored_as for column in relation.source.columns]
    sql = rows_sql(binder.env, call.routine, call.runner, call.arguments, stored)
    relation.source = replace(relation.source, sql=sql, table_call=None)
    return sql


def _number(batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
    """Adds the number of each row."""
    start = 0
    for batch in batches:
        if stopped():
            return
        numbers = pa.array(np.arange(start, start + batch.num_rows))
        start += batch.num_rows
        names = [*batch.schema.names[1:], "row"]
        yield pa.RecordBatch.from_arrays([*batch.columns[1:], numbers], names)


def _standing(left: list[Relation], left_text: str) -> list[Relation]:
    """The relations that a FROM clause holds, of those of a scope."""
    return [relation for relation in left if f"AS {relation.alias}" in left_text]


def _rename(right: Relation, outer: str) -> None:
    """Gives a call's columns names that no other relation has."""
    names = {column.stored_as: f"{right.alias}.{column.stored_as}" for column in right.source.columns}
    columns = [replace(column, stored_as=names[column.stored_as]) for column in right.source.columns]
    right.source = replace(right.source, columns=columns)
    right.alias = outer


def _place(relation: Relation, left_text: str, carried: dict[str, str], binder: Binder) -> str:
    call = relation.source.table_call
    assert call is not None and call.routine.returns_table is not None
    prefix = relation.alias
    items = {f"{prefix}.a{index}": expr.sql for index, expr in enumerate(call.arguments)}
    if not items:
        items[f"{prefix}.row"] = "TRUE"  # so that rows of nothing are counted
    width = len(items)
    keys = [expr for expr in call.partition or [] if not expr.is_constant]
    groups = {f"{prefix}.k{index}": casts.groupable(expr).sql for index, expr in enumerate(keys)}
    items |= groups
    extra = len(groups)
    tail = f" FROM {left_text}" if left_text else ""
    grouping = None
    if groups:
        ordered = {f"{prefix}.o{index}": sql for index, (sql, _) in enumerate(call.order)}
        hashed = f"{prefix}.hash"
        items |= ordered | {hashed: f"hash({', '.join(groups.values())})"}
        terms = [quote(name) for name in groups]
        terms += [order_term(quote(name), item) for name, (_, item) in zip(ordered, call.order, strict=True)]
        grouping = Grouping(hashed, tuple(terms), (*ordered, hashed))
    elif call.order and left_text:
        tail += " ORDER BY " + ", ".join(order_term(sql, item) for sql, item in call.order)
    _check_closed([*items.values(), *carried.values(), tail], call, binder)
    key_sqls = {expr.sql for expr in keys}
    kept = [name for name, sql in carried.items() if sql in key_sqls]
    made = made_schema(
        (column.stored_as, kind)
        for column, (_, kind) in zip(relation.source.columns, call.routine.returns_table, strict=True)
    )
    run = _run(call, width, extra, kept)
    head = ctes_of([*items.values(), *carried.values(), tail], binder.env)
    step = Step(items, carried, head, tail, run, made, (call.routine.name,), grouping=grouping)
    name = binder.env.add_step(step)
    relation.source = replace(relation.source, sql=name, table_call=None, rows_of=name)
    return f"{relation.source.sql} AS {relation.alias}"


def _check_closed(texts: list[str], call: TableCall, binder: Binder) -> None:
    if not is_closed(" ".join(texts), set(), binder.env):
        raise unsupported(
            f"TABLE({call.routine.name}(...) OVER (...)) that refers to a query around it, or to a common table expression "
            "that is recursive or holds random values read more than once"
        )


def _run(call: TableCall, width: int, extra: int, kept: list[str]) -> Run:
    """What the step does with its query's batches.

    Args:
        call: the call.
        width: number of the columns that are sent: its arguments, or one that stands for them if it has none.
        extra: number of columns after them that are not carried.
        kept: names of the carried columns by which the rows are partitioned.
    """

    def run(batches: Iterator[pa.RecordBatch], stopped: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        runner = call.runner
        assert runner is not None
        if call.partition is None:
            flow = (_without_keys(batch, width, extra) for batch in ramped(batches, _BATCH_ROWS))
            rows = runner.table(flow, None, [], stopped)
        else:
            rows = runner.table(_numbered(batches, width, extra), _PARTITION, kept, stopped)
        if call.arguments:
            return rows
        return (batch.select(range(width, batch.num_columns)) for batch in rows)

    return run


def _without_keys(batch: pa.RecordBatch, width: int, extra: int) -> pa.RecordBatch:
    return batch.select([*range(width), *range(width + extra, batch.num_columns)]) if extra else batch


def _numbered(batches: Iterator[pa.RecordBatch], width: int, extra: int) -> Iterator[pa.RecordBatch]:
    """Batches ordered by key, with the keys replaced by their number in a last column."""
    number, last = 0, None
    for batch in batches:
        keys = batch.columns[width : width + extra]
        changed = np.zeros(batch.num_rows, dtype=bool)
        for key in keys:
            changed[1:] |= _differs(key[1:], key[:-1])
        if last is not None:
            changed[0] = any(_differs(key[:1], before)[0] for key, before in zip(keys, last, strict=True))
        last = [key[-1:] for key in keys]
        numbers = np.cumsum(changed, dtype=np.int64) + number
        number = int(numbers[-1])
        rest = _without_keys(batch, width, extra)
        yield pa.RecordBatch.from_arrays([*rest.columns, pa.array(numbers)], names=[*rest.schema.names, _PARTITION])


def _differs(left: pa.Array, right: pa.Array) -> np.ndarray:
    """Where keys differ as groups do: NULL equals NULL, NaN equals NaN."""
    if isinstance(left, pa.ExtensionArray):
        left, right = left.storage, right.storage
    unequal = pc.fill_null(pc.not_equal(left, right), False)
    if pa.types.is_floating(left.type):
        both = pc.and_(pc.fill_null(pc.is_nan(left), False), pc.fill_null(pc.is_nan(right), False))
        unequal = pc.and_not(unequal, both)
    null = pc.xor(pc.is_null(left), pc.is_null(right))
    return pc.or_(unequal, null).to_numpy(zero_copy_only=False)
