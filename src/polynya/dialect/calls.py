"""Calls of functions: built-in ones by the registry, aggregates, windows, and users' own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from polynya.catalog.names import RESERVED
from polynya.dialect import casts
from polynya.dialect.expression import (
    Expr,
)
from polynya.dialect.naming import (
    order_term,
    position,
    qualifiers_of,
    resolve_identifier,
)
from polynya.dialect.registry import FUNCTIONS, Call, Function
from polynya.errors import (
    compilation_error,
    invalid_identifier,
    syntax_error,
    unsupported,
)

if TYPE_CHECKING:
    from polynya.dialect.binder import Binder


def bind_call(binder: Binder, node: exp.Anonymous) -> Expr:
    return call(
        binder,
        str(node.this).upper() if not isinstance(node.this, exp.Identifier) else resolve_identifier(node.this),
        node.expressions,
        node,
    )


def bind_dotted_call(binder: Binder, node: exp.Dot) -> Expr:
    """``db.schema.f(x)``, ``schema.f(x)``, ``seq.NEXTVAL`` with several qualifiers, or a path behind brackets."""
    parts: list[exp.Expr] = []
    current: exp.Expr = node
    while isinstance(current, exp.Dot):
        parts.append(current.expression)
        current = current.this
    parts.append(current)
    parts.reverse()
    if isinstance(parts[0], exp.Bracket | exp.JSONExtract) and all(isinstance(p, exp.Identifier) for p in parts[1:]):
        from polynya.dialect import semistructured  # v['a'].b

        return semistructured.path(binder.expression(parts[0]), [part.name for part in parts[1:]])
    qualifiers: list[str] = []
    for part in parts[:-1]:
        if isinstance(part, exp.Column):
            qualifiers += [*qualifiers_of(part), resolve_identifier(part.this)]
        elif isinstance(part, exp.Identifier):
            qualifiers.append(resolve_identifier(part))
        else:
            raise unsupported(f"'.' after {part.sql('snowflake')}")
    last = parts[-1]
    if isinstance(last, exp.Anonymous) and isinstance(last.this, str) and last.this.upper() in RESERVED:
        raise syntax_error(last.this, *(position(last) or (1, 0)))  # ``SELECT a. FROM (...)``
    if isinstance(last, exp.Anonymous):
        return _user_function(
            binder,
            [*qualifiers, str(last.this).upper() if isinstance(last.this, str) else resolve_identifier(last.this)],
            last,
        )
    if isinstance(last, exp.Identifier) and resolve_identifier(last) == "NEXTVAL":
        from polynya.dialect.sequences import next_value

        return next_value(binder.env, qualifiers)
    raise invalid_identifier(node.sql("snowflake"), position(node))


def bind_no_paren_function(binder: Binder, node: exp.Func) -> Expr:
    arguments = [node.this] if isinstance(node.this, exp.Expr) else []
    return call(binder, _NODE_FUNCTIONS[type(node)], arguments, node)


def bind_extract(binder: Binder, node: exp.Extract) -> Expr:
    return call(binder, "DATE_PART", [exp.Literal.string(node.this.name), node.expression], node)


def bind_position(binder: Binder, node: exp.StrPosition) -> Expr:
    arguments = [node.args["substr"], node.this]
    if node.args.get("position") is not None:
        arguments.append(node.args["position"])
    return call(binder, "POSITION", arguments, node)


def bind_within_group(binder: Binder, node: exp.WithinGroup) -> Expr:
    return _aggregate_call(binder, node.this, node, within=node.expression)


def bind_filter(binder: Binder, node: exp.Filter) -> Expr:
    raise unsupported("FILTER (WHERE ...)")


def bind_connect_by_root(binder: Binder, node: exp.Expr) -> Expr:
    return _hierarchical(binder, node, "CONNECT_BY_ROOT")


def _hierarchical(binder: Binder, node: exp.Expr, what: str) -> Expr:
    """A column that ``hierarchy.connect_by`` made for this call."""
    found = binder.scope.variables.get(f"\0{id(node)}")
    if found is None:
        raise unsupported(f"{what} outside CONNECT BY")
    return found


def call(binder: Binder, name: str, nodes: list[exp.Expr], node: exp.Expr) -> Expr:
    if name == "SYS_CONNECT_BY_PATH":
        return _hierarchical(binder, node, name)
    function = FUNCTIONS.get(name)
    if function is None:
        return _user_function(binder, [name], node)
    call = make_call(binder, name, nodes, node)
    _check_arity(binder, function, call)
    if function.kind == "scalar":
        if call.distinct:
            raise compilation_error(1003, "42000", f"DISTINCT cannot be used with function {name}.", position(node))
        return function.bind(call)
    if function.kind == "window":
        raise compilation_error(
            2303, "42601", f"Window function [{name}(...)] requires an OVER clause.", position(node)
        )
    return _bind_aggregate(binder, function, call)


def make_call(binder: Binder, name: str, nodes: list[exp.Expr], node: exp.Expr) -> Call:
    distinct = False
    if len(nodes) == 1 and isinstance(nodes[0], exp.Distinct):
        distinct, nodes = True, nodes[0].expressions
    named = {str(n.this.name).upper(): n.expression for n in nodes if isinstance(n, exp.Kwarg)}
    positional = [n for n in nodes if not isinstance(n, exp.Kwarg)]
    return Call(name, positional, binder, named, distinct=distinct, position=position(node))


def _check_arity(binder: Binder, function: Function, call: Call) -> None:
    count = len(call)
    if count < function.least:
        raise compilation_error(
            938,
            "22023",
            f"not enough arguments for function [{call.name}({', '.join(n.sql('snowflake') for n in call.nodes)})], expected {function.least}, got {count}",
            call.position,
        )
    if function.most is not None and count > function.most:
        raise compilation_error(
            939,
            "22023",
            f"too many arguments for function [{call.name}({', '.join(n.sql('snowflake') for n in call.nodes)})] expected {function.most}, got {count}",
            call.position,
        )


def _bind_aggregate(binder: Binder, function: Function, call: Call) -> Expr:
    if binder._inside_aggregate and not call.windowed:
        raise compilation_error(2035, "42601", f"Aggregate functions cannot be nested: [{call.name}]", call.position)
    binder._inside_aggregate += 0 if call.windowed else 1
    try:
        bound = function.bind(call)
    finally:
        binder._inside_aggregate -= 0 if call.windowed else 1
    return _finish_aggregate(binder, bound, call)


def _finish_aggregate(binder: Binder, bound: Expr, call: Call) -> Expr:
    sql = bound.sql
    if call.over and not call.over_placed:
        sql = f"{sql}{call.over}"
    if bound.type.name == "NUMBER":
        sql = f"CAST({sql} AS {bound.type.duckdb})"
    return replace(bound, sql=sql, simple=True, aggregate=not call.windowed, window=call.windowed or bound.window)


def _aggregate_call(
    binder: Binder,
    inner: exp.Expr,
    node: exp.Expr,
    within: exp.Order | None = None,
    over: str | None = None,
    *,
    ignore_nulls: bool | None = None,
    has_order: bool = False,
    window_node: exp.Window | None = None,
) -> Expr:
    if isinstance(inner, exp.WithinGroup):
        return _aggregate_call(
            binder,
            inner.this,
            node,
            inner.expression,
            over,
            ignore_nulls=ignore_nulls,
            has_order=has_order,
            window_node=window_node,
        )
    if isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls)):
        return _aggregate_call(
            binder,
            inner.this,
            node,
            within,
            over,
            ignore_nulls=isinstance(inner, exp.IgnoreNulls),
            has_order=has_order,
            window_node=window_node,
        )
    if not isinstance(inner, exp.Anonymous):
        raise unsupported(f"{inner.sql('snowflake')} as a window function")
    name = str(inner.this).upper()
    function = FUNCTIONS.get(name)
    if function is None or function.kind == "scalar":
        if function is None and window_node is not None and window_node.args.get("spec") is not None:
            raise compilation_error(
                2303, "42601", f"Sliding window frame unsupported for function {name}", position(inner)
            )
        if function is None and within is None and over is None:
            return _user_function(binder, [name], inner)
        if function is None:
            raise unsupported(
                f"{'OVER' if over is not None else 'WITHIN GROUP'} with {name}, which is a user's function"
            )
        raise compilation_error(2303, "42601", f"Function [{name}] is not a window function.", position(inner))
    call = make_call(binder, name, inner.expressions, inner)
    call.ignore_nulls = ignore_nulls
    call.windowed = over is not None
    call.over = over or ""
    call.window_order = has_order
    if within is not None:
        binder._inside_aggregate += 1
        call.order_exprs = [binder.expression(item.this) for item in within.expressions]
        binder._inside_aggregate -= 1
        call.order_by = ", ".join(
            order_term(casts.sortable(expr).sql, item)
            for expr, item in zip(call.order_exprs, within.expressions, strict=True)
        )
    _check_arity(binder, function, call)
    if function.kind == "window" and over is None:
        raise compilation_error(
            2303, "42601", f"Window function [{name}(...)] requires an OVER clause.", position(inner)
        )
    return _bind_aggregate(binder, function, call)


def bind_window(binder: Binder, node: exp.Window) -> Expr:
    from polynya.dialect.functions.window import default_frame
    from polynya.dialect.window_frame import frame_sql

    inner = node.this
    while isinstance(inner, (exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)):
        inner = inner.this
    name = str(inner.this).upper() if isinstance(inner, exp.Anonymous) else ""
    parts: list[str] = []
    partition = [binder.expression(item) for item in node.args.get("partition_by") or []]
    if partition:
        parts.append("PARTITION BY " + ", ".join(casts.groupable(p).sql for p in partition))
    order = node.args.get("order")
    keys: list[Expr] = []
    if order is not None:
        keys = [casts.sortable(binder.expression(item.this)) for item in order.expressions]
        terms = [order_term(key.sql, item) for key, item in zip(keys, order.expressions, strict=True)]
        parts.append("ORDER BY " + ", ".join(terms))
    spec = node.args.get("spec")
    frame = frame_sql(spec, keys, binder) if spec is not None else default_frame(name, order is not None)
    if frame:
        parts.append(frame)
    return _aggregate_call(
        binder, node.this, node, None, f" OVER ({' '.join(parts)})", has_order=order is not None, window_node=node
    )


def _user_function(binder: Binder, parts: list[str], node: exp.Expr) -> Expr:
    from polynya.dialect.routines import call_function

    return call_function(binder, parts, node)


def bind_lambda(binder: Binder, node: exp.Lambda) -> Expr:
    raise unsupported("a lambda outside FILTER, TRANSFORM or REDUCE")


def bind_tuple(binder: Binder, node: exp.Tuple) -> Expr:
    raise unsupported("a list of values outside IN")


def bind_star(binder: Binder, node: exp.Star) -> Expr:
    raise compilation_error(1003, "42000", "syntax error: unexpected '*'", position(node))


def bind_alias(binder: Binder, node: exp.Alias) -> Expr:
    """An alias inside an expression, which sqlglot lets pass."""
    line, column = position(node.this) or (1, 0)
    raise syntax_error("AS", line, column)


def bind_prior(binder: Binder, node: exp.Prior) -> Expr:
    raise unsupported("PRIOR outside CONNECT BY")


_NODE_FUNCTIONS: dict[type, str] = {
    exp.CurrentDate: "CURRENT_DATE", exp.CurrentTime: "CURRENT_TIME", exp.CurrentTimestamp: "CURRENT_TIMESTAMP",
    exp.CurrentUser: "CURRENT_USER", exp.Localtime: "LOCALTIME", exp.Localtimestamp: "LOCALTIMESTAMP",
    exp.CurrentRole: "CURRENT_ROLE", exp.CurrentDatetime: "CURRENT_TIMESTAMP",
}  # fmt: skip

METHODS: dict[type, Callable[[Binder, Any], Expr]] = {
    exp.Anonymous: bind_call,
    exp.Dot: bind_dotted_call,
    exp.Extract: bind_extract,
    exp.StrPosition: bind_position,
    exp.WithinGroup: bind_within_group,
    exp.Filter: bind_filter,
    exp.Window: bind_window,
    exp.Lambda: bind_lambda,
    exp.Tuple: bind_tuple,
    exp.Star: bind_star,
    exp.Alias: bind_alias,
    exp.Prior: bind_prior,
    exp.ConnectByRoot: bind_connect_by_root,
    **dict.fromkeys(_NODE_FUNCTIONS, bind_no_paren_function),
}
