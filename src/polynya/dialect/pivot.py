"""PIVOT and UNPIVOT as grouped and lateral queries.

Sources: docs.snowflake.com/en/sql-reference/constructs/pivot and .../unpivot.
"""

from __future__ import annotations

from sqlglot import exp

from polynya.dialect.binder import Binder, Scope
from polynya.dialect.expression import Expr, quote, quote_string
from polynya.dialect.naming import find_columns, order_term, position, resolve_identifier
from polynya.dialect.scope import Relation, Source, SourceColumn, stored_names
from polynya.errors import compilation_error, invalid_identifier, unsupported
from polynya.types.sqltype import varchar


def bind_pivot(node: exp.Pivot, source: Source, name: str | None, binder: Binder) -> Source:
    """Binds PIVOT or UNPIVOT of a source.

    Args:
        node: the clause.
        source: what stands before it.
        name: its alias, by which the clause may qualify columns.
        binder: of the surrounding scope (for binds and subqueries).
    """
    if node.args.get("unpivot"):
        return _unpivot(node, source, binder)
    return _pivot(node, source, name, binder)


def _pivot(node: exp.Pivot, source: Source, name: str | None, binder: Binder) -> Source:
    alias = binder.env.alias()
    inner = Binder(binder.env, Scope(binder.scope.parent, binder.scope.ctes, [Relation(source, alias, name)]))
    if len(node.args["fields"]) != 1:
        raise unsupported("PIVOT over several columns")
    field = node.args["fields"][0]
    key = inner.expression(field.this)
    key_column = resolve_identifier(field.this.this)
    values = _pivot_values(field, key, source, alias, inner)
    aggregates = list(node.expressions)
    used = {key_column}
    for item in aggregates:
        used |= {resolve_identifier(c.this) for c in item.find_all(exp.Column) if isinstance(c.this, exp.Identifier)}
    rest = [column for column in source.columns if column.name not in used]
    fill = node.args.get("default_on_null")
    default = inner.expression(fill) if isinstance(fill, exp.Expr) else None
    outputs: list[tuple[str, Expr]] = []
    for value, label in values:
        test = inner.compare(key, "=", value, field).sql if value.constant is not None else f"{key.atom} IS NULL"
        for item in aggregates:
            call = item.this if isinstance(item, exp.Alias) else item
            bound = _filtered(inner, call, test)
            if default is not None:
                (filled, fallback), common = inner.unify([bound, default], node, "PIVOT")
                bound = Expr(f"coalesce({filled.sql}, {fallback.sql})", common, True)
            title = label
            if isinstance(item, exp.Alias):
                title = f"{label}_{resolve_identifier(item.args['alias'])}"
            elif len(aggregates) > 1:
                title = f"{label}_{call.sql('snowflake').upper()}"
            outputs.append((title, bound))
    names = [column.name for column in rest] + [title for title, _ in outputs]
    stored = stored_names(names)
    kept = [f"{alias}.{quote(column.stored_as)}" for column in rest]
    items = [f"{sql} AS {quote(target)}" for sql, target in zip(kept, stored, strict=False)]
    items += [f"{expr.sql} AS {quote(target)}" for (_, expr), target in zip(outputs, stored[len(rest) :], strict=True)]
    group = f" GROUP BY {', '.join(kept)}" if kept else ""
    columns = [SourceColumn(c.name, c.type, c.nullable, s) for c, s in zip(rest, stored, strict=False)]
    columns += [SourceColumn(t, e.type, True, s) for (t, e), s in zip(outputs, stored[len(rest) :], strict=True)]
    return Source(f"(SELECT {', '.join(items)} FROM {source.sql} AS {alias}{group})", columns)


def _filtered(binder: Binder, call: exp.Expr, test: str) -> Expr:
    """An aggregate over the rows of one pivot value: its argument is NULL elsewhere, which aggregates skip."""
    if not isinstance(call, exp.Anonymous) or len(call.expressions) != 1:
        raise unsupported(f"PIVOT with {call.sql('snowflake')}")
    argument = call.expressions[0]
    bound = binder.expression(exp.Literal.number(1) if isinstance(argument, exp.Star) else argument)
    guarded = Expr(f"CASE WHEN {test} THEN {bound.sql} END", bound.type, True)
    binder.scope.variables["\0pivot"] = guarded
    replaced = exp.Anonymous(this=call.this, expressions=[exp.Identifier(this="\0pivot", quoted=True)])
    try:
        return binder.expression(replaced)
    finally:
        del binder.scope.variables["\0pivot"]


