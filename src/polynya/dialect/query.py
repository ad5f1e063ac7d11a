"""Queries: SELECT, set operations, VALUES and WITH -> DuckDB SQL with Snowflake's column names and types."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from polynya.catalog.access import Origin, Reads
from polynya.catalog.context import Context
from polynya.catalog.model import CatalogObject
from polynya.dialect import casts
from polynya.dialect.binder import Binder, Scope
from polynya.dialect.binds import Binds
from polynya.dialect.environment import Environment
from polynya.dialect.expression import Expr, quote
from polynya.dialect.naming import order_term, position, resolve_identifier
from polynya.dialect.parse import parse
from polynya.dialect.scope import Source, SourceColumn, source_columns, stored_names
from polynya.dialect.sources import bind_from, values_source
from polynya.dialect.steps import Lift
from polynya.errors import compilation_error, syntax_error, unsupported
from polynya.storage.steps import Inputs
from polynya.types.resultset import Column
from polynya.types.sqltype import NULL


@dataclass(slots=True)
class BoundQuery:
    """A query ready to run.

    Args:
        sql: DuckDB SQL.
        columns: names and types of its result, in order.
        inputs: what the SQL reads besides tables, by the name it has there.
        objects: stored objects that it reads.
        sequences: ids of sequences it draws from.
        stored_as: the DuckDB names of its columns.
        reads: the objects with their columns, apart for what views name.
        origins: for each of its columns, the columns of stored objects that it is made of.
    """

    sql: str
    columns: list[Column]
    inputs: Inputs = field(default_factory=dict)
    objects: list[CatalogObject] = field(default_factory=list)
    sequences: set[int] = field(default_factory=set)
    stored_as: list[str] = field(default_factory=list)
    reads: Reads = field(default_factory=Reads)
    origins: list[tuple[Origin, ...]] = field(default_factory=list)

    @property
    def needs_warehouse(self) -> bool:
        """Whether it reads stored rows or runs handlers; constants and the catalog's views need none here."""
        return bool(self.objects or self.reads.direct) or any(not isinstance(i, pa.Table) for i in self.inputs.values())


def bind_query(
    query: str | exp.Expr,
    context: Context,
    *,
    execution: object = None,
    binds: Binds | None = None,
    describe_only: bool = False,
) -> BoundQuery:
    """Binds a query as a statement of its own.

    Args:
        query: text in Snowflake's dialect, or its syntax tree.
        context: the session's names and parameters.
        execution: what the statement runs with; needed for staged files, RESULT_SCAN and the like.
        binds: values of its bind variables.
        describe_only: only its columns are wanted; binds may be missing.

    Raises:
        SnowflakeError: as Snowflake's compiler would.
    """
    env = Environment(context, execution, binds or {}, describe_only=describe_only)
    tree = parse(query) if isinstance(query, str) else query
    source = bind_query_node(tree, env, None, {})
    return finish(source, env)


def finish(source: Source, env: Environment) -> BoundQuery:
    """A bound source as a query of its own, with what its statement gathered."""
    sql = source.sql[1:-1] if source.sql.startswith("(") and source.sql.endswith(")") else f"SELECT * FROM {source.sql}"
    return BoundQuery(
        sql,
        [column.as_column() for column in source.columns],
        env.inputs,
        list(env.objects.values()),
        env.sequences,
        [column.stored_as for column in source.columns],
        env.reads,
        [column.origins for column in source.columns],
    )


