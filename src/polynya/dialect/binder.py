"""Expressions: syntax tree -> DuckDB SQL with a Snowflake type.

A binder stands in one scope (one SELECT) and finds what names mean there. Functions are bound by their families
(``dialect/functions``); here are operators, literals, CASE, casts, subqueries, windows and names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from polynya.catalog.names import RESERVED
from polynya.dialect import casts, types
from polynya.dialect.environment import Environment
from polynya.dialect.expression import (
    Expr,
    boolean_literal,
    derive,
    null,
    number_literal,
    quote,
    quote_string,
    string_literal,
)
from polynya.dialect.registry import FUNCTIONS, Call, Function
from polynya.dialect.scope import Relation, Source, SourceColumn
from polynya.errors import compilation_error, invalid_identifier, syntax_error, unsupported
from polynya.types.sqltype import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    NULL,
    SqlType,
    binary,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from polynya.catalog.context import Context


@dataclass(slots=True)
class Scope:
    """The names visible in one SELECT.

    Args:
        parent: the scope of the query around it (correlation), or None.
        ctes: common table expressions visible here, by name.
        relations: what FROM holds, left to right.
        merged: columns that USING or NATURAL joins made one: name -> expression.
        items: the SELECT list's aliases: name -> syntax tree, bound where they are used.
        variables: names that stand for an expression (arguments of a SQL function, parameters of a lambda).
        ungrouped: while a grouped SELECT list is bound: (SQL, name) of columns used outside aggregates.
        group_keys: SQL of the GROUP BY keys, or None while not grouping.
    """

    parent: Scope | None = None
    ctes: dict[str, Source] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    merged: dict[str, Expr] = field(default_factory=dict)
    items: dict[str, exp.Expr] = field(default_factory=dict)
    variables: dict[str, Expr] = field(default_factory=dict)
    ungrouped: list[tuple[str, str]] = field(default_factory=list)
    group_keys: set[str] | None = None
    correlated: bool = False


class Binder:
    """Binds the expressions of one scope."""

    def __init__(self, env: Environment, scope: Scope) -> None:
        self.env = env
        self.scope = scope
        self._aliases_in_use: set[str] = set()
        self._inside_aggregate = 0

    @property
    def context(self) -> Context:
        return self.env.context

    @property
    def execution(self) -> Any:
        return self.env.execution

    @property
    def results(self) -> Any:
        return self.env.execution.results if self.env.execution else None

    def add_input(self, table: pa.Table) -> str:
        """Makes an Arrow table readable by the statement; answers the relation's name."""
        return self.env.add_input(table)

    def position(self, node: exp.Expr) -> tuple[int, int] | None:
        """(line, column) at which a node begins, where the parser kept it."""
        return position(node)

    # --- entry points -------------------------------------------------------------------------------------------------

    def expression(self, node: exp.Expr) -> Expr:
        """Binds an expression.

        Raises:
            SnowflakeError: for unknown names, wrong types, and constructs without a meaning here.
        """
        method = _METHODS.get(type(node))
        if method is None:
            raise unsupported(node.sql_name() if isinstance(node, exp.Func) else type(node).__name__.upper())
        keys = self.scope.group_keys
        if keys is None:
            return method(self, node)
        before = len(self.scope.ungrouped)
        bound = method(self, node)
        if len(self.scope.ungrouped) > before and (bound.sql in keys or bound.atom in keys):
            del self.scope.ungrouped[before:]
        return bound

    def condition(self, node: exp.Expr) -> Expr:
        """Binds an expression that must be BOOLEAN (WHERE, ON, WHEN ...)."""
        bound = self.expression(node)
        converted = casts.coerce(bound, BOOLEAN, self.context)
        if converted is None:
            raise compilation_error(
                2016,
                "22000",
                f"Invalid data type [{bound.type}] for predicate [{node.sql('snowflake')}]",
                position(node),
            )
        return converted

    def generator_row(self) -> str:
        """SQL of the current row's number, from 0 (SEQ4 and its kin): the generator's where FROM has one."""
        for relation in self.scope.relations:
            if relation.generator and relation.source.hidden:
                return f"{relation.alias}.{quote(relation.source.hidden[0].stored_as)}"
        return "(row_number() OVER () - 1)"

    def star_columns(self, node: exp.Expr) -> list[tuple[str, Expr]]:
        """What ``*`` or ``t.*`` stands for: names and expressions in order, with EXCLUDE, RENAME, REPLACE, ILIKE.

        Args:
            node: ``exp.Star``, or ``exp.Column`` around one.
        """
        star = node.this if isinstance(node, exp.Column) else node
        qualifiers = _qualifiers(node) if isinstance(node, exp.Column) else []
        pairs = self._all_columns(qualifiers, node)
        return self._filter_star(pairs, star)

    def _all_columns(self, qualifiers: list[str], node: exp.Expr) -> list[tuple[str, Expr]]:
        if not self.scope.relations:
            raise (
                compilation_error(2057, "42601", "SELECT with no columns", position(node))
                if not qualifiers
                else (invalid_identifier(".".join(qualifiers), position(node)))
            )
        pairs: list[tuple[str, Expr]] = []
        relations = [r for r in self.scope.relations if not qualifiers or _matches(r, qualifiers)]
        if not relations:
            raise invalid_identifier(".".join(quote_if_needed(q) for q in qualifiers), position(node))
        if not qualifiers:
            pairs.extend(self.scope.merged.items())
        for relation in relations:
            for column in relation.source.columns:
                if not qualifiers and column.name in relation.merged:
                    continue
                pairs.append((column.name, self._column_expr(relation, column)))
        return pairs

    def _filter_star(self, pairs: list[tuple[str, Expr]], star: exp.Expr) -> list[tuple[str, Expr]]:
        like = star.args.get("ilike")
        if like is not None:
            pattern = re.escape(like.name).replace("%", ".*").replace("_", ".")
            pairs = [pair for pair in pairs if re.fullmatch(pattern, pair[0], re.IGNORECASE | re.DOTALL)]
        names = {name for name, _ in pairs}
        excluded = {_name_of(column) for column in star.args.get("except_") or star.args.get("except") or []}
        for name in excluded - names:
            raise invalid_identifier(quote_if_needed(name), position(star))
        pairs = [pair for pair in pairs if pair[0] not in excluded]
        replaced = {resolve_identifier(a.args["alias"]): a.this for a in star.args.get("replace") or []}
        if replaced:
            pairs = [(name, self.expression(replaced[name]) if name in replaced else e) for name, e in pairs]
        renamed = {_name_of(a.this): resolve_identifier(a.args["alias"]) for a in star.args.get("rename") or []}
        return [(renamed.get(name, name), e) for name, e in pairs]

    # --- names --------------------------------------------------------------------------------------------------------

    def _column_expr(self, relation: Relation, column: SourceColumn) -> Expr:
        sql = f"{relation.alias}.{quote(column.stored_as)}"
        if self.scope.group_keys is not None and not self._inside_aggregate:
            label = f"{relation.name}.{column.name}" if relation.name else column.name
            self.scope.ungrouped.append((sql, label))
        return Expr(sql, column.type, column.nullable or relation.outer)

    def bind_column(self, node: exp.Column) -> Expr:
        if isinstance(node.this, exp.Star):
            raise unsupported("* in an expression")
        qualifiers = _qualifiers(node)
        if isinstance(node.this, exp.Parameter):
            return self._positional(node.this, qualifiers)
        name = resolve_identifier(node.this)
        scope: Scope | None = self.scope
        while scope is not None:
            found = self._find_in(scope, qualifiers, name, node)
            if found is not None:
                return found
            scope = scope.parent
        if _POSITIONAL.fullmatch(name):
            return self._positional(exp.Parameter(this=exp.Literal.number(name[1:])), qualifiers)
        special = self._special_name(qualifiers, name, node)
        if special is not None:
            return special
        if name[:1] == "$" and name[1:].isdigit():  # "$1" in quotes, as Snowpark's col("$1") writes it
            return self._positional(exp.Parameter(this=exp.Literal.number(name[1:])), qualifiers)
        full = ".".join(quote_if_needed(part) for part in [*qualifiers, name])
        raise invalid_identifier(full, position(node))

    def _find_in(self, scope: Scope, qualifiers: list[str], name: str, node: exp.Column) -> Expr | None:
        if not qualifiers:
            if name in scope.variables:
                return scope.variables[name]
            if name in scope.merged:
                return scope.merged[name]
        matches: list[tuple[Relation, SourceColumn]] = []
        for relation in scope.relations:
            if qualifiers and not _matches(relation, qualifiers):
                continue
            if not qualifiers and name in relation.merged:
                continue
            matches.extend((relation, column) for column in find_columns(relation.source, name))
        if len(matches) > 1:
            raise compilation_error(2028, "42601", f"ambiguous column name '{quote_if_needed(name)}'", position(node))
        if matches:
            if scope is not self.scope:
                self.scope.correlated = True
                relation, column = matches[0]
                return Expr(
                    f"{relation.alias}.{quote(column.stored_as)}", column.type, column.nullable or relation.outer
                )
            return self._column_expr(*matches[0])
        if not qualifiers and name in scope.items and scope is self.scope:
            if name in self._aliases_in_use:
                return None
            self._aliases_in_use.add(name)
            try:
                bound = self.expression(scope.items[name])
            finally:
                self._aliases_in_use.discard(name)
            return replace(bound, sql=bound.atom, simple=True)
        return None

    def _special_name(self, qualifiers: list[str], name: str, node: exp.Column) -> Expr | None:
        """Names that are no column: sequence.NEXTVAL, CURRENT_DATE and the like written without parentheses."""
        if name == "NEXTVAL" and qualifiers:
            from polynya.dialect.sequences import next_value

            return next_value(self.env, qualifiers)
        if not qualifiers and not node.this.args.get("quoted"):
            if name in _NO_PAREN_FUNCTIONS and name in FUNCTIONS:
                return self._call(name, [], node)
            if name == "SYSDATE" and name in FUNCTIONS:
                return self._call(name, [], node)
        return None

    def _positional(self, node: exp.Parameter, qualifiers: list[str]) -> Expr:
        """``$1`` of the only relation, or ``t.$1``."""
        number = int(node.this.name)
        relations = [r for r in self.scope.relations if not qualifiers or _matches(r, qualifiers)]
        if not relations:
            raise invalid_identifier(f"${number}", position(node.this))
        if len(relations) > 1:
            raise compilation_error(2028, "42601", f"ambiguous column name '${number}'", position(node.this))
        columns = relations[0].source.columns
        if not 1 <= number <= len(columns):
            for column in relations[0].source.hidden:
                if column.name == f"${number}":
                    return self._column_expr(relations[0], column)
            raise invalid_identifier(f"${number}", position(node.this))
        return self._column_expr(relations[0], columns[number - 1])

    def bind_parameter(self, node: exp.Parameter) -> Expr:
        """``$1`` is a column by position, ``$name`` a session variable."""
        if isinstance(node.this, exp.Literal):
            return self._positional(node, [])
        name = node.this.name.upper()
        variables = self.context.variables
        if name not in variables:
            raise compilation_error(2211, "02000", f"Session variable '${name}' does not exist", position(node.this))
        return literal_value(variables[name])

    def bind_placeholder(self, node: exp.Placeholder) -> Expr:
        from polynya.dialect.literals import bind_literal

        name = node.this if isinstance(node.this, str) else (node.this.name if node.this else "")
        text = str(name).upper() if name else str(node.meta.get("index", 1))
        key: int | str = int(text) if text.isdigit() else text
        if key not in self.env.binds:
            if text in self.scope.variables:
                return self.scope.variables[text]
            if self.env.describe_only:  # a client may ask for the columns before it has values
                return null()
            raise compilation_error(
                2049, "42601", f"Bind variable {':' + str(name) if name else '?'} not set.", position(node)
            )
        return bind_literal(self.env.binds[key], self.context)

    def bind_identifier(self, node: exp.Identifier) -> Expr:
        name = resolve_identifier(node)
        scope: Scope | None = self.scope
        while scope is not None:
            if name in scope.variables:
                return scope.variables[name]
            scope = scope.parent
        return self.bind_column(exp.Column(this=node))

    def bind_identifier_function(self, node: exp.DynamicIdentifier) -> Expr:
        """IDENTIFIER('name') or IDENTIFIER($variable) as a column."""
        parts = dynamic_name(node, self)
        column = exp.Column(this=exp.to_identifier(parts[-1], quoted=True))
        for key, part in zip(("table", "db", "catalog"), reversed(parts[:-1]), strict=False):
            column.set(key, exp.to_identifier(part, quoted=True))
        return self.bind_column(column)

    # --- literals -----------------------------------------------------------------------------------------------------

    def bind_literal(self, node: exp.Literal) -> Expr:
        return string_literal(node.name) if node.is_string else number_literal(node.name)

    def bind_raw_string(self, node: exp.RawString) -> Expr:
        return string_literal(node.name)

    def bind_null(self, node: exp.Null) -> Expr:
        return null()

    def bind_boolean(self, node: exp.Boolean) -> Expr:
        return boolean_literal(bool(node.this))

    def bind_hex_string(self, node: exp.HexString) -> Expr:
        text = str(node.this)
        return Expr(f"unhex({quote_string(text)})", binary(max(len(text) // 2, 1)), False)

    def bind_interval(self, node: exp.Interval) -> Expr:
        raise unsupported("INTERVAL outside of date arithmetic")

    # --- logic --------------------------------------------------------------------------------------------------------

    def bind_and(self, node: exp.And | exp.Or | exp.Xor) -> Expr:
        """A chain of one connector, flat: hundreds of conditions must not nest as deep."""
        kind = type(node)
        operands: list[exp.Expr] = []
        current: exp.Expr = node
        while type(current) is kind:
            operands.append(current.expression)
            current = current.this
        operands.append(current)
        bound = [self.condition(operand) for operand in reversed(operands)]
        word = " AND " if kind is exp.And else " OR "
        return derive(word.join(expr.atom for expr in bound), BOOLEAN, *bound, simple=False)

    def bind_not(self, node: exp.Not) -> Expr:
        inner = self.condition(node.this)
        return derive(f"NOT {inner.atom}", BOOLEAN, inner, simple=False)

    def bind_paren(self, node: exp.Paren) -> Expr:
        inner = self.expression(node.this)
        return inner if inner.simple else replace(inner, sql=f"({inner.sql})", simple=True)

    def bind_comparison(self, node: exp.Binary) -> Expr:
        operator = _COMPARISONS[type(node)]
        right_node = node.expression
        if isinstance(right_node, (exp.Any, exp.All)):
            return self._quantified(node, operator, right_node)
        if isinstance(node.this, exp.Tuple) or isinstance(right_node, exp.Tuple):
            return self._compare_rows(node, operator)
        return self.compare(self.expression(node.this), operator, self.expression(right_node), node)

    def compare(self, left: Expr, operator: str, right: Expr, node: exp.Expr) -> Expr:
        """Two values compared, after both took their common type.

        Args:
            left, right: bound operands.
            operator: DuckDB's.
            node: for the position of an error.
        """
        common = casts.comparison_type(left.type, right.type)
        if common is None:
            raise compilation_error(
                1044,
                "42P13",
                f"Can not convert parameter '{node.expression.sql('snowflake') if node.expression else ''}' of type [{right.type}] into expected type [{left.type}]",
                position(node),
            )
        a, b = casts.comparable(left, common, self.context), casts.comparable(right, common, self.context)
        nullable = False if operator.startswith("IS") else None
        return derive(f"{a.atom} {operator} {b.atom}", BOOLEAN, left, right, nullable=nullable, simple=False)

    def _compare_rows(self, node: exp.Binary, operator: str) -> Expr:
        left, right = node.this.expressions, node.expression.expressions
        if operator not in ("=", "<>") or len(left) != len(right) or not left:
            raise unsupported("comparison of rows")
        pairs = [
            self.compare(self.expression(a), "=", self.expression(b), node) for a, b in zip(left, right, strict=True)
        ]
        joined = derive(" AND ".join(p.atom for p in pairs), BOOLEAN, *pairs, simple=False)
        return joined if operator == "=" else derive(f"NOT ({joined.sql})", BOOLEAN, joined, simple=False)

    def _quantified(self, node: exp.Binary, operator: str, right: exp.Any | exp.All) -> Expr:
        left = self.expression(node.this)
        source = self.subquery(right.this)
        word = "ANY" if isinstance(right, exp.Any) else "ALL"
        return derive(
            f"{left.atom} {operator} {word} {self._column_query(source, left)}",
            BOOLEAN,
            left,
            nullable=True,
            simple=False,
        )

    def bind_is(self, node: exp.Is) -> Expr:
        inner = self.expression(node.this)
        wanted, negate = node.expression, ""
        if isinstance(wanted, exp.Not):
            wanted, negate = wanted.this, "NOT "
        if isinstance(wanted, exp.Null):
            return derive(f"{inner.atom} IS {negate}NULL", BOOLEAN, inner, nullable=False, simple=False)
        if isinstance(wanted, exp.Boolean):
            truth = casts.coerce(inner, BOOLEAN, self.context) or inner
            return derive(
                f"{truth.atom} IS {negate}{'TRUE' if wanted.this else 'FALSE'}",
                BOOLEAN,
                inner,
                nullable=False,
                simple=False,
            )
        raise unsupported(f"IS {wanted.sql('snowflake')}")

    def bind_between(self, node: exp.Between) -> Expr:
        value, low, high = (
            self.expression(node.this),
            self.expression(node.args["low"]),
            self.expression(node.args["high"]),
        )
        first = self.compare(value, ">=", low, node)
        second = self.compare(value, "<=", high, node)
        return derive(f"{first.atom} AND {second.atom}", BOOLEAN, first, second, simple=False)

    def bind_in(self, node: exp.In) -> Expr:
        query = node.args.get("query")
        left_nodes = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
        left = [self.expression(item) for item in left_nodes]
        if query is not None:
            source = self.subquery(query)
            if len(source.columns) != len(left):
                raise compilation_error(
                    2103,
                    "42601",
                    f"Invalid number of columns in the subquery: expected {len(left)}, found {len(source.columns)}",
                    position(node),
                )
            return self._in_query(left, source)
        choices = node.expressions
        if len(left) > 1:
            options = []
            for choice in choices:
                pairs = [
                    self.compare(a, "=", self.expression(b), node)
                    for a, b in zip(left, choice.expressions, strict=True)
                ]
                options.append(derive("(" + " AND ".join(p.atom for p in pairs) + ")", BOOLEAN, *pairs))
            return derive(" OR ".join(o.sql for o in options), BOOLEAN, *options, simple=False)
        bound = [self.expression(choice) for choice in choices]
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
        items = [casts.comparable(choice, common, self.context) for choice in bound]
        value = casts.comparable(left[0], common, self.context)
        return derive(f"{value.atom} IN ({', '.join(i.sql for i in items)})", BOOLEAN, left[0], *bound, simple=False)

    def _in_query(self, left: list[Expr], source: Source) -> Expr:
        alias = self.env.alias()
        inner, outer = [], []
        for expr, column in zip(left, source.columns, strict=True):
            candidate = Expr(f"{alias}.{quote(column.stored_as)}", column.type, column.nullable)
            common = casts.comparison_type(expr.type, column.type) or expr.type
            inner.append(casts.comparable(candidate, common, self.context).sql)
            outer.append(casts.comparable(expr, common, self.context).sql)
        value = outer[0] if len(outer) == 1 else f"({', '.join(outer)})"
        columns = inner[0] if len(inner) == 1 else f"({', '.join(inner)})"
        return derive(
            f"({value}) IN (SELECT {columns} FROM {source.sql} AS {alias})", BOOLEAN, *left, nullable=True, simple=False
        )

    def _column_query(self, source: Source, like: Expr) -> str:
        """A one-column subquery whose column has the type of ``like`` for comparison."""
        alias = self.env.alias()
        column = source.columns[0]
        candidate = Expr(f"{alias}.{quote(column.stored_as)}", column.type, column.nullable)
        common = casts.comparison_type(like.type, column.type) or like.type
        return f"(SELECT {casts.comparable(candidate, common, self.context).sql} FROM {source.sql} AS {alias})"

    def bind_exists(self, node: exp.Exists) -> Expr:
        source = self.subquery(node.this)
        return Expr(f"EXISTS (SELECT 1 FROM {source.sql} AS {self.env.alias()})", BOOLEAN, False, simple=False)

    def bind_like(self, node: exp.Like | exp.ILike, escape: Expr | None = None) -> Expr:
        from polynya.dialect.functions.string import like

        value = self.expression(node.this)
        insensitive = isinstance(node, exp.ILike)
        pattern = node.expression
        if isinstance(pattern, (exp.Any, exp.All)):
            items = pattern.this.expressions if isinstance(pattern.this, exp.Tuple) else [pattern.this]
            bound = [like(value, self.expression(item), escape, insensitive, self.context) for item in items]
            word = " OR " if isinstance(pattern, exp.Any) else " AND "
            return derive(word.join(b.atom for b in bound), BOOLEAN, *bound, simple=False)
        return like(value, self.expression(pattern), escape, insensitive, self.context)

    def bind_escape(self, node: exp.Escape) -> Expr:
        return self.bind_like(node.this, self.expression(node.expression))

    def bind_regexp_like(self, node: exp.RegexpLike) -> Expr:
        return self._call("REGEXP_LIKE", [node.this, node.expression], node)

    # --- arithmetic ---------------------------------------------------------------------------------------------------

    def bind_arithmetic(self, node: exp.Binary) -> Expr:
        """A chain of + - * / % over one left spine, bound without recursion."""
        spine: list[exp.Binary] = []
        current: exp.Expr = node
        while type(current) in _ARITHMETIC:
            spine.append(current)  # type: ignore[arg-type]
            current = current.this
        result = self.expression(current) if not isinstance(current, exp.Interval) else None
        for operation in reversed(spine):
            right = operation.expression
            if isinstance(right, exp.Interval) and result is not None:
                result = self._add_interval(result, right, operation)
            elif result is None:
                result = self._add_interval(self.expression(right), current, operation)  # type: ignore[arg-type]
            else:
                result = self._operate(operation, result, self.expression(right))
        assert result is not None
        return result

    def _operate(self, node: exp.Binary, left: Expr, right: Expr) -> Expr:
        from polynya.dialect import arithmetic
        from polynya.dialect.functions import datetime

        operator = _ARITHMETIC[type(node)]
        dated = {"DATE", "TIME"}
        left_date = left.type.name in dated or left.type.is_timestamp
        right_date = right.type.name in dated or right.type.is_timestamp
        if left_date or right_date:
            if operator == "add" and left.type.name == "DATE" and not right_date:
                return datetime.add_days(left, self._as_number(right, node))
            if operator == "add" and right.type.name == "DATE" and not left_date:
                return datetime.add_days(right, self._as_number(left, node))
            if operator == "subtract" and left.type.name == "DATE" and right.type.name == "DATE":
                return datetime.date_difference(left, right)
            if operator == "subtract" and left.type.name == "DATE" and not right_date:
                return datetime.add_days(left, arithmetic.negate(self._as_number(right, node)))
            symbol = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%"}[operator]
            raise compilation_error(
                1044,
                "42P13",
                f"Invalid argument types for function '{symbol}': ({left.type}, {right.type})",
                position(node),
            )
        left, right = self._numeric(left, node, operator), self._numeric(right, node, operator)
        return getattr(arithmetic, operator)(left, right)

    def _numeric(self, expr: Expr, node: exp.Binary, operator: str) -> Expr:
        if expr.type.is_numeric:
            return expr
        if expr.type == NULL:
            return null(INTEGER)
        if expr.type.name in ("VARCHAR", "VARIANT", "BOOLEAN"):
            return casts.to_number_operand(expr, self.context)
        symbol = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%"}[operator]
        raise compilation_error(
            1044, "42P13", f"Invalid argument types for function '{symbol}': ({expr.type})", position(node)
        )

    def _as_number(self, expr: Expr, node: exp.Expr) -> Expr:
        converted = casts.coerce(expr, INTEGER, self.context)
        if converted is None:
            raise compilation_error(
                1044, "42P13", f"Invalid argument types for function '+': (DATE, {expr.type})", position(node)
            )
        return converted

    def _add_interval(self, base: Expr, interval: exp.Interval, node: exp.Binary) -> Expr:
        from polynya.dialect.functions import datetime
        from polynya.dialect.intervals import interval_parts

        sign = -1 if isinstance(node, exp.Sub) else 1
        if base.type.name not in ("DATE", "TIME") and not base.type.is_timestamp:
            raise compilation_error(
                1044, "42P13", f"Invalid argument types for function '+': ({base.type}, INTERVAL)", position(node)
            )
        return datetime.add_interval(base, interval_parts(interval), sign, self.context)

    def bind_neg(self, node: exp.Neg) -> Expr:
        from polynya.dialect import arithmetic

        inner = self.expression(node.this)
        if inner.is_constant and inner.type.name == "NUMBER":
            value = -inner.constant
            return Expr(f"(-{inner.sql})", inner.type, False, value)
        if inner.type.name in ("VARCHAR", "VARIANT", "BOOLEAN", "NULL"):
            inner = casts.to_number_operand(inner, self.context)
        if not inner.type.is_numeric:
            raise compilation_error(
                1044, "42P13", f"Invalid argument types for function '-': ({inner.type})", position(node)
            )
        return arithmetic.negate(inner)

    def bind_concat(self, node: exp.DPipe) -> Expr:
        operands: list[exp.Expr] = []
        current: exp.Expr = node
        while isinstance(current, exp.DPipe):
            operands.append(current.expression)
            current = current.this
        operands.append(current)
        return self._call("CONCAT", list(reversed(operands)), node)

    def bind_bitwise(self, node: exp.Binary) -> Expr:
        return self._call(_BITWISE[type(node)], [node.this, node.expression], node)

    def bind_bitwise_not(self, node: exp.BitwiseNot) -> Expr:
        return self._call("BITNOT", [node.this], node)

    def bind_collate(self, node: exp.Collate) -> Expr:
        return self._call("COLLATE", [node.this, node.expression], node)

    # --- CASE, casts --------------------------------------------------------------------------------------------------

    def bind_case(self, node: exp.Case) -> Expr:
        subject = self.expression(node.this) if node.this is not None else None
        conditions, values = [], []
        for branch in node.args["ifs"]:
            if subject is None:
                conditions.append(self.condition(branch.this))
            else:
                conditions.append(self.compare(subject, "=", self.expression(branch.this), branch))
            values.append(self.expression(branch.args["true"]))
        default = node.args.get("default")
        values.append(self.expression(default) if default is not None else null())
        values, common = self.unify(values, node, "CASE")
        whens = " ".join(f"WHEN {c.sql} THEN {v.sql}" for c, v in zip(conditions, values, strict=False))
        nullable = any(value.nullable for value in values)
        sources = [*conditions, *values, *([subject] if subject else [])]
        return derive(f"CASE {whens} ELSE {values[-1].sql} END", common, *sources, nullable=nullable)

    def unify(self, values: list[Expr], node: exp.Expr, what: str) -> tuple[list[Expr], SqlType]:
        """Values cast to their common type, and that type.

        Raises:
            SnowflakeError: if there is none.
        """
        common = casts.common_type([value.type for value in values])
        if common is None:
            kinds = ", ".join(str(value.type) for value in values)
            raise compilation_error(
                1044, "42P13", f"Invalid argument types for function '{what}': ({kinds})", position(node)
            )
        return [casts.to_common(value, common, self.context) for value in values], common

    def bind_cast(self, node: exp.Cast) -> Expr:
        target = types.from_tree(node.args["to"], self.context.parameter("TIMESTAMP_TYPE_MAPPING"))
        attempt = isinstance(node, exp.TryCast)
        inner = self.expression(node.this)
        # TRY_CAST takes strings; a value of the target's own type is let through.
        if attempt and inner.type.name not in ("VARCHAR", "NULL", "VARIANT", target.name):
            raise compilation_error(
                1065,
                "22023",
                f"Function TRY_CAST cannot be used with arguments of types {inner.type} and {target}",
                position(node),
            )
        return casts.cast(inner, target, self.context, attempt=attempt)

    def bind_at_time_zone(self, node: exp.AtTimeZone) -> Expr:
        return self._call("CONVERT_TIMEZONE", [node.args["zone"], node.this], node)

    # --- semi-structured ----------------------------------------------------------------------------------------------

    def bind_path(self, node: exp.JSONExtract) -> Expr:
        """``a:b.c[0]``."""
        from polynya.dialect import semistructured

        steps: list[str | int | Expr] = []
        path = node.expression
        if not isinstance(path, exp.JSONPath):
            return semistructured.path(self.expression(node.this), [self.expression(path)])
        for step in path.expressions:
            if isinstance(step, exp.JSONPathKey):
                steps.append(str(step.this))
            elif isinstance(step, exp.JSONPathSubscript):
                steps.append(step.this if isinstance(step.this, int) else str(step.this))
            elif not isinstance(step, exp.JSONPathRoot):
                raise unsupported(f"path step {step}")
        return semistructured.path(self.expression(node.this), steps)

    def bind_bracket(self, node: exp.Bracket) -> Expr:
        from polynya.dialect import semistructured

        base = self.expression(node.this)
        steps = [self.expression(item) for item in node.expressions]
        return semistructured.path(base, [s.constant if isinstance(s.constant, (str, int)) else s for s in steps])

    def bind_struct(self, node: exp.Struct) -> Expr:
        """``{'a': 1, ...}``."""
        arguments: list[exp.Expr] = []
        for item in node.expressions:
            if isinstance(item, exp.PropertyEQ):
                key = item.this
                arguments.append(exp.Literal.string(key.name) if isinstance(key, exp.Identifier) else key)
                arguments.append(item.expression)
            else:
                arguments.append(item)
        return self._call("OBJECT_CONSTRUCT_KEEP_NULL", arguments, node)

    def bind_array(self, node: exp.Array) -> Expr:
        return self._call("ARRAY_CONSTRUCT", node.expressions, node)

    # --- subqueries ---------------------------------------------------------------------------------------------------

    def subquery(self, node: exp.Expr) -> Source:
        """Binds a query inside this scope: its names may refer to ours."""
        from polynya.dialect.query import bind_query_node

        return bind_query_node(node, self.env, self.scope, self.scope.ctes)

    def bind_subquery(self, node: exp.Expr) -> Expr:
        source = self.subquery(node)
        if len(source.columns) != 1:
            raise compilation_error(
                2103, "42601", "Invalid subquery: a scalar subquery must return one column.", position(node)
            )
        column = source.columns[0]
        return Expr(f"(SELECT {quote(column.stored_as)} FROM {source.sql} AS {self.env.alias()})", column.type, True)

    # --- functions ----------------------------------------------------------------------------------------------------

    def bind_call(self, node: exp.Anonymous) -> Expr:
        return self._call(
            str(node.this).upper() if not isinstance(node.this, exp.Identifier) else resolve_identifier(node.this),
            node.expressions,
            node,
        )

    def bind_dotted_call(self, node: exp.Dot) -> Expr:
        """``db.schema.f(x)``, ``schema.f(x)``, ``seq.NEXTVAL`` with several qualifiers, or a path behind brackets."""
        parts: list[exp.Expr] = []
        current: exp.Expr = node
        while isinstance(current, exp.Dot):
            parts.append(current.expression)
            current = current.this
        parts.append(current)
        parts.reverse()
        if isinstance(parts[0], exp.Bracket | exp.JSONExtract) and all(
            isinstance(p, exp.Identifier) for p in parts[1:]
        ):
            from polynya.dialect import semistructured  # v['a'].b

            return semistructured.path(self.expression(parts[0]), [part.name for part in parts[1:]])
        qualifiers: list[str] = []
        for part in parts[:-1]:
            if isinstance(part, exp.Column):
                qualifiers += [*_qualifiers(part), resolve_identifier(part.this)]
            elif isinstance(part, exp.Identifier):
                qualifiers.append(resolve_identifier(part))
            else:
                raise unsupported(f"'.' after {part.sql('snowflake')}")
        last = parts[-1]
        if isinstance(last, exp.Anonymous) and isinstance(last.this, str) and last.this.upper() in RESERVED:
            raise syntax_error(last.this, *(position(last) or (1, 0)))  # ``SELECT a. FROM (...)``
        if isinstance(last, exp.Anonymous):
            return self._user_function(
                [*qualifiers, str(last.this).upper() if isinstance(last.this, str) else resolve_identifier(last.this)],
                last,
            )
        if isinstance(last, exp.Identifier) and resolve_identifier(last) == "NEXTVAL":
            from polynya.dialect.sequences import next_value

            return next_value(self.env, qualifiers)
        raise invalid_identifier(node.sql("snowflake"), position(node))

    def bind_no_paren_function(self, node: exp.Func) -> Expr:
        arguments = [node.this] if isinstance(node.this, exp.Expr) else []
        return self._call(_NODE_FUNCTIONS[type(node)], arguments, node)

    def bind_extract(self, node: exp.Extract) -> Expr:
        return self._call("DATE_PART", [exp.Literal.string(node.this.name), node.expression], node)

    def bind_position(self, node: exp.StrPosition) -> Expr:
        arguments = [node.args["substr"], node.this]
        if node.args.get("position") is not None:
            arguments.append(node.args["position"])
        return self._call("POSITION", arguments, node)

    def bind_within_group(self, node: exp.WithinGroup) -> Expr:
        return self._aggregate_call(node.this, node, within=node.expression)

    def bind_filter(self, node: exp.Filter) -> Expr:
        raise unsupported("FILTER (WHERE ...)")

    def bind_connect_by_root(self, node: exp.Expr) -> Expr:
        return self._hierarchical(node, "CONNECT_BY_ROOT")

    def _hierarchical(self, node: exp.Expr, what: str) -> Expr:
        """A column that ``hierarchy.connect_by`` made for this call."""
        found = self.scope.variables.get(f"\0{id(node)}")
        if found is None:
            raise unsupported(f"{what} outside CONNECT BY")
        return found

    def _call(self, name: str, nodes: list[exp.Expr], node: exp.Expr) -> Expr:
        if name == "SYS_CONNECT_BY_PATH":
            return self._hierarchical(node, name)
        function = FUNCTIONS.get(name)
        if function is None:
            return self._user_function([name], node)
        call = self._make_call(name, nodes, node)
        self._check_arity(function, call)
        if function.kind == "scalar":
            if call.distinct:
                raise compilation_error(1003, "42000", f"DISTINCT cannot be used with function {name}.", position(node))
            return function.bind(call)
        if function.kind == "window":
            raise compilation_error(
                2303, "42601", f"Window function [{name}(...)] requires an OVER clause.", position(node)
            )
        return self._bind_aggregate(function, call)

    def _make_call(self, name: str, nodes: list[exp.Expr], node: exp.Expr) -> Call:
        distinct = False
        if len(nodes) == 1 and isinstance(nodes[0], exp.Distinct):
            distinct, nodes = True, nodes[0].expressions
        named = {str(n.this.name).upper(): n.expression for n in nodes if isinstance(n, exp.Kwarg)}
        positional = [n for n in nodes if not isinstance(n, exp.Kwarg)]
        return Call(name, positional, self, named, distinct=distinct, position=position(node))

    def _check_arity(self, function: Function, call: Call) -> None:
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

    def _bind_aggregate(self, function: Function, call: Call) -> Expr:
        if self._inside_aggregate and not call.windowed:
            raise compilation_error(
                2035, "42601", f"Aggregate functions cannot be nested: [{call.name}]", call.position
            )
        self._inside_aggregate += 0 if call.windowed else 1
        try:
            bound = function.bind(call)
        finally:
            self._inside_aggregate -= 0 if call.windowed else 1
        return self._finish_aggregate(bound, call)

    def _finish_aggregate(self, bound: Expr, call: Call) -> Expr:
        sql = bound.sql
        if call.over and not call.over_placed:
            sql = f"{sql}{call.over}"
        if bound.type.name == "NUMBER":
            sql = f"CAST({sql} AS {bound.type.duckdb})"
        return replace(bound, sql=sql, simple=True, aggregate=not call.windowed, window=call.windowed or bound.window)

    def _aggregate_call(
        self,
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
            return self._aggregate_call(
                inner.this,
                node,
                inner.expression,
                over,
                ignore_nulls=ignore_nulls,
                has_order=has_order,
                window_node=window_node,
            )
        if isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls)):
            return self._aggregate_call(
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
            if function is None:
                return self._user_function([name], inner)
            raise compilation_error(2303, "42601", f"Function [{name}] is not a window function.", position(inner))
        call = self._make_call(name, inner.expressions, inner)
        call.ignore_nulls = ignore_nulls
        call.windowed = over is not None
        call.over = over or ""
        call.window_order = has_order
        if within is not None:
            self._inside_aggregate += 1
            call.order_exprs = [self.expression(item.this) for item in within.expressions]
            self._inside_aggregate -= 1
            call.order_by = ", ".join(
                order_term(expr.sql, item) for expr, item in zip(call.order_exprs, within.expressions, strict=True)
            )
        self._check_arity(function, call)
        if function.kind == "window" and over is None:
            raise compilation_error(
                2303, "42601", f"Window function [{name}(...)] requires an OVER clause.", position(inner)
            )
        return self._bind_aggregate(function, call)

    def bind_window(self, node: exp.Window) -> Expr:
        from polynya.dialect.functions.window import default_frame
        from polynya.dialect.window_frame import frame_sql

        inner = node.this
        while isinstance(inner, (exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)):
            inner = inner.this
        name = str(inner.this).upper() if isinstance(inner, exp.Anonymous) else ""
        parts: list[str] = []
        partition = [self.expression(item) for item in node.args.get("partition_by") or []]
        if partition:
            parts.append("PARTITION BY " + ", ".join(casts.groupable(p).sql for p in partition))
        order = node.args.get("order")
        keys: list[Expr] = []
        if order is not None:
            keys = [casts.sortable(self.expression(item.this)) for item in order.expressions]
            terms = [order_term(key.sql, item) for key, item in zip(keys, order.expressions, strict=True)]
            parts.append("ORDER BY " + ", ".join(terms))
        spec = node.args.get("spec")
        frame = frame_sql(spec, keys, self) if spec is not None else default_frame(name, order is not None)
        if frame:
            parts.append(frame)
        return self._aggregate_call(
            node.this, node, None, f" OVER ({' '.join(parts)})", has_order=order is not None, window_node=node
        )

    def _user_function(self, parts: list[str], node: exp.Expr) -> Expr:
        from polynya.dialect.routines import call_function

        return call_function(self, parts, node)

    def bind_lambda(self, node: exp.Lambda) -> Expr:
        raise unsupported("a lambda outside FILTER, TRANSFORM or REDUCE")

    def bind_tuple(self, node: exp.Tuple) -> Expr:
        raise unsupported("a list of values outside IN")

    def bind_star(self, node: exp.Star) -> Expr:
        raise compilation_error(1003, "42000", "syntax error: unexpected '*'", position(node))

    def bind_alias(self, node: exp.Alias) -> Expr:
        """An alias inside an expression, which sqlglot lets pass."""
        line, column = position(node.this) or (1, 0)
        raise syntax_error("AS", line, column)

    def bind_prior(self, node: exp.Prior) -> Expr:
        raise unsupported("PRIOR outside CONNECT BY")


# --- helpers ----------------------------------------------------------------------------------------------------------


def position(node: exp.Expr) -> tuple[int, int] | None:
    """(line, column from 0) at which a node begins, where the parser kept it: that of its first word."""
    current: object = node
    while isinstance(current, exp.Expr):
        meta = current.meta
        if "line" in meta:
            return meta["line"], meta["col"] - (meta["end"] - meta["start"] + 1)
        if isinstance(current, exp.Column):
            current = next((part for part in current.parts if "line" in part.meta), None)
        elif isinstance(current.this, exp.Expr):
            current = current.this
        else:
            current = next(iter(current.expressions), None)
    return None


def resolve_identifier(node: exp.Expr) -> str:
    """An identifier's name: upper case unless it was quoted."""
    if isinstance(node, exp.Identifier):
        return node.name if node.args.get("quoted") else node.name.upper()
    return node.name.upper()


def quote_if_needed(name: str) -> str:
    """A name as Snowflake prints it in messages: quoted where it must be."""
    from polynya.catalog.names import quote_identifier

    return quote_identifier(name)


def literal_value(value: Any) -> Expr:
    """A Python value (a session variable's) as a literal."""
    if value is None:
        return null()
    if isinstance(value, bool):
        return boolean_literal(value)
    if isinstance(value, float):
        return Expr(f"{value!r}::DOUBLE", FLOAT, False, value)
    if isinstance(value, str):
        return string_literal(value)
    return (
        number_literal(str(value))
        if not str(value).startswith("-")
        else replace(number_literal(str(value)[1:]), sql=f"(-{number_literal(str(value)[1:]).sql})", constant=value)
    )


def dynamic_name(node: exp.Expr, binder: Binder) -> list[str]:
    """The parts of the name in IDENTIFIER(...) or TABLE(...): a string, a bind or a variable."""
    from polynya.dialect.tokens import TokenStream

    argument = node.this if isinstance(node.this, exp.Expr) else node.expressions[0]
    if isinstance(argument, exp.Column):
        return [*_qualifiers(argument), resolve_identifier(argument.this)]
    bound = binder.expression(argument)
    if not isinstance(bound.constant, str):
        raise compilation_error(1015, "42601", "IDENTIFIER takes a constant string.", position(node))
    stream = TokenStream(bound.constant)
    name = stream.name()
    stream.expect_end()
    return name


def order_term(sql: str, item: exp.Ordered) -> str:
    """One term of ORDER BY; NULL is the largest value, as in Snowflake, unless said otherwise."""
    direction = "DESC" if item.args.get("desc") else "ASC"
    return f"{sql} {direction} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"


def find_columns(source: Source, name: str) -> list[SourceColumn]:
    """The columns of this name, hidden ones if no shown one has it."""
    found = [column for column in source.columns if column.name == name]
    return found or [column for column in source.hidden if column.name == name]


def _name_of(node: exp.Expr) -> str:
    return resolve_identifier(node.this if isinstance(node, exp.Column) else node)


def _qualifiers(node: exp.Column) -> list[str]:
    """The resolved names before a column's own, outermost first."""
    return [resolve_identifier(node.args[key]) for key in ("catalog", "db", "table") if node.args.get(key)]


def _matches(relation: Relation, qualifiers: list[str]) -> bool:
    if relation.name != qualifiers[-1]:
        return False
    if len(qualifiers) == 1:
        return True
    return relation.qualifiers is not None and list(relation.qualifiers)[-len(qualifiers) + 1 :] == qualifiers[:-1]


_POSITIONAL = re.compile(r"\$\d+")
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
_NODE_FUNCTIONS: dict[type, str] = {
    exp.CurrentDate: "CURRENT_DATE", exp.CurrentTime: "CURRENT_TIME", exp.CurrentTimestamp: "CURRENT_TIMESTAMP",
    exp.CurrentUser: "CURRENT_USER", exp.Localtime: "LOCALTIME", exp.Localtimestamp: "LOCALTIMESTAMP",
    exp.CurrentRole: "CURRENT_ROLE", exp.CurrentDatetime: "CURRENT_TIMESTAMP",
}  # fmt: skip
_NO_PAREN_FUNCTIONS = {"CURRENT_ROLE", "CURRENT_USER", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME",
                       "LOCALTIMESTAMP", "CURRENT_DATABASE", "CURRENT_SCHEMA", "CURRENT_WAREHOUSE"}  # fmt: skip

_METHODS: dict[type, Callable[[Binder, Any], Expr]] = {
    exp.Column: Binder.bind_column,
    exp.Identifier: Binder.bind_identifier,
    exp.DynamicIdentifier: Binder.bind_identifier_function,
    exp.Parameter: Binder.bind_parameter,
    exp.Placeholder: Binder.bind_placeholder,
    exp.Literal: Binder.bind_literal,
    exp.RawString: Binder.bind_raw_string,
    exp.National: Binder.bind_raw_string,
    exp.Null: Binder.bind_null,
    exp.Boolean: Binder.bind_boolean,
    exp.HexString: Binder.bind_hex_string,
    exp.Interval: Binder.bind_interval,
    exp.And: Binder.bind_and,
    exp.Or: Binder.bind_and,
    exp.Not: Binder.bind_not,
    exp.Paren: Binder.bind_paren,
    exp.Is: Binder.bind_is,
    exp.Between: Binder.bind_between,
    exp.In: Binder.bind_in,
    exp.Exists: Binder.bind_exists,
    exp.Like: Binder.bind_like,
    exp.ILike: Binder.bind_like,
    exp.Escape: Binder.bind_escape,
    exp.RegexpLike: Binder.bind_regexp_like,
    exp.Neg: Binder.bind_neg,
    exp.DPipe: Binder.bind_concat,
    exp.BitwiseNot: Binder.bind_bitwise_not,
    exp.Collate: Binder.bind_collate,
    exp.Case: Binder.bind_case,
    exp.Cast: Binder.bind_cast,
    exp.TryCast: Binder.bind_cast,
    exp.AtTimeZone: Binder.bind_at_time_zone,
    exp.JSONExtract: Binder.bind_path,
    exp.Bracket: Binder.bind_bracket,
    exp.Struct: Binder.bind_struct,
    exp.Array: Binder.bind_array,
    exp.Select: Binder.bind_subquery,
    exp.Subquery: Binder.bind_subquery,
    exp.Union: Binder.bind_subquery,
    exp.Intersect: Binder.bind_subquery,
    exp.Except: Binder.bind_subquery,
    exp.Anonymous: Binder.bind_call,
    exp.Dot: Binder.bind_dotted_call,
    exp.Extract: Binder.bind_extract,
    exp.StrPosition: Binder.bind_position,
    exp.WithinGroup: Binder.bind_within_group,
    exp.Filter: Binder.bind_filter,
    exp.Window: Binder.bind_window,
    exp.Lambda: Binder.bind_lambda,
    exp.Tuple: Binder.bind_tuple,
    exp.Star: Binder.bind_star,
    exp.Alias: Binder.bind_alias,
    exp.Prior: Binder.bind_prior,
    exp.ConnectByRoot: Binder.bind_connect_by_root,
    **dict.fromkeys(_COMPARISONS, Binder.bind_comparison),
    **dict.fromkeys(_ARITHMETIC, Binder.bind_arithmetic),
    **dict.fromkeys(_BITWISE, Binder.bind_bitwise),
    **dict.fromkeys(_NODE_FUNCTIONS, Binder.bind_no_paren_function),
}
