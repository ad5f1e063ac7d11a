"""FROM: tables, views, subqueries, VALUES, staged files, table functions and joins -> relations of a scope."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from polynya.catalog.access import Origin, Reads
from polynya.catalog.imported import BOUND, REFUSED, imported_from
from polynya.catalog.model import CatalogObject, Stream, Table, View
from polynya.catalog.rights import require, with_rights_of
from polynya.dialect import calls, casts, table_calls
from polynya.dialect.binder import Binder, Scope, dynamic_name
from polynya.dialect.environment import Environment
from polynya.dialect.expansion import expand
from polynya.dialect.expression import Expr, derive, quote
from polynya.dialect.naming import check_list_length, position, resolve_identifier
from polynya.dialect.policies import protected
from polynya.dialect.scope import Relation, Source, SourceColumn, source_columns, stored_names
from polynya.dialect.streams import changes_source, stream_source
from polynya.dialect.table_functions import TABLE_FUNCTIONS
from polynya.dialect.time_travel import Moment, read_moment, table_at
from polynya.errors import SnowflakeError, compilation_error, invalid_identifier, unsupported
from polynya.storage.tables import at_snapshot
from polynya.types.resultset import Column
from polynya.types.sqltype import VARCHAR

_MAX_VIEW_DEPTH = 64


def bind_from(node: exp.Select, binder: Binder) -> str:
    """Binds a SELECT's FROM and joins into the binder's scope.

    Returns:
        DuckDB's FROM clause with a blank before it, or "" without FROM.
    """
    clause = node.args.get("from_")
    if clause is None:
        return ""
    text = _bind_first(clause.this, binder)
    for join in [*(clause.this.args.get("joins") or []), *(node.args.get("joins") or [])]:
        text = _bind_join(join, text, binder)
    for lateral in node.args.get("laterals") or []:
        item = _bind_item(lateral, binder)
        *left, right = binder.scope.relations
        if right.source.table_call is not None:
            text = table_calls.join(text, left, right, binder)
        else:
            text = f"{text} CROSS JOIN LATERAL {item}"
    return f" FROM {text}"


# What may stand with a table in FROM, by sqlglot's names.
_UNDERSTOOD = {
    "this", "db", "catalog", "alias", "joins", "laterals", "pivots", "sample", "when", "changes", "format", "pattern",
}  # fmt: skip


# --- items ------------------------------------------------------------------------------------------------------------


def _bind_first(node: exp.Expr, binder: Binder) -> str:
    """Binds an item of FROM with nothing to its left."""
    text = _bind_item(node, binder)
    first = binder.scope.relations[-1] if binder.scope.relations else None
    return text if first is None or first.source.table_call is None else table_calls.alone(first, binder)


def _bind_item(node: exp.Expr, binder: Binder) -> str:
    """Binds one item of FROM, adds its relation to the scope, answers its DuckDB SQL with alias."""
    if (
        isinstance(node, exp.Subquery)
        and isinstance(node.this, (exp.Table, exp.Subquery))
        and (node.this.args.get("joins") or (isinstance(node.this, exp.Table)))
    ):
        return _bind_parenthesis(node, binder)
    if isinstance(node, exp.Paren):
        return _bind_item(node.this, binder)
    source, name, qualifiers, generator = _item_source(node, binder)
    alias_node = node.args.get("alias")
    for pivot in node.args.get("pivots") or []:
        from polynya.dialect.pivot import bind_pivot

        origins = tuple(origin for column in source.columns for origin in column.origins)
        binder.env.reads.touched.update(origins)
        source = _with_origins(bind_pivot(pivot, source, name, binder), origins)
        pivot_alias = pivot.args.get("alias")
        if pivot_alias is not None:
            alias_node = pivot_alias
        qualifiers = None
    if alias_node is not None:
        if alias_node.this is not None:
            name, qualifiers = resolve_identifier(alias_node.this), None
        columns = [resolve_identifier(column) for column in alias_node.args.get("columns") or []]
        if columns:
            source = rename_columns(source, columns, name or "")
    alias = binder.env.alias()
    relation = Relation(source, alias, name, qualifiers, generator=generator)
    binder.scope.relations.append(relation)
    return f"{source.sql} AS {alias}{_sample(node.args.get('sample'), binder)}"


def _bind_parenthesis(node: exp.Subquery, binder: Binder) -> str:
    """``(a JOIN b ON ...)``, perhaps with an alias that makes it one relation."""
    alias = node.args.get("alias")
    if alias is not None:
        from polynya.dialect.query import bind_query_node

        select = exp.Select(expressions=[exp.Star()], from_=exp.From(this=node.this))
        source = bind_query_node(select, binder.env, binder.scope, binder.scope.ctes)
        name = resolve_identifier(alias.this) if alias.this is not None else None
        columns = [resolve_identifier(column) for column in alias.args.get("columns") or []]
        if columns:
            source = rename_columns(source, columns, name or "")
        relation = Relation(source, binder.env.alias(), name)
        binder.scope.relations.append(relation)
        return f"{source.sql} AS {relation.alias}"
    text = _bind_first(node.this, binder)
    joins = node.this.args.get("joins") or []
    for join in joins:
        text = _bind_join(join, text, binder)
    # DuckDB takes no parentheses around a single item, and a table function's rows hold those of what it was joined to.
    return f"({text})" if " JOIN " in text else text


def _item_source(node: exp.Expr, binder: Binder) -> tuple[Source, str | None, tuple[str, str] | None, bool]:
    """(source, name, (database, schema), is a generator) of an item of FROM before its alias."""
    if isinstance(node, exp.Table):
        return _table_item(node, binder)
    if isinstance(node, exp.Lateral):
        inner = node.this
        if isinstance(inner, exp.Anonymous):
            return *_function_item(inner, binder), False
        return binder.subquery(inner), None, None, False
    if isinstance(node, exp.Values):
        return values_source(node, binder), None, None, False
    if isinstance(node, (exp.Subquery, exp.Select, exp.SetOperation)):
        from polynya.dialect.query import bind_query_node

        if isinstance(node, exp.Subquery) and not any(node.args.get(k) for k in ("order", "limit", "with_")):
            node = node.this
        return _derived(bind_query_node(node, binder.env, binder.scope.parent, binder.scope.ctes)), None, None, False
    if isinstance(node, exp.TableFromRows):
        return *_function_item(node.this, binder), False
    raise unsupported(f"{type(node).__name__.upper()} in FROM")


def _derived(source: Source) -> Source:
    """A subquery's source: what stays hidden in it stays hidden from outside."""
    return replace(source, hidden=[]) if source.hidden else source