def bind_query_node(node: exp.Expr, env: Environment, parent: Scope | None, ctes: dict[str, Source]) -> Source:
    """Binds a query's syntax tree; the source's SQL is in parentheses.

    Args:
        node: SELECT, set operation, VALUES, or one of these in parentheses.
        env: of the statement.
        parent: the scope to which the query may be correlated, or None.
        ctes: common table expressions visible to it.
    """
    if isinstance(node, exp.Subquery):
        if not any(node.args.get(key) for key in ("order", "limit", "offset", "with_", "joins", "alias")):
            return bind_query_node(node.this, env, parent, ctes)
        if node.args.get("joins") or node.args.get("alias"):
            select = exp.Select(expressions=[exp.Star()], from_=exp.From(this=node))
            return _Select(select, env, parent, ctes).bind()
        source = bind_query_node(node.this, env, parent, _with(node, env, parent, ctes)[0])
        return _ordered(node, source, env, parent, ctes)
    if isinstance(node, exp.Select):
        return _Select(node, env, parent, ctes).bind()
    if isinstance(node, exp.SetOperation):
        return _bind_set_operation(node, env, parent, ctes)
    if isinstance(node, exp.Values):
        return values_source(node, Binder(env, Scope(parent, ctes)))
    if isinstance(node, exp.Table):
        select = exp.Select(expressions=[exp.Star()], from_=exp.From(this=node))
        return _Select(select, env, parent, ctes).bind()
    if isinstance(node, exp.Paren):
        return bind_query_node(node.this, env, parent, ctes)
    raise unsupported(f"{type(node).__name__.upper()} as a query")


# The engine's functions that yield another value each time, as they stand in SQL.
_VOLATILE = re.compile(r"\b(?:random\(|uuid\(|gen_random_uuid\(|nextval\(|sf_python_|row_number\(\) OVER \(\))")

# --- WITH -------------------------------------------------------------------------------------------------------------


def _with(
    node: exp.Expr, env: Environment, parent: Scope | None, ctes: dict[str, Source]
) -> tuple[dict[str, Source], str]:
    """The CTEs visible in a query, and its WITH clause in DuckDB's SQL (or "")."""
    clause = node.args.get("with_")
    if clause is None:
        return ctes, ""
    visible = dict(ctes)
    texts: list[str] = []
    recursive = False
    for cte in clause.expressions:
        name = resolve_identifier(cte.args["alias"].this)
        given = [resolve_identifier(column) for column in cte.args["alias"].args.get("columns") or []]
        stored = quote(f"{env.alias()}_{name}")
        if _refers_to(cte.this, name):
            env.ctes[stored] = None
            source, text = _bind_recursive(cte.this, name, given, stored, env, parent, visible)
            recursive = True
        else:
            source = bind_query_node(cte.this, env, parent, visible)
            if given:
                source = _rename(source, given, name)
            text = source.sql
        texts.append(f"{stored} AS {text}")
        # What is drawn anew each time stays in the SQL text that holds it: a step would draw it again.
        apart = _VOLATILE.search(text) is not None and _mentions(node, name) > 1
        env.ctes[stored] = None if apart else (text, stored in env.ctes)
        visible[name] = Source(stored, source.columns)
    return visible, f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(texts)} "


def _mentions(node: exp.Expr, name: str) -> int:
    """How often a query names a table so."""
    return sum(
        resolve_identifier(table.this) == name and not table.args.get("db")
        for table in node.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier)
    )


def _refers_to(query: exp.Expr, name: str) -> bool:
    return isinstance(query, exp.SetOperation) and any(
        resolve_identifier(table.this) == name and not table.args.get("db")
        for table in query.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier)
    )


def _bind_recursive(
    query: exp.Expr,
    name: str,
    given: list[str],
    stored: str,
    env: Environment,
    parent: Scope | None,
    ctes: dict[str, Source],
) -> tuple[Source, str]:
    """``anchor UNION ALL step``: the anchor gives names and types; the step is cast to them."""
    anchor = bind_query_node(query.this, env, parent, ctes)
    if given:
        anchor = _rename(anchor, given, name)
    # The step may widen the anchor's numbers and strings, as in n + 1.
    columns = [SourceColumn(c.name, casts.widest(c.type), True, c.stored_as, c.origins) for c in anchor.columns]
    visible = {**ctes, name: Source(stored, columns)}
    step = bind_query_node(query.expression, env, parent, visible)
    if len(step.columns) != len(columns):
        raise compilation_error(
            1789,
            "42601",
            f"invalid number of result columns for set operator input branches, expected {len(columns)}, got {len(step.columns)} in one of the branches",
        )
    left = _cast_columns(anchor, columns, env)
    right = _cast_columns(step, columns, env)
    word = "UNION" if query.args.get("distinct") else "UNION ALL"
    return Source(stored, columns), f"({left} {word} {right})"


