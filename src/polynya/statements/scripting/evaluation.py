"""Expressions of a block -> values, by the same binder as every query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from polynya.dialect import casts
from polynya.dialect.binds import Binds
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr
from polynya.dialect.query import bind_query_node, finish
from polynya.dialect.scope import Source
from polynya.errors import SnowflakeError, compilation_error
from polynya.statements.base import Execution
from polynya.statements.scripting import arithmetic, values
from polynya.statements.scripting.exceptions import Raised, expression_error
from polynya.statements.scripting.expression_names import within_expression
from polynya.statements.scripting.syntax import Expression, Name, Place
from polynya.statements.scripting.values import Value
from polynya.statements.scripting.variables import Scope, Variable
from polynya.types.sqltype import BOOLEAN, INTEGER, NULL, SqlType

Change = Callable[[Expr], Expr]


def evaluate(execution: Execution, expression: Expression, scope: Scope) -> Value:
    """An expression's value.

    Raises:
        Raised: EXPRESSION_ERROR.
        SnowflakeError: the statement was cancelled.
    """
    try:
        if expression.plain is not None:
            return scope.read(expression.plain)
        given = [scope.read(name) for name in expression.names.values()]
        if expression.shortcut is not None:
            found = arithmetic.run(expression.shortcut, given)
            if found is not None:
                return found
        assert expression.tree is not None
        binds: Binds = {key: values.bind(value) for key, value in zip(expression.names, given, strict=True)}
        result = _compute(execution, expression.tree, binds, None)
    except SnowflakeError as error:
        raise failed(execution, within_expression(error), expression.place) from None
    if not expression.no_shortcut:
        kinds = {key: value.type for key, value in zip(expression.names, given, strict=True)}
        expression.shortcut = arithmetic.shortcut(expression.tree, kinds, result.type)
        expression.no_shortcut = expression.shortcut is None
    return result


def failed(execution: Execution, error: SnowflakeError, place: Place) -> Raised | SnowflakeError:
    """What to raise for an error in an expression: cancelling is not for a handler to catch."""
    return error if execution.cancelled() else expression_error(error, place)


def condition(execution: Execution, expression: Expression, scope: Scope) -> bool:
    """Whether a condition is TRUE; NULL is not.

    Raises:
        Raised: EXPRESSION_ERROR, also for a value that is no BOOLEAN.
    """
    value = evaluate(execution, expression, scope)
    if value.type == BOOLEAN or value.value is None:
        return value.value is True
    return convert(execution, value, BOOLEAN, expression.place, implicit=True) is True


def whole_number(execution: Execution, expression: Expression, scope: Scope) -> int | None:
    """The value of a FOR loop's bound."""
    number: int | None = convert(execution, evaluate(execution, expression, scope), INTEGER, expression.place)
    return number


def equal(execution: Execution, left: Value, right: Value, place: Place) -> bool:
    """Whether two values are equal, as ``=`` finds it."""
    if left.value is None or right.value is None:
        return False
    if left.type.name == right.type.name and left.type.name in ("NUMBER", "VARCHAR", "BOOLEAN", "DATE"):
        return bool(left.value == right.value)
    tree = exp.EQ(this=exp.Placeholder(this="A"), expression=exp.Placeholder(this="B"))
    binds: Binds = {"A": values.bind(left), "B": values.bind(right)}
    try:
        return _compute(execution, tree, binds, None).value is True
    except SnowflakeError as error:
        raise failed(execution, within_expression(error), place) from None


def convert(execution: Execution, value: Value, target: SqlType, place: Place, *, implicit: bool = False) -> Any:
    """A value as a variable of another type stores it.

    Args:
        execution: of the block.
        value: to convert.
        target: the type.
        place: of the expression, for the error.
        implicit: only where Snowflake converts by itself.

    Raises:
        Raised: EXPRESSION_ERROR for a value that is not of that type.
    """
    done, item = values.quick_conversion(value.value, value.type, target)
    if done:
        return item

    def change(expr: Expr) -> Expr:
        if implicit:
            coerced = casts.coerce(expr, target, execution.context)
            if coerced is None:
                raise compilation_error(2016, "22000", f"Invalid data type [{expr.type}] for predicate")
            return coerced
        if casts.coerce(expr, target, execution.context) is None and expr.type != NULL:
            raise compilation_error(
                2023,
                "22000",
                f"Expression type does not match variable data type, expecting {target} but got {expr.type}",
            )
        return casts.assign(expr, target, execution.context)

    try:
        binds: Binds = {"A": values.bind(value)}
        return _compute(execution, exp.Placeholder(this="A"), binds, change).value
    except SnowflakeError as error:
        raise failed(execution, within_expression(error), place) from None


def assign(execution: Execution, variable: Variable, value: Value, place: Place) -> None:
    """Gives a variable a value, converted to its type."""
    variable.value = convert(execution, value, variable.type, place)


def binds_of(names: dict[str, Name], scope: Scope) -> Binds:
    """The variables that a statement mentions, as its binds."""
    return {key: values.bind(scope.read(name)) for key, name in names.items()}


def _compute(execution: Execution, tree: exp.Expr, binds: Binds, change: Change | None) -> Value:
    """One expression, computed by the engine."""
    from polynya.statements.dispatch import run_query

    env = Environment(execution.context, execution, binds)
    source = bind_query_node(exp.Select(expressions=[tree]), env, None, {})
    column = source.columns[0]
    if change is not None:
        changed = change(Expr('"v"', column.type, True))
        source = Source(
            f'(SELECT {changed.sql} AS "v" FROM (SELECT "{column.stored_as}" AS "v" FROM {source.sql}))',
            [type(column)("V", changed.type, True, "v")],
        )
    result = run_query(execution, finish(source, env))
    data = result.data
    table = data.read_all() if hasattr(data, "read_all") else data
    sql_type = source.columns[0].type
    return Value(sql_type, values.from_arrow(sql_type, table.column(0))[0] if table.num_rows else None)