def _table_item(node: exp.Table, binder: Binder) -> tuple[Source, str | None, tuple[str, str] | None, bool]:
    inner = node.this
    for key, value in node.args.items():
        if value and key not in _UNDERSTOOD:
            # Never answer as if a clause were not there.
            raise unsupported(key.upper())
    named = isinstance(inner, (exp.Identifier, exp.DynamicIdentifier)) and not inner.name.startswith("@")
    if not (named or _is_table_name(inner)):
        _timeless(node.args.get("when") or node.args.get("changes"), Source("", []))
    if isinstance(inner, exp.Window):  # TABLE(f(x) OVER (PARTITION BY ...))
        source, name, qualifiers = _function_item(inner, binder)
        return source, name, qualifiers, False
    if isinstance(inner, exp.Anonymous):
        function = str(inner.this).upper()
        arguments = inner.expressions
        if _is_table_name(inner):
            return _stored(dynamic_name(inner, binder), node, binder)  # TABLE('name'), TABLE($variable)
        source, name, qualifiers = _function_item(inner, binder)
        return source, name, qualifiers, function == "TABLE" and _call_name(arguments[0]) == "GENERATOR"
    if isinstance(inner, exp.DynamicIdentifier):
        return _stored(dynamic_name(inner, binder), node, binder)
    if isinstance(inner, exp.Parameter) and isinstance(inner.this, exp.Literal):
        from polynya.dialect.flow import piped_result

        result = piped_result(int(inner.this.name))
        return _input_source(result.columns, result.data, binder), None, None, False
    if isinstance(inner, (exp.Var, exp.Literal, exp.Parameter, exp.Placeholder)) or (
        isinstance(inner, exp.Identifier) and inner.name.startswith("@")
    ):
        return _staged(inner, node, binder), None, None, False
    if isinstance(inner, exp.Dot):
        raise unsupported(f"{inner.sql('snowflake')} in FROM")
    parts = [
        resolve_identifier(part) if isinstance(part, exp.Identifier) else ""
        for part in (node.args.get("catalog"), node.args.get("db"), inner)
        if part is not None
    ]
    return _stored(parts, node, binder)