def _rename(source: Source, names: list[str], what: str) -> Source:
    """The source with its columns renamed by an alias list."""
    if len(names) > len(source.columns):
        raise compilation_error(1789, "42601", f"{what}: {len(names)} column names for {len(source.columns)} columns")
    new = [*names, *(column.name for column in source.columns[len(names) :])]
    stored = stored_names(new)
    columns = [
        SourceColumn(name, column.type, column.nullable, target, column.origins)
        for name, column, target in zip(new, source.columns, stored, strict=True)
    ]
    items = ", ".join(
        f"{quote(old.stored_as)} AS {quote(col.stored_as)}" for old, col in zip(source.columns, columns, strict=True)
    )
    return Source(f"(SELECT {items} FROM {source.sql})", columns)


# --- set operations ---------------------------------------------------------------------------------------------------


def _bind_set_operation(
    node: exp.SetOperation, env: Environment, parent: Scope | None, ctes: dict[str, Source]
) -> Source:
    ctes, clause = _with(node, env, parent, ctes)
    # A chain such as a UNION ALL b UNION ALL c leans left; it is bound flat, however long.
    branches: list[tuple[str, exp.Expr]] = []
    current: exp.Expr = node
    first = True
    while isinstance(current, exp.SetOperation) and (
        first or not any(current.args.get(key) for key in ("order", "limit", "offset", "with_"))
    ):
        branches.append((_set_word(current), current.expression))
        current = current.this
        first = False
    sources = [bind_query_node(current, env, parent, ctes)]
    words: list[str] = []
    for word, branch in reversed(branches):
        words.append(word)
        sources.append(bind_query_node(branch, env, parent, ctes))
    if node.args.get("by_name"):
        sources = _align_by_name(sources)
    columns = _set_columns(sources, node)
    parts = [_cast_columns(source, columns, env) for source in sources]
    if len(set(words)) == 1 and words[0] in ("UNION ALL", "UNION"):
        text = f" {words[0]} ".join(parts)
    else:
        text = parts[0]
        for word, part in zip(words, parts[1:], strict=True):
            text = f"({text} {word} {part})"
    source = Source(f"({clause}{text})", columns)
    return _ordered(node, source, env, parent, ctes)


def _set_word(node: exp.SetOperation) -> str:
    word = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}[type(node)]
    return word if node.args.get("distinct") else f"{word} ALL"


def _align_by_name(sources: list[Source]) -> list[Source]:
    """UNION BY NAME: every branch gets all columns, in order of first appearance, NULL where it lacks one."""
    names: dict[str, SourceColumn] = {}
    for source in sources:
        for column in source.columns:
            names.setdefault(column.name, column)
    stored = dict(zip(names, stored_names(list(names)), strict=True))
    aligned = []
    for source in sources:
        own = {column.name: column for column in source.columns}
        items, columns = [], []
        for name in names:
            if name in own:
                items.append(f"{quote(own[name].stored_as)} AS {quote(stored[name])}")
                columns.append(SourceColumn(name, own[name].type, own[name].nullable, stored[name], own[name].origins))
            else:
                items.append(f"NULL AS {quote(stored[name])}")
                columns.append(SourceColumn(name, NULL, True, stored[name]))
        aligned.append(Source(f"(SELECT {', '.join(items)} FROM {source.sql})", columns))
    return aligned


