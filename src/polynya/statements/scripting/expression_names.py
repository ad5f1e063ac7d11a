"""Names in a block: what is in scope, and what the names in an expression stand for.

Source: docs.snowflake.com/en/developer-guide/snowflake-scripting/variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sqlglot import exp

from polynya.dialect.naming import position, qualifiers_of, quote_if_needed, resolve_identifier
from polynya.dialect.parse import parse_expression
from polynya.errors import SnowflakeError, compilation_error, invalid_identifier
from polynya.statements.scripting.syntax import Expression, Name, Place

VALUE, ROW, CURSOR, RESULTSET, EXCEPTION = "variable", "row", "cursor", "resultset", "exception"
# SELECT before an expression, which the parser counts as columns of its first line.
_PREFIX = len("SELECT ")
_WHERE = re.compile(r"line (\d+) at position (-?\d+)")
# Functions whose first argument is the name of a date part.
_DATE_PART_FIRST = {
    "DATEADD", "DATEDIFF", "DATE_PART", "DATE_TRUNC", "TIMEADD", "TIMEDIFF", "TIMESTAMPADD", "TIMESTAMPDIFF", "EXTRACT",
}  # fmt: skip
_DATE_PART_LAST = {"LAST_DAY", "NEXT_DAY", "PREVIOUS_DAY", "TRUNC", "DATE_TRUNC"}
_WITHOUT_PARENTHESES = re.compile(r"CURRENT_\w+|LOCALTIME|LOCALTIMESTAMP|SYSDATE")


@dataclass(slots=True)
class Names:
    """The names of a block, or of a part of one, and the kind of thing each stands for."""

    parent: Names | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    labels: tuple[str | None, ...] = ()
    handles: bool = False

    def kind(self, name: str) -> str | None:
        scope: Names | None = self
        while scope is not None:
            if name in scope.kinds:
                return scope.kinds[name]
            scope = scope.parent
        return None

    def inner(self, *, labels: tuple[str | None, ...] | None = None, handles: bool | None = None) -> Names:
        return Names(
            self, labels=self.labels if labels is None else labels, handles=self.handles if handles is None else handles
        )


def bind_key(name: Name) -> str:
    """The name of the bind that holds a variable: upper case, one word."""
    variable, column = name
    if column is None and _PLAIN.fullmatch(variable):
        return variable
    text = variable if column is None else f"{variable}.{column}"
    return "SF$" + "".join(c if c.isalnum() and c.isascii() and not c.islower() else f"${ord(c):X}_" for c in text)


_PLAIN = re.compile(r"[A-Z_][A-Z0-9_]*")


def resolve_expression(expression: Expression, scope: Names) -> None:
    """Parses an expression and puts placeholders where variables stand."""
    try:
        tree = parse_expression(expression.text)
    except SnowflakeError as error:
        raise moved(error, expression.place) from None
    holder = exp.Paren(this=tree.copy())
    _replace(holder.this, expression, scope)
    found = holder.this
    holder.set("this", None)
    expression.tree = found
    if isinstance(found, exp.Placeholder):
        expression.plain = expression.names.get(str(found.this))


def _replace(node: exp.Expr, expression: Expression, scope: Names) -> None:
    if isinstance(node, exp.Query):
        _replace_binds(node, expression, scope)
        return
    name = _named(node, scope, expression)
    if name is not None:
        _put(node, name, expression)
        return
    for child in list(node.iter_expressions()):
        if not _is_date_part(child, node):
            _replace(child, expression, scope)


def _replace_binds(query: exp.Expr, expression: Expression, scope: Names) -> None:
    """``:name`` and ``:row.column`` inside a subquery."""
    for node in list(query.find_all(exp.Placeholder, exp.Dot)):
        name = _named(node, scope, expression)
        if name is not None:
            _put(node, name, expression)


def _put(node: exp.Expr, name: Name, expression: Expression) -> None:
    key = bind_key(name)
    expression.names[key] = name
    placeholder = exp.Placeholder(this=key)
    where = position(node)
    if where is not None:
        placeholder.meta.update(line=where[0], col=where[1] + 1, start=0, end=0)
    node.replace(placeholder)


def _named(node: exp.Expr, scope: Names, expression: Expression) -> Name | None:
    """The variable or row column that a node stands for; None if it is something else.

    Raises:
        SnowflakeError: 000904 for a name that is neither declared nor anything of SQL's.
    """
    if isinstance(node, exp.Placeholder) and isinstance(node.this, str):
        name = node.this.upper()
        if isinstance(node.parent, exp.Dot) or name.isdigit():
            return None
        if scope.kind(name) != VALUE:
            raise compilation_error(
                2049, "42601", f"Bind variable :{node.this} not set.", _absolute(node, expression.place)
            )
        return name, None
    if isinstance(node, exp.Dot) and isinstance(node.this, exp.Placeholder):
        row = str(node.this.this).upper()
        if scope.kind(row) == ROW and isinstance(node.expression, exp.Identifier):
            return row, resolve_identifier(node.expression)
        return None
    if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
        return None
    name = resolve_identifier(node.this)
    qualifiers = qualifiers_of(node)
    if not qualifiers and scope.kind(name) == VALUE:
        return name, None
    if len(qualifiers) == 1 and scope.kind(qualifiers[0]) == ROW:
        return qualifiers[0], name
    if qualifiers and name == "NEXTVAL":
        return None
    if not qualifiers and _WITHOUT_PARENTHESES.fullmatch(name):
        return None
    full = ".".join(quote_if_needed(part) for part in [*qualifiers, name])
    raise invalid_identifier(full, _absolute(node, expression.place))


def _is_date_part(child: exp.Expr, call: exp.Expr) -> bool:
    """Whether an argument is a word such as DAY, which is no variable there."""
    if not isinstance(call, exp.Anonymous) or not isinstance(child, exp.Column) or child.args.get("table"):
        return False
    function, arguments = str(call.this).upper(), call.expressions
    return (function in _DATE_PART_FIRST and child is arguments[0]) or (
        function in _DATE_PART_LAST and len(arguments) > 1 and child is arguments[-1]
        and resolve_identifier(child.this) in _DATE_PARTS
    )  # fmt: skip


_DATE_PARTS = {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"}


def _absolute(node: exp.Expr, place: Place) -> Place | None:
    """Where a node of an expression stands in the block."""
    where = position(node)
    return None if where is None else _shifted(where, place)


def _shifted(where: Place, place: Place, prefix: int = _PREFIX) -> Place:
    line, column = where
    return place[0] + line - 1, max(column - prefix, 0) + place[1] if line == 1 else column


def moved(error: SnowflakeError, place: Place, prefix: int = _PREFIX) -> SnowflakeError:
    """A syntax error of an expression, or of a statement, as one of the block."""

    def move(found: re.Match[str]) -> str:
        line, column = _shifted((int(found[1]), int(found[2])), place, prefix)
        return f"line {line} at position {column}"

    return SnowflakeError(error.code, error.sqlstate, _WHERE.sub(move, error.message))


def within_expression(error: SnowflakeError) -> SnowflakeError:
    """An error of an expression with its place counted from the expression's beginning."""

    def move(found: re.Match[str]) -> str:
        line, column = int(found[1]), int(found[2])
        return f"line {line} at position {max(column - _PREFIX, 0) if line == 1 else column}"

    return SnowflakeError(error.code, error.sqlstate, _WHERE.sub(move, error.message))