def _is_table_name(node: exp.Expr) -> bool:
    """Whether FROM's item is ``TABLE('name')`` or ``TABLE($variable)`` rather than a table function."""
    if not isinstance(node, exp.Anonymous) or str(node.this).upper() != "TABLE":
        return False
    arguments = node.expressions
    return bool(arguments) and not isinstance(arguments[0], (exp.Anonymous, exp.Dot, exp.Window))


def _stored(parts: list[str], node: exp.Table, binder: Binder) -> tuple[Source, str, tuple[str, str] | None, bool]:
    """A stored table or view, or a view of INFORMATION_SCHEMA."""
    env, context = binder.env, binder.context
    when = node.args.get("when")
    past = when or node.args.get("changes")
    if len(parts) == 1 and parts[0] in binder.scope.ctes:
        return _timeless(past, binder.scope.ctes[parts[0]]), parts[0], None, False
    from polynya.dialect.catalog_views import catalog_view

    found = catalog_view(context, parts, env.execution)
    if found is not None:
        columns, table, qualifiers, view_name = found
        return _timeless(past, _input_source(columns, table, binder)), view_name, qualifiers, False
    database, schema, name = context.catalog.qualify(context, parts)
    stored = context.catalog.find(context, "TABLE", parts) or context.catalog.find(context, "STREAM", parts)
    if isinstance(stored, Stream):
        return _timeless(past, stream_source(stored, env)), name, (database, schema), False
    if stored is None:
        stored = context.catalog.get(context, "TABLE", parts)
    require(context, "SELECT", stored)
    env.objects.setdefault(stored.id, stored)
    env.reads.note(stored)
    if node.args.get("changes"):
        if not isinstance(stored, Table) or imported_from(context.catalog, stored):
            raise unsupported("CHANGES of anything but a stored table")
        return changes_source(stored, node.args["changes"], env), name, (database, schema), False
    if imported_from(context.catalog, stored):
        if when is not None or env.moment is not None:
            raise unsupported("time travel in a shared database")
        return _shared(stored, env), name, (database, schema), False
    moment = _moment(when, binder) or env.moment
    if isinstance(stored, View):
        source = _view_source(stored, binder, database, schema, moment)
    elif isinstance(stored, Table):
        source = table_source(stored) if moment is None else table_at(stored, moment, env)
    else:
        raise unsupported(f"SELECT from {type(stored).__name__}")
    return protected(traced(source, stored, env.reads), stored, env), name, (database, schema), False


# A publication of an imported database in the engine: ``share_17_3``; the database's part, and the whole.
_PUBLICATION = re.compile(r"\b(share_\d+)_\d+(?=\.main\.)")


def _shared(stored: CatalogObject, env: Environment) -> Source:
    """A table or view of an imported database: as the provider's binder made it; where it comes from stays hidden.

    All that a statement reads of a database comes from one publication, though there may be a newer one meanwhile.
    """
    if REFUSED in stored.options:
        raise SnowflakeError(100076, "22000", stored.options[REFUSED])
    if isinstance(stored, Table):
        source = table_source(stored)
    else:
        assert isinstance(stored, View)
        columns = [SourceColumn(item.name, item.type, item.nullable, item.stored_as) for item in stored.columns]
        source = Source(f"({stored.options[BOUND]})", columns)
    sql = _PUBLICATION.sub(lambda found: env.publications.setdefault(found[1], found[0]), source.sql)
    columns = [replace(column, origins=((stored.id, column.name),)) for column in source.columns]
    return replace(source, sql=sql, columns=columns)


def traced(source: Source, stored: Table | View, reads: Reads) -> Source:
    """The rows of a stored table or view with columns that say where they come from."""
    columns = []
    for column in source.columns:
        origin = (stored.id, column.name)
        if isinstance(stored, View):
            reads.views[origin] = column.origins
        columns.append(SourceColumn(column.name, column.type, column.nullable, column.stored_as, (origin,)))
    return replace(source, columns=columns)


