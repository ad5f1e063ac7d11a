"""FILTER, TRANSFORM and REDUCE: functions of arrays that take a lambda.

Sources: docs.snowflake.com/en/user-guide/querying-semistructured (lambda functions), .../functions/filter,
.../functions/transform, .../functions/reduce.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlglot import exp

from polynya.dialect import casts, semistructured
from polynya.dialect.expression import Expr, derive
from polynya.dialect.functions.semistructured import as_variant
from polynya.dialect.naming import resolve_identifier
from polynya.dialect.registry import Call, scalar
from polynya.dialect.semistructured import UNDEFINED
from polynya.errors import compilation_error
from polynya.types.sqltype import ARRAY, BOOLEAN, NULL, VARIANT, SqlType, number


def _lambda(call: Call, index: int, parameters: int) -> exp.Lambda:
    node = call.nodes[index]
    if not isinstance(node, exp.Lambda) or len(node.expressions) != parameters:
        raise compilation_error(
            1044,
            "42P13",
            f"Invalid argument types for function '{call.name}': argument {index + 1} must be a lambda of {parameters} parameter(s)",
            call.position,
        )
    return node


@contextmanager
def _named(call: Call, values: dict[str, Expr]) -> Iterator[None]:
    """The lambda's parameters as names in scope."""
    variables = call.binder.scope.variables
    hidden = {name: variables[name] for name in values if name in variables}
    variables.update(values)
    try:
        yield
    finally:
        for name in values:
            del variables[name]
        variables.update(hidden)


def _item(parameter: str, array: SqlType) -> Expr:
    """A lambda's parameter as an item of the array."""
    element = array.element
    if element is None:
        return Expr(f"sf_defined({parameter})", VARIANT)
    if element.is_semistructured:
        return Expr(f"sf_defined({parameter})", element)
    return Expr(f"({semistructured.structured_value_sql(f'sf_defined({parameter})', element)})", element)


@scalar("FILTER", args=2)
def filter_(call: Call) -> Expr:
    array, node = call.arg(0, ARRAY), _lambda(call, 1, 1)
    parameter = call.binder.env.alias()
    with _named(call, {resolve_identifier(node.expressions[0]): _item(parameter, array.type)}):
        condition = casts.coerce(call.binder.expression(node.this), BOOLEAN, call.context)
    if condition is None:
        raise compilation_error(1044, "42P13", "The lambda of FILTER must return BOOLEAN.", call.position)
    sql = f"to_json(list_filter(sf_items({array.sql}), lambda {parameter}: coalesce({condition.sql}, FALSE)))"
    return derive(sql, array.type, array)


@scalar("TRANSFORM", args=2)
def transform(call: Call) -> Expr:
    array, node = call.arg(0, ARRAY), _lambda(call, 1, 1)
    parameter = call.binder.env.alias()
    with _named(call, {resolve_identifier(node.expressions[0]): _item(parameter, array.type)}):
        result = call.binder.expression(node.this)
    content = f"coalesce({as_variant(result).sql}, {UNDEFINED})"
    kind = SqlType("ARRAY", element=result.type) if array.type.element is not None and result.type != NULL else ARRAY
    return derive(f"to_json(list_transform(sf_items({array.sql}), lambda {parameter}: {content}))", kind, array)


@scalar("REDUCE", args=3)
def reduce(call: Call) -> Expr:
    """Folds an array from the left; values pass through VARIANT on the way, as the accumulator's type may differ."""
    array, start, node = call.arg(0, ARRAY), call.arg(1), _lambda(call, 2, 2)
    total, item = call.binder.env.alias(), call.binder.env.alias()
    names = [resolve_identifier(parameter) for parameter in node.expressions]

    def body(kind: SqlType) -> Expr:
        held = f"sf_defined({total})"
        value = (
            Expr(held, kind)
            if kind.is_semistructured
            else Expr(f"({semistructured.structured_value_sql(held, kind)})", kind)
        )
        with _named(call, {names[0]: value, names[1]: _item(item, array.type)}):
            return call.binder.expression(node.this)

    kind = VARIANT if start.type == NULL else start.type
    common = casts.common_type([kind, body(kind).type])
    if common is None:
        raise call.wrong_types()
    if common.name == "NUMBER":
        common = number(38, common.scale)
    step = casts.to_common(body(common), common, call.context)
    first = casts.to_common(start, common, call.context)
    steps = (
        f"list_reduce(list_prepend(coalesce({as_variant(first).sql}, {UNDEFINED}), sf_items({array.sql})), "
        f"lambda {total}, {item}: coalesce({as_variant(step).sql}, {UNDEFINED}))"
    )
    result = f"sf_defined({steps})"
    if not common.is_semistructured:
        result = semistructured.structured_value_sql(result, common)
    return derive(f"CASE WHEN {array.sql} IS NOT NULL THEN {result} END", common, array, start, nullable=True)
