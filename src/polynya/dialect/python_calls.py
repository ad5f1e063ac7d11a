"""Calls of scalar and aggregate functions in Python.

A call that is made for each row becomes a column of a step (``dialect.steps``); any other is a function of the engine
that hands its chunks to the workers. An aggregate's arguments are gathered into a list a group first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from polynya.catalog.model import Routine
from polynya.dialect.expression import Expr, derive
from polynya.dialect.python_runs import runner_of
from polynya.errors import unsupported
from polynya.storage.python_calls import EngineCall, call_sql

if TYPE_CHECKING:
    from polynya.dialect.binder import Binder


def call_scalar(binder: Binder, routine: Routine, arguments: list[Expr], node: exp.Expr) -> Expr:
    """A call of a scalar function.

    Args:
        binder: of the scope where the call stands.
        routine: the function.
        arguments: of exactly its types.
        node: the call.
    """
    assert routine.returns is not None
    runner = runner_of(binder.env, routine)
    sql = binder.lift.take(routine, runner, arguments, node) if binder.lift is not None else None
    if sql is None:
        volatile = routine.options.get("VOLATILITY") != "IMMUTABLE"
        handle = binder.env.add_call(EngineCall(runner.apply if runner is not None else _not_run))
        sql = call_sql(handle, [expr.sql for expr in arguments], routine.returns, volatile=volatile)
    value = derive(sql, routine.returns, *arguments, nullable=not routine.options.get("NOT_NULL"))
    return replace(value, volatile=True)


def call_aggregate(binder: Binder, routine: Routine, arguments: list[Expr], distinct: bool) -> Expr:
    """A call of an aggregate function.

    Args:
        binder: of the scope where the call stands.
        routine: the function.
        arguments: of exactly its types.
        distinct: ``f(DISTINCT x)``.
    """
    assert routine.returns is not None
    if not arguments:
        raise unsupported(f"{routine.name}: an aggregate function without arguments")
    runner = runner_of(binder.env, routine)
    handle = binder.env.add_call(EngineCall(runner.aggregate if runner is not None else _not_run))
    row = "{" + ", ".join(f"'a{index}': {expr.sql}" for index, expr in enumerate(arguments)) + "}"
    rows = f"coalesce(list({'DISTINCT ' if distinct else ''}{row}), [])"
    sql = call_sql(handle, [rows], routine.returns, volatile=True)
    return Expr(sql, routine.returns, True, aggregate=True, volatile=True)


def _not_run(batch: pa.RecordBatch) -> pa.Array:
    raise AssertionError("a statement that was bound without an execution does not run")