def table_source(table: Table) -> Source:
    """A stored table's rows."""
    columns = [SourceColumn(column.name, column.type, column.nullable, column.stored_as) for column in table.columns]
    if table.snapshot is None:
        return Source(table.stored_as, columns)
    return Source(f"(SELECT * FROM {at_snapshot(table.stored_as, table.snapshot)})", columns)


def _moment(when: exp.HistoricalData | None, binder: Binder) -> Moment | None:
    """The moment of an AT or BEFORE; None without one, or where only the columns are wanted: they are those of now."""
    if when is None or binder.env.describe_only or binder.env.execution is None:
        return None
    return read_moment(when, binder.env)


def _timeless(when: exp.Expr | None, source: Source) -> Source:
    """Refuses AT, BEFORE and CHANGES on what has no past of its own."""
    if when is not None:
        word = "CHANGES" if isinstance(when, exp.Changes) else when.args["this"]
        raise unsupported(f"{word} on anything but a stored table or view")
    return source


def _view_source(view: View, binder: Binder, database: str, schema: str, moment: Moment | None) -> Source:
    """A view's query, bound with its owner's rights and its own database and schema as the current ones.

    Args:
        view: of the catalog.
        binder: of the query that names it.
        database, schema: the view's.
        moment: as of which its tables are read, or None.
    """
    from polynya.dialect.parse import parse
    from polynya.dialect.query import bind_query_node

    env = binder.env
    if env.routine_depth >= _MAX_VIEW_DEPTH:
        raise compilation_error(1010, "42000", f"View '{view.name}' is nested too deep or contains itself.")
    caller, at = env.context, env.moment
    env.context = replace(with_rights_of(caller, view.owner), database=database, schema=schema)
    env.moment = moment
    reads = env.reads
    outer, touched = reads.view, reads.touched
    reads.view, reads.touched = view.id, set()
    env.routine_depth += 1
    try:
        source = bind_query_node(parse(view.query), env, None, {})
    finally:
        env.routine_depth -= 1
        env.context, env.moment = caller, at
        reads.touched_inside |= reads.touched
        reads.view, reads.touched = outer, touched
    if len(source.columns) != len(view.columns):
        raise compilation_error(
            2037, "42601",
            f"Failure during expansion of view '{view.name}': view declared {len(view.columns)} column(s), but its query produces {len(source.columns)}.",
        )  # fmt: skip
    return rename_columns(source, [column.name for column in view.columns], view.name)


def rename_columns(source: Source, names: list[str], what: str) -> Source:
    """The source with its first columns renamed, as an alias with a column list does.

    Raises:
        SnowflakeError: if there are more names than columns.
    """
    if len(names) > len(source.columns):
        raise compilation_error(2103, "42601", f"{what}: {len(names)} names given for {len(source.columns)} columns")
    # Only what Snowflake calls them changes; the engine's names stay.
    columns = [
        replace(column, name=names[index]) if index < len(names) else column
        for index, column in enumerate(source.columns)
    ]
    return replace(source, columns=columns)


def _input_source(columns: list[Column], table: object, binder: Binder) -> Source:
    """Rows given as an Arrow table, read under our own column names."""
    found = source_columns(columns)
    names = [column.stored_as for column in found]
    relation = binder.env.add_input(table.rename_columns(names))  # type: ignore[attr-defined]
    return Source(relation, found)


def _staged(inner: exp.Expr, node: exp.Table, binder: Binder) -> Source:
    """Files of a stage: ``@stage/path (FILE_FORMAT => ..., PATTERN => ...)``."""
    from polynya.stages.read import staged_relation

    if isinstance(inner, exp.Placeholder | exp.Parameter):
        location = str(binder.expression(inner).constant)
    else:
        location = inner.name
    options: dict[str, object] = {}
    for key in ("format", "pattern"):
        value = node.args.get(key)
        if value is not None:
            options["FILE_FORMAT" if key == "format" else "PATTERN"] = _option_text(value)
    execution = binder.execution
    if execution is None:
        raise unsupported("staged files here")
    select = node.find_ancestor(exp.Select)
    width = (
        max((_column_number(item) for item in select.find_all(exp.Parameter, exp.Identifier)), default=1)
        if select
        else 1
    )
    relation = staged_relation(location, options, binder.context, execution.stages, execution.connection, max(width, 1))
    stage = execution.stages.resolve(location, binder.context).stage
    if stage is not None:
        binder.env.reads.note(stage)
    columns, hidden, named = (
        [SourceColumn(column.name, column.type, column.nullable, column.stored_as) for column in listed]
        for listed in (relation.columns, relation.hidden, relation.named)
    )
    return Source(relation.sql, columns, hidden, named_by_file=named)


