"""Operators: logic, comparison, arithmetic, CASE, casts, paths -> DuckDB SQL with a Snowflake type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from polynya.dialect import arithmetic, calls, casts, semistructured, staged_columns, types
from polynya.dialect.expression import (
    Expr,
    derive,
    null,
    quote,
)
from polynya.dialect.naming import check_list_length, position
from polynya.dialect.scope import Source
from polynya.errors import (
    compilation_error,
    unsupported,
)
from polynya.types.sqltype import BOOLEAN, INTEGER, NULL

if TYPE_CHECKING:
    from polynya.dialect.binder import Binder


def bind_and(binder: Binder, node: exp.And | exp.Or | exp.Xor) -> Expr:
    """A chain of one connector, flat: hundreds of conditions must not nest as deep."""
    kind = type(node)
    operands: list[exp.Expr] = []
    current: exp.Expr = node
    while type(current) is kind:
        operands.append(current.expression)
        current = current.this
    operands.append(current)
    bound = [binder.condition(operand) for operand in reversed(operands)]
    word = " AND " if kind is exp.And else " OR "
    return derive(word.join(expr.atom for expr in bound), BOOLEAN, *bound, simple=False)


def bind_not(binder: Binder, node: exp.Not) -> Expr:
    inner = binder.condition(node.this)
    return derive(f"NOT {inner.atom}", BOOLEAN, inner, simple=False)


def bind_paren(binder: Binder, node: exp.Paren) -> Expr:
    inner = binder.expression(node.this)
    return inner if inner.simple else replace(inner, sql=f"({inner.sql})", simple=True)


def bind_comparison(binder: Binder, node: exp.Binary) -> Expr:
    operator = _COMPARISONS[type(node)]
    right_node = node.expression
    if isinstance(right_node, (exp.Any, exp.All)):
        return _quantified(binder, node, operator, right_node)
    if isinstance(node.this, exp.Tuple) or isinstance(right_node, exp.Tuple):
        return _compare_rows(binder, node, operator)
    return binder.compare(binder.expression(node.this), operator, binder.expression(right_node), node)


def _compare_rows(binder: Binder, node: exp.Binary, operator: str) -> Expr:
    left, right = node.this.expressions, node.expression.expressions
    if operator not in ("=", "<>") or len(left) != len(right) or not left:
        raise unsupported("comparison of rows")
    pairs = [
        binder.compare(binder.expression(a), "=", binder.expression(b), node) for a, b in zip(left, right, strict=True)
    ]
    joined = derive(" AND ".join(p.atom for p in pairs), BOOLEAN, *pairs, simple=False)
    return joined if operator == "=" else derive(f"NOT ({joined.sql})", BOOLEAN, joined, simple=False)


def _quantified(binder: Binder, node: exp.Binary, operator: str, right: exp.Any | exp.All) -> Expr:
    left = binder.expression(node.this)
    source = binder.subquery(right.this)
    word = "ANY" if isinstance(right, exp.Any) else "ALL"
    return derive(
        f"{left.atom} {operator} {word} {_column_query(binder, source, left)}",
        BOOLEAN,
        left,
        nullable=True,
        simple=False,
    )


def bind_is(binder: Binder, node: exp.Is) -> Expr:
    inner = binder.expression(node.this)
    wanted, negate = node.expression, ""
    if isinstance(wanted, exp.Not):
        wanted, negate = wanted.this, "NOT "
    if isinstance(wanted, exp.Null):
        return derive(f"{inner.atom} IS {negate}NULL", BOOLEAN, inner, nullable=False, simple=False)
    if isinstance(wanted, exp.Boolean):
        truth = casts.coerce(inner, BOOLEAN, binder.context) or inner
        return derive(
            f"{truth.atom} IS {negate}{'TRUE' if wanted.this else 'FALSE'}",
            BOOLEAN,
            inner,
            nullable=False,
            simple=False,
        )
    raise unsupported(f"IS {wanted.sql('snowflake')}")


def bind_between(binder: Binder, node: exp.Between) -> Expr:
    value, low, high = (
        binder.expression(node.this),
        binder.expression(node.args["low"]),
        binder.expression(node.args["high"]),
    )
    first = binder.compare(value, ">=", low, node)
    second = binder.compare(value, "<=", high, node)
    return derive(f"{first.atom} AND {second.atom}", BOOLEAN, first, second, simple=False)


def bind_in(binder: Binder, node: exp.In) -> Expr:
    query = node.args.get("query")
    left_nodes = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
    left = [binder.expression(item) for item in left_nodes]
    if query is not None:
        source = binder.subquery(query)
        if len(source.columns) != len(left):
            raise compilation_error(
                2103,
                "42601",
                f"Invalid number of columns in the subquery: expected {len(left)}, found {len(source.columns)}",
                position(node),
            )
        return _in_query(binder, left, source)
    choices = node.expressions
    check_list_length(len(choices))
    if len(left) > 1:
        options = []
        for choice in choices:
            pairs = [
                binder.compare(a, "=", binder.expression(b), node)
                for a, b in zip(left, choice.expressions, strict=True)
            ]
            options.append(derive("(" + " AND ".join(p.atom for p in pairs) + ")", BOOLEAN, *pairs))
        return derive(" OR ".join(o.sql for o in options), BOOLEAN, *options, simple=False)
    bound = [binder.expression(choice) for choice in choices]
    common = left[0].type
    for choice in bound:
        merged = casts.comparison_type(common, choice.type)
        if merged is None:
            raise compilation_error(
                1044,
                "42P13",
                f"Can not convert parameter of type [{choice.type}] into expected type [{common}]",
                position(node),
            )
        common = merged
    items = [casts.comparable(choice, common, binder.context) for choice in bound]
    value = casts.comparable(left[0], common, binder.context)
    return derive(f"{value.atom} IN ({', '.join(i.sql for i in items)})", BOOLEAN, left[0], *bound, simple=False)


def _in_query(binder: Binder, left: list[Expr], source: Source) -> Expr:
    alias = binder.env.alias()
    inner, outer = [], []
    for expr, column in zip(left, source.columns, strict=True):
        candidate = Expr(f"{alias}.{quote(column.stored_as)}", column.type, column.nullable)
        common = casts.comparison_type(expr.type, column.type) or expr.type
        inner.append(casts.comparable(candidate, common, binder.context).sql)
        outer.append(casts.comparable(expr, common, binder.context).sql)
    value = outer[0] if len(outer) == 1 else f"({', '.join(outer)})"
    columns = inner[0] if len(inner) == 1 else f"({', '.join(inner)})"
    return derive(
        f"({value}) IN (SELECT {columns} FROM {source.sql} AS {alias})", BOOLEAN, *left, nullable=True, simple=False
    )


def _column_query(binder: Binder, source: Source, like: Expr) -> str:
    """A one-column subquery whose column has the type of ``like`` for comparison."""
    alias = binder.env.alias()
    column = source.columns[0]
    candidate = Expr(f"{alias}.{quote(column.stored_as)}", column.type, column.nullable)
    common = casts.comparison_type(like.type, column.type) or like.type
    return f"(SELECT {casts.comparable(candidate, common, binder.context).sql} FROM {source.sql} AS {alias})"


def bind_exists(binder: Binder, node: exp.Exists) -> Expr:
    source = binder.subquery(node.this)
    return Expr(f"EXISTS (SELECT 1 FROM {source.sql} AS {binder.env.alias()})", BOOLEAN, False, simple=False)


def bind_like(binder: Binder, node: exp.Like | exp.ILike, escape: Expr | None = None) -> Expr:
    from polynya.dialect.functions.string import like

    value = binder.expression(node.this)
    insensitive = isinstance(node, exp.ILike)
    pattern = node.expression
    if isinstance(pattern, (exp.Any, exp.All)):
        items = pattern.this.expressions if isinstance(pattern.this, exp.Tuple) else [pattern.this]
        bound = [like(value, binder.expression(item), escape, insensitive, binder.context) for item in items]
        word = " OR " if isinstance(pattern, exp.Any) else " AND "
        return derive(word.join(b.atom for b in bound), BOOLEAN, *bound, simple=False)
    return like(value, binder.expression(pattern), escape, insensitive, binder.context)


def bind_escape(binder: Binder, node: exp.Escape) -> Expr:
    return bind_like(binder, node.this, binder.expression(node.expression))


def bind_regexp_like(binder: Binder, node: exp.RegexpLike) -> Expr:
    return calls.call(binder, "REGEXP_LIKE", [node.this, node.expression], node)


def bind_arithmetic(binder: Binder, node: exp.Binary) -> Expr:
    """A chain of + - * / % over one left spine, bound without recursion."""
    spine: list[exp.Binary] = []
    current: exp.Expr = node
    while type(current) in _ARITHMETIC:
        spine.append(current)  # type: ignore[arg-type]
        current = current.this
    result = binder.expression(current) if not isinstance(current, exp.Interval) else None
    for operation in reversed(spine):
        right = operation.expression
        if isinstance(right, exp.Interval) and result is not None:
            result = _add_interval(binder, result, right, operation)
        elif result is None:
            result = _add_interval(binder, binder.expression(right), current, operation)  # type: ignore[arg-type]
        else:
            result = _operate(binder, operation, result, binder.expression(right))
    assert result is not None
    return result


def _operate(binder: Binder, node: exp.Binary, left: Expr, right: Expr) -> Expr:
    from polynya.dialect.functions import datetime

    operator = _ARITHMETIC[type(node)]
    dated = {"DATE", "TIME"}
    left_date = left.type.name in dated or left.type.is_timestamp
    right_date = right.type.name in dated or right.type.is_timestamp
    if left_date or right_date:
        if operator == "add" and left.type.name == "DATE" and not right_date:
            return datetime.add_days(left, _as_number(binder, right, node))
        if operator == "add" and right.type.name == "DATE" and not left_date:
            return datetime.add_days(right, _as_number(binder, left, node))
        if operator == "subtract" and left.type.name == "DATE" and right.type.name == "DATE":
            return datetime.date_difference(left, right)
        if operator == "subtract" and left.type.name == "DATE" and not right_date:
            return datetime.add_days(left, arithmetic.negate(_as_number(binder, right, node)))
        symbol = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%"}[operator]
        raise compilation_error(
            1044,
            "42P13",
            f"Invalid argument types for function '{symbol}': ({left.type}, {right.type})",
            position(node),
        )
    left, right = _numeric(binder, left, node, operator), _numeric(binder, right, node, operator)
    return getattr(arithmetic, operator)(left, right)


def _numeric(binder: Binder, expr: Expr, node: exp.Binary, operator: str) -> Expr:
    if expr.type.is_numeric:
        return expr
    if expr.type == NULL:
        return null(INTEGER)
    if expr.type.name in ("VARCHAR", "VARIANT", "BOOLEAN"):
        return casts.to_number_operand(expr, binder.context)
    symbol = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%"}[operator]
    raise compilation_error(
        1044, "42P13", f"Invalid argument types for function '{symbol}': ({expr.type})", position(node)
    )


def _as_number(binder: Binder, expr: Expr, node: exp.Expr) -> Expr:
    converted = casts.coerce(expr, INTEGER, binder.context)
    if converted is None:
        raise compilation_error(
            1044, "42P13", f"Invalid argument types for function '+': (DATE, {expr.type})", position(node)
        )
    return converted


def _add_interval(binder: Binder, base: Expr, interval: exp.Interval, node: exp.Binary) -> Expr:
    from polynya.dialect.functions import datetime
    from polynya.dialect.intervals import interval_parts

    sign = -1 if isinstance(node, exp.Sub) else 1
    if base.type.name not in ("DATE", "TIME") and not base.type.is_timestamp:
        raise compilation_error(
            1044, "42P13", f"Invalid argument types for function '+': ({base.type}, INTERVAL)", position(node)
        )
    return datetime.add_interval(base, interval_parts(interval), sign, binder.context)


def bind_neg(binder: Binder, node: exp.Neg) -> Expr:

    inner = binder.expression(node.this)
    if inner.is_constant and inner.type.name == "NUMBER":
        value = -inner.constant
        return Expr(f"(-{inner.sql})", inner.type, False, value)
    if inner.type.name in ("VARCHAR", "VARIANT", "BOOLEAN", "NULL"):
        inner = casts.to_number_operand(inner, binder.context)
    if not inner.type.is_numeric:
        raise compilation_error(
            1044, "42P13", f"Invalid argument types for function '-': ({inner.type})", position(node)
        )
    return arithmetic.negate(inner)


def bind_concat(binder: Binder, node: exp.DPipe) -> Expr:
    operands: list[exp.Expr] = []
    current: exp.Expr = node
    while isinstance(current, exp.DPipe):
        operands.append(current.expression)
        current = current.this
    operands.append(current)
    return calls.call(binder, "CONCAT", list(reversed(operands)), node)


def bind_bitwise(binder: Binder, node: exp.Binary) -> Expr:
    return calls.call(binder, _BITWISE[type(node)], [node.this, node.expression], node)


def bind_bitwise_not(binder: Binder, node: exp.BitwiseNot) -> Expr:
    return calls.call(binder, "BITNOT", [node.this], node)


def bind_collate(binder: Binder, node: exp.Collate) -> Expr:
    return calls.call(binder, "COLLATE", [node.this, node.expression], node)


def bind_case(binder: Binder, node: exp.Case) -> Expr:
    subject = binder.expression(node.this) if node.this is not None else None
    conditions, values = [], []
    for branch in node.args["ifs"]:
        if subject is None:
            conditions.append(binder.condition(branch.this))
        else:
            conditions.append(binder.compare(subject, "=", binder.expression(branch.this), branch))
        values.append(binder.expression(branch.args["true"]))
    default = node.args.get("default")
    values.append(binder.expression(default) if default is not None else null())
    values, common = binder.unify(values, node, "CASE")
    whens = " ".join(f"WHEN {c.sql} THEN {v.sql}" for c, v in zip(conditions, values, strict=False))
    nullable = any(value.nullable for value in values)
    sources = [*conditions, *values, *([subject] if subject else [])]
    return derive(f"CASE {whens} ELSE {values[-1].sql} END", common, *sources, nullable=nullable)


def bind_cast(binder: Binder, node: exp.Cast) -> Expr:
    target = types.from_tree(node.args["to"], binder.context.parameter("TIMESTAMP_TYPE_MAPPING"))
    attempt = isinstance(node, exp.TryCast)
    staged = None if attempt else staged_columns.cast_column(binder, node.this, target)
    if staged is not None:
        return staged
    inner = binder.expression(node.this)
    if str(node.args.get("action") or "").upper() == "RENAME FIELDS":
        from polynya.dialect import semistructured

        inner = semistructured.rename_fields(inner, target)
    # TRY_CAST takes strings; a value of the target's own type is let through.
    if attempt and inner.type.name not in ("VARCHAR", "NULL", "VARIANT", target.name):
        raise compilation_error(
            1065,
            "22023",
            f"Function TRY_CAST cannot be used with arguments of types {inner.type} and {target}",
            position(node),
        )
    return casts.cast(inner, target, binder.context, attempt=attempt)


def bind_try_boolean(binder: Binder, node: exp.ToBoolean) -> Expr:
    """``TRY_CAST(x AS BOOLEAN)``, which the parser has as a node of its own."""
    return casts.cast(binder.expression(node.this), BOOLEAN, binder.context, attempt=True)


def bind_at_time_zone(binder: Binder, node: exp.AtTimeZone) -> Expr:
    return calls.call(binder, "CONVERT_TIMEZONE", [node.args["zone"], node.this], node)


def bind_path(binder: Binder, node: exp.JSONExtract) -> Expr:
    """``a:b.c[0]``."""

    steps: list[str | int | Expr] = []
    path = node.expression
    if not isinstance(path, exp.JSONPath):
        return semistructured.path(binder.expression(node.this), [binder.expression(path)])
    for step in path.expressions:
        if isinstance(step, exp.JSONPathKey):
            steps.append(str(step.this))
        elif isinstance(step, exp.JSONPathSubscript):
            steps.append(step.this if isinstance(step.this, int) else str(step.this))
        elif not isinstance(step, exp.JSONPathRoot):
            raise unsupported(f"path step {step}")
    return semistructured.path(binder.expression(node.this), steps)


def bind_bracket(binder: Binder, node: exp.Bracket) -> Expr:

    base = binder.expression(node.this)
    steps = [binder.expression(item) for item in node.expressions]
    return semistructured.path(base, [s.constant if isinstance(s.constant, (str, int)) else s for s in steps])


def bind_struct(binder: Binder, node: exp.Struct) -> Expr:
    """``{'a': 1, ...}``."""
    arguments: list[exp.Expr] = []
    for item in node.expressions:
        if isinstance(item, exp.PropertyEQ):
            key = item.this
            arguments.append(exp.Literal.string(key.name) if isinstance(key, exp.Identifier) else key)
            arguments.append(item.expression)
        else:
            arguments.append(item)
    return calls.call(binder, "OBJECT_CONSTRUCT_KEEP_NULL", arguments, node)


def bind_array(binder: Binder, node: exp.Array) -> Expr:
    return calls.call(binder, "ARRAY_CONSTRUCT", node.expressions, node)


def bind_subquery(binder: Binder, node: exp.Expr) -> Expr:
    source = binder.subquery(node)
    if len(source.columns) != 1:
        raise compilation_error(
            2103, "42601", "Invalid subquery: a scalar subquery must return one column.", position(node)
        )
    column = source.columns[0]
    return Expr(f"(SELECT {quote(column.stored_as)} FROM {source.sql} AS {binder.env.alias()})", column.type, True)


_COMPARISONS: dict[type, str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip

_ARITHMETIC: dict[type, str] = {
    exp.Add: "add", exp.Sub: "subtract", exp.Mul: "multiply", exp.Div: "divide", exp.Mod: "modulo",
}  # fmt: skip

_BITWISE: dict[type, str] = {
    exp.BitwiseAnd: "BITAND", exp.BitwiseOr: "BITOR", exp.BitwiseXor: "BITXOR",
    exp.BitwiseLeftShift: "BITSHIFTLEFT", exp.BitwiseRightShift: "BITSHIFTRIGHT",
}  # fmt: skip

METHODS: dict[type, Callable[[Binder, Any], Expr]] = {
    exp.And: bind_and,
    exp.Or: bind_and,
    exp.Not: bind_not,
    exp.Paren: bind_paren,
    exp.Is: bind_is,
    exp.Between: bind_between,
    exp.In: bind_in,
    exp.Exists: bind_exists,
    exp.Like: bind_like,
    exp.ILike: bind_like,
    exp.Escape: bind_escape,
    exp.RegexpLike: bind_regexp_like,
    exp.Neg: bind_neg,
    exp.DPipe: bind_concat,
    exp.BitwiseNot: bind_bitwise_not,
    exp.Collate: bind_collate,
    exp.Case: bind_case,
    exp.Cast: bind_cast,
    exp.TryCast: bind_cast,
    exp.ToBoolean: bind_try_boolean,
    exp.AtTimeZone: bind_at_time_zone,
    exp.JSONExtract: bind_path,
    exp.Bracket: bind_bracket,
    exp.Struct: bind_struct,
    exp.Array: bind_array,
    exp.Select: bind_subquery,
    exp.Subquery: bind_subquery,
    exp.Union: bind_subquery,
    exp.Intersect: bind_subquery,
    exp.Except: bind_subquery,
    **dict.fromkeys(_COMPARISONS, bind_comparison),
    **dict.fromkeys(_ARITHMETIC, bind_arithmetic),
    **dict.fromkeys(_BITWISE, bind_bitwise),
}