def _set_columns(sources: list[Source], node: exp.Expr) -> list[SourceColumn]:
    """The columns of a set operation: names of the first branch, common types."""
    width = len(sources[0].columns)
    for source in sources[1:]:
        if len(source.columns) != width:
            raise compilation_error(
                1789,
                "42601",
                f"invalid number of result columns for set operator input branches, expected {width}, got {len(source.columns)} in one of the branches",
                position(node),
            )
    columns = []
    for index, head in enumerate(sources[0].columns):
        kinds = [source.columns[index].type for source in sources]
        common = casts.common_type(kinds)
        if common is None:
            shown = next(kind for kind in kinds if kind.name != head.type.name)
            raise compilation_error(
                2093,
                "22000",
                f"inconsistent data type for result columns for set operator input branches, expected {head.type}, got {shown} for expression [{head.name}] branch {{2}}",
                position(node),
            )
        nullable = _set_nullable(node, [source.columns[index].nullable for source in sources])
        origins = tuple(origin for source in sources for origin in source.columns[index].origins)
        columns.append(SourceColumn(head.name, common, nullable, head.stored_as, origins))
    return columns


def _set_nullable(node: exp.Expr, branches: list[bool]) -> bool:
    """Whether a column of a set operation can be NULL: rows of INTERSECT are in all branches, of EXCEPT in the first."""
    if isinstance(node, exp.Intersect):
        return all(branches)
    return branches[0] if isinstance(node, exp.Except) else any(branches)


def _cast_columns(source: Source, columns: list[SourceColumn], env: Environment) -> str:
    """A query (in parentheses) that yields the source's rows in these columns' types and names."""
    if all(
        own.type == new.type and own.stored_as == new.stored_as
        for own, new in zip(source.columns, columns, strict=True)
    ):
        return source.sql if source.sql.startswith("(") else f"(SELECT * FROM {source.sql})"
    alias = env.alias()
    items = []
    for own, new in zip(source.columns, columns, strict=True):
        expr = Expr(f"{alias}.{quote(own.stored_as)}", own.type, own.nullable)
        items.append(f"{casts.to_common(expr, new.type, env.context).sql} AS {quote(new.stored_as)}")
    return f"(SELECT {', '.join(items)} FROM {source.sql} AS {alias})"


def _ordered(node: exp.Expr, source: Source, env: Environment, parent: Scope | None, ctes: dict[str, Source]) -> Source:
    """ORDER BY and LIMIT of a set operation or a parenthesised query: they see its result columns."""
    from polynya.dialect.scope import Relation

    order, tail = node.args.get("order"), _limit(node, Binder(env, Scope(parent, ctes)))
    if order is None and not tail:
        return source
    alias = env.alias()
    scope = Scope(parent, ctes, [Relation(source, alias)])
    binder = Binder(env, scope)
    text = f"SELECT * FROM {source.sql} AS {alias}"
    if order is not None:
        cells = [Expr(f"{alias}.{quote(column.stored_as)}", column.type) for column in source.columns]
        text += " ORDER BY " + ", ".join(_order_terms(order, binder, len(source.columns), {}, cells))
    return Source(f"({text}{tail})", source.columns)


def _limit(node: exp.Expr, binder: Binder) -> str:
    """LIMIT and OFFSET (or FETCH, TOP) as DuckDB writes them."""
    text = ""
    limit = node.args.get("limit")
    if isinstance(limit, exp.Fetch):
        text += f" LIMIT {_row_count(limit.args.get('count'), binder)}"
    elif limit is not None and not isinstance(limit.expression, exp.Null):
        count = _row_count(limit.expression, binder)
        text += f" LIMIT {count}" if count is not None else ""
        if limit.args.get("offset") is not None:
            text += f" OFFSET {_row_count(limit.args['offset'], binder)}"
    offset = node.args.get("offset")
    if offset is not None:
        count = _row_count(offset.expression, binder)
        text += f" OFFSET {count}" if count is not None else ""
    return text


def _row_count(node: exp.Expr | None, binder: Binder) -> int | None:
    value = binder.expression(node).constant if node is not None else 1
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise compilation_error(
            1003,
            "42601",
            f"LIMIT and OFFSET take a constant whole number, not '{node.sql('snowflake') if node else ''}'.",
        )
    return value