def _column_number(node: exp.Expr) -> int:
    """The n of ``$n`` or ``"$n"``, 0 for anything else."""
    if isinstance(node, exp.Identifier):
        name = node.name.removeprefix("$")
        return int(name) if node.name.startswith("$") and name.isdigit() else 0
    return int(node.this.name) if isinstance(node.this, exp.Literal) else 0


def _option_text(node: exp.Expr) -> str:
    if isinstance(node, exp.Literal):
        return node.name
    if isinstance(node, exp.Table):
        return node.sql("snowflake")
    return node.sql("snowflake")


# --- table functions --------------------------------------------------------------------------------------------------


def _call_name(node: exp.Expr) -> str:
    return str(node.this).upper() if isinstance(node, exp.Anonymous) else ""


def _function_item(node: exp.Expr, binder: Binder) -> tuple[Source, str | None, tuple[str, str] | None]:
    """``TABLE(f(...))``, ``LATERAL f(...)``, with OVER for a UDTF's partitions."""
    window: exp.Window | None = None
    if isinstance(node, exp.Window):
        window, node = node, node.this
    if isinstance(node, exp.Anonymous) and str(node.this).upper() == "TABLE":
        node = node.expressions[0]
    if isinstance(node, exp.Window):
        window, node = node, node.this
    qualifiers: list[str] = []
    while isinstance(node, exp.Dot):
        qualifiers.insert(0, resolve_identifier(node.this) if not isinstance(node.this, exp.Dot) else "")
        if isinstance(node.this, exp.Dot):
            inner = node.this
            qualifiers[0:1] = [resolve_identifier(inner.this), resolve_identifier(inner.expression)]
        node = node.expression
    if not isinstance(node, exp.Anonymous):
        raise unsupported(f"TABLE({node.sql('snowflake')})")
    name = str(node.this).upper() if isinstance(node.this, str) else resolve_identifier(node.this)
    plain = not qualifiers or qualifiers[-1] == "INFORMATION_SCHEMA"
    bind = TABLE_FUNCTIONS.get(name if plain else ".".join([*qualifiers, name]))
    if bind is None:
        from polynya.dialect.routines import call_table_function

        return _made_of(binder, lambda: call_table_function(binder, [*qualifiers, name], node, window)), name, None
    call = calls.make_call(binder, name, node.expressions, node)
    return _made_of(binder, lambda: bind(call)), None, None


def _made_of(binder: Binder, bind: Callable[[], Source]) -> Source:
    """The rows of a table function: its columns are made of what its arguments are."""
    reads = binder.env.reads
    outer, reads.touched = reads.touched, set()
    try:
        source = bind()
        origins = tuple(sorted(reads.touched))
    finally:
        outer |= reads.touched
        reads.touched = outer
    return _with_origins(source, origins)


def _with_origins(source: Source, origins: tuple[Origin, ...]) -> Source:
    """The source with these origins for the columns that have none of their own."""
    if not origins:
        return source
    return replace(source, columns=[replace(c, origins=c.origins or origins) for c in source.columns])


# --- VALUES -----------------------------------------------------------------------------------------------------------