def _pivot_values(field: exp.In, key: Expr, source: Source, alias: str, binder: Binder) -> list[tuple[Expr, str]]:
    """(value, column name) of each pivot column: a list, ANY [ORDER BY], or a subquery."""
    query = field.args.get("query")
    if (
        query is None
        and len(field.expressions) == 1
        and isinstance(field.expressions[0], (exp.PivotAny, exp.Subquery, exp.Select))
    ):
        only = field.expressions[0]
        query = None if isinstance(only, exp.PivotAny) else only
        if isinstance(only, exp.PivotAny):
            order = only.this
            terms = (
                [order_term(key.sql, item) for item in order.expressions]
                if isinstance(order, exp.Order)
                else [f"{key.sql} ASC"]
            )
            return _dynamic_values(
                f"SELECT DISTINCT {key.sql} AS v FROM {source.sql} AS {alias} ORDER BY {', '.join(terms)}".replace(
                    f"ORDER BY {key.sql}", "ORDER BY v"
                ),
                key,
                binder,
            )
    if query is not None:
        found = binder.subquery(query)
        return _dynamic_values(f"SELECT * FROM {found.sql}", key, binder)
    values = []
    for item in field.expressions:
        label = None
        if isinstance(item, exp.PivotAlias | exp.Alias):
            label, item = resolve_identifier(item.args["alias"]), item.this
        bound = binder.expression(item)
        values.append((bound, label or _value_label(bound, item)))
    return values


def _value_label(bound: Expr, item: exp.Expr) -> str:
    if isinstance(bound.constant, str):
        return f"'{bound.constant}'"
    if bound.constant is None:
        return "NULL"
    if isinstance(item, exp.Cast):
        if bound.type.name == "DATE" and isinstance(item.this, exp.Literal) and item.this.is_string:
            return f"TO_DATE('{item.this.name}')"
        return f"CAST({item.this.sql('snowflake')} AS {bound.type})"
    return item.meta.get("name") or item.sql("snowflake")


def _dynamic_values(sql: str, key: Expr, binder: Binder) -> list[tuple[Expr, str]]:
    """The pivot values that a query yields now."""
    execution = binder.execution
    if execution is None:
        raise unsupported("a dynamic PIVOT where no data can be read")
    from polynya.dialect.binder import literal_value

    rows = execution.connection.table(sql, binder.env.inputs).column(0).to_pylist()
    values = []
    for value in dict.fromkeys(rows):
        bound = (
            literal_value(value)
            if value is None or isinstance(value, (str, int, float, bool))
            else _literal(value, key)
        )
        values.append((bound, f"'{value}'" if isinstance(value, str) else ("NULL" if value is None else str(value))))
    return values


def _literal(value: object, key: Expr) -> Expr:
    """A value of a column as a literal: of bytes, which may hold anything, by their digits."""
    sql = (
        f"unhex('{value.hex()}')"
        if isinstance(value, bytes)
        else f"CAST({quote_string(str(value))} AS {key.type.duckdb})"
    )
    return Expr(sql, key.type, False, value)


def _unpivot(node: exp.Pivot, source: Source, binder: Binder) -> Source:
    alias = binder.env.alias()
    field = node.args["fields"][0]
    value_name = resolve_identifier(
        node.expressions[0].this if isinstance(node.expressions[0], exp.Column) else node.expressions[0]
    )
    name_name = resolve_identifier(field.this.this if isinstance(field.this, exp.Column) else field.this)
    chosen: list[tuple[SourceColumn, str]] = []
    for item in field.expressions:
        label = None
        if isinstance(item, exp.PivotAlias | exp.Alias):
            tag = item.args["alias"]
            label, item = (tag.name if isinstance(tag, exp.Literal) else resolve_identifier(tag)), item.this
        column_name = resolve_identifier(item.this if isinstance(item, exp.Column) else item)
        found = find_columns(source, column_name)
        if not found:
            raise invalid_identifier(column_name, position(item))
        chosen.append((found[0], label or column_name))
    cells = [Expr(f"{alias}.{quote(column.stored_as)}", column.type, column.nullable) for column, _ in chosen]
    kinds = {cell.type.name for cell in cells}
    if len(kinds) > 1:
        raise compilation_error(
            2102, "42601", f"UNPIVOT columns must have one data type, found {', '.join(sorted(kinds))}.", position(node)
        )
    cells, common = binder.unify(cells, node, "UNPIVOT")
    names = {column.name for column, _ in chosen}
    rest = [column for column in source.columns if column.name not in names]
    stored = stored_names([*(column.name for column in rest), name_name, value_name])
    pairs = ", ".join(
        f"({number}, '{label.replace(chr(39), chr(39) * 2)}', {cell.sql})"
        for number, ((_, label), cell) in enumerate(zip(chosen, cells, strict=True))
    )
    items = [f"{alias}.{quote(c.stored_as)} AS {quote(s)}" for c, s in zip(rest, stored, strict=False)]
    items += [f"u.n AS {quote(stored[-2])}", f"u.v AS {quote(stored[-1])}"]
    where = "" if node.args.get("include_nulls") else " WHERE u.v IS NOT NULL"
    columns = [SourceColumn(c.name, c.type, c.nullable, s) for c, s in zip(rest, stored, strict=False)]
    length = max(len(label) for _, label in chosen)
    columns.append(SourceColumn(name_name, varchar(length), False, stored[-2]))
    columns.append(SourceColumn(value_name, common, True, stored[-1]))
    return Source(
        f"(SELECT {', '.join(items)} FROM {source.sql} AS {alias} CROSS JOIN LATERAL (VALUES {pairs}) AS u(i, n, v){where})",
        columns,
    )