def _order_terms(
    order: exp.Order,
    binder: Binder,
    width: int,
    positions: dict[str, int],
    outputs: list[Expr],
    cells: list[Expr] | None = None,
) -> list[str]:
    """The terms of ORDER BY: positions, aliases of the SELECT list, expressions.

    Args:
        order: the clause.
        binder: of the query's scope.
        width: number of result columns.
        positions: alias -> position in the SELECT list (from 1), for aliases that stand for themselves.
        outputs: the SELECT list's expressions.
        cells: for SELECT DISTINCT, the result's columns: only what is selected can order the rows.
    """
    terms = []
    for item in order.expressions:
        node = item.this
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
            number = int(node.name)
            if not 1 <= number <= width:
                raise compilation_error(
                    3106, "42601", f"Invalid column position {number} in ORDER BY clause", position(node)
                )
            terms.append(_position_term(number, cells or outputs, item))
        elif isinstance(node, exp.Column) and not node.args.get("table") and _plain_name(node) in positions:
            terms.append(_position_term(positions[_plain_name(node)], cells or outputs, item))
        elif (isinstance(node, exp.Var) and node.name.upper() == "ALL") or (
            isinstance(node, exp.Column)
            and not node.args.get("table")
            and _plain_name(node) == "ALL"
            and not node.this.args.get("quoted")
        ):
            terms.extend(order_term(str(number), item) for number in range(1, width + 1))
        else:
            bound = binder.expression(node)
            if bound.is_constant:
                continue  # the order by a constant is no order; DuckDB would take a number for a position
            if cells is not None:
                found = next((number for number, output in enumerate(outputs) if output.sql == bound.sql), None)
                if found is None:
                    raise compilation_error(
                        979, "42601", f"[{node.sql('snowflake')}] is not a valid order by expression", position(node)
                    )
                bound = cells[found]
            terms.append(order_term(casts.sortable(bound).sql, item))
    return terms or ["NULL"]


def _position_term(number: int, outputs: list[Expr], item: exp.Ordered) -> str:
    if outputs:
        sortable = casts.sortable(outputs[number - 1])
        if sortable.sql != outputs[number - 1].sql and not outputs[number - 1].volatile:
            return order_term(sortable.sql, item)
    return order_term(str(number), item)


def _plain_name(node: exp.Column) -> str:
    return resolve_identifier(node.this) if isinstance(node.this, exp.Identifier) else ""


# The clauses of SELECT that are bound, by sqlglot's names of them.
_UNDERSTOOD = {
    "with_", "kind", "expressions", "hint", "distinct", "from_", "joins", "laterals", "where", "connect", "group", "having",
    "qualify", "order", "limit", "offset", "operation_modifiers",
}  # fmt: skip
_CLAUSE_NAMES = {"into": "SELECT ... INTO", "match": "MATCH_RECOGNIZE", "windows": "WINDOW"}


# --- SELECT -----------------------------------------------------------------------------------------------------------