def values_source(node: exp.Values, binder: Binder) -> Source:
    """``VALUES (1, 'a'), (2, 'b')``: columns COLUMN1, COLUMN2 ... of the rows' common types."""
    check_list_length(len(node.expressions))
    rows = [
        [binder.expression(item) for item in (row.expressions if isinstance(row, exp.Tuple) else [row])]
        for row in node.expressions
    ]
    width = len(rows[0])
    for row in rows:
        if len(row) != width:
            raise compilation_error(
                2079, "42601", f"Number of values in a row of VALUES differs: {width} and {len(row)}", position(node)
            )
    columns: list[SourceColumn] = []
    texts: list[list[str]] = [[] for _ in rows]
    for index in range(width):
        cells = [row[index] for row in rows]
        cells, common = binder.unify(cells, node, "VALUES")
        name = f"COLUMN{index + 1}"
        columns.append(SourceColumn(name, common, any(cell.nullable for cell in cells), name))
        for text, cell in zip(texts, cells, strict=True):
            # The first row alone decides DuckDB's column type; it must be the common one.
            text.append(
                f"CAST({cell.sql} AS {common.duckdb})" if text is texts[0] and common.duckdb != "VARCHAR" else cell.sql
            )
    body = ", ".join(f"({', '.join(text)})" for text in texts)
    names = ", ".join(quote(column.stored_as) for column in columns)
    return Source(f"(SELECT * FROM (VALUES {body}) AS {binder.env.alias()}({names}))", columns)


# --- joins ------------------------------------------------------------------------------------------------------------


def _bind_join(join: exp.Join, left_text: str, binder: Binder) -> str:
    scope = binder.scope
    side = (join.args.get("side") or "").upper()
    kind = (join.args.get("kind") or "").upper()
    method = (join.args.get("method") or "").upper()
    if isinstance(join.this, exp.Lateral) and join.this.args.get("outer"):
        side = side or "LEFT"
    before = len(scope.relations)
    right_text = _bind_item(join.this, binder)
    for nested in join.this.args.get("joins") or [] if not isinstance(join.this, exp.Subquery) else []:
        right_text = _bind_join(nested, right_text, binder)
    left, right = scope.relations[:before], scope.relations[before:]
    condition, using = join.args.get("on"), join.args.get("using")
    lateral = _is_lateral(join.this)
    if len(right) == 1 and right[0].source.table_call is not None:
        return _join_call(join, left_text, left, right[0], binder)
    if method == "NATURAL":
        using = [exp.to_identifier(name, quoted=True) for name in _common_names(left, right)]
    if method == "ASOF":
        return _asof(join, left_text, right_text, using, binder)
    word = f"{side} JOIN" if side in ("LEFT", "RIGHT", "FULL") else "JOIN"
    if using:
        text = _using(using, left, right, side, binder)
    elif condition is not None:
        text = binder.condition(condition).sql
    elif side in ("LEFT", "RIGHT", "FULL"):
        text = "TRUE"
    else:
        text = ""
    for relation in right if side in ("LEFT", "FULL") else []:
        relation.outer = True
    for relation in left if side in ("RIGHT", "FULL") else []:
        relation.outer = True
    if not text and len(right) == 1 and right[0].source.expansion is not None and kind not in ("SEMI", "ANTI"):
        return expand(left_text, left, right[0], join, binder)
    keyword = "LATERAL " if lateral else ""
    if kind in ("SEMI", "ANTI"):
        del scope.relations[before:]
        return f"{left_text} {kind} JOIN {right_text} ON {text or 'TRUE'}"
    if not text:
        return f"{left_text} CROSS JOIN {keyword}{right_text}"
    return f"{left_text} {word} {keyword}{right_text} ON {text}"


def _join_call(join: exp.Join, left_text: str, left: list[Relation], right: Relation, binder: Binder) -> str:
    """``t [LEFT] JOIN TABLE(f(t.a) OVER (...)) [ON condition | USING (names)]`` of a table function in Python."""
    words = {str(join.args.get(key) or "").upper() for key in ("method", "side", "kind")} - {
        "",
        "INNER",
        "CROSS",
        "OUTER",
    }
    if isinstance(join.this, exp.Lateral) and join.this.args.get("outer"):
        words.add("LEFT")
    condition, using = join.args.get("on"), join.args.get("using")
    if words - {"LEFT"} or (words and using):
        raise unsupported(f"{' '.join(sorted(words))} JOIN{' USING' if using else ''} with a table function in Python")
    if words:
        return table_calls.outer_join(left_text, left, right, condition, binder)
    text = table_calls.join(left_text, left, right, binder)
    if using:
        on = _using(using, left, [right], "", binder)
    elif condition is not None:
        on = binder.condition(condition).sql
    else:
        return text
    return f"{text} JOIN (SELECT 1) AS {binder.env.alias()} ON {on}"


