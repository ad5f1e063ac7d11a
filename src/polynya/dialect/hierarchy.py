"""``START WITH ... CONNECT BY``: a recursive query over the rows of FROM.

Source: docs.snowflake.com/en/sql-reference/constructs/connect-by.
"""

from __future__ import annotations

from sqlglot import exp

from polynya.dialect.binder import Binder, Scope
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr, quote
from polynya.dialect.naming import resolve_identifier
from polynya.dialect.scope import Relation, Source, SourceColumn
from polynya.dialect.sources import bind_from
from polynya.errors import unsupported
from polynya.types.sqltype import VARCHAR, number

_LEVEL = SourceColumn("LEVEL", number(38, 0), False, "level")


def connect_by(node: exp.Select, env: Environment, scope: Scope) -> None:
    """Replaces the scope's relation by its rows in hierarchical order, with LEVEL and the paths that were asked for.

    Args:
        node: the SELECT; its FROM must hold one relation.
        env: of the statement.
        scope: of the SELECT; gets the one relation that stands for FROM.
    """
    clause: exp.Connect = node.args["connect"]
    inner = Scope(scope.parent, scope.ctes)
    binder = Binder(env, inner)
    from_text = bind_from(node, binder)
    if len(inner.relations) != 1:
        raise unsupported("CONNECT BY over several relations")
    child = inner.relations[0]
    start = clause.args.get("start")
    start_text = binder.condition(start).sql if start is not None else "TRUE"
    roots = [(call.this, f"root_{index}") for index, call in enumerate(node.find_all(exp.ConnectByRoot))]
    paths = [call for call in node.find_all(exp.Anonymous) if str(call.this).upper() == "SYS_CONNECT_BY_PATH"]
    rows = env.alias()
    own = [f"{child.alias}.{quote(column.stored_as)} AS {quote(column.stored_as)}" for column in child.source.columns]
    first, following = ["1 AS level"], ["p.level + 1"]
    hidden = [_LEVEL]
    for expression, name in roots:
        bound = binder.expression(expression)
        first.append(f"{bound.sql} AS {name}")
        following.append(f"p.{name}")
        hidden.append(SourceColumn(f"\0{name}", bound.type, True, name))
    for index, call in enumerate(paths):
        text, separator = binder.expression(call.expressions[0]).sql, binder.expression(call.expressions[1]).sql
        first.append(f"{separator} || CAST({text} AS VARCHAR) AS path_{index}")
        following.append(f"p.path_{index} || {separator} || CAST({text} AS VARCHAR)")
        hidden.append(SourceColumn(f"\0path_{index}", VARCHAR, True, f"path_{index}"))
    condition = _Prior(env, inner, child.source).condition(clause.args["connect"]).sql
    sql = (
        f"(WITH RECURSIVE {rows} AS (SELECT {', '.join([*own, *first])}{from_text} WHERE {start_text} UNION ALL "
        f"SELECT {', '.join([*(item.split(' AS ')[0] for item in own), *following])}{from_text} JOIN {rows} AS p ON {condition}) "
        f"SELECT * FROM {rows})"
    )
    alias = env.alias()
    source = Source(sql, child.source.columns, hidden)
    scope.relations.append(Relation(source, alias, child.name, child.qualifiers))
    for (expression, name), root in zip(roots, node.find_all(exp.ConnectByRoot), strict=True):
        scope.variables[f"\0{id(root)}"] = Expr(f"{alias}.{name}", binder.expression(expression).type, True)
    for index, call in enumerate(paths):
        scope.variables[f"\0{id(call)}"] = Expr(f"{alias}.path_{index}", VARCHAR, True)


class _Prior(Binder):
    """Binds the CONNECT BY condition: names after PRIOR are the parent row's."""

    def __init__(self, env: Environment, scope: Scope, source: Source) -> None:
        super().__init__(env, scope)
        self.source = source

    def expression(self, node: exp.Expr) -> Expr:
        if isinstance(node, exp.Prior):
            column = node.this
            name = resolve_identifier(column.this)
            for own in self.source.columns:
                if own.name == name:
                    return Expr(f"p.{quote(own.stored_as)}", own.type, True)
        return super().expression(node)