class _Select:
    """Binds one SELECT."""

    def __init__(self, node: exp.Select, env: Environment, parent: Scope | None, ctes: dict[str, Source]) -> None:
        self.node = node
        self.env = env
        visible, self.with_clause = _with(node, env, parent, ctes)
        self.scope = Scope(parent, visible)
        self.binder = Binder(env, self.scope)
        self._origins: list[tuple[Origin, ...]] = []  # of the result's columns

    def bind(self) -> Source:
        node, args = self.node, self.node.args
        for key, value in args.items():
            if value and key not in _UNDERSTOOD:
                # Never answer as if a clause were not there.
                raise unsupported(_CLAUSE_NAMES.get(key, key.upper()))
        if args.get("connect"):
            from polynya.dialect.hierarchy import connect_by

            connect_by(node, self.env, self.scope)
            from_text = f" FROM {self.scope.relations[0].source.sql} AS {self.scope.relations[0].alias}"
        else:
            from_text = bind_from(node, self.binder)
        if self._is_trivial():
            source = self.scope.relations[0].source
            for column in source.columns:
                self.env.reads.touched.update(column.origins)
            return Source(source.sql, source.columns, rows_of=source.rows_of)
        for item in node.expressions:
            if isinstance(item, exp.Alias):
                self.scope.items.setdefault(resolve_identifier(item.args["alias"]), item.this)
            elif isinstance(item, exp.Aliases):
                raise unsupported("several aliases for one expression")
        where = args.get("where")
        where_text = f" WHERE {self._where(where.this)}" if where else ""
        if from_text and not args.get("connect"):
            self.binder.lift = Lift(self.binder, f"{from_text}{where_text}")
        keys, group_text = self._group_by()
        outputs = self._outputs(keys is not None)
        having = args.get("having")
        having_bound = self.binder.condition(having.this) if having else None
        aggregated = keys is not None or any(e.aggregate for _, e in outputs) or (having_bound is not None)
        if aggregated and keys is None and self.scope.relations:
            self.scope.group_keys = set()
            outputs = self._outputs(True)
            self._check_grouped()
        having_text = f" HAVING {having_bound.sql}" if having_bound else ""
        qualify = args.get("qualify")
        qualify_text = f" QUALIFY {self.binder.condition(qualify.this).sql}" if qualify else ""
        return self._assemble(outputs, from_text, where_text, group_text, having_text, qualify_text)

    def _is_trivial(self) -> bool:
        """``SELECT * FROM (query)`` and nothing else: it is the query itself."""
        args = self.node.args
        if len(self.node.expressions) != 1 or len(self.scope.relations) != 1 or self.with_clause:
            return False
        star = self.node.expressions[0]
        if not isinstance(star, exp.Star) or any(value for value in star.args.values()):
            return False
        if any(
            value
            for key, value in args.items()
            if key not in ("expressions", "from_", "kind", "hint", "operation_modifiers")
        ):
            return False
        source = self.scope.relations[0].source
        return (
            source.sql.startswith("(SELECT")
            and not source.hidden
            and bool(source.columns)
            and not self.scope.merged
            and not self.from_has_sample()
        )

    def from_has_sample(self) -> bool:
        table = self.node.args["from_"].this
        return bool(table.args.get("sample") or table.args.get("joins"))

    def _outputs(self, grouped: bool) -> list[tuple[str, Expr]]:
        """(name, expression) of each result column."""
        self.scope.ungrouped.clear()
        outputs: list[tuple[str, Expr]] = []
        self._origins.clear()
        for item in self.node.expressions:
            if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
                found = self.binder.star_columns(item)
                outputs.extend(found)
                self._origins.extend(expr.origins for _, expr in found)
                continue
            name, node = (
                (resolve_identifier(item.args["alias"]), item.this)
                if isinstance(item, exp.Alias)
                else (self._name(item), item)
            )
            bound, origins = self.binder.traced(node)
            outputs.append((name, bound))
            self._origins.append(origins)
        if grouped and self.scope.group_keys:
            self._drop_group_keys()
            self._check_grouped()
        return outputs

    def _name(self, item: exp.Expr) -> str:
        """The result name of an item without alias."""
        if isinstance(item, exp.Column):
            if isinstance(item.this, exp.Parameter):
                relation = next(
                    (
                        r
                        for r in self.scope.relations
                        if not item.args.get("table") or r.name == resolve_identifier(item.args["table"])
                    ),
                    None,
                )
                return self._positional_name(item.this, relation)
            return resolve_identifier(item.this)
        if isinstance(item, exp.Parameter) and isinstance(item.this, exp.Literal):
            return self._positional_name(item, self.scope.relations[0] if self.scope.relations else None)
        return item.meta.get("name") or item.sql("snowflake")

    @staticmethod
    def _positional_name(node: exp.Parameter, relation: object) -> str:
        return f"${node.this.name}"

    # --- GROUP BY ---

    def _where(self, node: exp.Expr) -> str:
        """WHERE's condition, which holds no aggregate and no window function.

        Raises:
            SnowflakeError: 002035, 002088 if it does.
        """
        bound = self.binder.condition(node)
        if bound.window:
            found = next((item for item in node.find_all(exp.Window)), node)
            raise compilation_error(
                2088,
                "42601",
                f"Window function [{found.sql('snowflake')}] appears outside of SELECT, QUALIFY, and ORDER BY clauses.",
                position(found),
            )
        if bound.aggregate:
            raise compilation_error(
                2035, "42601", f"Invalid aggregate function in where clause [{node.sql('snowflake')}]", position(node)
            )
        return bound.sql

    def _group_by(self) -> tuple[set[str] | None, str]:
        """The keys' SQL, and the clause; (None, "") without GROUP BY."""
        group = self.node.args.get("group")
        if group is None:
            return None, ""
        if group.args.get("all"):
            outputs = self._outputs(False)
            keys = [casts.groupable(e) for _, e in outputs if not e.aggregate and not e.window and not e.is_constant]
            sqls = {key.sql for key in keys}
            self.scope.group_keys = sqls | {e.sql for _, e in outputs if not e.aggregate}
            return sqls, f" GROUP BY {', '.join(dict.fromkeys(key.sql for key in keys))}" if keys else ""
        keys_sql: set[str] = set()
        texts = [self._group_item(item, keys_sql) for item in group.expressions]
        for kind in ("rollup", "cube", "grouping_sets"):
            for item in group.args.get(kind) or []:
                texts.append(self._group_item(item, keys_sql))
        texts = [text for text in texts if text]
        self.scope.group_keys = keys_sql
        return keys_sql, f" GROUP BY {', '.join(texts)}" if texts else ""

    def _group_item(self, item: exp.Expr, keys: set[str]) -> str:
        if isinstance(item, (exp.Rollup, exp.Cube)):
            word = "ROLLUP" if isinstance(item, exp.Rollup) else "CUBE"
            if not item.expressions:
                raise syntax_error(")", *(position(self.node) or (1, 0)))
            self._null_keys = True
            return f"{word} ({', '.join(self._group_set(i, keys) for i in item.expressions)})"
        if isinstance(item, exp.GroupingSets):
            self._null_keys = True
            return f"GROUPING SETS ({', '.join(self._group_set(i, keys) for i in item.expressions)})"
        if isinstance(item, exp.Tuple):
            return ", ".join(filter(None, (self._group_item(part, keys) for part in item.expressions)))
        if isinstance(item, exp.Paren):
            return self._group_item(item.this, keys)
        bound = self._group_key(item)
        if bound.aggregate:
            raise compilation_error(
                2079,
                "42601",
                f"[{item.sql('snowflake')}] is not a valid group by expression",
                position(item),
            )
        keys.add(bound.sql)
        grouped = casts.groupable(bound)
        keys.add(grouped.sql)
        # A constant is no key to DuckDB, which would read a number as a position.
        return "" if bound.is_constant else grouped.sql

    def _group_set(self, item: exp.Expr, keys: set[str]) -> str:
        if isinstance(item, exp.Tuple):
            return f"({', '.join(self._group_item(part, keys) for part in item.expressions)})"
        if isinstance(item, exp.Paren):
            return f"({self._group_item(item.this, keys)})"
        return self._group_item(item, keys)

    _null_keys = False

    def _group_key(self, item: exp.Expr) -> Expr:
        items = self.node.expressions
        if isinstance(item, exp.Literal) and not item.is_string and item.name.isdigit():
            number = int(item.name)
            if not 1 <= number <= len(items):
                raise compilation_error(
                    3105, "42601", f"Invalid column position {number} in GROUP BY clause", position(item)
                )
            chosen = items[number - 1]
            if isinstance(chosen, exp.Star):
                return self.binder.star_columns(chosen)[number - 1][1]
            return self.binder.expression(chosen.this if isinstance(chosen, exp.Alias) else chosen)
        return self.binder.expression(item)

    def _drop_group_keys(self) -> None:
        keys = self.scope.group_keys or set()
        self.scope.ungrouped[:] = [pair for pair in self.scope.ungrouped if pair[0] not in keys]

    def _check_grouped(self) -> None:
        if not self.scope.ungrouped:
            return
        label = self.scope.ungrouped[0][1]
        raise compilation_error(979, "42601", f"[{label}] is not a valid group by expression", position(self.node))

    # --- text ---

    def _assemble(
        self, outputs: list[tuple[str, Expr]], from_text: str, where: str, group: str, having: str, qualify: str
    ) -> Source:
        node, args = self.node, self.node.args
        if not outputs:
            raise compilation_error(2057, "42601", "SELECT with no columns", position(node))
        stored = stored_names([name for name, _ in outputs])
        columns = []
        items = []
        for (name, expr), target, origins in zip(outputs, stored, self._origins, strict=True):
            columns.append(SourceColumn(name, expr.type, expr.nullable or self._null_keys, target, origins))
            items.append(f"{expr.sql} AS {quote(target)}")
        distinct = "DISTINCT " if args.get("distinct") else ""
        order = args.get("order")
        order_text, cells, alias = "", None, self.env.alias()
        one_row = not group and any(expr.aggregate for _, expr in outputs)  # may be ordered by what is not grouped
        if order is not None and not one_row:
            positions = {
                resolve_identifier(item.args["alias"]): index for index, item in self._alias_positions(len(outputs))
            }
            if distinct:
                cells = [Expr(f"{alias}.{quote(column.stored_as)}", column.type) for column in columns]
            selected = [expr for _, expr in outputs]
            if self.binder.lift is not None:
                self.binder.lift.again = True
            order_text = " ORDER BY " + ", ".join(
                _order_terms(order, self.binder, len(outputs), positions, selected, cells)
            )
        source, with_clause, parts = f"{from_text}{where}", self.with_clause, [", ".join(items), group, having, qualify]
        placed = self.binder.lift.place(with_clause, [*parts, order_text]) if self.binder.lift is not None else None
        if placed is not None:
            source, with_clause, (*parts, order_text) = placed
        listed, *rest = parts
        text = f"{with_clause}SELECT {distinct}{listed}{source}{''.join(rest)}"
        if cells is not None:
            text = f"SELECT * FROM ({text}) AS {alias}"
        limit = _limit(node, self.binder)
        plain = not (distinct or order_text or "".join(rest) or any(e.aggregate or e.window for _, e in outputs))
        rows_of = self._rows_of(where) if plain else None
        if rows_of is not None and limit:
            count = re.fullmatch(r" LIMIT (\d+)", limit)
            if count:
                self.env.limit_step(rows_of, int(count[1]))
            rows_of = None
        return Source(f"({text}{order_text}{limit})", columns, rows_of=rows_of)

    def _rows_of(self, where: str) -> str | None:
        """The step of which a SELECT that neither groups nor orders has every row."""
        if self.binder.lift is not None and self.binder.lift.step is not None:
            return self.binder.lift.step
        clause = self.node.args.get("from_")
        relations = self.scope.relations
        if clause is None or where or self.node.args.get("joins") or self.node.args.get("laterals"):
            return None
        joined = len(relations) != 1 or any(clause.this.args.get(key) for key in ("joins", "sample", "pivots"))
        return None if joined else relations[0].source.rows_of

    def _alias_positions(self, width: int) -> list[tuple[int, exp.Alias]]:
        """(position from 1, alias node) of aliased items; known only while no star stands before them."""
        found = []
        items = self.node.expressions
        stars = sum(
            isinstance(i, exp.Star) or (isinstance(i, exp.Column) and isinstance(i.this, exp.Star)) for i in items
        )
        if stars > 1:
            return []
        shift = 0
        for index, item in enumerate(items, start=1):
            if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
                shift = width - len(items)
            elif isinstance(item, exp.Alias):
                found.append((index + shift, item))
        return found


def bound_columns(columns: list[Column]) -> list[SourceColumn]:
    """Columns of stored data as a source's columns."""
    return source_columns(columns)
