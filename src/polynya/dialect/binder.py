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

from polynya.dialect import calls, casts, operators
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
from polynya.dialect.naming import (
    column_name,
    find_columns,
    position,
    qualifiers_of,
    quote_if_needed,
    refers_to,
    resolve_identifier,
)
from polynya.dialect.registry import FUNCTIONS
from polynya.dialect.scope import Relation, Source, SourceColumn
from polynya.errors import compilation_error, invalid_identifier, unsupported
from polynya.types.sqltype import (
    BOOLEAN,
    FLOAT,
    SqlType,
    binary,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from polynya.catalog.access import Origin
    from polynya.catalog.context import Context
    from polynya.dialect.steps import Lift


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
        self.lift: Lift | None = None  # takes calls of Python functions out of this SELECT

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

    def traced(self, node: exp.Expr) -> tuple[Expr, tuple[Origin, ...]]:
        """Binds an expression; answers it with the columns of stored objects that it is made of."""
        reads = self.env.reads
        outer, reads.touched = reads.touched, set()
        try:
            return self.expression(node), tuple(sorted(reads.touched))
        finally:
            outer |= reads.touched
            reads.touched = outer

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
        qualifiers = qualifiers_of(node) if isinstance(node, exp.Column) else []
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
        relations = [r for r in self.scope.relations if not qualifiers or refers_to(r, qualifiers)]
        if not relations:
            raise invalid_identifier(".".join(quote_if_needed(q) for q in qualifiers), position(node))
        if not qualifiers:
            pairs.extend(self.scope.merged.items())
            for merged in self.scope.merged.values():
                self.env.reads.touched.update(merged.origins)
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
        excluded = {column_name(column) for column in star.args.get("except_") or star.args.get("except") or []}
        for name in excluded - names:
            raise invalid_identifier(quote_if_needed(name), position(star))
        pairs = [pair for pair in pairs if pair[0] not in excluded]
        replaced = {resolve_identifier(a.args["alias"]): a.this for a in star.args.get("replace") or []}
        if replaced:
            pairs = [(name, self.expression(replaced[name]) if name in replaced else e) for name, e in pairs]
        renamed = {column_name(a.this): resolve_identifier(a.args["alias"]) for a in star.args.get("rename") or []}
        return [(renamed.get(name, name), e) for name, e in pairs]

    # --- names --------------------------------------------------------------------------------------------------------

    def _column_expr(self, relation: Relation, column: SourceColumn) -> Expr:
        sql = f"{relation.alias}.{quote(column.stored_as)}"
        if self.scope.group_keys is not None and not self._inside_aggregate:
            label = f"{relation.name}.{column.name}" if relation.name else column.name
            self.scope.ungrouped.append((sql, label))
        self.env.reads.touched.update(column.origins)
        return Expr(sql, column.type, column.nullable or relation.outer, origins=column.origins)

    def bind_column(self, node: exp.Column) -> Expr:
        if isinstance(node.this, exp.Star):
            raise unsupported("* in an expression")
        qualifiers = qualifiers_of(node)
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
                self.env.reads.touched.update(scope.merged[name].origins)
                return scope.merged[name]
        matches: list[tuple[Relation, SourceColumn]] = []
        for relation in scope.relations:
            if qualifiers and not refers_to(relation, qualifiers):
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
                self.env.reads.touched.update(column.origins)
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
                return calls.call(self, name, [], node)
            if name == "SYSDATE" and name in FUNCTIONS:
                return calls.call(self, name, [], node)
        return None

    def _positional(self, node: exp.Parameter, qualifiers: list[str]) -> Expr:
        """``$1`` of the only relation, or ``t.$1``."""
        number = int(node.this.name)
        relations = [r for r in self.scope.relations if not qualifiers or refers_to(r, qualifiers)]
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
        if common.name == "VARIANT" and operator in ("<", "<=", ">", ">="):
            a, b = casts.sortable(a), casts.sortable(b)
        nullable = False if operator.startswith("IS") else None
        return derive(f"{a.atom} {operator} {b.atom}", BOOLEAN, left, right, nullable=nullable, simple=False)

    # --- arithmetic ---------------------------------------------------------------------------------------------------

    # --- CASE, casts --------------------------------------------------------------------------------------------------

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

    # --- semi-structured ----------------------------------------------------------------------------------------------

    # --- subqueries ---------------------------------------------------------------------------------------------------

    def subquery(self, node: exp.Expr) -> Source:
        """Binds a query inside this scope: its names may refer to ours."""
        from polynya.dialect.query import bind_query_node

        return bind_query_node(node, self.env, self.scope, self.scope.ctes)

    # --- functions ----------------------------------------------------------------------------------------------------


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
        return [*qualifiers_of(argument), resolve_identifier(argument.this)]
    bound = binder.expression(argument)
    if not isinstance(bound.constant, str):
        raise compilation_error(1015, "42601", "IDENTIFIER takes a constant string.", position(node))
    stream = TokenStream(bound.constant)
    name = stream.name()
    stream.expect_end()
    return name


_POSITIONAL = re.compile(r"\$\d+")
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
    **operators.METHODS,
    **calls.METHODS,
}