def _is_lateral(node: exp.Expr) -> bool:
    if isinstance(node, exp.Lateral):
        return True
    inner = node.this if isinstance(node, exp.Table) else node
    return isinstance(inner, (exp.Anonymous, exp.Window, exp.TableFromRows))


def _common_names(left: list[Relation], right: list[Relation]) -> list[str]:
    right_names = {column.name for relation in right for column in relation.source.columns}
    names: dict[str, None] = {}
    for relation in left:
        for column in relation.source.columns:
            if column.name in right_names and column.name not in relation.merged:
                names[column.name] = None
    return list(names)


def _using(using: list[exp.Expr], left: list[Relation], right: list[Relation], side: str, binder: Binder) -> str:
    """``USING (a, b)``: equality, and one merged column for each name."""
    scope = binder.scope
    conditions = []
    for item in using:
        name = resolve_identifier(item.this if isinstance(item, exp.Column) else item)
        a = scope.merged.get(name) or _single(left, name, item)
        b = _single(right, name, item)
        conditions.append(binder.compare(a, "=", b, item).sql)
        common = casts.common_type([a.type, b.type]) or a.type
        first, second = casts.to_common(a, common, binder.context), casts.to_common(b, common, binder.context)
        if side == "RIGHT":
            merged = second
        elif side == "FULL":
            merged = derive(f"coalesce({first.sql}, {second.sql})", common, first, second)
        else:
            merged = first
        scope.merged[name] = replace(merged, origins=(*a.origins, *b.origins))
        binder.env.reads.touched.update(scope.merged[name].origins)
        for relation in [*left, *right]:
            if any(column.name == name for column in relation.source.columns):
                relation.merged.add(name)
    return " AND ".join(f"({condition})" for condition in conditions)


def _single(relations: list[Relation], name: str, node: exp.Expr) -> Expr:
    found = [
        Expr(
            f"{relation.alias}.{quote(column.stored_as)}",
            column.type,
            column.nullable or relation.outer,
            origins=column.origins,
        )
        for relation in relations
        for column in relation.source.columns
        if column.name == name
    ]
    if not found:
        raise invalid_identifier(name, position(node))
    if len(found) > 1:
        raise compilation_error(2028, "42601", f"ambiguous column name '{name}'", position(node))
    return found[0]


def _asof(join: exp.Join, left: str, right: str, using: list[exp.Expr] | None, binder: Binder) -> str:
    """ASOF JOIN ... MATCH_CONDITION (a >= b) [ON equalities]: an outer join in Snowflake."""
    match = join.args.get("match_condition")
    if match is None:
        raise compilation_error(1003, "42000", "ASOF JOIN needs MATCH_CONDITION (left >= right).", position(join))
    conditions = []
    condition = join.args.get("on")
    if condition is not None:
        conditions.append(binder.condition(condition).sql)
    if using:
        conditions.append(_using(using, binder.scope.relations[:-1], binder.scope.relations[-1:], "LEFT", binder))
    conditions.append(binder.condition(match).sql)
    binder.scope.relations[-1].outer = True
    return f"{left} ASOF LEFT JOIN {right} ON {' AND '.join(f'({c})' for c in conditions)}"


def _sample(sample: exp.TableSample | None, binder: Binder) -> str:
    """SAMPLE / TABLESAMPLE."""
    if sample is None:
        return ""
    method = sample.args.get("method")
    word = method.name.lower() if method is not None else "bernoulli"
    if word in ("row", "block", "system"):
        word = "bernoulli"  # stored rows have no blocks of their own here
    seed = sample.args.get("seed")
    repeat = f" REPEATABLE ({binder.expression(seed).constant})" if seed is not None else ""
    size = sample.args.get("size")
    if size is not None:
        return f" TABLESAMPLE reservoir({binder.expression(size).constant} ROWS){repeat}"
    percent = sample.args.get("percent")
    value = binder.expression(percent).constant if percent is not None else 0
    if not 0 <= float(value) <= 100:
        raise compilation_error(1014, "22023", f"Invalid sampling probability {value}: it must be between 0 and 100.")
    return f" TABLESAMPLE {word}({value}%){repeat}"


__all__ = ["VARCHAR", "Scope", "bind_from", "rename_columns", "stored_names", "table_source", "values_source"]
